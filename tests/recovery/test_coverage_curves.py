"""Kaplan–Meier, cumulative incidence and restricted means: 500 persons, a quarter of whom enter late; and households.

Times to exit are Weibull, S(t) = exp(−(t/40)^0.8), the cause being independent of the time: F_k(t) = p_k (1 − S(t)).
Whoever has left before entering is not in the sample. In the households of the second design one frailty, gamma with
mean 1 and variance ½, is shared by three or four persons who enter and are censored together: S(t) = (1 + t/60)⁻².
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from coverage_study import LONG, SHORT, Study, check, known, run

from trajectories.survival import cumulative_incidence, kaplan_meier, restricted_mean, restricted_mean_difference

MONTHS = np.array([6.0, 12.0, 24.0, 36.0])
SHARES = np.array([0.5, 0.35, 0.15])
SCALE, SHAPE = 40.0, 0.8
TAU = 36.0
STEP = np.linspace(0, TAU, 200_001)


def persons(rng, n=500):
    """Time, cause and entry of n persons seen."""
    draw = 2 * n
    entry = np.where(rng.random(draw) < 0.25, rng.uniform(0, 12, draw), 0.0)
    exit_ = SCALE * rng.weibull(SHAPE, draw)
    seen = np.flatnonzero(exit_ > entry)[:n]
    entry, exit_ = entry[seen], exit_[seen]
    end = entry + rng.uniform(6, 60, n)
    cause = np.where(exit_ <= end, rng.choice([1, 2, 3], n, p=SHARES), 0)
    return np.minimum(exit_, end), cause, entry


def households(rng, n=500):
    """Time, cause, entry and household of n persons, three or four a household."""
    size = rng.integers(3, 5, n)
    household = np.repeat(np.arange(n), size)[: 2 * n]
    frailty = rng.gamma(2, 0.5, n)[household]
    entry = np.where(rng.random(n) < 0.25, rng.uniform(0, 12, n), 0.0)[household]
    exit_ = rng.exponential(30, len(household)) / frailty
    end = entry + rng.uniform(6, 60, n)[household]
    seen = np.flatnonzero(exit_ > entry)[:n]
    exit_, entry, end, household = exit_[seen], entry[seen], end[seen], household[seen]
    cause = np.where(exit_ <= end, rng.choice([1, 2, 3], n, p=SHARES), 0)
    return np.minimum(exit_, end), cause, entry, household


def survival(months):
    return np.exp(-((months / SCALE) ** SHAPE))


def shared_survival(months):
    return (1 + months / 60) ** -2.0


def at(table, columns):
    """The rows in force at MONTHS."""
    row = np.searchsorted(table["time"].to_numpy(), MONTHS, side="right") - 1
    return [table[c].to_numpy()[row] for c in columns]


def km(rng):
    time, cause, entry = persons(rng)
    return at(kaplan_meier(time, cause > 0, entry=entry), ("survival", "se", "lower", "upper"))


def km_households(rng, clustered=True):
    time, cause, entry, household = households(rng)
    table = kaplan_meier(time, cause > 0, entry=entry, cluster=household if clustered else None)
    return at(table, ("survival", "se", "lower", "upper"))


def incidence(rng, variance):
    """The second cause."""
    time, cause, entry = persons(rng)
    table = cumulative_incidence(time, cause, entry=entry, variance=variance)
    return at(table[table["cause"] == 2], ("incidence", "se", "lower", "upper"))


def incidence_from_start(rng):
    """Aalen's variance is, as R's cuminc, for persons followed from the start."""
    time, cause, entry = persons(rng)
    started = entry == 0
    table = cumulative_incidence(time[started], cause[started], variance="aalen")
    return at(table[table["cause"] == 2], ("incidence", "se", "lower", "upper"))


def incidence_households(rng):
    time, cause, entry, household = households(rng)
    table = cumulative_incidence(time, cause, entry=entry, cluster=household)
    return at(table[table["cause"] == 2], ("incidence", "se", "lower", "upper"))


def mean(rng):
    time, cause, entry = persons(rng)
    table = pd.concat([restricted_mean(time, cause > 0, tau, entry=entry) for tau in (12.0, TAU)])
    return [table[c].to_numpy() for c in ("mean", "se", "lower", "upper")]


def mean_households(rng, clustered=True):
    time, cause, entry, household = households(rng)
    cluster = household if clustered else None
    table = pd.concat([restricted_mean(time, cause > 0, tau, entry=entry, cluster=cluster) for tau in (12.0, TAU)])
    return [table[c].to_numpy() for c in ("mean", "se", "lower", "upper")]


def mean_difference(rng):
    """Two arms of one distribution, members of a household in both: the difference and the log ratio are 0."""
    time, cause, entry, household = households(rng)
    arm = np.arange(len(time)) % 2
    table = restricted_mean_difference(time, cause > 0, arm, TAU, entry=entry, cluster=household)
    ratio = table.index[table["measure"] == "ratio"]
    table.loc[ratio, ["estimate", "lower", "upper"]] = np.log(table.loc[ratio, ["estimate", "lower", "upper"]])
    return [table[c].to_numpy() for c in ("estimate", "se", "lower", "upper")]


def area(curve, tau):
    grid = STEP[tau >= STEP]
    return float(np.trapezoid(curve(grid), grid))


S, SHARED = tuple(survival(MONTHS)), tuple(shared_survival(MONTHS))
POINTS = tuple(f"S({m:.0f})" for m in MONTHS)
SECOND = tuple(f"F2({m:.0f})" for m in MONTHS)
F, SHARED_F = tuple(SHARES[1] * (1 - np.array(S))), tuple(SHARES[1] * (1 - np.array(SHARED)))
MEANS = ("mean to 12", "mean to 36")
TRUE_MEANS, SHARED_MEANS = (tuple(area(curve, tau) for tau in (12.0, TAU)) for curve in (survival, shared_survival))
LATE, TOGETHER = "500 persons, a quarter enter late", "500 persons in households of 3–4, frailty"
STUDIES = [
    Study("kaplan_meier", LATE, POINTS, S, km),
    Study("kaplan_meier, cluster", TOGETHER, POINTS, SHARED, km_households),
    Study("cumulative_incidence, greenwood", LATE, SECOND, F, lambda rng: incidence(rng, "greenwood")),
    Study("cumulative_incidence, jackknife", LATE, SECOND, F, lambda rng: incidence(rng, "jackknife")),
    Study("cumulative_incidence, aalen", "375 of 500 persons, no late entry", SECOND, F, incidence_from_start),
    Study("cumulative_incidence, cluster", TOGETHER, SECOND, SHARED_F, incidence_households),
    Study("restricted_mean", LATE, MEANS, TRUE_MEANS, mean),
    Study("restricted_mean, cluster", TOGETHER, MEANS, SHARED_MEANS, mean_households),
    Study("restricted_mean_difference, cluster", TOGETHER, ("difference", "log ratio"), (0.0, 0.0), mean_difference),
]
NAMES = [f"{study.estimator}" for study in STUDIES]


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_coverage(study):
    check(known(study, SHORT))


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_coverage_long(study):
    check(run(study, LONG))


@pytest.mark.parametrize("one", [km_households, mean_households])
def test_limits_that_ignore_households_are_too_narrow(one):
    cluster = next(study for study in STUDIES if study.one is one)
    naive = Study("naive", TOGETHER, cluster.quantities, cluster.truth, lambda rng: one(rng, clustered=False))
    table, with_cluster = run(naive, 300), run(cluster, 300)
    print(table.round(3).to_string(index=False))
    # 300 replications: a true 95 % gives .95 ± .0126
    assert table["coverage"].min() < 0.95 - 3 * 0.0126
    assert (table["mean_se"] < 0.93 * table["sd"]).any()
    assert (with_cluster["mean_se"] / with_cluster["sd"]).between(0.9, 1.1).all()
