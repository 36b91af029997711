"""What a hazard regression knows once fitted, whichever the hazard: Cox's of an event, Fine–Gray's of one cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, Sample, refuse, times
from trajectories.survival.limits import survival_limits
from trajectories.survival.regression.coefficients import coefficient_table
from trajectories.survival.regression.covariates import Design, Strata
from trajectories.survival.regression.cox_likelihood import PartialLikelihood, Point
from trajectories.survival.regression.cox_newton import Scale, inverse, maximise
from trajectories.survival.regression.cox_prediction import Baseline
from trajectories.survival.regression.cox_proportional import proportional_hazards, transformed
from trajectories.survival.regression.cox_residuals import Clusters, robust_score_test, sandwich, score_sums
from trajectories.survival.regression.cox_tests import test_table, wald


@dataclass(frozen=True)
class Fitted:
    """The inner state of a fit; `covariance` is of the centred and scaled terms, as is everything in `point`."""

    given: Sample
    design: Design
    strata: Strata
    scale: Scale
    point: Point
    covariance: Floats
    sandwich: Floats | None  # the robust covariance, where only it is valid
    clusters: Clusters | None
    log_likelihood_null: float
    tests: pd.DataFrame

    @property
    def unit(self) -> Floats:
        return 1 / np.outer(self.scale.spread, self.scale.spread)

    @property
    def model_covariance(self) -> Floats:
        return self.covariance * self.unit

    @property
    def robust_covariance(self) -> Floats | None:
        return None if self.sandwich is None else self.sandwich * self.unit

    def table(self, conf_level: float) -> pd.DataFrame:
        coefficient, robust = self.point.beta / self.scale.spread, self.robust_covariance
        with np.errstate(over="ignore"):  # a limit beyond the largest number is infinite
            return coefficient_table(
                self.design.names, coefficient, self.model_covariance, robust, "hazard_ratio", conf_level
            )

    @property
    def hazard_at_zero(self) -> Floats:
        """The baseline's increments at event rows, covariates at 0 (infinite where 0 is that far from the data)."""
        with np.errstate(over="ignore"):
            return self.point.hazard * np.exp(-self.point.beta @ (self.scale.center / self.scale.spread))

    def proportional_hazards(self, transform: str) -> pd.DataFrame:
        g = transformed(self.point.likelihood.rows.time, self.given, transform)
        return proportional_hazards(self.point, g, self.design.names)

    def stratum_of(self, newdata: pd.DataFrame) -> Integers:
        """The code of each row's stratum."""
        labels = self.strata.of(newdata)
        if labels is None:
            return np.zeros(len(newdata), np.int64)
        codes = pd.Index(self.given.levels).get_indexer(labels)
        refuse(", ".join(self.strata.columns), codes < 0, "are no stratum of the fit")
        return codes

    def hazard(self, newdata: pd.DataFrame, at: ArrayLike, with_se: bool) -> tuple[Floats, Floats | None]:
        """Λ(t | x) and its standard error, rows of newdata × times."""
        z = self.scale.of(self.design.matrix(newdata))
        baseline = Baseline(self.point, self.covariance, self.clusters)
        return baseline.hazard(z, self.stratum_of(newdata), times("times", at), with_se)

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


def estimated(
    likelihood: PartialLikelihood, given: Sample, terms: Design, strata: Strata, scale: Scale, clusters: Clusters | None
) -> Fitted:
    """The fit of a likelihood."""
    null, point, information = maximise(likelihood, terms.names)
    covariance, robust, robust_score, singular = inverse(information), None, None, False
    score, height = null.gradient(), null.log_likelihood
    score_statistic = float(score @ np.linalg.solve(null.information(), score))
    if clusters is not None:
        robust_score = robust_score_test(score_sums(null, clusters))
        del null  # its sums are as large as the data
        scores = score_sums(point, clusters)
        robust, singular = sandwich(covariance, scores), len(scores) <= scores.shape[1]
    statistics = {
        "likelihood ratio": 2 * (point.log_likelihood - height),
        "score": score_statistic,
        "wald": np.nan if singular else wald(point.beta, covariance if robust is None else robust),
        "robust score": robust_score,
    }
    tests = test_table(statistics, len(terms.names))
    return Fitted(given, terms, strata, scale, point, covariance, robust, clusters, height, tests)
