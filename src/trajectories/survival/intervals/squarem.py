"""SQUAREM: EM steps extrapolated, never downhill (Varadhan & Roland 2008), many weightings at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from trajectories.survival.checks import Floats
from trajectories.survival.intervals.em import TINY
from trajectories.survival.observation.observation_parameters import Parameters


class Steps(Protocol):
    """What is iterated: one EM step, and the curves that must come to rest."""

    def step(self, p: Parameters, w) -> tuple[Parameters, Floats]: ...

    def curves(self, p: Parameters) -> Floats: ...

    def project(self, p: Parameters) -> Parameters: ...

    def expect(self, p: Parameters, w): ...


@dataclass(frozen=True)
class Fit:
    """Parameters, the log-likelihoods at each cycle and at the end, and whether the curves had come to rest."""

    parameters: Parameters
    log_likelihood: Floats
    path: list[Floats]
    iterations: int
    converged: bool


def extrapolate(p0: Parameters, p1: Parameters, p2: Parameters) -> Parameters:
    """SQUAREM's step S3, a weighting at a time, kept inside the parameters' bounds."""
    x0, x1, x2 = p0.flat(), p1.flat(), p2.flat()
    r, v = x1 - x0, x2 - 2 * x1 + x0
    size = np.sqrt((v * v).sum(axis=0))
    length = np.maximum(1.0, np.divide(np.sqrt((r * r).sum(axis=0)), size, out=np.ones_like(size), where=size > 0))
    far = x0 + 2 * length * r + length**2 * v
    far = np.where((far > 0) & (far < 1), far, np.where(far <= 0, 0.1 * x2, 1 - 0.1 * (1 - x2)))
    # what is held, or nothing speaks of, stays where it is
    far = np.where((x0 == x1) & (x1 == x2), x2, far)
    found = p0.like(far)
    total = found.hazards.sum(axis=0)
    return replace(found, hazards=found.hazards * np.where(total > 1 - 1e-9, (1 - 1e-9) / np.maximum(total, TINY), 1.0))


def fit(em: Steps, w, start: Parameters, *, tolerance: float, max_steps: int = 3000) -> Fit:
    """Iterates until no incidence moves by `tolerance` in a cycle of three EM steps, in any weighting."""
    live, result, p0, steps = np.arange(start.wide), start, start, 0
    path: list[Floats] = []
    reached = np.full(start.wide, np.nan)
    whole = w
    flat = start.flat()
    while steps < max_steps and len(live):
        p1, _ = em.step(p0, w)
        p2, ll1 = em.step(p1, w)
        far = em.project(extrapolate(p0, p1, p2))
        p3, ll_far = em.step(far, w)
        steps += 3
        good = ll_far >= ll1
        new = p0.like(np.where(good, p3.flat(), p2.flat()))
        moved = np.abs(em.curves(new) - em.curves(p0)).max(axis=(0, 1), initial=0.0)
        flat[:, live] = new.flat()
        reached[live] = np.where(good, ll_far, ll1)
        path.append(reached.copy())
        going = moved >= tolerance
        live = live[going]
        if not going.all():
            w, new = w.columns(going), new.columns(going)
        p0 = new
    result = start.like(flat)
    loglik = em.expect(result, whole).log_likelihood
    path.append(loglik)
    return Fit(result, loglik, path, steps, not len(live))
