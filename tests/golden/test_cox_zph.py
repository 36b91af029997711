"""The test of proportional hazards against R survival 3.8.3 `cox.zph` (tests/golden/data/cox_zph.json), at 1e-8."""

from __future__ import annotations

from functools import partial

import pytest
from reference import Differences, results
from test_cox import fitted

TRANSFORMS = ("identity", "km", "log", "rank")
FITS = ("plain", "breslow", "strata_region", "entry", "household", "all")
COLUMNS = {"statistic": "chisq", "df": "df", "p_value": "p"}


def test_every_result_is_compared():
    assert set(FITS) == set(results("cox_zph"))
    assert all(set(result["transforms"]) == set(TRANSFORMS) for result in results("cox_zph").values())


def compared(name, transform):
    theirs = results("cox_zph")[name]["transforms"][transform]
    ours = fitted(name).test_proportional_hazards(transform)
    assert ours["term"].tolist() == theirs["term"]
    gap = Differences(f"cox_zph {name} {transform}", 1e-8, "test_proportional_hazards", "R survival 3.8.3 cox.zph")
    for column, key in COLUMNS.items():
        gap.add(column, ours[column], theirs[key])
    return gap


COMPARISONS = {f"{name} {how}": partial(compared, name, how) for name in FITS for how in TRANSFORMS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_cox_zph(name):
    COMPARISONS[name]().check()
