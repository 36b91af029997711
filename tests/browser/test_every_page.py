"""Every kind of page, in both languages: accessible, valid, alone.

WCAG 2.1 AA and SGQRI 008 3.0 by axe-core, and what it does not see: whether headings are in order, whether the numbers
of a figure stand in a table, what its drawing says to somebody who does not see it, how letters stand out from what is
drawn under them, what is left at 320 pixels and with letters twice as large, where the keyboard goes. HTML by the Nu
Html Checker, which needs Java and its jar (VNU_JAR): without them that test skips, unless REQUIRE_VALIDATOR=1.
"""

import io
import itertools
import json
import os
import re
import shutil
import subprocess

import pypdf
import pytest

from every_page import FILES, NAMES, ORGANISATIONS
from page_reading import Reader

# Every kind of page once, in one language or the other: for what takes seconds, and depends on no word.
ONCE = (*(name if number % 2 else f"en/{name}" for number, name in enumerate(NAMES)), *ORGANISATIONS)
# The page of a region is that of the group in another width: what scrolls there only, axe sees there.
NARROW = "en/region-05.html"
# Pages whose drawings are looked at twice: on a narrow screen they are others.
NARROW_TOO = ("region-05.html", "en/province.html")
WITH_FIGURES = ("region-05.html", "groupe-est.html", "en/region-05.html", "province.html", "en/province.html")
# Not what is inside drawings, which it cannot tell anything of (FAINT does), at length.
AXE = ({"exclude": [["figure svg > *"]]}, {"resultTypes": ["violations"]})
LARGEST = 1_500_000
# Pixels between the margins of a letter sheet.
SHEET = 695
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"

TABLES = """
[...document.querySelectorAll('table')].map(t => ({
  caption: t.caption ? t.caption.innerText.trim() : '',
  columns: t.rows[0].cells.length > 1,
  scopes: [...t.querySelectorAll('th')].every(h => ['col', 'row'].includes(h.scope) && h.innerText.trim()),
  rows: [...t.tBodies[0].rows].every(r => r.cells[0].tagName === 'TH' && r.cells.length === t.rows[0].cells.length),
  filled: [...t.querySelectorAll('td')].every(c => c.innerText.trim()),
}))
"""
FIGURES = """
[...document.querySelectorAll('figure')].map(figure => ({
  id: figure.id,
  caption: figure.querySelector('figcaption').innerText.trim(),
  told: [...figure.querySelectorAll('svg')].map(svg => [svg.getAttribute('role'), svg.ariaLabel]),
  rows: [...figure.querySelectorAll('svg')].map(svg => {
    const to = document.getElementById(svg.getAttribute('aria-details'));
    return to ? to.querySelectorAll('tbody tr').length : 0;
  }),
}))
"""
# Letters of drawings with less than 4.5:1 against the nearest fill under their middle.
FAINT = """
(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => colour.slice(0, 3)
    .map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
  const faults = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    if (svg.getBoundingClientRect().width === 0) continue;
    svg.scrollIntoView({block: 'start'});
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      let under = [255, 255, 255];
      for (const one of document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2)) {
        if (!svg.contains(one) || ['text', 'tspan', 'svg', 'g'].includes(one.tagName)) continue;
        const style = getComputedStyle(one), seen = Number(style.opacity) * Number(style.fillOpacity);
        if (style.fill === 'none' || style.fill.startsWith('url') || seen < .05) continue;
        under = rgb(style.fill).map(v => v * seen + 255 * (1 - seen));
        break;
      }
      const found = ratio(rgb(getComputedStyle(text).fill), under);
      if (found < 4.5) faults.push([svg.closest('figure').id, text.textContent, found.toFixed(2), under.join()]);
    }
  }
  return faults;
})()
"""
# What scrolls or cuts sideways inside a page.
SCROLLING = """
[...document.querySelectorAll('main *')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible')
  .map(e => [e.className, e.tabIndex, e.getAttribute('role'), Boolean(e.ariaLabel)])
"""
FOCUSED = """
(() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return {on: e.tagName, ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
          seen: box.right > 0 && box.bottom > 0};
})()
"""
CAN_BE_FOCUSED = (
    "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].filter(e => e.checkVisibility()).length"
)


@pytest.fixture(scope="module")
def seen(open_file, pages):
    """A page as somebody sees it who opens all that can be opened; opened once a width."""
    known = {}

    def page_of(name, width=1100):
        if (name, width) not in known:
            page = open_file(pages[name], width, height=1600)
            page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
            known[name, width] = page
        return known[name, width]

    return page_of


@pytest.fixture(scope="module")
def axe():
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


@pytest.mark.parametrize("name", FILES)
def test_a_page_is_one_small_file_that_asks_for_nothing(seen, pages, name):
    page = seen(name)
    assert page.asked == [pages[name].as_uri()]
    assert page.complaints == []
    assert page.evaluate("document.querySelector('meta[http-equiv=Content-Security-Policy]').content") == POLICY
    assert page.evaluate("document.scripts.length") == 0
    assert pages[name].stat().st_size < LARGEST


@pytest.mark.parametrize("name", ONCE)
def test_axe_finds_nothing(seen, axe, name):
    found = axe.run(seen(name, 320 if name == NARROW else 1100), *AXE).response["violations"]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found] == []


@pytest.mark.parametrize("name", FILES)
def test_headings_go_down_one_step_at_a_time(seen, name):
    levels = seen(name).evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("name", FILES)
def test_tables_have_a_caption_headers_with_their_scope_and_no_empty_cell(seen, name):
    tables = seen(name).evaluate(TABLES)
    assert [table for table in tables if not all(table.values())] == []
    captions = [table["caption"] for table in tables]
    assert len(captions) == len(set(captions))


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_a_figure_is_told_in_words_and_leads_to_its_numbers_in_a_table(seen, name):
    figures = seen(name).evaluate(FIGURES)
    assert len(figures) > 2
    for figure in figures:
        assert figure["caption"], figure["id"]
        assert all(figure["rows"]), f"{figure['id']}: no table"
        for role, told in figure["told"]:
            assert role == "img" and re.search(r"\d", told) and len(told) > 40, figure["id"]


@pytest.mark.parametrize("width", [1100, 320])
@pytest.mark.parametrize("name", NARROW_TOO)
def test_letters_of_drawings_stand_out(seen, name, width):
    faint = seen(name, width).evaluate(FAINT)
    assert faint == [], json.dumps(faint[:20], ensure_ascii=False)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_lost_at_320_pixels(seen, name):
    """WCAG 1.4.10 (1280 pixels at 400 %). A wide table scrolls in its own box, which the keyboard reaches."""
    page = seen(name, 320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    boxes = page.evaluate(SCROLLING)
    assert all(box == ["table", 0, "region", True] for box in boxes), boxes


@pytest.mark.parametrize("name", ONCE)
def test_nothing_is_wider_than_a_sheet_of_paper(open_file, pages, name):
    page = open_file(pages[name], SHEET)
    page.emulate_media(media="print")
    wide = "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    assert page.evaluate(f"{wide}.map(e => [e.tagName, e.innerText])") == []
    # what opens on demand is open in the annex; a brief leaves its tables out, and is as short on paper
    folded = page.locator("details table").all()
    shown = [table.bounding_box() is not None for table in folded]
    assert all(shown) or (page.locator(".brief").count() and not any(shown))


@pytest.mark.parametrize("name", [*NARROW_TOO, "index.html"])
def test_letters_twice_as_large_lose_nothing(open_file, pages, name):
    """WCAG 1.4.4, for whoever enlarges letters and not the page."""
    page = open_file(pages[name], 1280)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    boxes = page.evaluate(SCROLLING)
    assert all(box == ["table", 0, "region", True] for box in boxes), boxes


@pytest.mark.parametrize("name", ["region-05.html", "index.html"])
def test_the_keyboard_meets_everything_and_shows_where_it_is(open_file, pages, name):
    page = open_file(pages[name])
    met = []
    for _ in range(page.evaluate(CAN_BE_FOCUSED)):
        page.keyboard.press("Tab")
        met.append(page.evaluate(FOCUSED))
    assert [one for one in met if not (one["ring"] and one["seen"]) or one["on"] == "BODY"] == []


def test_the_nu_html_checker_finds_nothing(pages):
    jar, java = os.environ.get("VNU_JAR"), shutil.which("java")
    if not (jar and java):
        reason = "the Nu Html Checker needs Java, and VNU_JAR to say where its jar is (npm package vnu-jar)"
        if os.environ.get("REQUIRE_VALIDATOR") == "1":
            pytest.fail(f"REQUIRE_VALIDATOR=1, and {reason}")
        pytest.skip(reason)
    command = [java, "-jar", jar, "--format", "json", "--exit-zero-always", *map(str, pages.values())]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=120)
    found = json.loads(ran.stderr)["messages"]
    # nbconvert writes <meta … />, on which the checker has a remark
    said = [(m["url"], m["message"], m.get("extract")) for m in found if "Trailing slash" not in m["message"]]
    assert said == []


def test_a_page_printed_has_its_title_a_running_head_and_what_is_seen_of_it(open_file, pages):
    printed = open_file(pages["region-05.html"]).pdf(prefer_css_page_size=True, tagged=True, outline=True)
    read = pypdf.PdfReader(io.BytesIO(printed))
    root = read.trailer["/Root"]
    assert root["/Lang"] == "fr-CA" and read.metadata.title.startswith("Estrie")
    assert [one.title for one in read.outline if not isinstance(one, list)] == ["Estrie"]
    kinds, told = structure(root["/StructTreeRoot"])
    tags = Reader(pages["region-05.html"].read_text(encoding="utf-8")).tags
    # the tables that are seen at once: what opens on demand is left out
    text = pages["region-05.html"].read_text(encoding="utf-8")
    at_once = re.sub(r"<details.*?</details>", "", text, flags=re.S).count("<table")
    assert kinds.count("/Table") == at_once > 1
    assert {"/H1", "/H2", "/TH", "/TD"} <= set(kinds)
    figures = [attrs["aria-label"] for tag, attrs in tags if tag == "svg" and attrs["class"] == "wide"]
    assert figures and set(figures) <= set(told)
    sheets = [" ".join(sheet.extract_text().split()) for sheet in read.pages]
    head, last = "Estrie · PASI, données jusqu’au 31 décembre 2025", f"{len(sheets)} / {len(sheets)}"
    assert [place for place, sheet in enumerate(sheets) if head not in sheet] == [] and last in sheets[-1]


def structure(tree):
    """The kinds of a PDF's structure elements, and the alternative texts."""
    kinds, told, left = [], [], [tree]
    while left:
        one = left.pop().get_object() if hasattr(left[-1], "get_object") else left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            kinds += [one["/S"]] if "/S" in one else []
            told += [str(one["/Alt"])] if "/Alt" in one else []
            left += [one["/K"]] if "/K" in one else []
    return kinds, told
