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
from trajectories.survival.risk import InOrder, RiskSets, in_order, risk_sets, whole_months

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
    if given.unweighted and not whole_months(given.time, given.entry):
        ordered = in_order(given, given.kinds * k + codes, 2 * k)
        if ordered is not None:
            yield from slices_in_order(given, ordered, codes, k)
            return
    yield from slices_by_row(given, risk_sets(given) if counts is None else counts, codes, k)


def slices_in_order(given: Sample, ordered: InOrder, codes: Integers, k: int) -> Iterator[Slice]:
    """Counts along the sorted ends and entries; marks are group, + k for those who leave."""
    first, n_rows, n = ordered.first, len(ordered.first), len(ordered.time)
    late = np.zeros(0, bool) if given.entry is None else given.entry > 0
    from_start = np.bincount(given.group * k + codes, minlength=given.n_groups * k)
    if late.any():
        from_start = from_start - np.bincount((given.group * k + codes)[late], minlength=given.n_groups * k)
    # Everyone ends in their stratum: whoever started in an earlier one has ended before this one begins.
    started = np.cumsum(from_start.reshape(-1, k), axis=0)
    row_cuts = np.searchsorted(first, ordered.cuts)
    last_in = 0
    ended_before, entered_before = np.zeros(k, np.int64), np.zeros(k, np.int64)
    for a in range(0, n_rows, ROWS_AT_ONCE):
        b = min(a + ROWS_AT_ONCE, n_rows)
        begin, end = first[a], first[b] if b < n_rows else n
        marks, place = ordered.marks[begin:end], first[a:b] - begin
        leaves, group = marks >= k, (marks % k).astype(np.int64)
        if len(place) == len(marks):
            rows = np.flatnonzero(leaves)
            leaver_row = np.arange(len(rows))
        else:
            row_of = (np.cumsum(ordered.new[begin:end]) - 1)[leaves]
            other = np.diff(row_of, prepend=-1) > 0
            rows, leaver_row = row_of[other], np.cumsum(other) - 1
        place = place[rows]
        stratum = np.searchsorted(row_cuts, a + rows, side="right") - 1 if len(row_cuts) > 2 else 0
        entering = ordered.entering[:0]
        if ordered.before is not None:
            first_in, last_in = last_in, ordered.before[end] if end < n else len(ordered.entering)
            entering, entered_place = (
                ordered.entering[first_in:last_in] % k,
                ordered.before[begin:end][place] - first_in,
            )

        def at_risk(mine: NDArray[np.bool_], came: NDArray[np.bool_], j: int | slice) -> Integers:
            here = started[stratum, j] + (entered_before[j] - ended_before[j]) - running(mine)[place]  # noqa: B023
            return here + running(came)[entered_place] if len(entering) else here  # noqa: B023

        table = np.empty((k - 1, len(rows)))
        for j in range(k - 1):
            table[j] = at_risk(group == j, entering == j, j)
        n_risk = started.sum(axis=1)[stratum] + (entered_before.sum() - ended_before.sum()) - place
        if len(entering):
            n_risk = n_risk + entered_place
        n_event = np.bincount(group[leaves] * len(rows) + leaver_row, minlength=k * len(rows)).reshape(k, -1)
        yield Slice(a + rows, n_risk.astype(float), table, n_event)
        ended_before = ended_before + np.bincount(group, minlength=k)
        entered_before = entered_before + np.bincount(entering, minlength=k)


def running(flags: NDArray[np.bool_]) -> Integers:
    """How many are True before each place, and at the end."""
    counts = np.zeros(len(flags) + 1, np.int32)
    np.cumsum(flags, out=counts[1:])
    return counts


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


def slices_by_row(given: Sample, counts: RiskSets, codes: Integers, k: int) -> Iterator[Slice]:
    """Counts by `bincount`, of weighted persons or on few times; one slice."""
    rows = np.flatnonzero(counts.all_events > 0)
    at_risk = group_counts(given, counts, codes, k)
    leaves = given.cause > 0
    n_event = counted(given, codes, counts.ends, len(counts.time), k, leaves)[:, rows]
    yield Slice(rows, at_risk[:, rows].sum(axis=0), at_risk[:-1, rows], n_event)
