"""From drafts to deposits: sheets, what goes wrong in their layout, files and their bytes, the fate of every row.

A sheet is one quarter of one organisation, line by line as a spreadsheet shows it. A deposit is text in an encoding,
or a workbook with a fixed date: one seed, the same bytes. Quarters, annual workbooks, re-sent and copied files. The
fate is the first that fits of superseded, quarantined, duplicate, accepted (deposit-schema.md).

A layout defect changes the lines and says whether it did; its line is in `defects.DEFECTS`.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xlsxwriter

from .drafts import Draft, header
from .organisations import Event, Habit, Organisation
from .settings import LAYOUT, Settings, as_dates, between, date_of, fiscal, generator, pick, quarter_end, quarter_of

if TYPE_CHECKING:
    from .defects import Mishaps

ROW_COLUMNS = (
    "file", "sheet", "row", "organisation_id", "true_person", "true_household", "kind", "fate", "event_date",
    "exit_date", "residence_code", "destination_code", "residence_form", "destination_form", "quarantine_reason",
    "superseded_by", "note", "service", "status",
)  # fmt: skip
_CREATED = dt.datetime(2018, 4, 1)  # a workbook's own date: any fixed one


@dataclass
class Line:
    """One line: cells, and what it is (row, header, title, blank, total, quarantined reason)."""

    cells: list[object]
    draft: Draft | None = None
    kind: str = "row"  # row, header, title, blank, total
    copied: bool = False


@dataclass
class Sheet:
    """One quarter of one organisation."""

    organisation: Organisation
    habit: Habit
    quarter: int
    name: str  # the sheet's name in a workbook
    lines: list[Line] = field(default_factory=list)

    @property
    def head(self) -> int:
        """Where the header is."""
        return next(i for i, line in enumerate(self.lines) if line.kind == "header")

    def rows(self) -> list[Line]:
        """The lines that are rows."""
        return [line for line in self.lines if line.kind == "row"]


def lay_out(organisation: Organisation, habit: Habit, quarter: int, drafts: list[Draft], name: str) -> Sheet:
    """The header and the rows, in the organisation's columns."""
    sheet = Sheet(organisation, habit, quarter, name, [Line([header(c, habit) for c in habit.columns], kind="header")])
    sheet.lines += [Line([d.cells.get(c, "") for c in habit.columns], d) for d in drafts]
    return sheet


def row_repeated(sheet: Sheet, rng: np.random.Generator) -> bool:
    """A row typed twice: an exact duplicate."""
    spots = [i for i, line in enumerate(sheet.lines) if line.kind == "row" and line.draft and not line.draft.quarantine]
    if not spots:
        return False
    i = pick(rng, spots)
    line = sheet.lines[i]
    sheet.lines.insert(between(rng, i + 1, len(sheet.lines)), Line(list(line.cells), line.draft, "row", copied=True))
    return True


def title_rows(sheet: Sheet, rng: np.random.Generator) -> bool:
    """A title and a blank line above the header."""
    if not sheet.habit.title:
        return False
    year, n = fiscal(sheet.quarter)
    width = len(sheet.habit.columns)
    title = Line(
        [f"Reddition de comptes {year}, trimestre {n} – {sheet.organisation.name}", *[""] * (width - 1)], kind="title"
    )
    sheet.lines[:0] = [title, Line([""] * width, kind="blank")]
    return True


def total_row(sheet: Sheet, rng: np.random.Generator) -> bool:
    """A total at the bottom."""
    if not sheet.habit.total:
        return False
    count = len(sheet.rows())
    sheet.lines.append(Line(["Total", count, *[""] * (len(sheet.habit.columns) - 2)], kind="total"))
    return True


def organisation_on_first_row_only(sheet: Sheet, rng: np.random.Generator) -> bool:
    """The organisation is named on the first row of the block, and understood below."""
    if not sheet.habit.first_row_only:
        return False
    spots = [i for i, name in enumerate(sheet.habit.columns) if name in ("code_organisme", "nom_organisme")]
    rows = sheet.rows()
    for line in rows[1:]:
        for i in spots:
            line.cells[i] = ""
    return bool(spots) and len(rows) > 1


def ragged(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Cells shifted beyond repair: more cells than columns, an unquoted separator in several of them."""
    rows = [line for line in sheet.rows() if line.draft and not line.draft.quarantine and not line.copied]
    if sheet.habit.format != "csv" or not rows:
        return False
    line = pick(rng, rows)
    middle = len(line.cells) // 2
    line.cells = [*line.cells[:middle], "x", "x", "x", *line.cells[middle:]]
    line.kind = "ragged"
    return True


def blank_rows(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Empty lines among the rows."""
    for _ in range(between(rng, 1, 3)):
        sheet.lines.insert(
            between(rng, sheet.head + 1, len(sheet.lines)), Line([""] * len(sheet.habit.columns), kind="blank")
        )
    return True


def trailing_empty_columns(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Columns without a name or a value at the right."""
    for line in sheet.lines:
        line.cells = [*line.cells, "", "", ""]
    return True


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


def deposit(
    settings: Settings, organisation: Organisation, habit: Habit, drafts: list[Draft], quarters: range, mishaps: Mishaps
) -> list[Deposit]:
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
            if u < mishaps.rate("resent") and len(keep):
                # The first version lacks a tenth of the rows, and the codes were not filled in yet.
                kept = [d for d, v in zip(by_quarter[q], keep.tolist(), strict=True) if v < 0.9]
                earlier[q] = lay_out(organisation, habit, q, kept, "Feuil1")
                _without_codes(earlier[q])
                mishaps.counts["resent", "file"] += 1
    mishaps.to_sheets([*sheets.values(), *earlier.values()])
    made: list[Deposit] = []
    if habit.annual:
        for year in sorted({fiscal(q)[0] for q in open_in}):
            mine = [sheets[q] for q in open_in if fiscal(q)[0] == year]
            on = date_of(quarter_end(mine[-1].quarter) + between(rng, 5, 30))
            made.append(Deposit(f"{year}/{organisation.code}_{year}_annuel_{on}.xlsx", habit, mine))
    else:
        for q in open_in:
            made += _quarterly(settings, organisation, habit, q, sheets[q], earlier.get(q), rng, mishaps)
    for item in made:
        u = rng.random()
        item.notes = habit.format == "xlsx" and u < mishaps.rate("notes_sheet")
        mishaps.counts["notes_sheet", "file"] += item.notes
    return made


def _without_codes(sheet: Sheet) -> None:
    names = [i for i, c in enumerate(sheet.habit.columns) if c in ("code_municipal", "remarques", "besoins")]
    for line in sheet.rows():
        for i in names:
            line.cells[i] = ""


def _quarterly(
    settings: Settings, organisation: Organisation, habit: Habit, q: int, sheet: Sheet, earlier: Sheet | None,
    rng: np.random.Generator, mishaps: Mishaps,
) -> list[Deposit]:  # fmt: skip
    """The files of one quarter: one, or a first version and the one re-sent, or one and its copy."""
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
    if u < mishaps.rate("undated_name"):
        mishaps.counts["undated_name", "file"] += 1
        name = f"{stem}.{suffix}"
    made = [Deposit(name, habit, [sheet])]
    if v < mishaps.rate("copied_file"):
        mishaps.counts["copied_file", "file"] += 1
        made.append(Deposit(f"zz_copies/{Path(name).name}", habit, [sheet], copy_of=name))
    return made


def text_bytes(sheet: Sheet) -> bytes:
    """One sheet as separated text."""
    habit = sheet.habit
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=habit.separator, lineterminator="\r\n")
    writer.writerows([["" if c is None else str(c) for c in line.cells] for line in sheet.lines])
    return encode(buffer.getvalue(), habit.encoding)


def encode(text: str, encoding: str) -> bytes:
    """Text in one of the encodings of the contract; what it has no letter for becomes « ? »."""
    if encoding == "mojibake":
        return "\n".join(mojibake(part) for part in text.split("\n")).encode("utf-8")
    if encoding == "nfd":
        return unicodedata.normalize("NFD", text).encode("utf-8")
    if encoding == "utf-16":
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")  # never the machine's own byte order
    return text.encode(encoding, errors="replace")


def workbook_bytes(sheets: Sequence[Sheet], habit: Habit, notes: bool = False) -> bytes:
    """Sheets as a workbook; `notes` adds a first sheet without a header."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "date_1904": habit.dates == "serial_1904", "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"created": _CREATED})
    date_format = book.add_format({"num_format": "yyyy-mm-dd"})
    if notes:
        page = book.add_worksheet("Notes")
        page.write_string(0, 0, "Document de travail, ne pas diffuser")
        page.write_string(2, 0, "Voir les onglets suivants")
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        for i, line in enumerate(sheet.lines):
            for j, cell in enumerate(line.cells):
                if cell == "" or cell is None:
                    continue
                if isinstance(cell, dt.date):
                    page.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), date_format)
                elif isinstance(cell, int):
                    page.write_number(i, j, cell)
                else:
                    page.write_string(i, j, str(cell))
    book.close()
    return buffer.getvalue()


def mojibake(text: str) -> str:
    """UTF-8 read as cp1252, where that can be done and undone.

    >>> mojibake("Montréal")
    'MontrÃ©al'
    """
    try:
        return text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return text


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
            table[name] = as_dates(self.columns[name])  # type: ignore[arg-type]
        return table[list(ROW_COLUMNS)]


def write_all(folder: Path, deposits: list[Deposit], mishaps: Mishaps) -> pd.DataFrame:
    """Write the files; returns the truth of their rows."""
    ledger = Ledger()
    for item in deposits:
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.content())
        for sheet in item.sheets:
            _record(ledger, item, sheet)
    if mishaps.rate("unreadable_file"):
        (folder / "rapport_final.xlsx").write_bytes(bytes(range(256)) * 8)
        (folder / "vide.csv").write_bytes(b"")
        mishaps.counts["unreadable_file", "file"] += 2
    return ledger.frame()


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
