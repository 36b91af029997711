"""Time in calendar months, the unit of every duration of the library.

The duration from a to b is the completed calendar months plus the fraction of the next one, so an anniversary is a
whole number: a follow-up on the day twelve months after an establishment is at 12.0. With months of 365.25/12 days it
would be at 11.99, and whole cohorts would leave the risk set just before every horizon (design.md, « Time »).

A day that the target month does not have becomes its last day: one month after 31 January is 28 (or 29) February.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Durations come from whole days, so a value this close to a whole month is one, up to rounding.
TOLERANCE = 1e-9


def _shift(year_month: np.ndarray, day: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Days (datetime64[D]) of the dates (year_month, day) moved by whole months."""
    target = (year_month + by.astype("timedelta64[M]")).astype("datetime64[M]")
    first = target.astype("datetime64[D]")
    length = ((target + np.timedelta64(1, "M")).astype("datetime64[D]") - first).astype(np.int64)
    return first + (np.minimum(day, length) - 1).astype("timedelta64[D]")


def months_between(start, end) -> np.ndarray:
    """
    Months from one date to another: completed calendar months plus the fraction of the next one.

    Parameters
    ----------
    start, end : array-like of datetime64, or a single date
        Broadcast against each other. NaT gives NaN.

    Returns
    -------
    ndarray of float64, shape of the broadcast
        Negative where `end` is before `start`.

    Examples
    --------
    >>> import pandas as pd
    >>> months_between(pd.to_datetime(["2021-03-03", "2021-01-31"]), pd.to_datetime(["2022-03-03", "2021-02-28"]))
    array([12.,  1.])
    """
    a, b = np.broadcast_arrays(_days(start), _days(end))
    missing = np.isnat(a) | np.isnat(b)
    a = np.where(missing, np.datetime64("2000-01-01"), a)
    b = np.where(missing, np.datetime64("2000-01-01"), b)
    start_month = a.astype("datetime64[M]")
    day = (a - start_month.astype("datetime64[D]")).astype(np.int64) + 1
    completed = (b.astype("datetime64[M]") - start_month).astype(np.int64)
    # one month less where the anniversary is after b
    completed = np.where(_shift(start_month, day, completed) > b, completed - 1, completed)
    reached = _shift(start_month, day, completed)
    following = _shift(start_month, day, completed + 1)
    part = (b - reached).astype(np.int64) / (following - reached).astype(np.int64)
    return np.where(missing, np.nan, completed + part)


def add_months(start, months) -> np.ndarray:
    """
    Dates moved by whole calendar months (a missing day falls back to the month's last).

    Examples
    --------
    >>> add_months(["2021-01-31"], [1])
    array(['2021-02-28'], dtype='datetime64[D]')
    """
    days, by = np.broadcast_arrays(_days(start), np.asarray(months, dtype=np.int64))
    missing = np.isnat(days)
    days = np.where(missing, np.datetime64("2000-01-01"), days)
    start_month = days.astype("datetime64[M]")
    day = (days - start_month.astype("datetime64[D]")).astype(np.int64) + 1
    return np.where(missing, np.datetime64("NaT"), _shift(start_month, day, by))


def ceil_month(months) -> np.ndarray:
    """The grid month of an event or an entry: (m−1, m] → m. Infinity stays infinite."""
    return np.ceil(np.asarray(months, dtype=float) - TOLERANCE)


def floor_month(months) -> np.ndarray:
    """The grid month of a censoring: completed months only."""
    return np.floor(np.asarray(months, dtype=float) + TOLERANCE)


def _days(dates) -> np.ndarray:
    if isinstance(dates, (pd.Series, pd.Index)):
        dates = dates.to_numpy()
    return np.asarray(dates, dtype="datetime64[D]")
