"""Pages made by a team: each is a task that has the tables from the storage, and answers with the page itself.

A task sees no folder of this process: the tables and the ledger go into the storage as one archive, which each of the
team's processes opens once; the notebook travels with the task. The page, the executed notebook and the log come back
as they would stand here, and are put where `make_page` would have put them.
"""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..disclosure.ledger import FOLDER as LEDGER
from ..folders import replaced
from ..storage import Storage
from ..team import Team, finished
from .notebooks import check_notebook
from .shown import FOLDER as PROTECTED
from .worker import Job, make_page, settle

ARCHIVE = "tables.zip"


@dataclass(frozen=True)
class _Made:
    """What comes back: seconds, what went wrong, and the files that there are, by their place in the job."""

    seconds: float
    fault: str | None
    files: Mapping[str, bytes]


def made_by(team: Team, jobs: list[Job]) -> Iterator[tuple[Job, float, str | None]]:
    """Each job's seconds and fault, as they end; what it made is in its place."""
    if not jobs:
        return
    notebooks = {job.notebook: job.notebook.read_bytes() for job in jobs if job.notebook.is_file()}
    team.storage.put(ARCHIVE, _archive(Path(jobs[0].parameters["tables"])))
    checked = {job.notebook: team.begin(_check, job, notebooks.get(job.notebook)) for job in jobs}
    for check in checked.values():
        finished(check)
    futures = {team.begin(_page, team.storage, job, notebooks[job.notebook]): job for job in jobs}
    for future in as_completed(futures):
        job = futures[future]
        try:
            made = finished(future)
        except CancelledError:
            raise
        except Exception as error:
            made = _Made(0.0, f"no worker could make this page ({type(error).__name__}: memory?).", {})
        for name, place in {"made": job.made, "executed": job.executed, "log": job.log}.items():
            if name in made.files:
                with replaced(place) as scratch:
                    scratch.write_bytes(made.files[name])
            elif name != "executed":
                # what is left of another run must not stand for this one
                place.unlink(missing_ok=True)
        yield job, made.seconds, settle(job, made.fault)


def _archive(tables: Path) -> bytes:
    """The tables of an analysis, protected too, and what was published before, as they stand to one another."""
    sensitive = tables.parent
    found = [*tables.glob("*.parquet"), *tables.glob("*.json")]
    found += [path for name in (PROTECTED, LEDGER) for path in (sensitive / name).rglob("*")]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(found):
            if path.is_file():
                archive.writestr(Path("sensitive", path.relative_to(sensitive)).as_posix(), path.read_bytes())
    return buffer.getvalue()


# ── the tasks ─────────────────────────────────────────────────────────────────────────────────────────────
@functools.lru_cache(maxsize=1)
def _opened(storage: Storage) -> tempfile.TemporaryDirectory:
    """The tables of a run, once a process: the last run's go when another's come, or the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="trajectories-")
    with zipfile.ZipFile(io.BytesIO(storage.get(ARCHIVE))) as archive:
        archive.extractall(folder.name)
    return folder


def forget() -> None:
    """Close the tables that this process holds open."""
    _opened.cache_clear()


def _placed(job: Job, notebook: bytes | None, folder: Path) -> Job:
    """The job in a folder of this process."""
    place = folder / job.notebook.name
    if notebook is not None:
        place.write_bytes(notebook)
    return replace(
        job, notebook=place, executed=folder / f"executed-{job.executed.name}", made=folder / job.made.name,
        log=folder / job.log.name,
    )  # fmt: skip


def _check(job: Job, notebook: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = _placed(job, notebook, Path(folder))
        check_notebook(here.notebook if notebook is not None else job.notebook, job.parameters)


def _page(storage: Storage, job: Job, notebook: bytes) -> _Made:
    opened = _opened(storage)  # held until the page is made
    tables = Path(opened.name, "sensitive", Path(job.parameters["tables"]).name)
    with tempfile.TemporaryDirectory() as folder:
        here = _placed(job, notebook, Path(folder))
        seconds, fault = make_page(replace(here, parameters={**job.parameters, "tables": str(tables)}))
        places: dict[str, Any] = {"made": here.made, "executed": here.executed, "log": here.log}
        files = {name: place.read_bytes() for name, place in places.items() if place.is_file()}
    if "executed" in files:
        # a notebook names the folder of its tables: that of whoever asked, not of whoever did
        files["executed"] = files["executed"].replace(str(tables).encode(), job.parameters["tables"].encode())
    return _Made(seconds, fault, files)
