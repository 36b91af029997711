"""From events to cells: identities with their file numbers, then one draft a row, typed by the organisation's habit.

A draft keeps beside its cells what they mean, so that a defect can retype a cell and the truth still knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from . import dates, wording
from .chance import FILING, POSTAL, generator
from .clock import date_of, fiscal, quarter_of
from .events import Event
from .geography import Geography
from .habits import Habit
from .names import COUNTRIES
from .organisations import Organisation
from .population import Household, Person
from .settings import Settings
from .slips import drop_accents

# The cells that say who somebody is: typed once, when the file is opened, and repeated.
IDENTITY = (
    "prenom", "nom", "date_naissance", "sexe", "pays_naissance", "categorie_immigration", "date_arrivee_quebec",
    "connaissance_francais", "scolarite",
)  # fmt: skip


@dataclass
class Identity:
    """One file of one organisation: a person as it typed them."""

    organisation: int
    person: Person
    household: Household
    opening: int
    first_day: int
    last_day: int
    cells: dict[str, object] = field(default_factory=dict)
    file_number: str = ""
    household_number: str = ""


@dataclass
class Draft:
    """One row: its cells by column, what they mean, and what becomes of it."""

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


def file_events(
    settings: Settings, organisation: Organisation, events: list[Event], last: int
) -> list[tuple[Event, int]]:
    """Each event with the quarter it is filed in: its own, a few one later if the organisation still deposits."""
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
            files[key] = Identity(
                organisation.index, people[event.person], homes[event.household], event.opening, event.day, event.day
            )
            n = len(files)
            year = date_of(event.day).year
            files[key].file_number = (f"{year}-{n:04d}", f"{n:05d}", f"D{n + 1000}")[habit.numbering]
            numbers.setdefault(event.household, len(numbers) + 1)
            files[key].household_number = (f"M{numbers[event.household]:04d}", f"{numbers[event.household]}",
                                           f"{year}-M{numbers[event.household]}")[habit.numbering]  # fmt: skip
            files[key].cells = _identity_cells(habit, files[key])
        files[key].last_day = event.day
    return files


def _identity_cells(habit: Habit, identity: Identity) -> dict[str, object]:
    person, household, v = identity.person, identity.household, habit.wording
    given, family = person.given_name, person.family_name
    french: object = wording.french_words(person.french) if habit.french_words else person.french
    return {
        "prenom": given,
        "nom": family.upper() if habit.upper_names else family,
        "date_naissance": dates.typed(person.birth, "day", habit.dates),
        "sexe": wording.SEX[person.sex][v],
        "pays_naissance": COUNTRIES[person.birth_country][0],
        "categorie_immigration": wording.CATEGORIES[household.category][v],
        "date_arrivee_quebec": dates.typed(household.arrival, "day", habit.dates),
        "connaissance_francais": french,
        "scolarite": wording.EDUCATION[person.education][v % 2],
    }


def draft(
    settings: Settings,
    place: Geography,
    organisation: Organisation,
    habit: Habit,
    identity: Identity,
    event: Event,
    quarter: int,
) -> Draft:
    """One event as the organisation types it, before any slip."""
    e, v = event, habit.wording
    year, trimester = fiscal(quarter)
    days = {
        column: (day, e.precision if column == "date_depart_region" else "day")
        for column, day in (
            ("date_service", e.service_date), ("date_depart_montreal", e.departure_date),
            ("date_etablissement", e.establishment_date), ("date_emploi", e.job_date),
            ("date_logement", e.housing_date), ("date_suivi", e.follow_up_date), ("date_depart_region", e.exit_date),
        )
        if day is not None
    }  # fmt: skip
    days |= {
        "date_naissance": (identity.person.birth, "day"),
        "date_arrivee_quebec": (identity.household.arrival, "day"),
    }
    label = wording.programme(fiscal(quarter_of(e.day))[0], e.service) if e.service else ("", "")
    cells: dict[str, object] = {
        "code_organisme": organisation.code, "nom_organisme": organisation.name, "exercice": year,
        "trimestre": trimester if v != 1 else f"T{trimester}", "no_dossier": identity.file_number,
        "no_menage": identity.household_number, **identity.cells, "taille_menage": e.size,
        "municipalite_residence": place_text(place, habit, e.residence),
        "code_municipal": code_text(habit, e.residence),
        "code_postal": postal_code(settings.seed, e.household, e.residence),
        "programme": label[0], "volet": label[1], "service": wording.SERVICES[e.service][v % 2] if e.service else "",
        "motif_etablissement": e.establishment_reason, "besoins": e.needs,
        "emploi_obtenu": "" if e.job is None else wording.YES_NO[e.job][v],
        "logement_trouve": "" if e.housing is None else wording.YES_NO[e.housing][v],
        "statut_suivi": wording.STATUS[e.status][v] if e.status else "",
        "motif_depart": e.exit_reason, "remarques": e.remarks,
    }  # fmt: skip
    for column, (day, precision) in days.items():
        if column not in identity.cells:
            cells[column] = dates.typed(day, precision, habit.dates)
    made = Draft(e, identity, quarter, habit, cells, days, note=e.note)
    if e.destination:
        cells["municipalite_destination"], made.destination_form = _destination(place, habit, e)
    if e.exit_destination:
        cells["destination_depart"], made.destination_form = _left_for(place, habit, e)
    return made


def settle_forms(place: Geography, item: Draft) -> None:
    """Say which homonyms can still be told apart, once all cells are typed.

    By their own code, by a postal code (`homonym_postal`), or not at all (`homonym`). A typed code belongs to a
    destination only where it is typed as the residence is (the contract, « Places »).
    """
    cells, e, own = item.cells, item.event, ("exact", "variant", "slip", "homonym")
    coded = "code_municipal" in item.habit.columns and cells["code_municipal"] != ""
    postal = "code_postal" in item.habit.columns and cells["code_postal"] != ""
    ambiguous = "homonym_postal" if postal else "homonym"
    if place.name[e.residence] in place.homonyms and item.residence_form in own and not coded:
        item.residence_form = ambiguous
    for column, code in (("municipalite_destination", e.destination), ("destination_depart", e.exit_destination)):
        if place.name.get(code) not in place.homonyms or item.destination_form not in own:
            continue
        same = code == e.residence and cells[column] == cells["municipalite_residence"]
        if not (same and coded):
            item.destination_form = ambiguous if same else "homonym"


def _destination(place: Geography, habit: Habit, event: Event) -> tuple[str, str]:
    name = place_text(place, habit, event.destination)
    if place.name[event.destination] not in place.homonyms or (
        event.residence == event.destination and "code_municipal" in habit.columns
    ):
        return name, "exact"
    if habit.places == "official":
        return f"{name} ({place.qualifier[event.destination]})", "qualified"
    return name, "homonym"


def _left_for(place: Geography, habit: Habit, event: Event) -> tuple[str, str]:
    target = event.exit_destination
    if target in place.name:
        return place_text(place, habit, target), "exact"
    if target.startswith("origin:"):
        return COUNTRIES[target[7:]][0], "outside"
    return target, "unknown" if target == "inconnu" else "outside"


def place_text(place: Geography, habit: Habit, code: str) -> str:
    """A municipality as the organisation habitually writes it."""
    name = place.name[code]
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
    from .geography import geography

    rng = generator(seed, POSTAL, household, int(code))
    return geography().postal_code(rng, code) if rng.random() < 0.67 else ""
