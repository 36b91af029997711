"""The tables of a build against the truth of a simulation: every measure, as far as the rows let it be known.

`rows` (accounting, places, statuses) · `links` (who is who) · `journeys` (spells, moves, intervals), which ask for what
`evidence` finds in the rows · `careful` (the most that can be reached) · `realised` (retention, known or not).

python -m scoring --habits residence_intake --households 300      # with src and tests on PYTHONPATH
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trajectories import Study, build_cohort, build_spells, read_deposits
from trajectories.deposits import Deposits
from trajectories.deposits.synthetic import mark_synthetic
from trajectories.pipeline import build
from trajectories.simulate import HABITS, Settings, Truth, simulate

from .journeys import journey_scores
from .links import link_scores, linked_rows, true_persons
from .realised import retention_errors
from .rows import cell_scores, row_scores

__all__ = ["Found", "habit_shares", "retention_of_world", "scores", "world"]


@dataclass(frozen=True)
class Found:
    """What a build found: the tables that are scored."""

    deposits: Deposits
    persons: pd.DataFrame
    spells: pd.DataFrame
    moves: pd.DataFrame
    cohort: pd.DataFrame
    contacts: pd.DataFrame
    cutoff: pd.Timestamp


def scores(truth: Truth, found: Found) -> dict[str, float]:
    """Every measure (`rows`, `links`, `journeys`)."""
    records = found.deposits.records
    rows = linked_rows(found.persons, truth, records)
    return {
        **row_scores(truth, found.deposits), **cell_scores(truth, records),
        **link_scores(found.persons, truth, records), **journey_scores(found, truth, rows),
    }  # fmt: skip


def world(settings: Settings, perfect: bool = False) -> dict[str, float]:
    """Simulate, build and score; `perfect`: on the true persons, so that what is wrong is no fault of the linkage."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = simulate(folder, settings)
        return scores(truth, found_in(folder, truth if perfect else None)) | habit_shares(truth)


def retention_of_world(settings: Settings) -> dict[str, float]:
    """The main estimate of the province on deposits read and linked by the library, and its error (`realised`)."""
    with tempfile.TemporaryDirectory() as name:
        truth = simulate(Path(name), settings)
        found = found_in(Path(name))
        return retention_errors(found.cohort, found.contacts, truth, cutoff=found.cutoff)


def habit_shares(truth: Truth) -> dict[str, float]:
    """The share of the organisations that have each habit."""
    has = truth.organisations["habits"].str.split()
    return {habit.name: float(has.map(lambda names, name=habit.name: name in names).mean()) for habit in HABITS}


def found_in(folder: Path, truth: Truth | None = None) -> Found:
    """What the library finds in a simulation's deposits; of the true persons if the truth is given."""
    study = Study.from_mapping(
        {"paths": {name: str(folder / name) for name in ("raw", "derived", "reports")}, "replicates": 0}
    )
    if truth is None:
        mark_synthetic(folder)
        made = build(study)
        return Found(made.deposits, made.persons, made.spells, made.moves, made.cohort, made.contacts, made.cutoff)
    deposits = read_deposits(study.paths.raw, study=study)
    persons = true_persons(truth, deposits.records)
    residences = build_spells(deposits.records, persons, study=study)
    cohort = build_cohort(residences, deposits.records, persons, study=study)
    return Found(
        deposits, persons, residences.spells, residences.moves, cohort.cohort, cohort.contacts, residences.cutoff
    )
