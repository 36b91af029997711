"""The explorer in a real JupyterLab, as `trajectories lab` starts it: choose a region, and the figure changes."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from report_tables import write_tables

BAND = "données non protégées, ne pas diffuser"
CELL = "import trajectories\n\ntrajectories.explore()"
FIGURE = ".jp-OutputArea-output img[alt]"
# Chooses from a list, and gives the milliseconds until the figure says something else. Of spaces in what can be chosen,
# ipywidgets makes no-break spaces.
CHANGED = """
(list, choice) => new Promise((done, failed) => {
  const told = () => document.querySelector('.jp-OutputArea-output img[alt]')?.alt;
  const before = told(), start = performance.now();
  const seen = new MutationObserver(() => {
    if (told() && told() !== before) { seen.disconnect(); done([performance.now() - start, told()]); }
  });
  seen.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(() => failed(new Error(`still: ${before}`)), 20000);
  list.value = [...list.options].find(one => one.text.replace(/\\s/g, ' ') === choice).value;
  list.dispatchEvent(new Event('change', {bubbles: true}));
})
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):
    """The address of a lab with a notebook that explores a run, and the notebook's file."""
    project = tmp_path_factory.mktemp("lab")
    (project / "study.toml").write_text("", encoding="utf-8")
    write_tables(project / "reports" / "sensitive" / "tables")
    notebook = project / "notebooks" / "explore.ipynb"
    notebook.parent.mkdir()
    cell = {"id": "a", "cell_type": "code", "source": CELL, "metadata": {}, "execution_count": None, "outputs": []}
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": [cell]}
    notebook.write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, "-m", "trajectories", "lab", "--no-browser", "--port", "0"]
    log = project / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=project, stdout=file, stderr=file, env=os.environ | {"HOME": str(project)}
        )
    try:
        yield address(server, log), notebook
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def address(server, log):
    for _ in range(240):
        if found := re.search(r"(http://127\.0\.0\.1:\d+/lab)\?(token=\w+)", log.read_text()):
            return found.groups()
        assert server.poll() is None, log.read_text()
        time.sleep(0.25)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def page(lab, browser):
    """The notebook, open, its cell run."""
    (base, token), _ = lab
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{base}/tree/explore.ipynb?{token}")
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content")
    cell.wait_for(timeout=60_000)
    page.get_by_text(re.compile(r"Python 3.*\| Idle")).first.wait_for(timeout=60_000)
    cell.click()
    page.keyboard.press("Shift+Enter")
    page.locator(FIGURE).wait_for(timeout=60_000)
    yield page
    context.close()


def figure(page):
    return page.locator(FIGURE)


def listed(page, name):
    return page.get_by_label(name, exact=True)


def choose(page, name, choice):
    """Milliseconds until the figure has changed, and what it then says."""
    took, told = listed(page, name).evaluate(CHANGED, choice)
    return took, told.replace("\u00a0", " ")


def test_a_region_changes_the_figure(page):
    before = figure(page).get_attribute("src")
    assert figure(page).get_attribute("alt") == f"{BAND}. Rétention, mois par mois (Ensemble des régions)"
    took, told = choose(page, "Région", "Estrie")
    print(f"from the choice to the new figure: {took:.0f} ms")
    assert told == f"{BAND}. Rétention, mois par mois (Estrie)"
    assert figure(page).get_attribute("src") != before and figure(page).is_visible()
    assert page.get_by_role("table", name="Rétention, mois par mois (Estrie)").is_visible()


def test_another_figure_and_a_region_beside_change_it_too(page):
    assert "Estrie et Capitale-Nationale" in choose(page, "Comparer avec", "Capitale-Nationale")[1]
    assert "Départs, selon la destination" in choose(page, "Montrer", "Départs, selon la destination")[1]
    assert listed(page, "Comparer avec").is_enabled()
    assert choose(page, "Montrer", "Lieu de résidence, mois par mois")[1].endswith("(Estrie)")
    assert listed(page, "Comparer avec").is_disabled()
    choose(page, "Montrer", "Rétention, mois par mois")


def test_the_keyboard_reaches_every_list_and_chooses(page):
    listed(page, "Région").focus()
    for name in ("Montrer", "Comparer avec"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == listed(page, name).get_attribute("id")
    listed(page, "Comparer avec").select_option(index=0)
    listed(page, "Région").select_option(index=0)
    listed(page, "Région").focus()
    # of a list that is closed, JupyterLab takes the arrows for its cells (ipywidgets' issue 3912): space opens it
    for key in ("Space", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.locator(f"{FIGURE}[alt$='(Capitale-Nationale)']").wait_for()


def test_axe_finds_nothing_in_what_is_shown(page):
    figure(page).wait_for()
    found = Axe().run(page, ".jp-OutputArea-output", {"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def test_nothing_is_asked_of_the_network_and_nothing_shown_is_saved(page, lab):
    (base, _), notebook = lab
    page.keyboard.press("Control+s")
    server = base.removesuffix("/lab")
    deadline = time.monotonic() + 20
    while "execution_count" not in notebook.read_text(encoding="utf-8") and time.monotonic() < deadline:
        time.sleep(0.1)
    saved = notebook.read_text(encoding="utf-8")
    assert json.loads(saved)["cells"][0]["outputs"] == [] and "widgets" not in json.loads(saved)["metadata"]
    assert not [url for url in page.asked if not url.startswith((server, "data:", "blob:"))]
