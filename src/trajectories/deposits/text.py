"""Bytes of a text deposit → rows: encoding, separator and quoting decided per file, from what the file holds.

Order of trial: a byte order mark; UTF-16 by its zero bytes; UTF-8; then cp1252 or Mac Roman, whichever reads as French.
A cell of UTF-8 that was read as cp1252 (`MontrÃ©al`) is repaired only when the repair goes through whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .grid import Grid, grid_of_rows
from .regular import read_regular

SEPARATORS = (";", ",", "\t", "|")
_FRENCH = frozenset("éèêëàâçîïôûùüœÉÈÊÀÂÇÎÔŒ’«»–—№°\xa0")
# Per byte and encoding: 1 where it is a letter or sign of French, −1 where it is another sign, 0 in ASCII.
_FRENCHNESS = {
    encoding: np.array([0] * 128 + [
        1 if bytes([byte]).decode(encoding, errors="replace") in _FRENCH else -1 for byte in range(128, 256)
    ])
    for encoding in ("cp1252", "mac_roman")
}  # fmt: skip
# The zone of C1 controls stands for the five bytes that cp1252 leaves undefined.
_UNDEFINED = "".join(chr(code) for code in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
_LINES_OF_A_CELL = 60
_SAMPLE_LINES = 60


class Text(NamedTuple):
    """A text deposit by column, how it was read, and codes of what had to be set right in it."""

    grid: Grid
    encoding: str
    separator: str
    quoting: str | None  # double: cells in quotes; broken: a quote was never closed, so none of them means anything
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
    A cell whose UTF-8 was read as cp1252, brought back; any other cell as it is.

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

    `header_of` counts the headers it knows in the first rows: the separator is the one under which most are known.
    At most `max_rows` rows are read; the note `too_many_rows` says that there were more.
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
