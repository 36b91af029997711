"""Turnbull's estimator against surpyval, in the same process: seconds, and who has the higher likelihood.

    .venv/bin/python benchmarks/turnbull.py         (100,000 intervals; another number as the argument)

Three kinds of data: whole months, days told in months, and days with 30 exits of 100 dated (many active candidates).
Each pair is run seven times in turns, medians are told, and the ratio is surpyval / ours: over 1, we are faster.
surpyval is asked for the maximum of the likelihood (« Kaplan-Meier »); it stops at a Kuhn–Tucker gap of 1e-10. A
resample of 500 persons is timed too: bootstraps are made of those.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from trajectories.survival.intervals.turnbull import kuhn_tucker_gap, turnbull, turnbull_log_likelihood

REPEATS = 7
DAYS = 30.4375  # a month


def visited(n: int, dated: float, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Exits seen at visits about every six months, censored at 12–60; times are rounded up to 1/unit month."""
    rng = np.random.default_rng(1)
    exit_time, end = rng.exponential(30, n), rng.uniform(12, 60, n)
    lower, upper, visit = np.zeros(n), np.full(n, np.inf), np.zeros(n)
    while (visit < end).any():
        visit = np.minimum(visit + rng.uniform(0.5, 11.5, n), end)
        lower = np.where(visit < exit_time, visit, lower)
        upper = np.where(visit >= exit_time, np.minimum(visit, upper), upper)
    known = np.isfinite(upper) & (rng.random(n) < dated)
    lower[known] = upper[known] = exit_time[known]
    return np.ceil(lower * unit) / unit, np.ceil(upper * unit) / unit


def surpyval_fit(lower: np.ndarray, upper: np.ndarray):
    import surpyval

    return surpyval.Turnbull.fit(xl=lower, xr=upper, turnbull_estimator="Kaplan-Meier")


def surpyval_log_likelihood(model, lower: np.ndarray, upper: np.ndarray) -> float:
    """Of its curve: an exact time is twice in its `x`, before and after the mass."""
    x, s = np.asarray(model.x), np.append(1.0, model.R)
    before = np.where(lower == upper, np.searchsorted(x, lower) + 1, np.searchsorted(x, lower, side="right"))
    last = np.searchsorted(x, np.where(np.isinf(upper), 0, upper), side="right")
    return float(np.log(s[before] - np.where(np.isinf(upper), 0.0, s[last])).sum())


def interleaved(calls: dict[str, Callable]) -> dict[str, float]:
    """Median seconds of each call, run in turns."""
    seen = {name: [] for name in calls}
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seen[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seen.items()}


def compare(what: str, lower: np.ndarray, upper: np.ndarray) -> None:
    """Prints seconds, the ratio, both log-likelihoods and our gap."""
    seconds = interleaved({"ours": lambda: turnbull(lower, upper), "surpyval": lambda: surpyval_fit(lower, upper)})
    table, model = turnbull(lower, upper), surpyval_fit(lower, upper)
    ours, theirs = turnbull_log_likelihood(lower, upper, table), surpyval_log_likelihood(model, lower, upper)
    print(f"{what:<40} ours {seconds['ours']:.4f} s   surpyval {seconds['surpyval']:.4f} s = "
          f"{seconds['surpyval'] / seconds['ours']:.1f}×   {len(table)} intervals with mass")  # fmt: skip
    print(f"{'':<40} log-likelihood ours {ours:.9f}, surpyval {theirs:.9f}, ours − surpyval {ours - theirs:.1e}; "
          f"our gap {kuhn_tucker_gap(lower, upper, table):.0e}", flush=True)  # fmt: skip


def main(n: int) -> None:
    compare(f"{n:,} persons, whole months, 20 % dated", *visited(n, 0.2, 1))
    compare(f"{n:,} persons, days, none dated", *visited(n, 0.0, DAYS))
    compare(f"{n:,} persons, days, 30 % dated", *visited(n, 0.3, DAYS))
    compare("500 persons, whole months, 20 % dated", *visited(500, 0.2, 1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
