"""News of departures: heard of late, by destination, or never; and services after a return to the metropole.

The share first heard of in the d-th month after the exit is a discrete hazard on d = 0, 1, 2–3, 4–6, 7–12, 13+
(observation-model.md, « News »); a share is never heard of because the last piece is small and time runs out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .chance import Choice, between
from .clock import add_months
from .contacts import PRECISION
from .histories import Stay
from .organisations import Organisation

if TYPE_CHECKING:
    from .reporting import Desk

HEARING = {
    "metropole": (0.10, 0.09, 0.07, 0.05, 0.03, 0.010),
    "other_region": (0.10, 0.08, 0.06, 0.05, 0.025, 0.008),
    "outside_quebec": (0.07, 0.06, 0.045, 0.03, 0.018, 0.005),
    "death": (0.50, 0.30, 0.10, 0.05, 0.0, 0.0),
}
_PIECES = (0, 1, 2, 2, 3, 3, 3, *(4,) * 6)
SERVED_AGAIN = {
    "hazard": (0.10, 0.08, 0.07, 0.05, 0.02, 0.0)
}  # a month, of being served in the metropole after a return
_SERVICE = Choice(("job_search", "housing_search", "personal_support", "francization"), (0.4, 0.25, 0.25, 0.1))


def _delay(rng: np.random.Generator, hazard: tuple[float, ...], months: int = 120) -> int | None:
    """Months from the exit to the first news, or None."""
    for d, u in enumerate(rng.random(months).tolist()):
        if u < hazard[_PIECES[d] if d < len(_PIECES) else 5]:
            return d
    return None


def departures(
    desk: Desk, organisation: Organisation, known: list[tuple[Stay, int, int]], number: int
) -> dict[int, int]:
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


def returns(desk: Desk, known: list[tuple[Stay, int, int]], number: int) -> None:
    """Services in person by an organisation of the metropole, while they live there again."""
    rng = desk.rng("returns", number)
    units: dict[int, tuple[int | None, int, Organisation | None]] = {}
    for stay, _, _ in known:
        if stay.cause != "metropole" or stay.exit is None:
            continue
        if stay.exit not in units:
            delay, offset = _delay(rng, SERVED_AGAIN["hazard"], 24), between(rng, 0, 27)
            units[stay.exit] = (delay, offset, desk.network.in_metropole(rng, stay.exit))
        delay, offset, organisation = units[stay.exit]
        if delay is None or organisation is None or stay.person.role == "child":
            continue
        first = add_months(stay.exit, delay) + offset
        opening = None
        for k in range(between(rng, 1, 2)):
            day, service = first + 35 * k, _SERVICE.draw(rng)
            where = desk.residence(stay.person.number, day)
            if (
                where
                and desk.place.zone[where] == "metropole"
                and desk.first <= day <= desk.last
                and organisation.active(day)
            ):
                opening = opening or desk.open_file(organisation, stay.person)
                desk.write(organisation, stay.person, opening, "service", day, where, service=service, service_date=day)
