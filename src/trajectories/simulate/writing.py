"""Deposits as bytes: text in an encoding, or a workbook with a fixed date: one seed, the same bytes."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
from collections.abc import Sequence

import xlsxwriter

from .habits import Habit
from .sheets import Sheet
from .slips import mojibake, nfd

_CREATED = dt.datetime(2018, 4, 1)  # a workbook's own date: any fixed one


def text_bytes(sheet: Sheet) -> bytes:
    """One sheet as separated text."""
    habit = sheet.habit
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=habit.separator, lineterminator="\r\n")
    writer.writerows([["" if c is None else str(c) for c in line.cells] for line in sheet.lines])
    return encode(buffer.getvalue(), habit.encoding)


def encode(text: str, encoding: str) -> bytes:
    """Text in one of the encodings of the contract; what it has no letter for becomes « ? »."""
    if encoding == "mojibake":
        return "\n".join(mojibake(part) for part in text.split("\n")).encode("utf-8")
    if encoding == "nfd":
        return nfd(text).encode("utf-8")
    if encoding == "utf-16":
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")  # never the machine's own byte order
    return text.encode(encoding, errors="replace")


def workbook_bytes(sheets: Sequence[Sheet], habit: Habit, notes: bool = False) -> bytes:
    """Sheets as a workbook; `notes` adds a first sheet without a header."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "date_1904": habit.dates == "serial_1904", "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"created": _CREATED})
    date_format = book.add_format({"num_format": "yyyy-mm-dd"})
    if notes:
        page = book.add_worksheet("Notes")
        page.write_string(0, 0, "Document de travail, ne pas diffuser")
        page.write_string(2, 0, "Voir les onglets suivants")
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        for i, line in enumerate(sheet.lines):
            for j, cell in enumerate(line.cells):
                if cell == "" or cell is None:
                    continue
                if isinstance(cell, dt.date):
                    page.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), date_format)
                elif isinstance(cell, int):
                    page.write_number(i, j, cell)
                else:
                    page.write_string(i, j, str(cell))
    book.close()
    return buffer.getvalue()
