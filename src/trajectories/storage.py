"""A folder that every process of a run sees, named by an fsspec URL: what passes between them, whole or absent.

`file:///…` is a folder that all machines mount, or that of one machine; `s3://…`, `abfs://…` and the others are those
of fsspec, each with its own package. Names are flat, and what is written twice under one name is the same both times
(a task that is done again): no process reads what another has not told it is there.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .folders import private_folder

if TYPE_CHECKING:
    import pyarrow as pa

LOCAL = "file"


@dataclass(frozen=True)
class Storage:
    """
    A folder of a run.

    Attributes
    ----------
    url : str
        Where it is: `file:///srv/shared/run-1`, `s3://bucket/run-1` …
    """

    url: str

    @classmethod
    def at(cls, folder: Path) -> Storage:
        """A folder of this machine, by its name as it is: fsspec takes what a URL would escape for another name."""
        return cls(f"{LOCAL}://{folder.absolute().as_posix()}")

    def check(self) -> None:
        """Refuse a URL that nothing here can read (raises ImportError or ValueError)."""
        self._place("")

    def make(self) -> Storage:
        """The folder itself, there and open to its owner alone; on a store without folders nothing is to be done."""
        fs, at = self._place("")
        if LOCAL in fs.protocol:
            private_folder(at)
        return self

    def below(self, name: str) -> Storage:
        """A folder in this one."""
        return Storage(f"{self.url.rstrip('/')}/{name}")

    def put(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        fs, at = self._place(name)
        scratch = f"{at}.{secrets.token_hex(4)}.tmp"
        fs.pipe_file(scratch, content)
        fs.mv(scratch, at)

    def get(self, name: str) -> bytes:
        """The content of a file."""
        fs, at = self._place(name)
        return fs.cat_file(at)

    def save(self, name: str, table: pd.DataFrame | pa.Table) -> str:
        """Write a table as parquet; its name, for whoever is to read it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        made = pa.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else table
        buffer = io.BytesIO()
        pq.write_table(made, buffer)
        self.put(name, buffer.getvalue())
        return name

    def load(self, names: Iterable[str]) -> pa.Table:
        """The tables of some names, one under the other."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        read = [pq.read_table(io.BytesIO(self.get(name))) for name in names]
        # a column that is missing on every row of a part has no type there
        return pa.concat_tables(read, promote_options="permissive")

    def remove(self) -> None:
        """Take away the folder and all that is in it."""
        fs, at = self._place("")
        if fs.exists(at):
            fs.rm(at, recursive=True)

    def _place(self, name: str):
        from fsspec.core import url_to_fs

        return url_to_fs(f"{self.url.rstrip('/')}/{name}" if name else self.url)
