"""Curves read at whole months: month, estimate, se, lower, upper."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..months import TOLERANCE

NUMBERS = ("estimate", "se", "lower", "upper")


def on_months(curve: pd.DataFrame, months: np.ndarray, column: str = "survival") -> pd.DataFrame:
    """A step function at whole months: month, estimate, se, lower, upper."""
    start = 1.0 if column == "survival" else 0.0
    step = np.searchsorted(curve["time"].to_numpy(dtype=float), months + TOLERANCE, side="right")
    first = {column: start, "se": 0.0, "lower": start, "upper": start}
    read = {name: np.append(value, curve[name].to_numpy(dtype=float))[step] for name, value in first.items()}
    table = pd.DataFrame({"month": months, "estimate": read.pop(column), **read})
    # a survival of 0 (everybody settled) has a standard error of 0·∞: here the share is all of those seen
    ended = table["estimate"].eq(0) & (column == "survival")
    table.loc[ended, ["se", "lower", "upper"]] = 0.0
    return table


def complement(table: pd.DataFrame) -> pd.DataFrame:
    """One minus the estimate, its limits turned round."""
    limits = {"estimate": 1 - table["estimate"], "lower": 1 - table["upper"], "upper": 1 - table["lower"]}
    return table.assign(**limits)


def nothing(months: np.ndarray) -> pd.DataFrame:
    """Months without an estimate."""
    return pd.DataFrame({"month": months, **dict.fromkeys(NUMBERS, np.nan)})
