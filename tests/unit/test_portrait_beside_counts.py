"""Delays and the stock beside the counts of the same people: what the two together would tell, and do not."""

import numpy as np
import pandas as pd
import pytest

import portrait_tables
from trajectories import protect
from trajectories.analysis.portrait import types_by_place, whole_portrait
from trajectories.analysis.portrait.demographics import DELAY_CLASSES
from trajectories.disclosure import protected_counts
from trajectories.disclosure.beside_counts import delays_beside_counts, stock_beside_counts, types_beside_counts
from trajectories.study import Study

THRESHOLD = 10


def counts_of(group="05", **tables):
    """Protected counts from table → {key: persons}, each person a household of two."""
    rows = [
        (group, table, key, persons, -(-persons // 2))
        for table, keys in tables.items()
        for key, persons in keys.items()
    ]
    return protected_counts(pd.DataFrame(rows, columns=["group", "table", "key", "persons", "households"]))


def stock_of(months, certain, possible, group="05"):
    days = pd.to_datetime(months)
    raw = {"group": group, "month": days, "persons_lower": certain, "persons_upper": possible}
    return protect(pd.DataFrame(raw).assign(households_lower=lambda t: t["persons_lower"] // 2))


def curve_of(settled, group="05"):
    """The curve of delays: persons who settled by month since the arrival."""
    n = np.zeros(61, dtype=int)
    for month, persons in settled.items():
        n[month] = persons
    raw = {"group": group, "month": range(61), "n_entry": 0, "n_censor": 0, "n_exit_settled": n}
    raw = pd.DataFrame(raw)
    raw.loc[0, "n_entry"] = n.sum()
    return protect(raw)


def ends(stock):
    return stock.frame[["at_least_rounded", "at_most_rounded"]].to_numpy().tolist()


YEARS = {"2020-2021": 37, "2021-2022": 4, "2022-2023": 12, "2023-2024": 60}
EXITS = {"metropole": 0, "other_region": 0, "outside_quebec": 0, "unknown_destination": 0, "none_known": 113}


def test_at_least_says_no_more_than_the_years_begun():
    counts = counts_of(fiscal_year=YEARS, exit=EXITS)
    hidden = counts.frame.set_index("key").loc[["2021-2022", "2022-2023"], "shown"]
    assert not hidden.any()
    stock = stock_of(["2021-03-31", "2022-03-31", "2024-03-31"], [37, 41, 113], [37, 41, 113])
    # 41 of 37 and 4: « at least 41 » and « 35 » (33 to 37) would leave 4 to 9 for the hidden year
    assert [line[0] for line in ends(stock)] == [30, 40, 110]
    assert [line[0] for line in ends(stock_beside_counts(stock, counts))] == [30, 30, 90]


def test_at_most_leaves_room_for_a_hidden_year_where_nobody_has_left():
    counts = counts_of(fiscal_year=YEARS, exit=EXITS)
    stock = stock_of(["2021-03-31", "2022-03-31", "2024-03-31"], [30, 30, 90], [37, 40, 113])
    told = ends(stock_beside_counts(stock, counts))
    # 37 and 9 are 46 at the most: nobody is known to have left
    assert [line[1] for line in ends(stock)] == [40, 40, 120]
    assert [line[1] for line in told] == [40, 50, 120]
    gone = counts_of(fiscal_year=YEARS, exit={**EXITS, "metropole": 30, "none_known": 83})
    assert [line[1] for line in ends(stock_beside_counts(stock, gone))][1] == 40


def test_at_most_leaves_all_its_rounding_to_those_without_a_known_departure():
    counts = counts_of(fiscal_year={"2020-2021": 48}, exit={**EXITS, "metropole": 10, "none_known": 38})
    stock = stock_of(["2021-03-31", "2021-04-30"], [10, 0], [40, 40])
    # 38 is told as 40, 38 to 42
    assert ends(stock_beside_counts(stock, counts))[-1] == [0, 50]


def test_no_stock_of_a_region_stands_in_for_a_hidden_number():
    counts = counts_of(fiscal_year={"2020-2021": 24}, exit={**EXITS, "metropole": 4, "none_known": 20})
    assert not counts.frame.set_index("key").loc["none_known", "shown"]
    stock = stock_of(["2021-03-31", "2021-04-30"], [20, 0], [24, 20])
    assert stock_beside_counts(stock, counts).frame.empty


def test_the_province_goes_up_to_what_its_regions_leave_open():
    regions = {"05": {**EXITS, "metropole": 100, "none_known": 300}, "09": {**EXITS, "metropole": 19, "none_known": 9}}
    rows = [(g, "exit", key, n, -(-n // 2)) for g, keys in regions.items() for key, n in keys.items()]
    rows += [("province", "exit", key, sum(keys[key] for keys in regions.values()), 0) for key in EXITS]
    raw = pd.DataFrame(rows, columns=["group", "table", "key", "persons", "households"])
    raw.loc[raw["group"].eq("province"), "households"] = -(-raw["persons"] // 2)
    stays = pd.DataFrame({"group": ["05", "09", "province"], "table": "stays", "key": "total",
                          "persons": [400, 28, 428], "households": [200, 14, 214]})  # fmt: skip
    counts = protected_counts(pd.concat([raw, stays], ignore_index=True))
    assert not counts.of("province").frame.set_index("key").loc["none_known", "shown"]
    stock = stock_of(["2021-03-31", "2021-04-30"], [200, 0], [309, 309], group="province")
    # 302 of the large region, and the small one whole (30, up to 32)
    assert ends(stock_beside_counts(stock, counts))[-1] == [0, 340]


def test_a_curve_of_delays_stops_where_it_would_tell_of_a_hidden_class():
    classes = dict(zip(DELAY_CLASSES, (37, 4, 40, 12, 0), strict=True))
    counts = counts_of(delay={**classes, "unknown": 0}, stays={"total": 93})
    told = counts.frame.set_index("key")["shown"]
    assert not told["3_to_11_months"] and not told["24_to_59_months"]
    curve = curve_of({2: 37, 9: 4, 14: 40, 30: 12})
    assert curve.frame["month"].max() > 9
    # from month 9 on, 41 to 50 had settled: of 33 to 37 and a hidden class
    assert delays_beside_counts(curve, counts).frame["month"].max() == 8


def test_a_curve_of_delays_says_no_more_than_the_rounding_of_displayed_classes():
    classes = dict(zip(DELAY_CLASSES, (37, 14, 40, 22, 0), strict=True))
    counts = counts_of(delay={**classes, "unknown": 30}, stays={"total": 143})
    fewer = curve_of({2: 33, 9: 12, 14: 36, 30: 19})
    pd.testing.assert_frame_equal(delays_beside_counts(fewer, counts).frame, fewer.frame)
    # 51 to 60 by month 9, and of « 35 » and « 15 » at least 46
    assert delays_beside_counts(curve_of({2: 37, 9: 14, 14: 40, 30: 22}), counts).frame["month"].max() == 8


def test_a_curve_of_delays_is_whole_where_a_hidden_class_is_what_the_others_leave():
    classes = dict(zip(DELAY_CLASSES, (60, 50, 40, 42, 4), strict=True))
    settled = {2: 54, 9: 44, 14: 36, 30: 38, 60: 4}
    counts = counts_of(delay={**classes, "unknown": 0}, stays={"total": 196})
    assert not counts.frame.set_index("key").loc["60_months_or_more", "shown"]
    curve = curve_of(settled)
    assert curve.frame["month"].max() > 24
    pd.testing.assert_frame_equal(delays_beside_counts(curve, counts).frame, curve.frame)
    # where nothing tells how many there are in all, the hidden class counts for nothing, and the curve says more
    alone = delays_beside_counts(curve_of({2: 58, 9: 50, 14: 40, 30: 42, 60: 4}), counts_of(delay=classes))
    assert alone.frame.empty


def test_without_a_table_of_classes_there_is_no_curve():
    counts = counts_of(stays={"total": 93})
    assert delays_beside_counts(curve_of({2: 37, 9: 4, 14: 40, 30: 12}), counts).frame.empty


@pytest.mark.thorough
@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.thorough), pytest.param(3, marks=pytest.mark.thorough)]
)
def test_what_is_told_is_never_narrower_than_before_and_still_true(seed):
    made = portrait_tables.make(250, seed=seed)
    drawn = whole_portrait(*made.tables(), cutoff=portrait_tables.CUTOFF)
    counts, stock = protected_counts(drawn.counts), protect(drawn.stock)
    told = stock_beside_counts(stock, counts).frame.merge(drawn.stock, on=["group", "month"])
    both = told.merge(stock.frame, on=["group", "month"], suffixes=("", "_before"))
    assert len(told)
    assert (both["at_least_rounded"] <= both["at_least_rounded_before"]).all()
    assert (both["at_most_rounded"] >= both["at_most_rounded_before"]).all()
    assert (told["at_least_rounded"] <= told["persons_lower"]).all()
    assert (told["at_most_rounded"] >= told["persons_upper"]).all()
    assert (both[["at_least_rounded", "at_most_rounded"]] % THRESHOLD == 0).all(axis=None)
    curve = protect(drawn.delay_curves)
    kept = delays_beside_counts(curve, counts).frame
    assert 0 < len(kept) <= len(curve.frame)
    print(f"{len(kept)} of {len(curve.frame)} months of curves, {len(told)} of {len(stock.frame)} of stocks are told")


# ── types of trajectory ───────────────────────────────────────────────────────────────────────────────────
def typed(persons):
    """Members of types: region → type → persons, two to a household."""
    rows = [
        {"person_id": f"{region}{name}{i}", "household_id": f"{region}{name}{i // 2}", "region": region, "name": name}
        for region, types in persons.items()
        for name, n in types.items()
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def test_types_are_counted_by_place_and_add_up():
    counted = types_by_place(typed({"05": {"stays": 40, "onward": 12}, "03": {"stays": 30}}), study=Study())
    told = counted.set_index(["group", "key"])[["persons", "households"]]
    assert told.loc[("05", "onward")].tolist() == [12, 6] and told.loc[("03", "onward")].tolist() == [0, 0]
    assert told.loc[("province", "stays")].tolist() == [70, 35]


def test_a_type_that_the_regions_hide_is_hidden_among_the_types_too():
    members = typed(
        {"05": {"stays": 60, "onward": 4, "circular": 30}, "03": {"stays": 80, "onward": 13, "circular": 30}}
    )
    counts = protected_counts(types_by_place(members, study=Study()))
    whole = pd.DataFrame({
        "type": [1, 2, 3], "name": ["stays", "circular", "onward"], "n_persons": [140, 60, 17],
        "n_households": [70, 30, 8], "share": [0.65, 0.27, 0.08], "silhouette": [0.9, 0.8, 0.7],
    })  # fmt: skip
    alone = protect(whole)
    assert alone.frame["shown"].all()
    hidden = counts.of("province").frame.set_index("key")["shown"]
    assert not hidden.all()  # else there is nothing to see
    beside = types_beside_counts(alone, counts).frame.set_index("name")
    assert beside["shown"].to_dict() == hidden.to_dict()
    assert beside["share_rounded"].isna().all() and beside.loc[~beside["shown"], "persons_rounded"].isna().all()
    assert (
        types_beside_counts(alone, protected_counts(types_by_place(members, study=Study()).assign(table="x"))) is alone
    )
