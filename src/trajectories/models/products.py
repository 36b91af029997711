"""Products of long thin matrices without BLAS's threads.

Hundreds of small regressions run one after the other, two at a time. OpenBLAS would start threads in each product that
wait for each other by spinning: on a machine with two busy cores that took eight times as long (measured: 12.7 s of
processor for four fits of 12,000 rows × 50 terms, against 1.5 s).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 64  # rows: with up to 60 columns a product is too small for threads
AT_ONCE = 512  # blocks: what is copied is then some megabytes, not the matrices


def times(x: Floats, beta: Floats) -> Floats:
    """x β: rows × columns by columns (or by columns × k)."""
    return np.einsum("ij,j->i" if beta.ndim == 1 else "ij,jk->ik", x, beta)


def total(x: Floats, weights: Floats) -> Floats:
    """x′ w: the columns summed with weights."""
    return np.einsum("ij,i->j", x, weights)


def crossproduct(x: Floats, y: Floats) -> Floats:
    """
    x′ y of matrices with the same rows.

    Examples
    --------
    >>> crossproduct(np.eye(3)[:, :2], np.arange(6.0).reshape(3, 2)).tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    found = np.zeros((x.shape[1], y.shape[1]))
    for begin in range(0, len(x), BLOCK * AT_ONCE):
        some = slice(begin, begin + BLOCK * AT_ONCE)
        a, b = _in_blocks(x[some]), _in_blocks(y[some])
        found += np.matmul(a.transpose(0, 2, 1), b).sum(axis=0)
    return found


def _in_blocks(x: Floats) -> Floats:
    """Rows in blocks, the last one filled up with zeros."""
    n = -(-len(x) // BLOCK)
    return np.concatenate([x, np.zeros((n * BLOCK - len(x), x.shape[1]))]).reshape(n, BLOCK, x.shape[1])
