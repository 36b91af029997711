"""No column of an analysis is written without its meaning, and no text of it is a formula."""

import pandas as pd
import pytest

from trajectories.analysis.results import DICTIONARY, drop_others, meanings, write_results
from trajectories.exceptions import TableError

EXITS = pd.DataFrame({"group": ["=cmd()", "05"], "horizon": 12, "cause": "metropole", "estimate": [0.1, 0.2]})


def test_each_table_is_written_twice_with_the_meaning_of_its_columns(tmp_path):
    written = write_results({"exits": EXITS}, tmp_path)
    assert written == ["exits.parquet", "exits.csv", DICTIONARY]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "exits.parquet"), EXITS)
    assert pd.read_csv(tmp_path / "exits.csv")["group"].tolist() == ["'=cmd()", "05"]
    told = pd.read_csv(tmp_path / DICTIONARY)
    assert told["column"].tolist() == list(EXITS.columns)
    assert told[["row", "type", "meaning"]].notna().all(axis=None)


def test_columns_without_a_meaning_are_refused_all_at_once(tmp_path):
    with pytest.raises(TableError, match=r"exits\.made_up, nothing\.group"):
        write_results({"exits": EXITS.assign(made_up=1), "nothing": EXITS[["group"]]}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_table_says_what_a_row_is():
    assert [name for name, table in meanings()["tables"].items() if not table.get("row")] == []


def test_tables_that_are_made_no_more_do_not_stay(tmp_path):
    write_results({"exits": EXITS, "odds": EXITS[["group", "horizon"]]}, tmp_path)
    (tmp_path / "run.json").write_text("{}")
    written = write_results({"exits": EXITS}, tmp_path)
    drop_others(tmp_path, written)
    assert {path.name for path in tmp_path.iterdir()} == {*written, "run.json"}
