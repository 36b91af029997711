"""One risk-set definition: at risk at t means entry < t ≤ time, counted in two ways that agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajectories.survival import cumulative_incidence, kaplan_meier, life_table, logrank_test, restricted_mean
from trajectories.survival.checks import sample
from trajectories.survival.risk import TIE, risk_sets

persons = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 12), st.integers(0, 3), st.integers(1, 3), st.sampled_from("abc")),
    min_size=1,
    max_size=40,
)


def arrays(rows):
    entry, stay, cause, weight, group = (np.array(x) for x in zip(*rows, strict=True))
    return {"time": entry + stay, "cause": cause, "entry": entry, "weights": weight, "group": group}


def moved(columns, by):
    """The same persons, everything that much later: a quarter of a month makes whole months any floats."""
    return columns | {"time": columns["time"] + by, "entry": columns["entry"] + by}


@settings(max_examples=60, deadline=None)
@given(persons)
def test_whole_months_and_sorted_times_are_counted_alike(rows):
    a = arrays(rows)
    fractional, alone = a | {"weights": a["weights"] / 7}, {k: v for k, v in a.items() if k != "weights"}
    for columns in (a, fractional, alone):
        whole, sorted_ = (risk_sets(sample(**moved(columns, by))) for by in (0, 0.25))
        np.testing.assert_array_equal(whole.time + 0.25, sorted_.time)
        for name in ("group", "bounds", "causes", "n_risk", "n_event", "n_censor", "enters", "ends"):
            ours, others = getattr(whole, name), getattr(sorted_, name)
            assert ours.dtype == others.dtype, name
            np.testing.assert_allclose(
                ours, others, rtol=0, atol=0 if columns is not fractional else 1e-12, err_msg=name
            )


@settings(max_examples=60, deadline=None)
@given(persons, st.sampled_from([0.0, 1.0]))
def test_tests_on_any_floats_and_on_months_agree(rows, rho):
    a = arrays(rows)
    one, two = (
        logrank_test(b["time"], b["cause"] > 0, b["group"], entry=b["entry"], strata=b["weights"], rho=rho)
        for b in (a, moved(a, 0.25))
    )
    np.testing.assert_allclose(one.covariance, two.covariance, atol=1e-12)
    np.testing.assert_allclose(one.table[["n", "observed", "expected"]], two.table.iloc[:, 1:], atol=1e-12)
    assert one.df == two.df


@settings(max_examples=60, deadline=None)
@given(persons, st.integers(1, 3))
def test_the_tests_numbers_at_risk_follow_the_definition(rows, k):
    """Expected exits of each group: over event times of each stratum, its share of those at risk."""
    a = arrays(rows)
    strata, group = a["weights"] % k, a["group"]
    expected = dict.fromkeys(np.unique(group), 0.0)
    for s in np.unique(strata):
        for t in np.unique(a["time"][(a["cause"] > 0) & (strata == s)]):
            at_risk = (strata == s) & (a["entry"] < t) & (t <= a["time"])
            d = ((strata == s) & (a["time"] == t) & (a["cause"] > 0)).sum()
            for name in expected:
                expected[name] += d * (at_risk & (group == name)).sum() / at_risk.sum()
    table = logrank_test(a["time"], a["cause"] > 0, group, entry=a["entry"], strata=strata).table
    np.testing.assert_allclose(table["expected"], list(expected.values()), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(persons)
def test_counts_follow_the_definition(rows):
    a = arrays(rows)
    for row in life_table(**a).itertuples():
        mine = a["group"] == row.group
        at_risk = mine & (a["entry"] < row.time) & (row.time <= a["time"])
        ends = mine & (a["time"] == row.time)
        assert row.n_risk == a["weights"][at_risk].sum()
        assert row.n_event == a["weights"][ends & (a["cause"] > 0)].sum()
        assert row.n_censor == a["weights"][ends & (a["cause"] == 0)].sum()


@settings(max_examples=30, deadline=None)
@given(persons)
def test_numbers_at_risk_balance(rows):
    for _, t in life_table(**arrays(rows)).groupby("group"):
        after = (t["n_risk"] - t["n_event"] - t["n_censor"]).to_numpy()
        np.testing.assert_array_equal(t["n_risk"].to_numpy()[1:], after[:-1] + t["n_entry"].to_numpy()[1:])
        assert after[-1] == 0


@settings(max_examples=40, deadline=None)
@given(persons, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows, random):
    other = list(rows)
    random.shuffle(other)
    a, b = arrays(rows), arrays(other)
    for estimator, ends in ((kaplan_meier, lambda x: x["cause"] > 0), (cumulative_incidence, lambda x: x["cause"])):
        one, two = (estimator(x["time"], ends(x), entry=x["entry"]) for x in (a, b))
        pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.thorough
@settings(max_examples=40, deadline=None)
@given(persons)
def test_whole_weights_are_repetitions(rows):
    a = arrays(rows)
    b = {k: np.repeat(v, a["weights"]) for k, v in a.items()}
    del b["weights"]
    pd.testing.assert_frame_equal(life_table(**a), life_table(**b))
    pd.testing.assert_frame_equal(cumulative_incidence(**a), cumulative_incidence(**b))
    for x in (a, b):
        x["event"] = x.pop("cause") > 0
    pd.testing.assert_frame_equal(kaplan_meier(**a), kaplan_meier(**b))
    pd.testing.assert_frame_equal(restricted_mean(**a, horizon=9), restricted_mean(**b, horizon=9))
    one, two = logrank_test(**a), logrank_test(**b)
    np.testing.assert_allclose(one.statistic, two.statistic, atol=1e-9)
    assert one.df == two.df
    np.testing.assert_array_equal(one.table["n"], two.table["n"])


@settings(max_examples=40, deadline=None)
@given(persons)
def test_survival_and_incidences_add_up_to_one(rows):
    a = arrays(rows)
    f = cumulative_incidence(**a).groupby(["group", "time"])["incidence"].sum()
    a["event"] = a.pop("cause") > 0
    s = kaplan_meier(**a).set_index(["group", "time"])["survival"]
    np.testing.assert_allclose(s + f.reindex(s.index), 1, atol=1e-12)


def brute_force_influence(curve, weights, step=1e-6):
    """Central differences of a curve in each person's weight."""
    columns = []
    for i in range(len(weights)):
        up, down = weights.copy(), weights.copy()
        up[i], down[i] = up[i] + step, down[i] - step
        columns.append((curve(up) - curve(down)) / (2 * step))
    return np.array(columns)


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_jackknife_is_the_sum_of_squared_derivatives(clustered, whole):
    rng = np.random.default_rng(3)
    n = 30
    entry = rng.integers(0, 5, n)
    time, cause = entry + rng.integers(1, 9, n) + (0 if whole else 0.5), rng.integers(0, 3, n)
    weights, cluster = rng.uniform(0.5, 2, n), rng.integers(0, 12, n) if clustered else np.arange(n)
    more = {"entry": entry, "cluster": cluster if clustered else None}

    def check(se, curve):
        each = brute_force_influence(curve, weights) * weights[:, None]
        summed = np.array([each[cluster == c].sum(axis=0) for c in np.unique(cluster)])
        np.testing.assert_allclose(se, np.sqrt((summed**2).sum(axis=0)), atol=1e-7)

    km = kaplan_meier(time, cause > 0, weights=weights, **more)
    for column, se in (("survival", "se"), ("cumulative_hazard", "cumulative_hazard_se")):
        check(km[se], lambda w, c=column: kaplan_meier(time, cause > 0, weights=w, entry=entry)[c].to_numpy())
    table = cumulative_incidence(time, cause, weights=weights, **more)
    check(table["se"], lambda w: cumulative_incidence(time, cause, weights=w, entry=entry)["incidence"].to_numpy())
    mean = restricted_mean(time, cause > 0, 8.25, weights=weights, **more)
    check(mean["se"], lambda w: restricted_mean(time, cause > 0, 8.25, weights=w, entry=entry)["mean"].to_numpy())


def test_near_times_are_ties_as_in_r():
    table = kaplan_meier([0.1 + 0.2, 0.3, 1.5], [1, 1, 0])
    assert table["n_event"].tolist() == [2, 0]
    with pytest.raises(ValueError, match="time: 1 of 2 values"):
        kaplan_meier([0.1 + 0.2, 2.5], [1, 1], entry=[0.3, 0])


# Units of half the width within which times are one (about 1.5e-8): near ties, and stays almost as short as them.
near = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 9), st.integers(0, 2), st.sampled_from("ab")), min_size=1, max_size=25
)


@settings(max_examples=200, deadline=None)
@given(near)
def test_near_times_of_a_group_are_one_time_and_stays_as_short_are_refused(rows):
    entry, stay, cause, group = (np.array(x) for x in zip(*rows, strict=True))
    unit = 0.75e-8
    entry, time = np.where(entry > 0, 0.5 + entry * unit, 0.0), 0.5 + (entry + stay) * unit
    one, after, heads = np.zeros(len(time)), np.zeros(len(time)), []
    for g in np.unique(group):
        own = group == g
        ordered = np.sort(time[own])
        first = ordered[np.diff(ordered, prepend=-1.0) > TIE]  # a time is one with the time before where it is near it
        one[own] = np.searchsorted(first, time[own], side="right")
        after[own] = np.searchsorted(first, entry[own] + TIE, side="right")
        heads += list(first)
    if (after >= one).any():
        with pytest.raises(ValueError, match=f"time: {(after >= one).sum()} of {len(time)} values are not after"):
            life_table(time, cause, entry=entry, group=group)
        return
    table = life_table(time, cause, entry=entry, group=group)
    ranked = life_table(one, cause, entry=after, group=group)
    np.testing.assert_array_equal(table["time"], heads)
    pd.testing.assert_frame_equal(table.drop(columns="time"), ranked.drop(columns="time"))


BAD = {
    "time: 1 of 2 values are missing": {"time": [1, np.nan], "cause": [0, 1]},
    "time: 2 of 2 values are negative": {"time": [-1, -2], "cause": [0, 1]},
    "time: 1 of 2 values are infinite": {"time": [1, np.inf], "cause": [0, 1]},
    "time: 1 of 2 values are not after their entry": {"time": [1, 2], "cause": [0, 1], "entry": [1, 1]},
    "entry: 1 of 2 values are negative": {"time": [1, 2], "cause": [0, 1], "entry": [-1, 1]},
    "cause: 1 of 2 values are missing": {"time": [1, 2], "cause": [None, 1]},
    "cause: 1 of 2 values are not whole": {"time": [1, 2], "cause": [0.5, 1]},
    "cause: 3 values given, 2 expected": {"time": [1, 2], "cause": [0, 1, 1]},
    "group: 1 of 2 values are missing": {"time": [1, 2], "cause": [0, 1], "group": ["a", None]},
    "weights: 1 of 2 values are negative": {"time": [1, 2], "cause": [0, 1], "weights": [1, -1]},
    "weights: all 2 values are 0": {"time": [1, 2], "cause": [0, 1], "weights": [0, 0]},
    "time: 0 values given": {"time": [], "cause": []},
    "time: some of the 2 values are not numbers": {"time": ["a", 2], "cause": [0, 1]},
}


@pytest.mark.parametrize("message", BAD)
@pytest.mark.parametrize("estimator", [life_table, cumulative_incidence])
def test_errors_name_the_argument_and_the_count(message, estimator):
    with pytest.raises(ValueError, match=message):
        estimator(**BAD[message])


def test_unknown_labels():
    with pytest.raises(ValueError, match="conf_type: 1 unknown label, 'loglog'"):
        kaplan_meier([1], [1], conf_type="loglog")
    with pytest.raises(ValueError, match="variance: 1 unknown label"):
        cumulative_incidence([1], [1], variance="etm")
    with pytest.raises(ValueError, match="cluster: 1 of 2 values are missing"):
        kaplan_meier([1, 2], [1, 1], cluster=[None, 1])
    with pytest.raises(ValueError, match="event: 1 of 2"):
        kaplan_meier([1, 2], [np.nan, 1])
