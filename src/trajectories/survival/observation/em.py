"""The fit of the observation model: its EM, the climb to its maximum, the information at the maximum."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.intervals.em import EVERYONE_LEAVES, TINY, UNKNOWN, curves
from trajectories.survival.observation.cells import Ascertained, Cells
from trajectories.survival.observation.parameters import DELAYS, N_STATES, Assumed, P, Parameters, Which, delay_class

# ----------------------------------------------------------------------------------------------------
# The EM of the observation model: when exits happen, how contacts fail, and how departures are heard of.
#
# Parameters, for one weighting a column: hazards h_c on pieces of months, the four probabilities of a failed contact,
# and η_c, the discrete hazard of being first heard of d months after the exit (constant on the classes of `DELAYS`).
# Given them, the likelihood of a stay is the sum of its cells (cells.py), of which a kind has the probability
#
#     Π π^powers · Σ_c Σ_{t = low}^{high} S(t − 1) h_c(t) N_c(t),    or Π π^powers · S(high) for no exit,
#
# N_c(t) = η_c(u − t) Π_{d < u − t}(1 − η_c(d)) where the first news came in month u, Π_{d ≤ q − t}(1 − η_c(d)) where
# nothing was heard up to month q. All closed forms: an iteration costs O(coefficients + months² × causes) a weighting,
# however many months a stay is followed. The gradient costs no more (the ascent climbs with both).

NEAR = 1e-15  # nearer to 0 or 1 than this is as good as there


@dataclass(frozen=True)
class Weights:
    """Weighted counts, one column a weighting."""

    pattern: Floats  # patterns × B
    enter: Floats  # months × B, by first month at risk
    succeeded: Floats  # probabilities × B
    known_exits: Floats  # (causes, and no cause named) × B: exits that are known

    def columns(self, keep: Which) -> Weights:
        return Weights(*(np.ascontiguousarray(values[..., keep]) for values in vars(self).values()))


@dataclass(frozen=True)
class Expected:
    """The E-step: expected numbers at the present parameters."""

    log_likelihood: Floats
    exits: Floats  # causes × months × B
    censored: Floats  # months × B, by last month at risk
    failed: Floats  # probabilities × B: how often each came true
    spared: Floats  # the same: how often not, beside the attempts that surely succeeded
    heard: Floats  # causes × delays × B: exits first heard of so many months later
    unheard: Floats  # causes × delays × B: exits of which nothing was heard in so many months after them


E = TypeVar("E", bound=Expected)


class ObservationEM(Generic[P, E]):
    """One EM step of the observation model for given cells."""

    shape_cap = np.inf
    many_at_once = True  # many weightings cost little more than one: second derivatives, replicates by one step

    def __init__(self, cells: Cells, names: int, pieces: Integers, assumed: Assumed | None = None):
        self.cells, self.n_causes, self.assumed = cells, names, assumed or Assumed()
        self.months = cells.last_month + 1  # months 0 … months − 1; nobody leaves in month 0
        self.piece = np.searchsorted(pieces, np.arange(self.months), side="left")
        self.n_pieces = int(self.piece.max(initial=0)) + 1
        self.exit = np.flatnonzero(~cells.survivor)
        self.stay = np.flatnonzero(cells.survivor)
        self.matrix = cells.coefficients
        kinds = np.arange(len(cells.low))
        self.of_powers = sparse.csr_matrix(
            (np.ones(len(kinds)), (cells.powers, kinds)), shape=(len(cells.failures), len(kinds))
        )
        self._telling_cache: tuple[Floats, Floats] | None = None
        self.width = self.months + 1
        self.block = names + 1 if names > 1 else 1
        # month after month, since sums go along the months: those of one month lie side by side
        row, per_month = cells.told[self.exit] * self.block + cells.cause[self.exit], len(cells.telling) * self.block
        self.begins, self.ends = (at * per_month + row for at in (cells.low[self.exit], cells.high[self.exit] + 1))
        n_rows, n_exit = per_month * self.width, len(self.exit)
        ones = np.ones(n_exit)
        at = np.arange(n_exit)
        self.cover = sparse.csr_matrix(
            (np.concatenate([ones, -ones]), (np.concatenate([self.begins, self.ends]), np.concatenate([at, at]))),
            shape=(n_rows, n_exit),
        )
        self.at_month = sparse.csr_matrix(
            (np.ones(len(self.stay)), (cells.high[self.stay], np.arange(len(self.stay)))),
            shape=(self.months, len(self.stay)),
        )
        # months from each month of exit to the news, or to the end of the silence; −1 where that is before the exit
        by_news, until = cells.telling[:, 0] == 1, cells.telling[:, 1]
        month = np.arange(self.months)
        delay = until - month[:, None]
        self.delay = np.where(delay >= 0, delay, -1)  # months × telling
        self.by_news = by_news
        self.longest = int(self.delay.max(initial=0)) + 1
        self.class_of = delay_class(np.arange(self.longest))
        places = np.arange(self.delay.size).reshape(self.delay.shape)
        self.by_delay = [self._sums(places[:, chosen], self.delay[:, chosen]) for chosen in (by_news, ~by_news)]

    def _sums(self, cells: Integers, delay: Integers) -> sparse.csr_matrix:
        """Adds (month of exit, telling) cells by delay."""
        keep = delay >= 0
        shape = (self.longest, self.delay.size)
        return sparse.csr_matrix((np.ones(int(keep.sum())), (delay[keep], cells[keep])), shape=shape)

    @functools.cached_property
    def transposed(self) -> sparse.csr_matrix:
        return self.matrix.T.tocsr()

    # ── the model ─────────────────────────────────────────────────────────────────────────────────────────
    def monthly(self, p: P) -> Floats:
        """Hazards by month, none in month 0."""
        h = p.hazards[:, self.piece]
        h[:, 0] = 0.0
        return h

    def telling(self, p: Parameters) -> Floats:
        """N_c(t): months of exit × telling × causes × B."""
        if self.assumed.odds_heard is not None:
            return self._telling_by_month(p)
        heard, silent = _heard_and_silent(p.hearing[:, self.class_of].swapaxes(0, 1))
        row = self.delay % len(heard) + np.where(self.by_news, 0, len(heard))
        return np.concatenate([heard, silent])[row]

    def _telling_by_month(self, p: Parameters) -> Floats:
        """The same where the odds of being heard of depend on the month since the start too (kept while they stand)."""
        cached = self._telling_cache  # read once: replicates are fitted in several threads
        if cached is not None and np.array_equal(cached[0], p.hearing):
            return cached[1].copy()
        odds = np.asarray(self.assumed.odds_heard, dtype=float)
        month = np.arange(self.months)[:, None] + np.arange(self.longest)
        factor = odds[np.minimum(month, len(odds) - 1)][..., None, None]  # months of exit × delays
        hazard = p.hearing[:, self.class_of].swapaxes(0, 1)
        heard, silent = _heard_and_silent(factor * hazard / (1 - hazard + factor * hazard))
        telling = np.empty((*self.delay.shape, self.n_causes, p.wide))
        for news, table in ((True, heard), (False, silent)):
            exit_month, telling_row = np.nonzero(np.broadcast_to(self.by_news == news, self.delay.shape))
            telling[exit_month, telling_row] = table[exit_month, self.delay[exit_month, telling_row]]
        self._telling_cache = (p.hearing.copy(), telling)
        return telling.copy()

    def powers(self, p: Parameters) -> Floats:
        """Π π^powers of each distinct powers × B."""
        logs = np.log(np.maximum(p.failure, TINY))
        if self.assumed.odds_gone != 1.0:
            logs[2:N_STATES] += np.log(self.assumed.odds_gone)
        if self.cells.further:
            logs = np.concatenate([logs, np.log(np.maximum(1 - p.failure, TINY))])
        return np.exp(self.cells.failures @ logs)

    def values(self, p: P) -> tuple[Floats, Floats, Floats, Floats]:
        """The probability of each kind of cell, and what it is made of."""
        h = self.monthly(p)
        total = h.sum(axis=0)
        after = np.cumprod(1.0 - total, axis=0)
        density = h * np.concatenate([np.ones_like(after[:1]), after[:-1]])[None]
        joint = self.telling(p)
        joint *= density.transpose(1, 0, 2)[:, None]  # months × telling × causes × B, now the probability of both
        summed = np.empty((self.width, joint.shape[1], self.block, p.wide))  # over the months from each on
        summed[-1] = 0.0
        by_cause = summed[:, :, : self.n_causes]
        for month in range(self.months - 1, -1, -1):  # np.cumsum along a first axis takes several times as long
            np.add(by_cause[month + 1], joint[month], out=by_cause[month])
        if self.block > 1:
            of_any = np.add(by_cause[:, :, 0], by_cause[:, :, 1], out=summed[:, :, -1])
            for cause in range(2, self.n_causes):
                of_any += by_cause[:, :, cause]
        rows = summed.reshape(-1, p.wide)
        power = self.powers(p)[self.cells.powers]
        value = np.empty((len(self.cells.low), p.wide))
        value[self.exit] = np.maximum(rows[self.begins] - rows[self.ends], 0.0)
        value[self.stay] = after[self.cells.high[self.stay]]
        value *= power
        return value, power, joint, after

    def coefficients(self, p: P) -> sparse.csr_matrix:
        """The coefficients of each pattern; p has one weighting."""
        return self.matrix

    def likelihoods(self, p: P) -> Floats:
        """The probability of each pattern; p has one weighting."""
        return (self.coefficients(p) @ self.values(p)[0])[:, 0]

    def expect(self, p: P, w: Weights) -> Expected:
        """The E-step."""
        return self._expected(p, w, self.matrix, self.transposed)[0]

    def _expected(
        self, p: P, w: Weights, matrix: sparse.csr_matrix, transposed: sparse.csr_matrix
    ) -> tuple[Expected, Floats, Floats]:
        """The E-step with any coefficients; the probability of each kind of cell, and weight over that of a pattern."""
        value, power, joint, after = self.values(p)
        total = np.maximum(matrix @ value, TINY)
        log_after = np.log(np.maximum(after, TINY))
        entered = np.concatenate([np.zeros_like(log_after[:1]), log_after[:-1]])  # S before the first month at risk
        loglik = (w.pattern * np.log(total)).sum(axis=0) - (w.enter * entered).sum(axis=0)
        loglik += (w.succeeded * np.log(np.where(w.succeeded > 0, np.maximum(1 - p.failure, TINY), 1.0))).sum(axis=0)
        ratio = np.where(total > TINY, w.pattern / total, 0.0)  # what is impossible teaches nothing
        back = transposed @ ratio
        mass = value * back
        failed = self.cells.failures.T @ (self.of_powers @ mass)
        spared = np.zeros_like(w.succeeded)
        if self.cells.further:
            failed, spared = np.split(failed, 2)
        covered = (self.cover @ (power * back)[self.exit]).reshape(self.width, joint.shape[1], self.block, p.wide)
        for month in range(1, self.months):
            covered[month] += covered[month - 1]
        np.maximum(covered, 0.0, out=covered)
        share = covered[:-1, :, : self.n_causes]
        if self.block > 1:
            share += covered[:-1, :, -1:]
        joint *= share  # expected exits, months × telling × causes × B
        flat = joint.reshape(-1, self.n_causes * p.wide)
        heard, unheard = (
            (sums @ flat).reshape(self.longest, self.n_causes, p.wide).swapaxes(0, 1) for sums in self.by_delay
        )
        exits = joint.sum(axis=1).swapaxes(0, 1)
        return (Expected(loglik, exits, self.at_month @ mass[self.stay], failed, spared, heard, unheard), value, ratio)

    def maximise(self, e: E, p: P, w: Weights) -> P:
        """The M-step: a parameter without data keeps its value, but a hazard is 0 where nobody is at risk."""
        failure, hearing = p.failure, p.hearing
        if not self.assumed.failure:
            tried = e.failed + e.spared + w.succeeded
            failure = np.divide(e.failed, tried, out=failure.copy(), where=tried > 0)
        if self.assumed.hearing is None:
            events, at_risk = self._heard(e)
            hearing = np.minimum(np.divide(events, at_risk, out=hearing.copy(), where=at_risk > 0), 1.0)
        return replace(p, hazards=self.hazards(e, w), failure=failure, hearing=hearing)

    def gradient(self, e: E, p: P, w: Weights) -> tuple[Floats, Floats]:
        """
        The gradient of the log-likelihood, a row a parameter, and the information that the complete data would give.

        By Fisher's identity it is that of the complete data, expected (Louis 1982).
        """
        exits, risk = self._exits(e, w)
        hazards = score(exits, np.broadcast_to(risk, exits.shape), p.hazards, p.hazards.sum(axis=0), exits.sum(axis=0))
        # where everybody leaves, one hazard can only grow as another falls
        total = p.hazards.sum(axis=0)
        common = (p.hazards * hazards[0]).sum(axis=0) / np.maximum(total, TINY)
        hazards[0] -= np.where(total > 1 - 1e-10, np.maximum(common, 0.0), 0.0)
        failure = score(e.failed, e.failed + e.spared + w.succeeded, p.failure)
        hearing = score(*self._heard(e), p.hearing)
        gradient, information = (Parameters(*parts).flat() for parts in zip(hazards, failure, hearing, strict=True))
        return gradient, information

    def fixed(self, p: P) -> NDArray[np.bool_]:
        """The parameters that are not learnt, in the order of `flat`: taken as given, or a hazard that must be 0."""
        failure = np.full(p.failure.shape, self.assumed.failure)
        hearing = np.full(p.hearing.shape, self.assumed.hearing is not None)
        return np.concatenate([values.reshape(-1, p.wide) for values in (p.hazards == 0, failure, hearing)])

    def _heard(self, e: Expected) -> tuple[Floats, Floats]:
        """Exits first heard of at each class of delays, and those exposed to it: heard of then or later, or not yet."""
        exposed = np.cumsum((e.heard + e.unheard)[:, ::-1], axis=1)[:, ::-1]
        starts = [d for d in DELAYS if d < self.longest]
        events, at_risk = np.zeros((2, len(e.heard), len(DELAYS), e.heard.shape[2]))
        for by_class, by_delay in ((events, e.heard), (at_risk, exposed)):
            by_class[:, : len(starts)] = np.add.reduceat(by_delay, starts, axis=1)
        return events, at_risk

    def at_risk(self, e: Expected, w: Weights) -> Floats:
        """Expected numbers at risk, months × B."""
        leaving = e.exits.sum(axis=0)
        return np.cumsum((leaving + e.censored - w.enter)[::-1], axis=0)[::-1] + w.enter

    def _exits(self, e: Expected, w: Weights) -> tuple[Floats, Floats]:
        """Exits (causes × pieces × B) and months at risk (pieces × B)."""
        n = np.maximum(self.at_risk(e, w), 0.0)
        n[0] = 0.0
        return by_piece(e.exits, self.piece, 1), by_piece(n, self.piece, 0)

    def hazards(self, e: Expected, w: Weights) -> Floats:
        """Exits over numbers at risk, by piece."""
        exits, risk = self._exits(e, w)
        h = np.divide(exits, risk[None], out=np.zeros_like(exits), where=risk[None] > 0)
        total = h.sum(axis=0)
        return h * np.where(total > 1 - EVERYONE_LEAVES, (1 - EVERYONE_LEAVES) / np.maximum(total, TINY), 1.0)

    def curves(self, p: P) -> Floats:
        """Cumulative incidence, causes × months × B."""
        return curves(self.monthly(p))

    # ── starts ────────────────────────────────────────────────────────────────────────────────────────────
    def start(self, w: Weights) -> Parameters:
        """Everything possible and nothing certain: a small hazard everywhere that anything may happen."""
        wide = w.pattern.shape[1]
        exposed = self.at_month @ np.ones((len(self.stay), wide))
        months = np.maximum((np.arange(self.months)[:, None] * exposed).sum() / max(exposed.sum(), 1), 1.0)
        hazards = np.full((self.n_causes, self.n_pieces, wide), min(0.5 / months, 0.5 / self.n_causes / 2))
        further = {"never_reached": 0.05, "false_news": 0.005, "false_contact": 0.002}
        failure = np.array([0.1, 0.3, 0.5, 0.7, *(further[name] for name in self.cells.further)])
        failure = np.tile(failure[:, None], (1, wide))
        hearing = np.full((self.n_causes, len(DELAYS), wide), 0.1)
        return Parameters(hazards, failure, hearing)

    def perturbed(self, p: P, rng: np.random.Generator) -> P:
        """Another start: odds moved by half a unit or so."""

        def perturb(values: Floats) -> Floats:
            odds = values / (1 - values) * np.exp(rng.normal(0, 0.7, values.shape))
            return odds / (1 + odds)

        start = p.like(perturb(p.flat()))
        total = start.hazards.sum(axis=0)
        return replace(start, hazards=start.hazards / np.maximum(total / 0.9, 1.0))

    def restrict(self, p: P, w: Weights) -> P:
        """No hazard of a cause that nobody is known to have left for.

        Its hearing is not known then, and exits that nobody ever hears of would be as likely as stays that go on.
        """
        named = w.known_exits[:-1] > 0
        possible = named | (~named.any(axis=0) & (w.known_exits[-1] > 0))
        if self.assumed.hearing is not None:
            possible |= self.assumed.hearing[:, None]
        return replace(p, hazards=p.hazards * possible[:, None])

    def project(self, p: P) -> P:
        """The same within what hazards must obey: those of all causes together stay below 1."""
        total = p.hazards.sum(axis=0)
        most = 1 - EVERYONE_LEAVES
        return replace(p, hazards=p.hazards * np.where(total > most, most / np.maximum(total, TINY), 1.0))

    # ── draws ────────────────────────────────────────────────────────────────────────────────────────────
    def draw(self, p: P, pattern: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """A month and the place of a cause (−1: no exit) for each stay, given its pattern; p has one weighting."""
        value, _, joint, _ = self.values(p)
        m, joint = self.coefficients(p), joint[..., 0]
        data = m.data * value[m.indices, 0]
        total = np.maximum(np.add.reduceat(data, m.indptr[:-1]), TINY) if m.shape[0] else np.zeros(0)
        running = np.concatenate([[0.0], np.cumsum(data / np.repeat(total, np.diff(m.indptr)))])
        row = np.maximum(pattern, 0)
        month, cause = np.zeros(len(row), np.int64), np.full(len(row), -1)
        if not m.shape[0]:
            return month, cause
        begin, end = m.indptr[row], m.indptr[row + 1]
        sought = running[begin] + (1 - rng.random(len(row))) * (running[end] - running[begin])
        position = np.clip(np.searchsorted(running, sought, side="left") - 1, begin, end - 1)
        kind = m.indices[position]
        month[:] = self.cells.high[kind]
        share, which = rng.random(len(row)), rng.random(len(row))
        exits = np.flatnonzero(~self.cells.survivor[kind] & (pattern >= 0))
        of = self.cells.told[kind[exits]] * self.block + self.cells.cause[kind[exits]]
        for code in np.unique(of):
            chosen = exits[of == code]
            telling, c = divmod(int(code), self.block)
            any_cause = self.block > 1 and c == self.n_causes
            mass = joint[:, telling].sum(axis=1) if any_cause else joint[:, telling, c]
            running = np.concatenate([[0.0], np.cumsum(mass)])
            low, high = self.cells.low[kind[chosen]], self.cells.high[kind[chosen]]
            sought = running[low] + (1 - share[chosen]) * (running[high + 1] - running[low])
            when = np.clip(np.searchsorted(running, sought, side="left") - 1, low, high)
            month[chosen], cause[chosen] = when, c
            if any_cause:
                shares = np.cumsum(joint[when, telling], axis=1) / np.maximum(mass[when], TINY)[:, None]
                cause[chosen] = np.minimum((shares < which[chosen][:, None]).sum(axis=1), self.n_causes - 1)
        return month, cause


def score(
    events: Floats, n: Floats, p: Floats, anything: Floats | None = None, any_events: Floats | None = None
) -> Floats:
    """Of expected events among n, their derivative by the probability p, and the information on it.

    Where several events exclude each other, `anything` is the sum of their probabilities and `any_events` of events.
    """
    anything, any_events = p if anything is None else anything, events if any_events is None else any_events
    possible = (p > 0) & (n > 0)
    spared = np.maximum(n - any_events, 0.0) / np.maximum(1 - anything, NEAR)
    slope = np.divide(events, np.maximum(p, NEAR), out=np.zeros_like(p), where=possible) - spared
    # next to 0 or 1 the information is that of a probability at which a quarter of an event is expected
    least = 0.25 / np.maximum(n, 1.0)
    information = n / (np.maximum(p, least) * np.maximum(1 - p, least))
    return np.stack([np.where(possible, slope, 0.0), np.where(possible, information, 0.0)])


def _heard_and_silent(hazard: Floats) -> tuple[Floats, Floats]:
    """The probability of being first heard of at each delay, and of silence up to it: … × delays × causes × B.

    The last delay stands for −1, before the exit: nothing can be heard, and silence is certain.
    """
    silent = np.cumprod(1.0 - hazard, axis=-3)
    certain = np.ones_like(silent[..., :1, :, :])
    heard = hazard * np.concatenate([certain, silent[..., :-1, :, :]], axis=-3)
    return np.concatenate([heard, 0 * certain], axis=-3), np.concatenate([silent, certain], axis=-3)


def by_piece(values: Floats, piece: Integers, axis: int) -> Floats:
    """Sums over the months of each piece; month 0 holds nothing."""
    starts = np.flatnonzero(np.concatenate([[True], piece[1:] != piece[:-1]]))
    return np.add.reduceat(values, starts, axis=axis)


def weigh(cells: Cells, known: Ascertained, stay_weights: Floats) -> Weights:
    """Sums stay weights (stays × B) into those of patterns, entries and successes."""
    used = cells.pattern >= 0
    n, wide = len(used), stay_weights.shape[1]
    rows = np.arange(n)

    def add(cell: Integers, chosen: NDArray[np.bool_], size: int) -> Floats:
        matrix = sparse.csr_matrix((np.ones(int(chosen.sum())), (cell[chosen], rows[chosen])), shape=(size, n))
        return matrix @ stay_weights

    months = cells.last_month + 1
    n_causes = len(known.names)
    return Weights(
        add(cells.pattern, used, cells.coefficients.shape[0]),
        add(np.minimum(known.enter, months - 1), used, months),
        cells.succeeded[used].T.astype(float) @ stay_weights[used]
        if used.any()
        else np.zeros((cells.succeeded.shape[1], wide)),
        add(np.where(known.cause == UNKNOWN, n_causes, known.cause), used & known.known, n_causes + 1),
    )


# ----------------------------------------------------------------------------------------------------
# The maximum of a likelihood that an EM climbs: a few EM steps, then quasi-Newton steps, many weightings at once.
#
# The E-step gives the gradient too (Fisher's identity), so each step costs as much as one of the EM. Directions are
# those of limited-memory BFGS (Nocedal 1980) on parameters kept within (0, 1) by projection (Bertsekas 1982); they
# begin from the information that complete data would give, with which a step is about one of the EM. A step that does
# not gain is shortened, to where the first parameter that matters meets its bound if that is nearer, and in the end is
# one of the EM, which never loses. Where a step gains nearly all that its slope promises, the likelihood is a slope
# there, of which no curvature can be learnt: the next one is longer.

EDGE = 1e-11  # parameters stay so far within their bounds; one that is 0 stays 0
WARM_UP = 9  # EM steps before the first other one
MEMORY = 12
SHORTER = (1.0, 0.3, 0.05)  # parts of a step, tried until one gains
LONGER = 4.0  # times as long after a slope
SLOPE = 0.9  # of the gain that is promised: a parabola gains half of it
ENOUGH = 0.1  # times the tolerance: no step promises a greater gain of the log-likelihood


class Likelihood(Protocol):
    """What is maximised: by an EM step, or along the gradient with the information of the complete data."""

    def expect(self, p: Parameters, w: Weights) -> Expected: ...

    def maximise(self, e: Expected, p: Parameters, w: Weights) -> Parameters: ...

    def gradient(self, e: Expected, p: Parameters, w: Weights) -> tuple[Floats, Floats]: ...

    def fixed(self, p: Parameters) -> NDArray[np.bool_]: ...

    def project(self, p: Parameters) -> Parameters: ...

    def curves(self, p: Parameters) -> Floats: ...


@dataclass(frozen=True)
class Fit:
    """Parameters, their log-likelihood after each step and at the end, and whether the curves had come to rest."""

    parameters: Parameters
    log_likelihood: Floats
    path: list[Floats]
    iterations: int
    converged: bool


@dataclass
class _State:
    """Where each weighting stands: parameters × B, but for the log-likelihood."""

    x: Floats
    log_likelihood: Floats
    gradient: Floats
    information: Floats
    em: Floats  # where an EM step leads

    def take(self, keep: NDArray[np.bool_]) -> _State:
        return _State(*(values[..., keep] for values in vars(self).values()))

    def put(self, which: NDArray[np.bool_], new: _State) -> None:
        for values, new_values in zip(vars(self).values(), vars(new).values(), strict=True):
            values[..., which] = new_values[..., which]


def fit(em: Likelihood, w: Weights, start: Parameters, *, tolerance: float, max_steps: int = 1000) -> Fit:
    """Climbs until no incidence moves by `tolerance` in a step that promises no gain, in any weighting."""

    def at(x: Floats) -> _State:
        p = em.project(start.like(np.where(fixed, x, np.clip(x, EDGE, 1 - EDGE))))
        e = em.expect(p, w)
        return _State(p.flat(), e.log_likelihood, *em.gradient(e, p, w), em.maximise(e, p, w).flat())

    fixed = em.fixed(start)
    now = at(start.flat())
    path = [now.log_likelihood.copy()]
    for _ in range(WARM_UP):
        now = at(now.em)
        path.append(now.log_likelihood.copy())
    result, reached, live, n_steps = now.x.copy(), now.log_likelihood.copy(), np.arange(start.wide), len(path)
    tried = np.zeros(start.wide, dtype=int)  # how many parts of the step were tried before
    length = np.ones(start.wide)  # times the direction, where the whole step is tried
    memory = _Memory.empty(*now.x.shape)
    direction, promise = memory.direction(now, fixed)
    while len(live) and n_steps < max_steps:
        last = tried == len(SHORTER)
        part = _parts(now, direction, length, tolerance)[tried, np.arange(len(tried))]
        trial = at(np.where(last, now.em, now.x + part * direction))
        n_steps += 1
        gained = trial.log_likelihood - now.log_likelihood
        good = (gained >= 1e-4 * part * promise - 1e-12 * np.abs(now.log_likelihood)) | last
        change = np.abs(em.curves(start.like(trial.x)) - em.curves(start.like(now.x))).max(axis=(0, 1), initial=0.0)
        at_rest = good & (change < tolerance) & (promise < ENOUGH * tolerance)
        memory.learn(now, trial, good, forget=last)
        now.put(good, trial)
        result[:, live], reached[live] = now.x, now.log_likelihood
        path.append(reached.copy())
        slope = good & ~last & (gained > SLOPE * part * promise)
        length = np.where(slope, LONGER * length, np.where(good, 1.0, length))
        tried = np.where(good, 0, tried + 1)
        if at_rest.any():
            going = ~at_rest
            live, tried, length, fixed = live[going], tried[going], length[going], fixed[:, going]
            w = w.columns(going)
            now, memory, direction, promise = now.take(going), memory.take(going), direction[:, going], promise[going]
        anew = tried == 0
        if anew.any():
            new, gain = memory.direction(now, fixed)
            direction, promise = np.where(anew, new, direction), np.where(anew, gain, promise)
    parameters = start.like(result)
    return Fit(parameters, reached, path, n_steps, not len(live))


def _parts(now: _State, direction: Floats, length: Floats, tolerance: float) -> Floats:
    """The parts of a step, one after another until one gains, × B; the last is none: a step of EM is taken instead."""
    room = np.where(direction < 0, now.x - EDGE, 1 - EDGE - now.x)
    beyond = (np.abs(direction) > room) & (np.abs(now.gradient) * room > ENOUGH * tolerance)
    to_bound = np.divide(room, np.abs(direction), out=np.full_like(room, np.inf), where=beyond).min(axis=0)
    shorter = np.minimum(SHORTER[1] * length, to_bound)
    return np.stack([length, shorter, SHORTER[2] / SHORTER[1] * shorter, np.zeros_like(length)])


def outward(x: Floats, gradient: Floats) -> NDArray[np.bool_]:
    """Where a parameter is on a bound, and would go on."""
    return ((x <= 2 * EDGE) & (gradient < 0)) | ((x >= 1 - 2 * EDGE) & (gradient > 0))


def on_bounds(em: Likelihood, p: Parameters, w: Weights) -> Parameters:
    """Puts parameters that came to rest next to a bound on it, and takes one step of EM from there."""
    x = p.flat()
    gradient, _ = em.gradient(em.expect(p, w), p, w)
    rounded_p = em.project(p.like(np.where(outward(x, gradient) & ~em.fixed(p), np.round(x), x)))
    return em.maximise(em.expect(rounded_p, w), rounded_p, w)


@dataclass
class _Memory:
    """The last steps and what the gradient lost in each: steps × parameters × B."""

    steps: Floats
    gradient_losses: Floats

    @classmethod
    def empty(cls, size: int, wide: int) -> _Memory:
        return cls(*np.zeros((2, 0, size, wide)))

    def take(self, keep: NDArray[np.bool_]) -> _Memory:
        return _Memory(self.steps[..., keep], self.gradient_losses[..., keep])

    def learn(self, now: _State, trial: _State, good: NDArray[np.bool_], forget: NDArray[np.bool_]) -> None:
        """One more step, where it was taken; what was learnt before is forgotten where it led nowhere."""
        self.steps[..., forget], self.gradient_losses[..., forget] = 0.0, 0.0
        step, loss = np.where(good, trial.x - now.x, 0.0), np.where(good, now.gradient - trial.gradient, 0.0)
        size = np.sqrt((step**2).sum(axis=0) * (loss**2).sum(axis=0))
        curved = (step * loss).sum(axis=0) > 1e-12 * size
        recent = slice(max(0, len(self.steps) - MEMORY + 1), None)
        self.steps = np.concatenate([self.steps[recent], (step * curved)[None]])
        self.gradient_losses = np.concatenate([self.gradient_losses[recent], (loss * curved)[None]])

    def direction(self, now: _State, fixed: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """The direction of the next step, and the gain in log-likelihood that it promises."""
        free = ~(outward(now.x, now.gradient) | fixed | (now.information <= 0))
        slope = now.gradient * free
        steps, gradient_losses = self.steps * free, self.gradient_losses * free
        curvatures = (steps * gradient_losses).sum(axis=1)
        size = np.divide(1.0, curvatures, out=np.zeros_like(curvatures), where=curvatures > TINY)
        residual, pulls = slope, np.empty_like(size)
        for k in reversed(range(len(steps))):
            pulls[k] = size[k] * (steps[k] * residual).sum(axis=0)
            residual = residual - pulls[k] * gradient_losses[k]
        away = np.divide(residual, now.information, out=np.zeros_like(residual), where=free)
        for k in range(len(steps)):
            away = away + steps[k] * (pulls[k] - size[k] * (gradient_losses[k] * away).sum(axis=0))
        promise = (away * slope).sum(axis=0)
        plain = np.divide(slope, now.information, out=np.zeros_like(slope), where=free)
        lost = ~(promise > 0)  # what was learnt before the bounds that hold now may mislead
        return np.where(lost, plain, away), np.where(lost, (plain * slope).sum(axis=0), promise)


# ----------------------------------------------------------------------------------------------------
# What the data say of the parameters of a fit: the observed information, and the fit under other weights near it.
#
# A replicate of the household bootstrap is approached by steps of Newton from the estimate, with the gradient that its
# weights give and the information of the whole (Shao & Tu 1995, chapter 2), kept within the parameters' bounds in the
# metric of that information (Andrews 2000): 500 of them cost no more than a few steps of a fit. A direction of which
# the data say next to nothing is taken to be told a hundredth of what complete data would tell: else a step would
# leave the range in which the log-likelihood is a parabola.

LEAST = 0.01  # of the information of complete data in a direction
NO_GAIN = 1e-9  # of the log-likelihood: Newton has come to rest
FLAT = 1e-7  # of the information of complete data: with less, a step of Newton is not reliable
SWEEPS = 300


def _beside(p: Parameters, chosen: Integers) -> tuple[Parameters, Floats]:
    """Each chosen parameter a little larger, then each a little smaller, a column each; and the distance between."""
    x = p.flat()
    step = np.maximum(1e-4 * np.minimum(x, 1 - x), 1e-8)[chosen, 0]
    column = np.arange(len(chosen))
    more, less = np.repeat(x, len(chosen), axis=1), np.repeat(x, len(chosen), axis=1)
    more[chosen, column] = np.minimum(x[chosen, 0] + step, 1.0)
    less[chosen, column] = np.maximum(x[chosen, 0] - step, x[chosen, 0] / 2)
    return p.like(np.concatenate([more, less], axis=1)), (more - less)[chosen, column]


def _difference(values: Floats, width: Floats) -> Floats:
    half = len(width)
    return (values[..., :half] - values[..., half:]) / width


def observed_information(em: ObservationEM, p: Parameters, w: Weights, of: Integers) -> Floats:
    """Minus the second derivatives of the log-likelihood by some parameters; p and w have one weighting."""
    if not len(of):
        return np.zeros((0, 0))
    beside, width = _beside(p, of)
    many = w.columns(np.zeros(beside.wide, dtype=int))
    gradient, _ = em.gradient(em.expect(beside, many), beside, many)
    information = -_difference(gradient, width)[of]
    return (information + information.T) / 2


def newton(em: ObservationEM, p: Parameters, w: Weights, max_steps: int = 5) -> Parameters:
    """A few steps of Newton from next to the maximum, within the bounds."""
    for _ in range(max_steps):
        x = p.flat()
        e = em.expect(p, w)
        gradient, information = em.gradient(e, p, w)
        of = np.flatnonzero((information > 0)[:, 0] & ~em.fixed(p)[:, 0] & ~outward(x, gradient)[:, 0])
        if not len(of):
            return p
        scale = 1 / np.sqrt(information[of])
        values, vectors = np.linalg.eigh(observed_information(em, p, w, of) * scale * scale.T)
        identified = values > FLAT
        new_x = x.copy()
        new_x[of] += scale * (
            vectors[:, identified] @ (vectors[:, identified].T @ (scale * gradient[of]) / values[identified, None])
        )
        new_p = em.project(p.like(np.where(em.fixed(p), x, np.clip(new_x, EDGE, 1 - EDGE))))
        gain = em.expect(new_p, w).log_likelihood[0] - e.log_likelihood[0]
        if gain < -1e-12 * abs(e.log_likelihood[0]):
            return p
        p = new_p
        if gain < NO_GAIN:
            return p
    return p


class QuadraticApproximation:
    """The log-likelihood around an estimate as a parabola, on which other weightings of the stays are climbed."""

    def __init__(self, em: ObservationEM, p: Parameters, w: Weights):
        self.em, self.p = em, p
        x = p.flat()
        self.gradient, information = em.gradient(em.expect(p, w), p, w)
        self.of = np.flatnonzero((information > 0)[:, 0] & (x > 0)[:, 0])
        self.scale = 1 / np.sqrt(information[self.of])
        observed = observed_information(em, p, w, self.of) * self.scale * self.scale.T
        values, vectors = np.linalg.eigh(observed)
        self.curvature = (vectors * np.maximum(values, LEAST)) @ vectors.T
        self.covariance = (vectors / np.maximum(values, LEAST)) @ vectors.T

    def refitted(self, many: Weights, lent: Parameters, n_steps: int = 1, drawn_from: int | None = None) -> Parameters:
        """
        The parameters under other weights, a column each: steps of Newton with the information of the estimate.

        `lent` gives, of what is held, its values. One step is enough for whole households drawn again; weights that are
        far from those of the estimate take a few more, each shortened until it gains. Where the weights are of
        `drawn_from` households drawn again, their gradients are spread as `_spread` says.
        """
        em, fixed = self.em, self.em.fixed(lent)
        x = np.where(fixed, lent.flat(), np.repeat(self.p.flat(), lent.wide, axis=1))
        expected = em.expect(lent.like(x), many)
        for number in range(n_steps):
            gradient, _ = em.gradient(expected, lent.like(x), many)
            if number == 0 and drawn_from:
                gradient = gradient + self._spread(many, fixed, drawn_from, gradient)
            step = self._step(x, gradient, ~fixed)
            better = np.full(lent.wide, number == 0)
            if number == 0:
                x = em.project(lent.like(x + step)).flat()
            for part in SHORTER:
                if better.all():
                    break
                p = em.project(lent.like(x + part * step * ~better))
                gains = em.expect(p, many).log_likelihood >= expected.log_likelihood
                x, better = np.where(gains, p.flat(), x), better | gains
            if number + 1 < n_steps:
                expected = em.expect(lent.like(x), many)
        return lent.like(x)

    def _spread(self, many: Weights, fixed: NDArray[np.bool_], n: int, gradient: Floats) -> Floats:
        """
        Small-sample correction of the gradients of n resampled households, from all of which the estimate was made.

        As HC1 for regressions (MacKinnon & White 1985), with as many parameters as the data tell of (Takeuchi 1976).
        """
        if fixed.any():  # at borrowed values the gradient differs by more than chance
            own = self.p.columns(np.zeros(many.pattern.shape[1], dtype=int))
            gradient, _ = self.em.gradient(self.em.expect(own, many), own, many)
        away = (gradient - self.gradient) * ~fixed
        scores = self.scale * away[self.of]
        learnt = float(np.einsum("kb,kl,lb->b", scores, self.covariance, scores).mean())
        return (np.sqrt(n / max(n - learnt, n / 2)) - 1) * away

    def _step(self, x: Floats, gradient: Floats, free: NDArray[np.bool_]) -> Floats:
        """To the highest point of the parabola, of each weighting; at most nine tenths of the way to a bound."""
        here = x[self.of]
        low, high = -0.9 * here / self.scale, 0.9 * (1 - here) / self.scale
        step = np.zeros_like(x)
        step[self.of] = self.scale * _best_within(
            self.curvature, self.scale * gradient[self.of], free[self.of], low, high
        )
        return step


def _best_within(curvature: Floats, score: Floats, free: NDArray[np.bool_], low: Floats, high: Floats) -> Floats:
    """z with the highest score·z − z·curvature·z / 2 from low to high where free: by coordinates, a column each."""
    z = np.zeros_like(score)
    slope = score.copy()
    for _ in range(SWEEPS):
        furthest = 0.0
        for k in np.flatnonzero(free.any(axis=1)):
            step = np.where(free[k], np.clip(z[k] + slope[k] / curvature[k, k], low[k], high[k]) - z[k], 0.0)
            z[k] += step
            slope -= curvature[:, k : k + 1] * step
            furthest = max(furthest, float(np.abs(step).max(initial=0.0)))
        if furthest < 1e-4:  # of a standard error that complete data would give
            break
    return z
