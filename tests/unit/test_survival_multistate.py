"""Several states: special cases, a naive second computation, invariance and edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trajectories.survival import cumulative_incidence, kaplan_meier
from trajectories.survival.states import multistate as pi
from trajectories.survival.states import multistate as ti
from trajectories.survival.states.multistate import (
    cumulative_transition_hazards,
    state_occupation,
    transition_probabilities,
)

COLUMNS = ["person", "start", "stop", "from", "to"]


def arguments(d):
    return tuple(d[column] for column in COLUMNS)


def random_rows(seed, persons=25, states="ABCD", late=0.4, gaps=0.2, horizon=12, same_state=False, same_time=False):
    """Stays of a few persons on a coarse grid of times: ties, late entries, gaps, states that empty, D absorbing."""
    rng, rows = np.random.default_rng(seed), []
    for person in range(persons):
        t = 0 if same_time or rng.random() > late else int(rng.integers(1, horizon))
        end, state = int(rng.integers(t + 1, horizon + 8)), "A" if same_state else states[rng.integers(len(states) - 1)]
        while t < end and state != "D":
            stop = min(t + int(rng.integers(1, 7)), end)
            to = states[rng.integers(len(states))] if stop < end else None
            to = None if to == state else to
            rows.append((person, t, stop, state, to))
            t, state = stop, to or state
            if t < end and rng.random() < gaps:
                t, state = t + int(rng.integers(1, 3)), states[rng.integers(len(states) - 1)]
    d = pd.DataFrame(rows, columns=COLUMNS)
    return d.assign(house=d["person"] // 3).sample(frac=1, random_state=seed, ignore_index=True)


def step_matrices(d, weight, states, s=-1.0):
    """H(u) at each time of a move after s, by definition; `weight` is … × rows, complex if need be."""
    start, stop, origin, to = (d[column].to_numpy() for column in ("start", "stop", "from", "to"))
    moved = d["to"].notna().to_numpy() & (to != origin)
    for u in np.unique(stop[moved & (stop > s)]):
        h = np.zeros((*weight.shape[:-1], len(states), len(states)), dtype=weight.dtype)
        n = np.ones((*weight.shape[:-1], len(states)), dtype=weight.dtype)
        for i, a in enumerate(states):
            inside = (origin == a) & (start < u) & (u <= stop)
            h[..., i, i] = 1
            if inside.any():
                n[..., i] = weight[..., inside].sum(axis=-1)
                for j, b in enumerate(states):
                    share = weight[..., inside & moved & (stop == u) & (to == b)].sum(axis=-1) / n[..., i]
                    h[..., i, j] += share
                    h[..., i, i] -= share
        yield u, h, n


def naive_matrices(d, weight, states, at, s=-1.0):
    """P(s, t) at each t of `at`."""
    p, found = np.eye(len(states), dtype=weight.dtype), {}
    for u, h, _ in step_matrices(d, weight, states, s):
        found |= {t: p for t in at if t < u and t not in found}
        p = p @ h
    return found | {t: p for t in at if t not in found}


def naive_start(d, weight, states):
    first = d.sort_values("start").groupby("person").head(1)
    if first["start"].nunique() == 1 or first["from"].nunique() == 1:
        chosen = d.index.isin(first.index)
    else:
        u = d.loc[d["to"].notna() & (d["to"] != d["from"]), "stop"].min()
        chosen = ((d["start"] < u) & (u <= d["stop"])).to_numpy()
    state = d["from"].to_numpy()
    counts = [weight[..., chosen & (state == a)].sum(axis=-1) for a in states]
    return np.stack(counts, axis=-1) / weight[..., chosen].sum(axis=-1)[..., None]


def along_each(cluster):
    """A row of case weights per cluster, with an imaginary part on its own: derivatives exact by the complex step."""
    return 1 + 1e-30j * (np.unique(cluster)[:, None] == np.asarray(cluster)[None, :])


def squared(values):
    """Σ over clusters of squared derivatives."""
    return ((values.imag / 1e-30) ** 2).sum(axis=0)


def matrix(table, column, t, states):
    rows = table[table["time"] == t].set_index(["from_state", "to_state"])[column]
    return np.array([[rows[a, b] for b in states] for a in states])


def test_two_states_are_kaplan_meier():
    rng = np.random.default_rng(3)
    entry = rng.integers(0, 6, 80)
    time = entry + rng.integers(1, 20, 80)
    event = rng.random(80) < 0.6
    curve = kaplan_meier(time, event, entry=entry)
    curve = curve[(curve["survival"] > 0) & (curve["n_event"] > 0)]
    to = np.where(event, "gone", None)
    table = transition_probabilities(range(80), entry, time, ["here"] * 80, to, times=curve["time"])
    for pair, one_minus in (("here", False), ("gone", True)):
        rows = table[(table["from_state"] == "here") & (table["to_state"] == pair)]
        np.testing.assert_allclose(rows["se"], curve["se"], rtol=0, atol=1e-12)
        for ours, theirs in (("probability", "survival"), ("lower", "lower"), ("upper", "upper")):
            swapped = {"lower": "upper", "upper": "lower"}.get(theirs, theirs)
            expected = 1 - curve[swapped] if one_minus else curve[theirs]
            np.testing.assert_allclose(rows[ours], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variance", ["greenwood", "jackknife"])
def test_competing_causes_are_cumulative_incidence(variance):
    rng = np.random.default_rng(4)
    entry = np.where(rng.random(120) < 0.5, 0, rng.integers(1, 5, 120))
    time, cause = entry + rng.integers(1, 15, 120), rng.integers(0, 4, 120)
    household = rng.integers(0, 50, 120)
    cluster = household if variance == "jackknife" else None
    expected = cumulative_incidence(time, cause, entry=entry, variance=variance, cluster=cluster)
    expected = expected[(expected["time"] < time.max())]
    to = pd.Series(cause).map({0: None, 1: "c1", 2: "c2", 3: "c3"})
    at = np.unique(expected["time"])
    table = transition_probabilities(
        range(120), entry, time, ["c0"] * 120, to, times=at, variance=variance, cluster=cluster
    )
    for cause, rows in expected.groupby("cause"):
        ours = table[(table["from_state"] == "c0") & (table["to_state"] == f"c{cause}")]
        for a, b in (("probability", "incidence"), ("se", "se"), ("lower", "lower"), ("upper", "upper")):
            np.testing.assert_allclose(ours[a], rows[b], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("s", [0, 3])
def test_naive_product_and_covariance(seed, s):
    d, states, t = random_rows(seed), list("ABCD"), 11
    ones = np.ones(len(d))
    covariance, p = np.zeros((16, 16)), np.eye(4)
    aalen, eye = np.zeros((16, 16)), np.eye(4)
    for u, h, n in step_matrices(d, ones, states, s):
        if u > t:
            break
        # Cov(vec P) with P's rows one after the other (Andersen et al. 1993, IV.4.1).
        through = np.kron(eye, h.T)
        inner, plain = np.zeros((16, 16)), np.zeros((16, 16))
        for g in range(4):
            block = slice(4 * g, 4 * g + 4)
            inner[block, block] = (np.diag(h[g]) - np.outer(h[g], h[g])) / n[g]
            for j in range(4):
                if j != g:
                    plain[block, block] += h[g, j] / n[g] * np.outer(eye[j] - eye[g], eye[j] - eye[g])
        covariance = through @ covariance @ through.T + np.kron(p, eye) @ inner @ np.kron(p, eye).T
        p = p @ h
        aalen = through @ aalen @ through.T + np.kron(p, eye) @ plain @ np.kron(p, eye).T
    for variance, expected in (("greenwood", covariance), ("aalen", aalen)):
        table = transition_probabilities(*arguments(d), s=s, times=[t], variance=variance)
        seen = sorted(set(table["from_state"]))
        keep = [states.index(a) for a in seen]
        inside = np.ix_(keep, keep)
        ours = matrix(table, "probability", t, seen)
        np.testing.assert_allclose(ours, p[inside], rtol=0, atol=1e-14)
        np.testing.assert_allclose(ours.sum(axis=1), 1, rtol=0, atol=1e-12)
        expected = np.sqrt(np.maximum(np.diag(expected).reshape(4, 4), 0))[inside]
        edge = (ours == 0) | (ours == 1)
        np.testing.assert_allclose(matrix(table, "se", t, seen), np.where(edge, 0, expected), rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("smallest", [0.01, 0.8])
def test_jackknife_is_the_derivative_along_case_weights(seed, smallest, monkeypatch):
    monkeypatch.setattr(ti, "SMALLEST", smallest)  # 0.8: a new base at nearly every step
    d, states, at = random_rows(seed, persons=20), list("ABCD"), [2, 5, 9, 13]
    for cluster in (None, d["house"]):
        table = transition_probabilities(*arguments(d), s=1, times=at, variance="jackknife", cluster=cluster)
        seen = sorted(set(table["from_state"]))
        moved = naive_matrices(d, along_each(d["person"] if cluster is None else cluster), seen, at, s=1)
        for t in at:
            ours = matrix(table, "probability", t, seen)
            expected = np.where((ours == 0) | (ours == 1), 0, np.sqrt(squared(moved[t])))
            np.testing.assert_allclose(matrix(table, "se", t, seen), expected, rtol=0, atol=1e-10)
    assert set(seen) <= set(states)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("design", [{}, {"same_state": True, "gaps": 0}, {"same_time": True}])
def test_occupation_and_its_jackknife(seed, design):
    d, at = random_rows(seed, persons=20, **design), [0, 1, 4, 8, 13]
    for cluster in (None, d["house"]):
        table = state_occupation(*arguments(d), times=at, cluster=cluster)
        seen = list(dict.fromkeys(table["state"]))
        weight = along_each(d["person"] if cluster is None else cluster)
        start, moved = naive_start(d, weight, seen), naive_matrices(d, weight, seen, at)
        for t in at:
            occupied = (start[:, None, :] @ moved[t])[:, 0]
            rows = table[table["time"] == t]
            np.testing.assert_allclose(rows["probability"], occupied[0].real, rtol=0, atol=1e-14)
            edge = rows["probability"].isin([0, 1])
            expected = np.where(edge, 0, np.sqrt(squared(occupied)))
            np.testing.assert_allclose(rows["se"], expected, rtol=0, atol=1e-10)
            inside = (d["start"] < t) & (t <= d["stop"])
            assert rows["n_risk"].tolist() == [int((inside & (d["from"] == a)).sum()) for a in seen]


def test_a_fixed_start_has_no_sampling_error():
    d = random_rows(1)
    fixed = state_occupation(*arguments(d), initial={"A": 1}, times=[3, 7])
    row = transition_probabilities(*arguments(d), times=[3, 7], variance="jackknife").query("from_state == 'A'")
    for column in ("probability", "se"):
        np.testing.assert_allclose(fixed[column], row[column], rtol=0, atol=1e-15)
    array = state_occupation(*arguments(d), initial=[0.25, 0.25, 0.5, 0], times=[0])
    assert array["probability"].tolist() == [0.25, 0.25, 0.5, 0]
    assert (array["se"] == 0).all()


def test_where_occupation_starts():
    # Everybody from 0: all first states. Staggered: those at risk at the first move, at 5.
    rows = ([1, 2, 3], [0, 0, 0], [5, 8, 2], ["A", "A", "B"], ["B", None, None])
    np.testing.assert_allclose(state_occupation(*rows, times=[0, 4])["probability"], [2 / 3, 2 / 3, 1 / 3, 1 / 3])
    late = ([1, 2, 3, 4], [0, 0, 1, 4], [5, 8, 2, 9], ["A", "A", "B", "C"], ["B", None, None, None])
    np.testing.assert_allclose(state_occupation(*late, times=[4])["probability"], [2 / 3, 0, 1 / 3])


def both(d, **options):
    kinds = (transition_probabilities(*arguments(d), **options, variance=v) for v in ("greenwood", "jackknife"))
    return pd.concat([*kinds, state_occupation(*arguments(d), **options)], ignore_index=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("continuation", ["censor", "same state", None])
def test_a_stay_cut_in_two_is_one_stay(seed, continuation):
    d = random_rows(seed)
    long = d["stop"] - d["start"] >= 2
    head, tail = d[long].copy(), d[long].copy()
    head["stop"] = tail["start"] = head["start"] + 1
    head["to"] = head["from"] if continuation == "same state" else continuation
    cut = pd.concat([d[~long], tail, head], ignore_index=True)
    assert len(cut) > len(d)
    for options in ({}, {"times": [1, 4, 7]}):
        pd.testing.assert_frame_equal(both(cut, **options), both(d, **options), rtol=0, atol=1e-14)


def test_order_of_rows_and_unit_of_time_do_not_matter():
    d = random_rows(5)
    plain = both(d)
    shuffled = d.sample(frac=1, random_state=9)
    pd.testing.assert_frame_equal(both(shuffled), plain, rtol=0, atol=1e-14)
    scaled = d.assign(start=d["start"] * 0.1, stop=d["stop"] * 0.1 + 1e-12)  # ties to be seen, as 0.1 × 3 and 0.3
    other = both(scaled)
    np.testing.assert_allclose(other["time"], plain["time"] * 0.1)
    pd.testing.assert_frame_equal(other.drop(columns="time"), plain.drop(columns="time"), rtol=0, atol=1e-14)
    at = np.arange(2, 9)
    expected = both(d, times=at).drop(columns="time")
    later = scaled.assign(start=np.where(d["start"] > 0, scaled["start"] + 2e-12, 0), stop=scaled["stop"] + 1e-12)
    for off in (0, 5e-12):  # read a little before, and a little after
        read = both(later, times=at * 0.1 + off).drop(columns="time")
        pd.testing.assert_frame_equal(read, expected, rtol=0, atol=1e-14)


def test_probabilities_from_0_and_from_s_multiply():
    d, states = random_rows(7, persons=60), list("ABCD")
    whole = transition_probabilities(*arguments(d), times=[4, 10])
    rest = transition_probabilities(*arguments(d), s=4, times=[10])
    product = matrix(whole, "probability", 4, states) @ matrix(rest, "probability", 10, states)
    np.testing.assert_allclose(product, matrix(whole, "probability", 10, states), rtol=0, atol=1e-14)


def test_pieces_and_blocks_change_nothing(monkeypatch):
    d = random_rows(8, persons=60, horizon=40)
    whole = both(d)
    monkeypatch.setattr(pi, "PIECE", 3)
    pd.testing.assert_frame_equal(both(d), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 16, 23])
def test_products(length):
    steps = np.random.default_rng(length).random((length, 3, 3))
    expected, p = [], np.eye(3)
    for step in steps:
        p = p @ step
        expected.append(p)
    np.testing.assert_allclose(pi.products(steps), np.array(expected).reshape(-1, 3, 3), rtol=1e-13)


def test_times_are_echoed_and_states_keep_their_order():
    d = random_rows(2)
    kinds = pd.CategoricalDtype(["D", "C", "unseen", "B", "A"], ordered=True)
    d["from"], d["to"] = d["from"].astype(kinds), d["to"].astype(kinds)
    table = transition_probabilities(*arguments(d), times=[9, 2.5, 9, 0])
    assert table["from_state"].unique().tolist() == ["D", "C", "B", "A"]
    assert table["to_state"].unique().tolist() == ["D", "C", "B", "A"]
    assert table["time"].tolist() == [9, 2.5, 9, 0] * 16
    assert len(state_occupation(*arguments(d), times=[5])) == 4
    first = table[table["from_state"] == "A"].pivot_table(index="to_state", columns="time", values="probability")
    assert first[0.0].tolist() == [1, 0, 0, 0]
    mixed = d.assign(**{"from": d["from"].astype(object)})
    assert state_occupation(*arguments(mixed), times=[5])["state"].tolist() == ["D", "C", "B", "A"]
    short = state_occupation([1], [0], [3], ["b"], pd.Categorical(["a"], categories=["z", "a"]), times=[5])
    assert short["state"].tolist() == ["a", "b"]  # the categories do not hold them all: sorted
    coded = {"A": 1, "B": 2, "C": 3, "D": 9}
    numbers = d.assign(**{"from": d["from"].astype(object).map(coded), "to": d["to"].astype(object).map(coded)})
    assert transition_probabilities(*arguments(numbers), times=[2])["to_state"].unique().tolist() == [1, 2, 3, 9]


@pytest.mark.parametrize("nothing", [None, np.nan, "censor", "A"])
def test_nobody_moves(nothing):
    given = ([1, 2], [0, 0], [5, 8], ["A", "A"], [nothing, nothing])
    table = transition_probabilities(*given)
    assert table.to_numpy().tolist() == [["A", "A", 8, 1, 0, 1, 1]]
    assert transition_probabilities(*given, s=50).to_numpy().tolist() == [["A", "A", 50, 1, 0, 1, 1]]
    assert state_occupation(*given, times=[3]).to_numpy().tolist() == [["A", 3, 2, 1, 0, 1, 1]]
    assert cumulative_transition_hazards(*given).empty
    two = transition_probabilities([1, 2], [0, 0], [5, 8], ["A", "B"], [nothing, None], variance="jackknife")
    assert two["probability"].tolist() == [1, 0, 0, 1]
    assert (two["lower"] == two["probability"]).all() and (two["upper"] == two["probability"]).all()
    spread = state_occupation([1, 2], [0, 1], [5, 8], ["A", "B"], [nothing, None])
    assert spread["probability"].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(spread["se"], np.sqrt(2 * 0.25**2))


def test_one_person():
    given = ([1, 1], [0, 4], [4, 9], ["A", "B"], ["B", None])
    for options in ({}, {"variance": "aalen"}, {"variance": "jackknife"}):
        table = transition_probabilities(*given, times=[3, 4, 9], **options)
        assert table["probability"].tolist() == [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1]
        assert (table["se"] == 0).all()
        # Everybody has left A: what is known of it is not that certain. B has lost nobody.
        assert table["lower"].isna().tolist() == [False, True, True, False, True, True] + [False] * 6
    assert state_occupation(*given, times=[3, 9])["probability"].tolist() == [1, 0, 0, 1]


def test_empty_risk_set_in_the_middle():
    # Nobody is at risk over (6, 8]; A is emptied at 3 and filled again at 9 by somebody who enters late.
    given = ([1, 2, 3, 4], [0, 0, 8, 8], [3, 6, 12, 10], ["A", "B", "A", "A"], ["B", None, None, "C"])
    table = transition_probabilities(*given, times=[7, 10])
    assert table.query("from_state == 'A' and time == 10")["probability"].tolist() == [0, 1, 0]
    late = transition_probabilities(*given, s=8, times=[10])
    assert late.query("from_state == 'A'")["probability"].tolist() == [0.5, 0, 0.5]
    assert table.query("from_state == 'B'")["probability"].tolist() == [0, 0, 1, 1, 0, 0]
    for variance in ("greenwood", "aalen", "jackknife"):
        assert np.isfinite(transition_probabilities(*given, variance=variance)["se"]).all()
    assert np.isfinite(state_occupation(*given)["se"]).all()


def test_absorbed_by_all_never_left_only_censored():
    given = (range(6), [0] * 6, [2, 3, 4, 4, 5, 9], ["A", "A", "B", "A", "B", "C"], ["D", "D", "D", "D", "D", None])
    table = transition_probabilities(*given, times=[9]).set_index(["from_state", "to_state"])
    assert table.loc[("A", "D"), "probability"] == table.loc[("B", "D"), "probability"] == 1
    assert table.loc[[("A", "D"), ("A", "A")], ["lower", "upper"]].isna().all(axis=None)
    for state in ("C", "D"):  # one only ever censored, one entered and never left
        assert table.loc[(state, state), ["probability", "se", "lower", "upper"]].tolist() == [1, 0, 1, 1]
        others = [(state, x) for x in "ABCD" if x != state]
        assert (table.loc[others, ["probability", "se", "lower", "upper"]] == 0).all(axis=None)
    assert table.loc[("A", "B"), ["probability", "lower", "upper"]].tolist() == [0, 0, 0]


def test_hazards():
    d = random_rows(11)
    at = [3, 8]
    table = cumulative_transition_hazards(*arguments(d), times=at)
    for (a, b), rows in table.groupby(["from_state", "to_state"]):
        for t, row in zip(at, rows.itertuples(), strict=True):
            events = d[(d["from"] == a) & (d["to"] == b) & (d["stop"] <= t)]["stop"]
            n = np.array([((d["from"] == a) & (d["start"] < u) & (u <= d["stop"])).sum() for u in events])
            assert row.n_event == len(events)
            np.testing.assert_allclose([row.cumulative_hazard, row.se**2], [(1 / n).sum(), (1 / n**2).sum()])
            assert row.lower <= row.cumulative_hazard <= row.upper
