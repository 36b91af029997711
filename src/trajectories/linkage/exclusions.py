"""Persons to leave out by request (a class of their own in the accounting).

`data/exclusions.csv` has one line per person: the organisation's code and that organisation's file number
(`code_organisme;no_dossier`). The person linked to that file is left out with all their records, in every
organisation. The file number is compared as text, and no value of the file is ever printed: a line that matches no
record is reported by its number.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from ..exceptions import UnusableInputError

COLUMNS = ("code_organisme", "no_dossier")


def read_exclusions(path: Path | str) -> pd.DataFrame:
    """
    The requests in the file (organisation_id, file_number, line of the file); none where there is no file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "exclusions.csv")
    ...     _ = path.write_text("code_organisme;no_dossier\\nEER01;17\\n", encoding="utf-8")
    ...     read_exclusions(path).values.tolist()
    [['EER01', '17', 2]]
    """
    path = Path(path)
    if not path.exists():
        return pd.DataFrame({"organisation_id": [], "file_number": [], "line": []}, dtype="object")
    try:
        lines = pd.read_csv(
            path,
            sep=None,
            engine="python",
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,
            skip_blank_lines=False,
        )
    except (ValueError, OSError, csv.Error) as error:
        raise UnusableInputError(
            f"{path.name} cannot be read ({type(error).__name__}): "
            f"it needs the columns {' and '.join(COLUMNS)}, in UTF-8."
        ) from None
    if not set(COLUMNS) <= set(lines.columns):
        raise UnusableInputError(f"{path.name} needs the columns {' and '.join(COLUMNS)} in its first line.")
    requests = lines[list(COLUMNS)].fillna("").apply(lambda column: column.str.strip())
    requests = requests.set_axis(["organisation_id", "file_number"], axis=1).assign(line=range(2, len(requests) + 2))
    named = requests[requests["organisation_id"].ne("") | requests["file_number"].ne("")]
    return named.drop_duplicates(["organisation_id", "file_number"], ignore_index=True)


def excluded_records(records: pd.DataFrame, persons: pd.DataFrame, requests: pd.DataFrame) -> pd.Series:
    """
    Ids of all records of the persons whom a request names.

    Reads record_id, organisation_id, file_number of `records`; record_id, person_id of `persons`.

    Examples
    --------
    >>> records = pd.DataFrame({"record_id": ["1", "2"], "organisation_id": ["A", "B"], "file_number": ["7", "R-9"]})
    >>> persons = pd.DataFrame({"record_id": ["1", "2"], "person_id": "P1"})  # one person, known to two organisations
    >>> requests = pd.DataFrame({"organisation_id": ["A"], "file_number": ["7"], "line": [2]})
    >>> excluded_records(records, persons, requests).tolist()
    ['1', '2']
    """
    requested = records.merge(requests, on=["organisation_id", "file_number"])["record_id"]
    people = persons.loc[persons["record_id"].isin(requested), "person_id"]
    return persons.loc[persons["person_id"].isin(people), "record_id"]


def idle_lines(records: pd.DataFrame, requests: pd.DataFrame) -> tuple[int, ...]:
    """
    The lines of the file that match no accepted row: nobody is left out for them.

    Examples
    --------
    >>> records = pd.DataFrame({"organisation_id": ["A"], "file_number": ["7"]})
    >>> idle_lines(records, pd.DataFrame({"organisation_id": "A", "file_number": ["7", "8"], "line": [2, 3]}))
    (3,)
    """
    filed = pd.MultiIndex.from_frame(records[["organisation_id", "file_number"]])
    answered = pd.MultiIndex.from_frame(requests[["organisation_id", "file_number"]]).isin(filed)
    return tuple(int(line) for line in requests.loc[~answered, "line"])


def links_without(links: pd.DataFrame, persons: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    """
    The links of which neither identity belongs to a record that is left out (`gone`: ids of these records).

    Examples
    --------
    >>> links = pd.DataFrame({"left_id": ["F1", "F2"], "right_id": ["F2", "F3"]})
    >>> persons = pd.DataFrame({"record_id": ["1", "2", "3"], "identity_id": ["F1", "F2", "F3"]})
    >>> links_without(links, persons, pd.Series(["1"])).values.tolist()
    [['F2', 'F3']]
    """
    identities = persons.loc[persons["record_id"].isin(gone), "identity_id"]
    return links[~links[["left_id", "right_id"]].isin(set(identities)).any(axis=1)].reset_index(drop=True)


def cells_without(issues: pd.DataFrame, records: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    """
    The issues without those of records that are left out (`gone`: ids of these records).

    Examples
    --------
    >>> rows = pd.DataFrame({"file": "f.csv", "sheet": "", "row": [2, 3], "record_id": ["1", "2"]})
    >>> cells_without(rows.drop(columns="record_id").assign(column="sexe"), rows, pd.Series(["1"])).values.tolist()
    [['f.csv', '', 3, 'sexe']]
    """
    rows = records.loc[records["record_id"].isin(gone), ["file", "sheet", "row"]]
    excluded = pd.MultiIndex.from_frame(issues[["file", "sheet", "row"]]).isin(pd.MultiIndex.from_frame(rows))
    return issues[~excluded].reset_index(drop=True)
