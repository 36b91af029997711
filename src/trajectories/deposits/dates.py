"""Typed dates as intervals [first day, last day], in every form of the contract.

A day is one day, `mars 2022` a month, `T2 2021-2022` a fiscal quarter (July to September 2021), `2021-2022` a fiscal
year (1 April to 31 March), `2022` a year, a whole number outside 1900–2100 an Excel serial (days since 1899-12-30). The
order of day and month is decided per file, from the cells that allow only one order. The clock is never read: a
two-digit year takes the latest century that is not after a date the caller passes.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..places.spelling import fold
from ..study import FIRST_YEAR, LAST_YEAR

# Range of plausible Excel serials: below are years, above are dates after 2100.
_FIRST_SERIAL, _LAST_SERIAL = LAST_YEAR + 1, 73_415
_EXCEL_DAY_ZERO = dt.date(1899, 12, 30).toordinal()
_UNIX_DAY_ZERO = dt.date(1970, 1, 1).toordinal()

# Typed for « nothing »: missing, not an issue.
NOTHING = frozenset((
    "", "-", "--", "---", "—", "–", "?", "??", ".", "..", "...", "n/d", "nd", "n.d.", "n.d", "na", "n/a", "n.a.",
    "n.a", "#n/a", "s.o.", "s.o", "s/o", "so",
    "sans objet", "non disponible", "inconnu", "inconnue", "null", "nan", "nat", "none", "aucun", "aucune",
    "a venir", "a determiner", "0",
))  # fmt: skip

_MONTHS = {
    **{name: number for number, names in enumerate((
        ("janvier", "janv", "jan", "january"), ("fevrier", "fevr", "fev", "feb", "february"), ("mars", "mar", "march"),
        ("avril", "avr", "apr", "april"), ("mai", "may"), ("juin", "jun", "june"), ("juillet", "juil", "jul", "july"),
        ("aout", "aou", "aug", "august"), ("septembre", "sept", "sep", "september"), ("octobre", "oct", "october"),
        ("novembre", "nov", "november"), ("decembre", "dec", "december"),
    ), start=1) for name in names},
}  # fmt: skip
_TIME = r"(?:[t ]+(?:a )?\d{1,2}[:h]\d{2}.*)?"
_ISO = re.compile(r"(\d{4})([-/. ])(\d{1,2})\2(\d{1,2})" + _TIME)
_NUMERIC = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})" + _TIME)
_SHORT_ISO = re.compile(r"(\d{2})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME)
_YEAR_MONTH = re.compile(r"(\d{4})[-/. ](\d{1,2})")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/. ](\d{4})")
_WHOLE = re.compile(r"\d+")
_DECIMAL = re.compile(r"(\d{4,5}|\d{8})[.,]\d*")
_FISCAL = re.compile(r"(\d{4})\s*[-/–—]\s*(\d{4}|\d{2})")
_QUARTER = re.compile(r"(?:\b[tq]\s*([1-4])\b|\b([1-4])\s*(?:er|re|e|eme|nd)?\s*trim\w*|\btrim\w*\.?\s*([1-4])\b)")
_AROUND = re.compile(
    r"^(?:~ *|(?:(?:vers|environ|env\.?|circa|le|en|debut|mi|fin|courant|depuis|mois de|exercice|annee(?: financiere)?)"
    r"[ -]+(?:de |d')?)+)"
)
_DOUBT = re.compile(r" *\(?\b(?:approx\w*|environ|env|estimee?)\b\.?\)?$")
_WEEKDAY = re.compile(
    r"^(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|(?:lun|mar|mer|jeu|ven|sam|dim|mon|tue|wed|thu|fri|sat|sun)(?=\.?,? +\d{1,2}[a-z]*[ -]+[a-z]))\.?\s*,?\s+"
)
# Written for an unknown day or month: the date is then a month or a year.
_NOT_KNOWN = r"(?:00|xx|jj|mm|\?\?|--)"
_NO_DAY = re.compile(rf"{_NOT_KNOWN}([-/.])(\d{{1,2}})\1(\d{{4}})|(\d{{4}})([-/.])(\d{{1,2}})\5{_NOT_KNOWN}")
_NO_MONTH = re.compile(rf"{_NOT_KNOWN}([-/.]){_NOT_KNOWN}\1(\d{{4}})|(\d{{4}})([-/.]){_NOT_KNOWN}\4{_NOT_KNOWN}")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-") | dict.fromkeys("∕⁄", "/") | {"_": " "})
_SPACED = re.compile(r"(?<=\d) *([-/.]) *(?=\d)")
_DAY_WORD_YEAR = re.compile(
    r"(\d{1,2}|premier)\s?(?:er|st|nd|rd|th)?[\s./-]*([a-z]{3,9})\.?[\s./,-]*(\d{4}|\d{2})" + _TIME
)
_WORD_DAY_YEAR = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?\s*,?\s+(\d{4})" + _TIME)
_YEAR_WORD = re.compile(r"(\d{4})[\s,./-]*([a-z]{3,9})\.?(?:[\s,./-]*(\d{1,2}))?")
_WORD_YEAR = re.compile(r"([a-z]{3,9})\.?[\s./,-]*(\d{4}|\d{2})")


class Reading(NamedTuple):
    """One date read: first and last day (days since 1970-01-01), its form, the order it proves (1 day first, −1 month
    first, 0 none), whether the other order reads differently, and whether its century was chosen."""

    first: int
    last: int
    form: str
    order: int = 0
    either: bool = False
    two_digits: bool = False


def parse_dates(values, *, day_first: bool = True, latest=None) -> pd.DataFrame:
    """
    Read typed dates as intervals; a text that cannot be read is missing, never an error.

    Parameters
    ----------
    values : array-like of str, shape (n,)
    day_first : bool
        How `03/04/2022` is read. A cell that allows only one order is read in that order.
    latest : date, optional
        Two-digit years take the latest century that is not after it; None: the 2000s.

    Returns
    -------
    DataFrame, n rows
        earliest, latest (datetime64), form (day, month, quarter, fiscal_year, year, serial; `missing`, `unreadable`).

    Examples
    --------
    >>> parse_dates(["3 mars 2022", "T2 2021-2022", "30/02/2022"])["form"].tolist()
    ['day', 'quarter', 'unreadable']
    >>> str(parse_dates(["T2 2021-2022"]).loc[0, "latest"].date())
    '2021-09-30'
    """
    array = np.asarray(values, dtype=object)
    position, unique = pd.factorize(np.where(pd.isna(array), "", array).astype(str))
    limit = None if latest is None else pd.Timestamp(latest).to_datetime64().astype("datetime64[D]")
    table = DateTable([str(value) for value in unique])
    first, last = table.take(
        position, np.full(len(position), day_first), None if limit is None else np.full(len(position), limit)
    )
    forms = [
        r.form if r else "missing" if m else "unreadable" for r, m in zip(table.readings, table.missing, strict=True)
    ]
    form = np.array(forms, dtype=object)
    return pd.DataFrame(
        {
            "earliest": first.astype("datetime64[ns]"),
            "latest": last.astype("datetime64[ns]"),
            "form": form[position] if len(form) else form,
        }
    )


class DateTable:
    """
    Distinct typed dates, each read once; `take` gives them per row, with the day-month order and century of its file.

    Attributes
    ----------
    readings : list of Reading or None
    order : ndarray of int8
        1 where the text can only be read with the day first, −1 with the month first, 0 where it shows neither.
    missing, unreadable : ndarray of bool
    """

    def __init__(self, texts: list[str]):
        folded = [_clean(text) for text in texts]
        self.readings = [read_date(text) for text in folded]
        self.missing = np.array([text in NOTHING for text in folded], dtype=bool)
        self.order = np.array([r.order if r else 0 for r in self.readings], dtype=np.int8)
        self.unreadable = np.array([r is None for r in self.readings], dtype=bool) & ~self.missing
        # first[month first][earlier century], and last: only readings that differ are read again
        self._first = np.full((2, 2, len(texts)), np.iinfo(np.int64).min)
        self._last = self._first.copy()
        for i, reading in enumerate(self.readings):
            if reading is None:
                continue
            for swapped in (0, 1):
                for earlier in (0, 1):
                    variant = reading
                    if (swapped and reading.either) or (earlier and reading.two_digits):
                        variant = read_date(folded[i], day_first=not swapped, century=1900 if earlier else 2000)
                    if variant is not None:
                        self._first[swapped, earlier, i], self._last[swapped, earlier, i] = variant.first, variant.last
        self._chosen_century = np.array([bool(r and r.two_digits) for r in self.readings], dtype=bool)

    def take(
        self, position: np.ndarray, day_first: np.ndarray, latest: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """First and last days (datetime64[D]) at the positions, NaT where missing or unreadable."""
        swapped = (~day_first).astype(np.int8)
        earlier = np.zeros(len(position), dtype=np.int8)
        if latest is not None and self._chosen_century.any():
            after = self._first[swapped, 0, position].astype("datetime64[D]") > latest
            earlier = (after & self._chosen_century[position]).astype(np.int8)
        first = self._first[swapped, earlier, position].astype("datetime64[D]")
        return first, self._last[swapped, earlier, position].astype("datetime64[D]")


def _clean(text: str) -> str:
    text = " ".join(fold(text.translate(_DASHES)).split()).strip(" '\"=;,[]").rstrip(" ?")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    if text[-1:] == "." and text[-2:-1].isdigit():
        text = text[:-1]
    return _SPACED.sub(r"\1", _DOUBT.sub("", text)).strip().rstrip(" ?")


def read_date(text: str, *, day_first: bool = True, century: int = 2000) -> Reading | None:
    """One folded text as a Reading, or None. Never raises."""
    for reader in (_from_numbers, _from_words):
        try:
            reading = reader(text, day_first, century)
        except ValueError:  # a day that its month does not have
            return None
        if reading is not None:
            return reading
    return None


def _from_numbers(text: str, day_first: bool, century: int) -> Reading | None:  # noqa: C901  # a case a form
    if match := _NO_MONTH.fullmatch(text):
        return _unless_excel_zero(_year(int(match[2] or match[3])), text)
    if match := _NO_DAY.fullmatch(text):
        return _unless_excel_zero(_month(int(match[3] or match[4]), int(match[2] or match[6])), text)
    if match := _ISO.fullmatch(text):
        return _day(int(match[1]), int(match[3]), int(match[4]))
    if match := _NUMERIC.fullmatch(text):
        a, b, year, short = int(match[1]), int(match[3]), int(match[4]), len(match[4]) == 2
        if short and a > 31:
            return _day(century + a, b, year, two_digits=True)
        year += century if short else 0
        if a > 12 or b > 12:
            day, month, order = (a, b, 1) if a > 12 else (b, a, -1)
            return _day(year, month, day, order=order, two_digits=short)
        day, month = (a, b) if day_first else (b, a)
        return _day(year, month, day, either=a != b, two_digits=short)
    if match := _SHORT_ISO.fullmatch(text):
        return _day(century + int(match[1]), int(match[3]), int(match[4]), two_digits=True)
    if _WHOLE.fullmatch(text):
        return _from_integer(text)
    if match := _YEAR_MONTH.fullmatch(text):
        year, month = int(match[1]), int(match[2])
        if 1 <= month <= 12:
            return _month(year, month)
        if month == (year + 1) % 100:
            return _fiscal_year(year)
    if match := _MONTH_YEAR.fullmatch(text):
        return _month(int(match[2]), int(match[1]))
    if match := _DECIMAL.fullmatch(text):
        return _from_integer(match[1])
    if (match := _FISCAL.fullmatch(text)) and _follows(match[1], match[2]):
        return _fiscal_year(int(match[1]))
    return None


def _from_integer(text: str) -> Reading | None:
    if len(text) == 8:
        return _day(int(text[:4]), int(text[4:6]), int(text[6:]))
    number = int(text) if len(text) <= 5 else 0
    if FIRST_YEAR <= number <= LAST_YEAR:
        return _year(number)
    if _FIRST_SERIAL <= number <= _LAST_SERIAL:
        day = _EXCEL_DAY_ZERO - _UNIX_DAY_ZERO + number
        return Reading(day, day, "serial")
    return None


def _from_words(text: str, day_first: bool, century: int) -> Reading | None:
    text = _WEEKDAY.sub("", _AROUND.sub("", text))
    if quarter := _QUARTER.search(text):
        year = _FISCAL.search(text)
        if year and _follows(year[1], year[2]):
            return _fiscal_quarter(int(year[1]), int(quarter[1] or quarter[2] or quarter[3]))
        return None
    if (match := _DAY_WORD_YEAR.fullmatch(text)) and match[2] in _MONTHS:
        return _day(_full_year(match[3], century), _MONTHS[match[2]], _number(match[1]), two_digits=len(match[3]) == 2)
    if (match := _WORD_DAY_YEAR.fullmatch(text)) and match[1] in _MONTHS:
        return _day(int(match[3]), _MONTHS[match[1]], int(match[2]))
    if (match := _YEAR_WORD.fullmatch(text)) and match[2] in _MONTHS:
        year, month = int(match[1]), _MONTHS[match[2]]
        return _day(year, month, int(match[3])) if match[3] else _month(year, month)
    if (match := _WORD_YEAR.fullmatch(text)) and match[1] in _MONTHS:
        return _month(_full_year(match[2], century), _MONTHS[match[1]], two_digits=len(match[2]) == 2)
    return _from_numbers(text, day_first, century)


def _unless_excel_zero(reading: Reading | None, text: str) -> Reading | None:
    """The reading, or None for day 0 of January 1900: a spreadsheet shows an empty date so."""
    return None if text.startswith("1900") or text.endswith("1900") else reading


def _full_year(text: str, century: int) -> int:
    return int(text) + (century if len(text) == 2 else 0)


def _follows(first: str, second: str) -> bool:
    """Whether `2021-2022` or `2021-22` is a fiscal year: two years in a row."""
    return int(second) == int(first) + 1 if len(second) == 4 else int(second) == (int(first) + 1) % 100


def _span(first: dt.date, last: dt.date, form: str, **flags) -> Reading | None:
    if not FIRST_YEAR <= first.year <= LAST_YEAR:
        return None
    return Reading(first.toordinal() - _UNIX_DAY_ZERO, last.toordinal() - _UNIX_DAY_ZERO, form, **flags)


def _day(year: int, month: int, day: int, **flags) -> Reading | None:
    date = dt.date(year, month, day)
    return _span(date, date, "day", **flags)


def _number(text: str) -> int:
    return 1 if text == "premier" else int(text)


def _year(year: int) -> Reading | None:
    return _span(dt.date(year, 1, 1), dt.date(year, 12, 31), "year") if year else None


def _month(year: int, month: int, **flags) -> Reading | None:
    if not 1 <= month <= 12:
        return None
    return _span(dt.date(year, month, 1), dt.date(year, month, calendar.monthrange(year, month)[1]), "month", **flags)


def _fiscal_year(year: int) -> Reading | None:
    return _span(dt.date(year, 4, 1), dt.date(year + 1, 3, 31), "fiscal_year")


def _fiscal_quarter(year: int, quarter: int) -> Reading | None:
    month = 3 * quarter + 1 if quarter < 4 else 1
    year += quarter == 4
    return _span(dt.date(year, month, 1), dt.date(year, month + 2, calendar.monthrange(year, month + 2)[1]), "quarter")


def quarter_end(fiscal_year: str, quarter: int) -> np.datetime64:
    """
    The last day of a quarter of a fiscal year.

    Examples
    --------
    >>> quarter_end("2021-2022", 4)
    np.datetime64('2022-03-31')
    """
    reading = _fiscal_quarter(int(fiscal_year[:4]), quarter)
    return np.datetime64("NaT") if reading is None else np.datetime64(reading.last, "D")
