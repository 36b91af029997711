"""Services and staying: E-values, families of tests, minimum numbers, exposure, landmarks, controls and weights."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from trajectories.analysis.models import Rows, benjamini_hochberg, scored
from trajectories.analysis.services.association import (
    MOST,
    associations,
    control_services,
    e_value,
    e_values_of_hazards,
    in_agreement,
    landmark,
    permuted,
    received_before,
    risk_ratio,
    weighted_rows,
    weights_of,
)
from trajectories.simulate.served_stays import served_stays, told_of
from trajectories.study import Study

ASKING = ("visit_weighted", "before_departure")
NUMBERS = ["estimate", "se", "hazard_ratio", "lower", "upper", "p_value", "adjusted_p", "e_value", "e_value_limit"]


@pytest.fixture(scope="module")
def stays():
    return served_stays(1500, seed=1, ratio=0.5, rate=0.05)


@pytest.fixture(scope="module")
def table(stays):
    return associations(stays.completed, stays.services, contacts=stays.contacts, before=stays.before, study=Study())


def cohort(n, *, exits, served, month=5.0):
    """Households of one: `exits` of them, evenly spread, leave in month 20, the others stay; the first are served."""
    frame = pd.DataFrame({
        "person_id": [f"p{k}" for k in range(n)], "episode": 1, "household_id": [f"h{k}" for k in range(n)],
        "region": "05", "organisation_id": "A", "city_size": np.where(np.arange(n) % 2, "100k_plus", "10k_50k"),
        "start": 0, "time": 40, "cause": 0, "at_risk": True, "complete": True,
    })  # fmt: skip
    gone = np.diff(np.arange(n + 1) * exits // n) > 0
    frame.loc[gone, ["time", "cause"]] = [20, 1]
    services = frame.loc[: served - 1, ["person_id", "episode"]].assign(month=month, service="pairing")
    return [frame, frame], services


# ── E-values and families ────────────────────────────────────────────────────────────────────────────────
def test_e_values_are_those_published():
    # VanderWeele & Ding (2017): breast-feeding and respiratory death, 3.9 (1.8 to 8.7)
    assert e_value([3.9, 1.8]).round(2).tolist() == [7.26, 3.0]
    point, limit = e_values_of_hazards([3.9], [1.8], [8.7], [0.05])
    assert [point.round(2)[0], limit.round(2)[0]] == [7.26, 3.0]


def test_e_values_below_one_are_turned_over_and_common_ends_are_brought_nearer():
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert risk_ratio(0.5) == pytest.approx(1 / risk_ratio(2.0))
    point, limit = e_values_of_hazards([0.5, 0.5], [0.3, 0.3], [0.8, 1.1], [0.14, 0.15])
    assert point.round(2).tolist() == [3.41, round(float(e_value(0.62)), 2)]
    assert limit[0] == pytest.approx(e_value(0.8)) and limit[1] == 1
    assert np.isnan(e_values_of_hazards([0.5], [np.nan], [np.nan], [0.1])[1][0])


def test_benjamini_and_hochbergs_own_example():
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590]
    adjusted = benjamini_hochberg(np.array([*p, 1.0])[::-1])[::-1]
    assert (adjusted <= 0.05).sum() == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    assert (np.diff(adjusted) >= 0).all() and adjusted[-1] == 1.0
    assert np.isnan(benjamini_hochberg(np.array([0.04, np.nan]))).tolist() == [False, True]


def test_a_family_is_the_services_of_one_method(table):
    for _, family in table.groupby(["method", table["control"].fillna("")]):
        p = family["p_value"].to_numpy(dtype=float)
        np.testing.assert_allclose(family["adjusted_p"].to_numpy(dtype=float), benjamini_hochberg(p))


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────
def test_methods_and_controls_are_all_there_and_the_adjusted_set_is_said(table):
    found = set(zip(table["method"], table["control"].fillna(""), table["service"], strict=True))
    both = ("pairing", "reception")
    methods = ("discrete", "cox", "with_services", "visit_weighted", "landmark_3", "landmark_6")
    assert found == {
        *((m, "", s) for m in methods for s in both), *(("discrete", "permuted", s) for s in both),
        ("discrete", "before_departure", "information"),
    }  # fmt: skip
    said = (
        table[table["control"].ne("permuted")]
        .dropna(subset="estimate")
        .set_index(["method", "service"])["adjusted_for"]
    )
    assert said["cox", "pairing"] == "city_size, region, other_services"
    assert said["discrete", "information"] == "city_size, region"


def test_without_contacts_or_services_before_their_rows_are_absent(stays):
    table = associations(stays.completed, stays.services, only=[*ASKING, "landmark_3"], study=Study())
    assert table["method"].unique().tolist() == ["landmark_3"]


def test_a_known_effect_is_found_by_each_method(table):
    rows = table[table["service"].eq("pairing") & table["control"].isna()].set_index("method")
    assert (rows.loc[["discrete", "cox", "visit_weighted"], "upper"] < 1).all()
    assert abs(rows.loc["discrete", "estimate"] - rows.loc["cox", "estimate"]) < 0.05
    assert (rows["e_value_limit"].dropna() <= rows["e_value"].dropna()).all()


def test_what_cannot_be_answered_is_refused(stays):
    with pytest.raises(ValueError, match="no draw"):
        associations([], stays.services, study=Study())
    with pytest.raises(ValueError, match="landmark_9"):
        associations(stays.completed, stays.services, only=["landmark_9"], study=Study())
    with pytest.raises(ValueError, match="whole month"):
        landmark(stays.completed, stays.services, month=0)


def test_no_service_and_nobody_at_risk(stays):
    none = associations(stays.completed, stays.services[:0], contacts=stays.contacts, study=Study())
    assert not len(none) and "hazard_ratio" in none
    nobody = [frame.assign(at_risk=False) for frame in stays.completed]
    table = associations(nobody, stays.services, study=Study())
    assert table["note"].eq("nobody_at_risk").all() and table[NUMBERS].isna().all(axis=None)


# ── simulated stays as they are told of ──────────────────────────────────────────────────────────────────
def test_what_is_told_of_a_stay_is_true_and_does_not_give_its_end_away(stays):
    cohort, contacts = told_of(stays, 3)
    frame = stays.completed[0]
    assert cohort["person_id"].tolist() == frame["person_id"].tolist() and "time" not in cohort
    left = frame["cause"] > 0
    assert (cohort["cutoff"][~left] == frame["time"][~left]).all()
    assert (cohort["cutoff"][left] >= frame["time"][left]).all() and (cohort["cutoff"] > frame["time"]).mean() > 0.25
    told = contacts.merge(frame[["person_id", "time", "cause", "cutoff"]], on="person_id", suffixes=("_told", ""))
    assert (told["month"] <= told["cutoff"]).all()
    there, gone = told["kind"].isin(["present", "service"]), told["kind"].isin(["left", "news"])
    # somebody who leaves in a month is gone at its end, but may have been served in it
    assert (told["month"][there] <= told["time"][there]).all()
    assert (told["month"][gone] >= told["time"][gone]).all() and (told["cause"][gone] > 0).all()
    assert told["cause_told"].notna().equals(gone) and (told["kind"] == "service").sum() == len(stays.services)
    tried = told[told["kind"].isin(["present", "left", "failed"])]
    first = tried[tried["month"].eq(3)]
    failed = first["kind"].eq("failed").groupby((first["time"] <= 3) & (first["cause"] > 0)).mean()
    assert failed[False] == pytest.approx(0.12, abs=0.03) and failed[True] == pytest.approx(0.5, abs=0.15)
    heard = told[told["kind"].eq("news")]["person_id"].nunique() / left.sum()
    assert 0.3 < heard < 0.9
    silent = told_of(stays, 3, hearing=None, failure_gone=1.0)[1]
    assert set(silent["kind"]) == {"present", "failed", "service"}
    pd.testing.assert_frame_equal(contacts, told_of(stays, 3)[1])


# ── minimum numbers ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("n", "exits", "served", "note"),
    [
        (200, 80, 29, "too_few_households_received"), (200, 80, 30, None), (200, 80, 170, None),
        (200, 20, 60, "too_few_exits_received"), (200, 20, 140, "too_few_exits_did_not_receive"),
        (200, 9, 100, "too_few_exits_received"),
    ],
)  # fmt: skip
def test_nothing_is_said_under_the_minimum_numbers(n, exits, served, note):
    completed, services = cohort(n, exits=exits, served=served)
    row = associations(completed, services, only=["discrete"], study=Study()).iloc[0]
    assert row["note"] == note
    assert row[NUMBERS].isna().all() == (note is not None)
    assert row["n_households"] == served and row["n_model_stays"] == n


def test_as_many_households_must_not_have_received_it():
    completed, services = cohort(200, exits=80, served=171)
    assert landmark(completed, services, month=6)["note"][0] == "too_few_households_did_not_receive"
    assert landmark(completed, services[:-1], month=6)["note"][0] is None


def test_members_of_a_household_are_one():
    completed, services = cohort(200, exits=80, served=50)
    pairs = [frame.assign(household_id=[f"h{k // 2}" for k in range(200)]) for frame in completed]
    assert associations(pairs, services, only=["cox"], study=Study())["note"][0] == "too_few_households_received"


# ── exposure ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_service_counts_from_the_month_after():
    completed, services = cohort(200, exits=80, served=60)
    received = associations(completed, services, only=["discrete"], study=Study()).iloc[0]
    late = associations(completed, services.assign(month=20.0), only=["discrete"], study=Study()).iloc[0]
    assert received["n_events"] == 24
    # those who left in month 20 were served in it
    assert late["n_events"] == 0 and late["n_stays"] == 36


def test_services_always_given_together_are_each_alone():
    completed, services = cohort(300, exits=120, served=120)
    both = pd.concat([services, services.assign(service="reception")])
    table = associations(completed, both, only=["cox"], study=Study())
    assert table["hazard_ratio"].notna().all() and table["hazard_ratio"].nunique() == 1
    assert not table["adjusted_for"].str.contains("other_services").any()


def test_a_landmark_asks_who_was_served_by_then_among_those_there():
    completed, services = cohort(200, exits=80, served=100, month=5.0)
    assert landmark(completed, services, month=3)["note"][0] == "too_few_households_received"
    at_six = landmark(completed, services, month=6)
    assert at_six.loc[0, ["n_stays", "n_model_stays"]].tolist() == [100, 200]
    entered_late = [frame.assign(start=np.where(np.arange(200) < 20, 8, 0)) for frame in completed]
    assert landmark(entered_late, services, month=6).loc[0, "n_model_stays"] == 180
    # who leaves in month 20 is not there after it
    assert landmark(completed, services, month=20).loc[0, "n_model_stays"] == 120
    assert landmark(completed, services, month=40)["note"].tolist() == ["nobody_at_landmark"]


# ── controls ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_permutation_changes_nothing_but_who_within_the_organisation(stays):
    frame = stays.completed[0].assign(start=np.arange(1500) % 3)
    first = pd.DataFrame({"pairing": np.nan}, index=np.arange(1500))
    given = stays.services[stays.services["service"].eq("pairing")]
    place = frame.index[frame["person_id"].isin(given["person_id"])]
    first.loc[place, "pairing"] = given.set_index("person_id").loc[frame["person_id"][place], "month"].to_numpy()
    before, old = frame.copy(), first.copy()
    dealt = permuted(first, frame, 1)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(first, old)
    counts = np.maximum(first["pairing"], frame["start"])
    counts = counts[counts < frame["time"]]

    def months(values):
        return Counter(zip(frame["organisation_id"][values.index], values, strict=True))

    new = dealt["pairing"].dropna()
    assert not months(new) - months(counts)
    # late, when hardly anybody is left, all may have had it
    assert len(new) >= 0.98 * len(counts)
    there = frame.loc[new.index]
    assert ((there["start"] <= new) & (new < there["time"])).all()
    assert set(new.index) != set(counts.index)
    pd.testing.assert_frame_equal(dealt, permuted(first, frame, 1))
    assert not dealt.equals(permuted(first, frame, 2))


def test_control_services_are_of_the_metropole_and_surely_before():
    day = pd.to_datetime
    stays = pd.DataFrame({
        "person_id": ["p"], "episode": [1], "establishment_earliest": day(["2022-03-01"]),
        "establishment_latest": day(["2022-03-31"]),
    })  # fmt: skip
    records = pd.DataFrame({
        "record_id": list("abcde"), "service": ["information"] * 4 + ["exploratory_visit"],
        "organisation_zone": ["metropole", "region", "metropole", "metropole", "metropole"],
        "service_date_latest": day(["2022-01-31", "2022-01-31", "2022-03-15", None, "2022-01-31"]),
    })  # fmt: skip
    persons = pd.DataFrame({"record_id": list("abcde"), "person_id": "p"})
    found = control_services(stays, records, persons)
    assert found.to_dict("list") == {"person_id": ["p"], "episode": [1], "month": [-2.0], "service": ["information"]}


# ── draws in agreement with a service ────────────────────────────────────────────────────────────────────
def test_a_stay_that_was_served_does_not_end_before():
    time = np.array([[4.0, 8, 12, 20]] * 3)
    first = np.array([10.0, np.nan, 25.0])
    weight = weights_of(np.zeros(3), time, first)
    np.testing.assert_allclose(weight.sum(axis=1), 1)
    np.testing.assert_allclose(weight[0], [0, 0, 0.5, 0.5])
    # never served: the longer it lasts the likelier it would have been, but nobody is served after month 12
    assert weight[1, 0] > weight[1, 1] > weight[1, 2] == weight[1, 3]
    # impossible in every draw: as they are
    np.testing.assert_allclose(weight[2], 0.25)
    # received before the stay was under observation: nothing to learn
    np.testing.assert_allclose(weights_of(np.full(1, 11.0), time[:1] + 11, first[:1])[0], 0.25)


def test_the_rate_of_a_service_is_that_of_those_still_there():
    # all ends known: the weight of e^{-rate × months} is that of the occurrence–exposure rate
    time = np.array([[1.0, 3.0], *[[3.0, 3.0]] * 9])
    first = np.array([np.nan, *[2.0] * 3, *[np.nan] * 6])
    share = weights_of(np.zeros(10), time, first)[0]
    rate = 3 / (3 * 2 + 6 * 3 + share @ [1, 3])
    assert share[1] / share[0] == pytest.approx(np.exp(-2 * rate), abs=1e-4)


def test_draws_are_taken_as_often_as_they_are_likely():
    frames = [pd.DataFrame({"start": 0, "time": [t] * 500, "cause": k}) for k, t in enumerate((4, 8, 12, 20))]
    chosen = in_agreement(frames, np.where(np.arange(500) < 250, 10.0, np.nan), 1)
    new = [received_before(frames, which) for which in chosen]
    assert (np.array([frame["time"][:250] for frame in new]) >= 12).all()
    assert [int((frame["time"][:250] == 12).sum()) for frame in new] == pytest.approx([125] * 4, abs=30)
    assert all((frame["time"] == np.array([4, 8, 12, 20])[frame["cause"]]).all() for frame in new)


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_weight_is_so_many_rows():
    rng = np.random.default_rng(3)
    n = 400
    data = pd.DataFrame({
        "start": 0.0, "time": rng.integers(1, 40, n).astype(float), "event": rng.random(n) < 0.5,
        "household_id": np.arange(n).astype(str), "weight": rng.integers(1, 4, n).astype(float),
    })  # fmt: skip
    x = rng.normal(size=(n, 2))
    again = np.repeat(np.arange(n), data["weight"].astype(int))
    expected = scored(data.iloc[again].drop(columns="weight").reset_index(drop=True), x[again]).table
    np.testing.assert_allclose(scored(data, x).table, expected, atol=1e-9)


def weighted(seen_by_served):
    """Four hundred stays of 30 months, half served at month 10 and then seen with that chance a month, else .2."""
    rng = np.random.default_rng(4)
    n = 400
    data = pd.DataFrame({"start": 0.0, "time": 30.0, "event": np.arange(n) % 2, "household_id": np.arange(n)})
    first = np.where(np.arange(n) < n // 2, 10.0, np.nan)[:, None]
    chance = np.where((first < np.arange(1, 31)), seen_by_served, 0.2)
    stay, month = np.nonzero(rng.random((n, 30)) < chance)
    contacts = np.column_stack([stay, month + 1])
    services = np.column_stack([np.arange(n // 2), np.full(n // 2, 10)])
    return weighted_rows(Rows(data, np.zeros((n, 0)), np.arange(n)), first, services, contacts)


def test_weighted_rows_hold_each_month_and_exit_once_and_tell_the_service_from_the_month_after():
    rows = weighted(0.2)
    length = (rows.data["time"] - rows.data["start"]).to_numpy()
    assert (np.bincount(rows.stay, length) == 30).all()
    assert (np.bincount(rows.stay, rows.data["event"]) == np.arange(400) % 2).all()
    exposed = np.bincount(rows.stay, length * rows.x[:, 0])
    assert (exposed[:200] == 20).all() and (exposed[200:] == 0).all()


def test_who_is_seen_more_counts_less():
    def mean_weights(rows):
        length = (rows.data["time"] - rows.data["start"]).to_numpy()
        weight = rows.data["weight"].to_numpy()
        assert weight.min() >= 1 / MOST and weight.max() <= MOST
        return [np.average(weight[side], weights=length[side]) for side in (rows.x[:, 0] > 0, rows.x[:, 0] == 0)]

    served, others = mean_weights(weighted(0.2))
    assert served == pytest.approx(1, abs=0.1) and others == pytest.approx(1, abs=0.1)
    served, others = mean_weights(weighted(0.8))
    assert served < 0.8 < 1.1 < others
