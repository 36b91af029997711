"""The household bootstrap: what a replicate is, against hand-made ones and formulas; failures; refusals."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from trajectories.survival import kaplan_meier
from trajectories.survival.bootstrap import bootstrap
from trajectories.survival.states.panel import panel_markov


def households(seed=0, n=60):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 5, n)
    label = np.repeat([f"H{i:03}" for i in rng.permutation(n)], size)
    months = rng.exponential(np.repeat(rng.gamma(2, 10, n), size)).round(1)
    frame = pd.DataFrame({"household": label, "months": months, "left": rng.random(len(label)) < 0.7})
    frame["person"] = [f"P{i:04}" for i in range(len(frame))]
    return frame.sample(frac=1, random_state=seed)


def by_hand(statistic, data, replicates, seed):
    """Households put under one another, one at a time."""
    groups = [rows for _, rows in data.groupby("household")]
    values = []
    for child in np.random.SeedSequence(seed).spawn(replicates):
        draw = np.random.default_rng(child).integers(0, len(groups), len(groups))
        values.append(statistic(pd.concat([groups[i] for i in draw])))
    return np.array(values)


def test_replicates_are_whole_households():
    data, seen = households(), []

    def keep(frame):
        seen.append(frame)
        return frame["months"].mean()

    table = bootstrap(keep, data, "household", replicates=40, seed=7)
    expected = by_hand(lambda d: d["months"].mean(), data, 40, 7)
    assert table["estimate"][0] == pytest.approx(data["months"].mean())
    assert table["se"][0] == pytest.approx(expected.std(ddof=1), rel=1e-12)
    assert table["failed"].tolist() == [0]
    by_household = {name: sorted(rows["person"]) for name, rows in data.groupby("household")}
    home = data.set_index("person")["household"]
    assert len(seen) == 41
    for frame in seen[1:]:
        assert frame.index.equals(pd.RangeIndex(len(frame)))
        assert sorted(frame["household"].unique()) == list(range(60))
        for _, rows in frame.groupby("household"):
            assert sorted(rows["person"]) == by_household[home[rows["person"].iloc[0]]]
        # Drawn twice, a household is two.
        assert frame["household"].nunique() > frame["person"].map(home).nunique()


def test_limits_are_widened_percentiles():
    data = households(n=25)
    table = bootstrap(lambda d: d["months"].mean(), data, "household", replicates=300, conf_level=0.9)
    values = by_hand(lambda d: d["months"].mean(), data, 300, 1)
    tail = NormalDist().cdf(-np.sqrt(25 / 24) * student.ppf(0.95, 24))
    assert 0.04 < tail < 0.05
    np.testing.assert_allclose(table.loc[0, ["lower", "upper"]], np.quantile(values, [tail, 1 - tail]), rtol=1e-12)


def test_se_is_that_of_the_formula():
    """The mean over persons is a ratio of household sums: the linearised variance of it."""
    data = households(3, n=400)
    sums = data.groupby("household")["months"].agg(["sum", "size"])
    mean = data["months"].mean()
    formula = np.sqrt(((sums["sum"] - mean * sums["size"]) ** 2).sum()) / len(data)
    table = bootstrap(lambda d: d["months"].mean(), data, "household", replicates=1500)
    persons = data["months"].std() / np.sqrt(len(data))
    assert table["se"][0] == pytest.approx(formula, rel=0.07)
    assert formula > 1.2 * persons


def test_labels_instead_of_a_column_leave_the_data_as_they_are():
    data, seen = households(), []

    def keep(frame):
        seen.append(frame)
        return frame["months"].mean()

    first = bootstrap(lambda d: d["months"].mean(), data, "household", replicates=30)
    for labels in (data["household"], data["household"].to_numpy(), list(data["household"])):
        again = bootstrap(keep, data, labels, replicates=30)
        pd.testing.assert_frame_equal(again, first)
    assert seen[1]["household"].isin(data["household"]).all()


def test_it_depends_on_the_seed_only():
    data = households()
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = bootstrap(lambda d: d["months"].median(), data, "household", replicates=50, seed=3)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    again = bootstrap(lambda d: d["months"].median(), data.sort_values("person"), "household", replicates=50, seed=3)
    pd.testing.assert_frame_equal(first, again)
    other = bootstrap(lambda d: d["months"].median(), data, "household", replicates=50, seed=4)
    assert other["se"][0] != first["se"][0]


def test_data_are_not_changed():
    data = households()
    before = data.copy()

    def changes(frame):
        frame["new"] = 1
        frame.loc[:, "months"] = frame["months"] + 1
        return frame["months"].mean()

    bootstrap(changes, data, "household", replicates=3)
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize(
    ("statistic", "index"),
    [
        (lambda d: 1.5, [0]),
        (lambda d: np.float64(d["months"].mean()), [0]),
        (lambda d: d[["months", "left"]].mean().to_numpy(), [0, 1]),
        (lambda d: [d["months"].mean(), 2, 3], [0, 1, 2]),
        (lambda d: {"mean": d["months"].mean(), "n": len(d)}, ["mean", "n"]),
        (lambda d: d.groupby("left")["months"].mean(), [False, True]),
    ],
)
def test_labels_of_the_values(statistic, index):
    table = bootstrap(statistic, households(), "household", replicates=5)
    assert list(table.index) == index
    assert list(table.columns) == ["estimate", "se", "lower", "upper", "failed"]


def test_a_statistic_that_clusters_sees_drawn_households_as_clusters():
    data = households(5, n=150)

    def se(frame):
        curve = kaplan_meier(frame["months"], frame["left"], cluster=frame["household"])
        return curve.loc[curve["time"] <= 12, ["survival", "se"]].iloc[-1]

    table = bootstrap(se, data, "household", replicates=100)
    assert table.loc["survival", "se"] == pytest.approx(table.loc["se", "estimate"], rel=0.25)
    # Were the two draws of a household one cluster, the mean se of replicates would be √2 times as large.
    assert table.loc["se", "lower"] < table.loc["se", "estimate"] < table.loc["se", "upper"]


@pytest.mark.thorough
def test_identifiers_keep_persons_drawn_twice_apart():
    rng = np.random.default_rng(2)
    rows = [(p // 2, f"P{p}", t) for p in range(60) for t in (0, 6, 12)]
    data = pd.DataFrame(rows, columns=["household", "person", "month"])
    data["state"] = np.where(rng.random(len(data)) < 0.4, "metropole", "region")
    pairs = [("metropole", "region"), ("region", "metropole")]

    def rates(d):
        return panel_markov(d["person"], d["month"], d["state"], pairs).sojourn

    with pytest.raises(ValueError, match="repeat a time of the same person"):
        bootstrap(rates, data, "household", replicates=20)
    table = bootstrap(rates, data, "household", replicates=20, identifiers=["person"])
    assert list(table.index) == ["metropole", "region"]
    assert (table["se"] > 0).all()


def sometimes(share):
    """Fails in about this share of the replicates, and not on the data (the first call)."""
    calls = iter(range(10**6))

    def statistic(frame):
        if (i := next(calls)) and (i * 0.6180339887) % 1 < share:
            raise ZeroDivisionError("nobody left")
        return frame["months"].mean()

    return statistic


def test_failures_are_counted_and_too_many_refused():
    data = households()
    table = bootstrap(sometimes(0.08), data, "household", replicates=200)
    assert 10 <= table["failed"][0] <= 20
    assert np.isfinite(table.loc[0, ["se", "lower", "upper"]]).all()
    with pytest.raises(ValueError, match=r"of 200 replicates failed for 0: more than a tenth.*nobody left"):
        bootstrap(sometimes(0.2), data, "household", replicates=200)


def test_a_value_that_is_missing_in_the_data_has_no_limits():
    data = households()
    table = bootstrap(lambda d: {"mean": d["months"].mean(), "never": np.nan, "far": np.inf}, data, "household")
    assert table["failed"].tolist() == [0, 500, 500]
    assert table.loc[["never", "far"], ["se", "lower", "upper"]].isna().all(axis=None)
    assert table.loc["mean"].notna().all()


def test_labels_absent_from_a_replicate_are_failures_of_that_value():
    data = households(n=80)
    rare = data["household"].isin(sorted(data["household"].unique())[:4])
    data["group"] = np.where(rare, "rare", np.where(data["left"], "a", "b"))
    table = bootstrap(lambda d: d.groupby("group")["months"].mean(), data, "household", replicates=300)
    assert table.loc[["a", "b"], "failed"].tolist() == [0, 0]
    absent = np.exp(-4)
    assert table.loc["rare", "failed"] == pytest.approx(300 * absent, abs=3.5 * np.sqrt(300 * absent))


def test_a_mistake_in_the_statistic_is_not_a_failure():
    def wrong(frame):
        return frame["months"].mean().no_such_thing

    with pytest.raises(AttributeError):
        bootstrap(wrong, households(), "household", replicates=5)

    calls = iter(range(100))
    with pytest.raises(TypeError):
        bootstrap(lambda d: 1.0 if not next(calls) else None + 1, households(), "household", replicates=5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cluster": "home"}, "cluster: 1 unknown column, 'home'"),
        ({"cluster": [1, 2]}, "cluster: 2 values given"),
        ({"cluster": "one"}, "cluster: 1 clusters in"),
        ({"cluster": "some"}, "cluster: 1 of .* values are missing"),
        ({"replicates": 1}, "replicates: 1 value, 1,"),
        ({"replicates": 2.5}, "replicates: 1 value, 2.5"),
        ({"conf_level": 1.0}, "conf_level"),
        ({"identifiers": ["who"]}, "identifiers: 1 of 1 are not columns"),
        ({"statistic": lambda d: np.ones((2, 2))}, "statistic: 2 dimensions"),
        ({"statistic": lambda d: pd.Series([1, 2], ["a", "a"])}, "statistic: 1 of 2 labels are repeated"),
        ({"statistic": lambda d: d["household"].value_counts().to_numpy()}, None),
        ({"statistic": lambda d: d["months"].unique()}, "statistic: .* values on a replicate"),
        ({"data": [1, 2]}, "data: a DataFrame is expected"),
    ],
)
def test_refused(changed, said):
    data = households()
    data["one"], data["some"] = 1, np.where(np.arange(len(data)) == 3, None, "h")
    given = {"statistic": lambda d: 1.0, "data": data, "cluster": "household", "replicates": 5} | changed
    if said is None:
        assert len(bootstrap(**given)) == 60  # the number of households is the same in all replicates
        return
    with pytest.raises(ValueError, match=said):
        bootstrap(**given)
