"""Contrasts: the difference between a group and the one it is held against.

A difference says nothing about a single person that its two sides do not say: so it is told where both may be.

1. *Ground.* The group and its reference each have at least `rate_denominator` persons at the start, `support` at risk
   at the horizon, and at least `threshold` persons who left and who stayed, by the unweighted numbers.
2. *Resolution.* Differences of rates in whole percents, of months in tenths; limits outwards; a p-value has two
   decimals and is never under 0.01.
3. *Overlap*, the share of a group's stays that have a counterpart elsewhere, in steps of five points downwards, beside
   a difference that is told.
4. *Levels.* Where a level of the compared covariate is hidden, and only one is, so is the smallest of the others at
   that horizon: the whole less the others would be the hidden one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import Disclosure
from .rates import _none_or_enough
from .rules import RATE_DECIMALS, SHARE_STEPS, SMALLEST_DENOMINATOR, rounded

MONTHS = "restricted_mean"  # measures in months begin or end so; the others are of rates
MONTH_DECIMALS, SMALLEST_P = 1, 0.01
KEYS = ("by", "measure", "group", "reference", "horizon", "method")
CONTEXT = (*KEYS, "adjusted_for", "known", "disagree")


def protect_contrasts(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """A row a contrast (a reference is named): estimate, lower, upper, p_rounded, n_start_rounded,
    overlap_rounded, shown, reason."""
    keys = [name for name in KEYS if name in frame]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A contrast is given twice (same {', '.join(keys)}).")
    whole = frame.reset_index(drop=True)
    sides = _sides(whole, rules, at_risk)
    raw = whole[whole["reference"].notna()].reset_index(drop=True)
    out = raw[[name for name in CONTEXT if name in raw]].copy()
    out["reason"] = [
        sides.get((group, horizon), "denominator") or sides.get((reference, horizon), "denominator")
        for group, reference, horizon in zip(raw["group"], raw["reference"], raw["horizon"], strict=True)
    ]
    out.loc[raw["estimate"].isna() & out["reason"].isna(), "reason"] = "insufficient"
    _hide_second_level(raw, out)
    shown = out["reason"].isna()
    unit = np.where(raw["measure"].astype(str).str.contains(MONTHS), 10.0**MONTH_DECIMALS, 10.0**RATE_DECIMALS)
    for name, turn in (("estimate", np.round), ("lower", np.floor), ("upper", np.ceil)):
        values = raw[name].astype(float) * unit
        out[name] = (turn(np.round(values, 6)) / unit).where(shown)
    if "p_value" in raw:
        out["p_rounded"] = raw["p_value"].astype(float).round(2).clip(lower=SMALLEST_P).where(shown)
    start = rounded(raw["n_start"].astype(float).fillna(0).round().astype("int64"), rules.round)
    out["n_start_rounded"] = pd.Series(start).astype("Int64").where(shown)
    if "overlap" in raw:
        steps = np.floor(raw["overlap"].astype(float) * SHARE_STEPS + 1e-9) / SHARE_STEPS
        out["overlap_rounded"] = steps.where(shown)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out


def _sides(whole: pd.DataFrame, rules: Disclosure, at_risk: int) -> dict[tuple, str | None]:
    """Why each group rests on too few at each horizon (None: on enough), from its own rows of retention."""
    rows = whole[whole["measure"].eq("retention")]
    n, risk = (rows[name].astype(float).fillna(0) for name in ("n_start", "n_at_risk"))
    rate = rows["estimate"].astype(float)
    few = ~(_none_or_enough((1 - rate) * n, rules.threshold) & _none_or_enough(rate * n, rules.threshold))
    reason = pd.Series(None, index=rows.index, dtype="object")
    for name, fails in (
        ("few_exits", few),
        ("insufficient", rate.isna()),
        ("at_risk", risk < at_risk),
        ("denominator", n < max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)),
    ):
        reason[np.asarray(fails, dtype=bool)] = name
    weakest: dict[tuple, str | None] = {}
    for group, horizon, why in zip(rows["group"], rows["horizon"], reason, strict=True):
        weakest[group, horizon] = weakest.get((group, horizon)) or (why if isinstance(why, str) else None)
    return weakest


def _hide_second_level(raw: pd.DataFrame, out: pd.DataFrame) -> None:
    # what is compared: named, or read from groups such as « immigration_category=family »
    column = raw["by"] if "by" in raw else raw["group"].astype(str).str.partition("=")[0]
    by = [raw[name] for name in ("measure", "horizon", "method") if name in raw]
    for rows in raw.groupby([column, *by], dropna=False).groups.values():
        hidden = rows[out.loc[rows, "reason"].notna()]
        left = rows[out.loc[rows, "reason"].isna()]
        if len(hidden) == 1 and len(left) and (raw.loc[hidden, "n_start"].astype(float).fillna(0) > 0).all():
            out.loc[raw.loc[left, "n_start"].astype(float).idxmin(), "reason"] = "difference"
