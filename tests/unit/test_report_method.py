"""« Ailleurs », how to cite, the method in a paragraph, and the method page: its text, its figures, its glossary."""

import dataclasses
import itertools
import re
from pathlib import Path

import pandas as pd
import pytest

from page_reading import Reader, text_of
from report_tables import opened, write_tables
from trajectories.report import html
from trajectories.report.addresses import METHOD
from trajectories.report.annex import annex
from trajectories.report.leaks import Secrets, find_leaks
from trajectories.report.method_page import TERMS, method_page
from trajectories.report.run import Run
from trajectories.report.sections import elsewhere, method
from trajectories.report.words import LOCALES, method_text, read_catalogue, words
from trajectories.study import Disclosure, Study

ROOT = Path(__file__).resolve().parents[2]
# Figure → the row or rows of docs/domain.md that it comes from, by what they begin with.
ROWS = {
    "quebec": ("| Québec (province), IMDB taxfilers, cohort 2016", "| Québec, cohorts 2020 / 2021"),
    "abitibi": ("| **Abitibi-Témiscamingue** (région, intended destination)",),
    "cities": ("| CMA, cohort 2014 → 2019",),
    "atlantic": ("| AIP (survey)", "| AIP Nova Scotia 1-yr (tax)"),
    "indochina": ("| Indochinese 1979-80 en région",),
    "metropole": ("| immigrants living in RMR Montréal, 2016", "| same, 2021 (grande région de Montréal)"),
}
# Source → how those rows name it.
NAMED = {
    "La Presse": "La Presse", "statcan_daily": "Daily", "CBC": "CBC", "ircc_evaluation": "immihaber",
    "CIC News": "cicnews", "Observatoire de l’Abitibi-Témiscamingue": "observat.qc.ca",
    "Plan d’action ministériel sur la régionalisation de l’immigration": "Plan",
    "Le Journal de Montréal": "J. de Montréal",
}  # fmt: skip
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
# Where the method page may be led to: its chapters, in both languages.
CHAPTERS = [
    "m-question", "m-deposits", "m-places", "m-linkage", "m-spells", "m-cohort", "m-observation", "m-simpler",
    "m-bounds", "m-bootstrap", "m-assumptions", "m-course", "m-comparison", "m-shrinkage", "m-typology", "m-models",
    "m-services", "m-associations", "m-leads", "m-disclosure", "references", "glossaire", "parametres", "citer",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def run(folder):
    return Run.read(folder)


@pytest.fixture(scope="module")
def pages(run):
    return {language: method_page(run, Study().disclosure, language) for language in LOCALES}


def report_of(folder, region, language="fr"):
    (report,) = opened(folder, [region], language)
    return report


def box(folder, region="05", language="fr"):
    return str(elsewhere.seen_elsewhere(report_of(folder, region, language)).html)


def entries(text):
    """Figure → its entry in the box, as text."""
    found = re.findall(r"<div><dt>.*?</div>", text, re.S)
    return dict(zip([figure.code for figure in elsewhere.FIGURES], map(text_of, found), strict=True))


def rows_of_domain(code):
    lines = (ROOT / "docs" / "domain.md").read_text(encoding="utf-8").splitlines()
    rows = []
    for start in ROWS[code]:
        (row,) = [line for line in lines if line.startswith(start)]
        rows.append(row)
    return rows


def numbers(text):
    return {found.replace(",", ".") for found in NUMBER.findall(text)}


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_every_number_of_the_box_was_read_in_the_row_that_it_comes_from(folder, language):
    told = entries(box(folder, language=language))
    assert set(told) == set(ROWS) and 5 <= len(ROWS) <= 8
    for code, text in told.items():
        rows = rows_of_domain(code)
        assert all("[read:" in row and not re.search(r"\[(derived|recalled|design)", row) for row in rows), rows
        known = numbers(" ".join(rows))
        # a day is told without its zero
        known |= {number.lstrip("0") for number in known}
        assert numbers(text) - known == set(), (code, text)
    # a moved figure is found
    assert numbers(told["quebec"].replace("85", "86")) - numbers(" ".join(rows_of_domain("quebec"))) == {"86.1"}


def test_every_figure_is_told_and_bears_the_source_that_its_row_names(folder):
    told = entries(box(folder, language="en"))
    for figure in elsewhere.FIGURES:
        rows = " ".join(rows_of_domain(figure.code))
        assert [source.name for source in figure.sources if NAMED[source.name] not in rows] == []
        assert all(f"{percent}%" in told[figure.code] and f"{percent}" in rows for percent in figure.percents)
        assert told[figure.code].count("Source:") == len(figure.sources) > 0


def test_the_box_says_first_that_no_figure_has_the_definition_of_the_report(folder):
    text = box(folder)
    first = text[text.index("</h2>") :].index("Aucun n’a la définition de ce rapport")
    assert first < text[text.index("</h2>") :].index("<dl>")
    assert "Seuls nombres réels de cette page" in text  # the banner says that all are invented


def test_names_of_one_language_say_which_where_the_page_has_another(folder):
    assert '<cite lang="fr-CA">La Presse</cite>' in box(folder, language="en")
    assert "<cite>La Presse</cite>" in box(folder) and '<cite lang="en-CA">CIC News</cite>' in box(folder)
    assert "<cite>Statistics Canada, The Daily</cite>" in box(folder, language="en")


def test_a_page_is_cited_by_its_settings_and_never_by_a_day_or_an_author_that_nobody_gave(folder):
    report = report_of(folder, "05")
    said = text_of(str(method.how_to_cite(report).html)).replace("\N{NO-BREAK SPACE}", " ")
    assert "– Estrie (05). Données arrêtées au 31 décembre 2025. Périmètre : RMR de Montréal, limites de 2021." in said
    assert f"trajectories {report.run.version}. Données synthétiques." in said and "ne les citez pas" in said
    assert "Ministère" not in said and numbers(said) == {"05", "31", "2025", "2021", "0.1", "0"}
    settings = dataclasses.replace(report.run, synthetic=False)
    said = text_of(str(method.how_to_cite(dataclasses.replace(report, run=settings)).html))
    assert "synthétiques" not in said and "inventés" not in said
    assert "Seuls nombres réels" not in str(elsewhere.seen_elsewhere(dataclasses.replace(report, run=settings)).html)
    whole = text_of(str(method.how_to_cite(report_of(folder, "province")).html))
    assert report.words.region("province") in whole


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_the_annex_explains_the_method_in_a_paragraph_and_leads_to_the_method_page(folder, language):
    report = report_of(folder, "province", language)
    text = annex([report], run=report.run)
    assert f'<a href="{METHOD}">' in text and report.words.say("how_made.paragraph") in text
    names = re.findall(r'<section[^>]* id="s-([^"]*)"', text)
    assert names[-3:] == ["ailleurs", "definitions", "citer"]
    # the contents name each section, in order
    assert re.findall(r'<li><a href="#s-([^"]*)">', text) == names


# The method page.


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_every_chapter_has_its_address_and_says_something(pages, language):
    sections_ = re.findall(r'<section aria-labelledby="([^"]*)">(.*?)</section>', pages[language], re.S)
    assert [name for name, _ in sections_] == CHAPTERS
    for name, content in sections_:
        assert re.match(f'<h2 id="{name}">[^<]+</h2>', content) and len(text_of(content)) > 200, name
    assert "**" not in pages[language] and "{{" not in pages[language] and "&lt;" not in text_of(pages[language])


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_the_figures_on_the_method_page_are_those_of_the_run(run, language):
    facts = {"perimeter": "CMM", "support": 17, "replicates": 1234, "drawn_stays": 76000, "version": "<b>9</b>"}
    rules = Disclosure(threshold=55, households=7, round=11, rate_denominator=33)
    text = method_page(dataclasses.replace(run, **facts), rules, language)
    said = words(language)
    assert "&lt;b&gt;9&lt;/b&gt;" in text and "<b>" not in text  # what is set in is never markup
    assert words(language).label("perimeter", "CMM") in text and "RMR" not in text[: text.index('id="m-deposits"')]
    for name, expected in {
        "bootstrap": [said.number(1234)], "models": [said.number(76000)], "observation": ["17"],
        "disclosure": ["55", "7", "11", "33", "20"],  # 20: the least at risk, whatever the support is
    }.items():  # fmt: skip
        chapter = text_of(text[text.index(f'id="m-{name}"') :].partition("</section>")[0])
        assert [number for number in expected if not re.search(rf"\b{number}\b", chapter)] == [], name
    whole = method_page(dataclasses.replace(run, drawn_stays=None), rules, language)
    assert said.number(76000) not in whole


def test_the_text_of_the_method_page_is_the_same_in_both_languages_and_typeset_by_their_rules(pages):
    sets_in = {one: re.findall(r"\{\{.*?\}\}|\{%.*?%\}", method_text(one)) for one in LOCALES}
    assert sets_in["fr"] == sets_in["en"]
    french, english = (pages[one].partition("<main")[2] for one in ("fr", "en"))
    assert re.findall(r" [:%»;?!]|« ", french) == [] and "95\N{NO-BREAK SPACE}%" in french and "«" in french
    assert "95%" in english and "«" not in english and "12\N{NO-BREAK SPACE}months" in english


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_the_method_page_is_a_page_like_the_others(pages, run, language):
    text, reader = pages[language], Reader(pages[language])
    assert html.faults(text) == []
    assert f'<html lang="{words(language).tag}">' in text and '<nav class="back"><a href="index.html">' in text
    assert "Content-Security-Policy" in text and words(language).say("method_page.synthetic_why") in text
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    links = [attributes["href"][1:] for tag, attributes in reader.tags if tag == "a" and attributes["href"][0] == "#"]
    assert len(ids) == len(set(ids)) and set(links) <= set(ids) and links == ["contenu", *CHAPTERS]
    assert words(language).date(run.cutoff) in text and run.version in text
    assert method_page(run, Study().disclosure, language) == text
    real = method_page(dataclasses.replace(run, synthetic=False), Study().disclosure, language)
    assert 'class="synthetic"' in text and 'class="synthetic"' not in real


def glossary():
    """Name → term, French, meaning: the rows of GLOSSARY.md."""
    lines = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert rows[0] == ["term", "French in reports", "meaning"]
    return {re.sub(r"[^a-z]+", "_", row[0].lower()).strip("_"): row for row in rows[2:]}


def on_a_page(name, meaning):
    """A meaning as an English page says it: without the French beside the kinds of moves, with its apostrophes."""
    if name == "move":
        meaning = re.sub(r"(`\w+`) \([^)`]*\)", r"\1", meaning)
    return meaning.replace("'", "’")


def test_the_glossary_of_the_page_is_that_of_the_repository_term_by_term():
    there = glossary()
    assert list(TERMS) == list(there)
    french, english = ({m.id: m.string for m in read_catalogue(one, typeset=False) if m.id} for one in ("fr", "en"))
    for name, (term, label, meaning) in there.items():
        assert english[f"glossary.{name}.term"] == term and english[f"glossary.{name}"] == on_a_page(name, meaning), (
            name
        )
        assert french[f"glossary.{name}.term"] == label.replace("'", "’"), name
        assert len(french[f"glossary.{name}"]) > 10 and "`" not in french[f"glossary.{name}"], name
    said = {key for key in english if isinstance(key, str) and key.startswith("glossary.")}
    assert said == {key for name in there for key in (f"glossary.{name}", f"glossary.{name}.term")}


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_every_term_is_on_the_page_in_the_order_of_its_alphabet(pages, language):
    part = pages[language][pages[language].index('id="glossaire"') :]
    part = part[: part.index("</section>")]
    terms = [text_of(term) for term in re.findall(r"<dt>(.*?)</dt>", part)]
    assert len(terms) == len(TERMS) == len(re.findall("<dd>", part)) and len(set(terms)) == len(terms)
    if language == "fr":
        assert terms.index("écarté") < terms.index("enregistrement") < terms.index("zone")


# What may leave.


def people(couples, typed=list):
    return Secrets.of_records(pd.DataFrame(couples, columns=["given_name", "family_name"]), typed)


def test_authors_that_the_method_page_cites_are_no_leak_there_and_one_elsewhere(pages, tmp_path):
    for name, text in (("", pages["fr"]), ("en/", pages["en"])):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / METHOD).write_text(text, encoding="utf-8")
    cited = ["Frydman", "Turnbull", "Kaplan", "Meier", "Gray", "Robins", "Louis", "White", "Ding"]
    # nothing on the page is such that deposits would have to be read again for what partners typed
    couples = [(given, family) for given in cited for family in cited]
    known = people(couples, lambda: pytest.fail("deposits are read"))
    # every small number is somebody's file number too
    known = dataclasses.replace(known, numbers=frozenset(map(str, range(9999))))
    assert find_leaks(tmp_path, known).empty
    (tmp_path / "region-05.html").write_text("<td>Frydman</td>", encoding="utf-8")
    (row,) = find_leaks(tmp_path, known).to_dict("records")
    assert (row["file"], row["kind"], row["value"]) == ("region-05.html", "rare_name", "frydman")


def test_a_person_on_the_method_page_is_a_leak(pages, tmp_path):
    text = pages["fr"].replace("</main>", "<p>Amina Benali</p></main>")
    (tmp_path / METHOD).write_text(text, encoding="utf-8")
    found = find_leaks(tmp_path, people([("Amina", "Benali")]))
    assert set(found["file"]) == {METHOD} and "person_name" in set(found["kind"])


def test_the_box_is_no_leak_to_whoever_is_called_as_its_sources(folder, tmp_path):
    for language in LOCALES:
        (tmp_path / f"{language}.html").write_text(box(folder, language=language), encoding="utf-8")
    known = people([("Presse", "Journal"), ("Halifax", "Observatoire"), ("News", "Cic")], lambda: pytest.fail("read"))
    assert find_leaks(tmp_path, known).empty
