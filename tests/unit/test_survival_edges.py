"""No event, one person, ties, time 0: curves and tests answer, and nothing warns."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from trajectories.survival import (
    cumulative_incidence,
    interval_incidence,
    kaplan_meier,
    logrank_test,
    quantiles,
    restricted_mean,
    restricted_mean_difference,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("conf_type", ["log-log", "log", "plain", "logit"])
@pytest.mark.parametrize("cluster", [None, [1, 1, 2]])
def test_no_event(conf_type, cluster):
    curve = kaplan_meier([3, 5, 5], [0, 0, 0], conf_type=conf_type, cluster=cluster)
    assert curve["time"].tolist() == [3, 5]
    assert curve[["survival", "lower", "upper"]].eq(1).all(axis=None)
    assert curve[["se", "cumulative_hazard", "cumulative_hazard_se"]].eq(0).all(axis=None)
    assert quantiles(curve)["quantile"].isna().all()
    table = cumulative_incidence([3, 5, 5], [0, 0, 0], cluster=cluster)
    assert table["cause"].tolist() == [1, 1]
    assert table[["incidence", "se", "lower", "upper"]].eq(0).all(axis=None)
    test = logrank_test([3, 5, 5], [0, 0, 0], ["a", "b", "b"], cluster=cluster)
    assert (test.statistic, test.p_value, test.df) == (0, 1, 1)
    assert restricted_mean([3, 5, 5], [0, 0, 0], 4)[["mean", "se"]].to_numpy().tolist() == [[4.0, 0.0]]


def test_one_person():
    curve = kaplan_meier([4], [1])
    assert curve["survival"].tolist() == [0.0]
    assert curve[["se", "lower", "upper"]].isna().all(axis=None)  # 0·∞, as R says
    assert kaplan_meier([4], [1], cluster=["x"])["se"].tolist() == [0.0]
    assert quantiles(curve)["quantile"].tolist() == [4, 4, 4]
    assert cumulative_incidence([4], [2], entry=[1])["incidence"].tolist() == [1.0]
    for variance in ("greenwood", "aalen", "jackknife"):
        assert cumulative_incidence([4], [2], variance=variance)["se"].notna().all()
    assert logrank_test([4], [1], ["a"]).p_value == 1
    assert interval_incidence([2], [np.inf], [0]).table["incidence"].eq([1, 1, 0, 0]).all()


def test_everybody_leaves_then_others_enter():
    time, event, entry = [2, 9, 9, 9], [1, 1, 0, 0], [0, 3, 3, 3]
    for cluster in (None, [1, 2, 3, 3]):
        curve = kaplan_meier(time, event, entry=entry, cluster=cluster)
        assert curve["survival"].eq(0).all()
        table = cumulative_incidence(time, event, entry=entry, cluster=cluster)
        assert table["incidence"].eq(1).all()
    assert (
        interval_incidence(time, [2, 9, np.inf, np.inf], event, entry=entry)
        .table.query("cause == 0")["incidence"]
        .tolist()
        == [1.0] + [0.0] * 8
    )


def test_time_zero_without_entry():
    assert kaplan_meier([0, 2], [1, 0])["survival"].tolist() == [0.5, 0.5]
    table = interval_incidence([0, 2], [0, np.inf], [1, 0]).table
    assert table.query("cause == 0")["incidence"].tolist() == [0.5, 0.5, 0.5]
    assert table["month"].min() == 0


def test_groups_that_never_meet():
    test = logrank_test([2, 9], [1, 1], ["a", "b"], entry=[0, 5])
    assert (test.statistic, test.p_value) == (0, 1)


def test_robust_logrank_is_near_the_model_without_clusters():
    rng = np.random.default_rng(1)
    n = 4000
    time, event, group = rng.integers(1, 40, n), rng.integers(0, 2, n), rng.integers(0, 3, n)
    model = logrank_test(time, event, group)
    robust = logrank_test(time, event, group, cluster=np.arange(n))
    np.testing.assert_allclose(robust.table["expected"], model.table["expected"])
    np.testing.assert_allclose(np.diag(robust.covariance), np.diag(model.covariance), rtol=0.06)
    assert robust.df == 2
    twice = logrank_test(np.tile(time, 2), np.tile(event, 2), np.tile(group, 2), cluster=np.tile(np.arange(n), 2))
    np.testing.assert_allclose(twice.statistic, robust.statistic, rtol=1e-9)  # a copy of the data is no more data


def test_weights_of_zero_are_absent_persons():
    a = kaplan_meier([3, 5, 7], [1, 1, 0], weights=[1, 0, 1])
    pd.testing.assert_frame_equal(a, kaplan_meier([3, 7], [1, 0]))
    test = logrank_test([3, 5, 7], [1, 1, 0], ["a", "a", "b"], weights=[1, 0, 1])
    assert test.table["n"].tolist() == [1, 1]


def test_group_column_comes_first_and_categories_keep_their_order():
    size = pd.Categorical(["small", "large", "large"], categories=["small", "large"], ordered=True)
    curve = kaplan_meier([3, 5, 7], [1, 1, 0], group=size)
    assert curve.columns[0] == "group"
    assert curve["group"].tolist() == ["small", "large", "large"]
    table = cumulative_incidence([3, 5, 7], [1, 2, 0], group=size)
    assert table["group"].tolist() == ["small"] * 2 + ["large"] * 4
    assert quantiles(curve, [0.5]).columns.tolist() == ["group", "p", "quantile", "lower", "upper"]


def test_plain_arguments_of_any_kind():
    frame = pd.DataFrame({"t": pd.array([3, 5, 7], dtype="Int64"), "e": [True, True, False]}, index=[9, 4, 2])
    pd.testing.assert_frame_equal(kaplan_meier(frame["t"], frame["e"]), kaplan_meier([3, 5, 7], [1, 1, 0]))


def test_restricted_mean_difference_counts_households_across_groups():
    time, event, arm = np.array([2, 5, 8, 2, 5, 8]), np.array([1, 1, 0] * 2), np.repeat(["a", "b"], 3)
    alone = restricted_mean_difference(time, event, arm, 8, cluster=np.arange(6))
    paired = restricted_mean_difference(time, event, arm, 8, cluster=np.tile(np.arange(3), 2))
    assert alone["se"].gt(0).all()
    np.testing.assert_allclose(paired["se"], 0, atol=1e-12)  # pairs who do the same differ by nothing, for certain
    with pytest.raises(ValueError, match="group: 1 labels, 2 expected"):
        restricted_mean_difference(time, event, np.repeat("a", 6), 8)
    with pytest.raises(ValueError, match="horizon: 1 value, 0"):
        restricted_mean(time, event, 0)


def test_importing_costs_numpy_and_pandas_only():
    code = "import sys, trajectories.survival; print(*{'scipy', 'matplotlib', 'lifelines'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == []


def test_the_global_random_state_is_not_touched():
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    interval_incidence([0, 3, 6], [3, 6, np.inf], [1, 2, 0], replicates=20).draw(2)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_one_tie_of_everybody():
    """All leave, or are censored, at one time."""
    for time in ([5, 5, 5, 5], [5.5] * 4):
        curve = kaplan_meier(time, [1, 1, 0, 0])
        assert curve[["n_risk", "n_event", "n_censor", "survival"]].to_numpy().tolist() == [[4, 2, 2, 0.5]]
        table = cumulative_incidence(time, [1, 2, 0, 0])
        assert table["incidence"].tolist() == [0.25, 0.25]
        test = logrank_test(time, [1, 1, 0, 0], ["a", "a", "b", "b"])
        # hypergeometric: 2 of 4 leave, 2 are of group a
        assert test.table["expected"].tolist() == [1, 1]
        np.testing.assert_allclose(test.covariance[0, 0], 2 * 2 / 3 * 0.25)
        assert restricted_mean(time, [1, 1, 0, 0], 9)["mean"].tolist() == [time[0] + 0.5 * (9 - time[0])]


def test_a_group_with_one_member():
    time, event, group = [3.5, 5, 7, 2], [1, 1, 0, 1], ["a", "a", "a", "b"]
    curve = kaplan_meier(time, event, group=group).groupby("group")["survival"].last()
    assert curve.tolist() == [pytest.approx(1 / 3), 0.0]
    assert cumulative_incidence(time, event, group=group).query("group == 'b'")["incidence"].tolist() == [1.0]
    assert logrank_test(time, event, group).df == 1
    means = restricted_mean(time, event, 6, group=group)
    assert means["mean"].tolist() == [pytest.approx(3.5 + 1.5 * 2 / 3 + 1 / 3), 2.0]
    assert means["se"].tolist()[1] == 0


@pytest.mark.parametrize("move", [0, 0.5])
def test_an_empty_risk_set_in_the_middle(move):
    """Two are followed to 4, one of whom leaves; the others enter at 6: the curve stays level in between."""
    time, event, entry = (
        np.array([3, 4, 9, 12]) + move,
        [1, 0, 1, 0],
        np.array([0, 0, 6, 6]) + move * np.array([0, 0, 1, 1]),
    )
    curve = kaplan_meier(time, event, entry=entry)
    assert curve["n_risk"].tolist() == [2, 1, 2, 1]
    assert curve["survival"].tolist() == [0.5, 0.5, 0.25, 0.25]
    assert cumulative_incidence(time, event, entry=entry)["incidence"].tolist() == [0.5, 0.5, 0.75, 0.75]
    # the censored one of the first two would make the curve 0 otherwise: with nobody left it is level, not 0
    alone = kaplan_meier(time[2:], event[2:], entry=entry[2:])
    assert alone["survival"].tolist() == [0.5, 0.5]


def test_infinite_weights_are_refused():
    for estimator in (kaplan_meier, cumulative_incidence):
        with pytest.raises(ValueError, match="weights: 1 of 2 values are infinite"):
            estimator([1, 2], [1, 0], weights=[1, np.inf])
    with pytest.raises(ValueError, match="weights: 1 of 2 values are infinite"):
        logrank_test([1, 2], [1, 0], ["a", "b"], weights=[1, np.inf])
