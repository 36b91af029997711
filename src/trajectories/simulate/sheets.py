"""Sheets: one quarter of one organisation, line by line as a spreadsheet shows it, and what goes wrong in the layout.

A layout defect changes the lines and says whether it did; its line is in `defects.DEFECTS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .drafts import Draft, header
from .organisations import Habit, Organisation
from .settings import between, fiscal, pick


@dataclass
class Line:
    """One line: its cells, and what it is."""

    cells: list[object]
    draft: Draft | None = None
    kind: str = "row"  # row, header, title, blank, total, aggregate, ragged
    copied: bool = False


@dataclass
class Sheet:
    """One quarter of one organisation."""

    organisation: Organisation
    habit: Habit
    quarter: int
    name: str  # the sheet's name in a workbook
    lines: list[Line] = field(default_factory=list)

    @property
    def head(self) -> int:
        """Where the header is."""
        return next(i for i, line in enumerate(self.lines) if line.kind == "header")

    def rows(self) -> list[Line]:
        """The lines that are rows."""
        return [line for line in self.lines if line.kind == "row"]


def lay_out(organisation: Organisation, habit: Habit, quarter: int, drafts: list[Draft], name: str) -> Sheet:
    """The header and the rows, in the organisation's columns."""
    sheet = Sheet(organisation, habit, quarter, name, [Line([header(c, habit) for c in habit.columns], kind="header")])
    sheet.lines += [Line([d.cells.get(c, "") for c in habit.columns], d) for d in drafts]
    return sheet


def row_repeated(sheet: Sheet, rng: np.random.Generator) -> bool:
    """A row typed twice: an exact duplicate."""
    spots = [i for i, line in enumerate(sheet.lines) if line.kind == "row" and line.draft and not line.draft.quarantine]
    if not spots:
        return False
    i = pick(rng, spots)
    line = sheet.lines[i]
    sheet.lines.insert(between(rng, i + 1, len(sheet.lines)), Line(list(line.cells), line.draft, "row", copied=True))
    return True


def title_rows(sheet: Sheet, rng: np.random.Generator) -> bool:
    """A title and a blank line above the header."""
    if not sheet.habit.title:
        return False
    year, n = fiscal(sheet.quarter)
    width = len(sheet.habit.columns)
    title = Line(
        [f"Reddition de comptes {year}, trimestre {n} – {sheet.organisation.name}", *[""] * (width - 1)], kind="title"
    )
    sheet.lines[:0] = [title, Line([""] * width, kind="blank")]
    return True


def total_row(sheet: Sheet, rng: np.random.Generator) -> bool:
    """A total at the bottom."""
    if not sheet.habit.total:
        return False
    count = len(sheet.rows())
    sheet.lines.append(Line(["Total", count, *[""] * (len(sheet.habit.columns) - 2)], kind="total"))
    return True


def aggregate_row(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Twelve persons met at once and counted on one line: nobody is named."""
    if not sheet.rows():
        return False
    met = {"service": "Information", "municipalite_residence": "Rimouski", "taille_menage": between(rng, 8, 20)}
    sheet.lines.append(Line([met.get(c, "") for c in sheet.habit.columns], kind="aggregate"))
    return True


def organisation_on_first_row_only(sheet: Sheet, rng: np.random.Generator) -> bool:
    """The organisation is named on the first row of the block, and understood below."""
    if not sheet.habit.first_row_only:
        return False
    spots = [i for i, name in enumerate(sheet.habit.columns) if name in ("code_organisme", "nom_organisme")]
    rows = sheet.rows()
    for line in rows[1:]:
        for i in spots:
            line.cells[i] = ""
    return bool(spots) and len(rows) > 1


def ragged(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Cells shifted beyond repair: more cells than columns, an unquoted separator in several of them."""
    rows = [line for line in sheet.rows() if line.draft and not line.draft.quarantine and not line.copied]
    if sheet.habit.drawn:
        # Cells that are never filled would make room for the others.
        rows = [line for line in rows if line.cells[-1] != ""]
    if sheet.habit.format != "csv" or not rows:
        return False
    line = pick(rng, rows)
    middle = len(line.cells) // 2
    line.cells = [*line.cells[:middle], "x", "x", "x", *line.cells[middle:]]
    line.kind = "ragged"
    return True


def blank_rows(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Empty lines among the rows."""
    for _ in range(between(rng, 1, 3)):
        sheet.lines.insert(
            between(rng, sheet.head + 1, len(sheet.lines)), Line([""] * len(sheet.habit.columns), kind="blank")
        )
    return True


def trailing_empty_columns(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Columns without a name or a value at the right."""
    for line in sheet.lines:
        line.cells = [*line.cells, "", "", ""]
    return True
