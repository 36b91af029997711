"""The workbook that was checked, with the faulty cells coloured and commented, for people who have Excel only.

An .xlsx or .xlsm keeps all it holds (macros aside); anything else becomes an .xlsx of its cells as text. Text that
looks like a formula stays text. A first sheet lists the problems, and says that it is not to be read as data.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import TrajectoriesError
from ..folders import replaced
from .check import Checked, Problem, shown
from .check_words import where
from .dictionary import french
from .notes import NOT_DATA
from .sheets import Cells

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

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
    """The workbook itself, where it is one that can be kept whole."""
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
        made = book.create_sheet(_NOT_IN_A_NAME.sub("-", sheet.name)[:31] or french("annotate")["data"])
        for number, row in sheet.rows.items():
            for position, text in enumerate(row, start=1):
                if text:
                    _write(made, number, position, text)
    return book


def _write(sheet: Worksheet, row: int, column: int, text: str) -> None:
    """A cell of text, also where it looks like a formula."""
    cell = sheet.cell(row, column)
    cell.value = _ILLEGAL.sub(" ", text)[:_LONGEST_TEXT]
    cell.data_type = "s"
    cell.quotePrefix = text[:1] in "=+-@"


def _forget(book: Workbook) -> None:
    """Take the marks of an earlier verification away: partners correct the marked workbook and check it again."""
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

    cell_fill, row_fill = (PatternFill("solid", start_color=colour, end_color=colour)
                           for colour in (_COLOUR, _ROW_COLOUR))  # fmt: skip
    mark = french("annotate")["mark"]
    said: dict[tuple[str, str], list[str]] = {}
    for problem in checked.problems:
        sheet = _sheet(book, problem.sheet)
        if sheet is None:
            continue
        width = max((c.position + 1 for s in checked.sheets if s.name == problem.sheet for c in s.columns), default=1)
        for row in problem.rows:
            first = column_index_from_string(problem.letter) if problem.letter else 1
            for column in range(first, first + 1 if problem.letter else width + 1):
                sheet.cell(row, column).fill = cell_fill if problem.letter else row_fill
            sentences = said.setdefault((sheet.title, _first_merged(sheet, row, first)), [])
            if (sentence := _comment(problem)) not in sentences:
                sentences.append(sentence)
    for (title, reference), sentences in said.items():
        text = "\n\n".join(sentences)
        kept = book[title][reference].comment
        comment = Comment(
            f"{kept.text}\n\n{mark}\n{text}" if kept else f"{mark}\n{text}", kept.author if kept else _AUTHOR
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

    found = book[name] if name in book.sheetnames else book.worksheets[0] if not name and book.worksheets else None
    if found is None and name:
        rebuilt = _NOT_IN_A_NAME.sub("-", name)[:31]
        found = book[rebuilt] if rebuilt in book.sheetnames else None
    return found if isinstance(found, Worksheet) else None


def _summarise(book: Workbook, checked: Checked) -> None:
    from openpyxl.styles import Alignment, Font

    words = french("annotate")
    sheet = book.create_sheet(words["sheet"], 0)
    book.active = 0
    for other in book.worksheets[1:]:
        other.sheet_view.tabSelected = False
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
