"""Gray's test against R cmprsk 2.2.12 `cuminc(...)$Tests` (tests/golden/data/gray.json), at 1e-9."""

from __future__ import annotations

from functools import partial

import pytest
from reference import Differences, cohort, results

from trajectories.survival.gray import gray_test

ARGUMENTS = {
    "by_region": {"group": "region"},
    "by_sex": {"group": "sex"},
    "by_region_stratified_by_sex": {"group": "region", "strata": "sex"},
    "by_region_rho_1": {"group": "region", "rho": 1.0},
}


def test_every_result_is_compared():
    assert set(ARGUMENTS) == set(results("gray"))


def compared(name):
    d, reference = cohort(), results("gray")[name]
    given = {a: d[v] if isinstance(v, str) else v for a, v in ARGUMENTS[name].items()}
    table = gray_test(d["time"], d["cause"], **given)
    assert table["cause"].tolist() == reference["cause"]
    assert table["df"].tolist() == reference["df"]
    gap = Differences(f"gray {name}", 1e-9, "gray_test", "R cmprsk 2.2.12 cuminc")
    gap.add("statistic", table["statistic"], reference["statistic"])
    gap.add("p", table["p_value"], reference["p"])
    return gap


COMPARISONS = {name: partial(compared, name) for name in ARGUMENTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_cuminc(name):
    COMPARISONS[name]().check()
