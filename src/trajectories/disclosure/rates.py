"""Rules of rates: of retention, and of what has the columns of a rate (months, moves, periods, settings, thresholds).

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

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..exceptions import DisclosureError
from ..retention.course.cure_fraction import NOTES
from ..retention.course.moves import ALL, METHODS
from ..retention.course.restricted_mean import RESTRICTED
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .rules import NO_EXITS, RATE_DECIMALS, SHARE_STEPS, SMALLEST_DENOMINATOR, class_ends, rounded, rounding_interval

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
    for total, parts in sums:
        hide_differences(raw, out, rules, total, parts)
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
    """The rows of each series: those of one group and one method, for instance."""
    by = [name for name in KEYS if name in raw and name not in without]
    yield from (part for _, part in raw.groupby(by, dropna=False, sort=True)) if by else (raw,)


def _hide_close_bounds(raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure) -> None:
    if "method" not in raw:
        return
    for part in _series(raw, without=("method",)):
        at = {method: row for method, row in zip(part["method"], part.index, strict=True)}

        def near(first: str, second: str, at: dict[str, Hashable] = at) -> bool:
            if first not in at or second not in at:
                return False
            a, b = raw.loc[at[first]], raw.loc[at[second]]
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


def exact_steps(
    rates: np.ndarray, persons: np.ndarray, threshold: int, closed: Sequence[bool] | None = None
) -> np.ndarray:
    """
    Which rates of one series may be given exactly: nobody, or enough persons, since the last one given; never `closed`.

    Examples
    --------
    >>> exact_steps(np.array([0.97, 0.85, 0.80, 0.80, 0.60]), np.array([100] * 5), 10)
    array([False,  True, False, False,  True])
    """
    exact = np.zeros(len(rates), dtype=bool)
    closed = [False] * len(rates) if closed is None else closed
    last = 1.0
    for i, (rate, n) in enumerate(zip(rates, persons, strict=True)):
        step, staying = abs(last - rate) * n, rate * n
        exact[i] = not closed[i] and _none_or_enough(step, threshold) and _none_or_enough(staying, threshold)
        last = rate if exact[i] else last
    return exact


def _none_or_enough(persons: ArrayLike, threshold: int) -> np.ndarray:
    persons = np.asarray(persons, dtype=float)
    return (persons < NO_EXITS) | (persons >= threshold - NO_EXITS)


def _beside(part: pd.DataFrame) -> bool:
    """Whether a series stands beside the main one."""
    return "method" in part and part["method"].iloc[0] != MAIN


def _protect_steps(
    raw: pd.DataFrame, out: pd.DataFrame, part: pd.DataFrame, rules: Disclosure, ranged: set[tuple]
) -> set[tuple]:
    """Rule 2 for one series: exact rates, or ranges computed from what is displayed; returns the cells with a range."""
    rows = part.index[out.loc[part.index, "reason"].isna()]
    rates, persons = (raw.loc[rows, name].to_numpy(dtype=float) for name in ("estimate", "n_start"))
    about = [name for name in KEYS if name in raw and name != "method"]
    cells = list(raw.loc[rows, about].itertuples(index=False, name=None))
    exact_ones = exact_steps(rates, persons, rules.threshold, [cell in ranged for cell in cells])
    last = 1.0
    for row, rate, n, exact in zip(rows, rates, persons, exact_ones, strict=True):
        if exact:
            last = rate
            continue
        displayed = round(last, RATE_DECIMALS)
        fewest = int(_fewest([int(n)], rules)[0])
        out.loc[row, "reason"] = "few_exits"
        if _none_or_enough(rate * n, rules.threshold):
            # rounding hid up to half a percent of the last rate, unless it is the start
            slack = 0.0 if last == 1.0 else 0.5 * 10.0**-RATE_DECIMALS
            out.loc[row, "at_least"] = max(down(displayed - slack - rules.threshold / fewest), 0.0)
            out.loc[row, "at_most"] = displayed
        else:
            out.loc[row, "at_most"] = min(up(rules.threshold / fewest), displayed)
    return {cell for cell, exact in zip(cells, exact_ones, strict=True) if not exact}


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
    out.loc[rows, "reason"] = np.where(hidden, "few_exits", None)  # type: ignore[call-overload]
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


def hide_differences(raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure, total: str, parts: Sequence[str]) -> None:
    """Rule 5: the province less the displayed regions (or any other sum less its parts)."""
    unit = 0.5 * 10.0**-RATE_DECIMALS
    for part in _series(raw, without=("group", "cause")):
        province = part.index[part["group"] == total]
        regions = part.index[part["group"].isin(parts)]
        inexact = regions[out.loc[regions, "reason"].notna() & (raw.loc[regions, "n_start"].fillna(0) > 0)]
        if not len(province) or not len(inexact):
            continue
        for row in province[out.loc[province, "reason"].isna()]:
            beside = regions[out.loc[regions, "reason"].isna()]
            if "cause" in raw:
                beside = beside[raw.loc[beside, "cause"] == raw.loc[row, "cause"]]
            displayed = [row, *beside]
            n = raw.loc[displayed, "n_start"].to_numpy(dtype=float)
            exits = np.abs(1.0 - raw.loc[displayed, "estimate"].to_numpy(dtype=float))
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


def _fewest(persons: ArrayLike, rules: Disclosure) -> np.ndarray:
    """The smallest numbers that the rounded ones can stand for."""
    return rounding_interval(rounded(persons, rules.round), rules.round, rules.threshold)[0]


def _write_counts(
    raw: pd.DataFrame, out: pd.DataFrame, rules: Disclosure, sums: list[tuple[str, tuple[str, ...]]]
) -> None:
    may_show = (out["reason"].isna() | (out["reason"] == "few_exits")).to_numpy()
    for name in COUNTS:
        if name not in raw:
            continue
        values = raw[name].astype("Float64").fillna(0).round().astype("int64").to_numpy()
        show = may_show & ((values == 0) | (values >= rules.threshold)) & raw[name].notna().to_numpy()
        column = pd.Series(rounded(values, rules.round), index=raw.index).astype("Int64").where(show)
        if name != "n_start":
            column = _hide_few_missing(raw, out, column, rules)
        for total, parts in sums:
            column = _hide_count_of_sum(raw, column, rules, total, parts, once=name == "n_start")
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
    raw: pd.DataFrame, column: pd.Series, rules: Disclosure, total: str, parts: Sequence[str], *, once: bool
) -> pd.Series:
    """The province's (or any sum's) number goes where, less the displayed regions, it would tell a hidden region's.

    `once`: the number is the same at every horizon and by every method (n_start), so one display of it counts for all.
    """
    for part in _series(raw, without=("group", "horizon", "method", "measure", "cause") if once else ("group",)):
        displayed = column[part.index].groupby(part["group"]).first()
        regions = displayed[displayed.index.isin(parts)]
        n_hidden = int(regions.isna().sum())
        if pd.isna(displayed.get(total, pd.NA)) or not n_hidden:
            continue
        low, high = rounding_interval(regions.dropna().to_numpy(dtype=np.int64), rules.round, rules.threshold)
        (least,), (most,) = rounding_interval([displayed[total]], rules.round, rules.threshold)
        largest = rules.threshold - 1
        open_below = least - high.sum() <= 1 + largest * (n_hidden - 1)
        open_above = most - low.sum() - (n_hidden - 1) >= largest
        if not (open_below and open_above):
            column[part.index[part["group"] == total]] = pd.NA
    return column


Rates = TypeVar("Rates", float, np.ndarray, pd.Series)


def down(values: Rates) -> Rates:
    """Rates to the percent below (a lower limit goes outwards)."""
    return np.floor(np.round(values * 10**RATE_DECIMALS, 6)) / 10**RATE_DECIMALS


def up(values: Rates) -> Rates:
    """Rates to the percent above (an upper limit goes outwards)."""
    return np.ceil(np.round(values * 10**RATE_DECIMALS, 6)) / 10**RATE_DECIMALS


# ----------------------------------------------------------------------------------------------------
# Restricted mean months: the area under the retention curve, told beside the rates of the same curve.
#
# Of a hundred persons, a rate counts those who left; the area, for how long they are missing. Divided by its horizon
# it is the mean of the curve, and one less it is the persons missing, each for the part of the horizon missed: never
# more than left. So it is protected as a rate is, by the same function, with a bound of its own.
#
# 1. *Ground, steps, sums* as in rates.py (1, 2 and 5), of the mean of the curve. What is missing is nobody, or at
# least `threshold` whole persons, since the last horizon told. Then no small number of departures is told either: had
# k persons left by a month m of the horizon h, they could be up to h / (h − m) times those missing, which is
# `threshold` or more. Where rates.py would tell a range, nothing is told: the range of the rate says as much. 2.
# *Never past a range.* « At least … at most … » at a horizon stands for 1 to `threshold` departures between two
# horizons. The area, at that horizon or a later one, would say when those who left did, and so how many by then
# (planted in the tests: nine departures, told as seven or more). Months are told where the rate is told exactly at
# their horizon and at every one before. The rates are not in the table of months: they are given beside (`rate`). 3.
# *Resolution.* Whole percents of the horizon, then tenths of a month, which are coarser or the same; limits outwards.
#
# Months lost to each destination are not told: they are to these what the exits by destination are to the rate, and
# those are told (rates.py, 4) at horizons chosen so that small destinations hide one another.

RATE = "rate"
TENTHS = 10
OUTWARDS: tuple[Callable[[pd.Series], pd.Series], ...] = (np.round, np.floor, np.ceil)  # of `EXACT`


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
    protected = protect_rates(about.assign(**means), rules, at_risk, groups)
    out = protected[[*keys, *(["known"] if "known" in raw else [])]].copy()
    shown = protected["shown"]
    for name, turn in zip(EXACT, OUTWARDS, strict=True):
        tenths = turn(np.round(protected[name] * horizon * TENTHS, 6)) / TENTHS
        out[name] = tenths.where(shown)
    out["shown"] = shown
    # a horizon after a range has a rate that is told, and yet no months
    why = protected["reason"].where(before, rates["reason"].fillna("few_exits"))
    out["reason"] = why.astype("object").where(~shown, None)
    return out


# ----------------------------------------------------------------------------------------------------
# The rates of those who settled lately and before: both are told, or neither.
#
# They are two parts of the group's own rate, which stands on the same page.
#
# 1. *Ground* as in rates.py (1), and in each part nobody or `threshold` persons left, and stayed (2). No range is
# told: the page says less, not something else. Nor is a part told where the group's own rate is not, or only as a
# range: the two would narrow it. That rate, as it is displayed, is given beside (`rate`). 2. *Both or neither.* The
# group's own rate less the part that is told would tell the other. 3. *Sums* as in rates.py (5), part by part: the
# province's are told where, less those told of the regions, they leave the others open; so are those of groups of
# regions. 4. *No numbers of persons.* Those who settled by fiscal year are counted in a table of their own, small
# years hidden: the sum of three of them would tell a hidden one. 5. *Which way it went* (`change`) is told with both
# rates only.
#
# Beside earlier publications they follow the group's own rate (ledger.py): where that one keeps what was published,
# they are hidden. Without numbers of persons their own differences from one publication to the next are no counts.


def protect_periods(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """A row a group and part: part, since, horizon, estimate, lower, upper, known, change, shown, reason."""
    if RATE not in frame:
        raise DisclosureError(
            "Rates by period are told where the group's own rate is: give that one, as it is displayed, beside them, "
            f"as a column {RATE}."
        )
    raw = frame.sort_values(["group", "part"], ignore_index=True)
    out = raw[["group", "part", "since", "horizon", "known", "change"]].copy()
    out["reason"] = ground(raw, rules, at_risk)
    for row in out.index[out["reason"].isna()]:
        rate, persons = (np.array([raw.loc[row, name]], dtype=float) for name in ("estimate", "n_start"))
        if not exact_steps(rate, persons, rules.threshold).all():
            out.loc[row, "reason"] = "few_exits"
    out["reason"] = out["reason"].where(out["reason"].notna() | raw[RATE].notna(), "difference")
    _both_or_neither(out)
    for total, parts in sums_of(groups or {}):
        for _, rows in raw.groupby("part"):
            raw_part, out_part = rows.reset_index(), out.loc[rows.index].reset_index(drop=True)
            hide_differences(raw_part, out_part, rules, total, parts)
            out.loc[rows.index, "reason"] = out_part["reason"].to_numpy()
        _both_or_neither(out)
    out["shown"] = out["reason"].isna()
    out["reason"] = out["reason"].astype("object").where(out["reason"].notna(), None)
    turns: tuple[Callable[[pd.Series], pd.Series], ...] = (lambda rate: rate.round(RATE_DECIMALS), down, up)
    for name, turn in zip(EXACT, turns, strict=True):
        out[name] = turn(raw[name].astype(float)).where(out["shown"])
    for name in ("change", "known"):
        out[name] = out[name].astype("object").where(out["shown"], None)
    return out[["group", "part", "since", "horizon", *EXACT, "known", "change", "shown", "reason"]]


def _both_or_neither(out: pd.DataFrame) -> None:
    first_reason = out.groupby("group")["reason"].transform("first")
    out["reason"] = out["reason"].astype("object").where(out["reason"].notna(), first_reason)


# ----------------------------------------------------------------------------------------------------
# The share settled for good: a model's limit, in steps of five points, or why there is none.
#
# It is nobody's count: who will never leave is not known of anybody yet. But the share who will leave is made of those
# who have, and a plateau is where nearly all of them have.
#
# 1. *Ground.* At least `rate_denominator` persons, a plateau that was observed (retention/course/cure_fraction.py), and
# nobody or at least `threshold` persons on either side of the share. Steps of five points, limits outwards: wider than
# those of the rate at the end of the curve, which it must not sharpen. Shares of a model do not add up: the province's
# less those of the regions is no region's. 2. *Why not* is told, by the first rule of the model that fails, where there
# are enough persons. That nobody is known to have left is not: the rule fails as soon as one draw of the model holds
# nobody, which two or three departures do as well, and a rate would tell these as « 1 to `threshold` ». It is told as «
# no plateau ».

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
    for name, turn in zip(EXACT, OUTWARDS, strict=True):
        n_steps = turn(np.round(raw[name].astype(float) * SHARE_STEPS, 6)).clip(0, SHARE_STEPS)
        out[name] = (n_steps / SHARE_STEPS).where(shown)
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out[["group", *EXACT, "shown", "reason"]]


# ----------------------------------------------------------------------------------------------------
# Rates drawn towards the province: told beside the region's own rate, where that one is told exactly.
#
# A drawn rate is the region's own and the provincial one, mixed by a weight that stays behind: whoever knew the weight
# would find the region's own rate by it. So it is told where that rate is (rates.py, every rule of it), in whole
# percents, limits outwards; where the own rate is a range or hidden, the drawn one is hidden.

DRAWN = ("shrunken", "shrunken_lower", "shrunken_upper")


def protect_drawn(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """The rates as `protect_rates` gives them, with shrunken, shrunken_lower, shrunken_upper beside the exact ones."""
    protected = protect_rates(frame, rules, at_risk, groups)
    keys = ["group", "horizon"]
    shrunken = frame[[*keys, *DRAWN]].astype(dict.fromkeys(DRAWN, float))
    shrunken["shrunken"] = shrunken["shrunken"].round(RATE_DECIMALS)
    shrunken["shrunken_lower"], shrunken["shrunken_upper"] = (
        down(shrunken["shrunken_lower"]),
        up(shrunken["shrunken_upper"]),
    )
    out = protected.merge(shrunken, on=keys, how="left", validate="one_to_one")
    out[list(DRAWN)] = out[list(DRAWN)].where(out["shown"] & out["estimate"].notna())
    return out


# ----------------------------------------------------------------------------------------------------
# Retention at several thresholds of the linkage: how far the estimate moves, in classes of `threshold` persons.
#
# The cohorts of two thresholds differ by a handful of persons: those whose files are joined by the one and not by the
# other. Two exact rates side by side would be a difference over that handful; who works at an organisation and knows
# of a doubtful file could read there what became of one person. So no rate of another threshold is told. What is told
# is the study's own rate, where the table of rates tells it too (same rules, same function), and a range around it
# whose half-width is 1, 2, 3 … times `threshold` persons: the smallest that holds the rates of all thresholds.
#
# 1. *Nothing under `threshold` persons.* « At most one class » is all that is said whether nobody or `threshold`
# persons are concerned: a hidden difference is open to all of 0 … `threshold`. Beyond, the differences told are of
# more. 2. *From what is displayed alone.* The range is computed from the rate and the number at the start as
# displayed, and from the number of classes. Rates of the province less those of the regions therefore say nothing new.
# 3. *Ground.* Each threshold's rate rests on enough persons and households, at the start and at the horizon (rates.py,
# rule 1). 4. *Resolution.* Where one class is more than `WIDEST_CLASS` of the persons, the range would say nothing: it
# is hidden.

# The setting that the published rates are of (retention/linkage_sensitivity.py).
OWN = "study"
# In points of a rate; a class of ten persons is that of a hundred persons or more.
WIDEST_CLASS = 0.10
COLUMNS = ("group", "horizon", "estimate", "at_least", "at_most", "persons_at_most", "shown", "reason")


def protect_thresholds(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """One row a group and horizon: the study's rate, the range around it, and the persons it may stand for."""
    raw = frame.drop(columns=["persons"], errors="ignore").rename(columns={"households": "n_households"})
    keys = ["group", "horizon"]
    if raw.duplicated([*keys, "setting"]).any():
        raise DisclosureError("A rate by threshold is given twice (same group, horizon and setting).")
    own = raw[raw["setting"].eq(OWN)].sort_values(keys, ignore_index=True)
    alternatives = raw[~raw["setting"].eq(OWN)].reset_index(drop=True)
    protected = protect_rates(own.assign(lower=own["estimate"], upper=own["estimate"]), rules, at_risk, groups)
    out = protected.sort_values(keys, ignore_index=True)[[*keys, "estimate", "n_start_rounded", "reason"]]
    difference, weak = _persons_between(own, alternatives), _any_weak(own, alternatives, rules, at_risk)
    start = out["n_start_rounded"].astype("Int64")
    fewest = rounding_interval(start.fillna(0), rules.round, rules.threshold)[0]
    one_class = np.divide(rules.threshold, fewest, out=np.full(len(out), np.inf), where=fewest > 0)
    classes = np.maximum(np.ceil((difference - NO_EXITS) / rules.threshold), 1)
    for reason, fails in (
        ("denominator", weak),
        ("no_alternative", np.isnan(difference)),
        ("resolution", up(one_class) > WIDEST_CLASS),
    ):
        out.loc[fails & out["reason"].isna(), "reason"] = reason
    shown = out["reason"].isna()
    reach = up(one_class * classes)
    out["estimate"] = out["estimate"].where(shown)
    out["at_least"] = np.round(np.maximum(out["estimate"] - reach, 0.0), RATE_DECIMALS)
    out["at_most"] = np.round(np.minimum(out["estimate"] + reach, 1.0), RATE_DECIMALS)
    out["persons_at_most"] = pd.array(classes * rules.threshold, dtype="Float64")
    out["persons_at_most"] = out["persons_at_most"].where(shown).astype("Int64")
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out[list(COLUMNS)]


def _any_weak(own: pd.DataFrame, alternatives: pd.DataFrame, rules: Disclosure, at_risk: int) -> np.ndarray:
    """Where some other threshold's rate rests on too few."""
    weak = pd.MultiIndex.from_frame(
        alternatives.loc[ground(alternatives, rules, at_risk).notna(), ["group", "horizon"]]
    )
    return pd.MultiIndex.from_frame(own[["group", "horizon"]]).isin(weak)


def _persons_between(own: pd.DataFrame, alternatives: pd.DataFrame) -> np.ndarray:
    """By how many persons the farthest rate differs from the study's (missing where no other is known)."""
    keys = ["group", "horizon"]
    beside = own[[*keys, "estimate", "n_start"]].merge(alternatives, on=keys, suffixes=("", "_other"))
    persons = beside[["n_start", "n_start_other"]].max(axis=1).astype(float)
    beside["moved"] = (beside["estimate_other"] - beside["estimate"]).abs() * persons
    farthest = beside.groupby(keys)["moved"].max()
    return farthest.reindex(pd.MultiIndex.from_frame(own[keys])).to_numpy(dtype=float)


# ----------------------------------------------------------------------------------------------------
# What the estimate becomes when something is moved: an assumption along a scale, or a setting of the study.
#
# *Along a scale* (the odds of leaving among failed contacts, the share of departures heard of). Every rate is a
# model's, from the same persons: no group of persons is what lies between two of them (rates.py). But the curve is
# flat where few are lost from sight, and would tell how few.
#
# 1. The study's own rate (at the value 1) is told where a table of rates tells it (same rules, same function); else
# nothing of that curve is. 2. The curve is told, in whole percents, where its ends are at least `threshold` persons
# apart; else it is hidden. 3. The share of departures heard of is told in steps of five points, where at least
# `rate_denominator` of those that it is a share of were heard of (counts.py).
#
# *Another setting* (perimeter, scope, grace period, threshold of the linkage, schedule …). The persons of two settings
# differ by a handful, as with two thresholds of the linkage: two exact rates would be a difference
# over that handful. So what is told is the study's own rate and, for each other setting, by how many whole steps it
# moves, a step being at least `threshold` persons and one percent; what is left over is dropped. « No step » is said
# whether nobody or nearly `threshold` persons are concerned. Numbers of persons are told for the study's own setting
# alone. The bounds (everybody lost left, or stayed) are hidden where under `threshold` persons lie between them, as in
# rates.py.

# The value of a scale at which the assumption is the study's: odds as they are.
UNMOVED = 1.0
LOST = "lost"


def protect_scale(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """A row a group, assumption, value and horizon that may be shown: estimate, unmoved (the study's own value)."""
    keys = ["group", "assumption", "value", "horizon"]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A rate is given twice (same {', '.join(keys)}).")
    raw = frame.sort_values(keys, ignore_index=True)
    unmoved = np.isclose(raw["value"].astype(float), UNMOVED)
    own_rates = _own_rates(raw[unmoved].drop_duplicates(["group", "horizon"]), rules, at_risk)
    at = pd.MultiIndex.from_frame(raw[["group", "horizon"]])
    ends = raw.groupby(["group", "assumption", "horizon"])["estimate"].transform(
        lambda rates: rates.max() - rates.min()
    )
    apart = ends.astype(float) * raw["n_start"].astype(float) >= rules.threshold - NO_EXITS
    share = raw["share_heard"].astype(float) if "share_heard" in raw else pd.Series(np.nan, index=raw.index)
    heard = share * (1 - raw["estimate"].astype(float)) * raw["n_start"].astype(float)
    enough = heard >= max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)
    raw["share_heard_rounded"] = ((share * SHARE_STEPS).round() / SHARE_STEPS).where(enough)
    raw["estimate"] = raw["estimate"].astype(float).round(RATE_DECIMALS)
    raw["unmoved"] = unmoved
    shown = apart & at.isin(own_rates.index) & raw["estimate"].notna()
    columns = [*keys, "estimate", "share_heard_rounded", "unmoved"]
    return raw.loc[shown, columns].reset_index(drop=True).assign(shown=True)


def protect_settings(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """A row a group, setting, value and horizon: estimate (the study's, moved by whole steps), step, shown, reason."""
    raw = frame.reset_index(drop=True)
    if "group" not in raw:
        raw = raw.assign(group=PROVINCE)
    keys = ["group", "setting", "value", "horizon"]
    raw["value"] = raw["value"].astype("object").where(raw["value"].notna(), None)
    if raw.assign(value=raw["value"].astype(str)).duplicated(keys).any():
        raise DisclosureError(f"A rate is given twice (same {', '.join(keys)}).")
    own = raw[raw["setting"].eq(OWN)]
    own_rates = _own_rates(own, rules, at_risk)
    exact = own.set_index(["group", "horizon"])["estimate"].astype(float)
    at = pd.MultiIndex.from_frame(raw[["group", "horizon"]])
    start = own_rates["n_start_rounded"].astype("Int64").reindex(at)
    fewest = rounding_interval(start.fillna(0).to_numpy(), rules.round, rules.threshold)[0]
    step = np.divide(rules.threshold, fewest, out=np.full(len(raw), np.inf), where=fewest > 0)
    step = np.where(np.isfinite(step), np.maximum(up(np.minimum(step, 1.0)), 10.0**-RATE_DECIMALS), np.nan)
    difference = raw["estimate"].astype(float) - exact.reindex(at).to_numpy()
    n_steps = np.trunc(difference / step + np.sign(difference) * NO_EXITS)
    out = raw[keys].copy()
    own_rate = own_rates["estimate"].reindex(at).to_numpy(dtype=float)
    out["estimate"] = np.clip(np.round(own_rate + n_steps * step, RATE_DECIMALS), 0.0, 1.0)
    out["step"] = np.round(step, RATE_DECIMALS)
    out["reason"] = _ground_of_settings(raw, rules, at_risk)
    lost = (
        raw[raw["setting"].eq(LOST)]
        .groupby(["group", "horizon"])["estimate"]
        .agg(lambda rates: rates.max() - rates.min())
    )
    near = lost.reindex(at).to_numpy(dtype=float) * raw["n_start"].astype(float) < rules.threshold - NO_EXITS
    out.loc[near & raw["setting"].eq(LOST) & out["reason"].isna(), "reason"] = "bounds"
    out.loc[np.isnan(own_rate) & out["reason"].isna(), "reason"] = "study"
    out.loc[(out["step"] > WIDEST_CLASS) & out["reason"].isna(), "reason"] = "resolution"
    out["shown"] = out["reason"].isna()
    out.loc[~out["shown"], ["estimate", "step"]] = np.nan
    is_own = raw["setting"].eq(OWN).to_numpy()
    out["n_start_rounded"] = start.reset_index(drop=True).where(out["shown"] & is_own)
    out["reason"] = out["reason"].astype("object").where(~out["shown"], None)
    return out


def _own_rates(own: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """The study's rates that a table of rates would tell exactly, by group and horizon."""
    columns = [
        "group",
        "horizon",
        "estimate",
        "n_start",
        "n_at_risk",
        *(c for c in ("known", "n_households") if c in own),
    ]
    rates = own.assign(n_at_risk=_at_risk(own))[columns].assign(lower=own["estimate"], upper=own["estimate"])
    protected = protect_rates(rates, rules, at_risk)
    return protected[protected["estimate"].notna()].set_index(["group", "horizon"])[["estimate", "n_start_rounded"]]


def _at_risk(raw: pd.DataFrame) -> pd.Series:
    """Numbers at risk; without the column those at the start, since an estimated rate had its support."""
    return raw["n_at_risk"] if "n_at_risk" in raw else raw["n_start"]


def _ground_of_settings(raw: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.Series:
    return ground(raw.assign(n_at_risk=_at_risk(raw)), rules, at_risk)


# ----------------------------------------------------------------------------------------------------
# Moves per person: a bracket, told by classes of `threshold` moves.
#
# A mean times the persons is a number of moves, and one more from a horizon to the next is somebody's. So the number
# of moves that the mean stands for is told by the ends of its class of `threshold` moves, as a stock is (counts.py),
# over the rounded number of persons: the lower end by the method that misses moves (`no_news_no_move`), the upper end
# by the one that counts too many (`while_seen`). Between horizons only the passage of a class is told: 1 to
# `threshold` − 1 moves could all pass it, or none of them.
#
# 1. *Ground.* By both methods: as for rates (rates.py, 1), and at least `threshold` known moves. Moves are not persons
# (a family of five that moved twice made ten): of how many persons they are is not told. 2. *Resolution.* Where one
# class is more than `WIDEST_CLASS` of the persons, the bracket would say nothing. 3. *Regions and province.* Where a
# part that holds persons is hidden, the whole's is told only if the ends of its class less those of the parts told
# leave the difference open to all of 1 … threshold − 1, or above it, by either method (with two parts told, or more,
# they may not: ends of classes do not add up to ends of classes). 4. *All kinds together.* Moves of one kind are few,
# and the kinds add up to all.
#
# Told as moves a person, in whole percents: what is computed from ends of classes and a rounded number is outwards.

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
    by_method = [raw[raw["method"].eq(method)].set_index(_KEYS) for method in METHODS]
    low, high = (moves.reindex(by_method[0].index.intersection(by_method[1].index)) for moves in by_method)
    out = low.index.to_frame(index=False)
    out["reason"] = low["reason"].combine_first(high["reason"]).to_numpy()
    n = rounded(low["n_start"].astype("Float64").fillna(0).round().astype("int64"), rules.round)
    fewest = rounding_interval(n, rules.round, rules.threshold)[0]
    one_class = np.divide(rules.threshold, fewest, out=np.full(len(out), np.inf), where=fewest > 0)
    out.loc[(one_class > WIDEST_CLASS) & out["reason"].isna(), "reason"] = "resolution"
    for total, parts in sums_of(groups or {}):
        _hide_differences(out, (low, high), rules, total, parts)
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
    out: pd.DataFrame, methods: Sequence[pd.DataFrame], rules: Disclosure, total: str, parts: Sequence[str]
) -> None:
    """Rule 3: the whole's moves less those of the parts told."""
    persons = methods[0]["n_start"].astype(float).fillna(0).to_numpy() > 0
    for rows in out.groupby("horizon").groups.values():
        total_row = rows[out.loc[rows, "group"].eq(total) & out.loc[rows, "reason"].isna()]
        among = rows[out.loc[rows, "group"].isin(parts)]
        shown_parts = among[out.loc[among, "reason"].isna()]
        hidden = among[out.loc[among, "reason"].notna() & persons[among]]
        if not len(total_row) or not len(hidden):
            continue
        for moves in methods:
            least, most = moves["least"].to_numpy(), moves["most"].to_numpy()
            below = least[total_row].sum() - most[shown_parts].sum()
            above = most[total_row].sum() - least[shown_parts].sum()
            if above < rules.threshold - 1 or 1 < below < rules.threshold:
                out.loc[total_row, "reason"] = "difference"
