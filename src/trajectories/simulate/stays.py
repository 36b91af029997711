"""Simulated stays with their contacts and news, and the retention curves of naive shortcuts beside the main estimate.

`main_curve` is the main estimate of these stays. Each shortcut takes the contacts as complete information, and fits the
plain interval-censored estimator. They are for notebooks and tests that show the bias of a shortcut; the library's own
companions, on tables, are in retention/bounds.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..tables import EXITS

# ----------------------------------------------------------------------------------------------------
# Stays with a known truth, their contacts and news, as arrays: for notebooks, tests and benchmarks of the estimator.
#
# Without persons and deposits: only the end of each stay and how it became known, in months since the establishment.
# The options have the names and meanings of those of `Settings`. Each purpose has its own generator, so that the
# reporting may change while the true stays remain the same.

Floats = NDArray[np.float64]

LAST = 120  # months since the establishment up to which the truth is kept
# The true monthly hazard of leaving, up to and including these months; then the last value.
CUTS = (1, 3, 6, 9, 12, 18, 24, 36, 48, 60)
HAZARD = (0.012, 0.03, 0.028, 0.024, 0.02, 0.013, 0.011, 0.008, 0.006, 0.005, 0.005)
DESTINATIONS = (0.5, 0.2, 0.3)  # share of the exits to each: metropole, other region, outside Québec
# Monthly hazard of being first heard of 0, 1, 2–3, 4–6, 7–12, 13 and more months after the exit, by destination.
HEARING = (
    (0.10, 0.09, 0.07, 0.05, 0.03, 0.015),
    (0.10, 0.08, 0.06, 0.05, 0.03, 0.012),
    (0.07, 0.06, 0.05, 0.04, 0.025, 0.01),
)
_CLASSES = np.array([0, 1, 2, 2, 3, 3, 3, *[4] * 6, *[5] * (LAST - 12)])
_WITHIN = 24  # months since the exit to which a share of those heard of refers
_PURPOSES = ("stays", "contacts", "reach", "attempts", "news", "dates", "services")
_SERVICES = ((3, 0.25), (12, 0.10), (LAST, 0.04))  # a month, up to and including the month


@dataclass(frozen=True)
class ToldStays:
    """
    Stays, their contacts and news, and the truth.

    Attributes
    ----------
    contacts : DataFrame
        stay, month, kind, organisation, cause, departure_earliest, departure_latest, as `observed_incidence` reads.
    cutoff, entry : arrays of float
        One value a stay: the month until which it could be heard of, and the one in which it came under observation.
    household : array of int
    exit_month, cause : arrays of int
        The truth of each stay, cut-off or not: it ended in (exit_month − 1, exit_month], to that destination. A stay
        that lasts beyond `LAST` has exit_month `LAST` + 1.
    survival : array of shape (LAST + 1,)
        The true S at months 0, 1, …
    incidence : array of shape (causes, LAST + 1)
        The true F by destination.
    """

    contacts: pd.DataFrame
    cutoff: Floats
    entry: Floats
    household: NDArray[np.int64]
    exit_month: NDArray[np.int64]
    cause: NDArray[np.int64]
    survival: Floats
    incidence: Floats

    def __len__(self) -> int:
        return len(self.cutoff)

    def arguments(self) -> dict:
        """The arguments of `observed_incidence`, without the truth."""
        return {
            "contacts": self.contacts,
            "cutoff": self.cutoff,
            "entry": self.entry,
            "cluster": self.household,
            "causes": range(1, len(self.incidence) + 1),
        }

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """
        The same as the tables `cohort` and `contacts`, with the columns that an estimate reads.

        Examples
        --------
        >>> cohort, contacts = told_stays(50, seed=1).tables()
        >>> len(cohort), sorted(contacts["kind"].unique())
        (50, ['failed', 'left', 'news', 'present'])
        """
        n = len(self)
        names = np.array([None, *EXITS[:3]], dtype=object)
        cohort = pd.DataFrame(
            {
                "person_id": np.arange(n).astype(str),
                "household_id": self.household.astype(str),
                "episode": 1,
                "pathway": "secondary",
                "region": "05",
                "excluded": None,
                "role": None,
                "entry": self.entry,
                "cutoff": self.cutoff,
                "heard_until": self.cutoff,
                "organisation_id": "A",
            }
        )
        reports = self.contacts
        contacts = reports.drop(columns="stay").assign(
            person_id=reports["stay"].astype(str), episode=1, cause=names[reports["cause"]], record_id=None
        )
        return cohort, contacts.rename(columns={"organisation": "organisation_id"})


def told_stays(  # noqa: PLR0913  # what a world is drawn from
    n: int = 4000,
    seed: int = 1,
    *,
    schedule: Sequence[float] = (3, 6, 12, 24),
    failure_there: ArrayLike = (0.12, 0.30),
    failure_gone: ArrayLike = (0.50, 0.70),
    hearing: ArrayLike | None = HEARING,
    dated: float = 0.0,
    hard_to_reach: float = 0.0,
    hard_to_reach_failure: float = 0.6,
    hearing_fades: float = 1.0,
    contacts_follow_trouble: float = 1.0,
    failure_trait: float = 0.0,
    late_registration: float = 0.1,
    hearing_differs: float = 0.0,
    alone: float = 1.0,
    services: bool = False,
    cutoff: tuple[int, int] = (18, 72),
    households: bool = True,
    whole: bool = True,
) -> ToldStays:
    """
    Simulate stays with their contacts and news.

    Parameters
    ----------
    n, seed : int
        Everything is a function of them and of the options; the true stays of n, seed, `late_registration`, `cutoff`
        and `households` only.
    schedule : sequence of float
        Months since the establishment at which a contact is due. Contacts end with the one that finds somebody gone.
    failure_there, failure_gone : float or pair of float
        Probability that a contact fails with somebody still there, or gone: where the attempt before it did not fail,
        and where it did (one value: either way). Of somebody gone also a pair a destination, of shape (causes, 2).
    hearing : None, float, sequence of float, or array of shape (causes, 6)
        None: no departure is heard of but by a contact. A share (of all, or one a destination): of those who leave, so
        many are heard of within 24 months, with delays of the usual shape. An array: the monthly hazards themselves, as
        `HEARING`.
    dated : float
        Share of the departures that become known with their month.
    hard_to_reach : float
        Share of households that are always hard to reach, in the region or gone.
    hard_to_reach_failure : float
        Probability that a contact with one of them fails for that alone (1: no contact ever reaches them).
    hearing_fades : float
        What a year since the establishment multiplies the monthly chance of hearing by, smoothly (1: nothing).
    contacts_follow_trouble : float
        How many times more often a contact that is due is tried with those who have left or will within 12 months.
    failure_trait : float
        Of the contacts that would reach those who are still there but leave before their cut-off, this share fails too.
    late_registration : float
        Share of households that come under observation only 1 to 8 months after the establishment, if still there.
    hearing_differs : float
        Variance, between departures, of how easily they are heard of (gamma, of mean 1): some almost never are.
    alone : float
        What the odds of failing are multiplied by where somebody lives alone.
    services : bool
        Services of those still there, of three in twenty never; how often differs between persons.
    cutoff : pair of int
        A household's month of cut-off lies between these.
    households : bool
        Households of one to four, who leave together one time in two; else of one.
    whole : bool
        Contacts, news and cut-offs on whole months, or on days.

    Returns
    -------
    ToldStays

    Raises
    ------
    ValueError
        A share or a month that makes no sense; the sentence names the argument.

    Examples
    --------
    >>> told = told_stays(500, seed=1, hearing=None)
    >>> sorted(told.contacts["kind"].unique()), round(float(told.survival[24]), 2)
    (['failed', 'left', 'present'], 0.65)
    """
    shares = {
        "dated": dated,
        "hard_to_reach": hard_to_reach,
        "hard_to_reach_failure": hard_to_reach_failure,
        "hearing_fades": hearing_fades,
        "failure_trait": failure_trait,
        "late_registration": late_registration,
    }
    for name, value in shares.items():
        _refuse(not 0 <= value <= 1, name, value, "a share between 0 and 1")
    _refuse(n < 1, "n", n, "at least 1")
    _refuse(not 0 <= hearing_differs < np.inf, "hearing_differs", hearing_differs, "a variance from 0 up")
    _refuse(not 0 < alone < np.inf, "alone", alone, "odds above 0")
    _refuse(not 0 < contacts_follow_trouble < np.inf, "contacts_follow_trouble", contacts_follow_trouble, "above 0")
    _refuse(not 1 <= cutoff[0] <= cutoff[1] <= LAST, "cutoff", cutoff, f"two months from 1 to {LAST}, in order")
    due = sorted(float(month) for month in schedule)
    _refuse(any(month <= 0 for month in due), "schedule", schedule, "months above 0")
    failing = _failing(failure_there, failure_gone)
    rngs = {name: np.random.default_rng([seed, k]) for k, name in enumerate(_PURPOSES)}

    stays = _true_stays(n, rngs["stays"], late_registration, cutoff, households, whole)
    survival, of = _survival(), np.array(DESTINATIONS)
    parts = []
    if due:
        hard, trouble = (hard_to_reach, hard_to_reach_failure), (failure_trait, contacts_follow_trouble)
        parts.append(_contacts(stays, due, failing, rngs, hard=hard, trouble=trouble, alone=alone, whole_months=whole))
    if hearing is not None:
        more: dict[str, Any] = {"fades": hearing_fades, "differs": hearing_differs, "whole_months": whole}
        parts.append(_news(stays, _hazards(hearing), rngs["news"], **more))
    if services:
        parts.append(_services(stays, rngs["services"], whole))
    contacts = pd.concat(parts or [_rows(stays, np.zeros(n, bool), stays.cutoff, "news")], ignore_index=True)
    contacts = _dated(contacts, stays, dated, rngs["dates"])
    return ToldStays(
        contacts,
        stays.cutoff,
        stays.entry,
        stays.household,
        stays.month,
        stays.cause,
        survival,
        of[:, None] * (1 - survival),
    )


def hearing_of_shares(shares: ArrayLike) -> Floats:
    """
    The monthly hazards of `HEARING`, moved so that these shares of the exits are heard of within 24 months.

    Examples
    --------
    >>> hazards = hearing_of_shares([0.9, 0.5, 0.2])
    >>> (1 - np.prod(1 - hazards[:, _CLASSES[:25]], axis=1)).round(3).tolist()
    [0.9, 0.5, 0.2]
    """
    target = np.broadcast_to(np.asarray(shares, dtype=float), len(HEARING))
    usual = np.log1p(-np.array(HEARING))
    power = np.log1p(-target) / usual[:, _CLASSES[: _WITHIN + 1]].sum(axis=1)
    return -np.expm1(usual * power[:, None])


def _refuse(wrong: bool, name: str, value: object, wanted: str) -> None:
    if wrong:
        raise ValueError(f"{name} is {value!r}: give {wanted}.")


def _failing(there: ArrayLike, gone: ArrayLike) -> Floats:
    """Probabilities of failure: still there or gone × destinations × whether the attempt before failed."""
    causes = len(DESTINATIONS)
    values = np.asarray(gone, dtype=float)
    by_cause = [_pair("failure_gone", value) for value in values] if values.ndim == 2 else [_pair("failure_gone", gone)]
    _refuse(len(by_cause) not in (1, causes), "failure_gone", gone, f"a pair, or {causes}")
    return np.stack([np.tile(_pair("failure_there", there), (causes, 1)), np.broadcast_to(by_cause, (causes, 2))])


def _pair(name: str, value: ArrayLike) -> Floats:
    pair = np.broadcast_to(np.asarray(value, dtype=float), 2)
    _refuse(bool(((pair < 0) | (pair > 1)).any()), name, value, "one or two probabilities")
    return pair


def _hazards(hearing: ArrayLike) -> Floats:
    values = np.asarray(hearing, dtype=float)
    _refuse(bool(((values < 0) | (values >= 1)).any()), "hearing", hearing, "shares from 0 to under 1")
    if values.ndim == 2:
        _refuse(values.shape != np.shape(HEARING), "hearing", hearing, f"hazards of shape {np.shape(HEARING)}")
        return values
    _refuse(values.ndim > 1 or values.size not in (1, len(HEARING)), "hearing", hearing, "one share, or one a cause")
    return hearing_of_shares(values)


# ── the truth ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Stays:
    month: NDArray[np.int64]
    exact: Floats  # the exit, within its month
    cause: NDArray[np.int64]
    entry: Floats
    cutoff: Floats
    household: NDArray[np.int64]


def _survival() -> Floats:
    hazard = np.array(HAZARD)[np.searchsorted(CUTS, np.arange(1, LAST + 1))]
    return np.concatenate([[1.0], np.cumprod(1 - hazard)])


def _true_stays(
    n: int, rng: np.random.Generator, late: float, cutoff: tuple[int, int], households: bool, whole_months: bool
) -> _Stays:
    survival = _survival()
    household = np.repeat(np.arange(n), rng.integers(1, 5, n) if households else 1)[:n]
    until = rng.integers(cutoff[0], cutoff[1] + 1, n)[household].astype(float)
    entry = np.where(rng.random(n) < late, rng.integers(1, 9, n), 0)[household].astype(float)
    own, shared, together = rng.random(n), rng.random(n)[household], rng.random(n) < 0.5
    # given T > entry: members share the uniform of their exit, and the margin of each exit stays the true distribution
    uniform = np.where(together, shared, own) * survival[entry.astype(int)]
    month = np.searchsorted(-survival, -uniform, side="left")  # S(month) ≤ u < S(month − 1)
    cause = 1 + rng.choice(len(DESTINATIONS), n, p=DESTINATIONS)
    exact = month - rng.random(n)
    if not whole_months:
        until = np.minimum(until + rng.random(n)[household], float(cutoff[1]))
    return _Stays(month, exact, cause, np.minimum(entry, until), until, household)


# ── contacts and news ──────────────────────────────────────────────────────────────────────────────────────────
def _rows(stays: _Stays, chosen: NDArray[np.bool_], month: Floats, kind: ArrayLike, organisation: str = "A"):
    kinds = np.broadcast_to(np.asarray(kind, dtype=object), len(chosen))[chosen]
    tells = np.isin(kinds, ["left", "news"])
    return pd.DataFrame(
        {
            "stay": np.flatnonzero(chosen),
            "month": month[chosen].astype(float),
            "kind": kinds,
            "organisation": organisation,
            "cause": np.where(tells, stays.cause[chosen], 0),
        }
    )


def _contacts(
    stays: _Stays,
    due: list[float],
    failing: Floats,
    rngs: dict,
    *,
    hard: tuple[float, float] = (0.0, 0.6),
    trouble: tuple[float, float] = (0.0, 1.0),
    alone: float = 1.0,
    whole_months: bool = True,
) -> pd.DataFrame:
    trait, often = trouble
    n, rng, attempts = len(stays.month), rngs["contacts"], rngs["attempts"]
    reach = rngs["reach"]
    unreachable = (reach.random(n) < hard[0])[stays.household]
    will_leave = stays.exact <= stays.cutoff
    lives_alone = np.bincount(stays.household)[stays.household] == 1
    previous, found_gone = np.zeros(n, dtype=int), np.zeros(n, dtype=bool)
    parts = []
    for at in due:
        jitter, u = rng.uniform(-1, 1, n), rng.random(n)
        month = np.full(n, at) if whole_months else np.maximum(at + jitter, 0.1)
        gone = stays.exact <= month
        tried = attempts.random(n) < np.where(stays.exact <= month + 12, often, 1.0) / max(often, 1.0)
        made = tried & ~found_gone & (month > stays.entry) & (month <= stays.cutoff)
        fails = failing[gone.astype(int), stays.cause - 1, previous]
        fails = np.where(lives_alone, alone * fails / (1 - fails + alone * fails), fails)
        fails = np.where(~gone & will_leave, fails + trait * (1 - fails), fails)
        missed = (unreachable & (reach.random(n) < hard[1])) | (u < fails)
        kind = np.where(missed, "failed", np.where(gone, "left", "present"))
        parts.append(_rows(stays, made, month, kind))
        found_gone |= made & gone & ~missed
        previous = np.where(made, missed, previous)
    return pd.concat(parts, ignore_index=True)


def _news(
    stays: _Stays,
    hazards: Floats,
    rng: np.random.Generator,
    *,
    fades: float = 1.0,
    differs: float = 0.0,
    whole_months: bool = True,
) -> pd.DataFrame:
    n = len(stays.month)
    u, within = rng.random(n), rng.random(n)
    delays = np.arange(len(_CLASSES))
    monthly = hazards[stays.cause - 1][:, _CLASSES]
    if fades < 1:
        monthly = monthly * fades ** ((stays.exact[:, None] + delays) / 12)
    if differs > 0:
        monthly = 1 - (1 - monthly) ** rng.gamma(1 / differs, differs, n)[:, None]
    unheard = np.cumprod(1 - monthly, axis=1)
    delay = (unheard > 1 - u[:, None]).sum(axis=1)  # heard in the first month whose share reaches u
    filed = (stays.month + delay).astype(float)
    if not whole_months:
        # not filed before the exit
        filed -= (filed - np.maximum(stays.exact, filed - 1)) * within
    heard = (delay < len(delays)) & (filed <= stays.cutoff) & (filed > stays.entry)
    return _rows(stays, heard, filed, "news", "B")


def _services(stays: _Stays, rng: np.random.Generator, whole_months: bool) -> pd.DataFrame:
    n = len(stays.month)
    client, often = rng.random(n) >= 0.15, rng.gamma(1.5, 1 / 1.5, n)
    parts = []
    for month in range(1, LAST + 1):
        rate = next(rate for upto, rate in _SERVICES if month <= upto)
        u, day = rng.random(n), month - rng.random(n)
        served = client & (u < 1 - np.exp(-rate * often))
        when = np.full(n, float(month)) if whole_months else day
        there = (when <= stays.exact) & (when > stays.entry) & (when <= stays.cutoff)
        parts.append(_rows(stays, served & there, when, "service"))
    return pd.concat(parts, ignore_index=True)


def _dated(contacts: pd.DataFrame, stays: _Stays, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """The contacts and news with the month of the exit, for a share of those who left."""
    known = rng.random(len(stays.month)) < share
    of = contacts["stay"].to_numpy()
    dated = contacts["kind"].isin(["left", "news"]).to_numpy() & known[of]
    # the exit that a contact reports is not after the contact
    latest = np.minimum(stays.month[of], contacts["month"].to_numpy())
    earliest = np.minimum((stays.month[of] - 1).astype(float), latest)
    return contacts.assign(
        departure_earliest=np.where(dated, earliest, np.nan), departure_latest=np.where(dated, latest, np.nan)
    )


# ----------------------------------------------------------------------------------------------------

# plain: every exit ever heard of, stayers until their last presence. no_news_present: persons not known to have left
# stay until the cut-off. drop_unreached: contacts only, without persons whom a contact failed to reach. last_contact:
# contacts only, stayers until the last contact that found them.
SHORTCUTS = ("plain", "no_news_present", "drop_unreached", "last_contact")


def shortcut_curve(told: ToldStays, shortcut: str) -> pd.Series:
    """
    S by month, estimated by a shortcut.

    Parameters
    ----------
    told : ToldStays
    shortcut : str
        One of `SHORTCUTS`.

    Returns
    -------
    Series
        Index month; missing where nobody is followed any more.

    Raises
    ------
    ValueError
        Another name, or nobody whom the shortcut keeps.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> told = told_stays(2000, seed=3)
    >>> curves = {name: shortcut_curve(told, name)[24] for name in ("drop_unreached", "no_news_present")}
    >>> {name: round(float(value - told.survival[24]), 1) for name, value in curves.items()}
    {'drop_unreached': 0.1, 'no_news_present': 0.1}
    """
    from trajectories.survival import interval_incidence  # scipy costs half a second: not with the simulator

    if shortcut not in SHORTCUTS:
        raise ValueError(f"shortcut {shortcut!r}: choose one of {', '.join(SHORTCUTS)}.")
    n, contacts = len(told), told.contacts
    kind = contacts["kind"]

    def month_of(kinds: tuple[str, ...], how: str) -> np.ndarray:
        return contacts[kind.isin(kinds)].groupby("stay")["month"].agg(how).reindex(range(n)).to_numpy(dtype=float)

    heard = ("left",) if shortcut in ("drop_unreached", "last_contact") else ("left", "news")
    first = np.ceil(month_of(heard, "min"))
    told_by = np.where(np.isnan(first), np.inf, first)
    present = contacts[kind.eq("present")]
    present = present[present["month"].to_numpy() < told_by[present["stay"]]]
    last = np.rint(present.groupby("stay")["month"].max().reindex(range(n)).to_numpy(dtype=float))
    entry = np.ceil(told.entry)
    lower = np.maximum(np.nan_to_num(last), entry)
    upper = np.where(np.isinf(told_by), np.inf, np.maximum(told_by, lower + 1))
    if shortcut == "no_news_present":
        lower = np.where(np.isinf(upper), np.maximum(np.floor(told.cutoff), lower), lower)
    keep = np.where(np.isinf(upper), lower, upper) > entry
    if shortcut == "drop_unreached":
        keep &= np.isnan(month_of(("failed",), "min"))
    if not keep.any():
        raise ValueError(f"shortcut {shortcut}: nobody is left of {n} stays.")
    cause = np.where(np.isinf(upper), 0, told.cause)
    table = interval_incidence(lower[keep], upper[keep], cause[keep], entry=entry[keep]).table
    remaining = table[table["cause"].eq(0)].set_index("month")
    curve = remaining["incidence"].where(remaining["n_risk"] > 0).reindex(range(len(told.survival)))
    curve.loc[0] = 1.0
    return curve


def main_curve(told: ToldStays, **options) -> pd.Series:
    """
    S by month by the main estimate.

    Parameters
    ----------
    told : ToldStays
    **options
        Of `observed_incidence`; they override the arguments of the stays (`contacts=…`).

    Returns
    -------
    Series
        Index month, up to the last of the fit.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> told = told_stays(8000, seed=3)
    >>> bool(abs(main_curve(told)[24] - told.survival[24]) < 0.03)
    True
    """
    from trajectories.survival import observed_incidence

    curve = observed_incidence(**({"starts": 0} | told.arguments() | options)).survival
    return pd.concat([pd.Series({0: 1.0}), curve]).rename_axis("month")
