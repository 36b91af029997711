"""Who is at risk when: the one definition that curves, tests and printed numbers at risk share.

At risk at t means entry < t ≤ time: whoever is censored at t is still at risk at t, and events come before
censorings. The table has one row at each time where anything ends, per group. On whole months it is counted by
`bincount`; on other times by sorting, where times closer than 1.5e-8 (absolute, or relative to the mean) are ties,
as in R (survival's `timefix`: 0.1 + 0.2 and 0.3 are one time). Both ways give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, Sample, refuse, sample

TIE = float(np.sqrt(np.finfo(float).eps))  # R's tolerance for « the same time »
LONGEST_GRID = 100_000  # whole numbers above this (days over centuries) are sorted rather than counted


@dataclass(frozen=True)
class RiskSets:
    """Counts per row (group, time), the group's rows together and in time; and where each person's rows are."""

    time: Floats
    group: Integers
    bounds: Integers  # rows of group g are bounds[g]:bounds[g + 1]
    causes: Integers
    n_risk: NDArray[np.number]
    n_event: NDArray[np.number]  # causes × rows
    n_censor: NDArray[np.number]
    n_entry: NDArray[np.number]
    enters: Integers  # the first row at which a person is at risk
    ends: Integers  # the row of a person's time

    def along(self, accumulate: Callable[..., NDArray], values: NDArray) -> NDArray:
        """`accumulate` (np.cumsum, np.cumprod) along the rows of each group, from its first row."""
        if len(self.bounds) == 2:
            return accumulate(values, axis=-1)
        pairs = zip(self.bounds[:-1], self.bounds[1:], strict=True)
        return np.concatenate([accumulate(values[..., a:b], axis=-1) for a, b in pairs], axis=-1)

    def before(self, values: NDArray, start: float) -> NDArray:
        """The value of the row before, in the same group; `start` at a group's first row: f(t−)."""
        shifted = np.empty_like(values, dtype=float)
        shifted[..., 1:] = values[..., :-1]
        shifted[..., self.bounds[:-1][np.diff(self.bounds) > 0]] = start
        return shifted


def ranks_by_month(time: Floats, entry: Floats | None) -> tuple[Floats, Integers, Integers]:
    """Times that are whole numbers: the rank is the number itself."""
    ends = time.astype(np.int64)
    starts = np.full(len(time), -1) if entry is None else entry.astype(np.int64)
    return np.arange(ends.max() + 1, dtype=float), ends, starts


def ranks_by_sorting(time: Floats, entry: Floats | None) -> tuple[Floats, Integers, Integers]:
    """Any times: distinct values in order, those closer than `TIE` being one (the smallest of them)."""
    values = np.unique(time if entry is None else np.concatenate([time, entry]))
    gaps = np.diff(values)
    new = np.concatenate([[True], (gaps > TIE) & (gaps > TIE * values.mean())])
    heads = values[new]
    ends = np.searchsorted(heads, time, side="right") - 1
    starts = np.full(len(time), -1) if entry is None else np.searchsorted(heads, entry, side="right") - 1
    refuse("time", ends <= starts, "are not after their entry (to 1.5e-8)")
    return heads, ends, starts


def whole_months(time: Floats, entry: Floats | None) -> bool:
    """True where counting by `bincount` is exact."""
    both = (time,) if entry is None else (time, entry)
    return time.max() <= LONGEST_GRID and all(bool(np.all(x == np.floor(x))) for x in both)


def risk_sets(given: Sample, *, sort: bool | None = None) -> RiskSets:
    """The count table of a checked sample; `sort` forces one of the two ways (None: the one that fits)."""
    by_sorting = not whole_months(given.time, given.entry) if sort is None else sort
    ranks = ranks_by_sorting if by_sorting else ranks_by_month
    heads, end_rank, start_rank = ranks(given.time, given.entry)
    n_heads, n_groups = len(heads), given.n_groups

    key = given.group * n_heads + end_rank
    if n_groups * n_heads <= 4 * len(key) + 10_000:
        seen = np.bincount(key, minlength=n_groups * n_heads) > 0
        rows = np.flatnonzero(seen)
        ends = (np.cumsum(seen) - 1)[key]
    else:
        rows, ends = np.unique(key, return_inverse=True)
    enters = np.searchsorted(rows, given.group * n_heads + start_rank + 1)
    n_rows = len(rows)

    kinds, kind = np.unique(given.cause, return_inverse=True)
    by_kind = np.bincount(kind * n_rows + ends, given.weights, len(kinds) * n_rows).reshape(len(kinds), n_rows)
    listed = kinds > 0
    n_event = by_kind[listed] if listed.any() else np.zeros((1, n_rows))
    names = kinds[listed] if listed.any() else np.array([1])  # no event at all: the curve of cause 1, at 0
    ended = by_kind.sum(axis=0)
    n_entry = np.bincount(enters, given.weights, n_rows)
    n_risk = np.cumsum(n_entry) - np.cumsum(ended) + ended
    # Weights that are not whole numbers leave a rounding error in a difference of sums. Where everyone at risk
    # leaves, the numbers must be equal, or a curve that is 0 would be 1e-17.
    persons = np.cumsum(np.bincount(enters, minlength=n_rows) - np.bincount(ends, minlength=n_rows))
    last = persons == 0
    n_risk[last] = ended[last]

    def whole(counts: Floats) -> NDArray[np.number]:
        return np.rint(counts).astype(np.int64) if given.whole else counts

    group = rows // n_heads
    bounds = np.searchsorted(group, np.arange(n_groups + 1))
    censored = by_kind[~listed].sum(axis=0)
    counts = (whole(x) for x in (n_risk, n_event, censored, n_entry))
    return RiskSets(heads[rows % n_heads], group, bounds, names, *counts, enters, ends)


def with_groups(columns: dict[str, NDArray], given: Sample, rows: Integers) -> pd.DataFrame:
    """A table of `columns`, with the labels of `rows` (group codes) as its first column where groups were given."""
    first = {} if given.levels is None else {"group": given.levels[rows]}
    return pd.DataFrame({**first, **columns})


def life_table(
    time: ArrayLike,
    cause: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> pd.DataFrame:
    """Counts at each time where anything ends.

    Parameters
    ----------
    time : array of shape (n,)
        When the person left or was censored, in months (or any unit), from 0 up.
    cause : array of shape (n,)
        0 = censored, k ≥ 1 = left for cause k.
    entry : array of shape (n,), optional
        Delayed entry: at risk at t means entry < t ≤ time.
    weights : array of shape (n,), optional
        From 0 up. Whole numbers are frequencies and give whole counts.
    group : array of shape (n,), optional
        Labels; adds a first column `group`.

    Returns
    -------
    DataFrame
        time, n_risk, n_event (all causes), n_censor, n_entry (whose first row at risk this is), and n_event_k for
        each cause k seen. In a group, n_risk of a row is n_risk − n_event − n_censor of the row before + n_entry.

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time not after its entry.

    Notes
    -----
    R: ``summary(survfit(Surv(entry, time, cause > 0) ~ group), censored = TRUE)``; counts are equal (weighted ones to
    3e-12).

    Examples
    --------
    >>> life_table([3, 5, 5, 8], [1, 0, 2, 0])[["time", "n_risk", "n_event", "n_censor"]].to_numpy().tolist()
    [[3.0, 4.0, 1.0, 0.0], [5.0, 3.0, 1.0, 1.0], [8.0, 1.0, 0.0, 1.0]]
    """
    given = sample(time, cause, entry=entry, weights=weights, group=group)
    counts = risk_sets(given)
    columns = {
        "time": counts.time,
        "n_risk": counts.n_risk,
        "n_event": counts.n_event.sum(axis=0),
        "n_censor": counts.n_censor,
        "n_entry": counts.n_entry,
    }
    columns |= {f"n_event_{k}": row for k, row in zip(counts.causes, counts.n_event, strict=True)}
    return with_groups(columns, given, counts.group)
