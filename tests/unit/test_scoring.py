"""The measures against the truth (tests/scoring), on histories small enough to count by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scoring.evidence import true_runs
from scoring.journeys import journey_scores
from scoring.links import link_scores, linked_rows, true_persons
from trajectories.simulate import Truth

METROPOLE, QUEBEC, SAGUENAY = ("66023", "06", "metropole"), ("23027", "03", "region"), ("94068", "02", "region")
ORGANISATIONS = {"M": "metropole", "Q": "region", "S": "region"}
CUTOFF = pd.Timestamp("2023-12-31")


def day(text):
    return pd.Timestamp(text) if text else pd.NaT


def truth_of(residences, rows, **forms):
    """The truth and its records, from residences (person, start, end, place) and rows; forms by number of identity."""
    people = sorted({person for person, *_ in residences})
    lived = [
        {"true_person": p, "start": day(start), "end": day(end), "municipality": place[0], "region": place[1],
         "zone": place[2], "place": ""}
        for p, start, end, place in residences
    ]  # fmt: skip
    files = {}
    for one in rows:
        key = one["organisation_id"], one.pop("file_number")
        one["identity"] = list(files).index(key) if key in files else len(files)
        files[key] = one
    rows = pd.DataFrame(rows).astype({"true_person": "Int64", "true_household": "Int64"})
    identities = pd.DataFrame({"true_person": [r["true_person"] for r in files.values()]})
    identities = identities.assign(given_form="full", family_form="own", birth_form="day")
    for name, by_number in forms.items():
        for number, form in by_number.items():
            identities.loc[number, name] = form
    empty = pd.DataFrame()
    partners = pd.DataFrame({"organisation_id": list(ORGANISATIONS), "zone": list(ORGANISATIONS.values()),
                             "region": ["06", "03", "02"]})  # fmt: skip
    dead = pd.DataFrame({"true_person": people, "death_date": pd.NaT}).astype({"death_date": "datetime64[ns]"})
    truth = Truth(dead, pd.DataFrame(lived), empty, identities, rows.drop(columns="record_id"), partners, empty)
    return truth, rows[["record_id", "file", "sheet", "row"]]


def row(number, person, organisation, date, place, kind="service", file=None, service="personal_support", **more):
    """A row, and the record that is read from it."""
    settled = kind == "establishment"
    return {
        "file": "f.csv", "sheet": "", "row": number, "organisation_id": organisation, "true_person": person,
        "true_household": 1, "kind": kind, "event_date": day(date), "exit_date": pd.NaT, "exit_form": "",
        "residence_code": place[0], "destination_code": place[0] if settled else "", "residence_form": "exact",
        "destination_form": "exact" if settled else "", "status": "", "date_form": "day", "noted_date": day(date),
        "follow_up_date": pd.NaT, "follow_up_form": "", "note": "", "service": service, "stale": False,
        "record_id": f"r{number}", "file_number": file or f"{person}", "fate": "accepted",
    } | more  # fmt: skip


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
    return truth_of(residences, rows)


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
    assert scores["n_cross_org"] == 4 + 1
    assert scores["n_household"] == 3 * 3
    names = [f"{name}_{score}" for name in ("cross_org", "household") for score in ("precision", "recall", "f1")]
    assert {scores[name] for name in names} == {1}
    assert (scores["return_recall"], scores["whole_and_pure"], scores["members_merged"]) == (1, 1, 0)


def test_pairs_that_show_a_return(returned):
    truth, records = returned
    # the file of the metropole from before the departure shows no return, nor does the member who stayed
    assert link_scores(linked(truth, records), truth, records)["n_return_pairs"] == 2
    lost = link_scores(linked(truth, records, r6=9), truth, records)
    assert (lost["return_recall"], lost["cross_org_precision"], lost["cross_org_recall"]) == (0, 1, 3 / 5)
    assert lost["whole_and_pure"] == 1 / 2
    half = link_scores(linked(truth, records, r4=9), truth, records)
    assert half["return_recall"] == 1 / 2


def test_members_taken_for_each_other(returned):
    truth, records = returned
    scores = link_scores(linked(truth, records, r2=1, r5=1), truth, records)
    assert (scores["members_merged"], scores["whole_and_pure"]) == (1, 0)
    # nine pairs found, of which the five are right
    assert scores["cross_org_precision"] == pytest.approx(5 / 9)
    assert scores["cross_org_recall"] == 1


def test_a_file_given_to_two_persons_counts_where_most_of_it_is():
    rows = [row(n, 1, "M", "2019-06-01", METROPOLE) for n in (1, 2, 3)] + [row(4, 1, "Q", "2020-06-01", QUEBEC)]
    truth, records = truth_of([(1, "2019-01-01", "", METROPOLE)], rows)
    assert link_scores(linked(truth, records, r1=9), truth, records)["cross_org_recall"] == 1
    assert link_scores(linked(truth, records, r1=9, r2=9), truth, records)["cross_org_recall"] == 0


@pytest.mark.parametrize(
    ("forms", "known"),
    [
        ({}, True),
        ({"given_form": {0: "initial"}}, True),  # a full date of birth
        ({"given_form": {0: "initial"}, "birth_form": {1: "year"}}, False),
        ({"birth_form": {0: "year"}}, True),  # full names and a year
        ({"birth_form": {0: "none"}}, False),
        ({"family_form": {0: "spouse"}}, True),
        ({"family_form": {0: "spouse"}, "birth_form": {0: "swapped"}}, False),
        ({"given_form": {0: "none"}, "family_form": {0: "none"}}, False),
    ],
)
def test_two_files_that_nobody_could_know_to_be_one_persons(forms, known):
    rows = [row(1, 1, "M", "2019-06-01", METROPOLE), row(2, 1, "Q", "2020-06-01", QUEBEC)]
    truth, records = truth_of([(1, "2019-01-01", "", METROPOLE)], rows, **forms)
    apart, together = linked(truth, records, r1=9), linked(truth, records)
    assert link_scores(apart, truth, records)["cross_org_recall"] == (0 if known else 1)
    assert link_scores(apart, truth, records)["whole_and_pure"] == (0 if known else 1)
    # joined, it is right all the same
    assert link_scores(together, truth, records)["cross_org_precision"] == 1
    assert link_scores(together, truth, records)["whole_and_pure"] == 1


def scored(returned, spells=(), moves=(), cohort=()):
    """Scores of spells (person, region, start, latest start), moves (person, kind, …) and stays (person, region, …)."""
    truth, records = returned
    persons = true_persons(truth, records)

    def table(rows, names, dates):
        found = pd.DataFrame(list(rows), columns=["person", *names])
        found.insert(0, "person_id", [f"P{person:08d}" for person in found.pop("person")])
        return found.assign(**{name: pd.to_datetime(found[name]) for name in dates})

    start = ["start_earliest", "start_latest"]
    spells = table(spells, ["region", *start], start)
    spells = spells.assign(zone=np.where(spells["region"].isin(["06", ""]), "metropole", "region"))
    found = SimpleNamespace(
        spells=spells.assign(spell=spells.groupby("person_id").cumcount() + 1),
        moves=table(moves, ["kind", "earliest", "latest"], ["earliest", "latest"]),
        cohort=table(cohort, ["region", "lower", "upper"], []).assign(episode=1, excluded=None, entry=0.0),
        cutoff=CUTOFF,
    )
    return journey_scores(found, truth, linked_rows(persons, truth, records))


@pytest.mark.thorough
def test_stays_are_matched_once(returned):
    def scores(*spells):
        found = scored(returned, spells=spells)
        return found["n_spells"], found["spells_region_found"], found["spells_found"], found["spurious"]

    first, second = (1, "03", "2020-03-01", "2020-03-01"), (2, "03", "2019-06-01", "2020-03-01")
    assert scores(first, second) == (2, 1, 1, 0)
    assert scores(first) == (2, 0.5, 0.5, 0)
    assert scores((1, "03", "2020-06-01", "2020-06-01"), second) == (2, 1, 0.5, 0)
    # two towns of one region are one stay; the other half of a stay cut in two is another; another region is wrong
    assert scores(first, (1, "03", "2021-01-01", "2021-01-01"), second) == (2, 1, 1, 0)
    cut = (1, "06", "2021-01-01", "2021-01-01"), (1, "03", "2021-05-01", "2021-05-01")
    assert scores(first, *cut, second) == (2, 1, 1, 50)
    assert scores(first, second, (2, "02", "2021-05-01", "2021-05-01")) == (2, 1, 1, 50)


@pytest.mark.parametrize(
    ("lower", "upper", "right"),
    [(26, 26, 1), (10, 26, 1), (10, 25, 0), (27, 30, 0), (26.4, 30, 1), (10, np.inf, 1), (27, np.inf, 0)],
)
def test_the_true_end_lies_where_the_cohort_says(returned, lower, upper, right):
    stays = (1, "03", lower, upper), (2, "03", 30, np.inf)
    scores = scored(returned, cohort=stays)
    assert (scores["n_stays"], scores["honesty"], scores["region_wrong"]) == (2, (right + 1) / 2, 0)


def test_an_exit_that_never_was_and_a_stay_of_which_nothing_is_said(returned):
    scores = scored(returned, cohort=[(1, "02", 10, 26), (2, "03", 30, 31)])
    assert (scores["honesty"], scores["region_wrong"], scores["exits_inside"]) == (0, 0.5, 0)
    scores = scored(returned, cohort=[(1, "03", 0, np.inf), (2, "03", 30, np.inf)])
    assert (scores["honesty"], scores["honesty_informative"]) == (1, 0.5)


def test_moves(returned):
    right = [
        (1, "secondary", "2020-03-01", "2020-03-01"), (1, "return", "2021-01-01", "2022-09-01"),
        (2, "secondary", "2019-06-01", "2020-03-01"),
    ]  # fmt: skip
    scores = scored(returned, moves=right)
    assert (scores["n_moves"], scores["moves_f1"], scores["moves_return_f1"]) == (3, 1, 1)
    wrong = [(2, "return", "2021-01-01", "2022-09-01"), (1, "return", "2023-01-01", "2023-02-01")]
    scores = scored(returned, moves=[right[0], right[2], *wrong])
    assert (scores["moves_precision"], scores["moves_recall"]) == (2 / 4, pytest.approx(2 / 3))
    assert scores["moves_return_f1"] == 0


def shown(truth, records):
    runs = true_runs(truth, linked_rows(true_persons(truth, records), truth, records))
    return runs.loc[runs["shown"], "area"].tolist()


def test_a_residence_that_no_record_shows_is_no_move_to_find():
    residences = [
        (1, "2019-01-01", "2020-03-01", METROPOLE), (1, "2020-03-01", "2020-09-01", SAGUENAY),
        (1, "2020-09-01", "", QUEBEC),
    ]  # fmt: skip
    rows = [row(1, 1, "M", "2019-06-01", METROPOLE), row(2, 1, "Q", "2020-09-01", QUEBEC, "establishment")]
    assert shown(*truth_of(residences, rows)) == ["metropole", "03"]


@pytest.mark.parametrize(
    ("last", "returns"),
    [
        ({}, True),  # served in person, five months after settling
        ({"service": "information"}, False),
        ({"date": "2022-09-01", "organisation": "Q"}, False),  # an old address of an organisation en région
        ({"service": "information", "place": ("58227", "16", "metropole")}, True),  # no old address
        ({"date_form": "year"}, False),  # may have been before the establishment
        ({"date_form": "unreadable"}, False),
        ({"residence_form": "homonym"}, False),
    ],
)
def test_what_shows_a_return(last, returns):
    place = last.pop("place", METROPOLE)
    residences = [
        (1, "2019-01-01", "2022-01-01", METROPOLE), (1, "2022-01-01", "2022-05-01", QUEBEC),
        (1, "2022-05-01", "", place),
    ]  # fmt: skip
    given = {"organisation": "M", "date": "2022-06-01"} | last
    rows = [
        row(1, 1, "M", "2019-06-01", METROPOLE),
        row(2, 1, "Q", "2022-01-01", QUEBEC, "establishment"),
        row(3, 1, place=place, file="again", **given),
    ]
    assert (shown(*truth_of(residences, rows))[-1] == "metropole") == returns
