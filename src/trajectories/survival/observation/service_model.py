"""The companion of the observation model: services speak of presence too, and so does their silence.

Somebody present is served at a rate λ(s) g, by role; g is the person's own, gamma-distributed with mean 1 and shape α,
and a share ω of each role is never a client. From the entry to e = min(t − ½, C), or to a later service of that month,
a stay that ends in month t is exposed to Λ = Λ(e) − Λ(E), and all its n services lie in (E, e]. So beside the rest of
the likelihood stands

    n = 0: ω + (1 − ω) (α / (α + Λ))^α
    n > 0: (1 − ω) Γ(α + n) / Γ(α) · α^−n (α / (α + Λ))^(α + n) · Π λ(s).

The row that made the stay known is not counted. Rates are constant on the pieces of the hazards. References: Robins,
Rotnitzky & Scharfstein 1999 (why visits speak); the negative binomial as a gamma mixture of Poisson processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, sparse
from scipy.special import digamma, gammaln, polygamma

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.intervals.em import TINY
from trajectories.survival.observation.cells import Ascertained, Cells
from trajectories.survival.observation.em import Expected, ObservationEM, Weights, score
from trajectories.survival.observation.parameters import Assumed, Parameters

CAP = 200.0  # α beyond this is as good as no difference between persons
FLOOR = 1e-3
FEWEST_CLIENTS = 1e-9  # stays: of a service that nobody here was a client of, rounding leaves a sum of some 1e-17
AT_ONCE = 4096  # stays whose coefficients are worked out at a time: there are twenty a stay and more


@dataclass(frozen=True)
class Served:
    """What services need of the E-step, of one weighting: expected numbers of stays, by role."""

    mass: Floats  # of all
    absent: Floats  # never a client
    exposed: Floats  # roles × pieces: E g times the exposure of the clients
    own: float  # the mean of E(ln g − g) over the clients; missing where there is none


@dataclass(frozen=True)
class ServiceExpected(Expected):
    """The E-step, and for each weighting what services need."""

    served: tuple[Served, ...]


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


class ServiceEM(ObservationEM[ServiceParameters, ServiceExpected]):
    """The EM of the observation model with services: a cell a month, with one more factor."""

    shape_cap = CAP
    many_at_once = False

    def __init__(self, cells: Cells, known: Ascertained, role: Integers, pieces: Integers, assumed: Assumed):
        super().__init__(cells, len(known.names), pieces, assumed)
        self.n_roles = int(role.max(initial=0)) + 1
        stay = np.flatnonzero(cells.pattern >= 0)  # cells by month are not merged: a pattern is a stay
        self.role = role[stay]
        services = known.services
        services = services[services["month"].to_numpy() > known.entry[services["stay"]]]
        position = np.full(known.n, -1)
        position[stay] = np.arange(len(stay))
        row = position[services["stay"].to_numpy()]
        month = services["month"].to_numpy()[row >= 0]
        row = row[row >= 0]
        self.edges = np.concatenate([[0.0], pieces])[: self.n_pieces]
        piece = np.clip(np.searchsorted(self.edges, month, side="left") - 1, 0, self.n_pieces - 1)
        n_services = np.bincount(row * self.n_pieces + piece, minlength=len(stay) * self.n_pieces)
        self.n_services = n_services.reshape(len(stay), self.n_pieces).astype(np.int32)
        self.n = self.n_services.sum(axis=1)
        latest = np.full(len(stay), -np.inf)
        np.maximum.at(latest, row, month)

        m = self.matrix
        length = np.diff(m.indptr)
        since, until = known.entry[stay], np.repeat(known.cutoff[stay], length)
        # a departure is known later than it happened: the cut-off alone ends the exposure of those who stayed
        exit_ = np.flatnonzero(~cells.survivor[m.indices])
        month, last_service = cells.low[m.indices[exit_]], np.repeat(latest, length)[exit_]
        # a service of the second half of the last month was given before the exit
        end = np.where(last_service <= month, np.maximum(month - 0.5, last_service), month - 0.5)
        until[exit_] = np.minimum(end, until[exit_])
        np.maximum(until, np.repeat(since, length), out=until)
        self.possible = until >= np.repeat(latest, length)
        longest = self._since_edges(np.maximum.reduceat(until, m.indptr[:-1]) if len(stay) else since)
        longest -= self._since_edges(since)
        self.exposure = float(longest.sum())
        self.reached = np.stack([(longest[self.role == r] > 0).any(axis=0) for r in range(self.n_roles)])
        # the days on which an exposure begins or ends are few, of however many stays
        position, days = pd.factorize(np.concatenate([since, until]), sort=True)
        self.at = self._since_edges(days)  # days × pieces
        position = position.astype(np.int32)
        begins = self.role.astype(np.int32) * len(days)  # places among roles × days
        self.since, self.until = begins + position[: len(stay)], np.repeat(begins, length) + position[len(stay) :]
        # a stay that was served after every month in which it may have ended cannot be explained
        explained = _by_stay(m.data * self.possible, m.indptr[:-1]) > 0
        pattern = cells.pattern.copy()
        pattern[stay[~explained]] = -1
        self.cells = replace(cells, pattern=pattern)

    def _since_edges(self, month: Floats) -> Floats:
        """The part of each piece that is before each month."""
        return np.clip(month[:, None] - self.edges, 0.0, np.append(np.diff(self.edges), np.inf))

    def start(self, w: Weights) -> ServiceParameters:
        p = super().start(w)
        wide = p.wide
        often = max(self.n.sum() / max(self.exposure, 1.0), 1e-4)
        rate = np.full((self.n_roles, self.n_pieces, wide), often)
        return ServiceParameters(
            p.hazards, p.failure, p.hearing, rate, np.full((self.n_roles, wide), 0.2), np.ones((1, wide))
        )

    def _parts(self) -> Iterator[tuple[slice, slice, Integers]]:
        """Some stays at a time: which, which coefficients are theirs, and how many of each."""
        first = self.matrix.indptr
        for begin in range(0, len(self.n), AT_ONCE):
            stays = slice(begin, min(begin + AT_ONCE, len(self.n)))
            yield stays, slice(first[stays.start], first[stays.stop]), np.diff(first[begin : stays.stop + 1])

    def _upto(self, p: ServiceParameters, b: int) -> Floats:
        """Λ up to each day, roles × days in a row."""
        return (p.rate[:, :, b] @ self.at.T).ravel()

    def factors(self, p: ServiceParameters, b: int) -> Floats:
        """The factor of each coefficient."""
        shape, never = p.shape[0, b], p.never[self.role, b]
        # what is the same of all the months of a stay
        same = gammaln(shape + self.n) - gammaln(shape) - self.n * np.log(shape)
        same += (self.n_services * np.log(np.maximum(p.rate[:, :, b], TINY))[self.role]).sum(axis=1)
        absent, power, upto = np.where(self.n == 0, never, 0.0), shape + self.n, self._upto(p, b)
        of_stay = np.column_stack([same, power, 1 - never, absent, upto[self.since]])
        factor = np.empty(len(self.until))
        for stays, cells, length in self._parts():
            same, power, client, absent, begun = (np.repeat(values, length) for values in of_stay[stays].T)
            client_factor = np.exp(same + power * np.log(shape / (shape + (upto[self.until[cells]] - begun))))
            factor[cells] = absent + client * client_factor * self.possible[cells]
        return factor

    def _with_factor(self, factor: Floats) -> sparse.csr_matrix:
        """The coefficients with the factor of services."""
        m = self.matrix
        return sparse.csr_matrix((m.data * factor, m.indices, m.indptr), shape=m.shape)

    def expect(self, p: ServiceParameters, w: Weights) -> ServiceExpected:
        """The E-step, a weighting at a time: the coefficients depend on the parameters."""
        parts, services = [], []
        for b in range(p.wide):
            factor = self.factors(p, b)
            matrix = self._with_factor(factor)
            keep = np.array([b])
            e, value, ratio = self._expected(p.columns(keep), w.columns(keep), matrix, matrix.T)
            services.append(self._expected_services(p, b, factor, matrix.data, value[:, 0], ratio[:, 0]))
            parts.append(e)
        columns = {name: np.concatenate([vars(e)[name] for e in parts], axis=-1) for name in vars(parts[0])}
        return ServiceExpected(**columns, served=tuple(services))

    def _expected_services(
        self, p: ServiceParameters, b: int, factor: Floats, data: Floats, value: Floats, ratio: Floats
    ) -> Served:
        """What services need, of the probability of each kind of cell, and weight over that of a stay."""
        a, never, total = p.shape[0, b], p.never[self.role, b], self._upto(p, b)
        of_stay = np.column_stack([np.where(self.n == 0, never, 0.0), a + self.n, total[self.since], ratio])
        mass, absent, exposed, logs = np.zeros((4, len(self.n)))
        upto = np.zeros(len(total))
        for stays, cells, length in self._parts():
            first = np.cumsum(length) - length
            nobody, power, begun, weight = (np.repeat(values, length) for values in of_stay[stays].T)
            ended = data[cells] * value[self.matrix.indices[cells]] * weight
            nobody *= ended / np.maximum(factor[cells], TINY)
            load = a + (total[self.until[cells]] - begun)
            client = ended - nobody
            # expectation of the product of a person's own rate and the exposure, not the product of expectations
            rate = client * power / load
            upto += np.bincount(self.until[cells], rate, len(upto))
            for total_by_stay, values in (
                (mass, ended),
                (absent, nobody),
                (exposed, rate),
                (logs, client * np.log(load)),
            ):
                total_by_stay[stays] = _by_stay(values, first)
        begun = np.bincount(self.since, exposed, len(upto))
        by_piece = (upto - begun).reshape(self.n_roles, -1) @ self.at
        clients = mass - absent
        own = (clients * digamma(a + self.n) - logs - exposed).sum()
        of_all, never_served = (
            np.bincount(self.role, values, self.n_roles).astype(float, copy=False) for values in (mass, absent)
        )
        return Served(
            of_all,
            never_served,
            np.where(self.reached, np.maximum(by_piece, 0.0), 0.0),
            own / clients.sum() if clients.sum() > FEWEST_CLIENTS else np.nan,
        )

    def maximise(self, e: ServiceExpected, p: ServiceParameters, w: Weights) -> ServiceParameters:
        base = super().maximise(e, p, w)
        rate, never, shape = p.rate.copy(), p.never.copy(), p.shape.copy()
        for b, services in enumerate(e.served):
            np.divide(services.absent, services.mass, out=never[:, b], where=services.mass > 0)
            for r in range(self.n_roles):
                stays = self.role == r
                events = (w.pattern[stays, b, None] * self.n_services[stays]).sum(axis=0)
                exposed = services.exposed[r]
                rate[r, :, b] = np.divide(events, exposed, out=rate[r, :, b].copy(), where=exposed > 0)
            if not np.isnan(services.own):
                shape[0, b] = _shape(services.own)
        return replace(base, rate=rate, never=never, shape=shape)

    def gradient(self, e: ServiceExpected, p: ServiceParameters, w: Weights) -> tuple[Floats, Floats]:
        """As of the model without services; by the parameters of services on the scale of `flat`."""
        rate, never, shape = (np.zeros((2, *values.shape)) for values in (p.rate, p.never, p.shape))
        for b, services in enumerate(e.served):
            events = np.stack(
                [w.pattern[self.role == r, b] @ self.n_services[self.role == r] for r in range(self.n_roles)]
            )
            often, exposed = p.rate[..., b], services.exposed
            least = np.maximum(often, 0.25 / np.maximum(exposed, 1.0))
            rate[..., b] = events / np.maximum(often, TINY) - exposed, exposed / least
            never[..., b] = score(services.absent, services.mass, p.never[:, b])
            a, clients = p.shape[0, b], float((services.mass - services.absent).sum())
            slope = clients * (np.log(a) - digamma(a) + 1 + services.own) if clients > 0 else 0.0
            ends = (a <= FLOOR and slope < 0) or (a >= CAP and slope > 0)
            shape[:, 0, b] = (0.0, 0.0) if ends else (slope, clients * (polygamma(1, a) - 1 / a))
        turn = [(1 + p.rate) ** 2, np.ones_like(p.never), (1 + p.shape) ** 2]
        gradient, information = super().gradient(e, p, w)
        of_services = [
            np.concatenate(
                [
                    (values[k] * by ** (k + 1)).reshape(-1, p.wide)
                    for values, by in zip((rate, never, shape), turn, strict=True)
                ]
            )
            for k in (0, 1)
        ]
        return np.concatenate([gradient, of_services[0]]), np.concatenate([information, of_services[1]])

    def fixed(self, p: ServiceParameters) -> NDArray[np.bool_]:
        learnt = p.rate[..., 0].size + p.never[..., 0].size + p.shape[..., 0].size
        return np.concatenate([super().fixed(p), np.zeros((learnt, p.wide), dtype=bool)])

    def project(self, p: ServiceParameters) -> ServiceParameters:
        return replace(super().project(p), shape=np.clip(p.shape, FLOOR, CAP))

    def coefficients(self, p: ServiceParameters) -> sparse.csr_matrix:
        return self._with_factor(self.factors(p, 0))


def _by_stay(values: Floats, first: Integers) -> Floats:
    """Sums over the coefficients of each stay; none is without any."""
    return np.add.reduceat(values, first) if len(first) else np.zeros(0)


def _shape(own: float) -> float:
    """α with ln α − ψ(α) + 1 + E(ln g − g) = 0, between the floor and the cap."""

    def score(log_shape: float) -> float:
        a = np.exp(log_shape)
        return float(np.log(a) - digamma(a) + 1 + own)

    low, high = np.log(FLOOR), np.log(CAP)
    if score(high) > 0:
        return CAP
    return FLOOR if score(low) < 0 else float(np.exp(optimize.brentq(score, low, high)))
