"""Departures that contradict a presence, or tell of somebody who is already known to be elsewhere.

- `departure_before_presence`: a departure is dated before a presence in the place left, and was told after it; the
  presence is kept, the departure is known only by the day it was told;
- `departure_already_known`: a departure is told of someone who is already known to be elsewhere, and it names a place
  where no spell is.
"""

from __future__ import annotations

import numpy as np

from .coding import MISSING, NO_DAY, days
from .evidence import (
    DEPARTURE,
    ESTABLISHMENT,
    FOLLOW_UP,
    IN_REGION,
    NOWHERE_KNOWN,
    SERVICE,
    Aside,
    Decision,
    Evidence,
    in_order,
    last_before,
    pairs,
    said_day,
)


def departure_before_presence(found: Evidence) -> Decision:
    """Departures dated before a presence in the region left, of which the teller could have known: dated anew."""
    left = np.flatnonzero(found.of_kind(DEPARTURE) & (found.earliest != NO_DAY))
    # a presence after the departure comes later in the order of the person's rows: most departures are the last
    left = left[np.append(found.person[1:], MISSING)[left] == found.person[left]]
    region, _ = found.place_left(left)
    left, region = left[region != MISSING], region[region != MISSING]
    told = days(found.asked("told", left))
    which, later = pairs(left + 1, np.searchsorted(found.person, found.person[left], side="right"))
    # who moved within a region is no longer in the place left, but where the departure led
    arrived = np.where(
        found.town[left][which] >= 0,
        found.town[later] == found.town[left][which],
        found.region[left][which] == region[which],
    )
    there = (found.zone[later] == IN_REGION) & (found.region[later] == region[which]) & ~arrived
    knowable = there & (found.earliest[later] <= told[which])
    kind = found.kind[later]
    seen = _latest_of(found.earliest[later], knowable & ((kind == SERVICE) | (kind == FOLLOW_UP)), which, len(left))
    # who settled there again after that departure may well be present: nothing is contradicted
    again = _latest_of(found.earliest[later], knowable & (kind == ESTABLISHMENT), which, len(left))
    against = (seen > found.latest[left]) & ~(again > found.latest[left])
    at, seen, told = left[against], seen[against], told[against]
    decided = Decision("departure_before_presence", found.take(at), "presence " + said_day(seen))
    date_anew(found, at, NO_DAY, told)
    return decided


def _latest_of(day: np.ndarray, flag: np.ndarray, which: np.ndarray, n: int) -> np.ndarray:
    """For each of n, the last flagged day of its pairs; `NO_DAY` where there is none."""
    latest = np.full(n, NO_DAY)
    np.maximum.at(latest, which[flag], day[flag])
    return latest


def date_anew(found: Evidence, at: np.ndarray, earliest: np.ndarray | np.int32 | None, latest: np.ndarray) -> None:
    """Date the rows at positions anew (None: from the same day), and put the rows of those persons back in order."""
    found.latest[at] = latest
    found.earliest[at] = np.minimum(found.earliest[at], latest) if earliest is None else earliest
    theirs = _rows_of(found, at)
    order = in_order(found.person[theirs], found.latest[theirs], found.kind[theirs]).rows()
    # most rows stand where they stood
    moved = np.flatnonzero(order != np.arange(len(order)))
    found.put(theirs[moved], found.take(theirs[order[moved]]))


def _rows_of(found: Evidence, at: np.ndarray) -> np.ndarray:
    """The positions of all rows of the persons of some rows."""
    persons = np.unique(found.person[at])
    return pairs(*(np.searchsorted(found.person, persons, side=side) for side in ("left", "right")))[1]


def news_already_known(
    found: Evidence, counts: np.ndarray, marker: np.ndarray, departures: np.ndarray, died: np.ndarray
) -> tuple[Aside, np.ndarray]:
    """
    Departures told of someone who is already known to be elsewhere begin no new spell.

    The first name a place; the second, as positions, name none, or come before any presence: they have no spell.
    """
    at, died = departures[counts[departures]], died[counts[departures]]
    last = last_before(counts & ~marker, at, found.person)
    has = last >= 0
    region, zone = found.place_left(at)
    known_zone = (zone != MISSING) & (zone != NOWHERE_KNOWN) & (found.zone[last] != NOWHERE_KNOWN)
    other_zone = known_zone & (zone != found.zone[last])
    other_region = (region != MISSING) & (found.region[last] != MISSING) & (region != found.region[last])
    elsewhere = has & (other_zone | other_region) & ~died
    unplaced = at[marker[at] & (elsewhere | ~has)]
    ends = counts & marker
    ends[unplaced] = False
    # another place of the zone where the person already is says nothing new; the very town, or the region that it is
    # in, is one more report of that spell
    same_zone = elsewhere & ~marker[at] & (found.zone[at] == found.zone[last])
    same_town = (found.town[at] == found.town[last]) & (found.town[at] >= 0)
    same_town |= (found.town[at] < 0) & (found.region[at] == found.region[last]) & (found.region[at] >= 0)
    same_town &= last_before(ends, at, found.person) < last
    # told without a date of someone who has gone from there, it is of a move that is past
    undated = elsewhere & ~marker[at] & (found.earliest[at] == NO_DAY)
    same = (same_zone | undated) & ~same_town
    return Aside("departure_already_known", found, at[same], last[same]), unplaced
