"""The alphabet of states, and sequences as codes: what the other modules of this room compute on.

A sequence of labels is a row of small whole numbers, the positions of its labels in the alphabet. Many persons share
one sequence (whoever stays does), so distances and trees are made on distinct rows with how many persons have each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION, UNKNOWN

# Where a person is in a month, as the multi-state models say it: « region » is the region of establishment.
OTHER_REGION = "other_region"
STATES = (METROPOLE, REGION, OTHER_REGION, OUTSIDE_QUEBEC)


@dataclass(frozen=True)
class Coded:
    """Sequences as codes: codes (persons × months, uint8) are positions in `labels`, which are sorted."""

    codes: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Distinct:
    """Distinct rows in lexical order: `first` (a row that has each), `which` (of each row), `weight` (of each)."""

    first: np.ndarray
    which: np.ndarray
    weight: np.ndarray


def alphabet(labels) -> tuple[str, ...]:
    """
    The sorted labels that sequences may hold: the four states (and unknown) where nothing else is met, else those met.

    A state that nobody happens to be in is then still one of four: entropies of two regions can be compared.

    Examples
    --------
    >>> alphabet(["region", "metropole"])
    ('metropole', 'other_region', 'outside_quebec', 'region')
    >>> alphabet(["R", "M"])
    ('M', 'R')
    """
    met = set(labels)
    if met <= {*STATES, UNKNOWN}:
        met |= set(STATES)
    return tuple(sorted(met))


def coded(sequences: pd.DataFrame) -> Coded:
    """
    Sequences as codes.

    Raises
    ------
    ValueError
        There is no sequence or no month, a cell is missing, or there are more than 255 labels.
    """
    if sequences.shape[0] == 0 or sequences.shape[1] == 0:
        raise ValueError(
            f"sequences: {sequences.shape[0]} person(s) and {sequences.shape[1]} month(s), nothing to code."
        )
    cells = sequences.to_numpy(dtype=object)
    missing = int(pd.isna(cells).sum())
    if missing:
        raise ValueError(f"sequences: {missing} cell(s) are missing: keep the persons who have a state in each month.")
    flat, met = pd.factorize(cells.ravel())
    labels = alphabet(met)
    if len(labels) > np.iinfo(np.uint8).max:
        raise ValueError(f"sequences: {len(labels)} labels are more than the 255 that can be told apart.")
    place = pd.Index(labels).get_indexer(met).astype(np.uint8)
    return Coded(place[flat].reshape(cells.shape), labels)


def distinct(codes: np.ndarray, weights: np.ndarray | None = None) -> Distinct:
    """The distinct rows of codes, each with the weight of all rows that are equal to it."""
    rows = np.ascontiguousarray(codes)
    # one value a row: bytes compare as the codes do
    whole = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return Distinct(first, which, np.bincount(which, weights=weights).astype(float))


def check_weights(weights, n: int) -> np.ndarray:
    """One positive weight a row; all 1 where none are given."""
    if weights is None:
        return np.ones(n)
    found = np.asarray(weights, dtype=float)
    if found.shape != (n,):
        raise ValueError(f"weights: {found.shape} given, one for each of {n} rows is needed.")
    wrong = int((~(found > 0) | ~np.isfinite(found)).sum())
    if wrong:
        raise ValueError(f"weights: {wrong} value(s) are not positive numbers.")
    return found


def run_lengths(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    The runs of equal codes: row, first month (from 0) and length of each, in order.

    Examples
    --------
    >>> [part.tolist() for part in run_lengths(np.array([[1, 1, 0], [2, 2, 2]]))]
    [[0, 0, 1], [0, 2, 0], [2, 1, 3]]
    """
    starts = np.ones(codes.shape, dtype=bool)
    starts[:, 1:] = codes[:, 1:] != codes[:, :-1]
    row, begin = np.nonzero(starts)
    following = np.append(begin[1:], 0)
    last = np.append(row[1:] != row[:-1], True)
    return row, begin, np.where(last, codes.shape[1], following) - begin
