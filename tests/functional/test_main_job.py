"""The main job, once, with nothing invented but the deposits: the sample's dirty deposits → protected pages."""

import json

import pandas as pd
import pytest

from page_reading import text_of_workbook
from sample_project import REGIONS, reported
from trajectories.report.addresses import page_name
from whole_line import not_said


@pytest.fixture(scope="module")
def reports():
    return reported() / "reports" / "sample"


def test_every_page_is_there_and_says_what_it_should(reports):
    shared = reports / "shareable"
    pages = {path.name: path.read_text(encoding="utf-8") for path in shared.glob("*.html")}
    assert set(pages) == {*map(page_name, REGIONS), "index.html", "methode.html", "annexe.html"}
    assert "Capitale-Nationale" in pages["region-03.html"] and "Ensemble des régions" in pages["province.html"]
    assert all("Données synthétiques" in page for page in pages.values())
    assert not_said(pages) == {}


def test_rows_were_dirty_and_each_has_a_fate(reports):
    counts = pd.read_parquet(reports / "sensitive" / "tables" / "counts.parquet")
    rows = counts.query("group == 'province' and table == 'rows'").set_index("key")["persons"]
    assert rows["quarantined"] > 0 and rows["accepted"] > 1000
    assert rows.drop("total").sum() == rows["total"]


def test_rates_are_displayed_and_none_of_few_persons_is(reports):
    page = (reports / "shareable" / "region-03.html").read_text(encoding="utf-8")
    assert "12\u00a0mois après leur établissement" in page and 'id="courbe"' in page
    rates = pd.read_csv(reports / "shareable" / "donnees" / "retention.csv", sep=";", decimal=",", encoding="utf-8-sig")
    told = rates[rates["Estimation"].notna()]
    persons = told["Personnes au départ (arrondi)"].dropna()
    assert len(told) > 20 and persons.min() >= 20 and (persons % 5 == 0).all()
    hidden = rates[rates["Statut"].eq("masqué")]
    assert len(hidden) and hidden[["Estimation", "Personnes au départ (arrondi)"]].isna().all(axis=None)


def test_what_is_shared_says_nothing_of_the_machine_and_the_rest_is_closed(reports):
    for path in (reports / "shareable").rglob("*.*"):
        text = text_of_workbook(path.read_bytes()) if path.suffix == ".xlsx" else path.read_text(encoding="utf-8")
        assert str(reports) not in text and "<script" not in text
    assert reports.joinpath("sensitive").stat().st_mode & 0o777 == 0o700
    manifest = json.loads((reports / "sensitive" / "manifest.json").read_text(encoding="utf-8"))
    assert not manifest["failed"] and set(manifest["pages"]) == set(map(page_name, REGIONS))
