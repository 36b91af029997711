"""The main fit of each group, and whose reporting parameters it uses; later analyses start from these fits.

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
from .model_input import ModelInput, model_input, stays_that_enter

if TYPE_CHECKING:
    from ..survival import ObservedCurve, Reporting

# `map`, or the `map` of an executor: the results are the same.
Mapper = Callable[..., Iterator[Any]]
# Columns of the cohort kept with a fit: with a million stays each further column costs megabytes in every group.
OF_STAYS = (
    "person_id", "episode", "household_id", "region", "establishment_earliest", "establishment_latest", "entry",
    "cutoff", "exit",
)  # fmt: skip
# The tables on reporting that a fit holds besides its curve, with their columns.
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
    The main estimate of one group, and its input.

    `stays` (rows of the table cohort, of its columns `OF_STAYS`), `model_input` (as arrays), `curve` (the fit),
    `reporting` (`own`, or `borrowed` from the province) and `province` (the reporting parameters of the province).
    """

    stays: pd.DataFrame
    model_input: ModelInput
    curve: ObservedCurve
    reporting: str
    province: Reporting

    def at(self, months: Iterable[int]) -> pd.DataFrame:
        """n_at_risk, n_confirmed and known at some months; beyond the fit's last, nobody and `insufficient`."""
        rows = self.curve.table[self.curve.table["cause"].eq(0)].set_index("month")[["n_risk", "n_confirmed", "known"]]
        rows = rows.rename(columns={"n_risk": "n_at_risk"})
        if len(rows) and 0 not in rows.index:
            rows.loc[0] = rows.loc[rows.index.min()]
        rows_at = rows.reindex(pd.Index(list(months), name="horizon"))
        counts = rows_at[["n_at_risk", "n_confirmed"]].fillna(0).astype("int64")
        return counts.assign(known=rows_at["known"].where(rows_at["known"].notna(), "insufficient")).reset_index()

    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """S, then F of each cause, by month from 0: the estimate (1 + causes, months), and under each replicate."""
        table = self.curve.table.pivot(index="cause", columns="month", values="incidence")
        start = np.zeros(len(table))
        start[0] = 1.0
        estimate = np.column_stack([start, table.to_numpy()])
        return estimate, self.curve.replicates


def main_fits(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    mapper: Mapper = map,
) -> dict[str, MainFit]:
    """
    The main fit of each group, by the rule of `retention`: own reporting where it can be learnt, else the province's.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts` (columns as in `tables.COHORT` and `tables.CONTACTS`).
    study : Study
        Its support, pathway, replicates and seed are used.
    groups : iterable of str, optional
        As for `retention`.
    mapper : callable
        `map`, or the `map` of an executor; it is applied over the groups.

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
    everybody = model_input(stays, contacts)
    stays = stays.filter(OF_STAYS)
    province = everybody.fit(study, replicates=study.replicates, starts=STARTS if PROVINCE in of_group else 0)
    parts = {group: chosen for group, chosen in of_group.items() if group != PROVINCE and chosen.any()}
    fit = functools.partial(_fit_of_part, study, province.reporting)
    fits = mapper(
        fit, (stays[chosen] for chosen in parts.values()), (everybody.of(chosen) for chosen in parts.values())
    )
    fits_by_group = dict(zip(parts, fits, strict=True))
    provincial = MainFit(stays, everybody, province, "own", province.reporting)
    return {
        group: fits_by_group.get(group, provincial) for group in of_group if group == PROVINCE or group in fits_by_group
    }


def _fit_of_part(study: Study, province: Reporting, stays: pd.DataFrame, group_input: ModelInput) -> MainFit:
    reporting = "own" if learns(group_input.fit(study)) else "borrowed"
    lent = None if reporting == "own" else province
    curve = group_input.fit(study, replicates=study.replicates, reporting=lent, starts=STARTS)
    return MainFit(stays.reset_index(drop=True), group_input, curve, reporting, province)


def learns(fit: ObservedCurve) -> bool:
    """Whether contacts found enough exits for every destination with exits to estimate its hearing."""
    from ..survival.observation.observed import LEARNT

    by_contact = fit.checks[fit.checks["check"].eq("exits_found_by_contact")].groupby("cause")["value"].sum()
    heard = fit.checks[fit.checks["check"].eq("exits_heard")].groupby("cause")["value"].sum()
    exits = (by_contact + heard).drop(0)
    return bool((by_contact.drop(0)[exits > 0] >= LEARNT).all() and exits.any())
