"""Occupation of states: where those who settled are, month by month, in classes of `threshold` persons.

1. *The whole alone.* A region's states less its curve are those who left it and came back: few persons, almost exactly.
2. *Two parts of one state.* So it is for the whole too, where the retention rate is told: « here » is told as the sum
   of two classes, those who never left (the rate, given beside as `rate`) and those who came back. One person who came
   back, or `threshold` of them, are told alike.
3. *States are classes*, each month with its room, as in states.py (2, 3), whose function this uses; of those who never
   left is known what their class tells, and what the rate in whole percents does.
4. *Ground.* A month is supported, at least `support` are at risk, and nobody or at least `threshold` persons left and
   stayed: where the rate would be told as a range, the states would say more than the range.

Balances are left: what stands in a destination less what left for it is comings and goings together, and no number of
persons. Limits, and the check by a panel model, are not told.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..course.afterwards import STATES
from ..exceptions import DisclosureError
from ..study import Disclosure
from ..tables import PROVINCE, SUPPORTS
from .months import RATE
from .rates import MAIN, _none_or_enough
from .rules import NO_EXITS, RATE_DECIMALS, rounded, rounding_interval
from .states import in_classes, people

HERE, NEVER_LEFT, CAME_BACK = STATES[0], "never_left", "came_back"
*_, INSUFFICIENT = SUPPORTS


def protect_occupation(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """A row a month and state that may be shown: share_rounded (0–1, whole percents), known."""
    if RATE not in frame:
        raise DisclosureError(
            "The states of a month are told where the retention rate of that month may be: "
            f"give it beside them, as a column {RATE}."
        )
    if frame.duplicated(["group", "method", "horizon", "state"]).any():
        raise DisclosureError("A state is given twice (same group, method, month and state).")
    raw = frame[frame["group"].eq(PROVINCE) & frame["method"].eq(MAIN)].rename(columns={"horizon": "month"})
    raw = raw[raw["estimate"].notna() & raw["known"].ne(INSUFFICIENT) & (raw["n_at_risk"] >= at_risk)]
    n, rate = raw["n_start"].astype(float), raw[RATE].astype(float)
    enough = _none_or_enough((1 - rate) * n, rules.threshold) & _none_or_enough(rate * n, rules.threshold)
    parts = _in_two(raw[enough])
    counted = parts.assign(type=PROVINCE, count=people(parts["share"], parts["n"]))
    told = in_classes(counted, rules, _rate_as_told(counted, rules))
    told = told[told["shown"]].replace({"state": {NEVER_LEFT: HERE, CAME_BACK: HERE}})
    told = told.assign(share_rounded=told["middle"] / told.groupby("month")["middle"].transform("sum"))
    columns = ["month", "state", "known"]
    out = told.groupby(columns, as_index=False, sort=True)["share_rounded"].sum()
    out["share_rounded"] = out["share_rounded"].round(RATE_DECIMALS)
    return out.assign(group=PROVINCE, shown=True)[["group", *columns, "share_rounded", "shown"]]


def _in_two(raw: pd.DataFrame) -> pd.DataFrame:
    """The states with those here in two: never left, came back."""
    columns = ["month", "known", "state", "share", "n"]
    raw = raw.assign(share=raw["estimate"].astype(float), n=raw["n_start"].astype("int64"))
    here = raw[raw["state"].eq(HERE)]
    back = here["share"] - here[RATE].astype(float)
    if (back < -NO_EXITS).any():
        raise DisclosureError("Fewer are here than never left: these states are not those of this curve.")
    stayed = here.assign(state=NEVER_LEFT, share=here[RATE].astype(float))
    came = here.assign(state=CAME_BACK, share=back.clip(lower=0))
    return pd.concat([stayed, came, raw[raw["state"].ne(HERE)]], ignore_index=True)[columns]


def _rate_as_told(counted: pd.DataFrame, rules: Disclosure) -> tuple[np.ndarray, np.ndarray]:
    """The fewest and the most of each state that the rate in whole percents leaves: of those who never left, some."""
    fewest, most = rounding_interval(rounded(counted["n"], rules.round), rules.round, rules.threshold)
    half = 0.5 * 10.0**-RATE_DECIMALS
    rate = counted["share"].round(RATE_DECIMALS).to_numpy()
    stayed = counted["state"].eq(NEVER_LEFT).to_numpy()
    least = np.where(stayed, np.floor((rate - half) * fewest), 0)
    return least, np.where(stayed, np.ceil((rate + half) * most), np.inf)
