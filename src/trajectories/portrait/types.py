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

    Examples
    --------
    >>> members = pd.DataFrame({"person_id": ["a", "b", "c"], "household_id": ["A", "A", "C"], "region": "05",
    ...                         "name": ["stays", "stays", "returns_early"]})
    >>> table = types_by_place(members).query("group == '05'")
    >>> table[["table", "key", "persons", "households"]].values.tolist()
    [['type', 'returns_early', 1, 1], ['type', 'stays', 2, 1]]
    """
    named = members[["person_id", "household_id", "region"]].assign(type=members["name"])
    return counts_by_key(named, {TYPE: sorted(named[TYPE].unique())}, study=study)


def types_beside_counts(types: Protected, counts: Protected) -> Protected:
    """
    The table of types without the numbers that the counts of the same types hide.

    Alone the types of the whole may all be told; beside the regions' one of them may have to be hidden, and the table
    of types would tell it.

    Examples
    --------
    >>> from trajectories import protect
    >>> named = pd.DataFrame({"type": [1, 2, 3], "name": ["stays", "circular", "onward"]})
    >>> types = protect(named.assign(n_persons=[140, 60, 17], n_households=[70, 30, 8], share=[0.65, 0.27, 0.08]))
    >>> counts = protect(pd.DataFrame({
    ...     "group": ["province"] * 3 + ["03"] * 3 + ["05"] * 3, "table": "type", "key": [*named["name"]] * 3,
    ...     "persons": [140, 60, 17, 80, 30, 13, 60, 30, 4], "households": [70, 30, 8, 40, 15, 6, 30, 15, 2]}))
    >>> types.frame["shown"].tolist(), types_beside_counts(types, counts).frame["shown"].tolist()
    ([True, True, True], [True, False, False])
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
