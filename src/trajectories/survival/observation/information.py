"""What the data say of the parameters of a fit: the observed information, each stay's score, and replicates.

A replicate of the household bootstrap is approached by one Newton step from the estimate, with the gradient that its
weights give and the information of the whole (Shao & Tu 1995, chapter 2), kept within the parameters' bounds in the
metric of that information (Andrews 2000): so 500 of them cost no more than a few steps of a fit, and what was borrowed
varies with them. A direction of which the data say next to nothing is taken to be told of a hundredth of what complete
data would tell: else a step would leave the range in which the log-likelihood is a parabola.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.intervals.em import TINY
from trajectories.survival.observation.ascent import EDGE, outward
from trajectories.survival.observation.ascertainment import Ascertained
from trajectories.survival.observation.observation_em import ObservationEM, Weights
from trajectories.survival.observation.observation_parameters import Parameters

LEAST = 0.01  # of what complete data would tell of a direction
FLAT = 1e-7  # of the same: with less, a step of Newton leads anywhere
SWEEPS = 300


def _beside(p: Parameters, moved: Integers) -> tuple[Parameters, Floats]:
    """Each of some parameters a little more, then each a little less, one column each; and by how much in all."""
    x = p.flat()
    step = np.maximum(1e-4 * np.minimum(x, 1 - x), 1e-8)[moved, 0]
    column = np.arange(len(moved))
    more, less = np.repeat(x, len(moved), axis=1), np.repeat(x, len(moved), axis=1)
    more[moved, column] = np.minimum(x[moved, 0] + step, 1.0)
    less[moved, column] = np.maximum(x[moved, 0] - step, x[moved, 0] / 2)
    return p.like(np.concatenate([more, less], axis=1)), (more - less)[moved, column]


def _difference(values: Floats, width: Floats) -> Floats:
    half = len(width)
    return (values[..., :half] - values[..., half:]) / width


def observed_information(em: ObservationEM, p: Parameters, w: Weights, of: Integers) -> Floats:
    """Minus the second derivatives of the log-likelihood by some parameters; p and w have one weighting."""
    beside, width = _beside(p, of)
    many = w.columns(np.zeros(beside.wide, dtype=int))
    gradient, _ = em.gradient(em.expect(beside, many), beside, many)
    found = -_difference(gradient, width)[of]
    return (found + found.T) / 2


def newton(em: ObservationEM, p: Parameters, w: Weights, steps: int = 5) -> Parameters:
    """A few steps of Newton from next to the maximum, within the bounds."""
    for _ in range(steps):
        x = p.flat()
        e = em.expect(p, w)
        gradient, information = em.gradient(e, p, w)
        of = np.flatnonzero((information > 0)[:, 0] & ~em.held(p)[:, 0] & ~outward(x, gradient)[:, 0])
        if not len(of):
            return p
        scale = 1 / np.sqrt(information[of])
        values, vectors = np.linalg.eigh(observed_information(em, p, w, of) * scale * scale.T)
        told = values > FLAT
        moved = x.copy()
        moved[of] += scale * (vectors[:, told] @ (vectors[:, told].T @ (scale * gradient[of]) / values[told, None]))
        there = em.project(p.like(np.where(em.held(p), x, np.clip(moved, EDGE, 1 - EDGE))))
        if em.expect(there, w).log_likelihood[0] < e.log_likelihood[0] - 1e-12 * abs(e.log_likelihood[0]):
            return p
        p = there
    return p


def stay_scores(em: ObservationEM, known: Ascertained, p: Parameters) -> Floats:
    """The derivative of each stay's log-likelihood by the parameters, stays × parameters (0 of a parameter that is 0)."""
    cells = em.cells
    of = np.flatnonzero(p.flat()[:, 0] > 0)
    beside, width = _beside(p, of)
    value, _, _, after = em.values(beside)
    by_pattern = _difference(np.log(np.maximum(cells.coefficients @ value, TINY)), width)
    alive = np.log(np.maximum(after, TINY))
    by_entry = _difference(np.concatenate([np.zeros_like(alive[:1]), alive[:-1]]), width)
    used = np.flatnonzero(cells.pattern >= 0)
    found = np.zeros((known.n, len(p.flat())))
    found[np.ix_(used, of)] = by_pattern[cells.pattern[used]] - by_entry[np.minimum(known.enter[used], em.months - 1)]
    first, odds = p.hazards[..., 0].size, np.maximum(1 - p.failure[:, 0], TINY)
    found[used, first : first + len(odds)] -= cells.succeeded[used] / odds
    return found


def one_step(em: ObservationEM, p: Parameters, w: Weights, pull: Floats, lent: Parameters) -> Parameters:
    """
    The parameters where other weights of the households pull at them, by one step from the estimate p.

    `pull` (parameters × B) is the gradient at p under those weights; `lent` gives the values of what is held.
    """
    x = p.flat()
    _, information = em.gradient(em.expect(p, w), p, w)
    of = np.flatnonzero((information[:, 0] > 0) & (x[:, 0] > 0))
    if not len(of):
        return p.columns(np.zeros(pull.shape[1], dtype=int))
    held = em.held(p)[of]
    scale = 1 / np.sqrt(information[of])
    values, vectors = np.linalg.eigh(observed_information(em, p, w, of) * scale * scale.T)
    bend = (vectors * np.maximum(values, LEAST)) @ vectors.T
    begin = np.where(held, (lent.flat()[of] - x[of]) / scale, 0.0)
    low, high = (EDGE - x[of]) / scale, (1 - EDGE - x[of]) / scale
    found = np.where(em.held(p), lent.flat(), x)
    found[of] += np.where(held, 0.0, scale * _best_within(bend, scale * pull[of], begin, ~held[:, 0], low, high))
    return em.project(p.like(np.clip(found, 0.0, 1.0)))


def _best_within(bend: Floats, pull: Floats, z: Floats, free: NDArray[np.bool_], low: Floats, high: Floats) -> Floats:
    """z that maximises pull·z − z·bend·z / 2 between low and high, a column each, by coordinates in turn."""
    slope = pull - bend @ z
    for _ in range(SWEEPS):
        furthest = 0.0
        for k in np.flatnonzero(free):
            step = np.clip(z[k] + slope[k] / bend[k, k], low[k], high[k]) - z[k]
            z[k] += step
            slope -= bend[:, k : k + 1] * step
            furthest = max(furthest, float(np.abs(step).max(initial=0.0)))
        if furthest < 1e-4:  # of a standard error that complete data would give
            break
    return z
