"""Transition probabilities against R mstate 0.3.3, occupation against R survival 3.8.3, at 1e-9 (data/mstate.json)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference import Differences, results, spells

from trajectories.survival.states.multistate import (
    cumulative_transition_hazards,
    state_occupation,
    transition_probabilities,
)

STATES = ("metropole", "region", "other_region", "outside_quebec")
MONTH = 365.25 / 12
PROBTRANS = {
    "probtrans_from_0_greenwood": {"s": 0.0, "variance": "greenwood"},
    "probtrans_from_month_12_greenwood": {"s": 12 * MONTH, "variance": "greenwood"},
    "probtrans_from_0_aalen": {"s": 0.0, "variance": "aalen"},
}
OCCUPATION = {
    "occupation": {},
    "occupation_from_metropole": {"initial": {"metropole": 1.0}},
    "occupation_household": {"cluster": "household_id"},
}
# A count of input rows by origin, no estimate: none of our tables has it.
NOT_OURS = {"transitions": {"trans", "rows_at_risk"}}


def columns():
    d = spells()
    return d["person_id"], d["tstart"], d["tstop"], d["from"], d["to"]


def test_every_result_is_compared():
    assert set(COMPARISONS) == set(results("mstate")) | {"occupation_from_metropole, through transition_probabilities"}
    assert set(results("mstate")["transitions"]) - NOT_OURS["transitions"] == {
        "from", "to", "n", "cumhaz_month_24", "cumhaz_month_60",
    }  # fmt: skip


def transition(name):
    reference = results("mstate")[name]["from"]
    days = reference["metropole"]["day"]
    table = transition_probabilities(*columns(), times=days, **PROBTRANS[name])
    gap = Differences(f"mstate {name}", 1e-9, "transition_probabilities", "R mstate 0.3.3 probtrans")
    for origin, theirs in reference.items():
        assert theirs["day"] == days
        for goal in STATES:
            ours = table[(table["from_state"] == origin) & (table["to_state"] == goal)]
            np.testing.assert_array_equal(ours["time"], days)
            gap.add("probability", ours["probability"], theirs[f"p_{goal}"])
            gap.add("se", ours["se"], theirs[f"se_{goal}"])
    return gap


def occupied(name):
    theirs, arguments = results("mstate")[name], dict(OCCUPATION[name])
    if "cluster" in arguments:
        arguments["cluster"] = spells()[arguments["cluster"]]
    table = state_occupation(*columns(), times=theirs["day"], **arguments)
    gap = Differences(f"mstate {name}", 1e-9, "state_occupation", "R survival 3.8.3 survfit")
    before = state_occupation(*columns(), times=[0], **arguments).set_index("state")["probability"]
    gap.add("initial distribution", before.loc[list(STATES)], theirs["p0"])
    for state in STATES:
        ours = table[table["state"] == state]
        gap.add("n_risk", ours["n_risk"], theirs[f"n_risk_{state}"])
        gap.add("probability", ours["probability"], theirs[f"p_{state}"])
        gap.add("se", ours["se"], theirs[f"se_{state}"])
    return gap


def from_metropole():
    """Occupation from one state is that row of P(0, t): the clustered variance of transition probabilities."""
    theirs = results("mstate")["occupation_from_metropole"]
    table = transition_probabilities(*columns(), times=theirs["day"], variance="jackknife")
    gap = Differences(
        "mstate occupation_from_metropole, through transition_probabilities",
        1e-9,
        "transition_probabilities",
        "R survival 3.8.3 survfit",
    )
    for state in STATES:
        ours = table[(table["from_state"] == "metropole") & (table["to_state"] == state)]
        gap.add("probability", ours["probability"], theirs[f"p_{state}"])
        gap.add("se", ours["se"], theirs[f"se_{state}"])
    return gap


def hazards():
    theirs = results("mstate")["transitions"]
    table = cumulative_transition_hazards(*columns(), times=[24 * MONTH, 60 * MONTH, 73 * MONTH])
    gap = Differences("mstate transitions", 1e-9, "cumulative_transition_hazards", "R survival 3.8.3 basehaz")
    for i, pair in enumerate(zip(theirs["from"], theirs["to"], strict=True)):
        ours = table[(table["from_state"] == pair[0]) & (table["to_state"] == pair[1])]
        expected = [theirs["cumhaz_month_24"][i], theirs["cumhaz_month_60"][i]]
        gap.add("cumulative hazard", ours["cumulative_hazard"].iloc[:2], expected)
        gap.add("n", ours["n_event"].iloc[2:], [theirs["n"][i]])
    assert len(table) == 3 * len(theirs["from"])
    return gap


COMPARISONS = {
    **{name: partial(transition, name) for name in PROBTRANS},
    **{name: partial(occupied, name) for name in OCCUPATION},
    "occupation_from_metropole, through transition_probabilities": from_metropole,
    "transitions": hazards,
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_against_r(name):
    COMPARISONS[name]().check()
