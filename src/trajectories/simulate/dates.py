"""How a date is typed: the forms of the contract, at the precision that is known."""

from __future__ import annotations

import datetime as dt

from .clock import date_of, fiscal, quarter_of
from .wording import MONTHS

FORMS = ("iso", "dmy", "words", "mdy", "dmy_short", "excel", "serial", "serial_1904")
_EXCEL_ZERO = dt.date(1899, 12, 30).toordinal()
_EXCEL_1904 = dt.date(1904, 1, 1).toordinal()


def typed(day: int, precision: str, form: str) -> object:
    """A date as a cell: text, or for the Excel forms a date or a number.

    >>> from trajectories.simulate.clock import day_of
    >>> [typed(day_of(dt.date(2022, 3, 3)), p, "words") for p in ("day", "month", "quarter")]
    ['3 mars 2022', 'mars 2022', 'T4 2021-2022']
    """
    date = date_of(day)
    if precision == "year":
        return str(date.year)
    if precision == "month":
        return f"{MONTHS[date.month - 1]} {date.year}"
    if precision == "quarter":
        year, n = fiscal(quarter_of(day))
        return f"T{n} {year}"
    if form == "iso":
        return date.isoformat()
    if form == "dmy":
        return f"{date.day:02d}/{date.month:02d}/{date.year}"
    if form == "mdy":
        return f"{date.month:02d}/{date.day:02d}/{date.year}"
    if form == "dmy_short":
        return f"{date.day:02d}/{date.month:02d}/{date.year % 100:02d}"
    if form == "words":
        return f"{'1er' if date.day == 1 else date.day} {MONTHS[date.month - 1]} {date.year}"
    if form == "serial":
        return date.toordinal() - _EXCEL_ZERO
    if form == "serial_1904":
        return date.toordinal() - _EXCEL_1904
    return date
