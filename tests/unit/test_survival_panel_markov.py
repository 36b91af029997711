"""The panel Markov model beyond the golden numbers: closed forms, derivatives, another optimiser, edges, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.optimize import minimize

from trajectories.survival.states import panel as panel_fit
from trajectories.survival.states import panel as panel_likelihood
from trajectories.survival.states.panel import (
    Patterns,
    Structure,
    derivatives,
    log_likelihood,
    panel_markov,
    transition_matrix,
)


def generator(seed, n, absorbing=True):
    rng = np.random.default_rng(seed)
    q = rng.exponential(0.1, (n, n)) * (rng.random((n, n)) < 0.7)
    np.fill_diagonal(q, 0)
    if absorbing:
        q[-1] = 0
    np.fill_diagonal(q, -q.sum(axis=1))
    return q


def patterns(seed, n, size=30):
    """Random patterns: the last state is absorbing, and half of its entries are dated."""
    rng = np.random.default_rng(seed)
    gaps = np.sort(rng.uniform(0.1, 40, 7))
    gap = np.sort(rng.integers(0, 7, size))
    start, end = rng.integers(0, n - 1, size), rng.integers(0, n, size)
    known = (end == n - 1) & (rng.random(size) < 0.5)
    return Patterns(gaps, gap, start, end, known, rng.integers(1, 9, size).astype(float))


def simulated(q, persons, gaps, seed, first=None):
    """Visits at gaps drawn from `gaps`; nothing after an absorbing state."""
    rng = np.random.default_rng(seed)
    n, absorbing = len(q), (q == 0).all(axis=1)
    steps = {g: transition_matrix(q, g).cumsum(axis=1) for g in gaps}
    rows = []
    for person in range(persons):
        time, state = 0.0, int(rng.choice(np.flatnonzero(~absorbing))) if first is None else first
        rows.append((person, time, state))
        for _ in range(6):
            if absorbing[state]:
                break
            gap = float(rng.choice(gaps))
            time, state = time + gap, min(int(np.searchsorted(steps[gap][state], rng.random(), side="right")), n - 1)
            rows.append((person, time, state))
    return pd.DataFrame(rows, columns=["person", "time", "state"])


def brute(p, structure, rates):
    """The likelihood by scipy's expm."""
    q = structure.generator(rates)
    total = 0.0
    for i in range(len(p.gap)):
        m = expm(q * p.gaps[p.gap[i]])
        value = (m @ q)[p.start[i], p.end[i]] if p.known[i] else m[p.start[i], p.end[i]]
        total += p.count[i] * np.log(value)
    return total


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 5), t=st.floats(0, 5000))
def test_transition_matrix_is_the_exponential(seed, n, t):
    q = generator(seed, n)
    p = transition_matrix(q, t)
    np.testing.assert_allclose(p, expm(q * t), atol=1e-11)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert (p >= 0).all()


def test_small_probabilities_keep_their_digits():
    q = np.array([[-1, 1, 0], [0, -1, 1], [0, 0, 0]], dtype=float)
    t = 1e-6
    assert transition_matrix(q, t)[0, 2] == pytest.approx(t**2 / 2 - t**3 / 3, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cells", [1, panel_likelihood.CELLS])
def test_likelihood_and_derivatives(seed, cells, monkeypatch):
    monkeypatch.setattr(panel_likelihood, "CELLS", cells)
    n = 2 + seed
    q = np.abs(generator(seed, n, absorbing=True)) + 0.01
    q[-1] = 0
    np.fill_diagonal(q, 0)
    structure, p = Structure(n, *np.nonzero(q)), patterns(seed, n)
    rates = q[structure.origin, structure.target]
    value, gradient, information = derivatives(p, structure, rates)
    assert value == pytest.approx(brute(p, structure, rates), rel=1e-12)
    assert value == pytest.approx(log_likelihood(p, structure, rates), rel=1e-14)
    for u in range(len(rates)):
        h = rates[u] * 1e-5
        up, down = rates.copy(), rates.copy()
        up[u] += h
        down[u] -= h
        high, low = derivatives(p, structure, up), derivatives(p, structure, down)
        assert (high[0] - low[0]) / (2 * h) == pytest.approx(gradient[u], rel=1e-6, abs=1e-5 * np.abs(gradient).max())
        scale = 1e-7 * np.abs(information).max()
        np.testing.assert_allclose((low[1] - high[1]) / (2 * h), information[u], rtol=1e-6, atol=scale)
    np.testing.assert_allclose(information, information.T, rtol=1e-12)


def test_one_transition_has_a_closed_form():
    """30 of 100 have left after 12 months."""
    person = np.repeat(np.arange(100), 2)
    state = np.where((person < 30) & (np.arange(200) % 2 == 1), "out", "in")
    fit = panel_markov(person, np.tile([0, 12], 100), state, [("in", "out")])
    q = -np.log(0.7) / 12
    se = np.sqrt(0.3 / 0.7 / 100) / 12
    assert fit.intensity.loc["in", "out"] == pytest.approx(q, rel=1e-12)
    assert fit.intensity_se.loc["in", "out"] == pytest.approx(se, rel=1e-9)
    assert fit.intensity_lower.loc["in", "out"] == pytest.approx(q * np.exp(-1.959963984540054 * se / q), rel=1e-9)
    assert fit.log_likelihood == pytest.approx(30 * np.log(0.3) + 70 * np.log(0.7), rel=1e-12)
    assert fit.sojourn["in"] == pytest.approx(1 / q)
    assert list(fit.sojourn.index) == ["in"]
    assert (fit.intensity.loc["out"] == 0).all()
    assert (fit.intensity_se.loc["out"] == 0).all()
    assert fit.pairs.loc["in", "out"] == 30
    assert fit.persons == 100
    assert fit.probability(0).equals(pd.DataFrame(np.eye(2), ["in", "out"], ["in", "out"]))
    assert fit.probability(1200).loc["in", "out"] == pytest.approx(1)


def test_dated_entries_have_the_estimate_of_dated_events():
    """All entries dated, one way out: events over time spent, whatever the visits."""
    q = np.array([[-0.05, 0.05], [0, 0]])
    rng = np.random.default_rng(3)
    stay = rng.exponential(1 / 0.05, 200).round(3) + 0.001
    rows = [(i, t, 0) for i in range(200) for t in (0, 9, 18) if t < stay[i]]
    rows += [(i, s, 1) for i, s in enumerate(stay) if s < 18]
    d = pd.DataFrame(rows, columns=["person", "time", "state"])
    fit = panel_markov(d["person"], d["time"], d["state"], (q > 0), exact=1)
    spent = np.minimum(stay, 18).sum()
    events = (stay < 18).sum()
    assert fit.intensity.loc[0, 1] == pytest.approx(events / spent, rel=1e-9)
    assert fit.intensity_se.loc[0, 1] == pytest.approx(np.sqrt(events) / spent, rel=1e-9)


def test_another_optimiser_finds_nothing_better():
    q = generator(1, 4)
    allowed = q > 0
    d = simulated(q, 150, (1.0, 3.0, 6.0), seed=2)
    fit = panel_markov(d["person"], d["time"], d["state"], allowed)
    origin, target = np.nonzero(allowed)
    structure = Structure(4, origin, target)
    d["next"], d["gap"] = d.groupby("person")["state"].shift(-1), d.groupby("person")["time"].shift(-1) - d["time"]
    d = d.dropna().sort_values("gap")
    gaps, place = np.unique(d["gap"], return_inverse=True)
    count = np.ones(len(d))
    states = d["state"].to_numpy(), d["next"].to_numpy(int)
    p = Patterns(gaps, place, *states, np.zeros(len(d), dtype=bool), count)
    best = minimize(
        lambda x: -log_likelihood(p, structure, np.exp(x)), np.full(len(origin), -3.0), method="L-BFGS-B", tol=1e-14
    )
    assert fit.log_likelihood >= -best.fun - 1e-8
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-4)


def test_rows_in_any_order_other_units_and_other_labels_give_the_same_fit():
    q = generator(5, 3)
    d = simulated(q, 80, (2.0, 5.0), seed=1)
    allowed = [(int(i), int(j)) for i, j in np.argwhere(q > 0)]
    first = panel_markov(d["person"], d["time"], d["state"], allowed)
    mixed = d.sample(frac=1, random_state=3)
    names = np.array(["c", "a", "b"])
    again = panel_markov(
        mixed["person"].astype(str),
        mixed["time"] * 30,
        pd.Categorical(names[mixed["state"]], list(names), ordered=True),
        [(names[i], names[j]) for i, j in allowed],
    )
    assert list(again.intensity.index) == ["c", "a", "b"]
    np.testing.assert_allclose(again.intensity * 30, first.intensity, rtol=1e-9)
    np.testing.assert_allclose(again.intensity_se * 30, first.intensity_se, rtol=1e-8)
    np.testing.assert_allclose(again.sojourn / 30, first.sojourn, rtol=1e-9)
    square = panel_markov(d["person"], d["time"], d["state"], q > 0)
    frame = panel_markov(d["person"], d["time"], d["state"], pd.DataFrame(q > 0))
    for other in (square, frame):
        pd.testing.assert_frame_equal(other.intensity, first.intensity, check_names=False)


def test_persons_seen_once_tell_nothing_and_are_counted():
    q = generator(5, 3)
    d = simulated(q, 60, (2.0, 5.0), seed=4)
    first = panel_markov(d["person"], d["time"], d["state"], q > 0)
    more = pd.concat([d, pd.DataFrame({"person": [900, 901], "time": [3.0, 0.0], "state": [0, 2]})])
    again = panel_markov(more["person"], more["time"], more["state"], q > 0)
    assert (first.seen_once, again.seen_once, again.persons) == (0, 2, 62)
    pd.testing.assert_frame_equal(again.intensity, first.intensity)


def boundary_panel(seed):
    """0 ↔ 1 → 2 at gaps of 1."""
    q = np.array([[-0.5, 0.5, 0], [0.3, -0.7, 0.4], [0, 0, 0]])
    return simulated(q, 400, (1.0,), seed=seed), q


def test_a_rate_on_the_boundary():
    d, q = boundary_panel(seed=2)  # here the way through 1 explains more pairs 0 → 2 than are seen
    without = panel_markov(d["person"], d["time"], d["state"], q > 0)
    fit = panel_markov(d["person"], d["time"], d["state"], [(0, 1), (0, 2), (1, 0), (1, 2)])
    assert fit.at_boundary.loc[0, 2]
    assert fit.at_boundary.to_numpy().sum() == 1
    assert fit.log_likelihood == pytest.approx(without.log_likelihood, rel=1e-12)
    assert list(fit.covariance.index) == [(0, 1), (1, 0), (1, 2)]
    np.testing.assert_allclose(fit.intensity_se.fillna(0), without.intensity_se, rtol=1e-8)
    assert np.isnan(fit.intensity_se.loc[0, 2])
    assert np.isfinite(fit.intensity_se.loc[0, 0])


def test_a_rate_put_on_the_boundary_too_early_comes_back(monkeypatch):
    d, _ = boundary_panel(seed=7)  # here the direct way explains some pairs
    pairs = [(0, 1), (0, 2), (1, 0), (1, 2)]
    first = panel_markov(d["person"], d["time"], d["state"], pairs)
    assert not first.at_boundary.to_numpy().any()
    sizes, newton = [], panel_fit.newton
    monkeypatch.setattr(panel_fit, "newton", lambda slope, bend: (sizes.append(len(slope)), newton(slope, bend))[1])
    monkeypatch.setattr(panel_fit, "VANISHED", 30.0)  # moves: 0 → 2, which has fewer, is tried at 0
    again = panel_markov(d["person"], d["time"], d["state"], pairs)
    assert 3 in sizes
    assert sizes[-1] == 4
    np.testing.assert_allclose(again.intensity, first.intensity, rtol=1e-8)
    assert not again.at_boundary.to_numpy().any()


def test_a_state_never_left_has_an_infinite_stay():
    person, time = np.repeat(np.arange(20), 3), np.tile([0, 1, 2], 20)
    state = np.array(list("aababbaaabbb") * 5)
    fit = panel_markov(person, time, state, [("a", "b"), ("b", "a")])
    assert fit.at_boundary.loc["b", "a"]
    assert fit.sojourn["b"] == np.inf
    assert np.isnan(fit.sojourn_se["b"])
    assert fit.intensity.loc["b", "b"] == 0
    assert np.isnan(fit.intensity_se.loc["b", "b"])


def test_a_state_that_nobody_was_seen_in_may_be_named_by_a_frame():
    states = ["a", "b", "c"]
    allowed = pd.DataFrame([[0, 1, 0], [0, 0, 0], [0, 0, 0]], states, states)
    fit = panel_markov([1, 1, 2, 2], [0, 1, 0, 1], list("abaa"), allowed)
    assert list(fit.intensity.columns) == states
    assert fit.probability(1).loc["c", "c"] == 1


@pytest.mark.parametrize(
    ("person", "time", "state", "allowed", "said"),
    [
        ([1, 1], [0, 1], ["a", None], [("a", "b")], "state: 1 of 2 values are missing"),
        ([1, None], [0, 1], ["a", "b"], [("a", "b")], "person: 1 of 2 values are missing"),
        ([1, 1], [0, np.nan], ["a", "b"], [("a", "b")], "time: 1 of 2 values are missing"),
        ([1, 1], [0, -1], ["a", "b"], [("a", "b")], "time: 1 of 2 values are negative"),
        ([1, 1, 1], [0, 2, 2], ["a", "a", "b"], [("a", "b")], "time: 1 of 3 values repeat a time"),
        ([1, 1, 1], [0, 1, 2], ["a", "b", "b"], [("a", "b")], r"1 of 3 values come after an absorbing state \(b\)"),
        ([1, 1, 1], [0, 1, 2], ["a", "b", "a"], [("a", "b")], "1 of 3 values come after an absorbing"),
        (
            [1, 1, 2, 2],
            [0, 1, 0, 1],
            list("acab"),
            [("a", "b"), ("b", "a")],
            r"1 of 2 pairs are impossible .* a → c \(1\)",
        ),
        ([1, 1], [0, 1], ["a", "a"], np.ones((2, 2)), "allowed: 2 states given, 1 seen"),
        ([1, 1, 2], [0, 1, 0], ["a", "a", "b"], [("a", "b")], "no event to fit"),
        ([1, 2], [0, 1], ["a", "b"], [("a", "b")], "no event to fit"),
        ([1, 1], [0, 1], ["a", "b"], [("a", "z")], "allowed: 1 of 1 values name a state that is not seen"),
        ([1, 1], [0, 1], ["a", "b"], [("a", "a")], "allowed: 1 of 1 values go from a state to itself"),
        ([1, 1], [0, 1], ["a", "b"], [("a", "b", "c")], "allowed: 1 of 1 values are not pairs"),
        ([1, 1], [0, 1], ["a", "b"], [], "allowed: 0 transitions"),
        ([1, 1], [0, 1], ["a", "b"], pd.DataFrame(np.ones((2, 2)), list("ab"), list("ba")), "rows and columns"),
        (
            [1, 1],
            [0, 1],
            ["a", "b"],
            pd.DataFrame(np.ones((2, 2)), list("az"), list("az")),
            "state: 1 of 2 values are not among",
        ),
    ],
)
def test_refused(person, time, state, allowed, said):
    with pytest.raises(ValueError, match=said):
        panel_markov(person, time, state, allowed)


def test_exact_states_are_absorbing_and_known():
    arguments = ([1, 1, 1], [0, 1, 2], ["a", "a", "b"], [("a", "b")])
    assert panel_markov(*arguments, exact="b").log_likelihood == panel_markov(*arguments, exact=["b"]).log_likelihood
    with pytest.raises(ValueError, match="exact: 1 of 1 values are states that can be left"):
        panel_markov(*arguments, exact="a")
    with pytest.raises(ValueError, match="exact: 1 of 2 values are not among the states: a, b"):
        panel_markov(*arguments, exact=["b", "z"])


def test_rates_that_the_data_do_not_tell_are_refused():
    person, time = np.repeat(np.arange(40), 2), np.tile([0.0, 50.0], 40)
    everyone = np.tile(["a", "b"], 40)
    with pytest.raises(ValueError, match="a → b"):
        panel_markov(person, time, everyone, [("a", "b")])  # all have left at the first visit: the rate is infinite
    state = np.array(["a", "a", "a", "b", "b", "b", "b", "a"] * 10)
    with pytest.raises(ValueError, match="a → b"):
        panel_markov(person, time, state, [("a", "b"), ("b", "a")])  # as if independent: only the ratio is known
    states = ["a", "b", "c"]
    allowed = pd.DataFrame([[0, 1, 0], [0, 0, 0], [1, 0, 0]], states, states)
    seen = np.array(["a", "b", "a", "a"] * 20)
    with pytest.raises(ValueError, match="do not tell the rate of c → a"):
        panel_markov(person, time, seen, allowed)  # nobody is ever in c


def test_probability_refuses_a_time_that_is_none():
    fit = panel_markov([1, 1, 2, 2], [0, 1, 0, 1], list("abaa"), [("a", "b")])
    for t in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="t: 1 value"):
            fit.probability(t)


def test_gaps_of_any_length_are_grouped_or_not_alike():
    """Gaps moved by 1e-13 are all distinct: the same fit, without grouping."""
    q = generator(5, 3)
    d = simulated(q, 150, (2.0, 5.0, 11.0), seed=8)
    jitter = np.random.default_rng(0).uniform(0, 1e-12, len(d))
    fits = [panel_markov(d["person"], t, d["state"], q > 0) for t in (d["time"], d["time"] + jitter)]
    np.testing.assert_allclose(fits[0].intensity, fits[1].intensity, rtol=1e-9)
    np.testing.assert_allclose(fits[0].intensity_se, fits[1].intensity_se, rtol=1e-9)
