"""From a sheet to its table: the header below the titles, the rows with their numbers, totals and shifted rows.

Row numbers are those a spreadsheet shows: titles, header and blank rows count, a line break inside quotes does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..places.spelling import fold
from .crosswalks import DATES
from .dates import NOTHING
from .grid import DEEPEST_HEADER, Coded, Grid, is_blank
from .text import repaired

# A header names at least this many known columns.
_FEWEST_COLUMNS = 3
_LONGEST_HEADER = 80

ColumnOf = Callable[[str], str | None]

PLAIN, RAGGED, TOTAL, HEADER = 0, 1, 2, 3

_TOTAL = re.compile(r"^\W*(?:sous[ -]?total|grand total|totaux|total)\b")
_WITHOUT_WORDS = re.compile(r"^[\W\d_]*(?:lignes?|personnes?|dossiers?|menages?|rows?)?\W*$")
_NAMING = ("organisation_id", "organisation", "fiscal_year", "quarter")


@dataclass(frozen=True)
class Layout:
    """The table of a sheet: canonical name (or None) and typed header of each column, and the rows below."""

    header_row: int
    names: tuple[str | None, ...]
    headers: tuple[str, ...]
    numbers: np.ndarray
    kinds: np.ndarray
    cells: list[Coded]


def find_header(rows: list[list[str]], column_of: ColumnOf) -> tuple[int, int]:
    """
    Position of the header among the first rows, and how many distinct columns it names (0: there is none).

    It is the first row that names enough columns with at least half of its cells, else the row that names most.
    """
    best = (0, 0)
    for at, row in enumerate(rows[:DEEPEST_HEADER]):
        cells = [cell for cell in row if not is_blank(cell)]
        if len(cells) < _FEWEST_COLUMNS:
            continue
        known = len({column_of(cell) for cell in cells if len(cell) <= _LONGEST_HEADER} - {None})
        if known >= _FEWEST_COLUMNS and 2 * known >= len(cells):
            return at, known
        if known > best[1]:
            best = (at, known)
    return best if best[1] >= _FEWEST_COLUMNS else (0, 0)


def lay_out(grid: Grid, column_of: ColumnOf) -> Layout | None:
    """The table of a sheet, or None where no header is recognised; `column_of` names the column of a typed header."""
    head = grid.head(DEEPEST_HEADER)
    at, known = find_header(head, column_of)
    if not known:
        return None
    headers = [repaired(cell).strip() for cell in head[at]]
    while headers and not headers[-1]:
        headers.pop()
    names: list[str | None] = []
    for header in headers:
        column = column_of(header) if header else None
        names.append(None if column in names else column)

    below = slice(at + 1, None)
    cells = [column.take(below) for column in grid.columns]
    kinds = _kinds(cells, grid.lengths[below], len(headers), len(head[at]), names)
    kinds[_again(cells, head[at])] = HEADER
    return Layout(int(grid.numbers[at]), tuple(names), tuple(headers), grid.numbers[below], kinds, cells)


def _kinds(
    cells: list[Coded], lengths: np.ndarray, width: int, header_width: int, names: list[str | None]
) -> np.ndarray:
    kinds = np.full(len(lengths), PLAIN, dtype=np.int8)
    if not len(lengths):
        return kinds
    usual = max(header_width, int(np.bincount(lengths).argmax()))
    ragged = lengths > usual
    for column in cells[width:]:
        ragged |= ~column.where(is_blank)  # a cell beyond the header
    short = lengths < width
    if short.any():  # words where dates belong: the cells of a row that is too short slid to the left
        for column, name in zip(cells, names, strict=False):
            if name in DATES:
                ragged |= short & column.where(_is_no_date)
    kinds[ragged] = RAGGED
    suspects = np.zeros(len(lengths), dtype=bool)
    for column in cells:
        suspects |= column.where(_may_say_total)
    for at in np.flatnonzero(suspects):
        row = [column.texts[column.codes[at]] for column in cells[: lengths[at]]]
        if _is_total(row, names):
            kinds[at] = TOTAL
    return kinds


def _again(cells: list[Coded], header: list[str]) -> np.ndarray:
    """Rows that are the header once more, as where pages or files were pasted one under the other."""
    again = np.ones(len(cells[0].codes) if cells else 0, dtype=bool)
    for column, typed in zip(cells, header, strict=False):
        # where files were joined, the first cell of the second begins with its mark of UTF-8
        again &= column.where(lambda text, typed=typed: text.removeprefix("\ufeff") == typed)
        if not again.any():
            break
    return again


def _is_no_date(text: str) -> bool:
    folded = fold(text).strip()
    return folded not in NOTHING and not any(map(str.isdigit, folded))


def _may_say_total(text: str) -> bool:
    return "tota" in text.lower()


def _is_total(row: list[str], names: list[str | None]) -> bool:
    """A row that says « total » and otherwise holds only numbers and what names the deposit."""
    naming = {i for i, name in enumerate(names) if name in _NAMING}
    said = False
    for i, cell in enumerate(row):
        folded = fold(cell).strip()
        if not folded:
            continue
        if _may_say_total(cell) and _TOTAL.match(folded):
            said = True
        elif i not in naming and not _WITHOUT_WORDS.match(folded):
            return False
    return said
