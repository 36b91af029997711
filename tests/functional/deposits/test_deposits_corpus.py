"""The corpus of odd files, read at once as a folder of partners' deposits is: each comes out as it should."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import corpus
import pandas as pd
import pytest
from odd_files import DANGEROUS, NAMES, PLAIN, READ, UNREADABLE, put_named

from trajectories.deposits import read_deposits
from trajectories.deposits.files import FAULT
from trajectories.deposits.rules import matches, reasons


def name_of(kind: str, at: int, suffix: str) -> str:
    return f"{kind}{at:02d}_2021-2022_T3{suffix}"


NAME_OF = {title: name_of("LU", at, odd.suffix) for at, (title, odd) in enumerate(READ.items())}
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
        corpus.put(folder, odd.content, NAME_OF[title])
    for title, (content, _, _) in UNREADABLE.items():
        corpus.put(folder, content, BAD[title])
    for named in NAMES:
        put_named(folder, named, PLAIN.encode())
    return read_deposits(folder)


@pytest.mark.parametrize("title", READ)
def test_odd_file(read, title):
    odd, name = READ[title], NAME_OF[title]
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
    assert len(read.accounting()) == len(READ) + len(UNREADABLE) + len(NAMES) + 1
    assert read.files["fault"].isna().all()  # what is wrong is with the files, not with us
    assert set(read.issues["reason"]) | set(read.quarantine["reason"]) <= set(reasons())
    texts = read.records.select_dtypes(object)
    assert not texts.map(lambda cell: isinstance(cell, float)).any(axis=None)  # missing is None, never NaN


def test_a_merged_cell_holds_in_each_of_its_rows(read):
    records = read.records[read.records["file"] == NAME_OF["workbook with merged cells"]]
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
        assert rows[NAME_OF[title]] == expected, title


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_a_workbook_that_claims_a_million_rows_costs_neither_seconds_nor_memory(tmp_path):
    corpus.put(tmp_path, READ["workbook that claims a million rows"].content, "A_2021-2022_T3.xlsx")
    read_deposits(tmp_path)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    assert len(read_deposits(tmp_path).records) == 3
    assert time.perf_counter() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("named", NAMES, ids=lambda named: named.told)
def test_a_file_is_read_whatever_its_name_and_told_in_letters_that_all_can_hold(read, named):
    file = read.files.set_index("file").loc[named.told]
    assert (file["status"], file["n_accepted"]) == ("read", 3)
    assert named.told.encode().decode() == named.told
    assert "\n" not in named.told


@pytest.mark.parametrize(
    ("title", "reason", "column", "rows"),
    [
        ("exercices that no deposit can be of", "unknown_value", "fiscal_year", [2, 3, 4]),
        ("an exercice of a later generation", "period_far_off", "fiscal_year", [2, 3, 4]),
        ("quarters that no year has", "unknown_value", "quarter", [2, 3, 4]),
        ("days that no calendar has", "unreadable_date", "service_date", [2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16]),
        ("a name of two million letters", "cell_too_long", "given_name", [2]),
        ("workbook of days before 1900", "unreadable_date", "establishment_date", [2, 3]),
    ],
)
def test_a_cell_that_nobody_could_mean_is_an_issue_by_its_address(read, title, reason, column, rows):
    issues = read.issues[read.issues["file"].eq(NAME_OF[title]) & read.issues["reason"].eq(reason)]
    assert issues.loc[issues["column"].eq(column), "row"].tolist() == rows


def test_one_slip_in_an_exercice_does_not_move_the_last_day_of_observation(read):
    assert read.records["fiscal_year"].dropna().max() < "2022-2023"


# ── the dangerous few ─────────────────────────────────────────────────────────────────────────────────────
MOST_MEMORY = 6 << 30


def build(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """`trajectories build` as a user runs it, in no more memory and time than a deposit may cost."""
    (folder / "study.toml").write_text('[paths]\nraw = "raw"\nderived = "derived"\nreports = "reports"\n')
    command = [sys.executable, "-m", "trajectories", "build", "--study", str(folder / "study.toml"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)),
        env={**os.environ, "TRAJECTORIES_KEY": "a key for the tests only"},
    )  # fmt: skip


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="pipes and limits of memory as Linux has them")
def test_what_would_take_all_memory_or_never_end_is_named_and_the_others_are_read(tmp_path):
    raw = tmp_path / "raw"
    for at in range(4):
        corpus.put(raw, PLAIN, f"BON{at}_2021-2022_T3.csv")
    for at, (make, suffix, _) in enumerate(DANGEROUS.values()):
        corpus.put(raw, make(), f"NON{at}_2021-2022_T3{suffix}")
    os.mkfifo(raw / "tuyau.csv")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(raw / "prise.csv"))
    with (raw / "vaste.csv").open("wb") as vast:
        vast.truncate(1 << 40)
    done = build(tmp_path)
    assert done.returncode == 1, done.stderr
    assert "12 rows read = 12 accepted" in done.stdout
    assert "Traceback" not in done.stderr
    said = dict(line.split(": ", 1) for line in done.stderr.splitlines() if not line.startswith("build: "))
    for at, (_, suffix, why) in enumerate(DANGEROUS.values()):
        assert why in said.pop(f"NON{at}_2021-2022_T3{suffix}")
    assert set(said) == {"tuyau.csv", "prise.csv", "vaste.csv"}
    assert not any(matches(FAULT, sentence) for sentence in said.values())
