"""One number a trajectory: how varied, how turbulent, how complex it is; and its runs.

Entropy (Shannon) of the time spent in each state, over its largest value; turbulence (Elzinga and Liefbroer 2007) from
the number of distinct subsequences of the successive states and the variance of their lengths; complexity (Gabadinho
et al. 2010), the geometric mean of the share of months with a transition and of entropy. Compared with R TraMineR.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .states import check_weights, coded, distinct, run_lengths

INDICATORS = ("entropy", "turbulence", "complexity", "n_transitions")


def indicators(sequences: pd.DataFrame) -> pd.DataFrame:
    """
    Entropy, turbulence, complexity and number of transitions of each sequence.

    Parameters
    ----------
    sequences : DataFrame, persons × months
        State labels, none missing.

    Returns
    -------
    DataFrame
        Index as `sequences`; entropy and complexity in 0–1, turbulence from 1 (one state), n_transitions (changes of
        state).

    Examples
    --------
    >>> indicators(pd.DataFrame([list("RRRR"), list("RRMM")])).round(3).to_numpy().tolist()
    [[0.0, 1.0, 0.0, 0.0], [1.0, 3.0, 0.577, 1.0]]
    """
    them = coded(sequences)
    rows = distinct(them.codes)
    codes, months, size = them.codes[rows.first], them.codes.shape[1], len(them.labels)
    row, begin, length = run_lengths(codes)
    changes = np.bincount(row) - 1
    spent = np.stack([(codes == code).sum(axis=1) for code in range(size)], axis=1) / months
    entropy = -np.sum(spent * np.log(np.where(spent > 0, spent, 1.0)), axis=1) / np.log(max(size, 2))
    entropy = np.abs(entropy)  # −0 where there is one state
    found = {
        "entropy": entropy,
        "turbulence": _turbulence(codes, row, begin, length),
        "complexity": np.sqrt(changes / max(months - 1, 1) * entropy),
        "n_transitions": changes,
    }
    return pd.DataFrame({name: values[rows.which] for name, values in found.items()}, index=sequences.index)


def _turbulence(codes: np.ndarray, row: np.ndarray, begin: np.ndarray, length: np.ndarray) -> np.ndarray:
    months, n = codes.shape[1], len(codes)
    spells = np.bincount(row)
    variance = np.bincount(row, length**2) / spells - (months / spells) ** 2
    # the variance if all spells but one lasted a month
    largest = (spells - 1) * (1 - months / spells) ** 2
    position = np.arange(len(row)) - np.searchsorted(row, row)
    states = np.full((n, spells.max()), -1)
    states[row, position] = codes[row, begin]
    return np.log2(_subsequences(states) * (largest + 1) / (np.maximum(variance, 0) + 1))


def _subsequences(states: np.ndarray) -> np.ndarray:
    """Distinct subsequences of each row, the empty one too; −1 pads. φ doubles, less those that ended in that state."""
    phi = np.ones(len(states))
    ended = np.zeros((len(states), states.max() + 1))
    rows = np.arange(len(states))
    for state in states.T:
        on = state >= 0
        before = phi[on]
        phi[on] = 2 * before - ended[rows[on], state[on]]
        ended[rows[on], state[on]] = before
    return phi


def mean_time(sequences: pd.DataFrame, *, weights=None) -> pd.DataFrame:
    """
    Mean number of months in each state.

    Returns
    -------
    DataFrame
        state, months, se (standard deviation / √n, as R's; persons as if independent).

    Examples
    --------
    >>> mean_time(pd.DataFrame([list("RRRM"), list("RMMM")]))[["state", "months"]].to_numpy().tolist()
    [['M', 2.0], ['R', 2.0]]
    """
    them, w = coded(sequences), check_weights(weights, len(sequences))
    spent = np.stack([(them.codes == code).sum(axis=1) for code in range(len(them.labels))], axis=1).astype(float)
    mean = w @ spent / w.sum()
    spread = w @ (spent - mean) ** 2 / max(w.sum() - 1, 1)
    return pd.DataFrame({"state": them.labels, "months": mean, "se": np.sqrt(spread / w.sum())})


def runs(sequences: pd.DataFrame) -> pd.DataFrame:
    """
    Each sequence as its runs.

    Returns
    -------
    DataFrame
        person_id (the index of `sequences`), begin and end (positions of months from 0, both included), months (its
        length), state; in order.

    Examples
    --------
    >>> runs(pd.DataFrame([list("RRM")], index=["p1"])).to_numpy().tolist()
    [['p1', 0, 1, 2, 'R'], ['p1', 2, 2, 1, 'M']]
    """
    them = coded(sequences)
    row, begin, length = run_lengths(them.codes)
    labels = np.array(them.labels, dtype=object)
    return pd.DataFrame({
        "person_id": sequences.index.to_numpy()[row], "begin": begin, "end": begin + length - 1, "months": length,
        "state": labels[them.codes[row, begin]],
    })  # fmt: skip
