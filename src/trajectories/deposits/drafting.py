"""A draft crosswalk for a header that no crosswalk knows: for each typed header the closest canonical column.

Only headers are read and printed, never a row below them.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import NamedTuple

from rapidfuzz import fuzz, process

from ..exceptions import TrajectoriesError
from .check import shown
from .crosswalks import COLUMNS, header_key, load_crosswalk, load_crosswalks
from .layout import sheets_of
from .reading import UnreadableDepositError
from .values import fiscal_years

# Similarity scores from 0 to 100: from PROPOSED on a header is in the draft, from ALIKE on its column is a comment. A
# header row has at least `_FEWEST` headers from ALIKE on.
PROPOSED, ALIKE = 75, 60
_FEWEST = 2
_DEEPEST_HEADER, _LONGEST_HEADER, _ROWS_PER_SHEET = 40, 80, 1000


class Scored(NamedTuple):
    """A typed header, the canonical column of the known header closest to it, and their similarity."""

    header: str
    column: str
    score: float


def draft_crosswalk(path: str | Path, *, crosswalks: str | Path | None = None) -> str:
    """
    The text of a crosswalk to complete, for the headers of a file.

    Parameters
    ----------
    path : path
        A deposit.
    crosswalks : path, optional
        Folder of crosswalks that come before the library's.

    Returns
    -------
    str
        TOML that loads without error; headers without a close column, and second choices, are comments.

    Raises
    ------
    TrajectoriesError
        The file cannot be read, or no row of it looks like a header.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.csv")
    >>> _ = path.write_text("No. du dossier;Date du servce;Ville residence;Couleur\\n7;2021-11-02;Rimouski;42\\n")
    >>> print(draft_crosswalk(path).partition("[columns]\\n")[2].strip())
    file_number = ["No. du dossier"]  # 91
    residence = ["Ville residence"]  # 93
    service_date = ["Date du servce"]  # 96
    <BLANKLINE>
    # No column is close: put its canonical name in place of the "?", or leave the header out.
    # ? = ["Couleur"]
    """
    path = Path(path)
    if not path.is_file():
        raise TrajectoriesError(f"{path} is not a file: name the deposit whose headers are to be read.")
    known = load_crosswalks(crosswalks)
    keys = {key: column for c in reversed(known.all) for key, column in c.headers.items()}

    @functools.lru_cache(maxsize=100_000)
    def closest(header: str) -> tuple[str, float]:
        best_key, score, _ = process.extractOne(header_key(header), keys.keys(), scorer=fuzz.ratio)
        return keys[best_key], score

    def scored(row: list[str]) -> list[Scored]:
        headers = [" ".join(cell.split()) for cell in row if header_key(cell) and len(cell) <= _LONGEST_HEADER]
        return [Scored(header, *closest(header)) for header in headers]

    def recognise(rows: list[list[str]]) -> tuple[int, int]:
        """The row whose headers are closest to known ones, and their total similarity."""
        likeness = [int(_likeness(scored(row))) for row in rows[:_DEEPEST_HEADER]]
        return max(enumerate(likeness), key=lambda row: row[1], default=(0, 0))

    def header_of(rows: list[list[str]]) -> list[Scored]:
        return scored(rows[recognise(rows)[0]]) if rows else []

    try:
        sheets = sheets_of(path, path.name, recognise, _ROWS_PER_SHEET)
    except UnreadableDepositError as error:
        raise TrajectoriesError(f"{path.name}: {error}") from None
    best = max((header_of(list(sheet.rows.values())) for sheet in sheets), key=_likeness, default=[])
    if sum(header.score >= ALIKE for header in best) < _FEWEST:
        raise TrajectoriesError(f"{path.name}: no row looks like a header; put the names of the columns in one row.")
    return _written(path, best)


def _likeness(headers: list[Scored]) -> float:
    return sum(header.score for header in headers if header.score >= ALIKE)


def _written(path: Path, headers: list[Scored]) -> str:
    """The draft: the best header of each column, then second choices and headers without a column."""
    chosen: dict[str, Scored] = {}
    for header in sorted(headers, key=lambda header: -header.score):
        if header.score >= PROPOSED:
            chosen.setdefault(header.column, header)
    unassigned = [header for header in headers if chosen.get(header.column) is not header]
    year = fiscal_years([path.stem])[0][0]
    lines = [
        f"# Draft for the headers of {_quoted(path.name)}: verify each line. The number is how alike the header is to",
        "# a known one, from 0 to 100. Put the file in the folder `crosswalks` beside the folder of the deposits.",
        "",
        f"name = {_quoted(header_key(path.stem) or 'form')}",
        'title = ""',
        f'extends = "{load_crosswalk().name}"  # whatever is not said here is as there',
        'programmes = ["PASI"]',
        f'from = "{year}"' if year else '# from = "2021-2022"',
        "",
        "[columns]",
    ]
    lines += [
        f"{column} = [{_quoted(chosen[column].header)}]  # {chosen[column].score:.0f}"
        for column in COLUMNS
        if column in chosen
    ]
    close = [header for header in unassigned if header.score >= ALIKE]
    far = [header for header in unassigned if header.score < ALIKE]
    if close:
        lines += [
            "",
            "# A column is somewhat close, or is taken by a closer header: verify, and move it to its column.",
        ]
        lines += [f"# {header.column} = [{_quoted(header.header)}]  # {header.score:.0f}" for header in close]
    if far:
        lines += ["", '# No column is close: put its canonical name in place of the "?", or leave the header out.']
        lines += [f"# ? = [{_quoted(header.header)}]" for header in far]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as TOML writes it, on one line."""
    return json.dumps(shown(text), ensure_ascii=False)
