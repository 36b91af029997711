"""A known truth drawn many times: bias, standard errors and the coverage of 95 % limits, for any estimator.

A `Study` says how to draw a sample and estimate (`one`), and what is true. `run` repeats it from one seed, never drawn
again, and gives a row per quantity. `STUDIES` of the modules test_coverage_*.py are run with 100 replications by `make
test-all` (50 where they are not quick) and 4,000 (slow ones 1,000) by `make recovery`; notebooks/90_validation.ipynb
shows the quick ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

from made_once import made_once

SEED = 20_261_125
SHORT, SHORTER = 100, 50
# At a true 95 %, as many or more are out less than once in 200 times: 12 of 100 replications, 8 of 50.
BY_CHANCE = 0.005
# 1,000 replications tell a coverage to ± .007: of fifty that are 95 % one would fall outside 93–97 %. 4,000: ± .0034.
LONG, LONG_RANGE = 4000, (0.93, 0.97)
LONG_AND_SLOW = 1000  # where each replication is a bootstrap, and the range 90–98 %
BIAS_ERRORS = 3.5  # of Monte-Carlo errors: several quantities are looked at, none may be this far


@dataclass(frozen=True)
class Study:
    """One estimator under one design: `one(rng)` gives estimate, se, lower, upper, an array of each per quantity."""

    estimator: str
    design: str  # what is simulated, in a few words
    quantities: tuple[str, ...]
    truth: tuple[float, ...]
    one: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    long_range: tuple[float, float] = LONG_RANGE  # (0.90, 0.98) for interval-censored times
    quick: bool = True  # False: more than four seconds for 100 replications; the notebook leaves it to `make recovery`

    @property
    def short(self) -> int:
        """The replications of `make test-all`."""
        return SHORT if self.quick else SHORTER

    def allowed(self, replications: int) -> tuple[float, float]:
        """The coverage that so many replications may show."""
        if replications >= LONG_AND_SLOW:
            return self.long_range
        return 1 - float(binom.isf(BY_CHANCE, replications, 0.05)) / replications, 1.0


def run(study: Study, replications: int, seed: int = SEED) -> pd.DataFrame:
    """A row per quantity: truth, bias, its Monte-Carlo error, mean se beside the sd seen, coverage, allowed, holds."""
    children = np.random.SeedSequence(seed).spawn(replications)
    drawn = np.array([study.one(np.random.default_rng(child)) for child in children], dtype=float)
    estimate, se, lower, upper = np.moveaxis(drawn, 1, 0)
    truth = np.array(study.truth)
    bias, spread = (estimate - truth).mean(axis=0), estimate.std(axis=0, ddof=1)
    covered = ((lower <= truth) & (truth <= upper)).mean(axis=0)
    low, high = study.allowed(replications)
    error = spread / np.sqrt(replications)
    return pd.DataFrame(
        {
            "estimator": study.estimator,
            "design": study.design,
            "quantity": study.quantities,
            "replications": replications,
            "truth": truth,
            "bias": bias,
            "bias_error": error,
            "mean_se": se.mean(axis=0),
            "sd": spread,
            "coverage": covered,
            "allowed": f"{low:.0%}–{high:.0%}",
            "holds": (np.abs(bias) <= BIAS_ERRORS * error) & (covered >= low) & (covered <= high),
        }
    )


def known(study: Study, replications: int) -> pd.DataFrame:
    """`run` of one of `STUDIES`, which the tests and notebooks/90_validation.ipynb of one run of `make test` share."""
    return made_once(f"{study.estimator}: {study.design}: {replications}", lambda: run(study, replications))


def check(table: pd.DataFrame) -> None:
    """Prints what was seen and fails where it does not hold."""
    print(table.drop(columns=["estimator", "design"]).round(4).to_string(index=False))
    assert table["holds"].all(), table.loc[~table["holds"]].to_string()


def studies() -> list[Study]:
    """Those of every module test_coverage_*.py."""
    modules = sorted(path.stem for path in Path(__file__).parent.glob("test_coverage_*.py"))
    listed = [study for module in modules for study in importlib.import_module(module).STUDIES]
    # `known` tells them apart by these
    assert len({(study.estimator, study.design) for study in listed}) == len(listed)
    return listed
