"""Concordance of a risk score with who leaves first, with delayed entry, strata, weights and clusters.

A pair is comparable where one person has an event at t and the other, of the same stratum, is at risk at t and stays
beyond it (censored at t counts as staying; two events at t do not compare). It is concordant where the one who leaves
has the higher score; equal scores count one half. Pairs are counted by sums over « entered before, staying after, lower
score »: dominance counts, found bit by bit of the score's rank, so that a million persons take a second or two and no
matrix of pairs. Reference: Harrell et al. (1982); Therneau & Atkinson (2024), vignette « concordance » of survival.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.regression.cox_residuals import Clusters

SAME_SCORE = 1e-11  # of the scores' range: two sums in another order are one score


@dataclass(frozen=True)
class Concordance:
    """Share of comparable pairs in the right order, and its jackknife standard error."""

    concordance: float
    se: float


def score_ranks(score: Floats) -> Integers:
    """Ranks from 0 up, equal scores sharing one."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    new = np.append(False, np.diff(ordered) > SAME_SCORE * max(np.ptp(ordered), np.finfo(float).tiny))
    ranks = np.empty(len(score), np.int64)
    ranks[order] = np.cumsum(new)
    return ranks


def below(
    at: Integers, rank: Integers, mass: Floats, asked_at: Integers, asked_rank: Integers
) -> tuple[Floats, Floats]:
    """For each question, Σ mass of the points with a position not above the asked one, by rank: lower, equal.

    Points and questions are put in order of position (points first) and then split by the bits of the rank, the
    highest first: where a question's bit is 1, the points that share its higher bits and have a 0 are lower.
    """
    points, asked = len(at), len(asked_at)
    order = np.lexsort((np.repeat([0, 1], [points, asked]), np.concatenate([at, asked_at])))
    ranks = np.concatenate([rank, asked_rank])[order]
    values = np.concatenate([mass, np.zeros(asked)])[order]
    lower = np.zeros(points + asked)
    start = np.zeros(points + asked, np.int64)  # where the block of items with the same higher bits begins
    for bit in range(int(ranks.max(initial=0)).bit_length() - 1, -1, -1):
        one = (ranks >> bit & 1).astype(bool)
        sums = np.concatenate([[0.0], np.cumsum(np.where(one, 0.0, values))])
        lower[one] += (sums[1:] - sums[start])[one]
        # Zeros first within each block: a stable split keeps the order of positions.
        zeros = np.concatenate([[0], np.cumsum(~one)])
        begin_zeros = zeros[start]
        block = np.concatenate([start[1:] != start[:-1], [True]])
        last = np.flatnonzero(block)
        in_block = np.repeat(zeros[last + 1] - zeros[start[last]], np.diff(last, prepend=-1))
        rank_zero = zeros[:-1] - begin_zeros
        place = start + np.where(one, in_block + np.arange(len(one)) - start - rank_zero, rank_zero)
        moved = np.empty_like(place)
        moved[place] = np.arange(len(place))
        start = np.where(one, start + in_block, start)[moved]
        ranks, values, lower, order = ranks[moved], values[moved], lower[moved], order[moved]
    sums = np.concatenate([[0.0], np.cumsum(values)])
    equal = sums[1:] - sums[start]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return lower[back[points:]], equal[back[points:]]


def concordance(
    score: Floats, weights: Floats, first: Integers, last: Integers, deaths: Integers, clusters: Clusters
) -> Concordance:
    """Concordance of persons at risk at event rows first … last, `deaths` having their event at their last row.

    The rows of a stratum are together, so persons of another stratum have entered and gone, or do neither.
    """
    rank = score_ranks(score)
    top = int(rank.max(initial=0))
    gone = last + 1
    gone[deaths] -= 1  # the first row at which a person does not outlive whoever leaves
    row, mass = last[deaths], weights[deaths]

    # Of each event: those who have entered less those who are gone.
    at, both = np.concatenate([first, gone]), np.concatenate([weights, -weights])
    lower, equal = below(at, np.tile(rank, 2), both, row, rank[deaths])
    rows = int(last.max(initial=0)) + 2
    everyone = np.cumsum(np.bincount(at, both, rows))[row]
    higher = everyone - lower - equal
    concordant, tied, discordant = (float(mass @ x) for x in (lower, equal, higher))
    pairs = concordant + tied + discordant
    if pairs <= 0:
        return Concordance(np.nan, np.nan)

    # Of each person as the one who stays: the events up to being gone less those up to the entry.
    until = np.concatenate([gone - 1, first - 1])
    above, same = below(row, top - rank[deaths], mass, until, np.tile(top - rank, 2))
    events = np.append(0.0, np.cumsum(np.bincount(row, mass, rows)))[until + 1]
    above, same, events = (x[: len(rank)] - x[len(rank) :] for x in (above, same, events))
    difference = 2 * above + same - events
    difference[deaths] += lower - higher
    events[deaths] += everyone
    somers = (concordant - discordant) / pairs
    share = weights * (difference - somers * events) / pairs
    se = np.sqrt((clusters.sums(share) ** 2).sum()) / 2
    return Concordance((concordant + tied / 2) / pairs, float(se))
