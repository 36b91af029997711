"""Counts: each rule alone, then an attacker who knows the rules and has a linear programme."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from attacker import given_away
from examples import examples
from trajectories.disclosure import counts as counts_room
from trajectories.disclosure import protect
from trajectories.exceptions import DisclosureError
from trajectories.study import Disclosure

RULES = Disclosure()
SOME = examples(25, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

TWO_REGIONS = {
    "01": {"a": 7, "b": 33, "c": 37, "d": 39},
    "02": {"a": 40, "b": 78, "c": 82, "d": 64},
    "province": {"a": 47, "b": 111, "c": 119, "d": 103},
}


def table(cells, *, name="origins", households=None):
    """{group: {key: persons}} → the tidy raw table; half as many households unless given; the province adds up."""
    if households is None:
        households = {g: {key: -(-n // 2) for key, n in keys.items()} for g, keys in cells.items() if g != "province"}
        if "province" in cells:
            households["province"] = {k: sum(h[k] for h in households.values()) for k in cells["province"]}
    rows = [(group, name, key, n, households[group][key]) for group, keys in cells.items() for key, n in keys.items()]
    return pd.DataFrame(rows, columns=["group", "table", "key", "persons", "households"])


def shown(frame, group="05", name="origins", column="persons_rounded"):
    part = frame[(frame["group"] == group) & (frame["table"] == name)]
    return {key: None if pd.isna(n) else int(n) for key, n in zip(part["key"], part[column], strict=True)}


# ── each rule ────────────────────────────────────────────────────────────────────────────────────────────────


def test_small_cells_are_hidden_zero_is_shown_and_rounding_comes_after():
    raw = table({"05": {"a": 0, "b": 9, "c": 10, "d": 12, "e": 13, "f": 101, "g": 56}})
    frame = protect(raw).frame
    assert shown(frame) == {"a": 0, "b": None, "c": 10, "d": 10, "e": 15, "f": 100, "g": 55}
    assert list(frame.columns) == [
        "group", "table", "key", "persons_rounded", "households_rounded", "shown", "sum_of_displayed",
    ]  # fmt: skip
    assert str(frame["persons_rounded"].dtype) == str(frame["households_rounded"].dtype) == "Int64"


def test_few_households_hide_a_cell_of_many_persons():
    raw = table({"05": {"a": 25, "b": 120, "c": 130, "d": 80}}, households={"05": {"a": 4, "b": 40, "c": 50, "d": 30}})
    frame = protect(raw).frame
    assert shown(frame)["a"] is None
    assert shown(frame, column="households_rounded")["a"] is None


def test_no_total_beside_a_hidden_cell_else_the_sum_of_those_displayed():
    cells = {"a": 12, "b": 12, "c": 12, "total": 36}
    frame = protect(table({"05": cells})).frame
    assert shown(frame)["total"] == 30  # 10 + 10 + 10, and not 35
    assert frame.set_index("key")["sum_of_displayed"].to_dict() == {"a": False, "b": False, "c": False, "total": True}
    frame = protect(table({"05": {"a": 102, "b": 58, "c": 71, "d": 4, "total": 235}})).frame
    assert shown(frame)["total"] is None


def test_a_total_alone_is_a_cell():
    assert shown(protect(table({"05": {"total": 63}})).frame) == {"total": 65}
    assert shown(protect(table({"05": {"total": 7}})).frame) == {"total": None}


def test_one_hidden_cell_takes_another_with_it_where_the_group_is_known_from_another_table():
    raw = pd.concat([
        table({"05": {"a": 63, "b": 21, "c": 4}}),
        table({"05": {"x": 40, "y": 48, "total": 88}}, name="sex"),
    ])  # fmt: skip
    frame = protect(raw).frame
    assert shown(frame) == {"a": 65, "b": None, "c": None}
    assert shown(frame, name="sex") == {"total": 90, "x": 40, "y": 50}
    assert not given_away(raw, frame)


def test_the_province_cell_goes_where_it_would_give_a_region_away():
    raw = table(TWO_REGIONS)
    frame = protect(raw).frame
    assert shown(frame, "province")["a"] is None
    assert not given_away(raw, frame)


def test_the_province_cell_stays_where_rounding_leaves_enough_room():
    rng = np.random.default_rng(0)
    cells = {f"{r:02d}": dict(zip("abcd", rng.integers(60, 200, 4).tolist(), strict=True)) for r in range(1, 13)}
    cells["03"]["a"] = 6
    cells["province"] = {key: sum(c[key] for c in cells.values()) for key in "abcd"}
    raw = table(cells)
    frame = protect(raw).frame
    assert shown(frame, "03")["a"] is None
    assert None not in shown(frame, "province").values()
    assert not given_away(raw, frame)


def test_a_small_group_shows_nothing_zeros_neither():
    frame = protect(table({"10": {"a": 3, "b": 0, "c": 4}})).frame
    assert not frame["shown"].any()


def test_tables_of_rows_know_threshold_and_rounding_only():
    raw = pd.DataFrame({
        "group": "05", "table": "rows", "key": ["read", "rejected", "late"], "persons": [4321, 7, 0],
        "households": pd.NA,
    })  # fmt: skip
    frame = protect(raw).frame
    assert shown(frame, name="rows") == {"late": 0, "read": 4320, "rejected": None}
    assert frame["households_rounded"].isna().all()


def test_order_of_rows_tells_nothing_and_the_input_is_left_alone():
    raw = table({"05": {"b": 61, "a": 52, "total": 200, "c": 4, "d": 83}})
    before = raw.copy(deep=True)
    frame = protect(raw).frame
    assert list(frame["key"]) == ["a", "b", "c", "d", "total"]
    pd.testing.assert_frame_equal(raw, before)
    pd.testing.assert_frame_equal(frame, protect(raw.sample(frac=1, random_state=1)).frame)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw.assign(persons=[-1, 20, 30]), "Column persons holds 1 value"),
        (lambda raw: raw.assign(persons=[None, 20, 30]), "Column persons holds 1 value"),
        (lambda raw: raw.assign(households=[1.5, 20, 30]), "Column households holds 1 value"),
        (lambda raw: raw.assign(group="Est"), "group.s. Est cannot be protected"),
        (lambda raw: raw.assign(key="a"), "given twice"),
        (lambda raw: raw.assign(key=["a", None, "b"]), "without group, table or key"),
        (lambda raw: raw.assign(key=["a", "b", "total"]), "not the sum of the keys"),
    ],
)
def test_what_cannot_be_protected_is_refused(change, sentence):
    with pytest.raises(DisclosureError, match=sentence):
        protect(change(table({"05": {"a": 11, "b": 20, "c": 30}})))


def test_an_empty_table_stays_empty():
    assert protect(table({})).frame.empty


# ── the attacker fails ───────────────────────────────────────────────────────────────────────────────────────


@st.composite
def tables(draw, regions=(1, 4), tables=(1, 3), smallest=0):
    """Random tables that part the same people in several ways, for regions and (mostly) the province."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_regions, n_tables = draw(st.integers(*regions)), draw(st.integers(*tables))
    sizes = [int(smallest + rng.choice([6, 15, 40, 120, 400]) * rng.random()) + 1 for _ in range(n_regions)]
    parts = []
    for t in range(n_tables):
        keys = [f"k{k}" for k in range(draw(st.integers(2, 5)))]
        cells = {}
        for r, size in enumerate(sizes):
            split = rng.multinomial(size, rng.dirichlet(np.full(len(keys), 0.7)))
            cells[f"{r + 1:02d}"] = dict(zip(keys, map(int, split), strict=True))
        households = {g: {k: int(np.ceil(v / rng.choice([1, 2, 4]))) for k, v in c.items()} for g, c in cells.items()}
        if draw(st.booleans()) or n_regions > 2:
            cells["province"] = {k: sum(c[k] for g, c in cells.items() if g != "province") for k in keys}
            households["province"] = {k: sum(h[k] for h in households.values()) for k in keys}
        parts.append(table(cells, name=f"t{t}", households=households))
    return pd.concat(parts, ignore_index=True)


@given(tables(smallest=30))
@SOME
def test_attacker_who_knows_the_exact_number_of_people_of_each_group(raw):
    large = raw[raw["table"] == "t0"].groupby("group")[["persons", "households"]].sum()
    same = raw.groupby(["group", "table"])["households"].sum().groupby("group").nunique()
    # households differ from table to table where members part: the attack in households takes one table at a time
    only = set(large.index[(large["persons"] >= 10) & (large["households"] >= 5)])
    published = protect(raw).frame
    frames = [raw] if (same == 1).all() else [part for _, part in raw.groupby("table")]
    for part in frames:
        assert not given_away(part, published[published["table"].isin(part["table"])], only=only)


@given(tables(tables=(1, 1)))
@SOME
def test_attacker_on_groups_under_the_threshold(raw):
    sizes = raw.groupby("group")[["persons", "households"]].sum()
    only = set(sizes.index[(sizes["persons"] < 10) | (sizes["households"] < 5)]) - {"province"}
    published = protect(raw).frame
    assert not given_away(raw, published, only=only, known="rounded")


@given(tables())
@SOME
def test_what_is_displayed_is_true_and_hidden_numbers_are_missing(raw):
    published = protect(raw).frame
    both = published.merge(raw, on=["group", "table", "key"], validate="one_to_one")
    assert len(both) == len(raw)
    up = both[both["shown"]]
    assert ((up["persons_rounded"] - up["persons"]).abs() <= 2).all()
    assert ((up["persons"] == 0) | ((up["persons"] >= 10) & (up["households"] >= 5))).all()
    assert both.loc[~both["shown"], ["persons_rounded", "households_rounded"]].isna().all().all()


# ── and succeeds when a rule is taken away ───────────────────────────────────────────────────────────────────


def test_without_the_second_cell_the_attacker_succeeds(monkeypatch):
    raw = table({"05": {"a": 62, "b": 42, "c": 4}})
    monkeypatch.setattr(counts_room._Cells, "hide_until_protected", lambda self: None)
    assert given_away(raw, protect(raw).frame)
    monkeypatch.undo()
    assert not given_away(raw, protect(raw).frame)


def test_without_watching_the_province_the_attacker_succeeds(monkeypatch):
    raw = table(TWO_REGIONS)
    assert not given_away(raw, protect(raw).frame)
    whole = counts_room._Cells._is_protected
    monkeypatch.setattr(
        counts_room._Cells, "_is_protected", lambda self, i, province_shown=True: whole(self, i, province_shown=False)
    )
    assert given_away(raw, protect(raw).frame)


def test_without_rounding_the_attacker_succeeds(monkeypatch):
    raw = table({"05": {"a": 62, "b": 43, "c": 27, "d": 38, "e": 5}})
    assert not given_away(raw, protect(raw).frame)
    monkeypatch.setattr(
        counts_room, "rounded", lambda counts, base: np.asarray(counts, dtype=np.int64)
    )  # the room is then taken from the exact numbers; the reader knows that they are exact
    assert given_away(raw, protect(raw).frame, base=1)


def test_with_a_total_beside_a_hidden_cell_the_attacker_succeeds():
    raw = table({"05": {"a": 102, "b": 58, "c": 71, "d": 4}})
    frame = protect(raw).frame
    assert not given_away(raw, frame)
    # a total rounded from the truth, and none of the other rules: 235 − (100 + 60 + 70) = 5 ± 8 would still do;
    # an exact one beside exact cells gives the cell to the person
    exact = frame.assign(
        persons_rounded=raw["persons"].where(frame["shown"]).astype("Int64"),
        households_rounded=raw["households"].where(frame["shown"]).astype("Int64"),
    )
    assert given_away(raw, exact, base=1)


@example(3)
@given(st.integers(1, 9))
@examples(9, derandomize=True)
def test_without_the_threshold_small_numbers_would_stand_there(n):
    raw = table({"05": {"a": n, "b": 61, "c": 52, "d": 83}})
    assert shown(protect(raw).frame)["a"] is None
