"""Files below the raw folder → sheets of text cells, or one sentence that says why a file cannot be read.

The content decides, not the extension: a workbook saved as `.csv` is a workbook. Cells come out as text: a date cell as
2022-03-03, a whole number without decimals, so that all that follows reads one kind of thing.
"""

from __future__ import annotations

import datetime as dt
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import TrajectoriesError
from .text import read_text

SUFFIXES = frozenset((".xlsx", ".xlsm", ".xls", ".ods", ".csv", ".txt", ".tsv", ".parquet"))
REGISTRY = "organismes.csv"
_NOT_TEXT = {
    b"%PDF": "a PDF document", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed archive", b"7z\xbc\xaf": "a compressed archive", b"Rar!": "a compressed archive",
}  # fmt: skip
_CONTROLS = bytes(set(range(1, 32)) - {9, 10, 12, 13})


class UnreadableDepositError(TrajectoriesError):
    """A deposit that cannot be read: what it is and what to do."""


@dataclass(frozen=True)
class Sheet:
    """One sheet: its name (empty for text and parquet), all its rows from the first, and its serials' shift in days."""

    name: str
    rows: list[list[str]]
    serial_shift: int = 0


@dataclass(frozen=True)
class Source:
    """One file read."""

    file: str
    sheets: tuple[Sheet, ...]
    encoding: str | None = None
    separator: str | None = None
    notes: tuple[tuple[str, str], ...] = ()  # (code, sheet)


def find_deposits(folder: Path) -> list[tuple[str, Path]]:
    """
    The deposits below a folder as (path below it with `/`, path), in the order of those paths.

    Symbolic links are not followed; temporary files of Office and the registry `organismes.csv` are no deposits.
    """
    found = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() not in SUFFIXES or name.startswith((".", "~$")) or path.is_symlink():
                continue
            file = path.relative_to(folder).as_posix()
            if file.lower() != REGISTRY:
                found.append((file, path))
    return sorted(found)


def read_source(path: Path, file: str, recognise: Callable[[list[list[str]]], int], max_rows: int) -> Source:
    """
    Read one deposit.

    Raises
    ------
    UnreadableDepositError
        Empty, binary, encrypted, HTML, a damaged workbook: a sentence without the file's name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableDepositError(f"the file cannot be opened ({error.strerror}): check its permissions.") from None
    if not content.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise UnreadableDepositError("the file is empty: ask the organisation to send it again.")
    head = content[:8]
    if head.startswith(b"PK\x03\x04") or head == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _read_workbook(content, file, max_rows)
    if head.startswith(b"PAR1"):
        return _read_parquet(content, file, max_rows)
    for magic, kind in _NOT_TEXT.items():
        if head.startswith(magic):
            raise UnreadableDepositError(f"this is {kind}, not a table: ask for an .xlsx or .csv file.")
    if path.suffix.lower() in (".parquet", ".xlsx", ".xlsm", ".ods"):
        raise UnreadableDepositError(
            f"this is not a valid {path.suffix.lower()} file (damaged, cut off or of another kind): ask for it again."
        )
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<table", b"<?xml", b"<meta", b"<head")):
        raise UnreadableDepositError(
            "this is a web page (HTML or XML) saved as a table: open it and save it as .xlsx or .csv."
        )
    if _is_binary(content):
        raise UnreadableDepositError("the content is binary, not text nor a workbook: ask for an .xlsx or .csv file.")
    text = read_text(content, recognise, max_rows)
    sheets = (Sheet("", text.rows),)
    return Source(file, sheets, text.encoding, text.separator, tuple((note, "") for note in text.notes))


def _is_binary(content: bytes) -> bool:
    """Control characters that no text holds (UTF-16 and stray NULs aside) in more than 1 % of the first bytes."""
    head = content[:8192]
    controls = len(head) - len(head.translate(None, _CONTROLS))
    zeros = head.count(0)
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff")) or max(head[0::2].count(0), head[1::2].count(0)) == zeros
    return controls > 0.01 * len(head) or (zeros > 0.1 * len(head) and not utf16)


def _read_workbook(content: bytes, file: str, max_rows: int) -> Source:
    from python_calamine import CalamineWorkbook, PasswordError

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = list(workbook.sheet_names)
    except PasswordError:
        raise UnreadableDepositError("the workbook is protected by a password: ask for it without one.") from None
    except BaseException as error:  # the reader is compiled code, whose panics are no Exception
        _let_through(error)
        raise UnreadableDepositError(_damaged(content)) from None
    shift = 1462 if _declares_1904(content) else 0
    sheets, notes = [], []
    for name in names:
        try:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=max_rows + 1)
        except BaseException as error:
            _let_through(error)
            notes.append(("sheet_unreadable", name))
            continue
        if len(rows) > max_rows:
            notes.append(("too_many_rows", name))
            rows = rows[:max_rows]
        sheets.append(Sheet(name, [[c if type(c) is str else as_text(c) for c in row] for row in rows], shift))
    if names and not sheets:
        raise UnreadableDepositError(_damaged(content))
    return Source(file, tuple(sheets), None, None, tuple(notes))


def _let_through(error: BaseException) -> None:
    if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
        raise error


def _damaged(content: bytes) -> str:
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


def _read_parquet(content: bytes, file: str, max_rows: int) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
        columns = [column.to_pylist() for column in table.columns]
    except (pa.ArrowException, OSError, ValueError):
        raise UnreadableDepositError("the parquet file is damaged: ask for it again.") from None
    # the names of the columns stand where a spreadsheet would show its first row
    rows = [list(table.column_names)]
    rows += [[c if type(c) is str else as_text(c) for c in row] for row in zip(*columns, strict=True)]
    notes = (("too_many_rows", ""),) if len(rows) > max_rows else ()
    return Source(file, (Sheet("", rows[:max_rows]),), None, None, notes)


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
