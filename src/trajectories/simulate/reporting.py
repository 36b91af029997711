"""What organisations see of a household's life and note: services, establishments, and how each stay ends.

Each household has one generator for reporting; each channel draws from its own child of it, so that switching one
channel off leaves the rows of the others as they were.

The end of a stay becomes known by scheduled contacts, hearsay, services after a return and files re-opened. A contact
says « présent », « parti » or « non joint »; leavers are the hardest to reach. The share first heard of in the d-th
month after the exit is a discrete hazard on d = 0, 1, 2–3, 4–6, 7–12, 13+ (observation-model.md, « News »); a share is
never heard of because the last piece is small and time runs out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.random import Generator

from .geography import geography
from .histories import Life, Stay
from .organisations import Event, Network, Organisation
from .population import Person
from .settings import REPORTING, Choice, Settings, add_months, between, day_of, generator, pick, words

CHANNELS = words(
    "before organisations metropole stay registration services contacts news returns first_service reach attempts "
    "caused"
)
_BEFORE = Choice.by_weight(
    "information 0.30 job_search 0.26 housing_search 0.10 personal_support 0.18 objectif_integration 0.08 "
    "francization 0.06 other 0.02"
)
_AFTER = Choice.by_weight(
    "personal_support 0.30 housing_search 0.16 objectif_integration 0.10 francization 0.18 information 0.10 "
    "post_settlement_follow_up 0.12 other 0.04"
)
_BACK = Choice.by_weight("job_search 0.4 housing_search 0.25 personal_support 0.25 francization 0.1")
_REASON = Choice.by_weight("famille 0.30 emploi 0.34 réseau 0.16 études 0.06 logement 0.09 autre 0.05")
_RATES = ((0, 6, 0.26), (6, 12, 0.12), (12, 36, 0.035))  # from month, to month, services a month and adult
_NEVER = 2**30
NEEDS = ("emploi", "logement", "francisation", "école", "garde", "santé", "transport", "réseau", "autre")
REMARKS = words(
    "Bien installés|À rappeler au printemps|Cherche une garderie|Permis de conduire en cours|"
    "Très motivés par la région|A demandé de l'aide pour l'école|Référé par un ami"
)
PRECISION = Choice.by_weight("day 0.45 month 0.40 quarter 0.10 year 0.05")
# By cause of the exit, in each piece of the time since: the monthly chance that the departure is heard of.
HEARING = {
    "metropole": (0.10, 0.09, 0.07, 0.05, 0.03, 0.010),
    "other_region": (0.10, 0.08, 0.06, 0.05, 0.025, 0.008),
    "outside_quebec": (0.07, 0.06, 0.045, 0.03, 0.018, 0.005),
    "death": (0.50, 0.30, 0.10, 0.05, 0.0, 0.0),
}
# A contact is made within so many days of its due date.
JITTER = 8
_PIECES = (0, 1, 2, 2, 3, 3, 3, *(4,) * 6)
SERVED_AGAIN = (0.10, 0.08, 0.07, 0.05, 0.02, 0.0)  # a month, of being served in the metropole after a return


class File(NamedTuple):
    """A file that an organisation opened for a person: its first, its second …"""

    organisation: Organisation
    person: Person
    opening: int


@dataclass
class Desk:
    """The context in which the rows of one household are written, and the rows written so far."""

    settings: Settings
    network: Network
    life: Life
    rate: Callable[[str], float]  # how often a fact is bent (defects.Mishaps.rate)
    events: list[Event] = field(default_factory=list)
    openings: dict[tuple[int, int], int] = field(default_factory=dict)
    written: set[tuple[int, int, int, str]] = field(default_factory=set)
    last_known: dict[tuple[int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first, self.last = day_of(self.settings.start), day_of(self.settings.end)

    def rng(self, channel: str, *key: int) -> Generator:
        """The generator of one channel for this household (and one of its stays, one of its members)."""
        return generator(self.settings.seed, REPORTING, self.life.household.number, CHANNELS.index(channel), *key)

    def next_stay(self, stay: Stay) -> Stay | None:
        """The person's following stay."""
        return next((t for t in self.life.stays if t.person is stay.person and t.episode == stay.episode + 1), None)

    def back_in_region(self, stay: Stay) -> int | None:
        """When the person came back to the region of a stay, if that is what they did next."""
        again = self.next_stay(stay)
        return again.start if again and geography().region[again.code] == geography().region[stay.code] else None

    def open_file(self, organisation: Organisation, person: Person) -> File:
        """Open a file for a person (again, with a new number)."""
        key = (organisation.index, person.number)
        self.openings[key] = self.openings.get(key, 0) + 1
        return File(organisation, person, self.openings[key])

    def opened(self, organisation: Organisation, day: int) -> bool:
        """Whether the organisation is open on a day and the day is in the period of the deposits."""
        return self.first <= day <= self.last and organisation.active(day)

    def write(self, file: File, kind: str, day: int, residence: str, **facts: Any) -> Event | None:
        """Add a row if the organisation is open and the day is in the period."""
        organisation, person, opening = file
        if not self.opened(organisation, day):
            return None
        key = (organisation.index, person.number, day, str(facts.get("service")))
        if kind == "service" and key in self.written:
            return None  # the same service twice on a day is one service
        self.written.add(key)
        household, lived = self.life.household, self.residence(person.number, day)
        event = Event(organisation.index, household.number, person.number, opening, kind, day, residence, **facts)
        event.size, event.lived = len(household.members), lived
        self.events.append(event)
        return event

    def serve(self, file: File, day: int, service: str, residence: str | None = None, **facts: Any) -> None:
        """Add a service, received on the day that it is noted; at the true residence, where no other is noted."""
        where = self.residence(file.person.number, day) if residence is None else residence
        self.write(file, "service", day, where, service=service, service_date=day, **facts)

    def residence(self, person: int, day: int) -> str:
        """The true municipality of a person on a day ("" outside Québec, or before arrival, or dead)."""
        return self.life.residence(person, day)


class Client(NamedTuple):
    """A stay, the file of its regional organisation, when that was opened, and the day its schedule counts from."""

    stay: Stay
    file: File
    registered: int
    since: int


class Manner(NamedTuple):
    """What a departure row holds: the precision of its date, whether it has a date, and whether it has a place."""

    precision: str
    dated: bool
    placed: bool

    @classmethod
    def draw(cls, rng: Generator) -> Manner:
        """The manner of one departure."""
        return cls(PRECISION.draw(rng), rng.random() < 0.92, rng.random() < 0.85)


def report(settings: Settings, network: Network, life: Life, rate: Callable[[str], float]) -> list[Event]:
    """All the rows about one household, in the order of their days; `rate` gives the rate of a defect of facts."""
    desk = Desk(settings, network, life, rate)
    _en_region(desk, _in_metropole(desk))
    return sorted(desk.events, key=lambda e: (e.day, e.organisation, e.person, e.kind))


def _needs(rng: Generator) -> str:
    return "; ".join(
        dict.fromkeys(pick(rng, NEEDS[:8] if rng.random() < 0.95 else NEEDS) for _ in range(between(rng, 1, 3)))
    )


def _in_metropole(desk: Desk) -> tuple[Organisation, dict[int, File]] | None:
    """Services before the departure, or for those who never leave."""
    rng, household = desk.rng("before"), desk.life.household
    if household.path == "primary":
        return None
    leaves = household.established if household.established is not None else min(desk.last, household.arrival + 900)
    start, stop = max(household.arrival + 7, desk.first), leaves - 1
    organisation = desk.network.in_metropole(rng, max(start, desk.first))
    if organisation is None or stop < start:
        return None
    files: dict[int, File] = {}

    def serve(person: Person, day: int, service: str, **facts: Any) -> None:
        if person.number not in files:
            files[person.number] = desk.open_file(organisation, person)
        desk.serve(files[person.number], day, service, **facts)

    visited = next((s.visited for s in desk.life.stays), False)
    for person in household.members:
        adult = person.role != "child"
        fewest, most = (1, 4) if person.role == "principal" else (0, 2) if adult else (-1, 1)
        count = between(rng, fewest, most)
        for k, day in enumerate(sorted(between(rng, start, stop) for _ in range(count))):
            if not desk.residence(person.number, day):
                continue
            service = "family_support"
            if adult:
                service = "information" if k == 0 and rng.random() < 0.6 else _BEFORE.draw(rng)
            needs = _needs(rng) if k == 0 and adult else ""
            serve(person, day, service, needs=needs, remarks=pick(rng, REMARKS) if rng.random() < 0.05 else "")
        if visited and person.role == "principal":
            day = max(start, stop - between(rng, 10, 60))
            if desk.residence(person.number, day):
                serve(person, day, "exploratory_visit")
    return organisation, files


def _en_region(desk: Desk, home: tuple[Organisation, dict[int, File]] | None) -> None:
    """The rows of each stay by its regional organisation, and of the first by the metropole."""
    rng = desk.rng("organisations")
    groups: dict[int, list[Stay]] = {}
    for stay in desk.life.stays:
        groups.setdefault(stay.group, []).append(stay)
    before: dict[str, Organisation] = {}
    for number, group in groups.items():
        start = min(s.start for s in group)
        region = geography().region[group[0].code]
        late = rng.random() < desk.settings.late_registration
        delay = between(rng, 61, 270) if late else between(rng, 0, 12)
        first = desk.rng("first_service", number)
        reported = first.random() >= desk.settings.service_only
        if not reported:
            delay = between(first, 0, 364)
        organisation = before.get(region)
        chosen = desk.network.serving(rng, region, max(start, desk.first))
        if organisation is None or not organisation.active(max(start, desk.first)):
            organisation = chosen
        if number == 1 and home is not None and not late and reported:
            _departure_from_metropole(desk, *home, group)
        if organisation is None or start > desk.last:
            continue
        before[region] = organisation
        _stay(desk, organisation, group, delay, number, reported)


def _departure_from_metropole(
    desk: Desk, organisation: Organisation, files: dict[int, File], group: list[Stay]
) -> None:
    """The organisation of the metropole reports the establishment it prepared."""
    rng = desk.rng("metropole")
    if rng.random() >= desk.settings.metropole_reports:
        return
    before, reason = between(rng, 1, 15), _REASON.draw(rng)
    stale = rng.random() < desk.rate("stale_address")
    for stay in group:
        number = stay.person.number
        day = stay.start - before
        where = desk.residence(number, day)
        if not where or geography().zone[where] != "metropole":
            continue
        if number not in files:
            files[number] = desk.open_file(organisation, stay.person)
        grown = stay.person.role != "child"
        desk.write(
            files[number],
            "establishment",
            day,
            where,
            service="personal_support",
            service_date=day,
            departure_date=stay.start - min(before - 1, 3),
            establishment_date=stay.start,
            destination=stay.code,
            establishment_reason=reason,
            job=stay.job if grown else None,
            housing=stay.housing if grown else None,
        )
        if stale and grown:
            # Design rule 2: the old address goes on being printed by an organisation that no longer meets them.
            for months in (1, 3):
                after = add_months(stay.start, months) + between(rng, 0, 20)
                if stay.exit is None or after < stay.exit:
                    desk.serve(files[number], after, "information", where, note="stale_address")


def _stay(desk: Desk, organisation: Organisation, group: list[Stay], delay: int, number: int, reported: bool) -> None:
    """One household in one region: its registration (or first service), services, and how its end becomes known."""
    rng = desk.rng("stay", number)
    never_client = rng.random() < 0.15
    reason = _REASON.draw(rng)
    knows = rng.random() < 0.7
    clients: list[Client] = []
    for stay in group:
        person = stay.person.number
        end = min(d for d in (stay.exit, desk.life.deaths.get(person), _NEVER) if d is not None)
        day = max(stay.start + delay, desk.first, organisation.opened)
        if day >= end or day > desk.last or not organisation.active(day):
            continue
        file = desk.open_file(organisation, stay.person)
        client = Client(stay, file, day, stay.start if reported else day)
        if reported:
            _register(desk, client, reason, knows, desk.rng("registration", number, person))
        else:
            # Without a reported establishment, the stay is first known by a service.
            first = desk.rng("first_service", number, person)
            service = _AFTER.draw(first) if stay.person.role != "child" else "family_support"
            desk.serve(file, day, service)
        _services(desk, client, end, never_client, desk.rng("services", number, person))
        clients.append(client)
    if clients:
        follow(desk, organisation, clients, number)


def _register(desk: Desk, client: Client, reason: str, knows: bool, rng: Generator) -> None:
    """The establishment, as the regional organisation notes it when it opens the file."""
    stay, file, day, _ = client
    grown = stay.person.role != "child"
    where = desk.residence(stay.person.number, day)
    old = bool(stay.origin) and rng.random() < desk.rate("old_address_at_establishment")
    from_metropole = bool(stay.origin) and geography().zone[stay.origin] == "metropole"
    job = stay.job or (stay.job_later is not None and stay.job_later <= day)
    desk.write(
        file,
        "establishment",
        day,
        stay.origin if old else where,
        service="reception",
        service_date=day,
        departure_date=stay.start - between(rng, 0, 3) if knows and from_metropole else None,
        establishment_date=stay.start,
        destination=stay.code,
        establishment_reason=reason,
        needs=_needs(rng) if grown else "",
        job=job if grown else None,
        job_date=(min(day, stay.start + 14) if stay.job else stay.job_later) if grown and job else None,
        housing=stay.housing if grown else None,
        housing_date=min(day, stay.start + between(rng, 0, 10)) if stay.housing and grown else None,
        remarks=pick(rng, REMARKS) if rng.random() < 0.05 else "",
        note="old_address_at_establishment" if old else "",
    )


def _services(desk: Desk, client: Client, end: int, never: bool, rng: Generator) -> None:
    """Services in the region, from the opening of the file to the end of the stay."""
    stay, file, day, _ = client
    grown = stay.person.role != "child"
    if stay.pairing is not None and day < stay.pairing < end:
        # A service with a planted effect is always written: the truth file states what it does.
        desk.serve(file, stay.pairing, "pairing")
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
            found_job = grown and service == "job_search" and stay.job_later is not None and stay.job_later <= when
            job: dict[str, Any] = {"job": True, "job_date": stay.job_later} if found_job else {}
            desk.serve(file, when, service, remarks=pick(rng, REMARKS) if rng.random() < 0.03 else "", **job)


# ── how the end of a stay becomes known ──
def follow(desk: Desk, organisation: Organisation, clients: list[Client], number: int) -> None:
    """The rows by which the end of one household's stay becomes known."""
    departures = _departures(desk, clients, number) if desk.settings.hearsay else {}
    if desk.settings.contacts:
        contacts = _contacts(desk, organisation, clients, number, departures)
        _after_contact(desk, clients, number, departures, contacts)
    _reopened(desk, clients)
    if desk.settings.hearsay:
        _returns(desk, clients, number)


def _contacts(
    desk: Desk, organisation: Organisation, clients: list[Client], number: int, departures: dict[int, Event]
) -> dict[int, Event]:
    """The contacts of one household's stay: one call a month of the schedule, one row a person.

    One draw decides for the household, so that the failures of its members go together; each member fails by the
    probability of their own state. A contact follows the schedule of the person's own establishment. `departures` holds
    the departure rows: they end the contacts only if `news_stops_contacts`. Returns the contacts that found somebody
    gone, by person.
    """
    s = desk.settings
    rng, attempts = desk.rng("contacts", number), desk.rng("attempts", number)
    rng.random()  # unused: keeps the draws that follow where they have always been
    hard = desk.rng("reach").random() < s.hard_to_reach  # the household, in all its stays
    out_of_reach = desk.rng("reach", number)
    gone_persons: set[int] = set()
    left_by_person: dict[int, Event] = {}

    def call(file: File, day: int, where: str, **facts: Any) -> Event | None:
        service = "post_settlement_follow_up"
        return desk.write(file, "follow_up", day, where, service=service, follow_up_date=day, **facts)

    for months in s.follow_up_months:
        jitter, u = 0 if s.contacts_succeed else between(rng, -JITTER, JITTER), rng.random()
        details = rng.random(4)
        precision = PRECISION.draw(rng)
        attempt = attempts.random()
        misses = hard and out_of_reach.random() < s.hard_to_reach_failure
        for stay, file, registered, since in clients:
            person = stay.person.number
            day = add_months(since, months) + jitter
            again = desk.back_in_region(stay)
            if person in gone_persons or day <= registered or (again is not None and day >= again):
                continue
            if organisation.stops_calling is not None and day >= organisation.stops_calling and not s.contacts_succeed:
                continue
            if s.news_stops_contacts and person in departures and departures[person].day <= day:
                continue
            if attempt >= _attempted(s, stay, day) and not s.contacts_succeed:
                continue
            dead = person in desk.life.deaths and desk.life.deaths[person] <= day
            left = not dead and stay.exit is not None and stay.exit <= day
            fails = not s.contacts_succeed and (misses or u < _failing(s, stay, left, desk.last))
            last = desk.last_known.get((person, stay.episode), stay.code)
            if fails:
                call(file, day, last, status="not_reached")
            elif left or dead:
                gone_persons.add(person)
                end = desk.life.deaths[person] if dead else stay.exit
                event = call(
                    file,
                    day,
                    last,
                    status="left",
                    precision=precision,
                    exit_date=end if details[0] < 0.7 or dead else None,
                    exit_destination=stay.place if details[1] < 0.75 and not dead else "",
                    exit_reason="décès" if dead else stay.reason if details[2] < 0.6 else "",
                )
                if event is not None:
                    left_by_person[person] = event
            else:
                where = desk.residence(person, day)
                desk.last_known[person, stay.episode] = where
                found_a_job = stay.job_later is not None and stay.job_later <= day and stay.person.role != "child"
                job = {"job": True, "job_date": stay.job_later} if found_a_job else {}
                call(file, day, where, status="present", **job)
    return left_by_person


def _attempted(s: Settings, stay: Stay, day: int) -> float:
    """Probability that a contact that is due is tried."""
    in_trouble = stay.exit is not None and stay.exit <= add_months(day, 12)
    return (s.contacts_follow_trouble if in_trouble else 1.0) / max(s.contacts_follow_trouble, 1.0)


def _failing(s: Settings, stay: Stay, left: bool, last: int) -> float:
    """Probability that a contact that is tried fails."""
    if left:
        return s.contact_failure_leavers
    will_leave = stay.exit is not None and stay.exit <= last
    return s.contact_failure_stayers + will_leave * s.failure_trait * (1 - s.contact_failure_stayers)


def _after_contact(
    desk: Desk, clients: list[Client], number: int, departures: dict[int, Event], contacts: dict[int, Event]
) -> None:
    """The effect on the departure rows of contacts that found somebody gone (`departure_row_after_contact`)."""
    rule = desk.settings.departure_row_after_contact
    if rule == "suppressed":
        for person, contact in contacts.items():
            if person in departures and departures[person].day >= contact.day:
                desk.events.remove(departures[person])
    elif rule == "caused":
        for client in clients:
            person = client.stay.person.number
            if person in contacts:
                _cause(desk, client, contacts[person], departures.get(person), desk.rng("caused", number, person))


def _cause(desk: Desk, client: Client, contact: Event, heard: Event | None, rng: Generator) -> None:
    """The departure row that follows a contact « parti », if any; an earlier one by hearsay takes its place."""
    rng.random()  # unused: keeps the draws that follow where they have always been
    day, manner = contact.day + between(rng, 0, 20), Manner.draw(rng)
    again = desk.back_in_region(client.stay)
    if (again is not None and day >= again) or (heard is not None and heard.day <= day):
        return
    if _departure(desk, client, day, manner) is not None:
        # An organisation reports a departure once, as early as possible.
        desk.events = [e for e in desk.events if e is not heard]


def _reopened(desk: Desk, clients: list[Client]) -> None:
    """Someone comes back before anybody noticed: the new file brings a departure row for the earlier stay."""
    if not (desk.settings.contacts or desk.settings.hearsay):
        return
    for stay, file, registered, _ in clients:
        again = desk.back_in_region(stay)
        if again is None or stay.exit is None:
            continue
        noticed = any(
            e.person == file.person.number
            and e.organisation == file.organisation.index
            and e.day >= stay.exit
            and (e.kind == "departure" or e.status == "left")
            for e in desk.events
        )
        if not noticed and again > registered:
            end = {"exit_date": stay.exit, "exit_destination": stay.place, "exit_reason": stay.reason}
            desk.write(file, "departure", again, stay.code, precision="month", **end)


def _delay(
    rng: Generator, hazard: tuple[float, ...], months: int = 120, fades: float = 1.0, lasted: float = 0.0
) -> int | None:
    """Months from the exit to the first news, or None; `lasted` is the length of the stay in months."""
    for d, u in enumerate(rng.random(months).tolist()):
        if u < hazard[_PIECES[d] if d < len(_PIECES) else 5] * fades ** ((lasted + d) / 12):
            return d
    return None


def _departures(desk: Desk, clients: list[Client], number: int) -> dict[int, Event]:
    """Departure rows, filed when the regional organisation hears; persons who left together are heard of together."""
    rng = desk.rng("news", number)
    departures: dict[int, Event] = {}
    news: dict[tuple[int, str], tuple[int | None, int, Manner]] = {}
    for client in clients:
        stay = client.stay
        end = _end(desk, stay)
        if end is None:
            continue
        if (end, stay.cause) not in news:
            lasted = (end - stay.start) / 30.4375
            delay = _delay(rng, HEARING[stay.cause], fades=desk.settings.hearing_fades, lasted=lasted)
            news[end, stay.cause] = delay, between(rng, 0, 27), Manner.draw(rng)
        delay, offset, manner = news[end, stay.cause]
        if delay is None or (stay.cause == "outside_quebec" and not desk.settings.heard_abroad):
            continue
        day = max(add_months(end, delay) + offset, end, client.registered + 1)
        again = desk.back_in_region(stay)
        if again is not None and day >= again:
            continue
        event = _departure(desk, client, day, manner)
        if event is not None:
            departures[stay.person.number] = event
    return departures


def _end(desk: Desk, stay: Stay) -> int | None:
    """The day a stay ended, by a move or a death."""
    return desk.life.deaths.get(stay.person.number) if stay.cause == "death" else stay.exit


def _departure(desk: Desk, client: Client, day: int, manner: Manner) -> Event | None:
    """A departure row, if the organisation is open to write it."""
    stay, end = client.stay, _end(desk, client.stay)
    if end is None:
        return None
    unplaced = "inconnu" if stay.cause != "death" else ""
    return desk.write(
        client.file,
        "departure",
        day,
        desk.residence(stay.person.number, end - 1) or stay.code,
        exit_date=end if manner.dated else None,
        precision=manner.precision,
        exit_reason=stay.reason,
        exit_destination=stay.place if manner.placed else unplaced,
    )


def _returns(desk: Desk, clients: list[Client], number: int) -> None:
    """Services in person by an organisation of the metropole, while they live there again."""
    rng = desk.rng("returns", number)
    units: dict[int, tuple[int | None, int, Organisation | None]] = {}
    for stay, *_ in clients:
        if stay.cause != "metropole" or stay.exit is None:
            continue
        if stay.exit not in units:
            delay, offset = _delay(rng, SERVED_AGAIN, 24), between(rng, 0, 27)
            units[stay.exit] = (delay, offset, desk.network.in_metropole(rng, stay.exit))
        delay, offset, organisation = units[stay.exit]
        if delay is None or organisation is None or stay.person.role == "child":
            continue
        first = add_months(stay.exit, delay) + offset
        file = None
        for k in range(between(rng, 1, 2)):
            day, service = first + 35 * k, _BACK.draw(rng)
            where = desk.residence(stay.person.number, day)
            if where and geography().zone[where] == "metropole" and desk.opened(organisation, day):
                file = file or desk.open_file(organisation, stay.person)
                desk.serve(file, day, service)
