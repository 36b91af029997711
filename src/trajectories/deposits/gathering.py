"""All deposits of a folder as one set of columns: per canonical column the distinct texts, and a code a row.

A text is kept once however often it is typed, so that all later work is on distinct texts and a row costs a few bytes
a column. Rows keep the number of their sheet; sheets that hold no recognisable header are skipped and listed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat, zip_longest
from pathlib import Path

import numpy as np

from .crosswalks import COLUMNS, DATES, Crosswalk
from .layout import ColumnOf, find_header, lay_out
from .reading import Sheet, Source, UnreadableDepositError, find_deposits, read_source
from .text import repaired

Progress = Callable[[int, int, str], None]
# The last column of codes: all cells under headers that the crosswalk does not know, taken together.
REST = "_rest"
_SERIAL = re.compile(r"\d{3,5}(?:\.\d+)?")


class Vocabulary(dict):
    """Text → code, in the order met; the blank text is 0."""

    def __init__(self, blank):
        super().__init__({blank: 0})

    def __missing__(self, text) -> int:
        self[text] = code = len(self)
        return code


@dataclass
class FileNote:
    """What is known of one file: how it was read, or why it was not."""

    file: str
    encoding: str | None = None
    separator: str | None = None
    n_sheets: int = 0
    message: str | None = None


@dataclass
class Gathered:
    """
    Every row of every readable deposit.

    Attributes
    ----------
    files : list of FileNote, in the order of their paths
    sheet_file, sheet_name : per sheet, the position of its file and its name
    sheet, row, kind : ndarray, per row
        Position of the sheet; row number as a spreadsheet shows it; layout.PLAIN, RAGGED or TOTAL.
    texts, codes : dict by canonical column
        Distinct texts (mojibake repaired), and per row the position in them.
    issues : list of (file, sheet, row, reason, column, value)
    """

    files: list[FileNote]
    sheet_file: np.ndarray
    sheet_name: list[str]
    sheet: np.ndarray
    row: np.ndarray
    kind: np.ndarray
    texts: dict[str, list[str]]
    codes: dict[str, np.ndarray]
    issues: list[tuple] = field(default_factory=list)

    @property
    def file(self) -> np.ndarray:
        """Per row, the position of its file."""
        return self.sheet_file[self.sheet]

    def blank(self, column: str) -> np.ndarray:
        """Per row, whether nothing is typed in the column."""
        return np.array([not text.strip() for text in self.texts[column]], dtype=bool)[self.codes[column]]

    def typed(self, column: str, rows: np.ndarray) -> np.ndarray:
        """The texts of a column at the rows."""
        return as_objects(self.texts[column])[self.codes[column][rows]]


def as_objects(values) -> np.ndarray:
    """A list as an array of objects of one dimension."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def gather(folder: Path, crosswalk: Crosswalk, max_rows: int, progress: Progress | None = None) -> Gathered:
    """Read every deposit below the folder; a file that cannot be read leaves its sentence and nothing else."""
    found = find_deposits(folder)
    vocabularies = {column: Vocabulary("") for column in COLUMNS} | {REST: Vocabulary(())}
    parts: dict[str, list[np.ndarray]] = {column: [] for column in vocabularies}
    files, issues, sheets, numbers, kinds = [], [], [], [], []

    @functools.lru_cache(maxsize=100_000)
    def column_of(header: str) -> str | None:
        return crosswalk.column(repaired(header))

    def recognise(rows: list[list[str]]) -> int:
        return find_header(rows, column_of)[1]

    for done, (file, path) in enumerate(found, start=1):
        note = FileNote(file)
        files.append(note)
        try:
            source = read_source(path, file, recognise, max_rows)
            tables = _tables(source, column_of, issues)
        except UnreadableDepositError as error:
            note.message = str(error)
        except Exception as error:  # never a traceback for a file (deposit-schema.md, « What is never lost »)
            note.message = f"the file cannot be read ({type(error).__name__}): open it, save it again as .xlsx or .csv."
        else:
            note.encoding, note.separator, note.n_sheets = source.encoding, source.separator, len(tables)
            if not tables:
                note.message = (
                    "no sheet has a recognisable header: use the column names of the template, or write a crosswalk."
                )
            for sheet, table in tables:
                sheets.append((done - 1, sheet.name))
                numbers.append(np.asarray(table.numbers, dtype=np.int64))
                kinds.append(np.asarray(table.kinds, dtype=np.int8))
                _encode(sheet, table, vocabularies, parts)
        if progress is not None:
            progress(done, len(found), file)

    lengths = [len(part) for part in numbers]
    return Gathered(
        files=files, sheet_file=np.array([position for position, _ in sheets], dtype=np.int64),
        sheet_name=[name for _, name in sheets], sheet=np.repeat(np.arange(len(sheets)), lengths),
        row=_joined(numbers, np.int64), kind=_joined(kinds, np.int8),
        texts={column: [repaired(text) for text in vocabularies[column]] for column in COLUMNS},
        codes={column: _joined(parts[column], np.int32) for column in vocabularies}, issues=issues,
    )  # fmt: skip


def _joined(parts: list[np.ndarray], dtype) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def _tables(source: Source, column_of: ColumnOf, issues: list[tuple]) -> list[tuple]:
    """The sheets with a header; what was skipped or set right goes to the issues."""
    tables = []
    for code, name in source.notes:
        issues.append((source.file, name, 0, code, None, None))
    for sheet in source.sheets:
        table = lay_out(sheet, column_of)
        if table is None:
            if any(any(row) for row in sheet.rows):
                issues.append((source.file, sheet.name, 0, "no_header", None, None))
            continue
        for header, column in zip(table.headers, table.columns, strict=True):
            if header and column is None:
                reason = "repeated_column" if column_of(header) else "unknown_column"
                issues.append((source.file, sheet.name, table.header_row, reason, header, None))
        tables.append((sheet, table))
    return tables


def _encode(sheet: Sheet, table, vocabularies: dict[str, Vocabulary], parts: dict[str, list[np.ndarray]]) -> None:
    n = len(table.rows)
    cells = list(zip_longest(*table.rows, fillvalue="")) if n else []
    cells += [("",) * n] * (len(table.columns) - len(cells))
    at = {column: i for i, column in enumerate(table.columns) if column is not None}
    for column in COLUMNS:
        if column not in at:
            parts[column].append(np.zeros(n, dtype=np.int32))
            continue
        texts = cells[at[column]]
        if sheet.serial_shift and column in DATES:
            texts = [_shifted(text, sheet.serial_shift) for text in texts]
        parts[column].append(np.fromiter(map(vocabularies[column].__getitem__, texts), np.int32, n))
    others = [texts for i, texts in enumerate(cells) if i >= len(table.columns) or table.columns[i] is None]
    vocabulary = vocabularies[REST]
    rest = zip(*others, strict=True) if others else repeat((), n)
    parts[REST].append(np.fromiter((vocabulary[cell] if any(cell) else 0 for cell in rest), np.int32, n))


def _shifted(text: str, days: int) -> str:
    """A bare serial of a workbook that counts from 1904, as one that counts from 1900; a year stays a year."""
    if not _SERIAL.fullmatch(text) or 1900 <= float(text) <= 2100:
        return text
    return str(int(float(text)) + days)
