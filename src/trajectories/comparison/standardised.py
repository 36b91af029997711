"""Retention compared between groups as if their persons were alike, by weights and by a model of leaving.

Unadjusted, weighted and g-computed answers stand side by side. Each is the main estimator's: the weighted one is the
observation model fitted under inverse probability weights (weights.py), with the reporting that the group's stays
taught unweighted; the g-computed one a model of leaving inside the same likelihood (outcome.py). A group that cannot
learn how its departures become known borrows it from the province, as in retention.py. Everyone is the standard: each
group is made to look like all stays together.

Limits are of the whole procedure: in each replicate households are drawn, chances of being in a group estimated again,
weights truncated again, and the main estimator fitted again, with the reporting that the province's same replicate
lends. All groups and both answers share the draws, so that differences are of stays drawn together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..exceptions import TooFewError
from ..main_fits import STARTS, learns
from ..reported import Reported, reported, stays_that_enter
from ..study import Study
from ..survival import ObservedCurve
from .covariates import Design, Partition, compared_among, design, partitions, with_household_type
from .outcome import fit_outcome, g_computation, stays_of
from .refit import household_draws, on_months, refit
from .tidy import Answers, answer_rows, too_small_rows
from .weights import balance_table, overlap_table, propensity, propensity_again, stabilised

Floats = NDArray[np.float64]
# More replicates than these would cost minutes, and move a limit by a few hundredths of its width.
MOST_REPLICATES = 200


@dataclass(frozen=True)
class Everyone:
    """Those among whom groups are compared: their stays, what the province is of them, and the draws of households."""

    stays: pd.DataFrame
    reported: Reported
    province: ObservedCurve
    survival: Floats  # months 0 … last × (1 + replicates)
    draws: Floats

    @property
    def last(self) -> int:
        """The last month."""
        return len(self.survival) - 1


def compare(
    cohort: pd.DataFrame | Cohort,
    contacts: pd.DataFrame | None = None,
    *,
    by: str | Sequence[str],
    study: Study | None = None,
    adjust: Sequence[str] | None = None,
    horizons: Sequence[int] | None = None,
    replicates: int | None = None,
) -> pd.DataFrame:
    """
    Differences between groups in retention and in months stayed, persons alike.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables of those names (or a `Cohort`, which holds both).
    by : str or list of str
        What is compared: `period`, `immigration_category`, `household_type` (households.py; among persons of age),
        `region`, `groups` (those of the study) or another column of the cohort. With several, each is a comparison of
        its own; one that has too few groups has a row a group, which says so.
    study : Study, optional
        Its horizons, support, pathway, replicates and seed are used.
    adjust : list of str, optional
        Columns held alike; by default category, age, sex, household type, education, French, years since arrival and
        period. Where category is compared or held alike, city size is added, except between regions: these are
        standardised on persons alone.
    horizons : list of int, optional
        Months; by default the study's.
    replicates : int, optional
        Households drawn; by default the study's, at most 200. Below 2 there are no limits and no tests.

    Returns
    -------
    DataFrame
        A row a measure, group, horizon and method:

        - by, measure (`retention`, `restricted_mean`, and against the reference `difference`,
          `restricted_mean_difference`), group (`column=value`, a region code, a name of the study's, `province`),
          reference, horizon (months)
        - estimate, se, lower, upper: rates in 0–1, or months; p_value of a difference (two-sided, t with a
          degree of freedom fewer than there are replicates)
        - n_start, n_at_risk (stays of the group, of the fewer for a difference)
        - method: `unadjusted`, `weighted`, `g_computation`
        - adjusted_for, effective_n, largest_weight (over the mean weight), overlap (share of the group's stays whose
          chance of being in it lies in the range of the others')
        - disagree: the two standardised answers differ by over two standard errors of their difference, and by over a
          point of percentage (a quarter of a month); shown: what a page shows: g-computation only where they disagree
        - note: sentences

        A horizon that the group's own follow-up does not support has no estimate; nor has a weighted answer of an
        effective number of stays below `study.support`. Groups below `study.support` stays have one row, which says so.

    Raises
    ------
    ValueError
        No contacts, an unknown column, no stay that enters, or, in all that is asked, no two groups of
        `study.support` stays (`TooFewError`).

    Notes
    -----
    Differences are associations. Weighted: Robins, Hernán & Brumback 2000; Cole & Hernán 2008. g-computation: Robins
    1986; Snowden, Rose & Mortimer 2011. Over 200 simulated cohorts of 4,000 stays in which category does
    nothing once city size is held alike, the 5 % test of S(24) rejected in 7.5 % (weighted), 5.5 % (g-computation) and
    81.5 % (unadjusted), that of S(12) in 6, 4.5 and 67 %.

    Examples
    --------
    >>> from trajectories.simulate.told_stays import told_stays
    >>> told = told_stays(300, seed=1)
    >>> cohort = pd.DataFrame({"person_id": np.arange(300).astype(str), "household_id": told.household, "episode": 1,
    ...     "excluded": None, "role": None, "household_type": "with_children", "entry": told.entry,
    ...     "heard_until": told.cutoff, "cutoff": told.cutoff, "sex": np.where(np.arange(300) % 2, "F", "M"),
    ...     "city_size": np.where(np.arange(300) % 3, "under_10k", "100k_plus")})
    >>> contacts = told.contacts.assign(person_id=told.contacts["stay"].astype(str), episode=1, cause="metropole",
    ...     organisation_id=told.contacts["organisation"])
    >>> table = compare(cohort, contacts, by="sex", adjust=["city_size"], horizons=[12], replicates=0)
    >>> table.loc[table["measure"].eq("difference"), ["group", "reference", "method"]].values.tolist()
    [['sex=F', 'sex=M', 'unadjusted'], ['sex=F', 'sex=M', 'weighted'], ['sex=F', 'sex=M', 'g_computation']]
    """
    study = study or Study()
    cohort, contacts = _both(cohort, contacts)
    months = tuple(study.horizons if horizons is None else sorted({int(h) for h in horizons}))
    number = min(study.replicates, MOST_REPLICATES) if replicates is None else int(replicates)
    stays = _entering(cohort, study)
    asked = [by] if isinstance(by, str) else list(by)
    every = _partitions(stays, asked, adjust, study)
    known: dict[bytes, Everyone] = {}
    tables = []
    for chosen, part in every:
        tables.append(too_small_rows(part, study))
        if part.names:
            among = chosen.tobytes()
            if among not in known:
                known[among] = _everyone(stays[chosen].reset_index(drop=True), contacts, number, max(months), study)
            tables.append(answer_rows(_answers(part, known[among], study), months, study))
    found = pd.concat([table for table in tables if len(table)], ignore_index=True)
    # each group of regions is a comparison of its own, and the province stands in all of them: it is told once
    return found.drop_duplicates(["by", "measure", "group", "reference", "horizon", "method"], ignore_index=True)


def overlap(
    cohort: pd.DataFrame | Cohort,
    *,
    by: str | Sequence[str],
    study: Study | None = None,
    adjust: Sequence[str] | None = None,
) -> pd.DataFrame:
    """
    How far the groups of a comparison are of the same kinds of persons, and what weighting costs.

    Parameters
    ----------
    cohort, by, study, adjust
        As for `compare`.

    Returns
    -------
    DataFrame
        by, group, n (stays), effective_n (Kish), largest_weight (over the group's mean), overlap (share of the group's
        stays whose chance of being in it lies in the range of everyone else's), covered (share of everyone else whose
        chance of being in the group lies in the range of its members': below 1, the rest is extrapolated),
        smallest_chance (of anyone), adjusted_for.

    Examples
    --------
    >>> cohort = pd.DataFrame({"person_id": np.arange(80).astype(str), "household_id": np.arange(80), "episode": 1,
    ...     "excluded": None, "household_type": "with_children", "sex": np.repeat(["F", "M"], 40),
    ...     "city_size": np.repeat(["under_10k", "100k_plus", "under_10k", "100k_plus"], [30, 10, 10, 30])})
    >>> table = overlap(cohort, by="sex", adjust=["city_size"])
    >>> table[["group", "n", "effective_n", "overlap"]].round(1).values.tolist()
    [['sex=F', 40, 31.9, 1.0], ['sex=M', 40, 31.9, 1.0]]
    """
    return _by_partition(cohort, by, study, adjust, lambda part, _, chances, weights: overlap_table(
        part, chances, weights))  # fmt: skip


def balance(
    cohort: pd.DataFrame | Cohort,
    *,
    by: str | Sequence[str],
    study: Study | None = None,
    adjust: Sequence[str] | None = None,
) -> pd.DataFrame:
    """
    What each group's persons are like beside everyone, before and after weighting.

    Parameters
    ----------
    cohort, by, study, adjust
        As for `compare`.

    Returns
    -------
    DataFrame
        by, group, covariate, level, share, weighted_share (of the group), target (of everyone), smd_before, smd_after:
        standardised differences from everyone, (share − target) / √(target (1 − target)); 0.1 is small (Austin 2009).

    Examples
    --------
    >>> cohort = pd.DataFrame({"person_id": np.arange(80).astype(str), "household_id": np.arange(80), "episode": 1,
    ...     "excluded": None, "household_type": "with_children", "sex": np.repeat(["F", "M"], 40),
    ...     "city_size": np.repeat(["under_10k", "100k_plus", "under_10k", "100k_plus"], [30, 10, 10, 30])})
    >>> table = balance(cohort, by="sex", adjust=["city_size"])
    >>> table.loc[table["level"].eq("under_10k"), ["group", "share", "weighted_share"]].round(2).values.tolist()
    [['sex=F', 0.75, 0.53], ['sex=M', 0.25, 0.47]]
    """
    return _by_partition(cohort, by, study, adjust, lambda part, covariates, _, weights: balance_table(
        part, covariates, weights))  # fmt: skip


def _by_partition(
    cohort: pd.DataFrame | Cohort, by: str | Sequence[str], study: Study | None, adjust: Sequence[str] | None,
    table: Callable[[Partition, Design, Floats, Floats], pd.DataFrame],
) -> pd.DataFrame:  # fmt: skip
    study = study or Study()
    stays = _entering(cohort.cohort if isinstance(cohort, Cohort) else cohort, study)
    found = []
    for chosen, part in _partitions(stays, [by] if isinstance(by, str) else by, adjust, study):
        if part.names:
            covariates = design(stays[chosen], part.adjusted_for)
            chances = propensity(covariates.matrix, part.code, _classes(part)).chances(covariates.matrix)
            found.append(table(part, covariates, chances, stabilised(chances, part.code)))
    return pd.concat(found, ignore_index=True)


def _partitions(
    stays: pd.DataFrame, asked: Sequence[str], adjust: Sequence[str] | None, study: Study
) -> list[tuple[NDArray[np.bool_], Partition]]:
    """Each comparison, and the stays that it is made among."""
    found = []
    for by in asked:
        chosen = compared_among(stays, by)
        found += [(chosen, part) for part in partitions(stays[chosen], by, adjust, study)]
    if not any(part.names for _, part in found):
        raise TooFewError(
            f"by: {', '.join(asked)}: no two groups have {study.support} stays or more; there is nothing to compare."
        )
    return found


def _both(cohort: pd.DataFrame | Cohort, contacts: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    if isinstance(cohort, Cohort):
        return cohort.cohort, cohort.contacts if contacts is None else contacts
    if contacts is None:
        raise ValueError("contacts: give the table contacts beside the cohort, or a Cohort, which holds both.")
    return cohort, contacts


def _entering(cohort: pd.DataFrame, study: Study) -> pd.DataFrame:
    stays = stays_that_enter(with_household_type(cohort), study)
    if stays.empty:
        raise TooFewError("cohort: no stay enters; there is nothing to compare.")
    return stays


def _classes(part: Partition) -> int:
    """How many classes the chances are of: the groups, and everyone else where there is anyone."""
    return int(part.code.max()) + 1


# ── one comparison ────────────────────────────────────────────────────────────────────────────────────────
def _everyone(stays: pd.DataFrame, contacts: pd.DataFrame, replicates: int, last: int, study: Study) -> Everyone:
    everybody = reported(stays, contacts)
    draws = household_draws(everybody.household, replicates, study.seed)
    province = everybody.fit(study, starts=STARTS)
    return Everyone(stays, everybody, province, on_months(refit(province, draws, keep=True), last), draws)


def _answers(part: Partition, everyone: Everyone, study: Study) -> Answers:
    draws, last, province = everyone.draws, everyone.last, everyone.province
    covariates = design(everyone.stays, part.adjusted_for)
    chances, weights = replicated_weights(part, covariates, draws)
    lent = province.model.found
    curves, borrowed, unadjusted, weighted = [], [], [], []
    for k in range(len(part.names)):
        chosen = part.code == k
        mine = everyone.reported.of(chosen)
        curve = mine.fit(study, starts=STARTS)
        own = learns(curve)
        if not own:
            curve = mine.fit(study, reporting=lent, starts=STARTS)
        curves.append(curve)
        borrowed.append(not own)
        unadjusted.append(on_months(refit(curve, draws[chosen], keep=True), last))
        # How the group's departures become known is of the group, not of whom it is made to look like: learnt from
        # everyone in it. Learnt again under weights it would rest on the few stays that weigh most.
        held = mine.fit(study, reporting=curve.model.found if own else lent)
        weighted.append(on_months(refit(held, weights[chosen]), last))
    # whoever is of no group that is compared became known as in the province: they are in the mix of everyone
    curves += [province] * (_classes(part) - len(part.names))
    outcome = fit_outcome(stays_of(covariates.matrix, part.code, [curve.model for curve in curves]))
    modelled = g_computation(outcome, draws, last)
    survival = {
        "unadjusted": np.stack([*unadjusted, everyone.survival]),
        "weighted": np.stack([*weighted, everyone.survival]),
        "g_computation": np.concatenate([modelled[: len(part.names)], modelled[-1:]]),
    }
    known = [_support(curve, last) for curve in (*curves[: len(part.names)], province)]
    n_start = [int((part.code == k).sum()) for k in range(len(part.names))]
    return Answers(
        part, survival, known, [*n_start, len(everyone.stays)], [*borrowed, False],
        overlap_table(part, chances, weights[:, 0]), outcome.converged,
    )  # fmt: skip


def replicated_weights(part: Partition, covariates: Design, draws: Floats) -> tuple[Floats, Floats]:
    """The chances of each group, and the weights of each stay in the sample and in each replicate (0: not drawn)."""
    x, code = covariates.matrix, part.code
    fit = propensity(x, code, _classes(part))
    chances = fit.chances(x)
    weights = np.empty_like(draws)
    weights[:, 0] = stabilised(chances, code)
    for k in range(1, draws.shape[1]):
        again = propensity_again(fit, x, code, draws[:, k]).chances(x)
        weights[:, k] = draws[:, k] * stabilised(again, code, draws[:, k])
    return chances, weights


def _support(curve: ObservedCurve, last: int) -> pd.DataFrame:
    """Stays at risk and how the month is known, by month 0 … last."""
    rows = curve.table[curve.table["cause"].eq(0)].set_index("month")[["n_risk", "known"]]
    rows = rows.reindex(range(last + 1))
    rows.loc[0] = rows.loc[1]
    return rows.assign(n_risk=rows["n_risk"].fillna(0).astype("int64"), known=rows["known"].fillna("insufficient"))
