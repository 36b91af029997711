"""Rates: which of them rest on enough people, and what two of them say together.

1. *Ground.* At least `rate_denominator` persons at the start (and enough households, where they are counted), at
   least `support` (never under 20) at risk at the horizon, and an estimate that the table calls known.
2. *Steps.* rate × n is a count of exits. Along the horizons of one series a rate is given exactly only where nobody,
   or at least `threshold` persons, left since the last one given exactly (the start, first); else only as a range
   « at least … at most … » that holds every number of exits from 1 to `threshold`: as with counts, 0 is shown, small
   numbers are not. The range is computed from what is displayed alone. A series beside `main` gives no exact
   rate where main gives a range: being near, it would stand for it.
3. *Bounds.* all_lost_left and all_lost_stayed apart by under `threshold` persons would tell how few are lost: both are
   hidden, and the third bound (no_news_present) too, which is hidden as well where it comes that near to one of them.
4. *Exits by destination.* The reader knows S (the retention table) and S + ΣF = 1. A destination of few persons goes
   together with the next smallest, until together they hide each other; then that horizon, the longest supported one,
   is the only one shown. Other horizons are shown where every destination has nobody or enough, and so between them.
5. *Province and regions.* Where a region's figure is not exact, the province's is shown only if its own rounding and
   that of the displayed regions leave the difference open by 1 to `threshold` − 1 persons. A group of regions (those of
   study.toml) is held to the same against its regions, and the province against its groups and the regions in none.
6. *Range of the assumptions.* Shown where the estimate is, rounded outwards. It narrows as fewer persons are lost from
   sight, so a narrow one would tell how few: on each side it reaches half a `threshold` of persons at least, which is
   computed from what is displayed alone.

Readings beside `main` (the other reporting, with services, plain) stand however near to it they come. Each is a model's
estimate from the same persons: no group of persons is what lies between two of them, and near is not few (errors
cancel: observation-model.md). It is the bounds that differ by persons (those lost), hence rule 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from .counts import PROVINCE
from .rules import NO_EXITS, RATE_DECIMALS, rounded, rounding_interval

# What a row is of, and what may be said of it besides its numbers; any other column (se, notes, …) stays behind.
KEYS = ("perimeter", "scope", "pathway", "group", "measure", "method", "cause", "horizon")
CONTEXT = (*KEYS, "known", "reporting")
EXACT, RANGE, STEPS = ("estimate", "lower", "upper"), ("range_lower", "range_upper"), ("at_least", "at_most")
COUNTS = ("n_start", "n_at_risk", "n_confirmed")
MAIN = "main"
LEFT, STAYED, NO_NEWS = "all_lost_left", "all_lost_stayed", "no_news_present"
# Why a number is not shown (machine-readable; the report has the words).
REASONS = ("denominator", "households", "at_risk", "insufficient", "bounds", "few_exits", "difference")


def protect_rates(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """
    The table of rates as it may be shown; rows by their context columns.

    `groups`: the regions of each group that is neither a region nor the province.
    """
    sums = sums_of(groups or {})
    context = [name for name in CONTEXT if name in frame]
    keys = [name for name in KEYS if name in frame]
    raw = frame.sort_values(keys, ignore_index=True)
    if raw.duplicated(keys).any():
        raise DisclosureError(f"{int(raw.duplicated(keys).sum())} rate(s) are given twice (same {', '.join(keys)}).")
    if not raw["estimate"].dropna().astype(float).between(-NO_EXITS, 1 + NO_EXITS).all():
        raise DisclosureError(
            "A rate is not between 0 and 1: what it measures is no rate, and these rules are not for it."
        )
    out = raw[context].copy()
    out["reason"] = ground(raw, rules, at_risk)
    out[["at_least", "at_most"]] = np.nan
    _hide_close_bounds(raw, out, rules)
    if "cause" in raw:
        for rows in _series(raw, without=("cause", "horizon")):
            _protect_destinations(raw, out, rows, rules)
    else:
        ranged: set[tuple] = set()
        for rows in sorted(_series(raw, without=("horizon",)), key=_beside):
            few = _protect_steps(raw, out, rows, rules, ranged)
            ranged |= few if not _beside(rows) else set()
    for whole, parts in sums:
        hide_differences(raw, out, rules, whole, parts)
    _write_rates(raw, out, rules)
    _write_counts(raw, out, rules, sums)
    out["shown"] = out["reason"].isna()
    out["reason"] = out["reason"].astype("object").where(out["reason"].notna(), None)
    counts = [f"{name}_rounded" for name in COUNTS if name in raw]
    numbers = [*EXACT, *(name for name in RANGE if name in out), *STEPS]
    return out[[*context, *numbers, *counts, "shown", "reason"]]


def ground(raw: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.Series:
    """Why each rate rests on too few (rule 1); missing where it rests on enough."""
    start, risk = raw["n_start"].astype("Float64").fillna(0), raw["n_at_risk"].astype("Float64").fillna(0)
    reason = pd.Series(None, index=raw.index, dtype="object")
    unknown = raw["estimate"].isna() | (raw["known"] == "insufficient" if "known" in raw else False)
    few_households = raw.get("n_households", pd.Series(rules.households, index=raw.index))
    for name, fails in (
        ("insufficient", unknown),
        ("at_risk", risk < at_risk),
        ("households", few_households.astype("Float64").fillna(0) < rules.households),
        ("denominator", start < max(rules.rate_denominator, rules.threshold)),
    ):
        reason[fails.to_numpy(dtype=bool)] = name
    return reason


def _series(raw: pd.DataFrame, *, without: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """The rows of one series each: all that is said of one group by one method, say."""
    by = [name for name in KEYS if name in raw and name not in without]
    yield from (part for _, part in raw.groupby(by, dropna=False, sort=True)) if by else (raw,)


def _hide_close_bounds(raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure) -> None:
    if "method" not in raw:
        return
    for part in _series(raw, without=("method",)):
        at = {method: row for method, row in zip(part["method"], part.index, strict=True)}

        def near(one: str, other: str, at=at) -> bool:
            if one not in at or other not in at:
                return False
            a, b = raw.loc[at[one]], raw.loc[at[other]]
            gap = abs(a["estimate"] - b["estimate"]) * max(a["n_start"], b["n_start"])
            return bool(gap < rules.threshold - NO_EXITS)

        close = []
        if near(LEFT, STAYED):
            close = [LEFT, STAYED, NO_NEWS]
        elif near(NO_NEWS, LEFT) or near(NO_NEWS, STAYED):
            close = [NO_NEWS]
        for method in close:
            if method in at and pd.isna(out.loc[at[method], "reason"]):
                out.loc[at[method], "reason"] = "bounds"


def exact_steps(rates: np.ndarray, persons: np.ndarray, threshold: int, closed=None) -> np.ndarray:
    """
    Which rates of one series may be given exactly: nobody, or enough persons, since the last one given; never `closed`.

    Examples
    --------
    >>> exact_steps(np.array([0.97, 0.85, 0.80, 0.80, 0.60]), np.array([100] * 5), 10)
    array([False,  True, False, False,  True])
    """
    exact = np.zeros(len(rates), dtype=bool)
    closed = np.zeros(len(rates), dtype=bool) if closed is None else closed
    last = 1.0
    for i, (rate, n) in enumerate(zip(rates, persons, strict=True)):
        step, staying = abs(last - rate) * n, rate * n
        exact[i] = not closed[i] and _none_or_enough(step, threshold) and _none_or_enough(staying, threshold)
        last = rate if exact[i] else last
    return exact


def _none_or_enough(persons, threshold: int):
    persons = np.asarray(persons, dtype=float)
    return (persons < NO_EXITS) | (persons >= threshold - NO_EXITS)


def _beside(part: pd.DataFrame) -> bool:
    """Whether a series stands beside the main one."""
    return "method" in part and part["method"].iloc[0] != MAIN


def _protect_steps(
    raw: pd.DataFrame, out: pd.DataFrame, part: pd.DataFrame, rules: Disclosure, ranged: set[tuple]
) -> set[tuple]:
    """Rule 2 for one series: exact rates, or ranges computed from what is displayed; where it gives a range."""
    rows = part.index[out.loc[part.index, "reason"].isna()]
    rates, persons = (raw.loc[rows, name].to_numpy(dtype=float) for name in ("estimate", "n_start"))
    about = [name for name in KEYS if name in raw and name != "method"]
    places = list(raw.loc[rows, about].itertuples(index=False, name=None))
    exact_ones = exact_steps(rates, persons, rules.threshold, [place in ranged for place in places])
    last = 1.0
    for row, rate, n, exact in zip(rows, rates, persons, exact_ones, strict=True):
        if exact:
            last = rate
            continue
        told = round(last, RATE_DECIMALS)
        fewest = int(_fewest([int(n)], rules)[0])
        out.loc[row, "reason"] = "few_exits"
        if _none_or_enough(rate * n, rules.threshold):
            # rounding hid up to half a percent of the last rate, unless it is the start
            slack = 0.0 if last == 1.0 else 0.5 * 10.0**-RATE_DECIMALS
            out.loc[row, "at_least"] = max(down(told - slack - rules.threshold / fewest), 0.0)
            out.loc[row, "at_most"] = told
        else:
            out.loc[row, "at_most"] = min(up(rules.threshold / fewest), told)
    return {place for place, exact in zip(places, exact_ones, strict=True) if not exact}


def _protect_destinations(raw: pd.DataFrame, out: pd.DataFrame, part: pd.DataFrame, rules: Disclosure) -> None:
    """Rule 4 for one group: all horizons and destinations together."""
    horizon = part["horizon"] if "horizon" in part else pd.Series(0, index=part.index)
    usable = []
    for h, rows in part.groupby(horizon, sort=True):
        reasons = out.loc[rows.index, "reason"]
        if reasons.notna().any():
            out.loc[rows.index, "reason"] = reasons.fillna(reasons.dropna().iloc[0])
        else:
            usable.append((h, rows.index))
    if not usable:
        return
    incidence = [raw.loc[rows, "estimate"].to_numpy(dtype=float) for _, rows in usable]
    persons = np.array([raw.loc[rows, "n_start"].max() for _, rows in usable], dtype=float)
    staying = np.array([1 - values.sum() for values in incidence])
    exact = exact_steps(staying, persons, rules.threshold)
    longest = int(np.flatnonzero(exact)[-1]) if exact.any() else None
    for i, (_, rows) in enumerate(usable):
        out.loc[rows, "reason"] = "difference" if exact[i] else "few_exits"
    if longest is None:
        return
    hidden = _hide_together(incidence[longest] * persons[longest], rules.threshold)
    rows = usable[longest][1]
    out.loc[rows, "reason"] = np.where(hidden, "few_exits", None)
    later = longest
    for i in range(longest - 1, -1, -1) if not hidden.any() else ():
        same = list(raw.loc[usable[i][1], "cause"]) == list(raw.loc[usable[later][1], "cause"])
        counts = incidence[i] * persons[i]
        if (
            exact[i]
            and same
            and _none_or_enough(counts, rules.threshold).all()
            and _none_or_enough(np.abs(incidence[later] - incidence[i]) * persons[i], rules.threshold).all()
        ):
            out.loc[usable[i][1], "reason"] = None
            later = i


def _hide_together(counts: np.ndarray, threshold: int) -> np.ndarray:
    """The destinations to hide: the small ones, then the next smallest until their sum leaves each open to 1…T−1."""
    hidden = ~_none_or_enough(counts, threshold)
    if not hidden.any():
        return hidden
    order = np.argsort(counts, kind="stable")
    for i in (*order, None):
        n = hidden.sum()
        if n > 1 and counts[hidden].sum() - (n - 1) >= threshold - 1:
            return hidden
        if i is not None and not hidden[i] and counts[i] >= NO_EXITS:
            hidden[i] = True
    return np.ones(len(counts), dtype=bool)  # few persons for many destinations: which are empty is hidden too


def sums_of(groups: Mapping[str, Sequence[str]]) -> list[tuple[str, tuple[str, ...]]]:
    """Which groups are sums of which: the whole first, then its parts."""
    apart = tuple(code for code in REGION_CODES if not any(code in regions for regions in groups.values()))
    own = [(name, tuple(regions)) for name, regions in groups.items()]
    return [(PROVINCE, REGION_CODES), *own, *([(PROVINCE, (*groups, *apart))] if groups else [])]


def hide_differences(raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure, whole: str, parts: Sequence[str]) -> None:
    """Rule 5: the province less the displayed regions (or any other sum less its parts)."""
    unit = 0.5 * 10.0**-RATE_DECIMALS
    for part in _series(raw, without=("group", "cause")):
        province = part.index[part["group"] == whole]
        regions = part.index[part["group"].isin(parts)]
        inexact = regions[out.loc[regions, "reason"].notna() & (raw.loc[regions, "n_start"].fillna(0) > 0)]
        if not len(province) or not len(inexact):
            continue
        for row in province[out.loc[province, "reason"].isna()]:
            beside = regions[out.loc[regions, "reason"].isna()]
            if "cause" in raw:
                beside = beside[raw.loc[beside, "cause"] == raw.loc[row, "cause"]]
            told = [row, *beside]
            n = raw.loc[told, "n_start"].to_numpy(dtype=float)
            exits = np.abs(1.0 - raw.loc[told, "estimate"].to_numpy(dtype=float))
            open_by = float((unit * n + rules.round // 2 * exits).sum())
            if open_by < rules.threshold - 2:
                out.loc[province[out.loc[province, "reason"].isna()], "reason"] = "difference"
                break


def _write_rates(raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure) -> None:
    shown = out["reason"].isna()
    out["estimate"] = raw["estimate"].astype(float).round(RATE_DECIMALS).where(shown)
    # limits go outwards: rounding may not make a result look surer
    out["lower"] = down(raw["lower"].astype(float)).where(shown)
    out["upper"] = up(raw["upper"].astype(float)).where(shown)
    if all(name in raw for name in RANGE):
        fewest = _fewest(raw["n_start"].where(shown, rules.threshold), rules)
        least, most = (raw[name].astype(float).where(shown) for name in RANGE)
        # from the displayed rate, which rounding moved by up to half a percent
        reach = 0.5 * rules.threshold / fewest + 0.5 * 10.0**-RATE_DECIMALS
        out["range_lower"] = np.clip(down(np.minimum(least, out["estimate"] - reach)), 0.0, 1.0).where(least.notna())
        out["range_upper"] = np.clip(up(np.maximum(most, out["estimate"] + reach)), 0.0, 1.0).where(most.notna())


def _fewest(persons, rules: Disclosure) -> np.ndarray:
    """The smallest numbers that a reader can suppose behind the rounded ones."""
    return rounding_interval(rounded(persons, rules.round), rules.round, rules.threshold)[0]


def _write_counts(
    raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure, sums: list[tuple[str, tuple[str, ...]]]
) -> None:
    told = (out["reason"].isna() | (out["reason"] == "few_exits")).to_numpy()
    for name in COUNTS:
        if name not in raw:
            continue
        values = raw[name].astype("Float64").fillna(0).round().astype("int64").to_numpy()
        show = told & ((values == 0) | (values >= rules.threshold)) & raw[name].notna().to_numpy()
        column = pd.Series(rounded(values, rules.round), index=raw.index).astype("Int64").where(show)
        if name != "n_start":
            column = _hide_few_missing(raw, out, column, rules)
        for whole, parts in sums:
            column = _hide_count_of_sum(raw, column, rules, whole, parts, once=name == "n_start")
        out[f"{name}_rounded"] = column


def _hide_few_missing(raw: pd.DataFrame, out: pd.DataFrame, inside: pd.Series, rules: Disclosure) -> pd.Series:
    """No number at risk or confirmed beside a range, where so few are missing that it would narrow the range."""
    width = rules.threshold - 1
    for part in _series(raw, without=("horizon",)):
        before = out.loc[part.index, "n_start_rounded"].max()
        for row in part.index[inside.loc[part.index].notna()]:
            ranged = out.loc[row, "reason"] == "few_exits"
            if ranged and (pd.isna(before) or before - inside[row] + rules.round - 1 < width):
                inside[row] = pd.NA
            else:
                before = inside[row]
    return inside


def _hide_count_of_sum(
    raw: pd.DataFrame, column: pd.Series, rules: Disclosure, whole: str, parts: Sequence[str], *, once: bool
) -> pd.Series:
    """The province's (or any sum's) number goes where, less the displayed regions, it would tell a hidden region's.

    `once`: the number is one and the same at every horizon and by every method (n_start), so displayed once is told.
    """
    for part in _series(raw, without=("group", "horizon", "method", "measure", "cause") if once else ("group",)):
        told = column[part.index].groupby(part["group"]).first()
        regions = told[told.index.isin(parts)]
        n_hidden = int(regions.isna().sum())
        if pd.isna(told.get(whole, pd.NA)) or not n_hidden:
            continue
        low, high = rounding_interval(regions.dropna().to_numpy(dtype=np.int64), rules.round, rules.threshold)
        (least,), (most,) = rounding_interval([told[whole]], rules.round, rules.threshold)
        largest = rules.threshold - 1
        open_below = least - high.sum() <= 1 + largest * (n_hidden - 1)
        open_above = most - low.sum() - (n_hidden - 1) >= largest
        if not (open_below and open_above):
            column[part.index[part["group"] == whole]] = pd.NA
    return column


def down(values):
    """Rates to the percent below (a lower limit goes outwards)."""
    return np.floor(np.round(values * 10**RATE_DECIMALS, 6)) / 10**RATE_DECIMALS


def up(values):
    """Rates to the percent above (an upper limit goes outwards)."""
    return np.ceil(np.round(values * 10**RATE_DECIMALS, 6)) / 10**RATE_DECIMALS
