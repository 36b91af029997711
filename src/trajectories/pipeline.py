"""The whole line: deposits → records → persons → spells → cohort → estimates → protected tables → reports.

`build` and `analyse` read as the method section: each line is a room. The command line, notebooks and the cluster
call these functions; nothing else knows the order.
"""

from __future__ import annotations

import importlib.metadata
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
from .fingerprint import PACKAGE, file_hash, fingerprint, source_hash
from .folders import private_folder, replaced
from .persons import (
    LOOSE,
    SAMPLE_KEY,
    STRICT,
    Links,
    Model,
    Resolved,
    decide,
    excluded_records,
    link,
    match_weights,
    read_exclusions,
    resolve,
    secret_key,
)
from .persons.review import read_decisions, review_table, write_review
from .portrait import accounting, decisions, portrait
from .retention import estimate
from .sensitivity import linkage_sensitivity
from .spells import Residences, build_spells
from .study import Study
from .synthetic import is_synthetic, make_sample

# What an analysis wrote, and from what: the reason to make it again.
STAMP = "analysis.json"
# Settings that say where things are, not what they are.
_WHERE = ("paths", "exclusions", "linkage_model")


@dataclass(frozen=True)
class Tables:
    """All tables of a build, as read back from its folder."""

    records: pd.DataFrame
    persons: pd.DataFrame
    links: pd.DataFrame
    alternatives: pd.DataFrame
    observations: pd.DataFrame
    spells: pd.DataFrame
    moves: pd.DataFrame
    conflicts: pd.DataFrame
    cohort: pd.DataFrame
    contacts: pd.DataFrame
    set_aside: pd.DataFrame
    quarantine: pd.DataFrame
    issues: pd.DataFrame
    superseded: pd.DataFrame
    files: pd.DataFrame


@dataclass(frozen=True)
class Built:
    """What `build` made: deposits as read, who is who, residences, cohort, and how many rows were left out."""

    deposits: Deposits
    persons: pd.DataFrame
    links: pd.DataFrame
    alternatives: pd.DataFrame
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
    linked = _linked(deposits.records, study, key)
    resolved = resolve(linked, study.match_threshold, key)
    gone = excluded_records(deposits.records, resolved.persons, read_exclusions(study.exclusions))
    records, persons, alternatives = (
        frame[~frame["record_id"].isin(gone)].reset_index(drop=True)
        for frame in (deposits.records, resolved.persons, _alternatives(linked, study, key))
    )
    _review(linked, resolved, gone, study, key)
    say("spells")
    residences = build_spells(records, persons, study=study)
    say("cohort")
    cohort = build_cohort(residences, records, persons, study=study)
    built = Built(
        replace(deposits, records=records), persons, resolved.links, alternatives, residences, cohort, len(gone)
    )
    say("tables")
    write_tables(built, study, synthetic)
    return built


def _model(study: Study) -> Model:
    return Model.shipped() if study.linkage_model is None else Model.read(study.linkage_model)


def _choices(study: Study) -> dict[str, str]:
    """What the tables of a build were made for: written in each, and compared before they are analysed."""
    return {
        "perimeter": study.perimeter, "scope": study.scope, "match_threshold": f"{study.match_threshold:g}",
        "linkage_model": _model(study).version,
    }  # fmt: skip


def _linked(records: pd.DataFrame, study: Study, key: bytes) -> Links:
    """Every pair of identities with its probabilities, and what a reviewer decided of some."""
    scratch = private_folder(private_folder(study.paths.derived) / "tmp")
    return decide(link(records, model=_model(study), scratch=scratch), read_decisions(review_folder(study)), key)


def _alternatives(links: Links, study: Study, key: bytes) -> pd.DataFrame:
    """Who is who at a lower and at a higher threshold than the study's."""
    found = [
        resolve(links, threshold, key).persons.assign(threshold=threshold)
        for threshold in (LOOSE, STRICT)
        if threshold != study.match_threshold
    ]
    return tables.stack(found, tables.ALTERNATIVES)[list(tables.ALTERNATIVES.columns)]


def review_folder(study: Study) -> Path:
    """Where the clerical review is written, and read back."""
    return study.paths.reports / "sensitive" / "review"


def _review(links: Links, resolved: Resolved, gone: pd.Series, study: Study, key: bytes) -> None:
    """The doubtful pairs for a human to decide, without anyone who asked to be left out."""
    private_folder(study.paths.reports / "sensitive")
    write_review(review_table(links, resolved, key, without=gone), review_folder(study))


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
    notes = _choices(study) | {
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
        "links": built.links,
        "alternatives": built.alternatives,
        "observations": built.residences.observations,
        "spells": built.residences.spells,
        "moves": built.residences.moves,
        "conflicts": built.residences.conflicts,
        "cohort": built.cohort.cohort,
        "contacts": built.cohort.contacts,
        "set_aside": built.cohort.set_aside,
    }
    for name, frame in made.items():
        tables.save(tables.conform(frame, tables.TABLES[name]), tables.TABLES[name], folder, **notes)
    counts = accounting(built.deposits, built.n_excluded)
    with replaced(folder / "accounting.parquet") as scratch:
        counts.to_parquet(scratch, index=False)


def draw_cohort(study: Study, out: Path, *, progress: Callable[[str], None] | None = None) -> Cohort:
    """
    The cohort for the study's perimeter, scope and pathway, from the records and persons of a build.

    Writes spells, moves, conflicts, cohort and contacts below `out`; the build itself is left as it is.
    """
    say = progress or (lambda _: None)
    notes = tables.read_metadata(tables.COHORT, study.paths.derived)
    records = tables.load(tables.RECORDS, study.paths.derived)
    persons = tables.load(tables.PERSONS, study.paths.derived)
    say("spells")
    residences = build_spells(records, persons, study=study)
    say("cohort")
    drawn = build_cohort(residences, records, persons, study=study)
    if study.pathway is not None:
        drawn = _of_pathway(drawn, study.pathway)
    notes = {
        "perimeter": study.perimeter, "scope": study.scope, "pathway": study.pathway or "all",
        "cutoff": residences.cutoff.date().isoformat(), "synthetic": notes.get("synthetic", "no"),
    }  # fmt: skip
    say("tables")
    made = {
        "spells": residences.spells, "moves": residences.moves, "conflicts": residences.conflicts,
        "cohort": drawn.cohort, "contacts": drawn.contacts,
    }  # fmt: skip
    if out.parent.parent == study.paths.derived:
        private_folder(out.parent)
    for name, frame in made.items():
        tables.save(tables.conform(frame, tables.TABLES[name]), tables.TABLES[name], out, **notes)
    return drawn


def _of_pathway(drawn: Cohort, pathway: str) -> Cohort:
    kept = drawn.cohort[drawn.cohort["pathway"].eq(pathway)].reset_index(drop=True)
    contacts = drawn.contacts.merge(kept[["person_id", "episode"]], on=["person_id", "episode"])
    return Cohort(kept, contacts)


def write_sensitive(study: Study, folder: str, name: str, text: str) -> Path:
    """Write a text below `<reports>/sensitive/<folder>`; the name is the caller's own, never a deposit's."""
    path = private_folder(private_folder(study.paths.reports / "sensitive") / folder) / name
    with replaced(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
    return path


def load_tables(derived: Path) -> Tables:
    """The tables of a finished build (raises `StaleTableError` where one is missing or of another version)."""
    return Tables(**{name: tables.load(tables.TABLES[name], derived) for name in Tables.__dataclass_fields__})


def analyse(study: Study, *, progress: Callable[[str], None] | None = None, force: bool = False) -> Path:
    """
    Tables to estimates: everything a report shows, before protection, in `<reports>/sensitive/tables`.

    Writes the tables of `retention.Estimates`, counts, sensitivity (to the threshold of the linkage) and weights (of
    the linkage) as parquet, `accounting.csv` (what became of the rows of each file) and `run.json` (what was asked).
    Where none of what they come from has changed, and `force` is not asked, they are left as they are.

    Raises
    ------
    StaleTableError
        The build is missing, of another version, or was made for another perimeter, scope or cut-off.
    """
    say = progress or (lambda _: None)
    notes = _same_study(study)
    folder = private_folder(private_folder(study.paths.reports / "sensitive") / "tables")
    origin = fingerprint(_analysed_from(study, notes))
    if not force and _is_made(folder, origin):
        say("estimates (unchanged)")
        return folder
    cohort = tables.load(tables.COHORT, study.paths.derived)
    contacts = tables.load(tables.CONTACTS, study.paths.derived)
    records, persons, links, alternatives, conflicts = (
        tables.load(table, study.paths.derived)
        for table in (tables.RECORDS, tables.PERSONS, tables.LINKS, tables.ALTERNATIVES, tables.CONFLICTS)
    )
    say("estimates")
    estimates = estimate(cohort, contacts, study=study)
    say("sensitivity")
    known = {"cohort": Cohort(cohort, contacts), "retention": estimates.retention}
    sensitivity = linkage_sensitivity(records, persons, alternatives, study=study, **known)
    counted = [
        portrait(cohort, contacts, study=study),
        decisions(records, persons, links, conflicts, study=study),
        pd.read_parquet(study.paths.derived / "accounting.parquet"),
    ]
    made = {
        **{name: getattr(estimates, name) for name in type(estimates).__dataclass_fields__},
        "sensitivity": sensitivity,
        "counts": pd.concat(counted, ignore_index=True),
        "weights": match_weights(_model(study)),
    }
    for name, frame in made.items():
        with replaced(folder / f"{name}.parquet") as scratch:
            frame.to_parquet(scratch, index=False)
    with replaced(folder / "accounting.csv") as scratch:
        tables.load(tables.FILES, study.paths.derived).to_csv(scratch, index=False)
    with replaced(folder / "run.json") as scratch:
        scratch.write_text(json.dumps(_description(study, notes), indent=1, sort_keys=True), encoding="utf-8")
    written = [*(f"{name}.parquet" for name in made), "accounting.csv", "run.json"]
    with replaced(folder / STAMP) as scratch:
        hashes = {name: file_hash(folder / name) for name in written}
        scratch.write_text(json.dumps({"from": origin, "files": hashes}, indent=1, sort_keys=True), encoding="utf-8")
    return folder


def _analysed_from(study: Study, notes: dict[str, str]) -> dict[str, Any]:
    """All that the estimates depend on: tables, settings, the library's source, the libraries that compute."""
    names = [*(t.name for t in (tables.RECORDS, tables.PERSONS, tables.LINKS, tables.ALTERNATIVES, tables.CONFLICTS,
                                tables.COHORT, tables.CONTACTS, tables.FILES)), "accounting"]  # fmt: skip
    asked = {name: repr(value) for name, value in vars(study).items() if name not in _WHERE}
    rooms = [path.name for path in PACKAGE.iterdir() if path.name not in ("report", "cli.py", "__pycache__")]
    return {
        "tables": {name: file_hash(study.paths.derived / f"{name}.parquet") for name in names},
        "study": asked,
        "notes": notes,
        "model": _model(study).to_json(),
        "source": source_hash(rooms),
        "libraries": {name: importlib.metadata.version(name) for name in ("numpy", "pandas", "pyarrow", "scipy")},
    }


def _is_made(folder: Path, origin: str) -> bool:
    """Whether the folder holds, whole, what an analysis of the same origin wrote."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return stamp["from"] == origin and all(file_hash(folder / n) == h for n, h in stamp["files"].items())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return False


def _same_study(study: Study) -> dict[str, str]:
    notes = tables.read_metadata(tables.COHORT, study.paths.derived)
    if not notes:
        raise StaleTableError(f"{study.paths.derived} holds no build: run `trajectories build` first.")
    asked = _choices(study)
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
        "horizons": list(study.horizons),
        "follow_up_months": list(study.follow_up_months),
        "grace_days": study.grace_days,
        "support": study.support,
        "replicates": study.replicates,
        "seed": study.seed,
    }


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
