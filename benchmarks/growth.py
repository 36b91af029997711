"""How the survival kernel grows with the number of persons, and the memory it takes: a table and growth.svg.

    .venv/bin/python benchmarks/growth.py           (100,000 to 10,000,000 persons; other sizes as arguments)

The persons are those of kernel.py, a quarter of whom enter late. Seconds are the best of three, each size and estimator
in a process of its own, so that its peak memory is its own too (read from Linux's /proc). Memory is what the call adds
over its input and its result (a row for each distinct time), in units of the input. A straight line of slope 1 is
linear growth; sorting floats adds the logarithm.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from kernel import persons

from trajectories.survival import cumulative_incidence, kaplan_meier, logrank_test, turnbull

SIZES = (100_000, 316_228, 1_000_000, 3_162_278, 10_000_000)
REPEATS = 3
LOOKS = (("#123f6d", "o"), ("#b3541e", "s"), ("#3b7d4f", "^"), ("#6d4a8c", "D"), ("#555555", "v"))
FIGURE = Path(__file__).with_name("growth.svg")


def intervals(d: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Exits known to the quarter, on the month grid."""
    upper = np.where(d["cause"] > 0, np.ceil(d["time"] / 3) * 3, np.inf)
    lower = np.where(d["cause"] > 0, upper - 3, np.ceil(d["time"]))
    return lower, upper


def calls(d: dict[str, np.ndarray]) -> dict:
    """Estimator → (its input, the call)."""
    t, c, e, g = d["time"], d["cause"], d["entry"], d["region"]
    event = (c > 0).astype(int)
    lower, upper = intervals(d)
    return {
        "Kaplan–Meier": ((t, event, e), lambda: kaplan_meier(t, event, entry=e)),
        "Kaplan–Meier, 17 regions": ((t, event, e, g), lambda: kaplan_meier(t, event, entry=e, group=g)),
        "log-rank, 17 regions": ((t, event, e, g), lambda: logrank_test(t, event, g, entry=e)),
        "cumulative incidence, 3 causes": ((t, c, e), lambda: cumulative_incidence(t, c, entry=e)),
        "Turnbull, month grid": ((lower, upper), lambda: turnbull(lower, upper)),
    }


def kilobytes(what: str) -> int:
    """Of this process, as Linux tells it: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def measure(n: int, whole: bool, name: str) -> None:
    """Prints [seconds, memory added / input] of one estimator at one size."""
    calls(persons(1_000, whole))[name][1]()  # what is imported once is not counted
    given, call = calls(persons(n, whole))[name]
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = kilobytes("VmRSS")
    result = call()
    added = 1024 * (kilobytes("VmHWM") - before)
    if isinstance(result, pd.DataFrame):
        added -= int(result.memory_usage(index=False).sum())
    del result
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    print(json.dumps([min(seconds), added / sum(array.nbytes for array in given)]))


def main(sizes: tuple[int, ...]) -> None:
    """Every estimator at every size: a line each, and the figure."""
    names = list(calls(persons(10, True)))
    found = {}
    for whole in (True, False):
        for name in names:
            if name.startswith("Turnbull") and not whole:
                continue  # its months are whole either way
            for n in sizes:
                command = [sys.executable, __file__, "--one", str(n), str(int(whole)), name]
                line = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (our own command)
                found[whole, name, n] = json.loads(line.stdout)
            seconds = np.array([found[whole, name, n][0] for n in sizes])
            slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            memory = max(found[whole, name, n][1] for n in sizes)
            print(f"{'whole' if whole else 'float'} months  {name:<32}", *(f"{s:9.3f}" for s in seconds),
                  f"s   exponent {slope:.2f}   memory ≤ {memory:.1f} × input", flush=True)  # fmt: skip
    draw(found, names, sizes)


def draw(found: dict, names: list[str], sizes: tuple[int, ...]) -> None:
    """Log-log seconds by persons, whole and float months side by side."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "path", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
    looks = dict(zip(names, LOOKS, strict=True))
    for axis, whole in zip(axes, (True, False), strict=True):
        for name, (colour, marker) in looks.items():
            drawn = [(n, found[whole, name, n][0]) for n in sizes if (whole, name, n) in found]
            if drawn:
                axis.plot(*zip(*drawn, strict=True), color=colour, marker=marker, ms=4, label=name)
        ends = np.array([sizes[0], sizes[-1]])
        axis.plot(ends, 0.5 * ends / sizes[-1], color="#999999", ls=":", label="slope 1")
        axis.set(xscale="log", yscale="log", xlabel="persons", title=f"{'whole' if whole else 'float'} months")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    axes[0].set_ylabel("seconds")
    figure.tight_layout()
    figure.savefig(FIGURE, metadata={"Date": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]), sys.argv[3] == "1", sys.argv[4])
    else:
        main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
