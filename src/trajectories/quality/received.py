"""What was received: files, quarters, rows. One line an organisation, and one for each quarter that is missing or late.

Rows read = accepted + set aside + replaced + duplicates, over the files that an organisation sent; of every
organisation together, as the table `files` says.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..observations import quarter_ends
from .given import Given

MISSING, LATE = "missing", "late"
# A quarter is late once the next one is over as well: until then nothing of it was known when it would be told.
LATE_AFTER_DAYS = 92
COUNTS = ("n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate")
QUARTERS = ["organisation_id", "fiscal_year", "quarter", "state", "days"]


def organisations(given: Given) -> pd.DataFrame:
    """
    Who reports, by code: what was received of each.

    Returns
    -------
    DataFrame
        organisation_id, name, zone, n_files, n_unreadable, n_read, n_accepted, n_quarantined, n_superseded,
        n_duplicate, n_of_others (accepted rows of its files that name another organisation), n_elsewhere (its rows in
        files that others sent), n_dossiers, first and last (the last day of the first and of the last quarter).
    """
    records, files = given.records, given.files
    owned = files[files["owner"].notna()]
    codes = pd.Index(pd.unique(pd.concat([records["organisation_id"], owned["owner"]], ignore_index=True)))
    found = pd.DataFrame(index=codes.sort_values().rename("organisation_id"))
    by_code = records.groupby("organisation_id")
    found["name"] = _most_typed(records, "organisation")
    found["zone"] = _most_typed(records, "organisation_zone")
    sent = owned.groupby("owner")
    found["n_files"] = sent.size()
    found["n_unreadable"] = owned["status"].eq("unreadable").groupby(owned["owner"]).sum()
    found[list(COUNTS)] = sent[list(COUNTS)].sum()
    own = records["file"].map(files.set_index("file")["owner"])
    away = own.ne(records["organisation_id"])
    found["n_of_others"] = records[away].groupby(own[away]).size()
    found["n_elsewhere"] = records[away].groupby("organisation_id").size()
    found["n_dossiers"] = by_code["dossier"].nunique()
    ends = _told(given).groupby("organisation_id")["end"]
    found["first"], found["last"] = ends.min(), ends.max()
    numbers = [name for name in found if name.startswith("n_")]
    found[numbers] = found[numbers].fillna(0).astype("int64")
    for text in ("name", "zone"):
        found[text] = found[text].astype(object).where(found[text].notna(), None)
    return found.reset_index()


def quarters(given: Given) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The quarters that are missing or late, and how many were expected.

    Expected is every quarter from the organisation's first to the last that anybody deposited.

    Returns
    -------
    found : DataFrame
        organisation_id, fiscal_year, quarter, state (missing, late), days (from the quarter's end to the first
        deposit), in order.
    expected : DataFrame
        organisation_id, n (missing or late), of (expected).
    """
    told = _told(given)
    if told.empty:
        return pd.DataFrame(columns=QUARTERS), pd.DataFrame(columns=["organisation_id", "n", "of"])
    first = told.groupby("organisation_id")["end"].min()
    every = pd.date_range(told["end"].min(), told["end"].max(), freq="QE")
    grid = pd.MultiIndex.from_product([first.index, every], names=["organisation_id", "end"]).to_frame(index=False)
    grid = grid[grid["end"] >= grid["organisation_id"].map(first)]
    grid = grid.merge(told, on=["organisation_id", "end"], how="left", indicator=True)
    grid["days"] = (grid["received"] - grid["end"]).dt.days
    grid["state"] = np.select([grid["_merge"].eq("left_only"), grid["days"] > LATE_AFTER_DAYS], [MISSING, LATE], "")
    wrong = grid["state"].ne("")
    expected = wrong.groupby(grid["organisation_id"]).agg(n="sum", of="size").reset_index()
    named = {end: fiscal_quarter(end) for end in every}
    grid["fiscal_year"] = [named[end][0] for end in grid["end"]]
    grid["quarter"] = [named[end][1] for end in grid["end"]]
    return grid.loc[wrong, QUARTERS].reset_index(drop=True), expected


def fiscal_quarter(end: pd.Timestamp) -> tuple[str, int]:
    """
    The fiscal year and quarter that a day is of.

    Examples
    --------
    >>> fiscal_quarter(pd.Timestamp("2022-03-31")), fiscal_quarter(pd.Timestamp("2022-06-30"))
    (('2021-2022', 4), ('2022-2023', 1))
    """
    shifted = end - pd.DateOffset(months=3)
    return f"{shifted.year}-{shifted.year + 1}", shifted.quarter


def _told(given: Given) -> pd.DataFrame:
    """Each organisation's quarters of which something was received: their last day, and when the first deposit came."""
    files = given.files.rename(columns={"owner": "organisation_id"})
    files = files[files["organisation_id"].notna() & files["status"].ne("unreadable")]
    columns = ["organisation_id", "fiscal_year", "quarter", "deposit_date"]
    rows = given.records[columns].drop_duplicates()
    rows = pd.concat([rows, files[columns]], ignore_index=True)
    rows = rows.assign(end=quarter_ends(rows)).dropna(subset=["end"])
    # a year that is typed wrong would make everybody's next hundred quarters missing
    rows = rows[rows["end"] <= given.cutoff + pd.offsets.QuarterEnd(0)]
    return rows.groupby(["organisation_id", "end"], sort=True)["deposit_date"].min().rename("received").reset_index()


def _most_typed(records: pd.DataFrame, column: str) -> pd.Series:
    """The value that most rows of an organisation have; the first in order of two."""
    counts = records.groupby(["organisation_id", column], sort=True).size().reset_index(name="n")
    most = counts.sort_values("n", ascending=False, kind="stable").drop_duplicates("organisation_id")
    return most.set_index("organisation_id")[column]
