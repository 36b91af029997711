"""Moves between several states: transition probabilities and cumulative hazards (Aalen–Johansen), with delayed entry.

P(s, t) = Π_{s<u≤t} (I + ΔA(u)) over the risk sets of `state_table.py`. Compared with R's mstate in
tests/golden/test_multistate.py. `state_occupation` is in occupation.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, normal_quantile, one_of
from trajectories.survival.limits import incidence_limits, positive_limits, survival_limits
from trajectories.survival.states.person_rows import clusters_of
from trajectories.survival.states.product_integral import walk
from trajectories.survival.states.state_table import StateTable, state_table, times_of
from trajectories.survival.states.transition_influence import changes_of, occupation_variance

ROUNDING = 1e-12
VARIANCES = ("greenwood", "aalen", "jackknife")


def at_the_edge(
    p: Floats, se: Floats, settled: NDArray[np.bool_], staying: NDArray[np.bool_] | bool, conf_level: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """p, se and limits: log-log of p where `staying`, else of 1 − p; at 0 and 1 se 0, limits p if `settled`."""
    p = np.where(p > 1 - ROUNDING, 1.0, p)  # a sum of shares may be 1 − 1e-16
    edge = (p <= 0) | (p >= 1)
    se = np.where(edge, 0.0, se)
    pairs = zip(survival_limits(p, se, conf_level), incidence_limits(p, se, conf_level), strict=True)
    lower, upper = (np.where(staying, a, b) for a, b in pairs)
    certain = np.where(settled, p, np.nan)
    return p, se, np.where(edge, certain, lower), np.where(edge, certain, upper)


def transition_probabilities(
    person: ArrayLike,
    start: ArrayLike,
    stop: ArrayLike,
    from_state: ArrayLike,
    to_state: ArrayLike,
    *,
    s: float = 0.0,
    times: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    variance: str = "greenwood",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Probability of being in each state at t for somebody who is in state h at s.

    Parameters
    ----------
    person : array of shape (n,)
        Labels. A person has one or more rows, which never overlap; gaps (unobserved time) are allowed.
    start, stop : arrays of shape (n,)
        The row is at risk at u if start < u ≤ stop, in months (or any unit), from 0 up.
    from_state : array of shape (n,)
        The state over the row.
    to_state : array of shape (n,)
        The state moved to at `stop`. Missing, "censor" or the same state: no move (a stay may be cut in two).
    s : float
        The time from which probabilities count. All rows at risk after s are used, whoever was where at s.
    times : array of shape (m,), optional
        Where to read; the times of moves after s by default (the last time of all if nobody moves).
    cluster : array of shape (n,), optional
        Labels of households: se by infinitesimal jackknife over clusters, whatever `variance` says.
    variance : {"greenwood", "aalen", "jackknife"}
        The jackknife is over persons unless `cluster` is given.
    conf_level : float
        Of the limits.

    Returns
    -------
    DataFrame
        from_state, to_state, time, probability, se, lower, upper, for every pair of the states seen (sorted, or in the
        order of `from_state` or `to_state` where it is a categorical of them all); `time` as given. A state nobody
        leaves keeps probability 1 of staying. After the last row in a state its curve is flat: see the numbers at risk
        in `state_occupation`.

    Raises
    ------
    ValueError
        For a missing value (but in `to_state`), stop ≤ start, rows of a person that overlap, a row that starts when the
        person's row before stops but in another state than that led to (R's survcheck calls it a teleport; after a gap
        any state may follow), a person in two clusters, a time before s, an unknown `variance`.

    Notes
    -----
    P(s, t) = Π_{s<u≤t}(I + ΔA(u)) (Aalen & Johansen 1978), valid for a Markov process. Variances: `greenwood`, Cov ←
    (I + ΔA)ᵀ Cov (I + ΔA) + Σ_g P_hg(s, u−)² Cov(ΔA_g·) with multinomial increments (Andersen et al. 1993, IV.4.1);
    `aalen`, independent increments of variance d/n² and P_hg(s, u); `jackknife`, Σ over persons or clusters of squared
    influence, without small-sample factor, as R's `survfit` does for occupation. Limits: log-log of P for staying (h to
    h, as `kaplan_meier`) and of 1 − P for the rest (as `cumulative_incidence`), both of which are special cases. At 0
    and 1 the se is 0; limits are 0 and 0, or 1 and 1, where nothing has moved it yet, else missing (the last one at
    risk has left; so with a single person). While nobody is at risk in a state, its row of I + ΔA is that of the
    identity. Time: O(rows), and √(number of times of moves) calls of numpy; the jackknife, O(rows × states²) from each
    state, whatever the number of `times`.

    R: ``probtrans(msfit(coxph(Surv(start, stop, status) ~ strata(trans), ties = "breslow"), vartype = "greenwood"),
    predt = s, method = "greenwood")``. Largest difference seen over tests/golden: 2e-15 (the jackknife, from one state,
    against ``survfit(…, p0 = )``: 2e-16).

    Examples
    --------
    >>> person, start, stop = [1, 1, 2, 2, 3], [0, 9, 0, 6, 0], [9, 12, 6, 12, 12]
    >>> table = transition_probabilities(person, start, stop, list("ABABA"), ["B", None, "B", "A", None], times=[12])
    >>> table[["from_state", "to_state", "probability"]].round(3).to_numpy().tolist()
    [['A', 'A', 0.667], ['A', 'B', 0.333], ['B', 'A', 0.5], ['B', 'B', 0.5]]
    """
    one_of("variance", variance, VARIANCES)
    normal_quantile(conf_level)
    table = state_table(person, start, stop, from_state, to_state)
    households = clusters_of(cluster, table.rows.person)
    at = times_of(table, times, s)
    k = table.n_states
    first = int(table.reached(np.array([s]))[0])
    wanted, place = np.unique(table.reached(at) - first, return_inverse=True)
    jackknife = cluster is not None or variance == "jackknife"

    found = walk(table, first, np.eye(k), wanted, None if jackknife else variance)
    spread = jackknife_variance(table, first, households, wanted) if jackknife else found.variance
    staying = np.eye(k, dtype=bool)
    values = at_the_edge(found.probability, np.sqrt(spread), found.settled, staying, conf_level)
    names = ("probability", "se", "lower", "upper")
    columns = {name: x[place].transpose(1, 2, 0).ravel() for name, x in zip(names, values, strict=True)}
    origin, goal = np.repeat(np.arange(k), k * len(at)), np.tile(np.repeat(np.arange(k), len(at)), k)
    first_columns = {"from_state": table.states[origin], "to_state": table.states[goal], "time": np.tile(at, k * k)}
    return pd.DataFrame({**first_columns, **columns})


def jackknife_variance(table: StateTable, first: int, cluster: Integers, wanted: Integers) -> Floats:
    """From each state: wanted × k × k."""
    k = table.n_states
    changes, given = changes_of(table, first, cluster), np.zeros((cluster.max() + 1, k))
    result = np.zeros((len(wanted), k, k))
    for h in np.unique(table.origin):  # from a state nobody leaves it is 0
        result[:, h] = occupation_variance(table, first, np.eye(k)[h], given, changes, wanted)
    return result


def cumulative_transition_hazards(
    person: ArrayLike,
    start: ArrayLike,
    stop: ArrayLike,
    from_state: ArrayLike,
    to_state: ArrayLike,
    *,
    times: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Nelson–Aalen cumulative hazard of each kind of move that is seen.

    Parameters
    ----------
    person, start, stop, from_state, to_state, times, conf_level
        As in `transition_probabilities`.

    Returns
    -------
    DataFrame
        from_state, to_state, time, n_event (moves so far), cumulative_hazard, se, lower, upper; no row if nobody moves.

    Raises
    ------
    ValueError
        As `transition_probabilities`.

    Notes
    -----
    A_hg(t) = Σ d_hg/n_h, se² = Σ d_hg/n_h² (Nelson 1972; Aalen 1978); limits on the scale of the logarithm, 0 and 0 at
    0. R: ``basehaz(coxph(Surv(start, stop, status) ~ strata(trans), ties = "breslow"), centered = FALSE)``. Largest
    difference seen over tests/golden: 6e-15.

    Examples
    --------
    >>> table = cumulative_transition_hazards([1, 2, 3], [0, 0, 0], [6, 9, 9], ["A", "A", "A"], ["B", "B", "B"])
    >>> table["cumulative_hazard"].round(4).tolist()
    [0.3333, 1.3333]
    """
    table = state_table(person, start, stop, from_state, to_state)
    at = times_of(table, times, 0.0)
    made = table.reached(at)
    tables = []
    for h, g in np.unique(np.column_stack([table.origin, table.destination]), axis=0):
        own = (table.origin == h) & (table.destination == g)
        last = np.searchsorted(table.step[own], made, side="left")  # counts of steps 0 … made − 1
        d, n = table.n_moves[own], table.n_risk[own]
        so_far, hazard, spread = (np.append(0, np.cumsum(x))[last] for x in (d, d / n, d / n**2))
        se = np.sqrt(spread)
        columns = {"from_state": table.states[h], "to_state": table.states[g], "time": at, "n_event": so_far}
        columns |= {"cumulative_hazard": hazard, "se": se}
        columns["lower"], columns["upper"] = positive_limits(hazard, se, conf_level)
        tables.append(pd.DataFrame(columns))
    names = ["from_state", "to_state", "time", "n_event", "cumulative_hazard", "se", "lower", "upper"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=names)
