"""Time in the region, states, moves and the share settled against a simulated truth."""

import importlib

import numpy as np
import pandas as pd
import pytest

from trajectories import Study
from trajectories.months import months_between
from trajectories.retention.course import (
    course,
    main_fits,
    moves_per_person,
    occupation,
    restricted_time,
    settled_share,
)
from trajectories.simulate import told_stays

# The module: the function of its name stands in the package.
TOLD = importlib.import_module("trajectories.simulate.stays")
HORIZONS = (6, 12, 24)
PLATEAU, MEAN = 0.6, 7.0


# ── restricted mean ───────────────────────────────────────────────────────────────────────────────────────
def months_there(seed, n, replicates):
    told = told_stays(n, seed)
    study = Study(replicates=replicates, horizons=HORIZONS)
    rows = restricted_time(main_fits(*told.tables(), study=study, groups=["province"]), study=study)
    rows = rows[rows["measure"].eq("restricted_months")].set_index("horizon")
    truth = pd.Series({h: np.trapezoid(told.survival[: h + 1]) for h in HORIZONS}, name="truth")
    return rows[["estimate", "se", "lower", "upper"]].join(truth).assign(seed=seed)


def test_months_in_the_region():
    found = months_there(5, 2000, 24)
    print(found.round(3).to_string())
    assert ((found["estimate"] - found["truth"]).abs() <= 3 * found["se"]).all()
    assert (found["se"] < [0.06, 0.18, 0.5]).all()


@pytest.mark.slow
def test_limits_of_the_months_in_the_region_cover_as_often_as_they_claim():
    found = pd.concat([months_there(seed, 1500, 100) for seed in range(100)])
    inside = (found["lower"] <= found["truth"]) & (found["truth"] <= found["upper"])
    covered, bias = inside.groupby(level=0).mean(), (found["estimate"] - found["truth"]).groupby(level=0).mean()
    print(covered.to_string(), bias.round(3).to_string())
    # within 3 standard errors of 95 % over 100 runs
    assert (covered >= 0.88).all() and (bias.abs() < [0.02, 0.06, 0.2]).all()


# ── settled for good ──────────────────────────────────────────────────────────────────────────────────────
def with_plateau(monkeypatch, seed, n, schedule, cutoff):
    """Stays of which `PLATEAU` never end, the others after `MEAN` months on average."""
    cuts = np.array([0, *TOLD.CUTS], dtype=float)
    survival = PLATEAU + (1 - PLATEAU) * np.exp(-cuts / MEAN)
    hazard = 1 - (survival[1:] / survival[:-1]) ** (1 / np.diff(cuts))
    monkeypatch.setattr(TOLD, "HAZARD", (*hazard, 0.0))
    told = told_stays(n, seed, schedule=schedule, cutoff=cutoff)
    study = Study(replicates=0, draws=3)
    return settled_share(main_fits(*told.tables(), study=study, groups=["province"]), study=study).iloc[0]


def test_a_plateau_that_was_observed_is_found(monkeypatch):
    found = with_plateau(monkeypatch, 1, 1500, (3, 6, 12, 24, 36, 48), (40, 72))
    print(found.to_dict())
    assert found["known"] == "observed"
    assert abs(found["estimate"] - PLATEAU) <= max(0.03, 2 * found["se"])
    assert found["left_by"] == pytest.approx(-np.log(0.05) * MEAN, rel=0.35)


def test_a_plateau_that_was_not_observed_is_not_told(monkeypatch):
    found = with_plateau(monkeypatch, 1, 1000, (3, 6, 12), (14, 18))
    print(found.to_dict())
    assert found["known"] == "insufficient" and np.isnan(found["estimate"])


def test_exits_that_go_on_are_no_plateau():
    study = Study(replicates=0, draws=3)
    fits = main_fits(*told_stays(1000, 3).tables(), study=study, groups=["province"])
    found = settled_share(fits, study=study).iloc[0]
    print(found.to_dict())
    assert found["known"] == "insufficient" and np.isnan(found["estimate"])


# ── states and moves, on deposits ─────────────────────────────────────────────────────────────────────────
STATES = {"metropole": "metropole", "outside_quebec": "outside_quebec"}


def true_states(truth, cutoff, month):
    """The share of the true stays begun by the cut-off that is in each state so many months later."""
    stays = truth.stays[truth.stays["establishment"] <= cutoff]
    lived = stays.merge(truth.residences, on="true_person", suffixes=("", "_lived"))
    start, end = (months_between(lived["establishment"], lived[name]) for name in ("start", "end"))
    there = lived[(start <= month) & ~(end <= month)]
    here = there["zone"].eq("region") & there["region_lived"].eq(there["region"])
    state = there["zone"].map(STATES).fillna("other_region").where(~here, "this_region")
    return state.value_counts(normalize=True)


def true_moves(truth, cutoff, month):
    stays = truth.stays[truth.stays["establishment"] <= cutoff].sort_values("establishment")
    first = stays.drop_duplicates("true_person")
    lived = first.merge(truth.residences, on="true_person", suffixes=("", "_lived"))
    since = months_between(lived["establishment"], lived["start"])
    return ((since > 1e-6) & (since <= month)).sum() / len(first)


def check_line(made, horizons, near):
    study = Study(replicates=0, horizons=(6, 12, 24))
    fits = main_fits(made.cohort, made.contacts, study=study, groups=["province"])
    rows = occupation(fits, made.residences.spells, study=study)
    moved = moves_per_person(fits, made.residences.spells, made.residences.moves, study=study)
    moved = moved[moved["kind"].eq("all")].set_index(["method", "horizon"])["estimate"]
    for month in horizons:
        states = rows[rows["horizon"].eq(month)].set_index("state")["estimate"]
        truth = true_states(made.truth, made.residences.cutoff, month)
        low, high = moved["no_news_no_move", month], moved["while_seen", month]
        true = true_moves(made.truth, made.residences.cutoff, month)
        print(month, (states - truth).round(4).to_dict(), "moves", round(low, 3), round(true, 3), round(high, 3))
        assert (states - truth).abs().max() <= near
        # the truth lies between both counts, but for the chance of so many persons
        assert low - 0.02 <= true <= high + 0.02


def test_states_and_moves_of_simulated_deposits(line):
    check_line(line(households=300, seed=501, defects="none"), (12, 24), 0.04)


@pytest.mark.slow
def test_states_and_moves_of_more_deposits(line):
    for seed in (501, 502, 503):
        for defects in ("none", "light"):
            check_line(line(households=2000, seed=seed, defects=defects), (12, 24), 0.025)


@pytest.mark.slow
def test_everything_of_a_line_in_one_call(line):
    made = line(households=2000, seed=501, defects="light")
    study = Study(replicates=20, draws=5)
    found = course(made.cohort, made.contacts, made.residences.spells, made.residences.moves, study=study)
    for name, table in vars(found).items():
        print(name, len(table), table["estimate"].notna().sum())
        assert table["group"].nunique() > 5
