"""`trajectories status`: what is fresh, stale, failed or missing, and why."""

from __future__ import annotations

import dataclasses
import json as as_json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..study import Study
from .progress import table
from .steps import ALL_DONE, SOME_FAILED

progress = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@progress.command()
def status(
    study: Annotated[Path, typer.Option("--study", help="The settings of the run.")] = Path("study.toml"),
    raw: Annotated[Path | None, typer.Option("--raw", help="Folder of the deposits (else the study's).")] = None,
    derived: Annotated[Path | None, typer.Option("--derived", help="Folder of the tables (else the study's).")] = None,
    reports: Annotated[Path | None, typer.Option("--reports", help="Folder of the reports (else the study's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object, for machines.")] = False,
) -> None:
    """Say what is fresh, stale or failed, and why; 0 all is fresh, 1 something is not, 2 unusable."""
    from ..deposits.synthetic import or_sample
    from ..runs.status import FRESH, status_of

    asked = Study.read(study).with_folders(raw=raw)
    settings = asked if raw is not None else or_sample(asked)
    if settings is not asked:
        typer.echo(f"No deposit where study.toml says: the synthetic sample, {settings.paths.reports}.", err=True)
    things = status_of(settings.with_folders(derived=derived, reports=reports))
    _show(things, json)
    raise typer.Exit(ALL_DONE if all(thing.status == FRESH for thing in things) else SOME_FAILED)


def _show(products: Sequence, json: bool) -> None:
    names = ("fresh", "stale", "failed", "missing")
    counts = {name: sum(thing.status == name for thing in products) for name in names}
    if json:
        things = [dataclasses.asdict(thing) for thing in products]
        typer.echo(as_json.dumps({"counts": counts, "things": things}, ensure_ascii=False, indent=1))
        return
    rows = [(" ".join(filter(None, (t.thing, t.language, t.region))), t.status, "; ".join(t.why)) for t in products]
    if sys.stdout.isatty():
        table(("what", "status", "why"), rows)
    else:
        for label, state, why in rows:
            typer.echo(f"{label}: {state}" + (f" ({why})" if why else ""))
    typer.echo(", ".join(f"{n} {name}" for name, n in counts.items() if n or name == "fresh") + ".")
