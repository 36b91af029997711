"""The design matrix of a regression, read and checked by name, and the table of its coefficients.

A formula is read by formulaic, without an intercept (a hazard has its baseline instead): a factor of k levels gives
k − 1 columns `name[level]` against its first level. Errors name the column.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats, Sample, normal_quantile, numbers, refuse, sample
from trajectories.survival.limits import chi2_tail

Covariates = str | Sequence[str]
SAME = 1e-10  # share of a term's information below which nothing is left of it
NOTHING = 1e-8  # of the model's standard error: rounding, where a sum over clusters is 0


def column(data: pd.DataFrame, name: str, role: str) -> pd.Series:
    """A column of `data`, or a sentence that says it is not there."""
    if name not in data.columns:
        raise ValueError(f"{role}: no column {name!r} in data; its columns are {', '.join(map(str, data.columns))}")
    return data[name]


def with_column_name(error: ValueError, names: dict[str, str | None]) -> ValueError:
    """« time: 3 of 40 … » becomes « months (time): 3 of 40 … » where the caller's column has another name."""
    role, _, fault = str(error).partition(":")
    name = names.get(role)
    return error if name is None or name == role else ValueError(f"{name} ({role}):{fault}")


@dataclass(frozen=True)
class Strata:
    """One column, or several whose labels are joined."""

    columns: tuple[str, ...]

    def of(self, data: pd.DataFrame) -> pd.Series | None:
        """The label of each row; nothing where there are no strata."""
        parts = [column(data, name, "strata") for name in self.columns]
        for part in parts:
            refuse(str(part.name), part.isna().to_numpy(), "are missing")
        if len(parts) < 2:
            return parts[0] if parts else None
        return pd.Series([", ".join(map(str, labels)) for labels in zip(*parts, strict=True)], index=data.index)


NO_STRATA = Strata(())


def read_sample(
    data: pd.DataFrame,
    *,
    time: str,
    event: str,
    entry: str | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    strata: Strata = NO_STRATA,
    event_name: str = "event",
) -> tuple[Sample, pd.DataFrame]:
    """The checked arrays of a model and the rows of `data` they come from (those of weight 0 are left out)."""
    names = {"time": time, event_name: event, "entry": entry, "weights": weights, "cluster": cluster}
    columns = {role: column(data, name, role) for role, name in names.items() if name is not None}
    group = strata.of(data)
    try:
        checked = sample(
            columns["time"],
            columns[event_name],
            entry=columns.get("entry"),
            weights=columns.get("weights"),
            cluster=columns.get("cluster"),
            group=group,
            cause_name=event_name,
        )
    except ValueError as error:
        raise with_column_name(error, names) from None
    used = None if weights is None else columns["weights"].to_numpy(dtype=float) > 0
    return checked, data if used is None or used.all() else data[used]


@dataclass(frozen=True)
class Design:
    """How a row of data becomes covariates: `names` of the terms, and the columns they are made from."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    _spec: Any = field(default=None, repr=False)  # formulaic's; None where the terms are columns
    _levels: dict[str, frozenset[Any]] = field(default_factory=dict, repr=False)

    def matrix(self, data: pd.DataFrame) -> Floats:
        """Terms × rows."""
        if self._spec is None:
            return np.array([number(data, name) for name in self.columns])
        frame = variables(data, self.columns)
        for name, levels in self._levels.items():
            refuse(name, ~frame[name].isin(levels).to_numpy(), "are no level of the fit")
        return evaluated(self._spec, frame)[1]


def design(data: pd.DataFrame, covariates: Covariates) -> tuple[Design, Floats]:
    """The design that `covariates` (a list of columns or a formula) describe, and its matrix, terms × rows."""
    if not isinstance(covariates, str):
        names = tuple(covariates)
        if not names:
            raise ValueError("covariates: 0 columns given, at least 1 expected")
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"covariates: {', '.join(doubles)} is given twice")
        simple = Design(names, names)
        return simple, simple.matrix(data)
    return by_formula(data, covariates)


def by_formula(data: pd.DataFrame, text: str) -> tuple[Design, Floats]:
    """A formula's design: `age + region`, `~ age * sex`."""
    from formulaic import Formula, SimpleFormula
    from formulaic.errors import FormulaicError

    try:
        # With the intercept a factor loses its first level; the intercept itself is dropped further down.
        formula = Formula(f"{text} + 1" if text.strip(" ~") else "1")
    except FormulaicError as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"covariates: the formula {text!r} cannot be read: {first}") from None
    if not isinstance(formula, SimpleFormula):
        raise ValueError(f"covariates: the formula {text!r} has a left side or parts; the terms alone are expected")
    # formulaic does not list the columns inside `bs(age)` or `center(age)`: every word that is a column counts.
    words = {word for term in formula for factor in term.factors for word in re.findall(r"\w+", factor.expr)}
    columns = tuple(sorted(formula.required_variables | (words & set(data.columns))))
    frame = variables(data, columns)
    spec, matrix, names = first_evaluated(formula, frame)
    factors = {c: frozenset(frame[c]) for c in columns if not pd.api.types.is_numeric_dtype(frame[c])}
    if not names:
        raise ValueError(f"covariates: the formula {text!r} has no term, at least 1 expected")
    return Design(names, columns, spec, factors), matrix


def number(data: pd.DataFrame, name: str) -> Floats:
    """A column of finite numbers (or true and false)."""
    values = column(data, name, "covariates")
    if isinstance(values, pd.DataFrame):
        raise ValueError(f"covariates: data has {values.shape[1]} columns named {name!r}")
    refuse(name, values.isna().to_numpy(), "are missing")
    if not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_object_dtype(values):
        raise ValueError(f"{name}: it holds {values.dtype}, not numbers; a factor is written in a formula, {name!r}")
    try:
        array = numbers(name, values)
    except ValueError as error:
        raise ValueError(f"{error}; a factor is written in a formula, {name!r}") from None
    refuse(name, np.isinf(array), "are infinite")
    return array


def variables(data: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The columns a formula reads, without missing values, in types formulaic knows."""
    read = {}
    for name in columns:
        values = column(data, name, "covariates")
        refuse(name, values.isna().to_numpy(), "are missing")
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.cat.remove_unused_categories()  # a level nobody has is no column
        elif pd.api.types.is_numeric_dtype(values):
            if pd.api.types.is_extension_array_dtype(values):
                values = values.astype(values.dtype.numpy_dtype)
            refuse(name, np.isinf(values.to_numpy(dtype=float)), "are infinite")
        elif not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
            raise ValueError(f"{name}: it holds {values.dtype}, neither numbers nor labels")
        else:
            values = values.astype(object)
        read[name] = values
    return pd.DataFrame(read, index=data.index)


def first_evaluated(formula: Any, frame: pd.DataFrame) -> tuple[Any, Floats, tuple[str, ...]]:
    """formulaic's specification (levels, centres), the matrix and the terms' names."""
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):  # log(0): refused below, with the term's name
            built = formula.get_model_matrix(frame, context={})
    except FormulaicError as error:
        raise ValueError(f"covariates: {error}") from None
    names, matrix = evaluated(built.model_spec, frame, built)
    return built.model_spec, matrix, names


def evaluated(spec: Any, frame: pd.DataFrame, built: Any = None) -> tuple[tuple[str, ...], Floats]:
    """Names and values (terms × rows), the intercept dropped."""
    from formulaic.errors import DataMismatchWarning

    if built is None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", DataMismatchWarning)
            try:
                built = spec.get_model_matrix(frame, context={})
            except DataMismatchWarning as error:
                raise ValueError(f"covariates: {str(error).partition(' They are')[0]}") from None
    term_columns = [c for c in built.columns if c != "Intercept"]
    names = tuple(str(c).replace("[T.", "[") for c in term_columns)
    matrix = np.ascontiguousarray(built[term_columns].to_numpy(dtype=float).T)
    for name, values in zip(names, matrix, strict=True):
        refuse(name, ~np.isfinite(values), "are missing or infinite")
    return names, matrix


# ── terms that no fit can tell apart: constants, and combinations of others; refused by name ──────────────────
def names_have(names: Sequence[str], which: np.ndarray) -> str:
    """« age has », « age, sex have »."""
    listed = [name for name, bad in zip(names, which, strict=True) if bad]
    return f"{', '.join(listed)} {'has' if len(listed) == 1 else 'have'}"


def check_independent(information: Floats, events: float, names: Sequence[str]) -> None:
    """Refuses a term whose information, given those before it, is 0."""
    own = np.diag(information)
    constant = own < SAME * events
    if constant.any():
        raise ValueError(
            f"covariates: {names_have(names, constant)} one value among those at risk at each event (by stratum)"
        )
    scale = 1 / np.sqrt(own)
    correlation = information * np.outer(scale, scale)
    for j in range(1, len(own)):
        share = np.linalg.solve(correlation[:j, :j], correlation[:j, j])
        if 1 - correlation[:j, j] @ share < SAME:
            combined = ", ".join(name for name, c in zip(names, share, strict=False) if abs(c) > np.sqrt(SAME))
            raise ValueError(f"covariates: {names[j]} is a linear combination of {combined}; leave one out")


@dataclass(frozen=True)
class Scale:
    """Terms are centred and scaled inside the fit; `matrix` turns coefficients back, an intercept first."""

    matrix: Floats
    scaled: Floats  # (terms + 1) × n, ones first


def with_intercept(x: Floats, weights: Floats, names: Sequence[str]) -> Scale:
    """Ones and the scaled terms (terms × n)."""
    total = weights.sum()
    center = x @ weights / total
    scaled = x - center[:, None]
    spread = np.sqrt(scaled**2 @ weights / total)
    constant = x.min(axis=1) == x.max(axis=1)
    if constant.any():
        raise ValueError(f"covariates: {names_have(names, constant)} the same value in all {x.shape[1]} rows")
    scaled /= spread[:, None]
    check_independent((scaled * weights) @ scaled.T, total, names)
    back = np.diag(np.concatenate([[1.0], 1 / spread]))
    back[0, 1:] = -center / spread
    return Scale(back, np.vstack([np.ones(x.shape[1]), scaled]))


def coefficient_table(
    names: Sequence[str],
    coef: Floats,
    covariance: Floats,
    robust_covariance: Floats | None,
    ratio: str,
    conf_level: float = 0.95,
    without_ratio: Sequence[str] = (),
) -> pd.DataFrame:
    """term, coef, se, robust_se, z, p_value, `ratio`, lower, upper.

    z, p and limits use the robust standard error where there is one (`robust_se` is missing else; so it is where it
    would be 0, as of one cluster alone: that says nothing of how clusters differ). `ratio` is e^coef, with limits;
    terms of which it says nothing (an intercept, a scale) have none.
    """
    z_level = normal_quantile(conf_level)
    se = np.sqrt(np.diag(covariance))
    robust_se = np.full(len(coef), np.nan) if robust_covariance is None else np.sqrt(np.diag(robust_covariance))
    robust_se[robust_se <= NOTHING * se] = np.nan
    used = se if robust_covariance is None else robust_se
    z = coef / used
    shown = np.where([name in without_ratio for name in names], np.nan, coef)
    with np.errstate(over="ignore"):  # a limit beyond the largest number is infinite
        lower, ratios, upper = (np.exp(shown + side * z_level * used) for side in (-1, 0, 1))
    return pd.DataFrame(
        {
            "term": list(names),
            "coef": coef,
            "se": se,
            "robust_se": robust_se,
            "z": z,
            "p_value": chi2_tail(z**2, 1),
            ratio: ratios,
            "lower": lower,
            "upper": upper,
        }
    )
