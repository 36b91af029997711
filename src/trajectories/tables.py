"""The tables that pass between rooms: their columns, their types, their values, said once.

A table is a plain `pandas.DataFrame`. `check` holds one against its schema (pandera, built when first used) at a
room's door; `save` and `load` keep it as parquet with the schema's version, and refuse one of another version.

Conventions: codes (region "06", municipality "01023") are text, zero-padded; a date is midnight `datetime64[ns]`;
an uncertain date is two columns, `<name>_earliest` and `<name>_latest`; a missing text is None; durations are
months (months.py). More columns than those declared are welcome; fewer are an error.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .exceptions import StaleTableError, TableError

if TYPE_CHECKING:
    import pandera.pandas as pa
    import pyarrow

# Raised whenever a column changes its name or its meaning: older parquet is then refused with « rebuild ».
SCHEMA_VERSION = "1.2"
_AT_ONCE = 1 << 20  # rows: what is written of a table at a time

# ── values that more than one room names ──────────────────────────────────────────────────────────────────
METROPOLE, REGION, OUTSIDE_QUEBEC, UNKNOWN = ZONES = ("metropole", "region", "outside_quebec", "unknown")
# The group that is everyone, beside the region codes.
PROVINCE = "province"
MATCHES = ("exact", "alias", "fuzzy", "code", "postal", "ambiguous", "area_only", "none")
PRESENT, LEFT, NOT_REACHED = FOLLOW_UP_STATUSES = ("present", "left", "not_reached")
# The service that is the contact itself, where the row has a status.
FOLLOW_UP_SERVICE = "post_settlement_follow_up"
OBSERVATION_KINDS = ("service", "establishment", "follow_up", "departure", "residence")
# Why an address does not count: it comes again, or leaves open whether the person came back (stays/addresses.py).
NO_NEWS = ("old_address", "possible_return", "possible_visit")
OUTCOMES = ("moved", "present", "lost", "left", "deceased")
MOVE_KINDS = ("secondary", "onward", "within", "return", "out_of_quebec", "arrival", "undetermined")
EXITS = ("metropole", "other_region", "outside_quebec", "unknown_destination")
PATHWAYS = ("secondary", "primary", "onward", "return_stay")
LOST = ("contact", "silent")
CONTACT_KINDS = ("present", "left", "failed", "service", "news")
# Why a contact, a service or news does not enter the observation model (stays/contacts.py).
ASIDE_REASONS = (
    "heard_before", "repeats_contact", "after_departure", "contradicts", "after_heard_until", "death", "stays_inside",
    "elsewhere", "no_stay",
)  # fmt: skip
ROLES = ("principal", "spouse", "child")
CITY_SIZES = ("under_10k", "10k_50k", "50k_100k", "100k_plus")
LINK_DECISIONS = ("linked", "refused", "below_threshold")
FILE_STATUSES = ("read", "superseded", "duplicate", "unreadable")
METHODS = (
    "main", "own_reporting", "borrowed_reporting", "with_services", "plain", "no_news_present", "all_lost_left",
    "all_lost_stayed",
)  # fmt: skip
# Whose contact failures and hearing a main estimate rests on: the group's own, or the province's.
REPORTINGS = ("own", "borrowed")
SUPPORTS = ("observed", "hearsay", "insufficient")
# The rules by which a type of trajectory is named (analysis/typology/naming.py).
TYPES = ("stays", "returns_early", "returns_late", "onward", "leaves_quebec", "circular")
# Those who settled in the last fiscal years, and before; and what is measured of them (analysis/comparison/periods.py).
RECENT, BEFORE = PERIODS = ("recent", "before")
BY_PERIOD = "retention_by_period"
CATEGORIES = (
    "economic", "family", "refugee", "other_permanent", "asylum_claimant", "temporary_worker", "student",
)  # fmt: skip
SERVICES = (
    "information", "exploratory_visit", "job_search", "housing_search", "reception", "personal_support",
    "objectif_integration", "pairing", "francization", "family_support", "post_settlement_follow_up", "other",
)  # fmt: skip
NEEDS = ("job", "housing", "francization", "school", "childcare", "health", "transport", "network", "other")
EXIT_REASONS = (
    "job", "studies", "housing", "family", "services", "transport", "language", "isolation", "discrimination",
    "status", "return_home", "death", "other", "unknown",
)  # fmt: skip
ESTABLISHMENT_REASONS = (
    "job", "studies", "housing", "family", "services", "quality_of_life", "language", "other", "unknown",
)  # fmt: skip
FRENCH_LEVELS = ("none", "beginner", "intermediate", "advanced")
EDUCATION_LEVELS = ("none", "secondary", "college", "university")
SEXES = ("F", "M", "X")


@dataclass(frozen=True)
class Column:
    """One column: type (text, date, integer, number, boolean), whether it may be missing, its allowed values."""

    type: str = "text"
    required: bool = False
    values: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Table:
    """One table: its name (and parquet file name) and its columns in order."""

    name: str
    columns: dict[str, Column]


def _interval(name: str) -> dict[str, Column]:
    return {f"{name}_earliest": Column("date"), f"{name}_latest": Column("date")}


def _place(name: str) -> dict[str, Column]:
    return {
        name: Column(),
        f"{name}_code": Column(),
        f"{name}_region": Column(),
        f"{name}_zone": Column(values=ZONES),
        f"{name}_match": Column(values=MATCHES),
    }


_KEYS = {"file": Column(required=True), "sheet": Column(required=True), "row": Column("integer", required=True)}
_FINDING = {**_KEYS, "reason": Column(required=True), "column": Column(), "value": Column()}
_SPAN = {"earliest": Column("date"), "latest": Column("date")}

RECORDS = Table("records", {
    "record_id": Column(required=True), **_KEYS,
    "organisation_id": Column(required=True), "organisation": Column(), "organisation_zone": Column(values=ZONES),
    "fiscal_year": Column(), "quarter": Column("integer"), "deposit_date": Column("date"),
    "file_number": Column(), "household_number": Column(), "given_name": Column(), "family_name": Column(),
    **_interval("birth_date"), "sex": Column(values=SEXES), "birth_country": Column(),
    "immigration_category": Column(values=CATEGORIES), **_interval("arrival_date"),
    "french": Column(values=FRENCH_LEVELS), "education": Column(values=EDUCATION_LEVELS),
    "household_size": Column("integer"),
    **_place("residence"), "residence_code_typed": Column(), "postal_code": Column(),
    "residence_own_town": Column("boolean"),  # but the town of the organisation: it says the region
    "programme": Column(), "stream": Column(), "service": Column(values=SERVICES),
    **_interval("service_date"), **_interval("departure_date"), **_interval("establishment_date"),
    **_place("destination"), "establishment_reason": Column(values=ESTABLISHMENT_REASONS),
    "needs": Column(),  # codes of NEEDS joined by ";"
    "job_found": Column("boolean"), **_interval("job_date"),
    "housing_found": Column("boolean"), **_interval("housing_date"),
    **_interval("follow_up_date"), "follow_up_status": Column(values=FOLLOW_UP_STATUSES),
    **_interval("exit_date"), **_place("exit_destination"), "exit_reason": Column(values=EXIT_REASONS),
})  # fmt: skip
QUARANTINE = Table("quarantine", _FINDING)
ISSUES = Table("issues", {**_FINDING, "closest": Column()})
SUPERSEDED = Table("superseded", {**_KEYS, "superseded_by": Column(required=True)})
FILES = Table("files", {
    "file": Column(required=True), "status": Column(required=True, values=FILE_STATUSES), "encoding": Column(),
    "crosswalk": Column(), "n_read": Column("integer", required=True), "n_accepted": Column("integer", required=True),
    "n_quarantined": Column("integer", required=True), "n_superseded": Column("integer", required=True),
    "n_duplicate": Column("integer", required=True), "message": Column(), "fault": Column(),
})  # fmt: skip
PERSONS = Table("persons", {
    "record_id": Column(required=True), "person_id": Column(required=True), "household_id": Column(required=True),
    "match_probability": Column("number"), "identity_id": Column(),
})  # fmt: skip
# The columns of persons that the rooms after the linkage read.
WHOSE = ("record_id", "person_id", "household_id")
# Pairs of identities (one for an organisation and a file number) and what became of each; ids are pseudonyms.
LINKS = Table("links", {
    "left_id": Column(required=True), "right_id": Column(required=True), "weight": Column("number"),
    "relative_weight": Column("number"), "same": Column("number", required=True),
    "relative": Column("number", required=True), "decision": Column(required=True, values=LINK_DECISIONS),
    "reason": Column(),
})  # fmt: skip
# Who is who where the threshold is lower or higher than the study's, or where each pair is linked as often as it is
# probable (draws): for the sensitivity of the results to it.
ALTERNATIVES = Table("alternatives", {
    "threshold": Column("number"), "draw": Column("integer"), "record_id": Column(required=True),
    "person_id": Column(required=True), "household_id": Column(required=True),
})  # fmt: skip
OBSERVATIONS = Table("observations", {
    "person_id": Column(required=True), **_SPAN, "municipality": Column(), "region": Column(),
    "zone": Column(required=True, values=ZONES), "kind": Column(required=True, values=OBSERVATION_KINDS),
    "organisation_id": Column(), "record_id": Column(required=True), "aside": Column(values=NO_NEWS),
})  # fmt: skip
SPELLS = Table("spells", {
    "person_id": Column(required=True), "household_id": Column(required=True),
    "spell": Column("integer", required=True),
    "municipality": Column(), "region": Column(), "zone": Column(required=True, values=ZONES),
    "start_earliest": Column("date"), "start_latest": Column("date"),
    "end_earliest": Column("date"), "end_latest": Column("date"), "last_confirmed": Column("date"),
    "outcome": Column(required=True, values=OUTCOMES), "destination_zone": Column(values=ZONES),
    "n_observations": Column("integer", required=True),
})  # fmt: skip
MOVES = Table("moves", {
    "person_id": Column(required=True), "move": Column("integer", required=True),
    "origin_municipality": Column(), "origin_region": Column(), "origin_zone": Column(values=ZONES),
    "destination_municipality": Column(), "destination_region": Column(), "destination_zone": Column(values=ZONES),
    "kind": Column(required=True, values=MOVE_KINDS), **_SPAN,
})  # fmt: skip
CONFLICTS = Table("conflicts", {
    "person_id": Column(required=True), "date": Column("date"), "rule": Column(required=True),
    "said": Column(required=True), "kept": Column(required=True),
})  # fmt: skip
COHORT = Table("cohort", {
    "person_id": Column(required=True), "household_id": Column(required=True),
    "episode": Column("integer", required=True),
    "perimeter": Column(required=True), "scope": Column(required=True),
    "region": Column(), "municipality": Column(), "pathway": Column(required=True, values=PATHWAYS),
    "origin_region": Column(), "origin_zone": Column(values=ZONES),
    "establishment_earliest": Column("date"), "establishment_latest": Column("date"),
    "entry": Column("number"), "lower": Column("number"), "upper": Column("number"), "cutoff": Column("number"),
    "heard_until": Column("number"),
    "exit": Column(values=EXITS), "lost": Column(values=LOST), "lost_month": Column("number"), "excluded": Column(),
    "immigration_category": Column(values=CATEGORIES), "age": Column("number"), "sex": Column(values=SEXES),
    "role": Column(values=ROLES),
    "french": Column(values=FRENCH_LEVELS), "education": Column(values=EDUCATION_LEVELS),
    "household_size": Column("integer"), "years_since_arrival": Column("number"),
    "job_found": Column("boolean"), "housing_found": Column("boolean"), "period": Column(),
    "city_size": Column(values=CITY_SIZES), "organisation_id": Column(),
})  # fmt: skip
CONTACTS = Table("contacts", {
    "person_id": Column(required=True), "episode": Column("integer", required=True),
    "month": Column("number", required=True),
    "kind": Column(required=True, values=CONTACT_KINDS), "organisation_id": Column(), "cause": Column(values=EXITS),
    "departure_earliest": Column("number"), "departure_latest": Column("number"), "record_id": Column(),
})  # fmt: skip
SET_ASIDE = Table("set_aside", {
    **CONTACTS.columns, "episode": Column("integer"), "month": Column("number"),
    "reason": Column(required=True, values=ASIDE_REASONS),
})  # fmt: skip
RETENTION = Table("retention", {
    "perimeter": Column(required=True), "scope": Column(required=True), "pathway": Column(required=True),
    "group": Column(required=True), "horizon": Column("integer", required=True),
    "method": Column(required=True, values=METHODS),
    "estimate": Column("number"), "se": Column("number"), "lower": Column("number"), "upper": Column("number"),
    "n_start": Column("integer", required=True), "n_at_risk": Column("integer"), "n_confirmed": Column("integer"),
    "known": Column(values=SUPPORTS), "note": Column(), "range_lower": Column("number"),
    "range_upper": Column("number"), "reporting": Column(values=REPORTINGS),
})  # fmt: skip

TABLES = {
    table.name: table
    for table in (
        RECORDS, QUARANTINE, ISSUES, SUPERSEDED, FILES, PERSONS, LINKS, ALTERNATIVES, OBSERVATIONS, SPELLS,
        MOVES, CONFLICTS, COHORT, CONTACTS, SET_ASIDE, RETENTION,
    )
}  # fmt: skip

_PANDAS_TYPES = {
    "text": "object",
    "date": "datetime64[ns]",
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
}


def conform(frame: pd.DataFrame, table: Table, *, copy: bool = True) -> pd.DataFrame:
    """
    The frame with the table's columns first, in order, each of its type; absent columns come in as missing. Without
    `copy`, columns that conform already are shared with the frame: to be saved, not to be changed.

    Examples
    --------
    >>> conform(pd.DataFrame({"record_id": ["a"]}), PERSONS).dtypes["match_probability"]
    dtype('float64')
    """
    done = {name: _conformed(frame, name, column) for name, column in table.columns.items()}
    extra = {name: frame[name] for name in frame.columns if name not in done}
    return pd.DataFrame({**done, **extra}, index=frame.index, copy=copy)


def _conformed(frame: pd.DataFrame, name: str, column: Column) -> pd.Series:
    values = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype="object")
    if column.type == "text":
        values = values.astype("object", copy=False)
        missing = values.isna().to_numpy()
        none = (values.to_numpy()[missing] == None).all()  # noqa: E711 (no NaN)
        return values if none else values.where(~missing, None)
    return values.astype(_pandas_type(column), copy=False)


def _pandas_type(column: Column) -> str:
    return "int64" if column.type == "integer" and column.required else _PANDAS_TYPES[column.type]


@functools.cache
def _schema(name: str) -> pa.DataFrameSchema:
    import pandera.pandas as pa

    def column(spec: Column) -> pa.Column:
        checks = []
        if spec.values is not None:
            checks.append(pa.Check.isin(list(spec.values)))
        return pa.Column(_pandas_type(spec), checks, nullable=not spec.required)

    return pa.DataFrameSchema({key: column(spec) for key, spec in TABLES[name].columns.items()}, name=name)


def check(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """
    The frame itself, checked against the table's schema.

    Raises
    ------
    TableError
        Every departure at once, as sentences: the column, what is wrong, and on how many rows.
    """
    import pandera.errors

    try:
        _schema(table.name).validate(frame, lazy=True, inplace=True)  # nothing is coerced: no copy is needed
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases.groupby(["column", "check"], dropna=False).size()
        faults = "; ".join(f"column {column}: {rule} fails on {n} row(s)" for (column, rule), n in cases.items())
        raise TableError(f"table {table.name}: {faults}.") from None
    return frame


def save(frame: pd.DataFrame, table: Table, folder: Path, **metadata: str) -> Path:
    """Check a table and write it as `<folder>/<name>.parquet`, with the schema's version and the metadata given."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .folders import private_folder, replaced

    schema = pa.Schema.from_pandas(check(frame, table), preserve_index=False)
    notes = {"trajectories": json.dumps({"schema": SCHEMA_VERSION, "table": table.name, **metadata}, sort_keys=True)}
    schema = schema.with_metadata({**(schema.metadata or {}), **notes})
    path = private_folder(folder) / f"{table.name}.parquet"
    with replaced(path) as scratch, pq.ParquetWriter(scratch, schema) as file:
        for begin in range(0, max(len(frame), 1), _AT_ONCE):  # a row group each: these rows are copied, not all
            rows = frame.iloc[begin : begin + _AT_ONCE]
            file.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), _AT_ONCE)
    return path


def without_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with text where it has categories (`load`)."""
    categories = frame.select_dtypes("category")
    texts = {name: categories[name].astype(object).where(categories[name].notna(), None) for name in categories}
    return frame.assign(**texts) if texts else frame


def load(table: Table, folder: Path, *, columns: Iterable[str] | None = None, categories: bool = False) -> pd.DataFrame:
    """
    Read a table that `save` wrote, or only some of its columns: of a million persons each may take half a gigabyte.

    With `categories`, texts but for ids are categories, which take an eighth of that (`without_categories` makes texts
    of them again).

    Raises
    ------
    StaleTableError
        The file is missing, unreadable, or of another schema version: build again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(folder) / f"{table.name}.parquet"
    wanted = table.columns if columns is None else {name: table.columns[name] for name in columns}
    try:
        texts = [name for name, column in wanted.items() if column.type == "text" and name not in WHOSE]
        with pq.ParquetFile(path, read_dictionary=texts if categories else None) as file:
            if metadata_of(file.schema_arrow).get("schema") != SCHEMA_VERSION:
                raise StaleTableError(
                    f"{path} was written by another version of the library: rebuild with `trajectories build`."
                )
            # column by column: memory then holds the table once, not twice
            names = [name for name in file.schema_arrow.names if columns is None or name in wanted]
            saved = {name: file.read(columns=[name]).to_pandas()[name] for name in names}
            rows = file.metadata.num_rows
    except FileNotFoundError:
        raise StaleTableError(f"{path} does not exist: run `trajectories build` first.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StaleTableError(_unreadable(path, error)) from None
    pa.default_memory_pool().release_unused()  # memory that arrow has freed: a third of all
    frame = pd.DataFrame(saved, index=range(rows), copy=False)
    for name, column in wanted.items():
        # what was saved has its types, and None for a missing text
        is_category = name in saved and isinstance(saved[name].dtype, pd.CategoricalDtype)
        if not is_category and (name not in saved or saved[name].dtype != _pandas_type(column)):
            saved[name] = _conformed(frame, name, column)
    return pd.DataFrame({**{name: saved[name] for name in wanted}, **saved}, copy=False)


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path} cannot be read ({type(error).__name__}): rebuild with `trajectories build`."


def read_metadata(table: Table, folder: Path) -> dict[str, str]:
    """
    What `save` wrote beside the table (perimeter, cut-off …); empty where there is nothing.

    Raises
    ------
    StaleTableError
        The file cannot be read.
    """
    import pyarrow.parquet as pq

    path = Path(folder) / f"{table.name}.parquet"
    try:
        return metadata_of(pq.read_schema(path)) if path.exists() else {}
    except (ValueError, OSError) as error:
        raise StaleTableError(_unreadable(path, error)) from None


def metadata_of(schema: pyarrow.Schema) -> dict[str, str]:
    """The library's own notes in a parquet schema."""
    return json.loads((schema.metadata or {}).get(b"trajectories", b"{}"))


def stack(frames: Iterable[pd.DataFrame], table: Table) -> pd.DataFrame:
    """Frames of one table one under the other; no frame gives an empty table."""
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return conform(pd.DataFrame(index=pd.RangeIndex(0)), table)
    return conform(pd.concat(frames, ignore_index=True), table)


def first_known(text: pd.Series, *others: pd.Series | str) -> pd.Series:
    """
    The first value of each row that is not missing, for text columns (`fillna` warns where a whole column is).

    Examples
    --------
    >>> first_known(pd.Series([None, "a"]), pd.Series(["b", "c"])).tolist()
    ['b', 'a']
    """
    for other in others:
        text = text.where(text.notna(), other)
    return text
