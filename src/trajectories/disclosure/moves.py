"""Moves per person: a bracket, told by classes of `threshold` moves.

A mean times the persons is a number of moves, and one more from a horizon to the next is somebody's. So the number of
moves that the mean stands for is told by the ends of its class of `threshold` moves, as a stock is (stock.py), over the
rounded number of persons: the lower end by the method that misses moves (`no_news_no_move`), the upper end by the one
that counts too many (`while_seen`). Between horizons only the passage of a class is told: 1 to `threshold` − 1 moves
could all pass it, or none of them.

1. *Ground.* By both methods: as for rates (rates.py, 1), and at least `threshold` known moves. Moves are not persons
   (a family of five that moved twice made ten): of how many persons they are is not told.
2. *Resolution.* Where one class is more than `WIDEST_CLASS` of the persons, the bracket would say nothing.
3. *Regions and province.* Where a part that holds persons is hidden, the whole's is told only if the ends of its class
   less those of the parts told leave the difference open to all of 1 … threshold − 1, or above it, by either method
   (with two parts told, or more, they may not: ends of classes do not add up to ends of classes).
4. *All kinds together.* Moves of one kind are few, and the kinds add up to all.

Told as moves a person, in whole percents: what is computed from ends of classes and a rounded number is outwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..course.moving import ALL, METHODS
from ..exceptions import DisclosureError
from ..study import Disclosure
from .rates import down, ground, sums_of, up
from .rules import NO_EXITS, class_ends, rounded, rounding_interval
from .thresholds import WIDEST_CLASS

_KEYS = ["group", "horizon"]


def protect_moves(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """A row a group and horizon with both methods: at_least, at_most (moves a person), shown, reason."""
    raw = frame[frame["kind"].eq(ALL)].sort_values([*_KEYS, "method"], ignore_index=True)
    if raw.duplicated([*_KEYS, "method"]).any():
        raise DisclosureError(f"Moves per person are given twice (same {', '.join(_KEYS)} and method).")
    raw["reason"] = ground(raw, rules, at_risk)
    raw.loc[raw["reason"].isna() & (raw["n_moves"].astype(float) < rules.threshold), "reason"] = "few_moves"
    meant = raw["estimate"].astype(float).fillna(0) * raw["n_start"].astype(float).fillna(0)
    raw["least"], raw["most"] = class_ends(np.ceil(meant - NO_EXITS), rules.threshold)
    each = [raw[raw["method"].eq(method)].set_index(_KEYS) for method in METHODS]
    low, high = (one.reindex(each[0].index.intersection(each[1].index)) for one in each)
    out = low.index.to_frame(index=False)
    out["reason"] = low["reason"].combine_first(high["reason"]).to_numpy()
    n = rounded(low["n_start"].astype("Float64").fillna(0).round().astype("int64"), rules.round)
    fewest = rounding_interval(n, rules.round, rules.threshold)[0]
    one_class = np.divide(rules.threshold, fewest, out=np.full(len(out), np.inf), where=fewest > 0)
    out.loc[(one_class > WIDEST_CLASS) & out["reason"].isna(), "reason"] = "resolution"
    for whole, parts in sums_of(groups or {}):
        _hide_differences(out, (low, high), rules, whole, parts)
    shown = out["reason"].isna()
    least = np.minimum(low["least"], high["least"]).to_numpy() - 1  # 31–40: « 30 »
    most = np.maximum(low["most"], high["most"]).to_numpy()
    persons = np.where(shown, n, 1)
    out["at_least"] = pd.Series(down(np.maximum(least, 0) / persons)).where(shown)
    out["at_most"] = pd.Series(up(most / persons)).where(shown)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out[[*_KEYS, "at_least", "at_most", "shown", "reason"]]


def _hide_differences(
    out: pd.DataFrame, methods: Sequence[pd.DataFrame], rules: Disclosure, whole: str, parts: Sequence[str]
) -> None:
    """Rule 3: the whole's moves less those of the parts told."""
    persons = methods[0]["n_start"].astype(float).fillna(0).to_numpy() > 0
    for rows in out.groupby("horizon").groups.values():
        mine = rows[out.loc[rows, "group"].eq(whole) & out.loc[rows, "reason"].isna()]
        among = rows[out.loc[rows, "group"].isin(parts)]
        told = among[out.loc[among, "reason"].isna()]
        hidden = among[out.loc[among, "reason"].notna() & persons[among]]
        if not len(mine) or not len(hidden):
            continue
        for one in methods:
            least, most = one["least"].to_numpy(), one["most"].to_numpy()
            below = least[mine].sum() - most[told].sum()
            above = most[mine].sum() - least[told].sum()
            if above < rules.threshold - 1 or 1 < below < rules.threshold:
                out.loc[mine, "reason"] = "difference"
