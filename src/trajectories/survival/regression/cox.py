"""Cox regression with Efron's or Breslow's ties, strata, delayed entry, start–stop rows, weights and clusters.

Fitted here rather than by lifelines: see the notes of `cox`. Compared with R survival 3.8.3 in
tests/golden/test_cox.py and tests/golden/test_cox_zph.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.notebook_objects import as_html, plot, to_frame
from trajectories.survival.checks import one_of
from trajectories.survival.regression.concordance import Concordance, concordance
from trajectories.survival.regression.covariates import NO_STRATA, Covariates, Strata, design, read_sample
from trajectories.survival.regression.cox_fit import Fitted, estimated
from trajectories.survival.regression.cox_likelihood import partial_likelihood
from trajectories.survival.regression.cox_newton import standardise
from trajectories.survival.regression.cox_residuals import Clusters
from trajectories.survival.regression.cox_risk import event_rows, windows
from trajectories.survival.risk import RiskSets, risk_sets

TIES = ("efron", "breslow")


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
    def _concordance(self) -> Concordance:
        fitted, data = self._fitted, self._fitted.point.likelihood
        seen = data.windows
        clusters = Clusters(None) if fitted.given.cluster is None else fitted.clusters
        return concordance(fitted.point.eta, data.weights, seen.first, seen.last, data.deaths, clusters)

    @property
    def concordance(self) -> float:
        return self._concordance.concordance

    @property
    def concordance_se(self) -> float:
        return self._concordance.se

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


def cox(
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
        Columns: when the row ends, in months (or any unit) from 0 up; 0 = censored, any k ≥ 1 = the event.
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
    given, rows_used = read_sample(
        data, time=time, event=event, entry=entry, weights=weights, cluster=cluster, strata=by
    )
    terms, x = design(rows_used, covariates)
    counts = risk_sets(given)
    rows, first, last = event_rows(given, counts)
    scale = standardise(x, terms.names)
    seen = windows(first, last, rows)
    likelihood = partial_likelihood(x, given.weights, given.cause > 0, seen, rows, ties)
    del x, first, last  # it has its own, sorted
    clusters = Clusters(None if given.cluster is None else given.cluster[seen.order]) if given.robust else None
    fitted = estimated(likelihood, given, terms, by, scale, clusters)
    return CoxFit(
        table=fitted.table(conf_level),
        covariance=fitted.model_covariance,
        robust_covariance=fitted.robust_covariance,
        log_likelihood=fitted.point.log_likelihood,
        log_likelihood_null=fitted.log_likelihood_null,
        tests=fitted.tests,
        baseline=baseline_table(counts, fitted),
        n=len(given.time),
        n_event=int(np.count_nonzero(given.cause)),
        _fitted=fitted,
    )


def baseline_table(counts: RiskSets, fitted: Fitted) -> pd.DataFrame:
    """stratum, time, cumulative_hazard with covariates at 0."""
    increments = np.zeros(len(counts.time))
    increments[fitted.point.likelihood.rows.where] = fitted.hazard_at_zero
    levels = fitted.given.levels
    stratum = "all" if levels is None else levels[counts.group]
    total = counts.along(np.cumsum, increments)
    return pd.DataFrame({"stratum": stratum, "time": counts.time, "cumulative_hazard": total})
