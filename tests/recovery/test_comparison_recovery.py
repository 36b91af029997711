"""Category does nothing once city size is held alike, and looks as if it did where it is not.

Stays as the simulator plants them (simulate/settings.py): the hazard of leaving depends on the size of the city and not
on the immigration category, which goes with the size of the city (temporary workers in small towns, economic immigrants
in large ones). Departures become known as the observation model says: contacts that fail, news that comes late or never
(simulate/stays.py). What is compared with the truth is `compare`, whole.
"""

import numpy as np
import pandas as pd
import pytest

from trajectories import Study
from trajectories.analysis.comparison import compare
from trajectories.simulate import settings as effects
from trajectories.simulate.stays import _PURPOSES, HEARING, LAST, _contacts, _failing, _news, _Stays

SIZES = {"under_10k": "under_10000", "10k_50k": "10000_49999", "100k_plus": "100000_and_over"}
OF_SIZES = (0.4, 0.2, 0.4)  # of the stays
COMPARED = "immigration_category=temporary_worker"
HORIZON = 24
STUDY = Study.from_mapping({"horizons": [12, HORIZON], "replicates": 60})
NAMES = np.array([None, *effects.EXIT_CAUSES], dtype=object)


def cohort_and_contacts(n, seed, ratio=1.0):
    """So many stays, and what is told of them; temporary workers leave `ratio` times as often, city size alike."""
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(n), rng.integers(1, 5, n))[:n]
    size = rng.choice(len(SIZES), n, p=OF_SIZES)[household]
    shares = np.array([effects.CATEGORY_BY_SIZE[name] for name in SIZES.values()])[:, [0, 5]]
    shares = shares / shares.sum(axis=1, keepdims=True)
    worker = rng.random(n)[household] > shares[size, 0]
    factor = np.array([effects.CITY_SIZE[name] for name in SIZES.values()])[size] * np.where(worker, ratio, 1.0)
    # members of a household share, one time in two, the number that their exit is drawn with
    uniform = np.where(rng.random(n) < 0.5, rng.random(n)[household], rng.random(n))
    hazard = np.zeros(LAST)
    hazard[: len(effects.MONTHLY)] = effects.MONTHLY
    spent = np.concatenate([[0.0], np.cumsum(hazard)])
    # in continuous time: the hazards are rates
    needed = -np.log(uniform) / factor
    month = np.searchsorted(spent, needed, side="left")
    exact = month - rng.random(n)
    cause = 1 + rng.choice(3, n, p=effects.CAUSE_SHARES)
    cutoff = rng.integers(18, 73, n)[household].astype(float)
    stays = _Stays(month, exact, cause, np.zeros(n), cutoff, household)
    rngs = {name: np.random.default_rng([seed, k]) for k, name in enumerate(_PURPOSES)}
    failing = _failing((0.12, 0.30), (0.50, 0.70))
    told = pd.concat([
        _contacts(stays, [3.0, 6.0, 12.0, 24.0], failing, rngs), _news(stays, np.array(HEARING), rngs["news"]),
    ])  # fmt: skip
    cohort = pd.DataFrame({
        "person_id": np.arange(n).astype(str), "household_id": household, "episode": 1, "excluded": None,
        "pathway": "secondary", "region": "05", "role": None, "age": 30.0, "household_size": 1, "entry": 0.0,
        "establishment_latest": pd.Timestamp("2022-05-01"),
        "cutoff": cutoff, "heard_until": cutoff, "city_size": np.array(list(SIZES), dtype=object)[size],
        "immigration_category": np.where(worker, "temporary_worker", "economic"),
        "sex": np.where(rng.random(n) < 0.5, "F", "M"),
    })  # fmt: skip
    contacts = pd.DataFrame({
        "person_id": told["stay"].astype(str), "episode": 1, "month": told["month"], "kind": told["kind"],
        "organisation_id": told["organisation"], "cause": NAMES[told["cause"]], "departure_earliest": np.nan,
        "departure_latest": np.nan,
    })  # fmt: skip
    return cohort, contacts


def truth(ratio):
    """The true standardised difference at the horizon: everyone a temporary worker less everyone not."""
    spent = effects.MONTHLY[:HORIZON].sum()
    of_size = np.array([effects.CITY_SIZE[name] for name in SIZES.values()])
    return float(np.exp(-np.outer([ratio, 1.0], of_size * spent)) @ OF_SIZES @ (1, -1))


def contrasts(n, seeds, ratio=1.0, replicates=60):
    found = []
    for seed in seeds:
        cohort, contacts = cohort_and_contacts(n, seed, ratio)
        table = compare(cohort, contacts, by="immigration_category", adjust=["sex"], study=STUDY, replicates=replicates)
        found.append(table[table["measure"].eq("difference") & table["group"].eq(COMPARED)].assign(seed=seed))
    return pd.concat(found, ignore_index=True)


def summary(table):
    return table.assign(rejected=table["p_value"] < 0.05).groupby(["method", "horizon"]).agg(
        mean=("estimate", "mean"), spread=("estimate", "std"), se=("se", "mean"), rejected=("rejected", "mean"),
        disagree=("disagree", "mean"), runs=("seed", "nunique"),
    )  # fmt: skip


def test_category_does_nothing_once_city_size_is_in():
    table = contrasts(1600, range(701, 704), replicates=20)
    found = summary(table)
    print(found.round(4).to_string())
    at = found.xs(HORIZON, level="horizon")
    # three cohorts: a mean is known to 0.6 standard errors of one; of the full 200 the test below counts rejections
    for method in ("weighted", "g_computation"):
        assert abs(at.loc[method, "mean"]) < 1.5 * at.loc[method, "se"]
        assert at.loc[method, "rejected"] <= 0.5
    assert at.loc["unadjusted", "mean"] < -1.5 * at.loc["unadjusted", "se"]


def test_an_effect_that_is_there_is_found():
    table = contrasts(1600, range(711, 713), ratio=1.8, replicates=20)
    at = summary(table).xs(HORIZON, level="horizon")
    print(f"truth {truth(1.8):.4f}", at.round(4).to_string(), sep="\n")
    for method in ("weighted", "g_computation"):
        # the mean of two cohorts is known to 0.7 standard errors of one
        assert abs(at.loc[method, "mean"] - truth(1.8)) < 1.8 * at.loc[method, "se"]
        assert at.loc[method, "rejected"] == 1


@pytest.mark.slow
def test_over_200_cohorts_the_standardised_contrast_rejects_in_at_most_8_percent_and_the_naive_one_in_most():
    table = contrasts(4000, range(1001, 1201), replicates=40)
    found = summary(table)
    print(found.round(4).to_string())
    for horizon in (12, HORIZON):
        at = found.xs(horizon, level="horizon")
        for method in ("weighted", "g_computation"):
            assert at.loc[method, "rejected"] <= 0.08
            assert abs(at.loc[method, "mean"]) < 0.007
            assert 0.85 < at.loc[method, "se"] / at.loc[method, "spread"] < 1.15
        assert at.loc["unadjusted", "rejected"] > 0.5


@pytest.mark.slow
def test_over_40_cohorts_a_true_difference_is_met():
    table = contrasts(2500, range(1301, 1341), ratio=1.4, replicates=2)
    at = summary(table).xs(HORIZON, level="horizon")
    print(f"truth {truth(1.4):.4f}", at.round(4).to_string(), sep="\n")
    for method in ("weighted", "g_computation"):
        assert abs(at.loc[method, "mean"] - truth(1.4)) < 0.012
