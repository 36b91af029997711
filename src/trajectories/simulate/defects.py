"""The defects of the contract, one line each in `DEFECTS`: from which level, how often, and the function that does it.

To add a defect: write a small function that changes cells or lines and returns whether it did, and add a line to
`DEFECTS`. Functions about who somebody is stand in `identity_defects`, about a place in `place_defects`, about a row's
dates and facts in `row_defects`, about the layout of a sheet in `sheets`. Encodings, separators, headers, date forms
and the like are an organisation's habits (`organisations.Habit`), and counted beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from . import identity_defects as identity
from . import place_defects as place
from . import row_defects as row
from . import sheets as sheet
from .drafts import Draft, Identity
from .geography import Geography
from .settings import LAYOUT, LEVELS, TYPING, Settings, generator


@dataclass(frozen=True)
class Defect:
    """
    One thing that goes wrong.

    Attributes
    ----------
    name : str
        What `Truth.defects` counts it under, and the key of its random numbers.
    scope : {"identity", "row", "sheet", "file", "fact", "event", "found"}
        What it is tried on; "found": nothing, it is there and counted.
    level : {"none", "light", "heavy"}
        The lowest level of `Settings.defects` at which it exists.
    rate : float
        Share (0–1) of the identities, rows or sheets on which it is tried.
    apply : callable, optional
        Changes the cells or lines in place and returns whether it did anything: (identity, rng, form of dates),
        (draft, rng, geography) or (sheet, rng). None for facts, events and files, which `reporting`, `event_defects`
        and `deposits` bend.

    Examples
    --------
    >>> Defect("total_row", "sheet", "light", 1.0).apply is None
    True
    """

    name: str
    scope: str
    level: str
    rate: float
    apply: Callable[..., bool] | None = None


DEFECTS = (
    # Facts that the reporting itself bends (`reporting` asks for the rate).
    Defect("stale_address", "fact", "light", 0.05),
    Defect("old_address_at_establishment", "fact", "light", 0.15),
    # Who somebody is, typed once a file.
    Defect("name_accents_dropped", "identity", "light", 0.15, identity.accents_dropped),
    Defect("name_slip", "identity", "light", 0.025, identity.name_slip),
    Defect("hyphen_changed", "identity", "light", 0.30, identity.hyphen_changed),
    Defect("second_given_name_dropped", "identity", "light", 0.20, identity.second_given_name_dropped),
    Defect("compound_family_name_cut", "identity", "light", 0.10, identity.compound_family_name_cut),
    Defect("names_swapped", "identity", "light", 0.006, identity.names_swapped),
    Defect("birth_year_only", "identity", "light", 0.012, identity.birth_year_only),
    Defect("birth_first_of_january", "identity", "light", 0.012, identity.birth_first_of_january),
    Defect("arrival_month_only", "identity", "light", 0.05, identity.arrival_month_only),
    Defect("transliterated", "identity", "heavy", 0.05, identity.transliterated),
    Defect("married_name", "identity", "heavy", 0.05, identity.married_name),
    Defect("birth_day_month_swapped", "identity", "heavy", 0.012, identity.birth_day_month_swapped),
    Defect("sex_missing", "identity", "heavy", 0.02, identity.sex_missing),
    Defect("name_missing", "identity", "heavy", 0.004, identity.name_missing),
    Defect("category_changed", "identity", "heavy", 0.15, identity.category_changed),
    Defect("unknown_word", "identity", "heavy", 0.01, identity.unknown_word),
    # A row's cells.
    Defect("place_borough", "row", "light", 0.12, place.place_borough),
    Defect("place_former_name", "row", "light", 0.08, place.place_former_name),
    Defect("place_homonym_qualified", "row", "light", 0.30, place.place_homonym_qualified),
    Defect("place_accents_dropped", "row", "light", 0.06, place.place_accents_dropped),
    Defect("place_hyphens_dropped", "row", "light", 0.05, place.place_hyphens_dropped),
    Defect("place_saint_abbreviated", "row", "light", 0.25, place.place_saint_abbreviated),
    Defect("place_province_added", "row", "light", 0.015, place.place_province_added),
    Defect("place_slip", "row", "light", 0.015, place.place_slip),
    Defect("place_region_word", "row", "light", 0.006, place.place_region_word),
    Defect("code_missing", "row", "light", 0.10, place.code_missing),
    Defect("date_of_establishment_to_the_month", "row", "light", 0.05, row.establishment_to_the_month),
    Defect("date_of_establishment_to_the_quarter", "row", "light", 0.01, row.establishment_to_the_quarter),
    Defect("date_in_words", "row", "light", 0.01, row.date_in_words),
    Defect("place_sur_abbreviated", "row", "heavy", 0.60, place.place_sur_abbreviated),
    Defect("place_initials", "row", "heavy", 0.03, place.place_initials),
    Defect("place_mrc", "row", "heavy", 0.01, place.place_mrc),
    Defect("place_sanitary_code", "row", "heavy", 0.002, place.place_sanitary_code),
    Defect("place_postal_code", "row", "heavy", 0.003, place.place_postal_code),
    Defect("place_quebec_alone", "row", "heavy", 0.02, place.place_quebec_alone),
    Defect("place_homonym_alone", "row", "heavy", 0.30, place.place_homonym_alone),
    Defect("code_with_decimals", "row", "heavy", 0.01, place.code_with_decimals),
    Defect("code_wrong", "row", "heavy", 0.003, place.code_wrong),
    Defect("date_two_digit_year", "row", "heavy", 0.01, row.date_two_digit_year),
    Defect("date_year_only", "row", "heavy", 0.02, row.date_year_only),
    Defect("date_contradicts_the_file", "row", "heavy", 0.010, row.date_contradicts_the_file),
    Defect("date_to_come", "row", "heavy", 0.004, row.date_to_come),
    Defect("date_zero", "row", "heavy", 0.002, row.date_zero),
    Defect("service_before_arrival", "row", "heavy", 0.003, row.service_before_arrival),
    Defect("departure_after_establishment", "row", "heavy", 0.02, row.departure_after_establishment),
    Defect("departure_on_establishment", "row", "heavy", 0.02, row.departure_on_establishment),
    Defect("establishment_before_service", "row", "heavy", 0.01, row.establishment_before_service),
    Defect("negative_stay", "row", "heavy", 0.10, row.negative_stay),
    Defect("departure_in_remarks", "row", "heavy", 0.15, row.departure_in_remarks),
    Defect("metropole_as_establishment", "row", "heavy", 0.02, row.metropole_as_establishment),
    Defect("birth_in_the_future", "row", "heavy", 0.001, row.birth_in_the_future),
    Defect("birth_in_the_current_year", "row", "heavy", 0.001, row.birth_in_the_current_year),
    Defect("household_of_zero", "row", "heavy", 0.002, row.household_of_zero),
    Defect("decimal_comma", "row", "heavy", 0.01, row.decimal_comma),
    Defect("remark_with_line_break", "row", "heavy", 0.01, row.remark_with_line_break),
    Defect("no_break_space", "row", "heavy", 0.02, row.no_break_space),
    Defect("narrow_no_break_space", "row", "heavy", 0.01, row.narrow_no_break_space),
    Defect("no_identity", "row", "heavy", 0.002, row.no_identity),
    Defect("no_date_no_place", "row", "heavy", 0.002, row.no_date_no_place),
    # A sheet's layout.
    Defect("row_repeated", "sheet", "light", 0.12, sheet.row_repeated),
    Defect("title_rows", "sheet", "light", 1.0, sheet.title_rows),
    Defect("organisation_on_first_row_only", "sheet", "light", 1.0, sheet.organisation_on_first_row_only),
    Defect("total_row", "sheet", "light", 1.0, sheet.total_row),
    Defect("aggregate_row", "sheet", "heavy", 0.02, sheet.aggregate_row),
    Defect("ragged", "sheet", "heavy", 0.03, sheet.ragged),
    Defect("blank_rows", "sheet", "heavy", 0.05, sheet.blank_rows),
    Defect("trailing_empty_columns", "sheet", "heavy", 0.05, sheet.trailing_empty_columns),
    # Whole files (`deposits` does them).
    Defect("resent", "file", "light", 0.05),
    Defect("resent_undated", "file", "heavy", 0.25),  # of those re-sent
    Defect("undated_name", "file", "heavy", 0.02),
    Defect("unruly_name", "file", "heavy", 0.03),
    Defect("copied_file", "file", "heavy", 0.01),
    Defect("notes_sheet", "file", "heavy", 0.05),
    Defect("hidden_sheet", "file", "heavy", 0.05),
    Defect("hidden_columns", "file", "heavy", 0.05),
    Defect("carriage_returns_only", "file", "heavy", 0.02),
    Defect("nul_bytes", "file", "heavy", 0.02),
    Defect("unclosed_quote", "file", "heavy", 0.15),  # of the few texts where nothing else is quoted
    Defect("household_level_quarter", "file", "heavy", 0.02),
    Defect("cumulative_quarter", "file", "heavy", 0.02),
    Defect("corrupted_file", "file", "heavy", 1.0),
    Defect("cut_short_file", "file", "heavy", 1.0),
    Defect("empty_file", "file", "heavy", 1.0),
    Defect("html_as_xls", "file", "heavy", 1.0),
    # Which file and which person a fact is noted under (`event_defects`).
    Defect("file_reopened", "event", "heavy", 0.03),
    Defect("spouse_as_principal", "event", "heavy", 0.05),
    # Brought about by the histories and the calendar: counted, not planted.
    Defect("homonym_persons", "found", "heavy", 1.0),
    Defect("twins", "found", "heavy", 1.0),
    Defect("household_by_two_organisations", "found", "heavy", 1.0),
    Defect("late_row", "found", "heavy", 1.0),
    Defect("header_only", "found", "heavy", 1.0),
)


class Mishaps:
    """Applies the defects that exist at the settings' level, and counts what they did, by name and scope.

    Parameters
    ----------
    settings : Settings
        Their `defects` and `seed` decide.
    place : Geography
        What a mistyped place must not be taken for.

    Examples
    --------
    >>> from trajectories.simulate.geography import geography
    >>> Mishaps(Settings(defects="none"), geography()).rate("resent")
    0.0
    """

    def __init__(self, settings: Settings, place: Geography) -> None:
        self.settings, self.place = settings, place
        self.counts: Counter[tuple[str, str]] = Counter()
        self._active = [d for d in DEFECTS if LEVELS.index(d.level) <= settings.level]
        self._rates = {d.name: d.rate if d in self._active else 0.0 for d in DEFECTS}

    def rate(self, name: str) -> float:
        """The rate of a defect at the settings' level, 0 where it does not exist yet."""
        return self._rates[name]

    def hits(self, name: str, organisation: int, count: int) -> list[bool]:
        """Which of an organisation's things a defect is tried on, by its rate."""
        if not self._rates[name]:
            return [False] * count
        rng = generator(self.settings.seed, LAYOUT, organisation, crc32(name.encode()))
        return (rng.random(count) < self._rates[name]).tolist()

    def found(self, name: str, count: int) -> None:
        """Count something that is there without being planted, if it is looked for at the settings' level."""
        if self._rates[name]:
            self.counts[name, "found"] += count

    def to_identities(self, identities: list[Identity], dates_form: str) -> None:
        """Each identity defect, on its share of the files."""
        self._to(identities, "identity", lambda d, i, rng: d(i, rng, dates_form))

    def to_rows(self, drafts: list[Draft]) -> None:
        """Each row defect, on its share of the rows."""
        self._to(drafts, "row", lambda d, r, rng: d(r, rng, self.place))

    def to_sheets(self, sheets: list[sheet.Sheet]) -> None:
        """Each layout defect, on its share of the sheets."""
        self._to(sheets, "sheet", lambda d, s, rng: d(s, rng))

    def _to(self, items: list[Any], scope: str, do: Callable[..., bool]) -> None:
        if not items:
            return
        first = items[0]
        index = first.organisation.index if isinstance(first, sheet.Sheet) else (
            first.organisation if isinstance(first, Identity) else first.event.organisation
        )  # fmt: skip
        for defect in self._active:
            if defect.scope != scope or defect.apply is None:
                continue
            purpose = LAYOUT if scope == "sheet" else TYPING
            # By its name, so that a new line in the table does not disturb the others.
            rng = generator(self.settings.seed, purpose, index, crc32(defect.name.encode()))
            for i in (rng.random(len(items)) < defect.rate).nonzero()[0].tolist():
                if do(defect.apply, items[i], rng):
                    self.counts[defect.name, scope] += 1
