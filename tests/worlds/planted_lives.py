"""Lives of a few planted kinds: what a typology should find again.

The people, places and organisations are the simulator's; what the people do is not drawn from its hazards but from one
of some patterns, which every household of a kind follows within some months. They are told of as any others:
`simulate(folder, settings, lives=planted_lives(settings).lives)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from trajectories.simulate import Settings
from trajectories.simulate import settings as effects
from trajectories.simulate.geography import Geography, geography
from trajectories.simulate.histories import Life, Residence, Stay
from trajectories.simulate.population import Calendar, Household, draw_household
from trajectories.simulate.settings import HISTORY, add_months, between, date_of, day_of, generator, pick

# Everyone settles early enough to be followed for so many months before the last deposit.
OBSERVED = 40


@dataclass(frozen=True)
class Pattern:
    """A kind of life: its name, the months since the establishment in which it leaves, and where to (None: never)."""

    name: str
    earliest: int = 0
    latest: int = 0
    cause: str | None = None


PATTERNS = (
    Pattern("stays"),
    Pattern("returns_early", 3, 8, "metropole"),
    Pattern("onward", 12, 18, "other_region"),
    Pattern("leaves_quebec", 20, 26, "outside_quebec"),
)


@dataclass(frozen=True)
class Planted:
    """Lives, and which pattern each person follows (`kinds`: true_person, true_household, pattern)."""

    lives: tuple[Life, ...]
    kinds: pd.DataFrame


def planted_lives(settings: Settings, patterns: Sequence[Pattern] = PATTERNS) -> Planted:
    """
    Households that came from the metropole, as many of each pattern.

    Parameters
    ----------
    settings : Settings
        `households` (all together), `start`, `end` and `seed` are read; `end` must be more than 40 months after
        `start`.
    patterns : sequence of Pattern

    Returns
    -------
    Planted

    Raises
    ------
    ValueError
        The period is too short for anybody to be followed for 40 months.

    Examples
    --------
    >>> planted_lives(Settings(households=8)).kinds.drop_duplicates("true_household")["pattern"].value_counts().max()
    np.int64(2)
    """
    place = geography()
    first, last = day_of(settings.start), add_months(day_of(settings.end), -OBSERVED)
    if last <= first:
        raise ValueError(f"from {settings.start} to {settings.end} nobody can be followed for {OBSERVED} months.")
    calendar = Calendar(dataclasses.replace(settings, end=_quarter_end(settings, last)))
    lives: list[Life] = []
    kinds, number, person = [], 0, 1
    while len(lives) < settings.households:
        number += 1
        household = draw_household(settings, calendar, number, person)
        if household.path != "secondary" or not first <= (household.established or 0) <= last:
            continue
        pattern = patterns[len(lives) % len(patterns)]
        lives.append(_live(settings, place, household, pattern))
        kinds += [(p.number, household.number, pattern.name) for p in household.members]
        person += len(household.members)
    return Planted(tuple(lives), pd.DataFrame(kinds, columns=["true_person", "true_household", "pattern"]))


def _quarter_end(settings: Settings, last: int):
    """The last quarter's end up to a day, as settings want it; the first quarter's where there is none."""
    quarters = [add_months(day_of(settings.start), 3 * n) - 1 for n in range(1, 400)]
    return date_of(max([q for q in quarters if q <= last], default=quarters[0]))


def _live(settings: Settings, place: Geography, household: Household, pattern: Pattern) -> Life:
    """The life of one household, all members together."""
    rng = generator(settings.seed, HISTORY, household.number)
    start, code = household.established or 0, household.destination or ""
    leave = None
    if pattern.cause is not None:
        leave = add_months(start, between(rng, pattern.earliest, pattern.latest - 1)) + between(rng, 1, 27)
    target = _target(rng, place, place.region[code], pattern.cause)
    job = rng.random() < effects.JOB_SHARE
    life = Life(household)
    for person in household.members:
        life.residences.append(Residence(person.number, household.arrival, start, household.home))
        life.residences.append(Residence(person.number, start, leave, code))
        life.stays.append(
            Stay(
                person,
                1,
                1,
                "secondary",
                code,
                start,
                leave,
                pattern.cause or "",
                leave,
                household.home,
                target,
                "emploi" if pattern.cause else "",
                job,
                None,
                True,
            )
        )
        if leave is None:
            continue
        outside = pattern.cause == "outside_quebec"
        life.residences.append(Residence(person.number, leave, None, "" if outside else target, target * outside))
        if pattern.cause == "other_region":
            life.stays.append(Stay(person, 2, 2, "onward", target, leave, None, "", None, code, job=job, housing=True))
    return life


def _target(rng, place: Geography, region: str, cause: str | None) -> str:
    if cause == "metropole":
        return place.draw_metropole(rng)
    if cause == "other_region":
        others = [other for other in place.by_population if other != region]
        return place.draw_in_region(rng, pick(rng, others))
    return "Ontario" if cause == "outside_quebec" else ""
