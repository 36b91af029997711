"""What a command shows while it works: the stage, a bar of reports, a sentence where something failed, a summary.

`Shown` is for a reader: a bar on a terminal, plain lines elsewhere. `Events` (cli_events.py) is for a scheduler.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from .interrupts import stop_if_asked


def ready_streams() -> None:
    """A letter that a stream lacks (a code page of Windows) is written by its number; a closed stream takes all."""
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
    """Shows the stage at work on a terminal; one line a stage elsewhere. Between stages Ctrl-C is heard again."""

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
    def whole(self) -> Iterator[None]:
        """Around all that a command does."""
        yield

    def stage(self, name: str):
        """A stage at work: gives what tells its steps."""
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

        Gives what is called with each `Outcome`, and what is called with the name of each stage.
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
        )  # fmt: skip

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
        # as text: what stands between brackets in a sentence is no colour
        shown.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
    Console().print(shown)
