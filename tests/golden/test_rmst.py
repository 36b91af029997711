"""Restricted means against R `summary(survfit, rmean = τ)` and survRM2 (tests/golden/data/rmst.json), at 1e-9."""

from __future__ import annotations

from functools import partial

import pytest
from reference import Differences, cohort, results

from trajectories.survival import restricted_mean, restricted_mean_difference


def compared(name):
    d, reference = cohort(), results("rmst")[name]
    made_by = "survival 3.8.3 summary(survfit, rmean)" if "rmst" in reference else "survRM2 1.0.4 rmst2"
    gap = Differences(f"rmst {name}", 1e-9, "restricted_mean, restricted_mean_difference", f"R {made_by}")
    tau = reference["tau"]
    entry = d["entry"] if name.startswith("entry") else None
    group = d["region"] if "region" in name else d["sex"] if "sex" in name else None
    table = restricted_mean(d["time"], d["cause"] > 0, tau, entry=entry, group=group)
    if "rmst" in reference:
        if group is not None:
            assert table["group"].tolist() == reference["group"]
        gap.add("mean", table["mean"], reference["rmst"])
        gap.add("se", table["se"], reference["se"])
    else:
        for row in table.itertuples():
            theirs = reference[row.group]
            gap.add("mean", row.mean, theirs["rmst"])
            for column in ("se", "lower", "upper"):
                gap.add(column, getattr(row, column), theirs[column])
        both = restricted_mean_difference(d["time"], d["cause"] > 0, d["sex"], tau).set_index("measure")
        for measure, key in (("difference", "difference_M_minus_F"), ("ratio", "ratio_M_to_F")):
            theirs = reference[key]
            for ours, r in (("estimate", "estimate"), ("lower", "lower"), ("upper", "upper"), ("p_value", "p")):
                gap.add(f"{measure} {ours}", both.loc[measure, ours], theirs[r])
    return gap


COMPARISONS = {name: partial(compared, name) for name in results("rmst")}


@pytest.mark.parametrize("name", COMPARISONS)
def test_restricted_mean(name):
    COMPARISONS[name]().check()
