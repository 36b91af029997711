"""Persons to leave out by request (a class of their own in the accounting).

`data/exclusions.csv` has one line a person: the organisation's code and that organisation's file number
(`code_organisme;no_dossier`). Whoever is linked to that file is left out with all their records, in every
organisation. The file number is compared as text, and no value of the file is ever printed.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..exceptions import UnusableInputError

COLUMNS = ("code_organisme", "no_dossier")


def read_exclusions(path: Path | str) -> pd.DataFrame:
    """The requests in the file (columns organisation_id, file_number); none where there is no file."""
    path = Path(path)
    if not path.exists():
        return pd.DataFrame({"organisation_id": [], "file_number": []}, dtype="object")
    try:
        lines = pd.read_csv(path, sep=None, engine="python", dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (ValueError, OSError) as error:
        raise UnusableInputError(
            f"{path.name} cannot be read ({type(error).__name__}): "
            f"it needs the columns {' and '.join(COLUMNS)}, in UTF-8."
        ) from None
    if not set(COLUMNS) <= set(lines.columns):
        raise UnusableInputError(f"{path.name} needs the columns {' and '.join(COLUMNS)} in its first line.")
    found = lines[list(COLUMNS)].apply(lambda column: column.str.strip())
    return found.set_axis(["organisation_id", "file_number"], axis=1).drop_duplicates(ignore_index=True)


def excluded_records(records: pd.DataFrame, persons: pd.DataFrame, requests: pd.DataFrame) -> pd.Series:
    """Ids of the records of everyone whom a request names."""
    asked = records.merge(requests, on=["organisation_id", "file_number"])["record_id"]
    people = persons.loc[persons["record_id"].isin(asked), "person_id"]
    return persons.loc[persons["person_id"].isin(people), "record_id"]


def links_without(links: pd.DataFrame, persons: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    """The pairs of identities (`links`) of which neither is of a record that is left out."""
    identities = persons.loc[persons["record_id"].isin(gone), "identity_id"]
    return links[~links[["left_id", "right_id"]].isin(set(identities)).any(axis=1)].reset_index(drop=True)


def cells_without(issues: pd.DataFrame, records: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    """The cells that were corrected or became missing (`issues`), but those of records that are left out."""
    rows = records.loc[records["record_id"].isin(gone), ["file", "sheet", "row"]]
    theirs = pd.MultiIndex.from_frame(issues[["file", "sheet", "row"]]).isin(pd.MultiIndex.from_frame(rows))
    return issues[~theirs].reset_index(drop=True)
