"""Cox regression with strata, clusters and late entry, against lifelines and statsmodels, and how it grows.

    .venv/bin/python benchmarks/cox.py [rows [runs]]     (by default 100,000 rows, 7 runs: some 20 minutes of the peers)

Eight covariates, 17 strata, households, float times, a quarter of the persons entering late. The runs are interleaved
in one process; CPU time is told, so that other work on the machine matters less, and the ratio of the medians. Each
peer is compared with all it offers (strata, entry and clusters) and with the easiest it may be asked (no clusters).
"""

import statistics
import sys
import time
import warnings

import numpy as np
import pandas as pd

from trajectories.survival.regression.cox import cox
from trajectories.survival.regression.fine_gray import fine_gray

TERMS = [f"x{j}" for j in range(8)]


def persons(n: int, seed: int = 1) -> pd.DataFrame:
    """Exponential times with eight effects, two of the covariates binary."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8))
    x[:, 1], x[:, 2] = rng.random(n) < 0.5, rng.random(n) < 0.1
    exit_, end = rng.exponential(60 * np.exp(-x @ np.linspace(-0.3, 0.3, 8))), rng.uniform(1, 120, n)
    table = pd.DataFrame(x, columns=TERMS).assign(time=np.minimum(exit_, end), event=(exit_ <= end).astype(int))
    table["entry"] = np.where(rng.random(n) < 0.25, table["time"] * rng.random(n) * 0.99, 0.0)
    table["cause"] = table["event"] * rng.choice([1, 2], n)
    return table.assign(region=rng.integers(0, 17, n), household=rng.integers(0, n // 2 + 1, n))


def ours(d: pd.DataFrame, cluster: bool) -> np.ndarray:
    how = {"time": "time", "event": "event", "entry": "entry", "strata": "region", "covariates": TERMS}
    return cox(d, cluster="household" if cluster else None, **how).table["coef"].to_numpy()


def lifelines(d: pd.DataFrame, cluster: bool) -> np.ndarray:
    from lifelines import CoxPHFitter

    used = d[[*TERMS, "time", "event", "entry", "region", *(["household"] if cluster else [])]]
    how = {"cluster_col": "household"} if cluster else {}
    fit = CoxPHFitter().fit(used, "time", "event", entry_col="entry", strata=["region"], **how)
    return fit.params_[TERMS].to_numpy()


def statsmodels(d: pd.DataFrame, cluster: bool) -> np.ndarray:
    from statsmodels.duration.hazard_regression import PHReg

    arrays = {name: d[name].to_numpy() for name in ("event", "entry", "region")}
    model = PHReg(
        d["time"].to_numpy(), d[TERMS].to_numpy(), arrays["event"], arrays["entry"], arrays["region"], ties="breslow"
    )
    return model.fit(groups=d["household"].to_numpy() if cluster else None).params


def timed(run, *given) -> tuple[float, np.ndarray]:
    start = time.process_time()
    result = run(*given)
    return time.process_time() - start, result


def compare(d: pd.DataFrame, cluster: bool, runs: int) -> None:
    """Interleaved runs; a line for each library, the coefficients' largest difference from ours beside it."""
    libraries = {"ours": ours, "lifelines": lifelines, "statsmodels": statsmodels}
    seconds: dict[str, list[float]] = {name: [] for name in libraries}
    found = {}
    for _ in range(runs):
        for name, run in libraries.items():
            taken, found[name] = timed(run, d, cluster)
            seconds[name].append(taken)
    base = statistics.median(seconds["ours"])
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        gap = np.abs(found[name] - found["ours"]).max()
        what = "strata, entry, clusters" if cluster else "strata, entry"
        print(
            f"{len(d):>10,} {what:<24} {name:<12} {middle:8.3f} s {middle / base:8.1f} × ours   coef {gap:.0e}",
            flush=True,
        )


def growth() -> None:
    """Ours alone, by number of rows."""
    for n in (1_000, 10_000, 100_000, 1_000_000):
        d = persons(n)
        how = {"time": "time", "entry": "entry", "covariates": TERMS, "cluster": "household"}
        fit = cox(d, event="event", strata="region", **how)
        steps = {
            "cox": lambda d=d, how=how: cox(d, event="event", strata="region", **how),
            "fine_gray": lambda d=d, how=how: fine_gray(d, cause="cause", cause_of_interest=1, **how),
            "concordance": lambda fit=fit: fit.concordance,
            "test_proportional_hazards": fit.test_proportional_hazards,
            "predict_survival_table": lambda fit=fit, d=d: fit.predict_survival_table(d.head(17), [12, 24, 36, 60]),
        }
        told = "  ".join(f"{name} {timed(step)[0]:.3f}" for name, step in steps.items())
        print(f"{n:>10,} CPU s: {told}", flush=True)


def main(rows: int = 100_000, runs: int = 7) -> None:
    warnings.simplefilter("ignore")  # lifelines' about what it would rather be given
    growth()
    d = persons(rows)
    for cluster in (False, True):
        compare(d, cluster, runs)


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:3]))
