"""An analysis is left as it is only where its origin and every file of it are the same."""

import pytest

from trajectories import analysis
from trajectories.provenance import STAMP, analysed_from, is_made, stamp
from trajectories.study import Study

ORIGIN = {"seed": 1}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "exits.parquet").write_bytes(b"numbers")
    stamp(tmp_path, ORIGIN, ["exits.parquet"])
    return tmp_path


def test_the_same_origin_and_files(folder):
    assert is_made(folder, ORIGIN)
    assert not is_made(folder, {"seed": 2})


@pytest.mark.parametrize("content", [b"num", None])
def test_a_damaged_or_missing_file(folder, content):
    path = folder / "exits.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    assert not is_made(folder, ORIGIN)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"from": "origin"}', '{"from": "origin", "files": 3}'])
def test_a_damaged_stamp_is_no_stamp(folder, text):
    (folder / STAMP).write_text(text, encoding="utf-8")
    assert not is_made(folder, ORIGIN)


def test_settings_are_part_of_the_origin_and_folders_are_not(tmp_path):
    one, seed, moved = (
        analysed_from(Study.from_mapping(content, folder=tmp_path), {})
        for content in ({}, {"seed": 2}, {"paths": {"reports": "elsewhere"}})
    )
    assert one["study"] == moved["study"] != seed["study"]


def test_every_table_that_an_analysis_reads_is_part_of_its_origin(tmp_path):
    read = set(analysis.READ)
    assert {"cohort", "issues"} < read <= set(analysed_from(Study.from_mapping({}, folder=tmp_path), {})["tables"])
    with pytest.raises(KeyError):  # and no other can be
        analysis._Build(tmp_path)["quarantine"]
