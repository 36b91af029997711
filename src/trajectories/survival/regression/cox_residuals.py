"""Robust (sandwich) covariance of a regression's coefficients: by household, or by row where weights are no counts.

Σ over clusters of the products of summed dfbeta, dfbeta = covariance · score residual (Lin & Wei 1989; Therneau &
Grambsch 2000, 7.2 and 8.2). No small-sample factor, as in R.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.regression.cox_likelihood import Point


@dataclass(frozen=True)
class Clusters:
    """The cluster of each counted person; persons are their own where none is given."""

    code: Integers | None

    def sums(self, values: Floats) -> Floats:
        """Values of persons added within clusters."""
        return values if self.code is None else np.bincount(self.code, values)


def score_sums(point: Point, clusters: Clusters) -> Floats:
    """Score residuals added within clusters, clusters × terms."""
    sums = None
    for j, residual in enumerate(point.score_residuals()):
        column = clusters.sums(residual)
        if sums is None:
            sums = np.empty((len(column), len(point.beta)))
        sums[:, j] = column
    if len(sums) < 2:
        raise ValueError("cluster: 1 label among those at risk at events, at least 2 expected")
    return sums


def sandwich(covariance: Floats, scores: Floats) -> Floats:
    """covariance · Σ U Uᵀ · covariance, from the scores' sums by cluster."""
    return covariance @ (scores.T @ scores) @ covariance


def robust_score_test(scores: Floats) -> float:
    """Uᵀ (Σ U_c U_cᵀ)⁻¹ U at coefficients of 0; missing where there are no more clusters than terms."""
    if len(scores) <= scores.shape[1]:
        return np.nan
    total = scores.sum(axis=0)
    spread = scores.T @ scores
    return float(total @ np.linalg.solve(spread, total))
