"""What was learnt of each stay: the contacts, failures, services and first news that enter the observation model.

The months of exit are whole months t ≥ 1, (t − 1, t]. A stay is at risk from month ⌈entry⌉ + 1; what is dated at or
before its entry does not enter, except that the outcome of an attempt says how the organisation's next one stands.
Once a departure is known, later contacts and news do not enter: the first speaks. What contradicts it is set aside and
counted. Months within 1e-9 of a whole number are that number.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    contacts: pd.DataFrame, cutoff: ArrayLike, entry: ArrayLike | None, names: ArrayLike | None = None
) -> Ascertained:
    """Checks the arrays of `observed_incidence` (see there) and keeps what enters."""
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

    by_news, by_contact, told = _first_told(rows, n)
    known = by_news | by_contact
    known_at = np.where(known, told["month"], _NEVER)
    dated = np.isfinite(told["departure_latest"])
    # a « présent » of the day a departure becomes known or later, or after its date, is a contradiction: the explicit
    # report stands
    gone = np.where(dated, np.ceil(np.minimum(told["departure_latest"], known_at)), known_at)
    month, stay = rows["month"].to_numpy(), rows["stay"].to_numpy()
    after = month > known_at[stay]
    present = rows["kind"].eq(PRESENT).to_numpy()
    contradicts = present & ((month >= known_at[stay]) | (np.floor(month) >= gone[stay]) & dated[stay])
    counts["contradictions"] = int(contradicts.sum())
    counts["after_departure"] = int((after & ~contradicts).sum())
    attempts = rows["kind"].isin((PRESENT, LEFT, FAILED, HINT)).to_numpy() & ~after & ~contradicts
    held = rows[attempts].sort_values(["stay", "month", "kind"], kind="stable")
    columns = ("stay", "month", "kind", "failed_before", "may_fail", "odds")
    contact = Contacts(*(held[name].to_numpy() for name in columns))
    served = rows["kind"].eq(SERVICE).to_numpy() & ~after
    after_exit = served & dated[stay] & (month > gone[stay])
    counts["served_after_departure"] = int(after_exit.sum())
    served &= ~after_exit
    services = pd.DataFrame({"stay": stay[served], "month": month[served]})

    confirmed = np.full(n, -1.0)
    there = contact.kind == PRESENT
    np.maximum.at(confirmed, contact.stay[there], contact.month[there])
    enter = np.ceil(since).astype(np.int32) + 1
    first, last = _possible(enter, until, known, told, known_at, confirmed, contact)
    quiet = np.floor(np.where(by_contact, known_at, until)).astype(np.int32)
    return Ascertained(
        enter, since, until, by_news, by_contact, np.where(known, told["cause"], UNKNOWN).astype(np.int16),
        np.ceil(np.where(by_news, known_at, 0)).astype(np.int32), quiet, first, last, confirmed, contact, services,
        names, counts,
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


def _first_told(rows: pd.DataFrame, n: int) -> tuple[Flags, Flags, dict[str, Floats]]:
    """By what each departure became known first, and what that row says; a news filed on a contact's day speaks."""
    told = rows[rows["kind"].isin((LEFT, NEWS))]
    told = told.assign(rank=told["kind"].eq(LEFT), open=told["departure_latest"].isna(), silent=told["cause"] < 0)
    order = ["stay", "month", "rank", "open", "silent", "departure_latest", "departure_earliest", "cause"]
    first = told.sort_values(order, kind="stable").drop_duplicates("stay")
    by_news, by_contact = np.zeros(n, bool), np.zeros(n, bool)
    by_news[first.loc[~first["rank"], "stay"]] = True
    by_contact[first.loc[first["rank"], "stay"]] = True
    found = {}
    for name in ("month", "departure_earliest", "departure_latest", "cause"):
        found[name] = np.full(n, np.nan)
        found[name][first["stay"]] = first[name]
    return by_news, by_contact, found


def _possible(
    enter: Months, until: Floats, known: Flags, told: dict[str, Floats], known_at: Floats, confirmed: Floats,
    contact: Contacts,
) -> tuple[Months, Months]:  # fmt: skip
    """The first and last month that each exit may be of, within what contacts and dates allow."""
    first = np.maximum(enter, np.floor(confirmed).astype(np.int32) + 1)
    reached = np.floor(until)
    np.maximum.at(reached, contact.stay, np.ceil(contact.month))
    last = np.where(known, np.ceil(np.where(known, known_at, 0)), reached)
    low, high = told["departure_earliest"], told["departure_latest"]
    dated = known & np.isfinite(high)
    # (low, high], as for an interval-censored exit; a day is of the month that holds it
    begins = np.where(low < high, np.floor(low) + 1, np.ceil(low))
    first = np.where(dated, np.maximum(first, np.where(dated, begins, 0)), first)
    last = np.where(dated, np.minimum(last, np.maximum(np.where(dated, np.ceil(high), 0), 1)), last)
    return first.astype(np.int32), last.astype(np.int32)
