"""Curves: one recomputed from rounded cumulative counts, or an estimated one shown at few enough months.

*From counts.* Cumulative entries, exits by cause and censorings are each put at the middle of their class of
`threshold` persons; survival, log-log limits (Greenwood), incidence by cause (Aalen–Johansen) and numbers at risk come
from those alone. At risk in month m: entered before m, neither gone nor censored before m. The curve stops before the
first month at which the true or the rounded number at risk falls under 20, or at which the rounded exits would empty
the rounded risk set. The province's classes are widened until they do not narrow those of its regions.

*Estimated (EM, weighted, bounds).* Its steps are no counts, so it is shown at some months only: first the horizons that
the table of rates gives exactly (same rule, same function), then the months between them that at least `threshold`
exits separate from the month shown before and from the next horizon shown. It stops where fewer than 20 are at risk,
and before the first month that its table calls insufficient; what carries each month shown (`known`) stays beside it.
The two bounds go where under `threshold` persons lie between them, and each keeps that distance between its own months.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..survival.checks import NORMAL_975
from ..tables import SUPPORTS
from .counts import PROVINCE
from .rates import down, exact_steps, up
from .rules import NO_EXITS, RATE_DECIMALS, class_ends, midpoints, rounded, whole_counts

EXIT = "n_exit_"
*_, INSUFFICIENT = SUPPORTS
# The province's counts may need classes of 20, 30 … persons beside those of its regions; past this, no curve of it.
WIDEST_CLASS = 10


def protect_curve_counts(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """The curve of each group, recomputed from rounded cumulative counts; a row a month from 0 to where it stops."""
    causes = sorted(name.removeprefix(EXIT) for name in frame.columns if str(name).startswith(EXIT))
    counted = pd.DataFrame({"group": frame["group"].to_numpy(), "month": whole_counts(frame, "month")})
    for name in ("n_entry", "n_censor", *(EXIT + cause for cause in causes)):
        counted[name] = whole_counts(frame, name)
    if counted.duplicated(["group", "month"]).any():
        raise DisclosureError("A curve holds the same month of the same group twice.")
    cumulative = {
        group: part.set_index("month").drop(columns="group").pipe(_every_month, months=counted["month"].max()).cumsum()
        for group, part in counted.groupby("group", sort=True)
    }
    regions = [true for group, true in cumulative.items() if group in REGION_CODES]
    curves = []
    for group, true in cumulative.items():
        leaving = true[[EXIT + cause for cause in causes]].sum(axis=1).diff()
        leaving.iloc[0] = true[[EXIT + cause for cause in causes]].iloc[0].sum()
        if (leaving > _at_risk(true, causes)).any():
            raise DisclosureError(f"Curve of group {group}: in some month more people leave than are at risk.")
        width = _class_of_province(true, regions, rules.threshold) if group == PROVINCE else rules.threshold
        if width is not None:
            curves.append(_recomputed(group, true, width, causes, rules, at_risk))
    columns = ["group", "month", "survival", "lower", "upper", *(f"incidence_{cause}" for cause in causes)]
    columns += ["n_risk_rounded", *(f"{EXIT}{cause}_rounded" for cause in causes), "shown"]
    return pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)


def _every_month(monthly: pd.DataFrame, *, months: int) -> pd.DataFrame:
    return monthly.reindex(pd.RangeIndex(0, int(months) + 1, name="month"), fill_value=0)


def _class_of_province(true: pd.DataFrame, regions: list[pd.DataFrame], threshold: int) -> int | None:
    """The narrowest classes of the province's counts that do not narrow those of its regions (None: none does)."""
    parts = np.array([part.to_numpy() for part in regions])
    if not len(parts):
        return threshold
    low, high = class_ends(parts, threshold)
    lows, highs = low.sum(axis=0) - low, high.sum(axis=0) - high
    for times in range(1, WIDEST_CLASS + 1):
        least, most = class_ends(true.to_numpy(), times * threshold)
        if ((most - lows >= high - 1) & (least - highs <= low))[parts > 0].all():
            return times * threshold
    return None


def _recomputed(
    group: str, true: pd.DataFrame, width: int, causes: list[str], rules: Disclosure, at_risk: int
) -> pd.DataFrame:
    months = true.index
    coarse = true.apply(midpoints, threshold=width)
    n_true, n = _at_risk(true, causes).to_numpy(), _at_risk(coarse, causes).to_numpy()
    exits = coarse[[EXIT + cause for cause in causes]].diff().fillna(0).to_numpy()
    gone = exits.sum(axis=1)
    stops = (n_true < at_risk) | (n < at_risk) | (gone >= n)
    stops[0] = true["n_entry"].iloc[-1] < max(rules.rate_denominator, rules.threshold)
    last = int(np.argmax(stops)) if stops.any() else len(stops)
    n, exits, gone = n[:last].astype(float), exits[:last], gone[:last]
    if last:
        n[0] = np.inf  # month 0 is the start: nobody can have left yet, the risk set opens after it
    survival = np.cumprod(1 - gone / n)
    variance = np.cumsum(gone / (n * (n - gone)))
    lower, upper = _log_log_limits(survival, variance)
    before = np.concatenate([[1.0], survival[:-1]])
    table = pd.DataFrame({"group": group, "month": months[:last], "survival": survival, "lower": lower, "upper": upper})
    for k, cause in enumerate(causes):
        table[f"incidence_{cause}"] = np.cumsum(before * exits[:, k] / n)
        table[f"{EXIT}{cause}_rounded"] = coarse[EXIT + cause].to_numpy()[:last]
    table["n_risk_rounded"] = pd.array([int(x) if np.isfinite(x) else pd.NA for x in n], dtype="Int64")
    return table.assign(shown=True)


def _at_risk(cumulative: pd.DataFrame, causes: list[str]) -> pd.Series:
    inside = cumulative["n_entry"] - cumulative["n_censor"] - cumulative[[EXIT + cause for cause in causes]].sum(axis=1)
    return inside.shift(1, fill_value=0)


def _log_log_limits(survival: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = survival.copy(), survival.copy()
    inside = (survival > 0) & (survival < 1)
    log = np.log(survival[inside])
    spread = np.exp(NORMAL_975 * np.sqrt(variance[inside]) / np.abs(log))
    lower[inside], upper[inside] = np.exp(log * spread), np.exp(log / spread)
    return lower, upper


def protect_estimated_curve(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """An estimated curve at the months that may be shown (and month 0, where it starts at 1)."""
    if frame.duplicated(["group", "month"]).any():
        raise DisclosureError("A curve holds the same month of the same group twice.")
    ordered = frame.sort_values(["group", "month"], ignore_index=True)
    curves = [_thinned(part.reset_index(drop=True), rules, at_risk) for _, part in ordered.groupby("group", sort=True)]
    bounds = [name for name in ("lost_left", "lost_stayed") if name in frame]
    known = [name for name in ("known",) if name in frame]
    columns = ["group", "month", "survival", "lower", "upper", *bounds, "n_risk_rounded", "horizon", *known, "shown"]
    return pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)


def _thinned(curve: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    risk = curve["n_risk"].to_numpy(dtype=float, na_value=0.0)
    month = curve["month"].to_numpy(dtype=float)
    survival = curve["survival"].to_numpy(dtype=float)
    exits = curve["n_exits"].to_numpy(dtype=float, na_value=np.nan)
    # without n_start: nobody knows of more than were once at risk together
    n = float(curve["n_start"].max() if "n_start" in curve else risk.max(initial=0.0))
    horizon = curve["horizon"].fillna(False).to_numpy(dtype=bool) if "horizon" in curve else np.zeros(len(curve), bool)
    open_ = ((risk >= at_risk) | (month == 0)) & np.isfinite(survival) & np.isfinite(exits)
    if "known" in curve:
        open_ &= (curve["known"].isin(SUPPORTS) & curve["known"].ne(INSUFFICIENT)).to_numpy()
    open_ &= np.logical_and.accumulate(open_) & (n >= max(rules.rate_denominator, rules.threshold))
    leaving = (1 - survival) * n
    start = open_ & (month == 0) & (leaving < NO_EXITS)
    shown = start | _spaced(survival, n, open_ & ~start, horizon, rules.threshold, exits)
    out = curve[["group", "month"]].copy()
    out["survival"] = np.round(survival, RATE_DECIMALS)
    out["lower"], out["upper"] = down(curve["lower"].astype(float)), up(curve["upper"].astype(float))
    if "lost_left" in curve and "lost_stayed" in curve:
        left, stayed = (curve[name].to_numpy(dtype=float, na_value=np.nan) for name in ("lost_left", "lost_stayed"))
        apart = shown & ~start & (np.abs(stayed - left) * n >= rules.threshold - NO_EXITS)
        for name, values in (("lost_left", left), ("lost_stayed", stayed)):
            told = _spaced(values, n, apart, horizon, rules.threshold)
            out[name] = np.where(told | start, np.round(values, RATE_DECIMALS), np.nan)
    out["n_risk_rounded"] = pd.array(rounded(np.nan_to_num(risk), rules.round), dtype="Int64")
    out.loc[start, "n_risk_rounded"] = pd.NA  # the number at the start is the rates table's to tell
    out["horizon"] = horizon
    if "known" in curve:
        out["known"] = curve["known"]
    return out[shown].assign(shown=True)


def _spaced(rates, n: float, allowed, horizon, threshold: int, exits=None) -> np.ndarray:
    """The months to show: the horizons the table of rates gives exactly, then months far enough from those shown."""
    shown = np.zeros(len(rates), dtype=bool)
    first = np.flatnonzero(allowed & horizon)
    shown[first] = exact_steps(rates[first], np.full(len(first), n), threshold)
    gone, staying = (1 - rates) * n, rates * n
    measures = [gone] if exits is None else [gone, np.asarray(exits, dtype=float)]
    enough = threshold - NO_EXITS
    last = np.zeros(len(measures))
    for i in range(len(rates)):
        if not allowed[i]:
            continue
        here = np.array([m[i] for m in measures])
        following = next((j for j in range(i + 1, len(rates)) if shown[j]), None)
        if not shown[i] and staying[i] >= enough and (here - last >= enough).all():
            ahead = np.inf if following is None else np.array([m[following] for m in measures]) - here
            shown[i] = np.all(ahead >= enough)
        if shown[i]:
            last = here
    return shown
