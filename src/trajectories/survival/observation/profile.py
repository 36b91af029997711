"""Limits of S at one month by profile likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import optimize

from trajectories.survival.checks import Floats, normal_quantile
from trajectories.survival.intervals.em import EVERYONE_LEAVES
from trajectories.survival.intervals.squarem import fit
from trajectories.survival.observation.observation_em import ObservationEM, Weights, by_piece
from trajectories.survival.observation.observation_parameters import Parameters


def profile_limits(
    em: ObservationEM, p: Parameters, w: Weights, start: Parameters, month: int, se: float, conf_level: float,
    design_effect: float | None,
) -> pd.Series:  # fmt: skip
    """See `ObservedCurve.profile`; p maximises, start is in the interior, se of the household bootstrap (or nan)."""
    estimate = float(1 - em.curves(p)[:, month, 0].sum())
    best = float(em.expect(p, w).log_likelihood[0])
    z = normal_quantile(conf_level)
    found = {"month": month, "estimate": estimate, "lower": np.nan, "upper": np.nan, "design_effect": np.nan}
    if not 0 < estimate < 1:
        return pd.Series(found)
    scale = np.log(-np.log(estimate))  # limits are sought on the log-log scale, where the fall is about a parabola

    def at(distance: float) -> float:
        """Twice the fall of the log-likelihood."""
        held = Held(em, month, float(np.exp(-np.exp(scale + distance))))
        highest = fit(held, w, held.project(start), tolerance=1e-6, max_steps=1500).log_likelihood[0]
        return 2 * max(best - float(highest), 0.0)

    if design_effect is None:
        width = se / (estimate * -np.log(estimate)) if np.isfinite(se) and se > 0 else np.nan
        curvature = (at(width / 2) + at(-width / 2)) / 2 / (width / 2) ** 2 if np.isfinite(width) else np.nan
        design_effect = max(width**2 * curvature, 1e-6) if np.isfinite(width) else 1.0
    lower, upper = (float(np.exp(-np.exp(scale + _reached(at, sign, z**2 * design_effect)))) for sign in (1.0, -1.0))
    return pd.Series(found | {"lower": lower, "upper": upper, "design_effect": design_effect})


def _reached(at, sign: float, target: float) -> float:
    """The distance at which the fall is `target`; doubled until it is passed, then by secants on its square root."""
    near, far = 0.0, 0.25
    while at(sign * far) < target:
        near, far = far, 2 * far
        if far > 8:
            return sign * far
    low, high = np.sqrt(at(sign * near)) if near else 0.0, np.sqrt(at(sign * far))
    goal = np.sqrt(target)
    for _ in range(12):
        middle = near + (goal - low) / max(high - low, 1e-12) * (far - near)
        value = np.sqrt(at(sign * middle))
        if abs(value - goal) < 1e-3:
            return sign * middle
        if value < goal:
            near, low = middle, value
        else:
            far, high = middle, value
    return sign * (near + far) / 2


class Held:
    """The same EM with S at one month held: hazards d/(n + λL), L months of the piece before it.

    Thomas & Grunkemeier 1975, as for Kaplan–Meier.
    """

    def __init__(self, em: ObservationEM, month: int, survival: float):
        self.em, self.goal = em, np.log(survival)
        self.lengths = np.bincount(em.piece[1 : month + 1], minlength=em.n_pieces).astype(float)
        self.expect, self.curves = em.expect, em.curves

    def step(self, p: Parameters, w: Weights) -> tuple[Parameters, Floats]:
        e = self.em.expect(p, w)
        new = self.em.maximise(e, p, w)
        n = np.maximum(self.em.at_risk(e, w), 0.0)
        n[0] = 0.0
        exits, risk = by_piece(e.exits, self.em.piece, 1)[..., 0], by_piece(n, self.em.piece, 0)[..., 0]
        left, length = exits.sum(axis=0), self.lengths
        some = (length > 0) & (left > 0)

        def excess(pull: float) -> float:
            return float((length[some] * np.log1p(-left[some] / (risk[some] + pull * length[some]))).sum()) - self.goal

        # between the least that leaves anybody, and so much that nobody leaves
        least = float(np.max((left[some] - risk[some]) / length[some], initial=-np.inf))
        low, high = least + 1e-9 * max(abs(least), 1.0), max(2 * abs(least), 1.0)
        while excess(high) < 0:
            high *= 4
        pull = optimize.brentq(excess, low, high, xtol=1e-10) if excess(low) < 0 else low
        scaled = np.divide(exits, (risk + pull * length)[None], out=np.zeros_like(exits), where=(risk > 0)[None])
        return replace(new, hazards=scaled[..., None]), e.log_likelihood

    def project(self, p: Parameters) -> Parameters:
        """Hazards up to the month multiplied by one number, so that S there is what is asked."""
        total, before = p.hazards.sum(axis=0)[:, 0], self.lengths > 0
        if not total[before].any():
            return p

        def excess(times: float) -> float:
            return float((self.lengths[before] * np.log1p(-times * total[before])).sum()) - self.goal

        most = (1 - EVERYONE_LEAVES) / total[before].max()
        times = optimize.brentq(excess, 0.0, most, xtol=1e-14) if excess(most) < 0 else most
        return replace(p, hazards=np.where(before[None, :, None], times, 1.0) * p.hazards)
