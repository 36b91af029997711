import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.months import add_months, ceil_month, floor_month, months_between

dates = st.dates(dt.date(1950, 1, 1), dt.date(2080, 12, 31))


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2021-03-03", "2022-03-03", 12.0),
        ("2021-03-03", "2021-03-03", 0.0),
        ("2021-01-31", "2021-02-28", 1.0),
        ("2020-02-29", "2021-02-28", 12.0),
        ("2021-05-03", "2021-05-18", 15 / 31),
        ("2021-05-03", "2021-04-03", -1.0),
    ],
)
def test_months_are_calendar_months(start, end, months):
    assert months_between([start], [end]) == pytest.approx([months], abs=1e-12)


@given(dates, st.integers(0, 240))
def test_every_anniversary_is_a_whole_number(start, months):
    # the day after a short month's anniversary is not another anniversary
    assert months_between([start], add_months([start], [months]))[0] == months


@given(dates, dates, dates)
def test_a_later_end_is_never_earlier(start, a, b):
    first, last = sorted((a, b))
    assert months_between([start], [first])[0] <= months_between([start], [last])[0]


def test_a_missing_date_gives_a_missing_duration():
    assert np.isnan(months_between(pd.to_datetime([None]), pd.to_datetime(["2021-01-01"]))).all()


def test_on_the_grid_events_and_entries_go_up_and_censorings_down():
    assert ceil_month([0, 0.2, 12, 12 + 1e-12, 12.1]).tolist() == [0, 1, 12, 12, 13]
    assert floor_month([0, 0.2, 12, 12 - 1e-12, 12.9]).tolist() == [0, 0, 12, 12, 12]
