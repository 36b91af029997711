"""The template: the columns of the contract, the same bytes each time, and what is filled in it reads clean."""

import io

import openpyxl
import pytest

from trajectories.deposits import load_crosswalk, read_deposits
from trajectories.deposits.check import check_file
from trajectories.deposits.crosswalks import COLUMNS, DATES
from trajectories.deposits.template import default_name, dictionary, headers, write_template
from trajectories.deposits.template import template as make
from trajectories.exceptions import TrajectoriesError
from trajectories.study import Study

DATA, DICTIONARY, EXAMPLES = "Dépôt", "Dictionnaire", "Exemples"


@pytest.fixture
def filled(tmp_path):
    """The template with the rows of its own examples typed into the data sheet."""
    folder = tmp_path / "raw"
    path = write_template(folder / "EER01_2021-2022_T4_2022-04-10.xlsx")
    book = openpyxl.load_workbook(path)
    for position, said in enumerate(dictionary().values(), start=1):
        for row, cell in enumerate(said["fill"], start=2):
            book[DATA].cell(row, position).value = cell or None
    book.save(path)
    return path


def test_it_has_every_column_of_the_contract():
    # the date of the deposit stands in the file's name (deposit-schema.md, « Rows » has no such column)
    assert list(dictionary()) == [column for column in COLUMNS if column != "deposit_date"]
    assert all(len(said["fill"]) == 4 and said["meaning"].endswith((".", "?")) for said in dictionary().values())
    known = load_crosswalk()
    assert [known.column(header) for header in headers(known)] == list(dictionary())


def test_the_same_call_gives_the_same_bytes():
    assert make("EER01") == make("EER01")
    assert make("EER01") != make()


def test_coded_columns_have_drop_down_lists_that_read_clean():
    sheet = openpyxl.load_workbook(io.BytesIO(make("EER01")))[DATA]
    lists = {}
    for rule in sheet.data_validations.dataValidation:
        column = list(dictionary())[next(iter(rule.sqref.ranges)).min_col - 1]
        assert rule.prompt, column
        if rule.type == "list":
            lists[column] = rule.formula1.strip('"').split(",")
    assert set(lists) == {
        "organisation_id", "quarter", "sex", "immigration_category", "french", "education", "programme", "stream",
        "service", "establishment_reason", "needs", "job_found", "housing_found", "follow_up_status", "exit_reason",
    }  # fmt: skip
    assert lists["organisation_id"] == ["EER01"]
    assert not set(lists) & set(DATES)
    assert "suivi post-établissement" in lists["service"]


def test_what_a_list_does_not_hold_and_the_dictionary_takes_is_no_fault():
    sheet = openpyxl.load_workbook(io.BytesIO(make()))[DATA]
    rules = {rule.promptTitle: rule for rule in sheet.data_validations.dataValidation}
    assert rules["connaissance_francais"].errorStyle == rules["programme"].errorStyle == "information"
    assert rules["sexe"].errorStyle == "warning"
    assert rules["connaissance_francais"].error.endswith("ou un niveau de 0 à 12")
    # a list too long for Excel's message is not cut in the middle of a word
    assert "Dictionnaire" in rules["service"].error


def test_the_sheets_that_explain_say_so():
    book = openpyxl.load_workbook(io.BytesIO(make()))
    assert book.sheetnames == [DATA, DICTIONARY, EXAMPLES]
    for name in (DICTIONARY, EXAMPLES):
        assert book[name]["A1"].value.startswith("Cette feuille n'est pas lue")
    assert book[DICTIONARY].max_row == 4 + len(dictionary())


def test_the_examples_read_clean(filled):
    read = read_deposits(filled.parent)
    assert read.issues.to_dict("records") == []
    assert read.quarantine.empty
    assert len(read.records) == 4
    assert read.records["residence_code"].tolist() == ["66023", "66023", "10043", "10043"]
    assert read.records["stream"].notna().all()
    assert read.records["needs"].tolist() == ["job;housing", None, "school", None]


def test_an_empty_template_and_a_filled_one_check_clean(filled, tmp_path):
    assert check_file(filled, study=Study())[0].status == 0
    empty = write_template(tmp_path / default_name("EER01"), "EER01")
    checked, _ = check_file(empty, study=Study())
    assert (checked.status, checked.n_read) == (0, 0)


@pytest.mark.parametrize("code", ["=1+1", "A,B", "", "x" * 40])
def test_a_code_that_a_list_cannot_hold_is_refused(code, tmp_path):
    with pytest.raises(TrajectoriesError, match="letters, digits and dashes"):
        make(code)
    with pytest.raises(TrajectoriesError, match=r"ends in \.xlsx"):
        write_template(tmp_path / "a.csv")
