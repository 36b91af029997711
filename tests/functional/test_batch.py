"""The batch as a user meets it: done, skipped and failed regions, refusals, and what is left on disk."""

import json
import re
import shutil
import stat
from pathlib import Path

import nbformat
import openpyxl
import pandas as pd
import pytest

from page_reading import text_of_workbook
from report_tables import write_tables
from trajectories.exceptions import NotebookError, StaleTableError
from trajectories.report import exports, method_page
from trajectories.report.run import Run
from trajectories.runs.batch import run_reports
from trajectories.simulate.population import POOLS
from trajectories.study import Study

RULES, EXPORTED = Study().disclosure, exports.exported
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """The report notebooks, of which the region's fails for region 03."""
    folder = tmp_path_factory.mktemp("notebooks")
    for path in NOTEBOOKS.glob("*_report.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        guard = 'if region == "03":\n    raise RuntimeError("panne voulue")'
        notebook.cells.insert(3, nbformat.v4.new_code_cell(guard, id="guard"))
        nbformat.write(notebook, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    out = tmp_path_factory.mktemp("reports")
    write_tables(out / "sensitive" / "tables")
    return out


@pytest.fixture(scope="module", autouse=True)
def remembered_exports():
    """The files of the same tables are made once a language; whether they are the same again, one test looks at."""
    made = []

    def recalled(tables, *about):
        for known, known_about, content in made:
            if known_about == about and known.keys() == tables.keys() and all(known[k] is tables[k] for k in known):
                return content
        made.append((tables, about, EXPORTED(tables, *about)))
        return made[-1][-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "exported", recalled)
        yield


def go(place, notebooks, regions, derived=None, **settings):
    tables = place / "sensitive" / "tables"
    study = Study().with_folders(derived=derived or place / "no build")
    return run_reports(study, regions=regions, tables=tables, out=place, notebooks=notebooks, **settings)


@pytest.fixture(scope="module")
def first(place, notebooks):
    told = []
    return go(place, notebooks, ["province", "06", "05", "03"], on_event=told.append), told


def test_regions_end_done_and_the_one_that_fails_is_named(first, place):
    outcomes, told = first
    assert [(o.region, o.status) for o in outcomes] == [
        ("province", "done"), ("06", "done"), ("05", "done"), ("03", "failed"),
    ]  # fmt: skip
    assert sorted(o.region for o in told) == ["03", "05", "06", "province"]
    failed = outcomes[-1]
    assert "panne voulue" in failed.message and "sensitive/logs/region-03.txt" in failed.message
    assert failed.page is None and not (place / "shareable" / "region-03.html").exists()
    assert "RuntimeError: panne voulue" in (place / "sensitive" / "logs" / "region-03.txt").read_text()
    assert all(o.page.is_file() and o.seconds > 0 for o in outcomes[:-1])


def test_a_region_stays_text_and_its_page_bears_its_name(first, place):
    page = (place / "shareable" / "region-06.html").read_text()
    assert "<h1>Montréal</h1>" in page and "Région administrative 06" in page and 'data-region="06"' in page
    executed = nbformat.read(place / "sensitive" / "notebooks" / "region-06.ipynb", as_version=4)
    injected = next(c for c in executed.cells if "injected-parameters" in c.metadata.get("tags", []))
    assert 'region = "06"' in injected.source


def test_the_folders_hold_what_they_should(first, place):
    shared = sorted(path.name for path in (place / "shareable").iterdir())
    pages = ["index.html", "methode.html", "province.html", "region-05.html", "region-06.html"]
    assert shared == ["annexe.html", "donnees", *pages]
    data = {path.name for path in (place / "shareable" / "donnees").iterdir()}
    assert {"trajectoires.xlsx", "indicateurs.csv", "dictionnaire.csv", "retention.csv", "departs.csv"} <= data
    assert all(not name.startswith(".") for name in data)
    kept = sorted(path.name for path in (place / "sensitive" / "notebooks").iterdir())
    assert kept == ["province.ipynb", "region-03.ipynb", "region-05.ipynb", "region-06.ipynb"]
    for folder in (place / "sensitive", place / "sensitive" / "notebooks", place / "sensitive" / "logs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    index = (place / "shareable" / "index.html").read_text()
    # the failed region is listed, and not linked
    files = [f"donnees/{name}" for name in ("trajectoires.xlsx", "indicateurs.csv", "dictionnaire.csv")]
    # on the map, then by code
    links = ["region-05.html", "province.html", "region-05.html", *files, "methode.html", "annexe.html"]
    assert re.findall(r'<a href="([^"#]+)"', index) == links
    assert "Capitale-Nationale" in index


def test_the_manifest_says_what_a_page_came_from_and_no_path(first, place):
    text = (place / "sensitive" / "manifest.json").read_text()
    pages = json.loads(text)["pages"]
    assert sorted(pages) == ["province.html", "region-05.html", "region-06.html"]
    assert "panne voulue" in json.loads(text)["failed"]["region-03.html"]["message"]
    origin = pages["region-05.html"]["made_from"]
    assert set(origin) == {"tables", "ledger", "notebook", "source", "locale", "parameters", "libraries"}
    assert origin["parameters"]["region"] == "05" and origin["parameters"]["support"] == 20
    assert str(place) not in text and "/" not in text.replace("sensitive/logs/", "")


def test_nothing_of_the_machine_is_on_a_page(first, place):
    for path in (place / "shareable").rglob("*.*"):
        text = text_of_workbook(path.read_bytes()) if path.suffix == ".xlsx" else path.read_text()
        assert "non protégées" not in text  # the band of a researcher's notebook
        assert str(place) not in text and "<script" not in text and "http" not in text.replace("http-equiv", "")


@pytest.mark.thorough
def test_an_unchanged_region_is_skipped_and_a_changed_page_is_made_again(first, place, notebooks):
    page = place / "shareable" / "region-05.html"
    before = page.read_bytes()
    (outcome,) = go(place, notebooks, ["05"])
    assert (outcome.status, outcome.page) == ("skipped", page.resolve())
    page.write_bytes(before + b"<!-- -->")
    (outcome,) = go(place, notebooks, ["05"])
    assert outcome.status == "done" and page.read_bytes() == before


@pytest.mark.thorough
def test_the_exports_are_the_same_bytes_again_and_those_of_an_earlier_run_go(first, place, notebooks, monkeypatch):
    monkeypatch.setattr(exports, "exported", EXPORTED)
    data = place / "shareable" / "donnees"
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    (data / "pistes.csv").write_text("d’un autre jour")
    (data / "retention.csv").write_text("changé à la main")
    go(place, notebooks, ["05"])
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


@pytest.mark.thorough
def test_a_failed_region_leaves_no_old_page_behind(first, place, notebooks):
    page = place / "shareable" / "region-03.html"
    page.write_text("<p>ancienne page</p>")
    (outcome,) = go(place, notebooks, ["03"], force=True, jobs=1)
    assert outcome.status == "failed" and not page.exists()


def test_unknown_regions_languages_and_missing_tables_are_refused(place, tmp_path, notebooks):
    with pytest.raises(NotebookError, match=r"unknown region\(s\) '18', '5': a region is a two-digit code"):
        go(place, notebooks, ["05", "18", "5"])
    with pytest.raises(NotebookError, match="no reports in the language 'de'"):
        go(place, notebooks, ["05"], language="de")
    with pytest.raises(StaleTableError, match="run the analysis first"):
        go(tmp_path, notebooks, ["05"])
    with pytest.raises(NotebookError, match="No report notebook in"):
        go(place, tmp_path, ["05"])


@pytest.mark.parametrize(
    ("source", "tags", "said"),
    [
        ('region = "05"', [], "has no cell tagged `parameters`: tag the cell that sets region"),
        ('area = "05"', ["parameters"], "does not know the parameter.s. region, tables, language, rules, support"),
    ],
)
def test_a_notebook_that_cannot_take_its_parameters_is_refused(place, tmp_path, source, tags, said):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": tags})],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}},
    )
    for name in ("region_report.ipynb", "province_report.ipynb"):
        nbformat.write(notebook, tmp_path / name)
    with pytest.raises(NotebookError, match=said):
        go(place, tmp_path, ["05"], force=True)


RECORDS = pd.DataFrame({
    "given_name": ["Amina", "Laurent"], "family_name": ["Benali", "Côté"], "file_number": ["D1195", "7"],
    "organisation_id": ["EER01", "EER01"], "birth_date_earliest": pd.to_datetime(["1985-03-02", "2025-12-31"]),
    "birth_date_latest": pd.to_datetime(["1985-03-02", "2025-12-31"]),
})  # fmt: skip


@pytest.mark.thorough
def test_english_pages_stand_beside_the_french_and_both_are_known(first, place, notebooks):
    shared = place / "shareable"
    before = {path: path.read_bytes() for path in shared.rglob("*") if path.is_file() and path.name != "index.html"}
    (outcome,) = go(place, notebooks, ["05"], language="en")
    assert (outcome.status, outcome.page) == ("done", shared.resolve() / "en" / "region-05.html"), outcome.message
    assert {path: path.read_bytes() for path in before} == before
    method = (shared / "en" / "methode.html").read_text()
    assert '<html lang="en-CA">' in method and 'href="methode.html"' in outcome.page.read_text()
    assert '<html lang="en-CA">' in outcome.page.read_text() and "Administrative region 05" in outcome.page.read_text()
    names = [sorted(path.name for path in (folder / "donnees").iterdir()) for folder in (shared, shared / "en")]
    assert names[0] == names[1]
    # each index leads to its own pages, and to the other
    french, english = (folder / "index.html" for folder in (shared, shared / "en"))
    assert 'href="en/index.html" lang="en-CA"' in french.read_text() and 'href="province.html"' in french.read_text()
    links = re.findall(r'<a href="([^"#]+)"', english.read_text())
    assert links[:2] == ["../index.html", "region-05.html"] and "province.html" not in links
    pages = json.loads((place / "sensitive" / "manifest.json").read_text())["pages"]
    assert {"region-05.html", "en/region-05.html"} <= set(pages)
    assert pages["en/region-05.html"]["made_from"]["parameters"]["language"] == "en"
    assert (place / "sensitive" / "notebooks" / "region-05.en.ipynb").is_file()
    for language in ("en", "fr"):
        (outcome,) = go(place, notebooks, ["05"], language=language)
        assert outcome.status == "skipped"


@pytest.mark.thorough
def test_a_leak_on_an_english_page_withholds_the_region_in_both_languages(first, place, notebooks, tmp_path):
    RECORDS.to_parquet(tmp_path / "records.parquet")
    shared = place / "shareable"
    go(place, notebooks, ["05"], language="en")
    (shared / "en" / "region-05_rates.csv").write_text("Region;Name\nBenali;Amina\n")
    (outcome,) = go(place, notebooks, ["05"], derived=tmp_path)
    assert outcome.status == "failed" and "en/region-05_rates.csv held a given and a family name" in outcome.message
    assert not list(shared.rglob("region-05*"))
    pages = json.loads((place / "sensitive" / "manifest.json").read_text())["pages"]
    assert not [name for name in pages if "region-05" in name]
    assert "region-05.html" not in (shared / "en" / "index.html").read_text() + (shared / "index.html").read_text()
    assert [go(place, notebooks, ["05"], language=one)[0].status for one in ("en", "fr")] == ["done", "done"]
    for folder in (shared / "en", place / "sensitive" / "withheld"):
        shutil.rmtree(folder)


@pytest.mark.thorough
def test_a_run_without_a_build_says_that_names_were_not_looked_for(first, place, notebooks):
    (outcome,) = go(place, notebooks, ["05"])
    assert outcome.status == "skipped" and outcome.message.startswith("no build is at hand: names")


def test_what_leaks_is_withheld_and_its_region_fails(first, place, notebooks, tmp_path):
    derived = tmp_path / "derived"
    derived.mkdir()
    RECORDS.to_parquet(derived / "records.parquet")
    shared, sensitive = place / "shareable", place / "sensitive"
    # pages without a leak, the cut-off being somebody's birthday: silence
    outcomes = go(place, notebooks, ["05", "06"], derived=derived)
    assert [(o.status, o.message) for o in outcomes] == [("skipped", None)] * 2
    (shared / "region-05_taux.csv").write_text("Région;Prénom\nBenali;Amina\n")
    (shared / "region-06.csv").write_text("Région;Taux\nLaval;0,8\n")
    (shared / "notes.txt").write_text("Traceback (most recent call last)\n")
    outcomes = go(place, notebooks, ["05", "06"], derived=derived)
    assert [(o.region, o.status) for o in outcomes] == [("05", "failed"), ("06", "skipped"), ("notes.txt", "failed")]
    said = outcomes[0].message
    assert "region-05_taux.csv held a given and a family name together" in said and "sensitive/logs/leaks.csv" in said
    assert "benali" not in said.lower() and outcomes[0].page is None and outcomes[1].message is None
    assert sorted(p.name for p in (sensitive / "withheld").iterdir()) == [
        "notes.txt", "region-05.html", "region-05_taux.csv",
    ]  # fmt: skip
    assert not list(shared.glob("region-05*")) and (shared / "region-06.csv").exists()
    assert "benali" in (sensitive / "logs" / "leaks.csv").read_text()
    # the index no longer leads to what is not there, and the page is made again when the leak is gone
    assert "region-05.html" not in (shared / "index.html").read_text()
    (outcome,) = go(place, notebooks, ["05"], derived=derived)
    assert (outcome.status, outcome.message) == ("done", None)
    assert "region-05.html" in (shared / "index.html").read_text()
    (shared / "region-06.csv").unlink()


@pytest.mark.thorough
def test_pages_are_no_leak_to_whoever_bears_the_names_of_the_sample(first, place, notebooks, tmp_path):
    couples = [(g, f) for pool in POOLS.values() for g in (*pool.female, *pool.male) for f in pool.family]
    short = ("Le", "Do", "An", "Côté", "Laval", "Mai", "La", "Roy", "Saint", "Marie", "Laurent", "Martin", "Estrie")
    couples += [(g, f) for g in short for f in short]
    people = pd.DataFrame(couples, columns=["given_name", "family_name"])
    born = pd.Timestamp("1930-01-01") + pd.to_timedelta(range(len(people)), unit="D")
    born = born.where(born < pd.Timestamp("2024-01-01"), pd.Timestamp("2021-03-31"))
    numbers = [str(n) for n in range(len(people))]
    people = people.assign(birth_date_earliest=born, birth_date_latest=born, file_number=numbers)
    people.to_parquet(tmp_path / "records.parquet")
    assert len(people) > 5000
    outcomes = go(place, notebooks, ["05", "06", "province"], derived=tmp_path)
    assert {o.status for o in outcomes} <= {"done", "skipped"}, outcomes


@pytest.mark.thorough
def test_a_leak_on_a_page_of_an_earlier_run_is_found(first, place, notebooks, tmp_path):
    RECORDS.to_parquet(tmp_path / "records.parquet")
    page = place / "shareable" / "province.html"
    page.write_text(page.read_text().replace("<h1>", "<h1 title='D1195'>"))
    outcomes = go(place, notebooks, ["05"], derived=tmp_path)
    assert [(o.region, o.status) for o in outcomes] == [("05", "skipped"), ("province", "failed")]
    assert "province.html held" in outcomes[1].message and not page.exists()


@pytest.mark.thorough
def test_a_leak_in_a_workbook_is_withheld_and_the_index_leads_to_it_no_more(first, place, notebooks, tmp_path):
    RECORDS.to_parquet(tmp_path / "records.parquet")
    book = openpyxl.Workbook()
    book.active["A1"], book.active["B1"] = "Benali", "Amina"
    book.save(place / "shareable" / "copie.xlsx")
    outcomes = go(place, notebooks, ["05"], derived=tmp_path)
    assert [(o.region, o.status) for o in outcomes] == [("05", "skipped"), ("copie.xlsx", "failed")]
    assert (place / "sensitive" / "withheld" / "copie.xlsx").exists()


@pytest.mark.thorough
def test_a_leak_on_the_method_page_is_withheld_and_the_page_is_there_again_when_it_is_gone(
    first, place, notebooks, tmp_path, monkeypatch
):
    RECORDS.to_parquet(tmp_path / "records.parquet")
    shared, whole = place / "shareable", method_page.method_page
    assert 'href="methode.html"' in (shared / "region-05.html").read_text()
    monkeypatch.setattr(method_page, "method_page", lambda *about: whole(*about) + "<p>Amina Benali</p>")
    outcomes = go(place, notebooks, ["05"], derived=tmp_path)
    assert [(o.region, o.status) for o in outcomes] == [("05", "skipped"), ("methode.html", "failed")]
    assert (place / "sensitive" / "withheld" / "methode.html").exists() and not (shared / "methode.html").exists()
    assert "methode.html" not in (shared / "index.html").read_text()
    monkeypatch.undo()
    (outcome,) = go(place, notebooks, ["05"], derived=tmp_path)
    assert (outcome.status, outcome.message) == ("skipped", None)
    assert 'href="methode.html"' in (shared / "index.html").read_text()
    assert (shared / "methode.html").read_text() == whole(Run.read(place / "sensitive" / "tables"), RULES, "fr")


@pytest.mark.thorough
def test_a_process_that_dies_costs_its_own_region_only(place, tmp_path):
    notebook = nbformat.read(NOTEBOOKS / "region_report.ipynb", as_version=4)
    killer = 'import os\n\nif region == "11":\n    os.kill(os.getpid(), 9)'
    notebook.cells.insert(3, nbformat.v4.new_code_cell(killer, id="killer"))
    nbformat.write(notebook, tmp_path / "region_report.ipynb")
    outcomes = go(place, tmp_path, ["11", "08"], force=True)
    assert [(o.region, o.status) for o in outcomes] == [("11", "failed"), ("08", "done")]
    assert "died twice" in outcomes[0].message
