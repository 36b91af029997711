"""How many persons of each region are of each type of trajectory, as a table of counts."""

from __future__ import annotations

import pandas as pd

from ..disclosure import Protected
from ..study import Study
from ..tables import PROVINCE
from .counting import counts_by_key

TYPE = "type"


def types_by_place(members: pd.DataFrame, *, study: Study | None = None) -> pd.DataFrame:
    """
    Persons and households of each type, of the province and of each region.

    Parameters
    ----------
    members : DataFrame
        The table of that name of `trajectories.typology.typology`: a row a person.
    study : Study, optional
        Its groups are counted too.

    Returns
    -------
    DataFrame
        group, table (`type`), key (the name of the type), persons, households: of those followed long enough to have
        a type, who are fewer than those who settled.
    """
    named = members[["person_id", "household_id", "region"]].assign(type=members["name"])
    return counts_by_key(named, {TYPE: sorted(named[TYPE].unique())}, study=study)


def types_beside_counts(types: Protected, counts: Protected) -> Protected:
    """
    The table of types without the numbers that the counts of the same types hide.

    Alone the types of the whole may all be told; beside the regions' one of them may have to be hidden, and the table
    of types would tell it.
    """
    told = counts.of(PROVINCE).frame
    told = told[told["table"].eq(TYPE)].set_index("key")["shown"]
    if told.empty:
        return types
    frame = types.frame.copy()
    hidden = ~frame["name"].map(told).fillna(False).astype(bool)
    frame.loc[hidden, ["persons_rounded", "households_rounded"]] = pd.NA
    frame.loc[hidden, "shown"] = False
    if hidden.any():
        # all shares together tell the hidden one
        frame["share_rounded"] = float("nan")
    for shape in ("silhouette", "jaccard"):
        if shape in frame:
            frame[shape] = frame[shape].where(~hidden)
    return Protected(types.kind, frame, types.rules)
