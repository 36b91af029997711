"""DuckDB, in memory and without a word: what the comparisons of the linkage run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ..exceptions import LinkageError

# The result is the same on any number: each pair is weighed alone, and pairs are sorted before anything is decided.
THREADS = min(4, os.cpu_count() or 1)
# What DuckDB may hold in memory; the rest is spilled to the scratch folder.
MEMORY = "4GB"


@contextmanager
def connected(scratch: Path | None, threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory; what the engine says of an error may hold values, so its kind alone is passed on."""
    folder = "" if scratch is None else str(scratch)
    try:
        with duckdb.connect() as connection:
            connection.execute(f"SET threads = {threads or THREADS}; SET memory_limit = '{MEMORY}'")
            # In a notebook without ipywidgets even switching the bar off is refused: only where it is on.
            if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
                connection.execute("SET enable_progress_bar = false")
            connection.execute("SET temp_directory = '" + folder.replace("'", "''") + "'")
            yield connection
    except duckdb.Error as error:
        raise LinkageError(type(error).__name__) from None
