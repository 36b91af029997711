"""An analysis is left as it is only where its origin and every file of it are the same."""

import pytest

from trajectories.analysis import analyse
from trajectories.provenance import READ, analysed_from, rooms
from trajectories.stamps import Stamp
from trajectories.study import Study

ORIGIN = {"seed": 1}


@pytest.fixture
def stamp(tmp_path):
    (tmp_path / "exits.parquet").write_bytes(b"numbers")
    made = Stamp(tmp_path / "analysis.json", tmp_path)
    made.write(ORIGIN, ["exits.parquet"], seen=3)
    return made


def test_the_same_origin_and_files(stamp):
    assert stamp.is_current(ORIGIN) and not stamp.is_current({"seed": 2})
    assert stamp.read_if_of(ORIGIN)["seen"] == 3 and stamp.read_if_of({"seed": 2}) == {}


def test_files_that_stand_beside_those_that_were_made(tmp_path):
    stamp = Stamp(tmp_path / "stamp.json", tmp_path / "pages")
    stamp.folder.mkdir()
    (stamp.folder / "a.html").write_text("one")
    stamp.write(ORIGIN)
    assert stamp.is_current(ORIGIN, alone=True)
    (stamp.folder / "b.html").write_text("two")
    assert stamp.is_current(ORIGIN) and not stamp.is_current(ORIGIN, alone=True)


@pytest.mark.parametrize("content", [b"num", None])
def test_a_damaged_or_missing_file(stamp, content):
    path = stamp.folder / "exits.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    assert not stamp.is_current(ORIGIN)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"from": "origin"}', '{"from": "origin", "files": 3}'])
def test_a_damaged_stamp_is_no_stamp(stamp, text):
    stamp.path.write_text(text, encoding="utf-8")
    assert not stamp.is_current(ORIGIN)


def test_settings_are_part_of_the_origin_and_folders_are_not(tmp_path):
    one, seed, moved = (
        analysed_from(Study.from_mapping(content, folder=tmp_path), {})
        for content in ({}, {"seed": 2}, {"paths": {"reports": "elsewhere"}})
    )
    assert one["study"] == moved["study"] != seed["study"]


def test_every_table_that_an_analysis_reads_is_part_of_its_origin(tmp_path):
    origin = analysed_from(Study.from_mapping({}, folder=tmp_path), {})
    assert {"cohort", "issues"} < set(READ) < set(origin["tables"])
    with pytest.raises(KeyError):  # and no other can be
        analyse._TablesOnDisk(tmp_path)["quarantine"]


def test_rooms_that_only_show_and_command_are_no_part_of_what_tables_come_from():
    assert {"deposits", "linkage", "stays", "retention", "analysis"} < set(rooms())
    assert not {"cli", "runs", "report"} & set(rooms())
