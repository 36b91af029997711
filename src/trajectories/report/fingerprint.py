"""What a page was made from, as hashes: the reason to make it again, or to leave it.

A page is made again when its tables, its notebook, the library's source, its parameters, or a library that shapes it
have changed. The manifest (`sensitive/manifest.json`) says it for every page by its name in
`shareable/`; it holds no other path, no time and no name of
a machine.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..disclosure.ledger import FOLDER as LEDGER
from ..disclosure.ledger import NOTE
from ..fingerprint import file_hash, fingerprint, source_hash
from ..folders import replaced
from .inputs import FILES

# The libraries whose version can change a page.
SHAPING = (
    "babel", "ipython", "Jinja2", "MarkupSafe", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill",
    "pyarrow",
)  # fmt: skip
# The library's files that a report notebook imports; what others change shows in the tables.
SOURCES = (
    "disclosure", "portrait", "quality", "report", "services", "typology", "exceptions.py", "folders.py", "study.py",
    "tables.py",
)  # fmt: skip
VERSION = 2

__all__ = ["file_hash", "fingerprint", "made_from", "read_manifest", "write_manifest"]


def made_from(tables: Path, notebook: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hashes of everything that a page comes from; `parameters` without folders, which change nothing."""
    return {
        **data_of(tables),
        "notebook": file_hash(notebook),
        "source": source_hash(SOURCES),
        "parameters": dict(parameters),
        "libraries": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in SHAPING},
        },
    }


def data_of(tables: Path) -> dict[str, Any]:
    """Hashes of the tables, and of what was published before, which decides what may be said beside it."""
    ledger = sorted((tables.parent / LEDGER).glob(f"*/{NOTE}"))
    return {
        "tables": {name: file_hash(tables / name) for name in FILES},
        "ledger": {place.parent.name: file_hash(place) for place in ledger},
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """The pages of earlier runs; none where the manifest is missing, damaged, or of another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content["pages"] if content["version"] == VERSION else {}
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return {}


def write_manifest(path: Path, pages: Mapping[str, Any]) -> None:
    """Write the manifest whole."""
    with replaced(path) as scratch:
        text = json.dumps({"version": VERSION, "pages": dict(pages)}, indent=1, sort_keys=True, ensure_ascii=False)
        scratch.write_text(text + "\n", encoding="utf-8")
