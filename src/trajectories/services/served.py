"""Stays of households and the services given to them: what the tables of this room start from, made once for all."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..study import Study
from .given import services_given
from .household_stays import HouseholdStays, household_stays


@dataclass(frozen=True)
class Served:
    """`found`: what `household_stays` returned; `given`: what `services_given` returned, of the same tables."""

    found: HouseholdStays
    given: pd.DataFrame


def served(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    study: Study | None = None,
    issues: pd.DataFrame | None = None,
) -> Served:
    """Both, from the tables of those names; `issues` as in `services_given`."""
    return Served(household_stays(cohort, records, persons, study), services_given(records, persons, issues))
