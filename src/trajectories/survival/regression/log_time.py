"""Likelihood of log-time location–scale models: log T = η + σ W, for exits known exactly or in (lower, upper].

W has a standard smallest-extreme-value (Weibull T), normal (log-normal T) or logistic (log-logistic T) distribution
(Kalbfleisch & Prentice 2002, 2.2; Collett 2015, ch. 5–6). With a share π that never leaves, S(t) = π + (1 − π) S₀(t).
A person contributes

- the density of T at an exact time (in the unit of time: − log t − log σ), or S(lower) − S(upper), or S(lower);
- divided by S(entry), where entry is delayed: the person is in the sample because T > entry.

A likelihood here is a function of up to three predictors a person: η, log σ and logit π. `row_terms` gives it with its
first and second derivatives by those; a model multiplies them by its designs. So one Newton, one information matrix and
one set of scores (for households) serve every model, and nothing is differentiated numerically.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, labels, refuse, times, weights_of

MOST = 50.0  # e^e^50 is long past any number: beyond it an extreme-value survival is 0
TINY = 1e-300


@dataclass(frozen=True)
class Family:
    """A distribution of W: log f, log S, ψ = (log f)′ and ψ′."""

    log_density: Callable[[Floats], Floats]
    log_survival: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    bend: Callable[[Floats], Floats]


def expit(z: Floats) -> Floats:
    """1 / (1 + e^−z), without overflow."""
    return np.exp(-np.logaddexp(0.0, -z))


def log_normal_tail(z: Floats) -> Floats:
    """log Φ(−z)."""
    from scipy.special import log_ndtr

    return log_ndtr(-z)


def rise(z: Floats) -> Floats:
    """e^z, where it is still a number."""
    return np.exp(np.minimum(z, MOST))


FAMILIES = {
    "weibull": Family(lambda z: z - rise(z), lambda z: -rise(z), lambda z: 1.0 - rise(z), lambda z: -rise(z)),
    "lognormal": Family(
        lambda z: -0.5 * z**2 - 0.5 * np.log(2 * np.pi), log_normal_tail, lambda z: -z, lambda z: np.full_like(z, -1.0)
    ),
    "loglogistic": Family(
        lambda z: z - 2.0 * np.logaddexp(0.0, z),
        lambda z: -np.logaddexp(0.0, z),
        lambda z: 1.0 - 2.0 * expit(z),
        lambda z: -2.0 * expit(z) * expit(-z),
    ),
}


@dataclass(frozen=True)
class Exits:
    """Checked intervals, one value a person; persons of weight 0 are left out."""

    lower: Floats
    upper: Floats
    entry: Floats
    weights: Floats
    cluster: Integers | None
    robust: bool  # only the sandwich gives a valid standard error
    used: np.ndarray  # which of the persons given are here

    @property
    def known(self) -> np.ndarray:
        """True where there was an exit."""
        return np.isfinite(self.upper)

    @property
    def centre(self) -> Floats:
        """A time for each exit: the middle of the interval."""
        known = self.known
        return (self.lower[known] + self.upper[known]) / 2


def exits(
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> Exits:
    """Reads (lower, upper]; refuses what has no likelihood, and a sample without an exit."""
    low = times("lower", lower)
    n = len(low)
    high = times("upper", upper, n, infinite=True)
    refuse("upper", high < low, "are below lower")
    refuse("upper", high == 0, "are 0: log 0 is no number; an exit known to be early is (0, upper]")
    start = np.zeros(n) if entry is None else times("entry", entry, n)
    refuse("entry", start > low, "are above lower")
    refuse("upper", (high == low) & (start == low), "are not after their entry")
    mass = weights_of(weights, n)
    household = None if cluster is None else labels("cluster", cluster, n)[0]
    used = mass > 0
    if not np.isfinite(high[used]).any():
        raise ValueError(f"upper: no event to fit, all {int(used.sum())} values are infinite")
    robust = household is not None or not np.all(mass == np.floor(mass))
    kept = (x if used.all() else x[used] for x in (low, high, start, mass))
    return Exits(*kept, None if household is None else household[used], robust, used)


@dataclass(frozen=True)
class Ends:
    """What the survival at some times adds to the likelihood of the persons `rows`."""

    rows: Integers
    log_time: Floats


@dataclass(frozen=True)
class LogTimes:
    """Exits by kind, with logarithms taken once."""

    n: int
    exact: Ends
    opens: Ends  # the lower end of intervals; −inf from 0, where nothing has happened yet
    closes: Ends  # their upper end
    censored: Ends
    entered: Ends


def log_times(given: Exits) -> LogTimes:
    """Persons censored at 0, or at their entry, say nothing: they are in none of the kinds."""

    def ends(chosen: np.ndarray, time: Floats) -> Ends:
        rows = np.flatnonzero(chosen)
        value = time[rows]
        return Ends(rows, np.where(value > 0, np.log(np.maximum(value, TINY)), -np.inf))

    exact, known = given.lower == given.upper, given.known
    silent = ~known & (given.lower == given.entry)
    return LogTimes(
        len(given.lower),
        ends(exact, given.lower),
        ends(known & ~exact, given.lower),
        ends(known & ~exact, given.upper),
        ends(~known & ~silent, given.lower),
        ends((given.entry > 0) & ~silent, given.entry),
    )


@dataclass(frozen=True)
class Terms:
    """Per person: log-likelihood (n), its first (p × n) and second derivatives (p × p × n) by the p predictors."""

    value: Floats
    first: Floats
    second: Floats


def row_terms(family: Family, given: LogTimes, eta: Floats, log_scale: float, logit: Floats | None = None) -> Terms:
    """Predictors are η, log σ (one for all) and, where `logit` is given, logit π."""
    p = 2 if logit is None else 3
    out = Terms(np.zeros(given.n), np.zeros((p, given.n)), np.zeros((p, p, given.n)))
    sigma = np.exp(log_scale)

    def standard(ends: Ends) -> Floats:
        return (ends.log_time - eta[ends.rows]) / sigma

    rows = given.exact.rows
    if len(rows):
        z = standard(given.exact)
        psi, bend = family.slope(z), family.bend(z)
        out.value[rows] += family.log_density(z) - log_scale - given.exact.log_time
        out.first[0, rows] += -psi / sigma
        out.first[1, rows] += -psi * z - 1.0
        out.second[0, 0, rows] += bend / sigma**2
        out.second[0, 1, rows] += (bend * z + psi) / sigma
        out.second[1, 1, rows] += (bend * z + psi) * z

    rows = given.opens.rows
    if len(rows):
        low, high = (standard(ends) for ends in (given.opens, given.closes))
        late, early = family.log_survival(high), np.zeros(len(rows))
        inside = np.isfinite(low)
        early[inside] = family.log_survival(low[inside])
        size = early + np.log(-np.expm1(late - early))  # log(S(lower) − S(upper)), in either tail
        first, second = survival_slopes(family, high, size, sigma, -1.0)
        opening = survival_slopes(family, low[inside], size[inside], sigma, 1.0)
        first[:, inside] += opening[0]
        second[..., inside] += opening[1]
        add_logarithm(out, rows, size, first, second, 1.0)

    for ends, sign in ((given.censored, 1.0), (given.entered, -1.0)):
        if not len(ends.rows):
            continue
        z = standard(ends)
        log_s = family.log_survival(z)
        if logit is None:
            add_logarithm(out, ends.rows, log_s, *survival_slopes(family, z, log_s, sigma, 1.0), sign)
            continue
        stay, leave = -np.logaddexp(0.0, -logit[ends.rows]), -np.logaddexp(0.0, logit[ends.rows])
        log_mixed = np.logaddexp(stay, leave + log_s)
        first, second = np.zeros((3, len(z))), np.zeros((3, 3, len(z)))
        # The latency part carries 1 − π; the share's own part is π(1 − π)(1 − S₀).
        first[:2], second[:2, :2] = survival_slopes(family, z, log_mixed - leave, sigma, 1.0)
        gain = np.exp(stay + leave - log_mixed) * -np.expm1(log_s)
        first[2] = gain
        second[2, 2] = gain * (1.0 - 2.0 * np.exp(stay))
        second[:2, 2] = -np.exp(stay) * first[:2]
        second[2, :2] = second[:2, 2]
        add_logarithm(out, ends.rows, log_mixed, first, second, sign)

    if logit is not None:  # whoever left is not of those who never do
        rows = np.concatenate([given.exact.rows, given.opens.rows])
        share = expit(logit[rows])
        out.value[rows] -= np.logaddexp(0.0, logit[rows])
        out.first[2, rows] -= share
        out.second[2, 2, rows] -= share * (1.0 - share)
    out.second[1, 0] = out.second[0, 1]
    return out


def survival_slopes(family: Family, z: Floats, log_size: Floats, sigma: float, sign: float) -> tuple[Floats, Floats]:
    """Derivatives of ± S(z) by η and log σ, over e^log_size: 2 × rows and 2 × 2 × rows."""
    density = sign * np.exp(family.log_density(z) - log_size)
    by_scale = density * (family.slope(z) * z + 1.0)
    first = np.array([density / sigma, density * z])
    cross = -by_scale / sigma
    return first, np.array([[-family.slope(z) * density / sigma**2, cross], [cross, -by_scale * z]])


def add_logarithm(out: Terms, rows: Integers, log_size: Floats, first: Floats, second: Floats, sign: float) -> None:
    """Adds ± log of a quantity whose derivatives, over itself, are `first` and `second`."""
    p = len(first)
    out.value[rows] += sign * log_size
    out.first[:p, rows] += sign * first
    out.second[:p, :p, rows] += sign * (second - first[:, None] * first[None, :])


def survival(distribution: str, times_: Floats, eta: Floats, log_scale: float) -> Floats:
    """S₀(t): persons × times."""
    z = (np.log(np.maximum(times_, TINY))[None, :] - eta[:, None]) / np.exp(log_scale)
    return np.where(times_[None, :] > 0, np.exp(FAMILIES[distribution].log_survival(z)), 1.0)
