"""Maximal runs of claims in one place: what becomes the spells of residence.

A run ends where the person changes, where the place changes, or where a departure to an unknown place comes
between, even if the person is then back in the same town.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .coding import MISSING
from .conflicts import Settled
from .evidence import NOWHERE_KNOWN, Evidence, pairs


@dataclass(frozen=True)
class Runs:
    """
    The claims of all persons, cut into runs.

    `begins` is the position of each run's first claim, `place` a number for its place, `run` the number of each
    claim's run. Functions named after a column give one value a run.
    """

    claims: Evidence
    begins: np.ndarray
    place: np.ndarray
    run: np.ndarray

    def __len__(self) -> int:
        return len(self.begins)

    def sizes(self) -> np.ndarray:
        """How many claims each run has."""
        return np.diff(self.begins, append=len(self.claims))

    def first_where(self, flag: np.ndarray) -> np.ndarray:
        """The position of each run's first flagged claim; −1 where it has none."""
        at = np.flatnonzero(flag)
        run = self.run[at]
        first = np.ones(len(at), dtype=bool)
        first[1:] = run[1:] != run[:-1]
        found = np.full(len(self), -1)
        found[run[first]] = at[first]
        return found

    def only(self, runs: np.ndarray) -> np.ndarray:
        """The positions of the claims of some runs."""
        return pairs(self.begins[runs], self.begins[runs] + self.sizes()[runs])[1]

    def last_confirmed(self) -> np.ndarray:
        """The last day each person was certainly there: the latest of the first days of what is attested."""
        return np.maximum.reduceat(self.claims.earliest, self.begins) if len(self) else self.claims.earliest


def find_runs(settled: Settled) -> Runs:
    """Cut the claims into runs, areas being where the person is already known to be."""
    claims = areas_within(settled.claims)
    place = claims.town.astype(np.int32)
    unnamed = np.flatnonzero(claims.town < 0)
    region, zone = claims.region[unnamed], claims.zone[unnamed]
    # places without a town are numbered below zero: areas by region, then by zone alone
    place[unnamed] = np.where(region >= 0, -10 - region.astype(np.int32), -1 - zone)
    new = np.ones(len(claims), dtype=bool)
    new[1:] = (claims.person[1:] != claims.person[:-1]) | (place[1:] != place[:-1])
    new[settled.claims_before[settled.claims_before < len(claims)]] = True
    begins = np.flatnonzero(new)
    return Runs(claims, begins, place[begins], np.cumsum(new, dtype=np.int32) - np.int32(1))


def areas_within(claims: Evidence) -> Evidence:
    """
    The claims, a region named instead of a town being where the person is already known to be, if that is in it.

    So is a town whose name several towns of the territory share: nothing says that it is another one. An area that is
    elsewhere comes between: what lies beyond it stays an area.
    """
    town, region, zone = claims.town.copy(), claims.region.copy(), claims.zone.copy()
    for backwards in (False, True):
        at, known = np.flatnonzero(town < 0), np.flatnonzero(town >= 0)
        if not len(at) or not len(known):
            break
        place = np.searchsorted(known, at) - (not backwards)
        near = known[np.clip(place, 0, len(known) - 1)]
        fits = (
            (claims.person[at] == claims.person[near])
            & ((near > at) == backwards)
            & ((region[at] == region[near]) | (region[at] == MISSING))
            & ((zone[at] == zone[near]) | (zone[at] == NOWHERE_KNOWN))
        )
        step = -1 if backwards else 1
        fits[::step] = _from_the_first(fits[::step], place[::step])
        for values in (town, region, zone):
            values[at[fits]] = values[near[fits]]
    return replace(claims, town=town, region=region, zone=zone)


def _from_the_first(fits: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Of each group of neighbours, those that fit until the first that does not."""
    position = np.arange(len(fits))
    new = np.append(True, group[1:] != group[:-1])
    begin = np.maximum.accumulate(np.where(new, position, 0))
    return np.maximum.accumulate(np.where(fits, -1, position)) < begin
