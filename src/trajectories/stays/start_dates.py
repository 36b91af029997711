"""The reported start of a spell: one interval from all establishment rows of a run (design.md, rule 1).

Two decisions are taken here, each a row of `conflicts`:

- `establishment_dates`: two establishment dates for one settling; the hull if they lie within 31 days, else the
  earlier;
- `presence_before_establishment`: someone is seen at the destination before the reported date of establishment;
  the report is kept if the gap is within 31 days, else the presence.
"""

from __future__ import annotations

import numpy as np

from .coding import NO_DAY
from .evidence import ESTABLISHMENT, FOLLOW_UP, SERVICE, Decision, said_interval
from .sequence import Runs

# Two reports of one establishment at most this many days apart are one event reported twice (design.md, rule 1).
SAME_EVENT = 31


def reported_starts(runs: Runs) -> tuple[tuple[np.ndarray, np.ndarray], list[Decision]]:
    """
    The reported start of each run, and the decisions taken.

    Returns
    -------
    start : two ndarray of int32, shape (number of runs,)
        Earliest and latest day.
        `NO_DAY` where nothing was reported, or where a presence contradicts it.
    conflicts : list of Decision
    """
    low, high, dates_decided = establishment_dates(runs)
    low, high, presence_decided = presence_before_establishment(runs, low, high)
    return (low, high), [dates_decided, presence_decided]


def establishment_dates(runs: Runs) -> tuple[np.ndarray, np.ndarray, Decision]:
    """
    Reports that overlap agree, and the narrowest common interval is kept.

    Reports that disagree by at most 31 days are one event reported twice: the hull. Farther apart, the earlier report.
    """
    claims = runs.claims
    at = np.flatnonzero(claims.of_kind(ESTABLISHMENT))
    low, high = np.full((2, len(runs)), NO_DAY)
    if not len(at):
        return low, high, Decision("establishment_dates", claims.take(at), said_interval(at, at))
    run, earliest, latest = runs.run[at], claims.earliest[at], claims.latest[at]
    new = np.concatenate([[True], run[1:] != run[:-1]])
    begins, group = np.flatnonzero(new), np.cumsum(new) - 1
    # the earliest report, and the narrowest of those that begin on its first day
    first = np.minimum.reduceat(earliest, begins)[group]
    first_end = np.minimum.reduceat(np.where(earliest == first, latest, np.iinfo(np.int32).max), begins)[group]
    near = earliest - first_end <= SAME_EVENT
    inner_low = np.maximum.reduceat(np.where(near, earliest, NO_DAY), begins)
    inner_high = np.minimum.reduceat(np.where(near, latest, np.iinfo(np.int32).max), begins)
    outer_high = np.maximum.reduceat(np.where(near, latest, NO_DAY), begins)
    agree = inner_low <= inner_high
    low[run[begins]] = np.where(agree, inner_low, first[begins])
    high[run[begins]] = np.where(agree, inner_high, outer_high)
    disputed = (~near | ~agree[group]) & ((earliest != first) | (latest != first_end))
    against, of = at[disputed], run[disputed]
    kept = said_interval(low[of], high[of])
    return low, high, Decision("establishment_dates", claims.take(against), kept)


def presence_before_establishment(
    runs: Runs, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Decision]:
    """
    A presence at the destination before the reported date: the report is kept up to 31 days, else the presence.

    More than 31 days before, a departure to there or a residence there counts as a presence too.
    """
    claims = runs.claims
    at = runs.only(np.flatnonzero(runs.first_seen() < low))
    gap = low[runs.run[at]] - claims.latest[at]
    at = at[(claims.of_kind(SERVICE, FOLLOW_UP)[at] & (gap > 0)) | (gap > SAME_EVENT)]
    at = at[np.lexsort((claims.latest[at], runs.run[at]))]
    run, first = np.unique(runs.run[at], return_index=True)
    first_presence = at[first]
    told_twice = low[run] - claims.latest[first_presence] <= SAME_EVENT
    kept = np.where(told_twice, said_interval(low[run], high[run]), "presence")
    decided = Decision("presence_before_establishment", claims.take(first_presence), kept)
    low, high = low.copy(), high.copy()
    low[run[~told_twice]], high[run[~told_twice]] = NO_DAY, NO_DAY
    return low, high, decided
