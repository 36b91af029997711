"""The table of a model's coefficients: one shape for every model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats, normal_quantile
from trajectories.survival.limits import chi2_tail

NOTHING = 1e-8  # of the model's standard error: rounding, where a sum over clusters is 0


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
