"""Survival predicted by a Cox model for given covariates, with its standard error.

Λ(t | x) = e^{xβ} Λ₀(t), S = exp(−Λ). Its variance adds the baseline's, Σ m a² (Efron's form under Efron's ties), to
that of the coefficients along q = x Λ₀(t) − ∫ x̄ dΛ₀ (Tsiatis 1981; Therneau & Grambsch 2000, 10.2). With clusters, or
weights that are not whole numbers, it is the infinitesimal jackknife of Λ(t | x) instead: each person's influence on
the baseline plus q times the person's dfbeta, squared after summing within clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.limits import LARGEST
from trajectories.survival.regression.cox_likelihood import Point
from trajectories.survival.regression.cox_residuals import Clusters, score_sums


@dataclass(frozen=True)
class Baseline:
    """Cumulative sums over event rows, within strata, on the scale of the centred terms."""

    point: Point
    covariance: Floats  # of the scaled coefficients, model-based
    clusters: Clusters | None  # where the standard errors are the jackknife's

    def along(self, values: Floats) -> Floats:
        """Running sums over rows, from the first row of each stratum."""
        rows = self.point.likelihood.rows
        total = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
        np.cumsum(values, axis=-1, out=total[..., 1:])
        return total[..., 1:] - total[..., rows.begin]

    def rows_at(self, stratum: int, times: Floats) -> Integers:
        """The last event row of the stratum at or before each time; −1 where there is none yet."""
        rows = self.point.likelihood.rows
        a, b = np.searchsorted(rows.stratum, [stratum, stratum + 1])
        here = np.searchsorted(rows.time[a:b], times, side="right")
        return np.where(here > 0, a + here - 1, -1)

    def hazard(self, z: Floats, stratum: Integers, times: Floats, with_se: bool) -> tuple[Floats, Floats | None]:
        """Λ and its standard error, persons × times, for persons of scaled terms z (terms × persons)."""
        ratio = np.exp(np.minimum(self.point.beta @ z, LARGEST))[:, None]
        result = np.zeros((z.shape[1], len(times)))
        se = np.zeros_like(result) if with_se else None
        # A last column of 0 is what row −1 reads.
        total = np.append(self.along(self.point.hazard), 0.0)
        for s in np.unique(stratum):
            who, rows = stratum == s, self.rows_at(s, times)
            result[who] = ratio[who] * total[rows]
            if with_se:
                se[who] = ratio[who] * np.sqrt(np.maximum(self.variance(z[:, who], rows, total[rows]), 0.0))
        return result, se

    def variance(self, z: Floats, rows: Integers, base: Floats) -> Floats:
        """Var Λ(t | x) / e^{2xβ}, persons × times: the baseline's part, and qᵀ V q with q = z Λ₀ − drift."""
        drift = self.drift[:, rows]
        if self.clusters is None:
            spread, mixed = self.covariance, np.zeros_like(drift)
            own = np.append(self.along(self.point.square), 0.0)[rows]
        else:
            dfbeta = self.dfbeta
            spread, mixed, own = dfbeta.T @ dfbeta, np.zeros_like(drift), np.zeros(len(rows))
            for k in np.flatnonzero(rows >= 0):
                influence = self.clusters.sums(self.influence(rows[k]))
                own[k], mixed[:, k] = influence @ influence, dfbeta.T @ influence
        along = spread @ drift - mixed
        own = own + np.einsum("jt,jt->t", drift, along - mixed)
        return own + np.einsum("jp,jk,kp->p", z, spread, z)[:, None] * base**2 - 2 * base * (z.T @ along)

    @cached_property
    def drift(self) -> Floats:
        """∫ x̄ dΛ₀ up to each row, terms × rows, and a last column of 0."""
        terms = [self.along(self.point.mean_hazard(j)) for j in range(len(self.covariance))]
        return np.pad(np.array(terms), ((0, 0), (0, 1)))

    @cached_property
    def dfbeta(self) -> Floats:
        """Each cluster's influence on the coefficients, clusters × terms."""
        return score_sums(self.point, self.clusters) @ self.covariance

    def influence(self, row: int) -> Floats:
        """Each person's weighted influence on the baseline hazard of the row's stratum up to it, given β."""
        point = self.point
        data = point.likelihood
        inside = np.zeros(len(data.rows.time))
        inside[data.rows.begin[row] : row + 1] = 1.0
        result = -point.risk * data.windows.spent(point.square * inside)
        if data.ties is not None:
            members = data.ties.members
            share = point.own_square * inside[data.ties.rows]
            result[members] += point.risk[members] * share[point.member_of]
        gain = point.hazard * inside / data.rows.weight
        result[data.deaths] += data.weights[data.deaths] * gain[data.death_rows]
        return result
