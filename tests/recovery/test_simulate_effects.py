"""The planted effects are in the true histories, and nothing else is.

Exits per month at risk are compared within strata (Mantel and Haenszel's rate ratio), so that no estimator of the
library is needed to check the simulator that will check the estimators.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from trajectories.simulate import Settings
from trajectories.simulate import settings as effects
from trajectories.simulate.histories import true_lives
from trajectories.simulate.simulation import true_tables

WITHIN = 36.0  # months looked at


@pytest.fixture(scope="module")
def stays():
    table = true_tables(true_lives(Settings(households=7000, seed=11)))["stays"]
    table["time"] = np.minimum(table["months"], WITHIN)
    table["left"] = table["months"] <= WITHIN
    table["remote"] = table["region"].isin(effects.REMOTE_REGIONS)
    return table


def rate_ratio(table, exposed, strata):
    """Mantel–Haenszel ratio of the rates of leaving, exposed against not, within strata."""
    above = below = 0.0
    for _, group in table.assign(exposed=exposed).groupby(strata):
        hit, rest = group[group["exposed"]], group[~group["exposed"]]
        total = group["time"].sum()
        above += hit["left"].sum() * rest["time"].sum() / total
        below += rest["left"].sum() * hit["time"].sum() / total
    return above / below


def test_a_job_lengthens(stays):
    ratio = rate_ratio(stays, stays["job_found"], ["city_size", "remote"])
    assert ratio == pytest.approx(effects.JOB_AT_ESTABLISHMENT, abs=0.08)


@pytest.mark.parametrize("size", ["under_10000", "10000_49999", "50000_99999"])
def test_a_larger_city_lengthens(stays, size):
    two = stays[stays["city_size"].isin([size, "100000_and_over"]) & ~stays["remote"]]
    planted = effects.CITY_SIZE[size] / effects.CITY_SIZE["100000_and_over"]
    assert rate_ratio(two, two["city_size"] == size, ["job_found"]) == pytest.approx(planted, rel=0.15)


def test_an_exploratory_visit_lengthens(stays):
    first = stays[(stays["episode"] == 1) & (stays["pathway"] == "secondary")]
    ratio = rate_ratio(first, first["exploratory_visit"], ["city_size", "job_found", "remote"])
    assert ratio == pytest.approx(effects.EXPLORATORY_VISIT, abs=0.10)


def test_category_differs_raw_and_not_given_city_size(stays):
    two = stays[stays["immigration_category"].isin(["economic", "refugee"])]
    refugee = two["immigration_category"] == "refugee"
    raw = rate_ratio(two.assign(all=1), refugee, ["all"])
    adjusted = rate_ratio(two, refugee, ["city_size", "remote"])
    assert raw > 1.08
    assert adjusted == pytest.approx(1.0, abs=0.12)
    assert abs(adjusted - 1) < abs(raw - 1)


def test_housing_and_household_do_nothing(stays):
    strata = ["city_size", "job_found", "remote"]
    assert rate_ratio(stays, stays["housing_found"], strata) == pytest.approx(1.0, abs=0.10)


def test_the_pandemic_lowers_arrivals_and_exits(stays):
    first = stays[(stays["episode"] == 1) & (stays["establishment"] >= "2018-04-01")]
    month = first["establishment"].dt.to_period("M")
    inside = (month >= pd.Period("2020-03")) & (month <= pd.Period("2021-06"))
    per_month = inside.sum() / 16, (~inside).sum() / (93 - 16)
    assert per_month[0] / per_month[1] == pytest.approx(effects.PANDEMIC_ARRIVALS, abs=0.08)
    start, end = (np.datetime64(d) for d in effects.PANDEMIC)
    # Stays that began in the period, and well before or after it, over their first six months.
    began = stays["establishment"]
    during = stays[(began >= start) & (began < np.datetime64(dt.date(2020, 12, 31)))]
    outside = stays[(began < np.datetime64(dt.date(2019, 9, 1))) | (began > np.datetime64(dt.date(2022, 7, 1)))]
    rates = [(t["months"] <= 6).sum() / np.minimum(t["months"], 6).sum() for t in (during, outside)]
    assert rates[0] / rates[1] == pytest.approx(effects.PANDEMIC_EXITS, abs=0.18)
    assert end > start


def test_the_curve_has_the_calibrated_shape(stays):
    survival = {h: (stays["months"] > h).mean() for h in (6, 12, 24, 60, 84, 120)}
    assert 0.88 <= survival[6] <= 0.95
    assert 0.80 <= survival[12] <= 0.90
    assert 0.68 <= survival[24] <= 0.80
    assert 0.55 <= survival[60] <= 0.75
    # A plateau: nobody leaves after month 96, a share never does.
    assert survival[84] - survival[120] < 0.02
    assert stays.loc[np.isfinite(stays["months"]), "months"].max() <= effects.HORIZON + 0.01


def test_regions_are_very_unequal(stays):
    households = stays[stays["episode"] == 1].groupby("region")["true_household"].nunique()
    assert len(households) == 15
    assert list(households.sort_values(ascending=False).index[:3]) == ["03", "05", "07"]
    assert households["10"] < households.sum() * 0.005
    shares = stays[stays["exit_cause"].isin(effects.EXIT_CAUSES)]["exit_cause"].value_counts(normalize=True)
    assert shares["metropole"] > shares["outside_quebec"] > 0.1 < shares["other_region"]


def test_households_are_households(stays):
    pathways = stays[stays["episode"] == 1]["pathway"].value_counts(normalize=True)
    assert pathways["secondary"] > 0.85
    assert 0.04 < pathways["primary"] < 0.14
    assert stays["pathway"].isin(["secondary", "primary", "onward", "return_stay"]).all()
    # Members mostly leave on the same day.
    first = stays[(stays["episode"] == 1) & stays["exit"].notna()]
    days = first.groupby("true_household")["exit"].nunique()
    assert (days == 1).mean() > 0.85
