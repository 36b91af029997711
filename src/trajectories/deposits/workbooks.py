"""Workbooks → grids of text cells, by python-calamine (xlsx, xlsm, xls, ods).

Rows are taken one by one and blank ones let go, so that a sheet that claims a million empty rows costs no memory.
A cell merged over several rows of one column holds in each of them, as a person reads it. A formula that failed is
blank to the reader: what it shows (#REF!) is looked for in the .xlsx itself, so that the loss is told (records.py).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import zipfile
from collections.abc import Callable

from .grid import DEEPEST_HEADER, Sheet, UnreadableDepositError, grid_of_rows

# Days from 1899-12-30 to 1904-01-01.
_SHIFT_1904 = 1462


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

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        listed = list(workbook.sheets_metadata)
    except PasswordError:
        raise UnreadableDepositError("the workbook is protected by a password: ask for it without one.") from None
    except BaseException as error:  # the reader is compiled code, whose panics are no Exception
        _let_through(error)
        raise UnreadableDepositError(_damaged(content)) from None
    shift, failed = _SHIFT_1904 if _declares_1904(content) else 0, _failed_formulas(content)
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


def _failed_formulas(content: bytes) -> dict[str, dict[int, dict[int, str]]]:
    """What the cells of an .xlsx show whose formula failed: by sheet, row from 1, and column from 0."""
    if not content.startswith(b"PK"):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
            if not any(_holds(archive, name, b't="e"') for name in sheets):
                return {}
        import openpyxl

        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        found: dict[str, dict[int, dict[int, str]]] = {}
        for sheet in book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "e"):
                found.setdefault(sheet.title, {}).setdefault(cell.row, {})[cell.column - 1] = str(cell.value)
        return found
    except Exception:
        return {}  # what else is wrong with the file is told by the reader


def _holds(archive: zipfile.ZipFile, name: str, wanted: bytes) -> bool:
    """Whether a part of an archive holds some bytes; it is never in memory whole."""
    with archive.open(name) as part:
        before = b""
        while piece := part.read(1 << 20):
            if wanted in before + piece:
                return True
            before = piece[-len(wanted) :]
    return False


def _fill_merged(rows: list[tuple[int, list[str]]], ranges, header_of) -> None:
    """Cells merged over several rows of one column, below the header: the text in each of the rows that hold more."""
    ranges = [(first[0], last[0], first[1]) for first, last in ranges if first[1] == last[1] and first[0] < last[0]]
    if not ranges:
        return
    at, known = header_of([row for _, row in rows[:DEEPEST_HEADER]])
    if not known:
        return
    header, by_number = rows[at][0], dict(rows)
    for first, last, column in ranges:
        top = by_number.get(first + 1)
        if first + 1 <= header or top is None or column >= len(top):
            continue
        for number in range(first + 2, last + 2):
            row = by_number.get(number)
            if row is not None and column < len(row) and not row[column]:
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
