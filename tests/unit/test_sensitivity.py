"""The sensitivity to the threshold equals the whole line walked again with other persons."""

import sys

import numpy as np
import pandas as pd
import pytest

from trajectories import Study, build_cohort, build_spells
from trajectories.groups import reported_groups
from trajectories.linkage import LOOSE, SAMPLE_KEY, STRICT, drawn_thresholds, link, resolve
from trajectories.retention import estimate
from trajectories.retention.linkage_sensitivity import COLUMNS, linkage_sensitivity
from two_regions import records_and_persons

# The main job of every day makes the same table: a second look.
pytestmark = pytest.mark.thorough

STUDY = Study.from_mapping({"replicates": 0, "support": 5, "horizons": [3, 12]})
NUMBERS = ["estimate", "n_start", "n_at_risk", "n_confirmed", "known"]


@pytest.fixture(scope="module")
def line():
    return records_and_persons()


@pytest.fixture(scope="module")
def alternatives(line):
    """Looser: two persons of two households taken for one. Stricter: a third of the persons part by organisation."""
    records, persons = line
    who = persons[["record_id", "person_id", "household_id"]]
    one, other = who.drop_duplicates("household_id")["person_id"].iloc[[0, 5]]
    loose = who.assign(person_id=who["person_id"].where(who["person_id"].ne(other), one))
    loose["household_id"] = loose.groupby("person_id")["household_id"].transform("first")
    chosen = who["person_id"].isin(sorted(who["person_id"].unique())[::3])
    apart = who["person_id"] + "-" + who["record_id"].map(records.set_index("record_id")["organisation_id"])
    strict = who.assign(person_id=who["person_id"].where(~chosen, apart))
    return pd.concat([loose.assign(threshold=LOOSE), strict.assign(threshold=STRICT)], ignore_index=True)


@pytest.fixture(scope="module")
def found(line, alternatives):
    return linkage_sensitivity(*line, alternatives, study=STUDY)


def walked(records, persons):
    cohort = build_cohort(build_spells(records, persons, study=STUDY), records, persons, study=STUDY)
    rates = estimate(cohort.cohort, cohort.contacts, study=STUDY, companions=False).retention
    return cohort, rates[rates["method"].eq("main")].sort_values(["group", "horizon"], ignore_index=True)


@pytest.fixture(scope="module")
def own(line):
    """Cohort and rates of the study's own persons."""
    return walked(*line)


@pytest.mark.parametrize("setting", ["loose", "study", "strict"])
def test_every_setting_is_what_the_whole_line_gives_with_those_persons(line, own, alternatives, found, setting):
    records = line[0]
    threshold = {"loose": LOOSE, "study": STUDY.match_threshold, "strict": STRICT}[setting]
    others = alternatives[alternatives["threshold"].eq(threshold)].drop(columns="threshold").reset_index(drop=True)
    cohort, rates = own if setting == "study" else walked(records, others)
    rows = found[found["setting"].eq(setting)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[["group", "horizon", *NUMBERS]], rates[["group", "horizon", *NUMBERS]])
    stays = cohort.cohort[cohort.cohort["excluded"].isna()]
    province = rows[rows["group"].eq("province")]
    assert province["persons"].unique() == stays["person_id"].nunique()
    assert province["households"].unique() == stays["household_id"].nunique()


def test_the_table_is_tidy_and_the_settings_differ(found):
    assert tuple(found) == COLUMNS
    assert len(found) == len(reported_groups(study=Study())) * len(STUDY.horizons) * 3
    assert not found.duplicated(["group", "setting", "horizon"]).any()
    province = found[found["group"].eq("province")].groupby("setting")["persons"].first()
    assert province["loose"] < province["study"] < province["strict"]


@pytest.mark.thorough
def test_what_is_at_hand_is_used_and_changes_nothing(line, own, alternatives, found):
    cohort, rates = own
    again = linkage_sensitivity(*line, alternatives, study=STUDY, cohort=cohort, retention=rates)
    pd.testing.assert_frame_equal(again, found)


def test_the_same_persons_give_the_same_rates_without_another_fit(line, own, monkeypatch):
    (records, persons), (cohort, rates) = line, own
    # the name of the room is the function's in the package
    monkeypatch.setattr(sys.modules["trajectories.retention.linkage_sensitivity"], "estimate", None)
    same = persons.assign(threshold=LOOSE)
    found = linkage_sensitivity(records, persons, same, study=STUDY, cohort=cohort, retention=rates)
    loose, study = (found[found["setting"].eq(name)].reset_index(drop=True) for name in ("loose", "study"))
    pd.testing.assert_frame_equal(loose[NUMBERS], study[NUMBERS])


def test_the_records_of_persons_that_change_are_enough_beside_the_cohort(line, own, alternatives, found):
    from dataclasses import replace

    from trajectories.retention.linkage_sensitivity import moved_records
    from trajectories.stays.contacts import last_deposits
    from trajectories.stays.spells import cutoff_of

    records, persons = line
    loose = alternatives[alternatives["threshold"].eq(LOOSE)]
    assert 0 < moved_records(persons, loose).mean() < 0.3
    chosen = moved_records(persons, alternatives)
    assert 0 < chosen.mean() < 1
    few = [frame[frame["record_id"].isin(chosen.index[chosen])] for frame in (records, persons, alternatives)]
    cohort, rates = own
    study = replace(STUDY, cutoff=cutoff_of(STUDY, records).date())
    at_hand = {"cohort": cohort, "retention": rates, "deposits": last_deposits(records)}
    again = linkage_sensitivity(*few, study=study, **at_hand)
    pd.testing.assert_frame_equal(again, found)


def test_draws_of_who_is_who_are_joined_by_rubins_rules(line, alternatives, found):
    records, persons = line
    each = [alternatives[alternatives["threshold"].eq(at)].drop(columns="threshold") for at in (LOOSE, STRICT)]
    who = persons[["record_id", "person_id", "household_id"]]
    drawn = pd.concat([one.assign(draw=k) for k, one in enumerate([*each, who], start=1)], ignore_index=True)
    joined = linkage_sensitivity(records, persons, drawn.assign(threshold=float("nan")), study=STUDY)
    assert set(joined["setting"]) == {"study", "drawn_low", "drawn_high"}
    rates = found.pivot(index=["group", "horizon"], columns="setting", values="estimate")
    low, high = (
        joined[joined["setting"].eq(end)].set_index(["group", "horizon"])["estimate"]
        for end in ("drawn_low", "drawn_high")
    )
    mean, reach = rates.mean(axis=1), 4.302653 * np.sqrt(1 + 1 / 3) * rates.std(axis=1)
    at = ("province", 12)
    assert low[at] == pytest.approx(max(mean[at] - reach[at], 0)) and high[at] == pytest.approx(
        min(mean[at] + reach[at], 1)
    )
    fewest = joined[joined["setting"].eq("drawn_low")].set_index(["group", "horizon"])["persons"]
    assert fewest[at] == found.set_index(["group", "horizon", "setting"])["persons"][(*at, "loose")]


def test_each_pair_is_drawn_as_often_as_it_is_probable(line):
    links = link(line[0])
    drawn = np.array([links.pairs["same"] >= drawn_thresholds(links, seed) for seed in range(400)])
    share, likely = drawn.mean(axis=0), links.pairs["same"].to_numpy() > 0.01
    # four standard errors of a share of 400
    assert (np.abs(share - links.pairs["same"])[likely] < 4 * np.sqrt(0.25 / 400)).all()
    assert not share[~likely].any()
    again = resolve(links, drawn_thresholds(links, 1), SAMPLE_KEY).persons
    pd.testing.assert_frame_equal(again, resolve(links, drawn_thresholds(links, 1), SAMPLE_KEY).persons)
    same = again.merge(line[1], on="record_id")
    assert same["person_id_x"].eq(same["person_id_y"]).mean() > 0.95


def test_where_no_person_is_another_each_threshold_is_told_of_all_the_same(line, own):
    from trajectories.analysis.analyse import _of_records
    from trajectories.retention.linkage_sensitivity import moved_records

    records, persons = line
    same = pd.concat([persons.assign(threshold=LOOSE), persons.assign(threshold=STRICT)], ignore_index=True)
    moved = moved_records(persons, same)
    assert not moved.any()
    cohort, rates = own
    found = linkage_sensitivity(
        *_of_records((records, persons, same), moved), study=STUDY, cohort=cohort, retention=rates
    )
    assert set(found["setting"]) == {"loose", "study", "strict"}
