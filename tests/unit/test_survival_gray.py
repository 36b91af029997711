"""Gray's test beyond the golden numbers: loops over the formulas, permutation, the log-rank test, and edges.

R's number for a test is the only reference that exists (tests/golden); so its size is measured here.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajectories.survival import gray, logrank_test
from trajectories.survival.gray import gray_test


def by_loops(time, cause, group, kind, rho=0.0):
    """Score and covariance of one cause in one stratum: Gray's formulas, a time and a group at a time."""
    names = sorted(set(group))
    k = len(names)
    survival, incidence, pooled = dict.fromkeys(names, 1.0), dict.fromkeys(names, 0.0), 0.0
    c = np.zeros((k, k))  # column g: the running vector of group g
    score, parts = np.zeros(k), []  # a part: (vector at t, factor of c(τ), group, variance)
    for t in sorted(set(time[cause > 0])):
        n = {g: int(((group == g) & (time >= t)).sum()) for g in names}
        own = {g: int(((group == g) & (time == t) & (cause == kind)).sum()) for g in names}
        other = {g: int(((group == g) & (time == t) & (cause > 0) & (cause != kind)).sum()) for g in names}
        there = [i for i, g in enumerate(names) if n[g]]
        h = np.array([n[g] / survival[g] if n[g] else 0.0 for g in names])
        d = sum(own.values())
        free = max(1 - pooled, 0.0)
        weight = free**rho if rho else 1.0
        still = np.array([h[i] * (1 - incidence[g]) for i, g in enumerate(names)])
        if d:
            score += weight * (np.array([own[g] for g in names]) - d * still / still.sum())
        before = dict(survival)
        for g in names:
            if n[g]:
                incidence[g] += survival[g] * own[g] / n[g]
                survival[g] *= (n[g] - own[g] - other[g]) / n[g]
        pooled += d / h.sum()
        ahead = max(1 - pooled, 0.0)
        a = weight * (np.diag(h) - np.outer(h, h / h.sum()))
        if d and free > 0:
            c = c + a * d / (h.sum() * free)
        for i in there:
            g = names[i]
            factor = 1 - ahead / survival[g] if survival[g] > 0 else 1.0
            if d:
                ties = 1 - (d - 1) / (h.sum() * before[g] - 1) if d > 1 else 1.0
                spread = max(ties, 0.0) * before[g] * d / (h.sum() * n[g])
                parts.append((a[:, i] - factor * c[:, i], factor, i, spread))
            if other[g] and survival[g] > 0:
                ties = 1 - (other[g] - 1) / (n[g] - 1) if other[g] > 1 else 1.0
                factor = ahead / survival[g]
                parts.append((-factor * c[:, i], factor, i, ties * before[g] ** 2 * other[g] / n[g] ** 2))
    covariance = np.zeros((k, k))
    for vector, factor, i, spread in parts:
        whole = vector + factor * c[:, i]
        covariance += spread * np.outer(whole, whole)
    return score, covariance


def drawn(seed, n, groups, months=True):
    rng = np.random.default_rng(seed)
    time = rng.exponential(10, n) + 0.01
    return (np.ceil(time) if months else time), rng.integers(0, 3, n), rng.integers(0, groups, n)


@pytest.mark.thorough
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    groups=st.integers(1, 5),
    months=st.booleans(),
    rho=st.sampled_from([0.0, 1.0, 0.5]),
    cells=st.sampled_from([1, 60, gray.CELLS]),
)
def test_blocks_of_times_equal_loops(seed, n, groups, months, rho, cells):
    time, cause, group = drawn(seed, n, groups, months)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gray, "CELLS", cells)
        table = gray_test(time, cause, group, rho=rho)
    for row in table.itertuples():
        score, covariance = by_loops(time, cause, group, row.cause, rho)
        statistic, df = gray.quadratic_form(score, covariance)
        assert (row.statistic, row.df) == (pytest.approx(statistic, rel=1e-8, abs=1e-10), df)
        assert 0 <= row.p_value <= 1


def test_strata_add_scores_and_covariances_and_a_group_may_be_absent_from_one():
    time, cause, group = drawn(3, 120, 3)
    strata = np.arange(120) % 2
    keep = ~((strata == 1) & (group == 2))
    time, cause, group, strata = time[keep], cause[keep], group[keep], strata[keep]
    table = gray_test(time, cause, group, strata=np.array(["one", "two"])[strata])
    for row in table.itertuples():
        score, covariance = by_loops(time[strata == 0], cause[strata == 0], group[strata == 0], row.cause)
        s, v = by_loops(time[strata == 1], cause[strata == 1], group[strata == 1], row.cause)
        score[:2] += s
        covariance[:2, :2] += v
        assert row.statistic == pytest.approx(gray.quadratic_form(score, covariance)[0], rel=1e-9)
        assert row.df == 2


@pytest.mark.thorough
def test_permuted_labels_are_rejected_as_often_as_said():
    rng = np.random.default_rng(5)
    n = 240
    time, cause = np.ceil(rng.exponential(12, n)), rng.choice(4, n, p=[0.3, 0.4, 0.2, 0.1])
    group = np.repeat([0, 0, 0, 1, 1, 2], n // 6)
    tables = [gray_test(time, cause, rng.permutation(group)) for _ in range(800)]
    statistic = np.array([t["statistic"] for t in tables])
    p = np.array([t["p_value"] for t in tables])
    error = np.sqrt(0.05 * 0.95 / 800)
    print("mean statistic (2)", statistic.mean(axis=0).round(2), "rejected at 5 %", (p < 0.05).mean(axis=0))
    assert np.abs(statistic.mean(axis=0) - 2).max() < 0.25
    assert np.abs((p < 0.05).mean(axis=0) - 0.05).max() < 3.5 * error


@pytest.mark.thorough
@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_size_where_groups_differ_in_censoring_and_follow_up(rho):
    """The null, one incidence of cause 1: group 2 is followed 8 months only, group 1 leaves early for others."""
    rng = np.random.default_rng(8)
    runs, n, rejected = 600, 300, []
    group = np.arange(n) % 3
    for _ in range(runs):
        ours = rng.random(n) < 0.45
        # The subdistribution of cause 1 is the same; when the others leave is not.
        time = np.where(ours, rng.exponential(8, n), rng.exponential(np.array([12, 3, 12])[group]))
        end = np.where(group == 2, 8.0, rng.uniform(5, 40, n))
        cause = np.where(time <= end, np.where(ours, 1, 2), 0)
        rejected.append(gray_test(np.minimum(time, end), cause, group, rho=rho)["p_value"][0] < 0.05)
    print("rejected at 5 %", np.mean(rejected))
    assert abs(np.mean(rejected) - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / runs)


def test_a_difference_is_found():
    rng = np.random.default_rng(2)
    n = 600
    group = np.arange(n) % 2
    ours = rng.random(n) < np.where(group == 0, 0.35, 0.6)
    time = rng.exponential(10, n)
    table = gray_test(time, np.where(ours, 1, 2), group)
    assert table["p_value"].max() < 1e-4


def test_without_a_competing_cause_it_is_nearly_the_logrank_test():
    rng = np.random.default_rng(4)
    n = 4000
    time, end, group = rng.exponential(10, n), rng.uniform(2, 30, n), rng.integers(0, 3, n)
    cause = (time <= end).astype(int)
    time = np.minimum(time, end)
    result = logrank_test(time, cause, group)
    score, covariance = by_loops(time[:400], cause[:400], group[:400], 1)
    small = logrank_test(time[:400], cause[:400], group[:400])
    np.testing.assert_allclose(score, small.table["observed"] - small.table["expected"], atol=1e-9)
    np.testing.assert_allclose(covariance, small.covariance, rtol=0.05)
    assert gray_test(time, cause, group)["statistic"][0] == pytest.approx(result.statistic, rel=0.02)


def test_labels_order_and_units_do_not_matter():
    time, cause, group = drawn(9, 200, 4, months=False)
    first = gray_test(time, cause, group)
    order = np.random.default_rng(0).permutation(200)
    again = gray_test(time[order] * 30.4375, cause[order], np.array(list("dbca"))[group][order])
    np.testing.assert_allclose(again["statistic"], first["statistic"], rtol=1e-10)


def test_months_and_sorted_times_agree():
    time, cause, group = drawn(11, 500, 3)
    assert gray_test(time, cause, group)["statistic"].to_numpy() == pytest.approx(
        gray_test(time / 7, cause, group)["statistic"].to_numpy(), rel=1e-10
    )


@pytest.mark.parametrize(
    ("time", "cause", "group", "expected"),
    [
        pytest.param([3, 4, 5], [0, 0, 0], [1, 2, 2], [(1, 0.0, 1, 1.0)], id="no event"),
        pytest.param([3, 4, 5], [1, 2, 0], [1, 1, 1], [(1, 0.0, 0, 1.0), (2, 0.0, 0, 1.0)], id="one group"),
        pytest.param([3], [2], ["a"], [(2, 0.0, 0, 1.0)], id="one person"),
        pytest.param([0, 0], [1, 0], ["a", "b"], None, id="time 0"),
        pytest.param([2, 2, 2, 2], [1, 1, 1, 1], list("aabb"), [(1, 0.0, 1, 1.0)], id="all leave at once"),
    ],
)
def test_edges(time, cause, group, expected):
    table = gray_test(time, cause, group)
    assert list(table.columns) == ["cause", "statistic", "df", "p_value"]
    assert np.isfinite(table["statistic"]).all()
    if expected:
        assert [tuple(r) for r in table.itertuples(index=False)] == expected


def test_a_group_that_tells_nothing_costs_a_degree_of_freedom():
    time, cause, group = drawn(1, 80, 2)
    alone = gray_test(time, cause, group)
    with_third = gray_test(np.append(time, 0), np.append(cause, 0), np.append(group, 2))
    np.testing.assert_allclose(with_third["statistic"], alone["statistic"], rtol=1e-9)
    assert with_third["df"].tolist() == alone["df"].tolist() == [1, 1]


def test_a_group_with_one_member_and_a_cause_unseen_in_a_group():
    time, cause, group = drawn(6, 60, 2)
    group[0] = 2
    cause[group == 1] = np.where(cause[group == 1] == 2, 0, cause[group == 1])
    table = gray_test(time, cause, group)
    assert table["df"].tolist() == [2, 2]
    assert (table["p_value"] > 0).all()


def test_early_empty_groups_leave_bounded_numbers():
    """All of `a` leave at 1; with `a` gone, the pooled incidence of cause 1 would pass 1."""
    time = np.concatenate([np.ones(50), np.repeat([2.0, 3.0, 4.0], 4), np.repeat([2.0, 3.0, 5.0], 3)])
    group = np.repeat(["a", "b", "c"], [50, 12, 9])
    for rho in (0.0, 1.0, -0.5):
        table = gray_test(time, np.ones(71), group, rho=rho)
        assert np.isfinite(table["statistic"][0])
        assert table["statistic"][0] >= 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1, np.nan], [1, 0], [1, 2]), "time: 1 of 2 values are missing"),
        (([1, -2], [1, 0], [1, 2]), "time: 1 of 2 values are negative"),
        (([1, 2], [1, 0.5], [1, 2]), "cause: 1 of 2 values are not whole"),
        (([1, 2], [1, 0], [1, None]), "group: 1 of 2 values are missing"),
        (([1, 2], [1, 0], [1]), "group: 1 values given, 2 expected"),
    ],
)
def test_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        gray_test(*arguments)


def test_rho_must_be_a_number():
    with pytest.raises(ValueError, match="rho"):
        gray_test([1, 2], [1, 0], [1, 2], rho=np.inf)
