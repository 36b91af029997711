"""The readers of text: the fast one equals the careful one, and what decides encoding, repair and quoting."""

import csv
import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import examples
from trajectories.deposits.reading import Coded, as_text, decode, grid_of_rows, read_regular, read_text, repaired

LIMIT = 10_000
# What makes texts irregular, often; letters, rarely.
TEXT = st.text(st.sampled_from('ab é;;;,\t|"\n\n\r"nulNA \ufeff\u2028\x1c'), max_size=60)
CELL = st.one_of(
    st.sampled_from(["", "a", " ", "NA", "null", "nan", "#N/A", "é", '""', '"a;b"', '"a ""b"" c"', '"', 'a"b', "01"]),
    st.text(st.characters(codec="utf-8", exclude_characters='\r\n\0;"'), max_size=6),
)
TABLE = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8)
)


def careful(text: str, separator: str):
    """The rows by Python's own reader."""
    return grid_of_rows(enumerate(csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), delimiter=separator), 1))


def assert_same(text: str, separator: str) -> bool:
    fast = read_regular(text, separator, LIMIT)
    if fast is not None:
        slow = careful(text, separator)
        assert fast.numbers.tolist() == slow.numbers.tolist()
        assert fast.head(LIMIT) == slow.head(LIMIT)
        assert fast.lengths.tolist() == slow.lengths.tolist()
    return fast is not None


@examples(500)
@given(TEXT, st.sampled_from(";,\t|"))
@example('a;b\n"x";""y"\n', ";")
@example('a;b\n"x\ny";z\n', ";")
@example("a;b\n\n1;2\n", ";")
@example("a;b\r1;2\r\n3;4\n", ";")
@example("\ufeffa;b\n1;2", ";")
def test_the_fast_reader_equals_the_careful_one_on_any_text(text, separator):
    assert_same(text, separator)


@examples(300)
@given(TABLE, st.sampled_from(["\n", "\r\n", "\r"]))
def test_the_fast_reader_equals_the_careful_one_on_tables(rows, line):
    assert_same(line.join(";".join(row) for row in rows), ";")


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_the_fast_reader_takes_what_is_regular(line):
    assert assert_same(line.join(["a;b;c", "1;;x", ";;", "2;NA;null", '3;"d;e";"f ""g"""']), ";")


@pytest.mark.parametrize("text", ["a;b\n1\n", "a;b\n1;2;3\n", 'a;b\n1;"2\n', "a\nb\n", "", 'a;b\n1;"2\n3"'])
def test_the_fast_reader_leaves_what_is_not(text):
    assert read_regular(text, ";", LIMIT) is None


def test_a_file_beyond_the_limit_is_cut_by_the_careful_reader():
    text = "a;b\n" + "1;2\n" * 50
    assert read_regular(text, ";", 20) is None
    cut = read_text(text.encode(), lambda rows: (0, len(rows[0])), 20)
    assert cut.notes == ("too_many_rows",)
    assert len(cut.grid.numbers) == 20


def test_distinct_texts_are_only_those_of_the_rows_taken():
    column = Coded(np.array([0, 1, 2, 1]), ["titre", "a", "b"])
    assert column.take(slice(1, None)).texts == ["a", "b"]
    assert column.take(slice(1, None)).codes.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    "word", ["Montréal", "Côté", "où, déjà", "naïve", "L’Île", "ŒUVRE", "Élève à Sept-Îles", "«\xa0oui\xa0»"]
)
def test_mojibake_is_repaired_when_the_repair_goes_through_whole(word):
    assert repaired(word.encode("utf-8").decode("cp1252", errors="ignore") if "\x81" in word else _broken(word)) == word
    assert repaired(word) == word


def _broken(word: str) -> str:
    """The word as UTF-8 read as cp1252; bytes that cp1252 leaves undefined stay controls, as browsers do."""
    return "".join(bytes([b]).decode("cp1252") if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(b)
                   for b in word.encode("utf-8"))  # fmt: skip


@pytest.mark.parametrize("word", ["SÃO", "Ângela", "Åsa", "Ãé", "Â", "â€", "MontrÃ©al et Québec"])
def test_what_does_not_go_through_whole_stays(word):
    assert repaired(word) == word


@given(st.text(max_size=30))
def test_repair_never_raises_and_ends(text):
    once = repaired(text)
    assert once == text or once.encode("utf-8").decode("utf-8") == once


@given(st.binary(max_size=200))
def test_any_bytes_decode(content):
    text, encoding = decode(content)
    assert isinstance(text, str)
    assert encoding


@pytest.mark.parametrize(
    ("cell", "expected"), [(float("nan"), ""), (1e300, "1e+300"), (-0.0, "0"), (b"\xff", "\ufffd")]
)
def test_typed_cells_as_text(cell, expected):
    assert as_text(cell) == expected
