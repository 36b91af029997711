"""Groups of regions: which rows are theirs, and what may be told of them."""

import pandas as pd
import pytest

from trajectories import protect
from trajectories.disclosure import protected_counts
from trajectories.groups import REGIONS, members, regions_of, reported_groups
from trajectories.study import Study

STUDY = Study(groups={"Est-du-Québec": ("01", "11"), "Nord": ("08", "09", "10")})


def counts(cells):
    rows = [(*cell, n, n // 2) for cell, n in cells.items()]
    return pd.DataFrame(rows, columns=["group", "table", "key", "persons", "households"])


def told(frame, group):
    return protected_counts(frame, groups=STUDY.groups).of(group).frame.set_index(["table", "key"])


def test_the_groups_of_a_run_are_the_province_fifteen_regions_and_those_of_the_study():
    assert reported_groups(study=Study()) == ("province", *REGIONS)
    assert len(REGIONS) == 15
    assert not {"06", "13"} & set(REGIONS)
    assert reported_groups(STUDY) == ("province", *REGIONS, "Est-du-Québec", "Nord")


def test_rows_without_a_region_are_of_the_province_alone():
    found = members(pd.DataFrame({"region": ["01", "11", "05", None]}), STUDY)
    assert found["province"].all()
    assert found["Est-du-Québec"].tolist() == [True, True, False, False]
    assert sum(chosen[3] for chosen in found.values()) == 1


def test_a_group_that_nobody_knows_is_refused_by_name():
    stays = pd.DataFrame({"region": ["01"]})
    for group in ("Ouest", "18", "age=3"):
        with pytest.raises(ValueError, match=repr(group)):
            members(stays, STUDY, [group])
    with pytest.raises(ValueError, match="'Ouest'"):
        regions_of("Ouest", STUDY)


def test_a_group_is_told_as_the_sum_of_what_is_displayed_of_its_regions():
    frame = counts({("01", "t", "a"): 61, ("01", "t", "b"): 32, ("11", "t", "a"): 22, ("11", "t", "b"): 18})
    shown = told(frame, "Est-du-Québec")
    regions = protect(frame).frame.groupby(["table", "key"])[["persons_rounded", "households_rounded"]].sum()
    assert shown["persons_rounded"].to_dict() == {("t", "a"): 80, ("t", "b"): 50}
    assert shown[["persons_rounded", "households_rounded"]].astype(int).equals(regions.astype(int))
    assert shown["sum_of_displayed"].all()


def test_a_cell_hidden_in_one_region_is_hidden_in_its_group():
    frame = counts({("01", "t", "a"): 61, ("01", "t", "b"): 32, ("11", "t", "a"): 22, ("11", "t", "b"): 4})
    shown = told(frame, "Est-du-Québec")
    assert not shown.loc[("t", "b"), "shown"]
    assert shown.loc[~shown["shown"], ["persons_rounded", "households_rounded"]].isna().all(axis=None)


def test_a_region_with_no_row_for_a_key_has_nobody_unless_its_table_is_hidden():
    cells = {("01", "t", "a"): 61, ("01", "t", "b"): 32, ("11", "t", "a"): 41}
    assert told(counts(cells), "Est-du-Québec").loc[("t", "b"), "persons_rounded"] == 30
    assert not told(counts(cells | {("11", "t", "a"): 4}), "Est-du-Québec")["shown"].any()


def test_raw_rows_of_a_group_are_never_what_is_told():
    frame = counts({("01", "t", "a"): 61, ("11", "t", "a"): 4})
    lying = pd.concat([frame, counts({("Est-du-Québec", "t", "a"): 65})], ignore_index=True)
    assert protected_counts(lying, groups=STUDY.groups).frame.equals(protected_counts(frame, groups=STUDY.groups).frame)
    assert not told(lying, "Est-du-Québec")["shown"].any()
    with_no_groups = protected_counts(frame).frame
    assert set(with_no_groups["group"]) == {"01", "11"}


def test_tables_of_rows_of_data_have_no_households_in_a_group_either():
    frame = counts({("01", "rows", "a"): 61, ("11", "rows", "a"): 24}).assign(households=pd.NA)
    shown = told(frame, "Est-du-Québec")
    assert shown["persons_rounded"].tolist() == [85]
    assert shown["households_rounded"].isna().all()


def many(overlap):
    """Regions, two of them with a small cell, and a province where `overlap` persons of key c are of another key."""
    cells = {
        ("01", "t", "a"): 120, ("01", "t", "b"): 64, ("01", "t", "c"): 4,
        ("05", "t", "a"): 140, ("05", "t", "b"): 71, ("05", "t", "c"): 3,
        ("03", "t", "a"): 90, ("03", "t", "b"): 80, ("03", "t", "c"): 40,
    }  # fmt: skip
    whole = {"a": 350, "b": 215, "c": 47 - overlap}
    return counts(cells | {("province", "t", key): n for key, n in whole.items()})


def test_a_province_that_is_less_than_its_regions_does_not_hide_the_table():
    for overlap in (0, 2, 8, 40):
        frame = protected_counts(many(overlap)).frame.set_index(["group", "key"])
        hidden = frame.index[~frame["shown"]]
        assert {("01", "c"), ("05", "c")} <= set(hidden)
        assert frame["shown"].mean() > 0.5, overlap
        # what is told of the province is its own number, or nothing
        own = many(overlap).set_index(["group", "key"])["persons"]
        for key in frame.loc["province"].index[frame.loc["province", "shown"]]:
            assert abs(frame.loc[("province", key), "persons_rounded"] - own["province", key]) <= 2
    assert not frame.loc[("province", "c"), "shown"]  # 7 persons


def test_where_the_province_adds_up_the_table_is_what_protect_says():
    frame = many(0)
    assert protected_counts(frame).frame.equals(protect(frame).frame)


def test_keys_of_one_region_each_are_told_without_the_province():
    cells = {(f"0{n}", "t", f"town {n}"): n * 30 for n in range(1, 6)} | {("07", "t", "town 7"): 4}
    cells |= {("province", "t", key): n for (_, _, key), n in list(cells.items())}
    assert not protect(counts(cells)).frame["shown"].any()
    frame = protected_counts(counts(cells)).frame.set_index("group")
    assert not frame.loc[["province", "07"], "shown"].any()
    assert frame.drop(index=["province", "07"])["shown"].all()
