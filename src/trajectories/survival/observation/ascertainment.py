"""What was learnt of each stay: the contacts, failures, services and first news that enter the observation model.

The months of exit are whole months t ≥ 1, (t − 1, t]. A stay is at risk from month ⌈entry⌉ + 1; what is dated at or
before its entry does not enter, except that the outcome of an attempt says how the organisation's next one stands.
Once a departure is known, later contacts and news do not enter: the first speaks. What contradicts it is set aside and
counted. Where first reports may be false, the contacts after them enter too, and `doubted` is what is known of each
stay if its first report was false. Months within 1e-9 of a whole number are that number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Integers, causes, refuse, times
from trajectories.survival.intervals.month_grid import UNKNOWN, snap

# A `hint` is no observation: a sensitivity's word that the odds of having left by a month are so many times as large.
# Kinds are held as their place in this order, since there are as many of them as contacts.
KINDS = ("failed", "hint", "left", "news", "present", "service")
FAILED, HINT, LEFT, NEWS, PRESENT, SERVICE = range(len(KINDS))
_REQUIRED = ("stay", "month", "kind")
_NEVER = np.inf
Flags = NDArray[np.bool_]
Months = NDArray[np.int32]


@dataclass(frozen=True)
class Contacts:
    """The scheduled contacts that enter, by stay and month."""

    stay: NDArray[np.int32]
    month: Floats
    kind: NDArray[np.int8]  # PRESENT, LEFT, FAILED or HINT
    failed_before: Flags  # had the organisation's previous attempt at this person failed?
    may_fail: Flags  # does the organisation write its failures?
    odds: Floats  # of a hint

    def where(self, chosen: Flags) -> Contacts:
        return Contacts(*(values[chosen] for values in vars(self).values()))


@dataclass(frozen=True)
class Ascertained:
    """
    One value a stay, but for contacts and services.

    A departure is known `by_news` (filed in month `news_month`) or `by_contact`; the months that are possible for it,
    or for an exit that nobody has told, are `first` … `last`. Nothing was heard in the months up to `quiet`.
    """

    enter: Months  # first month at risk
    entry: Floats
    cutoff: Floats  # until when it could be heard of
    by_news: Flags
    by_contact: Flags
    cause: NDArray[np.int16]  # place in `names`, UNKNOWN where nobody says
    news_month: Months
    quiet: Months
    first: Months
    last: Months  # of a stay not known to have ended: the last month that anything says something of
    confirmed: Floats  # the last presence found by a contact; −1 where there is none
    contacts: Contacts
    services: pd.DataFrame  # stay, month
    names: NDArray
    counts: dict[str, int]  # rows that do not enter, by reason
    dates: Floats  # the share of the months before the report that its date, if it has one, leaves possible
    doubted: Ascertained | None = None

    @property
    def told(self) -> Months:
        """The month in which each departure became known; 0 where none did."""
        return np.where(self.by_news, self.news_month, np.where(self.by_contact, self.quiet, 0))

    @property
    def known(self) -> Flags:
        return self.by_news | self.by_contact

    @property
    def n(self) -> int:
        return len(self.enter)

    @property
    def anybody_reached(self) -> bool:
        """Failures among contacts that never reached anybody say nothing of who had left."""
        return bool(np.isin(self.contacts.kind, (PRESENT, LEFT)).any())


def ascertain(
    contacts: pd.DataFrame, cutoff: ArrayLike, entry: ArrayLike | None, names: ArrayLike | None = None,
    some_false: bool | None = False,
) -> Ascertained:  # fmt: skip
    """
    Checks the arrays of `observed_incidence` (see there) and keeps what enters.

    Reports may be false if `some_false` (None: where a presence comes after one).
    """
    until = snap(times("cutoff", cutoff))
    n = len(until)
    since = np.zeros(n) if entry is None else snap(times("entry", entry, n))
    refuse("cutoff", until < since, "are before their entry")
    rows = _checked(contacts, n)
    place, names = _causes(rows, names)
    rows["cause"] = place
    rows["failed_before"] = _failed_before(rows)
    organisation = rows.pop("organisation").to_numpy()
    writes = np.zeros(organisation.max(initial=0) + 1, dtype=bool)
    writes[organisation[rows["kind"].eq(FAILED)]] = True
    rows["may_fail"] = writes[organisation]

    late = rows["month"].to_numpy() > until[rows["stay"]]
    early = rows["month"].to_numpy() <= since[rows["stay"]]
    early &= since[rows["stay"]] > 0
    counts = {"after_cutoff": int(late.sum()), "at_or_before_entry": int((early & ~late).sum())}
    late |= early
    if late.any():
        rows = rows[~late]

    if some_false is not False:
        first = _first_reports(rows)
        after = rows["month"].to_numpy() > _Report(first, n).month[rows["stay"]]
        if some_false or (after & rows["kind"].eq(PRESENT)).any():
            return _true_or_false(rows, first, since, until, names, counts)
    return _ascertained(rows, since, until, names, counts)


def _true_or_false(
    rows: pd.DataFrame, first: pd.DataFrame, since: Floats, until: Floats, names: NDArray, counts: dict[str, int]
) -> Ascertained:
    """What rows say if the first report of each departure is true, and if it is false."""
    said = _Report(first, len(until))
    # of the day of the report or before, a presence contradicts its date; the report itself, after it
    rows = rows[~said.contradicted(rows) | (rows["month"] > said.month[rows["stay"]])]
    # after it contacts alone speak: whether there is more news of what is known is a question of its own
    more = rows["kind"].eq(NEWS).to_numpy() & said.known[rows["stay"]]
    others = rows[~more & ~rows.index.isin(first.index)]
    again = _Report(_first_reports(others), len(until))
    before = ~(rows["month"] > again.month[rows["stay"]]) & ~again.contradicted(rows)
    stands = _ascertained(rows[before], since, until, names, counts, goes_on=True)
    there = np.where(said.known, np.floor(said.month), -1.0)
    doubted = _ascertained(others, since, until, names, {}, there=there)
    quiet = np.where(said.known, there, doubted.quiet).astype(np.int32)
    return replace(stands, doubted=replace(doubted, quiet=quiet))


class _Report:
    """The report by which each departure became known: rows of `_first_reports` as one value a stay."""

    def __init__(self, first: pd.DataFrame, n: int):
        self.by_news, self.by_contact = np.zeros(n, bool), np.zeros(n, bool)
        self.by_news[first.loc[~first["rank"], "stay"]] = True
        self.by_contact[first.loc[first["rank"], "stay"]] = True
        self.known = self.by_news | self.by_contact

        def values(name: str, missing: float) -> Floats:
            found = np.full(n, missing)
            found[first["stay"]] = first[name]
            return found

        self.month, self.cause = values("month", _NEVER), values("cause", np.nan)
        self.earliest, self.latest = values("departure_earliest", np.nan), values("departure_latest", np.nan)
        self.dated = np.isfinite(self.latest)
        self.gone = np.where(self.dated, np.ceil(np.minimum(self.latest, self.month)), self.month)

    def share_of_months(self, since: Floats) -> Floats:
        """Of the months from the entry to the report, those that the date of the departure leaves possible."""
        possible = np.maximum(np.ceil(self.latest) - np.floor(self.earliest), 1)
        return np.where(self.dated, np.minimum(possible / np.maximum(np.ceil(self.month) - since, 1), 1.0), 1.0)

    def contradicted(self, rows: pd.DataFrame) -> Flags:
        """The « présent » of the day a departure becomes known or later, or after its date."""
        month, stay = rows["month"].to_numpy(), rows["stay"].to_numpy()
        later = (month >= self.month[stay]) | ((np.floor(month) >= self.gone[stay]) & self.dated[stay])
        return rows["kind"].eq(PRESENT).to_numpy() & later


def _ascertained(
    rows: pd.DataFrame, since: Floats, until: Floats, names: NDArray, counts: dict[str, int], *, goes_on: bool = False,
    there: Floats | None = None,
) -> Ascertained:  # fmt: skip
    """
    What rows say, the first report of each departure being true.

    What comes after it enters if `goes_on`: a presence makes it impossible. `there`: nobody has left by these months.
    """
    told = _Report(_first_reports(rows), len(until))
    known, dated = told.known, told.dated
    month, stay = rows["month"].to_numpy(), rows["stay"].to_numpy()
    after = month > told.month[stay]
    contradicts = told.contradicted(rows)  # the explicit report stands
    counts["contradictions"] = int(contradicts.sum())
    counts["after_departure"] = int((after & ~contradicts).sum())
    enters = ~(after | contradicts) | (after & goes_on)
    attempts = rows["kind"].isin((PRESENT, LEFT, FAILED, HINT)).to_numpy() & enters
    held = rows[attempts].sort_values(["stay", "month", "kind"], kind="stable")
    columns = ("stay", "month", "kind", "failed_before", "may_fail", "odds")
    contact = Contacts(*(held[name].to_numpy() for name in columns))
    served = rows["kind"].eq(SERVICE).to_numpy() & ~after
    after_exit = served & dated[stay] & (month > told.gone[stay])
    counts["served_after_departure"] = int(after_exit.sum())
    served &= ~after_exit
    services = pd.DataFrame({"stay": stay[served], "month": month[served]})

    confirmed = np.full(len(until), -1.0)
    present = contact.kind == PRESENT
    np.maximum.at(confirmed, contact.stay[present], contact.month[present])
    enter = np.ceil(since).astype(np.int32) + 1
    first, last = _possible(enter, until, told, confirmed if there is None else np.maximum(confirmed, there), contact)
    quiet = np.floor(np.where(told.by_contact, told.month, until)).astype(np.int32)
    return Ascertained(
        enter, since, until, told.by_news, told.by_contact, np.where(known, told.cause, UNKNOWN).astype(np.int16),
        np.ceil(np.where(told.by_news, told.month, 0)).astype(np.int32), quiet, first, last, confirmed, contact,
        services, names, counts, told.share_of_months(since),
    )  # fmt: skip


def _checked(contacts: pd.DataFrame, n: int) -> pd.DataFrame:
    missing = [name for name in _REQUIRED if name not in contacts.columns]
    if missing:
        raise ValueError(f"contacts: {len(missing)} columns are missing: {', '.join(missing)}")
    stay = contacts["stay"].to_numpy()
    if not len(stay):
        stay = np.zeros(0, dtype=np.int64)
    position = (stay >= 0) & (stay < n) if stay.dtype.kind in "iu" else np.isin(stay, np.arange(n))
    refuse("contacts.stay", ~position, f"are not a position in the {n} stays")
    kind = pd.Index(KINDS).get_indexer(contacts["kind"]).astype(np.int8)
    refuse("contacts.kind", kind < 0, f"are none of {', '.join(KINDS)}")
    rows = pd.DataFrame({"stay": np.asarray(stay, dtype=np.int32), "kind": kind})
    rows["month"] = snap(times("contacts.month", contacts["month"])) if len(rows) else np.zeros(0)
    organisation = contacts["organisation"] if "organisation" in contacts.columns else pd.Series("", contacts.index)
    codes, known = pd.factorize(organisation)
    nameless = known.get_loc("") if "" in known else len(known)
    rows["organisation"] = np.where(codes < 0, nameless, codes).astype(np.int32)
    cause = contacts["cause"] if "cause" in contacts.columns else pd.Series(0, contacts.index)
    rows["cause"] = causes("contacts.cause", cause.fillna(0), n_rows) if (n_rows := len(rows)) else np.zeros(0, int)
    odds = contacts["odds"].to_numpy(dtype=float) if "odds" in contacts.columns else np.ones(len(rows))
    rows["odds"] = np.where(kind == HINT, odds, 1.0)
    refuse("contacts.odds", ~((rows["odds"] > 0) & np.isfinite(rows["odds"])).to_numpy(), "of hints are not above 0")
    for name in ("departure_earliest", "departure_latest"):
        values = contacts[name].to_numpy(dtype=float) if name in contacts.columns else np.full(len(rows), np.nan)
        refuse(f"contacts.{name}", values < 0, "are negative")
        refuse(f"contacts.{name}", np.isinf(values), "are infinite")
        rows[name] = snap(values)
    one = rows["departure_earliest"].isna() != rows["departure_latest"].isna()
    refuse("contacts.departure_earliest", one.to_numpy(), "are given without the other end of their interval")
    wrong = (rows["departure_earliest"] > rows["departure_latest"]).to_numpy()
    refuse("contacts.departure_latest", wrong, "are before departure_earliest")
    return rows


def _causes(rows: pd.DataFrame, names: ArrayLike | None) -> tuple[Integers, NDArray]:
    """The place of each row's cause among the names, and the names in order (1 where no row says any)."""
    tells = rows["kind"].isin((LEFT, NEWS)) & (rows["cause"] > 0)
    found = np.unique(rows.loc[tells, "cause"])
    if names is None:
        names = found if len(found) else np.array([1])
    else:
        names = np.unique(causes("causes", list(names), len(list(names))))
        refuse("causes", names < 1, "are below 1")
        refuse("contacts.cause", ~np.isin(rows.loc[tells, "cause"], names), "are none of the causes given")
    place = np.searchsorted(names, np.where(tells, rows["cause"], names[0]))
    return np.where(tells, place, UNKNOWN).astype(np.int16), names


def _failed_before(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the organisation's previous attempt at the same person failed; a first attempt follows no failure."""
    attempts = np.flatnonzero(rows["kind"].isin((PRESENT, LEFT, FAILED)))
    stay, organisation, month, kind = (
        rows[name].to_numpy()[attempts] for name in ("stay", "organisation", "month", "kind")
    )
    order = np.lexsort((kind, month, organisation, stay))
    follows, precedes = order[1:], order[:-1]
    same = (stay[follows] == stay[precedes]) & (organisation[follows] == organisation[precedes])
    before = np.zeros(len(rows), dtype=bool)
    before[attempts[follows]] = same & (kind[precedes] == FAILED)
    return before


def _first_reports(rows: pd.DataFrame) -> pd.DataFrame:
    """The row by which each departure became known first; of one day, a news filed speaks before a contact."""
    told = rows[rows["kind"].isin((LEFT, NEWS))]
    told = told.assign(rank=told["kind"].eq(LEFT), open=told["departure_latest"].isna(), silent=told["cause"] < 0)
    order = ["stay", "month", "rank", "open", "silent", "departure_latest", "departure_earliest", "cause"]
    return told.sort_values(order, kind="stable").drop_duplicates("stay")


def _possible(
    enter: Months, until: Floats, told: _Report, confirmed: Floats, contact: Contacts
) -> tuple[Months, Months]:
    """The first and last month that each exit may be of, within what contacts and dates allow."""
    first = np.maximum(enter, np.floor(confirmed).astype(np.int32) + 1)
    reached = np.floor(until)
    np.maximum.at(reached, contact.stay, np.ceil(contact.month))
    last = np.where(told.known, np.ceil(np.where(told.known, told.month, 0)), reached)
    low, high, dated = told.earliest, told.latest, told.dated
    # (low, high], as for an interval-censored exit; a day is of the month that holds it
    begins = np.where(low < high, np.floor(low) + 1, np.ceil(low))
    first = np.where(dated, np.maximum(first, np.where(dated, begins, 0)), first)
    last = np.where(dated, np.minimum(last, np.maximum(np.where(dated, np.ceil(high), 0), 1)), last)
    return first.astype(np.int32), last.astype(np.int32)
