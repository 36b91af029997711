"""The way from the metropole to a region, in counts of households: each step by its class of `threshold` households.

1. *Classes.* A step holds the next ones, and what lies between two steps is a count: household_classes.py says why
   classes leave it open.
2. *Ground.* Nothing of a group of which fewer than `rate_denominator` households settled (the province: were met).
3. *Steps told.* Of the four that part those settled (there, left, lost, settled too recently) « there » and « too
   recently » only. What they leave of those settled left or was lost; where that is small and three classes would bound
   it, « too recently » goes.
4. *Regions and province*, by step.

Persons are not told, and no shares: what would be their numbers is said here already.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .household_classes import class_of, class_width, hide_wholes

FUNNEL = "process_funnel"
MET, PREPARED, SETTLED, ARRIVED, THERE, TOO_RECENT = STEPS = (
    "met_in_metropole", "prepared", "settled", "met_in_region", "there_at_12_months", "settled_too_recently",
)  # fmt: skip
# Where somebody will settle is not known yet.
_PROVINCE_ONLY = (MET, PREPARED)


def protect_service_funnel(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group and step: at_least_rounded, at_most_rounded (households), shown, reason."""
    told = frame["group"].isin([PROVINCE, *REGION_CODES]) & frame["step"].isin(STEPS)
    told &= frame["group"].eq(PROVINCE) | ~frame["step"].isin(_PROVINCE_ONLY)
    raw = frame[told].reset_index(drop=True)
    if raw.duplicated(["group", "step"]).any():
        raise DisclosureError("A step of the way to a region is given twice (same group).")
    width, least = class_width(rules), max(rules.rate_denominator, class_width(rules))
    raw["k"] = raw["households"].astype(float)
    by_step = raw.pivot(index="group", columns="step", values="k").reindex(columns=list(STEPS))
    # a step is at most those settled, which a reader may know
    raw["most"] = raw["group"].map(by_step[SETTLED]).where(raw["step"].ne(SETTLED), raw["k"])
    few = ~(by_step[SETTLED] >= least)
    few |= by_step.index.isin([PROVINCE]) & ~(by_step[MET] >= least)
    reason = pd.Series(None, index=raw.index, dtype="object")
    reason[raw["k"].isna()] = "insufficient"
    reason[raw["group"].map(few).astype(bool)] = "denominator"
    for group in by_step.index[_bounds_the_rest(by_step, width)]:
        reason[raw["group"].eq(group) & raw["step"].eq(TOO_RECENT) & reason.isna()] = "difference"
    reason = hide_wholes(raw, reason, rules, ["step"], ("k",), "most")
    shown = reason.isna()
    low, high = class_of(raw["k"].where(shown, 0), width)
    out = raw[["group", "step"]].copy()
    out["at_least_rounded"] = pd.Series(low, index=raw.index).astype("Int64").where(shown)
    out["at_most_rounded"] = pd.Series(high, index=raw.index).astype("Int64").where(shown)
    return out.assign(shown=shown, reason=reason.where(~shown, None))


def _bounds_the_rest(by_step: pd.DataFrame, width: int) -> np.ndarray:
    """Rule 3: where few left or were lost, and the classes of three steps would say of them more than that."""
    rest = by_step[SETTLED] - by_step[THERE] - by_step[TOO_RECENT]
    known = by_step[[SETTLED, THERE, TOO_RECENT]].fillna(0)
    low = class_of(known[SETTLED], width)[0]
    high = class_of(known[THERE], width)[1] + class_of(known[TOO_RECENT], width)[1]
    return (rest.between(1, width - 1) & (low - high > 1)).to_numpy()
