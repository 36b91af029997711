"""The defects of the contract, one line each in `DEFECTS`: from which level, how often, and the function that does it.

To add a defect: write a small function that changes cells or lines and returns whether it did, and add a line to
`DEFECTS`. Functions about who somebody is stand here, those about a row in `row_defects`, those about the layout of a
sheet in `deposits`. Encodings, separators, headers, date forms and the like are an organisation's habits
(`organisations.Habit`), and counted beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from . import deposits as sheet
from . import row_defects as row
from .drafts import CATEGORIES, Draft, Identity, typed_date
from .geography import Geography, drop_accents
from .row_defects import slip
from .settings import LAYOUT, LEVELS, TYPING, Settings, date_of, day_of, generator, pick


@dataclass(frozen=True)
class Defect:
    """
    One thing that goes wrong.

    Attributes
    ----------
    name : str
        What `Truth.defects` counts it under, and the key of its random numbers.
    scope : {"identity", "row", "sheet", "file", "fact"}
        What it is tried on.
    level : {"none", "light", "heavy"}
        The lowest level of `Settings.defects` at which it exists.
    rate : float
        Share (0–1) of the identities, rows or sheets on which it is tried.
    apply : callable, optional
        Changes the cells or lines in place and returns whether it did anything: (identity, rng, form of dates),
        (draft, rng, geography) or (sheet, rng). None for facts and files, which `reporting` and `deposits` bend.

    Examples
    --------
    >>> Defect("total_row", "sheet", "light", 1.0).apply is None
    True
    """

    name: str
    scope: str  # identity, row, sheet, file, fact
    level: str
    rate: float
    apply: Callable[..., bool] | None = None


_LETTERS = (
    ("ou", "u"),
    ("ch", "sh"),
    ("ss", "s"),
    ("y", "i"),
    ("kh", "k"),
    ("dj", "j"),
    ("ï", "i"),
    ("ei", "ey"),
    ("c", "k"),
)


def _text(identity: Identity, column: str) -> str:
    return str(identity.cells[column])


def accents_dropped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Both names without accents."""
    before = _text(identity, "prenom"), _text(identity, "nom")
    identity.cells["prenom"], identity.cells["nom"] = after = tuple(drop_accents(t) for t in before)
    return before != after


def name_slip(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """One slip in one of the names."""
    column = pick(rng, ("prenom", "nom"))
    before = _text(identity, column)
    identity.cells[column] = slip(before, rng)
    return identity.cells[column] != before


def hyphen_changed(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Marie-Claire becomes Marie Claire, García López García-López."""
    column = pick(rng, ("prenom", "nom"))
    text = _text(identity, column)
    identity.cells[column] = text.replace("-", " ") if "-" in text else text.replace(" ", "-")
    return identity.cells[column] != text


def second_given_name_dropped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Amina Sara becomes Amina."""
    text = _text(identity, "prenom")
    identity.cells["prenom"] = text.split(" ")[0]
    return " " in text


def compound_family_name_cut(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """García López becomes García; a particle (El, Ben, Le…) is no name alone."""
    text = _text(identity, "nom")
    first = text.split(" ")[0]
    if " " not in text or len(first) < 4 or first.lower() == "dela":
        return False
    identity.cells["nom"] = first
    return True


def names_swapped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """First name in the last name's column, and the reverse."""
    cells = identity.cells
    cells["prenom"], cells["nom"] = cells["nom"], cells["prenom"]
    return True


def birth_year_only(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Only the year of birth."""
    identity.cells["date_naissance"] = str(date_of(identity.person.birth).year)
    return True


def birth_first_of_january(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """1 January of the year of birth, for want of better."""
    first = day_of(date_of(identity.person.birth).replace(month=1, day=1))
    identity.cells["date_naissance"] = typed_date(first, "day", form)
    return True


def arrival_month_only(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """The arrival is known to the month."""
    identity.cells["date_arrivee_quebec"] = typed_date(identity.household.arrival, "month", form)
    return True


def transliterated(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Another romanisation of the last name."""
    text = _text(identity, "nom")
    lower = text.lower()
    fitting = [(a, b) for a, b in _LETTERS if a in lower[1:]]
    if not fitting:
        return False
    old, new = pick(rng, fitting)
    changed = text[0] + lower[1:].replace(old, new, 1)
    identity.cells["nom"] = changed.upper() if text.isupper() else changed.title()
    return True


def married_name(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A wife is typed with her husband's name."""
    husband = next((p for p in identity.household.members if p.sex == "M" and p.role in ("principal", "spouse")), None)
    wife = identity.person
    if husband is None or wife.sex != "F" or wife.role == "child" or husband.family_name == wife.family_name:
        return False
    identity.cells["nom"] = husband.family_name
    return True


def birth_day_month_swapped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Day and month of birth exchanged, where that makes a date."""
    birth = date_of(identity.person.birth)
    if birth.day > 12 or birth.day == birth.month:
        return False
    identity.cells["date_naissance"] = typed_date(day_of(birth.replace(month=birth.day, day=birth.month)), "day", form)
    return True


def sex_missing(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """No sex."""
    identity.cells["sexe"] = ""
    return True


def name_missing(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A file without names: the number alone says"""
    identity.cells["prenom"] = identity.cells["nom"] = ""
    return True


def category_changed(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A temporary status became permanent between two files: no error (domain.md §2.10)."""
    if identity.household.category not in ("temporary_worker", "student", "asylum_claimant"):
        return False
    to = "refugee" if identity.household.category == "asylum_claimant" else "economic"
    identity.cells["categorie_immigration"] = CATEGORIES[to][0]
    return True


def unknown_word(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A value that no list knows."""
    column, word = pick(
        rng, (("categorie_immigration", "Voir dossier"), ("scolarite", "Équivalence en cours"), ("sexe", "?"))
    )
    identity.cells[column] = word
    return True


DEFECTS = (
    # Facts that the reporting itself bends (`reporting` asks for the rate).
    Defect("stale_address", "fact", "light", 0.05),
    Defect("old_address_at_establishment", "fact", "light", 0.15),
    # Who somebody is, typed once a file.
    Defect("name_accents_dropped", "identity", "light", 0.15, accents_dropped),
    Defect("name_slip", "identity", "light", 0.025, name_slip),
    Defect("hyphen_changed", "identity", "light", 0.30, hyphen_changed),
    Defect("second_given_name_dropped", "identity", "light", 0.20, second_given_name_dropped),
    Defect("compound_family_name_cut", "identity", "light", 0.10, compound_family_name_cut),
    Defect("names_swapped", "identity", "light", 0.006, names_swapped),
    Defect("birth_year_only", "identity", "light", 0.012, birth_year_only),
    Defect("birth_first_of_january", "identity", "light", 0.012, birth_first_of_january),
    Defect("arrival_month_only", "identity", "light", 0.05, arrival_month_only),
    Defect("transliterated", "identity", "heavy", 0.05, transliterated),
    Defect("married_name", "identity", "heavy", 0.05, married_name),
    Defect("birth_day_month_swapped", "identity", "heavy", 0.012, birth_day_month_swapped),
    Defect("sex_missing", "identity", "heavy", 0.02, sex_missing),
    Defect("name_missing", "identity", "heavy", 0.004, name_missing),
    Defect("category_changed", "identity", "heavy", 0.15, category_changed),
    Defect("unknown_word", "identity", "heavy", 0.01, unknown_word),
    # A row's cells.
    Defect("place_borough", "row", "light", 0.12, row.place_borough),
    Defect("place_former_name", "row", "light", 0.08, row.place_former_name),
    Defect("place_homonym_qualified", "row", "light", 0.30, row.place_homonym_qualified),
    Defect("place_accents_dropped", "row", "light", 0.06, row.place_accents_dropped),
    Defect("place_hyphens_dropped", "row", "light", 0.05, row.place_hyphens_dropped),
    Defect("place_saint_abbreviated", "row", "light", 0.25, row.place_saint_abbreviated),
    Defect("place_province_added", "row", "light", 0.015, row.place_province_added),
    Defect("place_slip", "row", "light", 0.015, row.place_slip),
    Defect("place_region_word", "row", "light", 0.006, row.place_region_word),
    Defect("code_missing", "row", "light", 0.10, row.code_missing),
    Defect("date_of_establishment_to_the_month", "row", "light", 0.05, row.establishment_to_the_month),
    Defect("date_of_establishment_to_the_quarter", "row", "light", 0.01, row.establishment_to_the_quarter),
    Defect("date_in_words", "row", "light", 0.01, row.date_in_words),
    Defect("place_mrc", "row", "heavy", 0.01, row.place_mrc),
    Defect("place_sanitary_code", "row", "heavy", 0.002, row.place_sanitary_code),
    Defect("place_postal_code", "row", "heavy", 0.003, row.place_postal_code),
    Defect("code_wrong", "row", "heavy", 0.003, row.code_wrong),
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
    # Whole files (`deposits` does them).
    Defect("resent", "file", "light", 0.05),
    Defect("undated_name", "file", "heavy", 0.02),
    Defect("copied_file", "file", "heavy", 0.01),
    Defect("notes_sheet", "file", "heavy", 0.05),
    Defect("unreadable_file", "file", "heavy", 1.0),
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
