"""All tables that describe services, in one call: which there are, of whom, the same as one by one."""

import pandas as pd
import pytest

import portrait_tables
from trajectories.analysis import analyse as analysis
from trajectories.analysis.results import describe
from trajectories.analysis.services import describing_tables, needs_without_service, process_funnel, reach
from trajectories.analysis.services.tables import EXPECTED
from trajectories.study import Study

STUDY = Study(groups={"Est": ("01", "02", "05")})
NAMES = ["reach", "delay", "number", "transfer", "funnel", "needs", "reasons", "follow_up", "expected"]


@pytest.fixture(scope="module")
def built():
    made = portrait_tables.make(200, seed=4)
    return made.cohort, made.contacts, made.records, made.persons


@pytest.fixture(scope="module")
def tables(built):
    return describing_tables(*built, study=STUDY)


def test_every_table_is_there_and_every_column_has_a_meaning(tables):
    assert list(tables) == [f"service_{name}" for name in NAMES]
    assert all(len(table) for table in tables.values())
    assert describe(tables)["meaning"].notna().all()


def test_the_province_the_regions_and_the_groups_of_the_study_are_in_every_table(tables):
    expected = tables["service_expected"]
    for name, table in tables.items():
        if name != "service_expected":
            assert {"province", "05", "17", "Est"} <= set(table["group"]), name
    assert set(expected["group"].str.contains("=")) == {False, True}
    asked = expected[["service", "horizon"]].drop_duplicates().itertuples(index=False)
    assert sorted(tuple(row) for row in asked) == sorted(EXPECTED)
    of_categories = [name for name, table in tables.items() if table["group"].str.startswith("immigration_cat").any()]
    assert of_categories == [f"service_{name}" for name in ("reach", "number", "needs", "reasons", "expected")]


@pytest.mark.thorough
def test_the_analysis_makes_them_with_the_volets_that_were_not_understood(tables):
    made = portrait_tables.make(30, seed=4)
    cohort, contacts, records, persons = made.cohort, made.contacts, made.records, made.persons
    given = records[records["service"].notna() & records["service_date_latest"].notna()]
    issues = given[["file", "sheet", "row"]].assign(reason="unknown_stream", column="stream", value="9")
    build = {"cohort": cohort, "contacts": contacts, "records": records, "persons": persons, "issues": issues}

    class Build(dict):
        def of(self, *names, read):
            return [self[name][list(read.get(name, self[name]))] for name in names]

    found = analysis._services(Build(build), STUDY)["service_reach"]
    assert "unknown_stream" not in set(tables["service_reach"]["stream"])
    assert set(found["stream"]) == {"all", "unknown_stream"}


@pytest.mark.thorough
def test_work_that_is_shared_changes_no_number(built, tables):
    cohort, _, records, persons = built
    for name, function in (("reach", reach), ("funnel", process_funnel), ("needs", needs_without_service)):
        alone = function(cohort, records, persons, study=STUDY)
        together = tables[f"service_{name}"]
        together = together[~together["group"].str.contains("=")].reset_index(drop=True)
        # a stream is a row where some group has it
        keys = ["group", *[key for key in ("service", "stream", "when", "step", "need") if key in alone]]
        both = [table.sort_values(keys, ignore_index=True) for table in (alone, together)]
        pd.testing.assert_frame_equal(*both, check_dtype=False)


@pytest.mark.thorough
def test_some_groups_may_be_asked_for(built):
    found = describing_tables(*built, study=STUDY, groups=["province", "Est"])
    assert {name: set(table["group"]) for name, table in found.items() if name != "service_expected"} == {
        f"service_{name}": {"province", "Est"} for name in NAMES[:-1]
    }


def test_what_stands_behind_a_number_that_is_not_given_is_kept_for_protection(built, tables):
    reached = tables["service_reach"]
    silent = reached[reached["note"].eq("too_few_households") & reached["stream"].eq("all")]
    assert silent["n_start"].isna().all() and silent["n_whole"].gt(0).any()
    assert (reached["n_whole"] == reached["n_start"])[reached["n_start"].notna()].all()


@pytest.mark.thorough
@pytest.mark.parametrize("groups", [("province", "Est"), pytest.param(None, marks=pytest.mark.thorough)])
def test_nobody_settled_gives_every_table_without_numbers(built, groups):
    cohort, contacts, records, persons = built
    nobody = (cohort.iloc[:0], contacts.iloc[:0], records.iloc[:0], persons.iloc[:0])
    found = describing_tables(*nobody, study=STUDY, groups=groups)
    assert list(found) == [f"service_{name}" for name in NAMES]
    assert all(table["estimate"].isna().all() for table in found.values())
