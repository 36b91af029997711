"""What notebooks/90_validation.ipynb shows: every comparison with another program, every study of coverage, one table.

Nothing is written down here but where an estimator that no R number exists for is proved; the numbers are computed
anew from tests/golden/data and from simulated samples (within one `make test`, by whichever asks first).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / folder) for folder in ("golden", "recovery") if str(HERE / folder) not in sys.path]

# No R package on the golden data has these; the file named compares them with something that shares no code with ours.
PROVED_IN = {
    "mixture_cure": "an independent likelihood, and lifelines: unit/test_survival_cure.py",
    "discrete_hazard": "statsmodels on written-out person-months: unit/test_survival_discrete_hazard.py",
    "bootstrap": "the jackknife: unit/test_survival_bootstrap.py",
}


def comparisons() -> pd.DataFrame:
    """A row per result compared: estimator, reference, result, compared, largest_difference, tolerance, holds."""
    modules = sorted(path.stem for path in (HERE / "golden").glob("test_*.py"))
    calls = [call for m in modules for call in getattr(importlib.import_module(m), "COMPARISONS", {}).values()]
    rows = []
    for gap in (call() for call in calls):
        largest = max(gap.largest.values(), default=float("nan"))
        rows.append((gap.estimator, gap.reference, gap.topic, len(gap.largest), largest, gap.tolerance, gap.holds))
    columns = ["estimator", "reference", "result", "compared", "largest_difference", "tolerance", "holds"]
    return pd.DataFrame(rows, columns=columns)


def coverage(replications: int = 100) -> tuple[pd.DataFrame, list[str]]:
    """A row per quantity of the quick studies (`coverage_study.run`); and the designs left to `make recovery`."""
    study = importlib.import_module("coverage_study")
    listed = study.studies()
    tables = [study.known(one, replications) for one in listed if one.quick]
    return pd.concat(tables, ignore_index=True), [f"{s.estimator}: {s.design}" for s in listed if not s.quick]


def require(table: pd.DataFrame) -> None:
    """Stops where a row does not hold, and shows it."""
    failed = table[~table["holds"].astype(bool)]
    if len(failed):
        raise AssertionError(f"{len(failed)} of {len(table)} rows do not hold:\n{failed.to_string()}")


def summary(compared: pd.DataFrame, covered: pd.DataFrame) -> pd.DataFrame:
    """A row per public name and reference: results, largest_difference, tolerance; coverage of the name; holds."""
    # « kaplan_meier, quantiles » is proof of both; « kaplan_meier, cluster » a study of the first.
    both = compared.assign(estimator=compared["estimator"].str.split(", ")).explode("estimator")
    rows = both.groupby(["estimator", "reference"], as_index=False).agg(
        results=("result", "size"),
        largest_difference=("largest_difference", "max"),
        tolerance=("tolerance", "max"),
        same=("holds", "all"),
    )
    found = covered.assign(estimator=covered["estimator"].str.split(", ").str[0]).groupby("estimator")
    limits = found.agg(low=("coverage", "min"), high=("coverage", "max"), quantities=("bias", "size"))
    limits = limits.assign(covers=found["holds"].all()).reset_index()
    limits["coverage"] = [f"{low:.0%}–{high:.0%}" for low, high in zip(limits["low"], limits["high"], strict=True)]
    table = rows.merge(limits, on="estimator", how="outer")
    table["reference"] = table["reference"].fillna(table["estimator"].map(PROVED_IN))
    table["holds"] = table["same"].ne(False) & table["covers"].ne(False)
    columns = ["results", "largest_difference", "tolerance", "coverage", "quantities", "holds"]
    return table.set_index(["estimator", "reference"])[columns]
