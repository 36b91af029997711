"""Rows of several states: what is refused, and what is said then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trajectories.survival.states.multistate import (
    cumulative_transition_hazards,
    state_occupation,
    transition_probabilities,
)

COLUMNS = ["person", "start", "stop", "from", "to"]


def arguments(d):
    return tuple(d[column] for column in COLUMNS)


ROWS = pd.DataFrame(
    {"person": [1, 1, 2], "start": [0, 4, 0], "stop": [4, 9, 6], "from": list("ABA"), "to": list("BAB")}
)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"person": [1, None, 2]}, "person: 1 of 3 values are missing"),
        ({"from": ["A", None, None]}, "from_state: 2 of 3 values are missing"),
        ({"from": ["A", "B", "censor"]}, "from_state: 1 of 3 values are « censor »"),
        ({"start": [0, 4, np.nan]}, "start: 1 of 3 values are missing"),
        ({"start": [-1, 4, 0]}, "start: 1 of 3 values are negative"),
        ({"stop": [4, 4, 6]}, "stop: 1 of 3 values are not after their start"),
        ({"stop": [4, 4 + 1e-9, 6]}, "stop: 1 of 3 values are not after their start"),
        ({"stop": [5, 9, np.inf]}, "stop: 1 of 3 values are infinite"),
        ({"stop": [5, 9, 6]}, "start: 1 of 3 values are before the end of the person's row before: rows overlap"),
        ({"start": [0, 0, 0]}, "start: 1 of 3 values are before"),
        ({"to": ["A", "A", "B"]}, "from_state: 1 of 3 values are not where the person's row before"),
        ({"to": [None, "A", "B"]}, "from_state: 1 of 3 values are not where the person's row before"),
        ({"to": ["C", "A", "B"]}, "from_state: 1 of 3 values are not where the person's row before"),
        ({"from": ["A", "B", 3]}, "from_state, to_state: the labels of 3 states cannot be put in order"),
    ],
)
def test_rows_refused(changed, message):
    d = ROWS.astype(object).assign(**changed)
    for function in (transition_probabilities, state_occupation, cumulative_transition_hazards):
        with pytest.raises(ValueError) as error:
            function(*arguments(d))
        assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variance": "best"}, "variance: 1 unknown label"),
        ({"conf_level": 1.0}, "conf_level"),
        ({"times": [5, 1], "s": 2}, "times: 1 of 2 values are before s = 2"),
        ({"times": [5, None]}, "times: 1 of 2 values are missing"),
        ({"cluster": [1, 2, 2]}, "cluster: 1 of 3 values differ from another row of the same person"),
        ({"cluster": [1, 1]}, "cluster: 2 values given, 3 expected"),
        ({"s": -1.0}, "s: "),
        ({"s": np.nan}, "s: "),
    ],
)
def test_options_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        transition_probabilities(*arguments(ROWS), **options)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"Z": 1}, "initial: 1 unknown states"),
        ({"A": 0.5}, "initial: the 2 values add to 0.5, 1 expected"),
        ([1.5, -0.5], "initial: 1 of 2 values are negative"),
        ([1, 0, 0], "initial: 3 values given, 2 expected"),
    ],
)
def test_initial_refused(initial, message):
    with pytest.raises(ValueError, match=message):
        state_occupation(*arguments(ROWS), initial=initial)


def test_a_gap_may_hide_a_move():
    gap = ROWS.assign(start=[0, 5, 0], to=[None, "A", "B"])
    assert len(transition_probabilities(*arguments(gap), times=[6])) == 4
