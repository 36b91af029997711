"""Mean number of moves against R survival 3.8.3 `survfit` of recurrent events (data/mcf.json), at 1e-9."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference import Differences, results, spells

from trajectories.survival.states.mean_cumulative import mean_cumulative

ARGUMENTS = {
    "all_moves": {},
    "all_moves_by_sex": {"group": "sex"},
    "all_moves_household": {"cluster": "household_id"},
}


def test_every_result_is_compared():
    assert set(ARGUMENTS) == set(results("mcf"))


def compared(name):
    d, reference = spells(), results("mcf")[name]["curves"]
    arguments = {argument: d[column] for argument, column in ARGUMENTS[name].items()}
    table = mean_cumulative(d["person_id"], d["tstart"], d["tstop"], d["to"] != "censor", **arguments)
    curves = dict(list(table.groupby("group"))) if "group" in table else {"all": table}
    assert set(curves) == set(reference)
    gap = Differences(f"mcf {name}", 1e-9, "mean_cumulative", "R survival 3.8.3 survfit")
    for label, theirs in reference.items():
        curve = curves[label]
        row = np.searchsorted(curve["time"], theirs["day"], side="right") - 1
        assert (row >= 0).all()
        gap.add("mean", curve["mean"].to_numpy()[row], theirs["mcf"])
        gap.add("se", curve["se"].to_numpy()[row], theirs["se"])
        gap.add("n_event", curve["n_event"].cumsum().to_numpy()[row], theirs["n_event_cumulative"])
    return gap


COMPARISONS = {name: partial(compared, name) for name in ARGUMENTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_survfit(name):
    COMPARISONS[name]().check()
