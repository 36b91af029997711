"""Cox regression with Efron's or Breslow's ties, strata, delayed entry, start–stop rows, weights and clusters.

Fitted here rather than by lifelines: see the notes of `cox`. Compared with R survival 3.8.3 in
tests/golden/test_cox.py and tests/golden/test_cox_zph.py. fine_gray.py has its own risk sets, and this likelihood.

At an event row with d tied events of mean weight m, Efron counts the l-th of them (l = 0 … d − 1) against the sum
S − (l/d) s, S = Σ w e^η over those at risk and s over those who leave; Breslow counts each against S. With a_l = 1/(S −
(l/d) s), everything needed is in five sums over l, per row: m Σ a, m Σ f a, m Σ a², m Σ f a², m Σ f² a², f = l/d. A
person's share of the information's first part is x xᵀ times the hazard spent at risk, so one product X W Xᵀ replaces a
matrix of second moments at each row: an iteration costs one pass over persons. References: Cox (1972); Breslow (1974);
Efron (1977); Therneau & Grambsch (2000), ch. 3 (weights), 4.6 and 7 (score residuals under Efron's ties).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.display import as_html, plot, to_frame
from trajectories.survival.checks import Floats, Integers, Sample, one_of, refuse, times
from trajectories.survival.kaplan_meier import survival_of
from trajectories.survival.limits import LARGEST, chi2_tail, survival_limits
from trajectories.survival.regression.covariates import (
    NO_STRATA,
    Covariates,
    Design,
    Strata,
    check_independent,
    coefficient_table,
    design,
    names_have,
    read_sample,
)
from trajectories.survival.risk import RiskSets, risk_sets

TIES = ("efron", "breslow")
TRANSFORMS = ("km", "rank", "identity", "log")
MOST_STEPS = 60
MOST_HALVINGS = 30
CONVERGED = 1e-20  # squared distance to the maximum, in standard errors
FLAT, FAR = 1e-6, 0.1  # almost nothing to gain, and still a step of 10 % in somebody's hazard: a slope that never ends
NOTHING = 1e-10  # share of information below which it is a rounding error
MANY_TIES, NODES = 256, 16  # above so many ties of a row, halves of them are summed by so many values each
SAME_SCORE = 1e-11  # of the scores' range: two sums in another order are one score


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted Cox model.

    Attributes
    ----------
    table : DataFrame
        term, coef, se, robust_se, z, p_value, hazard_ratio, lower, upper: a row per term. robust_se is missing where
        the model's se holds; where it is given, z, p_value and the limits use it.
    covariance, robust_covariance : arrays of shape (terms, terms)
        Of the coefficients; robust_covariance is None where there is none.
    log_likelihood, log_likelihood_null : float
        At the estimate, and with all coefficients 0.
    tests : DataFrame
        test (likelihood ratio, score, wald, robust score), statistic, df, p_value: all coefficients are 0. The Wald
        test is robust where robust_se is; `robust score` is there only then. Both are missing where there are no more
        clusters than terms.
    baseline : DataFrame
        stratum (« all » without strata), time, cumulative_hazard: covariates at 0, a row at each time where anything
        ends.
    n, n_event : int
        Rows, and rows with an event.
    concordance, concordance_se : float
        Share of comparable pairs in which who leaves first has the higher hazard, and its jackknife se (over clusters).
    """

    table: pd.DataFrame
    covariance: NDArray[np.float64]
    robust_covariance: NDArray[np.float64] | None
    log_likelihood: float
    log_likelihood_null: float
    tests: pd.DataFrame
    baseline: pd.DataFrame
    n: int
    n_event: int
    _fitted: Fitted = field(repr=False)

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame

    @cached_property
    def _concordance(self) -> tuple[float, float]:
        fitted, data = self._fitted, self._fitted.point.likelihood
        cluster = np.arange(len(data.weights)) if fitted.cluster is None else fitted.cluster
        windows = data.windows
        return concordance(fitted.point.eta, data.weights, windows, data.deaths, cluster)  # type: ignore[arg-type]  # persons

    @property
    def concordance(self) -> float:
        return self._concordance[0]

    @property
    def concordance_se(self) -> float:
        return self._concordance[1]

    def test_proportional_hazards(self, transform: str = "km") -> pd.DataFrame:
        """Tests that each coefficient, and all of them together, stay the same over time.

        Parameters
        ----------
        transform : {"km", "rank", "identity", "log"}
            The function of time along which a coefficient may change.

        Returns
        -------
        DataFrame
            term (the last is GLOBAL), statistic, df, p_value.

        Notes
        -----
        The score test of x·g(t) in the model, with its model-based information; clusters do not enter. R:
        ``cox.zph(fit, transform, terms = FALSE)``. Largest difference seen over tests/golden: 8e-14.
        """
        return self._fitted.proportional_hazards(transform)

    def predict_survival(self, newdata: pd.DataFrame, times: ArrayLike) -> pd.DataFrame:
        """Survival of new persons: a row per person of `newdata` (its index), a column per time.

        `newdata` holds the covariates' columns, and the strata's where the model has strata; covariates are taken as
        they are, not centred. Before the first event S = 1; after a stratum's last time the curve stays flat.
        """
        hazard, _ = self._fitted.hazard(newdata, times, with_se=False)
        return pd.DataFrame(np.exp(-hazard), index=newdata.index, columns=list(np.asarray(times)))

    def predict_survival_table(self, newdata: pd.DataFrame, times: ArrayLike, conf_level: float = 0.95) -> pd.DataFrame:
        """The same with limits: person (index of newdata), time, survival, se, lower, upper (log-log).

        The se is that of the model, or the infinitesimal jackknife with clusters or weights that are not whole
        numbers. R: ``summary(survfit(fit, newdata, conf.type = "log-log"), times)``, whose baseline has no jackknife.
        """
        return self._fitted.survival_table(newdata, times, conf_level)


def cox(  # noqa: PLR0913  # options by keyword, with defaults
    data: pd.DataFrame,
    *,
    time: str,
    event: str,
    covariates: Covariates,
    entry: str | None = None,
    strata: str | Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    ties: str = "efron",
    conf_level: float = 0.95,
) -> CoxFit:
    """Cox regression.

    Parameters
    ----------
    data : DataFrame
        A row per person, or per piece of a person's time (start–stop rows, each with its entry and time).
    time, event : str
        Columns: when the row ends, in months (or any unit) from 0 up; 0 = censored, 1 = the event.
    covariates : list of str, or str
        Columns of numbers; or a formula (``"age + region"``), where a factor gives columns `name[level]` against its
        first level.
    entry : str, optional
        Column of the delayed entry, or of the start of a piece: at risk at t means entry < t ≤ time.
    strata : str or list of str, optional
        Columns: a baseline hazard each.
    weights : str, optional
        From 0 up. Whole numbers are frequencies (5 = five such rows); others give the robust covariance.
    cluster : str, optional
        Column of labels (households; persons, where one has several rows and several events): robust covariance.
    ties : {"efron", "breslow"}
        How events at the same time are counted.
    conf_level : float
        Of the limits of the hazard ratios.

    Returns
    -------
    CoxFit

    Raises
    ------
    ValueError
        With the column's name: unknown, missing values, not numbers, a constant or a combination of others, a
        negative time, a time not after its entry; no event to fit; one cluster; and a covariate that tells who leaves
        at each event, such as a level without any event (its coefficient is infinite: R gives a large number and a
        warning).

    Notes
    -----
    Cox (1972); ties Breslow (1974), Efron (1977). se: inverse information. robust_se, with a cluster or weights that
    are not whole numbers: Σ over clusters of the products of summed dfbeta, without small-sample factor (Lin & Wei
    1989). Newton's method, to 1e-10 of a standard error. With Efron's ties a row of whole weight k is k tied events, so
    that weights are repetitions; R counts it as one, and other weights are as in R.

    Decided: no event raises; one person, or a covariate that does not vary where events are, raises (it has no
    information); a stratum of one person, or without events, adds nothing, and its predicted survival stays at 1; all
    events at one time are ties as any; where nobody is at risk between two times nothing happens.

    R: ``coxph(Surv(entry, time, event) ~ … + strata(…), data, weights = …, cluster = …, ties = …)``; baseline
    ``basehaz(fit, centered = FALSE)``. Largest difference seen over tests/golden (11 fits): 5e-15 (coefficients), 2e-16
    (covariances), 6e-12 (log-likelihood), 4e-13 (tests), 1e-15 (concordance and its se), 3e-14 (baseline), 2e-15
    (predicted survival, se and limits); test of proportional hazards 8e-14.

    Fitted here rather than by lifelines 0.30.3, whose coefficients on the same data are R's (to 2e-7 … 2e-6 at its own
    precision), because it has no Breslow ties; its robust standard errors differ from R's (5e-4 with weights, 1.3e-3
    with clusters, 6e-3 with clusters and entry); its test of proportional hazards is the older one (statistics differ
    by 1.7) and does not take entry; its concordance leaves entry and weights out (2e-3 and 4e-3). It is also some 150
    times slower on 100,000 rows with entry and strata (benchmarks/cox.py).

    Examples
    --------
    >>> data = pd.DataFrame({"month": [3, 5, 6, 8, 9, 12], "left": [1, 1, 0, 1, 0, 1], "age": [30, 24, 41, 35, 28, 39]})
    >>> cox(data, time="month", event="left", covariates=["age"]).table[["coef", "se"]].round(4).to_numpy().tolist()
    [[-0.1203, 0.1133]]
    """
    one_of("ties", ties, TIES)
    by = NO_STRATA if strata is None else Strata((strata,) if isinstance(strata, str) else tuple(strata))
    persons, rows_used = read_sample(
        data, time=time, event=event, entry=entry, weights=weights, cluster=cluster, strata=by
    )
    terms, x = design(rows_used, covariates)
    counts = risk_sets(persons)
    rows, first, last = event_rows(persons, counts)
    scale = standardise(x, terms.names)
    person_windows = windows(first, last, rows)
    likelihood = partial_likelihood(x, persons.weights, persons.cause > 0, person_windows, rows, ties)
    del x, first, last  # it has its own, sorted
    clusters = None
    if persons.robust:
        clusters = (
            np.arange(len(person_windows.order)) if persons.cluster is None else persons.cluster[person_windows.order]
        )
    fitted = estimated(likelihood, persons, terms, by, scale, clusters)
    increments = np.zeros(len(counts.time))
    increments[rows.where] = fitted.hazard_at_zero
    baseline = {
        "stratum": "all" if persons.levels is None else persons.levels[counts.group],
        "time": counts.time,
        "cumulative_hazard": counts.along(np.cumsum, increments),
    }
    return CoxFit(
        table=fitted.table(conf_level),
        covariance=fitted.model_covariance,
        robust_covariance=fitted.robust_covariance,
        log_likelihood=fitted.point.log_likelihood,
        log_likelihood_null=fitted.log_likelihood_null,
        tests=fitted.tests,
        baseline=pd.DataFrame(baseline),
        n=len(persons.time),
        n_event=int(np.count_nonzero(persons.cause)),
        _fitted=fitted,
    )


# ── who is at risk at which event ─────────────────────────────────────────────────────────────────────────────
# A person is at risk at the event rows first … last of the own stratum; with persons in the order of `last`,
# Σ_{at risk at t} v = Σ_{last ≥ t} v − Σ_{first > t} v, two cumulative sums for all rows and strata at once.
@dataclass(frozen=True)
class EventRows:
    """The rows (stratum, time) at which events happen, a stratum's rows together and in time."""

    time: Floats
    stratum: Integers
    begin: Integers  # of each row: the first row of its stratum
    stop: Integers  # and the row after the last one
    weight: Floats  # Σ w of the events
    ties: Integers  # how many they are
    where: Integers  # their position among all rows of the life table


class Windows(Protocol):
    """What the partial likelihood asks of the persons' time at risk."""

    @property
    def order(self) -> Integers:
        """The persons counted, as positions in the arrays given."""

    @property
    def last(self) -> Integers: ...

    def sums(self, values: Floats) -> Floats:
        """Σ of values (… × persons) over those at risk at each row."""

    def spent(self, increments: Floats) -> Floats:
        """Σ of increments (… × rows) over the rows a person is at risk at."""


def from_row_on(values: Floats, starts: Integers) -> Floats:
    """Σ of values from position starts[t] on; one row more, which is 0. `starts` is sorted and begins with 0."""
    result = np.zeros((*values.shape[:-1], len(starts) + 1))
    occupied = np.flatnonzero(np.diff(starts, append=values.shape[-1]))
    if len(occupied):
        result[..., occupied] = np.add.reduceat(values, starts[occupied], axis=-1)
    return np.cumsum(result[..., ::-1], axis=-1)[..., ::-1]


@dataclass(frozen=True)
class PersonWindows:
    """Persons at risk from row `first` to row `last`, both included, sorted by `last`."""

    order: Integers
    first: Integers
    last: Integers
    stop: Integers
    starts: Integers  # of each row: the first person whose last row it is, or comes later
    late: Integers  # persons who are not at risk from the first row of their stratum on, sorted by their first row
    late_starts: Integers

    def sums(self, values: Floats) -> Floats:
        ended_later = from_row_on(values, self.starts)
        result = ended_later[..., :-1] - ended_later[..., self.stop]
        if len(self.late):
            entered = from_row_on(values.take(self.late, axis=-1), self.late_starts)
            result -= entered[..., 1:] - entered[..., self.stop]
        return result

    def spent(self, increments: Floats) -> Floats:
        total = np.zeros((*increments.shape[:-1], increments.shape[-1] + 1))
        np.cumsum(increments, axis=-1, out=total[..., 1:])
        return total.take(self.last + 1, axis=-1) - total.take(self.first, axis=-1)


def windows(first: Integers, last: Integers, rows: EventRows) -> PersonWindows:
    """The persons at risk at one event row at least."""
    used = np.flatnonzero(last >= first)
    order = used[np.argsort(last[used], kind="stable")]
    first, last = first[order], last[order]
    late = np.flatnonzero(first > rows.begin[last])
    late = late[np.argsort(first[late], kind="stable")]
    every = np.arange(len(rows.time))
    return PersonWindows(
        order, first, last, rows.stop, np.searchsorted(last, every), late, np.searchsorted(first[late], every)
    )


def event_rows(persons: Sample, counts: RiskSets) -> tuple[EventRows, Integers, Integers]:
    """The rows with events; and each person's first and last row (last < first where at risk at none)."""
    events = counts.n_event.sum(axis=0)
    has = events > 0
    if not has.any():
        raise ValueError(f"event: 0 of {len(persons.time)} rows have an event; there is no event to fit")
    rows_so_far = np.cumsum(has)
    last = rows_so_far[counts.ends] - 1
    first = rows_so_far[counts.enters] - has[counts.enters]
    stratum = counts.group[has]
    edges = np.searchsorted(stratum, np.arange(persons.n_groups + 1))
    dies = persons.cause > 0
    # Whole-number weights are frequencies: two events of weight 3 are six tied events.
    ties = np.rint(events[has]) if persons.whole_weights else np.bincount(last[dies], minlength=int(rows_so_far[-1]))
    rows = EventRows(
        counts.time[has],
        stratum,
        edges[stratum],
        edges[stratum + 1],
        events[has].astype(float),
        ties.astype(np.int64),
        np.flatnonzero(has),
    )
    return rows, first, last


# ── the partial likelihood ────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Ties:
    """Efron's terms: rows with several events, who leaves there, and the values of l/d with how often each counts."""

    rows: Integers
    members: Integers  # positions in the order of the windows
    starts: Integers  # of each row's members
    fraction: Floats
    times: Floats  # of each fraction: how often it counts
    fraction_starts: Integers
    n_fractions: Integers  # of each row


@dataclass(frozen=True)
class PartialLikelihood:
    """The data of a fit in the order of its windows; `at(beta)` evaluates it."""

    x: Floats  # terms × persons
    weights: Floats
    deaths: Integers  # positions of those who have an event, at their last row
    windows: Windows
    rows: EventRows
    ties: Ties | None

    def at(self, beta: Floats) -> Point:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a step too far has no finite likelihood
            return Point(self, beta)

    @cached_property
    def death_rows(self) -> Integers:
        return self.windows.last[self.deaths]


def partial_likelihood(
    x: Floats, weights: Floats, dies: np.ndarray, windows: Windows, rows: EventRows, ties: str
) -> PartialLikelihood:
    """`x`, `weights` and `dies` in the caller's order; the windows say which are counted."""
    order = windows.order
    deaths = np.flatnonzero(dies[order])
    efron = None
    if ties == "efron" and (rows.ties > 1).any():
        tied = np.flatnonzero(rows.ties > 1)
        members = deaths[rows.ties[windows.last[deaths]] > 1]
        starts = np.searchsorted(windows.last[members], tied)
        each = [efron_fractions(count) for count in rows.ties[tied].tolist()]
        fraction, times = (np.concatenate(parts) for parts in zip(*each, strict=True))
        n_fractions = np.array([len(of_row) for of_row, _ in each])
        efron = Ties(tied, members, starts, fraction, times, np.cumsum(n_fractions) - n_fractions, n_fractions)
    return PartialLikelihood(x.take(order, axis=1), weights[order], deaths, windows, rows, efron)


@lru_cache(maxsize=1024)
def efron_fractions(ties: int) -> tuple[Floats, Floats]:
    """The values of l/d, l = 0 … d − 1, that stand for all of them in the sums of a row, and how often each counts.

    Of up to `MANY_TIES` each stands for itself. Of more (whole weights are ties too), the first half stands for less by
    `NODES` values, as does the first half of what is left, and so on: the Gauss rules for sums over equal steps, exact
    for polynomials of degree 2 · NODES − 1 (Gram's; Golub & Welsch 1969). The functions summed, powers of 1/(S − (l/d)
    s) with s ≤ S, have their pole beyond each half by at least its length: what is lost is under 1e-15 of a sum.

    Examples
    --------
    >>> fraction, times = efron_fractions(10**6)
    >>> exact = (1 / (1.5 - np.arange(10**6) / 10**6)).sum()
    >>> len(fraction), bool(np.isclose(times @ (1 / (1.5 - fraction)), exact, rtol=1e-14))
    (437, True)
    """
    fractions, times, begin = [], [], 0
    while ties - begin > MANY_TIES:
        n = (ties - begin) // 2
        step, weight = gauss_rule_for_sums(n)
        fractions.append((begin + step) / ties)
        times.append(weight)
        begin += n
    fractions.append(np.arange(begin, ties) / ties)
    times.append(np.ones(ties - begin))
    return np.concatenate(fractions), np.concatenate(times)


def gauss_rule_for_sums(n: int) -> tuple[Floats, Floats]:
    """`NODES` values and weights for a sum over 0 … n − 1 of a smooth function."""
    k = np.arange(1, NODES)
    off_diagonal = np.sqrt(k**2 * (float(n) ** 2 - k**2) / (4 * (4 * k**2 - 1)))
    values, vectors = np.linalg.eigh(np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1))
    return values + (n - 1) / 2, n * vectors[0] ** 2


class Point:
    """The partial likelihood at one value of the coefficients."""

    def __init__(self, likelihood: PartialLikelihood, beta: Floats):
        self.likelihood, self.beta = likelihood, beta
        data, rows, ties = likelihood, likelihood.rows, likelihood.ties
        self.eta = np.einsum("j,ji->i", beta, data.x)  # not `@`: the same covariates must give the same sum
        self.risk = data.weights * np.exp(self.eta)
        total = data.windows.sums(self.risk)
        logs = rows.weight * np.log(total)
        self.hazard = rows.weight / total  # m Σ a
        self.square = self.hazard / total  # m Σ a²
        if ties is not None:
            t, at = ties.rows, ties.fraction_starts
            mean = rows.weight[t] / rows.ties[t]
            leaving = np.add.reduceat(self.risk[ties.members], ties.starts)
            remaining = np.repeat(total[t], ties.n_fractions) - ties.fraction * np.repeat(leaving, ties.n_fractions)
            a, f, n = 1 / remaining, ties.fraction, ties.times
            logs[t] = mean * np.add.reduceat(n * np.log(remaining), at)
            self.hazard[t] = mean * np.add.reduceat(n * a, at)
            self.square[t] = mean * np.add.reduceat(n * a * a, at)
            self.own = mean * np.add.reduceat(n * f * a, at)  # the last three at tied rows only
            self.own_square = mean * np.add.reduceat(n * f * a * a, at)
            self.own_own = mean * np.add.reduceat(n * f * f * a * a, at)
        self.log_likelihood = float(data.weights[data.deaths] @ self.eta[data.deaths] - logs.sum())

    @cached_property
    def moments(self) -> tuple[Floats, Floats | None]:
        """Σ w e^η x over those at risk at each row; over those who leave, at tied rows."""
        data, ties = self.likelihood, self.likelihood.ties
        at_risk = np.empty((len(data.x), len(self.hazard)))
        leaving = None if ties is None else np.empty((len(data.x), len(ties.rows)))
        for j, term in enumerate(data.x):
            weighted = term * self.risk
            at_risk[j] = data.windows.sums(weighted)
            if ties is not None and leaving is not None:
                leaving[j] = np.add.reduceat(weighted[ties.members], ties.starts)
        return at_risk, leaving

    def spent(self, factor: Floats | None = None) -> Floats:
        """The hazard each person has spent (Λ over the time at risk), less Efron's share of the own event."""
        data = self.likelihood
        g = 1.0 if factor is None else factor
        result = data.windows.spent(self.hazard * g)
        if data.ties is not None:
            rows = data.ties.rows
            own = self.own if factor is None else self.own * factor[rows]
            result[data.ties.members] -= own[self.member_of]
        return result

    @cached_property
    def member_of(self) -> Integers:
        """Of each tied member: which of the tied rows."""
        ties = self.likelihood.ties
        if ties is None:
            return np.zeros(0, np.int64)
        return np.searchsorted(ties.rows, self.likelihood.windows.last[ties.members])

    def gradient(self, factor: Floats | None = None) -> Floats:
        """Σ over events of g(t)(x − x̄), g = 1 unless a `factor` per row is given."""
        data = self.likelihood
        residual = -self.risk * self.spent(factor)
        weight = data.weights[data.deaths]
        residual[data.deaths] += weight if factor is None else weight * factor[data.death_rows]
        return np.einsum("ji,i->j", data.x, residual)

    def information(self, factor: Floats | None = None) -> Floats:
        """Σ over events of g(t) times the variance of x among those at risk."""
        data = self.likelihood
        at_risk, leaving = self.moments
        g = np.ones_like(self.hazard) if factor is None else factor
        result = (data.x * (self.risk * self.spent(factor))) @ data.x.T - (at_risk * (self.square * g)) @ at_risk.T
        if data.ties is not None and leaving is not None:
            rows = data.ties.rows
            cross = (at_risk[:, rows] * (self.own_square * g[rows])) @ leaving.T
            result += cross + cross.T - (leaving * (self.own_own * g[rows])) @ leaving.T
        return (result + result.T) / 2

    def mean_hazard(self, term: int) -> Floats:
        """m Σ a_l x̄_l of one term at each row: what the baseline hazard loses per unit of its coefficient."""
        (at_risk, leaving), ties = self.moments, self.likelihood.ties
        result = at_risk[term] * self.square
        if ties is not None and leaving is not None:
            result[ties.rows] -= leaving[term] * self.own_square
        return result

    def score_residuals(self) -> Iterator[Floats]:
        """Each person's weighted share of the gradient, one term after the other."""
        data, ties, spent = self.likelihood, self.likelihood.ties, self.spent()
        at_risk, leaving = self.moments
        for j, term in enumerate(data.x):
            mean = at_risk[j] * self.hazard
            lost = data.windows.spent(self.mean_hazard(j))
            if ties is not None and leaving is not None:
                mean[ties.rows] -= leaving[j] * self.own
                own = at_risk[j, ties.rows] * self.own_square - leaving[j] * self.own_own
                lost[ties.members] -= own[self.member_of]
            mean /= data.rows.weight
            result = self.risk * (lost - term * spent)
            result[data.deaths] += data.weights[data.deaths] * (term[data.deaths] - mean[data.death_rows])
            yield result


# ── the maximum ───────────────────────────────────────────────────────────────────────────────────────────────
# Before the first step, a term that does not vary among those at risk, or is a combination of the terms before it, is
# refused by name. A likelihood that rises for ever (a level without any event) is refused too: the coefficient would be
# infinite, and no standard error, limit or test of it means anything. R fits and warns.
@dataclass(frozen=True)
class Scale:
    """Terms are centred and divided by their standard deviation inside the fit."""

    center: Floats
    spread: Floats

    def of(self, x: Floats) -> Floats:
        return (x - self.center[:, None]) / self.spread[:, None]


def standardise(x: Floats, names: Sequence[str]) -> Scale:
    """Scales the terms in place and says how; a constant is refused."""
    flat = x.min(axis=1) == x.max(axis=1)
    if flat.any():
        raise ValueError(f"covariates: {names_have(names, flat)} the same value in all {x.shape[1]} rows")
    center = x.mean(axis=1)
    x -= center[:, None]
    spread = np.sqrt(np.einsum("ji,ji->j", x, x) / x.shape[1])
    x /= spread[:, None]
    return Scale(center, spread)


def solve(information: Floats, gradient: Floats) -> Floats:
    """Newton's step, solved on the scale where the information has ones on its diagonal; NaN where it has none."""
    own = np.diag(information)
    if not (own > 0).all():
        return np.full_like(gradient, np.nan)
    scale = 1 / np.sqrt(own)
    try:
        return scale * np.linalg.solve(information * np.outer(scale, scale), scale * gradient)
    except np.linalg.LinAlgError:
        return np.full_like(gradient, np.nan)


def inverse(information: Floats) -> Floats:
    """The covariance, symmetric."""
    scale = 1 / np.sqrt(np.diag(information))
    result = np.linalg.inv(information * np.outer(scale, scale)) * np.outer(scale, scale)
    return (result + result.T) / 2


def infinite(data: PartialLikelihood, change: Floats, names: Sequence[str]) -> ValueError:
    """The sentence that names the terms along which the likelihood still rises."""
    reach = np.abs(change) * np.ptp(data.x, axis=1)
    endless = reach > FAR if (reach > FAR).any() else reach == reach.max()
    return ValueError(
        f"covariates: {names_have(names, endless)} an infinite coefficient, because at each event it tells who leaves "
        "(a level without any event, for instance): merge levels or leave it out"
    )


def maximise(data: PartialLikelihood, names: Sequence[str]) -> tuple[Point, Point, Floats]:
    """The point at 0, the point of the maximum, and the information there."""
    null = point = data.at(np.zeros(len(names)))
    information = point.information()
    check_independent(information, float(data.rows.weight.sum()), names)
    last, unit = np.inf, float(data.weights[data.deaths].mean())
    for _ in range(MOST_STEPS):
        gradient = point.gradient()
        step = solve(information, gradient)
        decrement = float(gradient @ step) / unit  # of weights that are all tiny, or huge, too
        if abs(decrement) <= CONVERGED or last / 4 < decrement < FLAT**2:  # rounding stops it here
            return null, point, information
        if not decrement > 0:
            raise infinite(data, point.beta, names)
        if decrement < FLAT and (np.abs(step) * np.ptp(data.x, axis=1) > FAR).any():
            raise infinite(data, step, names)
        there = better(data, point, step, decrement)
        if there is None:
            raise infinite(data, step, names)
        point, last, information = there, decrement, there.information()
    raise infinite(data, point.beta, names)


def better(data: PartialLikelihood, point: Point, step: Floats, decrement: float) -> Point | None:
    """The point after the step, halved until the likelihood is not lower; None where it never is."""
    slack = 1e-12 * abs(point.log_likelihood)
    for _ in range(MOST_HALVINGS):
        there = data.at(point.beta + step)
        if np.isfinite(there.log_likelihood) and (
            decrement < FLAT or there.log_likelihood >= point.log_likelihood - slack
        ):
            return there
        step = step / 2
    return None


# ── what is known once fitted ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Fitted:
    """A fit of either hazard, Cox's of an event or Fine–Gray's of one cause.

    `covariance` is of the centred and scaled terms, as is everything in `point`. With clusters, or weights that are not
    whole numbers, the robust covariance is the sandwich Σ over clusters of the products of summed dfbeta, dfbeta =
    covariance · score residual (Lin & Wei 1989; Therneau & Grambsch 2000, 7.2 and 8.2), without small-sample factor.

    Predicted: Λ(t | x) = e^{xβ} Λ₀(t), S = exp(−Λ). Its variance adds the baseline's, Σ m a² (Efron's form under
    Efron's ties), to that of the coefficients along q = x Λ₀(t) − ∫ x̄ dΛ₀ (Tsiatis 1981; Therneau & Grambsch 2000,
    10.2); or it is the infinitesimal jackknife of Λ(t | x): each person's influence on the baseline plus q times the
    person's dfbeta, squared after summing within clusters.
    """

    persons: Sample
    design: Design
    strata: Strata
    scale: Scale
    point: Point
    covariance: Floats
    sandwich: Floats | None  # the robust covariance, where only it is valid
    cluster: Integers | None  # and then the cluster of each counted person
    log_likelihood_null: float
    tests: pd.DataFrame

    @property
    def unit(self) -> Floats:
        """What turns a covariance of scaled terms into that of the terms given."""
        return 1 / np.outer(self.scale.spread, self.scale.spread)

    @property
    def model_covariance(self) -> Floats:
        return self.covariance * self.unit

    @property
    def robust_covariance(self) -> Floats | None:
        return None if self.sandwich is None else self.sandwich * self.unit

    def table(self, conf_level: float) -> pd.DataFrame:
        """The table of coefficients."""
        coefficient, robust = self.point.beta / self.scale.spread, self.robust_covariance
        return coefficient_table(
            self.design.names, coefficient, self.model_covariance, robust, "hazard_ratio", conf_level
        )

    @property
    def hazard_at_zero(self) -> Floats:
        """The baseline's increments at event rows, covariates at 0 (infinite where 0 is that far from the data)."""
        with np.errstate(over="ignore"):
            return self.point.hazard * np.exp(-self.point.beta @ (self.scale.center / self.scale.spread))

    def stratum_of(self, newdata: pd.DataFrame) -> Integers:
        """The code of each row's stratum."""
        labels = self.strata.of(newdata)
        if labels is None:
            return np.zeros(len(newdata), np.int64)
        codes = pd.Index(self.persons.levels).get_indexer(labels)
        refuse(", ".join(self.strata.columns), codes < 0, "are no stratum of the fit")
        return codes

    def survival_table(self, newdata: pd.DataFrame, at: ArrayLike, conf_level: float) -> pd.DataFrame:
        """person, time, survival, se, lower, upper."""
        hazard, se = self.hazard(newdata, at, with_se=True)
        survival = np.exp(-hazard)
        lower, upper = survival_limits(survival, survival * se, conf_level)
        columns = {"survival": survival, "se": survival * se, "lower": lower, "upper": upper}
        return pd.DataFrame(
            {
                "person": np.repeat(newdata.index, hazard.shape[1]),
                "time": np.tile(np.asarray(at, dtype=float), len(hazard)),
                **{name: values.ravel() for name, values in columns.items()},
            }
        )

    def hazard(self, newdata: pd.DataFrame, at: ArrayLike, with_se: bool) -> tuple[Floats, Floats | None]:
        """Λ(t | x) and its standard error, rows of newdata × times."""
        z, stratum, at = self.scale.of(self.design.matrix(newdata)), self.stratum_of(newdata), times("times", at)
        ratio = np.exp(np.minimum(self.point.beta @ z, LARGEST))[:, None]
        result = np.zeros((z.shape[1], len(at)))
        se = np.zeros_like(result) if with_se else None
        # A last column of 0 is what row −1 reads.
        total = np.append(self.along(self.point.hazard), 0.0)
        for s in np.unique(stratum):
            members, rows = stratum == s, self.rows_at(s, at)
            result[members] = ratio[members] * total[rows]
            if se is not None:
                se[members] = ratio[members] * np.sqrt(np.maximum(self.variance(z[:, members], rows, total[rows]), 0.0))
        return result, se

    def along(self, values: Floats) -> Floats:
        """Running sums over event rows, from the first row of each stratum."""
        rows = self.point.likelihood.rows
        total = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
        np.cumsum(values, axis=-1, out=total[..., 1:])
        return total[..., 1:] - total[..., rows.begin]

    def rows_at(self, stratum: int, at: Floats) -> Integers:
        """The last event row of the stratum at or before each time; −1 where there is none yet."""
        rows = self.point.likelihood.rows
        a, b = np.searchsorted(rows.stratum, [stratum, stratum + 1])
        here = np.searchsorted(rows.time[a:b], at, side="right")
        return np.where(here > 0, a + here - 1, -1)

    def variance(self, z: Floats, rows: Integers, base: Floats) -> Floats:
        """Var Λ(t | x) / e^{2xβ}, persons × times: the baseline's part, and qᵀ V q with q = z Λ₀ − drift."""
        drift = self.drift[:, rows]
        if self.cluster is None:
            spread, mixed = self.covariance, np.zeros_like(drift)
            own = np.append(self.along(self.point.square), 0.0)[rows]
        else:
            dfbeta = self.dfbeta
            spread, mixed, own = dfbeta.T @ dfbeta, np.zeros_like(drift), np.zeros(len(rows))
            for k in np.flatnonzero(rows >= 0):
                influence = np.bincount(self.cluster, self.influence(rows[k]))
                own[k], mixed[:, k] = influence @ influence, dfbeta.T @ influence
        along = spread @ drift - mixed
        own = own + np.einsum("jt,jt->t", drift, along - mixed)
        return own + np.einsum("jp,jk,kp->p", z, spread, z)[:, None] * base**2 - 2 * base * (z.T @ along)

    @cached_property
    def drift(self) -> Floats:
        """∫ x̄ dΛ₀ up to each row, terms × rows, and a last column of 0."""
        terms = [self.along(self.point.mean_hazard(j)) for j in range(len(self.covariance))]
        return np.pad(np.array(terms), ((0, 0), (0, 1)))

    @cached_property
    def dfbeta(self) -> Floats:
        """Each cluster's (or person's) influence on the coefficients, clusters × terms."""
        cluster = np.arange(len(self.point.eta)) if self.cluster is None else self.cluster
        return score_sums(self.point, cluster) @ self.covariance

    def influence(self, row: int) -> Floats:
        """Each person's weighted influence on the baseline hazard of the row's stratum up to it, given β."""
        point = self.point
        data = point.likelihood
        inside = np.zeros(len(data.rows.time))
        inside[data.rows.begin[row] : row + 1] = 1.0
        result = -point.risk * data.windows.spent(point.square * inside)
        if data.ties is not None:
            members = data.ties.members
            share = point.own_square * inside[data.ties.rows]
            result[members] += point.risk[members] * share[point.member_of]
        gain = point.hazard * inside / data.rows.weight
        result[data.deaths] += data.weights[data.deaths] * gain[data.death_rows]
        return result

    def proportional_hazards(self, transform: str) -> pd.DataFrame:
        """A row per term and GLOBAL: statistic, df, p_value.

        The model gets a second set of terms x·(g(t) − ḡ), whose coefficients are tested at 0 by their score, with the
        model-based information; weights count, clusters do not. This is R's `cox.zph` since survival 3.0 (Therneau
        2020), not the correlation of scaled Schoenfeld residuals of before (Grambsch & Therneau 1994), which is its
        approximation.
        """
        point, names = self.point, self.design.names
        data = point.likelihood
        g = transformed(data.rows.time, self.persons, transform)
        events = np.bincount(data.death_rows, minlength=len(g))
        g = g - (g * events).sum() / events.sum()
        score = point.gradient(g)
        own, mixed, squared = point.information(), point.information(g), point.information(g * g)
        # The score of the old coefficients is 0 at their estimate: what counts is the rest's information given them.
        conditional = squared - mixed @ np.linalg.solve(own, mixed)
        # Where g varies too little (few event times) nothing is left to test with, and the statistic is missing.
        alone, p = np.diag(conditional), len(names)
        known = alone > NOTHING * np.maximum(np.diag(own) * (g**2).max(), np.finfo(float).tiny)
        statistic = np.full(p + 1, np.nan)
        statistic[:-1][known] = score[known] ** 2 / alone[known]
        if known.all():
            scale = 1 / np.sqrt(alone)
            correlation = conditional * np.outer(scale, scale)
            if np.linalg.eigvalsh(correlation)[0] > NOTHING:
                statistic[-1] = (scale * score) @ np.linalg.solve(correlation, scale * score)
        df = np.append(np.ones(p, np.int64), p)
        p_value = chi2_tail(statistic, df)
        return pd.DataFrame({"term": [*names, "GLOBAL"], "statistic": statistic, "df": df, "p_value": p_value})


def transformed(time: Floats, persons: Sample, transform: str) -> Floats:
    """g at each of `time`, the distinct times of the sample's ends.

    « km » is 1 − S(t−), S the Kaplan–Meier of all rows without strata; « rank » the mean rank among all rows' times.
    Whole-number weights count as that many rows, others not at all, as in R.
    """
    one_of("transform", transform, TRANSFORMS)
    if transform == "identity":
        return time
    if transform == "log":
        if (time <= 0).any():
            raise ValueError(
                f"time: {int((time <= 0).sum())} of {len(time)} event times are 0, whose logarithm is none"
            )
        return np.log(time)
    zero = np.zeros(len(persons.time), np.int64)
    mass = persons.weights if persons.whole_weights else np.ones(len(zero))
    plain = Sample(persons.time, persons.cause, persons.entry, mass, True, zero, levels=None, cluster=None)
    counts = risk_sets(plain)
    if transform == "km":
        values = 1 - counts.before(survival_of(counts), 1.0)
    else:
        here = np.bincount(counts.ends, mass, len(counts.time))
        values = np.cumsum(here) - (here - 1) / 2
    return values[np.searchsorted(counts.time, time)]


def score_sums(point: Point, cluster: Integers) -> Floats:
    """Score residuals added within clusters, clusters × terms."""
    columns = [np.bincount(cluster, residual) for residual in point.score_residuals()]
    sums = np.column_stack(columns).astype(float, copy=False)
    if len(sums) < 2:
        raise ValueError("cluster: 1 label among those at risk at events, at least 2 expected")
    return sums


def estimated(
    likelihood: PartialLikelihood,
    persons: Sample,
    terms: Design,
    strata: Strata,
    scale: Scale,
    cluster: Integers | None,
) -> Fitted:
    """The fit of a likelihood, and the tests that all coefficients are 0."""
    null, point, information = maximise(likelihood, terms.names)
    covariance, k = inverse(information), len(terms.names)
    score, beta = null.gradient(), point.beta
    statistics = {
        "likelihood ratio": 2 * (point.log_likelihood - null.log_likelihood),
        "score": float(score @ np.linalg.solve(null.information(), score)),
        "wald": float(beta @ np.linalg.solve(covariance, beta)),
    }
    robust = None
    if cluster is not None:
        at_null, scores = score_sums(null, cluster), score_sums(point, cluster)
        robust = covariance @ (scores.T @ scores) @ covariance
        total = at_null.sum(axis=0)
        known = len(scores) > k  # with no more clusters than terms the spread of the scores is singular
        statistics["wald"] = float(beta @ np.linalg.solve(robust, beta)) if known else np.nan
        statistics["robust score"] = float(total @ np.linalg.solve(at_null.T @ at_null, total)) if known else np.nan
    values = np.array(list(statistics.values()))
    tests = {"test": list(statistics), "statistic": values, "df": k, "p_value": chi2_tail(values, k)}
    height = null.log_likelihood
    return Fitted(persons, terms, strata, scale, point, covariance, robust, cluster, height, pd.DataFrame(tests))


# ── concordance ───────────────────────────────────────────────────────────────────────────────────────────────
# A pair is comparable where one person has an event at t and the other, of the same stratum, is at risk at t and stays
# beyond it (censored at t counts as staying; two events at t do not compare). It is concordant where the one who leaves
# has the higher score; equal scores count one half. Pairs are counted by sums over « entered before, staying after,
# lower score »: dominance counts, found bit by bit of the score's rank, so that no matrix of pairs is made. Reference:
# Harrell et al. (1982); Therneau & Atkinson (2024), vignette « concordance » of survival.
def score_ranks(score: Floats) -> Integers:
    """Ranks from 0 up, equal scores sharing one."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    new = np.append(False, np.diff(ordered) > SAME_SCORE * max(np.ptp(ordered), np.finfo(float).tiny))
    ranks = np.empty(len(score), np.int64)
    ranks[order] = np.cumsum(new)
    return ranks


def below(
    at: Integers, rank: Integers, mass: Floats, asked_at: Integers, asked_rank: Integers
) -> tuple[Floats, Floats]:
    """For each question, Σ mass of the points with a position not above the asked one, by rank: lower, equal.

    Points and questions are put in order of position (points first) and then split by the bits of the rank, the
    highest first: where a question's bit is 1, the points that share its higher bits and have a 0 are lower.
    """
    points, n_questions = len(at), len(asked_at)
    order = np.lexsort((np.repeat([0, 1], [points, n_questions]), np.concatenate([at, asked_at])))
    ranks = np.concatenate([rank, asked_rank])[order]
    values = np.concatenate([mass, np.zeros(n_questions)])[order]
    lower = np.zeros(points + n_questions)
    start = np.zeros(points + n_questions, np.int64)  # where the block of items with the same higher bits begins
    for bit in range(int(ranks.max(initial=0)).bit_length() - 1, -1, -1):
        bit_set = (ranks >> bit & 1).astype(bool)
        sums = np.concatenate([[0.0], np.cumsum(np.where(bit_set, 0.0, values))])
        lower[bit_set] += (sums[1:] - sums[start])[bit_set]
        # Zeros first within each block: a stable split keeps the order of positions.
        zeros = np.concatenate([[0], np.cumsum(~bit_set)])
        begin_zeros = zeros[start]
        block = np.concatenate([start[1:] != start[:-1], [True]])
        last = np.flatnonzero(block)
        in_block = np.repeat(zeros[last + 1] - zeros[start[last]], np.diff(last, prepend=-1))
        rank_zero = zeros[:-1] - begin_zeros
        new_position = start + np.where(bit_set, in_block + np.arange(len(bit_set)) - start - rank_zero, rank_zero)
        source = np.empty_like(new_position)
        source[new_position] = np.arange(len(new_position))
        start = np.where(bit_set, start + in_block, start)[source]
        ranks, values, lower, order = ranks[source], values[source], lower[source], order[source]
    sums = np.concatenate([[0.0], np.cumsum(values)])
    equal = sums[1:] - sums[start]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return lower[back[points:]], equal[back[points:]]


def concordance(
    score: Floats, weights: Floats, windows: PersonWindows, deaths: Integers, cluster: Integers
) -> tuple[float, float]:
    """Share of comparable pairs in the right order, and its jackknife standard error.

    The rows of a stratum are together, so persons of another stratum have entered and gone, or do neither.
    """
    rank, first, last = score_ranks(score), windows.first, windows.last
    top = int(rank.max(initial=0))
    gone = last + 1
    gone[deaths] -= 1  # the first row at which a person does not outlive whoever leaves
    row, mass = last[deaths], weights[deaths]

    # Of each event: those who have entered less those who are gone.
    at, signed_weights = np.concatenate([first, gone]), np.concatenate([weights, -weights])
    lower, equal = below(at, np.tile(rank, 2), signed_weights, row, rank[deaths])
    rows = int(last.max(initial=0)) + 2
    everyone = np.cumsum(np.bincount(at, signed_weights, rows))[row]
    higher = everyone - lower - equal
    concordant, tied, discordant = (float(mass @ x) for x in (lower, equal, higher))
    pairs = concordant + tied + discordant
    if pairs <= 0:
        return np.nan, np.nan

    # Of each person as the one who stays: the events up to being gone less those up to the entry.
    until = np.concatenate([gone - 1, first - 1])
    above, same = below(row, top - rank[deaths], mass, until, np.tile(top - rank, 2))
    events = np.append(0.0, np.cumsum(np.bincount(row, mass, rows)))[until + 1]
    above, same, events = (x[: len(rank)] - x[len(rank) :] for x in (above, same, events))
    difference = 2 * above + same - events
    difference[deaths] += lower - higher
    events[deaths] += everyone
    somers = (concordant - discordant) / pairs
    share = weights * (difference - somers * events) / pairs
    se = np.sqrt((np.bincount(cluster, share) ** 2).sum()) / 2
    return (concordant + tied / 2) / pairs, float(se)
