"""How a row's dates and facts are mistyped. Each function changes the draft's cells and says whether it did."""

from __future__ import annotations

import numpy as np

from . import dates
from .chance import pick
from .clock import date_of
from .drafts import Draft, place_text
from .geography import MONTREAL, Geography
from .place_defects import PLACES

_DATES = ("date_service", "date_etablissement", "date_suivi", "date_depart_region", "date_depart_montreal")


def _date(draft: Draft, rng: np.random.Generator) -> str | None:
    found = [c for c in _DATES if c in draft.days and draft.days[c][1] == "day" and draft.cells.get(c) != ""]
    return pick(rng, found) if found else None


def _to_precision(draft: Draft, column: str, precision: str) -> bool:
    if column not in draft.days or draft.days[column][1] != "day":
        return False
    draft.days[column] = (draft.days[column][0], precision)
    draft.cells[column] = dates.typed(draft.days[column][0], precision, draft.habit.dates)
    return True


def establishment_to_the_month(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« mars 2022 »."""
    return _to_precision(draft, "date_etablissement", "month")


def establishment_to_the_quarter(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« T2 2021-2022 »."""
    return _to_precision(draft, "date_etablissement", "quarter")


def date_year_only(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« 2022 »."""
    return _to_precision(draft, "date_depart_montreal", "year") or _to_precision(draft, "date_etablissement", "year")


def _in_form(draft: Draft, rng: np.random.Generator, form: str) -> bool:
    column = _date(draft, rng)
    if column is None:
        return False
    before = draft.cells[column]
    draft.cells[column] = dates.typed(draft.days[column][0], "day", form)
    return draft.cells[column] != before


def date_in_words(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """One date in words in a file of another form."""
    return _in_form(draft, rng, "words")


def date_two_digit_year(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """03/03/22, in files that put the day first."""
    return draft.habit.dates in ("dmy", "dmy_short") and _in_form(draft, rng, "dmy_short")


def date_contradicts_the_file(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Month first in a file that puts the day first: seen only where the day is beyond 12."""
    column = _date(draft, rng)
    if draft.habit.dates != "dmy" or column is None or date_of(draft.days[column][0]).day <= 12:
        return False
    draft.cells[column] = dates.typed(draft.days[column][0], "day", "mdy")
    draft.note = draft.note or "date_contradicts_the_file"
    return True


def _unreadable(draft: Draft, rng: np.random.Generator, text: str) -> bool:
    column = _date(draft, rng)
    if column is None:
        return False
    draft.cells[column] = text
    return True


def date_to_come(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« à venir »."""
    return _unreadable(draft, rng, "à venir")


def date_zero(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Excel's 1900-01-00."""
    return _unreadable(draft, rng, "1900-01-00")


def _move_date(draft: Draft, column: str, day: int, note: str) -> bool:
    if draft.cells.get(column, "") == "":
        return False
    draft.cells[column] = dates.typed(day, "day", draft.habit.dates)
    draft.note = draft.note or note
    return True


def service_before_arrival(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A service dated before the arrival in Québec."""
    return draft.event.kind == "service" and _move_date(
        draft, "date_service", draft.identity.household.arrival - 20, "service_before_arrival"
    )


def departure_after_establishment(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The departure from Montréal dated after the establishment."""
    settled = draft.event.establishment_date
    return settled is not None and _move_date(
        draft, "date_depart_montreal", settled + 25, "departure_after_establishment"
    )


def metropole_as_establishment(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A move to the near ring counted as an establishment en région."""
    event = draft.event
    if (
        event.kind != "service"
        or place.zone[event.residence] != "metropole"
        or event.residence == MONTREAL
        or event.service_date is None
    ):
        return False
    draft.cells["date_etablissement"] = dates.typed(event.service_date, "day", draft.habit.dates)
    draft.cells["municipalite_destination"] = place_text(place, draft.habit, event.residence)
    draft.note = draft.note or "metropole_as_establishment"
    return True


def birth_in_the_future(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Born in 2054."""
    draft.cells["date_naissance"] = "2054-03-12"
    draft.note = draft.note or "birth_in_the_future"
    return True


def household_of_zero(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A household of 0 or −3."""
    draft.cells["taille_menage"] = pick(rng, (0, -3))
    return True


def decimal_comma(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """3,0 persons."""
    draft.cells["taille_menage"] = f"{draft.event.size},0"
    return True


def remark_with_line_break(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Two lines in one cell, with quotes and the separator."""
    draft.cells["remarques"] = 'A dit : "on reste"; à revoir,\nen juin'
    return "remarques" in draft.habit.columns


def no_break_space(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Spaces that are not spaces around a place and a name."""
    for column in ("municipalite_residence", "nom"):
        draft.cells[column] = f"\u00a0{str(draft.cells[column]).replace(' ', chr(0xA0))}\u00a0"
    return True


def no_identity(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Neither names nor a file number: quarantined."""
    for column in ("prenom", "nom", "no_dossier"):
        draft.cells[column] = ""
    draft.quarantine = draft.quarantine or "no_identity"
    return True


def no_date_no_place(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Neither a date of an event nor a place: quarantined."""
    blank = (*PLACES, *_DATES, "date_emploi", "date_logement", "date_arrivee_quebec", "code_municipal", "code_postal")
    for column in blank:
        draft.cells[column] = ""
    draft.residence_form = draft.destination_form = "none"
    draft.quarantine = draft.quarantine or "no_date_no_place"
    return True
