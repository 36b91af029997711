"""The maximum of a likelihood that an EM climbs: a few EM steps, then quasi-Newton steps, many weightings at once.

The E-step gives the gradient too (Fisher's identity), so each step costs as much as one of the EM. Directions are those
of limited-memory BFGS (Nocedal 1980) on parameters kept within (0, 1) by projection (Bertsekas 1982); they begin from
the information that complete data would give, with which a step is about one of the EM. A step that does not gain is
shortened, and in the end is one of the EM, which never loses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats
from trajectories.survival.intervals.em import TINY
from trajectories.survival.observation.observation_parameters import Parameters

EDGE = 1e-11  # parameters stay so far within their bounds; one that is 0 stays 0
WARM_UP = 9  # EM steps before the first other one
MEMORY = 12
SHORTER = (1.0, 0.3, 0.05)  # parts of a step, tried until one gains
ENOUGH = 0.1  # times the tolerance: no step promises a greater gain of the log-likelihood


class Likelihood(Protocol):
    """What is maximised: by an EM step, or along the gradient with the information of the complete data."""

    def expect(self, p: Parameters, w): ...

    def maximise(self, e, p: Parameters, w) -> Parameters: ...

    def gradient(self, e, p: Parameters, w) -> tuple[Floats, Floats]: ...

    def held(self, p: Parameters) -> NDArray[np.bool_]: ...

    def project(self, p: Parameters) -> Parameters: ...

    def curves(self, p: Parameters) -> Floats: ...


@dataclass(frozen=True)
class Fit:
    """Parameters, their log-likelihood after each step and at the end, and whether the curves had come to rest."""

    parameters: Parameters
    log_likelihood: Floats
    path: list[Floats]
    iterations: int
    converged: bool


@dataclass
class _State:
    """Where each weighting stands: parameters × B, but for the log-likelihood."""

    x: Floats
    log_likelihood: Floats
    gradient: Floats
    information: Floats
    em: Floats  # where an EM step leads

    def take(self, keep) -> _State:
        return _State(*(values[..., keep] for values in vars(self).values()))

    def put(self, which: NDArray[np.bool_], other: _State) -> None:
        for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True):
            mine[..., which] = theirs[..., which]


def fit(em: Likelihood, w, start: Parameters, *, tolerance: float, max_steps: int = 1000) -> Fit:
    """Climbs until no incidence moves by `tolerance` in a step that promises no gain, in any weighting."""

    def at(x: Floats) -> _State:
        p = em.project(start.like(np.where(held, x, np.clip(x, EDGE, 1 - EDGE))))
        e = em.expect(p, w)
        return _State(p.flat(), e.log_likelihood, *em.gradient(e, p, w), em.maximise(e, p, w).flat())

    held = em.held(start)
    now = at(start.flat())
    path = [now.log_likelihood.copy()]
    for _ in range(WARM_UP):
        now = at(now.em)
        path.append(now.log_likelihood.copy())
    result, reached, live, steps = now.x.copy(), now.log_likelihood.copy(), np.arange(start.wide), len(path)
    tried = np.zeros(start.wide, dtype=int)  # how many parts of the step were tried before
    memory = _Memory.empty(*now.x.shape)
    direction, promise = memory.direction(now, held)
    while len(live) and steps < max_steps:
        last = tried == len(SHORTER)
        part = np.append(SHORTER, 0.0)[tried]
        trial = at(np.where(last, now.em, now.x + part * direction))
        steps += 1
        gained = trial.log_likelihood - now.log_likelihood
        good = (gained >= 1e-4 * part * promise - 1e-12 * np.abs(now.log_likelihood)) | last
        moved = np.abs(em.curves(start.like(trial.x)) - em.curves(start.like(now.x))).max(axis=(0, 1), initial=0.0)
        rest = good & (moved < tolerance) & (promise < ENOUGH * tolerance)
        memory.learn(now, trial, good, forget=last)
        now.put(good, trial)
        result[:, live], reached[live] = now.x, now.log_likelihood
        path.append(reached.copy())
        tried = np.where(good, 0, tried + 1)
        if rest.any():
            going = ~rest
            live, tried, held, w = live[going], tried[going], held[:, going], w.columns(going)
            now, memory, direction, promise = now.take(going), memory.take(going), direction[:, going], promise[going]
        anew = tried == 0
        if anew.any():
            new, gain = memory.direction(now, held)
            direction, promise = np.where(anew, new, direction), np.where(anew, gain, promise)
    found = start.like(result)
    return Fit(found, reached, path, steps, not len(live))


def outward(x: Floats, gradient: Floats) -> NDArray[np.bool_]:
    """Where a parameter is on a bound, and would go on."""
    return ((x <= 2 * EDGE) & (gradient < 0)) | ((x >= 1 - 2 * EDGE) & (gradient > 0))


def on_bounds(em: Likelihood, p: Parameters, w) -> Parameters:
    """What came to rest next to a bound put on it, which EM and what is held do, and one step of EM from there."""
    x = p.flat()
    gradient, _ = em.gradient(em.expect(p, w), p, w)
    there = em.project(p.like(np.where(outward(x, gradient) & ~em.held(p), np.round(x), x)))
    return em.maximise(em.expect(there, w), there, w)


@dataclass
class _Memory:
    """The last steps and what the gradient lost in each: steps × parameters × B."""

    steps: Floats
    gradient_losses: Floats

    @classmethod
    def empty(cls, size: int, wide: int) -> _Memory:
        return cls(*np.zeros((2, 0, size, wide)))

    def take(self, keep) -> _Memory:
        return _Memory(self.steps[..., keep], self.gradient_losses[..., keep])

    def learn(self, now: _State, trial: _State, good, forget) -> None:
        """One more step, where it was taken; what was learnt before is forgotten where it led nowhere."""
        self.steps[..., forget], self.gradient_losses[..., forget] = 0.0, 0.0
        step, loss = np.where(good, trial.x - now.x, 0.0), np.where(good, now.gradient - trial.gradient, 0.0)
        size = np.sqrt((step**2).sum(axis=0) * (loss**2).sum(axis=0))
        curved = (step * loss).sum(axis=0) > 1e-12 * size
        kept = slice(max(0, len(self.steps) - MEMORY + 1), None)
        self.steps = np.concatenate([self.steps[kept], (step * curved)[None]])
        self.gradient_losses = np.concatenate([self.gradient_losses[kept], (loss * curved)[None]])

    def direction(self, now: _State, held: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Where to go, and by how much that promises to gain."""
        free = ~(outward(now.x, now.gradient) | held | (now.information <= 0))
        slope = now.gradient * free
        steps, gradient_losses = self.steps * free, self.gradient_losses * free
        curvatures = (steps * gradient_losses).sum(axis=1)
        size = np.divide(1.0, curvatures, out=np.zeros_like(curvatures), where=curvatures > TINY)
        rest, pulls = slope, np.empty_like(size)
        for k in reversed(range(len(steps))):
            pulls[k] = size[k] * (steps[k] * rest).sum(axis=0)
            rest = rest - pulls[k] * gradient_losses[k]
        away = np.divide(rest, now.information, out=np.zeros_like(rest), where=free)
        for k in range(len(steps)):
            away = away + steps[k] * (pulls[k] - size[k] * (gradient_losses[k] * away).sum(axis=0))
        promise = (away * slope).sum(axis=0)
        plain = np.divide(slope, now.information, out=np.zeros_like(slope), where=free)
        lost = ~(promise > 0)  # what was learnt before the bounds that hold now may mislead
        return np.where(lost, plain, away), np.where(lost, (plain * slope).sum(axis=0), promise)
