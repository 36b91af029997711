"""What is fresh, stale, failed or missing among pages and what stands around them, why, and what is not done again."""

import json
import shutil

import pandas as pd
import pytest

from report_tables import write_tables
from trajectories import provenance, stamps
from trajectories.exceptions import NotebookError
from trajectories.report import method_page, words
from trajectories.report import run as tables_of_run
from trajectories.report.run import data_hashes
from trajectories.runs import batch, manifest
from trajectories.runs import batch as around
from trajectories.runs.batch import run_reports
from trajectories.runs.status import Thing, _pages, changes
from trajectories.study import Study
from without_kernels import pages_without_kernels

FRESH_ANALYSIS = Thing("analysis", None, None, "fresh")
RECORDS = pd.DataFrame({
    "given_name": ["Amina"], "family_name": ["Benali"], "file_number": ["D1195"], "organisation_id": ["EER01"],
    "birth_date_earliest": pd.to_datetime(["1985-03-02"]), "birth_date_latest": pd.to_datetime(["1985-03-02"]),
})  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Protection once for tables that do not change; one file of data a language."""
    known, protect = {}, batch.all_protected

    def protected(tables, **told):
        key = str(data_hashes(tables)["tables"])
        if key not in known:
            known[key] = protect(tables, **told)
        return known[key]

    def exported(protected, tables, out, language):
        path = batch.shared_folder(out, language) / "donnees" / "retention.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Région;Taux\n", encoding="utf-8")
        return ["donnees/retention.csv"] * 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "all_protected", protected)
        patch.setattr(batch, "_write_exports", exported)
        yield


@pytest.fixture(scope="module")
def ready(tmp_path_factory, quick):
    """Reports of three regions and a build; copied for each test."""
    place = tmp_path_factory.mktemp("ready")
    write_tables(place / "reports" / "sensitive" / "tables")
    (place / "derived").mkdir()
    RECORDS.to_parquet(place / "derived" / "records.parquet")
    with pytest.MonkeyPatch.context() as patch:
        pages_without_kernels(patch, fails=["03"])
        go(place, ["province", "05", "03"])
    return place


@pytest.fixture
def place(ready, tmp_path):
    return shutil.copytree(ready, tmp_path / "copy")


def study_of(place, **settings):
    study = Study(**settings)
    return study.with_folders(raw=place / "raw", derived=place / "derived", reports=place / "reports")


def go(place, regions=("province", "05"), study=None, **settings):
    study = study or study_of(place)
    tables = study.paths.reports / "sensitive" / "tables"
    return run_reports(study, regions=regions, tables=tables, out=study.paths.reports, **settings)


def pages(place, study=None):
    found = _pages(study or study_of(place), batch.notebook_folder(None), FRESH_ANALYSIS)
    return {(page.language, page.region): page for page in found}


def test_fresh_failed_and_missing_and_a_failure_is_remembered_until_it_is_mended(place, monkeypatch):
    found = pages(place)
    assert found["fr", "05"] == Thing("page", "fr", "05", "fresh")
    assert found["fr", "03"].status == "failed" and "panne voulue" in found["fr", "03"].why[0]
    assert (found["fr", "01"].status, found["fr", "01"].why) == ("missing", ("never made",))
    assert not [key for key in found if key[0] == "en"]
    made = pages_without_kernels(monkeypatch)
    (outcome,) = go(place, ["03"])
    assert (outcome.status, made) == ("done", ["03"])
    assert pages(place)["fr", "03"].status == "fresh"


def test_a_stale_analysis_makes_its_pages_stale(place):
    stale = Thing("analysis", None, None, "stale")
    page = next(page for page in _pages(study_of(place), batch.notebook_folder(None), stale) if page.region == "05")
    assert (page.status, page.why) == ("stale", ("the analysis is stale",))


def test_every_part_that_changes_is_named(place, monkeypatch):
    tables = place / "reports" / "sensitive" / "tables"
    exits = pd.read_parquet(tables / "exits.parquet")
    exits.head(3).to_parquet(tables / "exits.parquet")
    assert pages(place)["fr", "05"].why == ("tables changed: exits",)
    monkeypatch.setattr(provenance.importlib.metadata, "version", lambda name: "0.0.1")
    assert any(why.startswith("library pandas ") and why.endswith(" → 0.0.1") for why in pages(place)["fr", "05"].why)
    rules = {"support": 25}
    assert "parameter support 20 → 25" in pages(place, study_of(place, **rules))["fr", "05"].why


def test_a_catalogue_is_part_of_what_a_page_comes_from(place, tmp_path, monkeypatch):
    library = shutil.copytree(stamps.PACKAGE, tmp_path / "library")
    for module in (stamps, tables_of_run):
        monkeypatch.setattr(module, "PACKAGE", library)
    assert pages(place)["fr", "05"].status == "fresh"
    catalogue = library / "report" / "locale" / "fr_CA" / "LC_MESSAGES" / "trajectories.po"
    catalogue.write_text(catalogue.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert pages(place)["fr", "05"].why == ("catalogues changed: fr_CA",)
    (library / "report" / "markup.py").write_text("", encoding="utf-8")
    assert pages(place)["fr", "05"].why == ("code changed", "catalogues changed: fr_CA")


def test_a_page_changed_by_hand_or_gone(place):
    page = place / "reports" / "shareable" / "region-05.html"
    page.write_text(page.read_text() + " ")
    assert pages(place)["fr", "05"].why == ("the page is not as it was made",)
    page.unlink()
    assert pages(place)["fr", "05"].status == "missing"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 2, "pages": []}',
                                  '{"version": 2, "pages": {"region-05.html": 3}, "failed": 1}', "\x00"])  # fmt: skip
def test_a_damaged_manifest_or_stamp_says_nothing(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    assert manifest.read_manifest(tmp_path / "manifest.json") == {}
    assert manifest.read_failures(tmp_path / "manifest.json") == {}
    stamp = stamps.Stamp(tmp_path / "manifest.json", tmp_path / "none")
    assert stamp.read() == {} and not stamp.is_current({})


def test_where_nothing_is_remembered_all_is_made_again(place, monkeypatch):
    sensitive = place / "reports" / "sensitive"
    for name in ("manifest.json", around.STAMP):
        (sensitive / name).write_text("{")
    assert pages(place)["fr", "05"].why == ("a page is there that no run has noted",)
    made = pages_without_kernels(monkeypatch)
    assert [outcome.status for outcome in go(place)] == ["done", "done"] and made == ["province", "05"]


def test_origins_compared_part_by_part():
    then = {"study": {"seed": "1", "targets": "x" * 50}, "deposits": {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}}
    now = {"study": {"seed": "2", "targets": "y"}, "deposits": {}, "source": "s"}
    assert changes(then, now) == [
        "setting seed 1 → 2", "setting targets changed", "deposits changed: a, b, c and 2 more", "code changed",
    ]  # fmt: skip
    assert changes(now, now) == []


# What is not done again.


@pytest.fixture
def work(place, monkeypatch):
    """Whoever protects, writes files or opens them for the search is counted; the first run of the copy is done."""
    done = []
    pages_without_kernels(monkeypatch)
    for module, name in ((batch, "all_protected"), (batch, "_write_exports"), (batch, "withhold_leaks")):
        monkeypatch.setattr(module, name, counted(done, name, getattr(module, name)))
    go(place)
    done.clear()
    return done


def counted(done, name, function):
    def count(*arguments, **settings):
        done.append((name, sorted(settings["searched"])) if name == "withhold_leaks" else name)
        return function(*arguments, **settings)

    return count


def names(done):
    return [one if isinstance(one, str) else one[0] for one in done]


def test_an_unchanged_run_does_nothing_and_says_the_same(place, work):
    before = around.hashes_below(place / "reports" / "shareable")
    outcomes = go(place)
    assert work == [] and [(o.status, o.message) for o in outcomes] == [("skipped", None)] * 2
    assert all(outcome.persons for outcome in outcomes)
    assert around.hashes_below(place / "reports" / "shareable") == before
    go(place, force=True)
    assert "withhold_leaks" in names(work)


def shared(name, text):
    def change(place):
        path = place / "reports" / "shareable" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return change


def ledger(place):
    folder = place / "reports" / "sensitive" / "ledger" / "2026-04-01-01"
    folder.mkdir(parents=True)
    (folder / "publication.json").write_text("{}")


def build(place):
    pd.concat([RECORDS, RECORDS.assign(family_name="Zeroual")]).to_parquet(place / "derived" / "records.parquet")


def deposit(place):
    (place / "raw").mkdir()
    (place / "raw" / "EER01.csv").write_text("a")


@pytest.mark.parametrize(
    "change",
    [
        shared("notes.txt", "bonjour"), shared("methode.html", "autre"), shared("index.html", "autre"),
        shared("donnees/retention.csv", "autre"), shared("region-10.html", "ancienne"), build, deposit,
        lambda place: (place / "reports" / "shareable" / "methode.html").unlink(),
        lambda place: (place / "reports" / "sensitive" / around.STAMP).unlink(),
        lambda place: (place / "derived" / "records.parquet").unlink(),
    ],
)  # fmt: skip
def test_any_change_around_the_pages_is_searched_and_mended(place, work, change):
    shareable = place / "reports" / "shareable"
    before = around.hashes_below(shareable)
    change(place)
    go(place)
    assert {"all_protected", "withhold_leaks"} <= set(names(work))
    after = around.hashes_below(shareable)
    assert {name: after.get(name) for name in before} == before


def test_only_what_is_new_is_searched_and_a_leak_in_it_is_found(place, work):
    shared("region-05_taux.csv", "Région;Prénom\nBenali;Amina\n")(place)
    outcomes = go(place)
    assert [(o.region, o.status) for o in outcomes] == [("province", "skipped"), ("05", "failed")]
    searched = next(one[1] for one in work if one[0] == "withhold_leaks")
    assert "methode.html" in searched and "region-05_taux.csv" not in searched
    assert not (place / "reports" / "sensitive" / around.STAMP).exists()
    assert pages(place)["fr", "05"].status == "failed"
    assert "moved to sensitive/withheld" in pages(place)["fr", "05"].why[0]


def test_a_new_name_in_the_build_is_looked_for_in_what_was_searched_before(place, work):
    page = place / "reports" / "shareable" / "region-05_taux.csv"
    page.write_text("Région;Nom\nEstrie;Zeroual\n")
    go(place)
    assert page.exists()  # nobody bears that name yet
    build(place)
    outcomes = go(place)
    assert outcomes[1].status == "failed" and not page.exists()


def test_another_library_or_source_is_another_search(place, work, monkeypatch):
    monkeypatch.setattr(around, "whole_source", lambda **_: "another")
    go(place)
    assert next(one[1] for one in work if one[0] == "withhold_leaks") == []


def test_a_method_page_that_would_read_otherwise_is_written(place, work, monkeypatch):
    monkeypatch.setattr(around, "whole_source", lambda **_: "another")
    whole = method_page.method_page
    monkeypatch.setattr(method_page, "method_page", lambda *about: whole(*about) + "<!-- -->")
    go(place)
    assert (place / "reports" / "shareable" / "methode.html").read_text().endswith("<!-- -->")


def test_a_missing_catalogue_is_a_sentence_before_any_work(place, tmp_path, monkeypatch):
    made = pages_without_kernels(monkeypatch)
    words._words.cache_clear()
    monkeypatch.setattr(words, "catalogue_path", lambda language: tmp_path / "trajectories.po")
    try:
        with pytest.raises(NotebookError, match=r"the catalogue trajectories\.po of fr_CA cannot be read .*install"):
            go(place, force=True)
    finally:
        words._words.cache_clear()
    assert made == []


def test_the_manifest_keeps_failures_apart_from_pages(place):
    said = json.loads((place / "reports" / "sensitive" / "manifest.json").read_text())
    assert sorted(said["pages"]) == ["province.html", "region-05.html"] and list(said["failed"]) == ["region-03.html"]
    assert set(said["failed"]["region-03.html"]) == {"message", "made_from"}
