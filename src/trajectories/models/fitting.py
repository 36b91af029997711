"""What goes with staying: all models of one run, as tidy tables.

Cox models tell who leaves sooner; cause-specific ones why (towards which destination the rate is higher), Fine–Gray
ones how many end where: both, never one alone, since a covariate that lowers one rate leaves more persons to the others
(Latouche et al. 2013). Complete cases stand beside. Every number is an association, not a cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..notebook_objects import as_html, plot, to_frame
from ..reported import CAUSES
from ..study import Study
from .proportional import LEVEL, acted, actions_of, tests_of
from .regressions import COUNTS, REGION, Joined, matrix_rows, over_draws
from .services import SERVICE, enough, exposed_rows, first_months, service_terms
from .terms import LEAST, PER_COEFFICIENT, TERMS, Term, Terms, terms_of

COEFFICIENTS = (
    "model", "term", "level", "reference", "from_month", "to_month", "estimate", "se", "hazard_ratio", "lower", "upper",
    "p_value", "missing", *COUNTS, "note", "reading",
)  # fmt: skip
TESTS = ("model", "term", "level", "statistic", "df", "p_value", "adjusted_p", "action")
FITS = ("model", "n_stays", "n_households", "n_events", "n_coefficients", "draws", "note", "detail")


@dataclass(frozen=True)
class Models:
    """
    Tidy tables of the models of one run.

    Attributes
    ----------
    coefficients : DataFrame
        model (cox, complete_cases, discrete, cause_<destination>, subdistribution_<destination>), term, level,
        reference, from_month, to_month (since establishment, for which the coefficient holds), estimate (log hazard
        ratio), se, hazard_ratio, lower, upper (95 %, of the hazard ratio), p_value, missing (share of the variance due
        to what is not known, 0–1), n_stays, n_events, n_households (of the level, means over the draws),
        n_model_stays, n_model_events (all that were at risk in those months, and their exits), note (None;
        joined_in_other, joined_to_reference, one_level, too_few_exits, no_city_size, stratified, not_estimable: why
        there is no estimate; split_at_12, average_effect: what it means), reading (stays_longer, leaves_sooner,
        cannot_tell; of a destination goes_less, goes_more, cannot_tell; of the subdistribution ends_there_less,
        ends_there_more, cannot_tell; None without an estimate).
    tests : DataFrame
        Of proportional hazards: model, term, level (the last term is GLOBAL), statistic, df, p_value, adjusted_p,
        action (none, split_at_12, stratified, average_effect).
    fits : DataFrame
        model, n_stays, n_households, n_events (mean over the draws), n_coefficients, draws, note (None,
        too_few_exits, not_estimable), detail (the sentence why).
    """

    coefficients: pd.DataFrame
    tests: pd.DataFrame
    fits: pd.DataFrame

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame


def fit_models(
    completed: Sequence[pd.DataFrame],
    *,
    services: pd.DataFrame | None = None,
    study: Study | None = None,
    only: Sequence[str] | None = None,
) -> Models:
    """
    Cox, complete cases, discrete-time, and both models of each destination, joined over the draws.

    Parameters
    ----------
    completed : sequence of DataFrame
        What `completed_stays` returned: person_id, episode, household_id, region, start, time, cause, at_risk,
        complete and the covariates of `models.terms.TERMS` (those absent are left out).
    services : DataFrame, optional
        person_id, episode, month (since the establishment), service: services received after the establishment, which
        enter the discrete-time model from the month after.
    study : Study, optional
        Its scope: anywhere en région, another region is no destination.
    only : sequence of str, optional
        Names of models; by default all.

    Returns
    -------
    Models

    Raises
    ------
    ValueError
        No draw is given; a name that is no model of this study.

    Notes
    -----
    Cox (1972) stratified by region with households as clusters (Lin & Wei 1989); discrete-time hazard with the
    complementary log-log link (Prentice & Gloeckler 1978); Fine & Gray (1999). Rubin's rules on the log scale (Rubin
    1987; Barnard & Rubin 1999), complete-data degrees of freedom: households less coefficients. A model with fewer than
    10 exits in some draw, or that some draw does not allow, gives a row with a note. Proportional hazards:
    models/proportional.py. Effects of services on exits that nobody has told of are drawn towards none: the draws
    do not know of services.

    Examples
    --------
    >>> from trajectories.simulate import served_stays
    >>> models = fit_models(served_stays(300, seed=1).completed, only=["cox"])
    >>> models.coefficients[["term", "level", "reference"]].values.tolist(), models.fits["draws"].item()
    ([['city_size', '10k_50k', '100k_plus']], 2)
    """
    if not len(completed):
        raise ValueError("completed: no draw is given.")
    study = study or Study()
    frames = [frame[frame["at_risk"]].reset_index(drop=True) for frame in completed]
    complete = [frame[frame["complete"]].reset_index(drop=True) for frame in frames]
    models = {
        "cox": lambda name: _cox(name, frames, None),
        "complete_cases": lambda name: _cox(name, complete, None),
        "discrete": lambda name: _discrete(frames, services),
    }
    for k, destination in enumerate(CAUSES, start=1):
        if destination != "other_region" or study.scope == "region":
            models[f"cause_{destination}"] = lambda name, k=k: _cox(name, frames, k)
            models[f"subdistribution_{destination}"] = lambda name, k=k: _subdistribution(name, frames, k)
    unknown = [name for name in only or () if name not in models]
    if unknown:
        raise ValueError(f"only: {', '.join(unknown)} is no model; they are {', '.join(models)}.")
    made = [fitted(name) for name, fitted in models.items() if only is None or name in only]
    parts = zip(*made, strict=True)
    tables = [pd.concat([part for part in each if len(part)] or [each[0]], ignore_index=True) for each in parts]
    return Models(*tables)


# ── the models ───────────────────────────────────────────────────────────────────────────────────────────
def _cox(model: str, frames: Sequence[pd.DataFrame], cause: int | None):
    left = [(f["cause"].to_numpy() > 0) if cause is None else (f["cause"].to_numpy() == cause) for f in frames]
    terms = terms_of(frames, left)
    if not _possible(left, terms):
        return _nothing(model, frames, left, "too_few_exits")
    draws = matrix_rows(frames, left, terms)
    fitted = over_draws("cox", draws, terms.columns)
    if fitted.fault:
        return _nothing(model, frames, left, "not_estimable", fitted.fault)
    tests = tests_of(model, fitted)
    actions = actions_of(tests, draws, terms.columns)
    if {"split_at_12", "stratified"} & set(actions.values()):
        rows, columns, strata = acted(draws, terms.columns, actions)
        again = over_draws("cox", rows, columns, strata=[REGION, *strata]) if columns else fitted
        # where the second fit cannot be had, the first one stands and is said to be an average
        if again.fault or not columns:
            actions = dict.fromkeys(actions, "average_effect")
        else:
            fitted = again
    tests["action"] = tests["term"].map(actions).fillna("none")
    return _tables(model, frames, left, fitted, terms, tests, actions)


def _subdistribution(model: str, frames: Sequence[pd.DataFrame], cause: int):
    left = [f["cause"].to_numpy() == cause for f in frames]
    terms = terms_of(frames, left, (*TERMS, REGION))
    if not _possible(left, terms):
        return _nothing(model, frames, left, "too_few_exits")
    draws = matrix_rows(frames, [f["cause"].to_numpy() for f in frames], terms)
    fitted = over_draws("subdistribution", draws, terms.columns, cause=cause)
    if fitted.fault:
        return _nothing(model, frames, left, "not_estimable", fitted.fault)
    tests = tests_of(model, fitted)
    failing = tests.loc[tests["adjusted_p"].lt(LEVEL) & tests["term"].ne("GLOBAL"), "term"]
    actions = dict.fromkeys(failing, "average_effect")
    tests["action"] = tests["term"].map(actions).fillna("none")
    return _tables(model, frames, left, fitted, terms, tests, actions)


def _discrete(frames: Sequence[pd.DataFrame], services: pd.DataFrame | None):
    model = "discrete"
    left = [f["cause"].to_numpy() > 0 for f in frames]
    terms = terms_of(frames, left, (*TERMS, REGION))
    if not _possible(left, terms):
        return _nothing(model, frames, left, "too_few_exits")
    draws, columns, few = matrix_rows(frames, left, terms), terms.columns, []
    if services is not None:
        firsts = [first_months(frame, services) for frame in frames]
        names, few = enough(draws, firsts)
        draws = draws.changed(lambda k, rows: exposed_rows(rows, firsts[k], names))
        columns = (*columns, *service_terms(names))
    fitted = over_draws("discrete", draws, columns)
    if fitted.fault:
        return _nothing(model, frames, left, "not_estimable", fitted.fault)
    added = pd.DataFrame({"term": SERVICE, "level": few, "note": "too_few_exits"})
    terms = Terms(terms.columns, terms.labels, pd.concat([terms.left, added], ignore_index=True))
    return _tables(model, frames, left, fitted, terms, pd.DataFrame(columns=TESTS), {})


def _possible(left: Sequence[np.ndarray], terms: Terms) -> bool:
    return min(int(gone.sum()) for gone in left) >= LEAST and any(c.term != REGION for c in terms.columns)


# ── their tables ─────────────────────────────────────────────────────────────────────────────────────────
def _tables(
    model: str, frames: Sequence[pd.DataFrame], left: Sequence[np.ndarray], fitted: Joined, terms: Terms,
    tests: pd.DataFrame, actions: dict[str, str],
):  # fmt: skip
    table = fitted.table.copy()
    table.insert(0, "model", model)
    for field in ("term", "level", "from_month", "to_month"):
        table[field] = [getattr(column, field) for column in fitted.columns]
    with np.errstate(over="ignore"):
        table["hazard_ratio"] = np.exp(table["estimate"])
        table["lower"], table["upper"] = np.exp(table["lower"]), np.exp(table["upper"])
    table["note"] = [_note(column, actions) for column in fitted.columns]
    table["reading"] = _readings(model, table)
    stratified = [term for term, action in actions.items() if action == "stratified"]
    said = pd.concat([
        terms.left, pd.DataFrame({"term": stratified, "level": None, "note": "stratified"}),
    ], ignore_index=True)  # fmt: skip
    said = said[said["term"].ne(REGION)].assign(model=model)
    table = pd.concat([table, said], ignore_index=True) if len(said) else table
    table["reference"] = table["term"].map(_references(terms))
    return _shaped(table), tests[list(TESTS)], _fit_row(model, frames, left, len(fitted.columns), None, None)


def _note(column: Term, actions: dict[str, str]) -> str | None:
    action = actions.get(column.term)
    return action if action in ("split_at_12", "average_effect") else None


def _readings(model: str, table: pd.DataFrame) -> np.ndarray:
    """What the limits allow to say."""
    less, more = "stays_longer", "leaves_sooner"
    if model.startswith("cause_"):
        less, more = "goes_less", "goes_more"
    if model.startswith("subdistribution_"):
        less, more = "ends_there_less", "ends_there_more"
    return np.select([table["upper"] < 1, table["lower"] > 1], [less, more], "cannot_tell").astype(object)


def _references(terms: Terms) -> dict[str, str]:
    """The level of each term that has no coefficient; of a service, not having received it."""
    found = {SERVICE: "not_received"}
    for term in dict.fromkeys(column.term for column in terms.columns):
        own = {column.level for column in terms.columns if column.term == term}
        found[term] = next(iter(sorted(set(terms.labels[0][term].unique()) - own)), "")
    return found


def _nothing(model: str, frames, left, note: str, detail: str | None = None):
    """A model that cannot be: one row that says so."""
    detail = detail or (
        f"A model needs {LEAST} exits in every draw and {PER_COEFFICIENT} for each coefficient: "
        f"the fewest are {min((int(gone.sum()) for gone in left), default=0)}."
    )
    row = pd.DataFrame({"model": [model], "term": [None], "level": [None], "note": [note]})
    return _shaped(row), pd.DataFrame(columns=TESTS), _fit_row(model, frames, left, 0, note, detail)


def _shaped(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Models.coefficients`, in order."""
    numbers = {name: np.nan for name in COEFFICIENTS if name not in table}
    table = table.assign(**numbers)[list(COEFFICIENTS)]
    for name in ("term", "level", "reference", "note", "reading"):
        table[name] = table[name].astype(object).where(table[name].notna(), None)
    return table


def _fit_row(model: str, frames, left, n_coefficients: int, note: str | None, detail: str | None) -> pd.DataFrame:
    return pd.DataFrame({
        "model": [model], "n_stays": [len(frames[0])], "n_households": [frames[0]["household_id"].nunique()],
        "n_events": [float(np.mean([gone.sum() for gone in left]))], "n_coefficients": [n_coefficients],
        "draws": [len(frames)], "note": [note], "detail": [detail],
    })[list(FITS)]  # fmt: skip
