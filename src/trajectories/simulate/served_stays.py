"""Stays with known ends and the services received: for notebooks, tests and benchmarks of services.

The effect of a service is an option. The month in which it is given depends only on the person being still there, and
may be late, so that persons served have stayed until then (immortal time). A service before the departure has no
effect. `told_of` replaces the known ends by contacts and news.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..tables import EXITS
from .stays import _PURPOSES, HEARING, _contacts, _failing, _hazards, _news, _Stays

LAST = 60  # months since the establishment up to which anybody may leave
# Monthly hazard of leaving up to and including these months.
CUTS, HAZARD = (3, 6, 12, 24, LAST), (0.030, 0.026, 0.020, 0.014, 0.008)
CONTACTS = ((3, 0.85), (6, 0.8), (12, 0.75), (24, 0.6))  # month, probability that somebody still there is reached


@dataclass(frozen=True)
class ServedStays:
    """
    The arguments of `services.association.associations`.

    Attributes
    ----------
    completed : list of DataFrame
        As `completed_stays` returns; every end is known, so that the draws are the same. cutoff is the month until
        which the household could be heard of.
    services : DataFrame
        person_id, episode, month, service: `pairing`, which multiplies the hazard by `ratio`, and `reception`, which
        does nothing.
    contacts : DataFrame
        person_id, episode, month, kind (present).
    before : DataFrame
        person_id, episode, month, service: `information` in the metropole.
    """

    completed: list[pd.DataFrame]
    services: pd.DataFrame
    contacts: pd.DataFrame
    before: pd.DataFrame


def served_stays(
    n: int = 1500, seed: int = 1, *, ratio: float = 1.0, rate: float = 0.03, earliest: int = 3, draws: int = 2
) -> ServedStays:
    """
    Simulate stays and the services they receive.

    Parameters
    ----------
    n, seed : int
        Everything is a function of them and of the options.
    ratio : float
        Factor by which `pairing` multiplies the hazard of leaving, from the month after it.
    rate : float
        Chance that a household is given a service in a month, the first time.
    earliest : int
        The first month in which `pairing` is given; `reception` is given from month 1.
    draws : int
        How many times the same completed stays are returned.

    Returns
    -------
    ServedStays

    Examples
    --------
    >>> stays = served_stays(300, seed=1)
    >>> sorted(stays.services["service"].unique()), int(stays.services.query("service == 'pairing'")["month"].min()) > 2
    (['pairing', 'reception'], True)
    """
    rng = np.random.default_rng([seed, n])
    household = np.repeat(np.arange(n), rng.integers(1, 4, n))[:n]
    # members of a household are served together, and leave together one time in two
    first = {
        "pairing": earliest - 1 + rng.geometric(rate, n)[household],
        "reception": rng.geometric(rate, n)[household],
    }
    together = rng.random(n) < 0.5
    size = np.array(["100k_plus", "10k_50k"], dtype=object)[(rng.random(n) < 0.4).astype(int)][household]
    level = np.where(size == "10k_50k", 1.3, 1.0)
    goal = np.where(together, rng.exponential(1.0, n)[household], rng.exponential(1.0, n))
    month = np.full(n, LAST + 1)
    spent = np.zeros(n)
    for at in range(1, LAST + 1):
        hazard = HAZARD[int(np.searchsorted(CUTS, at))] * level
        spent += hazard * np.where(first["pairing"] < at, ratio, 1.0)
        month = np.where((spent >= goal) & (month > LAST), at, month)
    cutoff = rng.integers(18, LAST + 1, n)[household]
    time = np.minimum(month, cutoff)
    keys = pd.DataFrame({"person_id": [f"p{k:05d}" for k in range(n)], "episode": 1})
    frame = keys.assign(
        household_id=[f"h{h:05d}" for h in household],
        region=np.array(["03", "05", "08"], dtype=object)[rng.integers(0, 3, n)[household]],
        organisation_id=np.array([f"o{k}" for k in range(8)], dtype=object)[rng.integers(0, 8, n)[household]],
        city_size=size,
        cutoff=cutoff,
        start=0,
        time=time,
        at_risk=True,
        complete=True,
        cause=np.where(month <= cutoff, 1 + rng.integers(0, 3, n), 0),
    )

    def service_rows(name: str, months: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
        return keys[chosen].assign(month=months[chosen].astype(float), service=name)

    # a service in the month of the exit is possible, but has no effect
    services = pd.concat(
        [service_rows(name, months, months <= time) for name, months in first.items()], ignore_index=True
    )
    presences = [
        keys[(time >= due) & (rng.random(n) < chance)].assign(month=float(due), kind="present")
        for due, chance in CONTACTS
    ]
    informed = (rng.random(n) < 0.4)[household]
    before = service_rows("information", -rng.integers(1, 12, n)[household], informed)
    return ServedStays([frame] * draws, services, pd.concat(presences, ignore_index=True), before)


def told_of(
    stays: ServedStays, seed: int = 1, *, failure_gone: ArrayLike = (0.50, 0.70), hearing: ArrayLike | None = HEARING
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The same stays as tables: ends are known only through contacts that fail and news that comes late or never.

    Parameters
    ----------
    stays : ServedStays
    seed : int
        Contacts and news are a function of it and of the options; `stays.contacts` is not used.
    failure_gone, hearing
        As in `told_stays`. A contact fails for 12 % of those there (30 % where the one before it failed), whether or
        not they were served.

    Returns
    -------
    cohort, contacts : DataFrame
        The tables of those names, as far as `completed_stays` and `associations` read them; services are in contacts.

    Examples
    --------
    >>> cohort, contacts = told_of(served_stays(300, seed=1))
    >>> len(cohort), sorted(contacts["kind"].unique())
    (300, ['failed', 'left', 'news', 'present', 'service'])
    """
    rngs = {name: np.random.default_rng([seed, 10, k]) for k, name in enumerate(_PURPOSES)}
    frame = stays.completed[0]
    left = frame["cause"].to_numpy() > 0
    month = np.where(left, frame["time"], LAST + 1)
    cutoff = frame["cutoff"].to_numpy(dtype=float)
    truth = _Stays(
        month,
        month - rngs["stays"].random(len(frame)),
        np.maximum(frame["cause"].to_numpy(), 1),
        np.zeros(len(frame)),
        cutoff,
        pd.factorize(frame["household_id"])[0],
    )
    due = [float(at) for at, _ in CONTACTS]
    parts = [_contacts(truth, due, _failing((0.12, 0.30), failure_gone), rngs)]
    if hearing is not None:
        parts.append(_news(truth, _hazards(hearing), rngs["news"]))
    reports = pd.concat(parts, ignore_index=True)
    keys = frame[["person_id", "episode"]]
    rows = pd.concat([keys.iloc[reports["stay"]].reset_index(drop=True), reports.drop(columns="stay")], axis=1)
    rows = rows.rename(columns={"organisation": "organisation_id"})
    rows["cause"] = np.array([None, *EXITS[:3]], dtype=object)[reports["cause"]]
    services = stays.services.drop(columns="service").assign(kind="service", organisation_id="A", cause=None)
    contacts = pd.concat([rows, services], ignore_index=True).assign(departure_earliest=np.nan, departure_latest=np.nan)
    cohort = frame.drop(columns=["start", "time", "cause", "at_risk", "complete"]).assign(
        pathway="secondary", excluded=None, role=None, entry=0.0, cutoff=cutoff, heard_until=cutoff
    )
    return cohort, contacts
