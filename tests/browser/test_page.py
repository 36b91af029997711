"""A report in a real browser, with the network off: what a reader finds, and that the page calls nobody.

Needs a Chromium on the machine (none is downloaded); without one the tests skip, unless REQUIRE_BROWSER=1.
"""

import pytest

from report_tables import write_tables
from trajectories.runs.batch import run_reports
from trajectories.study import Study

ALT = "Courbe du taux de rétention estimé en Estrie, du premier mois à 60\u00a0mois"


@pytest.fixture(scope="module")
def reports(tmp_path_factory, chromium):
    out = tmp_path_factory.mktemp("reports")
    tables = write_tables(out / "sensitive" / "tables")
    outcomes = run_reports(Study(), regions=["05"], tables=tables, out=out)
    assert [outcome.status for outcome in outcomes] == ["done"], outcomes
    return out / "shareable"


@pytest.fixture
def visit(open_file, reports):
    return lambda name, width=1100: open_file(reports / name, width)


def test_the_headline_and_the_figure_are_there_and_nothing_is_asked_for(visit, reports):
    page = visit("region-05.html")
    assert page.get_by_role("heading", level=1).inner_text() == "Estrie"
    assert page.locator(".brief .figure").inner_text() == "80\u00a0%"
    assert "personnes suivies par le PASI" in page.locator(".brief .lead").inner_text()
    assert page.get_by_role("img", name=ALT).count() == 1
    assert page.get_by_role("img", name=ALT).is_visible()
    assert page.asked == [(reports / "region-05.html").as_uri()]
    assert page.complaints == []


@pytest.mark.parametrize("name", ["region-05.html", "index.html"])
@pytest.mark.parametrize("width", [320, 1100])
def test_no_page_scrolls_sideways(visit, name, width):
    page = visit(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_table_fits_a_telephone(visit):
    page = visit("region-05.html", 320)
    wider = "[...document.querySelectorAll('.table')].filter(t => t.scrollWidth > t.clientWidth).map(t => t.ariaLabel)"
    assert page.evaluate(wider) == []


def test_a_telephone_sees_the_narrow_figure(visit):
    page = visit("region-05.html", 320)
    figure = page.get_by_role("img", name=ALT)
    assert figure.count() == 1
    box = figure.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 320


def test_the_keyboard_reaches_the_content_first(visit):
    page = visit("region-05.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_url("**#contenu")


def test_the_index_leads_to_a_page_and_back(visit):
    page = visit("index.html")
    page.get_by_role("link", name="Estrie", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "Estrie"
    page.get_by_role("link", name="Toutes les régions").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Rétention des personnes établies en région"


def test_a_page_prints_in_black_on_white_without_its_navigation(visit):
    page = visit("region-05.html")
    page.emulate_media(media="print")
    assert not page.locator(".back").is_visible()
    assert page.locator("figure svg.wide").first.is_visible()
    assert page.pdf(format="Letter").startswith(b"%PDF")
