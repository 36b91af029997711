"""The section on services: what it says of the way, the reach, needs and follow-up, and of what it may not say."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from page_reading import header_of, notebook, rows_of, text_of
from report_tables import opened, write_tables
from trajectories.report import html, sections
from trajectories.report.inputs import open_report
from trajectories.report.run import FILES
from trajectories.report.sections import services
from trajectories.report.words import NO_BREAK
from trajectories.tables import EXIT_REASONS, NEEDS

PERSONS = {"05": 640, "03": 210, "08": 70, "09": 12, "10": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"), PERSONS, groups={"Est": ["03", "05"]})


@pytest.fixture(scope="module")
def reports(folder):
    return {one.region: one for one in opened(folder, ["05", "03", "08", "09", "10", "Est", "province"])}


def page(report):
    shown = notebook(sections.opening(report), services.service_path(report))
    return html.page(shown, region=report.region, language="fr", run=report.run).replace(NO_BREAK, " ")


def without(report, *names):
    """The report where some tables of services were not made."""
    left = {name: table for name, table in report.more.items() if name not in names}
    return dataclasses.replace(report, more=left)


def test_the_tables_of_services_are_part_of_what_a_page_is_made_of():
    assert {f"service_{name}.parquet" for name in services.TABLES} < set(FILES)


def test_the_way_is_told_step_by_step_in_households(reports):
    text = page(reports["05"])
    rows = rows_of(text, "Ménages à chaque étape du parcours en Estrie")
    assert rows == {
        "Établis en région": ["320 à 329"], "Rencontrés en région": ["280 à 289"],
        "Présence confirmée à 12 mois": ["190 à 199"],
    }  # fmt: skip
    said = text_of(text)
    assert "320 à 329 se sont établis en Estrie, et 280 à 289 y ont été rencontrés" in said
    assert "la présence de 190 à 199 d’entre eux y est confirmée" in said and "de 60 à 69 autres" in said
    whole = page(reports["province"])
    assert list(rows_of(whole, "Ménages à chaque étape du parcours en région"))[:2] == [
        "Rencontrés dans la métropole", "Préparés au départ",
    ]  # fmt: skip
    assert "De 930 à 939 ménages rencontrés dans la région métropolitaine, 460 à 469" in text_of(whole)


def test_transfers_and_the_first_service_are_told_and_said_to_be_of_those_known(reports):
    said = text_of(page(reports["05"]))
    # 154 and 205 of 256: 150 to 159 and 200 to 209 of 250 to 259
    assert "Sur au moins 250 ménages" in said and "57 % à 64 % ont été rencontrés" in said
    assert "dans les 30 jours, et 77 % à 84 % dans les 90 jours" in said
    assert "la part réelle peut être plus basse" in said


def test_reach_has_a_row_a_service_and_a_column_a_window(reports):
    text = page(reports["05"])
    caption = "Part des ménages établis en Estrie qui ont reçu chaque service"
    assert header_of(text, caption) == ["Service", "Avant", "Autour", "Après"]
    rows = rows_of(text, caption)
    assert list(rows)[:2] == ["Au moins un service", "Recherche d’emploi"]  # the commonest afterwards
    assert rows["Jumelage"][:2] == ["0 % à 3 %"] * 2
    assert "le service le plus souvent reçu est « Recherche d’emploi » : 36 % à 41 % des ménages" in text_of(text)


def test_needs_come_first_and_the_rest_opens_on_demand_with_its_caveats(reports):
    text = page(reports["05"])
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "Besoins dits par les ménages" not in folded and folded.count("<table") == text.count("<table") - 1 == 5
    assert text.index("Le besoin le plus souvent sans réponse") < text.index("Des ménages rencontrés dans la région")
    assert list(rows_of(text, "Besoins dits par les ménages établis en Estrie")) == ["École", "Emploi"]
    assert rows_of(text, "Raisons de départ, en Estrie")["Emploi"][0] == "90 ou plus"
    follow_up = rows_of(text, "Contacts de suivi faits, et personnes jointes, en Estrie")
    assert list(follow_up) == ["3 mois : tous les organismes", "12 mois : tous les organismes"]
    said = text_of(text)
    assert "une part élevée ne dit pas que le service échoue" in said
    assert "Un contact non fait n’est pas un départ" in said
    types = rows_of(page(reports["province"]), "Contacts de suivi faits")
    assert "3 mois : grands organismes de la région" in types and "3 mois : petits organismes de la région" in types


def test_what_may_not_be_told_is_named_in_one_sentence(reports):
    said = text_of(page(reports["08"]))
    why = "Non montrés, faute de ménages assez nombreux : "
    what = "les besoins restés sans réponse, la prise de contact en région, les services reçus et les raisons de départ"
    assert why + what in said
    assert "Ménages à chaque étape" in said


def test_a_small_region_has_no_section_and_one_of_which_all_is_hidden_says_so(reports):
    assert not services.service_path(reports["09"]).html
    few = without(reports["05"], *(f"service_{name}" for name in services.TABLES))
    hidden = {name: table.of("10") for name, table in reports["05"].more.items() if name.startswith("service_")}
    text = page(dataclasses.replace(few, more={**few.more, **hidden}))
    assert "Trop peu de ménages sont suivis en Estrie" in text_of(text)
    assert "<figure" not in text and "<table" not in text
    assert not services.service_path(reports["10"]).html


def test_a_group_of_regions_is_referred_to_their_pages(reports):
    text = page(reports["Est"])
    assert "voir la page de chaque région" in text_of(text) and "<table" not in text


def test_without_its_tables_services_are_not_on_the_page(reports):
    report = without(reports["05"], *(f"service_{name}" for name in services.TABLES))
    assert services.service_path(reports["05"]).html and not services.service_path(report).html


@pytest.mark.parametrize("name", services.TABLES)
def test_without_one_of_its_tables_the_rest_is_told(reports, name):
    assert f"service_{name}" in reports["05"].more
    text = page(without(reports["05"], f"service_{name}"))
    assert 'id="s-services"' in text and "<table" in text
    assert not re.search(r"<p>\s*</p>|None|nan", text)


def test_a_hidden_share_is_said_to_be_hidden(tmp_path):
    tables = write_tables(tmp_path, {"05": 640})
    for path in tables.glob("service_*.parquet"):
        if path.stem != "service_reach":
            path.unlink()
    table = pd.read_parquet(tables / "service_reach.parquet")
    numbers = ["estimate", "lower", "upper"]
    table.loc[table["when"].eq("after") & table["service"].eq("pairing"), numbers] = np.nan
    table.to_parquet(tables / "service_reach.parquet")
    text = page(open_report(tables, "05"))
    assert rows_of(text, "Part des ménages établis en Estrie")["Jumelage"] == ["0 % à 3 %", "0 % à 3 %", "masqué"]


def test_every_need_and_reason_that_a_service_answers_has_its_words(reports):
    from trajectories.analysis.services.gaps import ANSWERS, FOR_REASON

    said = reports["05"].words
    assert set(ANSWERS) < set(NEEDS) and set(FOR_REASON) < set(EXIT_REASONS)
    assert [need for need in ANSWERS if not said.has(f"need.{need}")] == []
    assert [reason for reason in FOR_REASON if not said.has(f"exit_reason.{reason}")] == []
