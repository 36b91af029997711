"""The whole simulation in one function: read it aloud and you have the method."""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd

from .clock import day_of, quarter_of
from .defects import Mishaps
from .deposits import Ledger, deposit, write_all
from .drafts import Identity, draft, file_events, identify, settle_forms
from .events import Event
from .geography import Geography, geography
from .habits import Habit, habits
from .histories import Life, live
from .organisations import Network, found
from .population import Calendar, Household, draw_household
from .reporting import report
from .settings import Settings
from .truth import Truth, true_tables


def simulate(folder: Path | str, settings: Settings | None = None) -> Truth:
    """Write synthetic deposits below `folder`/raw and their truth below `folder`/truth.

    What an earlier simulation wrote there (`truth/manifest.txt`) is replaced; deposits of any other origin are never
    touched.

    Parameters
    ----------
    folder : path
        Where to write; made if it does not exist.
    settings : Settings, optional
        Default: 1,500 households, 30 organisations, April 2018 to December 2025, light defects, seed 1.

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
    folder = Path(folder)
    _clear(folder)
    place = geography()
    network = found(settings, place)
    lives = true_lives(settings, place)
    events = [event for life in lives for event in report(settings, place, network, life)]
    counts: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.note:
            counts[event.note, "fact"] += 1
    ledger, identities = Ledger(), []
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "organismes.csv").write_bytes(_registry(network))
    manners = habits(settings, network)
    quarters = range(quarter_of(day_of(settings.start)), quarter_of(day_of(settings.end)) + 1)
    by_organisation: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda e: (e.day, e.household, e.person)):
        by_organisation.setdefault(event.organisation, []).append(event)
    people = {p.number: p for life in lives for p in life.household.members}
    homes = {life.household.number: life.household for life in lives}
    deposits = []
    for organisation, habit in zip(network.all, manners, strict=True):
        mine = by_organisation.get(organisation.index, [])
        files = identify(habit, organisation, mine, people, homes)
        mishaps = Mishaps(settings, place, counts)
        mishaps.to_identities(list(files.values()), habit.dates)
        drafts = [
            draft(settings, place, organisation, habit, files[event.person, event.opening], event, quarter)
            for event, quarter in file_events(settings, organisation, mine, quarters[-1])
        ]
        mishaps.to_rows(drafts)
        for item in drafts:
            settle_forms(place, item)
        identities += list(files.values())
        deposits += deposit(settings, place, organisation, habit, drafts, quarters, counts)
    write_all(settings, raw, deposits, ledger, counts)
    _count_habits(counts, manners)
    truth = Truth(
        **true_tables(place, network, lives),
        identities=_identities(network, identities),
        rows=ledger.frame(),
        defects=pd.DataFrame(
            [(name, scope, n) for (name, scope), n in sorted(counts.items()) if n], columns=["name", "scope", "count"]
        ),
    )
    truth.write(folder / "truth", settings)
    _write_manifest(folder)
    return truth


def true_lives(settings: Settings, place: Geography) -> list[Life]:
    """The true histories alone: no organisation has looked at them yet."""
    calendar, lives, person = Calendar(settings), [], 1
    for number in range(1, settings.households + 1):
        household: Household = draw_household(settings, place, calendar, number, person)
        person += len(household.members)
        lives.append(live(settings, place, household))
    return lives


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


def _registry(network: Network) -> bytes:
    place = geography()
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(["code", "nom", "municipalite"])
    writer.writerows([o.code, o.name, place.name[o.municipality]] for o in network.all)
    return buffer.getvalue().encode("utf-8")


def _identities(network: Network, identities: list[Identity]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "organisation_id": [network.all[i.organisation].code for i in identities],
            "file_number": [i.file_number for i in identities],
            "household_number": [i.household_number for i in identities],
            "true_person": [i.person.number for i in identities],
            "true_household": [i.household.number for i in identities],
        }
    )


def _count_habits(counts: Counter[tuple[str, str]], manners: list[Habit]) -> None:
    for habit in manners:
        for name in ("format", "header", "dates", "places"):
            counts[f"{name}={getattr(habit, name)}", "habit"] += 1
        if habit.format == "csv":
            counts[f"encoding={habit.encoding}", "habit"] += 1
            counts[f"separator={habit.separator!r}", "habit"] += 1
        for name in ("annual", "drops_zeros", "french_words", "upper_names", "synonyms"):
            counts[name, "habit"] += getattr(habit, name)
