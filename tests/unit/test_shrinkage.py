"""Regions drawn towards the province, and the funnel, on numbers that can be worked out."""

import numpy as np
import pandas as pd
import pytest

from trajectories import Study
from trajectories.analysis.comparison import funnel, shrunken
from trajectories.analysis.comparison.shrinkage import between_regions, funnel_limits


def rates(groups, estimates, errors, horizon=12, **more):
    table = pd.DataFrame({
        "group": groups, "horizon": horizon, "method": "main", "estimate": estimates, "se": errors, "lower": 0.1,
        "upper": 0.99, "n_start": 100, "n_at_risk": 60,
    })  # fmt: skip
    return table.assign(**more)


REGIONS = rates(
    ["province", "01", "02", "03", "05", "07"], [0.80, 0.62, 0.76, 0.84, 0.81, 0.90],
    [0.008, 0.09, 0.03, 0.015, 0.012, 0.06],
)  # fmt: skip


def test_the_variance_between_is_the_highest_point_of_the_restricted_likelihood():
    rng = np.random.default_rng(1)
    for _ in range(20):
        v = rng.uniform(0.01, 0.5, 12)
        y = rng.normal(0, np.sqrt(v + rng.choice([0.0, 0.05, 0.4])))
        found = between_regions(y, v)

        grid = np.linspace(0, 2, 10_001)
        w = 1 / (v + grid[:, None])
        mean = ((w * y).sum(axis=1) / w.sum(axis=1))[:, None]
        value = np.log(w).sum(axis=1) - np.log(w.sum(axis=1)) - (w * (y - mean) ** 2).sum(axis=1)
        best = grid[np.argmax(value)]
        assert found == pytest.approx(best, abs=2e-4)


def test_a_small_region_moves_most_and_all_move_towards_the_province():
    table = shrunken(REGIONS).set_index("group")
    print(table[["estimate", "shrunken", "weight", "tau2", "shrunken_lower", "shrunken_upper"]].round(3).to_string())
    low, high = np.minimum(table["estimate"], 0.80), np.maximum(table["estimate"], 0.80)
    assert table["shrunken"].between(low - 1e-12, high + 1e-12).all()
    assert table["weight"].idxmin() == "07" and table["weight"].idxmax() == "05"
    assert (table["shrunken_lower"] < table["shrunken"]).all() and (table["shrunken"] < table["shrunken_upper"]).all()
    # the answer by hand, on log(−log S)
    y, y0 = np.log(-np.log(0.62)), np.log(-np.log(0.80))
    v = (0.09 / (0.62 * np.log(0.62))) ** 2
    w = table.loc["01", "tau2"] / (table.loc["01", "tau2"] + v)
    assert table.loc["01", "shrunken"] == pytest.approx(np.exp(-np.exp(w * y + (1 - w) * y0)))


def test_with_no_spread_beyond_chance_every_region_is_the_province():
    same = rates(["province", "01", "02", "03", "05"], [0.8, 0.79, 0.81, 0.80, 0.80], [0.01, 0.1, 0.1, 0.1, 0.1])
    table = shrunken(same)
    assert (table["tau2"] == 0).all() and np.allclose(table["shrunken"], 0.8)


def test_with_too_few_regions_none_is_drawn_and_it_is_said():
    table = shrunken(REGIONS[REGIONS["group"].isin(["province", "01", "02"])])
    assert table["shrunken"].isna().all() and table["note"].str.contains("Too few").all()


def test_only_the_main_rows_with_an_estimate_are_read_and_groups_of_the_study_are_drawn_too():
    more = pd.concat([
        REGIONS, rates(["08"], [np.nan], [np.nan]), rates(["Est"], [0.7], [0.05]), rates(["01"], [0.2], [0.01],
        method="plain"), rates(["sex=F"], [0.5], [0.05]),
    ])  # fmt: skip
    study = Study.from_mapping({"groups": {"Est": ["01", "11"]}})
    table = shrunken(more, study=study)
    assert table["group"].tolist() == ["01", "02", "03", "05", "07", "Est"]
    assert table["tau2"].iloc[0] == shrunken(REGIONS)["tau2"].iloc[0]


def test_a_horizon_without_a_provincial_value_gives_nothing():
    assert shrunken(REGIONS[REGIONS["group"].ne("province")]).empty
    assert funnel(REGIONS[REGIONS["group"].ne("province")]).empty


def test_the_funnel_holds_what_chance_alone_does():
    rng = np.random.default_rng(2)
    n, rate = 150, 0.8
    share = rng.binomial(n, rate, 20_000) / n
    limits = funnel_limits(rate, float(n))
    inside = ((share >= limits["lower_95"]) & (share <= limits["upper_95"])).mean()
    wide = ((share >= limits["lower_998"]) & (share <= limits["upper_998"])).mean()
    print("inside 95 % and 99.8 % limits:", inside, wide)
    assert 0.93 < inside < 0.97 and 0.994 < wide < 1


def test_next_to_no_stays_have_no_limits():
    # an estimate whose error is beyond all measure, as two replicates of a few stays give
    limits = funnel_limits(0.9, np.array([3e-8]))
    assert [float(limits[name][0]) for name in ("lower_998", "upper_998")] == [0.0, 1.0]


def test_the_funnels_precision_is_the_number_of_stays_where_all_ends_are_known():
    n, rate = 120, 0.8
    table = funnel(rates(["province", "05"], [rate, rate], [0.001, np.sqrt(rate * (1 - rate) / n)]))
    assert table["effective_n"].iloc[0] == pytest.approx(n) and not table["outside"].iloc[0]
    far = funnel(rates(["province", "05"], [0.8, 0.5], [0.001, 0.03]))
    assert far["outside"].iloc[0] and far["outside_95"].iloc[0]
