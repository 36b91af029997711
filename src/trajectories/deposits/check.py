"""What is wrong in a deposit, for the organisation that typed it: what was understood, and each problem by its cell.

The file is read as `build` reads it (`read_deposits`, on a private copy), then its sheets are looked at once more for
the headers as they are typed and the letters of their columns. A report holds no typed value beyond the reference of
its cell, unless it is asked for: it may be sent by mail.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pandas as pd

from ..exceptions import UnusableInputError
from ..study import Study
from .choosing import choose_crosswalk
from .crosswalks import Crosswalk, load_crosswalks
from .deposits import Deposits, read_deposits
from .dictionary import accepted, french
from .notes import is_not_data
from .organisations import NO_ORGANISATION, parse_name
from .rules import CANNOT_OPEN, FILE, NO_DEPOSIT, Reason, message_in_french, reasons
from .sheets import Cells, SeenSheet, known_headers, look_at, sheets_of

CLEAN, PROBLEMS, UNREADABLE = 0, 1, 2
_KIND_ORDER = {FILE: 0, "row": 1, "cell": 2, "order": 3}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Problem:
    """
    One thing that is wrong in one column (or in rows, or in a sheet).

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
        What is typed, and the known value most like it. For `--show-values` only.
    accepted : str
        What the column accepts, where what is typed is not of its list.
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
        """The cells, rows in a run taken together: H4, H7:H9; without a letter: 4, 7:9."""
        letter = self.letter or ""
        return [f"{letter}{a}" if a == b else f"{letter}{a}:{letter}{b}" for a, b in _runs(self.rows)]


@dataclass(frozen=True)
class Checked:
    """One file: what was understood of it, and what is wrong."""

    file: str
    failure: tuple[str, str] | None  # what is wrong and what to do, where the file cannot be read
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


def check_file(
    path: str | Path, *, crosswalks: str | Path | None = None, study: Study | None = None
) -> tuple[Checked, list[Cells]]:
    """
    Check one deposit.

    Parameters
    ----------
    path : path
        Of one file of any format that `read_deposits` reads.
    crosswalks : path, optional
        Folder of crosswalks that come before the library's.
    study : Study, optional

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
    >>> [(problem.reason.code, problem.references) for problem in check_file(path)[0].problems]
    [('unreadable_date', ['B2'])]
    """
    path = Path(path)
    if not path.is_file():
        raise UnusableInputError(french("check")["absent"].format(path=path))
    if crosswalks is not None and not Path(crosswalks).is_dir():
        raise UnusableInputError(french("check")["no_crosswalks"].format(path=crosswalks))
    study = study or Study()
    known = load_crosswalks(crosswalks)
    with tempfile.TemporaryDirectory(prefix="trajectories-check-") as folder:
        copy = Path(folder, "deposit", path.name.lstrip(".~$") or "fichier")
        copy.parent.mkdir()
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            return Checked(path.name, message_in_french(CANNOT_OPEN.format(error.strerror))), []
        read = read_deposits(copy.parent, study=study, crosswalks=crosswalks or Path(folder, "none"))
        if not len(read.files):
            return Checked(path.name, message_in_french(NO_DEPOSIT)), []
        noted = read.files.iloc[0]
        if noted["status"] == "unreadable":
            return Checked(path.name, message_in_french(noted["message"] or "")), []
        cells = sheets_of(copy, noted["file"], known_headers(known), study.max_rows_per_sheet)
    crosswalk = choose_crosswalk(known, noted["file"], [(c.name, list(c.rows.values())) for c in cells])
    unnamed = read.issues[read.issues["reason"].eq("unnamed_column")].groupby("sheet")["column"].agg(set)
    data = [sheet for sheet in cells if not is_not_data(list(sheet.rows.values()))]
    seen = [look_at(sheet, crosswalk, unnamed.get(sheet.name, ())) for sheet in data]
    seen = [sheet for sheet in seen if sheet is not None]
    records, named = read.records, parse_name(noted["file"])
    read_columns = {column.column for sheet in seen for column in sheet.columns}
    return Checked(
        file=path.name, failure=None,
        organisations=_organisations(records) or _some(named.get("organisation_id")),
        periods=_periods(records) or _some(named.get("fiscal_year")),
        deposit_dates=_deposit_dates(records) if "deposit_date" in {*named, *read_columns} else (),
        crosswalk=crosswalk.title or crosswalk.name, encoding=noted["encoding"], separator=noted.get("separator"),
        day_first=noted.get("date_order") != "month_first", n_read=int(noted["n_read"]),
        n_accepted=int(noted["n_accepted"]), n_quarantined=int(noted["n_quarantined"]),
        n_duplicate=int(noted["n_duplicate"]),
        n_undated=int((records["fiscal_year"].isna() | records["quarter"].isna()).sum()),
        sheets=tuple(seen), problems=_problems(read, cells, seen, crosswalk),
    ), cells  # fmt: skip


def shown(text: object) -> str:
    """A text without what a terminal would obey, and without what would hide or turn its letters."""
    return _CONTROLS.sub("·", str(text))


def _some(value: str | None) -> tuple[str, ...]:
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
    read: Deposits, cells: list[Cells], seen: list[SeenSheet], crosswalk: Crosswalk
) -> tuple[Problem, ...]:  # fmt: skip
    found = pd.concat([
        part.reindex(columns=["sheet", "row", "reason", "column", "closest"]).astype(object)
        for part in (read.quarantine, read.issues) if len(part)
    ] or [pd.DataFrame(columns=["sheet", "row", "reason", "column", "closest"], dtype=object)])  # fmt: skip
    of_sheet = {sheet.name: sheet for sheet in seen}
    rows_of = {sheet.name: sheet.rows for sheet in cells}
    problems = []
    found = found.astype(object).where(found.notna(), None)
    for (sheet, reason, column), group in found.groupby(["sheet", "reason", "column"], sort=False, dropna=False):
        column = column if isinstance(column, str) else None
        at = of_sheet[sheet].find(column) if sheet in of_sheet and column else None
        group = group[group["row"] > 0].drop_duplicates("row").sort_values("row")
        rows, closest = tuple(int(row) for row in group["row"]), tuple(group["closest"])
        if reason == "unclosed_quote":
            rows = tuple(row for row, line in rows_of[sheet].items() if "".join(line).count('"') % 2)
            closest = (None,) * len(rows)
        typed = [rows_of.get(sheet, {}).get(row, []) for row in rows]
        problems.append(Problem(
            reason=reasons().get(reason) or reasons()["to_verify"]._replace(code=reason), sheet=sheet, column=column,
            header=at.header if at else None, letter=at.letter if at else None, rows=rows,
            values=tuple(cell[at.position] if at and at.position < len(cell) else None for cell in typed),
            closest=closest,
            accepted=accepted(column, crosswalk) if column and reason.startswith("unknown_") else "",
        ))  # fmt: skip
    return tuple(sorted(problems, key=lambda p: (_KIND_ORDER[p.reason.kind], p.sheet, p.rows[:1], p.letter or "")))


def _runs(rows: tuple[int, ...]) -> list[tuple[int, int]]:
    """First and last of each run of rows."""
    if not rows:
        return []
    starts = [rows[0], *(b for a, b in pairwise(rows) if b != a + 1)]
    ends = [*(a for a, b in pairwise(rows) if b != a + 1), rows[-1]]
    return list(zip(starts, ends, strict=True))
