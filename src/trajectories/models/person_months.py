"""Discrete-time hazard on rows (start, time] by Fisher scoring: `survival.discrete_hazard` for many terms, many times.

The likelihood, the expected information and the clustered covariance are those of survival.discrete_hazard (the
complementary log-log link; Prentice & Gloeckler 1978), which fits cells by statsmodels: with 45 terms, where hardly two
stays share a cell, that takes 8 s a draw. Here the months of a row in a piece are counted and never written out: 0.1 s.
Largest difference from it in tests/unit/test_models.py: 1e-9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..survival.checks import Floats

PIECES = (3, 6, 12, 24, 36)
MOST_STEPS, CONVERGED, FARTHEST = 50, 1e-10, 15.0


@dataclass(frozen=True)
class Fit:
    """`table`: coef, se, robust_se of each column of x, in order."""

    table: pd.DataFrame


def scored(data: pd.DataFrame, x: Floats, pieces: Sequence[int] = PIECES) -> Fit:
    """
    The fit of rows with start, time (whole months), event and household_id; x: rows × coefficients.

    A column `weight`, where there is one, says how much each row counts: robust_se is then the one that holds.

    Raises
    ------
    ValueError
        No event to fit; a coefficient that is infinite or told by the others.
    """
    start, time = data["start"].to_numpy(dtype=float), data["time"].to_numpy(dtype=float)
    left = data["event"].to_numpy() > 0
    weight = data["weight"].to_numpy(dtype=float) if "weight" in data else np.ones(len(data))
    if not left.any():
        raise ValueError(f"event: no event to fit in {len(data)} rows")
    last = time.max()
    ends = np.append([p for p in pieces if p < last], last)
    begins = np.append(0.0, ends[:-1])
    months = np.clip(np.minimum(time[:, None], ends) - np.maximum(start[:, None], begins), 0, None)
    months *= weight[:, None]
    own = np.searchsorted(ends, time)
    deaths = np.bincount(own, left * weight, len(ends))
    # nobody leaves in some piece: its hazard is 0 and it says nothing else
    used = deaths > 0
    months, deaths = months[:, used], deaths[used]
    place = (np.cumsum(used) - 1)[own]
    n_pieces, rows = len(deaths), np.arange(len(x))
    centre = x.mean(axis=0)
    x = x - centre
    theta = np.concatenate([np.log(deaths / months.sum(axis=0)), np.zeros(x.shape[1])])
    at_exit = np.zeros_like(months)
    at_exit[rows[left], place[left]] = weight[left]

    def parts(theta: Floats) -> tuple[Floats, Floats]:
        """Scores of the log hazard of each row and piece, and the expected information."""
        rate = np.exp(np.clip((x @ theta[n_pieces:])[:, None] + theta[:n_pieces], -40, 5))
        of_exit = rate / np.expm1(rate)
        scores = at_exit * of_exit - (months - at_exit) * rate
        curved = months * rate * of_exit
        mixed = curved.T @ x
        information = np.block([
            [np.diag(curved.sum(axis=0)), mixed], [mixed.T, (x * curved.sum(axis=1)[:, None]).T @ x],
        ])  # fmt: skip
        return scores, information

    for _ in range(MOST_STEPS):
        scores, information = parts(theta)
        gradient = np.concatenate([scores.sum(axis=0), scores.sum(axis=1) @ x])
        scale = 1 / np.sqrt(np.maximum(np.diag(information), 1e-12))
        scaled = information * np.outer(scale, scale)
        if np.linalg.eigvalsh(scaled)[0] < 1e-10:
            break
        step = scale * np.linalg.solve(scaled, scale * gradient)
        theta = theta + np.clip(step, -2, 2)
        if np.abs(step).max() < CONVERGED:
            inverse = np.linalg.inv(scaled) * np.outer(scale, scale)
            return Fit(_table(theta, inverse, parts(theta)[0], x, data["household_id"], n_pieces))
    far = np.flatnonzero(np.abs(theta[n_pieces:]) > FARTHEST)
    said = ", ".join(f"x{j}" for j in far) or "some"
    raise ValueError(f"covariates: {said} of {x.shape[1]} coefficients are infinite, or told by the others")


def _table(
    theta: Floats, inverse: Floats, scores: Floats, x: Floats, households: pd.Series, n_pieces: int
) -> pd.DataFrame:
    each = np.hstack([scores, x * scores.sum(axis=1, keepdims=True)])
    _, owner = np.unique(households.to_numpy(dtype=object).astype(str), return_inverse=True)
    summed = np.zeros((int(owner.max()) + 1, each.shape[1]))
    np.add.at(summed, owner, each)
    influence = summed @ inverse
    robust = (influence**2).sum(axis=0)
    return pd.DataFrame({
        "coef": theta[n_pieces:], "se": np.sqrt(np.diag(inverse))[n_pieces:], "robust_se": np.sqrt(robust)[n_pieces:],
    })  # fmt: skip
