"""Do the limits of the parametric and discrete-time models cover? Mixture cure, cloglog hazard, n = 500 persons.

Exits are seen at visits of about six months, or dated (3 in 10); 4 persons in 10 are found late where persons are
independent. Households share what makes their members alike in a way that leaves the marginal model exact: one fate
(the share that never leaves), a positive stable frailty (proportional hazards, Hougaard 1986).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from coverage_study import LONG, Study, check, known, run

from trajectories.survival.regression.cure import mixture_cure
from trajectories.survival.regression.discrete_hazard import discrete_hazard

INTERVAL_RANGE = (0.90, 0.98)
PERSONS = 500


def visited(time, end, entry, rng, dated=0.3):
    """(lower, upper] from visits; persons who had left at their entry were never found. Last: who was found."""
    found = np.flatnonzero((time > entry) & (end > entry))
    time, end, entry = time[found], end[found], entry[found]
    visits = entry[:, None] + np.cumsum(rng.exponential(6, (len(found), 60)) + 0.5, axis=1)
    made, gone = visits <= end[:, None], visits >= time[:, None]
    lower = np.maximum(entry, np.where(made & ~gone, visits, 0).max(axis=1))
    upper = np.where(made & gone, visits, np.inf).min(axis=1)
    exact = np.isfinite(upper) & (rng.random(len(found)) < dated)
    lower[exact] = upper[exact] = time[exact]
    return lower, upper, entry, found


def late_entries(rng, n):
    return np.where(rng.random(n) < 0.4, rng.uniform(0, 18, n), 0.0)


def households(rng):
    """Of one to three persons, `PERSONS` in all."""
    return np.repeat(np.arange(PERSONS), rng.integers(1, 4, PERSONS))[:PERSONS]


def of_table(table, robust=False):
    """Estimates and limits of the coefficients."""
    coef = table["coef"].to_numpy()
    se = table["robust_se" if robust else "se"].to_numpy()
    return coef, se, coef - 1.959963984540054 * se, coef + 1.959963984540054 * se


def shares(values, together=False, robust=True):
    """A study of the share that never leaves, three at once; `together`: a household has one fate."""

    def one(rng):
        columns = []
        for value in values:
            house = households(rng) if together else np.arange(PERSONS)
            stays = rng.random(PERSONS)[house] < value
            time = np.where(stays, np.inf, 18 * rng.weibull(1.2, PERSONS))
            entry = np.zeros(PERSONS) if together else late_entries(rng, PERSONS)
            lower, upper, entry, found = visited(time, rng.uniform(60, 120, PERSONS), entry, rng)
            fit = mixture_cure(lower, upper, entry=entry, cluster=house[found] if together and robust else None)
            columns.append((fit.share, fit.se, fit.lower, fit.upper))
        return tuple(np.array(column) for column in zip(*columns, strict=True))

    return one


RATIO = np.array([0.5, -0.4])  # log hazard ratios: age (sd 1, of the household), sex
LEVELS, ENDS = np.array([0.03, 0.02, 0.015, 0.01]), np.array([0.0, 6, 12, 24, 60])
ALPHA = 0.6  # of the positive stable frailty: Kendall's τ in a household 0.4


def positive_stable(rng, n):
    """E exp(−sW) = exp(−s^α) (Kanter 1975)."""
    angle, size = rng.uniform(0, np.pi, n), rng.exponential(size=n)
    shape = np.sin((1 - ALPHA) * angle) ** ((1 - ALPHA) / ALPHA) * np.sin(ALPHA * angle)
    return shape / np.sin(angle) ** (1 / ALPHA) / size ** ((1 - ALPHA) / ALPHA)


def proportional(together=True, robust=True):
    """A study of months of exit under proportional hazards in continuous time, whose marginal model is exact."""
    reached = np.concatenate([[0], np.cumsum(LEVELS * np.diff(ENDS))])

    def one(rng):
        house = households(rng) if together else np.arange(PERSONS)
        age, sex = rng.normal(size=PERSONS)[house], rng.integers(0, 2, PERSONS)
        target = rng.exponential(size=PERSONS)
        if together:  # conditional on W, S = exp(−W (H e^{xβ})^{1/α}), so that S = exp(−H e^{xβ}) over households
            target = (target / positive_stable(rng, PERSONS)[house]) ** ALPHA
        target = target / np.exp(RATIO[0] * age + RATIO[1] * sex)
        time = np.where(target < reached[-1], np.interp(target, reached, ENDS), np.inf)
        end = rng.integers(12, 61, PERSONS)
        entry = np.zeros(PERSONS) if together else np.floor(late_entries(rng, PERSONS))
        month = np.minimum(np.ceil(np.where(np.isfinite(time), time, end)), end)
        found = (time > entry) & (month > entry)
        left = (np.ceil(np.minimum(time, 1e6)) <= end).astype(int)
        data = pd.DataFrame({"entry": entry, "month": month, "left": left, "age": age, "sex": sex, "house": house})
        fit = discrete_hazard(
            data[found],
            start="entry",
            stop="month",
            event="left",
            covariates=["age", "sex"],
            pieces=(6, 12, 24),
            cluster="house" if together and robust else None,
        )
        return of_table(fit.table, together and robust)

    return one


SHARES = (0.2, 0.5, 0.8)
SHARE_NAMES = tuple(f"share {value}" for value in SHARES)
SEEN = "500 persons seen at visits, 4 in 10 found late"
CLUSTERED = {
    "cure": Study(
        "mixture_cure, clustered",
        "households of 1–3 stay for good together",
        SHARE_NAMES,
        SHARES,
        shares(SHARES, together=True),
        INTERVAL_RANGE,
        quick=False,
    ),
    "discrete": Study(
        "discrete_hazard, clustered",
        "households of 1–3 share a positive stable frailty (α 0.6)",
        ("age", "sex"),
        tuple(RATIO),
        proportional(),
    ),
}
STUDIES = [
    Study("mixture_cure", SEEN + ", for 60–120 months", SHARE_NAMES, SHARES, shares(SHARES), INTERVAL_RANGE),
    Study("discrete_hazard", "months of exit, 4 in 10 found late", ("age", "sex"), tuple(RATIO), proportional(False)),
    *CLUSTERED.values(),
]
NAIVE = [  # the same samples without the households; which quantity they share
    ("cure", shares(SHARES, together=True, robust=False), 1),
    ("discrete", proportional(robust=False), 0),
]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.estimator)
def test_limits_cover(study):
    check(known(study, study.short))


@pytest.mark.parametrize(("name", "one", "quantity"), NAIVE, ids=[name for name, *_ in NAIVE])
def test_without_households_the_standard_error_is_too_small(name, one, quantity):
    study = CLUSTERED[name]
    clustered = known(study, study.short).loc[quantity]
    naive = run(replace(study, one=one), study.short).loc[quantity]
    print("se said / seen", clustered["mean_se"] / clustered["sd"], naive["mean_se"] / naive["sd"])
    print("coverage", clustered["coverage"], naive["coverage"])
    assert naive["mean_se"] < 0.88 * naive["sd"] and naive["coverage"] < clustered["coverage"]
    # three standard errors of the sd of so many
    assert abs(clustered["mean_se"] / clustered["sd"] - 1) < 3 / np.sqrt(2 * study.short)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.estimator)
def test_limits_cover_as_often_as_they_say(study):
    check(run(study, LONG))
