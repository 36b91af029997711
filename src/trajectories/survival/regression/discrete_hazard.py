"""Discrete-time hazard of leaving in a month, with the complementary log-log link: proportional hazards by the month.

h(m | x) = 1 − exp(−e^{α(m) + xβ}) is the chance of leaving in month m of a person still there. Where exits happen in
continuous time under proportional hazards and are known by the month, β is the log hazard ratio of that model (Prentice
& Gloeckler 1978; Allison 1982). Covariates may change from row to row (start–stop rows), α is constant in pieces or
free by the month. Fitted by statsmodels' GLM on cells that hold the person-months exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.display import as_html, plot, to_frame
from trajectories.survival.checks import Floats, Integers, Sample, normal_quantile, one_of, refuse, times
from trajectories.survival.jackknife import cluster_sums
from trajectories.survival.regression.covariates import (
    NO_STRATA,
    Covariates,
    Design,
    Strata,
    coefficient_table,
    design,
    read_sample,
    with_intercept,
)

# ----------------------------------------------------------------------------------------------------
# Person-months without writing them out: rows (start, stop] counted into cells of equal hazard, and their scores.
#
# A row is at risk in the whole months start + 1 … stop, and what happened to it happened in the last. Within a piece
# of the baseline, a stratum and a pattern of covariates every month has the same hazard, so months and events are
# counted (n and d of a cell) and the likelihood of the cells is that of the person-months, exactly. Scores for the
# clustered covariance are summed from the rows themselves: a cell mixes households.

ROWS_AT_ONCE = 50_000  # of scores held in memory


@dataclass(frozen=True)
class Months:
    """Checked rows: whole months, covariates (terms × rows), and the baseline they belong to."""

    start: Integers
    stop: Integers
    event: np.ndarray
    weights: Floats
    x: Floats
    stratum: Integers
    n_strata: int
    ends: Integers  # the last month of each piece, increasing; the last is the last month at risk

    @property
    def begins(self) -> Integers:
        """The month before the first of each piece."""
        return np.concatenate([[0], self.ends[:-1]])

    @property
    def n_pieces(self) -> int:
        return len(self.ends)

    @property
    def n_baselines(self) -> int:
        """Pieces of all strata: baseline b is piece b % n_pieces of stratum b // n_pieces."""
        return self.n_strata * self.n_pieces

    @property
    def last_piece(self) -> Integers:
        """The piece of each row's last month."""
        return np.searchsorted(self.ends, self.stop)

    def at_risk(self, piece: int) -> Integers:
        """Months of each row in a piece."""
        return np.maximum(np.minimum(self.stop, self.ends[piece]) - np.maximum(self.start, self.begins[piece]), 0)


@dataclass(frozen=True)
class Cells:
    """Person-months n and events d of each pattern and baseline seen together."""

    n: Floats
    d: Floats
    baseline: Integers
    x: Floats  # terms × cells


def cells_of(rows: Months) -> Cells:
    """Counts the person-months."""
    frame = pd.DataFrame(np.vstack([rows.stratum, rows.x]).T)
    pattern = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    n_patterns = int(pattern.max()) + 1
    first = np.empty(n_patterns, np.int64)
    first[pattern[::-1]] = np.arange(len(pattern))[::-1]
    shape = (rows.n_pieces, n_patterns)
    n = np.array([np.bincount(pattern, rows.weights * rows.at_risk(j), n_patterns) for j in range(rows.n_pieces)])
    key = rows.last_piece * n_patterns + pattern
    d = np.bincount(key, rows.weights * rows.event, rows.n_pieces * n_patterns).reshape(shape).astype(float, copy=False)
    piece, column = np.nonzero(n > 0)
    owner = first[column]
    return Cells(n[piece, column], d[piece, column], rows.stratum[owner] * rows.n_pieces + piece, rows.x[:, owner])


def whole_clusters(cluster: Integers) -> Iterator[Integers]:
    """Rows of whole clusters, about `ROWS_AT_ONCE` together."""
    order = np.argsort(cluster, kind="stable")
    breaks = np.flatnonzero(np.diff(cluster[order], prepend=-1))  # where each cluster begins
    goals = np.arange(0, len(order), ROWS_AT_ONCE)
    cuts = np.unique(breaks[np.searchsorted(breaks, goals, side="right") - 1])
    yield from np.split(order, cuts[1:])


def clustered_information(rows: Months, log_hazard: Floats, beta: Floats, cluster: Integers) -> Floats:
    """Σ over clusters of the products of their summed scores: baselines first, then the terms.

    `log_hazard` is η of each baseline at covariates 0 (±∞ where the hazard is 0 or 1: nothing to learn there).
    """
    n_baselines, size = rows.n_baselines, rows.n_baselines + len(beta)
    total = np.zeros((size, size))
    finite = np.isfinite(log_hazard)
    with np.errstate(over="ignore"):
        for chosen in whole_clusters(cluster):
            cluster_rows = of_rows(rows, chosen)
            scores = np.zeros((len(chosen), size))
            effect = beta @ cluster_rows.x
            here = np.arange(len(chosen))
            for j in range(rows.n_pieces):
                b = cluster_rows.stratum * rows.n_pieces + j
                rate = np.where(finite[b], np.exp(np.where(finite[b], log_hazard[b], 0.0) + effect), 0.0)
                has_event = cluster_rows.event & (cluster_rows.last_piece == j) & (rate > 0)
                chance = -np.expm1(-np.where(has_event, rate, 1.0))
                slope = cluster_rows.weights * (
                    np.where(has_event, rate / chance, 0.0) - cluster_rows.at_risk(j) * rate
                )
                scores[here, b] = slope
                scores[:, n_baselines:] += slope[:, None] * cluster_rows.x.T
            _, owner = np.unique(cluster[chosen], return_inverse=True)
            summed = cluster_sums(scores, owner)
            total += summed.T @ summed
    return total


def of_rows(rows: Months, chosen: Integers) -> Months:
    """Some of the rows."""
    return Months(
        rows.start[chosen],
        rows.stop[chosen],
        rows.event[chosen],
        rows.weights[chosen],
        rows.x[:, chosen],
        rows.stratum[chosen],
        rows.n_strata,
        rows.ends,
    )


def piece_ends(baseline: str, pieces: Sequence[int], last: int) -> Integers:
    """The last month of each piece, up to the last month at risk."""
    if baseline == "month":
        return np.arange(1, last + 1)
    bounds = np.asarray(list(pieces), dtype=float)
    if bounds.ndim != 1 or not np.all(np.isfinite(bounds) & (bounds > 0) & (bounds == np.floor(bounds))):
        raise ValueError(f"pieces: {pieces!r} are not whole months above 0")
    if not np.all(np.diff(bounds) > 0):
        raise ValueError(f"pieces: {pieces!r} do not increase")
    inside = bounds[bounds < last].astype(np.int64)
    return np.append(inside, last)


# ----------------------------------------------------------------------------------------------------

PIECES = (3, 6, 12, 24, 36)
MOST_STEPS = 100
TOLERANCE = 1e-10  # of the coefficients, in an iteration
FARTHEST = 15.0  # a log hazard ratio across a covariate's range that only an infinite one reaches


@dataclass(frozen=True, eq=False)
class DiscreteFit:
    """What `discrete_hazard` returns.

    `table` (see there) · `covariance` and `robust_covariance` (None without a cluster or such weights) of the terms, in
    its order · `log_likelihood` of the person-months · `baseline`, at covariates 0: stratum (where given), first and
    last month of the piece, n_risk (person-months), n_event, hazard (per month, 0–1), lower, upper · `n_months`,
    `n_events` (weighted), `n_cells` (fitted).
    """

    table: pd.DataFrame
    covariance: Floats
    robust_covariance: Floats | None
    log_likelihood: float
    baseline: pd.DataFrame
    n_months: float
    n_events: float
    n_cells: int
    _design: Design = field(repr=False)
    _strata: Strata = field(repr=False)

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame

    def predict_survival(self, newdata: pd.DataFrame, times: ArrayLike) -> pd.DataFrame:
        """S(t | x): a row per row of `newdata` and a column per time; whole months passed count.

        Missing from the first month at which nobody of the stratum was at risk.
        """
        return predicted(self, newdata, times)


def predicted(fit: DiscreteFit, newdata: pd.DataFrame, when: ArrayLike) -> pd.DataFrame:
    """See `DiscreteFit.predict_survival`."""
    moments = times("times", when)
    effect = fit.table["coef"].to_numpy() @ fit._design.matrix(newdata)
    base = fit.baseline
    label = fit._strata.of(newdata)
    values = np.full((len(newdata), len(moments)), np.nan)
    parts = [(slice(None), base)]
    if label is not None:
        unknown = ~label.isin(base["stratum"]).to_numpy()
        refuse("strata", unknown, "are no stratum of the fit")
        parts = [((label == name).to_numpy(), rows) for name, rows in base.groupby("stratum", sort=False)]
    for chosen, rows in parts:
        begins, ends = rows["first_month"].to_numpy() - 1, rows["last_month"].to_numpy()
        spent = np.clip(np.minimum(np.floor(moments)[:, None], ends) - begins, 0, None)  # times × pieces
        with np.errstate(divide="ignore"):
            rate = -np.log1p(-rows["hazard"].to_numpy())
        # A hazard of 1 ends the curve, an unknown one makes it unknown; neither counts before its first month.
        used = np.where(spent > 0, spent * np.where(spent > 0, rate, 0.0), 0.0).sum(axis=1)
        beyond = np.floor(moments) > ends.max()
        used = np.where(beyond & (used < np.inf), np.nan, used)
        with np.errstate(over="ignore", invalid="ignore"):
            values[chosen] = np.where(used == 0, 1.0, np.exp(-np.outer(np.exp(effect[chosen]), used)))
    return pd.DataFrame(values, index=newdata.index, columns=moments)


def discrete_hazard(  # noqa: PLR0913  # options by keyword, with defaults
    data: pd.DataFrame,
    *,
    stop: str,
    event: str,
    covariates: Covariates,
    start: str | None = None,
    baseline: str = "piecewise",
    pieces: Sequence[int] = PIECES,
    strata: str | Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> DiscreteFit:
    """Hazard per month by complementary log-log regression on person-months.

    Parameters
    ----------
    data : DataFrame
        A row per person, or per piece (start, stop] of a person's time (covariates that change).
    stop, start : str
        Columns of whole months: the row is at risk in months start + 1 … stop (from month 1 where no start is given).
    event : str
        Column, 0 = none, 1 = left, in month `stop`.
    covariates : list of str, or str
        Columns of numbers, or a formula, without the intercept.
    baseline : {"piecewise", "month"}
        α constant within `pieces`, or one a month.
    pieces : increasing whole months
        (3, 6, 12): α of months 1–3, 4–6, 7–12, and from 13 on.
    strata : str or list of str, optional
        Columns: a baseline each.
    weights : str, optional
        Column, from 0 up. Whole numbers are frequencies; others give the robust covariance.
    cluster : str, optional
        Column of households (of persons, where a person has several rows with weights that are not whole).
    conf_level : float
        Of the limits.

    Returns
    -------
    DiscreteFit
        `.table`: term, coef, se (inverse of the expected information), robust_se (missing without cluster or such
        weights), z, p_value, hazard_ratio, lower, upper. `.baseline`, `.predict_survival(newdata, times)`.

    Raises
    ------
    ValueError
        For a missing or negative value, months that are not whole, stop ≤ start, a stop of 0, no event at all (« no
        event to fit »), a covariate that is constant, a combination of others and the baseline, or of which everyone
        with an event has the lowest or the highest value (its coefficient would be infinite).

    Notes
    -----
    A piece in which nobody left has hazard 0, one in which everyone did has 1, and one in which nobody was at risk has
    none; neither changes the rest of the fit, which is the maximum over all of it. Robust covariance: scores of the
    person-months summed within clusters, no small-sample factor. R, on the person-months:
    ``glm(y ~ piece + x, family = binomial("cloglog"))``, ``sandwich::vcovCL(cluster = household, type = "HC0",
    cadjust = FALSE)``. Not in tests/golden; largest difference from statsmodels on the person-months of 250 to 1,200
    persons of its cohort, written out: 1e-14 (coefficients), 3e-14 (both standard errors), 2e-13 (log-likelihood).
    statsmodels' own clustered covariance takes the observed information as its bread, where R's and this take the
    expected one: it differs by up to 1e-4. Memory: cells × (pieces × strata + terms) numbers, where a cell is a pattern
    of covariates in a piece; a covariate of many values gives as many patterns.

    Examples
    --------
    >>> data = pd.DataFrame({"months": [2, 5, 9, 4, 7, 9], "left": [1, 1, 0, 1, 0, 0], "x": [1, 1, 1, 0, 0, 0]})
    >>> fit = discrete_hazard(data, stop="months", event="left", covariates=["x"], pieces=[6])
    >>> fit.table["hazard_ratio"].round(3).tolist(), fit.baseline["hazard"].round(3).tolist()
    ([2.588], [0.062, 0.0])
    """
    normal_quantile(conf_level)
    one_of("baseline", baseline, ("piecewise", "month"))
    grouping = NO_STRATA if strata is None else Strata((strata,) if isinstance(strata, str) else tuple(strata))
    persons, used = read_sample(
        data, time=stop, event=event, entry=start, weights=weights, cluster=cluster, strata=grouping
    )
    for name, months in ((stop, persons.time), (start, persons.entry)):
        if months is not None:
            refuse(str(name), months != np.floor(months), "are not whole months")
    refuse(stop, persons.time == 0, "are 0: no month at risk")
    if not (persons.cause > 0).any():
        raise ValueError(f"{event} (event): no event to fit in {len(persons.time)} rows")
    terms, x = design(used, covariates)
    scale = with_intercept(x, persons.weights, terms.names).matrix
    rows = months_of(persons, x, piece_ends(baseline, pieces, int(persons.time.max())))
    fit = fit_cells(rows, scale, terms.names)
    robust = None
    if persons.robust:
        cluster_of = np.arange(len(persons.time)) if persons.cluster is None else persons.cluster
        meat = clustered_information(rows, fit.log_hazard, fit.beta, cluster_of)
        learnt = np.concatenate([np.isfinite(fit.log_hazard), np.ones(len(fit.beta), bool)])
        robust = fit.covariance @ meat[np.ix_(learnt, learnt)] @ fit.covariance
    k = len(fit.beta)
    of_terms = None if robust is None else robust[-k:, -k:]
    covariance = fit.covariance[-k:, -k:]
    return DiscreteFit(
        coefficient_table(terms.names, fit.beta, covariance, of_terms, "hazard_ratio", conf_level),
        covariance,
        of_terms,
        fit.log_likelihood,
        baseline_table(rows, persons, fit, fit.covariance if robust is None else robust, conf_level),
        float(fit.n_risk.sum()),
        float(fit.n_event.sum()),
        fit.n_cells,
        terms,
        grouping,
    )


def months_of(persons: Sample, x: Floats, ends: np.ndarray) -> Months:
    """The checked rows as whole months."""
    begins = np.zeros(len(persons.time)) if persons.entry is None else persons.entry
    return Months(
        begins.astype(np.int64),
        persons.time.astype(np.int64),
        persons.cause > 0,
        persons.weights,
        x,
        persons.group,
        persons.n_groups,
        ends,
    )


@dataclass(frozen=True)
class Fitted:
    """η of each baseline at covariates 0 and the coefficients; `covariance` leaves out baselines at ±∞ or unknown."""

    log_hazard: Floats
    beta: Floats
    covariance: Floats
    log_likelihood: float
    n_risk: Floats
    n_event: Floats
    n_cells: int


def fit_cells(rows: Months, scale: Floats, names: Sequence[str]) -> Fitted:
    """The maximum likelihood fit by statsmodels, on covariates centred and divided by their standard deviation."""
    cells = cells_of(rows)
    n_risk, n_event = (
        np.bincount(cells.baseline, x, rows.n_baselines).astype(float, copy=False) for x in (cells.n, cells.d)
    )
    log_hazard = np.where(n_event > 0, np.inf, np.where(n_risk > 0, -np.inf, np.nan))
    free = (n_event > 0) & (n_event < n_risk)
    if not free.any():
        raise ValueError("event: in each piece everyone or nobody leaves; the covariates have nothing to tell apart")
    inside = free[cells.baseline]
    cells = Cells(cells.n[inside], cells.d[inside], cells.baseline[inside], cells.x[:, inside])
    refuse_infinite(cells, names)
    column = np.cumsum(free) - 1
    n_free, k = int(free.sum()), len(names)
    z = np.zeros((len(cells.n), n_free + k))
    z[np.arange(len(cells.n)), column[cells.baseline]] = 1.0
    z[:, n_free:] = (scale[1:, 1:] @ cells.x + scale[0, 1:, None]).T
    level = np.log(-np.log1p(-n_event[free] / n_risk[free]))
    inner = iterated(cells, z, np.concatenate([level, np.zeros(k)]), names)
    eta = z @ inner
    with np.errstate(over="ignore", under="ignore"):
        rate = np.exp(eta)
        gain = np.where(cells.d > 0, np.log(-np.expm1(-rate)), 0.0)
        curvature = cells.n * rate**2 / np.expm1(np.minimum(rate, 700.0))
    information = (z * curvature[:, None]).T @ z
    back = np.eye(n_free + k)
    back[n_free:, n_free:] = scale[1:, 1:]
    back[:n_free, n_free:] = scale[0, 1:]
    coef = back @ inner
    log_hazard[free] = coef[:n_free]
    return Fitted(
        log_hazard,
        coef[n_free:],
        back @ inverse(information, float(cells.d.sum()), n_free, names) @ back.T,
        float(cells.d @ gain - (cells.n - cells.d) @ rate),
        n_risk,
        n_event,
        len(cells.n),
    )


def refuse_infinite(cells: Cells, names: Sequence[str]) -> None:
    """Names the terms of which everyone who left has the same extreme value."""
    x_of_events = cells.x[:, cells.d > 0]
    highest, lowest = cells.x.max(axis=1), cells.x.min(axis=1)
    extreme = (x_of_events.min(axis=1) == highest) | (x_of_events.max(axis=1) == lowest)
    if extreme.any():
        raise infinite([name for name, bad in zip(names, extreme, strict=True) if bad])


def infinite(names: Sequence[str]) -> ValueError:
    """What is wrong where coefficients have no maximum, and what to do."""
    return ValueError(
        f"covariates: infinite coefficient of {', '.join(names)}, because nobody leaves on one side of it (a level "
        "without an event, for instance), or it is told by the others and the baseline: merge levels or leave it out"
    )


def iterated(cells: Cells, z: Floats, start: Floats, names: Sequence[str]) -> Floats:
    """The coefficients by statsmodels' iteratively reweighted least squares."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.families.links import CLogLog
    from statsmodels.genmod.generalized_linear_model import GLM

    model: Any = GLM(cells.d / cells.n, z, family=Binomial(link=CLogLog()), freq_weights=cells.n)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they warn of is refused below
        try:
            result = model.fit(
                start_params=start, maxiter=MOST_STEPS, tol=TOLERANCE, tol_criterion="params", atol=TOLERANCE, rtol=0.0
            )
        except (ValueError, np.linalg.LinAlgError):
            raise infinite(names) from None
    if not result.converged or not np.isfinite(result.params).all():
        raise infinite(names)
    return np.asarray(result.params)


def inverse(information: Floats, events: float, n_free: int, names: Sequence[str]) -> Floats:
    """The covariance; refuses terms of which, given the others, almost nothing is known."""
    scale = 1 / np.sqrt(np.diag(information))
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    poor = np.diag(information)[n_free:] < 1e-10 * events
    if values[0] < 1e-10:
        poor |= np.abs(vectors[n_free:, 0]) > 0.1
    if poor.any() or values[0] < 1e-10:
        raise infinite([name for name, bad in zip(names, poor, strict=True) if bad] or names)
    result = (vectors / values) @ vectors.T * np.outer(scale, scale)
    return (result + result.T) / 2


def baseline_table(rows: Months, persons: Sample, fit: Fitted, covariance: Floats, conf_level: float) -> pd.DataFrame:
    """See `DiscreteFit.baseline`."""
    known = np.isfinite(fit.log_hazard)
    width = np.zeros(len(known))
    width[known] = normal_quantile(conf_level) * np.sqrt(np.diag(covariance)[: known.sum()])
    with np.errstate(over="ignore"):
        hazard, low, high = (-np.expm1(-np.exp(fit.log_hazard + side * width)) for side in (0, -1, 1))
    first = {} if persons.levels is None else {"stratum": np.repeat(persons.levels, rows.n_pieces)}
    columns = {
        "first_month": np.tile(rows.begins + 1, rows.n_strata),
        "last_month": np.tile(rows.ends, rows.n_strata),
        "n_risk": fit.n_risk,
        "n_event": fit.n_event,
        "hazard": hazard,
        "lower": np.where(known, low, np.nan),
        "upper": np.where(known, high, np.nan),
    }
    return pd.DataFrame({**first, **columns})
