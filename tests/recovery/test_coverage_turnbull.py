"""Turnbull's S(t) where presence is seen at visits, on whole months: bias, and limits from resampled persons.

Exits are exponential with mean 30 months. A visit is due every three months, from a month of the person's own, and
every second one is made, until the study ends (18–60 months). What is known is the last visit at which the person was
present and the first at which she was gone; in the second design a fifth of the exits are also dated to their month.

There is no formula for the variance; se are those of resamples, as multinomial weights on the distinct intervals, and
limits are log-log limits with that se, as those of `interval_incidence`.
"""

from __future__ import annotations

import numpy as np
import pytest
from coverage_study import LONG_AND_SLOW, SHORT, Study, check, known, run

from trajectories.survival.intervals.turnbull import turnbull
from trajectories.survival.limits import survival_limits

PERSONS, MEAN, AT = 500, 30.0, np.array([6.0, 12.0, 24.0, 36.0])
EVERY, MADE, LAST = 3, 0.5, 60
# With the standard error of 25 resamples, limits of 95 % cover 93.8 % (t of 24 degrees of freedom).
RESAMPLES = {SHORT: 25, LONG_AND_SLOW: 100}


def simulated(rng, dated):
    month = np.ceil(rng.exponential(MEAN, PERSONS))
    end = rng.integers(18, LAST + 1, PERSONS)
    due = rng.integers(0, EVERY, PERSONS)[:, None] + np.arange(0, LAST + 1, EVERY)
    made = (rng.random(due.shape) < MADE) & (due > 0) & (due <= end[:, None])
    gone = due >= month[:, None]
    lower = np.where(made & ~gone, due, 0).max(axis=1).astype(float)
    upper = np.where(made & gone, due, np.inf).min(axis=1)
    exact = np.isfinite(upper) & (rng.random(PERSONS) < dated)
    lower[exact] = upper[exact] = month[exact]
    return lower, upper


def survival(lower, upper, weights):
    """S at `AT`. It is determined there unless a mass lies on both sides of a month; it is then put at the right."""
    table = turnbull(lower, upper, weights=weights)
    return np.append(1.0, table["survival_after"])[np.searchsorted(table["right"], AT, side="right")]


def study(dated, resamples):
    def one(rng):
        distinct, counts = np.unique(np.column_stack(simulated(rng, dated)), axis=0, return_counts=True)
        drawn = rng.multinomial(PERSONS, counts / PERSONS, resamples)
        estimate = survival(*distinct.T, counts)
        se = np.std([survival(*distinct.T, weights) for weights in drawn], axis=0, ddof=1)
        return estimate, se, *survival_limits(estimate, se)

    design = f"{PERSONS} persons seen at every second visit of three months, {dated:.0%} of the exits dated"
    quantities = tuple(f"S({t:.0f})" for t in AT)
    return Study("turnbull", design, quantities, tuple(np.exp(-AT / MEAN)), one, (0.90, 0.98), quick=dated == 0)


DESIGNS = {"visits": 0.0, "visits and dates": 0.2}
STUDIES = [study(dated, RESAMPLES[SHORT]) for dated in DESIGNS.values()]


def test_months_of_the_design_are_determined():
    """No mass lies on both sides of the months looked at."""
    for seed in range(20):
        table = turnbull(*simulated(np.random.default_rng(seed), 0.0))
        assert not any(((table["left"] < t) & (t < table["right"]) & np.isfinite(table["right"])).any() for t in AT)


@pytest.mark.parametrize("design", DESIGNS)
def test_limits_cover(design):
    made = study(DESIGNS[design], RESAMPLES[SHORT])
    check(known(made, made.short))


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_limits_cover_in_1000(design):
    check(run(study(DESIGNS[design], RESAMPLES[LONG_AND_SLOW]), LONG_AND_SLOW))
