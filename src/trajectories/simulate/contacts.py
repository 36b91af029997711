"""Scheduled contacts: « présent », « parti », « non joint ». Leavers are the hardest to reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chance import Choice, between
from .clock import add_months
from .histories import Stay
from .organisations import Organisation

if TYPE_CHECKING:
    from .reporting import Desk

PRECISION = Choice(("day", "month", "quarter", "year"), (0.45, 0.40, 0.10, 0.05))


def scheduled(
    desk: Desk, organisation: Organisation, known: list[tuple[Stay, int, int]], number: int, told: dict[int, int]
) -> None:
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


def reopened(desk: Desk, organisation: Organisation, known: list[tuple[Stay, int, int]]) -> None:
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
