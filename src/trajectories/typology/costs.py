"""What it costs to take one state for another: transition rates, state distributions, and the costs made of them.

Rates are those of all persons over all months (`transition_rates`) or month by month (`dynamic_costs`). Two states
between which persons often pass are close (Rohwer and Pötter 2005): 2 − p(i, j) − p(j, i). The dynamic costs (Lesnard
2010) are those of the month before and the month after: 4 − p₋(i, j) − p₋(j, i) − p₊(i, j) − p₊(j, i).
Compared with R TraMineR 2.2.12 in tests/golden/test_sequences.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .states import Coded, check_weights, coded

# Cost of a substitution where none is nearer than another: in optimal matching and in the Hamming distance.
OM_COST, HAMMING_COST = 2.0, 1.0
_NAMED = ("constant", "trate")


def transition_rates(sequences: pd.DataFrame, *, weights=None) -> pd.DataFrame:
    """
    Share of the months in each state that are followed by a month in each other.

    Parameters
    ----------
    sequences : DataFrame, persons × months
        State labels.
    weights : array-like, shape (persons,), optional

    Returns
    -------
    DataFrame
        Index `from_state`, columns `to_state`, sorted labels; rows sum to 1, or are 0 for a state that is never left
        nor stayed in.

    Examples
    --------
    >>> transition_rates(pd.DataFrame([list("RRM"), list("RMM")])).loc["R", "M"].round(3)
    np.float64(0.667)
    """
    them = coded(sequences)
    rates = _rates(them, check_weights(weights, len(sequences))).sum(axis=0)
    index, columns = pd.Index(them.labels, name="from_state"), pd.Index(them.labels, name="to_state")
    return pd.DataFrame(_shares(rates), index=index, columns=columns)


def state_distribution(sequences: pd.DataFrame, *, weights=None) -> pd.DataFrame:
    """
    Share of the persons in each state, month by month.

    Returns
    -------
    DataFrame
        Index `state` (sorted labels), columns the months of `sequences`, named `month`; each column sums to 1.

    Examples
    --------
    >>> state_distribution(pd.DataFrame([list("RRM"), list("RMM")])).loc["R"].tolist()
    [1.0, 0.5, 0.0]
    """
    them, w = coded(sequences), check_weights(weights, len(sequences))
    counts = np.stack([w @ (them.codes == code) for code in range(len(them.labels))])
    columns = pd.Index(sequences.columns, name="month")
    return pd.DataFrame(counts / w.sum(), index=pd.Index(them.labels, name="state"), columns=columns)


def _rates(them: Coded, weights: np.ndarray) -> np.ndarray:
    """Weighted transitions counted by month: (months − 1) × from × to."""
    size, moves = len(them.labels), them.codes.shape[1] - 1
    pair = them.codes[:, :-1].astype(np.int64) * size + them.codes[:, 1:] + np.arange(moves) * size**2
    counts = np.bincount(pair.ravel(), weights=np.repeat(weights, moves), minlength=moves * size**2)
    return counts.reshape(moves, size, size)


def _shares(counts: np.ndarray) -> np.ndarray:
    whole = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, whole, out=np.zeros_like(counts), where=whole > 0)


def substitution_costs(them: Coded, costs, constant: float, weights: np.ndarray) -> np.ndarray:
    """
    The matrix of costs between the labels of the sequences.

    Raises
    ------
    ValueError
        `costs` is no known name, or no symmetric matrix of the labels with a diagonal of 0 and nothing below 0.
    """
    size = len(them.labels)
    if isinstance(costs, str):
        if costs not in _NAMED:
            raise ValueError(f"costs {costs!r}: choose one of {', '.join(_NAMED)}, or give a matrix.")
        rates = _shares(_rates(them, weights).sum(axis=0)) if costs == "trate" else np.zeros((size, size))
        found = (constant if costs == "constant" else 2.0) - rates - rates.T
        np.fill_diagonal(found, 0.0)
        return found
    given = np.asarray(costs, dtype=float)
    if given.shape != (size, size):
        raise ValueError(
            f"costs: {given.shape} given, the sorted labels {', '.join(them.labels)} need {size} × {size}."
        )
    sound = np.isfinite(given).all() and (given >= 0).all() and (given == given.T).all() and not np.diag(given).any()
    if not sound:
        raise ValueError("costs: the matrix must be symmetric, with a diagonal of 0 and no negative or missing cost.")
    return given


def dynamic_costs(them: Coded, weights: np.ndarray) -> np.ndarray:
    """The costs of each month (months × labels × labels), from the rates around it; at the ends there is one only."""
    if them.codes.shape[1] < 2:
        raise ValueError("dynamic_hamming: the costs come from transitions, which need at least 2 months.")
    rates = _shares(_rates(them, weights))
    both = rates + rates.transpose(0, 2, 1)
    found = 4.0 - np.concatenate([both[:1], both]) - np.concatenate([both, both[-1:]])
    found[:, np.arange(len(them.labels)), np.arange(len(them.labels))] = 0.0
    return found
