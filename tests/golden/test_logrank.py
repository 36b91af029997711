"""Log-rank tests against R `survdiff` and exact score tests (tests/golden/data/logrank.json), at 1e-9.

Not compared: `entry_by_region_breslow_score` and `entry_by_region_efron_score`, whose variance of ties is another.
"""

from __future__ import annotations

from functools import partial

import pytest
from reference import Differences, cohort, results

from trajectories.survival import logrank_test

OTHER_TIES = {"entry_by_region_breslow_score", "entry_by_region_efron_score"}
ARGUMENTS = {
    "by_region": ("region", {}),
    "by_region_stratified_by_sex": ("region", {"strata": "sex"}),
    "by_region_rho_1": ("region", {"rho": 1.0}),
    "by_sex": ("sex", {}),
    "by_sex_stratified_by_region": ("sex", {"strata": "region"}),
    "check_by_region_exact_score": ("region", {}),
    "entry_by_region": ("region", {"entry": "entry"}),
    "entry_by_region_stratified_by_sex": ("region", {"entry": "entry", "strata": "sex"}),
    "entry_by_sex": ("sex", {"entry": "entry"}),
}


def test_every_result_is_compared():
    assert set(ARGUMENTS) | OTHER_TIES == set(results("logrank"))


def compared(name):
    group, more = ARGUMENTS[name]
    d, reference = cohort(), results("logrank")[name]
    given = {a: d[c] if isinstance(c, str) else c for a, c in more.items()}
    result = logrank_test(d["time"], d["cause"] > 0, d[group], **given)
    assert result.table["group"].tolist() == reference["group"]
    made_by = "exact score test (coxph)" if "entry" in name or "exact" in name else "survdiff"
    gap = Differences(f"logrank {name}", 1e-9, "logrank_test", f"R survival 3.8.3 {made_by}")
    gap.add("statistic", result.statistic, reference["chisq"])
    gap.add("df", result.df, reference["df"])
    gap.add("p", result.p_value, reference["p"])
    gap.add("observed", result.table["observed"], reference["observed"])
    gap.add("expected", result.table["expected"], reference["expected"])
    if "variance" in reference:
        gap.add("covariance", result.covariance, reference["variance"])
    return gap


COMPARISONS = {name: partial(compared, name) for name in ARGUMENTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_survdiff(name):
    COMPARISONS[name]().check()
