"""Defects of deposits, before, while and after they are typed: one function and one line of `DEFECTS` each.

To add a defect: write a small function that changes an identity, a draft or a sheet and returns whether it did, and add
a line to `DEFECTS` with the level from which it exists and its rate. A function also updates the truth of what it
changes. Encodings, separators, headers, date forms and the like are an organisation's habits (`organisations.Habit`),
counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from numpy.random import Generator
from rapidfuzz.distance import Levenshtein

from .geography import MONTREAL, drop_accents, geography, plain_name
from .histories import Life
from .organisations import Event, Organisation
from .settings import LAYOUT, LEVELS, TYPING, Settings, between, date_of, day_of, fiscal, generator, pairs, pick
from .sheets import (
    CATEGORIES,
    EVENT_DATES,
    NO_DATE,
    PLACES,
    Draft,
    Identity,
    Line,
    Sheet,
    place_text,
    postal_code,
    trimester_text,
    typed_date,
)

# Forms of a place that are not a municipality's own name any more, or may not be retyped.
FINAL = frozenset({"alias", "homonym", "qualified", "area", "unknown", "outside", "none", "postal", "sanitary"})
# The keys beside each key.
_NEAR = pairs(
    "a qzs b vn c xv d sf e rz f dg g fh h gj i uo j hk k jl l km m l n b o ip p o q a r et s dq t ry u yi v cb x c "
    "y tu z ae"
)
# Letters that another romanisation writes otherwise.
_LETTERS = pairs("ou u ch sh ss s y i kh k dj j ï i ei ey c k")
_DATES = EVENT_DATES[:5]


# ── the keyboard ──
def slip(text: str, rng: Generator) -> str:
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


def confusable(text: str, own: str) -> bool:
    """Whether a mistyped place is within two slips of a spelling that is not its own."""
    text, own = plain_name(text), plain_name(own)
    return any(name != own and Levenshtein.distance(text, name) <= 2 for name in geography().spellings)


# ── identities, typed once per file ──
def typed(identity: Identity, column: str) -> str:
    """What a cell of an identity holds, as text."""
    return str(identity.cells[column])


def accents_dropped(identity: Identity, rng: Generator) -> bool:
    """Both names without accents."""
    before = typed(identity, "prenom"), typed(identity, "nom")
    identity.cells["prenom"], identity.cells["nom"] = after = tuple(drop_accents(t) for t in before)
    return before != after


def name_slip(identity: Identity, rng: Generator) -> bool:
    """One slip in one of the names."""
    column = pick(rng, ("prenom", "nom"))
    before = typed(identity, column)
    identity.cells[column] = slip(before, rng)
    return identity.cells[column] != before


def hyphen_changed(identity: Identity, rng: Generator) -> bool:
    """Marie-Claire becomes Marie Claire, García López García-López."""
    column = pick(rng, ("prenom", "nom"))
    text = typed(identity, column)
    identity.cells[column] = text.replace("-", " ") if "-" in text else text.replace(" ", "-")
    return identity.cells[column] != text


def second_given_name_dropped(identity: Identity, rng: Generator) -> bool:
    """Amina Sara becomes Amina."""
    text = typed(identity, "prenom")
    identity.cells["prenom"] = text.split(" ")[0]
    return " " in text


def compound_family_name_cut(identity: Identity, rng: Generator) -> bool:
    """García López becomes García; a particle (El, Ben, Le…) is no name alone."""
    text = typed(identity, "nom")
    first = text.split(" ")[0]
    if " " not in text or len(first) < 4 or first.lower() == "dela":
        return False
    identity.cells["nom"] = first
    return True


def names_swapped(identity: Identity, rng: Generator) -> bool:
    """First name in the last name's column, and the reverse."""
    cells = identity.cells
    cells["prenom"], cells["nom"] = cells["nom"], cells["prenom"]
    return True


def birth_year_only(identity: Identity, rng: Generator) -> bool:
    """Only the year of birth."""
    identity.cells["date_naissance"], identity.birth_form = str(date_of(identity.person.birth).year), "year"
    return True


def birth_first_of_january(identity: Identity, rng: Generator) -> bool:
    """1 January of the year of birth, for want of better."""
    first = day_of(date_of(identity.person.birth).replace(month=1, day=1))
    identity.cells["date_naissance"], identity.birth_form = typed_date(first, "day", identity.habit.dates), "year"
    return True


def arrival_month_only(identity: Identity, rng: Generator) -> bool:
    """The arrival is known to the month."""
    identity.cells["date_arrivee_quebec"] = typed_date(identity.household.arrival, "month", identity.habit.dates)
    return True


def transliterated(identity: Identity, rng: Generator) -> bool:
    """Another romanisation of the last name."""
    text = typed(identity, "nom")
    lower = text.lower()
    fitting = [(a, b) for a, b in _LETTERS.items() if a in lower[1:]]
    if not fitting:
        return False
    old, new = pick(rng, fitting)
    changed = text[0] + lower[1:].replace(old, new, 1)
    identity.cells["nom"] = changed.upper() if text.isupper() else changed.title()
    return True


def married_name(identity: Identity, rng: Generator) -> bool:
    """A wife is typed with her husband's name."""
    husband = next((p for p in identity.household.members if p.sex == "M" and p.role in ("principal", "spouse")), None)
    wife = identity.person
    if husband is None or wife.sex != "F" or wife.role == "child" or husband.family_name == wife.family_name:
        return False
    identity.cells["nom"], identity.family_form = husband.family_name, "spouse"
    return True


def birth_day_month_swapped(identity: Identity, rng: Generator) -> bool:
    """Day and month of birth exchanged, where that makes a date."""
    birth = date_of(identity.person.birth)
    if birth.day > 12 or birth.day == birth.month:
        return False
    swapped = day_of(birth.replace(month=birth.day, day=birth.month))
    identity.cells["date_naissance"], identity.birth_form = typed_date(swapped, "day", identity.habit.dates), "swapped"
    return True


def sex_missing(identity: Identity, rng: Generator) -> bool:
    """No sex."""
    identity.cells["sexe"] = ""
    return True


def name_missing(identity: Identity, rng: Generator) -> bool:
    """A file without names: the number alone says who it is."""
    identity.cells["prenom"] = identity.cells["nom"] = ""
    identity.given_form = identity.family_form = "none"
    return True


def category_changed(identity: Identity, rng: Generator) -> bool:
    """A temporary status became permanent between two files: no error (domain.md §2.10)."""
    if identity.household.category not in ("temporary_worker", "student", "asylum_claimant"):
        return False
    to = "refugee" if identity.household.category == "asylum_claimant" else "economic"
    identity.cells["categorie_immigration"] = CATEGORIES[to][0]
    return True


def unknown_word(identity: Identity, rng: Generator) -> bool:
    """A value that no list knows."""
    column, word = pick(
        rng, (("categorie_immigration", "Voir dossier"), ("scolarite", "Équivalence en cours"), ("sexe", "?"))
    )
    identity.cells[column] = word
    return True


# ── places ──
def _place_cell(draft: Draft, rng: Generator) -> tuple[str, str, str] | None:
    """A place cell that is still a municipality's own name: column, code, text."""
    cells = []
    for column in PLACES:
        code = _code(draft, column)
        form = draft.residence_form if column == "municipalite_residence" else draft.destination_form
        if code in geography().name and draft.cells.get(column) and form not in FINAL:
            cells.append((column, code, str(draft.cells[column])))
    return pick(rng, cells) if cells else None


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


def _alias(draft: Draft, rng: Generator, *kinds: str) -> bool:
    spot = _place_cell(draft, rng)
    names = [a for a, kind in geography().aliases.get(spot[1], ()) if kind in kinds] if spot else []
    return bool(spot and names) and _retype(draft, spot[0], pick(rng, names), "alias")  # type: ignore[index]


def place_borough(draft: Draft, rng: Generator) -> bool:
    """Montréal-Nord for Montréal."""
    return _alias(draft, rng, "arrondissement")


def place_former_name(draft: Draft, rng: Generator) -> bool:
    """Jonquière for Saguenay, Hull for Gatineau."""
    if geography().name.get(draft.event.residence) == "Montréal" and not draft.event.destination:
        return False
    return _alias(draft, rng, "merged_or_locality", "former_name")


def place_homonym_qualified(draft: Draft, rng: Generator) -> bool:
    """A homonym with its MRC in brackets."""
    geo = geography()
    for column in PLACES:
        code = _code(draft, column)
        if geo.name.get(code) in geo.homonyms and draft.cells.get(column) and "(" not in str(draft.cells[column]):
            return _retype(draft, column, f"{draft.cells[column]} ({geo.qualifier[code]})", "qualified")
    return False


def place_accents_dropped(draft: Draft, rng: Generator) -> bool:
    """Trois-Rivieres."""
    spot = _place_cell(draft, rng)
    return bool(spot) and _retype(draft, spot[0], drop_accents(spot[2]), "variant")


def place_hyphens_dropped(draft: Draft, rng: Generator) -> bool:
    """TROIS RIVIERES."""
    spot = _place_cell(draft, rng)
    return bool(spot) and _retype(draft, spot[0], drop_accents(spot[2]).upper().replace("-", " "), "variant")


def place_saint_abbreviated(draft: Draft, rng: Generator) -> bool:
    """St-Jean s/ Richelieu."""
    spot = _place_cell(draft, rng)
    if not spot:
        return False
    text = (
        spot[2].replace("Sainte-", "Ste-").replace("Saint-", pick(rng, ("St-", "St ", "St. "))).replace("-sur-", " s/ ")
    )
    return _retype(draft, spot[0], text, "variant")


def place_sur_abbreviated(draft: Draft, rng: Generator) -> bool:
    """St-Jean s/ Richelieu, ST JEAN S/RICHELIEU."""
    geo = geography()
    spot = _place_cell(draft, rng)
    if not spot or "-sur-" not in geo.name[spot[1]]:
        return False
    short = geo.name[spot[1]].replace("Sainte-", "Ste-").replace("Saint-", "St-").replace("-sur-", " s/ ")
    loud = drop_accents(short).upper().replace("-", " ").replace("S/ ", "S/")
    return _retype(draft, spot[0], pick(rng, (short, loud)), "variant")


def place_initials(draft: Draft, rng: Generator) -> bool:
    """T-R for Trois-Rivières (domain.md §2.4)."""
    where = draft.event.residence
    if geography().name[where] != "Trois-Rivières" or draft.residence_form in FINAL:
        return False
    return _retype(draft, "municipalite_residence", "T-R", "alias")


def place_quebec_alone(draft: Draft, rng: Generator) -> bool:
    """« Québec » for the city, and nothing else that would tell it from the province."""
    if geography().name[draft.event.residence] != "Québec" or draft.residence_form in FINAL:
        return False
    _drop_code(draft, "municipalite_residence")
    draft.cells["municipalite_residence"] = "Québec"
    return True


def place_homonym_alone(draft: Draft, rng: Generator) -> bool:
    """A homonym with neither code nor qualifier: undeterminable, or by the postal code at most."""
    if len(geography().namesakes(draft.event.residence)) == 1 or draft.residence_form in FINAL:
        return False
    draft.cells["code_municipal"] = ""
    return True


def place_province_added(draft: Draft, rng: Generator) -> bool:
    """Trois-Rivières (QC)."""
    spot = _place_cell(draft, rng)
    return bool(spot) and _retype(draft, spot[0], spot[2] + pick(rng, (" (QC)", ", QC", " (Québec)")), "variant")


def place_slip(draft: Draft, rng: Generator) -> bool:
    """One slip in a place of seven letters or more; never one that makes another town."""
    spot = _place_cell(draft, rng)
    if not spot or len(spot[2]) < 7 or "(" in spot[2]:
        return False
    text = slip(spot[2], rng)
    return not confusable(text, geography().name[spot[1]]) and _retype(draft, spot[0], text, "slip")


def place_region_word(draft: Draft, rng: Generator) -> bool:
    """The region instead of the town: an area at most."""
    geo = geography()
    spot = _place_cell(draft, rng)
    name = geo.region_name[geo.region[spot[1]]] if spot else ""
    if not spot or geo.region[spot[1]] in ("06", "13"):
        return False  # « Montréal » and « Laval » are the towns
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], name, "area")


def place_mrc(draft: Draft, rng: Generator) -> bool:
    """« MRC de La Matapédia » instead of the town."""
    geo = geography()
    spot = _place_cell(draft, rng)
    if not spot or geo.mrc[spot[1]].startswith("Hors MRC"):
        return False
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], f"MRC {geo.mrc[spot[1]]}", "area")


def _drop_code(draft: Draft, column: str) -> None:
    # Without the code, which would decide (the contract, « Places »): only the area is known.
    if column == "municipalite_residence":
        draft.cells["code_municipal"] = draft.cells["code_postal"] = ""


def place_sanitary_code(draft: Draft, rng: Generator) -> bool:
    """The sociosanitary region: RSS 04 is Mauricie and Centre-du-Québec, RSS 17 and 18 are the two ends of Nord."""
    spot = _place_cell(draft, rng)
    if not spot:
        return False
    region = geography().region[spot[1]]
    number = {"17": ("04",), "10": ("10", "17", "18")}.get(region, (region,))
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], f"RSS {pick(rng, number)}", "sanitary")


def place_postal_code(draft: Draft, rng: Generator) -> bool:
    """The postal code in the town's column."""
    code = postal_code(0, draft.event.household, draft.event.residence)
    if not code or draft.residence_form in FINAL:
        return False
    draft.cells["code_municipal"] = ""
    return _retype(draft, "municipalite_residence", code, "postal")


def code_missing(draft: Draft, rng: Generator) -> bool:
    """No municipal code; a homonym without qualifier is then undeterminable."""
    had = bool(draft.cells["code_municipal"]) and "code_municipal" in draft.habit.columns
    draft.cells["code_municipal"] = ""
    return had


def code_with_decimals(draft: Draft, rng: Generator) -> bool:
    """1023.0: a code that a program has read as a number."""
    if "code_municipal" not in draft.habit.columns or draft.cells["code_municipal"] == "":
        return False
    draft.cells["code_municipal"] = f"{int(str(draft.cells['code_municipal']))}.0"
    return True


def code_wrong(draft: Draft, rng: Generator) -> bool:
    """Another town's code beside a name: the name wins."""
    # Beside an ambiguous or a regional text the code decides (the contract, « Places »): never a wrong one there.
    if len(geography().namesakes(draft.event.residence)) > 1 or draft.residence_form in FINAL - {"alias"}:
        return False
    draft.cells["code_municipal"] = MONTREAL if draft.event.residence != MONTREAL else "65005"
    return "code_municipal" in draft.habit.columns


# ── the dates and facts of a row ──
def _date(draft: Draft, rng: Generator) -> str | None:
    columns = [c for c in _DATES if c in draft.days and draft.days[c][1] == "day" and draft.cells.get(c) != ""]
    return pick(rng, columns) if columns else None


def known_to_the(precision: str, *columns: str) -> Callable[[Draft, Generator], bool]:
    """The first of some dates that is there is known to the month, the quarter or the year only."""

    def known(draft: Draft, rng: Generator) -> bool:
        dated = [column for column in columns if column in draft.days and draft.days[column][1] == "day"]
        if dated:
            draft.retype_date(dated[0], precision)
        return bool(dated)

    return known


def in_form(form: str) -> Callable[[Draft, Generator], bool]:
    """One date in another form than the rest of the file."""

    def typed(draft: Draft, rng: Generator) -> bool:
        column = _date(draft, rng)
        if column is None:
            return False
        before = draft.cells[column]
        draft.cells[column] = typed_date(draft.days[column][0], "day", form)
        return draft.cells[column] != before

    return typed


def date_two_digit_year(draft: Draft, rng: Generator) -> bool:
    """03/03/22, in files that put the day first."""
    return draft.habit.dates in ("dmy", "dmy_short") and in_form("dmy_short")(draft, rng)


def date_contradicts_the_file(draft: Draft, rng: Generator) -> bool:
    """Month first in a file that puts the day first: seen only where the day is beyond 12."""
    column = _date(draft, rng)
    if draft.habit.dates != "dmy" or column is None or date_of(draft.days[column][0]).day <= 12:
        return False
    draft.cells[column] = typed_date(draft.days[column][0], "day", "mdy")
    draft.note = draft.note or "date_contradicts_the_file"
    return True


def instead_of_a_date(text: str) -> Callable[[Draft, Generator], bool]:
    """Words, or what Excel shows for 0, where one date belongs."""

    def typed(draft: Draft, rng: Generator) -> bool:
        column = _date(draft, rng)
        if column is not None:
            draft.cells[column] = text
        return column is not None

    return typed


def _move_date(draft: Draft, column: str, day: int, note: str) -> bool:
    if draft.cells.get(column, "") == "":
        return False
    draft.cells[column] = typed_date(day, "day", draft.habit.dates)
    draft.wrong_dates.add(column)
    draft.note = draft.note or note
    return True


def service_before_arrival(draft: Draft, rng: Generator) -> bool:
    """A service dated before the arrival in Québec."""
    return draft.event.kind == "service" and _move_date(
        draft, "date_service", draft.identity.household.arrival - 20, "service_before_arrival"
    )


def departure_after_establishment(draft: Draft, rng: Generator) -> bool:
    """The departure from Montréal dated after the establishment."""
    settled = draft.event.establishment_date
    return settled is not None and _move_date(
        draft, "date_depart_montreal", settled + 25, "departure_after_establishment"
    )


def departure_on_establishment(draft: Draft, rng: Generator) -> bool:
    """The departure from Montréal on the day of the establishment, for want of knowing it."""
    settled = draft.event.establishment_date
    return settled is not None and _move_date(draft, "date_depart_montreal", settled, "departure_on_establishment")


def establishment_before_service(draft: Draft, rng: Generator) -> bool:
    """An establishment before the first service of the metropole that prepared it."""
    settled = draft.event.establishment_date
    if settled is None or geography().zone[draft.event.residence] != "metropole":
        return False
    return _move_date(draft, "date_service", settled + 10, "establishment_before_service")


def negative_stay(draft: Draft, rng: Generator) -> bool:
    """A departure from the region before the establishment that is typed beside it."""
    event = draft.event
    if event.kind != "departure" or event.exit_date is None or draft.cells.get("date_depart_region", "") == "":
        return False
    draft.cells["date_etablissement"] = typed_date(event.exit_date + 400, "day", draft.habit.dates)
    draft.note = draft.note or "negative_stay"
    return True


def departure_in_remarks(draft: Draft, rng: Generator) -> bool:
    """A departure known only by « a déménagé » in the remarks."""
    if draft.event.kind != "departure" or "remarques" not in draft.habit.columns or draft.note:
        return False
    for column in ("date_depart_region", "destination_depart", "motif_depart"):
        draft.cells[column] = ""
    draft.destination_form = "none"
    draft.cells["remarques"] = "A déménagé"
    return True


def metropole_as_establishment(draft: Draft, rng: Generator) -> bool:
    """A move to the near ring counted as an establishment en région."""
    geo = geography()
    event = draft.event
    if (
        event.kind != "service"
        or geo.zone[event.residence] != "metropole"
        or event.residence == MONTREAL
        or event.service_date is None
    ):
        return False
    draft.cells["date_etablissement"] = typed_date(event.service_date, "day", draft.habit.dates)
    draft.cells["municipalite_destination"] = place_text(draft.habit, event.residence)
    draft.destination, draft.destination_form = event.residence, "exact"
    draft.note = draft.note or "metropole_as_establishment"
    return True


def birth_in_the_future(draft: Draft, rng: Generator) -> bool:
    """Born in 2054."""
    draft.cells["date_naissance"] = "2054-03-12"
    draft.note = draft.note or "birth_in_the_future"
    return True


def birth_in_the_current_year(draft: Draft, rng: Generator) -> bool:
    """The year of the deposit where the year of birth belongs."""
    draft.cells["date_naissance"] = str(date_of(draft.event.day).year)
    draft.note = draft.note or "birth_in_the_current_year"
    return True


def household_of_zero(draft: Draft, rng: Generator) -> bool:
    """A household of 0 or −3."""
    draft.cells["taille_menage"] = pick(rng, (0, -3))
    return True


def decimal_comma(draft: Draft, rng: Generator) -> bool:
    """3,0 persons."""
    draft.cells["taille_menage"] = f"{draft.event.size},0"
    return True


def remark_with_line_break(draft: Draft, rng: Generator) -> bool:
    """Two lines in one cell, with quotes and the separator."""
    draft.cells["remarques"] = 'A dit : "on reste"; à revoir,\nen juin'
    return "remarques" in draft.habit.columns


def no_break_space(draft: Draft, rng: Generator) -> bool:
    """Spaces that are not spaces around a place and a name."""
    for column in ("municipalite_residence", "nom"):
        draft.cells[column] = f"\u00a0{str(draft.cells[column]).replace(' ', chr(0xA0))}\u00a0"
    return True


def narrow_no_break_space(draft: Draft, rng: Generator) -> bool:
    """A narrow no-break space after a place, where the file's encoding has one."""
    if draft.habit.format == "csv" and draft.habit.encoding in ("cp1252", "mac_roman"):
        return False
    draft.cells["municipalite_residence"] = f"{draft.cells['municipalite_residence']}\u202f"
    return draft.cells["municipalite_residence"] != "\u202f"


def no_identity(draft: Draft, rng: Generator) -> bool:
    """Neither names nor a file number: quarantined."""
    for column in ("prenom", "nom", "no_dossier"):
        draft.cells[column] = ""
    draft.quarantine = draft.quarantine or "no_identity"
    return True


def no_date_no_place(draft: Draft, rng: Generator) -> bool:
    """Neither a date of an event nor a place: quarantined."""
    blank = (*PLACES, *EVENT_DATES, "date_arrivee_quebec", "code_municipal", "code_postal")
    for column in blank:
        draft.cells[column] = ""
    draft.residence_form = draft.destination_form = "none"
    draft.quarantine = draft.quarantine or "no_date_no_place"
    return True


# ── the layout of a sheet ──
def row_repeated(sheet: Sheet, rng: Generator) -> bool:
    """A row typed twice: an exact duplicate."""
    spots = [i for i, line in enumerate(sheet.lines) if line.kind == "row" and line.draft and not line.draft.quarantine]
    if not spots:
        return False
    i = pick(rng, spots)
    line = sheet.lines[i]
    sheet.lines.insert(between(rng, i + 1, len(sheet.lines)), Line(list(line.cells), line.draft, "row", copied=True))
    return True


def title_rows(sheet: Sheet, rng: Generator) -> bool:
    """A title and a blank line above the header."""
    if not sheet.habit.title:
        return False
    year, n = fiscal(sheet.quarter)
    width = len(sheet.habit.columns)
    title = Line(
        [f"Reddition de comptes {year}, trimestre {n} – {sheet.organisation.name}", *[""] * (width - 1)], kind="title"
    )
    sheet.lines[:0] = [title, Line([""] * width, kind="blank")]
    return True


def total_row(sheet: Sheet, rng: Generator) -> bool:
    """A total at the bottom."""
    if not sheet.habit.total:
        return False
    count = len(sheet.rows())
    sheet.lines.append(Line(["Total", count, *[""] * (len(sheet.habit.columns) - 2)], kind="total"))
    return True


def aggregate_row(sheet: Sheet, rng: Generator) -> bool:
    """Twelve persons met at once and counted on one line: nobody is named."""
    if not sheet.rows():
        return False
    met = {"service": "Information", "municipalite_residence": "Rimouski", "taille_menage": between(rng, 8, 20)}
    sheet.lines.append(Line([met.get(c, "") for c in sheet.habit.columns], kind="aggregate"))
    return True


def organisation_on_first_row_only(sheet: Sheet, rng: Generator) -> bool:
    """The organisation is named on the first row of the block, and understood below."""
    if not sheet.habit.first_row_only:
        return False
    spots = [i for i, name in enumerate(sheet.habit.columns) if name in ("code_organisme", "nom_organisme")]
    rows = sheet.rows()
    for line in rows[1:]:
        for i in spots:
            line.cells[i] = ""
    return bool(spots) and len(rows) > 1


def ragged(sheet: Sheet, rng: Generator) -> bool:
    """Cells shifted beyond repair: more cells than columns, an unquoted separator in several of them."""
    rows = [line for line in sheet.rows() if line.draft and not line.draft.quarantine and not line.copied]
    if sheet.habit.drawn:
        # Cells that are never filled would make room for the others.
        rows = [line for line in rows if line.cells[-1] != ""]
    if sheet.habit.format != "csv" or not rows:
        return False
    line = pick(rng, rows)
    middle = len(line.cells) // 2
    line.cells = [*line.cells[:middle], "x", "x", "x", *line.cells[middle:]]
    line.kind = "ragged"
    return True


def blank_rows(sheet: Sheet, rng: Generator) -> bool:
    """Empty lines among the rows."""
    for _ in range(between(rng, 1, 3)):
        sheet.lines.insert(
            between(rng, sheet.head + 1, len(sheet.lines)), Line([""] * len(sheet.habit.columns), kind="blank")
        )
    return True


def trailing_empty_columns(sheet: Sheet, rng: Generator) -> bool:
    """Columns without a name or a value at the right."""
    for line in sheet.lines:
        line.cells = [*line.cells, "", "", ""]
    return True


# ── which file, person and quarter a fact is noted under ──
def reopen_files(events: list[Event], organisation: Organisation, mishaps: Mishaps) -> None:
    """A file is closed and re-opened under a new number between two rows about the same person."""
    files: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        files.setdefault((event.person, event.opening), []).append(event)
    last: Counter[int] = Counter()
    for person, opening in files:
        last[person] = max(last[person], opening)
    hits = mishaps.hits("file_reopened", organisation.index, len(files))
    for (person, _), hit in zip(sorted(files), hits, strict=True):
        # Only the person's latest file: the openings before it are followed by another already.
        file = files[person, last[person]]
        days = sorted({e.day for e in file})
        if hit and len(days) > 1:
            last[person] += 1
            for event in file:
                if event.day >= days[-1]:
                    event.opening = last[person]
            files[person, last[person]] = [e for e in file if e.opening == last[person]]
            mishaps.counts["file_reopened", "event"] += 1


def note_under_the_spouse(
    events: list[Event], organisation: Organisation, lives: dict[int, Life], mishaps: Mishaps
) -> None:
    """The spouse is listed as the principal: the services to the household stand under their name.

    Only where both live in one place on the day, so that what the row says stays true of the person it names.
    """
    households = sorted({e.household for e in events})
    hits = mishaps.hits("spouse_as_principal", organisation.index, len(households))
    chosen = {h for h, hit in zip(households, hits, strict=True) if hit}
    for event in events:
        if event.household not in chosen or event.kind != "service" or event.note:
            continue
        life = lives[event.household]
        role = {p.role: p.number for p in life.household.members}
        if "spouse" not in role or event.person != role["principal"]:
            continue
        if any(
            r.person == role["spouse"]
            and r.code == event.residence
            and r.start <= event.day
            and (r.end is None or event.day < r.end)
            for r in life.residences
        ):
            known = [e.opening for e in events if e.person == role["spouse"] and e.day <= event.day]
            event.person, event.opening = role["spouse"], max(known, default=1)
            mishaps.counts["spouse_as_principal", "event"] += 1


def bend_quarters(
    by_quarter: dict[int, list[Draft]], organisation: Organisation, quarters: list[int], mishaps: Mishaps
) -> None:
    """Quarters reported by household (its principal alone stands for all), and quarters that add up the one before.

    The year adds up, quarter by quarter, where that is the organisation's habit.
    """
    habit = next((d.habit.drawn for drafts in by_quarter.values() for d in drafts), frozenset())
    if {"deposits_cumulative", "deposits_cumulative_as_new"} & habit:
        rows_by_quarter = dict(by_quarter)
        for q in quarters:
            year = [d for p in range(q - fiscal(q)[1] + 1, q) for d in rows_by_quarter.get(p, [])]
            if "deposits_cumulative_as_new" in habit:
                year = [_as_new(d, q) for d in year]
            by_quarter[q] = [*year, *rows_by_quarter.get(q, [])]
        return
    index, n = organisation.index, len(quarters)
    by_household = mishaps.hits("household_level_quarter", index, n)
    cumulative = mishaps.hits("cumulative_quarter", index, n)
    rows_by_quarter = {q: list(by_quarter.get(q, [])) for q in quarters}
    for q, alone, both in zip(quarters, by_household, cumulative, strict=True):
        if alone:
            kept = [d for d in rows_by_quarter[q] if d.identity.person.role == "principal"]
            if 0 < len(kept) < len(rows_by_quarter[q]):
                by_quarter[q] = kept
                mishaps.counts["household_level_quarter", "file"] += 1
        elif both and fiscal(q)[1] > 1 and rows_by_quarter.get(q - 1):
            # The period typed is the deposit's: a row of the quarter before would replace that whole deposit.
            by_quarter[q] = [*(_as_new(d, q) for d in rows_by_quarter[q - 1]), *by_quarter.get(q, [])]
            mishaps.counts["cumulative_quarter", "file"] += 1


def _as_new(draft: Draft, quarter: int) -> Draft:
    """A row of an earlier quarter as if it were of this one."""
    return replace(draft, quarter=quarter, cells=draft.cells | {"trimestre": trimester_text(draft.habit, quarter)})


def count_what_is_there(events: list[Event], lives: dict[int, Life], mishaps: Mishaps) -> None:
    """Count the difficulties that the histories hold by themselves, among those that some organisation has seen."""
    seen = sorted({e.person for e in events})
    people = {p.number: (h, p) for h, life in lives.items() for p in life.household.members}
    names: dict[tuple[str, str], set[int]] = {}
    births: Counter[tuple[int, int]] = Counter()
    for number in seen:
        home, person = people[number]
        names.setdefault((plain_name(person.given_name), plain_name(person.family_name)), set()).add(home)
        births[home, person.birth] += 1
    mishaps.count_unplanted("homonym_persons", sum(len(homes) - 1 for homes in names.values()))
    mishaps.count_unplanted("twins", sum(n > 1 for n in births.values()))
    organisations_by_establishment: dict[tuple[int, int], set[int]] = {}
    for event in events:
        if event.kind == "establishment" and event.establishment_date is not None:
            organisations_by_establishment.setdefault((event.household, event.establishment_date), set()).add(
                event.organisation
            )
    mishaps.count_unplanted(
        "household_by_two_organisations", sum(len(by) > 1 for by in organisations_by_establishment.values())
    )
    mishaps.count_unplanted("late_row", sum(e.late for e in events))


# ── the table ──
@dataclass(frozen=True)
class Defect:
    """
    One kind of defect.

    Attributes
    ----------
    name : str
        Its name in `Truth.defects`, and the key of its random numbers.
    scope : {"identity", "row", "sheet", "file", "fact", "event", "found"}
        Where it is planted; "found": it is not planted, only counted.
    level : {"none", "light", "heavy"}
        The lowest level of `Settings.defects` at which it exists.
    rate : float
        Share (0–1) of the identities, rows or sheets on which it is tried.
    apply : callable, optional
        Changes an identity, a draft or a sheet in place, with a generator, and returns whether it did anything. None
        for facts, events and files, which `reporting`, `note_under_the_spouse`, `reopen_files` and `deposits` bend.

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
    Defect("place_borough", "row", "light", 0.12, place_borough),
    Defect("place_former_name", "row", "light", 0.08, place_former_name),
    Defect("place_homonym_qualified", "row", "light", 0.30, place_homonym_qualified),
    Defect("place_accents_dropped", "row", "light", 0.06, place_accents_dropped),
    Defect("place_hyphens_dropped", "row", "light", 0.05, place_hyphens_dropped),
    Defect("place_saint_abbreviated", "row", "light", 0.25, place_saint_abbreviated),
    Defect("place_province_added", "row", "light", 0.015, place_province_added),
    Defect("place_slip", "row", "light", 0.015, place_slip),
    Defect("place_region_word", "row", "light", 0.006, place_region_word),
    Defect("code_missing", "row", "light", 0.10, code_missing),
    Defect("date_of_establishment_to_the_month", "row", "light", 0.05, known_to_the("month", "date_etablissement")),
    Defect("date_of_establishment_to_the_quarter", "row", "light", 0.01, known_to_the("quarter", "date_etablissement")),
    Defect("date_in_words", "row", "light", 0.01, in_form("words")),
    Defect("place_sur_abbreviated", "row", "heavy", 0.60, place_sur_abbreviated),
    Defect("place_initials", "row", "heavy", 0.03, place_initials),
    Defect("place_mrc", "row", "heavy", 0.01, place_mrc),
    Defect("place_sanitary_code", "row", "heavy", 0.002, place_sanitary_code),
    Defect("place_postal_code", "row", "heavy", 0.003, place_postal_code),
    Defect("place_quebec_alone", "row", "heavy", 0.02, place_quebec_alone),
    Defect("place_homonym_alone", "row", "heavy", 0.30, place_homonym_alone),
    Defect("code_with_decimals", "row", "heavy", 0.01, code_with_decimals),
    Defect("code_wrong", "row", "heavy", 0.003, code_wrong),
    Defect("date_two_digit_year", "row", "heavy", 0.01, date_two_digit_year),
    Defect("date_year_only", "row", "heavy", 0.02, known_to_the("year", "date_depart_montreal", "date_etablissement")),
    Defect("date_contradicts_the_file", "row", "heavy", 0.010, date_contradicts_the_file),
    Defect("date_to_come", "row", "heavy", 0.004, instead_of_a_date(NO_DATE[0])),
    Defect("date_zero", "row", "heavy", 0.002, instead_of_a_date(NO_DATE[1])),
    Defect("service_before_arrival", "row", "heavy", 0.003, service_before_arrival),
    Defect("departure_after_establishment", "row", "heavy", 0.02, departure_after_establishment),
    Defect("departure_on_establishment", "row", "heavy", 0.02, departure_on_establishment),
    Defect("establishment_before_service", "row", "heavy", 0.01, establishment_before_service),
    Defect("negative_stay", "row", "heavy", 0.10, negative_stay),
    Defect("departure_in_remarks", "row", "heavy", 0.15, departure_in_remarks),
    Defect("metropole_as_establishment", "row", "heavy", 0.02, metropole_as_establishment),
    Defect("birth_in_the_future", "row", "heavy", 0.001, birth_in_the_future),
    Defect("birth_in_the_current_year", "row", "heavy", 0.001, birth_in_the_current_year),
    Defect("household_of_zero", "row", "heavy", 0.002, household_of_zero),
    Defect("decimal_comma", "row", "heavy", 0.01, decimal_comma),
    Defect("remark_with_line_break", "row", "heavy", 0.01, remark_with_line_break),
    Defect("no_break_space", "row", "heavy", 0.02, no_break_space),
    Defect("narrow_no_break_space", "row", "heavy", 0.01, narrow_no_break_space),
    Defect("no_identity", "row", "heavy", 0.002, no_identity),
    Defect("no_date_no_place", "row", "heavy", 0.002, no_date_no_place),
    # A sheet's layout.
    Defect("row_repeated", "sheet", "light", 0.12, row_repeated),
    Defect("title_rows", "sheet", "light", 1.0, title_rows),
    Defect("organisation_on_first_row_only", "sheet", "light", 1.0, organisation_on_first_row_only),
    Defect("total_row", "sheet", "light", 1.0, total_row),
    Defect("aggregate_row", "sheet", "heavy", 0.02, aggregate_row),
    Defect("ragged", "sheet", "heavy", 0.03, ragged),
    Defect("blank_rows", "sheet", "heavy", 0.05, blank_rows),
    Defect("trailing_empty_columns", "sheet", "heavy", 0.05, trailing_empty_columns),
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
    # Which file and which person a fact is noted under (`reopen_files`, `note_under_the_spouse`).
    Defect("file_reopened", "event", "heavy", 0.03),
    Defect("spouse_as_principal", "event", "heavy", 0.05),
    # Results of the histories and the calendar: counted, not planted.
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

    Examples
    --------
    >>> Mishaps(Settings(defects="none")).rate("resent")
    0.0
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.counts: Counter[tuple[str, str]] = Counter()
        self._active = [d for d in DEFECTS if LEVELS.index(d.level) <= settings.level]
        self._rates = {d.name: d.rate if d in self._active else 0.0 for d in DEFECTS}

    def rate(self, name: str) -> float:
        """The rate of a defect at the settings' level, 0 where it does not exist yet."""
        return self._rates[name]

    def hits(self, name: str, organisation: int, count: int) -> list[bool]:
        """Per item of an organisation, whether a defect is tried on it, by its rate."""
        if not self._rates[name]:
            return [False] * count
        rng = generator(self.settings.seed, LAYOUT, organisation, crc32(name.encode()))
        return (rng.random(count) < self._rates[name]).tolist()

    def count_unplanted(self, name: str, count: int) -> None:
        """Count a difficulty that was not planted, if it exists at the settings' level."""
        if self._rates[name]:
            self.counts[name, "found"] += count

    def bend(self, scope: str, items: Sequence[Any], organisation: int) -> None:
        """Each defect of a scope, on its share of the identities, rows or sheets of one organisation."""
        for defect in self._active:
            if defect.scope != scope or defect.apply is None:
                continue
            purpose = LAYOUT if scope == "sheet" else TYPING
            # By its name, so that a new line in the table does not disturb the others.
            rng = generator(self.settings.seed, purpose, organisation, crc32(defect.name.encode()))
            for i in (rng.random(len(items)) < defect.rate).nonzero()[0].tolist():
                if defect.apply(items[i], rng):
                    self.counts[defect.name, scope] += 1
