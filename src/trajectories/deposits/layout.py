"""From a sheet to its table: the header below the titles, the rows with their numbers, totals and shifted rows.

Row numbers are those a spreadsheet shows: titles, header and blank rows count, a line break inside quotes does not.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ..places.spelling import fold
from .crosswalks import DATES, Crosswalk
from .reading import Sheet
from .text import repaired

# A header names at least this many known columns, within this many rows from the top.
_FEWEST_COLUMNS = 3
_DEEPEST_HEADER = 40

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


def count_known(row: list[str], crosswalk: Crosswalk) -> int:
    """How many distinct canonical columns the cells of a row name."""
    return len({crosswalk.column(cell) for cell in row if cell} - {None})


def lay_out(sheet: Sheet, crosswalk: Crosswalk) -> Layout | None:
    """The table of a sheet, or None where no header is recognised."""
    top = [[repaired(cell) for cell in row] for row in sheet.rows[:_DEEPEST_HEADER]]
    known = [count_known(row, crosswalk) for row in top]
    if max(known, default=0) < _FEWEST_COLUMNS:
        return None
    at = known.index(max(known))
    headers = [cell.strip() for cell in top[at]]
    while headers and not headers[-1]:
        headers.pop()
    columns: list[str | None] = []
    for header in headers:
        column = crosswalk.column(header) if header else None
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
            if any(cell.strip() for cell in row[width:]) or len(row) > usual:
                kind = RAGGED
            elif len(row) < width and _shifted(row, dated):
                kind = RAGGED
        joined = "".join(row)
        if ("otal" in joined or "otaux" in joined or "OTA" in joined) and _is_total(row, columns):
            kind = TOTAL
        kinds.append(kind)
    return kinds


def _shifted(row: list[str], dated: list[int]) -> bool:
    """A row that is too short, with words where dates belong: its cells slid to the left."""
    return any(i < len(row) and row[i].strip() and not any(map(str.isdigit, row[i])) for i in dated)


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
