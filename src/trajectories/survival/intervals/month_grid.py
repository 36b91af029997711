"""Puts interval-censored stays on the grid of whole months.

Events go up: an exit in (m − 1, m] is of month m, and one known to be in (lower, upper] is of one of the months
⌊lower⌋ + 1 … ⌈upper⌉. Censorings go down: present at `lower`, so at risk to month ⌊lower⌋. Entries go up: at risk from
month ⌈entry⌉ + 1. An exit cannot be of a month before that, so the months of an interval start there at the earliest.
Whoever enters and ends in one month is never at risk on the grid. Values within 1e-9 of a whole number are that number:
date arithmetic gives 11.999999999 for an anniversary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, causes, refuse, times

NEAR = 1e-9
UNKNOWN = -1


@dataclass(frozen=True)
class MonthGrid:
    """One value a stay: whole months, and the cause's place in `names` (UNKNOWN where it is not known)."""

    enter: Integers  # the first month at risk
    left: Integers  # the months of exit are left … right; of a censored stay, right is its last month at risk
    right: Integers
    exits: np.ndarray  # True where the exit is known
    cause: Integers
    confirmed: Integers  # the last month at which the stay is known to go on
    names: Integers  # the causes, in order

    @property
    def at_risk(self) -> np.ndarray:
        """False for stays that enter and end in one month."""
        return self.right >= self.enter

    @property
    def first_month(self) -> int:
        """1, or 0 where somebody without delayed entry left at time 0 exactly."""
        return int(np.min(self.right[self.exits & self.at_risk], initial=1) == 0) ^ 1

    @property
    def last_month(self) -> int:
        """The last month about which anything is known."""
        return int(self.right.max())


def snap(values: Floats) -> Floats:
    """Values next to a whole number become it."""
    whole = np.rint(values)
    return np.where(np.isclose(values, whole, rtol=0.0, atol=NEAR), whole, values)


def month_grid(lower: ArrayLike, upper: ArrayLike, cause: ArrayLike, entry: ArrayLike | None) -> MonthGrid:
    """Checks and rounds; see `interval_incidence` for what the arguments mean and what raises."""
    low = snap(times("lower", lower))
    n = len(low)
    high = snap(times("upper", upper, n, infinite=True))
    kind = causes("cause", cause, n)
    refuse("upper", high < low, "are below lower")
    exits = np.isfinite(high)
    refuse("cause", (kind > 0) & ~exits, "name a cause where upper is infinite (no exit is known)")
    exact = low == high
    if entry is None:
        # Nothing is truncated: an exit at 0 exactly is one of month 0, as a time of 0 is for Kaplan–Meier.
        enter = np.where(exits & exact & (low == 0), 0, 1)
        if not enter.all():
            enter[:] = 0
    else:
        start = snap(times("entry", entry, n))
        refuse("entry", start > low, "are above lower")
        enter = np.ceil(start).astype(np.int64) + 1

    left = np.where(exact, np.ceil(low), np.floor(low) + 1).astype(np.int64)
    right = np.where(exits, np.ceil(np.where(exits, high, 0)), np.floor(low)).astype(np.int64)
    confirmed = np.where(exact, np.ceil(low) - 1, np.floor(low)).astype(np.int64)
    names = np.unique(kind[kind > 0])
    if not len(names):
        names = np.array([1])  # no exit, or none whose cause is known: one cause stands for any
    code = np.where(kind > 0, np.searchsorted(names, kind), UNKNOWN)
    return MonthGrid(enter, np.maximum(left, enter), right, exits, code, confirmed, names)
