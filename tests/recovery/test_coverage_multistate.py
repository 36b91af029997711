"""A Markov process on four states, seen from a delayed entry to a censoring: transition probabilities, occupation and
the mean number of moves against the matrix exponential. Where the three members of a household move together, standard
errors over households cover, and those over persons are shown not to.
"""

from __future__ import annotations

import numpy as np
import pytest
from coverage_study import LONG, SHORT, Study, check, known, run
from scipy.linalg import expm

from trajectories.survival.states.mean_cumulative import mean_cumulative
from trajectories.survival.states.multistate import state_occupation, transition_probabilities

PERSONS, STATES, ABSORBING = 500, np.array(["A", "B", "C", "D"]), 3
MOVES = np.array(  # rates a month
    [
        [0.0, 0.04, 0.01, 0.005],
        [0.02, 0.0, 0.015, 0.005],
        [0.02, 0.03, 0.0, 0.01],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
RATES = MOVES - np.diag(MOVES.sum(axis=1))
START = np.array([0.5, 0.3, 0.2, 0.0])
S, TIMES = 6.0, (18.0, 42.0)
MEMBERS = 3
HOMES = PERSONS // MEMBERS
PAIRS = (("A", "A"), ("A", "B"), ("B", "C"), ("C", "A"), ("C", "D"))


def histories(rng, persons):
    """Rows (person, start, stop, from, to) of the process from 0; `to` is −1 where the person is censored there."""
    end, rows = rng.uniform(20, 72, persons), []
    who, t, state = np.arange(persons), np.zeros(persons), rng.choice(4, persons, p=START)
    while len(who):
        rate = MOVES[state].sum(axis=1)
        wait = np.full(len(who), np.inf)
        wait[rate > 0] = rng.exponential(1 / rate[rate > 0])
        stop = np.minimum(t + wait, end[who])
        chosen = (MOVES[state].cumsum(axis=1) < (rng.random(len(who)) * rate)[:, None]).sum(axis=1)
        to = np.where(stop < end[who], chosen, -1)
        rows.append((who, t, stop, state, to))
        who, t, state = (x[to >= 0] for x in (who, stop, to))
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def entered_late(rng, person, start, stop, origin, to):
    """A third of the persons are seen from a random month on only; what was over by then is not seen at all."""
    persons = person.max() + 1
    entry = np.where(rng.random(persons) < 1 / 3, rng.uniform(0, 18, persons), 0.0)[person]
    seen = stop > entry
    return tuple(x[seen] for x in (person, np.maximum(start, entry), stop, origin, to))


def labelled(person, start, stop, origin, to):
    """Persons in the absorbing state are followed no more."""
    alive = origin != ABSORBING
    goal = np.append(STATES, None)[to]  # −1 takes the last
    return person[alive], start[alive], stop[alive], STATES[origin[alive]], goal[alive]


def four(table):
    return tuple(table[column].to_numpy() for column in ("estimate", "se", "lower", "upper"))


def transitions(variance):
    def one(rng):
        rows = labelled(*entered_late(rng, *histories(rng, PERSONS)))
        table = transition_probabilities(*rows, s=S, times=TIMES, variance=variance)
        table = table.rename(columns={"probability": "estimate"}).set_index(["from_state", "to_state", "time"])
        return four(table.loc[[(*pair, t) for pair in PAIRS for t in TIMES]])

    at = {t: expm(RATES * (t - S)) for t in TIMES}
    code = {name: i for i, name in enumerate(STATES)}
    names = tuple(f"P({a}→{b}; {S:g}, {t:g})" for a, b in PAIRS for t in TIMES)
    truth = tuple(float(at[t][code[a], code[b]]) for a, b in PAIRS for t in TIMES)
    design = f"4 states, {PERSONS} persons, a third entering late, {variance}"
    return Study("transition_probabilities", design, names, truth, one)


def together(rng):
    """Households whose members move together, each being censored at another time; person % HOMES is the household."""
    person, start, stop, origin, to = histories(rng, HOMES)
    parts = [(person, start, stop, origin, to)]
    for member in range(1, MEMBERS):
        cut = rng.uniform(36, 60, HOMES)[person]
        twin = person + member * HOMES, start, np.minimum(stop, cut), origin, np.where(stop <= cut, to, -1)
        parts.append(tuple(x[start < cut] for x in twin))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def occupied(households):
    """`households`: None where persons are independent, else whether the households are told."""

    def one(rng):
        rows = histories(rng, PERSONS) if households is None else together(rng)
        rows = labelled(*rows)
        cluster = rows[0] % HOMES if households else None
        table = state_occupation(*rows, times=TIMES, cluster=cluster)
        return four(table.rename(columns={"probability": "estimate"}).sort_values(["time", "state"]))

    names = tuple(f"p({state}; {t:g})" for t in TIMES for state in STATES)
    truth = tuple(float(x) for t in TIMES for x in START @ expm(RATES * t))
    how = {
        None: "independent",
        True: "moving in threes, households told",
        False: "moving in threes, households not told",
    }
    return Study("state_occupation", f"4 states, {PERSONS} persons, {how[households]}", names, truth, one)


def moves(households):
    def one(rng):
        # Whoever is absorbed stays at risk until censored: the mean is over everybody.
        person, start, stop, _, to = together(rng) if households else histories(rng, PERSONS)
        cluster = person % HOMES if households else None
        table = mean_cumulative(person, start, stop, to >= 0, cluster=cluster)
        last = table.iloc[np.searchsorted(table["time"], TIMES, side="right") - 1]
        return four(last.rename(columns={"mean": "estimate"}))

    both = np.block([[RATES, MOVES.sum(axis=1)[:, None]], [np.zeros((1, 5))]])
    truth = tuple(float(START @ expm(both * t)[:4, 4]) for t in TIMES)
    how = "moving in threes, households told" if households else "independent"
    names = tuple(f"μ({t:g})" for t in TIMES)
    return Study("mean_cumulative", f"4 states, {PERSONS} persons, {how}", names, truth, one)


STUDIES = [
    transitions("greenwood"),
    transitions("jackknife"),
    occupied(None),
    occupied(True),
    moves(False),
    moves(True),
]


@pytest.mark.parametrize("study", STUDIES, ids=lambda s: f"{s.estimator}, {s.design}")
def test_limits_cover_the_truth(study):
    check(known(study, SHORT))


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda s: f"{s.estimator}, {s.design}")
def test_limits_cover_the_truth_long(study):
    check(run(study, LONG))


def test_without_the_households_they_do_not():
    table = run(occupied(False), SHORT)
    assert (table["coverage"] < 0.89).all(), table.to_string()
    assert (table["mean_se"] < 0.75 * table["sd"]).all(), table.to_string()
