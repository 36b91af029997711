"""Person-months without writing them out: rows (start, stop] counted into cells of equal hazard, and their scores.

A row is at risk in the whole months start + 1 … stop, and what happened to it happened in the last. Within a piece of
the baseline, a stratum and a pattern of covariates every month has the same hazard, so months and events are counted
(n and d of a cell) and the likelihood of the cells is that of the person-months, exactly. Scores for the clustered
covariance are summed from the rows themselves: a cell mixes households.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.jackknife import cluster_sums

ROWS_AT_ONCE = 50_000  # of scores held in memory


@dataclass(frozen=True)
class Months:
    """Checked rows: whole months, covariates (terms × rows), and the baseline they belong to."""

    start: Integers
    stop: Integers
    event: np.ndarray
    weights: Floats
    x: Floats
    stratum: Integers
    n_strata: int
    ends: Integers  # the last month of each piece, increasing; the last is the last month at risk

    @property
    def begins(self) -> Integers:
        """The month before the first of each piece."""
        return np.concatenate([[0], self.ends[:-1]])

    @property
    def n_pieces(self) -> int:
        return len(self.ends)

    @property
    def n_baselines(self) -> int:
        """Pieces of all strata: baseline b is piece b % n_pieces of stratum b // n_pieces."""
        return self.n_strata * self.n_pieces

    @property
    def last_piece(self) -> Integers:
        """The piece of each row's last month."""
        return np.searchsorted(self.ends, self.stop)

    def at_risk(self, piece: int) -> Integers:
        """Months of each row in a piece."""
        return np.maximum(np.minimum(self.stop, self.ends[piece]) - np.maximum(self.start, self.begins[piece]), 0)


@dataclass(frozen=True)
class Cells:
    """Person-months n and events d of each pattern and baseline seen together."""

    n: Floats
    d: Floats
    baseline: Integers
    x: Floats  # terms × cells


def cells_of(rows: Months) -> Cells:
    """Counts the person-months."""
    frame = pd.DataFrame(np.vstack([rows.stratum, rows.x]).T)
    pattern = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    n_patterns = int(pattern.max()) + 1
    first = np.empty(n_patterns, np.int64)
    first[pattern[::-1]] = np.arange(len(pattern))[::-1]
    shape = (rows.n_pieces, n_patterns)
    n = np.array([np.bincount(pattern, rows.weights * rows.at_risk(j), n_patterns) for j in range(rows.n_pieces)])
    key = rows.last_piece * n_patterns + pattern
    d = np.bincount(key, rows.weights * rows.event, rows.n_pieces * n_patterns).reshape(shape)
    piece, where = np.nonzero(n > 0)
    owner = first[where]
    return Cells(n[piece, where], d[piece, where], rows.stratum[owner] * rows.n_pieces + piece, rows.x[:, owner])


def whole_clusters(cluster: Integers) -> Iterator[Integers]:
    """Rows of whole clusters, about `ROWS_AT_ONCE` together."""
    order = np.argsort(cluster, kind="stable")
    breaks = np.flatnonzero(np.diff(cluster[order], prepend=-1))  # where each cluster begins
    goals = np.arange(0, len(order), ROWS_AT_ONCE)
    cuts = np.unique(breaks[np.searchsorted(breaks, goals, side="right") - 1])
    yield from np.split(order, cuts[1:])


def clustered_information(rows: Months, log_hazard: Floats, beta: Floats, cluster: Integers) -> Floats:
    """Σ over clusters of the products of their summed scores: baselines first, then the terms.

    `log_hazard` is η of each baseline at covariates 0 (±∞ where the hazard is 0 or 1: nothing to learn there).
    """
    n_baselines, size = rows.n_baselines, rows.n_baselines + len(beta)
    total = np.zeros((size, size))
    moved = np.isfinite(log_hazard)
    with np.errstate(over="ignore"):
        for chosen in whole_clusters(cluster):
            one = of_rows(rows, chosen)
            scores = np.zeros((len(chosen), size))
            effect = beta @ one.x
            here = np.arange(len(chosen))
            for j in range(rows.n_pieces):
                b = one.stratum * rows.n_pieces + j
                rate = np.where(moved[b], np.exp(np.where(moved[b], log_hazard[b], 0.0) + effect), 0.0)
                left = one.event & (one.last_piece == j) & (rate > 0)
                chance = -np.expm1(-np.where(left, rate, 1.0))
                slope = one.weights * (np.where(left, rate / chance, 0.0) - one.at_risk(j) * rate)
                scores[here, b] = slope
                scores[:, n_baselines:] += slope[:, None] * one.x.T
            _, owner = np.unique(cluster[chosen], return_inverse=True)
            summed = cluster_sums(scores, owner)
            total += summed.T @ summed
    return total


def of_rows(rows: Months, chosen: Integers) -> Months:
    """Some of the rows."""
    return Months(
        rows.start[chosen],
        rows.stop[chosen],
        rows.event[chosen],
        rows.weights[chosen],
        rows.x[:, chosen],
        rows.stratum[chosen],
        rows.n_strata,
        rows.ends,
    )


def piece_ends(baseline: str, pieces: Sequence[int], last: int) -> Integers:
    """The last month of each piece, up to the last month at risk."""
    if baseline == "month":
        return np.arange(1, last + 1)
    given = np.asarray(list(pieces), dtype=float)
    if given.ndim != 1 or not np.all(np.isfinite(given) & (given > 0) & (given == np.floor(given))):
        raise ValueError(f"pieces: {pieces!r} are not whole months above 0")
    if not np.all(np.diff(given) > 0):
        raise ValueError(f"pieces: {pieces!r} do not increase")
    inside = given[given < last].astype(np.int64)
    return np.append(inside, last)
