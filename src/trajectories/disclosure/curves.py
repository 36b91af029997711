"""Rules of what goes month by month: curves, states and paths of the types of trajectory, occupation of states.

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
from ..retention.course.post_exit_states import STATES
from ..study import REGION_CODES, Disclosure
from ..survival.checks import NORMAL_975
from ..tables import PROVINCE, SUPPORTS
from .counts import protect_counts
from .rates import MAIN, RATE, _none_or_enough, down, exact_steps, up
from .rules import (
    NO_EXITS,
    RATE_DECIMALS,
    SMALLEST_DENOMINATOR,
    class_ends,
    midpoints,
    rounded,
    rounding_interval,
    whole_counts,
)

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
        lost_left, lost_stayed = (
            curve[name].to_numpy(dtype=float, na_value=np.nan) for name in ("lost_left", "lost_stayed")
        )
        apart = shown & ~start & (np.abs(lost_stayed - lost_left) * n >= rules.threshold - NO_EXITS)
        for name, values in (("lost_left", lost_left), ("lost_stayed", lost_stayed)):
            spaced = _spaced(values, n, apart, horizon, rules.threshold)
            out[name] = np.where(spaced | start, np.round(values, RATE_DECIMALS), np.nan)
    out["n_risk_rounded"] = pd.array(rounded(np.nan_to_num(risk), rules.round), dtype="Int64")
    out.loc[start, "n_risk_rounded"] = pd.NA  # the number at the start is the rates table's to tell
    out["horizon"] = horizon
    if "known" in curve:
        out["known"] = curve["known"]
    return out[shown].assign(shown=True)


def _spaced(
    rates: np.ndarray,
    n: float,
    allowed: np.ndarray,
    horizon: np.ndarray,
    threshold: int,
    exits: np.ndarray | None = None,
) -> np.ndarray:
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


# ----------------------------------------------------------------------------------------------------
# Types of trajectories: how many persons each holds, what state they are in month by month, which paths they share.
#
# A type is found by the computer, not chosen by anybody; but persons who know one another's moves could find their
# own.
#
# 1. *Types part the persons followed long enough*, so their numbers are one table of counts (counts.py): a type of few
# persons or households is hidden, with what would give it away. Its name and what the computer says of its shape go
# with it; shares are told, in whole percents, where no type is hidden. 2. *States are classes.* The number of persons
# of a type that the (weighted) share of a state stands for is put at the middle of its class of `threshold` persons (0
# is 0), as in curves; the shares told are those of these middles, in whole percents. One person more or less, from
# month to month, changes nothing that could be read. 3. *Ground.* A month is shown where at least `rate_denominator`
# persons of the type are observed, and where the classes shown, with the rounded number of persons of the type, leave
# every small state its room: all of 1 … threshold − 1. Months of one number of persons are looked at together, since
# the number is the same in all. 4. *A path is somebody's life*, and most sequences of months are of one person. Only
# the order of states is told, where at least `rate_denominator` persons of the type went through it (that many are not
# under `households` households, which are not counted here), with the median of what they spent in each, to the half-
# year. Paths are ranked by how many share them; the numbers themselves stay behind: less those of the type, they would
# tell how few went otherwise.

# Months to which the stages of a path are rounded.
HALF_YEAR = 6
# What the computer says of a type's shape (1 is best): two decimals.
SHAPES = ("silhouette", "jaccard")
NAMES = ("name", "rule")


def protect_types(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a type: names, persons_rounded, households_rounded, share_rounded, shape, shown; the largest first."""
    if frame["type"].duplicated().any():
        raise DisclosureError("A type is given twice.")
    # one table that adds up to its own persons and is no sum of regions: protected as one region's is
    alone = {"group": REGION_CODES[0], "table": "types", "key": frame["type"].astype(str).to_numpy()}
    raw = frame.reset_index(drop=True).assign(**alone)
    counts = raw.rename(columns={"n_persons": "persons", "n_households": "households"})
    protected = protect_counts(counts[["group", "table", "key", "persons", "households"]], rules).set_index("key")
    out = pd.DataFrame({"group": PROVINCE, "type": raw["key"], **{name: raw[name] for name in NAMES if name in raw}})
    for name in ("persons_rounded", "households_rounded", "shown"):
        out[name] = protected[name].reindex(out["type"]).to_numpy()
    out = out.astype({"persons_rounded": "Int64", "households_rounded": "Int64", "shown": bool})
    out["share_rounded"] = raw["share"].astype(float).round(RATE_DECIMALS) if out["shown"].all() else np.nan
    for name in SHAPES:
        if name in raw:
            out[name] = raw[name].astype(float).round(2).where(out["shown"])
    return out.sort_values(["persons_rounded", "type"], ascending=[False, True], kind="stable", ignore_index=True)


def protect_states(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a type, month and state that may be shown: share_rounded (0–1, whole percents)."""
    keys = ["type", "month", "state"]
    if frame.duplicated(keys).any():
        raise DisclosureError("A state of a type is given twice (same type, month and state).")
    raw = frame[[*keys, "share"]].reset_index(drop=True)
    raw["type"] = raw["type"].astype(str)
    raw["there"] = whole_counts(frame, "n")
    at = raw.groupby(["type", "month"])
    raw["n"] = at["there"].transform("sum")
    if (at["share"].sum() - 1).abs().gt(1e-6).any() or ((raw["share"] > 0) & (raw["there"] == 0)).any():
        raise DisclosureError("The states of a month do not part the persons of the type: they cannot be protected.")
    # whoever is there is at least one
    raw["count"] = np.maximum(people(raw["share"], raw["n"]), raw["there"] > 0).astype(np.int64)
    raw = in_classes(raw, rules)
    month_total = raw.groupby(["type", "month"])["middle"].transform("sum")
    raw["share_rounded"] = (raw["middle"] / month_total.where(month_total > 0)).round(RATE_DECIMALS)
    shown_rows = raw[raw["shown"]].sort_values(["type", "month", "state"], ignore_index=True)
    return shown_rows.assign(group=PROVINCE)[["group", "type", "month", "state", "share_rounded", "shown"]]


def people(share: pd.Series, n: pd.Series) -> np.ndarray:
    """How many persons a (weighted) share of so many stands for."""
    return np.ceil(share.to_numpy(dtype=float) * n.to_numpy() - NO_EXITS).astype(np.int64)


def in_classes(
    counted: pd.DataFrame, rules: Disclosure, known: tuple[np.ndarray, np.ndarray] | None = None
) -> pd.DataFrame:
    """
    The numbers (type, month, state, count, n) with the middle of their class, and whether their month may be shown.

    `known`: the least and the most of each number, where another table bounds it.
    """
    rows = counted.assign(middle=midpoints(counted["count"], rules.threshold), shown=False)
    least, most = class_ends(rows["count"], rules.threshold)
    rows["least"], rows["most"] = (
        (least, most) if known is None else (np.maximum(least, known[0]), np.minimum(most, known[1]))
    )
    for _, part in rows[rows["n"] >= _least(rules)].groupby(["type", "n"]):
        rows.loc[_months_with_room(part, rules), "shown"] = True
    return rows


def _least(rules: Disclosure) -> int:
    return max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)


def _months_with_room(part: pd.DataFrame, rules: Disclosure) -> pd.Index:
    """The rows of the months (of one type, one number of persons) that may be shown together."""
    least, most = part["least"].to_numpy(), part["most"].to_numpy()
    month = part["month"].to_numpy()
    sums = pd.DataFrame({"least": least, "most": most}).groupby(month).sum()
    # a small state is what the others leave of the number of persons, between low and high: it could be 1 where low is
    # at most `open_below`, and threshold − 1 where high is at least `open_above`
    small = part["count"].between(1, rules.threshold - 1).to_numpy()
    room = (
        pd.DataFrame(
            {
                "below": 1 + sums["most"].reindex(month).to_numpy() - most,
                "above": rules.threshold - 1 + sums["least"].reindex(month).to_numpy() - least,
            }
        )[small]
        .groupby(month[small])
        .agg({"below": "min", "above": "max"})
        .reindex(sums.index)
    )
    near = int(rounded([part["n"].iloc[0]], rules.round)[0])
    low, high = near - rules.round // 2, near + rules.round - 1 - rules.round // 2
    open_below, open_above, shown_months = np.inf, -np.inf, []
    for at, ends, of in zip(sums.index, sums.to_numpy(), room.to_numpy(dtype=float), strict=True):
        tighter = max(low, ends[0]), min(high, ends[1])
        wanted = np.fmin(open_below, of[0]), np.fmax(open_above, of[1])
        if tighter[0] <= wanted[0] and tighter[1] >= wanted[1]:
            (low, high), (open_below, open_above) = tighter, wanted
            shown_months.append(at)
    return part.index[np.isin(month, shown_months)]


def protect_paths(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a type, path and stage: rank (1: the most frequent), state, start, end (months), shown."""
    rows = frame.sort_values(["type", "sequence", "begin"], ignore_index=True)
    rows = rows.assign(type=rows["type"].astype(str), persons=whole_counts(rows, "n_persons"))
    by = [rows["type"], rows["sequence"]]
    rows["path"] = rows.groupby(by)["state"].transform(">".join)
    rows["stage"] = rows.groupby(by).cumcount()
    counts = rows[rows["stage"].eq(0)].groupby(["type", "path"], as_index=False)["persons"].sum()
    shared = counts[counts["persons"] >= _least(rules)]
    shared = shared.sort_values(["type", "persons", "path"], ascending=[True, False, True])
    shared["rank"] = shared.groupby("type").cumcount() + 1
    stages = [
        _stages(rows[rows["type"].eq(path["type"]) & rows["path"].eq(path["path"])], path)
        for _, path in shared.iterrows()
    ]
    columns = ["group", "type", "rank", "stage", "state", "start", "end", "shown"]
    return pd.concat(stages, ignore_index=True)[columns] if stages else pd.DataFrame(columns=columns)


def _stages(rows: pd.DataFrame, path: pd.Series) -> pd.DataFrame:
    """The stages of one path: the median month at which each began, to the half-year, none of them lost."""
    medians = [_median(part["begin"], part["persons"]) for _, part in rows.groupby("stage")]
    n_months, starts = float(rows["end"].max() + 1), [0.0]
    for begin in medians[1:]:
        starts.append(min(max(round(begin / HALF_YEAR) * HALF_YEAR, starts[-1] + HALF_YEAR), n_months))
    states = rows.drop_duplicates("stage").sort_values("stage")["state"].to_list()
    return pd.DataFrame(
        {
            "group": PROVINCE,
            "type": path["type"],
            "rank": path["rank"],
            "stage": range(1, len(starts) + 1),
            "state": states,
            "start": starts,
            "end": [*starts[1:], n_months],
            "shown": True,
        }
    )


def _median(values: pd.Series, weights: pd.Series) -> float:
    order = np.argsort(values.to_numpy(), kind="stable")
    reached = np.cumsum(weights.to_numpy()[order])
    return float(values.to_numpy()[order][np.searchsorted(reached, reached[-1] / 2)])


# ----------------------------------------------------------------------------------------------------
# Occupation of states: where those who settled are, month by month, in classes of `threshold` persons.
#
# 1. *The whole alone.* A region's states less its curve are those who left it and came back: few persons, almost
# exactly. 2. *Two parts of one state.* So it is for the whole too, where the retention rate is told: « here » is told
# as the sum of two classes, those who never left (the rate, given beside as `rate`) and those who came back. One
# person who came back, or `threshold` of them, are told alike. 3. *States are classes*, each month with its room, as
# below (2, 3), whose function this uses; of those who never left is known what their class tells, and what the
# rate in whole percents does. 4. *Ground.* A month is supported, at least `support` are at risk, and nobody or at
# least `threshold` persons left and stayed: where the rate would be told as a range, the states would say more than
# the range.
#
# Balances are left: what stands in a destination less what left for it is comings and goings together, and no number
# of persons. Limits, and the check by a panel model, are not told.

HERE, NEVER_LEFT, CAME_BACK = STATES[0], "never_left", "came_back"


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
    shown_rows = in_classes(counted, rules, _bounds_of_displayed_rate(counted, rules))
    shown_rows = shown_rows[shown_rows["shown"]].replace({"state": {NEVER_LEFT: HERE, CAME_BACK: HERE}})
    shown_rows = shown_rows.assign(
        share_rounded=shown_rows["middle"] / shown_rows.groupby("month")["middle"].transform("sum")
    )
    columns = ["month", "state", "known"]
    out = shown_rows.groupby(columns, as_index=False, sort=True)["share_rounded"].sum()
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


def _bounds_of_displayed_rate(counted: pd.DataFrame, rules: Disclosure) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most of each state, given the rate in whole percents, which bounds those who never left."""
    fewest, most = rounding_interval(rounded(counted["n"], rules.round), rules.round, rules.threshold)
    half = 0.5 * 10.0**-RATE_DECIMALS
    rate = counted["share"].round(RATE_DECIMALS).to_numpy()
    stayed = counted["state"].eq(NEVER_LEFT).to_numpy()
    least = np.where(stayed, np.floor((rate - half) * fewest), 0)
    return least, np.where(stayed, np.ceil((rate + half) * most), np.inf)
