"""Deposits read by a team, some files a task.

The raw folder is read by this process alone: a task is given copies, as one archive in the storage, and reads them from
there without a file of its own. What comes back is as small as from a process of this machine (files.py), and in the
order of the files.
"""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..storage import Storage
from ..team import LEAST_PARTS, Team
from .crosswalks import Crosswalks
from .files import FileRead, FileReader
from .grid import UnreadableDepositError
from .reading import content_of

# Files of about so many bytes in all go to one task.
BYTES_OF_A_TASK = 16_000_000
Found = tuple[str, Path]


def read_by(team: Team, found: list[Found], reader: FileReader) -> Iterator[FileRead]:
    """The files read, in their order, as `read_files` has them."""
    batches = list(_batches(found))
    if not batches:
        return
    with team.folder() as folder:
        names = [_copied(folder, number, batch) for number, batch in enumerate(batches)]
        work = functools.partial(_read, folder, reader.crosswalks, reader.max_rows)
        files = [[file for file, _ in batch] for batch in batches]
        for batch, read in zip(batches, team.each(work, names, files), strict=True):
            for one, result in zip(batch, read, strict=True):
                # what could not be copied cannot be read here either: the sentence is that of this process
                yield reader(one) if result is None else result


def _batches(found: list[Found]) -> Iterator[list[Found]]:
    most = max(1, -(-len(found) // LEAST_PARTS))
    batch, size = [], 0
    for file, path in found:
        batch.append((file, path))
        size += path.stat().st_size if path.exists() else 0
        if size >= BYTES_OF_A_TASK or len(batch) == most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _copied(storage: Storage, number: int, batch: list[Found]) -> str:
    """An archive of the files that can be opened, each under its number, and its own ending."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for position, (_, path) in enumerate(batch):
            try:
                content = content_of(path)
            except UnreadableDepositError:
                continue
            archive.writestr(f"{position}{path.suffix}", content)
    storage.put(name := f"deposits-{number}.zip", buffer.getvalue())
    return name


def _read(
    storage: Storage, crosswalks: Crosswalks, max_rows: int, name: str, files: list[str]
) -> list[FileRead | None]:
    """The task: the files of an archive; None for one that is not in it."""
    reader = FileReader(crosswalks, max_rows)
    with zipfile.ZipFile(io.BytesIO(storage.get(name))) as archive:
        there = set(archive.namelist())
        members = [f"{position}{Path(file).suffix}" for position, file in enumerate(files)]
        return [
            reader((file, zipfile.Path(archive, member))) if member in there else None
            for file, member in zip(files, members, strict=True)
        ]
