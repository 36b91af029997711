"""When a spell began and when it ended: two intervals of days, neither wider nor narrower than the evidence (rule 1).

A start or an end is what one source reported, else the time between the last day elsewhere and the first day here.
Runs come in order of person and date. `NO_DAY`, which is before all days, is an earliest day that nothing bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .coding import NO_DAY
from .evidence import DEPARTURE, highest_so_far
from .sequence import Runs, Settled


@dataclass(frozen=True)
class Span:
    """An interval of days a run, [earliest, latest]; `NO_DAY` in `latest` where there is none."""

    earliest: np.ndarray
    latest: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Where there is an interval."""
        return self.latest != NO_DAY

    def where(self, flag: np.ndarray) -> Span:
        """The interval where the flag is true, else none."""
        return Span(np.where(flag, self.earliest, NO_DAY), np.where(flag, self.latest, NO_DAY))

    def by(self, day: np.ndarray) -> Span:
        """The interval as far as a day within it."""
        within = (day >= self.earliest) & (day < self.latest)
        return Span(self.earliest, np.where(within & self.known, day, self.latest))

    def next(self) -> Span:
        """Of each run, the interval of the run after it."""
        return Span(np.append(self.earliest[1:], NO_DAY), np.append(self.latest[1:], NO_DAY))

    def otherwise(self, fallback: Span) -> Span:
        """This interval, else the fallback; both ends come from one source, never from a mixture of two."""
        known = self.known
        return Span(np.where(known, self.earliest, fallback.earliest), np.where(known, self.latest, fallback.latest))


def reported_departures(runs: Runs, first_seen: np.ndarray) -> Span:
    """The first dated departure for each run's place, unless the person was seen there before that date."""
    claims = runs.claims
    at = runs.first_where(claims.of_kind(DEPARTURE) & (claims.earliest != NO_DAY))
    return Span(claims.earliest[at], claims.latest[at]).where((at >= 0) & (claims.earliest[at] <= first_seen))


def gone_after(runs: Runs, settled: Settled) -> tuple[Span, np.ndarray]:
    """The first departure to an unknown place after each run's last claim, and whether one of them is a death."""
    gone = settled.gone
    run = runs.run[settled.claims_before - 1]
    first = np.full(len(runs), -1)
    first[run[::-1]] = np.arange(len(run))[::-1]
    died = np.zeros(len(runs), dtype=bool)
    died[run[gone.table_column("died", np.arange(len(gone))).to_numpy(dtype=bool)]] = True
    if not len(gone):
        return Span(*np.full((2, len(runs)), NO_DAY)), died
    return Span(gone.earliest[first], gone.latest[first]).where(first >= 0), died


def starts(
    reported: Span,
    departures: Span,
    arrival: np.ndarray,
    confirmed: np.ndarray,
    gone: Span,
    first_seen: np.ndarray,
    person: np.ndarray,
) -> Span:
    """The start: what was reported; else between the last day elsewhere, or the arrival, and the first day here."""
    latest = np.where(reported.known, reported.latest, first_seen)
    # an arrival in Québec cannot be after the first presence: such a date is no bound
    lower = reported.otherwise(departures).otherwise(Span(arrival, latest).where(arrival <= latest)).earliest
    lower = np.minimum(lower, latest)
    before = _highest_before(np.maximum.reduce([lower, confirmed, gone.earliest]), person)
    return Span(np.minimum(np.maximum(lower, before), latest), latest)


def _highest_before(day: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The last day that is reached in the earlier runs of each run's person; `NO_DAY` where there is none."""
    before = np.append(NO_DAY, highest_so_far(day, person))[:-1].astype(np.int32)
    return np.where(np.append(True, person[1:] != person[:-1])[: len(person)], NO_DAY, before)


def ends(
    gone: Span, next_reported: Span, next_departure: Span, next_seen: np.ndarray, confirmed: np.ndarray, start: Span
) -> Span:
    """The end: the departure reported, else the reported start of the next spell, else between two presences."""
    dated = next_departure.where(~(gone.known & (gone.latest < next_departure.earliest)))
    end = dated.otherwise(gone).otherwise(next_reported).otherwise(Span(np.full_like(next_seen, NO_DAY), next_seen))
    seen_within = (next_seen >= end.earliest) & (next_seen < end.latest) & (next_seen != NO_DAY)
    latest = np.where(seen_within, next_seen, end.latest)
    earliest = np.maximum(end.earliest, confirmed)
    # a spell ends after it began; while it is open, its end is after the last confirmed presence, no more
    earliest = np.where(end.known, np.maximum(earliest, start.earliest), earliest)
    return Span(earliest, np.where(end.known, np.maximum(latest, earliest), NO_DAY))


def in_turn(start: Span, end: Span, person: np.ndarray) -> tuple[Span, Span]:
    """The intervals narrowed by later runs: a run begins before its own end and before the next one begins."""
    bounded = np.where(end.known, np.minimum(start.latest, end.latest), start.latest)
    latest = -highest_so_far(-bounded[::-1], person[::-1])[::-1]
    follows = np.append(person[1:] == person[:-1], False)[: len(person)] & end.known
    ended = np.where(follows, np.minimum(end.latest, np.append(latest[1:], 0)[: len(latest)]), end.latest)
    return (
        Span(np.minimum(start.earliest, latest), latest),
        Span(end.earliest, np.where(end.known, np.maximum(ended, end.earliest), NO_DAY)),
    )
