"""The observations as arrays, in order of person and date: what the rules of residence work on.

The order is that of person, latest day, kind (on one day the old address comes first and a departure last),
earliest day and record. It is found by sorting one whole number a row, in which person, day, kind and row number
are packed; only the rows that this number cannot tell apart are compared by record. No rule looks from one person
to another, so the sorted rows are cut between persons into parts that are worked on side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .coding import MISSING, NO_DAY, days, decode, encode, encode_as
from .tables import ZONES

# The kinds in their order within a day; a service and a contact on one day are a tie.
KINDS = ("residence", "service", "follow_up", "establishment", "departure")
RESIDENCE, SERVICE, FOLLOW_UP, ESTABLISHMENT, DEPARTURE = range(len(KINDS))
_RANK = np.array([0, 1, 1, 2, 3], dtype=np.int8)
IN_METROPOLE, IN_REGION, OUTSIDE, NOWHERE_KNOWN = range(len(ZONES))
_NOBODY_THERE = MISSING - 1
# A packed key is a whole number of 64 bits, its sign apart.
_KEY_BITS = 63
_COLUMNS = ("person", "earliest", "latest", "town", "region", "zone", "kind", "in_person")


@dataclass(frozen=True)
class Observed:
    """The table `observations`, what the codes of its text stand for, and its columns as arrays in its own order."""

    frame: pd.DataFrame
    persons: np.ndarray
    towns: np.ndarray
    regions: np.ndarray
    columns: dict[str, np.ndarray]

    def parts(self, size: int) -> list[Callable[[], Evidence]]:
        """The evidence in order, cut between persons into parts of about so many rows, each made when it is called."""
        order, tied = _packed_order(*(self.columns[name] for name in ("person", "latest", "kind")))
        person, found, begin = self.columns["person"], [], 0
        while begin < len(order):
            end = min(begin + size, len(order))
            while end < len(order) and person[order[end]] == person[order[end - 1]]:
                end += 1
            found.append(functools.partial(self._part, order[begin:end], tied[begin : end - 1]))
            begin = end
        return found or [functools.partial(self._part, order, tied)]

    def _part(self, rows: np.ndarray, tied: np.ndarray) -> Evidence:
        rows = _ties_settled(rows, tied, self.columns["earliest"], self.frame["record_id"])
        return Evidence(*(self.columns[name].take(rows, mode="clip") for name in _COLUMNS), rows, self)


@dataclass(frozen=True)
class Evidence:
    """
    Observations in order of person and date, as one array a column.

    `town`, `region`, `zone` and `kind` are codes; `earliest` is `NO_DAY` where unknown. `row` is the row's number in
    the table: what only a few rows are asked for (organisation, day told, place left) is looked up there.
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
        """Other rows in the place of those at positions."""
        for name in (*_COLUMNS, "row"):
            getattr(self, name)[at] = getattr(rows, name)

    def of_kind(self, *kinds: int) -> np.ndarray:
        """Whether each row is of one of these kinds."""
        return functools.reduce(np.logical_or, [self.kind == kind for kind in kinds])

    def nowhere(self) -> np.ndarray:
        """Whether a row names no place at all, not even a region."""
        return (self.zone == NOWHERE_KNOWN) & (self.region < 0)

    def asked(self, column: str, at: np.ndarray) -> pd.Series:
        """A column of the observations that is not among the arrays, for the rows at these positions."""
        return self.observed.frame[column].iloc[self.row[at]]

    def as_observed(self, column: str, at: np.ndarray) -> np.ndarray:
        """What the table says in a column of the arrays, whatever a rule has put there since."""
        return self.observed.columns[column][self.row[at]]

    def place_left(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Region and zone, as codes, of the place that departures left."""
        left = self.asked("origin_region", at)
        region = encode_as(left, self.observed.regions).astype(np.int16)
        # a region where nobody is known to be is another region than that of anybody
        region[(region == MISSING) & left.notna().to_numpy()] = _NOBODY_THERE
        return region, encode_as(self.asked("origin_zone", at), ZONES)

    def order(self) -> np.ndarray:
        """The positions of the rows in order; those that tie keep theirs, which was in order before."""
        return _packed_order(self.person, self.latest, self.kind)[0]


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
    person, persons = encode(observations["person_id"])
    town, towns = encode(observations["municipality"])
    region, regions = encode(observations["region"])
    columns = {
        "person": person,
        "earliest": days(observations["earliest"]),
        "latest": days(observations["latest"]),
        "town": town,
        "region": region,
        "zone": encode_as(observations["zone"], ZONES).astype(np.int8),
        "kind": encode_as(observations["kind"], KINDS).astype(np.int8),
        "in_person": observations["in_person_metropole"].to_numpy(dtype=bool),
    }
    return Observed(observations, persons, towns, regions, columns)


def _packed_order(person: np.ndarray, latest: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers in order of person, latest day and kind, and which of them are tied with the next."""
    n = len(person)
    if not n:
        return np.arange(0), np.zeros(0, dtype=bool)
    day = latest - latest.min()
    widths = [int(highest).bit_length() for highest in (day.max(), _RANK.max(), n)]
    if int(person.max()).bit_length() + sum(widths) > _KEY_BITS:
        order = np.lexsort((_RANK[kind], latest, person))
        keys = (person[order], latest[order], _RANK[kind[order]])
        return order, np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    key = person.astype(np.int64)
    for values, width in zip((day, _RANK[kind], np.arange(n, dtype=np.int32)), widths, strict=True):
        key <<= width
        key |= values
    key.sort()
    order = key & ((1 << widths[-1]) - 1)
    key >>= widths[-1]
    return order, key[1:] == key[:-1]


def _ties_settled(order: np.ndarray, tied: np.ndarray, earliest: np.ndarray, records: pd.Series) -> np.ndarray:
    """The row numbers, those tied in order of earliest day (unknown last) and record."""
    if not tied.any():
        return order
    import pyarrow as pa
    import pyarrow.compute as pc

    apart = np.concatenate([[True], ~tied, [True]])
    among = np.flatnonzero(~(apart[1:] & apart[:-1]))
    rows = order[among]
    day = earliest[rows]
    keys = {
        "group": np.cumsum(apart[among]),
        "day": np.where(day == NO_DAY, np.iinfo(np.int32).max, day),
        "record": pa.array(records.iloc[rows].to_numpy(dtype=object), type=pa.string()),
    }
    order = order.copy()
    order[among] = rows[pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys]).to_numpy()]
    return order


def last_before(flag: np.ndarray, at: np.ndarray, person: np.ndarray) -> np.ndarray:
    """For the rows at positions, the position of the last flagged row of the same person before each; else −1."""
    flagged = np.flatnonzero(flag)
    before = np.append(flagged, -1)[np.searchsorted(flagged, at) - 1]
    return np.where((before >= 0) & (person[before] == person[at]), before, -1)


def pairs(first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Each number i with every position from first[i] until stop[i], as two arrays of one length.

    Examples
    --------
    >>> [found.tolist() for found in pairs(np.array([5, 2]), np.array([7, 3]))]
    [[0, 0, 1], [5, 6, 2]]
    """
    lengths = stop - first
    which = np.repeat(np.arange(len(first)), lengths)
    begins = np.cumsum(lengths) - lengths
    return which, np.arange(len(which)) - np.repeat(begins - first, lengths)


def describe(found: Evidence, at: np.ndarray) -> np.ndarray:
    """What observations say, in codes: organisation, kind, place, interval as it was said (no personal value)."""
    town, region = found.town[at], found.region[at]
    area = np.where(region >= 0, decode(region, found.observed.regions), decode(found.zone[at], ZONES))
    place = np.where(town >= 0, decode(town, found.observed.towns), area)
    organisation = found.asked("organisation_id", at).astype(object)
    organisation = organisation.where(organisation.notna(), "?").to_numpy()
    kind = decode(found.kind[at], KINDS)
    said = said_interval(found.as_observed("earliest", at), found.as_observed("latest", at))
    return organisation + " " + kind + " " + place + " " + said


def said_interval(earliest: np.ndarray, latest: np.ndarray) -> np.ndarray:
    """Intervals of days as text, `?` for an end that is not known."""
    return said_day(earliest) + "/" + said_day(latest)


def said_day(day: np.ndarray) -> np.ndarray:
    """Days as text, `?` where not known; each distinct day is written once."""
    distinct, which = np.unique(day, return_inverse=True)
    text = np.where(distinct == NO_DAY, "?", distinct.astype("datetime64[D]").astype("U10"))
    return text.astype(object)[which]
