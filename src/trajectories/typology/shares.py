"""How large each type is: in the province, in each region, in each group of the study.

Standard errors are clustered on households (linearised for a ratio), the types being taken as given; what their own
uncertainty is, the stability says. Limits are of the logit (Wilson's idea): never outside 0–1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..study import Study
from ..survival.checks import NORMAL_975
from ..tables import PROVINCE

COLUMNS = (
    "measure", "group", "type", "name", "method", "estimate", "se", "lower", "upper", "n_start", "n_households",
)  # fmt: skip


def shares_of(members: pd.DataFrame, study: Study) -> pd.DataFrame:
    """
    The share of each type in each group.

    Parameters
    ----------
    members : DataFrame
        The table of that name: household_id, region, type, name, weight.
    study : Study
        For the groups it names.

    Returns
    -------
    DataFrame
        measure (`type_share`), group, type, name, method (`as_heard_of`), estimate, se, lower, upper (95 %), n_start
        (persons), n_households. Every type has a row in every group, whoever is in it; limits of a share of 0 or 1 are
        not estimated.
    """
    names = members.drop_duplicates("type").set_index("type")["name"].sort_index()
    found = [
        _group(rows, group, names)
        for group, chosen in groups_of(members["region"], study).items()
        if len(rows := members[chosen])
    ]
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


def groups_of(region: pd.Series, study: Study) -> dict[str, np.ndarray]:
    """Who is in each group: everyone, each region met, each group of the study."""
    chosen = {PROVINCE: np.ones(len(region), dtype=bool)}
    chosen |= {code: region.eq(code).to_numpy() for code in sorted(region.dropna().unique())}
    return chosen | {name: region.isin(codes).to_numpy() for name, codes in study.groups.items()}


def _group(rows: pd.DataFrame, group: str, names: pd.Series) -> pd.DataFrame:
    marks = rows["type"].to_numpy()[:, None] == names.index.to_numpy()
    estimate, se = clustered_shares(marks, rows["weight"].to_numpy(), rows["household_id"])
    lower, upper = logit_limits(estimate, se)
    return pd.DataFrame({
        "measure": "type_share", "group": group, "type": names.index, "name": names.to_numpy(),
        "method": "as_heard_of", "estimate": estimate, "se": se, "lower": lower, "upper": upper, "n_start": len(rows),
        "n_households": rows["household_id"].nunique(),
    })  # fmt: skip


def clustered_shares(marks: np.ndarray, weight: np.ndarray, household) -> tuple[np.ndarray, np.ndarray]:
    """
    Weighted shares of each column of marks, and their standard errors with households as clusters.

    Examples
    --------
    >>> [v.round(3).tolist() for v in clustered_shares(np.array([[1], [0], [1], [0]]), np.ones(4), list("aabb"))]
    [[0.5], [0.0]]
    """
    whole = weight.sum()
    share = weight @ marks / whole
    which, households = pd.factorize(np.asarray(household, dtype=object))
    sums = np.zeros((len(households), marks.shape[1]))
    np.add.at(sums, which, weight[:, None] * (marks - share))
    return share, np.sqrt((sums**2).sum(axis=0)) / whole


def logit_limits(estimate: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits on the logit scale; NaN where the share is 0 or 1."""
    inside = (estimate > 0) & (estimate < 1)
    p = np.where(inside, estimate, 0.5)
    centre, half = np.log(p / (1 - p)), NORMAL_975 * se / (p * (1 - p))
    return tuple(np.where(inside, 1 / (1 + np.exp(-(centre + sign * half))), np.nan) for sign in (-1, 1))
