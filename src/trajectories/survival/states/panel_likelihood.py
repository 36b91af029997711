"""The likelihood of a continuous-time Markov model seen at visits, with its exact gradient and information.

Only distinct (gap, from, to) patterns matter, with their counts. Transition probabilities come by uniformisation
(Jensen 1953): P(t) = Σ_k e^{−λt}(λt)^k/k! Uᵏ with U = I + Q/λ, where nothing is subtracted, so that small
probabilities are right to many digits, and where the powers of U, and their derivatives in each rate, are shared by
all gaps. λ is held while differentiating, as P does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats, Integers

CELLS = 1 << 22  # gaps × terms, or gaps × slopes, held at once
SQUARED = 30.0  # largest λt summed for one matrix; longer times by squaring


@dataclass(frozen=True)
class Patterns:
    """Distinct pairs of successive observations, in order of their gap."""

    gaps: Floats  # distinct, ascending
    gap: Integers  # per pattern, its place in `gaps`
    start: Integers  # state codes
    end: Integers
    known: np.ndarray  # True where the end state was entered at that very time, from an unknown state
    count: Floats


@dataclass(frozen=True)
class Structure:
    """The transitions that a model allows: rate u leads from origin[u] to target[u]."""

    states: int
    origin: Integers
    target: Integers

    def generator(self, rates: Floats) -> Floats:
        """Q, whose rows sum to 0."""
        q = np.zeros((self.states, self.states))
        q[self.origin, self.target] = rates
        np.fill_diagonal(q, -q.sum(axis=1))
        return q


def n_terms(x: float, states: int) -> int:
    """Terms after which a Poisson of mean x has no weight left that counts, even on a path through all states."""
    return int(x + 9 * np.sqrt(x)) + 40 + states


def poisson(x: Floats, terms: int) -> Floats:
    """e^{−x} xᵏ/k! for k < terms: len(x) × terms."""
    k = np.arange(terms)
    log_factorial = np.cumsum(np.log(np.maximum(k, 1)))
    return np.exp(k * np.log(x)[:, None] - x[:, None] - log_factorial)


def transition_matrix(q: Floats, t: float) -> Floats:
    """exp(tQ) of a generator, t ≥ 0."""
    n, rate = len(q), float(-np.diag(q).min())
    if rate * t < np.finfo(float).tiny:
        return np.eye(n)
    halvings = max(int(np.ceil(np.log2(rate * t / SQUARED))), 0)
    x = rate * t / 2**halvings
    power, total = np.eye(n), np.zeros((n, n))
    for weight in poisson(np.array([x]), n_terms(x, n))[0]:
        total += weight * power
        power = power @ (np.eye(n) + q / rate)
    for _ in range(halvings):
        total = total @ total
        total /= total.sum(axis=1, keepdims=True)  # rounding would be squared with it
    return total / total.sum(axis=1, keepdims=True)


def log_likelihood(patterns: Patterns, structure: Structure, rates: Floats) -> float:
    """−∞ where an observed pair has no probability."""
    q = structure.generator(rates)
    rate, terms = uniform_rate(q, patterns)
    series = powers(np.eye(len(q)) + q / rate, terms).reshape(terms, -1)
    total = 0.0
    for x, first, last in blocks(patterns, structure, rate):
        pi = poisson(x, n_terms(x[-1], len(q)))
        value, _ = pattern_values(patterns, structure, q, (pi @ series[: pi.shape[1]], None), first, last)
        if not (value > 0).all():
            return -np.inf
        total += float(patterns.count[first:last] @ np.log(value))
    return total


def derivatives(patterns: Patterns, structure: Structure, rates: Floats) -> tuple[float, Floats, Floats]:
    """Log-likelihood, its gradient in the rates, and the observed information, minus the second derivatives.

    The second derivatives of a probability are Σ_k π_k ∂²Uᵏ; weighted by count/value and added over patterns they
    need Σ_patterns count/value π_k, one n × n matrix per k, before the recursion of ∂²Uᵏ and not one per gap.
    """
    q = structure.generator(rates)
    n, p = structure.states, len(rates)
    rate, terms = uniform_rate(q, patterns)
    u = np.eye(n) + q / rate
    series = powers(u, terms)
    first_order = power_derivatives(u, series, structure, rate)
    flat, flat_slopes = series.reshape(terms, -1), first_order.reshape(terms, -1)
    total, gradient, information = 0.0, np.zeros(p), np.zeros((p, p))
    weighted = np.zeros((2, terms, n * n))  # 0: seen at a visit; 1: entered at that very time
    for x, first, last in blocks(patterns, structure, rate):
        pi = poisson(x, n_terms(x[-1], n))
        k = pi.shape[1]
        sums = pi @ flat[:k], pi @ flat_slopes[:k]
        value, slope = pattern_values(patterns, structure, q, sums, first, last)
        if not (value > 0).all():
            return -np.inf, gradient, information
        count = patterns.count[first:last]
        total += float(count @ np.log(value))
        relative = slope / value[:, None]
        gradient += count @ relative
        information += (relative * count[:, None]).T @ relative
        row = patterns.gap[first:last] - patterns.gap[first]
        for known in (0, 1):
            of = patterns.known[first:last] == bool(known)
            cell = (row * n + patterns.start[first:last]) * n + patterns.end[first:last]
            mass = np.bincount(cell[of], (count / value)[of], len(x) * n * n).reshape(len(x), n * n)
            weighted[known, :k] += pi.T @ mass
    information -= second_order(u, first_order, structure, rate, q, weighted.reshape(2, terms, n, n))
    return total, gradient, information


def uniform_rate(q: Floats, patterns: Patterns) -> tuple[float, int]:
    """λ, the largest rate of leaving a state, and the number of terms that the longest gap needs."""
    longest = float(patterns.gaps[-1])
    rate = float(-np.diag(q).min()) or 1 / longest
    return rate, n_terms(rate * longest, len(q))


def blocks(patterns: Patterns, structure: Structure, rate: float) -> Iterator[tuple[Floats, int, int]]:
    """λt of successive gaps, and which patterns are theirs, few enough at once for the memory."""
    x, first = patterns.gaps * rate, 0
    size = max(n_terms(x[-1], structure.states), structure.states**2 * len(structure.origin))
    while first < len(x):
        last = first + max(CELLS // size, 1)
        a, b = np.searchsorted(patterns.gap, [first, last])
        yield x[first:last], int(a), int(b)
        first = last


def powers(u: Floats, terms: int) -> Floats:
    """Uᵏ, k < terms."""
    series = np.empty((terms, *u.shape))
    series[0] = np.eye(len(u))
    for k in range(1, terms):
        series[k] = u @ series[k - 1]
    return series


def power_derivatives(u: Floats, series: Floats, structure: Structure, rate: float) -> Floats:
    """∂Uᵏ in each rate: terms × from × rate × to. A rate changes only the row of its origin in U."""
    n, p = structure.states, len(structure.origin)
    origin, target, each = structure.origin, structure.target, np.arange(p)
    result = np.zeros((len(series), n, p, n))
    for k in range(1, len(series)):
        result[k] = (u @ result[k - 1].reshape(n, -1)).reshape(n, p, n)
        result[k, origin, each] += (series[k - 1, target] - series[k - 1, origin]) / rate
    return result


def second_order(u: Floats, slopes: Floats, structure: Structure, rate: float, q: Floats, weighted: Floats) -> Floats:
    """Σ_k of the second derivatives of Uᵏ (weighted[0]) and of UᵏQ (weighted[1]), each cell by its weight."""
    n, p = structure.states, len(structure.origin)
    origin, target, each = structure.origin, structure.target, np.arange(p)
    on_power = weighted[0] + weighted[1] @ q.T
    curve, total = np.zeros((n, p, p, n)), np.zeros((p, p))
    for k in range(1, len(slopes)):
        change = (slopes[k - 1, target] - slopes[k - 1, origin]) / rate  # rate u × rate v × to
        curve = (u @ curve.reshape(n, -1)).reshape(n, p, p, n)
        curve[origin, each] += change
        curve[origin, :, each] += change
        total += np.einsum("iuvj,ij->uv", curve, on_power[k])
        cross = np.einsum("iuv,iv->uv", slopes[k][:, :, origin], weighted[1, k][:, target] - weighted[1, k][:, origin])
        total += cross + cross.T
    return total


def pattern_values(
    patterns: Patterns,
    structure: Structure,
    q: Floats,
    sums: tuple[Floats, Floats | None],
    first: int,
    last: int,
) -> tuple[Floats, Floats | None]:
    """The probability (or density) of patterns first:last and its slope in each rate, from the sums over their gaps."""
    n, p = structure.states, len(structure.origin)
    gap = patterns.gap[first:last] - patterns.gap[first]
    start, end, known = patterns.start[first:last], patterns.end[first:last], patterns.known[first:last]
    probability = sums[0].reshape(-1, n, n)
    value = probability[gap, start, end]
    # Entered at that very time: Σ_r P_ir q_rs, with q_ss = 0 as s is absorbing.
    value[known] = np.einsum("mr,rm->m", probability[gap[known], start[known]], q[:, end[known]])
    if sums[1] is None:
        return value, None
    change = sums[1].reshape(-1, n, p, n)
    slope = change[gap, start, :, end]
    slope[known] = np.einsum("mpr,rm->mp", change[gap[known], start[known]], q[:, end[known]])
    into = end[known][:, None] == structure.target
    slope[known] += np.where(into, probability[gap[known], start[known]][:, structure.origin], 0.0)
    return value, slope
