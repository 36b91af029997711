"""The mixture cure model: an independent likelihood, a known share, when a plateau is supported, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from scipy import optimize, stats

from trajectories.survival.regression.cure import FAMILIES, log_times, mixture_cure, read_exits, row_terms

pytestmark = pytest.mark.filterwarnings("error")

STANDARD = {"weibull": stats.gumbel_l, "lognormal": stats.norm, "loglogistic": stats.logistic}
SCALE = {"weibull": 0.8, "lognormal": 0.9, "loglogistic": 0.5}


def visited(share, n, follow, seed, distribution="weibull", exact=0.2, late=0.4):
    """Exits seen at visits of about six months, some dated, some persons found late."""
    rng = np.random.default_rng(seed)
    log_time = np.log(18) + SCALE[distribution] * STANDARD[distribution].rvs(size=n, random_state=rng)
    time = np.where(rng.random(n) < share, np.inf, np.exp(log_time))
    end = rng.uniform(*follow, n)
    entry = np.where(rng.random(n) < late, rng.uniform(0, 12, n), 0.0)
    seen = (time > entry) & (end > entry)
    time, end, entry = time[seen], end[seen], entry[seen]
    visits = entry[:, None] + np.cumsum(rng.exponential(6, (len(time), 60)) + 0.5, axis=1)
    made, gone = visits <= end[:, None], visits >= time[:, None]
    lower = np.maximum(entry, np.where(made & ~gone, visits, 0).max(axis=1))
    upper = np.where(made & gone, visits, np.inf).min(axis=1)
    dated = np.isfinite(upper) & (rng.random(len(time)) < exact)
    lower[dated] = upper[dated] = time[dated]
    return lower, upper, entry


def log_likelihood(beta, lower, upper, entry, distribution):
    """logit share, log time, log scale; from scipy's distributions."""
    share, scale, standard = 1 / (1 + np.exp(-beta[0])), np.exp(beta[2]), STANDARD[distribution]

    def survival(time):
        with np.errstate(divide="ignore"):
            return share + (1 - share) * standard.sf((np.log(time) - beta[1]) / scale)

    with np.errstate(divide="ignore", invalid="ignore"):
        density = (1 - share) * standard.pdf((np.log(upper) - beta[1]) / scale) / (scale * upper)
        ended = survival(lower) - survival(upper)
        rows = np.where(np.isinf(upper), survival(lower), np.where(lower == upper, density, ended))
        return np.log(rows / survival(entry)).sum()


@pytest.mark.parametrize("distribution", STANDARD)
@pytest.mark.parametrize("n", [60, pytest.param(300, marks=pytest.mark.thorough)])
def test_maximum_of_an_independent_likelihood(distribution, n):
    lower, upper, entry = visited(0.5, n, (60, 120), 5, distribution)
    fit = mixture_cure(lower, upper, entry=entry, distribution=distribution)
    coef = fit.table["coef"].to_numpy()
    assert fit.log_likelihood == pytest.approx(log_likelihood(coef, lower, upper, entry, distribution), abs=1e-9)
    goal = lambda beta: -log_likelihood(beta, lower, upper, entry, distribution)  # noqa: E731
    tight = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 9000, "maxfev": 9000}
    # From a start of its own: half of the persons without an exit, their exits at 10 months.
    found = optimize.minimize(goal, [-1.0, np.log(10), 0.0], method="Nelder-Mead", options=tight)
    difference = np.abs(found.x - coef).max()
    print(distribution, n, "largest difference", difference)
    assert difference < 1e-6
    moves = np.diag(np.full(3, 1e-3))
    information = [
        [goal(coef + a + b) - goal(coef + a - b) - goal(coef - a + b) + goal(coef - a - b) for b in moves]
        for a in moves
    ]
    se = np.sqrt(np.diag(np.linalg.inv(np.array(information) / 4e-6)))
    np.testing.assert_allclose(fit.table["se"], se, rtol=1e-3)
    assert fit.share == pytest.approx(1 / (1 + np.exp(-coef[0])))
    limits = 1 / (1 + np.exp(-(coef[0] + np.array([-1, 1]) * 1.959963984540054 * fit.table["se"][0])))
    np.testing.assert_allclose([fit.lower, fit.upper], limits)
    assert fit.se == pytest.approx(fit.table["se"][0] * fit.share * (1 - fit.share))


@pytest.mark.filterwarnings("default")
def test_lifelines_agrees_where_nothing_is_interval_censored():
    from lifelines import MixtureCureFitter, WeibullFitter

    rng = np.random.default_rng(3)
    time = np.where(rng.random(400) < 0.5, np.inf, 20 * rng.weibull(1.2, 400))
    end = rng.uniform(60, 120, 400)
    seen = np.minimum(time, end)
    peer = MixtureCureFitter(WeibullFitter()).fit(seen, time <= end)
    fit = mixture_cure(seen, np.where(time <= end, seen, np.inf))
    assert fit.share == pytest.approx(peer.cured_fraction_, abs=1e-4)
    assert np.exp(fit.location) == pytest.approx(peer.lambda_, rel=1e-3)
    assert 1 / fit.scale == pytest.approx(peer.rho_, rel=1e-3)
    assert fit.log_likelihood >= peer.log_likelihood_ - 1e-9


@pytest.mark.parametrize("distribution", STANDARD)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_known_share_from_a_long_follow_up(distribution, share):
    lower, upper, entry = visited(share, 3000, (110, 170), 8, distribution)
    fit = mixture_cure(lower, upper, entry=entry, distribution=distribution)
    assert fit.supported and fit.note == "" and fit.ratio < 0.05
    assert abs(fit.share - share) < 3 * fit.se < 0.05
    assert fit.follow_up == lower.max()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_a_short_follow_up_is_not_supported(share):
    for seed in range(10):
        lower, upper, entry = visited(share, 500, (3, 15), seed)
        fit = mixture_cure(lower, upper, entry=entry)
        assert not fit.supported and fit.note in {"no_share", "small_share", "short_follow_up", "weak_evidence"}


def test_no_share_is_said():
    found = []
    for seed in range(12):
        lower, upper, entry = visited(0.0, 400, (60, 120), seed)
        fit = mixture_cure(lower, upper, entry=entry, cluster=np.arange(len(lower)) // 2)
        found.append(fit.note)
        assert not fit.supported and fit.share < 0.03
        if fit.note == "no_share":
            assert fit.share == 0 and np.isnan([fit.se, fit.lower, fit.upper]).all() and fit.evidence == 0
            assert fit.table["coef"][0] == -np.inf and fit.table.iloc[0, 2:].isna().all()
            assert fit.table["robust_se"][1:].notna().all() and fit.ratio == 1
            curve = fit.survival([0, 12, 600])
            assert curve["survival"][0] == 1 and curve["survival"][2] < 0.01 and curve["se"].isna().all()
    assert found.count("no_share") >= 4


def test_the_unit_of_time_does_not_matter():
    lower, upper, entry = visited(0.3, 300, (40, 90), 2)
    months = mixture_cure(lower, upper, entry=entry)
    days = mixture_cure(lower * 30.4375, upper * 30.4375, entry=entry * 30.4375)
    assert days.share == pytest.approx(months.share, abs=1e-10) and days.se == pytest.approx(months.se, rel=1e-7)
    assert days.location == pytest.approx(months.location + np.log(30.4375))
    assert (days.note, days.ratio) == (months.note, pytest.approx(months.ratio))
    np.testing.assert_allclose(
        days.survival(np.array([6, 60]) * 30.4375).iloc[:, 1:], months.survival([6, 60]).iloc[:, 1:]
    )


def test_whole_weights_are_frequencies_and_clusters_robust():
    lower, upper, entry = visited(0.5, 200, (60, 120), 4)
    times = np.arange(len(lower)) % 3
    rows = np.repeat(np.arange(len(lower)), times)
    weighted = mixture_cure(lower, upper, entry=entry, weights=times)
    long = mixture_cure(lower[rows], upper[rows], entry=entry[rows])
    np.testing.assert_allclose([weighted.share, weighted.se], [long.share, long.se], atol=1e-9)
    assert weighted.robust_covariance is None
    # Copies of one person are one household: the model's se is too small by √2, the robust one is not.
    single = mixture_cure(lower, upper, entry=entry, cluster=np.arange(len(lower)))
    twice = (np.tile(x, 2) for x in (lower, upper, entry, np.arange(len(lower))))
    low, high, start, house = twice
    doubled = mixture_cure(low, high, entry=start, cluster=house)
    assert doubled.se == pytest.approx(single.se, rel=1e-6)
    assert doubled.table["se"][0] == pytest.approx(single.table["se"][0] / np.sqrt(2), rel=1e-6)


def test_covariates_of_the_share():
    rng = np.random.default_rng(6)
    lower, upper, entry = (
        np.concatenate(parts)
        for parts in zip(visited(0.3, 900, (60, 120), 1), visited(0.7, 900, (60, 120), 2), strict=True)
    )
    family = (np.arange(len(lower)) >= len(visited(0.3, 900, (60, 120), 1)[0])).astype(float)
    covariates = pd.DataFrame({"family": family, "age": rng.normal(35, 8, len(lower))})
    fit = mixture_cure(lower, upper, entry=entry, covariates=covariates)
    assert fit.table["term"].tolist() == ["intercept", "family", "age", "log_time", "log_scale"]
    family_row = fit.table.set_index("term").loc["family"]
    true = np.log(0.7 / 0.3) - np.log(0.3 / 0.7)
    assert abs(family_row["coef"] - true) < 3 * family_row["se"] < 0.6
    assert family_row["odds_ratio"] == pytest.approx(np.exp(family_row["coef"]))
    coef = fit.table["coef"].to_numpy()
    each = 1 / (1 + np.exp(-(coef[0] + coef[1] * family + coef[2] * covariates["age"])))
    assert fit.share == pytest.approx(each.mean())
    # d(mean share)/d(coefficients), by differences
    slopes = [np.mean(each * (1 - each) * x) for x in (1, family, covariates["age"])]
    np.testing.assert_allclose(fit._slopes, slopes)
    shown = fit.predict_survival(covariates.head(2), [0, 24, 1e5])
    np.testing.assert_allclose(shown[1e5], each[:2], atol=1e-6)
    np.testing.assert_allclose(shown[0.0], 1)
    plain = mixture_cure(lower, upper, entry=entry)
    with pytest.raises(ValueError, match="newdata: the share has no covariates"):
        plain.predict_survival(covariates, [1])


def test_the_curve_and_its_standard_error():
    lower, upper, entry = visited(0.4, 300, (60, 120), 9)
    fit = mixture_cure(lower, upper, entry=entry)
    months = np.array([0.0, 6, 24, 100])
    curve = fit.survival(months)
    coef = fit.table["coef"].to_numpy()

    def value(beta):
        share = 1 / (1 + np.exp(-beta[0]))
        with np.errstate(divide="ignore"):
            return share + (1 - share) * stats.gumbel_l.sf((np.log(months) - beta[1]) / np.exp(beta[2]))

    np.testing.assert_allclose(curve["survival"], value(coef))
    slopes = np.array([(value(coef + m) - value(coef - m)) / 2e-5 for m in np.eye(3) * 1e-5])
    np.testing.assert_allclose(
        curve["se"], np.sqrt(np.einsum("jt,jk,kt->t", slopes, fit.covariance, slopes)), atol=1e-8
    )
    inside = curve.iloc[1:]
    assert ((inside["lower"] < inside["survival"]) & (inside["survival"] < inside["upper"])).all()


@pytest.mark.parametrize("distribution", FAMILIES)
@pytest.mark.parametrize("with_share", [False, True])
def test_derivatives_of_the_likelihood(distribution, with_share):
    rng = np.random.default_rng(4)
    n = 300
    lower = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.2, 40, n))
    upper = np.where(rng.random(n) < 0.4, np.inf, lower + rng.uniform(0.1, 9, n))
    exact = (rng.random(n) < 0.3) & np.isfinite(upper)
    lower = np.where(exact, upper, lower)
    given = log_times(read_exits(lower, upper, entry=lower * rng.choice([0, 0.5, 0.9], n)))
    start = [2.5, -0.3, rng.normal(0, 1, n) if with_share else None]

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
        given = log_times(read_exits([1e6, 1e-6], [1.1e6, 1.1e-6]))
        terms = row_terms(FAMILIES[distribution], given, 0.0, np.log(0.45))
        assert np.isfinite(terms.first).all() and np.isfinite(terms.second).all()
        assert terms.first[0, 1] < 0 < terms.first[0, 0]


def test_a_person_censored_at_entry_says_nothing_and_the_order_of_rows_neither():
    lower, upper, entry = visited(0.4, 200, (60, 120), 7)
    fit = mixture_cure(lower, upper, entry=entry)
    silent = np.append(lower, [7.0, 0.0]), np.append(upper, [np.inf, np.inf])
    more = mixture_cure(*silent, entry=np.append(entry, [7.0, 0.0]))
    mixed = np.random.default_rng(2).permutation(len(lower))
    other = mixture_cure(lower[mixed], upper[mixed], entry=entry[mixed])
    for again in (more, other):
        np.testing.assert_allclose(again.table[["coef", "se"]], fit.table[["coef", "se"]], atol=1e-9)


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@drawn(st.integers(0, 10_000), st.sampled_from(sorted(STANDARD)), st.sampled_from([0.0, 0.3, 0.7]), st.integers(5, 40))
def test_any_sample_gives_a_fit_or_a_reason(seed, distribution, share, n):
    # Delayed entry apart: given entry, log-logistic times can be Pareto, whose scale is at 0.
    lower, upper, entry = visited(share, n, (6, 60), seed, late=0.0)
    known = np.isfinite(upper)
    if not len(lower):
        return
    try:
        fit = mixture_cure(lower, upper, entry=entry, distribution=distribution)
    except ValueError as error:
        together = not known.any() or lower[known].max() <= upper[known].min()
        assert together, f"{error}: exits at different times have a maximum"
        return
    assert 0 <= fit.share < 1 and fit.evidence >= 0 and fit.supported == (fit.note == "")
    assert np.isfinite(fit.log_likelihood) and 0 <= fit.ratio <= 1 + 1e-9
    if fit.share > 0:
        assert 0 <= fit.lower <= fit.share <= fit.upper <= 1


@pytest.mark.parametrize(
    ("lower", "upper", "options", "said"),
    [
        ([1, 2.0], [np.inf, np.inf], {}, "upper: no event to fit, all 2 values are infinite"),
        ([3, 3, 3, 9], [3, 3, 3, np.inf], {}, "upper: the likelihood has no maximum, .* log_scale"),
        ([3.0], [3.0], {}, "no maximum"),
        ([1, 2.0], [2, 1.0], {}, "upper: 1 of 2 values are below lower"),
        ([np.nan, 2.0], [2, 3.0], {}, "lower: 1 of 2 values are missing"),
        ([-1, 2.0], [2, 3.0], {}, "lower: 1 of 2 values are negative"),
        ([1, 2.0], [1, np.inf], {"entry": [1, 0]}, "upper: 1 of 2 values are not after their entry"),
        ([1, 2.0], [2, np.inf], {"conf_level": 1.0}, "conf_level"),
        ([0, 2.0], [0, 3.0], {}, "upper: 1 of 2 values are 0"),
        ([1, 2.0], [2, np.inf], {"weights": [1, np.inf]}, "weights: 1 of 2 values are infinite"),
        ([1, 2.0], [2, np.inf], {"entry": [2, 0]}, "entry: 1 of 2 values are above lower"),
        ([1, 2.0], [2, np.inf], {"distribution": "gamma"}, "distribution"),
        ([1, 2.0], [2, np.inf], {"covariates": pd.DataFrame({"x": [1]})}, "covariates: 1 rows given, 2 expected"),
        ([1, 2.0], [2, np.inf], {"covariates": pd.DataFrame({"x": [1, 1]})}, "covariates: x has the same value"),
    ],
)
def test_refusals(lower, upper, options, said):
    with pytest.raises(ValueError, match=said):
        mixture_cure(lower, upper, **options)


def test_one_cluster_says_nothing_of_how_clusters_differ():
    rng = np.random.default_rng(3)
    gone = rng.random(60) < 0.6
    month = np.where(gone, np.ceil(rng.exponential(6, 60)), 40.0)
    lower, upper = np.where(gone, month - 1, month), np.where(gone, month, np.inf)
    table = mixture_cure(lower, upper, cluster=np.zeros(60, dtype=int)).table
    assert table[["robust_se", "z", "p_value"]].isna().all(axis=None)
    assert table["se"].gt(0).all()
