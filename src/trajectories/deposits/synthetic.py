"""The synthetic sample: its folders, and the mark that distinguishes synthetic tables from real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..study import Paths, Study
from .reading import find_deposits

# Folder of the synthetic sample, beside the folders of real data (design.md, « Rooms »).
SAMPLE_FOLDER = "sample"
# Invented targets (households per fiscal year and region), close to the numbers that the simulator settles, so that
# the pages of the sample show what targets look like.
SAMPLE_TARGETS = {
    "01": 9, "02": 8, "03": 40, "04": 15, "05": 32, "07": 25, "08": 8, "09": 3, "10": 2, "11": 4, "12": 18, "14": 8,
    "15": 8, "16": 12, "17": 16,
}  # fmt: skip
SAMPLE_YEARS = ("2023-2024", "2024-2025", "2025-2026")
# File in each folder of the sample that distinguishes synthetic tables from real ones.
SYNTHETIC_MARK = "SYNTHETIC"


def is_synthetic(raw: Path) -> bool:
    """Whether a raw folder is the simulator's (its mark is beside it)."""
    return (Path(raw).parent / SYNTHETIC_MARK).exists()


def has_deposits(raw: Path) -> bool:
    """Whether a raw folder holds any file that could be a deposit."""
    return bool(find_deposits(Path(raw)))


def sample_study(study: Study) -> Study:
    """The study on the sample's folders (data/sample and reports/sample), with invented targets where it has none."""
    data = study.paths.raw.parent / SAMPLE_FOLDER
    paths = Paths(raw=data / "raw", derived=data / "derived", reports=study.paths.reports / SAMPLE_FOLDER)
    targets = {(region, year): households for region, households in SAMPLE_TARGETS.items() for year in SAMPLE_YEARS}
    return replace(study, paths=paths, targets=study.targets or MappingProxyType(targets))


def or_sample(study: Study) -> Study:
    """The study; on the sample's folders where it has no deposit and `run` has made the sample."""
    on_sample = sample_study(study)
    made = (on_sample.paths.raw.parent / SYNTHETIC_MARK).exists()
    return on_sample if made and not has_deposits(study.paths.raw) else study


def mark_synthetic(folder: Path) -> None:
    """Mark the folder's deposits as synthetic: reports then carry the banner, and ids use the public key."""
    sentence = "These deposits were invented by `trajectories simulate`.\n"
    (Path(folder) / SYNTHETIC_MARK).write_text(sentence, encoding="utf-8")
