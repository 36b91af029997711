"""The organisations: where they are, when they open, close, and stop calling. All invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chance import ORGANISATION, between, generator, pick
from .clock import add_months, day_of
from .geography import MONTREAL, REGION_SHARES, Geography
from .settings import Settings

_KINDS = ("Carrefour d'accueil", "Maison", "Service d'intégration", "Accueil", "Centre interculturel", "Rencontres")
_OF = (
    "des Érables", "du Grand-Vent", "de la Boussole", "des Deux-Ponts", "du Bouleau", "de l'Étincelle",
    "des Passerelles", "du Nordet", "de la Lanterne", "des Rivages", "du Point-du-Jour", "de l'Outarde", "des Mélèzes",
)  # fmt: skip


@dataclass(frozen=True)
class Organisation:
    """One partner. `closed` is its last day, `stops_calling` the day after its last scheduled contact."""

    index: int
    code: str
    name: str
    municipality: str
    zone: str
    region: str
    opened: int
    closed: int | None
    stops_calling: int | None

    def active(self, day: int) -> bool:
        """Whether it was open on a day."""
        return self.opened <= day and (self.closed is None or day <= self.closed)


@dataclass(frozen=True)
class Network:
    """All the organisations, and who serves which region."""

    all: tuple[Organisation, ...]
    metropole: tuple[Organisation, ...]
    by_region: dict[str, tuple[Organisation, ...]]

    def serving(self, rng: np.random.Generator, region: str, day: int) -> Organisation | None:
        """An organisation that serves a region on a day: its own, else the largest region's."""
        open_ones = [o for o in self.by_region[region] if o.active(day)]
        u = rng.random()
        return open_ones[int(u * len(open_ones))] if open_ones else None

    def in_metropole(self, rng: np.random.Generator, day: int) -> Organisation | None:
        """An organisation of the metropole open on a day."""
        open_ones = [o for o in self.metropole if o.active(day)]
        u = rng.random()
        return open_ones[int(u * len(open_ones))] if open_ones else None


def found(settings: Settings, place: Geography) -> Network:
    """The organisations of a simulation."""
    rng = generator(settings.seed, ORGANISATION)
    metropole = max(1, round(settings.organisations * 0.2))
    regions = _seats(settings.organisations - metropole)
    stopping = _some(rng, len(regions), settings.stop_calling)
    closing = _some(rng, len(regions), settings.closing)
    first, last = day_of(settings.start), day_of(settings.end)
    months = (last - first) // 31
    made: list[Organisation] = []
    served: set[str] = set()
    for i in range(settings.organisations):
        inside = i < metropole
        region = "06" if inside else regions[i - metropole]
        if inside:
            town = MONTREAL if i % 4 != 3 else place.draw_metropole(rng)
        else:
            towns = place.by_population[region]
            town = max(towns.values, key=lambda c: place.population[c])
            if region in served:
                town = towns.draw(rng)
        opened = first
        if region in served and rng.random() < 0.3:
            opened = add_months(first, 3 * between(rng, 1, max(1, months // 9)))
        u, v = rng.random(), rng.random()
        closes = not inside and i - metropole in closing
        stops = not inside and i - metropole in stopping and not settings.contacts_succeed
        closed = add_months(first, int(months * (0.55 + 0.35 * u))) - 1 if closes else None
        stop = add_months(first, int(months * (0.35 + 0.4 * v))) if stops else None
        served.add(region)
        code = f"EER{i + 1:02d}" if inside else f"OBR{i - metropole + 1:02d}"
        made.append(
            Organisation(i, code, _name(i, rng), town, place.zone[town], place.region[town], opened, closed, stop)
        )
    inside_ones = tuple(o for o in made if o.zone == "metropole")
    regional = [o for o in made if o.zone != "metropole"]
    by_region = {}
    for region in REGION_SHARES:
        own = tuple(o for o in regional if o.region == region)
        by_region[region] = own or tuple(o for o in regional if o.region == regional[0].region)
    return Network(tuple(made), inside_ones, by_region)


def _seats(count: int) -> list[str]:
    """Regions of the regional organisations: one each from the largest down, then by highest average (D'Hondt)."""
    order = sorted(REGION_SHARES, key=lambda r: -REGION_SHARES[r])
    seats = order[:count]
    held = dict.fromkeys(order, 1)
    while len(seats) < count:
        region = max(order, key=lambda r: REGION_SHARES[r] / (held[r] + 1))
        held[region] += 1
        seats.append(region)
    return seats


def _some(rng: np.random.Generator, count: int, share: float) -> frozenset[int]:
    # A share of the organisations exactly (rounded), so that a setting of .1 among 24 is never none by bad luck.
    return frozenset(rng.permutation(count)[: round(count * share)].tolist())


def _name(index: int, rng: np.random.Generator) -> str:
    kind = pick(rng, _KINDS)
    name = f"{kind} {_OF[index % len(_OF)]}"
    return name if index < len(_OF) else f"{name} {'I' * (index // len(_OF) + 1)}" if index < 39 else f"{name} {index}"
