"""From gathered cells to the columns of `records`: dates, places and codes, read once per distinct text.

A cell that cannot be read becomes missing and is listed; its row is kept. The list keeps the typed text only where it
cannot name a person (deposit-schema.md, « Never stored after reading »).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..places import find_places, municipalities
from ..places.matching import unknown_words
from ..places.spelling import key_of
from ..tables import LEFT
from . import values
from .crosswalks import DATES, EVENT_DATES, LIST_OF, PLACES, Crosswalk, Crosswalks
from .dates import DateTable
from .files import Gathered, as_objects
from .organisations import Reported
from .values import MOVED

# ----------------------------------------------------------------------------------------------------
# The columns of words (codes, lists, levels, volets), read with the crosswalk of the row's file.

_CODED = (
    "sex",
    "immigration_category",
    "education",
    "service",
    "establishment_reason",
    "exit_reason",
)
READERS: dict[str, Callable[..., values.Result]] = {
    **dict.fromkeys(_CODED, values.coded),
    "job_found": values.yes_no,
    "housing_found": values.yes_no,
    "follow_up_status": values.statuses,
    "needs": values.coded_list,
    "french": values.french_levels,
    "programme": values.named,
}


def crosswalk_of_rows(gathered: Gathered, crosswalks: Crosswalks) -> np.ndarray:
    """Per row, the position in `crosswalks.all` of the crosswalk of its file."""
    position = {crosswalk.name: at for at, crosswalk in enumerate(crosswalks.all)}
    of_file = np.array([position.get(note.crosswalk or "", -1) for note in gathered.files], dtype=np.int8)
    return of_file[gathered.file]


def read_words(
    gathered: Gathered, crosswalks: Crosswalks, fiscal_year: np.ndarray, rows: np.ndarray, list_issue: Callable
) -> dict[str, np.ndarray]:
    """
    The columns of words at the rows.

    Parameters
    ----------
    gathered : Gathered
        The notes of its files name their crosswalks.
    crosswalks : Crosswalks
    fiscal_year : ndarray of text or None, per row of `gathered`
    rows : ndarray of int
        Positions of the accepted rows.
    list_issue : callable (reason, column, mask or positions of rows)
    """
    used = crosswalk_of_rows(gathered, crosswalks)
    columns = {column: np.full(len(rows), None, dtype=object) for column in (*READERS, "stream")}
    for at in np.unique(used[used >= 0]):
        crosswalk, everywhere = crosswalks.all[at], bool((used == at).all())
        selected = slice(None) if everywhere else used[rows] == at
        for column, read in READERS.items():
            codes = gathered.codes[column]
            decoded, unreadable = read(gathered.texts[column], crosswalk.values.get(LIST_OF.get(column, column), {}))
            columns[column][selected] = decoded[codes[rows[selected]]]
            if unreadable.any():
                list_issue("unknown_value", column, unreadable[codes] & (everywhere | (used == at)))
        columns["stream"][selected], unknown = _streams(
            gathered, crosswalks, crosswalk, columns["programme"][selected], fiscal_year[rows[selected]], rows[selected]
        )
        list_issue("unknown_stream", "stream", rows[selected][unknown])
    return columns


def _streams(
    gathered: Gathered,
    crosswalks: Crosswalks,
    crosswalk: Crosswalk,
    programme: np.ndarray,
    fiscal_year: np.ndarray,
    rows: np.ndarray,
) -> values.Result:
    """The meanings of the volets of the rows, looked up once per (programme, exercice, volet)."""
    volets = values.streams(gathered.texts["stream"])[0]
    codes = gathered.codes["stream"][rows]
    years, year_names = pd.factorize(fiscal_year)
    programmes, programme_names = pd.factorize(programme)
    mixed = (codes.astype(np.int64) * (len(year_names) + 1) + years + 1) * (len(programme_names) + 1) + programmes + 1
    position, distinct = pd.factorize(mixed)
    first = np.empty(len(distinct), dtype=np.int64)
    first[position[::-1]] = np.arange(len(position) - 1, -1, -1)
    meanings, unreadable = values.stream_meanings(
        programme[first], fiscal_year[first], volets[codes[first]], crosswalks, crosswalk
    )
    return meanings[position], unreadable[position]


def closest_known(gathered: Gathered, crosswalks: Crosswalks, column: str, rows: np.ndarray) -> np.ndarray:
    """The known values closest to the typed values of a column at the rows; None where none is close."""
    used = crosswalk_of_rows(gathered, crosswalks)[rows]
    of_rows = [crosswalks.all[at] if at >= 0 else None for at in used.tolist()]
    return values.closest_words([column] * len(rows), gathered.typed(column, rows).tolist(), of_rows)


# ----------------------------------------------------------------------------------------------------

# Never copied into the `value` of an issue.
PRIVATE = frozenset(("given_name", "family_name", "birth_date", "file_number", "household_number", "remarks"))
LARGEST_HOUSEHOLD = 20
# Characters: the most that a cell of a spreadsheet can hold.
LONGEST_CELL = 32_767
# Names of places are cut at so many characters: every pair of words of a longer text would be looked up.
_LONGEST_PLACE = 200
# An event reported with two digits of its year may be dated a little after the deposit; a birth may not.
_LEEWAY = np.timedelta64(366, "D")
_NO_DATE = np.datetime64("NaT", "D")


@dataclass
class Findings:
    """Cells that became missing or were corrected: (reason, column, rows, typed texts or None)."""

    gathered: Gathered
    entries: list[tuple] = field(default_factory=list)

    def add(self, reason: str, column: str, rows: np.ndarray) -> None:
        """List the cells of a column at the rows (positions, or a mask)."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        if len(rows):
            typed = (
                None if column in PRIVATE or column not in self.gathered.texts else self.gathered.typed(column, rows)
            )
            self.entries.append((reason, column, rows, typed))


@dataclass(frozen=True)
class Dates:
    """First and last days of every date column, and per file whether the day comes first."""

    earliest: dict[str, np.ndarray]
    latest: dict[str, np.ndarray]
    day_first: np.ndarray

    def any_event(self) -> np.ndarray:
        """Per row, whether the date of an event can be used."""
        return np.logical_or.reduce([~np.isnat(self.earliest[column]) for column in EVENT_DATES])


def without_errors(gathered: Gathered, findings: Findings) -> None:
    """List the cells with a formula error or a text that is too long, and treat them as blank from here on."""
    for column, texts in gathered.texts.items():
        endless = [len(text) > LONGEST_CELL for text in texts]
        failed = [text.strip().lower() in values.FORMULA_ERRORS for text in texts] if column != "remarks" else []
        # before any issue is listed, so that none holds such a text
        gathered.texts[column] = ["" if cut else text for text, cut in zip(texts, endless, strict=True)]
        for reason, cells in (("cell_too_long", endless), ("formula_error", failed)):
            if any(cells):
                at = np.array(cells)[gathered.codes[column]]
                findings.add(reason, column, at)
                gathered.codes[column] = np.where(at, 0, gathered.codes[column])


def read_dates(gathered: Gathered, reported: Reported, findings: Findings) -> Dates:
    """All date columns, with the order of day and month decided per file, by the cells that allow only one."""
    file = gathered.file
    tables = {column: DateTable(gathered.texts[column]) for column in DATES}
    votes = np.zeros(len(gathered.files))
    for column, table in tables.items():
        proof = table.order[gathered.codes[column]]
        votes += np.bincount(file, weights=proof, minlength=len(votes))
    day_first = votes >= 0  # the contract's default: day first
    by_row = day_first[file]

    until = reported.period_end()
    known = until[~np.isnat(until)]
    until = np.where(np.isnat(until), known.max() if len(known) else _NO_DATE, until)
    earliest, latest = {}, {}
    for column, table in tables.items():
        codes = gathered.codes[column]
        limit = until if column == "birth_date" else until + _LEEWAY
        first, last = table.take(codes, by_row, limit)
        proof = table.order[codes]
        findings.add("date_order", column, (proof != 0) & ((proof > 0) != by_row))
        findings.add("unreadable_date", column, table.unreadable[codes])
        if column == "birth_date":
            future = first > until
            findings.add("birth_in_future", column, future)
            first, last = np.where(future, _NO_DATE, first), np.where(future, _NO_DATE, last)
        earliest[column], latest[column] = first, last
    return Dates(earliest, latest, day_first)


def read_places(gathered: Gathered, perimeter: str, findings: Findings) -> dict[str, dict[str, np.ndarray]]:
    """Per place column: code, region, zone and match of every row."""
    code_texts, bad_codes = values.municipal_codes(gathered.texts["residence_code_typed"])
    exists = np.isin(code_texts.astype(str), municipalities(perimeter).index.to_numpy(dtype=str))
    absent = ~exists & np.array([code is not None for code in code_texts], dtype=bool)
    findings.add("unreadable_code", "residence_code_typed", bad_codes[gathered.codes["residence_code_typed"]])
    findings.add("unknown_municipal_code", "residence_code_typed", absent[gathered.codes["residence_code_typed"]])
    postal_texts, bad_postal = values.postal_codes(gathered.texts["postal_code"])
    findings.add("unreadable_postal_code", "postal_code", bad_postal[gathered.codes["postal_code"]])

    alike = {name: _keys(gathered.texts[name]) for name in PLACES}
    by_column = {}
    for column in PLACES:
        typed = as_objects([text.strip()[:_LONGEST_PLACE] for text in gathered.texts[column]])
        codes = gathered.codes[column]
        # the municipal code and the postal code are the residence's; a destination typed alike has them too
        same = np.ones(len(codes), dtype=bool)
        if column != "residence":
            same = (typed != "")[codes] & (alike[column][codes] == alike["residence"][gathered.codes["residence"]])
        own = np.where(same, gathered.codes["residence_code_typed"], 0)
        postal = np.where(same, gathered.codes["postal_code"], 0)
        key, inverse = _distinct(codes, own, postal)
        places = find_places(
            typed[key[0]],
            codes=np.where(exists[key[1]], code_texts[key[1]], None),
            postal_codes=postal_texts[key[2]],
            perimeter=perimeter,
        )
        names = {name: _or_none(places[name]) for name in ("code", "region", "zone", "match")}
        against = (
            exists[key[1]]
            & np.isin(names["match"], ["exact", "alias", "fuzzy"])
            & (names["code"] != code_texts[key[1]])
        )
        findings.add("code_against_name", "residence_code_typed", against[inverse] & (column == "residence"))
        silent = np.array([key_of(text) in unknown_words() for text in typed[key[0]]], dtype=bool)
        for match, reason in (
            ("none", "place_not_found"),
            ("ambiguous", "place_ambiguous"),
            ("area_only", "place_area_only"),
            ("fuzzy", "place_slip"),
        ):
            listed = (names["match"] == match) & ~silent & (names["zone"] != "outside_quebec")
            findings.add(reason, column, listed[inverse])
        by_column[column] = {name: array[inverse] for name, array in names.items()}
    return by_column


def usable_places(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Per row, whether a place column gives a municipality, an area, or outside Québec."""
    match, zone = columns["match"], columns["zone"]
    return (match != None) & ((match != "none") | (zone == "outside_quebec"))  # noqa: E711


def _or_none(column: pd.Series) -> np.ndarray:
    """A column as objects, with None for missing values."""
    return column.astype(object).where(column.notna(), None).to_numpy(dtype=object)


def _keys(texts: list[str]) -> np.ndarray:
    """Per distinct text, its key as a place: texts of one key are typed with the same words."""
    return as_objects([key_of(text) for text in texts])


def _distinct(*codes: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Distinct combinations of codes, as one array of each, and per row the position in them."""
    mixed = np.zeros(len(codes[0]), dtype=np.int64)
    for array in codes:
        mixed = mixed * (int(array.max(initial=0)) + 1) + array
    _, first, inverse = np.unique(mixed, return_index=True, return_inverse=True)
    return [array[first] for array in codes], inverse


def read_values(
    gathered: Gathered, crosswalks: Crosswalks, fiscal_year: np.ndarray, rows: np.ndarray, findings: Findings
) -> dict[str, np.ndarray]:
    """The columns that are neither dates nor places, at the rows; `fiscal_year` is that of every row gathered."""
    columns = read_words(gathered, crosswalks, fiscal_year, rows, findings.add)
    readers: dict[str, Callable[[list[str]], values.Result]] = {
        "birth_country": values.countries,
        "residence_code_typed": values.municipal_codes,
        "postal_code": values.postal_codes,
        **{c: values.plain for c in ("file_number", "household_number", "given_name", "family_name", *PLACES)},
    }
    for column, read in readers.items():
        decoded, unreadable = read(gathered.texts[column])
        if column == "birth_country":  # the codes have their own findings, beside the places
            findings.add("unknown_value", column, unreadable[gathered.codes[column]])
        columns[column] = decoded[gathered.codes[column][rows]]
    sizes, unreadable, impossible = values.whole_numbers(gathered.texts["household_size"], 1, LARGEST_HOUSEHOLD)
    codes = gathered.codes["household_size"]
    findings.add("unreadable_number", "household_size", unreadable[codes])
    findings.add("impossible_value", "household_size", impossible[codes])
    columns["household_size"] = pd.array(sizes, dtype="Int64")[codes[rows]]
    return columns


def settle_moved(columns: dict[str, np.ndarray]) -> np.ndarray:
    """
    Read « déménagé » as `left` beside a place or a date of departure, else as missing; returns the rows of the latter.
    """
    status = columns["follow_up_status"]
    is_moved = status == MOVED
    has_departure = ~np.isnat(columns["exit_date_earliest"]) | (columns["exit_destination"] != None)  # noqa: E711
    status[is_moved & has_departure], status[is_moved & ~has_departure] = LEFT, None
    return is_moved & ~has_departure
