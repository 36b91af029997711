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
    The observations that count once the decisions between sources are taken, in the order of events.

    `claims` place a person; `gone` are departures to an unknown place and deaths: they end a spell and begin none.
    `claims_before` says how many claims come before each of them.
    """

    claims: Evidence
    gone: Evidence
    claims_before: np.ndarray


def in_fewest_moves(evidence: Evidence, leaves: np.ndarray) -> Settled:
    """
    Put what counts in order.

    Greedy: each person stays as long as the rows elsewhere allow, then moves to the place they must be in by then. All
    persons with a choice take each step together.

    Parameters
    ----------
    evidence : Evidence
        What counts, in order of person and latest day.
    leaves : ndarray of bool
        The departures to an unknown place and deaths.
    """
    place = places(evidence)
    place[leaves] = _GONE
    tangled = _rows_to_order(evidence, place, evidence.earliest < evidence.latest)
    if len(tangled):
        step, _, leads_away = _steps(evidence.take(tangled), place[tangled])
        order = np.arange(len(evidence))
        order[tangled] = tangled[np.lexsort((tangled, leads_away, step, evidence.person[tangled]))]
        evidence, leaves = evidence.take(order), leaves[order]
    claims = ~leaves
    return Settled(evidence.take(claims), evidence.take(leaves), np.cumsum(claims, dtype=np.int32)[leaves])


def places(evidence: Evidence) -> np.ndarray:
    """A number for the place of each row; those without a town are numbered below zero: by region, then by zone."""
    place = evidence.town.astype(np.int32)
    unnamed = np.flatnonzero(evidence.town < 0)
    region, zone = evidence.region[unnamed], evidence.zone[unnamed]
    place[unnamed] = np.where(region >= 0, -10 - region.astype(np.int32), -1 - zone)
    return place


def _rows_to_order(evidence: Evidence, place: np.ndarray, is_candidate: np.ndarray) -> np.ndarray:
    """All rows of persons with a candidate row whose interval reaches back over a row in another place."""
    wide = np.flatnonzero(is_candidate & (evidence.earliest < evidence.latest))
    wide = wide[(wide > 0) & (evidence.person[wide - 1] == evidence.person[wide])]
    wide = wide[evidence.latest[wide - 1] >= evidence.earliest[wide]]
    changes = np.cumsum(place[1:] != place[:-1], dtype=np.int32)
    everything = np.ones(len(evidence), dtype=bool)
    before = last_known(evidence, everything, evidence.person[wide], evidence.earliest[wide])
    first = np.where(before >= 0, before + 1, np.searchsorted(evidence.person, evidence.person[wide]))
    elsewhere = np.append(0, changes)[wide] > np.append(0, changes)[np.minimum(first, wide)]
    chosen = np.zeros(int(evidence.person.max(initial=-1)) + 1, dtype=bool)
    chosen[evidence.person[wide[elsewhere]]] = True
    return np.flatnonzero(chosen[evidence.person])


def left_by(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """The rows en région by whose last day the person must have gone elsewhere, and that earlier day."""
    place = places(evidence)
    tangled = _rows_to_order(evidence, place, (evidence.zone == IN_REGION) & (evidence.kind != DEPARTURE))
    if not len(tangled):
        return tangled, tangled
    _, by, _ = _steps(evidence.take(tangled), place[tangled])
    earlier = (
        (by < evidence.latest[tangled]) & (evidence.zone[tangled] == IN_REGION) & (evidence.kind[tangled] != DEPARTURE)
    )
    return tangled[earlier], by[earlier]


def _steps(rows: Evidence, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row's step in its person's sequence of places, the day by which the person must be elsewhere, and whether
    the row is a departure from the place of that step."""
    new = np.append(True, rows.person[1:] != rows.person[:-1])
    begins, person = np.flatnonzero(new), np.cumsum(new) - 1
    settled, last_there = _settled_places(rows, person, place)
    stays = _Stays(rows, person)
    departs = rows.kind == DEPARTURE
    step, remaining = np.full(len(rows), -1), np.ones(len(rows), dtype=bool)
    until, leads_away = rows.latest.copy(), np.zeros(len(rows), dtype=bool)
    at = np.full(len(begins), -1)  # the row of each person's current place
    for number in range(len(rows) + 1):
        same = _same_place(rows, place, at[person])
        in_place = remaining & (at[person] >= 0) & (same | stays.left_metropole(at[person]))
        in_place &= ~stays.yet_to_end(remaining)
        by = _least(np.where(remaining & ~in_place, rows.latest, _NEVER), begins)
        assigned = in_place & (rows.earliest <= by[person])
        step[assigned], remaining[assigned], until[assigned] = number, False, by[person[assigned]]
        leads_away[assigned] = ~same[assigned]
        elsewhere = remaining & ~in_place
        following = _first(elsewhere, begins)
        if (following < 0).all():
            return step, until, leads_away
        next_row = np.maximum(following, 0)[person]
        reachable = elsewhere & (rows.earliest <= by[person]) & ~departs
        # a place where the person never settled came before the settling, unless they are back there later
        unsettled = reachable & (rows.earliest < by[person]) & ~(last_there > by[person])
        unsettled &= ~settled & (settled | departs)[next_row]
        # a departure comes after the stay that it ends
        for flag in (unsettled, reachable & departs[next_row] & stays.ended_by(next_row)):
            preferred = _first(flag, begins)
            following = np.where(preferred >= 0, preferred, following)
        at = np.where(following >= 0, following, at)
    return step, until, leads_away


class _Stays:
    """Which stay each departure ends: one in the region left, else any en région; or that in the metropole."""

    def __init__(self, rows: Evidence, person: np.ndarray):
        self._rows, self._departures = rows, np.flatnonzero(rows.kind == DEPARTURE)
        region, zone = rows.place_left(self._departures)
        self._origin = np.full(len(rows), MISSING, dtype=np.int32)
        self._origin[self._departures] = region
        self._from_metropole = np.zeros(len(rows), dtype=bool)
        self._from_metropole[self._departures] = zone == IN_METROPOLE
        leaves = np.zeros(int(person.max(initial=0)) + 1, dtype=bool)
        leaves[person[self._departures]] = True
        self._there = np.flatnonzero((rows.zone == IN_REGION) & (rows.kind != DEPARTURE) & leaves[person])
        # a group for each person and region; the first two are for an origin region without rows, and for any region
        width = 3 + int(max(rows.region.max(initial=0), region.max(initial=0)))
        base = person * width + 2
        self._groups = (base[self._there] + rows.region[self._there], base[self._there] + MISSING)
        self._of_departure = base[self._departures] + region
        self._size = (int(person.max(initial=0)) + 1) * width

    def yet_to_end(self, remaining: np.ndarray) -> np.ndarray:
        """Departures whose stay still has rows to place before them."""
        comes_too_early = np.zeros(len(remaining), dtype=bool)
        first = np.full(self._size, _NEVER)
        for group in self._groups:
            yet = remaining[self._there]
            np.minimum.at(first, group[yet], self._rows.earliest[self._there[yet]])
        comes_too_early[self._departures] = first[self._of_departure] <= self._rows.latest[self._departures]
        return comes_too_early & ~self._from_metropole

    def ended_by(self, departure: np.ndarray) -> np.ndarray:
        """Whether each row is of the stay that a departure ends."""
        origin = self._origin[departure]
        return (self._rows.zone == IN_REGION) & ((origin == MISSING) | (self._rows.region == origin))

    def left_metropole(self, at: np.ndarray) -> np.ndarray:
        """Departures from the metropole, where the row at a position is of it."""
        return self._from_metropole & (self._rows.zone[at] == IN_METROPOLE)


def _settled_places(rows: Evidence, person: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row, whether the person settled in its place, and the last day on which they are surely there."""
    _, code = np.unique((person.astype(np.int64) << 32) + place, return_inverse=True)
    settled = np.zeros(code.max(initial=-1) + 1, dtype=bool)
    settled[code[rows.kind == ESTABLISHMENT]] = True
    last = np.full(len(settled), NO_DAY)
    np.maximum.at(last, code, rows.earliest)
    return settled[code], last[code]


def _same_place(rows: Evidence, place: np.ndarray, compared_at: np.ndarray) -> np.ndarray:
    """Whether each row may be in the place of another one: the same, or an area that this is in."""
    area = (rows.town < 0) & (place != _GONE) & (place[compared_at] != _GONE)
    region = (rows.region == rows.region[compared_at]) | (rows.region < 0)
    zone = (rows.zone == rows.zone[compared_at]) | (rows.zone == NOWHERE_KNOWN)
    return (place == place[compared_at]) | (area & region & zone)


def _least(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    return np.minimum.reduceat(values, begins)


def _first(flag: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The first flagged row of each person; −1 where there is none."""
    position = _least(np.where(flag, np.arange(len(flag)), _NEVER), begins)
    return np.where(position == _NEVER, -1, position)


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
        positions = np.full(len(self), -1)
        positions[run[first]] = at[first]
        return positions

    def only(self, runs: np.ndarray) -> np.ndarray:
        """The positions of the claims of some runs."""
        return pairs(self.begins[runs], self.begins[runs] + self.sizes()[runs])[1]

    def first_seen(self) -> np.ndarray:
        """The day by which each person was there: the first of the last days of what is attested there or later."""
        return self._first_of(np.ones(len(self.claims), dtype=bool))

    def first_met(self) -> np.ndarray:
        """The same by services and follow-ups there, or any row of a later place; an establishment does not count."""
        is_met = self.claims.of_kind(SERVICE, FOLLOW_UP)
        met, first_seen = self._first_of(is_met), self.first_seen()
        last = np.append(self.claims.person[self.begins][1:] != self.claims.person[self.begins][:-1], True)
        return np.minimum(met, np.where(last[: len(self)], _NEVER, np.append(first_seen[1:], _NEVER)[: len(self)]))

    def _first_of(self, flag: np.ndarray) -> np.ndarray:
        if not len(self):
            return self.claims.latest
        by = np.minimum.reduceat(np.where(flag, self.claims.latest, _NEVER), self.begins)
        return -highest_so_far(-by[::-1], self.claims.person[self.begins][::-1])[::-1]

    def last_confirmed(self) -> np.ndarray:
        """The last day each person was certainly there: the latest of the first days of what is attested."""
        return np.maximum.reduceat(self.claims.earliest, self.begins) if len(self) else self.claims.earliest


def find_runs(settled: Settled) -> Runs:
    """Cut the claims into runs, with areas replaced by the known town that lies in them."""
    claims = areas_within(settled.claims)
    place = places(claims)
    new = np.ones(len(claims), dtype=bool)
    new[1:] = (claims.person[1:] != claims.person[:-1]) | (place[1:] != place[:-1])
    new[settled.claims_before[settled.claims_before < len(claims)]] = True
    begins = np.flatnonzero(new)
    return Runs(claims, begins, place[begins], np.cumsum(new, dtype=np.int32) - np.int32(1))


def areas_within(claims: Evidence) -> Evidence:
    """
    The claims, where an area (a region, or a town name that several towns share) takes the known town next to it.

    The town must lie in the area. An area elsewhere breaks the chain: areas beyond it stay areas.
    """
    town, region, zone = claims.town.copy(), claims.region.copy(), claims.zone.copy()
    for backwards in (False, True):
        at, named = np.flatnonzero(town < 0), np.flatnonzero(town >= 0)
        if not len(at) or not len(named):
            break
        rank = np.searchsorted(named, at) - (not backwards)
        near = named[np.clip(rank, 0, len(named) - 1)]
        fits = (
            (claims.person[at] == claims.person[near])
            & ((near > at) == backwards)
            & ((region[at] == region[near]) | (region[at] == MISSING))
            & ((zone[at] == zone[near]) | (zone[at] == NOWHERE_KNOWN))
        )
        step = -1 if backwards else 1
        fits[::step] = _from_the_first(fits[::step], rank[::step])
        for values in (town, region, zone):
            values[at[fits]] = values[near[fits]]
    return replace(claims, town=town, region=region, zone=zone)


def _from_the_first(fits: np.ndarray, group: np.ndarray) -> np.ndarray:
    """In each group of neighbours, the rows before the first that does not fit."""
    position = np.arange(len(fits))
    new = np.append(True, group[1:] != group[:-1])
    begin = np.maximum.accumulate(np.where(new, position, 0))
    return np.maximum.accumulate(np.where(fits, -1, position)) < begin
