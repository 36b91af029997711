"""The observations as arrays, in order of person and date, and the decisions that set some of them aside.

The order is that of person, latest day, kind (on one day the old address comes first and a departure last),
earliest day and record. Person, day, kind and row number are packed into one integer a row, and these are sorted;
only rows that tie on it are compared by record. No rule compares two persons, so the sorted rows are cut between
persons into parts that run in parallel.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import pandas as pd

from ..tables import ZONES
from .coding import MISSING, NO_DAY, Words, blocks, dates, days, decode, encode, encode_as

# The kinds in their order within a day; a service and a contact on one day are a tie.
KINDS = ("residence", "service", "follow_up", "establishment", "departure")
RESIDENCE, SERVICE, FOLLOW_UP, ESTABLISHMENT, DEPARTURE = range(len(KINDS))
_RANK = np.array([0, 1, 1, 2, 3], dtype=np.int8)
IN_METROPOLE, IN_REGION, OUTSIDE, NOWHERE_KNOWN = range(len(ZONES))
_NOBODY_THERE = MISSING - 1
# A packed key is a whole number of 64 bits, its sign apart.
_KEY_BITS = 63
_RANK_BITS = 2
# Columns and parts are computed in parallel threads: numpy releases the interpreter lock on arrays. More threads would
# wait for one another where codes are decoded into Python strings.
WORKERS = min(4, os.cpu_count() or 1)
_GATHERED = ("earliest", "latest", "town", "region", "zone", "kind", "in_person")
_COLUMNS = ("person", *_GATHERED)


@dataclass(frozen=True)
class Order:
    """
    The rows in order of person, latest day and kind: one sorted whole number a row, in which these are packed.

    The row's number fills the last `row_bits` bits; where the key has no room for it, it is in `row`.
    """

    key: np.ndarray
    row: np.ndarray | None
    row_bits: int
    person_from: int

    @overload
    def person(self, at: int) -> np.integer: ...
    @overload
    def person(self, at: slice) -> np.ndarray: ...
    def person(self, at: int | slice) -> np.integer | np.ndarray:
        """The code of the person, at a position or in a slice."""
        return self.key[at] >> self.person_from

    def rows(self, at: slice = slice(None)) -> np.ndarray:
        """The numbers of the rows."""
        return self.key[at] & ((1 << self.row_bits) - 1) if self.row is None else self.row[at]

    def tied(self, at: slice) -> np.ndarray:
        """Whether each row but the last is of the person, day and rank of the next."""
        key = self.key[at] >> self.row_bits
        return key[1:] == key[:-1]


@dataclass(frozen=True)
class Observed:
    """
    The table `observations`, what the codes of its text stand for, and its columns as arrays in its own order.

    `columns` is one structured array, so that a row is read from memory in one access.
    """

    frame: pd.DataFrame
    persons: np.ndarray
    towns: np.ndarray
    regions: np.ndarray
    columns: np.ndarray
    order: Order

    def parts(self, size: int) -> list[Callable[[], Evidence]]:
        """The evidence in order, cut between persons into parts of about so many rows, each made when it is called."""
        makers: list[Callable[[], Evidence]] = []
        n, person, begin = len(self.frame), self.order.person, 0
        while begin < n:
            end = min(begin + size, n)
            while end < n and person(end) == person(end - 1):
                end += 1
            makers.append(functools.partial(self._part, slice(begin, end)))
            begin = end
        return makers or [functools.partial(self._part, slice(0))]

    def _part(self, at: slice) -> Evidence:
        rows, earliest = self.order.rows(at), self.columns["earliest"]
        rows = _ties_settled(rows, self.order.tied(at), earliest, self.frame["record_id"])
        structured = self.columns.take(rows, mode="clip")
        columns = {name: np.ascontiguousarray(structured[name]) for name in _GATHERED}
        return Evidence(self.order.person(at).astype(np.int32), **columns, row=rows, observed=self)


@dataclass(frozen=True)
class Evidence:
    """
    Observations in order of person and date, as one array a column.

    `town`, `region`, `zone` and `kind` are codes; `earliest` is `NO_DAY` where unknown. `row` is the row's number in
    the table, where columns needed of few rows only (organisation, day filed, place left) are looked up.
    """

    person: np.ndarray
    earliest: np.ndarray
    latest: np.ndarray
    town: np.ndarray
    region: np.ndarray
    zone: np.ndarray
    kind: np.ndarray
    in_person: np.ndarray
    row: np.ndarray
    observed: Observed

    def __len__(self) -> int:
        return len(self.row)

    def take(self, at: np.ndarray) -> Evidence:
        """The rows at positions, or where a mask is true."""
        return replace(self, **{name: getattr(self, name)[at] for name in (*_COLUMNS, "row")})

    def put(self, at: np.ndarray, rows: Evidence) -> None:
        """Overwrite the rows at positions with other rows."""
        for name in (*_COLUMNS, "row"):
            getattr(self, name)[at] = getattr(rows, name)

    def of_kind(self, *kinds: int) -> np.ndarray:
        """Whether each row is of one of these kinds."""
        return functools.reduce(np.logical_or, [self.kind == kind for kind in kinds])

    def nowhere(self) -> np.ndarray:
        """Whether a row names no place at all, not even a region."""
        return (self.zone == NOWHERE_KNOWN) & (self.region < 0)

    def table_column(self, column: str, at: np.ndarray | slice) -> pd.Series:
        """A column of the observations that is not among the arrays, for the rows at these positions."""
        return pd.Series(self.observed.frame[column].array.take(self.row[at]), copy=False)

    def as_observed(self, column: str) -> np.ndarray:
        """A column as the table has it, before any rule changed it."""
        return self.observed.columns[column][self.row]

    def place_left(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Region and zone, as codes, of the place that departures left."""
        origin = self.table_column("origin_region", at)
        region = encode_as(origin, self.observed.regions).astype(np.int16)
        # an origin region in which no row lies still differs from every region of the rows
        region[(region == MISSING) & origin.notna().to_numpy()] = _NOBODY_THERE
        return region, encode_as(self.table_column("origin_zone", at), ZONES)


def encode_observations(observations: pd.DataFrame) -> Observed:
    """
    The table `observations` (text or categories) as codes; its rows may come in any order.

    Examples
    --------
    >>> frame = pd.DataFrame({"person_id": ["b", "a"], "earliest": pd.Timestamp("2021-05-03"),
    ...     "latest": pd.Timestamp("2021-05-03"), "municipality": "43027", "region": "05", "zone": "region",
    ...     "kind": "service", "in_person_metropole": False, "record_id": ["r1", "r2"]})
    >>> [part().row.tolist() for part in encode_observations(frame).parts(1)]
    [[1], [0]]
    """
    # the first columns determine the order, which is sorted while the others are being encoded
    works: dict[str, tuple[Any, ...]] = {
        "person": (encode, observations["person_id"]),
        "latest": (days, observations["latest"]),
        "kind": (_encode_small, observations["kind"], KINDS),
        "earliest": (days, observations["earliest"]),
        "town": (encode, observations["municipality"]),
        "region": (encode, observations["region"]),
        "zone": (_encode_small, observations["zone"], ZONES),
        "in_person": (np.asarray, observations["in_person_metropole"], bool),
    }

    def column(name: str) -> np.ndarray:
        result = begun[name].result()
        return result[0] if isinstance(result, tuple) else result

    with ThreadPoolExecutor(WORKERS) as executor:
        begun = {name: executor.submit(*work) for name, work in works.items()}
        rows = executor.submit(lambda: _as_rows({name: column(name) for name in _GATHERED}))
        order = in_order(column("person"), column("latest"), column("kind"))
        persons, towns, regions = (begun[name].result()[1] for name in ("person", "town", "region"))
        return Observed(observations, persons, towns, regions, rows.result(), order)


def _as_rows(columns: dict[str, np.ndarray]) -> np.ndarray:
    n, types = len(columns["latest"]), [(name, column.dtype) for name, column in columns.items()]
    structured = np.empty(n, np.dtype(types, align=True))
    for rows in blocks(n):
        for name, column in columns.items():
            structured[name][rows] = column[rows]
    return structured


def _encode_small(texts: pd.Series, words: Words) -> np.ndarray:
    return encode_as(texts, words).astype(np.int8, copy=False)


def in_order(person: np.ndarray, latest: np.ndarray, kind: np.ndarray) -> Order:
    """
    The order of rows by person, latest day and kind; those that tie keep theirs.

    Examples
    --------
    >>> in_order(np.array([1, 0, 0]), np.array([5, 7, 6]), np.array([SERVICE, RESIDENCE, DEPARTURE])).rows().tolist()
    [2, 1, 0]
    """
    n = len(person)
    if not n:
        return Order(np.zeros(0, dtype=np.int64), None, 0, 0)
    first_day, day_bits = latest.min(), int(latest.max() - latest.min()).bit_length()
    row_bits = n.bit_length()
    if int(person.max()).bit_length() + day_bits + _RANK_BITS + row_bits > _KEY_BITS:
        row_bits = 0
    person_from = day_bits + _RANK_BITS + row_bits
    key = np.empty(n, dtype=np.int64)
    for rows in blocks(n):
        part = key[rows]
        part[:] = person[rows]
        part <<= day_bits
        part |= latest[rows] - first_day
        part <<= _RANK_BITS
        part |= _RANK[kind[rows]]
        part <<= row_bits
        if row_bits:
            part |= np.arange(rows.start, rows.start + len(part))
    if row_bits:
        key.sort()
        return Order(key, None, row_bits, person_from)
    row = np.argsort(key, kind="stable")
    return Order(key[row], row, 0, person_from)


def _ties_settled(order: np.ndarray, tied: np.ndarray, earliest: np.ndarray, records: pd.Series) -> np.ndarray:
    """The row numbers, those tied with the next in order of earliest day (unknown last) and record."""
    tied = np.concatenate([[False], tied, [False]])
    # nearly all ties are of two rows, which are compared; longer ones are sorted
    alone = tied[1:-1] & ~tied[2:] & ~tied[:-2]
    at = np.flatnonzero(alone)
    first, second = order[at], order[at + 1]
    day, next_day = _unknown_last(earliest[first]), _unknown_last(earliest[second])
    wrong = day > next_day
    same = np.flatnonzero(day == next_day)
    wrong[same] = _texts(records, first[same]) > _texts(records, second[same])
    order[at[wrong]], order[at[wrong] + 1] = second[wrong], first[wrong]
    tied[1:-1] &= ~alone
    if not tied.any():
        return order
    import pyarrow as pa
    import pyarrow.compute as pc

    among = np.flatnonzero(tied[1:] | tied[:-1])
    rows = order[among]
    keys = {
        "group": np.cumsum(~tied[among]),
        "day": _unknown_last(earliest[rows]),
        "record": pa.array(_texts(records, rows), type=pa.string()),
    }
    order[among] = rows[pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys]).to_numpy()]
    return order


def _unknown_last(day: np.ndarray) -> np.ndarray:
    return np.where(day == NO_DAY, np.iinfo(np.int32).max, day)


def _texts(column: pd.Series, rows: np.ndarray) -> np.ndarray:
    return column.array.take(rows).to_numpy(dtype=object)


def last_before(flag: np.ndarray, at: np.ndarray, person: np.ndarray) -> np.ndarray:
    """For the rows at positions, the position of the last flagged row of the same person before each; else −1."""
    flagged = np.flatnonzero(flag)
    before = np.append(flagged, -1)[np.searchsorted(flagged, at) - 1]
    return np.where((before >= 0) & (person[before] == person[at]), before, -1)


def last_known(evidence: Evidence, flag: np.ndarray, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    """For each person and day, the position of the last flagged row that is certainly of a day before; else −1."""
    flagged = np.flatnonzero(flag)
    keys = _packed(evidence.person[flagged], evidence.latest[flagged])
    before = np.append(flagged, -1)[np.searchsorted(keys, _packed(person, day)) - 1]
    return np.where((before >= 0) & (evidence.person[before] == person), before, -1)


def next_known(evidence: Evidence, flag: np.ndarray, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    """For each person and day, the position of the first flagged row that may be of that day or later; else −1."""
    flagged = np.flatnonzero(flag)
    keys = _packed(evidence.person[flagged], evidence.latest[flagged])
    after = np.append(flagged, -1)[np.searchsorted(keys, _packed(person, day))]
    return np.where((after >= 0) & (evidence.person[after] == person), after, -1)


def _packed(person: np.ndarray, day: np.ndarray) -> np.ndarray:
    return (person.astype(np.int64) << 32) + (day.astype(np.int64) - NO_DAY)


def highest_so_far(day: np.ndarray, person: np.ndarray) -> np.ndarray:
    """
    For rows grouped by person, the highest day of each row and those before it of its person.

    Examples
    --------
    >>> highest_so_far(np.array([5, 3, 1], dtype=np.int32), np.array([0, 0, 1])).tolist()
    [5, 5, 1]
    """
    if not len(day):
        return day
    group = np.cumsum(np.append(False, person[1:] != person[:-1]))
    lowest = int(day.min())
    reached = np.maximum.accumulate((group << 32) + (day.astype(np.int64) - lowest))
    return ((reached & 0xFFFFFFFF) + lowest).astype(day.dtype)


def pairs(first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Each number i with every position from first[i] until stop[i], as two arrays of one length.

    Examples
    --------
    >>> [array.tolist() for array in pairs(np.array([5, 2]), np.array([7, 3]))]
    [[0, 0, 1], [5, 6, 2]]
    """
    lengths = stop - first
    which = np.repeat(np.arange(len(first)), lengths)
    begins = np.cumsum(lengths) - lengths
    return which, np.arange(len(which)) - np.repeat(begins - first, lengths)


def joined(parts: Sequence[Evidence]) -> Evidence:
    """The rows of several parts, one after the other."""
    columns = {n: np.concatenate([getattr(part, n) for part in parts]) for n in (*_COLUMNS, "row")}
    return replace(parts[0], **columns, observed=parts[0].observed)


def describe(evidence: Evidence) -> np.ndarray:
    """Each observation as text: organisation, kind, place and interval as reported (no personal value)."""
    area = np.where(
        evidence.region >= 0, decode(evidence.region, evidence.observed.regions), decode(evidence.zone, ZONES)
    )
    place = np.where(evidence.town >= 0, decode(evidence.town, evidence.observed.towns), area)
    organisation = evidence.table_column("organisation_id", slice(None)).astype(object)
    organisation = organisation.where(organisation.notna(), "?").to_numpy()
    kind = decode(evidence.kind, KINDS)
    interval = said_interval(evidence.as_observed("earliest"), evidence.as_observed("latest"))
    return organisation + " " + kind + " " + place + " " + interval


def said_interval(earliest: np.ndarray, latest: np.ndarray) -> np.ndarray:
    """Intervals of days as text, `?` for an end that is not known."""
    return said_day(earliest) + "/" + said_day(latest)


def said_day(day: np.ndarray) -> np.ndarray:
    """Days as text, `?` where not known; each distinct day is written once."""
    distinct, which = np.unique(day, return_inverse=True)
    text = np.where(distinct == NO_DAY, "?", distinct.astype("datetime64[D]").astype("U10"))
    return text.astype(object)[which]


# ----------------------------------------------------------------------------------------------------
# Decisions against a source: observations that a rule sets aside, and the rows of `conflicts` that say so.
#
# Every observation of a place is inside a spell or in `conflicts`, with the code of the rule: `old_address`,
# `possible_return` and `possible_visit` (addresses.py), `departure_before_presence` and `departure_already_known`
# (departures.py), `establishment_dates` and `presence_before_establishment` (start_dates.py).

# Rows of a table as one array a column; they become a table once, at the end.
Rows = dict[str, np.ndarray]


@dataclass(frozen=True)
class Decision:
    """Observations that a rule decides against, and what it keeps: other observations, or what is said of them."""

    rule: str
    against: Evidence
    kept: Evidence | np.ndarray


def in_words(decisions: Sequence[Decision]) -> Rows:
    """Columns of the table `conflicts`, each dated by the latest day of the observation set aside."""
    columns_by_rule = []
    # the rows of a rule are decoded together: few distinct words for many persons
    for rule in dict.fromkeys(decision.rule for decision in decisions):
        against, kept = zip(*((item.against, item.kept) for item in decisions if item.rule == rule), strict=True)
        against = joined(against)
        columns_by_rule.append(
            {
                "person_id": against.observed.persons[against.person],
                "date": dates(against.as_observed("latest")),
                "rule": np.full(len(against), rule, dtype=object),
                "said": describe(against),
                "kept": describe(joined(kept)) if isinstance(kept[0], Evidence) else np.concatenate(kept),
            }
        )
    return {name: np.concatenate([rows[name] for rows in columns_by_rule]) for name in columns_by_rule[0]}


@dataclass(frozen=True)
class Aside:
    """Observations that a rule set aside, at positions of the evidence, each because of another one."""

    rule: str
    evidence: Evidence
    at: np.ndarray
    because: np.ndarray

    def decision(self) -> Decision:
        """All of them as a decision."""
        return Decision(self.rule, self.evidence.take(self.at), self.evidence.take(self.because))

    def unless_inside(self, spells: Rows) -> Decision:
        """As a decision, those that no spell of the person contains."""
        rows = self.evidence.take(self.at)
        first, stop = (np.searchsorted(spells["person_id"], rows.person, side=side) for side in ("left", "right"))
        which, spell = pairs(first, stop)
        same_town = (rows.town[which] == spells["municipality"][spell]) & (rows.town[which] >= 0)
        in_area = (
            (rows.town[which] < 0)
            & ((rows.region[which] < 0) | (rows.region[which] == spells["region"][spell]))
            & ((rows.zone[which] == NOWHERE_KNOWN) | (rows.zone[which] == spells["zone"][spell]))
        )
        is_open = spells["end_latest"][spell] == NO_DAY
        earliest, latest = (rows.as_observed(name)[which] for name in ("earliest", "latest"))
        then = (earliest <= spells["end_latest"][spell]) | is_open
        then &= latest >= spells["start_earliest"][spell]
        outside = np.ones(len(rows), dtype=bool)
        outside[which[(same_town | in_area) & then]] = False
        return replace(self, at=self.at[outside], because=self.because[outside]).decision()
