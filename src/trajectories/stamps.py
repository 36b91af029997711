"""Stamps: hashes of the inputs and outputs of a run, by which it is decided whether to make files again.

The files of a run have one `Stamp`: a small file with the hash of all inputs (the origin: tables, settings, code,
libraries, part by part) and of each output file. Files of another origin, changed since, or of an interrupted run are
made again; a damaged stamp counts as none.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .folders import replaced, shown_name

PACKAGE = Path(__file__).parent
_SEAL = "seal"
# Bytes.
LARGEST_DEPOSIT = 2 << 30


def fingerprint(origin: Mapping[str, Any]) -> str:
    """
    One hash of a mapping.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(origin, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sealed(content: Mapping[str, Any]) -> str:
    """
    The content of a stamp as text with a checksum, which `opened` verifies.

    Examples
    --------
    >>> opened(sealed({"n": 1}))
    {'n': 1}
    >>> opened(sealed({"n": 1}).replace("1", "7", 1)) is None
    True
    """
    content = json.loads(json.dumps(content))  # as it will be read back
    return json.dumps({**content, _SEAL: fingerprint(content)}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def opened(text: str | bytes) -> dict[str, Any] | None:
    """The sealed content; None where the text was changed or cut off."""
    try:
        content = json.loads(text)
        seal = content.pop(_SEAL)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return content if seal == fingerprint(content) else None


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none (a pipe or a device is no file)."""
    if not path.is_file():
        return None
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def source_hash(names: Iterable[str], *, without: Collection[str] = ()) -> str:
    """SHA-256 of these folders and files of the library, names and contents; `without` files of these suffixes."""
    files = [path for name in names for path in ((PACKAGE / name).rglob("*") if "." not in name else [PACKAGE / name])]
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in without:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0")
            status = path.stat()
            digest.update(_digest(path, status.st_mtime_ns, status.st_size))
    return digest.hexdigest()


@functools.cache
def _digest(path: Path, *_: int) -> bytes:
    """SHA-256 of one file of the library, cached by its time of change and size."""
    return hashlib.sha256(path.read_bytes()).digest()


def deposit_hash(path: Path) -> str | None:
    """SHA-256 of a deposit; None where it may not be read, and only the size where it is too large to be read."""
    try:
        size = path.stat().st_size
        return file_hash(path) if size <= LARGEST_DEPOSIT else f"{size} bytes"
    except OSError:
        return None  # the build reports it, and goes on


def hashes_below(folder: Path) -> dict[str, str | None]:
    """`deposit_hash` of every file below a folder, by name; none where there is no folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {shown_name(path.relative_to(folder).as_posix()): deposit_hash(path) for path in files}


@dataclass(frozen=True)
class Stamp:
    """
    The record of what the files of a folder were made from.

    Attributes
    ----------
    path : Path
        The stamp itself.
    folder : Path
        Folder of the files.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("one")
    >>> stamp = Stamp(folder / "stamp.json", folder)
    >>> stamp.write({"seed": 1}, ["a.txt"])
    >>> stamp.is_current({"seed": 1}), stamp.is_current({"seed": 2})
    (True, False)
    >>> _ = (folder / "a.txt").write_text("two")
    >>> stamp.is_current({"seed": 1})
    False
    """

    path: Path
    folder: Path

    def read(self) -> dict[str, Any]:
        """`from`, `files`, `origin` and further notes; empty where there is no stamp, or a damaged one."""
        try:
            content = opened(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        return content if content and {"from", "files", "origin"} <= set(content) else {}

    def read_if_of(self, origin: Mapping[str, Any]) -> dict[str, Any]:
        """The content of the stamp where the files were made from that origin; else empty."""
        content = self.read()
        return content if content.get("from") == fingerprint(origin) else {}

    def is_current(self, origin: Mapping[str, Any], *, alone: bool = False) -> bool:
        """Whether every file is unchanged and of that origin; `alone`: and the folder holds no other file."""
        files = self.read_if_of(origin).get("files")
        if files is None:
            return False
        return files == (hashes_below(self.folder) if alone else self._hashes(files))

    def write(self, origin: Mapping[str, Any], files: Iterable[str] | None = None, **notes: Any) -> None:
        """Record the origin and hashes of the files (all of the folder where none are named), and further notes."""
        hashes = hashes_below(self.folder) if files is None else self._hashes(files)
        self.note({**notes, "from": fingerprint(origin), "files": hashes, "origin": origin})

    def _hashes(self, files: Iterable[str]) -> dict[str, str | None]:
        return {name: file_hash(self.folder / name) for name in files}

    def note(self, content: Mapping[str, Any]) -> None:
        """Write the stamp itself."""
        with replaced(self.path) as scratch:
            scratch.write_text(sealed(content), encoding="utf-8")

    def remove(self) -> None:
        """Delete the stamp."""
        self.path.unlink(missing_ok=True)
