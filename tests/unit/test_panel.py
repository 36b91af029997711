"""The sensitivity panel moves one setting at a time, and each row is what the whole line gives with it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trajectories import Study, build_cohort, build_spells
from trajectories.linkage import LOOSE
from trajectories.retention import estimate
from trajectories.retention.linkage_sensitivity import linkage_sensitivity
from trajectories.retention.sensitivity_settings import AS_ASKED, COLUMNS, _other_links, drawn_starts, panel, range_of
from trajectories.study import PERIMETERS
from two_regions import records_and_persons

# The main job of every day makes the same table: a second look.
pytestmark = pytest.mark.thorough

STUDY = Study.from_mapping({"replicates": 0, "support": 5, "horizons": [12, 24]})
NUMBERS = ["horizon", "estimate", "n_start", "n_at_risk", "n_confirmed", "known"]


@pytest.fixture(scope="module")
def line():
    records, persons = records_and_persons()
    others = persons[["record_id", "person_id", "household_id"]]
    # a looser linkage takes two persons of two households for one
    one, other = others.drop_duplicates("household_id")["person_id"].iloc[[0, 5]]
    looser = others.assign(person_id=others["person_id"].where(others["person_id"].ne(other), one), threshold=LOOSE)
    looser["household_id"] = looser.groupby("person_id")["household_id"].transform("first")
    return records, persons, looser


@pytest.fixture(scope="module")
def found(line):
    return panel(*line, study=STUDY, draws=2)


def rates(records, persons, study, companions=False):
    drawn = build_cohort(build_spells(records, persons, study=study), records, persons, study=study)
    asked = {"study": study, "groups": ["province"], "companions": companions}
    return estimate(drawn.cohort, drawn.contacts, **asked).retention.set_index("method")


def row(found, setting, value):
    rows = found[found["setting"].eq(setting) & found["value"].eq(value)]
    assert len(rows) == 2, (setting, value)
    return rows


def same(rows, expected):
    pd.testing.assert_frame_equal(
        rows[NUMBERS].reset_index(drop=True), expected[NUMBERS].reset_index(drop=True), check_dtype=False
    )


def test_the_table_is_tidy(found):
    print(found.drop(columns=["measure", "note"]).round(4).to_string())
    assert tuple(found) == COLUMNS
    assert not found.duplicated(["setting", "value", "group", "horizon"]).any()
    assert found["setting"].iloc[0] == AS_ASKED
    settings = [AS_ASKED, "perimeter", "scope", "grace_days", "match_threshold", "lost", "follow_up", "origin",
                "wide_starts"]  # fmt: skip
    assert found["setting"].unique().tolist() == settings
    assert found.loc[found["setting"].eq(AS_ASKED), "difference"].eq(0).all()
    assert found["note"].notna().all()


def test_each_setting_is_what_the_whole_line_gives_with_it(line, found):
    records, persons, looser = line
    asked = replace(STUDY, cutoff=build_spells(records, persons, study=STUDY).cutoff.date())
    own = rates(records, persons, asked, companions=True)
    same(row(found, AS_ASKED, "as asked"), own.loc[["main"]])
    for bound in ("all_lost_left", "all_lost_stayed"):
        same(row(found, "lost", bound), own.loc[[bound]])
    for perimeter in PERIMETERS[1:]:
        same(
            row(found, "perimeter", perimeter),
            rates(records, persons, replace(asked, perimeter=perimeter)).loc[["main"]],
        )
    same(row(found, "scope", "any_region"), rates(records, persons, replace(asked, scope="any_region")).loc[["main"]])
    same(row(found, "grace_days", "91"), rates(records, persons, replace(asked, grace_days=91)).loc[["main"]])
    linked = looser.drop(columns="threshold")
    same(row(found, "match_threshold", f"{LOOSE:g}"), rates(records, linked, asked).loc[["main"]])


@pytest.mark.thorough
def test_the_linkage_is_that_of_the_sensitivity_to_it(line, found):
    records, persons, looser = line
    linkage = linkage_sensitivity(records, persons, looser, study=STUDY)
    loose = linkage[linkage["setting"].eq("loose") & linkage["group"].eq("province")]
    same(row(found, "match_threshold", f"{LOOSE:g}"), loose)
    # at hand, it is read
    ((setting, value, rates),) = _other_links(records, looser, STUDY, ("province",), linkage)
    assert (setting, value) == ("match_threshold", f"{LOOSE:g}")
    same(rates, loose)


def test_a_shorter_follow_up_says_nothing_beyond_it(found):
    rows = row(found, "follow_up", "3, 6, 12").set_index("horizon")
    assert rows.loc[24, "known"] == "insufficient" and np.isnan(rows.loc[24, "estimate"])
    assert rows.loc[12, "estimate"] == pytest.approx(row(found, AS_ASKED, "as asked")["estimate"].iloc[0], abs=0.1)


def test_drawn_origins_keep_the_stays_and_wide_starts_add_some(found):
    n = found[found["setting"].eq(AS_ASKED)]["n_start"].iloc[0]
    assert found[found["setting"].eq("origin")]["n_start"].eq(n).all()
    assert (found[found["setting"].eq("wide_starts")]["n_start"] >= n).all()
    estimates = found[found["setting"].eq("origin")].groupby("horizon")["estimate"]
    assert (estimates.max() - estimates.min()).max() < 0.02


def test_draws_lie_inside_and_households_settle_together():
    days = pd.to_datetime(["2021-01-01", "2021-01-01", "2021-03-01", "2021-03-01", None])
    spells = pd.DataFrame({
        "household_id": ["a", "a", "b", "b", "b"], "zone": ["region", "region", "region", "metropole", "region"],
        "start_earliest": days, "start_latest": days + pd.Timedelta(days=30),
    })  # fmt: skip
    seen = set()
    for seed in range(250):
        drawn = drawn_starts(spells, np.random.default_rng(seed))
        start = drawn["start_earliest"]
        assert (start[:3] == drawn["start_latest"][:3]).all() and start[0] == start[1]
        assert start[3] == days[3] and drawn["start_latest"][3] == days[3] + pd.Timedelta(days=30)
        assert pd.isna(start[4])
        seen.add((start[0] - days[0]).days)
    # each of the 31 days
    assert seen == set(range(31))


def test_the_range_names_its_ends(found):
    rows = range_of(found).set_index("horizon")
    print(rows.to_string())
    counted = found[~found["setting"].eq("lost")]
    for horizon, each in counted.groupby("horizon"):
        assert rows.loc[horizon, "lowest"] == each["estimate"].min()
        assert rows.loc[horizon, "highest"] == each["estimate"].max()
        assert rows.loc[horizon, "n_settings"] == each["estimate"].notna().sum()
    whole = range_of(found, without=()).set_index("horizon")
    lost = found[found["setting"].eq("lost")].groupby("horizon")["estimate"].min()
    assert whole["lowest"].eq(np.minimum(rows["lowest"], lost)).all()


def test_no_range_without_an_estimate_of_the_studys_own(found):
    gone = found.assign(estimate=found["estimate"].where(~found["setting"].eq(AS_ASKED)))
    assert range_of(gone).empty and "lowest" in range_of(gone)
