"""`--pdf`: what is in a PDF, when it is made again or goes, and what is said where it cannot be made."""

import os
import stat
import time
from pathlib import Path

import pytest

from commands import call
from trajectories.report import pdf
from trajectories.report.pdf import Printed, pdf_of

PAGE = (
    '<!DOCTYPE html><html lang="fr-CA"><head><meta charset="utf-8"><title>Estrie</title></head>'
    '<body><h1>Estrie</h1><p><a href="methode.html">Méthode</a> <a href="#b">b</a></p><h2 id="b">En bref</h2></body>'
    "</html>"
)


@pytest.fixture
def place(tmp_path):
    """A reports folder with one page."""
    for name in ("shareable", "sensitive"):
        (tmp_path / name).mkdir()
    page = tmp_path / "shareable" / "region-05.html"
    page.write_text(PAGE, encoding="utf-8")
    return page


def printed(page):
    return Printed(page.parents[1], {"05": page})


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """A shell script that is found as the machine's Chromium."""

    def named(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "chromium"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return named


def test_no_path_of_the_machine_is_in_it_and_links_within_it_stay(chromium, place):
    pypdf = pytest.importorskip("pypdf")
    assert printed(place).print() == {}
    assert b"file:" not in pdf_of(place).read_bytes() and str(place.parent).encode() not in pdf_of(place).read_bytes()
    links = [note.get_object() for note in pypdf.PdfReader(pdf_of(place)).pages[0].get("/Annots", [])]
    assert len(links) == 1 and "/A" not in links[0]
    assert [path.name for path in place.parents[1].joinpath("sensitive").iterdir()] == ["pdf.json"]


def test_a_pdf_is_made_again_only_where_its_page_is_another_and_goes_with_it(chromium, place):
    made = printed(place)
    assert made.beside(place) == "region-05.pdf" and made.print() == {}
    first = pdf_of(place).stat().st_mtime_ns
    assert printed(place).print() == {} and pdf_of(place).stat().st_mtime_ns == first
    again = Printed(place.parents[1])
    again.remove_old()
    assert again.current() == {"region-05.pdf"} and again.beside(place) == "region-05.pdf"
    place.write_text(PAGE.replace("En bref", "En long"), encoding="utf-8")
    mine = place.with_name("mine.pdf")
    mine.write_bytes(b"%PDF")
    assert again.current() == set() and again.beside(place) is None
    again.remove_old()
    assert not pdf_of(place).exists() and mine.exists()


def test_without_a_browser_pdfs_are_refused_before_any_work(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text("", encoding="utf-8")
    for command in (["report"], ["run"]):
        assert call(*command, "--pdf", "--reports", tmp_path / "r", "--derived", tmp_path / "d") == 2
        assert "--pdf needs Chromium or Chrome" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_a_browser_that_hangs_is_ended_with_its_children(pretend, place, monkeypatch, tmp_path):
    monkeypatch.setattr(pdf, "PATIENCE", 0.5)
    pretend(f"sleep 300 & echo $! > {tmp_path}/child; sleep 300")
    assert printed(place).print() == {
        "05": "its page is ready, its PDF could not be made: chromium did not end within 0.5 seconds."
    }
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child)
    assert sorted(path.name for path in place.parent.iterdir()) == ["region-05.html"]
    assert list(place.parents[1].joinpath("sensitive").iterdir()) == []


def alive(number):
    """Whether a process runs (one that has ended and that nobody has asked about does not)."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "script", ["exit 3", 'for a; do case $a in --print-to-pdf=*) echo "%PDF" > "${a#*=}";; esac; done']
)
def test_half_a_pdf_is_none(pretend, place, script):
    pretend(script)
    made = printed(place)
    assert "its page is ready, its PDF could not be made: chromium wrote no PDF" in made.print()["05"]
    assert made.beside(place) is None and not pdf_of(place).exists() and place.exists()
