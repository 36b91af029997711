"""How a sheet is laid out. Each function changes the lines and says whether it did."""

from __future__ import annotations

import numpy as np

from .chance import between, pick
from .clock import fiscal
from .sheets import Line, Sheet, column


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


def organisation_on_first_row_only(sheet: Sheet, rng: np.random.Generator) -> bool:
    """The organisation is named on the first row of the block, and understood below."""
    if not sheet.habit.first_row_only:
        return False
    spots = [i for name in ("code_organisme", "nom_organisme") if (i := column(sheet, name)) is not None]
    rows = sheet.rows()
    for line in rows[1:]:
        for i in spots:
            line.cells[i] = ""
    return bool(spots) and len(rows) > 1


def ragged(sheet: Sheet, rng: np.random.Generator) -> bool:
    """Cells shifted beyond repair: more cells than columns, an unquoted separator in several of them."""
    rows = [line for line in sheet.rows() if line.draft and not line.draft.quarantine and not line.copied]
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
