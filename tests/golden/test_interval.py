"""`interval_incidence` on the cohort, whose times are whole months, against what it must reduce to.

Turnbull: `npmle` of tests/golden/data/turnbull.json, solved to machine precision, at 1e-9 on S where it is determined
(the right end of each interval of positive mass) and 1e-9 on the log-likelihood: EM stops when the curves move by less
than 1e-11 in a cycle. Not compared: `survfit`, R's own EM, up to 1.2e-3 away from the maximum (data/README.md), and
masses, which EM leaves as several months where an interval is not split. Kaplan–Meier and Aalen–Johansen: at 1e-8.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference import Differences, cohort, results

from trajectories.survival import cumulative_incidence, interval_incidence, kaplan_meier

COLUMNS = {"overall": None, "by_sex": "sex", "by_region": "region", "weighted": None}


def compared(name):
    d, column = cohort(), COLUMNS[name]
    gap = Differences(f"turnbull {name} by months", 1e-9, "interval_incidence", "npmle, solved in R")
    for label, reference in results("turnbull")[name]["curves"].items():
        rows = d if column is None else d[d[column] == label]
        curve = interval_incidence(
            rows["lower"],
            rows["upper"],
            np.isfinite(rows["upper"]).astype(int),
            weights=rows["weight"] if name == "weighted" else None,
        )
        assert curve.converged
        s = curve.table.query("cause == 0").set_index("month")["incidence"]
        right = np.array(reference["npmle"]["intervals"]["right"], dtype=float)
        after = np.array(reference["npmle"]["intervals"]["surv_after"], dtype=float)
        finite = np.isfinite(right)
        gap.add("S", s.loc[right[finite].astype(int)], after[finite])
        gap.add("log-likelihood", curve.log_likelihood, reference["npmle"]["loglik"])
    return gap


COMPARISONS = {name: partial(compared, name) for name in COLUMNS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_turnbull(name):
    COMPARISONS[name]().check()


@pytest.mark.parametrize("entry", [None, "entry"])
@pytest.mark.parametrize("weights", [None, "weight"])
@pytest.mark.parametrize("group", [None, "region"])
def test_exact_exits_give_kaplan_meier_and_aalen_johansen(entry, weights, group):
    d = cohort()
    more = {a: None if c is None else d[c] for a, c in (("entry", entry), ("weights", weights), ("group", group))}
    upper = np.where(d["cause"] > 0, d["time"], np.inf)
    table = interval_incidence(d["time"], upper, d["cause"], **more).table
    km = kaplan_meier(d["time"], d["cause"] > 0, **more)
    aj = cumulative_incidence(d["time"], d["cause"], **more)
    for frame in (table, km, aj):
        if group is None:
            frame.insert(0, "group", "all")
    gap = Differences("exact exits", 1e-8)
    ours = table.set_index(["group", "cause", "month"])
    s = ours.loc[[(g, 0, int(t)) for g, t in zip(km["group"], km["time"], strict=True)]]
    gap.add("S", s["incidence"], km["survival"])
    f = ours.loc[[(g, c, int(t)) for g, c, t in zip(aj["group"], aj["cause"], aj["time"], strict=True)]]
    gap.add("F", f["incidence"], aj["incidence"])
    if weights is None:
        np.testing.assert_array_equal(s["n_risk"], km["n_risk"])
    gap.check()


def test_bootstrap_by_household_agrees_with_the_jackknife_where_exits_are_exact():
    d = cohort()
    upper = np.where(d["cause"] > 0, d["time"], np.inf)
    curve = interval_incidence(
        d["time"], upper, d["cause"], entry=d["entry"], cluster=d["household_id"], replicates=1000
    )
    jackknife = kaplan_meier(d["time"], d["cause"] > 0, entry=d["entry"], cluster=d["household_id"]).set_index("time")
    s = curve.table.query("cause == 0").set_index("month")
    ratio = s["se"] / jackknife["se"]
    print(f"bootstrap se / jackknife se: {ratio.min():.3f} to {ratio.max():.3f}")
    assert ratio.loc[3:].between(0.9, 1.1).all()  # ± 10 %: Monte-Carlo error of 1,000 replicates is 2.2 %
    assert np.abs(s["lower"] - jackknife["lower"]).max() < 0.01
    assert np.abs(s["upper"] - jackknife["upper"]).max() < 0.01
