"""A known truth, simulated: households share a frailty, half of the stays are found late, presence is seen at visits.

T is exponential given a gamma frailty of its household (mean 1, variance ½), so S(t) = (1 + λt/2)⁻², and the cause is
independent of T: F_c(t) = p_c (1 − S(t)). Visits come at intervals of about six months whether or not the person has
left; 3 exits of 10 are dated, 1 of 10 has no destination.
"""

from __future__ import annotations

import numpy as np

from trajectories.survival import interval_incidence

RATES = np.array([0.012, 0.006, 0.003])
MONTHS = (6, 12, 24)


def truth(month, cause):
    survival = (1 + RATES.sum() * month / 2) ** -2.0
    return survival if cause == 0 else RATES[cause - 1] / RATES.sum() * (1 - survival)


def simulate(households, rng):
    size = rng.integers(1, 4, households)
    household = np.repeat(np.arange(households), size)
    n = len(household)
    exit_time = rng.exponential(1 / (RATES.sum() * rng.gamma(2, 0.5, households)[household]))
    cause = rng.choice([1, 2, 3], n, p=RATES / RATES.sum())
    entry = np.where(rng.random(households) < 0.5, rng.uniform(0, 18, households), 0)[household]
    end = rng.uniform(12, 60, households)[household]
    seen = (exit_time > entry) & (end > entry)
    exit_time, cause, entry, end, household = (x[seen] for x in (exit_time, cause, entry, end, household))
    n = len(entry)
    visits = entry[:, None] + np.cumsum(rng.exponential(6, (n, 60)) + 0.5, axis=1)
    made = visits <= end[:, None]
    gone = visits >= exit_time[:, None]
    lower = np.maximum(entry, np.where(made & ~gone, visits, 0).max(axis=1))
    upper = np.where(made & gone, visits, np.inf).min(axis=1)
    known = np.isfinite(upper)
    dated = known & (rng.random(n) < 0.3)
    lower[dated] = upper[dated] = exit_time[dated]
    cause = np.where(known & (rng.random(n) > 0.1), cause, 0)
    return lower, upper, cause, entry, household


def test_no_bias_and_limits_that_cover():
    runs, found, covered, sd = 40, [], [], []
    rng = np.random.default_rng(20)
    for run in range(runs):
        lower, upper, cause, entry, household = simulate(120, rng)
        table = interval_incidence(
            lower, upper, cause, entry=entry, cluster=household, replicates=60, seed=run
        ).table.set_index(["cause", "month"])
        rows = table.loc[[(c, m) for c in (0, 1, 2) for m in MONTHS]]
        goal = np.array([truth(m, c) for c in (0, 1, 2) for m in MONTHS])
        found.append(rows["incidence"].to_numpy() - goal)
        covered.append(((rows["lower"] <= goal) & (goal <= rows["upper"])).to_numpy())
        sd.append(rows["se"].to_numpy())
    found, covered = np.array(found), np.array(covered)
    bias, error = found.mean(axis=0), found.std(axis=0, ddof=1)
    print("bias", bias.round(4), "standard errors away", (bias / error * np.sqrt(runs)).round(1))
    print("coverage", covered.mean(axis=0).round(2), "se said / seen", (np.mean(sd, axis=0) / error).round(2))
    assert np.all(np.abs(bias) < 3.5 * error / np.sqrt(runs))  # nine numbers, 3.5 standard errors each
    assert np.all(np.abs(np.mean(sd, axis=0) / error - 1) < 0.3)
    assert covered.mean() > 0.90
    assert covered.mean(axis=0).min() > 0.82  # 0.95 less 3.8 standard errors of 40 runs


def test_persons_instead_of_households_are_too_narrow():
    rng = np.random.default_rng(3)
    lower, upper, cause, entry, household = simulate(600, rng)
    # everyone of a household does the same: the truth about how much such data know is one person a household
    three = [np.repeat(x, 3) for x in (lower, upper, cause, entry, household)]
    by_household, by_person = (
        interval_incidence(*three[:3], entry=three[3], cluster=c, replicates=100).table.query("cause == 0")["se"]
        for c in (three[4], None)
    )
    assert 1.4 < (by_household / by_person).iloc[5:30].mean() < 2.6
