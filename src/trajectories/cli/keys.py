"""The commands about the secret key of the pseudonyms: a copy of it, and another one in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..study import Study
from .progress import fail, stage

keys = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    help="The secret key of the ids: copy it, replace it.",
)

STUDY = Path("study.toml")


@keys.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="TO", help="A new file, or a folder: away from data and git.")],
    study: Annotated[Path, typer.Option("--study", help="The settings of the run.")] = STUDY,
) -> None:
    """Copy the key to a place that outlives this machine; without it, all ids change."""
    from ..linkage.key_rotation import backup as copy
    from ..linkage.pseudonyms import ENVIRONMENT, key_path

    paths = (Study.read(study) if study.exists() else Study()).paths
    project = study.resolve().parent
    made = copy(to, [paths.raw, paths.derived, paths.reports, project / "data", project / "reports"])
    typer.echo(f"The key is copied to {made.resolve()} (for you alone to read). Keep it apart from the data.")
    typer.echo(
        f"To restore it: copy that file to {key_path()}, readable by you alone (chmod 600), with {ENVIRONMENT} not set."
    )


@keys.command()
def rotate(
    study: Annotated[
        list[Path] | None, typer.Option("--study", help="Every study that uses this key; may be repeated.")
    ] = None,
    raw: Annotated[Path | None, typer.Option("--raw", help="Folder of the deposits (else the study's).")] = None,
    derived: Annotated[Path | None, typer.Option("--derived", help="Folder of the tables (else the study's).")] = None,
    forget_old: Annotated[
        bool, typer.Option("--forget-old", help="Leave no copy of the old key: for one that others came to know.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Put a new key in the place of this one; persons and households in the deposits keep their ids."""
    from ..exceptions import TrajectoriesError
    from ..linkage.key_rotation import rotate as replace
    from ..linkage.pseudonyms import key_path

    files = study or [STUDY]
    if len(files) > 1 and (raw or derived):
        raise TrajectoriesError("--raw and --derived go with one study: write the folders into each study file.")
    studies = [Study.read(file).with_folders(raw=raw, derived=derived) for file in files]
    if dry_run:
        folders = ", ".join(str(settings.paths.raw) for settings in studies)
        typer.echo(f"Would read {folders} and put a new key in {key_path()}, with the ids of everyone there kept.")
        return
    with stage("key") as say:
        say("deposits")
        done = replace(studies, forget_old=forget_old)
    typer.echo(f"A new key is in {key_path()}; {done.n_identities:,} identities keep their ids.")
    for file in done.unreadable:
        fail(f"{file} cannot be read: whoever is in no other deposit gets another id when it can.")
    typer.echo("Copies of the key made before are of the old one: make another (trajectories key backup).")
    if done.old_key is not None:
        typer.echo(
            f"The old key is in {done.old_key}: with it, ids made before today can still be told. Keep it only as long "
            "as you may have to go back (--forget-old leaves none)."
        )
