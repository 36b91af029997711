"""How different two trajectories are: optimal matching, Hamming, dynamic Hamming, longest common subsequence.

All are made on distinct sequences only. With substitutions at twice the price of an insertion or more, optimal
matching never substitutes and is the Indel distance of texts (rapidfuzz: bit-parallel, Hyyrö 2004); the distance by the
longest common subsequence is the same number (Elzinga 2008). The Hamming distances are a product of matrices: a row
marks the state of each month, the other the cost of each state in each month. Other costs of optimal matching go
through the dynamic programme of Needleman and Wunsch (1970), one sequence against all others at once; sequences in
lexical order share their first months with the one before, and so do the rows of the programme.
Compared with R TraMineR 2.2.12 (Gabadinho et al. 2011) in tests/golden/test_sequences.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .sequences import Coded, check_weights, coded, distinct

# ----------------------------------------------------------------------------------------------------
# What it costs to take one state for another: transition rates, state distributions, and the costs made of them.
#
# Rates are those of all persons over all months (`transition_rates`) or month by month (`dynamic_costs`). Two states
# between which persons often pass are close (Rohwer and Pötter 2005): 2 − p(i, j) − p(j, i). The dynamic costs
# (Lesnard 2010) are those of the month before and the month after: 4 − p₋(i, j) − p₋(j, i) − p₊(i, j) − p₊(j, i).
# Compared with R TraMineR 2.2.12 in tests/golden/test_sequences.py.

# Cost of a substitution where none is nearer than another: in optimal matching and in the Hamming distance.
OM_COST, HAMMING_COST = 2.0, 1.0
_NAMED = ("constant", "trate")


def transition_rates(sequences: pd.DataFrame, *, weights: ArrayLike | None = None) -> pd.DataFrame:
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


def state_distribution(sequences: pd.DataFrame, *, weights: ArrayLike | None = None) -> pd.DataFrame:
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
    totals = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)


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
        costs_matrix = (constant if costs == "constant" else 2.0) - rates - rates.T
        np.fill_diagonal(costs_matrix, 0.0)
        return costs_matrix
    typed_costs = np.asarray(costs, dtype=float)
    if typed_costs.shape != (size, size):
        raise ValueError(
            f"costs: {typed_costs.shape} given, the sorted labels {', '.join(them.labels)} need {size} × {size}."
        )
    sound = (
        np.isfinite(typed_costs).all()
        and (typed_costs >= 0).all()
        and (typed_costs == typed_costs.T).all()
        and not np.diag(typed_costs).any()
    )
    if not sound:
        raise ValueError("costs: the matrix must be symmetric, with a diagonal of 0 and no negative or missing cost.")
    return typed_costs


def dynamic_costs(them: Coded, weights: np.ndarray) -> np.ndarray:
    """The costs of each month (months × labels × labels), from the rates around it; at the ends there is one only."""
    if them.codes.shape[1] < 2:
        raise ValueError("dynamic_hamming: the costs come from transitions, which need at least 2 months.")
    rates = _shares(_rates(them, weights))
    both_ways = rates + rates.transpose(0, 2, 1)
    costs = 4.0 - np.concatenate([both_ways[:1], both_ways]) - np.concatenate([both_ways, both_ways[-1:]])
    costs[:, np.arange(len(them.labels)), np.arange(len(them.labels))] = 0.0
    return costs


# ----------------------------------------------------------------------------------------------------

METHODS = ("om", "hamming", "dynamic_hamming", "lcs")
# The machine the library is made for has two cores; numpy and rapidfuzz leave the interpreter while they count.
WORKERS = 2


@dataclass(frozen=True)
class Measure:
    """A distance with its costs settled: substitution costs (months or 1 × labels × labels), indel (0: no shifting)."""

    method: str
    substitution: np.ndarray
    indel: float

    @property
    def is_indel(self) -> bool:
        """Whether no substitution is ever cheaper than an insertion with a deletion."""
        off = self.substitution[0][~np.eye(self.substitution.shape[1], dtype=bool)]
        return self.method in ("om", "lcs") and bool((off >= 2 * self.indel).all())


def distances(
    sequences: pd.DataFrame,
    method: str = "om",
    costs: str | ArrayLike = "constant",
    indel: float = 1.0,
    *,
    weights: ArrayLike | None = None,
) -> np.ndarray:
    """
    Distances between all pairs of sequences.

    Parameters
    ----------
    sequences : DataFrame, persons × months
        State labels, none missing.
    method : {"om", "hamming", "dynamic_hamming", "lcs"}
        Optimal matching, Hamming (cost 1 a month), Hamming with costs that vary from month to month (made from the
        sequences; `costs` is not read), longest common subsequence.
    costs : {"constant", "trate"} or array, labels × labels
        Cost of a substitution in optimal matching and Hamming: 2 (Hamming: 1), from the transition rates of these
        sequences, or as given, in the order of the sorted labels (all four states, where the labels are those).
    indel : float
        Cost of an insertion or a deletion in optimal matching.
    weights : array-like, shape (persons,), optional
        How many persons each row stands for: rates are theirs.

    Returns
    -------
    ndarray, shape (persons, persons)
        In months of cost. float32 where it holds whole numbers that this type holds exactly (constant costs): 8,000
        sequences take 256 MB; else float64. Give one row a distinct sequence where persons are many.

    Raises
    ------
    ValueError
        A cell is missing, or the method, costs or indel are none.

    Examples
    --------
    >>> distances(pd.DataFrame([list("RRRM"), list("RMMM"), list("RRRM")]), "hamming").tolist()
    [[0.0, 2.0, 0.0], [2.0, 0.0, 2.0], [0.0, 2.0, 0.0]]
    """
    them, w = coded(sequences), check_weights(weights, len(sequences))
    measure = settle(them, method, costs, indel, w)
    rows = distinct(them.codes)
    between_distinct = between(them.codes[rows.first], None, measure)
    alone = len(rows.first) == len(them.codes) and (rows.which == np.arange(len(rows.which))).all()
    return between_distinct if alone else between_distinct[np.ix_(rows.which, rows.which)]


def settle(them: Coded, method: str, costs, indel: float, weights: np.ndarray) -> Measure:
    """The measure asked for, its costs made from all the sequences."""
    if method not in METHODS:
        raise ValueError(f"method {method!r}: choose one of {', '.join(METHODS)}.")
    if not (np.isfinite(indel) and indel > 0):
        raise ValueError(f"indel is {indel!r}: give a positive number.")
    if method == "dynamic_hamming":
        return Measure(method, dynamic_costs(them, weights), 0.0)
    if method == "lcs":
        return Measure(method, substitution_costs(them, "constant", OM_COST, weights)[None], 1.0)
    constant = OM_COST if method == "om" else HAMMING_COST
    return Measure(method, substitution_costs(them, costs, constant, weights)[None], float(indel))


def between(rows: np.ndarray, columns: np.ndarray | None, measure: Measure) -> np.ndarray:
    """Distances of rows of codes to others (None: to one another, where both triangles are one)."""
    if measure.method in ("hamming", "dynamic_hamming"):
        return _hamming(rows, rows if columns is None else columns, measure.substitution)
    if measure.is_indel:
        return _indel(rows, columns, measure.indel)
    return _matching(rows, columns, measure.substitution[0], measure.indel)


def _hamming(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray) -> np.ndarray:
    months, size = rows.shape[1], costs.shape[1]
    # whole costs add up to whole numbers, which single precision holds exactly and multiplies twice as fast
    kind = np.float32 if (costs == np.round(costs)).all() and costs.max(initial=0) * months < 2**24 else np.float64
    # a row of `marks` has a 1 at the state of each month, a row of `prices` the costs from it to every state
    marks = np.zeros((len(rows), months, size), dtype=kind)
    np.put_along_axis(marks, rows[..., None].astype(np.intp), 1, axis=2)
    by_month = np.broadcast_to(costs, (months, size, size))
    prices = by_month[np.arange(months), columns].astype(kind)
    return marks.reshape(len(rows), -1) @ prices.reshape(len(columns), -1).T


def _indel(rows: np.ndarray, column_rows: np.ndarray | None, indel: float) -> np.ndarray:
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    texts = _texts(rows)
    against = texts if column_rows is None else _texts(column_rows)
    apart = process.cdist(texts, against, scorer=Indel.distance, dtype=np.float32, workers=WORKERS)
    return apart if indel == 1.0 else apart.astype(np.float64) * indel


def _texts(codes: np.ndarray) -> list[str]:
    """One character a month; codes above the letters are characters too."""
    return [row.tobytes().decode("latin-1") for row in codes]


def _matching(rows: np.ndarray, column_rows: np.ndarray | None, costs: np.ndarray, indel: float) -> np.ndarray:
    same = column_rows is None
    order = np.lexsort(rows.T[::-1])
    sorted_rows = rows[order]
    columns = sorted_rows if column_rows is None else column_rows
    # priced[s][j] is what it costs to turn state s into the j-th month of every other sequence
    priced = np.ascontiguousarray(costs[:, columns.T])
    apart = np.zeros((len(rows), len(columns)))
    # the first rows have the most columns where both triangles are one: halves of equal work
    share = 1 - np.sqrt(1 - np.arange(WORKERS + 1) / WORKERS) if same else np.arange(WORKERS + 1) / WORKERS
    cuts = np.round(share * len(rows)).astype(int)

    def part(begin: int, end: int) -> None:
        _programme(sorted_rows, begin, end, priced, indel, apart, same)

    with ThreadPoolExecutor(WORKERS) as executor:
        list(executor.map(part, cuts[:-1], cuts[1:]))
    if same:
        apart = np.triu(apart, 1)
        apart += apart.T
    back = np.empty(len(order), dtype=np.intp)
    back[order] = np.arange(len(order))
    return apart[np.ix_(back, back)] if same else apart[back]


def _programme(
    rows: np.ndarray, begin: int, end: int, priced: np.ndarray, indel: float, apart: np.ndarray, same: bool
) -> None:
    """Rows begin … end − 1 against all columns (`same`: those from the row on), written into `apart`."""
    months, length, width = rows.shape[1], priced.shape[1], priced.shape[2]
    # table[i][j]: the cost of turning the first i months of the row into the first j of each other, less j deletions:
    # a step along j is then a running minimum (`np.minimum.accumulate` takes four times as long along this axis)
    table = np.zeros((months + 1, length + 1, width))
    dearer = priced - indel
    for k in range(begin, end):
        shared = 0 if k == begin else int(np.argmax(np.append(rows[k] != rows[k - 1], True)))
        start = k if same else 0
        for i in range(shared, months):
            above, current = table[i, :, start:], table[i + 1, :, start:]
            np.add(above, indel, out=current)
            diagonal = above[:-1] + dearer[rows[k, i], :, start:]
            np.minimum(current[1:], diagonal, out=current[1:])
            for j in range(length):
                np.minimum(current[j], current[j + 1], out=current[j + 1])
        apart[k, start:] = table[months, -1, start:] + indel * length
