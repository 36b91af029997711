"""Clusters of sequences: their labels, how well they hold together, how many there are, and whether they would recur.

Every function takes weights, how many persons each row stands for, and answers as if rows were repeated so often.
Silhouettes: Rousseeuw (1987), weighted as in Studer (2013). Stability: the bootstrap Jaccard of Hennig (2007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .sequences import check_weights

# ----------------------------------------------------------------------------------------------------
# A tree of sequences that stand for several persons each: hierarchical clustering with weights, and its cuts.
#
# Ward's method starts from clusters of the size of the weights: joining i and j costs 2 wᵢwⱼ/(wᵢ + wⱼ) d², what the
# repeated rows would have come to; after that Lance and Williams (1967) update as always. Neighbours are found by the
# chain of nearest neighbours (Murtagh 1983; Müllner 2011), on whole rows of numpy. Compared with scipy and with R's
# `hclust(…, "ward.D2")` (Murtagh and Legendre 2014), heights in the units of the distances.

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
        _, components = connected_components(links, directed=False)
        return numbered(components)


def numbered(labels) -> np.ndarray:
    """Labels as 1, 2, 3 … in the order in which they are met."""
    _, first, which = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[which]


def check_distances(distances) -> np.ndarray:
    """A square array of distances, as it is; raises a sentence where it is none."""
    checked = np.asarray(distances)
    if checked.ndim != 2 or checked.shape[0] != checked.shape[1] or not len(checked):
        raise ValueError(f"distances: an array of {checked.shape} is not square.")
    if not np.isfinite(checked).all() or checked.min() < 0 or checked.diagonal().any():
        raise ValueError("distances: values must be numbers of at least 0, with a diagonal of 0.")
    return checked


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
    apart_checked = check_distances(distances)
    size = check_weights(weights, len(apart_checked)).copy()
    apart = np.array(apart_checked, dtype=np.float64)
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
            last = chain[-1]
            nearest = int(np.argmin(apart[last]))
            # among equals the one before in the chain, or it would turn in circles
            if len(chain) > 1 and apart[last, chain[-2]] <= apart[last, nearest]:
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


# ----------------------------------------------------------------------------------------------------

# Numbers of types that a reader can keep apart, among which the silhouette chooses.
KS = tuple(range(2, 9))
# Persons drawn in a replicate, at most: the tree of a replicate costs their number squared.
LARGEST = 2_000
# Hennig (2007): a cluster that is found again at .75 is a stable pattern; at .5 or less it has been dissolved.
RECOVERED, DISSOLVED = 0.75, 0.5


def clusters(distances: np.ndarray, k: int, method: str = "ward", *, weights: ArrayLike | None = None) -> np.ndarray:
    """
    Labels of k clusters.

    Parameters
    ----------
    distances : array, shape (n, n)
    k : int
        From 1 to n.
    method : {"ward", "average", "complete"}
    weights : array-like, shape (n,), optional
        How many persons each row stands for.

    Returns
    -------
    ndarray of int, shape (n,)
        1 … k, numbered in the order of the rows (arbitrary otherwise: compare partitions).

    Examples
    --------
    >>> clusters(np.abs(np.subtract.outer([0, 1, 9], [0, 1, 9])), 2).tolist()
    [1, 1, 2]
    """
    return tree(distances, weights=weights, method=method).cut(k)


def representatives(distances: np.ndarray, labels: ArrayLike, *, weights: ArrayLike | None = None) -> pd.Series:
    """
    The medoid of each cluster: the row nearest to all persons of its cluster (among equals the first).

    Returns
    -------
    Series
        Index `label` (sorted), the position of a row.

    Examples
    --------
    >>> representatives(np.abs(np.subtract.outer([0, 1, 3], [0, 1, 3])), ["a", "a", "a"]).to_dict()
    {'a': 1}
    """
    apart, (names, which) = check_distances(distances), _labels(distances, labels)
    w = check_weights(weights, len(apart))
    medoids = []
    for number in range(len(names)):
        of_cluster = np.flatnonzero(which == number)
        medoids.append(of_cluster[np.argmin(apart[np.ix_(of_cluster, of_cluster)].astype(float) @ w[of_cluster])])
    return pd.Series(medoids, index=pd.Index(names, name="label"), name="position")


def silhouette(distances: np.ndarray, labels: ArrayLike, *, weights: ArrayLike | None = None) -> np.ndarray:
    """
    How much nearer each row is to its own cluster than to the next one: from −1 to 1.

    Parameters
    ----------
    distances : array, shape (n, n)
    labels : array-like, shape (n,)
        At least two labels.
    weights : array-like, shape (n,), optional
        How many persons each row stands for.

    Returns
    -------
    ndarray, shape (n,)
        0 for a person alone in a cluster. The average silhouette width is the weighted mean.

    Examples
    --------
    >>> silhouette(np.abs(np.subtract.outer([0, 1, 9], [0, 1, 9])), [1, 1, 2]).round(3).tolist()
    [0.889, 0.875, 0.0]
    """
    apart, (names, which) = check_distances(distances), _labels(distances, labels)
    if len(names) < 2:
        raise ValueError("labels: a silhouette compares clusters, and there is one only.")
    w = check_weights(weights, len(apart))
    rows = np.arange(len(apart))
    marks = np.zeros((len(apart), len(names)), dtype=apart.dtype if apart.dtype.kind == "f" else float)
    marks[rows, which] = w
    totals = (apart @ marks).astype(float)
    sizes = np.bincount(which, weights=w)
    n_others = sizes[which] - 1
    alone = n_others <= 1e-9
    inside = totals[rows, which] / np.where(alone, 1.0, n_others)
    means = totals / sizes
    means[rows, which] = np.inf
    outside = means.min(axis=1)
    largest = np.maximum(inside, outside)
    return np.where(alone | (largest == 0), 0.0, (outside - inside) / np.where(largest == 0, 1.0, largest))


def choose_k(
    distances: np.ndarray,
    ks: Iterable[int] = KS,
    *,
    weights: ArrayLike | None = None,
    method: str = "ward",
    least: float = 0,
) -> pd.DataFrame:
    """
    The average silhouette width of each number of clusters, and the number that has the largest.

    Parameters
    ----------
    distances : array, shape (n, n)
    ks : iterable of int
        Numbers to choose from.
    weights : array-like, shape (n,), optional
        How many persons each row stands for.
    method : {"ward", "average", "complete"}
    least : float
        Persons that the smallest cluster must hold for a number to be chosen; where none does, the smallest number.
        (Rows that many persons share make clusters of their own, without width and perfectly apart.)

    Returns
    -------
    DataFrame
        k (those of `ks` that the rows allow), silhouette (weighted mean), smallest (persons in the smallest cluster),
        chosen (True once; among equals the smallest k).

    Raises
    ------
    ValueError
        Fewer than 3 rows, or no k from 2 to their number less one.

    Examples
    --------
    >>> table = choose_k(np.abs(np.subtract.outer([0, 1, 8, 9], [0, 1, 8, 9])), (2, 3))
    >>> table["k"][table["chosen"]].tolist()
    [2]
    """
    apart = check_distances(distances)
    w = check_weights(weights, len(apart))
    possible = sorted({int(k) for k in ks if 2 <= k < len(apart)})
    if not possible:
        raise ValueError(f"ks: none of them lies from 2 to {len(apart) - 1}, which {len(apart)} sequence(s) allow.")
    grown = tree(apart, weights=w, method=method)
    rows = []
    for k in possible:
        labels = grown.cut(k)
        rows.append((k, np.average(silhouette(apart, labels, weights=w), weights=w), np.bincount(labels, w)[1:].min()))
    table = pd.DataFrame(rows, columns=["k", "silhouette", "smallest"])
    allowed = table[table["smallest"] >= least]
    allowed = allowed if len(allowed) else table[:1]
    # sums of many terms: a width is larger if it is so by more than their rounding
    best = allowed["silhouette"].ge(allowed["silhouette"].max() - 1e-9).idxmax()
    return table.assign(chosen=table.index == best)


def stability(  # noqa: PLR0913  # options by keyword, with defaults
    distances: np.ndarray,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    row: ArrayLike | None = None,
    household: ArrayLike | None = None,
    replicates: int = 100,
    size: int | None = None,
    seed: int = 1,
    method: str = "ward",
) -> pd.DataFrame:
    """
    Whether each cluster would be found again in another sample of such persons.

    Parameters
    ----------
    distances : array, shape (n, n)
    labels : array-like, shape (n,)
        The clusters asked about.
    weights : array-like, shape (n,), optional
        How many persons each row stands for: persons are drawn.
    row, household : array-like, shape (persons,), optional
        The row of each person and their household: whole households are drawn instead, as their members move together.
    replicates : int
        Samples drawn with replacement, each clustered anew into as many clusters.
    size : int, optional
        Persons a sample; as many as there are, 2,000 at most.
    seed : int
    method : {"ward", "average", "complete"}

    Returns
    -------
    DataFrame
        label, jaccard (mean over replicates of the best Jaccard similarity with a cluster found anew, on the rows
        drawn, 0–1), recovered (share of replicates at .75 or more), dissolved (share at .5 or less), replicates (those
        in which a row of the cluster was drawn; without any, the others are NaN).

    Examples
    --------
    >>> apart = np.abs(np.subtract.outer([0, 1, 2, 30, 31, 32], [0, 1, 2, 30, 31, 32]))
    >>> stability(apart, [1, 1, 1, 2, 2, 2], replicates=20)["jaccard"].tolist()
    [1.0, 1.0]
    """
    apart, (found, which) = check_distances(distances), _labels(distances, labels)
    w = check_weights(weights, len(apart))
    k = len(found)
    size = size or int(min(max(round(w.sum()), k), LARGEST))
    draw = _sampler(w, row, household, size)
    rng = np.random.default_rng(seed)
    best = np.full((replicates, k), np.nan)
    for replicate in range(replicates):
        sample = draw(rng)
        rows = np.flatnonzero(sample)
        if len(rows) < k:
            continue
        anew = tree(apart[np.ix_(rows, rows)], weights=sample[rows], method=method).cut(k)
        overlaps = np.zeros((k, k))
        np.add.at(overlaps, (which[rows], anew - 1), w[rows])
        either = overlaps.sum(axis=1, keepdims=True) + overlaps.sum(axis=0) - overlaps
        in_both = overlaps.any(axis=1)
        best[replicate, in_both] = (overlaps / either).max(axis=1)[in_both]
    is_seen = ~np.isnan(best)
    counted = np.where(is_seen.any(axis=0), is_seen.sum(axis=0), np.nan)
    best_or_zero = np.where(is_seen, best, 0)
    return pd.DataFrame(
        {
            "label": found,
            "jaccard": best_or_zero.sum(axis=0) / counted,
            "recovered": (best_or_zero >= RECOVERED).sum(axis=0) / counted,
            "dissolved": (is_seen & (best_or_zero <= DISSOLVED)).sum(axis=0) / counted,
            "replicates": is_seen.sum(axis=0),
        }
    )


def _sampler(w: np.ndarray, row, household, size: int) -> Callable[[np.random.Generator], np.ndarray]:
    """A sample with replacement, as how many persons of each row: of persons, or of whole households."""
    if row is None and household is None:
        return lambda rng: rng.multinomial(size, w / w.sum())
    if row is None or household is None or len(row) != len(household):
        raise ValueError("row and household: give both, one value a person.")
    rows, (homes, names) = np.asarray(row), pd.factorize(np.asarray(household, dtype=object))
    many = max(round(size * len(names) / len(rows)), 1)
    even = np.full(len(names), 1 / len(names))
    return lambda rng: np.bincount(rows, weights=rng.multinomial(many, even)[homes], minlength=len(w)).astype(int)


def adjusted_rand(a: ArrayLike, b: ArrayLike) -> float:
    """
    How far two partitions agree, beyond chance (Hubert and Arabie 1985): 1 the same, 0 as by chance.

    Examples
    --------
    >>> adjusted_rand([1, 1, 2, 2], ["x", "x", "y", "y"]), round(adjusted_rand([1, 1, 2, 2], [1, 2, 1, 2]), 2)
    (1.0, -0.5)
    """
    a, b = numbered(a), numbered(b)
    if len(a) != len(b):
        raise ValueError(f"two partitions of {len(a)} and {len(b)} elements can't be compared.")
    table = np.zeros((a.max(initial=0) + 1, b.max(initial=0) + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    in_both, of_a, of_b = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = of_a * of_b / max(len(a) * (len(a) - 1) / 2, 1)
    most = (of_a + of_b) / 2
    return 1.0 if most == chance else (in_both - chance) / (most - chance)


def _labels(distances, labels) -> tuple[np.ndarray, np.ndarray]:
    """The sorted labels, and the position of each row's among them."""
    values = np.asarray(labels)
    if values.shape != (len(distances),):
        raise ValueError(f"labels: {values.shape} given, one for each of {len(distances)} rows is needed.")
    return np.unique(values, return_inverse=True)
