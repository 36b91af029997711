"""The settings of one simulation, the calendar of its quarters, and the random numbers that its seed gives.

Settings are a frozen value; they are checked together, and all faults are reported at once.

Calendar: a day is a whole number (days since 1970-01-01); months are calendar months (`trajectories.months`); a
quarter is numbered year × 4 + 0…3 by the calendar; the fiscal year starts on 1 April.

Random numbers: one generator per household or organisation and purpose, so that no draw changes another. A setting of
the reporting therefore leaves the true histories unchanged, and a larger simulation begins with the same households as
a smaller one. Only uniform draws and their products are used, no exponential or logarithm, whose last bit may differ
from one machine to the next (`hearing_fades` alone, where it is set, takes a power).
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, TypeGuard, overload

import numpy as np

from trajectories import months as calendar
from trajectories.exceptions import TrajectoriesError

LEVELS = ("none", "light", "heavy")
_SHARES = (
    "stop_calling",
    "closing",
    "contact_failure_leavers",
    "contact_failure_stayers",
    "late_registration",
    "late_filing",
    "metropole_reports",
    "hard_to_reach",
    "hard_to_reach_failure",
    "service_only",
    "hearing_fades",
    "failure_trait",
)
_SWITCHES = ("contacts", "contacts_succeed", "hearsay", "heard_abroad", "news_stops_contacts")
# Effect of a contact « parti » on the departure rows.
AFTER_CONTACT = ("as_heard", "suppressed", "caused")


class SettingsError(TrajectoriesError, ValueError):
    """
    Settings that make no sense; the message is one sentence a fault.

    Examples
    --------
    >>> Settings(households=0)
    Traceback (most recent call last):
        ...
    trajectories.simulate.settings.SettingsError: households is 0: give a whole number of at least 1.
    """


@dataclass(frozen=True)
class Settings:
    """
    What is simulated, and how it becomes known.

    Only ``households``, ``organisations``, ``start``, ``end`` and ``seed`` touch the true histories: with these
    five equal, two simulations have the same persons, residences and stays, whatever is reported about them.

    Parameters
    ----------
    households, organisations : int
        How many of each; about a fifth of the organisations are in the metropole.
    start, end : datetime.date
        First day of the first quarter deposited, last day of the last one.
    seed : int
        Everything is a function of it, byte for byte.
    defects : {"none", "light", "heavy"}
        How badly it is typed (`trajectories.simulate.DEFECTS`).
    contacts : bool
        Scheduled contacts exist.
    contacts_succeed : bool
        Every scheduled contact that is due is made on its day and succeeds (overrides failures of all kinds,
        ``stop_calling`` and ``contacts_follow_trouble``; no contact is some days off, which would no longer be a
        whole number of months).
    hearsay : bool
        Departures are heard of: departure rows, and services in the metropole after a return.
    heard_abroad : bool
        Departures from Québec are heard of as others are (False: no departure row by hearsay; contacts go on
        finding them).
    hearing_fades : float
        What a year since the establishment multiplies the monthly chance of hearing by, smoothly: .5 halves it at
        12 months, quarters it at 24 (departure rows only; 1: it never fades).
    stop_calling : float
        Share of the regional organisations that stop calling within the period.
    closing : float
        Share of the regional organisations that close within the period: from then on no row and no deposit, and no
        other organisation takes over those they knew. Nothing in the deposits says so.
    contact_failure_leavers, contact_failure_stayers : float
        Probability that a contact fails when the person has left, or is still there.
    follow_up_months : tuple of int
        The schedule of contacts, in months since establishment.
    late_registration : float
        Share of stays that the regional organisation meets only two to nine months after the establishment, if
        the person is still there (delayed entry); the metropole has then said nothing of the establishment.
    late_filing : float
        Share of rows filed in the deposit of the next quarter.
    service_only : float
        Share of stays whose establishment nobody reports, neither en région nor in the metropole. The first row of
        the regional organisation is a service, at any time within the first year, if the person is still there
        (delayed entry from an unknown start); its schedule of contacts counts from that day.
    metropole_reports : float
        Share of establishments that the organisation of the metropole reports too.
    hard_to_reach : float
        Share of households that are always hard to reach, in any of their stays, left or not.
    hard_to_reach_failure : float
        Probability that a contact with them fails for that alone (with 1, no contact ever reaches them).
    failure_trait : float
        A trait that nobody records goes with leaving: of the contacts that would reach those who are still there but
        leave before ``end``, this share fails too.
    contacts_follow_trouble : float
        How many times more often a contact that is due is tried with those who have left or will within 12 months
        than with the others (above 1: the others' contacts are thinned; below 1: theirs). 1: all are tried.
    news_stops_contacts : bool
        A departure row ends the scheduled contacts (default: it changes nothing in them).
    departure_row_after_contact : str
        What a contact that says « parti » does to the departure rows.
        ``as_heard``: nothing, they are those of hearsay.
        ``suppressed``: that organisation writes no departure row of that stay from then on.
        ``caused``: it writes one within 20 days, unless it has; its later one by hearsay is then not written.
    habits : str
        What habits the organisations have (`trajectories.simulate.HABITS`): ``none`` (but those of the defect level),
        ``drawn`` (each by a share of the organisations that is drawn), or names joined by commas (each by every
        organisation that it fits).

    Raises
    ------
    SettingsError
        A setting makes no sense; all faults are said at once.

    Examples
    --------
    >>> Settings(households=40, organisations=4).defects
    'light'
    """

    households: int = 1500
    organisations: int = 30
    start: dt.date = dt.date(2018, 4, 1)
    end: dt.date = dt.date(2025, 12, 31)
    seed: int = 1
    defects: str = "light"
    contacts: bool = True
    contacts_succeed: bool = False
    hearsay: bool = True
    stop_calling: float = 0.10
    closing: float = 0.07
    contact_failure_leavers: float = 0.55
    contact_failure_stayers: float = 0.12
    follow_up_months: tuple[int, ...] = (3, 6, 12, 24)
    late_registration: float = 0.06
    late_filing: float = 0.02
    metropole_reports: float = 0.75
    hard_to_reach: float = 0.0
    hard_to_reach_failure: float = 0.6
    news_stops_contacts: bool = False
    heard_abroad: bool = True
    hearing_fades: float = 1.0
    service_only: float = 0.0
    failure_trait: float = 0.0
    contacts_follow_trouble: float = 1.0
    departure_row_after_contact: str = "as_heard"
    habits: str = "none"

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise SettingsError("\n".join(faults))

    @property
    def level(self) -> int:
        """The defect level as a number: 0, 1 or 2."""
        return LEVELS.index(self.defects)


def _faults(s: Settings) -> list[str]:
    faults = []

    def must(good: bool, name: str, sentence: str) -> None:
        if not good:
            faults.append(f"{name} is {getattr(s, name)!r}: {sentence}.")

    must(_is_whole(s.households) and s.households >= 1, "households", "give a whole number of at least 1")
    must(
        _is_whole(s.organisations) and s.organisations >= 2, "organisations", "give at least 2, one is in the metropole"
    )
    must(_is_whole(s.seed) and s.seed >= 0, "seed", "give a whole number of at least 0")
    must(s.defects in LEVELS, "defects", f"choose one of {', '.join(LEVELS)}")
    for name in _SHARES:
        must(_number(getattr(s, name)) and 0 <= getattr(s, name) <= 1, name, "give a share between 0 and 1")
    for name in _SWITCHES:
        must(isinstance(getattr(s, name), bool), name, "give True or False")
    ratio, rule, months = s.contacts_follow_trouble, s.departure_row_after_contact, s.follow_up_months
    must(_number(ratio) and 0 < ratio < float("inf"), "contacts_follow_trouble", "give a ratio above 0")
    must(rule in AFTER_CONTACT, "departure_row_after_contact", f"choose one of {', '.join(AFTER_CONTACT)}")
    are_whole = isinstance(months, tuple) and all(_is_whole(m) and m > 0 for m in months)
    growing = are_whole and list(months) == sorted(set(months))
    must(growing, "follow_up_months", "give a tuple of whole numbers of months above 0 that increase")
    if all(isinstance(d, dt.date) and not isinstance(d, dt.datetime) for d in (s.start, s.end)):
        must(_begins_a_quarter(s.start), "start", "it must be the first day of a quarter")
        must(_begins_a_quarter(s.end + dt.timedelta(days=1)), "end", "it must be the last day of a quarter")
        must(s.end > s.start, "end", "it must come after start")
    else:
        faults.append("start and end must be dates (datetime.date).")
    if s.contacts_succeed is True and s.contacts is False:
        faults.append("contacts_succeed needs contacts=True: a contact that does not exist can't succeed.")
    return faults


def _begins_a_quarter(date: dt.date) -> bool:
    return date.day == 1 and date.month in (1, 4, 7, 10)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


_EPOCH = dt.date(1970, 1, 1).toordinal()


def day_of(date: dt.date) -> int:
    """Number of a date."""
    return date.toordinal() - _EPOCH


@cache
def date_of(day: int) -> dt.date:
    """Date of a number."""
    return dt.date.fromordinal(day + _EPOCH)


@overload
def add_months(day: int, months: int) -> int: ...


@overload
def add_months(day: int, months: np.ndarray) -> list[int]: ...


def add_months(day, months):  # type: ignore[no-untyped-def]
    """The same day some months later, or the last of a shorter month.

    >>> date_of(add_months(day_of(dt.date(2023, 1, 31)), 1))
    datetime.date(2023, 2, 28)
    """
    return calendar.add_months(day, months).astype(np.int64).tolist()


def as_dates(days: Sequence[int | None]) -> np.ndarray:
    """Day numbers as datetime64, None as NaT."""
    nat = np.iinfo(np.int64).min
    return np.array([nat if d is None else d for d in days], dtype=np.int64).astype("M8[D]").astype("M8[ns]")


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


POPULATION, HISTORY, ORGANISATION, REPORTING, FILING, TYPING, LAYOUT, POSTAL, HABIT = range(9)


def generator(seed: int, purpose: int, *key: int) -> np.random.Generator:
    """The generator of one purpose for one household or organisation."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, purpose, *key))))


class Choice:
    """A weighted choice that is drawn many times.

    >>> Choice(["a", "b"], [0, 1]).draw(generator(1, POPULATION))
    'b'
    """

    def __init__(self, values: Sequence[Any], weights: Sequence[float]) -> None:
        kept = [(v, float(w)) for v, w in zip(values, weights, strict=True) if w > 0]
        self.values = [v for v, _ in kept]
        self.cumulative = list(accumulate(w for _, w in kept))

    @classmethod
    def by_weight(cls, text: str) -> Choice:
        """A choice between words: every other word of a text, with the weight after it."""
        return cls(list(weights(text)), list(weights(text).values()))

    def draw(self, rng: np.random.Generator) -> Any:
        """One value."""
        return self.values[bisect_right(self.cumulative, rng.random() * self.cumulative[-1])]


def pick(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """One value, all equally likely."""
    return values[int(rng.random() * len(values))]


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def words(text: str) -> tuple[str, ...]:
    """
    The words of a text; where there are bars, the texts between them.

    >>> words("a b"), words("a b|c")
    (('a', 'b'), ('a b', 'c'))
    """
    return tuple(text.split("|") if "|" in text else text.split())


def pairs(text: str) -> dict[str, str]:
    """
    Every other word of a text, with the one after it.

    >>> pairs("a 1 b 2")
    {'a': '1', 'b': '2'}
    """
    parts = text.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


def weights(text: str) -> dict[str, float]:
    """
    As `pairs`, with numbers.

    >>> weights("a 0.3 b 2")
    {'a': 0.3, 'b': 2.0}
    """
    return {word: float(number) for word, number in pairs(text).items()}


# ----------------------------------------------------------------------------------------------------
# The planted effects: on the length of a stay, on arrivals and exits, and null effects.
#
# The exit hazard is piecewise constant by month since establishment, front-loaded, and 0 from month 97 on: the
# cumulative hazard is bounded, so a share of the stays never ends (a cure fraction of the bounded-hazard kind;
# Tsodikov 1998). Effects multiply it. Calibrated on domain.md §3.2: S(6) ≈ .90–.95, S(12) ≈ .80–.90,
# S(24) ≈ .65–.80 by region. Immigration category multiplies by 1 everywhere, but goes with city size, so that the
# raw contrast differs (Kaida, Hou and Stick 2020).

CITY_SIZES = ("under_10000", "10000_49999", "50000_99999", "100000_and_over")
CATEGORIES = words("economic family refugee other_permanent asylum_claimant temporary_worker student")
# Monthly hazard of the reference (city of 50,000–99,999, no job, not remote), up to and including that month.
BASELINE = (
    (3, 0.0240),
    (6, 0.0225),
    (12, 0.0210),
    (18, 0.0160),
    (24, 0.0125),
    (36, 0.0085),
    (60, 0.0040),
    (96, 0.0009),
)
CITY_SIZE = {"under_10000": 1.35, "10000_49999": 1.15, "50000_99999": 1.00, "100000_and_over": 0.72}
JOB_AT_ESTABLISHMENT = 0.62
REMOTE = 1.12
REMOTE_REGIONS = ("08", "09", "10", "11")
PAIRING = 0.75  # from the day it is received
EXPLORATORY_VISIT = 0.85  # before the establishment
NULL_SERVICES = words(
    "information job_search housing_search reception personal_support objectif_integration francization "
    "family_support post_settlement_follow_up"
)
PANDEMIC = (dt.date(2020, 3, 1), dt.date(2021, 6, 30))
PANDEMIC_ARRIVALS = 0.55
PANDEMIC_EXITS = 0.72
AFTER_PANDEMIC = (dt.date(2021, 7, 1), dt.date(2022, 6, 30))
AFTER_PANDEMIC_EXITS = 1.12
EXIT_CAUSES = ("metropole", "other_region", "outside_quebec")
CAUSE_SHARES = (0.56, 0.21, 0.23)
OUTAOUAIS_SHARES = (0.44, 0.14, 0.42)  # Ottawa is across the river
PANDEMIC_METROPOLE = 0.60  # share kept by the metropole as a destination meanwhile
CATEGORY_BY_SIZE = {
    "under_10000": (0.34, 0.12, 0.16, 0.01, 0.02, 0.33, 0.02),
    "10000_49999": (0.41, 0.13, 0.23, 0.01, 0.03, 0.16, 0.03),
    "50000_99999": (0.51, 0.15, 0.20, 0.01, 0.03, 0.06, 0.04),
    "100000_and_over": (0.63, 0.17, 0.07, 0.01, 0.03, 0.04, 0.05),
}
JOB_SHARE = 0.50  # whatever the category and the city
HORIZON = 96  # months: nobody leaves later


def _baseline() -> np.ndarray:
    hazard = np.zeros(HORIZON)
    start = 0
    for stop, value in BASELINE:
        hazard[start:stop] = value
        start = stop
    return hazard


MONTHLY = _baseline()


def period_factor(day: int) -> float:
    """Factor of the period on the exit hazard."""
    date = date_of(day)
    if PANDEMIC[0] <= date <= PANDEMIC[1]:
        return PANDEMIC_EXITS
    return AFTER_PANDEMIC_EXITS if AFTER_PANDEMIC[0] <= date <= AFTER_PANDEMIC[1] else 1.0


def cause_shares(region: str, day: int) -> tuple[float, ...]:
    """Relative shares of the destinations of those who leave a region on a day."""
    shares = OUTAOUAIS_SHARES if region == "07" else CAUSE_SHARES
    if PANDEMIC[0] <= date_of(day) <= PANDEMIC[1]:
        return (shares[0] * PANDEMIC_METROPOLE, *shares[1:])
    return shares


def as_json() -> dict[str, Any]:
    """The planted effects, to be written beside the truth."""
    return {
        "baseline_monthly_hazard_up_to_month": [list(piece) for piece in BASELINE],
        "hazard_ratio": {
            "city_size": CITY_SIZE,
            "job_at_establishment": JOB_AT_ESTABLISHMENT,
            "job_found_later": 1.0,
            "housing_found": 1.0,
            "remote_region": {"regions": list(REMOTE_REGIONS), "ratio": REMOTE},
            "immigration_category_given_city_size": dict.fromkeys(CATEGORIES, 1.0),
            "pathway": {"secondary": 1.0, "primary": 1.0, "onward": 1.0, "return_stay": 1.0},
            "age_sex_french_education_household_size": 1.0,
        },
        "services": {
            "pairing": {"ratio": PAIRING, "when": "from the day it is received, in region"},
            "exploratory_visit": {"ratio": EXPLORATORY_VISIT, "when": "received before the establishment"},
            **{service: {"ratio": 1.0, "when": "always"} for service in NULL_SERVICES},
        },
        "confounding": {
            "category_by_city_size": {k: list(v) for k, v in CATEGORY_BY_SIZE.items()},
            "job_search_after_establishment": "likelier without a job: looks harmful, does nothing",
        },
        "period": {
            "pandemic": [d.isoformat() for d in PANDEMIC],
            "arrivals": PANDEMIC_ARRIVALS,
            "exits": PANDEMIC_EXITS,
            "exits_in_the_year_after": AFTER_PANDEMIC_EXITS,
            "metropole_as_destination": PANDEMIC_METROPOLE,
        },
        "exit_shares": {"default": CAUSE_SHARES, "07": OUTAOUAIS_SHARES, "order": list(EXIT_CAUSES)},
    }
