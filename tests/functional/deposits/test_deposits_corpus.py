"""The corpus of odd files, read at once as a folder of partners' deposits is: each comes out as it should."""

import resource
import sys
import time

import corpus
import pandas as pd
import pytest
from odd_files import READ, UNREADABLE

from trajectories.deposits import read_deposits


def name_of(kind: str, at: int, suffix: str) -> str:
    return f"{kind}{at:02d}_2021-2022_T3{suffix}"


NAMES = {title: name_of("LU", at, odd.suffix) for at, (title, odd) in enumerate(READ.items())}
BAD = {title: name_of("NON", at, suffix) for at, (title, (_, suffix, _)) in enumerate(UNREADABLE.items())}
# What the three persons of the corpus are, wherever all of them are accepted.
EXPECTED = {
    "given_name": ["Zoé", "Ali", "Inés"],
    "family_name": ["Côté", "Ben Salah", "Pérez"],
    "file_number": ["101", "102", "103"],
    "residence_code": ["66023", "10043", "65005"],
    "destination_code": [None, None, "37067"],
    "service": ["francization", "pairing", "reception"],
}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    for title, odd in READ.items():
        corpus.put(folder, odd.content, NAMES[title])
    for title, (content, _, _) in UNREADABLE.items():
        corpus.put(folder, content, BAD[title])
    return read_deposits(folder)


def test_the_corpus_is_large_enough():
    assert len(READ) + len(UNREADABLE) >= 60


@pytest.mark.parametrize("title", READ)
def test_odd_file(read, title):
    odd, name = READ[title], NAMES[title]
    file = read.files.set_index("file").loc[name]
    counts = ("n_read", "n_accepted", "n_quarantined", "n_duplicate")
    assert (file["status"], file["message"]) == ("read", None)
    assert tuple(file[list(counts)]) == odd.rows
    for column, value in odd.file.items():
        assert file[column] == value or (value is None and pd.isna(file[column])), column
    issues = read.issues[(read.issues["file"] == name) & (read.issues["row"] <= 1)]
    assert set(issues["reason"]) == set(odd.issues)
    quarantine = read.quarantine[read.quarantine["file"] == name]
    assert tuple(zip(quarantine["row"], quarantine["reason"], strict=True)) == odd.quarantine
    records = read.records[read.records["file"] == name]
    if odd.rows[1] == 3:
        for column, values in EXPECTED.items():
            assert records[column].tolist() == values, column
        assert records["service_date_earliest"].dt.year.tolist() == [2021] * 3
        assert records["service_date_earliest"].dt.month.iloc[0] == 11


@pytest.mark.parametrize("title", UNREADABLE)
def test_unreadable_file_is_one_sentence(read, title):
    file = read.files.set_index("file").loc[BAD[title]]
    assert (file["status"], file["n_read"]) == ("unreadable", 0)
    assert UNREADABLE[title][2] in file["message"]
    assert "\n" not in file["message"]
    assert file["message"].endswith(".")


def test_everything_is_accounted_for(read):
    assert len(read.accounting()) == len(READ) + len(UNREADABLE) + 1
    texts = read.records.select_dtypes(object)
    assert not texts.map(lambda cell: isinstance(cell, float)).any(axis=None)  # missing is None, never NaN


def test_a_merged_cell_holds_in_each_of_its_rows(read):
    records = read.records[read.records["file"] == NAMES["workbook with merged cells"]]
    assert records["given_name"].tolist() == ["Zoé", "Ali", "Inés", "Inés"]
    assert records["file_number"].tolist() == ["101", "102", "103", "103"]
    assert records["row"].tolist() == [3, 4, 5, 6]


def test_row_numbers_are_those_of_the_spreadsheet(read):
    rows = read.records.groupby("file")["row"].agg(list)
    for title, expected in {
        "titles": [5, 6, 7], "titles padded by a spreadsheet": [5, 6, 7], "blank rows": [4, 7, 10],
        "a line break in quotes": [2, 3, 4], "workbook below and right of the corner": [7, 8, 9],
        "parquet": [2, 3, 4], "OpenDocument": [2, 3, 4], "old Excel": [2, 3, 4],
    }.items():  # fmt: skip
        assert rows[NAMES[title]] == expected, title


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_a_workbook_that_claims_a_million_rows_costs_neither_seconds_nor_memory(tmp_path):
    corpus.put(tmp_path, READ["workbook that claims a million rows"].content, "A_2021-2022_T3.xlsx")
    read_deposits(tmp_path)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    assert len(read_deposits(tmp_path).records) == 3
    assert time.perf_counter() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
