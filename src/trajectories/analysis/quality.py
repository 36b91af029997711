"""What the deposits of each organisation lack, from the tables of a build: for the organisation itself to mend.

given (whose is which row) → received (files, quarters, rows) · cells (rows set aside, cells, places) · filled (columns)
· following (contacts, late news, transfers) · who (identities, conflicts) → levels (one light a subject). Numbers are
exact: an organisation's own data, for itself alone. Of the others it is told no more than a median of five or more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import tables
from ..deposits.crosswalks import DATES
from ..deposits.organisations import parse_name
from ..deposits.rules import FILE, reasons
from ..exceptions import StaleTableError
from ..months import add_months, months_between
from ..places.lexicon import lexicon
from ..places.spelling import key_of
from ..stays.contacts import SLACK_MONTHS
from ..stays.observations import filed, is_departure, quarter_ends
from ..study import Study
from ..tables import LEFT, METROPOLE, NOT_REACHED, REGION

# ----------------------------------------------------------------------------------------------------
# The tables of a build as they are needed here, and whose each file and row is.
#
# A row is of the organisation that it names. A file is of one organisation: of the one that its name says, where a row
# of it does too or where it has none; else of the one that most of its rows name. So the rows of every file are
# counted once, and whoever typed a row that names somebody else is not shown that one's rows.

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
class Inputs:
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

    def of_records(self, rows: pd.DataFrame) -> pd.Series:
        """Whose the records at some addresses are; missing where there is none (of somebody left out by request)."""
        near = self.records.loc[self.records["file"].isin(rows["file"].unique()), [*ADDRESS, "organisation_id"]]
        return rows[ADDRESS].merge(near, on=ADDRESS, how="left")["organisation_id"].set_axis(rows.index)

    def of_rows(self, rows: pd.DataFrame) -> pd.Series:
        """Whose the rows at some addresses are: of the record's organisation, else of the one that sent the file."""
        return tables.first_known(self.of_records(rows), rows["file"].map(self.files.set_index("file")["owner"]))


def read_inputs(derived: Path) -> Inputs:
    """
    From the folder of a build.

    Raises
    ------
    StaleTableError
        `records` or `files` is missing or of another version.
    """
    import pyarrow as pa

    derived, frames = Path(derived), {}
    for name, columns in READ.items():
        try:
            frames[name] = _read(derived, name, columns)
        except (StaleTableError, OSError, pa.ArrowInvalid):
            if name in NEEDED:
                raise
    notes = tables.read_metadata(tables.RECORDS, derived)
    return inputs(frames, pd.Timestamp(notes["cutoff"]) if "cutoff" in notes else None)


def inputs(frames: Mapping[str, pd.DataFrame], cutoff: pd.Timestamp | None = None) -> Inputs:
    """From tables at hand; without a cut-off, the last deposit is the last day."""
    records, files = frames["records"], frames["files"]
    more = {name: frame for name, frame in frames.items() if name not in NEEDED}
    records = _with_dossiers(records, more.get("persons"))
    last = records["deposit_date"].max() if cutoff is None else cutoff
    return Inputs(records, _with_owners(files, records, more.get("superseded")), more, last)


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
    frame = pq.read_table(path, columns=list(columns)).to_pandas()
    part = tables.Table(name, {column: table.columns[column] for column in columns if column in table.columns})
    return tables.conform(frame, part)


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
    name_is_valid = pd.MultiIndex.from_arrays([files["file"], named["organisation_id"]]).isin(has)
    owner = named["organisation_id"].where(name_is_valid | most.isna(), most)
    if superseded is not None and len(superseded):
        # a file whose name gives no organisation belongs to the sender of the file that replaces it
        by = superseded.drop_duplicates("file").set_index("file")["superseded_by"]
        heir = files["file"].map(by).map(pd.Series(owner.to_numpy(), index=files["file"]))
        owner = owner.where(owner.notna(), heir)
    owner = owner.astype(object).where(owner.notna(), None)
    return files.assign(
        owner=owner,
        fiscal_year=named["fiscal_year"],
        quarter=pd.to_numeric(named["quarter"]).astype("Int64"),
        deposit_date=pd.to_datetime(named["deposit_date"], errors="coerce"),
    )


# ----------------------------------------------------------------------------------------------------
# The two shapes of what is found: how many of how many, and where.
#
# `measures`: organisation_id, measure, key, column, n (what goes wrong), of (among how many), share, median (of the
# others' shares). `places`: organisation_id, measure, key, column, the address of a row (file, sheet, row), the
# `LISTED` latest of each, and n_rows, how many there are.

KEYS = ["organisation_id", "measure", "key", "column"]
MEASURES = [*KEYS, "n", "of"]
PLACE_COLUMNS = [*KEYS, "file", "sheet", "row", "n_rows"]
# Rows that are written out for one problem: enough to find it, few enough to be read.
LISTED = 10
# A median of fewer would let one organisation be guessed from the others.
MEDIAN_OF = 5


def counted(flag: pd.Series, organisation: pd.Series, measure: str, key: str | None = None) -> pd.DataFrame:
    """
    One measure: how many rows are flagged, of how many, by organisation.

    Examples
    --------
    >>> counted(pd.Series([True, False, False]), pd.Series(["A", "A", "B"]), "late")[["organisation_id", "n", "of"]]
      organisation_id  n  of
    0               A  1   2
    1               B  0   1
    """
    grouped = flag.astype("int64").groupby(organisation.astype(object)).agg(n="sum", of="size")
    counts = grouped.rename_axis("organisation_id").reset_index()
    return counts.assign(measure=measure, key=key, column=None)[MEASURES]


def where(rows: pd.DataFrame, measure: str, key: str | None = None) -> pd.DataFrame:
    """The latest `LISTED` of some rows by organisation; `rows` have an address, and may have `key` and `column`."""
    rows = rows.assign(measure=measure, **{name: key for name in ("key", "column") if name not in rows})
    rows = rows[rows["row"] > 0].sort_values(["file", "sheet", "row"], ascending=[False, True, True])
    grouped = rows.groupby(KEYS, sort=False, dropna=False)
    return rows.assign(n_rows=grouped["row"].transform("size"))[grouped.cumcount() < LISTED][PLACE_COLUMNS]


def joined(frames: Iterable[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Frames of one shape one under the other; none gives an empty one."""
    frames = [frame for frame in frames if len(frame)]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    texts = [name for name in columns if name not in ("n", "of", "row", "n_rows")]
    return table[columns].astype(dict.fromkeys(texts, object)).pipe(lambda f: f.where(f.notna(), None))


def with_medians(measures: pd.DataFrame, zone: pd.Series) -> pd.DataFrame:
    """
    The measures with `share`, and the median share of the other organisations of the same zone.

    Missing where fewer than `MEDIAN_OF` others have the measure, or where nobody knows on which side the organisation
    is.
    """
    share = measures["n"].astype(float) / measures["of"].astype(float).where(measures["of"].astype(float) > 0)
    measures = measures.assign(share=share, median=np.nan, zone=measures["organisation_id"].map(zone))
    measured = measures[measures["share"].notna() & measures["zone"].isin(["metropole", "region"])]
    median = measures["median"].to_numpy(copy=True)
    for at in measured.groupby(["measure", "key", "column", "zone"], dropna=False).indices.values():
        shares = measured["share"].to_numpy()[at]
        if len(at) > MEDIAN_OF:
            median[measured.index.to_numpy()[at]] = [np.median(np.delete(shares, one)) for one in range(len(at))]
    return measures.assign(median=median).drop(columns="zone")


# ----------------------------------------------------------------------------------------------------
# One light a subject: how far an organisation's deposits are from what the portrait needs.
#
# A light is held against fixed thresholds, never against the others: everyone may be good.

GOOD, WATCH, MEND, UNMEASURED = LEVELS = ("good", "watch", "mend", "unmeasured")
FOLLOW_UP, DEPOSITS, PLACES, DOUBTFUL_DATES, IDENTITY = SUBJECTS = (
    "follow_up",
    "deposits",
    "places",
    "dates",
    "identity",
)
# Subject → the measure that decides it, and the shares from which on it is to be watched and to be mended. In the
# order of what they cost the portrait.
THRESHOLDS = {
    # one call of ten missed is what holidays and turnover explain; with three of ten, departures become known by
    # hearsay alone, and the estimate rests on how that works
    FOLLOW_UP: ("contact_not_made", 0.10, 0.30),
    # one quarter late or missing in five years is an accident; from one in six on, whole cohorts are entered late, and
    # a departure in between does not count
    DEPOSITS: ("quarter", 0.05, 0.16),
    # without a municipality there is neither zone nor region: the row says that somebody lives somewhere. Two in a
    # hundred are homonyms and typing slips; one in ten moves a region's counts more than their rounding does
    PLACES: ("no_municipality", 0.02, 0.10),
    # dates are typed, not chosen from a list: one in a hundred slips; one in twenty says that a column is misread
    DOUBTFUL_DATES: ("doubtful_date", 0.01, 0.05),
    # who is not recognised elsewhere counts as a newcomer there and as gone here: two in a hundred is what a study of
    # moves of a tenth of its persons can bear
    IDENTITY: ("thin_dossier", 0.02, 0.10),
}  # fmt: skip


def level_of(share: float | None, watch: float, mend: float) -> str:
    """
    The level of what goes wrong: the higher, the worse; nothing measured is no level.

    Parameters
    ----------
    share : float or None
    watch, mend : float
        From where on it is to be watched, and to be mended.

    Examples
    --------
    >>> [level_of(share, watch=0.02, mend=0.1) for share in (0.0, 0.02, 0.3, None)]
    ['good', 'watch', 'mend', 'unmeasured']
    """
    if share is None or pd.isna(share):
        return UNMEASURED
    return MEND if share >= mend else WATCH if share >= watch else GOOD


def levels(measures: pd.DataFrame, organisations: pd.Series) -> pd.DataFrame:
    """
    The level of each subject.

    Parameters
    ----------
    measures : DataFrame
        organisation_id, measure, n, of, share.
    organisations : Series
        Codes: all of them have every subject, `unmeasured` where there is nothing to measure.

    Returns
    -------
    DataFrame
        organisation_id, subject, level, n, of, share; in order of organisations and of `SUBJECTS`.

    Examples
    --------
    >>> one = pd.DataFrame({"organisation_id": ["A"], "measure": "doubtful_date", "n": [3], "of": [100], "share": 0.03})
    >>> levels(one, pd.Series(["A"])).query("subject == 'dates'")["level"].item()
    'watch'
    """
    parts = []
    for subject, (measure, watch, mend) in THRESHOLDS.items():
        rows = measures[measures["measure"].eq(measure)].set_index("organisation_id")
        rows = rows[["n", "of", "share"]].reindex(organisations.to_numpy()).rename_axis("organisation_id").reset_index()
        level = [level_of(share, watch, mend) for share in rows["share"]]
        parts.append(rows.assign(subject=subject, level=level, at=list(THRESHOLDS).index(subject)))
    joined = pd.concat(parts, ignore_index=True).sort_values(["organisation_id", "at"], ignore_index=True)
    return joined[["organisation_id", "subject", "level", "n", "of", "share"]]


# ----------------------------------------------------------------------------------------------------
# Rows set aside and cells that could not be read, by reason; places as they were typed.
#
# What is typed is shown of places and of headers that are not read only, and only where it cannot say who somebody is:
# no digit (an address, a file number), few words, and no word that is a name in these deposits unless the whole cell
# is the name of a place.

# Rows that were never about anybody: nothing is lost with them.
HARMLESS = ("total_row", "header_row")
UNSETTLED = ("place_not_found", "place_ambiguous", "place_area_only")
PLACE_REASONS = (*UNSETTLED, "place_slip")
# Reasons about a date that is not of the family « order ».
_DATES = ("unreadable_date", "date_order", "birth_in_future")
_MOST_WORDS = 5
SET_ASIDE, CELL, PLACE, TYPED = "set_aside", "cell", "place", ["organisation_id", "key", "value", "n"]


def set_aside(inputs: Inputs) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Rows in quarantine by reason: measures (of the rows read of the organisation) and places."""
    quarantined = inputs.more.get("quarantine")
    if quarantined is None or quarantined.empty:
        return [], []
    quarantined = quarantined.assign(
        organisation_id=inputs.of_rows(quarantined), key=quarantined["reason"], measure=SET_ASIDE, column=None
    )
    read = inputs.files.groupby("owner")["n_read"].sum()
    rows = quarantined.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    rows["of"] = rows["organisation_id"].map(read).fillna(0).astype("int64")
    return [rows[MEASURES]], [where(quarantined[~quarantined["key"].isin(HARMLESS)], SET_ASIDE)]


def cells(inputs: Inputs) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Cells by reason and column: measures (of the accepted rows of the organisation) and places."""
    issues = inputs.more.get("issues")
    if issues is None or issues.empty:
        return [], []
    issues = issues.assign(organisation_id=inputs.of_rows(issues), key=issues["reason"])
    of_files = issues["reason"].isin([code for code, reason in reasons().items() if reason.kind == FILE])
    # a row without a record is of a person who asked to be left out
    issues = issues[of_files | inputs.of_records(issues).notna()]
    names = _name_words(inputs.records)
    # what is not read is named by its header as it was typed
    typed = issues.loc[of_files, "column"].dropna().unique()
    hidden = [header for header in typed if not may_be_shown(header, names)]
    issues["column"] = issues["column"].where(~(of_files & issues["column"].isin(hidden)), None)
    issues["measure"] = issues["key"].isin(PLACE_REASONS).map({True: PLACE, False: CELL})
    accepted = inputs.records.groupby("organisation_id").size()
    rows = issues.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    rows["of"] = rows["organisation_id"].map(accepted).fillna(0).astype("int64")
    places = [where(part, measure) for measure, part in issues.groupby("measure")]
    return [rows[MEASURES]], places


def unsettled_places(inputs: Inputs) -> list[pd.DataFrame]:
    """Rows whose residence, or whose destination where they name one, is no municipality (of the rows accepted)."""
    records = inputs.records
    blank = records["residence_code"].isna() & ~records["residence_zone"].eq("outside_quebec")
    blank &= records["residence_match"].notna()
    for column in ("destination", "exit_destination"):
        typed = records[column].notna() & ~records[f"{column}_zone"].eq("outside_quebec")
        blank |= typed & records[f"{column}_code"].isna()
    return [counted(blank, records["organisation_id"], "no_municipality")]


def doubtful_dates(inputs: Inputs) -> list[pd.DataFrame]:
    """Rows with a date that cannot be read or that contradicts another, and rows set aside without one."""
    issues, quarantine = inputs.more.get("issues"), inputs.more.get("quarantine")
    if issues is None:
        return []
    of_dates = {code for code, reason in reasons().items() if reason.kind == "order"} - {"impossible_value"}
    of_dates -= {"establishment_in_metropole"}
    failed = issues["reason"].eq("formula_error") & issues["column"].isin(DATES)
    rows = issues.loc[issues["reason"].isin(of_dates.union(_DATES)) | failed, ADDRESS].drop_duplicates()
    if quarantine is not None:
        rows = pd.concat([rows, quarantine.loc[quarantine["reason"].eq("no_date_no_place"), ADDRESS]])
    n = rows.groupby(inputs.of_rows(rows)).size() if len(rows) else pd.Series(dtype="int64")
    totals = inputs.records.groupby("organisation_id").size().rename("of").reset_index()
    totals["n"] = totals["organisation_id"].map(n).fillna(0).astype("int64")
    return [totals.assign(measure="doubtful_date", key=None, column=None)[MEASURES]]


def typed_places(inputs: Inputs) -> pd.DataFrame:
    """organisation_id, key (the reason), value (what was typed), n; the most frequent first, some values left out."""
    issues = inputs.more.get("issues")
    if issues is None or issues.empty:
        return pd.DataFrame(columns=TYPED)
    place_issues = issues[issues["reason"].isin(PLACE_REASONS) & issues["value"].notna()]
    place_issues = place_issues.assign(organisation_id=inputs.of_records(place_issues), key=place_issues["reason"])
    names = _name_words(inputs.records)
    shown_texts = {value: may_be_shown(value, names) for value in place_issues["value"].unique()}
    place_issues = place_issues[place_issues["value"].map(shown_texts).astype(bool)]
    rows = place_issues.groupby(["organisation_id", "key", "value"]).size().rename("n").reset_index()
    return rows.sort_values(["organisation_id", "key", "n", "value"], ascending=[True, True, False, True])[TYPED]


def may_be_shown(value: str, names: frozenset[str]) -> bool:
    """
    Whether what is typed for a place says of a place only.

    Examples
    --------
    >>> [may_be_shown(text, frozenset({"tremblay"})) for text in ("Montérégie", "chez Tremblay", "12 rue A")]
    [True, False, False]
    """
    key = key_of(value)
    words = key.split()
    if not words or len(words) > _MOST_WORDS or any(sign.isdigit() for sign in value):
        return False
    known = lexicon()
    places = (known.official, known.aliases, known.bare, known.prefixes, known.areas)
    return any(key in keys for keys in places) or names.isdisjoint(words)


def _name_words(records: pd.DataFrame) -> frozenset[str]:
    typed = pd.concat([records["given_name"], records["family_name"]]).dropna().unique()
    return frozenset(word for name in typed for word in key_of(str(name)).split())


# ----------------------------------------------------------------------------------------------------
# How often the columns that the portrait needs are left blank, where a row should have them.

FILLED = "blank"
# In the order in which they count; each with the column that shows whether it is filled.
COLUMNS = {
    "birth_date": "birth_date_earliest", "given_name": "given_name", "family_name": "family_name",
    "file_number": "file_number", "household_number": "household_number", "residence": "residence_match",
    "service_date": "service_date_latest", "destination": "destination",
    "establishment_date": "establishment_date_latest", "follow_up_status": "follow_up_status",
    "follow_up_date": "follow_up_date_latest", "exit_date": "exit_date_latest", "exit_destination": "exit_destination",
    "exit_reason": "exit_reason", "arrival_date": "arrival_date_latest", "immigration_category": "immigration_category",
}  # fmt: skip


def blank_cells(inputs: Inputs) -> list[pd.DataFrame]:
    """Per organisation and column, the rows that lack it, of those that should have it."""
    records = inputs.records
    is_asked = _asked(records)
    return [
        counted(records.loc[is_asked[name], typed].isna(), records.loc[is_asked[name], "organisation_id"], FILLED, name)
        for name, typed in COLUMNS.items()
        if is_asked[name].any()
    ]


def _asked(records: pd.DataFrame) -> dict[str, pd.Series]:
    """Which rows should have a value in a column: all, or those that report its subject."""
    every = pd.Series(True, index=records.index)
    status, departs = records["follow_up_status"], is_departure(records)
    settles = (records["destination"].notna() | records["establishment_date_latest"].notna()) & ~departs
    follows = status.notna() | records["follow_up_date_latest"].notna()
    serves = records["service"].notna() & ~follows & ~departs
    conditions = {
        "service_date": serves,
        "destination": settles,
        "establishment_date": settles,
        "follow_up_status": follows,
        "follow_up_date": follows,
        "exit_date": departs,
        "exit_destination": departs,
        "exit_reason": departs,
    }
    return {name: conditions.get(name, every) for name in COLUMNS}


# ----------------------------------------------------------------------------------------------------
# Scheduled contacts that were not made, news that came late, and transfers that nobody met: what loses people.
#
# All of it from the organisation's own rows, but for transfers: whether an organisation of the regions met a person
# whom it announced, which is told as a number only.

# A quarter and the month in which its deposit is made, and as much again: later than this, nobody was only slow.
LATE_TOLD_MONTHS = 6.0
# Within this time an organisation of the regions meets whom it was sent (analysis/services/transfer.py, its longer
# horizon).
MET_WITHIN_DAYS = 90
DUE, UNREACHED, TOLD_LATE, LEFT_LATE, UNMET = (
    "contact_not_made",
    "not_reached",
    "establishment_told_late",
    "departure_told_late",
    "not_met",
)


def contacts(inputs: Inputs, study: Study) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """
    Contacts due after an establishment that an organisation of the regions told of, and those that it did not attempt.

    A contact is due at each of `follow_up_months` if a month later the organisation still reports, and if the person
    had not left by then as far as it says. It is made by any attempt from a month before it until a month before the
    next one: a late call is a call. One that was made counts as due.
    """
    records = inputs.records
    rows = records[records["organisation_zone"].eq(REGION)]
    settled = rows[rows["establishment_date_latest"].notna()].sort_values("establishment_date_latest", kind="stable")
    settled = settled.drop_duplicates("dossier")[["dossier", "organisation_id", "establishment_date_latest", *ADDRESS]]
    if settled.empty:
        return [], []
    last = quarter_ends(rows).groupby(rows["organisation_id"]).max().clip(upper=inputs.cutoff)
    until = settled["organisation_id"].map(last)
    gone = rows[is_departure(rows)]
    gone_on = gone["exit_date_latest"].fillna(gone["follow_up_date_latest"]).fillna(filed(gone, inputs.cutoff))
    until = np.fmin(until, settled["dossier"].map(gone_on.groupby(gone["dossier"]).min()))
    months = pd.Series(months_between(settled["establishment_date_latest"], until), index=settled.index)

    tried = rows.loc[rows["follow_up_status"].notna(), ["dossier", "follow_up_date_latest", "deposit_date"]]
    tried = tried.merge(settled[["dossier", "establishment_date_latest"]], on="dossier")
    day = tried["follow_up_date_latest"].fillna(tried["deposit_date"])
    at = months_between(tried["establishment_date_latest"], day)
    due_at = np.array(study.follow_up_months, dtype=float)
    slot = np.searchsorted(due_at - SLACK_MONTHS, at, side="right") - 1
    # one number for a dossier and a contact of it
    attempt_codes = tried["dossier"].to_numpy() * len(due_at) + slot
    attempt_codes = attempt_codes[slot >= 0]
    parts = []
    for due_index, month in enumerate(due_at):
        done = np.isin(settled["dossier"].to_numpy() * len(due_at) + due_index, attempt_codes)
        parts.append(settled.assign(missed=~done)[done | (months >= month + SLACK_MONTHS)])
    due = pd.concat(parts)
    return [counted(due["missed"], due["organisation_id"], DUE)], [
        where(due[due["missed"]].drop_duplicates("dossier"), DUE)
    ]


def unreached(inputs: Inputs) -> list[pd.DataFrame]:
    """Contacts that reached nobody, of those attempted."""
    rows = inputs.records[inputs.records["follow_up_status"].notna()]
    return [counted(rows["follow_up_status"].eq(NOT_REACHED), rows["organisation_id"], UNREACHED)]


def late_news(inputs: Inputs) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Establishments and departures since its first quarter that were first told more than `LATE_TOLD_MONTHS` after."""
    records = inputs.records
    begun = quarter_ends(records).groupby(records["organisation_id"]).min()
    begun = pd.Series(add_months(begun, np.full(len(begun), -3)), index=begun.index).astype("datetime64[ns]")
    measures, places = [], []
    for measure, chosen, date in (
        (TOLD_LATE, records["establishment_date_latest"].notna(), "establishment_date_latest"),
        (LEFT_LATE, is_departure(records) & records["exit_date_latest"].notna(), "exit_date_latest"),
    ):
        rows = records[chosen & (records[date] > records["organisation_id"].map(begun))]
        rows = rows.assign(told=filed(rows, inputs.cutoff)).sort_values("told", kind="stable")
        rows = rows.drop_duplicates("dossier")
        late = pd.Series(months_between(rows[date], rows["told"]) > LATE_TOLD_MONTHS, index=rows.index)
        measures.append(counted(late, rows["organisation_id"], measure))
        places.append(where(rows[late], measure))
    return measures, places


def transfers(inputs: Inputs) -> list[pd.DataFrame]:
    """
    Persons whose establishment an organisation of the metropole announced, and whom none of the regions ever met.

    Of those settled `MET_WITHIN_DAYS` or more before the cut-off. A failed call and a departure heard of are no
    meeting.
    """
    records = inputs.records
    if records["person_id"].isna().all():
        return []
    rows = records[records["organisation_zone"].eq(METROPOLE) & records["establishment_date_latest"].notna()]
    rows = rows[rows["establishment_date_latest"] <= inputs.cutoff - pd.Timedelta(days=MET_WITHIN_DAYS)]
    rows = rows.drop_duplicates(["organisation_id", "person_id"])
    regional = records["organisation_zone"].eq(REGION) & ~records["follow_up_status"].isin([NOT_REACHED, LEFT])
    met = records.loc[regional & ~is_departure(records), "person_id"]
    return [counted(~rows["person_id"].isin(met), rows["organisation_id"], UNMET)]


# ----------------------------------------------------------------------------------------------------
# What was received: files, quarters, rows. One line an organisation, and one for each quarter that is missing or late.
#
# Rows read = accepted + set aside + replaced + duplicates, over the files that an organisation sent; of every
# organisation together, as the table `files` says.

MISSING, LATE = "missing", "late"
# A quarter is late once the next one is over as well: until then nothing of it was known when it would be told.
LATE_AFTER_DAYS = 92
COUNTS = ("n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate")
QUARTERS = ["organisation_id", "fiscal_year", "quarter", "state", "days"]


def organisations(inputs: Inputs) -> pd.DataFrame:
    """
    Who reports, by code: what was received of each.

    Returns
    -------
    DataFrame
        organisation_id, name, zone, n_files, n_unreadable, n_read, n_accepted, n_quarantined, n_superseded,
        n_duplicate, n_of_others (accepted rows of its files that name another organisation), n_elsewhere (its rows in
        files that others sent), n_dossiers, first and last (the last day of the first and of the last quarter).
    """
    records, files = inputs.records, inputs.files
    owned = files[files["owner"].notna()]
    codes = pd.Index(pd.unique(pd.concat([records["organisation_id"], owned["owner"]], ignore_index=True)))
    table = pd.DataFrame(index=codes.sort_values().rename("organisation_id"))
    by_code = records.groupby("organisation_id")
    table["name"] = _most_typed(records, "organisation")
    table["zone"] = _most_typed(records, "organisation_zone")
    sent = owned.groupby("owner")
    table["n_files"] = sent.size()
    table["n_unreadable"] = owned["status"].eq("unreadable").groupby(owned["owner"]).sum()
    table[list(COUNTS)] = sent[list(COUNTS)].sum()
    is_own = records["file"].map(files.set_index("file")["owner"])
    away = is_own.ne(records["organisation_id"])
    table["n_of_others"] = records[away].groupby(is_own[away]).size()
    table["n_elsewhere"] = records[away].groupby("organisation_id").size()
    table["n_dossiers"] = by_code["dossier"].nunique()
    ends = _told(inputs).groupby("organisation_id")["end"]
    table["first"], table["last"] = ends.min(), ends.max()
    numbers = [name for name in table if name.startswith("n_")]
    table[numbers] = table[numbers].fillna(0).astype("int64")
    for text in ("name", "zone"):
        table[text] = table[text].astype(object).where(table[text].notna(), None)
    return table.reset_index()


def quarters(inputs: Inputs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The quarters that are missing or late, and how many were expected.

    Expected is every quarter from the organisation's first to the last that anybody deposited.

    Returns
    -------
    found : DataFrame
        organisation_id, fiscal_year, quarter, state (missing, late), days (from the quarter's end to the first
        deposit), in order.
    expected : DataFrame
        organisation_id, n (missing or late), of (expected).
    """
    due = _told(inputs)
    if due.empty:
        return pd.DataFrame(columns=QUARTERS), pd.DataFrame(columns=["organisation_id", "n", "of"])
    first = due.groupby("organisation_id")["end"].min()
    every = pd.date_range(due["end"].min(), due["end"].max(), freq="QE")
    grid = pd.MultiIndex.from_product([first.index, every], names=["organisation_id", "end"]).to_frame(index=False)
    grid = grid[grid["end"] >= grid["organisation_id"].map(first)]
    grid = grid.merge(due, on=["organisation_id", "end"], how="left", indicator=True)
    grid["days"] = (grid["received"] - grid["end"]).dt.days
    grid["state"] = np.select([grid["_merge"].eq("left_only"), grid["days"] > LATE_AFTER_DAYS], [MISSING, LATE], "")
    wrong = grid["state"].ne("")
    expected = wrong.groupby(grid["organisation_id"]).agg(n="sum", of="size").reset_index()
    named = {end: fiscal_quarter(end) for end in every}
    grid["fiscal_year"] = [named[end][0] for end in grid["end"]]
    grid["quarter"] = [named[end][1] for end in grid["end"]]
    return grid.loc[wrong, QUARTERS].reset_index(drop=True), expected


def fiscal_quarter(end: pd.Timestamp) -> tuple[str, int]:
    """
    The fiscal year and quarter that a day is of.

    Examples
    --------
    >>> fiscal_quarter(pd.Timestamp("2022-03-31")), fiscal_quarter(pd.Timestamp("2022-06-30"))
    (('2021-2022', 4), ('2022-2023', 1))
    """
    shifted = end - pd.DateOffset(months=3)
    return f"{shifted.year}-{shifted.year + 1}", shifted.quarter


def _told(inputs: Inputs) -> pd.DataFrame:
    """Each organisation's quarters of which something was received: their last day, and when the first deposit came."""
    files = inputs.files.rename(columns={"owner": "organisation_id"})
    files = files[files["organisation_id"].notna() & files["status"].ne("unreadable")]
    columns = ["organisation_id", "fiscal_year", "quarter", "deposit_date"]
    rows = inputs.records[columns].drop_duplicates()
    rows = pd.concat([rows, files[columns]], ignore_index=True)
    rows = rows.assign(end=quarter_ends(rows)).dropna(subset=["end"])
    # a year that is typed wrong would make everybody's next hundred quarters missing
    rows = rows[rows["end"] <= inputs.cutoff + pd.offsets.QuarterEnd(0)]
    return rows.groupby(["organisation_id", "end"], sort=True)["deposit_date"].min().rename("received").reset_index()


def _most_typed(records: pd.DataFrame, column: str) -> pd.Series:
    """The value that most rows of an organisation have; the first in order of two."""
    counts = records.groupby(["organisation_id", column], sort=True).size().reset_index(name="n")
    most = counts.sort_values("n", ascending=False, kind="stable").drop_duplicates("organisation_id")
    return most.set_index("organisation_id")[column]


# ----------------------------------------------------------------------------------------------------
# Dossiers too thin to be recognised elsewhere, and statements that were set aside for what another source says.

NO_BIRTH, NO_NAME, THIN, UNDECIDED, CONFLICT, OLD_ADDRESS = (
    "no_full_birth_date",
    "no_full_name",
    "thin_dossier",
    "undecided_pair",
    "conflict",
    "old_address",
)
# More likely one person than two, and still not linked.
LIKELY = 0.5


def identities(inputs: Inputs) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Dossiers without a full birth date, without a given and a family name, or without either (« thin »)."""
    records = inputs.records
    born = records["birth_date_earliest"].notna()
    born &= records["birth_date_earliest"].eq(records["birth_date_latest"])
    named = records["given_name"].notna() & records["family_name"].notna()
    has = pd.DataFrame({"dossier": records["dossier"], "born": born, "named": named}).groupby("dossier").any()
    first = records.drop_duplicates("dossier")[["dossier", "organisation_id", *ADDRESS]]
    lacks = {
        NO_BIRTH: ~first["dossier"].map(has["born"]).astype(bool),
        NO_NAME: ~first["dossier"].map(has["named"]).astype(bool),
    }
    measures = [counted(flag, first["organisation_id"], name) for name, flag in lacks.items()]
    measures.append(counted(lacks[NO_BIRTH] | lacks[NO_NAME], first["organisation_id"], THIN))
    return measures, [where(first[flag], name) for name, flag in lacks.items()]


def undecided(inputs: Inputs) -> list[pd.DataFrame]:
    """Dossiers that are likely of a person known elsewhere, without enough to say so (of the organisation's own)."""
    links = inputs.more.get("links")
    if links is None or "persons" not in inputs.more:
        return []
    doubt = links[(links["same"] >= LIKELY) & ~links["decision"].eq("linked")]
    linked = links[links["decision"].eq("linked")]
    linked_ids = set(linked["left_id"]).union(linked["right_id"])
    ids = set(doubt["left_id"]).union(doubt["right_id"]) - linked_ids
    first = inputs.records.drop_duplicates("dossier")
    return [counted(first["identity_id"].isin(ids), first["organisation_id"], UNDECIDED)]


def old_addresses(inputs: Inputs) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Rows that print an address of before the person settled, of the organisation's rows with an address since."""
    observations = inputs.more.get("observations")
    if observations is None:
        return [], []
    settled = observations["zone"].eq(REGION) & observations["aside"].isna()
    since = observations[settled].groupby("person_id")["latest"].min()
    observations = observations[
        observations["kind"].isin(["service", "follow_up"])
        & (observations["latest"] > observations["person_id"].map(since))
    ]
    columns = ["record_id", *ADDRESS, "organisation_id", "residence_zone"]
    rows = observations[["record_id", "zone", "aside"]].merge(inputs.records[columns], on="record_id")
    rows = rows[rows["residence_zone"].isin([METROPOLE, REGION])].drop_duplicates("record_id")
    old = rows["aside"].notna() | (rows["zone"].eq(REGION) & rows["residence_zone"].eq(METROPOLE))
    return [counted(old, rows["organisation_id"], OLD_ADDRESS)], [where(rows[old], OLD_ADDRESS)]


def conflicts(inputs: Inputs) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Statements of the organisation that a rule set aside, by rule (of its rows); where, as far as they are found."""
    table = inputs.more.get("conflicts")
    if table is None or table.empty:
        return [], []
    # « EER01 service 66023 2022-12-30/2022-12-30 »: only the organisation's code may hold spaces (evidence.describe)
    words = table["said"].str.rsplit(" ", n=3, expand=True)
    table = table.assign(organisation_id=words[0], kind=words[1], key=table["rule"], column=None, measure=CONFLICT)
    accepted = inputs.records.groupby("organisation_id").size()
    table = table[table["organisation_id"].isin(accepted.index)]
    rows = table.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    rows["of"] = rows["organisation_id"].map(accepted).astype("int64")
    observations = inputs.more.get("observations")
    if observations is None:
        return [rows[MEASURES]], []
    by = ["person_id", "organisation_id", "kind", "latest"]
    observations = observations[observations["person_id"].isin(table["person_id"].unique())]
    at = table.rename(columns={"date": "latest"}).merge(observations[[*by, "record_id"]], on=by)
    rows_of = inputs.records.loc[inputs.records["record_id"].isin(at["record_id"]), ["record_id", *ADDRESS]]
    at = at.merge(rows_of, on="record_id").drop_duplicates(["key", "record_id"])
    return [rows[MEASURES]], [where(at, CONFLICT)]


# ----------------------------------------------------------------------------------------------------
# Every measure of every organisation, from the tables of a build.

# Measures whose shares are held beside the median of the others.
COMPARED = (FILLED, DUE, UNREACHED, TOLD_LATE, LEFT_LATE)


@dataclass(frozen=True)
class Quality:
    """
    What the deposits of each organisation lack.

    Attributes
    ----------
    organisations : DataFrame
        One line each: what was received (py), n_mend and n_watch; those with the most to mend first.
    measures, places : DataFrame
        How many of how many, and where.
    quarters : DataFrame
        Quarters missing or late.
    typed : DataFrame
        Places as they were typed.
    levels : DataFrame
        One light a subject.
    files : DataFrame
        Those that could not be read: file, owner (None: nobody knows whose), message.
    absent : tuple of str
        Tables that the build has not, of which nothing is said.
    cutoff : Timestamp
    follow_up_months : tuple of int
        When contacts are due.
    """

    organisations: pd.DataFrame
    measures: pd.DataFrame
    places: pd.DataFrame
    quarters: pd.DataFrame
    typed: pd.DataFrame
    levels: pd.DataFrame
    files: pd.DataFrame
    absent: tuple[str, ...]
    cutoff: pd.Timestamp
    follow_up_months: tuple[int, ...]


def organisation_quality(derived: Path | str | Inputs, study: Study) -> Quality:
    """
    Measure the deposits of every organisation.

    Parameters
    ----------
    derived : path or Inputs
        The folder of a build, or its tables.
    study : Study
        Its `follow_up_months` say when contacts are due.

    Raises
    ------
    StaleTableError
        The build has no `records` or no `files`; another table that is missing is left out, and named.

    Examples
    --------
    >>> study = Study.read("study.toml")
    >>> found = organisation_quality(study.paths.derived, study)
    >>> int(found.organisations["n_mend"].sum())  # measures to mend, of ten organisations
    2
    """
    inputs = derived if isinstance(derived, Inputs) else read_inputs(Path(derived))
    quality_table = organisations(inputs)
    late, expected = quarters(inputs)
    expected = expected.assign(measure="quarter", key=None, column=None)
    measured = [
        set_aside(inputs),
        cells(inputs),
        contacts(inputs, study),
        late_news(inputs),
        identities(inputs),
        conflicts(inputs),
        old_addresses(inputs),
    ]
    measures = [frame for frames, _ in measured for frame in frames]
    places = [frame for _, frames in measured for frame in frames]
    for more in (
        unsettled_places(inputs),
        doubtful_dates(inputs),
        blank_cells(inputs),
        unreached(inputs),
        transfers(inputs),
        undecided(inputs),
    ):
        measures += more
    table = with_medians(joined([*measures, expected], MEASURES), quality_table.set_index("organisation_id")["zone"])
    table["median"] = table["median"].where(table["measure"].isin(COMPARED))
    table = table[table["organisation_id"].notna()]
    lit = levels(table, quality_table["organisation_id"])
    for name, level in (("n_mend", MEND), ("n_watch", WATCH)):
        n = lit["level"].eq(level).groupby(lit["organisation_id"]).sum()
        quality_table[name] = quality_table["organisation_id"].map(n).fillna(0).astype("int64")
    unread = inputs.files.loc[inputs.files["status"].eq("unreadable"), ["file", "owner", "message"]]
    order = ["n_mend", "n_watch", "n_read", "organisation_id"]
    return Quality(
        organisations=quality_table.sort_values(order, ascending=[False, False, False, True], ignore_index=True),
        measures=table,
        places=joined(places, PLACE_COLUMNS),
        quarters=late,
        typed=typed_places(inputs),
        levels=lit,
        files=unread,
        absent=inputs.absent,
        cutoff=inputs.cutoff,
        follow_up_months=study.follow_up_months,
    )


__all__ = ["SUBJECTS", "Quality", "levels", "organisation_quality"]
