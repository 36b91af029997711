"""Days, months and quarters. A day is a whole number (days since 1970-01-01); a month is a calendar month.

From a to b there are the completed months plus the part of the next one (design.md, « Time »), so an anniversary
is a whole number. A quarter is numbered year × 4 + 0…3 by the calendar; the fiscal year starts on 1 April.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np

_EPOCH = dt.date(1970, 1, 1).toordinal()


def day_of(date: dt.date) -> int:
    """Number of a date."""
    return date.toordinal() - _EPOCH


@cache
def date_of(day: int) -> dt.date:
    """Date of a number."""
    return dt.date.fromordinal(day + _EPOCH)


def add_months(day: int, months: int) -> int:
    """The same day some months later, or the last of a shorter month."""
    date = date_of(day)
    index = date.year * 12 + date.month - 1 + months
    year, month = divmod(index, 12)
    return day_of(dt.date(year, month + 1, min(date.day, days_in_month(year, month + 1))))


def days_in_month(year: int, month: int) -> int:
    """How many days a month has."""
    following = dt.date(year + month // 12, month % 12 + 1, 1)
    return (following - dt.date(year, month, 1)).days


def quarter_of(day: int) -> int:
    """Number of the quarter that holds a day."""
    date = date_of(day)
    return date.year * 4 + (date.month - 1) // 3


def quarter_start(quarter: int) -> int:
    """First day of a quarter."""
    return day_of(dt.date(quarter // 4, quarter % 4 * 3 + 1, 1))


def quarter_end(quarter: int) -> int:
    """Last day of a quarter."""
    return quarter_start(quarter + 1) - 1


def fiscal(quarter: int) -> tuple[str, int]:
    """Exercice and trimestre of a quarter.

    >>> fiscal(2021 * 4 + 3)
    ('2021-2022', 3)
    """
    year, n = divmod(quarter - 1, 4)
    return f"{year}-{year + 1}", n + 1


def months_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Calendar months from each start to each end; inf where the end is missing (NaT).

    >>> months_between(np.array(["2022-01-31"], "M8[D]"), np.array(["2023-01-31"], "M8[D]"))
    array([12.])
    """
    a, b = np.asarray(start, "M8[D]"), np.asarray(end, "M8[D]")
    missing = np.isnat(b)
    b = np.where(missing, a, b)
    whole = (b.astype("M8[M]") - a.astype("M8[M]")).astype(int)
    whole = whole - (_anniversary(a, whole) > b)
    before, after = _anniversary(a, whole), _anniversary(a, whole + 1)
    part = (b - before).astype(float) / (after - before).astype(float)
    return np.where(missing, np.inf, whole + part)


def _anniversary(a: np.ndarray, months: np.ndarray) -> np.ndarray:
    month = a.astype("M8[M]") + months
    last = (month + 1).astype("M8[D]") - np.timedelta64(1, "D")
    return np.minimum(month.astype("M8[D]") + (a - a.astype("M8[M]").astype("M8[D]")), last)
