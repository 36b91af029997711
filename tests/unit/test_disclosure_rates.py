"""Rates: each rule alone, and a reader who solves for the exits."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacker import exits_a_reader_finds, hidden_exits
from examples import examples
from trajectories import tables
from trajectories.disclosure import protect
from trajectories.disclosure import rates as rates_room
from trajectories.study import Disclosure

SOME = examples(50, derandomize=True)


def series(exits, *, n=200, group="05", method="main", horizons=(3, 6, 12, 24, 36, 60), **columns):
    """A retention table: so many have left by each horizon, nobody is censored."""
    exits = np.asarray(exits)
    estimate = 1 - exits / n
    se = np.sqrt(estimate * (1 - estimate) / n)
    return pd.DataFrame({
        "perimeter": "RMR-2021", "scope": "region", "pathway": "all", "group": group,
        "horizon": horizons[: len(exits)], "method": method, "estimate": estimate, "se": se,
        "lower": np.clip(estimate - 1.96 * se, 0, 1), "upper": np.clip(estimate + 1.96 * se, 0, 1),
        "n_start": n, "n_at_risk": n - exits, "n_confirmed": n - exits, "known": "observed", "note": "8 départs",
    } | columns)  # fmt: skip


def destinations(by_cause, *, n=200, group="05", horizons=(12, 24, 36, 60)):
    """{cause: exits by each horizon} → incidence by cause."""
    left = np.sum([np.asarray(e) for e in by_cause.values()], axis=0)
    parts = []
    for cause, exits in by_cause.items():
        part = series(np.asarray(exits), n=n, group=group, horizons=horizons).assign(cause=cause)
        parts.append(part.assign(estimate=1 - part["estimate"], n_at_risk=n - left))
    return pd.concat(parts, ignore_index=True)


def reasons(frame, **which):
    for column, value in which.items():
        frame = frame[frame[column] == value]
    return list(frame["reason"])


# ── ground ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_schema_table_passes_and_leaves_only_what_may_be_shown():
    raw = tables.conform(series([24, 40, 60, 90, 110, 130]), tables.RETENTION)
    tables.check(raw, tables.RETENTION)
    before = raw.copy(deep=True)
    done = protect(raw)
    pd.testing.assert_frame_equal(raw, before)
    assert done.kind == "rates"
    assert list(done.frame.columns) == [
        "perimeter", "scope", "pathway", "group", "method", "horizon", "known", "reporting", "estimate", "lower",
        "upper", "range_lower", "range_upper", "at_least", "at_most", "n_start_rounded", "n_at_risk_rounded",
        "n_confirmed_rounded", "shown", "reason",
    ]  # fmt: skip
    assert list(done.frame["estimate"]) == [0.88, 0.80, 0.70, 0.55, 0.45, 0.35]
    assert done.frame["shown"].all()
    assert list(done.frame["n_at_risk_rounded"]) == [175, 160, 140, 110, 90, 70]
    assert (done.frame["lower"] <= raw["lower"]).all()
    assert (done.frame["upper"] >= raw["upper"]).all()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (series([10], n=29), "denominator"),
        (series([12], n=30, n_at_risk=19), "at_risk"),
        (series([20], known="insufficient"), "insufficient"),
        (series([20], estimate=np.nan), "insufficient"),
        (series([20], n_households=4), "households"),
        (series([20], n_at_risk=None), "at_risk"),
    ],
)
def test_a_rate_needs_its_ground(raw, reason):
    frame = protect(raw).frame
    assert list(frame["reason"]) == [reason]
    assert not frame["shown"].any()
    numbers = ["estimate", "lower", "upper", "at_least", "at_most", "n_start_rounded", "n_at_risk_rounded"]
    assert frame[numbers].isna().all().all()


def test_support_can_be_raised_and_never_lowered():
    assert list(protect(series([30], n_at_risk=40), support=50).frame["reason"]) == ["at_risk"]
    assert list(protect(series([30], n_at_risk=19), support=1).frame["reason"]) == ["at_risk"]


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_few_exits_give_a_range_and_none_is_shown():
    frame = protect(series([0, 1, 9, 10, 15, 60], n=100)).frame
    assert [None if pd.isna(x) else x for x in frame["estimate"]] == [1.0, None, None, 0.90, None, 0.40]
    assert list(frame["reason"]) == [None, "few_exits", "few_exits", None, "few_exits", None]
    assert list(frame["at_least"].dropna()) == [0.89, 0.89, 0.79]  # n may be 98: 1 − 10/98, to the percent below
    assert list(frame["at_most"].dropna()) == [1.0, 1.0, 0.90]


def test_numbers_beside_a_range_do_not_narrow_it():
    frame = protect(series([2, 9, 30], n=100)).frame  # at risk 98, 91, 70
    assert [None if pd.isna(n) else n for n in frame["n_at_risk_rounded"]] == [None, 90, 70]
    assert [None if pd.isna(n) else n for n in frame["n_confirmed_rounded"]] == [None, 90, 70]


def test_few_staying_give_a_ceiling():
    frame = protect(series([95], n=100, n_at_risk=20)).frame
    assert frame["at_most"].item() == 0.11
    assert frame["at_least"].isna().all()


@given(st.integers(30, 400), st.lists(st.sampled_from([0, 1, 2, 5, 9, 10, 14, 30]), min_size=1, max_size=6))
@SOME
def test_reader_finds_no_small_number_of_exits(n, steps):
    exits = np.cumsum(steps)
    exits = exits[n - exits >= 20]
    if not len(exits):
        return
    frame = protect(series(exits, n=n)).frame
    for low, high in exits_a_reader_finds(frame, n).values():
        assert low <= 1
        assert high >= 9
    truth = 1 - exits / n
    ranged = frame["at_most"].notna().to_numpy()
    assert (frame["at_most"][ranged] >= truth[ranged] - 0.005001).all()
    assert (frame["at_least"][ranged].fillna(0) <= truth[ranged]).all()


def test_without_the_rule_of_steps_the_reader_finds_it(monkeypatch):
    raw = series([3, 40], n=100)
    monkeypatch.setattr(rates_room, "exact_steps", lambda rates, *a, **k: np.ones(len(rates), bool))
    frame = protect(raw).frame
    assert frame["shown"].all()
    assert round((1 - frame["estimate"].iloc[0]) * 100) == 3


# ── range of the assumptions, reporting ──────────────────────────────────────────────────────────────────────


def ranged(exits, low, high, *, n=200, **columns):
    """A series whose exits could be so many fewer, or more, under other assumptions."""
    frame = series(exits, n=n, **columns)
    low, high = np.asarray(low) / n, np.asarray(high) / n
    return frame.assign(range_lower=frame["estimate"] - high, range_upper=frame["estimate"] + low)


def test_a_range_goes_outwards_and_only_beside_its_rate():
    frame = protect(ranged([5, 30, 60], [9, 9, 9], [15, 15, 17])).frame  # a range, then two rates
    assert frame.loc[0, ["range_lower", "range_upper"]].isna().all()
    assert list(frame["range_lower"][1:]) == [0.77, 0.61]  # 0.775 and 0.615
    assert list(frame["range_upper"][1:]) == [0.90, 0.75]  # 0.895 and 0.745
    assert protect(ranged([30], 9, 15, known="insufficient")).frame["range_lower"].isna().all()


@given(st.floats(0, 5), st.floats(0, 5), st.integers(40, 3000), st.floats(0.3, 0.7))
@examples(75, derandomize=True)
def test_up_to_half_a_threshold_on_each_side_a_range_is_the_same_as_none(low, high, n, gone):
    narrow = protect(ranged([round(n * gone)], low, high, n=n)).frame
    pd.testing.assert_frame_equal(narrow, protect(ranged([round(n * gone)], 0, 0, n=n)).frame)
    assert ((narrow["range_upper"] - narrow["range_lower"]) * n >= 10 - 1e-6).all()


@given(st.floats(0, 60), st.floats(0, 60), st.integers(150, 3000))
@SOME
def test_a_range_holds_what_was_found(low, high, n):
    raw = ranged([n // 2], low, high, n=n)
    frame = protect(raw).frame
    assert (frame["range_lower"] <= raw["range_lower"]).all() and (frame["range_upper"] >= raw["range_upper"]).all()


def test_whose_reporting_a_rate_rests_on_does_not_part_the_province_from_its_regions():
    parts = {"01": ([4], 60, "borrowed"), "02": ([20], 60, "own"), "province": ([24], 120, "own")}
    raw = pd.concat([series(exits, n=n, group=group, reporting=by) for group, (exits, n, by) in parts.items()])
    frame = protect(raw).frame.set_index("group")
    assert frame["reason"].to_dict() == {"01": "few_exits", "02": None, "province": "difference"}
    assert frame["reporting"].to_dict() == {"01": "borrowed", "02": "own", "province": "own"}


def test_no_reading_stands_for_a_rate_that_is_given_as_a_range(monkeypatch):
    # 10 and 19 have left by the main one, 9 and 20 by the plain one: 10 and then 20 would tell that some ten left
    raw = pd.concat([series([10, 19, 60]), series([9, 20, 61], method="plain")])
    plain = protect(raw).frame.set_index(["method", "horizon"])["reason"]
    assert plain.to_dict() == {
        ("main", 3): None, ("main", 6): "few_exits", ("main", 12): None,
        ("plain", 3): "few_exits", ("plain", 6): "few_exits", ("plain", 12): None,
    }  # fmt: skip
    monkeypatch.setattr(rates_room, "_beside", lambda part: True)
    assert protect(raw).frame.set_index(["method", "horizon"]).loc[("plain", 6), "shown"]


def test_readings_near_the_estimate_stand_beside_it_each_with_its_own_steps():
    methods = {"main": 20, "with_services": 22, "own_reporting": 9, "plain": 20}
    raw = pd.concat([series([exits], method=method) for method, exits in methods.items()])
    frame = protect(raw).frame.set_index("method")
    assert frame["reason"].to_dict() == {
        "main": None, "with_services": None, "own_reporting": "few_exits", "plain": None,
    }  # fmt: skip


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────


def bounds(left, stayed, no_news=50, n=200):
    methods = {"main": 60, "all_lost_left": left, "all_lost_stayed": stayed, "no_news_present": no_news}
    return pd.concat([series([exits], n=n, method=m, horizons=(12,)) for m, exits in methods.items()])


def test_bounds_close_together_are_both_hidden():
    frame = protect(bounds(69, 60)).frame.set_index("method")
    assert frame["reason"].to_dict() == {
        "all_lost_left": "bounds", "all_lost_stayed": "bounds", "no_news_present": "bounds", "main": None,
    }  # fmt: skip
    assert protect(bounds(70, 60, no_news=30)).frame["shown"].all()


def test_the_third_bound_goes_where_it_comes_near_to_one():
    frame = protect(bounds(90, 60, no_news=55)).frame.set_index("method")
    assert frame["reason"].dropna().to_dict() == {"no_news_present": "bounds"}


def test_without_the_rule_of_bounds_the_number_lost_is_read_off(monkeypatch):
    monkeypatch.setattr(rates_room, "_hide_close_bounds", lambda *a: None)
    frame = protect(bounds(64, 60)).frame.set_index("method")
    assert round((frame.loc["all_lost_stayed", "estimate"] - frame.loc["all_lost_left", "estimate"]) * 200) == 4


# ── destinations ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_small_destination_goes_with_the_next_smallest():
    frame = protect(destinations({"metropole": [60], "other_region": [15], "outside_quebec": [3]})).frame
    assert dict(zip(frame["cause"], frame["reason"], strict=True)) == {
        "metropole": None, "other_region": "few_exits", "outside_quebec": "few_exits",
    }  # fmt: skip
    assert frame.loc[frame["cause"] != "metropole", ["estimate", "at_least", "at_most"]].isna().all().all()


def test_two_small_destinations_take_a_third_where_their_sum_tells():
    by_cause = {"metropole": [60], "other_region": [25], "outside_quebec": [3], "unknown_destination": [2]}
    frame = protect(destinations(by_cause)).frame
    assert list(frame.loc[frame["shown"], "cause"]) == ["metropole"]


def test_only_the_longest_horizon_where_one_is_small_else_those_far_enough():
    small = protect(destinations({"metropole": [20, 40, 60, 80], "outside_quebec": [0, 2, 5, 8]})).frame
    assert not small["shown"].any()  # two destinations hide each other, at the one horizon
    assert set(small["reason"]) == {"few_exits", "difference"}
    apart = protect(destinations({"metropole": [20, 40, 45, 80], "outside_quebec": [0, 10, 12, 24]})).frame
    assert sorted(apart.loc[apart["shown"], "horizon"].unique()) == [12, 24, 60]


@given(st.lists(st.sampled_from([0, 1, 3, 7, 9, 10, 16, 40]), min_size=2, max_size=4), st.integers(150, 400))
@SOME
def test_reader_finds_no_small_destination(exits, n):
    by_cause = {cause: [d] for cause, d in zip(tables.EXITS, exits, strict=False)}
    frame = protect(destinations(by_cause, n=n)).frame
    total = sum(exits)
    if 0 < total < 10:
        assert not frame["shown"].any()
        return
    for (cause, _), (low, high) in hidden_exits(frame, by_cause, n).items():
        if 0 < by_cause[cause][0] < 10:
            assert low <= 1
            assert high >= 9 - 1e-6


def test_without_the_second_destination_the_reader_finds_it(monkeypatch):
    by_cause = {"metropole": [60], "other_region": [15], "outside_quebec": [3]}
    raw = destinations(by_cause)
    assert min(high for _, high in hidden_exits(protect(raw).frame, by_cause, 200).values()) >= 9
    monkeypatch.setattr(
        rates_room, "_hide_together", lambda counts, threshold: ~rates_room._none_or_enough(counts, threshold)
    )
    assert min(high for _, high in hidden_exits(protect(raw).frame, by_cause, 200).values()) < 9


# ── province and regions ─────────────────────────────────────────────────────────────────────────────────────


def test_the_province_is_hidden_where_two_regions_are_all_of_it():
    parts = {"01": ([4], 60), "02": ([20], 60), "province": ([24], 120)}
    raw = pd.concat([series(exits, n=n, group=group) for group, (exits, n) in parts.items()])
    frame = protect(raw).frame.set_index("group")
    assert frame["reason"].to_dict() == {"01": "few_exits", "02": None, "province": "difference"}


def test_a_group_of_regions_is_held_to_the_same_against_its_regions():
    parts = {"01": ([4], 60), "11": ([20], 60), "05": ([80], 300), "Est": ([24], 120), "province": ([104], 420)}
    raw = pd.concat([series(exits, n=n, group=group) for group, (exits, n) in parts.items()])
    alone = protect(raw).frame.set_index("group")
    assert alone.loc["Est", "shown"]  # nobody said what it is the sum of
    frame = protect(raw, groups={"Est": ("01", "11")}).frame.set_index("group")
    assert frame.loc["Est", "reason"] == "difference"
    assert frame.loc[["11", "05"], "shown"].all()


def test_the_province_less_a_group_tells_no_region_that_is_in_none():
    parts = {"01": ([20], 60), "11": ([20], 60), "05": ([4], 60), "Est": ([40], 120), "province": ([44], 180)}
    raw = pd.concat([series(exits, n=n, group=group) for group, (exits, n) in parts.items()])
    # the regions of the group are not published beside it
    raw = raw[~raw["group"].isin(["01", "11"])]
    frame = protect(raw, groups={"Est": ("01", "11")}).frame.set_index("group")
    assert frame["reason"].to_dict() == {"05": "few_exits", "Est": None, "province": "difference"}


def test_the_province_stays_where_rounding_leaves_it_open():
    parts = [series([40 + r], n=300 + r, group=f"{r:02d}") for r in range(1, 12)]
    parts.append(series([4], n=60, group="12"))
    raw = pd.concat([*parts, series([510], n=3426, group="province")])
    frame = protect(raw).frame.set_index("group")
    assert frame.loc["province", "shown"]
    assert frame.loc["12", "reason"] == "few_exits"


def test_the_number_of_people_of_the_province_does_not_tell_a_region_s(monkeypatch):
    raw = pd.concat([
        series([30], n=102, group="01"), series([1], n=9, group="02"), series([4], n=111, group="province"),
    ])  # fmt: skip
    # 110 ± 2 less 100 ± 2 would be 6 to 14: no 1 to 5
    frame = protect(raw).frame.set_index("group")
    assert frame["reason"].to_dict() == {"01": None, "02": "denominator", "province": "few_exits"}
    assert frame.loc["province", ["n_start_rounded", "n_at_risk_rounded", "n_confirmed_rounded"]].isna().all()
    monkeypatch.setattr(rates_room, "_hide_count_of_sum", lambda raw, column, *_, once: column)
    frame = protect(raw).frame.set_index("group")
    assert list(frame["n_start_rounded"].dropna()) == [100, 110]


# ── order, types ─────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_come_in_one_order_and_twice_the_same_is_refused():
    from trajectories.exceptions import DisclosureError

    raw = pd.concat([bounds(90, 60), series([24, 60], group="07")], ignore_index=True)
    pd.testing.assert_frame_equal(protect(raw).frame, protect(raw.sample(frac=1, random_state=2)).frame)
    with pytest.raises(DisclosureError, match="given twice"):
        protect(pd.concat([raw, raw]))


def test_other_thresholds_are_followed():
    rules = Disclosure(threshold=20, round=10, households=5, rate_denominator=60)
    frame = protect(series([15, 40], n=100), rules=rules).frame
    assert list(frame["reason"]) == ["few_exits", None]
    assert list(frame["n_start_rounded"]) == [100, 100]
