"""Files below the raw folder → sheets of text cells, or a message that says why a file cannot be read.

The content decides, not the extension: a workbook saved as `.csv` is a workbook. Every cell becomes text: a date cell
2022-03-03, a whole number without decimals.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import os
import re
import subprocess
import sys
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..exceptions import TrajectoriesError
from ..folders import shown_name
from ..stamps import LARGEST_DEPOSIT

# ----------------------------------------------------------------------------------------------------
# The cells of one sheet by column: per column the distinct texts, and per row the position of its text.
#
# The readers of text, workbooks and parquet all return a grid, so that a text is kept once however often it is typed
# and all later work is on distinct texts. Blank rows are left out.

# A header is looked for within this many rows from the top.
DEEPEST_HEADER = 40
# Columns of a spreadsheet: a text with more is no table.
MOST_COLUMNS = 16_384


class UnreadableDepositError(TrajectoriesError):
    """A deposit that cannot be read: the reason and what to do."""


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
        """The column at these rows, with only their texts."""
        codes = self.codes[rows]
        used = np.zeros(len(self.texts), dtype=bool)
        used[codes] = True
        if used.all():
            return Coded(codes, self.texts)
        position = np.cumsum(used) - 1
        return Coded(position[codes], [self.texts[at] for at in np.flatnonzero(used).tolist()])

    def where(self, test) -> np.ndarray:
        """Per row, whether `test` holds for its text."""
        return np.fromiter(map(test, self.texts), bool, len(self.texts))[self.codes]


class Grid(NamedTuple):
    """
    The rows of a sheet that are not blank.

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
    """Whether a cell is empty or only spaces."""
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
    """The grid without blank rows."""
    blank = np.ones(len(grid.numbers), dtype=bool)
    for column in grid.columns:
        blank &= column.where(is_blank)
        if not blank.any():
            return grid
    kept = ~blank
    columns = [Coded(column.codes[kept], column.texts) for column in grid.columns]
    return Grid(grid.numbers[kept], grid.lengths[kept], columns)


# ----------------------------------------------------------------------------------------------------
# The fast reader of text (pyarrow, compiled), for files on which it cannot differ from the csv module.
#
# Such a file has the same number of cells on every line and quotes only around whole cells. Any other file is read row
# by row (`_quoted_rows`); a property test compares the two readers.

# Bytes: a larger file is read row by row, as the compiled reader takes it as one block.
_LARGEST = 1 << 30
# Characters: the csv module refuses a longer cell.
_LONGEST_CELL = 131_072
_LINE_END = re.compile(r"[\r\n]")


def read_regular(text: str, separator: str, max_rows: int) -> Grid | None:
    """
    The cells of a regular text, or None where it may not be regular.

    Examples
    --------
    >>> grid = read_regular("a;b\\n1;2\\n1;3\\n", ";", 100)
    >>> grid.head(3), grid.columns[0].texts
    ([['a', 'b'], ['1', '2'], ['1', '3']], ['a', '1'])
    >>> read_regular("a;b\\n1\\n", ";", 100) is None
    True
    """
    import pyarrow as pa
    from pyarrow import csv

    text = text.rstrip("\r\n")
    if not text or text[0] in "\r\n\ufeff" or text.count("\n") + text.count("\r") >= max_rows:
        return None
    quoted = '"' in text
    if quoted and not _well_quoted(text, separator):
        return None
    first = _LINE_END.split(text, maxsplit=1)[0]
    names = [str(number) for number in range(first.count(separator) + 1)]
    content = text.encode("utf-8")
    if not 2 <= len(names) <= MOST_COLUMNS or len(content) > _LARGEST or (quoted and '"' in first):
        return None
    try:
        table = csv.read_csv(
            pa.py_buffer(content),
            read_options=csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=names),
            parse_options=csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if quoted else False,
                escape_char=False,
                newlines_in_values=False,
                ignore_empty_lines=False,
            ),
            convert_options=csv.ConvertOptions(
                check_utf8=False, column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string()))
            ),
        )
    except pa.ArrowException:
        return None
    n = table.num_rows
    columns = []
    for column in table.columns:
        if column.num_chunks != 1:
            return None
        chunk = column.chunk(0)
        columns.append(Coded(chunk.indices.to_numpy(), chunk.dictionary.to_pylist()))
    if quoted and any(len(cell) > _LONGEST_CELL for column in columns for cell in column.texts):
        return None
    return without_blank_rows(Grid(np.arange(1, n + 1), np.full(n, len(names)), columns))


def _well_quoted(text: str, separator: str) -> bool:
    """Whether quotes stand only around whole cells of one line, and inside them only doubled."""
    ends = separator + "\r\n"
    pieces = text.split('"')  # outside, inside, outside …: two quotes in a row leave an empty piece between them
    if len(pieces) % 2 == 0 or (pieces[0] and pieces[0][-1] not in ends) or (pieces[-1] and pieces[-1][0] not in ends):
        return False
    if any(piece and (piece[0] not in ends or piece[-1] not in ends) for piece in pieces[2:-1:2]):
        return False
    return not any("\n" in piece or "\r" in piece for piece in pieces[1::2])


# ----------------------------------------------------------------------------------------------------
# Bytes of a text deposit → rows: encoding, separator and quoting decided per file, from its content.
#
# Encodings are tried in order: a byte order mark; UTF-16 by its zero bytes; UTF-8; then cp1252 or Mac Roman, whichever
# gives more French letters. A cell of UTF-8 that was read as cp1252 (`MontrÃ©al`) is repaired only where all of it
# decodes.

SEPARATORS = (";", ",", "\t", "|")
_FRENCH = frozenset("éèêëàâçîïôûùüœÉÈÊÀÂÇÎÔŒ’«»–—№°\xa0")
# Per byte and encoding: 1 where it is a letter or sign of French, −1 where it is another sign, 0 in ASCII.
_FRENCHNESS = {
    encoding: np.array(
        [0] * 128
        + [1 if bytes([byte]).decode(encoding, errors="replace") in _FRENCH else -1 for byte in range(128, 256)]
    )
    for encoding in ("cp1252", "mac_roman")
}
# The C1 controls of the five bytes that cp1252 leaves undefined.
_UNDEFINED = "".join(chr(code) for code in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
_LINES_OF_A_CELL = 60
_SAMPLE_LINES = 60


class Text(NamedTuple):
    """A text deposit by column, how it was read, and codes of the corrections made."""

    grid: Grid
    encoding: str
    separator: str
    quoting: str | None  # double: cells in quotes; broken: a quote was never closed, so quotes are plain characters
    notes: tuple[str, ...]


def decode(content: bytes) -> tuple[str, str]:
    """
    Text and encoding of the bytes.

    Examples
    --------
    >>> decode("Montréal".encode("cp1252")), decode("Montréal".encode("mac_roman"))
    (('Montréal', 'cp1252'), ('Montréal', 'mac_roman'))
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), encoding
    head = content[:4096]
    zeros = head[0::2].count(0), head[1::2].count(0)
    if max(zeros) > 0.3 * len(head) / 2 and min(zeros) < 0.05 * len(head) / 2:
        encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        return content.decode(encoding, errors="replace"), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    counts = np.bincount(np.frombuffer(content, dtype=np.uint8), minlength=256)
    if counts @ _FRENCHNESS["mac_roman"] > counts @ _FRENCHNESS["cp1252"]:
        return content.decode("mac_roman"), "mac_roman"
    return content.decode("cp1252", errors="replace"), "cp1252"


def may_be_mojibake(text: str) -> bool:
    """Whether a text holds a letter that UTF-8 read as cp1252 begins with."""
    return "Ã" in text or "Â" in text or "â€" in text or "Å" in text


def repaired(cell: str) -> str:
    """
    A cell whose UTF-8 was read as cp1252, repaired; any other cell unchanged.

    Examples
    --------
    >>> repaired("MontrÃ©al"), repaired("SÃO")
    ('Montréal', 'SÃO')
    """
    if not may_be_mojibake(cell):
        return cell
    # « à » is C3 A0: the second half is a no-break space, which spreadsheets turn into a plain one
    for candidate in (cell, cell.replace("Ã ", "Ã\xa0")):
        try:
            raw = b"".join(
                letter.encode("latin-1") if letter in _UNDEFINED else letter.encode("cp1252") for letter in candidate
            )
            return raw.decode("utf-8")
        except UnicodeError:
            continue
    return cell


def read_text(content: bytes, header_of: Callable[[list[list[str]]], tuple[int, int]], max_rows: int) -> Text:
    """
    Rows of a text deposit.

    `header_of` counts the known headers in the first rows: the separator is the one that gives most of them. At most
    `max_rows` rows are read; the note `too_many_rows` says that there were more.
    """
    text, encoding = decode(content)
    notes = []
    if "\0" in text:
        text = text.replace("\0", "")
        notes.append("nul_bytes")
    text = text.rstrip("\r\n\x1a")  # control-Z ends a file of DOS
    separator = _separator(text, header_of)
    quoting = "double" if '"' in text else None
    grid = read_regular(text, separator, max_rows)
    if grid is None:
        rows = _quoted_rows(text, separator, max_rows)
        if rows is None:
            rows = [line.split(separator) for line in _lines(text)]
            if quoting:
                notes.append("unclosed_quote")
                quoting = "broken"
        if len(rows) > max_rows:
            notes.append("too_many_rows")
        grid = grid_of_rows(enumerate(rows[:max_rows], start=1))
    return Text(grid, encoding, separator, quoting, tuple(notes))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _separator(text: str, header_of: Callable[[list[list[str]]], tuple[int, int]]) -> str:
    sample = "\n".join(_lines(text[:100_000])[:_SAMPLE_LINES])
    scores = {}
    for separator in SEPARATORS:
        rows = _quoted_rows(sample, separator, _SAMPLE_LINES)
        if rows is None:
            rows = [line.split(separator) for line in _lines(sample)]
        scores[separator] = header_of(rows)[1]
    return max(SEPARATORS, key=scores.__getitem__)


def _quoted_rows(text: str, separator: str, max_rows: int) -> list[list[str]] | None:
    """Rows by the rules of quoting, or None where a quote was opened and not closed."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            rows.append(row)
            if len(rows) > max_rows:
                break
    except csv.Error:
        return None
    # only a file with fewer rows than lines holds cells of several lines
    several = len(rows) + _LINES_OF_A_CELL < max(text.count("\n"), text.count("\r"))
    if (
        several
        and len(rows) <= max_rows
        and any(cell.count("\n") + cell.count("\r") > _LINES_OF_A_CELL for row in rows for cell in row)
    ):
        return None
    if rows and any("\n" in cell or "\r" in cell for cell in rows[-1]) and text.count('"') % 2:
        return None  # the last cell ran to the end of the file
    return rows


# ----------------------------------------------------------------------------------------------------
# Workbooks → grids of text cells, by python-calamine (xlsx, xlsm, xls, ods).
#
# Rows are read one by one and blank ones dropped, so that a sheet that claims a million empty rows costs no memory. The
# compiled reader allocates the rectangle that holds all cells of a sheet, and ends the process where memory does not
# suffice: the size is checked before a workbook is read. A cell merged over several rows of one column counts in each
# of them. A formula error is blank to the reader: its text (#REF!) is read from the .xlsx itself, so that the loss is
# listed (records.py).

# Days from 1899-12-30 to 1904-01-01.
_SHIFT_1904 = 1462
# Cells of the rectangle (32 bytes each): a million rows of sixty columns.
_MOST_CELLS = 1 << 26
_MOST_MEMORY = 4 << 30
# A part of a workbook that unpacks to more than so many bytes, and so many times its size, is only repeats: refused.
_LARGEST_PART, _MOST_UNFOLDED = 1 << 28, 200
# A reference to the right of column BL or below row 9,999,999: without one, no rectangle is too large.
_FAR = re.compile(rb"""r=["'](?:(?:[A-Za-z]{3,}|[Bb][M-Zm-z]|[C-Zc-z][A-Za-z])\d|[A-Za-z]+\d{8})""")
# The reference of a cell that is not blank: blank ones end in `/>`, or are closed at once.
_FILLED = re.compile(rb"""\br=["']([A-Za-z]+)(\d+)["'][^>]*(?<!/)>(?!</)""")
_LONGEST_TAG = 1 << 10
# Reads all sheets and keeps nothing: the only way to learn how much memory an .xls, .xlsb or .ods needs.
_TRIAL = f"""
import io, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({_MOST_MEMORY}, {_MOST_MEMORY}))
except (ImportError, ValueError):
    pass
from python_calamine import CalamineWorkbook
book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
for name in book.sheet_names:
    book.get_sheet_by_name(name)
"""
_LONGEST_TRIAL = 600


def read_workbook(
    content: bytes, header_of: Callable[[list[list[str]]], tuple[int, int]], max_rows: int
) -> tuple[list[Sheet], list[tuple[str, str]]]:
    """
    The sheets of a workbook, and notes (code, sheet) of sheets that could not be read or were cut.

    Raises
    ------
    UnreadableDepositError
        Protected by a password, or damaged.
    """
    from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

    failed = _failed_formulas(content) if _is_modern(content) else _try_apart(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        listed = list(workbook.sheets_metadata)
    except PasswordError:
        raise UnreadableDepositError("the workbook is protected by a password: ask for it without one.") from None
    except BaseException as error:  # the reader is compiled code, whose panics are no Exception
        _let_through(error)
        raise UnreadableDepositError(_damaged(content)) from None
    shift = _SHIFT_1904 if _declares_1904(content) else 0
    sheets, notes = [], []
    for metadata in listed:
        if metadata.typ != SheetTypeEnum.WorkSheet:
            continue
        try:
            cells = workbook.get_sheet_by_name(metadata.name)
            rows, more = _rows(cells, header_of, max_rows, failed.get(metadata.name, {}))
        except BaseException as error:
            _let_through(error)
            notes.append(("sheet_unreadable", metadata.name))
            continue
        if more:
            notes.append(("too_many_rows", metadata.name))
        hidden = metadata.visible != SheetVisibleEnum.Visible
        sheets.append(Sheet(metadata.name, grid_of_rows(rows), shift, hidden))
    if listed and not sheets:
        raise UnreadableDepositError(_damaged(content))
    return sheets, notes


def _rows(
    sheet, header_of, max_rows: int, failed: dict[int, dict[int, str]]
) -> tuple[list[tuple[int, list[str]]], bool]:
    """The rows that are not blank, each with its number, and whether there were more than `max_rows`."""
    if sheet.start is None:
        return [], False
    left = [""] * sheet.start[1]  # the reader returns blank first rows, but not blank first columns
    rows, more = [], False
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        row = [*left, *(cell if type(cell) is str else as_text(cell) for cell in cells)]
        for position, shown in failed.get(number, {}).items():
            row[position : position + 1] = [shown]
        if not any(row) or "".join(row).isspace():
            continue
        if number > max_rows:
            more = True
            break
        rows.append((number, row))
    _fill_merged(rows, sheet.merged_cell_ranges or (), header_of)
    return rows, more


def _is_modern(content: bytes) -> bool:
    """Whether this is an .xlsx: its sheets are XML, where the references of its cells can be read beforehand."""
    with contextlib.suppress(zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    return False


def _try_apart(content: bytes) -> dict:
    """Read a workbook in a separate process, which may crash; formula errors are not known (an empty dict)."""
    with contextlib.suppress(OSError):  # no process can be started: it is read without the trial
        try:
            done = subprocess.run(  # noqa: S603 - no part of the command is a user's text
                [sys.executable, "-I", "-c", _TRIAL],
                input=content,
                capture_output=True,
                timeout=_LONGEST_TRIAL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _too_large("it has no end") from None
        # code 1: the reader will raise the same error again, and report it
        if done.returncode not in (0, 1):
            raise _too_large("a trial of it failed")
    return {}


def _too_large(why: str) -> UnreadableDepositError:
    return UnreadableDepositError(
        f"the workbook asks for more memory than a deposit may ({why}): remove the cells far from the table, and save "
        "it again as .xlsx."
    )


def _failed_formulas(content: bytes) -> dict[str, dict[int, dict[int, str]]]:
    """
    The formula errors shown in the cells of an .xlsx: by sheet, row from 1, and column from 0.

    Raises
    ------
    UnreadableDepositError
        It asks for more memory than a deposit may.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for part in archive.infolist():
                if part.file_size > max(_LARGEST_PART, _MOST_UNFOLDED * part.compress_size):
                    raise _too_large(f"it unfolds to {part.file_size:,} bytes")
            sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
            if not any([_shows_errors(archive, name) for name in sheets]):
                return {}
        import openpyxl

        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        errors: dict[str, dict[int, dict[int, str]]] = {}
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # else rows are padded to the dimensions that the file claims
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "e"):
                errors.setdefault(sheet.title, {}).setdefault(cell.row, {})[cell.column - 1] = str(cell.value)
        return errors
    except UnreadableDepositError:
        raise
    except Exception:
        return {}  # other faults of the file are reported by the reader


def _shows_errors(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether a cell of a sheet shows a formula error (raises UnreadableDepositError: too large a rectangle)."""
    shows = far = False
    for piece in _pieces(archive, name):
        shows, far = shows or b't="e"' in piece, far or _FAR.search(piece) is not None
    if far:
        filled_cells = {cell for piece in _pieces(archive, name) for cell in _FILLED.findall(piece)}
        right = max(
            (column.upper() for column, _ in filled_cells), key=lambda letters: (len(letters), letters), default=b""
        )
        below = max((int(row) for _, row in filled_cells), default=0)
        if below * _position(right) > _MOST_CELLS:
            raise _too_large(f"its cells reach column {right.decode()} and row {below}")
    return shows


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A part of an archive in pieces, to save memory; each begins with the end of the one before."""
    with archive.open(name) as part:
        before = b""
        while piece := part.read(1 << 20):
            yield before + piece
            before = piece[-_LONGEST_TAG:]


def _position(letters: bytes) -> int:
    """The position of a column from 1, by its letters."""
    position = 0
    for letter in letters.upper():
        position = 26 * position + letter - ord("A") + 1
    return position


def _fill_merged(rows: list[tuple[int, list[str]]], ranges, header_of) -> None:
    """Copy the text of cells merged over several rows of one column, below the header, to each row listed."""
    ranges = [(first[0], last[0], first[1]) for first, last in ranges if first[1] == last[1] and first[0] < last[0]]
    if not ranges:
        return
    at, known = header_of([row for _, row in rows[:DEEPEST_HEADER]])
    if not known:
        return
    header, by_number, numbers = rows[at][0], dict(rows), [number for number, _ in rows]
    for first, last, column in ranges:
        top = by_number.get(first + 1)
        if first + 1 <= header or top is None or column >= len(top):
            continue
        for _, row in rows[bisect_left(numbers, first + 2) : bisect_right(numbers, last + 1)]:
            if column < len(row) and not row[column]:
                row[column] = top[column]


def _let_through(error: BaseException) -> None:
    if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
        raise error


# Folders in the zip archives of other office programs.
_OTHER_ARCHIVES = {"word/": "a Word document", "ppt/": "a presentation"}


def _damaged(content: bytes) -> str:
    with contextlib.suppress(zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
        for start, kind in _OTHER_ARCHIVES.items():
            if any(name.startswith(start) for name in names):
                return f"this is {kind}, not a table: ask for an .xlsx or .csv file."
    if b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e" in content:
        return "the workbook is encrypted: ask for it without a password."
    return "the workbook is damaged or incomplete: open it, save it again as .xlsx, and send that."


def _declares_1904(content: bytes) -> bool:
    """Whether an .xlsx counts its days from 1904 (its date cells are converted already, its bare numbers are not)."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            head = archive.read("xl/workbook.xml")
    except (KeyError, zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError):
        return False
    return b'date1904="1"' in head or b'date1904="true"' in head


def as_text(cell) -> str:
    """
    A typed cell as text.

    Examples
    --------
    >>> as_text(3.0), as_text(4.5), as_text(dt.date(2022, 3, 3)), as_text(True), as_text(None)
    ('3', '4.5', '2022-03-03', 'oui', '')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "oui" if cell else "non"
    if isinstance(cell, float):
        if cell != cell:
            return ""
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="replace")
    return str(cell)


# ----------------------------------------------------------------------------------------------------

# First rows of a sheet → position of the header among them, and how many columns it names.
HeaderOf = Callable[[list[list[str]]], tuple[int, int]]

SUFFIXES = frozenset((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".txt", ".tsv", ".parquet"))
# May hold deposits: listed, but never opened.
ARCHIVES = frozenset((".zip", ".7z", ".rar", ".gz", ".tar", ".tgz"))
REGISTRY = "organismes.csv"
_NOT_TEXT = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed archive",
    b"7z\xbc\xaf": "a compressed archive",
    b"Rar!": "a compressed archive",
}
# So many control characters may be slips of a keyboard or of a conversion, even in a short file.
_STRAY_CONTROLS = 4
_ROWS_UNFOLDED = 65_536
_CONTROLS = bytes(set(range(1, 32)) - {9, 10, 12, 13})


@dataclass(frozen=True)
class Source:
    """One file read."""

    file: str
    sheets: tuple[Sheet, ...]
    encoding: str | None = None
    separator: str | None = None
    quoting: str | None = None
    notes: tuple[tuple[str, str], ...] = ()  # (code, sheet)


def find_deposits(folder: Path) -> list[tuple[str, Path]]:
    """
    The deposits below a folder as (path below it with `/`, path), in the order of those paths.

    A character of a path that not every table can hold is written by its number (`folders.shown_name`). Symbolic links
    are not followed; temporary files of Office and the registry `organismes.csv` are no deposits. A folder that may not
    be listed raises: otherwise its deposits would be lost in silence, or the sample taken instead.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    deposits = []
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() not in SUFFIXES | ARCHIVES or name.startswith((".", "~$")) or path.is_symlink():
                continue
            file = shown_name(path.relative_to(folder).as_posix())
            if file.lower() != REGISTRY:
                deposits.append((file, path))
    return sorted(deposits)


def read_source(path: Path, file: str, header_of: HeaderOf, max_rows: int) -> Source:
    """
    Read one deposit.

    Raises
    ------
    UnreadableDepositError
        Empty, binary, encrypted, HTML, a damaged workbook: a message without the file's name.
    """
    return read_content(content_of(path), path.suffix.lower(), file, header_of, max_rows)


def content_of(path: Path) -> bytes:
    """The bytes of a deposit (raises UnreadableDepositError where they cannot be read)."""
    if path.suffix.lower() in ARCHIVES:
        raise UnreadableDepositError("this is a compressed archive: take the files out of it, and remove it.")
    try:
        if path.exists() and not path.is_file():  # it might never end
            raise UnreadableDepositError("this is a pipe, a socket or a device, not a file: remove it from the folder.")
        if isinstance(path, Path) and path.stat().st_size > LARGEST_DEPOSIT:
            raise UnreadableDepositError("the file is larger than 2 GB: divide it into several.")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableDepositError(f"the file cannot be opened ({error.strerror}): check its permissions.") from None


def read_content(content: bytes, suffix: str, file: str, header_of: HeaderOf, max_rows: int) -> Source:
    """Read the bytes of one deposit, as `read_source` does."""
    if not content.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise UnreadableDepositError("the file is empty: ask the organisation to send it again.")
    head = content[:8]
    if head.startswith(b"PK\x03\x04") or head == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        sheets, notes = read_workbook(content, header_of, max_rows)
        return Source(file, tuple(sheets), notes=tuple(notes))
    if head.startswith(b"PAR1"):
        return _read_parquet(content, file, max_rows)
    for magic, kind in _NOT_TEXT.items():
        if head.startswith(magic):
            raise UnreadableDepositError(f"this is {kind}, not a table: ask for an .xlsx or .csv file.")
    if suffix in (".parquet", ".xlsx", ".xlsm", ".xlsb", ".ods"):
        raise UnreadableDepositError(
            f"this is not a valid {suffix} file (damaged, cut off or of another kind): ask for it again."
        )
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<table", b"<?xml", b"<meta", b"<head")):
        raise UnreadableDepositError(
            "this is a web page (HTML or XML) saved as a table: open it and save it as .xlsx or .csv."
        )
    if _is_binary(content):
        raise UnreadableDepositError("the content is binary, not text nor a workbook: ask for an .xlsx or .csv file.")
    text = read_text(content, header_of, max_rows)
    notes = tuple((note, "") for note in text.notes)
    return Source(file, (Sheet("", text.grid),), text.encoding, text.separator, text.quoting, notes)


def _is_binary(content: bytes) -> bool:
    """More than a few control characters, and in over 1 % of the first bytes (UTF-16 and stray NULs aside)."""
    head = content.rstrip(b"\0")[:8192]
    controls = len(head) - len(head.translate(None, _CONTROLS))
    zeros = head.count(0)
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff")) or max(head[0::2].count(0), head[1::2].count(0)) == zeros
    return controls > max(_STRAY_CONTROLS, 0.01 * len(head)) or (zeros > 0.1 * len(head) and not utf16)


def _read_parquet(content: bytes, file: str, max_rows: int) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[list[str]] = []
    try:
        table = pq.ParquetFile(io.BytesIO(content))
        # the names of the columns are the first row, as in a spreadsheet
        rows.append(list(table.schema_arrow.names))
        # a few bytes may encode any number of equal rows: no more are unpacked than may be read
        for batch in table.iter_batches(batch_size=_ROWS_UNFOLDED):
            columns = [column.to_pylist() for column in batch.columns]
            rows += [[c if type(c) is str else as_text(c) for c in row] for row in zip(*columns, strict=True)]
            if len(rows) > max_rows:
                break
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        raise UnreadableDepositError("the parquet file is damaged: ask for it again.") from None
    notes = (("too_many_rows", ""),) if len(rows) > max_rows else ()
    return Source(file, (Sheet("", grid_of_rows(enumerate(rows[:max_rows], start=1))),), notes=notes)
