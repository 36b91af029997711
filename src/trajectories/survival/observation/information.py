"""What the data say of the parameters of a fit: the observed information, and the fit under other weights near it.

A replicate of the household bootstrap is approached by steps of Newton from the estimate, with the gradient that its
weights give and the information of the whole (Shao & Tu 1995, chapter 2), kept within the parameters' bounds in the
metric of that information (Andrews 2000): 500 of them cost no more than a few steps of a fit. A direction of which the
data say next to nothing is taken to be told a hundredth of what complete data would tell: else a step would leave
the range in which the log-likelihood is a parabola.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.observation.ascent import EDGE, SHORTER, outward
from trajectories.survival.observation.observation_em import ObservationEM, Weights
from trajectories.survival.observation.observation_parameters import Parameters

LEAST = 0.01  # of what complete data would tell of a direction
NO_GAIN = 1e-9  # of the log-likelihood: Newton has come to rest
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
    if not len(of):
        return np.zeros((0, 0))
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
        identified = values > FLAT
        moved = x.copy()
        moved[of] += scale * (
            vectors[:, identified] @ (vectors[:, identified].T @ (scale * gradient[of]) / values[identified, None])
        )
        there = em.project(p.like(np.where(em.held(p), x, np.clip(moved, EDGE, 1 - EDGE))))
        gain = em.expect(there, w).log_likelihood[0] - e.log_likelihood[0]
        if gain < -1e-12 * abs(e.log_likelihood[0]):
            return p
        p = there
        if gain < NO_GAIN:
            return p
    return p


class QuadraticApproximation:
    """The log-likelihood around an estimate as a parabola, on which other weightings of the stays are climbed."""

    def __init__(self, em: ObservationEM, p: Parameters, w: Weights):
        self.em, self.p = em, p
        x = p.flat()
        self.gradient, information = em.gradient(em.expect(p, w), p, w)
        self.of = np.flatnonzero((information > 0)[:, 0] & (x > 0)[:, 0])
        self.scale = 1 / np.sqrt(information[self.of])
        observed = observed_information(em, p, w, self.of) * self.scale * self.scale.T
        values, vectors = np.linalg.eigh(observed)
        self.curvature = (vectors * np.maximum(values, LEAST)) @ vectors.T
        self.covariance = (vectors / np.maximum(values, LEAST)) @ vectors.T

    def refitted(self, many: Weights, lent: Parameters, steps: int = 1, drawn_from: int | None = None) -> Parameters:
        """
        The parameters under other weights, a column each: steps of Newton with the information of the estimate.

        `lent` gives, of what is held, its values. One step is enough for whole households drawn again; weights that are
        far from those of the estimate take a few more, each shortened until it gains. Where the weights are of
        `drawn_from` households drawn again, their gradients are spread as `_spread` says.
        """
        em, held = self.em, self.em.held(lent)
        x = np.where(held, lent.flat(), np.repeat(self.p.flat(), lent.wide, axis=1))
        expected = em.expect(lent.like(x), many)
        for number in range(steps):
            gradient, _ = em.gradient(expected, lent.like(x), many)
            if number == 0 and drawn_from:
                gradient = gradient + self._spread(many, held, drawn_from, gradient)
            step = self._step(x, gradient, ~held)
            better = np.full(lent.wide, number == 0)
            if number == 0:
                x = em.project(lent.like(x + step)).flat()
            for part in SHORTER:
                if better.all():
                    break
                p = em.project(lent.like(x + part * step * ~better))
                gains = em.expect(p, many).log_likelihood >= expected.log_likelihood
                x, better = np.where(gains, p.flat(), x), better | gains
            if number + 1 < steps:
                expected = em.expect(lent.like(x), many)
        return lent.like(x)

    def _spread(self, many: Weights, held: NDArray[np.bool_], n: int, gradient: Floats) -> Floats:
        """
        What is added to the gradients of n resampled households, since the estimate has seen them all.

        As HC1 for regressions (MacKinnon & White 1985), with as many parameters as the data tell of (Takeuchi 1976).
        """
        if held.any():  # at what is lent the gradient differs by more than what chance does
            own = self.p.columns(np.zeros(many.pattern.shape[1], dtype=int))
            gradient, _ = self.em.gradient(self.em.expect(own, many), own, many)
        away = (gradient - self.gradient) * ~held
        scores = self.scale * away[self.of]
        learnt = float(np.einsum("kb,kl,lb->b", scores, self.covariance, scores).mean())
        return (np.sqrt(n / max(n - learnt, n / 2)) - 1) * away

    def _step(self, x: Floats, gradient: Floats, free: NDArray[np.bool_]) -> Floats:
        """To the highest point of the parabola, of each weighting; at most nine tenths of the way to a bound."""
        here = x[self.of]
        low, high = -0.9 * here / self.scale, 0.9 * (1 - here) / self.scale
        step = np.zeros_like(x)
        step[self.of] = self.scale * _best_within(
            self.curvature, self.scale * gradient[self.of], free[self.of], low, high
        )
        return step


def _best_within(curvature: Floats, score: Floats, free: NDArray[np.bool_], low: Floats, high: Floats) -> Floats:
    """z with the highest score·z − z·curvature·z / 2 from low to high where free: by coordinates, a column each."""
    z = np.zeros_like(score)
    slope = score.copy()
    for _ in range(SWEEPS):
        furthest = 0.0
        for k in np.flatnonzero(free.any(axis=1)):
            step = np.where(free[k], np.clip(z[k] + slope[k] / curvature[k, k], low[k], high[k]) - z[k], 0.0)
            z[k] += step
            slope -= curvature[:, k : k + 1] * step
            furthest = max(furthest, float(np.abs(step).max(initial=0.0)))
        if furthest < 1e-4:  # of a standard error that complete data would give
            break
    return z
