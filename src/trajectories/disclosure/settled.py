"""The share settled for good: a model's limit, in steps of five points, or why there is none.

It is nobody's count: who will never leave is not known of anybody yet. But the share who will leave is made of those
who have, and a plateau is where nearly all of them have.

1. *Ground.* At least `rate_denominator` persons, a plateau that was observed (course/settled.py), and nobody or at
   least `threshold` persons on either side of the share. Steps of five points, limits outwards: wider than those of the
   rate at the end of the curve, which it must not sharpen. Shares of a model do not add up: the province's less those
   of the regions is no region's.
2. *Why not* is told, by the first rule of the model that fails, where there are enough persons. That nobody is known
   to have left is not: the rule fails as soon as one draw of the model holds nobody, which two or three departures do
   as well, and a rate would tell these as « 1 to `threshold` ». It is told as « no plateau ».
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..course.settled import NOTES
from ..exceptions import DisclosureError
from ..study import Disclosure
from .rates import EXACT, _none_or_enough
from .rules import SHARE_STEPS, SMALLEST_DENOMINATOR

NO_PLATEAU, NO_EXIT = "no_plateau", "no_exit"
_WHY = {text: NO_PLATEAU if key == NO_EXIT else key for key, text in NOTES.items() if key}


def protect_settled(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group: estimate, lower, upper (0–1, in steps of five points), shown, reason."""
    if frame["group"].duplicated().any():
        raise DisclosureError("A share settled for good is given twice (same group).")
    raw = frame.reset_index(drop=True)
    n, share = raw["n_start"].astype(float).fillna(0), raw["estimate"].astype(float)
    out = raw[["group"]].copy()
    observed = raw["known"].eq("observed") & share.notna()
    out["reason"] = raw["note"].map(_WHY).fillna("insufficient").astype("object").where(~observed, None)
    few = ~(_none_or_enough((1 - share) * n, rules.threshold) & _none_or_enough(share * n, rules.threshold))
    out.loc[observed & few, "reason"] = "few_exits"
    out.loc[n < max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR), "reason"] = "denominator"
    shown = out["reason"].isna()
    for name, turn in zip(EXACT, (np.round, np.floor, np.ceil), strict=True):
        steps = turn(np.round(raw[name].astype(float) * SHARE_STEPS, 6)).clip(0, SHARE_STEPS)
        out[name] = (steps / SHARE_STEPS).where(shown)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out[["group", *EXACT, "shown", "reason"]]
