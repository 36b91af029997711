"""How the end of a stay becomes known: scheduled contacts, hearsay, services after a return, files re-opened.

A scheduled contact says « présent », « parti » or « non joint »; leavers are the hardest to reach. The share first
heard of in the d-th month after the exit is a discrete hazard on d = 0, 1, 2–3, 4–6, 7–12, 13+ (observation-model.md,
« News »); a share is never heard of because the last piece is small and time runs out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .histories import Stay
from .organisations import Desk, Event, Organisation
from .settings import Choice, Settings, add_months, between

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
    """A file that the regional organisation opened for a stay, the day it did, and the day its schedule counts from."""

    stay: Stay
    opening: int
    registered: int
    since: int


class Manner(NamedTuple):
    """How well a departure row knows the departure: the precision of its date, whether it has one, and a place."""

    precision: str
    dated: bool
    placed: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Manner:
        """The manner of one departure."""
        return cls(PRECISION.draw(rng), rng.random() < 0.92, rng.random() < 0.85)


def follow(desk: Desk, organisation: Organisation, known: list[File], number: int) -> None:
    """All that tells of the end of one household's stay."""
    told = _departures(desk, organisation, known, number) if desk.settings.hearsay else {}
    if desk.settings.contacts:
        found = _contacts(desk, organisation, known, number, told)
        _after_contact(desk, organisation, known, number, told, found)
    _reopened(desk, organisation, known)
    if desk.settings.hearsay:
        _returns(desk, known, number)


def _contacts(
    desk: Desk, organisation: Organisation, known: list[File], number: int, told: dict[int, Event]
) -> dict[int, Event]:
    """The contacts of one household's stay: one call a month of the schedule, one row a person.

    One draw decides for the household, so that the failures of its members go together; each member fails by the
    probability of their own state. A contact follows the schedule of the person's own establishment. `told` holds the
    departure rows: they end the contacts only if `news_stops_contacts`. Returns what was written of those found gone.
    """
    s = desk.settings
    rng, attempts = desk.rng("contacts", number), desk.rng("attempts", number)
    rng.random()  # unused: keeps the draws that follow where they have always been
    hard = desk.rng("reach").random() < s.hard_to_reach  # the household, in all its stays
    out_of_reach = desk.rng("reach", number)
    done: set[int] = set()
    found: dict[int, Event] = {}
    for months in s.follow_up_months:
        jitter, u = 0 if s.contacts_succeed else between(rng, *s.follow_up_jitter), rng.random()
        details = rng.random(4)
        precision = PRECISION.draw(rng)
        attempt = attempts.random()
        misses = hard and out_of_reach.random() < s.hard_to_reach_failure
        for stay, opening, registered, since in known:
            person = stay.person.number
            day = add_months(since, months) + jitter
            again = desk.back_in_region(stay)
            if person in done or day <= registered or (again is not None and day >= again):
                continue
            if organisation.stops_calling is not None and day >= organisation.stops_calling and not s.contacts_succeed:
                continue
            if s.news_stops_contacts and person in told and told[person].day <= day:
                continue
            if attempt >= _attempted(s, stay, day) and not s.contacts_succeed:
                continue
            dead = person in desk.life.deaths and desk.life.deaths[person] <= day
            left = not dead and stay.exit is not None and stay.exit <= day
            fails = not s.contacts_succeed and (misses or u < _failing(s, stay, left, desk.last))
            last = desk.last_known.get((person, stay.episode), stay.code)
            service = "post_settlement_follow_up"
            if fails:
                desk.write(organisation, stay.person, opening, "follow_up", day, last, service=service,
                           follow_up_date=day, status="not_reached")  # fmt: skip
            elif left or dead:
                done.add(person)
                end = desk.life.deaths[person] if dead else stay.exit
                event = desk.write(
                    organisation, stay.person, opening, "follow_up", day, last, service=service, follow_up_date=day,
                    status="left", precision=precision, exit_date=end if details[0] < 0.7 or dead else None,
                    exit_destination=stay.place if details[1] < 0.75 and not dead else "",
                    exit_reason="décès" if dead else stay.reason if details[2] < 0.6 else "",
                )  # fmt: skip
                if event is not None:
                    found[person] = event
            else:
                where = desk.residence(person, day)
                desk.last_known[person, stay.episode] = where
                job = stay.job_later is not None and stay.job_later <= day and stay.person.role != "child"
                desk.write(
                    organisation, stay.person, opening, "follow_up", day, where, service=service, follow_up_date=day,
                    status="present", job=True if job else None, job_date=stay.job_later if job else None,
                )  # fmt: skip
    return found


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
    desk: Desk, organisation: Organisation, known: list[File], number: int, told: dict[int, Event],
    found: dict[int, Event],
) -> None:  # fmt: skip
    """What the contacts that found somebody gone do to the departure rows (`departure_row_after_contact`)."""
    rule = desk.settings.departure_row_after_contact
    if rule == "suppressed":
        for person, contact in found.items():
            if person in told and told[person].day >= contact.day:
                desk.events.remove(told[person])
    elif rule != "as_heard":
        noted: set[int] = set()  # days of a call of which a « parti » stands
        for file in known:
            person = file.stay.person.number
            if person in found:
                _cause(desk, organisation, file, number, found[person], told.get(person), noted)


def _cause(
    desk: Desk, organisation: Organisation, file: File, number: int, contact: Event, heard: Event | None,
    noted: set[int],
) -> None:  # fmt: skip
    """The departure row that one « parti » brings about, if any."""
    rule, rng = desk.settings.departure_row_after_contact, desk.rng("caused", number, contact.person)
    causes, lag, manner = rng.random() < desk.settings.departure_row_share, between(rng, 0, 20), Manner.draw(rng)
    replaces = rule == "caused_other_member"
    if replaces and contact.day not in noted:
        noted.add(contact.day)
        return
    day = contact.day if replaces else contact.day + lag
    again = desk.back_in_region(file.stay)
    if not causes or (again is not None and day >= again):
        return
    if rule == "caused_other_organisation":
        other = _another(desk, organisation, contact.person, day)
        if other is not None:
            _departure(desk, other[0], file._replace(opening=other[1]), day, manner)
    elif (heard is None or heard.day > day) and _departure(desk, organisation, file, day, manner) is not None:
        # An organisation tells of a departure once, as soon as it can.
        desk.events = [e for e in desk.events if e is not heard and not (replaces and e is contact)]


def _another(desk: Desk, organisation: Organisation, person: int, day: int) -> tuple[Organisation, int] | None:
    """The other open organisation that last wrote of a person, with the file it did so under."""
    written = [
        e
        for e in desk.events
        if e.person == person
        and e.organisation != organisation.index
        and e.day <= day
        and desk.opened(desk.network.all[e.organisation], day)
    ]
    latest = max(written, key=lambda e: e.day, default=None)
    return None if latest is None else (desk.network.all[latest.organisation], latest.opening)


def _reopened(desk: Desk, organisation: Organisation, known: list[File]) -> None:
    """Someone comes back before anybody noticed: the new file brings a departure row for the earlier stay."""
    if not (desk.settings.contacts or desk.settings.hearsay):
        return
    for stay, opening, registered, _ in known:
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


def _delay(
    rng: np.random.Generator, hazard: tuple[float, ...], months: int = 120, fades: float = 1.0, lasted: float = 0.0
) -> int | None:
    """Months from the exit to the first news, or None; `lasted` is the length of the stay in months."""
    for d, u in enumerate(rng.random(months).tolist()):
        if u < hazard[_PIECES[d] if d < len(_PIECES) else 5] * fades ** ((lasted + d) / 12):
            return d
    return None


def _departures(desk: Desk, organisation: Organisation, known: list[File], number: int) -> dict[int, Event]:
    """Departure rows filed when the regional organisation hears; who left together is heard of together."""
    rng = desk.rng("news", number)
    told: dict[int, Event] = {}
    news: dict[tuple[int, str], tuple[int | None, int, Manner]] = {}
    for file in known:
        stay, person, registered = file.stay, file.stay.person.number, file.registered
        end = _end(desk, stay)
        if end is None:
            continue
        if (end, stay.cause) not in news:
            lasted = (end - stay.start) / 30.4375
            news[end, stay.cause] = (
                _delay(rng, HEARING[stay.cause], fades=desk.settings.hearing_fades, lasted=lasted),
                between(rng, 0, 27), Manner.draw(rng),
            )  # fmt: skip
        delay, offset, manner = news[end, stay.cause]
        if delay is None or (stay.cause == "outside_quebec" and not desk.settings.heard_abroad):
            continue
        day = max(add_months(end, delay) + offset, end, registered + 1)
        again = desk.back_in_region(stay)
        if again is not None and day >= again:
            continue
        event = _departure(desk, organisation, file, day, manner)
        if event is not None:
            told[person] = event
    return told


def _end(desk: Desk, stay: Stay) -> int | None:
    """The day a stay ended, by a move or a death."""
    return desk.life.deaths.get(stay.person.number) if stay.cause == "death" else stay.exit


def _departure(desk: Desk, organisation: Organisation, file: File, day: int, manner: Manner) -> Event | None:
    """A departure row, if the organisation is open to write it."""
    stay, end = file.stay, _end(desk, file.stay)
    if end is None:
        return None
    return desk.write(
        organisation, stay.person, file.opening, "departure", day,
        desk.residence(stay.person.number, end - 1) or stay.code, exit_date=end if manner.dated else None,
        precision=manner.precision, exit_reason=stay.reason,
        exit_destination=stay.place if manner.placed else "inconnu" if stay.cause != "death" else "",
    )  # fmt: skip


def _returns(desk: Desk, known: list[File], number: int) -> None:
    """Services in person by an organisation of the metropole, while they live there again."""
    rng = desk.rng("returns", number)
    units: dict[int, tuple[int | None, int, Organisation | None]] = {}
    for stay, _, _, _ in known:
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
