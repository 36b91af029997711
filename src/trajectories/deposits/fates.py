"""What becomes of each row: the first that fits of superseded, quarantined, duplicate, accepted.

A later deposit of the same organisation and quarter replaces the whole earlier one, also inside an annual workbook.
With one deposit date for both, identical content is a duplicate (the first by path stays), else the last by path wins.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from .gathering import Gathered
from .layout import HEADER, RAGGED, TOTAL
from .organisations import Reported


def settle_deposits(gathered: Gathered, reported: Reported) -> tuple[np.ndarray, np.ndarray, list[tuple]]:
    """
    Which rows a later deposit replaces, and which belong to a deposit sent twice.

    Returns
    -------
    replaced_by : ndarray of int, per row
        Position of the file that replaces it; −1 where none does.
    repeated : ndarray of bool, per row
    issues : list of (file position, reason)
    """
    n = len(gathered.sheet)
    replaced_by = np.full(n, -1, dtype=np.int64)
    repeated = np.zeros(n, dtype=bool)
    issues: list[tuple] = []
    rows = pd.DataFrame({
        "file": gathered.file, "organisation": reported.organisation_id, "year": reported.fiscal_year,
        "quarter": reported.quarter, "date": reported.deposit_date, "dated": reported.dated,
    })  # fmt: skip
    rows = rows[rows["year"].notna() & rows["quarter"].notna()]
    keys = ["organisation", "year", "quarter"]
    grouped = rows.groupby([*keys, "file"], sort=True)
    deposits = grouped.agg(date=("date", "max"), dated=("dated", "any")).reset_index()
    members = grouped.indices
    index = rows.index.to_numpy()
    for key, rivals in deposits[deposits.duplicated(keys, keep=False)].groupby(keys, sort=True):
        of_file = {file: index[members[(*key, file)]] for file in rivals["file"]}
        latest = rivals[rivals["date"] == rivals["date"].max()]
        keeper = latest["file"].max()  # files stand in the order of their paths
        same = {keeper}
        if len(latest) > 1:
            digests = {file: _digest(gathered, of_file[file]) for file in latest["file"]}
            same = {file for file in digests if digests[file] == digests[keeper]}
            keeper = min(same)
            if len(same) < len(latest):
                issues.append((keeper, "same_deposit_date"))
        for file, dated in zip(rivals["file"], rivals["dated"], strict=True):
            if file == keeper:
                continue
            if file in same:
                repeated[of_file[file]] = True
            else:
                replaced_by[of_file[file]] = keeper
                if not dated:
                    issues.append((file, "undated_deposit"))
    return replaced_by, repeated, issues


def _digest(gathered: Gathered, rows: np.ndarray) -> bytes:
    """The content of a deposit: all cells of all its rows, in order."""
    content = hashlib.sha256()
    for column in sorted(gathered.codes):
        content.update(gathered.codes[column][rows].tobytes())
    return content.digest()


def exact_duplicates(gathered: Gathered, filled: dict[str, np.ndarray], eligible: np.ndarray) -> np.ndarray:
    """Rows with all cells identical, after fill-down, to an earlier eligible row of the same sheet."""
    codes = {**gathered.codes, **filled}
    with np.errstate(over="ignore"):
        mixed = gathered.sheet.astype(np.uint64) + np.uint64(1)
        for column in sorted(codes):
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + codes[column].astype(np.uint64)
            mixed ^= mixed >> np.uint64(29)
    rows = np.flatnonzero(eligible)
    suspects = rows[pd.Series(mixed[rows]).duplicated(keep=False).to_numpy()]
    # equal numbers only make a suspect: the cells themselves decide
    cells = pd.DataFrame({"sheet": gathered.sheet[suspects], **{c: codes[c][suspects] for c in sorted(codes)}})
    found = np.zeros(len(eligible), dtype=bool)
    found[suspects[cells.duplicated().to_numpy()]] = True
    return found


def quarantine_reasons(gathered: Gathered, any_date: np.ndarray, any_place: np.ndarray) -> np.ndarray:
    """Per row, the code of why it is quarantined, or None (deposit-schema.md, « What quarantines a row »)."""
    nobody = gathered.blank("given_name") & gathered.blank("family_name") & gathered.blank("file_number")
    reasons = np.full(len(gathered.sheet), None, dtype=object)
    reasons[~any_date & ~any_place] = "no_date_no_place"
    reasons[nobody] = "no_identity"
    reasons[gathered.kind == RAGGED] = "ragged"
    reasons[gathered.kind == TOTAL] = "total_row"
    reasons[gathered.kind == HEADER] = "header_row"
    return reasons
