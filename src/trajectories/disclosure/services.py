"""Rules of services, told by classes of households or persons: shares, the funnel, contacts due and held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .rates import down, up
from .rules import NO_EXITS

# ----------------------------------------------------------------------------------------------------
# Counts told by their classes of `threshold`: 0–9, 10–19, 20–29 …, and what a sum of them says of one of its parts.
#
# Where numbers stand beside one another that hold one another (met, then settled; by month 3, then by month 6; with
# any service, then with this one), their difference is a count too, and not one that can be hidden by itself. Classes
# of `threshold`, all from one grid, leave any difference of two numbers open to all of 1 … threshold − 1 whenever it
# is that small: two of one class differ by 0 to 9, two of neighbouring ones by 1 to 19. So the numbers need no hiding
# one by one.
#
# What adds up (regions to the province, types of organisation to all) says more: of three numbers or more the ends of
# classes do not add up to ends of classes. `open_parts` looks at each part that holds 1 … threshold − 1, told or not:
# the whole's class less those of the others has to leave it open to all of these. A part that is not told counts, for
# the others, as anything from nobody to all that it is made of, which a reader may know.


def class_width(rules: Disclosure) -> int:
    """
    How wide a class is: as many households as it takes for both thresholds.

    A household has a member at least, so that as many households are as many persons.
    """
    return max(rules.threshold, rules.households)


def class_of(counts: ArrayLike, width: int) -> tuple[np.ndarray, np.ndarray]:
    """
    The first and the last number of the class.

    Examples
    --------
    >>> [ends.tolist() for ends in class_of([0, 9, 10, 27], 10)]
    [[0, 0, 10, 20], [9, 9, 19, 29]]
    """
    low = np.asarray(counts, dtype=np.int64) // width * width
    return low, low + width - 1


def open_parts(total: tuple[float, float], parts: np.ndarray, least: np.ndarray, most: np.ndarray, width: int) -> bool:
    """
    Whether every small part stays open to all of 1 … width − 1 beside the whole and the others.

    Parameters
    ----------
    total : (float, float)
        From where to where it is told to be.
    parts : array of float
        What adds up to it (missing: not known here, and taken for small).
    least, most : arrays of float
        From where to where a reader has to suppose each of them.
    width : int

    Examples
    --------
    >>> two = np.array([30.0, 4.0])
    >>> open_parts((30, 39), two, np.array([30, 0]), np.array([39, 9]), 10)
    True
    >>> three = np.array([39.0, 39.0, 4.0])  # 80 to 89 less twice 30 to 39: two at least
    >>> open_parts((80, 89), three, np.array([30, 30, 0]), np.array([39, 39, 9]), 10)
    False
    """
    small = np.isnan(parts) | ((parts > 0) & (parts < width))
    others_least, others_most = least.sum() - least, most.sum() - most
    return bool(((total[0] - others_most <= 1) & (total[1] - others_least >= width - 1))[small].all())


def is_open(
    total: pd.Series, parts: pd.DataFrame, shown: np.ndarray, values: Sequence[str], base: str, width: int
) -> bool:
    """
    Whether the small parts stay open in each of the values beside a whole that is told.

    `values`: columns that add up, « rest » being what n leaves of k; `base`: the one of which the others are parts, the
    most of which a part that is not told may be, and which a reader may know by its class.
    """
    known = parts[base].fillna(0).to_numpy(dtype=float)
    unseen = np.where(known > 0, class_of(known, width)[1], 0)
    total_row = total.to_frame().T
    for name in values:
        low, high = _ends(total_row, name, width)
        least, most = _ends(parts, name, width)
        least, most = np.where(shown, least, 0), np.where(shown, most, unseen)
        if not open_parts((low[0], high[0]), parts[name].to_numpy(dtype=float), least, most, width):
            return False
    return True


def _ends(frame: pd.DataFrame, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most that the classes told allow; of the rest, what those of n and k allow."""
    if name != "rest":
        return class_of(frame[name].fillna(0).to_numpy(dtype=float), width)
    (n_low, n_high), (k_low, k_high) = (_ends(frame, side, width) for side in ("n", "k"))
    return np.maximum(n_low - k_high, 0), n_high - k_low


def hide_wholes(
    raw: pd.DataFrame, reason: pd.Series, rules: Disclosure, keys: Sequence[str], values: Sequence[str], base: str
) -> pd.Series:
    """
    The reasons, « difference » where the province's row would tell of a small part of one of its regions.

    A household of two regions is in both, and once in the province, which is less than the sum then. It is looked at as
    if it were the sum (tables.py says why that is no less safe).
    """
    width, reason = class_width(rules), reason.copy()
    names = sorted({*values, "n", "k"} & set(raw.columns) - {"rest"})
    for _, rows in raw.groupby(list(keys), dropna=False, sort=True):
        parts = rows[rows["group"].isin(REGION_CODES)]
        shown = reason[parts.index].isna().to_numpy()
        for at in rows.index[rows["group"].eq(PROVINCE) & reason[rows.index].isna()]:
            total = np.maximum(raw.loc[at, names].astype(float), parts[names].astype(float).sum())
            if not is_open(total, parts, shown, values, base, width):
                reason[at] = "difference"
    return reason


# ----------------------------------------------------------------------------------------------------
# Shares of households that a service reached, told between the ends that classes of households leave.
#
# Both numbers of a share, those with the service and those that it is of, are told by their classes of `threshold`
# households, and the share as what these leave open: 10–19 of 50–59 households are « 16 to 38 %
# ». It says no more than the two classes do.
#
# 1. *Ground.* An estimate, and at least `rate_denominator` households followed for it. 2. *Resolution.* Where one
# class is more than `WIDEST_SHARE` of the households, the share would say nothing. 3. *Regions and province.* The
# province is not told where it would tell of a small part of a region, told or not. 4. *Any service.* Who got any is
# at most the sum of who got each: « any » is not told where that would bound a small service from below; nor the
# services one by one where their sum would bound how few got none. 5. *What is told.* All streams, the whole period,
# households whose establishment the metropole told of, some months of the delay. Streams, periods and the services of
# the delay would part these again; groups that may overlap (those of the study, categories) would too. A row of the
# raw table without an estimate holds true counts: nothing of it leaves.
#
# What is not looked at: tables that part different people (stays by pathway, retention of persons). Beside the number
# of all those settled, beside_counts.py widens what is told here.

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
    REACH: ("service", "when"),
    DELAY: ("horizon",),
    TRANSFER: ("horizon",),
    NEED: ("need", "service", "horizon"),
    REASON: ("exit_reason", "service"),
}


def protect_service_shares(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group and item: at_least, at_most (0–1), n_start_rounded (first of its class), shown, reason."""
    raw = _allowed_rows(frame)
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


def _allowed_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rule 5: the rows that may be told at all."""
    allowed_rows = frame["group"].isin([PROVINCE, *REGION_CODES]) & frame["measure"].ne(NEVER)
    for name, allowed in (("stream", (ALL,)), ("when", WINDOWS), ("period", (ALL,))):
        if name in frame:
            allowed_rows &= frame[name].isin(allowed)
    if "service" in frame:
        allowed_rows &= frame["service"].notna()  # what no service answers has counts alone
    if frame["measure"].eq(TRANSFER).any():
        allowed_rows &= frame["method"].eq(TOLD)
    if frame["measure"].eq(DELAY).any():
        allowed_rows &= frame["service"].eq(ANY) & frame["horizon"].isin(DELAY_MONTHS)
    # why something is not shown is a `reason` too
    return frame[allowed_rows].rename(columns={"reason": "exit_reason"}).reset_index(drop=True)


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
        any_service = rows.index[rows["service"].eq(ANY) & reason[rows.index].isna()]
        single = rows.index[rows["service"].ne(ANY) & reason[rows.index].isna()]
        if not len(any_service) or not len(single):
            continue
        most = class_of(raw.loc[single, "k"], width)[1]
        small = raw.loc[single, "k"].between(1, width - 1).to_numpy()
        (at,) = any_service
        (least,), _ = class_of([raw.at[at, "k"]], width)
        (least_followed,), _ = class_of([raw.at[at, "n"]], width)
        if small.any() and (least - (most.sum() - most[small]) > 1).any():
            reason[at] = "difference"
        if 0 < raw.at[at, "rest"] < width and least_followed - most.sum() > 1:
            reason[single] = "difference"
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


# ----------------------------------------------------------------------------------------------------
# The way from the metropole to a region, in counts of households: each step by its class of `threshold` households.
#
# 1. *Classes.* A step holds the next ones, and what lies between two steps is a count: classes leave it open. 2.
# *Ground.* Nothing of a group of which fewer than `rate_denominator` households settled (the province: were met). 3.
# *Steps told.* Of the four that part those settled (there, left, lost, settled too recently) « there » and « too
# recently » only. What they leave of those settled left or was lost; where that is small and three classes would bound
# it, « too recently » goes. 4. *Regions and province*, by step.
#
# Persons are not told, and no shares: what would be their numbers is said here already.

FUNNEL = "process_funnel"
MET, PREPARED, SETTLED, ARRIVED, THERE, TOO_RECENT = STEPS = (
    "met_in_metropole",
    "prepared",
    "settled",
    "met_in_region",
    "there_at_12_months",
    "settled_too_recently",
)
# Where somebody will settle is not known yet.
_PROVINCE_ONLY = (MET, PREPARED)


def protect_service_funnel(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group and step: at_least_rounded, at_most_rounded (households), shown, reason."""
    allowed_rows = frame["group"].isin([PROVINCE, *REGION_CODES]) & frame["step"].isin(STEPS)
    allowed_rows &= frame["group"].eq(PROVINCE) | ~frame["step"].isin(_PROVINCE_ONLY)
    raw = frame[allowed_rows].reset_index(drop=True)
    if raw.duplicated(["group", "step"]).any():
        raise DisclosureError("A step of the way to a region is given twice (same group).")
    width, least = class_width(rules), max(rules.rate_denominator, class_width(rules))
    raw["k"] = raw["households"].astype(float)
    by_step = raw.pivot(index="group", columns="step", values="k").reindex(columns=list(STEPS))
    # a step is at most those settled, which a reader may know
    raw["most"] = raw["group"].map(by_step[SETTLED]).where(raw["step"].ne(SETTLED), raw["k"])
    few = ~(by_step[SETTLED] >= least)
    few |= by_step.index.isin([PROVINCE]) & ~(by_step[MET] >= least)
    reason = pd.Series(None, index=raw.index, dtype="object")
    reason[raw["k"].isna()] = "insufficient"
    reason[raw["group"].map(few).astype(bool)] = "denominator"
    for group in by_step.index[_bounds_the_rest(by_step, width)]:
        reason[raw["group"].eq(group) & raw["step"].eq(TOO_RECENT) & reason.isna()] = "difference"
    reason = hide_wholes(raw, reason, rules, ["step"], ("k",), "most")
    shown = reason.isna()
    low, high = class_of(raw["k"].where(shown, 0), width)
    out = raw[["group", "step"]].copy()
    out["at_least_rounded"] = pd.Series(low, index=raw.index).astype("Int64").where(shown)
    out["at_most_rounded"] = pd.Series(high, index=raw.index).astype("Int64").where(shown)
    return out.assign(shown=shown, reason=reason.where(~shown, None))


def _bounds_the_rest(by_step: pd.DataFrame, width: int) -> np.ndarray:
    """Rule 3: where few left or were lost, and the classes of three steps would say of them more than that."""
    gone = by_step[SETTLED] - by_step[THERE] - by_step[TOO_RECENT]
    known = by_step[[SETTLED, THERE, TOO_RECENT]].fillna(0)
    low = class_of(known[SETTLED], width)[0]
    high = class_of(known[THERE], width)[1] + class_of(known[TOO_RECENT], width)[1]
    return (gone.between(1, width - 1) & (low - high > 1)).to_numpy()


# ----------------------------------------------------------------------------------------------------
# Scheduled contacts due, held and answered, in classes of `threshold` persons; by type of organisation, never by name.
#
# Each person is to be called, so contacts count persons; both numbers of a share are told by their classes, as in
# the shares (1, 2, 3). Besides:
#
# 1. *Households.* Ten persons may be two households: where as many persons stand on one side of a share, they are of
# `households` households at least. 2. *Types of organisation* are told of the province only, and there only where none
# of them, small or left out for having too few organisations, is bounded by what all together are. 3. *Too few
# organisations*, or one that has over 85 % of the contacts (analysis/services/gaps.py). What a single region or type
# leaves out so would be found by subtraction, and would be the coverage of an organisation that everybody knows: all
# together are not told where it is the only one left out.

COVERAGE, REACHED = FOLLOW_UP = ("follow_up_coverage", "follow_up_reached")
FEW_ORGANISATIONS = "too_few_organisations"
_KEYS = ["measure", "organisation_type", "horizon"]
_SIDES = (("k", "households"), ("rest", "households_without"))


def protect_follow_up(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group, measure, type and month: at_least, at_most (0–1), n_start_rounded (persons), shown, reason."""
    of_region = frame["group"].isin(REGION_CODES) & frame["organisation_type"].eq(ALL)
    raw = frame[frame["group"].eq(PROVINCE) | of_region].reset_index(drop=True)
    if raw.duplicated(["group", *_KEYS]).any():
        raise DisclosureError(f"A share of contacts is given twice (same group, {', '.join(_KEYS)}).")
    raw = with_sides(raw)
    reason = ground(raw, raw["n"], rules)
    for side, households in _SIDES:
        few = (raw[side] >= rules.threshold) & (raw[households].astype(float) < rules.households)
        reason[few & reason.isna()] = "households"
    all_types = raw["organisation_type"].eq(ALL)
    few_organisations = raw[all_types & raw["note"].eq(FEW_ORGANISATIONS) & raw["n"].gt(0)]
    one_out = few_organisations.groupby(["measure", "horizon"])["group"].nunique()
    one_left_out = pd.MultiIndex.from_frame(raw[["measure", "horizon"]]).isin(one_out[one_out.eq(1)].index)
    reason[one_left_out & raw["group"].eq(PROVINCE) & reason.isna()] = "organisations"
    reason = hide_wholes(raw, reason, rules, _KEYS, ("n", "k", "rest"), "n")
    reason = _hide_types(raw, reason, rules)
    return written(raw, reason, rules, _KEYS)


def _hide_types(raw: pd.DataFrame, reason: pd.Series, rules: Disclosure) -> pd.Series:
    """Rules 2 and 3: the types of a month, all of them or none."""
    reason, width = reason.copy(), class_width(rules)
    for _, rows in raw[raw["group"].eq(PROVINCE)].groupby(["measure", "horizon"], sort=True):
        types = rows[rows["organisation_type"].ne(ALL)]
        shown = reason[types.index].isna().to_numpy()
        all_types_shown = False
        for at in rows.index[rows["organisation_type"].eq(ALL) & reason[rows.index].isna()]:
            few_organisations = types["note"].eq(FEW_ORGANISATIONS).to_numpy() & types["n"].gt(0).to_numpy()
            all_types_shown = few_organisations.sum() != 1 and is_open(
                raw.loc[at, ["n", "k"]].astype(float), types, shown, ("n", "k", "rest"), "n", width
            )
        if not all_types_shown:
            reason[types.index[shown]] = "difference"
    return reason
