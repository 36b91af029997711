"""The tables of an analysis as files: parquet to go on from, CSV to look at, and what each column means.

Every column of every table is described here, or the table is not written: `columns.csv` stands beside the files.
They hold exact numbers and pseudonyms, so they belong below `sensitive/`.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import TableError
from ..folders import harmless, replaced

DICTIONARY = "columns.csv"


@functools.cache
def meanings() -> dict[str, Any]:
    """The content of results.toml: `columns` (column → meaning), `tables` (table → row and its own columns)."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def write_results(made: Mapping[str, pd.DataFrame], folder: Path) -> list[str]:
    """
    Write each table as `<name>.parquet` and `<name>.csv`, and the meaning of every column as `columns.csv`.

    Returns
    -------
    list of str
        The names of the files written.

    Raises
    ------
    TableError
        A column without a meaning: all of them at once.
    """
    described = describe(made)
    for name, frame in made.items():
        with replaced(folder / f"{name}.parquet") as scratch:
            frame.to_parquet(scratch, index=False)
        with replaced(folder / f"{name}.csv") as scratch:
            harmless(frame).to_csv(scratch, index=False)
    with replaced(folder / DICTIONARY) as scratch:
        described.to_csv(scratch, index=False)
    return [*(f"{name}.{ending}" for name in made for ending in ("parquet", "csv")), DICTIONARY]


def drop_others(folder: Path, written: Collection[str]) -> None:
    """Remove the tables of an earlier analysis that this one did not make (too few persons): no page may show them."""
    for path in folder.iterdir():
        if path.suffix in (".parquet", ".csv") and path.name not in written:
            path.unlink()


def describe(made: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """
    The data dictionary: table, row (what one row is), column, type, meaning.

    Examples
    --------
    >>> describe({"exits": pd.DataFrame({"group": ["05"], "horizon": [12]})})["column"].tolist()
    ['group', 'horizon']
    """
    known, rows, faults = meanings(), [], []
    for name, frame in made.items():
        table = known["tables"].get(name, {})
        row, own = table.get("row"), table.get("columns", {})
        for column in frame.columns:
            meaning = own.get(column) or known["columns"].get(column)
            if not row or not meaning:
                faults.append(f"{name}.{column}")
            rows.append((name, row, column, str(frame[column].dtype), meaning))
    if faults:
        raise TableError(f"no meaning is written in results.toml for {', '.join(faults)}.")
    return pd.DataFrame(rows, columns=["table", "row", "column", "type", "meaning"])
