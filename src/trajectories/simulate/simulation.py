"""The simulation in one function, and the truth that it writes beside the deposits.

`simulate` follows the method step by step. The truth holds persons, residences, stays and the fate of each row. The
`months` of a stay whose person died are the length it would have had (death only censors); its `exit` is NaT.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trajectories.months import months_between

from . import settings as effects
from .defects import Mishaps, count_what_is_there, note_under_the_spouse, reopen_files
from .deposits import Deposit, deposit, write_all
from .geography import geography
from .habits import (
    Change,
    Scene,
    changes,
    eras,
    merged,
    refuse_unknown_habits,
    to_events,
    to_identities,
    to_rows,
    with_drawn,
)
from .histories import Life, true_lives
from .organisations import Event, Habit, Organisation, habits, network_of
from .reporting import report
from .settings import Settings, as_dates, day_of, quarter_of, quarter_start
from .sheets import Identity, draft, file_events, identify, settle_fate, settle_forms


def simulate(folder: Path | str, settings: Settings | None = None, *, lives: Sequence[Life] | None = None) -> Truth:
    """
    Write synthetic deposits below `folder`/raw and their truth below `folder`/truth.

    What an earlier simulation wrote there (`truth/manifest.txt`) is replaced; deposits of any other origin are never
    touched.

    Parameters
    ----------
    folder : path
        Where to write; made if it does not exist.
    settings : Settings, optional
        Default: 1,500 households, 30 organisations, April 2018 to December 2025, light defects, seed 1.
    lives : sequence of Life, optional
        Histories to tell of instead of those that the settings draw; `households` is then not read, and
        `effects.json` does not hold for them.

    Returns
    -------
    Truth
        The true tables, as written.

    Raises
    ------
    FileExistsError
        `folder`/raw holds files that no simulation wrote.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=5, organisations=2, defects="none"))
    >>> truth.persons["true_household"].nunique()
    5
    """
    settings = settings or Settings()
    refuse_unknown_habits(settings)
    folder = Path(folder)
    _clear(folder)
    network = network_of(settings)
    lives = true_lives(settings) if lives is None else list(lives)
    mishaps = Mishaps(settings)
    events = [event for life in lives for event in report(settings, network, life, mishaps.rate)]
    mishaps.counts.update((event.note, "fact") for event in events if event.note)
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    manners = with_drawn(settings, network, habits(settings, network))
    changed = changes(settings, network, manners)
    partners = [*network.all, *(c.heir for c in changed.values() if c.is_new)]
    (raw / "organismes.csv").write_bytes(_registry(partners))
    quarters = range(quarter_of(day_of(settings.start)), quarter_of(day_of(settings.end)) + 1)
    by_organisation: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda e: (e.day, e.household, e.person)):
        by_organisation.setdefault(event.organisation, []).append(event)
    people = {p.number: p for life in lives for p in life.household.members}
    homes = {life.household.number: life.household for life in lives}
    life_of = {life.household.number: life for life in lives}
    identities: list[tuple[Organisation, Habit, Identity]] = []
    deposits: list[Deposit] = []
    by_organisation = merged(by_organisation, changed)
    for organisation, habit in zip(network.all, manners, strict=True):
        own_events = by_organisation.get(organisation.index, [])
        note_under_the_spouse(own_events, organisation, life_of, mishaps)
        reopen_files(own_events, organisation, mishaps)
        own_events = to_events(Scene(settings, organisation, life_of), habit.drawn, own_events)
        files = identify(habit, organisation, own_events, people, homes)
        mishaps.bend("identity", list(files.values()), organisation.index)
        to_identities(settings, habit, list(files.values()))
        drafts = [
            draft(settings, organisation, files[event.person, event.opening], event, quarter)
            for event, quarter in file_events(settings, organisation, own_events, quarters[-1])
        ]
        mishaps.bend("row", drafts, organisation.index)
        to_rows(settings, drafts)
        for item in drafts:
            settle_forms(item)
            settle_fate(item)
        for era, era_drafts in eras(organisation, changed.get(organisation.index), drafts):
            seen = {id(d.identity) for d in era_drafts}
            for identity in (i for i in files.values() if era is organisation or id(i) in seen):
                identity.lines[era.code] = len(identities)
                identities.append((era, habit, identity))
            deposits += deposit(settings, era, habit, era_drafts, quarters, mishaps)
    rows = write_all(raw, deposits, mishaps)
    count_what_is_there(events, life_of, mishaps)
    _count_habits(mishaps.counts, manners)
    counts = [(name, scope, n) for (name, scope), n in sorted(mishaps.counts.items()) if n]
    truth = Truth(
        **true_tables(lives),
        organisations=_partners(partners, manners, changed),
        identities=_identities(identities),
        rows=rows,
        defects=pd.DataFrame(counts, columns=["name", "scope", "count"]),
    )
    truth.write(folder / "truth", settings)
    _write_manifest(folder)
    return truth


def _clear(folder: Path) -> None:
    """Remove what an earlier simulation wrote, and nothing else; refuse where there is anything else."""
    raw, truth = folder / "raw", folder / "truth"
    manifest = truth / "manifest.txt"
    ours = set(manifest.read_text(encoding="utf-8").splitlines()) if manifest.exists() else set()
    there = {p.relative_to(raw).as_posix() for p in raw.rglob("*") if not p.is_dir()} if raw.exists() else set()
    if there - ours:
        raise FileExistsError(
            f"{raw} holds files that no simulation wrote, such as {min(there - ours)}: choose another folder."
        )
    for name in there:
        (raw / name).unlink()
    if manifest.exists():
        shutil.rmtree(truth)


def _write_manifest(folder: Path) -> None:
    raw = folder / "raw"
    names = sorted(p.relative_to(raw).as_posix() for p in raw.rglob("*") if p.is_file())
    (folder / "truth" / "manifest.txt").write_bytes("".join(f"{n}\n" for n in names).encode("utf-8"))


def _registry(partners: list[Organisation]) -> bytes:
    """The list of organisations that comes with the deposits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(["code", "nom", "municipalite"])
    writer.writerows([o.code, o.name, geography().name[o.municipality]] for o in partners)
    return buffer.getvalue().encode("utf-8")


def _count_habits(counts: Counter[tuple[str, str]], manners: list[Habit]) -> None:
    for habit in manners:
        for name in ("format", "header", "dates", "places"):
            counts[f"{name}={getattr(habit, name)}", "habit"] += 1
        if habit.format == "csv":
            counts[f"encoding={habit.encoding}", "habit"] += 1
            counts[f"separator={habit.separator!r}", "habit"] += 1
        for name in ("annual", "drops_zeros", "french_words", "upper_names", "synonyms", "drift"):
            counts[name, "habit"] += getattr(habit, name)


@dataclass(frozen=True)
class Truth:
    """
    What is true of one simulation, as tables.

    Attributes
    ----------
    persons : true_person, true_household, role, given_name, family_name, birth_date, sex, birth_country,
        immigration_category, arrival_date, french (0–12), education, death_date
    residences : true_person, start, end (NaT: open), municipality, region, zone, place (outside Québec)
    stays : true_person, true_household, group, episode, pathway, municipality, region, establishment, exit, exit_cause,
        exit_destination, exit_reason, months (calendar months, inf if it never ends), job_found, job_found_later,
        housing_found, exploratory_visit, pairing, city_size, immigration_category, origin
    identities : organisation_id, file_number, household_number, true_person, true_household, and how it says who that
        is: given_form (full, nickname, initial, none), family_form (own, spouse, none), birth_form (day, swapped, year,
        none; 01-01 is a year)
    rows : file, sheet ("" for text), row (as a spreadsheet shows it), organisation_id, true_person, true_household,
        kind (service, establishment, follow_up, departure; total and aggregate: nobody's), fate (accepted,
        superseded, duplicate, quarantined), event_date, exit_date, residence_code, destination_code, residence_form,
        destination_form (exact, variant, slip, alias, qualified: determinable; homonym, area, sanitary, unknown, none:
        not; homonym_postal, postal: by the postal code at most; outside: outside Québec), quarantine_reason,
        superseded_by, note (an odd fact, by its defect's name), service (canonical code), status (present, left,
        not_reached), date_form (how event_date is typed: day, month, quarter, year, missing, unreadable, moved to
        another day), exit_form and follow_up_form (the same of exit_date and follow_up_date), noted_date (the day it
        was written), true_code (where the person lived on that day), stale (the residence typed is another: an old
        address, or the organisation's own town), identity (the line of `identities`)
    organisations : organisation_id, name, municipality, region, zone, opened, closed, stops_calling (dates, NaT:
        never), habits (of `HABITS`, by name, with spaces between)
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
        """
        Write the tables as parquet, the planted effects and the settings as JSON.

        Parameters
        ----------
        folder : Path
            Where to write; made if it does not exist.
        settings : Settings
            What the simulation was made with, kept beside its truth.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for item in dataclasses.fields(self):
            getattr(self, item.name).to_parquet(folder / f"{item.name}.parquet", index=False)
        _json(folder / "effects.json", effects.as_json())
        _json(folder / "settings.json", {k: v for k, v in dataclasses.asdict(settings).items()})

    @classmethod
    def read(cls, folder: Path | str) -> Truth:
        """
        Read the truth of an earlier simulation.

        Parameters
        ----------
        folder : path
            The folder that `write` filled: `truth` beside `raw`.

        Returns
        -------
        Truth
            The same tables, of the same types.

        Raises
        ------
        FileNotFoundError
            A table is missing: the folder is not a simulation's.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     truth = simulate(folder, Settings(households=5, organisations=2))
        ...     Truth.read(Path(folder) / "truth").stays.equals(truth.stays)
        True
        """
        return cls(**{f.name: pd.read_parquet(Path(folder) / f"{f.name}.parquet") for f in dataclasses.fields(cls)})


def _json(path: Path, value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"
    path.write_bytes(text.encode("utf-8"))


def true_tables(lives: list[Life]) -> dict[str, pd.DataFrame]:
    """Persons, residences and stays."""
    geo = geography()
    everyone = [(life, p) for life in lives for p in life.household.members]
    persons = pd.DataFrame(
        {
            "true_person": [p.number for _, p in everyone],
            "true_household": [x.household.number for x, _ in everyone],
            "role": [p.role for _, p in everyone],
            "given_name": [p.given_name for _, p in everyone],
            "family_name": [p.family_name for _, p in everyone],
            "birth_date": as_dates([p.birth for _, p in everyone]),
            "sex": [p.sex for _, p in everyone],
            "birth_country": [p.birth_country for _, p in everyone],
            "immigration_category": [x.household.category for x, _ in everyone],
            "arrival_date": as_dates([x.household.arrival for x, _ in everyone]),
            "french": [p.french for _, p in everyone],
            "education": [p.education for _, p in everyone],
            "death_date": as_dates([x.deaths.get(p.number) for x, p in everyone]),
        }
    )
    lived = sorted((r for life in lives for r in life.residences), key=lambda r: (r.person, r.start))
    residences = pd.DataFrame(
        {
            "true_person": [r.person for r in lived],
            "start": as_dates([r.start for r in lived]),
            "end": as_dates([r.end for r in lived]),
            "municipality": [r.code for r in lived],
            "region": [geo.region.get(r.code, "") for r in lived],
            "zone": [geo.zone.get(r.code, "outside_quebec") for r in lived],
            "place": [r.place for r in lived],
        }
    )
    return {
        "persons": persons,
        "residences": residences,
        "stays": _stays(lives),
    }


def _stays(lives: list[Life]) -> pd.DataFrame:
    geo = geography()
    stays = sorted(
        ((s, life) for life in lives for s in life.stays), key=lambda pair: (pair[0].person.number, pair[0].episode)
    )
    start, latent = as_dates([s.start for s, _ in stays]), as_dates([s.length_to for s, _ in stays])
    return pd.DataFrame(
        {
            "true_person": [s.person.number for s, _ in stays],
            "true_household": [x.household.number for _, x in stays],
            "group": [s.group for s, _ in stays],
            "episode": [s.episode for s, _ in stays],
            "pathway": [s.pathway for s, _ in stays],
            "municipality": [s.code for s, _ in stays],
            "region": [geo.region[s.code] for s, _ in stays],
            "establishment": start,
            "exit": as_dates([s.exit for s, _ in stays]),
            "exit_cause": [s.cause for s, _ in stays],
            "exit_destination": [s.place for s, _ in stays],
            "exit_reason": [s.reason for s, _ in stays],
            "months": np.where(np.isnat(latent), np.inf, months_between(start, latent)),
            "job_found": [s.job for s, _ in stays],
            "job_found_later": as_dates([s.job_later for s, _ in stays]),
            "housing_found": [s.housing for s, _ in stays],
            "exploratory_visit": [s.visited for s, _ in stays],
            "pairing": as_dates([s.pairing for s, _ in stays]),
            "city_size": [geo.city_size(s.code) for s, _ in stays],
            "immigration_category": [x.household.category for _, x in stays],
            "origin": [s.origin for s, _ in stays],
        }
    )


def _identities(identities: list[tuple[Organisation, Habit, Identity]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "organisation_id": [o.code for o, _, _ in identities],
            "file_number": [i.file_number for _, _, i in identities],
            "household_number": [i.household_number for _, _, i in identities],
            "true_person": [i.person.number for _, _, i in identities],
            "true_household": [i.household.number for _, _, i in identities],
            "given_form": [i.given_form if h.fills("prenom") else "none" for _, h, i in identities],
            "family_form": [i.family_form if h.fills("nom") else "none" for _, h, i in identities],
            "birth_form": [i.birth_form if h.fills("date_naissance") else "none" for _, h, i in identities],
        }
    )


def _partners(partners: list[Organisation], manners: list[Habit], changed: dict[int, Change]) -> pd.DataFrame:
    ends = {o.code: o.closed for o in partners}
    for organisation in partners[: len(manners)]:
        if organisation.index in changed:
            ends[organisation.code] = quarter_start(changed[organisation.index].quarter) - 1
    return pd.DataFrame(
        {
            "organisation_id": [o.code for o in partners],
            "name": [o.name for o in partners],
            "municipality": [o.municipality for o in partners],
            "region": [o.region for o in partners],
            "zone": [o.zone for o in partners],
            "opened": as_dates([o.opened for o in partners]),
            "closed": as_dates([ends[o.code] for o in partners]),
            "stops_calling": as_dates([o.stops_calling for o in partners]),
            "habits": [" ".join(sorted(manners[o.index].drawn)) for o in partners],
        }
    )
