"""The simulator: the same bytes for a seed, each defect of each level, a truth that addresses the files."""

import csv
import datetime as dt
import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from trajectories.months import months_between
from trajectories.simulate import DEFECTS, Settings, SettingsError, Truth, simulate
from trajectories.simulate.geography import geography
from trajectories.simulate.organisations import COLUMNS
from trajectories.simulate.settings import LEVELS

SMALL = Settings(households=40, organisations=6, seed=7, start=dt.date(2021, 4, 1))


def digest(folder):
    """One hash of every file below a folder, names included."""
    sums = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        sums.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return sums.hexdigest()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("plain"), SMALL)


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Level → folder and truth, simulated when first asked for."""

    class Levels(dict):
        def __missing__(self, level):
            folder = tmp_path_factory.mktemp(level)
            households = {"none": 100, "light": 300, "heavy": 400}[level]  # the rarest defects want a few more
            settings = Settings(households=households, organisations=30, seed=5, defects=level)
            return self.setdefault(level, (folder, simulate(folder, settings)))

    return Levels()


def test_same_seed_same_bytes_in_another_process_with_another_hash_seed(tmp_path):
    simulate(tmp_path / "here", replace(SMALL, defects="heavy"))
    code = (
        "import sys, datetime as dt; from trajectories.simulate import *;"
        "small = Settings(households=40, organisations=6, seed=7, start=dt.date(2021, 4, 1), defects='heavy');"
        "simulate(sys.argv[1], small)"
    )
    env = os.environ | {"PYTHONHASHSEED": "4242"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=env)
    assert digest(tmp_path / "here") == digest(tmp_path / "there")


def test_another_seed_gives_others(plain, tmp_path):
    two = simulate(tmp_path, replace(SMALL, seed=8))
    assert not plain.persons.equals(two.persons)


@pytest.mark.parametrize(
    "change",
    [
        {"defects": "none"},
        {"contacts_succeed": True},
        {"contacts": False, "hearsay": False},
        {"stop_calling": 0.5, "closing": 0.5, "contact_failure_leavers": 0.9},
        {"late_registration": 0.5, "late_filing": 0.3, "metropole_reports": 0.0, "hard_to_reach": 0.5},
    ],
)
def test_reporting_does_not_touch_the_histories(plain, tmp_path, change):
    other = simulate(tmp_path, replace(SMALL, **change))
    for table in ("persons", "residences", "stays"):
        pd.testing.assert_frame_equal(getattr(plain, table), getattr(other, table))
    assert not plain.rows.equals(other.rows)


def test_hearsay_does_not_touch_the_contacts(plain, tmp_path):
    with_news, without = plain.rows, simulate(tmp_path, replace(SMALL, hearsay=False)).rows
    assert len(without) < len(with_news)
    columns = ["organisation_id", "true_person", "event_date", "status"]

    def contacts(rows):
        kept = rows[(rows["kind"] == "follow_up") & (rows["fate"] == "accepted")]
        return kept[columns].drop_duplicates().sort_values(columns, ignore_index=True)

    # Re-sent files and repeated rows fall elsewhere; the contacts themselves are the same.
    pd.testing.assert_frame_equal(contacts(with_news), contacts(without))


def test_a_larger_simulation_begins_with_the_smaller_one(plain, tmp_path):
    small, large = plain, simulate(tmp_path, replace(SMALL, households=50))
    pd.testing.assert_frame_equal(small.persons, large.persons.head(len(small.persons)))


def test_level_none_is_clean(levels):
    folder, truth = levels["none"]
    assert set(truth.rows["fate"]) == {"accepted"}
    assert set(truth.defects["scope"]) == {"habit"}
    assert set(truth.rows["residence_form"]) == {"exact"}
    path = next(p for p in sorted(folder.rglob("EER*.csv")))
    with path.open(encoding="utf-8", newline="") as handle:
        assert next(csv.reader(handle)) == list(COLUMNS)


@pytest.mark.parametrize("level", ["light", pytest.param("heavy", marks=pytest.mark.thorough)])
def test_each_defect_of_a_level_happens_and_no_other(levels, level):
    counts = levels[level][1].defects.set_index("name")["count"]
    for defect in DEFECTS:
        expected = LEVELS.index(defect.level) <= LEVELS.index(level)
        assert (counts.get(defect.name, 0) > 0) == expected, defect.name


def test_light_has_the_encodings_separators_headers_and_dates_of_the_issue(levels):
    names = set(levels["light"][1].defects["name"])
    assert {f"encoding={e}" for e in ("utf-8", "utf-8-sig", "cp1252", "mac_roman")} <= names
    assert {f"separator={s!r}" for s in (";", ",", "\t")} <= names
    assert {f"dates={d}" for d in ("iso", "dmy", "words", "excel", "serial")} <= names
    assert {"format=csv", "format=xlsx", "annual", "drops_zeros", "synonyms"} <= names
    assert sum(n.startswith("header=") for n in names) >= 4


@pytest.mark.thorough
def test_heavy_adds_the_rest(levels):
    names = set(levels["heavy"][1].defects["name"])
    assert {"encoding=mojibake", "encoding=utf-16", "encoding=nfd", "separator='|'"} <= names
    assert {"dates=mdy", "dates=dmy_short", "dates=serial_1904"} <= names


@pytest.mark.thorough
def test_fates_are_as_said(levels):
    rows = levels["heavy"][1].rows
    assert set(rows["fate"]) == {"accepted", "superseded", "duplicate", "quarantined"}
    assert (rows["superseded_by"] != "").equals(rows["fate"] == "superseded")
    assert set(rows.loc[rows["fate"] == "quarantined", "quarantine_reason"]) == {
        "total_row", "ragged", "no_identity", "no_date_no_place",
    }  # fmt: skip
    assert not rows.duplicated(["file", "sheet", "row"]).any()


@pytest.mark.thorough
def test_each_true_row_is_where_it_says(levels):
    """The file number of the true person stands on the line that the truth gives, in workbooks and in text."""
    folder, truth = levels["light"]
    ids = truth.identities.groupby(["organisation_id", "true_person"])["file_number"].agg(set)
    checked = 0
    for (file, sheet), group in truth.rows.groupby(["file", "sheet"]):
        path = folder / "raw" / file
        if path.suffix == ".xlsx":
            lines = CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        else:
            text = path.read_bytes().decode("utf-8", errors="ignore")
            lines = [line.replace(";", ",").replace("\t", ",").split(",") for line in text.splitlines()]
        for row in group.itertuples():
            cells = {str(c) for c in lines[row.row - 1]}
            if row.kind == "total":
                assert "Total" in cells
            else:
                assert cells & ids[row.organisation_id, row.true_person], (file, row.row)
            checked += 1
    assert checked == len(truth.rows)


def test_every_row_of_the_files_is_in_the_truth(levels):
    folder, truth = levels["none"]
    n = 0
    for path in (folder / "raw").rglob("*"):
        if path.suffix == ".csv" and path.name != "organismes.csv":
            with path.open(encoding="utf-8", newline="") as handle:
                n += sum(1 for _ in csv.reader(handle)) - 1
        elif path.suffix == ".xlsx":
            book = CalamineWorkbook.from_path(path)
            n += sum(max(len(book.get_sheet_by_name(s).to_python()) - 1, 0) for s in book.sheet_names)
    assert n == len(truth.rows)


def test_places_exist_and_stays_are_en_region(levels):
    place, stays = geography(), levels["none"][1].stays
    assert set(stays["municipality"]) <= set(place.name)
    assert all(place.zone[c] == "region" for c in stays["municipality"])
    assert not set(stays["region"]) & {"06", "13"}
    residences = levels["none"][1].residences
    assert set(residences.loc[residences["municipality"] != "", "municipality"]) <= set(place.name)
    assert (residences.loc[residences["municipality"] == "", "place"] != "").all()


def test_residences_of_a_person_follow_each_other(levels):
    lived = levels["none"][1].residences.sort_values(["true_person", "start"])
    assert (lived["end"].isna() | (lived["end"] >= lived["start"])).all()
    same = lived["true_person"].eq(lived["true_person"].shift())
    gap = (lived["start"] - lived["end"].shift())[same]
    assert (gap == pd.Timedelta(0)).all()


def test_stays_agree_with_residences(levels):
    truth = levels["none"][1]
    lived = truth.residences
    for stay in truth.stays.itertuples():
        mine = lived[(lived["true_person"] == stay.true_person) & (lived["start"] >= stay.establishment)]
        first = mine.iloc[0]
        assert (first["start"], first["municipality"]) == (stay.establishment, stay.municipality)
        if not pd.isna(stay.exit):
            assert (mine["end"] == stay.exit).any()
    dead = truth.stays["exit_cause"] == "death"
    ended = truth.stays["exit"].notna()
    assert (np.isfinite(truth.stays["months"]) == ended)[~dead].all()
    assert (ended == truth.stays["exit_cause"].isin(["metropole", "other_region", "outside_quebec"])).all()


@pytest.mark.thorough
def test_every_contact_succeeds_when_it_is_said_so(tmp_path):
    settings = Settings(households=150, organisations=20, seed=3, defects="none", contacts_succeed=True)
    rows = simulate(tmp_path, settings).rows
    status = rows.loc[rows["kind"] == "follow_up", "status"]
    assert set(status) == {"present", "left"}
    assert (status == "left").sum() > 20
    named = [(r.organisation_id, r.true_person, r.exit_date) for r in rows.itertuples() if r.status == "left"]
    named = [key for key in named if not pd.isna(key[2])]
    assert len(named) == len(set(named))  # a departure is found once


def test_channels_can_be_switched_off(tmp_path):
    silent = simulate(tmp_path, replace(SMALL, contacts=False, hearsay=False)).rows
    assert set(silent["kind"]) <= {"service", "establishment", "total"}


def test_truth_reads_back_as_written(levels):
    folder, truth = levels["light"]
    again = Truth.read(folder / "truth")
    pd.testing.assert_frame_equal(truth.rows, again.rows)
    pd.testing.assert_frame_equal(truth.stays, again.stays)
    assert (folder / "truth" / "effects.json").exists()


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "real.csv").write_text("x")
    with pytest.raises(FileExistsError, match="no simulation wrote"):
        simulate(tmp_path, SMALL)
    assert (tmp_path / "raw" / "real.csv").exists()


def test_a_simulation_replaces_an_earlier_one_but_not_what_was_added(tmp_path):
    simulate(tmp_path, replace(SMALL, households=5))
    simulate(tmp_path, replace(SMALL, households=4))
    assert Truth.read(tmp_path / "truth").persons["true_household"].nunique() == 4
    (tmp_path / "raw" / "added.csv").write_text("x")
    with pytest.raises(FileExistsError, match=r"added\.csv"):
        simulate(tmp_path, replace(SMALL, households=5))
    assert (tmp_path / "raw" / "added.csv").exists()


def test_settings_say_all_their_faults_at_once():
    with pytest.raises(SettingsError) as caught:
        Settings(households=0, defects="dirty", stop_calling=1.5, follow_up_months=(6, 3), end=dt.date(2018, 1, 15))
    message = str(caught.value)
    for name in ("households", "defects", "stop_calling", "follow_up_months", "end"):
        assert name in message
    assert all(line.endswith(".") for line in message.splitlines())
    with pytest.raises(SettingsError, match="needs contacts=True"):
        Settings(contacts=False, contacts_succeed=True)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2022-01-31", "2022-02-28", 1.0),
        ("2022-01-15", "2022-01-15", 0.0),
        ("2020-02-29", "2021-02-28", 12.0),
        ("2022-01-01", "2022-01-16", 15 / 31),
        ("2022-03-31", "2022-04-30", 1.0),
    ],
)
def test_months_are_calendar_months(start, end, months):
    got = months_between(np.array([start], "M8[D]"), np.array([end], "M8[D]"))
    assert got[0] == pytest.approx(months)
