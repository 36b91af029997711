"""All that pages and files may say: the protected tables of an analysis, made once for all processes that need them.

To protect every table takes seconds. The process that asks for pages writes what it made to `sensitive/protected/`; the
others read it there. It is taken only where the tables, the ledger, the rules, the code and the libraries are those
that it was made from, and every file is as it was written; else the tables are protected again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from pathlib import Path
from typing import Any

import pandas as pd

from ..disclosure import Protected
from ..disclosure.ledger import FOLDER as LEDGER
from ..folders import private_folder
from ..stamps import Stamp
from ..study import Disclosure
from . import origins
from .protected import FILES, AllProtected, protect_tables

FOLDER = "protected"


def shown_tables(tables: str | Path, *, rules: Disclosure, support: int) -> dict[str, Protected]:
    """Every protected table of an analysis by the name of `NEEDED` or `MORE`."""
    kept, more, _ = all_protected(tables, rules=rules, support=support)
    return {**kept, **more}


def all_protected(tables: str | Path, *, rules: Disclosure, support: int) -> AllProtected:
    """The tables of `NEEDED`, of `MORE`, and the groups whose services contradict the estimate; once a process."""
    return _with_origin(tables, rules, support)[0]


def _with_origin(tables: str | Path, rules: Disclosure, support: int) -> tuple[AllProtected, dict[str, Any]]:
    """The protected tables, and what they were made from; hashed once a process, as long as no file changes."""
    folder = Path(tables)
    files = [*(folder / name for name in FILES), *(folder.parent / LEDGER).glob("*/*")]
    as_they_are = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
    return _all_protected(folder, rules, support, as_they_are)


@functools.lru_cache(maxsize=1)
def _all_protected(
    folder: Path, rules: Disclosure, support: int, _: tuple
) -> tuple[AllProtected, dict[str, Any]]:  # fmt: skip
    origin = _origin(folder, rules, support)
    found = _read(folder.parent / FOLDER, origin, rules)
    return protect_tables(folder, rules, support) if found is None else found, origin


def keep_protected(tables: Path, *, rules: Disclosure, support: int) -> None:
    """Have them written, whole, for the processes that make pages (one writes, and no other at the same time)."""
    if _stamp(tables.parent / FOLDER).is_current(_origin(tables, rules, support)):
        return
    made, origin = _with_origin(tables, rules, support)
    with contextlib.suppress(OSError):  # where there is no room, each process makes its own
        _write(made, private_folder(tables.parent / FOLDER), origin)


def _stamp(folder: Path) -> Stamp:
    return Stamp(folder / "protected.json", folder)


def _origin(tables: Path, rules: Disclosure, support: int) -> dict[str, Any]:
    return {**origins.common(tables), "rules": dataclasses.asdict(rules), "support": support}


def _read(folder: Path, origin: dict[str, Any], rules: Disclosure) -> AllProtected | None:
    stamp = _stamp(folder)
    if not stamp.is_current(origin):
        return None
    said = stamp.read()
    found = {
        name: Protected(kind, pd.read_parquet(folder / f"{name}.parquet"), rules)
        for name, kind in said["kinds"].items()
    }
    kept, more = ({name: found[name] for name in said[part]} for part in ("kept", "more"))
    return kept, more, set(said["apart"])


def _write(made: AllProtected, folder: Path, origin: dict[str, Any]) -> None:
    kept, more, apart = made
    every = {**kept, **more}  # what stands in both is the same
    stamp = _stamp(folder)
    stamp.remove()
    for name, table in every.items():
        table.frame.to_parquet(folder / f"{name}.parquet", index=False)
    stamp.write(
        origin, [f"{name}.parquet" for name in every], apart=sorted(apart),
        kinds={name: table.kind for name, table in every.items()}, kept=list(kept), more=list(more),
    )  # fmt: skip
