"""The cells of one sheet by column: per column the distinct texts, and per row the position of its text.

Both readers of text (`text`, `regular`) and those of workbooks and parquet end here, so that a text is kept once
however often it is typed and all later work is on distinct texts. Rows that hold nothing are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from ..exceptions import TrajectoriesError

# A header is looked for within this many rows from the top.
DEEPEST_HEADER = 40
# As many as a spreadsheet has: beyond, a text is a single line of something else.
MOST_COLUMNS = 16_384


class UnreadableDepositError(TrajectoriesError):
    """A deposit that cannot be read: what it is and what to do."""


class Vocabulary(dict):
    """Text → code, in the order met; the blank text is 0."""

    def __init__(self, blank):
        super().__init__({blank: 0})

    def __missing__(self, text) -> int:
        self[text] = code = len(self)
        return code


class Coded(NamedTuple):
    """One column: per row the position of its text among the distinct texts."""

    codes: np.ndarray
    texts: Sequence

    def take(self, rows: np.ndarray | slice) -> Coded:
        """The rows given, with only the texts that they hold."""
        codes = self.codes[rows]
        used = np.zeros(len(self.texts), dtype=bool)
        used[codes] = True
        if used.all():
            return Coded(codes, self.texts)
        position = np.cumsum(used) - 1
        return Coded(position[codes], [self.texts[at] for at in np.flatnonzero(used)])

    def where(self, test) -> np.ndarray:
        """Per row, whether `test` holds for its text."""
        return np.fromiter(map(test, self.texts), bool, len(self.texts))[self.codes]


class Grid(NamedTuple):
    """
    Rows that hold something.

    Attributes
    ----------
    numbers, lengths : ndarray of int, per row
        Its number as a spreadsheet shows it, and how many cells it has.
    columns : list of Coded
        A row that ends before a column holds the blank text there.
    """

    numbers: np.ndarray
    lengths: np.ndarray
    columns: list[Coded]

    def row(self, at: int) -> list[str]:
        """The cells of one row."""
        return [column.texts[column.codes[at]] for column in self.columns[: self.lengths[at]]]

    def head(self, n: int) -> list[list[str]]:
        """The cells of the first rows."""
        typed = [map(column.texts.__getitem__, column.codes[:n].tolist()) for column in self.columns]
        return [
            list(row[:length]) for row, length in zip(zip(*typed, strict=True), self.lengths[:n].tolist(), strict=True)
        ]


class Sheet(NamedTuple):
    """One sheet: its name (empty for text and parquet), its rows, its serials' shift in days, whether it is hidden."""

    name: str
    grid: Grid
    serial_shift: int = 0
    hidden: bool = False


def is_blank(text: str) -> bool:
    """Whether a cell holds nothing that a person sees."""
    return not text or text.isspace()


def grid_of_rows(numbered: Iterable[tuple[int, list[str]]]) -> Grid:
    """The grid of rows of text cells, each with its number (raises UnreadableDepositError: too many in one)."""
    numbers, rows = [], []
    for number, row in numbered:
        if any(row) and not "".join(row).isspace():
            numbers.append(number)
            rows.append(row)
    if (widest := max(map(len, rows), default=0)) > MOST_COLUMNS:
        raise UnreadableDepositError(
            f"a row has {widest:,} cells, more than a spreadsheet can: add the line breaks that are missing."
        )
    columns = []
    for cells in zip_longest(*rows, fillvalue=""):
        vocabulary = Vocabulary("")
        codes = np.fromiter(map(vocabulary.__getitem__, cells), np.int32, len(rows))
        columns.append(Coded(codes, list(vocabulary)))
    return Grid(np.array(numbers, dtype=np.int64), np.fromiter(map(len, rows), np.int64, len(rows)), columns)


def without_blank_rows(grid: Grid) -> Grid:
    """The grid without the rows that hold nothing."""
    blank = np.ones(len(grid.numbers), dtype=bool)
    for column in grid.columns:
        blank &= column.where(is_blank)
        if not blank.any():
            return grid
    kept = ~blank
    columns = [Coded(column.codes[kept], column.texts) for column in grid.columns]
    return Grid(grid.numbers[kept], grid.lengths[kept], columns)
