"""How many persons of each region are of each type of trajectory, as a table of counts."""

from __future__ import annotations

import pandas as pd

from ..study import Study
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
