"""`check`, `template` and `crosswalk` as a partner meets them: what they say, what they write, their exit status."""

import errno
import re
import shutil

import openpyxl
import pytest

from commands import call
from trajectories.deposits.check import check_file
from trajectories.deposits.template import write_template
from trajectories.study import Study

NAME = "EER01_2021-2022_T3_2022-01-20.csv"
HEADER = (
    "No dossier;Prénom;nom;sexe;Date de naissance;Municipalité de résidence;Service;Date du service;"
    "categorie_immigration;Couleur;taille_menage;volet"
)
CLEAN = ["101;Zoé;Côté;F;1990-05-17;Montréal;Francisation;2021-11-02;réfugié;;2;V1"]
FAULTY = [
    *CLEAN,
    "102;Quetzalcoatl;Vraisemblable;Z;2030-01-01;Rimouski;Jumelage;2021-13-03;Refugier;;0;V7",
    "102;Quetzalcoatl;Vraisemblable;F;1960-02-03;Rimouski;Jumelage;2021-13-04;réfugié;;3;V1",
    ";;;F;1960-02-03;Laval;Accueil;2021-12-01;;;;",
]
PERSONAL = ("Quetzalcoatl", "Vraisemblable", "2030-01-01", "1960-02-03", "Refugier", "2021-13", "102", "Rimouski")


def deposit(folder, rows, name=NAME, header=HEADER):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_clean_deposit(tmp_path, capsys):
    header = HEADER.replace("Couleur", "remarques")
    assert call("check", deposit(tmp_path, CLEAN, header=header)) == 0
    said = capsys.readouterr().out
    for part in (
        "EER01",
        "2021-2022 T3",
        "2022-01-20",
        "12 colonnes reconnues sur 12",
        "1 acceptée,",
        "Aucun problème.",
    ):
        assert part in said


def test_each_problem_has_its_cell_and_its_remedy(tmp_path, capsys):
    assert call("check", deposit(tmp_path, FAULTY)) == 1
    said = capsys.readouterr().out
    for part in (
        "colonne J «\u00a0Couleur\u00a0»", "ligne 5", "cellule D3", "cellule E3",
        "2 cellules\u00a0: H3:H4", "cellule I3",
        "cellule K3", "cellule L3", "Accepté  : F, M, X", "AAAA-MM-JJ", "11 colonnes reconnues sur 12",
    ):  # fmt: skip
        assert part in said, part
    assert not [value for value in PERSONAL if value in said]


def test_values_only_when_asked_for(tmp_path, capsys):
    assert call("check", deposit(tmp_path, FAULTY), "--show-values") == 1
    said = capsys.readouterr().out
    assert "I3\u00a0: «\u00a0Refugier\u00a0»; vouliez-vous dire «\u00a0réfugié\u00a0»?" in said
    assert "E3\u00a0: «\u00a02030-01-01\u00a0»" in said


def test_the_page_is_whole_escaped_and_without_script(tmp_path, capsys):
    rows = [*FAULTY, "103;<b>x</b>;y;<script>alert(1)</script>;;Rimouski;Jumelage;2021-11-03;;;;"]
    path = deposit(tmp_path, rows, header=HEADER.replace("Couleur", "<img src=x onerror=alert(1)>"))
    page = tmp_path / "rapport.html"
    assert call("check", path, "--html", page, "--show-values") == 1
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert not re.search(r"(?:src|href)\s*=", html.replace("&lt;img src=x", ""))
    for part in ('<html lang="fr">', "<title>", "<h1>", '<th scope="col">', "<caption>", "<main>"):
        assert part in html
    assert call("check", path, "--html", page) == 1
    html = page.read_text(encoding="utf-8")
    assert not [value for value in PERSONAL if value in html]
    assert "alert(1)</script>" not in html.replace("&lt;", "<").replace("<img src=x onerror=alert(1)>", "")


def test_a_csv_becomes_a_marked_workbook(tmp_path, capsys):
    rows = [*FAULTY, '103;=HYPERLINK("http://x");+1;F;;Rimouski;Jumelage;2021-11-03;;@SUM(1);;']
    marked = tmp_path / NAME.replace(".csv", ".xlsx")
    assert call("check", deposit(tmp_path, rows), "--annotate", marked) == 1
    book = openpyxl.load_workbook(marked)
    assert book.sheetnames == ["Vérification", "Dépôt"]
    sheet = book["Dépôt"]
    assert sheet["B3"].value == "Quetzalcoatl"
    for reference in ("D3", "E3", "H3", "H4", "I3", "K3", "L3", "J1", "A5"):
        assert sheet[reference].comment, reference
        assert sheet[reference].fill.fgColor.rgb in ("FFF4B183", "FFFFE699")
    assert sheet["D2"].comment is None
    assert sheet["D2"].fill.fill_type is None
    assert {sheet[f"{letter}5"].fill.fgColor.rgb for letter in "ABCDEFGHIJKL"} == {"FFFFE699"}
    assert (sheet["B6"].value, sheet["B6"].data_type) == ('=HYPERLINK("http://x")', "s")
    assert sheet["J6"].data_type == sheet["C6"].data_type == "s"
    comments = " ".join(c.comment.text for row in sheet.iter_rows() for c in row if c.comment)
    summary = " ".join(str(cell) for row in book["Vérification"].iter_rows(values_only=True) for cell in row)
    assert not [value for value in PERSONAL if value in comments + summary]
    # what was marked is read as the deposit was: the list of problems is no data
    before, after = check_file(tmp_path / NAME, study=Study())[0], check_file(marked, study=Study())[0]
    assert [p.references for p in after.problems] == [p.references for p in before.problems]


def test_a_workbook_keeps_what_it_holds(tmp_path):
    path = write_template(tmp_path / "EER01_2021-2022_T3.xlsx", "EER01")
    book = openpyxl.load_workbook(path)
    for letter, value in {"E": "7", "J": "Z", "Q": "Rimouski", "W": "2021-11-02", "C": "2021-2022", "D": "T3"}.items():
        book["Dépôt"][f"{letter}2"] = value
    book["Dépôt"].column_dimensions["A"].width = 33
    book.save(path)
    marked = tmp_path / "marque.xlsx"
    assert call("check", path, "--annotate", marked) == 1
    after = openpyxl.load_workbook(marked)
    assert after.sheetnames == ["Vérification", "Dépôt", "Dictionnaire", "Exemples"]
    assert after["Dépôt"].column_dimensions["A"].width == 33
    assert len(after["Dépôt"].data_validations.dataValidation) > 30
    assert "F, M, X" in after["Dépôt"]["J2"].comment.text
    assert openpyxl.load_workbook(path)["Dépôt"]["J2"].comment is None


def test_merged_cells_are_marked_where_a_comment_may_stand(tmp_path):
    path = write_template(tmp_path / "EER01_2021-2022_T3.xlsx")
    book = openpyxl.load_workbook(path)
    sheet = book["Dépôt"]
    for row in (2, 3):
        sheet[f"E{row}"], sheet[f"W{row}"] = str(row), "2021-11-02"
    sheet["Q2"] = "Xyzzy"
    sheet.merge_cells("Q2:Q3")
    sheet["H2"] = "Côté"
    sheet.merge_cells("G1:H1")
    book.save(path)
    assert call("check", path, "--annotate", tmp_path / "marque.xlsx") == 1
    sheet = openpyxl.load_workbook(tmp_path / "marque.xlsx")["Dépôt"]
    assert sheet["Q2"].comment.text.count("pas reconnue") == 1
    assert "n'a pas d'en-tête" in sheet["G1"].comment.text


def test_a_marked_workbook_is_corrected_and_checked_again(tmp_path):
    path = write_template(tmp_path / "EER01_2021-2022_T3.xlsx")
    book = openpyxl.load_workbook(path)
    for reference, value in {"E2": "7", "J2": "Z", "Q2": "Rimouski", "W2": "2021-11-02", "I2": "1990-13-01"}.items():
        book["Dépôt"][reference] = value
    book["Dépôt"]["J2"].comment = openpyxl.comments.Comment("à voir avec Luce", "Luce")
    book.save(path)
    assert call("check", path, "--annotate", tmp_path / "EER01_2021-2022_T3_b.xlsx") == 1
    book = openpyxl.load_workbook(tmp_path / "EER01_2021-2022_T3_b.xlsx")
    assert book["Dépôt"]["J2"].comment.text.startswith("à voir avec Luce\n\nVérification :")
    book["Dépôt"]["I2"] = "1990-12-01"
    book["Dépôt"]["J2"] = "F"
    book.save(tmp_path / "EER01_2021-2022_T3_b.xlsx")
    assert call("check", tmp_path / "EER01_2021-2022_T3_b.xlsx", "--annotate", tmp_path / "c.xlsx") == 0
    sheet = openpyxl.load_workbook(tmp_path / "c.xlsx")["Dépôt"]
    assert sheet["I2"].comment is None
    assert sheet["J2"].comment.text == "à voir avec Luce"
    assert sheet["I2"].fill.fill_type is sheet["J2"].fill.fill_type is None
    assert openpyxl.load_workbook(tmp_path / "c.xlsx").sheetnames.count("Vérification") == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "Le fichier est vide."),
        ("a.xlsx", b"PK\x03\x04 cut off", "endommagé"),
        ("a.pdf", b"%PDF-1.7", "pas un dépôt d'une sorte connue"),
        ("a.csv", b"%PDF-1.7", "pas un tableau"),
        ("a.csv", b"x;y\n1;2\n", "Aucune feuille n'a d'en-têtes reconnus."),
        ("a.xls", b"<html><table></table></html>", "page web"),
    ],
)
def test_an_unreadable_file_is_a_sentence(tmp_path, capsys, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    assert call("check", path) == 2
    captured = capsys.readouterr()
    assert said in captured.out
    assert "À faire" in captured.out
    assert call("check", path, "--annotate", tmp_path / "o.xlsx") == 2
    assert not (tmp_path / "o.xlsx").exists()


def test_a_filled_column_without_a_header_is_told_by_its_letter(tmp_path, capsys):
    header = HEADER.replace("Couleur", "remarques").replace(";nom;", ";;")
    marked = tmp_path / "marque.xlsx"
    page = tmp_path / "rapport.html"
    path = deposit(tmp_path, CLEAN, header=header)
    assert call("check", path, "--annotate", marked, "--html", page) == 1
    said = capsys.readouterr().out
    assert "n'a pas d'en-tête" in said and "colonne C, cellule C1" in said
    assert "11 colonnes reconnues sur 12" in said
    assert "(sans en-tête)" in page.read_text(encoding="utf-8")
    assert "pas d'en-tête" in openpyxl.load_workbook(marked)["Dépôt"]["C1"].comment.text
    # an empty one, or the label of a total, is no loss
    blank = deposit(tmp_path, [CLEAN[0].replace("Côté", ""), ";;Total;;;;;;;;1;"], header=header)
    call("check", blank)
    assert "n'a pas d'en-tête" not in capsys.readouterr().out


def test_what_the_file_does_not_say_is_not_made_up(tmp_path, capsys):
    header = HEADER.replace("Couleur", "remarques")
    call("check", deposit(tmp_path, CLEAN, "EER01_2021-2022_T3.csv", header))
    assert "Date du dépôt       inconnue" in capsys.readouterr().out
    call("check", deposit(tmp_path, CLEAN, "envoi.csv", header))
    said = capsys.readouterr().out
    assert "Organisme           inconnu\n" in said and "fichier:" not in said
    call("check", deposit(tmp_path, [], "envoi.csv", header))
    assert "on ne sait pas de qui il vient" in capsys.readouterr().out


def test_an_unclosed_quote_is_told_by_its_row(tmp_path, capsys):
    rows = [*CLEAN, CLEAN[0].replace("101", "102").replace("Zoé", '"Zoé'), CLEAN[0].replace("101", "103")]
    path = deposit(tmp_path, rows, header=HEADER.replace("Couleur", "remarques"))
    assert call("check", path, "--show-values") == 1
    said = capsys.readouterr().out
    assert "Où       : ligne 3\n" in said[said.index("[unclosed_quote]") :]


def test_usage(tmp_path, capsys):
    path = deposit(tmp_path, CLEAN)
    for arguments, said in (
        ((tmp_path / "absent.csv",), "n'existe pas"),
        ((tmp_path,), "c'est un dossier"),
        ((path, path, "--annotate", tmp_path / "o.xlsx"), "un seul fichier"),
        ((path, "--annotate", tmp_path / "o.csv"), "finit par .xlsx"),
    ):
        assert call("check", *arguments) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert "Traceback" not in captured.err
    book = write_template(tmp_path / "m.xlsx")
    assert call("check", book, "--annotate", book) == 2
    capsys.readouterr()
    assert call("check", book, "--html", book / "below" / "a.html") == 2
    assert "ne peut pas être écrit" in capsys.readouterr().err
    assert call("check", book, "--html", tmp_path / "new" / "a.html") == 0
    assert call("template", tmp_path / "new" / "b.xlsx") == 0
    assert call("template", tmp_path / "new" / "b.csv") == 2


def test_a_file_that_may_not_be_read_is_told_in_french(tmp_path, capsys, monkeypatch):
    path = deposit(tmp_path, CLEAN)

    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("shutil.copyfile", refused)
    assert call("check", path) == 2
    assert "Le fichier ne peut pas être ouvert." in capsys.readouterr().out


def test_several_files_give_one_report_and_the_worst_status(tmp_path, capsys):
    clean = deposit(tmp_path, CLEAN, "EER01_2021-2022_T2.csv", HEADER.replace("Couleur", "remarques"))
    faulty = deposit(tmp_path, FAULTY)
    assert call("check", clean, faulty) == 1
    said = capsys.readouterr().out
    assert said.index("EER01_2021-2022_T2.csv") < said.index(NAME)
    (tmp_path / "vide.csv").write_bytes(b"")
    assert call("check", clean, faulty, tmp_path / "vide.csv") == 2


def test_nothing_is_left_beside_the_deposit_and_control_characters_are_not_obeyed(tmp_path, capsys):
    header = HEADER.replace("Couleur", "Rouge\x1b[31m\u202e")
    path = deposit(tmp_path, CLEAN, header=header)
    call("check", path)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_the_template_and_the_draft_crosswalk(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("template", "--organisation", "EER01") == 0
    assert capsys.readouterr().out.strip() == "modele-depot-EER01.xlsx"
    assert call("check", "modele-depot-EER01.xlsx") == 0
    capsys.readouterr()
    form = tmp_path / "form.csv"
    header = "Numéro du dosier;Vu par;Date du servce;Vile de residence;Type du service"
    form.write_text(f"{header}\n7;x;2021-11-02;Rimouski;Jumelage\n", encoding="utf-8")
    assert call("crosswalk", form) == 0
    draft = capsys.readouterr().out
    assert 'service_date = ["Date du servce"]' in draft
    folder = tmp_path / "crosswalks"
    folder.mkdir()
    (folder / "form.toml").write_text(draft.replace('# ? = ["Vu par"]', 'remarks = ["Vu par"]'), encoding="utf-8")
    assert call("check", form, "--crosswalks", folder) in (0, 1)
    assert "5 colonnes reconnues sur 5" in capsys.readouterr().out
    (folder / "form.toml").write_text("[columns]\nville = 3\n", encoding="utf-8")
    assert call("check", form, "--crosswalks", folder) == 2
    assert "line 2" in capsys.readouterr().err


def test_a_study_of_ones_own_form_is_read(tmp_path):
    from trajectories.deposits import read_deposits

    raw = tmp_path / "raw"
    (tmp_path / "crosswalks").mkdir()
    raw.mkdir()
    (tmp_path / "crosswalks" / "maison.toml").write_text(
        'name = "maison"\nextends = "pasi-2019"\nprogrammes = ["PASI"]\n[columns]\nfile_number = ["Réf."]\n'
        'residence = ["Où"]\nservice_date = ["Vu le"]\n[values.service]\npairing = ["parrainage civique"]\n',
        encoding="utf-8",
    )
    (raw / "EER01_2021-2022_T3.csv").write_text(
        "Réf.;Où;Vu le;service\n7;Rimouski;2021-11-02;parrainage civique\n", encoding="utf-8"
    )
    shutil.copy(raw / "EER01_2021-2022_T3.csv", raw / "EER02_2018-2019_T3.csv")
    (raw / "EER02_2018-2019_T3.csv").write_text(
        "no_dossier;volet;municipalite_residence;service;date_service;programme\n"
        "8;V3;Rimouski;jumelage;2018-11-02;Réussir l'intégration\n"
        "9;V9;Rimouski;jumelge;2018-11-02;Réussir l'intégration\n",
        encoding="utf-8",
    )
    read = read_deposits(raw)
    assert read.files["crosswalk"].tolist() == ["maison", "reussir-integration-2017"]
    assert read.records["service"].tolist() == ["pairing", "pairing", None]
    assert read.records["stream"].tolist() == [None, "asylum_claimants", None]
    found = read.issues[["row", "reason", "column", "closest"]].fillna({"closest": ""}).to_numpy().tolist()
    assert found == [[3, "unknown_value", "service", "jumelage"], [3, "unknown_stream", "stream", ""]]
