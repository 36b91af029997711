"""Deposits → records as a ratio to `pandas.read_csv` of the same files with all columns as text (median of 7).

    .venv/bin/python benchmarks/reading.py [files] [rows a file] [runs]

Both are measured in turn in processes of their own; the memory is the largest resident size of the reading process plus
that of the largest of its children, once for each child.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from trajectories.deposits.reading import REGISTRY
from trajectories.simulate import Settings, simulate

_OURS = """
import json, resource, sys, time
from pathlib import Path
from trajectories import read_deposits
from trajectories.deposits.files import usable_cores
if __name__ == "__main__":
    start = time.perf_counter()
    deposits = read_deposits(Path(sys.argv[1]))
    seconds = time.perf_counter() - start
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps([seconds, (own + child * usable_cores()) / 2**20, len(deposits.records)]))
"""
_PEER = """
import json, sys, time
from pathlib import Path
import pandas as pd
start = time.perf_counter()
for path in sorted(Path(sys.argv[1]).iterdir()):
    pd.read_csv(path, sep=";", dtype=str)
print(json.dumps([time.perf_counter() - start]))
"""


def make(folder: Path, files: int, rows: int) -> None:
    """Deposits of one layout, an organisation and a quarter each: rows of simulated csv deposits, drawn again."""
    with tempfile.TemporaryDirectory() as scratch:
        simulate(Path(scratch), Settings(households=400, defects="none"))
        paths = sorted((Path(scratch) / "raw").rglob("*.csv"))
        parts = [pd.read_csv(path, sep=None, engine="python", dtype=str) for path in paths if path.name != REGISTRY]
    quarters = list(pd.concat(parts, ignore_index=True).groupby(["exercice", "trimestre"]))
    rng = np.random.default_rng(1)
    for number in range(files):
        (year, quarter), source = quarters[number % len(quarters)]
        part = source.iloc[rng.integers(0, len(source), rows)].copy()
        part["code_organisme"] = organisation = f"ORG{number // len(quarters):03d}"
        part["no_dossier"] = [f"{number}-{k}" for k in range(rows)]
        part.to_csv(folder / f"{organisation}_{year}_T{quarter}.csv", sep=";", index=False)


def measure(script: Path, folder: Path) -> list[float]:
    """What a script prints of its run, in a process of its own."""
    done = subprocess.run([sys.executable, script, folder], check=True, capture_output=True, text=True)  # noqa: S603 (ours)
    return json.loads(done.stdout)


def main(files: int = 40, rows: int = 2500, runs: int = 7) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "deposits")
        folder.mkdir()
        make(folder, files, rows)
        for name, script in (("ours", _OURS), ("peer", _PEER)):
            Path(scratch, f"{name}.py").write_text(script)
        ours, peer = [], []
        for _ in range(runs):
            ours.append(measure(Path(scratch, "ours.py"), folder))
            peer.append(measure(Path(scratch, "peer.py"), folder))
    seconds, memory, accepted = (statistics.median(run[k] for run in ours) for k in range(3))
    others = sorted(run[0] for run in peer)
    ratio = seconds / statistics.median(others)
    print(
        f"{files * rows:,} rows in {files} files, {accepted:,.0f} accepted: {ratio:.1f} times pandas.read_csv "
        f"({seconds:.1f} s against {others[0]:.1f} to {others[-1]:.1f} s), {memory:.1f} GB at most"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
