"""A Markov model of persons seen at visits only: what happened between two visits is not known, only both states.

Maximum likelihood for a time-homogeneous continuous-time model (Kalbfleisch & Lawless 1985). Compared with R msm 1.8.2
in tests/golden/test_panel_markov.py.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.display import as_html, plot, to_frame
from trajectories.survival.checks import Floats, Integers, labels, normal_quantile, refuse, times

# ----------------------------------------------------------------------------------------------------
# The likelihood of a continuous-time Markov model seen at visits, with its exact gradient and information.
#
# Only distinct (gap, from, to) patterns matter, with their counts. Transition probabilities come by uniformisation
# (Jensen 1953): P(t) = Σ_k e^{−λt}(λt)^k/k! Uᵏ with U = I + Q/λ, where nothing is subtracted, so that small
# probabilities are right to many digits, and where the powers of U, and their derivatives in each rate, are shared by
# all gaps. λ is held while differentiating, as P does not depend on it.

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
        if slope is None or not (value > 0).all():
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
    origin, target, rates = structure.origin, structure.target, np.arange(p)
    result = np.zeros((len(series), n, p, n))
    for k in range(1, len(series)):
        result[k] = (u @ result[k - 1].reshape(n, -1)).reshape(n, p, n)
        result[k, origin, rates] += (series[k - 1, target] - series[k - 1, origin]) / rate
    return result


def second_order(u: Floats, slopes: Floats, structure: Structure, rate: float, q: Floats, weighted: Floats) -> Floats:
    """Σ_k of the second derivatives of Uᵏ (weighted[0]) and of UᵏQ (weighted[1]), each cell by its weight."""
    n, p = structure.states, len(structure.origin)
    origin, target, rates = structure.origin, structure.target, np.arange(p)
    on_power = weighted[0] + weighted[1] @ q.T
    curve, total = np.zeros((n, p, p, n)), np.zeros((p, p))
    for k in range(1, len(slopes)):
        change = (slopes[k - 1, target] - slopes[k - 1, origin]) / rate  # rate u × rate v × to
        curve = (u @ curve.reshape(n, -1)).reshape(n, p, p, n)
        curve[origin, rates] += change
        curve[origin, :, rates] += change
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


# ----------------------------------------------------------------------------------------------------
# Maximises the panel likelihood: Newton's method on log rates, and rates that belong on the boundary, 0.

ITERATIONS = 300
LONGEST = 10_000.0  # moves in the longest gap: a rate beyond that runs to infinity (terms of the sums are as many)
STEP = 1.5  # the most a log rate changes at once
CLOSE = 1e-6  # of log-likelihood still to gain: from here on whole Newton steps, which rounding cannot mislead
CLOSED = 1e-15  # and from here on the maximum is reached: 4e-8 of a standard error
VANISHED = 1e-4  # moves that a rate explains in the whole panel: fewer, and it is tried at 0
HIGHER = 1e-6  # of log-likelihood: less is the same maximum
FLAT = 1e-9  # of the largest information: a direction with less is not identified by the data
UNTOLD = 1e-6  # and so is one whose log rate has a standard error above 1,000


def maximise(
    patterns: Patterns,
    structure: Structure,
    pairs: Integers,
    spent: Floats,
    names: Sequence[tuple[Hashable, Hashable]],
) -> tuple[Floats, NDArray[np.bool_], float, Floats]:
    """The rates, which of them are at 0, the log-likelihood, and the covariance of the logarithms of the others.

    Parameters
    ----------
    patterns, structure : what was seen and which transitions are allowed
    pairs : array of shape (states, states)
        Counts of successive states.
    spent : array of shape (states,)
        Time between visits, by the state at its beginning.
    names : the (from, to) labels of the rates, for errors
    """
    origin, target = structure.origin, structure.target
    base = np.where(spent > 0, spent, spent.sum())[origin]
    best = climb(patterns, structure, (pairs[origin, target] + 0.5) / base, base, names)
    # The likelihood may have several maxima: a start that knows nothing of the pairs sometimes finds a higher one.
    moves = pairs.sum() - np.trace(pairs)
    try:
        from_even_rates = climb(patterns, structure, np.full(len(origin), moves / spent.sum()), base, names)
    except ValueError:
        return best
    return from_even_rates if from_even_rates[2] > best[2] + HIGHER else best


def climb(
    patterns: Patterns,
    structure: Structure,
    rates: Floats,
    base: Floats,
    names: Sequence[tuple[Hashable, Hashable]],
) -> tuple[Floats, NDArray[np.bool_], float, Floats]:
    """The maximum that is reached from these rates; `base` is the time spent in the state that each rate leaves."""
    zero, inside = np.zeros(len(rates), dtype=bool), np.zeros(len(rates), dtype=bool)
    refuse_endless(patterns, structure, rates, names)
    value, gradient, information = derivatives(patterns, structure, rates)
    for _ in range(ITERATIONS):
        vanishing = ~zero & ~inside & (rates * base < VANISHED) & (gradient < 0)
        if vanishing.any():
            without = np.where(vanishing, 0.0, rates)
            fit = derivatives(patterns, structure, without)
            if np.isfinite(fit[0]):
                zero, rates, (value, gradient, information) = zero | vanishing, without, fit
            else:  # some observed pair needs them
                inside |= vanishing
        free = ~zero
        slope, bend = on_log_scale(rates[free], gradient[free], information[np.ix_(free, free)])
        step, gain = newton(slope, bend)
        if gain < CLOSED:
            back = zero & (gradient > 0)
            if not back.any():
                free_names = [name for name, out in zip(names, zero, strict=True) if not out]
                inverse(bend, free_names)
                rates[free] *= np.exp(step)  # a last step squares what error is left
                value, gradient, information = derivatives(patterns, structure, rates)
                bend = on_log_scale(rates[free], gradient[free], information[np.ix_(free, free)])[1]
                return rates, zero, value, inverse(bend, free_names)
            # The boundary was wrong for these: back inside, and not dropped again.
            zero, inside = zero & ~back, inside | back
            rates = np.where(back, VANISHED / base, rates)
        else:
            rates = after_step(patterns, structure, rates, free, step, value, gain)
        refuse_endless(patterns, structure, rates, names)
        value, gradient, information = derivatives(patterns, structure, rates)
    raise ValueError(f"allowed: no maximum of the likelihood found in {ITERATIONS} iterations")


def on_log_scale(rates: Floats, gradient: Floats, information: Floats) -> tuple[Floats, Floats]:
    """Gradient and information in log q from those in q."""
    slope = rates * gradient
    return slope, information * np.outer(rates, rates) - np.diag(slope)


def newton(slope: Floats, bend: Floats) -> tuple[Floats, float]:
    """The step, uphill also where the likelihood is not concave, and what it gains on a parabola."""
    if not len(slope):
        return slope, 0.0
    values, vectors = np.linalg.eigh(bend)
    sizes = np.maximum(np.abs(values), 1e-14 * np.abs(values).max() + 1e-300)
    along = vectors.T @ slope
    step = vectors @ (along / sizes)
    return step * min(1.0, STEP / max(np.abs(step).max(), 1e-300)), float((along**2 / sizes).sum() / 2)


def after_step(
    patterns: Patterns,
    structure: Structure,
    rates: Floats,
    free: NDArray[np.bool_],
    step: Floats,
    value: float,
    gain: float,
) -> Floats:
    """The rates after the step, halved until the likelihood rises."""
    for halving in range(40):
        trial = rates.copy()
        trial[free] = rates[free] * np.exp(step / 2**halving)
        if gain < CLOSE or log_likelihood(patterns, structure, trial) > value:
            return trial
    return trial


def refuse_endless(
    patterns: Patterns, structure: Structure, rates: Floats, names: Sequence[tuple[Hashable, Hashable]]
) -> None:
    """Raises where a state is left so fast that the longest gap would hold more moves than can be summed."""
    if float(np.bincount(structure.origin, rates).max()) * float(patterns.gaps[-1]) > LONGEST:
        origin, target = names[int(np.argmax(rates))]
        raise ValueError(
            f"allowed: the rate of {origin} → {target} grows beyond {LONGEST:,.0f} moves in the longest gap: "
            "the gaps are too long to tell it"
        )


def inverse(bend: Floats, names: Sequence[tuple[Hashable, Hashable]]) -> Floats:
    """The covariance; refuses a direction in which the likelihood does not bend."""
    if not len(bend):
        return bend
    values, vectors = np.linalg.eigh(bend)
    if values[0] <= max(FLAT * values[-1], UNTOLD):
        which = np.flatnonzero(np.abs(vectors[:, 0]) > 0.3)
        listed = ", ".join(f"{names[i][0]} → {names[i][1]}" for i in which.tolist())
        raise ValueError(
            f"allowed: the data do not tell the rate of {listed}: the likelihood does not change with it. "
            "Leave it out, or observe at shorter gaps"
        )
    return (vectors / values) @ vectors.T


# ----------------------------------------------------------------------------------------------------

Allowed: TypeAlias = Sequence[tuple[Hashable, Hashable]] | NDArray[Any] | pd.DataFrame


@dataclass(frozen=True)
class PanelFit:
    """A fitted model. Squares are labelled by state, from in rows, to in columns; rates are per unit of time."""

    intensity: pd.DataFrame  # off the diagonal the rates, on it minus their sum
    intensity_se: pd.DataFrame  # missing where the estimate is on the boundary
    intensity_lower: pd.DataFrame  # limits on the log scale; on the diagonal of minus the entry
    intensity_upper: pd.DataFrame
    at_boundary: pd.DataFrame  # True where a rate is allowed and its estimate is 0
    log_likelihood: float
    sojourn: pd.Series  # mean time in each state that can be left, −1/q
    sojourn_se: pd.Series
    pairs: pd.DataFrame  # observed pairs of successive states
    covariance: pd.DataFrame  # of the logarithms of the rates that are not 0, labelled (from, to)
    persons: int
    seen_once: int  # persons of one observation: they carry no information

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame

    @property
    def rates(self) -> pd.DataFrame:
        """The rates between states, a row each: from_state, to_state, intensity, se, lower, upper, at_boundary."""
        squares = {
            "intensity": self.intensity,
            "se": self.intensity_se,
            "lower": self.intensity_lower,
            "upper": self.intensity_upper,
            "at_boundary": self.at_boundary,
        }
        long = pd.DataFrame({name: square.stack(future_stack=True) for name, square in squares.items()})
        long = long.rename_axis(["from_state", "to_state"]).reset_index()
        allowed = long["from_state"].ne(long["to_state"]) & (long["intensity"].gt(0) | long["at_boundary"])
        return long[allowed].reset_index(drop=True)

    def probability(self, t: float) -> pd.DataFrame:
        """P(t): the probability of each state (columns) a time t after each state (rows)."""
        if not (np.isfinite(t) and t >= 0):
            raise ValueError(f"t: 1 value, {t}, is not a finite number from 0 up")
        frame = self.intensity
        return pd.DataFrame(transition_matrix(frame.to_numpy(), float(t)), frame.index, frame.columns)


def panel_markov(
    person: ArrayLike,
    time: ArrayLike,
    state: ArrayLike,
    allowed: Allowed,
    *,
    exact: Hashable | Sequence[Hashable] | None = None,
    conf_level: float = 0.95,
) -> PanelFit:
    """Rates between states from the states seen at visits.

    Parameters
    ----------
    person : array of shape (n,)
        Labels; rows may come in any order.
    time : array of shape (n,)
        Of the visit, from 0 up, in months (or any unit: rates are per that unit).
    state : array of shape (n,)
        Labels of the states seen.
    allowed : list of pairs, square array or DataFrame
        The direct transitions of the model: pairs (from, to) of labels; or a square, non-zero where a transition is
        allowed (its diagonal is not read), of the states seen in sorted order. A DataFrame carries its own labels and
        may name states that nobody was seen in.
    exact : label or list of labels, optional
        Absorbing states whose time of entry is the time of the visit (a death, a departure with its date), the state
        just before being unknown.
    conf_level : float
        Of the limits.

    Returns
    -------
    PanelFit
        A state that cannot be left has a row of zeros. A rate whose estimate is on the boundary is 0, marked in
        `at_boundary`, without standard error or limits; the other standard errors are those of a model without it.

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time repeated by a person, an unknown label; for pairs that `allowed`
        makes impossible, said with their counts, and observations after an absorbing state; where nobody changes
        state (« no event to fit »); where the data do not tell a rate (the likelihood is flat in it, or grows as it
        goes to infinity).

    Notes
    -----
    Visits are taken as telling nothing of the state (planned, or by a rule that depends on past visits only). The
    likelihood is Π P_{ij}(gap), and Σ_r P_{ir}(gap) q_{rs} for an exact entry into s. Newton's method on the log
    rates, with exact derivatives; a rate that goes to 0 is set to 0 where the gradient there is not positive (Kuhn–
    Tucker). se: the inverse of the observed information of the log rates, the delta method for rates and mean sojourns.
    As the likelihood may have several maxima, the higher of two is kept: from transitions seen over time spent, and
    from one rate for all.

    R: ``msm(state ~ time, subject = person, qmatrix = Q, deathexact = exact)``; `qmatrix.msm` gives
    its rates, `sojourn.msm` the sojourns. Largest relative difference seen over tests/golden: 6e-8 (rates), 2e-7
    (standard errors).

    Examples
    --------
    >>> fit = panel_markov([1, 1, 1, 2, 2, 2], [0, 6, 12] * 2, list("aabaaa"), [("a", "b")])
    >>> fit.intensity.loc["a"].round(6).tolist(), fit.probability(12).loc["a"].round(6).tolist()
    ([-0.047947, 0.047947], [0.5625, 0.4375])
    """
    moment = times("time", time)
    person_codes, persons = labels("person", person, len(moment))
    code, seen = labels("state", state, len(moment))
    states, square = structure_of(allowed, seen)
    code = states.get_indexer(pd.Index(seen))[code]
    refuse("state", code < 0, f"are not among the states of allowed: {', '.join(map(str, states))}")
    absorbing = np.logical_not(square.any(axis=1))
    dated = np.isin(np.arange(len(states)), codes_of("exact", exact, states))
    refuse("exact", (dated & ~absorbing)[dated], "are states that can be left")
    structure = Structure(len(states), *np.nonzero(square))

    order = np.lexsort((moment, person_codes))
    person_codes, moment, code = person_codes[order], moment[order], code[order]
    same = person_codes[1:] == person_codes[:-1]
    gap, start, end = (moment[1:] - moment[:-1])[same], code[:-1][same], code[1:][same]
    refuse_pairs(gap, start, end, states, square, absorbing, len(moment))
    patterns = patterns_of(gap, start, end, dated[end])
    spent = np.bincount(start, gap, len(states)).astype(float, copy=False)
    pairs = np.bincount(start * len(states) + end, minlength=len(states) ** 2).reshape(len(states), -1)

    names = list(zip(states[structure.origin], states[structure.target], strict=True))
    rates, at_zero, log_likelihood, covariance = maximise(patterns, structure, pairs, spent, names)
    summary = summarise(structure, rates, at_zero, covariance, normal_quantile(conf_level))
    frames = {name: pd.DataFrame(values, states, states) for name, values in summary.items()}
    leave, q, se = ~absorbing, np.diag(summary["intensity"]), np.diag(summary["intensity_se"])
    with np.errstate(divide="ignore", invalid="ignore"):  # a state that is never left: an infinite stay, no se
        sojourn, sojourn_se = 1 / np.abs(q[leave]), se[leave] / q[leave] ** 2
    free = pd.MultiIndex.from_tuples(
        [n for n, zero in zip(names, at_zero, strict=True) if not zero], names=["from", "to"]
    )
    return PanelFit(
        **frames,
        log_likelihood=log_likelihood,
        sojourn=pd.Series(sojourn, states[leave], name="sojourn"),
        sojourn_se=pd.Series(np.where(np.isfinite(sojourn), sojourn_se, np.nan), states[leave], name="sojourn_se"),
        pairs=pd.DataFrame(pairs, states, states),
        covariance=pd.DataFrame(covariance, free, free),
        persons=len(persons),
        seen_once=int(np.count_nonzero(np.bincount(person_codes) == 1)),
    )


def structure_of(allowed: Allowed, seen: NDArray[Any]) -> tuple[pd.Index, NDArray[np.bool_]]:
    """The states, and which direct transitions are allowed."""
    if isinstance(allowed, pd.DataFrame):
        states, values = pd.Index(allowed.index), allowed.to_numpy()
        if not states.equals(pd.Index(allowed.columns)) or states.has_duplicates:
            raise ValueError(f"allowed: its {len(states)} rows and columns are not the same states, each once")
    elif isinstance(allowed, np.ndarray) and allowed.ndim == 2 and allowed.shape[0] == allowed.shape[1]:
        states, values = pd.Index(seen), allowed
        if len(values) != len(states):
            raise ValueError(f"allowed: {len(values)} states given, {len(states)} seen; a DataFrame may name more")
    else:
        states, pairs = pd.Index(seen), [tuple(pair) for pair in allowed]
        refuse("allowed", np.array([len(pair) != 2 for pair in pairs], dtype=bool), "are not pairs (from, to)")
        codes = states.get_indexer(pd.Index([label for pair in pairs for label in pair])).reshape(-1, 2)
        refuse("allowed", (codes < 0).any(axis=1), "name a state that is not seen; a DataFrame may name more")
        refuse("allowed", codes[:, 0] == codes[:, 1], "go from a state to itself")
        values = np.zeros((len(states), len(states)), dtype=bool)
        values[codes[:, 0], codes[:, 1]] = True
    refuse("allowed", pd.isna(values).ravel(), "are missing")
    square = values.astype(bool) & ~np.eye(len(states), dtype=bool)
    if not square.any():
        raise ValueError("allowed: 0 transitions given, at least 1 expected")
    return states, square


def codes_of(name: str, requested: Hashable | Sequence[Hashable] | None, states: pd.Index) -> Integers:
    """The codes of one label or several."""
    if requested is None:
        return np.array([], dtype=np.int64)
    requested_labels = (
        list(requested) if isinstance(requested, Iterable) and pd.api.types.is_list_like(requested) else [requested]
    )
    codes = states.get_indexer(pd.Index(requested_labels))
    refuse(name, codes < 0, f"are not among the states: {', '.join(map(str, states))}")
    return codes


def refuse_pairs(
    gap: Floats,
    start: Integers,
    end: Integers,
    states: pd.Index,
    square: NDArray[np.bool_],
    absorbing: NDArray[np.bool_],
    n: int,
) -> None:
    """Raises for repeated times, observations after an absorbing state, and pairs without a path between them."""
    if repeated := int(np.count_nonzero(gap <= 0)):
        raise ValueError(f"time: {repeated} of {n} values repeat a time of the same person")
    if after := int(np.count_nonzero(absorbing[start])):
        which = ", ".join(str(states[i]) for i in np.unique(start[absorbing[start]]))
        raise ValueError(f"state: {after} of {n} values come after an absorbing state ({which}) of the same person")
    path = np.eye(len(states), dtype=bool) | square
    for _ in range(len(states).bit_length()):
        path = path @ path
    impossible = ~path[start, end]
    if impossible.any():
        kinds, counts = np.unique(np.column_stack([start, end])[impossible], axis=0, return_counts=True)
        listed = ", ".join(f"{states[a]} → {states[b]} ({c})" for (a, b), c in zip(kinds, counts, strict=True))
        raise ValueError(f"state: {impossible.sum()} of {len(gap)} pairs are impossible under allowed: {listed}")
    if not (start != end).any():
        raise ValueError(f"state: 0 of {len(gap)} pairs change state: no event to fit")


def patterns_of(gap: Floats, start: Integers, end: Integers, known: NDArray[np.bool_]) -> Patterns:
    """Distinct (gap, from, to), in order of the gap."""
    gaps, position = np.unique(gap, return_inverse=True)
    size = int(max(start.max(), end.max())) + 1
    _, first, count = np.unique((position * size + start) * size + end, return_index=True, return_counts=True)
    return Patterns(gaps, position[first], start[first], end[first], known[first], count.astype(float))


def summarise(
    structure: Structure, rates: Floats, at_zero: NDArray[np.bool_], covariance: Floats, z: float
) -> dict[str, NDArray[Any]]:
    """Squares of the estimates, their standard errors and limits; `covariance` is of the logarithms."""
    n, origin, target = structure.states, structure.origin, structure.target
    q = structure.generator(rates)
    se, boundary = np.zeros((n, n)), np.zeros((n, n), dtype=bool)
    boundary[origin, target] = at_zero
    free = ~at_zero
    se[origin[free], target[free]] = rates[free] * np.sqrt(np.diag(covariance))
    member = (origin[free] == np.arange(n)[:, None]) * rates[free]  # the gradient of each row's sum in log rates
    np.fill_diagonal(se, np.sqrt(np.einsum("iu,uv,iv->i", member, covariance, member)))
    stuck = np.isin(np.arange(n), origin) & (np.diag(q) == 0)
    se[boundary] = np.nan
    se[stuck, stuck] = np.nan
    size = np.abs(q)
    width = np.exp(z * np.divide(se, size, out=np.zeros((n, n)), where=size > 0))
    near, far = size / width, size * width
    near[np.isnan(se)] = far[np.isnan(se)] = np.nan
    below = np.eye(n, dtype=bool)
    return {
        "intensity": q + 0.0,
        "intensity_se": se,
        "intensity_lower": np.where(below, -far, near) + 0.0,
        "intensity_upper": np.where(below, -near, far) + 0.0,
        "at_boundary": boundary,
    }
