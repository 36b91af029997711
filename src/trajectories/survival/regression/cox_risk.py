"""Sums over risk sets for regressions: which event rows a person is at risk at, and Σ over everyone at risk at each.

The risk sets are those of `risk.py` (entry < t ≤ time), kept at the times of events only. A person is at risk at the
event rows first … last of the own stratum; with persons in the order of `last`, Σ_{at risk at t} v = Σ_{last ≥ t} v −
Σ_{first > t} v, two cumulative sums for all rows and strata at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trajectories.survival.checks import Floats, Integers, Sample
from trajectories.survival.risk import RiskSets

FEW_ROWS = 16  # persons per row from which adding each row's persons first is faster than a running sum


@dataclass(frozen=True)
class EventRows:
    """The rows (stratum, time) at which events happen, a stratum's rows together and in time."""

    time: Floats
    stratum: Integers
    begin: Integers  # of each row: the first row of its stratum
    stop: Integers  # and the row after the last one
    weight: Floats  # Σ w of the events
    ties: Integers  # how many they are
    where: Integers  # their position among all rows of the life table


class Windows(Protocol):
    """What the partial likelihood asks of the persons' time at risk."""

    order: Integers  # the persons counted, as positions in the arrays given
    last: Integers

    def sums(self, values: Floats) -> Floats:
        """Σ of values (… × persons) over those at risk at each row."""

    def spent(self, increments: Floats) -> Floats:
        """Σ of increments (… × rows) over the rows a person is at risk at."""


def from_row_on(values: Floats, starts: Integers) -> Floats:
    """Σ of values from position starts[t] on; one row more, which is 0. `starts` is sorted and begins with 0."""
    n, rows = values.shape[-1], len(starts)
    result = np.zeros((*values.shape[:-1], rows + 1))
    if not n:
        return result
    if rows * FEW_ROWS < n:
        filled = np.flatnonzero(np.diff(starts, append=n))
        result[..., filled] = np.add.reduceat(values, starts[filled], axis=-1)
        return np.cumsum(result[..., ::-1], axis=-1)[..., ::-1]
    total = np.cumsum(values[..., ::-1], axis=-1)
    inside = starts < n
    result[..., :-1][..., inside] = total[..., n - 1 - starts[inside]]
    return result


@dataclass(frozen=True)
class PersonWindows:
    """Persons at risk from row `first` to row `last`, both included, sorted by `last`."""

    order: Integers
    first: Integers
    last: Integers
    stop: Integers
    starts: Integers  # of each row: the first person whose last row it is, or comes later
    late: Integers  # persons who are not at risk from the first row of their stratum on, sorted by their first row
    late_starts: Integers

    def sums(self, values: Floats) -> Floats:
        ended_later = from_row_on(values, self.starts)
        result = ended_later[..., :-1] - ended_later[..., self.stop]
        if len(self.late):
            entered = from_row_on(values.take(self.late, axis=-1), self.late_starts)
            result -= entered[..., 1:] - entered[..., self.stop]
        return result

    def spent(self, increments: Floats) -> Floats:
        total = np.zeros((*increments.shape[:-1], increments.shape[-1] + 1))
        np.cumsum(increments, axis=-1, out=total[..., 1:])
        return total.take(self.last + 1, axis=-1) - total.take(self.first, axis=-1)


def sorting(keys: Integers) -> Integers:
    """Stable order; small numbers are sorted by counting."""
    small = len(keys) > 0 and keys.max() < 2**16
    return np.argsort(keys.astype(np.uint16) if small else keys, kind="stable")


def windows(first: Integers, last: Integers, rows: EventRows) -> PersonWindows:
    """The persons at risk at one event row at least."""
    used = np.flatnonzero(last >= first)
    order = used[sorting(last[used])]
    first, last = first[order], last[order]
    late = np.flatnonzero(first > rows.begin[last])
    late = late[sorting(first[late])]
    every = np.arange(len(rows.time))
    return PersonWindows(
        order, first, last, rows.stop, np.searchsorted(last, every), late, np.searchsorted(first[late], every)
    )


def event_rows(given: Sample, counts: RiskSets) -> tuple[EventRows, Integers, Integers]:
    """The rows with events; and each person's first and last row (last < first where at risk at none)."""
    events = counts.n_event.sum(axis=0)
    has = events > 0
    if not has.any():
        raise ValueError(f"event: 0 of {len(given.time)} rows have an event; there is no event to fit")
    seen = np.cumsum(has)
    last = seen[counts.ends] - 1
    first = seen[counts.enters] - has[counts.enters]
    stratum = counts.group[has]
    edges = np.searchsorted(stratum, np.arange(given.n_groups + 1))
    dies = given.cause > 0
    # Whole-number weights are frequencies: two events of weight 3 are six tied events.
    ties = np.rint(events[has]) if given.whole else np.bincount(last[dies], minlength=int(seen[-1]))
    rows = EventRows(
        counts.time[has],
        stratum,
        edges[stratum],
        edges[stratum + 1],
        events[has].astype(float),
        ties.astype(np.int64),
        np.flatnonzero(has),
    )
    return rows, first, last
