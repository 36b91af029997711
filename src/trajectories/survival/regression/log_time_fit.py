"""Fits the models of `log_time.py`: designs for their predictors, Newton's method, and the two covariances.

Newton with Marquardt's damping (1963), which does not depend on the scale of a term: these likelihoods are not concave
everywhere (delayed entry, a share that never leaves). Covariates are centred and divided by their standard deviation
inside the fit. A maximum that lies at infinity (a level where nobody leaves, exits that are all one time) is found out
and said, never returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.jackknife import cluster_sums
from trajectories.survival.regression.collinearity import check_independent, said
from trajectories.survival.regression.log_time import FAMILIES, Exits, LogTimes, Terms, log_times, row_terms

INTERCEPT, LOG_TIME, LOG_SCALE = "intercept", "log_time", "log_scale"
MOST_STEPS = 300
CONVERGED = 1e-20  # squared distance to the maximum, in standard errors
ROUNDING = 1e-15  # under this it may stop falling; on a slope without end, what is known has gone by then
FLAT, FAR = 1e-6, 0.1  # almost nothing to gain, and still a step of 10 %: a slope that never ends
SAME = 1e-10  # share of a term's information below which nothing is left of it


@dataclass(frozen=True)
class Scale:
    """Terms are centred and scaled inside the fit; `matrix` turns coefficients back, an intercept first."""

    matrix: Floats
    scaled: Floats  # (terms + 1) × n, ones first


def with_intercept(x: Floats, weights: Floats, names: Sequence[str]) -> Scale:
    """Ones and the scaled terms (terms × n)."""
    total = weights.sum()
    center = x @ weights / total
    scaled = x - center[:, None]
    spread = np.sqrt(scaled**2 @ weights / total)
    constant = x.min(axis=1) == x.max(axis=1)
    if constant.any():
        raise ValueError(f"covariates: {said(names, constant)} the same value in all {x.shape[1]} rows")
    scaled /= spread[:, None]
    check_independent((scaled * weights) @ scaled.T, total, names)
    back = np.diag(np.concatenate([[1.0], 1 / spread]))
    back[0, 1:] = -center / spread
    return Scale(back, np.vstack([np.ones(x.shape[1]), scaled]))


@dataclass(frozen=True)
class Model:
    """A family, the exits, and a design (terms × n) for each predictor: η, log σ (ones), logit π if there is one."""

    distribution: str
    given: LogTimes
    weights: Floats
    cluster: Integers | None
    designs: tuple[Floats, ...]

    @property
    def exits(self) -> float:
        """Weight of the persons with an exit."""
        return float(self.weights[self.given.exact.rows].sum() + self.weights[self.given.opens.rows].sum())

    @property
    def bounds(self) -> Integers:
        """Coefficients of predictor a are bounds[a]:bounds[a + 1]."""
        return np.cumsum([0, *(len(design) for design in self.designs)])

    def predictors(self, beta: Floats) -> list[Floats]:
        parts = np.split(beta, self.bounds[1:-1])
        return [part @ design for part, design in zip(parts, self.designs, strict=True)]

    def terms(self, beta: Floats) -> Terms:
        eta, log_scale, *logit = self.predictors(beta)
        return row_terms(FAMILIES[self.distribution], self.given, eta, float(log_scale[0]), *logit)

    def scores(self, beta: Floats) -> Floats:
        """Weighted scores, persons × coefficients."""
        first = self.terms(beta).first * self.weights
        return np.concatenate([s * design for s, design in zip(first, self.designs, strict=True)]).T


@dataclass(frozen=True)
class Point:
    """The log-likelihood at some coefficients, with its gradient and information."""

    beta: Floats
    value: float
    gradient: Floats
    information: Floats


def at(model: Model, beta: Floats) -> Point:
    """−inf where the likelihood is no number."""
    with np.errstate(all="ignore"):
        terms = model.terms(beta)
        weights, designs = model.weights, model.designs
        value = float(weights @ terms.value)
        gradient = np.concatenate([design @ (weights * s) for s, design in zip(terms.first, designs, strict=True)])
        rows = [
            np.hstack([(left * (weights * terms.second[a, b])) @ right.T for b, right in enumerate(designs)])
            for a, left in enumerate(designs)
        ]
        information = -np.vstack(rows)
    fine = np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(information).all()
    return Point(beta, value if fine else -np.inf, gradient, information)


def damped_step(point: Point, damping: float) -> Floats | None:
    """The step on the scale where the information has ones on its diagonal; None where it is not concave."""
    own = np.abs(np.diag(point.information))
    scale = 1 / np.sqrt(np.maximum(own, np.finfo(float).tiny))
    ridged = point.information * np.outer(scale, scale) + damping * np.eye(len(own))
    try:
        root = np.linalg.cholesky(ridged)
    except np.linalg.LinAlgError:
        return None
    return scale * np.linalg.solve(root.T, np.linalg.solve(root, scale * point.gradient))


def maximise(model: Model, start: Floats) -> tuple[Point, Floats | None]:
    """The maximum and None; or the last point and the step along which the likelihood goes on rising."""
    point, damping, last = at(model, start), 0.0, np.inf
    step = np.ones_like(start)
    with np.errstate(all="ignore"):
        for _ in range(MOST_STEPS):
            tried = damped_step(point, damping)
            if tried is None:
                damping = max(damping * 10, 1e-3)
                continue
            step = tried
            gain = float(point.gradient @ step)
            near = gain < FLAT and damping == 0
            if near and np.abs(step).max() > FAR:
                return point, step
            if near and (gain <= CONVERGED or (gain < ROUNDING and gain > last / 4)):
                return point, nothing_known(model, point)
            there = at(model, point.beta + step)
            if there.value >= point.value - 1e-12 * abs(point.value):
                last = gain if near else np.inf
                point, damping = there, damping / 10 if damping > 1e-6 else 0.0
            elif damping > 1e12:
                break
            else:
                damping = max(damping * 10, 1e-3)
    return point, step


def nothing_known(model: Model, point: Point) -> Floats | None:
    """A direction of which the exits say nothing: the top of a slope that has become flat. None where there is none."""
    known, directions = np.linalg.eigh(point.information)
    return directions[:, 0] if known[0] < SAME * model.exits else None


def endless(names: Sequence[str], step: Floats) -> ValueError:
    """What to say where there is no maximum; `names` of the coefficients, in the order of `step`."""
    far = np.abs(step) >= np.abs(step).max() / 2
    listed = [name for name, moves in zip(names, far, strict=True) if moves]
    blamed = "upper" if set(listed) <= {INTERCEPT, LOG_TIME, LOG_SCALE} else "covariates"
    return ValueError(
        f"{blamed}: the likelihood has no maximum, it rises for ever along {', '.join(listed)} (nobody leaves in a "
        "level of a covariate, or the exits can all be at one time)"
    )


def model_of(distribution: str, given: Exits, *designs: Floats) -> Model:
    """`designs`: of η, and of logit π if there is a share that never leaves."""
    ones = np.ones((1, len(given.lower)))
    return Model(distribution, log_times(given), given.weights, given.cluster, (designs[0], ones, *designs[1:]))


def start_of(given: Exits, n_terms: int) -> Floats:
    """From exits at the middle of their interval, and censorings taken as if they left then: log σ last."""
    moment = np.where(given.known, (given.lower + np.where(given.known, given.upper, 0.0)) / 2, given.lower)
    counted = moment > 0
    log_moment, weights = np.log(moment[counted]), given.weights[counted]
    mean = np.average(log_moment, weights=weights)
    spread = np.sqrt(np.average((log_moment - mean) ** 2, weights=weights))
    return np.concatenate([[mean], np.zeros(n_terms), [np.log(max(spread, 0.1))]])


def turned_back(of_eta: Floats, *of_share: Floats) -> Floats:
    """From the coefficients of scaled terms to those of the terms given: η, log σ, and logit π if there is one."""
    blocks = (of_eta, np.eye(1), *of_share)
    back, done = np.zeros((sum(map(len, blocks)),) * 2), 0
    for block in blocks:
        back[done : done + len(block), done : done + len(block)] = block
        done += len(block)
    return back


def covariances(model: Model, point: Point, back: Floats, robust: bool) -> tuple[Floats, Floats | None]:
    """Inverse information, and the sandwich of scores summed within clusters (no small-sample factor), turned back."""
    scale = 1 / np.sqrt(np.diag(point.information))
    inner = np.linalg.inv(point.information * np.outer(scale, scale)) * np.outer(scale, scale)
    inner = (inner + inner.T) / 2
    sandwich = None
    if robust:
        influence = cluster_sums(model.scores(point.beta) @ inner, model.cluster) @ back.T
        sandwich = influence.T @ influence
    return back @ inner @ back.T, sandwich
