"""How JupyterLab is started on real data: for one person, on this machine, without calls to the network.

Whoever reaches a Jupyter server runs code as its owner, and any user of the machine may reach its ports. So it listens
on 127.0.0.1 alone, asks for a token, new at each start, and encrypts what it exchanges with kernels: a kernel sends its
outputs to everyone who connects to its port. News, updates and extensions, for which JupyterLab asks the network, are
off.

Settings, what was typed into kernels and files of running servers are kept in `<derived>/lab`, that the owner alone can
open, and not in the user's home, whose kernels and settings are not used either.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ..exceptions import TrajectoriesError
from ..folders import private_folder, replaced
from ..study import STUDY_VARIABLE, Study
from .progress import fail
from .steps import SOME_FAILED

KERNEL = "python3"
# Jupyter's option and value.
OPTIONS = {
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.allow_remote_access": "False",
    "ServerApp.allow_unauthenticated_access": "False",
    # in a container the user often is root
    "ServerApp.allow_root": "True",
    # at its start only the address is printed
    "Application.log_level": "ERROR",
    "ContentsManager.pre_save_hook": "trajectories.cli.notebook_saving.strip_on_save",
    "KernelManager.transport_encryption": "required",
    # the environment's own; another environment's lacks the library, or the encryption
    "KernelSpecManager.allowed_kernelspecs": KERNEL,
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
    # it would call npm, if there is one, to look for helpers that the environment does not have
    "LanguageServerManager.autodetect": "False",
}
# Variables of the user's shell that are not used: a token that others know, other folders, other settings.
_NOT_OURS = (
    "JUPYTER_TOKEN",
    "JUPYTER_TOKEN_FILE",
    "JUPYTER_PATH",
    "JUPYTER_CONFIG_PATH",
    "JUPYTERLAB_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
# An extension that asks whether it may fetch news.
_DISABLED = "@jupyterlab/apputils-extension:announcements"


def notebooks_folder(study_file: Path) -> Path:
    """
    The folder of notebooks beside a study file.

    Raises
    ------
    TrajectoriesError
        There is none.
    """
    folder = study_file.resolve().parent / "notebooks"
    if not folder.is_dir():
        raise TrajectoriesError(
            f"{folder} does not exist: notebooks are kept in a folder of that name beside study.toml. Make it, or name "
            "the study.toml of the project that has it with --study."
        )
    return folder


def arguments(notebooks: Path, port: int) -> list[str]:
    """
    The arguments of JupyterLab: on the command line they win over every file of settings.

    Where the port is taken, Jupyter looks for a free one.

    Examples
    --------
    >>> arguments(Path("notebooks"), 8888)[:2]
    ['--ServerApp.root_dir=notebooks', '--ServerApp.port=8888']
    """
    options = {"ServerApp.root_dir": str(notebooks), "ServerApp.port": str(port), **OPTIONS}
    return [f"--{name}={value}" for name, value in options.items()]


def prepare_environment(study: Study, study_file: Path) -> None:
    """Set, in this process and those it starts, where Jupyter keeps its files and which study notebooks find."""
    home = private_folder(private_folder(study.paths.derived) / "lab")
    for name in _NOT_OURS:
        os.environ.pop(name, None)
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    for variable, folder in {**folders, "IPYTHONDIR": "ipython"}.items():
        os.environ[variable] = str(private_folder(home / folder).resolve())
    page = private_folder(home / "config" / "labconfig") / "page_config.json"
    with replaced(page) as scratch:
        scratch.write_text(json.dumps({"disabledExtensions": {_DISABLED: True}}), encoding="utf-8")
    os.environ[STUDY_VARIABLE] = str(study_file.resolve())


def serve(asked: list[str]) -> None:
    """
    Run JupyterLab in this process until it is ended, with the arguments `asked`, after `prepare_environment`.

    Raises
    ------
    TrajectoriesError
        Settings of the machine (such as those of /etc/jupyter) set the token, or do without one.
    """
    # not before: on import, Jupyter reads where its folders are
    from jupyterlab.labapp import LabApp

    # of extensions that leave authentication to the server, which asks for the token
    warnings.filterwarnings("ignore", "Extension endpoints without")
    server = LabApp.initialize_server(asked)
    if not (server.identity_provider.token and server.identity_provider.token_generated):
        raise TrajectoriesError(
            "Settings of this machine give JupyterLab a token that others may know, or none, so that it was not "
            "started: `jupyter --paths` says in which folders they are; take token and password out of them."
        )
    server.start()


def keep_with_outputs(notebook: Path, out: Path) -> str | None:
    """
    Run a notebook from top to bottom and write it, with what its cells showed.

    Returns
    -------
    str or None
        The name of the error that ended the notebook; its outputs until then are kept.
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError
    from nbconvert.preprocessors import ExecutePreprocessor
    from traitlets.config import Config

    config = Config({"KernelManager": {"transport_encryption": OPTIONS["KernelManager.transport_encryption"]}})
    content = nbformat.read(notebook, as_version=4)
    run = ExecutePreprocessor(timeout=None, kernel_name=KERNEL, config=config)
    fault = None
    try:
        run.preprocess(content, {"metadata": {"path": str(notebook.parent)}})
    except CellExecutionError as error:
        fault = error.ename
    nbformat.write(content, out)
    return fault


# ----------------------------------------------------------------------------------------------------
# The command that opens JupyterLab, and keeps a notebook with its outputs where outputs may stay.

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
    from ..folders import private_folder, replaced

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
