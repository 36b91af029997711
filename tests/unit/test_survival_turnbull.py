"""Turnbull's estimator: the Kuhn–Tucker conditions checked by hand, what must not change it, and its edges."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajectories.survival import interval_incidence, kaplan_meier
from trajectories.survival.intervals import turnbull as fitting
from trajectories.survival.intervals.turnbull import (
    MatrixRuns,
    SplitRuns,
    intervals,
    kuhn_tucker_gap,
    supports,
    turnbull,
    turnbull_log_likelihood,
)

INF = np.inf
SIDES = ["left", "right"]


@st.composite
def observations(draw, weighted=False):
    """Exact, interval-censored and right-censored persons with many ties, and weights from 1e-6 to 1e6."""
    n, top = draw(st.integers(1, 25)), draw(st.integers(0, 12))
    lower = draw(st.lists(st.integers(0, top), min_size=n, max_size=n))
    width = draw(st.lists(st.one_of(st.integers(0, 5), st.just(INF)), min_size=n, max_size=n))
    lower = np.array(lower, dtype=float)
    weights = draw(st.lists(st.floats(-6, 6), min_size=n, max_size=n)) if weighted else np.zeros(n)
    return lower, lower + np.array(width), 10.0 ** np.array(weights)


def by_hand(lower, upper, weights, table):
    """Σ w log P, and D of every point and gap of the line over Σ w, by the definition, cell by cell.

    A cell is a time, or the open stretch up to the next one. A mass on (left, right] may sit in any of its cells.
    """
    ends = np.unique(np.concatenate([lower, upper[np.isfinite(upper)]]))
    starts = np.repeat(ends, 2)
    stops = np.ravel(np.column_stack([ends, np.append(ends[1:], INF)]))
    exact = (lower == upper)[:, None]
    low, high = lower[:, None], upper[:, None]

    def holds(left, right):
        point = left == right
        return np.where(exact, point & (left == low), np.where(point, (low < left), low <= left) & (right <= high))

    holds_mass = holds(table["left"].to_numpy(), table["right"].to_numpy())
    p = holds_mass @ table["mass"].to_numpy()
    assert (p > 0).all()
    # an open stretch (a, b) lies in (l, r] where l ≤ a and b ≤ r
    cells = holds(starts, stops)
    total = weights.sum()
    return weights @ np.log(p), (weights / p) @ cells / total, (weights / p) @ holds_mass / total


@settings(max_examples=300, deadline=None)
@given(observations(weighted=True))
def test_kuhn_tucker(data):
    lower, upper, weights = data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = turnbull(lower, upper, weights=weights)
    assert (table["mass"] > 0).all()
    assert table["mass"].sum() == pytest.approx(1, abs=1e-12)
    value, everywhere, at_mass = by_hand(lower, upper, weights, table)
    assert everywhere.max() <= 1 + 1e-9
    np.testing.assert_allclose(at_mass, 1, atol=1e-9)
    assert turnbull_log_likelihood(lower, upper, table, weights=weights) == pytest.approx(value, rel=1e-12, abs=1e-9)
    assert kuhn_tucker_gap(lower, upper, table, weights=weights) == pytest.approx(everywhere.max() - 1, abs=1e-12)


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(observations(), st.integers(1, 1000))
def test_order_does_not_matter(data, seed):
    lower, upper, _ = data
    order = np.random.default_rng(seed).permutation(len(lower))
    pd.testing.assert_frame_equal(turnbull(lower, upper), turnbull(lower[order], upper[order]))


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(observations(), st.data())
def test_whole_weights_are_repetitions(data, more):
    lower, upper, _ = data
    times = np.array(more.draw(st.lists(st.integers(0, 4), min_size=len(lower), max_size=len(lower))))
    if not times.any():
        times[0] = 1
    repeated = turnbull(np.repeat(lower, times), np.repeat(upper, times))
    weighted = turnbull(lower, upper, weights=times)
    pd.testing.assert_frame_equal(weighted, repeated, rtol=0, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(observations())
def test_exact_and_right_censored_times_give_kaplan_meier(data):
    lower, upper, _ = data
    event = np.isfinite(upper)
    table = turnbull(lower, np.where(event, lower, INF))
    curve = kaplan_meier(lower, event.astype(int)).query("n_event > 0")
    steps = table[np.isfinite(table["right"])]
    np.testing.assert_array_equal(steps["left"], steps["right"])
    np.testing.assert_array_equal(steps["right"], curve["time"])
    np.testing.assert_allclose(steps["survival_after"], curve["survival"], atol=1e-12)


def test_times_that_are_one_time():
    """0.1 + 0.2 and 0.3 are one time, here as in every count of persons at risk."""
    time, event = [0.1 + 0.2, 0.3, 0.7, 0.7], [1, 1, 0, 1]
    table = turnbull(time, np.where(event, time, INF))
    curve = kaplan_meier(time, event)
    np.testing.assert_allclose(table["survival_after"].iloc[:2], curve["survival"], atol=1e-15)
    short = turnbull([0.3, 0.7], [0.1 + 0.2, 0.7])
    assert (short["left"] == short["right"]).all()


@settings(max_examples=40, deadline=None)
@given(observations())
def test_agrees_with_the_estimator_on_the_month_grid(data):
    lower, upper, _ = data
    table = turnbull(lower, upper)
    curve = interval_incidence(lower, upper, np.isfinite(upper).astype(int))
    s = curve.table.query("cause == 0").set_index("month")["incidence"]
    value = turnbull_log_likelihood(lower, upper, table)
    assert value >= curve.log_likelihood - 1e-9
    assert value == pytest.approx(curve.log_likelihood, abs=1e-6)
    # EM crawls where D is just under 1 without mass; elsewhere it comes near the maximum.
    _, everywhere, _ = by_hand(lower, upper, np.ones(len(lower)), table)
    if ((everywhere < 1 - 0.05) | (everywhere > 1 - 1e-9)).all():
        known = table[np.isfinite(table["right"]) & (table["right"] > 0)]
        np.testing.assert_allclose(s.loc[known["right"].astype(int)], known["survival_after"], atol=1e-5)


@pytest.mark.thorough
@settings(max_examples=200, deadline=None)
@given(observations())
def test_masses_are_unique(data):
    """No two sets of masses give the same probabilities to all persons."""
    lower, upper, _ = data
    one = supports(intervals(lower, upper, None, None))[0]
    at = np.arange(len(one.left))
    assert np.linalg.matrix_rank((one.first[:, None] <= at) & (at <= one.last[:, None])) == len(at)


def rows(table):
    return table[[*SIDES, "mass", "survival_after"]].round(12).to_numpy().tolist()


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ([0, 0, 0], [INF] * 3, [[0, INF, 1, 0]]),  # nobody seen after 0
        ([4, 9, 9], [INF] * 3, [[9, INF, 1, 0]]),  # everyone censored
        ([2, 2, 5, 0], [2, 2, 5, 0], [[0, 0, 0.25, 0.75], [2, 2, 0.5, 0.25], [5, 5, 0.25, 0]]),  # all exact
        ([7, 7, 7], [7, 7, 7], [[7, 7, 1, 0]]),  # all ties
        ([3], [8], [[3, 8, 1, 0]]),  # one person
        ([3], [3], [[3, 3, 1, 0]]),
        ([3], [INF], [[3, INF, 1, 0]]),
        ([0, 2, 4], [1, 3, 6], [[0, 1, 1 / 3, 2 / 3], [2, 3, 1 / 3, 1 / 3], [4, 6, 1 / 3, 0]]),  # disjoint
        ([0, 3], [3, 6], [[0, 3, 0.5, 0.5], [3, 6, 0.5, 0]]),  # (0, 3] and (3, 6] share nothing
        ([0, 4], [6, 4], [[4, 4, 1, 0]]),  # an exact time within an interval takes it all
        ([2, 6], [6, 6], [[6, 6, 1, 0]]),  # … at its right end too
        ([2, 2], [6, 2], [[2, 2, 0.5, 0.5], [2, 6, 0.5, 0]]),  # … but not at its left end
        ([0, 0], [0, INF], [[0, 0, 0.5, 0.5], [0, INF, 0.5, 0]]),  # exits come before censorings, at 0 too
    ],
)
def test_edges(lower, upper, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = turnbull(lower, upper)
    assert rows(table) == [[float(x) for x in np.round(row, 12)] for row in expected]


def test_a_candidate_without_mass_is_left_out():
    """(1, 3] lies in (0, 3] and (1, 4], but each has a better place: (0, 1] and (3, 4] serve two persons each too."""
    lower, upper = [0, 3, 0, 1], [1, 6, 3, 4]
    one = supports(intervals(lower, upper, None, None))[0]
    assert (one.left.tolist(), one.right.tolist()) == ([0, 1, 3], [1, 3, 4])
    assert rows(turnbull(lower, upper)) == [[0, 1, 0.5, 0.5], [3, 4, 0.5, 0]]


def test_candidates_without_mass_at_the_start_come_in():
    lower, upper = simulated(300, 8)
    one = supports(intervals(lower, upper, None, None))[0]
    without = fitting.Likelihood(one).start() == 0
    found = fitting.maximise(one).mass > 0
    assert (found & without).any()
    assert (~found & ~without).any()


@pytest.mark.parametrize("ratio", [1e-3, 1e-9, 1e-15])
def test_very_unequal_weights(ratio):
    """A person of nearly no weight who is alone with a candidate has the mass she must have, to every digit."""
    lower, upper = np.array([0, 0, 3, 5, 5]), np.array([3, 2, 6, 8, INF])
    weights = np.array([1.0, 1.0, 1.0, ratio, ratio])
    table = turnbull(lower, upper, weights=weights)
    _, everywhere, at_mass = by_hand(lower, upper, weights, table)
    assert everywhere.max() <= 1 + 1e-9
    np.testing.assert_allclose(at_mass, 1, atol=1e-9)
    exact = turnbull([2, 5, 9], [2, 5, 9], weights=[1, ratio, ratio**2])
    total = 1 + ratio + ratio**2
    np.testing.assert_allclose(exact["mass"], [1 / total, ratio / total, ratio**2 / total], rtol=1e-12)


def test_a_weight_below_every_double_is_still_a_person():
    table = turnbull([2, 5], [2, 5], weights=[1e10, 5e-324])
    assert table["right"].tolist() == [2, 5]


def test_persons_of_weight_0_are_absent():
    lower, upper, weights = [0, 2, 3, 5, 1], [3, 4, 6, INF, 1], [1, 2, 1, 1, 0]
    pd.testing.assert_frame_equal(
        turnbull(lower, upper, weights=weights), turnbull(lower[:4], upper[:4], weights=weights[:4])
    )


@pytest.mark.parametrize(
    ("lower", "upper", "more", "message"),
    [
        ([3, 4], [2, 5], {}, "upper: 1 of 2 values are below lower"),
        ([3, np.nan], [4, 5], {}, "lower: 1 of 2 values are missing"),
        ([3, 4], [4, None], {}, "upper: 1 of 2 values are missing"),
        ([-1, 4], [4, 5], {}, "lower: 1 of 2 values are negative"),
        ([INF, 4], [INF, 5], {}, "lower: 1 of 2 values are infinite"),
        ([3, 4], [4], {}, "upper: 1 values given, 2 expected"),
        ([], [], {}, "lower: 0 values given"),
        ([3, 4], [4, 5], {"weights": [1, INF]}, "weights: 1 of 2 values are infinite"),
        ([3, 4], [4, 5], {"weights": [0, 0]}, "weights: all 2 values are 0"),
        ([3, 4], [4, 5], {"group": ["a", None]}, "group: 1 of 2 values are missing"),
    ],
)
def test_refused(lower, upper, more, message):
    with pytest.raises(ValueError, match=message):
        turnbull(lower, upper, **more)


def simulated(n, seed, whole=True, exact=0.2):
    """Visits about every six months, some exits dated, censored by 60 months."""
    rng = np.random.default_rng(seed)
    time, end = rng.exponential(30, n), rng.uniform(12, 60, n)
    visits = np.minimum(np.cumsum(rng.uniform(1, 11, (n, 60)), axis=1), end[:, None])
    gone = visits >= time[:, None]
    lower = np.where(~gone, visits, 0).max(axis=1)
    upper = np.where(gone, visits, INF).min(axis=1)
    dated = np.isfinite(upper) & (rng.random(n) < exact)
    lower[dated] = upper[dated] = time[dated]
    return (np.ceil(lower), np.ceil(upper)) if whole else (lower, upper)


def test_groups_are_fits_of_their_own_in_sorted_order():
    lower, upper = simulated(300, 1)
    rng = np.random.default_rng(2)
    labels, weights = rng.choice(["c", "a", "b"], 300), rng.integers(0, 3, 300)
    weights[labels == "b"] = 0  # a group without anybody has no rows
    table = turnbull(lower, upper, weights=weights, group=labels)
    assert table["group"].unique().tolist() == ["a", "c"]
    assert list(table.columns) == ["group", *SIDES, "mass", "survival_after"]
    alone = {g: turnbull(*(x[labels == g] for x in (lower, upper)), weights=weights[labels == g]) for g in "ac"}
    for g, part in table.groupby("group"):
        pd.testing.assert_frame_equal(part.drop(columns="group").reset_index(drop=True), alone[g], rtol=0, atol=1e-12)
    value = turnbull_log_likelihood(lower, upper, table, weights=weights, group=labels)
    parts = (
        turnbull_log_likelihood(lower[labels == g], upper[labels == g], t, weights=weights[labels == g])
        for g, t in alone.items()
    )
    assert value == pytest.approx(sum(parts), abs=1e-9)
    assert kuhn_tucker_gap(lower, upper, table, weights=weights, group=labels) <= 1e-13
    ordered = pd.Categorical(labels, categories=["c", "b", "a"], ordered=True)
    assert turnbull(lower, upper, weights=weights, group=ordered)["group"].unique().tolist() == ["c", "a"]


def test_the_two_ways_to_sum_over_runs_agree():
    rng = np.random.default_rng(1)
    for m in (1, 2, 3, 5, 8, 33, 100):
        first = rng.integers(0, m, 200)
        last = np.minimum(first + rng.integers(0, m, 200), m - 1)
        dense, split = MatrixRuns(first, last, m), SplitRuns(first, last, m)
        x, y = 10.0 ** rng.uniform(-20, 0, m), 10.0 ** rng.uniform(-20, 0, 200)
        np.testing.assert_allclose(split.sums(x), dense.sums(x), rtol=1e-13)
        np.testing.assert_allclose(split.spread(y), dense.spread(y), rtol=1e-13)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "route",
    [
        {"MANY": 0},  # EM–ICM first, then Newton
        {"LARGEST_NEWTON": 0},  # EM–ICM alone
        {"LARGEST_NEWTON": 0, "SLOW": 12},  # Newton as the last resort
    ],
)
def test_every_way_to_the_maximum_ends_at_it(monkeypatch, route, whole):
    lower, upper = simulated(300, 3, whole)
    expected = turnbull(lower, upper)
    for name, value in route.items():
        monkeypatch.setattr(fitting, name, value)
    table = turnbull(lower, upper)
    pd.testing.assert_frame_equal(table, expected, rtol=0, atol=1e-9)
    assert kuhn_tucker_gap(lower, upper, table) <= 1e-10


@pytest.mark.thorough
def test_many_distinct_exact_times():
    """More active candidates than Newton is used for."""
    lower, upper = simulated(3000, 4, whole=False, exact=0.6)
    table = turnbull(lower, upper)
    assert len(table) > fitting.LARGEST_NEWTON
    value, everywhere, _ = by_hand(lower, upper, np.ones(len(lower)), table)
    assert everywhere.max() <= 1 + 1e-10
    assert turnbull_log_likelihood(lower, upper, table) == pytest.approx(value, abs=1e-7)


def test_what_cannot_be_reached_is_said(monkeypatch):
    monkeypatch.setattr(fitting, "MOST_STEPS", 0)
    with pytest.raises(ArithmeticError, match="gap is still"):
        turnbull(*simulated(100, 5))


def test_a_table_of_other_data_is_refused():
    lower, upper = simulated(50, 6)
    table = turnbull(lower, upper)
    with pytest.raises(ValueError, match="are no innermost intervals"):
        turnbull_log_likelihood(lower + 1, upper + 1, table)
    with pytest.raises(ValueError, match="group: given for the data or in the table"):
        turnbull_log_likelihood(lower, upper, table, group=np.zeros(50))
    without = table.iloc[1:]
    assert turnbull_log_likelihood(lower, upper, without) == -INF
    assert kuhn_tucker_gap(lower, upper, without) == INF


def test_numpys_random_state_is_not_touched():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    turnbull(*simulated(200, 7))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
