"""Accelerated failure time: an independent likelihood, lifelines where it has the same model, invariants, refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from trajectories.survival.regression.accelerated import accelerated_failure
from trajectories.survival.regression.log_time import FAMILIES, exits, log_times, row_terms

pytestmark = pytest.mark.filterwarnings("error")

DATA = Path(__file__).parents[1] / "golden" / "data" / "cohort.csv"
STANDARD = {"weibull": stats.gumbel_l, "lognormal": stats.norm, "loglogistic": stats.logistic}
COLUMNS = {"lower": "lower", "upper": "upper", "entry": "entry"}


@pytest.fixture(scope="module")
def cohort():
    data = pd.read_csv(DATA, dtype={"region": str})
    data["entry"] = np.minimum(data["entry"], data["lower"])
    return data.assign(male=(data["sex"] == "M").astype(float))


def log_likelihood(beta, data, distribution, each=False):
    """From scipy's distributions: intercept, age, male, log σ."""
    scale, standard = np.exp(beta[3]), STANDARD[distribution]
    eta = beta[0] + beta[1] * data["age"] + beta[2] * data["male"]
    with np.errstate(divide="ignore"):
        low, high, entry = ((np.log(data[c]) - eta) / scale for c in ("lower", "upper", "entry"))
    exact = data["lower"] == data["upper"]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.log(standard.sf(low) - standard.sf(high))
        density = standard.logpdf(high) - np.log(scale * data["upper"])
    rows = np.where(exact, density, inside) - standard.logsf(entry)
    return rows if each else rows.sum()


def fitted(data, distribution="weibull", **options):
    return accelerated_failure(data, covariates=["age", "male"], distribution=distribution, **COLUMNS, **options)


@pytest.mark.parametrize("distribution", STANDARD)
@pytest.mark.parametrize("rows", [60, 300])
def test_maximum_of_an_independent_likelihood(cohort, distribution, rows):
    data = cohort.head(rows)
    assert {0.0}.issubset(data["lower"]) and (data["lower"] == data["upper"]).any() and (data["entry"] > 0).any()
    fit = fitted(data, distribution)
    coef = fit.table["coef"].to_numpy()
    assert fit.log_likelihood == pytest.approx(log_likelihood(coef, data, distribution), abs=1e-9)
    away = coef + np.array([0.05, 0.001, -0.05, 0.02])
    goal = lambda scaled: -log_likelihood(scaled * [1, 0.02, 1, 1], data, distribution)  # noqa: E731
    settings = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 9000, "maxfev": 9000}
    found = optimize.minimize(goal, away / [1, 0.02, 1, 1], method="Nelder-Mead", options=settings)
    difference = np.abs(found.x * [1, 0.02, 1, 1] - coef).max()
    print(distribution, rows, "largest difference", difference)
    assert difference < 1e-6


@pytest.mark.parametrize("distribution", STANDARD)
def test_standard_errors_are_those_of_numerical_derivatives(cohort, distribution):
    fit = fitted(cohort, distribution, cluster="household_id")
    coef = fit.table["coef"].to_numpy()
    step = np.array([1e-3, 2e-5, 1e-3, 1e-3])
    moves = np.diag(step)

    def scores(beta):
        return np.array(
            [
                (
                    log_likelihood(beta + m, cohort, distribution, True)
                    - log_likelihood(beta - m, cohort, distribution, True)
                )
                / (2 * m.max())
                for m in moves
            ]
        )

    information = -np.array(
        [(scores(coef + m).sum(axis=1) - scores(coef - m).sum(axis=1)) / (2 * m.max()) for m in moves]
    )
    covariance = np.linalg.inv((information + information.T) / 2)
    np.testing.assert_allclose(fit.table["se"], np.sqrt(np.diag(covariance)), rtol=1e-4)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-3, atol=1e-9)
    summed = pd.DataFrame(scores(coef).T).groupby(cohort["household_id"].to_numpy()).sum().to_numpy()
    robust = covariance @ (summed.T @ summed) @ covariance
    np.testing.assert_allclose(fit.table["robust_se"], np.sqrt(np.diag(robust)), rtol=1e-4)
    table = fit.table
    np.testing.assert_allclose(table["z"], coef / table["robust_se"])
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(table["z"])), rtol=1e-9)
    age = table.set_index("term").loc["age"]
    assert age["upper"] == pytest.approx(np.exp(age["coef"] + 1.959963984540054 * age["robust_se"]))
    assert table.set_index("term").loc[["intercept", "log_scale"], "time_ratio"].isna().all()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("distribution", "near"), [("weibull", 1e-4), ("lognormal", 1e-4), ("loglogistic", 5e-3)])
def test_lifelines_stops_near_the_same_maximum(cohort, distribution, near):
    import lifelines

    fitters = {"weibull": "WeibullAFTFitter", "lognormal": "LogNormalAFTFitter", "loglogistic": "LogLogisticAFTFitter"}
    # lifelines' log-normal finds no maximum where a lower end is 0.
    data = cohort[[*COLUMNS.values(), "age", "male"]].assign(lower=np.maximum(cohort["lower"], 1e-6))
    peer = getattr(lifelines, fitters[distribution])().fit_interval_censoring(data, "lower", "upper", entry_col="entry")
    fit = fitted(data, distribution)
    theirs = peer.params_.to_numpy()[[2, 0, 1, 3]]
    theirs[3] *= 1 if distribution == "lognormal" else -1  # a shape is 1/σ
    assert np.abs(fit.table["coef"] - theirs).max() < near
    assert fit.log_likelihood >= peer.log_likelihood_


@pytest.mark.parametrize("distribution", STANDARD)
def test_the_unit_of_time_does_not_matter(cohort, distribution):
    days = cohort.assign(**{c: cohort[c] * 30.4375 for c in COLUMNS.values()})
    months, other = fitted(cohort, distribution), fitted(days, distribution)
    shift = np.array([np.log(30.4375), 0, 0, 0])
    np.testing.assert_allclose(other.table["coef"], months.table["coef"] + shift, atol=1e-9)
    np.testing.assert_allclose(other.covariance, months.covariance, rtol=1e-7, atol=1e-12)
    exact = (cohort["lower"] == cohort["upper"]).sum()
    assert other.log_likelihood == pytest.approx(months.log_likelihood - exact * np.log(30.4375))
    at_months = months.predict_survival(cohort.head(3), [0, 6, 24])
    at_days = other.predict_survival(cohort.head(3), np.array([0, 6, 24]) * 30.4375)
    np.testing.assert_allclose(at_days, at_months, atol=1e-9)


def test_whole_weights_are_frequencies_and_other_weights_robust(cohort):
    data = cohort.head(200).assign(times=np.arange(200) % 3)
    repeated = data.loc[data.index.repeat(data["times"])].reset_index(drop=True)
    weighted, long = fitted(data, weights="times"), fitted(repeated)
    np.testing.assert_allclose(weighted.table[["coef", "se"]], long.table[["coef", "se"]], atol=1e-9)
    assert weighted.robust_covariance is None and weighted.table["robust_se"].isna().all()
    assert weighted.log_likelihood == pytest.approx(long.log_likelihood)
    assert weighted.n_persons == (data["times"] > 0).sum()
    halves = fitted(data.assign(times=data["times"] / 2), weights="times")
    np.testing.assert_allclose(halves.table["coef"], long.table["coef"], atol=1e-9)
    assert halves.table["robust_se"].notna().all()


def test_a_person_censored_at_entry_says_nothing(cohort):
    nobody = cohort.head(5).assign(lower=7.0, entry=7.0, upper=np.inf, age=40)
    start = cohort.head(5).assign(lower=0.0, entry=0.0, upper=np.inf, age=40)
    more = fitted(pd.concat([cohort, nobody, start], ignore_index=True))
    np.testing.assert_allclose(more.table[["coef", "se"]], fitted(cohort).table[["coef", "se"]], atol=1e-9)


def test_rows_in_any_order(cohort):
    mixed = cohort.sample(frac=1, random_state=2)
    np.testing.assert_allclose(fitted(mixed).table["coef"], fitted(cohort).table["coef"], atol=1e-10)


def test_a_formula_names_its_levels_and_predicts_them(cohort):
    fit = accelerated_failure(cohort, covariates="age + C(region)", **COLUMNS)
    assert fit.table["term"].tolist()[:3] == ["intercept", "age", "C(region)[02]"]
    assert fit.table["term"].tolist()[-1] == "log_scale"
    person = cohort.head(1).assign(age=30, region="04")
    coef = fit.table.set_index("term")["coef"]
    eta = coef["intercept"] + 30 * coef["age"] + coef["C(region)[04]"]
    expected = np.exp(-((np.array([3.0, 50]) / np.exp(eta)) ** (1 / fit.scale)))
    shown = fit.predict_survival(person, [0, 3, 50])
    assert shown.columns.tolist() == [0, 3, 50] and shown.index.tolist() == [0]
    np.testing.assert_allclose(shown.to_numpy()[0], [1, *expected])


@pytest.mark.parametrize("distribution", FAMILIES)
@pytest.mark.parametrize("with_share", [False, True])
def test_derivatives_of_the_likelihood(distribution, with_share):
    rng = np.random.default_rng(4)
    n = 300
    lower = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.2, 40, n))
    upper = np.where(rng.random(n) < 0.4, np.inf, lower + rng.uniform(0.1, 9, n))
    exact = (rng.random(n) < 0.3) & np.isfinite(upper)
    lower = np.where(exact, upper, lower)
    given = log_times(exits(lower, upper, entry=lower * rng.choice([0, 0.5, 0.9], n)))
    start = [rng.normal(2.5, 0.6, n), -0.3, rng.normal(0, 1, n) if with_share else None]

    def terms(moved=None, by=0.0):
        return row_terms(FAMILIES[distribution], given, *(x if j != moved else x + by for j, x in enumerate(start)))

    here, step = terms(), 1e-5
    for j in range(3 if with_share else 2):
        after, before = terms(j, step), terms(j, -step)
        np.testing.assert_allclose((after.value - before.value) / (2 * step), here.first[j], atol=1e-6)
        np.testing.assert_allclose((after.first - before.first) / (2 * step), here.second[j], atol=1e-6)


def test_tails_without_a_number_lost():
    # 30 standard deviations out, in either tail, an interval still has a finite logarithm and slope.
    for distribution in FAMILIES:
        given = log_times(exits([1e6, 1e-6], [1.1e6, 1.1e-6]))
        terms = row_terms(FAMILIES[distribution], given, np.zeros(2), np.log(0.45))
        assert np.isfinite(terms.first).all() and np.isfinite(terms.second).all()
        assert terms.first[0, 1] < 0 < terms.first[0, 0]


SMALL = pd.DataFrame(
    {
        "lower": [2, 4, 6, 3, 8, 9.0],
        "upper": [3, 9, 6, np.inf, 12, np.inf],
        "x": [0, 0, 0, 1, 1, 1],
        "double": [0, 0, 0, 2, 2, 2],
        "one": 1.0,
        "leaves": [1, 1, 1, 0, 1, 0],
        "w": [1, 1, 1, 1, 1, np.inf],
    }
)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"covariates": ["one"]}, "covariates: one has the same value in all 6 rows"),
        ({}, {"covariates": ["x", "double"]}, "covariates: (double|two) is a linear combination of x"),
        ({}, {"covariates": ["leaves"]}, "no maximum, it rises for ever along .*leaves"),
        ({"upper": np.inf}, {}, "upper: no event to fit"),
        ({"lower": 5.0, "upper": 5.0}, {}, "upper: .*no maximum, it rises for ever along log_scale"),
        ({"lower": 0.0, "upper": 0.0}, {}, "upper: 6 of 6 values are 0"),
        ({"lower": 13.0}, {}, "upper: 4 of 6 values are below lower"),
        ({"lower": np.nan}, {}, "lower: 6 of 6 values are missing"),
        ({"lower": -1.0}, {}, "lower: 6 of 6 values are negative"),
        ({"late": 5.0}, {"entry": "late"}, r"late \(entry\): 3 of 6 values are above lower"),
        ({"late": 6.0, "lower": 6.0, "upper": 6.0}, {"entry": "late"}, "not after their entry"),
        ({}, {"weights": "w"}, r"w \(weights\): 1 of 6 values are infinite"),
        ({}, {"cluster": "house"}, "cluster: no column 'house'"),
        ({}, {"distribution": "gamma"}, "distribution: 1 unknown label"),
        ({}, {"conf_level": 1.0}, "conf_level"),
        ({}, {"covariates": []}, "covariates: 0 columns"),
    ],
)
def test_refusals(change, options, said):
    with pytest.raises(ValueError, match=said):
        accelerated_failure(
            SMALL.assign(**change), **{"lower": "lower", "upper": "upper", "covariates": ["x"], **options}
        )
