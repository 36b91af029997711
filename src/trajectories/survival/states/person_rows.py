"""Several rows a person, each (start, stop]: in order, never overlapping, gaps allowed.

Times become positions among the distinct times of the sample (ties as in `risk.py`), so that « the next row starts
when this one stops » is a comparison of whole numbers, and risk sets are counted on a grid whatever the unit of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, Sample, refuse, times
from trajectories.survival.risk import ranks, tie_width


@dataclass(frozen=True)
class PersonRows:
    """Checked rows: times as positions in `heads`, the distinct times."""

    person: Integers  # codes from 0 up
    heads: Floats
    start: Integers
    stop: Integers
    order: Integers  # the rows by person, then start
    linked: NDArray[np.bool_]  # in that order, but the last: the person's next row starts when this one stops

    def continues(self, group: Integers) -> NDArray[np.bool_]:
        """True for a row whose stop is no end: the person's next row, in the same group, starts there."""
        before, after = self.order[:-1], self.order[1:]
        result = np.zeros(len(self.order), dtype=bool)
        result[before[self.linked & (group[before] == group[after])]] = True
        return result

    def sample(
        self, cause: Integers, group: Integers, levels: NDArray[Any] | None, cluster: Integers | None = None
    ) -> Sample:
        """The rows as a sample of `risk.py`: what ended each, and its group."""
        n = len(self.order)
        time, entry, ones = self.heads[self.stop], self.heads[self.start], np.broadcast_to(1.0, n)
        return Sample(time, cause, entry, ones, True, group, levels, cluster, unweighted=True)

    def below(self, at: Floats) -> Integers:
        """How many distinct times are before each of `at` (a tie is not before)."""
        return np.searchsorted(self.heads, at - tie_width(self.heads), side="left")


def identifiers(name: str, values: ArrayLike, like: int) -> Integers:
    """Codes from 0 up, in no order: who is the same person, or household."""
    series = pd.Series(values)
    if len(series) != like:
        raise ValueError(f"{name}: {len(series)} values given, {like} expected")
    refuse(name, series.isna().to_numpy(), "are missing")
    return pd.factorize(series)[0].astype(np.int64)


def clusters_of(values: ArrayLike | None, person: Integers) -> Integers:
    """The cluster of each row: the person where none is given. A person belongs to one cluster."""
    if values is None:
        return person
    codes = identifiers("cluster", values, len(person))
    of_person = np.zeros(person.max() + 1, np.int64)
    of_person[person] = codes
    refuse("cluster", codes != of_person[person], "differ from another row of the same person")
    return codes


def person_rows(person: ArrayLike, start: ArrayLike, stop: ArrayLike) -> PersonRows:
    """Reads and checks the rows: `ValueError` for stop ≤ start and for rows of one person that overlap."""
    starts = times("start", start)
    n = len(starts)
    stops = times("stop", stop, n)
    refuse("stop", stops <= starts, "are not after their start")
    who = identifiers("person", person, n)
    both = np.concatenate([starts, stops])
    heads, place, _ = ranks(both)
    begins, ends = place[:n], place[n:]
    refuse("stop", ends <= begins, "are not after their start (to 1.5e-8)")
    order = np.argsort(who * len(heads) + begins, kind="stable")
    same = who[order[1:]] == who[order[:-1]]
    gap = begins[order[1:]] - ends[order[:-1]]
    refuse("start", np.append(False, same & (gap < 0)), "are before the end of the person's row before: rows overlap")
    return PersonRows(who, heads, begins, ends, order, same & (gap == 0))
