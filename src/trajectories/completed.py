"""Completed stays: several draws of the exits and covariates that nobody knows, for what needs one value a stay.

Curves come from the observation model, which needs no draw (retention.py). Regressions, tests and sequences do: each is
made on every draw and joined by Rubin's rules (survival.pool). For that the draws must know what the regression asks
about: exits drawn from one fit of everybody would be the same for those with and without a job wherever nobody knows
when the stay ended, and would draw every difference towards nothing. So exits are drawn given the covariates, and
covariates given the exit (models/chained.py). Over 60 simulated cohorts of 1,500 stays (tests/recovery), the log hazard
ratio −.48 of a job known of two thirds of them came out .01 too far from 0; from one fit of everybody, .17 too near.

Still attenuated, for the stays whose end is unknown: what the drawing regression does not have, such as effects that
change with time, interactions, and services received. How departures become known is taken to be the same everywhere
(one fit of everybody): a region that hears of fewer of its departures seems to keep more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from .models.chained import Exits, Factors, begin, factors, turn
from .months import ceil_month
from .reported import CAUSES, reported, stays_that_enter
from .study import Study
from .survival.checks import Floats, Integers

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
        The tables of those names.
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
        last in which anything is known), cause (0: still there; k: `reported.CAUSES[k − 1]`), at_risk, complete (all
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


def left_out(cohort: pd.DataFrame, completed: Sequence[pd.DataFrame], *, study: Study | None = None) -> pd.DataFrame:
    """
    How many stays no model can use, by reason, and how many it can.

    Parameters
    ----------
    cohort : DataFrame
        The table of that name.
    completed : sequence of DataFrame
        What `completed_stays` made of it.
    study : Study, optional
        Its pathway is used.

    Returns
    -------
    DataFrame
        reason (a value of cohort.excluded, `other_pathway`, `never_at_risk`, or `used`), n_stays, n_persons,
        n_households. The rows are a partition of the cohort.
    """
    study = study or Study()
    reason = cohort["excluded"].astype(object).where(cohort["excluded"].notna(), None)
    other = reason.isna() & (False if study.pathway is None else cohort["pathway"].ne(study.pathway))
    reason = reason.mask(other, "other_pathway")
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
    curve = reported(stays, contacts).fit(study, replicates=m)
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
    filled = {}
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
        filled[name] = _plain(values)
    complete = stays[list(covariates)].notna().all(axis=1).to_numpy()
    drawn = {
        **filled, "start": exits.start, "time": exits.month, "cause": exits.cause, "at_risk": exits.month > exits.start,
        "complete": complete,
    }  # fmt: skip
    # what is the same in every draw is held once for all of them
    same = {name: stays[name] for name in stays if name not in drawn}
    order = dict.fromkeys([*stays, *drawn])
    return pd.DataFrame({name: drawn[name] if name in drawn else same[name] for name in order}, stays.index, copy=False)


def _filled(values: pd.Series, known: Integers, codes: Integers, missing, rng: np.random.Generator) -> pd.Series:
    """Missing values taken from stays of the level drawn."""
    donors = np.argsort(known, kind="stable")
    begins = np.searchsorted(known[donors], np.arange(known.max() + 2))
    level = codes[missing]
    place = begins[level] + (rng.random(len(level)) * (begins[level + 1] - begins[level])).astype(np.int64)
    values = values.copy()
    values.iloc[np.flatnonzero(missing)] = values.array[donors[place]]
    return values


def _plain(values: pd.Series) -> pd.Series:
    """Without room for missing values, where there is none."""
    if pd.api.types.is_bool_dtype(values):
        return values.astype(bool)
    return values.astype(np.int64) if pd.api.types.is_integer_dtype(values) else values
