"""One page, made in a process of the pool: run the notebook, convert it, move the page where it is shared.

The process has the libraries, and the protected tables, from the first page on.

A worker never raises: it answers with what went wrong, in a sentence, and leaves the traceback in the sensitive
folder. The page is written beside the executed notebook and moved, whole, once everything about it holds.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import TrajectoriesError


@dataclass(frozen=True)
class Job:
    """One page to make: its group, notebook, parameters, and where things go."""

    region: str
    notebook: Path
    parameters: Mapping[str, Any]
    executed: Path
    page: Path
    log: Path


def one_thread() -> None:
    """One thread a process: the pool already keeps every core busy."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def make_page(job: Job) -> tuple[float, str | None]:
    """
    Make one page.

    Returns
    -------
    (float, str or None)
        Seconds taken, and what went wrong; None where the page is in its place.
    """
    started = time.monotonic()
    job.log.unlink(missing_ok=True)
    try:
        _make(job)
        return time.monotonic() - started, None
    except Exception as error:
        # a page of other tables must not stand for this one
        job.page.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # on a full disk the sentence is all that is left
            job.log.write_text(traceback.format_exc(), encoding="utf-8")
        return time.monotonic() - started, _sentence(job, error)


def _make(job: Job) -> None:
    from . import html
    from .notebooks import run_notebook
    from .run import Run

    executed = run_notebook(job.notebook, job.executed, job.parameters)
    run = Run.read(Path(job.parameters["tables"]))
    text = html.page(executed, region=job.region, language=job.parameters["language"], run=run)
    beside = job.executed.with_suffix(".html")
    beside.write_text(text, encoding="utf-8")
    beside.replace(job.page)


def _sentence(job: Job, error: Exception) -> str:
    if isinstance(error, TrajectoriesError):
        said = str(error)
    elif hasattr(error, "ename"):  # papermill: a cell raised
        said = f"{job.notebook.name} failed: {error.ename}: {error.evalue}"
    else:
        said = f"{type(error).__name__}: {error}"
    return f"{said} (details: sensitive/logs/{job.log.name})"
