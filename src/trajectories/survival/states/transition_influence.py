"""The infinitesimal jackknife of state occupation: each cluster's influence on p(t), at every time, without a matrix of
clusters × times.

A cluster's influence U(t) (a row of k numbers) moves with (I + ΔA(u)) as p does, and each of its rows at risk in state
g takes away p_g(u−)/n_g(u) (H_g(u) − e_g) at u, H = I + ΔA; a move to state j at u adds p_g(u−)/n_g(u) (e_j − e_g).
With Z(t) = Π H from a base time r on and E_g(t) = Σ p_g/n_g (H_g − e_g) Z(u)⁻¹,

    U(t) = (a − Σ_g N_g E_g(t)) Z(t),

where the row a and the numbers at risk N of the cluster change only when one of its rows starts or stops. So the sum of
squares over clusters is a quadratic form in (Z(t), −E(t) Z(t)) whose matrix of second moments changes only then too:
O(rows × k²) for all times together. Z must be inverted: |Z⁻¹| ≤ 1/|det Z| for a matrix of probabilities, so a new base
is taken before det Z falls under `SMALLEST`, the influences being written out there (a step where the last one leaves a
state, of determinant 0, is always a base).

Reference: Therneau's `survfit` for several states (R survival, vignette « methods »); Efron (1982), ch. 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.jackknife import running
from trajectories.survival.states.product_integral import products
from trajectories.survival.states.state_table import StateTable

SMALLEST = 0.01  # of det Z: rounding errors grow by its inverse squared, 1e-12


@dataclass(frozen=True)
class Changes:
    """When rows start and stop to be at risk, counted in steps from the first one, in order."""

    step: Integers
    sign: Integers  # +1 starts, −1 stops
    state: Integers
    to: Integers  # −1 unless it stops by a move
    cluster: Integers


def changes_of(table: StateTable, first: int, cluster: Integers) -> Changes:
    """Rows that are at risk at no step change nothing and are left out."""
    start, stop = (np.maximum(x - first, 0) for x in table.steps_of_rows())
    used = np.flatnonzero(stop > start)
    step = np.concatenate([start[used], stop[used]])
    order = np.argsort(step, kind="stable")
    half = len(used)
    begins, row = order < half, used[order % half if half else order]
    return Changes(
        step[order], np.where(begins, 1, -1), table.state[row], np.where(begins, -1, table.to[row]), cluster[row]
    )


def bases(steps: Floats) -> list[int]:
    """Numbers of steps made at which a new product Z starts."""
    lost = np.cumsum(-np.log(np.maximum(np.abs(np.linalg.det(steps)), SMALLEST**2)))
    result = [0]
    while True:
        r = result[-1]
        good = int(np.searchsorted(lost, (lost[r - 1] if r else 0.0) - np.log(SMALLEST), side="right"))
        if good >= len(steps):
            return result
        result.append(good + 1)


def occupation_variance(
    table: StateTable, first: int, start: Floats, influence: Floats, changes: Changes, wanted: Integers
) -> Floats:
    """Σ over clusters of squared influence on p(t), where p is `start` before step `first`: wanted × k.

    `influence` (clusters × k) is that on `start`: zeros where it is given. `wanted` are numbers of steps made, in
    order.
    """
    k = len(start)
    result = np.zeros((len(wanted), k))
    if not len(wanted):
        return result
    made = int(wanted[-1])
    steps, n = table.matrices(first, first + made)
    before = np.concatenate([start[None], start @ products(steps)])[:made]
    share = before / n
    pull = share[:, :, None] * (steps - np.eye(k))  # what a person at risk in g takes away at each step
    now = np.concatenate([influence.T, np.zeros_like(influence.T)])  # (a, N) × clusters
    stations = bases(steps)
    for r, end in zip(stations, [*stations[1:], made + 1], strict=True):
        z = np.concatenate([np.eye(k)[None], products(steps[r : end - 1])])
        inverse = np.linalg.inv(z)
        drift = np.concatenate([np.zeros((1, k, k)), np.cumsum(pull[r : end - 1] @ inverse[1:], axis=0)])

        part = slice(*np.searchsorted(changes.step, [r, end]))
        order = np.argsort(changes.cluster[part], kind="stable")
        step, sign, state, to, cluster = (
            x[part][order] for x in (changes.step, changes.sign, changes.state, changes.to, changes.cluster)
        )
        change = np.zeros((2 * k, len(step)))
        for j in range(k):
            change[j] = sign * drift[step - r, state, j]
            change[k + j] = np.where(state == j, sign, 0)
        moves = np.flatnonzero(to >= 0)
        at, g = step[moves], state[moves]
        change[:k, moves] += share[at - 1, g] * (inverse[at - r, to[moves]] - inverse[at - r, g]).T

        slots = slice(*np.searchsorted(wanted, [r, end]))
        read = wanted[slots]
        if len(read):
            moments = second_moments(now, change, cluster, np.searchsorted(read, step), len(read))
            basis = np.concatenate([z[read - r], -drift[read - r] @ z[read - r]], axis=1)
            result[slots] = ((moments @ basis) * basis).sum(axis=1)
        if end <= made:
            now += np.stack([np.bincount(cluster, row, now.shape[1]) for row in change])
            now[:k] = (z[-1] @ steps[end - 1]).T @ (now[:k] - drift[-1].T @ now[k:]) - pull[end - 1].T @ now[k:]
    return np.maximum(result, 0.0)  # a variance of 0 may come out as −1e-20


def second_moments(now: Floats, change: Floats, cluster: Integers, slot: Integers, n_slots: int) -> Floats:
    """Σ over clusters of x xᵀ at each slot, x = `now` + the changes up to it (ordered by cluster, then in time)."""
    width = len(now)
    first = np.append(True, cluster[1:] != cluster[:-1])[: len(cluster)]
    later = [running(change[j], first) + now[j, cluster] for j in range(width)]
    earlier = [later[j] - change[j] for j in range(width)]
    moments = np.empty((n_slots, width, width))
    for i in range(width):
        for j in range(i, width):
            gain = np.bincount(slot, later[i] * later[j] - earlier[i] * earlier[j], n_slots + 1)[:n_slots]
            moments[:, i, j] = moments[:, j, i] = np.cumsum(gain)
    return moments + now @ now.T
