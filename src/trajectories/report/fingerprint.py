"""What a page was made from, as hashes: the reason to make it again, or to leave it.

A page is made again when its tables, its notebook, the library's source or catalogues, its parameters, or a library
that shapes it have changed. The manifest (`sensitive/manifest.json`) says it for every page by its name in
`shareable/`, and of a page that could not be made, why; it holds no other path, no time and no name of a machine.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..disclosure.ledger import FOLDER as LEDGER
from ..disclosure.ledger import NOTE
from ..fingerprint import PACKAGE, file_hash, fingerprint, opened, sealed, source_hash
from ..folders import replaced
from .protected import FILES

# The libraries whose version can change a page.
SHAPING = (
    "babel", "ipython", "Jinja2", "MarkupSafe", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill",
    "pyarrow",
)  # fmt: skip
VERSION = 2

__all__ = ["common", "file_hash", "fingerprint", "made_from", "read_failures", "read_manifest", "write_manifest"]


def made_from(
    tables: Path, notebook: Path, parameters: Mapping[str, Any], shared: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    Hashes of everything that a page comes from; `parameters` without folders, which change nothing.

    `shared`: what `common` says of the same tables, where several pages are asked at one moment.
    """
    return {
        **(common(tables) if shared is None else shared),
        "notebook": file_hash(notebook),
        "parameters": dict(parameters),
    }


def common(tables: Path) -> dict[str, Any]:
    """What all pages of these tables come from: the tables, the ledger, code, catalogues, the libraries."""
    return {
        **data_of(tables),
        "source": whole_source(without=(".po",)),
        "locale": catalogues(),
        "libraries": libraries(),
    }


def whole_source(*, without: Collection[str] = ()) -> str:
    """The library's source, all of it: pages take constants of rooms that they do not run."""
    names = (path.name for path in PACKAGE.iterdir() if path.name != "__pycache__")
    return source_hash(names, without=without)


def catalogues() -> dict[str, str | None]:
    """The hash of each language's catalogue."""
    return {path.parts[-3]: file_hash(path) for path in sorted((PACKAGE / "report" / "locale").glob("*/*/*.po"))}


def libraries() -> dict[str, str]:
    """The versions of what shapes a page."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in SHAPING}}


def data_of(tables: Path) -> dict[str, Any]:
    """Hashes of the tables, and of what was published before, which decides what may be said beside it."""
    ledger = sorted((tables.parent / LEDGER).glob(f"*/{NOTE}"))
    return {
        "tables": {name: file_hash(tables / name) for name in FILES},
        "ledger": {place.parent.name: file_hash(place) for place in ledger},
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """The pages of earlier runs; none where the manifest is missing, damaged, or of another version."""
    return _part(path, "pages")


def read_failures(path: Path) -> dict[str, Any]:
    """The pages that could not be made, or were withheld: why (`message`), and `made_from`."""
    return _part(path, "failed")


def _part(path: Path, name: str) -> dict[str, Any]:
    try:
        content = opened(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content.get(name, {}) if content and content.get("version") == VERSION else {}


def write_manifest(path: Path, pages: Mapping[str, Any], failed: Mapping[str, Any] | None = None) -> None:
    """Write the manifest whole."""
    content = {"version": VERSION, "pages": dict(pages), "failed": dict(failed or {})}
    with replaced(path) as scratch:
        scratch.write_text(sealed(content), encoding="utf-8")
