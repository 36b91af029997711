"""Flows, kinds of migration and services: counts of moves and of what went before them."""

import numpy as np
import pandas as pd
import pytest

import portrait_tables
from trajectories.analysis.portrait import (
    AREAS,
    FLOW,
    MIGRATIONS,
    destination_area,
    flow_matrix,
    flows,
    migrations,
    portrait,
    services_before,
)
from trajectories.analysis.portrait.counting import areas_of
from trajectories.analysis.portrait.flows import SERVICE_TABLES
from trajectories.disclosure import protected_counts
from trajectories.study import REGION_CODES, Study


@pytest.fixture(scope="module")
def made():
    return portrait_tables.make(500, seed=2)


def test_areas_of_the_whole_territory_are_what_the_plan_names():
    from trajectories.places import municipalities

    whole = municipalities("RMR-2021")
    outside = whole[whole["zone"].eq("region")].reset_index(names="municipality")
    area = destination_area(outside)
    cities = outside.loc[area.str.startswith("city"), ["name", "region"]].sort_values("region")
    assert cities["name"].tolist() == ["Saguenay", "Québec", "Trois-Rivières", "Sherbrooke", "Gatineau"]
    assert set(outside.loc[area.eq("ring"), "region"]) == {"14", "15", "16"}
    assert not outside.loc[area.eq("elsewhere"), "region"].isin(["14", "15", "16"]).any()
    assert "unknown" not in set(area)
    for region, part in area.groupby(outside["region"]):
        assert set(part) <= areas_of([region]), region
    print(area.value_counts().to_dict())


def test_an_area_is_unknown_only_where_a_large_town_may_be_meant():
    stays = pd.DataFrame({"region": ["03", "14", "01", None], "municipality": None})
    assert destination_area(stays).tolist() == ["unknown", "ring", "elsewhere", "unknown"]


def test_each_person_counts_once_by_the_first_move_into_the_group(made):
    found = flows(made.moves, made.spells, groups=["province", *REGION_CODES], study=Study())
    secondary = made.moves[made.moves["kind"].eq("secondary")]
    assert found[found["group"].eq("province")]["persons"].sum() == secondary["person_id"].nunique()
    for region, part in secondary.groupby("destination_region"):
        first = part.drop_duplicates("person_id")
        mine = found[found["group"].eq(region)]
        assert mine["persons"].sum() == len(first)
        for origin, n in first["origin_region"].value_counts().items():
            assert mine.loc[mine["key"].str.startswith(f"{origin}>"), "persons"].sum() == n


def test_a_key_that_somebody_might_have_is_a_zero_and_one_that_nobody_can_have_is_absent(made):
    found = flows(made.moves, made.spells, study=Study(groups={"Sud": ("05", "16")}))
    keys = {group: set(part["key"].str.partition(">")[2]) for group, part in found.groupby("group")}
    assert keys["05"] == {"city_sherbrooke", "elsewhere", "unknown"}
    assert keys["16"] == {"ring"}
    assert keys["Sud"] == {"city_sherbrooke", "elsewhere", "unknown", "ring"}
    assert "province" not in keys
    assert found[found["group"].eq("11")]["persons"].eq(0).all()
    assert len(found[found["group"].eq("11")]) == 6


def test_the_matrix_has_the_counts_of_the_regions_and_leaves_out_whoever_nobody_is(made):
    found = flows(made.moves, made.spells, study=Study())
    matrix = flow_matrix(found)
    assert matrix.index.tolist() == ["06", "13", "16"]
    assert not {"11", "17"} & set(matrix.columns)
    assert matrix["03:city_quebec"].sum() == found.loc[
        found["group"].eq("03") & found["key"].str.endswith("city_quebec"), "persons"
    ].sum()  # fmt: skip
    assert matrix.to_numpy().sum() == found[found["group"].isin(REGION_CODES)]["persons"].sum()
    whole = flow_matrix(found, by="area", measure="households")
    assert whole.columns.tolist() == [area for area in AREAS if area in whole.columns]
    assert whole.to_numpy().sum() == found["households"].sum()
    with pytest.raises(ValueError, match="by='town'"):
        flow_matrix(found, by="town")
    with pytest.raises(ValueError, match="by='area'"):
        flow_matrix(found, by="area", table="origin")


def test_the_matrix_of_origins_is_of_every_pathway(made):
    raw = portrait(made.cohort, made.contacts, study=Study())
    matrix = flow_matrix(raw, table="origin", measure="households")
    counted = raw[raw["table"].eq("origin") & ~raw["group"].eq("province")]
    assert matrix.to_numpy().sum() == counted["households"].sum()
    assert matrix.index[-1] == "unknown"
    told = flow_matrix(protected_counts(raw).frame, table="origin", measure="persons_rounded")
    assert told["09"].isna().all()  # a small region shows nothing, zeros neither
    assert told["03"].notna().any()


def test_the_protected_matrix_hides_small_cells_and_shows_no_more_than_is_displayed(made):
    raw = flows(made.moves, made.spells, study=Study())
    shown = protected_counts(raw).frame
    cells = raw.merge(shown, on=["group", "table", "key"])
    told = cells[cells["shown"]]
    assert ((told["persons"] == 0) | ((told["persons"] >= 10) & (told["households"] >= 5))).all()
    matrix = flow_matrix(shown, measure="persons_rounded")
    print(f"{int(matrix.notna().sum().sum())} of {matrix.size} cells shown")
    assert matrix.isna().any(axis=None)
    assert "09" in matrix.columns
    assert matrix["09"].isna().all()  # hidden, zeros too: the region is small
    assert not [name for name in matrix.columns if "unknown" in name]
    assert matrix.stack().dropna().mod(5).eq(0).all()
    at = shown.set_index(["group", "key"])["persons_rounded"]
    for origin, row in matrix.iterrows():
        for place, number in row.items():
            region, _, town = place.partition(":")
            area = town or ("ring" if region in ("14", "15", "16") else "elsewhere")
            told_number = at[region, f"{origin}>{area}"]
            assert (pd.isna(number) and pd.isna(told_number)) or number == told_number, (origin, place)
    areas = flow_matrix(shown, by="area", measure="persons_rounded")
    assert areas["city_quebec"].equals(matrix["03:city_quebec"].reindex(areas.index).rename("city_quebec"))
    assert areas["elsewhere"].isna().all()  # some region hides its part


# ── kinds ─────────────────────────────────────────────────────────────────────────────────────────────────
def walk(*steps):
    """Stays and moves of one person through « zone region » steps."""
    rows = [step.split() for step in steps]
    spells = pd.DataFrame(rows, columns=["zone", "region"]).assign(
        person_id="a", household_id="H", spell=range(1, len(rows) + 1), municipality=None, end_earliest=pd.NaT,
        end_latest=pd.NaT,
    )  # fmt: skip
    spells["zone"] = spells["zone"].map({"M": "metropole", "R": "region", "Q": "outside_quebec"})
    moves = portrait_tables.moves_between(spells)
    before = spells.shift()
    stays = spells[spells["zone"].eq("region")].assign(
        episode=1, pathway=before["zone"].map({"metropole": "secondary", "region": "onward"}).fillna("primary")
    )
    return stays, moves


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["R 05"], {"province": "primary", "05": "primary"}),
        (["M 06", "R 05"], {"province": "secondary", "05": "secondary"}),
        (["M 06", "R 05", "Q -"], {"province": "secondary", "05": "secondary"}),
        (["M 06", "R 05", "R 01"], {"province": "onward", "05": "onward", "01": "onward"}),
        (["M 06", "R 05", "M 06"], {"province": "return", "05": "return"}),
        (["R 05", "M 06", "R 05"], {"province": "return", "05": "return"}),
        (["M 06", "R 05", "M 13", "R 05"], {"province": "circular", "05": "circular"}),
        (["M 06", "R 05", "M 06", "R 01"], {"province": "circular", "05": "circular", "01": "circular"}),
        # onward for the first region, and back to the metropole from the second
        (["M 06", "R 05", "R 01", "M 06"], {"province": "return", "05": "onward", "01": "return"}),
    ],
)
def test_the_kind_is_the_first_that_fits_the_course(steps, expected):
    found = migrations(*walk(*steps), groups=expected, study=Study())
    assert found[found["persons"].eq(1)].set_index("group")["key"].to_dict() == expected
    assert found["persons"].sum() == len(expected)


def test_kinds_part_everybody_who_settled_and_groups_have_them_too(made):
    study = Study(groups={"Ouest": ("07", "08")})
    found = migrations(made.cohort, made.moves, study=study)
    summed = found.groupby("group")["persons"].sum()
    assert summed["province"] == made.cohort["person_id"].nunique()
    assert summed["Ouest"] == made.cohort.loc[made.cohort["region"].isin(["07", "08"]), "person_id"].nunique()
    counted = found[found["group"].eq("province")].set_index("key")["persons"]
    assert counted.index.tolist() == list(MIGRATIONS)
    # circular, told otherwise: those with two secondary moves
    twice = made.moves[made.moves["kind"].eq("secondary")].groupby("person_id").size().gt(1)
    assert counted["circular"] == twice.sum() > 0
    back = made.moves.loc[made.moves["kind"].eq("return"), "person_id"].unique()
    assert counted["return"] == len(set(back) & set(made.cohort["person_id"]) - set(twice.index[twice]))


# ── services ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_service_counts_where_the_metropole_gave_it_before_the_establishment():
    stays = pd.DataFrame({
        "person_id": list("abcde"), "household_id": list("ABCDE"), "region": "05", "episode": 1,
        "pathway": ["secondary"] * 4 + ["primary"], "establishment_latest": pd.Timestamp("2022-06-01"),
    })  # fmt: skip
    records = pd.DataFrame(
        [
            ("1", "metropole", "information", "2022-05-01"),
            ("2", "metropole", "information", "2022-06-01"),  # the same day is not after it
            ("3", "metropole", "information", "2022-06-02"),
            ("4", "region", "information", "2022-05-01"),
            ("5", "metropole", "information", "2022-05-01"),
        ],
        columns=["record_id", "organisation_zone", "service", "day"],
    )
    records["service_date_latest"] = pd.to_datetime(records["day"])
    persons = pd.DataFrame({"record_id": list("12345"), "person_id": list("abcde")})
    found = services_before(stays, records, persons, groups=["05"], study=Study()).set_index(["table", "key"])[
        "persons"
    ]
    assert found["service_information"].to_dict() == {"yes": 2, "no": 2}
    assert found["service_any"].to_dict() == {"yes": 2, "no": 2}
    assert found["service_pairing"].to_dict() == {"yes": 0, "no": 4}


def test_yes_and_no_part_those_who_came_from_the_metropole(made):
    found = services_before(made.cohort, made.records, made.persons, study=Study())
    assert set(found["table"]) == set(SERVICE_TABLES)
    secondary = made.cohort[made.cohort["pathway"].eq("secondary")]
    expected = secondary.groupby("region")["person_id"].nunique()
    for group, n in [("province", secondary["person_id"].nunique()), *expected.items()]:
        assert found[found["group"].eq(group)].groupby("table")["persons"].sum().eq(n).all()
    any_yes = found[found["group"].eq("province") & found["table"].eq("service_any")].set_index("key")["persons"]["yes"]
    each = found[found["group"].eq("province") & found["key"].eq("yes") & ~found["table"].eq("service_any")]["persons"]
    assert each.max() <= any_yes <= each.sum()


def test_no_move_and_no_record_are_zeros_that_can_be_protected(made):
    found = pd.concat([
        flows(made.moves.iloc[:0], made.spells, study=Study()),
        migrations(made.cohort.iloc[:0], made.moves, study=Study()),
        services_before(made.cohort.iloc[:0], made.records.iloc[:0], made.persons, study=Study()),
    ])  # fmt: skip
    assert set(found["table"]) == {FLOW, "migration", *SERVICE_TABLES}
    assert protected_counts(found).frame["persons_rounded"].eq(0).all()
    assert flow_matrix(found).empty
    assert np.dtype("int64") == found["persons"].dtype


def test_no_small_cell_of_the_flows_can_be_found_from_the_others_and_the_number_of_people(made):
    """By linear programming: what is displayed, and the exact sum of each region, leave all of 1 … 9 open."""
    from scipy.optimize import linprog

    raw = flows(made.moves, made.spells, study=Study())
    cells = raw.merge(protected_counts(raw).frame, on=["group", "table", "key"])
    tried = 0
    for _, part in cells.groupby("group"):
        if part["persons"].sum() < 10 or part["households"].sum() < 5:
            continue
        least = 1.0 if part["shown"].any() else 0.0  # of a table that is hidden whole, zeros too
        low = np.where(part["shown"], np.maximum(part["persons_rounded"].fillna(0) - 2, 10), least)
        high = np.where(part["shown"], part["persons_rounded"].fillna(0) + 2, np.inf)
        nobody = (part["shown"] & part["persons"].eq(0)).to_numpy()
        limits = list(zip(np.where(nobody, 0, low), np.where(nobody, 0, high), strict=True))
        for at in np.flatnonzero(~part["shown"] & part["persons"].between(1, 9)):
            ends = []
            for sign in (1, -1):
                goal = np.zeros(len(part))
                goal[at] = sign
                found = linprog(goal, A_eq=np.ones((1, len(part))), b_eq=[part["persons"].sum()], bounds=limits)
                ends.append(np.inf if found.status == 3 else sign * found.fun)
            assert ends[0] <= 1 + 1e-6
            assert ends[1] >= 9 - 1e-6
            tried += 1
    print(tried, "small cells tried")
    assert tried >= 5
