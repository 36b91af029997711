"""Folders that hold personal data, and files that are whole or absent.

Personal data lives only in folders that their owner alone can open (0700); a file is written beside its place and
moved into it, so that a run that is killed leaves the old file or the new one, never half of one. What it was writing
keeps a name that says so, with the number of its process, and the next run sweeps it away.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# A spreadsheet takes a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCRATCH = re.compile(r"\..+\.(?P<process>\d+)\.[0-9a-z_]{8}\.tmp(\.ipynb)?")


def private_folder(path: Path | str) -> Path:
    """The folder, made if it is missing, closed to everyone but its owner (where the system knows of owners)."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def scratch_name(name: str) -> str:
    """A name of its own, of this process, for what will be `name`."""
    return f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"


@contextlib.contextmanager
def replaced(path: Path | str, within: Path | str | None = None) -> Iterator[Path]:
    """
    A scratch path beside `path`, moved into place when the block ends without an error.

    `within`: another folder of the same disk for the scratch file, where that of `path` may hold whole files only.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replaced(place) as scratch:
    ...     _ = scratch.write_text("whole")
    >>> place.read_text()
    'whole'
    """
    path = Path(path)
    scratch = Path(within or path.parent) / scratch_name(path.name)
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def sweep(folder: Path | str) -> None:
    """
    Remove, at any depth, what processes that are gone were writing; nothing on a system that cannot tell.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / ".a.txt.999999999.0123abcd.tmp").write_text("ha")
    >>> sweep(folder)
    >>> list(folder.iterdir())
    []
    """
    for path in list(Path(folder).rglob(".*.tmp*")):
        said = _SCRATCH.fullmatch(path.name)
        if said and not is_alive(int(said["process"])):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_alive(process: int) -> bool:
    """Whether a process of this machine runs; True where the system cannot tell."""
    if os.name == "nt":
        return True  # a signal would end it there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """
    The frame, no text of which a spreadsheet takes for a formula.

    Examples
    --------
    >>> import pandas as pd
    >>> harmless(pd.DataFrame({"a": ["=1+1", "x"], "b": [-1, 2]})).to_numpy().tolist()
    [["'=1+1", -1], ['x', 2]]
    """

    def quoted(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell

    text = frame.select_dtypes(["object", "string", "category"])
    return frame.assign(**{name: values.astype("object").map(quoted) for name, values in text.items()})
