"""A build of deposits full of defects, as far as the pages of organisations need one."""

from pathlib import Path

from trajectories import tables
from trajectories.deposits import read_deposits
from trajectories.simulate import Settings, simulate
from trajectories.study import Study

NAMES = ("records", "quarantine", "issues", "superseded", "files")


def build_of_organisations(folder: Path) -> Study:
    """The study of deposits of eight organisations below `folder`, read."""
    simulate(folder, Settings(households=60, organisations=8, defects="heavy", seed=3))
    study = Study().with_folders(raw=folder / "raw", derived=folder / "derived", reports=folder / "reports")
    read = read_deposits(study.paths.raw, study=study)
    for name in NAMES:
        frame = tables.conform(getattr(read, name), tables.TABLES[name])
        tables.save(frame, tables.TABLES[name], study.paths.derived, cutoff="2025-12-31", synthetic="yes")
    return study
