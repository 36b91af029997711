"""Turnbull's estimator against tests/golden/data/turnbull.json.

`npmle`: solved to machine precision there too, compared at 1e-9 (intervals, masses, S after each, log-likelihood).
`survfit`: R's own EM, which stops early; compared at 2e-3 at the right ends, where S is determined.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference import Differences, cohort, results

from trajectories.survival.intervals.turnbull import kuhn_tucker_gap, turnbull, turnbull_log_likelihood

GROUPS = {"overall": None, "by_sex": "sex", "by_region": "region", "weighted": None}


def fitted(name):
    """Per label: the rows of the table, and what is to be said of them: the persons' arrays."""
    d, column = cohort(), GROUPS[name]
    weights = d["weight"] if name == "weighted" else None
    group = None if column is None else d[column]
    table = turnbull(d["lower"], d["upper"], weights=weights, group=group)
    if group is None:
        return {"all": (table, d["lower"], d["upper"], weights)}
    persons = dict(list(d.groupby(column)))
    return {
        label: (part.drop(columns="group"), persons[label]["lower"], persons[label]["upper"], None)
        for label, part in table.groupby("group")
    }


def test_every_result_is_compared():
    assert set(GROUPS) == set(results("turnbull"))


def npmle(name):
    expected, ours = results("turnbull")[name]["curves"], fitted(name)
    assert set(ours) == set(expected)
    gap = Differences(f"turnbull {name}", 1e-9, "turnbull", "EM and Newton to machine precision, in R 4.5.0")
    for label, reference in expected.items():
        table, lower, upper, weights = ours[label]
        theirs = {k: np.asarray(v, dtype=float) for k, v in reference["npmle"]["intervals"].items()}
        theirs["right"] = np.where(np.isnan(theirs["right"]), np.inf, theirs["right"])
        np.testing.assert_array_equal(table["left"], theirs["left"])
        np.testing.assert_array_equal(table["right"], theirs["right"])
        gap.add("mass", table["mass"], theirs["mass"])
        gap.add("survival after", table["survival_after"], theirs["surv_after"])
        value = turnbull_log_likelihood(lower, upper, table, weights=weights)
        gap.add("log-likelihood", value, reference["npmle"]["loglik"])
        gap.add("Kuhn–Tucker gap", max(kuhn_tucker_gap(lower, upper, table, weights=weights), 0.0), 0.0)
    return gap


def survfit(name):
    gap = Differences(f"turnbull {name}, survfit", 2e-3, "turnbull", "R survival 3.8.3 survfit, interval2")
    for label, (table, *_) in fitted(name).items():
        reference = results("turnbull")[name]["curves"][label]["survfit"]
        known = table[np.isfinite(table["right"])]
        step = np.searchsorted(reference["time"], known["right"], side="right") - 1
        gap.add("S", known["survival_after"], np.append(1.0, reference["surv"])[step + 1])
    return gap


COMPARISONS = {name: partial(npmle, name) for name in GROUPS}
COMPARISONS |= {f"{name}, survfit": partial(survfit, name) for name in GROUPS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_turnbull(name):
    COMPARISONS[name]().check()


@pytest.mark.parametrize("name", GROUPS)
def test_the_likelihood_is_not_below_survfits(name):
    """R's curve, put on our intervals, is a feasible point: it cannot be better."""
    for label, (table, lower, upper, weights) in fitted(name).items():
        reference = results("turnbull")[name]["curves"][label]["survfit"]
        step = np.searchsorted(reference["time"], table["right"], side="right") - 1
        after = np.where(np.isinf(table["right"]), 0.0, np.append(1.0, reference["surv"])[step + 1])
        theirs = table.assign(mass=-np.diff(after, prepend=1.0))
        ours = turnbull_log_likelihood(lower, upper, table, weights=weights)
        assert turnbull_log_likelihood(lower, upper, theirs, weights=weights) <= ours + 1e-9
        assert kuhn_tucker_gap(lower, upper, theirs, weights=weights) > 1e-7
