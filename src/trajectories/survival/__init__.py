"""Survival estimators on arrays: they know times, causes, entries and clusters, not where those come from."""

from trajectories.survival.incidence import cumulative_incidence
from trajectories.survival.interval import IntervalCurve, interval_incidence
from trajectories.survival.kaplan_meier import kaplan_meier, quantiles
from trajectories.survival.logrank import TestResult, logrank_test
from trajectories.survival.observation_parameters import Reporting
from trajectories.survival.observed import ObservedCurve, observed_incidence
from trajectories.survival.pooling import pool
from trajectories.survival.restricted import restricted_mean, restricted_mean_difference
from trajectories.survival.risk import life_table

__all__ = [
    "IntervalCurve",
    "ObservedCurve",
    "Reporting",
    "TestResult",
    "cumulative_incidence",
    "interval_incidence",
    "kaplan_meier",
    "life_table",
    "logrank_test",
    "observed_incidence",
    "pool",
    "quantiles",
    "restricted_mean",
    "restricted_mean_difference",
]
