"""Indicators of each sequence, and the name that a type gets from them by rule.

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
from numpy.typing import ArrayLike

from ...tables import METROPOLE, OUTSIDE_QUEBEC, REGION, TYPES
from .sequences import OTHER_REGION, check_weights, coded, distinct, run_lengths

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
    departed = away.any(axis=1)
    month = np.where(departed, away.argmax(axis=1), np.nan)
    last = cells[:, -1]
    rule = np.select(
        [
            ~departed,
            last == REGION,
            (last == METROPOLE) & (month < EARLY),
            last == METROPOLE,
            last == OTHER_REGION,
            last == OUTSIDE_QUEBEC,
        ],
        ["stays", "circular", "returns_early", "returns_late", "onward", "leaves_quebec"],
        "unknown",
    )
    return pd.DataFrame({"rule": rule.astype(object), "month": month}, index=sequences.index)


def dominant(members: pd.DataFrame, kind: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """
    The rule that most members of each type come under, and the median month in which these first left.

    Parameters
    ----------
    members : DataFrame
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
    rank = pd.Index([*NAMES, "unknown"]).get_indexer(members["rule"])
    size = np.zeros((int(kind.max()) + 1, len(NAMES) + 1))
    np.add.at(size, (kind, rank), weights)
    most = size.argmax(axis=1)
    months = []
    for number, rule in enumerate(most):
        chosen = (kind == number) & (rank == rule)
        months_left = members["month"].to_numpy()[chosen]
        order = np.argsort(months_left)
        running = np.cumsum(weights[chosen][order])
        months.append(months_left[order][np.searchsorted(running, running[-1] / 2)])
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
    name_series = pd.Series(names, dtype=object)
    number, again = name_series.groupby(name_series).cumcount() + 1, name_series.duplicated(keep=False)
    return [f"{name}_{n}" if twice else name for name, n, twice in zip(names, number, again, strict=True)]


# ----------------------------------------------------------------------------------------------------
# One number a trajectory: how varied, how turbulent, how complex it is; and its runs.
#
# Entropy (Shannon) of the time spent in each state, over its largest value; turbulence (Elzinga and Liefbroer 2007)
# from the number of distinct subsequences of the successive states and the variance of their lengths; complexity
# (Gabadinho et al. 2010), the geometric mean of the share of months with a transition and of entropy. Compared with R
# TraMineR.

INDICATORS = ("entropy", "turbulence", "complexity", "n_transitions")


def indicators(sequences: pd.DataFrame) -> pd.DataFrame:
    """
    Entropy, turbulence, complexity and number of transitions of each sequence.

    Parameters
    ----------
    sequences : DataFrame, persons × months
        State labels, none missing.

    Returns
    -------
    DataFrame
        Index as `sequences`; entropy and complexity in 0–1, turbulence from 1 (one state), n_transitions (changes of
        state).

    Examples
    --------
    >>> indicators(pd.DataFrame([list("RRRR"), list("RRMM")])).round(3).to_numpy().tolist()
    [[0.0, 1.0, 0.0, 0.0], [1.0, 3.0, 0.577, 1.0]]
    """
    them = coded(sequences)
    rows = distinct(them.codes)
    codes, months, size = them.codes[rows.first], them.codes.shape[1], len(them.labels)
    row, begin, length = run_lengths(codes)
    changes = np.bincount(row) - 1
    spent = np.stack([(codes == code).sum(axis=1) for code in range(size)], axis=1) / months
    entropy = -np.sum(spent * np.log(np.where(spent > 0, spent, 1.0)), axis=1) / np.log(max(size, 2))
    entropy = np.abs(entropy)  # −0 where there is one state
    columns = {
        "entropy": entropy,
        "turbulence": _turbulence(codes, row, begin, length),
        "complexity": np.sqrt(changes / max(months - 1, 1) * entropy),
        "n_transitions": changes,
    }
    return pd.DataFrame({name: values[rows.which] for name, values in columns.items()}, index=sequences.index)


def _turbulence(codes: np.ndarray, row: np.ndarray, begin: np.ndarray, length: np.ndarray) -> np.ndarray:
    months, n = codes.shape[1], len(codes)
    spells = np.bincount(row)
    variance = np.bincount(row, length**2) / spells - (months / spells) ** 2
    # the variance if all spells but one lasted a month
    largest = (spells - 1) * (1 - months / spells) ** 2
    position = np.arange(len(row)) - np.searchsorted(row, row)
    states = np.full((n, spells.max()), -1)
    states[row, position] = codes[row, begin]
    return np.log2(_subsequences(states) * (largest + 1) / (np.maximum(variance, 0) + 1))


def _subsequences(states: np.ndarray) -> np.ndarray:
    """Distinct subsequences of each row, the empty one too; −1 pads. φ doubles, less those that ended in that state."""
    phi = np.ones(len(states))
    ended = np.zeros((len(states), states.max() + 1))
    rows = np.arange(len(states))
    for state in states.T:
        on = state >= 0
        before = phi[on]
        phi[on] = 2 * before - ended[rows[on], state[on]]
        ended[rows[on], state[on]] = before
    return phi


def mean_time(sequences: pd.DataFrame, *, weights: ArrayLike | None = None) -> pd.DataFrame:
    """
    Mean number of months in each state.

    Returns
    -------
    DataFrame
        state, months, se (standard deviation / √n, as R's; persons as if independent).

    Examples
    --------
    >>> mean_time(pd.DataFrame([list("RRRM"), list("RMMM")]))[["state", "months"]].to_numpy().tolist()
    [['M', 2.0], ['R', 2.0]]
    """
    them, w = coded(sequences), check_weights(weights, len(sequences))
    spent = np.stack([(them.codes == code).sum(axis=1) for code in range(len(them.labels))], axis=1).astype(float)
    mean = w @ spent / w.sum()
    spread = w @ (spent - mean) ** 2 / max(w.sum() - 1, 1)
    return pd.DataFrame({"state": them.labels, "months": mean, "se": np.sqrt(spread / w.sum())})


def runs(sequences: pd.DataFrame) -> pd.DataFrame:
    """
    Each sequence as its runs.

    Returns
    -------
    DataFrame
        person_id (the index of `sequences`), begin and end (positions of months from 0, both included), months (its
        length), state; in order.

    Examples
    --------
    >>> runs(pd.DataFrame([list("RRM")], index=["p1"])).to_numpy().tolist()
    [['p1', 0, 1, 2, 'R'], ['p1', 2, 2, 1, 'M']]
    """
    them = coded(sequences)
    row, begin, length = run_lengths(them.codes)
    labels = np.array(them.labels, dtype=object)
    return pd.DataFrame(
        {
            "person_id": sequences.index.to_numpy()[row],
            "begin": begin,
            "end": begin + length - 1,
            "months": length,
            "state": labels[them.codes[row, begin]],
        }
    )
