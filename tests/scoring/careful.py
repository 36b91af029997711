"""A careful reader of the true rows, who knows who is who as far as it can be known: the most that can be reached.

It follows docs/habits.md and nothing else, person by person, and shares no code with the library. What it gets wrong is
a fault of a habit's truth, or of a measure.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from trajectories.months import months_between
from trajectories.stays.observations import IN_PERSON
from trajectories.tables import METROPOLE, OUTSIDE_QUEBEC, REGION

from .evidence import DAY, READABLE, VISITS, departures, placed, printed_since, span
from .links import knowable, known_rows

FIRST = pd.Timestamp("1900-01-01")
KINDS = {METROPOLE: "return", OUTSIDE_QUEBEC: "out_of_quebec"}
_COLUMNS = {
    "spells": "person_id spell region zone start_earliest start_latest",
    "moves": "person_id kind earliest latest",
    "cohort": "person_id episode region lower upper entry excluded",
}


class Fact(NamedTuple):
    """That somebody settled or was in an area; or is gone from one of those of origin, for an area if it is told."""

    says: str
    area: str
    earliest: pd.Timestamp
    latest: pd.Timestamp
    origin: frozenset[str] = frozenset()


@dataclass
class Run:
    """Some time in one area: when it can have begun, until when the person was seen, when it can have ended."""

    area: str
    begun: tuple[pd.Timestamp, pd.Timestamp]
    seen: pd.Timestamp
    ended: tuple[pd.Timestamp, pd.Timestamp] | None = None

    @property
    def en_region(self) -> bool:
        return _en_region(self.area)


def _en_region(area: str | None) -> bool:
    return area not in (None, METROPOLE, OUTSIDE_QUEBEC)


def careful_reading(truth, records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The rows with their unit, and the tables spells, moves and cohort of those who read them with care."""
    rows = known_rows(truth, records)
    rows["unit"] = rows["identity"].map(knowable(truth))
    rows["person_id"] = rows["unit"].astype(str)
    seen = placed(rows, truth)
    told = {name: _by_person(table) for name, table in _tables(seen).items()}
    printed = printed_since(seen).groupby([seen["person_id"], seen["residence_code"]]).min().to_dict()
    found: dict[str, list] = {name: [] for name in _COLUMNS}
    for person in sorted(set(rows["person_id"])):
        mine = {name: table.get(person, []) for name, table in told.items()}
        _tell(person, _runs(_facts(mine, printed)), found)
    return rows, {name: pd.DataFrame(found[name], columns=columns.split()) for name, columns in _COLUMNS.items()}


def _tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Settlements, the addresses before them, contacts (services, « présent ») and departures, with their intervals."""
    settled = rows[rows["kind"].eq("establishment") & rows["date_form"].isin(READABLE)]
    settled = settled.assign(area=settled["target"].where(settled["destination_code"].ne(""), settled["typed"]),
                             **span(settled["event_date"], settled["date_form"]))  # fmt: skip
    before = settled[settled["target"].notna() & settled["typed"].notna() & settled["typed"].ne(settled["target"])]
    service = rows[rows["kind"].eq("service") & rows["date_form"].isin(READABLE) & rows["typed"].notna()]
    present = rows[rows["status"].eq("present") & rows["follow_up_form"].isin([*READABLE, "missing"])]
    gone = departures(rows)
    return {
        "settled": settled[settled["area"].notna() & ~settled["area"].isin([METROPOLE, OUTSIDE_QUEBEC])],
        "before": before,
        "contacts": pd.concat([
            service.assign(present=False, **span(service["event_date"], service["date_form"])),
            present.assign(present=True, **span(present["follow_up_date"], present["follow_up_form"])),
        ]),
        "gone": gone.assign(**span(gone["day"], gone["exit_form"].where(gone["exit_date"].notna(), "day"))),
    }  # fmt: skip


def _by_person(table: pd.DataFrame) -> dict[str, list]:
    texts = {c: table[c].astype(object).where(table[c].notna(), None) for c in ("typed", "target", "around")}
    people = defaultdict(list)
    for row in table.assign(**texts).sort_values(["latest", "earliest"]).itertuples():
        people[row.person_id].append(row)
    return people


def _facts(told: dict[str, list], printed: dict) -> list[Fact]:
    settled: list[Fact] = []
    for row in told["settled"]:
        same = [s for s in settled if s.area == row.area and s.earliest <= row.latest and row.earliest <= s.latest]
        settled = [s for s in settled if s not in same] + [
            Fact("settled", row.area, max([row.earliest, *(s.earliest for s in same)]),
                 min([row.latest, *(s.latest for s in same)]))
        ]  # fmt: skip
    # Whoever is seen there has settled.
    settled = [
        s._replace(latest=min([s.latest, *(c.latest for c in told["contacts"]
                                           if c.typed == s.area and c.latest >= s.earliest)]))
        for s in settled
    ]  # fmt: skip
    settled.sort(key=lambda fact: fact.latest)
    facts = [*settled, *(Fact("there", row.typed, FIRST, row.earliest - DAY) for row in told["before"])]
    for row in told["contacts"]:
        fact = _there(row, settled, told["gone"], printed)
        facts += [fact] if fact else []
    for row in told["gone"]:
        since = [s.earliest for s in settled if s.earliest <= row.latest]
        earliest = row.earliest if pd.notna(row.exit_date) else since[-1] if since else FIRST
        origin = {
            row.typed,
            row.around,
            *(s.area for s in settled if s.earliest <= row.latest and not _en_region(row.typed)),
        }
        facts.append(Fact("gone", row.target or "", earliest, row.latest, frozenset(origin)))
    return sorted(facts, key=lambda fact: (fact.latest, fact.earliest))


def _there(row, settled: list[Fact], gone: list, printed: dict) -> Fact | None:
    """What a service or a « présent » says: R2 to R4 of docs/habits.md."""
    last = next((s for s in reversed(settled) if s.latest < row.earliest), None)
    around = [s for s in settled if s.earliest <= row.latest and row.earliest <= s.latest]
    # Of what may have been in either order, presence elsewhere comes before a settlement, a departure after the stay.
    later = [s.earliest for s in around if s.area != row.typed]
    later += [g.earliest for g in gone if row.typed in (g.typed, g.around) and row.earliest <= g.latest]
    there = Fact("there", row.typed, row.earliest, min([row.latest, *(max(day, row.earliest) for day in later)]))
    if any(s.area == row.typed for s in around):
        return there._replace(latest=row.latest) if row.earliest >= around[-1].earliest else None
    if last is not None and last.area == row.typed:
        return there
    if around:
        new = row.typed is not None and printed[row.person_id, row.residence_code] >= around[0].earliest
        if row.present and row.earliest >= around[-1].latest:  # on the very day
            return there._replace(area=around[-1].area, latest=row.latest)
        return there if new else None
    if last is None:
        return there if row.typed is not None else None
    left = any(last.area in (g.typed, g.around) and last.earliest <= g.day <= row.latest for g in gone)
    repeated = row.typed is None or (printed[row.person_id, row.residence_code] <= last.latest and not left)
    if not repeated:
        return there
    if row.present:
        return None if left else there._replace(area=last.area)
    returned = row.by == METROPOLE and row.service in IN_PERSON and row.earliest - last.latest > VISITS
    return there if row.typed is not None and returned else None


def _runs(facts: list[Fact]) -> list[Run]:
    runs: list[Run] = []
    for fact in facts:
        last = runs[-1] if runs else None
        if fact.says == "gone":
            _end(runs, fact)
        elif last is not None and last.area == fact.area and (last.ended is None or fact.earliest <= last.ended[0]):
            last.seen = max(last.seen, fact.earliest)
        elif fact.says == "there" and len(runs) > 1 and runs[-2].area == fact.area and fact.earliest < last.begun[1]:
            continue  # of the orders that are possible the one with fewer moves
        else:
            low = FIRST if last is None else last.ended[0] if last.ended else last.seen
            low = fact.earliest if fact.says == "settled" else low
            if last is not None and last.ended is None:
                last.ended = (max(last.seen, low), fact.latest)
            runs.append(Run(fact.area, (low, fact.latest), fact.earliest))
    return runs


def _end(runs: list[Run], gone: Fact) -> None:
    """A departure ends the last stay that it can be of: one of that region, begun before it."""
    for i in reversed(range(len(runs))):
        run = runs[i]
        if run.area not in gone.origin or not run.en_region or run.begun[0] > gone.latest:
            continue
        low, high = run.ended or (run.seen, gone.latest)
        low = max(low, gone.earliest)
        run.ended = (low, max(min(high, gone.latest), low))
        if i + 1 < len(runs):
            runs[i + 1].begun = (max(runs[i + 1].begun[0], low), max(runs[i + 1].begun[1], low))
        elif gone.area and gone.area != run.area:
            runs.append(Run(gone.area, run.ended, run.ended[1]))
        return


def _tell(person: str, runs: list[Run], found: dict[str, list]) -> None:
    for k, run in enumerate(runs):
        zone = REGION if run.en_region else run.area
        found["spells"].append((person, k + 1, run.area if run.en_region else None, zone, *run.begun))
        before = runs[k - 1].area if k else run.area
        if before != run.area:
            known = {OUTSIDE_QUEBEC: "arrival", METROPOLE: "secondary"}.get(before, "onward")
            found["moves"].append((person, KINDS.get(run.area, known), *run.begun))
    first = next((run for run in runs if run.en_region), None)
    if first is not None:
        low, high = first.begun
        lower = _months(high, first.ended[0] if first.ended else first.seen)
        upper = max(_months(low, first.ended[1]), lower) if first.ended else np.inf
        found["cohort"].append((person, 1, first.area, lower, upper, 0.0, None))


def _months(start: pd.Timestamp, end: pd.Timestamp) -> float:
    return float(months_between(np.array([start], "M8[D]"), np.array([end], "M8[D]"))[0]) if end > start else 0.0
