"""A small example for the documentation of this room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...study import Disclosure, Study
from ...tables import COHORT, RECORDS, conform


def one_household(**settings: Any) -> Study:
    """A study by which one household is enough for a number: in examples only, study.toml may not ask for it."""
    return Study(support=1, disclosure=Disclosure(households=1), **settings)


def example_tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Two households that the metropole prepared and told of: one is met in the region on the 30th day."""
    day = pd.Timestamp("2022-03-01")
    cohort = pd.DataFrame(
        {
            "person_id": ["a", "b"],
            "household_id": ["A", "B"],
            "episode": 1,
            "region": "05",
            "pathway": "secondary",
            "establishment_earliest": day,
            "establishment_latest": day,
            "entry": 0.0,
            "lower": 1.0,
            "upper": np.inf,
            "cutoff": 12.0,
            "heard_until": [12.0, 0.0],
        }
    )
    dates = pd.to_datetime(["2022-02-10", "2022-02-10", "2022-03-31"])
    records = pd.DataFrame(
        {
            "record_id": ["1", "2", "3"],
            "row": [1, 2, 3],
            "organisation_zone": ["metropole", "metropole", "region"],
            "service": ["personal_support", "personal_support", "reception"],
            "service_date_earliest": dates,
            "service_date_latest": dates,
            "establishment_date_earliest": day,
            "establishment_date_latest": day,
            "destination": "Sherbrooke",
            "destination_region": "05",
            "destination_zone": "region",
            "needs": [None, None, "job;housing"],
        }
    )
    persons = pd.DataFrame(
        {"record_id": ["1", "2", "3"], "person_id": ["a", "b", "a"], "household_id": ["A", "B", "A"]}
    )
    return conform(cohort, COHORT), conform(records, RECORDS), persons
