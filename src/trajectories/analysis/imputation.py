"""Completed stays: several draws of unknown exits and covariates, for analyses that need one value for each stay.

Curves come from the observation model, which needs no draw (retention/__init__.py). Regressions, tests and sequences
do: each is made on every draw and joined by Rubin's rules (survival.pool). For that the draws must know what the
regression asks about: exits drawn from one fit of everybody would be the same for those with and without a job wherever
nobody knows when the stay ended, and would draw every difference towards nothing. So exits are drawn given the
covariates, and covariates given the exit (analysis/imputation.py). Over 60 simulated cohorts of 1,500 stays
(tests/recovery), the log hazard ratio −.48 of a job known of two thirds of them came out .01 too far from 0; from one
fit of everybody, .17 too near.

Still attenuated, for the stays whose end is unknown: what the drawing regression does not have, such as effects that
change with time, interactions, and services received. How departures become known is taken to be the same everywhere
(one fit of everybody): a region that hears of fewer of its departures seems to keep more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..months import ceil_month
from ..retention.model_input import CAUSES, model_input, stays_that_enter
from ..study import Study
from ..survival.checks import Floats, Integers

# ----------------------------------------------------------------------------------------------------
# Chained equations in which the exit is one more variable: what completed stays are drawn from.
#
# A chain takes turns between three steps. Hazards of each destination given the covariates: proportional, piecewise
# constant, each destination's log hazard ratios drawn towards those of all exits together. Exits given the covariates:
# a candidate from the observation model, which knows no covariate, is accepted by how much likelier it is with this
# stay's hazards than with everybody's (an independence sampler; Hastings 1970): Pan's (2000) imputation of
# interval-censored times from the current regression, with the observation model's likelihood in the place of the
# interval. Missing covariates given the exit and the other covariates: each level's probability by nested logistic
# regressions on the others, times the likelihood of the stay's exit with that level (Bartlett et al. 2015), so that
# imputed covariates keep their effect on leaving.
#
# Covariates are factors here: numbers by fifths. Each chain fits its regressions under its own household weights: that
# is its draw of their coefficients (Heitjan & Little 1991).

# Months up to and including which a hazard is constant: those of the observation model.
PIECES = (1, 3, 6, 9, 12, 18, 24, 36, 48, 60)
FIFTHS = 5
# Prior standard deviations of log hazard ratios and log odds: 1 lets any plausible effect through and keeps a level
# in which nobody leaves finite; a destination's may differ from those of all exits by half as much.
WIDE, NEAR = 1.0, 0.5
SMALLEST = 1e-12
# Of a covariate missing for a smaller share of the stays, levels are drawn as they are distributed, not given the other
# covariates: a regression a level would cost more than it could change.
FEW = 0.01


@dataclass(frozen=True)
class Factors:
    """Covariates as levels. `codes`: stays × covariates, 0 the commonest level, −1 missing."""

    names: tuple[str, ...]
    codes: Integers
    sizes: tuple[int, ...]

    @property
    def blocks(self) -> list[slice]:
        """The columns of each covariate in the design."""
        ends = np.cumsum([0, *(size - 1 for size in self.sizes)])
        return [slice(a, b) for a, b in pairwise(ends)]

    def design(self, codes: Integers) -> Floats:
        """Indicators of every level but the commonest: stays × columns."""
        return np.hstack([np.zeros((len(codes), 0)), *(indicators(c, k) for c, k in zip(codes.T, self.sizes))])  # noqa: B905


def indicators(codes: Integers, size: int) -> Floats:
    """One column a level from the second on."""
    return (codes[:, None] == np.arange(1, size)).astype(float)


def factors(stays: pd.DataFrame, names: tuple[str, ...]) -> Factors:
    """The covariates of some stays as levels; one of which nothing or only one value is known is left out."""
    kept_columns, codes, sizes = [], [], []
    for name in names:
        code, size = levels_of(stays[name])
        if size > 1:
            kept_columns.append(name)
            codes.append(code)
            sizes.append(size)
    return Factors(
        tuple(kept_columns), np.array(codes, np.int64).reshape(len(kept_columns), len(stays)).T, tuple(sizes)
    )


def levels_of(values: pd.Series) -> tuple[Integers, int]:
    """The level of each value, the commonest first (ties in the order of the values), and how many there are."""
    is_known = values.notna().to_numpy()
    if not is_known.any():
        return np.full(len(values), -1), 0
    known_values = values[is_known]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = known_values.to_numpy(dtype=float)
        if len(np.unique(numbers)) > FIFTHS:
            cuts = np.unique(np.quantile(numbers, np.arange(1, FIFTHS) / FIFTHS))
            labels = np.searchsorted(cuts, numbers, side="left")
        else:
            labels = numbers
    else:
        labels = known_values.astype(str).to_numpy()
    levels, level, count = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(levels), np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(levels))
    codes = np.full(len(values), -1)
    codes[is_known] = rank[level]
    return codes, len(levels)


# ── hazards given covariates ─────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Hazards:
    """Coefficients of all exits and of each cause, and each cause's hazard by month at the centre of the design."""

    together: Floats  # columns
    each: Floats  # causes × columns
    monthly: Floats  # causes × months, none in month 0

    def relative(self, x: Floats) -> Floats:
        """Log hazard ratios: stays × causes."""
        return x @ self.each.T


@dataclass(frozen=True)
class Exits:
    """Start, month and cause of each stay: at risk in months start + 1 … month, cause 0 still there."""

    start: Integers
    month: Integers
    cause: Integers

    def moved(self, month: Integers, cause: Integers, accept: NDArray[np.bool_]) -> Exits:
        """The exits proposed where they are accepted, these elsewhere."""
        return Exits(self.start, np.where(accept, month, self.month), np.where(accept, cause, self.cause))


def piece_of(months: int) -> Integers:
    """The piece of each month from 0."""
    return np.searchsorted(PIECES, np.arange(months))


def exposures(exits: Exits, pieces: Integers) -> Floats:
    """Months at risk in each piece; the month of the exit counts half."""
    last = len(pieces) - 1
    begins = np.array([np.flatnonzero(pieces == p)[0] for p in np.unique(pieces)])
    begins = np.maximum(begins - 1, 0)
    ends = np.append(begins[1:], last)
    until = exits.month - 0.5 * (exits.cause > 0)
    low = np.maximum(exits.start[:, None], begins)
    return np.clip(np.minimum(until[:, None], ends) - low, 0, None)


def hazards_step(
    hazards: Hazards, exits: Exits, x: Floats, weights: Floats, curvatures: list[Floats] | None, pieces: Integers
) -> tuple[Hazards, list[Floats]]:
    """
    One step of the hazards towards their penalised maximum on these exits.

    With it the inverse curvatures (all exits, then each cause), which a later step may use again: between chains they
    differ little, and a step by another's ends at the same maximum.
    """
    at_risk = exits.month > exits.start
    exposed = exposures(exits, pieces)
    n_causes, n_pieces = len(hazards.each), exposed.shape[1]
    piece = pieces[np.minimum(exits.month, len(pieces) - 1)]
    coefficients: list[Floats] = []

    def step(beta: Floats, at_stake, towards: Floats | float, spread: float, which: int) -> tuple[Floats, Floats]:
        at_stake = weights * (at_risk & at_stake)
        risk = weights * np.exp(x @ beta)
        rate = np.bincount(piece, at_stake, n_pieces) / np.maximum(risk @ exposed, SMALLEST)
        expected = risk * (exposed @ rate)
        if curvatures is None:
            centred = x - expected @ x / max(expected.sum(), SMALLEST)
            information = (centred * expected[:, None]).T @ centred + np.eye(x.shape[1]) / spread**2
            coefficients.append(np.linalg.inv(information))
        inverse = coefficients[which] if curvatures is None else curvatures[which]
        change = inverse @ ((at_stake - expected) @ x - (beta - towards) / spread**2)
        return beta + np.clip(change, -1.0, 1.0), rate

    # the hazard in pieces is that before the step: at rest they agree
    together, _ = step(hazards.together, exits.cause > 0, 0.0, WIDE, 0)
    steps = [step(hazards.each[c], exits.cause == c + 1, together, NEAR, c + 1) for c in range(n_causes)]
    monthly = np.array([rate[pieces] for _, rate in steps])
    monthly[:, 0] = 0.0
    return Hazards(
        together, np.array([beta for beta, _ in steps]), monthly
    ), coefficients if curvatures is None else curvatures


def log_chance(hazards: Hazards, relative: Floats, exits: Exits) -> Floats:
    """Log probability of each stay's exit, or of none up to its month, given its log hazard ratios (… × causes)."""
    until = np.cumsum(hazards.monthly, axis=1)
    half = until - hazards.monthly / 2
    has_exit = exits.cause > 0
    spent = np.where(has_exit, half[:, exits.month], until[:, exits.month]) - until[:, exits.start]
    value = -(np.exp(relative) * np.maximum(spent, 0).T).sum(axis=-1)
    cause_index = np.maximum(exits.cause - 1, 0)
    rate = np.log(np.maximum(hazards.monthly[cause_index, exits.month], SMALLEST))
    picked = np.take_along_axis(relative, np.broadcast_to(cause_index, relative.shape[:-1])[..., None], axis=-1)[..., 0]
    return value + np.where(has_exit, rate + picked, 0.0)


def log_chance_of_all(monthly: Floats, exits: Exits) -> Floats:
    """The same under everybody's hazards, as the observation model multiplies them."""
    stay = np.concatenate([[0.0], np.cumsum(np.log1p(-np.minimum(monthly.sum(axis=0), 1 - 1e-9))[1:])])
    has_exit = exits.cause > 0
    value = stay[np.where(has_exit, np.maximum(exits.month - 1, 0), exits.month)] - stay[exits.start]
    cause_index = np.maximum(exits.cause - 1, 0)
    return value + np.where(has_exit, np.log(np.maximum(monthly[cause_index, exits.month], SMALLEST)), 0.0)


# ── covariates given exits ───────────────────────────────────────────────────────────────────────────────
def logit_step(beta: Floats, x: Floats, weights: Floats, success: Floats, curvature: Floats | None):
    """One step of a penalised logistic regression; x begins with ones, which the prior leaves free."""
    chance = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
    prior = np.append(1e-4, np.full(x.shape[1] - 1, 1 / WIDE**2))
    if curvature is None:
        information = (x * (weights * chance * (1 - chance))[:, None]).T @ x + np.diag(prior)
        curvature = np.linalg.inv(information)
    change = curvature @ ((weights * (success - chance)) @ x - prior * beta)
    return beta + np.clip(change, -1.0, 1.0), curvature


def nested_chances(betas: list[Floats], x: Floats) -> Floats:
    """Log probability of each level: rows × levels, the last level being none of those before."""
    remaining, chances = np.zeros(len(x)), []
    for beta in betas:
        eta = np.clip(x @ beta, -30, 30)
        chances.append(remaining - np.log1p(np.exp(-eta)))
        remaining = remaining - np.log1p(np.exp(eta))
    return np.stack([*chances, remaining], axis=1)


def drawn_levels(log_weights: Floats, rng: np.random.Generator) -> Integers:
    """One level a row, with probabilities proportional to e^weights."""
    chance = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    total = np.cumsum(chance, axis=1)
    return np.minimum((total < rng.random((len(chance), 1)) * total[:, -1:]).sum(axis=1), chance.shape[1] - 1)


# ── the chain ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Chain:
    """Where a chain stands: the covariates and exits drawn last, and its regressions."""

    codes: Integers
    exits: Exits
    everybodys: Floats  # hazards of the observation model: causes × months
    hazards: Hazards
    logits: dict[int, list[Floats]]  # of each incomplete covariate, a regression a level but the last
    centre: Floats  # of the design, fixed: it keeps coefficients and baseline apart


def begin(of: Factors, everybodys: Floats, exits: Exits, rng: np.random.Generator) -> Chain:
    """Missing levels as the known ones are distributed, and no effect of anything."""
    codes = of.codes.copy()
    columns, logits = sum(of.sizes) - len(of.sizes), {}
    for v in np.flatnonzero((codes < 0).any(axis=0)).tolist():
        missing = codes[:, v] < 0
        if missing.mean() >= FEW:
            logits[v] = [np.zeros(2 + columns - of.sizes[v])] * (of.sizes[v] - 1)
        codes[missing, v] = rng.choice(codes[~missing, v], int(missing.sum()))
    hazards = Hazards(np.zeros(columns), np.zeros((len(everybodys), columns)), everybodys)
    return Chain(codes, exits, everybodys, hazards, logits, of.design(codes).mean(axis=0))


def turn(
    chain: Chain, of: Factors, proposed: Exits, weights: Floats, curvatures: dict | None, rng: np.random.Generator
) -> tuple[Chain, dict]:
    """Hazards, exits, then each incomplete covariate, each given the others; with the curvatures of the regressions."""
    known_curvatures = curvatures or {}
    new_curvatures: dict[str | tuple[int, int], Any] = {}
    x = of.design(chain.codes) - chain.centre
    hazards, new_curvatures["hazards"] = hazards_step(
        chain.hazards, chain.exits, x, weights, known_curvatures.get("hazards"), piece_of(chain.everybodys.shape[1])
    )
    relative = hazards.relative(x)

    def likelier(exits: Exits) -> Floats:
        """By how much with this stay's hazards than with everybody's."""
        return log_chance(hazards, relative, exits) - log_chance_of_all(chain.everybodys, exits)

    accept = np.log(rng.random(len(x))) < likelier(proposed) - likelier(chain.exits)
    exits = chain.exits.moved(proposed.month, proposed.cause, accept)
    codes, logits = chain.codes.copy(), dict(chain.logits)
    for v in np.flatnonzero((of.codes < 0).any(axis=0)).tolist():
        block, size, missing = of.blocks[v], of.sizes[v], np.flatnonzero(of.codes[:, v] < 0)
        if v in logits:
            design = np.hstack([np.ones((len(x), 1)), x[:, : block.start], x[:, block.stop :]])
            logits[v] = list(logits[v])
            for j, beta in enumerate(logits[v]):
                at_stake, is_level = weights * (codes[:, v] >= j), (codes[:, v] == j).astype(float)
                logits[v][j], new_curvatures[v, j] = logit_step(
                    beta, design, at_stake, is_level, known_curvatures.get((v, j))
                )
            chances = nested_chances(logits[v], design[missing])
        else:
            chances = np.log(np.maximum(np.bincount(codes[:, v], weights, size), SMALLEST))
        effect = hazards.each[:, block].T
        relative_hazard = hazards.relative(x[missing]) - x[missing, block] @ effect
        level = indicators(np.arange(size), size) - chain.centre[block]  # levels × columns
        few = Exits(exits.start[missing], exits.month[missing], exits.cause[missing])
        of_exit = np.stack([log_chance(hazards, relative_hazard + row @ effect, few) for row in level], axis=1)
        codes[missing, v] = drawn_levels(chances + of_exit, rng)
        x[missing, block] = level[codes[missing, v]]
    return replace(chain, codes=codes, exits=exits, hazards=hazards, logits=logits), new_curvatures


# ----------------------------------------------------------------------------------------------------

COVARIATES = (
    "immigration_category", "age", "sex", "french", "education", "household_size", "years_since_arrival", "job_found",
    "housing_found", "period", "city_size",
)  # fmt: skip
# What exits are drawn given, beside the covariates: groups that are compared.
BESIDE = ("region", "pathway")
# Turns of the first chain, which starts from nothing, and of each draw, which starts from its end.
FIRST, TURNS = 12, 5


@threadpool_limits.wrap(limits=1, user_api="blas")  # more threads would only wait for each other in small products
def completed_stays(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    *,
    study: Study | None = None,
    m: int | None = None,
    covariates: Sequence[str] = COVARIATES,
) -> list[pd.DataFrame]:
    """
    The stays that enter retention, m times, each time with an exit and covariates drawn where they are not known.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts`.
    study : Study, optional
        Its pathway, draws and seed are used.
    m : int, optional
        Draws; by default study.draws.
    covariates : sequence of str
        Columns of the cohort to complete. Exits are drawn given them, region and pathway.

    Returns
    -------
    list of DataFrame
        Each with the rows of `stays_that_enter(cohort, study)` in that order, all columns of the cohort, and: start
        (month of entry, rounded up: at risk in months start + 1 … time), time (whole months: that of the exit, or the
        last in which anything is known), cause (0: still there; k: `model_input.CAUSES[k − 1]`), at_risk, complete (all
        the covariates were known). A stay of which nothing is known after its entry, or that ended by then, is kept
        with time = start, cause 0 and at_risk False: models leave it out, `left_out` counts it. The covariates have no
        missing value, but for a column of which nothing is known of anybody: it stays missing.

    Raises
    ------
    ValueError
        A covariate that is no column of the cohort; fewer than one draw.

    Notes
    -----
    Draw k rests on bootstrap replicate k of the observation model, and on regressions under its own household weights.
    Multiple imputation: Rubin (1987); of exit times known through intervals, Pan (2000); of covariates compatible with
    the regression, Bartlett, Seaman, White & Carpenter (2015), whose levels are here few enough to be weighed one by
    one. Missing is taken to depend on what is known (the exit among it), not on the missing value itself.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> cohort, contacts = told_stays(100, seed=1).tables()
    >>> cohort["city_size"] = np.where(np.arange(100) % 3, "under_10k", None)  # of every third it is not known
    >>> first, second = completed_stays(cohort, contacts, m=2, study=Study(replicates=0), covariates=["city_size"])
    >>> len(first), int(first["city_size"].isna().sum()), int((~first["complete"]).sum())
    (100, 0, 34)
    """
    study = study or Study()
    m = study.draws if m is None else m
    if m < 1:
        raise ValueError(f"m is {m}: at least one draw is needed.")
    absent = [name for name in covariates if name not in cohort]
    if absent:
        raise ValueError(f"covariates: {', '.join(absent)} is no column of the cohort.")
    stays = stays_that_enter(cohort, study)
    start = ceil_month(stays["entry"]).astype(np.int64)
    if not len(stays):
        nothing = np.zeros(0, np.int64)
        return [_frame(stays, covariates, None, {}, Exits(start, nothing, nothing)) for _ in range(m)]
    of = factors(stays, (*covariates, *(name for name in BESIDE if name in stays and name not in covariates)))
    return [
        _frame(stays, covariates, of, codes, exits, np.random.default_rng([study.seed, 2, k]))
        for k, (codes, exits) in enumerate(_chains(stays, contacts, start, of, study, m))
    ]


def left_out(cohort: pd.DataFrame, completed: Sequence[pd.DataFrame], *, study: Study) -> pd.DataFrame:
    """
    How many stays no model can use, by reason, and how many it can.

    Parameters
    ----------
    cohort : DataFrame
        The table `cohort`.
    completed : sequence of DataFrame
        What `completed_stays` made of it.
    study : Study
        Its pathway is used.

    Returns
    -------
    DataFrame
        reason (a value of cohort.excluded, `other_pathway`, `never_at_risk`, or `used`), n_stays, n_persons,
        n_households. The rows are a partition of the cohort.
    """
    reason = cohort["excluded"].astype(object).where(cohort["excluded"].notna(), None)
    other_pathway = reason.isna() & (False if study.pathway is None else cohort["pathway"].ne(study.pathway))
    reason = reason.mask(other_pathway, "other_pathway")
    entering = reason.isna().to_numpy()
    reason[entering] = np.where(completed[0]["at_risk"], "used", "never_at_risk")
    counted = cohort.assign(reason=reason).groupby("reason", sort=True)
    return counted.agg(
        n_stays=("person_id", "size"), n_persons=("person_id", "nunique"), n_households=("household_id", "nunique")
    ).reset_index()


# ── the chains ───────────────────────────────────────────────────────────────────────────────────────────
def _chains(
    stays: pd.DataFrame, contacts: pd.DataFrame, start: Integers, of: Factors, study: Study, m: int
) -> Iterator[tuple[Integers, Exits]]:
    """Codes and exits of each draw."""
    curve = model_input(stays, contacts).fit(study, replicates=m)
    model = curve.model  # candidates come from one replicate at a time, and are weighed by its hazards
    months = int(max(model.em.months, start.max() + 1))
    household = np.unique(stays["household_id"].to_numpy(dtype=object).astype(str), return_inverse=True)[1]
    n_households = int(household.max()) + 1
    usable = model.cells.pattern >= 0

    def candidate(p, rng: np.random.Generator) -> Exits:
        month, cause = model.em.draw(p, model.cells.pattern, rng)
        return Exits(start, np.where(usable, np.maximum(month, start), start), np.where(usable, cause + 1, 0))

    def everybodys(p) -> Floats:
        monthly = np.zeros((len(CAUSES), months))
        monthly[:, : model.em.months] = model.em.monthly(p)[..., 0]
        return monthly

    rng = np.random.default_rng([study.seed, 0])
    common = model.parameters
    first = begin(of, everybodys(common), candidate(common, rng), rng)
    curvatures = None
    for _ in range(FIRST):
        first, curvatures = turn(first, of, candidate(common, rng), np.ones(len(stays)), None, rng)
    for k in range(m):
        rng = np.random.default_rng([study.seed, 1, k])
        weights = rng.multinomial(n_households, np.full(n_households, 1 / n_households))[household].astype(float)
        p = model.replicates.columns(np.array([k]))
        chain = replace(first, everybodys=everybodys(p), exits=candidate(p, rng))
        for _ in range(TURNS):
            chain, _ = turn(chain, of, candidate(p, rng), weights, curvatures, rng)
        yield chain.codes, chain.exits


# ── what comes out ───────────────────────────────────────────────────────────────────────────────────────
def _frame(
    stays: pd.DataFrame, covariates: Sequence[str], of: Factors | None, codes, exits: Exits, rng=None
) -> pd.DataFrame:
    """The stays with their exits, and the covariates filled in."""
    imputed = {}
    for name in covariates:
        values = stays[name]
        if of is None or not values.notna().any():
            continue
        missing = values.isna().to_numpy()
        if name in of.names and missing.any():
            v = of.names.index(name)
            values = _filled(values, of.codes[:, v], codes[:, v], missing, rng)
        elif missing.any():  # one value only is known
            values = values.fillna(values.dropna().iloc[0])
        imputed[name] = _plain(values)
    complete = stays[list(covariates)].notna().all(axis=1).to_numpy()
    exit_columns = {
        **imputed,
        "start": exits.start,
        "time": exits.month,
        "cause": exits.cause,
        "at_risk": exits.month > exits.start,
        "complete": complete,
    }
    # columns equal in every draw are stored once
    same = {name: stays[name] for name in stays if name not in exit_columns}
    order = dict.fromkeys([*stays, *exit_columns])
    return pd.DataFrame(
        {name: exit_columns[name] if name in exit_columns else same[name] for name in order}, stays.index, copy=False
    )


def _filled(values: pd.Series, known_rows: Integers, codes: Integers, missing, rng: np.random.Generator) -> pd.Series:
    """Missing values taken from stays of the level drawn."""
    donors = np.argsort(known_rows, kind="stable")
    begins = np.searchsorted(known_rows[donors], np.arange(known_rows.max() + 2))
    level = codes[missing]
    source = begins[level] + (rng.random(len(level)) * (begins[level + 1] - begins[level])).astype(np.int64)
    values = values.copy()
    values.iloc[np.flatnonzero(missing)] = values.array[donors[source]]
    return values


def _plain(values: pd.Series) -> pd.Series:
    """Without room for missing values, where there is none."""
    if pd.api.types.is_bool_dtype(values):
        return values.astype(bool)
    return values.astype(np.int64) if pd.api.types.is_integer_dtype(values) else values
