"""Completed stays: what is known stays as it is, what is not is drawn, and every stay is accounted for."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stays_with_covariates import told
from trajectories import Study
from trajectories.analysis.imputation import COVARIATES, completed_stays, left_out
from trajectories.months import ceil_month
from trajectories.retention.model_input import CAUSES, stays_that_enter

DRAWS = 3


@pytest.fixture(scope="module")
def given():
    return told(600, seed=5)


@pytest.fixture(scope="module")
def completed(given):
    return completed_stays(given.cohort, given.contacts, m=DRAWS)


def test_each_draw_has_the_stays_in_order_and_nothing_missing(given, completed):
    stays = stays_that_enter(given.cohort, Study())
    assert len(completed) == DRAWS
    for frame in completed:
        assert frame["person_id"].tolist() == stays["person_id"].tolist()
        assert set(stays.columns) <= set(frame.columns)
        assert not frame[[*COVARIATES, "start", "time", "cause"]].isna().any().any()
        assert frame["start"].tolist() == ceil_month(stays["entry"]).tolist()
        assert (frame["time"] >= frame["start"]).all()
        assert frame["at_risk"].eq(frame["time"] > frame["start"]).all()
        assert frame.loc[~frame["at_risk"], "cause"].eq(0).all()
        assert frame["job_found"].dtype == bool
        assert frame["household_size"].dtype == np.int64


def test_what_is_known_is_kept(given, completed):
    for frame in completed:
        for name in COVARIATES:
            known = given.cohort[name].notna().to_numpy()
            assert (frame.loc[known, name].to_numpy() == given.cohort.loc[known, name].to_numpy()).all(), name
    complete = given.cohort[list(COVARIATES)].notna().all(axis=1)
    assert completed[0]["complete"].tolist() == complete.tolist()


def test_known_exits_are_drawn_inside_what_contacts_allow(given, completed):
    heard = given.contacts[given.contacts["kind"].isin(["left", "news"])].groupby("person_id")
    first, cause = heard["month"].min(), heard["cause"].first()
    present = given.contacts[given.contacts["kind"].eq("present")].groupby("person_id")["month"].max()
    for frame in completed:
        rows = frame.set_index("person_id")
        known = rows[rows.index.isin(first.index) & rows["at_risk"]]
        assert (known["cause"] > 0).all()
        assert (known["time"] <= first[known.index]).all()
        assert (known["time"] > present.reindex(known.index).fillna(-1)).all()
        assert [CAUSES[c - 1] for c in known["cause"]] == cause[known.index].tolist()
        # and those of whom nothing is known left no later than they could be heard of
        assert (rows["time"] <= np.maximum(rows["heard_until"], rows["start"])).all()


@pytest.mark.thorough
def test_draws_differ_and_the_seed_decides(given, completed):
    again = completed_stays(given.cohort, given.contacts, m=DRAWS)
    other = completed_stays(given.cohort, given.contacts, m=1, study=replace(Study(), seed=2))
    for one, two in zip(completed, again, strict=True):
        pd.testing.assert_frame_equal(one, two)
    assert not completed[0]["time"].equals(completed[1]["time"])
    assert not completed[0]["time"].equals(other[0]["time"])


def test_every_stay_of_the_cohort_is_counted_once(given):
    cohort = given.cohort.copy()
    cohort.loc[:9, "excluded"] = "start_unbounded"
    cohort.loc[10:29, "pathway"] = "primary"
    cohort.loc[30, "entry"] = cohort.loc[30, "heard_until"]
    study = replace(Study(), pathway="secondary")
    frames = completed_stays(cohort, given.contacts, m=1, study=study)
    table = left_out(cohort, frames, study=study).set_index("reason")
    print(table)
    assert table["n_stays"].sum() == len(cohort)
    assert table.loc["start_unbounded", "n_stays"] == 10
    assert table.loc["other_pathway", "n_stays"] == 20
    assert table.loc["never_at_risk", "n_stays"] == 1
    assert table.loc["used", "n_stays"] == frames[0]["at_risk"].sum()


def test_a_covariate_nobody_has_stays_missing_and_one_value_is_everybodys(given):
    cohort = given.cohort.assign(french=None)
    cohort["education"] = cohort["education"].where(cohort["education"].eq("college"), None)
    (frame,) = completed_stays(cohort, given.contacts, m=1)
    assert frame["french"].isna().all()
    assert frame["education"].eq("college").all()


def test_edges(given):
    empty = completed_stays(given.cohort.iloc[:0], given.contacts.iloc[:0], m=2)
    assert [len(frame) for frame in empty] == [0, 0]
    few = completed_stays(given.cohort.iloc[:3], given.contacts.iloc[:0], m=2)
    assert (few[0]["cause"] == 0).all()
    with pytest.raises(ValueError, match="at least one draw"):
        completed_stays(given.cohort, given.contacts, m=0)
    with pytest.raises(ValueError, match="shoe_size is no column"):
        completed_stays(given.cohort, given.contacts, m=1, covariates=("shoe_size",))
