"""Deposits of few households who settled in two regions only: the whole line, with three groups to estimate, not 17."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from made_once import made_once
from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits, simulate
from trajectories.linkage import SAMPLE_KEY

HOUSEHOLDS = 100


def records_and_persons() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulated, read and linked, once for all processes; households that settled elsewhere are left out of both."""
    return made_once("households of two regions", _made)


def _made() -> tuple[pd.DataFrame, pd.DataFrame]:
    with tempfile.TemporaryDirectory() as folder:
        simulate.simulate(folder, simulate.Settings(households=HOUSEHOLDS, organisations=8))
        records = read_deposits(Path(folder) / "raw", study=Study()).records
    persons = link_persons(records, key=SAMPLE_KEY)
    cohort = build_cohort(build_spells(records, persons), records, persons).cohort
    few = cohort["region"].value_counts().index[:2]
    here = cohort.loc[cohort["region"].isin(few), "household_id"]
    elsewhere = cohort.loc[~cohort["region"].isin(few), "household_id"]
    persons = persons[persons["household_id"].isin(here) & ~persons["household_id"].isin(elsewhere)]
    records = records[records["record_id"].isin(persons["record_id"])]
    return records.reset_index(drop=True), persons.reset_index(drop=True)
