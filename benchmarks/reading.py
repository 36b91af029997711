"""Deposits → records as a ratio to `pandas.read_csv` of the same files with all columns as text (median of 7).

    .venv/bin/python benchmarks/reading.py [files] [rows a file]
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from trajectories import read_deposits
from trajectories.simulate import Settings, simulate


def make(folder: Path, files: int, rows: int) -> list[Path]:
    """Deposits of one layout, with the distinct values of real ones: rows of simulated csv deposits, drawn again."""
    with tempfile.TemporaryDirectory() as scratch:
        simulate(Path(scratch), Settings(households=400, defects="none"))
        parts = [
            pd.read_csv(path, sep=";", dtype=str)
            for path in sorted((Path(scratch) / "raw").rglob("*.csv"))
            if path.name != "organismes.csv"
        ]
    source = pd.concat([part for part in parts if len(part.columns) > 5], ignore_index=True)
    rng = np.random.default_rng(1)
    made = []
    for number in range(files):
        part = source.iloc[rng.integers(0, len(source), rows)].copy()
        part["no_dossier"] = [f"{number}-{k}" for k in range(rows)]
        path = folder / f"ORG{number:03d}_2021-2022_T1_2021-07-15.csv"
        part.to_csv(path, sep=";", index=False)
        made.append(path)
    return made


def main(files: int, rows: int, repeats: int = 7) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = make(Path(folder), files, rows)
        ours, peer = [], []
        for _ in range(repeats):
            start = time.perf_counter()
            read_deposits(Path(folder))
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            for path in paths:
                pd.read_csv(path, sep=";", dtype=str)
            peer.append(time.perf_counter() - start)
    ratio = statistics.median(ours) / statistics.median(peer)
    seconds = statistics.median(ours)
    print(f"{files * rows:,} rows in {files} files: {ratio:.1f} times pandas.read_csv ({seconds:.1f} s)")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3] or ("40", "2500")))
