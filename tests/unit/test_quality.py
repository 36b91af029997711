"""What the deposits of each organisation lack: planted faults are found, with their numbers and their rows."""

import numpy as np
import pandas as pd
import pytest

from trajectories import tables
from trajectories.analysis.quality import (
    LISTED,
    MEDIAN_OF,
    READ,
    SUBJECTS,
    THRESHOLDS,
    inputs,
    levels,
    may_be_shown,
    organisation_quality,
    with_medians,
)
from trajectories.deposits import read_deposits
from trajectories.exceptions import StaleTableError
from trajectories.study import Study

HEADER = "no_dossier;prenom;nom;date_naissance;municipalite_residence;service;date_service"
GOOD = "{n};Ana;Silva;1990-01-0{n};Rimouski;recherche d'emploi;2021-05-0{n}"


def deposit(folder, name, *rows):
    (folder / name).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality") / "raw"
    folder.mkdir()
    good = [GOOD.format(n=n) for n in range(1, 6)]
    deposit(folder, "OBR01_2021-2022_T1_2021-07-10.csv", *good[:2])
    deposit(folder, "OBR01_2021-2022_T1_2021-07-20.csv", *good, good[4])  # replaces it, and has a row twice
    deposit(
        folder, "OBR01_2021-2022_T3_2022-05-01.csv",  # late, and T2 is missing
        "6;Ana;Silva;1990;Rimouski;recherche d'emploi;2021-11-02",
        "7;;Costa;1990-02-02;Montérégie;recherche d'emploi;2021-11-31",
        ";;;;Rimouski;recherche d'emploi;2021-11-03",
        "8;Eva;Costa;1991-02-02;chez Eva Costa;recherche d'emploi;2021-11-04",
        "9;Eva;Roy;1991-03-02;12 rue Principale;recherche d'emploi;2021-11-05",
        "Total;;;;;;",
    )  # fmt: skip
    deposit(folder, "OBR02_2021-2022_T1_2021-07-10.csv", *good)
    deposit(folder, "OBR02_2021-2022_T3_2022-01-10.csv", *good)
    deposit(folder, "OBR02_2021-2022_T2_2021-10-10.csv", *good)
    (folder / "OBR02_2021-2022_T4_2022-04-10.xlsx").write_bytes(b"PK\x03\x04 cut off")
    (folder / "perdu.xlsx").write_bytes(b"PK\x03\x04 cut off")
    return folder


@pytest.fixture(scope="module")
def read(raw):
    return read_deposits(raw, study=Study())


def all_of(read):
    names = ("records", "files", "quarantine", "issues", "superseded")
    return {name: getattr(read, name) for name in names}


@pytest.fixture(scope="module")
def found(read):
    return organisation_quality(inputs(all_of(read), pd.Timestamp("2022-03-31")), study=Study())


def of(found, measure, code="OBR01", key=None):
    rows = found.measures[found.measures["measure"].eq(measure) & found.measures["organisation_id"].eq(code)]
    rows = rows if key is None else rows[rows["key"].eq(key)]
    return rows[["n", "of"]].astype(int).values.tolist()


def rows_at(found, measure, key=None):
    rows = found.places[found.places["measure"].eq(measure) & found.places["organisation_id"].eq("OBR01")]
    rows = rows if key is None else rows[rows["key"].eq(key)]
    return rows[["file", "row"]].values.tolist()


LATE_FILE = "OBR01_2021-2022_T3_2022-05-01.csv"


def test_rows_add_up_as_the_table_of_files_says(found, read):
    parts = ["n_accepted", "n_quarantined", "n_superseded", "n_duplicate"]
    ours = found.organisations.set_index("organisation_id")
    assert (ours[parts].sum(axis=1) == ours["n_read"]).all()
    assert ours[[*parts, "n_read"]].sum().equals(read.files[[*parts, "n_read"]].sum())
    assert ours.loc["OBR01", [*parts, "n_read"]].tolist() == [9, 2, 2, 1, 14]
    assert ours.loc["OBR01", ["n_files", "n_dossiers"]].tolist() == [3, 9]
    assert ours.loc["OBR02", ["n_files", "n_unreadable"]].tolist() == [4, 1]


def test_missing_and_late_quarters_are_named(found):
    assert found.quarters[["organisation_id", "quarter", "state", "days"]].fillna(-1).values.tolist() == [
        ["OBR01", 2, "missing", -1], ["OBR01", 3, "late", 121],
    ]  # fmt: skip
    assert of(found, "quarter") == [[2, 3]] and of(found, "quarter", "OBR02") == [[0, 3]]


def test_a_quarter_after_the_cut_off_is_nobodys_fault(read):
    records = read.records.copy()
    records.loc[records["file"].eq(LATE_FILE), "fiscal_year"] = "2098-2099"
    found = organisation_quality(
        inputs({**all_of(read), "records": records}, pd.Timestamp("2022-03-31")), study=Study()
    )
    assert len(found.quarters) < 5


def test_rows_set_aside_and_cells_have_their_rows(found):
    assert of(found, "set_aside", key="no_identity") == [[1, 14]]
    assert rows_at(found, "set_aside", "no_identity") == [[LATE_FILE, 4]]
    assert of(found, "set_aside", key="total_row") == [[1, 14]] and rows_at(found, "set_aside", "total_row") == []
    assert of(found, "cell", key="unreadable_date") == [[1, 9]]
    assert rows_at(found, "cell", "unreadable_date") == [[LATE_FILE, 3]]
    assert of(found, "place", key="place_area_only") == [[1, 9]]
    assert of(found, "no_municipality") == [[3, 9]] and of(found, "doubtful_date") == [[1, 9]]


def test_places_are_shown_as_typed_only_where_they_say_nothing_of_a_person(found):
    assert found.typed[["key", "value", "n"]].values.tolist() == [["place_area_only", "Montérégie", 1]]
    names = frozenset({"denis", "eva"})
    # the whole cell is the name of a place: it is one, whoever is called so too
    assert may_be_shown("Saint-Denis", names) and may_be_shown("Gaitneau", names)
    for typed in ("Denis", "eva à Gatineau", "J0K 1A0", "", "il est parti vivre chez sa soeur"):
        assert not may_be_shown(typed, names), typed


def test_thin_dossiers_are_counted_with_their_first_row(found):
    assert of(found, "no_full_birth_date") == [[1, 9]] and of(found, "no_full_name") == [[1, 9]]
    assert of(found, "thin_dossier") == [[2, 9]] and of(found, "thin_dossier", "OBR02") == [[0, 5]]
    assert rows_at(found, "no_full_birth_date") == [[LATE_FILE, 2]] and rows_at(found, "no_full_name") == [
        [LATE_FILE, 3]
    ]


def test_blank_cells_count_where_a_value_is_asked(found):
    assert of(found, "blank", key="given_name") == [[1, 9]]
    # of its nine services one has no date that can be read
    assert of(found, "blank", key="service_date") == [[1, 9]]
    assert of(found, "blank", key="follow_up_date") == []


def test_unreadable_files_are_of_who_their_name_says(found):
    whose = dict(found.files[["file", "owner"]].values.tolist())
    assert whose == {"OBR02_2021-2022_T4_2022-04-10.xlsx": "OBR02", "perdu.xlsx": None}


def test_those_with_most_to_mend_come_first(found):
    assert found.organisations["organisation_id"].tolist() == ["OBR01", "OBR02"]
    assert found.organisations["n_mend"].tolist() == [4, 0]
    lit = found.levels.set_index(["organisation_id", "subject"])["level"]
    assert lit["OBR01"].to_dict() == {
        "follow_up": "unmeasured", "deposits": "mend", "places": "mend", "dates": "mend", "identity": "mend",
    }  # fmt: skip
    assert set(lit["OBR02"]) == {"good", "unmeasured"}


# ── tables made by hand: follow-ups, late news, transfers, conflicts ──────────────────────────────────────
def records(rows):
    """Rows of `records`: a date of an event stands for both of its ends."""
    frame = pd.DataFrame(rows)
    for name in ("establishment_date", "follow_up_date", "exit_date", "service_date", "birth_date"):
        if name in frame:
            day = pd.to_datetime(frame.pop(name))
            frame[f"{name}_earliest"], frame[f"{name}_latest"] = day, day
    frame["deposit_date"] = pd.to_datetime(frame["deposit_date"])
    frame = frame.assign(
        record_id=[f"r{n}" for n in range(len(frame))], file="a.csv", sheet="", row=np.arange(2, len(frame) + 2)
    )
    return tables.conform(frame, tables.RECORDS)


def files(n):
    counts = {"n_read": n, "n_accepted": n, "n_quarantined": 0, "n_superseded": 0, "n_duplicate": 0}
    return tables.conform(pd.DataFrame([{"file": "a.csv", "status": "read", **counts}]), tables.FILES)


def quality(rows, cutoff="2023-03-31", **more):
    made = records(rows)
    return organisation_quality(
        inputs({"records": made, "files": files(len(made)), **more}, pd.Timestamp(cutoff)), study=Study()
    )


def row(code="OBR01", year="2021-2022", quarter=1, filed="2021-07-10", zone="region", number="1", **facts):
    return {
        "organisation_id": code, "fiscal_year": year, "quarter": quarter, "deposit_date": filed,
        "organisation_zone": zone, "file_number": number, **facts,
    }  # fmt: skip


SETTLED = row(establishment_date="2021-05-10", destination="Rimouski")
LAST = row(year="2022-2023", quarter=4, filed="2023-04-10", number="99", service_date="2023-02-01")


def call(day, status="present", **facts):
    return row(year="2022-2023", follow_up_date=day, follow_up_status=status, **facts)


@pytest.mark.parametrize(
    ("calls", "missed", "due"),
    [
        ([], 3, 3),  # 3, 6 and 12 months; 24 is after the last deposit
        ([call("2021-08-09")], 2, 3),
        ([call("2021-10-01")], 2, 3),  # late, but before the next is due
        ([call("2021-08-10"), call("2021-11-10"), call("2022-09-01")], 0, 3),
        ([call("2021-08-10", "not_reached")], 2, 3),  # an attempt is an attempt
        ([call("2021-06-01")], 3, 3),  # too early to be the first
        ([call("2021-08-10", "left")], 0, 1),
        ([call("2021-08-10"), row(exit_date="2022-01-15", exit_reason="job")], 1, 2),
    ],
)
def test_contacts_due_and_not_attempted(calls, missed, due):
    found = quality([SETTLED, *calls, LAST])
    assert of(found, "contact_not_made") == [[missed, due]]
    # the row of the establishment, once
    assert len(rows_at(found, "contact_not_made")) == min(missed, 1)


def test_no_contact_is_asked_after_the_last_deposit_nor_of_the_metropole():
    assert of(quality([SETTLED]), "contact_not_made") == []
    assert of(quality([{**SETTLED, "organisation_zone": "metropole"}, LAST]), "contact_not_made") == []


def test_the_share_that_reached_nobody():
    found = quality([SETTLED, call("2021-08-10", "not_reached"), call("2021-11-10"), LAST])
    assert of(found, "not_reached") == [[1, 2]]


def test_late_news_counts_from_the_first_deposit_that_told_it():
    rows = [
        row(number="a", establishment_date="2021-05-10"),
        row(number="b", establishment_date="2021-05-10", year="2022-2023", filed="2022-01-10"),
        # told again much later: it was told in time
        row(number="a", establishment_date="2021-05-10", year="2022-2023", filed="2023-01-10"),
        # before the organisation reported at all
        row(number="c", establishment_date="2019-05-10"),
        row(number="a", exit_date="2021-06-01", year="2022-2023", filed="2022-01-10", exit_reason="job"),
    ]
    found = quality(rows)
    assert of(found, "establishment_told_late") == [[1, 2]]
    assert rows_at(found, "establishment_told_late") == [["a.csv", 3]]
    assert of(found, "departure_told_late") == [[1, 1]]


def test_persons_announced_and_met_by_nobody():
    told = [
        row("EER01", zone="metropole", number=number, establishment_date="2021-05-10", destination="Rimouski")
        for number in "abc"
    ]
    met = [row(number="1", service_date="2021-06-01"), call("2021-08-10", "not_reached", number="2")]
    people = pd.DataFrame({
        "record_id": [f"r{n}" for n in range(5)], "person_id": ["P1", "P2", "P3", "P1", "P2"],
        "household_id": "H", "identity_id": [f"F{n}" for n in range(5)],
    })  # fmt: skip
    found = quality([*told, *met], persons=tables.conform(people, tables.PERSONS))
    # the third is known to nobody, the second was only called
    assert of(found, "not_met", "EER01") == [[2, 3]] and of(found, "not_met", "OBR01") == []
    # a number, and no row: who it is would say what others know of them
    assert found.places[found.places["measure"].eq("not_met")].empty
    assert of(quality([*told, *met]), "not_met", "EER01") == []


def test_statements_set_aside_are_of_who_made_them():
    conflicts = pd.DataFrame({
        "person_id": ["P1"], "date": [pd.Timestamp("2021-06-01")], "rule": ["old_address"],
        "said": ["EER 01 service 66023 2021-06-01/2021-06-01"], "kept": ["OBR01 establishment 10043 ?/?"],
    })  # fmt: skip
    seen = pd.DataFrame({
        "person_id": "P1", "latest": pd.to_datetime(["2021-06-01", "2021-05-03"]), "kind": ["service", "establishment"],
        "organisation_id": ["EER 01", "OBR01"], "record_id": ["r0", "r1"], "zone": ["metropole", "region"],
        "aside": ["old_address", None],
    })  # fmt: skip
    rows = [row("EER 01", zone="metropole", service_date="2021-06-01", residence_zone="metropole"), SETTLED]
    found = quality(rows, conflicts=conflicts, observations=seen)
    assert of(found, "old_address", "EER 01") == [[1, 1]]
    kept = found.measures[found.measures["measure"].eq("conflict")]
    assert kept[["organisation_id", "key", "n", "of"]].values.tolist() == [["EER 01", "old_address", 1, 1]]
    assert found.places[found.places["measure"].eq("conflict")]["row"].tolist() == [2]


def test_a_row_that_names_another_is_that_ones():
    rows = [row("OBR01"), row("OBR01"), row("OBR02")]
    issue = pd.DataFrame({"file": "a.csv", "sheet": "", "row": [4], "reason": "unknown_value", "column": "sex"})
    found = quality(rows, issues=tables.conform(issue, tables.ISSUES))
    ours = found.organisations.set_index("organisation_id")
    assert ours["n_read"].to_dict() == {"OBR01": 3, "OBR02": 0}
    assert ours["n_of_others"].to_dict() == {"OBR01": 1, "OBR02": 0}
    assert ours["n_elsewhere"].to_dict() == {"OBR01": 0, "OBR02": 1}
    assert of(found, "cell") == [] and of(found, "cell", "OBR02") == [[1, 1]]


def test_a_file_is_of_who_its_name_says_where_a_row_does_too():
    rows, name = records([row("OBR01"), row("OBR02"), row("OBR02")]), "OBR01_2021-2022_T1.csv"
    sent = inputs({"records": rows.assign(file=name), "files": files(3).assign(file=name)}).files
    assert sent["owner"].tolist() == ["OBR01"]
    name = "OBR07_2021-2022_T1.csv"
    sent = inputs({"records": rows.assign(file=name), "files": files(3).assign(file=name)}).files
    assert sent["owner"].tolist() == ["OBR02"]


def test_of_the_others_only_a_median_of_five_is_told():
    codes = [f"O{n}" for n in range(MEDIAN_OF + 1)]
    rows = pd.DataFrame({"organisation_id": codes, "measure": "m", "key": None, "column": None, "of": 100})
    rows["n"] = [100, 1, 2, 3, 4, 5]
    zone = pd.Series("region", index=codes)
    told = with_medians(rows, zone).set_index("organisation_id")["median"]
    # its own share is not among those of the others
    assert told["O0"] == 0.03 and told["O3"] == 0.04
    assert with_medians(rows.iloc[1:], zone)["median"].isna().all()
    zone["O1"] = "metropole"
    assert with_medians(rows, zone)["median"].isna().all()
    assert with_medians(rows, pd.Series("unknown", index=codes))["median"].isna().all()


def test_nothing_is_said_of_a_row_that_was_left_out_by_request():
    issue = pd.DataFrame({
        "file": "a.csv", "sheet": "", "row": [2, 9], "reason": "place_area_only", "column": "residence",
        "value": ["Estrie", "Mauricie"],
    })  # fmt: skip
    found = quality([row()], issues=tables.conform(issue, tables.ISSUES))
    assert of(found, "place") == [[1, 1]] and rows_at(found, "place") == [["a.csv", 2]]
    assert found.typed["value"].tolist() == ["Estrie"]


def test_a_header_that_is_not_read_is_named_unless_it_is_a_name():
    issue = pd.DataFrame({
        "file": "a.csv", "sheet": "", "row": 1, "reason": "unknown_column", "column": ["Couleur", "suivi de Zoé"],
    })  # fmt: skip
    found = quality([row(given_name="Zoe")], issues=tables.conform(issue, tables.ISSUES))
    told = found.measures[found.measures["measure"].eq("cell")]
    assert told[["column", "n"]].fillna("").values.tolist() == [["Couleur", 1], ["", 1]]


def test_ten_rows_are_listed_and_the_others_counted():
    issue = {"file": "a.csv", "sheet": "", "row": range(2, 27), "reason": "unknown_value", "column": "sex"}
    found = quality([row(number=str(n)) for n in range(30)], issues=tables.conform(pd.DataFrame(issue), tables.ISSUES))
    listed = found.places[found.places["measure"].eq("cell")]
    assert listed["row"].tolist() == list(range(2, 2 + LISTED)) and set(listed["n_rows"]) == {25}
    assert of(found, "cell") == [[25, 30]]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_lights_turn_at_their_thresholds(subject):
    measure, watch, mend = THRESHOLDS[subject]
    for share, level in ((0.0, "good"), (watch - 1e-9, "good"), (watch, "watch"), (mend, "mend"), (1.0, "mend")):
        one = pd.DataFrame({"organisation_id": ["A"], "measure": [measure], "n": [1], "of": [1], "share": [share]})
        lit = levels(one, pd.Series(["A", "B"])).set_index(["organisation_id", "subject"])["level"]
        assert lit["A", subject] == level and lit["B", subject] == "unmeasured"


# ── builds that are not whole ─────────────────────────────────────────────────────────────────────────────
def written(read, folder):
    for name, frame in all_of(read).items():
        tables.save(tables.conform(frame, tables.TABLES[name]), tables.TABLES[name], folder, cutoff="2022-03-31")
    return folder


def test_a_build_is_read_and_what_it_lacks_is_named(read, found, tmp_path):
    folder = written(read, tmp_path)
    again = organisation_quality(folder, study=Study())
    assert set(again.absent) == {"persons", "links", "conflicts", "observations"}
    assert again.cutoff == pd.Timestamp("2022-03-31")
    pd.testing.assert_frame_equal(again.measures, found.measures)
    for name in ("issues", "quarantine", "superseded"):
        (folder / f"{name}.parquet").unlink()
    less = organisation_quality(folder, study=Study())
    assert set(less.absent) == set(READ) - {"records", "files"}
    assert of(less, "set_aside") == of(less, "cell") == of(less, "doubtful_date") == []
    assert of(less, "thin_dossier") == [[2, 9]]


@pytest.mark.parametrize("name", ["records", "files"])
def test_without_its_rows_nothing_can_be_said(read, tmp_path, name):
    folder = written(read, tmp_path)
    (folder / f"{name}.parquet").unlink()
    with pytest.raises(StaleTableError, match="build"):
        organisation_quality(folder, study=Study())
