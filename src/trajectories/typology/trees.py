"""A tree of sequences that stand for several persons each: hierarchical clustering with weights, and its cuts.

Ward's method starts from clusters of the size of the weights: joining i and j costs 2 wᵢwⱼ/(wᵢ + wⱼ) d², what the
repeated rows would have come to; after that Lance and Williams (1967) update as always. Neighbours are found by the
chain of nearest neighbours (Murtagh 1983; Müllner 2011), on whole rows of numpy. Compared with scipy and with R's
`hclust(…, "ward.D2")` (Murtagh and Legendre 2014), heights in the units of the distances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .states import check_weights

LINKAGES = ("ward", "average", "complete")


@dataclass(frozen=True)
class Tree:
    """The n − 1 joins in order of height: two rows, one of each cluster joined, and the height."""

    left: np.ndarray
    right: np.ndarray
    height: np.ndarray

    def cut(self, k: int) -> np.ndarray:
        """Labels 1 … k, numbered in the order of the rows."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        n = len(self.left) + 1
        if not 1 <= k <= n:
            raise ValueError(f"k is {k!r}: {n} sequence(s) make from 1 to {n} clusters.")
        joined = slice(0, n - k)
        links = coo_matrix((np.ones(n - k), (self.left[joined], self.right[joined])), shape=(n, n))
        _, found = connected_components(links, directed=False)
        return numbered(found)


def numbered(labels) -> np.ndarray:
    """Labels as 1, 2, 3 … in the order in which they are met."""
    _, first, which = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[which]


def check_distances(distances) -> np.ndarray:
    """A square array of distances, as it is; raises a sentence where it is none."""
    found = np.asarray(distances)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not len(found):
        raise ValueError(f"distances: an array of {found.shape} is not square.")
    if not np.isfinite(found).all() or found.min() < 0 or found.diagonal().any():
        raise ValueError("distances: values must be numbers of at least 0, with a diagonal of 0.")
    return found


def tree(distances, *, weights=None, method: str = "ward") -> Tree:
    """
    The tree of some sequences.

    Parameters
    ----------
    distances : array, shape (n, n)
        Not changed.
    weights : array-like, shape (n,), optional
        How many persons each row stands for: the tree is that of the rows repeated so often.
    method : {"ward", "average", "complete"}

    Examples
    --------
    >>> tree(np.abs(np.subtract.outer([0, 1, 5.0], [0, 1, 5.0]))).height.round(3).tolist()
    [1.0, 5.196]
    """
    if method not in LINKAGES:
        raise ValueError(f"method {method!r}: choose one of {', '.join(LINKAGES)}.")
    given = check_distances(distances)
    size = check_weights(weights, len(given)).copy()
    apart = np.array(given, dtype=np.float64)
    if method == "ward":
        apart *= apart
        for row, w in zip(apart, size, strict=True):
            row *= 2 * w * size / (w + size)
    np.fill_diagonal(apart, np.inf)
    left, right, height = _chain(apart, size, _UPDATES[method])
    height = np.sqrt(np.maximum(height, 0)) if method == "ward" else height
    order = np.argsort(height, kind="stable")
    return Tree(left[order], right[order], height[order])


def _chain(
    apart: np.ndarray, size: np.ndarray, update: Callable[..., np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joins nearest neighbours of one another until one cluster is left; `apart` and `size` are used up."""
    n = len(apart)
    left, right, height = np.zeros(n - 1, dtype=np.intp), np.zeros(n - 1, dtype=np.intp), np.zeros(n - 1)
    alive = np.ones(n, dtype=bool)
    chain: list[int] = []
    first = 0
    for step in range(n - 1):
        if not chain:
            first += int(np.argmax(alive[first:]))
            chain.append(first)
        while True:
            here = chain[-1]
            nearest = int(np.argmin(apart[here]))
            # among equals the one before in the chain, or it would turn in circles
            if len(chain) > 1 and apart[here, chain[-2]] <= apart[here, nearest]:
                break
            chain.append(nearest)
        gone, kept = sorted((chain.pop(), chain.pop()))  # as in scipy, so that ties are broken alike
        left[step], right[step], height[step] = kept, gone, apart[kept, gone]
        row = update(apart[kept], apart[gone], apart[kept, gone], size[kept], size[gone], size)
        alive[gone] = False
        row[kept], row[~alive] = np.inf, np.inf
        apart[kept], apart[:, kept] = row, row
        apart[gone], apart[:, gone] = np.inf, np.inf
        size[kept] += size[gone]
    return left, right, height


def _ward(a: np.ndarray, b: np.ndarray, ab: float, na: float, nb: float, n: np.ndarray) -> np.ndarray:
    return ((na + n) * a + (nb + n) * b - n * ab) / (na + nb + n)


def _average(a: np.ndarray, b: np.ndarray, ab: float, na: float, nb: float, n: np.ndarray) -> np.ndarray:
    return (na * a + nb * b) / (na + nb)


def _complete(a: np.ndarray, b: np.ndarray, ab: float, na: float, nb: float, n: np.ndarray) -> np.ndarray:
    return np.maximum(a, b)


_UPDATES = {"ward": _ward, "average": _average, "complete": _complete}
