"""The discrete-time hazard against statsmodels on person-months written out, invariants, edges and refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from trajectories.survival.regression import discrete_hazard as person_months
from trajectories.survival.regression.discrete_hazard import discrete_hazard

pytestmark = pytest.mark.filterwarnings("error")

DATA = Path(__file__).parents[1] / "golden" / "data" / "cohort.csv"
TERMS = ["age", "job_found"]
ROWS = {"start": "entry", "stop": "time", "event": "left"}
PIECES = (3, 6, 12, 24, 36)


@pytest.fixture(scope="module")
def cohort():
    data = pd.read_csv(DATA, dtype={"region": str})
    return data.assign(left=(data["cause"] > 0).astype(int)).sample(250, random_state=1).reset_index(drop=True)


def written_out(data, terms=TERMS, pieces=PIECES, strata=None, weights=None, cluster=None):
    """statsmodels on a row per person-month; clustered with the bread R's sandwich uses, the expected information."""
    from statsmodels.genmod.families import Binomial, links
    from statsmodels.genmod.generalized_linear_model import GLM

    months = (data["time"] - data["entry"]).astype(int)
    long = data.loc[data.index.repeat(months)]
    month = long.groupby(level=0).cumcount() + long["entry"] + 1
    y = ((month == long["time"]) & (long["left"] > 0)).to_numpy(dtype=float)
    piece = pd.Series(month if pieces is None else np.searchsorted(pieces, month), index=long.index).astype(str)
    labels = piece if strata is None else piece + " " + long[strata]
    dummies = pd.get_dummies(labels.reset_index(drop=True)).astype(float)
    dummies = dummies.loc[:, dummies.mul(y, axis=0).sum() > 0]  # a piece without an event has hazard 0
    used = dummies.sum(axis=1).to_numpy() > 0
    z = np.hstack([dummies.to_numpy(), long[terms].to_numpy(dtype=float)])[used]
    w = np.ones(len(z)) if weights is None else long[weights].to_numpy(dtype=float)[used]
    y = y[used]
    settings_ = {"tol": 1e-12, "maxiter": 200, "tol_criterion": "params", "atol": 1e-12, "rtol": 0}
    result = GLM(y, z, family=Binomial(links.CLogLog()), freq_weights=w).fit(**settings_)
    rate = np.exp(z @ result.params)
    chance = -np.expm1(-rate)
    bread = np.linalg.inv((z * (w * rate**2 * (1 - chance) / chance)[:, None]).T @ z)
    scores = (w * rate * (y - chance) / chance)[:, None] * z
    group = np.arange(len(z)) if cluster is None else pd.factorize(long[cluster])[0][used]
    summed = pd.DataFrame(scores).groupby(group).sum().to_numpy()
    robust = bread @ (summed.T @ summed) @ bread
    k = len(terms)
    return result.params[-k:], result.bse[-k:], np.sqrt(np.diag(robust))[-k:], result.llf


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cluster": "household_id"},
        {"weights": "weight", "cluster": "household_id"},
        {"strata": "sex", "cluster": "household_id"},
        {"pieces": None, "cluster": "household_id"},
        {"pieces": None, "weights": "weight", "cluster": "household_id"},
    ],
    ids=lambda options: "+".join(options) or "plain",
)
def test_person_months_written_out(cohort, options):
    pieces = options.get("pieces", PIECES)
    others = {name: value for name, value in options.items() if name != "pieces"}
    baseline = {"baseline": "month"} if pieces is None else {"pieces": pieces}
    fit = discrete_hazard(cohort, covariates=TERMS, **ROWS, **baseline, **others)
    coef, se, robust, log_likelihood = written_out(cohort, pieces=pieces, **others)
    differences = {
        "coef": np.abs(fit.table["coef"] - coef).max(),
        "se": np.abs(fit.table["se"] - se).max(),
        "robust_se": np.abs(fit.table["robust_se"] - robust).max() if "cluster" in options else 0.0,
        "log_likelihood": abs(fit.log_likelihood - log_likelihood),
    }
    print(options, {name: f"{value:.0e}" for name, value in differences.items()}, "cells", fit.n_cells)
    assert max(differences.values()) < 1e-9
    weight = cohort["weight"] if "weights" in options else 1.0
    assert fit.n_months == pytest.approx((weight * (cohort["time"] - cohort["entry"])).sum())
    assert fit.n_cells < fit.n_months / 2
    assert fit.table["robust_se"].notna().all() == ("cluster" in options)
    used = fit.table["robust_se"] if "cluster" in options else fit.table["se"]
    np.testing.assert_allclose(fit.table["upper"], np.exp(fit.table["coef"] + 1.959963984540054 * used))


def test_rows_may_be_cut_anywhere(cohort):
    rng = np.random.default_rng(2)
    whole = cohort.assign(person=np.arange(len(cohort)))
    cut = np.floor(rng.uniform(whole["entry"], whole["time"]))
    first = whole.assign(time=cut, left=0)[cut > whole["entry"]]
    second = whole.assign(entry=np.maximum(cut, whole["entry"]))
    pieces = pd.concat([first, second], ignore_index=True)
    options = {"covariates": "age + C(region)", "cluster": "person", **ROWS}
    one, two = discrete_hazard(whole, **options), discrete_hazard(pieces, **options)
    np.testing.assert_allclose(one.table.iloc[:, 1:].to_numpy(), two.table.iloc[:, 1:].to_numpy(), atol=1e-9)
    pd.testing.assert_frame_equal(one.baseline, two.baseline, atol=1e-9)


def test_a_covariate_that_changes(cohort):
    # Half way through, everybody's flag turns on: only start–stop rows can say so.
    half = np.ceil((cohort["entry"] + cohort["time"]) / 2)
    rows = pd.concat(
        [
            cohort.assign(time=half, left=np.where(half == cohort["time"], cohort["left"], 0), on=0),
            cohort.assign(entry=half, on=1),
        ]
    )
    rows = rows[rows["time"] > rows["entry"]].reset_index(drop=True)
    fit = discrete_hazard(rows, covariates=["on", "age"], cluster="household_id", **ROWS)
    coef, se, robust, _ = written_out(rows, ["on", "age"], cluster="household_id")
    np.testing.assert_allclose(fit.table[["coef", "se", "robust_se"]].to_numpy().T, [coef, se, robust], atol=1e-9)


def test_whole_weights_are_frequencies(cohort):
    data = cohort.assign(times=np.arange(len(cohort)) % 3)
    repeated = data.loc[data.index.repeat(data["times"])].reset_index(drop=True)
    weighted = discrete_hazard(data, covariates=TERMS, weights="times", **ROWS)
    long = discrete_hazard(repeated, covariates=TERMS, **ROWS)
    np.testing.assert_allclose(weighted.table[["coef", "se"]], long.table[["coef", "se"]], atol=1e-9)
    assert weighted.robust_covariance is None
    halves = discrete_hazard(data.assign(times=data["times"] / 2), covariates=TERMS, weights="times", **ROWS)
    assert halves.table["robust_se"].notna().all()


def test_scores_are_summed_in_blocks_of_whole_households(cohort, monkeypatch):
    options = {"covariates": TERMS, "cluster": "household_id", **ROWS}
    at_once = discrete_hazard(cohort, **options)
    monkeypatch.setattr(person_months, "ROWS_AT_ONCE", 7)
    in_blocks = discrete_hazard(cohort, **options)
    np.testing.assert_allclose(in_blocks.robust_covariance, at_once.robust_covariance, rtol=1e-10)


def test_the_baseline_is_the_life_table_where_covariates_say_nothing(cohort):
    # A covariate in balance has coefficient 0, and the hazards are events over person-months.
    both = pd.concat([cohort.assign(z=-1), cohort.assign(z=1)], ignore_index=True)
    fit = discrete_hazard(both, covariates=["z"], baseline="month", **ROWS)
    assert fit.table["coef"][0] == pytest.approx(0, abs=1e-9)
    base = fit.baseline
    np.testing.assert_allclose(base["hazard"], base["n_event"] / base["n_risk"], atol=1e-9)
    months = np.arange(1, len(base) + 1)
    at_risk = [2 * ((cohort["entry"] < m) & (cohort["time"] >= m)).sum() for m in months]
    np.testing.assert_allclose(base["n_risk"], at_risk)
    curve = fit.predict_survival(pd.DataFrame({"z": [0]}), [0, *months, 0.5, len(base) + 1]).to_numpy()[0]
    np.testing.assert_allclose(curve[: len(base) + 1], np.concatenate([[1], np.cumprod(1 - base["hazard"])]), atol=1e-9)
    assert curve[-2] == 1 and np.isnan(curve[-1])
    none = base["hazard"] == 0
    assert none.any() and base.loc[none, ["lower", "upper"]].isna().all(axis=None)
    assert ((base["lower"] < base["hazard"]) & (base["hazard"] < base["upper"]))[~none].all()


def test_prediction_by_stratum_and_level(cohort):
    fit = discrete_hazard(cohort, covariates="age + C(region)", strata="sex", pieces=[6, 12], **ROWS)
    people = cohort[["age", "region", "sex"]].head(6)
    shown = fit.predict_survival(people, [7.9, 30])
    coef = fit.table.set_index("term")["coef"]
    for row, person in enumerate(people.itertuples()):
        base = fit.baseline[fit.baseline["stratum"] == person.sex].set_index("last_month")["hazard"]
        effect = np.exp(coef["age"] * person.age + coef.get(f"C(region)[{person.region}]", 0.0))
        early = (1 - base[6]) ** (6 * effect) * (1 - base[12]) ** effect
        assert shown.iloc[row, 0] == pytest.approx(early)
        late = (1 - base[6]) ** (6 * effect) * (1 - base[12]) ** (6 * effect) * (1 - base.iloc[-1]) ** (18 * effect)
        assert shown.iloc[row, 1] == pytest.approx(late)
    with pytest.raises(ValueError, match="strata: 6 of 6 values are no stratum of the fit"):
        fit.predict_survival(people.assign(sex="X"), [3])


def test_nobody_everybody_and_no_one_at_risk():
    # Nobody leaves in months 1–2, everybody there does in month 3, and months 4–5 have nobody at risk.
    rows = pd.DataFrame(
        {
            "start": [0, 0, 0, 5, 5, 5, 5, 5],
            "stop": [3, 3, 3, 7, 8, 8, 7, 7],
            "left": [1, 1, 1, 1, 0, 1, 0, 1],
            "x": [0, 1, 1, 0, 1, 1, 0, 1],
        }
    )
    fit = discrete_hazard(rows, start="start", stop="stop", event="left", covariates=["x"], baseline="month")
    assert fit.baseline["hazard"][:3].tolist() == [0, 0, 1] and fit.baseline["hazard"][3:5].isna().all()
    late = rows[rows["start"] == 5]
    other = discrete_hazard(late, start="start", stop="stop", event="left", covariates=["x"], baseline="month")
    np.testing.assert_allclose(fit.table.iloc[:, 1:].to_numpy(), other.table.iloc[:, 1:].to_numpy(), atol=1e-9)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood)
    curve = fit.predict_survival(pd.DataFrame({"x": [0]}), [2, 3]).to_numpy()[0]
    assert curve.tolist() == [1, 0]
    assert np.isnan(other.predict_survival(pd.DataFrame({"x": [0]}), [6])).all(axis=None)


@settings(max_examples=40, deadline=None)
@drawn(st.integers(0, 10_000), st.booleans())
def test_the_maximum_of_the_likelihood_of_person_months(seed, by_month):
    rng = np.random.default_rng(seed)
    n = 60
    start = rng.integers(0, 4, n)
    data = pd.DataFrame({"start": start, "stop": start + rng.integers(1, 9, n), "left": rng.random(n) < 0.5})
    data = data.assign(a=rng.normal(size=n), b=rng.integers(0, 2, n), house=rng.integers(0, 20, n))
    options = {"baseline": "month"} if by_month else {"pieces": (2, 5)}
    terms = {"start": "start", "stop": "stop", "event": "left", "covariates": ["a", "b"], "cluster": "house"}
    fit = discrete_hazard(data, **terms, **options)
    free = (fit.baseline["n_event"] > 0) & (fit.baseline["n_event"] < fit.baseline["n_risk"])
    first, last = fit.baseline["first_month"].to_numpy(), fit.baseline["last_month"].to_numpy()

    def log_likelihood(beta, level):
        total = 0.0
        for row in data.itertuples():
            months = np.arange(row.start + 1, row.stop + 1)
            piece = np.searchsorted(last, months)
            inside = free.to_numpy()[piece]
            rate = np.exp(level[piece] + beta @ [row.a, row.b])
            ended = row.left & (months == row.stop)
            total += np.where(ended, np.log(-np.expm1(-rate)), -rate)[inside].sum()
        return total

    assert (first[1:] == last[:-1] + 1).all()
    with np.errstate(divide="ignore"):
        level = np.log(-np.log1p(-np.where(free, fit.baseline["hazard"], 0.5)))
    beta = fit.table["coef"].to_numpy()
    best = log_likelihood(beta, level)
    assert best == pytest.approx(fit.log_likelihood, abs=1e-8)
    for move in np.eye(2) * 1e-3:
        assert log_likelihood(beta + move, level) < best and log_likelihood(beta - move, level) < best
    nudged = np.flatnonzero(free)[0]
    for by in (-1e-3, 1e-3):
        assert log_likelihood(beta, level + by * (np.arange(len(level)) == nudged)) < best


SMALL = pd.DataFrame(
    {
        "months": [2, 5, 9, 4, 7, 9],
        "left": [1, 1, 0, 1, 0, 0],
        "x": [1, 1, 1, 0, 0, 0],
        "leaves": [1, 1, 0, 1, 0, 0],
        "w": [1, 1, 1, 1, 1, np.inf],
    }
)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"covariates": ["leaves"]}, "covariates: infinite coefficient of leaves"),
        ({"one": 1}, {"covariates": ["one"]}, "covariates: one has the same value in all 6 rows"),
        (
            {"two": [2, 2, 2, 0, 0, 0]},
            {"covariates": ["x", "two"]},
            "covariates: (double|two) is a linear combination of x",
        ),
        ({}, {"strata": "x"}, "covariates: infinite coefficient of x, .* or it is told by the others and the baseline"),
        ({"left": 0}, {}, r"left \(event\): no event to fit in 6 rows"),
        ({"months": 2.5}, {}, "months: 6 of 6 values are not whole months"),
        ({"months": 0}, {}, "months: 6 of 6 values are 0: no month at risk"),
        (
            {"late": 5},
            {"start": "late"},
            r"months \(time\): 3 of 6 values are not after their entry",
        ),
        ({"months": np.nan}, {}, r"months \(time\): 6 of 6 values are missing"),
        ({"months": 1, "left": 1}, {}, "event: in each piece everyone or nobody leaves"),
        ({}, {"pieces": [3, 3]}, "pieces: .* do not increase"),
        ({}, {"pieces": [2.5]}, "pieces: .* are not whole months above 0"),
        ({}, {"baseline": "year"}, "baseline: 1 unknown label"),
        ({}, {"weights": "w"}, r"w \(weights\): 1 of 6 values are infinite"),
        ({}, {"cluster": "house"}, "cluster: no column 'house'"),
        ({"x": ["a", "a", "b", "b", "a", "b"]}, {}, "x: some of the 6 values are not numbers"),
    ],
)
def test_refusals(change, options, said):
    with pytest.raises(ValueError, match=said):
        discrete_hazard(SMALL.assign(**change), **{"stop": "months", "event": "left", "covariates": ["x"], **options})
