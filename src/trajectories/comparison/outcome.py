"""g-computation: what everyone's retention would be if all left as the members of one group do (Robins 1986).

The chance of leaving in month t is 1 − exp(−e^η) (complementary log-log: proportional hazards by the month, Prentice &
Gloeckler 1978), η = baseline of the piece of months + covariates + the group's own term in months 1–12 and its own
after, so that a group may lose people early and keep them later. Its average over everybody's covariates, under each
group in turn, is that group's standardised retention.

Ends are not drawn and filled in: each stay's end enters by the observation model's own likelihood. With how departures
become known, and how exits divide by destination, held as the group's main fit found them, what was told of a stay
gives each month of exit a likelihood, and EM finds the model (its expectations are the completed data). Draws made of a
fit by group, which knows no covariates, would not do: of somebody lost in a village it would draw the exit of somebody
lost anywhere, and what is left of city size's effect would be taken for the group's.

Limits are those of the same household draws as the weighted answer's: in replicate k the score of each household, at
the reporting of replicate k, moves the coefficients by one Newton step (the score bootstrap: Kline & Santos 2012), and
the average is over the households drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..survival.observation.observed_fit import ObservedFit

Floats = NDArray[np.float64]
PIECES = (1, 3, 6, 9, 12, 18, 24, 36, 48, 60)
WORKERS = 2
EARLY = 12  # months in which a group has its first term
# A normal prior of standard deviation 3 on each coefficient: one that no exit speaks of stays finite.
RIDGE = 0.1
FARTHEST = 3.0  # a replicate's step, in log hazard
TOLERANCE = 1e-7
EM_STEPS = 10  # before Newton's: far from the maximum the observed information need not be one
MOST_STEPS = 60
SHRINKS = 0.2  # while a step is so much smaller than the one before, the information is kept
_TINY = 1e-300
# Stays worked on at a time, each with all its months: so the memory for their months does not grow with the stays.
BLOCK = 1 << 15
_BINS = 400  # of the log hazard ratio, for averages over everybody


@dataclass(frozen=True)
class Evidence:
    """What was told of each stay, as the likelihood of an exit in each month, and of none up to it (stays × months)."""

    exits: Floats
    none: Floats


@dataclass(frozen=True)
class Stays:
    """What the model reads: covariates, group, first month at risk and a fit of the main estimator a group."""

    x: Floats
    code: NDArray[np.int64]
    enter: NDArray[np.int64]
    members: tuple[NDArray[np.int64], ...]  # by group: its stays
    places: tuple[NDArray[np.int64], ...]  # and where each is in the group's fit
    models: tuple[ObservedFit, ...]
    months: int

    def evidence(self, which: int, kinds: Sequence[Evidence] | None = None) -> Evidence:
        """The evidence at the reporting of a replicate (0: of the estimate); `kinds`: `of_kinds` of it, once made."""
        exits, none = np.zeros((len(self.code), self.months)), np.zeros((len(self.code), self.months))
        kinds = self.of_kinds(which) if kinds is None else kinds
        for rows, places, model, of_kind in zip(self.members, self.places, self.models, kinds, strict=True):
            pattern = model.cells.pattern[places]
            used = pattern >= 0
            seen, place = np.unique(pattern[used], return_inverse=True)
            some, width = model.em.matrix[seen], of_kind.exits.shape[1]
            exits[rows[used], :width] = (some[:, model.em.exit] @ of_kind.exits)[place]
            none[rows[used], :width] = (some[:, model.em.stay] @ of_kind.none)[place]
        return Evidence(exits, none)

    def of_kinds(self, which: int) -> list[Evidence]:
        """What each kind of cell says of the months, by fit."""
        return [_of_kinds(model, which) for model in self.models]

    @functools.cached_property
    def blocks(self) -> list[Stays]:
        """The same, some stays at a time."""
        n = len(self.code)
        if n <= BLOCK:
            return [self]
        found = []
        for start in range(0, n, BLOCK):
            inside = [(rows >= start) & (rows < start + BLOCK) for rows in self.members]
            members = tuple(rows[here] - start for rows, here in zip(self.members, inside, strict=True))
            places = tuple(at[here] for at, here in zip(self.places, inside, strict=True))
            at = slice(start, start + BLOCK)
            found.append(Stays(self.x[at], self.code[at], self.enter[at], members, places, self.models, self.months))
        return found


def stays_of(x: Floats, code: NDArray[np.int64], models: Sequence[ObservedFit]) -> Stays:
    """The stays of a comparison; model k is fitted on those of code k, or on all stays, in their order."""
    members = tuple(np.flatnonzero(code == k) for k in range(len(models)))
    places = tuple(
        rows if model.known.n == len(code) else np.arange(len(rows))
        for rows, model in zip(members, models, strict=True)
    )
    enter = np.ones(len(code), np.int64)
    for rows, place, model in zip(members, places, models, strict=True):
        enter[rows] = model.known.enter[place]
    return Stays(x, code, enter, members, places, tuple(models), max(model.em.months for model in models))


def _of_kinds(model: ObservedFit, which: int) -> Evidence:
    """The evidence of each kind of cell of one fit (kinds × months), its hazards left out."""
    p = model.parameters
    if which and model.replicates is not None:
        p = model.replicates.columns(np.array([which - 1]))
    elif model.reporting is not None:
        p = model.reporting.column(which, p)
    em, cells = model.em, model.cells
    hazards = em.monthly(p)[..., 0]
    overall = np.maximum(em.curves(p)[:, -1, 0], 1e-6)
    overall = overall / overall.sum()
    total = hazards.sum(axis=0)
    # destinations of a piece are shared out as found there; a little of the whole, so that none is impossible
    share = np.where(total > 0, 0.99 * hazards / np.maximum(total, _TINY) + 0.01 * overall[:, None], overall[:, None])
    told = em.telling(p)[..., 0].swapaxes(0, 1) * share.T[None]
    if em.block > 1:
        told = np.concatenate([told, told.sum(axis=2, keepdims=True)], axis=2)
    power = em.powers(p)[cells.powers, 0]
    month = np.arange(em.months)
    within = (month >= cells.low[em.exit][:, None]) & (month <= cells.high[em.exit][:, None])
    of_kind = told[cells.told[em.exit], :, cells.cause[em.exit]] * within * power[em.exit][:, None]
    at_end = np.zeros((len(em.stay), em.months))
    at_end[np.arange(len(em.stay)), cells.high[em.stay]] = power[em.stay]
    return Evidence(of_kind, at_end)


# ── the model ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Outcome:
    """A fitted model: coefficients (baseline pieces, covariates, groups early, groups late), and its information."""

    stays: Stays
    coefficients: Floats
    inverse: Floats
    centre: float
    converged: bool

    def again(self, which: int, mass: Floats) -> Floats:
        """The coefficients of a replicate: one Newton step from the estimate."""
        kinds, blocks = self.stays.of_kinds(which), self.stays.blocks
        expected = _joined([_expected(some, some.evidence(which, kinds), self.coefficients) for some in blocks])
        step = self.inverse @ _score(self.stays, expected, self.coefficients, mass, self.centre)
        return self.coefficients + np.clip(step, -FARTHEST, FARTHEST)

    def standardised(self, coefficients: Floats, mass: Floats, last: int) -> Floats:
        """S by month of everybody under each group, and as they are (groups + 1 × months 0 … last)."""
        alpha, beta, early, late = _parts(self.stays, coefficients)
        risk = self.stays.x @ beta
        month = np.arange(1, last + 1)
        base = np.exp(alpha[np.minimum(np.searchsorted(PIECES, month), len(alpha) - 1)])
        low, high = risk.min(), risk.max()
        width = max((high - low) / _BINS, 1e-9)
        place = np.minimum(((risk - low) / width).astype(np.int64), _BINS - 1)
        ratio = np.exp(low + (np.arange(_BINS) + 0.5) * width)
        found, together = [], np.zeros(last + 1)
        everybody = np.bincount(place, weights=mass, minlength=_BINS)
        for k in range(len(early)):
            hazard = np.concatenate([[0.0], np.cumsum(base * np.exp(np.where(month <= EARLY, early[k], late[k])))])
            survival = np.exp(-np.outer(hazard, ratio))
            found.append(survival @ everybody / everybody.sum())
            mine = self.stays.code == k
            together += survival @ np.bincount(place[mine], weights=mass[mine], minlength=_BINS)
        return np.vstack([*found, together / everybody.sum()])


def _parts(stays: Stays, coefficients: Floats) -> tuple[Floats, ...]:
    pieces, groups = _pieces(stays.months), len(stays.models)
    cuts = np.cumsum([pieces, stays.x.shape[1], groups])
    return tuple(np.split(coefficients, cuts))


def _pieces(months: int) -> int:
    return int(np.searchsorted(PIECES, months - 1)) + 1


def _monthly(stays: Stays, coefficients: Floats) -> Floats:
    """e^η of each stay in each piece."""
    alpha, beta, early, late = _parts(stays, coefficients)
    ends = np.append(PIECES, np.inf)[: len(alpha)]
    of_group = np.where(ends <= EARLY, early[stays.code][:, None], late[stays.code][:, None])
    return np.exp(np.minimum(alpha + (stays.x @ beta)[:, None] + of_group, 5.0))


def _posterior(stays: Stays, told: Evidence, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
    """The probability of each month of exit, and of none up to each month, given all that was told; and e^η."""
    rate = _monthly(stays, coefficients)
    monthly = rate[:, _piece_of(stays.months)]
    monthly[:, 0] = 0.0
    survival = np.exp(-np.cumsum(monthly, axis=1))
    exits = told.exits.copy()
    exits[:, 1:] *= survival[:, :-1] - survival[:, 1:]
    exits[:, 0] = 0.0
    none = told.none * survival
    total = (exits + none).sum(axis=1, keepdims=True)
    # a stay that nothing can be said of has no likelihood, and counts nowhere
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    exits *= scale
    none *= scale
    return exits, none, rate


def _piece_of(months: int) -> NDArray[np.int64]:
    return np.searchsorted(PIECES, np.arange(months))


def _expected(stays: Stays, told: Evidence, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
    """Expected exits and months at risk of each stay by piece, and e^η."""
    return _counts(stays, *_posterior(stays, told, coefficients))


def _joined(each: Sequence[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    """What was found of each block, for all stays."""
    return each[0] if len(each) == 1 else tuple(np.concatenate(values) for values in zip(*each, strict=True))


def _cut(blocks: Sequence[Stays], expected: tuple[Floats, ...]) -> Iterator[tuple[Stays, tuple[Floats, ...]]]:
    """The blocks, each with its rows."""
    ends = np.cumsum([0, *(len(some.code) for some in blocks)])
    for some, begin, end in zip(blocks, ends[:-1], ends[1:], strict=True):
        yield some, tuple(values[begin:end] for values in expected)


def _added(each: Iterable[Floats]) -> Floats:
    """The information of all blocks: each holds that of the prior, which counts once."""
    first, *others = each
    for more in others:
        first = first + more - RIDGE * np.eye(len(more))
    return first


def _counts(stays: Stays, exits: Floats, none: Floats, rate: Floats) -> tuple[Floats, Floats, Floats]:
    starts = np.searchsorted(_piece_of(stays.months), np.arange(rate.shape[1]))
    at_risk = np.cumsum((exits + none)[:, ::-1], axis=1)[:, ::-1]
    at_risk[np.arange(stays.months) < np.maximum(stays.enter, 1)[:, None]] = 0.0
    return np.add.reduceat(exits, starts, axis=1), np.add.reduceat(at_risk, starts, axis=1), rate


def _score(
    stays: Stays, expected: tuple[Floats, Floats, Floats], coefficients: Floats, mass: Floats, centre: float
) -> Floats:
    exits, at_risk, rate = expected
    each = (exits * rate / -np.expm1(-rate) - at_risk * rate) * mass[:, None]
    late = np.append(PIECES, np.inf)[: rate.shape[1]] > EARLY
    groups = len(stays.models)
    by_group = [np.bincount(stays.code, weights=each[:, part].sum(axis=1), minlength=groups) for part in (~late, late)]
    found = np.concatenate([each.sum(axis=0), stays.x.T @ each.sum(axis=1), *by_group])
    return found - RIDGE * (coefficients - _prior(stays, centre))


def _prior(stays: Stays, centre: float) -> Floats:
    pieces = _pieces(stays.months)
    return np.concatenate([np.full(pieces, centre), np.zeros(stays.x.shape[1] + 2 * len(stays.models))])


def _complete_information(stays: Stays, expected: tuple[Floats, Floats, Floats]) -> Floats:
    """The information that known ends would give: what EM steps are taken with."""
    _, at_risk, rate = expected
    return _assembled(stays, _diagonal(at_risk * rate**2 / np.expm1(rate)))


def _observed_information(stays: Stays, told: Evidence, coefficients: Floats) -> Floats:
    """That of known ends, less the variance of their score given what was told (Louis 1982)."""
    exits, none, rate = _posterior(stays, told, coefficients)
    events, at_risk, _ = _counts(stays, exits, none, rate)
    piece, pieces = _piece_of(stays.months), rate.shape[1]
    of_piece = np.zeros((stays.months, pieces))
    of_piece[np.arange(stays.months), piece] = 1.0
    of_piece[0] = 0.0
    through = np.cumsum(of_piece, axis=0)  # months of each piece up to each month; what entry takes off is constant
    before = through - of_piece

    def products(one: Floats, other: Floats) -> Floats:
        return (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)

    shape = (-1, pieces, pieces)
    spent = exits @ before + none @ through
    both = (exits @ products(before, before) + none @ products(through, through)).reshape(shape)
    mixed = (exits @ products(before, of_piece)).reshape(shape)
    at_exit = rate / np.expm1(rate)

    def outer(one: Floats, other: Floats) -> Floats:
        return one[:, :, None] * other[:, None, :]

    cross = (mixed - outer(spent, events)) * outer(rate, at_exit)
    variance = (both - outer(spent, spent)) * outer(rate, rate) - cross - cross.swapaxes(1, 2)
    variance += (_diagonal(events) - outer(events, events)) * outer(at_exit, at_exit)
    falling = rate * (rate * np.exp(rate) - np.expm1(rate)) / np.expm1(rate) ** 2
    return _assembled(stays, _diagonal((at_risk - events) * rate + events * falling) - variance)


def _diagonal(values: Floats) -> Floats:
    return values[:, :, None] * np.eye(values.shape[1])


def _assembled(stays: Stays, of_pieces: Floats) -> Floats:
    """Information on each stay's pieces (stays × pieces × pieces) as one on the coefficients, with the penalty's."""
    x, groups, pieces = stays.x, len(stays.models), of_pieces.shape[1]
    late = np.append(PIECES, np.inf)[:pieces] > EARLY
    of_group = np.zeros((len(x), groups))
    of_group[np.arange(len(x)), stays.code] = 1.0
    at = np.cumsum([0, pieces, x.shape[1], groups, groups])
    a, b, early, after = (slice(at[k], at[k + 1]) for k in range(4))
    rows = of_pieces.sum(axis=2)
    found = np.zeros((at[-1], at[-1]))
    found[a, a] = of_pieces.sum(axis=0)
    found[a, b] = rows.T @ x
    found[b, b] = (x * rows.sum(axis=1)[:, None]).T @ x
    for block, part in ((early, ~late), (after, late)):
        mine = of_pieces[:, :, part].sum(axis=2)
        found[a, block] = mine.T @ of_group
        found[b, block] = (x * mine.sum(axis=1)[:, None]).T @ of_group
        found[block, block] = np.diag(of_group.T @ mine[:, part].sum(axis=1))
    found[early, after] = np.diag(of_group.T @ of_pieces[:, ~late][:, :, late].sum(axis=(1, 2)))
    upper = np.triu(found, 1)
    return np.diag(np.diag(found)) + upper + upper.T + RIDGE * np.eye(at[-1])


def fit_outcome(stays: Stays) -> Outcome:
    """
    The model of leaving fitted to everyone, ends known as the observation model says.

    Notes
    -----
    EM steps of one Newton step each (Lange 1995) to come near the maximum, then Newton steps: the score from the
    expected exits (Fisher's identity), the observed information by Louis (1982).
    """
    kinds, mass, blocks = stays.of_kinds(0), np.ones(len(stays.code)), stays.blocks
    told = [some.evidence(0, kinds) for some in blocks]
    groups = len(stays.models)
    size = _pieces(stays.months) + stays.x.shape[1] + 2 * groups
    rough = np.concatenate([np.full(_pieces(stays.months), -4.5), np.zeros(size - _pieces(stays.months))])

    def expectation(theta: Floats) -> tuple[Floats, ...]:
        return _joined([_expected(some, theirs, theta) for some, theirs in zip(blocks, told, strict=True)])

    def observed(theta: Floats) -> Floats:
        return _added(_observed_information(some, theirs, theta) for some, theirs in zip(blocks, told, strict=True))

    exits, at_risk, _ = expectation(rough)
    centre = float(np.log(max(exits.sum(), 0.5) / max(at_risk.sum(), 1.0)))
    theta = _prior(stays, centre)

    slow, size_of_step = False, np.inf
    for number in range(MOST_STEPS):
        expected = expectation(theta)
        if number < EM_STEPS:
            information = _added(_complete_information(*some) for some in _cut(blocks, expected))
        elif number == EM_STEPS or slow:
            information = observed(theta)
        step = np.linalg.solve(information, _score(stays, expected, theta, mass, centre))
        theta = theta + np.clip(step, -1, 1)
        previous, size_of_step = size_of_step, float(np.abs(step).max())
        slow = size_of_step > SHRINKS * previous
        if number > EM_STEPS and size_of_step < TOLERANCE:
            break
    inverse = np.linalg.inv(observed(theta))
    return Outcome(stays, theta, inverse, centre, size_of_step < TOLERANCE)


def g_computation(outcome: Outcome, draws: Floats, last: int) -> Floats:
    """
    Everybody's S under each group, with its replicates.

    Parameters
    ----------
    outcome : Outcome
    draws : array of shape (n, 1 + replicates)
        How often each stay was drawn; column 0 is the sample itself.
    last : int
        The last month.

    Returns
    -------
    array of shape (groups + 1, months 0 … last, 1 + replicates)
        The last row is everybody as they are.
    """

    def one(k: int) -> Floats:
        theta = outcome.coefficients if k == 0 else outcome.again(k, draws[:, k])
        return outcome.standardised(theta, draws[:, k], last)

    with ThreadPoolExecutor(WORKERS) as executor:
        return np.stack(list(executor.map(one, range(draws.shape[1]))), axis=-1)
