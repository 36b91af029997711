"""Claims in the order with the fewest moves, and their maximal runs in one place: what becomes the spells of residence.

A day known only as a month, a quarter or a year leaves several orders. Of those the one with the fewest moves is
taken; where two would do, a place where the person never settled came before the settling, and a departure comes after
the stay that it ends (docs/rules.md, « Order »). A run ends where the person changes, where the place changes, or where
a departure to an unknown place comes between, even if the person is then back in the same town.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .coding import MISSING, NO_DAY
from .evidence import (
    DEPARTURE,
    ESTABLISHMENT,
    FOLLOW_UP,
    IN_METROPOLE,
    IN_REGION,
    NOWHERE_KNOWN,
    SERVICE,
    Evidence,
    highest_so_far,
    last_known,
    pairs,
)

# The place of someone of whom it is only known that they left.
_GONE = np.iinfo(np.int32).min
_NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Settled:
    """
    What is left once sources that disagree are settled, in the order of what happened.

    `claims` place a person; `gone` are departures to an unknown place and deaths: they end a spell and begin none.
    `claims_before` says how many claims come before each of them.
    """

    claims: Evidence
    gone: Evidence
    claims_before: np.ndarray


def in_fewest_moves(found: Evidence, leaves: np.ndarray) -> Settled:
    """
    Put what counts in order.

    Each person stays where they are for as long as what is known of them elsewhere allows, then goes where they must
    have been by then; everybody who has something to choose takes that step at once.

    Parameters
    ----------
    found : Evidence
        What counts, in order of person and latest day.
    leaves : ndarray of bool
        The departures to an unknown place and deaths.
    """
    place = places(found)
    place[leaves] = _GONE
    tangled = _rows_to_order(found, place, found.earliest < found.latest)
    if len(tangled):
        step, _, leads_away = _steps(found.take(tangled), place[tangled])
        order = np.arange(len(found))
        order[tangled] = tangled[np.lexsort((tangled, leads_away, step, found.person[tangled]))]
        found, leaves = found.take(order), leaves[order]
    claims = ~leaves
    return Settled(found.take(claims), found.take(leaves), np.cumsum(claims, dtype=np.int32)[leaves])


def places(found: Evidence) -> np.ndarray:
    """A number for the place of each row; those without a town are numbered below zero: by region, then by zone."""
    place = found.town.astype(np.int32)
    unnamed = np.flatnonzero(found.town < 0)
    region, zone = found.region[unnamed], found.zone[unnamed]
    place[unnamed] = np.where(region >= 0, -10 - region.astype(np.int32), -1 - zone)
    return place


def _rows_to_order(found: Evidence, place: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The rows of the persons of whom an interval, of the rows asked for, reaches back over another place."""
    wide = np.flatnonzero(asked & (found.earliest < found.latest))
    wide = wide[(wide > 0) & (found.person[wide - 1] == found.person[wide])]
    wide = wide[found.latest[wide - 1] >= found.earliest[wide]]
    changes = np.cumsum(place[1:] != place[:-1], dtype=np.int32)
    everything = np.ones(len(found), dtype=bool)
    before = last_known(found, everything, found.person[wide], found.earliest[wide])
    first = np.where(before >= 0, before + 1, np.searchsorted(found.person, found.person[wide]))
    elsewhere = np.append(0, changes)[wide] > np.append(0, changes)[np.minimum(first, wide)]
    chosen = np.zeros(int(found.person.max(initial=-1)) + 1, dtype=bool)
    chosen[found.person[wide[elsewhere]]] = True
    return np.flatnonzero(chosen[found.person])


def left_by(found: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """The rows en région by whose last day the person must have gone elsewhere, and that earlier day."""
    place = places(found)
    tangled = _rows_to_order(found, place, (found.zone == IN_REGION) & (found.kind != DEPARTURE))
    if not len(tangled):
        return tangled, tangled
    _, by, _ = _steps(found.take(tangled), place[tangled])
    earlier = (by < found.latest[tangled]) & (found.zone[tangled] == IN_REGION) & (found.kind[tangled] != DEPARTURE)
    return tangled[earlier], by[earlier]


def _steps(rows: Evidence, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At which step of its person's way each row is, by when they must be elsewhere after it, and whether it tells of
    leaving the place of that step."""
    new = np.append(True, rows.person[1:] != rows.person[:-1])
    begins, who = np.flatnonzero(new), np.cumsum(new) - 1
    settled, last_there = _settled_places(rows, who, place)
    stays = _Stays(rows, who)
    departs = rows.kind == DEPARTURE
    step, left = np.full(len(rows), -1), np.ones(len(rows), dtype=bool)
    until, leads_away = rows.latest.copy(), np.zeros(len(rows), dtype=bool)
    at = np.full(len(begins), -1)  # the row that says where each person is now
    for number in range(len(rows) + 1):
        same = _same_place(rows, place, at[who])
        here = left & (at[who] >= 0) & (same | stays.left_metropole(at[who]))
        here &= ~stays.yet_to_end(left)
        by = _least(np.where(left & ~here, rows.latest, _NEVER), begins)
        taken = here & (rows.earliest <= by[who])
        step[taken], left[taken], until[taken] = number, False, by[who[taken]]
        leads_away[taken] = ~same[taken]
        other = left & ~here
        following = _first(other, begins)
        if (following < 0).all():
            return step, until, leads_away
        next_row = np.maximum(following, 0)[who]
        reachable = other & (rows.earliest <= by[who]) & ~departs
        # a place where the person never settled came before the settling, unless they are back there later
        unsettled = reachable & (rows.earliest < by[who]) & ~(last_there > by[who])
        unsettled &= ~settled & (settled | departs)[next_row]
        # a departure comes after the stay that it ends
        for flag in (unsettled, reachable & departs[next_row] & stays.ended_by(next_row)):
            found = _first(flag, begins)
            following = np.where(found >= 0, found, following)
        at = np.where(following >= 0, following, at)
    return step, until, leads_away


class _Stays:
    """Which stay each departure ends: one in the region left, else any en région; or that in the metropole."""

    def __init__(self, rows: Evidence, who: np.ndarray):
        self._rows, self._departures = rows, np.flatnonzero(rows.kind == DEPARTURE)
        region, zone = rows.place_left(self._departures)
        self._origin = np.full(len(rows), MISSING, dtype=np.int32)
        self._origin[self._departures] = region
        self._from_metropole = np.zeros(len(rows), dtype=bool)
        self._from_metropole[self._departures] = zone == IN_METROPOLE
        leaves = np.zeros(int(who.max(initial=0)) + 1, dtype=bool)
        leaves[who[self._departures]] = True
        self._there = np.flatnonzero((rows.zone == IN_REGION) & (rows.kind != DEPARTURE) & leaves[who])
        # a group for each person and region; the first two are of a region where nobody is, and of any region
        width = 3 + int(max(rows.region.max(initial=0), region.max(initial=0)))
        base = who * width + 2
        self._groups = (base[self._there] + rows.region[self._there], base[self._there] + MISSING)
        self._of_departure = base[self._departures] + region
        self._size = (int(who.max(initial=0)) + 1) * width

    def yet_to_end(self, left: np.ndarray) -> np.ndarray:
        """The departures before which somebody has yet to be in the stay that they end."""
        found = np.zeros(len(left), dtype=bool)
        first = np.full(self._size, _NEVER)
        for group in self._groups:
            yet = left[self._there]
            np.minimum.at(first, group[yet], self._rows.earliest[self._there[yet]])
        found[self._departures] = first[self._of_departure] <= self._rows.latest[self._departures]
        return found & ~self._from_metropole

    def ended_by(self, departure: np.ndarray) -> np.ndarray:
        """Whether each row is of the stay that a departure ends."""
        origin = self._origin[departure]
        return (self._rows.zone == IN_REGION) & ((origin == MISSING) | (self._rows.region == origin))

    def left_metropole(self, at: np.ndarray) -> np.ndarray:
        """Departures from the metropole, where the row at a position is of it."""
        return self._from_metropole & (self._rows.zone[at] == IN_METROPOLE)


def _settled_places(rows: Evidence, who: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row, whether the person settled in its place, and the last day on which they are surely there."""
    _, code = np.unique((who.astype(np.int64) << 32) + place, return_inverse=True)
    settled = np.zeros(code.max(initial=-1) + 1, dtype=bool)
    settled[code[rows.kind == ESTABLISHMENT]] = True
    last = np.full(len(settled), NO_DAY)
    np.maximum.at(last, code, rows.earliest)
    return settled[code], last[code]


def _same_place(rows: Evidence, place: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether each row may be in the place of another one: the same, or an area that this is in."""
    area = (rows.town < 0) & (place != _GONE) & (place[other] != _GONE)
    region = (rows.region == rows.region[other]) | (rows.region < 0)
    zone = (rows.zone == rows.zone[other]) | (rows.zone == NOWHERE_KNOWN)
    return (place == place[other]) | (area & region & zone)


def _least(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    return np.minimum.reduceat(values, begins)


def _first(flag: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The first flagged row of each person; −1 where there is none."""
    found = _least(np.where(flag, np.arange(len(flag)), _NEVER), begins)
    return np.where(found == _NEVER, -1, found)


@dataclass(frozen=True)
class Runs:
    """
    The claims of all persons, cut into runs.

    `begins` is the position of each run's first claim, `place` a number for its place, `run` the number of each
    claim's run. Functions named after a column give one value a run.
    """

    claims: Evidence
    begins: np.ndarray
    place: np.ndarray
    run: np.ndarray

    def __len__(self) -> int:
        return len(self.begins)

    def sizes(self) -> np.ndarray:
        """How many claims each run has."""
        return np.diff(self.begins, append=len(self.claims))

    def first_where(self, flag: np.ndarray) -> np.ndarray:
        """The position of each run's first flagged claim; −1 where it has none."""
        at = np.flatnonzero(flag)
        run = self.run[at]
        first = np.ones(len(at), dtype=bool)
        first[1:] = run[1:] != run[:-1]
        found = np.full(len(self), -1)
        found[run[first]] = at[first]
        return found

    def only(self, runs: np.ndarray) -> np.ndarray:
        """The positions of the claims of some runs."""
        return pairs(self.begins[runs], self.begins[runs] + self.sizes()[runs])[1]

    def first_seen(self) -> np.ndarray:
        """The day by which each person was there: the first of the last days of what is attested there or later."""
        return self._first_of(np.ones(len(self.claims), dtype=bool))

    def first_met(self) -> np.ndarray:
        """The same by what was seen, there or of the places after it: a report of settling there is no sight of it."""
        there = self.claims.of_kind(SERVICE, FOLLOW_UP)
        met, seen = self._first_of(there), self.first_seen()
        last = np.append(self.claims.person[self.begins][1:] != self.claims.person[self.begins][:-1], True)
        return np.minimum(met, np.where(last[: len(self)], _NEVER, np.append(seen[1:], _NEVER)[: len(self)]))

    def _first_of(self, flag: np.ndarray) -> np.ndarray:
        if not len(self):
            return self.claims.latest
        by = np.minimum.reduceat(np.where(flag, self.claims.latest, _NEVER), self.begins)
        return -highest_so_far(-by[::-1], self.claims.person[self.begins][::-1])[::-1]

    def last_confirmed(self) -> np.ndarray:
        """The last day each person was certainly there: the latest of the first days of what is attested."""
        return np.maximum.reduceat(self.claims.earliest, self.begins) if len(self) else self.claims.earliest


def find_runs(settled: Settled) -> Runs:
    """Cut the claims into runs, areas being where the person is already known to be."""
    claims = areas_within(settled.claims)
    place = places(claims)
    new = np.ones(len(claims), dtype=bool)
    new[1:] = (claims.person[1:] != claims.person[:-1]) | (place[1:] != place[:-1])
    new[settled.claims_before[settled.claims_before < len(claims)]] = True
    begins = np.flatnonzero(new)
    return Runs(claims, begins, place[begins], np.cumsum(new, dtype=np.int32) - np.int32(1))


def areas_within(claims: Evidence) -> Evidence:
    """
    The claims, a region named instead of a town being where the person is already known to be, if that is in it.

    So is a town whose name several towns of the territory share: nothing says that it is another one. An area that is
    elsewhere comes between: what lies beyond it stays an area.
    """
    town, region, zone = claims.town.copy(), claims.region.copy(), claims.zone.copy()
    for backwards in (False, True):
        at, known = np.flatnonzero(town < 0), np.flatnonzero(town >= 0)
        if not len(at) or not len(known):
            break
        place = np.searchsorted(known, at) - (not backwards)
        near = known[np.clip(place, 0, len(known) - 1)]
        fits = (
            (claims.person[at] == claims.person[near])
            & ((near > at) == backwards)
            & ((region[at] == region[near]) | (region[at] == MISSING))
            & ((zone[at] == zone[near]) | (zone[at] == NOWHERE_KNOWN))
        )
        step = -1 if backwards else 1
        fits[::step] = _from_the_first(fits[::step], place[::step])
        for values in (town, region, zone):
            values[at[fits]] = values[near[fits]]
    return replace(claims, town=town, region=region, zone=zone)


def _from_the_first(fits: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Of each group of neighbours, those that fit until the first that does not."""
    position = np.arange(len(fits))
    new = np.append(True, group[1:] != group[:-1])
    begin = np.maximum.accumulate(np.where(new, position, 0))
    return np.maximum.accumulate(np.where(fits, -1, position)) < begin
