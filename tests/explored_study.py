"""A small study that was built, for the explorer: a project's folder as `trajectories lab` finds one."""

from pathlib import Path

from trajectories.pipeline import build
from trajectories.simulate import Settings, simulate
from trajectories.study import Study
from trajectories.synthetic import mark_synthetic


def build_study(project: Path, households: int = 150) -> Study:
    """The study of a project's folder, with synthetic deposits read and its tables built."""
    (project / "study.toml").write_text('[groups]\n"Est & <Ouest>" = ["05", "07"]\n', encoding="utf-8")
    study = Study.read(project / "study.toml")
    simulate(project / "data", Settings(households=households, organisations=8, seed=5))
    mark_synthetic(project / "data")
    build(study)
    return study
