"""E-values: how strong what was not measured would have to be to explain an association away."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# From this share of stays that ended on, a hazard ratio is no longer near a ratio of risks (VanderWeele & Ding 2017).
COMMON = 0.15


def e_value(ratio: ArrayLike) -> NDArray[np.float64]:
    """
    The E-value of ratios of risks.

    Parameters
    ----------
    ratio : array of float
        Ratios above 0; those under 1 are turned over.

    Returns
    -------
    array of float
        From 1 up: an unmeasured cause would have to go with both the service and leaving by at least this ratio,
        beyond what is adjusted for, to make the association. Missing where the ratio is.

    Notes
    -----
    VanderWeele & Ding (2017): RR + √(RR (RR − 1)). R: ``EValue::evalues.RR``.

    Examples
    --------
    >>> e_value([3.9, 1.8, 1.0, 0.5]).round(2).tolist()
    [7.26, 3.0, 1.0, 3.41]
    """
    values = np.asarray(ratio, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.maximum(values, 1 / values)
        return above + np.sqrt(above * (above - 1))


def risk_ratio(hazard_ratio: ArrayLike) -> NDArray[np.float64]:
    """
    The ratio of risks that a hazard ratio stands for where the outcome is common.

    Notes
    -----
    The square-root approximation of VanderWeele & Ding (2017): (1 − ½^√HR) / (1 − ½^√(1/HR)).

    Examples
    --------
    >>> risk_ratio([1.0, 0.5, 2.0]).round(3).tolist()
    [1.0, 0.62, 1.613]
    """
    values = np.asarray(hazard_ratio, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - 0.5 ** np.sqrt(values)) / (1 - 0.5 ** np.sqrt(1 / values))


def e_values_of_hazards(
    hazard_ratio: ArrayLike, lower: ArrayLike, upper: ArrayLike, share_left: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    E-values of hazard ratios and of the limits nearest 1.

    Parameters
    ----------
    hazard_ratio, lower, upper : arrays of float
    share_left : array of float
        Of the stays behind each ratio, the share that ended: from `COMMON` on the ratio of risks is approximated.

    Returns
    -------
    point, limit : arrays of float
        The limit's is 1 where the limits hold 1.

    Examples
    --------
    >>> [x.round(2).tolist() for x in e_values_of_hazards([0.5, 0.5], [0.3, 0.3], [0.8, 1.2], [0.1, 0.1])]
    [[3.41, 3.41], [1.81, 1.0]]
    """
    low, high = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    near = np.where(low > 1, low, np.where(high < 1, high, 1.0))
    near = np.where(np.isnan(low) | np.isnan(high), np.nan, near)
    common = np.asarray(share_left, dtype=float) >= COMMON
    point, limit = (
        e_value(np.where(common, risk_ratio(values), values)) for values in (np.asarray(hazard_ratio, float), near)
    )
    return point, limit
