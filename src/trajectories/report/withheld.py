"""What the leak scan finds does not stay: a page, and every export of its region, go to `sensitive/withheld/`.

What was found is written in `sensitive/logs/leaks.csv`, values and all; sentences for a console name the kind and the
file only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from ..folders import harmless, private_folder, replaced
from .leaks import find_leaks, sentence
from .ordinary import Ordinary, ordinary
from .private import Secrets
from .run import Run
from .words import LOCALES

FOLDER = "withheld"
LOG = "leaks.csv"
NOT_SEARCHED = (
    "no build is at hand: names, dates and numbers of persons were not looked for in what is shared (traces of the "
    "machine, ids, postal codes and data attributes were)."
)


def withhold_leaks(
    out: Path, secrets: Secrets, said: Ordinary, stems: Mapping[str, str], *, searched: Collection[str] = ()
) -> dict[str, str]:
    """
    Search `shareable/`, and move what may not be there.

    Parameters
    ----------
    out : path
        The reports folder.
    secrets : Secrets
    said : Ordinary
    stems : mapping
        Region → what the names of its files begin with.
    searched : collection of str
        Files that an earlier run searched as they are now: not opened, and moved with what else is of their region.

    Returns
    -------
    dict
        Region, or name of a file that is no region's → what was found, as a sentence without values.
    """
    shareable, sensitive = out / "shareable", private_folder(out / "sensitive")
    log = private_folder(sensitive / "logs") / LOG
    log.unlink(missing_ok=True)
    findings = find_leaks(shareable, secrets, said, searched=searched)
    if findings.empty:
        return {}
    with replaced(log) as scratch:
        harmless(findings).to_csv(scratch, index=False)
    files = [path.relative_to(shareable).as_posix() for path in sorted(shareable.rglob("*")) if path.is_file()]
    owner = {file: _owner(file, stems) for file in files}
    told = {}
    for whose, rows in findings.groupby(findings["file"].map(owner), sort=False):
        moved = [file for file in files if owner[file] == whose]
        for file in moved:
            place = private_folder(sensitive / FOLDER) / file
            private_folder(place.parent)
            (shareable / file).replace(place)
        told[whose] = (
            f"{sentence(rows)}: moved to sensitive/{FOLDER} with all that is shared of it "
            f"(what was found: sensitive/logs/{LOG})"
        )
    return told


def what_may_be_said(tables: Path, run: Run) -> Ordinary:
    """The words of the library and of the study's groups, and the days that the run prints: those of its tables."""
    return ordinary(run.groups, {run.cutoff, *_days_of(tables)})


def _days_of(tables: Path) -> Iterable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in sorted(tables.glob("*.parquet")):
        schema = pq.read_schema(path)
        days = [name for name, kind in zip(schema.names, schema.types, strict=True) if pa.types.is_temporal(kind)]
        for _, column in pq.read_table(path, columns=days).to_pandas().items() if days else ():
            yield from (day.date() for day in pd.to_datetime(column.dropna().unique()))


def _owner(file: str, stems: Mapping[str, str]) -> str:
    """The region whose file it is (`region-05.html`, `region-05_durees.csv`, `region-05/…`), or the file itself."""
    first, *rest = file.split("/")
    if first in LOCALES and rest:
        first = rest[0]  # a page in another language is of the same region
    fits = [
        (len(stem), region) for region, stem in stems.items()
        if first == stem or first.startswith(tuple(f"{stem}{sign}" for sign in "._-"))
    ]  # fmt: skip
    return max(fits)[1] if fits else file
