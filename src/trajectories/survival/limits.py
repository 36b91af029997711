"""Confidence limits of a survival curve, on the scale where it is closest to normal; and the p-value of a test.

Log-log limits (Kalbfleisch & Prentice 1980; Borgan & Liestøl 1990) stay in 0–1 and cover well in small groups. At
S = 1 (nobody left yet) both limits are 1; at S = 0 the transformation is not defined and they are missing, as in R.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, normal_quantile, one_of

LARGEST = 600.0  # exp of it is still a number; limits are 0 and 1 long before
CONF_TYPES = ("log-log", "log", "plain", "logit")


def survival_limits(
    survival: Floats, se: Floats, conf_level: float = 0.95, conf_type: str = "log-log"
) -> tuple[Floats, Floats]:
    """Lower and upper limits of S from its standard error (on the scale of S), any shape.

    Examples
    --------
    >>> lower, upper = survival_limits(np.array([0.5]), np.array([0.1]))
    >>> round(float(lower[0]), 4), round(float(upper[0]), 4)
    (0.2952, 0.6745)
    """
    one_of("conf_type", conf_type, CONF_TYPES)
    z = normal_quantile(conf_level)
    survival, se = np.asarray(survival, dtype=float), np.asarray(se, dtype=float)
    inside = (survival > 0) & (survival < 1)
    s = np.where(inside, survival, 0.5)
    if conf_type == "log-log":
        hazard = np.log(s)
        factor = np.exp(np.minimum(-z * se / (s * hazard), LARGEST))
        lower, upper = np.exp(hazard * factor), np.exp(hazard / factor)
    elif conf_type == "log":
        width = np.minimum(z * se / s, LARGEST)
        lower, upper = s * np.exp(-width), np.minimum(s * np.exp(width), 1.0)
    elif conf_type == "plain":
        lower, upper = np.maximum(s - z * se, 0.0), np.minimum(s + z * se, 1.0)
    else:
        odds, width = np.log(s / (1 - s)), np.minimum(z * se / (s * (1 - s)), LARGEST)
        lower, upper = 1 / (1 + np.exp(width - odds)), 1 / (1 + np.exp(-width - odds))
    if not inside.all():
        edge = np.where(survival >= 1, 1.0, np.nan)
        lower, upper = np.where(inside, lower, edge), np.where(inside, upper, edge)
    return lower, upper


def incidence_limits(incidence: Floats, se: Floats, conf_level: float = 0.95) -> tuple[Floats, Floats]:
    """Limits of a cumulative incidence F: the log-log limits of 1 − F (etm's « cloglog »); 0 and 0 at F = 0."""
    lower, upper = survival_limits(1 - incidence, se, conf_level)
    return np.subtract(1, upper, out=upper), np.subtract(1, lower, out=lower)


def positive_limits(estimate: Floats, se: Floats, conf_level: float = 0.95) -> tuple[Floats, Floats]:
    """Limits of a quantity above 0, on the scale of its logarithm; 0 and 0 at 0."""
    positive = estimate > 0
    width = np.minimum(normal_quantile(conf_level) * se / np.where(positive, estimate, 1.0), LARGEST)
    return np.where(positive, estimate * np.exp(-width), 0.0), np.where(positive, estimate * np.exp(width), 0.0)


def chi2_tail(statistic: ArrayLike, df: ArrayLike) -> Floats:
    """P(X > statistic) for X chi-square: 1 without a degree of freedom, missing where the statistic is.

    Examples
    --------
    >>> chi2_tail([3.841458820694124, 0.0], [1, 0]).round(12).tolist()
    [0.05, 1.0]
    """
    from scipy.special import chdtrc  # at the first test: importing this room costs numpy and pandas only

    return np.where(np.equal(df, 0), 1.0, chdtrc(df, np.maximum(statistic, 0.0)))
