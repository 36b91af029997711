"""One page, made in a process of the pool: run the notebook, convert it, leave the page beside the executed notebook.

The process has the libraries, and the protected tables, from the first page on.

A worker never raises: it answers with what went wrong, in a sentence, and leaves the traceback in the sensitive
folder. It writes nothing that is shared: `settle` moves the page there, whole, in the process that holds the lock of
the run. So a worker that outlives its run (killed by `kill -9`, say) can put no page over those of the next, whatever
it was doing; and it ends as soon as it sees that the run is gone. Python's pool alone would leave it waiting for ever.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import TrajectoriesError, system_refusal


@dataclass(frozen=True)
class Job:
    """
    One page to make.

    `executed`: the notebook as it was run; `made`: the page before it is shared; `page`: where it is shared; `log`: the
    traceback of a failure.
    """

    region: str
    notebook: Path
    parameters: Mapping[str, Any]
    executed: Path
    made: Path
    page: Path
    log: Path


def begin() -> None:
    """
    Prepare a process of the pool: it ends with its run, ignores Ctrl-C and computes in one thread.

    A terminal sends Ctrl-C to all processes; the run hears it and ends its workers. The pool keeps every core busy.
    """
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    # exit without tearing down what was imported, which would take half a second while the run waits
    atexit.register(os._exit, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _end_with_the_run() -> None:
    # the sentinel of the parent works on every system (the signal of Linux does not)
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
        os._exit(1)


def make_page(job: Job) -> tuple[float, str | None]:
    """
    Make one page.

    Returns
    -------
    (float, str or None)
        Seconds taken, and what went wrong; None where the page is made.
    """
    started = time.monotonic()
    job.log.unlink(missing_ok=True)
    try:
        _make(job)
        return time.monotonic() - started, None
    except Exception as error:
        with contextlib.suppress(OSError):  # on a full disk the sentence is all that is left
            job.log.write_text(traceback.format_exc(), encoding="utf-8")
        return time.monotonic() - started, _sentence(job, error)


def settle(job: Job, fault: str | None) -> str | None:
    """Move a page to where it is shared, or remove it where there is a fault, here or in `fault`; the fault or None."""
    if fault is None:
        try:
            job.made.replace(job.page)
            return None
        except OSError as error:
            fault = system_refusal(error)
    # an older page, of other tables, must not stay in the place of this one
    for path in (job.page, job.made):
        path.unlink(missing_ok=True)
    return fault


def _make(job: Job) -> None:
    from ..report import html
    from ..report.run import Run
    from .notebooks import run_notebook

    executed = run_notebook(job.notebook, job.executed, job.parameters)
    run = Run.read(Path(job.parameters["tables"]))
    text = html.page(executed, region=job.region, language=job.parameters["language"], run=run)
    job.made.write_text(text, encoding="utf-8")


def _sentence(job: Job, error: Exception) -> str:
    if isinstance(error, TrajectoriesError):
        sentence = str(error)
    elif hasattr(error, "ename") and hasattr(error, "evalue"):  # papermill: a cell raised
        sentence = f"{job.notebook.name} failed: {error.ename}: {error.evalue}"
    elif isinstance(error, OSError) and error.strerror:
        sentence = system_refusal(error)
    else:
        sentence = f"{type(error).__name__}: {error}"
    return f"{sentence} (details: sensitive/logs/{job.log.name})"
