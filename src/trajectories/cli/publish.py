"""The commands about finished runs: what changed between two of them, and how one is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..folders import alone
from ..study import Study

finished = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@finished.command()
def compare(
    run1: Annotated[Path, typer.Argument(metavar="RUN1", help="Folder of the reports of the earlier run.")],
    run2: Annotated[Path, typer.Argument(metavar="RUN2", help="Folder of the reports of the later run.")],
) -> None:
    """What changed between two runs, and why."""
    from ..runs.compare import changes, sentences

    for sentence in sentences(changes(run1, run2)):
        typer.echo(sentence)


@finished.command()
def publish(
    to: Annotated[Path, typer.Option("--to", help="Folder where the pages go; made where it is missing.")],
    study: Annotated[Path, typer.Option("--study", help="The settings of the run.")] = Path("study.toml"),
    reports: Annotated[Path | None, typer.Option("--reports", help="Folder of the reports (else the study's).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Copy a finished run's pages to where they are read, and note what they say: later runs stand beside it."""
    from ..runs.publish import publish as copy
    from ..runs.publish import to_publish

    settings = Study.read(study).with_folders(reports=reports)
    if dry_run:
        files, _ = to_publish(settings, to)
        shareable = settings.paths.reports / "shareable"
        typer.echo(f"Would copy {len(files)} file(s) of {shareable} to {to} and add their numbers to the ledger.")
        return
    with alone(reading=[settings.paths.reports / "sensitive"]):
        files = copy(settings, to)
    typer.echo(f"{len(files)} file(s) published; the ledger knows them.")
    typer.echo(str(to.resolve()))
