"""One file → its tables as distinct texts and codes; many files at once, in processes of their own.

What comes back from a process is small (codes of a byte or two a cell, each text once) and in the order of the files:
the result is the same whatever the number of processes, down to the order of the distinct texts.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..exceptions import place_of
from .choosing import ROWS_LOOKED_AT, choose_crosswalk
from .crosswalks import COLUMNS, DATES, Crosswalk, Crosswalks
from .grid import DEEPEST_HEADER, Coded, Sheet, UnreadableDepositError, Vocabulary, is_blank
from .layout import PLAIN, ColumnOf, Layout, find_header, lay_out
from .notes import is_not_data
from .reading import content_of, read_content
from .sheets import letter_of
from .text import may_be_mojibake, repaired

# The last column of codes: all cells under headers that the crosswalk does not know, taken together.
REST = "_rest"
# What is told of a file that the library fails on: the place in the library, and nothing of the file.
FAULT = "a fault of the library, not of the file, stopped its reading ({}): report these words, and keep the file."
# Columns of numbers, from which the file's decimal sign is seen.
_NUMBERS = frozenset(("household_size", "residence_code_typed", "french", "quarter", *DATES))
_DECIMAL = re.compile(r"\s*-?\d+([.,])\d+\s*")
# What a spreadsheet is told to show as it is, zeros in front included.
_TEXT_BY_FORMULA = re.compile(r'^="([^"]*)"$')
_SERIAL = re.compile(r"\d{3,5}(?:\.\d+)?")
# A process takes about a second to start: it is worth it beyond so much text, and workbooks take longer a byte.
_BYTES_WORTH_A_PROCESS = 60_000_000
_BYTES_OF_A_WORKBOOK = 20


@dataclass
class FileNote:
    """What is known of one file: how it was read, or why it was not; `fault`: where in the library, if that is why."""

    file: str
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    quoting: str | None = None
    crosswalk: str | None = None
    n_sheets: int = 0
    message: str | None = None
    fault: str | None = None

    @classmethod
    def of_fault(cls, file: str, error: Exception) -> FileNote:
        """Of a file that the library itself failed on (deposit-schema.md, « What is never lost »)."""
        if isinstance(error, MemoryError):
            return cls(file, message="the file needs more memory than there is: divide it into several.")
        place = place_of(error)
        return cls(file, message=FAULT.format(place), fault=place)


@dataclass(frozen=True)
class FileTable:
    """One sheet with a header: row numbers, kinds of rows (layout), and the codes and texts of each column typed."""

    name: str
    numbers: np.ndarray
    kinds: np.ndarray
    columns: dict[str, Coded]


@dataclass
class FileRead:
    """
    One file read: its note, its tables, and issues as (file, sheet, row, reason, column, value).

    `digest` is the SHA-256 of the bytes that were read; `recalled`: it was remembered (`remembered`), not read now.
    """

    note: FileNote
    tables: list[FileTable] = field(default_factory=list)
    issues: list[tuple] = field(default_factory=list)
    digest: str | None = None
    recalled: bool = False


def _remembered(crosswalk: Crosswalks | Crosswalk) -> ColumnOf:
    """The canonical column that a typed header names, looked up once."""
    return functools.lru_cache(maxsize=100_000)(lambda header: crosswalk.column(repaired(header)))


class FileReader:
    """Reads one file after another with the same crosswalks; headers met before are not looked up again."""

    def __init__(self, crosswalks: Crosswalks, max_rows: int):
        self.crosswalks, self.max_rows = crosswalks, max_rows
        self._any = _remembered(crosswalks)
        self._columns_of = {crosswalk.name: _remembered(crosswalk) for crosswalk in crosswalks.all}

    def __call__(self, found: tuple[str, Path]) -> FileRead:
        """Read (path below the folder, path). Never raises: what cannot be read is a sentence in the note."""
        file, path = found
        read = FileRead(FileNote(file))
        try:
            content = content_of(path)
            read.digest = hashlib.sha256(content).hexdigest()
            source = read_content(
                content, path.suffix.lower(), file, lambda rows: find_header(rows, self._any), self.max_rows
            )
            read.issues = [(file, sheet, 0, code, None, None) for code, sheet in source.notes]
            sheets = [sheet for sheet in source.sheets if not is_not_data(sheet.grid.head(1))]
            looked_at = ((sheet.name, sheet.grid.head(DEEPEST_HEADER + ROWS_LOOKED_AT)) for sheet in sheets)
            read.note.crosswalk = choose_crosswalk(self.crosswalks, file, looked_at).name
            for sheet in sheets:
                _add(sheet, self._columns_of[read.note.crosswalk], read)
        except UnreadableDepositError as error:
            return FileRead(FileNote(file, message=str(error)))
        except Exception as error:
            return FileRead(FileNote.of_fault(file, error))
        note = read.note
        note.encoding, note.separator, note.quoting = source.encoding, source.separator, source.quoting
        note.decimal, note.n_sheets = _decimal(read.tables), len(read.tables)
        if not read.tables:
            note.message = (
                "no sheet has a recognisable header: use the column names of the template, or write a crosswalk."
            )
        return read


def _add(sheet: Sheet, column_of: ColumnOf, read: FileRead) -> None:
    """Add the table of a sheet; what is skipped or set right goes to the issues."""
    file = read.note.file
    layout = lay_out(sheet.grid, column_of)
    if layout is None:
        if len(sheet.grid.numbers) and not sheet.hidden:
            read.issues.append((file, sheet.name, 0, "no_header", None, None))
        return
    if sheet.hidden:
        read.issues.append((file, sheet.name, 0, "hidden_sheet", None, None))
    for position, (header, column) in enumerate(zip(layout.headers, layout.names, strict=True)):
        if header and column is None:
            reason = "repeated_column" if column_of(header) else "unknown_column"
            read.issues.append((file, sheet.name, layout.header_row, reason, header, None))
        elif not header and (~layout.cells[position].where(is_blank) & (layout.kinds == PLAIN)).any():
            read.issues.append((file, sheet.name, layout.header_row, "unnamed_column", letter_of(position), None))
    columns = {
        name: _settled(cells, sheet.serial_shift if name in DATES else 0)
        for name, cells in zip(layout.names, layout.cells, strict=False)
        if name in COLUMNS
    }
    if (rest := _rest(layout)) is not None:
        columns[REST] = rest
    read.tables.append(FileTable(sheet.name, layout.numbers, layout.kinds, columns))


def _settled(cells: Coded, serial_shift: int) -> Coded:
    """The texts as they are meant (`="007"`, mojibake, serials from 1904), the codes as small as they can be."""
    texts = cells.texts
    if any(text.startswith('="') for text in texts):
        texts = [_TEXT_BY_FORMULA.sub(r"\1", text) for text in texts]
    if any(map(may_be_mojibake, texts)):
        texts = [repaired(text) for text in texts]
    if serial_shift:
        texts = [_shifted(text, serial_shift) for text in texts]
    return Coded(_small(cells.codes, len(texts)), texts)


def _small(codes: np.ndarray, n: int) -> np.ndarray:
    return codes.astype(np.min_scalar_type(max(n - 1, 0)))


def _shifted(text: str, days: int) -> str:
    """A bare serial of a workbook that counts from 1904, as one that counts from 1900; a year stays a year."""
    if not _SERIAL.fullmatch(text) or 1900 <= float(text) <= 2100:
        return text
    return str(int(float(text)) + days)


def _rest(layout: Layout) -> Coded | None:
    """The cells under headers that name no column, one tuple a row; None where all are blank."""
    named = len(layout.names)
    others = [cells for i, cells in enumerate(layout.cells) if i >= named or layout.names[i] is None]
    others = [cells for cells in others if any(cells.texts)]
    if not others:
        return None
    vocabulary = Vocabulary("")
    typed = zip(*[map(cells.texts.__getitem__, cells.codes) for cells in others], strict=True)
    codes = np.fromiter((vocabulary[row] if any(row) else 0 for row in typed), np.int32, len(layout.numbers))
    return Coded(_small(codes, len(vocabulary)), list(vocabulary))


def _decimal(tables: list[FileTable]) -> str | None:
    """The decimal sign of the file's numbers (comma or point), or None where none is typed."""
    signs = {",": 0, ".": 0}
    for table in tables:
        for name in _NUMBERS & table.columns.keys():
            for found in filter(None, map(_DECIMAL.fullmatch, table.columns[name].texts)):
                signs[found[1]] += 1
    if not any(signs.values()):
        return None
    return "comma" if signs[","] >= signs["."] else "point"


# ── many files ────────────────────────────────────────────────────────────────────────────────────────────
def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_files(found: list[tuple[str, Path]], reader: FileReader, processes: int | None) -> Iterator[FileRead]:
    """
    The files read, in their order.

    Parameters
    ----------
    found : list of (path below the folder, path)
    reader : FileReader
        Reads one of them.
    processes : int, optional
        How many processes read; None: one for each usable core where there is enough to read, else this one alone.
    """
    if processes is None:
        processes = min(usable_cores(), 1 + _cost(found) // _BYTES_WORTH_A_PROCESS)
    done = 0
    if min(processes, len(found)) > 1:
        try:
            for read in _read_apart(found, reader, processes):
                yield read
                done += 1
        except (BrokenProcessPool, OSError):
            pass  # a process was ended from outside, or could not start: this one reads the rest
    yield from map(reader, found[done:])


def _cost(found: list[tuple[str, Path]]) -> int:
    total = 0
    for _, path in found:
        try:
            size = path.stat().st_size
        except OSError:
            continue
        total += size if path.suffix.lower() in (".csv", ".txt", ".tsv") else size * _BYTES_OF_A_WORKBOOK
    return total


def _read_apart(found: list[tuple[str, Path]], reader: FileReader, processes: int) -> Iterator[FileRead]:
    import multiprocessing
    from multiprocessing.reduction import ForkingPickler

    # a crosswalk's mappings are read-only, which pickle does not know
    ForkingPickler.register(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    executor = ProcessPoolExecutor(
        processes, context, initializer=_start, initargs=(reader.crosswalks, reader.max_rows)
    )
    try:
        yield from executor.map(_read_here, found, chunksize=1)
    finally:
        executor.shutdown(cancel_futures=True)


def _read_only(mapping: dict) -> MappingProxyType:
    return MappingProxyType(mapping)


_reader: FileReader | None = None


def _start(crosswalks: Crosswalks, max_rows: int) -> None:
    global _reader  # one reader a process, so that the crosswalks travel once
    _reader = FileReader(crosswalks, max_rows)


def _read_here(found: tuple[str, Path]) -> FileRead:
    return _reader(found)
