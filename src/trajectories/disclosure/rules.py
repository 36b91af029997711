"""The numbers behind the publication rules, each with its reason, and the arithmetic of rounding.

Sources: design.md, « Disclosure »; domain.md, §6 (Règlement sur l'anonymisation, A-2.1, r. 0.1; practice of
Statistics Canada: counts to the nearest 5, small counts hidden, no characteristics of very few households).
The study may ask for stricter numbers; nothing here can be switched off.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..exceptions import DisclosureError
from ..study import SMALLEST_RULES, Disclosure

# Under 20 persons one person is worth more than 5 points: no rate, whatever the study asks (domain.md §6: 20 to 30).
SMALLEST_DENOMINATOR, _ = SMALLEST_RULES["rate_denominator"]
# A curve or a rate stops where fewer are at risk, whatever `Study.support` says: the steps would be single persons.
SMALLEST_AT_RISK = 20
# Rates are told to the whole percent. Under 1,000 persons that alone would not hide ten of them (the spacing of the
# figures does: see rates.py); it removes the exact fraction, from which n and the count could be found again.
RATE_DECIMALS = 2
# Shares of departures are told in steps of five points, twenty to the whole: see counts.py.
SHARE_STEPS = 20
# An expected number of exits below this is none: what is left of a converged EM, or of floating point.
NO_EXITS = 1e-6


def checked(rules: Disclosure) -> Disclosure:
    """
    The rules themselves, once none of them is seen to be switched off.

    Raises
    ------
    DisclosureError
        Every fault at once, a sentence each.

    Examples
    --------
    >>> checked(Disclosure(households=1))
    Traceback (most recent call last):
    trajectories.exceptions.DisclosureError: disclosure.households is 1: it must be 2 or more (one household alone \
would stand there).
    """
    faults = [f"disclosure.{fault}" for fault in rules.faults()]
    if faults:
        raise DisclosureError(" ".join(faults))
    return rules


def rounded(counts: ArrayLike, base: int) -> np.ndarray:
    """
    Whole numbers to the nearest multiple of the base, a half upwards.

    Examples
    --------
    >>> rounded([0, 12, 13, 18], 5)
    array([ 0, 10, 15, 20])
    """
    counts = np.asarray(counts, dtype=np.int64)
    return (counts + base // 2) // base * base


def rounding_interval(shown: ArrayLike, base: int, threshold: int) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and largest counts that a reader can suppose behind rounded ones (0 is 0, others ≥ threshold)."""
    shown = np.asarray(shown, dtype=np.int64)
    lowest = np.maximum(shown - base // 2, threshold)
    highest = shown + base - 1 - base // 2
    return np.where(shown == 0, 0, lowest), np.where(shown == 0, 0, highest)


def midpoints(counts: ArrayLike, threshold: int) -> np.ndarray:
    """
    Cumulative counts as the middle of their class of `threshold`: 0 → 0, 1–10 → 5, 11–20 → 15 …

    Examples
    --------
    >>> midpoints([0, 1, 10, 11], 10)
    array([ 0,  5,  5, 15])
    """
    counts = np.asarray(counts, dtype=np.int64)
    return np.where(counts > 0, -(-counts // threshold) * threshold - threshold // 2, 0)


def class_ends(counts: ArrayLike, threshold: int) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and largest count of the class that `midpoints` stands for."""
    counts = np.asarray(counts, dtype=np.int64)
    highest = -(-counts // threshold) * threshold
    return np.where(counts > 0, highest - threshold + 1, 0), highest


def whole_counts(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as integers; a missing, negative or broken number is refused: it can't be protected."""
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.round(values))
    if wrong.any():
        raise DisclosureError(
            f"Column {column} holds {int(wrong.sum())} value(s) that are no whole count (missing, negative or broken): "
            "such a table cannot be protected."
        )
    return values.astype(np.int64)
