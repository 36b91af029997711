"""Turnbull's estimator: the distribution of exits known to lie in intervals, by maximum likelihood.

The reduced problem comes first, then its maximisation. Compared with a solution to machine precision and with R's
`survfit` in tests/golden/test_turnbull.py, with surpyval in test_second_reference.py.
With delayed entry or competing causes: `interval_incidence`, on whole months.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, labels, refuse, times, weights_of
from trajectories.survival.risk import ranks

# ----------------------------------------------------------------------------------------------------
# Where Turnbull's estimator can put mass, and the sums over it that its likelihood is made of.
#
# Mass can only be in the innermost intervals: a left end followed at once by a right end, and every exact time
# (Turnbull 1976; Peto 1973). What is known of a person covers a contiguous run of them, first … last, so persons with
# the same run are one pattern with summed weight, and all that a fit needs are sums over runs.
#
# The order of ends at one time t: the exact time t, then intervals (…, t] that close, then (t, …] that open. A key
# counts it: 3 · rank + 0, 1 or 2. So (l, t] holds the exact time t and (t, r] does not.

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
    time, rank, _ = ranks(np.concatenate([low, high]))
    starts, ends = rank[: len(low)], rank[len(low) :]
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
        return distinct, np.bincount(key, weights, size)[distinct].astype(float, copy=False)
    distinct, position = np.unique(key, return_inverse=True)
    return distinct, np.bincount(position, weights).astype(float, copy=False)


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


def supports(observed: Intervals) -> list[Support]:
    """The reduced problem of each group."""
    width = len(observed.time) + 1
    key = (observed.group * width + observed.low) * width + observed.high
    distinct, weights = counted(key, observed.weights, observed.n_groups * width * width)
    group_and_low, high = np.divmod(distinct, width)
    group, low = np.divmod(group_and_low, width)
    bounds = np.searchsorted(group, np.arange(observed.n_groups + 1))
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
    """The faster of the two classes for these data."""
    return (MatrixRuns if len(first) * m <= SMALL else SplitRuns)(first, last, m)


# ----------------------------------------------------------------------------------------------------
# Maximises Turnbull's likelihood until the Kuhn–Tucker conditions hold to rounding.
#
# Per unit of weight the log-likelihood is Σ w_i log f_i, Σ w = 1, f_i the mass of a pattern's run. With D_j = Σ w_i /
# f_i over the patterns that hold candidate j, Σ p_j D_j = 1 whatever p is, and p is a maximum where D_j ≤ 1 everywhere
# and D_j = 1 where p_j > 0 (Gentleman & Geyer 1994). The gap max D_j − 1 bounds what is missing of the log-likelihood.
#
# Newton: the candidates with mass, and in each stretch between them the one where D is largest above 1 (Wang 2007),
# are given the masses ≥ 0 that maximise the quadratic expansion of Σ w log f − Σ p, exactly; a mass of 0 is dropped,
# and comes back as soon as its D is above 1. One EM step goes before each, and the step is halved until the likelihood
# rises. Its matrix is s × s for s active candidates: summed from patterns by two running sums, without a pattern × s
# matrix.
#
# EM–ICM: where more than `LARGEST_NEWTON` are active (exact times in fractions of a day), an EM step and an iterative
# convex minorant step in turn, O(patterns + m log m) each (Wellner & Zhan 1997). It also starts fits of many
# candidates.

AIM = 1e-13  # of max |D − 1|; rounding in D is 1e-15 on a month grid
AIM_EM_ICM = 1e-11  # EM–ICM works on cumulative masses, whose differences are rounded at 1e-12
REACHED = 1e-9  # the gap that is promised
MANY = 300  # candidates above which EM–ICM finds the support first
LARGEST_NEWTON = 500  # active candidates: s³ operations a step, half a second at 2,000
LAST_RESORT = 3000  # the same, where EM–ICM has not come to rest after `SLOW` steps
SLOW = 2000
FIRST_STEPS = 10
MOST_STEPS = 10_000
PATIENCE = 50  # steps without halving max |D − 1| before rounding is held to be reached: tiny weights are slow
RIDGE = 1e-12  # of the diagonal: keeps the step finite where weights differ by 1e12 and more
SPURIOUS = 1e-9  # the share of a mass in the patterns that hold it, below which it is tried at 0


@dataclass(frozen=True)
class Maximum:
    """Masses of the candidates, log-likelihood, Kuhn–Tucker gap max D − 1, and steps taken."""

    mass: Floats
    log_likelihood: float
    gap: float
    steps: int


@dataclass(frozen=True)
class Point:
    """Masses and what follows from them: f a pattern, D a candidate, Σ w log f."""

    mass: Floats
    f: Floats
    slope: Floats
    value: float

    @property
    def gap(self) -> float:
        return float(self.slope.max() - 1)

    @property
    def residual(self) -> float:
        """max |D − 1| where there is mass, or the gap."""
        return max(self.gap, float(np.abs(self.slope[self.mass > 0] - 1).max()))


class Likelihood:
    """Σ w log f of one group."""

    def __init__(self, support: Support):
        self.m = len(support.left)
        self.first, self.last = support.first, support.last
        self.runs: MatrixRuns | SplitRuns = runs_of(support.first, support.last, self.m)
        # A negligible weight must not underflow to 0.
        self.w = np.maximum(support.weights / support.weights.sum(), 1e-290)

    def value(self, f: Floats) -> float:
        return float(self.w @ np.log(f)) if f.min() > 0 else -np.inf

    def at(self, mass: Floats) -> Point:
        f = self.runs.sums(mass)
        dead = f <= 0
        slope = self.runs.spread(np.divide(self.w, f, out=np.zeros_like(f), where=~dead))
        if dead.any():
            slope[self.runs.spread(dead.astype(float)) > 0] = np.inf
        return Point(mass, f, slope, self.value(f))

    def em(self, p: Point) -> Floats:
        mass = p.mass * p.slope
        return mass / mass.sum()

    def start(self) -> Floats:
        """Even masses on as few candidates as every pattern needs to hold one of them."""
        reach = np.full(self.m + 1, self.m)  # the least `last` among patterns that begin at j or later
        np.minimum.at(reach, self.first, self.last)
        reach = np.minimum.accumulate(reach[::-1])[::-1].tolist()
        mass, j = np.zeros(self.m), 0
        while (chosen := reach[j]) < self.m:
            mass[chosen] = 1.0
            j = chosen + 1
        return mass / mass.sum()

    def active(self, p: Point) -> np.ndarray:
        """Candidates with mass, and between them the one with the largest D, where above 1."""
        on = p.mass > 0
        inactive_slope = np.where(on, 0.0, p.slope)
        heads = np.unique(np.append(0, np.flatnonzero(on)))
        peak = np.maximum.reduceat(inactive_slope, heads)[np.cumsum(on) - on[0]]
        return on | ((inactive_slope == peak) & (inactive_slope > 1 + AIM))

    def matrix(self, p: Point, on: np.ndarray) -> Floats:
        """Σ w/f² over the patterns that hold both of two active candidates."""
        position = np.cumsum(on)
        s = int(position[-1])
        first, last = position[self.first] - on[self.first], position[self.last] - 1
        sums = np.bincount(first * s + last, self.w / p.f / p.f, s * s).reshape(s, s).astype(float, copy=False)
        sums = np.cumsum(np.cumsum(sums, axis=0)[:, ::-1], axis=1)[:, ::-1]
        return np.triu(sums) + np.triu(sums, 1).T


def best_masses(matrix: Floats, now: Floats, rise: Floats) -> Floats:
    """x ≥ 0 that maximises riseᵀ(x − now) − ½ (x − now)ᵀ H (x − now).

    Principal block pivoting (Júdice & Pires 1994): solve for the free ones, then free those at 0 that want to rise and
    hold at 0 those that came out negative, until there are none.
    """
    scale = 1 / np.sqrt(np.diag(matrix))
    h = matrix * scale[:, None] * scale
    h[np.diag_indices_from(h)] += RIDGE
    c, free = rise * scale + h @ (now / scale), np.ones(len(now), dtype=bool)
    fewest, tries = len(now) + 1, 3
    for _ in range(20 * len(now) + 100):
        x = np.zeros(len(now))
        x[free] = np.linalg.solve(h[np.ix_(free, free)], c[free])
        wrong = np.where(free, x < 0, h @ x - c < -AIM * scale)
        count = int(np.count_nonzero(wrong))
        if not count:
            break
        if count < fewest:
            fewest, tries = count, 3
        elif tries:
            tries -= 1
        else:  # one at a time (Murty's rule) until there are fewer: this ends
            wrong[: np.flatnonzero(wrong)[-1]] = False
        free ^= wrong
    return np.maximum(x, 0.0) * scale


def towards(likelihood: Likelihood, p: Point, goal: Floats) -> Point | None:
    """The first point on the way to `goal`, halving, where the likelihood has risen; None if there is none."""
    direction = goal - p.mass
    rise = float(p.slope @ direction - direction.sum())
    for t in 0.5 ** np.arange(40):
        mass = goal if t == 1 else p.mass + t * direction
        f = likelihood.runs.sums(mass)
        if f.min() > 0 and likelihood.value(f) - mass.sum() + 1 >= p.value + 1e-4 * t * rise - 1e-14:
            return likelihood.at(mass / mass.sum())
    return None


def newton(likelihood: Likelihood, p: Point, largest: int) -> Point | None:
    """One step; None where more than `largest` candidates are active."""
    p = likelihood.at(likelihood.em(p))
    on = likelihood.active(p)
    if np.count_nonzero(on) > largest:
        return None
    goal = np.zeros(likelihood.m)
    goal[on] = best_masses(likelihood.matrix(p, on), p.mass[on], p.slope[on] - 1)
    return towards(likelihood, p, goal) or p


def em_icm(likelihood: Likelihood, p: Point) -> Point:
    """An EM step, then the Newton step of each cumulative mass alone, made monotone."""
    from scipy.optimize import isotonic_regression

    mass = likelihood.em(p)
    f = likelihood.runs.sums(mass)
    r = likelihood.w / f
    c = r / f
    rise = np.bincount(likelihood.last, r, likelihood.m)[:-1] - np.bincount(likelihood.first, r, likelihood.m)[1:]
    bend = np.bincount(likelihood.last, c, likelihood.m)[:-1] + np.bincount(likelihood.first, c, likelihood.m)[1:]
    level = isotonic_regression(np.cumsum(mass)[:-1] + rise / bend, weights=bend).x
    goal = np.diff(np.clip(level, 0.0, 1.0), prepend=0.0, append=1.0)
    before = likelihood.value(f)
    for t in 0.5 ** np.arange(40):
        tried = mass + t * (goal - mass)
        value = likelihood.value(f := likelihood.runs.sums(tried))
        if value >= before:
            return Point(tried, f, likelihood.runs.spread(likelihood.w / f), value)
    return likelihood.at(mass)


def without_rounding(likelihood: Likelihood, p: Point) -> Point:
    """Masses that are nothing in all patterns that hold them set to 0, where the conditions hold as well without."""
    share = p.mass * likelihood.runs.spread(1 / p.f) / likelihood.runs.spread(np.ones_like(p.f))
    small = (p.mass > 0) & (share < SPURIOUS)
    if not small.any():
        return p
    mass = np.where(small, 0.0, p.mass)
    tried = likelihood.at(mass / mass.sum())
    return tried if tried.gap <= max(2 * p.gap, AIM) and tried.residual <= max(2 * p.residual, AIM) else p


def maximise(support: Support) -> Maximum:
    """The maximum for one group.

    Raises
    ------
    ArithmeticError
        If the gap is still above 1e-9 after 10,000 steps (not seen).
    """
    if not len(support.left):  # a group without weight
        return Maximum(np.zeros(0), 0.0, 0.0, 0)
    likelihood = Likelihood(support)
    many = likelihood.m > MANY
    p = likelihood.at(np.full(likelihood.m, 1 / likelihood.m) if many else likelihood.start())
    for _ in range(FIRST_STEPS):
        p = em_icm(likelihood, p) if many else likelihood.at(likelihood.em(p))
    best, halved, waited, n_steps, largest = p, p.residual, 0, FIRST_STEPS, LARGEST_NEWTON
    while best.residual > (AIM if largest else AIM_EM_ICM) and n_steps < MOST_STEPS:
        after = newton(likelihood, p, largest) if largest else em_icm(likelihood, p)
        if after is None:
            largest = 0
            continue
        p, n_steps, waited = after, n_steps + 1, waited + 1
        if p.residual < best.residual:
            best = p
        if best.residual < halved / 2:
            halved, waited = best.residual, 0
        elif waited > PATIENCE and best.gap <= REACHED:
            break
        if n_steps == SLOW and not largest:
            largest = LAST_RESORT
    best = without_rounding(likelihood, best)
    if best.gap > REACHED:
        raise ArithmeticError(f"turnbull: the Kuhn–Tucker gap is still {best.gap:.0e} after {n_steps} steps")
    return Maximum(best.mass, float(support.weights.sum() * best.value), best.gap, n_steps)


# ----------------------------------------------------------------------------------------------------


def turnbull(
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> pd.DataFrame:
    """Non-parametric maximum likelihood estimate of a distribution known by intervals.

    Parameters
    ----------
    lower, upper : arrays of shape (n,)
        Months (or any unit), from 0 up. The person left in (lower, upper]; upper = inf: had not left at `lower`
        (right-censored); lower = upper: left then exactly.
    weights : array of shape (n,), optional
        From 0 up; a weight of 0 leaves the person out.
    group : array of shape (n,), optional
        Labels; a fit each, and a first column `group`.

    Returns
    -------
    DataFrame
        left, right, mass, survival_after: a row per interval (left, right] with mass, in order; left = right: the mass
        is at that time; right = inf: the share not known to leave. survival_after is S at `right` (0 at inf). Masses
        sum to 1 in a group. A group whose weights are all 0 has no row.

    Raises
    ------
    ValueError
        For a missing or negative value, an infinite `lower`, upper < lower, an infinite weight.
    ArithmeticError
        If the conditions below are not reached (not seen; more than 3,000 distinct exact times could).

    Notes
    -----
    Maximises Σ w log P(lower < T ≤ upper) over all distributions (Peto 1973; Turnbull 1976) by an active-set Newton
    method (Wang 2007, with exact quadratic steps), from 300 candidate intervals on started by EM–ICM, and EM–ICM alone
    (Wellner & Zhan 1997) where more than 500 are active. It ends at the Kuhn–Tucker conditions (Gentleman & Geyer
    1994): `kuhn_tucker_gap` is at most 1e-13, or 1e-11 where more than 500 are active; 1e-9 is promised. No variance:
    the usual one does not hold where intervals shrink; resample (`bootstrap`).

    Within an interval the data do not say where the mass is: S is determined outside the intervals only. The masses
    themselves are unique: the persons' probabilities are (the likelihood is strictly concave in them), and since every
    candidate interval ends where some person's does, S at each of these ends follows from S at earlier ones.

    Exits at 0 and persons censored at 0: exits come first, as for `kaplan_meier`, which exact and right-censored data
    give. Times closer than 1.5e-8 are one time (risk.py), so an interval shorter than that is exact. Everyone censored:
    one row, (last censoring, inf]. One person, or all the same: one row. Disjoint intervals share the weight. An exact
    time t lies in (l, t] and not in (t, r].

    R: ``survfit(Surv(lower, upper, type = "interval2") ~ group, weights = weights)``, whose EM stops early and prints
    the jump of an interval at one point inside it. Largest difference seen over tests/golden: 5e-15 on masses from a
    solution to machine precision, 1.1e-3 on S from `survfit`, 8e-12 on S from surpyval 0.25.

    Examples
    --------
    >>> turnbull([0, 2, 3, 5], [3, 4, 6, np.inf])[["left", "right", "mass"]].round(6).to_numpy().tolist()
    [[2.0, 3.0, 0.5], [5.0, 6.0, 0.5]]
    """
    observed = intervals(lower, upper, weights, group)
    fits = [(support, maximise(support)) for support in supports(observed)]
    parts = [rows(support, fit, observed.time) for support, fit in fits]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if observed.levels is None:
        return pd.DataFrame(columns)
    labels = np.repeat(observed.levels, [len(part["mass"]) for part in parts])
    return pd.DataFrame({"group": labels, **columns})


def rows(support: Support, fit: Maximum, time: Floats) -> dict[str, Floats]:
    """The columns of one group."""
    on = fit.mass > 0
    mass, ends = fit.mass[on], np.append(time, np.inf)
    # Summed from the end: where S is nearly 0 it keeps its digits, and the last is 0.
    after = np.append(np.cumsum(mass[::-1])[::-1][1:], 0.0)[: len(mass)]
    return {"left": ends[support.left[on]], "right": ends[support.right[on]], "mass": mass, "survival_after": after}


def turnbull_log_likelihood(
    lower: ArrayLike,
    upper: ArrayLike,
    table: pd.DataFrame,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> float:
    """Σ w log P(lower < T ≤ upper) under a table that `turnbull` made, summed over groups.

    Parameters
    ----------
    lower, upper, weights, group : arrays of shape (n,)
        As given to `turnbull`.
    table : DataFrame
        What it returned; other masses on the same intervals may be tried. Groups must be in both or in neither.

    Returns
    -------
    float
        −inf where a person has probability 0.

    Raises
    ------
    ValueError
        As `turnbull`, and if a row of the table is no innermost interval of these data.

    Notes
    -----
    Largest difference seen over tests/golden, from R: 4e-12.

    Examples
    --------
    >>> lower, upper = [0, 2, 3, 5], [3, 4, 6, np.inf]
    >>> round(turnbull_log_likelihood(lower, upper, turnbull(lower, upper)), 6)
    -2.772589
    """
    return float(sum(weight * point.value for weight, point in points(lower, upper, table, weights, group)))


def kuhn_tucker_gap(
    lower: ArrayLike,
    upper: ArrayLike,
    table: pd.DataFrame,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> float:
    """How far a table is from the maximum: max_j D_j / Σw − 1, the largest over groups.

    Parameters
    ----------
    lower, upper, table, weights, group
        As for `turnbull_log_likelihood`.

    Returns
    -------
    float
        D_j = Σ w/P(lower < T ≤ upper) over the persons whose interval holds candidate interval j, zero mass or not. The
        log-likelihood is at most Σw times this below its maximum (Gentleman & Geyer 1994); inf where a person has
        probability 0.

    Raises
    ------
    ValueError
        As `turnbull_log_likelihood`.

    Examples
    --------
    >>> lower, upper = [0, 2, 3, 5], [3, 4, 6, np.inf]
    >>> kuhn_tucker_gap(lower, upper, turnbull(lower, upper)) < 1e-12
    True
    """
    return max(point.gap for _, point in points(lower, upper, table, weights, group))


def points(
    lower: ArrayLike, upper: ArrayLike, table: pd.DataFrame, weights: ArrayLike | None, group: ArrayLike | None
) -> list[tuple[float, Point]]:
    """Sum of weights and masses of each group, read back from a table."""
    observed = intervals(lower, upper, weights, group)
    if ("group" in table) != (observed.levels is not None):
        raise ValueError("group: given for the data or in the table, but not in both")
    ends, n_matched, result = np.append(observed.time, np.inf), 0, []
    for g, support in enumerate(supports(observed)):
        if not len(support.left):
            continue
        part = table if observed.levels is None else table[table["group"] == observed.levels[g]]
        left, right, at = ends[support.left], ends[support.right], part["right"].to_numpy(float)
        position = np.minimum(np.searchsorted(right, at), len(right) - 1)  # right ends all differ
        matches = (right[position] == at) & (left[position] == part["left"].to_numpy(float))
        n_matched += int(matches.sum())
        mass = np.zeros(len(right))
        mass[position[matches]] = part["mass"].to_numpy(float)[matches]
        result.append((float(support.weights.sum()), Likelihood(support).at(mass)))
    if n_matched < len(table):
        raise ValueError(
            f"table: {len(table) - n_matched} of {len(table)} rows are no innermost intervals of these data"
        )
    return result
