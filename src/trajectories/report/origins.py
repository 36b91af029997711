"""What pages and the files around them come from, as hashes: tables, ledger, code, catalogues, libraries."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..disclosure.ledger import FOLDER as LEDGER
from ..disclosure.ledger import NOTE
from ..provenance import versions
from ..stamps import PACKAGE, file_hash, source_hash
from .protected import FILES

# The libraries whose version can change a page.
SHAPING = (
    "babel", "ipython", "Jinja2", "MarkupSafe", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill",
    "pyarrow",
)  # fmt: skip
# Beside them, what shapes files and reads deposits.
SHAPING_FILES = (*SHAPING, "openpyxl", "python-calamine", "XlsxWriter")


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


def libraries(names: Iterable[str] = SHAPING) -> dict[str, str]:
    """The versions of what shapes a page, or a file."""
    return {"python": platform.python_version(), **versions(names)}


def data_of(tables: Path) -> dict[str, Any]:
    """Hashes of the tables, and of what was published before, which decides what may be said beside it."""
    ledger = sorted((tables.parent / LEDGER).glob(f"*/{NOTE}"))
    return {
        "tables": {name: file_hash(tables / name) for name in FILES},
        "ledger": {place.parent.name: file_hash(place) for place in ledger},
    }
