"""The sheets of one deposit as a person sees them: rows of text cells by their number, headers by their letter."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from .crosswalks import Crosswalk, Crosswalks
from .grid import Sheet
from .layout import find_header
from .reading import read_source
from .text import repaired


@dataclass(frozen=True)
class Cells:
    """One sheet: its name (empty for text and parquet), and the cells of each row that holds some, by its number."""

    name: str
    rows: dict[int, list[str]]


@dataclass(frozen=True)
class SeenColumn:
    """One column: place (from 0), letter, header as typed, canonical name (None: not read), the contract's header."""

    position: int
    letter: str
    header: str
    column: str | None
    label: str | None


@dataclass(frozen=True)
class SeenSheet:
    """A sheet with a recognised header: its name, the header's row, its columns and how many rows stand below."""

    name: str
    header_row: int
    columns: tuple[SeenColumn, ...]
    n_rows: int

    def find(self, column: str) -> SeenColumn | None:
        """The column of a canonical name; else the unread one of a typed header, or of a letter that has none."""
        read = (seen for seen in self.columns if seen.column == column)
        others = (seen for seen in self.columns if not seen.column and column == (seen.header or seen.letter))
        return next(read, next(others, None))


# What finds a header in the first rows: its position, and how many headers it knows there.
Recognise = Callable[[list[list[str]]], tuple[int, int]]


def sheets_of(path: Path, file: str, recognise: Recognise, max_rows: int) -> list[Cells]:
    """The sheets of a deposit that can be read."""
    return [Cells(sheet.name, _numbered(sheet)) for sheet in read_source(path, file, recognise, max_rows).sheets]


def known_headers(crosswalks: Crosswalks) -> Recognise:
    """Finds the headers that one of the crosswalks knows."""
    return lambda rows: find_header(rows, lambda header: crosswalks.column(repaired(header)))


def _numbered(sheet: Sheet) -> dict[int, list[str]]:
    return {int(number): sheet.grid.row(at) for at, number in enumerate(sheet.grid.numbers)}


def look_at(sheet: Cells, crosswalk: Crosswalk, unnamed: Collection[str] = ()) -> SeenSheet | None:
    """The header of a sheet and its columns, those without a header by their letters; None where there is no header."""
    numbers, rows = list(sheet.rows), list(sheet.rows.values())
    at, known = find_header(rows, lambda header: crosswalk.column(repaired(header)))
    if not known:
        return None
    taken: set[str] = set()
    columns = []
    for position, cell in enumerate(rows[at]):
        header = repaired(cell).strip()
        column = crosswalk.column(header) if header else None
        column = None if column in taken else column
        taken |= {column} if column else set()
        if header or letter_of(position) in unnamed:
            label = crosswalk.labels["columns"].get(column) if column else None
            columns.append(SeenColumn(position, letter_of(position), header, column, label))
    return SeenSheet(sheet.name, numbers[at], tuple(columns), len(rows) - at - 1)


def letter_of(position: int) -> str:
    """
    The letter of a column, from its place.

    Examples
    --------
    >>> letter_of(0), letter_of(25), letter_of(26), letter_of(38)
    ('A', 'Z', 'AA', 'AM')
    """
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
