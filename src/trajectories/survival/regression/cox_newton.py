"""Finds the coefficients: Newton's method, and a sentence where there are none to find.

Before the first step, a term that does not vary among those at risk, or is a combination of the terms before it, is
refused by name. A likelihood that rises for ever (a level without any event) is refused too: the coefficient would be
infinite, and no standard error, limit or test of it means anything. R fits and warns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats
from trajectories.survival.regression.collinearity import check_independent, said
from trajectories.survival.regression.cox_likelihood import PartialLikelihood, Point

MOST_STEPS = 60
MOST_HALVINGS = 30
CONVERGED = 1e-20  # squared distance to the maximum, in standard errors
FLAT, FAR = 1e-6, 0.1  # almost nothing to gain, and still a step of 10 % in somebody's hazard: a slope that never ends


@dataclass(frozen=True)
class Scale:
    """Terms are centred and divided by their standard deviation inside the fit."""

    center: Floats
    spread: Floats

    def of(self, x: Floats) -> Floats:
        return (x - self.center[:, None]) / self.spread[:, None]


def standardise(x: Floats, names: Sequence[str]) -> Scale:
    """Scales the terms in place and says how; a constant is refused."""
    flat = x.min(axis=1) == x.max(axis=1)
    if flat.any():
        raise ValueError(f"covariates: {said(names, flat)} the same value in all {x.shape[1]} rows")
    center = x.mean(axis=1)
    x -= center[:, None]
    spread = np.sqrt(np.einsum("ji,ji->j", x, x) / x.shape[1])
    x /= spread[:, None]
    return Scale(center, spread)


def solve(information: Floats, gradient: Floats) -> Floats:
    """Newton's step, solved on the scale where the information has ones on its diagonal; NaN where it has none."""
    own = np.diag(information)
    if not (own > 0).all():
        return np.full_like(gradient, np.nan)
    scale = 1 / np.sqrt(own)
    try:
        return scale * np.linalg.solve(information * np.outer(scale, scale), scale * gradient)
    except np.linalg.LinAlgError:
        return np.full_like(gradient, np.nan)


def inverse(information: Floats) -> Floats:
    """The covariance, symmetric."""
    scale = 1 / np.sqrt(np.diag(information))
    result = np.linalg.inv(information * np.outer(scale, scale)) * np.outer(scale, scale)
    return (result + result.T) / 2


def infinite(data: PartialLikelihood, change: Floats, names: Sequence[str]) -> ValueError:
    """The sentence that names the terms along which the likelihood still rises."""
    reach = np.abs(change) * np.ptp(data.x, axis=1)
    endless = reach > FAR if (reach > FAR).any() else reach == reach.max()
    return ValueError(
        f"covariates: {said(names, endless)} an infinite coefficient, because at each event it tells who leaves "
        "(a level without any event, for instance): merge levels or leave it out"
    )


def maximise(data: PartialLikelihood, names: Sequence[str]) -> tuple[Point, Point, Floats]:
    """The point at 0, the point of the maximum, and the information there."""
    null = point = data.at(np.zeros(len(names)))
    information = point.information()
    check_independent(information, float(data.rows.weight.sum()), names)
    last, unit = np.inf, float(data.weights[data.deaths].mean())
    for _ in range(MOST_STEPS):
        gradient = point.gradient()
        step = solve(information, gradient)
        decrement = float(gradient @ step) / unit  # of weights that are all tiny, or huge, too
        if abs(decrement) <= CONVERGED or last / 4 < decrement < FLAT**2:  # rounding stops it here
            return null, point, information
        if not decrement > 0:
            raise infinite(data, point.beta, names)
        if decrement < FLAT and (np.abs(step) * np.ptp(data.x, axis=1) > FAR).any():
            raise infinite(data, step, names)
        there = better(data, point, step, decrement)
        if there is None:
            raise infinite(data, step, names)
        point, last, information = there, decrement, there.information()
    raise infinite(data, point.beta, names)


def better(data: PartialLikelihood, point: Point, step: Floats, decrement: float) -> Point | None:
    """The point after the step, halved until the likelihood is not lower; None where it never is."""
    slack = 1e-12 * abs(point.log_likelihood)
    for _ in range(MOST_HALVINGS):
        there = data.at(point.beta + step)
        if np.isfinite(there.log_likelihood) and (
            decrement < FLAT or there.log_likelihood >= point.log_likelihood - slack
        ):
            return there
        step = step / 2
    return None
