"""Estimates from several completed data sets joined into one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from trajectories.survival.checks import normal_quantile, numbers, refuse


def pool(
    estimates: ArrayLike, variances: ArrayLike, *, complete_df: float = np.inf, conf_level: float = 0.95
) -> pd.Series:
    """
    Rubin's rules: one estimate and its limits from m completed data sets.

    Parameters
    ----------
    estimates, variances : arrays of shape (m,)
        The estimate from each completed data set, on a scale where it is about normal, and its variance there.
    complete_df : float
        Degrees of freedom that complete data would have had (Barnard & Rubin 1999).
    conf_level : float

    Returns
    -------
    Series
        estimate, se, lower, upper, df, missing (the share of the variance that is due to what is not known).

    Raises
    ------
    ValueError
        Fewer than two estimates, another number of variances, a missing value or a negative variance.

    Notes
    -----
    Total variance: mean variance + (1 + 1/m) × variance between the estimates (Rubin 1987). R: ``mice::pool.scalar``.

    Examples
    --------
    >>> pool([1.0, 1.2, 0.8], [0.04, 0.05, 0.03]).round(4).to_dict()
    {'estimate': 1.0, 'se': 0.3055, 'lower': 0.2561, 'upper': 1.7439, 'df': 6.125, 'missing': 0.5714}
    """
    values = numbers("estimates", estimates)
    within = numbers("variances", variances, len(values))
    refuse("variances", within < 0, "are negative")
    if len(values) < 2:
        raise ValueError(f"estimates: {len(values)} value given, at least 2 are needed")
    normal_quantile(conf_level)
    m, mean, inside = len(values), values.mean(), within.mean()
    between = (1 + 1 / m) * values.var(ddof=1)
    total = inside + between
    share = between / total if total > 0 else 0.0
    df = (m - 1) / share**2 if share > 0 else np.inf
    if np.isfinite(complete_df):
        observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
        df = 1 / (1 / df + 1 / observed)
    half = stats.t.ppf(0.5 + conf_level / 2, df) * np.sqrt(total)
    return pd.Series(
        {"estimate": mean, "se": np.sqrt(total), "lower": mean - half, "upper": mean + half, "df": df, "missing": share}
    )
