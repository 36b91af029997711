"""Sheets: one quarter of one organisation, line by line as a spreadsheet shows it; and the bytes they are saved as.

Text in an encoding, or a workbook with a fixed date: one seed, the same bytes.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import xlsxwriter

from .drafts import Draft, header
from .organisations import Habit, Organisation

_CREATED = dt.datetime(2018, 4, 1)  # a workbook's own date: any fixed one
_END = "\r\n"


@dataclass
class Line:
    """One line: its cells, and what it is."""

    cells: list[object]
    draft: Draft | None = None
    kind: str = "row"  # row, header, title, blank, total, aggregate, ragged
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


def text_bytes(sheet: Sheet, flaw: str = "") -> bytes:
    """One sheet as separated text, with one of `FLAWS` in it."""
    text = _text(sheet)
    return encode(FLAWS[flaw](text, sheet) if flaw else text, sheet.habit.encoding)


def _text(sheet: Sheet) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=sheet.habit.separator, lineterminator=_END)
    writer.writerows([["" if c is None else str(c) for c in line.cells] for line in sheet.lines])
    return buffer.getvalue()


def can_have(sheet: Sheet, flaw: str) -> bool:
    """Whether a flaw would change the text of a sheet and leave each row where the truth says."""
    text = _text(sheet)
    return sheet.habit.encoding != "utf-16" and FLAWS[flaw](text, sheet) != text


def carriage_returns_only(text: str, sheet: Sheet) -> str:
    """Lines that end as on an old Mac."""
    return text.replace(_END, "\r")


def nul_bytes(text: str, sheet: Sheet) -> str:
    """Two NUL characters at the end of the last row."""
    return text.removesuffix(_END) + "\0\0" + _END if sheet.rows() else text


def unclosed_quote(text: str, sheet: Sheet) -> str:
    """A quote opened in the remarks of the first row and never closed; nothing else in the file is quoted."""
    rows = [i for i, line in enumerate(sheet.lines) if line.kind == "row"]
    if '"' in text or not rows or "remarques" not in sheet.habit.columns:
        return text
    # Not one of two equal rows: the quote would tell them apart.
    if any(line.copied or line.cells == sheet.lines[rows[0]].cells for line in sheet.lines[rows[0] + 1 :]):
        return text
    lines = text.split(_END)
    cells = lines[rows[0]].split(sheet.habit.separator)
    cells[sheet.habit.columns.index("remarques")] = '"À rappeler'
    lines[rows[0]] = sheet.habit.separator.join(cells)
    return _END.join(lines)


FLAWS: dict[str, Callable[[str, Sheet], str]] = {
    "carriage_returns_only": carriage_returns_only,
    "nul_bytes": nul_bytes,
    "unclosed_quote": unclosed_quote,
}


# Files that nothing can be read from: name of the defect, path below the raw folder, bytes.
UNREADABLE = {
    "corrupted_file": ("rapport_final.xlsx", bytes(range(256)) * 8),
    "cut_short_file": ("rapport_coupe.xlsx", b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(200))),
    "empty_file": ("vide.csv", b""),
    "html_as_xls": (
        "export_portail.xls",
        "<html><body><table><tr><td>No dossier</td><td>Prénom</td></tr></table></body></html>".encode(),
    ),
}


def encode(text: str, encoding: str) -> bytes:
    """Text in one of the encodings of the contract; what it has no letter for becomes « ? »."""
    if encoding == "mojibake":
        return "\n".join(mojibake(part) for part in text.split("\n")).encode("utf-8")
    if encoding == "nfd":
        return unicodedata.normalize("NFD", text).encode("utf-8")
    if encoding == "utf-16":
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")  # never the machine's own byte order
    return text.encode(encoding, errors="replace")


def workbook_bytes(sheets: Sequence[Sheet], habit: Habit, extras: frozenset[str] = frozenset()) -> bytes:
    """Sheets as a workbook; `extras` are a first sheet of notes, a hidden sheet of lists, hidden columns."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "date_1904": habit.dates == "serial_1904", "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"created": _CREATED})
    date_format = book.add_format({"num_format": "yyyy-mm-dd"})
    if "notes_sheet" in extras:
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
        if "hidden_columns" in extras:
            page.set_column(1, 2, None, None, {"hidden": True})
    if "hidden_sheet" in extras:
        page = book.add_worksheet("Listes")
        page.write_column(0, 0, ("Oui", "Non"))
        page.hide()
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
