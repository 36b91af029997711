"""The EM of interval-censored, left-truncated, competing exits on the month grid, many weightings at once.

The parameters are hazards h_c(t): P(exit in month t for cause c | at risk in t). With them, left truncation and right
censoring only move risk sets and nothing else is missing: a stay enters at its first month at risk and leaves after
its last. The E-step concerns only exits known to lie in several months, or whose cause is unknown: given the hazards,
the exit is in month t with probability f_c(t)/Σ f over its months, f_c(t) = S(t − 1) h_c(t). The M-step is d_c(t)/n(t),
expected exits over expected numbers at risk. Sums over an interval are differences of tail sums over months, and sums
over intervals are running sums of differences: an iteration costs O(patterns + months × causes) a weighting.

Every array's last axis is the weighting (the fit has one; bootstrap replicates have many). SQUAREM (Varadhan & Roland
2008, S3) extrapolates; a step that would lower the log-likelihood is not taken. References: Turnbull (1976); Frydman
(1994); Hudgens, Satten & Longini (2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, causes, refuse, times

# ----------------------------------------------------------------------------------------------------
# Puts interval-censored stays on the grid of whole months.
#
# Events go up: an exit in (m − 1, m] is of month m, and one known to be in (lower, upper] is of one of the months
# ⌊lower⌋ + 1 … ⌈upper⌉. Censorings go down: present at `lower`, so at risk to month ⌊lower⌋. Entries go up: at risk
# from month ⌈entry⌉ + 1. An exit cannot be of a month before that, so the months of an interval start there at the
# earliest. Whoever enters and ends in one month is never at risk on the grid. Values within 1e-9 of a whole number are
# that number: date arithmetic gives 11.999999999 for an anniversary.

NEAR = 1e-9
UNKNOWN = -1


@dataclass(frozen=True)
class MonthGrid:
    """One value a stay: whole months, and the cause's place in `names` (UNKNOWN where it is not known)."""

    enter: Integers  # the first month at risk
    left: Integers  # the months of exit are left … right; of a censored stay, right is its last month at risk
    right: Integers
    exits: np.ndarray  # True where the exit is known
    cause: Integers
    confirmed: Integers  # the last month at which the stay is known to go on
    names: Integers  # the causes, in order

    @property
    def at_risk(self) -> np.ndarray:
        """False for stays that enter and end in one month."""
        return self.right >= self.enter

    @property
    def first_month(self) -> int:
        """1, or 0 where somebody without delayed entry left at time 0 exactly."""
        return int(np.min(self.right[self.exits & self.at_risk], initial=1) == 0) ^ 1

    @property
    def last_month(self) -> int:
        """The last month about which anything is known."""
        return int(self.right.max())


def snap(values: Floats) -> Floats:
    """Values next to a whole number become it."""
    nearest = np.rint(values)
    return np.where(np.isclose(values, nearest, rtol=0.0, atol=NEAR), nearest, values)


def month_grid(lower: ArrayLike, upper: ArrayLike, cause: ArrayLike, entry: ArrayLike | None) -> MonthGrid:
    """Checks and rounds; see `interval_incidence` for what the arguments mean and what raises."""
    low = snap(times("lower", lower))
    n = len(low)
    high = snap(times("upper", upper, n, infinite=True))
    kind = causes("cause", cause, n)
    refuse("upper", high < low, "are below lower")
    exits = np.isfinite(high)
    refuse("cause", (kind > 0) & ~exits, "name a cause where upper is infinite (no exit is known)")
    exact = low == high
    if entry is None:
        # Nothing is truncated: an exit at 0 exactly is one of month 0, as a time of 0 is for Kaplan–Meier.
        enter = np.where(exits & exact & (low == 0), 0, 1)
        if not enter.all():
            enter[:] = 0
    else:
        start = snap(times("entry", entry, n))
        refuse("entry", start > low, "are above lower")
        enter = np.ceil(start).astype(np.int64) + 1

    left = np.where(exact, np.ceil(low), np.floor(low) + 1).astype(np.int64)
    right = np.where(exits, np.ceil(np.where(exits, high, 0)), np.floor(low)).astype(np.int64)
    confirmed = np.where(exact, np.ceil(low) - 1, np.floor(low)).astype(np.int64)
    names = np.unique(kind[kind > 0])
    if not len(names):
        names = np.array([1])  # no exit, or none whose cause is known: one cause stands for any
    code = np.where(kind > 0, np.searchsorted(names, kind), UNKNOWN)
    return MonthGrid(enter, np.maximum(left, enter), right, exits, code, confirmed, names)


# ----------------------------------------------------------------------------------------------------

EVERYONE_LEAVES = 1e-12  # 1 − h at or below this is 0
TINY = 1e-300


@dataclass(frozen=True)
class Patterns:
    """What the E-step works on: distinct (cause, months of exit), and where each stay's weight goes.

    A « row » counts the months of the causes one after the other: row = cause · (months + 1) + month, and a last cause
    stands for the sum of all, where the destination is not known.
    """

    n_causes: int
    n_months: int  # months 0 … n_months − 1
    cause: Integers
    left: Integers
    right: Integers
    slot: Integers  # per stay: its pattern, or the row of an exact exit, or the month of its censoring
    missing: NDArray[np.bool_]  # per stay: is its exit in a pattern?
    low: Integers  # per pattern: rows whose tail sums differ by the mass of the interval
    high: Integers


@dataclass(frozen=True)
class Weights:
    """Weighted counts, last axis the weighting."""

    pattern: Floats  # patterns × B
    exact: Floats  # causes × months × B
    enter: Floats  # months × B, by first month at risk
    censored: Floats  # months × B, by last month at risk

    def columns(self, keep: NDArray) -> Weights:
        return Weights(*(np.ascontiguousarray(x[..., keep]) for x in vars(self).values()))


def patterns_of(grid: MonthGrid) -> Patterns:
    """Finds the distinct intervals of a grid (of stays that are at risk on it)."""
    months, n_causes = grid.last_month + 1, len(grid.names)
    known = grid.exits & (grid.left == grid.right) & ((grid.cause != UNKNOWN) | (n_causes == 1))
    missing = grid.exits & ~known
    block = np.where(grid.cause == UNKNOWN, n_causes if n_causes > 1 else 0, grid.cause)
    key = (block * (months + 1) + grid.left) * (months + 1) + grid.right
    distinct, pattern = np.unique(key[missing], return_inverse=True)
    slot = np.where(known, block * months + grid.right, grid.right)
    slot[missing] = pattern
    remainder, right = np.divmod(distinct, months + 1)
    cause, left = np.divmod(remainder, months + 1)
    start = cause * (months + 1)
    return Patterns(n_causes, months, cause, left, right, slot, missing, start + left, start + right + 1)


def weigh(grid: MonthGrid, patterns: Patterns, stay_weights: Floats) -> Weights:
    """Sums stay weights (B × stays) into the cells of the EM."""
    months, n_causes = patterns.n_months, patterns.n_causes
    known = grid.exits & ~patterns.missing
    out = ~grid.exits

    def add(cells: Integers, chosen: NDArray[np.bool_], size: int) -> Floats:
        total = np.zeros((size, len(stay_weights)))
        if not chosen.any():
            return total
        order = np.argsort(cells[chosen], kind="stable")
        cell = cells[chosen][order]
        first = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]]))
        # One row a stay, so that the sums run along memory.
        total[cell[first]] = np.add.reduceat(stay_weights.T[np.flatnonzero(chosen)[order]], first, axis=0)
        return total

    return Weights(
        add(patterns.slot, patterns.missing, len(patterns.cause)),
        add(patterns.slot, known, n_causes * months).reshape(n_causes, months, -1),
        add(grid.enter, np.ones_like(known), months),
        add(patterns.slot, out, months),
    )


class _Sums:
    """Adds pattern rows into (cause, month) rows: sorted once, used at every iteration."""

    def __init__(self, rows: Integers, size: int):
        self.order = np.argsort(rows, kind="stable")
        ordered = rows[self.order]
        self.first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(rows) else rows
        self.rows, self.size = ordered[self.first], size

    def __call__(self, values: Floats) -> Floats:
        total = np.zeros((self.size, values.shape[1]))
        if len(self.rows):
            total[self.rows] = np.add.reduceat(values[self.order], self.first, axis=0)
        return total


def survival_scale(hazards: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Σ_c h, S just before each month, and the months at which everyone at risk leaves.

    With delayed entry all may leave at a month and others enter later. Likelihoods are conditional on entry, so from
    there S starts afresh (here: is not multiplied by 0), or later stays would be 0/0.
    """
    total = hazards.sum(axis=0)
    over = total >= 1 - EVERYONE_LEAVES
    before = np.ones_like(total)
    np.cumprod(np.where(over, 1.0, 1.0 - total)[:-1], axis=0, out=before[1:])
    return total, before, over


def tails(density: Floats) -> Floats:
    """Σ_{u≥t} f_c(u), with a last cause for their sum: (causes + 1) × (months + 1) × B.

    Summed from the end: the mass of an interval is then a difference of numbers no larger than S before it, and keeps
    its digits where S is nearly 0.
    """
    n_causes, months, wide = density.shape
    later = np.zeros((n_causes + 1, months + 1, wide))
    np.cumsum(density[:, ::-1], axis=1, out=later[:-1, -2::-1])
    later[:-1].sum(axis=0, out=later[-1])
    return later


def curves(hazards: Floats) -> Floats:
    """Cumulative incidence of each cause, causes × months × B; 1 − the sum is S, 0 for good once it is 0."""
    total = hazards.sum(axis=0)
    before = np.ones_like(total)
    stay = np.where(total >= 1 - EVERYONE_LEAVES, 0.0, 1.0 - total)
    np.cumprod(stay[:-1], axis=0, out=before[1:])
    return np.cumsum(before * hazards, axis=1)


class MonthEM:
    """One EM step and its log-likelihood, for a set of patterns."""

    def __init__(self, patterns: Patterns):
        self.p = patterns
        size = (patterns.n_causes + 1) * (patterns.n_months + 1)
        self.opens, self.closes = _Sums(patterns.low, size), _Sums(patterns.high, size)

    def start(self, w: Weights) -> Floats:
        """Hazards that spread each exit evenly over its months and possible causes: all positive that may be."""
        p = self.p
        even = np.ones((p.n_causes, p.n_months, w.enter.shape[1]))
        mass = (p.right - p.left + 1.0) * np.where(p.cause == p.n_causes, p.n_causes, 1)
        return self.hazards(self.expected(even, w.pattern / mass[:, None], w), w)

    def expected(self, density: Floats, ratio: Floats, w: Weights) -> Floats:
        """Expected exits d_c(t), from ratio = weight/mass of each pattern."""
        p = self.p
        if not len(p.cause):
            return w.exact
        change = (self.opens(ratio) - self.closes(ratio)).reshape(p.n_causes + 1, p.n_months + 1, -1)
        cover = np.cumsum(change, axis=1)[:, :-1]
        return w.exact + density * np.maximum(cover[:-1] + cover[-1], 0.0)  # −1e-17 where nothing covers

    def hazards(self, exits: Floats, w: Weights) -> Floats:
        """d/n, n counted from the end, where it is smallest and must equal d exactly if all leave."""
        leaving = exits.sum(axis=0)
        n = np.cumsum((leaving + w.censored - w.enter)[::-1], axis=0)[::-1] + w.enter
        n = np.where(n - leaving <= EVERYONE_LEAVES * n, leaving, n)
        return np.divide(exits, n, out=np.zeros_like(exits), where=n > 0)

    def step(self, h: Floats, w: Weights) -> tuple[Floats, Floats]:
        """The next hazards, and the log-likelihood of the present ones (one value a weighting)."""
        p = self.p
        total, before, over = survival_scale(h)
        density = before * h
        log_before = np.log(np.maximum(before, TINY))
        log_after = np.concatenate([log_before[1:], log_before[-1:] + np.log(np.where(over, 1, 1 - total)[-1:])])
        loglik = (w.censored * log_after).sum(axis=0) - (w.enter * log_before).sum(axis=0)
        loglik += (w.exact * np.log(np.where(w.exact > 0, np.maximum(density, TINY), 1.0))).sum(axis=(0, 1))
        if not len(p.cause):
            return self.hazards(w.exact, w), loglik

        later = tails(density).reshape(-1, h.shape[2])
        stop = self.stops(over)
        mass = later[p.low] - (later[p.high] if stop is None else np.take_along_axis(later, stop, axis=0))
        mass = np.maximum(mass, TINY)
        loglik += (w.pattern * np.log(mass)).sum(axis=0)
        ratio = w.pattern / mass
        exits = self.expected(density, ratio, w) if stop is None else self.stopped(density, ratio, stop, w)
        return self.hazards(exits, w), loglik

    def stops(self, over: NDArray[np.bool_]) -> Integers | None:
        """The last row of each pattern, where everyone leaves within one (rare); None if nowhere."""
        p = self.p
        if not over[:-1].any():
            return None
        month = np.where(over, np.arange(p.n_months)[:, None], p.n_months)
        last = np.minimum.accumulate(month[::-1], axis=0)[::-1][p.left]
        if not (last < p.right[:, None]).any():
            return None
        return (p.cause * (p.n_months + 1))[:, None] + np.minimum(last, p.right[:, None]) + 1

    def stopped(self, density: Floats, ratio: Floats, stop: Integers, w: Weights) -> Floats:
        """`expected` where intervals end at other months in other weightings."""
        p, wide = self.p, ratio.shape[1]
        size = (p.n_causes + 1) * (p.n_months + 1)
        close = np.bincount((stop * wide + np.arange(wide)).ravel(), ratio.ravel(), size * wide)
        change = (self.opens(ratio) - close.reshape(size, wide)).reshape(p.n_causes + 1, p.n_months + 1, wide)
        cover = np.cumsum(change, axis=1)[:, :-1]
        return w.exact + density * np.maximum(cover[:-1] + cover[-1], 0.0)


def extrapolate(h0: Floats, h1: Floats, h2: Floats) -> Floats:
    """SQUAREM's step S3, a weighting at a time, kept inside 0 < Σ h < 1."""
    r, v = h1 - h0, h2 - 2 * h1 + h0
    size = np.sqrt((v * v).sum(axis=(0, 1)))
    length = np.maximum(1.0, np.divide(np.sqrt((r * r).sum(axis=(0, 1))), size, out=np.ones_like(size), where=size > 0))
    far = h0 + 2 * length * r + length**2 * v
    far = np.where(far > 0, far, 0.1 * h2)  # a hazard set to 0 could never come back
    total = far.sum(axis=0)
    return np.where(total < 1 - 1e-9, far, h2)


@dataclass(frozen=True)
class Fit:
    """Hazards, the log-likelihood at each cycle, and whether the curves had come to rest."""

    hazards: Floats
    log_likelihood: Floats
    path: list[float]
    iterations: int
    converged: bool


def fit(em: MonthEM, weights: Weights, start: Floats, *, tolerance: float, max_steps: int = 20_000) -> Fit:
    """Iterates until no incidence moves by `tolerance` in a cycle of three EM steps, in any weighting."""
    wide = start.shape[2]
    result = start.copy()
    live, w, h0 = np.arange(wide), weights, start
    path: list[float] = []
    iterations = 0
    while iterations < max_steps:
        h1, _ = em.step(h0, w)
        h2, ll1 = em.step(h1, w)
        far = extrapolate(h0, h1, h2)
        h3, ll_far = em.step(far, w)
        iterations += 3
        good = ll_far >= ll1
        new = np.where(good, h3, h2)
        change = np.abs(curves(new) - curves(h0)).max(axis=(0, 1))
        result[..., live] = new
        if live[0] == 0:
            path.append(float(np.where(good, ll_far, ll1)[0]))
        going = change >= tolerance
        if not going.any():
            live = live[:0]
            break
        if going.mean() < 0.7:
            live, w, new = live[going], w.columns(going), np.ascontiguousarray(new[..., going])
        h0 = new
    _, loglik = em.step(result, weights)
    path.append(float(loglik[0]))
    return Fit(result, loglik, path, iterations, not len(live))
