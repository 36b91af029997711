"""Counts of what the line decided: every key is there, and persons are in one key each."""

import pandas as pd
import pytest

from trajectories import protect
from trajectories.analysis.portrait import CONFLICT_RULES, KNOWN_TO, PAIRS, decisions
from trajectories.cli import audit
from trajectories.study import Study
from trajectories.tables import CONFLICTS, LINKS, conform

RECORDS = pd.DataFrame(
    {
        "record_id": list("abcdefg"),
        "organisation_id": ["M1", "R1", "R1", "M1", "R1", "R2", "R3"],
    }
)
PERSONS = pd.DataFrame(
    {
        "record_id": list("abcdefg"),
        "person_id": ["P1", "P1", "P1", "P2", "P3", "P3", "P3"],
        "household_id": ["H1", "H1", "H1", "H1", "H2", "H2", "H2"],
    }
)


def pairs(*rows):
    frame = pd.DataFrame(rows, columns=["same", "decision", "reason"])
    return conform(frame.assign(left_id="F1", right_id="F2", relative=0.0), LINKS)


@pytest.fixture
def counted():
    links = pairs(
        (0.999, "linked", None),
        (0.98, "linked", None),
        (0.99, "refused", "same_household"),
        (0.97, "below_threshold", None),  # a reviewer said that they are two
        (0.40, "below_threshold", None),
        (0.001, "below_threshold", None),
    )
    conflicts = conform(pd.DataFrame({"rule": ["old_address", "old_address", "a_new_rule"]}), CONFLICTS)
    found = decisions(RECORDS, PERSONS, links, conflicts, study=Study())
    return found.set_index(["table", "key"])


def test_each_person_counts_once_by_the_organisations_that_know_them(counted):
    assert counted.loc["linkage", "persons"].to_dict() == {"one": 1, "two": 1, "three_or_more": 1}
    assert counted.loc["linkage", "households"].to_dict() == {"one": 1, "two": 1, "three_or_more": 1}


def test_pairs_are_linked_refused_or_doubtful_and_those_that_resemble_nobody_are_not_counted(counted):
    assert counted.loc["links", "persons"].to_dict() == {"linked": 2, "refused": 2, "doubtful": 1}
    assert counted.loc["links", "households"].isna().all()


def test_every_rule_has_its_number_and_a_rule_unknown_here_is_kept(counted):
    expected = dict.fromkeys(CONFLICT_RULES, 0) | {"old_address": 2, "a_new_rule": 1}
    assert counted.loc["conflicts", "persons"].to_dict() == expected


def test_a_persons_story_has_words_for_every_rule():
    assert set(audit._RULE) == set(CONFLICT_RULES)


def test_nothing_decided_is_a_zero_of_each_key_and_can_be_protected():
    found = decisions(RECORDS[:0], PERSONS[:0], pairs(), conform(pd.DataFrame(), CONFLICTS), study=Study())
    assert found["key"].tolist() == [*KNOWN_TO, *PAIRS, *CONFLICT_RULES]
    assert protect(found).frame["persons_rounded"].eq(0).all()


def test_small_numbers_of_persons_and_of_decisions_are_hidden(counted):
    told = protect(counted.reset_index()).frame.set_index(["table", "key"])
    assert not told.loc["linkage", "shown"].any()
    assert not told.loc["links", "shown"].any()
    assert told.loc["conflicts", "shown"].to_dict() == {
        "old_address": False, "possible_return": True, "possible_visit": True, "a_new_rule": False,
        "establishment_dates": True,
        "presence_before_establishment": True, "departure_before_presence": True, "departure_already_known": True,
    }  # fmt: skip
