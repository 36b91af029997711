"""Departures that contradict a presence, or of a person already known to be elsewhere.

- `departure_before_presence`: a departure is dated before a presence in the place left, and was reported after it; the
  presence is kept, and the departure is known only to lie before the day it was reported;
- `departure_already_known`: a departure is reported of a person already known to be elsewhere, and it names a place
  without a spell.
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


def departure_before_presence(evidence: Evidence) -> Decision:
    """Departures dated before a presence in the region left, which its source could have known: dated anew."""
    departures = np.flatnonzero(evidence.of_kind(DEPARTURE) & (evidence.earliest != NO_DAY))
    # a presence after the departure comes later in the order of the person's rows: most departures are the last
    departures = departures[np.append(evidence.person[1:], MISSING)[departures] == evidence.person[departures]]
    region, _ = evidence.place_left(departures)
    departures, region = departures[region != MISSING], region[region != MISSING]
    filed_day = days(evidence.table_column("told", departures))
    which, later = pairs(departures + 1, np.searchsorted(evidence.person, evidence.person[departures], side="right"))
    # who moved within a region is no longer in the place left, but where the departure led
    arrived = np.where(
        evidence.town[departures][which] >= 0,
        evidence.town[later] == evidence.town[departures][which],
        evidence.region[departures][which] == region[which],
    )
    in_place = (evidence.zone[later] == IN_REGION) & (evidence.region[later] == region[which]) & ~arrived
    knowable = in_place & (evidence.earliest[later] <= filed_day[which])
    kind = evidence.kind[later]
    last_presence = _latest_of(
        evidence.earliest[later], knowable & ((kind == SERVICE) | (kind == FOLLOW_UP)), which, len(departures)
    )
    # a settling there after that departure explains the presence: nothing is contradicted
    last_settling = _latest_of(evidence.earliest[later], knowable & (kind == ESTABLISHMENT), which, len(departures))
    against = (last_presence > evidence.latest[departures]) & ~(last_settling > evidence.latest[departures])
    at, last_presence, filed_day = departures[against], last_presence[against], filed_day[against]
    decided = Decision("departure_before_presence", evidence.take(at), "presence " + said_day(last_presence))
    date_anew(evidence, at, NO_DAY, filed_day)
    return decided


def _latest_of(day: np.ndarray, flag: np.ndarray, which: np.ndarray, n: int) -> np.ndarray:
    """For each of n, the last flagged day of its pairs; `NO_DAY` where there is none."""
    latest = np.full(n, NO_DAY)
    np.maximum.at(latest, which[flag], day[flag])
    return latest


def date_anew(evidence: Evidence, at: np.ndarray, earliest: np.ndarray | np.int32 | None, latest: np.ndarray) -> None:
    """Date the rows at positions anew (None: from the same day), and put the rows of those persons back in order."""
    evidence.latest[at] = latest
    evidence.earliest[at] = np.minimum(evidence.earliest[at], latest) if earliest is None else earliest
    rows = _rows_of(evidence, at)
    order = in_order(evidence.person[rows], evidence.latest[rows], evidence.kind[rows]).rows()
    # most rows stand where they stood
    misplaced = np.flatnonzero(order != np.arange(len(order)))
    evidence.put(rows[misplaced], evidence.take(rows[order[misplaced]]))


def _rows_of(evidence: Evidence, at: np.ndarray) -> np.ndarray:
    """The positions of all rows of the persons of some rows."""
    persons = np.unique(evidence.person[at])
    return pairs(*(np.searchsorted(evidence.person, persons, side=side) for side in ("left", "right")))[1]


def news_already_known(
    evidence: Evidence, counts: np.ndarray, marker: np.ndarray, departures: np.ndarray, died: np.ndarray
) -> tuple[Aside, np.ndarray]:
    """
    Departures of a person already known to be elsewhere: they begin no new spell.

    Returned are those that name a place, and the positions of those that name none or precede any presence.
    """
    at, died = departures[counts[departures]], died[counts[departures]]
    last = last_before(counts & ~marker, at, evidence.person)
    has = last >= 0
    region, zone = evidence.place_left(at)
    known_zone = (zone != MISSING) & (zone != NOWHERE_KNOWN) & (evidence.zone[last] != NOWHERE_KNOWN)
    other_zone = known_zone & (zone != evidence.zone[last])
    other_region = (region != MISSING) & (evidence.region[last] != MISSING) & (region != evidence.region[last])
    elsewhere = has & (other_zone | other_region) & ~died
    unplaced = at[marker[at] & (elsewhere | ~has)]
    ends = counts & marker
    ends[unplaced] = False
    # another place in the zone where the person already is says nothing new; the same town, or its region, is one more
    # report of that spell
    same_zone = elsewhere & ~marker[at] & (evidence.zone[at] == evidence.zone[last])
    same_town = (evidence.town[at] == evidence.town[last]) & (evidence.town[at] >= 0)
    same_town |= (evidence.town[at] < 0) & (evidence.region[at] == evidence.region[last]) & (evidence.region[at] >= 0)
    same_town &= last_before(ends, at, evidence.person) < last
    # an undated departure of a person who has already left is about a past move
    undated = elsewhere & ~marker[at] & (evidence.earliest[at] == NO_DAY)
    same = (same_zone | undated) & ~same_town
    return Aside("departure_already_known", evidence, at[same], last[same]), unplaced
