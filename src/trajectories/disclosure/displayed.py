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
    A measure of data quality: the key of a table that counts what went well, and the keys that it is compared with.

    `among`: keys that count what went wrong; none where the rest is everyone else who settled. `watch` and `mend`:
    shares of what goes wrong from which it matters. `whole`: known only of all deposits together.
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
    >>> counts = protect(pd.DataFrame({
    ...     "group": "05", "table": [*["lost"] * 3, "stays"], "key": ["contact", "followed", "silent", "total"],
    ...     "persons": [79, 220, 1, 300], "households": [30, 100, 1, 131]}))
    >>> quality_shares(counts).query("measure == 'followed'")["share"].tolist()
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
            share = _share(cells.set_index(["table", "key"])[PERSONS].astype("Float64"), measure)
            level = level_of(share, measure.watch, measure.mend)
            rows.append({"group": group, "measure": name, "share": share, "level": level})
    return pd.DataFrame(rows, columns=["group", "measure", "share", "level"])


def _share(counts: pd.Series, measure: Measure) -> float | None:
    """The share that went wrong; None where a number that it needs is hidden, or nobody is counted."""
    keys = [(measure.table, measure.well), *((measure.table, key) for key in measure.among)]
    parts = counts.reindex(pd.MultiIndex.from_tuples(keys, names=["table", "key"]))
    there = [key in counts.index for key in keys]
    if not there[0] or parts[there].isna().any():
        return None
    total = parts[there].sum() if measure.among else counts.get((STAYS, "total"), pd.NA)
    if pd.isna(total) or not total:
        return None
    return round(max(0.0, 1 - float(parts.iloc[0] / total)), 2)


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
    >>> beside = beside_targets(counts, Study(targets={("05", "2022-2023"): 60}))
    >>> beside[["fiscal_year", "households_rounded", "target", "reached_percent"]].values.tolist()
    [['2021-2022', 40, <NA>, <NA>], ['2022-2023', 50, 60, 85]]
    """
    frame = counts.frame
    rows = frame[frame["table"].eq(FISCAL_YEAR)].rename(columns={"key": "fiscal_year"})
    aimed = {group: targets_of(group, study) for group in rows["group"].unique()}
    target = [aimed[group].get(year) for group, year in zip(rows["group"], rows["fiscal_year"], strict=True)]
    rows = rows.assign(target=pd.array(target, dtype="Int64"))
    known = rows["households_rounded"].notna() & rows["target"].gt(0)
    share = rows["households_rounded"].astype("Float64") / rows["target"].astype("Float64").where(known)
    share = share.to_numpy(dtype=float, na_value=np.nan)
    rows["reached_percent"] = pd.array(np.round(share * 20) * 5, dtype="Float64").astype("Int64")
    columns = ["group", "fiscal_year", "households_rounded", "target", "reached_percent", "shown"]
    return rows[columns].reset_index(drop=True)
