"""The leak scan: each kind of secret planted in each place of a file is found, and nothing else is.

Every planted case fails without its rule: the planted file holds that one thing, and findings are compared whole.
"""

import datetime as dt
import io
import zipfile

import pandas as pd
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from trajectories.report import leaks
from trajectories.report import leaks as private
from trajectories.report.leaks import Secrets, allowlist, find_leaks, plain, sentence
from trajectories.runs import batch as withheld
from trajectories.study import Study

PEOPLE = pd.DataFrame(
    [
        ("Amina", "BEN SALAH", "1985-03-02", "D1195", "2020-M84", "EER01", "Accueil des Érables"),
        ("Thi-Mai", "Nguyễn", "1990-07-14", "00253", "129", "EER01", "Accueil des Érables"),
        ("Laurent", "Côté", "1971-11-30", "2020-0225", "M0098", "PROMIS", "Montréal"),
        ("Le", "An", "2025-12-31", "7", "2020-2021", "PROMIS", "Montréal"),
        ("Do", "Laval", "2001-01-01", "12", "T1", "PROMIS", "Montréal"),
        ("Li", "Xu", None, None, None, "OBR-02", None),
        (None, "Zhang", None, None, None, "OBR-02", None),
        ("Marie", "Martin", None, None, None, "centre-des-outardes", None),
    ],
    columns=[
        "given_name",
        "family_name",
        "birth",
        "file_number",
        "household_number",
        "organisation_id",
        "organisation",
    ],
)
RECORDS = PEOPLE.assign(
    birth_date_earliest=pd.to_datetime(PEOPLE["birth"]), birth_date_latest=pd.to_datetime(PEOPLE["birth"])
)
REMARKS = ["A demandé du répit pour ses jumeaux hier", "Cherche une garderie", "Bien installés", "en région"]
SECRETS = Secrets.of_records(RECORDS, lambda: REMARKS)
ALLOWED = allowlist(["Est lointain"], [dt.date(2025, 12, 31)])

# What stands on clean pages, in the words and places that secrets have too.
CLEAN = """<!DOCTYPE html><html lang="fr-CA"><head><meta charset="utf-8"/><title>Estrie – rétention</title>
<style>p { max-width: 47rem; font-weight: bold; color: #002530 }</style></head><body>
<h1 data-region="05" id="t-retention" class="opening">Estrie</h1>
<p>Taux par an. Le taux de rétention estimé à Laval. Données arrêtées au 31 décembre 2025, exercice 2020-2021.</p>
<table><tr><td>Bas-Saint-Laurent</td><td>Côte-Nord</td><td>129</td><td>2020</td><td>225</td></tr></table>
<p>Est lointain, Saint-Laurent, Sainte-Marie, Saint-Martin, Laval, Le Do : de 12 à 129 personnes, 0,999.</p>
<svg aria-label="Courbe : 84 % à 12 mois"><path d="M 0.00253 10 L 19850302 4 z" style="stroke-linejoin: miter"/>
<text style="text-anchor: middle" transform="translate(46.00253 2.5)">12 mois</text></svg></body></html>"""


@pytest.fixture
def search(tmp_path):
    def of(content, name="region-05.html", secrets=SECRETS):
        path = tmp_path / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content, encoding="utf-8")
        return find_leaks(tmp_path, secrets, ALLOWED)

    return of


def workbook(cells=(), author=None, comment=None, sheet="Taux", date=None):
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet)
        page.write_row(0, 0, list(cells) or ["Région", "Taux"])
        page.write_row(1, 0, [0.84, 120])
        if author:
            book.set_properties({"author": author})
        if comment:
            page.write_comment("A1", comment)
        if date:
            page.write_datetime(2, 0, date, book.add_format({"num_format": "dd/mm/yyyy"}))
    return buffer.getvalue()


def kinds(found):
    return set(found["kind"])


def test_clean_files_stay_silent(search):
    assert search(CLEAN).empty
    assert search("\ufeffRégion;Taux\nEstrie;0,84\nLaval;0,8\n", "region-05.csv").empty
    assert search(workbook(["Région", "Laval", "par an", "Le"]), "region-05.xlsx").empty


WRITTEN = [
    # (what is written, kinds that are found, with what alone makes the rule find it)
    ("Amina Ben Salah", {"person_name", "rare_name"}),
    ("BEN-SALAH, AMINA", {"person_name", "rare_name"}),
    ("nguyen thi mai", {"person_name", "rare_name"}),
    ("Li Xu", {"person_name"}),  # two letters each: the pair alone tells
    ("xu li", {"person_name"}),
    ("Laurent Côté", {"person_name"}),  # both words are the page's own: the capitals tell
    ("Marie Martin", {"person_name"}),
    ("MARTIN, Marie", {"person_name"}),
    ("ZHANG", {"rare_name"}),
    ("Zha\u00adng", {"rare_name"}),
    ("né le 1985-03-02", {"birth_date"}),
    ("02/03/1985", {"birth_date"}),
    ("03/02/1985", {"birth_date"}),
    ("02/03/85", {"birth_date"}),
    ("2 mars 1985", {"birth_date"}),
    ("2\u00a0mars 1985", {"birth_date"}),
    ("14 juil. 1990", {"birth_date"}),
    ("1er janvier 2001", {"birth_date"}),
    ("March 2, 1985", {"birth_date"}),
    ("19850302", {"birth_date"}),
    ("1985.3.2", {"birth_date"}),
    ("d1195", {"number"}),
    ("(00253)", {"number"}),
    ("2020-0225", {"number"}),
    ("x-2020-m84", {"number"}),
    ("dossier 129", {"number"}),
    ("EER01", {"organisation"}),
    ("promis", {"organisation"}),
    ("Accueil des Érables", {"organisation"}),
    ("Centre des outardes", {"organisation"}),
    ("obr-02", {"organisation"}),
    ("famille : a demandé du répit pour", {"typed_words"}),
    ("cherche une garderie", {"typed_words"}),
    ("Bien installés", {"typed_words"}),
    ("P9cd772e9c09987ca", {"id"}),
    ("H1E 5L1", {"postal_code"}),
    ("no_dossier", {"person_column"}),
    ("KeyError: 'x'", {"a traceback"}),
    ("/home/someone/data", {"a path of the machine"}),
    ("D:\\depots\\x", {"a path of the machine"}),
    ("\\\\serveur\\partage", {"a path of the machine"}),
    ("0.8437219", {"raw_number"}),
    ("0,8437219", {"raw_number"}),
]


@pytest.mark.parametrize(("written", "expected"), WRITTEN, ids=[written for written, _ in WRITTEN])
def test_what_is_planted_in_the_text_is_found(search, written, expected):
    assert kinds(search(CLEAN.replace("<h1", f"<p>{written}</p><h1"))) == expected


PLACES = {
    "text": "<p>{}</p>", "text of a drawing": "<svg><text x='1'>{}</text></svg>", "title of a drawing":
    "<svg><title>{}</title></svg>", "description": "<svg><desc>{}</desc></svg>", "metadata of a drawing":
    "<svg><metadata><x>{}</x></metadata></svg>", "aria": '<p aria-label="{}">x</p>', "alt": "<img alt='{}'/>",
    "meta": '<meta name="author" content="{}"/>', "comment": "<!-- {} -->", "id": '<p id="{}">x</p>',
    "class": '<p class="{}">x</p>', "style": "<style>.x::before {{ content: '{}' }}</style>",
    "a tag left open": '<p title="{}', "input": '<input value="{}"/>',
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("written", "kind"),
    [("Amina Ben Salah", "person_name"), ("Zhang", "rare_name"), ("1985-03-02", "birth_date"), ("D1195", "number"),
     ("EER01", "organisation"), ("P9cd772e9c09987ca", "id"), ("H1E5L1", "postal_code")],
)  # fmt: skip
def test_it_is_found_wherever_it_stands(search, place, written, kind):
    found = search(CLEAN.replace("</body>", PLACES[place].format(written) + "</body>"))
    assert kind in kinds(found), found


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<td>Li</td>\n<td>Xu</td>", {"person_name"}),
        ("<td>Xu</td><td class='n'>Li</td>", {"person_name"}),
        ("<b>Li</b><i>Xu</i>", {"person_name"}),
        ("<td>Laurent</td><td>Côté</td>", {"person_name"}),
        ("<p>Z<b>han</b>g</p>", {"rare_name"}),
        ("<p>Zha&#110;g</p>", {"rare_name"}),
        ("<p>Zh&amp;#97;ng</p>", {"rare_name"}),
        ("<p>Nguy&#7877;n</p>", {"rare_name"}),
        ("<p>1<sup>er</sup> janvier 2001</p>", {"birth_date"}),
        ('<p data-n="120">x</p>', {"data_attribute"}),
        ('<p title="Estrie">x</p>', {"data_attribute"}),
        ('<img alt="0,8437219"/>', {"raw_number"}),
        ('<img alt="x" src="data:image/png;base64,AAAA"/>', {"embedded"}),
        ("<script>1</script>", {"a script"}),
    ],
)
def test_markup_hides_nothing(search, markup, expected):
    assert kinds(search(CLEAN.replace("</body>", markup + "</body>"))) == expected


@pytest.mark.parametrize(
    "markup",
    [
        "<p>Bas-Saint-Laurent Côté</p>", "<p>le an</p>", "<td>Le</td><td>an</td>", "<p>Do à Laval</p>",
        "<p>Martin, Marie</p>",
        "<p>le 31 décembre 2025</p>", "<p>2020-2021, T1, 129</p>", "<p>Taux en région</p>", "<p>Montréal</p>",
        "<td>Sainte-Marie</td><td>Martin</td>",
    ],
)  # fmt: skip
def test_words_of_the_page_are_no_names(search, markup):
    assert search(CLEAN.replace("</body>", markup + "</body>")).empty


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("region-05.csv", "Région;Nom;Prénom\nEstrie;Xu;Li\n", {"person_name"}),
        ("region-05.csv", "a,b\n12,1985-03-02\n", {"birth_date"}),
        ("region-05.csv", "a,b\n12,19850302\n", {"birth_date"}),
        ("region-05.csv", "a;b\n12;0,8437219\n", {"raw_number"}),
        ("region-05.csv", "a;file_number\n1;2\n", {"person_column"}),
        ("region-05.json", '{"a": "Nguy\\u1ec5n"}', {"rare_name"}),
        ("region-05.txt", "Zhang".encode("utf-16"), {"rare_name"}),
        ("zhang.txt", "rien", {"rare_name"}),
        ("region-05.parquet", b"PAR1", {"unsearchable"}),
        ("region-05.xlsx", b"PK\x03\x04 cut off", {"unsearchable"}),
    ],
)
def test_other_files_are_searched_too(search, name, content, expected):
    assert kinds(search(content, name)) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"cells": ["Xu", "Li"]}, {"person_name"}),
        ({"cells": ["Région", "D1195"]}, {"number"}),
        ({"cells": [0.84372191]}, {"raw_number"}),
        ({"author": "Zhang"}, {"rare_name"}),
        ({"comment": "Zhang"}, {"rare_name"}),
        ({"sheet": "Zhang"}, {"rare_name"}),
        ({"date": dt.datetime(1985, 3, 2)}, {"birth_date"}),
    ],
)
def test_workbooks_are_opened(search, content, expected):
    assert kinds(search(workbook(**content), "region-05.xlsx")) == expected


def test_cells_are_read_as_they_follow_not_as_the_archive_keeps_them(search):
    # texts are kept once each: in the archive « Xu » and « Li » do not follow one another
    assert kinds(search(workbook(["Xu", "Région", "Li", "Région", "Xu", "Li"]), "region-05.xlsx")) == {"person_name"}
    assert search(workbook(["Xu", "Région", "Li"]), "region-05.xlsx").empty


def test_a_file_inside_a_workbook_is_told(search):
    buffer = io.BytesIO(workbook())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("xl/media/image1.png", b"\x89PNG")
        archive.comment = b"Zhang"
    assert kinds(search(buffer.getvalue(), "region-05.xlsx")) == {"unsearchable", "rare_name"}


def test_a_number_of_a_workbook_is_read_as_it_is_shown(search):
    def of(number):
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
            book.add_worksheet("Taux").write_number(0, 0, number)
        return kinds(search(buffer.getvalue(), "region-05.xlsx"))

    assert of(0.94) == set()  # in the file, 0.9399999999999999
    assert of(0.076923076) >= {"raw_number"}


def test_where_a_cell_stands_is_no_file_number(search):
    def of(told):
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
            book.add_worksheet("Taux").write_string(1194, 3, told)  # D1195 is a file number
        return kinds(search(buffer.getvalue(), "region-05.xlsx"))

    assert of("Estrie") == set()
    assert of("D1195") == {"number"}


# Letters, but for those that are written as two signs (« Ŀ » is « L· »): no name is typed with them.
ALONE = st.characters(categories=["Lu", "Ll"], max_codepoint=0x17F).filter(lambda sign: plain(sign).isalpha())
LETTERS = st.text(ALONE, min_size=4, max_size=9)


@given(given_name=LETTERS, family_name=LETTERS, swapped=st.booleans(), upper=st.booleans())
def test_any_name_is_found_however_it_is_written(tmp_path_factory, given_name, family_name, swapped, upper):
    # what the library itself says is no secret
    if {*plain(f"{given_name} {family_name}").split()} & ALLOWED.words:
        return
    folder = tmp_path_factory.mktemp("leaks")
    order = [family_name, given_name] if swapped else [given_name, family_name]
    text = "</td><td>".join(order)
    (folder / "region-05.html").write_text(f"<td>{text.upper() if upper else text}</td>", encoding="utf-8")
    people = pd.DataFrame({"given_name": [given_name], "family_name": [family_name]})
    found = find_leaks(folder, Secrets.of_records(people), ALLOWED)
    # a capital that has none of its own (« ſ », « ı ») may become another letter
    if plain(text.upper()) == plain(text) or not upper:
        assert kinds(found) >= {"person_name", "rare_name"}


@given(st.dates(dt.date(1900, 1, 1), dt.date(2024, 12, 31)), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d"]))
def test_any_birth_date_is_found_and_no_other(tmp_path_factory, day, written):
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "a.txt").write_text(day.strftime(written))
    for born, expected in ((day, {"birth_date"}), (day + dt.timedelta(days=400), set())):
        stamp = pd.to_datetime([born])
        people = pd.DataFrame({"birth_date_earliest": stamp, "birth_date_latest": stamp})
        assert kinds(find_leaks(folder, Secrets.of_records(people), ALLOWED)) == expected


def test_a_birth_known_to_the_year_is_no_date_to_look_for():
    people = pd.DataFrame({
        "birth_date_earliest": pd.to_datetime(["1985-01-01"]), "birth_date_latest": pd.to_datetime(["1985-12-31"]),
    })  # fmt: skip
    assert not Secrets.of_records(people).births


def test_secrets_print_no_value():
    assert repr(SECRETS) == "Secrets(8 names, 5 dates, 10 numbers)"


def test_a_sentence_says_what_and_where_and_never_the_value(search):
    said = sentence(search(CLEAN.replace("</body>", "<p>Zhang, né le 1985-03-02</p></body>")))
    assert said == "region-05.html held a name and a birth date"


def test_every_kind_can_be_said():
    assert {kind for _, expected in WRITTEN for kind in expected} <= {*leaks.KINDS, *leaks._TRACES}


def test_remarks_are_read_from_deposits_only_where_a_file_may_hold_one(tmp_path, search):
    asked = []

    def typed():
        asked.append(1)
        return REMARKS

    secrets = Secrets.of_records(RECORDS, typed)
    assert search("<p>Taux de rétention en Estrie</p>", secrets=secrets).empty and not asked
    assert kinds(search("<p>cherche une garderie</p>", secrets=secrets)) == {"typed_words"} and asked


def test_remarks_of_a_study_come_from_its_deposits(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    text = "no_dossier;date_service;municipalite_residence;remarques\n7;2021-11-02;Rimouski;Vit chez sa soeur\n"
    (raw / "EER01_2021-2022_T3.csv").write_text(text, encoding="utf-8")
    study = Study().with_folders(raw=raw, derived=tmp_path / "derived")
    assert "Vit chez sa soeur" in private.remarks(study)
    assert private.remarks(Study().with_folders(raw=tmp_path / "none")) == []


# ── what is done about it ─────────────────────────────────────────────────────────────────────────────────
STEMS = {"05": "region-05", "06": "region-06", "Est": "groupe-est", "Est bas": "groupe-est-bas"}


@pytest.fixture
def reports(tmp_path):
    shared = tmp_path / "shareable"
    (shared / "region-05").mkdir(parents=True)
    for name in ("region-05.html", "region-06.html", "groupe-est.html", "groupe-est-bas.html", "index.html"):
        (shared / name).write_text(CLEAN, encoding="utf-8")
    for name in ("region-05_taux.csv", "region-05/x.csv", "region-06.csv"):
        (shared / name).write_text("Région;Taux\nEstrie;0,84\n", encoding="utf-8")
    return tmp_path


def left(reports):
    shared = reports / "shareable"
    return {path.relative_to(shared).as_posix() for path in shared.rglob("*") if path.is_file()}


def test_a_clean_folder_is_left_as_it_is(reports):
    before = left(reports)
    (reports / "sensitive" / "logs").mkdir(parents=True)
    (reports / "sensitive" / "logs" / withheld.LOG).write_text("of an earlier run")
    assert withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS) == {}
    assert left(reports) == before and not (reports / "sensitive" / "logs" / withheld.LOG).exists()


def test_all_of_a_region_is_withheld_for_one_export_and_the_others_stay(reports):
    before = left(reports)
    (reports / "shareable" / "region-05_taux.csv").write_text("Zhang;1\n")
    told = withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS)
    assert list(told) == ["05"] and "region-05_taux.csv held a name: moved to sensitive/withheld" in told["05"]
    assert "zhang" not in told["05"].lower()
    gone = {"region-05.html", "region-05_taux.csv", "region-05/x.csv"}
    assert before - left(reports) == gone
    moved = reports / "sensitive" / withheld.FOLDER
    assert all((moved / name).is_file() for name in gone) and moved.stat().st_mode & 0o777 == 0o700
    log = pd.read_csv(reports / "sensitive" / "logs" / withheld.LOG)
    assert log[["file", "kind", "value"]].to_numpy().tolist() == [["region-05_taux.csv", "rare_name", "zhang"]]


def test_a_group_whose_name_begins_as_another_is_not_taken_with_it(reports):
    (reports / "shareable" / "groupe-est.html").write_text("<p>Zhang</p>")
    assert list(withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS)) == ["Est"]
    assert "groupe-est-bas.html" in left(reports) and "groupe-est.html" not in left(reports)


def test_a_file_of_no_region_is_withheld_under_its_own_name(reports):
    (reports / "shareable" / "index.html").write_text("<p>Zhang</p>")
    assert list(withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS)) == ["index.html"]


def test_a_pdf_cannot_be_searched_and_goes_with_the_page_of_its_region(reports):
    (reports / "shareable" / "groupe-est.pdf").write_bytes(b"%PDF")
    told = withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS)
    assert set(told) == {"Est"} and "groupe-est.pdf held what cannot be searched" in told["Est"]
    assert "region-05.html" in left(reports) and not {"groupe-est.html", "groupe-est.pdf"} & left(reports)


def test_a_file_that_was_searched_before_is_not_opened_and_goes_with_the_others_of_its_region(reports):
    (reports / "shareable" / "region-05_taux.csv").write_text("Zhang")
    assert withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS, searched={"region-05_taux.csv"}) == {}
    (reports / "shareable" / "region-05.html").write_text("<p>Zhang</p>")
    assert set(withheld.withhold_leaks(reports, SECRETS, ALLOWED, STEMS, searched={"region-05_taux.csv"})) == {"05"}
    assert not {"region-05.html", "region-05_taux.csv"} & left(reports)


def test_without_a_build_only_traces_are_looked_for(reports):
    nothing = Secrets.of_build(Study().with_folders(derived=reports / "none"))
    assert not nothing.at_hand
    (reports / "shareable" / "region-05.html").write_text("<p>Zhang, D1195</p>")
    assert withheld.withhold_leaks(reports, nothing, ALLOWED, STEMS) == {}
    (reports / "shareable" / "region-06.html").write_text("<p>P9cd772e9c09987ca</p>")
    assert list(withheld.withhold_leaks(reports, nothing, ALLOWED, STEMS)) == ["06"]


def test_days_of_tables_are_no_birth_dates(tmp_path):
    pd.DataFrame({"month": pd.to_datetime(["1985-03-02"]), "n": [1]}).to_parquet(tmp_path / "stock.parquet")
    assert set(withheld._days_of(tmp_path)) == {dt.date(1985, 3, 2)}


def test_a_day_of_the_run_is_not_taken_for_another(tmp_path):
    # 2023-04-01 could be read as the 4th of January
    (tmp_path / "a.csv").write_text("2023-04-01;2023-05-02", encoding="utf-8")
    stamp = pd.to_datetime(["2023-01-04", "2023-05-02"])
    people = Secrets.of_records(pd.DataFrame({"birth_date_earliest": stamp, "birth_date_latest": stamp}))
    assert find_leaks(tmp_path, people, allowlist(dates=[dt.date(2023, 4, 1)]))["value"].tolist() == ["2023-05-02"]
    assert len(find_leaks(tmp_path, people, ALLOWED)) == 2
