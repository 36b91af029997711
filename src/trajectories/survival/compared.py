"""How many of each compared group are at risk when somebody leaves, a slice of time after the other.

What a k-sample test adds up. The table of groups × times is never held whole: with a million distinct times and
seventeen groups it would be ten times the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers, Sample
from trajectories.survival.risk import InOrder, RiskSets, in_order, months_of, risk_sets

ROWS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Slice:
    """The rows (stratum, time) of a slice where somebody leaves, m of them."""

    rows: Integers  # their place among all rows of the strata
    n_risk: Floats  # of all groups, m
    at_risk: Floats  # of each group but the last, (k − 1) × m
    n_event: NDArray[np.number]  # of each group, k × m


def slices(given: Sample, codes: Integers, k: int, counts: RiskSets | None = None) -> Iterator[Slice]:
    """Numbers at risk by compared group (`codes`, 0 … k − 1), within the strata that `given.group` tells."""
    months = months_of(given)
    if months is not None:
        if given.n_groups * k * (int(given.time.max()) + 1) <= 4 * len(codes) + 10_000:
            yield slice_by_month(given, *months, codes, k)
            return
    elif given.unweighted:
        yield from slices_in_order(given, in_order(given, given.kinds * k + codes, 2 * k), codes, k)
        return
    yield slice_by_row(given, risk_sets(given) if counts is None else counts, codes, k)


def slice_by_month(given: Sample, ends: Integers, starts: Integers | None, codes: Integers, k: int) -> Slice:
    """Counts of every stratum, group and month by `bincount`."""
    shape = (given.n_groups, k, int(given.time.max()) + 1)
    size, mass = shape[0] * shape[1] * shape[2], None if given.unweighted else given.weights
    cell = codes if given.n_groups == 1 else given.group * k + codes
    cell = cell * shape[2]
    what = cell + ends
    what *= 2
    what += given.kinds
    kinds = np.bincount(what, mass, 2 * size).reshape(*shape, 2)
    ended = kinds.sum(axis=3)
    if starts is None:
        entered = np.zeros(shape)
        entered[:, :, 0] = ended.sum(axis=2)
    else:
        cell += starts
        cell += 1
        entered = np.bincount(cell, mass, size).reshape(shape)
    at_risk = np.cumsum(entered, axis=2) - np.cumsum(ended, axis=2) + ended
    if not given.whole:
        at_risk = np.maximum(at_risk, 0.0)  # rounding of a difference of sums
    leaves, listed = kinds[..., 1].sum(axis=1) > 0, ended.sum(axis=1) > 0
    rows = (np.cumsum(listed) - 1).reshape(listed.shape)[leaves]
    table = np.moveaxis(at_risk, 1, 0)[:, leaves].astype(float)
    return Slice(rows, table.sum(axis=0), table[:-1], np.moveaxis(kinds[..., 1], 1, 0)[:, leaves])


def slices_in_order(given: Sample, ordered: InOrder, codes: Integers, k: int) -> Iterator[Slice]:
    """Counts along the sorted ends and entries; marks are group, + k for those who leave, + 2 k for who enters."""
    first, n_rows = ordered.first, len(ordered.first)
    cell = codes if given.n_groups == 1 else given.group * k + codes
    if ordered.place is not None:
        cell = cell[given.entry == 0]
    from_start = np.bincount(cell, minlength=given.n_groups * k)
    # Everyone ends in their stratum: whoever started in an earlier one has ended before this one begins.
    started = np.cumsum(from_start.reshape(-1, k), axis=0)
    row_cuts = np.searchsorted(first, ordered.cuts)
    so_far, begin = np.zeros(k, np.int64), 0  # by group, entries less ends before the slice
    for a in range(0, n_rows, ROWS_AT_ONCE):
        b = min(a + ROWS_AT_ONCE, n_rows)
        end = int(ordered.placed(first[b])) if b < n_rows else len(ordered.marks)
        marks, place = ordered.marks[begin:end], ordered.placed(first[a:b]) - begin
        group, leaver = (marks % k).astype(np.int64), np.flatnonzero((marks >= k) & (marks < 2 * k))
        row_of = np.zeros(len(marks), np.int32)
        row_of[place] = 1
        leaver_row = np.cumsum(row_of, out=row_of)[leaver] - 1
        other = np.diff(leaver_row, prepend=-1) > 0
        rows, leaver_row = leaver_row[other], np.cumsum(other) - 1
        place = place[rows]
        stratum = np.searchsorted(row_cuts, a + rows, side="right") - 1 if len(row_cuts) > 2 else 0

        change = np.where(marks < 2 * k, -1, 1).astype(np.int8)
        table = np.empty((k - 1, len(rows)))
        for j in range(k - 1):
            table[j] = started[stratum, j] + so_far[j] + running(change * (group == j), place)
        n_risk = started.sum(axis=1)[stratum] + so_far.sum() + running(change, place)
        n_event = np.bincount(group[leaver] * len(rows) + leaver_row, minlength=k * len(rows)).reshape(k, -1)
        yield Slice(a + rows, n_risk.astype(float), table, n_event)
        so_far = so_far + np.bincount(group, change, k).astype(np.int64)
        begin = end


def running(change: NDArray[np.int8], place: Integers) -> Integers:
    """The sum of what comes before each place."""
    sums = np.zeros(len(change) + 1, np.int32)
    np.cumsum(change, out=sums[1:])
    return sums[place]


def group_counts(given: Sample, counts: RiskSets, codes: Integers, k: int) -> Floats:
    """Numbers at risk of each group at every row, k × rows."""
    n_rows = len(counts.time)
    ended, entered = (counted(given, codes, row, n_rows, k) for row in (counts.ends, counts.enters))
    at_risk = np.cumsum(entered, axis=1) - np.cumsum(ended, axis=1) + ended
    return at_risk if given.whole else np.maximum(at_risk, 0.0)  # rounding of a difference of sums


def counted(
    given: Sample, codes: Integers, row: Integers, n_rows: int, k: int, chosen: NDArray[np.bool_] | None = None
) -> NDArray[np.number]:
    """The weights of (chosen) persons added up by group and row, k × rows."""
    key, mass = codes * n_rows + row, None if given.unweighted else given.weights
    if chosen is not None:
        key, mass = key[chosen], None if mass is None else mass[chosen]
    return np.bincount(key, mass, k * n_rows).reshape(k, n_rows)


def slice_by_row(given: Sample, counts: RiskSets, codes: Integers, k: int) -> Slice:
    """Counts by `bincount`, of persons with weights."""
    rows = np.flatnonzero(counts.all_events > 0)
    at_risk = group_counts(given, counts, codes, k)
    n_event = counted(given, codes, counts.ends, len(counts.time), k, given.cause > 0)[:, rows]
    return Slice(rows, at_risk[:, rows].sum(axis=0), at_risk[:-1, rows], n_event)
