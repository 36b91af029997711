"""State occupation: which share of persons is in each state at t, whatever state each started in.

p(t) = p(0) Π(I + ΔA). Compared with R survival's `survfit` for several states in tests/golden/test_multistate.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, normal_quantile
from trajectories.survival.checks import times as checked_times
from trajectories.survival.states.multistate import at_the_edge
from trajectories.survival.states.person_rows import clusters_of
from trajectories.survival.states.product_integral import walk
from trajectories.survival.states.state_table import StateTable, state_table, times_of
from trajectories.survival.states.transition_influence import changes_of, occupation_variance


def starting_rows(table: StateTable) -> NDArray[np.bool_]:
    """The rows whose states are p(0), by R's rule.

    Everybody's first row where all of them start at one time; else the rows at risk at the first move (or at the first
    stop of all, where nobody moves).
    """
    rows, order = table.rows, table.rows.order
    first = np.zeros(len(order), bool)
    first[order] = np.append(True, rows.person[order[1:]] != rows.person[order[:-1]])
    starts = rows.start[first]
    if (starts == starts[0]).all():
        return first
    t = table.position[0] if len(table.position) else rows.stop.min()
    return (rows.start < t) & (t <= rows.stop)


def given_start(initial: Mapping | pd.Series | ArrayLike, states: pd.Index) -> Floats:
    """`initial` as k probabilities in the order of `states`."""
    if isinstance(initial, Mapping | pd.Series):
        named = dict(initial.items())
        unknown = [label for label in named if label not in states]
        if unknown:
            seen = ", ".join(map(str, states))
            raise ValueError(f"initial: {len(unknown)} unknown states (first {unknown[0]!r}); seen: {seen}")
        initial = [named.get(label, 0.0) for label in states]
    p = checked_times("initial", initial, len(states))
    if abs(p.sum() - 1) > 1e-8:
        raise ValueError(f"initial: the {len(p)} values add to {p.sum():g}, 1 expected")
    return p / p.sum()


def state_occupation(
    person: ArrayLike,
    start: ArrayLike,
    stop: ArrayLike,
    from_state: ArrayLike,
    to_state: ArrayLike,
    *,
    initial: Mapping | pd.Series | ArrayLike | None = None,
    times: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Share of persons in each state at t.

    Parameters
    ----------
    person, start, stop, from_state, to_state
        As in `transition_probabilities`.
    initial : mapping of state to probability, or array of shape (states,), optional
        Fixes p(0) (an array: in the order of the states); its sampling error is then none. By default estimated:
        everybody's first state where all start at one time; where entry is staggered, the states of those at risk at
        the first move.
    times : array of shape (m,), optional
        Where to read; the times of moves by default (the last time of all if nobody moves).
    cluster : array of shape (n,), optional
        Labels of households; the jackknife is over persons without it.
    conf_level : float
        Of the limits, log-log of 1 − p.

    Returns
    -------
    DataFrame
        state, time, n_risk (rows in the state with start < t ≤ stop, none in a state nobody is observed in),
        probability, se, lower, upper; states in the order of `transition_probabilities`, `time` as given. Before
        the time p(0) is of, p(0).

    Raises
    ------
    ValueError
        As `transition_probabilities`, and for an `initial` of unknown states, below 0 or that does not add to 1.

    Notes
    -----
    p(t) = p(0) Π_{u≤t}(I + ΔA(u)) (Aalen & Johansen 1978), consistent without the Markov assumption where censoring is
    independent of the states (Datta & Satten 2001). Variance: infinitesimal jackknife, Σ over persons (clusters) of
    squared influence, that on an estimated p(0) included, without small-sample factor (Therneau; see
    transition_influence.py). Limits at 0 and 1 as in `transition_probabilities`.

    R: ``survfit(Surv(start, stop, to) ~ 1, id = person, istate = from, cluster = household, p0 = initial)``. Largest
    difference seen over tests/golden: 2e-15.

    Examples
    --------
    >>> person, start, stop = [1, 1, 2, 2, 3], [0, 9, 0, 6, 0], [9, 12, 6, 12, 12]
    >>> table = state_occupation(person, start, stop, list("ABABA"), ["B", None, "B", "A", None], times=[6, 12])
    >>> table["probability"].round(3).tolist()
    [0.667, 0.667, 0.333, 0.333]
    """
    normal_quantile(conf_level)
    table = state_table(person, start, stop, from_state, to_state)
    households = clusters_of(cluster, table.rows.person)
    at = times_of(table, times, 0.0)
    k = table.n_states
    influence = np.zeros((households.max() + 1, k))
    p0 = estimated_start(table, households, influence) if initial is None else given_start(initial, table.states)
    wanted, place = np.unique(table.reached(at), return_inverse=True)
    found = walk(table, 0, p0[None, :], wanted)
    spread = occupation_variance(table, 0, p0, influence, changes_of(table, 0, households), wanted)
    values = at_the_edge(found.probability[:, 0], np.sqrt(spread), found.settled[:, 0], False, conf_level)
    names = ("probability", "se", "lower", "upper")
    columns = {name: x[place].T.ravel() for name, x in zip(names, values, strict=True)}
    leading = {"state": np.repeat(table.states, len(at)), "time": np.tile(at, k), "n_risk": table.at_risk(at).T.ravel()}
    return pd.DataFrame({**leading, **columns})


def estimated_start(table: StateTable, cluster: Integers, influence: Floats) -> Floats:
    """p(0); adds each cluster's influence on it to `influence`."""
    chosen = starting_rows(table)
    state, n = table.state[chosen], int(chosen.sum())
    p0 = np.bincount(state, minlength=table.n_states) / n
    np.add.at(influence, cluster[chosen], (np.eye(table.n_states)[state] - p0) / n)
    return p0
