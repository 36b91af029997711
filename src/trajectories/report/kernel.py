"""Runs one report notebook by papermill, on a kernel of this environment whose channels are encrypted.

Messages between this process and the kernel carry personal counts over local TCP; without CurveZMQ any account of the
machine could listen. `transport_encryption="required"` (jupyter_client ≥ 8.9, ipykernel ≥ 7.3) makes a kernel that
cannot encrypt fail to start. The kernel is always this interpreter's own, whatever kernels the user has installed; it
keeps no history, reads no start-up files, and its connection file lies in a folder that only its owner can open.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..exceptions import NotebookError

# One thread a kernel: the pool already keeps every core busy.
_QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def check_notebook(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """
    Refuse a notebook that papermill would run without its parameters.

    Raises
    ------
    NotebookError
        The notebook is missing, has no cell tagged `parameters`, or that cell does not name a parameter given.
    """
    import papermill

    if not notebook.is_file():
        raise NotebookError(f"the notebook {notebook} does not exist.")
    known = papermill.inspect_notebook(notebook)
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
    import papermill

    check_notebook(notebook, parameters)
    scratch = executed.with_name(f".{os.getpid()}.{executed.name}")
    with _private_jupyter():
        try:
            return papermill.execute_notebook(
                notebook,
                str(scratch),
                parameters=dict(parameters),
                progress_bar=False,
                log_output=False,
                request_save_on_cell_execute=False,
                kernel_name="python3",
                cwd=str(notebook.parent),
                kernel_manager_class=kernel_manager_class(),
                extra_arguments=["--HistoryManager.enabled=False", "--log-level=ERROR"],
            )
        finally:
            if scratch.exists():
                scratch.replace(executed)


@functools.cache
def kernel_manager_class():
    """The kernel manager of the reports: this interpreter, encryption required."""
    import jupyter_client.kernelspec
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.manager import AsyncKernelManager

    class EncryptedKernelManager(AsyncKernelManager):
        """Starts this interpreter's own kernel, or none, with encrypted channels, or not at all."""

        def __init__(self, **settings: Any):
            super().__init__(**settings)
            self.transport_encryption = "required"

        async def _async_pre_start_kernel(self, **launch: Any):
            # what a kernel says on its own behalf (that it was asked to stop) is nobody's news
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return await super()._async_pre_start_kernel(**{**quiet, **launch})

        @property
        def kernel_spec(self):
            return jupyter_client.kernelspec.KernelSpec(
                **{**get_kernel_dict(), "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
            )

    return EncryptedKernelManager


@contextlib.contextmanager
def _private_jupyter() -> Iterator[None]:
    """Connection files and IPython's own files in a folder of this run, open to its owner alone."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="trajectories-") as folder:
        os.environ.update(_QUIET, JUPYTER_RUNTIME_DIR=folder, IPYTHONDIR=str(Path(folder) / "ipython"))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
