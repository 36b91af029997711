"""The settings of one simulation: a frozen value, checked whole, every fault said at once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from trajectories.exceptions import TrajectoriesError

LEVELS = ("none", "light", "heavy")
_SHARES = (
    "stop_calling", "closing", "contact_failure_leavers", "contact_failure_stayers", "late_registration",
    "late_filing", "metropole_reports", "hard_to_reach",
)  # fmt: skip


class SettingsError(TrajectoriesError, ValueError):
    """Settings that make no sense; the message is one sentence a fault."""


@dataclass(frozen=True)
class Settings:
    """What is simulated, and how it becomes known.

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
        Every scheduled contact that is due is made on its day and succeeds (overrides failures, ``stop_calling`` and
        ``follow_up_jitter``: a contact some days off its anniversary is no longer a whole number of months).
    hearsay : bool
        Departures are heard of: departure rows, and services in the metropole after a return.
    stop_calling, closing : float
        Share of the regional organisations that stop calling, and that close, within the period.
    contact_failure_leavers, contact_failure_stayers : float
        Probability that a contact fails when the person has left, or is still there.
    follow_up_months : tuple of int
        The schedule of contacts, in months since establishment.
    follow_up_jitter : tuple of int
        A contact is made between so many days from its due date (both included; negative: before).
    late_registration : float
        Share of stays that the regional organisation meets only two to nine months after the establishment, if
        the person is still there (delayed entry); the metropole has then said nothing of the establishment.
    late_filing : float
        Share of rows filed in the deposit of the next quarter.
    metropole_reports : float
        Share of establishments that the organisation of the metropole reports too.
    hard_to_reach : float
        Share of households that no contact ever reaches.
    news_stops_contacts : bool
        A departure row ends the scheduled contacts (default: it changes nothing in them).

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
    follow_up_jitter: tuple[int, int] = (-8, 8)
    late_registration: float = 0.06
    late_filing: float = 0.02
    metropole_reports: float = 0.75
    hard_to_reach: float = 0.0
    news_stops_contacts: bool = False

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
    if not _whole(s.households) or s.households < 1:
        faults.append(f"households is {s.households!r}: give a whole number of at least 1.")
    if not _whole(s.organisations) or s.organisations < 2:
        faults.append(f"organisations is {s.organisations!r}: give at least 2, one of them is in the metropole.")
    if not _whole(s.seed) or s.seed < 0:
        faults.append(f"seed is {s.seed!r}: give a whole number of at least 0.")
    if s.defects not in LEVELS:
        faults.append(f"defects is {s.defects!r}: choose one of {', '.join(LEVELS)}.")
    dates = [isinstance(d, dt.date) and not isinstance(d, dt.datetime) for d in (s.start, s.end)]
    if not all(dates):
        faults.append("start and end must be dates (datetime.date).")
    else:
        if s.start.day != 1 or s.start.month not in (1, 4, 7, 10):
            faults.append(f"start is {s.start}: it must be the first day of a quarter.")
        after = s.end + dt.timedelta(days=1)
        if after.day != 1 or after.month not in (1, 4, 7, 10):
            faults.append(f"end is {s.end}: it must be the last day of a quarter.")
        if s.end <= s.start:
            faults.append(f"end ({s.end}) must come after start ({s.start}).")
    for name in _SHARES:
        value = getattr(s, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            faults.append(f"{name} is {value!r}: give a share between 0 and 1.")
    faults += [
        f"{name} is {getattr(s, name)!r}: give True or False."
        for name in ("contacts", "contacts_succeed", "hearsay", "news_stops_contacts")
        if not isinstance(getattr(s, name), bool)
    ]
    months = s.follow_up_months
    if not isinstance(months, tuple) or not all(_whole(m) and m > 0 for m in months):
        faults.append(f"follow_up_months is {months!r}: give a tuple of whole numbers of months above 0.")
    elif list(months) != sorted(set(months)):
        faults.append(f"follow_up_months is {months!r}: the months must increase.")
    jitter = s.follow_up_jitter
    if not isinstance(jitter, tuple) or len(jitter) != 2 or not all(_whole(d) for d in jitter) or jitter[0] > jitter[1]:
        faults.append(f"follow_up_jitter is {jitter!r}: give two whole numbers of days, the earlier first.")
    if s.contacts_succeed is True and s.contacts is False:
        faults.append("contacts_succeed needs contacts=True: a contact that does not exist can't succeed.")
    return faults


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
