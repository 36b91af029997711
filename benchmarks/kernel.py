"""The survival kernel against the best Python peer, in the same process: Kaplan–Meier, log-rank, cumulative incidence.

    .venv/bin/python benchmarks/kernel.py           (1,000,000 persons; another number as the argument)

Months are floats, a quarter of the persons enter late. Each pair is run seven times in turns, medians are told, and the
ratio is peer / ours: over 1, we are faster. lifelines' cumulative incidence with variance is quadratic: it is run at a
size it finishes, and ours at that size too. `--whole` takes whole months, where counting replaces sorting.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

from trajectories.survival import cumulative_incidence, kaplan_meier, logrank_test

REPEATS = 7
SMALL = 5_000  # lifelines' cumulative incidence with variance


def persons(n: int, whole: bool) -> dict[str, np.ndarray]:
    """Times, causes 0–3, entries (a quarter above 0) and 17 regions."""
    rng = np.random.default_rng(1)
    time_ = rng.exponential(30, n)
    limit = rng.uniform(6, 60, n)
    cause = np.where(time_ <= limit, rng.choice([1, 2, 3], n, p=[0.5, 0.35, 0.15]), 0)
    time_ = np.minimum(time_, limit)
    entry = np.where(rng.random(n) < 0.25, rng.uniform(0, 1, n) * time_, 0.0)
    if whole:
        time_, entry = np.ceil(time_), np.floor(entry)
    return {"time": time_, "cause": cause, "entry": entry, "region": rng.integers(1, 18, n)}


def interleaved(calls: dict[str, Callable]) -> dict[str, float]:
    """Median seconds of each call, run in turns."""
    seen = {name: [] for name in calls}
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seen[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seen.items()}


def compare(what: str, **calls: Callable) -> None:
    """Prints seconds and the ratio of each peer to ours."""
    seconds = interleaved(calls)
    ours = seconds.pop("ours")
    peers = "   ".join(f"{name} {s:.3f} s = {s / ours:.1f}×" for name, s in seconds.items())
    print(f"{what:<52} ours {ours:.3f} s   {peers}", flush=True)


def main(n: int, whole: bool) -> None:
    from lifelines import AalenJohansenFitter, KaplanMeierFitter
    from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight, survdiff

    d = persons(n, whole)
    t, c, e, g = d["time"], d["cause"], d["entry"], d["region"]
    event = (c > 0).astype(int)
    regions = np.unique(g)

    def lifelines_km(of=slice(None)):
        return KaplanMeierFitter().fit(t[of], event[of], entry=e[of])

    def statsmodels_km(of=slice(None)):
        return SurvfuncRight(t[of], event[of], entry=e[of])

    print(f"{n:,} persons, {'whole' if whole else 'float'} months")
    compare("Kaplan–Meier, entry, limits", ours=lambda: kaplan_meier(t, event, entry=e),
            lifelines=lifelines_km, statsmodels=statsmodels_km)  # fmt: skip
    compare("Kaplan–Meier by 17 regions", ours=lambda: kaplan_meier(t, event, entry=e, group=g),
            lifelines=lambda: [lifelines_km(g == r) for r in regions],
            statsmodels=lambda: [statsmodels_km(g == r) for r in regions])  # fmt: skip
    compare("log-rank, 17 regions, entry", ours=lambda: logrank_test(t, event, g, entry=e),
            statsmodels=lambda: survdiff(t, event, g, entry=e))  # fmt: skip
    compare("log-rank, 2 groups, entry", ours=lambda: logrank_test(t, event, g > 8, entry=e),
            statsmodels=lambda: survdiff(t, event, g > 8, entry=e))  # fmt: skip
    compare("cumulative incidence, 3 causes, variance | no variance", ours=lambda: cumulative_incidence(t, c),
            statsmodels=lambda: CumIncidenceRight(t, c))  # fmt: skip
    few = slice(0, SMALL)

    def lifelines_cif():
        for k in (1, 2, 3):
            AalenJohansenFitter(seed=1).fit(t[few], c[few], event_of_interest=k)

    compare(f"cumulative incidence with variance, {SMALL:,} persons", ours=lambda: cumulative_incidence(t[few], c[few]),
            lifelines=lifelines_cif)  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the peers'
    sizes = [int(a) for a in sys.argv[1:] if not a.startswith("--")]
    main(sizes[0] if sizes else 1_000_000, "--whole" in sys.argv)
