"""Types of trajectories: how many persons each holds, what state they are in month by month, which paths they share.

A type is found by the computer, not chosen by anybody; but persons who know one another's moves could find their own.

1. *Types part the persons followed long enough*, so their numbers are one table of counts (counts.py): a type of few
   persons or households is hidden, with what would give it away. Its name and what the computer says of its shape go
   with it; shares are told, in whole percents, where no type is hidden.
2. *States are classes.* The number of persons of a type that the (weighted) share of a state stands for is put at the
   middle of its class of `threshold` persons (0 is 0), as in curves; the shares told are those of these middles, in
   whole percents. One person more or less, from month to month, changes nothing that could be read.
3. *Ground.* A month is shown where at least `rate_denominator` persons of the type are observed, and where the classes
   shown, with the rounded number of persons of the type, leave every small state its room: all of 1 … threshold − 1.
   Months of one number of persons are looked at together, since the number is the same in all.
4. *A path is somebody's life*, and most sequences of months are of one person. Only the order of states is told, where
   at least `rate_denominator` persons of the type went through it (that many are not under `households` households,
   which are not counted here), with the median of what they spent in each, to the half-year. Paths are ranked by how
   many share them; the numbers themselves stay behind: less those of the type, they would tell how few went otherwise.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .counts import protect_counts
from .rules import NO_EXITS, RATE_DECIMALS, SMALLEST_DENOMINATOR, class_ends, midpoints, rounded, whole_counts

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
    told = protect_counts(counts[["group", "table", "key", "persons", "households"]], rules).set_index("key")
    out = pd.DataFrame({"group": PROVINCE, "type": raw["key"], **{name: raw[name] for name in NAMES if name in raw}})
    for name in ("persons_rounded", "households_rounded", "shown"):
        out[name] = told[name].reindex(out["type"]).to_numpy()
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
    whole = raw.groupby(["type", "month"])["middle"].transform("sum")
    raw["share_rounded"] = (raw["middle"] / whole.where(whole > 0)).round(RATE_DECIMALS)
    told = raw[raw["shown"]].sort_values(["type", "month", "state"], ignore_index=True)
    return told.assign(group=PROVINCE)[["group", "type", "month", "state", "share_rounded", "shown"]]


def people(share: pd.Series, n: pd.Series) -> np.ndarray:
    """How many persons a (weighted) share of so many stands for."""
    return np.ceil(share.to_numpy(dtype=float) * n.to_numpy() - NO_EXITS).astype(np.int64)


def in_classes(
    counted: pd.DataFrame, rules: Disclosure, known: tuple[np.ndarray, np.ndarray] | None = None
) -> pd.DataFrame:
    """
    The numbers (type, month, state, count, n) with the middle of their class, and whether their month may be shown.

    `known`: the fewest and the most of each that something else tells.
    """
    rows = counted.assign(middle=midpoints(counted["count"], rules.threshold), shown=False)
    least, most = class_ends(rows["count"], rules.threshold)
    rows["least"], rows["most"] = (least, most) if known is None else (
        np.maximum(least, known[0]), np.minimum(most, known[1]),
    )  # fmt: skip
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
    room = pd.DataFrame({
        "below": 1 + sums["most"].reindex(month).to_numpy() - most,
        "above": rules.threshold - 1 + sums["least"].reindex(month).to_numpy() - least,
    })[small].groupby(month[small]).agg({"below": "min", "above": "max"}).reindex(sums.index)  # fmt: skip
    near = int(rounded([part["n"].iloc[0]], rules.round)[0])
    low, high = near - rules.round // 2, near + rules.round - 1 - rules.round // 2
    open_below, open_above, kept = np.inf, -np.inf, []
    for at, ends, of in zip(sums.index, sums.to_numpy(), room.to_numpy(dtype=float), strict=True):
        tighter = max(low, ends[0]), min(high, ends[1])
        wanted = np.fmin(open_below, of[0]), np.fmax(open_above, of[1])
        if tighter[0] <= wanted[0] and tighter[1] >= wanted[1]:
            (low, high), (open_below, open_above) = tighter, wanted
            kept.append(at)
    return part.index[np.isin(month, kept)]


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
    begun = [_median(part["begin"], part["persons"]) for _, part in rows.groupby("stage")]
    whole, told = float(rows["end"].max() + 1), [0.0]
    for begin in begun[1:]:
        told.append(min(max(round(begin / HALF_YEAR) * HALF_YEAR, told[-1] + HALF_YEAR), whole))
    states = rows.drop_duplicates("stage").sort_values("stage")["state"].to_list()
    return pd.DataFrame({
        "group": PROVINCE, "type": path["type"], "rank": path["rank"], "stage": range(1, len(told) + 1),
        "state": states, "start": told, "end": [*told[1:], whole], "shown": True,
    })  # fmt: skip


def _median(values: pd.Series, weights: pd.Series) -> float:
    order = np.argsort(values.to_numpy(), kind="stable")
    reached = np.cumsum(weights.to_numpy()[order])
    return float(values.to_numpy()[order][np.searchsorted(reached, reached[-1] / 2)])
