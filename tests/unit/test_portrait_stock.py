"""The stock between its bounds, and households beside targets."""

import numpy as np
import pandas as pd
import pytest

import portrait_tables
from trajectories import protect
from trajectories.analysis.portrait import counts_by_key, fiscal_years, portrait, stock, stock_counts, targets
from trajectories.disclosure import protected_counts
from trajectories.disclosure.displayed import beside_targets
from trajectories.study import Study
from trajectories.tables import SPELLS, conform

CUTOFF = pd.Timestamp("2021-12-31")


def spell(person, region, start, end, *, outcome="moved", household=None, zone="region", municipality="x"):
    """start and end: one day, or two (earliest, latest)."""
    first, last = ((day, day) if isinstance(day, str) else day for day in (start, end))
    return {
        "person_id": person, "household_id": household or person, "region": region, "zone": zone,
        "municipality": municipality, "start_earliest": first[0], "start_latest": first[1], "end_earliest": last[0],
        "end_latest": last[1], "outcome": outcome,
    }  # fmt: skip


def of(*spells):
    frame = pd.DataFrame(list(spells))
    return conform(frame.assign(spell=frame.groupby("person_id").cumcount() + 1, n_observations=1), SPELLS)


def bounds(spells, group, **more):
    more = {"study": Study(), **more}
    found = stock(spells, cutoff=CUTOFF, groups=[group], start=pd.Timestamp("2021-01-01"), **more)
    return found["persons_lower"].tolist(), found["persons_upper"].tolist()


def test_the_lower_bound_is_from_the_latest_start_to_the_earliest_end():
    known = spell("a", "05", ("2021-02-10", "2021-04-10"), ("2021-08-20", "2021-10-20"))
    lower, upper = bounds(of(known), "05")
    assert lower == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert upper == [0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]


def test_an_open_stay_is_certain_to_its_last_confirmation_and_possible_to_the_cut_off():
    known = spell("a", "05", "2021-02-10", ("2021-05-31", None), outcome="lost")
    assert bounds(of(known), "05") == ([0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0] + [1] * 11)


def test_on_the_day_of_a_move_a_person_lives_where_they_went():
    spells = of(
        spell("a", "05", "2021-01-31", "2021-03-31"),
        spell("a", "01", "2021-03-31", ("2021-12-31", None), outcome="present"),
    )
    assert bounds(spells, "05") == ([1, 1] + [0] * 10,) * 2
    assert bounds(spells, "01") == ([0, 0] + [1] * 10,) * 2
    assert bounds(spells, "province") == ([1] * 12,) * 2


def test_moving_inside_a_group_is_no_absence_even_where_the_day_is_not_known():
    uncertain = ("2021-03-05", "2021-06-20")
    spells = of(
        spell("a", "05", "2021-01-10", uncertain),
        spell("a", "01", uncertain, ("2021-12-31", None), outcome="present"),
    )
    always = ([1] * 12,) * 2
    assert bounds(spells, "province") == always
    assert bounds(spells, "Est", study=Study(groups={"Est": ("01", "05")})) == always
    lower, upper = bounds(spells, "05")
    assert lower == [1, 1] + [0] * 10
    assert upper == [1] * 5 + [0] * 7


def test_leaving_and_coming_back_leaves_a_gap_and_one_person_is_one():
    spells = of(
        spell("a", "05", "2021-01-10", "2021-03-10", outcome="left"),
        spell("a", "05", "2021-06-10", ("2021-12-31", None), outcome="present"),
    )
    assert bounds(spells, "05") == ([1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1],) * 2
    # two presences that may overlap: still one person
    wide = of(
        spell("a", "05", "2021-01-10", ("2021-02-10", "2021-08-10")),
        spell("a", "06", ("2021-02-10", "2021-08-10"), ("2021-03-10", "2021-10-10"), zone="metropole"),
        spell("a", "05", ("2021-03-10", "2021-10-10"), ("2021-12-31", None), outcome="present"),
    )
    assert max(bounds(wide, "05")[1]) == 1


def test_a_household_is_there_as_long_as_one_of_its_members():
    spells = of(
        spell("a", "05", "2021-01-10", "2021-03-10", household="H", outcome="left"),
        spell("b", "05", "2021-01-10", "2021-05-10", household="H", outcome="left"),
    )
    found = stock(spells, cutoff=CUTOFF, groups=["05"], study=Study())
    assert found["persons_upper"].tolist() == [2, 2, 1, 1] + [0] * 8
    assert found["households_lower"].tolist() == found["households_upper"].tolist() == [1] * 4 + [0] * 8


def test_bounds_agree_with_a_plain_count_day_by_day():
    rng = np.random.default_rng(3)
    rows = []
    for n in range(120):
        cuts = np.sort(rng.choice(360, 6, replace=False))
        days = [pd.Timestamp("2021-01-01") + pd.Timedelta(days=int(c)) for c in cuts]
        rows.append(spell(f"p{n}", "05", (days[0], days[1]), (days[2], days[3]), household=f"h{n // 3}"))
        rows.append(spell(f"p{n}", "06", (days[2], days[3]), (days[4], days[5]), zone="metropole"))
        rows.append(spell(f"p{n}", "05", (days[4], days[5]), (days[5], None), household=f"h{n // 3}", outcome="lost"))
    spells = of(*rows)
    found = stock(spells, cutoff=CUTOFF, groups=["05"], study=Study()).set_index("month")
    here = spells[spells["region"].eq("05")]
    for day, row in found.iterrows():
        open_ = here["end_latest"].isna()
        sure = (here["start_latest"] <= day) & ((day < here["end_earliest"]) | (open_ & (day <= here["end_earliest"])))
        may = (here["start_earliest"] <= day) & (open_ | (day < here["end_latest"]))
        expected = [
            here.loc[chosen, unit].nunique() for unit in ("person_id", "household_id") for chosen in (sure, may)
        ]
        columns = ["persons_lower", "persons_upper", "households_lower", "households_upper"]
        assert row[columns].tolist() == expected
    assert (found["persons_lower"] < found["persons_upper"]).any()


def test_no_spell_en_region_is_no_month():
    spells = of(spell("a", "06", "2021-01-10", "2021-03-10", zone="metropole"))
    assert stock(spells, cutoff=CUTOFF, groups=["05", "province"], study=Study()).empty
    assert stock(spells.iloc[:0], cutoff=CUTOFF, study=Study()).empty


def test_once_a_year_the_stock_can_be_protected_and_small_ones_are_hidden():
    made = portrait_tables.make(400, seed=5)
    monthly = stock(made.spells, cutoff=portrait_tables.CUTOFF, study=Study())
    assert (monthly["persons_lower"] <= monthly["persons_upper"]).all()
    counts = stock_counts(monthly)
    assert {table[-5:] for table in counts["table"]} == {"03-31"}
    told = protect(counts).frame.merge(counts, on=["group", "table", "key"])
    assert told["shown"].any()
    assert (told.loc[told["shown"], "persons"].isin([0]) | told.loc[told["shown"], "persons"].ge(10)).all()
    assert not told.loc[told["group"].eq("09") & told["persons"].gt(0), "shown"].any()


# ── targets ───────────────────────────────────────────────────────────────────────────────────────────────
AIMED = {("05", "2021-2022"): 40, ("01", "2021-2022"): 8, ("11", "2021-2022"): 3, ("01", "2022-2023"): 9}
STUDY = Study(targets=AIMED, groups={"Est": ("01", "11")})


def settled(*rows):
    frame = pd.DataFrame(rows, columns=["person_id", "household_id", "region", "first", "last"])
    first, last = pd.to_datetime(frame["first"]), pd.to_datetime(frame["last"])
    return frame.assign(establishment_earliest=first, establishment_latest=last, episode=1, pathway="secondary")


def test_households_stand_beside_the_target_of_their_region_and_year():
    cohort = settled(
        ("a", "H", "01", "2021-05-01", "2021-05-01"),
        ("b", "H", "01", "2021-06-01", "2021-06-01"),  # the same household
        ("c", "I", "01", "2022-03-20", "2022-04-02"),  # perhaps of the year before
        ("d", "J", "11", "2021-05-01", "2021-05-01"),
    )
    found = targets(cohort, study=STUDY).set_index(["group", "fiscal_year"])
    assert found.loc[("01", "2021-2022")].tolist() == [1, 1, 2, 8]
    assert found.loc[("01", "2022-2023")].tolist() == [1, 0, 1, 9]
    # a target with nobody is told too
    assert found.loc[("05", "2021-2022"), ["households", "target"]].tolist() == [0, 40]


def test_the_target_of_several_regions_is_known_where_each_has_one():
    found = targets(settled(("a", "H", "01", "2021-05-01", "2021-05-01")), study=STUDY)
    assert found.loc[found["group"].eq("Est"), ["fiscal_year", "target"]].to_numpy().tolist() == [["2021-2022", 11]]
    assert found.loc[found["group"].eq("province"), "target"].isna().all()
    everywhere = Study(targets={(f"{code:02d}", "2021-2022"): 2 for code in range(1, 18)})
    whole = targets(settled(("a", "H", "01", "2021-05-01", "2021-05-01")), study=everywhere)
    assert whole.loc[whole["group"].eq("province"), "target"].tolist() == [30]  # 06 and 13 are no region to settle in
    none = targets(settled(("a", "H", "01", "2021-05-01", "2021-05-01")), study=Study())
    assert none["target"].isna().all()


def test_targets_count_as_the_table_of_fiscal_years_does():
    made = portrait_tables.make(300, seed=6)
    counts = portrait(made.cohort, made.contacts, study=Study()).query("table == 'fiscal_year' and persons > 0")
    found = targets(made.cohort, study=Study()).query("households > 0")
    both = counts.merge(found, left_on=["group", "key"], right_on=["group", "fiscal_year"])
    assert len(both) == len(counts) == len(found)
    assert both["households_x"].equals(both["households_y"])
    years = fiscal_years(made.cohort["establishment_latest"])
    assert set(found["fiscal_year"]) == set(years)


def test_what_is_told_beside_a_target_is_protected():
    rows = [(f"p{n}", f"h{n}", "05", "2021-05-01", "2021-05-01") for n in range(33)]
    rows += [(f"q{n}", f"g{n}", "01", "2021-05-01", "2021-05-01") for n in range(4)]
    rows += [(f"r{n}", f"k{n}", "07", "2021-05-01", "2021-05-01") for n in range(24)]
    frame = settled(*rows)
    year = frame.assign(fiscal_year=fiscal_years(frame["establishment_latest"]))
    told = protected_counts(
        counts_by_key(year, {"fiscal_year": ()}, groups=["province", "01", "05", "07"], study=Study())
    )
    found = beside_targets(told, STUDY).set_index("group")
    assert found.loc["05"].tolist() == ["2021-2022", 35, 40, 90, True]
    assert found.loc["01", "target"] == 8
    assert found.loc["01", ["households_rounded", "reached_percent"]].isna().all()
    assert found.loc["07", ["target", "reached_percent"]].isna().all()


@pytest.mark.parametrize("measure", ["households_certain", "households"])
def test_counts_of_targets_are_whole_numbers(measure):
    found = targets(settled(("a", "H", "01", "2021-05-01", "2021-05-01")), study=STUDY)
    assert found[measure].dtype == np.dtype("int64")
