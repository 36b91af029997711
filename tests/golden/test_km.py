"""Kaplan–Meier against R survival 3.8.3 `survfit` (tests/golden/data/km.json), at 1e-9."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference import Differences, cohort, results

from trajectories.survival import kaplan_meier, life_table, quantiles

COLUMNS = {
    "time": "time",
    "n_risk": "n_risk",
    "n_event": "n_event",
    "n_censor": "n_censor",
    "survival": "surv",
    "se": "se",
    "lower": "lower",
    "upper": "upper",
    "cumulative_hazard": "cumhaz",
    "cumulative_hazard_se": "se_cumhaz",
}
ARGUMENTS = {
    "overall": (),
    "by_region": ("group",),
    "entry": ("entry",),
    "entry_by_region": ("entry", "group"),
    "weighted_naive": ("weights",),
    "weighted_robust": ("weights",),
    "household": ("cluster",),
    "entry_weighted_household": ("entry", "weights", "cluster"),
}
FROM = {"entry": "entry", "weights": "weight", "cluster": "household_id", "group": "region"}
# R's model-based se with weights that are no frequencies is not valid, and ours is always the jackknife then.
NOT_OURS = {"weighted_naive": {"se", "lower", "upper", "cumulative_hazard_se"}}


def curves(name):
    d = cohort()
    curve = kaplan_meier(d["time"], d["cause"] > 0, **{a: d[FROM[a]] for a in ARGUMENTS[name]})
    return dict(list(curve.groupby("group"))) if "group" in curve else {"all": curve}


def test_every_result_is_compared():
    assert set(ARGUMENTS) == set(results("km"))


def compared(name):
    expected, ours = results("km")[name]["curves"], curves(name)
    assert set(ours) == set(expected)
    gap = Differences(f"km {name}", 1e-9, "kaplan_meier, quantiles", "R survival 3.8.3 survfit, quantile")
    for label, reference in expected.items():
        curve, no_event = ours[label], np.asarray(reference["surv"]) == 1
        for column, theirs in COLUMNS.items():
            if column in NOT_OURS.get(name, ()):
                continue
            values = np.asarray(reference[theirs], dtype=float)
            if column in ("lower", "upper"):
                values[no_event] = 1.0  # R says NA where S = 1; ours are 1 and 1
            gap.add(column, curve[column], values)
        if name != "weighted_naive":
            q, theirs = quantiles(curve.drop(columns="group", errors="ignore")), reference["quantiles"]
            for column in ("quantile", "lower", "upper"):
                gap.add(f"quantiles {column}", q[column], np.asarray(theirs[column], dtype=float))
        else:
            gap.add(
                "quantiles quantile",
                quantiles(curve)["quantile"],
                np.asarray(reference["quantiles"]["quantile"], dtype=float),
            )
    return gap


COMPARISONS = {name: partial(compared, name) for name in ARGUMENTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_survfit(name):
    COMPARISONS[name]().check()


@pytest.mark.parametrize("name", ["by_region", "entry_by_region"])
def test_life_table_is_the_same_count(name):
    d = cohort()
    entry = d["entry"] if name.startswith("entry") else None
    table = life_table(d["time"], d["cause"], entry=entry, group=d["region"])
    for label, rows in table.groupby("group"):
        reference = results("km")[name]["curves"][label]
        for column in ("time", "n_risk", "n_event", "n_censor"):
            np.testing.assert_array_equal(rows[column], reference[column])
        assert (rows[["n_event_1", "n_event_2", "n_event_3"]].sum(axis=1) == rows["n_event"]).all()
