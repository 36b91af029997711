"""What each organisation sees of a household and notes: services, establishments, contacts, news of departures.

Each household has one generator for reporting; each channel draws from its own child of it, so that switching one
channel off leaves the rows of the others as they were.

A departure becomes known by a scheduled contact (« présent », « parti », « non joint »; leavers are the hardest to
reach), by hearsay, by a service after a return to the metropole, or when someone comes back. The share first heard of
in the d-th month after the exit is a discrete hazard on d = 0, 1, 2–3, 4–6, 7–12, 13+ (observation-model.md, « News »);
a share is never heard of because the last piece is small and time runs out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .geography import Geography
from .histories import Life, Stay
from .organisations import Desk, Event, Network, Organisation
from .settings import Choice, Settings, add_months, between, pick

_BEFORE = Choice(
    ("information", "job_search", "housing_search", "personal_support", "objectif_integration", "francization",
     "other"),
    (0.30, 0.26, 0.10, 0.18, 0.08, 0.06, 0.02),
)  # fmt: skip
_AFTER = Choice(
    ("personal_support", "housing_search", "objectif_integration", "francization", "information",
     "post_settlement_follow_up", "other"),
    (0.30, 0.16, 0.10, 0.18, 0.10, 0.12, 0.04),
)  # fmt: skip
_REASON = Choice(("famille", "emploi", "réseau", "études", "logement", "autre"), (0.30, 0.34, 0.16, 0.06, 0.09, 0.05))
_RATES = ((0, 6, 0.26), (6, 12, 0.12), (12, 36, 0.035))  # from month, to month, services a month and adult
_NEVER = 2**30
NEEDS = ("emploi", "logement", "francisation", "école", "garde", "santé", "transport", "réseau", "autre")
REMARKS = (
    "Bien installés", "À rappeler au printemps", "Cherche une garderie", "Permis de conduire en cours",
    "Très motivés par la région", "A demandé de l'aide pour l'école", "Référé par un ami",
)  # fmt: skip
PRECISION = Choice(("day", "month", "quarter", "year"), (0.45, 0.40, 0.10, 0.05))
HEARING = {
    "metropole": (0.10, 0.09, 0.07, 0.05, 0.03, 0.010),
    "other_region": (0.10, 0.08, 0.06, 0.05, 0.025, 0.008),
    "outside_quebec": (0.07, 0.06, 0.045, 0.03, 0.018, 0.005),
    "death": (0.50, 0.30, 0.10, 0.05, 0.0, 0.0),
}
_PIECES = (0, 1, 2, 2, 3, 3, 3, *(4,) * 6)
SERVED_AGAIN = (0.10, 0.08, 0.07, 0.05, 0.02, 0.0)  # a month, of being served in the metropole after a return
_SERVICE = Choice(("job_search", "housing_search", "personal_support", "francization"), (0.4, 0.25, 0.25, 0.1))


class File(NamedTuple):
    """A file that the regional organisation opened for a stay, and the day it did."""

    stay: Stay
    opening: int
    registered: int


def report(
    settings: Settings, place: Geography, network: Network, life: Life, rate: Callable[[str], float]
) -> list[Event]:
    """All the rows about one household, in the order of their days; `rate` says how often a fact is bent."""
    desk = Desk(settings, place, network, life, rate)
    _en_region(desk, _in_metropole(desk))
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
            service = "family_support"
            if adult:
                service = "information" if k == 0 and rng.random() < 0.6 else _BEFORE.draw(rng)
            desk.write(
                organisation, person, files[person.number], "service", day, where, service=service, service_date=day,
                needs=_needs(rng) if k == 0 and adult else "",
                remarks=pick(rng, REMARKS) if rng.random() < 0.05 else "",
            )  # fmt: skip
        if visited and person.role == "principal":
            day = max(start, stop - between(rng, 10, 60))
            where = desk.residence(person.number, day)
            if where:
                if person.number not in files:
                    files[person.number] = desk.open_file(organisation, person)
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
    stale = rng.random() < desk.rate("stale_address")
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
    known: list[File] = []
    for stay in group:
        end = min(d for d in (stay.exit, desk.life.deaths.get(stay.person.number), _NEVER) if d is not None)
        day = max(stay.start + delay, desk.first, organisation.opened)
        if day >= end or day > desk.last or not organisation.active(day):
            continue
        file, person = File(stay, desk.open_file(organisation, stay.person), day), stay.person.number
        _register(desk, organisation, file, reason, knows, desk.rng("registration", number, person))
        _services(desk, organisation, file, end, never_client, desk.rng("services", number, person))
        known.append(file)
    if known:
        told = _departures(desk, organisation, known, number) if desk.settings.hearsay else {}
        if desk.settings.contacts:
            _contacts(desk, organisation, known, number, told)
        _reopened(desk, organisation, known)
        if desk.settings.hearsay:
            _returns(desk, known, number)


def _register(
    desk: Desk, organisation: Organisation, file: File, reason: str, knows: bool, rng: np.random.Generator
) -> None:
    """The establishment, as the regional organisation notes it when it opens the file."""
    stay, opening, day = file
    grown = stay.person.role != "child"
    where = desk.residence(stay.person.number, day)
    old = bool(stay.origin) and rng.random() < desk.rate("old_address_at_establishment")
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
    desk: Desk, organisation: Organisation, file: File, end: int, never: bool, rng: np.random.Generator
) -> None:
    """Services in the region, from the opening of the file to the end of the stay."""
    stay, opening, day = file
    grown = stay.person.role != "child"
    if stay.pairing is not None and day < stay.pairing < end:
        # A service with a planted effect is always written: the truth file states what it does.
        where = desk.residence(stay.person.number, stay.pairing)
        desk.write(organisation, stay.person, opening, "service", stay.pairing, where, service="pairing",
                   service_date=stay.pairing)  # fmt: skip
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


def _contacts(desk: Desk, organisation: Organisation, known: list[File], number: int, told: dict[int, int]) -> None:
    """The contacts of one household's stay: one call a month of the schedule, one row a person.

    One draw decides for the household, so that the failures of its members go together; each member fails by the
    probability of their own state. A contact follows the schedule of the person's own establishment. `told` is when
    a departure row was filed: it ends the contacts only if `news_stops_contacts`.
    """
    s = desk.settings
    rng = desk.rng("contacts", number)
    unreachable = rng.random() < s.hard_to_reach
    done: set[int] = set()
    for months in s.follow_up_months:
        jitter, u = 0 if s.contacts_succeed else between(rng, *s.follow_up_jitter), rng.random()
        details = rng.random(4)
        precision = PRECISION.draw(rng)
        for stay, opening, registered in known:
            person = stay.person.number
            day = add_months(stay.start, months) + jitter
            again = desk.back_in_region(stay)
            if person in done or day <= registered or (again is not None and day >= again):
                continue
            if organisation.stops_calling is not None and day >= organisation.stops_calling and not s.contacts_succeed:
                continue
            if s.news_stops_contacts and told.get(person, day + 1) <= day:
                continue
            dead = person in desk.life.deaths and desk.life.deaths[person] <= day
            left = not dead and stay.exit is not None and stay.exit <= day
            fails = not s.contacts_succeed and (
                unreachable or u < (s.contact_failure_leavers if left else s.contact_failure_stayers)
            )
            last = desk.last_known.get((person, stay.episode), stay.code)
            service = "post_settlement_follow_up"
            if fails:
                desk.write(organisation, stay.person, opening, "follow_up", day, last, service=service,
                           follow_up_date=day, status="not_reached")  # fmt: skip
            elif left or dead:
                done.add(person)
                end = desk.life.deaths[person] if dead else stay.exit
                desk.write(
                    organisation, stay.person, opening, "follow_up", day, last, service=service, follow_up_date=day,
                    status="left", precision=precision, exit_date=end if details[0] < 0.7 or dead else None,
                    exit_destination=stay.place if details[1] < 0.75 and not dead else "",
                    exit_reason="décès" if dead else stay.reason if details[2] < 0.6 else "",
                )  # fmt: skip
            else:
                where = desk.residence(person, day)
                desk.last_known[person, stay.episode] = where
                found = stay.job_later is not None and stay.job_later <= day and stay.person.role != "child"
                desk.write(
                    organisation, stay.person, opening, "follow_up", day, where, service=service, follow_up_date=day,
                    status="present", job=True if found else None, job_date=stay.job_later if found else None,
                )  # fmt: skip


def _reopened(desk: Desk, organisation: Organisation, known: list[File]) -> None:
    """Someone comes back before anybody noticed: the new file brings a departure row for the earlier stay."""
    if not (desk.settings.contacts or desk.settings.hearsay):
        return
    for stay, opening, registered in known:
        person = stay.person.number
        again = desk.back_in_region(stay)
        if again is None or stay.exit is None:
            continue
        noticed = any(
            e.person == person
            and e.organisation == organisation.index
            and e.day >= stay.exit
            and (e.kind == "departure" or e.status == "left")
            for e in desk.events
        )
        if not noticed and again > registered:
            desk.write(organisation, stay.person, opening, "departure", again, stay.code, exit_date=stay.exit,
                       exit_destination=stay.place, exit_reason=stay.reason, precision="month")  # fmt: skip


def _delay(rng: np.random.Generator, hazard: tuple[float, ...], months: int = 120) -> int | None:
    """Months from the exit to the first news, or None."""
    for d, u in enumerate(rng.random(months).tolist()):
        if u < hazard[_PIECES[d] if d < len(_PIECES) else 5]:
            return d
    return None


def _departures(desk: Desk, organisation: Organisation, known: list[File], number: int) -> dict[int, int]:
    """Departure rows filed when the regional organisation hears; who left together is heard of together."""
    rng = desk.rng("news", number)
    told: dict[int, int] = {}
    news: dict[tuple[int, str], tuple[int | None, int, str, bool, bool]] = {}
    for stay, opening, registered in known:
        person = stay.person.number
        end = desk.life.deaths.get(person) if stay.cause == "death" else stay.exit
        if end is None:
            continue
        if (end, stay.cause) not in news:
            news[end, stay.cause] = (
                _delay(rng, HEARING[stay.cause]), between(rng, 0, 27), PRECISION.draw(rng), rng.random() < 0.92,
                rng.random() < 0.85,
            )  # fmt: skip
        delay, offset, precision, dated, placed = news[end, stay.cause]
        if delay is None:
            continue
        day = max(add_months(end, delay) + offset, end, registered + 1)
        again = desk.back_in_region(stay)
        if again is not None and day >= again:
            continue
        last = desk.residence(person, end - 1) or stay.code
        event = desk.write(
            organisation, stay.person, opening, "departure", day, last, exit_date=end if dated else None,
            precision=precision, exit_reason=stay.reason,
            exit_destination=stay.place if placed else "inconnu" if stay.cause != "death" else "",
        )  # fmt: skip
        if event is not None:
            told[person] = day
    return told


def _returns(desk: Desk, known: list[File], number: int) -> None:
    """Services in person by an organisation of the metropole, while they live there again."""
    rng = desk.rng("returns", number)
    units: dict[int, tuple[int | None, int, Organisation | None]] = {}
    for stay, _, _ in known:
        if stay.cause != "metropole" or stay.exit is None:
            continue
        if stay.exit not in units:
            delay, offset = _delay(rng, SERVED_AGAIN, 24), between(rng, 0, 27)
            units[stay.exit] = (delay, offset, desk.network.in_metropole(rng, stay.exit))
        delay, offset, organisation = units[stay.exit]
        if delay is None or organisation is None or stay.person.role == "child":
            continue
        first = add_months(stay.exit, delay) + offset
        opening = None
        for k in range(between(rng, 1, 2)):
            day, service = first + 35 * k, _SERVICE.draw(rng)
            where = desk.residence(stay.person.number, day)
            if where and desk.place.zone[where] == "metropole" and desk.opened(organisation, day):
                opening = opening or desk.open_file(organisation, stay.person)
                desk.write(organisation, stay.person, opening, "service", day, where, service=service, service_date=day)
