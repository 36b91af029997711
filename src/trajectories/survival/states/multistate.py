"""Moves between several states: transition probabilities and cumulative hazards (Aalen–Johansen), with delayed entry.

P(s, t) = Π_{s<u≤t} (I + ΔA(u)) over the risk sets of the tables of transitions. Compared with R's mstate in
tests/golden/test_multistate.py. `state_occupation` is below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, Sample, normal_quantile, one_of, refuse, times
from trajectories.survival.checks import times as checked_times
from trajectories.survival.jackknife import running
from trajectories.survival.limits import incidence_limits, positive_limits, survival_limits
from trajectories.survival.risk import Counts, counted_by_rank, ranks, tie_width

# ----------------------------------------------------------------------------------------------------
# Several rows a person, each (start, stop]: in order, never overlapping, gaps allowed.
#
# Times become positions among the distinct times of the sample (ties as in `risk.py`), so that « the next row starts
# when this one stops » is a comparison of whole numbers, and risk sets are counted on a grid whatever the unit of
# time.


@dataclass(frozen=True)
class PersonRows:
    """Checked rows: times as positions in `heads`, the distinct times."""

    person: Integers  # codes from 0 up
    heads: Floats
    start: Integers
    stop: Integers
    order: Integers  # the rows by person, then start
    linked: NDArray[np.bool_]  # in that order, but the last: the person's next row starts when this one stops

    def continues(self, group: Integers) -> NDArray[np.bool_]:
        """True for a row whose stop is no end: the person's next row, in the same group, starts there."""
        before, after = self.order[:-1], self.order[1:]
        result = np.zeros(len(self.order), dtype=bool)
        result[before[self.linked & (group[before] == group[after])]] = True
        return result

    def sample(
        self, cause: Integers, group: Integers, levels: NDArray[Any] | None, cluster: Integers | None = None
    ) -> Sample:
        """The rows as a sample of `risk.py`: what ended each, and its group."""
        n = len(self.order)
        time, entry, ones = self.heads[self.stop], self.heads[self.start], np.broadcast_to(1.0, n)
        return Sample(time, cause, entry, ones, True, group, levels, cluster, unweighted=True)

    def below(self, at: Floats) -> Integers:
        """How many distinct times are before each of `at` (a tie is not before)."""
        return np.searchsorted(self.heads, at - tie_width(self.heads), side="left")


def identifiers(name: str, values: ArrayLike, like: int) -> Integers:
    """Codes from 0 up, in no order: who is the same person, or household."""
    series = pd.Series(values)
    if len(series) != like:
        raise ValueError(f"{name}: {len(series)} values given, {like} expected")
    refuse(name, series.isna().to_numpy(), "are missing")
    return pd.factorize(series)[0].astype(np.int64)


def clusters_of(values: ArrayLike | None, person: Integers) -> Integers:
    """The cluster of each row: the person where none is given. A person belongs to one cluster."""
    if values is None:
        return person
    codes = identifiers("cluster", values, len(person))
    of_person = np.zeros(person.max() + 1, np.int64)
    of_person[person] = codes
    refuse("cluster", codes != of_person[person], "differ from another row of the same person")
    return codes


def person_rows(person: ArrayLike, start: ArrayLike, stop: ArrayLike) -> PersonRows:
    """Reads and checks the rows: `ValueError` for stop ≤ start and for rows of one person that overlap."""
    starts = times("start", start)
    n = len(starts)
    stops = times("stop", stop, n)
    refuse("stop", stops <= starts, "are not after their start")
    person_codes = identifiers("person", person, n)
    row_ends = np.concatenate([starts, stops])
    heads, position, _ = ranks(row_ends)
    begins, ends = position[:n], position[n:]
    refuse("stop", ends <= begins, "are not after their start (to 1.5e-8)")
    order = np.argsort(person_codes * len(heads) + begins, kind="stable")
    same = person_codes[order[1:]] == person_codes[order[:-1]]
    gap = begins[order[1:]] - ends[order[:-1]]
    refuse("start", np.append(False, same & (gap < 0)), "are before the end of the person's row before: rows overlap")
    return PersonRows(person_codes, heads, begins, ends, order, same & (gap == 0))


# ----------------------------------------------------------------------------------------------------
# Moves between states: the rows read once, and counted at each time where somebody moves.
#
# A row says that a person was in `from_state` over (start, stop] and what happened at stop: a move to another state,
# or nothing that is known (`to_state` missing, "censor", or the same state: a stay cut in two is one stay). The counts
# are those of `risk.py`, the state being the group: at risk in state h at u means start < u ≤ stop in a row of state
# h.

CENSORED = "censor"


@dataclass(frozen=True)
class StateTable:
    """Checked rows (a value a row), and the moves counted by time, origin and destination (a value a count)."""

    rows: PersonRows
    states: pd.Index  # the labels that codes stand for
    state: Integers
    to: Integers  # where the row moves at its stop, −1 where it does not
    time: Floats  # the distinct times of moves: the steps
    position: Integers  # where each step is among all distinct times
    step: Integers  # of each count
    origin: Integers
    destination: Integers
    n_moves: Counts
    n_risk: Counts  # in `origin` at `step`

    @property
    def n_states(self) -> int:
        return len(self.states)

    def matrices(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Of the steps first … last − 1: I + ΔA, each k × k, and the numbers at risk (1 in a state nobody leaves)."""
        k, a, b = self.n_states, *np.searchsorted(self.step, [first, last])
        at, h, g = self.step[a:b] - first, self.origin[a:b], self.destination[a:b]
        moves, n = np.zeros((last - first, k, k)), np.ones((last - first, k))
        moves[at, h, g] = self.n_moves[a:b]
        n[at, h] = self.n_risk[a:b]
        stays = n - moves.sum(axis=2)  # whole numbers: exactly 0 where everybody leaves
        moves[:, np.arange(k), np.arange(k)] = stays
        return moves / n[:, :, None], n

    def reached(self, at: Floats) -> Integers:
        """How many steps are at or before each time."""
        return np.searchsorted(self.time, at + tie_width(self.rows.heads), side="right")

    def steps_of_rows(self) -> tuple[Integers, Integers]:
        """How many steps are at or before each row's start, and its stop: a row is at risk at those between."""
        so_far = np.cumsum(np.bincount(self.position, minlength=len(self.rows.heads)))
        return so_far[self.rows.start], so_far[self.rows.stop]

    def at_risk(self, at: Floats) -> Integers:
        """Numbers in each state at any times (start < t ≤ stop): times × states."""
        shape = (self.n_states, len(self.rows.heads))
        key = self.state * shape[1]
        begun = np.bincount(key + self.rows.start, minlength=shape[0] * shape[1]).reshape(shape)
        ended = np.bincount(key + self.rows.stop, minlength=shape[0] * shape[1]).reshape(shape)
        inside = np.cumsum(np.pad(begun - ended, ((0, 0), (1, 0))), axis=1)
        return inside[:, self.rows.below(at)].T


def read_states(from_state: ArrayLike, to_state: ArrayLike, like: int) -> tuple[pd.Index, Integers, Integers]:
    """The states seen and the codes of both columns, −1 for no move.

    The states are in the order of the first column that is a categorical of them all, else sorted.
    """
    origin, goal = pd.Series(from_state), pd.Series(to_state)
    for name, series in (("from_state", origin), ("to_state", goal)):
        if len(series) != like:
            raise ValueError(f"{name}: {len(series)} values given, {like} expected")
    refuse("from_state", origin.isna().to_numpy(), "are missing")
    codes, seen = pd.factorize(origin)
    goals, reached = pd.factorize(goal)  # missing values get −1
    refuse("from_state", np.isin(codes, [i for i, x in enumerate(seen) if is_censored(x)]), "are « censor »")

    known = list(dict.fromkeys([*seen, *(x for x in reached if not is_censored(x))]))
    ordered = (s.cat.categories for s in (origin, goal) if isinstance(s.dtype, pd.CategoricalDtype))
    states = next(([x for x in c if x in known] for c in ordered if set(known) <= set(c)), None)
    try:
        states = sorted(known) if states is None else states
    except TypeError as error:
        raise ValueError(f"from_state, to_state: the labels of {len(known)} states cannot be put in order") from error
    code_of: dict[Any, int] = {x: i for i, x in enumerate(states)}
    state = np.array([code_of[x] for x in seen])[codes]
    to = np.array([-1 if is_censored(x) else code_of[x] for x in reached] + [-1])[goals]
    return pd.Index(states), state, np.where(to == state, -1, to)


def is_censored(label: Any) -> bool:
    """Whether a label is the word for a censoring, and no state."""
    return isinstance(label, str) and label == CENSORED


def state_table(
    person: ArrayLike, start: ArrayLike, stop: ArrayLike, from_state: ArrayLike, to_state: ArrayLike
) -> StateTable:
    """Reads, checks and counts the rows."""
    rows = person_rows(person, start, stop)
    n = len(rows.order)
    states, state, to = read_states(from_state, to_state, n)
    after = np.where(to < 0, state, to)[rows.order]
    astray = np.append(False, rows.linked & (after[:-1] != state[rows.order[1:]]))
    refuse("from_state", astray, "are not where the person's row before, which stops at their start, ends")

    counts = counted_by_rank(rows.sample(to + 1, state, states), rows.heads, rows.stop, rows.start + 1)
    cause, row = np.nonzero(counts.n_event)
    order = np.argsort(counts.time[row], kind="stable")
    cause, row = cause[order], row[order]
    time, step = np.unique(counts.time[row], return_inverse=True)
    return StateTable(
        rows,
        states,
        state,
        to,
        time,
        np.searchsorted(rows.heads, time),
        step,
        counts.group[row],
        counts.causes[cause] - 1,
        counts.n_event[cause, row],
        counts.n_risk[row],
    )


def times_of(table: StateTable, requested: ArrayLike | None, after: float) -> Floats:
    """The times asked for, as given; else those of moves after `after`, or the last time of all where nobody moves."""
    if not 0 <= after < np.inf:
        raise ValueError(f"s: 1 value, {after}, is not a number from 0 up")
    if requested is None:
        moves = table.time[table.reached(np.array([after]))[0] :]
        return moves if len(moves) else np.array([max(float(after), table.rows.heads[table.rows.stop.max()])])
    at = times("times", requested)
    refuse("times", at < after, f"are before s = {after:g}")
    return at


# ----------------------------------------------------------------------------------------------------
# Products of many small matrices, Π(I + ΔA), and the covariance of a row of them, in blocks instead of one by one.
#
# p(t) = p(s) Π_{s<u≤t} (I + ΔA(u)) (Aalen & Johansen 1978). The steps are cut into √T blocks that advance together, so
# that a million steps cost a few thousand calls of numpy; then each block is put behind what was before it.

PIECE = 16_384  # steps held at once


@dataclass(frozen=True)
class Walk:
    """Where m starting distributions are after chosen numbers of steps: wanted × m × states."""

    probability: Floats
    variance: Floats
    settled: NDArray[np.bool_]  # 0 or 1 ever since the start: certain as far as seen, not by everybody's having left


def prefix_products(steps: Floats) -> tuple[Floats, Floats]:
    """Blocks × width × k × k products from the start of each block, and what stands before it: blocks × k × k."""
    blocks = in_blocks(steps, np.eye(steps.shape[1]))
    inside = blocks.copy()
    for j in range(1, blocks.shape[1]):
        inside[:, j] = inside[:, j - 1] @ blocks[:, j]
    ahead = np.empty((len(blocks), *steps.shape[1:]))
    ahead[0] = np.eye(steps.shape[1])
    for b in range(1, len(blocks)):
        ahead[b] = ahead[b - 1] @ inside[b - 1, -1]
    return inside, ahead


def in_blocks(values: Floats, filling: Floats) -> Floats:
    """Rows in √T blocks of one width, the last one filled up."""
    width = max(1, int(np.ceil(np.sqrt(len(values)))))
    blocks = -(-len(values) // width)
    padding = np.broadcast_to(filling, (blocks * width - len(values), *values.shape[1:]))
    return np.concatenate([values, padding]).reshape(blocks, width, *values.shape[1:])


def products(steps: Floats) -> Floats:
    """The product of the first 1, 2, … T matrices: T × k × k."""
    if not len(steps):
        return steps
    inside, ahead = prefix_products(steps)
    return (ahead[:, None] @ inside).reshape(-1, *steps.shape[1:])[: len(steps)]


def walk(table: StateTable, first: int, start: Floats, wanted: Integers, variance: str | None = None) -> Walk:
    """Follows the rows of `start` (m × k) from step `first` on; `wanted` are numbers of steps made, in order."""
    m, k = start.shape
    shape = (len(wanted), m, k)
    probability, spread, settled = np.empty(shape), np.zeros(shape), np.empty(shape, bool)
    now, covariance = start, np.zeros((m, k, k))
    positive, below_one = start > 0, start < 1
    at_start = np.searchsorted(wanted, 0, side="right")
    probability[:at_start], settled[:at_start] = start, ~positive | ~below_one

    last = int(wanted[-1]) if len(wanted) else 0
    for n_done in range(0, last, PIECE):
        upto = min(n_done + PIECE, last)
        steps, n = table.matrices(first + n_done, first + upto)
        slots = slice(*np.searchsorted(wanted, [n_done, upto], side="right"))
        chosen = wanted[slots] - n_done - 1
        after = now @ products(steps)
        if variance is not None:
            before = np.concatenate([now[None], after[:-1]])
            weight = before if variance == "greenwood" else after
            spread[slots], covariance = covariances(steps, n, weight, covariance, variance, chosen)
        ever_positive = np.logical_or.accumulate(after > 0, axis=0) | positive
        ever_below = np.logical_or.accumulate(after < 1, axis=0) | below_one
        probability[slots], settled[slots] = after[chosen], (~ever_positive | ~ever_below)[chosen]
        now, positive, below_one = after[-1], ever_positive[-1], ever_below[-1]
    return Walk(probability, spread, settled)


def covariances(
    steps: Floats, n: Floats, weight: Floats, covariance: Floats, variance: str, chosen: Integers
) -> tuple[Floats, Floats]:
    """Cov ← (I + ΔA)ᵀ Cov (I + ΔA) + Σ_h p_h² Cov(ΔA_h·), for each of m rows p.

    Returns the variances after `chosen` steps (chosen × m × k), and the covariance after all (m × k × k).
    """
    m, k = weight.shape[1:]
    inside, _ = prefix_products(steps)
    steps, weight = in_blocks(steps, np.eye(k)), in_blocks(weight**2, np.zeros((m, k)))
    n = in_blocks(n, np.ones(k))
    blocks, width = steps.shape[:2]
    own = np.zeros((blocks, m, k, k))
    diagonal = np.empty((blocks, width, m, k))
    for j in range(width):
        step = steps[:, j]
        noise = weight[:, j] @ increments(step, n[:, j], variance).reshape(blocks, k, k * k)
        own = step.swapaxes(1, 2)[:, None] @ own @ step[:, None] + noise.reshape(own.shape)
        diagonal[:, j] = np.diagonal(own, axis1=2, axis2=3)
    before = np.empty_like(own)
    for b in range(blocks):
        before[b] = covariance
        covariance = inside[b, -1].T @ covariance @ inside[b, -1] + own[b]
    block, within = np.divmod(chosen, width)
    product = inside[block, within][:, None]
    carried = ((before[block] @ product) * product).sum(axis=2)
    return diagonal[block, within] + carried, covariance


def increments(step: Floats, n: Floats, variance: str) -> Floats:
    """Covariance of each row of ΔA: blocks × k rows × k × k.

    `greenwood`: where the n at risk go is multinomial, (diag(q) − qᵀq)/n, q the row of I + ΔA. `aalen`: the moves are
    independent and each has variance d/n²; staying takes the sum.
    """
    k = step.shape[1]
    eye = np.eye(k)
    if variance == "greenwood":
        return (step[..., None] * eye - step[..., :, None] * step[..., None, :]) / n[..., None, None]
    away = step * (1 - eye) / n[..., None]
    direction = eye[None, :, :] - eye[:, None, :]  # origin × destination × k
    return np.einsum("bgj,gja,gjc->bgac", away, direction, direction, optimize=True)


# ----------------------------------------------------------------------------------------------------
# The infinitesimal jackknife of state occupation: each cluster's influence on p(t), at every time, without a matrix of
# clusters × times.
#
# A cluster's influence U(t) (a row of k numbers) moves with (I + ΔA(u)) as p does, and each of its rows at risk in
# state g takes away p_g(u−)/n_g(u) (H_g(u) − e_g) at u, H = I + ΔA; a move to state j at u adds p_g(u−)/n_g(u) (e_j −
# e_g). With Z(t) = Π H from a base time r on and E_g(t) = Σ p_g/n_g (H_g − e_g) Z(u)⁻¹,
#
#     U(t) = (a − Σ_g N_g E_g(t)) Z(t),
#
# where the row a and the numbers at risk N of the cluster change only when one of its rows starts or stops. So the sum
# of squares over clusters is a quadratic form in (Z(t), −E(t) Z(t)) whose matrix of second moments changes only then
# too: O(rows × k²) for all times together. Z must be inverted: |Z⁻¹| ≤ 1/|det Z| for a matrix of probabilities, so a
# new base is taken before det Z falls under `SMALLEST`, the influences being written out there (a step where the last
# one leaves a state, of determinant 0, is always a base).
#
# Reference: Therneau's `survfit` for several states (R survival, vignette « methods »); Efron (1982), ch. 6.

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


# ----------------------------------------------------------------------------------------------------

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


def transition_probabilities(  # noqa: PLR0913  # options by keyword, with defaults
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
    wanted, position = np.unique(table.reached(at) - first, return_inverse=True)
    jackknife = cluster is not None or variance == "jackknife"

    path = walk(table, first, np.eye(k), wanted, None if jackknife else variance)
    spread = jackknife_variance(table, first, households, wanted) if jackknife else path.variance
    staying = np.eye(k, dtype=bool)
    values = at_the_edge(path.probability, np.sqrt(spread), path.settled, staying, conf_level)
    names = ("probability", "se", "lower", "upper")
    columns = {name: x[position].transpose(1, 2, 0).ravel() for name, x in zip(names, values, strict=True)}
    origin, goal = np.repeat(np.arange(k), k * len(at)), np.tile(np.repeat(np.arange(k), len(at)), k)
    first_columns = {"from_state": table.states[origin], "to_state": table.states[goal], "time": np.tile(at, k * k)}
    return pd.DataFrame({**first_columns, **columns})


def jackknife_variance(table: StateTable, first: int, cluster: Integers, wanted: Integers) -> Floats:
    """From each state: wanted × k × k."""
    k = table.n_states
    changes, no_influence = changes_of(table, first, cluster), np.zeros((cluster.max() + 1, k))
    result = np.zeros((len(wanted), k, k))
    for h in np.unique(table.origin):  # from a state nobody leaves it is 0
        result[:, h] = occupation_variance(table, first, np.eye(k)[h], no_influence, changes, wanted)
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


# ----------------------------------------------------------------------------------------------------
# State occupation: which share of persons is in each state at t, whatever state each started in.
#
# p(t) = p(0) Π(I + ΔA). Compared with R survival's `survfit` for several states in tests/golden/test_multistate.py.


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


def state_occupation(  # noqa: PLR0913  # options by keyword, with defaults
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
    squared influence, that on an estimated p(0) included, without small-sample factor (Therneau). Limits at 0 and 1 as
    in `transition_probabilities`.

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
    wanted, position = np.unique(table.reached(at), return_inverse=True)
    path = walk(table, 0, p0[None, :], wanted)
    spread = occupation_variance(table, 0, p0, influence, changes_of(table, 0, households), wanted)
    values = at_the_edge(path.probability[:, 0], np.sqrt(spread), path.settled[:, 0], False, conf_level)
    names = ("probability", "se", "lower", "upper")
    columns = {name: x[position].T.ravel() for name, x in zip(names, values, strict=True)}
    leading = {"state": np.repeat(table.states, len(at)), "time": np.tile(at, k), "n_risk": table.at_risk(at).T.ravel()}
    return pd.DataFrame({**leading, **columns})


def estimated_start(table: StateTable, cluster: Integers, influence: Floats) -> Floats:
    """p(0); adds each cluster's influence on it to `influence`."""
    chosen = starting_rows(table)
    state, n = table.state[chosen], int(chosen.sum())
    p0 = np.bincount(state, minlength=table.n_states) / n
    np.add.at(influence, cluster[chosen], (np.eye(table.n_states)[state] - p0) / n)
    return p0
