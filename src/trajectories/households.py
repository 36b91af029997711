"""The type of household of each stay, as far as it follows from the ages of those who settled.

The deposits tell who shares a household and its size, never the link between persons. So « with children » means that
somebody under 18 settled with the household, « adults » that several of age did, « single » one person of age alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .cohort import OF_AGE
from .months import add_months, months_between

HOUSEHOLD_TYPES = (SINGLE, ADULTS, WITH_CHILDREN, UNKNOWN_TYPE) = (
    "single", "adults_without_child", "with_children", "unknown",
)  # fmt: skip


def household_type(stays: pd.DataFrame) -> pd.Series:
    """
    Whether each stay is of a person alone, of adults without a child, or of a household with children.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`: person_id, household_id, establishment_latest, age (years, at that date) and
        household_size are used. All stays of a household have to be in it: a member who is not is not known of.

    Returns
    -------
    Series of str, in the order of `stays`, with its index
        `with_children`: a member known is under 18 at this establishment. `single`: the household is told to be of
        one, or, where no size is told, one member of age is known and nobody else. `adults_without_child`: at least
        two members are known, all of age, and no more are told of. `unknown`: an age is missing, or more members are
        told of than are known (who they are nobody says).

    Notes
    -----
    Children born after the establishment do not count. Members who settled later, or elsewhere, do: a household
    keeps its id when its members part. A person alone who is under 18 is `with_children`.

    Examples
    --------
    >>> stays = pd.DataFrame({
    ...     "person_id": ["a", "b", "c", "d"], "household_id": ["1", "1", "2", "3"], "age": [34.0, 6.0, 28.0, 41.0],
    ...     "establishment_latest": pd.Timestamp("2022-05-01"), "household_size": pd.array([2, 2, 1, 2], "Int64"),
    ... })
    >>> household_type(stays).tolist()
    ['with_children', 'with_children', 'single', 'unknown']
    """
    start = stays["establishment_latest"]
    age = stays["age"].astype(float).to_numpy()
    # the age of each member at each establishment of the household, from a birth taken back from the first age known
    known = pd.DataFrame({
        "household_id": stays["household_id"].to_numpy(), "person_id": stays["person_id"].to_numpy(),
        "born": add_months(start, -np.round(np.nan_to_num(age) * 12)), "aged": ~np.isnan(age),
    })  # fmt: skip
    known["born"] = known["born"].astype("datetime64[ns]").where(known["aged"])
    known = known.sort_values(["person_id", "born"], kind="stable").drop_duplicates("person_id")
    of = pd.DataFrame({"household_id": stays["household_id"].to_numpy(), "start": start.to_numpy()})
    pairs = of.drop_duplicates().merge(known, on="household_id")
    months = months_between(pairs["born"], pairs["start"])
    pairs = pairs.assign(minor=months < 12 * OF_AGE, unaged=np.isnan(months))[~(months < 0)]
    counted = pairs.groupby(["household_id", "start"], dropna=False).agg(
        n=("person_id", "size"), minors=("minor", "sum"), unaged=("unaged", "sum")
    )
    told = stays.groupby("household_id")["household_size"].max()
    each = of.merge(counted.reset_index(), on=["household_id", "start"], how="left")
    n, minors, unaged = (each[name].fillna(0).to_numpy(dtype=float) for name in ("n", "minors", "unaged"))
    size = of["household_id"].map(told).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    complete = (unaged == 0) & ~(size > n) & (n > 0)
    found = np.select([minors > 0, complete & (n == 1), complete], [WITH_CHILDREN, SINGLE, ADULTS], UNKNOWN_TYPE)
    return pd.Series(found, index=stays.index, dtype="object")
