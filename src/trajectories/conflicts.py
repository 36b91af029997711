"""Where sources disagree: which observation counts, and one row for each decision against a source.

The rules are those of design.md (« Rules that decide correctness », 1 and 2). A decision is a row of the table
`conflicts` with a stable code:

- `old_address`: a Montréal organisation goes on printing the old address after an establishment or a follow-up en
  région; within the grace period, and unless the service was given in person in the metropole, it is no return;
- `departure_before_presence`: a departure is dated before a presence in the place left, and was told after it; the
  presence is kept, the departure is known only by the day it was told;
- `departure_already_known`: a departure is told of someone who is already known to be elsewhere, and it names a place
  where no spell is;
- `establishment_dates` and `presence_before_establishment`: see settling.py.

An observation set aside that agrees with some spell of the person (its place, at its time) contradicts nothing and is
not written down: every observation of a place is inside a spell or in `conflicts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .coding import MISSING, NO_DAY, dates, days
from .evidence import (
    DEPARTURE,
    ESTABLISHMENT,
    FOLLOW_UP,
    IN_METROPOLE,
    IN_REGION,
    NOWHERE_KNOWN,
    RESIDENCE,
    SERVICE,
    Evidence,
    describe,
    in_order,
    joined,
    last_before,
    pairs,
    said_day,
)
from .tables import METROPOLE

# Rows of a table as one array a column: tables are made of them once, at the end.
Rows = dict[str, np.ndarray]


@dataclass(frozen=True)
class Decision:
    """Observations that a rule decides against, and what it keeps: other observations, or what is said of them."""

    rule: str
    against: Evidence
    kept: Evidence | np.ndarray


def in_words(decisions: Sequence[Decision]) -> Rows:
    """Columns of the table `conflicts`, each dated by the latest day of the observation set aside."""
    found = []
    # a few words for many persons: each rule's are written all at once
    for rule in dict.fromkeys(decision.rule for decision in decisions):
        against, kept = zip(*((one.against, one.kept) for one in decisions if one.rule == rule), strict=True)
        against = joined(against)
        found.append(
            {
                "person_id": against.observed.persons[against.person],
                "date": dates(against.as_observed("latest")),
                "rule": np.full(len(against), rule, dtype=object),
                "said": describe(against),
                "kept": describe(joined(kept)) if isinstance(kept[0], Evidence) else np.concatenate(kept),
            }
        )
    return {name: np.concatenate([rows[name] for rows in found]) for name in found[0]}


@dataclass(frozen=True)
class Aside:
    """Observations that a rule set aside, at positions of the evidence, each because of another one."""

    rule: str
    found: Evidence
    at: np.ndarray
    because: np.ndarray

    def decision(self) -> Decision:
        """Written down as they are."""
        return Decision(self.rule, self.found.take(self.at), self.found.take(self.because))

    def unless_inside(self, spells: Rows) -> Decision:
        """Those that no spell of the person contains."""
        rows = self.found.take(self.at)
        first, stop = (np.searchsorted(spells["person_id"], rows.person, side=side) for side in ("left", "right"))
        which, spell = pairs(first, stop)
        same_town = (rows.town[which] == spells["municipality"][spell]) & (rows.town[which] >= 0)
        in_area = (
            (rows.town[which] < 0)
            & ((rows.region[which] < 0) | (rows.region[which] == spells["region"][spell]))
            & ((rows.zone[which] == NOWHERE_KNOWN) | (rows.zone[which] == spells["zone"][spell]))
        )
        is_open = spells["end_latest"][spell] == NO_DAY
        then = (rows.earliest[which] <= spells["end_latest"][spell]) | is_open
        then &= rows.latest[which] >= spells["start_earliest"][spell]
        outside = np.ones(len(rows), dtype=bool)
        outside[which[(same_town | in_area) & then]] = False
        return replace(self, at=self.at[outside], because=self.because[outside]).decision()


@dataclass(frozen=True)
class Settled:
    """
    What is left once sources that disagree are settled.

    `claims` place a person; `gone` are departures to an unknown place and deaths: they end a spell and begin none.
    `claims_before` says how many claims come before each of them. `conflicts` are decisions taken; `aside` are
    observations that become conflicts unless a spell contains them.
    """

    claims: Evidence
    gone: Evidence
    claims_before: np.ndarray
    conflicts: list[Decision]
    aside: list[Aside]


def settle(found: Evidence, grace_days: int) -> Settled:
    """
    The observations that count, in order of person and date, and the decisions taken.

    Parameters
    ----------
    found : Evidence
        All observations; rows that a rule dates or places anew are changed where they stand.
    grace_days : int
        How long after an explicit report a repeated old address is no news.
    """
    seen_within(found)
    contradicted = departure_before_presence(found)
    present_somewhere(found, grace_days)
    departures = np.flatnonzero(found.of_kind(DEPARTURE))
    died = found.asked("died", departures).to_numpy(dtype=bool)
    nowhere = found.nowhere()
    marker = np.zeros(len(found), dtype=bool)
    marker[departures] = nowhere[departures] | died
    counts = marker | ~nowhere
    repeated, printed_before = old_address(found, counts, grace_days)
    counts[repeated.at] = False
    counts[printed_before.at] = False
    known, unplaced = news_already_known(found, counts, marker, departures, died)
    counts[known.at] = False
    counts[unplaced] = False
    gone, claims = np.flatnonzero(counts & marker), counts & ~marker
    return Settled(
        found.take(claims),
        found.take(gone),
        np.cumsum(claims, dtype=np.int32)[gone],
        [contradicted, repeated.decision()],
        [printed_before, known],
    )


def seen_within(found: Evidence) -> None:
    """
    An observation that may be of several days is put at the first of them on which the person is otherwise there.

    Someone who settled in a quarter and is seen in that town within it had settled by then; what was elsewhere before
    the settling was so before that day. Put at the end of the quarter, they would come after what followed. Of a
    service, an old address that is still good on some of the days says as much.
    """
    wide = np.flatnonzero(may_be_of_several_days(found) & (found.town >= 0) & (found.kind != RESIDENCE))
    # rows are in order of latest day: where even the one before is of no such day, none is
    before = wide - 1
    wide = wide[(found.person[before] == found.person[wide]) & (found.latest[before] >= found.earliest[wide])]
    which, other = pairs(np.searchsorted(found.person, found.person[wide]), wide)
    of = wide[which]
    presence = found.of_kind(SERVICE, FOLLOW_UP)
    within = (
        (found.town[other] == found.town[of]) & ((found.kind[other] != RESIDENCE) | presence[of])
        & (found.latest[other] >= found.earliest[of]) & (found.latest[other] < found.latest[of])
    )  # fmt: skip
    by = found.latest[wide].copy()
    np.minimum.at(by, which[within], found.latest[other[within]])
    moved = by < found.latest[wide]
    old, until = _old_addresses_of(found, wide[moved], by[moved])
    _dated(found, np.concatenate([wide[moved], old]), None, np.concatenate([by[moved], until]))


def may_be_of_several_days(found: Evidence) -> np.ndarray:
    """Whether the day of each observation is known only to lie in an interval."""
    return (found.earliest != NO_DAY) & (found.earliest < found.latest)


def _old_addresses_of(found: Evidence, at: np.ndarray, by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The old addresses on the rows of some observations, where they are said to reach beyond the day of those."""
    settled = found.kind[at] == ESTABLISHMENT
    at, by = at[settled], by[settled]
    residence = np.flatnonzero(found.of_kind(RESIDENCE))
    which, old = pairs(
        *(np.searchsorted(found.person[residence], found.person[at], side=side) for side in ("left", "right"))
    )
    old = residence[old]
    # only what lies beyond the day is asked on which row it was told
    beyond = found.latest[old] > by[which]
    which, old = which[beyond], old[beyond]
    same = found.asked("record_id", at[which]).to_numpy() == found.asked("record_id", old).to_numpy()
    old, of = np.unique(old[same], return_inverse=True)
    until = np.full(len(old), np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(until, of, by[which[same]])
    reaches = found.earliest[old] <= until
    return old[reaches], until[reaches]


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
    _dated(found, at, NO_DAY, told)
    return decided


def _latest_of(day: np.ndarray, flag: np.ndarray, which: np.ndarray, n: int) -> np.ndarray:
    """For each of n, the last flagged day of its pairs; `NO_DAY` where there is none."""
    latest = np.full(n, NO_DAY)
    np.maximum.at(latest, which[flag], day[flag])
    return latest


def _dated(found: Evidence, at: np.ndarray, earliest: np.ndarray | None, latest: np.ndarray) -> None:
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


def present_somewhere(found: Evidence, grace_days: int) -> None:
    """
    « Présent » without a known place: present where the person was last said to have settled or been.

    An old address that is printed again (rule 2) does not say so. Which ones are old depends on earlier presences:
    each round settles at least the next row of each person, until nothing changes.
    """
    blank = found.of_kind(FOLLOW_UP) & found.nowhere()
    theirs = _rows_of(found, np.flatnonzero(blank))
    rows, blank = found.take(theirs), blank[theirs]
    placed = rows.of_kind(ESTABLISHMENT, FOLLOW_UP, SERVICE) & (rows.zone != NOWHERE_KNOWN)
    at, old = np.flatnonzero(blank), np.zeros(0, dtype=int)
    while len(at):
        says = placed.copy()
        says[old] = False
        last = last_before(says, at, rows.person)
        for place, none in ((rows.town, MISSING), (rows.region, MISSING), (rows.zone, NOWHERE_KNOWN)):
            place[at] = np.where(last >= 0, place[last], none)
        again, _ = old_address(rows, rows.of_kind(DEPARTURE) | ~rows.nowhere(), grace_days)
        if np.array_equal(again.at, old):
            break
        old = again.at
    found.put(theirs, rows)


def old_address(found: Evidence, counts: np.ndarray, grace_days: int) -> tuple[Aside, Aside]:
    """
    Rule 2: metropolitan addresses that are printed again after someone settled en région.

    The first are decisions against a source; the second the old addresses of establishment rows, which attest only
    before: told again later, they are no news.
    """
    explicit = found.of_kind(ESTABLISHMENT, FOLLOW_UP)
    # in person, but perhaps before the person settled: it shows no return
    unsure = found.in_person & may_be_of_several_days(found)
    certain = found.in_person & ~unsure
    service = found.of_kind(SERVICE) & (found.zone == IN_METROPOLE) & ~certain
    at = np.flatnonzero(counts & (service | found.of_kind(RESIDENCE)))
    anchor = last_before(counts & (explicit | found.of_kind(DEPARTURE) | certain), at, found.person)
    settled = (anchor >= 0) & explicit[anchor] & (found.zone[anchor] == IN_REGION)
    at, anchor = at[settled], anchor[settled]
    printed = service[at]
    before = ~printed & ~(found.earliest[at] > found.latest[anchor])
    told_before = Aside("old_address", found, at[before], anchor[before])
    grace = np.where(unsure[at], 0, grace_days)
    soon = printed & (found.earliest[at] <= found.latest[anchor] + grace) & (found.earliest[at] != NO_DAY)
    at, anchor = at[soon], anchor[soon]
    own, other = (found.asked("organisation_id", rows).reset_index(drop=True).astype(object) for rows in (at, anchor))
    stranger = own.ne(other).to_numpy() | found.asked("organisation_zone", at).eq(METROPOLE).to_numpy()
    return Aside("old_address", found, at[stranger], anchor[stranger]), told_before


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
