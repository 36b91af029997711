"""Cox's partial likelihood, its gradient and information, and score residuals, with Breslow's or Efron's ties.

At an event row with d tied events of mean weight m, Efron counts the l-th of them (l = 0 … d − 1) against the sum
S − (l/d) s, S = Σ w e^η over those at risk and s over those who leave; Breslow counts each against S. With a_l = 1/(S −
(l/d) s), everything needed is in five sums over l, per row: m Σ a, m Σ f a, m Σ a², m Σ f a², m Σ f² a², f = l/d.

A person's share of the information's first part is x xᵀ times the hazard spent at risk, so one product X W Xᵀ replaces
a matrix of second moments at each row: an iteration costs one pass over persons. References: Cox (1972); Breslow
(1974); Efron (1977); Therneau & Grambsch (2000), ch. 3 (weights), 4.6 and 7 (score residuals under Efron's ties).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.regression.cox_risk import EventRows, Windows

BLOCK = 32_768  # columns multiplied at a time: their products stay in the cache, and are no copy of the data


def products(a: Floats, weight: Floats, b: Floats) -> Floats:
    """a · diag(weight) · bᵀ."""
    result = np.zeros((len(a), len(b)))
    for start in range(0, a.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        result += (a[:, part] * weight[part]) @ b[:, part].T
    return result


@dataclass(frozen=True)
class Ties:
    """Efron's terms: rows with several events, who leaves there, and l/d for each event."""

    rows: Integers
    members: Integers  # positions in the order of the windows
    starts: Integers  # of each row's members
    fraction: Floats
    fraction_starts: Integers


@dataclass(frozen=True)
class PartialLikelihood:
    """The data of a fit in the order of its windows; `at(beta)` evaluates it."""

    x: Floats  # terms × persons
    weights: Floats
    deaths: Integers  # positions of those who have an event, at their last row
    windows: Windows
    rows: EventRows
    ties: Ties | None

    def at(self, beta: Floats) -> Point:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a step too far has no finite likelihood
            return Point(self, beta)

    @cached_property
    def death_rows(self) -> Integers:
        return self.windows.last[self.deaths]


def partial_likelihood(
    x: Floats, weights: Floats, dies: np.ndarray, windows: Windows, rows: EventRows, ties: str
) -> PartialLikelihood:
    """`x`, `weights` and `dies` in the caller's order; the windows say which are counted."""
    order = windows.order
    deaths = np.flatnonzero(dies[order])
    efron = None
    if ties == "efron" and (rows.ties > 1).any():
        tied = np.flatnonzero(rows.ties > 1)
        members = deaths[rows.ties[windows.last[deaths]] > 1]
        starts = np.searchsorted(windows.last[members], tied)
        count = rows.ties[tied]
        first = np.cumsum(count) - count
        fraction = (np.arange(count.sum()) - np.repeat(first, count)) / np.repeat(count, count)
        efron = Ties(tied, members, starts, fraction, first)
    return PartialLikelihood(x.take(order, axis=1), weights[order], deaths, windows, rows, efron)


class Point:
    """The partial likelihood at one value of the coefficients."""

    def __init__(self, likelihood: PartialLikelihood, beta: Floats):
        self.likelihood, self.beta = likelihood, beta
        data, rows, ties = likelihood, likelihood.rows, likelihood.ties
        self.eta = np.einsum("j,ji->i", beta, data.x)  # not `@`: the same covariates must give the same sum
        self.risk = data.weights * np.exp(self.eta)
        total = data.windows.sums(self.risk)
        logs = rows.weight * np.log(total)
        self.hazard = rows.weight / total  # m Σ a
        self.square = self.hazard / total  # m Σ a²
        if ties is not None:
            t, at = ties.rows, ties.fraction_starts
            mean = rows.weight[t] / rows.ties[t]
            leaving = np.add.reduceat(self.risk[ties.members], ties.starts)
            left = np.repeat(total[t], rows.ties[t]) - ties.fraction * np.repeat(leaving, rows.ties[t])
            a, f = 1 / left, ties.fraction
            logs[t] = mean * np.add.reduceat(np.log(left), at)
            self.hazard[t] = mean * np.add.reduceat(a, at)
            self.square[t] = mean * np.add.reduceat(a * a, at)
            self.own = mean * np.add.reduceat(f * a, at)  # the last three at tied rows only
            self.own_square = mean * np.add.reduceat(f * a * a, at)
            self.own_own = mean * np.add.reduceat(f * f * a * a, at)
        self.log_likelihood = float(data.weights[data.deaths] @ self.eta[data.deaths] - logs.sum())

    @cached_property
    def moments(self) -> tuple[Floats, Floats | None]:
        """Σ w e^η x over those at risk at each row; over those who leave, at tied rows."""
        data, ties = self.likelihood, self.likelihood.ties
        at_risk = np.empty((len(data.x), len(self.hazard)))
        leaving = None if ties is None else np.empty((len(data.x), len(ties.rows)))
        for j, term in enumerate(data.x):
            weighted = term * self.risk
            at_risk[j] = data.windows.sums(weighted)
            if ties is not None:
                leaving[j] = np.add.reduceat(weighted[ties.members], ties.starts)
        return at_risk, leaving

    def spent(self, factor: Floats | None = None) -> Floats:
        """The hazard each person has spent (Λ over the time at risk), less Efron's share of the own event."""
        data = self.likelihood
        g = 1.0 if factor is None else factor
        result = data.windows.spent(self.hazard * g)
        if data.ties is not None:
            rows = data.ties.rows
            own = self.own if factor is None else self.own * factor[rows]
            result[data.ties.members] -= own[self.member_of]
        return result

    @cached_property
    def member_of(self) -> Integers:
        """Of each tied member: which of the tied rows."""
        ties = self.likelihood.ties
        return np.searchsorted(ties.rows, self.likelihood.windows.last[ties.members])

    def gradient(self, factor: Floats | None = None) -> Floats:
        """Σ over events of g(t)(x − x̄), g = 1 unless a `factor` per row is given."""
        data = self.likelihood
        residual = -self.risk * self.spent(factor)
        weight = data.weights[data.deaths]
        residual[data.deaths] += weight if factor is None else weight * factor[data.death_rows]
        return np.einsum("ji,i->j", data.x, residual)

    def information(self, factor: Floats | None = None) -> Floats:
        """Σ over events of g(t) times the variance of x among those at risk."""
        data = self.likelihood
        at_risk, leaving = self.moments
        g = np.ones_like(self.hazard) if factor is None else factor
        result = products(data.x, self.risk * self.spent(factor), data.x) - products(at_risk, self.square * g, at_risk)
        if data.ties is not None:
            rows = data.ties.rows
            cross = products(at_risk[:, rows], self.own_square * g[rows], leaving)
            result += cross + cross.T - products(leaving, self.own_own * g[rows], leaving)
        return (result + result.T) / 2

    def mean_hazard(self, term: int) -> Floats:
        """m Σ a_l x̄_l of one term at each row: what the baseline hazard loses per unit of its coefficient."""
        at_risk, leaving = self.moments
        result = at_risk[term] * self.square
        if leaving is not None:
            result[self.likelihood.ties.rows] -= leaving[term] * self.own_square
        return result

    def score_residuals(self) -> Iterator[Floats]:
        """Each person's weighted share of the gradient, one term after the other."""
        data, ties, spent = self.likelihood, self.likelihood.ties, self.spent()
        at_risk, leaving = self.moments
        for j, term in enumerate(data.x):
            mean = at_risk[j] * self.hazard
            lost = data.windows.spent(self.mean_hazard(j))
            if ties is not None:
                mean[ties.rows] -= leaving[j] * self.own
                own = at_risk[j, ties.rows] * self.own_square - leaving[j] * self.own_own
                lost[ties.members] -= own[self.member_of]
            mean /= data.rows.weight
            result = self.risk * (lost - term * spent)
            result[data.deaths] += data.weights[data.deaths] * (term[data.deaths] - mean[data.death_rows])
            yield result
