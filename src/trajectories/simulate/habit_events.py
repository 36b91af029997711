"""What an organisation's habits do before anything is typed: what it notes, of whom, under which file and address.

Each function takes the events of one organisation, in the order of their days, and returns those that are left, or
added; their lines are in `habits.HABITS`. Where a person truly lived stays in `Event.lived`, whatever address is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from .geography import Geography
from .histories import Life, Stay
from .organisations import Event, Organisation
from .settings import HABIT, Settings, between, day_of, fiscal, generator, pick, quarter_of

_PLACE = ("municipalite_residence", "code_municipal", "code_postal")
_AT_A_MEETING = ("personal_support", "housing_search", "francization", "objectif_integration", "job_search")


@dataclass(frozen=True)
class Scene:
    """What the functions look at besides the events: the organisation, its map, the true lives, a generator."""

    settings: Settings
    place: Geography
    organisation: Organisation
    lives: dict[int, Life]
    rng: np.random.Generator | None = None

    def for_habit(self, name: str) -> Scene:
        """The same, with the random numbers of one habit."""
        key = (self.organisation.index, crc32(name.encode()))
        return replace(self, rng=generator(self.settings.seed, HABIT, *key))

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
            # The address of before has been printed.
            known = stay.person.number == first.person and first.day < stay.start and first.kind == "service"
            if not (chosen and known and before and scene.place.zone[before] == "metropole"):
                continue
            for day in days:
                lived = life.residence(first.person, day)
                if lived != stay.code or day > last or not scene.organisation.active(day):
                    continue
                visits.append(Event(
                    first.organisation, first.household, first.person, file[-1].opening, "service", day,
                    before if address == "old" else lived, service=pick(rng, _AT_A_MEETING), service_date=day,
                    size=first.size, lived=lived, blank=_PLACE if address == "none" else (),
                ))  # fmt: skip
    return in_order([*events, *visits])


def departures_late(scene: Scene, events: list[Event]) -> list[Event]:
    """A departure is told half a year to a year and a half after it was heard of, or no more."""
    last = day_of(scene.settings.end)
    for event in events:
        lag = between(scene.rng, 180, 540)
        if event.kind == "departure" and event.exit_date is not None:
            event.day += lag
    return in_order(
        e for e in events
        if e.kind != "departure" or (e.day <= last and scene.organisation.active(e.day) and not _is_back(scene, e))
    )  # fmt: skip


def _is_back(scene: Scene, event: Event) -> bool:
    lived = scene.lives[event.household].residence(event.person, event.day)
    return lived != "" and scene.place.region[lived] == scene.place.region[event.residence]


def departures_never(scene: Scene, events: list[Event]) -> list[Event]:
    """No departure row is ever written."""
    return [e for e in events if e.kind != "departure"]


def departures_false(scene: Scene, events: list[Event]) -> list[Event]:
    """Now and then a departure is told of somebody who stays."""
    rng, last, told = scene.rng, day_of(scene.settings.end), []
    for file in _files(events):
        chosen, after = rng.random() < 0.04, between(rng, 90, 700)
        stay, first = scene.stay(file[0]), file[0]
        if not chosen or stay is None or file[0].day + after > last or not scene.organisation.active(first.day + after):
            continue
        day = first.day + after
        if stay.exit is None or stay.exit > day + 365:
            told.append(Event(
                first.organisation, first.household, first.person, first.opening, "departure", day, stay.code,
                exit_date=day - 10, exit_destination="inconnu", precision="month", size=first.size, lived=stay.code,
                note="departure_false",
            ))  # fmt: skip
    return in_order([*events, *told])


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
        if stay is not None and stay.origin and scene.place.zone[stay.origin] == "metropole":
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
    own, place = scene.organisation.municipality, scene.place
    for event in events:
        if place.zone[event.residence] == place.zone[own] and (
            place.zone[own] == "metropole" or place.region[event.residence] == place.region[own]
        ):
            event.residence = own
    return events


def destination_in_residence(scene: Scene, events: list[Event]) -> list[Event]:
    """Where somebody settled is typed in the column of residence: there is no other.

    An old address that goes on being printed must have been printed: else it would be news.
    """
    met = {(e.person, e.opening) for e in events if e.kind == "service" and not e.note}
    events = [e for e in events if e.note != "stale_address" or (e.person, e.opening) in met]
    for event in events:
        if event.kind == "establishment" and event.destination:
            event.residence, event.destination = event.destination, ""
            event.blank = tuple(c for c in event.blank if c not in _PLACE)
    return events


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
                # Whoever opens the file sees the person there.
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
