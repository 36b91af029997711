"""From drafts to deposits: quarters, annual workbooks, re-sent and copied files; and the fate of every row.

The fate is the first that fits of superseded, quarantined, duplicate, accepted (deposit-schema.md).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .chance import LAYOUT, between, generator
from .clock import date_of, fiscal, quarter_end, quarter_of
from .defects import Mishaps, active, active_rate
from .drafts import Draft
from .events import Event
from .geography import Geography
from .habits import Habit
from .organisations import Organisation
from .settings import Settings
from .sheets import Line, Sheet, lay_out
from .truth import dates
from .writing import text_bytes, workbook_bytes


@dataclass
class Deposit:
    """One file and the sheets in it."""

    path: str
    habit: Habit
    sheets: list[Sheet]
    notes: bool = False
    superseded_by: str = ""
    copy_of: str = ""

    def content(self) -> bytes:
        """The file's bytes."""
        if self.habit.format == "xlsx":
            return workbook_bytes(self.sheets, self.habit, self.notes)
        return text_bytes(self.sheets[0])


@dataclass
class Ledger:
    """The truth of the rows, column by column."""

    columns: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in ROW_COLUMNS})

    def add(self, *values: object) -> None:
        """One row."""
        for name, value in zip(ROW_COLUMNS, values, strict=True):
            self.columns[name].append(value)

    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        table = pd.DataFrame({k: v for k, v in self.columns.items() if k not in ("event_date", "exit_date")})
        for name in ("true_person", "true_household"):
            table[name] = table[name].astype("Int64")
        for name in ("event_date", "exit_date"):
            table[name] = dates(self.columns[name])  # type: ignore[arg-type]
        return table[list(ROW_COLUMNS)]


ROW_COLUMNS = (
    "file", "sheet", "row", "organisation_id", "true_person", "true_household", "kind", "fate", "event_date",
    "exit_date", "residence_code", "destination_code", "residence_form", "destination_form", "quarantine_reason",
    "superseded_by", "note", "service", "status",
)  # fmt: skip


def deposit(
    settings: Settings, place: Geography, organisation: Organisation, habit: Habit, drafts: list[Draft],
    quarters: range, counts: Counter[tuple[str, str]],
) -> list[Deposit]:  # fmt: skip
    """All the files of one organisation, in the order it hands them in."""
    rng = generator(settings.seed, LAYOUT, organisation.index)
    by_quarter: dict[int, list[Draft]] = {}
    for item in drafts:
        by_quarter.setdefault(item.quarter, []).append(item)
    last = min(quarters[-1], quarter_of(organisation.closed) if organisation.closed is not None else quarters[-1])
    open_in = [q for q in quarters if quarter_of(organisation.opened) <= q <= last]
    sheets = {
        q: lay_out(organisation, habit, q, by_quarter.get(q, []), f"T{fiscal(q)[1]}" if habit.annual else "Feuil1")
        for q in open_in
    }
    earlier: dict[int, Sheet] = {}
    if not habit.annual:
        for q in open_in:
            u, keep = rng.random(), rng.random(len(by_quarter.get(q, [])))
            if u < active_rate("resent", settings) and len(keep):
                # The first version lacks a tenth of the rows, and the codes were not filled in yet.
                kept = [d for d, v in zip(by_quarter[q], keep.tolist(), strict=True) if v < 0.9]
                earlier[q] = lay_out(organisation, habit, q, kept, "Feuil1")
                _without_codes(earlier[q])
                counts["resent", "file"] += 1
    Mishaps(settings, place, counts).to_sheets([*sheets.values(), *earlier.values()])
    made: list[Deposit] = []
    if habit.annual:
        for year in sorted({fiscal(q)[0] for q in open_in}):
            mine = [sheets[q] for q in open_in if fiscal(q)[0] == year]
            on = date_of(quarter_end(mine[-1].quarter) + between(rng, 5, 30))
            made.append(Deposit(f"{year}/{organisation.code}_{year}_annuel_{on}.xlsx", habit, mine))
    else:
        for q in open_in:
            made += _quarterly(settings, organisation, habit, q, sheets[q], earlier.get(q), rng, counts)
    for item in made:
        u = rng.random()
        item.notes = habit.format == "xlsx" and u < active_rate("notes_sheet", settings)
        counts["notes_sheet", "file"] += item.notes
    return made


def _without_codes(sheet: Sheet) -> None:
    names = [i for i, c in enumerate(sheet.habit.columns) if c in ("code_municipal", "remarques", "besoins")]
    for line in sheet.rows():
        for i in names:
            line.cells[i] = ""


def _quarterly(settings, organisation, habit, q, sheet, earlier, rng, counts) -> list[Deposit]:  # type: ignore[no-untyped-def]
    year, n = fiscal(q)
    on = quarter_end(q) + between(rng, 5, 30)
    resent_on, u, v = on + between(rng, 12, 60), rng.random(), rng.random()
    suffix = "csv" if habit.format == "csv" else "xlsx"
    if settings.level == 2 and habit.separator in ("\t", "|") and suffix == "csv":
        suffix = "tsv" if habit.separator == "\t" else "txt"
    stem = f"{year}/{organisation.code}_{year}_T{n}"
    name = f"{stem}_{date_of(on)}.{suffix}"
    if earlier is not None:
        again = f"{stem}_{date_of(resent_on)}.{suffix}"
        return [Deposit(name, habit, [earlier], superseded_by=again), Deposit(again, habit, [sheet])]
    if u < active_rate("undated_name", settings):
        counts["undated_name", "file"] += 1
        name = f"{stem}.{suffix}"
    made = [Deposit(name, habit, [sheet])]
    if v < active_rate("copied_file", settings):
        counts["copied_file", "file"] += 1
        made.append(Deposit(f"zz_copies/{Path(name).name}", habit, [sheet], copy_of=name))
    return made


def write_all(
    settings: Settings, folder: Path, deposits: list[Deposit], ledger: Ledger, counts: Counter[tuple[str, str]]
) -> None:
    """Write the files, and their rows into the ledger."""
    for item in deposits:
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.content())
        for sheet in item.sheets:
            _record(ledger, item, sheet)
    if active("unreadable_file", settings):
        (folder / "rapport_final.xlsx").write_bytes(bytes(range(256)) * 8)
        (folder / "vide.csv").write_bytes(b"")
        counts["unreadable_file", "file"] += 2


def _record(ledger: Ledger, item: Deposit, sheet: Sheet) -> None:
    seen: set[tuple[str, ...]] = set()
    skipped = {i for i, c in enumerate(sheet.habit.columns) if c in ("code_organisme", "nom_organisme")}
    name = sheet.name if item.habit.format == "xlsx" else ""
    for number, line in enumerate(sheet.lines, 1):
        if line.kind in ("header", "title", "blank"):
            continue
        reason = {"total": "total_row", "ragged": "ragged"}.get(line.kind, line.draft.quarantine if line.draft else "")
        # Filled down, the organisation's cells are the same on all rows: they can't tell two rows apart.
        key = tuple(str(c) for i, c in enumerate(line.cells) if i not in skipped)
        fate = "superseded" if item.superseded_by else "quarantined" if reason else (
            "duplicate" if key in seen or item.copy_of else "accepted"
        )  # fmt: skip
        seen.add(key)
        _add(ledger, item, sheet, name, number, line, fate, reason)


def _add(
    ledger: Ledger, item: Deposit, sheet: Sheet, name: str, number: int, line: Line, fate: str, reason: str
) -> None:
    made, event = line.draft, line.draft.event if line.draft else None
    if made is None or event is None:
        nobody = (None, None, "total", fate, None, None, "", "", "", "")
        ledger.add(item.path, name, number, sheet.organisation.code, *nobody, reason, item.superseded_by, "", "", "")
        return
    target = event.destination or event.exit_destination
    ledger.add(
        item.path, name, number, sheet.organisation.code, event.person, event.household, event.kind, fate,
        _date(event), event.exit_date, event.residence, target if target.isdigit() else "", made.residence_form,
        made.destination_form, reason, item.superseded_by, made.note, event.service, event.status,
    )  # fmt: skip


def _date(event: Event) -> int | None:
    """The date the row is about."""
    return {
        "establishment": event.establishment_date, "follow_up": event.follow_up_date, "departure": event.exit_date,
    }.get(event.kind, event.service_date)  # fmt: skip
