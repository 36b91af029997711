"""The main fit of each group, and whose reporting it rests on: what is made of more than a curve goes back to it.

A group too small to learn how its departures become known borrows that from the province.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..groups import members
from ..study import Study
from ..tables import PROVINCE
from .model_input import Reported, reported, stays_that_enter

if TYPE_CHECKING:
    from ..survival import ObservedCurve, Reporting

# `map`, or that of an executor: the results are the same.
Each = Callable[..., Iterator[Any]]
# What is read of the rows of a fit: of a million stays every column more is some megabytes in each of its groups.
OF_STAYS = (
    "person_id", "episode", "household_id", "region", "establishment_earliest", "establishment_latest", "entry",
    "cutoff", "exit",
)  # fmt: skip
# What a fit says of reporting, beside its curve, and the columns of each.
OF_REPORTING = {
    "contact_failure": (
        "presence", "previous_failed", "probability", "se", "lower", "upper", "n_failed", "n_attempts",
    ),
    "hearing": ("cause", "month", "share", "se", "lower", "upper"),
    "checks": ("check", "cause", "period", "value"),
}  # fmt: skip
# Starts of a main fit beside the plain one: the likelihood may have more than one maximum.
STARTS = 3


@dataclass(frozen=True)
class MainFit:
    """
    The main estimate of one group, and what it was made from.

    `stays` (rows of the table cohort, of its columns `OF_STAYS`), `reported` (the same as arrays), `curve` (the fit),
    `reporting` (`own`, or `borrowed` from the province) and `province` (the province's, for whoever borrows).
    """

    stays: pd.DataFrame
    reported: Reported
    curve: ObservedCurve
    reporting: str
    province: Reporting

    def at(self, months: Iterable[int]) -> pd.DataFrame:
        """n_at_risk, n_confirmed and known at some months; beyond the fit's last, nobody and `insufficient`."""
        rows = self.curve.table[self.curve.table["cause"].eq(0)].set_index("month")[["n_risk", "n_confirmed", "known"]]
        rows = rows.rename(columns={"n_risk": "n_at_risk"})
        if len(rows) and 0 not in rows.index:
            rows.loc[0] = rows.loc[rows.index.min()]
        found = rows.reindex(pd.Index(list(months), name="horizon"))
        counts = found[["n_at_risk", "n_confirmed"]].fillna(0).astype("int64")
        return counts.assign(known=found["known"].where(found["known"].notna(), "insufficient")).reset_index()

    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """S, then F of each cause, by month from 0: the estimate (1 + causes, months), and under each replicate."""
        table = self.curve.table.pivot(index="cause", columns="month", values="incidence")
        start = np.zeros(len(table))
        start[0] = 1.0
        estimate = np.column_stack([start, table.to_numpy()])
        return estimate, self.curve.replicates


def main_fits(
    cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study, groups: Iterable[str] | None = None,
    each: Each = map,
) -> dict[str, MainFit]:  # fmt: skip
    """
    The main fit of each group, by the rule of `retention`: own reporting where it can be learnt, else the province's.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables of those names.
    study : Study
        Its support, pathway, replicates and seed are used.
    groups : iterable of str, optional
        As for `retention`.
    each : callable
        As `map`: what does the same for each group, here or elsewhere.

    Returns
    -------
    dict of str to MainFit
        In the order asked; a group without a stay has none.

    Raises
    ------
    ValueError
        A group that is neither known nor of the form `column=value`.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> cohort, contacts = told_stays(400, seed=1).tables()
    >>> fits = main_fits(cohort, contacts, study=Study(replicates=0), groups=["province"])
    >>> fits["province"].reporting, fits["province"].at([12])[["horizon", "n_at_risk", "known"]].values.tolist()
    ('own', [[12, 339, 'observed']])
    """
    stays = stays_that_enter(cohort, study)
    of_group = members(stays, study, groups)
    if not len(stays):
        return {}
    everybody = reported(stays, contacts)
    stays = stays.filter(OF_STAYS)
    province = everybody.fit(study, replicates=study.replicates, starts=STARTS if PROVINCE in of_group else 0)
    parts = {group: chosen for group, chosen in of_group.items() if group != PROVINCE and chosen.any()}
    fit = functools.partial(_fit_of_part, study, province.reporting)
    made = each(fit, (stays[chosen] for chosen in parts.values()), (everybody.of(chosen) for chosen in parts.values()))
    found = dict(zip(parts, made, strict=True))
    whole = MainFit(stays, everybody, province, "own", province.reporting)
    return {group: found.get(group, whole) for group in of_group if group == PROVINCE or group in found}


def _fit_of_part(study: Study, province: Reporting, stays: pd.DataFrame, theirs: Reported) -> MainFit:
    reporting = "own" if learns(theirs.fit(study)) else "borrowed"
    lent = None if reporting == "own" else province
    curve = theirs.fit(study, replicates=study.replicates, reporting=lent, starts=STARTS)
    return MainFit(stays.reset_index(drop=True), theirs, curve, reporting, province)


def learns(fit: ObservedCurve) -> bool:
    """Whether enough exits of each destination that has any were found by a contact for its hearing to be learnt."""
    from ..survival.observation.observed import LEARNT

    found = fit.checks[fit.checks["check"].eq("exits_found_by_contact")].groupby("cause")["value"].sum()
    heard = fit.checks[fit.checks["check"].eq("exits_heard")].groupby("cause")["value"].sum()
    known = (found + heard).drop(0)
    return bool((found.drop(0)[known > 0] >= LEARNT).all() and known.any())
