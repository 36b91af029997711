"""Folders that hold personal data, and files that are whole or absent.

Personal data lives only in folders that their owner alone can open (0700); a file is written beside its place and
moved into it, so that a run that is killed leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def private_folder(path: Path | str) -> Path:
    """The folder, made if it is missing, closed to everyone but its owner (where the system knows of owners)."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


@contextlib.contextmanager
def replaced(path: Path | str) -> Iterator[Path]:
    """
    A scratch path beside `path`, moved into place when the block ends without an error.

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
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
