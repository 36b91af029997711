"""Files below the raw folder → sheets of text cells, or one sentence that says why a file cannot be read.

The content decides, not the extension: a workbook saved as `.csv` is a workbook. Cells come out as text: a date cell as
2022-03-03, a whole number without decimals, so that all that follows reads one kind of thing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..slug import shown_name
from ..stamps import LARGEST_DEPOSIT
from .grid import Sheet, UnreadableDepositError, grid_of_rows
from .text import read_text
from .workbooks import as_text, read_workbook

# The first rows of a sheet → position of the header among them, and how many columns it names.
HeaderOf = Callable[[list[list[str]]], tuple[int, int]]

SUFFIXES = frozenset((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".txt", ".tsv", ".parquet"))
# May hold deposits, and are named, but never opened.
ARCHIVES = frozenset((".zip", ".7z", ".rar", ".gz", ".tar", ".tgz"))
REGISTRY = "organismes.csv"
_NOT_TEXT = {
    b"%PDF": "a PDF document", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed archive", b"7z\xbc\xaf": "a compressed archive", b"Rar!": "a compressed archive",
}  # fmt: skip
# A few are slips of a keyboard or of a conversion, also in a file of few lines.
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

    A letter of a path that not every table can hold is written by its number (`slug.shown_name`). Symbolic links are
    not followed; temporary files of Office and the registry `organismes.csv` are no deposits. A folder that may not be
    listed raises: what lies in it would be lost in silence, or the sample be taken instead.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    found = []
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() not in SUFFIXES | ARCHIVES or name.startswith((".", "~$")) or path.is_symlink():
                continue
            file = shown_name(path.relative_to(folder).as_posix())
            if file.lower() != REGISTRY:
                found.append((file, path))
    return sorted(found)


def read_source(path: Path, file: str, header_of: HeaderOf, max_rows: int) -> Source:
    """
    Read one deposit.

    Raises
    ------
    UnreadableDepositError
        Empty, binary, encrypted, HTML, a damaged workbook: a sentence without the file's name.
    """
    return read_content(content_of(path), path.suffix.lower(), file, header_of, max_rows)


def content_of(path: Path) -> bytes:
    """The bytes of a deposit (raises UnreadableDepositError where they cannot be had)."""
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
        # the names of the columns stand where a spreadsheet would show its first row
        rows.append(list(table.schema_arrow.names))
        # a few bytes may claim as many equal rows as they like: no more are unfolded than may be read
        for batch in table.iter_batches(batch_size=_ROWS_UNFOLDED):
            columns = [column.to_pylist() for column in batch.columns]
            rows += [[c if type(c) is str else as_text(c) for c in row] for row in zip(*columns, strict=True)]
            if len(rows) > max_rows:
                break
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        raise UnreadableDepositError("the parquet file is damaged: ask for it again.") from None
    notes = (("too_many_rows", ""),) if len(rows) > max_rows else ()
    return Source(file, (Sheet("", grid_of_rows(enumerate(rows[:max_rows], start=1))),), notes=notes)
