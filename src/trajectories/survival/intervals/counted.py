"""Many survival curves at once, from counts of intervals: what a picture that follows the hand needs.

The estimator of `interval.py`, on rows that each stand for as many stays as is counted: one EM for all groups side by
side in its last axis, then one for all their bootstrap replicates. Where many stays say the same, its time depends on
how many different things they say and no longer on how many stays there are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, numbers, refuse
from trajectories.survival.intervals.em import MonthEM, curves, fit, patterns_of, weigh
from trajectories.survival.intervals.interval import FIT_TOLERANCE, REPLICATE_STEPS, REPLICATE_TOLERANCE, of_stays
from trajectories.survival.intervals.month_grid import month_grid


def counted_survival(
    lower: ArrayLike,
    upper: ArrayLike,
    cause: ArrayLike,
    counts: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    tolerance: float = FIT_TOLERANCE,
    max_steps: int = 20_000,
    replicate_tolerance: float = REPLICATE_TOLERANCE,
    replicate_steps: int = REPLICATE_STEPS,
) -> Floats:
    """
    S by month for several groups of stays and their bootstrap replicates.

    Parameters
    ----------
    lower, upper, cause, entry
        One value a row, as for `interval_incidence`.
    counts : array of shape (n, groups, 1 + replicates)
        How many stays each row stands for, from 0 up: those of the group, then those that each replicate drew.
    tolerance, replicate_tolerance : float
        A fit has come to rest when no incidence moves by more in a cycle of three EM steps.
    max_steps, replicate_steps : int
        EM steps after which a fit that has not come to rest is taken as it is.

    Returns
    -------
    array of shape (months, groups, 1 + replicates)
        S at months 0, 1, … to the last about which any row says something; 1 throughout where nobody is at risk.

    Raises
    ------
    ValueError
        As `interval_incidence`; a negative count, or counts of another length.

    Examples
    --------
    >>> counts = [[[1], [10]], [[1], [10]], [[2], [0]]]
    >>> counted_survival([0, 3, 6], [3, 6, np.inf], [1, 1, 0], counts)[[3, 6], :, 0].round(6).tolist()
    [[0.75, 0.5], [0.5, 0.0]]
    """
    grid = month_grid(lower, upper, cause, entry)
    many = np.asarray(counts, dtype=float)
    if many.ndim != 3 or len(many) != len(grid.enter):
        raise ValueError(f"counts: shape {many.shape} given, ({len(grid.enter)}, groups, 1 + replicates) expected")
    refuse("counts", numbers("counts", many.ravel()) < 0, "are negative")
    survival = np.ones((grid.last_month + 1, *many.shape[1:]))
    used = grid.at_risk & many[:, :, 0].any(axis=1)
    if not used.any():
        return survival
    risk, many = of_stays(grid, used), many[used]
    em = MonthEM(patterns_of(risk))

    def curve(hazards: Floats) -> Floats:
        left = curves(hazards).sum(axis=0)
        # what is known later is of nobody at risk
        return np.pad(1 - left, ((0, len(survival) - len(left)), (0, 0)), mode="edge")

    weights = weigh(risk, em.p, many[:, :, 0].T)
    even = em.start(weights)
    found = fit(em, weights, even, tolerance=tolerance, max_steps=max_steps)
    survival[:, :, 0] = curve(found.hazards)
    draws = many.shape[2] - 1
    if draws:
        weights = weigh(risk, em.p, many[:, :, 1:].reshape(len(many), -1).T)
        # a hazard of 0 could not come back in a replicate: it starts between the fit and the even start
        middle = np.repeat((found.hazards + even) / 2, draws, axis=2) * (em.start(weights) > 0)
        moved = fit(em, weights, middle, tolerance=replicate_tolerance, max_steps=replicate_steps)
        survival[:, :, 1:] = curve(moved.hazards).reshape(len(survival), -1, draws)
    return np.clip(survival, 0.0, 1.0)
