"""A known truth, reported as the observation model says (tests/reported_stays.py): no bias, and limits that cover.

5,000 stays in households whose members leave together one time in two; regions of 60 stays, alone and with the
reporting of a province of 3,000. The large studies are marked slow.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from reported_stays import DELAY_CLASS, FAILURE, HEARING, INCIDENCE, SURVIVAL, stays
from trajectories.survival import observed_incidence

CAUSES, MONTHS = (0, 1, 2, 3), (12, 24, 36)
LIMITS = ["incidence", "se", "lower", "upper", "percentile_lower", "percentile_upper"]
TRUTH = np.array([SURVIVAL[m] if c == 0 else INCIDENCE[c - 1][m] for c in CAUSES for m in MONTHS])
HEARD = [1 - np.prod(1 - HEARING[c][DELAY_CLASS[: m + 1]]) for c in range(3) for m in (3, 12)]


def rows(curve, causes=CAUSES, months=MONTHS):
    return curve.table.set_index(["cause", "month"])[LIMITS].loc[[(c, m) for c in causes for m in months]].to_numpy()


def covered(found, truth, lower, upper):
    return ((found[..., lower] <= truth) & (truth <= found[..., upper])).mean(axis=0)


def one_run(seed, n=5000, replicates=60):
    curve = observed_incidence(
        **stays(n, np.random.default_rng(1000 + seed)).arguments(), replicates=replicates, starts=0, seed=seed
    )
    heard = curve.hearing.set_index(["cause", "month"])["share"].loc[[(c, m) for c in (1, 2, 3) for m in (3, 12)]]
    return rows(curve), np.concatenate([curve.contact_failure["probability"], heard])


def one_province(seed, regions=6, replicates=60):
    rng = np.random.default_rng(5000 + seed)
    province = observed_incidence(**stays(3000, rng).arguments(), replicates=replicates, starts=0, seed=seed)
    found = []
    for k in range(regions):
        given = stays(60, rng).arguments() | {"causes": [1, 2, 3], "replicates": replicates, "starts": 0}
        found.append([rows(observed_incidence(**given, reporting=reporting, seed=100 * seed + k), (0,), (12, 24))
                      for reporting in (None, province.reporting)])  # fmt: skip
    return found


@pytest.mark.slow
def test_no_bias_and_limits_that_cover():
    runs = 200
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        found, reporting = (np.array(x) for x in zip(*executor.map(one_run, range(runs)), strict=True))
    error = found[..., 0] - TRUTH
    away = error.mean(axis=0) / (error.std(axis=0, ddof=1) / np.sqrt(runs))
    ratio = found[..., 1].mean(axis=0) / error.std(axis=0)
    normal, percentile = covered(found, TRUTH, 2, 3), covered(found, TRUTH, 4, 5)
    print("bias", error.mean(axis=0).round(4), "standard errors away", away.round(1))
    print("se said / seen", ratio.round(2))
    print("coverage, log-log", normal.round(3), "percentiles", percentile.round(3))
    print("π and q", reporting.mean(axis=0).round(3), "true", np.round([*FAILURE.ravel(), *HEARD], 3))
    assert np.all(np.abs(away) < 3.5)  # twelve numbers
    assert np.all(np.abs(ratio - 1) < 0.2)
    assert np.all((normal[:2] >= 0.90) & (normal[:2] <= 0.975))  # S(12), S(24)
    assert np.all(percentile[:2] >= 0.87)
    assert min(normal.min(), percentile.min()) > 0.84  # 0.93 less 5 standard errors of 200 runs
    np.testing.assert_allclose(reporting.mean(axis=0), [*FAILURE.ravel(), *HEARD], atol=0.01)


@pytest.mark.slow
def test_regions_of_sixty_with_their_own_and_with_borrowed_reporting():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        found = np.concatenate([np.array(x) for x in executor.map(one_province, range(20))])
    truth = SURVIVAL[[12, 24]]
    for k, name in enumerate(("own", "borrowed")):
        mine = found[:, k]
        error = mine[..., 0] - truth
        print(name, "bias", error.mean(axis=0).round(4), "sd", error.std(axis=0).round(4),
              "coverage, log-log", covered(mine, truth, 2, 3).round(3),
              "percentiles", covered(mine, truth, 4, 5).round(3))  # fmt: skip
        assert np.all(np.abs(error.mean(axis=0)) < 4 * error.std(axis=0, ddof=1) / np.sqrt(len(found)))
        assert np.all(covered(mine, truth, 2, 3) > 0.84)  # 0.90 to 0.92 at 102 regions
    assert found[:, 1, 1, 0].std() <= found[:, 0, 1, 0].std()  # what is borrowed need not be learnt


def test_a_few_runs_have_no_bias():
    found = np.array([one_run(seed, n=2000, replicates=0)[0] for seed in range(12)])
    error = found[..., 0] - TRUTH
    assert np.all(np.abs(error.mean(axis=0)) < 4 * error.std(axis=0, ddof=1) / np.sqrt(12))
