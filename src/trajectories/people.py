"""Persons → spells and stays, of everyone at once or in parts that a team works on.

Nothing here looks beyond a household: no row of somebody else decides what a person did, and the role of a member
follows from the ages of the others. So everyone is split by the hash of the household (a keyed pseudonym, which says
nothing), each part is reconstructed alone, and the parts are put together in order of person: the same tables, byte
for byte. What does depend on everyone, the cut-off and when each organisation stopped to deposit, is found before.
"""

from __future__ import annotations

import functools
import secrets
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from .cohort import GIVEN, Cohort, build_cohort
from .contacts import last_deposits
from .parts import give_back
from .spells import Residences, build_spells, cutoff_of
from .storage import Storage
from .study import Study
from .tables import COHORT, CONFLICTS, CONTACTS, MOVES, OBSERVATIONS, RECORDS, SET_ASIDE, SPELLS, WHOSE, Table, conform
from .team import Team, parts_of

# What is read of a record here travels, and nothing else: what says who somebody is has done its work in the linkage.
_TRAVELS = Table(RECORDS.name, {name: RECORDS.columns[name] for name in GIVEN})
_OF_RESIDENCES = (OBSERVATIONS, SPELLS, MOVES, CONFLICTS)
_OF_COHORT = (COHORT, CONTACTS, SET_ASIDE)


class Part(NamedTuple):
    """The names of the records and of the persons of some households, in the storage."""

    records: str
    persons: str


@dataclass(frozen=True)
class People:
    """
    Everyone's records and who is who, for this process or a team to reconstruct.

    Attributes
    ----------
    records, persons : DataFrame
        The tables of those names.
    team : Team, optional
    deposits : Series, optional
        When each organisation stopped to deposit, where these are not all records (`last_deposits`).
    """

    records: pd.DataFrame
    persons: pd.DataFrame
    team: Team | None = None
    deposits: pd.Series | None = None

    def stays(self, study: Study) -> tuple[Residences, Cohort]:
        """What `build_spells` and then `build_cohort` make of everyone."""
        if self.team is None:
            return _stays(self.records, self.persons, study, self.deposits)
        deposits = last_deposits(self.records) if self.deposits is None else self.deposits
        cutoff = cutoff_of(study, self.records)
        asked = replace(study, cutoff=cutoff.date())
        with self.team.folder() as folder:
            work = functools.partial(_stays_of_part, self.team.storage, folder, asked, deposits)
            made = list(self.team.each(work, self._parts))
            found = {table.name: _together(folder, made, table) for table in (*_OF_RESIDENCES, *_OF_COHORT)}
        residences = Residences(*(found[table.name] for table in _OF_RESIDENCES), study.perimeter, cutoff)
        return residences, Cohort(*(found[table.name] for table in _OF_COHORT))

    @functools.cached_property
    def _parts(self) -> list[Part]:
        """The parts that somebody is in, each written where the team reads it."""
        household = self.persons["household_id"].to_numpy(dtype=object)
        number = pd.util.hash_array(household) % np.uint64(parts_of(len(self.records)))
        records = self.records[[name for name in _TRAVELS.columns if name in self.records]]
        of_record = pd.Series(number, index=self.persons["record_id"]).reindex(records["record_id"]).to_numpy()
        persons = self.persons[list(WHOSE)]
        storage, whose = self.team.storage, secrets.token_hex(4)
        rows = records.groupby(of_record).indices
        return [
            Part(
                storage.save(f"{whose}-records-{part}", records.take(rows.get(part, []))),
                storage.save(f"{whose}-persons-{part}", theirs),
            )
            for part, theirs in persons.groupby(number)
        ]


def ids_once(records: pd.DataFrame, persons: pd.DataFrame) -> None:
    """
    Where both tables have the same records in the same order, as a build writes them, their ids are held once.

    Of a million persons that is half a gigabyte: a text that is read twice is two objects.
    """
    one, other = records["record_id"], persons["record_id"]
    if len(one) == len(other) and (one.to_numpy() == other.to_numpy()).all():
        persons["record_id"] = one


def _stays(
    records: pd.DataFrame, persons: pd.DataFrame, study: Study, deposits: pd.Series | None = None
) -> tuple[Residences, Cohort]:
    residences = build_spells(records, persons, study=study)
    give_back()
    made = residences, build_cohort(residences, records, persons, study=study, deposits=deposits)
    give_back()
    return made


def _stays_of_part(
    read: Storage, written: Storage, study: Study, deposits: pd.Series, part: Part
) -> dict[str, str]:  # fmt: skip
    """The task: the tables of one part, by name, as they are named where they are written."""
    records, persons = (read.load([name]).to_pandas() for name in part)
    residences, cohort = _stays(conform(records, _TRAVELS), persons, study, deposits)
    return {
        table.name: written.save(f"{part.records}-{table.name}", conform(getattr(of, table.name), table))
        for of, tables in ((residences, _OF_RESIDENCES), (cohort, _OF_COHORT))
        for table in tables
    }


def _together(storage: Storage, made: list[dict[str, str]], table: Table) -> pd.DataFrame:
    """The parts of a table, in order of person: each part is in that order, and holds its persons whole."""
    whole = storage.load([part[table.name] for part in made]).to_pandas()
    return conform(whole.sort_values("person_id", kind="stable", ignore_index=True), table)
