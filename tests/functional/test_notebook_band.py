"""What a researcher's kernel shows: a red band on figures and tables, none on protected ones, none outside a kernel."""

import base64
import io
import subprocess
import sys

import nbclient
import nbformat
import numpy as np
import pytest

SAID = "données non protégées, ne pas diffuser"
RED = np.array([0xB0, 0x00, 0x20]) / 255
COUNTS = """counts = pd.DataFrame({
    "group": "05", "table": "origins", "key": ["Laval", "Montréal"], "persons": [40, 63], "households": [20, 30],
})"""
CELLS = {
    "before": "import pandas as pd\npd.DataFrame({'a': [1]})",
    "import": f"import trajectories\n{COUNTS}",
    "frame": "counts",
    "series": "counts['persons']",
    "styled": "counts.style.format(precision=0)",
    "displayed": "display(counts.head(1))",
    "no html": "with pd.option_context('display.notebook_repr_html', False):\n    display(counts)",
    "result": "trajectories.survival.logrank_test([1, 2, 63], [1, 1, 0], ['a', 'b', 'b'])",
    "protected": "trajectories.protect(counts)",
    "inside": "trajectories.protect(counts).frame",
    "figure": "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([0, 1])\n"
    "axes.set_title('Rétention < 1');",
    "closed": "figure",
    "by hand": "from matplotlib.figure import Figure\nempty = Figure()\nempty",
    "left": "len(figure.texts)",
    "result, figure": "trajectories.survival.logrank_test([1, 2, 3], [1, 1, 0], ['a', 'b', 'b']).plot();",
    "protected, figure": "rates = trajectories.protect(pd.DataFrame({'group': 'province', 'horizon': [12], "
    "'estimate': [0.8], 'lower': [0.7], 'upper': [0.9], 'n_start': 4000, 'n_at_risk': 3000}))\n"
    "axes = rates.plot()\naxes.set_title('Rétention < 1');",
    "drawing": "from trajectories.report.drawing import Drawing\n"
    "[display(Drawing('a', '<svg></svg>', '', 'alt', 'légende', protected=p)) for p in (True, False)];",
    "number": "1 + 1",
    "off": "trajectories.red_band(False)",
    "frame, off": "counts",
    "figure, off": "figure",
    "on": "trajectories.red_band()",
    "frame, on": "counts",
}


@pytest.fixture(scope="module")
def shown():
    """The outputs of each cell, run in one kernel."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


def html(outputs):
    return "".join(output.data.get("text/html", "") for output in outputs)


@pytest.mark.parametrize("cell", ["frame", "series", "styled", "displayed", "no html", "inside", "result", "frame, on"])
def test_unprotected_tables_carry_the_band_in_words(shown, cell):
    (output,) = shown[cell]
    assert html([output]).count(SAID) == 1
    assert html([output]).startswith('<p lang="fr" style="background-color: #b00020; color: #ffffff')
    # what there was is there
    assert "63" in html([output]) or cell in ("displayed", "result") or "65" in html([output])


@pytest.mark.parametrize("cell", ["before", "protected", "number", "frame, off", "figure, off"])
def test_protected_tables_and_what_is_no_table_carry_none(shown, cell):
    assert shown[cell] and SAID not in str(shown[cell])


@pytest.mark.parametrize("cell", ["figure", "closed"])
def test_figures_have_the_band_in_the_picture_and_in_its_text(shown, cell):
    import matplotlib.image

    (output,) = shown[cell]
    assert "image/png" not in output.data  # no second picture without it
    assert f'alt="{SAID}. Rétention &lt; 1"' in output.data["text/html"] and SAID in output.data["text/plain"]
    content = base64.b64decode(output.data["text/html"].split("base64,")[1].split('"')[0])
    picture = matplotlib.image.imread(io.BytesIO(content))[:, :, :3]
    red = (np.abs(picture - RED) < 0.02).all(axis=2)
    assert red.sum(axis=1).max() > 150 and red[: len(red) // 5].sum() > 0.95 * red.sum()


@pytest.mark.parametrize("cell", ["result, figure", "protected, figure"])
def test_figures_of_results_and_of_protected_tables_have_it_too(shown, cell):
    (output,) = shown[cell]
    assert SAID in html([output]) and SAID in output.data["text/plain"] and "image/png" not in output.data


def test_without_the_band_a_figure_still_says_in_words_what_it_is_of(shown):
    (output,) = shown["figure, off"]
    assert 'alt="Rétention &lt; 1"' in output.data["text/html"] and "image/png" not in output.data


def test_the_figure_itself_is_left_as_it_was(shown):
    assert shown["left"][0].data["text/plain"] == "0"
    assert SAID in shown["by hand"][0].data["text/plain"]
    assert "text/html" not in shown["by hand"][0].data


def test_a_drawing_of_an_unprotected_table_carries_it_and_one_of_a_report_does_not(shown):
    assert [html([output]).count(SAID) for output in shown["drawing"]] == [0, 1]
    assert all('aria-label="alt"' in html([output]) for output in shown["drawing"])


@pytest.mark.thorough
def test_outside_a_kernel_nothing_is_imported_nor_registered():
    code = "import sys, trajectories; trajectories.red_band(); print('IPython' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
    terminal = (
        "from IPython.core.interactiveshell import InteractiveShell as Shell\nshell = Shell.instance()\n"
        "import trajectories\nprint(len(shell.display_formatter.formatters['text/html'].deferred_printers))"
    )
    found = subprocess.run([sys.executable, "-c", terminal], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "0"
