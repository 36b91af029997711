"""The kind of migration that each person's course amounts to: primary, secondary, onward, return, circular.

One kind a person and group, the first that fits:

- `circular`: at least two secondary moves, so metropole → region → metropole → region, wherever the regions lie;
- `return`: settled, then went back to the metropole, and (as far as is known) did not settle from it twice;
- `onward`: went from one region to another, or came from one;
- `secondary`: came from the metropole, and none of the above since;
- `primary`: first known en région, and none of the above since.

A move counts for a region if it starts or ends there: one who came to 05 from 01 is `onward` for both. Who left Québec
is told by the exits, not here.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..groups import regions_of, reported_groups
from ..study import REGION_CODES, Study
from ..tables import PROVINCE
from .counting import first_of, tidy_counts
from .settled import stays_of

MIGRATION = "migration"
MIGRATIONS = ("primary", "secondary", "onward", "return", "circular")


def migrations(
    cohort: pd.DataFrame,
    moves: pd.DataFrame,
    *,
    study: Study | None = None,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Persons and households settled in each group, by the kind of migration their course amounts to.

    Parameters
    ----------
    cohort, moves : DataFrame
        The tables of those names.
    study : Study, optional
        Its pathway and groups are used.
    groups : iterable of str, optional
        `province`, region codes, groups of the study; `reported_groups(study)` where not given.

    Returns
    -------
    DataFrame
        group, table (`migration`), key (`MIGRATIONS`), persons, households; each person once a group.

    Examples
    --------
    >>> from trajectories.services.example import example_tables
    >>> cohort, *_ = example_tables()
    >>> moves = pd.DataFrame({"person_id": ["a"], "kind": "return", "origin_region": "05", "destination_region": "06"})
    >>> migrations(cohort, moves, groups=["05"]).query("persons > 0")[["key", "persons"]].values.tolist()
    [['secondary', 1], ['return', 1]]
    """
    study = study or Study()
    stays = stays_of(cohort, study)
    person, labels = pd.factorize(stays["person_id"])
    moved = moves[moves["person_id"].isin(labels)]
    of = pd.Index(labels).get_indexer(moved["person_id"])
    kind = moved["kind"].to_numpy(dtype=object)
    secondary = np.bincount(of[kind == "secondary"], minlength=len(labels))
    found = []
    for group in reported_groups(study) if groups is None else groups:
        regions = REGION_CODES if group == PROVINCE else regions_of(group, study)
        leads = moved["destination_region"].isin(regions).to_numpy() | (group == PROVINCE)
        starts = moved["origin_region"].isin(regions).to_numpy() | (group == PROVINCE)

        def has(chosen: np.ndarray) -> np.ndarray:
            return np.bincount(of[chosen], minlength=len(labels)) > 0

        here = stays if group == PROVINCE else stays[stays["region"].isin(regions)]
        first = first_of(here)
        at = person[first.index]
        rules = [
            (has((kind == "secondary") & leads) & (secondary > 1))[at],
            has((kind == "return") & starts)[at],
            has((kind == "onward") & (leads | starts))[at] | first["pathway"].eq("onward").to_numpy(),
            ~first["pathway"].eq("primary").to_numpy(),
        ]
        key = np.select(rules, ["circular", "return", "onward", "secondary"], "primary")
        counted = first[["person_id", "household_id"]].groupby(key).nunique().reindex(MIGRATIONS, fill_value=0)
        counted = counted.set_axis(["persons", "households"], axis=1).rename_axis("key").reset_index()
        found.append(counted.assign(group=group, table=MIGRATION))
    return tidy_counts(found)
