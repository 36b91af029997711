"""Rates drawn towards the province: told beside the region's own rate, where that one is told exactly.

A drawn rate is the region's own and the provincial one, mixed by a weight that stays behind: whoever knew the weight
would find the region's own rate by it. So it is told where that rate is (rates.py, every rule of it), in whole
percents, limits outwards; where the own rate is a range or hidden, the drawn one is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..study import Disclosure
from .rates import down, protect_rates, up
from .rules import RATE_DECIMALS

DRAWN = ("shrunken", "shrunken_lower", "shrunken_upper")


def protect_drawn(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """The rates as `protect_rates` gives them, with shrunken, shrunken_lower, shrunken_upper beside the exact ones."""
    told = protect_rates(frame, rules, at_risk, groups)
    keys = ["group", "horizon"]
    drawn = frame[[*keys, *DRAWN]].astype(dict.fromkeys(DRAWN, float))
    drawn["shrunken"] = drawn["shrunken"].round(RATE_DECIMALS)
    drawn["shrunken_lower"], drawn["shrunken_upper"] = down(drawn["shrunken_lower"]), up(drawn["shrunken_upper"])
    out = told.merge(drawn, on=keys, how="left", validate="one_to_one")
    out[list(DRAWN)] = out[list(DRAWN)].where(out["shown"] & out["estimate"].notna())
    return out
