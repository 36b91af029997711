"""Who is at risk when: the one definition that curves, tests and printed numbers at risk share.

At risk at t means entry < t ≤ time: whoever is censored at t is still at risk at t, and events come before
censorings. The table has one row at each time where anything ends, per group. On whole months it is counted by
`bincount`; on other times by sorting, where times closer than 1.5e-8 (absolute, or relative to the mean) are ties,
as in R (survival's `timefix`: 0.1 + 0.2 and 0.3 are one time). Both ways give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, Sample, refuse, sample
from trajectories.survival.ordering import added_in_ties, in_order_of_groups, starts_of_ties, tie_width

LONGEST_GRID = 100_000  # whole numbers above this (days over centuries) are sorted rather than counted


@dataclass(frozen=True)
class Rows:
    """Rows of several groups, one group after the other: those of group g are bounds[g]:bounds[g + 1]."""

    bounds: Integers

    def along(self, accumulate: Callable[..., NDArray], values: NDArray) -> NDArray:
        """`accumulate` (np.cumsum, np.cumprod) along the rows of each group, from its first row."""
        if len(self.bounds) == 2:
            return accumulate(values, axis=-1)
        out = np.empty_like(values)
        for a, b in pairwise(self.bounds):
            accumulate(values[..., a:b], axis=-1, out=out[..., a:b])
        return out

    def before(self, values: NDArray, start: float) -> NDArray:
        """The value of the row before, in the same group; `start` at a group's first row: f(t−)."""
        shifted = np.empty_like(values, dtype=float)
        shifted[..., 1:] = values[..., :-1]
        shifted[..., self.bounds[:-1][np.diff(self.bounds) > 0]] = start
        return shifted


@dataclass(frozen=True)
class Steps(Rows):
    """Some rows of a table: its groups' first ones, and those where a curve moves."""

    at: Integers
    n_rows: int

    @cached_property
    def _step_of_row(self) -> Integers:
        moves = np.zeros(self.n_rows, dtype=bool)
        moves[self.at] = True
        return np.cumsum(moves) - 1

    def carried(self, values: NDArray, out: NDArray | None = None) -> NDArray:
        """Values at every row of the table: each stays until the next step."""
        return np.take(values, self._step_of_row, out=out, mode="clip")  # `clip` writes into `out` without a copy


@dataclass(frozen=True)
class RiskSets(Rows):
    """Counts per row (group, time), the group's rows together and in time; and where each person's rows are."""

    time: Floats
    group: Integers
    causes: Integers
    n_risk: NDArray[np.number]
    n_event: NDArray[np.number]  # causes × rows
    n_censor: NDArray[np.number]
    persons: Callable[[], tuple[Integers, Integers]] = field(repr=False, compare=False)

    @cached_property
    def _rows_of_persons(self) -> tuple[Integers, Integers]:
        return self.persons()

    @property
    def enters(self) -> Integers:
        """The first row at which each person is at risk."""
        return self._rows_of_persons[0]

    @property
    def ends(self) -> Integers:
        """The row of each person's time."""
        return self._rows_of_persons[1]

    @cached_property
    def all_events(self) -> NDArray[np.number]:
        """Events of any cause at each row."""
        return self.n_event[0] if len(self.n_event) == 1 else self.n_event.sum(axis=0)

    def steps(self, moves: NDArray[np.bool_]) -> Steps:
        """The rows where `moves`, and the first one of each group."""
        first = self.bounds[:-1][np.diff(self.bounds) > 0]
        chosen = moves.copy()
        chosen[first] = True
        at = np.flatnonzero(chosen)
        return Steps(np.searchsorted(at, self.bounds), at, len(moves))


def ranks_by_sorting(time: Floats, entry: Floats | None) -> tuple[Floats, Integers, Integers | None]:
    """Any times: those closer than `tie_width` are one (the smallest), and an entry as near to it is at it."""
    order = np.argsort(time)
    ordered = time[order]
    width = tie_width(time)
    new = starts_of_ties(ordered, width)
    heads = ordered[new]
    ends = np.empty(len(time), np.int64)
    ends[order] = np.cumsum(new) - 1
    starts = None if entry is None else positions(heads, entry + width) - 1
    if starts is not None:
        refuse("time", ends <= starts, "are not after their entry (to 1.5e-8)")
    return heads, ends, starts


def as_whole(values: Floats) -> Integers | None:
    """The values as whole numbers from 0 up, where they are; None where counting by `bincount` would not be exact."""
    if values.max() > LONGEST_GRID or (values[:100] != np.floor(values[:100])).any():  # the first few tell most
        return None
    whole = values.astype(np.int64)
    return whole if np.array_equal(whole, values) else None


def ranks(values: Floats) -> tuple[Floats, Integers]:
    """Distinct times (whole numbers: all of them from 0 up) and the place of each value among them."""
    whole = as_whole(values)
    return ranks_by_sorting(values, None)[:2] if whole is None else (np.arange(values.max() + 1), whole)


def months_of(given: Sample) -> tuple[Integers, Integers | None] | None:
    """Times and entries that are whole numbers."""
    ends = as_whole(given.time)
    starts = None if ends is None or given.entry is None else as_whole(given.entry)
    return None if ends is None or (starts is None and given.entry is not None) else (ends, starts)


def risk_sets(given: Sample, *, sort: bool | None = None) -> RiskSets:
    """The count table of a checked sample; `sort` forces one of the two ways (None: the one that fits)."""
    months = None if sort else months_of(given)
    if months is not None:
        return counted_by_rank(given, np.arange(given.time.max() + 1), *months)
    if given.unweighted:
        return counted_in_order(given, in_order(given, given.kinds, len(given.causes) + 1))
    return counted_by_rank(given, *ranks_by_sorting(given.time, given.entry))


def counted_by_rank(given: Sample, heads: Floats, end: Integers, start: Integers | None) -> RiskSets:
    """Counts by `bincount` of the ranks, among the times `heads`, at which persons end and after which they start."""
    n_heads, n_groups = len(heads), given.n_groups
    enter = np.zeros(len(end), np.int64) if start is None else start + 1
    if n_groups > 1:
        key = given.group * n_heads
        end, enter = key + end, key + enter
    keys = np.arange(n_groups * n_heads) if n_groups * n_heads <= 4 * len(end) + 10_000 else np.unique(end)
    if len(keys) < n_groups * n_heads:  # many groups that share few times
        end, enter = np.searchsorted(keys, end), np.searchsorted(keys, enter)

    mass = None if given.unweighted else given.weights
    n_kinds = len(given.causes) + 1
    what = end * n_kinds
    what += given.kinds
    kinds = np.bincount(what, mass, len(keys) * n_kinds).reshape(-1, n_kinds).T
    ended = kinds.sum(axis=0)
    n_risk = np.cumsum(np.bincount(enter, mass, len(keys))) - np.cumsum(ended) + ended
    persons = ended if given.unweighted else np.bincount(end, minlength=len(keys))
    rows = np.flatnonzero(persons)
    if given.unweighted:
        kinds, n_risk = kinds[:, rows], n_risk[rows]
    elif given.whole:
        kinds, n_risk = (np.rint(x[..., rows]).astype(np.int64) for x in (kinds, n_risk))
    else:
        # Weights that are not whole numbers leave a rounding error in a difference of sums. Where everyone at risk
        # leaves, the numbers must be equal, or a curve that is 0 would be 1e-17.
        after = np.cumsum(np.bincount(enter, minlength=len(keys))) - np.cumsum(persons)
        kinds, n_risk = kinds[:, rows], np.where(after == 0, ended, n_risk)[rows]
    names = keys[rows]
    group = names // n_heads
    next_row = np.cumsum(persons > 0) - (persons > 0)  # the row of a key, or the first one after it
    return RiskSets(
        np.searchsorted(group, np.arange(n_groups + 1)),
        heads[names % n_heads],
        group,
        given.causes,
        n_risk,
        kinds[1:],
        kinds[0],
        lambda: (next_row[enter], next_row[end]),
    )


@dataclass(frozen=True)
class InOrder:
    """What happens to everybody in the order of time, group after group, from one sort; and the ties among the ends."""

    time: Floats  # of each end
    marks: NDArray[np.unsignedinteger]  # of ends, and of late entries (+ the number of marks) among them
    place: Integers | None  # where each end is among the marks; None: marks are of ends alone
    cuts: Integers  # ends of group g are cuts[g]:cuts[g + 1]
    new: NDArray[np.bool_]  # ends that begin a row
    first: Integers  # their places among the ends
    size: Integers  # ends in each row

    def placed(self, ends: Integers) -> Integers:
        """Where some ends are among the marks."""
        return ends if self.place is None else self.place[ends]


def in_order(given: Sample, marks: NDArray[np.integer], n_marks: int) -> InOrder:
    """Sorts unweighted persons, who carry one of `n_marks` marks; refuses an entry that is one with its own time."""
    values, group, width, n = given.time, given.group, tie_width(given.time), len(given.time)
    late = np.zeros(0, np.int64) if given.entry is None else np.flatnonzero(given.entry > 0)
    marks = marks.astype(np.uint8 if 2 * n_marks <= 256 else np.uint64, copy=False)
    if len(late):
        # As near to a time, an entry is at that time: after what ends then. At 0, one is at risk from the first row.
        values = np.concatenate([values, given.entry[late] + width])
        marks = np.concatenate([marks, marks[late] + marks.dtype.type(n_marks)])
        group = np.concatenate([group, group[late]]) if given.n_groups > 1 else group
    values, marks, cuts = in_order_of_groups(values, marks, 2 * n_marks, group, given.n_groups)
    place = None
    if len(late):
        place = np.flatnonzero(marks < n_marks)
        values, cuts = values[place], np.searchsorted(place, cuts)

    new = starts_of_ties(values, width)
    new[cuts[:-1][np.diff(cuts) > 0]] = True
    first = np.flatnonzero(new)
    size = np.empty_like(first)
    np.subtract(first[1:], first[:-1], out=size[:-1])
    size[-1] = n - first[-1]
    if given.entry is not None:
        several = np.flatnonzero(size > 1)
        longest = (values[first[several] + size[several] - 1] - values[first[several]]).max(initial=0.0)
        if given.shortest <= width + longest:
            short = np.flatnonzero(given.time - given.entry <= width + longest)
            refuse_empty(given, short, given.entry[short] + width, values[first], np.searchsorted(first, cuts))
    return InOrder(values, marks, place, cuts, new, first, size)


def refuse_empty(given: Sample, short: Integers, after: Floats, head: Floats, bounds: Integers) -> None:
    """Refuses those of the `short` stays, at risk `after` some time, that begin and end in one row.

    `head` are the times of the rows, of group g from bounds[g] on.
    """
    empty = np.zeros(len(given.time), dtype=bool)
    for g, row in enumerate(pairwise(bounds)):
        mine = given.group[short] == g
        begin, end = (positions(head[slice(*row)], x[mine]) for x in (after, given.time[short]))
        empty[short[mine]] = end <= begin
    refuse("time", empty, "are not after their entry (to 1.5e-8)")


def counted_in_order(given: Sample, ordered: InOrder) -> RiskSets:
    """The counts of persons whose marks are their `kinds`."""
    first, n_groups, n_censor = ordered.first, given.n_groups, ordered.size
    marks = ordered.marks if ordered.place is None else ordered.marks[ordered.place]
    n_event = np.empty((len(given.causes), len(first)), np.int64)
    for k, row in enumerate(n_event, start=1):
        row[:] = added_in_ties(marks == k, ordered.new, first)
        n_censor = n_censor - row
    head, bounds = ordered.time[first], np.searchsorted(first, ordered.cuts)

    # At risk at a row: those of its group who have entered, less those who ended before it.
    n_risk = ordered.placed(first) - first
    n_risk -= first
    for row, stop, upto in zip(pairwise(bounds), ordered.cuts[1:], np.cumsum(given.n_late), strict=True):
        n_risk[slice(*row)] += stop - upto

    def persons() -> tuple[Integers, Integers]:
        ends, enters = np.empty(len(given.time), np.int64), bounds[given.group]
        for g, row in enumerate(pairwise(bounds)):
            mine = np.flatnonzero(given.group == g) if n_groups > 1 else slice(None)
            ends[mine] = row[0] + positions(head[slice(*row)], given.time[mine]) - 1
            if given.entry is not None:
                enters[mine] = row[0] + positions(head[slice(*row)], given.entry[mine] + tie_width(given.time))
        return enters, ends

    row_group = np.repeat(np.arange(n_groups), np.diff(bounds))
    return RiskSets(bounds, head, row_group, given.causes, n_risk, n_event, n_censor, persons)


def positions(heads: Floats, values: Floats) -> Integers:
    """How many heads are ≤ each value; looked up in order, which is several times faster."""
    order = np.argsort(values)
    found = np.empty(len(values), np.int64)
    found[order] = np.searchsorted(heads, values[order], side="right")
    return found


def with_groups(columns: dict[str, NDArray], given: Sample, rows: Integers) -> pd.DataFrame:
    """A table of `columns`, with the labels of `rows` (group codes) as its first column where groups were given."""
    first = {} if given.levels is None else {"group": given.levels[rows]}
    return pd.DataFrame({**first, **columns}, copy=False)


def life_table(
    time: ArrayLike,
    cause: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> pd.DataFrame:
    """Counts at each time where anything ends.

    Parameters
    ----------
    time : array of shape (n,)
        When the person left or was censored, in months (or any unit), from 0 up.
    cause : array of shape (n,)
        0 = censored, k ≥ 1 = left for cause k.
    entry : array of shape (n,), optional
        Delayed entry: at risk at t means entry < t ≤ time.
    weights : array of shape (n,), optional
        From 0 up. Whole numbers are frequencies and give whole counts.
    group : array of shape (n,), optional
        Labels; adds a first column `group`.

    Returns
    -------
    DataFrame
        time, n_risk, n_event (all causes), n_censor, n_entry (whose first row at risk this is), and n_event_k for
        each cause k seen. In a group, n_risk of a row is n_risk − n_event − n_censor of the row before + n_entry.

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time not after its entry.

    Notes
    -----
    R: ``summary(survfit(Surv(entry, time, cause > 0) ~ group), censored = TRUE)``; counts are equal (weighted ones to
    3e-12).

    Examples
    --------
    >>> life_table([3, 5, 5, 8], [1, 0, 2, 0])[["time", "n_risk", "n_event", "n_censor"]].to_numpy().tolist()
    [[3.0, 4.0, 1.0, 0.0], [5.0, 3.0, 1.0, 1.0], [8.0, 1.0, 0.0, 1.0]]
    """
    given = sample(time, cause, entry=entry, weights=weights, group=group)
    counts = risk_sets(given)
    columns = {
        "time": counts.time,
        "n_risk": counts.n_risk,
        "n_event": counts.n_event.sum(axis=0),
        "n_censor": counts.n_censor,
        "n_entry": np.bincount(counts.enters, given.weights, len(counts.time)).astype(counts.n_risk.dtype),
    }
    columns |= {f"n_event_{k}": row for k, row in zip(counts.causes, counts.n_event, strict=True)}
    return with_groups(columns, given, counts.group)
