"""The main estimator at scale: seconds and peak memory by number of stays, and of 500 bootstrap replicates.

    .venv/bin/python benchmarks/observed.py [stays …]     (by default 1,000, 10,000, 100,000 and 1,000,000)

Stays are simulated as the tests simulate them (tests/reported_stays.py), dated (every stay has months of its own, as in
deposits) and in whole months (many stays say the same). The fit is from one start.
"""

import math
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from reported_stays import stays
from trajectories.survival import observed_incidence


def measure(n: int, dated: bool, replicates: int) -> None:
    """One size, in a process of its own; prints a line for the table."""
    given = stays(n, np.random.default_rng(1), whole=not dated).arguments()
    start, worked = time.perf_counter(), time.process_time()
    curve = observed_incidence(**given, replicates=replicates, starts=0)
    seconds, cpu = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    patterns = curve.model.cells.coefficients.shape[0]
    print(patterns, curve.model.fit.iterations, f"{seconds:.2f} {cpu:.2f} {peak:.2f}")


def main(sizes: list[int]) -> None:
    """Each size after the other, and the exponent with which CPU seconds grow between them."""
    header = ("stays", "months", "replicates", "patterns", "EM steps", "seconds", "CPU s", "growth", "peak GiB")
    print("".join(f"{name:>12}" for name in header))
    for dated in (True, False):
        last = None
        for n, replicates in [(5_000, 500), *((size, 0) for size in sizes)]:
            command = [sys.executable, __file__, "--one", str(n), str(int(dated)), str(replicates)]
            line = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (our own command)
            patterns, steps, seconds, cpu, peak = (float(x) for x in line.stdout.split())
            growth = "" if last is None else f"{math.log(cpu / last[1]) / math.log(n / last[0]):.2f}"
            cells = (f"{n:,}", "dated" if dated else "whole", f"{replicates}", f"{patterns:,.0f}", f"{steps:.0f}",
                     f"{seconds:.2f}", f"{cpu:.2f}", growth, f"{peak:.2f}")  # fmt: skip
            print("".join(f"{cell:>12}" for cell in cells), flush=True)
            last = None if replicates else (n, cpu)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]), sys.argv[3] == "1", int(sys.argv[4]))
    else:
        main([int(size) for size in sys.argv[1:]] or [1_000, 10_000, 100_000, 1_000_000])
