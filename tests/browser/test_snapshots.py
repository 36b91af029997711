"""The text of the main pages, as it was looked at last: whoever changes a sentence sees every page that says it.

A line a heading, paragraph, list item, row of a table, and what a drawing says to whoever does not see it. After a
change that is meant, `UPDATE_SNAPSHOTS=1 .venv/bin/pytest tests/browser/test_snapshots.py` writes them again; then read
the difference. The method page is a text of its own, read elsewhere (tests/unit/test_report_method.py).
"""

import difflib
import os
from pathlib import Path

import pytest

from page_reading import lines_of

FOLDER = Path(__file__).parent / "snapshots"
# A region with a rate, one without, one where nobody settled, the whole; the index.
MAIN = ("region-05.html", "region-09.html", "region-10.html", "province.html", "index.html")


@pytest.mark.parametrize("name", [*MAIN, *(f"en/{name}" for name in MAIN), "organismes/organisme.html"])
def test_a_page_says_what_it_said(pages, name):
    kept = FOLDER / f"{name.replace('/', '-').removesuffix('.html')}.txt"
    said = "\n".join(lines_of(pages[name].read_text(encoding="utf-8"))) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(said, encoding="utf-8")
    before = kept.read_text(encoding="utf-8") if kept.exists() else ""
    change = difflib.unified_diff(before.splitlines(), said.splitlines(), "as kept", "as it is", lineterm="", n=0)
    assert before == said, "\n".join(list(change)[:60])


def test_a_changed_sentence_is_seen(pages):
    text = pages["region-05.html"].read_text(encoding="utf-8")
    lines = lines_of(text)
    assert any("demeurent encore en Estrie, sans interruption" in line for line in lines)
    assert any(line.startswith("[") for line in lines)  # a drawing
    assert lines_of(text.replace("sans interruption", "sans arrêt", 1)) != lines


def test_no_snapshot_is_of_a_page_that_is_gone():
    known = {f"{name.replace('/', '-').removesuffix('.html')}.txt" for name in MAIN}
    known |= {f"en-{name}" for name in known} | {"organismes-organisme.txt"}
    assert {path.name for path in FOLDER.iterdir()} == known
