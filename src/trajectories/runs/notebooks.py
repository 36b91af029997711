"""Runs one report notebook by papermill, in this process (engine.py), and keeps it as it was executed.

The executed notebook has the outputs of its cells and its parameters, without times and folders: the same run gives the
same bytes.
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

# The tag that papermill gives the cell of parameters that it adds.
INJECTED = "injected-parameters"
# The metadata of papermill that differ from run to run.
_OF_THIS_RUN = ("start_time", "end_time", "duration", "input_path", "output_path", "version")
# An optional import of jsonschema (which nbformat imports) to check addresses; a notebook has none. It builds a grammar
# at import, which takes four fifths of the time of importing papermill.
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
        The notebook is missing, has no cell tagged `parameters`, or that cell lacks one of `parameters`.
    """
    if not notebook.is_file():
        raise NotebookError(f"the notebook {notebook} does not exist.")
    accepted = imported_papermill().inspect_notebook(notebook)
    if not accepted:
        raise NotebookError(
            f"{notebook.name} has no cell tagged `parameters`: tag the cell that sets {', '.join(parameters)}."
        )
    unknown = [name for name in parameters if name not in accepted]
    if unknown:
        raise NotebookError(
            f"{notebook.name} does not know the parameter(s) {', '.join(unknown)}: its `parameters` cell sets "
            f"{', '.join(accepted)}."
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
                notebook,
                str(scratch),
                parameters=dict(parameters),
                engine_name=registered(),
                kernel_name="python3",
                progress_bar=False,
                log_output=False,
                request_save_on_cell_execute=False,
                cwd=str(notebook.parent),
            )
        except OSError:
            scratch.unlink(missing_ok=True)  # half of it, on a full disk
            raise
        finally:
            os.environ.pop("IPYTHONDIR") if before is None else os.environ.update(IPYTHONDIR=before)
            if scratch.exists():
                _forget_when(scratch)
                scratch.replace(executed)


def _forget_when(path: Path) -> None:
    """Take out of an executed notebook what differs from run to run."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for node in (notebook, *notebook.cells):
        about = node.metadata.get("papermill", {})
        for name in _OF_THIS_RUN:
            about.pop(name, None)
        if INJECTED in node.metadata.get("tags", ()):
            node["id"] = INJECTED  # else drawn by chance
    nbformat.write(notebook, path)
