"""Retention against the odds that the observation model cannot know: through the estimate, and the way each must go."""

import numpy as np
import pandas as pd
import pytest

from trajectories import Study
from trajectories.retention.assumptions import EAR, GRID, ODDS_COLUMNS, odds_curve, share_heard
from trajectories.retention.course import main_fits
from trajectories.simulate import told_stays
from trajectories.simulate.stays import hearing_of_shares

STUDY = Study(replicates=0)
HORIZONS = (12, 24, 119)


@pytest.fixture(scope="module")
def fits():
    cohort, contacts = told_stays(1500, seed=3, hearing=0.6).tables()
    cohort["region"] = np.where(np.arange(len(cohort)) < 100, "01", "05")
    return main_fits(cohort, contacts, study=STUDY, groups=["province", "01"])


@pytest.fixture(scope="module")
def found(fits):
    return odds_curve(fits, study=STUDY, horizons=HORIZONS, gone=GRID[::2], heard=GRID[::2])


def of(found, assumption, horizon, group="province"):
    rows = found[found["assumption"].eq(assumption) & found["horizon"].eq(horizon) & found["group"].eq(group)]
    return rows.set_index("value")["estimate"]


def test_the_table_is_tidy(found):
    assert tuple(found) == ODDS_COLUMNS
    assert not found.duplicated(["group", "assumption", "value", "horizon"]).any()
    assert len(found) == 2 * 2 * 5 * len(HORIZONS)


def test_at_one_it_is_the_estimate(fits, found):
    for group, fit in fits.items():
        for assumption in ("odds_gone", "odds_heard"):
            at_one = of(found, assumption, 12, group)[1.0]
            assert at_one == pytest.approx(fit.curve.survival[12])
            # held where they were found, odds of 1 change nothing: the curve is smooth there
            beside = odds_curve({group: fit}, study=STUDY, horizons=[12], gone=[1.0001], heard=[1.0001])
            assert beside["estimate"].to_numpy() == pytest.approx(at_one, abs=1e-3)


@pytest.mark.parametrize("horizon", [12, 24])
def test_more_gone_among_the_failed_less_retention_and_more_heard_of_more(found, horizon):
    gone, heard = of(found, "odds_gone", horizon), of(found, "odds_heard", horizon)
    print(gone.round(4).to_dict(), heard.round(4).to_dict())
    assert (np.diff(gone) < 0).all() and (np.diff(heard) > 0).all()
    assert gone.iloc[0] - gone.iloc[-1] > 0.01 and heard.iloc[-1] - heard.iloc[0] > 0.01


def test_no_estimate_where_the_horizon_is_not_supported(found):
    rows = found[found["horizon"].eq(119)]
    assert rows["known"].eq("insufficient").all() and rows["estimate"].isna().all()


def test_the_share_heard_of_is_that_of_the_hazards(fits, found):
    curve = fits["province"].curve
    by_cause = curve.hearing[curve.hearing["month"].eq(EAR)].set_index("cause")["share"]
    assert by_cause.min() <= share_heard(curve) <= by_cause.max()
    shares = found[found["assumption"].eq("odds_heard") & found["group"].eq("province")].groupby("value")["share_heard"]
    print(shares.first().round(3).to_dict(), "simulated 0.6", hearing_of_shares(0.6).shape)
    assert (np.diff(shares.first()) > 0).all()
    assert share_heard(curve) == pytest.approx(0.6, abs=0.1)
    assert found[found["assumption"].eq("odds_gone")].groupby("group")["share_heard"].nunique().eq(1).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan])
def test_odds_must_be_above_0(fits, wrong):
    with pytest.raises(ValueError, match="odds_heard: odds ratios must be above 0"):
        odds_curve(fits, study=STUDY, gone=[], heard=[1.0, wrong])


def test_no_fits_give_an_empty_table():
    found = odds_curve({}, study=STUDY)
    assert found.empty and tuple(found) == ODDS_COLUMNS
    assert isinstance(found, pd.DataFrame)
