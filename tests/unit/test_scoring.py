"""The scores against the truth, on histories small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from trajectories.simulate import Truth, exit_scores, link_scores, move_scores, stay_scores, true_persons
from trajectories.simulate.scoring_moves import shown_residences

METROPOLE, QUEBEC, SAGUENAY = ("66023", "06", "metropole"), ("23027", "03", "region"), ("94068", "02", "region")
ORGANISATIONS = {"M": "metropole", "Q": "region", "S": "region"}
CUTOFF = pd.Timestamp("2023-12-31")


def day(text):
    return pd.Timestamp(text) if text else pd.NaT


def truth_of(residences, stays, rows):
    """The truth and its records, from residences and stays (person, start, end, place) and rows."""
    people = sorted({person for person, *_ in residences})
    lived = [
        {"true_person": p, "start": day(start), "end": day(end), "municipality": place[0], "region": place[1],
         "zone": place[2], "place": ""}
        for p, start, end, place in residences
    ]  # fmt: skip
    stayed = [
        {"true_person": p, "episode": 1, "region": place[1], "establishment": day(start), "exit": day(end),
         "exit_cause": "metropole" if end else "", "months": np.inf}
        for p, start, end, place in stays
    ]  # fmt: skip
    empty, rows = pd.DataFrame(), pd.DataFrame(rows)
    truth = Truth(
        pd.DataFrame({"true_person": people, "death_date": pd.NaT}).astype({"death_date": "datetime64[ns]"}),
        pd.DataFrame(lived),
        pd.DataFrame(stayed),
        empty,
        rows.drop(columns=["record_id", "file_number"]),
        pd.DataFrame({"organisation_id": list(ORGANISATIONS), "zone": list(ORGANISATIONS.values())}),
        empty,
    )
    return truth, rows[["record_id", "file", "sheet", "row", "organisation_id", "file_number"]]


def row(number, person, organisation, date, place, kind="service", file=None, household=1):
    """A row, and the record that is read from it."""
    settled = kind == "establishment"
    return {
        "file": "f.csv", "sheet": "", "row": number, "organisation_id": organisation, "true_person": person,
        "true_household": household, "kind": kind, "event_date": day(date), "exit_date": pd.NaT,
        "residence_code": place[0], "destination_code": place[0] if settled else "", "residence_form": "exact",
        "destination_form": "exact" if settled else "", "status": "", "date_form": "day",
        "record_id": f"r{number}", "file_number": file or f"{person}",
    }  # fmt: skip


@pytest.fixture
def returned():
    """
    Two members of a household go to Québec; the first comes back to the metropole, and is served there again. Their
    file in Québec was opened again under another number.
    """
    residences = [
        (1, "2019-01-01", "2020-03-01", METROPOLE), (1, "2020-03-01", "2022-05-01", QUEBEC),
        (1, "2022-05-01", "", METROPOLE),
        (2, "2019-01-01", "2020-03-01", METROPOLE), (2, "2020-03-01", "", QUEBEC),
    ]  # fmt: skip
    rows = [
        row(1, 1, "M", "2019-06-01", METROPOLE), row(2, 2, "M", "2019-06-01", METROPOLE),
        row(3, 1, "Q", "2020-03-01", QUEBEC, "establishment"), row(4, 1, "Q", "2021-01-01", QUEBEC, file="1b"),
        row(5, 2, "Q", "2020-03-01", QUEBEC, "establishment"), row(6, 1, "M", "2022-09-01", METROPOLE, file="again"),
    ]  # fmt: skip
    stays = [(1, "2020-03-01", "2022-05-01", QUEBEC), (2, "2020-03-01", "", QUEBEC)]
    return truth_of(residences, stays, rows)


def linked(truth, records, **of):
    """The true persons, with other ids for some records: r3="P2"."""
    persons = true_persons(truth, records).set_index("record_id")
    for record, person in of.items():
        persons.loc[record, "person_id"] = f"P{person:08d}"
    return persons.reset_index()


def test_pairs_are_of_different_organisations(returned):
    truth, records = returned
    scores = link_scores(true_persons(truth, records), truth, records)
    # the first: two files in each organisation; the second: one
    assert scores["n_pairs"] == 4 + 1
    assert scores["n_household_pairs"] == 3 * 3
    assert scores["n_member_pairs"] == 1
    assert {scores[f"{name}_{score}"] for name in ("pair", "household") for score in ("precision", "recall", "f1")} == {
        1
    }
    assert (scores["return_recall"], scores["whole_and_pure"], scores["members_merged"]) == (1, 1, 0)


def test_pairs_that_show_a_return(returned):
    truth, records = returned
    # the file of the metropole from before the departure shows no return, nor does the member who stayed
    assert link_scores(linked(truth, records), truth, records)["n_return_pairs"] == 2
    lost = link_scores(linked(truth, records, r6=9), truth, records)
    assert (lost["return_recall"], lost["pair_precision"], lost["pair_recall"]) == (0, 1, pytest.approx(3 / 5))
    assert lost["whole_and_pure"] == 1 / 2
    half = link_scores(linked(truth, records, r4=9), truth, records)
    assert half["return_recall"] == 1 / 2


def test_members_taken_for_each_other(returned):
    truth, records = returned
    scores = link_scores(linked(truth, records, r2=1, r5=1), truth, records)
    assert (scores["members_merged"], scores["whole_and_pure"]) == (1, 0)
    # nine pairs found, of which the five are right
    assert scores["pair_precision"] == pytest.approx(5 / 9)
    assert scores["pair_recall"] == 1


def test_a_file_given_to_two_persons_counts_where_most_of_it_is():
    rows = [row(n, 1, "M", "2019-06-01", METROPOLE) for n in (1, 2, 3)] + [row(4, 1, "Q", "2020-06-01", QUEBEC)]
    truth, records = truth_of([(1, "2019-01-01", "", METROPOLE)], [], rows)
    assert link_scores(linked(truth, records, r1=9), truth, records)["pair_recall"] == 1
    assert link_scores(linked(truth, records, r1=9, r2=9), truth, records)["pair_recall"] == 0


def cohort(*stays):
    """Stays found: person, region, establishment, lower, upper, exit."""
    names = ["person", "region", "start", "lower", "upper", "exit"]
    found = pd.DataFrame([dict(zip(names, stay, strict=True)) for stay in stays])
    start = pd.to_datetime(found.pop("start"))
    return found.assign(
        person_id=[f"P{person:08d}" for person in found.pop("person")], establishment_earliest=start,
        establishment_latest=start, excluded=None, episode=1,
    )  # fmt: skip


def test_stays_are_matched_once(returned):
    truth, records = returned
    known = true_persons(truth, records), truth, records

    def scores(*stays):
        found = stay_scores(cohort(*stays), *known, cutoff=CUTOFF)
        return found["n_stays"], found["stays_found"], found["spurious_stays"]

    first, second = (1, "03", "2020-03-01", 10, 26, "metropole"), (2, "03", "2020-03-01", 30, np.inf, None)
    assert scores(first, second) == (2, 1, 0)
    assert scores(first) == (2, 0.5, 0)
    # the other half of a stay cut in two, a stay in another region, one before anybody was there
    for more in ((1, "03", "2021-05-01", 2, 9, None), (2, "02", "2020-03-01", 30, np.inf, None),
                 (1, "03", "2018-01-01", 1, 4, "metropole")):  # fmt: skip
        assert scores(first, second, more) == (2, 1, 50)
    # no region is no wrong region
    assert scores(first, (2, None, "2020-03-01", 30, np.inf, None)) == (2, 0.5, 0)


@pytest.mark.parametrize(
    ("lower", "upper", "inside"), [(26, 26, 1), (10, 26, 1), (10, 25, 0), (27, 30, 0), (26.04, 30, 1)]
)
def test_exits(returned, lower, upper, inside):
    truth, records = returned
    known = true_persons(truth, records), truth, records
    found = cohort((1, "03", "2020-03-01", lower, upper, "metropole"), (2, "03", "2020-03-01", 30, np.inf, None))
    scores = exit_scores(found, *known, cutoff=CUTOFF)
    assert (scores["n_exits"], scores["exits_inside"], scores["exit_causes_right"]) == (1, inside, 1)


def test_an_exit_that_never_was(returned):
    truth, records = returned
    found = cohort((2, "03", "2020-03-01", 30, 31, "other_region"))
    scores = exit_scores(found, true_persons(truth, records), truth, records, cutoff=CUTOFF)
    assert (scores["n_exits"], scores["exits_inside"], scores["exit_causes_right"]) == (1, 0, 0)


def moves_of(*moves):
    found = pd.DataFrame(moves, columns=["person_id", "kind", "earliest", "latest"])
    return found.assign(**{end: pd.to_datetime(found[end]) for end in ("earliest", "latest")})


def test_moves(returned):
    truth, records = returned
    known = true_persons(truth, records), truth, records
    right = [
        ("P00000001", "secondary", "2020-03-01", "2020-03-01"), ("P00000001", "return", "2021-01-01", "2022-09-01"),
        ("P00000002", "secondary", "2019-06-01", "2020-03-01"),
    ]  # fmt: skip
    scores = move_scores(moves_of(*right), *known)
    assert (scores["n_moves"], scores["move_f1"]) == (3, 1)
    wrong = [("P00000002", "return", "2021-01-01", "2022-09-01"), ("P00000001", "return", "2023-01-01", "2023-02-01")]
    scores = move_scores(moves_of(*right[:1], *right[2:], *wrong), *known)
    assert (scores["move_precision"], scores["move_recall"]) == (2 / 4, pytest.approx(2 / 3))


def test_a_residence_that_no_record_shows_is_no_move_to_find():
    residences = [
        (1, "2019-01-01", "2020-03-01", METROPOLE), (1, "2020-03-01", "2020-09-01", SAGUENAY),
        (1, "2020-09-01", "", QUEBEC),
    ]  # fmt: skip
    rows = [row(1, 1, "M", "2019-06-01", METROPOLE), row(2, 1, "Q", "2020-09-01", QUEBEC, "establishment")]
    truth, records = truth_of(residences, [], rows)
    assert shown_residences(truth, records)["municipality"].tolist() == ["66023", "23027"]
    scores = move_scores(
        moves_of(("P00000001", "secondary", "2019-06-01", "2020-09-01")), true_persons(truth, records), truth, records
    )
    assert (scores["n_moves"], scores["move_f1"]) == (1, 1)
