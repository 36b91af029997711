"""Check one deposit for the organisation that typed it: what was understood, and each problem with its cell reference.

The file is read as `build` reads it (`read_deposits`, on a private copy), then its sheets are read once more for the
headers as typed and the letters of their columns. The report gives cell references and no typed values, unless they
are asked for: it may be sent by mail.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..exceptions import TrajectoriesError, UnusableInputError
from ..folders import replaced
from ..study import Study
from .crosswalks import NOT_DATA, Crosswalk, is_not_data, load_crosswalks
from .deposits import Deposits, read_deposits
from .layout import Cells, SeenSheet, choose_crosswalk, known_headers, look_at, sheets_of
from .organisations import NO_ORGANISATION, parse_name
from .rules import CANNOT_OPEN, EFFECTS, FILE, NO_DEPOSIT, Reason, message_in_french, reasons
from .template import accepted, french

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

CLEAN, PROBLEMS, UNREADABLE = 0, 1, 2
_KIND_ORDER = {FILE: 0, "row": 1, "cell": 2, "order": 3}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Problem:
    """
    One problem of a column, of rows or of a sheet.

    Attributes
    ----------
    reason : Reason
    sheet : str
        Empty for a file of text.
    column, header, letter : str or None
        Canonical name, typed header and letter of the column; None where the problem is of rows or of the sheet.
    rows : tuple of int
        As a spreadsheet shows them; empty where the problem is of the sheet or of the file.
    values, closest : tuple of str or None, per row
        Typed value, and the known value closest to it. For `--show-values` only.
    accepted : str
        What the column accepts, where the typed value is not in its list.
    """

    reason: Reason
    sheet: str
    column: str | None
    header: str | None
    letter: str | None
    rows: tuple[int, ...]
    values: tuple[str | None, ...]
    closest: tuple[str | None, ...]
    accepted: str = ""

    @property
    def references(self) -> list[str]:
        """The cells, consecutive rows as a range: H4, H7:H9; without a letter: 4, 7:9."""
        letter = self.letter or ""
        return [f"{letter}{a}" if a == b else f"{letter}{a}:{letter}{b}" for a, b in _runs(self.rows)]


@dataclass(frozen=True)
class Checked:
    """One file: what was understood of it, and what is wrong."""

    file: str
    failure: tuple[str, str] | None  # where the file cannot be read: the reason and what to do
    organisations: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    deposit_dates: tuple[str, ...] = ()
    crosswalk: str = ""
    encoding: str | None = None
    separator: str | None = None
    day_first: bool = True
    n_read: int = 0
    n_accepted: int = 0
    n_quarantined: int = 0
    n_duplicate: int = 0
    n_undated: int = 0  # accepted rows without exercice or quarter
    sheets: tuple[SeenSheet, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def status(self) -> int:
        """0 clean, 1 problems, 2 unreadable."""
        if self.failure is not None:
            return UNREADABLE
        return PROBLEMS if self.problems else CLEAN

    @property
    def n_cells(self) -> int:
        """How many cells or rows have a problem."""
        return sum(max(len(problem.rows), 1) for problem in self.problems)


def check_file(path: str | Path, *, crosswalks: str | Path | None = None, study: Study) -> tuple[Checked, list[Cells]]:
    """
    Check one deposit.

    Parameters
    ----------
    path : path
        Of one file of any format that `read_deposits` reads.
    crosswalks : path, optional
        Folder of crosswalks that come before the library's.
    study : Study

    Returns
    -------
    checked : Checked
    cells : list of Cells
        Its sheets as text, for `annotate`.

    Raises
    ------
    UnusableInputError
        There is no such file.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp(), "EER01_2021-2022_T3.csv")
    >>> _ = path.write_text("no_dossier;date_service;municipalite_residence\\n7;2021-13-02;Rimouski\\n")
    >>> [(problem.reason.code, problem.references) for problem in check_file(path, study=Study())[0].problems]
    [('unreadable_date', ['B2'])]
    """
    path = Path(path)
    if not path.is_file():
        raise UnusableInputError(french("check")["absent"].format(path=path))
    if crosswalks is not None and not Path(crosswalks).is_dir():
        raise UnusableInputError(french("check")["no_crosswalks"].format(path=crosswalks))
    known = load_crosswalks(crosswalks)
    with tempfile.TemporaryDirectory(prefix="trajectories-check-") as folder:
        copy = Path(folder, "deposit", path.name.lstrip(".~$") or "fichier")
        copy.parent.mkdir()
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            return Checked(path.name, message_in_french(CANNOT_OPEN.format(error.strerror))), []
        deposits = read_deposits(copy.parent, study=study, crosswalks=crosswalks or Path(folder, "none"))
        if not len(deposits.files):
            return Checked(path.name, message_in_french(NO_DEPOSIT)), []
        file_row = deposits.files.iloc[0]
        if file_row["status"] == "unreadable":
            return Checked(path.name, message_in_french(file_row["message"] or "")), []
        cells = sheets_of(copy, file_row["file"], known_headers(known), study.max_rows_per_sheet)
    crosswalk = choose_crosswalk(known, file_row["file"], [(c.name, list(c.rows.values())) for c in cells])
    unnamed = deposits.issues[deposits.issues["reason"].eq("unnamed_column")].groupby("sheet")["column"].agg(set)
    data = [sheet for sheet in cells if not is_not_data(list(sheet.rows.values()))]
    looked_at = (look_at(sheet, crosswalk, unnamed.get(sheet.name, ())) for sheet in data)
    seen = [sheet for sheet in looked_at if sheet is not None]
    records, named = deposits.records, parse_name(file_row["file"])
    read_columns = {column.column for sheet in seen for column in sheet.columns}
    return Checked(
        file=path.name,
        failure=None,
        organisations=_organisations(records) or _tuple_of(named.get("organisation_id")),
        periods=_periods(records) or _tuple_of(named.get("fiscal_year")),
        deposit_dates=_deposit_dates(records) if "deposit_date" in {*named, *read_columns} else (),
        crosswalk=crosswalk.title or crosswalk.name,
        encoding=file_row["encoding"],
        separator=file_row.get("separator"),
        day_first=file_row.get("date_order") != "month_first",
        n_read=int(file_row["n_read"]),
        n_accepted=int(file_row["n_accepted"]),
        n_quarantined=int(file_row["n_quarantined"]),
        n_duplicate=int(file_row["n_duplicate"]),
        n_undated=int((records["fiscal_year"].isna() | records["quarter"].isna()).sum()),
        sheets=tuple(seen),
        problems=_problems(deposits, cells, seen, crosswalk),
    ), cells


def shown(text: object) -> str:
    """The text without control characters, and without those that hide letters or change their direction."""
    return _CONTROLS.sub("·", str(text))


def _tuple_of(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _organisations(records: pd.DataFrame) -> tuple[str, ...]:
    pairs = records[["organisation_id", "organisation"]].drop_duplicates()
    return tuple(
        f"{code} ({name})" if isinstance(name, str) and name else str(code)
        for code, name in pairs.itertuples(index=False)
        if not str(code).startswith(NO_ORGANISATION)
    )


def _deposit_dates(records: pd.DataFrame) -> tuple[str, ...]:
    return tuple(sorted({str(day.date()) for day in records["deposit_date"].dropna()}))


def _periods(records: pd.DataFrame) -> tuple[str, ...]:
    known = records[["fiscal_year", "quarter"]].dropna().drop_duplicates().sort_values(["fiscal_year", "quarter"])
    return tuple(f"{year} T{quarter}" for year, quarter in known.itertuples(index=False))


def _problems(
    deposits: Deposits, cells: list[Cells], seen: list[SeenSheet], crosswalk: Crosswalk
) -> tuple[Problem, ...]:
    findings = pd.concat(
        [
            part.reindex(columns=["sheet", "row", "reason", "column", "closest"]).astype(object)
            for part in (deposits.quarantine, deposits.issues)
            if len(part)
        ]
        or [pd.DataFrame(columns=["sheet", "row", "reason", "column", "closest"], dtype=object)]
    )
    of_sheet = {sheet.name: sheet for sheet in seen}
    rows_of = {sheet.name: sheet.rows for sheet in cells}
    problems = []
    findings = findings.astype(object).where(findings.notna(), None)
    for (sheet, reason, column), group in findings.groupby(["sheet", "reason", "column"], sort=False, dropna=False):
        column = column if isinstance(column, str) else None
        seen_column = of_sheet[sheet].find(column) if sheet in of_sheet and column else None
        group = group[group["row"] > 0].drop_duplicates("row").sort_values("row")
        rows, closest = tuple(int(row) for row in group["row"]), tuple(group["closest"])
        if reason == "unclosed_quote":
            rows = tuple(row for row, line in rows_of[sheet].items() if "".join(line).count('"') % 2)
            closest = (None,) * len(rows)
        typed = [rows_of.get(sheet, {}).get(row, []) for row in rows]
        problems.append(
            Problem(
                reason=reasons().get(reason) or reasons()["to_verify"]._replace(code=reason),
                sheet=sheet,
                column=column,
                header=seen_column.header if seen_column else None,
                letter=seen_column.letter if seen_column else None,
                rows=rows,
                values=tuple(
                    cell[seen_column.position] if seen_column and seen_column.position < len(cell) else None
                    for cell in typed
                ),
                closest=closest,
                accepted=accepted(column, crosswalk) if column and reason.startswith("unknown_") else "",
            )
        )
    return tuple(sorted(problems, key=lambda p: (_KIND_ORDER[p.reason.kind], p.sheet, p.rows[:1], p.letter or "")))


def _runs(rows: tuple[int, ...]) -> list[tuple[int, int]]:
    """First and last row of each run of consecutive rows."""
    if not rows:
        return []
    starts = [rows[0], *(b for a, b in pairwise(rows) if b != a + 1)]
    ends = [*(a for a, b in pairwise(rows) if b != a + 1), rows[-1]]
    return list(zip(starts, ends, strict=True))


# ----------------------------------------------------------------------------------------------------
# The report of `check`: as text for a terminal (`check.txt.j2`), and as an HTML page (`check.html.j2`).

# Most references and values listed for one problem; the others are counted.
_LISTED = 25


def as_text(files: Sequence[Checked], *, show_values: bool = False) -> str:
    """The report for a terminal, in French."""
    return _rendered("check.txt.j2", files, show_values).strip("\n") + "\n"


def as_page(files: Sequence[Checked], *, show_values: bool = False) -> str:
    """The report as one HTML page that needs nothing else: no script, every text escaped."""
    return _rendered("check.html.j2", files, show_values)


def _rendered(template: str, files: Sequence[Checked], show_values: bool) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=template.endswith(".html.j2"), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )  # the page is escaped; a terminal has no markup
    environment.filters |= {"where": where, "effect": _effect, "typed": _typed, "shown": shown}
    environment.filters |= {"number": _number, "counted": _counted}
    text = resources.files(__package__).joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(files=files, show_values=show_values)


def _number(n: int) -> str:
    return f"{n:,}".replace(",", "\u00a0")


def _counted(n: int, singular: str, plural: str | None = None) -> str:
    return f"{_number(n)} {singular if n < 2 else plural or f'{singular}s'}"


def where(problem: Problem) -> str:
    """The cells, rows or sheet of a problem, in French."""
    words = french("where")
    parts = [words["sheet"].format(sheet=problem.sheet)] if problem.sheet else []
    if problem.letter:
        column = words["column" if problem.header else "letter"]
        parts.append(column.format(letter=problem.letter, header=problem.header))
    elif problem.column and not problem.rows:
        parts.append(words["name"].format(column=problem.column))
    if problem.rows:
        references = problem.references
        listed = ", ".join(references[:_LISTED])
        if len(references) > _LISTED:
            listed += words["more"].format(n=_number(len(references) - _LISTED))
        noun = ("cell" if problem.letter else "row") + ("s" if len(problem.rows) > 1 else "")
        parts.append(words[noun].format(n=_number(len(problem.rows)), references=listed))
    return ", ".join(parts) or words["file"]


def _effect(problem: Problem) -> str:
    return EFFECTS[problem.reason.effect][0]


def _typed(problem: Problem) -> list[tuple[str, str, str | None]]:
    cells = zip(problem.rows, problem.values, problem.closest, strict=True)
    return [(f"{problem.letter}{row}", value, close) for row, value, close in cells if problem.letter and value][
        :_LISTED
    ]


# ----------------------------------------------------------------------------------------------------
# The workbook that was checked, with the faulty cells coloured and commented, for people who have Excel only.
#
# An .xlsx or .xlsm keeps its content (without macros); any other file becomes an .xlsx of its cells as text. Text that
# looks like a formula stays text. A first sheet lists the problems, and says that it is not read as data.

_AUTHOR = "trajectories check"
_COLOUR, _ROW_COLOUR = "FFF4B183", "FFFFE699"
_MOST_ROWS, _MOST_COLUMNS, _LONGEST_TEXT = 1_048_576, 16_384, 32_767
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")
_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\]")


def annotate(path: str | Path, out: str | Path, checked: Checked, cells: list[Cells]) -> None:
    """
    Write the checked workbook with its problems marked.

    Parameters
    ----------
    path : path
        The deposit.
    out : path
        An .xlsx, other than the deposit.
    checked, cells
        What `check_file` gave.

    Raises
    ------
    TrajectoriesError
        The deposit cannot be read or is too large for a workbook, or `out` is no .xlsx or the deposit itself.
    """
    path, out, words = Path(path), Path(out), french("annotate")
    if out.suffix.lower() != ".xlsx":
        raise TrajectoriesError(words["not_xlsx"].format(path=out))
    if out.resolve() == path.resolve():
        raise TrajectoriesError(words["same_file"].format(path=out))
    if checked.failure is not None:
        wrong, remedy = checked.failure
        raise TrajectoriesError(words["unreadable"].format(file=path.name, wrong=wrong, remedy=remedy))
    book = _opened(path) or _rebuilt(cells)
    _forget(book)
    _mark(book, checked)
    _summarise(book, checked)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as scratch:
        book.save(scratch)


def _opened(path: Path) -> Workbook | None:
    """The workbook, or None where openpyxl cannot open the file."""
    import openpyxl

    content = path.read_bytes()
    if not content.startswith(b"PK\x03\x04"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what openpyxl does not know of Excel's latest extensions it leaves out
            return openpyxl.load_workbook(io.BytesIO(content))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, AttributeError, OSError):
        return None  # an .ods, or one that only the reader of deposits can open


def _rebuilt(cells: list[Cells]) -> Workbook:
    """A workbook of the cells as text."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for sheet in cells:
        if sheet.rows and (max(sheet.rows) > _MOST_ROWS or max(map(len, sheet.rows.values())) > _MOST_COLUMNS):
            raise TrajectoriesError(french("annotate")["too_large"])
        new_sheet = book.create_sheet(_NOT_IN_A_NAME.sub("-", sheet.name)[:31] or french("annotate")["data"])
        for number, row in sheet.rows.items():
            for position, text in enumerate(row, start=1):
                if text:
                    _write(new_sheet, number, position, text)
    return book


def _write(sheet: Worksheet, row: int, column: int, text: str) -> None:
    """A cell of text, also where it looks like a formula."""
    cell = sheet.cell(row, column)
    cell.value = _ILLEGAL.sub(" ", text)[:_LONGEST_TEXT]
    cell.data_type = "s"
    cell.quotePrefix = text[:1] in "=+-@"


def _forget(book: Workbook) -> None:
    """Remove the marks of an earlier check: partners correct the marked workbook and check it again."""
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    summary, mark = french("annotate")["sheet"], french("annotate")["mark"]
    if summary in book.sheetnames and str(book[summary]["A1"].value).startswith(NOT_DATA):
        book.remove(book[summary])
    for sheet in book.worksheets:
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            if cell.has_style and cell.fill.fill_type and cell.fill.fgColor.rgb in (_COLOUR, _ROW_COLOUR):
                cell.fill = PatternFill()
            if cell.comment is not None and mark in cell.comment.text:
                own = cell.comment.text.partition(mark)[0].rstrip()
                cell.comment = Comment(own, cell.comment.author) if own else None


def _mark(book: Workbook, checked: Checked) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill
    from openpyxl.utils import column_index_from_string

    cell_fill, row_fill = (
        PatternFill("solid", start_color=colour, end_color=colour) for colour in (_COLOUR, _ROW_COLOUR)
    )
    mark = french("annotate")["mark"]
    sentences_by_cell: dict[tuple[str, str], list[str]] = {}
    for problem in checked.problems:
        sheet = _sheet(book, problem.sheet)
        if sheet is None:
            continue
        width = max((c.position + 1 for s in checked.sheets if s.name == problem.sheet for c in s.columns), default=1)
        for row in problem.rows:
            first = column_index_from_string(problem.letter) if problem.letter else 1
            for column in range(first, first + 1 if problem.letter else width + 1):
                sheet.cell(row, column).fill = cell_fill if problem.letter else row_fill
            sentences = sentences_by_cell.setdefault((sheet.title, _first_merged(sheet, row, first)), [])
            if (sentence := _comment(problem)) not in sentences:
                sentences.append(sentence)
    for (title, reference), sentences in sentences_by_cell.items():
        text = "\n\n".join(sentences)
        existing = book[title][reference].comment
        comment = Comment(
            f"{existing.text}\n\n{mark}\n{text}" if existing else f"{mark}\n{text}",
            existing.author if existing else _AUTHOR,
        )
        comment.width, comment.height = 320, min(60 + 20 * text.count("\n") + len(text) // 2, 400)
        book[title][reference].comment = comment


def _first_merged(sheet: Worksheet, row: int, column: int) -> str:
    """The cell itself, or the first of those that are merged with it, which alone may have a comment."""
    from openpyxl.cell import MergedCell

    cell = sheet.cell(row, column)
    if not isinstance(cell, MergedCell):
        return cell.coordinate
    return next(merged for merged in sheet.merged_cells.ranges if cell.coordinate in merged).start_cell.coordinate


def _comment(problem: Problem) -> str:
    lines = [problem.reason.french, problem.reason.remedy]
    if problem.accepted:
        lines.append(french("annotate")["accepted"].format(accepted=problem.accepted))
    return "\n".join(lines)


def _sheet(book: Workbook, name: str) -> Worksheet | None:
    from openpyxl.worksheet.worksheet import Worksheet

    sheet = book[name] if name in book.sheetnames else book.worksheets[0] if not name and book.worksheets else None
    if sheet is None and name:
        rebuilt = _NOT_IN_A_NAME.sub("-", name)[:31]
        sheet = book[rebuilt] if rebuilt in book.sheetnames else None
    return sheet if isinstance(sheet, Worksheet) else None


def _summarise(book: Workbook, checked: Checked) -> None:
    from openpyxl.styles import Alignment, Font

    words = french("annotate")
    sheet = book.create_sheet(words["sheet"], 0)
    book.active = 0
    for data_sheet in book.worksheets[1:]:
        data_sheet.sheet_view.tabSelected = False
    lines = [(f"{NOT_DATA} : {words['summary'].format(n=len(checked.problems))}",), (), words["headings"]]
    lines += [(problem.reason.french, where(problem), problem.reason.remedy) for problem in checked.problems]
    for number, line in enumerate(lines, start=1):
        for position, text in enumerate(line, start=1):
            _write(sheet, number, position, shown(text))
            sheet.cell(number, position).alignment = Alignment(wrap_text=number > 1, vertical="top")
    for cell in (sheet["A1"], *sheet[3]):
        cell.font = Font(bold=True)
    for letter, width in zip("ABC", (52, 44, 72), strict=True):
        sheet.column_dimensions[letter].width = width
