"""Everyone in parts of whole persons gives the tables of everyone at once."""

import datetime as dt
from itertools import pairwise

import pandas as pd
import pytest
from random_rows import random_rows, text_of
from tables_in import records_and_persons

from trajectories import parts
from trajectories.cohort import build_cohort
from trajectories.spells import build_spells
from trajectories.study import Study

STUDY = Study(cutoff=dt.date(2023, 12, 31))


@pytest.fixture(scope="module")
def everyone():
    """Records of 60 persons, in households of three that the order of persons parts, with births."""
    records, persons = records_and_persons(text_of(random_rows(5, 60)))
    number = persons["person_id"].rank(method="dense").astype(int)
    persons = persons.assign(household_id="h" + (number % 20).astype(str))
    day = pd.Timestamp("1980-03-01") + pd.to_timedelta(number.to_numpy() * 210, unit="D")
    records = records.assign(birth_date_earliest=day, birth_date_latest=day)
    return records, persons


def tables_of(records, persons, scope="region"):
    study = Study(cutoff=STUDY.cutoff, scope=scope)
    residences = build_spells(records, persons, study=study)
    drawn = build_cohort(residences, records, persons, study=study)
    of_residences = ("observations", "spells", "moves", "conflicts")
    return {name: getattr(residences, name) for name in of_residences} | vars(drawn)


@pytest.mark.parametrize("scope", ["region", "any_region"])
def test_parts_give_the_tables_of_everyone_at_once(everyone, monkeypatch, scope):
    whole = tables_of(*everyone, scope)
    assert whole["cohort"]["role"].nunique() == 2  # roles rest on the members of the household
    monkeypatch.setattr(parts, "PART", 80)
    assert parts.Parts(everyone[1]).number > 2
    for name, table in tables_of(*everyone, scope).items():
        pd.testing.assert_frame_equal(table, whole[name], check_exact=True)


def test_the_order_of_the_records_and_records_of_nobody_change_nothing(everyone, monkeypatch):
    records, persons = everyone
    monkeypatch.setattr(parts, "PART", 80)
    whole = tables_of(records, persons)
    mixed = records.sample(frac=1, random_state=1).reset_index(drop=True)
    known = persons[persons["person_id"].isin(persons["person_id"].unique()[:30])].reset_index(drop=True)
    some = tables_of(mixed, known)
    for name in ("spells", "moves"):
        mine = whole[name][whole[name]["person_id"].isin(known["person_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(some[name], mine, check_exact=True)


def test_a_part_holds_whole_persons_in_order(everyone):
    persons = everyone[1]
    each = list(parts.Parts(persons, 25).of(persons))
    assert sum(map(len, each)) == len(persons)
    ends = [(part["person_id"].min(), part["person_id"].max()) for part in each]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))
    # a person of 8 rows may go beyond
    assert max(map(len, each)) <= 25 + 8
