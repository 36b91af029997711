"""Retention on cohorts small enough to be worked out by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trajectories import Cohort, Study, exits, retention, tables
from trajectories.retention import estimate
from trajectories.retention.bounds import observed_intervals
from trajectories.retention.model_input import CAUSES
from trajectories.simulate import told_stays

STUDY = Study.from_mapping({"horizons": [6, 12], "support": 1, "replicates": 0})


def cohort(*stays):
    """Stays from short dicts, each in a household of its own in region 05, and their contacts (month, kind)."""
    rows, contacts = [], []
    for number, stay in enumerate(stays):
        person = f"p{number}"
        rows.append({
            "person_id": person, "household_id": person, "episode": 1, "perimeter": "RMR-2021", "scope": "region",
            "region": stay.get("region", "05"), "pathway": "secondary", "entry": stay.get("entry", 0.0),
            "lower": stay.get("lower", 0.0), "upper": stay.get("upper", np.inf), "cutoff": stay.get("cutoff", 60.0),
            "exit": stay.get("exit"), "lost": stay.get("lost"), "excluded": stay.get("excluded"),
            "lost_month": stay.get("lost_month", np.nan),
        })  # fmt: skip
        for month, kind in stay.get("contacts", ()):
            contacts.append({"person_id": person, "episode": 1, "month": month, "kind": kind})
    frame = tables.conform(pd.DataFrame(rows), tables.COHORT)
    return frame, tables.conform(pd.DataFrame(contacts, columns=list(tables.CONTACTS.columns)), tables.CONTACTS)


def gone(by, kind="left", **more):
    return {"lower": 0.0, "upper": float(by), "exit": "metropole", "contacts": [(by, kind)], **more}


def there(at, **more):
    return {"lower": float(at), "contacts": [(at, "present")], **more}


def main(found, horizon, method="main", group="province"):
    rows = found[found["group"].eq(group) & found["horizon"].eq(horizon) & found["method"].eq(method)]
    return rows.iloc[0]


def alone(cohort, contacts, study=STUDY, groups=("province",)):
    """The main estimate alone: of so few the fits beside it take seconds each."""
    return estimate(cohort, contacts, study=study, groups=groups, companions=False)


def test_one_of_four_found_gone_at_a_contact():
    found = alone(*cohort(gone(6), there(6), there(6), there(6))).retention
    assert main(found, 6)["estimate"] == pytest.approx(0.75)
    assert main(found, 6)["n_start"] == 4


def test_contacts_near_the_due_month_are_of_that_month_whatever_their_outcome():
    # « parti » at 5.8 and « présent » at 5.8 and 6.2 are one visit: 1 of 4 has left
    found = alone(*cohort(gone(5.8), there(5.8), there(6.2), there(6.0))).retention
    assert main(found, 6)["estimate"] == pytest.approx(0.75)


@pytest.mark.thorough
def test_late_news_enters_the_main_estimate_and_the_plain_one_and_no_bound():
    late = {"lower": 6.0, "upper": 10.0, "exit": "metropole", "contacts": [(6, "present"), (15, "news")]}
    data = cohort(late, there(12), there(12), there(12))
    found = retention(*data, study=STUDY, groups=["province"])
    # one of four is known to have left, and more may have, of whom nobody has heard
    assert main(found, 12)["estimate"] < 0.8
    # the estimate is the same without what stands beside it, and without replicates nothing has limits
    pd.testing.assert_frame_equal(alone(*data).retention.iloc[:, :8], found[found["method"].eq("main")].iloc[:, :8])
    assert found[["se", "lower", "upper"]].isna().to_numpy().all()
    assert main(found, 12, "plain")["estimate"] == pytest.approx(0.75)
    assert main(found, 12, "all_lost_left")["estimate"] == 1
    known = observed_intervals(*data)
    assert known["late_news"].tolist() == [True, False, False, False]


def test_the_bounds_take_the_lost_to_have_left_or_stayed():
    lost = {"lower": 0.0, "lost": "contact", "lost_month": 6.0, "contacts": [(6, "failed")]}
    found = retention(*cohort(lost, there(12), there(12), there(12)), study=STUDY, groups=["province"])
    assert main(found, 12, "all_lost_left")["estimate"] == pytest.approx(0.75)
    assert main(found, 12, "all_lost_stayed")["estimate"] == 1


def test_delayed_entry_is_not_at_risk_before_it():
    # the late one was never at risk of the exit of month 6: one of two left, not one of three
    found = alone(*cohort(gone(6), there(12), there(12, entry=6.4))).retention
    assert main(found, 6)["estimate"] == pytest.approx(0.5)


def test_a_stay_that_ends_in_its_month_of_entry_is_never_at_risk():
    same = gone(6, entry=5.5, lower=5.6)
    found = alone(*cohort(same, there(12), there(12))).retention
    assert main(found, 12)["estimate"] == 1
    assert main(found, 12)["n_start"] == 3


def test_exits_and_retention_sum_to_one_and_unknown_destinations_are_shared_out():
    other = {**gone(6), "exit": "other_region"}
    unknown = {**gone(12), "lower": 6.0, "exit": "unknown_destination"}
    data = cohort(gone(6), other, unknown, there(12), there(12), there(12))
    left, stayed = exits(*data, study=STUDY, groups=["province"]), alone(*data).retention
    assert set(left["cause"]) == set(CAUSES)
    for horizon in (6, 12):
        total = left.loc[left["horizon"].eq(horizon), "estimate"].sum() + main(stayed, horizon)["estimate"]
        assert total == pytest.approx(1, abs=1e-12)


def test_groups_are_regions_names_and_columns():
    data = cohort(gone(6), there(6), there(6, region="03"))
    study = Study.from_mapping({"horizons": [6], "support": 1, "replicates": 0, "groups": {"Est": ["03", "05"]}})
    found = alone(*data, study, ["03", "Est", "pathway=secondary"]).retention
    assert main(found, 6, group="03")["estimate"] == 1
    assert main(found, 6, group="Est")["estimate"] == pytest.approx(2 / 3, abs=1e-3)
    assert main(found, 6, group="pathway=secondary")["n_start"] == 3
    wrong = {"column=value": ["Nulle part"], "no column 'sexe'": ["sexe=F"], "give a list": "province"}
    for said, asked in wrong.items():
        with pytest.raises(ValueError, match=said):
            retention(*data, study=study, groups=asked)


def test_a_cohort_that_is_no_table_is_told_of_in_a_sentence():
    with pytest.raises(TypeError, match="cohort is a Cohort: give its tables"):
        retention(Cohort(*cohort(there(6))), None, study=STUDY)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"scope": "any_region"}, "made for scope 'region', and the study asks for 'any_region': make it"),
        ({"perimeter": "CMM"}, "made for perimeter 'RMR-2021'"),
    ],
)
def test_a_cohort_is_not_told_as_if_it_were_made_for_what_another_study_asks(other, said):
    with pytest.raises(ValueError, match=said):
        retention(*cohort(there(6)), study=replace(STUDY, **other), groups=["province"])


@pytest.mark.parametrize("twice", ["cohort", "contacts"])
def test_rows_given_twice_are_refused_and_not_counted_twice(twice):
    cohort, contacts = told_stays(50, seed=1).tables()
    cohort = cohort.assign(exit=None, lost=None, lost_month=np.nan, lower=0.0, upper=np.inf)
    tables_of = {"cohort": cohort, "contacts": contacts.assign(record_id=np.arange(len(contacts)).astype(str))}
    tables_of[twice] = pd.concat([tables_of[twice], tables_of[twice].head(3)], ignore_index=True)
    with pytest.raises(ValueError, match=f"{twice}: 3 row"):
        estimate(*tables_of.values(), study=Study(replicates=0), companions=False)


def test_a_region_with_nobody_and_a_cohort_with_nobody_have_their_rows():
    found = retention(*cohort(there(6)), study=STUDY, groups=["11"])
    assert main(found, 6, group="11")[["n_start", "known"]].tolist() == [0, "insufficient"]
    empty = retention(*cohort(), study=STUDY, groups=["province"])
    assert empty["estimate"].isna().all()
    tables.check(empty, tables.RETENTION)


def test_a_horizon_without_support_has_no_estimate():
    study = Study.from_mapping({"horizons": [6, 12], "support": 2, "replicates": 0})
    found = alone(*cohort(there(6), there(6), there(12)), study).retention
    assert main(found, 6)["known"] == "observed"
    row = main(found, 12)
    assert row["known"] == "insufficient"
    assert np.isnan(row["estimate"])


def test_stays_left_out_and_other_pathways_do_not_count():
    data = cohort(gone(6, excluded="start_wider_than_3_months"), there(6), there(6))
    assert main(alone(*data).retention, 6)["n_start"] == 2
    primary = Study.from_mapping({"horizons": [6], "support": 1, "replicates": 0, "pathway": "primary"})
    found = alone(*data, primary).retention
    assert main(found, 6)["n_start"] == 0
    assert set(found["pathway"]) == {"primary"}


def test_limits_hold_the_estimate_and_depend_on_the_seed_only():
    stays = [gone(6) for _ in range(10)] + [there(12) for _ in range(30)]
    study = Study.from_mapping({"horizons": [6, 12], "support": 1, "replicates": 200})
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = alone(*cohort(*stays), study)
    again = alone(*cohort(*stays), study)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    pd.testing.assert_frame_equal(first.retention, again.retention)
    row = main(first.retention, 12)
    assert row["estimate"] == pytest.approx(0.75)
    assert row["lower"] < row["estimate"] < row["upper"]
    # close to the binomial standard error, since each household is one person
    assert row["se"] == pytest.approx(np.sqrt(0.75 * 0.25 / 40), rel=0.2)
