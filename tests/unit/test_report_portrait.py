"""The sections on who settled, when and how, and how many are there: what they say, in which order, and leave out."""

import dataclasses
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
from trajectories.report.run import FILES, Run
from trajectories.report.sections import portrait
from trajectories.report.words import words
from trajectories.study import REGION_CODES, Study

W = words("fr")
TARGETS = {("05", "2021-2022"): 40, ("05", "2022-2023"): 60, ("03", "2021-2022"): 90}
STUDY = Study(targets=TARGETS, groups={"Est": ("01", "05")})
SECTIONS = [sections.opening, sections.who_came, portrait.who_they_are, portrait.when_and_how, portrait.how_many]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = portrait_tables.make(450, seed=4)
    drawn = whole_portrait(*made.tables(), cutoff=portrait_tables.CUTOFF, study=STUDY)
    stays = drawn.counts[drawn.counts["table"].eq("stays") & drawn.counts["group"].isin(REGION_CODES)]
    facts = description(STUDY, {"cutoff": "2024-12-31", "synthetic": "yes"})
    tables = write_tables(tmp_path_factory.mktemp("tables"), stays.set_index("group")["persons"].to_dict(), **facts)
    names = ("counts", "stock", "delay_curves")
    write_results({name: getattr(drawn, name) for name in names}, tables)
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
    assert {"stock.parquet", "delay_curves.parquet"} < set(FILES)


def test_who_they_are_is_told_in_persons_and_households_in_the_order_of_the_tables(reports):
    text = part_of(page(reports["province"]), "qui")
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
    assert "Inconnu" not in text  # nobody: of everyone all is known


def test_what_is_less_looked_for_opens_on_demand_and_prints_open(reports):
    text = page(reports["05"])
    more = text[text.index("<details><summary>") : text.index("</details>")]
    assert re.findall(r"<caption>Personnes établies selon ([^<]+)<", more) == [
        "la connaissance du français", "la scolarité", "la région de naissance",
    ]  # fmt: skip
    assert re.search(r"@media print \{.*details::details-content", text, re.S)


def test_a_region_names_its_own_town_and_one_area_alone_is_no_table(reports):
    own, ring, whole = (part_of(page(reports[region]), "qui") for region in ("05", "16", "province"))
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
        assert "<svg" not in text[text.index('id="s-etablissements"') :] if region == "09" else "s-qui" not in text
        assert "nan" not in text_of(text).lower() and "None" not in text_of(text)


def test_a_year_stands_beside_its_target_where_the_region_has_one(reports):
    caption = "Personnes établies selon l’exercice"
    text = page(reports["05"])
    assert header_of(text, caption)[-2:] == ["Cible (ménages)", "Atteint"]
    rows = rows_of(text, caption)
    told = beside_targets(reports["05"].counts, STUDY).set_index("fiscal_year")
    for year, target in (("2021-2022", "40"), ("2022-2023", "60")):
        assert rows[year][2:] == [target, f"{told.loc[year, 'reached_percent']}\u00a0%"]
        assert told.loc[year, "reached_percent"] % 5 == 0
    assert rows["2020-2021"][2:] == ["–", "–"]
    for region in ("16", "Est", "province"):  # neither 01 nor all regions have a target
        assert header_of(page(reports[region]), caption)[-1] == "Ménages (arrondi)"


def test_a_hidden_year_hides_how_far_its_target_was_reached(reports):
    report = reports["05"]
    frame = report.counts.frame.copy()
    at = frame["table"].eq("fiscal_year") & frame["key"].eq("2021-2022")
    frame["shown"] &= ~at
    frame.loc[at, ["persons_rounded", "households_rounded"]] = pd.NA
    hidden = type(report)(**{**vars(report), "counts": type(report.counts)("counts", frame, report.rules)})
    rows = rows_of(page(hidden), "Personnes établies selon l’exercice")
    assert rows["2021-2022"] == ["masqué", "masqué", "40", "masqué"]


def test_the_share_settled_stands_at_some_months_under_its_curve(reports):
    text = part_of(page(reports["03"]), "quand")
    assert 'id="delai"' in text
    share = reports["03"].more["delays"].of("03").frame.set_index("month")["incidence_settled"]
    assert share.index.max() < 60
    rows = rows_of(text, "Part déjà établie")
    assert list(rows) == ["6\u00a0mois", "12\u00a0mois", "24\u00a0mois", "60\u00a0mois"]
    assert rows["12\u00a0mois"] == [f"{round(100 * share[12])}\u00a0%"]
    assert rows["60\u00a0mois"] == ["masqué"]
    assert next(iter(rows_of(text, "Personnes établies selon le temps depuis l’arrivée"))) == "Moins de 3\u00a0mois"
    # of a group of regions no curve is made: the classes stand alone
    group = part_of(page(reports["Est"]), "quand")
    assert "<svg" not in group and "Moins de 3" in group


def test_services_are_those_of_persons_from_the_metropole_the_most_frequent_first(reports):
    text = part_of(page(reports["province"]), "quand")
    rows = rows_of(text, "Personnes établies en région qui avaient reçu chaque service")
    assert next(iter(rows)) == "Au moins un service"
    numbers = [int(cells[0].replace("\u00a0", "")) for cells in list(rows.values())[1:] if cells[0] != "masqué"]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) >= 3
    assert "Jumelage" not in rows  # nobody had it
    came = reports["province"].counts.frame.query("table == 'pathway' and key == 'secondary'").iloc[0]
    persons, households = W.number(came["persons_rounded"]), W.number(came["households_rounded"])
    assert f"Elles sont environ {persons}, de {households} ménages." in text
    assert "Seules comptent ici les personnes venues de cette région" in text


def test_a_hidden_service_is_last_and_says_so(reports):
    report = reports["05"]
    frame = report.counts.frame.copy()
    at = frame["table"].eq("service_information")
    frame["shown"] &= ~at
    frame.loc[at, ["persons_rounded", "households_rounded"]] = pd.NA
    hidden = type(report)(**{**vars(report), "counts": type(report.counts)("counts", frame, report.rules)})
    rows = rows_of(page(hidden), "Personnes établies en Estrie qui avaient reçu")
    assert list(rows)[-1] == "Information" and rows["Information"] == ["masqué", "masqué"]


def test_the_stock_is_told_by_month_and_once_a_year_for_regions_and_the_whole_only(reports):
    text = part_of(page(reports["05"]), "presents")
    assert text.count("<svg") == 2 and "ni la population, ni le «\u00a0taux de présence\u00a0»" in text
    rows = rows_of(text, "Personnes connues qui vivent en Estrie")
    assert list(rows)[-2:] == ["31\u00a0mars 2024", "31\u00a0décembre 2024"]
    assert all(int(least) <= int(most) and int(most) % 10 == 0 for least, most in rows.values())
    assert "s-presents" in page(reports["province"])
    assert "s-presents" not in page(reports["Est"])
    assert "Est" not in set(reports["province"].more["stock"].frame["group"])


@pytest.mark.parametrize("region", ["05", "09", "Est", "province"])
def test_the_page_stays_accessible(reports, region):
    text = page(reports[region])
    tags = Reader(text).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert text.count("<table") == text.count("<caption>")
    assert page_anew(reports[region]) == text


def test_without_the_optional_tables_the_page_has_the_rest(reports):
    more = {name: table for name, table in reports["05"].more.items() if name not in ("stock", "delays")}
    assert len(more) == len(reports["05"].more) - 2
    text = page(dataclasses.replace(reports["05"], more=more))
    assert "s-qui" in text and "s-quand" in text and "s-presents" not in text and 'id="delai"' not in text
