"""The household bootstrap of S(12) and of the restricted mean, where the members of a household leave alike.

Each household has a gamma frailty of mean 1 and variance v, so S(t) = (1 + vλt)^(−1/v); months are whole. Drawing
persons instead of households is shown to cover too rarely.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from coverage_study import LONG_AND_SLOW, SHORT, SHORTER, Study, check, known, run

from trajectories.survival.bootstrap import bootstrap

RATE, HORIZON, AT = 0.04, 24, 12
REPLICATES = {SHORT: 150, LONG_AND_SLOW: 400}


def simulated(rng, households, variance, largest):
    size = rng.integers(1, largest + 1, households)
    home = np.repeat(np.arange(households), size)
    frailty = rng.gamma(1 / variance, variance, households)
    left = np.ceil(rng.exponential(1 / RATE, len(home)) / frailty[home])
    end = rng.integers(8, 49, households)[home]
    months = np.minimum(left, end)
    return pd.DataFrame({"household": home, "months": months.astype(int), "left": left <= end})


def measures(frame):
    """Kaplan–Meier on whole months: S(12), and the restricted mean of a curve that falls at the end of months."""
    months, left = frame["months"].to_numpy(), frame["left"].to_numpy()
    ended = np.bincount(months, minlength=HORIZON + 1)
    at_risk = len(months) - np.cumsum(ended) + ended
    n, d = at_risk[: HORIZON + 1], np.bincount(months[left], minlength=HORIZON + 1)[: HORIZON + 1]
    survival = np.cumprod(1 - d / np.maximum(n, 1))
    return np.array([survival[AT], survival[:HORIZON].sum()])


def truth(variance):
    survival = (1 + variance * RATE * np.arange(HORIZON)) ** (-1 / variance)
    return float(survival[AT]), float(survival.sum())


def study(households, variance, largest, replicates, by_person=False):
    def one(rng):
        data = simulated(rng, households, variance, largest)
        cluster = np.arange(len(data)) if by_person else "household"
        table = bootstrap(measures, data, cluster, replicates=replicates, seed=int(rng.integers(2**31)))
        return tuple(table[column].to_numpy() for column in ("estimate", "se", "lower", "upper"))

    how = "persons drawn" if by_person else "households drawn"
    design = f"{households} households of 1–{largest}, frailty variance {variance:g}, {how}"
    return Study(
        "bootstrap", design, (f"S({AT})", f"restricted mean ({HORIZON})"), truth(variance), one, quick=households > 20
    )


DESIGNS = {"many": (100, 2.0, 9), "few": (20, 0.5, 4)}  # about 500 and 50 persons
STUDIES = [study(*design, REPLICATES[SHORT]) for design in DESIGNS.values()]


def test_months_are_kaplan_meier():
    from trajectories.survival import kaplan_meier, restricted_mean

    data = simulated(np.random.default_rng(1), 90, 1.0, 4)
    curve = kaplan_meier(data["months"], data["left"])
    survival = curve.loc[curve["time"] <= AT, "survival"].iloc[-1]
    mean = restricted_mean(data["months"], data["left"], HORIZON)["mean"][0]
    np.testing.assert_allclose(measures(data), [survival, mean], rtol=1e-12)


@pytest.mark.parametrize("design", DESIGNS)
def test_households_cover(design):
    made = study(*DESIGNS[design], REPLICATES[SHORT])
    check(known(made, made.short))


def test_persons_do_not_cover():
    table = run(study(*DESIGNS["many"], REPLICATES[SHORT], by_person=True), SHORTER)
    print(table[["quantity", "mean_se", "sd", "coverage"]])
    assert (table["mean_se"] < 0.8 * table["sd"]).all()
    assert (table["coverage"] < 0.85).all()


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_households_cover_in_1000(design):
    check(run(study(*DESIGNS[design], REPLICATES[LONG_AND_SLOW]), LONG_AND_SLOW))
