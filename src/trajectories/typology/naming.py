"""What a type is called: the rule that most of its members come under, by where they end and when they first left.

| code | rule |
|---|---|
| `stays` | always in the region of establishment |
| `returns_early` | in the metropole at the end, left the region within its first 12 months |
| `returns_late` | in the metropole at the end, left the region later |
| `onward` | in another region at the end |
| `leaves_quebec` | outside Québec at the end |
| `circular` | left the region, and is back in it at the end |

Two types may come under one rule (an onward move in the first year, another in the third): the median month of leaving
is then part of the name, `onward_month_7`, and a number where that is the same too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION, TYPES
from .states import OTHER_REGION

NAMES = TYPES
# Leaving within the first year is early: the first twelve months are what the follow-up and the reports look at first.
EARLY = 12


def rules(sequences: pd.DataFrame) -> pd.DataFrame:
    """
    The rule that each sequence comes under.

    Returns
    -------
    DataFrame
        Index as `sequences`; rule (a code of `NAMES`), month (that of the first departure from the region; NaN).

    Examples
    --------
    >>> there, gone = ["region"] * 3, ["metropole"] * 3
    >>> rules(pd.DataFrame([there + there, there + gone])).to_numpy().tolist()
    [['stays', nan], ['returns_early', 3.0]]
    """
    cells = sequences.to_numpy(dtype=object)
    away = cells != REGION
    left = away.any(axis=1)
    month = np.where(left, away.argmax(axis=1), np.nan)
    last = cells[:, -1]
    rule = np.select(
        [~left, last == REGION, (last == METROPOLE) & (month < EARLY), last == METROPOLE, last == OTHER_REGION,
         last == OUTSIDE_QUEBEC],
        ["stays", "circular", "returns_early", "returns_late", "onward", "leaves_quebec"], "unknown",
    )  # fmt: skip
    return pd.DataFrame({"rule": rule.astype(object), "month": month}, index=sequences.index)


def dominant(own: pd.DataFrame, kind: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """
    The rule that most members of each type come under, and the median month in which these first left.

    Parameters
    ----------
    own : DataFrame
        What `rules` says of each member.
    kind : ndarray of int
        The type of each, from 0.
    weights : ndarray
        How many persons each stands for.

    Returns
    -------
    DataFrame
        A row a type: rule (among equals the first of `NAMES`), month (weighted median, NaN where they never left).
    """
    rank = pd.Index([*NAMES, "unknown"]).get_indexer(own["rule"])
    size = np.zeros((int(kind.max()) + 1, len(NAMES) + 1))
    np.add.at(size, (kind, rank), weights)
    most = size.argmax(axis=1)
    months = []
    for number, rule in enumerate(most):
        chosen = (kind == number) & (rank == rule)
        left = own["month"].to_numpy()[chosen]
        order = np.argsort(left)
        running = np.cumsum(weights[chosen][order])
        months.append(left[order][np.searchsorted(running, running[-1] / 2)])
    return pd.DataFrame({"rule": np.array([*NAMES, "unknown"], dtype=object)[most], "month": months})


def unique_names(named: pd.DataFrame) -> list[str]:
    """
    A name for each row of `rules`, unique among them.

    Examples
    --------
    >>> unique_names(pd.DataFrame({"rule": ["onward", "stays", "onward"], "month": [7.0, np.nan, 20.0]}))
    ['onward_month_7', 'stays', 'onward_month_20']
    """
    shared = named["rule"].duplicated(keep=False).to_numpy()
    names = [
        f"{rule}_month_{month:.0f}" if twice and not np.isnan(month) else str(rule)
        for rule, month, twice in zip(named["rule"], named["month"], shared, strict=True)
    ]
    seen = pd.Series(names, dtype=object)
    number, again = seen.groupby(seen).cumcount() + 1, seen.duplicated(keep=False)
    return [f"{name}_{n}" if twice else name for name, n, twice in zip(names, number, again, strict=True)]
