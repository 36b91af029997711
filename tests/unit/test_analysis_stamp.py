"""An analysis is left as it is only where its origin and every file of it are the same."""

import json

import pytest

from trajectories.fingerprint import file_hash
from trajectories.pipeline import STAMP, _analysed_from, _is_made
from trajectories.study import Study


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "exits.parquet").write_bytes(b"numbers")
    stamp = {"from": "origin", "files": {"exits.parquet": file_hash(tmp_path / "exits.parquet")}}
    (tmp_path / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return tmp_path


def test_the_same_origin_and_files(folder):
    assert _is_made(folder, "origin")
    assert not _is_made(folder, "another")


@pytest.mark.parametrize("content", [b"num", None])
def test_a_damaged_or_missing_file(folder, content):
    path = folder / "exits.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    assert not _is_made(folder, "origin")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"from": "origin"}', '{"from": "origin", "files": 3}'])
def test_a_damaged_stamp_is_no_stamp(folder, text):
    (folder / STAMP).write_text(text, encoding="utf-8")
    assert not _is_made(folder, "origin")


def test_settings_are_part_of_the_origin_and_folders_are_not(tmp_path):
    one, seed, moved = (
        _analysed_from(Study.from_mapping(content, folder=tmp_path), {})
        for content in ({}, {"seed": 2}, {"paths": {"reports": "elsewhere"}})
    )
    assert one["study"] == moved["study"] != seed["study"]
