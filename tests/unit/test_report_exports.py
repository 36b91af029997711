"""The exports: what leaves and in what form, the same in CSV and workbook, and what may not leave."""

import csv
import dataclasses
import datetime as dt
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

import figure_tables
from figure_tables import PERSONS, write_regions
from lead_tables import every_table
from page_reading import text_of_workbook
from report_tables import protected_once, write_facts, write_least
from trajectories.analysis.comparison import shrunken
from trajectories.analysis.services.leads import ranked_leads
from trajectories.disclosure import Protected, protect
from trajectories.exceptions import DisclosureError, TableError, UnusableInputError
from trajectories.report import exports as labelled
from trajectories.report import html
from trajectories.report.exports import COLUMNS, UNITS, WORKBOOK, exported, write_exports
from trajectories.report.inputs import frame_of
from trajectories.report.run import MORE, NEEDED, Run, as_coefficients, shown_tables
from trajectories.report.words import read_catalogue, words
from trajectories.runs.publish import publish
from trajectories.study import Paths, Study

FR = words("fr")
TARGETS = {"05": {"2024-2025": 300, "2023-2024": 200}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run.read(write_facts(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Every table that can be exported, protected."""
    folder = write_regions(tmp_path_factory.mktemp("tables"), figure_tables.FEW)
    raw = pd.read_parquet(folder / "retention.parquet")
    made = {
        "types": figure_tables.types(), "states": figure_tables.states(), "paths": figure_tables.sequences(),
        "funnel": figure_tables.funnel(raw), "coefficients": figure_tables.coefficients(),
        "served": as_coefficients(figure_tables.services_and_staying()),
        "comparison": figure_tables.comparison(), "odds": figure_tables.scale(), "panel": figure_tables.panel(),
        "stock": figure_tables.stock(), "delays": figure_tables.delays(), "leads": ranked_leads(every_table()),
        "drawn": shrunken(raw[raw["method"].eq("main")]), "periods": _periods(raw),
    }  # fmt: skip
    kept, more, _ = protected_once(folder)
    return {**kept, **more, **{name: protect(frame) for name, frame in made.items()}}


def _periods(raw):
    """With a rate of one's own in every group, as a table of its own has to be."""
    return figure_tables.periods(raw).assign(rate=0.8)


@pytest.fixture(scope="module")
def needed(tables):
    """Those that every run makes."""
    return {name: tables[name] for name in NEEDED}


@pytest.fixture(scope="module")
def files(tables, run):
    return exported(tables, FR, dataclasses.replace(run, targets=targets()))


def targets():
    return {(region, year): n for region, years in TARGETS.items() for year, n in years.items()}


def rows_of(content):
    """The rows of a CSV as dicts, by header."""
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def in_csv(value):
    """A cell of a workbook as the CSV has it."""
    if isinstance(value, dt.date | dt.datetime):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".").replace(".", ",")
    return "" if value is None else str(value)


def test_every_table_that_a_page_can_show_is_exported(tables, files):
    assert set(tables) == {*NEEDED, *MORE} == set(COLUMNS)
    assert len(files) == len(tables) + 3
    assert list(files)[:3] == [WORKBOOK, "indicateurs.csv", "dictionnaire.csv"]
    assert {"retention.csv", "departs.csv", "denombrements.csv", "a-personnes-semblables.csv"} <= set(files)


def test_a_csv_is_for_french_excel(files):
    for name, content in files.items():
        if name.endswith(".csv"):
            assert content.startswith(b"\xef\xbb\xbf") and not content.startswith(b"\xef\xbb\xbf" * 2)
            text = content.decode("utf-8-sig")
            assert text.count("\n") == text.count("\r\n") and text.endswith("\r\n")
            header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=";")
            assert len(set(header)) == len(header) > 1 and rows
            assert all(len(row) == len(header) for row in rows)
            # no number with a point; a code may have one
            cells = [cell for row in rows for cell, title in zip(row, header, strict=True) if "(code)" not in title]
            assert not [cell for cell in cells if re.fullmatch(r"-?\d+\.\d+", cell)], name
    rates = rows_of(files["retention.csv"])
    main = [r for r in rates if r["Lieu (code)"] == "05" and r["Méthode (code)"] == "main"]
    (row,) = [r for r in main if r["Durée (mois)"] == "24"]
    assert row["Estimation"].startswith("0,") and row["Lieu"] == "Estrie" and row["Statut"] == "publié"
    assert row["Personnes au départ (arrondi)"] == "640" and row["Appui"] == "Confirmé par des suivis"


def test_the_numbers_are_those_of_the_protected_table(tables, files):
    told = frame_of(tables["retention"])
    rates = rows_of(files["retention.csv"])
    assert len(rates) == len(told)
    for row, (_, protected) in zip(rates, told.iterrows(), strict=True):
        number = float(row["Estimation"].replace(",", ".")) if row["Estimation"] else np.nan
        assert number == protected["estimate"] or (np.isnan(number) and pd.isna(protected["estimate"]))
    assert len({row["Estimation"] for row in rates}) > 10


def test_hidden_rows_are_empty_and_say_why_as_the_pages_do(tables, files):
    assert {"few_exits", "insufficient"} <= set(frame_of(tables["retention"])["reason"])
    numbers = {"Estimation", "Limite basse", "Limite haute", "Au moins", "Au plus", "Hypothèses, plus bas",
               "Hypothèses, plus haut", "Personnes au départ (arrondi)", "Personnes observées (arrondi)",
               "Personnes (arrondi)", "Ménages (arrondi)", "Appui", "Taux rapproché", "Rapport des risques", "Valeur p",
               "Valeur"}  # fmt: skip
    seen = set()
    for name, content in files.items():
        for row in rows_of(content) if name.endswith(".csv") and name != "dictionnaire.csv" else []:
            seen.add(row["Statut (code)"])
            if row["Statut (code)"] in ("hidden", "none"):
                assert row["Motif"] and not any(row.get(column) for column in numbers), (name, row)
            if row["Statut (code)"] == "range":
                assert not row.get("Estimation") and not row.get("Valeur")
                assert row.get("Au plus") or row.get("Limite haute")
            # which rule hid a cell would tell something of the next one
            assert row["Motif (code)"] in ("", "hidden", "insufficient", "range", "no_plateau", "short_follow_up")
    assert seen == {"published", "range", "hidden", "none"}
    counts = rows_of(files["denombrements.csv"])
    small = [row for row in counts if row["Lieu (code)"] == "09" and row["Statut"] == "masqué"]
    assert small and PERSONS["09"] == 12


def test_numbers_that_no_page_shows_stay_behind(tables, files, run):
    rates = rows_of(files["retention.csv"])
    beside = [row for row in rates if row["Méthode (code)"] != "main"]
    assert beside and not any(row["Personnes observées (arrondi)"] for row in beside)
    assert any(row["Personnes observées (arrondi)"] for row in rates)
    counts = rows_of(files["denombrements.csv"])
    assert not [row for row in counts if row["Valeur comptée (code)"] in ("other", "kept", "no")]
    extra = pd.DataFrame({"group": "05", "table": ["stock_certain 2025-03-31", "city_size", "service_any"],
                          "key": ["total", "under_10k", "no"], "persons_rounded": 35, "households_rounded": 20,
                          "shown": True, "sum_of_displayed": False})  # fmt: skip
    made = labelled.labelled("counts", Protected("counts", extra, tables["counts"].rules), FR, run)
    assert made.rows.empty


def test_workbook_and_csv_say_the_same_and_codes_are_text(files):
    book = openpyxl.load_workbook(io.BytesIO(files[WORKBOOK]))
    light = CalamineWorkbook.from_filelike(io.BytesIO(files[WORKBOOK]))
    assert book.sheetnames == light.sheet_names
    assert book.sheetnames[0] == "Lecture" and book.sheetnames[-1] == "Dictionnaire"
    by_title = {html_name(title): title for title in book.sheetnames[1:]}
    assert set(by_title) == {name.removesuffix(".csv") for name in files if name.endswith(".csv")}
    for stem, title in by_title.items():
        text = files[f"{stem}.csv"].decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
        cells = [[in_csv(cell) for cell in row] for row in book[title].iter_rows(values_only=True)]
        assert cells == lines, title
    place = book["Rétention"]["A"]
    assert {cell.data_type for cell in place} == {"s"} and "05" in {cell.value for cell in place}
    origins = [row for row in light.get_sheet_by_name("Dénombrements").to_python() if row[2] == "origin"]
    assert "06" in {row[4] for row in origins}
    estimates = [row[10] for row in light.get_sheet_by_name("Rétention").to_python()[1:]]
    assert any(isinstance(cell, float) for cell in estimates)


def html_name(title):
    from trajectories.folders import slug

    return slug(title)


def test_nothing_is_taken_for_a_formula(tables, run):
    names = ["=cmd|'/c calc'!A0", "+1", "-1", "@x", "\tx", "\rx"]
    frame = tables["retention"].frame
    part = frame[frame["group"].eq("05") & frame["method"].eq("main")]
    many = pd.concat([part.assign(group=name) for name in names], ignore_index=True)
    made = exported({"retention": Protected("rates", many, tables["retention"].rules)}, FR, run)
    for row in rows_of(made["retention.csv"]):
        assert row["Lieu (code)"][0] == row["Lieu"][0] == "'"
        assert row["Lieu (code)"][1:] in names
    book = openpyxl.load_workbook(io.BytesIO(made[WORKBOOK]))
    assert not [cell for page in book for row in page.iter_rows() for cell in row if cell.data_type == "f"]
    with zipfile.ZipFile(io.BytesIO(made[WORKBOOK])) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
    assert sheets and not any(b"<f>" in content or b"hyperlink" in content for content in sheets)


@pytest.mark.thorough
def test_the_same_tables_give_the_same_bytes_that_name_nobody(tables, files, run):
    again = exported(dict(reversed(tables.items())), FR, dataclasses.replace(run, targets=targets()))
    assert again == files
    with zipfile.ZipFile(io.BytesIO(files[WORKBOOK])) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert "<dc:creator></dc:creator>" in core and "<cp:lastModifiedBy></cp:lastModifiedBy>" in core
    assert set(re.findall(r"T(\d\d:\d\d:\d\d)", core)) == {"00:00:00"}
    for name, content in files.items():
        text = text_of_workbook(content) if name == WORKBOOK else content.decode("utf-8-sig")
        assert html.faults(text) == [], name
        assert str(Path.home()) not in text and "/tmp" not in text
        assert set(re.findall(r"\d\d:\d\d:\d\d", text)) <= {"00:00:00"}, name


def test_the_text_of_a_workbook_is_found_wherever_it_stands(tmp_path):
    import xlsxwriter

    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    book.set_properties({"author": "quelqu’un"})
    page = book.add_worksheet("feuille-x")
    page.write_string(0, 0, "Traceback (most recent call last)")
    page.write_comment(0, 0, "note-y")
    book.close()
    text = text_of_workbook((tmp_path / "a.xlsx").read_bytes())
    assert all(said in text for said in ("quelqu’un", "feuille-x", "note-y"))
    assert html.faults(text) == ["a traceback"]


@pytest.mark.parametrize("what", ["frame", "dict"])
def test_a_raw_table_is_refused(tables, run, tmp_path, what):
    raw = pd.DataFrame({"group": ["05"], "persons": [3]}) if what == "frame" else {}
    with pytest.raises(DisclosureError, match="protected tables only"):
        write_exports({**tables, "counts": raw}, FR, run, tmp_path / "donnees")
    assert not (tmp_path / "donnees").exists()


def test_tables_columns_and_counts_are_a_closed_set(tables, run):
    rates = tables["retention"]
    more = Protected("rates", rates.frame.assign(surprise=1.0), rates.rules)
    with pytest.raises(TableError, match=r"whether retention\.surprise may be exported"):
        exported({**tables, "retention": more}, FR, run)
    with pytest.raises(TableError, match="the table news is not among those"):
        exported({**tables, "news": rates}, FR, run)
    counts = tables["counts"]
    strange = Protected("counts", counts.frame.assign(table="shoe_size"), counts.rules)
    with pytest.raises(TableError, match="whether the counts shoe_size may be exported"):
        exported({**tables, "counts": strange}, FR, run)


def test_a_column_without_words_is_refused(run):
    with pytest.raises(TableError, match=r"no words for retention\.surprise, retention\.other"):
        labelled.sheet("retention", pd.DataFrame({"group": ["05"], "surprise": [1], "other": [2]}), FR, run)
    with pytest.raises(TableError, match="no words for news"):
        labelled.sheet("news", pd.DataFrame({"group": ["05"]}), FR, run)


def test_every_code_has_a_label_and_every_message_is_used(tables, files):
    bare = set()
    for name, content in files.items():
        if name.endswith(".csv"):
            rows = rows_of(content)
            for code in [column for column in rows[0] if column.endswith(" (code)")]:
                bare |= {row[code] for row in rows if row[code] and row[code] == row[code.removesuffix(" (code)")]}
    assert {code for code in bare if not re.fullmatch(r"\d{4}-\d{4}", code)} == set()
    used = {column for known in COLUMNS.values() for column in (*known.keys, *known.published)} | {"status", "why"}
    described = rows_of(files["dictionnaire.csv"])
    used |= {row["Code de la colonne"].removesuffix("_label") for row in described}
    keys = [message.id for message in read_catalogue("fr") if isinstance(message.id, str)]
    fields = {key.removeprefix("field.") for key in keys if key.startswith("field.")}
    assert fields - {"code_of"} == used
    sheets = {key.removeprefix("sheet.") for key in keys if key.startswith("sheet.")}
    assert sheets == {*COLUMNS, "indicators", "dictionary", "reading"}
    # no meaning of a column that no table has
    told = {name: {*known.keys, *known.published} for name, known in COLUMNS.items()} | {"indicators": used}
    for key in (key.split(".")[1:] for key in keys if key.startswith("meaning.")):
        assert key[-1] in (used | {"code_of"}) if len(key) == 1 else key[-1] in told[key[0]], key


def test_the_dictionary_says_each_column_of_each_file(files):
    described = rows_of(files["dictionnaire.csv"])
    for name, content in files.items():
        if name.endswith(".csv"):
            headers = list(rows_of(content)[0])
            assert [row["Colonne"] for row in described if row["Fichier"] == name] == headers
    assert all(row["Signification"] and row["Contenu"] in ("texte", "nombre", "date") for row in described)


@pytest.mark.thorough
def test_the_reading_sheet_says_what_the_numbers_are(files, needed, run):
    book = openpyxl.load_workbook(io.BytesIO(files[WORKBOOK]))
    said = dict(book["Lecture"].iter_rows(values_only=True))
    assert said["Données arrêtées au"] == "31\u00a0décembre 2025"
    assert "10 personnes" in said["Règles de publication"] and "arrondis à 5" in said["Règles de publication"]
    assert "inventés" in said["Données synthétiques"]
    real = exported(needed, FR, dataclasses.replace(run, synthetic=False))
    book = openpyxl.load_workbook(io.BytesIO(real[WORKBOOK]))
    assert "Données synthétiques" not in dict(book["Lecture"].iter_rows(values_only=True))
    assert {row["Source (code)"] for row in rows_of(real["indicateurs.csv"])} == {"deposits"}


def test_the_indicators_are_tidy(files, tables, run):
    rows = rows_of(files["indicateurs.csv"])
    assert {row["Indicateur (code)"] for row in rows} == set(UNITS)
    keys = [(r["Indicateur (code)"], r["Lieu (code)"], r["Durée (mois)"], r["Exercice"]) for r in rows]
    assert len(set(keys)) == len(keys)
    of = {(r["Indicateur (code)"], r["Lieu (code)"], r["Durée (mois)"] or r["Exercice"]): r for r in rows}
    assert {r["Données arrêtées au"] for r in rows} == {"2025-12-31"}
    assert {h for i, g, h in of if i == "retention" and g == "05"} == set(map(str, run.horizons))
    main = of["retention", "05", "24"]
    told = frame_of(tables["retention"]).query("group == '05' and method == 'main' and horizon == 24").iloc[0]
    assert main["Valeur"] == in_csv(float(told["estimate"])) and main["Limite basse"] == in_csv(float(told["lower"]))
    assert main["Unité"] == "proportion (0 à 1)" and main["Appui (code)"] == "observed" and main["Définition"]
    assert main["Sorte de lieu (code)"] == "region" and main["Source (code)"] == "synthetic"
    ranged = next(r for r in rows if r["Indicateur (code)"] == "retention" and r["Statut"] == "étendue")
    assert not ranged["Valeur"] and ranged["Limite haute"] and ranged["Motif"]
    assert any(r["Appui (code)"] == "hearsay" for r in rows)
    assert of["persons_settled", "05", ""]["Valeur"] == "640"
    # the target of a place that has one, and what is reached of it
    assert {(g, h) for i, g, h in of if i == "households_target"} == {("05", y) for y in TARGETS["05"]}
    settled, reached = (of[name, "05", "2024-2025"]["Valeur"] for name in ("households_settled_year", "target_reached"))
    assert float(reached.replace(",", ".")) == round(int(settled) / 300 * 20) / 20


@pytest.mark.thorough
def test_an_earlier_table_is_removed_and_what_is_not_ours_is_kept(tables, needed, run, tmp_path):
    folder = tmp_path / "donnees"
    names = write_exports({**needed, "leads": tables["leads"]}, FR, run, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    (folder / "lisez-moi.txt").write_text("x")
    (folder / ".retention.csv.1.ab.tmp").write_text("half")
    assert "pistes.csv" in names and "pistes.csv" not in write_exports(needed, FR, run, folder)
    left = {path.name for path in folder.iterdir()}
    assert left == {*names, "lisez-moi.txt"} - {"pistes.csv"}


@pytest.mark.thorough
def test_a_study_with_few_tables_has_its_exports(needed, run):
    made = exported(needed, FR, run)
    assert len(made) == len(NEEDED) + 3
    assert {row["Indicateur (code)"] for row in rows_of(made["indicateurs.csv"])} <= set(UNITS)


def test_a_number_kept_from_an_earlier_publication_says_so(needed, run):
    counts = needed["counts"]
    kept = Protected("counts", counts.frame.assign(published="2025-10-01"), counts.rules)
    rows = rows_of(exported({**needed, "counts": kept}, FR, run)["denombrements.csv"])
    assert {r["Repris de la publication du"] for r in rows if r["Statut"] == "publié"} == {"2025-10-01"}
    assert {r["Repris de la publication du"] for r in rows if r["Statut"] == "masqué"} == {""}


@pytest.mark.thorough
def test_publishing_refuses_data_that_the_tables_do_not_give(tmp_path):
    out = tmp_path / "reports"
    folder = write_least(out / "sensitive" / "tables", {"05": 640, "03": 210})
    (out / "shareable").mkdir()
    (out / "shareable" / "index.html").write_text("<p>index</p>", encoding="utf-8")
    study = Study(paths=Paths(raw=tmp_path, derived=tmp_path, reports=out))
    data = out / "shareable" / "donnees"
    shown = shown_tables(folder, rules=study.disclosure, support=study.support)
    write_exports(shown, FR, Run.read(folder), data)
    for name, content in (("retention.csv", b"a;b"), ("notes.txt", b"mine")):
        before = (data / name).read_bytes() if (data / name).exists() else None
        (data / name).write_bytes(content)
        with pytest.raises(UnusableInputError, match=rf"donnees/: {name} not as the tables give"):
            publish(study, tmp_path / "web")
        (data / name).unlink() if before is None else (data / name).write_bytes(before)
    assert not (tmp_path / "web").exists()
    copied = {path.name for path in publish(study, tmp_path / "web")}
    assert {"index.html", "trajectoires.xlsx", "indicateurs.csv"} <= copied


def test_the_index_links_to_the_files_only_where_there_are_some(run):
    where = ("donnees/trajectoires.xlsx", "donnees/indicateurs.csv", "donnees/dictionnaire.csv")
    page = html.index([], {}, language="fr", run=run, files=where)
    assert re.findall(r'<a href="(donnees[^"]+)"', page) == list(where) and "<h2>Données</h2>" in page
    without = html.index([], {}, language="fr", run=run)
    assert "donnees/" not in without and "<h2>Données</h2>" not in without


@pytest.mark.thorough
def test_the_english_files_are_the_same_numbers_in_english(tables, run, files):
    english = exported(tables, words("en"), dataclasses.replace(run, targets=targets()))
    assert list(english) == list(files)
    for name in files:
        if name.endswith(".csv"):
            text = english[name].decode("utf-8-sig")
            own = list(csv.reader(io.StringIO(text, newline="")))
            french = list(csv.reader(io.StringIO(files[name].decode("utf-8-sig"), newline=""), delimiter=";"))
            assert [len(row) for row in own] == [len(row) for row in french], name
            # the same numbers in the same cells, with a point
            numbers = [(i, j) for i, row in enumerate(french) for j, cell in enumerate(row)
                       if re.fullmatch(r"-?\d+,\d+", cell)]  # fmt: skip
            assert all(own[i][j] == french[i][j].replace(",", ".") for i, j in numbers), name
            # the dictionary has codes for texts too
            if name not in ("dictionnaire.csv", "retention.csv"):
                assert own[0] != french[0]
    (row,) = [
        row for row in csv.DictReader(io.StringIO(english["retention.csv"].decode("utf-8-sig"), newline=""))
        if (row["Place (code)"], row["Method (code)"], row["Duration (months)"]) == ("05", "main", "24")
    ]  # fmt: skip
    assert row["Estimate"].startswith("0.") and row["Status"] == "published" and row["Place"] == "Estrie"
    book = openpyxl.load_workbook(io.BytesIO(english[WORKBOOK]))
    said = dict(book["How to read"].iter_rows(values_only=True))
    assert said["Data up to"] == "December 31, 2025" and "0.83 means 83%" in said["Rates and shares"]


@pytest.mark.thorough
def test_publish_refuses_english_data_that_are_not_those_of_the_tables(tmp_path):
    out = tmp_path / "reports"
    folder = write_least(out / "sensitive" / "tables", {"05": 640, "03": 210})
    study = Study(paths=Paths(raw=tmp_path, derived=tmp_path, reports=out))
    made = shown_tables(folder, rules=study.disclosure, support=study.support)
    for language, place in (("fr", "donnees"), ("en", "en/donnees")):
        write_exports(made, words(language), Run.read(folder), out / "shareable" / place)
    assert {"en/donnees/retention.csv", "donnees/retention.csv"} <= {
        path.relative_to(tmp_path / "web").as_posix() for path in publish(study, tmp_path / "web")
    }
    # what is published is an input of the next run; the same numbers are told
    write_exports(shown_tables(folder, rules=study.disclosure, support=study.support), words("fr"), Run.read(folder),
                  out / "shareable" / "donnees")  # fmt: skip
    (out / "shareable" / "en" / "donnees" / "retention.csv").write_text("changed by hand")
    with pytest.raises(UnusableInputError, match=r"^en/donnees/: .*retention\.csv"):
        publish(study, tmp_path / "web")
