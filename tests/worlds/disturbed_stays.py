"""Stays as `told_stays` makes them, and what goes wrong around them that the observation model knows nothing of.

Each disturbance has a generator of its own, after those of `told_stays`: the stays, and what is truly told of them,
remain the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from trajectories.simulate import ToldStays, told_stays
from trajectories.simulate.stays import DESTINATIONS

CLOSURES, FALSE_NEWS, LINKS = 7, 8, 9


def disturbed_stays(
    n: int,
    seed: int,
    *,
    closures: float = 0.0,
    false_news: float = 0.0,
    visits: float = 0.0,
    wrong_links: float = 0.0,
    **options: object,
) -> ToldStays:
    """
    So many stays, and what is told of them.

    Parameters
    ----------
    n, seed, **options
        As of `told_stays`.
    closures : float
        Share of households whose organisations stop depositing at some month before their cut-off.
    false_news : float
        This share of all news is of somebody who is still there, each month of whom is as likely; never dated.
    visits : float
        Share of the stays of which somebody tells, while they last, as of a departure to the metropole.
    wrong_links : float
        Share of the stays to which the rows of another one are joined.

    Examples
    --------
    >>> disturbed_stays(500, 1, visits=0.02).contacts["organisation"].eq("D").sum()
    np.int64(10)
    """
    told = told_stays(n, seed, **options)
    if closures:
        told = _closed(told, closures, np.random.default_rng([seed, CLOSURES]))
    if false_news or visits:
        n_news = told.contacts["kind"].eq("news").sum()
        numbers = visits * n, false_news / (1 - false_news) * n_news
        told = _with_false_news(told, numbers, np.random.default_rng([seed, FALSE_NEWS]))
    return _wrongly_linked(told, wrong_links, np.random.default_rng([seed, LINKS])) if wrong_links else told


def _closed(told: ToldStays, share: float, rng: np.random.Generator) -> ToldStays:
    """The cut-offs, of a share of the households at some earlier month."""
    n = int(told.household.max()) + 1
    closes = (rng.random(n) < share)[told.household]
    earlier = told.entry + np.ceil(rng.random(n)[told.household] * (told.cutoff - told.entry))
    cutoff = np.where(closes, np.minimum(earlier, told.cutoff), told.cutoff)
    known = told.contacts["month"] <= cutoff[told.contacts["stay"]]
    return replace(told, cutoff=cutoff, contacts=told.contacts[known].reset_index(drop=True))


def _with_false_news(told: ToldStays, numbers: tuple[float, float], rng: np.random.Generator) -> ToldStays:
    """So many told to have left for the metropole, and so many to have left, in any month that they are there."""
    months = np.minimum(told.exit_month - 1, np.floor(told.cutoff)) - np.floor(told.entry)
    month = np.floor(told.entry) + 1 + np.floor(rng.random(len(months)) * months)
    possible = np.flatnonzero(months > 0)
    possible = possible[np.argsort(rng.exponential(1 / months[possible]))]
    parts = [told.contacts]
    for number, causes in zip(numbers, (np.array([1]), np.arange(1, len(DESTINATIONS) + 1)), strict=True):
        chosen, possible = possible[: round(number)], possible[round(number) :]
        rows = pd.DataFrame({"stay": chosen, "month": month[chosen], "cause": rng.choice(causes, len(chosen))})
        unknown = {"departure_earliest": np.nan, "departure_latest": np.nan}
        parts.append(rows.assign(kind="news", organisation="D", **unknown))
    return replace(told, contacts=pd.concat(parts, ignore_index=True))


def _wrongly_linked(told: ToldStays, share: float, rng: np.random.Generator) -> ToldStays:
    """Some stays have the rows of another one too, as told by other organisations."""
    n = len(told)
    mine = np.flatnonzero(rng.random(n) < share)
    other = pd.Series(mine, index=rng.integers(0, n, len(mine)))
    more = told.contacts[told.contacts["stay"].isin(other.index)]
    more = more.merge(other.rename("mine"), left_on="stay", right_index=True)
    more = more[more["month"] <= told.cutoff[more["mine"]]]
    more = more.assign(stay=more["mine"], organisation=more["organisation"] + "'").drop(columns="mine")
    return replace(told, contacts=pd.concat([told.contacts, more], ignore_index=True))
