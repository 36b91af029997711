"""The command that opens JupyterLab, and keeps a notebook with its outputs where outputs may stay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_progress import fail
from .cli_steps import SOME_FAILED
from .exceptions import TrajectoriesError
from .study import Study

# Below `sensitive/`: notebooks that are kept with their outputs.
FOLDER = "lab"

lab_commands = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@lab_commands.command()
def lab(
    study: Annotated[Path, typer.Option("--study", help="The settings of the run.")] = Path("study.toml"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where that one is taken, a free one.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser; without, the address is printed.")] = True,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Run this notebook and keep it, with outputs, in sensitive/lab.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Open JupyterLab in the notebooks folder, on this machine only; notebooks are saved without outputs."""
    from .lab import arguments, notebooks_folder, prepare_environment, serve

    settings = Study.read(study)
    notebooks = notebooks_folder(study)
    if keep is not None:
        raise typer.Exit(_keep(settings, study, notebooks, keep, dry_run))
    asked = arguments(notebooks, port) + ([] if browser else ["--no-browser"])
    if dry_run:
        typer.echo(f"Would start JupyterLab with {' '.join(asked)}")
        return
    typer.echo(f"JupyterLab opens in {notebooks}, for you alone: its address holds a token. Ctrl-C twice ends it.")
    typer.echo(
        "Notebooks are saved without their outputs, in which persons may stand. To keep one with its outputs: "
        f"trajectories lab --keep NAME.ipynb (it goes to {settings.paths.reports / 'sensitive' / FOLDER})."
    )
    prepare_environment(settings, study)
    serve(asked)


def _keep(settings: Study, study: Path, notebooks: Path, name: Path, dry_run: bool) -> int:
    """Run a notebook and keep it where outputs may stay; the exit status."""
    from .folders import private_folder, replaced
    from .lab import keep_with_outputs, prepare_environment

    notebook = next((path for path in (notebooks / name, name) if path.is_file()), None)
    if notebook is None:
        raise TrajectoriesError(f"{name} is no notebook of {notebooks}: name one that is there.")
    folder = settings.paths.reports / "sensitive" / FOLDER
    if dry_run:
        typer.echo(f"Would run {notebook} and write it, with its outputs, to {folder}.")
        return 0
    prepare_environment(settings, study)
    private_folder(settings.paths.reports / "sensitive")
    with replaced(private_folder(folder) / notebook.name) as scratch:
        fault = keep_with_outputs(notebook, scratch)
    typer.echo(str((folder / notebook.name).resolve()))
    if fault is None:
        return 0
    fail(f"{notebook.name} did not run to its end ({fault}): what it showed until then is kept.")
    return SOME_FAILED
