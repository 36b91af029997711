"""Connected components of a graph given as two columns of labels, without a loop per node."""

from __future__ import annotations

import numpy as np
import pandas as pd


def connected_components(left: np.ndarray, right: np.ndarray, n: int) -> np.ndarray:
    """
    The component of each node of a graph.

    Parameters
    ----------
    left, right : integer arrays of one length
        Edges between nodes 0 … n − 1.
    n : int
        Number of nodes.

    Returns
    -------
    ndarray of int64, shape (n,)
        The smallest node of each node's component, so the result does not depend on the order of the edges.

    Notes
    -----
    Labels are lowered along edges and then halved by pointer jumping (Shiloach and Vishkin, 1982): a few passes
    over the edges whatever the length of the chains.

    Examples
    --------
    >>> connected_components(np.array([0, 3]), np.array([2, 4]), 5)
    array([0, 1, 0, 3, 3])
    """
    label = np.arange(n, dtype=np.int64)
    while True:
        a, b = label[left], label[right]
        low = np.minimum(a, b)
        lowered = label.copy()
        np.minimum.at(lowered, a, low)
        np.minimum.at(lowered, b, low)
        while True:
            jumped = lowered[lowered]
            if np.array_equal(jumped, lowered):
                break
            lowered = jumped
        if np.array_equal(lowered, label):
            return label
        label = lowered


def shared_label_components(*columns: pd.Series) -> np.ndarray:
    """
    Components of rows that share a value in any of the columns (a missing value is shared with nobody).

    Examples
    --------
    >>> shared_label_components(pd.Series(["x", "y", "x", None]), pd.Series(["1", "2", "3", "2"]))
    array([0, 1, 0, 1])
    """
    n = len(columns[0])
    edges = []
    for column in columns:
        codes = pd.factorize(column, use_na_sentinel=True)[0]
        known = np.flatnonzero(codes >= 0)
        first = np.full(codes.max(initial=-1) + 1, -1, dtype=np.int64)
        # the first row of each value stands for it
        first[codes[known][::-1]] = known[::-1]
        edges.append((known, first[codes[known]]))
    left = np.concatenate([edge[0] for edge in edges])
    right = np.concatenate([edge[1] for edge in edges])
    return connected_components(left, right, n)
