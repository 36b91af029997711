"""Bounds on retention, quick enough to follow the hand: counted once a cohort, fitted at each look.

The two bounds of `retention`, everyone lost has left and everyone lost has stayed (companions.py): they take what the
scheduled contacts found, and need no model of how departures become known. What was learnt of stays is in whole months,
so that a hundred thousand stays say a few hundred different things: those are counted by group and by bootstrap
replicate, and fitted side by side (survival/intervals/counted.py). The main estimate takes seconds of as many stays.

The EM is ended early. It is slow only where nothing tells one month from another, between the months in which contacts
are due; so the bounds are told at those months and at the horizons, where they are within 0.001 of those of `retention`
and their limits within 0.005 of what as many replicates would give (on the sample: by each split, in four regions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .companions import observed_intervals
from .comparison.covariates import with_household_type
from .groups import members
from .households import HOUSEHOLD_TYPES
from .reported import stays_that_enter
from .retention import BOUNDS
from .study import PATHWAYS, Study
from .survival.intervals.counted import counted_survival
from .survival.intervals.interval import bootstrap_limits
from .tables import CATEGORIES, CITY_SIZES, EDUCATION_LEVELS, FRENCH_LEVELS, SEXES

# What a cohort can be split by, with its levels in the order in which they are shown.
SPLITS = {
    "immigration_category": CATEGORIES, "household_type": HOUSEHOLD_TYPES[:3],
    "period": ("before_2020", "2020_2021", "from_2022"), "sex": SEXES, "education": EDUCATION_LEVELS,
    "french": FRENCH_LEVELS, "city_size": CITY_SIZES, "pathway": PATHWAYS,
}  # fmt: skip
UNKNOWN = "unknown"
# Replicates of the household bootstrap: a standard error to within a seventh. A report takes 500.
DRAWS = 25
# When a fit has come to rest, or is taken as it is.
_FIT = {"tolerance": 1e-5, "max_steps": 120, "replicate_tolerance": 1e-3, "replicate_steps": 18}
COLUMNS = ["level", "month", "lost_left", "lost_stayed", "lower", "upper", "n_risk", "n_start"]


@dataclass(frozen=True)
class Counted:
    """
    The stays of a cohort that enter, and what the bounds need of them.

    `stays` (region), `levels` (by split, the place of each stay in its levels, unknown last), `rows` (by bound, the
    different things known: entry, lower, upper, cause), `row_of` (by bound, which of them is known of each stay) and
    `weights` (stays × 1 + DRAWS: one, then how often each replicate drew the household).
    """

    stays: pd.DataFrame
    levels: dict[str, NDArray[np.int64]]
    rows: dict[str, NDArray[np.float64]]
    row_of: dict[str, NDArray[np.int64]]
    weights: NDArray[np.float32]


def counted(cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study) -> Counted:
    """What is the same in every look at a cohort; of the study, its pathway and seed are used."""
    stays = stays_that_enter(with_household_type(cohort), study)
    known = observed_intervals(stays, contacts)
    rows, row_of = {}, {}
    for bound in BOUNDS:
        columns = known[["entry", *(f"{bound}_{end}" for end in ("lower", "upper", "cause"))]].to_numpy(dtype=float)
        rows[bound], place = np.unique(columns, axis=0, return_inverse=True)
        row_of[bound] = place.ravel()
    levels = {name: pd.Categorical(stays[name], order).codes.astype(np.int64) for name, order in SPLITS.items()}
    levels = {name: np.where(codes < 0, len(SPLITS[name]), codes) for name, codes in levels.items()}
    owner, households = pd.factorize(stays["household_id"])
    weights = np.ones((len(stays), 1 + DRAWS), dtype=np.float32)
    if len(households):
        chance = np.full(len(households), 1 / len(households))
        drawn = np.random.default_rng([study.seed, 12]).multinomial(len(households), chance, size=DRAWS)
        weights[:, 1:] = drawn.T[owner]
    return Counted(stays[["region"]].astype("category"), levels, rows, row_of, weights)


def quick_bounds(of: Counted, region: str, by: str | None = None, *, study: Study) -> pd.DataFrame:
    """
    Both bounds for a region, whole or split, at the months in which contacts are due and at the horizons.

    Parameters
    ----------
    of : Counted
    region : str
        `province`, a region code, or the name of a group of the study's.
    by : str, optional
        A name of `SPLITS`.
    study : Study
        Its groups, support, follow-up months and horizons are used.

    Returns
    -------
    DataFrame
        level (missing where nothing is split; `unknown` last), month (0 first), lost_left, lost_stayed (0–1), lower,
        upper (95 % limits of the lower and of the higher bound), n_risk (stays), n_start (stays). A level ends before
        the first of these months at which fewer than `support` stays are at risk in either bound; of fewer stays it has
        month 0 only. A level of nobody has no row.
    """
    chosen = np.flatnonzero(members(of.stays, study, [region])[region])
    names = [*SPLITS[by], UNKNOWN] if by else [None]
    level = of.levels[by][chosen] if by else np.zeros(len(chosen), dtype=np.int64)
    n_start = np.bincount(level, minlength=len(names))
    large = np.flatnonzero(n_start >= study.support)
    found = {bound: _fitted(of, bound, chosen, level, large) for bound in BOUNDS if len(large)}
    looked = np.array(sorted({0, *study.follow_up_months, *study.horizons}))
    tables = []
    for k in np.flatnonzero(n_start):
        shown, columns = looked[:1], {name: np.ones(1) for name in ("lost_left", "lost_stayed", "lower", "upper")}
        n_risk = n_start[[k]]
        if k in large:
            both = [_at(looked, *each, int(np.searchsorted(large, k))) for each in found.values()]
            n_risk = np.minimum(*(at_risk for _, at_risk in both))
            few = np.flatnonzero(n_risk[1:] < study.support)
            shown = looked[: 1 + few[0]] if len(few) else looked
            left, stayed = (survival[: len(shown)] for survival, _ in both)
            (_, lower, _), (_, _, upper) = (bootstrap_limits(s[:, 0], s[:, 1:], 0.95, True) for s in (left, stayed))
            columns = {"lost_left": left[:, 0], "lost_stayed": stayed[:, 0], "lower": lower, "upper": upper}
        told = {"level": names[k], "month": shown, **columns, "n_risk": n_risk[: len(shown)], "n_start": n_start[k]}
        tables.append(pd.DataFrame(told))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _at(months: NDArray, survival: NDArray, at_risk: NDArray, level: int) -> tuple[NDArray, NDArray]:
    """S (months × 1 + draws) and the stays at risk of a level at some months; nobody is beyond the last."""
    last = len(survival) - 1
    held = np.minimum(months, last)
    return survival[held, level], np.where(months <= last, at_risk[held, level], 0)


def _fitted(of: Counted, bound: str, chosen: NDArray, level: NDArray, large: NDArray) -> tuple[NDArray, NDArray]:
    """S (months × levels × 1 + draws) and the stays at risk (months × levels), of the levels that are large enough."""
    from scipy import sparse  # half a second: not at `import trajectories`

    entry, lower, upper, cause = of.rows[bound].T
    ends = np.where(np.isfinite(upper), upper, lower)
    place = np.full(level.max(initial=0) + 1, -1)
    place[large] = np.arange(len(large))
    kept = (place[level] >= 0) & (ends > entry)[of.row_of[bound][chosen]]
    cell = of.row_of[bound][chosen[kept]] * len(large) + place[level[kept]]
    shape = (len(ends) * len(large), len(of.weights))
    sums = sparse.csr_matrix((np.ones(len(cell), np.float32), (cell, chosen[kept])), shape=shape) @ of.weights
    counts = sums.reshape(len(ends), len(large), -1).astype(float)
    used = counts[:, :, 0].any(axis=1)
    if not used.any():
        return np.ones((1, len(large), 1 + DRAWS)), np.zeros((1, len(large)), dtype=np.int64)
    counts = counts[used]
    survival = counted_survival(lower[used], upper[used], cause[used], counts, entry=entry[used], **_FIT)
    months = np.maximum(np.arange(len(survival)), 1)[:, None]  # at month 0 as at month 1
    there = (entry[used] < months) & (months <= ends[used])
    return survival, (there.astype(float) @ counts[:, :, 0]).round().astype(np.int64)
