"""Models of leaving: factors associated with staying longer, over several draws of the missing data.

terms         covariates as levels against a reference, each with enough exits
regressions   one model on every draw, joined
proportional  tests of proportional hazards, and what is done where they fail
person_months the discrete-time hazard with many terms
services      services as exposure that changes over time
fitting       `fit_models`, all models of a run; `Models`, their tables
joined        Rubin's rules for tables, D₂ for tests
chained       the chain from which imputation.py draws
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..display import as_html, plot, to_frame
from ..months import ceil_month, months_between
from ..retention.model_input import CAUSES
from ..study import Study
from ..survival.checks import Floats
from ..tables import METROPOLE

# ----------------------------------------------------------------------------------------------------
# Covariates as the terms of a model: levels against a reference, each with enough exits to speak of.
#
# A level needs as many stays as would have `LEAST` exits if it left as everybody does, and `FEWEST` of its own, in
# every draw: chosen by its own exits, a rare level would be printed when chance had made many leave, and seem to leave
# sooner (by .19 on the log scale over 60 simulated cohorts, with ten exits of its own asked for). Levels with fewer
# are joined into « other » where together they have enough, else into the reference; a model has at most one
# coefficient for `PER_COEFFICIENT` exits (Vittinghoff & McCulloch 2007), and the last terms of `TERMS` are left out
# until that holds. What is joined or left out is said, never dropped in silence. Immigration category is never in a
# model without city size, which it goes with (domain facts).

LEAST, FEWEST, PER_COEFFICIENT = 10, 3, 5
OTHER = "other"
# In the order in which a model keeps them, each with its reference level.
TERMS = {
    "city_size": "100k_plus", "immigration_category": "economic", "job_found": "false", "housing_found": "false",
    "french": "advanced", "period": "before_2020", "household_size": "1", "age": "30_44", "education": "university",
    "years_since_arrival": "under_1", "sex": "F",
}  # fmt: skip
# Numbers by classes: the first value of each class from the second on, and their codes.
CLASSES = {
    "age": ((18, 30, 45), ("under_18", "18_29", "30_44", "45_plus")),
    "household_size": ((2, 3, 4), ("1", "2", "3", "4_plus")),
    "years_since_arrival": ((1, 3), ("under_1", "1_2", "3_plus")),
}


@dataclass(frozen=True)
class Term:
    """One coefficient: a level of a covariate (or a service received), over some months since establishment."""

    term: str
    level: str
    from_month: float = 0.0
    to_month: float = np.inf


@dataclass(frozen=True)
class Terms:
    """
    The coefficients of a model.

    `labels` holds the levels of each draw (stays × covariates, joined as said), `left` what has no coefficient of its
    own: term, level, note.
    """

    columns: tuple[Term, ...]
    labels: list[pd.DataFrame]
    left: pd.DataFrame

    def matrix(self, draw: int) -> np.ndarray:
        """Indicators: stays × coefficients."""
        labels = self.labels[draw]
        indicators = [labels[column.term].to_numpy() == column.level for column in self.columns]
        return np.array(indicators, dtype=float).reshape(len(indicators), len(labels)).T


def labelled(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The covariates as text levels; « unknown » where there is no value."""
    labels = {}
    for name in names:
        values = frame[name]
        if name in CLASSES and pd.api.types.is_numeric_dtype(values):
            cuts, codes = CLASSES[name]
            class_index = np.searchsorted(cuts, values.to_numpy(dtype=float, na_value=np.nan), side="right")
            text = pd.Series(np.array(codes, dtype=object)[np.minimum(class_index, len(codes) - 1)], index=frame.index)
        elif pd.api.types.is_bool_dtype(values):
            text = values.astype(object).map({True: "true", False: "false"})
        else:
            text = values.astype(object)
        labels[name] = text.where(values.notna(), "unknown")
    return pd.DataFrame(labels, index=frame.index)


def terms_of(
    frames: Sequence[pd.DataFrame], departed: Sequence[np.ndarray], names: Sequence[str] | None = None
) -> Terms:
    """
    The terms that a model of these exits can have.

    Parameters
    ----------
    frames : sequence of DataFrame
        The stays at risk, one frame a draw.
    departed : sequence of bool array
        Who left, as the model means it, in each draw.
    names : sequence of str, optional
        Covariates in the order in which they are kept; by default `TERMS`, those that the frames have.
    """
    names = [name for name in (names or TERMS) if name in frames[0]]
    labels = [labelled(frame, names) for frame in frames]
    notes: list[tuple[str, str | None, str]] = []
    if "immigration_category" in names and "city_size" not in names:
        notes.append(("immigration_category", None, "no_city_size"))
        names.remove("immigration_category")
    if not len(frames[0]):
        names = []
    fewest = min((int(gone.sum()) for gone in departed), default=0)
    columns: list[Term] = []
    full = False
    for name in names:
        mapping, reference, joined = _joined(name, labels, departed)
        levels = sorted({new for new in mapping.values()} - {reference})
        full = full or len(columns) + len(levels) > fewest / PER_COEFFICIENT
        if not levels or full:
            notes.append((name, None, "too_few_exits" if full else "one_level"))
            continue
        notes += [(name, level, note) for level, note in joined]
        for label_frame in labels:
            label_frame[name] = label_frame[name].map(mapping)
        columns += [Term(name, level) for level in levels]
    return Terms(tuple(columns), labels, pd.DataFrame(notes, columns=["term", "level", "note"]))


def _joined(name: str, labels: Sequence[pd.DataFrame], departed: Sequence[np.ndarray]):
    """The level each level is joined to, the reference, and the note on joined levels."""
    level_names = sorted({level for frame in labels for level in frame[name].unique()})
    codes = [pd.Categorical(frame[name], categories=level_names).codes for frame in labels]
    # draws × levels
    stays = np.array([np.bincount(frame, minlength=len(level_names)) for frame in codes])
    exits = np.array(
        [np.bincount(frame[gone], minlength=len(level_names)) for frame, gone in zip(codes, departed, strict=True)]
    )
    share = np.array([gone.mean() for gone in departed])

    def enough(levels: Sequence[str]) -> bool:
        at = [level_names.index(level) for level in levels]
        expected = (stays[:, at].sum(axis=1) * share).min()
        return bool(expected >= LEAST and exits[:, at].sum(axis=1).min() >= FEWEST)

    reference = TERMS.get(name, "")
    if reference not in level_names or not enough([reference]):
        reference = level_names[int(stays.min(axis=0).argmax())]
    rare = [level for level in level_names if level != reference and not enough([level])]
    target, note = (OTHER, "joined_in_other") if rare and enough(rare) else (reference, "joined_to_reference")
    mapping = {level: target if level in rare else level for level in level_names}
    return mapping, reference, [(level, note) for level in rare if level != target]


# ----------------------------------------------------------------------------------------------------
# Rubin's rules for a whole table of coefficients, and for tests of which only statistics are known.


def joined(estimates: Floats, variances: Floats, complete_df: float) -> pd.DataFrame:
    """
    One row a coefficient from m draws (arrays m × coefficients), on the log scale.

    Returns
    -------
    DataFrame
        estimate, se, lower, upper, missing (survival.pool), p_value by Student's t with Barnard and Rubin's (1999)
        degrees of freedom. One draw says nothing of what is not known: missing and limits are then not given.
    """
    from scipy import stats

    from ..survival import pool

    if len(estimates) < 2:
        se = np.sqrt(variances[0])
        nothing = np.full(len(se), np.nan)
        return pd.DataFrame(
            {
                "estimate": estimates[0],
                "se": se,
                "lower": nothing,
                "upper": nothing,
                "missing": nothing,
                "p_value": nothing,
            }
        )
    rows = [pool(e, v, complete_df=complete_df) for e, v in zip(estimates.T, variances.T, strict=True)]
    table = pd.DataFrame(rows).reset_index(drop=True)
    table["p_value"] = 2 * stats.t.sf(np.abs(table["estimate"] / table["se"]), table["df"])
    return table[["estimate", "se", "lower", "upper", "missing", "p_value"]]


def joined_chi2(statistics: Floats, df: int) -> tuple[float, float]:
    """
    The D₂ statistic of m chi-squared statistics of `df` degrees of freedom, and its p-value.

    Notes
    -----
    Li, Meng, Raghunathan & Rubin (1991): mean statistic per degree of freedom, less what the draws disagree by, on an
    F distribution. R: ``miceadds::micombine.chisquare``. A statistic that some draw does not have is left out; with
    fewer than two there is no test.

    Examples
    --------
    >>> [round(float(x), 3) for x in joined_chi2(np.array([5.0, 6.0, 4.0]), 1)]
    [4.558, 0.033]
    """
    from scipy import stats

    finite = statistics[~np.isnan(statistics)]
    m = len(finite)
    if m < 2:
        return np.nan, np.nan
    rise = (1 + 1 / m) * np.sqrt(finite).var(ddof=1)
    value = max((finite.mean() / df - (m + 1) / (m - 1) * rise) / (1 + rise), 0.0)
    of_draws = df ** (-3 / m) * (m - 1) * (1 + 1 / max(rise, 1e-12)) ** 2
    return value, float(stats.f.sf(value, df, of_draws))


def holm(p_values: Floats) -> Floats:
    """
    p-values adjusted for being so many (Holm 1979); missing ones stay missing and do not count.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    adjusted = np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int((~np.isnan(p_values)).sum())]
    times = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * times), 1.0)
    return adjusted


def benjamini_hochberg(p_values: Floats) -> Floats:
    """
    p-values adjusted so that of those called, the false ones are expected to be at most that share.

    Missing ones stay missing and do not count. Benjamini & Hochberg (1995). R: ``p.adjust(p, "BH")``.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    adjusted = np.full(len(p_values), np.nan)
    n = int((~np.isnan(p_values)).sum())
    order = np.argsort(p_values)[:n]
    ratios = p_values[order] * n / np.arange(1, n + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(ratios[::-1])[::-1], 1.0)
    return adjusted


# ----------------------------------------------------------------------------------------------------
# Discrete-time hazard on rows (start, time] by Fisher scoring: `survival.discrete_hazard` for many terms, many times.
#
# The likelihood, the expected information and the clustered covariance are those of survival.discrete_hazard (the
# complementary log-log link; Prentice & Gloeckler 1978), which fits cells by statsmodels: with 45 terms, where hardly
# two stays share a cell, that takes 8 s a draw. Here the months of a row in a piece are counted and never written out:
# 0.1 s. Largest difference from it in tests/unit/test_models.py: 1e-9.

PIECES = (3, 6, 12, 24, 36)
MOST_STEPS, CONVERGED, FARTHEST = 50, 1e-10, 15.0


@dataclass(frozen=True)
class Fit:
    """`table`: coef, se, robust_se of each column of x, in order."""

    table: pd.DataFrame


def scored(data: pd.DataFrame, x: Floats, pieces: Sequence[int] = PIECES) -> Fit:
    """
    The fit of rows with start, time (whole months), event and household_id; x: rows × coefficients.

    A column `weight`, where there is one, says how much each row counts: robust_se is then the one that holds.

    Raises
    ------
    ValueError
        No event to fit; a coefficient that is infinite or told by the others.
    """
    start, time = data["start"].to_numpy(dtype=float), data["time"].to_numpy(dtype=float)
    departed = data["event"].to_numpy() > 0
    weight = data["weight"].to_numpy(dtype=float) if "weight" in data else np.ones(len(data))
    if not departed.any():
        raise ValueError(f"event: no event to fit in {len(data)} rows")
    last = time.max()
    ends = np.append([p for p in pieces if p < last], last)
    begins = np.append(0.0, ends[:-1])
    months = np.clip(np.minimum(time[:, None], ends) - np.maximum(start[:, None], begins), 0, None)
    months *= weight[:, None]
    interval = np.searchsorted(ends, time)
    deaths = np.bincount(interval, departed * weight, len(ends))
    # a piece without exits: its hazard is 0 and it carries no further information
    used = deaths > 0
    months, deaths = months[:, used], deaths[used]
    used_interval = (np.cumsum(used) - 1)[interval]
    n_pieces, rows = len(deaths), np.arange(len(x))
    centre = x.mean(axis=0)
    x = x - centre
    theta = np.concatenate([np.log(deaths / months.sum(axis=0)), np.zeros(x.shape[1])])
    at_exit = np.zeros_like(months)
    at_exit[rows[departed], used_interval[departed]] = weight[departed]

    def parts(theta: Floats) -> tuple[Floats, Floats]:
        """Scores of the log hazard of each row and piece, and the expected information."""
        rate = np.exp(np.clip((x @ theta[n_pieces:])[:, None] + theta[:n_pieces], -40, 5))
        of_exit = rate / np.expm1(rate)
        scores = at_exit * of_exit - (months - at_exit) * rate
        curved = months * rate * of_exit
        mixed = curved.T @ x
        information = np.block(
            [
                [np.diag(curved.sum(axis=0)), mixed],
                [mixed.T, (x * curved.sum(axis=1)[:, None]).T @ x],
            ]
        )
        return scores, information

    for _ in range(MOST_STEPS):
        scores, information = parts(theta)
        gradient = np.concatenate([scores.sum(axis=0), scores.sum(axis=1) @ x])
        scale = 1 / np.sqrt(np.maximum(np.diag(information), 1e-12))
        scaled = information * np.outer(scale, scale)
        if np.linalg.eigvalsh(scaled)[0] < 1e-10:
            break
        step = scale * np.linalg.solve(scaled, scale * gradient)
        theta = theta + np.clip(step, -2, 2)
        if np.abs(step).max() < CONVERGED:
            inverse = np.linalg.inv(scaled) * np.outer(scale, scale)
            return Fit(_table(theta, inverse, parts(theta)[0], x, data["household_id"], n_pieces))
    far = np.flatnonzero(np.abs(theta[n_pieces:]) > FARTHEST)
    columns_named = ", ".join(f"x{j}" for j in far) or "some"
    raise ValueError(f"covariates: {columns_named} of {x.shape[1]} coefficients are infinite, or told by the others")


def _table(
    theta: Floats, inverse: Floats, scores: Floats, x: Floats, households: pd.Series, n_pieces: int
) -> pd.DataFrame:
    by_row = np.hstack([scores, x * scores.sum(axis=1, keepdims=True)])
    _, owner = np.unique(households.to_numpy(dtype=object).astype(str), return_inverse=True)
    summed = np.zeros((int(owner.max()) + 1, by_row.shape[1]))
    np.add.at(summed, owner, by_row)
    influence = summed @ inverse
    robust = (influence**2).sum(axis=0)
    return pd.DataFrame(
        {
            "coef": theta[n_pieces:],
            "se": np.sqrt(np.diag(inverse))[n_pieces:],
            "robust_se": np.sqrt(robust)[n_pieces:],
        }
    )


# ----------------------------------------------------------------------------------------------------
# One model on every draw: Cox, cause-specific Cox, Fine–Gray or discrete-time hazard, joined by Rubin's rules.
#
# Standard errors are clustered on households. Cox models have a baseline hazard for each region; Fine–Gray and the
# discrete-time model have regions as terms, which are not printed (a comparison of regions is comparison's).

REGION = "region"
WORKERS = 2  # draws fitted at a time: numpy lets other threads run while it computes
# Values of a draw's covariates from which draws are fitted one after the other: a fit holds them a dozen times.
LARGE = 1 << 23
COUNTS = ("n_stays", "n_events", "n_households", "n_model_stays", "n_model_events")


@dataclass(frozen=True)
class Rows:
    """What a kernel is given: start, time, event, household_id, region, cause and strata; one column a coefficient."""

    data: pd.DataFrame
    x: np.ndarray
    stay: np.ndarray  # position of the stay of each row

    def frame(self) -> pd.DataFrame:
        """One table, the coefficients' columns named x0, x1 …"""
        names = [f"x{j}" for j in range(self.x.shape[1])]
        return pd.concat([self.data, pd.DataFrame(self.x, columns=names)], axis=1)


@dataclass(frozen=True)
class Draws:
    """
    The rows of each draw, made when they are asked for: held all at once, they take as many times the memory.

    Examples
    --------
    >>> [len(rows.stay) for rows in Draws(2, lambda k: Rows(pd.DataFrame(), np.zeros((k, 0)), np.arange(k)))]
    [0, 1]
    """

    number: int
    make: Callable[[int], Rows]

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, k: int) -> Rows:
        if not 0 <= k < self.number:
            raise IndexError(k)
        return self.make(k)

    def __iter__(self) -> Iterator[Rows]:
        return map(self.make, range(self.number))

    def changed(self, change: Callable[[int, Rows], Rows]) -> Draws:
        """Each with a change, which is given the number of the draw too."""
        return Draws(self.number, lambda k: change(k, self.make(k)))


@dataclass(frozen=True)
class Joined:
    """
    One model over all draws.

    `table`: a row per coefficient of `columns`, with `COUNTS`. `tests`: m × coefficients (and
    GLOBAL last) statistics of proportional hazards, divided by each coefficient's design effect. `fault` says why
    nothing could be fitted.
    """

    columns: tuple[Term, ...]
    table: pd.DataFrame
    tests: np.ndarray
    fault: str | None = None


def rows_of(frame: pd.DataFrame, event: np.ndarray, x: np.ndarray, strata: pd.DataFrame | None = None) -> Rows:
    """One row a stay."""
    data = pd.DataFrame(
        {
            "start": frame["start"].to_numpy(dtype=float),
            "time": frame["time"].to_numpy(dtype=float),
            "event": np.asarray(event).astype(np.int64),
            "household_id": frame["household_id"].to_numpy(dtype=object),
            REGION: labelled(frame, [REGION])[REGION].to_numpy() if REGION in frame else "all",
        }
    )
    if strata is not None:
        data = data.join(strata.reset_index(drop=True))
    return Rows(data, x, np.arange(len(frame)))


def cut(rows: Rows, month: float, split: np.ndarray) -> Rows:
    """
    The same with the coefficients `split` before and after a month: early columns first, then late ones.

    The early effect holds for exits in (0, month], the late one from then on.
    """
    data = rows.data
    early, late = (data["start"] < month).to_numpy(), (data["time"] > month).to_numpy()
    first = data[early].assign(time=np.minimum(data.loc[early, "time"], month))
    first["event"] = np.where(data.loc[early, "time"] > month, 0, data.loc[early, "event"])
    second = data[late].assign(start=np.maximum(data.loc[late, "start"], month))
    pieces = pd.concat([first, second], ignore_index=True)
    x = np.vstack([rows.x[early], rows.x[late]])
    is_late = np.repeat([0.0, 1.0], [early.sum(), late.sum()])[:, None]
    x = np.hstack([x[:, ~split], x[:, split] * (1 - is_late), x[:, split] * is_late])
    return Rows(pieces, x, np.concatenate([rows.stay[early], rows.stay[late]]))


def fit_rows(kind: str, rows: Rows, strata: Sequence[str], cause: int):
    """The fit of one draw."""
    from ..survival import cox, fine_gray

    if kind == "discrete":
        return scored(rows.data, rows.x)
    data = rows.frame()
    names = [f"x{j}" for j in range(rows.x.shape[1])]
    entry = "start" if (data["start"] > 0).any() else None
    if kind == "cox":
        return cox(
            data, time="time", event="event", covariates=names, entry=entry, strata=list(strata), cluster="household_id"
        )
    return fine_gray(
        data, time="time", cause="event", cause_of_interest=cause, covariates=names, entry=entry, cluster="household_id"
    )


@threadpool_limits.wrap(limits=1, user_api="blas")  # more threads would only wait for each other in small products
def over_draws(
    kind: str,
    draws: Draws,
    columns: Sequence[Term],
    *,
    strata: Sequence[str] = (REGION,),
    cause: int = 1,
    hidden: Sequence[str] = (REGION,),
) -> Joined:
    """
    Fits each draw and joins them. Terms named in `hidden` are in the model and not in the table.

    A draw that cannot be fitted (a coefficient that is infinite, a column told by others) makes the whole model a
    fault: a mean over the draws that could be fitted would be one over the draws that happened to be easy.
    """
    fitted_cause = cause if kind == "subdistribution" else None

    def fit_draw(k: int):
        rows = draws[k]
        try:
            fit = fit_rows(kind, rows, strata, cause)
        except ValueError as error:
            return _said(str(error), columns)
        tested = fit.test_proportional_hazards() if kind != "discrete" else None
        table = fit.table
        excess = (table["robust_se"] / table["se"]).to_numpy() ** 2
        statistic = np.full(len(table) + 1, np.nan)
        if tested is not None:
            # members of a household leave together: the test takes them for independent (Rao & Scott 1981)
            statistic = tested["statistic"].to_numpy() / np.maximum(np.append(excess, excess.mean()), 1.0)
        counts = _counts(rows, columns, fitted_cause)
        households = rows.data["household_id"].nunique()
        return table["coef"], table["robust_se"] ** 2, statistic, counts, households, rows.x.size

    results = [fit_draw(0)] if len(draws) else []
    large = bool(results) and not isinstance(results[0], str) and results[0][-1] > LARGE
    with ThreadPoolExecutor(1 if large else WORKERS) as executor:
        results += executor.map(fit_draw, range(1, len(draws)))
    faults = [result for result in results if isinstance(result, str)]
    if faults:
        return Joined((), pd.DataFrame(), np.zeros((0, 0)), faults[0])
    estimates, variances, tests, counts = (np.array([np.asarray(r[k]) for r in results]) for k in range(4))
    households = min(r[4] for r in results)
    table = joined(estimates, variances, max(households - len(columns), 1))
    for name, values in zip(COUNTS, counts.mean(axis=0), strict=True):
        table[name] = values
    shown = np.array([column.term not in hidden for column in columns])
    table = table[shown].reset_index(drop=True)
    return Joined(
        tuple(column for column, keep in zip(columns, shown, strict=True) if keep),
        table,
        tests[:, np.append(shown, True)],
    )


def _said(message: str, columns: Sequence[Term]) -> str:
    """A kernel's sentence with the names of levels in the place of those of columns."""
    for j in reversed(range(len(columns))):
        message = message.replace(f"x{j}", f"{columns[j].term}={columns[j].level}")
    return message


def _counts(rows: Rows, columns: Sequence[Term], cause: int | None) -> np.ndarray:
    """Of each coefficient: stays, exits and households of its level, stays and exits of the model in its months."""
    event = rows.data["event"].to_numpy()
    departed = event > 0 if cause is None else event == cause
    start, time = rows.data["start"].to_numpy(), rows.data["time"].to_numpy()
    household, names = pd.factorize(rows.data["household_id"])
    n_stays, n_households = int(rows.stay.max(initial=-1)) + 1, len(names)
    months = {(column.from_month, column.to_month) for column in columns}
    observed = {(a, b): (start < b) & (time > a) for a, b in months}
    of_model = {key: [distinct(rows.stay[at], n_stays), departed[at].sum()] for key, at in observed.items()}
    counts = []
    for j, column in enumerate(columns):
        key = column.from_month, column.to_month
        exposed = np.flatnonzero(observed[key] & (rows.x[:, j] > 0))
        counts.append(
            [
                distinct(rows.stay[exposed], n_stays),
                departed[exposed].sum(),
                distinct(household[exposed], n_households),
                *of_model[key],
            ]
        )
    return np.array(counts, dtype=float).reshape(len(counts), len(COUNTS)).T


def distinct(codes: np.ndarray, size: int) -> int:
    """
    How many different codes there are, all below `size`: marked, where sorting them would take several times as long.

    Examples
    --------
    >>> distinct(np.array([3, 1, 3]), 4)
    2
    """
    is_present = np.zeros(size, dtype=bool)
    is_present[codes] = True
    return int(is_present.sum())


def matrix_rows(frames: Sequence[pd.DataFrame], events: Sequence[np.ndarray], terms: Terms) -> Draws:
    """The rows of each draw."""
    return Draws(
        len(frames),
        lambda k: rows_of(
            frames[k],
            events[k],
            terms.matrix(k),
            terms.labels[k].add_prefix("level_"),
        ),
    )


# ----------------------------------------------------------------------------------------------------
# Is a hazard ratio the same all along? The tests over all draws, and what is done where it is not.
#
# Each coefficient's score test (survival.cox) is divided by its design effect and joined over the draws.
# p-values are adjusted for the number of coefficients of the model (Holm 1979). Where a term fails at `LEVEL`:
#
# - a term of `OF_INTEREST` gets one coefficient up to month `SPLIT` and one from then on (`split_at_12`), if each of
# its levels has enough exits on both sides in every draw; else it keeps one, an average over the months seen
# (`average_effect`); - any other becomes a stratum: a baseline hazard a level and no coefficient (`stratified`).
#
# Exits that nobody has told of are drawn as if hazards were proportional (imputation.py): where they are many, a change
# over time is seen less than it is. The model is fitted again once, and not tested again. A model of the
# subdistribution is not refitted: its covariates do not change over time; its coefficient is said to be an average.

LEVEL, SPLIT = 0.05, 12.0
OF_INTEREST = ("city_size", "immigration_category", "job_found", "housing_found", "french")


def tests_of(model: str, fitted: Joined) -> pd.DataFrame:
    """
    The joined tests of one model.

    Returns
    -------
    DataFrame
        model, term, level (the last row's term is GLOBAL), statistic (D₂), df, p_value, adjusted_p, action (to be
        filled in).
    """
    n = len(fitted.columns)
    tests = [joined_chi2(fitted.tests[:, j], 1) for j in range(n)]
    tests.append(joined_chi2(fitted.tests[:, n], max(n, 1)))
    p = np.array([p for _, p in tests])
    return pd.DataFrame(
        {
            "model": model,
            "term": [*(c.term for c in fitted.columns), "GLOBAL"],
            "level": [*(c.level for c in fitted.columns), ""],
            "statistic": [value for value, _ in tests],
            "df": [*[1] * n, n],
            "p_value": p,
            "adjusted_p": np.append(holm(p[:-1]), p[-1]),
            "action": "none",
        }
    )


def actions_of(tests: pd.DataFrame, draws: Draws, columns: Sequence[Term]) -> dict[str, str]:
    """What is done with each term that fails."""
    failing = tests.loc[tests["adjusted_p"].lt(LEVEL) & tests["term"].ne("GLOBAL"), "term"].unique()
    actions = {}
    for term in failing:
        chosen = np.array([column.term == term for column in columns])
        if term not in OF_INTEREST:
            actions[term] = "stratified"
        else:
            actions[term] = "split_at_12" if _splits(draws, chosen) else "average_effect"
    return actions


def _splits(draws: Draws, chosen: np.ndarray) -> bool:
    """Whether the reference and each of these levels have enough exits on both sides in every draw."""
    for rows in draws:
        departed, late = rows.data["event"].to_numpy() > 0, rows.data["time"].to_numpy() > SPLIT
        levels = np.column_stack([rows.x[:, chosen], 1 - rows.x[:, chosen].sum(axis=1)])
        for side in (departed & late, departed & ~late):
            if (levels[side].sum(axis=0) < LEAST).any():
                return False
    return True


def acted(draws: Draws, columns: Sequence[Term], actions: dict[str, str]) -> tuple[Draws, list[Term], list[str]]:
    """The rows, coefficients and strata of the second fit."""
    stratified = [term for term, action in actions.items() if action == "stratified"]
    split_terms = [term for term, action in actions.items() if action == "split_at_12"]
    keep_column = np.array([column.term not in stratified for column in columns])
    remaining = [column for column, keep in zip(columns, keep_column, strict=True) if keep]
    split = np.array([column.term in split_terms for column in remaining], dtype=bool)
    rows = draws.changed(lambda _, draw_rows: replace(draw_rows, x=draw_rows.x[:, keep_column]))
    if split.any():
        rows = rows.changed(lambda _, draw_rows: cut(draw_rows, SPLIT, split))
        split_columns = [column for column, s in zip(remaining, split, strict=True) if s]
        remaining = [
            *(column for column, s in zip(remaining, split, strict=True) if not s),
            *(replace(column, to_month=SPLIT) for column in split_columns),
            *(replace(column, from_month=SPLIT) for column in split_columns),
        ]
    return rows, remaining, [f"level_{term}" for term in stratified]


# ----------------------------------------------------------------------------------------------------
# Services received after the establishment as time-varying exposure: nobody is exposed before they were served.
#
# A service counts from the month after the one in which it was received, to the end of the stay. Who was served late
# had to stay until then: counted from the establishment, that would make every service seem to keep people (immortal
# time; Suissa 2008). A service of the month in which the person left does not count.

SERVICE = "service"
_KEYS = ["person_id", "episode"]


def services_in_stays(stays: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """
    The services received in the region of a stay, after the day of the establishment.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`.
    records, persons : DataFrame
        The tables `records` and `persons`.

    Returns
    -------
    DataFrame
        person_id, episode, month (since the latest day of the establishment), service. A service of an organisation
        of the metropole is none of the region; one after another stay began is of that stay.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> services_in_stays(*example_tables()).round(2).values.tolist()  # those of the metropole are none of the region
    [['a', 1, 0.97, 'reception']]
    """
    services = records.loc[
        records["service"].notna()
        & records["service_date_earliest"].notna()
        & ~records["organisation_zone"].eq(METROPOLE),
        ["record_id", "service", "service_date_earliest"],
    ].merge(persons[["record_id", "person_id"]], on="record_id")
    begun = stays[[*_KEYS, "establishment_latest"]].dropna().sort_values("establishment_latest", kind="stable")
    received = pd.merge_asof(
        services.sort_values("service_date_earliest", kind="stable"),
        begun,
        by="person_id",
        left_on="service_date_earliest",
        right_on="establishment_latest",
    ).dropna(subset=["episode"])
    month = months_between(received["establishment_latest"], received["service_date_earliest"])
    received = received.assign(month=month, episode=received["episode"].astype("int64"))
    columns = [*_KEYS, "month", "service"]
    return received.loc[received["month"] > 0, columns].sort_values(columns, ignore_index=True)


def first_months(frame: pd.DataFrame, services: pd.DataFrame) -> pd.DataFrame:
    """
    The month in which each stay first received each service: stays × services, missing where never.

    Services up to the establishment (months ≤ 0) are none that were received in the region, and do not count.
    """
    dated = services.dropna(subset=["month", "service"])
    dated = dated[dated["month"] > 0]
    position = pd.Series(np.arange(len(frame)), index=pd.MultiIndex.from_frame(frame[_KEYS]))
    stay_position = position.reindex(pd.MultiIndex.from_frame(dated[_KEYS])).to_numpy(dtype=float)
    in_stay = dated[~np.isnan(stay_position)].assign(stay=stay_position[~np.isnan(stay_position)].astype(np.int64))
    in_stay = in_stay.assign(month=ceil_month(in_stay["month"]))
    first = in_stay.groupby(["stay", "service"])["month"].min().unstack("service")
    return first.reindex(np.arange(len(frame)))


def exposed_rows(rows: Rows, first: pd.DataFrame, names: Sequence[str]) -> Rows:
    """Each stay cut where a service begins to count, with a column a service (1 once it was received)."""
    since = first[list(names)].to_numpy(dtype=float)
    start, time = rows.data["start"].to_numpy(), rows.data["time"].to_numpy()
    cuts = np.column_stack([start, np.where((since > start[:, None]) & (since < time[:, None]), since, np.nan)])
    stay, which = np.nonzero(~np.isnan(cuts))
    pairs = np.unique(np.column_stack([stay, cuts[stay, which]]), axis=0)
    stay, begin = pairs[:, 0].astype(np.int64), pairs[:, 1]
    last = np.append(stay[1:] != stay[:-1], True)
    end = np.where(last, time[stay], np.append(begin[1:], 0.0))
    data = rows.data.iloc[stay].reset_index(drop=True)
    data = data.assign(start=begin, time=end, event=np.where(last, data["event"], 0))
    received = (since[stay] <= begin[:, None]).astype(float)
    return Rows(data, np.hstack([rows.x[stay], received]), rows.stay[stay])


def enough(draws: Iterable[Rows], firsts: Sequence[pd.DataFrame]) -> tuple[list[str], list[str]]:
    """Services that enough stays received, and did not receive, to be terms (as levels); and the others."""
    names = [str(name) for name in firsts[0].columns]
    fine = np.ones(len(names), dtype=bool)
    for rows, first in zip(draws, firsts, strict=True):
        departed = rows.data["event"].to_numpy() > 0
        had_service = first.to_numpy(dtype=float) < rows.data["time"].to_numpy()[:, None]
        for side in (had_service, ~had_service):
            fine &= (side.sum(axis=0) * departed.mean() >= LEAST) & ((side & departed[:, None]).sum(axis=0) >= FEWEST)
    return [n for n, f in zip(names, fine, strict=True) if f], [n for n, f in zip(names, fine, strict=True) if not f]


def service_terms(names: Sequence[str]) -> tuple[Term, ...]:
    """A coefficient a service: from the month after it was received on."""
    return tuple(Term(SERVICE, name) for name in names)


# ----------------------------------------------------------------------------------------------------
# What goes with staying: all models of one run, as tidy tables.
#
# Cox models tell who leaves sooner; cause-specific ones why (towards which destination the rate is higher), Fine–Gray
# ones how many end where: both, never one alone, since a covariate that lowers one rate leaves more persons to the
# others (Latouche et al. 2013). Complete cases stand beside. Every number is an association, not a cause.

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
    analysis/models.py. Effects of services on exits that nobody has told of are drawn towards none: the draws
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
    models: dict[str, Callable[[str], Any]] = {
        "cox": lambda name: _cox(name, frames, None),
        "complete_cases": lambda name: _cox(name, complete, None),
        "discrete": lambda name: _discrete(frames, services),
    }
    for k, destination in enumerate(CAUSES, start=1):
        if destination != "other_region" or study.scope == "region":
            models[f"cause_{destination}"] = functools.partial(_cox, frames=frames, cause=k)
            models[f"subdistribution_{destination}"] = functools.partial(_subdistribution, frames=frames, cause=k)
    unknown = [name for name in only or () if name not in models]
    if unknown:
        raise ValueError(f"only: {', '.join(unknown)} is no model; they are {', '.join(models)}.")
    results = [fitted(name) for name, fitted in models.items() if only is None or name in only]
    parts = zip(*results, strict=True)
    tables = [pd.concat([part for part in each if len(part)] or [each[0]], ignore_index=True) for each in parts]
    return Models(*tables)


# ── the models ───────────────────────────────────────────────────────────────────────────────────────────
def _cox(model: str, frames: Sequence[pd.DataFrame], cause: int | None):
    departed = [(f["cause"].to_numpy() > 0) if cause is None else (f["cause"].to_numpy() == cause) for f in frames]
    terms = terms_of(frames, departed)
    if not _possible(departed, terms):
        return _nothing(model, frames, departed, "too_few_exits")
    draws = matrix_rows(frames, departed, terms)
    fitted = over_draws("cox", draws, terms.columns)
    if fitted.fault:
        return _nothing(model, frames, departed, "not_estimable", fitted.fault)
    tests = tests_of(model, fitted)
    actions = actions_of(tests, draws, terms.columns)
    if {"split_at_12", "stratified"} & set(actions.values()):
        rows, columns, strata = acted(draws, terms.columns, actions)
        again = over_draws("cox", rows, columns, strata=[REGION, *strata]) if columns else fitted
        # where the second fit fails, the first is kept, with the note that it is an average
        if again.fault or not columns:
            actions = dict.fromkeys(actions, "average_effect")
        else:
            fitted = again
    tests["action"] = tests["term"].map(actions).fillna("none")
    return _tables(model, frames, departed, fitted, terms, tests, actions)


def _subdistribution(model: str, frames: Sequence[pd.DataFrame], cause: int):
    departed = [f["cause"].to_numpy() == cause for f in frames]
    terms = terms_of(frames, departed, (*TERMS, REGION))
    if not _possible(departed, terms):
        return _nothing(model, frames, departed, "too_few_exits")
    draws = matrix_rows(frames, [f["cause"].to_numpy() for f in frames], terms)
    fitted = over_draws("subdistribution", draws, terms.columns, cause=cause)
    if fitted.fault:
        return _nothing(model, frames, departed, "not_estimable", fitted.fault)
    tests = tests_of(model, fitted)
    failing = tests.loc[tests["adjusted_p"].lt(LEVEL) & tests["term"].ne("GLOBAL"), "term"]
    actions = dict.fromkeys(failing, "average_effect")
    tests["action"] = tests["term"].map(actions).fillna("none")
    return _tables(model, frames, departed, fitted, terms, tests, actions)


def _discrete(frames: Sequence[pd.DataFrame], services: pd.DataFrame | None):
    model = "discrete"
    departed = [f["cause"].to_numpy() > 0 for f in frames]
    terms = terms_of(frames, departed, (*TERMS, REGION))
    if not _possible(departed, terms):
        return _nothing(model, frames, departed, "too_few_exits")
    draws, columns = matrix_rows(frames, departed, terms), terms.columns
    few: list[str] = []
    if services is not None:
        firsts = [first_months(frame, services) for frame in frames]
        names, few = enough(draws, firsts)
        draws = draws.changed(lambda k, rows: exposed_rows(rows, firsts[k], names))
        columns = (*columns, *service_terms(names))
    fitted = over_draws("discrete", draws, columns)
    if fitted.fault:
        return _nothing(model, frames, departed, "not_estimable", fitted.fault)
    added = pd.DataFrame({"term": SERVICE, "level": few, "note": "too_few_exits"})
    terms = Terms(terms.columns, terms.labels, pd.concat([terms.left, added], ignore_index=True))
    return _tables(model, frames, departed, fitted, terms, pd.DataFrame(columns=TESTS), {})


def _possible(departed: Sequence[np.ndarray], terms: Terms) -> bool:
    return min(int(gone.sum()) for gone in departed) >= LEAST and any(c.term != REGION for c in terms.columns)


# ── their tables ─────────────────────────────────────────────────────────────────────────────────────────
def _tables(
    model: str,
    frames: Sequence[pd.DataFrame],
    departed: Sequence[np.ndarray],
    fitted: Joined,
    terms: Terms,
    tests: pd.DataFrame,
    actions: dict[str, str],
):
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
    coefficients = pd.concat(
        [
            terms.left,
            pd.DataFrame({"term": stratified, "level": None, "note": "stratified"}),
        ],
        ignore_index=True,
    )
    coefficients = coefficients[coefficients["term"].ne(REGION)].assign(model=model)
    table = pd.concat([table, coefficients], ignore_index=True) if len(coefficients) else table
    table["reference"] = table["term"].map(_references(terms))
    return _shaped(table), tests[list(TESTS)], _fit_row(model, frames, departed, len(fitted.columns), None, None)


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
    references = {SERVICE: "not_received"}
    for term in dict.fromkeys(column.term for column in terms.columns):
        levels = {column.level for column in terms.columns if column.term == term}
        references[term] = next(iter(sorted(set(terms.labels[0][term].unique()) - levels)), "")
    return references


def _nothing(model: str, frames, departed, note: str, detail: str | None = None):
    """A model that cannot be: one row that says so."""
    detail = detail or (
        f"A model needs {LEAST} exits in every draw and {PER_COEFFICIENT} for each coefficient: "
        f"the fewest are {min((int(gone.sum()) for gone in departed), default=0)}."
    )
    row = pd.DataFrame({"model": [model], "term": [None], "level": [None], "note": [note]})
    return _shaped(row), pd.DataFrame(columns=TESTS), _fit_row(model, frames, departed, 0, note, detail)


def _shaped(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Models.coefficients`, in order."""
    numbers = {name: np.nan for name in COEFFICIENTS if name not in table}
    table = table.assign(**numbers)[list(COEFFICIENTS)]
    for name in ("term", "level", "reference", "note", "reading"):
        table[name] = table[name].astype(object).where(table[name].notna(), None)
    return table


def _fit_row(model: str, frames, departed, n_coefficients: int, note: str | None, detail: str | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": [model],
            "n_stays": [len(frames[0])],
            "n_households": [frames[0]["household_id"].nunique()],
            "n_events": [float(np.mean([gone.sum() for gone in departed]))],
            "n_coefficients": [n_coefficients],
            "draws": [len(frames)],
            "note": [note],
            "detail": [detail],
        }
    )[list(FITS)]


__all__ = ["Models", "fit_models", "services_in_stays"]
