"""A second reference beside R: surpyval 0.25, which shares no code with ours, on the cohort.

Turnbull: surpyval's EM–ICM stops at a Kuhn–Tucker gap of 1e-10 ("Kaplan-Meier" is its option that maximises the
likelihood). Its curve is compared where S is determined, its log-likelihood is recomputed here from its curve and may
not be above ours. Kaplan–Meier with delayed entry: at risk in (entry, time], as ours; a closed form.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import surpyval
from reference import Differences, cohort

from trajectories.survival import kaplan_meier
from trajectories.survival.intervals.turnbull import turnbull, turnbull_log_likelihood

REFERENCE = "surpyval 0.25"
COLUMNS = {"overall": None, "by_sex": "sex", "by_region": "region"}
COUNTS = 10_000  # the cohort's weights have four decimals


def parts(name):
    column = COLUMNS.get(name)
    return [cohort()] if column is None else [rows for _, rows in cohort().groupby(column)]


def surpyval_log_likelihood(model, lower, upper, weights):
    """Of its curve: `R` holds S after the piece that ends at `x`, an exact time is in `x` twice (before and after)."""
    x, s = np.asarray(model.x), np.append(1.0, model.R)
    exact = lower == upper
    before = np.where(exact, np.searchsorted(x, lower, side="left") + 1, np.searchsorted(x, lower, side="right"))
    after = np.where(np.isinf(upper), 0.0, s[np.searchsorted(x, np.where(np.isinf(upper), 0, upper), side="right")])
    return float(weights @ np.log(s[before] - after))


def turnbull_fits(name):
    for rows in parts(name):
        weights = rows["weight"].to_numpy() if name == "weighted" else np.ones(len(rows))
        lower, upper = rows["lower"].to_numpy(float), rows["upper"].to_numpy(float)
        counts = np.rint(weights * COUNTS)  # it takes whole numbers; the maximum is that of the weights
        assert np.abs(counts - weights * COUNTS).max() < 1e-6
        theirs = surpyval.Turnbull.fit(xl=lower, xr=upper, n=counts, turnbull_estimator="Kaplan-Meier")
        assert theirs.converged
        yield lower, upper, weights, turnbull(lower, upper, weights=weights), theirs


def turnbull_compared(name):
    gap = Differences(f"turnbull {name}, second reference", 1e-8, "turnbull", f"{REFERENCE} Turnbull")
    for lower, upper, weights, ours, theirs in turnbull_fits(name):
        known = ours[np.isfinite(ours["right"])]
        place = np.searchsorted(theirs.x, known["right"], side="right")
        gap.add("S", known["survival_after"], np.append(1.0, theirs.R)[place])
        value = surpyval_log_likelihood(theirs, lower, upper, weights)
        better = turnbull_log_likelihood(lower, upper, ours, weights=weights) - value
        gap.add("log-likelihood below theirs", max(-better, 0.0), 0.0)
    return gap


def kaplan_meier_compared(name, entry):
    topic = f"km {name}{' with delayed entry' if entry else ''}, second reference"
    gap = Differences(topic, 1e-9, "kaplan_meier", f"{REFERENCE} KaplanMeier")
    for d in parts(name):
        late = d["entry"].to_numpy(float) if entry else None
        ours = kaplan_meier(d["time"], d["cause"] > 0, entry=late)
        censored = (d["cause"] == 0).to_numpy(int)
        theirs = surpyval.KaplanMeier.fit(d["time"].to_numpy(float), c=censored, tl=late)
        np.testing.assert_array_equal(ours["time"], theirs.x)
        gap.add("n_risk", ours["n_risk"], theirs.r)
        gap.add("n_event", ours["n_event"], theirs.d)
        gap.add("survival", ours["survival"], theirs.R)
    return gap


COMPARISONS = {f"turnbull {name}": partial(turnbull_compared, name) for name in (*COLUMNS, "weighted")}
COMPARISONS |= {f"km {name}": partial(kaplan_meier_compared, name, False) for name in COLUMNS}
COMPARISONS |= {f"km {name} entry": partial(kaplan_meier_compared, name, True) for name in COLUMNS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_surpyval(name):
    COMPARISONS[name]().check()


def test_delayed_entry_is_in_the_data():
    d = cohort()
    assert (d["entry"] > 0).sum() > 100
    with_, without = (kaplan_meier(d["time"], d["cause"] > 0, entry=e)["survival"] for e in (d["entry"], None))
    assert np.abs(with_ - without).max() > 1e-3
