"""Where Turnbull's estimator can put mass, and the sums over it that its likelihood is made of.

Mass can only be in the innermost intervals: a left end followed at once by a right end, and every exact time (Turnbull
1976; Peto 1973). What is known of a person covers a contiguous run of them, first … last, so persons with the same run
are one pattern with summed weight, and all that a fit needs are sums over runs.

The order of ends at one time t: the exact time t, then intervals (…, t] that close, then (t, …] that open. A key counts
it: 3 · rank + 0, 1 or 2. So (l, t] holds the exact time t and (t, r] does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, labels, refuse, times, weights_of
from trajectories.survival.risk import ranks

POINT, CLOSES, OPENS = 0, 1, 2
SMALL = 60_000  # patterns × candidates up to which a dense 0/1 matrix is the faster way to sum over runs


@dataclass(frozen=True)
class Intervals:
    """Checked observations as ranks among the distinct times; persons of weight 0 are left out.

    `low == high` is exact; `high` = number of times (one more than the last rank) is right-censored.
    """

    time: Floats
    low: Integers
    high: Integers
    weights: Floats
    group: Integers
    levels: np.ndarray | None

    @property
    def n_groups(self) -> int:
        return 1 if self.levels is None else len(self.levels)


def intervals(lower: ArrayLike, upper: ArrayLike, weights: ArrayLike | None, group: ArrayLike | None) -> Intervals:
    """Checks and ranks; times closer than `risk.TIE` are one time, as everywhere."""
    low = times("lower", lower)
    n = len(low)
    high = times("upper", upper, n, infinite=True)
    refuse("upper", high < low, "are below lower")
    mass = weights_of(weights, n)
    codes, levels = (np.zeros(n, np.int64), None) if group is None else labels("group", group, n)
    if not mass.all():
        used = mass > 0
        low, high, mass, codes = low[used], high[used], mass[used], codes[used]
    open_ = np.isinf(high)
    high = np.where(open_, low, high)
    time, place, _ = ranks(np.concatenate([low, high]))
    starts, ends = place[: len(low)], place[len(low) :]
    return Intervals(time, starts, np.where(open_, len(time), ends), mass, codes, levels)


@dataclass(frozen=True)
class Support:
    """The candidates of one group in order, and its patterns: runs first … last of candidates, with their weight."""

    left: Integers  # ranks
    right: Integers
    first: Integers
    last: Integers
    weights: Floats


def counted(key: Integers, weights: Floats, size: int) -> tuple[Integers, Floats]:
    """Distinct keys (below `size`), in order, and the weight of each."""
    if size <= 4 * len(key) + 10_000:
        distinct = np.flatnonzero(np.bincount(key, minlength=size))
        return distinct, np.bincount(key, weights, size)[distinct]
    distinct, place = np.unique(key, return_inverse=True)
    return distinct, np.bincount(place, weights)


def innermost(low: Integers, high: Integers) -> tuple[Integers, Integers]:
    """Start and end keys of the innermost intervals; equal for an exact time."""
    exact = low == high
    keys = np.unique(np.concatenate([3 * low[exact] + POINT, 3 * high[~exact] + CLOSES, 3 * low[~exact] + OPENS]))
    kind = keys % 3
    point = np.flatnonzero(kind == POINT)
    opens = np.flatnonzero((kind[:-1] == OPENS) & (kind[1:] == CLOSES))
    starts, ends = np.concatenate([point, opens]), np.concatenate([point, opens + 1])
    return keys[np.sort(starts)], keys[np.sort(ends)]


def runs(low: Integers, high: Integers, starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """The first and last candidate that lies within each observation."""
    exact = low == high
    first = np.searchsorted(starts, np.where(exact, 3 * low + POINT, 3 * low + OPENS))
    last = np.searchsorted(ends, np.where(exact, 3 * high + POINT, 3 * high + CLOSES), side="right") - 1
    return first, last


def supports(given: Intervals) -> list[Support]:
    """The reduced problem of each group."""
    width = len(given.time) + 1
    key = (given.group * width + given.low) * width + given.high
    distinct, weights = counted(key, given.weights, given.n_groups * width * width)
    rest, high = np.divmod(distinct, width)
    group, low = np.divmod(rest, width)
    bounds = np.searchsorted(group, np.arange(given.n_groups + 1))
    return [reduce(low[a:b], high[a:b], weights[a:b]) for a, b in pairwise(bounds)]


def reduce(low: Integers, high: Integers, weights: Floats) -> Support:
    """Candidates of distinct observations, and those that cover the same run made one."""
    if not len(low):
        none = np.zeros(0, np.int64)
        return Support(none, none, none, none, weights)
    starts, ends = innermost(low, high)
    first, last = runs(low, high, starts, ends)
    m = len(starts)
    distinct, mass = counted(first * m + last, weights, m * m)
    first, last = np.divmod(distinct, m)
    return Support(starts // 3, ends // 3, first, last, mass)


class MatrixRuns:
    """Sums over runs by a dense 0/1 matrix, patterns × candidates: small data."""

    def __init__(self, first: Integers, last: Integers, m: int):
        at = np.arange(m)
        self.cover = ((first[:, None] <= at) & (at <= last[:, None])).astype(float)
        self.transposed = np.ascontiguousarray(self.cover.T)

    def sums(self, x: Floats) -> Floats:
        """Σ of x over the run of each pattern."""
        return self.cover @ x

    def spread(self, y: Floats) -> Floats:
        """Σ of y over the patterns whose run holds each candidate."""
        return self.transposed @ y


class SplitRuns:
    """Sums over runs without any subtraction, O(patterns + m log m).

    Differences of running sums lose all digits of a run whose mass is small beside what comes before it. Instead
    a run is split where its two ends part in a binary tree over the candidates: a sum from its start up to the split,
    and one from the split to its end. Both are running sums within a block of the tree, one table of them a level.
    """

    def __init__(self, first: Integers, last: Integers, m: int):
        self.m = m
        self.levels = max(int(m - 1).bit_length(), 1)
        self.size = 1 << self.levels
        # The level at which the ends part is the highest bit in which they differ, which frexp counts.
        level = np.maximum(np.frexp((first ^ last).astype(float))[1] - 1, 0)
        self.start, self.end = level * self.size + first, level * self.size + last
        # A run of one candidate is read once, at level 0; its second half is an empty cell behind the table.
        self.end[first == last] = self.levels * self.size
        self.cells = self.levels * self.size + 1

    def sums(self, x: Floats) -> Floats:
        """Σ of x over the run of each pattern."""
        table = np.zeros(self.cells)
        rows = table[:-1].reshape(self.levels, self.size)
        rows[0, : self.m] = x
        for level in range(1, self.levels):
            blocks = rows[0].reshape(-1, 2, 1 << level)
            to = rows[level].reshape(-1, 2, 1 << level)
            np.cumsum(blocks[:, 0, ::-1], axis=1, out=to[:, 0, ::-1])
            np.cumsum(blocks[:, 1], axis=1, out=to[:, 1])
        return table[self.start] + table[self.end]

    def spread(self, y: Floats) -> Floats:
        """Σ of y over the patterns whose run holds each candidate."""
        table = np.bincount(self.start, y, self.cells) + np.bincount(self.end, y, self.cells)
        rows = table[:-1].reshape(self.levels, self.size)
        total = rows[0].copy()
        for level in range(1, self.levels):
            blocks = rows[level].reshape(-1, 2, 1 << level)
            to = total.reshape(-1, 2, 1 << level)
            to[:, 0] += np.cumsum(blocks[:, 0], axis=1)
            to[:, 1] += np.cumsum(blocks[:, 1, ::-1], axis=1)[:, ::-1]
        return total[: self.m]


def runs_of(first: Integers, last: Integers, m: int) -> MatrixRuns | SplitRuns:
    """The faster of the two ways."""
    return (MatrixRuns if len(first) * m <= SMALL else SplitRuns)(first, last, m)
