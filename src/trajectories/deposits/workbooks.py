"""Workbooks → grids of text cells, by python-calamine (xlsx, xlsm, xls, ods).

Rows are taken one by one and blank ones let go, so that a sheet that claims a million empty rows costs no memory. The
compiled reader lays out the whole rectangle that holds all cells of a sheet, and ends the process where that is too
much: what a workbook asks for is looked at before it is read.
A cell merged over several rows of one column holds in each of them, as a person reads it. A formula that failed is
blank to the reader: what it shows (#REF!) is looked for in the .xlsx itself, so that the loss is told (records.py).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import re
import subprocess
import sys
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator

from .grid import DEEPEST_HEADER, Sheet, UnreadableDepositError, grid_of_rows

# Days from 1899-12-30 to 1904-01-01.
_SHIFT_1904 = 1462
# Cells of the rectangle (32 bytes each): a million rows of sixty columns.
_MOST_CELLS = 1 << 26
_MOST_MEMORY = 4 << 30
# Parts of a workbook that unfold to more than so many bytes, and so many times their size, hold nothing but repeats.
_LARGEST_PART, _MOST_UNFOLDED = 1 << 28, 200
# A reference to the right of column BL or below row 9,999,999: without one, no rectangle is too large.
_FAR = re.compile(rb"""r=["'](?:(?:[A-Za-z]{3,}|[Bb][M-Zm-z]|[C-Zc-z][A-Za-z])\d|[A-Za-z]+\d{8})""")
# The reference of a cell that holds something: blank ones end in `/>`, or are closed at once.
_FILLED = re.compile(rb"""\br=["']([A-Za-z]+)(\d+)["'][^>]*(?<!/)>(?!</)""")
_LONGEST_TAG = 1 << 10
# Reads all sheets and keeps nothing; an .xls, .xlsb or .ods does not say otherwise what it asks for.
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
    The sheets of a workbook, and (code, sheet) of what was left out or is unusual.

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
    for about in listed:
        if about.typ != SheetTypeEnum.WorkSheet:
            continue
        try:
            cells = workbook.get_sheet_by_name(about.name)
            rows, more = _rows(cells, header_of, max_rows, failed.get(about.name, {}))
        except BaseException as error:
            _let_through(error)
            notes.append(("sheet_unreadable", about.name))
            continue
        if more:
            notes.append(("too_many_rows", about.name))
        hidden = about.visible != SheetVisibleEnum.Visible
        sheets.append(Sheet(about.name, grid_of_rows(rows), shift, hidden))
    if listed and not sheets:
        raise UnreadableDepositError(_damaged(content))
    return sheets, notes


def _rows(
    sheet, header_of, max_rows: int, failed: dict[int, dict[int, str]]
) -> tuple[list[tuple[int, list[str]]], bool]:
    """The rows that hold something, each with its number, and whether there were more than may be read."""
    if sheet.start is None:
        return [], False
    left = [""] * sheet.start[1]  # blank first rows are among those given, blank first columns are not
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
    """Whether this is an .xlsx: its sheets are XML, which tells beforehand where its cells are."""
    with contextlib.suppress(zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    return False


def _try_apart(content: bytes) -> dict:
    """Read a workbook in a process of its own, which may end as it likes; nothing is known of its formulas."""
    with contextlib.suppress(OSError):  # no process can be started: it is read unseen
        try:
            done = subprocess.run(  # noqa: S603 - no part of the command is a user's text
                [sys.executable, "-I", "-c", _TRIAL], input=content, capture_output=True, timeout=_LONGEST_TRIAL,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise _too_large("it has no end") from None
        # what it raises is raised again by the reader, which then says what it is
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
    What the cells of an .xlsx show whose formula failed: by sheet, row from 1, and column from 0.

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
        found: dict[str, dict[int, dict[int, str]]] = {}
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what it claims, it would make up
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "e"):
                found.setdefault(sheet.title, {}).setdefault(cell.row, {})[cell.column - 1] = str(cell.value)
        return found
    except UnreadableDepositError:
        raise
    except Exception:
        return {}  # what else is wrong with the file is told by the reader


def _shows_errors(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether a cell of a sheet shows the error of a formula (raises UnreadableDepositError: too large a rectangle)."""
    shows = far = False
    for piece in _pieces(archive, name):
        shows, far = shows or b't="e"' in piece, far or _FAR.search(piece) is not None
    if far:
        found = {cell for piece in _pieces(archive, name) for cell in _FILLED.findall(piece)}
        right = max((column.upper() for column, _ in found), key=lambda letters: (len(letters), letters), default=b"")
        below = max((int(row) for _, row in found), default=0)
        if below * _position(right) > _MOST_CELLS:
            raise _too_large(f"its cells reach column {right.decode()} and row {below}")
    return shows


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A part of an archive, which is never in memory whole; each piece begins with the end of the one before."""
    with archive.open(name) as part:
        before = b""
        while piece := part.read(1 << 20):
            yield before + piece
            before = piece[-_LONGEST_TAG:]


def _position(letters: bytes) -> int:
    """The place of a column from 1, by its letters."""
    place = 0
    for letter in letters.upper():
        place = 26 * place + letter - ord("A") + 1
    return place


def _fill_merged(rows: list[tuple[int, list[str]]], ranges, header_of) -> None:
    """Cells merged over several rows of one column, below the header: the text in each of the rows that hold more."""
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


# What other programs of the same kind of archive put in it.
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
