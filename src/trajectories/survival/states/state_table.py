"""Moves between states: the rows read once, and counted at each time where somebody moves.

A row says that a person was in `from_state` over (start, stop] and what happened at stop: a move to another state, or
nothing that is known (`to_state` missing, "censor", or the same state: a stay cut in two is one stay). The counts are
those of `risk.py`, the state being the group: at risk in state h at u means start < u ≤ stop in a row of state h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, refuse, times
from trajectories.survival.risk import counted_by_rank, tie_width
from trajectories.survival.states.person_rows import PersonRows, person_rows

CENSORED = "censor"


@dataclass(frozen=True)
class StateTable:
    """Checked rows (a value a row), and the moves counted by time, origin and destination (a value a count)."""

    rows: PersonRows
    states: pd.Index  # the labels that codes stand for
    state: Integers
    to: Integers  # where the row moves at its stop, −1 where it does not
    time: Floats  # the distinct times of moves: the steps
    position: Integers  # where each step is among all distinct times
    step: Integers  # of each count
    origin: Integers
    destination: Integers
    n_moves: Integers
    n_risk: Integers  # in `origin` at `step`

    @property
    def n_states(self) -> int:
        return len(self.states)

    def matrices(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Of the steps first … last − 1: I + ΔA, each k × k, and the numbers at risk (1 in a state nobody leaves)."""
        k, a, b = self.n_states, *np.searchsorted(self.step, [first, last])
        at, h, g = self.step[a:b] - first, self.origin[a:b], self.destination[a:b]
        moves, n = np.zeros((last - first, k, k)), np.ones((last - first, k))
        moves[at, h, g] = self.n_moves[a:b]
        n[at, h] = self.n_risk[a:b]
        stays = n - moves.sum(axis=2)  # whole numbers: exactly 0 where everybody leaves
        moves[:, np.arange(k), np.arange(k)] = stays
        return moves / n[:, :, None], n

    def reached(self, at: Floats) -> Integers:
        """How many steps are at or before each time."""
        return np.searchsorted(self.time, at + tie_width(self.rows.heads), side="right")

    def steps_of_rows(self) -> tuple[Integers, Integers]:
        """How many steps are at or before each row's start, and its stop: a row is at risk at those between."""
        so_far = np.cumsum(np.bincount(self.position, minlength=len(self.rows.heads)))
        return so_far[self.rows.start], so_far[self.rows.stop]

    def at_risk(self, at: Floats) -> Integers:
        """Numbers in each state at any times (start < t ≤ stop): times × states."""
        shape = (self.n_states, len(self.rows.heads))
        key = self.state * shape[1]
        begun = np.bincount(key + self.rows.start, minlength=shape[0] * shape[1]).reshape(shape)
        ended = np.bincount(key + self.rows.stop, minlength=shape[0] * shape[1]).reshape(shape)
        inside = np.cumsum(np.pad(begun - ended, ((0, 0), (1, 0))), axis=1)
        return inside[:, self.rows.below(at)].T


def read_states(from_state: ArrayLike, to_state: ArrayLike, like: int) -> tuple[pd.Index, Integers, Integers]:
    """The states seen and the codes of both columns, −1 for no move.

    The states are in the order of the first column that is a categorical of them all, else sorted.
    """
    origin, goal = pd.Series(from_state), pd.Series(to_state)
    for name, series in (("from_state", origin), ("to_state", goal)):
        if len(series) != like:
            raise ValueError(f"{name}: {len(series)} values given, {like} expected")
    refuse("from_state", origin.isna().to_numpy(), "are missing")
    codes, seen = pd.factorize(origin)
    goals, reached = pd.factorize(goal)  # missing values get −1
    refuse("from_state", np.isin(codes, [i for i, x in enumerate(seen) if is_censored(x)]), "are « censor »")

    known = list(dict.fromkeys([*seen, *(x for x in reached if not is_censored(x))]))
    ordered = (s.cat.categories for s in (origin, goal) if isinstance(s.dtype, pd.CategoricalDtype))
    states = next(([x for x in c if x in known] for c in ordered if set(known) <= set(c)), None)
    try:
        states = sorted(known) if states is None else states
    except TypeError as error:
        raise ValueError(f"from_state, to_state: the labels of {len(known)} states cannot be put in order") from error
    code_of: dict[Any, int] = {x: i for i, x in enumerate(states)}
    state = np.array([code_of[x] for x in seen])[codes]
    to = np.array([-1 if is_censored(x) else code_of[x] for x in reached] + [-1])[goals]
    return pd.Index(states), state, np.where(to == state, -1, to)


def is_censored(label: Any) -> bool:
    """Whether a label is the word for a censoring, and no state."""
    return isinstance(label, str) and label == CENSORED


def state_table(
    person: ArrayLike, start: ArrayLike, stop: ArrayLike, from_state: ArrayLike, to_state: ArrayLike
) -> StateTable:
    """Reads, checks and counts the rows."""
    rows = person_rows(person, start, stop)
    n = len(rows.order)
    states, state, to = read_states(from_state, to_state, n)
    after = np.where(to < 0, state, to)[rows.order]
    astray = np.append(False, rows.linked & (after[:-1] != state[rows.order[1:]]))
    refuse("from_state", astray, "are not where the person's row before, which stops at their start, ends")

    counts = counted_by_rank(rows.sample(to + 1, state, states), rows.heads, rows.stop, rows.start + 1)
    cause, row = np.nonzero(counts.n_event)
    order = np.argsort(counts.time[row], kind="stable")
    cause, row = cause[order], row[order]
    time, step = np.unique(counts.time[row], return_inverse=True)
    return StateTable(
        rows,
        states,
        state,
        to,
        time,
        np.searchsorted(rows.heads, time),
        step,
        counts.group[row],
        counts.causes[cause] - 1,
        counts.n_event[cause, row],
        counts.n_risk[row],
    )


def times_of(table: StateTable, given: ArrayLike | None, after: float) -> Floats:
    """The times asked for, as given; else those of moves after `after`, or the last time of all where nobody moves."""
    if not 0 <= after < np.inf:
        raise ValueError(f"s: 1 value, {after}, is not a number from 0 up")
    if given is None:
        moves = table.time[table.reached(np.array([after]))[0] :]
        return moves if len(moves) else np.array([max(float(after), table.rows.heads[table.rows.stop.max()])])
    at = times("times", given)
    refuse("times", at < after, f"are before s = {after:g}")
    return at
