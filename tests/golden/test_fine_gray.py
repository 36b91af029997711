"""Fine–Gray regression against R survival 3.8.3 `finegray` + `coxph`, at 1e-8, and cmprsk 2.2.12 `crr`.

`crr` estimates G with those who leave at t at risk of censoring at t; ours, survival's convention, takes them out
first. So `crr` is compared twice: as it is, where the definitions differ by a few 1e-4, and with our estimator given
its G, where they must be equal to 1e-6.
"""

from __future__ import annotations

import sys
from functools import partial
from unittest import mock

import numpy as np
import pytest
from reference import Differences, results
from test_cox import TERMS, persons

from trajectories.survival.kaplan_meier import survival_of
from trajectories.survival.regression.fine_gray import ObservationChance, fine_gray
from trajectories.survival.risk import risk_sets

module = sys.modules[fine_gray.__module__]
SURVIVAL = {"survival_metropole": {}, "survival_metropole_entry": {"entry": "entry"}}
CRR = {"metropole": 1, "other_region": 2, "outside_quebec": 3}
# n_rows counts survival's expanded data, which are never made here.
SKIPPED = {"call", "n_rows", "converged"}
# crr's covariance counts the estimation of G as well, survival's and ours take it as known.
NOT_OURS = {"covariance", "se"}


def fitted(cause, **more):
    return fine_gray(persons(), time="time", cause="cause", cause_of_interest=cause, covariates=TERMS, **more)


def test_every_result_is_compared_or_skipped_for_a_reason():
    assert set(SURVIVAL) | set(CRR) == set(results("finegray"))
    for name in SURVIVAL:
        assert set(results("finegray")[name]) == {"term", "coef", "se", "robust_se", "loglik"} | (
            SKIPPED - {"converged"}
        )
    for name in CRR:
        compared = {"term", "coef", "loglik", "loglik_null", "baseline"}
        assert set(results("finegray")[name]) == compared | NOT_OURS | (SKIPPED - {"n_rows"})


def of_survival(name):
    theirs, fit = results("finegray")[name], fitted(1, **SURVIVAL[name])
    gap = Differences(f"finegray {name}", 1e-8, "fine_gray", "R survival 3.8.3 finegray, coxph")
    assert fit.table["term"].tolist() == theirs["term"]
    for column in ("coef", "se", "robust_se"):
        gap.add(column, fit.table[column], theirs[column])
    gap.add("log_likelihood", fit.log_likelihood, theirs["loglik"])
    return gap


def of_crr(name):
    """Our convention against crr's: not the same numbers, and no further apart than this."""
    theirs, fit = results("finegray")[name], fitted(CRR[name])
    gap = Differences(f"finegray {name}", 5e-4, "fine_gray", "cmprsk 2.2.12 crr (other convention)")
    gap.add("coef", fit.table["coef"], theirs["coef"])
    gap.add("robust_se", fit.table["robust_se"], theirs["se"])
    gap.add("baseline", fit.baseline["cumulative_hazard"], theirs["baseline"]["cumhaz"])
    return gap


def chance_of_crr(given, end, enter):
    """G where those who leave at t are at risk of censoring at t."""
    counts = risk_sets(module.plain(end, given.cause == 0, None))
    censored = counts.n_event[0] > 0
    cut = counts.time[censored].astype(np.int64)
    return ObservationChance(np.append(cut, end.max()), np.append(1.0, survival_of(counts)[censored]))


def of_crr_convention(name):
    theirs = results("finegray")[name]
    with mock.patch.object(module, "observation_chance", chance_of_crr):
        fit = fitted(CRR[name])
    gap = Differences(f"finegray {name}, with crr's G", 1e-6, "fine_gray", "cmprsk 2.2.12 crr")
    assert fit.table["term"].tolist() == theirs["term"]
    gap.add("coef", fit.table["coef"], theirs["coef"])
    gap.add("log_likelihood", fit.log_likelihood, theirs["loglik"])
    gap.add("log_likelihood_null", fit.log_likelihood_null, theirs["loglik_null"])
    assert fit.baseline["time"].tolist() == theirs["baseline"]["time"]
    gap.add("baseline", fit.baseline["cumulative_hazard"], theirs["baseline"]["cumhaz"])
    return gap


COMPARISONS = {name: partial(of_survival, name) for name in SURVIVAL}
COMPARISONS |= {f"crr {name}": partial(of_crr, name) for name in CRR}
COMPARISONS |= {f"crr {name}, its G": partial(of_crr_convention, name) for name in CRR}


@pytest.mark.parametrize("name", COMPARISONS)
def test_finegray(name):
    COMPARISONS[name]().check()
