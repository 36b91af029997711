"""The words of a report: the typography of each language, catalogues with nothing missing and nothing unused, and pages
that hold no word, number or date of the other language (`pages` reads every kind of page, as text, in both)."""

import csv
import datetime as dt
import io
import re
import string
from pathlib import Path

import openpyxl
import pytest

import figure_tables
import trajectories
from page_reading import Reader, notebook
from report_tables import protected_once, write_tables
from trajectories.analysis.portrait import CONFLICT_RULES, KNOWN_TO, MIGRATIONS, PAIRS, WHO
from trajectories.analysis.portrait.flows import SERVICE_TABLES
from trajectories.exceptions import NotebookError
from trajectories.linkage import match_weights
from trajectories.report import html, messages, sections
from trajectories.report import words as words_module
from trajectories.report.annex import annex
from trajectories.report.exports import WORKBOOK, exported
from trajectories.report.inputs import open_reports
from trajectories.report.method_page import method_page
from trajectories.report.readings import times_text
from trajectories.report.run import Run
from trajectories.report.sections import headline, leads, quality, services, whole
from trajectories.report.sections.counting import ORDERS
from trajectories.report.sections.linkage import REFUSALS
from trajectories.report.words import LOCALES, french, method_text, read_catalogue, words
from trajectories.study import REGION_CODES, Study

PACKAGE = Path(trajectories.__file__).parent

# The same in both languages: words of both, names that stay French, codes, the names of methods and of measures.
SHARED = """
    a admission an association associations cases cause causes certain change classes code codes compare compatible
    contact contacts csv d date dates destination destinations discrimination distance double due e europe exact excel
    figure fine gray immigration information interruption l large moment mrc net on p page part place points population
    possible postal proportion province publication rare rmr service services silence silhouette simple situation
    situations six social source sources suppose total trait traits trajectories transport type types version vertical
    met pasi programme accompagnement et de soutien à intégration communauté métropolitaine objectif administrative
    gatineau sherbrooke trois rivières chance
    admissions canada cmm document g halifax horizon immihaber incidence ircc kaplan long meier migration observation
    observations parts plateau publications r rubin s second t table toronto turnbull visible zone
    document important portrait s t tables urgent xlsx
    cox log markov note test
"""
# Messages that are the same text in both languages.
ALIKE = {
    "key.exit", "key.lost", "key.type", "opening.programme",
    "column.service", "column.day", "column.code", "level.arrival.compatible", "need.transport",
    "leaving_reason.services", "leaving_reason.transport", "leaving_reason.discrimination", "field.service",
    "field.when", "field.code_of", "field.cause", "field.state", "field.silhouette", "field.source",
    "sheet.coefficients", "sheet.types", "kind.date", "types", "covariate_level.service.information",
    "covariate_level.service.objectif_integration", "glossary.zone.term", "glossary.observation.term",
    "glossary.horizon.term", "notebook.cause", "notebook.column.table", "notebook.tables",
    "result_fact.p_value",
}  # fmt: skip
WORD = re.compile(r"[^\W\d_]+")
# What only the other language writes so. A number of thousands and one with decimals look alike: three digits are
# thousands in English; in French a number with three decimals is one below 1 (a probability).
FOREIGN = {
    "fr": (r"\d%", r"\d\.\d", r"[1-9]\d{0,2},\d{3}\b", r"[“”]", r"\b[A-Z][a-z]+ \d{1,2}, \d{4}", r"[;!?]\w"),
    "en": (
        r"\d\s%", r"\d,\d(?!\d\d)", r"\d[\u00a0\u202f]\d", r"[«»]", r"\s[:;!?%]",
        r"\b\d{1,2}(?:er)?\s[a-zéû]{3,} \d{4}",
    ),
}  # fmt: skip
PARTS = [
    sections.opening, headline.in_brief, leads.to_do, sections.how_long, whole.beside, sections.who_came,
    sections.where_to, services.service_path, quality.trust,
]  # fmt: skip


@pytest.fixture(scope="module")
def fr():
    return words("fr")


@pytest.fixture(scope="module")
def en():
    return words("en")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Language → page → all that a reader sees or hears of it; and the workbook, with the sheets of the CSV files."""
    facts = {"groups": {"Alpha": ["03", "05"]}, "targets": {"05": {"2024-2025": 300}}}
    folder = figure_tables.write_everything(tmp_path_factory.mktemp("tables") / "tables", figure_tables.FEW, **facts)
    study = Study()
    protected = protected_once(folder)
    kept, more, _ = protected
    found = {}
    for language in LOCALES:
        reports = open_reports(folder, ["05", "09", "10", "06", "province"], language=language, protected=protected)
        made = {report.region: page(report, language) for report in reports}
        links = {name: f"{name}.html" for name in made}
        made["index"] = html.index(
            reports, links, language=language, run=reports[0].run, files=["a", "b", "c"], method="d", annex="e"
        )
        made["annex"] = annex(reports[-1:] + reports[:-1], run=reports[0].run)
        made["method"] = method_page(reports[0].run, study.disclosure, language)
        told = {name: "\n".join(told_of(text)) for name, text in made.items()}
        files = exported({**kept, **more}, words(language), reports[0].run)
        found[language] = {**told, "workbook": "\n".join(labels_of(files[WORKBOOK]))}
    return found


def page(report, language):
    parts = [part for part in PARTS if report.region == "province" or part.__module__ != whole.__name__]
    shown = notebook(*(part(report) for part in parts))
    return html.page(shown, region=report.region, language=language, run=report.run)


def told_of(text):
    """The pieces of a page: text outside of style, alternative texts; the version of the software left out, and the
    names of sources that say which language they are of."""
    for quoted in (r"<style>.*?</style>", r"<cite lang=.*?</cite>"):
        text = re.sub(quoted, "", text, flags=re.S)
    # code stands inside of a line
    text = re.sub(r"</?code>", "", text).replace("0.1.0", "")
    seen = Reader(text)
    heard = [attrs[name] for _, attrs in seen.tags for name in ("alt", "title", "aria-label") if name in attrs]
    return [piece for piece in (one.strip() for one in (*seen.text, *heard)) if piece]


def labels_of(content):
    """What the sheets of a workbook say in words: titles, headers, labels; not codes, which are of no language."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    for sheet in book.worksheets:
        yield sheet.title
        for column in sheet.iter_cols(values_only=True):
            # the dictionary has names of files and codes of columns
            if str(column[0]).endswith("(code)") or column[0] in CODED:
                continue
            yield from (cell for cell in column if isinstance(cell, str) and cell != "0.1.0")


CODED = {words(language).say(f"field.{name}") for language in LOCALES for name in ("file", "variable")}


def texts(language):
    """Key → its texts, one a plural form."""
    return {
        (m.id if isinstance(m.id, str) else m.id[0]): [m.string] if isinstance(m.string, str) else list(m.string)
        for m in read_catalogue(language)
        if m.id
    }


def vocabulary(language):
    told = (re.sub(r"\{\w*\}", " ", text) for forms in texts(language).values() for text in forms)
    return {word.lower() for text in told for word in WORD.findall(text)}


def of_method_page(language):
    """Words of the method page's own text: no tag, and no name of a figure that is set in."""
    told = re.sub(r"<[^>]*>|\{\{.*?\}\}|\{%.*?%\}", " ", method_text(language))
    return {word.lower() for word in WORD.findall(told)}


def names():
    """Words of the names of regions, which are French in both languages."""
    return {word.lower() for code in REGION_CODES for word in WORD.findall(words("fr").region(code))}


def test_numbers_and_dates_are_canadian_french(fr):
    assert fr.percent(0.125, 1) == "12,5\u00a0%"
    assert fr.percent(0.82) == "82\u00a0%"
    assert fr.number(12340) == "12\u00a0340"
    assert fr.number(0.5, 2) == "0,50"
    assert fr.number(None) == fr.percent(float("nan")) == "–"
    assert fr.date(dt.date(2022, 3, 3)) == "3\u00a0mars 2022"
    assert fr.date(dt.date(2022, 4, 1)) == "1er\u00a0avril 2022"
    assert fr.month(dt.date(2022, 8, 31)) == "août 2022"
    assert fr.months(12) == "12\u00a0mois"
    assert fr.listing(["a", "b", "c"]) == "a, b et c"


def test_numbers_and_dates_are_canadian_english(en):
    assert en.percent(0.125, 1) == "12.5%" and en.percent(0.82) == "82%"
    assert en.number(12340) == "12,340" and en.number(0.5, 2) == "0.50"
    assert en.signed(-0.5, 1) == "\N{MINUS SIGN}0.5" and en.signed(1234.2, 1) == "+1,234.2" and en.signed(0.0) == "0"
    assert en.number(None) == en.percent(float("nan")) == en.signed(None) == "–"
    assert en.date(dt.date(2022, 3, 3)) == "March 3, 2022" and en.date(dt.date(2022, 4, 1)) == "April 1, 2022"
    assert en.month(dt.date(2022, 8, 31)) == "August 2022"
    assert [en.months(n) for n in (0, 1, 12)] == ["0\u00a0months", "1\u00a0month", "12\u00a0months"]
    assert en.listing(["a", "b", "c"]) == "a, b and c"
    assert en.region("03") == "Capitale-Nationale" and en.in_region("11") == "in Gaspésie–Îles-de-la-Madeleine"
    assert en.in_region("Est") == "in the group “Est”" and en.tag == "en-CA"


def test_signed_numbers_are_canadian_french(fr):
    assert fr.signed(-0.5, 1) == "\N{MINUS SIGN}0,5" and fr.signed(1234.2, 1) == "+1\u00a0234,2"
    assert fr.months(0) == "0\u00a0mois"


def test_no_break_spaces_stand_where_french_wants_them():
    assert (
        french("« Masqué » : 5 % de 3 $ ; vrai ! oui ?")
        == "«\u00a0Masqué\u00a0»\u00a0: 5\u00a0% de 3\u00a0$; vrai! oui?"
    )


def test_no_message_breaks_the_typography():
    for key, forms in texts("fr").items():
        for text in forms:
            assert not re.search(r"[ \u202f][%$:»]|« |[\s\u00a0][;!?]|'|\.\.\.", text), (key, text)
    for key, forms in texts("en").items():
        for text in forms:
            # a code is not set: “RMR-2021”; a decimal comma would be French
            assert not re.search(r"\s[%$:;!?]|[«»\"]|'|\.\.\.|\d,\d(?!\d\d)|  ", text), (key, text)
            assert text.count("“") == text.count("”"), (key, text)


def test_the_catalogues_say_everything_that_the_code_asks_for_and_nothing_else():
    assert messages.faults() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda po: po.replace('msgstr "Skip to content"', 'msgstr ""'), "en: page.skip is not translated."),
        (lambda po: po.replace("data up to {cutoff}", "data"), "en: page.foot has other values set in than in fr."),
        (lambda po: po.replace('msgid "page.skip"', 'msgid "page.skap"'), "en: page.skap is not in the catalogue fr."),
        (lambda po: po.replace("# page shell\n", ""), "en: the catalogue is not in its normal form"),
    ],
)
def test_a_fault_of_a_catalogue_is_said(monkeypatch, tmp_path, change, said):
    changed = tmp_path / "en.po"
    text = messages.catalogue_path("en").read_text(encoding="utf-8")
    changed.write_text(change(text), encoding="utf-8")
    assert changed.read_text(encoding="utf-8") != text
    there = messages.catalogue_path

    def other(language):
        return changed if language == "en" else there(language)

    monkeypatch.setattr(messages, "catalogue_path", other)
    monkeypatch.setattr(words_module, "catalogue_path", other)
    assert any(fault.startswith(said) for fault in messages.faults())


def test_a_message_said_and_not_there_or_there_and_not_said_is_found(monkeypatch):
    monkeypatch.setattr(messages, "named", lambda: frozenset({"page.new"}))
    monkeypatch.setattr(messages, "_held", lambda: frozenset())
    found = messages.faults()
    assert "fr: page.new is said and not in the catalogue." in found
    assert "fr: page.skip is used by nothing." in found and "fr: exit.metropole is used by nothing." not in found


def test_babel_extracts_both_keys_of_a_choice():
    code = io.BytesIO(b'say("a.b" if x else "c.d"); w.say_many("e", n); say(f"term.{x}"); say(key); has("f.g")')
    assert [key for _, _, key, _ in messages.keys_of_calls(code, {"say": None, "say_many": None}, (), {})] == [
        "a.b", "c.d", "e",
    ]  # fmt: skip


def test_no_message_is_left_in_the_other_language():
    told = {language: texts(language) for language in LOCALES}
    same = {
        key for key, forms in told["fr"].items()
        if forms == told["en"][key] and any(WORD.search(re.sub(r"\{\w*\}", "", text)) for text in forms)
    }  # fmt: skip
    places = {key for key in same if re.fullmatch(r"(region|flow_origin)\.\d\d", key)}
    assert same - places == ALIKE
    # a word of both catalogues is one of both languages, or it stands in one of them by mistake
    assert (vocabulary("fr") & vocabulary("en")) - names() - set(SHARED.split()) == set()


@pytest.mark.thorough
@pytest.mark.parametrize("language", sorted(LOCALES))
def test_no_page_holds_a_number_or_a_date_of_the_other_language(pages, language):
    assert set(pages[language]) == {"05", "09", "10", "06", "province", "index", "annex", "method", "workbook"}
    for name, text in pages[language].items():
        for pattern in FOREIGN[language]:
            found = [text[max(one.start() - 20, 0) : one.end() + 10] for one in re.finditer(pattern, text)]
            assert not found, (name, pattern, found[:3])
    other = "en" if language == "fr" else "fr"
    # each pattern would find something on a page of the other language, or it finds nothing anywhere
    text = "\n".join(pages[other].values())
    assert [pattern for pattern in FOREIGN[language][:4] if not re.search(pattern, text)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("language", sorted(LOCALES))
def test_no_page_holds_an_interface_word_of_the_other_language(pages, language):
    other = "en" if language == "fr" else "fr"
    foreign = vocabulary(other) - vocabulary(language) - of_method_page(language) - names()
    assert len(foreign) > 700
    for name, text in pages[language].items():
        found = {word for word in WORD.findall(text) if word.lower() in foreign}
        assert found == set(), (name, found)


@pytest.mark.thorough
def test_a_page_names_its_language_and_links_the_other(pages, tmp_path):
    run = Run.read(write_tables(tmp_path / "tables"))
    text = html.index([], {}, language="en", run=run, others={"fr": "../index.html"})
    assert '<html lang="en-CA">' in text
    assert '<a href="../index.html" lang="fr-CA" hreflang="fr-CA">Français</a>' in text
    assert 'hreflang="en-CA">English</a>' in html.index([], {}, language="fr", run=run, others={"en": "en/index.html"})
    assert "hreflang" not in html.index([], {}, language="fr", run=run)


def test_every_decision_and_every_level_of_agreement_has_its_words(fr):
    for table, keys in {"linkage": KNOWN_TO, "links": PAIRS, "conflicts": CONFLICT_RULES}.items():
        assert ORDERS[table] == keys
        assert [key for key in keys if not fr.has(f"{table}.{key}")] == []
    levels = match_weights()
    assert [trait for trait in levels["trait"].unique() if not fr.has(f"trait.{trait}")] == []
    named = levels["trait"] + "." + levels["level"]
    assert [level for level in named if not fr.has(f"level.{level}")] == []
    assert [reason for reason in REFUSALS if not fr.has(f"refusal.{reason}")] == []


def test_every_key_of_who_settled_has_its_words(fr):
    for table, keys in {**WHO, "migration": MIGRATIONS}.items():
        if table == "city_size":
            continue  # on no page
        assert fr.has(f"counts.{table}") and (fr.has(f"key.{table}") or fr.has(f"covariate.{table}")), table
        family = "covariate_level" if fr.has(f"covariate.{table}") else table
        for key in (*keys, *(["unknown"] if table != "migration" else [])):
            assert fr.has(f"{family}.{table}.{key}") or fr.has(f"{family}.{key}"), (table, key)
    services = [table.removeprefix("service_") for table in SERVICE_TABLES[1:]]
    assert [name for name in services if not fr.has(f"covariate_level.service.{name}")] == []


def test_every_rule_that_the_line_can_cite_is_known_to_the_report():
    stays = " ".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "stays").glob("*.py"))
    assert set(re.findall(r"\bDecision\(\s*\"(\w+)\"", stays)) < set(CONFLICT_RULES)
    assert all(f'"{rule}"' in stays for rule in CONFLICT_RULES)
    source = (PACKAGE / "linkage" / "clusters.py").read_text(encoding="utf-8")
    assert all(f'"{reason}"' in source for reason in REFUSALS)


@pytest.mark.parametrize(
    ("weight", "said"),
    [(0.0, "autant"), (-0.0, "autant"), (0.5, "1,4 fois plus"), (1.0, "2 fois plus"), (-3.5, "11 fois moins"),
     (-9.0, "510 fois moins"), (12.0, "4\u00a0100 fois plus")],
)  # fmt: skip
def test_a_weight_is_told_as_times_with_two_digits(fr, weight, said):
    assert times_text(weight, fr) == said


def test_messages_name_only_values_by_name():
    for language in LOCALES:
        for forms in texts(language).values():
            for text in forms:
                assert all(name is None or name.isidentifier() for _, name, _, _ in string.Formatter().parse(text))


def test_regions_bear_their_official_names(fr, en):
    with (PACKAGE / "places" / "reference" / "municipalities.csv").open(encoding="utf-8") as file:
        official = {row["region_code"]: row["region_name"] for row in csv.DictReader(file)}
    for language in (fr, en):
        assert {code: language.region(code) for code in official} == official
        assert all(language.in_region(code).endswith(name) for code, name in official.items())


def test_an_unknown_language_is_refused_with_a_sentence():
    with pytest.raises(NotebookError, match="no reports in the language 'de': the languages are fr, en"):
        words("de")


def test_a_missing_message_is_a_defect_not_a_blank(fr):
    with pytest.raises(KeyError, match="not in the catalogue"):
        fr.say("no.such.message")
    with pytest.raises(KeyError, match="not in the catalogue"):
        fr.say_many("no.such.message", 2)
    assert not fr.has("no.such.message")


def test_a_text_that_is_its_own_key_is_a_message(en):
    assert en.say("hidden") == "hidden" and en.has("hidden")
