"""The score test of proportional hazards: does a coefficient change with g(t)?

The model gets a second set of terms x·(g(t) − ḡ), whose coefficients are tested at 0 by their score, with the
model-based information; weights count, clusters do not. This is R's `cox.zph` since survival 3.0 (Therneau 2020), not
the correlation of scaled Schoenfeld residuals of before (Grambsch & Therneau 1994), which is its approximation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats, Sample, one_of
from trajectories.survival.kaplan_meier import survival_of
from trajectories.survival.limits import chi2_tail
from trajectories.survival.regression.cox_likelihood import Point
from trajectories.survival.risk import risk_sets

TRANSFORMS = ("km", "rank", "identity", "log")
NOTHING = 1e-10  # share of information below which it is a rounding error


def transformed(time: Floats, given: Sample, transform: str) -> Floats:
    """g at each of `time`, the distinct times of the sample's ends.

    « km » is 1 − S(t−), S the Kaplan–Meier of all rows without strata; « rank » the mean rank among all rows' times.
    Whole-number weights count as that many rows, others not at all, as in R.
    """
    one_of("transform", transform, TRANSFORMS)
    if transform == "identity":
        return time
    if transform == "log":
        if (time <= 0).any():
            raise ValueError(
                f"time: {int((time <= 0).sum())} of {len(time)} event times are 0, whose logarithm is none"
            )
        return np.log(time)
    zero = np.zeros(len(given.time), np.int64)
    mass = given.weights if given.whole else np.ones(len(zero))
    plain = Sample(given.time, given.cause, given.entry, mass, True, zero, levels=None, cluster=None)
    counts = risk_sets(plain)
    if transform == "km":
        values = 1 - counts.before(survival_of(counts), 1.0)
    else:
        here = np.bincount(counts.ends, mass, len(counts.time))
        values = np.cumsum(here) - (here - 1) / 2
    return values[np.searchsorted(counts.time, time)]


def proportional_hazards(point: Point, g: Floats, names: Sequence[str]) -> pd.DataFrame:
    """A row per term and GLOBAL: statistic, df, p_value; g at each event row."""
    data = point.likelihood
    events = np.bincount(data.death_rows, minlength=len(g))
    g = g - (g * events).sum() / events.sum()
    score = point.gradient(g)
    own, mixed, both = point.information(), point.information(g), point.information(g * g)
    # The score of the old coefficients is 0 at their estimate: what counts is the rest's information given them.
    left = both - mixed @ np.linalg.solve(own, mixed)
    # Where g varies too little (few event times) nothing is left to test with, and the statistic is missing.
    alone, p = np.diag(left), len(names)
    known = alone > NOTHING * np.maximum(np.diag(own) * (g**2).max(), np.finfo(float).tiny)
    statistic = np.full(p + 1, np.nan)
    statistic[:-1][known] = score[known] ** 2 / alone[known]
    if known.all():
        scale = 1 / np.sqrt(alone)
        correlation = left * np.outer(scale, scale)
        if np.linalg.eigvalsh(correlation)[0] > NOTHING:
            statistic[-1] = (scale * score) @ np.linalg.solve(correlation, scale * score)
    df = np.append(np.ones(p, np.int64), p)
    p_value = chi2_tail(statistic, df)
    return pd.DataFrame({"term": [*names, "GLOBAL"], "statistic": statistic, "df": df, "p_value": p_value})
