"""What changed between two runs is found and said, and nothing else is."""

import json

import numpy as np
import pandas as pd
import pytest

from trajectories.exceptions import UnusableInputError
from trajectories.runs.compare import MOVED_COLUMNS, ORIGIN_COLUMNS, changes, sentences
from trajectories.stamps import fingerprint

ORIGIN = {
    "deposits": {"R1_T1.csv": "a" * 64, "R1_T2.csv": "b" * 64},
    "tables": {"cohort": "c" * 64},
    "study": {"seed": "1", "support": "20", "perimeter": "'RMR-2021'"},
    "notes": {"cutoff": "2025-12-31"},
    "model": "{}" * 500,
    "source": {"retention.py": "d" * 64},
    "libraries": {"numpy": "2.2.0"},
}


def rates(**moved):
    table = pd.DataFrame({
        "perimeter": "RMR-2021", "group": np.repeat(["province", "05"], 2), "horizon": [12, 24] * 2, "method": "main",
        "estimate": [0.8, 0.7, 0.85, np.nan], "se": [0.01, 0.02, 0.05, np.nan], "n_start": 100,
        "note": "as it was",
    })  # fmt: skip
    for name, value in moved.items():
        table.loc[int(name[1:]), "estimate"] = value
    return table


def run(folder, origin=ORIGIN, tables=None, version="0.1.0", files=(("R1_T1.csv", 10), ("R1_T2.csv", 20))):
    place = folder / "sensitive" / "tables"
    place.mkdir(parents=True)
    for name, table in ({"retention": rates()} if tables is None else tables).items():
        table.to_parquet(place / f"{name}.parquet", index=False)
    accounting = pd.DataFrame(list(files), columns=["file", "n_read"]).assign(
        status="read", n_accepted=lambda d: d.n_read
    )
    accounting.to_csv(place / "accounting.csv", index=False)
    stamp = {"from": fingerprint(origin), "files": {}, "origin": origin}
    (place / "analysis.json").write_text(json.dumps(stamp), encoding="utf-8")
    (place / "run.json").write_text(json.dumps({"version": version}), encoding="utf-8")
    return folder


def test_the_same_run_twice(tmp_path):
    one, two = run(tmp_path / "1"), run(tmp_path / "2")
    found = changes(one, two)
    assert found.origin.empty and found.moved.empty
    assert tuple(found.origin) == ORIGIN_COLUMNS and tuple(found.moved) == MOVED_COLUMNS
    assert found.compared[["n_compared", "n_moved"]].to_numpy().tolist() == [[4, 0]]
    assert sentences(found) == [
        "Both runs were made from the same inputs, settings, code and libraries.", "None of 4 estimates differs.",
    ]  # fmt: skip


def test_every_part_that_differs_is_named(tmp_path):
    other = {
        **ORIGIN, "deposits": {"R1_T1.csv": "e" * 64, "R1_T3.csv": "f" * 64}, "model": "{}" * 501,
        "study": {**ORIGIN["study"], "seed": "2"}, "source": {"retention.py": "9" * 64},
        "libraries": {"numpy": "2.3.0"},
    }  # fmt: skip
    one = run(tmp_path / "1")
    two = run(tmp_path / "2", other, version="0.2.0", files=(("R1_T1.csv", 12), ("R1_T3.csv", 5)))
    found = changes(one, two)
    print(found.origin.to_string())
    rows = found.origin.set_index(["part", "name"])
    assert rows["change"].to_dict() == {
        ("deposits", "R1_T1.csv"): "changed", ("deposits", "R1_T2.csv"): "removed",
        ("deposits", "R1_T3.csv"): "added", ("settings", "seed"): "changed",
        ("linkage model", "linkage model"): "changed", ("code", "retention.py"): "changed",
        ("libraries", "numpy"): "changed", ("libraries", "trajectories"): "changed",
        ("rows of the deposits", "R1_T1.csv"): "changed", ("rows of the deposits", "R1_T2.csv"): "removed",
        ("rows of the deposits", "R1_T3.csv"): "added",
    }  # fmt: skip
    assert rows.loc[("settings", "seed"), ["before", "after"]].tolist() == ["1", "2"]
    # a hash is cut, a model is not printed
    assert rows.loc[("deposits", "R1_T1.csv"), "after"] == "e" * 12
    assert rows.loc[("linkage model", "linkage model"), "before"] is None
    said = sentences(found)
    print("\n".join(said))
    assert "Settings: seed 1 → 2." in said and "Linkage model: linkage model changed." in said
    assert "Libraries: numpy 2.2.0 → 2.3.0; trajectories 0.1.0 → 0.2.0." in said


def test_estimates_that_moved_the_largest_first(tmp_path):
    seed = {**ORIGIN, "study": {**ORIGIN["study"], "seed": "2"}}
    tables = {
        "retention": rates(_0=0.805, _1=0.60, _3=0.5),
        "persons": pd.DataFrame({"person_id": ["x"], "estimate": 1.0}),
    }
    found = changes(run(tmp_path / "1"), run(tmp_path / "2", seed, tables))
    print(found.moved.to_string())
    assert found.moved["rows"].tolist() == [
        "province, horizon 24, main", "province, horizon 12, main", "05, horizon 24, main",
    ]  # fmt: skip
    assert found.moved["change"].tolist() == ["moved", "moved", "appeared"]
    assert found.moved["difference"].round(6).tolist()[:2] == [-0.1, 0.005]
    assert found.moved["beyond_se"].tolist() == [True, False, False]
    assert found.compared["table"].tolist() == ["retention"]
    said = sentences(found, most=1)
    print("\n".join(said))
    assert said[1] == "3 of 4 estimates differ, 1 of them by more than a standard error."
    assert said[2] == "retention, province, horizon 24, main: 0.7 → 0.6 (-0.1, 5.0 standard errors)."
    assert said[3] == "2 more differ by less."


def test_a_row_that_only_one_run_has(tmp_path):
    found = changes(run(tmp_path / "1"), run(tmp_path / "2", tables={"retention": rates().iloc[1:]}))
    assert found.moved[["change", "group", "horizon"]].to_numpy().tolist() == [["disappeared", "province", "12"]]
    assert sentences(found)[-1].startswith("Nothing that they were made from explains this")


def test_another_perimeter_still_compares(tmp_path):
    other = {**ORIGIN, "study": {**ORIGIN["study"], "perimeter": "'CMM'"}}
    found = changes(
        run(tmp_path / "1"), run(tmp_path / "2", other, {"retention": rates(_0=0.9).assign(perimeter="CMM")})
    )
    assert found.moved["before"].tolist() == [0.8] and found.moved["after"].tolist() == [0.9]


def test_rows_that_nothing_tells_apart_are_not_compared_and_are_said(tmp_path):
    twice = {"retention": rates(), "other": pd.concat([rates(), rates()], ignore_index=True)}
    found = changes(run(tmp_path / "1", tables=twice), run(tmp_path / "2", tables=twice))
    assert found.compared.set_index("table")["n_compared"].to_dict() == {"other": 0, "retention": 4}


def test_no_row_of_a_person_is_read(tmp_path):
    persons = {"retention": rates(), "draws": rates().assign(person_id="p1")}
    found = changes(run(tmp_path / "1", tables=persons), run(tmp_path / "2", tables=persons))
    assert found.compared["table"].tolist() == ["retention"]


def test_what_is_no_run_is_said_of_both(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnusableInputError) as error:
        changes(tmp_path / "empty", tmp_path / "nowhere")
    assert str(error.value).count("is not the folder of a run") == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("{", "cannot be read"), ("[]", "does not hold"), ('{"from": "x", "files": {}}', "older version")],
)
def test_a_stamp_that_says_nothing(tmp_path, content, sentence):
    one, two = run(tmp_path / "1"), run(tmp_path / "2")
    (two / "sensitive" / "tables" / "analysis.json").write_text(content, encoding="utf-8")
    with pytest.raises(UnusableInputError, match=sentence):
        changes(one, two)


def test_a_damaged_table_and_tables_with_nothing_in_common(tmp_path):
    one, two = run(tmp_path / "1"), run(tmp_path / "2")
    (two / "sensitive" / "tables" / "retention.parquet").write_bytes(b"no")
    with pytest.raises(UnusableInputError, match=r"retention\.parquet cannot be read"):
        changes(one, two)
    with pytest.raises(UnusableInputError, match="no table of estimates that both have"):
        changes(one, run(tmp_path / "3", tables={"other": rates()}))
