"""Maximises the panel likelihood: Newton's method on log rates, and rates that belong on the boundary, 0."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.states.panel_likelihood import Patterns, Structure, derivatives, log_likelihood

ITERATIONS = 300
LONGEST = 10_000.0  # moves in the longest gap: a rate beyond that runs to infinity (terms of the sums are as many)
STEP = 1.5  # the most a log rate changes at once
CLOSE = 1e-6  # of log-likelihood still to gain: from here on whole Newton steps, which rounding cannot mislead
CLOSED = 1e-15  # and from here on the maximum is reached: 4e-8 of a standard error
VANISHED = 1e-4  # moves that a rate explains in the whole panel: fewer, and it is tried at 0
HIGHER = 1e-6  # of log-likelihood: less is the same maximum
FLAT = 1e-9  # of the largest information: a direction with less is not told by the data
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
        other = climb(patterns, structure, np.full(len(origin), moves / spent.sum()), base, names)
    except ValueError:
        return best
    return other if other[2] > best[2] + HIGHER else best


def climb(
    patterns: Patterns,
    structure: Structure,
    rates: Floats,
    base: Floats,
    names: Sequence[tuple[Hashable, Hashable]],
) -> tuple[Floats, NDArray[np.bool_], float, Floats]:
    """The maximum that is reached from these rates; `base` is the time spent in the state that each rate leaves."""
    zero, kept = np.zeros(len(rates), dtype=bool), np.zeros(len(rates), dtype=bool)
    refuse_endless(patterns, structure, rates, names)
    value, gradient, information = derivatives(patterns, structure, rates)
    for _ in range(ITERATIONS):
        vanishing = ~zero & ~kept & (rates * base < VANISHED) & (gradient < 0)
        if vanishing.any():
            without = np.where(vanishing, 0.0, rates)
            fit = derivatives(patterns, structure, without)
            if np.isfinite(fit[0]):
                zero, rates, (value, gradient, information) = zero | vanishing, without, fit
            else:  # some observed pair needs them
                kept |= vanishing
        free = ~zero
        slope, bend = on_log_scale(rates[free], gradient[free], information[np.ix_(free, free)])
        step, gain = newton(slope, bend)
        if gain < CLOSED:
            back = zero & (gradient > 0)
            if not back.any():
                left = [name for name, out in zip(names, zero, strict=True) if not out]
                inverse(bend, left)
                rates[free] *= np.exp(step)  # a last step squares what error is left
                value, gradient, information = derivatives(patterns, structure, rates)
                bend = on_log_scale(rates[free], gradient[free], information[np.ix_(free, free)])[1]
                return rates, zero, value, inverse(bend, left)
            # The boundary was wrong for these: back inside, and not dropped again.
            zero, kept = zero & ~back, kept | back
            rates = np.where(back, VANISHED / base, rates)
        else:
            rates = moved(patterns, structure, rates, free, step, value, gain)
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


def moved(
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
        listed = ", ".join(f"{names[i][0]} → {names[i][1]}" for i in which)
        raise ValueError(
            f"allowed: the data do not tell the rate of {listed}: the likelihood does not change with it. "
            "Leave it out, or observe at shorter gaps"
        )
    return (vectors / values) @ vectors.T
