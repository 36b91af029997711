"""Retention compared between groups as if their persons were alike, by weights and by a model of leaving.

Unadjusted, weighted and g-computed answers stand side by side. Each is the main estimator's: the weighted one is the
observation model fitted under inverse probability weights, with the reporting that the group's stays
taught unweighted; the g-computed one a model of leaving inside the same likelihood. A group that cannot
learn how its departures become known borrows it from the province, as in retention/__init__.py. Everyone is the
standard: each group is made to look like all stays together.

Limits are of the whole procedure: in each replicate households are drawn, chances of being in a group estimated again,
weights truncated again, and the main estimator fitted again, with the reporting that the province's same replicate
lends. All groups and both answers share the draws, so that differences are of stays drawn together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...exceptions import TooFewError
from ...retention.main_fits import STARTS, learns
from ...retention.model_input import ModelInput, model_input, stays_that_enter
from ...stays.cohort import Cohort
from ...study import Study
from ...survival import ObservedCurve
from ...tables import PROVINCE
from .covariates import Design, Partition, compared_among, design, partitions, with_household_type

if TYPE_CHECKING:
    from ...survival.observation.observed import ObservedFit


# ----------------------------------------------------------------------------------------------------
# Inverse probability weights: each group made to look like everyone (Robins, Hernán & Brumback 2000).
#
# The chance of being in each group given the covariates comes from a multinomial logit with a ridge penalty (Cessie &
# van Houwelingen 1992): where a level of a covariate is never seen in a group the unpenalised coefficient is infinite,
# and with the penalty it is large. It is that of a normal prior with standard deviation 1 on each coefficient, all
# groups alike, none a baseline; intercepts are free. A stay's weight is its group's share of everyone over that chance
# (stabilised), and weights beyond the 1st and 99th percentile are set to these (Cole & Hernán 2008).

Floats = NDArray[np.float64]
WEIGHT_RIDGE = 1.0
TRUNCATED = (0.01, 0.99)
WEIGHT_TOLERANCE = 1e-6  # of a coefficient, in a step
REPLICATE_TOLERANCE = 5e-3
MOST_WEIGHT_STEPS = 50
_FREE = 1e-6  # intercepts: only their common part, which changes nothing, is held


@dataclass(frozen=True)
class Propensity:
    """A fitted multinomial logit: coefficients (groups × (1 + terms)), and the inverse information at them."""

    coefficients: Floats
    inverse: Floats

    def chances(self, x: Floats) -> Floats:
        """The chance of each group (stays × groups)."""
        return _softmax(_with_one(x) @ self.coefficients.T)


def propensity(x: Floats, code: NDArray[np.int64], n_groups: int, weights: Floats | None = None) -> Propensity:
    """
    The chance of being in each group given the covariates.

    Parameters
    ----------
    x : array of shape (n, terms)
        Columns of 0 and 1, without intercept.
    code : int array of shape (n,)
        The group of each stay, 0 … n_groups − 1.
    n_groups : int
    weights : array of shape (n,), optional

    Returns
    -------
    Propensity

    Notes
    -----
    Newton steps, halved where the penalised likelihood would fall. Validated against statsmodels' MNLogit with a
    penalty that is next to nothing (tests/unit/test_comparison.py).

    Examples
    --------
    >>> fit = propensity(np.array([[0.0], [0], [1], [1]]), np.array([0, 1, 1, 1]), 2)
    >>> fit.chances(np.array([[0.0], [1.0]])).round(2).tolist()
    [[0.32, 0.68], [0.18, 0.82]]
    """
    design, mass = _with_one(x), np.ones(len(code)) if weights is None else weights
    beta = np.zeros((n_groups, design.shape[1]))
    share = np.bincount(code, weights=mass, minlength=n_groups) / mass.sum()
    beta[:, 0] = np.log(np.maximum(share, 1e-9))
    beta[:, 0] -= beta[:, 0].mean()
    value = _penalised(design, code, mass, beta)
    for _ in range(MOST_WEIGHT_STEPS):
        gradient, chances = _gradient(design, code, mass, beta)
        step = np.linalg.solve(_information(design, mass, chances), gradient.ravel()).reshape(beta.shape)
        for _ in range(20):
            candidate = _penalised(design, code, mass, beta + step)
            if candidate >= value - 1e-9:
                break
            step /= 2
        beta, value = beta + step, candidate
        if np.abs(step).max() < WEIGHT_TOLERANCE:
            break
    information = _information(design, mass, _softmax(design @ beta.T))
    return Propensity(beta, np.linalg.inv(information).astype(float, copy=False))


def propensity_again(fit: Propensity, x: Floats, code: NDArray[np.int64], weights: Floats) -> Propensity:
    """
    The same refitted under other weights (a bootstrap replicate), from the fit and with its information.

    Where the fit's information does not lead there in a few steps, it is fitted anew.
    """
    design, beta = _with_one(x), fit.coefficients
    step_size, previous = 1.0, np.inf
    for _ in range(MOST_WEIGHT_STEPS):
        gradient, _ = _gradient(design, code, weights, beta)
        step = step_size * (fit.inverse @ gradient.ravel()).reshape(beta.shape)
        beta = beta + step
        size = np.abs(step).max()
        if size < REPLICATE_TOLERANCE:
            return Propensity(beta, fit.inverse)
        if size > 0.9 * previous:
            # of a small group three times as many may be drawn: steps then go to and fro
            step_size /= 2
        previous = size
    return propensity(x, code, len(beta), weights)


def _with_one(x: Floats) -> Floats:
    return np.column_stack([np.ones(len(x)), x])


def _softmax(scores: Floats) -> Floats:
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def _penalty(beta: Floats) -> Floats:
    return np.concatenate(
        [np.full((len(beta), 1), _FREE), np.full((len(beta), beta.shape[1] - 1), WEIGHT_RIDGE)], axis=1
    )


def _penalised(design: Floats, code: NDArray[np.int64], mass: Floats, beta: Floats) -> float:
    scores = design @ beta.T
    top = scores.max(axis=1)
    log_chance = scores[np.arange(len(code)), code] - top - np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return float(mass @ log_chance - 0.5 * (_penalty(beta) * beta**2).sum())


def _gradient(design: Floats, code: NDArray[np.int64], mass: Floats, beta: Floats) -> tuple[Floats, Floats]:
    chances = _softmax(design @ beta.T)
    residual = -chances * mass[:, None]
    residual[np.arange(len(code)), code] += mass
    return residual.T @ design - _penalty(beta) * beta, chances


def _information(design: Floats, mass: Floats, chances: Floats) -> Floats:
    groups, terms = chances.shape[1], design.shape[1]
    blocks = np.zeros((groups, terms, groups, terms))
    for j in range(groups):
        scaled = design * (mass * chances[:, j])[:, None]
        for k in range(j, groups):
            block = -(scaled * chances[:, [k]]).T @ design
            if j == k:
                block += scaled.T @ design
            blocks[j, :, k], blocks[k, :, j] = block, block.T
    blocks = blocks.reshape(groups * terms, groups * terms)
    return blocks + np.diag(_penalty(np.zeros((groups, terms))).ravel())


# ── weights ───────────────────────────────────────────────────────────────────────────────────────────────
def stabilised(chances: Floats, code: NDArray[np.int64], mass: Floats | None = None) -> Floats:
    """
    Stabilised weights, truncated at the 1st and 99th percentile.

    Parameters
    ----------
    chances : array of shape (n, groups)
    code : int array of shape (n,)
    mass : array of shape (n,), optional
        How often each stay was drawn (a bootstrap replicate): shares and percentiles are of the drawn.

    Returns
    -------
    array of shape (n,)
    """
    weights_of_draw = np.ones(len(code)) if mass is None else mass
    share = np.bincount(code, weights=weights_of_draw, minlength=chances.shape[1]) / weights_of_draw.sum()
    weights = share[code] / np.maximum(chances[np.arange(len(code)), code], 1e-12)
    order = np.argsort(weights)
    running = np.cumsum(weights_of_draw[order]) / weights_of_draw.sum()
    low, high = (weights[order][min(int(np.searchsorted(running, q)), len(order) - 1)] for q in TRUNCATED)
    return np.clip(weights, low, high)


def effective_n(weights: Floats) -> float:
    """How many stays of equal weight would say as much: (Σw)² / Σw² (Kish 1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def overlap_table(partition: Partition, chances: Floats, weights: Floats) -> pd.DataFrame:
    """See `overlap`."""
    rows = []
    for k, label in enumerate(partition.labels):
        inside = partition.code == k
        own_chances, other_chances = chances[inside, k], chances[~inside, k]
        low, high = (other_chances.min(), other_chances.max()) if len(other_chances) else (0.0, 1.0)
        of_group = weights[inside]
        rows.append(
            {
                "by": partition.by,
                "group": label,
                "n": int(inside.sum()),
                "effective_n": effective_n(of_group),
                "largest_weight": float(of_group.max() / of_group.mean()),
                "overlap": float(((own_chances >= low) & (own_chances <= high)).mean()),
                "covered": float(((other_chances >= own_chances.min()) & (other_chances <= own_chances.max())).mean())
                if len(other_chances)
                else 1.0,
                "smallest_chance": float(chances[:, k].min()),
                "adjusted_for": ", ".join(partition.adjusted_for),
            }
        )
    return pd.DataFrame(rows)


def balance_table(partition: Partition, covariates: Design, weights: Floats) -> pd.DataFrame:
    """See `balance`."""
    rows = []
    for name, text in covariates.every.items():
        for level in sorted(text.unique()):
            has = text.eq(level).to_numpy(dtype=float)
            target = has.mean()
            spread = np.sqrt(target * (1 - target))
            for k, label in enumerate(partition.labels):
                inside = partition.code == k
                before, after = has[inside].mean(), np.average(has[inside], weights=weights[inside])
                shown = (before, after, target)
                gaps = ((before - target) / spread, (after - target) / spread) if spread > 0 else (0.0, 0.0)
                rows.append((partition.by, label, name, level, *shown, *gaps))
    columns = ["by", "group", "covariate", "level", "share", "weighted_share", "target", "smd_before", "smd_after"]
    return pd.DataFrame(rows, columns=columns)


# ----------------------------------------------------------------------------------------------------
# The main estimator fitted again under other weights of the stays, many weightings at once.
#
# `observed_incidence` resamples households with weights that stay the same. In the bootstrap of a whole procedure each
# replicate has weights of its own, estimated on what was drawn: here the cells of a fit, which do not depend on
# weights, are kept. The first weighting is fitted, and the others are a few steps of Newton from it.

REFIT_TOLERANCE = 1e-6
AT_ONCE = 100  # weightings side by side
STEPS = 6  # of Newton: weights that make groups alike are far from their own


def household_draws(household: NDArray, replicates: int, seed: int) -> Floats:
    """
    How often each stay is drawn in each replicate, whole households at a time.

    Parameters
    ----------
    household : array of shape (n,)
        Labels.
    replicates, seed : int

    Returns
    -------
    array of shape (n, 1 + replicates)
        Column 0 is the sample itself.

    Examples
    --------
    >>> draws = household_draws(np.array(["a", "a", "b"]), 3, seed=1)
    >>> draws.shape, bool((draws[0] == draws[1]).all()), draws[:, 0].tolist()
    ((3, 4), True, [1.0, 1.0, 1.0])
    """
    names, owner = np.unique(np.asarray(household, dtype=object).astype(str), return_inverse=True)
    n = len(names)
    resamples = np.random.default_rng(np.random.SeedSequence(seed)).multinomial(n, np.full(n, 1 / n), size=replicates)
    return np.concatenate([np.ones((1, n)), resamples], axis=0).T[owner]


def refit(curve: ObservedCurve, weights: Floats, *, keep: bool = False) -> Floats:
    """
    S by month of a fit under other weights.

    Parameters
    ----------
    curve : ObservedCurve
        The fit; what it borrowed, weighting k borrows the replicate k of (0: the estimate).
    weights : array of shape (n, weightings)
        Column 0 is the estimate (the fit itself, where the weights are its own); the others are found from it.
    keep : bool
        Keep the parameters of columns 1, 2, … as the fit's replicates, for smaller groups to borrow.

    Returns
    -------
    array of shape (months, weightings)
        From month 0; missing in a weighting in which nobody has a weight.
    """
    from ...survival.observation.em import QuadraticApproximation, fit, weigh
    from ...survival.observation.parameters import joined

    model, em = curve.model, curve.model.em
    p, w = model.parameters, weigh(model.cells, model.known, weights[:, :1])
    if (weights[:, 0] != model.mass).any():  # else it is the fit itself
        p = fit(em, w, em.restrict(model.interior(), w), tolerance=REFIT_TOLERANCE).parameters
    n_replicates = weights.shape[1] - 1
    near, lent = QuadraticApproximation(em, p, w), model.lent(p, n_replicates)
    parameters = [p]
    for begin in range(0, n_replicates, AT_ONCE):
        columns = slice(begin, begin + AT_ONCE)
        parameters.append(
            near.refitted(weigh(model.cells, model.known, weights[:, 1:][:, columns]), lent.columns(columns), STEPS)
        )
    if keep and n_replicates:
        model.replicates = joined(parameters[1:])
    survival = 1 - np.concatenate([em.curves(draw) for draw in parameters], axis=-1).sum(axis=0)
    return np.where(weights.sum(axis=0) > 0, np.clip(survival, 0.0, 1.0), np.nan)


def on_months(survival: Floats, last: int) -> Floats:
    """The rows of months 0 … `last`, flat after the last row."""
    return survival[np.minimum(np.arange(last + 1), len(survival) - 1)]


def restricted_means(survival: Floats) -> Floats:
    """
    Mean months until each month: the area under S, exits spread evenly over their month.

    Examples
    --------
    >>> restricted_means(np.array([[1.0], [0.5], [0.5]])).ravel().tolist()
    [0.0, 0.75, 1.25]
    """
    middle = (survival[1:] + survival[:-1]) / 2
    return np.concatenate([np.zeros_like(survival[:1]), np.cumsum(middle, axis=0)])


# ----------------------------------------------------------------------------------------------------
# g-computation: what everyone's retention would be if all left as the members of one group do (Robins 1986).
#
# The chance of leaving in month t is 1 − exp(−e^η) (complementary log-log: proportional hazards by the month, Prentice
# & Gloeckler 1978), η = baseline of the piece of months + covariates + the group's own term in months 1–12 and its own
# after, so that a group may lose people early and keep them later. Its average over everybody's covariates, under each
# group in turn, is that group's standardised retention.
#
# Ends are not drawn and filled in: each stay's end enters by the observation model's own likelihood. With how
# departures become known, and how exits divide by destination, held as the group's main fit found them, what was told
# of a stay gives each month of exit a likelihood, and EM finds the model (its expectations are the completed data).
# Draws made of a fit by group, which knows no covariates, would not do: of somebody lost in a village it would draw
# the exit of somebody lost anywhere, and what is left of city size's effect would be taken for the group's.
#
# Limits are those of the same household draws as the weighted answer's: in replicate k the score of each household, at
# the reporting of replicate k, moves the coefficients by one Newton step (the score bootstrap: Kline & Santos 2012),
# and the average is over the households drawn.

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
    """Likelihood of each stay's data given an exit in each month, and given none up to it (stays × months)."""

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
            patterns, which_pattern = np.unique(pattern[used], return_inverse=True)
            cells, width = model.em.matrix[patterns], of_kind.exits.shape[1]
            exits[rows[used], :width] = (cells[:, model.em.exit] @ of_kind.exits)[which_pattern]
            none[rows[used], :width] = (cells[:, model.em.stay] @ of_kind.none)[which_pattern]
        return Evidence(exits, none)

    def of_kinds(self, which: int) -> list[Evidence]:
        """The evidence of each kind of cell, by fit."""
        return [_of_kinds(model, which) for model in self.models]

    @functools.cached_property
    def blocks(self) -> list[Stays]:
        """The stays in blocks."""
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
    for rows, rows_of_fit, model in zip(members, places, models, strict=True):
        enter[rows] = model.known.enter[rows_of_fit]
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
    likelihood = em.telling(p)[..., 0].swapaxes(0, 1) * share.T[None]
    if em.block > 1:
        likelihood = np.concatenate([likelihood, likelihood.sum(axis=2, keepdims=True)], axis=2)
    power = em.powers(p)[cells.powers, 0]
    month = np.arange(em.months)
    within = (month >= cells.low[em.exit][:, None]) & (month <= cells.high[em.exit][:, None])
    of_kind = likelihood[cells.told[em.exit], :, cells.cause[em.exit]] * within * power[em.exit][:, None]
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
        bin_of_stay = np.minimum(((risk - low) / width).astype(np.int64), _BINS - 1)
        ratio = np.exp(low + (np.arange(_BINS) + 0.5) * width)
        curves, together = [], np.zeros(last + 1)
        everybody = np.bincount(bin_of_stay, weights=mass, minlength=_BINS)
        for k in range(len(early)):
            hazard = np.concatenate([[0.0], np.cumsum(base * np.exp(np.where(month <= EARLY, early[k], late[k])))])
            survival = np.exp(-np.outer(hazard, ratio))
            curves.append(survival @ everybody / everybody.sum())
            in_group = self.stays.code == k
            together += survival @ np.bincount(bin_of_stay[in_group], weights=mass[in_group], minlength=_BINS)
        return np.vstack([*curves, together / everybody.sum()])


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


def _posterior(stays: Stays, evidence: Evidence, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
    """Posterior probability of an exit in each month, and of none up to it, given the data; and e^η."""
    rate = _monthly(stays, coefficients)
    monthly = rate[:, _piece_of(stays.months)]
    monthly[:, 0] = 0.0
    survival = np.exp(-np.cumsum(monthly, axis=1))
    exits = evidence.exits.copy()
    exits[:, 1:] *= survival[:, :-1] - survival[:, 1:]
    exits[:, 0] = 0.0
    none = evidence.none * survival
    total = (exits + none).sum(axis=1, keepdims=True)
    # a stay without any information has no likelihood, and does not count
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    exits *= scale
    none *= scale
    return exits, none, rate


def _piece_of(months: int) -> NDArray[np.int64]:
    return np.searchsorted(PIECES, np.arange(months))


def _expected(stays: Stays, evidence: Evidence, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
    """Expected exits and months at risk of each stay by piece, and e^η."""
    return _counts(stays, *_posterior(stays, evidence, coefficients))


def _joined(parts: Sequence[tuple[Floats, Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
    """What was found of each block, for all stays."""
    if len(parts) == 1:
        return parts[0]
    exits, at_risk, rate = (np.concatenate(values) for values in zip(*parts, strict=True))
    return exits, at_risk, rate


def _cut(
    blocks: Sequence[Stays], expected: tuple[Floats, Floats, Floats]
) -> Iterator[tuple[Stays, tuple[Floats, Floats, Floats]]]:
    """The blocks, each with its rows."""
    ends = np.cumsum([0, *(len(block.code) for block in blocks)])
    for block, begin, end in zip(blocks, ends[:-1], ends[1:], strict=True):
        exits, at_risk, rate = (values[begin:end] for values in expected)
        yield block, (exits, at_risk, rate)


def _added(information: Iterable[Floats]) -> Floats:
    """The sum of the information of all blocks, with the prior's counted once."""
    first, *further = information
    for more in further:
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
    contributions = (exits * rate / -np.expm1(-rate) - at_risk * rate) * mass[:, None]
    late = np.append(PIECES, np.inf)[: rate.shape[1]] > EARLY
    groups = len(stays.models)
    by_group = [
        np.bincount(stays.code, weights=contributions[:, part].sum(axis=1), minlength=groups) for part in (~late, late)
    ]
    gradient = np.concatenate([contributions.sum(axis=0), stays.x.T @ contributions.sum(axis=1), *by_group])
    return gradient - RIDGE * (coefficients - _prior(stays, centre))


def _prior(stays: Stays, centre: float) -> Floats:
    pieces = _pieces(stays.months)
    return np.concatenate([np.full(pieces, centre), np.zeros(stays.x.shape[1] + 2 * len(stays.models))])


def _complete_information(stays: Stays, expected: tuple[Floats, Floats, Floats]) -> Floats:
    """The complete-data information, used for the EM steps."""
    _, at_risk, rate = expected
    return _assembled(stays, _diagonal(at_risk * rate**2 / np.expm1(rate)))


def _observed_information(stays: Stays, evidence: Evidence, coefficients: Floats) -> Floats:
    """Complete-data information less the variance of its score given the data (Louis 1982)."""
    exits, none, rate = _posterior(stays, evidence, coefficients)
    events, at_risk, _ = _counts(stays, exits, none, rate)
    piece, pieces = _piece_of(stays.months), rate.shape[1]
    of_piece = np.zeros((stays.months, pieces))
    of_piece[np.arange(stays.months), piece] = 1.0
    of_piece[0] = 0.0
    through = np.cumsum(of_piece, axis=0)  # months of each piece up to each month; what entry takes off is constant
    before = through - of_piece

    def products(first: Floats, second: Floats) -> Floats:
        return (first[:, :, None] * second[:, None, :]).reshape(len(first), -1)

    shape = (-1, pieces, pieces)
    spent = exits @ before + none @ through
    squares = (exits @ products(before, before) + none @ products(through, through)).reshape(shape)
    mixed = (exits @ products(before, of_piece)).reshape(shape)
    at_exit = rate / np.expm1(rate)

    def outer(first: Floats, second: Floats) -> Floats:
        return first[:, :, None] * second[:, None, :]

    cross = (mixed - outer(spent, events)) * outer(rate, at_exit)
    variance = (squares - outer(spent, spent)) * outer(rate, rate) - cross - cross.swapaxes(1, 2)
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
    information = np.zeros((at[-1], at[-1]))
    information[a, a] = of_pieces.sum(axis=0)
    information[a, b] = rows.T @ x
    information[b, b] = (x * rows.sum(axis=1)[:, None]).T @ x
    for block, part in ((early, ~late), (after, late)):
        of_part = of_pieces[:, :, part].sum(axis=2)
        information[a, block] = of_part.T @ of_group
        information[b, block] = (x * of_part.sum(axis=1)[:, None]).T @ of_group
        information[block, block] = np.diag(of_group.T @ of_part[:, part].sum(axis=1))
    information[early, after] = np.diag(of_group.T @ of_pieces[:, ~late][:, :, late].sum(axis=(1, 2)))
    upper = np.triu(information, 1)
    return np.diag(np.diag(information)) + upper + upper.T + RIDGE * np.eye(at[-1])


def fit_outcome(stays: Stays) -> Outcome:
    """
    The model of leaving fitted to everyone, ends known as the observation model says.

    Notes
    -----
    EM steps of one Newton step each (Lange 1995) to come near the maximum, then Newton steps: the score from the
    expected exits (Fisher's identity), the observed information by Louis (1982).
    """
    kinds, mass, blocks = stays.of_kinds(0), np.ones(len(stays.code)), stays.blocks
    evidence = [some.evidence(0, kinds) for some in blocks]
    groups = len(stays.models)
    size = _pieces(stays.months) + stays.x.shape[1] + 2 * groups
    rough = np.concatenate([np.full(_pieces(stays.months), -4.5), np.zeros(size - _pieces(stays.months))])

    def expectation(theta: Floats) -> tuple[Floats, Floats, Floats]:
        return _joined([_expected(some, theirs, theta) for some, theirs in zip(blocks, evidence, strict=True)])

    def observed(theta: Floats) -> Floats:
        return _added(_observed_information(some, theirs, theta) for some, theirs in zip(blocks, evidence, strict=True))

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
    inverse = np.linalg.inv(observed(theta)).astype(float, copy=False)
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

    def standardised_draw(k: int) -> Floats:
        theta = outcome.coefficients if k == 0 else outcome.again(k, draws[:, k])
        return outcome.standardised(theta, draws[:, k], last)

    with ThreadPoolExecutor(WORKERS) as executor:
        return np.stack(list(executor.map(standardised_draw, range(draws.shape[1]))), axis=-1)


# ----------------------------------------------------------------------------------------------------
# The answers of a comparison as a tidy table: estimates, limits, tests, and what a reader must know.

COLUMNS = (
    "by", "measure", "group", "reference", "horizon", "estimate", "se", "lower", "upper", "p_value", "adjusted_p",
    "simultaneous_lower", "simultaneous_upper", "n_start", "n_at_risk", "method",
    "adjusted_for", "effective_n", "largest_weight", "overlap", "disagree", "shown", "note",
)  # fmt: skip
UNADJUSTED, WEIGHTED, G_COMPUTATION = METHODS = ("unadjusted", "weighted", "g_computation")
RATE, MEAN = "retention", "restricted_mean"
DIFFERENCE = {RATE: "difference", MEAN: "restricted_mean_difference"}
# Standardised answers that differ by less agree for a reader: a percentage point, a week.
SAME = {RATE: 0.01, MEAN: 0.25}
APART = 2.0  # standard errors of their difference
FAR_WEIGHT, POOR_OVERLAP, POOR_SHARE = 10.0, 0.9, 0.5
CONF_LEVEL = 0.95


@dataclass(frozen=True)
class Answers:
    """What one comparison found: S by month and replicate, of each group (last: the province) and method."""

    partition: Partition
    survival: dict[str, Floats]  # method → groups + 1 × months × (1 + replicates)
    known: list[pd.DataFrame]  # of each group, then the province: n_risk, known by month
    n_start: list[int]
    borrowed: list[bool]
    overlap: pd.DataFrame
    converged: bool


def answer_rows(answers: Answers, horizons: Sequence[int], study: Study) -> pd.DataFrame:
    """The rows of one comparison."""
    part = answers.partition
    groups = [*part.labels, PROVINCE]
    reference = groups.index(part.reference)
    members = range(len(groups) if part.reference == PROVINCE else len(part.labels))
    values = {
        RATE: answers.survival,
        MEAN: {method: _restricted(curves) for method, curves in answers.survival.items()},
    }
    months, rows = np.asarray(horizons), []
    for measure, by_method in values.items():
        for k in members:
            shown = _supported(answers, k, months)
            rows += _estimates(answers, groups, measure, by_method, k, months, shown, study)
            if k != reference:
                shown_and_supported = shown & _supported(answers, reference, months)
                rows += _differences(
                    answers, groups, measure, by_method, (k, reference), months, shown_and_supported, study
                )
    table = with_simultaneous_limits(pd.DataFrame(rows), study.seed)
    answer_table = table.assign(by=part.by, adjusted_for=", ".join(part.adjusted_for))
    answer_table.loc[answer_table["method"].eq(UNADJUSTED), "adjusted_for"] = ""
    return answer_table[list(COLUMNS)]


def too_small_rows(part: Partition, study: Study) -> pd.DataFrame:
    """A row for each group that is not compared, which says why."""
    rows = [
        {
            "by": part.by,
            "measure": RATE,
            "group": group,
            "reference": None,
            "horizon": None,
            "estimate": np.nan,
            "se": np.nan,
            "lower": np.nan,
            "upper": np.nan,
            **dict.fromkeys(("p_value", "adjusted_p", "simultaneous_lower", "simultaneous_upper"), np.nan),
            "n_start": n,
            "n_at_risk": 0,
            "method": UNADJUSTED,
            "adjusted_for": "",
            "effective_n": np.nan,
            "largest_weight": np.nan,
            "overlap": np.nan,
            "disagree": False,
            "shown": True,
            "note": f"Not compared: fewer than {study.support} stays."
            if n < study.support
            else f"Not compared: no other group has {study.support} stays.",
        }
        for group, n in part.too_small.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"horizon": "Int64"})


def _restricted(curves: Floats) -> Floats:
    return np.stack([restricted_means(curve) for curve in curves])


def _supported(answers: Answers, k: int, months: NDArray) -> NDArray[np.bool_]:
    return answers.known[k]["known"].loc[list(months)].ne("insufficient").to_numpy()


def _weighted_enough(answers: Answers, k: int, study: Study) -> bool:
    """Whether the effective number of weighted stays of a group is enough; the province is not weighted."""
    return k >= len(answers.overlap) or answers.overlap["effective_n"].iloc[k] >= study.support


def _spread(values: Floats) -> Floats:
    """Standard errors over the replicates that have a value (months × (1 + replicates))."""
    replicates = values[:, 1:][:, np.isfinite(values[:, 1:]).all(axis=0)]
    return replicates.std(axis=1, ddof=1) if replicates.shape[1] > 1 else np.full(len(values), np.nan)


def _apart(measure: str, weighted: Floats, modelled: Floats) -> NDArray[np.bool_]:
    gap = weighted - modelled
    far = np.abs(gap[:, 0]) > SAME[measure]
    se = _spread(gap)
    return far & (np.abs(gap[:, 0]) > np.where(np.isnan(se), 0.0, APART * se))


def _estimates(answers, groups, measure, by_method, k, months, shown, study) -> list[dict]:
    from ...survival.intervals.interval import bootstrap_limits

    chosen = {method: curves[k][months] for method, curves in by_method.items()}
    disagree = _apart(measure, chosen[WEIGHTED], chosen[G_COMPUTATION]) & shown & _weighted_enough(answers, k, study)
    rows = []
    for method, values in chosen.items():
        replicates = values[:, 1:][:, np.isfinite(values[:, 1:]).all(axis=0)]
        if measure == RATE:
            se, lower, upper = bootstrap_limits(values[:, 0], replicates, CONF_LEVEL, is_survival=True)
        else:
            se = _spread(values)
            half = NormalDist().inv_cdf(0.5 + CONF_LEVEL / 2) * se
            lower, upper = np.maximum(values[:, 0] - half, 0.0), np.minimum(values[:, 0] + half, months)
        is_given = shown & (method != WEIGHTED or _weighted_enough(answers, k, study))
        rows += _rows(
            answers,
            groups,
            measure,
            method,
            k,
            months,
            is_given,
            disagree,
            {"estimate": values[:, 0], "se": se, "lower": lower, "upper": upper},
            {"reference": None},
            study,
        )
    return rows


def _differences(answers, groups, measure, by_method, pair, months, shown, study) -> list[dict]:
    from scipy.special import stdtr, stdtrit  # costs a quarter of a second: not at `import trajectories`

    k, reference = pair
    chosen = {method: (curves[k] - curves[reference])[months] for method, curves in by_method.items()}
    enough = all(_weighted_enough(answers, place, study) for place in pair)
    disagree = _apart(measure, chosen[WEIGHTED], chosen[G_COMPUTATION]) & shown & enough
    rows = []
    for method, values in chosen.items():
        estimate, se = values[:, 0], _spread(values)
        # the error is itself known from so many replicates only: with 40 of them 1.96 would reject in 6 %
        freedom = np.maximum(np.isfinite(values[:, 1:]).all(axis=0).sum() - 1, 1)
        half = stdtrit(freedom, 0.5 + CONF_LEVEL / 2) * se
        size = np.divide(np.abs(estimate), se, out=np.full(len(se), np.nan), where=se > 0)
        p_value = 2 * stdtr(freedom, -size)
        rows += _rows(
            answers,
            groups,
            DIFFERENCE[measure],
            method,
            k,
            months,
            shown & (method != WEIGHTED or enough),
            disagree,
            {"estimate": estimate, "se": se, "lower": estimate - half, "upper": estimate + half, "p_value": p_value},
            {"reference": groups[reference], "against": reference, "replicates": values[:, 1:]},
            study,
        )
    return rows


# Draws of the largest of a family's statistics.
N_LARGEST = 20_000


def with_simultaneous_limits(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """
    The same with adjusted p-values and simultaneous limits of a family: the differences of a measure and method.

    Reads estimate, se, and `replicates`, the difference in each replicate (which goes). The largest of the family's |t|
    is drawn from the multivariate t law with the correlations of the replicates (single step: Hothorn, Bretz & Westfall
    2008): groups share a reference and horizons their stays, so that Bonferroni would ask for too much.
    """
    columns = {name: np.full(len(table), np.nan) for name in ("adjusted_p", "simultaneous_lower", "simultaneous_upper")}
    given = table["replicates"].notna() & table["estimate"].notna() & table["se"].gt(0)
    for _, family in table[given].groupby(["measure", "method"], sort=False):
        replicates = np.array(family["replicates"].tolist(), dtype=float)
        replicates = replicates[:, np.isfinite(replicates).all(axis=0)]
        freedom = replicates.shape[1] - 1
        if freedom < 1:
            continue
        estimate, se = (family[name].to_numpy(dtype=float) for name in ("estimate", "se"))
        apart = replicates - replicates.mean(axis=1, keepdims=True)
        size = np.sqrt((apart**2).sum(axis=1, keepdims=True))
        apart = np.divide(apart, size, out=np.zeros_like(apart), where=size > 0)
        rng = np.random.default_rng([seed, 11])
        scale = np.sqrt(rng.chisquare(freedom, N_LARGEST) / freedom)
        largest = np.abs(apart @ rng.standard_normal((freedom + 1, N_LARGEST))).max(axis=0) / scale
        largest.sort()
        half = np.quantile(largest, CONF_LEVEL) * se
        beyond = 1 - np.searchsorted(largest, np.abs(estimate) / se) / N_LARGEST
        rows = table.index.get_indexer(family.index)
        columns["adjusted_p"][rows] = np.maximum(beyond, family["p_value"])
        columns["simultaneous_lower"][rows], columns["simultaneous_upper"][rows] = estimate - half, estimate + half
    return table.drop(columns="replicates").assign(**columns)


def _rows(answers, groups, measure, method, k, months, is_given, disagree, numbers, told, study) -> list[dict]:  # noqa: PLR0913  # all that one answer rests on
    """One group, measure and method at every horizon."""
    against = told.get("against")
    positions = [place for place in (k, against) if place is not None]
    at_risk = np.min([answers.known[place]["n_risk"].loc[list(months)].to_numpy() for place in positions], axis=0)
    # the province is the standard: it has no weights
    of_group = answers.overlap.iloc[k] if k < len(answers.overlap) and method == WEIGHTED else None
    rows = []
    for j, month in enumerate(months):
        numbers_here = {name: float(values[j]) if is_given[j] else np.nan for name, values in numbers.items()}
        rows.append(
            {
                "measure": measure,
                "group": groups[k],
                "reference": told["reference"],
                "horizon": int(month),
                "p_value": np.nan,
                "replicates": None if against is None else told["replicates"][j],
                **numbers_here,
                "n_start": answers.n_start[k],
                "n_at_risk": int(at_risk[j]),
                "method": method,
                "effective_n": float(answers.n_start[k]) if of_group is None else float(of_group["effective_n"]),
                "largest_weight": 1.0 if of_group is None else float(of_group["largest_weight"]),
                "overlap": np.nan if of_group is None else float(of_group["overlap"]),
                "disagree": bool(disagree[j]) and method != UNADJUSTED,
                "shown": method != G_COMPUTATION or bool(disagree[j]),
                "note": _note(answers, positions, method, bool(is_given[j]), bool(disagree[j]), study),
            }
        )
    return rows


def _note(
    answers: Answers, positions: list[int], method: str, is_given: bool, disagree: bool, study: Study
) -> str | None:
    notes = []
    weak = [k for k in positions if not _weighted_enough(answers, k, study)]
    if not is_given:
        if method == WEIGHTED and weak:
            notes.append(f"The weighted stays are worth fewer than {study.support}: no estimate.")
        else:
            notes.append("Follow-up is too short, or too few stays are followed, for this horizon.")
    if any(answers.borrowed[k] for k in positions):
        notes.append("How departures become known is borrowed from the province.")
    if method == WEIGHTED:
        rows = answers.overlap.iloc[[k for k in positions if k < len(answers.overlap)]]
        if (rows["effective_n"] < POOR_SHARE * rows["n"]).any():
            notes.append("Weighting leaves less than half of the stays' worth: the groups are of different persons.")
        if (rows["overlap"] < POOR_OVERLAP).any() or (rows["covered"] < POOR_OVERLAP).any():
            notes.append("Some persons have no counterpart in the other groups: the answer extrapolates to them.")
        if (rows["largest_weight"] > FAR_WEIGHT).any():
            notes.append(f"One stay weighs over {FAR_WEIGHT:g} times the mean.")
    if method == G_COMPUTATION and not answers.converged:
        notes.append("The model of leaving did not come to rest.")
    if disagree and method != UNADJUSTED:
        notes.append("Weights and model of leaving disagree: both are shown.")
    return " ".join(notes) or None


# ----------------------------------------------------------------------------------------------------

# More replicates than these would cost minutes, and move a limit by a few hundredths of its width.
MOST_REPLICATES = 200


@dataclass(frozen=True)
class Everyone:
    """The population of a comparison: its stays, the fit of all of them, and the household resamples."""

    stays: pd.DataFrame
    model_input: ModelInput
    province: ObservedCurve
    survival: Floats  # months 0 … last × (1 + replicates)
    draws: Floats

    @property
    def last(self) -> int:
        """The last month."""
        return len(self.survival) - 1


def compare(
    cohort: pd.DataFrame | Cohort,
    contacts: pd.DataFrame | None = None,
    *,
    by: str | Sequence[str],
    study: Study | None = None,
    adjust: Sequence[str] | None = None,
    horizons: Sequence[int] | None = None,
    replicates: int | None = None,
) -> pd.DataFrame:
    """
    Differences between groups in retention and in months stayed, persons alike.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts` (or a `Cohort`, which holds both).
    by : str or list of str
        What is compared: `period`, `immigration_category`, `household_type` (stays/cohort.py; among persons of age),
        `region`, `groups` (those of the study) or another column of the cohort. With several, each is a comparison of
        its own; one that has too few groups has a row a group, which says so.
    study : Study, optional
        Its horizons, support, pathway, replicates and seed are used.
    adjust : list of str, optional
        Columns held alike; by default those of `covariates.PERSON`. Where category is compared or held alike, city
        size is added, except between regions: these are standardised on persons alone.
    horizons : list of int, optional
        Months; by default the study's.
    replicates : int, optional
        Households drawn; by default the study's, at most 200. Below 2 there are no limits and no tests.

    Returns
    -------
    DataFrame
        A row a measure, group, horizon and method:

        - by, measure (`retention`, `restricted_mean`, and against the reference `difference`,
          `restricted_mean_difference`), group (`column=value`, a region code, a name of the study's, `province`),
          reference, horizon (months)
        - estimate, se, lower, upper: rates in 0–1, or months; p_value of a difference (two-sided, t with a
          degree of freedom fewer than there are replicates)
        - adjusted_p, simultaneous_lower, simultaneous_upper: of a difference, so that in no more than 5 % of the
          comparisons in which nothing differs is any difference of the measure and method, whatever group or horizon,
          under .05 or outside the limits
        - n_start, n_at_risk (stays of the group, of the fewer for a difference)
        - method: `unadjusted`, `weighted`, `g_computation`
        - adjusted_for, effective_n, largest_weight (over the mean weight), overlap (share of the group's stays whose
          chance of being in it lies in the range of the others')
        - disagree: the two standardised answers differ by over two standard errors of their difference, and by over a
          point of percentage (a quarter of a month); shown: what a page shows: g-computation only where they disagree
        - note: sentences

        A horizon that the group's own follow-up does not support has no estimate; nor has a weighted answer of an
        effective number of stays below `study.support`. Groups below `study.support` stays have one row, which says so.

    Raises
    ------
    ValueError
        No contacts, an unknown column, no stay that enters, or, in all that is asked, no two groups of
        `study.support` stays (`TooFewError`).

    Notes
    -----
    Differences are associations. Adjusted p and joint limits: the largest statistic of the family (Hothorn, Bretz &
    Westfall 2008). Weighted: Robins, Hernán & Brumback 2000; Cole & Hernán 2008. g-computation: Robins
    1986; Snowden, Rose & Mortimer 2011. Over 200 simulated cohorts of 4,000 stays in which category does
    nothing once city size is held alike, the 5 % test of S(24) rejected in 7.5 % (weighted), 5.5 % (g-computation) and
    81.5 % (unadjusted), that of S(12) in 6, 4.5 and 67 %.

    Examples
    --------
    >>> from trajectories.simulate.stays import told_stays
    >>> told = told_stays(300, seed=1)
    >>> cohort = pd.DataFrame({"person_id": np.arange(300).astype(str), "household_id": told.household, "episode": 1,
    ...     "excluded": None, "role": None, "household_type": "with_children", "entry": told.entry,
    ...     "heard_until": told.cutoff, "cutoff": told.cutoff, "sex": np.where(np.arange(300) % 2, "F", "M"),
    ...     "city_size": np.where(np.arange(300) % 3, "under_10k", "100k_plus")})
    >>> contacts = told.contacts.assign(person_id=told.contacts["stay"].astype(str), episode=1, cause="metropole",
    ...     organisation_id=told.contacts["organisation"])
    >>> table = compare(cohort, contacts, by="sex", adjust=["city_size"], horizons=[12], replicates=0)
    >>> table.loc[table["measure"].eq("difference"), ["group", "reference", "method"]].values.tolist()
    [['sex=F', 'sex=M', 'unadjusted'], ['sex=F', 'sex=M', 'weighted'], ['sex=F', 'sex=M', 'g_computation']]
    """
    study = study or Study()
    cohort, contacts = _both(cohort, contacts)
    months = tuple(study.horizons if horizons is None else sorted({int(h) for h in horizons}))
    number = min(study.replicates, MOST_REPLICATES) if replicates is None else int(replicates)
    stays = _entering(cohort, study)
    traits = [by] if isinstance(by, str) else list(by)
    every = _partitions(stays, traits, adjust, study)
    fits_by_stays: dict[bytes, Everyone] = {}
    tables = []
    for chosen, part in every:
        tables.append(too_small_rows(part, study))
        if part.names:
            among = chosen.tobytes()
            if among not in fits_by_stays:
                fits_by_stays[among] = _everyone(
                    stays[chosen].reset_index(drop=True), contacts, number, max(months), study
                )
            tables.append(answer_rows(_answers(part, fits_by_stays[among], study), months, study))
    comparisons = pd.concat([table for table in tables if len(table)], ignore_index=True)
    # each group of regions is a comparison of its own, and the province is in all of them: its row is kept once
    return comparisons.drop_duplicates(["by", "measure", "group", "reference", "horizon", "method"], ignore_index=True)


def overlap(
    cohort: pd.DataFrame | Cohort,
    *,
    by: str | Sequence[str],
    study: Study | None = None,
    adjust: Sequence[str] | None = None,
) -> pd.DataFrame:
    """
    How far the groups of a comparison are of the same kinds of persons, and what weighting costs.

    Parameters
    ----------
    cohort, by, study, adjust
        As for `compare`.

    Returns
    -------
    DataFrame
        by, group, n (stays), effective_n (Kish), largest_weight (over the group's mean), overlap (share of the group's
        stays whose chance of being in it lies in the range of everyone else's), covered (share of everyone else whose
        chance of being in the group lies in the range of its members': below 1, the rest is extrapolated),
        smallest_chance (of anyone), adjusted_for.

    Examples
    --------
    >>> cohort = pd.DataFrame({"person_id": np.arange(80).astype(str), "household_id": np.arange(80), "episode": 1,
    ...     "excluded": None, "household_type": "with_children", "sex": np.repeat(["F", "M"], 40),
    ...     "city_size": np.repeat(["under_10k", "100k_plus", "under_10k", "100k_plus"], [30, 10, 10, 30])})
    >>> table = overlap(cohort, by="sex", adjust=["city_size"])
    >>> table[["group", "n", "effective_n", "overlap"]].round(1).values.tolist()
    [['sex=F', 40, 31.9, 1.0], ['sex=M', 40, 31.9, 1.0]]
    """
    return _by_partition(
        cohort, by, study, adjust, lambda part, _, chances, weights: overlap_table(part, chances, weights)
    )


def balance(
    cohort: pd.DataFrame | Cohort,
    *,
    by: str | Sequence[str],
    study: Study | None = None,
    adjust: Sequence[str] | None = None,
) -> pd.DataFrame:
    """
    What each group's persons are like beside everyone, before and after weighting.

    Parameters
    ----------
    cohort, by, study, adjust
        As for `compare`.

    Returns
    -------
    DataFrame
        by, group, covariate, level, share, weighted_share (of the group), target (of everyone), smd_before, smd_after:
        standardised differences from everyone, (share − target) / √(target (1 − target)); 0.1 is small (Austin 2009).

    Examples
    --------
    >>> cohort = pd.DataFrame({"person_id": np.arange(80).astype(str), "household_id": np.arange(80), "episode": 1,
    ...     "excluded": None, "household_type": "with_children", "sex": np.repeat(["F", "M"], 40),
    ...     "city_size": np.repeat(["under_10k", "100k_plus", "under_10k", "100k_plus"], [30, 10, 10, 30])})
    >>> table = balance(cohort, by="sex", adjust=["city_size"])
    >>> table.loc[table["level"].eq("under_10k"), ["group", "share", "weighted_share"]].round(2).values.tolist()
    [['sex=F', 0.75, 0.53], ['sex=M', 0.25, 0.47]]
    """
    return _by_partition(
        cohort, by, study, adjust, lambda part, covariates, _, weights: balance_table(part, covariates, weights)
    )


def _by_partition(
    cohort: pd.DataFrame | Cohort,
    by: str | Sequence[str],
    study: Study | None,
    adjust: Sequence[str] | None,
    table: Callable[[Partition, Design, Floats, Floats], pd.DataFrame],
) -> pd.DataFrame:
    study = study or Study()
    stays = _entering(cohort.cohort if isinstance(cohort, Cohort) else cohort, study)
    tables = []
    for chosen, part in _partitions(stays, [by] if isinstance(by, str) else by, adjust, study):
        if part.names:
            covariates = design(stays[chosen], part.adjusted_for)
            chances = propensity(covariates.matrix, part.code, _classes(part)).chances(covariates.matrix)
            tables.append(table(part, covariates, chances, stabilised(chances, part.code)))
    return pd.concat(tables, ignore_index=True)


def _partitions(
    stays: pd.DataFrame, traits: Sequence[str], adjust: Sequence[str] | None, study: Study
) -> list[tuple[NDArray[np.bool_], Partition]]:
    """Each comparison, and the stays that it is made among."""
    parts = []
    for by in traits:
        chosen = compared_among(stays, by)
        parts += [(chosen, part) for part in partitions(stays[chosen], by, adjust, study)]
    if not any(part.names for _, part in parts):
        raise TooFewError(
            f"by: {', '.join(traits)}: no two groups have {study.support} stays or more; there is nothing to compare."
        )
    return parts


def _both(cohort: pd.DataFrame | Cohort, contacts: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    if isinstance(cohort, Cohort):
        return cohort.cohort, cohort.contacts if contacts is None else contacts
    if contacts is None:
        raise ValueError("contacts: give the table contacts beside the cohort, or a Cohort, which holds both.")
    return cohort, contacts


def _entering(cohort: pd.DataFrame, study: Study) -> pd.DataFrame:
    stays = stays_that_enter(with_household_type(cohort), study)
    if stays.empty:
        raise TooFewError("cohort: no stay enters; there is nothing to compare.")
    return stays


def _classes(part: Partition) -> int:
    """How many classes the chances are of: the groups, and everyone else where there is anyone."""
    return int(part.code.max()) + 1


# ── one comparison ────────────────────────────────────────────────────────────────────────────────────────
def _everyone(stays: pd.DataFrame, contacts: pd.DataFrame, replicates: int, last: int, study: Study) -> Everyone:
    everybody = model_input(stays, contacts)
    draws = household_draws(everybody.household, replicates, study.seed)
    province = everybody.fit(study, starts=STARTS)
    return Everyone(stays, everybody, province, on_months(refit(province, draws, keep=True), last), draws)


def _answers(part: Partition, everyone: Everyone, study: Study) -> Answers:
    draws, last, province = everyone.draws, everyone.last, everyone.province
    covariates = design(everyone.stays, part.adjusted_for)
    chances, weights = replicated_weights(part, covariates, draws)
    lent = province.model.found
    curves, borrowed, unadjusted, weighted = [], [], [], []
    for k in range(len(part.names)):
        chosen = part.code == k
        group_input = everyone.model_input.of(chosen)
        curve = group_input.fit(study, starts=STARTS)
        learns_own = learns(curve)
        if not learns_own:
            curve = group_input.fit(study, reporting=lent, starts=STARTS)
        curves.append(curve)
        borrowed.append(not learns_own)
        unadjusted.append(on_months(refit(curve, draws[chosen], keep=True), last))
        # How the group's departures become known is of the group, not of whom it is made to look like: learnt from
        # everyone in it. Learnt again under weights it would rest on the few stays that weigh most.
        fitted = group_input.fit(study, reporting=curve.model.found if learns_own else lent)
        weighted.append(on_months(refit(fitted, weights[chosen]), last))
    # stays of no compared group use the province's reporting: they count in the mix of everyone
    curves += [province] * (_classes(part) - len(part.names))
    outcome = fit_outcome(stays_of(covariates.matrix, part.code, [curve.model for curve in curves]))
    modelled = g_computation(outcome, draws, last)
    survival = {
        "unadjusted": np.stack([*unadjusted, everyone.survival]),
        "weighted": np.stack([*weighted, everyone.survival]),
        "g_computation": np.concatenate([modelled[: len(part.names)], modelled[-1:]]),
    }
    supports = [_support(curve, last) for curve in (*curves[: len(part.names)], province)]
    n_start = [int((part.code == k).sum()) for k in range(len(part.names))]
    return Answers(
        part,
        survival,
        supports,
        [*n_start, len(everyone.stays)],
        [*borrowed, False],
        overlap_table(part, chances, weights[:, 0]),
        outcome.converged,
    )


def replicated_weights(part: Partition, covariates: Design, draws: Floats) -> tuple[Floats, Floats]:
    """The chances of each group, and the weights of each stay in the sample and in each replicate (0: not drawn)."""
    x, code = covariates.matrix, part.code
    fit = propensity(x, code, _classes(part))
    chances = fit.chances(x)
    weights = np.empty_like(draws)
    weights[:, 0] = stabilised(chances, code)
    for k in range(1, draws.shape[1]):
        again = propensity_again(fit, x, code, draws[:, k]).chances(x)
        weights[:, k] = draws[:, k] * stabilised(again, code, draws[:, k])
    return chances, weights


def _support(curve: ObservedCurve, last: int) -> pd.DataFrame:
    """Stays at risk and how the month is known, by month 0 … last."""
    rows = curve.table[curve.table["cause"].eq(0)].set_index("month")[["n_risk", "known"]]
    rows = rows.reindex(range(last + 1))
    rows.loc[0] = rows.loc[1]
    return rows.assign(n_risk=rows["n_risk"].fillna(0).astype("int64"), known=rows["known"].fillna("insufficient"))
