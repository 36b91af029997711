"""A partition of whole households at a time gives the tables of everyone at once, whoever works on it."""

import datetime as dt
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pandas as pd
import pytest
from random_rows import random_rows, text_of
from tables_in import records_and_persons

from trajectories.stays import partitions
from trajectories.stays.cohort import build_cohort
from trajectories.stays.spells import build_spells
from trajectories.study import Study

STUDY = Study(cutoff=dt.date(2023, 12, 31))


@pytest.fixture(scope="module")
def everyone():
    """Records of 120 persons, in households of three that the order of persons parts, with births."""
    records, persons = records_and_persons(text_of(random_rows(5, 120)))
    number = persons["person_id"].rank(method="dense").astype(int)
    persons = persons.assign(household_id="h" + (number % 40).astype(str))
    day = pd.Timestamp("1980-03-01") + pd.to_timedelta(number.to_numpy() * 210, unit="D")
    return records.assign(birth_date_earliest=day, birth_date_latest=day), persons


def tables_of(residences, drawn):
    return {
        name: table
        for made in (residences, drawn)
        for name, table in vars(made).items()
        if isinstance(table, pd.DataFrame)
    }


@pytest.mark.parametrize("scope", ["region", "any_region"])
def test_partitions_give_the_tables_of_everyone_at_once(everyone, monkeypatch, scope):
    study = Study(cutoff=STUDY.cutoff, scope=scope)
    residences = build_spells(*everyone, study=study)
    whole = tables_of(residences, build_cohort(residences, *everyone, study=study))
    assert whole["cohort"]["role"].nunique() == 2  # roles rest on the members of the household
    monkeypatch.setattr(partitions, "ROWS", len(everyone[0]) // 4)
    with ThreadPoolExecutor(2) as pool:
        executor = pool if scope == "region" else None
        made = tables_of(*partitions.build_stays(*everyone, study=study, executor=executor))
    assert made.keys() == whole.keys()
    for name, table in made.items():
        pd.testing.assert_frame_equal(table, whole[name], check_exact=True)


@pytest.mark.thorough
def test_the_order_of_the_records_and_records_of_nobody_change_nothing(everyone):
    records, persons = everyone
    whole, _ = partitions.build_stays(records, persons, study=STUDY)
    mixed = records.sample(frac=1, random_state=1).reset_index(drop=True)
    known = persons[persons["person_id"].isin(persons["person_id"].unique()[:60])].reset_index(drop=True)
    some, _ = partitions.build_stays(mixed, known, study=STUDY)
    for mine, theirs in ((some.spells, whole.spells), (some.moves, whole.moves)):
        theirs = theirs[theirs["person_id"].isin(known["person_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


def test_a_partition_holds_whole_households_and_says_nobody_s_name(everyone):
    records, persons = everyone
    records = records.assign(given_name="Zoé", family_name="Roy", file_number="7", postal_code="G5L 1A1")
    each = list(partitions.partitions(records, persons, rows=25))
    assert len(each) > 10 and sum(len(theirs) for _, theirs in each) == len(persons)
    households = [set(theirs["household_id"]) for _, theirs in each]
    assert sum(map(len, households)) == len(set().union(*households)) == 40
    for some, theirs in each:
        assert sorted(some["record_id"]) == sorted(theirs["record_id"])
        assert not {"given_name", "family_name", "file_number", "postal_code"} & set(some)


def test_settings_travel_to_other_processes():
    study = Study(groups=MappingProxyType({"Est": ("01", "11")}), targets=MappingProxyType({("05", "2021-2022"): 12}))
    assert pickle.loads(pickle.dumps(study)) == study
