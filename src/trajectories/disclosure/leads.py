"""Improvement leads: where a gap is, whom it touches and the figure behind it, as they may be told.

A lead is a sentence without a number; its numbers are told where they may be.

1. *Ground.* A share is told where the lead touches at least `threshold` households and leaves at least as many
   untouched, of at least `rate_denominator`; a hazard ratio where the model of stays has as many. The unit is the
   household, and the threshold that of persons: each household has one person at least. Where a number may not be told
   the lead stands without any.
2. *Resolution.* Households to the rounding base; shares in steps of five points, ratios in two decimals, limits
   outwards; what was expected, which is of the others, in whole percents. A share in whole percents beside households,
   and beside the class of their number that the tables of services tell, would leave two or three of them to choose
   from; and what two such numbers differ by could be few.
3. *Whole places.* Groups of regions that a study names have no leads of their own: beside those of their regions they
   would tell a region that is hidden.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .coefficients import DECIMALS as RATIO_DECIMALS
from .rules import RATE_DECIMALS, SHARE_STEPS, SMALLEST_DENOMINATOR, rounded

CONTEXT = ("group", "rank", "rule", "kind", "subject", "measure", "horizon", "evidence")
KEYS = ("group", "rule", "subject", "horizon")
RATIO = "hazard_ratio"


def protect_leads(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a lead: its context, households_rounded, estimate, lower, upper, expected_rounded, shown, reason."""
    if frame.duplicated(list(KEYS)).any():
        raise DisclosureError(f"A lead is given twice (same {', '.join(KEYS)}).")
    places = frame["group"].isin([PROVINCE, *REGION_CODES]) | frame["group"].astype(str).str.contains("=", regex=False)
    raw = frame[places].reset_index(drop=True)
    out = raw[list(CONTEXT)].copy()
    if "note" in raw:
        # a region that no rule could look at: no number, and no lead
        out["said"] = raw["note"].astype("object").where(raw["note"].notna(), None)
    touched, n = (raw[name].astype("float64").fillna(0) for name in ("households", "n_start"))
    least = max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)
    ratio = raw["measure"].eq(RATIO)
    few = (touched < rules.threshold) | (n - touched < rules.threshold)
    base = (n < least) | (ratio & (raw["n_at_risk"].astype("float64").fillna(0) < least))
    out["reason"] = np.select(
        [few, base, raw["estimate"].isna()], ["few_households", "denominator", "insufficient"], ""
    )
    shown = out["reason"].eq("")
    out["households_rounded"] = pd.Series(rounded(touched.round().astype("int64"), rules.round)).astype("Int64")
    out["households_rounded"] = out["households_rounded"].where(shown)
    unit = np.where(ratio, 10**RATIO_DECIMALS, SHARE_STEPS)
    for name, turn in (("estimate", np.round), ("lower", np.floor), ("upper", np.ceil)):
        out[name] = (turn(np.round(raw[name].astype("float64") * unit, 6)) / unit).where(shown)
    out["expected_rounded"] = raw["expected"].astype("float64").round(RATE_DECIMALS).where(shown & ~ratio)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out
