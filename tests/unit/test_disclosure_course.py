"""The tables of the course of stays: each rule of their protection, and what a reader could find without it."""

import numpy as np
import pandas as pd
import pytest

from report_tables import course_tables
from trajectories.disclosure import Protected, protect, rates
from trajectories.disclosure import curves as occupation
from trajectories.disclosure import rates as months
from trajectories.exceptions import DisclosureError
from trajectories.retention.course.cure_fraction import NOTES
from trajectories.retention.course.moves import METHODS
from trajectories.retention.course.post_exit_states import STATES
from trajectories.study import REGION_CODES, Disclosure

RULES = Disclosure()
TABLES = course_tables({"05": 640, "09": 12, "province": 652})


def with_rate(table):
    """Beside each row, a rate that is told exactly at every horizon."""
    return table.assign(rate=np.clip(1 - 0.02 * table["horizon"], 0.3, 1))


def shown(table, **how):
    frame = protect(table, **how).frame
    return frame[frame["shown"]]


# ── which rule a table goes to ───────────────────────────────────────────────────────────────────────────────


KINDS = {
    "restricted_time": "months", "moves_per_person": "moves", "occupation": "occupation", "settled": "settled share",
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_each_table_goes_to_its_own_rule_and_comes_out_without_raw_columns(name):
    table = with_rate(TABLES[name]).assign(rate=1.0 if name == "occupation" else 0.8)
    if name == "occupation":
        table["estimate"] = table["state"].eq("this_region").astype(float)
    told = protect(table)
    assert told.kind == KINDS[name] and len(told.frame)
    with pytest.raises(DisclosureError, match="not protected"):
        Protected(told.kind, table.assign(shown=True), RULES)
    with pytest.raises(DisclosureError):
        protect(told.frame)


@pytest.mark.parametrize("name", KINDS)
def test_a_row_given_twice_is_refused(name):
    table = with_rate(TABLES[name])
    with pytest.raises(DisclosureError, match="twice"):
        protect(pd.concat([table, table.iloc[:1]]))


def test_what_is_no_rate_is_never_taken_for_one():
    months_there = TABLES["restricted_time"]
    mixed = pd.concat([months_there, TABLES["settled"]])
    with pytest.raises(DisclosureError, match="Several measures in one table"):
        protect(mixed)
    with pytest.raises(DisclosureError, match="Several measures in one table"):
        protect(pd.concat([months_there, months_there.assign(measure=None, horizon=99)]))
    with pytest.raises(DisclosureError, match="measures type_share"):
        protect(TABLES["settled"].assign(measure="type_share"))
    with pytest.raises(DisclosureError, match="not between 0 and 1"):
        protect(months_there.drop(columns="measure"))


@pytest.mark.parametrize("name", ["restricted_time", "occupation"])
def test_without_the_rate_beside_it_a_table_is_refused(name):
    with pytest.raises(DisclosureError, match="as a column rate"):
        protect(TABLES[name])


# ── restricted months ────────────────────────────────────────────────────────────────────────────────────────


def there(left, n, horizons, *, group="05", rate=None):
    """Months there and the rate, of `n` persons of whom these left, at these months."""
    left = np.asarray(left, dtype=float)
    rows = []
    for place, horizon in enumerate(horizons):
        area = (n - np.clip(1 - left / horizon, 0, None).sum()) / n * horizon
        stays = 1 - (left <= horizon).sum() / n
        rows.append((group, horizon, area, stays if rate is None else rate[place]))
    table = pd.DataFrame(rows, columns=["group", "horizon", "estimate", "rate"])
    return table.assign(
        measure="restricted_months", cause=None, lower=table["estimate"] - 0.123, upper=table["estimate"] + 0.1,
        n_start=n, n_at_risk=n // 2, known="observed", method="main", note="a",
    )  # fmt: skip


def test_months_are_whole_percents_of_the_horizon_in_tenths_with_limits_outwards():
    told = shown(there([1] * 30 + [8] * 30, 200, (6, 12))).set_index("horizon")
    # 30 × 5/6 = 25 persons are missing at 6 months: 87.5 % of 6; 37.5 at 12: 81.25 % of 12
    assert told.loc[12, ["estimate", "lower", "upper"]].tolist() == [9.7, 9.6, 10.0]
    assert told.loc[6, "estimate"] in (5.2, 5.3)
    assert shown(there([1] * 12, 29, (6,))).empty and len(shown(there([1] * 12, 40, (6,)))) == 1
    assert list(told.columns) == ["group", "known", "estimate", "lower", "upper", "shown", "reason"]


def test_months_lost_to_a_destination_are_not_told():
    table = with_rate(TABLES["restricted_time"])
    assert (protect(table).frame.groupby("group").size() == 6).all()
    assert protect(table[table["measure"].eq("months_lost")]).frame.empty


def fewest_by(six, told, rate, n):
    """What months told at 12 and the rate there say of how many had left by month 6: at least so many."""
    most, least = n + RULES.round // 2, n - RULES.round // 2
    missing = (1 - (round(told / 12, 2) + 0.005)) * least * 12
    left = (1 - (round(rate, 2) - 0.005)) * most
    return (missing - (12 - six) * left) / six


EARLY = [0.0] * 9 + [6.001] * 12


def test_months_past_a_range_would_tell_how_many_it_stands_for():
    # by 6 months 9 of 100 had left: told as 1 to 10
    assert protect(there(EARLY, 100, (6, 12))).frame["reason"].tolist() == ["few_exits", "few_exits"]
    # without the rule (the rate at 6 months passes for one that is told): seven or more
    free = shown(there(EARLY, 100, (6, 12), rate=(0.6, 0.79))).set_index("horizon")
    assert free.index.tolist() == [12]
    assert fewest_by(6, free.loc[12, "estimate"], 0.79, 100) > 6


def test_one_departure_between_two_horizons_closes_the_later():
    left = [1.0] * 30 + [9.0]
    assert protect(there(left, 200, (6, 12))).frame["reason"].tolist() == [None, "few_exits"]
    # and so would the steps of the months alone
    assert protect(there(left, 200, (6, 12), rate=(0.8, 0.6))).frame["reason"].tolist() == [None, "few_exits"]


def test_however_they_left_no_small_number_by_a_month_can_be_told():
    rng = np.random.default_rng(3)
    tried = 0
    for _ in range(2):  # fifteen regions at a time, of which no province is the sum
        parts = []
        for group in REGION_CODES[:15]:
            n = int(rng.integers(40, 300))
            gone = int(rng.integers(1, n // 2))
            parts.append(there(rng.beta(*rng.uniform(0.3, 3, 2), gone) * 30, n, (3, 6, 12, 24), group=group))
        table = pd.concat(parts, ignore_index=True)
        exact = table.assign(estimate=table["rate"], lower=table["rate"], upper=table["rate"]).drop(columns="measure")
        rates_told = protect(exact).frame
        table = table.set_index(["group", "horizon"])
        for _, row in shown(table.reset_index()).iterrows():
            tried += 1
            group, horizon = row["group"], row["horizon"]
            before = rates_told["group"].eq(group) & rates_told["horizon"].le(horizon)
            assert before.any() and rates_told.loc[before, "shown"].all()
            at = table.loc[(group, horizon)]
            missing = (1 - at["estimate"] / horizon) * at["n_start"]
            # had all who are missing left as late as they may by month 1, they would be threshold or more
            assert missing < 1e-6 or missing >= RULES.threshold - 1e-6
    assert tried > 12


def sum_of(parts):
    """The regions' tables, and the province's that they make."""
    whole = pd.concat([frame for frame in parts])
    weighted = whole.assign(**{name: whole[name] * whole["n_start"] for name in ("estimate", "rate", "lower", "upper")})
    total = weighted.groupby("horizon", as_index=False)[["estimate", "rate", "lower", "upper", "n_start", "n_at_risk"]]
    total = total.sum()
    for name in ("estimate", "rate", "lower", "upper"):
        total[name] /= total["n_start"]
    return pd.concat([whole, total.assign(
        group="province", measure="restricted_months", cause=None, known="observed", method="main", note="a",
    )], ignore_index=True)  # fmt: skip


def test_the_province_less_the_displayed_regions_tells_no_hidden_one(monkeypatch):
    table = sum_of([there([1.0] * 60, 400, (12,)), there([1.0] * 5, 45, (12,), group="09")])
    assert protect(table).frame["reason"].tolist() == [None, "few_exits", "difference"]
    monkeypatch.setattr(rates, "hide_differences", lambda *a: None)
    free = shown(table).set_index("group")["estimate"]
    assert list(free.index) == ["05", "province"]
    missing = {group: (1 - free[group] / 12) * n for group, n in (("05", 400), ("province", 445))}
    # of the five who left, 4.6 persons are missing: they are found to within five
    assert abs(missing["province"] - missing["05"] - 5 * 11 / 12) < 5


@pytest.mark.parametrize(("left", "n"), [([1.0] * 60, 400), ([11.0] * 350, 700)])
def test_a_group_of_regions_is_held_to_its_regions(left, n):
    # of 700, half left so late that 29 persons are missing: the rate may be told of all, the months may not
    parts = [there(left, n, (12,)), there([1.0] * 5, 45, (12,), group="09")]
    group = sum_of(parts).query("group == 'province'").assign(group="Est")
    told = protect(pd.concat([*parts, group]), groups={"Est": ["05", "09"]}).frame.set_index("group")["reason"]
    assert told["Est"] == "difference"
    assert protect(pd.concat([*parts, group])).frame.set_index("group")["shown"]["Est"]


# ── moves ────────────────────────────────────────────────────────────────────────────────────────────────────


def moves(counts, n=200, *, group="05", more=0, n_moves=50, horizons=(6, 12, 24)):
    """So many moves by each horizon, by the method that misses some; `more` by the other."""
    rows = []
    for method, by in zip(METHODS, (0, more), strict=True):
        rows += [(group, method, horizon, (count + by) / n) for horizon, count in zip(horizons, counts, strict=False)]
    table = pd.DataFrame(rows, columns=["group", "method", "horizon", "estimate"])
    return table.assign(
        measure="moves_per_person", kind="all", lower=0.0, upper=1.0, n_start=n, n_at_risk=n // 2, n_moves=n_moves,
        known="observed", note="a",
    )  # fmt: skip


def test_moves_are_told_by_ends_of_classes_over_the_rounded_number():
    told = shown(moves([26], 202, more=12))
    assert told[["at_least", "at_most"]].to_numpy().tolist() == [[0.10, 0.20]]  # 20 and 40 of 200
    kinds = pd.concat([moves([26]), moves([26]).assign(kind="within")])
    assert len(protect(kinds).frame) == 1


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (moves([26], 29), "denominator"), (moves([26], n_moves=9), "few_moves"), (moves([26], 90), "resolution"),
        (moves([26]).assign(n_at_risk=19), "at_risk"),
        (moves([26]).assign(known=["observed", "insufficient"]), "insufficient"),
    ],
)  # fmt: skip
def test_moves_need_ground_by_both_methods(table, reason):
    frame = protect(table).frame
    assert frame["reason"].tolist() == [reason] and frame[["at_least", "at_most"]].isna().all(None)


def test_a_move_more_or_nine_are_told_alike_or_as_the_passage_of_a_class():
    for base in range(20, 31, 5):
        steps = {
            by: tuple(np.diff(protect(moves([base, base + by], 200)).frame["at_least"] * 200).round())
            for by in range(10)
        }  # fmt: skip
        assert set(steps.values()) <= {(0.0,), (10.0,)}


def province_of(*counts, small):
    parts = [moves([count], group=group) for count, group in zip(counts, ("05", "03", "02"), strict=False)]
    hidden = moves([small], 20, group="09", n_moves=small)
    whole = moves([sum(counts) + small], 200 * len(counts) + 20, group="province", n_moves=90)
    return pd.concat([*parts, hidden, whole], ignore_index=True)


def ends_of(count):
    high = -(-count // 10) * 10
    return high - 9, high


def test_the_province_less_the_regions_leaves_a_small_region_open():
    refused = told = 0
    for counts in ((11, 11), (20, 14), (31, 47, 28), (19,), (30, 30)):
        for small in (1, 4, 5, 9):
            frame = protect(province_of(*counts, small=small)).frame.set_index("group")
            assert frame.loc["09", "reason"] == "denominator"
            low, high = ends_of(sum(counts) + small)
            below = low - sum(ends_of(count)[1] for count in counts)
            above = high - sum(ends_of(count)[0] for count in counts)
            if frame.loc["province", "shown"]:
                told += 1
                assert below <= 1 and above >= 9
            else:
                refused += 1
                assert frame.loc["province", "reason"] == "difference"
                # planted: told, nine moves would be excluded, or one
                assert above < 9 or below > 1
    print(f"{told} provinces told, {refused} hidden")
    assert told and refused


# ── occupation ───────────────────────────────────────────────────────────────────────────────────────────────


def occupied(rate, back, rest, n=300, *, month=12, group="province", **columns):
    """Never left, came back, and those in each other state, as persons."""
    counts = dict(zip(STATES, (rate * n + back, *rest), strict=True))
    return pd.DataFrame({
        "measure": "occupation", "group": group, "state": list(counts), "horizon": month, "rate": rate,
        "estimate": np.array(list(counts.values())) / n, "lower": 0.0, "upper": 1.0, "n_start": n, "n_at_risk": 100,
        "known": "observed", "method": "main", **columns,
    })  # fmt: skip


def test_one_who_came_back_and_ten_are_told_alike():
    told = [protect(occupied(0.7833, back, (40.01 - back + 5, 15, 10))).frame for back in range(1, 6)]
    assert len(told[0]) == 4 and told[0]["share_rounded"].sum() == pytest.approx(1, abs=0.021)
    for frame in told[1:]:
        pd.testing.assert_frame_equal(frame, told[0])


def test_here_as_one_class_would_tell_how_few_came_back(monkeypatch):
    # 238.6 never left: the rate is told as 80 %, so at least 236.9 of 298; one came back
    table = occupied(238.6 / 300, 1.4, (35, 11, 14))
    assert len(protect(table).frame) == 4
    monkeypatch.setattr(
        occupation, "_in_two", lambda raw: raw.assign(
            month=raw["month"], share=raw["estimate"], n=raw["n_start"])[["month", "known", "state", "share", "n"]]
    )  # fmt: skip
    shares = protect(table).frame.set_index("state")["share_rounded"]
    # of classes of ten, only 231–240, 31–40, 11–20 and 11–20 have these shares
    assert shares.to_dict() == {"this_region": 0.78, "metropole": 0.12, "other_region": 0.05, "outside_quebec": 0.05}
    most_who_came_back = 240 - 0.795 * 298
    assert most_who_came_back < RULES.threshold - 1


def test_what_the_rate_tells_of_those_who_never_left_counts_for_the_room(monkeypatch):
    # 58 to 62 persons: by the rate 43 to 47 never left, 11 to 20 are in the metropole, so 8 at most came back
    table = occupied(0.75, 1, (14, 0, 0), n=60)
    assert protect(table).frame.empty
    # by its class alone, 41 of those who never left would leave room for nine
    monkeypatch.setattr(occupation, "_bounds_of_displayed_rate", lambda counted, rules: None)
    assert len(protect(table).frame) == 4


def test_states_are_of_the_whole_and_of_months_whose_rate_may_be_told():
    table = pd.concat([
        occupied(1.0, 0, (0, 0, 0), month=0), occupied(0.995, 0, (5, 0, 0), n=1000, month=1),
        occupied(0.8, 2, (30, 15, 13), month=12), occupied(0.8, 2, (30, 15, 13), month=13, n_at_risk=19),
        occupied(0.8, 2, (30, 15, 13), month=14, known="insufficient"), occupied(0.8, 2, (30, 15, 13), group="05"),
        occupied(0.8, 2, (30, 15, 13), method="panel"),
    ])  # fmt: skip
    told = protect(table).frame
    assert told["month"].unique().tolist() == [0, 12]  # at month 1, five had left: the rate is a range
    assert set(told["group"]) == {"province"}
    assert protect(occupied(0.8, 2, (2, 1, 1), n=25)).frame.empty


def test_states_of_another_curve_are_refused():
    with pytest.raises(DisclosureError, match="not those of this curve"):
        protect(occupied(0.8, -3, (35, 18, 10)))


# ── settled for good ─────────────────────────────────────────────────────────────────────────────────────────


def settled(share=0.583, lower=0.489, upper=0.672, n=200, note="", group="05"):
    observed = note == ""
    return pd.DataFrame({
        "measure": "settled_share", "group": [group], "horizon": 24, "estimate": share if observed else np.nan,
        "lower": lower, "upper": upper, "n_start": n, "n_at_risk": 90, "n_confirmed": 60, "method": "weibull",
        "left_by": 20.0, "known": "observed" if observed else "insufficient", "note": NOTES[note],
    })  # fmt: skip


def test_the_share_is_told_in_steps_of_five_points_with_limits_outwards():
    row = protect(settled()).frame.iloc[0]
    assert (row["estimate"], row["lower"], row["upper"]) == (0.6, 0.45, 0.7)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (settled(n=29), "denominator"), (settled(note="shape", n=29), "denominator"), (settled(0.96), "few_exits"),
        (settled(note="no_plateau"), "no_plateau"), (settled(note="short_follow_up"), "short_follow_up"),
        (settled(note="shape"), "shape"),
        # a draw without a departure is of few, or nobody: not told apart
        (settled(note="no_exit"), "no_plateau"),
    ],
)  # fmt: skip
def test_where_there_is_no_share_its_reason_is_told_to_those_who_are_enough(table, reason):
    frame = protect(table).frame
    assert frame["reason"].tolist() == [reason]
    assert frame[["estimate", "lower", "upper"]].isna().all(None)


def test_months_is_the_same_rule_for_every_table(monkeypatch):
    """The door calls the rule: with the rule gone, a table does not pass by another."""
    monkeypatch.setattr(months, "RATE", "nowhere")
    with pytest.raises(DisclosureError, match="as a column nowhere"):
        protect(there([1.0] * 30, 200, (12,)))
