"""Organisation, quarter and deposit date of each row: from the columns, else from the sheet's or the file's name.

Columns override names (deposit-schema.md, « Deposits »). An organisation typed only on the first row of a block is
filled down. An organisation known by name only gets an id from its normalised name, and an issue.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from ..places import find_places
from ..tables import METROPOLE, REGION, UNKNOWN
from .crosswalks import word_key
from .dates import DateTable, quarter_end
from .files import Gathered, as_objects
from .layout import HEADER, PLAIN, RAGGED, TOTAL
from .reading import REGISTRY, UnreadableDepositError, read_source
from .values import clean, fiscal_years, quarters

_FILE_NAME = re.compile(r"^(?P<organisation>[^_]+(?:_[^_]+)*?)_\d{4}-\d{2,4}(?:_.*)?$")
_YEAR = re.compile(r"(?<!\d)(20\d{2})[-_ ](20\d{2}|\d{2})(?!\d)(?!-\d)")
_QUARTER = re.compile(r"(?<![A-Za-z])[TtQq]([1-4])(?!\d)")
# Prefix of the id of the organisation where a file names none.
NO_ORGANISATION = "fichier:"
# Years: an exercice after a longer gap is taken for an error, as it would move the last day of observation.
_LONGEST_HOLE = 5
# An organisation is taken to print its own town as residence from this share of its establishments elsewhere in its
# region on, and this many.
OWN_TOWN, FEWEST = 0.8, 3
_DAY = re.compile(r"(?<!\d)(20\d{2}-\d{2}-\d{2})(?!\d)")


@dataclass(frozen=True)
class Reported:
    """Per row: the organisation, its name, the quarter, the deposit date, and whether that date was stated."""

    organisation_id: np.ndarray
    organisation: np.ndarray
    fiscal_year: np.ndarray
    quarter: np.ndarray
    deposit_date: np.ndarray
    dated: np.ndarray
    issues: list[tuple]  # (reason, column, rows)

    def period_end(self) -> np.ndarray:
        """Per row, the last day that it can report: the later of the quarter's end and the deposit (NaT: unknown)."""
        return np.fmax(_quarter_ends(self.fiscal_year, self.quarter), self.deposit_date)


def parse_name(file: str) -> dict[str, str]:
    """
    The parts of a file's name that the contract's pattern, or a piece of it, recognises.

    Examples
    --------
    >>> parse_name("2022/EER01_2021-2022_T3_2022-01-20.csv")
    {'organisation_id': 'EER01', 'fiscal_year': '2021-2022', 'quarter': '3', 'deposit_date': '2022-01-20'}
    """
    stem = PurePosixPath(file).stem
    parts = {}
    if match := _FILE_NAME.match(stem):
        parts["organisation_id"] = match["organisation"].strip()
    if (match := _YEAR.search(stem)) and int(match[2]) % 100 == (int(match[1]) + 1) % 100:
        parts["fiscal_year"] = f"{match[1]}-{int(match[1]) + 1}"
    if match := _QUARTER.search(stem):
        parts["quarter"] = match[1]
    if match := _DAY.search(stem):
        parts["deposit_date"] = match[1]
    return parts


def read_reported(gathered: Gathered, registry: pd.DataFrame) -> Reported:
    """Organisation, period and deposit date of every row."""
    issues: list[tuple] = []
    names = [parse_name(note.file) for note in gathered.files]
    file = gathered.file
    filled_codes = fill_down(gathered)

    ids, organisations, unsure = _organisations(gathered, filled_codes, names, registry)
    for reason, rows in unsure.items():
        issues.append((reason, "organisation_id", rows))

    sheet_names = [parse_name(f"{name}.x") for name in gathered.sheet_name]
    years, bad_years = fiscal_years(gathered.texts["fiscal_year"])
    numbers, bad_numbers = quarters(gathered.texts["quarter"])
    period, named = {}, {}
    for column, values, bad in (("fiscal_year", years, bad_years), ("quarter", numbers, bad_numbers)):
        rows = np.flatnonzero(bad[gathered.codes[column]])
        issues.append(("unknown_value", column, rows))
        by_sheet = as_objects([parts.get(column) for parts in sheet_names])[gathered.sheet]
        by_file = as_objects([parts.get(column) for parts in names])[file]
        named[column] = np.where(pd.isna(by_sheet), by_file, by_sheet)
        typed = values[filled_codes[column]]
        period[column] = np.where(pd.isna(typed), named[column], typed)
    far_off = _far_off(period["fiscal_year"])
    if far_off.any():
        issues.append(("period_far_off", "fiscal_year", np.flatnonzero(far_off)))
        period["fiscal_year"] = np.where(far_off, named["fiscal_year"], period["fiscal_year"])
        period["fiscal_year"] = np.where(_far_off(period["fiscal_year"]), None, period["fiscal_year"])
    quarter = pd.to_numeric(pd.Series(period["quarter"]), errors="coerce").astype("Int64").array
    fiscal_year: np.ndarray
    fiscal_year = np.where(pd.isna(period["fiscal_year"]), None, period["fiscal_year"])  # type: ignore[assignment]

    table = DateTable(gathered.texts["deposit_date"])
    typed_date = table.take(gathered.codes["deposit_date"], np.ones(len(file), dtype=bool), None)[0]
    by_name = DateTable([parts.get("deposit_date", "") for parts in names])
    named = by_name.take(np.arange(len(names)), np.ones(len(names), dtype=bool), None)[0][file]
    stated_date = np.where(np.isnat(typed_date), named, typed_date)
    date = np.where(np.isnat(stated_date), _quarter_ends(fiscal_year, quarter), stated_date)
    return Reported(ids, organisations, fiscal_year, quarter, date, ~np.isnat(stated_date), issues)


def _far_off(fiscal_year: np.ndarray) -> np.ndarray:
    """Per row, whether its fiscal year comes after a gap of over five years, with fewer rows after it than before."""
    position, named = pd.factorize(fiscal_year, sort=True)
    begins = np.array([int(year[:4]) for year in named])
    counts = np.bincount(position[position >= 0], minlength=len(named))
    after = np.cumsum(counts[::-1])[::-1]
    holes = np.flatnonzero((np.diff(begins) > _LONGEST_HOLE) & (2 * after[1:] < counts.sum())) if len(named) else begins
    return position > holes[0] if len(holes) else np.zeros(len(fiscal_year), dtype=bool)


def _quarter_ends(fiscal_year: np.ndarray, quarter) -> np.ndarray:
    numbers = pd.array(quarter, dtype="Int64").fillna(0).to_numpy(dtype=np.int64)
    position, years = pd.factorize(fiscal_year)
    ends = np.full((len(years) + 1, 5), np.datetime64("NaT"), dtype="datetime64[D]")  # the last line is for no year
    for i, year in enumerate(years):
        ends[i, 1:] = [quarter_end(year, q) for q in (1, 2, 3, 4)]
    return ends[position, numbers]


def fill_down(gathered: Gathered) -> dict[str, np.ndarray]:
    """Codes of the organisation and of the period with the blanks below a typed cell filled, within each sheet."""
    n = len(gathered.sheet)
    here = np.arange(n)
    first = np.searchsorted(gathered.sheet, gathered.sheet)  # first row of each row's sheet
    filled_codes = {}
    for block in (("organisation_id", "organisation"), ("fiscal_year",), ("quarter",)):
        starts = np.zeros(n, dtype=bool)
        for column in block:
            starts |= ~gathered.blank(column)
        starts &= gathered.kind == PLAIN
        last = np.maximum.accumulate(np.where(starts, here, -1)) if n else here
        source = np.where(last >= first, last, here)
        for column in block:
            # a total or a shifted row has no organisation of its own: it takes that of the block above, or none
            own = (gathered.kind == PLAIN) | (last >= first)
            filled_codes[column] = np.where(own, gathered.codes[column][source], 0)
    return filled_codes


def _organisations(gathered: Gathered, filled_codes: dict, names: list[dict], registry: pd.DataFrame):
    keys = pd.DataFrame(
        {"file": gathered.file, "id": filled_codes["organisation_id"], "name": filled_codes["organisation"]}
    )
    groups = keys.groupby(["file", "id", "name"], sort=True)
    position = groups.ngroup().to_numpy()
    combinations = list(groups.indices) if len(keys) else []
    typed_pairs = []
    for file, code, name in combinations:
        typed = clean(gathered.texts["organisation_id"][code]) or names[file].get("organisation_id")
        typed_pairs.append((typed.upper() if typed else None, clean(gathered.texts["organisation"][name])))

    # a name that has exactly one id in the deposits and the registry gives that id to rows without one
    known: dict[str, set[str]] = {}
    pairs = [*typed_pairs, *registry[["code", "nom"]].itertuples(index=False, name=None)]
    for code, name in pairs:
        if code and name:
            known.setdefault(word_key(name), set()).add(code)
    registered = {code: name for code, name in registry[["code", "nom"]].itertuples(index=False, name=None) if name}

    ids, labels, by_name, unknown = [], [], [], []
    for (file, _, _), (code, name) in zip(combinations, typed_pairs, strict=True):
        matches = known.get(word_key(name), set()) if name else set()
        organisation_id = code or (next(iter(matches)) if len(matches) == 1 else None)
        by_name.append(organisation_id is None and bool(name and word_key(name)))
        unknown.append(organisation_id is None and not by_name[-1])
        if organisation_id is None:
            organisation_id = (
                word_key(name).replace(" ", "-")
                if name and by_name[-1]
                else f"{NO_ORGANISATION}{gathered.files[file].file}"
            )
        ids.append(organisation_id)
        labels.append(name or registered.get(organisation_id))
    unsure = {
        "organisation_by_name": np.flatnonzero(np.array(by_name, dtype=bool)[position]),
        "organisation_unknown": np.flatnonzero(np.array(unknown, dtype=bool)[position]),
    }
    return as_objects(ids)[position], as_objects(labels)[position], unsure


def read_registry(folder: Path) -> tuple[pd.DataFrame, str | None]:
    """
    The optional registry `organismes.csv` (code, nom, municipalite), and a message where it cannot be used.

    An organisation's zone is that of its municipality; without a registry, that of most residences in its rows.
    """
    empty = pd.DataFrame(columns=["code", "nom", "municipalite"], dtype=object)
    candidates = (p for p in sorted(folder.iterdir()) if p.name.lower() == REGISTRY)
    path = next((p for p in candidates if p.is_file() and not p.is_symlink()), None)
    if path is None:
        return empty, None
    column_of_key = {
        "code": "code",
        "codeorganisme": "code",
        "nom": "nom",
        "nomorganisme": "nom",
        "municipalite": "municipalite",
    }

    def keys(row: list[str]) -> list[str | None]:
        return [column_of_key.get(word_key(cell).replace(" ", "")) for cell in row]

    try:
        source = read_source(
            path, REGISTRY, lambda rows: (0, max((len(set(keys(row)) - {None}) for row in rows), default=0)), 100_000
        )
    except UnreadableDepositError as error:
        return empty, str(error)
    if not source.sheets:
        return empty, "the registry has no sheet."
    grid = source.sheets[0].grid
    header, *rows = grid.head(len(grid.numbers)) or [[]]
    columns = keys(header)
    if not {"code", "municipalite"} <= set(columns):
        return empty, "the registry needs the columns code, nom and municipalite."
    entries = [{c: clean(cell) for c, cell in zip(columns, row, strict=False) if c} for row in rows if any(row)]
    table = pd.DataFrame(entries, columns=["code", "nom", "municipalite"], dtype=object)
    table = table[table["code"].notna()].copy()
    table["code"] = table["code"].str.upper()
    return table.where(table.notna(), None).drop_duplicates("code"), None


def organisation_zones(
    ids: np.ndarray, residence_zone: np.ndarray, registry: pd.DataFrame, perimeter: str
) -> np.ndarray:
    """Per row, the zone of its organisation: by its municipality in the registry, else that of most residences."""
    position, unique = pd.factorize(ids)
    counts = [np.bincount(position[residence_zone == zone], minlength=len(unique)) for zone in (METROPOLE, REGION)]
    inside, outside = counts
    zone = np.where(inside > outside, METROPOLE, np.where(outside > inside, REGION, UNKNOWN)).astype(object)
    places = find_places(registry["municipalite"].to_numpy(dtype=object), perimeter=perimeter)
    known = {code: z for code, z in zip(registry["code"], places["zone"], strict=True) if z in (METROPOLE, REGION)}
    zone = np.array([known.get(code, z) for code, z in zip(unique, zone, strict=True)], dtype=object)
    return zone[position] if len(unique) else np.empty(0, dtype=object)


def own_towns(columns: dict[str, np.ndarray]) -> np.ndarray:
    """
    The rows whose residence is the town of an organisation in the regions, which prints it for everybody.

    An organisation is taken to do so where at least `FEWEST` of its establishments elsewhere in its region, and a share
    of at least `OWN_TOWN`, have one and the same town as residence: the region is then known, the municipality is not.
    """
    rows = pd.DataFrame(
        {
            name: columns[name]
            for name in (
                "organisation_id",
                "residence_code",
                "destination_code",
                "residence_region",
                "destination_region",
            )
        }
    )
    settles = ~np.isnat(columns["establishment_date_earliest"]) & (columns["organisation_zone"] == REGION)
    establishments = rows[settles & rows["residence_code"].notna() & rows["destination_code"].notna()]
    town = establishments.groupby("organisation_id")["residence_code"].agg(lambda codes: codes.mode().iloc[0])
    establishments = establishments.assign(town=establishments["organisation_id"].map(town))
    establishments = establishments[
        (establishments["destination_code"] != establishments["town"])
        & (establishments["destination_region"] == establishments["residence_region"])
    ]
    printed = (
        (establishments["residence_code"] == establishments["town"])
        .groupby(establishments["organisation_id"])
        .agg(["mean", "size"])
    )
    own = town[printed.index[(printed["mean"] >= OWN_TOWN) & (printed["size"] >= FEWEST)]]
    return (rows["organisation_id"].map(own) == rows["residence_code"]).to_numpy(dtype=bool)


# ----------------------------------------------------------------------------------------------------
# The class of each row: the first that applies of superseded, quarantined, duplicate, accepted.
#
# A later deposit of the same organisation and quarter replaces the earlier one, also inside an annual workbook. Where
# both have one deposit date, identical content is a duplicate (the first by path stays), else the last by path stays.


def settle_deposits(gathered: Gathered, reported: Reported) -> tuple[np.ndarray, np.ndarray, list[tuple]]:
    """
    Which rows a later deposit replaces, and which belong to a deposit sent twice.

    Returns
    -------
    replaced_by : ndarray of int, per row
        Position of the file that replaces it; −1 where none does.
    repeated : ndarray of bool, per row
    issues : list of (file position, reason)
    """
    n = len(gathered.sheet)
    replaced_by = np.full(n, -1, dtype=np.int64)
    repeated = np.zeros(n, dtype=bool)
    issues: list[tuple] = []
    rows = pd.DataFrame(
        {
            "file": gathered.file,
            "organisation": reported.organisation_id,
            "year": reported.fiscal_year,
            "quarter": reported.quarter,
            "date": reported.deposit_date,
            "dated": reported.dated,
        }
    )
    rows = rows[rows["year"].notna() & rows["quarter"].notna()]
    keys = ["organisation", "year", "quarter"]
    grouped = rows.groupby([*keys, "file"], sort=True)
    deposits = grouped.agg(date=("date", "max"), dated=("dated", "any")).reset_index()
    members = grouped.indices
    index = rows.index.to_numpy()
    for key, rivals in deposits[deposits.duplicated(keys, keep=False)].groupby(keys, sort=True):
        of_file = {file: index[members[(*key, file)]] for file in rivals["file"]}
        latest = rivals[rivals["date"] == rivals["date"].max()]
        keeper = latest["file"].max()  # files are in the order of their paths
        same = {keeper}
        if len(latest) > 1:
            digests = {file: _digest(gathered, of_file[file]) for file in latest["file"]}
            same = {file for file in digests if digests[file] == digests[keeper]}
            keeper = min(same)
            if len(same) < len(latest):
                issues.append((keeper, "same_deposit_date"))
        for file, dated in zip(rivals["file"], rivals["dated"], strict=True):
            if file == keeper:
                continue
            if file in same:
                repeated[of_file[file]] = True
            else:
                replaced_by[of_file[file]] = keeper
                if not dated:
                    issues.append((file, "undated_deposit"))
    return replaced_by, repeated, issues


def _digest(gathered: Gathered, rows: np.ndarray) -> bytes:
    """The content of a deposit: all cells of all its rows, in order."""
    content = hashlib.sha256()
    for column in sorted(gathered.codes):
        content.update(gathered.codes[column][rows].tobytes())
    return content.digest()


def exact_duplicates(gathered: Gathered, filled_codes: dict[str, np.ndarray], eligible: np.ndarray) -> np.ndarray:
    """Rows with all cells identical, after fill-down, to an earlier eligible row of the same sheet."""
    codes = {**gathered.codes, **filled_codes}
    with np.errstate(over="ignore"):
        mixed = gathered.sheet.astype(np.uint64) + np.uint64(1)
        for column in sorted(codes):
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + codes[column].astype(np.uint64)
            mixed ^= mixed >> np.uint64(29)
    rows = np.flatnonzero(eligible)
    suspects = rows[pd.Series(mixed[rows]).duplicated(keep=False).to_numpy()]
    # rows with equal hashes are compared cell by cell
    cells = pd.DataFrame({"sheet": gathered.sheet[suspects], **{c: codes[c][suspects] for c in sorted(codes)}})
    is_duplicate = np.zeros(len(eligible), dtype=bool)
    is_duplicate[suspects[cells.duplicated().to_numpy()]] = True
    return is_duplicate


def quarantine_reasons(gathered: Gathered, any_date: np.ndarray, any_place: np.ndarray) -> np.ndarray:
    """Per row, the code of the reason for its quarantine, or None (deposit-schema.md, « What quarantines a row »)."""
    nobody = gathered.blank("given_name") & gathered.blank("family_name") & gathered.blank("file_number")
    reasons = np.full(len(gathered.sheet), None, dtype=object)
    reasons[~any_date & ~any_place] = "no_date_no_place"
    reasons[nobody] = "no_identity"
    reasons[gathered.kind == RAGGED] = "ragged"
    reasons[gathered.kind == TOTAL] = "total_row"
    reasons[gathered.kind == HEADER] = "header_row"
    return reasons
