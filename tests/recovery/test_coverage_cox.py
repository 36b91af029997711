"""Cox and Fine–Gray regressions with known coefficients: 500 persons, strata, late entry; households with a frailty.

In the households' design the frailty is positive stable with index ½ (Hougaard 1986): hazards stay proportional once it
is averaged out, so the marginal model that `cox` fits is true, with half of the coefficients given the frailty. Whether
somebody is seen depends on the person's own entry only. In Fine–Gray's, F₁(t | x) = 1 − (1 − p(1 − e^{−t/θ}))^{e^{xβ}}
(Fine & Gray 1999, section 5).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from coverage_study import LONG, SHORT, Study, check, known, run

from trajectories.survival.regression.cox import cox
from trajectories.survival.regression.fine_gray import fine_gray

BETA = np.array([0.5, -0.4])
SCALES = np.array([20.0, 35.0, 60.0])
SHAPES = np.array([0.8, 1.0, 1.3])
STABLE = 0.5
SHARE, THETA = 0.5, 15.0


def late(rng, n):
    return np.where(rng.random(n) < 0.25, rng.uniform(0, 12, n), 0.0)


def seen(rng, time, entry, columns, n=500, cause=1):
    """The first n who had not left before entering, censored 6 to 60 months after."""
    end = entry + rng.uniform(6, 60, len(time))
    table = pd.DataFrame(columns).assign(time=np.minimum(time, end), entry=entry, cause=np.where(time <= end, cause, 0))
    return table[time > entry + 1e-6].head(n)  # closer than 1.5e-8 is a tie, and refused


def strata(rng, persons=500):
    """Three strata, each with a Weibull baseline of its own."""
    n = 2 * persons
    x, female, region = rng.normal(size=n), rng.integers(0, 2, n), rng.integers(0, 3, n)
    hazard = rng.exponential(size=n) * np.exp(-(BETA[0] * female + BETA[1] * x))
    time = SCALES[region] * hazard ** (1 / SHAPES[region])
    return seen(rng, time, late(rng, n), {"female": female, "x": x, "region": region}, persons)


def coefficients(fit, robust):
    table = fit.table
    limits = np.log(table[["lower", "upper"]].to_numpy()).T
    return table["coef"].to_numpy(), table["robust_se" if robust else "se"].to_numpy(), *limits


def stratified(rng):
    how = {"time": "time", "event": "cause", "entry": "entry", "strata": "region"}
    return coefficients(cox(strata(rng), covariates=["female", "x"], **how), robust=False)


NEW = pd.DataFrame({"female": [1, 0], "x": [0.5, -0.5], "region": [0, 2]})
AT = np.array([6.0, 24.0])


def predicted(rng):
    """Compared as −log S: the estimate of Λ is unbiased, that of S = exp(−Λ) has the bias S Var(Λ)/2."""
    how = {"time": "time", "event": "cause", "entry": "entry", "strata": "region"}
    table = cox(strata(rng), covariates=["female", "x"], **how).predict_survival_table(NEW, AT)
    survival, se, lower, upper = (table[c].to_numpy() for c in ("survival", "se", "lower", "upper"))
    return -np.log(survival), se / survival, -np.log(upper), -np.log(lower)


def true_hazard():
    eta = NEW[["female", "x"]].to_numpy() @ BETA
    region = NEW["region"].to_numpy()
    hazard = (AT / SCALES[region, None]) ** SHAPES[region, None]
    return tuple((hazard * np.exp(eta)[:, None]).ravel())


def stable(rng, n):
    """Positive stable draws of index ½: the inverse of a chi-square, scaled so that E e^{−sW} = e^{−√s}."""
    return 1 / (2 * rng.normal(size=n) ** 2)


def households(rng):
    """Two or three persons a household; `city` is the household's, `female` the person's."""
    n = 600
    size = rng.integers(2, 4, n)
    household = np.repeat(np.arange(n), size)
    city = rng.integers(0, 2, n)[household]
    female = rng.integers(0, 2, len(household))
    given = (BETA[0] * city + BETA[1] * female) / STABLE  # given the frailty
    hazard = rng.exponential(size=len(household)) / (stable(rng, n)[household] * np.exp(given))
    time = 30 * hazard**STABLE
    return seen(rng, time, late(rng, len(household)), {"city": city, "female": female, "household": household})


def clustered(rng, cluster="household"):
    how = {"time": "time", "event": "cause", "entry": "entry", "covariates": ["city", "female"]}
    return coefficients(cox(households(rng), cluster=cluster, **how), robust=cluster is not None)


def weighted(rng):
    """Some are seen less often than others; the weights, inverse chances, are no counts."""
    d = strata(rng, persons=840)
    chance = np.where(d["female"] == 1, 0.5, 0.9) * np.where(d["x"] > 0, 1.0, 0.7)
    d = d.assign(weight=1 / chance)[rng.random(len(d)) < chance]
    how = {"time": "time", "event": "cause", "entry": "entry", "strata": "region", "weights": "weight"}
    return coefficients(cox(d, covariates=["female", "x"], **how), robust=True)


def subdistribution(rng):
    n = 1000
    x, female = rng.normal(size=n), rng.integers(0, 2, n)
    ratio = np.exp(BETA[0] * female + BETA[1] * x)
    u = rng.random(n)
    first = u < 1 - (1 - SHARE) ** ratio
    inside = (1 - (1 - np.where(first, u, 0.0)) ** (1 / ratio)) / SHARE
    time = np.where(first, -THETA * np.log1p(-inside), rng.exponential(THETA * np.exp(0.3 * x)))
    columns = {"female": female, "x": x}
    d = seen(rng, time, late(rng, n), columns, cause=np.where(first, 1, 2))
    how = {"time": "time", "cause": "cause", "entry": "entry", "covariates": ["female", "x"]}
    return coefficients(fine_gray(d, cause_of_interest=1, **how), robust=True)


LATE = "500 persons, 3 strata, a quarter enter late"
TOGETHER = "500 persons in households of 2–3, frailty, a quarter enter late"
POINTS = tuple(f"−log S({t:.0f}) of person {i + 1}" for i in range(2) for t in AT)
STUDIES = [
    Study("cox", LATE, ("female", "x"), tuple(BETA), stratified),
    Study("cox, predict_survival_table", LATE, POINTS, true_hazard(), predicted),
    Study("cox, cluster", TOGETHER, ("city", "female"), tuple(BETA), clustered),
    Study(
        "cox, weights",
        "500 persons of 840, weighted, 3 strata, a quarter enter late",
        ("female", "x"),
        tuple(BETA),
        weighted,
    ),
    Study("fine_gray", "500 persons, a quarter enter late", ("female", "x"), tuple(BETA), subdistribution),
]
NAMES = [study.estimator for study in STUDIES]


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_coverage(study):
    check(known(study, SHORT))


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_coverage_long(study):
    check(run(study, LONG))


def test_limits_that_ignore_households_are_too_narrow():
    cluster = STUDIES[NAMES.index("cox, cluster")]
    naive = Study("naive", TOGETHER, cluster.quantities, cluster.truth, lambda rng: clustered(rng, cluster=None))
    table, with_cluster = run(naive, 300).set_index("quantity"), run(cluster, 300).set_index("quantity")
    print(table.round(3).to_string())
    # The household's own covariate shows it: 300 replications of a true 95 % give .95 ± .0126.
    assert table.loc["city", "coverage"] < 0.95 - 3 * 0.0126
    assert table.loc["city", "mean_se"] < 0.9 * table.loc["city", "sd"]
    assert (with_cluster["mean_se"] / with_cluster["sd"]).between(0.9, 1.1).all()
