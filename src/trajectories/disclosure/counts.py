"""Rules of counts: persons and households by key, shares of a check, the stock month by month."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .rules import SHARE_STEPS, SMALLEST_DENOMINATOR, class_ends, rounded, rounding_interval, whole_counts

# ----------------------------------------------------------------------------------------------------
# How far a hidden cell can be from the truth, given what is shown: a maximum flow on a network.
#
# Groups are rows, keys are columns, the province is their sum. Every number has a room to move, down and up, that a
# reader cannot see: a rounded cell moves inside its rounding interval, a hidden one from its floor without ceiling, a
# known total not at all. A cell can take another value if the change can travel back to it through the others, and
# keep all sums: a maximum flow in the residual network (Cox 1995, « Network models for complementary cell
# suppression », JASA 90). Exact: a linear programme over the same table finds the same bounds (tests).

UNLIMITED = 10**9
HUB = "hub"  # where the province's cells end and the groups' totals begin

Arc = tuple[object, object, int, int]  # from, to, room down, room up


def reach(arcs: Iterable[Arc], start: object, end: object, limits: tuple[int, int]) -> tuple[int, int]:
    """
    How far the arc start → end can go down and up, at most by `limits` (down, up), all sums kept.

    Examples
    --------
    >>> row = [("05", "a", 2, 2), ("05", "b", 1, UNLIMITED), ("a", HUB, 9, 9), ("b", HUB, 9, 9)]
    >>> reach(row, "05", "b", (8, 8))  # only "a" can give back what "b" takes
    (1, 2)
    """
    arcs = list(arcs)
    own_down, own_up = next((down, up) for tail, head, down, up in arcs if (tail, head) == (start, end))
    up = _max_flow(arcs, end, start, min(limits[1], own_up), (start, end))
    down = _max_flow(arcs, start, end, min(limits[0], own_down), (start, end))
    return down, up


def _max_flow(arcs: list[Arc], source: object, sink: object, limit: int, without: tuple[object, object]) -> int:
    room: dict[object, dict[object, int]] = {}
    for tail, head, down, up in arcs:
        if (tail, head) != without:
            room.setdefault(tail, {})[head] = up
            room.setdefault(head, {})[tail] = down
    done = 0
    while done < limit:
        before: dict[object, object] = {source: None}
        queue = deque([source])
        while queue and sink not in before:
            node = queue.popleft()
            for following, capacity in room.get(node, {}).items():
                if capacity > 0 and following not in before:
                    before[following] = node
                    queue.append(following)
        if sink not in before:
            break
        path = [sink]
        while before[path[-1]] is not None:
            path.append(before[path[-1]])
        path_arcs = list(zip(path[1:], path[:-1], strict=True))
        amount = min(limit - done, *(room[a][b] for a, b in path_arcs))
        for a, b in path_arcs:
            room[a][b] -= amount
            room[b][a] = room[b].get(a, 0) + amount
        done += amount
    return done


# ----------------------------------------------------------------------------------------------------
# Counts: which cells are shown, rounded after that, and what stands beside a hidden one.
#
# 1. A cell is shown if it is 0, or if it holds enough persons and enough households.
# 2. A table with a hidden cell shows no total; else the total is the sum of the cells displayed.
# 3. *The reader is supposed to know the exact number of people of each group.* Several tables share it (origins,
#    destinations, categories …), rates and curves publish it rounded; so no table may count on its being unknown. A
#    hidden cell then has to have room of its own, from 1 to threshold − 1, in persons and in households: the room that
#    rounding leaves in the other cells of its group, and in its key across the groups that add up to the province
#   . Where it has not: the smallest displayed cell of its group goes too (when its own group gives it away),
#    or the province's cell of its key (when the province does), then the province's next smallest.
# 4. A group under the threshold (its whole table is one small number) shows nothing in that table, zeros neither.
#    For it alone the number of people is supposed unknown, the other regions' known to the rounding base.
# 5. Tables of rows of data (no households) know the threshold and the rounding only.
#
# What a reader can still learn: that a hidden cell is not 0 (unless its whole row is hidden), hence that a hidden sum
# of several is at least their number; the size of a second hidden cell, within the room of rule 3. What is not looked
# at: tables that part different people, overlapping groups (refused), a household whose members stand in two keys
# (counted in both: sums of households are then over-estimates), figures of earlier runs (the ledger, to come).

TOTAL = "total"


def protect_counts(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """The table of counts as it may be shown; rows by group, table and key (their order tells nothing), total last."""
    _refuse_what_cannot_be_protected(frame)
    cells = frame[["group", "table", "key"]].reset_index(drop=True)
    cells["persons"] = whole_counts(frame, "persons")
    of_people = frame["households"].notna().groupby(frame["table"]).transform("any").to_numpy()
    cells["households"] = 0
    cells.loc[of_people, "households"] = whole_counts(frame[of_people], "households")
    done = [
        _protect_table(part.reset_index(drop=True), rules, people=bool(of_people[part.index[0]]))
        for _, part in cells.groupby("table", sort=True)
    ]
    columns = ["group", "table", "key", "persons_rounded", "households_rounded", "shown", "sum_of_displayed"]
    empty = pd.DataFrame(columns=columns).astype({"shown": bool, "sum_of_displayed": bool})
    shown = pd.concat(done, ignore_index=True) if done else empty
    shown["_last"] = shown["key"] == TOTAL
    shown = shown.sort_values(["group", "table", "_last", "key"], ignore_index=True)
    return shown[columns].astype({"persons_rounded": "Int64", "households_rounded": "Int64"})


def _refuse_what_cannot_be_protected(frame: pd.DataFrame) -> None:
    if frame[["group", "table", "key"]].isna().to_numpy().any():
        raise DisclosureError("A table of counts has a row without group, table or key: its sums cannot be known.")
    strange = sorted({str(group) for group in frame["group"]} - {PROVINCE, *REGION_CODES})
    if strange:
        raise DisclosureError(
            f"Counts of the group(s) {', '.join(strange)} cannot be protected: groups are region codes (01–17) and "
            f"{PROVINCE!r}, since it must be known which of them add up."
        )
    twice = frame.duplicated(["group", "table", "key"])
    if twice.any():
        raise DisclosureError(f"{int(twice.sum())} cell(s) of counts are given twice (same group, table and key).")


def _protect_table(cells: pd.DataFrame, rules: Disclosure, *, people: bool) -> pd.DataFrame:
    n_keys = cells.groupby("group")["key"].transform("size")
    is_margin = ((cells["key"] == TOTAL) & (n_keys > 1)).to_numpy()  # a total alone is a cell like another
    sums = cells[~is_margin].groupby("group")["persons"].sum()
    wrong = cells.loc[is_margin & (cells["persons"] != cells["group"].map(sums)), "group"]
    if len(wrong):
        raise DisclosureError(
            f"Table {cells['table'].iloc[0]}, group {', '.join(wrong)}: the total is not the sum of the keys; "
            "keys must part a population, or hidden ones cannot be protected."
        )
    table = _Cells(cells[~is_margin], rules, people=people)
    if people:
        table.hide_small_groups()
        table.hide_until_protected()
    cells["shown"] = False
    cells.loc[~is_margin, "shown"] = table.shown
    all_shown = cells[~is_margin].groupby("group")["shown"].all()
    cells.loc[is_margin, "shown"] = cells.loc[is_margin, "group"].map(all_shown).astype(bool)
    cells["sum_of_displayed"] = is_margin
    for measure in ("persons", "households"):
        values = pd.Series(rounded(cells[measure], rules.round), index=cells.index)
        totals = values[~is_margin].groupby(cells.loc[~is_margin, "group"]).sum()
        values[is_margin] = cells.loc[is_margin, "group"].map(totals)
        hidden = ~cells["shown"] | (not people and measure == "households")
        cells[f"{measure}_rounded"] = values.astype("Int64").mask(hidden)
    return cells


class _Cells:
    """The cells of one table, what is shown of them, and the network of what a reader can suppose."""

    def __init__(self, cells: pd.DataFrame, rules: Disclosure, *, people: bool):
        self.rules = rules
        self.group = cells["group"].tolist()
        self.key = cells["key"].tolist()
        self.values = {name: cells[name].to_numpy() for name in ("persons", "households")}
        self.least = {"persons": rules.threshold, "households": rules.households}
        persons, households = self.values["persons"], self.values["households"]
        few = (persons < rules.threshold) | ((households < rules.households) & people)
        self.primary = (persons > 0) & few
        self.shown = ~self.primary
        self.position = {pair: i for i, pair in enumerate(zip(self.group, self.key, strict=True))}
        self.keys = sorted(set(self.key))
        self.rows = {group: [i for i, g in enumerate(self.group) if g == group] for group in sorted(set(self.group))}
        self.totals = {
            name: {group: int(values[rows].sum()) for group, rows in self.rows.items()}
            for name, values in self.values.items()
        }
        enough = {g for g in self.rows if all(self.totals[name][g] >= self.least[name] for name in self.least)}
        self.small = {group for group in self.rows if self.totals["persons"][group] > 0 and group not in enough}
        self.displayed_room = {name: self._displayed_room(name) for name in self.values}

    def _displayed_room(self, name: str) -> list[tuple[int, int]]:
        """How far below and above the truth a reader can suppose each number, once it is displayed."""
        values, base = self.values[name], self.rules.round
        low, high = rounding_interval(rounded(values, base), base, self.least[name])
        return list(zip((values - low).tolist(), (high - values).tolist(), strict=True))

    def hide_small_groups(self) -> None:
        for group in self.small:
            self.shown[self.rows[group]] = False

    def hide_until_protected(self) -> None:
        hidden_total = {PROVINCE} & self.small  # a province under the threshold is nowhere a sum that is told
        waiting = [i for i in range(len(self.group)) if self.primary[i] and self.group[i] not in hidden_total]
        # Hiding more only gives more room: a cell once protected stays so.
        while waiting:
            if self._is_protected(waiting[0], province_shown=not hidden_total):
                waiting.pop(0)
            elif not self._hide_one_more(waiting[0]):
                self.shown[:] = False  # nothing left to hide there: the table is not shown at all
                return

    def _is_protected(self, i: int, *, province_shown: bool = True) -> bool:
        return all(self._has_room(i, name, province_shown=province_shown) for name in self.values)

    def _has_room(self, i: int, name: str, *, province_shown: bool) -> bool:
        value = int(self.values[name][i])
        arcs = self._network(name, self.group[i], province_shown=province_shown)
        if self.group[i] == PROVINCE:
            start, end = self.key[i], HUB
            floor = max(1, self._floor_of_parts(name, self.key[i]))
        elif len(self.rows[self.group[i]]) == 1 and not self._has_province():
            return True  # one number, and nothing it is a part of
        else:
            start, end, floor = ("group", self.group[i]), self.key[i], 1
        need = max(value - floor, 0), max(self.least[name] - 1 - value, 0)
        return reach(arcs, start, end, need) == need

    def _has_province(self) -> bool:
        return PROVINCE in self.rows

    def _floor_of_parts(self, name: str, key: str) -> int:
        parts = [i for i, (g, k) in enumerate(zip(self.group, self.key, strict=True)) if k == key and g != PROVINCE]
        return sum(int(self.values[name][i]) - self._room(name, i)[0] for i in parts)

    def _room(self, name: str, i: int) -> tuple[int, int]:
        """How far below and above the truth a reader can suppose this number."""
        if self.shown[i]:
            return self.displayed_room[name][i]
        value, row = int(self.values[name][i]), self.rows[self.group[i]]
        zeros_too = len(row) > 1 and not self.shown[row].any()
        return (value if zeros_too else value - min(value, 1)), UNLIMITED

    def _network(self, name: str, target: str, *, province_shown: bool) -> list[Arc]:
        arcs: list[Arc] = []
        for i, (group, key) in enumerate(zip(self.group, self.key, strict=True)):
            if group != PROVINCE:
                arcs.append((("group", group), key, *self._room(name, i)))
        for key in self.keys:
            at = self.position.get((PROVINCE, key))
            room = self._room(name, at) if at is not None and province_shown else (UNLIMITED, UNLIMITED)
            arcs.append((key, HUB, *room))
        arcs.extend((HUB, ("group", g), *self._room_of_total(name, g, target)) for g in self.rows if g != PROVINCE)
        return arcs

    def _room_of_total(self, name: str, group: str, target: str) -> tuple[int, int]:
        total, least = self.totals[name][group], self.least[name]
        if group in self.small:
            # its own number is the secret; other small groups stay put, so that all tables can agree on one answer
            return (max(total - 1, 0), max(least - 1 - total, 0)) if group == target else (0, 0)
        if target in self.small and total >= least:
            low, high = rounding_interval(rounded([total], self.rules.round), self.rules.round, least)
            return total - int(low[0]), int(high[0]) - total
        return 0, 0

    def _hide_one_more(self, i: int) -> bool:
        group = self.group[i]
        row_alone = group == PROVINCE or not self._has_province() or not self._is_protected(i, province_shown=False)
        if row_alone:
            return self._hide_smallest(group)
        at = self.position.get((PROVINCE, self.key[i]))
        if at is not None and self.shown[at]:
            self.shown[at] = False
            return True
        return self._hide_smallest(PROVINCE)

    def _hide_smallest(self, group: str) -> bool:
        """The smallest displayed number of a group; when only zeros are left, all of them."""
        displayed = [i for i in self.rows[group] if self.shown[i]]
        positive = [i for i in displayed if self.values["persons"][i] > 0]
        if positive:
            self.shown[min(positive, key=lambda i: (self.values["persons"][i], self.key[i]))] = False
        else:
            self.shown[displayed] = False
        return bool(displayed)


# ----------------------------------------------------------------------------------------------------
# The share of departures that nobody ever heard of: a model's share, told in steps of five points.
#
# With the rate and the number at the start, which are told elsewhere, this share gives nearly the number of departures
# that are known. So it rests on as many known departures as a rate rests on persons (`rate_denominator`), and its
# steps are wider than those of a rate. Nothing else of the table of checks leaves.

NEVER_HEARD = "share_never_heard"
# Counts of departures that became known, by cause and period.
_KNOWN = ("exits_found_by_contact", "exits_heard")


def protect_shares(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """One row a group: measure, estimate (0–1, in steps of five points), shown."""
    values = frame.assign(value=frame["value"].astype(float))
    share = values[values["check"].eq(NEVER_HEARD)].groupby("group")["value"].first()
    known = values[values["check"].isin(_KNOWN)].groupby("group")["value"].sum().reindex(share.index)
    shown = share.notna() & (known >= max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR))
    estimate = ((share * SHARE_STEPS).round() / SHARE_STEPS).where(shown)
    return pd.DataFrame(
        {
            "group": share.index,
            "measure": NEVER_HEARD,
            "estimate": estimate.to_numpy(),
            "shown": shown.to_numpy(dtype=bool),
        }
    )


# ----------------------------------------------------------------------------------------------------
# The stock: how many persons lived in a region in each month, between what is certain and what is possible.
#
# A series of counts by month would tell, by its steps, who came and who left in one month; and the distance between
# the certain and the possible, how few are uncertain. So both ends are told as ends of classes of `threshold` persons,
# outwards: the certain number as the lower end of its class, the possible one as the upper end of its. Between them
# lie always at least `threshold` persons, and a step is told only as the passage of a class.
#
# 1. *Ground.* A month is told where the certain number is nobody, or enough persons of enough households; else all
# that is said is « at most » the upper end of the possible number's class. 2. *Regions and province.* Of two numbers
# told by classes of the same width, the difference is open to all of 1 … threshold − 1 whenever it is that small: no
# small region is found by subtraction. 3. *No other groups.* Groups of regions that a study names may overlap. With A
# + B, B + C and A + C told, B is half of a sum of three of them: the width of its interval is halved too, and some of
# 1 … threshold − 1 is ruled out. So a stock is told of the regions and the province only.
#
# Who is here at a time is among those who settled until then: what the page tells of those, by year and by
# destination, is looked at together with the stock in beside_counts.py.


def protect_stock(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group and month: at_least_rounded, at_most_rounded (persons), shown."""
    if frame.duplicated(["group", "month"]).any():
        raise DisclosureError("A stock is given twice (same group and month).")
    strange = sorted({str(group) for group in frame["group"]} - {PROVINCE, *REGION_CODES})
    if strange:
        raise DisclosureError(
            f"A stock of the group(s) {', '.join(strange)} cannot be protected: groups may overlap. Give the regions "
            f"and {PROVINCE!r} only."
        )
    raw = frame.sort_values(["group", "month"], ignore_index=True)
    certain, possible = whole_counts(raw, "persons_lower"), whole_counts(raw, "persons_upper")
    households = whole_counts(raw, "households_lower")
    if (certain > possible).any():
        raise DisclosureError("A stock has a certain number above the possible one.")
    enough = (certain >= rules.threshold) & (households >= rules.households)
    least = class_ends(certain, rules.threshold)[0]
    most = class_ends(possible, rules.threshold)[1]
    out = raw[["group", "month"]].copy()
    out["at_least_rounded"] = pd.array(np.where(enough, np.maximum(least - 1, 0), 0), dtype="Int64")  # 31–40: « 30 »
    out["at_most_rounded"] = pd.array(np.maximum(most, rules.threshold), dtype="Int64")
    return out.assign(shown=True)
