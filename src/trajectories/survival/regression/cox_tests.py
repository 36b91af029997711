"""The tests that all coefficients of a hazard regression are 0."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats
from trajectories.survival.limits import chi2_tail


def test_table(statistics: dict[str, float | None], df: int) -> pd.DataFrame:
    """test, statistic, df, p_value of the hypothesis that all coefficients are 0."""
    known = {name: value for name, value in statistics.items() if value is not None}
    values = np.array(list(known.values()))
    return pd.DataFrame({"test": list(known), "statistic": values, "df": df, "p_value": chi2_tail(values, df)})


test_table.__test__ = False  # its name is no test to collect


def wald(coefficient: Floats, covariance: Floats) -> float:
    """βᵀ V⁻¹ β."""
    return float(coefficient @ np.linalg.solve(covariance, coefficient))
