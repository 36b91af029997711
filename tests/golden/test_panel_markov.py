"""Panel-observed Markov models against R msm 1.8.2 (tests/golden/data/msm.json): relative 1e-6 (q), 1e-5 (se)."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
from reference import Differences, panel, results

from trajectories.survival.states.panel import panel_markov

ALLOWED = [(1, 2), (1, 4), (2, 1), (2, 3), (2, 4), (3, 2)]
EXACT = {"panel": None, "exact_absorption": 4}
NOT_RESULTS = {"states"}  # names


@cache
def fitted(name):
    d = panel()
    if name == "boundary_3_to_4":
        return panel_markov(d["person_id"], d["months"], d["state"], [*ALLOWED, (3, 4)])
    return panel_markov(d["person_id"], d["months"], d["state"], ALLOWED, exact=EXACT[name])


def test_every_result_is_compared():
    assert set(COMPARISONS) - {f"{n} se" for n in EXACT} == set(results("msm")) - NOT_RESULTS


def relative(gap, name, ours, theirs):
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    np.testing.assert_array_equal(ours == 0, theirs == 0)
    with np.errstate(invalid="ignore"):
        gap.add(name, np.where(theirs == 0, 1, ours / theirs), np.ones(theirs.shape))


def rates(name):
    fit, theirs = fitted(name), results("msm")[name]
    gap = Differences(f"msm {name}", 1e-6, "panel_markov", "R msm 1.8.2 msm")
    relative(gap, "q (relative)", fit.intensity, theirs["q"])
    relative(gap, "sojourn (relative)", fit.sojourn, theirs["sojourn"])
    gap.add("p_12", fit.probability(12), theirs["p_12"])
    gap.add("-2 log L", -2 * fit.log_likelihood, theirs["minus_2_loglik"])
    gap.add("pairs", fit.pairs.iloc[:3], theirs["pairs"])
    return gap


def errors(name):
    fit, theirs = fitted(name), results("msm")[name]
    gap = Differences(f"msm {name}, standard errors", 1e-5, "panel_markov", "R msm 1.8.2 msm")
    relative(gap, "se (relative)", fit.intensity_se, theirs["q_se"])
    relative(gap, "lower (relative)", fit.intensity_lower, theirs["q_lower"])
    relative(gap, "upper (relative)", fit.intensity_upper, theirs["q_upper"])
    relative(gap, "sojourn se (relative)", fit.sojourn_se, theirs["sojourn_se"])
    return gap


def boundary():
    gap = Differences("msm boundary_3_to_4", 1e-4, "panel_markov", "R msm 1.8.2 msm")
    reference = results("msm")["boundary_3_to_4"]
    gap.add("-2 log L", -2 * fitted("boundary_3_to_4").log_likelihood, reference["minus_2_loglik"])
    return gap


COMPARISONS = {name: partial(rates, name) for name in EXACT} | {f"{name} se": partial(errors, name) for name in EXACT}
COMPARISONS["boundary_3_to_4"] = boundary


@pytest.mark.parametrize("name", COMPARISONS)
def test_msm(name):
    COMPARISONS[name]().check()


def test_a_rate_on_the_boundary_is_said_and_the_others_have_the_errors_of_the_model_without_it():
    with_it, without = fitted("boundary_3_to_4"), fitted("panel")
    assert with_it.at_boundary.to_numpy().nonzero() == ([2], [3])
    assert with_it.intensity.loc[3, 4] == 0 < results("msm")["boundary_3_to_4"]["q_34_below"]
    for table in (with_it.intensity_se, with_it.intensity_lower, with_it.intensity_upper):
        assert table.isna().to_numpy().nonzero() == ([2], [3])
    ours = with_it.intensity_se.fillna(0)
    np.testing.assert_allclose(ours, without.intensity_se, rtol=1e-9)
    np.testing.assert_allclose(with_it.sojourn_se, without.sojourn_se, rtol=1e-9)
    assert not without.at_boundary.to_numpy().any()
