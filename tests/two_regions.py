"""Deposits of few households who settled in two regions only: the whole line, with three groups to estimate, not 17."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits, simulate
from trajectories.linkage import SAMPLE_KEY


def records_and_persons(folder: Path, study: Study, households: int = 100) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulated into the folder, read and linked; households that settled elsewhere are left out of both tables."""
    simulate.simulate(folder, simulate.Settings(households=households, organisations=8))
    records = read_deposits(folder / "raw", study=study).records
    persons = link_persons(records, key=SAMPLE_KEY)
    cohort = build_cohort(build_spells(records, persons, study=study), records, persons, study=study).cohort
    few = cohort["region"].value_counts().index[:2]
    here = cohort.loc[cohort["region"].isin(few), "household_id"]
    elsewhere = cohort.loc[~cohort["region"].isin(few), "household_id"]
    persons = persons[persons["household_id"].isin(here) & ~persons["household_id"].isin(elsewhere)]
    records = records[records["record_id"].isin(persons["record_id"])]
    return records.reset_index(drop=True), persons.reset_index(drop=True)
