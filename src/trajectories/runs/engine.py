"""A papermill engine that runs a notebook in this process, without a kernel.

A kernel of its own costs each page what it takes to start Python and import the libraries (5 to 8 s), and listens on
local ports. A worker of the batch (worker.py) has the libraries once and runs one notebook after the other, each in a
namespace of its own, and nothing listens. IPython runs the cells, so that what a cell shows is what a kernel would have
shown; papermill keeps the rest: parameters, the executed notebook, the error of a cell that raises.

What a notebook cannot do here: ask somebody, show widgets, or leave the next one another working folder or environment.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "trajectories-in-process"


def registered() -> str:
    """The name of the engine, which papermill then knows."""
    from papermill.engines import papermill_engines

    papermill_engines.register(NAME, _engine())
    return NAME


@functools.cache
def _engine():
    from papermill.engines import Engine

    class InProcessEngine(Engine):
        """Runs the cells one after the other, up to the first that raises."""

        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **_: Any) -> None:
            with _shell() as shell:
                for index, cell in enumerate(nb_man.nb.cells):
                    try:
                        nb_man.cell_start(cell, index)
                        if cell.cell_type == "code" and not _run(shell, cell, index + 1):
                            nb_man.cell_exception(cell, cell_index=index)
                            break
                    finally:
                        nb_man.cell_complete(cell, cell_index=index)

    return InProcessEngine


def _run(shell: Any, cell: Any, number: int) -> bool:
    """Run one cell and keep in it what it shows; whether it ran to its end."""
    from nbformat.v4 import new_output

    cell.execution_count, shell.execution_count = number, number
    shell.shown.clear()
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        result = shell.run_cell(cell.source, store_history=True)  # in memory: whether it ends with a semicolon
    streams = [
        new_output("stream", name=name, text=text.getvalue())
        for name, text in (("stdout", out), ("stderr", err))
        if text.getvalue()
    ]
    fault = result.error_in_exec or result.error_before_exec
    if fault is not None and not any(kind == "error" for kind, _ in shell.shown):
        # IPython says of `sys.exit` how to leave, and shows no error
        shell.shown.append(("error", {"ename": type(fault).__name__, "evalue": str(fault), "traceback": []}))
    cell.outputs = streams + [new_output(kind, **about) for kind, about in shell.shown]
    return result.success


@contextlib.contextmanager
def _shell() -> Iterator[Any]:
    """An IPython of one notebook's own; folder, environment and warnings are as they were afterwards."""
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    folder, environment, shell = Path.cwd(), dict(os.environ), _shell_class()
    with warnings.catch_warnings():
        running = shell.instance(config=config)
        try:
            yield running
        finally:
            running.restore_sys_module_state()
            shell.clear_instance()
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)


@functools.cache
def _shell_class():
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    class Results(DisplayHook):
        """Keeps the value of a cell's last line as what it shows."""

        def write_output_prompt(self) -> None:
            """No prompt: nobody reads along."""

        def write_format_data(self, format_dict, md_dict=None) -> None:
            about = {"data": format_dict, "metadata": md_dict or {}, "execution_count": self.shell.execution_count}
            self.shell.shown.append(("execute_result", about))

        def finish_displayhook(self) -> None:
            self._is_active = False

    class Displays(DisplayPublisher):
        """Keeps what a cell displays."""

        def publish(self, data, metadata=None, **_: Any) -> None:  # type: ignore[override]
            self.shell.shown.append(("display_data", {"data": data, "metadata": metadata or {}}))

    class Shell(InteractiveShell):
        """Keeps in `shown` the outputs that a kernel would send to its clients: (kind of output, content)."""

        displayhook_class = Results
        display_pub_class = Displays

        def __init__(self, **settings: Any):
            self.shown: list[tuple[str, dict[str, Any]]] = []
            super().__init__(**settings)

        def _showtraceback(self, etype, evalue, stb) -> None:
            about = {"ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
            self.shown.append(("error", about))

    return Shell
