"""The synthetic data, R's numbers on them (tests/golden/data/README.md), and the largest differences.

Each module of golden tests has `COMPARISONS`, a name → function without arguments that returns the `Differences` of one
of R's results; the tests check them, and notebooks/90_validation.ipynb shows them (validation.py).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DATA = Path(__file__).parent / "data"


@cache
def cohort() -> pd.DataFrame:
    return pd.read_csv(DATA / "cohort.csv", dtype={"region": str})


@cache
def spells() -> pd.DataFrame:
    return pd.read_csv(DATA / "spells.csv")


@cache
def panel() -> pd.DataFrame:
    return pd.read_csv(DATA / "panel.csv")


@cache
def results(topic: str) -> dict[str, Any]:
    return json.loads((DATA / f"{topic}.json").read_text())["results"]


class Differences:
    """Collects absolute differences by name; says them; fails above the tolerance.

    `topic` is R's result (« km by_region »); `estimator` the public name compared, `reference` what made the numbers.
    """

    def __init__(self, topic: str, tolerance: float, estimator: str = "", reference: str = ""):
        self.topic, self.tolerance, self.largest = topic, tolerance, {}
        self.estimator, self.reference = estimator, reference

    def add(self, name: str, ours: Any, theirs: Any) -> None:
        a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        assert a.shape == b.shape, (self.topic, name, a.shape, b.shape)
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=f"{self.topic}, {name}: missing values")
        gap = np.nanmax(np.abs(a - b), initial=0.0)
        self.largest[name] = max(self.largest.get(name, 0.0), float(gap))

    @property
    def said(self) -> str:
        return ", ".join(f"{name} {gap:.1e}" for name, gap in self.largest.items())

    @property
    def holds(self) -> bool:
        return bool(self.largest) and max(self.largest.values()) <= self.tolerance

    def check(self) -> None:
        print(f"{self.topic}: largest difference {self.said}")
        assert self.largest, f"{self.topic}: nothing was compared"
        assert self.holds, f"{self.topic}: {self.said}"
