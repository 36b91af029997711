"""Counts: which cells are shown, rounded after that, and what stands beside a hidden one.

1. A cell is shown if it is 0, or if it holds enough persons and enough households.
2. A table with a hidden cell shows no total; else the total is the sum of the cells displayed.
3. *The reader is supposed to know the exact number of people of each group.* Several tables share it (origins,
   destinations, categories …), rates and curves publish it rounded; so no table may count on its being unknown. A
   hidden cell then has to have room of its own, from 1 to threshold − 1, in persons and in households: the room that
   rounding leaves in the other cells of its group, and in its key across the groups that add up to the province
   (flow.py). Where it has not: the smallest displayed cell of its group goes too (when its own group gives it away),
   or the province's cell of its key (when the province does), then the province's next smallest.
4. A group under the threshold (its whole table is one small number) shows nothing in that table, zeros neither.
   For it alone the number of people is supposed unknown, the other regions' known to the rounding base.
5. Tables of rows of data (no households) know the threshold and the rounding only.

What a reader can still learn: that a hidden cell is not 0 (unless its whole row is hidden), hence that a hidden sum of
several is at least their number; the size of a second hidden cell, within the room of rule 3. What is not looked at:
tables that part different people, overlapping groups (refused), a household whose members stand in two keys (counted
in both: sums of households are then over-estimates), figures of earlier runs (the ledger, to come).
"""

from __future__ import annotations

import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .flow import HUB, UNLIMITED, Arc, reach
from .rules import rounded, rounding_interval, whole_counts

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
    whole = cells[~is_margin].groupby("group")["shown"].all()
    cells.loc[is_margin, "shown"] = cells.loc[is_margin, "group"].map(whole).astype(bool)
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
        self.room_told = {name: self._room_told(name) for name in self.values}

    def _room_told(self, name: str) -> list[tuple[int, int]]:
        """How far below and above the truth a reader can suppose each number, once it is displayed."""
        values, base = self.values[name], self.rules.round
        low, high = rounding_interval(rounded(values, base), base, self.least[name])
        return list(zip((values - low).tolist(), (high - values).tolist(), strict=True))

    def hide_small_groups(self) -> None:
        for group in self.small:
            self.shown[self.rows[group]] = False

    def hide_until_protected(self) -> None:
        untold = {PROVINCE} & self.small  # a province under the threshold is nowhere a sum that is told
        waiting = [i for i in range(len(self.group)) if self.primary[i] and self.group[i] not in untold]
        # Hiding more only gives more room: a cell once protected stays so.
        while waiting:
            if self._is_protected(waiting[0], province_told=not untold):
                waiting.pop(0)
            elif not self._hide_one_more(waiting[0]):
                self.shown[:] = False  # nothing left to hide there: the table is not shown at all
                return

    def _is_protected(self, i: int, *, province_told: bool = True) -> bool:
        return all(self._has_room(i, name, province_told=province_told) for name in self.values)

    def _has_room(self, i: int, name: str, *, province_told: bool) -> bool:
        value = int(self.values[name][i])
        arcs = self._network(name, self.group[i], province_told=province_told)
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
            return self.room_told[name][i]
        value, row = int(self.values[name][i]), self.rows[self.group[i]]
        zeros_too = len(row) > 1 and not self.shown[row].any()
        return (value if zeros_too else value - min(value, 1)), UNLIMITED

    def _network(self, name: str, target: str, *, province_told: bool) -> list[Arc]:
        arcs: list[Arc] = []
        for i, (group, key) in enumerate(zip(self.group, self.key, strict=True)):
            if group != PROVINCE:
                arcs.append((("group", group), key, *self._room(name, i)))
        for key in self.keys:
            at = self.position.get((PROVINCE, key))
            told = at is not None and province_told
            arcs.append((key, HUB, *(self._room(name, at) if told else (UNLIMITED, UNLIMITED))))
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
        row_alone = group == PROVINCE or not self._has_province() or not self._is_protected(i, province_told=False)
        if row_alone:
            return self._hide_smallest(group)
        at = self.position.get((PROVINCE, self.key[i]))
        if at is not None and self.shown[at]:
            self.shown[at] = False
            return True
        return self._hide_smallest(PROVINCE)

    def _hide_smallest(self, group: str) -> bool:
        """The smallest displayed number of a group; when only zeros are left, all of them."""
        left = [i for i in self.rows[group] if self.shown[i]]
        positive = [i for i in left if self.values["persons"][i] > 0]
        if positive:
            self.shown[min(positive, key=lambda i: (self.values["persons"][i], self.key[i]))] = False
        else:
            self.shown[left] = False
        return bool(left)
