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
from .settings import HABIT, Settings, between, fiscal, generator, pick, quarter_of

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
    """Where somebody settled is typed in the column of residence: there is no other."""
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
