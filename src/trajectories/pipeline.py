"""The whole line: deposits → records → persons → spells → cohort → estimates → protected tables → reports.

`build` and `analyse` read as the method section: each line is a room. The command line, notebooks and the cluster
call these functions; nothing else knows the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from . import tables
from .cohort import Cohort, build_cohort
from .deposits import Deposits, read_deposits
from .exceptions import StaleTableError, UnusableInputError
from .folders import private_folder, replaced
from .persons import SAMPLE_KEY, excluded_records, link_persons, read_exclusions, secret_key
from .portrait import accounting, portrait
from .retention import estimate
from .spells import Residences, build_spells
from .study import Paths, Study

# Where the synthetic sample lives, beside the folders of real data (design.md, « Rooms »).
SAMPLE_FOLDER = "sample"
# Written into each folder of the sample: it is what tells synthetic tables from real ones.
SYNTHETIC_MARK = "SYNTHETIC"


@dataclass(frozen=True)
class Tables:
    """All tables of a build, as read back from its folder."""

    records: pd.DataFrame
    persons: pd.DataFrame
    observations: pd.DataFrame
    spells: pd.DataFrame
    moves: pd.DataFrame
    conflicts: pd.DataFrame
    cohort: pd.DataFrame
    contacts: pd.DataFrame
    quarantine: pd.DataFrame
    issues: pd.DataFrame
    superseded: pd.DataFrame
    files: pd.DataFrame


@dataclass(frozen=True)
class Built:
    """What `build` made: deposits as read, residences, cohort, and how many rows were left out by request."""

    deposits: Deposits
    persons: pd.DataFrame
    residences: Residences
    cohort: Cohort
    n_excluded: int

    @property
    def unreadable(self) -> pd.DataFrame:
        """The files that could not be read, with why."""
        files = self.deposits.files
        return files[files["status"].eq("unreadable")]


def build(study: Study, *, progress: Callable[[str], None] | None = None) -> Built:
    """
    Deposits to tables: read, link, reconstruct, draw the cohort, and write every table below `study.paths.derived`.

    Raises
    ------
    UnusableInputError
        The raw folder holds no deposit with a usable row.
    """
    say = progress or (lambda _: None)
    synthetic = is_synthetic(study.paths.raw)
    key = SAMPLE_KEY if synthetic else secret_key()
    say("deposits")
    deposits = read_deposits(study.paths.raw, study=study)
    if deposits.records.empty:
        raise UnusableInputError(_nothing_usable(study, deposits))
    say("persons")
    persons = link_persons(deposits.records, key=key)
    requests = read_exclusions(study.exclusions)
    gone = excluded_records(deposits.records, persons, requests)
    records = deposits.records[~deposits.records["record_id"].isin(gone)].reset_index(drop=True)
    persons = persons[~persons["record_id"].isin(gone)].reset_index(drop=True)
    say("spells")
    residences = build_spells(records, persons, study=study)
    say("cohort")
    cohort = build_cohort(residences, records, persons, study=study)
    built = Built(replace(deposits, records=records), persons, residences, cohort, len(gone))
    say("tables")
    write_tables(built, study, synthetic)
    return built


def _nothing_usable(study: Study, deposits: Deposits) -> str:
    if deposits.files.empty:
        return f"{study.paths.raw} holds no deposit: put the partners' files there, or name another folder with --raw."
    why = deposits.files["message"].dropna()
    first = f" First: {deposits.files['file'].iloc[0]}: {why.iloc[0]}" if len(why) else ""
    return f"None of the {len(deposits.files)} file(s) in {study.paths.raw} holds a usable row.{first}"


def write_tables(built: Built, study: Study, synthetic: bool) -> None:
    """Every table as parquet in the derived folder, with the perimeter, scope and cut-off they were made for."""
    folder = private_folder(study.paths.derived)
    private_folder(folder / "tmp")
    notes = {
        "perimeter": study.perimeter,
        "scope": study.scope,
        "cutoff": built.residences.cutoff.date().isoformat(),
        "synthetic": "yes" if synthetic else "no",
    }
    made = {
        "records": built.deposits.records,
        "quarantine": built.deposits.quarantine,
        "issues": built.deposits.issues,
        "superseded": built.deposits.superseded,
        "files": built.deposits.files,
        "persons": built.persons,
        "observations": built.residences.observations,
        "spells": built.residences.spells,
        "moves": built.residences.moves,
        "conflicts": built.residences.conflicts,
        "cohort": built.cohort.cohort,
        "contacts": built.cohort.contacts,
    }
    for name, frame in made.items():
        tables.save(tables.conform(frame, tables.TABLES[name]), tables.TABLES[name], folder, **notes)
    counts = accounting(built.deposits, built.n_excluded)
    with replaced(folder / "accounting.parquet") as scratch:
        counts.to_parquet(scratch, index=False)


def load_tables(derived: Path) -> Tables:
    """The tables of a finished build (raises `StaleTableError` where one is missing or of another version)."""
    return Tables(**{name: tables.load(tables.TABLES[name], derived) for name in Tables.__dataclass_fields__})


def analyse(study: Study, *, progress: Callable[[str], None] | None = None) -> Path:
    """
    Tables to estimates: everything a report shows, before protection, in `<reports>/sensitive/tables`.

    Writes retention, exits, curves and counts (parquet), `accounting.csv` (what became of the rows of each file) and
    `run.json` (what the run was asked).

    Raises
    ------
    StaleTableError
        The build is missing, of another version, or was made for another perimeter, scope or cut-off.
    """
    say = progress or (lambda _: None)
    notes = _same_study(study)
    cohort = tables.load(tables.COHORT, study.paths.derived)
    contacts = tables.load(tables.CONTACTS, study.paths.derived)
    say("estimates")
    estimates = estimate(cohort, contacts, study=study)
    counts = pd.concat(
        [portrait(cohort, contacts, study=study), pd.read_parquet(study.paths.derived / "accounting.parquet")],
        ignore_index=True,
    )
    folder = private_folder(private_folder(study.paths.reports / "sensitive") / "tables")
    made = {"retention": estimates.retention, "exits": estimates.exits, "curves": estimates.curves, "counts": counts}
    for name, frame in made.items():
        with replaced(folder / f"{name}.parquet") as scratch:
            frame.to_parquet(scratch, index=False)
    with replaced(folder / "accounting.csv") as scratch:
        tables.load(tables.FILES, study.paths.derived).to_csv(scratch, index=False)
    with replaced(folder / "run.json") as scratch:
        scratch.write_text(json.dumps(_description(study, notes), indent=1, sort_keys=True), encoding="utf-8")
    return folder


def _same_study(study: Study) -> dict[str, str]:
    notes = tables.read_metadata(tables.COHORT, study.paths.derived)
    if not notes:
        raise StaleTableError(f"{study.paths.derived} holds no build: run `trajectories build` first.")
    asked = {"perimeter": study.perimeter, "scope": study.scope}
    if study.cutoff is not None:
        asked["cutoff"] = study.cutoff.isoformat()
    changed = [f"{key} {notes.get(key)} (asked: {value})" for key, value in asked.items() if notes.get(key) != value]
    if changed:
        raise StaleTableError(f"The tables were built for {', '.join(changed)}: rebuild with `trajectories build`.")
    return notes


def _description(study: Study, notes: dict[str, str]) -> dict[str, Any]:
    from . import __version__

    return {
        "version": __version__,
        "perimeter": study.perimeter,
        "scope": study.scope,
        "pathway": study.pathway or "all",
        "cutoff": notes["cutoff"],
        "synthetic": notes["synthetic"] == "yes",
        "provisional": True,
        "horizons": list(study.horizons),
        "follow_up_months": list(study.follow_up_months),
        "grace_days": study.grace_days,
        "support": study.support,
        "replicates": study.replicates,
        "seed": study.seed,
    }


# ── the synthetic sample ──────────────────────────────────────────────────────────────────────────────────
def is_synthetic(raw: Path) -> bool:
    """Whether a raw folder is the simulator's (its mark stands beside it)."""
    return (Path(raw).parent / SYNTHETIC_MARK).exists()


def has_deposits(raw: Path) -> bool:
    """Whether a raw folder holds any file that could be a deposit."""
    from .deposits.reading import find_deposits

    return bool(find_deposits(Path(raw)))


def sample_study(study: Study) -> Study:
    """The study, on the sample's folders: data/sample and reports/sample, beside the real ones."""
    data = study.paths.raw.parent / SAMPLE_FOLDER
    paths = Paths(raw=data / "raw", derived=data / "derived", reports=study.paths.reports / SAMPLE_FOLDER)
    return replace(study, paths=paths)


def make_sample(study: Study, **settings: Any) -> Study:
    """Generate the synthetic sample where it does not exist yet; returns the study that reads it."""
    from .simulate import Settings, simulate

    on_sample = sample_study(study)
    folder = on_sample.paths.raw.parent
    if not (folder / SYNTHETIC_MARK).exists():
        private_folder(folder)
        simulate(folder, Settings(**settings))
        mark_synthetic(folder)
    return on_sample


def mark_synthetic(folder: Path) -> None:
    """Say in the folder that its deposits were invented: reports then carry the banner, ids the public key."""
    sentence = "These deposits were invented by `trajectories simulate`.\n"
    (Path(folder) / SYNTHETIC_MARK).write_text(sentence, encoding="utf-8")


def sample(study: Study | None = None) -> Tables:
    """
    The tables of the synthetic sample, generated and built once into data/sample.

    For a first cell in a notebook. The folder is that of the nearest study.toml at or above the working folder.
    """
    study = make_sample(study or nearest_study())
    try:
        return load_tables(study.paths.derived)
    except StaleTableError:
        build(study)
        return load_tables(study.paths.derived)


def nearest_study(start: Path | None = None) -> Study:
    """The study.toml at or above a folder; the defaults, from that folder, where there is none."""
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "study.toml").exists():
            return Study.read(folder / "study.toml")
    return Study.from_mapping({}, folder=here)
