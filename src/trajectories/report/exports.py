"""Every published table as files: CSV and a workbook for Excel, a dictionary, the indicators for a dashboard.

Below `shareable/donnees/`: one CSV a table (all places in it; UTF-8 with its mark; `;` and decimal comma as Excel has
them in French, `,` and decimal point in English), the same tables in `trajectoires.xlsx` after a sheet that says how to
read them, `dictionnaire.csv`, `indicateurs.csv`. Files bear the same names in both languages. Codes stay text, no text
is taken for a formula, and nothing names a machine, a person or an hour: the same tables give the same bytes.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from ..disclosure import Protected
from ..folders import harmless, replaced
from ..slug import slug
from .indicators import indicators
from .labelled import COLUMNS, STATUSES, Sheet, labelled, sheet
from .run import Run
from .words import FIRST, Words
from .words import words as words_of

FOLDER = "donnees"
WORKBOOK, DICTIONARY = "trajectoires.xlsx", "dictionary"
# What this room writes, and takes away again where a run makes it no more.
ENDINGS = (".csv", ".xlsx")
_WIDEST, _NARROWEST = 60, 9
# Nothing is told to more.
DECIMALS = 4
# What stands between cells, and before decimals, where Excel is in that language.
_MARKS = {"fr": (";", ","), "en": (",", ".")}


def write_exports(
    tables: Mapping[str, Protected], words: Words, run: Run, folder: Path, within: Path | None = None
) -> list[str]:
    """
    Write the files of `exported`, by way of the folder `within`, and remove those of an earlier run that are no more.

    Returns
    -------
    list of str
        The names: the workbook, the indicators, the dictionary, then the tables.

    Raises
    ------
    DisclosureError, TableError
        As `exported`; nothing is written then.
    """
    files = exported(tables, words, run)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with replaced(folder / name, within) as scratch:
            scratch.write_bytes(content)
    for path in folder.iterdir():
        # a run that was killed leaves a hidden scratch file, of a workbook too
        if path.name not in files and (path.suffix in ENDINGS or path.name.startswith(".")):
            path.unlink()
    return list(files)


def exported(tables: Mapping[str, Protected], words: Words, run: Run) -> dict[str, bytes]:
    """
    The files, by name.

    Parameters
    ----------
    tables : mapping of str to Protected
        As `report.protected.shown_tables` returns them.
    words : Words
    run : Run

    Raises
    ------
    DisclosureError
        A table did not pass through `protect`.
    TableError
        A table or a column that nobody has let out, or that has no words.
    """
    made = {name: labelled(name, table, words, run) for name, table in tables.items()}
    sheets = [indicators(made, tables.get("counts"), words, run), *(made[name] for name in COLUMNS if name in made)]
    described = _dictionary(sheets, words, run)
    rules = next(iter(tables.values())).rules
    about = list(_reading(sheets, words, run, rules))
    first = [sheets[0], described]
    book = _workbook(words.say("sheet.reading"), about, [*sheets, described])
    return {WORKBOOK: book, **{_file(one): _csv(one, words.language) for one in (*first, *sheets[1:])}}


def _file(one: Sheet) -> str:
    return f"{slug(words_of(FIRST).say(f'sheet.{one.name}'))}.csv"


def _dictionary(sheets: list[Sheet], words: Words, run: Run) -> Sheet:
    """Every column of every file: its header, its code, what it holds and what that means."""
    names = ["file", "sheet", "row", "column", "variable", "kind", "meaning"]
    itself = sheet(DICTIONARY, pd.DataFrame(columns=names), words, run)
    rows = [
        (_file(one), one.title, one.what, column.header, column.name, words.say(f"kind.{column.kind}"), column.meaning)
        for one in (*sheets, itself)
        for column in one.columns
    ]
    return sheet(DICTIONARY, pd.DataFrame(rows, columns=names), words, run)


def _reading(sheets: list[Sheet], words: Words, run: Run, rules) -> Iterator[tuple[str, str]]:
    """How to read the workbook: a line a thing to know, what it is and what is said of it."""
    say = words.say
    yield say("reading.title"), say("opening.series", programme=say("opening.programme"))
    if run.synthetic:
        yield say("page.synthetic"), say("reading.synthetic")
    yield say("reading.what"), say("reading.what_said")
    yield say("facts.cutoff"), words.date(run.cutoff)
    yield say("facts.perimeter"), words.label("perimeter", run.perimeter)
    yield say("facts.scope"), words.label("scope", run.scope)
    yield say("facts.pathway"), words.label("pathway", run.pathway or "all")
    said = {"threshold": rules.threshold, "households": rules.households, "base": rules.round}
    yield say("facts.rules"), say("facts.rules_said", **said, denominator=rules.rate_denominator)
    for status in STATUSES:
        yield words.label("status", status), say(f"status_means.{status}")
    for subject in ("proportions", "codes", "places", "cause"):
        yield say(f"reading.{subject}"), say(f"reading.{subject}_said")
    yield say("facts.version"), run.version
    for one in sheets:
        yield one.title, one.what


def _csv(one: Sheet, language: str) -> bytes:
    between, point = _MARKS[language]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=between, lineterminator="\r\n")
    writer.writerow([column.header for column in one.columns])
    writer.writerows([[_as_text(cell, point) for cell in row] for row in _cells(one)])
    return buffer.getvalue().encode("utf-8-sig")


def _as_text(cell: object, point: str) -> str:
    if isinstance(cell, dt.date):
        return cell.isoformat()
    return _decimal(cell, point) if isinstance(cell, float) else "" if cell is None else str(cell)


def _decimal(number: float, point: str) -> str:
    """A number with the decimal mark of the language and no more digits than it has."""
    return f"{number:.6f}".rstrip("0").rstrip(".").replace(".", point)


def _cells(one: Sheet) -> Iterator[list[object]]:
    """The rows as plain values: text that no spreadsheet takes for a formula, int, float, date, or None."""
    rows = harmless(one.rows)
    by_column = [_plain(rows[name], column.kind) for name, column in zip(rows, one.columns, strict=True)]
    return map(list, zip(*by_column, strict=True))


def _plain(values: pd.Series, kind: str) -> list[object]:
    if kind == "date":
        return [None if pd.isna(value) else value.date() for value in values]
    if kind == "text":
        return [None if pd.isna(value) else str(value) for value in values]
    numbers = pd.to_numeric(values).astype("Float64")
    # « up to the end » has no number
    numbers = numbers.mask(numbers.isin([float("inf"), float("-inf")]))
    return [None if pd.isna(n) else int(n) if float(n).is_integer() else round(float(n), DECIMALS) for n in numbers]


def _workbook(title: str, about: list[tuple[str, str]], sheets: list[Sheet]) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    # nothing of ours is a formula or an address, whatever it looks like
    plain = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, **plain})
    # a workbook has a date of its own: any fixed one
    book.set_properties({"created": dt.datetime(2018, 4, 1), "author": ""})
    bold, wrapped = book.add_format({"bold": True, "valign": "top"}), book.add_format({"text_wrap": True})
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    text = book.add_format({"num_format": "@"})
    page = book.add_worksheet(title)
    page.set_column(0, 0, 34)
    page.set_column(1, 1, 100)
    for i, (subject, said) in enumerate(about):
        page.write_string(i, 0, subject, bold)
        page.write_string(i, 1, said, wrapped)
    for one in sheets:
        _fill(book.add_worksheet(one.title), one, head, day, text)
    book.close()
    return buffer.getvalue()


def _fill(page, one: Sheet, head, day, text) -> None:
    """One sheet: headers that stay in sight and filter, codes as text, numbers as numbers."""
    rows = list(_cells(one))
    for j, column in enumerate(one.columns):
        page.write_string(0, j, column.header, head)
        longest = max((len(str(row[j])) for row in rows if row[j] is not None), default=0)
        page.set_column(j, j, min(max(longest, len(column.header) // 2, _NARROWEST) + 2, _WIDEST))
    for i, row in enumerate(rows, start=1):
        for j, cell in enumerate(row):
            if isinstance(cell, dt.date):
                page.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), day)
            elif isinstance(cell, str):
                page.write_string(i, j, cell, text)
            elif cell is not None:
                page.write_number(i, j, cell)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, len(rows), len(one.columns) - 1)
