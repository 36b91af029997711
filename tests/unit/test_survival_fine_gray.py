"""Fine–Gray: against weighted rows made one by one and fitted by `cox`, its special cases, edges and errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trajectories.survival.incidence import cumulative_incidence
from trajectories.survival.regression.cox import cox
from trajectories.survival.regression.fine_gray import fine_gray

TERMS = ["age", "score"]
HOW = {"time": "time", "cause": "cause", "covariates": TERMS}


def persons(n, seed, whole=True):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    time = rng.exponential(12 * np.exp(-0.4 * score)) + 1
    time = np.ceil(time) if whole else time
    return pd.DataFrame(
        {
            "age": rng.integers(20, 60, n).astype(float),
            "score": score,
            "sex": rng.choice(["F", "M"], n),
            "time": time,
            "cause": rng.choice([0, 1, 2, 3], n, p=[0.3, 0.3, 0.3, 0.1]),
            "entry": np.where(rng.random(n) < 0.6, 0.0, np.floor(time * rng.random(n) * 0.9)),
            "household": rng.integers(0, n // 2, n),
            "person": np.arange(n),
        }
    )


def expanded(d, cause, entry):
    """Rows (start, stop] with weights, from the definition: one time after the other, one person after the other."""
    time, kind = d["time"].to_numpy(), d["cause"].to_numpy()
    start = d["entry"].to_numpy() if entry else np.full(len(d), -1.0)
    grid = np.unique(np.concatenate([time, start]))

    def chance(t):
        """G(t−)H(t−)."""
        value = 1.0
        for u in grid[grid < t]:
            at_risk = (start < u) & ((time > u) | ((time == u) & (kind == 0)))
            value *= 1 - ((time == u) & (kind == 0)).sum() / max(at_risk.sum(), 1)
        if entry and (start > time.min()).any():
            for u in grid[grid >= t]:
                at_risk = (start <= u) & (time > u)
                value *= 1 - (start == u).sum() / max(at_risk.sum(), 1)
        return value

    events = np.unique(time[kind == cause])
    rows = []
    for i, row in d.iterrows():
        rows.append({**row, "start": start[i], "stop": time[i], "is_event": int(kind[i] == cause), "mass": 1.0})
        if kind[i] not in (0, cause):
            here = chance(time[i])
            for t in events[events > time[i]]:
                before = grid[grid < t].max()
                rows.append({**row, "start": before, "stop": t, "is_event": 0, "mass": chance(t) / here})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("whole", [True, False], ids=["months", "floats"])
@pytest.mark.parametrize("entry", [None, "entry"], ids=["all", "entry"])
def test_is_a_weighted_cox_model(entry, whole):
    d = persons(90, 3, whole)
    rows = expanded(d, 1, entry)
    # Without entry everyone is at risk from before the first time on.
    rows["start"] += 1
    rows["stop"] += 1
    by_rows = cox(
        rows,
        time="stop",
        event="is_event",
        entry="start",
        covariates=TERMS,
        weights="mass",
        cluster="person",
        ties="breslow",
    )
    fit = fine_gray(d, cause_of_interest=1, entry=entry, **HOW)
    assert fit.log_likelihood == pytest.approx(by_rows.log_likelihood, abs=1e-9)
    columns = ["coef", "se", "robust_se", "z", "p_value", "hazard_ratio", "lower", "upper"]
    np.testing.assert_allclose(fit.table[columns], by_rows.table[columns], rtol=1e-8)
    np.testing.assert_allclose(fit.tests["statistic"], by_rows.tests["statistic"], rtol=1e-8)
    steps = by_rows.baseline[by_rows.baseline["time"].isin(fit.baseline["time"] + 1)]
    np.testing.assert_allclose(fit.baseline["cumulative_hazard"], steps["cumulative_hazard"], rtol=1e-9)
    new = d.iloc[:3]
    ours, theirs = fit.predict_incidence_table(new, [2, 8]), by_rows.predict_survival_table(new, [3, 9])
    np.testing.assert_allclose(ours["incidence"], 1 - theirs["survival"], rtol=1e-8)
    np.testing.assert_allclose(ours["se"], theirs["se"], rtol=1e-7)
    np.testing.assert_allclose(
        fit.test_proportional_hazards("identity")["statistic"],
        by_rows.test_proportional_hazards("identity")["statistic"],
        rtol=1e-6,
    )


def test_one_cause_only_is_cox():
    d = persons(80, 5)
    d["cause"] = (d["cause"] > 0).astype(int)
    for entry in (None, "entry"):
        fit = fine_gray(d, cause_of_interest=1, entry=entry, cluster="household", **HOW)
        same = cox(d, time="time", event="cause", covariates=TERMS, entry=entry, cluster="household", ties="breslow")
        np.testing.assert_allclose(fit.table["coef"], same.table["coef"], atol=1e-12)
        np.testing.assert_allclose(fit.robust_covariance, same.robust_covariance, rtol=1e-10)


def test_without_censoring_the_others_stay_for_ever():
    """G = 1: whoever left for another cause is at risk to the end, as if censored after everybody."""
    d = persons(80, 7)
    d["cause"] = np.where(d["cause"] == 0, 2, d["cause"])
    kept = d.assign(time=np.where(d["cause"] == 1, d["time"], 10_000.0), cause=(d["cause"] == 1).astype(int))
    fit = fine_gray(d, cause_of_interest=1, **HOW)
    same = cox(kept, time="time", event="cause", covariates=TERMS, cluster="person", ties="breslow")
    np.testing.assert_allclose(
        fit.table[["coef", "se", "robust_se"]], same.table[["coef", "se", "robust_se"]], rtol=1e-9
    )


@pytest.mark.parametrize("entry", [None, "entry"])
def test_no_effect_gives_the_cumulative_incidence(entry):
    """With a covariate of coefficient 0 the subdistribution's Nelson–Aalen is near the Aalen–Johansen of the cause."""
    half = persons(400, 11)
    d = pd.concat([half.assign(arm=0), half.assign(arm=1)], ignore_index=True)
    fit = fine_gray(d, time="time", cause="cause", cause_of_interest=1, covariates=["arm"], entry=entry)
    assert fit.table["coef"][0] == pytest.approx(0, abs=1e-12)
    curve = cumulative_incidence(d["time"], d["cause"], entry=None if entry is None else d["entry"])
    curve = curve[(curve["cause"] == 1) & (curve["n_event"] > 0)]
    increments = np.diff(fit.baseline["cumulative_hazard"], prepend=0)
    product = 1 - np.cumprod(1 - increments)
    np.testing.assert_allclose(product, curve["incidence"], rtol=1e-9)


def test_prediction_has_a_row_per_person_and_limits_around_it():
    d = persons(120, 13)
    fit = fine_gray(d, time="time", cause="cause", cause_of_interest=2, covariates="age + sex", cluster="household")
    assert fit.table["term"].tolist() == ["age", "sex[M]"]
    new = d.iloc[[5, 1, 9]]
    wide, table = fit.predict_incidence(new, [0, 4, 12]), fit.predict_incidence_table(new, [0, 4, 12])
    assert wide.shape == (3, 3)
    assert (wide[0] == 0).all()
    np.testing.assert_allclose(table["incidence"], wide.to_numpy().ravel())
    later = table[table["time"] > 0]
    assert ((later["lower"] < later["incidence"]) & (later["incidence"] < later["upper"])).all()
    assert (later["se"] > 0).all()


def test_errors():
    d = persons(40, 17)
    with pytest.raises(ValueError, match="cause: 0 of 40 values are 4; there is no event to fit"):
        fine_gray(d, cause_of_interest=4, **HOW)
    with pytest.raises(ValueError, match="no column 'height'"):
        fine_gray(d, cause_of_interest=1, **{**HOW, "covariates": ["height"]})
    with pytest.raises(ValueError, match=r"kind \(cause\): 40 of 40 values are not whole"):
        fine_gray(d.assign(kind=-1), cause_of_interest=1, **{**HOW, "cause": "kind"})
    # Everybody observed early is gone before the others enter: nothing says how those who left would have fared.
    early, late = d.iloc[:20], d.iloc[20:].assign(entry=200.0, time=lambda x: x["time"] + 200)
    with pytest.raises(ValueError, match="nobody is left under observation"):
        fine_gray(pd.concat([early, late]), cause_of_interest=1, entry="entry", **HOW)
