"""Who is at risk when: the one definition that curves, tests and printed numbers at risk share.

At risk at t means entry < t ≤ time: whoever is censored at t is still at risk at t, and events come before
censorings. The table has one row at each time where anything ends, per group. Everything is counted by `bincount` of
ranks: whole months are their own ranks, other times are sorted, where times closer than 1.5e-8 (absolute, or relative
to the mean) are ties, as in R (survival's `timefix`: 0.1 + 0.2 and 0.3 are one time).
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

TIE = float(np.sqrt(np.finfo(float).eps))  # R's tolerance for « the same time »
Counts = Integers | Floats  # whole numbers, but for weights that are not
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
    n_risk: Counts
    n_event: Counts  # causes × rows
    n_censor: Counts
    order: Integers | None = field(repr=False)  # in which order the next two hold the persons; None: as they were given
    first_rows: Integers = field(repr=False)
    last_rows: Integers = field(repr=False)

    @cached_property
    def enters(self) -> Integers:
        """The first row at which each person is at risk."""
        return put_back(self.first_rows, self.order)

    @cached_property
    def ends(self) -> Integers:
        """The row of each person's time."""
        return put_back(self.last_rows, self.order)

    @cached_property
    def all_events(self) -> Counts:
        """Events of any cause at each row."""
        return self.n_event[0] if len(self.n_event) == 1 else self.n_event.sum(axis=0)

    def steps(self, moves: NDArray[np.bool_]) -> Steps:
        """The rows where `moves`, and the first one of each group."""
        first = self.bounds[:-1][np.diff(self.bounds) > 0]
        chosen = moves.copy()
        chosen[first] = True
        at = np.flatnonzero(chosen)
        return Steps(np.searchsorted(at, self.bounds), at, len(moves))


def put_back(values: NDArray, order: Integers | None) -> NDArray:
    """Values of persons in some order, as the persons were given."""
    if order is None:
        return values
    result = np.empty_like(values)
    result[order] = values
    return result


def tie_width(values: Floats) -> float:
    """Times this close, or closer, are one: 1.5e-8, absolute or relative to the mean, whichever is larger."""
    return TIE * max(1.0, float(values.mean()))


def whole_numbers(values: Floats) -> Integers | None:
    """The values as whole numbers from 0 up, where they all are, and small enough to be counted one by one."""
    if values.max() > LONGEST_GRID or (values[:100] != np.floor(values[:100])).any():  # the first few tell most
        return None
    integers = values.astype(np.int64)
    return integers if np.array_equal(integers, values) else None


def by_month(time: Floats, entry: Floats | None) -> tuple[Floats, Integers, Integers] | None:
    """`ranks` of whole numbers, all of which from 0 up are listed; None where some are no whole numbers."""
    end = whole_numbers(time)
    start = None if end is None or entry is None else whole_numbers(entry)
    if end is None or (start is None and entry is not None):
        return None
    return np.arange(time.max() + 1), end, np.zeros(len(end), np.int64) if start is None else start + 1


def in_order(time: Floats, entry: Floats | None, width: float) -> tuple[Integers, Floats, Integers, Integers]:
    """The persons in the order of their times, the distinct times, and the `ranks` of the persons in that order.

    Times no farther apart than `width` are one, the smallest; an entry as near to a time is at that time.
    """
    order = np.argsort(time)
    ordered = time[order]
    new = np.append(True, np.diff(ordered) > width)
    heads, enter = ordered[new], np.zeros(len(order), np.int64)
    if entry is not None:
        entry = entry[order] + width
        late = np.flatnonzero(entry >= heads[0])
        late = late[np.argsort(entry[late])]  # looked up in order, which is several times faster
        enter[late] = np.searchsorted(heads, entry[late], side="right")
    return order, heads, np.cumsum(new) - 1, enter


def ranks(time: Floats, entry: Floats | None = None) -> tuple[Floats, Integers, Integers]:
    """The distinct times, and of each person the place of the time among them, and of the first time at risk."""
    if (months := by_month(time, entry)) is not None:
        return months
    order, heads, end, enter = in_order(time, entry, tie_width(time))
    return heads, put_back(end, order), put_back(enter, order)


def risk_sets(persons: Sample) -> RiskSets:
    """The count table of a checked sample."""
    if (months := by_month(persons.time, persons.entry)) is not None:
        return counted_by_rank(persons, *months)
    width = tie_width(persons.time)
    if persons.n_groups == 1:
        order, heads, end, enter = in_order(persons.time, persons.entry, width)
        return counted(persons, heads, np.zeros(len(heads), np.int64), end, enter, order)
    by_group = np.argsort(persons.group.astype(np.min_scalar_type(persons.n_groups)), kind="stable")
    cuts = np.searchsorted(persons.group[by_group], np.arange(1, persons.n_groups))
    size, parts = 0, []
    for g, own in enumerate(np.split(by_group, cuts)):
        if len(own):  # a group in which all have a weight of 0 has no row
            entry = None if persons.entry is None else persons.entry[own]
            order, heads, end, enter = in_order(persons.time[own], entry, width)
            parts.append((heads, np.full(len(heads), g), size + end, size + enter, own[order]))
            size += len(heads)
    return counted(persons, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def counted_by_rank(persons: Sample, heads: Floats, end: Integers, enter: Integers) -> RiskSets:
    """The counts of persons of whom `ranks` are known among the times `heads`, those of all groups."""
    n_heads, n_cells = len(heads), persons.n_groups * len(heads)
    if persons.n_groups > 1:
        end, enter = persons.group * n_heads + end, persons.group * n_heads + enter
    if n_cells <= 4 * len(end) + 10_000:
        ends_here = np.bincount(end, minlength=n_cells) > 0
        cells = np.flatnonzero(ends_here)
        row = np.cumsum(ends_here, dtype=np.int64) - ends_here  # the row at a cell, or after it
        end, enter = row[end], row[enter]
    else:  # many groups that share few times
        cells, end = np.unique(end, return_inverse=True)
        enter = np.searchsorted(cells, enter)
    return counted(persons, heads[cells % n_heads], cells // n_heads, end, enter)


def counted(
    persons: Sample, time: Floats, group: Integers, end: Integers, enter: Integers, order: Integers | None = None
) -> RiskSets:
    """The counts of rows (time, group): each person, in some `order`, is at risk from the row `enter` to `end`."""
    refuse("time", end < enter, "are not after their entry (to 1.5e-8)")
    kind, mass = persons.kinds, None if persons.unweighted else persons.weights
    if order is not None:
        kind, mass = kind[order], None if mass is None else mass[order]
    n_rows, n_kinds = len(time), len(persons.causes) + 1
    kinds = np.bincount(kind * n_rows + end, mass, n_kinds * n_rows).reshape(n_kinds, n_rows)
    ended = kinds.sum(axis=0)
    n_risk = np.cumsum(np.bincount(enter, mass, n_rows)) - np.cumsum(ended) + ended
    if not persons.whole_weights:
        # Weights that are not whole numbers leave a rounding error in a difference of sums. Where everyone at risk
        # leaves, the numbers must be equal, or a curve that is 0 would be 1e-17.
        after = np.cumsum(np.bincount(enter, minlength=n_rows) - np.bincount(end, minlength=n_rows))
        n_risk = np.where(after == 0, ended, n_risk)
    elif mass is not None:
        kinds, n_risk = (np.rint(x).astype(np.int64) for x in (kinds, n_risk))
    bounds = np.searchsorted(group, np.arange(persons.n_groups + 1))
    return RiskSets(bounds, time, group, persons.causes, n_risk, kinds[1:], kinds[0], order, enter, end)


def with_groups(columns: dict[str, NDArray], persons: Sample, rows: Integers) -> pd.DataFrame:
    """A table of `columns`, with the labels of `rows` (group codes) as its first column where groups were given."""
    first = {} if persons.levels is None else {"group": persons.levels[rows]}
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
    persons = sample(time, cause, entry=entry, weights=weights, group=group)
    counts = risk_sets(persons)
    columns = {
        "time": counts.time,
        "n_risk": counts.n_risk,
        "n_event": counts.n_event.sum(axis=0),
        "n_censor": counts.n_censor,
        "n_entry": np.bincount(counts.enters, persons.weights, len(counts.time)).astype(counts.n_risk.dtype),
    }
    columns |= {f"n_event_{k}": row for k, row in zip(counts.causes, counts.n_event, strict=True)}
    return with_groups(columns, persons, counts.group)
