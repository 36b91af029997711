"""What is reported is reported as the settings say: failures likelier for leavers, news late by destination."""

import numpy as np
import pandas as pd
import pytest

from trajectories.simulate import Settings, simulate


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("reporting"), Settings(defects="none", seed=21, households=900))


def with_stay(truth, kind):
    """Rows of a kind beside the stay they are about: the latest that had begun in the organisation's region."""
    rows = truth.rows[truth.rows["kind"] == kind].dropna(subset=["true_person"]).sort_values("event_date")
    regions = truth.organisations.set_index("organisation_id")["region"]
    rows = rows.astype({"true_person": "int64"}).assign(region=rows["organisation_id"].map(regions))
    columns = ["true_person", "region", "establishment", "exit", "exit_cause"]
    stays = truth.stays[truth.stays["exit_cause"] != "death"][columns].sort_values("establishment")
    beside = pd.merge_asof(rows, stays, by=["true_person", "region"], left_on="event_date", right_on="establishment")
    return beside.dropna(subset=["establishment"])


def test_contacts_fail_more_often_for_leavers(truth):
    contacts = with_stay(truth, "follow_up")
    gone = contacts["exit"] <= contacts["event_date"]
    failed = contacts["status"] == "not_reached"
    assert failed[~gone].mean() == pytest.approx(0.12, abs=0.03)
    assert failed[gone].mean() == pytest.approx(0.55, abs=0.08)
    assert (contacts.loc[gone & ~failed, "status"] == "left").mean() > 0.99
    assert (contacts.loc[~gone & ~failed, "status"] == "present").mean() > 0.99


def test_contacts_follow_the_schedule(truth):
    contacts = with_stay(truth, "follow_up")
    days = (contacts["event_date"] - contacts["establishment"]).dt.days
    near = np.abs(days.to_numpy()[:, None] - np.array([3, 6, 12, 24]) * 30.4375).min(axis=1)
    assert (near <= 11).mean() > 0.98


def test_some_departures_are_heard_of_some_never(truth):
    gone = truth.stays[truth.stays["exit"] < "2024-12-31"]
    heard = truth.rows[truth.rows["kind"] == "departure"]
    share = gone["true_person"].isin(heard["true_person"].dropna().astype(int)).groupby(gone["exit_cause"]).mean()
    assert 0.3 < share["metropole"] < 0.85
    assert share["outside_quebec"] < share["metropole"]


def test_almost_every_establishment_in_the_period_is_reported(truth):
    stays = truth.stays[(truth.stays["establishment"] > "2018-04-01") & (truth.stays["establishment"] < "2025-12-01")]
    stays = stays[(stays["episode"] == 1)]
    rows = truth.rows[truth.rows["kind"] == "establishment"].dropna(subset=["true_person"])
    known = set(zip(rows["true_person"].astype(int), rows["event_date"], rows["destination_code"], strict=True))
    keys = zip(stays["true_person"], stays["establishment"], stays["municipality"], strict=True)
    found = [key in known for key in keys]
    assert np.mean(found) > 0.96


def test_most_are_seen_by_two_organisations(truth):
    settled = truth.stays.loc[truth.stays["pathway"] == "secondary", "true_household"].unique()
    seen = truth.identities[truth.identities["true_household"].isin(settled)]
    assert (seen.groupby("true_household")["organisation_id"].nunique() >= 2).mean() > 0.85


def test_contacts_that_all_succeed_tell_the_true_state(tmp_path):
    made = simulate(tmp_path, Settings(defects="none", seed=4, households=400, contacts_succeed=True))
    contacts = with_stay(made, "follow_up")
    gone = contacts["exit"] <= contacts["event_date"]
    assert ((contacts["status"] == "left") == gone).all()
    # Made on the very anniversary: the establishment's day of the month, or the last of a shorter one.
    days = contacts["event_date"].dt.day - contacts["establishment"].dt.day
    assert ((days == 0) | (contacts["event_date"].dt.is_month_end & (days < 0))).all()
