"""How a row's dates and facts are mistyped.

Each function changes the draft's cells, keeps their truth in step, and says whether it did. Its line is in
`defects.DEFECTS`.
"""

from __future__ import annotations

import numpy as np

from .drafts import EVENT_DATES, NO_DATE, PLACES, Draft, place_text, typed_date
from .geography import MONTREAL, Geography
from .settings import date_of, pick

_DATES = EVENT_DATES[:5]


def _date(draft: Draft, rng: np.random.Generator) -> str | None:
    found = [c for c in _DATES if c in draft.days and draft.days[c][1] == "day" and draft.cells.get(c) != ""]
    return pick(rng, found) if found else None


def _to_precision(draft: Draft, column: str, precision: str) -> bool:
    if column not in draft.days or draft.days[column][1] != "day":
        return False
    draft.days[column] = (draft.days[column][0], precision)
    draft.cells[column] = typed_date(draft.days[column][0], precision, draft.habit.dates)
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
    draft.cells[column] = typed_date(draft.days[column][0], "day", form)
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
    draft.cells[column] = typed_date(draft.days[column][0], "day", "mdy")
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
    return _unreadable(draft, rng, NO_DATE[0])


def date_zero(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Excel's 1900-01-00."""
    return _unreadable(draft, rng, NO_DATE[1])


def _move_date(draft: Draft, column: str, day: int, note: str) -> bool:
    if draft.cells.get(column, "") == "":
        return False
    draft.cells[column] = typed_date(day, "day", draft.habit.dates)
    draft.moved.add(column)
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


def departure_on_establishment(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The departure from Montréal on the day of the establishment, for want of knowing it."""
    settled = draft.event.establishment_date
    return settled is not None and _move_date(draft, "date_depart_montreal", settled, "departure_on_establishment")


def establishment_before_service(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """An establishment before the first service of the metropole that prepared it."""
    settled = draft.event.establishment_date
    if settled is None or place.zone[draft.event.residence] != "metropole":
        return False
    return _move_date(draft, "date_service", settled + 10, "establishment_before_service")


def negative_stay(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A departure from the region before the establishment that is typed beside it."""
    event = draft.event
    if event.kind != "departure" or event.exit_date is None or draft.cells.get("date_depart_region", "") == "":
        return False
    draft.cells["date_etablissement"] = typed_date(event.exit_date + 400, "day", draft.habit.dates)
    draft.note = draft.note or "negative_stay"
    return True


def departure_in_remarks(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A departure known only by « a déménagé » in the remarks."""
    if draft.event.kind != "departure" or "remarques" not in draft.habit.columns or draft.note:
        return False
    for column in ("date_depart_region", "destination_depart", "motif_depart"):
        draft.cells[column] = ""
    draft.destination_form = "none"
    draft.cells["remarques"] = "A déménagé"
    return True


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
    draft.cells["date_etablissement"] = typed_date(event.service_date, "day", draft.habit.dates)
    draft.cells["municipalite_destination"] = place_text(place, draft.habit, event.residence)
    draft.destination, draft.destination_form = event.residence, "exact"
    draft.note = draft.note or "metropole_as_establishment"
    return True


def birth_in_the_future(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Born in 2054."""
    draft.cells["date_naissance"] = "2054-03-12"
    draft.note = draft.note or "birth_in_the_future"
    return True


def birth_in_the_current_year(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The year of the deposit where the year of birth belongs."""
    draft.cells["date_naissance"] = str(date_of(draft.event.day).year)
    draft.note = draft.note or "birth_in_the_current_year"
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


def narrow_no_break_space(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A narrow no-break space after a place, where the file's encoding has one."""
    if draft.habit.format == "csv" and draft.habit.encoding in ("cp1252", "mac_roman"):
        return False
    draft.cells["municipalite_residence"] = f"{draft.cells['municipalite_residence']}\u202f"
    return draft.cells["municipalite_residence"] != "\u202f"


def no_identity(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Neither names nor a file number: quarantined."""
    for column in ("prenom", "nom", "no_dossier"):
        draft.cells[column] = ""
    draft.quarantine = draft.quarantine or "no_identity"
    return True


def no_date_no_place(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Neither a date of an event nor a place: quarantined."""
    blank = (*PLACES, *EVENT_DATES, "date_arrivee_quebec", "code_municipal", "code_postal")
    for column in blank:
        draft.cells[column] = ""
    draft.residence_form = draft.destination_form = "none"
    draft.quarantine = draft.quarantine or "no_date_no_place"
    return True
