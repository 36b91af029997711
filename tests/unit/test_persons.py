import os
import stat

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities import ZOE, records
from trajectories import tables
from trajectories.exceptions import KeyFileError, UnusableInputError
from trajectories.linkage import (
    SAMPLE_KEY,
    cells_without,
    excluded_records,
    idle_lines,
    link_persons,
    links_without,
    pseudonyms,
    read_exclusions,
)
from trajectories.linkage.clusters import connected_components
from trajectories.linkage.identities import simplify


def persons_of(*rows):
    return pd.factorize(link_persons(records(*rows), key=SAMPLE_KEY)["person_id"])[0].tolist()


def test_one_person_across_organisations_by_name_and_birth_date():
    again = {"given": "NGUYEN ROY", "family": "ZOE", "birth": "1990-05-01"}
    assert persons_of({"org": "A", "file": "1", **ZOE}, {"org": "B", "file": "9", **again}) == [0, 0]


def test_the_file_number_joins_inside_one_organisation_only():
    other = {"given": "Max", "family": "Tremblay", "birth": "1990-05-01"}
    assert persons_of({"org": "A", "file": "1", **ZOE}, {"org": "A", "file": "1", **other}) == [0, 0]
    assert persons_of({"org": "A", "file": "1", **ZOE}, {"org": "B", "file": "1", **other}) == [0, 1]


def test_a_number_that_persons_of_different_names_and_births_share_is_no_person():
    other = {"given": "Max", "family": "Tremblay", "birth": "1971-12-30"}
    assert persons_of({"org": "A", "file": "1", **ZOE}, {"org": "A", "file": "1", **other}) == [0, 1]
    # nor is a word for « none » that many persons share
    names = [{"given": f"{letter}anatole", "family": f"{letter}urand"} for letter in "bcdfghjklmnpqrstvwxyz"]
    assert len(set(persons_of(*({"org": "A", "file": "s. o.", **name} for name in names)))) == len(names)


def test_a_name_is_not_enough_to_be_one_person_but_a_name_and_a_year_are():
    year, name = {**ZOE, "birth": "1990"}, {k: v for k, v in ZOE.items() if k != "birth"}
    assert persons_of({"org": "A", "file": "1", **year}, {"org": "B", "file": "9", **year}) == [0, 0]
    assert persons_of({"org": "A", "file": "1", **name}, {"org": "B", "file": "9", **name}) == [0, 1]


@pytest.mark.thorough
def test_the_sex_is_evidence_and_no_wall():
    f, m = {**ZOE, "sex": "F"}, {**ZOE, "sex": "M"}
    assert persons_of({"org": "A", "file": "1", **f}, {"org": "B", "file": "9", **ZOE}) == [0, 0]
    # one name, one full birth date and one country: the sex is the likelier slip
    f, m = {**f, "country": "VNM"}, {**m, "country": "VNM"}
    assert persons_of({"org": "A", "file": "1", **f}, {"org": "B", "file": "9", **m}) == [0, 0]
    year = {"given": "Zoé", "family": "Nguyễn-Roy", "birth": "1990", "country": "VNM", "arrival": "2020-03-04"}
    assert persons_of({"org": "A", "file": "1", **year}, {"org": "B", "file": "9", **year}) == [0, 0]
    assert persons_of(
        {"org": "A", "file": "1", "sex": "F", "given": "Zoé", "family": "Roy", "birth": "1990", "country": "VNM"},
        {"org": "B", "file": "9", "sex": "M", "given": "Zoé", "family": "Roy", "birth": "1990", "country": "VNM"},
    ) == [0, 1]  # fmt: skip


def test_rows_without_file_number_nor_birth_date_are_joined_by_name_in_their_organisation():
    name = {"given": "Zoé", "family": "Roy"}
    assert persons_of({"org": "A", **name}, {"org": "A", **name}, {"org": "B", **name}) == [0, 0, 1]


def test_households_are_carried_across_by_their_members():
    zoe, max_ = ZOE, {"given": "Max", "family": "Roy", "birth": "1988-01-02"}
    found = link_persons(
        records(
            {"org": "A", "file": "1", "menage": "M1", **zoe}, {"org": "A", "file": "2", "menage": "M1", **max_},
            {"org": "B", "file": "7", "menage": "8", **zoe}, {"org": "B", "file": "8", "menage": "8", "given": "Léa",
             "family": "Roy", "birth": "2015-03-04"}, {"org": "C", "file": "1", "given": "Tom", "family": "Côté"},
        ),
        key=SAMPLE_KEY,
    )  # fmt: skip
    assert pd.factorize(found["household_id"])[0].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.thorough
def test_ids_do_not_depend_on_the_order_of_rows_nor_on_file_names():
    rows = records({"org": "A", "file": "1", **ZOE}, {"org": "B", "file": "9", **ZOE}, {"org": "B", "file": "3"})
    first = link_persons(rows, key=SAMPLE_KEY).set_index("record_id")
    again = link_persons(rows.iloc[::-1].assign(file="other.xlsx"), key=SAMPLE_KEY).set_index("record_id")
    pd.testing.assert_frame_equal(first.sort_index(), again.sort_index())
    assert first["person_id"].tolist() != link_persons(rows, key=b"another key, long enough")["person_id"].tolist()


def test_nothing_of_an_identity_is_in_the_result():
    found = link_persons(records({"org": "A", "file": "SECRET-1", **ZOE}), key=SAMPLE_KEY)
    assert list(found.columns) == list(tables.PERSONS.columns)
    assert "SECRET" not in found.to_string()
    tables.check(found, tables.PERSONS)


@given(st.text(max_size=30))
def test_any_name_is_simplified_once_and_for_all(name):
    assert simplify(simplify(name)) == simplify(name)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40), st.randoms())
def test_components_are_those_of_a_walk_whatever_the_order_of_edges(edges, random):
    neighbours = {node: {node} for node in range(20)}
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    expected = []
    for node in range(20):
        seen, todo = set(), [node]
        while todo:
            here = todo.pop()
            if here not in seen:
                seen.add(here)
                todo.extend(neighbours[here])
        expected.append(min(seen))
    shuffled = random.sample(edges, len(edges))
    left = np.array([a for a, _ in shuffled], dtype=int)
    right = np.array([b for _, b in shuffled], dtype=int)
    assert connected_components(left, right, 20).tolist() == expected


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
def test_the_key_is_made_once_closed_to_others(tmp_path, monkeypatch):
    monkeypatch.delenv(pseudonyms.ENVIRONMENT, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    key = pseudonyms.secret_key()
    assert stat.S_IMODE(pseudonyms.key_path().stat().st_mode) == 0o600
    assert pseudonyms.secret_key().secret == key.secret
    assert len(key.secret) == 64


def test_the_environment_gives_the_key_and_a_short_one_is_refused(monkeypatch):
    monkeypatch.setenv(pseudonyms.ENVIRONMENT, "a key that is long enough")
    assert pseudonyms.secret_key().secret == b"a key that is long enough"
    monkeypatch.setenv(pseudonyms.ENVIRONMENT, "short")
    with pytest.raises(KeyFileError, match="shorter"):
        pseudonyms.secret_key()


def test_a_person_left_out_by_request_leaves_every_organisation(tmp_path):
    (tmp_path / "exclusions.csv").write_text("code_organisme;no_dossier\nA;1\n", encoding="utf-8-sig")
    rows = records({"org": "A", "file": "1", **ZOE}, {"org": "B", "file": "9", **ZOE}, {"org": "B", "file": "3"})
    requests = read_exclusions(tmp_path / "exclusions.csv")
    assert sorted(excluded_records(rows, link_persons(rows, key=SAMPLE_KEY), requests)) == ["r0", "r1"]
    assert read_exclusions(tmp_path / "none.csv").empty


def test_a_request_that_no_accepted_row_answers_to_is_told_by_its_line(tmp_path):
    lines = ["code_organisme;no_dossier", "A;1", "", "B;1", "A; 1 ", ";", "C;7", "A;", "A;1"]
    (tmp_path / "exclusions.csv").write_text("\n".join(lines), encoding="utf-8")
    rows = records({"org": "A", "file": "1", **ZOE}, {"org": "B", "file": "9", **ZOE}, {"org": "C"})
    requests = read_exclusions(tmp_path / "exclusions.csv")
    assert idle_lines(rows, requests) == (4, 7, 8)
    assert sorted(excluded_records(rows, link_persons(rows, key=SAMPLE_KEY), requests)) == ["r0", "r1"]
    assert idle_lines(rows, read_exclusions(tmp_path / "none.csv")) == ()


def test_no_pair_nor_cell_of_who_is_left_out_stays():
    persons = pd.DataFrame({"record_id": ["r0", "r1", "r2"], "identity_id": ["F1", "F2", "F3"]})
    links = pd.DataFrame({"left_id": ["F1", "F2", "F3"], "right_id": ["F2", "F3", "F4"]})
    gone = pd.Series(["r0"])
    assert links_without(links, persons, gone)["left_id"].tolist() == ["F2", "F3"]
    where = pd.DataFrame({"file": ["a", "a", "b"], "sheet": [None, None, "S"], "row": [2, 3, 2]})
    rows = where.assign(record_id=["r0", "r1", "r2"])
    assert cells_without(where.assign(value="?"), rows, gone)["row"].tolist() == [3, 2]
    assert len(cells_without(where, rows, gone[:0])) == 3


def test_a_list_of_requests_without_its_columns_is_a_sentence(tmp_path):
    (tmp_path / "exclusions.csv").write_text("nom\nX\n", encoding="utf-8")
    with pytest.raises(UnusableInputError, match="code_organisme"):
        read_exclusions(tmp_path / "exclusions.csv")
