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

from explored_study import build_study

BAND = "données non protégées, ne pas diffuser"
CELL = "import trajectories\n\ntrajectories.explore()"
# Chooses from a list, and gives the milliseconds until the figure says something else. Of spaces in what can be chosen,
# ipywidgets makes no-break spaces.
CHANGED = """
(list, choice) => new Promise((done, failed) => {
  const told = () => document.querySelector('.jp-OutputArea-output svg[role=img]')?.ariaLabel;
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
    """The address of a lab with a notebook that explores a small study, and the notebook's file."""
    project = tmp_path_factory.mktemp("lab")
    build_study(project)
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
    page.locator(".jp-OutputArea-output svg[role=img]").wait_for(timeout=60_000)
    yield page
    context.close()


def figure(page):
    return page.locator(".jp-OutputArea-output svg[role=img]")


def listed(page, name):
    return page.get_by_label(name, exact=True)


def choose(page, name, choice):
    """Milliseconds until the figure has changed, and what it then says."""
    took, told = listed(page, name).evaluate(CHANGED, choice)
    return took, told.replace("\u00a0", " ")


def test_a_region_changes_the_figure(page):
    assert page.get_by_text(BAND).is_visible()
    before, drawn = figure(page).get_attribute("aria-label"), figure(page).inner_html()
    assert before.startswith("Bornes de la rétention en région, à 12\u00a0mois")
    took, told = choose(page, "Région", "Estrie")
    print(f"from the choice to the new figure: {took:.0f} ms")
    assert told.startswith("Bornes de la rétention en Estrie, à 12 mois")
    assert figure(page).inner_html() != drawn and page.get_by_text(BAND).count() == 1
    assert page.get_by_role("heading", name="Rester en Estrie").is_visible()


def test_another_split_horizon_and_cohort_change_it_too(page):
    listed(page, "Région").select_option(index=0)
    page.get_by_role("heading", name="Rester en région").wait_for()
    assert "Femme" in choose(page, "Selon", "Sexe")[1]
    assert "à 24 mois" in choose(page, "Durée", "24 mois")[1]
    choose(page, "Portée", "dans toute région hors du périmètre")
    assert page.get_by_text("Rester\u00a0: dans toute région hors du périmètre").is_visible()


def test_the_keyboard_reaches_every_list_and_chooses(page):
    listed(page, "Région").focus()
    for name in ("Selon", "Durée", "Périmètre métropolitain", "Portée"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == listed(page, name).get_attribute("id")
    listed(page, "Région").focus()
    listed(page, "Région").select_option(index=0)
    # of a list that is closed, JupyterLab takes the arrows for its cells (ipywidgets' issue 3912): space opens it
    for key in ("Space", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="Rester au Bas-Saint-Laurent").wait_for()


def test_axe_finds_nothing_in_what_is_shown(page):
    listed(page, "Région").select_option(index=0)
    figure(page).wait_for()
    choose(page, "Selon", "Catégorie d’immigration")
    shown = {"include": [[".jp-OutputArea-output"]], "exclude": [[".jp-OutputArea-output svg > *"]]}
    found = Axe().run(page, shown, {"resultTypes": ["violations"]})
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
