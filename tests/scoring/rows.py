"""Rows and cells, against the truth: what became of each row, which places and statuses were read right."""

from __future__ import annotations

import pandas as pd

from .links import ROW, known_rows

# Forms of a typed place from which its municipality can be known, whatever it takes.
DETERMINABLE = ("exact", "variant", "slip", "alias", "qualified")
_COUNTS = ["n_accepted", "n_quarantined", "n_superseded", "n_duplicate"]


def row_scores(truth, deposits) -> dict[str, float]:
    """
    The accounting of files and the fates of rows.

    ``accounting_exact``: files whose counts add up and are those of the tables. ``fates_right``: rows accepted,
    quarantined, superseded or dropped as duplicates as the contract says. ``rows_lost``: rows of which no table and no
    count knows.
    """
    tables = {"accepted": deposits.records, "quarantined": deposits.quarantine, "superseded": deposits.superseded}
    said = pd.concat([frame[ROW].drop_duplicates().assign(said=fate) for fate, frame in tables.items()])
    files = deposits.files.set_index("file")
    listed = said.groupby(["file", "said"]).size().unstack(fill_value=0).reindex(files.index, fill_value=0)
    equal = files["n_read"].fillna(0).eq(files[_COUNTS].fillna(0).sum(axis=1))
    for fate, column in zip(tables, _COUNTS, strict=False):
        equal &= files[column].fillna(0).eq(listed.get(fate, 0))
    rows = truth.rows.merge(said.drop_duplicates(ROW), on=ROW, how="left")
    dropped = rows[rows["said"].isna()].groupby("file").size()
    counted = files["n_duplicate"].fillna(0).reindex(dropped.index, fill_value=0)
    return {
        "accounting_exact": float(equal.mean()),
        "fates_right": float(rows["said"].fillna("duplicate").eq(rows["fate"]).mean()),
        "rows_lost": float((dropped - counted).clip(lower=0).sum()),
    }


def cell_scores(truth, records: pd.DataFrame) -> dict[str, float]:
    """
    Places and statuses, of the accepted rows.

    ``places_right``, ``places_wrong``: of the cells that do determine a municipality, those read as it, and as another.
    ``statuses_right``, ``statuses_wrong``: of the cells of status.
    """
    columns = ["record_id", "residence_code", "destination_code", "exit_destination_code", "follow_up_status"]
    rows = known_rows(truth, records).merge(records[columns], on="record_id", suffixes=("", "_said"))
    left = rows["kind"].eq("departure") | rows["status"].eq("left")
    target = rows["destination_code_said"].mask(left, rows["exit_destination_code"])
    cells = pd.concat([
        pd.DataFrame({"true": rows["residence_code"], "said": rows["residence_code_said"],
                      "form": rows["residence_form"]}),
        pd.DataFrame({"true": rows["destination_code"], "said": target, "form": rows["destination_form"]}),
    ])  # fmt: skip
    cells = cells[cells["form"].isin(DETERMINABLE) & cells["true"].ne("")]
    right = cells["said"].eq(cells["true"]).astype(float)
    status = rows[rows["status"].ne("")]
    same = status["follow_up_status"].eq(status["status"]).astype(float)
    return {
        "places_right": float(right.mean()),
        "places_wrong": float((cells["said"].notna() & (right == 0)).mean()),
        "statuses_right": float(same.mean()),
        "statuses_wrong": float((status["follow_up_status"].notna() & (same == 0)).mean()),
    }
