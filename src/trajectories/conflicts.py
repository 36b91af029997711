"""Decisions against a source: observations that a rule sets aside, and the rows of `conflicts` that say so.

Every observation of a place is inside a spell or in `conflicts`, with the code of the rule: `old_address`,
`possible_return` and `possible_visit` (addresses.py), `departure_before_presence` and `departure_already_known`
(departures.py), `establishment_dates` and `presence_before_establishment` (settling.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .coding import NO_DAY, dates
from .evidence import NOWHERE_KNOWN, Evidence, describe, joined, pairs

# Rows of a table as one array a column: tables are made of them once, at the end.
Rows = dict[str, np.ndarray]


@dataclass(frozen=True)
class Decision:
    """Observations that a rule decides against, and what it keeps: other observations, or what is said of them."""

    rule: str
    against: Evidence
    kept: Evidence | np.ndarray


def in_words(decisions: Sequence[Decision]) -> Rows:
    """Columns of the table `conflicts`, each dated by the latest day of the observation set aside."""
    found = []
    # a few words for many persons: each rule's are written all at once
    for rule in dict.fromkeys(decision.rule for decision in decisions):
        against, kept = zip(*((one.against, one.kept) for one in decisions if one.rule == rule), strict=True)
        against = joined(against)
        found.append(
            {
                "person_id": against.observed.persons[against.person],
                "date": dates(against.as_observed("latest")),
                "rule": np.full(len(against), rule, dtype=object),
                "said": describe(against),
                "kept": describe(joined(kept)) if isinstance(kept[0], Evidence) else np.concatenate(kept),
            }
        )
    return {name: np.concatenate([rows[name] for rows in found]) for name in found[0]}


@dataclass(frozen=True)
class Aside:
    """Observations that a rule set aside, at positions of the evidence, each because of another one."""

    rule: str
    found: Evidence
    at: np.ndarray
    because: np.ndarray

    def decision(self) -> Decision:
        """Written down as they are."""
        return Decision(self.rule, self.found.take(self.at), self.found.take(self.because))

    def unless_inside(self, spells: Rows) -> Decision:
        """Those that no spell of the person contains."""
        rows = self.found.take(self.at)
        first, stop = (np.searchsorted(spells["person_id"], rows.person, side=side) for side in ("left", "right"))
        which, spell = pairs(first, stop)
        same_town = (rows.town[which] == spells["municipality"][spell]) & (rows.town[which] >= 0)
        in_area = (
            (rows.town[which] < 0)
            & ((rows.region[which] < 0) | (rows.region[which] == spells["region"][spell]))
            & ((rows.zone[which] == NOWHERE_KNOWN) | (rows.zone[which] == spells["zone"][spell]))
        )
        is_open = spells["end_latest"][spell] == NO_DAY
        earliest, latest = (rows.as_observed(name)[which] for name in ("earliest", "latest"))
        then = (earliest <= spells["end_latest"][spell]) | is_open
        then &= latest >= spells["start_earliest"][spell]
        outside = np.ones(len(rows), dtype=bool)
        outside[which[(same_town | in_area) & then]] = False
        return replace(self, at=self.at[outside], because=self.because[outside]).decision()
