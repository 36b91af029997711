"""Who settled: types of household, classes, groups of countries, and counts that part each group."""

import numpy as np
import pandas as pd
import pytest

import portrait_tables
from trajectories.analysis.portrait import (
    AGE_CLASSES,
    COUNTRY_GROUPS,
    HOUSEHOLD_TYPES,
    WHO,
    age_class,
    country_groups,
    country_of_birth,
    demographics,
    household_type,
)
from trajectories.deposits.values import country_words
from trajectories.study import Study

STUDY = Study(groups={"Grandes villes": ("03", "05", "07")})


@pytest.fixture(scope="module")
def made():
    return portrait_tables.make(300, seed=4)


def household(*people, size=None):
    """Stays of one household from (person, age, establishment)."""
    rows = [(person, age, pd.Timestamp(day)) for person, age, day in people]
    frame = pd.DataFrame(rows, columns=["person_id", "age", "establishment_latest"])
    return frame.assign(household_id="H", household_size=pd.array([size] * len(frame), dtype="Int64"))


DAY = "2022-05-01"


@pytest.mark.parametrize(
    ("people", "size", "expected"),
    [
        ([("a", 30.0, DAY)], 1, "single"),
        ([("a", 30.0, DAY)], None, "single"),
        ([("a", 30.0, DAY)], 3, "unknown"),  # two more are told of: who they are nobody says
        ([("a", 30.0, DAY), ("b", 28.0, DAY)], 2, "adults_without_child"),
        ([("a", 30.0, DAY), ("b", 28.0, DAY)], None, "adults_without_child"),
        ([("a", 30.0, DAY), ("b", 17.9, DAY)], 2, "with_children"),
        ([("a", 30.0, DAY), ("b", 4.0, DAY)], 4, "with_children"),  # one child is enough
        ([("a", 30.0, DAY), ("b", np.nan, DAY)], 2, "unknown"),
        ([("a", 16.0, DAY)], 1, "with_children"),
    ],
)
def test_the_type_of_a_household_follows_from_the_ages_of_those_who_settled(people, size, expected):
    assert household_type(household(*people, size=size)).unique().tolist() == [expected]


def test_ages_are_those_at_each_establishment():
    stays = household(("a", 40.0, "2018-01-01"), ("b", 17.0, "2018-01-01"), ("a", 44.0, "2022-01-01"))
    assert household_type(stays).tolist() == ["with_children", "with_children", "adults_without_child"]


def test_a_child_born_after_the_establishment_does_not_count_for_it():
    stays = household(("a", 30.0, "2019-01-01"), ("a", 33.0, "2022-01-01"), ("b", 1.0, "2022-01-01"))
    assert household_type(stays).tolist() == ["single", "with_children", "with_children"]


def test_the_type_keeps_the_index_and_takes_no_row_and_no_date():
    stays = household(("a", 30.0, DAY), ("b", 5.0, DAY)).set_axis([7, 3])
    assert household_type(stays).index.tolist() == [7, 3]
    assert household_type(stays.iloc[:0]).empty
    undated = stays.assign(establishment_latest=pd.NaT, age=np.nan)
    assert household_type(undated).tolist() == ["unknown", "unknown"]


def test_types_agree_with_a_plain_count_of_members(made):
    stays = made.cohort
    found = household_type(stays)
    for household_id, part in list(stays.groupby("household_id"))[:60]:
        for row in part.itertuples():
            # everybody of the household, aged to this establishment
            ages = {
                other.person_id: other.age + (row.establishment_latest - other.establishment_latest).days / 365.25
                for other in part.itertuples()
            }
            minor = any(0 <= age < 18 for age in ages.values())
            alone = len(ages) == 1 and not row.household_size > 1
            more = row.household_size > len(ages)
            expected = (
                "with_children" if minor else "unknown" if more else "single" if alone else "adults_without_child"
            )
            if all(abs(age % 1 - 0.5) < 0.45 for age in ages.values()):  # not within days of a birthday
                assert found[row.Index] == expected, (household_id, ages)
    print({name: int((found == name).sum()) for name in HOUSEHOLD_TYPES})
    assert {"single", "adults_without_child", "with_children"} <= set(found)


def test_classes_of_age_hold_their_lower_bound():
    ages = pd.Series([0, 14.99, 15, 24.9, 25, 34.9, 35, 44.9, 45, 90, np.nan])
    expected = [name for name in AGE_CLASSES for _ in range(2)]
    assert age_class(ages).tolist() == [*expected, "unknown"]


def test_every_country_that_can_be_read_has_a_group():
    groups = country_groups()
    real = {code for code in set(country_words().values()) if not code.startswith(("Q", "X", "AA", "ZZ"))} | {"XKX"}
    # codes that CLDR keeps for places that are nobody's country of birth
    assert real - set(groups) == {"ASC", "ATA", "CPT", "DGA", "TAA"}
    assert set(groups.values()) == set(COUNTRY_GROUPS)
    assert len(groups) == 249
    said = {"FRA": "western_europe", "ROU": "eastern_europe", "MAR": "northern_africa", "CMR": "sub_saharan_africa",
            "SYR": "western_asia", "IRN": "asia", "CHN": "asia", "HTI": "caribbean", "MEX": "latin_america",
            "COL": "latin_america", "USA": "northern_america", "AUS": "oceania", "XKX": "western_europe"}  # fmt: skip
    assert {code: groups[code] for code in said} == said


def test_the_country_typed_most_often_is_the_one_kept():
    records = pd.DataFrame({"record_id": list("abcdef"), "birth_country": ["FRA", "DZA", "DZA", None, "MAR", "DZA"]})
    persons = pd.DataFrame({"record_id": list("abcdef"), "person_id": ["1", "1", "1", "2", "3", "3"]})
    assert country_of_birth(records, persons).to_dict() == {"1": "DZA", "3": "DZA"}  # of a tie, the first by name


def test_each_person_is_in_one_key_of_each_table(made):
    found = demographics(made.cohort, made.records, made.persons, study=STUDY)
    assert set(found["table"]) == set(WHO)
    persons = made.cohort.groupby("region")["person_id"].nunique()
    for group, expected in [("province", made.cohort["person_id"].nunique()), *persons.items()]:
        summed = found[found["group"].eq(group)].groupby("table")["persons"].sum()
        assert summed.eq(expected).all(), group
    wanted = made.cohort.loc[made.cohort["region"].isin(["03", "05", "07"]), "person_id"].nunique()
    assert found[found["group"].eq("Grandes villes")].groupby("table")["persons"].sum().eq(wanted).all()


def test_a_person_is_what_they_were_at_the_first_stay(made):
    again = made.cohort[made.cohort["episode"].gt(1)]
    person = again["person_id"].iloc[0]
    cohort = made.cohort[made.cohort["person_id"].eq(person)].assign(french=["none", "advanced"][:1] + ["advanced"] * (
        int(made.cohort["person_id"].eq(person).sum()) - 1))  # fmt: skip
    found = demographics(cohort, made.records, made.persons, groups=["province"], study=Study())
    counted = found[found["table"].eq("french") & found["persons"].gt(0)]
    assert counted["key"].tolist() == ["none"]


def test_nothing_known_is_unknown_and_a_pathway_is_selected(made):
    blank = made.cohort.assign(french=None, age=np.nan, years_since_arrival=np.nan)
    found = demographics(blank, made.records, made.persons, groups=["province"], study=Study())
    of = found[found["persons"].gt(0)].groupby("table")["key"].agg(list)
    assert of["french"] == of["age"] == of["delay"] == ["unknown"]
    only = demographics(made.cohort, made.records, made.persons, study=Study(pathway="primary"), groups=["province"])
    primary = made.cohort.loc[made.cohort["pathway"].eq("primary"), "person_id"].nunique()
    assert only[only["table"].eq("age")]["persons"].sum() == primary
