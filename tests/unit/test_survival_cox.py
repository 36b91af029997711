"""Cox regression: against its definition by plain loops, and what must not change it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajectories.survival.kaplan_meier import kaplan_meier
from trajectories.survival.regression.cox import cox

TERMS = ["age", "score"]


def persons(n, seed, whole=True):
    rng = np.random.default_rng(seed)
    age, score = rng.integers(20, 60, n).astype(float), rng.normal(size=n)
    time = rng.exponential(12 * np.exp(0.02 * (age - 40) - 0.4 * score)) + 1
    time = np.ceil(time) if whole else time
    return pd.DataFrame(
        {
            "age": age,
            "score": score,
            "sex": rng.choice(["F", "M"], n),
            "time": time,
            "event": (rng.random(n) < 0.7).astype(int),
            "entry": np.floor(time * rng.random(n) * 0.9) if whole else time * rng.random(n) * 0.9,
            "region": rng.choice(["north", "south", "east"], n),
            "weight": rng.uniform(0.5, 2, n),
            "count": rng.integers(1, 4, n),
            "household": rng.integers(0, n // 2, n),
        }
    )


def partial_log_likelihood(d, beta, ties, entry=None, strata=None, weights=None):
    """From the definition, one event time after the other."""
    x, time, event = d[TERMS].to_numpy(), d["time"].to_numpy(), d["event"].to_numpy()
    start = np.full(len(d), -1.0) if entry is None else d[entry].to_numpy()
    group = np.zeros(len(d)) if strata is None else d[strata].to_numpy()
    w = np.ones(len(d)) if weights is None else d[weights].to_numpy(float)
    eta = x @ beta
    risk, total = w * np.exp(eta), 0.0
    for g in np.unique(group):
        for t in np.unique(time[(group == g) & (event == 1)]):
            at_risk = (group == g) & (start < t) & (time >= t)
            dies = at_risk & (time == t) & (event == 1)
            d_t = int(dies.sum())
            total += (w * eta)[dies].sum()
            for k in range(d_t):
                share = k / d_t if ties == "efron" else 0.0
                total -= w[dies].mean() * np.log(risk[at_risk].sum() - share * risk[dies].sum())
    return total


def gradient(f, at, step):
    return np.array([(f(at + h) - f(at - h)) / (2 * h.max()) for h in np.diag(step)])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(
    "given_",
    [
        {},
        {"entry": "entry"},
        {"strata": "region"},
        {"weights": "weight"},
        {"entry": "entry", "strata": "region", "weights": "weight"},
    ],
    ids=lambda given_: "+".join(given_) or "plain",
)
def test_maximises_the_partial_likelihood(ties, given_):
    d = persons(80, 3)
    fit = cox(d, time="time", event="event", covariates=TERMS, ties=ties, **given_)

    def f(beta):
        return partial_log_likelihood(d, beta, ties, **given_)

    best, step = fit.table["coef"].to_numpy(), np.array([1e-4, 1e-3])
    assert fit.log_likelihood == pytest.approx(f(best), abs=1e-9)
    assert fit.log_likelihood_null == pytest.approx(f(np.zeros(2)), abs=1e-9)
    assert np.abs(gradient(f, best, step) * fit.table["se"]).max() < 1e-6
    information = -np.array(
        [(gradient(f, best + h, step) - gradient(f, best - h, step)) / (2 * h.max()) for h in np.diag(step)]
    )
    np.testing.assert_allclose(np.linalg.inv(information), fit.covariance, rtol=2e-4, atol=1e-9)


ALL = {"entry": "entry", "strata": "region"}


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("more", [{}, {"weights": "weight"}], ids=["plain", "weights"])
def test_cutting_rows_changes_nothing(ties, more):
    d = persons(120, 5).assign(person=np.arange(120))
    cut = (d["entry"] + d["time"]) / 2
    keep = cut > d["entry"]
    early = d[keep].assign(time=cut[keep], event=0)
    pieces = pd.concat([early, d.assign(entry=np.where(keep, cut, d["entry"]))], ignore_index=True)
    how = {"time": "time", "event": "event", "covariates": TERMS, "cluster": "person", "ties": ties, **ALL, **more}
    whole, cut_up = cox(d, **how), cox(pieces, **how)
    assert cut_up.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-10)
    columns = ["coef", "se", "robust_se", "p_value", "hazard_ratio"]
    np.testing.assert_allclose(cut_up.table[columns], whole.table[columns], atol=1e-10)
    assert cut_up.concordance == pytest.approx(whole.concordance, abs=1e-12)
    assert cut_up.concordance_se == pytest.approx(whole.concordance_se, abs=1e-12)
    # « km » is a curve, which cuts do not change; « rank » counts rows.
    np.testing.assert_allclose(
        cut_up.test_proportional_hazards("km")["statistic"],
        whole.test_proportional_hazards("km")["statistic"],
        rtol=1e-8,
    )
    new = d.iloc[:3]
    np.testing.assert_allclose(
        cut_up.predict_survival_table(new, [2, 9])[["survival", "se"]],
        whole.predict_survival_table(new, [2, 9])[["survival", "se"]],
        atol=1e-12,
    )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_whole_weights_are_repeated_rows(ties):
    d = persons(100, 7)
    repeated = d.loc[d.index.repeat(d["count"])]
    how = {"time": "time", "event": "event", "covariates": TERMS, "ties": ties, **ALL}
    weighted, long = cox(d, weights="count", **how), cox(repeated, **how)
    assert weighted.robust_covariance is None
    assert weighted.table["robust_se"].isna().all()
    assert weighted.log_likelihood == pytest.approx(long.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(weighted.covariance, long.covariance, rtol=1e-10)
    np.testing.assert_allclose(weighted.table["coef"], long.table["coef"], atol=1e-12)
    np.testing.assert_allclose(weighted.tests["statistic"], long.tests["statistic"], rtol=1e-9)
    np.testing.assert_allclose(weighted.baseline["cumulative_hazard"], long.baseline["cumulative_hazard"], rtol=1e-10)
    assert weighted.concordance == pytest.approx(long.concordance, abs=1e-12)
    for how in ("km", "rank", "identity", "log"):
        a, b = (fit.test_proportional_hazards(how)["statistic"] for fit in (weighted, long))
        np.testing.assert_allclose(a, b, rtol=1e-8)


def test_a_row_of_weight_zero_is_not_there():
    d = persons(60, 8)
    d.loc[::7, "weight"] = 0.0
    how = {"time": "time", "event": "event", "covariates": TERMS, "weights": "weight", "cluster": "household"}
    with_zeros, without = cox(d, **how), cox(d[d["weight"] > 0], **how)
    assert with_zeros.n == without.n < 60
    np.testing.assert_allclose(
        with_zeros.table[["coef", "robust_se"]], without.table[["coef", "robust_se"]], rtol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-4, 1e5), st.floats(-1e4, 1e4), st.sampled_from(["efron", "breslow"]))
def test_unit_and_origin_of_a_covariate(seed, unit, origin, ties):
    d = persons(60, seed)
    other = d.assign(age=d["age"] * unit + origin)
    how = {"time": "time", "event": "event", "covariates": TERMS, "ties": ties, "cluster": "household", **ALL}
    a, b = cox(d, **how), cox(other, **how)
    assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(a.table[["z", "p_value"]], b.table[["z", "p_value"]], rtol=1e-5, atol=1e-7)
    assert a.table["robust_se"][0] == pytest.approx(b.table["robust_se"][0] * unit, rel=1e-6)
    new = d.iloc[:4]
    np.testing.assert_allclose(a.predict_survival(new, [3, 12]), b.predict_survival(other.iloc[:4], [3, 12]), rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_months_and_days_give_the_same_fit(seed):
    d = persons(60, seed)
    days = d.assign(time=d["time"] * 365.25 / 12, entry=d["entry"] * 365.25 / 12)
    how = {"time": "time", "event": "event", "covariates": TERMS, "cluster": "household", **ALL}
    a, b = cox(d, **how), cox(days, **how)
    np.testing.assert_allclose(a.table[["coef", "robust_se"]], b.table[["coef", "robust_se"]], rtol=1e-9, atol=1e-12)
    assert a.concordance == pytest.approx(b.concordance, abs=1e-12)


def pairs(d, score, entry, strata, weights):
    """Concordance by looking at every pair."""
    time, event = d["time"].to_numpy(), d["event"].to_numpy()
    start = d["entry"].to_numpy() if entry else np.full(len(d), -1.0)
    group = d["region"].to_numpy() if strata else np.zeros(len(d))
    w = d["weight"].to_numpy() if weights else np.ones(len(d))
    right = total = 0.0
    for j in np.flatnonzero(event):
        for i in range(len(d)):
            stays = time[i] > time[j] or (time[i] == time[j] and not event[i])
            if i == j or not stays or start[i] >= time[j] or group[i] != group[j]:
                continue
            near = abs(score[i] - score[j]) < 1e-9
            right += w[i] * w[j] * (0.5 if near else float(score[j] > score[i]))
            total += w[i] * w[j]
    return right / total


@pytest.mark.parametrize("entry", [False, True])
@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("weights", [False, True])
def test_concordance_is_the_share_of_pairs(entry, strata, weights):
    d = persons(70, 11)
    d["score"] = d["score"].round(0)  # equal scores
    d["age"] = d["age"].round(-1)
    more = {
        k: v
        for k, v, used in (("entry", "entry", entry), ("strata", "region", strata), ("weights", "weight", weights))
        if used
    }
    fit = cox(d, time="time", event="event", covariates=TERMS, **more)
    score = d[TERMS].to_numpy() @ fit.table["coef"].to_numpy()
    assert fit.concordance == pytest.approx(pairs(d, score, entry, strata, weights), abs=1e-12)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_robust_se_are_those_of_small_changes_of_weights(ties):
    """The jackknife's influence is a derivative: refit with one person's weight changed."""
    d = persons(60, 13)
    how = {"time": "time", "event": "event", "covariates": TERMS, "weights": "weight", "ties": ties, **ALL}
    fit, new, step = cox(d, **how), d.iloc[:2], 1e-4
    influence = {"coef": [], "hazard": []}
    for i in range(len(d)):
        low, high = (cox(d.assign(weight=d["weight"] + h * (d.index == i)), **how) for h in (-step, step))
        slope = d["weight"][i] / (2 * step)
        influence["coef"].append((high.table["coef"] - low.table["coef"]) * slope)
        ratio = np.log(low.predict_survival(new, [4, 10]) / high.predict_survival(new, [4, 10]))
        influence["hazard"].append(ratio.to_numpy().ravel() * slope)
    influence = {name: np.array(values) for name, values in influence.items()}
    np.testing.assert_allclose(np.sqrt((influence["coef"] ** 2).sum(axis=0)), fit.table["robust_se"], rtol=1e-5)
    table = fit.predict_survival_table(new, [4, 10])
    np.testing.assert_allclose(
        np.sqrt((influence["hazard"] ** 2).sum(axis=0)), table["se"] / table["survival"], rtol=1e-4
    )
    by_household = cox(d, cluster="household", **how)
    summed = pd.DataFrame(influence["coef"]).groupby(d["household"]).sum().to_numpy()
    np.testing.assert_allclose(summed.T @ summed, by_household.robust_covariance, rtol=1e-4, atol=1e-9)


def test_strata_may_be_several_columns():
    d = persons(200, 17)
    joined = d.assign(both=d["region"] + ", " + d["sex"])
    several = cox(d, time="time", event="event", covariates=TERMS, strata=["region", "sex"])
    one = cox(joined, time="time", event="event", covariates=TERMS, strata="both")
    assert several.log_likelihood == one.log_likelihood
    assert several.baseline["stratum"].tolist() == one.baseline["stratum"].tolist()
    np.testing.assert_array_equal(several.predict_survival(d[:9], [5]), one.predict_survival(joined[:9], [5]))


def test_predictions_are_rows_of_persons_and_columns_of_times():
    d = persons(90, 19)
    fit = cox(d, time="time", event="event", covariates="age + sex", strata="region", entry="entry")
    new = d.iloc[[4, 2]]
    wide = fit.predict_survival(new, [0, 6, 500])
    assert wide.index.tolist() == [4, 2]
    assert wide.columns.tolist() == [0, 6, 500]
    assert (wide[0] == 1).all()
    table = fit.predict_survival_table(new, [0, 6, 500])
    np.testing.assert_allclose(table["survival"], wide.to_numpy().ravel())
    assert table["person"].tolist() == [4, 4, 4, 2, 2, 2]
    assert (table.loc[table["time"] == 0, ["lower", "upper"]] == 1).all(axis=None)
    last = fit.baseline.groupby("stratum")["cumulative_hazard"].max()[new["region"]]
    coef = fit.table.set_index("term")["coef"]
    eta = new["age"] * coef["age"] + (new["sex"] == "M") * coef["sex[M]"]
    np.testing.assert_allclose(wide[500], np.exp(-last.to_numpy() * np.exp(eta)))


def test_no_effect_gives_nelson_aalen():
    """A covariate symmetric among the events has coefficient 0, and Breslow's baseline is Nelson–Aalen's."""
    half = persons(50, 23)
    d = pd.concat([half.assign(arm=0), half.assign(arm=1)])
    fit = cox(d, time="time", event="event", covariates=["arm"], entry="entry", ties="breslow")
    assert fit.table["coef"][0] == pytest.approx(0, abs=1e-14)
    curve = kaplan_meier(d["time"], d["event"], entry=d["entry"])
    np.testing.assert_allclose(fit.baseline["cumulative_hazard"], curve["cumulative_hazard"], rtol=1e-12)
    assert fit.concordance == pytest.approx(0.5, abs=1e-12)


def test_large_whole_weights_are_repetitions_and_take_little_memory():
    rng = np.random.default_rng(4)
    n = 60
    rows = pd.DataFrame({
        "time": rng.integers(1, 9, n), "event": rng.integers(0, 2, n), "x": rng.normal(size=n),
        "w": rng.integers(1, 900, n),
    })  # fmt: skip
    how = {"time": "time", "event": "event", "covariates": ["x"]}
    one, repeated = cox(rows, weights="w", **how), cox(rows.loc[rows.index.repeat(rows["w"])], **how)
    np.testing.assert_allclose(one.table[["coef", "se"]], repeated.table[["coef", "se"]], rtol=1e-10)
    np.testing.assert_allclose(one.baseline["cumulative_hazard"], repeated.baseline["cumulative_hazard"], rtol=1e-10)
    tracemalloc.start()
    cox(rows.assign(w=rows["w"] * 10**6), weights="w", **how)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10**7


def test_a_code_of_causes_is_no_event():
    rows = pd.DataFrame({"time": [3, 5, 6, 8], "left": [1, 2, 0, 1], "x": [1, 2, 3, 1]})
    with pytest.raises(ValueError, match=r"left \(event\): 1 of 4 values are above 1 .*cause == 2"):
        cox(rows, time="time", event="left", covariates=["x"])
