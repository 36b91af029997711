"""What was learnt of each stay (`Ascertained`), and its likelihood as a sum over cells of months."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from trajectories.survival.checks import Floats, Integers, causes, refuse, times
from trajectories.survival.intervals.em import UNKNOWN, snap
from trajectories.survival.observation.parameters import N_STATES

# ----------------------------------------------------------------------------------------------------
# What was learnt of each stay: the contacts, failures, services and first news that enter the observation model.
#
# The months of exit are whole months t ≥ 1, (t − 1, t]. A stay is at risk from month ⌈entry⌉ + 1; what is dated at or
# before its entry does not enter, except that the outcome of an attempt says how the organisation's next one stands.
# Once a departure is known, later contacts and news do not enter: the first speaks. What contradicts it is set aside
# and counted. Where first reports may be false, the contacts after them enter too, and `doubted` is what is known of
# each stay if its first report was false. Months within 1e-9 of a whole number are that number.

# A `hint` is no observation: a sensitivity analysis multiplies the odds of having left by its month.
# Kinds are stored as codes, their position in this order: there are as many values as contacts.
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

    def where(self, chosen_rows: Flags) -> Contacts:
        return Contacts(*(values[chosen_rows] for values in vars(self).values()))


@dataclass(frozen=True)
class Ascertained:
    """
    One value a stay, but for contacts and services.

    A departure is known `by_news` (filed in month `news_month`) or `by_contact`; the months that are possible for it,
    or for an exit that was not reported, are `first` … `last`. Nothing was heard in the months up to `quiet`.
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
    def known_month(self) -> Months:
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
    contacts: pd.DataFrame,
    cutoff: ArrayLike,
    entry: ArrayLike | None,
    names: Iterable[int] | None = None,
    some_false: bool | None = False,
) -> Ascertained:
    """
    Checks the arrays of `observed_incidence` (see there) and keeps what enters.

    Reports may be false if `some_false` (None: where a presence comes after one).
    """
    until = snap(times("cutoff", cutoff))
    n = len(until)
    since = np.zeros(n) if entry is None else snap(times("entry", entry, n))
    refuse("cutoff", until < since, "are before their entry")
    rows = _checked(contacts, n)
    cause_code, names = _causes(rows, names)
    rows["cause"] = cause_code
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
    report = _Report(first, len(until))
    # a presence up to the day of the report contradicts the date reported; a later one, the report itself
    rows = rows[~report.contradicted(rows) | (rows["month"] > report.month[rows["stay"]])]
    # after the report only contacts are used: further news of a known departure is not modelled
    more_news = rows["kind"].eq(NEWS).to_numpy() & report.known[rows["stay"]]
    other_rows = rows[~more_news & ~rows.index.isin(first.index)]
    second_report = _Report(_first_reports(other_rows), len(until))
    before = ~(rows["month"] > second_report.month[rows["stay"]]) & ~second_report.contradicted(rows)
    stands = _ascertained(rows[before], since, until, names, counts, goes_on=True)
    there = np.where(report.known, np.floor(report.month), -1.0)
    doubted = _ascertained(other_rows, since, until, names, {}, there=there)
    quiet = np.where(report.known, there, doubted.quiet).astype(np.int32)
    return replace(stands, doubted=replace(doubted, quiet=quiet))


class _Report:
    """The report by which each departure became known: rows of `_first_reports` as one value a stay."""

    def __init__(self, first: pd.DataFrame, n: int):
        self.by_news, self.by_contact = np.zeros(n, bool), np.zeros(n, bool)
        self.by_news[first.loc[~first["rank"], "stay"]] = True
        self.by_contact[first.loc[first["rank"], "stay"]] = True
        self.known = self.by_news | self.by_contact

        def values(name: str, missing: float) -> Floats:
            by_stay = np.full(n, missing)
            by_stay[first["stay"]] = first[name]
            return by_stay

        self.month, self.cause = values("month", _NEVER), values("cause", np.nan)
        self.earliest, self.latest = values("departure_earliest", np.nan), values("departure_latest", np.nan)
        self.dated = np.isfinite(self.latest)
        self.gone = np.where(self.dated, np.ceil(np.minimum(self.latest, self.month)), self.month)

    def share_of_months(self, since: Floats) -> Floats:
        """Of the months from the entry to the report, those that the date of the departure leaves possible."""
        possible = np.maximum(np.ceil(self.latest) - np.floor(self.earliest), 1)
        return np.where(self.dated, np.minimum(possible / np.maximum(np.ceil(self.month) - since, 1), 1.0), 1.0)

    def contradicted(self, rows: pd.DataFrame) -> Flags:
        """Presences on or after the day a departure becomes known, or after its date."""
        month, stay = rows["month"].to_numpy(), rows["stay"].to_numpy()
        later = (month >= self.month[stay]) | ((np.floor(month) >= self.gone[stay]) & self.dated[stay])
        return rows["kind"].eq(PRESENT).to_numpy() & later


def _ascertained(
    rows: pd.DataFrame,
    since: Floats,
    until: Floats,
    names: NDArray,
    counts: dict[str, int],
    *,
    goes_on: bool = False,
    there: Floats | None = None,
) -> Ascertained:
    """
    What rows say if the first report of each departure is true.

    `goes_on`: later rows enter too, and a presence makes the departure impossible. `there`: months up to which nobody
    has left.
    """
    report = _Report(_first_reports(rows), len(until))
    known, dated = report.known, report.dated
    month, stay = rows["month"].to_numpy(), rows["stay"].to_numpy()
    after = month > report.month[stay]
    contradicts = report.contradicted(rows)  # the explicit report stands
    counts["contradictions"] = int(contradicts.sum())
    counts["after_departure"] = int((after & ~contradicts).sum())
    enters = ~(after | contradicts) | (after & goes_on)
    attempts = rows["kind"].isin((PRESENT, LEFT, FAILED, HINT)).to_numpy() & enters
    contact_rows = rows[attempts].sort_values(["stay", "month", "kind"], kind="stable")
    columns = ("stay", "month", "kind", "failed_before", "may_fail", "odds")
    contact = Contacts(*(contact_rows[name].to_numpy() for name in columns))
    is_service = rows["kind"].eq(SERVICE).to_numpy() & ~after
    after_exit = is_service & dated[stay] & (month > report.gone[stay])
    counts["served_after_departure"] = int(after_exit.sum())
    is_service &= ~after_exit
    services = pd.DataFrame({"stay": stay[is_service], "month": month[is_service]})

    confirmed = np.full(len(until), -1.0)
    present = contact.kind == PRESENT
    np.maximum.at(confirmed, contact.stay[present], contact.month[present])
    enter = np.ceil(since).astype(np.int32) + 1
    first, last = _possible(enter, until, report, confirmed if there is None else np.maximum(confirmed, there), contact)
    quiet = np.floor(np.where(report.by_contact, report.month, until)).astype(np.int32)
    return Ascertained(
        enter,
        since,
        until,
        report.by_news,
        report.by_contact,
        np.where(known, report.cause, UNKNOWN).astype(np.int16),
        np.ceil(np.where(report.by_news, report.month, 0)).astype(np.int32),
        quiet,
        first,
        last,
        confirmed,
        contact,
        services,
        names,
        counts,
        report.share_of_months(since),
    )


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
    half_dated = rows["departure_earliest"].isna() != rows["departure_latest"].isna()
    refuse("contacts.departure_earliest", half_dated.to_numpy(), "are given without the other end of their interval")
    wrong = (rows["departure_earliest"] > rows["departure_latest"]).to_numpy()
    refuse("contacts.departure_latest", wrong, "are before departure_earliest")
    return rows


def _causes(rows: pd.DataFrame, names: Iterable[int] | None) -> tuple[Integers, NDArray]:
    """The place of each row's cause among the names, and the names in order (1 where no row says any)."""
    tells = rows["kind"].isin((LEFT, NEWS)) & (rows["cause"] > 0)
    occurring = np.unique(rows.loc[tells, "cause"])
    if names is None:
        names = occurring if len(occurring) else np.array([1])
    else:
        names = np.unique(causes("causes", list(names), len(list(names))))
        refuse("causes", names < 1, "are below 1")
        refuse("contacts.cause", ~np.isin(rows.loc[tells, "cause"], names), "are none of the causes given")
    code = np.searchsorted(names, np.where(tells, rows["cause"], names[0]))
    return np.where(tells, code, UNKNOWN).astype(np.int16), names


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
    reports = rows[rows["kind"].isin((LEFT, NEWS))]
    reports = reports.assign(
        rank=reports["kind"].eq(LEFT), open=reports["departure_latest"].isna(), silent=reports["cause"] < 0
    )
    order = ["stay", "month", "rank", "open", "silent", "departure_latest", "departure_earliest", "cause"]
    return reports.sort_values(order, kind="stable").drop_duplicates("stay")


def _possible(
    enter: Months, until: Floats, report: _Report, confirmed: Floats, contact: Contacts
) -> tuple[Months, Months]:
    """The first and last month that each exit may be of, within what contacts and dates allow."""
    first = np.maximum(enter, np.floor(confirmed).astype(np.int32) + 1)
    reached = np.floor(until)
    np.maximum.at(reached, contact.stay, np.ceil(contact.month))
    last = np.where(report.known, np.ceil(np.where(report.known, report.month, 0)), reached)
    low, high, dated = report.earliest, report.latest, report.dated
    # (low, high], as for an interval-censored exit; a day is of the month that holds it
    begins = np.where(low < high, np.floor(low) + 1, np.ceil(low))
    first = np.where(dated, np.maximum(first, np.where(dated, begins, 0)), first)
    last = np.where(dated, np.minimum(last, np.maximum(np.where(dated, np.ceil(high), 0), 1)), last)
    return first.astype(np.int32), last.astype(np.int32)


# ----------------------------------------------------------------------------------------------------
# The likelihood of each stay as a sum over cells: stretches of months in which its contacts say the same.
#
# The months of a stay are cut where what its contacts say of an exit changes; a month within which contacts fall is
# cut at each of them, exits being spread evenly over their month. So each contact finds an exit of a cell either gone
# or still there, and the probability of a cell is a coefficient (its share of a month, which no parameter touches)
# times powers of the four probabilities of failure times the probability that an exit of these months was, or was not,
# heard of. Cells are few: their number does not grow with the months. One sparse matrix, stays × kinds of cell, holds
# the coefficients; stays with the same row are one pattern.

# A further probability that a fit may learn: the share of stays that no contact ever reaches, or a month's chance of a
# false report of departure.
SOME_NEVER, SOME_FALSE = ("never_reached",), ("false_news", "false_contact")
# Pieces combined with their contacts at a time: a million stays by month give twenty million, with three contacts.
AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Cells:
    """
    Kinds of cell, and the coefficients of each pattern of stays in them.

    A kind is an exit in the months `low` … `high`, reported (or not) as row `told` says, or (`low` = 0) none up to
    month `high`; and a power of each probability of failure, row `powers` of `failures`.
    """

    told: Integers  # place of (by news?, month) in `telling`
    cause: Integers  # place of the cause, or the number of causes for any of them
    low: Integers
    high: Integers
    powers: Integers
    failures: Integers  # distinct powers × 4; with further probabilities, of each and of one less each
    telling: Integers  # distinct (by news?, month) × 2
    coefficients: sparse.csr_matrix  # patterns × kinds
    pattern: Integers  # of each stay; −1 where no cell is possible
    survivor: NDArray[np.bool_]  # kinds that are no exit
    succeeded: NDArray[np.int16]  # stays × probabilities: attempts that reached somebody (and whether any did)
    further: tuple[str, ...]  # names of the probabilities after the four of a failure

    @property
    def last_month(self) -> int:
        return int(self.high.max(initial=1))


def cells_of(
    known: Ascertained,
    by_month: bool = False,
    use_failures: bool = True,
    some_never: bool = False,
    some_false: bool = False,
) -> Cells:
    """
    The cells of every stay.

    Parameters
    ----------
    known : Ascertained
        What was learnt.
    by_month : bool
        A cell a month, for what depends on the month itself (services); stays are then not merged.
    use_failures : bool
        Without it, what an attempt found counts and that it might have failed does not.
    some_never : bool
        A share of the stays may be out of reach of every contact, in the region or gone.
    some_false : bool
        The first report of a departure may be false (`known.doubted`).
    """
    pieces = _contact_factors(_stretches(known, by_month), known)
    failed = known.contacts.where((known.contacts.kind == FAILED) & use_failures)
    succeeded = _succeeded(known, use_failures)
    stands = _failure_powers(pieces, failed)
    branches = [(stands, known)]
    if some_never:
        reached = succeeded.any(axis=1)
        tried = np.bincount(failed.stay, minlength=known.n) > 0
        branches = [(_with_never(stands, pieces, tried & ~reached), known)]
        succeeded = np.column_stack([succeeded, reached])
    elif some_false and known.doubted is not None:
        branches, succeeded = _with_doubted(stands, known, known.doubted, by_month, use_failures)
    further = SOME_NEVER * some_never + SOME_FALSE * some_false
    return _assembled(branches, succeeded, further, merge=not by_month)


@dataclass(frozen=True)
class _Pieces:
    """Months `low` … `high` (low = 0: no exit) of stays, in narrow types: by month there are twenty a stay and more."""

    stay: NDArray[np.int32]
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    exit: Floats  # a moment of an exit between the same contacts as all of the piece; inf for no exit
    coefficient: Floats
    powers: NDArray[np.int16]  # pieces × powers

    def __len__(self) -> int:
        return len(self.stay)

    def where(self, chosen: NDArray) -> _Pieces:
        return _Pieces(*(values[chosen] for values in vars(self).values()))

    def and_(self, more: _Pieces) -> _Pieces:
        columns = zip(vars(self).values(), vars(more).values(), strict=True)
        return _Pieces(*(np.concatenate(pair) for pair in columns))


def _stretches(known: Ascertained, by_month: bool) -> _Pieces:
    """Months first … last of a stay, cut where what the contacts say of an exit changes; and low = 0: no exit."""
    last = known.last
    if by_month:  # who left in the month that the cut-off is within was exposed to less than who stayed
        open_end = ~known.known & (last >= known.enter)
        last = np.where(open_end, np.maximum(last, np.ceil(known.cutoff).astype(np.int64)), last)
    stays = np.flatnonzero(known.first <= last).astype(np.int32)
    if by_month:
        length = (last - known.first + 1)[stays]
        stay = np.repeat(stays, length)
        begin = (known.first[stays] - (np.cumsum(length) - length)).astype(np.int32)
        low = np.arange(len(stay), dtype=np.int32) + np.repeat(begin, length)
        high = low
    else:
        about = known.contacts
        cuts: list[tuple[NDArray[np.integer], NDArray[np.integer]]]
        cuts = [(stays, known.first[stays]), (stays, known.last[stays] + 1)]
        cuts += [
            (about.stay, np.floor(about.month).astype(np.int64) + 1),
            (about.stay, np.ceil(about.month).astype(np.int64) + 1),
        ]
        stay, at = (np.concatenate(parts) for parts in zip(*cuts, strict=True))
        inside = (known.first[stay] <= at) & (at <= known.last[stay] + 1)
        width = int(known.last.max(initial=1)) + 2
        stay, at = np.divmod(np.unique(stay[inside].astype(np.int64) * width + at[inside]), width)
        same = stay[1:] == stay[:-1]
        stay, low, high = stay[:-1][same], at[:-1][same], at[1:][same] - 1
    # somebody not known to have left may also be there still, if there are months at risk to be there in
    open_ = np.flatnonzero(~known.known & (known.last >= known.enter))
    n = len(stay) + len(open_)
    columns = ((stay, open_), (low, np.zeros(len(open_))), (high, last[open_]))
    stay, low, high = (np.concatenate(parts, dtype=np.int32, casting="unsafe") for parts in columns)
    exit_ = np.where(low == 0, np.inf, low - 0.5)
    pieces = _Pieces(stay, low, high, exit_, np.ones(n), np.zeros((n, N_STATES), np.int16))
    return _cut_within_months(pieces, known.contacts)


def _cut_within_months(pieces: _Pieces, about: Contacts) -> _Pieces:
    """Months within which contacts fall, cut at each of them into shares."""
    within = np.unique(np.column_stack([about.stay, about.month])[about.month != np.floor(about.month)], axis=0)
    if not len(within):
        return pieces
    width = int(pieces.high.max(initial=0)) + 2
    month = np.ceil(within[:, 1]).astype(np.int64)
    keys = within[:, 0].astype(np.int64) * width + np.minimum(month, width - 1)
    piece_keys = np.where(pieces.low == pieces.high, pieces.stay.astype(np.int64) * width + pieces.low, -1)
    begin, end = (np.searchsorted(keys, piece_keys, side) for side in ("left", "right"))
    part = np.repeat(np.arange(len(pieces)), end - begin + 1)
    number = np.arange(len(part)) - np.searchsorted(part, part)  # of the cut months, from 0
    fraction = np.append(within[:, 1] - month + 1, 0.0)  # of the month
    low = np.where(number > 0, fraction[begin[part] + number - 1], 0.0)
    high = np.where(number < (end - begin)[part], fraction[np.minimum(begin[part] + number, len(within))], 1.0)
    cut = pieces.where(part)
    exit_ = np.where((end > begin)[part], cut.low - 1 + (low + high) / 2, cut.exit)
    return replace(cut, exit=exit_, coefficient=cut.coefficient * np.where((end > begin)[part], high - low, 1.0))


def _pairs(pieces: _Pieces, about: Contacts) -> Iterator[tuple[slice, Integers, Integers, NDArray[np.bool_]]]:
    """Chunks of pieces with every contact of their stays: the chunk, positions in it and among the contacts, and
    whether an exit of the piece comes before the contact."""
    for begin in range(0, len(pieces), AT_ONCE):
        chunk = slice(begin, begin + AT_ONCE)
        stay = pieces.stay[chunk]
        first, end = (np.searchsorted(about.stay, stay, side) for side in ("left", "right"))  # in order of stay
        length = end - first
        piece = np.repeat(np.arange(len(stay)), length)
        contact = np.arange(len(piece)) + np.repeat(first - (np.cumsum(length) - length), length)
        yield chunk, piece, contact, pieces.exit[chunk][piece] < about.month[contact]


def _contact_factors(pieces: _Pieces, known: Ascertained) -> _Pieces:
    """A presence excludes exits before it, a contact that finds the person gone those after it; a hint is an odds."""
    informative = known.contacts.where(np.isin(known.contacts.kind, (PRESENT, LEFT, HINT)))
    is_left, odds = informative.kind == LEFT, np.where(informative.kind == HINT, informative.odds, 0.0)
    for chunk, piece, contact, gone in _pairs(pieces, informative):
        share = np.where(gone, np.where(is_left[contact], 1.0, odds[contact]), np.where(is_left[contact], 0.0, 1.0))
        np.multiply.at(pieces.coefficient[chunk], piece, share)
    possible = pieces.coefficient > 0
    return pieces if possible.all() else pieces.where(possible)


def _failure_powers(pieces: _Pieces, failed: Contacts) -> _Pieces:
    """The powers of the probabilities of failure in each piece."""
    powers = np.zeros_like(pieces.powers)
    for chunk, piece, contact, gone in _pairs(pieces, failed):
        cell = piece * N_STATES + 2 * gone + failed.failed_before[contact]
        powers[chunk] = np.bincount(cell, minlength=len(powers[chunk]) * N_STATES).reshape(-1, N_STATES)
    return replace(pieces, powers=powers)


def _with_never(pieces: _Pieces, without: _Pieces, nobody: NDArray[np.bool_]) -> _Pieces:
    """
    A stay that no attempt reached may be out of reach of every attempt: its failures then carry no information.

    The contact factor is κ + (1 − κ) Π π where all attempts failed, and 1 − κ times the rest where one did not.
    """

    never = without.where(nobody[without.stay])
    powered = _powered(pieces, {N_STATES: np.zeros(len(pieces))}, {N_STATES: nobody[pieces.stay]})
    return powered.and_(_powered(never, {N_STATES: np.ones(len(never))}, {N_STATES: np.zeros(len(never))}))


def _powered(pieces: _Pieces, of: dict[int, NDArray], of_not: dict[int, NDArray]) -> _Pieces:
    """The powers of every probability, in the order of their places, then of one less each."""
    size = max(of) + 1
    powers = np.zeros((len(pieces), 2 * size), np.int16)
    powers[:, :N_STATES] = pieces.powers
    for position, values in [*of.items(), *((size + position, values) for position, values in of_not.items())]:
        powers[:, position] = values
    return replace(pieces, powers=powers)


def _with_doubted(
    stands: _Pieces, known: Ascertained, doubted: Ascertained, by_month: bool, use_failures: bool
) -> tuple[list[tuple[_Pieces, Ascertained]], NDArray[np.int16]]:
    """
    Each stay as if its first report was true, and those that have one as if it was false; and their successes.

    Until somebody leaves, a false report comes in a month with one probability, of any cause and date, and then none
    more. An exit is taken to be in the middle of the months of its piece.
    """
    since = known.enter
    until = np.where(stands.low > 0, (stands.low + stands.high) // 2, stands.high + 1)
    months = np.maximum(until - since[stands.stay], 0)
    not_false = {N_STATES: months, N_STATES + 1: months}
    if use_failures:  # the contact that found somebody gone did not fail
        about = known.contacts
        at = np.flatnonzero((about.kind == LEFT) & known.by_contact[about.stay])
        at = at[np.unique(about.stay[at], return_index=True)[1]]  # in order of time
        for previous in (0, 1):
            of = np.zeros(known.n, bool)
            of[about.stay[at[about.may_fail[at] & (about.failed_before[at] == previous)]]] = True
            not_false[2 + previous] = of[stands.stay]
    none = np.zeros(len(stands))
    stands = _powered(stands, {N_STATES: none, N_STATES + 1: none}, not_false)

    pieces = _stretches(doubted, by_month)
    pieces = _contact_factors(pieces.where(known.known[pieces.stay]), doubted)
    pieces = _failure_powers(pieces, doubted.contacts.where((doubted.contacts.kind == FAILED) & use_failures))
    before = np.maximum(known.known_month - since, 0)[pieces.stay]
    cause_and_date_share = np.where(known.cause == UNKNOWN, 1.0, 1 / len(known.names)) * known.dates
    pieces = replace(pieces, coefficient=pieces.coefficient * cause_and_date_share[pieces.stay])
    false = {N_STATES: known.by_news[pieces.stay], N_STATES + 1: known.by_contact[pieces.stay]}
    pieces = _powered(pieces, false, {N_STATES: before, N_STATES + 1: before})
    succeeded = np.pad(_succeeded(doubted, use_failures), ((0, 0), (0, len(SOME_FALSE))))
    return [(stands, known), (pieces, doubted)], succeeded


def _succeeded(known: Ascertained, use_failures: bool) -> NDArray[np.int16]:
    """Attempts that reached somebody, of organisations that write their failures: stays × 4."""
    about = known.contacts
    reached = np.isin(about.kind, (PRESENT, LEFT)) & about.may_fail & use_failures
    state = 2 * (about.kind == LEFT) + about.failed_before
    counts = np.bincount(about.stay[reached] * N_STATES + state[reached].astype(np.int64), minlength=known.n * N_STATES)
    return counts.reshape(known.n, N_STATES).astype(np.int16)


def _assembled(
    branches: list[tuple[_Pieces, Ascertained]], succeeded: NDArray[np.int16], further: tuple[str, ...], merge: bool
) -> Cells:
    """The pieces of each branch of what may be true of the stays, as kinds of cell."""
    pieces, known = branches[0]
    for more, _ in branches[1:]:
        pieces = pieces.and_(more)
    by_news, month, cause = (
        np.concatenate(parts) for parts in zip(*(_reported(*branch) for branch in branches), strict=True)
    )
    stay, survivor = pieces.stay, pieces.low == 0
    powers, power = _distinct(*pieces.powers.T)
    telling, telling_row = _distinct(by_news, month)
    kinds, kind = _distinct(telling_row, cause, pieces.low, pieces.high, power)
    del by_news, month, telling_row, cause, power, survivor
    matrix = sparse.csr_matrix((pieces.coefficient, (stay, kind)), shape=(known.n, len(kinds)))
    matrix.sort_indices()
    possible = np.diff(matrix.indptr) > 0
    pattern = np.full(known.n, -1)
    if not possible.all():
        matrix = matrix[possible]
    if merge:
        first, pattern[possible] = _patterns(matrix)
        matrix = matrix[first].tocsr()
    else:
        pattern[possible] = np.arange(matrix.shape[0])
    columns = kinds.T
    return Cells(
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        columns[4],
        powers,
        telling,
        matrix,
        pattern,
        columns[2] == 0,
        succeeded,
        further,
    )


def _reported(pieces: _Pieces, known: Ascertained) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.int32]]:
    """Of each piece: is its exit known by news, in which month (or up to which it was not heard of), and its cause."""
    stay, exit_ = pieces.stay, pieces.low > 0
    month = np.where(known.by_news, known.news_month, known.quiet).astype(np.int32)[stay]
    any_cause = len(known.names) if len(known.names) > 1 else 0
    cause = np.where(known.cause == UNKNOWN, any_cause, known.cause).astype(np.int32)[stay]
    return known.by_news[stay] & exit_, np.where(exit_, month, 0), np.where(exit_, cause, 0)


def _distinct(*columns: NDArray) -> tuple[Integers, NDArray[np.int32]]:
    """The distinct rows of some columns of small whole numbers from 0 up, and the place of each row among them."""
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    key = np.zeros(len(columns[0]), np.int64)
    for column, size in zip(columns, sizes, strict=True):
        key *= size
        key += column
    codes, remainder = pd.factorize(key, sort=True)
    decoded = []
    for size in reversed(sizes):
        remainder, value = np.divmod(remainder, size)
        decoded.append(value)
    return np.column_stack(decoded[::-1]).reshape(-1, len(columns)), codes.astype(np.int32)


def _patterns(matrix: sparse.csr_matrix) -> tuple[Integers, Integers]:
    """The first stay of each distinct row, and the pattern of each stay."""
    if not matrix.shape[0]:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    value = pd.util.hash_array(matrix.data)
    position = pd.util.hash_array(matrix.indices.astype(np.int64))
    mixed = pd.util.hash_array(value ^ (position * np.uint64(0x9E3779B97F4A7C15)))
    codes, _ = pd.factorize(np.add.reduceat(mixed, matrix.indptr[:-1]))
    first = np.zeros(int(codes.max()) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    if (matrix[first[codes]] != matrix).nnz:  # two rows of one hash: they are so unlikely that merging is given up
        return np.arange(len(codes)), np.arange(len(codes))
    return first, codes
