"""Runs one report notebook by papermill, in this process (engine.py), and keeps it as it was executed.

The notebook kept says what its cells showed and with which parameters, and not when, how fast or in which folder: the
same run gives the same bytes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..exceptions import NotebookError
from ..folders import scratch_name

# How papermill tags the cell of the parameters that it was given.
INJECTED = "injected-parameters"
# What papermill notes that another run would note otherwise.
_OF_THIS_RUN = ("start_time", "end_time", "duration", "input_path", "output_path", "version")
# What jsonschema, which nbformat imports, imports where it is there, to check addresses; a notebook has none to check.
# It makes its grammar as it is imported: that is four fifths of what importing papermill takes.
_NOT_NEEDED = "rfc3987_syntax"


def imported_papermill() -> ModuleType:
    """The package papermill, in a third of a second instead of two (see `_NOT_NEEDED`)."""
    left_out = _NOT_NEEDED not in sys.modules
    if left_out:
        sys.modules[_NOT_NEEDED] = None  # type: ignore[assignment]  # an import of it raises ImportError
    try:
        import papermill
    finally:
        if left_out:
            del sys.modules[_NOT_NEEDED]
    return papermill


def check_notebook(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """
    Refuse a notebook that papermill would run without its parameters.

    Raises
    ------
    NotebookError
        The notebook is missing, has no cell tagged `parameters`, or that cell does not name a parameter given.
    """
    if not notebook.is_file():
        raise NotebookError(f"the notebook {notebook} does not exist.")
    known = imported_papermill().inspect_notebook(notebook)
    if not known:
        raise NotebookError(
            f"{notebook.name} has no cell tagged `parameters`: tag the cell that sets {', '.join(parameters)}."
        )
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise NotebookError(
            f"{notebook.name} does not know the parameter(s) {', '.join(unknown)}: its `parameters` cell sets "
            f"{', '.join(known)}."
        )


def run_notebook(notebook: Path, executed: Path, parameters: Mapping[str, Any]):
    """
    Run a notebook and keep it, executed, whether it succeeds or not.

    Parameters
    ----------
    notebook, executed : Path
        The notebook to run, and where to keep it.
    parameters : mapping
        Set in after its cell tagged `parameters`.

    Returns
    -------
    NotebookNode
        The executed notebook.

    Raises
    ------
    papermill.PapermillExecutionError
        A cell raised; the notebook kept holds the traceback.
    """
    papermill = imported_papermill()

    from .engine import registered

    check_notebook(notebook, parameters)
    scratch = executed.with_name(f"{scratch_name(executed.stem)}.ipynb")
    before = os.environ.get("IPYTHONDIR")
    with tempfile.TemporaryDirectory(prefix="trajectories-") as folder:
        os.environ["IPYTHONDIR"] = folder
        try:
            return papermill.execute_notebook(
                notebook, str(scratch), parameters=dict(parameters), engine_name=registered(), kernel_name="python3",
                progress_bar=False, log_output=False, request_save_on_cell_execute=False, cwd=str(notebook.parent),
            )  # fmt: skip
        except OSError:
            scratch.unlink(missing_ok=True)  # half of it, on a full disk
            raise
        finally:
            os.environ.pop("IPYTHONDIR") if before is None else os.environ.update(IPYTHONDIR=before)
            if scratch.exists():
                _forget_when(scratch)
                scratch.replace(executed)


def _forget_when(path: Path) -> None:
    """Take out of an executed notebook what is of this run only."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for node in (notebook, *notebook.cells):
        about = node.metadata.get("papermill", {})
        for name in _OF_THIS_RUN:
            about.pop(name, None)
        if INJECTED in node.metadata.get("tags", ()):
            node["id"] = INJECTED  # else drawn by chance
    nbformat.write(notebook, path)
