"""From a sheet to its table: the header below the titles, the rows with their numbers, totals and shifted rows.

Row numbers are those a spreadsheet shows: titles, header and blank rows count, a line break inside quotes does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..places.spelling import fold
from .crosswalks import DATES
from .dates import NOTHING
from .reading import Sheet
from .text import repaired

# A header names at least this many known columns, within this many rows from the top.
_FEWEST_COLUMNS = 3
_DEEPEST_HEADER = 40
_LONGEST_HEADER = 80

ColumnOf = Callable[[str], str | None]

PLAIN, RAGGED, TOTAL = 0, 1, 2

_TOTAL = re.compile(r"^\W*(?:sous[ -]?total|grand total|totaux|total)\b")
_WITHOUT_WORDS = re.compile(r"^[\W\d_]*(?:lignes?|personnes?|dossiers?|menages?|rows?)?\W*$")


@dataclass(frozen=True)
class Layout:
    """The table of a sheet: canonical name (or None) and typed header of each column, and the rows below."""

    header_row: int
    columns: tuple[str | None, ...]
    headers: tuple[str, ...]
    numbers: list[int]
    rows: list[list[str]]
    kinds: list[int]


def find_header(rows: list[list[str]], column_of: ColumnOf) -> tuple[int, int]:
    """
    Position of the header among the first rows, and how many distinct columns it names (0: there is none).

    It is the first row that names enough columns with at least half of its cells, else the row that names most.
    """
    best = (0, 0)
    for at, row in enumerate(rows[:_DEEPEST_HEADER]):
        cells = [cell for cell in row if cell and not cell.isspace()]
        if len(cells) < _FEWEST_COLUMNS:
            continue
        known = len({column_of(cell) for cell in cells if len(cell) <= _LONGEST_HEADER} - {None})
        if known >= _FEWEST_COLUMNS and 2 * known >= len(cells):
            return at, known
        if known > best[1]:
            best = (at, known)
    return best if best[1] >= _FEWEST_COLUMNS else (0, 0)


def lay_out(sheet: Sheet, column_of: ColumnOf) -> Layout | None:
    """The table of a sheet, or None where no header is recognised; `column_of` names the column of a typed header."""
    at, known = find_header(sheet.rows, column_of)
    if not known:
        return None
    headers = [repaired(cell).strip() for cell in sheet.rows[at]]
    while headers and not headers[-1]:
        headers.pop()
    columns: list[str | None] = []
    for header in headers:
        column = column_of(header) if header else None
        columns.append(None if column in columns else column)

    numbers, rows = [], []
    for number, row in enumerate(sheet.rows[at + 1 :], start=at + 2):
        if any(row) and not "".join(row).isspace():
            numbers.append(number)
            rows.append(row)
    kinds = _kinds(rows, len(headers), len(sheet.rows[at]), columns)
    return Layout(at + 1, tuple(columns), tuple(headers), numbers, rows, kinds)


def _kinds(rows: list[list[str]], width: int, header_width: int, columns: list[str | None]) -> list[int]:
    lengths = Counter(map(len, rows))
    usual = max(header_width, lengths.most_common(1)[0][0]) if lengths else header_width
    dated = [i for i, column in enumerate(columns) if column in DATES]
    kinds = []
    for row in rows:
        kind = PLAIN
        if len(row) != width:
            too_long = len(row) > usual or "".join(row[width:]).strip()
            if too_long or (len(row) < width and _shifted(row, dated)):
                kind = RAGGED
        joined = "".join(row)
        if ("otal" in joined or "otaux" in joined or "OTA" in joined) and _is_total(row, columns):
            kind = TOTAL
        kinds.append(kind)
    return kinds


def _shifted(row: list[str], dated: list[int]) -> bool:
    """A row that is too short, with words where dates belong: its cells slid to the left."""
    cells = [fold(row[i]).strip() for i in dated if i < len(row)]
    return any(cell not in NOTHING and not any(map(str.isdigit, cell)) for cell in cells)


def _is_total(row: list[str], columns: list[str | None]) -> bool:
    """A row that says « total » and otherwise holds only numbers and what names the deposit."""
    naming = {i for i, c in enumerate(columns) if c in ("organisation_id", "organisation", "fiscal_year", "quarter")}
    said = False
    for i, cell in enumerate(row):
        folded = fold(cell).strip()
        if not folded:
            continue
        if _TOTAL.match(folded):
            said = True
        elif i not in naming and not _WITHOUT_WORDS.match(folded):
            return False
    return said
