"""Restricted mean months: the area under the retention curve, told beside the rates of the same curve.

Of a hundred persons, a rate counts those who left; the area, for how long they are missing. Divided by its horizon it
is the mean of the curve, and one less it is the persons missing, each for the part of the horizon missed: never more
than left. So it is protected as a rate is, by the same function, with a bound of its own.

1. *Ground, steps, sums* as in rates.py (1, 2 and 5), of the mean of the curve. What is missing is nobody, or at least
   `threshold` whole persons, since the last horizon told. Then no small number of departures is told either: had k
   persons left by a month m of the horizon h, they could be up to h / (h − m) times those missing, which is `threshold`
   or more. Where rates.py would tell a range, nothing is told: the range of the rate says as much.
2. *Never past a range.* « At least … at most … » at a horizon stands for 1 to `threshold` departures between two
   horizons. The area, at that horizon or a later one, would say when those who left did, and so how many by then
   (planted in the tests: nine departures, told as seven or more). Months are told where the rate is told exactly at
   their horizon and at every one before. The rates are not in the table of months: they are given beside (`rate`).
3. *Resolution.* Whole percents of the horizon, then tenths of a month, which are coarser or the same; limits outwards.

Months lost to each destination are not told: they are to these what the exits by destination are to the rate, and those
are told (rates.py, 4) at horizons chosen so that small destinations hide one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..course.time_there import RESTRICTED
from ..exceptions import DisclosureError
from ..study import Disclosure
from .rates import EXACT, protect_rates

RATE = "rate"
TENTHS = 10


def protect_months(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """A row a group and horizon: estimate, lower, upper (months, in tenths), known, shown, reason."""
    keys = ["group", "horizon"]
    raw = frame[frame["measure"].eq(RESTRICTED)].sort_values(keys, ignore_index=True)
    if RATE not in raw:
        raise DisclosureError(
            "Restricted mean months are told where the retention rate of the same horizon is: "
            f"give it beside them, as a column {RATE}."
        )
    if raw.duplicated(keys).any():
        raise DisclosureError(f"Restricted mean months are given twice (same {', '.join(keys)}).")
    about = raw[[*keys, *(name for name in ("known", "n_start", "n_at_risk", "n_households") if name in raw)]]
    rates = protect_rates(about.assign(**dict.fromkeys(EXACT, raw[RATE].astype(float))), rules, at_risk, groups)
    before = rates["shown"].groupby(raw["group"]).cummin()
    horizon = raw["horizon"].astype(float)
    means = {name: (raw[name].astype(float) / horizon).where(before) for name in EXACT}
    told = protect_rates(about.assign(**means), rules, at_risk, groups)
    out = told[[*keys, *(["known"] if "known" in raw else [])]].copy()
    shown = told["shown"]
    for name, turn in zip(EXACT, (np.round, np.floor, np.ceil), strict=True):
        tenths = turn(np.round(told[name] * horizon * TENTHS, 6)) / TENTHS
        out[name] = tenths.where(shown)
    out["shown"] = shown
    # a horizon after a range has a rate that is told, and yet no months
    why = told["reason"].where(before, rates["reason"].fillna("few_exits"))
    out["reason"] = why.astype("object").where(~shown, None)
    return out
