"""The defects of the contract, one line each: from which level, how often, and the function that does it.

To add a defect: write a small function in `identity_defects`, `place_defects`, `row_defects` or `sheet_defects` (it
returns whether it did something) and add a line to `DEFECTS`. Encodings, separators, headers, date forms and the like
are an organisation's habits (`habits`), and counted beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from . import identity_defects as who
from . import place_defects as where
from . import row_defects as row
from . import sheet_defects as sheet
from .chance import LAYOUT, TYPING, generator
from .drafts import Draft, Identity
from .geography import Geography
from .settings import LEVELS, Settings
from .sheets import Sheet


@dataclass(frozen=True)
class Defect:
    """One thing that goes wrong. `rate` is a share of identities, rows or sheets where it is tried."""

    name: str
    scope: str  # identity, row, sheet, file, fact
    level: str
    rate: float
    apply: Callable[..., bool] | None = None


DEFECTS = (
    # Facts that the reporting itself bends (reporting.py asks for the rate).
    Defect("stale_address", "fact", "light", 0.05),
    Defect("old_address_at_establishment", "fact", "light", 0.15),
    # Who somebody is, typed once a file.
    Defect("name_accents_dropped", "identity", "light", 0.15, who.accents_dropped),
    Defect("name_slip", "identity", "light", 0.025, who.name_slip),
    Defect("hyphen_changed", "identity", "light", 0.30, who.hyphen_changed),
    Defect("second_given_name_dropped", "identity", "light", 0.20, who.second_given_name_dropped),
    Defect("compound_family_name_cut", "identity", "light", 0.10, who.compound_family_name_cut),
    Defect("names_swapped", "identity", "light", 0.006, who.names_swapped),
    Defect("birth_year_only", "identity", "light", 0.012, who.birth_year_only),
    Defect("birth_first_of_january", "identity", "light", 0.012, who.birth_first_of_january),
    Defect("arrival_month_only", "identity", "light", 0.05, who.arrival_month_only),
    Defect("transliterated", "identity", "heavy", 0.05, who.transliterated),
    Defect("married_name", "identity", "heavy", 0.05, who.married_name),
    Defect("birth_day_month_swapped", "identity", "heavy", 0.012, who.birth_day_month_swapped),
    Defect("sex_missing", "identity", "heavy", 0.02, who.sex_missing),
    Defect("name_missing", "identity", "heavy", 0.004, who.name_missing),
    Defect("category_changed", "identity", "heavy", 0.15, who.category_changed),
    Defect("unknown_word", "identity", "heavy", 0.01, who.unknown_word),
    # A row's cells.
    Defect("place_borough", "row", "light", 0.12, where.place_borough),
    Defect("place_former_name", "row", "light", 0.08, where.place_former_name),
    Defect("place_homonym_qualified", "row", "light", 0.30, where.place_homonym_qualified),
    Defect("place_accents_dropped", "row", "light", 0.06, where.place_accents_dropped),
    Defect("place_hyphens_dropped", "row", "light", 0.05, where.place_hyphens_dropped),
    Defect("place_saint_abbreviated", "row", "light", 0.25, where.place_saint_abbreviated),
    Defect("place_province_added", "row", "light", 0.015, where.place_province_added),
    Defect("place_slip", "row", "light", 0.015, where.place_slip),
    Defect("place_region_word", "row", "light", 0.006, where.place_region_word),
    Defect("code_missing", "row", "light", 0.10, where.code_missing),
    Defect("date_of_establishment_to_the_month", "row", "light", 0.05, row.establishment_to_the_month),
    Defect("date_of_establishment_to_the_quarter", "row", "light", 0.01, row.establishment_to_the_quarter),
    Defect("date_in_words", "row", "light", 0.01, row.date_in_words),
    Defect("place_mrc", "row", "heavy", 0.01, where.place_mrc),
    Defect("place_sanitary_code", "row", "heavy", 0.002, where.place_sanitary_code),
    Defect("place_postal_code", "row", "heavy", 0.003, where.place_postal_code),
    Defect("code_wrong", "row", "heavy", 0.003, where.code_wrong),
    Defect("date_two_digit_year", "row", "heavy", 0.01, row.date_two_digit_year),
    Defect("date_year_only", "row", "heavy", 0.005, row.date_year_only),
    Defect("date_contradicts_the_file", "row", "heavy", 0.010, row.date_contradicts_the_file),
    Defect("date_to_come", "row", "heavy", 0.004, row.date_to_come),
    Defect("date_zero", "row", "heavy", 0.002, row.date_zero),
    Defect("service_before_arrival", "row", "heavy", 0.003, row.service_before_arrival),
    Defect("departure_after_establishment", "row", "heavy", 0.02, row.departure_after_establishment),
    Defect("metropole_as_establishment", "row", "heavy", 0.02, row.metropole_as_establishment),
    Defect("birth_in_the_future", "row", "heavy", 0.001, row.birth_in_the_future),
    Defect("household_of_zero", "row", "heavy", 0.002, row.household_of_zero),
    Defect("decimal_comma", "row", "heavy", 0.01, row.decimal_comma),
    Defect("remark_with_line_break", "row", "heavy", 0.01, row.remark_with_line_break),
    Defect("no_break_space", "row", "heavy", 0.02, row.no_break_space),
    Defect("no_identity", "row", "heavy", 0.002, row.no_identity),
    Defect("no_date_no_place", "row", "heavy", 0.002, row.no_date_no_place),
    # A sheet's layout.
    Defect("row_repeated", "sheet", "light", 0.12, sheet.row_repeated),
    Defect("title_rows", "sheet", "light", 1.0, sheet.title_rows),
    Defect("organisation_on_first_row_only", "sheet", "light", 1.0, sheet.organisation_on_first_row_only),
    Defect("total_row", "sheet", "light", 1.0, sheet.total_row),
    Defect("ragged", "sheet", "heavy", 0.02, sheet.ragged),
    Defect("blank_rows", "sheet", "heavy", 0.05, sheet.blank_rows),
    Defect("trailing_empty_columns", "sheet", "heavy", 0.05, sheet.trailing_empty_columns),
    # Whole files (deposits.py does them).
    Defect("resent", "file", "light", 0.05),
    Defect("undated_name", "file", "heavy", 0.02),
    Defect("copied_file", "file", "heavy", 0.01),
    Defect("notes_sheet", "file", "heavy", 0.05),
    Defect("unreadable_file", "file", "heavy", 1.0),
)
_BY_NAME = {d.name: d for d in DEFECTS}


def active(name: str, settings: Settings) -> bool:
    """Whether a defect exists at the settings' level."""
    return LEVELS.index(_BY_NAME[name].level) <= settings.level


def active_rate(name: str, settings: Settings) -> float:
    """The rate of a defect at the settings' level, 0 where it does not exist yet.

    >>> active_rate("resent", Settings(defects="none"))
    0.0
    """
    return _BY_NAME[name].rate if active(name, settings) else 0.0


class Mishaps:
    """Applies the defects of one organisation, and counts what they did."""

    def __init__(self, settings: Settings, place: Geography, counts: Counter[tuple[str, str]]) -> None:
        self.settings, self.place, self.counts = settings, place, counts

    def to_identities(self, identities: list[Identity], dates_form: str) -> None:
        """Each identity defect, on its share of the files."""
        self._to(identities, "identity", lambda d, i, rng: d(i, rng, dates_form))

    def to_rows(self, drafts: list[Draft]) -> None:
        """Each row defect, on its share of the rows."""
        self._to(drafts, "row", lambda d, r, rng: d(r, rng, self.place))

    def to_sheets(self, sheets: list[Sheet]) -> None:
        """Each layout defect, on its share of the sheets."""
        self._to(sheets, "sheet", lambda d, s, rng: d(s, rng))

    def _to(self, items: list[Any], scope: str, do: Callable[..., bool]) -> None:
        if not items:
            return
        first = items[0]
        index = first.organisation.index if isinstance(first, Sheet) else (
            first.organisation if isinstance(first, Identity) else first.event.organisation
        )  # fmt: skip
        for defect in DEFECTS:
            if defect.scope != scope or defect.apply is None or not active(defect.name, self.settings):
                continue
            purpose = LAYOUT if scope == "sheet" else TYPING
            # By its name, so that a new line in the table does not disturb the others.
            rng = generator(self.settings.seed, purpose, index, crc32(defect.name.encode()))
            for i in (rng.random(len(items)) < defect.rate).nonzero()[0].tolist():
                if do(defect.apply, items[i], rng):
                    self.counts[defect.name, scope] += 1
