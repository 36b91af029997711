"""Shares of households that a service reached, told between the ends that classes of households leave.

Both numbers of a share, those with the service and those that it is of, are told by their classes of `threshold`
households (household_classes.py), and the share as what these leave open: 10–19 of 50–59 households are « 16 to 38 % ».
It says no more than the two classes do.

1. *Ground.* An estimate, and at least `rate_denominator` households followed for it.
2. *Resolution.* Where one class is more than `WIDEST_SHARE` of the households, the share would say nothing.
3. *Regions and province.* The province is not told where it would tell of a small part of a region, told or not.
4. *Any service.* Who got any is at most the sum of who got each: « any » is not told where that would bound a small
   service from below; nor the services one by one where their sum would bound how few got none.
5. *What is told.* All streams, the whole period, households whose establishment the metropole told of, some months of
   the delay. Streams, periods and the services of the delay would part these again; groups that may overlap (those of
   the study, categories) would too. A row of the raw table without an estimate holds true counts: nothing of it leaves.

What is not looked at: tables that part different people (stays by pathway, retention of persons). Beside the number of
all those settled, beside_counts.py widens what is told here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .household_classes import class_of, class_width, hide_wholes
from .rates import down, up
from .rules import NO_EXITS

# The names that the room services gives (it stands above this one).
REACH, DELAY, TRANSFER, NEVER = "reach", "delay_to_first", "transfer", "transfer_never"
NEED, REASON = "need_without_service", "reason_and_service"
ANY, ALL, TOLD = "any", "all", "told_in_metropole"
WINDOWS = ("before", "around", "after")
# Months since the establishment at which the delay is told: each later one holds the earlier.
DELAY_MONTHS = (1, 3, 6, 12)
# A share whose ends are farther apart than this, by one class alone, is no answer.
WIDEST_SHARE = 0.20
# What a row of each table is of.
ITEMS = {
    REACH: ("service", "when"), DELAY: ("horizon",), TRANSFER: ("horizon",), NEED: ("need", "service", "horizon"),
    REASON: ("exit_reason", "service"),
}  # fmt: skip


def protect_service_shares(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group and item: at_least, at_most (0–1), n_start_rounded (first of its class), shown, reason."""
    raw = _told_rows(frame)
    measure = raw["measure"].iloc[0] if len(raw) else REACH
    keys = list(ITEMS[measure])
    if raw.duplicated(["group", *keys]).any():
        raise DisclosureError(f"A share of households is given twice (same group, {', '.join(keys)}).")
    raw = with_sides(raw)
    followed = raw["n_followed"].astype(float) if "n_followed" in raw else raw["n"]
    reason = ground(raw, followed, rules)
    if measure == REACH:
        reason = _hide_any(raw, reason, rules)
    reason = hide_wholes(raw, reason, rules, keys, ("n", "k", "rest"), "n")
    return written(raw, reason, rules, ["measure", *keys])


def _told_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rule 5: the rows that may be told at all."""
    kept = frame["group"].isin([PROVINCE, *REGION_CODES]) & frame["measure"].ne(NEVER)
    for name, allowed in (("stream", (ALL,)), ("when", WINDOWS), ("period", (ALL,))):
        if name in frame:
            kept &= frame[name].isin(allowed)
    if "service" in frame:
        kept &= frame["service"].notna()  # what no service answers has counts alone
    if frame["measure"].eq(TRANSFER).any():
        kept &= frame["method"].eq(TOLD)
    if frame["measure"].eq(DELAY).any():
        kept &= frame["service"].eq(ANY) & frame["horizon"].isin(DELAY_MONTHS)
    # why something is not shown is a `reason` too
    return frame[kept].rename(columns={"reason": "exit_reason"}).reset_index(drop=True)


def with_sides(raw: pd.DataFrame) -> pd.DataFrame:
    """With n (what the share is of), k (those with it; missing where it is not known) and rest (those without)."""
    n = raw["n_whole"].astype(float)
    k = raw["k_whole"].astype(float).where(n.ne(0), 0.0)
    return raw.assign(n=n, k=k, rest=n - k)


def ground(raw: pd.DataFrame, followed: pd.Series, rules: Disclosure) -> pd.Series:
    """Rules 1 and 2: why a share rests on too few; missing where it rests on enough."""
    width = class_width(rules)
    n = raw["n"].fillna(0)
    first = class_of(n, width)[0]
    one_class = np.divide(width, first, out=np.full(len(raw), np.inf), where=first > 0)
    reason = pd.Series(None, index=raw.index, dtype="object")
    least = max(rules.rate_denominator, width)
    for name, fails in (
        ("resolution", one_class > WIDEST_SHARE + NO_EXITS),
        ("denominator", (n < least) | (followed.fillna(0) < least)),
        ("insufficient", raw["estimate"].isna() | raw["n"].isna()),
    ):
        reason[np.asarray(fails, dtype=bool)] = name
    return reason


def _hide_any(raw: pd.DataFrame, reason: pd.Series, rules: Disclosure) -> pd.Series:
    """Rule 4, in each group and window."""
    width, reason = class_width(rules), reason.copy()
    for _, rows in raw.groupby(["group", "when"], sort=True):
        either = rows.index[rows["service"].eq(ANY) & reason[rows.index].isna()]
        each = rows.index[rows["service"].ne(ANY) & reason[rows.index].isna()]
        if not len(either) or not len(each):
            continue
        most = class_of(raw.loc[each, "k"], width)[1]
        small = raw.loc[each, "k"].between(1, width - 1).to_numpy()
        (at,) = either
        (least,), _ = class_of([raw.at[at, "k"]], width)
        (whole,), _ = class_of([raw.at[at, "n"]], width)
        if small.any() and (least - (most.sum() - most[small]) > 1).any():
            reason[at] = "difference"
        if 0 < raw.at[at, "rest"] < width and whole - most.sum() > 1:
            reason[each] = "difference"
    return reason


def written(raw: pd.DataFrame, reason: pd.Series, rules: Disclosure, keys: list[str]) -> pd.DataFrame:
    """The shares that may be told, between their ends, outwards in whole percents."""
    width, shown = class_width(rules), reason.isna()
    n_low, n_high = class_of(raw["n"].where(shown, width), width)
    k_low, k_high = class_of(raw["k"].where(shown, 0), width)
    out = raw[["group", *keys]].copy()
    out["at_least"] = pd.Series(down(k_low / n_high), index=raw.index).where(shown)
    out["at_most"] = pd.Series(up(np.minimum(k_high / n_low, 1.0)), index=raw.index).where(shown)
    out["n_start_rounded"] = pd.Series(n_low, index=raw.index).astype("Int64").where(shown)
    return out.assign(shown=shown, reason=reason.where(~shown, None))
