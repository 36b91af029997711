"""Persons to leave out by request (a class of their own in the accounting).

`data/exclusions.csv` has one line a person: the organisation's code and that organisation's file number
(`code_organisme;no_dossier`). Whoever is linked to that file is left out with all their records, in every
organisation. The file number is compared as text, and no value of the file is ever printed: a line that names nobody
is told by its number.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..exceptions import UnusableInputError

COLUMNS = ("code_organisme", "no_dossier")


def read_exclusions(path: Path | str) -> pd.DataFrame:
    """The requests in the file (organisation_id, file_number, line of the file); none where there is no file."""
    path = Path(path)
    if not path.exists():
        return pd.DataFrame({"organisation_id": [], "file_number": [], "line": []}, dtype="object")
    try:
        lines = pd.read_csv(
            path, sep=None, engine="python", dtype=str, encoding="utf-8-sig", keep_default_na=False,
            skip_blank_lines=False,
        )  # fmt: skip
    except (ValueError, OSError) as error:
        raise UnusableInputError(
            f"{path.name} cannot be read ({type(error).__name__}): "
            f"it needs the columns {' and '.join(COLUMNS)}, in UTF-8."
        ) from None
    if not set(COLUMNS) <= set(lines.columns):
        raise UnusableInputError(f"{path.name} needs the columns {' and '.join(COLUMNS)} in its first line.")
    found = lines[list(COLUMNS)].fillna("").apply(lambda column: column.str.strip())
    found = found.set_axis(["organisation_id", "file_number"], axis=1).assign(line=range(2, len(found) + 2))
    named = found[found["organisation_id"].ne("") | found["file_number"].ne("")]
    return named.drop_duplicates(["organisation_id", "file_number"], ignore_index=True)


def excluded_records(records: pd.DataFrame, persons: pd.DataFrame, requests: pd.DataFrame) -> pd.Series:
    """Ids of the records of everyone whom a request names."""
    asked = records.merge(requests, on=["organisation_id", "file_number"])["record_id"]
    people = persons.loc[persons["record_id"].isin(asked), "person_id"]
    return persons.loc[persons["person_id"].isin(people), "record_id"]


def idle_lines(records: pd.DataFrame, requests: pd.DataFrame) -> tuple[int, ...]:
    """The lines of the file that no accepted row answers to: nobody is left out for them."""
    filed = pd.MultiIndex.from_frame(records[["organisation_id", "file_number"]])
    answered = pd.MultiIndex.from_frame(requests[["organisation_id", "file_number"]]).isin(filed)
    return tuple(int(line) for line in requests.loc[~answered, "line"])


def links_without(links: pd.DataFrame, persons: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    """The pairs of identities (`links`) of which neither is of a record that is left out."""
    identities = persons.loc[persons["record_id"].isin(gone), "identity_id"]
    return links[~links[["left_id", "right_id"]].isin(set(identities)).any(axis=1)].reset_index(drop=True)


def cells_without(issues: pd.DataFrame, records: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    """The cells that were corrected or became missing (`issues`), but those of records that are left out."""
    rows = records.loc[records["record_id"].isin(gone), ["file", "sheet", "row"]]
    theirs = pd.MultiIndex.from_frame(issues[["file", "sheet", "row"]]).isin(pd.MultiIndex.from_frame(rows))
    return issues[~theirs].reset_index(drop=True)
