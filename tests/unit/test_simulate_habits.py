"""Each habit that a world can draw does what it says, its truth keeps step, and the documents have its line."""

import datetime as dt
import itertools
from pathlib import Path

import pandas as pd
import pytest

from scoring.rows import row_scores
from trajectories import read_deposits
from trajectories.simulate import HABITS, Settings, SettingsError, refuse_unknown_habits, simulate

PAGE = Path(__file__).parents[2] / "docs" / "habits.md"
SMALL = {"households": 40, "organisations": 7, "seed": 21, "defects": "none"}
# Few households and years, which are few workbooks: enough for a habit to show.
FEW = {"households": 16, "start": dt.date(2022, 4, 1)}


def table():
    """The table of docs/habits.md, from the code: habits that differ in their column alone share a line."""
    lines = [
        "| habit | an organisation with it | which | up to | a careful reader concludes |",
        "|---|---|---|---|---|",
    ]
    which = {"any": "any", "region": "en région", "metropole": "in the metropole", "quarterly": "a file a quarter"}
    for (does, where, concludes), alike in itertools.groupby(HABITS, lambda h: (h.does, h.where, h.concludes)):
        alike = list(alike)
        names, priors = ", ".join(f"`{h.name}`" for h in alike), ", ".join(f"{h.prior:g}" for h in alike)
        lines.append(f"| {names} | {does} | {which[where]} | {priors} | {concludes} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_the_documents_is_that_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert page[page.index("| habit |") :] == table()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return folder, simulate(folder, Settings(**SMALL | FEW))


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in (folder / "raw").rglob("*") if p.is_file()}


def alone(tmp_path, habits, **more):
    return simulate(tmp_path, Settings(**SMALL | more, habits=habits))


@pytest.mark.thorough
@pytest.mark.parametrize("habit", [h for h in HABITS if h.scope != "columns"], ids=lambda h: h.name)
def test_each_habit_changes_the_deposits_and_no_life(plain, tmp_path, habit):
    folder, before = plain
    truth = alone(tmp_path, habit.name, **FEW)
    assert files(tmp_path) != files(folder)
    for table in ("persons", "residences", "stays"):
        pd.testing.assert_frame_equal(getattr(truth, table), getattr(before, table))
    has = truth.organisations.set_index("organisation_id")["habits"].eq(habit.name)
    fitting = truth.organisations.set_index("organisation_id")["zone"].eq(habit.where)
    assert has.any()
    assert (has <= fitting).all() or habit.where in ("any", "quarterly")


@pytest.mark.thorough
def test_columns_that_are_never_filled(tmp_path):
    columns = ["sexe", "code_postal", "date_depart_montreal", "motif_depart", "besoins"]
    alone(tmp_path, ",".join(f"no_{c}" for c in columns))
    there = 0
    for path in (tmp_path / "raw").rglob("???[0-9]*.csv"):
        table = pd.read_csv(path, dtype=str)
        assert table[table.columns.intersection(columns)].isna().all(axis=None)
        there += len(table.columns.intersection(columns))
    assert there > 0  # of some organisations the column is there, and blank


def test_the_truth_says_what_an_old_address_is(tmp_path):
    rows = alone(tmp_path, "residence_intake_metropole").rows
    regional = rows[rows["organisation_id"].str.startswith("OBR") & rows["status"].eq("present")]
    assert regional["stale"].mean() > 0.5
    assert (regional["stale"] == regional["residence_code"].ne(regional["true_code"])).all()
    assert regional.loc[regional["stale"], "residence_code"].isin(["66023", "65005", "58227"]).any()


def test_the_truth_says_how_dates_are_typed(tmp_path):
    rows = alone(tmp_path, "dates_to_the_quarter,status_without_date").rows
    typed = rows[rows["kind"].isin(["service", "establishment"]) & rows["event_date"].notna()]
    assert set(typed["date_form"]) == {"quarter"}
    # Of rows that are filed late the row's quarter would say another time.
    forms = rows.loc[rows["status"].ne(""), "follow_up_form"]
    assert set(forms) <= {"missing", "quarter"}
    assert forms.eq("missing").mean() > 0.9


@pytest.mark.thorough
def test_two_facts_on_one_row(tmp_path):
    rows = alone(tmp_path, "two_facts_two_dates").rows
    both = rows[rows["kind"].isin(["service", "establishment"]) & rows["status"].eq("present")]
    assert len(both) > 20
    assert both["event_date"].notna().all()
    assert both["follow_up_date"].notna().all()
    one = alone(tmp_path, "two_facts_one_date").rows
    served = one[one["kind"].eq("service") & one["status"].eq("present")]
    assert served["event_date"].isna().all()
    assert set(served["follow_up_form"]) == {"day"}


@pytest.mark.thorough
def test_what_is_left_of_who_somebody_is(tmp_path):
    truth = alone(tmp_path, "name_initial,birth_year,number_of_the_household")
    assert set(truth.identities["given_form"]) == {"initial"}
    assert set(truth.identities["birth_form"]) == {"year"}
    shared = truth.identities.groupby(["organisation_id", "file_number"])["true_person"].nunique()
    assert (shared > 1).any()
    numbered = alone(tmp_path, "number_each_year").identities
    files_of = numbered.groupby(["organisation_id", "true_person"])["file_number"].nunique()
    assert files_of.max() >= 3


@pytest.mark.thorough
def test_a_neighbour_goes_on_with_new_numbers(tmp_path):
    truth = alone(tmp_path, "merges")
    closed = truth.organisations.dropna(subset=["closed"]).set_index("organisation_id")["closed"]
    rows = truth.rows[truth.rows["organisation_id"].isin(closed.index)]
    assert len(closed) > 1
    assert (rows["noted_date"] <= rows["organisation_id"].map(closed)).all()
    changed = alone(tmp_path, "code_changes")
    assert changed.organisations["organisation_id"].str.len().eq(6).sum() > 1
    assert changed.organisations["organisation_id"].is_unique


@pytest.mark.thorough
def test_a_drawn_world_is_the_same_for_a_seed_and_another_for_another(tmp_path):
    one, again, other = (tmp_path / name for name in ("one", "again", "other"))
    alone(one, "drawn")
    alone(again, "drawn")
    alone(other, "drawn", seed=22)
    assert files(one) == files(again)
    assert files(one) != files(other)


@pytest.mark.parametrize("defects", ["light", "heavy"])
def test_every_row_of_a_drawn_world_has_the_fate_that_its_truth_says(tmp_path, defects):
    truth = alone(tmp_path, "drawn", defects=defects, households=50, organisations=9)
    scores = row_scores(truth, read_deposits(tmp_path / "raw"))
    assert scores == {"accounting_exact": 1, "fates_right": 1, "rows_lost": 0}


def test_a_habit_that_nobody_knows(tmp_path):
    with pytest.raises(SettingsError, match="habits: residence is no habit: give none, drawn, or names"):
        refuse_unknown_habits(Settings(habits="residence"))
    with pytest.raises(SettingsError, match="habits: drawn is no habit"):
        simulate(tmp_path, Settings(habits="drawn,merges"))
