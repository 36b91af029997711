"""Inverse probability weights: each group made to look like everyone (Robins, Hernán & Brumback 2000).

The chance of being in each group given the covariates comes from a multinomial logit with a ridge penalty (Cessie & van
Houwelingen 1992): where a level of a covariate is never seen in a group the unpenalised coefficient is infinite, and
with the penalty it is large. It is that of a normal prior with standard deviation 1 on each coefficient, all groups
alike, none a baseline; intercepts are free. A stay's weight is its group's share of everyone over that chance
(stabilised), and weights beyond the 1st and 99th percentile are set to these (Cole & Hernán 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .covariates import Design, Partition

Floats = NDArray[np.float64]
RIDGE = 1.0
TRUNCATED = (0.01, 0.99)
TOLERANCE = 1e-6  # of a coefficient, in a step
REPLICATE_TOLERANCE = 5e-3
MOST_STEPS = 50
_FREE = 1e-6  # intercepts: only their common part, which changes nothing, is held


@dataclass(frozen=True)
class Propensity:
    """A fitted multinomial logit: coefficients (groups × (1 + terms)), and the inverse information at them."""

    coefficients: Floats
    inverse: Floats

    def chances(self, x: Floats) -> Floats:
        """The chance of each group (stays × groups)."""
        return _softmax(_with_one(x) @ self.coefficients.T)


def propensity(x: Floats, code: NDArray[np.int64], n_groups: int, weights: Floats | None = None) -> Propensity:
    """
    The chance of being in each group given the covariates.

    Parameters
    ----------
    x : array of shape (n, terms)
        Columns of 0 and 1, without intercept.
    code : int array of shape (n,)
        The group of each stay, 0 … n_groups − 1.
    n_groups : int
    weights : array of shape (n,), optional

    Returns
    -------
    Propensity

    Notes
    -----
    Newton steps, halved where the penalised likelihood would fall. Validated against statsmodels' MNLogit with a
    penalty that is next to nothing (tests/unit/test_comparison.py).

    Examples
    --------
    >>> fit = propensity(np.array([[0.0], [0], [1], [1]]), np.array([0, 1, 1, 1]), 2)
    >>> fit.chances(np.array([[0.0], [1.0]])).round(2).tolist()
    [[0.32, 0.68], [0.18, 0.82]]
    """
    design, mass = _with_one(x), np.ones(len(code)) if weights is None else weights
    beta = np.zeros((n_groups, design.shape[1]))
    share = np.bincount(code, weights=mass, minlength=n_groups) / mass.sum()
    beta[:, 0] = np.log(np.maximum(share, 1e-9))
    beta[:, 0] -= beta[:, 0].mean()
    value = _penalised(design, code, mass, beta)
    for _ in range(MOST_STEPS):
        gradient, chances = _gradient(design, code, mass, beta)
        step = np.linalg.solve(_information(design, mass, chances), gradient.ravel()).reshape(beta.shape)
        for _ in range(20):
            found = _penalised(design, code, mass, beta + step)
            if found >= value - 1e-9:
                break
            step /= 2
        beta, value = beta + step, found
        if np.abs(step).max() < TOLERANCE:
            break
    information = _information(design, mass, _softmax(design @ beta.T))
    return Propensity(beta, np.linalg.inv(information))


def propensity_again(fit: Propensity, x: Floats, code: NDArray[np.int64], weights: Floats) -> Propensity:
    """
    The same refitted under other weights (a bootstrap replicate), from the fit and with its information.

    Where the fit's information does not lead there in a few steps, it is fitted anew.
    """
    design, beta = _with_one(x), fit.coefficients
    whole, previous = 1.0, np.inf
    for _ in range(MOST_STEPS):
        gradient, _ = _gradient(design, code, weights, beta)
        step = whole * (fit.inverse @ gradient.ravel()).reshape(beta.shape)
        beta = beta + step
        size = np.abs(step).max()
        if size < REPLICATE_TOLERANCE:
            return Propensity(beta, fit.inverse)
        if size > 0.9 * previous:
            # of a small group three times as many may be drawn: steps then go to and fro
            whole /= 2
        previous = size
    return propensity(x, code, len(beta), weights)


def _with_one(x: Floats) -> Floats:
    return np.column_stack([np.ones(len(x)), x])


def _softmax(scores: Floats) -> Floats:
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def _penalty(beta: Floats) -> Floats:
    return np.concatenate([np.full((len(beta), 1), _FREE), np.full((len(beta), beta.shape[1] - 1), RIDGE)], axis=1)


def _penalised(design: Floats, code: NDArray[np.int64], mass: Floats, beta: Floats) -> float:
    scores = design @ beta.T
    top = scores.max(axis=1)
    log_chance = scores[np.arange(len(code)), code] - top - np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return float(mass @ log_chance - 0.5 * (_penalty(beta) * beta**2).sum())


def _gradient(design: Floats, code: NDArray[np.int64], mass: Floats, beta: Floats) -> tuple[Floats, Floats]:
    chances = _softmax(design @ beta.T)
    left = -chances * mass[:, None]
    left[np.arange(len(code)), code] += mass
    return left.T @ design - _penalty(beta) * beta, chances


def _information(design: Floats, mass: Floats, chances: Floats) -> Floats:
    groups, terms = chances.shape[1], design.shape[1]
    found = np.zeros((groups, terms, groups, terms))
    for j in range(groups):
        scaled = design * (mass * chances[:, j])[:, None]
        for k in range(j, groups):
            block = -(scaled * chances[:, [k]]).T @ design
            if j == k:
                block += scaled.T @ design
            found[j, :, k], found[k, :, j] = block, block.T
    found = found.reshape(groups * terms, groups * terms)
    return found + np.diag(_penalty(np.zeros((groups, terms))).ravel())


# ── weights ───────────────────────────────────────────────────────────────────────────────────────────────
def stabilised(chances: Floats, code: NDArray[np.int64], mass: Floats | None = None) -> Floats:
    """
    Stabilised weights, truncated at the 1st and 99th percentile.

    Parameters
    ----------
    chances : array of shape (n, groups)
    code : int array of shape (n,)
    mass : array of shape (n,), optional
        How often each stay was drawn (a bootstrap replicate): shares and percentiles are of the drawn.

    Returns
    -------
    array of shape (n,)
    """
    drawn = np.ones(len(code)) if mass is None else mass
    share = np.bincount(code, weights=drawn, minlength=chances.shape[1]) / drawn.sum()
    weights = share[code] / np.maximum(chances[np.arange(len(code)), code], 1e-12)
    order = np.argsort(weights)
    running = np.cumsum(drawn[order]) / drawn.sum()
    low, high = (weights[order][min(int(np.searchsorted(running, q)), len(order) - 1)] for q in TRUNCATED)
    return np.clip(weights, low, high)


def effective_n(weights: Floats) -> float:
    """How many stays of equal weight would say as much: (Σw)² / Σw² (Kish 1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def overlap_table(partition: Partition, chances: Floats, weights: Floats) -> pd.DataFrame:
    """See `overlap`."""
    rows = []
    for k, label in enumerate(partition.labels):
        inside = partition.code == k
        mine, others = chances[inside, k], chances[~inside, k]
        low, high = (others.min(), others.max()) if len(others) else (0.0, 1.0)
        of_group = weights[inside]
        rows.append({
            "by": partition.by, "group": label, "n": int(inside.sum()), "effective_n": effective_n(of_group),
            "largest_weight": float(of_group.max() / of_group.mean()),
            "overlap": float(((mine >= low) & (mine <= high)).mean()),
            "covered": float(((others >= mine.min()) & (others <= mine.max())).mean()) if len(others) else 1.0,
            "smallest_chance": float(chances[:, k].min()), "adjusted_for": ", ".join(partition.adjusted_for),
        })  # fmt: skip
    return pd.DataFrame(rows)


def balance_table(partition: Partition, covariates: Design, weights: Floats) -> pd.DataFrame:
    """See `balance`."""
    rows = []
    for name, text in covariates.every.items():
        for level in sorted(text.unique()):
            has = text.eq(level).to_numpy(dtype=float)
            target = has.mean()
            spread = np.sqrt(target * (1 - target))
            for k, label in enumerate(partition.labels):
                inside = partition.code == k
                before, after = has[inside].mean(), np.average(has[inside], weights=weights[inside])
                shown = (before, after, target)
                gaps = ((before - target) / spread, (after - target) / spread) if spread > 0 else (0.0, 0.0)
                rows.append((partition.by, label, name, level, *shown, *gaps))
    columns = ["by", "group", "covariate", "level", "share", "weighted_share", "target", "smd_before", "smd_after"]
    return pd.DataFrame(rows, columns=columns)
