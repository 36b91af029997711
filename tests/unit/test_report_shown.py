"""The protected tables that one process keeps for the others: the same as made anew, or made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from report_tables import write_least, write_tables
from trajectories.report import run as shown
from trajectories.report.run import FOLDER, all_protected, keep_protected, protect_tables
from trajectories.study import Disclosure

SUPPORT = 20


@pytest.fixture
def every_kind(tmp_path: Path) -> Path:
    folder = write_tables(tmp_path / "sensitive" / "tables", {"05": 640, "09": 12})
    for name in sorted(folder.glob("service_*.parquet")):
        name.unlink()
    return folder


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return write_least(tmp_path / "sensitive" / "tables", {"05": 640})


def asked_again(tables: Path, monkeypatch: pytest.MonkeyPatch, rules: Disclosure | None = None) -> bool:
    """Whether another process would protect the tables anew."""
    made = []
    with monkeypatch.context() as patch:
        patch.setattr(shown, "protect_tables", lambda *told: made.append(told) or ({}, {}, set()))
        shown._all_protected.cache_clear()
        all_protected(tables, rules=rules or Disclosure(), support=SUPPORT)
    shown._all_protected.cache_clear()
    return bool(made)


@pytest.mark.thorough
def test_what_is_kept_is_what_would_be_made_to_the_type_and_the_missing_value(every_kind, monkeypatch):
    tables = every_kind
    made = protect_tables(tables, Disclosure(), SUPPORT)
    keep_protected(tables, rules=Disclosure(), support=SUPPORT)
    assert not asked_again(tables, monkeypatch)
    read = all_protected(tables, rules=Disclosure(), support=SUPPORT)
    assert made[2] == read[2]
    for one, other in zip(made[:2], read[:2], strict=True):
        assert list(one) == list(other)
        for name in one:
            assert one[name].kind == other[name].kind and one[name].rules == other[name].rules
            pd.testing.assert_frame_equal(one[name].frame, other[name].frame, check_exact=True)
            for column in one[name].frame:
                missing = [
                    [type(value) for value in told.frame[column][told.frame[column].isna()]]
                    for told in (one[name], other[name])
                ]
                assert missing[0] == missing[1], (name, column)


@pytest.mark.thorough
def test_other_tables_rules_or_damage_ask_for_them_again(tables, monkeypatch):
    protected = protect_tables(tables, Disclosure(), SUPPORT)
    monkeypatch.setattr(shown, "protect_tables", lambda *_: protected)
    keep_protected(tables, rules=Disclosure(), support=SUPPORT)
    stricter = replace(Disclosure(), threshold=Disclosure().threshold + 5)
    assert asked_again(tables, monkeypatch, stricter)
    kept = sorted((tables.parent / FOLDER).glob("*.parquet"))
    whole = kept[0].read_bytes()
    for damaged in (b"", whole[:-9], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
        kept[0].write_bytes(damaged)
        assert asked_again(tables, monkeypatch)
        keep_protected(tables, rules=Disclosure(), support=SUPPORT)
        assert kept[0].read_bytes() == whole and not asked_again(tables, monkeypatch)
    counts = pd.read_parquet(tables / "counts.parquet")
    counts.iloc[::-1].to_parquet(tables / "counts.parquet", index=False)
    assert asked_again(tables, monkeypatch)


def test_where_there_is_no_room_nothing_is_kept_and_nothing_fails(tables, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    keep_protected(tables, rules=Disclosure(), support=SUPPORT)
    monkeypatch.undo()
    assert asked_again(tables, monkeypatch)
