"""Files as partners send them: one odd file a test, with the one thing it is for."""

import datetime as dt
import io
import os
from dataclasses import replace

import corpus
import openpyxl
import pandas as pd
import pytest

from trajectories.deposits import read_deposits
from trajectories.exceptions import UnusableInputError
from trajectories.study import Study


def only(folder, **options):
    """The reading of a folder of one deposit, and its line in `files`."""
    deposits = read_deposits(folder, **options)
    assert len(deposits.files) == 1
    return deposits, deposits.files.iloc[0]


def assert_read_whole(deposits, **changes):
    """The three persons of the corpus, as typed."""
    expected = {
        "given_name": ["Zoé", "Ali", "Inés"],
        "family_name": ["Côté", "Ben Salah", "Pérez"],
        "residence_code": ["66023", "10043", "65005"],
        "destination_code": [None, None, "37067"],
        "service": ["francization", "pairing", "reception"],
        "row": [2, 3, 4],
    } | changes
    for column, values in expected.items():
        assert deposits.records[column].tolist() == values, column
    assert deposits.accounting().iloc[-1]["n_read"] == 3


# ── encodings ─────────────────────────────────────────────────────────────────────────────────────────────

ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "mac_roman", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encoding(tmp_path, encoding):
    corpus.put(tmp_path, corpus.text().encode(encoding))
    deposits, file = only(tmp_path)
    assert_read_whole(deposits)
    assert file["encoding"] == encoding


def test_utf8_read_as_cp1252(tmp_path):
    broken = corpus.text(header=[name.replace("_", " ").replace("prenom", "Prénom") for name in corpus.HEADER])
    corpus.put(tmp_path, broken.encode("utf-8").decode("cp1252"))
    assert_read_whole(only(tmp_path)[0])


def test_decomposed_accents_in_headers_and_places(tmp_path):
    import unicodedata

    corpus.put(tmp_path, unicodedata.normalize("NFD", corpus.text()))
    deposits, _ = only(tmp_path)
    assert deposits.records["residence_code"].tolist() == ["66023", "10043", "65005"]


def test_headers_with_no_break_spaces_in_mac_roman(tmp_path):
    header = [f"\xa0{name}\xa0" for name in corpus.HEADER]
    corpus.put(tmp_path, corpus.text(header=header).encode("mac_roman"))
    assert_read_whole(only(tmp_path)[0])


def test_nul_bytes(tmp_path):
    corpus.put(tmp_path, corpus.text().replace("Rimouski", "Rim\0ouski"))
    deposits, _ = only(tmp_path)
    assert_read_whole(deposits)
    assert "nul_bytes" in set(deposits.issues["reason"])


# ── separators, quotes, lines ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_separator(tmp_path, separator):
    corpus.put(tmp_path, corpus.text(separator=separator))
    deposits, file = only(tmp_path)
    assert_read_whole(deposits)
    assert file["separator"] == separator


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, line):
    corpus.put(tmp_path, corpus.text(line=line))
    assert_read_whole(only(tmp_path)[0])


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".tsv", ".CSV"])
def test_suffix(tmp_path, suffix):
    corpus.put(tmp_path, corpus.text(), corpus.NAME + suffix)
    assert_read_whole(only(tmp_path)[0])


def test_a_line_break_inside_quotes_does_not_count_as_a_row(tmp_path):
    rows = [(*corpus.ROWS[0][:-1], '"à rappeler;\nau printemps"'), *corpus.ROWS[1:]]
    corpus.put(tmp_path, corpus.text(rows))
    assert_read_whole(only(tmp_path)[0])


def test_an_unclosed_quote_does_not_swallow_the_file(tmp_path):
    rows = [(*corpus.ROWS[0][:-1], '"oubli'), *corpus.ROWS[1:]]
    corpus.put(tmp_path, corpus.text(rows))
    deposits, _ = only(tmp_path)
    assert_read_whole(deposits)
    assert "unclosed_quote" in set(deposits.issues["reason"])


# ── layout ────────────────────────────────────────────────────────────────────────────────────────────────


def test_title_rows_above_the_header(tmp_path):
    corpus.put(tmp_path, "Reddition de comptes, 3e trimestre;;\n\n" + corpus.text())
    assert_read_whole(only(tmp_path)[0], row=[4, 5, 6])


def test_blank_rows_are_not_counted_but_keep_the_numbers(tmp_path):
    lines = corpus.text().split("\n")
    corpus.put(tmp_path, "\n".join([*lines[:2], "", ";;;;;;;;;; ", *lines[2:]]))
    assert_read_whole(only(tmp_path)[0], row=[2, 5, 6])


def test_trailing_empty_columns(tmp_path):
    corpus.put(tmp_path, corpus.text().replace("\n", ";;;\n"))
    assert_read_whole(only(tmp_path)[0])


def test_rows_without_their_trailing_cells(tmp_path):
    corpus.put(tmp_path, "\n".join(line.rstrip(";") for line in corpus.text().split("\n")))
    assert_read_whole(only(tmp_path)[0])


def test_total_row_is_quarantined(tmp_path):
    corpus.put(tmp_path, corpus.text([*corpus.ROWS, ("Total", "3", *[""] * 9)]))
    deposits, file = only(tmp_path)
    assert deposits.quarantine[["row", "reason"]].values.tolist() == [[5, "total_row"]]
    assert (file["n_read"], file["n_accepted"], file["n_quarantined"]) == (4, 3, 1)


def test_a_person_called_total_is_a_person(tmp_path):
    corpus.put(tmp_path, corpus.text([("EER01", "104", "Jean", "Total", *corpus.ROWS[1][4:])]))
    assert only(tmp_path)[1]["n_accepted"] == 1


@pytest.mark.parametrize("where", [4, 10], ids=["in the middle", "in the remarks"])
def test_a_row_with_a_cell_too_many_is_quarantined(tmp_path, where):
    shifted = (*corpus.ROWS[1][:where], "en trop", *corpus.ROWS[1][where:])
    corpus.put(tmp_path, corpus.text([corpus.ROWS[0], shifted, corpus.ROWS[2]]))
    deposits, _ = only(tmp_path)
    assert deposits.quarantine[["row", "reason"]].values.tolist() == [[3, "ragged"]]


def test_a_row_slid_to_the_left_is_quarantined(tmp_path):
    slid = ("EER01", "102", "Ali", "1985-01-01", "Rimouski", "Jumelage", "2021-11-03")
    corpus.put(tmp_path, corpus.text([corpus.ROWS[0], slid]))
    deposits, _ = only(tmp_path)
    assert deposits.quarantine[["row", "reason"]].values.tolist() == [[3, "ragged"]]


def test_organisation_on_the_first_row_only(tmp_path):
    rows = [row if i == 0 else ("", *row[1:]) for i, row in enumerate(corpus.ROWS)]
    corpus.put(tmp_path, corpus.text(rows), "rapport.csv")
    assert only(tmp_path)[0].records["organisation_id"].tolist() == ["EER01"] * 3


def test_unknown_and_repeated_columns_are_listed(tmp_path):
    header = [*corpus.HEADER, "pointure", "Nom"]
    corpus.put(tmp_path, corpus.text([(*row, "38", "x") for row in corpus.ROWS], header))
    deposits, _ = only(tmp_path)
    assert_read_whole(deposits)
    listed = deposits.issues[["reason", "column", "row"]].values.tolist()
    assert ["unknown_column", "pointure", 1] in listed
    assert ["repeated_column", "Nom", 1] in listed


def test_header_only(tmp_path):
    corpus.put(tmp_path, corpus.text([]))
    _, file = only(tmp_path)
    assert (file["status"], file["n_read"]) == ("read", 0)


def test_too_many_rows_are_cut_and_said(tmp_path):
    corpus.put(tmp_path, corpus.text())
    deposits, file = only(tmp_path, study=replace(Study(), max_rows_per_sheet=3))
    assert file["n_read"] == 2
    assert "too_many_rows" in set(deposits.issues["reason"])


# ── workbooks ─────────────────────────────────────────────────────────────────────────────────────────────


def typed_rows():
    rows = [list(row) for row in corpus.ROWS]
    for row in rows:
        row[1] = int(row[1])
        for at in (4, 7, 9):
            row[at] = dt.datetime.fromisoformat(row[at]) if row[at] else ""
    return rows


def test_workbook_with_typed_cells(tmp_path):
    corpus.put(tmp_path, corpus.workbook({"Feuil1": [corpus.HEADER, *typed_rows()]}), f"{corpus.NAME}.xlsx")
    deposits, _ = only(tmp_path)
    assert_read_whole(deposits)
    assert deposits.records["file_number"].tolist() == ["101", "102", "103"]
    assert deposits.records["birth_date_earliest"].dt.strftime("%Y-%m-%d").tolist() == [r[4] for r in corpus.ROWS]
    assert set(deposits.records["sheet"]) == {"Feuil1"}


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_formula_that_failed_is_told_and_its_cell_is_blank(tmp_path, suffix):
    rows = [list(row) for row in corpus.ROWS]
    rows[0][7], rows[1][1], rows[2][5], rows[2][9] = "#REF!", "#N/A", "#NAME?", "#VALEUR!"
    book = openpyxl.Workbook()
    for row in [[""] * len(corpus.HEADER), list(corpus.HEADER), *rows]:
        book.active.append(["", "", *row])  # away from the corner
    content = io.BytesIO()
    book.save(content)
    typed = content.getvalue() if suffix == ".xlsx" else corpus.text(rows)
    corpus.put(tmp_path, typed, f"{corpus.NAME}{suffix}")
    deposits, _ = only(tmp_path)
    found = deposits.issues[["row", "reason", "column", "value"]].fillna("").values.tolist()
    first = 3 if suffix == ".xlsx" else 2
    assert found == [
        [first, "formula_error", "service_date", "#REF!"],
        [first + 1, "formula_error", "file_number", ""],  # what is personal is never copied
        [first + 2, "formula_error", "establishment_date", "#VALEUR!"],
        [first + 2, "formula_error", "residence", "#NAME?"],
    ]
    assert deposits.records["service_date_earliest"].isna().tolist() == [True, False, False]
    assert deposits.records["file_number"].isna().tolist() == [False, True, False]


def test_row_numbers_of_a_workbook_with_empty_first_rows(tmp_path):
    rows = [(), (), ("Titre",), corpus.HEADER, *corpus.ROWS]
    corpus.put(tmp_path, corpus.workbook({"A": rows}), f"{corpus.NAME}.xlsx")
    assert_read_whole(only(tmp_path)[0], row=[5, 6, 7])


@pytest.mark.parametrize("date_1904", [False, True])
def test_bare_serials_follow_the_workbook(tmp_path, date_1904):
    day = (dt.date(2021, 11, 2) - dt.date(1899, 12, 30)).days - (1462 if date_1904 else 0)
    rows = [(*row[:7], day, *row[8:]) for row in corpus.ROWS]
    content = corpus.workbook({"A": [corpus.HEADER, *rows]}, date_1904=date_1904)
    corpus.put(tmp_path, content, f"{corpus.NAME}.xlsx")
    assert set(only(tmp_path)[0].records["service_date_earliest"]) == {pd.Timestamp("2021-11-02")}


def test_one_sheet_a_quarter_and_notes(tmp_path):
    sheets = {"T1": [corpus.HEADER, corpus.ROWS[0]], "T2": [corpus.HEADER, corpus.ROWS[1]], "Notes": [("Bonjour",)]}
    corpus.put(tmp_path, corpus.workbook(sheets), "EER01_2021-2022_annuel.xlsx")
    deposits, _ = only(tmp_path)
    assert deposits.records["quarter"].tolist() == [1, 2]
    assert deposits.issues.loc[deposits.issues["reason"] == "no_header", "sheet"].tolist() == ["Notes"]


def test_a_workbook_saved_under_csv_is_read(tmp_path):
    corpus.put(tmp_path, corpus.workbook({"A": [corpus.HEADER, *corpus.ROWS]}))
    assert_read_whole(only(tmp_path)[0])


def test_parquet(tmp_path):
    frame = pd.DataFrame(list(corpus.ROWS), columns=list(corpus.HEADER))
    frame["date_service"] = pd.to_datetime(frame["date_service"])
    frame.to_parquet(tmp_path / f"{corpus.NAME}.parquet")
    assert_read_whole(only(tmp_path)[0])


# ── folders ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_without_permission(tmp_path):
    corpus.put(tmp_path, corpus.text()).chmod(0)
    assert only(tmp_path)[1]["status"] == "unreadable"


def test_what_is_no_deposit_is_not_listed(tmp_path):
    corpus.put(tmp_path, corpus.text(), "2021/sous-dossier/" + corpus.NAME + ".csv")
    corpus.put(tmp_path, b"x", "~$ouvert.xlsx")
    corpus.put(tmp_path, b"x", "lisez-moi.docx")
    corpus.put(tmp_path, b"code;nom;municipalite\n", "organismes.csv")
    (tmp_path / "lien.csv").symlink_to(tmp_path / "2021/sous-dossier" / f"{corpus.NAME}.csv")
    (tmp_path / "boucle").symlink_to(tmp_path)
    deposits = read_deposits(tmp_path)
    assert deposits.files["file"].tolist() == [f"2021/sous-dossier/{corpus.NAME}.csv"]


def test_empty_folder_and_no_folder(tmp_path):
    deposits = read_deposits(tmp_path)
    assert deposits.records.empty
    assert deposits.accounting()["n_read"].tolist() == [0]
    with pytest.raises(UnusableInputError, match="--raw"):
        read_deposits(tmp_path / "absent")
