"""The mean number of moves: a naive second computation, invariance, edges and errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajectories.survival import kaplan_meier
from trajectories.survival.states.mean_cumulative import mean_cumulative


def random_rows(seed, persons=20):
    rng, rows = np.random.default_rng(seed), []
    for person in range(persons):
        t = int(rng.integers(0, 6))
        for _ in range(rng.integers(1, 5)):
            stop = t + int(rng.integers(1, 5))
            rows.append((person, person // 3, t, stop, int(rng.integers(0, 2)), "ab"[int(rng.integers(0, 2))]))
            t = stop + int(rng.random() < 0.2)
    d = pd.DataFrame(rows, columns=["person", "house", "start", "stop", "event", "kind"])
    return d.sample(frac=1, random_state=seed, ignore_index=True)


def curve(d, **options):
    return mean_cumulative(d["person"], d["start"], d["stop"], d["event"], **options)


def naive(d, weight, t):
    total = np.zeros(weight.shape[:-1], dtype=weight.dtype)
    for u in np.unique(d.loc[(d["event"] > 0) & (d["stop"] <= t), "stop"]):
        inside = ((d["start"] < u) & (u <= d["stop"])).to_numpy()
        moved = inside & ((d["stop"] == u) & (d["event"] > 0)).to_numpy()
        total = total + weight[..., moved].sum(axis=-1) / weight[..., inside].sum(axis=-1)
    return total


@pytest.mark.thorough
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), clustered=st.booleans())
def test_mean_and_its_derivative_along_case_weights(seed, clustered):
    d = random_rows(seed)
    owner = d["house"] if clustered else d["person"]
    table = curve(d, cluster=owner if clustered else None)
    weight = 1 + 1e-30j * (np.unique(owner)[:, None] == owner.to_numpy()[None, :])
    for row in table.itertuples():
        moved = naive(d, weight, row.time)
        np.testing.assert_allclose(row.mean, moved[0].real, rtol=0, atol=1e-13)
        variance = ((moved.imag / 1e-30) ** 2).sum()
        np.testing.assert_allclose(row.se, np.sqrt(variance), rtol=0, atol=1e-12)
        inside = (d["start"] < row.time) & (row.time <= d["stop"])
        assert row.n_risk == inside.sum()
        assert row.n_event == d.loc[d["stop"] == row.time, "event"].sum()
        assert row.lower <= row.mean <= row.upper


def test_one_row_a_person_is_the_cumulative_hazard():
    rng = np.random.default_rng(1)
    entry = rng.integers(0, 5, 60)
    time, event, house = entry + rng.integers(1, 9, 60), rng.integers(0, 2, 60), rng.integers(0, 20, 60)
    hazard = kaplan_meier(time, event, entry=entry, cluster=house)
    table = mean_cumulative(range(60), entry, time, event, cluster=house)
    for ours, theirs in (("time", "time"), ("mean", "cumulative_hazard"), ("se", "cumulative_hazard_se")):
        np.testing.assert_allclose(table[ours], hazard[theirs], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_stay_cut_in_two_the_order_and_the_unit_of_time(seed):
    d = random_rows(seed)
    long = d["stop"] - d["start"] >= 2
    head, tail = d[long].copy(), d[long].copy()
    head["stop"] = tail["start"] = head["start"] + 1
    head["event"] = 0
    cut = pd.concat([tail, head, d[~long]], ignore_index=True)
    plain = curve(d, group=d["kind"])
    pd.testing.assert_frame_equal(curve(cut, group=cut["kind"]), plain, rtol=0, atol=1e-12)
    scaled = d.assign(start=d["start"] * 0.1, stop=d["stop"] * 0.1)
    other = curve(scaled, group=scaled["kind"]).assign(time=plain["time"])
    pd.testing.assert_frame_equal(other, plain, rtol=0, atol=1e-12)


def test_groups_are_separate_curves():
    d = random_rows(3)
    table = curve(d, group=d["kind"])
    for label in "ab":
        alone = curve(d[d["kind"] == label])
        rows = table[table["group"] == label].drop(columns="group").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone, rtol=0, atol=1e-12)


def test_no_event_one_person_and_an_empty_middle():
    none = mean_cumulative([1, 2], [0, 0], [5, 8], [0, 0])
    assert none[["time", "mean", "se", "lower", "upper"]].to_numpy().tolist() == [[5, 0, 0, 0, 0], [8, 0, 0, 0, 0]]
    one = mean_cumulative([1, 1], [0, 3], [3, 9], [1, 1])
    assert one["mean"].tolist() == [1, 2]
    assert (one["se"] == 0).all() and (one["upper"] == one["mean"]).all()
    middle = mean_cumulative([1, 2, 3], [0, 6, 6], [4, 9, 9], [1, 1, 0])
    assert middle[["time", "n_risk", "n_event", "mean"]].to_numpy().tolist() == [[4, 1, 1, 1], [9, 2, 1, 1.5]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"event": [1, 0, np.nan]}, "event: 1 of 3 values are missing"),
        ({"event": [1, 0, 0.5]}, "event: 1 of 3 values are not whole numbers from 0 up"),
        ({"stop": [4, 4, 6]}, "stop: 1 of 3 values are not after their start"),
        ({"stop": [5, 9, 6]}, "start: 1 of 3 values are before the end of the person's row before"),
        ({"person": [1, 1]}, "person: 2 values given, 3 expected"),
        ({"cluster": [1, 2, 2]}, "cluster: 1 of 3 values differ"),
        ({"group": [1, 2, None]}, "group: 1 of 3 values are missing"),
        ({"conf_level": 2}, "conf_level"),
    ],
)
def test_refused(changed, message):
    options = {"person": [1, 1, 2], "start": [0, 4, 0], "stop": [4, 9, 6], "event": [1, 0, 1]} | changed
    with pytest.raises(ValueError, match=f"^{message}"):
        mean_cumulative(**options)
