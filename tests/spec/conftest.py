import datetime as dt
from dataclasses import replace

import pytest


def _study(cutoff="2023-12-31", **settings):
    from trajectories import Study

    return replace(Study(cutoff=dt.date.fromisoformat(cutoff)), **settings)


def _residences(records, persons, **settings):
    from trajectories import build_spells

    return build_spells(records, persons, study=_study(**settings))


def _cohort(records, persons, **settings):
    from trajectories import build_cohort

    found = _residences(records, persons, **settings)
    return build_cohort(found, records, persons, study=_study(**settings))


@pytest.fixture(scope="module")
def residences(request):
    """The residences of an ASCII table, up to a cut-off (2023-12-31 unless told)."""
    from tables_together import Together

    return Together(request.module, "residences", _residences)


@pytest.fixture(scope="module")
def cohort(request):
    """The cohort and contacts of an ASCII table, up to a cut-off (2023-12-31 unless told)."""
    from tables_together import Together

    return Together(request.module, "cohort", _cohort)
