"""How a row is mistyped: its places, its dates, its facts; and the slips of the keyboard.

Each function changes the draft's cells, keeps their truth in step, and says whether it did. Its line is in
`defects.DEFECTS`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .drafts import Draft, place_text, postal_code, typed_date
from .geography import MONTREAL, Geography, drop_accents, geography, plain_name
from .settings import date_of, pick

PLACES = ("municipalite_residence", "municipalite_destination", "destination_depart")
FINAL = frozenset({"alias", "homonym", "qualified", "area", "unknown", "outside", "none", "postal", "sanitary"})
_DATES = ("date_service", "date_etablissement", "date_suivi", "date_depart_region", "date_depart_montreal")
_NEAR = {
    "a": "qzs", "b": "vn", "c": "xv", "d": "sf", "e": "rz", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "km", "m": "l", "n": "b", "o": "ip", "p": "o", "q": "a", "r": "et", "s": "dq", "t": "ry",
    "u": "yi", "v": "cb", "x": "c", "y": "tu", "z": "ae",
}  # fmt: skip


def slip(text: str, rng: np.random.Generator) -> str:
    """One letter dropped, doubled, swapped with the next, or replaced by its neighbour; never the first."""
    spots = [i for i in range(1, len(text)) if text[i].isalpha()]
    if len(spots) < 4:
        return text
    i, kind = pick(rng, spots), int(rng.random() * 4)
    letter = text[i]
    if kind == 0:
        return text[:i] + text[i + 1 :]
    if kind == 1:
        return text[:i] + letter + text[i:]
    if kind == 2 and i + 1 < len(text) and text[i + 1].isalpha() and text[i + 1] != letter:
        return text[:i] + text[i + 1] + letter + text[i + 2 :]
    near = _NEAR.get(drop_accents(letter).lower(), "e")
    return text[:i] + pick(rng, near) + text[i + 1 :]


def _place(draft: Draft, rng: np.random.Generator, place: Geography, last: bool = True) -> tuple[str, str, str] | None:
    """A place cell that is still a municipality's own name: column, code, text."""
    found = []
    for column in PLACES:
        code = _code(draft, column)
        form = draft.residence_form if column == "municipalite_residence" else draft.destination_form
        if code in place.name and draft.cells.get(column) and not (last and form in FINAL):
            found.append((column, code, str(draft.cells[column])))
    return pick(rng, found) if found else None


def _code(draft: Draft, column: str) -> str:
    event = draft.event
    return {"municipalite_residence": event.residence, "municipalite_destination": event.destination}.get(
        column, event.exit_destination
    )


def _retype(draft: Draft, column: str, text: str, form: str) -> bool:
    if draft.cells[column] == text:
        return False
    draft.cells[column] = text
    if column == "municipalite_residence":
        draft.residence_form = form
    else:
        draft.destination_form = form
    return True


def _alias(draft: Draft, rng: np.random.Generator, place: Geography, kinds: tuple[str, ...]) -> bool:
    spot = _place(draft, rng, place)
    names = [a for a, kind in place.aliases.get(spot[1], ()) if kind in kinds] if spot else []
    return bool(spot and names) and _retype(draft, spot[0], pick(rng, names), "alias")  # type: ignore[index]


@cache
def _spellings() -> tuple[tuple[str, ...], np.ndarray]:
    names = geography().spellings
    return names, np.array([_letters(n) for n in names])


def _letters(text: str) -> list[int]:
    return [text.count(c) for c in "abcdefghijklmnopqrstuvwxyz "]


def confusable(text: str, own: str) -> bool:
    """Whether a mistyped place is within two slips of a spelling that is not its own."""
    names, letters = _spellings()
    text, own = plain_name(text), plain_name(own)
    # Two slips change at most four letter counts: a cheap filter before the exact distance.
    near = np.flatnonzero(np.abs(letters - np.array(_letters(text))).sum(axis=1) <= 4).tolist()
    return any(names[i] != own and _distance(text, names[i]) <= 2 for i in near)


def _distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def place_borough(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Montréal-Nord for Montréal."""
    return _alias(draft, rng, place, ("arrondissement",))


def place_former_name(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Jonquière for Saguenay, Hull for Gatineau."""
    if place.name.get(draft.event.residence) == "Montréal" and not draft.event.destination:
        return False
    return _alias(draft, rng, place, ("merged_or_locality", "former_name"))


def place_homonym_qualified(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A homonym with its MRC in brackets."""
    for column in PLACES:
        code = _code(draft, column)
        if place.name.get(code) in place.homonyms and draft.cells.get(column) and "(" not in str(draft.cells[column]):
            return _retype(draft, column, f"{draft.cells[column]} ({place.qualifier[code]})", "qualified")
    return False


def place_accents_dropped(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Trois-Rivieres."""
    spot = _place(draft, rng, place)
    return bool(spot) and _retype(draft, spot[0], drop_accents(spot[2]), "variant")


def place_hyphens_dropped(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """TROIS RIVIERES."""
    spot = _place(draft, rng, place)
    return bool(spot) and _retype(draft, spot[0], drop_accents(spot[2]).upper().replace("-", " "), "variant")


def place_saint_abbreviated(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """St-Jean s/ Richelieu."""
    spot = _place(draft, rng, place)
    if not spot:
        return False
    text = (
        spot[2].replace("Sainte-", "Ste-").replace("Saint-", pick(rng, ("St-", "St ", "St. "))).replace("-sur-", " s/ ")
    )
    return _retype(draft, spot[0], text, "variant")


def place_province_added(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Trois-Rivières (QC)."""
    spot = _place(draft, rng, place)
    return bool(spot) and _retype(draft, spot[0], spot[2] + pick(rng, (" (QC)", ", QC", " (Québec)")), "variant")


def place_slip(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """One slip in a place of seven letters or more; never one that makes another town."""
    spot = _place(draft, rng, place)
    if not spot or len(spot[2]) < 7 or "(" in spot[2]:
        return False
    text = slip(spot[2], rng)
    return not confusable(text, place.name[spot[1]]) and _retype(draft, spot[0], text, "slip")


def place_region_word(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The region instead of the town: an area at most."""
    spot = _place(draft, rng, place)
    name = place.region_name[place.region[spot[1]]] if spot else ""
    if not spot or place.region[spot[1]] in ("06", "13"):
        return False  # « Montréal » and « Laval » are the towns
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], name, "area")


def place_mrc(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« MRC de La Matapédia » instead of the town."""
    spot = _place(draft, rng, place)
    if not spot or place.mrc[spot[1]].startswith("Hors MRC"):
        return False
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], f"MRC {place.mrc[spot[1]]}", "area")


def _drop_code(draft: Draft, column: str) -> None:
    # Whoever knows only the area knows no code: otherwise the code would decide (the contract, « Places »).
    if column == "municipalite_residence":
        draft.cells["code_municipal"] = draft.cells["code_postal"] = ""


def place_sanitary_code(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A sociosanitary region (RSS 04 is Mauricie and Centre-du-Québec): no administrative region."""
    spot = _place(draft, rng, place)
    if not spot:
        return False
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], f"RSS {pick(rng, ('04', '17', '18', '16'))}", "sanitary")


def place_postal_code(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The postal code in the town's column."""
    code = postal_code(0, draft.event.household, draft.event.residence)
    if not code or draft.residence_form in FINAL:
        return False
    draft.cells["code_municipal"] = ""
    return _retype(draft, "municipalite_residence", code, "postal")


def code_missing(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """No municipal code; a homonym without qualifier is then undeterminable."""
    had = bool(draft.cells["code_municipal"]) and "code_municipal" in draft.habit.columns
    draft.cells["code_municipal"] = ""
    return had


def code_wrong(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Another town's code beside a name: the name wins."""
    if place.name[draft.event.residence] in place.homonyms or draft.residence_form in ("area", "homonym"):
        return False
    draft.cells["code_municipal"] = MONTREAL if draft.event.residence != MONTREAL else "65005"
    return "code_municipal" in draft.habit.columns


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
    return _unreadable(draft, rng, "à venir")


def date_zero(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Excel's 1900-01-00."""
    return _unreadable(draft, rng, "1900-01-00")


def _move_date(draft: Draft, column: str, day: int, note: str) -> bool:
    if draft.cells.get(column, "") == "":
        return False
    draft.cells[column] = typed_date(day, "day", draft.habit.dates)
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
    draft.cells["date_etablissement"] = typed_date(event.service_date, "day", draft.habit.dates)
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
