"""The pipeline: deposits → records → persons → spells → cohort → estimates → protected tables → reports.

`build` and `analysis.analyse` follow the method section: one room after the other. The command line, notebooks and the
cluster call these functions; the order of the rooms is nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from . import tables
from .analysis.portrait import accounting
from .deposits import Deposits, read_deposits
from .deposits.files import Memory
from .deposits.synthetic import SYNTHETIC_MARK, is_synthetic, mark_synthetic, sample_study
from .display import as_html
from .exceptions import LockedError, StaleTableError, UnusableInputError
from .folders import alone, private_folder, replaced
from .linkage import (
    DRAWS,
    LOOSE,
    SAMPLE_KEY,
    STRICT,
    Key,
    Links,
    cells_without,
    decide,
    drawn_thresholds,
    excluded_records,
    idle_lines,
    link,
    links_without,
    read_exclusions,
    resolve,
    secret_key,
    waiting,
)
from .linkage.pseudonyms import check_key, note_key
from .linkage.review import read_decisions, review_folder, review_table, write_review
from .provenance import choices, linkage_model, mark_finished, mark_unfinished, refuse_mixture
from .stays.cohort import GIVEN, Cohort
from .stays.partitions import build_stays
from .stays.spells import NO_DAY_TOLD, cutoff_of
from .study import STUDY_VARIABLE, Study

# Folder below the derived folder: the cache of deposits read by earlier builds.
READ = "read"
# Seconds for which `sample` waits for another process that builds it: several times as long as that takes.
PATIENCE = 900


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

    _repr_html_ = as_html


@dataclass(frozen=True, kw_only=True)
class Built(Tables):
    """
    The tables that `build` has just made, and facts of the build.

    Attributes
    ----------
    cutoff : Timestamp
        The last day of observation.
    n_anew : int
        Deposits that were read; the others were cached by an earlier build.
    n_excluded : int
        Records left out by request.
    idle_lines : tuple of int
        Lines of the requests that match no record.
    n_waiting : int
        Reviewed pairs of which a file is not in the deposits today.
    weights : str
        A sentence: the weights of the linkage.
    """

    cutoff: pd.Timestamp
    n_anew: int
    n_excluded: int
    idle_lines: tuple[int, ...]
    n_waiting: int
    weights: str

    @property
    def deposits(self) -> Deposits:
        """The deposits as `read_deposits` gives them, without the persons left out by request."""
        return Deposits(self.records, self.quarantine, self.issues, self.files, self.superseded, self.n_anew)

    @property
    def unreadable(self) -> pd.DataFrame:
        """The files that could not be read, with the reason."""
        return self.files[self.files["status"].eq("unreadable")]


def build(
    study: Study,
    *,
    progress: Callable[[str], None] | None = None,
    new_key: bool = False,
    force: bool = False,
    executor: Executor | None = None,
) -> Built:
    """
    Deposits to tables: read, link, reconstruct, draw the cohort, and write every table below `study.paths.derived`.

    `new_key` accepts another key than that of the existing tables: all ids change. `force` reads every deposit; else
    those that an earlier build read come from its cache (`read/` below that folder). An `executor` reconstructs spells
    and cohort by household (stays/partitions.py); the tables are the same, byte for byte.

    The stamp of the tables is written by the command `trajectories build`, not here: an existing stamp is removed, so
    that the next command builds anew.

    Raises
    ------
    KeyFileError
        The key of the existing tables is lost, or is another one.
    UnusableInputError
        The raw folder holds no deposit with a usable row.

    Examples
    --------
    >>> built = build(Study.read("study.toml"), progress=print)
    deposits
    persons
    spells and cohort
    tables
    >>> len(built.records), len(built.quarantine), built.cohort["region"].nunique()
    (4212, 55, 6)
    """
    say = progress or (lambda _: None)
    synthetic = is_synthetic(study.paths.raw)
    if not (synthetic or new_key):
        check_key(study.paths.derived)
    key = SAMPLE_KEY if synthetic else secret_key()
    say("deposits")
    memory = Memory(private_folder(study.paths.derived) / READ, key if isinstance(key, bytes) else key.secret)
    if force:
        memory.forget()
    deposits = read_deposits(study.paths.raw, study=study, memory=memory)
    if deposits.records.empty:
        raise UnusableInputError(_nothing_usable(study, deposits))
    if cutoff_of(study, deposits.records) == NO_DAY_TOLD:
        raise UnusableInputError(
            f"No row in {study.paths.raw} has a date of service or follow-up, nor any deposit a quarter: name the "
            "files like EER01_2021-2022_T3.csv, or give the last day of observation (cutoff of study.toml)."
        )
    say("persons")
    linked, kept_decisions = _linked(deposits.records, study, key)
    resolved = resolve(linked, study.match_threshold, key)
    requests = read_exclusions(study.exclusions)
    excluded = excluded_records(deposits.records, resolved.persons, requests)
    records, persons, alternatives = (
        frame[~frame["record_id"].isin(excluded)].reset_index(drop=True)
        for frame in (deposits.records, resolved.persons, _alternatives(linked, study, key))
    )
    private_folder(study.paths.reports / "sensitive")
    review = review_table(linked, resolved, key, without=excluded, kept=kept_decisions)
    write_review(review, review_folder(study))
    say("spells and cohort")
    residences, cohort = build_stays(records, persons, study=study, executor=executor)
    built = Built(
        records=records,
        quarantine=deposits.quarantine,
        issues=cells_without(deposits.issues, deposits.records, excluded),
        superseded=deposits.superseded,
        files=deposits.files,
        persons=persons,
        links=links_without(resolved.links, resolved.persons, excluded),
        alternatives=alternatives,
        observations=residences.observations,
        spells=residences.spells,
        moves=residences.moves,
        conflicts=residences.conflicts,
        cohort=cohort.cohort,
        contacts=cohort.contacts,
        set_aside=cohort.set_aside,
        cutoff=residences.cutoff,
        n_anew=deposits.n_anew,
        n_excluded=len(excluded),
        idle_lines=idle_lines(deposits.records, requests),
        n_waiting=len(kept_decisions),
        weights=linked.weights.said,
    )
    say("tables")
    _write(built, study, synthetic)
    # last, when every table is of this key
    note_key(study.paths.derived, None if isinstance(key, bytes) else key)
    mark_finished(study.paths.derived)
    return built


def _linked(records: pd.DataFrame, study: Study, key: Key | bytes) -> tuple[Links, pd.DataFrame]:
    """The links with the reviewer's decisions, and the decisions without effect today."""
    scratch = private_folder(private_folder(study.paths.derived) / "tmp")
    links = link(records, model=linkage_model(study), scratch=scratch)
    decisions = read_decisions(review_folder(study))
    return decide(links, decisions, key), waiting(links, decisions, key)


def _alternatives(links: Links, study: Study, key: Key | bytes) -> pd.DataFrame:
    """Persons at a lower and at a higher threshold than the study's, and as drawn from the pairs' probabilities."""
    alternatives = [
        resolve(links, threshold, key).persons.assign(threshold=threshold)
        for threshold in (LOOSE, STRICT)
        if threshold != study.match_threshold
    ]
    for draw in range(1, DRAWS + 1):
        thresholds = drawn_thresholds(links, study.seed + draw)
        alternatives.append(resolve(links, thresholds, key).persons.assign(draw=draw))
    return tables.stack(alternatives, tables.ALTERNATIVES)[list(tables.ALTERNATIVES.columns)]


def _nothing_usable(study: Study, deposits: Deposits) -> str:
    if deposits.files.empty:
        return f"{study.paths.raw} holds no deposit: put the partners' files there, or name another folder with --raw."
    messages = deposits.files["message"].dropna()
    first = f" First: {deposits.files['file'].iloc[0]}: {messages.iloc[0]}" if len(messages) else ""
    return f"None of the {len(deposits.files)} file(s) in {study.paths.raw} holds a usable row.{first}"


def _write(built: Built, study: Study, synthetic: bool) -> None:
    """Every table as parquet in the derived folder, with the perimeter, scope and cut-off they were made for."""
    folder = private_folder(study.paths.derived)
    private_folder(folder / "tmp")
    mark_unfinished(folder)
    notes = choices(study) | {"cutoff": built.cutoff.date().isoformat(), "synthetic": "yes" if synthetic else "no"}
    for name in Tables.__dataclass_fields__:
        frame = tables.conform(getattr(built, name), tables.TABLES[name], copy=False)
        tables.save(frame, tables.TABLES[name], folder, **notes)
    with replaced(folder / "accounting.parquet") as scratch:
        accounting(built.files, built.records, built.n_excluded).to_parquet(scratch, index=False)


def draw_cohort(study: Study, out: Path, *, progress: Callable[[str], None] | None = None) -> Cohort:
    """
    The cohort for the study's perimeter, scope and pathway, from the records and persons of a build.

    Writes spells, moves, conflicts, cohort and contacts below `out`; the tables of the build are not changed.
    """
    say = progress or (lambda _: None)
    refuse_mixture(study.paths.derived)
    notes = tables.read_metadata(tables.COHORT, study.paths.derived)
    records = tables.load(tables.RECORDS, study.paths.derived, columns=GIVEN, categories=True)
    persons = tables.load(tables.PERSONS, study.paths.derived, columns=tables.WHOSE)
    say("spells and cohort")
    residences, cohort = build_stays(records, persons, study=study)
    if study.pathway is not None:
        cohort = _of_pathway(cohort, study.pathway)
    notes = {
        "perimeter": study.perimeter,
        "scope": study.scope,
        "pathway": study.pathway or "all",
        "cutoff": residences.cutoff.date().isoformat(),
        "synthetic": notes.get("synthetic", "no"),
    }
    say("tables")
    frames = {
        "spells": residences.spells,
        "moves": residences.moves,
        "conflicts": residences.conflicts,
        "cohort": cohort.cohort,
        "contacts": cohort.contacts,
    }
    if out.parent.parent == study.paths.derived:
        private_folder(out.parent)
    for name, frame in frames.items():
        tables.save(tables.conform(frame, tables.TABLES[name], copy=False), tables.TABLES[name], out, **notes)
    return cohort


def _of_pathway(cohort: Cohort, pathway: str) -> Cohort:
    kept = cohort.cohort[cohort.cohort["pathway"].eq(pathway)].reset_index(drop=True)
    contacts = cohort.contacts.merge(kept[["person_id", "episode"]], on=["person_id", "episode"])
    return Cohort(kept, contacts)


def write_sensitive(study: Study, folder: str, name: str, text: str) -> Path:
    """Write a text below `<reports>/sensitive/<folder>`; the name may not come from a deposit."""
    path = private_folder(private_folder(study.paths.reports / "sensitive") / folder) / name
    with replaced(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
    return path


def load_tables(derived: Path) -> Tables:
    """The tables of a finished build (raises `StaleTableError` where one is missing or of another version)."""
    refuse_mixture(derived)
    return Tables(**{name: tables.load(tables.TABLES[name], derived) for name in Tables.__dataclass_fields__})


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


def sample(study: Study | None = None) -> Tables:
    """
    The tables of the synthetic sample, generated and built once into data/sample.

    For a first cell in a notebook. The folder is that of the nearest study.toml at or above the working folder. Where
    another notebook, or a run, is building the sample, this call waits for it.

    Raises
    ------
    LockedError
        The tables are still not there after `PATIENCE` seconds.

    Examples
    --------
    >>> tables = sample()
    >>> sorted(tables.cohort["pathway"].unique())
    ['onward', 'primary', 'return_stay', 'secondary']
    """
    requested, begun = study or nearest_study(), time.monotonic()
    derived = sample_study(requested).paths.derived
    while True:
        with contextlib.suppress(StaleTableError):
            return load_tables(derived)
        try:
            with alone(derived):
                with contextlib.suppress(StaleTableError):  # the other process has finished since
                    return load_tables(derived)
                build(make_sample(requested))
        except LockedError:
            if time.monotonic() - begun > PATIENCE:
                raise
            time.sleep(1)


def nearest_study(start: Path | None = None) -> Study:
    """
    The study of a notebook: the study.toml at or above a folder; the defaults, from that folder, where there is none.

    Without a folder: the study.toml that `trajectories lab` was started with, else that of the working folder.
    """
    if start is None and STUDY_VARIABLE in os.environ:
        return Study.read(os.environ[STUDY_VARIABLE])
    start_folder = Path(start or Path.cwd()).resolve()
    for folder in (start_folder, *start_folder.parents):
        if (folder / "study.toml").exists():
            return Study.read(folder / "study.toml")
    return Study.from_mapping({}, folder=start_folder)
