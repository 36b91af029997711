"""The door of the room: a folder of deposits → records, and an account of every row that was read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import tables
from ..exceptions import TableError, UnusableInputError
from ..places.territory import check_perimeter
from ..study import Study
from . import fates
from .crosswalks import DATES, PLACES, load_crosswalk
from .gathering import Gathered, Progress, as_objects, gather
from .organisations import Reported, fill_down, organisation_zones, read_registry, who_reports
from .reading import REGISTRY
from .records import Dates, Findings, read_dates, read_places, read_values
from .rules import RULES

_COUNTS = ("n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate")


@dataclass(frozen=True)
class Deposits:
    """
    What was read from a folder of deposits; each table has the columns of `tables` (design.md, « Tables »).

    Attributes
    ----------
    records, quarantine, issues, files, superseded : DataFrame
        Accepted rows; rows set aside; cells that became missing or were set right (row 0: the whole file or sheet);
        one row a file; rows that a later deposit replaced.
    """

    records: pd.DataFrame
    quarantine: pd.DataFrame
    issues: pd.DataFrame
    files: pd.DataFrame
    superseded: pd.DataFrame

    def accounting(self) -> pd.DataFrame:
        """
        Rows read and what became of them: a row a file, and « total ».

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
    folder: str | Path, *, study: Study | None = None, perimeter: str | None = None, progress: Progress | None = None
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
        Wins over the study's.
    progress : callable, optional
        Called with (files done, files in all, path below the folder) after each file.

    Returns
    -------
    Deposits
        A file that cannot be read is one row of `files` with its sentence; an empty folder gives empty tables.

    Raises
    ------
    UnusableInputError
        The folder does not exist.
    ValueError
        The perimeter is unknown.

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
    crosswalk = load_crosswalk()
    gathered = gather(folder, crosswalk, study.max_rows_per_sheet, progress)
    registry, fault = read_registry(folder)
    if fault:
        gathered.issues.append((REGISTRY, "", 0, "registry_unusable", None, fault))
    reported = who_reports(gathered, registry)
    findings = Findings(gathered)
    for reason, column, rows in reported.issues:
        findings.add(reason, column, rows)
    replaced_by, repeated, file_issues = fates.settle_deposits(gathered, reported)
    gathered.issues += [(gathered.files[file].file, "", 0, reason, None, None) for file, reason in file_issues]
    dates = read_dates(gathered, reported, findings)
    places = read_places(gathered, perimeter, findings)
    any_place = np.logical_or.reduce([~gathered.blank(column) for column in PLACES])
    reasons = fates.quarantine_reasons(gathered, dates.any_event(), any_place)

    superseded = replaced_by >= 0
    quarantined = ~superseded & (reasons != None)  # noqa: E711
    left = ~superseded & ~quarantined
    duplicate = left & (repeated | fates.exact_duplicates(gathered, fill_down(gathered), left))
    accepted = np.flatnonzero(left & ~duplicate)

    columns = read_values(gathered, crosswalk, accepted, findings)
    records = _records(gathered, reported, dates, places, columns, accepted)
    records["organisation_zone"] = organisation_zones(
        records["organisation_id"].to_numpy(dtype=object),
        records["residence_zone"].to_numpy(dtype=object),
        registry,
        perimeter,
    )
    facts = records[[name for name in records if name.endswith(("_earliest", "_latest", "_zone"))]].copy()
    facts["known_until"] = reported.period_end()[accepted].astype("datetime64[ns]")
    for rule in RULES:
        broken = rule.broken(facts).to_numpy(dtype=bool)
        findings.add(rule.code, rule.column, accepted[broken])

    done = Deposits(
        records=tables.check(tables.conform(records, tables.RECORDS), tables.RECORDS),
        quarantine=_checked(_addresses(gathered, quarantined).assign(reason=reasons[quarantined]), tables.QUARANTINE),
        issues=_checked(_issues(gathered, findings, accepted), tables.ISSUES),
        files=_checked(
            _files(gathered, dates, crosswalk.name, superseded, quarantined, duplicate, repeated), tables.FILES
        ),
        superseded=_checked(
            _addresses(gathered, superseded).assign(
                superseded_by=as_objects([note.file for note in gathered.files])[replaced_by[superseded]]
            ),
            tables.SUPERSEDED,
        ),
    )
    done.accounting()
    return done


def _checked(frame: pd.DataFrame, table: tables.Table) -> pd.DataFrame:
    return tables.check(tables.conform(frame, table), table)


def _addresses(gathered: Gathered, rows: np.ndarray) -> pd.DataFrame:
    """file, sheet and row of the rows (positions, or a mask)."""
    sheet = gathered.sheet[rows]
    return pd.DataFrame({
        "file": as_objects([note.file for note in gathered.files])[gathered.sheet_file[sheet]],
        "sheet": as_objects(gathered.sheet_name)[sheet],
        "row": gathered.row[rows],
    })  # fmt: skip


def _records(
    gathered: Gathered, reported: Reported, dates: Dates, places: dict, columns: dict[str, np.ndarray], rows: np.ndarray
) -> pd.DataFrame:
    frame = _addresses(gathered, rows)
    done = {"record_id": _record_ids(gathered, rows), **{name: frame[name].to_numpy() for name in frame}}
    done |= {
        "organisation_id": reported.organisation_id[rows], "organisation": reported.organisation[rows],
        "fiscal_year": reported.fiscal_year[rows], "quarter": reported.quarter[rows],
        "deposit_date": reported.deposit_date[rows].astype("datetime64[ns]"),
    }  # fmt: skip
    done |= columns
    for column in DATES:
        done[f"{column}_earliest"] = dates.earliest[column][rows].astype("datetime64[ns]")
        done[f"{column}_latest"] = dates.latest[column][rows].astype("datetime64[ns]")
    for column in PLACES:
        done |= {f"{column}_{name}": array[rows] for name, array in places[column].items()}
    return pd.DataFrame(done)


def _record_ids(gathered: Gathered, rows: np.ndarray) -> np.ndarray:
    """A stable id of each row's address: 16 hexadecimal digits of SHA-256."""
    prefixes = [
        hashlib.sha256(f"{gathered.files[file].file}\x1f{name}\x1f".encode())
        for file, name in zip(gathered.sheet_file, gathered.sheet_name, strict=True)
    ]
    ids = []
    for sheet, number in zip(gathered.sheet[rows].tolist(), gathered.row[rows].tolist(), strict=True):
        digest = prefixes[sheet].copy()
        digest.update(b"%d" % number)
        ids.append(digest.hexdigest()[:16])
    return as_objects(ids)


def _issues(gathered: Gathered, findings: Findings, accepted: np.ndarray) -> pd.DataFrame:
    """Issues of files and sheets, and of the cells of accepted rows, in the order of their addresses."""
    live = np.zeros(len(gathered.sheet), dtype=bool)
    live[accepted] = True
    parts = [pd.DataFrame(gathered.issues, columns=["file", "sheet", "row", "reason", "column", "value"])]
    for reason, column, rows, typed in findings.found:
        kept = live[rows]
        value = None if typed is None else typed[kept]
        parts.append(_addresses(gathered, rows[kept]).assign(reason=reason, column=column, value=value))
    return tables.stack(parts, tables.ISSUES).sort_values(
        ["file", "sheet", "row", "column", "reason"], kind="stable", ignore_index=True
    )


def _files(
    gathered: Gathered, dates: Dates, crosswalk: str, superseded: np.ndarray, quarantined: np.ndarray,
    duplicate: np.ndarray, repeated: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
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
    return pd.DataFrame({
        "file": [note.file for note in gathered.files], "status": status,
        "encoding": [note.encoding for note in gathered.files],
        "crosswalk": np.where(unreadable, None, crosswalk).astype(object),
        "n_read": n_read, "n_accepted": n_read - count(superseded) - count(quarantined) - count(duplicate),
        "n_quarantined": count(quarantined), "n_superseded": count(superseded), "n_duplicate": count(duplicate),
        "message": message, "separator": [note.separator for note in gathered.files],
        "n_sheets": [note.n_sheets for note in gathered.files],
        "date_order": np.where(unreadable, None, np.where(dates.day_first, "day_first", "month_first")),
    })  # fmt: skip
