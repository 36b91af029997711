"""Maximises Turnbull's likelihood until the Kuhn–Tucker conditions hold to rounding.

Per unit of weight the log-likelihood is Σ w_i log f_i, Σ w = 1, f_i the mass of a pattern's run. With D_j = Σ w_i / f_i
over the patterns that hold candidate j, Σ p_j D_j = 1 whatever p is, and p is a maximum where D_j ≤ 1 everywhere and
D_j = 1 where p_j > 0 (Gentleman & Geyer 1994). The gap max D_j − 1 bounds what is missing of the log-likelihood.

Newton: the candidates with mass, and in each stretch between them the one where D is largest above 1 (Wang 2007), are
given the masses ≥ 0 that maximise the quadratic expansion of Σ w log f − Σ p, exactly; a mass of 0 is dropped, and
comes back as soon as its D is above 1. One EM step goes before each, and the step is halved until the likelihood rises.
Its matrix is s × s for s active candidates: summed from patterns by two running sums, without a pattern × s matrix.

EM–ICM: where more than `LARGEST_NEWTON` are active (exact times in fractions of a day), an EM step and an iterative
convex minorant step in turn, O(patterns + m log m) each (Wellner & Zhan 1997). It also starts fits of many candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats
from trajectories.survival.intervals.turnbull_support import MatrixRuns, SplitRuns, Support, runs_of

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

    def __init__(self, given: Support):
        self.m = len(given.left)
        self.first, self.last = given.first, given.last
        self.runs: MatrixRuns | SplitRuns = runs_of(given.first, given.last, self.m)
        # A weight that is nothing beside the others still has a place to be: it must not underflow.
        self.w = np.maximum(given.weights / given.weights.sum(), 1e-290)

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
        rest = np.where(on, 0.0, p.slope)
        heads = np.unique(np.append(0, np.flatnonzero(on)))
        peak = np.maximum.reduceat(rest, heads)[np.cumsum(on) - on[0]]
        return on | ((rest == peak) & (rest > 1 + AIM))

    def matrix(self, p: Point, on: np.ndarray) -> Floats:
        """Σ w/f² over the patterns that hold both of two active candidates."""
        place = np.cumsum(on)
        s = int(place[-1])
        first, last = place[self.first] - on[self.first], place[self.last] - 1
        both = np.bincount(first * s + last, self.w / p.f / p.f, s * s).reshape(s, s)
        both = np.cumsum(np.cumsum(both, axis=0)[:, ::-1], axis=1)[:, ::-1]
        return np.triu(both) + np.triu(both, 1).T


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
        count = np.count_nonzero(wrong)
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


def towards(of: Likelihood, p: Point, goal: Floats) -> Point | None:
    """The first point on the way to `goal`, halving, where the likelihood has risen; None if there is none."""
    way = goal - p.mass
    rise = float(p.slope @ way - way.sum())
    for t in 0.5 ** np.arange(40):
        mass = goal if t == 1 else p.mass + t * way
        f = of.runs.sums(mass)
        if f.min() > 0 and of.value(f) - mass.sum() + 1 >= p.value + 1e-4 * t * rise - 1e-14:
            return of.at(mass / mass.sum())
    return None


def newton(of: Likelihood, p: Point, largest: int) -> Point | None:
    """One step; None where more than `largest` candidates are active."""
    p = of.at(of.em(p))
    on = of.active(p)
    if np.count_nonzero(on) > largest:
        return None
    goal = np.zeros(of.m)
    goal[on] = best_masses(of.matrix(p, on), p.mass[on], p.slope[on] - 1)
    return towards(of, p, goal) or p


def em_icm(of: Likelihood, p: Point) -> Point:
    """An EM step, then the Newton step of each cumulative mass alone, made monotone."""
    from scipy.optimize import isotonic_regression

    mass = of.em(p)
    f = of.runs.sums(mass)
    r = of.w / f
    c = r / f
    rise = np.bincount(of.last, r, of.m)[:-1] - np.bincount(of.first, r, of.m)[1:]
    bend = np.bincount(of.last, c, of.m)[:-1] + np.bincount(of.first, c, of.m)[1:]
    level = isotonic_regression(np.cumsum(mass)[:-1] + rise / bend, weights=bend).x
    goal = np.diff(np.clip(level, 0.0, 1.0), prepend=0.0, append=1.0)
    before = of.value(f)
    for t in 0.5 ** np.arange(40):
        tried = mass + t * (goal - mass)
        value = of.value(f := of.runs.sums(tried))
        if value >= before:
            return Point(tried, f, of.runs.spread(of.w / f), value)
    return of.at(mass)


def without_rounding(of: Likelihood, p: Point) -> Point:
    """Masses that are nothing in all patterns that hold them set to 0, where the conditions hold as well without."""
    share = p.mass * of.runs.spread(1 / p.f) / of.runs.spread(np.ones_like(p.f))
    small = (p.mass > 0) & (share < SPURIOUS)
    if not small.any():
        return p
    mass = np.where(small, 0.0, p.mass)
    tried = of.at(mass / mass.sum())
    return tried if tried.gap <= max(2 * p.gap, AIM) and tried.residual <= max(2 * p.residual, AIM) else p


def maximise(given: Support) -> Maximum:
    """The maximum for one group.

    Raises
    ------
    ArithmeticError
        If the gap is still above 1e-9 after 10,000 steps (not seen).
    """
    if not len(given.left):  # a group without weight
        return Maximum(np.zeros(0), 0.0, 0.0, 0)
    of = Likelihood(given)
    many = of.m > MANY
    p = of.at(np.full(of.m, 1 / of.m) if many else of.start())
    for _ in range(FIRST_STEPS):
        p = em_icm(of, p) if many else of.at(of.em(p))
    best, halved, waited, steps, largest = p, p.residual, 0, FIRST_STEPS, LARGEST_NEWTON
    while best.residual > (AIM if largest else AIM_EM_ICM) and steps < MOST_STEPS:
        after = newton(of, p, largest) if largest else em_icm(of, p)
        if after is None:
            largest = 0
            continue
        p, steps, waited = after, steps + 1, waited + 1
        if p.residual < best.residual:
            best = p
        if best.residual < halved / 2:
            halved, waited = best.residual, 0
        elif waited > PATIENCE and best.gap <= REACHED:
            break
        if steps == SLOW and not largest:
            largest = LAST_RESORT
    best = without_rounding(of, best)
    if best.gap > REACHED:
        raise ArithmeticError(f"turnbull: the Kuhn–Tucker gap is still {best.gap:.0e} after {steps} steps")
    return Maximum(best.mass, float(given.weights.sum() * best.value), best.gap, steps)
