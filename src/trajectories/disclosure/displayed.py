"""Numbers made of displayed numbers alone, which tell nothing that the page does not say already.

Households beside the target, and how good the data behind a page are: shares of what goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..analysis.portrait.settlement import FISCAL_YEAR, targets_of
from ..analysis.quality import level_of
from ..study import Study
from ..tables import PROVINCE
from .tables import Protected

PERSONS = "persons_rounded"
# The table of counts that holds everyone who settled.
STAYS = "stays"


@dataclass(frozen=True)
class Measure:
    """
    One thing that is looked at: the key of a table of counts that went well, and among which others.

    `among`: keys that went wrong; none where everyone who settled is meant, whose others may be hidden. `watch` and
    `mend`: shares of what goes wrong from which on it matters. `whole`: it is known of all deposits together only.
    """

    table: str
    well: str
    among: tuple[str, ...]
    watch: float
    mend: float
    whole: bool = False


MEASURES: dict[str, Measure] = {
    # the bounds of a rate lie as far apart as persons are lost from sight: at three in ten they say little
    "followed": Measure("lost", "followed", (), 0.15, 0.30),
    # a stay that cannot be dated is not in the rate: from one in ten on, rate and counts are of other people
    "dated": Measure("excluded", "kept", ("start_wider_than_3_months", "start_unbounded"), 0.05, 0.10),
    # a municipality that is not recognised leaves a move unseen
    "places": Measure("places", "resolved", ("ambiguous", "area_only", "none"), 0.02, 0.10, whole=True),
    # rows that could not be used; those sent twice or replaced are no fault
    "rows": Measure("rows", "accepted", ("quarantined",), 0.02, 0.10, whole=True),
    # each pair of files that could be one person or two hides a move, or makes one up
    "linked": Measure("links", "linked", ("doubtful",), 0.05, 0.15, whole=True),
}


def quality_shares(counts: Protected) -> pd.DataFrame:
    """
    What goes wrong in the data, by group.

    Parameters
    ----------
    counts : Protected
        What `protected_counts` returned.

    Returns
    -------
    DataFrame
        group, measure (a name of `MEASURES`), share (0–1, to the percent; missing where it may not be told), level
        (analysis/quality.py). What is known of the whole only stands under `province`. A measure without its table has
        no row.

    Examples
    --------
    >>> from trajectories import protect
    >>> told = protect(pd.DataFrame({
    ...     "group": "05", "table": [*["lost"] * 3, "stays"], "key": ["contact", "followed", "silent", "total"],
    ...     "persons": [79, 220, 1, 300], "households": [30, 100, 1, 131]}))
    >>> quality_shares(told).query("measure == 'followed'")["share"].tolist()
    [0.27]
    """
    frame = counts.frame
    rows = []
    for name, measure in MEASURES.items():
        of = frame[frame["table"].isin([measure.table, *([] if measure.among else [STAYS])])]
        of = of[of["group"].eq(PROVINCE)] if measure.whole else of
        for group, cells in of.groupby("group", sort=False):
            if not cells["table"].eq(measure.table).any():
                continue
            found = _share(cells.set_index(["table", "key"])[PERSONS].astype("Float64"), measure)
            level = level_of(found, measure.watch, measure.mend)
            rows.append({"group": group, "measure": name, "share": found, "level": level})
    return pd.DataFrame(rows, columns=["group", "measure", "share", "level"])


def _share(told: pd.Series, measure: Measure) -> float | None:
    """What went wrong, of all; none where a number that it takes is hidden, or nobody is there."""
    keys = [(measure.table, measure.well), *((measure.table, key) for key in measure.among)]
    parts = told.reindex(pd.MultiIndex.from_tuples(keys, names=["table", "key"]))
    there = [key in told.index for key in keys]
    if not there[0] or parts[there].isna().any():
        return None
    whole = parts[there].sum() if measure.among else told.get((STAYS, "total"), pd.NA)
    if pd.isna(whole) or not whole:
        return None
    return round(max(0.0, 1 - float(parts.iloc[0] / whole)), 2)


def beside_targets(counts: Protected, study: Study) -> pd.DataFrame:
    """
    The protected households of each fiscal year beside the target, for a page.

    Parameters
    ----------
    counts : Protected
        What `protect` or `protected_counts` returned, with the table `fiscal_year`.
    study : Study
        For its targets and groups.

    Returns
    -------
    DataFrame
        group, fiscal_year, households_rounded (missing where hidden), target, reached_percent (the rounded number to
        the target, to the nearest 5 %; missing where hidden or without target), shown.

    Examples
    --------
    >>> from trajectories import protect
    >>> counts = protect(pd.DataFrame({"group": "05", "table": "fiscal_year", "key": ["2021-2022", "2022-2023"],
    ...                                "persons": [60, 80], "households": [38, 50]}))
    >>> told = beside_targets(counts, Study(targets={("05", "2022-2023"): 60}))
    >>> told[["fiscal_year", "households_rounded", "target", "reached_percent"]].values.tolist()
    [['2021-2022', 40, <NA>, <NA>], ['2022-2023', 50, 60, 85]]
    """
    frame = counts.frame
    told = frame[frame["table"].eq(FISCAL_YEAR)].rename(columns={"key": "fiscal_year"})
    aimed = {group: targets_of(group, study) for group in told["group"].unique()}
    target = [aimed[group].get(year) for group, year in zip(told["group"], told["fiscal_year"], strict=True)]
    told = told.assign(target=pd.array(target, dtype="Int64"))
    known = told["households_rounded"].notna() & told["target"].gt(0)
    share = told["households_rounded"].astype("Float64") / told["target"].astype("Float64").where(known)
    share = share.to_numpy(dtype=float, na_value=np.nan)
    told["reached_percent"] = pd.array(np.round(share * 20) * 5, dtype="Float64").astype("Int64")
    columns = ["group", "fiscal_year", "households_rounded", "target", "reached_percent", "shown"]
    return told[columns].reset_index(drop=True)
