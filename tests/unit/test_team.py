"""Work in parts is the work of one: what a team is given, and what comes back, whoever it is."""

import errno
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pandas as pd
import pytest

from identities import records
from trajectories import people, tables
from trajectories.cohort import GIVEN
from trajectories.deposits import load_crosswalks, read_deposits
from trajectories.deposits.files import FileReader
from trajectories.deposits.read_apart import read_by
from trajectories.exceptions import TableError, TrajectoriesError
from trajectories.people import People
from trajectories.persons import SAMPLE_KEY, link, linking, resolve, shared_out
from trajectories.simulate import Settings, simulate
from trajectories.storage import Storage
from trajectories.study import Study
from trajectories.team import Team, finished, parts_of

pytest.importorskip("fsspec")


@pytest.fixture
def team(tmp_path):
    storage = Storage.at(tmp_path / "storage").make()
    with ThreadPoolExecutor(2) as pool:
        yield Team(lambda: (pool, storage))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """Heavily damaged deposits: the folder, and what is read from it."""
    folder = tmp_path_factory.mktemp("dirty")
    simulate(folder, Settings(households=60, organisations=6, defects="heavy", seed=5))
    return folder / "raw", read_deposits(folder / "raw")


def same(found, expected):
    """Whether all tables are the same, down to their types."""
    for name, frame in vars(expected).items():
        if isinstance(frame, pd.DataFrame):
            table = tables.TABLES[name]
            mine, theirs = (tables.conform(one, table) for one in (getattr(found, name), frame))
            pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


# ── rooms ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_deposits_read_apart(dirty, team):
    raw, here = dirty
    same(read_deposits(raw, team=team), here)


def test_a_deposit_that_cannot_be_opened_is_told_as_here(tmp_path, team):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").mkdir()
    (tmp_path / "raw" / "b.csv").write_text("no_dossier;date_service;municipalite_residence\n7;2021-11-02;Rimouski\n")
    found = [(name, tmp_path / "raw" / name) for name in ("a.csv", "b.csv")]
    first, second = read_by(team, found, FileReader(load_crosswalks(tmp_path / "none"), 1000))
    assert "not a file" in first.note.message and second.note.message is None


@pytest.fixture(scope="module")
def persons(dirty):
    return resolve(link(dirty[1].records), 0.95, SAMPLE_KEY).persons


@pytest.mark.parametrize(("scope", "parts"), [("region", 7), ("any_region", 2)])
def test_spells_and_stays_made_apart(dirty, persons, team, scope, parts, monkeypatch):
    monkeypatch.setattr(people, "parts_of", lambda rows: parts)
    records, study = dirty[1].records, Study(scope=scope)
    here, there = (People(records, persons, of).stays(study) for of in (None, team))
    for expected, found in zip(here, there, strict=True):
        same(found, expected)
    assert here[0].cutoff == there[0].cutoff and len(here[1].cohort) > 100
    # an analysis has read no more of the records than this
    again = People(records[list(GIVEN)], persons, team).stays(study)
    for expected, found in zip(here, again, strict=True):
        same(found, expected)


def test_a_part_that_nobody_is_in_is_no_task(dirty, persons, team, monkeypatch):
    monkeypatch.setattr(people, "parts_of", lambda rows: 500)
    found = People(dirty[1].records, persons, team)._parts
    assert 0 < len(found) <= persons["household_id"].nunique()


def test_no_name_is_given_to_whom_reconstructs(dirty, persons, team):
    _, deposits = dirty
    written = [name for part in People(deposits.records, persons, team)._parts for name in part]
    given = set(team.storage.load(written).column_names)
    assert "birth_date_earliest" in given  # of which age is made
    assert not given & {"given_name", "family_name", "file_number", "household_number", "postal_code"}


def test_pairs_made_and_weighed_apart(dirty, team, monkeypatch):
    """Over more ranges and bins than two, and with one budget for all."""
    _, deposits = dirty
    monkeypatch.setattr(shared_out, "OF_A_RANGE", 100)
    whole = link(deposits.records)
    budget = int(0.7 * whole.blocks.counts["pairs"].sum())
    monkeypatch.setattr(linking, "pair_budget", lambda _: budget)
    here, there = link(deposits.records), link(deposits.records, team=team)
    pd.testing.assert_frame_equal(there.pairs, here.pairs, check_exact=True)
    pd.testing.assert_frame_equal(there.blocks.counts, here.blocks.counts, check_dtype=False)
    assert there.blocks.largest == here.blocks.largest
    assert len(here.identities.table) > 200 and here.blocks.largest < whole.blocks.largest


def test_identities_that_share_nothing(team):
    rows = records({"org": "A", "file": "1", "given": "Zoé", "family": "Roy"}, {"org": "B", "file": "2"})
    here, there = link(rows), link(rows, team=team)
    pd.testing.assert_frame_equal(there.pairs, here.pairs, check_exact=True)
    assert len(here.pairs) == 0


# ── what passes between processes ─────────────────────────────────────────────────────────────────────────
def test_settings_travel():
    study = Study(groups=MappingProxyType({"Est": ("01", "11")}), targets=MappingProxyType({("05", "2021-2022"): 12}))
    assert pickle.loads(pickle.dumps(study)) == study


def test_a_storage_holds_whole_files_only_and_is_closed_to_others(tmp_path):
    storage = Storage.at(tmp_path / "storage").make().below("run").make()
    storage.put("a", b"one")
    storage.put("a", b"two")
    place = tmp_path / "storage" / "run"
    assert storage.get("a") == b"two" and [path.name for path in place.iterdir()] == ["a"]
    assert place.stat().st_mode & 0o077 == 0
    storage.remove()
    storage.remove()
    assert not place.exists()


def test_parts_of_a_table_are_joined_whatever_is_missing_in_them(tmp_path):
    storage = Storage.at(tmp_path / "storage").make()
    days = pd.to_datetime(["2021-01-01"] * 2)
    one = pd.DataFrame({"a": [None, None], "b": pd.array([1, None], dtype="Int64"), "c": days})
    two = pd.DataFrame({"a": ["x"], "b": pd.array([2], dtype="Int64"), "c": pd.to_datetime([None])})
    names = [storage.save("one", one), storage.save("two", two)]
    pd.testing.assert_frame_equal(storage.load(names).to_pandas(), pd.concat([one, two], ignore_index=True))


def fault(error):
    raise error


@pytest.mark.parametrize(("error", "kind", "said"), [
    (TableError("table spells: column zone."), TrajectoriesError, "table spells: column zone."),
    (OSError(errno.ENOSPC, "No space left", "x"), TrajectoriesError, "A worker could not go on: x: No space left"),
    (ValueError("told here only"), RuntimeError, "told here only"),
])  # fmt: skip
def test_what_went_wrong_in_a_task_is_raised_here_and_not_there(team, error, kind, said):
    assert team.begin(fault, error).result()[0] is False
    with pytest.raises(kind, match=said):
        finished(team.begin(fault, error))
    with pytest.raises(kind, match=said):
        list(team.each(fault, [error]))


def test_parts_grow_with_the_rows_and_are_never_fewer_than_a_few():
    assert [parts_of(rows) for rows in (0, 10, 10_000_000)] == [6, 6, 50]


def test_nobody_is_met_before_there_is_work():
    met = []
    team = Team(lambda: met.append("met") or (None, Storage("memory://x")))
    assert not met
    assert team.storage is team.storage and met == ["met"]
