"""SECURITY.md names modules and tests: each of them is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = TEXT.split("## What the library promises")[1].split("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PROMISES.splitlines() if line[:1] == "|"][2:]


def named(text):
    """Every file and test in code marks that has a slash and an ending, and files of the root."""
    return re.findall(r"`((?:src|tests|hooks|docs)/[\w/.-]+\.\w+(?:::\w+)?|\w+\.lock)`", text)


def test_every_promise_names_a_module_and_a_test():
    assert len(ROWS) > 15
    for _, kept_by, tested in ROWS:
        assert named(kept_by) and all("::" not in name for name in named(kept_by)), kept_by
        assert named(tested) and all("::" in name for name in named(tested)), tested


@pytest.mark.parametrize("name", sorted(set(named(TEXT))))
def test_what_it_names_is_there(name):
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file()
    if test:
        assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("page", ["SECURITY.md", "data/README.md", "reports/README.md"])
def test_links_of_the_pages_on_data_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []
