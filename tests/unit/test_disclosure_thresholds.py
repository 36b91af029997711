"""Rates at several thresholds of the linkage: what is told is the study's rate and classes of ten persons."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from trajectories import protect
from trajectories.exceptions import DisclosureError

HORIZONS = (6, 12)


def table(*, loose=0.0, strict=0.0, n=640, group="05", rates=(0.9, 0.8), at_risk=100, **columns):
    """The study's rates, and the others moved by so many persons."""
    rows = [
        {
            "group": group, "setting": setting, "threshold": threshold, "horizon": horizon,
            "estimate": rate + moved / n, "n_start": n, "n_at_risk": at_risk, "n_confirmed": at_risk,
            "known": "observed", "persons": n, "households": n // 2, **columns,
        }
        for setting, threshold, moved in (("loose", 0.5, loose), ("study", 0.95, 0.0), ("strict", 0.999, strict))
        for horizon, rate in zip(HORIZONS, rates, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def at_12(frame):
    return protect(frame).frame.set_index("horizon").loc[12]


def test_the_range_is_the_study_rate_and_one_class_of_ten_persons_on_each_side():
    row = at_12(table(loose=2, strict=-3))
    # 10 of 640 are 1.6 points
    assert (row["estimate"], row["at_least"], row["at_most"], row["persons_at_most"]) == (0.80, 0.78, 0.82, 10)


@examples(50)
@given(st.floats(-10, 10), st.floats(-10, 10))
def test_up_to_ten_persons_the_answer_is_the_same_as_for_none(loose, strict):
    pd.testing.assert_frame_equal(protect(table(loose=loose, strict=strict)).frame, protect(table()).frame)


def test_more_persons_are_told_in_classes_that_hold_the_farthest_rate():
    row = at_12(table(loose=4, strict=-35))
    assert row["persons_at_most"] == 40
    assert row["at_least"] <= 0.80 - 35 / 640 and row["at_most"] == 0.87


@examples(50)
@given(st.floats(-60, 25), st.floats(-60, 25), st.integers(150, 3000))
def test_the_range_holds_every_threshold_to_the_whole_percent(loose, strict, n):
    row = at_12(table(loose=loose, strict=strict, n=n))
    farthest = [0.8 + moved / n for moved in (loose, 0, strict)]
    assert row["at_least"] <= min(farthest) + 0.005 and row["at_most"] >= max(farthest) - 0.005


def test_no_number_of_another_threshold_is_in_the_table():
    frame = protect(table(loose=4, strict=-35)).frame
    assert list(frame) == [
        "group", "horizon", "estimate", "at_least", "at_most", "persons_at_most", "shown", "reason",
    ]  # fmt: skip
    assert len(frame) == len(HORIZONS)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"n": 24}, "denominator"),
        ({"at_risk": 19}, "at_risk"),
        ({"rates": (0.999, 0.995)}, "few_exits"),
        ({"n": 90, "rates": (0.85, 0.7)}, "resolution"),
        ({"households": 4}, "households"),
    ],
)
def test_small_groups_and_inexact_rates_show_nothing(changed, reason):
    frame = protect(table(**changed)).frame
    assert not frame["shown"].any() and frame[["estimate", "at_least", "at_most", "persons_at_most"]].isna().all(None)
    assert frame["reason"].tolist() == [reason] * 2


def test_a_rate_is_hidden_where_another_threshold_rests_on_too_few():
    frame = table()
    frame.loc[frame["setting"].eq("strict") & frame["horizon"].eq(12), ["n_at_risk", "estimate"]] = 19, np.nan
    told = protect(frame).frame.set_index("horizon")
    assert told["shown"].to_dict() == {6: True, 12: False}


def test_what_is_shown_here_is_shown_by_the_table_of_rates_too():
    frame = pd.concat([table(), table(n=60, group="01"), table(n=25, group="09"), table(n=725, group="province")])
    own = frame[frame["setting"].eq("study")].drop(columns=["setting", "threshold", "persons", "households"])
    rates = protect(own.assign(lower=own["estimate"], upper=own["estimate"])).frame.set_index(["group", "horizon"])
    told = protect(frame).frame.set_index(["group", "horizon"])
    assert told["shown"].any() and rates.loc[told.index[told["shown"]], "shown"].all()
    shown = told[told["shown"]]
    assert shown["estimate"].equals(rates.loc[shown.index, "estimate"])


def test_without_another_threshold_there_is_nothing_to_tell():
    frame = table()
    told = protect(frame[frame["setting"].eq("study")]).frame
    assert told["reason"].tolist() == ["no_alternative"] * 2


def test_the_same_rate_twice_is_refused():
    with pytest.raises(DisclosureError, match="given twice"):
        protect(pd.concat([table(), table()]))
