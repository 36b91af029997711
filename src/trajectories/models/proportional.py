"""Is a hazard ratio the same all along? The tests over all draws, and what is done where it is not.

Each coefficient's score test (survival.cox) is divided by its design effect and joined over the draws (joined.py).
p-values are adjusted for the number of coefficients of the model (Holm 1979). Where a term fails at `LEVEL`:

- a term of `OF_INTEREST` gets one coefficient up to month `SPLIT` and one from then on (`split_at_12`), if each of its
  levels has enough exits on both sides in every draw; else it keeps one, an average over the months seen
  (`average_effect`);
- any other becomes a stratum: a baseline hazard a level and no coefficient (`stratified`).

Exits that nobody has told of are drawn as if hazards were proportional (completed.py): where they are many, a change
over time is seen less than it is. The model is fitted again once, and not tested again. A model of the subdistribution
is not refitted: its covariates do not change over time; its coefficient is said to be an average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from .joined import holm, joined_chi2
from .regressions import Draws, Joined, cut
from .terms import LEAST, Term

LEVEL, SPLIT = 0.05, 12.0
OF_INTEREST = ("city_size", "immigration_category", "job_found", "housing_found", "french")


def tests_of(model: str, fitted: Joined) -> pd.DataFrame:
    """
    The joined tests of one model.

    Returns
    -------
    DataFrame
        model, term, level (the last row's term is GLOBAL), statistic (D₂), df, p_value, adjusted_p, action (to be
        filled in).
    """
    n = len(fitted.columns)
    found = [joined_chi2(fitted.tests[:, j], 1) for j in range(n)]
    found.append(joined_chi2(fitted.tests[:, n], max(n, 1)))
    p = np.array([p for _, p in found])
    return pd.DataFrame({
        "model": model, "term": [*(c.term for c in fitted.columns), "GLOBAL"],
        "level": [*(c.level for c in fitted.columns), ""], "statistic": [value for value, _ in found],
        "df": [*[1] * n, n], "p_value": p, "adjusted_p": np.append(holm(p[:-1]), p[-1]), "action": "none",
    })  # fmt: skip


def actions_of(tests: pd.DataFrame, draws: Draws, columns: Sequence[Term]) -> dict[str, str]:
    """What is done with each term that fails."""
    failing = tests.loc[tests["adjusted_p"].lt(LEVEL) & tests["term"].ne("GLOBAL"), "term"].unique()
    found = {}
    for term in failing:
        chosen = np.array([column.term == term for column in columns])
        if term not in OF_INTEREST:
            found[term] = "stratified"
        else:
            found[term] = "split_at_12" if _splits(draws, chosen) else "average_effect"
    return found


def _splits(draws: Draws, chosen: np.ndarray) -> bool:
    """Whether the reference and each of these levels have enough exits on both sides in every draw."""
    for rows in draws:
        left, late = rows.data["event"].to_numpy() > 0, rows.data["time"].to_numpy() > SPLIT
        levels = np.column_stack([rows.x[:, chosen], 1 - rows.x[:, chosen].sum(axis=1)])
        for side in (left & late, left & ~late):
            if (levels[side].sum(axis=0) < LEAST).any():
                return False
    return True


def acted(draws: Draws, columns: Sequence[Term], actions: dict[str, str]) -> tuple[Draws, list[Term], list[str]]:
    """The rows, coefficients and strata of the second fit."""
    stratified = [term for term, action in actions.items() if action == "stratified"]
    split_terms = [term for term, action in actions.items() if action == "split_at_12"]
    kept = np.array([column.term not in stratified for column in columns])
    left = [column for column, keep in zip(columns, kept, strict=True) if keep]
    split = np.array([column.term in split_terms for column in left], dtype=bool)
    rows = draws.changed(lambda _, each: replace(each, x=each.x[:, kept]))
    if split.any():
        rows = rows.changed(lambda _, each: cut(each, SPLIT, split))
        both = [column for column, s in zip(left, split, strict=True) if s]
        left = [
            *(column for column, s in zip(left, split, strict=True) if not s),
            *(replace(column, to_month=SPLIT) for column in both),
            *(replace(column, from_month=SPLIT) for column in both),
        ]
    return rows, left, [f"level_{term}" for term in stratified]
