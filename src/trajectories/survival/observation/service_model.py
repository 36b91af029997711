"""The companion of the observation model: services speak of presence too, and so does their silence.

Somebody present is served at a rate λ(s) g, by role; g is the person's own, gamma-distributed with mean 1 and shape α,
and a share ω of each role is never a client. From the entry to e = min(t − ½, C) a stay that ends in month t is exposed
to Λ = Λ(e) − Λ(E), and all its n services lie in (E, e]. So beside the rest of the likelihood stands

    n = 0: ω + (1 − ω) (α / (α + Λ))^α
    n > 0: (1 − ω) Γ(α + n) / Γ(α) · α^−n (α / (α + Λ))^(α + n) · Π λ(s).

The row that made the stay known is not counted. Rates are constant on the pieces of the hazards. References: Robins,
Rotnitzky & Scharfstein 1999 (why visits speak); the negative binomial as a gamma mixture of Poisson processes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import optimize, sparse
from scipy.special import digamma, gammaln

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.intervals.em import TINY
from trajectories.survival.observation.ascertainment import Ascertained
from trajectories.survival.observation.cells import Cells
from trajectories.survival.observation.observation_em import Expected, ObservationEM, Weights
from trajectories.survival.observation.observation_parameters import Assumed, Parameters

CAP = 200.0  # α beyond this is as good as no difference between persons
FLOOR = 1e-3


@dataclass(frozen=True)
class ServiceExpected(Expected):
    """The E-step, and for each weighting what services need: mass of each coefficient, share never a client, Λ."""

    served: tuple[tuple[Floats, Floats, Floats], ...]


@dataclass(frozen=True)
class ServiceParameters(Parameters):
    """The parameters of the observation model and those of services, one column a weighting."""

    rate: Floats  # roles × pieces × B
    never: Floats  # roles × B
    shape: Floats  # 1 × B

    def flat(self) -> Floats:
        odds = (self.rate / (1 + self.rate), self.never, self.shape / (1 + self.shape))
        parts = (self.hazards, self.failure, self.hearing, *odds)
        return np.concatenate([values.reshape(-1, self.wide) for values in parts])

    def like(self, flat: Floats) -> Self:
        p = super().like(flat)
        return replace(p, rate=p.rate / (1 - p.rate), shape=p.shape / (1 - p.shape))


class ServiceEM(ObservationEM):
    """The EM of the observation model with services: a cell a month, with one more factor."""

    shape_cap = CAP

    def __init__(self, cells: Cells, known: Ascertained, role: Integers, pieces: Integers, assumed: Assumed):
        super().__init__(cells, len(known.names), pieces, assumed)
        self.n_roles = int(role.max(initial=0)) + 1
        stay = np.flatnonzero(cells.pattern >= 0)  # cells by month are not merged: a pattern is a stay
        self.role = role[stay]
        services = known.services
        services = services[services["month"].to_numpy() > known.entry[services["stay"]]]
        of = np.full(known.n, -1)
        of[stay] = np.arange(len(stay))
        row = of[services["stay"].to_numpy()]
        month = services["month"].to_numpy()[row >= 0]
        row = row[row >= 0]
        self.edges = np.concatenate([[0.0], pieces])[: self.n_pieces]
        piece = np.clip(np.searchsorted(self.edges, month, side="left") - 1, 0, self.n_pieces - 1)
        self.given = np.bincount(row * self.n_pieces + piece, minlength=len(stay) * self.n_pieces).reshape(
            len(stay), self.n_pieces
        )
        self.n = self.given.sum(axis=1)
        latest = np.full(len(stay), -np.inf)
        np.maximum.at(latest, row, month)

        m = self.matrix
        self.row = np.repeat(np.arange(m.shape[0]), np.diff(m.indptr))
        exit_ = ~cells.survivor[m.indices]
        until = known.cutoff[stay][self.row]
        # a departure is known later than it happened: the cut-off alone ends the exposure of those who stayed
        until = np.where(exit_, np.minimum(cells.low[m.indices] - 0.5, until), until)
        since = known.entry[stay][self.row]
        until = np.maximum(until, since)
        ends = np.append(self.edges[1:], np.inf)
        self.exposure = np.clip(
            np.minimum(until[:, None], ends) - np.maximum(since[:, None], self.edges), 0.0, None
        )  # coefficients × pieces
        self.possible = until >= latest[self.row]
        # a stay that was served after every month in which it may have ended cannot be explained
        explained = np.bincount(self.row, m.data * self.possible, m.shape[0]) > 0
        pattern = cells.pattern.copy()
        pattern[stay[~explained]] = -1
        self.cells = replace(cells, pattern=pattern)

    def start(self, w: Weights) -> ServiceParameters:
        p = super().start(w)
        wide = p.wide
        longest = np.maximum.reduceat(self.exposure, self.matrix.indptr[:-1], axis=0) if len(self.n) else self.exposure
        exposure = max(float(longest.sum()), 1.0)
        rate = np.full((self.n_roles, self.n_pieces, wide), max(self.n.sum() / exposure, 1e-4))
        return ServiceParameters(
            p.hazards, p.failure, p.hearing, rate, np.full((self.n_roles, wide), 0.2), np.ones((1, wide))
        )

    def factors(self, p: ServiceParameters, b: int) -> tuple[Floats, Floats, Floats]:
        """The factor of each coefficient, the share of it that is never a client, and Λ."""
        role, n = self.role[self.row], self.n[self.row]
        rate = p.rate[:, :, b]
        load = np.einsum("ij,ij->i", self.exposure, rate[role])
        shape, never = p.shape[0, b], p.never[role, b]
        logs = gammaln(shape + n) - gammaln(shape) - n * np.log(shape) + (shape + n) * np.log(shape / (shape + load))
        logs += (self.given * np.log(np.maximum(rate, TINY))[self.role]).sum(axis=1)[self.row]
        served = (1 - never) * np.exp(logs)
        factor = np.where(n == 0, never + served, served * self.possible)
        return factor, np.where(n == 0, never / np.maximum(never + served, TINY), 0.0), load

    def _with(self, factor: Floats) -> sparse.csr_matrix:
        """The coefficients with the factor of services."""
        m = self.matrix
        return sparse.csr_matrix((m.data * factor, m.indices, m.indptr), shape=m.shape)

    def expect(self, p: ServiceParameters, w: Weights) -> ServiceExpected:
        """The E-step, a weighting at a time: the coefficients depend on the parameters."""
        parts, served = [], []
        for b in range(p.wide):
            factor, absent, load = self.factors(p, b)
            matrix = self._with(factor)
            keep = np.array([b])
            e, value, ratio = self._expected(p.columns(keep), w.columns(keep), matrix, matrix.T)
            served.append((matrix.data * value[matrix.indices, 0] * ratio[self.row, 0], absent, load))
            parts.append(e)
        columns = zip(*(vars(e).values() for e in parts), strict=True)
        return ServiceExpected(*(np.concatenate(values, axis=-1) for values in columns), tuple(served))

    def maximise(self, e: ServiceExpected, p: ServiceParameters, w: Weights) -> ServiceParameters:
        base = super().maximise(e, p, w)
        rate, never, shape = p.rate.copy(), p.never.copy(), p.shape.copy()
        role, n = self.role[self.row], self.n[self.row]
        for b, (mass, absent, load) in enumerate(e.served):
            a = shape[0, b]
            client = mass * (1 - absent)
            weight = w.pattern[:, b]
            for r in range(self.n_roles):
                mine, stays = role == r, self.role == r
                all_ = mass[mine].sum()
                never[r, b] = (mass * absent)[mine].sum() / all_ if all_ > 0 else never[r, b]
                # expectation of the product of a person's own rate and the exposure, not the product of expectations
                exposed = ((client * (a + n) / (a + load))[mine, None] * self.exposure[mine]).sum(axis=0)
                events = (weight[stays, None] * self.given[stays]).sum(axis=0)
                rate[r, :, b] = np.divide(events, exposed, out=rate[r, :, b].copy(), where=exposed > 0)
            clients = client.sum()
            if clients > 0:
                own = (client * (digamma(a + n) - np.log(a + load) - (a + n) / (a + load))).sum() / clients
                shape[0, b] = _shape(own)
        return replace(base, rate=rate, never=never, shape=shape)

    def coefficients(self, p: ServiceParameters) -> sparse.csr_matrix:
        return self._with(self.factors(p, 0)[0])


def _shape(own: float) -> float:
    """α with ln α − ψ(α) + 1 + E(ln g − g) = 0, between the floor and the cap."""

    def score(log_shape: float) -> float:
        a = np.exp(log_shape)
        return float(np.log(a) - digamma(a) + 1 + own)

    low, high = np.log(FLOOR), np.log(CAP)
    if score(high) > 0:
        return CAP
    return FLOOR if score(low) < 0 else float(np.exp(optimize.brentq(score, low, high)))
