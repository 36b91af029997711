"""The section on who settled: what it says, in which order, what opens on demand, and what it leaves out."""

import dataclasses
import datetime as dt
import re

import pandas as pd
import pytest

import portrait_tables
from page_reading import Reader, header_of, notebook, rows_of, text_of
from report_tables import write_tables
from trajectories.analysis.portrait import MIGRATIONS, WHO, whole_portrait
from trajectories.analysis.results import write_results
from trajectories.disclosure.displayed import beside_targets
from trajectories.provenance import description
from trajectories.report import html, sections
from trajectories.report.inputs import open_reports
from trajectories.report.run import Run
from trajectories.report.words import words
from trajectories.study import REGION_CODES, Study

W = words("fr")
TARGETS = {("05", "2021-2022"): 40, ("05", "2022-2023"): 60, ("03", "2021-2022"): 90}
STUDY = Study(targets=TARGETS, groups={"Est": ("01", "05")})
SECTIONS = [sections.opening, sections.who_came]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = portrait_tables.make(450, seed=4)
    drawn = whole_portrait(*made.tables(), cutoff=portrait_tables.CUTOFF, study=STUDY)
    stays = drawn.counts[drawn.counts["table"].eq("stays") & drawn.counts["group"].isin(REGION_CODES)]
    facts = description(STUDY, {"cutoff": "2024-12-31", "synthetic": "yes"})
    tables = write_tables(tmp_path_factory.mktemp("tables"), stays.set_index("group")["persons"].to_dict(), **facts)
    write_results({"counts": drawn.counts}, tables)
    return tables


@pytest.fixture(scope="module")
def reports(folder):
    regions = ["05", "03", "09", "10", "16", "Est", "province"]
    return {report.region: report for report in open_reports(folder, regions)}


MADE = {}


def page(report):
    """The page of a report, made once: most tests look at the same four."""
    if id(report) not in MADE:
        MADE[id(report)] = report, page_anew(report)  # with the report, so that no other takes its address
    return MADE[id(report)][1]


def page_anew(report):
    return html.page(
        notebook(*(part(report) for part in SECTIONS)), region=report.region, language="fr", run=report.run
    )


def part_of(text, name):
    start = text.index(f'id="s-{name}"')
    return text[start : text.index("</section>", start)]


@pytest.mark.thorough
def test_targets_go_from_the_study_to_the_page_and_back(folder):
    assert dict(Run.read(folder).targets) == TARGETS


def test_who_they_are_is_told_in_persons_and_households_in_the_order_of_the_tables(reports):
    text = part_of(page(reports["province"]), "etablissements")
    for table, caption in {
        "immigration_category": "Personnes établies selon la catégorie",
        "age": "Personnes établies selon l’âge",
        "household_type": "Personnes établies selon le type de ménage",
        "area": "Personnes établies selon le lieu",
        "migration": "Personnes établies selon le parcours",
        "french": "Personnes établies selon la connaissance du français",
        "country_group": "Personnes établies selon la région de naissance",
    }.items():
        assert header_of(text, caption)[1:] == ["Personnes (arrondi)", "Ménages (arrondi)"]
        counts = reports["province"].counts.frame.query("table == @table").set_index("key")["persons_rounded"]
        order = [key for key in {**WHO, "migration": MIGRATIONS}[table] if key != "unknown"]
        counts = counts[order]
        if table in ("country_group", "area"):
            counts = counts[counts.isna() | counts.gt(0).fillna(False)]
        told = ["masqué" if pd.isna(number) else W.number(number) for number in counts]
        assert [cells[0] for cells in rows_of(text, caption).values()] == told, table
    who = text[text.index("selon la catégorie") :]
    assert "Inconnu" not in who  # nobody: of everyone all is known


def test_who_they_are_opens_on_demand_and_is_left_out_on_paper(reports):
    text = page(reports["05"])
    more = text[text.index("<details><summary>") : text.index("</details>", text.index("<details><summary>"))]
    assert len(re.findall(r"<caption>Personnes établies selon ([^<]+)<", more)) == 10
    assert re.search(r"@media print \{.*main:has\(.brief\) details:has\(.table\) \{ display: none", text, re.S)


def test_a_region_names_its_own_town_and_one_area_alone_is_no_table(reports):
    own, ring, whole = (part_of(page(reports[region]), "etablissements") for region in ("05", "16", "province"))
    assert list(rows_of(own, "Personnes établies selon le lieu")) == ["Ville de Sherbrooke", "Ailleurs en région"]
    assert "selon le lieu" not in ring
    assert list(rows_of(whole, "Personnes établies selon le lieu"))[:2] == [
        "Couronne proche, hors périmètre", "Québec, Sherbrooke, Gatineau, Trois-Rivières ou Saguenay",
    ]  # fmt: skip


def test_a_small_region_shows_no_table_that_is_wholly_hidden(reports):
    for region in ("09", "10"):
        text = page(reports[region])
        for body in re.findall(r"<tbody>(.*?)</tbody>", text, re.S):
            cells = re.findall(r"<td>(.*?)</td>", body)
            assert set(cells) != {"masqué"}, region
        assert "s-etablissements" not in text
        assert "nan" not in text_of(text).lower() and "None" not in text_of(text)


def test_households_stand_beside_the_target_of_each_year_that_has_one(reports):
    caption = "Ménages établis en Estrie, et la cible"
    text = page(reports["05"])
    assert header_of(text, caption) == ["Exercice", "Cible (ménages)", "Ménages (arrondi)", "Atteint"]
    rows = rows_of(text, caption)
    told = beside_targets(reports["05"].counts, STUDY).set_index("fiscal_year")
    assert list(rows) == ["2021-2022", "2022-2023"]
    for year, target in (("2021-2022", "40"), ("2022-2023", "60")):
        assert [rows[year][0], rows[year][2]] == [target, f"{told.loc[year, 'reached_percent']}\u00a0%"]
        assert told.loc[year, "reached_percent"] % 5 == 0
    for region in ("16", "Est", "province"):  # neither 01 nor all regions have a target
        assert "la cible de l’exercice" not in page(reports[region])


def test_a_year_that_runs_says_how_much_of_it_is_over(reports):
    report = reports["05"]
    run = dataclasses.replace(report.run, cutoff=dt.date(2022, 12, 31))
    rows = rows_of(page(dataclasses.replace(report, run=run)), "Ménages établis en Estrie, et la cible")
    assert list(rows) == ["2021-2022", "2022-2023 (9\u00a0mois sur 12)"]


def test_a_hidden_year_hides_how_far_its_target_was_reached(reports):
    report = reports["05"]
    frame = report.counts.frame.copy()
    at = frame["table"].eq("fiscal_year") & frame["key"].eq("2021-2022")
    frame["shown"] &= ~at
    frame.loc[at, ["persons_rounded", "households_rounded"]] = pd.NA
    hidden = type(report)(**{**vars(report), "counts": type(report.counts)("counts", frame, report.rules)})
    rows = rows_of(page(hidden), "Ménages établis en Estrie, et la cible")
    assert rows["2021-2022"] == ["40", "masqué", "masqué"]


@pytest.mark.parametrize("region", ["05", "09", "Est", "province"])
def test_the_page_stays_accessible(reports, region):
    text = page(reports[region])
    tags = Reader(text).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert text.count("<table") == text.count("<caption>")
    assert page_anew(reports[region]) == text
