"""Rules of contrasts: between groups, of a region from its limits of chance, of the levels of a model, of leads.

A difference says nothing about a single person that its two sides do not say: so it is told where both may be.

1. *Ground.* The group and its reference each have at least `rate_denominator` persons at the start, `support` at risk
   at the horizon, and at least `threshold` persons who left and who stayed, by the unweighted numbers.
2. *Resolution.* Differences of rates in whole percents, of months in tenths; limits outwards; a p-value has two
   decimals and is never under 0.01. Limits and p-value are those that hold for all differences of a comparison
   together, where the table has them.
3. *Overlap*, the share of a group's stays that have a counterpart elsewhere, in steps of five points downwards, beside
   a difference that is told.
4. *Levels.* Where a level of the compared covariate is hidden, and only one is, so is the smallest of the others at
   that horizon: the whole less the others would be the hidden one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..analysis.services.leads import RULES, TO_WATCH, at_stake
from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
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
    contrasts = frame.reset_index(drop=True)
    sides = _sides(contrasts, rules, at_risk)
    raw = contrasts[contrasts["reference"].notna()].reset_index(drop=True)
    out = raw[[name for name in CONTEXT if name in raw]].copy()
    out["reason"] = [
        sides.get((group, horizon), "denominator") or sides.get((reference, horizon), "denominator")
        for group, reference, horizon in zip(raw["group"], raw["reference"], raw["horizon"], strict=True)
    ]
    out.loc[raw["estimate"].isna() & out["reason"].isna(), "reason"] = "insufficient"
    _hide_second_level(raw, out)
    shown = out["reason"].isna()
    unit = np.where(raw["measure"].astype(str).str.contains(MONTHS), 10.0**MONTH_DECIMALS, 10.0**RATE_DECIMALS)
    simultaneous = {"lower": "simultaneous_lower", "upper": "simultaneous_upper", "p_value": "adjusted_p"}
    limits = {name: raw[column] for name, column in simultaneous.items() if column in raw}
    for name, turn in (("estimate", np.round), ("lower", np.floor), ("upper", np.ceil)):
        values = limits.get(name, raw[name]).astype(float) * unit
        out[name] = (turn(np.round(values, 6)) / unit).where(shown)
    if "p_value" in raw:
        p_value = limits.get("p_value", raw["p_value"]).astype(float)
        out["p_rounded"] = p_value.round(2).clip(lower=SMALLEST_P).where(shown)
    start = rounded(raw["n_start"].astype(float).fillna(0).round().astype("int64"), rules.round)
    out["n_start_rounded"] = pd.Series(start).astype("Int64").where(shown)
    if "overlap" in raw:
        overlap = np.floor(raw["overlap"].astype(float) * SHARE_STEPS + 1e-9) / SHARE_STEPS
        out["overlap_rounded"] = overlap.where(shown)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out


def _sides(contrasts: pd.DataFrame, rules: Disclosure, at_risk: int) -> dict[tuple, str | None]:
    """Why each group rests on too few at each horizon (None: on enough), from its own rows of retention."""
    rows = contrasts[contrasts["measure"].eq("retention")]
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
        displayed = rows[out.loc[rows, "reason"].isna()]
        if len(hidden) == 1 and len(displayed) and (raw.loc[hidden, "n_start"].astype(float).fillna(0) > 0).all():
            out.loc[raw.loc[displayed, "n_start"].astype(float).idxmin(), "reason"] = "difference"


# ----------------------------------------------------------------------------------------------------
# Control limits of the funnel: where a region's rate would be expected to lie, given how many it rests on.
#
# A funnel sets each region's rate against how many independent persons it is worth, between limits round the
# provincial rate. The rates are the table of rates' to tell (rates.py): here are told only that size, rounded, the
# limits *of the rounded size* (found between those of the sizes given, along 1/√n, so that no exact one can be found
# from them), and whether the region lies outside. A region with fewer than `rate_denominator` persons, or fewer than
# `threshold` persons who left or who stayed, has no place in it.

LIMITS = ("lower_95", "upper_95", "lower_998", "upper_998")
# Limits are a formula's, at a rounded number: a tenth of a percent keeps their line smooth.
LIMIT_DECIMALS = 3


def protect_control_limits(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group (and horizon): effective_n_rounded, the four limits, outside, shown."""
    keys = [name for name in ("group", "horizon") if name in frame]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A point of the funnel is given twice (same {', '.join(keys)}).")
    raw = frame.reset_index(drop=True)
    n = raw["effective_n"].astype(float).to_numpy()
    start = raw["n_start"].astype(float).fillna(0).to_numpy()
    rate = raw["estimate"].astype(float).to_numpy()
    least = max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)
    shown = np.isfinite(n) & np.isfinite(rate) & (start >= least)
    shown &= _none_or_enough((1 - np.nan_to_num(rate)) * start, rules.threshold)
    shown &= _none_or_enough(np.nan_to_num(rate) * start, rules.threshold)
    out = raw[keys].copy()
    sizes = np.maximum(rounded(np.floor(np.nan_to_num(n)), rules.round), rules.round)
    out["effective_n_rounded"] = pd.Series(sizes).astype("Int64").where(shown)
    for name in LIMITS:
        out[name] = np.nan
    by = raw["horizon"] if "horizon" in raw else pd.Series(0, index=raw.index)
    for rows in raw.groupby(by).groups.values():
        inside = rows[np.isfinite(n[rows]) & (n[rows] > 0)]
        order = inside[np.argsort(n[inside])]
        for name in LIMITS:
            values = _along(1 / np.sqrt(n[order]), raw.loc[order, name].to_numpy(dtype=float), sizes[rows])
            out.loc[rows, name] = np.round(np.clip(values, 0, 1), LIMIT_DECIMALS)
    out.loc[~shown, list(LIMITS)] = np.nan
    out["outside"] = raw["outside"].astype(bool) & shown
    return out.assign(shown=shown)


def _along(spread: np.ndarray, limits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The limits at rounded sizes, on the line through those given (spread = 1/√n, falling)."""
    if len(spread) == 0:
        return np.full(len(sizes), np.nan)
    wanted = 1 / np.sqrt(np.maximum(sizes, 1))
    if len(spread) == 1:
        return np.full(len(sizes), limits[0])
    return np.interp(wanted, spread[::-1], limits[::-1])


# ----------------------------------------------------------------------------------------------------
# Coefficients of models: hazard ratios, as they may be told.
#
# A ratio compares the persons of one level of a covariate with the rest. It is told where both sides rest on enough.
#
# 1. *Ground.* The level, and the persons who are not of it, each have at least `rate_denominator` stays and at least
# `threshold` exits (and enough households, where they are counted); for a number (age, years), the whole model has. 2.
# *No way round.* A hidden level could not be found from the others (a ratio is no sum), but a reference that holds too
# few would stand behind every ratio of its covariate: a covariate with one weak level keeps the ratios of the others
# only where the reference itself has its ground. 3. *Resolution.* Ratios have two decimals, limits go outwards, a
# p-value has two decimals and is never under 0.01: enough to read, too little to find a count again. Numbers of stays
# and exits are those of the model, rounded to the base; those of a level stay behind. E-values, which are made of the
# ratio, have one decimal.
#
# The numbers of a level are n_stays and n_events (and n_households, where counted), those of its model n_model_stays
# and n_model_events.

DECIMALS = 2
E_VALUES = ("e_value", "e_value_limit")
COEFFICIENT_KEYS = ("group", "model", "term", "level", "from_month", "to_month")
# What may stay beside a ratio: codes, none of them a number of persons.
COEFFICIENT_CONTEXT = (*COEFFICIENT_KEYS, "reference", "reading")


def protect_coefficients(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a coefficient, in the order given: hazard_ratio_rounded, lower, upper, p_rounded, shown, reason."""
    keys = [name for name in COEFFICIENT_KEYS if name in frame]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A coefficient is given twice (same {', '.join(keys)}).")
    raw = frame.reset_index(drop=True)
    if "group" not in raw:
        raw = raw.assign(group=PROVINCE)
    out = raw[[name for name in COEFFICIENT_CONTEXT if name in raw]].copy()
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
    by = [name for name in COEFFICIENT_KEYS if name in raw and name != "level"]
    # what no row stands for is of the reference
    rows = raw.assign(_stays=level_stays.fillna(np.inf), _events=level_events.fillna(np.inf))[of_level]
    sums = rows.groupby(by, dropna=False)[["_stays", "_events"]].transform("sum")
    short = (stays[of_level] - sums["_stays"] < least) | (events[of_level] - sums["_events"] < rules.threshold)
    weak = short[short].index
    reason[weak] = reason[weak].fillna("reference")
    return reason


def _number(raw: pd.DataFrame, name: str, default: float = np.nan) -> pd.Series:
    return raw[name].astype(float) if name in raw else pd.Series(float(default), index=raw.index)


# ----------------------------------------------------------------------------------------------------
# Improvement leads: where a gap is, whom it touches and the figure behind it, as they may be told.
#
# A lead is a sentence without a number; its numbers are told where they may be.
#
# 1. *Ground.* A share is told where the lead touches at least `threshold` households and leaves at least as many
# untouched, of at least `rate_denominator`; a hazard ratio where the model of stays has as many. The unit is the
# household, and the threshold that of persons: each household has one person at least. Where a number may not be told
# the lead stands without any. 2. *Resolution.* Households to the rounding base; shares in steps of five points, ratios
# in two decimals, limits outwards; what was expected, which is of the others, in whole percents. A share in whole
# percents beside households, and beside the class of their number that the tables of services tell, would leave two or
# three of them to choose from; and what two such numbers differ by could be few. The line of an absolute gap is a
# setting of the study. The order is made again from what is told, by the same rule, those without numbers last: that
# of the exact numbers of households would bound the hidden ones. 3. *Whole places.* Groups of regions
# that a study names have no leads of their own: beside those of their regions they would tell a region that is hidden.

LEAD_CONTEXT = ("group", "rank", "rule", "kind", "subject", "measure", "horizon", "evidence", "line", "actor")
LEAD_KEYS = ("group", "rule", "subject", "horizon")
RATIO = "hazard_ratio"


def protect_leads(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a lead, in its order: its context, households_rounded, estimate, lower, upper, expected_rounded,
    shown, reason."""
    if frame.duplicated(list(LEAD_KEYS)).any():
        raise DisclosureError(f"A lead is given twice (same {', '.join(LEAD_KEYS)}).")
    places = frame["group"].isin([PROVINCE, *REGION_CODES]) | frame["group"].astype(str).str.contains("=", regex=False)
    raw = frame[places].reset_index(drop=True)
    out = raw[list(LEAD_CONTEXT)].copy()
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
    unit = np.where(ratio, 10**DECIMALS, SHARE_STEPS)
    for name, turn in (("estimate", np.round), ("lower", np.floor), ("upper", np.ceil)):
        out[name] = (turn(np.round(raw[name].astype("float64") * unit, 6)) / unit).where(shown)
    out["expected_rounded"] = raw["expected"].astype("float64").round(RATE_DECIMALS).where(shown & ~ratio)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    stake = at_stake(out["households_rounded"], out["estimate"], out["expected_rounded"])
    place = out["rule"].map({rule: place for place, rule in enumerate(RULES)})
    out = out.assign(_hidden=~shown, _watch=out["evidence"].eq(TO_WATCH), _stake=-stake, _place=place)
    keys = ["_hidden", "_watch", "_stake", "evidence", "_place", "subject"]
    out = out.sort_values(keys, kind="stable").drop(columns=["_hidden", "_watch", "_stake", "_place"])
    is_lead = out["rank"].gt(0)
    out["rank"] = out["rank"].where(~is_lead, is_lead.groupby(out["group"]).cumsum())
    return out.reset_index(drop=True)
