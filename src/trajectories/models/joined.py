"""Rubin's rules for a whole table of coefficients, and for tests of which only statistics are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..survival.checks import Floats


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
        return pd.DataFrame({"estimate": estimates[0], "se": se, "lower": nothing, "upper": nothing,
                             "missing": nothing, "p_value": nothing})  # fmt: skip
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

    known = statistics[~np.isnan(statistics)]
    m = len(known)
    if m < 2:
        return np.nan, np.nan
    rise = (1 + 1 / m) * np.sqrt(known).var(ddof=1)
    value = max((known.mean() / df - (m + 1) / (m - 1) * rise) / (1 + rise), 0.0)
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
