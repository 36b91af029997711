"""A sheet in the making: its lines as a spreadsheet shows them, each with the draft it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field

from .drafts import Draft
from .habits import Habit, header
from .organisations import Organisation


@dataclass
class Line:
    """One line: cells, and what it is (row, header, title, blank, total, quarantined reason)."""

    cells: list[object]
    draft: Draft | None = None
    kind: str = "row"  # row, header, title, blank, total
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


def column(sheet: Sheet, name: str) -> int | None:
    """Position of a canonical column in the sheet, if it has it."""
    return sheet.habit.columns.index(name) if name in sheet.habit.columns else None
