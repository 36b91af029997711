import pandas as pd
import pytest

from trajectories import tables
from trajectories.exceptions import StaleTableError, TableError


def persons(**changes):
    row = {"record_id": "a", "person_id": "P1", "household_id": "H1", "match_probability": 1.0}
    return tables.conform(pd.DataFrame([row | changes]), tables.PERSONS)


@pytest.mark.parametrize("table", tables.TABLES.values(), ids=lambda table: table.name)
def test_an_empty_table_keeps_its_schema(table, tmp_path):
    empty = tables.stack([], table)
    tables.save(empty, table, tmp_path)
    pd.testing.assert_frame_equal(tables.load(table, tmp_path), empty)


def test_codes_stay_text_through_parquet(tmp_path):
    spells = tables.conform(
        pd.DataFrame([{
            "person_id": "P1", "household_id": "H1", "spell": 1, "municipality": "01023", "region": "06",
            "zone": "region",
            "outcome": "present", "n_observations": 1, "start_latest": "2021-01-01",
        }]),
        tables.SPELLS,
    )  # fmt: skip
    tables.save(spells, tables.SPELLS, tmp_path, perimeter="CMM")
    back = tables.load(tables.SPELLS, tmp_path)
    assert back.at[0, "municipality"] == "01023"
    assert back.at[0, "region"] == "06"
    assert tables.read_metadata(tables.SPELLS, tmp_path)["perimeter"] == "CMM"


def test_columns_that_are_not_asked_for_are_not_there_and_the_others_as_saved(tmp_path):
    given = tables.conform(
        pd.DataFrame({
            "record_id": ["a", "b"], "file": "f", "sheet": "", "row": [1, 2], "organisation_id": "R1",
            "given_name": ["Zoé", None], "household_size": [3, None], "job_found": [True, None], "extra": [0.5, 1.5],
            "service_date_earliest": pd.to_datetime(["2021-05-03", None]),
        }), tables.RECORDS,
    )  # fmt: skip
    tables.save(given, tables.RECORDS, tmp_path)
    pd.testing.assert_frame_equal(tables.load(tables.RECORDS, tmp_path), given)
    held = tables.load(tables.RECORDS, tmp_path, categories=True)
    assert len(held.select_dtypes("category").columns) and held["record_id"].dtype == object
    pd.testing.assert_frame_equal(tables.without_categories(held), given)
    some = tables.load(tables.RECORDS, tmp_path, columns=iter(("record_id", "service_date_earliest", "job_found")))
    pd.testing.assert_frame_equal(some, given[["record_id", "service_date_earliest", "job_found"]])
    with pytest.raises(KeyError, match="given_nom"):
        tables.load(tables.RECORDS, tmp_path, columns=["given_nom"])


def test_departures_from_the_schema_are_told_all_at_once():
    with pytest.raises(TableError) as caught:
        tables.check(persons(household_id=None, person_id=None), tables.PERSONS)
    assert "household_id" in str(caught.value)
    assert "person_id" in str(caught.value)


def test_a_value_outside_the_list_is_refused():
    spells = tables.stack([], tables.SPELLS)
    spells.loc[0] = None
    spells = tables.conform(
        spells.assign(person_id="P1", household_id="H1", spell=1, zone="moon", outcome="present", n_observations=1),
        tables.SPELLS,
    )
    with pytest.raises(TableError, match="zone"):
        tables.check(spells, tables.SPELLS)


def test_an_older_schema_and_a_damaged_file_say_rebuild(tmp_path, monkeypatch):
    with pytest.raises(StaleTableError, match="does not exist"):
        tables.load(tables.PERSONS, tmp_path)
    tables.save(persons(), tables.PERSONS, tmp_path)
    monkeypatch.setattr(tables, "SCHEMA_VERSION", "2")
    with pytest.raises(StaleTableError, match="rebuild"):
        tables.load(tables.PERSONS, tmp_path)
    (tmp_path / "persons.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(StaleTableError, match="rebuild"):
        tables.load(tables.PERSONS, tmp_path)


def test_the_folder_of_tables_is_closed_to_others(tmp_path):
    tables.save(persons(), tables.PERSONS, tmp_path / "derived")
    assert (tmp_path / "derived").stat().st_mode & 0o777 == 0o700
