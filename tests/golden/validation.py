"""Every comparison with R, as one table: what notebooks/90_validation.ipynb shows."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd


def comparisons() -> dict:
    """« module result » → a function that returns its `Differences`."""
    modules = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    listed = {module: getattr(importlib.import_module(module), "COMPARISONS", {}) for module in modules}
    return {(module, name): call for module, named in listed.items() for name, call in named.items()}


def table() -> pd.DataFrame:
    """A row per result of R's: estimator, reference, result, n_compared, largest_difference, tolerance, holds."""
    rows = []
    for call in comparisons().values():
        gap = call()
        largest = max(gap.largest.values(), default=float("nan"))
        rows.append((gap.estimator, gap.reference, gap.topic, len(gap.largest), largest, gap.tolerance, gap.holds))
    columns = ["estimator", "reference", "result", "n_compared", "largest_difference", "tolerance", "holds"]
    return pd.DataFrame(rows, columns=columns)
