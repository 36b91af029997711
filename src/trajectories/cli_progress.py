"""What a command shows while it works: the stage, a bar of reports, a sentence where something failed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from .interrupts import stop_if_asked


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


@contextmanager
def bar(total: int) -> Iterator[Callable]:
    """A progress bar on a terminal, one line a finished region elsewhere; called with each `Outcome`."""
    if not sys.stderr.isatty():
        yield lambda outcome: typer.echo(f"{outcome.region}: {outcome.status} ({outcome.seconds:.1f} s)", err=True)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("reports", total=total)
        yield lambda outcome: progress.update(task, advance=1, description=f"reports: {outcome.region}")
