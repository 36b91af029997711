"""What each organisation sees of a household and notes: services, establishments, and what `following` adds.

Each household has one generator for reporting; each channel draws from its own child of it, so that switching one
channel off leaves the rows of the others as they were.

How the end of a stay becomes known is told in `following`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .following import File, follow
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
        first = desk.rng("first_service", number)
        reported = first.random() >= desk.settings.service_only
        if not reported:
            delay = between(first, 0, 364)
        organisation = before.get(region)
        chosen = desk.network.serving(rng, region, max(start, desk.first))
        if organisation is None or not organisation.active(max(start, desk.first)):
            organisation = chosen
        if number == 1 and home is not None and not late and reported:
            _departure_from_metropole(desk, home, group)
        if organisation is None or start > desk.last:
            continue
        before[region] = organisation
        _stay(desk, organisation, group, delay, number, reported)


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


def _stay(desk: Desk, organisation: Organisation, group: list[Stay], delay: int, number: int, reported: bool) -> None:
    """One household in one region: its registration (or first service), services, and how its end becomes known."""
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
        opening, person = desk.open_file(organisation, stay.person), stay.person.number
        file = File(stay, opening, day, stay.start if reported else day)
        if reported:
            _register(desk, organisation, file, reason, knows, desk.rng("registration", number, person))
        else:
            _first_service(desk, organisation, file, desk.rng("first_service", number, person))
        _services(desk, organisation, file, end, never_client, desk.rng("services", number, person))
        known.append(file)
    if known:
        follow(desk, organisation, known, number)


def _register(
    desk: Desk, organisation: Organisation, file: File, reason: str, knows: bool, rng: np.random.Generator
) -> None:
    """The establishment, as the regional organisation notes it when it opens the file."""
    stay, opening, day, _ = file
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


def _first_service(desk: Desk, organisation: Organisation, file: File, rng: np.random.Generator) -> None:
    """The first that is known of a stay whose establishment nobody reports."""
    stay, opening, day, _ = file
    service = _AFTER.draw(rng) if stay.person.role != "child" else "family_support"
    where = desk.residence(stay.person.number, day)
    desk.write(organisation, stay.person, opening, "service", day, where, service=service, service_date=day)


def _services(
    desk: Desk, organisation: Organisation, file: File, end: int, never: bool, rng: np.random.Generator
) -> None:
    """Services in the region, from the opening of the file to the end of the stay."""
    stay, opening, day, _ = file
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
