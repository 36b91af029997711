import datetime as dt
from dataclasses import replace

import pytest


@pytest.fixture
def residences():
    """Builds the residences of an ASCII table, up to a cut-off (2023-12-31 unless told)."""
    from tables_in import records_and_persons

    from trajectories import Study, build_spells

    def build(text, cutoff="2023-12-31", **settings):
        study = replace(Study(cutoff=dt.date.fromisoformat(cutoff)), **settings)
        records, persons = records_and_persons(text, study.perimeter)
        return build_spells(records, persons, study=study)

    return build


@pytest.fixture
def cohort():
    """Builds the cohort and contacts of an ASCII table, up to a cut-off (2023-12-31 unless told)."""
    from tables_in import records_and_persons

    from trajectories import Study, build_cohort, build_spells

    def build(text, cutoff="2023-12-31", **settings):
        study = replace(Study(cutoff=dt.date.fromisoformat(cutoff)), **settings)
        records, persons = records_and_persons(text, study.perimeter)
        found = build_spells(records, persons, study=study)
        return build_cohort(found, records, persons, study=study)

    return build
