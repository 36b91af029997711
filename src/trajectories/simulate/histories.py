"""True residential histories: who lived where, from when to when, and how each stay en région ended.

A household moves in units: people who move together. Most leave with the household; an adult may leave on another day,
drawn from the same hazard, and then is a unit alone (correlated moves, unchanged margin).
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field

import numpy as np

from . import settings as effects
from .geography import geography
from .population import Calendar, Household, Person, draw_household
from .settings import HISTORY, Choice, Settings, add_months, between, date_of, generator, pick

_WITH_HOUSEHOLD = 0.92  # adults; children always
_ABROAD = Choice(
    ("Ontario", "Nouveau-Brunswick", "Alberta", "Colombie-Britannique", "France", "États-Unis", "origin"),
    (0.46, 0.08, 0.11, 0.07, 0.07, 0.05, 0.16),
)
_REASONS = {
    "metropole": Choice(
        ("emploi", "famille", "études", "services", "logement", "isolement", "langue", "discrimination", "transport"),
        (0.42, 0.20, 0.12, 0.06, 0.05, 0.07, 0.03, 0.02, 0.03),
    ),
    "other_region": Choice(
        ("emploi", "famille", "études", "logement", "services", "transport"), (0.52, 0.18, 0.12, 0.08, 0.06, 0.04)
    ),
    "outside_quebec": Choice(
        ("emploi", "famille", "retour au pays", "statut", "langue", "études"), (0.36, 0.20, 0.16, 0.14, 0.09, 0.05)
    ),
}
HORIZON_YEARS = 10


@dataclass(frozen=True)
class Residence:
    """One person in one municipality (or outside Québec: no code, a place)."""

    person: int
    start: int
    end: int | None
    code: str
    place: str = ""


@dataclass
class Stay:
    """One person's stay in one region; `length_to` is the latent end of those who die first."""

    person: Person
    group: int  # people who settled together
    episode: int
    pathway: str
    code: str
    start: int
    exit: int | None
    cause: str
    length_to: int | None
    origin: str
    place: str = ""  # where they went: a code, or a place outside Québec
    reason: str = ""
    job: bool = False
    job_later: int | None = None
    housing: bool = False
    visited: bool = False
    pairing: int | None = None


@dataclass
class Life:
    """The history of a household."""

    household: Household
    residences: list[Residence] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)

    def residence(self, person: int, day: int) -> str:
        """The municipality of a person on a day ("" outside Québec, or before arrival, or dead)."""
        for r in self.residences:
            if r.person == person and r.start <= day and (r.end is None or day < r.end):
                return r.code
        return ""


def true_lives(settings: Settings) -> list[Life]:
    """The true histories alone, without any reporting."""
    calendar, lives, person = Calendar(settings), [], 1
    for number in range(1, settings.households + 1):
        household: Household = draw_household(settings, calendar, number, person)
        person += len(household.members)
        lives.append(live(settings, household))
    return lives


def live(settings: Settings, household: Household) -> Life:
    """The whole history of one household, until well beyond the cut-off."""
    rng = generator(settings.seed, HISTORY, household.number)
    life = Life(household)
    for person in household.members:
        grown = household.arrival - person.birth > 18 * 365
        if grown and rng.random() < 0.0012 * HORIZON_YEARS:
            base = household.established or household.arrival
            life.deaths[person.number] = base + between(rng, 30, 365 * HORIZON_YEARS)
    everyone = list(household.members)
    if household.established is None:
        _metropole(rng, life, everyone, household.arrival, None, household.home)
    else:
        if household.path == "secondary":
            _metropole(rng, life, everyone, household.arrival, household.established, household.home)
        _settle(rng, life, everyone, household.established, household.destination or "", household.home)
    _bury(life)
    return life


def _metropole(
    rng: np.random.Generator, life: Life, unit: list[Person], start: int, end: int | None, code: str
) -> None:
    # Most moves out of Montréal go to the near ring and are no regionalisation (domain.md §3.3).
    move = start + between(rng, 90, 1500) if rng.random() < 0.22 else None
    if move and (end is None or move < end - 30):
        ring = geography().ring.draw(rng)
        if ring != code:
            life.residences += [Residence(p.number, start, move, code) for p in unit]
            start, code = move, ring
    life.residences += [Residence(p.number, start, end, code) for p in unit]


def _settle(rng: np.random.Generator, life: Life, unit: list[Person], start: int, code: str, origin: str) -> None:
    """A unit settles; what follows is simulated too, recursively."""
    geo = geography()
    region = geo.region[code]
    earlier = {s.person.number: sum(1 for t in life.stays if t.person is s.person) for s in life.stays}
    group = len({s.group for s in life.stays}) + 1
    job = rng.random() < effects.JOB_SHARE
    job_later = start + between(rng, 45, 420) if not job and rng.random() < 0.6 else None
    housing = rng.random() < 0.7
    visited = bool(origin) and not earlier and rng.random() < 0.35
    pairing = start + between(rng, 10, 180) if rng.random() < 0.25 else None
    hazard = _hazards(code, start, job, visited, pairing)
    leave = _leave(rng, hazard, start)
    cause, target, reason = _destination(rng, life.household, region, leave)
    lag = between(rng, 20, 110) if len(unit) > 1 and len(earlier) == 0 and rng.random() < 0.10 else 0
    leavers: list[Person] = []
    alone: list[tuple[Person, int, str, str, str]] = []
    moves_inside = between(rng, 90, 1200) if rng.random() < 0.10 else None
    second = geo.draw_in_region(rng, region, code)
    for person in unit:
        came = (
            start + lag if person.role != "principal" and lag and (leave is None or leave > start + lag + 30) else start
        )
        grown = start - person.birth > 18 * 365
        own = grown and rng.random() >= _WITH_HOUSEHOLD
        own_leave = _leave(rng, hazard, start) if own else leave
        own_cause, own_target, own_reason = (
            _destination(rng, life.household, region, own_leave) if own else (cause, target, reason)
        )
        if own and own_leave is not None and own_leave <= came:
            own_leave, own_cause, own_target, own_reason = leave, cause, target, reason
        pathway = _pathway(life, person, region, origin)
        life.stays.append(
            Stay(
                person,
                group,
                earlier.get(person.number, 0) + 1,
                pathway,
                code,
                came,
                own_leave,
                own_cause,
                own_leave,
                origin,
                own_target,
                own_reason,
                job,
                job_later,
                housing,
                visited,
                pairing,
            )
        )
        if came > start:
            before = (
                next(i for i, r in enumerate(life.residences) if r.person == person.number and r.end == start)
                if origin
                else -1
            )
            if before >= 0:
                old = life.residences[before]
                life.residences[before] = Residence(old.person, old.start, came, old.code, old.place)
        inside = came + moves_inside if moves_inside else None
        if inside and (own_leave is None or inside < own_leave - 30) and second != code:
            life.residences += [
                Residence(person.number, came, inside, code),
                Residence(person.number, inside, own_leave, second),
            ]
        else:
            life.residences.append(Residence(person.number, came, own_leave, code))
        if own and (own_leave is None or own_leave != leave):
            if own_leave is not None:
                alone.append((person, own_leave, own_cause, own_target, own_reason))
        elif own_leave is not None:
            leavers.append(person)
    if leavers and leave is not None:
        _go(rng, life, leavers, leave, cause, target, region, code)
    for person, day, own_cause, own_target, _ in alone:
        _go(rng, life, [person], day, own_cause, own_target, region, code)


def _go(
    rng: np.random.Generator,
    life: Life,
    unit: list[Person],
    day: int,
    cause: str,
    target: str,
    region: str,
    code: str,
) -> None:
    """What a unit does after it left a region."""
    geo = geography()
    base = life.household.established or life.household.arrival
    if cause == "other_region" and day < base + 365 * HORIZON_YEARS:
        _settle(rng, life, unit, day, target, code)
        return
    if cause == "other_region":
        life.residences += [Residence(p.number, day, None, target) for p in unit]
        return
    if cause == "outside_quebec":
        life.residences += [Residence(p.number, day, None, "", target) for p in unit]
        return
    again = rng.random() < 0.12
    back = day + between(rng, 120, 720)
    home = rng.random() < 0.8
    where = (
        (code if rng.random() < 0.75 else geo.draw_in_region(rng, region))
        if home
        else geo.draw_in_region(rng, geo.regions.draw(rng))
    )
    if again and day < base + 365 * (HORIZON_YEARS - 3):
        life.residences += [Residence(p.number, day, back, target) for p in unit]
        _settle(rng, life, unit, back, where, target)
    else:
        life.residences += [Residence(p.number, day, None, target) for p in unit]


def _pathway(life: Life, person: Person, region: str, origin: str) -> str:
    geo = geography()
    if any(s.person is person and geo.region[s.code] == region for s in life.stays):
        return "return_stay"
    if not origin:
        return "primary"
    return "secondary" if geo.zone[origin] == "metropole" else "onward"


def _hazards(code: str, start: int, job: bool, visited: bool, pairing: int | None) -> np.ndarray:
    geo = geography()
    ratio = effects.CITY_SIZE[geo.city_size(code)]
    ratio *= effects.REMOTE if geo.region[code] in effects.REMOTE_REGIONS else 1.0
    ratio *= effects.JOB_AT_ESTABLISHMENT if job else 1.0
    ratio *= effects.EXPLORATORY_VISIT if visited else 1.0
    hazard = effects.MONTHLY * ratio
    period = [effects.period_factor(day) for day in add_months(start, np.arange(effects.HORIZON))]
    hazard = hazard * np.array(period)
    if pairing is not None:
        # The month that holds the day counts as after it only if it is in its first half.
        hazard[int((pairing - start) / 30.4375 + 0.5) :] *= effects.PAIRING
    return hazard


def _leave(rng: np.random.Generator, hazard: np.ndarray, start: int) -> int | None:
    """The day a stay ends, or None: nobody leaves after the last piece."""
    survival = np.cumprod(1.0 - hazard)
    u, part = rng.random(), rng.random()
    if u < survival[-1]:
        return None
    month = int(np.argmax(survival <= u))
    day = add_months(start, month)
    date = date_of(day)
    return day + 1 + int(part * (monthrange(date.year, date.month)[1] - 1))


def _destination(rng: np.random.Generator, household: Household, region: str, day: int | None) -> tuple[str, str, str]:
    geo = geography()
    u, drawn_region, metropole = rng.random(), geo.regions.draw(rng), geo.draw_metropole(rng)
    abroad = _ABROAD.draw(rng)
    if day is None:
        return "", "", ""
    shares = effects.cause_shares(region, day)
    u *= sum(shares)
    cause = effects.EXIT_CAUSES[0 if u < shares[0] else 1 if u < shares[0] + shares[1] else 2]
    reason = _REASONS[cause].draw(rng)
    if cause == "metropole":
        return cause, metropole, reason
    if cause == "other_region":
        while drawn_region == region:
            drawn_region = geo.regions.draw(rng)
        return cause, geo.draw_in_region(rng, drawn_region), reason
    if reason == "retour au pays":
        abroad = "origin"
    return cause, abroad if abroad != "origin" else f"origin:{pick(rng, household.members).birth_country}", reason


def _bury(life: Life) -> None:
    """Death ends residences and stays; the latent end stays known, since death only censors."""
    for number, day in life.deaths.items():
        kept = [r for r in life.residences if r.person != number or r.start < day]
        life.residences = [
            Residence(r.person, r.start, day, r.code, r.place)
            if r.person == number and (r.end is None or r.end > day)
            else r
            for r in kept
        ]
        life.stays = [s for s in life.stays if s.person.number != number or s.start < day]
        for stay in life.stays:
            if stay.person.number == number and (stay.exit is None or stay.exit > day):
                stay.exit, stay.cause, stay.place, stay.reason = None, "death", "", "décès"
