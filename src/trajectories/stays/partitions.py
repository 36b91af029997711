"""Spells and cohort of everyone, a partition of whole households at a time: here, or wherever an executor works.

No row of another household decides what a person did, and the role of a member follows from the ages of the others. So
everyone is split by the hash of the household (a keyed pseudonym, which says nothing), each partition is reconstructed
alone, and the tables are put together in order of person: the same, byte for byte, however many partitions there are.
What does depend on everyone, the cut-off and when each organisation stopped to deposit, is found before.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
import pandas as pd

from ..study import Study
from ..tables import COHORT, CONFLICTS, CONTACTS, MOVES, OBSERVATIONS, SET_ASIDE, SPELLS, WHOSE, Table, conform
from .cohort import GIVEN, Cohort, build_cohort
from .contacts import last_deposits
from .spells import Residences, build_spells, cutoff_of

# Records of a partition, about: the memory needed is that of one partition and of the tables made.
ROWS = 1 << 16
_OF_RESIDENCES = (OBSERVATIONS, SPELLS, MOVES, CONFLICTS)
_OF_COHORT = (COHORT, CONTACTS, SET_ASIDE)


def build_stays(
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    deposits: pd.Series | None = None,
    executor: Executor | None = None,
) -> tuple[Residences, Cohort]:
    """
    What `build_spells` and then `build_cohort` make of everyone.

    Parameters
    ----------
    records, persons : DataFrame
        The tables of those names.
    study : Study
    deposits : Series, optional
        When each organisation stopped to deposit, where these are not all records (`contacts.last_deposits`).
    executor : Executor, optional
        Who reconstructs the partitions; this process, one after the other, where none is given.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> _, records, persons = example_tables()
    >>> residences, drawn = build_stays(records, persons, study=Study())
    >>> residences.spells["person_id"].tolist(), drawn.cohort["region"].tolist()
    (['a', 'b'], ['05', '05'])
    """
    cutoff = cutoff_of(study, records)
    deposits = last_deposits(records) if deposits is None else deposits
    of_one = functools.partial(_stays, study=replace(study, cutoff=cutoff.date()), deposits=deposits)
    each = map if executor is None else executor.map
    made = list(each(of_one, partitions(records, persons)))
    residences, drawn = (
        {table.name: _together([one.pop(table.name) for one in made], table) for table in tables}
        for tables in (_OF_RESIDENCES, _OF_COHORT)
    )
    return Residences(**residences, perimeter=study.perimeter, cutoff=cutoff), Cohort(**drawn)


def partitions(
    records: pd.DataFrame, persons: pd.DataFrame, rows: int | None = None
) -> Iterator[tuple[pd.DataFrame, ...]]:
    """
    The records and persons of whole households, about `rows` records at a time; of records, what is read of them here.

    Examples
    --------
    >>> persons = pd.DataFrame({"record_id": ["1", "2", "3"], "person_id": [*"bab"], "household_id": [*"xyx"]})
    >>> sorted(theirs["record_id"].tolist() for _, theirs in partitions(persons[["record_id"]], persons, rows=1))
    [['1', '3'], ['2']]
    """
    records, persons = records[[name for name in GIVEN if name in records]], persons[list(WHOSE)]
    number = max(1, -(-len(records) // (rows or ROWS)))
    if number == 1:
        yield records, persons
        return
    partition = pd.util.hash_array(persons["household_id"].to_numpy(dtype=object)) % np.uint64(number)
    of_record = pd.Series(partition, index=persons["record_id"].to_numpy()).reindex(records["record_id"]).to_numpy()
    places = records.groupby(of_record).indices
    for name, theirs in persons.groupby(partition):
        yield records.take(places.get(name, [])).reset_index(drop=True), theirs.reset_index(drop=True)


def _stays(partition: tuple[pd.DataFrame, pd.DataFrame], study: Study, deposits: pd.Series) -> dict[str, pd.DataFrame]:
    """The tables of one partition, by name."""
    records, persons = partition
    residences = build_spells(records, persons, study=study)
    drawn = build_cohort(residences, records, persons, study=study, deposits=deposits)
    return {
        table.name: getattr(of, table.name)
        for of, made in ((residences, _OF_RESIDENCES), (drawn, _OF_COHORT))
        for table in made
    }


def _together(parts: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    """A table of all partitions in order of person, who is whole in one of them; a column at a time, for the memory."""
    if len(parts) == 1:
        return parts[0]
    columns = [{name: part[name] for name in part} for part in parts]
    parts.clear()
    person = np.concatenate([part["person_id"].to_numpy(dtype=object) for part in columns])
    order = np.argsort(pd.Categorical(person).codes, kind="stable")
    joined = {
        name: pd.concat([part.pop(name) for part in columns], ignore_index=True).take(order).reset_index(drop=True)
        for name in list(columns[0])
    }
    return conform(pd.DataFrame(joined, copy=False), table)
