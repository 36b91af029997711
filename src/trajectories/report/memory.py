"""What an earlier run left in a folder, and from what: the reason not to make it again.

One file remembers the hash of all that the files of a folder came from, and the hash of each. A file that is damaged,
or of another origin, remembers nothing.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..fingerprint import fingerprint, hashes_below, opened, sealed
from ..folders import replaced
from . import fingerprint as origins

# Shape files and read deposits, beside what shapes a page.
MORE_LIBRARIES = ("openpyxl", "python-calamine", "XlsxWriter")


def all_libraries() -> dict[str, str]:
    """The versions of what shapes pages and files."""
    return {**origins.libraries(), **{name: importlib.metadata.version(name) for name in MORE_LIBRARIES}}


class Memory:
    """
    What an earlier run left in a folder, if it was made from the same; nothing otherwise.

    Parameters
    ----------
    path : path
        The file that remembers.
    origin : mapping
        What it would be made from now.
    folder : path
        Where the files stand.
    ignore : bool
        Take nothing for done; what is done now is remembered all the same.
    """

    def __init__(self, path: Path, origin: Mapping[str, Any], folder: Path, *, ignore: bool = False):
        self.path, self.folder = path, folder
        self._from = fingerprint(origin)
        self.kept = {} if ignore else self._read()

    def _read(self) -> dict[str, Any]:
        try:
            kept = opened(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        return kept if kept and kept.get("from") == self._from and "files" in kept else {}

    def hashes(self) -> dict[str, str | None]:
        """The files as they are now."""
        return hashes_below(self.folder)

    def is_same(self) -> bool:
        """Whether every file is there as it was, and no other."""
        return bool(self.kept) and self.kept["files"] == self.hashes()

    def write(self, **content: Any) -> None:
        """Remember the files as they are now."""
        said = {"from": self._from, "files": self.hashes(), **content}
        with replaced(self.path) as scratch:
            scratch.write_text(sealed(said), encoding="utf-8")

    def forget(self) -> None:
        """Something was not well."""
        self.path.unlink(missing_ok=True)
