"""The engine that runs report notebooks: what a cell shows is kept, an error stops, nothing is left to the next one."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import papermill
import pytest

from trajectories.exceptions import NotebookError
from trajectories.runs.notebooks import run_notebook

SHOWN = (
    "from IPython.display import HTML, display",
    "print('said')\nimport sys\nprint('aside', file=sys.stderr)",
    "display(HTML('<b>displayed</b>'))\nx + 1",
    "x;",
    "class Both:\n    def __repr__(self):\n        return 'both'\n\n"
    "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
    "        return {'text/html': '<i>b</i>'}, {'text/html': {'trajectories': 'section'}}\nBoth()",
    "y = [x]\n%who_ls list",
)


def write(path, *cells):
    """A notebook with a cell of parameters, and these."""
    first = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    about = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)], metadata=about)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(notebook, path)
    return path


def run(tmp_path, *cells, **parameters):
    return run_notebook(write(tmp_path / "a.ipynb", *cells), tmp_path / "b.ipynb", parameters or {"x": 2})


def test_what_cells_show_is_kept_as_a_kernel_would(tmp_path):
    executed = run(tmp_path, *SHOWN)
    outputs = [cell.outputs for cell in executed.cells if cell.cell_type == "code"][2:]
    said = outputs[1]
    assert [(one.name, one.text) for one in said] == [("stdout", "said\n"), ("stderr", "aside\n")]
    displayed, value = outputs[2]
    assert displayed.output_type == "display_data" and displayed.data["text/html"] == "<b>displayed</b>"
    assert value.output_type == "execute_result" and value.data["text/plain"] == "3"
    assert outputs[3] == []  # a semicolon says nothing
    assert outputs[4][0].metadata == {"text/html": {"trajectories": "section"}}
    assert outputs[5][0].data["text/plain"] == "['y']"
    kept = nbformat.read(tmp_path / "b.ipynb", as_version=4)
    nbformat.validate(kept)
    assert [cell.get("outputs") for cell in kept.cells] == [cell.get("outputs") for cell in executed.cells]


@pytest.mark.filterwarnings("ignore:To exit")
@pytest.mark.parametrize(
    ("cell", "name"), [("1 / 0", "ZeroDivisionError"), ("import sys\nsys.exit(3)", "SystemExit"), ("if", "SyntaxError"),
                       ("raise KeyboardInterrupt", "KeyboardInterrupt"), ("assert x == 3, 'no'", "AssertionError")],
)  # fmt: skip
def test_a_cell_that_raises_stops_the_notebook_which_is_kept(tmp_path, cell, name):
    with pytest.raises(papermill.PapermillExecutionError) as raised:
        run(tmp_path, cell, "open('never', 'w')")
    assert raised.value.ename == name
    kept = nbformat.read(tmp_path / "b.ipynb", as_version=4)
    errors = [one for one in kept.cells if one.get("outputs") and one.outputs[-1].output_type == "error"]
    assert [one.outputs[-1].ename for one in errors] == [name]
    assert not (tmp_path / "never").exists()


def test_one_notebook_leaves_nothing_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAJECTORIES_TEST", "before")
    folder, hook, filters = Path.cwd(), sys.displayhook, list(warnings.filters)
    run(tmp_path, "secret = 1", "import os, warnings\nos.environ['TRAJECTORIES_TEST'] = 'after'\nos.chdir('/')",
        "warnings.simplefilter('ignore')")  # fmt: skip
    assert (Path.cwd(), os.environ["TRAJECTORIES_TEST"]) == (folder, "before")
    assert sys.displayhook is hook and list(warnings.filters) == filters
    executed = run(tmp_path, "'secret' in globals(), x", x=5)
    assert executed.cells[-1].outputs[0].data["text/plain"] == "(False, 5)"


def test_the_executed_notebook_is_the_same_whenever_it_runs(tmp_path):
    run(tmp_path, *SHOWN)
    first = (tmp_path / "b.ipynb").read_bytes()
    run(tmp_path, *SHOWN)
    assert (tmp_path / "b.ipynb").read_bytes() == first
    assert b"start_time" not in first and str(tmp_path).encode() not in first


def test_nothing_listens_while_a_notebook_runs(tmp_path):
    cell = "import threading\nsorted(thread.name for thread in threading.enumerate() if 'zmq' in thread.name.lower())"
    executed = run(tmp_path, cell, "import sys\n'ipykernel' in sys.modules and get_ipython().__class__.__name__")
    assert executed.cells[-2].outputs[0].data["text/plain"] == "[]"
    assert "ZMQ" not in str(executed.cells[-1].outputs)


def test_a_parameter_that_the_notebook_does_not_know_is_refused(tmp_path):
    with pytest.raises(NotebookError, match="does not know the parameter"):
        run(tmp_path, "x", region="05")


@pytest.mark.thorough
def test_papermill_comes_without_the_grammar_of_addresses_which_is_there_for_others():
    """It takes longer to import than all else that a page needs, and each process that makes pages would pay."""
    code = (
        "import importlib.util, sys\n"
        "from trajectories.runs.notebooks import imported_papermill\n"
        "assert imported_papermill().__name__ == 'papermill'\n"
        "assert 'rfc3987_syntax' not in sys.modules and 'jsonschema' in sys.modules\n"
        "importlib.util.find_spec('rfc3987_syntax')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
