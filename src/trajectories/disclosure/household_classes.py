"""Counts told by their classes of `threshold`: 0–9, 10–19, 20–29 …, and what a sum of them says of one of its parts.

Where numbers stand beside one another that hold one another (met, then settled; by month 3, then by month 6; with any
service, then with this one), their difference is a count too, and not one that can be hidden by itself. Classes of
`threshold`, all from one grid, leave any difference of two numbers open to all of 1 … threshold − 1 whenever it is that
small: two of one class differ by 0 to 9, two of neighbouring ones by 1 to 19. So the numbers need no hiding one by one.

What adds up (regions to the province, types of organisation to all) says more: of three numbers or more the ends of
classes do not add up to ends of classes. `open_parts` looks at each part that holds 1 … threshold − 1, told or not: the
whole's class less those of the others has to leave it open to all of these. A part that is not told counts, for the
others, as anything from nobody to all that it is made of, which a reader may know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE


def class_width(rules: Disclosure) -> int:
    """
    How wide a class is: as many households as it takes for both thresholds.

    A household has a member at least, so that as many households are as many persons.
    """
    return max(rules.threshold, rules.households)


def class_of(counts, width: int) -> tuple[np.ndarray, np.ndarray]:
    """
    The first and the last number of the class.

    Examples
    --------
    >>> [ends.tolist() for ends in class_of([0, 9, 10, 27], 10)]
    [[0, 0, 10, 20], [9, 9, 19, 29]]
    """
    low = np.asarray(counts, dtype=np.int64) // width * width
    return low, low + width - 1


def open_parts(whole: tuple[float, float], parts: np.ndarray, least: np.ndarray, most: np.ndarray, width: int) -> bool:
    """
    Whether every small part stays open to all of 1 … width − 1 beside the whole and the others.

    Parameters
    ----------
    whole : (float, float)
        From where to where it is told to be.
    parts : array of float
        What adds up to it (missing: not known here, and taken for small).
    least, most : arrays of float
        From where to where a reader has to suppose each of them.
    width : int

    Examples
    --------
    >>> two = np.array([30.0, 4.0])
    >>> open_parts((30, 39), two, np.array([30, 0]), np.array([39, 9]), 10)
    True
    >>> three = np.array([39.0, 39.0, 4.0])  # 80 to 89 less twice 30 to 39: two at least
    >>> open_parts((80, 89), three, np.array([30, 30, 0]), np.array([39, 39, 9]), 10)
    False
    """
    small = np.isnan(parts) | ((parts > 0) & (parts < width))
    others_least, others_most = least.sum() - least, most.sum() - most
    return bool(((whole[0] - others_most <= 1) & (whole[1] - others_least >= width - 1))[small].all())


def is_open(
    whole: pd.Series, parts: pd.DataFrame, told: np.ndarray, values: Sequence[str], base: str, width: int
) -> bool:
    """
    Whether the small parts stay open in each of the values beside a whole that is told.

    `values`: columns that add up, « rest » being what n leaves of k; `base`: the one of which the others are parts, the
    most of which a part that is not told may be, and which a reader may know by its class.
    """
    known = parts[base].fillna(0).to_numpy(dtype=float)
    unseen = np.where(known > 0, class_of(known, width)[1], 0)
    one = whole.to_frame().T
    for name in values:
        low, high = _ends(one, name, width)
        least, most = _ends(parts, name, width)
        least, most = np.where(told, least, 0), np.where(told, most, unseen)
        if not open_parts((low[0], high[0]), parts[name].to_numpy(dtype=float), least, most, width):
            return False
    return True


def _ends(frame: pd.DataFrame, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Between what the classes told leave a value: of the rest, what those of n and k leave."""
    if name != "rest":
        return class_of(frame[name].fillna(0).to_numpy(dtype=float), width)
    (n_low, n_high), (k_low, k_high) = (_ends(frame, one, width) for one in ("n", "k"))
    return np.maximum(n_low - k_high, 0), n_high - k_low


def hide_wholes(
    raw: pd.DataFrame, reason: pd.Series, rules: Disclosure, keys: Sequence[str], values: Sequence[str], base: str
) -> pd.Series:
    """
    The reasons, « difference » where the province's row would tell of a small part of one of its regions.

    A household of two regions is in both, and once in the province, which is less than the sum then. It is looked at as
    if it were the sum (grouped.py says why that is no less safe).
    """
    width, reason = class_width(rules), reason.copy()
    names = sorted({*values, "n", "k"} & set(raw.columns) - {"rest"})
    for _, rows in raw.groupby(list(keys), dropna=False, sort=True):
        parts = rows[rows["group"].isin(REGION_CODES)]
        told = reason[parts.index].isna().to_numpy()
        for at in rows.index[rows["group"].eq(PROVINCE) & reason[rows.index].isna()]:
            whole = np.maximum(raw.loc[at, names].astype(float), parts[names].astype(float).sum())
            if not is_open(whole, parts, told, values, base, width):
                reason[at] = "difference"
    return reason
