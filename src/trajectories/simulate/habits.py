"""The habits of organisations that a simulation can draw, one line each in `HABITS`.

A habit applies to all rows of an organisation. `Settings.habits` says which ones exist: none; all, each at a share of
the organisations that is itself drawn, from 0 to the habit's `prior`; or some by name, at every organisation that they
fit. An organisation has at most one habit of a `group`. Some change which events are noted, of whom, under which file
and address (where a person truly lived stays in `Event.lived`); some change what is typed of an identity or on a row,
as defects do; those of files are applied by `deposits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from numpy.random import Generator

from . import defects
from .defects import slip, typed
from .geography import geography
from .histories import Life, Stay
from .organisations import COLUMNS, Event, Habit, Network, Organisation
from .settings import (
    HABIT,
    Settings,
    SettingsError,
    between,
    day_of,
    fiscal,
    generator,
    pairs,
    pick,
    quarter_of,
    quarter_start,
    weights,
    words,
)
from .sheets import EVENT_DATES, NO_DATE, Draft, Identity

NICKNAMES = pairs(
    "Mohamed Momo Abdelkader Kader Abdoulaye Abdou Ibrahima Ibra Souleymane Solo Mamadou Madou Boubacar Bouba Fatima "
    "Fati Aminata Ami Mariama Mama Khadija Khadi Oleksandr Sacha Alexandru Sandu Volodymyr Vova Dmytro Dima Kateryna "
    "Katya Anastasiia Nastia Alejandro Alex José Pepe Eduardo Lalo Guadalupe Lupe Gabriela Gaby Patricia Paty Isabel "
    "Chabela Santiago Santi Antoine Tony Guillaume Gui Benoît Ben Sébastien Seb Jean-Baptiste JB Marie-Claire Marie "
    "Emmanuel Manu Angélique Angie Joséphine José Rajesh Raju Harpreet Happy"
)
_PLACE = ("municipalite_residence", "code_municipal", "code_postal")
_AT_A_MEETING = ("personal_support", "housing_search", "francization", "objectif_integration", "job_search")
_COARSER = ("day", "month", "quarter", "year")
# Masculine and, where it differs, feminine. « A déménagé » means a departure only beside a place or a date.
STATUS_WORDS = {
    "present": words(
        "toujours là|reste en région|encore présent/encore présente|vit toujours ici|habite encore la région|"
        "bien installé/bien installée|est resté/est restée|n'a pas bougé|demeure ici|encore sur place|"
        "toujours établi/toujours établie|présence confirmée|"
        "joint, toujours en région/jointe, toujours en région"
    ),
    "left": words(
        "a quitté|n'est plus là|parti ailleurs/partie ailleurs|n'habite plus ici|plus en région|"
        "est parti/est partie|reparti/repartie|départ confirmé|ne demeure plus ici|a quitté la région|"
        "a déménagé"
    ),
    "not_reached": words(
        "aucune nouvelle|pas de réponse|pas rejoint/pas rejointe|impossible à joindre|ne répond pas|"
        "sans réponse|n'a pas rappelé|contact impossible|n'a pu être joint/n'a pu être jointe|introuvable|"
        "n'est pas joignable"
    ),
}


@dataclass(frozen=True)
class DrawnHabit:
    """
    One habit.

    Attributes
    ----------
    name : str
        What `Settings.habits` names it by.
    group : str
        Of the habits of one group an organisation has one at most ("": it goes with any other).
    prior : float
        A world's share of the organisations with the habit is drawn from 0 to this.
    where : {"any", "region", "metropole", "quarterly"}
        The organisations it fits; "quarterly": those that hand in a file a quarter.
    scope : {"events", "identity", "row", "columns", "deposits"}
        What it changes.
    apply : callable or str
        (scene, events) for events, (identity, generator) and (draft, generator) as for `Defect`; what it does, in
        words, where other code sees to it (columns and deposits).
    concludes : str
        What a careful reader concludes from the rows (docs/habits.md).

    Examples
    --------
    >>> next(habit.does for habit in HABITS if habit.name == "deposits_late")
    'Deposits come months late.'
    """

    name: str
    group: str
    prior: float
    where: str
    scope: str
    apply: Callable[..., Any] | str
    concludes: str

    @property
    def does(self) -> str:
        """What an organisation with the habit does, in one sentence."""
        return self.apply if isinstance(self.apply, str) else (self.apply.__doc__ or "").strip().split("\n")[0]


@dataclass(frozen=True)
class Scene:
    """The arguments of the functions besides the events: the organisation, the true lives, a generator."""

    settings: Settings
    organisation: Organisation
    lives: dict[int, Life]
    of_habit: Generator | None = None

    @property
    def rng(self) -> Generator:
        """The random numbers of one habit."""
        if self.of_habit is None:
            raise ValueError("scene: it is of no habit yet")
        return self.of_habit

    def for_habit(self, name: str) -> Scene:
        """The same, with the random numbers of one habit."""
        key = (self.organisation.index, crc32(name.encode()))
        return replace(self, of_habit=generator(self.settings.seed, HABIT, *key))

    def stay(self, event: Event) -> Stay | None:
        """The true stay that an establishment begins."""
        return next(
            (
                s
                for s in self.lives[event.household].stays
                if s.person.number == event.person and s.start == event.establishment_date
            ),
            None,
        )


def _files(events: Iterable[Event]) -> list[list[Event]]:
    files: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        files.setdefault((event.person, event.opening), []).append(event)
    return list(files.values())


def visit_with_old_address(scene: Scene, events: list[Event]) -> list[Event]:
    """Served in person in the metropole in the two months after settling elsewhere, under the old address."""
    return _visits(scene, events, "old")


def visit_with_new_address(scene: Scene, events: list[Event]) -> list[Event]:
    """Served in person in the metropole in the two months after settling elsewhere, under the new address."""
    return _visits(scene, events, "new")


def visit_without_address(scene: Scene, events: list[Event]) -> list[Event]:
    """Served in person in the metropole in the two months after settling elsewhere, under no address."""
    return _visits(scene, events, "none")


def _visits(scene: Scene, events: list[Event], address: str) -> list[Event]:
    rng, visits = scene.rng, []
    last = day_of(scene.settings.end)
    for file in _files(events):
        first = file[0]
        life = scene.lives[first.household]
        for stay in life.stays:
            chosen = rng.random() < 0.15
            days = [stay.start + between(rng, 3, 58) for _ in range(between(rng, 1, 2))]
            before = life.residence(first.person, stay.start - 1)
            # The old address has been printed before.
            known = stay.person.number == first.person and first.day < stay.start and first.kind == "service"
            if not (chosen and known and before and geography().zone[before] == "metropole"):
                continue
            for day in days:
                lived = life.residence(first.person, day)
                if lived != stay.code or day > last or not scene.organisation.active(day):
                    continue
                visits.append(
                    Event(
                        first.organisation,
                        first.household,
                        first.person,
                        file[-1].opening,
                        "service",
                        day,
                        before if address == "old" else lived,
                        service=pick(rng, _AT_A_MEETING),
                        service_date=day,
                        size=first.size,
                        lived=lived,
                        blank=_PLACE if address == "none" else (),
                    )
                )
    return in_order([*events, *visits])


def departures_late(scene: Scene, events: list[Event]) -> list[Event]:
    """A departure is told half a year to a year and a half after it was heard of, or no more."""
    last = day_of(scene.settings.end)
    for event in events:
        lag = between(scene.rng, 180, 540)
        if event.kind == "departure" and event.exit_date is not None:
            event.day += lag
    return in_order(
        e
        for e in events
        if e.kind != "departure" or (e.day <= last and scene.organisation.active(e.day) and not _is_back(scene, e))
    )


def _is_back(scene: Scene, event: Event) -> bool:
    lived = scene.lives[event.household].residence(event.person, event.day)
    return lived != "" and geography().region[lived] == geography().region[event.residence]


def departures_never(scene: Scene, events: list[Event]) -> list[Event]:
    """No departure row is ever written."""
    return [e for e in events if e.kind != "departure"]


def departures_false(scene: Scene, events: list[Event]) -> list[Event]:
    """Now and then a departure is told of somebody who stays."""
    rng, last, false_departures = scene.rng, day_of(scene.settings.end), []
    for file in _files(events):
        chosen, after = rng.random() < 0.04, between(rng, 90, 700)
        stay, first = scene.stay(file[0]), file[0]
        if not chosen or stay is None or file[0].day + after > last or not scene.organisation.active(first.day + after):
            continue
        day = first.day + after
        if stay.exit is None or stay.exit > day + 365:
            false_departures.append(
                Event(
                    first.organisation,
                    first.household,
                    first.person,
                    first.opening,
                    "departure",
                    day,
                    stay.code,
                    exit_date=day - 10,
                    exit_destination="inconnu",
                    precision="month",
                    size=first.size,
                    lived=stay.code,
                    note="departure_false",
                )
            )
    return in_order([*events, *false_departures])


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order in which they are noted."""
    return sorted(events, key=lambda e: (e.day, e.household, e.person))


def residence_intake(scene: Scene, events: list[Event]) -> list[Event]:
    """The address of the file's first row is printed for ever."""
    for file in _files(events):
        for event in file:
            event.residence = file[0].residence
    return events


def residence_intake_metropole(scene: Scene, events: list[Event]) -> list[Event]:
    """The address that the file was opened with is the one in the metropole, and printed for ever."""
    for file in _files(events):
        stay = scene.stay(file[0])
        if stay is not None and stay.origin and geography().zone[stay.origin] == "metropole":
            for event in file:
                event.residence = stay.origin
    return events


def residence_first_row_only(scene: Scene, events: list[Event]) -> list[Event]:
    """The address stands on the file's first row, and nowhere after it."""
    return _first_row_only(events, _PLACE)


def given_name_first_row_only(scene: Scene, events: list[Event]) -> list[Event]:
    """The given name stands on the file's first row."""
    return _first_row_only(events, ("prenom",))


def names_first_row_only(scene: Scene, events: list[Event]) -> list[Event]:
    """Both names stand on the file's first row."""
    return _first_row_only(events, ("prenom", "nom"))


def _first_row_only(events: list[Event], columns: tuple[str, ...]) -> list[Event]:
    for file in _files(events):
        for event in file[1:]:
            event.blank = (*event.blank, *columns)
    return events


def residence_own_town(scene: Scene, events: list[Event]) -> list[Event]:
    """The organisation's own town stands for every address of its region, or of the metropole."""
    own, geo = scene.organisation.municipality, geography()
    for event in events:
        if geo.zone[event.residence] == geo.zone[own] and (
            geo.zone[own] == "metropole" or geo.region[event.residence] == geo.region[own]
        ):
            event.residence = own
    return events


def destination_in_residence(scene: Scene, events: list[Event]) -> list[Event]:
    """Where somebody settled is typed in the column of residence: there is no other.

    An old address that goes on being printed must have been printed: else it would be news.
    """
    events_noted = []
    for file in _files(events):
        opens = file[0].kind == "establishment" and file[0].destination != ""
        old = file[0].residence if opens else ""
        for event in file:
            if opens and event.note == "stale_address":
                continue
            if event.kind == "establishment" and event.destination:
                event.residence, event.destination = event.destination, ""
                event.blank = tuple(c for c in event.blank if c not in _PLACE)
            elif old and event.residence == old != event.lived:
                event.residence = file[0].residence  # the address of the first row is printed again
            events_noted.append(event)
    return in_order(events_noted)


def two_facts_two_dates(scene: Scene, events: list[Event]) -> list[Event]:
    """A « présent » stands on the row of a service or of the establishment, with a date of its own."""
    return _two_facts(scene, events, both=True)


def two_facts_one_date(scene: Scene, events: list[Event]) -> list[Event]:
    """A « présent » stands on the row of a service or of the establishment; the only date is the follow-up's."""
    return _two_facts(scene, events, both=False)


def _two_facts(scene: Scene, events: list[Event], both: bool) -> list[Event]:
    rng = scene.rng
    joined: set[int] = set()
    for file in _files(events):
        free = [e for e in file if e.kind == "service"]
        for event in file:
            if event.kind == "establishment" and event.lived == (event.destination or event.residence):
                # The person is present when the file is opened.
                event.status, event.follow_up_date = "present", event.day
                event.service_date = event.service_date if both else None
            if event.status != "present" or event.kind != "follow_up":
                continue
            quarter, there = quarter_of(event.day), event.lived
            met = next((s for s in free if quarter_of(s.day) == quarter and s.lived == there), None)
            if met is not None:
                free.remove(met)
                event.service, event.service_date = met.service, met.service_date
                event.day = max(event.day, met.day)
                joined.add(id(met))
            elif rng.random() < 0.5:
                day = event.day - between(rng, 0, 20)
                before = scene.lives[event.household].residence(event.person, day)
                if before != there or quarter_of(day) != quarter or day <= file[0].day:
                    continue
                event.service, event.service_date = pick(rng, _AT_A_MEETING), day
            else:
                continue
            event.kind = "service"
            event.service_date = event.service_date if both else None
    return [e for e in events if id(e) not in joined]


def head_only(scene: Scene, events: list[Event]) -> list[Event]:
    """One row stands for the household: that of its head."""
    heads: dict[int, int] = {}
    for event in events:
        # The principal has the lowest number of a household.
        heads[event.household] = min(event.person, heads.get(event.household, event.person))
    return [e for e in events if e.person == heads[e.household]]


def number_each_year(scene: Scene, events: list[Event]) -> list[Event]:
    """A file is opened anew each fiscal year."""
    for file in _files(events):
        for event in file:
            event.opening = event.opening * 100 + int(fiscal(quarter_of(event.day))[0][2:4])
    return events


# ── identities ──
def number_of_the_household(identity: Identity, rng: Generator) -> bool:
    """The members of a household share one file number."""
    identity.file_number = identity.household_number
    return True


def surnames_turned(identity: Identity, rng: Generator) -> bool:
    """García López becomes López García; a particle (El, Ben, Le…) is no name alone."""
    parts = typed(identity, "nom").split(" ")
    if len(parts) != 2 or min(map(len, parts)) < 4:
        return False
    identity.cells["nom"] = " ".join(reversed(parts))
    return True


def nickname(identity: Identity, rng: Generator) -> bool:
    """Momo for Mohamed, Nico for Nicolas."""
    first = typed(identity, "prenom").split(" ")[0]
    short = NICKNAMES.get(first, first[:4] if len(first) > 5 and "-" not in first[:4] else first)
    if short == first or not first:
        return False
    identity.cells["prenom"], identity.given_form = short, "nickname"
    return True


def initial(identity: Identity, rng: Generator) -> bool:
    """A. for Amina."""
    text = typed(identity, "prenom")
    if text:
        identity.cells["prenom"], identity.given_form = f"{text[0]}.", "initial"
    return text != ""


# ── what is typed on a row ──
def status_own_words(draft: Draft, rng: Generator) -> bool:
    """« Toujours là », « n'est plus là », « aucune nouvelle »; now and then with a slip, or in capitals."""
    u, v, status = rng.random(), rng.random(), draft.event.status
    if not status or draft.cells["statut_suivi"] == "":
        return False
    phrases = STATUS_WORDS[status]
    # An organisation has a few words of its own for each status.
    own = [phrases[(draft.event.organisation * 5 + k) % len(phrases)] for k in range(3)]
    of_a_man, _, of_a_woman = pick(rng, own).partition("/")
    word = of_a_woman if of_a_woman and draft.identity.person.sex == "F" else of_a_man
    if word == "a déménagé" and not (draft.cells.get("destination_depart") or draft.cells.get("date_depart_region")):
        word = "n'est plus là"
    draft.cells["statut_suivi"] = slip(word, rng) if u < 0.03 else word.capitalize() if v < 0.3 else word
    return True


def status_without_date(draft: Draft, rng: Generator) -> bool:
    """The status of a follow-up and no date of it, on rows that have a place and stand in their own quarter."""
    event = draft.event
    placed = draft.habit.fills("municipalite_residence") and "municipalite_residence" not in event.blank
    placed = placed and draft.cells["municipalite_residence"] != "" and draft.residence_form in ("exact", "variant")
    if not event.status or not placed or draft.quarter != quarter_of(event.follow_up_date or event.day):
        return False
    draft.cells["date_suivi"] = ""
    return True


def _coarser(draft: Draft, precision: str) -> bool:
    for column in (*EVENT_DATES, "date_arrivee_quebec"):
        typed = draft.cells.get(column, "") not in ("", *NO_DATE) and column not in draft.wrong_dates
        if typed and column in draft.days and _COARSER.index(draft.days[column][1]) < _COARSER.index(precision):
            draft.retype_date(column, precision)
    return True


def dates_to_the_month(draft: Draft, rng: Generator) -> bool:
    """« mars 2022 », everywhere."""
    return _coarser(draft, "month")


def dates_to_the_quarter(draft: Draft, rng: Generator) -> bool:
    """« T4 2021-2022 », everywhere."""
    return _coarser(draft, "quarter")


def dates_to_the_year(draft: Draft, rng: Generator) -> bool:
    """« 2022 », everywhere."""
    return _coarser(draft, "year")


def leave_blank(draft: Draft) -> None:
    """Blank the cells that the organisation leaves blank on this row, and those of the columns it does not have."""
    for column in draft.cells:
        if column in draft.event.blank or not draft.habit.fills(column):
            draft.cells[column] = ""
    if draft.cells["municipalite_residence"] == "" and draft.cells["code_municipal"] == "":
        draft.residence_form = "none"
    if not (draft.cells.get("municipalite_destination") or draft.cells.get("destination_depart")):
        draft.destination_form = ""


# ── the table ──
_REPEATED = "who is there or was served there, not the address: one printed before a settlement is no news"
_AREA = "the region, not the municipality"
_SETTLED = "without a destination one settles at the residence, if that is en région"
_TWO = "two facts, each on its date; a service without one is of the row's quarter"
_HEAD = "the journey of the head, nothing of the others"
_COARSE = "an interval as wide as the date; of two orders the one with fewer moves"
_SAME = "the same person, by names and birth"
_TOLD_APART = "the members, by names and births"
_FIRST_ROW = "who it is, from the file's first row"
_YEAR = "the year, beside the names"
_OTHER = "the same person, by the birth date and the other names"
_STATUS = "present, left or not reached"
_QUARTER = "a contact in the row's quarter"
_OPEN = "a visit or a return: open"
_NO_RETURN = "no return"
_LATEST = "of each quarter the deposit of the latest date"
_AGAIN = "the same facts, told again"
_UNREAD = "nothing: remarks are not read"
_FILE_NAME = "the quarter of the file's name"
_REST = "what the rest of the row says"
# What an organisation does, where `deposits` applies the habit.
_LATE = "Deposits come months late."
_TWICE = "Most deposits are sent twice, the first time with gaps."
_CORRECTED = "Most deposits are sent again, with the errors of the first corrected."
_CUMULATIVE = "A deposit repeats the year's earlier rows, each under its own quarter."
_AS_NEW = "A deposit repeats the year's earlier rows, under its own quarter."
_NEW_CODE = "The organisation's code changes."
_MERGED = "The organisation becomes part of a neighbour, which gives new file numbers."
_QUARTER_IN_NAME = "Only the file's name says the quarter."
_NEVER = "The column is never filled, or not there."

# Columns that an organisation may never fill, and their priors: all but what makes a row usable.
NEVER_FILLED = weights(
    "no_menage 0.4 prenom 0.2 nom 0.15 no_dossier 0.25 date_naissance 0.2 sexe 0.4 pays_naissance 0.4 "
    "categorie_immigration 0.4 date_arrivee_quebec 0.4 taille_menage 0.4 municipalite_residence 0.2 code_municipal "
    "0.8 code_postal 0.8 municipalite_destination 0.2 service 0.2 date_depart_montreal 0.8 date_depart_region 0.2 "
    "destination_depart 0.4 motif_depart 0.8 connaissance_francais 0.4 scolarite 0.4 programme 0.4 volet 0.4 "
    "motif_etablissement 0.4 besoins 0.4 emploi_obtenu 0.4 date_emploi 0.4 logement_trouve 0.4 date_logement 0.4"
)

# Applied in this order.
HABITS = tuple(
    DrawnHabit(*line)  # type: ignore[arg-type]  # of each line, the sixth
    for line in (
        # Visits to the metropole; then the column of residence, which prints its own address on them too.
        ("visit_with_old_address", "visit", 0.4, "metropole", "events", visit_with_old_address, _OPEN),
        ("visit_with_new_address", "visit", 0.4, "metropole", "events", visit_with_new_address, _NO_RETURN),
        ("visit_without_address", "visit", 0.4, "metropole", "events", visit_without_address, _NO_RETURN),
        ("residence_intake", "residence", 0.5, "any", "events", residence_intake, _REPEATED),
        ("residence_intake_metropole", "residence", 0.5, "region", "events", residence_intake_metropole, _REPEATED),
        ("residence_first_row_only", "residence", 0.5, "any", "events", residence_first_row_only, _REPEATED),
        ("residence_own_town", "residence", 0.5, "any", "events", residence_own_town, _AREA),
        ("destination_in_residence", "", 0.8, "any", "events", destination_in_residence, _SETTLED),
        # What a row is about, and who is on it.
        ("two_facts_two_dates", "facts", 0.4, "region", "events", two_facts_two_dates, _TWO),
        ("two_facts_one_date", "facts", 0.4, "region", "events", two_facts_one_date, _TWO),
        ("status_own_words", "", 0.8, "region", "row", status_own_words, _STATUS),
        ("status_without_date", "", 0.8, "region", "row", status_without_date, _QUARTER),
        ("head_only", "", 0.8, "any", "events", head_only, _HEAD),
        ("departures_late", "departures", 0.4, "region", "events", departures_late, "a departure on its date"),
        ("departures_never", "departures", 0.4, "region", "events", departures_never, "nothing"),
        ("departures_in_remarks", "departures", 0.4, "region", "row", defects.departure_in_remarks, _UNREAD),
        ("departures_false", "", 0.3, "region", "events", departures_false, "a departure; it cannot be known"),
        ("dates_to_the_month", "dates", 0.4, "any", "row", dates_to_the_month, _COARSE),
        ("dates_to_the_quarter", "dates", 0.4, "any", "row", dates_to_the_quarter, _COARSE),
        ("dates_to_the_year", "dates", 0.4, "any", "row", dates_to_the_year, _COARSE),
        # Who somebody is.
        ("number_each_year", "number", 0.5, "any", "events", number_each_year, _SAME),
        ("number_of_the_household", "number", 0.5, "any", "identity", number_of_the_household, _TOLD_APART),
        ("given_name_first_row_only", "first_row", 0.4, "any", "events", given_name_first_row_only, _FIRST_ROW),
        ("names_first_row_only", "first_row", 0.4, "any", "events", names_first_row_only, _FIRST_ROW),
        ("birth_year", "birth", 0.4, "any", "identity", defects.birth_year_only, _YEAR),
        ("birth_first_of_january", "birth", 0.4, "any", "identity", defects.birth_first_of_january, _YEAR),
        ("birth_swapped", "birth", 0.4, "any", "identity", defects.birth_day_month_swapped, _YEAR),
        ("name_of_the_spouse", "", 0.8, "any", "identity", defects.married_name, _OTHER),
        ("name_turned", "", 0.8, "any", "identity", surnames_turned, _OTHER),
        ("name_transliterated", "", 0.8, "any", "identity", defects.transliterated, _OTHER),
        ("name_nickname", "given", 0.4, "any", "identity", nickname, _OTHER),
        ("name_initial", "given", 0.4, "any", "identity", initial, _OTHER),
        ("names_exchanged", "", 0.8, "any", "identity", defects.names_swapped, _OTHER),
        # Deposits, organisations, columns.
        ("deposits_late", "deposits", 0.4, "quarterly", "deposits", _LATE, _LATEST),
        ("deposits_twice", "deposits", 0.4, "quarterly", "deposits", _TWICE, _LATEST),
        ("deposits_corrected", "deposits", 0.4, "quarterly", "deposits", _CORRECTED, _LATEST),
        ("deposits_cumulative", "deposits", 0.4, "quarterly", "deposits", _CUMULATIVE, _LATEST),
        ("deposits_cumulative_as_new", "deposits", 0.4, "quarterly", "deposits", _AS_NEW, _AGAIN),
        ("code_changes", "partner", 0.3, "any", "deposits", _NEW_CODE, _SAME),
        ("merges", "partner", 0.3, "any", "deposits", _MERGED, _SAME),
        ("quarter_in_the_file_name", "", 0.8, "quarterly", "columns", _QUARTER_IN_NAME, _FILE_NAME),
        *((f"no_{column}", "", prior, "any", "columns", _NEVER, _REST) for column, prior in NEVER_FILLED.items()),
    )
)
NAMES = tuple(habit.name for habit in HABITS)


# ── assignment of habits ──
def refuse_unknown_habits(settings: Settings) -> None:
    """
    Names of habits that exist, or none at all.

    Raises
    ------
    SettingsError
    """
    if settings.habits not in ("none", "drawn"):
        names = settings.habits.split(",") if isinstance(settings.habits, str) else [repr(settings.habits)]
        if unknown := ", ".join(name for name in names if name not in NAMES):
            known = "none, drawn, or names of docs/habits.md joined by commas"
            raise SettingsError(f"habits: {unknown} is no habit: give {known}.")


def with_drawn(settings: Settings, network: Network, manners: list[Habit]) -> list[Habit]:
    """The habits of all organisations with those of the settings (`drawn`), and the columns that remain."""
    if settings.habits == "none":
        return manners
    shares = {h.name: _share(settings, h) for h in HABITS}
    return [
        _with(settings, organisation, habit, shares) for organisation, habit in zip(network.all, manners, strict=True)
    ]


def _share(settings: Settings, habit: DrawnHabit) -> float:
    """The share of the organisations that have a habit in this simulation."""
    if settings.habits == "drawn":
        return habit.prior * generator(settings.seed, HABIT, crc32(habit.name.encode())).random()
    return float(habit.name in settings.habits.split(","))


def _with(settings: Settings, organisation: Organisation, habits: Habit, shares: dict[str, float]) -> Habit:
    rng = generator(settings.seed, HABIT, organisation.index)
    draws = rng.random((len(HABITS), 2)).tolist()
    fitting = [
        (v, habit)
        for (u, v), habit in zip(draws, HABITS, strict=True)
        if u < shares[habit.name] and habit.where in ("any", organisation.zone, "" if habits.annual else "quarterly")
    ]
    kept: dict[str, DrawnHabit] = {}
    for _, habit in sorted(fitting, key=lambda item: item[0]):
        kept.setdefault(habit.group or habit.name, habit)
    names = _usable({habit.name for habit in kept.values()}, habits.columns)
    return replace(habits, drawn=names, columns=_columns(names, habits.columns, rng))


def _usable(names: set[str], columns: Sequence[str]) -> frozenset[str]:
    """The names without habits that together would leave rows without person, date or place."""
    if {"number_of_the_household", "no_no_dossier"} & names:
        names -= {"given_name_first_row_only", "names_first_row_only", "no_prenom", "no_nom", "no_date_naissance"}
    if {"no_prenom", "no_nom"} <= names:
        names -= {"no_nom"}
    if "no_municipalite_residence" in names:
        names -= {"residence_own_town", "residence_intake", "residence_intake_metropole", "residence_first_row_only"}
        names -= {"destination_in_residence", "no_municipalite_destination"}
    if {"residence_intake_metropole", "destination_in_residence"} & names:
        names -= {"no_municipalite_destination"}
    if "residence_intake_metropole" in names:
        names -= {"destination_in_residence"}
    if not {"exercice", "trimestre"} <= set(columns):
        names -= {"deposits_cumulative"}
    if "deposits_cumulative" in names:
        names -= {"quarter_in_the_file_name"}
    if "deposits_cumulative_as_new" in names:
        names -= {"status_without_date", "two_facts_one_date"}
    return frozenset(names)


def _columns(names: frozenset[str], columns: Sequence[str], rng: Generator) -> tuple[str, ...]:
    there = (rng.random(len(COLUMNS)) < 0.5).tolist()  # a column that is never filled may be there all the same
    absent = {c for c, kept in zip(COLUMNS, there, strict=True) if f"no_{c}" in names and not kept}
    if "quarter_in_the_file_name" in names:
        absent |= {"exercice", "trimestre"}
    if "destination_in_residence" in names:
        absent |= {"municipalite_destination"}
    if "departures_in_remarks" in names and "remarques" not in columns:
        columns = (*columns, "remarques")
    return tuple(c for c in columns if c not in absent)


def to_events(scene: Scene, names: frozenset[str], events: list[Event]) -> list[Event]:
    """The events of one organisation, changed by its habits."""
    for habit in _habits_of_scope("events", names):
        events = habit.apply(scene.for_habit(habit.name), events)  # type: ignore[operator]
    return events


@dataclass(frozen=True)
class Change:
    """An organisation that goes on under another code, or as part of a neighbour, from a quarter on."""

    quarter: int
    heir: Organisation
    is_new: bool  # the code is; else it is a neighbour's


def changes(settings: Settings, network: Network, manners: list[Habit]) -> dict[int, Change]:
    """The changes of code and the mergers, in the April nearest to the middle of the period, by organisation index."""
    first, last = quarter_of(day_of(settings.start)), quarter_of(day_of(settings.end))
    april = (first + last) // 2 // 4 * 4 + 1
    here = {o.index for o in network.all if o.closed is None and first < april and o.opened < quarter_start(april)}
    change_of: dict[int, Change] = {}
    heirs: set[int] = set()
    for organisation in network.all:
        names = manners[organisation.index].drawn
        if organisation.index not in here or organisation.index in heirs:
            continue
        if "code_changes" in names:
            code = f"{organisation.code[:3]}{500 + int(organisation.code[3:])}"
            heir = replace(organisation, code=code, opened=quarter_start(april))
            change_of[organisation.index] = Change(april, heir, True)
        elif "merges" in names:
            near = [o for o in network.all if o.index in here and o.zone == organisation.zone and o is not organisation]
            near = [o for o in near if o.index not in change_of]
            if near:
                heir = min(near, key=lambda o: (o.region != organisation.region, abs(o.index - organisation.index)))
                heirs.add(heir.index)
                change_of[organisation.index] = Change(april, heir, False)
    return change_of


def merged(by_organisation: dict[int, list[Event]], changed: dict[int, Change]) -> dict[int, list[Event]]:
    """The events of each organisation, those of the merged ones with their neighbour, in files opened anew."""
    for index, change in changed.items():
        if not change.is_new:
            day = quarter_start(change.quarter)
            later_events = [e for e in by_organisation.get(index, []) if e.day >= day]
            by_organisation[index] = [e for e in by_organisation.get(index, []) if e.day < day]
            for event in later_events:
                event.organisation, event.opening = change.heir.index, event.opening + 50
            by_organisation[change.heir.index] = in_order([*by_organisation.get(change.heir.index, []), *later_events])
    return by_organisation


def eras(
    organisation: Organisation, change: Change | None, drafts: list[Draft]
) -> list[tuple[Organisation, list[Draft]]]:
    """The organisation with its rows; in two parts, before and after, where it merges or changes its code."""
    if change is None:
        return [(organisation, drafts)]
    until = replace(organisation, closed=quarter_start(change.quarter) - 1)
    before = [(until, [d for d in drafts if d.quarter < change.quarter])]
    if not change.is_new:
        return before
    after = [d for d in drafts if d.quarter >= change.quarter]
    for item in after:
        if item.cells["code_organisme"]:
            item.cells["code_organisme"] = change.heir.code
    return [*before, (change.heir, after)]


def to_identities(settings: Settings, manner: Habit, identities: list[Identity]) -> None:
    """Apply the identity habits of one organisation to all its files."""
    for habit in _habits_of_scope("identity", manner.drawn):
        rng = _generator(settings, identities[0].organisation, habit.name) if identities else None
        for item in identities:
            habit.apply(item, rng)  # type: ignore[operator]


def to_rows(settings: Settings, drafts: list[Draft]) -> None:
    """Apply the row habits of one organisation to all its rows; then blank the cells that it leaves blank."""
    if not drafts or not drafts[0].habit.drawn:
        return
    for habit in _habits_of_scope("row", drafts[0].habit.drawn):
        rng = _generator(settings, drafts[0].event.organisation, habit.name)
        for item in drafts:
            habit.apply(item, rng)  # type: ignore[operator]
    for item in drafts:
        leave_blank(item)


def _habits_of_scope(scope: str, names: frozenset[str]) -> list[DrawnHabit]:
    return [habit for habit in HABITS if habit.scope == scope and habit.name in names]


def _generator(settings: Settings, organisation: int, name: str) -> Generator:
    return generator(settings.seed, HABIT, organisation, crc32(name.encode()))
