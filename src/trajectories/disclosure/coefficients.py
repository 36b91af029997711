"""Coefficients of models: hazard ratios, as they may be told.

A ratio compares the persons of one level of a covariate with the rest. It is told where both sides rest on enough.

1. *Ground.* The level, and the persons who are not of it, each have at least `rate_denominator` stays and at least
   `threshold` exits (and enough households, where they are counted); for a number (age, years), the whole model has.
2. *No way round.* A hidden level could not be found from the others (a ratio is no sum), but a reference that holds too
   few would stand behind every ratio of its covariate: a covariate with one weak level keeps the ratios of the others
   only where the reference itself has its ground.
3. *Resolution.* Ratios have two decimals, limits go outwards, a p-value has two decimals and is never under 0.01:
   enough to read, too little to find a count again. Numbers of stays and exits are those of the model, rounded to the
   base; those of a level stay behind. E-values, which are made of the ratio, have one decimal.

The numbers of a level are n_stays and n_events (and n_households, where counted), those of its model n_model_stays and
n_model_events.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import Disclosure
from ..tables import PROVINCE
from .rules import SMALLEST_DENOMINATOR, rounded

DECIMALS = 2
SMALLEST_P = 0.01
E_VALUES = ("e_value", "e_value_limit")
KEYS = ("group", "model", "term", "level", "from_month", "to_month")
# What may stay beside a ratio: codes, none of them a number of persons.
CONTEXT = (*KEYS, "reference", "reading")


def protect_coefficients(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a coefficient, in the order given: hazard_ratio_rounded, lower, upper, p_rounded, shown, reason."""
    keys = [name for name in KEYS if name in frame]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A coefficient is given twice (same {', '.join(keys)}).")
    raw = frame.reset_index(drop=True)
    if "group" not in raw:
        raw = raw.assign(group=PROVINCE)
    out = raw[[name for name in CONTEXT if name in raw]].copy()
    out["reason"] = _ground(raw, rules)
    shown = out["reason"].isna()
    for name, value in {
        "hazard_ratio_rounded": raw["hazard_ratio"].astype(float).round(DECIMALS),
        "lower": np.floor(np.round(raw["lower"].astype(float) * 10**DECIMALS, 6)) / 10**DECIMALS,
        "upper": np.ceil(np.round(raw["upper"].astype(float) * 10**DECIMALS, 6)) / 10**DECIMALS,
        "p_rounded": raw["p_value"].astype(float).round(2).clip(lower=SMALLEST_P),
    }.items():
        out[name] = value.where(shown)
    for name in (name for name in E_VALUES if name in raw):
        out[f"{name}_rounded"] = raw[name].astype(float).round(1).where(shown)
    for name in ("n_model_stays", "n_model_events"):
        values = _number(raw, name).fillna(0).round().astype("int64").to_numpy()
        out[f"{name}_rounded"] = pd.Series(rounded(values, rules.round)).astype("Int64")
        out[f"{name}_rounded"] = out[f"{name}_rounded"].where(shown & (values >= rules.threshold))
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out


def _ground(raw: pd.DataFrame, rules: Disclosure) -> pd.Series:
    # without the model's own numbers nothing is known of the other side, and nothing is told
    stays, events = _number(raw, "n_model_stays"), _number(raw, "n_model_events")
    of_level = raw["level"].notna()
    level_stays, level_events = _number(raw, "n_stays"), _number(raw, "n_events")
    rest_stays = (stays - level_stays).where(of_level, stays)
    rest_events = (events - level_events).where(of_level, events)
    least = max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)
    reason = pd.Series(None, index=raw.index, dtype="object")
    households = _number(raw, "n_households", rules.households)
    for name, fails in (
        ("few_exits", ~((level_events >= rules.threshold) & (rest_events >= rules.threshold))),
        ("households", ~(households >= rules.households)),
        ("denominator", ~((level_stays >= least) & (rest_stays >= least))),
        ("insufficient", raw["hazard_ratio"].isna()),
    ):
        reason[fails.to_numpy(dtype=bool, na_value=True)] = name
    by = [name for name in KEYS if name in raw and name != "level"]
    # what no row stands for is of the reference
    rows = raw.assign(_stays=level_stays.fillna(np.inf), _events=level_events.fillna(np.inf))[of_level]
    sums = rows.groupby(by, dropna=False)[["_stays", "_events"]].transform("sum")
    short = (stays[of_level] - sums["_stays"] < least) | (events[of_level] - sums["_events"] < rules.threshold)
    weak = short[short].index
    reason[weak] = reason[weak].fillna("reference")
    return reason


def _number(raw: pd.DataFrame, name: str, default: float = np.nan) -> pd.Series:
    return raw[name].astype(float) if name in raw else pd.Series(float(default), index=raw.index)
