"""Plausible tables of a build, made up, for the tests of the portrait: households that arrive, settle and move on.

Every household moves as one and is known exactly: what is uncertain is put in by the tests that are about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trajectories.stays.moves import move_kinds
from trajectories.tables import (
    CATEGORIES,
    COHORT,
    CONTACTS,
    EDUCATION_LEVELS,
    FRENCH_LEVELS,
    MOVE_KINDS,
    MOVES,
    OBSERVATIONS,
    PERSONS,
    RECORDS,
    SERVICES,
    SPELLS,
    ZONES,
    conform,
)

CUTOFF = pd.Timestamp("2024-12-31")
# Towns and how likely somebody settles there: some regions large, some small, some with nobody.
TOWNS = {
    "23027": ("03", 0.30), "21045": ("03", 0.04), "43027": ("05", 0.22), "46075": ("05", 0.06), "81017": ("07", 0.16),
    "53052": ("16", 0.08), "10043": ("01", 0.06), "37067": ("04", 0.05), "94068": ("02", 0.02), "96020": ("09", 0.01),
}  # fmt: skip
ORIGINS = {"66023": ("06", 0.7), "65005": ("13", 0.12), "58227": ("16", 0.18)}
COUNTRIES = ("FRA", "DZA", "HTI", "COL", "CHN", "SYR", "CMR")


@dataclass(frozen=True)
class Made:
    """The tables."""

    cohort: pd.DataFrame
    contacts: pd.DataFrame
    spells: pd.DataFrame
    moves: pd.DataFrame
    observations: pd.DataFrame
    records: pd.DataFrame
    persons: pd.DataFrame

    def tables(self) -> tuple[pd.DataFrame, ...]:
        """In the order that `whole_portrait` takes them."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


def make(households: int = 400, seed: int = 1) -> Made:
    """So many households; everything is a function of the two numbers."""
    rng = np.random.default_rng(seed)
    stays, spells, records = [], [], []
    for number in range(households):
        _household(rng, number, stays, spells, records)
    spells = conform(pd.DataFrame(spells), SPELLS)
    typed = conform(pd.DataFrame(records).assign(file="f", sheet="s", row=1), RECORDS)[list(RECORDS.columns)]
    of = conform(pd.DataFrame({**typed[["record_id"]], "person_id": [r["person_id"] for r in records],
                               "household_id": [r["household_id"] for r in records]}), PERSONS)  # fmt: skip
    seen = typed.merge(of, on="record_id").assign(
        kind="service", earliest=lambda f: f["service_date_earliest"], latest=lambda f: f["service_date_latest"],
        municipality=lambda f: f["residence_code"], region=lambda f: f["residence_region"],
        zone=lambda f: f["residence_zone"],
    )  # fmt: skip
    cohort = conform(pd.DataFrame(stays), COHORT)
    contacts = conform(pd.DataFrame({"person_id": pd.Series(dtype=object)}).assign(episode=1, month=0.0, kind="x"),
                       CONTACTS)  # fmt: skip
    seen = conform(seen, OBSERVATIONS)[list(OBSERVATIONS.columns)]
    return Made(cohort, contacts, spells, moves_between(spells), seen, typed, of)


def _household(rng: np.random.Generator, number: int, stays: list, spells: list, records: list) -> None:
    size = int(rng.integers(1, 5))
    adults = 1 if size == 1 else int(rng.integers(1, 3))
    arrival = pd.Timestamp("2018-01-01") + pd.Timedelta(days=int(rng.integers(0, 2200)))
    wait = int(rng.exponential(300)) + 20
    where = [_draw(rng, ORIGINS) if rng.random() < 0.85 else None, _draw(rng, TOWNS)]
    days = [arrival, arrival + pd.Timedelta(days=wait)]
    for _ in range(int(rng.choice(4, p=[0.6, 0.2, 0.1, 0.1]))):
        days.append(days[-1] + pd.Timedelta(days=int(rng.exponential(500)) + 40))
        back = where[-1] not in ORIGINS and rng.random() < 0.7
        where.append(_draw(rng, ORIGINS if back else TOWNS))
    course = [(town, day) for town, day in zip(where, days, strict=True) if town is not None and day < CUTOFF]
    course = [step for i, step in enumerate(course) if i == 0 or step[0] != course[i - 1][0]]
    traits = {
        "immigration_category": str(rng.choice(CATEGORIES, p=[0.5, 0.2, 0.2, 0.02, 0.02, 0.04, 0.02])),
        "french": str(rng.choice(FRENCH_LEVELS)), "education": str(rng.choice(EDUCATION_LEVELS)),
        "household_size": size, "household_id": f"H{number:04d}",
    }  # fmt: skip
    country = str(rng.choice(COUNTRIES))
    for k in range(size):
        born = arrival - pd.Timedelta(days=int(rng.integers(19 * 365, 50 * 365) if k < adults else
                                               rng.integers(0, 17 * 365)))  # fmt: skip
        _person(f"P{number:04d}{k}", born, course, arrival, traits, country, rng, stays, spells, records)


def _person(person, born, course, arrival, traits, country, rng, stays, spells, records) -> None:
    earlier: set[str] = set()
    for i, (town, day) in enumerate(course):
        region, zone = _place(town)
        open_ = i == len(course) - 1
        end = CUTOFF if open_ else course[i + 1][1]
        spells.append({
            "person_id": person, "household_id": traits["household_id"], "spell": i + 1, "municipality": town,
            "region": region, "zone": zone, "start_earliest": day, "start_latest": day, "end_earliest": end,
            "end_latest": None if open_ else end, "last_confirmed": end, "outcome": "present" if open_ else "moved",
            "destination_zone": None if open_ else _place(course[i + 1][0])[1], "n_observations": 2,
        })  # fmt: skip
        records.append({
            "record_id": f"{person}-{i}", "person_id": person, "household_id": traits["household_id"],
            "organisation_id": f"O{region}", "organisation_zone": zone, "birth_country": country,
            "fiscal_year": "2018-2019", "quarter": 1, "service": str(rng.choice(SERVICES[:4])),
            "service_date_earliest": day + pd.Timedelta(days=10), "service_date_latest": day + pd.Timedelta(days=10),
            "residence_code": town, "residence_region": region, "residence_zone": zone,
        })  # fmt: skip
        before = course[i - 1][0] if i else None
        if zone == "region" and not (before and _place(before)[0] == region and _place(before)[1] == "region"):
            pathway = "primary" if before is None else "secondary" if before in ORIGINS else "onward"
            stays.append({
                **traits, "person_id": person, "episode": len(earlier) + 1, "perimeter": "RMR-2021",
                "scope": "region", "region": region, "municipality": town,
                "pathway": "return_stay" if region in earlier else pathway,
                "origin_region": None if before is None else _place(before)[0],
                "origin_zone": None if before is None else _place(before)[1],
                "establishment_earliest": day, "establishment_latest": day, "entry": 0.0,
                "lower": (end - day).days / 30.4, "upper": np.inf if open_ else (end - day).days / 30.4,
                "cutoff": (CUTOFF - day).days / 30.4, "heard_until": (CUTOFF - day).days / 30.4,
                "exit": None if open_ else "metropole", "age": (day - born).days / 365.25,
                "years_since_arrival": (day - arrival).days / 365.25,
                "city_size": "100k_plus" if town in ("23027", "43027", "81017", "37067", "94068") else "10k_50k",
            })  # fmt: skip
            earlier.add(region)


def moves_between(spells: pd.DataFrame) -> pd.DataFrame:
    """The table `moves` of spells that follow one another."""
    following = spells.shift(-1)
    moved = spells["person_id"].eq(following["person_id"]).to_numpy()
    sides = {"origin": spells[moved], "destination": following[moved]}
    found = pd.DataFrame({
        f"{side}_{name}": frame[name].to_numpy() for side, frame in sides.items()
        for name in ("municipality", "region", "zone")
    })  # fmt: skip
    regions = found[["origin_region", "destination_region"]].to_numpy()
    codes = pd.factorize(regions.ravel())[0].reshape(-1, 2)
    zones = {side: found[f"{side}_zone"].map({zone: i for i, zone in enumerate(ZONES)}).to_numpy() for side in sides}
    kinds = move_kinds(codes[:, 0], zones["origin"], codes[:, 1], zones["destination"])
    found = found.assign(
        person_id=spells.loc[moved, "person_id"].to_numpy(), move=spells.loc[moved, "spell"].to_numpy(),
        kind=[MOVE_KINDS[kind] for kind in kinds], earliest=spells.loc[moved, "end_earliest"].to_numpy(),
        latest=spells.loc[moved, "end_latest"].to_numpy(),
    )  # fmt: skip
    return conform(found, MOVES)[list(MOVES.columns)]


def _draw(rng: np.random.Generator, towns: dict[str, tuple[str, float]]) -> str:
    weights = np.array([weight for _, weight in towns.values()])
    return str(rng.choice(list(towns), p=weights / weights.sum()))


def _place(town: str) -> tuple[str, str]:
    return (ORIGINS[town][0], "metropole") if town in ORIGINS else (TOWNS[town][0], "region")
