"""A folder of deposits → records, and an account of every row that was read."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from .. import tables
from ..display import as_html, plot, to_frame
from ..exceptions import TableError, UnusableInputError
from ..places.territory import check_perimeter
from ..study import Study
from . import organisations as fates
from .crosswalks import DATES, PLACES, Crosswalks, load_crosswalks
from .files import FileNote, Gathered, Memory, Progress, as_objects, gather
from .organisations import Reported, fill_down, organisation_zones, own_towns, read_registry, read_reported
from .reading import REGISTRY
from .records import (
    Dates,
    Findings,
    closest_known,
    read_dates,
    read_places,
    read_values,
    settle_moved,
    usable_places,
    without_errors,
)
from .rules import RULES

_COUNTS = ("n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate")
CROSSWALKS = "crosswalks"
_ROWS_CHECKED = 100_000


@dataclass(frozen=True)
class Deposits:
    """
    What was read from a folder of deposits; each table has the columns of `tables` (design.md, « Tables »).

    Attributes
    ----------
    records, quarantine, issues, files, superseded : DataFrame
        Accepted rows; rows set aside; cells that became missing or were corrected (row 0: the file or sheet); one row
        per file; rows that a later deposit replaced.
    n_anew : int
        How many files were read by this call; the others were recalled from `memory`.
    """

    records: pd.DataFrame
    quarantine: pd.DataFrame
    issues: pd.DataFrame
    files: pd.DataFrame
    superseded: pd.DataFrame
    n_anew: int

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame

    def accounting(self) -> pd.DataFrame:
        """
        Numbers of rows read, accepted, quarantined, superseded and duplicate: one row per file, and « total ».

        Returns
        -------
        DataFrame
            file, n_read, n_accepted, n_quarantined, n_superseded, n_duplicate (numbers of rows).

        Raises
        ------
        TableError
            The classes do not add up to the rows read, or to the rows of the tables: a row was lost.
        """
        table = self.files[["file", *_COUNTS]]
        total = pd.DataFrame([{"file": "total", **table[list(_COUNTS)].sum().to_dict()}])
        table = pd.concat([table, total], ignore_index=True)
        off = table[table["n_read"] != table[list(_COUNTS[1:])].sum(axis=1)]
        if len(off):
            raise TableError(f"rows read and rows accounted for differ in {', '.join(off['file'])}.")
        for name, rows in (
            ("n_accepted", self.records),
            ("n_quarantined", self.quarantine),
            ("n_superseded", self.superseded),
        ):
            counted = rows.groupby("file").size().reindex(self.files["file"], fill_value=0).to_numpy()
            if (counted != self.files[name].to_numpy()).any():
                raise TableError(f"{name} does not equal the rows of its table: the tables are not of one run.")
        return table


def read_deposits(
    folder: str | Path,
    *,
    study: Study | None = None,
    perimeter: str | None = None,
    progress: Progress | None = None,
    processes: int | None = None,
    crosswalks: str | Path | None = None,
    memory: Memory | None = None,
) -> Deposits:
    """
    Read every deposit below a folder.

    Parameters
    ----------
    folder : path
        Walked recursively, symbolic links not followed. `organismes.csv` (code, nom, municipalite) is the registry.
    study : Study, optional
        Gives the perimeter and `max_rows_per_sheet`.
    perimeter : str, optional
        Overrides the study's.
    progress : callable, optional
        Called with (files done, files in all, path below the folder) after each file.
    processes : int, optional
        How many processes read files in parallel; None: one per core where there is enough to read. The result does
        not depend on it. A script that reads in parallel needs `if __name__ == "__main__":`.
    crosswalks : path, optional
        Folder of the study's own crosswalks; None: `crosswalks` beside the folder of the deposits. It need not exist.
    memory : Memory, optional
        Cache of the files read, so that only new and changed ones are read again; files that are gone are removed
        from it. None: all files are read. The tables do not depend on it.

    Returns
    -------
    Deposits
        A file that cannot be read, or that the library fails on, is one row of `files` with its message; an empty
        folder gives empty tables.

    Raises
    ------
    UnusableInputError
        The folder does not exist.
    ValueError
        The perimeter is unknown, or (CrosswalkError) a crosswalk holds faults.

    Examples
    --------
    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> text = "no_dossier;date_service;municipalite_residence\\n7;2021-11-02;Rimouski\\n"
    >>> _ = (folder / "EER01_2021-2022_T3.csv").write_text(text)
    >>> read_deposits(folder).records[["organisation_id", "residence_code", "residence_zone"]].values.tolist()
    [['EER01', '10043', 'region']]
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UnusableInputError(f"{folder} is not a folder: name the folder of the deposits with --raw.")
    study = study or Study()
    perimeter = check_perimeter(perimeter or study.perimeter)
    known = load_crosswalks(folder.absolute().parent / CROSSWALKS if crosswalks is None else crosswalks)
    gathered = gather(folder, known, study.max_rows_per_sheet, progress, processes, memory)
    registry, fault = read_registry(folder)
    if fault:
        gathered.issues.append((REGISTRY, "", 0, "registry_unusable", None, fault))
    understand = functools.partial(_understood, known=known, registry=registry, perimeter=perimeter)
    try:
        return understand(gathered)
    except Exception:
        return understand(_without_faulty(gathered, understand))


def _without_faulty(gathered: Gathered, understand: Callable[[Gathered], Deposits]) -> Gathered:
    """
    The gathered rows without the files on which the library fails alone: each of these becomes an unreadable file.

    They are searched for by bisection. Where no file fails alone, the second try raises the same error as the first.
    """
    files, to_try = list(gathered.files), [np.arange(len(gathered.files))]
    faulty = np.zeros(len(files), dtype=bool)
    while to_try:
        candidates = to_try.pop()
        try:
            understand(gathered.of_files(candidates))
        except Exception as error:
            if len(candidates) > 1:
                to_try += np.array_split(candidates, 2)
            elif len(candidates):
                files[candidates[0]] = FileNote.of_fault(files[candidates[0]].file, error)
                faulty[candidates[0]] = True
    faulty_names = {files[at].file for at in np.flatnonzero(faulty)}
    issues = [issue for issue in gathered.issues if issue[0] not in faulty_names]
    return replace(gathered.of_files(np.flatnonzero(~faulty)), files=files, issues=issues)


def _understood(gathered: Gathered, known: Crosswalks, registry: pd.DataFrame, perimeter: str) -> Deposits:
    """The deposits, with every gathered row in one of the tables; `gathered` is not changed."""
    gathered = replace(gathered, texts={**gathered.texts}, codes={**gathered.codes}, issues=[*gathered.issues])
    findings = Findings(gathered)
    typed = {name: _typed_in(gathered, name) for name in ("service_date", "establishment_date", "follow_up_status")}
    without_errors(gathered, findings)
    reported = read_reported(gathered, registry)
    for reason, column, rows in reported.issues:
        findings.add(reason, column, rows)
    replaced_by, repeated, file_issues = fates.settle_deposits(gathered, reported)
    gathered.issues += [(gathered.files[file].file, "", 0, reason, None, None) for file, reason in file_issues]
    dates = read_dates(gathered, reported, findings)
    places = read_places(gathered, perimeter, findings)
    any_place = np.logical_or.reduce([usable_places(columns_of_place) for columns_of_place in places.values()])
    reasons = fates.quarantine_reasons(gathered, dates.any_event(), any_place)

    superseded = replaced_by >= 0
    quarantined = ~superseded & (reasons != None)  # noqa: E711
    remaining = ~superseded & ~quarantined
    duplicate = remaining & (repeated | fates.exact_duplicates(gathered, fill_down(gathered), remaining))
    accepted = np.flatnonzero(remaining & ~duplicate)

    columns = _columns(gathered, reported, dates, places, accepted)
    columns |= read_values(gathered, known, reported.fiscal_year, accepted, findings)
    columns["organisation_zone"] = organisation_zones(
        columns["organisation_id"], columns["residence_zone"], registry, perimeter
    )
    unresolved_moves = settle_moved(columns)
    findings.add("moved_where_unknown", "follow_up_status", accepted[unresolved_moves])
    columns["residence_own_town"] = own_towns(columns)
    # a frame without copies: pandas would copy the columns twice to stack them by type
    of_rules = ("_earliest", "_latest", "_zone", "_status", "service", "exit_reason")
    facts = {name: values for name, values in columns.items() if name.endswith(of_rules)}
    for column in PLACES:
        facts[f"{column}_stated"] = (columns[column] != None) | (columns[f"{column}_region"] != None)  # noqa: E711
    facts |= {f"{name}_typed": flag[accepted] for name, flag in typed.items()}
    facts["known_until"] = reported.period_end()[accepted].astype("datetime64[ns]")
    facts = pd.DataFrame(facts, copy=False)
    for rule in RULES:
        broken = rule.broken(facts).to_numpy(dtype=bool)
        findings.add(rule.code, rule.column, accepted[broken])

    deposits = Deposits(
        records=_checked_in_parts(_typed(columns, tables.RECORDS), tables.RECORDS),
        quarantine=_checked(_addresses(gathered, quarantined).assign(reason=reasons[quarantined]), tables.QUARANTINE),
        issues=_checked(_issues(gathered, known, findings, accepted), tables.ISSUES),
        files=_checked(_files(gathered, dates, superseded, quarantined, duplicate, repeated), tables.FILES),
        superseded=_checked(
            _addresses(gathered, superseded).assign(
                superseded_by=as_objects([note.file for note in gathered.files])[replaced_by[superseded]]
            ),
            tables.SUPERSEDED,
        ),
        n_anew=gathered.n_anew,
    )
    deposits.accounting()
    return deposits


def _typed_in(gathered: Gathered, column: str) -> np.ndarray:
    """Per row, whether the cell of the column is not blank, readable or not."""
    return np.array([bool(text.strip()) for text in gathered.texts[column]], dtype=bool)[gathered.codes[column]]


def _checked(frame: pd.DataFrame, table: tables.Table) -> pd.DataFrame:
    return tables.check(tables.conform(frame, table), table)


def _checked_in_parts(frame: pd.DataFrame, table: tables.Table) -> pd.DataFrame:
    """The frame, checked in parts of `_ROWS_CHECKED` rows: pandera copies the part it checks."""
    for start in range(0, max(len(frame), 1), _ROWS_CHECKED):
        tables.check(frame.iloc[start : start + _ROWS_CHECKED], table)
    return frame


def _addresses(gathered: Gathered, rows: np.ndarray) -> pd.DataFrame:
    """file, sheet and row of the rows (positions, or a mask)."""
    sheet = gathered.sheet[rows]
    return pd.DataFrame(
        {
            "file": as_objects([note.file for note in gathered.files])[gathered.sheet_file[sheet]],
            "sheet": as_objects(gathered.sheet_name)[sheet],
            "row": gathered.row[rows],
        }
    )


def _columns(
    gathered: Gathered, reported: Reported, dates: Dates, places: dict, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """The columns of `records` that are not read from words, at the rows."""
    addresses = _addresses(gathered, rows)
    columns = {"record_id": _record_ids(gathered, rows), **{name: addresses[name].to_numpy() for name in addresses}}
    columns |= {
        "organisation_id": reported.organisation_id[rows],
        "organisation": reported.organisation[rows],
        "fiscal_year": reported.fiscal_year[rows],
        "quarter": reported.quarter[rows],
        "deposit_date": reported.deposit_date[rows].astype("datetime64[ns]"),
    }
    for column in DATES:
        columns[f"{column}_earliest"] = dates.earliest[column][rows].astype("datetime64[ns]")
        columns[f"{column}_latest"] = dates.latest[column][rows].astype("datetime64[ns]")
    for column in PLACES:
        columns |= {f"{column}_{name}": array[rows] for name, array in places[column].items()}
    return columns


def _typed(columns: dict[str, np.ndarray], table: tables.Table) -> pd.DataFrame:
    """The columns in the order of the table, without copies; integers and booleans are converted to its types."""
    typed_columns = {}
    for name, column in table.columns.items():
        values = columns[name]
        if column.type == "integer" and not column.required:
            values = pd.array(values, dtype="Int64")
        elif column.type == "boolean":
            values = pd.array(values, dtype="boolean")
        typed_columns[name] = values
    return pd.DataFrame(
        typed_columns | {name: columns[name] for name in columns if name not in typed_columns}, copy=False
    )


def _record_ids(gathered: Gathered, rows: np.ndarray) -> np.ndarray:
    """
    A stable id of each row's address, 16 hexadecimal digits.

    The file and the sheet by SHA-256, the row by the finaliser of splitmix64 (Steele 2014), which is one to one: two
    rows of one sheet never share an id.
    """
    sheets = np.array(
        [
            int.from_bytes(hashlib.sha256(f"{gathered.files[file].file}\x1f{name}".encode()).digest()[:8], "big")
            for file, name in zip(gathered.sheet_file, gathered.sheet_name, strict=True)
        ],
        dtype=np.uint64,
    )
    with np.errstate(over="ignore"):
        mixed = sheets[gathered.sheet[rows]] + gathered.row[rows].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    digits = mixed.astype(">u8").tobytes().hex()
    return as_objects([digits[at : at + 16] for at in range(0, len(digits), 16)])


def _issues(gathered: Gathered, known: Crosswalks, findings: Findings, accepted: np.ndarray) -> pd.DataFrame:
    """
    Issues of files and sheets, and of the cells of accepted rows, in the order of their addresses.

    `closest` is the known value closest to an unknown one.
    """
    is_accepted = np.zeros(len(gathered.sheet), dtype=bool)
    is_accepted[accepted] = True
    parts = [pd.DataFrame(gathered.issues, columns=[c for c in tables.ISSUES.columns if c != "closest"])]
    for reason, column, rows, typed in findings.entries:
        kept = is_accepted[rows]
        value = None if typed is None else typed[kept]
        has_unknown = reason == "unknown_value" and kept.any()
        closest = closest_known(gathered, known, column, rows[kept]) if has_unknown else None
        part = _addresses(gathered, rows[kept]).assign(reason=reason, column=column, value=value, closest=closest)
        parts.append(part.astype({"closest": object}))
    return tables.stack(parts, tables.ISSUES).sort_values(
        ["file", "sheet", "row", "column", "reason"], kind="stable", ignore_index=True
    )


def _files(
    gathered: Gathered,
    dates: Dates,
    superseded: np.ndarray,
    quarantined: np.ndarray,
    duplicate: np.ndarray,
    repeated: np.ndarray,
) -> pd.DataFrame:
    n = len(gathered.files)
    file = gathered.file

    def count(mask: np.ndarray) -> np.ndarray:
        return np.bincount(file[mask], minlength=n)

    n_read = count(np.ones(len(file), dtype=bool))
    message = as_objects([note.message for note in gathered.files])
    unreadable = np.array([note.message is not None for note in gathered.files], dtype=bool)
    status = np.full(n, "read", dtype=object)
    status[(n_read > 0) & (count(superseded) == n_read)] = "superseded"
    status[(n_read > 0) & (count(repeated) == n_read)] = "duplicate"
    status[unreadable] = "unreadable"
    return pd.DataFrame(
        {
            "file": [note.file for note in gathered.files],
            "status": status,
            "encoding": [note.encoding for note in gathered.files],
            "crosswalk": np.where(unreadable, None, as_objects([note.crosswalk for note in gathered.files])),  # type: ignore[call-overload]
            "n_read": n_read,
            "n_accepted": n_read - count(superseded) - count(quarantined) - count(duplicate),
            "n_quarantined": count(quarantined),
            "n_superseded": count(superseded),
            "n_duplicate": count(duplicate),
            "message": message,
            "fault": as_objects([note.fault for note in gathered.files]),
            "separator": [note.separator for note in gathered.files],
            "decimal": [note.decimal for note in gathered.files],
            "quoting": [note.quoting for note in gathered.files],
            "n_sheets": [note.n_sheets for note in gathered.files],
            "date_order": np.where(unreadable, None, np.where(dates.day_first, "day_first", "month_first")),  # type: ignore[call-overload]
        }
    )
