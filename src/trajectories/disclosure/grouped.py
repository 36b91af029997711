"""Protected counts of the province and the regions, and of the groups of regions that the study names.

The regions and the province are protected together (disclosure), as parts and their sum. Persons settled in two regions
are in both and once in the province, which is then less than the sum: protection, which supposes that it is the sum,
may find no answer and hide the whole table. So the province is protected as if it were the sum, and told as it is where
its own number is large enough. Nothing more is told by that: who takes the sum for exact supposes less of a hidden
region than there is, and who knows that it is not can suppose any number of persons in two regions.

Where that hides a whole table, the regions are protected without the province, of which nothing is told then.

A group of the study overlaps with its regions and may overlap with other groups: what protection would have to hold
then is more than a network can say. So a group's cell is nothing but the sum of its regions' cells as displayed, told
only where all of them are: it says nothing that is not said already, whatever the groups. Somebody settled in two
regions of a group is counted in both.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .protected import Protected, protect
from .rules import rounded

_NUMBERS = ("persons_rounded", "households_rounded")
TOTAL = "total"


def protected_counts(
    counts: pd.DataFrame,
    *,
    rules: Disclosure | None = None,
    support: int = 20,
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> Protected:
    """
    What may be shown of counts, those of the study's groups included.

    Parameters
    ----------
    counts : DataFrame
        group, table, key, persons, households. Rows of other groups than the province and the regions are not
        read: they are sums of what is displayed.
    rules, support
        As in `protect`.
    groups : mapping, optional
        Name → region codes (`study.groups`).

    Returns
    -------
    Protected
        As `protect` returns, with the rows of the groups; `sum_of_displayed` is True there.

    Examples
    --------
    >>> counts = pd.DataFrame({"group": ["01", "11", "01", "11"], "table": "sex", "key": ["F", "F", "M", "M"],
    ...                        "persons": [31, 42, 35, 22], "households": [20, 30, 20, 15]})
    >>> told = protected_counts(counts, groups={"Est": ("01", "11")}).of("Est")
    >>> told.frame[["key", "persons_rounded", "shown"]].values.tolist()
    [['F', 70, True], ['M', 55, True]]
    """
    raw = counts[counts["group"].isin([PROVINCE, *REGION_CODES])].reset_index(drop=True)
    told = protect(_adding_up(raw), rules=rules, support=support)
    frame = _without_the_province(told.frame, raw, told.rules, support)
    frame = _as_it_is(frame, raw, told.rules)
    frames = [frame, *(_sum(frame, name, regions) for name, regions in (groups or {}).items())]
    return Protected("counts", pd.concat(frames, ignore_index=True), told.rules)


def _adding_up(raw: pd.DataFrame) -> pd.DataFrame:
    """The counts with no cell of the province under the sum of its regions' (rows of data, without households, too)."""
    numbers = raw[["persons", "households"]].astype("Float64")
    parts = numbers[~raw["group"].eq(PROVINCE)].groupby([raw["table"], raw["key"]]).sum(min_count=1)
    sums = parts.reindex(pd.MultiIndex.from_frame(raw[["table", "key"]])).set_axis(raw.index)
    raised = numbers.where(~(sums > numbers).fillna(False), sums)
    return raw.assign(**numbers.where(~raw["group"].eq(PROVINCE), raised))


def _without_the_province(frame: pd.DataFrame, raw: pd.DataFrame, rules: Disclosure, support: int) -> pd.DataFrame:
    """
    The protected frame, where a whole table was hidden with its regions alone, and nothing of the province.

    Where most keys are of one region, the province says nearly what that region says: no choice of cells protects both.
    """
    closed = ~frame.groupby("table")["shown"].any()
    again = raw[raw["table"].map(closed).astype(bool) & ~raw["group"].eq(PROVINCE)]
    if again.empty:
        return frame
    regions = protect(again.reset_index(drop=True), rules=rules, support=support).frame
    kept = frame[frame["group"].eq(PROVINCE) | ~frame["table"].isin(regions["table"])]
    order = ["group", "table", "key"]
    whole = pd.concat([kept, regions], ignore_index=True).assign(_last=lambda f: f["key"].eq(TOTAL))
    return whole.sort_values([*order[:2], "_last", "key"], ignore_index=True)[list(frame.columns)]


def _as_it_is(frame: pd.DataFrame, raw: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """The protected frame with the province's own numbers, where they may be shown."""
    own = raw.set_index(["group", "table", "key"])[["persons", "households"]].astype("Float64")
    own = own.reindex(pd.MultiIndex.from_frame(frame[["group", "table", "key"]])).set_axis(frame.index)
    at = frame["group"].eq(PROVINCE) & frame["shown"] & ~frame["sum_of_displayed"]
    few = own["persons"].gt(0) & (own["persons"].lt(rules.threshold) | own["households"].lt(rules.households))
    shown = frame["shown"] & ~(at & few.fillna(False).astype(bool))
    for name, number in zip(own.columns, _NUMBERS, strict=True):
        told = pd.Series(rounded(own[name].fillna(0), rules.round), index=frame.index).astype("Int64")
        frame = frame.assign(**{number: frame[number].where(~(at & frame[number].notna()), told).where(shown)})
    return frame.assign(shown=shown)


def _sum(told: pd.DataFrame, name: str, regions: tuple[str, ...]) -> pd.DataFrame:
    parts = told[told["group"].isin(regions)]
    # a region without a row for a key has nobody there, unless its other cells of the table are hidden
    wide = parts.set_index(["table", "key", "group"])
    cells = parts[["table", "key"]].drop_duplicates()
    whole = cells.merge(parts[["table", "group"]].drop_duplicates(), on="table")
    at = pd.MultiIndex.from_frame(whole[["table", "key", "group"]])
    there = at.isin(wide.index)
    closed = ~parts.groupby(["table", "group"])["shown"].any()
    closed = pd.MultiIndex.from_frame(whole[["table", "group"]]).map(closed.to_dict()).to_numpy(dtype=bool)
    shown = wide["shown"].reindex(at).to_numpy(dtype=object)
    whole["shown"] = [bool(s) if here else not shut for s, here, shut in zip(shown, there, closed, strict=True)]
    for number in _NUMBERS:
        whole[number] = wide[number].reindex(at).astype("Float64").to_numpy(dtype=float, na_value=float("nan"))
        whole.loc[~there, number] = 0.0
    people = whole.groupby("table")["households_rounded"].transform(lambda values: values.notna().any())
    by = whole.groupby(["table", "key"], sort=True)
    found = by.agg(shown=("shown", "all"), **{number: (number, "sum") for number in _NUMBERS}).reset_index()
    of_people = found["table"].map(dict(zip(whole["table"], people, strict=True))).astype(bool)
    for number in _NUMBERS:
        hidden = ~found["shown"] | (~of_people if number == "households_rounded" else False)
        found[number] = found[number].round().astype("Int64").mask(hidden)
    found = found.assign(group=name, sum_of_displayed=True, _last=found["key"].eq(TOTAL))
    return found.sort_values(["table", "_last", "key"])[list(told.columns)]
