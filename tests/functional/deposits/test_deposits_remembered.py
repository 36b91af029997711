"""A folder read again: only what changed is read, the result is that of reading all of it, and nothing stays behind."""

import ast
import errno
import hashlib
import zlib
from contextlib import contextmanager
from pathlib import Path

import corpus
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from odd_files import READ

from examples import examples
from trajectories import stamps
from trajectories.deposits import files as gathering
from trajectories.deposits import files as remembered
from trajectories.deposits import read_deposits
from trajectories.deposits.crosswalks import load_crosswalks
from trajectories.deposits.files import REST, FileNote, FileRead, FileReader, Memory

SECRET = b"a secret for the tests only"
ROWS_OF_A_SHEET = 2_000_000
CONTENTS = [
    (odd.content.encode() if isinstance(odd.content, str) else odd.content, odd.suffix) for odd in READ.values()
] + [(b"%PDF-1.4", ".csv"), (b"", ".xlsx")]  # what cannot be read is read again
UNREADABLE = {b"%PDF-1.4", b""}


@contextmanager
def files_read():
    """The files that are read, as they are."""
    names = []

    class Counted(FileReader):
        def __call__(self, found):
            names.append(found[0])
            return super().__call__(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "FileReader", Counted)
        yield names


def gather(raw, memory=None, max_rows=ROWS_OF_A_SHEET):
    return gathering.gather(raw, load_crosswalks(), max_rows, processes=1, memory=memory)


def assert_same(one, other):
    """Down to the order of the distinct texts; of remarks, only which are equal."""
    assert one.files == other.files
    assert one.issues == other.issues
    assert one.sheet_name == other.sheet_name
    for name in ("sheet_file", "sheet", "row", "kind"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    assert one.codes.keys() == other.codes.keys()
    for column in one.codes:
        np.testing.assert_array_equal(one.codes[column], other.codes[column], err_msg=column, strict=True)
    for column, texts in one.texts.items():
        assert column == "remarks" or texts == other.texts[column]


def entries(memory):
    return sorted(memory.folder.iterdir())


def assert_tables_equal(one, other):
    for name in ("records", "quarantine", "issues", "files", "superseded"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def raw(tmp_path):
    """Two deposits, one of them with a column that no crosswalk knows."""
    header, rows = (*corpus.HEADER, "telephone"), [(*row, f"418 555-010{at}") for at, row in enumerate(corpus.ROWS)]
    corpus.put(tmp_path / "raw", corpus.text(rows, header))
    corpus.put(tmp_path / "raw", corpus.text(), "OBR02_2021-2022_T3.csv")
    return tmp_path / "raw"


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "read", SECRET)


# ── any sequence of changes ───────────────────────────────────────────────────────────────────────────────
STEM = st.sampled_from([f"{folder}ORG{n}_2021-2022_T{n}" for folder in ("", "b/", "é/c/") for n in (1, 2)])
CONTENT = st.integers(0, len(CONTENTS) - 1)
CHANGE = st.one_of(st.tuples(STEM, CONTENT), st.tuples(STEM, st.none()), st.tuples(STEM, STEM))
STEPS = st.lists(st.lists(CHANGE, min_size=1, max_size=3), min_size=2, max_size=6)


def changed(deposits: dict[str, int], changes) -> dict[str, int]:
    """What is deposited where, after additions and replacements (a content), removals (None) and renames (a stem)."""
    deposits = dict(deposits)
    for stem, what in changes:
        if isinstance(what, int):
            deposits[stem] = what
        elif (content := deposits.pop(stem, None)) is not None and what is not None:
            deposits[what] = content
    return deposits


def lay_down(raw: Path, deposits: dict[str, int]) -> set[tuple[str, bytes]]:
    """Every file written again, also one that is the same; (path, content) of each that can be read."""
    for path in sorted(raw.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for stem, at in deposits.items():
        corpus.put(raw, CONTENTS[at][0], stem + CONTENTS[at][1])
    return {(stem + CONTENTS[at][1], CONTENTS[at][0]) for stem, at in deposits.items()}


@examples(25, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_any_sequence_of_changes_reads_what_changed_and_gives_what_reading_all_gives(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("sequence")
    raw, memory, deposits, known = folder / "raw", Memory(folder / "read", SECRET), {}, set()
    raw.mkdir()
    for changes in steps:
        deposits = changed(deposits, changes)
        there = lay_down(raw, deposits)
        with files_read() as names:
            one = gather(raw, memory)
        assert sorted(names) == sorted(path for path, _ in there - known)
        assert one.n_anew == len(names)
        assert_same(one, gather(raw))
        known = {(path, content) for path, content in there if content not in UNREADABLE}
        assert len(entries(memory)) == len(known)


@pytest.mark.thorough
def test_tables_do_not_depend_on_what_is_remembered(tmp_path):
    """Half of some odd files are remembered, half are not; then all are; processes of their own read too."""
    some = [*CONTENTS[:-2:5], *CONTENTS[-2:]]
    raw, memory = tmp_path / "raw", Memory(tmp_path / "read", SECRET)
    for at, (content, suffix) in enumerate(some):
        corpus.put(raw, content, f"ORG{at // 2:02d}_2021-2022_T{1 + at % 2}{suffix}")
    away = [path for at, path in enumerate(sorted(raw.iterdir())) if at % 2]
    (tmp_path / "away").mkdir()
    for path in away:
        path.rename(tmp_path / "away" / path.name)
    read_deposits(raw, memory=memory)
    for path in away:
        (tmp_path / "away" / path.name).rename(path)
    told = []
    mixed = read_deposits(raw, memory=memory, processes=2, progress=lambda *now: told.append(now[2]))
    assert mixed.n_anew == len(away) + sum(not at % 2 and content in UNREADABLE for at, (content, _) in enumerate(some))
    assert told == mixed.files["file"].tolist()
    again = read_deposits(raw, memory=memory)
    assert again.n_anew == len(UNREADABLE)
    assert_tables_equal(mixed, read_deposits(raw))
    assert_tables_equal(again, mixed)


@pytest.mark.parametrize("at", [None, corpus.HEADER.index("remarques"), len(corpus.HEADER)])
def test_a_deposit_sent_twice_is_known_beside_one_that_is_remembered(tmp_path, raw, memory, at):
    """Also by its remarks and by columns that no crosswalk knows, of which no text is kept (None: nothing differs)."""
    read_deposits(raw, memory=memory)
    header = (*corpus.HEADER, "telephone")
    rows = [[*row, f"418 555-010{number}"] for number, row in enumerate(corpus.ROWS)]
    if at is not None:
        rows[0][at] += " bis"
    corpus.put(raw / "again", corpus.workbook({"a": [header, *rows]}), f"{corpus.NAME}.xlsx")
    read = read_deposits(raw, memory=memory)
    assert read.n_anew == 1
    # the same twice: the first by path stays; not the same on one date: the last
    assert read.files["status"].tolist()[0::2] == (["read", "duplicate"] if at is None else ["superseded", "read"])
    assert_tables_equal(read, read_deposits(raw))


# ── what is not to be trusted ─────────────────────────────────────────────────────────────────────────────
def test_a_memory_that_is_cut_off_or_altered_costs_only_the_reading(raw, memory):
    whole = gather(raw, memory)
    first, second = entries(memory)
    content = first.read_bytes()
    places = sorted({*range(0, len(content), max(1, len(content) // 10)), 31, 32, 33, len(content) - 1})
    spoilt = [content[:at] for at in places] + [content + b"\0", second.read_bytes()]
    spoilt += [content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :] for at in places]
    for other in spoilt:
        first.write_bytes(other)
        with files_read() as names:
            assert_same(gather(raw, memory), whole)
        assert len(names) == 1
        assert first.read_bytes() == content


def test_what_cannot_be_read_any_more_leaves_no_altered_memory(raw, memory, monkeypatch):
    gather(raw, memory)
    for entry in entries(memory):
        entry.write_bytes(b"altered")
    monkeypatch.setattr(FileReader, "__call__", lambda self, found: FileRead(FileNote(found[0], message="No.")))
    gather(raw, memory)
    assert entries(memory) == []


@pytest.mark.parametrize("what", ["secret", "max_rows", "crosswalk", "source", "library"])
def test_what_reading_depends_on_makes_everything_read_again(raw, memory, what, monkeypatch):
    gather(raw, memory)
    before, options, crosswalks = entries(memory), {}, load_crosswalks
    if what == "secret":
        memory = Memory(memory.folder, b"another secret")
    elif what == "max_rows":
        options["max_rows"] = 1000
    elif what == "source":
        monkeypatch.setattr(remembered, "source_hash", lambda names: "another")
    elif what == "library":
        monkeypatch.setattr(remembered.importlib.metadata, "version", lambda name: "0")
    else:
        raw.parent.joinpath("crosswalks").mkdir()
        text = 'name = "own"\nextends = "pasi-2019"\n[columns]\nremarks = ["telephone"]\n'
        raw.parent.joinpath("crosswalks", "own.toml").write_text(text)
        monkeypatch.setitem(globals(), "load_crosswalks", lambda: crosswalks(raw.parent / "crosswalks"))
    one = gather(raw, memory, **options)
    assert one.n_anew == 2
    assert not set(entries(memory)) & set(before)
    assert_same(one, gather(raw, **options))


def test_a_file_that_changes_while_it_is_looked_for_is_remembered_as_what_was_read(raw, memory, monkeypatch):
    path = raw / "OBR02_2021-2022_T3.csv"
    other = corpus.text(corpus.ROWS[:1])
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "deposit_hash", lambda path: hashlib.sha256(other.encode()).hexdigest())
        gather(raw, memory)
    corpus.put(raw, other, path.name)
    with files_read() as names:
        assert_same(gather(raw, memory), gather(raw))
    assert path.name in names


def test_a_full_disk_costs_the_memory_only(raw, memory, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        read = gather(raw, memory)
    assert_same(read, gather(raw))
    assert entries(memory) == []


def test_all_that_reads_a_file_is_known_to_change_what_is_read():
    """Every module that reading imports, directly or not, stands in what is hashed (the rooms' doors aside)."""
    package, seen = stamps.PACKAGE, set()
    waiting = [package / "deposits" / "files.py"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = path.parents[node.level - 1]
                names = [node.module.replace(".", "/")] if node.module else [alias.name for alias in node.names]
                waiting += [found for name in names if (found := folder / f"{name}.py").is_file()]
    read_by = {path.relative_to(package).parts[0] for path in seen}
    assert {"deposits", "places"} <= read_by
    assert read_by == set(remembered.SOURCE)


# ── what stays behind ─────────────────────────────────────────────────────────────────────────────────────
def test_nothing_is_left_of_a_deposit_that_was_taken_away(raw, memory):
    gather(raw, memory)
    memory.folder.chmod(0o755)
    (memory.folder / ".cut-off.123.tmp").write_bytes(b"a run that was killed")
    for path in raw.iterdir():
        path.unlink()
    assert len(entries(memory)) == 3
    assert gather(raw, memory).n_anew == 0
    assert entries(memory) == []
    assert memory.folder.stat().st_mode & 0o777 == 0o700


def test_what_is_never_stored_is_not_stored_here_either(raw, memory):
    """Remarks, columns that no crosswalk knows, and the secret; names of files say nothing."""
    read = gather(raw, memory)
    assert len(read.texts["remarks"]) == 2 and (read.codes[REST] > 0).any()
    kept = b"".join(zlib.decompress(path.read_bytes()[32:]) for path in entries(memory)).decode(errors="replace")
    assert "Zoé" in kept and corpus.NAME in kept
    for text in ("née à Lévis", "Lévis", "418 555", SECRET.decode()):
        assert text not in kept
    for path in entries(memory):
        assert len(path.name) == 32 and set(path.name) <= set("0123456789abcdef")
    assert SECRET.decode() not in repr(memory)


def test_forgetting_forgets(raw, memory):
    memory.forget()  # nothing is there yet
    gather(raw, memory)
    memory.forget()
    assert not memory.folder.exists()
    assert gather(raw, memory).n_anew == 2
