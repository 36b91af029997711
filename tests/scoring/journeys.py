"""Spells, moves, intervals and the plain retention of a build, against the truth, as far as rows show it (`evidence`).

A person found stands for the unit (`links`) of most of their records; each true run or move can be found once, so a
person split in two pays for the second copy. Those open to doubt (`evidence.open_to_doubt`) are left out, and counted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from trajectories.months import months_between
from trajectories.survival import interval_incidence, kaplan_meier
from trajectories.tables import METROPOLE, OUTSIDE_QUEBEC, REGION

from .evidence import DAY, departures, open_to_doubt, true_runs
from .links import most_common, whole_and_pure

KINDS = ("secondary", "onward", "return", "out_of_quebec", "arrival")
_START, _MOVE, _MONTHS = 7 * DAY, 3 * DAY, 0.5  # how far from the truth is right
_FIRST, _FOREVER = pd.Timestamp("1900-01-01"), pd.Timestamp("2100-01-01")


def journey_scores(found, truth, rows: pd.DataFrame) -> dict[str, float]:
    """
    All that follows from who is who (`found` has spells, moves, cohort and cutoff; `rows` are `links.linked_rows`).

    ``spells_found``: true runs en région that a row shows, found with a start that holds the true one; ``spurious``:
    stays en région that nobody lived, for 100 units. ``moves_…``: precision, recall and F1, in all and by kind
    (`KINDS`: none is inside a region or the metropole). ``honesty``: first stays whose true end lies where the cohort
    says; ``honesty_informative``: and not in (0, ∞); ``exits_inside``: of those said to have ended. ``plain_s12``,
    ``plain_s24``: the plain estimate from the cohort's intervals, ``…_true`` the share of the same persons who stayed,
    ``…_error`` the distance of the two.
    """
    doubtful = open_to_doubt(rows, truth)
    rows = rows[~rows["unit"].isin(doubtful)]
    unit_of = most_common(rows, "person_id", "unit")
    runs = true_runs(truth, rows)
    runs = runs[runs["start"] <= found.cutoff].reset_index(drop=True)
    pure = whole_and_pure(rows)
    scores = {"n_open_to_doubt": float(len(doubtful))}
    scores |= _spell_scores(found.spells, runs, unit_of) | _move_scores(found.moves, runs, unit_of)
    return scores | _cohort_scores(found, _first_stays(runs, rows), unit_of, pure.index[pure])


def _spell_scores(spells: pd.DataFrame, runs: pd.DataFrame, unit_of: pd.Series) -> dict[str, float]:
    true = runs[~runs["area"].isin([METROPOLE, OUTSIDE_QUEBEC])].reset_index(drop=True).reset_index(names="true")
    said = _region_stays(spells[spells["person_id"].isin(unit_of.index)])
    said = said.assign(unit=said["person_id"].map(unit_of), width=said["high"] - said["low"]).reset_index(names="said")
    pairs = true.merge(said, on=["unit", "area"], suffixes=("", "_said"))
    early, late = pairs["low"] - pairs["start"], pairs["start"] - pairs["high"]
    pairs["gap"] = early.where(early > late, late).clip(lower=0 * DAY)
    pairs = _one_to_one(pairs.sort_values(["width", "gap", "said", "true"]))
    right = true["true"].isin(pairs.loc[pairs["gap"] <= _START, "true"])
    return {
        "n_spells": float(true["shown"].sum()),
        "spells_region_found": float(true["true"].isin(pairs["true"])[true["shown"]].mean()),
        "spells_found": float(right[true["shown"]].mean()),
        "spurious": 100 * (len(said) - len(pairs)) / max(runs["unit"].nunique(), 1),
    }


def _region_stays(spells: pd.DataFrame) -> pd.DataFrame:
    """Consecutive spells of one person in one region as one: person_id, area, low, high (of the start)."""
    spells = spells.sort_values(["person_id", "spell"], ignore_index=True)
    area = spells["region"].where(spells["zone"].eq(REGION)).fillna("")
    new = area.ne(area.shift()) | spells["person_id"].ne(spells["person_id"].shift())
    stays = spells.assign(area=area).groupby(new.cumsum()).agg(
        person_id=("person_id", "first"), area=("area", "first"),
        low=("start_earliest", "first"), high=("start_latest", "first"),
    )  # fmt: skip
    stays = stays[stays["area"].ne("")].reset_index(drop=True)
    return stays.assign(low=stays["low"].fillna(_FIRST), high=stays["high"].fillna(_FOREVER))


def _one_to_one(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of pairs in order of preference, those that are left when each side is used once."""
    kept = []
    while len(pairs):
        first = ~pairs["true"].duplicated() & ~pairs["said"].duplicated()
        kept.append(pairs[first])
        pairs = pairs[~pairs["true"].isin(kept[-1]["true"]) & ~pairs["said"].isin(kept[-1]["said"])]
    return pd.concat(kept) if kept else pairs


def _true_moves(runs: pd.DataFrame) -> pd.DataFrame:
    """unit, day, kind: from each run to the unit's next one elsewhere."""
    before = runs.shift()
    origin, area = before["area"], runs["area"]
    kind = np.select(
        [area.eq(OUTSIDE_QUEBEC), origin.eq(OUTSIDE_QUEBEC), origin.eq(METROPOLE), area.eq(METROPOLE)],
        ["out_of_quebec", "arrival", "secondary", "return"],
        "onward",
    )
    moved = runs["unit"].eq(before["unit"]) & area.ne(origin)
    return pd.DataFrame({"unit": runs["unit"], "day": runs["start"], "kind": kind})[moved]


def _move_scores(moves: pd.DataFrame, runs: pd.DataFrame, unit_of: pd.Series) -> dict[str, float]:
    """Recall over the moves between consecutive runs that are shown; a move of the whole history is right, too."""
    said = moves[moves["kind"].isin(KINDS) & moves["person_id"].isin(unit_of.index)].reset_index(drop=True)
    said = said.assign(unit=said["person_id"].map(unit_of)).reset_index(names="said")
    shown, whole = _true_moves(runs[runs["shown"]]), _true_moves(runs)
    scores, told, right = {}, _agreeing(said, shown), _agreeing(said, whole)
    good = said["said"].isin(right["said"]) | said["said"].isin(told["said"])
    for name, kinds in (("", list(KINDS)), *((f"_{kind}", [kind]) for kind in KINDS)):
        mine, theirs = said["kind"].isin(kinds), shown["kind"].isin(kinds)
        precision = float(good[mine].mean()) if mine.any() else 1.0
        recall = float(told["kind"].isin(kinds).sum() / theirs.sum()) if theirs.any() else 1.0
        scores |= {
            f"n_moves{name}": float(theirs.sum()), f"moves{name}_precision": precision, f"moves{name}_recall": recall,
            f"moves{name}_f1": 2 * precision * recall / max(precision + recall, 1e-12),
        }  # fmt: skip
    return scores


def _agreeing(said: pd.DataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a found move and a true one, of one kind, on a day that the found interval holds; each used once."""
    pairs = true.reset_index(names="true").merge(said, on=["unit", "kind"])
    low, high = pairs["earliest"].fillna(_FIRST) - _MOVE, pairs["latest"].fillna(_FOREVER) + _MOVE
    pairs = pairs[(low <= pairs["day"]) & (pairs["day"] <= high)]
    return _one_to_one(pairs.assign(gap=(high - pairs["day"]).abs()).sort_values(["gap", "true", "said"]))


def _first_stays(runs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """
    Each unit's first run en région, if a row shows it: area, leaves (months; ∞: not), ends (death counts), merged.

    `merged` is when it ends for those who cannot know that the person left and came back between two rows.
    """
    en_region = runs[~runs["area"].isin([METROPOLE, OUTSIDE_QUEBEC])]
    first = en_region.drop_duplicates("unit")
    first = first[first["shown"]].set_index("unit")
    later = runs[runs["shown"]].merge(first[["start", "end", "area"]], on="unit", suffixes=("", "_first"))
    later = later[later["start"] > later["start_first"]].drop_duplicates("unit")
    gone = departures(rows)[["unit", "day"]].merge(later, on="unit")
    told = gone.loc[(gone["day"] >= gone["end_first"]) & (gone["day"] <= gone["start"]), "unit"]
    again = later[later["area"].eq(later["area_first"]) & ~later["unit"].isin(told)].set_index("unit")
    merged = first["end"].where(~first.index.isin(again.index), again["end"].reindex(first.index))
    lasted = _months(first["start"], first["end"])
    return pd.DataFrame({
        "area": first["area"], "ends": lasted, "leaves": lasted.where(~first["died"], np.inf),
        "merged": _months(first["start"], merged), "settled": first["start"],
    })  # fmt: skip


def _months(start: pd.Series, end: pd.Series) -> pd.Series:
    lasted = pd.Series(np.inf, index=start.index)
    known = end.notna()
    lasted[known] = months_between(start[known], end[known])
    return lasted


def _cohort_scores(found, first: pd.DataFrame, unit_of: pd.Series, pure: pd.Index) -> dict[str, float]:
    cohort = found.cohort[found.cohort["episode"].eq(1) & found.cohort["person_id"].isin(unit_of.index)]
    cohort = cohort.assign(unit=cohort["person_id"].map(unit_of))
    stays = cohort[cohort["unit"].isin(pure)].merge(first, left_on="unit", right_index=True)
    lower, upper = stays["lower"].astype(float), stays["upper"].astype(float)
    right = np.zeros(len(stays), dtype=bool)
    for leaves, ends in (("leaves", "ends"), ("merged", "merged")):
        true = stays[leaves]
        inside = np.where(
            lower.eq(upper), (lower - true).abs() <= _MONTHS, (true > lower - _MONTHS) & (true <= upper + _MONTHS)
        )
        beyond = np.isinf(upper) & (lower > np.minimum(true, stays[ends]) + _MONTHS)
        right |= inside & ~beyond
    right &= stays["region"].eq(stays["area"]).to_numpy()
    says = (lower > 0) | np.isfinite(upper)
    scores = {
        "n_stays": float(len(stays)),
        "honesty": float(right.mean()),
        "honesty_informative": float((right & says).mean()),
        "n_exits": float(np.isfinite(upper).sum()),
        "exits_inside": float(right[np.isfinite(upper)].mean()),
        "region_wrong": float(stays["region"].ne(stays["area"]).mean()),
    }
    used = stays[says & stays["excluded"].isna()]
    if used.empty:
        return scores
    curve = interval_incidence(used["lower"], used["upper"], np.zeros(len(used)), entry=used["entry"].fillna(0)).table
    curve = curve[curve["cause"].eq(0)].set_index("month")["incidence"]
    followed = pd.Series(
        months_between(stays["settled"], pd.Series(found.cutoff, index=stays.index)), index=stays.index
    )
    until = np.minimum(stays["ends"], followed)
    true = kaplan_meier(until, stays["leaves"] <= until).set_index("time")["survival"]
    for month in (12, 24):
        said, stayed = (float([1.0, *s[s.index <= month]][-1]) for s in (curve, true))
        scores |= {
            f"plain_s{month}": said, f"plain_s{month}_true": stayed, f"plain_s{month}_error": abs(said - stayed)
        }  # fmt: skip
    return scores
