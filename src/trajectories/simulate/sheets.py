"""Sheets: one quarter of one organisation, line by line as a spreadsheet shows it, and their bytes in a file.

Text in an encoding, or a workbook with a fixed date: the same seed gives the same bytes.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import xlsxwriter

from .geography import drop_accents, geography, plain_name
from .organisations import LABELS, Event, Habit, Organisation, habit_in
from .population import COUNTRIES, Household, Person
from .settings import FILING, POSTAL, Settings, date_of, fiscal, generator, quarter_of, words

# ----------------------------------------------------------------------------------------------------
# From events to cells: the files with their numbers, then one draft per row, in the words of the organisation's habit.
#
# First the words of the deposits: headers, services, categories, levels, statuses, dates. A draft keeps the true values
# beside its cells, so that a defect can retype a cell and the truth is still known.

HEADER_SYNONYMS = {"sexe": "Genre", "no_dossier": "N° dossier", "prenom": "Prénoms", "nom": "Nom de famille"}
SERVICES = {
    "information": ("Information", "Séance d'information"),
    "exploratory_visit": ("Visite exploratoire", "Visites exploratoires"),
    "job_search": ("Recherche d'emploi", "Aide à l'emploi"),
    "housing_search": ("Recherche de logement", "Aide à la recherche de logement"),
    "reception": ("Accueil et installation", "Accueil"),
    "personal_support": ("Accompagnement personnalisé", "Accompagnement"),
    "objectif_integration": ("Objectif Intégration", "Séance Objectif Intégration"),
    "pairing": ("Jumelage", "Jumelage interculturel"),
    "francization": ("Francisation", "Cours de français"),
    "family_support": ("Soutien aux familles", "Soutien à la famille"),
    "post_settlement_follow_up": ("Suivi post-établissement", "Suivi"),
    "other": ("Autre", "Autre service"),
}
CATEGORIES = {
    "economic": ("Immigration économique", "Travailleur qualifié", "Économique"),
    "family": ("Regroupement familial", "Parrainage", "Regroupement familial"),
    "refugee": ("Réfugié", "Réfugiés et personnes en situation semblable", "Personne réfugiée"),
    "other_permanent": ("Autres immigrants", "Autre immigration permanente", "Motifs humanitaires"),
    "asylum_claimant": ("Demandeur d'asile", "Demandeurs d'asile", "Demande d'asile"),
    "temporary_worker": (
        "Travailleur temporaire",
        "Travailleurs étrangers temporaires",
        "Travailleur étranger temporaire",
    ),
    "student": ("Étudiant étranger", "Étudiants étrangers", "Étudiant"),
}
EDUCATION = {
    "none": ("Aucune", "Aucun"),
    "secondary": ("Secondaire", "Secondaire"),
    "college": ("Collégial", "Collégiale"),
    "university": ("Universitaire", "Université"),
}
FRENCH_WORDS = ("Aucune", "Débutant", "Intermédiaire", "Avancé")
STATUS = {
    "present": ("présent", "Présent", "PRÉSENT", "Présente"),
    "left": ("parti", "Parti", "PARTI", "Partie"),
    "not_reached": ("non joint", "Non rejoint", "injoignable", "Sans nouvelle"),
}
SEX = {"F": ("F", "Femme", "Féminin"), "M": ("M", "Homme", "Masculin")}
YES_NO = {True: ("O", "Oui", "OUI"), False: ("N", "Non", "NON")}
MONTHS = words("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")
_EXCEL_ZERO = dt.date(1899, 12, 30).toordinal()
_EXCEL_1904 = dt.date(1904, 1, 1).toordinal()


PLACES = ("municipalite_residence", "municipalite_destination", "destination_depart")
EVENT_DATES = words(
    "date_service date_etablissement date_suivi date_depart_region date_depart_montreal date_emploi date_logement"
)
NO_DATE = ("à venir", "1900-01-00")  # typed where there is no date yet, and what Excel shows for 0


@dataclass
class Identity:
    """One file of one organisation: a person as the organisation types them."""

    organisation: int
    habit: Habit
    person: Person
    household: Household
    cells: dict[str, object] = field(default_factory=dict)
    file_number: str = ""
    household_number: str = ""
    lines: dict[str, int] = field(default_factory=dict)  # organisation code: which line of `Truth.identities` it is
    given_form: str = "full"  # or nickname, initial, none
    family_form: str = "own"  # or spouse, none
    birth_form: str = "day"  # or swapped, year (01-01 too), none


@dataclass
class Draft:
    """One row: its cells by column, their true values, and its fate."""

    event: Event
    identity: Identity
    quarter: int
    habit: Habit
    cells: dict[str, object]
    days: dict[str, tuple[int, str]]  # date columns: the day meant and its precision
    residence_form: str = "exact"
    destination_form: str = ""
    quarantine: str = ""
    note: str = ""
    destination: str = ""  # a municipality typed as the destination where there was none
    wrong_dates: set[str] = field(default_factory=set)  # date columns with another day than the true one

    def retype_date(self, column: str, precision: str) -> None:
        """Type a date again with the precision of a month, a quarter or a year."""
        day = self.days[column][0]
        self.days[column] = (day, precision)
        self.cells[column] = typed_date(day, precision, self.habit.dates)


def file_events(
    settings: Settings, organisation: Organisation, events: list[Event], last: int
) -> list[tuple[Event, int]]:
    """Each event with the quarter it is filed in: its own, for a few the next, if the organisation still deposits."""
    rng = generator(settings.seed, FILING, organisation.index)
    late = (rng.random(len(events)) < settings.late_filing).tolist()
    end = min(last, quarter_of(organisation.closed) if organisation.closed is not None else last)
    filed = []
    for event, slow in zip(events, late, strict=True):
        quarter = quarter_of(event.day)
        event.late = slow and quarter < end
        filed.append((event, quarter + event.late))
    return filed


def identify(
    habit: Habit,
    organisation: Organisation,
    events: list[Event],
    people: dict[int, Person],
    homes: dict[int, Household],
) -> dict[tuple[int, int], Identity]:
    """The files an organisation opened, numbered in the order it opened them."""
    files: dict[tuple[int, int], Identity] = {}
    numbers: dict[int, int] = {}
    for event in events:
        key = (event.person, event.opening)
        if key not in files:
            files[key] = Identity(organisation.index, habit, people[event.person], homes[event.household])
            n = len(files)
            year = date_of(event.day).year
            files[key].file_number = (f"{year}-{n:04d}", f"{n:05d}", f"D{n + 1000}")[habit.numbering]
            numbers.setdefault(event.household, len(numbers) + 1)
            files[key].household_number = (
                f"M{numbers[event.household]:04d}",
                f"{numbers[event.household]}",
                f"{year}-M{numbers[event.household]}",
            )[habit.numbering]
            files[key].cells = _identity_cells(habit, files[key])
    return files


def _identity_cells(habit: Habit, identity: Identity) -> dict[str, object]:
    person, household, v = identity.person, identity.household, habit.wording
    first_name, family = person.given_name, person.family_name
    french: object = french_words(person.french) if habit.french_words else person.french
    return {
        "prenom": first_name,
        "nom": family.upper() if habit.upper_names else family,
        "date_naissance": typed_date(person.birth, "day", habit.dates),
        "sexe": SEX[person.sex][v],
        "pays_naissance": COUNTRIES[person.birth_country][0],
        "categorie_immigration": CATEGORIES[household.category][v],
        "date_arrivee_quebec": typed_date(household.arrival, "day", habit.dates),
        "connaissance_francais": french,
        "scolarite": EDUCATION[person.education][v % 2],
    }


def _in_the_form_of(now: Habit, before: Habit, identity: Identity) -> dict[str, object]:
    """The identity's cells in the words of a changed form; cells retyped by a defect stay."""
    if now is before:
        return identity.cells
    old, new = _identity_cells(before, identity), _identity_cells(now, identity)
    return {c: new[c] if value == old[c] else value for c, value in identity.cells.items()}


def trimester_text(habit: Habit, quarter: int) -> object:
    """The quarter of a row: 3 or T3."""
    n = fiscal(quarter)[1]
    return n if habit.wording != 1 else f"T{n}"


def draft(settings: Settings, organisation: Organisation, identity: Identity, event: Event, quarter: int) -> Draft:
    """One event as the organisation types it, before any slip."""
    e, habit = event, identity.habit
    dates = (e.service_date, e.establishment_date, e.follow_up_date, e.exit_date, e.departure_date, e.job_date)
    days = {
        column: (day, e.precision if column == "date_depart_region" else "day")
        for column, day in zip(EVENT_DATES, (*dates, e.housing_date), strict=True)
        if day is not None
    }
    days |= {
        "date_naissance": (identity.person.birth, "day"),
        "date_arrivee_quebec": (identity.household.arrival, "day"),
    }
    label = programme(fiscal(quarter_of(e.day))[0], e.service) if e.service else ("", "")
    identity_cells = _in_the_form_of(habit_in(habit, quarter), habit, identity)
    habit, v = habit_in(habit, quarter), habit_in(habit, quarter).wording
    cells: dict[str, object] = {
        "code_organisme": organisation.code,
        "nom_organisme": organisation.name,
        "exercice": fiscal(quarter)[0],
        "trimestre": trimester_text(habit, quarter),
        "no_dossier": identity.file_number,
        "no_menage": identity.household_number,
        **identity_cells,
        "taille_menage": e.size,
        "municipalite_residence": place_text(habit, e.residence),
        "code_municipal": code_text(habit, e.residence),
        "code_postal": postal_code(settings.seed, e.household, e.residence),
        "programme": label[0],
        "volet": label[1],
        "service": SERVICES[e.service][v % 2] if e.service else "",
        "motif_etablissement": e.establishment_reason,
        "besoins": e.needs,
        "emploi_obtenu": "" if e.job is None else YES_NO[e.job][v],
        "logement_trouve": "" if e.housing is None else YES_NO[e.housing][v],
        "statut_suivi": STATUS[e.status][v] if e.status else "",
        "motif_depart": e.exit_reason,
        "remarques": e.remarks,
    }
    for column, (day, precision) in days.items():
        if column not in identity.cells:
            cells[column] = typed_date(day, precision, habit.dates)
    made = Draft(e, identity, quarter, habit, cells, days, note=e.note)
    if e.destination:
        cells["municipalite_destination"], made.destination_form = _destination(habit, e)
    if e.exit_destination:
        cells["destination_depart"], made.destination_form = _left_for(habit, e)
    return made


def settle_forms(item: Draft) -> None:
    """Set the form of places, once all cells are typed: which homonyms can still be distinguished.

    By their own code, by a postal code whose first half leaves one alone (`homonym_postal`), or not at all
    (`homonym`). A typed code belongs to a destination only where it is typed as the residence is (the contract,
    « Places »). A former name counts as a name: Saint-Simon is also what Saint-Simon-de-Rimouski was called.
    """
    cells, e, geo = item.cells, item.event, geography()
    coded = "code_municipal" in item.habit.columns and cells["code_municipal"] != ""
    postal = str(cells["code_postal"]) if "code_postal" in item.habit.columns else ""
    lived_in = str(cells["municipalite_residence"])
    if not coded:
        item.residence_form = _settled(e.residence, lived_in, item.residence_form, postal)
    for column, code in (
        ("municipalite_destination", item.destination or e.destination),
        ("destination_depart", e.exit_destination),
    ):
        typed = str(cells.get(column, ""))
        same = code == e.residence and plain_name(typed) == plain_name(lived_in)
        if typed and code in geo.name and not (same and coded):
            item.destination_form = _settled(code, typed, item.destination_form, postal if same else "")


def settle_fate(item: Draft) -> None:
    """Quarantine a row that several defects or habits together have left without identity, or date and place."""
    cells = item.cells
    dated = any(cells.get(c, "") not in ("", *NO_DATE) for c in EVENT_DATES)
    typed = cells["municipalite_residence"] != "" or cells["code_municipal"] != ""
    placed = (typed and item.residence_form not in ("postal", "none")) or (
        item.destination_form not in ("", "unknown", "none")
    )
    if not any(cells[c] for c in ("prenom", "nom", "no_dossier")):
        item.quarantine = item.quarantine or "no_identity"
    if not (dated or placed or item.quarantine):
        item.quarantine = "no_date_no_place"


def _settled(code: str, typed: str, form: str, postal: str) -> str:
    """The form of a place without a code: unchanged, or a homonym that the postal code does or does not resolve."""
    geo = geography()
    if form in ("exact", "variant", "slip", "homonym"):
        among = geo.namesakes(code)
    elif form == "alias" and typed.endswith("(Québec)"):
        # « Saint-Jean-Baptiste (Québec) »: a quarter of the city, or the town of that name in the province.
        among = geo.sharing.get(plain_name(typed.removesuffix("(Québec)")), frozenset()) | {code}
    else:
        return form
    if len(among) == 1:
        return form
    return "homonym_postal" if geo.told_by_postal_code(code, among, postal) else "homonym"


def _destination(habit: Habit, event: Event) -> tuple[str, str]:
    geo, name = geography(), place_text(habit, event.destination)
    if geo.name[event.destination] not in geo.homonyms or (
        event.residence == event.destination and "code_municipal" in habit.columns
    ):
        return name, "exact"
    if habit.places == "official":
        return f"{name} ({geo.qualifier[event.destination]})", "qualified"
    return name, "homonym"


def _left_for(habit: Habit, event: Event) -> tuple[str, str]:
    target = event.exit_destination
    if target in geography().name:
        return place_text(habit, target), "exact"
    if target.startswith("origin:"):
        return COUNTRIES[target[7:]][0], "outside"
    return target, "unknown" if target == "inconnu" else "outside"


def place_text(habit: Habit, code: str) -> str:
    """A municipality as the organisation habitually writes it."""
    name = geography().name[code]
    if habit.places == "upper":
        return drop_accents(name).upper()
    if habit.places == "plain":
        return drop_accents(name)
    if habit.places == "saint":
        return name.replace("Sainte-", "Ste-").replace("Saint-", "St-")
    return name


def code_text(habit: Habit, code: str) -> object:
    """The typed code: Excel reads it as a number and drops the zero it begins with."""
    if not habit.drops_zeros:
        return code
    return int(code) if habit.format == "xlsx" else code.lstrip("0")


@cache
def postal_code(seed: int, household: int, code: str) -> str:
    """The postal code of a household in a municipality; unknown to a third."""
    rng = generator(seed, POSTAL, household, int(code))
    return geography().postal_code(rng, code) if rng.random() < 0.67 else ""


def french_words(level: int) -> str:
    """Words for a level of the Échelle québécoise (1–4, 5–8, 9–12; 0: none)."""
    return FRENCH_WORDS[(level + 3) // 4]


def programme(fiscal_year: str, service: str) -> tuple[str, str]:
    """Programme and volet of a service: the volets change meaning between programmes (domain.md §1.1)."""
    if fiscal_year < "2019-2020":
        return "Réussir l'intégration", "V2" if service == "reception" else "V1"
    return "PASI", "V1" if service in ("personal_support", "objectif_integration", "information") else "V2"


def header(column: str, habit: Habit) -> str:
    """A column's name as the organisation writes it."""
    if habit.header == "canonical":
        return column
    label = HEADER_SYNONYMS.get(column, LABELS[column]) if habit.synonyms else LABELS[column]
    if habit.header == "upper":
        return drop_accents(label).upper()
    if habit.header == "plain":
        return drop_accents(LABELS[column])
    if habit.header == "spaced":
        return f" {label.replace(chr(39), chr(0x2019))}\u00a0"
    return label


def typed_date(day: int, precision: str, form: str) -> object:
    """A date as a cell: text, or for the Excel forms a date or a number.

    >>> from trajectories.simulate.settings import day_of
    >>> [typed_date(day_of(dt.date(2022, 3, 3)), p, "words") for p in ("day", "month", "quarter")]
    ['3 mars 2022', 'mars 2022', 'T4 2021-2022']
    """
    date = date_of(day)
    if precision == "year":
        return str(date.year)
    if precision == "month":
        return f"{MONTHS[date.month - 1]} {date.year}"
    if precision == "quarter":
        year, n = fiscal(quarter_of(day))
        return f"T{n} {year}"
    if form == "iso":
        return date.isoformat()
    if form == "dmy":
        return f"{date.day:02d}/{date.month:02d}/{date.year}"
    if form == "mdy":
        return f"{date.month:02d}/{date.day:02d}/{date.year}"
    if form == "dmy_short":
        return f"{date.day:02d}/{date.month:02d}/{date.year % 100:02d}"
    if form == "words":
        return f"{'1er' if date.day == 1 else date.day} {MONTHS[date.month - 1]} {date.year}"
    if form == "serial":
        return date.toordinal() - _EXCEL_ZERO
    if form == "serial_1904":
        return date.toordinal() - _EXCEL_1904
    return date


# ----------------------------------------------------------------------------------------------------

_CREATED = dt.datetime(2018, 4, 1)  # a workbook's own date: any fixed one
_END = "\r\n"


@dataclass
class Line:
    """One line: its cells, and what it is."""

    cells: list[object]
    draft: Draft | None = None
    kind: str = "row"  # row, header, title, blank, total, aggregate, ragged
    copied: bool = False


@dataclass
class Sheet:
    """One quarter of one organisation."""

    organisation: Organisation
    habit: Habit
    quarter: int
    name: str  # the sheet's name in a workbook
    lines: list[Line] = field(default_factory=list)

    @property
    def head(self) -> int:
        """Where the header is."""
        return next(i for i, line in enumerate(self.lines) if line.kind == "header")

    def rows(self) -> list[Line]:
        """The lines that are rows."""
        return [line for line in self.lines if line.kind == "row"]


def lay_out(organisation: Organisation, habit: Habit, quarter: int, drafts: list[Draft], name: str) -> Sheet:
    """The header and the rows, in the organisation's columns."""
    sheet = Sheet(organisation, habit, quarter, name, [Line([header(c, habit) for c in habit.columns], kind="header")])
    sheet.lines += [Line([d.cells.get(c, "") for c in habit.columns], d) for d in drafts]
    return sheet


def text_bytes(sheet: Sheet, flaw: str = "") -> bytes:
    """One sheet as separated text, with one of `FLAWS` in it."""
    text = _text(sheet)
    return encode(FLAWS[flaw](text, sheet) if flaw else text, sheet.habit.encoding)


def _text(sheet: Sheet) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=sheet.habit.separator, lineterminator=_END)
    writer.writerows([["" if c is None else str(c) for c in line.cells] for line in sheet.lines])
    return buffer.getvalue()


def can_have(sheet: Sheet, flaw: str) -> bool:
    """Whether a flaw would change the text of a sheet without moving a row."""
    text = _text(sheet)
    return sheet.habit.encoding != "utf-16" and FLAWS[flaw](text, sheet) != text


def carriage_returns_only(text: str, sheet: Sheet) -> str:
    """Lines that end as on an old Mac."""
    return text.replace(_END, "\r")


def nul_bytes(text: str, sheet: Sheet) -> str:
    """Two NUL characters at the end of the last row."""
    return text.removesuffix(_END) + "\0\0" + _END if sheet.rows() else text


def unclosed_quote(text: str, sheet: Sheet) -> str:
    """A quote opened in the remarks of the first row and never closed; nothing else in the file is quoted."""
    rows = [i for i, line in enumerate(sheet.lines) if line.kind == "row"]
    if '"' in text or not rows or "remarques" not in sheet.habit.columns:
        return text
    # Not one of two equal rows: the quote would make them different.
    if any(line.copied or line.cells == sheet.lines[rows[0]].cells for line in sheet.lines[rows[0] + 1 :]):
        return text
    lines = text.split(_END)
    cells = lines[rows[0]].split(sheet.habit.separator)
    cells[sheet.habit.columns.index("remarques")] = '"À rappeler'
    lines[rows[0]] = sheet.habit.separator.join(cells)
    return _END.join(lines)


FLAWS: dict[str, Callable[[str, Sheet], str]] = {
    "carriage_returns_only": carriage_returns_only,
    "nul_bytes": nul_bytes,
    "unclosed_quote": unclosed_quote,
}


# Files that nothing can be read from: name of the defect, path below the raw folder, bytes.
UNREADABLE = {
    "corrupted_file": ("rapport_final.xlsx", bytes(range(256)) * 8),
    "cut_short_file": ("rapport_coupe.xlsx", b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(200))),
    "empty_file": ("vide.csv", b""),
    "html_as_xls": (
        "export_portail.xls",
        "<html><body><table><tr><td>No dossier</td><td>Prénom</td></tr></table></body></html>".encode(),
    ),
}


def encode(text: str, encoding: str) -> bytes:
    """Text in one of the encodings of the contract; characters that it lacks become « ? »."""
    if encoding == "mojibake":
        return "\n".join(mojibake(part) for part in text.split("\n")).encode("utf-8")
    if encoding == "nfd":
        return unicodedata.normalize("NFD", text).encode("utf-8")
    if encoding == "utf-16":
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")  # never the machine's own byte order
    return text.encode(encoding, errors="replace")


def workbook_bytes(sheets: Sequence[Sheet], habit: Habit, extras: frozenset[str] = frozenset()) -> bytes:
    """Sheets as a workbook; `extras` are a first sheet of notes, a hidden sheet of lists, hidden columns."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "date_1904": habit.dates == "serial_1904", "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"created": _CREATED})
    date_format = book.add_format({"num_format": "yyyy-mm-dd"})
    if "notes_sheet" in extras:
        page = book.add_worksheet("Notes")
        page.write_string(0, 0, "Document de travail, ne pas diffuser")
        page.write_string(2, 0, "Voir les onglets suivants")
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        for i, line in enumerate(sheet.lines):
            for j, cell in enumerate(line.cells):
                if cell == "" or cell is None:
                    continue
                if isinstance(cell, dt.date):
                    page.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), date_format)
                elif isinstance(cell, int):
                    page.write_number(i, j, cell)
                else:
                    page.write_string(i, j, str(cell))
        if "hidden_columns" in extras:
            page.set_column(1, 2, None, None, {"hidden": True})
    if "hidden_sheet" in extras:
        page = book.add_worksheet("Listes")
        page.write_column(0, 0, ("Oui", "Non"))
        page.hide()
    book.close()
    return buffer.getvalue()


def mojibake(text: str) -> str:
    """UTF-8 read as cp1252, where that can be done and undone.

    >>> mojibake("Montréal")
    'MontrÃ©al'
    """
    try:
        return text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return text
