"""Survival estimators on arrays: they know times, causes, entries and clusters, not where those come from.

What needs scipy is imported when it is first used: importing this costs numpy and pandas only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trajectories.survival.incidence import cumulative_incidence
from trajectories.survival.interval import IntervalCurve, interval_incidence
from trajectories.survival.kaplan_meier import kaplan_meier, quantiles
from trajectories.survival.logrank import TestResult, logrank_test
from trajectories.survival.restricted import restricted_mean, restricted_mean_difference
from trajectories.survival.risk import life_table

if TYPE_CHECKING:
    from trajectories.survival.observation_parameters import Reporting
    from trajectories.survival.observed import ObservedCurve, observed_incidence
    from trajectories.survival.pooling import pool

_LATER = {
    "ObservedCurve": "observed",
    "Reporting": "observation_parameters",
    "observed_incidence": "observed",
    "pool": "pooling",
}

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


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
