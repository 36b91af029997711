"""The tables of a build as they are needed here, and whose each file and row is.

A row is of the organisation that it names. A file is of one organisation: of the one that its name says, where a row of
it does too or where it has none; else of the one that most of its rows name. So the rows of every file are counted
once, and whoever typed a row that names somebody else is not shown that one's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import tables
from ..deposits.organisations import parse_name
from ..exceptions import StaleTableError

# Table → the columns that are read of it. Without the first two nothing can be said; each of the others may be missing.
READ = {
    "records": (
        "record_id", "file", "sheet", "row", "organisation_id", "organisation", "organisation_zone", "fiscal_year",
        "quarter", "deposit_date", "file_number", "household_number", "given_name", "family_name",
        "birth_date_earliest", "birth_date_latest", "immigration_category", "arrival_date_latest",
        "residence_code", "residence_zone", "residence_match", "destination", "destination_code", "destination_zone",
        "service", "service_date_latest", "establishment_date_earliest", "establishment_date_latest",
        "follow_up_date_earliest", "follow_up_date_latest", "follow_up_status", "exit_date_earliest",
        "exit_date_latest", "exit_destination", "exit_destination_code", "exit_destination_region",
        "exit_destination_zone", "exit_reason",
    ),
    "files": ("file", "status", "n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate", "message"),
    "quarantine": ("file", "sheet", "row", "reason", "column"),
    "issues": ("file", "sheet", "row", "reason", "column", "value"),
    "superseded": ("file", "superseded_by"),
    "persons": ("record_id", "person_id", "identity_id"),
    "links": ("left_id", "right_id", "same", "decision"),
    "conflicts": ("person_id", "date", "rule", "said"),
    "observations": ("person_id", "latest", "kind", "zone", "organisation_id", "record_id", "aside"),
}  # fmt: skip
NEEDED = ("records", "files")
ADDRESS = ["file", "sheet", "row"]


@dataclass(frozen=True)
class Given:
    """
    What the measures are made of.

    Attributes
    ----------
    records : DataFrame
        With `dossier` (a number for an organisation and a person that it has a file on) and, where known,
        `identity_id` and `person_id`.
    files : DataFrame
        With `owner`, the organisation that sent it (None: nothing says who), and what its name says: `fiscal_year`,
        `quarter`, `deposit_date`.
    more : mapping of str to DataFrame
        The other tables of `READ`, those that are there.
    cutoff : Timestamp
        The last day of observation.
    """

    records: pd.DataFrame
    files: pd.DataFrame
    more: Mapping[str, pd.DataFrame]
    cutoff: pd.Timestamp

    @property
    def absent(self) -> tuple[str, ...]:
        """The tables that the build has not."""
        return tuple(name for name in READ if name not in (*NEEDED, *self.more))

    def of_records(self, found: pd.DataFrame) -> pd.Series:
        """Whose the records at some addresses are; missing where there is none (of somebody left out by request)."""
        near = self.records.loc[self.records["file"].isin(found["file"].unique()), [*ADDRESS, "organisation_id"]]
        return found[ADDRESS].merge(near, on=ADDRESS, how="left")["organisation_id"].set_axis(found.index)

    def of_rows(self, found: pd.DataFrame) -> pd.Series:
        """Whose the rows at some addresses are: of the record's organisation, else of the one that sent the file."""
        return tables.first_known(self.of_records(found), found["file"].map(self.files.set_index("file")["owner"]))


def read_given(derived: Path) -> Given:
    """
    From the folder of a build.

    Raises
    ------
    StaleTableError
        `records` or `files` is missing or of another version.
    """
    import pyarrow as pa

    derived, found = Path(derived), {}
    for name, columns in READ.items():
        try:
            found[name] = _read(derived, name, columns)
        except (StaleTableError, OSError, pa.ArrowInvalid):
            if name in NEEDED:
                raise
    notes = tables.read_metadata(tables.RECORDS, derived)
    return given(found, pd.Timestamp(notes["cutoff"]) if "cutoff" in notes else None)


def given(found: Mapping[str, pd.DataFrame], cutoff: pd.Timestamp | None = None) -> Given:
    """From tables at hand; without a cut-off, the last deposit is the last day."""
    records, files = found["records"], found["files"]
    more = {name: frame for name, frame in found.items() if name not in NEEDED}
    records = _with_dossiers(records, more.get("persons"))
    last = records["deposit_date"].max() if cutoff is None else cutoff
    return Given(records, _with_owners(files, records, more.get("superseded")), more, last)


def _read(derived: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    import pyarrow.parquet as pq

    path, table = derived / f"{name}.parquet", tables.TABLES[name]
    if not path.exists():
        raise StaleTableError(f"{path} does not exist: run `trajectories build` first.")
    schema = pq.read_schema(path)
    if tables.metadata_of(schema).get("schema") != tables.SCHEMA_VERSION or not set(columns) <= set(schema.names):
        raise StaleTableError(
            f"{path} was written by another version of the library: rebuild with `trajectories build`."
        )
    read = pq.read_table(path, columns=list(columns)).to_pandas()
    part = tables.Table(name, {column: table.columns[column] for column in columns if column in table.columns})
    return tables.conform(read, part)


def _with_dossiers(records: pd.DataFrame, persons: pd.DataFrame | None) -> pd.DataFrame:
    typed = records["organisation_id"].astype(object) + "\x1f" + records["file_number"].astype(object)
    if persons is None:
        records = records.assign(identity_id=None, person_id=None)
    else:
        beside = persons.drop_duplicates("record_id").set_index("record_id")[["identity_id", "person_id"]]
        beside = beside.reindex(records["record_id"])
        records = records.assign(**{name: beside[name].to_numpy(dtype=object) for name in beside})
    dossier = tables.first_known(records["identity_id"], typed, records["record_id"])
    # numbers, not texts: every measure groups by them
    return records.assign(dossier=pd.factorize(dossier)[0])


def _with_owners(files: pd.DataFrame, records: pd.DataFrame, superseded: pd.DataFrame | None) -> pd.DataFrame:
    named = pd.DataFrame([parse_name(file) for file in files["file"]], index=files.index)
    named = named.reindex(columns=["organisation_id", "fiscal_year", "quarter", "deposit_date"])
    named["organisation_id"] = named["organisation_id"].astype(object).str.upper()
    counts = records.groupby(["file", "organisation_id"], sort=True).size().reset_index(name="n")
    most = counts.sort_values("n", ascending=False, kind="stable").drop_duplicates("file")
    most = files["file"].map(most.set_index("file")["organisation_id"])
    has = pd.MultiIndex.from_frame(counts[["file", "organisation_id"]])
    said = pd.MultiIndex.from_arrays([files["file"], named["organisation_id"]]).isin(has)
    owner = named["organisation_id"].where(said | most.isna(), most)
    if superseded is not None and len(superseded):
        # a file without a name that says so is of whoever sent the one that replaces it
        by = superseded.drop_duplicates("file").set_index("file")["superseded_by"]
        heir = files["file"].map(by).map(pd.Series(owner.to_numpy(), index=files["file"]))
        owner = owner.where(owner.notna(), heir)
    owner = owner.astype(object).where(owner.notna(), None)
    return files.assign(
        owner=owner, fiscal_year=named["fiscal_year"], quarter=pd.to_numeric(named["quarter"]).astype("Int64"),
        deposit_date=pd.to_datetime(named["deposit_date"], errors="coerce"),
    )  # fmt: skip
