"""From a sheet to its table: the header below the titles, the rows with their numbers, total rows and shifted rows.

Row numbers are those a spreadsheet shows: titles, header and blank rows count, a line break inside quotes does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..places.spelling import fold
from .crosswalks import DATES, Crosswalk, Crosswalks, word_key
from .dates import NOTHING
from .reading import DEEPEST_HEADER, Coded, Grid, Sheet, is_blank, read_source, repaired
from .values import fiscal_years

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

    It is the first row where enough cells, and at least half of them, name a column; else the row that names most.
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
    if short.any():  # words in a date column: the cells of a row that is too short were shifted to the left
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
    """Per row, whether it repeats the header, as where pages or files were pasted one under the other."""
    again = np.ones(len(cells[0].codes) if cells else 0, dtype=bool)
    for column, typed in zip(cells, header, strict=False):
        # where files were joined, the first cell of the second begins with its byte order mark
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
    """Whether a row says « total » and otherwise holds only numbers and cells that name the deposit."""
    naming = {i for i, name in enumerate(names) if name in _NAMING}
    says_total = False
    for i, cell in enumerate(row):
        folded = fold(cell).strip()
        if not folded:
            continue
        if _may_say_total(cell) and _TOTAL.match(folded):
            says_total = True
        elif i not in naming and not _WITHOUT_WORDS.match(folded):
            return False
    return says_total


# ----------------------------------------------------------------------------------------------------
# The sheets of one deposit as a spreadsheet shows them: rows of text cells by number, headers by letter.


@dataclass(frozen=True)
class Cells:
    """One sheet: its name (empty for text and parquet), and the cells of each row that holds some, by its number."""

    name: str
    rows: dict[int, list[str]]


@dataclass(frozen=True)
class SeenColumn:
    """A column: position (from 0), letter, header as typed, canonical name (None: not read), the contract's header."""

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
        """The column of a canonical name; else the unread one with that header, or with that letter and no header."""
        read = (seen for seen in self.columns if seen.column == column)
        others = (seen for seen in self.columns if not seen.column and column == (seen.header or seen.letter))
        return next(read, next(others, None))


# Finds the header in the first rows: its position, and how many of its cells are known headers.
Recognise = Callable[[list[list[str]]], tuple[int, int]]


def sheets_of(path: Path, file: str, recognise: Recognise, max_rows: int) -> list[Cells]:
    """The sheets of a deposit that can be read."""
    return [Cells(sheet.name, _numbered(sheet)) for sheet in read_source(path, file, recognise, max_rows).sheets]


def known_headers(crosswalks: Crosswalks) -> Recognise:
    """A function that finds the header row by the headers that any of the crosswalks knows."""
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
    The letter of a column, from its position.

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


# ----------------------------------------------------------------------------------------------------
# Which crosswalk a file is read with: the one that holds for its rows and knows most of its headers.
#
# A crosswalk holds for a row when it is valid for the row's programme and exercice, as far as these are typed or named
# by the file. On a tie the study's own comes before the library's, and the later programme first.

# Rows of a sheet from which the crosswalk is chosen: a form does not change within a sheet.
ROWS_LOOKED_AT = 100


def choose_crosswalk(crosswalks: Crosswalks, file: str, sheets: Iterable[tuple[str, list[list[str]]]]) -> Crosswalk:
    """
    The crosswalk of one file.

    Parameters
    ----------
    crosswalks : Crosswalks
    file : str
        Its path; the exercice in its name is used where none is typed.
    sheets : iterable of (name, rows of text cells)

    Examples
    --------
    >>> from .crosswalks import load_crosswalks
    >>> rows = [["no_dossier", "volet", "exercice", "programme"], ["7", "V1", "2018-2019", "Réussir l'intégration"]]
    >>> choose_crosswalk(load_crosswalks(), "a.csv", [("", rows)]).name
    'reussir-integration-2017'
    """
    if len(crosswalks.all) == 1:
        return crosswalks.all[0]
    sheets = [(name, rows) for name, rows in sheets if rows]
    known = {c.name: sum(find_header(rows, c.column)[1] for _, rows in sheets) for c in crosswalks.all}
    kinds: Counter = Counter()
    for name, rows in sheets:
        kinds += _kinds_of_rows(crosswalks, rows, _year_named(name) or _year_named(file))
    total = sum(kinds.values())

    def rank(crosswalk: Crosswalk) -> tuple:
        fits = sum(n for kind, n in kinds.items() if crosswalk.holds(*kind)) / total if total else 1.0
        return known[crosswalk.name] > 0, fits >= 0.5, known[crosswalk.name], fits

    # the first of the best: `all` is in the order of preference
    return max(crosswalks.all, key=rank)


def _kinds_of_rows(crosswalks: Crosswalks, rows: list[list[str]], year: str | None) -> Counter:
    """How many rows there are of each (programme, exercice)."""
    at, width = find_header(rows, crosswalks.column)
    if not width:
        return Counter()
    columns = [crosswalks.column(cell) for cell in rows[at]]
    position_of = {column: columns.index(column) for column in ("programme", "fiscal_year") if column in columns}
    words = {key: code for c in reversed(crosswalks.all) for key, code in c.values.get("programme", {}).items()}
    kinds: Counter = Counter()
    below = [row for row in rows[at + 1 : at + 1 + ROWS_LOOKED_AT] if any(row)]
    typed = Counter(
        (_cell(row, position_of.get("programme")), _cell(row, position_of.get("fiscal_year"))) for row in below
    )
    for (programme, exercice), n in typed.items():
        kinds[words.get(word_key(programme)), fiscal_years([exercice])[0][0] or year] += n
    return kinds


def _cell(row: list[str], at: int | None) -> str:
    return row[at] if at is not None and at < len(row) else ""


def _year_named(text: str) -> str | None:
    return fiscal_years([text.rpartition("/")[2]])[0][0]
