"""The truth beside the deposits: who, where, from when to when, and what became of each row.

`months` of a stay whose person died is the length it would have had (death only censors); their `exit` is NaT.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from . import effects
from .clock import months_between
from .geography import Geography
from .histories import Life
from .organisations import Network
from .settings import Settings


@dataclass(frozen=True)
class Truth:
    """What is true of one simulation, as tables.

    Attributes
    ----------
    persons : true_person, true_household, role, given_name, family_name, birth_date, sex, birth_country,
        immigration_category, arrival_date, french (0–12), education, death_date
    residences : true_person, start, end (NaT: open), municipality, region, zone, place (outside Québec)
    stays : true_person, true_household, group, episode, pathway, municipality, region, establishment, exit, exit_cause,
        exit_destination, exit_reason, months (calendar months, inf if it never ends), job_found, job_found_later,
        housing_found, exploratory_visit, pairing, city_size, immigration_category, origin
    identities : organisation_id, file_number, household_number, true_person, true_household
    rows : file, sheet ("" for text), row (as a spreadsheet shows it), organisation_id, true_person, true_household,
        kind (service, establishment, follow_up, departure, total), fate (accepted, superseded, duplicate, quarantined),
        event_date, exit_date, residence_code, destination_code, residence_form, destination_form (exact, variant,
        slip, alias, qualified: determinable; homonym, area, sanitary, unknown, none: not; homonym_postal, postal: by
        the postal code at most; outside: outside Québec), quarantine_reason, superseded_by, note (an odd fact, by its
        defect's name), service (canonical code), status (present, left, not_reached)
    organisations : organisation_id, name, municipality, region, zone, opened, closed, stops_calling (dates, NaT: never)
    defects : name, scope, count
    """

    persons: pd.DataFrame
    residences: pd.DataFrame
    stays: pd.DataFrame
    identities: pd.DataFrame
    rows: pd.DataFrame
    organisations: pd.DataFrame
    defects: pd.DataFrame

    def write(self, folder: Path, settings: Settings) -> None:
        """Write the tables as parquet, the planted effects and the settings as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for item in dataclasses.fields(self):
            getattr(self, item.name).to_parquet(folder / f"{item.name}.parquet", index=False)
        _json(folder / "effects.json", effects.as_json())
        _json(folder / "settings.json", {k: v for k, v in dataclasses.asdict(settings).items()})

    @classmethod
    def read(cls, folder: Path | str) -> Truth:
        """Read what `write` wrote."""
        return cls(**{f.name: pd.read_parquet(Path(folder) / f"{f.name}.parquet") for f in dataclasses.fields(cls)})


def _json(path: Path, value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"
    path.write_bytes(text.encode("utf-8"))


def dates(days: list[int | None]) -> np.ndarray:
    """Day numbers as datetime64, None as NaT."""
    nat = np.iinfo(np.int64).min
    return np.array([nat if d is None else d for d in days], dtype=np.int64).astype("M8[D]").astype("M8[ns]")


def true_tables(place: Geography, network: Network, lives: list[Life]) -> dict[str, pd.DataFrame]:
    """Persons, residences, stays and organisations."""
    everyone = [(life, p) for life in lives for p in life.household.members]
    persons = pd.DataFrame(
        {
            "true_person": [p.number for _, p in everyone],
            "true_household": [x.household.number for x, _ in everyone],
            "role": [p.role for _, p in everyone],
            "given_name": [p.given_name for _, p in everyone],
            "family_name": [p.family_name for _, p in everyone],
            "birth_date": dates([p.birth for _, p in everyone]),
            "sex": [p.sex for _, p in everyone],
            "birth_country": [p.birth_country for _, p in everyone],
            "immigration_category": [x.household.category for x, _ in everyone],
            "arrival_date": dates([x.household.arrival for x, _ in everyone]),
            "french": [p.french for _, p in everyone],
            "education": [p.education for _, p in everyone],
            "death_date": dates([x.deaths.get(p.number) for x, p in everyone]),
        }
    )
    lived = sorted((r for life in lives for r in life.residences), key=lambda r: (r.person, r.start))
    residences = pd.DataFrame(
        {
            "true_person": [r.person for r in lived],
            "start": dates([r.start for r in lived]),
            "end": dates([r.end for r in lived]),
            "municipality": [r.code for r in lived],
            "region": [place.region.get(r.code, "") for r in lived],
            "zone": [place.zone.get(r.code, "outside_quebec") for r in lived],
            "place": [r.place for r in lived],
        }
    )
    return {
        "persons": persons,
        "residences": residences,
        "stays": _stays(place, lives),
        "organisations": _partners(network),
    }


def _stays(place: Geography, lives: list[Life]) -> pd.DataFrame:
    stays = sorted(
        ((s, life) for life in lives for s in life.stays), key=lambda pair: (pair[0].person.number, pair[0].episode)
    )
    start, latent = dates([s.start for s, _ in stays]), dates([s.length_to for s, _ in stays])
    return pd.DataFrame(
        {
            "true_person": [s.person.number for s, _ in stays],
            "true_household": [x.household.number for _, x in stays],
            "group": [s.group for s, _ in stays],
            "episode": [s.episode for s, _ in stays],
            "pathway": [s.pathway for s, _ in stays],
            "municipality": [s.code for s, _ in stays],
            "region": [place.region[s.code] for s, _ in stays],
            "establishment": start,
            "exit": dates([s.exit for s, _ in stays]),
            "exit_cause": [s.cause for s, _ in stays],
            "exit_destination": [s.place for s, _ in stays],
            "exit_reason": [s.reason for s, _ in stays],
            "months": months_between(start, latent),
            "job_found": [s.job for s, _ in stays],
            "job_found_later": dates([s.job_later for s, _ in stays]),
            "housing_found": [s.housing for s, _ in stays],
            "exploratory_visit": [s.visited for s, _ in stays],
            "pairing": dates([s.pairing for s, _ in stays]),
            "city_size": [place.city_size(s.code) for s, _ in stays],
            "immigration_category": [x.household.category for _, x in stays],
            "origin": [s.origin for s, _ in stays],
        }
    )


def _partners(network: Network) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "organisation_id": [o.code for o in network.all],
            "name": [o.name for o in network.all],
            "municipality": [o.municipality for o in network.all],
            "region": [o.region for o in network.all],
            "zone": [o.zone for o in network.all],
            "opened": dates([o.opened for o in network.all]),
            "closed": dates([o.closed for o in network.all]),
            "stops_calling": dates([o.stops_calling for o in network.all]),
        }
    )
