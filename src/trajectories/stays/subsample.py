"""A part of a very large cohort, whole households at a time, for what is made of every stay's covariates.

Comparisons and regressions hold each stay with its covariates, months and draws several times over: 7 kB a stay. Of a
hundred thousand stays they know a log hazard ratio to .02 or so, far better than what is not measured lets anybody read
it; ten times as many would take ten times the memory to say the same. So above `MOST` they rest on households drawn at
random. Retention, its companions, counts, delays and services are always of everybody.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .coding import encode

MOST = 100_000  # stays


def subsample(
    cohort: pd.DataFrame, contacts: pd.DataFrame, *, seed: int, most: int = MOST
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The stays of as many households, drawn at random, as have at most `most` together; and their contacts.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables of those names.
    seed : int
        The same households for the same seed, whatever the order of the rows.
    most : int, optional
        Stays.

    Returns
    -------
    cohort, contacts : DataFrame
        The very tables given where there are no more stays than that.

    Examples
    --------
    >>> stays = pd.DataFrame({"person_id": list("abcd"), "household_id": ["1", "1", "2", "2"], "episode": 1})
    >>> told = pd.DataFrame({"person_id": ["a", "d"], "episode": 1})
    >>> some, theirs = subsample(stays, told, seed=1, most=3)
    >>> some["household_id"].nunique(), len(some), theirs["person_id"].isin(some["person_id"]).all()
    (1, 2, np.True_)
    """
    if len(cohort) <= most:
        return cohort, contacts
    household, names = encode(cohort["household_id"])
    chosen = _drawn(np.bincount(household, minlength=len(names)), most, seed)
    some = cohort[chosen[household]].reset_index(drop=True)
    return some, contacts[contacts["person_id"].isin(some["person_id"])].reset_index(drop=True)


def some_people(persons: pd.DataFrame, alternatives: pd.DataFrame, *, seed: int, most: int = MOST) -> pd.Series:
    """
    Which records are of as many households, drawn at random, as have at most `most` persons together.

    Households of which a file may be one person's with a file of another, at some threshold, are drawn together: each
    person drawn is whole whatever the threshold.

    Parameters
    ----------
    persons, alternatives : DataFrame
        The tables of those names.
    seed : int
    most : int, optional
        Persons.

    Returns
    -------
    Series of bool
        By record_id, in the order of `persons`; all of them where there are no more persons than that.

    Examples
    --------
    >>> persons = pd.DataFrame({"record_id": list("123"), "person_id": list("abc"), "household_id": list("hij")})
    >>> looser = persons.assign(threshold=0.5, person_id=list("aac"), household_id=list("hhj"))
    >>> some_people(persons, looser, seed=1, most=2).tolist()
    [True, True, False]
    """
    records = pd.Index(persons["record_id"])
    person, who = encode(persons["person_id"])
    if len(who) <= most:
        return pd.Series(True, index=records)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    household, names = encode(persons["household_id"])
    keys = [name for name in ("household_id", "threshold", "draw") if name in alternatives]
    other = alternatives.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    others = range(other.max(initial=-1) + 1)
    one = household[records.get_indexer(alternatives["record_id"])]
    edges = coo_array(
        (np.ones(len(one), dtype=np.int8), (one, len(names) + other)), shape=[len(names) + len(others)] * 2
    )
    number, component = connected_components(edges, directed=False)
    of_record = component[household]
    size = np.bincount(component[household[np.unique(person, return_index=True)[1]]], minlength=number)
    return pd.Series(_drawn(size, most, seed)[of_record], index=records)


def _drawn(size: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which units are drawn: in random order, as long as they are no more than `most` together."""
    order = np.random.default_rng([seed, 11]).permutation(len(size))
    chosen = np.zeros(len(size), dtype=bool)
    chosen[order[np.cumsum(size[order]) <= most]] = True
    return chosen
