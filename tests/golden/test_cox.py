"""Cox regression against R survival 3.8.3 `coxph`, `basehaz`, `survfit` (tests/golden/data/cox.json), at 1e-8."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from reference import Differences, cohort, results

from trajectories.survival.regression.cox import cox

TERMS = ["age", "male", "family", "refugee", "other", "job_found", "years_since_arrival"]
ARGUMENTS = {
    "plain": {},
    "breslow": {"ties": "breslow"},
    "strata_region": {"strata": "region"},
    "entry": {"entry": "entry"},
    "entry_breslow": {"entry": "entry", "ties": "breslow"},
    "weights": {"weights": "weight"},
    "household": {"cluster": "household_id"},
    "entry_household": {"entry": "entry", "cluster": "household_id"},
    "all": {"entry": "entry", "strata": "region", "weights": "weight", "cluster": "household_id"},
    "all_breslow": {
        "entry": "entry",
        "strata": "region",
        "weights": "weight",
        "cluster": "household_id",
        "ties": "breslow",
    },
    "cause_1_entry": {"event": "left_for_metropole", "entry": "entry"},
}
COLUMNS = {"coef": "coef", "se": "se", "robust_se": "robust_se", "z": "z", "p_value": "p"}
TESTS = {"score": "score_test", "wald": "wald_test", "robust score": "robust_score_test"}


@cache
def persons():
    d = cohort()
    dummies = {kind: (d["immigration_category"] == kind).astype(int) for kind in ("family", "refugee", "other")}
    return d.assign(
        **dummies, male=(d["sex"] == "M").astype(int), left=d["cause"] > 0, left_for_metropole=d["cause"] == 1
    )


@cache
def fitted(name):
    return cox(persons(), time="time", covariates=TERMS, **{"event": "left", **ARGUMENTS[name]})


def test_every_result_is_compared():
    assert set(ARGUMENTS) == set(results("cox"))


def compared(name):
    theirs, fit = results("cox")[name], fitted(name)
    gap = Differences(f"cox {name}", 1e-8, "cox", "R survival 3.8.3 coxph, basehaz, survfit")
    assert (fit.n, fit.n_event) == (theirs["n"], theirs["n_event"])
    assert fit.table["term"].tolist() == theirs["term"]
    for ours, key in COLUMNS.items():
        gap.add(ours, fit.table[ours], theirs.get(key, np.full(len(TERMS), np.nan)))
    gap.add("covariance", fit.covariance, theirs["covariance"])
    assert (fit.robust_covariance is not None) == ("robust_covariance" in theirs)
    if fit.robust_covariance is not None:
        gap.add("robust_covariance", fit.robust_covariance, theirs["robust_covariance"])
    gap.add("log_likelihood", fit.log_likelihood, theirs["loglik"])
    gap.add("log_likelihood_null", fit.log_likelihood_null, theirs["loglik_null"])
    tests = fit.tests.set_index("test")["statistic"]
    assert ("robust score" in tests) == ("robust_score_test" in theirs)
    for ours, key in TESTS.items():
        if key in theirs:
            gap.add(f"{ours} test", tests[ours], theirs[key])
    gap.add("concordance", fit.concordance, theirs["concordance"])
    gap.add("concordance_se", fit.concordance_se, theirs["concordance_se"])
    baseline = theirs["baseline"]
    assert fit.baseline["stratum"].tolist() == baseline["stratum"]
    gap.add("baseline time", fit.baseline["time"], baseline["time"])
    gap.add("baseline", fit.baseline["cumulative_hazard"], baseline["cumhaz"])
    if "predicted" in theirs:
        predicted = theirs["predicted"]
        new, at = pd.DataFrame(predicted["newdata"]), predicted["time"]
        gap.add("predict_survival", fit.predict_survival(new, at), predicted["surv"])
        table = fit.predict_survival_table(new, at)
        for ours, key in {"survival": "surv", "se": "se", "lower": "lower", "upper": "upper"}.items():
            gap.add(f"predicted {ours}", table[ours].to_numpy().reshape(2, -1), predicted[key])
    return gap


COMPARISONS = {name: partial(compared, name) for name in ARGUMENTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_coxph(name):
    COMPARISONS[name]().check()


def test_a_formula_gives_the_same_fit():
    d = persons().assign(
        category=pd.Categorical(persons()["immigration_category"], ["economic", "family", "refugee", "other"])
    )
    fit = cox(
        d,
        time="time",
        event="left",
        covariates="age + sex + category + job_found + years_since_arrival",
        entry="entry",
    )
    expected = ["age", "sex[M]", "category[family]", "category[refugee]", "category[other]", *TERMS[-2:]]
    assert fit.table["term"].tolist() == expected
    np.testing.assert_allclose(fit.table["coef"], results("cox")["entry"]["coef"], atol=1e-10)
