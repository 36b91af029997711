"""The interval-censored estimator: the grid's conventions, and what must hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from trajectories.survival import interval_incidence, kaplan_meier

stays = st.lists(
    st.tuples(
        st.floats(0, 8, width=32),  # entry
        st.floats(0, 8, width=32),  # last confirmed after entry
        st.one_of(st.just(np.inf), st.floats(0, 8, width=32)),  # width of the interval
        st.integers(0, 3),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=25,
)


def arrays(rows):
    entry, more, width, cause, weight = (np.array(x, dtype=float) for x in zip(*rows, strict=True))
    lower = entry + more
    upper = lower + width
    return lower, upper, np.where(np.isinf(upper), 0, cause), {"entry": entry, "weights": weight}


@settings(max_examples=150, deadline=None)
@given(stays)
def test_likelihood_never_falls_and_curves_are_curves(rows):
    lower, upper, cause, more = arrays(rows)
    curve = interval_incidence(lower, upper, cause, **more)
    (one,) = curve.fits
    assert np.all(np.diff(one.path) >= -1e-9 * max(1.0, abs(one.path[-1])))
    if not len(curve.table):
        return
    wide = curve.table.pivot(index="month", columns="cause", values="incidence")
    np.testing.assert_allclose(wide.sum(axis=1), 1, atol=1e-9)
    assert (wide.drop(columns=0).diff().fillna(0) >= -1e-12).all(axis=None)
    assert (curve.table["n_risk"] >= 0).all()


@pytest.mark.thorough
@settings(max_examples=25, deadline=None)
@given(stays, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_weights_are_repetitions(rows, random):
    lower, upper, cause, more = arrays(rows)
    one = interval_incidence(lower, upper, cause, **more)
    again = [r for r in rows for _ in range(r[4])]
    random.shuffle(again)
    lower, upper, cause, more = arrays(again)
    two = interval_incidence(lower, upper, cause, entry=more["entry"])
    np.testing.assert_allclose(one.log_likelihood, two.log_likelihood, atol=1e-6)
    if one.converged and two.converged and len(one.table):
        np.testing.assert_allclose(one.table["incidence"], two.table["incidence"], atol=1e-5)


def test_months_of_the_grid():
    # exit in (m − 1, m] is of month m; present at 4.7: at risk to month 4; entry at 2.2: at risk from month 4
    table = interval_incidence([2.5, 4.7, 3.0], [2.5, np.inf, np.inf], [1, 0, 0], entry=[0, 0, 2.2]).table
    s = table.query("cause == 0").set_index("month")
    assert s["incidence"].tolist() == [1, 1, 0.5, 0.5]
    assert s["n_risk"].tolist() == [2, 2, 2, 1]
    assert s["n_confirmed"].tolist() == [3, 3, 2, 1]


def test_an_exact_exit_is_present_strictly_before_it():
    table = interval_incidence([12.0, 11.5], [12.0, 11.5], [1, 1], support=2).table.query("cause == 0")
    confirmed = table.set_index("month")["n_confirmed"]
    assert (confirmed[11], confirmed[12]) == (2, 0)
    known = table.set_index("month")["known"]
    assert (known[11], known[12]) == ("observed", "insufficient")


def test_date_arithmetic_next_to_a_whole_month():
    exact = interval_incidence([12.0, 24.0], [24.0, np.inf], [1, 0], entry=[0.0, 6.0])
    slips = interval_incidence([11.9999999999, 24.0000000001], [24.0000000001, np.inf], [1, 0], entry=[1e-10, 6.0])
    np.testing.assert_allclose(exact.table["incidence"], slips.table["incidence"], atol=1e-12)
    assert slips.table["month"].max() == 24


def test_stays_that_enter_and_end_in_one_month_are_counted_apart():
    curve = interval_incidence([3.2, 3.4, 5], [3.8, np.inf, 5], [1, 0, 1], entry=[3.1, 3.4, 0])
    assert curve.n_same_month == 2
    s = curve.table.query("cause == 0").set_index("month")
    assert s["n_risk"].tolist() == [1] * 5
    assert s["incidence"].tolist() == [1, 1, 1, 1, 0]
    alone = interval_incidence([3.2], [3.8], [1], entry=[3.1], replicates=5)
    assert alone.n_same_month == 1
    assert alone.table.query("cause == 0")["incidence"].eq(1).all()
    assert alone.draw(2).tolist() == [[[4, 1]], [[4, 1]]]


def test_unknown_destinations_are_shared_as_the_known_ones_are():
    # month 3: 6 known to leave for 1, 3 for 2, and 3 who left for nobody knows where
    exits = np.full(20, np.inf)
    exits[:12] = 3
    lower, cause = np.full(20, 3.0), np.array([1] * 6 + [2] * 3 + [0] * 11)
    table = interval_incidence(lower, exits, cause).table.query("month == 3").set_index("cause")["incidence"]
    np.testing.assert_allclose(table[[1, 2]], [0.4, 0.2], atol=1e-9)
    only = interval_incidence(lower, exits, np.zeros(20)).table.query("month == 3").set_index("cause")["incidence"]
    np.testing.assert_allclose(only, [0.4, 0.6], atol=1e-12)


def test_left_truncation_is_conditional():
    # entering at 12 because one was still there says nothing of months 1 to 12
    plain = interval_incidence([6, 12, 12], [6, np.inf, np.inf], [1, 0, 0])
    late = interval_incidence([6, 12, 12, 20], [6, np.inf, np.inf, np.inf], [1, 0, 0, 0], entry=[0, 0, 0, 12])
    s = [c.table.query("cause == 0 and month == 12")["incidence"].iloc[0] for c in (plain, late)]
    np.testing.assert_allclose(s, 2 / 3, atol=1e-12)


def test_everyone_leaves_inside_an_interval_of_others():
    # At month 2 everyone at risk leaves; the stay known to end in (3, 6] entered later and has its own likelihood.
    curve = interval_incidence([2, 3], [2, 6], [1, 2], entry=[0, 2.5])
    assert np.isfinite(curve.log_likelihood)
    np.testing.assert_allclose(curve.log_likelihood, 0, atol=1e-9)
    assert set(curve.draw(20)[:, 1, 0]) <= {4, 5, 6}


def test_draws_follow_the_fit():
    rng = np.random.default_rng(5)
    n = 400
    lower = rng.integers(0, 12, n).astype(float)
    upper = np.where(rng.random(n) < 0.4, np.inf, lower + rng.integers(1, 9, n))
    cause = np.where(np.isinf(upper), 0, rng.integers(0, 3, n))
    curve = interval_incidence(lower, upper, cause)
    drawn = curve.draw(200, seed=3)
    assert drawn.shape == (200, n, 2)
    ended = np.isfinite(upper)
    months, causes = drawn[..., 0], drawn[..., 1]
    assert (months[:, ended] > lower[ended]).all()
    assert (months[:, ended] <= upper[ended]).all()
    assert (causes[:, ended] > 0).all()
    assert (causes[:, ended & (cause > 0)] == cause[ended & (cause > 0)]).all()
    assert (months[:, ~ended] == lower[~ended]).all()
    assert (causes[:, ~ended] == 0).all()
    # self-consistency: Kaplan–Meier of the drawn data, on average, is the fit
    s = curve.table.query("cause == 0").set_index("month")["incidence"]
    mean = np.mean(
        [
            kaplan_meier(m, c > 0).set_index("time")["survival"].reindex(s.index).ffill().fillna(1)
            for m, c in zip(months, causes, strict=True)
        ],
        axis=0,
    )
    np.testing.assert_allclose(mean, s, atol=0.01)
    np.testing.assert_array_equal(drawn, curve.draw(200, seed=3))


def test_groups_are_fitted_apart():
    rng = np.random.default_rng(9)
    lower = rng.integers(0, 12, 60).astype(float)
    upper = np.where(rng.random(60) < 0.4, np.inf, lower + 3)
    cause, group = np.where(np.isinf(upper), 0, 1), np.repeat(["a", "b"], 30)
    both = interval_incidence(lower, upper, cause, group=group, replicates=30)
    assert both.table.columns[0] == "group"
    one = interval_incidence(lower[30:], upper[30:], cause[30:])
    theirs = both.table.query("group == 'b'").reset_index(drop=True)
    np.testing.assert_allclose(theirs["incidence"], one.table["incidence"], atol=1e-12)
    np.testing.assert_array_equal(
        both.draw(3)[:, 30:, 0][:, np.isinf(upper[30:])], np.tile(lower[30:][np.isinf(upper[30:])], (3, 1))
    )


def test_replicates_are_reproducible_and_optional():
    lower, upper, cause = [0, 3, 6, 2, 9], [3, 6, np.inf, 5, np.inf], [1, 2, 0, 1, 0]
    none = interval_incidence(lower, upper, cause).table
    assert none[["se", "lower", "upper"]].isna().all(axis=None)
    one, two = (interval_incidence(lower, upper, cause, replicates=50, seed=4).table for _ in range(2))
    np.testing.assert_array_equal(one["se"], two["se"])
    assert one[["se", "lower", "upper"]].notna().all(axis=None)
    assert ((one["lower"] <= one["incidence"]) & (one["incidence"] <= one["upper"])).all()


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("lower: 1 of 2 values are missing", ([np.nan, 1], [3, 4], [1, 1])),
        ("lower: 1 of 2 values are negative", ([-1, 1], [3, 4], [1, 1])),
        ("lower: 1 of 2 values are infinite", ([np.inf, 1], [np.inf, 4], [0, 1])),
        ("upper: 1 of 2 values are missing", ([0, 1], [np.nan, 4], [1, 1])),
        ("upper: 1 of 2 values are below lower", ([4, 1], [3, 4], [1, 1])),
        ("cause: 1 of 2 values name a cause where upper is infinite", ([4, 1], [np.inf, 4], [1, 1])),
        ("cause: 1 of 2 values are missing", ([4, 1], [np.inf, 4], [None, 1])),
    ],
)
def test_errors(message, arguments):
    with pytest.raises(ValueError, match=message):
        interval_incidence(*arguments)
    with pytest.raises(ValueError, match="entry: 1 of 2 values are above lower"):
        interval_incidence([1, 2], [3, 4], [1, 1], entry=[0, 3])


@pytest.mark.parametrize("seed", [4, 5])
def test_no_general_optimizer_finds_a_higher_likelihood(seed):
    """Delayed entry, two causes, unknown destinations: the likelihood written out stay by stay, maximised by BFGS."""
    rng = np.random.default_rng(seed)
    months = 6
    exit_month, entry = rng.integers(1, months + 1, 50), rng.integers(0, 4, 50)
    seen = exit_month > entry
    exit_month, entry, n = exit_month[seen], entry[seen], seen.sum()
    lower = np.maximum(entry, exit_month - rng.integers(1, 4, n))
    upper = np.minimum(exit_month + rng.integers(0, 3, n), months).astype(float)
    cause = np.where(rng.random(n) < 0.2, 0, rng.integers(1, 3, n))
    censored = rng.random(n) < 0.3
    upper[censored], cause[censored] = np.inf, 0

    def minus_log_likelihood(logits):
        odds = np.exp(np.vstack([logits.reshape(2, months), np.zeros(months)]))
        h = odds[:2] / odds.sum(axis=0)
        s = np.concatenate([[1.0], np.cumprod(1 - h.sum(axis=0))])
        f = h * s[:-1]
        total = 0.0
        for low, up, kind, start in zip(lower, upper, cause, entry, strict=True):
            rows = slice(None) if kind == 0 else slice(kind - 1, kind)
            mass = s[low] if np.isinf(up) else f[rows, low : int(up)].sum()
            total += np.log(mass + 1e-300) - np.log(s[start] + 1e-300)
        return -total

    best = optimize.minimize(minus_log_likelihood, rng.normal(-1, 0.5, 2 * months), method="BFGS", tol=1e-7)
    ours = interval_incidence(lower, upper, cause, entry=entry).log_likelihood
    assert -best.fun - 1e-8 <= ours <= -best.fun + 1e-4  # BFGS comes near a boundary, where hazards are 0, only slowly
