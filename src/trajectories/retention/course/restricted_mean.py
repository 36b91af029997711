"""Restricted mean months in the region: the area under the main curve, and the months lost to each destination.

As in the observation model, exits are spread evenly within a month: the curve is linear between whole months and the
area is computed by trapezoids. Up to the horizon τ: τ = months in the region + Σ months lost to a destination
(Andersen 2013, for the decomposition). Limits: household bootstrap, the same area under each replicate's curve.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...study import Study
from ...survival.checks import NORMAL_975
from ..main_fits import MainFit
from ..model_input import CAUSES

COLUMNS = (
    "measure", "group", "cause", "horizon", "estimate", "se", "lower", "upper", "n_start", "n_at_risk", "n_confirmed",
    "known", "method", "note",
)  # fmt: skip
RESTRICTED, LOST = "restricted_months", "months_lost"
_NOTE = "area under the main curve"


def restricted_time(fits: Mapping[str, MainFit], *, study: Study) -> pd.DataFrame:
    """
    Mean months in the region during the first so many months, and mean months lost to each destination.

    Parameters
    ----------
    fits : mapping of str to MainFit
        As `main_fits` returns them.
    study : Study
        Its horizons are used.

    Returns
    -------
    DataFrame
        measure (`restricted_months`; `months_lost`, with its cause), group, cause, horizon (months), estimate, se,
        lower, upper (months, between 0 and the horizon), n_start, n_at_risk, n_confirmed (stays), known, method, note.
        At a horizon that is `insufficient` there is no estimate.

    Examples
    --------
    >>> from trajectories import Study
    >>> from trajectories.retention.course import main_fits
    >>> from trajectories.simulate import told_stays
    >>> study = Study(replicates=0, horizons=(12,))
    >>> fits = main_fits(*told_stays(400, seed=1).tables(), study=study, groups=["province"])
    >>> restricted_time(fits, study=study)["estimate"].sum().round(6)
    np.float64(12.0)
    """
    tables = [_of_group(group, fit, study) for group, fit in fits.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def area(curves: np.ndarray, horizon: int) -> np.ndarray:
    """
    The area under curves by month (the second axis, from month 0) up to a horizon.

    Examples
    --------
    >>> area(np.array([[1.0, 0.5, 0.5]]), 2).tolist()
    [1.25]
    """
    return (curves[:, :horizon] + curves[:, 1 : horizon + 1]).sum(axis=1) / 2


def _of_group(group: str, fit: MainFit, study: Study) -> pd.DataFrame:
    estimate, replicates = fit.curves()
    at = fit.at(study.horizons).set_index("horizon")
    rows = []
    for horizon in study.horizons:
        supported = at.loc[horizon, "known"] != "insufficient"
        values = area(estimate, horizon) if supported else np.full(len(estimate), np.nan)
        many = replicates.shape[2] > 1 and supported
        se = area(replicates, horizon).std(axis=1, ddof=1) if many else np.full(len(estimate), np.nan)
        rows.append(
            pd.DataFrame(
                {
                    "measure": [RESTRICTED, *[LOST] * len(CAUSES)],
                    "cause": [None, *CAUSES],
                    "horizon": horizon,
                    "estimate": values,
                    "se": se,
                    "lower": np.clip(values - NORMAL_975 * se, 0, horizon),
                    "upper": np.clip(values + NORMAL_975 * se, 0, horizon),
                    **at.loc[horizon].to_dict(),
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    return table.assign(group=group, n_start=len(fit.model_input), method="main", note=_NOTE)[list(COLUMNS)]
