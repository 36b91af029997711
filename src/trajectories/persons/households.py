"""Households: the organisations' own household numbers, carried across by the persons they share.

Two organisations may know one household by different members, none of whom both have seen: they are joined where two
of their members are surely relatives, and the household so made is no larger than either organisation says it is.
A person is in one household, whose id stays when its members part.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .components import connected_components

RELATIVES_SURE = 0.95
# A birth or an arrival between two forms.
ROOM_FOR_ONE_MORE = 1


def households(person: np.ndarray, identities: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """
    The household of each identity: the smallest identity in it.

    Parameters
    ----------
    person : ndarray of int64, shape (n_identities,)
        As `cluster` returns it.
    identities : DataFrame
        `Identities.table`: household and size are read.
    pairs : DataFrame
        Scored pairs: left, right, relative.
    """
    n = len(person)
    own = identities["household"].to_numpy()
    known = np.flatnonzero(own >= 0)
    first = np.full(int(own.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[own[known][::-1]] = known[::-1]
    left = np.concatenate([np.arange(n), known])
    right = np.concatenate([person, first[own[known]]])
    household = connected_components(left, right, n)
    return _with_relatives(household, person, identities, pairs)


def _with_relatives(
    household: np.ndarray, person: np.ndarray, identities: pd.DataFrame, pairs: pd.DataFrame
) -> np.ndarray:
    sure = pairs[pairs["relative"] >= RELATIVES_SURE]
    sure = sure[household[sure["left"]] != household[sure["right"]]]
    sure = sure.sort_values(["relative", "left", "right"], ascending=[False, True, True])
    people = pd.Series(person).groupby(household).nunique().to_dict()
    largest = identities["size"].groupby(household).max().fillna(np.inf).to_dict()
    joined: dict[int, int] = {}

    def root(h: int) -> int:
        while h in joined:
            h = joined[h]
        return h

    for a, b in zip(household[sure["left"]].tolist(), household[sure["right"]].tolist(), strict=True):
        x, y = sorted((root(a), root(b)))
        room = max(largest[x], largest[y]) + ROOM_FOR_ONE_MORE
        if x != y and people[x] + people[y] <= room:
            joined[y] = x
            people[x] += people[y]
            largest[x] = max(largest[x], largest[y])
    final = np.arange(len(household))
    final[list(joined)] = [root(h) for h in joined]
    return final[household]
