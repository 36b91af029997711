"""What a command shows while it works: to a reader (`Shown`), or to a scheduler (`Events`, `--json`)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from ..exceptions import sentence_of
from ..runs.interrupts import stop_if_asked

# ----------------------------------------------------------------------------------------------------
# What a command shows while it works: the stage, a bar of reports, a sentence where something failed, a summary.
#
# `Shown` is for a reader: a bar on a terminal, plain lines elsewhere. `Events` is for a scheduler.


def ready_streams() -> None:
    """Letters that a stream lacks (a code page of Windows) are escaped; what goes to a closed stream is dropped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (as long as the process)
        else:
            # as Python does for standard error; also right in the JSON and the TOML that commands print
            stream.reconfigure(errors="backslashreplace")


def fail(sentence: str) -> None:
    """One sentence on standard error."""
    typer.echo(sentence, err=True)


@contextmanager
def stage(name: str) -> Iterator[Callable[[str], None]]:
    """Shows the stage at work on a terminal; one line a step elsewhere. A lost Ctrl-C is raised again between steps."""

    def saying(show: Callable[[str], None]) -> Callable[[str], None]:
        def say(step: str) -> None:
            stop_if_asked()
            show(f"{name}: {step}")

        return say

    if not sys.stderr.isatty():
        yield saying(lambda text: typer.echo(text, err=True))
    else:
        from rich.console import Console

        with Console(stderr=True).status(name) as status:
            yield saying(status.update)
    stop_if_asked()


class Shown:
    """What a reader sees."""

    @contextmanager
    def command(self) -> Iterator[None]:
        """Around all that a command does."""
        yield

    def stage(self, name: str):
        """A stage at work: gives the function that announces its steps."""
        return stage(name)

    def echo(self, text: str) -> None:
        """A result."""
        typer.echo(text)

    def fail(self, sentence: str, region: str | None = None) -> None:
        """What went wrong."""
        fail(sentence)

    @contextmanager
    def reports(self, total: int) -> Iterator[tuple[Callable, Callable[[str], None]]]:
        """
        A bar with region, stage and time left on a terminal; one line a finished region elsewhere.

        Gives a function to call with each `Outcome`, and one to call with the name of each stage.
        """
        if not sys.stderr.isatty():

            def tell(outcome) -> None:
                typer.echo(f"{outcome.region}: {outcome.status} ({outcome.seconds:.1f} s)", err=True)

            yield tell, lambda name: None if name == "pages" else typer.echo(f"reports: {name}", err=True)
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        text = TextColumn("reports: {task.fields[stage]} {task.fields[region]}")
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"))
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task("reports", total=total, stage="pages", region="")
            yield (
                lambda outcome: progress.update(task, advance=1, region=f"{outcome.region} {outcome.status}"),
                lambda name: progress.update(task, stage=name, region=""),
            )

    def summary(self, outcomes: Sequence) -> None:
        """Region, class of its persons, status, seconds: a line each."""
        rows = [(o.region, o.persons or "not told", o.status, f"{o.seconds:.1f}") for o in outcomes]
        header = ("region", "persons", "status", "seconds")
        if sys.stdout.isatty():
            table(header, rows)
            return
        widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
        for row in (header, *rows):
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal; a failed or stale line stands out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"failed": "red", "stale": "yellow", "missing": "yellow", "done": "green", "fresh": "green"}
    shown = Table(*header)
    for row in rows:
        # as text: else rich takes words between brackets for styles
        shown.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
    Console().print(shown)


# ----------------------------------------------------------------------------------------------------
# `--json`: what happens, for a scheduler, one JSON object a line on standard output.
#
# Every object has the same keys; one that does not apply is null:
#
# - `event`: `stage` (a stage or one of its steps begins or ends), `region` (a page is made, skipped or failed),
# `message` (a sentence), `summary` (a page, at the end), `end` (the last line, always); - `region`; `stage`; `status`
# (`started`, `step`, `done`, `skipped`, `failed`, `refused`, `interrupted`); `seconds` (of the stage, the page or the
# whole); `message`; `persons` (the class of a number as it is displayed).

KEYS = ("event", "region", "stage", "status", "seconds", "message", "persons")


class Events:
    """One JSON object a line, for a scheduler; the same methods as `Shown`."""

    def __init__(self) -> None:
        self._stage: str | None = None

    def _tell(self, event: str, **facts: Any) -> None:
        if facts.get("seconds") is not None:
            facts["seconds"] = round(facts["seconds"], 3)
        line = {key: facts.get(key) for key in KEYS} | {"event": event}
        typer.echo(json.dumps(line, ensure_ascii=False))

    @contextmanager
    def command(self) -> Iterator[None]:
        """Around all that a command does: its last line says how it ended, whatever happened."""
        began, status, why = time.monotonic(), "refused", None
        try:
            yield
            status = "done"
        except typer.Exit as end:
            status = "failed" if end.exit_code else "done"
            raise
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        except Exception as error:
            why = sentence_of(error)
            raise
        finally:
            self._tell("end", status=status, seconds=time.monotonic() - began, message=why)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """A stage at work: gives the function that announces its steps."""
        began, self._stage = time.monotonic(), name
        self._tell("stage", stage=name, status="started")

        def say(step: str) -> None:
            stop_if_asked()
            self._tell("stage", stage=name, status="step", seconds=time.monotonic() - began, message=step)

        yield say
        self._tell("stage", stage=name, status="done", seconds=time.monotonic() - began)
        stop_if_asked()

    def echo(self, text: str) -> None:
        """A result."""
        self._tell("message", stage=self._stage, message=text)

    def fail(self, sentence: str, region: str | None = None) -> None:
        """What went wrong."""
        self._tell("message", stage=self._stage, status="failed", message=sentence, region=region)

    @contextmanager
    def reports(self, total: int) -> Iterator[tuple[Callable, Callable[[str], None]]]:
        """Gives a function to call with each `Outcome`, and one to call with the name of each stage."""
        with self.stage("reports") as say:
            yield lambda outcome: self._outcome("region", outcome), say

    def summary(self, outcomes: Sequence) -> None:
        """One line a page."""
        for outcome in outcomes:
            self._outcome("summary", outcome)

    def _outcome(self, event: str, outcome) -> None:
        self._tell(
            event,
            region=outcome.region,
            stage="reports",
            status=outcome.status,
            seconds=outcome.seconds,
            message=outcome.message,
            persons=outcome.persons,
        )
