"""Stays with a known truth, reported as the observation model says: contacts that fail, news that comes late or never.

Members of a household of one to four share, one time in two, the uniform number that their exit is drawn with: each
exit is of the true distribution, and households know less than as many persons would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

CUTS = np.array([1, 3, 6, 9, 12, 18, 24, 36, 48, 60])
TOTAL = np.array([0.012, 0.03, 0.028, 0.024, 0.02, 0.013, 0.011, 0.008, 0.006, 0.005, 0.005])  # by piece
SHARES = np.array([0.5, 0.2, 0.3])
FAILURE = np.array([[0.12, 0.3], [0.5, 0.7]])  # there or gone, by whether the previous attempt failed
DELAY_CLASS = np.concatenate([[0, 1, 2, 2, 3, 3, 3], np.full(6, 4), np.full(240, 5)])
HEARING = np.array([[0.1, 0.09, 0.07, 0.05, 0.03, 0.015], [0.1, 0.08, 0.06, 0.05, 0.03, 0.012],
                    [0.07, 0.06, 0.05, 0.04, 0.025, 0.01]])  # fmt: skip
SCHEDULE = (3.0, 6.0, 12.0, 24.0)
MONTHS = np.arange(1, 241)
HAZARD = TOTAL[np.searchsorted(CUTS, MONTHS)]
SURVIVAL = np.concatenate([[1.0], np.cumprod(1 - HAZARD)])  # S(0), S(1), …
INCIDENCE = SHARES[:, None] * (1 - SURVIVAL)


@dataclass(frozen=True)
class Stays:
    """What `observed_incidence` is given."""

    contacts: pd.DataFrame
    cutoff: np.ndarray
    entry: np.ndarray
    household: np.ndarray

    def arguments(self) -> dict:
        return {"contacts": self.contacts, "cutoff": self.cutoff, "entry": self.entry, "cluster": self.household}


def stays(n: int, rng: np.random.Generator, *, whole: bool = True, correlated: bool = True, late: float = 0.1) -> Stays:
    """
    So many stays (those who left before they came under observation are drawn again).

    Parameters
    ----------
    n : int
    rng : Generator
    whole : bool
        Contacts and news in whole months, or dated.
    correlated : bool
        Households of one to four, or of one.
    late : float
        Share of households that come under observation 1 to 8 months after the start.
    """
    size = rng.integers(1, 5 if correlated else 2, n)
    household = np.repeat(np.arange(n), size)[:n]
    cutoff = rng.integers(18, 73, n)[household].astype(float)
    entry = np.where(rng.random(n) < late, rng.integers(1, 9, n), 0)[household].astype(float)
    # the share that leaves after the entry, cut at the 240th month, is spread evenly over uniform numbers
    own, shared, together = rng.random(n), rng.random(n)[household], rng.random(n) < 0.5
    uniform = np.where(together, shared, own) * SURVIVAL[entry.astype(int)]
    exit_month = np.searchsorted(-SURVIVAL, -uniform, side="left")  # S(t) ≤ u < S(t − 1)
    cause = 1 + rng.choice(3, n, p=SHARES)
    exit_real = exit_month - rng.random(n)
    if not whole:
        cutoff = np.minimum(cutoff + rng.random(n)[household], 72.0)

    parts = []
    failed = np.zeros(n, dtype=int)
    for due in SCHEDULE:
        month = np.full(n, due) if whole else due + rng.uniform(-1, 1, n)
        made = (month > entry) & (month <= cutoff)
        gone = (exit_real <= month).astype(int)
        missed = rng.random(n) < FAILURE[gone, failed]
        kind = np.where(missed, "failed", np.where(gone == 1, "left", "present"))
        parts.append(_rows(made, month, kind, "A", np.where(kind == "left", cause, 0)))
        failed = np.where(made, missed, failed)
    hazard = HEARING[:, DELAY_CLASS]
    share = 1 - np.cumprod(1 - hazard, axis=1)
    delay = np.full(n, 10**6)
    u = rng.random(n)
    for c in range(3):
        mine = cause == c + 1
        delay[mine] = np.searchsorted(share[c], u[mine], side="right")
    earliest = np.maximum(exit_real, exit_month + delay - 1)  # news comes after the exit
    filed = exit_month + delay - (0.0 if whole else rng.random(n) * (exit_month + delay - earliest))
    parts.append(_rows((filed <= cutoff) & (delay < share.shape[1]), filed, "news", "B", cause))
    return Stays(pd.concat(parts, ignore_index=True), cutoff, entry, household)


def _rows(chosen: np.ndarray, month: np.ndarray, kind, organisation: str, cause: np.ndarray) -> pd.DataFrame:
    stay = np.flatnonzero(chosen)
    kinds = kind if isinstance(kind, str) else kind[chosen]
    return pd.DataFrame({"stay": stay, "month": month[chosen].astype(float), "kind": kinds,
                         "organisation": organisation, "cause": cause[chosen]})  # fmt: skip
