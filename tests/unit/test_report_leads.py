"""The section « Pistes d’amélioration »: what it tells of each lead, what it leaves out, and when it has none."""

import re

import pandas as pd
import pytest

from figure_tables import services_and_staying
from lead_tables import every_table, expected
from page_reading import rows_of, text_of
from report_tables import opened, write_tables
from trajectories.analysis.services.leads import ranked_leads
from trajectories.report.sections import leads, whole


def pages(folder, raw, regions):
    tables = write_tables(folder, dict.fromkeys(("05", "08", "09", "11"), 640))
    raw.to_parquet(tables / "leads.parquet", index=False)
    makers = {"province": leads.leads}
    return {one.region: makers.get(one.region, leads.to_do)(one) for one in opened(tables, regions)}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    raw = ranked_leads(every_table())
    raw.loc[raw["group"].eq("08"), "households"] = 96  # of 100: four were met, which no number may tell
    return pages(tmp_path_factory.mktemp("tables"), raw, ["05", "08", "11", "09", "province"])


def test_a_lead_tells_its_figure_its_doubt_and_what_would_check_it(found):
    text = text_of(str(found["05"].html))
    assert "Resserrer le relais entre la métropole et la région" in text
    assert "50 % des ménages" in text.replace("\u00a0", " ")
    assert "alors que le reste de la province laisse prévoir 25 %; environ 60 ménages" in text.replace("\u00a0", " ")
    assert (
        "piste solide" in text and "L’organisme de la région" in text and "À vérifier." in text and "Prudence." in text
    )
    first, second = re.findall(r"<h3>(.*?)</h3>", str(found["05"].html))
    assert "90 jours" in first and "Emploi" in second


def test_a_lead_whose_numbers_are_too_small_stands_without_them(found):
    text = text_of(str(found["08"].html)).split("Comment se lit")[0]
    assert "Resserrer le relais" in text and "masqués" in text
    assert not re.search(r"\d+\s%", text)


def test_where_nothing_holds_or_nothing_could_be_looked_at_the_section_says_so(found):
    assert "Aucune piste ne ressort" in text_of(str(found["11"].html))
    assert "Trop peu de ménages" in text_of(str(found["09"].html))
    assert "<ol" not in str(found["11"].html) + str(found["09"].html)


def test_a_brief_tells_the_first_three_in_their_order(tmp_path):
    raw = ranked_leads(every_table())
    many = pd.concat([raw[raw["group"].eq("05") & raw["rule"].eq("needs_stay_unanswered")]] * 5, ignore_index=True)
    many = many.assign(subject=["job", "school", "housing", "childcare", "network"])
    many["households"] = [40.0, 52.0, 64.0, 76.0, 88.0]
    shown = pages(tmp_path / "tables", many, ["05"])["05"]
    titles = re.findall(r"<h3>[^<]*«\u00a0([^»]*)\u00a0»", str(shown.html))

    assert titles == ["Réseau social", "Garde d’enfants", "Logement"]


def test_the_whole_has_its_own_leads_and_the_surest_of_the_regions(found):
    html_text = str(found["province"].html)
    assert len(re.findall("<h3>", html_text)) == 3  # two leads, and the regions
    text = text_of(html_text).replace("\u00a0", " ")
    assert "multiplié par 0,60" in text
    # wanting everywhere: beside the line, not beside the rest
    assert "55 % à 65 % des besoins dits par les ménages sont sans réponse six mois plus tard" in text
    assert "le seuil est de 50 %; environ 300 ménages" in text and "Le Ministère" in text
    table = html_text[html_text.index("<caption>Les pistes les plus sûres") :]
    names = [text_of(name).strip() for name in re.findall(r'<th scope="row">(.*?)</th>', table)]
    assert names == ["Estrie", "Estrie", "Abitibi-Témiscamingue"]
    assert "masqué" in text_of(table)


@pytest.mark.thorough
def test_without_the_table_there_is_no_section(tmp_path):
    (report,) = opened(write_tables(tmp_path / "tables"), ["05"])
    assert leads.leads(report).kind == leads.to_do(report).kind == "empty"


@pytest.mark.thorough
def test_a_category_is_named_on_the_page_of_the_whole(tmp_path):
    table = pd.concat([expected(_05=(30, 30.0, 100, 0.9)), expected(_x=(60, 30.0, 120, 1e-6)).assign(
        group="immigration_category=refugee")])  # fmt: skip
    shown = pages(tmp_path / "tables", ranked_leads({"service_expected": table}), ["province"])["province"]
    assert "Catégorie d’immigration" in text_of(str(shown.html)) and "refugee" not in str(shown.html)


@pytest.mark.thorough
def test_services_stand_beside_their_controls_on_the_page_of_the_whole(tmp_path):
    tables = write_tables(tmp_path / "tables")
    services_and_staying().to_parquet(tables / "associations.parquet")
    (report,) = opened(tables, ["province"])
    html_text = str(whole.associations(report).html)
    rows = rows_of(html_text, "Rapport des risques de partir")
    # « other », which twelve stays received, is not told
    assert list(rows) == ["Jumelage", "Recherche d’emploi"]
    assert [cell.replace("\u00a0", " ") for cell in rows["Jumelage"]] == [
        "0,62 0,49 – 0,79", "0,62 0,49 – 0,79", "0,62 0,49 – 0,79", "1,00 0,80 – 1,26", "1,3",
    ]  # fmt: skip
    assert "Autre témoin : le service « Information »" in text_of(html_text).replace("\u00a0", " ")
    told = report.more["served"].frame.set_index(["model", "term"])
    hidden = told.loc[("discrete", "other")]
    assert not hidden["shown"] and hidden[["hazard_ratio_rounded", "e_value_rounded", "lower"]].isna().all()


def test_without_services_the_section_of_associations_is_as_it_was(tmp_path):
    (report,) = opened(write_tables(tmp_path / "tables"), ["province"])
    assert whole.associations(report).kind == "empty"
