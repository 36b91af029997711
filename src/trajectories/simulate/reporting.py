"""What each organisation sees of a household and writes down: services, establishments, contacts, departures.

Each household has one generator for reporting; each channel draws from its own child of it, so that switching one
channel off leaves the rows of the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import contacts, hearsay
from .chance import REPORTING, Choice, between, generator, pick
from .clock import add_months, day_of
from .defects import active_rate
from .events import Event
from .geography import Geography
from .histories import Life, Stay
from .organisations import Network, Organisation
from .population import Person
from .settings import Settings
from .wording import NEEDS, REMARKS

_BEFORE = Choice(
    (
        "information",
        "job_search",
        "housing_search",
        "personal_support",
        "objectif_integration",
        "francization",
        "other",
    ),
    (0.30, 0.26, 0.10, 0.18, 0.08, 0.06, 0.02),
)
_AFTER = Choice(
    ("personal_support", "housing_search", "objectif_integration", "francization", "information",
     "post_settlement_follow_up", "other"),
    (0.30, 0.16, 0.10, 0.18, 0.10, 0.12, 0.04),
)  # fmt: skip
_REASON = Choice(("famille", "emploi", "réseau", "études", "logement", "autre"), (0.30, 0.34, 0.16, 0.06, 0.09, 0.05))
_RATES = ((0, 6, 0.26), (6, 12, 0.12), (12, 36, 0.035))  # from month, to month, services a month and adult
_NEVER = 2**30
CHANNELS = ("before", "organisations", "metropole", "stay", "registration", "services", "contacts", "news", "returns")


@dataclass
class Desk:
    """What is needed to write about one household, and what has been written."""

    settings: Settings
    place: Geography
    network: Network
    life: Life
    events: list[Event] = field(default_factory=list)
    openings: dict[tuple[int, int], int] = field(default_factory=dict)
    written: set[tuple[int, int, int, str]] = field(default_factory=set)
    last_known: dict[tuple[int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first, self.last = day_of(self.settings.start), day_of(self.settings.end)

    def rng(self, channel: str, *key: int) -> np.random.Generator:
        """The generator of one channel for this household (and one of its stays, one of its members)."""
        return generator(self.settings.seed, REPORTING, self.life.household.number, CHANNELS.index(channel), *key)

    def next_stay(self, stay: Stay) -> Stay | None:
        """The person's following stay."""
        return next((t for t in self.life.stays if t.person is stay.person and t.episode == stay.episode + 1), None)

    def back_in_region(self, stay: Stay) -> int | None:
        """When the person came back to the region of a stay, if that is what they did next."""
        again = self.next_stay(stay)
        return again.start if again and self.place.region[again.code] == self.place.region[stay.code] else None

    def open_file(self, organisation: Organisation, person: Person) -> int:
        """Open a file for a person (again, with a new number)."""
        key = (organisation.index, person.number)
        self.openings[key] = self.openings.get(key, 0) + 1
        return self.openings[key]

    def write(
        self,
        organisation: Organisation,
        person: Person,
        opening: int,
        kind: str,
        day: int,
        residence: str,
        **facts: object,
    ) -> Event | None:
        """Add a row if the organisation is open and the day is in the period."""
        if not (self.first <= day <= self.last and organisation.active(day)):
            return None
        key = (organisation.index, person.number, day, str(facts.get("service")))
        if kind == "service" and key in self.written:
            return None  # the same service twice on a day is one service
        self.written.add(key)
        event = Event(
            organisation.index, self.life.household.number, person.number, opening, kind, day, residence,
            size=len(self.life.household.members), **facts,  # type: ignore[arg-type]
        )  # fmt: skip
        self.events.append(event)
        return event

    def residence(self, person: int, day: int) -> str:
        """The true municipality of a person on a day ("" outside Québec, or before arrival, or dead)."""
        for r in self.life.residences:
            if r.person == person and r.start <= day and (r.end is None or day < r.end):
                return r.code
        return ""


def report(settings: Settings, place: Geography, network: Network, life: Life) -> list[Event]:
    """All the rows about one household, in the order of their days."""
    desk = Desk(settings, place, network, life)
    home = _in_metropole(desk)
    _en_region(desk, home)
    return sorted(desk.events, key=lambda e: (e.day, e.organisation, e.person, e.kind))


def _needs(rng: np.random.Generator) -> str:
    return "; ".join(
        dict.fromkeys(pick(rng, NEEDS[:8] if rng.random() < 0.95 else NEEDS) for _ in range(between(rng, 1, 3)))
    )


def _in_metropole(desk: Desk) -> tuple[Organisation, dict[int, int]] | None:
    """Services before the departure, or for those who never leave."""
    rng, household = desk.rng("before"), desk.life.household
    if household.path == "primary":
        return None
    leaves = household.established if household.established is not None else min(desk.last, household.arrival + 900)
    start, stop = max(household.arrival + 7, desk.first), leaves - 1
    organisation = desk.network.in_metropole(rng, max(start, desk.first))
    if organisation is None or stop < start:
        return None
    files: dict[int, int] = {}
    visited = next((s.visited for s in desk.life.stays), False)
    for person in household.members:
        adult = person.role != "child"
        count = (
            between(rng, 1, 4) if person.role == "principal" else between(rng, 0, 2) if adult else between(rng, -1, 1)
        )
        days = sorted(between(rng, start, stop) for _ in range(max(0, count)))
        for k, day in enumerate(days):
            where = desk.residence(person.number, day)
            if not where:
                continue
            if person.number not in files:
                files[person.number] = desk.open_file(organisation, person)
            service = (
                "family_support" if not adult else "information" if k == 0 and rng.random() < 0.6 else _BEFORE.draw(rng)
            )
            desk.write(
                organisation, person, files[person.number], "service", day, where, service=service, service_date=day,
                needs=_needs(rng) if k == 0 and adult else "",
                remarks=pick(rng, REMARKS) if rng.random() < 0.05 else "",
            )  # fmt: skip
        if visited and person.role == "principal":
            day = max(start, stop - between(rng, 10, 60))
            where = desk.residence(person.number, day)
            if where:
                files.setdefault(person.number, 0)
                files[person.number] = files[person.number] or desk.open_file(organisation, person)
                desk.write(organisation, person, files[person.number], "service", day, where,
                           service="exploratory_visit", service_date=day)  # fmt: skip
    return organisation, files


def _en_region(desk: Desk, home: tuple[Organisation, dict[int, int]] | None) -> None:
    """Each stay as its regional organisation sees it, and what the metropole says of the first."""
    rng = desk.rng("organisations")
    groups: dict[int, list[Stay]] = {}
    for stay in desk.life.stays:
        groups.setdefault(stay.group, []).append(stay)
    before: dict[str, Organisation] = {}
    for number, group in groups.items():
        start = min(s.start for s in group)
        region = desk.place.region[group[0].code]
        late = rng.random() < desk.settings.late_registration
        delay = between(rng, 61, 270) if late else between(rng, 0, 12)
        organisation = before.get(region)
        chosen = desk.network.serving(rng, region, max(start, desk.first))
        if organisation is None or not organisation.active(max(start, desk.first)):
            organisation = chosen
        if number == 1 and home is not None and not late:
            _departure_from_metropole(desk, home, group)
        if organisation is None or start > desk.last:
            continue
        before[region] = organisation
        _stay(desk, organisation, group, delay, number)


def _departure_from_metropole(desk: Desk, home: tuple[Organisation, dict[int, int]], group: list[Stay]) -> None:
    """The organisation of the metropole reports the establishment it prepared."""
    rng = desk.rng("metropole")
    organisation, files = home
    if rng.random() >= desk.settings.metropole_reports:
        return
    before, reason = between(rng, 1, 15), _REASON.draw(rng)
    stale = rng.random() < active_rate("stale_address", desk.settings)
    for stay in group:
        number = stay.person.number
        day = stay.start - before
        where = desk.residence(number, day)
        if not where or desk.place.zone[where] != "metropole":
            continue
        if number not in files:
            files[number] = desk.open_file(organisation, stay.person)
        grown = stay.person.role != "child"
        desk.write(organisation, stay.person, files[number], "establishment", day, where, service="personal_support",
                   service_date=day, departure_date=stay.start - min(before - 1, 3), establishment_date=stay.start,
                   destination=stay.code, establishment_reason=reason, job=stay.job if grown else None,
                   housing=stay.housing if grown else None)  # fmt: skip
        if stale and grown:
            # Design rule 2: the old address goes on being printed by an organisation that no longer meets them.
            for months in (1, 3):
                after = add_months(stay.start, months) + between(rng, 0, 20)
                if stay.exit is None or after < stay.exit:
                    desk.write(organisation, stay.person, files[number], "service", after, where, service="information",
                               service_date=after, note="stale_address")  # fmt: skip


def _stay(desk: Desk, organisation: Organisation, group: list[Stay], delay: int, number: int) -> None:
    """One household in one region: its registration, services, contacts, and the news of its departure."""
    rng = desk.rng("stay", number)
    never_client = rng.random() < 0.15
    reason = _REASON.draw(rng)
    knows = rng.random() < 0.7
    known: list[tuple[Stay, int, int]] = []
    for stay in group:
        end = min(d for d in (stay.exit, desk.life.deaths.get(stay.person.number), _NEVER) if d is not None)
        day = max(stay.start + delay, desk.first, organisation.opened)
        if day >= end or day > desk.last or not organisation.active(day):
            continue
        opening = desk.open_file(organisation, stay.person)
        _register(
            desk, organisation, stay, opening, day, reason, knows, desk.rng("registration", number, stay.person.number)
        )
        _services(
            desk, organisation, stay, opening, day, end, never_client, desk.rng("services", number, stay.person.number)
        )
        known.append((stay, opening, day))
    if known:
        told = hearsay.departures(desk, organisation, known, number) if desk.settings.hearsay else {}
        if desk.settings.contacts:
            contacts.scheduled(desk, organisation, known, number, told)
        contacts.reopened(desk, organisation, known)
        if desk.settings.hearsay:
            hearsay.returns(desk, known, number)


def _register(
    desk: Desk,
    organisation: Organisation,
    stay: Stay,
    opening: int,
    day: int,
    reason: str,
    knows: bool,
    rng: np.random.Generator,
) -> None:
    grown = stay.person.role != "child"
    where = desk.residence(stay.person.number, day)
    old = bool(stay.origin) and rng.random() < active_rate("old_address_at_establishment", desk.settings)
    from_metropole = bool(stay.origin) and desk.place.zone[stay.origin] == "metropole"
    job = stay.job or (stay.job_later is not None and stay.job_later <= day)
    desk.write(
        organisation, stay.person, opening, "establishment", day, stay.origin if old else where, service="reception",
        service_date=day, departure_date=stay.start - between(rng, 0, 3) if knows and from_metropole else None,
        establishment_date=stay.start, destination=stay.code, establishment_reason=reason,
        needs=_needs(rng) if grown else "", job=job if grown else None,
        job_date=(min(day, stay.start + 14) if stay.job else stay.job_later) if grown and job else None,
        housing=stay.housing if grown else None,
        housing_date=min(day, stay.start + between(rng, 0, 10)) if stay.housing and grown else None,
        remarks=pick(rng, REMARKS) if rng.random() < 0.05 else "", note="old_address_at_establishment" if old else "",
    )  # fmt: skip


def _services(
    desk: Desk,
    organisation: Organisation,
    stay: Stay,
    opening: int,
    day: int,
    end: int,
    never: bool,
    rng: np.random.Generator,
) -> None:
    grown = stay.person.role != "child"
    if stay.pairing is not None and day < stay.pairing < end:
        # A service with a planted effect is always written: the truth file states what it does.
        where = desk.residence(stay.person.number, stay.pairing)
        desk.write(
            organisation,
            stay.person,
            opening,
            "service",
            stay.pairing,
            where,
            service="pairing",
            service_date=stay.pairing,
        )
    if never:
        return
    for begin, upto, rate in _RATES:
        for month in range(begin, upto):
            u, offset, v = rng.random(), between(rng, 0, 27), rng.random()
            when = stay.start + int(month * 30.4375) + offset
            if u >= (rate if grown else 0.03) or not day < when < end:
                continue
            service = _AFTER.draw(rng)
            # Looked for by those without a job: it goes with leaving, and does nothing.
            if grown and v < (0.12 if stay.job else 0.45):
                service = "job_search"
            if not grown:
                service = "family_support"
            where = desk.residence(stay.person.number, when)
            found = grown and service == "job_search" and stay.job_later is not None and stay.job_later <= when
            desk.write(organisation, stay.person, opening, "service", when, where, service=service, service_date=when,
                       job=True if found else None, job_date=stay.job_later if found else None,
                       remarks=pick(rng, REMARKS) if rng.random() < 0.03 else "")  # fmt: skip
