"""Spells and cohort of everyone, a partition of whole households at a time: here, or wherever an executor works.

A person's stays depend on rows of the own household only (the role of a member follows from the ages of the others). So
all persons are split by the hash of the household (a keyed pseudonym), each partition is reconstructed on its own, and
the tables are joined in order of person: the result is identical whatever the number of partitions. What depends on
all records, the cut-off and when each organisation stopped depositing, is computed before.
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

# Records in a partition, about; memory use is that of one partition plus the resulting tables.
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
    `build_spells` and `build_cohort` for all persons, by partition.

    Parameters
    ----------
    records, persons : DataFrame
        The tables `records` (the columns `cohort.GIVEN`) and `persons` (record_id, person_id, household_id).
    study : Study
    deposits : Series, optional
        When each organisation stopped depositing (`contacts.last_deposits`), where these are not all records.
    executor : Executor, optional
        Runs the partitions; by default this process runs them one after the other.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> _, records, persons = example_tables()
    >>> residences, built = build_stays(records, persons, study=Study())
    >>> residences.spells["person_id"].tolist(), built.cohort["region"].tolist()
    (['a', 'b'], ['05', '05'])
    """
    cutoff = cutoff_of(study, records)
    deposits = last_deposits(records) if deposits is None else deposits
    reconstruct = functools.partial(_stays, study=replace(study, cutoff=cutoff.date()), deposits=deposits)
    apply = map if executor is None else executor.map
    parts = list(apply(reconstruct, partitions(records, persons)))
    residences, cohort_tables = (
        {table.name: _together([part.pop(table.name) for part in parts], table) for table in tables}
        for tables in (_OF_RESIDENCES, _OF_COHORT)
    )
    return Residences(**residences, perimeter=study.perimeter, cutoff=cutoff), Cohort(**cohort_tables)


def partitions(
    records: pd.DataFrame, persons: pd.DataFrame, rows: int | None = None
) -> Iterator[tuple[pd.DataFrame, ...]]:
    """
    The records (the columns of `GIVEN`) and persons of whole households, about `rows` records at a time.

    Examples
    --------
    >>> persons = pd.DataFrame({"record_id": ["1", "2", "3"], "person_id": [*"bab"], "household_id": [*"xyx"]})
    >>> sorted(part["record_id"].tolist() for _, part in partitions(persons[["record_id"]], persons, rows=1))
    [['1', '3'], ['2']]
    """
    records, persons = records[[name for name in GIVEN if name in records]], persons[list(WHOSE)]
    number = max(1, -(-len(records) // (rows or ROWS)))
    if number == 1:
        yield records, persons
        return
    partition = pd.util.hash_array(persons["household_id"].to_numpy(dtype=object)) % np.uint64(number)
    of_record = pd.Series(partition, index=persons["record_id"].to_numpy()).reindex(records["record_id"]).to_numpy()
    positions = records.groupby(of_record).indices
    for name, members in persons.groupby(partition):
        yield records.take(positions.get(name, [])).reset_index(drop=True), members.reset_index(drop=True)


def _stays(partition: tuple[pd.DataFrame, pd.DataFrame], study: Study, deposits: pd.Series) -> dict[str, pd.DataFrame]:
    """The tables of one partition, by name."""
    records, persons = partition
    residences = build_spells(records, persons, study=study)
    cohort = build_cohort(residences, records, persons, study=study, deposits=deposits)
    return {
        table.name: getattr(source, table.name)
        for source, tables in ((residences, _OF_RESIDENCES), (cohort, _OF_COHORT))
        for table in tables
    }


def _together(parts: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    """A table of all partitions in order of person (each is in one partition), joined by column to save memory."""
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
