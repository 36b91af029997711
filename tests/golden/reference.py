"""The synthetic cohort, R's numbers on it (tests/golden/data/README.md), and the largest differences."""

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
def results(topic: str) -> dict[str, Any]:
    return json.loads((DATA / f"{topic}.json").read_text())["results"]


class Differences:
    """Collects absolute differences by name; says them; fails above the tolerance."""

    def __init__(self, topic: str, tolerance: float):
        self.topic, self.tolerance, self.largest = topic, tolerance, {}

    def add(self, name: str, ours: Any, theirs: Any) -> None:
        a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        assert a.shape == b.shape, (self.topic, name, a.shape, b.shape)
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=f"{self.topic}, {name}: missing values")
        gap = np.nanmax(np.abs(a - b), initial=0.0)
        self.largest[name] = max(self.largest.get(name, 0.0), float(gap))

    def check(self) -> None:
        said = ", ".join(f"{name} {gap:.1e}" for name, gap in self.largest.items())
        print(f"{self.topic}: largest difference {said}")
        assert self.largest, f"{self.topic}: nothing was compared"
        assert max(self.largest.values()) <= self.tolerance, f"{self.topic}: {said}"
