"""A random sample of whole households of a very large cohort, for analyses that use every stay's covariates.

Comparisons and regressions copy each stay with its covariates, months and draws several times: 7 kB a stay. With a
hundred thousand stays the standard error of a log hazard ratio is about .02, well below the bias from unmeasured
covariates; ten times as many would only take ten times the memory. So above `MOST` stays they use households drawn at
random. Retention, its companion estimates, counts, delays and services always use everybody.
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
        The tables `cohort` (person_id, household_id) and `contacts` (person_id).
    seed : int
        The same households for the same seed, whatever the order of the rows.
    most : int, optional
        Stays.

    Returns
    -------
    cohort, contacts : DataFrame
        The tables unchanged where there are no more than `most` stays.

    Examples
    --------
    >>> stays = pd.DataFrame({"person_id": list("abcd"), "household_id": ["1", "1", "2", "2"], "episode": 1})
    >>> contacts = pd.DataFrame({"person_id": ["a", "d"], "episode": 1})
    >>> sample, in_sample = subsample(stays, contacts, seed=1, most=3)
    >>> sample["household_id"].nunique(), len(sample), in_sample["person_id"].isin(sample["person_id"]).all()
    (1, 2, np.True_)
    """
    if len(cohort) <= most:
        return cohort, contacts
    household, names = encode(cohort["household_id"])
    chosen = _drawn(np.bincount(household, minlength=len(names)), most, seed)
    sample = cohort[chosen[household]].reset_index(drop=True)
    return sample, contacts[contacts["person_id"].isin(sample["person_id"])].reset_index(drop=True)


def some_people(persons: pd.DataFrame, alternatives: pd.DataFrame, *, seed: int, most: int = MOST) -> pd.Series:
    """
    Which records are of as many households, drawn at random, as have at most `most` persons together.

    Households that some linkage threshold joins through a shared person are drawn together, so that each person drawn
    has all their records whatever the threshold.

    Parameters
    ----------
    persons, alternatives : DataFrame
        The tables `persons` and `alternatives`: record_id, person_id, household_id; threshold and draw where there.
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
    person, distinct = encode(persons["person_id"])
    if len(distinct) <= most:
        return pd.Series(True, index=records)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    household, names = encode(persons["household_id"])
    keys = [name for name in ("household_id", "threshold", "draw") if name in alternatives]
    group = alternatives.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    groups = range(group.max(initial=-1) + 1)
    record_household = household[records.get_indexer(alternatives["record_id"])]
    edges = coo_array(
        (np.ones(len(record_household), dtype=np.int8), (record_household, len(names) + group)),
        shape=[len(names) + len(groups)] * 2,
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
