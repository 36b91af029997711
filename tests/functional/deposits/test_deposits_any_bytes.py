"""For any bytes: never a traceback, never a row lost in silence; and the result does not depend on who reads."""

import io
import zipfile
from pathlib import Path

import corpus
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from odd_files import READ, zipped

from examples import examples
from trajectories import tables
from trajectories.deposits import files, read_deposits
from trajectories.deposits.crosswalks import load_crosswalks
from trajectories.deposits.reading import SUFFIXES

COUNTS = ["n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate"]
SUFFIX = st.sampled_from(sorted(SUFFIXES))
BYTES = {title: odd.content.encode() if isinstance(odd.content, str) else odd.content for title, odd in READ.items()}
SEEDS = {title: content for title, content in BYTES.items() if len(content) < 100_000}
# Pieces that readers of text and of workbooks give a meaning to.
PIECES = st.sampled_from(
    [b'"', b";", b",", b"\t", b"|", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"Total", b"PK\x03\x04",
     b'";"', b'""', b"\r\n\r\n", b"nan", b"-1e400", b"99999999999999999999", b"2021-13-45", b"\xe2\x80\xa8", b"\x1a"]
)  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(st.binary(max_size=8), PIECES)), max_size=8)
SLOW = {
    "derandomize": True, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}  # fmt: skip


def edited(content: bytes, edits) -> bytes:
    """The bytes with pieces cut out and put in."""
    content = bytearray(content)
    for where, length, new in edits:
        at = int(where * len(content))
        content[at : at + length] = new
    return bytes(content)


@st.composite
def any_files(draw):
    """A seed edited, cut, or pure noise, under any extension."""
    kind = draw(st.sampled_from(["edited", "edited", "edited", "cut", "noise", "inside"]))
    seed = SEEDS[draw(st.sampled_from(sorted(SEEDS)))]
    if kind == "noise":
        content = draw(st.binary(max_size=400))
    elif kind == "cut":
        content = seed[: int(draw(st.floats(0, 1)) * len(seed))]
    elif kind == "inside" and seed.startswith(b"PK"):  # a sound archive with one part edited
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = draw(st.sampled_from(sorted(parts)))
        content = zipped(parts | {name: edited(parts[name], draw(EDITS))})
    else:
        content = edited(seed, draw(EDITS))
    return content, draw(SUFFIX)


def assert_sound(deposits) -> None:
    """Rows add up per file and in total, each row is in one table, and every table keeps its schema."""
    account = deposits.accounting()
    assert (account["n_read"] == account[COUNTS[1:]].sum(axis=1)).all()
    unreadable = deposits.files["status"] == "unreadable"
    assert (deposits.files["message"].notna() == unreadable).all()
    assert (deposits.files.loc[unreadable, "n_read"] == 0).all()
    rows = pd.concat(
        [t[["file", "sheet", "row"]] for t in (deposits.records, deposits.quarantine, deposits.superseded)]
    )
    assert not rows.duplicated().any()
    assert deposits.records["record_id"].is_unique
    for name in ("records", "quarantine", "issues", "files", "superseded"):
        tables.check(getattr(deposits, name), tables.TABLES[name])


@pytest.mark.thorough
@examples(40, **SLOW)
@given(st.lists(any_files(), min_size=6, max_size=6))
def test_rows_add_up_for_any_bytes(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("bytes")
    for at, (content, suffix) in enumerate(contents):
        corpus.put(folder, content, f"ORG{at % 4}_2021-2022_T{1 + at % 2}{suffix}")
    assert_sound(read_deposits(folder))


@examples(1200, **SLOW)
@given(any_files())
@example((b"PK\x03\x04" + b"\xff" * 60, ".xlsx"))
def test_one_file_is_its_rows_or_one_sentence(tmp_path_factory, one):
    content, suffix = one
    path = corpus.put(tmp_path_factory.getbasetemp(), content, f"seul/ORG_2021-2022_T1{suffix}")
    read = files.FileReader(load_crosswalks(), 2_000_000)(("x", Path(path)))
    if read.note.message is not None:
        assert not read.tables
        assert read.note.message.endswith(".")
        assert "\n" not in read.note.message
    for table in read.tables:
        assert len(table.kinds) == len(table.numbers)
        assert (table.numbers[1:] > table.numbers[:-1]).all()
        for codes, texts in table.columns.values():
            assert len(codes) == len(table.numbers)
            assert not len(codes) or codes.max() < len(texts)


# ── the lines of a text are its rows ──────────────────────────────────────────────────────────────────────
CELL = st.text(
    st.characters(codec="utf-8", exclude_characters='"\r\n;,\t|\0\x1a', exclude_categories=["Cs", "Cc"]), max_size=9
)


@examples(60, **SLOW)
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=12))
def test_every_line_that_holds_something_is_a_row_read(tmp_path_factory, cells):
    """The count is taken from the text itself, not from the reader."""
    lines = ["no_dossier;ville;date_service", *(";".join(row) for row in cells)]
    path = corpus.put(tmp_path_factory.getbasetemp(), "\n".join(lines), "lignes/A_2021-2022_T1.csv")
    read = files.FileReader(load_crosswalks(), 2_000_000)(("x", Path(path)))
    holding = [at for at, row in enumerate(cells, start=2) if "".join(row).strip()]
    assert read.note.message is None
    assert read.tables[0].numbers.tolist() == holding


# ── who reads ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.thorough
def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path):
    for at, (title, odd) in enumerate(list(READ.items())[::5]):
        corpus.put(tmp_path, BYTES[title], f"ORG{at // 2:02d}_2021-2022_T{1 + at % 2}{odd.suffix}")
    corpus.put(tmp_path, b"%PDF", "ZZ_2021-2022_T1.csv")
    alone, told = read_deposits(tmp_path, processes=1), []
    apart = read_deposits(tmp_path, processes=3, progress=lambda *now: told.append(now))
    for name in ("records", "quarantine", "issues", "files", "superseded"):
        pd.testing.assert_frame_equal(getattr(alone, name), getattr(apart, name))
    assert [file for _, _, file in told] == apart.files["file"].tolist()


def test_a_process_that_dies_costs_nothing(tmp_path, monkeypatch):
    """The rest is read here."""
    for number in range(4):
        corpus.put(tmp_path, corpus.text(), f"ORG{number}_2021-2022_T1.csv")

    def dies(found, reader, processes):
        yield reader(found[0])
        raise files.BrokenProcessPool

    monkeypatch.setattr(files, "_read_apart", dies)
    assert read_deposits(tmp_path, processes=2).files["n_read"].tolist() == [3] * 4


def test_few_small_files_start_no_process(tmp_path, monkeypatch):
    corpus.put(tmp_path, corpus.text())
    monkeypatch.setattr(files, "_read_apart", lambda *_: pytest.fail("a process was started"))
    assert len(read_deposits(tmp_path).records) == 3
