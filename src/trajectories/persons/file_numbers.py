"""Whose a file number is: one person's, as the form means it, or several persons' who share it.

Some organisations give a number to a household. Rows under one number that say persons apart, by given names that are
not alike and birth dates that no slip explains, are of several persons; how often that happens at an organisation says
whether its numbers are those of households, and then one of the two signs is enough. A row that says too little goes to
whom its birth date points at, else to the first row's person.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd

from .components import connected_components

# From this share of an organisation's numbers on (of those on several rows), its numbers are those of households.
SHARED = 0.1
# More persons than live together: the number is a word for « none ».
MOST_NAMES = 20
# What the organisation's habit is drawn towards: so many numbers of one person.
FEW = 10

# `alike`: given names that may be one. `born`: 3 alike, 2 but for a slip (one part differs, day and month exchanged) or
# for the day, 1 a year apart where the year is all there is (worked out from an age), 0 apart, −1 not told.
_PAIRS = """
SELECT l.profile AS left, r.profile AS right, l.number,
    coalesce(CASE
        WHEN l.given IS NULL OR r.given IS NULL THEN NULL
        WHEN l.initials OR r.initials THEN l.given[1] = r.given[1]
        ELSE alike(l.given, r.given, l.given_sounds, r.given_sounds)
             OR (alike(l.given, r.family, l.given_sounds, r.family_sounds)
                 AND alike(l.family, r.given, l.family_sounds, r.given_sounds)) END::INT, -1) AS alike,
    coalesce(alike(l.family, r.family, l.family_sounds, r.family_sounds), false) AS family,
    CASE
        WHEN l.birth_year IS NULL OR r.birth_year IS NULL THEN -1
        WHEN l.birth = r.birth OR (l.birth_vague AND r.birth_vague AND l.birth_year = r.birth_year) THEN 3
        WHEN l.birth_vague OR r.birth_vague
            THEN 2 - least(2, abs(CAST(l.birth_year AS INT) - CAST(r.birth_year AS INT)))
        ELSE 2 * (coalesce(l.birth = r.birth_swapped, false) OR one_part_differs(l.birth, r.birth))::INT END AS born,
    coalesce(l.birth = r.birth, false) AS same_day,
    coalesce(l.sex <> r.sex, false) AS sexes
FROM profiles l JOIN profiles r ON l.number = r.number AND l.profile < r.profile
"""


def persons_of_numbers(profiles: pd.DataFrame, connection: duckdb.DuckDBPyConnection) -> np.ndarray:
    """
    The part of its number that each profile belongs to.

    Parameters
    ----------
    profiles : DataFrame
        One row for each way in which a number of an organisation is typed: profile (0, 1 …, in order of the first row
        of each), number (code of organisation and file number, −1 where there is none), organisation (code), rows,
        and names, birth and sex as in `Identities.table`.
    connection : DuckDBPyConnection
        With the macros of comparisons.py and the table `profiles`.

    Returns
    -------
    ndarray of int64, shape (n_profiles,)
        The first profile of those that are of the same person; a profile without a number stands alone.
    """
    pairs = connection.execute(f"{_PAIRS} WHERE l.number >= 0 ORDER BY l.profile, r.profile").df()
    number = profiles["number"].to_numpy()
    apart, doubtful = _signs(pairs)
    habit = _households(profiles, pairs, apart | doubtful)
    shared = np.zeros(number.max(initial=0) + 1, dtype=bool)
    shared[pairs["number"][apart | (doubtful & habit[pairs["number"]])]] = True
    alone = np.where(number < 0, True, shared[number])
    part = _first_of(np.where(alone, -1 - np.arange(len(number)), number))
    inside = pairs[shared[pairs["number"]]]
    return _parted(part, profiles, inside) if len(inside) else part


def _signs(pairs: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Pairs that are two persons by names and births, and those of which one says so."""
    names, births = pairs["alike"].eq(0), pairs["born"].eq(0)
    return names & births, births | (names & (~pairs["same_day"] | pairs["sexes"]))


def _households(profiles: pd.DataFrame, pairs: pd.DataFrame, sign: pd.Series) -> np.ndarray:
    """For each number, whether its organisation's numbers are those of households."""
    found = (
        profiles[profiles["number"] >= 0]
        .groupby("number")
        .agg(organisation=("organisation", "first"), rows=("rows", "sum"))
    )
    found["several"] = (found["rows"] > 1).astype(float)
    found["sign"] = found.index.isin(pairs["number"][sign])
    of = found.groupby("organisation")[["several", "sign"]].transform("sum")
    return (of["sign"] / (of["several"] + FEW)).gt(SHARED).to_numpy()


def _parted(part: np.ndarray, profiles: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """The shared numbers, parted: given names that are alike, then birth dates, then the others by what they say."""
    n = len(part)
    named = (profiles["given"].notna() & ~profiles["initials"]).to_numpy()
    dated = ~named & profiles["birth_year"].notna().to_numpy()
    blank = ~named & ~dated
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    names, births = pairs["alike"].to_numpy(), pairs["born"].to_numpy()
    one = named[left] & named[right] & (names == 1) & (births != 0)
    core = connected_components(left[one], right[one], n)
    both_ways = pd.concat([pairs, pairs.rename(columns={"left": "right", "right": "left"})], ignore_index=True)
    core, found = _to_the_likeliest(core, both_ways, dated, named)
    rest = dated & ~found
    like = (births >= 2) & (names != 0) & (pairs["family"] | pairs["same_day"]).to_numpy()
    one = rest[left] & rest[right] & like & ~pairs["sexes"].to_numpy()
    core = np.where(rest, connected_components(left[one], right[one], n), core)
    core, found = _to_the_likeliest(core, both_ways, blank, ~blank)
    # who says nothing at all is the first row's person
    number = profiles["number"].to_numpy()
    inside = np.isin(number, pairs["number"].unique())
    first = np.full(number.max() + 1, n)
    np.minimum.at(first, number[inside], core[inside])
    rest = inside & blank & ~found
    core[rest] = first[number[rest]]
    return np.where(inside, core, part)


def _to_the_likeliest(
    core: np.ndarray, pairs: pd.DataFrame, who: np.ndarray, whom: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each profile of `who` with whom of `whom` fits best, the first of them as good; and which fit anybody."""
    said = pairs[who[pairs["left"]] & whom[pairs["right"]] & pairs["born"].ne(0) & pairs["alike"].ne(0)]
    score = 4 * said["born"] + 2 * said["alike"].eq(1) + said["family"] + said["same_day"] - 3 * said["sexes"]
    said = said.assign(score=score).sort_values(["left", "score", "right"], ascending=[True, False, True])
    best = said.drop_duplicates("left")
    core = core.copy()
    core[best["left"]] = core[best["right"]]
    found = np.zeros(len(core), dtype=bool)
    found[best["left"]] = True
    return core, found


def _first_of(codes: np.ndarray) -> np.ndarray:
    """The first position of each code."""
    _, first, of = np.unique(codes, return_index=True, return_inverse=True)
    return first[of].astype(np.int64)
