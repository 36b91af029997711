"""What is known of the course of a stay: rows of deposits in, contacts and what was set aside out. One rule a test.

43027 is Sherbrooke (region 05), 23027 Québec (03), 66023 Montréal. Months are calendar months.
"""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st
from random_rows import random_rows, text_of
from tables_in import assert_table, records_and_persons

from examples import examples
from trajectories import Study, build_cohort, build_spells, tables
from trajectories.stays.contacts import until_report
from trajectories.stays.observations import is_departure

NOTHING = "reason"


# ── scheduled contacts and services ───────────────────────────────────────────────────────────────────────
def test_a_scheduled_contact_is_a_row_with_a_status(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05-03  | 43027       |            |             |
        R1  |             |             | 2021-08-03 | present     | 43027
        R1  |             |             | 2021-11-03 | not_reached | 43027
        R1  |             |             | 2022-05-03 | left        | 43027
    """)
    assert_table(found.contacts, """
        month | kind    | organisation_id | cause
        3     | present | R1              |
        6     | failed  | R1              |
        12    | left    | R1              | unknown_destination
    """)  # fmt: skip
    assert_table(found.set_aside, NOTHING)


def test_a_follow_up_service_without_a_status_is_a_service(cohort):
    found = cohort("""
        org | established | destination | service    | what                      | residence | status
        R1  | 2021-05-03  | 43027       |            |                           |           |
        R1  |             |             | 2021-07-03 | post_settlement_follow_up | 43027     |
        R1  |             |             | 2021-08-03 | post_settlement_follow_up | 43027     | present
    """)
    assert_table(found.contacts, """
        month | kind
        2     | service
        3     | present
    """)  # fmt: skip


def test_a_service_of_the_metropole_is_none_of_the_stay(cohort):
    found = cohort("""
        org | established | destination | service    | what        | residence
        R1  | 2021-05-03  | 43027       |            |             |
        M1  |             |             | 2021-07-03 | information | 43027
    """)
    assert_table(found.contacts, "month | kind")


def test_an_uncertain_start_counts_from_its_middle_whatever_the_outcome(cohort):
    # May has 31 days: its middle is the 16th
    found = cohort("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05     | 43027       |            |             |
        R1  |             |             | 2021-08-31 | present     | 43027
        R1  |             |             | 2021-11-16 | not_reached | 43027
        R1  |             |             | 2022-06-01 | left        | 43027
    """)
    assert_table(found.contacts, """
        month | kind
        3.48  | present
        6     | failed
        12.52 | left
    """)  # fmt: skip


def test_a_contact_dated_before_the_establishment_is_of_no_stay(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05-03  | 43027       |            |             |
        R1  |             |             | 2021-04-03 | not_reached | 43027
    """)
    assert_table(found.contacts, "month | kind")
    assert_table(found.set_aside, """
        episode | kind   | reason
                | failed | no_stay
    """)  # fmt: skip


def test_a_contact_within_the_start_is_of_month_0(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05     | 43027       |            |             |
        R1  |             |             | 2021-05-10 | not_reached | 43027
    """)
    assert_table(found.contacts, """
        month | kind
        0     | failed
    """)  # fmt: skip


def test_what_is_after_the_cut_off_is_not_used(cohort):
    rows = """
        org | established | destination | follow_up  | status      | residence | exit       | to    | filed
        R1  | 2021-05-03  | 43027       |            |             |           |            |       |
        R1  |             |             | 2022-05-03 | not_reached | 43027     |            |       |
        R1  |             |             |            |             | 43027     | 2022-04-03 | 66023 | 2022-04-20
    """
    found = cohort(rows, cutoff="2022-03-31")
    assert_table(found.contacts, "month | kind")
    assert_table(found.set_aside, NOTHING)


def test_the_same_outcome_twice_on_a_day_is_one_contact(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05-03  | 43027       |            |             |
        R1  |             |             | 2021-08-03 | not_reached | 43027
        R1  |             |             | 2021-08-03 | not_reached | 43027
        R2  |             |             | 2021-08-03 | not_reached | 43027
    """)
    assert_table(found.contacts, """
        month | kind   | organisation_id
        3     | failed | R1
        3     | failed | R2
    """)  # fmt: skip
    assert_table(found.set_aside, """
        month | kind   | organisation_id | reason
        3     | failed | R1              | repeats_contact
    """)  # fmt: skip


def test_a_contact_without_a_day_is_of_its_quarter(cohort):
    # fiscal T3 is October to December: a contact is of its middle, whatever the outcome
    found = cohort("""
        person | org | established | destination | status      | residence | quarter
        a      | R1  | 2021-04-01  | 43027       |             |           |
        a      | R1  |             |             | not_reached | 43027     | 2021-2022 T3
        b      | R1  | 2021-04-01  | 43027       |             |           |
        b      | R1  |             |             | left        | 43027     | 2021-2022 T3
    """)
    assert_table(found.contacts, """
        person_id | month | kind
        a         | 7.47  | failed
        b         | 7.47  | left
    """)  # fmt: skip


# ── which stay a row is about ─────────────────────────────────────────────────────────────────────────────
TWO_REGIONS = """
        org | established | destination | follow_up  | status      | residence | exit       | to
        R1  | 2021-05-03  | 43027       |            |             |           |            |
        R1  |             |             |            |             | 43027     | 2021-11-03 | 23027
        R2  | 2021-11-03  | 23027       |            |             |           |            |
        R2  |             |             | 2022-05-03 | present     | 23027     |            |
        R1  |             |             | 2022-05-03 | not_reached |           |            |
        R2  |             |             | 2022-11-03 | not_reached |           |            |
"""


def test_a_row_is_about_the_stay_of_the_region_it_names_or_of_its_file(cohort):
    found = cohort(TWO_REGIONS)
    assert_table(found.contacts, """
        episode | month | kind    | organisation_id | cause
        1       | 6     | news    | R1              | other_region
        1       | 12    | failed  | R1              |
        2       | 6     | present | R2              |
        2       | 12    | failed  | R2              |
    """)  # fmt: skip
    assert_table(found.set_aside, """
        episode | month | kind   | organisation_id | reason
        1       | 6     | news   | R2              | heard_before
    """)  # fmt: skip


def test_anywhere_en_region_another_region_is_no_departure(cohort):
    found = cohort(TWO_REGIONS, scope="any_region")
    assert_table(found.contacts, """
        episode | month | kind    | organisation_id
        1       | 12    | failed  | R1
        1       | 12    | present | R2
        1       | 18    | failed  | R2
    """)  # fmt: skip
    assert_table(found.set_aside, """
        episode | month | kind | organisation_id | reason
        1       | 6     | news | R1              | stays_inside
    """)  # fmt: skip


def test_anywhere_en_region_parti_for_another_region_is_a_presence(cohort):
    rows = """
        org | established | destination | follow_up  | status  | residence | to
        R1  | 2021-05-03  | 43027       |            |         |           |
        R1  |             |             | 2021-11-03 | left    | 43027     | 23027
        R2  |             |             | 2022-05-03 | present | 23027     |
    """
    assert_table(cohort(rows, scope="any_region").contacts, """
        episode | month | kind    | organisation_id
        1       | 6     | present | R1
        1       | 12    | present | R2
    """)  # fmt: skip
    assert_table(cohort(rows).contacts, """
        episode | month | kind    | organisation_id | cause
        1       | 6     | left    | R1              | other_region
        2       | 9     | present | R2              |
    """)  # fmt: skip


def test_parti_for_another_town_of_the_region_is_a_presence(cohort):
    # Magog (45072) is in the region of Sherbrooke
    found = cohort("""
        org | established | destination | follow_up  | status  | residence | to    | exit       | filed
        R1  | 2021-05-03  | 43027       |            |         |           |       |            |
        R1  |             |             | 2021-11-03 | left    | 43027     | 45072 |            |
        R1  |             |             |            |         | 43027     | 45072 | 2021-10-03 | 2022-01-15
    """)
    assert_table(found.contacts, """
        month | kind    | cause
        6     | present |
    """)  # fmt: skip
    assert_table(found.set_aside, """
        kind | reason
        news | stays_inside
    """)  # fmt: skip


def test_a_departure_told_after_the_return_is_news_of_the_first_stay(cohort):
    found = cohort("""
        org | established | destination | exit    | to    | residence | filed      | follow_up  | status
        R1  | 2021-05-03  | 43027       |         |       |           |            |            |
        R1  | 2022-05-03  | 43027       |         |       |           |            |            |
        R1  |             |             | 2021-11 | 66023 | 43027     | 2022-07-03 |            |
        R1  |             |             |         |       | 43027     |            | 2022-08-03 | present
    """)
    assert_table(found.contacts, """
        episode | month | kind    | cause     | departure_earliest | departure_latest
        1       | 14    | news    | metropole | 5.94               | 6.9
        2       | 3     | present |           |                    |
    """)  # fmt: skip


def test_a_parti_that_is_dated_before_the_stay_is_of_the_day_of_the_call(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status | residence | exit
        R1  | 2021-05-03  | 43027       |            |        |           |
        R1  |             |             | 2022-05-03 | left   | 43027     | 2012-02-03
    """)
    assert_table(found.contacts, """
        month | kind | departure_earliest | departure_latest
        12    | left |                    |
    """)  # fmt: skip


def test_a_failed_call_is_about_the_stay_whatever_old_address_its_file_prints(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05-03  | 43027       |            |             |
        M1  |             |             | 2021-08-03 | not_reached | 66023
    """)
    assert_table(found.contacts, """
        month | kind   | organisation_id
        3     | failed | M1
    """)  # fmt: skip
    assert found.cohort["lost"].tolist() == ["contact"]


def test_present_beside_an_old_address_is_a_contact_with_the_stay(cohort):
    found = cohort("""
        org | service    | what        | established | destination | follow_up  | status  | residence
        M1  | 2021-03-03 | information |             |             |            |         | 66023
        R1  |            |             | 2021-05-03  | 43027       |            |         |
        M1  |            |             |             |             | 2021-08-03 | present | 66023
    """)
    assert_table(found.contacts, """
        month | kind    | organisation_id
        3     | present | M1
    """)  # fmt: skip
    assert_table(found.cohort, """
        lower | upper
        3     | inf
    """)  # fmt: skip


def test_leaving_the_metropole_is_no_news_of_leaving_the_region(cohort):
    found = cohort("""
        org | established | destination | residence | exit       | to    | filed
        R1  | 2021-05-03  | 43027       |           |            |       |
        M1  |             |             | 66023     | 2021-05-10 | 43027 | 2021-07-15
    """)
    assert_table(found.contacts, "month | kind")
    assert_table(found.set_aside, """
        kind | reason
        news | stays_inside
    """)  # fmt: skip


def test_a_row_about_someone_of_the_household_is_not_about_another(cohort):
    found = cohort("""
        person | household | org | established | destination | exit       | to    | residence | filed
        a      | H         | R1  | 2021-05-03  | 43027       |            |       |           |
        b      | H         | R1  | 2021-05-03  | 43027       |            |       |           |
        a      | H         | R1  |             |             | 2021-11-03 | 66023 | 43027     | 2022-01-03
    """)
    assert_table(found.contacts, """
        person_id | month | kind
        a         | 8     | news
    """)  # fmt: skip


# ── news ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_news_counts_from_its_deposit_else_from_the_end_of_its_quarter(cohort):
    found = cohort("""
        person | org | established | destination | exit    | to    | residence | filed      | quarter
        a      | R1  | 2021-04-30  | 43027       |         |       |           |            |
        a      | R1  |             |             | 2021-10 | 66023 | 43027     | 2022-01-30 | 2021-2022 T3
        b      | R1  | 2021-04-30  | 43027       |         |       |           |            |
        b      | R1  |             |             | 2021-06 | 66023 | 43027     |            | 2021-2022 T2
    """)
    assert_table(found.contacts, """
        person_id | month | kind
        a         | 9     | news
        b         | 5     | news
    """)  # fmt: skip


def test_a_departure_told_ahead_is_news_on_the_day_it_happens(cohort):
    found = cohort("""
        org | established | destination | exit       | to    | residence | filed
        R1  | 2021-05-03  | 43027       |            |       |           |
        R1  |             |             | 2021-11-03 | 66023 | 43027     | 2021-10-15
    """)
    assert_table(found.contacts, """
        month | kind | departure_earliest | departure_latest
        6     | news | 6                  | 6
    """)  # fmt: skip


def test_of_one_news_heard_twice_the_first_enters(cohort):
    found = cohort("""
        org | established | destination | exit    | to    | residence | filed
        R1  | 2021-05-03  | 43027       |         |       |           |
        R1  |             |             | 2021-11 | 66023 | 43027     | 2022-05-03
        R2  |             |             | 2021-11 | 66023 | 43027     | 2022-02-03
    """)
    assert_table(found.contacts, """
        month | kind | organisation_id
        9     | news | R2
    """)  # fmt: skip
    assert_table(found.set_aside, """
        month | kind | organisation_id | reason
        12    | news | R1              | heard_before
    """)  # fmt: skip


def test_the_first_news_takes_the_destination_and_the_date_that_others_tell(cohort):
    found = cohort("""
        org | established | destination | exit    | to      | residence | exit_reason | filed
        R1  | 2021-05-03  | 43027       |         |         |           |             |
        R1  |             |             |         | unknown | 43027     |             | 2022-02-03
        R1  |             |             | 2021-11 | 66023   | 43027     | job         | 2022-05-03
    """)
    assert_table(found.contacts, """
        month | kind | cause     | departure_earliest | departure_latest
        9     | news | metropole | 5.94               | 6.9
    """)  # fmt: skip


def test_a_departure_row_after_its_own_partis_is_none_and_another_organisations_comes_too_late(cohort):
    found = cohort("""
        org | established | destination | exit    | to    | residence | follow_up  | status | filed
        R1  | 2021-05-03  | 43027       |         |       |           |            |        |
        R1  |             |             |         |       | 43027     | 2022-05-03 | left   | 2022-07-15
        R1  |             |             | 2022-02 | 66023 | 43027     |            |        | 2022-07-15
        R2  |             |             | 2022-02 | 66023 | 43027     |            |        | 2022-08-03
    """)
    assert_table(found.contacts, """
        month | kind | cause     | departure_earliest | departure_latest
        12    | left | metropole | 8.94               | 9.89
    """)  # fmt: skip
    assert_table(found.set_aside, """
        month | kind | organisation_id | reason
        14.39 | news | R1              | repeats_contact
        15    | news | R2              | after_departure
    """)  # fmt: skip


def test_news_before_the_parti_of_its_organisation_speaks_first(cohort):
    found = cohort("""
        org | established | destination | exit    | to    | residence | follow_up  | status | filed
        R1  | 2021-05-03  | 43027       |         |       |           |            |        |
        R1  |             |             | 2022-02 | 66023 | 43027     |            |        | 2022-04-03
        R1  |             |             |         |       | 43027     | 2022-05-03 | left   | 2022-07-15
    """)
    assert_table(found.contacts, """
        month | kind
        11    | news
        12    | left
    """)  # fmt: skip
    assert found.set_aside.empty
    assert until_report(found.contacts)["kind"].tolist() == ["news"]


def test_a_service_elsewhere_after_the_return_is_news_when_it_was_filed(cohort):
    found = cohort("""
        org | established | destination | service    | what       | residence | filed
        R1  | 2021-05-03  | 43027       |            |            |           |
        M1  |             |             | 2022-03-01 | job_search | 66023     | 2022-05-03
        M1  |             |             | 2022-03-20 | job_search | 66023     | 2022-05-03
    """)
    assert_table(found.contacts, """
        month | kind | organisation_id | cause     | departure_latest
        12    | news | M1              | metropole |
    """)  # fmt: skip
    # the second is one more day there, no more news
    assert_table(found.set_aside, NOTHING)


def test_a_presence_found_elsewhere_is_news_and_no_presence_in_the_stay(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status  | residence | filed
        R1  | 2021-05-03  | 43027       |            |         |           |
        M1  |             |             | 2022-03-03 | present | 66023     | 2022-04-03
    """)
    assert_table(found.contacts, """
        month | kind | organisation_id | cause
        11    | news | M1              | metropole
    """)  # fmt: skip


def test_an_establishment_that_another_region_reports_is_news(cohort):
    found = cohort("""
        org | established | destination | filed
        R1  | 2021-05-03  | 43027       |
        R2  | 2021-11-03  | 23027       | 2022-02-03
    """)
    assert_table(found.contacts, """
        episode | month | kind | organisation_id | cause
        1       | 9     | news | R2              | other_region
    """)  # fmt: skip


def test_a_presence_in_an_area_that_may_be_metropolitan_is_none_in_another_region(cohort):
    # region 16 is part metropole
    found = cohort("""
        org | established | destination | follow_up  | status  | residence | filed
        R1  | 2021-05-03  | 43027       |            |         |           |
        R1  |             |             | 2021-11-03 | present | area 16   | 2022-01-03
    """)
    assert_table(found.contacts, """
        month | kind | cause
        8     | news | unknown_destination
    """)  # fmt: skip


def test_an_old_address_is_no_news(cohort):
    found = cohort("""
        org | established | destination | service    | what        | residence | filed
        M1  |             |             | 2021-03-03 | information | 66023     | 2021-04-15
        R1  | 2021-05-03  | 43027       |            |             |           |
        M1  |             |             | 2021-07-03 | information | 66023     | 2021-10-15
    """)
    assert_table(found.contacts, "month | kind")


def test_a_death_is_no_news_and_ends_what_can_be_heard(cohort):
    found = cohort("""
        org | established | destination | exit       | exit_reason | residence | filed      | follow_up  | status
        R1  | 2021-05-03  | 43027       |            |             |           |            |            |
        R1  |             |             | 2022-02-03 | death       | 43027     | 2022-04-15 |            |
        R1  |             |             |            |             | 43027     |            | 2022-05-03 | not_reached
    """)
    assert_table(found.contacts, "month | kind")
    assert_table(found.set_aside, """
        month | kind   | reason
        11.4  | news   | death
        12    | failed | after_heard_until
    """)  # fmt: skip
    assert_table(found.cohort, """
        lower | exit | heard_until | cutoff
        9     |      | 9           | 31.9
    """)  # fmt: skip


# ── contradictions ────────────────────────────────────────────────────────────────────────────────────────
def test_a_presence_from_the_parti_on_is_set_aside(cohort):
    # on the same day one organisation finds somebody and another is told that they have left
    found = cohort("""
        org | established | destination | follow_up  | status  | residence
        R1  | 2021-05-03  | 43027       |            |         |
        R1  |             |             | 2022-05-03 | left    | 43027
        R2  |             |             | 2022-05-03 | present | 43027
    """)
    assert "left" in found.contacts["kind"].tolist()
    assert_table(found.set_aside, """
        month | kind    | organisation_id | reason
        12    | present | R2              | contradicts
    """)  # fmt: skip


def test_a_presence_after_the_day_of_a_dated_departure_is_set_aside(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status  | residence | exit    | to    | filed
        R1  | 2021-05-03  | 43027       |            |         |           |         |       |
        R1  |             |             | 2021-11-03 | present | 43027     |         |       |
        R2  |             |             | 2022-05-03 | present | 43027     |         |       |
        R1  |             |             |            |         | 43027     | 2022-02 | 66023 | 2022-08-03
    """)
    assert_table(found.contacts, """
        month | kind    | organisation_id | departure_earliest | departure_latest
        6     | present | R1              |                    |
        15    | news    | R1              | 8.94               | 9.89
    """)  # fmt: skip
    assert_table(found.set_aside, """
        month | kind    | organisation_id | reason
        12    | present | R2              | contradicts
    """)  # fmt: skip


def test_calls_after_a_report_tell_whether_it_was_true(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status      | residence | exit    | to    | filed
        R1  | 2021-05-03  | 43027       |            |             |           |         |       |
        R1  |             |             |            |             | 43027     | 2022-02 | 66023 | 2022-04-03
        R1  |             |             | 2022-05-03 | not_reached | 43027     |         |       |
        R1  |             |             | 2023-05-03 | not_reached | 43027     |         |       |
    """)
    assert_table(found.contacts, """
        month | kind
        11    | news
        12    | failed
        24    | failed
    """)  # fmt: skip
    assert until_report(found.contacts)["kind"].tolist() == ["news"]


# ── entry, and until when a stay is heard of ──────────────────────────────────────────────────────────────
def test_a_late_registration_enters_late(cohort):
    # noted in October that they settled in May: those who left in between would never have been noted
    found = cohort("""
        org | established | destination | service    | residence
        R1  | 2021-05-03  | 43027       | 2021-10-03 | 66023
    """)
    assert_table(found.cohort, """
        entry | lower | upper
        5     | 5     | inf
    """)  # fmt: skip


def test_an_establishment_noted_ahead_is_followed_from_its_start(cohort):
    found = cohort("""
        org | established | destination | service    | residence
        M1  | 2021-05-03  | 43027       | 2021-04-20 | 66023
        R1  | 2021-05-03  | 43027       | 2021-10-03 | 66023
    """)
    assert_table(found.cohort, """
        entry | organisation_id
        0     | M1
    """)  # fmt: skip


def test_an_establishment_without_a_day_of_its_own_is_noted_in_its_quarter(cohort):
    found = cohort("""
        person | org | established | destination | quarter
        a      | R1  | 2021-05-01  | 43027       | 2021-2022 T1
        b      | R1  | 2021-05-01  | 43027       | 2021-2022 T3
    """)
    assert_table(found.cohort, """
        person_id | entry
        a         | 0
        b         | 5
    """)  # fmt: skip


def test_who_was_noted_after_the_departure_was_never_at_risk(cohort):
    found = cohort("""
        org | established | destination | service    | residence | exit       | to    | filed
        R1  | 2021-05-03  | 43027       | 2021-10-03 | 66023     |            |       |
        R2  |             |             |            | 43027     | 2021-08-03 | 66023 | 2021-11-03
    """)
    assert_table(found.cohort, """
        entry | lower | upper
        3     | 3     | 3
    """)  # fmt: skip


def test_the_first_contact_is_one_in_the_region_of_the_stay(cohort):
    found = cohort("""
        org | established | destination | service    | residence
        R1  | 2021-05-03  | 43027       |            |
        R1  |             |             | 2021-08-03 | 43027
        R2  |             |             | 2021-11-03 | 23027
    """)
    assert_table(found.cohort, """
        episode | region | organisation_id | entry
        1       | 05     | R1              | 0
        2       | 03     | R2              | 0
    """)  # fmt: skip


DEPOSITED = """
        person | org | established | destination | residence | exit       | to    | filed      | quarter      | service
        z      | M1  |             |             | 66023     |            |       |            | 2022-2023 T4 | 2023-02-01
        y      | R2  |             |             | 43027     |            |       |            | 2022-2023 T4 | 2023-02-01
        a      | R1  | 2021-04-30  | 43027       |           |            |       |            | 2021-2022 T1 |
        b      | R1  | 2021-04-30  | 43027       |           |            |       |            | 2021-2022 T1 |
        b      | R1  |             |             | 43027     | 2021-08-10 | 66023 | 2021-10-20 | 2021-2022 T2 |
        c      | R1  | 2021-04-30  | 43027       |           |            |       |            | 2021-2022 T1 |
        c      | R2  |             |             | 43027     | 2021-08-10 | 66023 | 2023-02-20 | 2022-2023 T4 |
        d      | R1  | 2021-04-30  | 43027       |           |            |       |            | 2021-2022 T1 |
        d      | R2  |             |             | 43027     |            |       |            | 2022-2023 T3 | 2022-10-31
        e      | M1  | 2021-04-30  | 43027       |           |            |       |            | 2021-2022 T1 |
"""


def test_a_stay_is_heard_of_until_the_last_deposit_of_those_who_could_tell(cohort):
    # R1 deposits no more after September 2021, R2 and M1 go on to the end
    found = cohort(DEPOSITED, cutoff="2023-03-31")
    stays = found.cohort[~found.cohort["person_id"].isin(["y", "z"])]
    # c: who tells because something happened is nobody who would have told that nothing did; e: nobody could tell
    assert_table(stays, """
        person_id | heard_until | cutoff
        a         | 5           | 23.03
        b         | 5           | 23.03
        c         | 5           | 23.03
        d         | 23.03       | 23.03
        e         | 0           | 23.03
    """)  # fmt: skip


def test_news_of_a_last_deposit_counts_to_its_quarter_and_later_news_of_others_does_not_enter(cohort):
    found = cohort(DEPOSITED, cutoff="2023-03-31")
    assert_table(found.contacts[found.contacts["kind"].eq("news")], """
        person_id | month | organisation_id
        b         | 5     | R1
    """)  # fmt: skip
    assert_table(found.set_aside, """
        person_id | kind | organisation_id | reason
        c         | news | R2              | after_heard_until
    """)  # fmt: skip


def test_without_quarters_everyone_may_tell_until_the_cut_off(cohort):
    found = cohort("""
        org | established | destination
        R1  | 2021-05-03  | 43027
    """, cutoff="2022-05-03")  # fmt: skip
    assert_table(found.cohort, """
        heard_until | cutoff
        12          | 12
    """)  # fmt: skip


def test_roles_are_those_that_follow_from_ages(cohort):
    found = cohort("""
        person | household | org | established | destination | born
        a      | H         | R1  | 2021-05-03  | 43027       | 1985-02-03
        b      | H         | R1  | 2021-05-03  | 43027       | 2003-05-04
        c      | I         | R1  | 2021-05-03  | 43027       | 1985-02-03
        d      | I         | R1  | 2021-05-03  | 43027       | 2003-05-03
        e      | J         | R1  | 2021-05-03  | 43027       | 1985-02-03
        f      | J         | R1  | 2021-05-03  | 43027       |
    """)
    assert_table(found.cohort, """
        person_id | role
        a         | principal
        b         | child
        c         |
        d         |
        e         |
        f         |
    """)  # fmt: skip


# ── whatever is deposited ─────────────────────────────────────────────────────────────────────────────────
STUDY = Study(cutoff=dt.date(2023, 12, 31))
SEEDS = st.integers(0, 10**6)
SCOPES = st.sampled_from(["region", "any_region"])
# A seed does not shrink to anything simpler.
MANY = examples(6, phases=[Phase.explicit, Phase.generate])
NO_ID = [name for name in tables.CONTACTS.columns if name != "record_id"]


def drawn(records, persons, scope="region", study=STUDY):
    study = replace(study, scope=scope)
    return build_cohort(build_spells(records, persons, study=study), records, persons, study=study)


def many(seed, persons=70):
    return records_and_persons(text_of(random_rows(seed, persons)))


@MANY
@given(SEEDS, SCOPES)
def test_every_status_and_departure_is_entered_or_set_aside_once_and_one_report_speaks(seed, scope):
    records, persons = many(seed)
    found = drawn(records, persons, scope)
    tables.check(found.contacts, tables.CONTACTS)
    tables.check(found.set_aside, tables.SET_ASIDE)
    own = persons.set_index("record_id")["person_id"].reindex(records["record_id"])
    with_stay = own.isin(found.cohort["person_id"]).to_numpy()
    tells = records[with_stay & (records["follow_up_status"].notna() | is_departure(records))]
    kept = pd.concat([found.contacts, found.set_aside])
    assert set(tells["record_id"]) <= set(kept["record_id"])
    # a sighting elsewhere may be news of one stay and a service of the next
    assert not kept.duplicated(["record_id", "episode"]).any()
    assert not (found.cohort["establishment_earliest"] > found.cohort["establishment_latest"]).any()
    assert (found.cohort["heard_until"] >= found.cohort["entry"]).all()
    assert (found.cohort["heard_until"] <= found.cohort["cutoff"]).all()
    contacts = found.contacts.merge(found.cohort[["person_id", "episode", "heard_until"]], on=["person_id", "episode"])
    assert (contacts["month"] <= contacts["heard_until"]).all()
    dated = contacts.dropna(subset=["departure_latest"])
    assert (dated["departure_earliest"] <= dated["departure_latest"]).all()
    one_report_speaks_and_contacts_alone_come_after_it(found.contacts)


def one_report_speaks_and_contacts_alone_come_after_it(contacts):
    keys = ["person_id", "episode"]
    told = contacts[contacts["kind"].isin(["left", "news"])]
    assert not told[told["kind"].eq("news")].duplicated(keys).any()
    first = until_report(contacts)
    assert not first[first["kind"].eq("left")].duplicated(keys).any()
    after = contacts.drop(first.index)
    assert after["kind"].isin(["present", "left", "failed"]).all()
    assert told["cause"].notna().all()
    assert contacts.loc[~contacts["kind"].isin(["left", "news"]), ["cause", "departure_latest"]].isna().all(axis=None)


@pytest.mark.thorough
@MANY
@given(SEEDS, SCOPES)
def test_the_order_of_rows_never_matters(seed, scope):
    records, persons = many(seed)
    rng = np.random.default_rng(seed)
    first = drawn(records, persons, scope)
    again = drawn(
        records.iloc[rng.permutation(len(records))].reset_index(drop=True),
        persons.iloc[rng.permutation(len(persons))],
        scope,
    )
    for name in ("cohort", "contacts", "set_aside"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))


@pytest.mark.thorough
@MANY
@given(SEEDS, st.integers(-1500, 1500), st.sampled_from([-4, 4, 8]))
def test_shifting_all_dates_changes_no_decision_and_by_whole_months_nothing(seed, days, years):
    first, again = drawn(*many(seed)), shifted(seed, days)
    for name, columns in (("contacts", []), ("set_aside", ["reason"])):
        columns = ["record_id", "episode", "kind", "organisation_id", "cause", *columns]
        frames = (getattr(found, name)[columns].sort_values(columns, ignore_index=True) for found in (first, again))
        pd.testing.assert_frame_equal(*frames)
    # four years are the same calendar again, so a day has the same number in its month
    again = shifted(seed, years * 1461 // 4)
    months = ["entry", "lower", "upper", "cutoff", "heard_until", "lost_month"]
    pd.testing.assert_frame_equal(first.cohort[months], again.cohort[months])
    pd.testing.assert_frame_equal(first.contacts, again.contacts)
    pd.testing.assert_frame_equal(first.set_aside, again.set_aside)


def shifted(seed, days):
    records, persons = many(seed)
    shift = pd.Timedelta(days=days)
    later = records.assign(**{name: records[name] + shift for name in records.select_dtypes("datetime")})
    return drawn(later, persons, study=replace(STUDY, cutoff=STUDY.cutoff + shift.to_pytimedelta()))


@pytest.mark.thorough
@MANY
@given(SEEDS, SCOPES)
def test_news_told_again_changes_nothing_but_what_is_set_aside(seed, scope):
    records, persons = many(seed, 120)
    first = drawn(records, persons, scope)
    told = records[is_departure(records) & records["follow_up_status"].isna()]
    ids = {old: f"x{old}" for old in told["record_id"]}
    more = tables.stack([records, told.assign(record_id=told["record_id"].map(ids))], tables.RECORDS)
    theirs = persons[persons["record_id"].isin(ids)]
    again = drawn(more, pd.concat([persons, theirs.assign(record_id=theirs["record_id"].map(ids))]), scope)
    # told twice, a departure from two places may end two spells: contacts are about the stays that there are
    whole = ["person_id", "episode", "municipality", "establishment_earliest", "establishment_latest", "lower", "upper",
             "exit", "heard_until"]  # fmt: skip
    either = pd.concat([first.cohort[whole], again.cohort[whole]])
    other = set(either.loc[~either.duplicated(keep=False), "person_id"])
    # most persons are left to compare: 2 to 25 % are set apart, by the draw
    assert len(other) <= 0.3 * first.cohort["person_id"].nunique()
    one, two = (
        found.contacts.loc[~found.contacts["person_id"].isin(other), NO_ID].reset_index(drop=True)
        for found in (first, again)
    )
    pd.testing.assert_frame_equal(one, two)
    assert len(again.set_aside) > len(first.set_aside)


def test_random_rows_reach_every_reason():
    records, persons = many(1, 500)
    reasons = set(drawn(records, persons).set_aside["reason"])
    assert reasons >= set(tables.ASIDE_REASONS) - {"after_heard_until"}, reasons
