"""Estimates that are invented (report_tables.py): those of a study take minutes, and their own tests.

`with_invented_estimates` is for commands called in the test's process. As a program, this file is the command line with
them: `python tests/invented_estimates.py run --region 03`; the variable says in which folder they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from trajectories import cli
from trajectories.analysis import analyse as analysis

VARIABLE = "TRAJECTORIES_TESTS_ESTIMATES"


def invented(folder: Path) -> Callable[..., dict[str, pd.DataFrame]]:
    """What stands for `analysis.estimates_of`: the tables of a folder. Other settings give other numbers."""
    tables = {path.stem: pd.read_parquet(path) for path in sorted(Path(folder).glob("*.parquet"))}

    def estimates_of(study, *_):
        rates = tables["retention"]
        return tables | {"retention": rates.assign(estimate=rates["estimate"] * (1 - study.seed / 1000))}

    return estimates_of


def with_invented_estimates(patch, folder: Path) -> None:
    """In this process, and as long as the patch (pytest's monkeypatch) holds."""
    patch.setattr(analysis, "estimates_of", invented(folder))


if __name__ == "__main__":
    analysis.estimates_of = invented(os.environ[VARIABLE])
    cli.main()
