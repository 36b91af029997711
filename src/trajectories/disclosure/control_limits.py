"""Control limits of the funnel: where a region's rate would be expected to lie, given how many it rests on.

A funnel sets each region's rate against how many independent persons it is worth, between limits round the provincial
rate. The rates are the table of rates' to tell (rates.py): here are told only that size, rounded, the limits *of the
rounded size* (found between those of the sizes given, along 1/√n, so that no exact one can be found from them), and
whether the region lies outside. A region with fewer than `rate_denominator` persons, or fewer than `threshold` persons
who left or who stayed, has no place in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import Disclosure
from .rates import _none_or_enough
from .rules import SMALLEST_DENOMINATOR, rounded

LIMITS = ("lower_95", "upper_95", "lower_998", "upper_998")
# Limits are a formula's, at a rounded number: a tenth of a percent keeps their line smooth.
LIMIT_DECIMALS = 3


def protect_control_limits(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group (and horizon): effective_n_rounded, the four limits, outside, shown."""
    keys = [name for name in ("group", "horizon") if name in frame]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A point of the funnel is given twice (same {', '.join(keys)}).")
    raw = frame.reset_index(drop=True)
    n = raw["effective_n"].astype(float).to_numpy()
    start = raw["n_start"].astype(float).fillna(0).to_numpy()
    rate = raw["estimate"].astype(float).to_numpy()
    least = max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)
    shown = np.isfinite(n) & np.isfinite(rate) & (start >= least)
    shown &= _none_or_enough((1 - np.nan_to_num(rate)) * start, rules.threshold)
    shown &= _none_or_enough(np.nan_to_num(rate) * start, rules.threshold)
    out = raw[keys].copy()
    told = np.maximum(rounded(np.floor(np.nan_to_num(n)), rules.round), rules.round)
    out["effective_n_rounded"] = pd.Series(told).astype("Int64").where(shown)
    for name in LIMITS:
        out[name] = np.nan
    by = raw["horizon"] if "horizon" in raw else pd.Series(0, index=raw.index)
    for rows in raw.groupby(by).groups.values():
        inside = rows[np.isfinite(n[rows]) & (n[rows] > 0)]
        order = inside[np.argsort(n[inside])]
        for name in LIMITS:
            values = _along(1 / np.sqrt(n[order]), raw.loc[order, name].to_numpy(dtype=float), told[rows])
            out.loc[rows, name] = np.round(np.clip(values, 0, 1), LIMIT_DECIMALS)
    out.loc[~shown, list(LIMITS)] = np.nan
    out["outside"] = raw["outside"].astype(bool) & shown
    return out.assign(shown=shown)


def _along(spread: np.ndarray, limits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The limits at rounded sizes, on the line through those given (spread = 1/√n, falling)."""
    if len(spread) == 0:
        return np.full(len(sizes), np.nan)
    wanted = 1 / np.sqrt(np.maximum(sizes, 1))
    if len(spread) == 1:
        return np.full(len(sizes), limits[0])
    return np.interp(wanted, spread[::-1], limits[::-1])
