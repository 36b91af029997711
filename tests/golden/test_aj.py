"""Cumulative incidence against R's etm, cmprsk and survival (tests/golden/data/aj.json), at 1e-9.

Not compared: `lower_loglog`, `upper_loglog` of survfit, which transform F itself; ours transform 1 − F (as etm does).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference import Differences, cohort, results

from trajectories.survival import cumulative_incidence

ARGUMENTS = {
    "etm_entry": ("greenwood", {"entry": "entry"}),
    "etm_entry_by_sex": ("greenwood", {"entry": "entry", "group": "sex"}),
    "etm_entry_by_region": ("greenwood", {"entry": "entry", "group": "region"}),
    "etm_no_entry": ("greenwood", {}),
    "cuminc": ("aalen", {}),
    "cuminc_by_region": ("aalen", {"group": "region"}),
    "survfit_ij": ("jackknife", {}),
    "survfit_ij_entry": ("jackknife", {"entry": "entry"}),
    "survfit_ij_entry_weighted_household": (
        "greenwood",  # weights and clusters give the jackknife by themselves
        {"entry": "entry", "weights": "weight", "cluster": "household_id"},
    ),
}


def test_every_result_is_compared():
    assert set(ARGUMENTS) == set(results("aj"))


PACKAGES = {"etm": "etm 1.1.1 etmCIF", "cuminc": "cmprsk 2.2.12 cuminc", "survfit": "survival 3.8.3 survfit"}


def compared(name):
    variance, columns = ARGUMENTS[name]
    d = cohort()
    table = cumulative_incidence(d["time"], d["cause"], variance=variance, **{a: d[c] for a, c in columns.items()})
    if "group" not in table:
        table.insert(0, "group", "all")
    gap = Differences(f"aj {name}", 1e-9, "cumulative_incidence", f"R {PACKAGES[name.split('_')[0]]}")
    for label, by_cause in results("aj")[name]["curves"].items():
        for cause, reference in by_cause.items():
            ours = table[(table["group"] == label) & (table["cause"] == int(cause))]
            at = np.asarray(reference["time"], dtype=float)
            row = np.searchsorted(ours["time"], at, side="right") - 1  # the step in force at that time
            theirs = np.asarray(reference["cif"], dtype=float)
            known = ~np.isnan(theirs)  # cuminc says null after a group's last time
            start = row < 0

            def read(column, at_start=0.0, ours=ours, row=row, known=known, start=start):
                return np.where(start, at_start, ours[column].to_numpy(float)[row])[known]

            gap.add("incidence", read("incidence"), theirs[known])
            if "variance" in reference:
                gap.add("variance", read("se") ** 2, np.asarray(reference["variance"], dtype=float)[known])
                if "lower_cloglog" in reference:
                    gap.add("se", read("se"), np.sqrt(np.asarray(reference["variance"], dtype=float))[known])
            else:
                gap.add("se", read("se"), reference["se"])
            for column in ("n_risk", "n_event"):
                if column in reference:
                    gap.add(column, read(column), reference[column])
            for column in ("lower", "upper"):
                if f"{column}_cloglog" in reference:
                    gap.add(column, read(column), reference[f"{column}_cloglog"])
    return gap


COMPARISONS = {name: partial(compared, name) for name in ARGUMENTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_incidence(name):
    COMPARISONS[name]().check()
