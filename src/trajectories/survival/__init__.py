"""Survival estimators on arrays: they know times, causes, entries and clusters, not where those come from.

Curves and tests: `kaplan_meier`, `quantiles`, `cumulative_incidence`, `restricted_mean`, `logrank_test`, `gray_test`.
Times known as intervals: `turnbull`, `interval_incidence`, `observed_incidence`. Several states and moves:
`transition_probabilities`, `state_occupation`, `mean_cumulative`, `panel_markov`. Regression: `cox`, `fine_gray`,
`discrete_hazard`, `mixture_cure`. Of any of them: `bootstrap`, `pool`.

At risk at t means entry < t ≤ time everywhere (`risk.py`). Each function names its variance, its reference, the R call
that gives the same number and the largest difference seen; notebooks/90_validation.ipynb measures them again.

What needs scipy, statsmodels or formulaic is imported when first used: importing this costs numpy and pandas only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trajectories.survival.bootstrap import bootstrap
from trajectories.survival.gray import gray_test
from trajectories.survival.incidence import cumulative_incidence
from trajectories.survival.intervals.interval import IntervalCurve, interval_incidence
from trajectories.survival.intervals.turnbull import kuhn_tucker_gap, turnbull, turnbull_log_likelihood
from trajectories.survival.kaplan_meier import kaplan_meier, quantiles, restricted_mean, restricted_mean_difference
from trajectories.survival.logrank import TestResult, logrank_test
from trajectories.survival.regression.cox import CoxFit, cox
from trajectories.survival.regression.cure import CureFit, mixture_cure
from trajectories.survival.regression.discrete_hazard import DiscreteFit, discrete_hazard
from trajectories.survival.regression.fine_gray import FineGrayFit, fine_gray
from trajectories.survival.risk import life_table
from trajectories.survival.states.mean_cumulative import mean_cumulative
from trajectories.survival.states.multistate import (
    cumulative_transition_hazards,
    state_occupation,
    transition_probabilities,
)
from trajectories.survival.states.panel import PanelFit, panel_markov

if TYPE_CHECKING:
    from trajectories.survival.observation.observed import ObservedCurve, observed_incidence
    from trajectories.survival.observation.parameters import Reporting
    from trajectories.survival.pooling import pool

_LATER = {
    "ObservedCurve": "observation.observed",
    "Reporting": "observation.parameters",
    "observed_incidence": "observation.observed",
    "pool": "pooling",
}

__all__ = [
    "CoxFit",
    "CureFit",
    "DiscreteFit",
    "FineGrayFit",
    "IntervalCurve",
    "ObservedCurve",
    "PanelFit",
    "Reporting",
    "TestResult",
    "bootstrap",
    "cox",
    "cumulative_incidence",
    "cumulative_transition_hazards",
    "discrete_hazard",
    "fine_gray",
    "gray_test",
    "interval_incidence",
    "kaplan_meier",
    "kuhn_tucker_gap",
    "life_table",
    "logrank_test",
    "mean_cumulative",
    "mixture_cure",
    "observed_incidence",
    "panel_markov",
    "pool",
    "quantiles",
    "restricted_mean",
    "restricted_mean_difference",
    "state_occupation",
    "transition_probabilities",
    "turnbull",
    "turnbull_log_likelihood",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
