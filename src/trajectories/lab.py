"""How JupyterLab is started on real data: for one person, on this machine, asking nobody else anything.

Whoever reaches a Jupyter server runs code as its owner, and any user of the machine may reach its ports. So it answers
on 127.0.0.1 alone and wants a token, made anew at each start, and talks to kernels encrypted: a kernel sends what it
shows to everyone who connects to its port. News, updates and extensions, for which JupyterLab asks the network, are
off.

Settings, what was typed into kernels and files of running servers are kept in `<derived>/lab`, that the owner alone can
open, and not in the user's home, whose kernels and settings are not used either.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

from .exceptions import TrajectoriesError
from .folders import private_folder, replaced
from .study import STUDY_VARIABLE, Study

KERNEL = "python3"
# Jupyter's option and value.
OPTIONS = {
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.allow_remote_access": "False",
    "ServerApp.allow_unauthenticated_access": "False",
    # in a container the user often is root
    "ServerApp.allow_root": "True",
    # of what it says at its start, the address is enough
    "Application.log_level": "ERROR",
    "ContentsManager.pre_save_hook": "trajectories.notebook_saving.strip_on_save",
    "KernelManager.transport_encryption": "required",
    # the environment's own; another environment's lacks the library, or the encryption
    "KernelSpecManager.allowed_kernelspecs": KERNEL,
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
    # it would call npm, if there is one, to look for helpers that the environment does not have
    "LanguageServerManager.autodetect": "False",
}
# What the user's shell may say otherwise: a token that others know, other folders, other settings.
_NOT_OURS = (
    "JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTERLAB_DIR",
    "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR",
)  # fmt: skip
# It would ask whether it may fetch news of Jupyter's.
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
    What JupyterLab is told on its command line, where it wins over every file of settings.

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
    Run JupyterLab in this process until it is ended, told what `arguments` gives, after `prepare_environment`.

    Raises
    ------
    TrajectoriesError
        Settings of the machine (such as those of /etc/jupyter) set the token, or do without one.
    """
    # not before: on import, Jupyter reads where its folders are
    from jupyterlab.labapp import LabApp

    # addresses of extensions that leave it to the server to ask for the token, as it is told to
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
        What the last cell raised, where it did not run to its end; what was shown until then is kept.
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
