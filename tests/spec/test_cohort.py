"""How stays are drawn and timed: rows of deposits in, cohort rows and contacts out. One rule a test.

The places are those of test_spells.py. Months are calendar months: an anniversary is a whole number.
"""

import pytest
from tables_in import assert_table


def test_an_anniversary_is_a_whole_number_of_months(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status  | residence
        R1  | 2021-05-03  | 43027       |            |         |
        R1  |             |             | 2022-05-03 | present | 43027
    """)
    assert_table(found.cohort, """
        episode | region | entry | lower | upper | exit | lost
        1       | 05     | 0     | 12    | inf   |      | silent
    """)  # fmt: skip
    assert_table(
        found.contacts,
        """
        month | kind
        12    | present
    """,
    )


def test_an_exit_between_two_contacts_is_an_interval(cohort):
    found = cohort("""
        org | service    | residence | established | destination | follow_up  | status
        M1  | 2021-01-10 | 66023     |             |             |            |
        R1  |            |           | 2021-05-03  | 43027       |            |
        R1  |            | 43027     |             |             | 2021-11-03 | present
        R1  |            | 43027     |             |             | 2022-05-03 | left
    """)
    assert_table(
        found.cohort,
        """
        pathway   | origin_region | lower | upper | exit
        secondary | 06            | 6     | 12    | unknown_destination
    """,
    )
    assert_table(
        found.contacts,
        """
        month | kind    | cause
        6     | present |
        12    | left    | unknown_destination
    """,
    )


def test_uncertain_starts_and_ends_widen_the_interval(cohort):
    # established in May (1 to 31), left in November (1 to 30): between 1 Nov − 31 May and 30 Nov − 1 May
    found = cohort("""
        org | established | destination | exit    | to    | residence
        R1  | 2021-05     | 43027       |         |       |
        R1  |             |             | 2021-11 | 66023 | 43027
    """)
    assert_table(
        found.cohort,
        """
        lower | upper | exit
        5.03  | 6.97  | metropole
    """,
    )


def test_an_exact_exit_has_equal_ends(cohort):
    found = cohort("""
        org | established | destination | exit       | to    | residence
        R1  | 2021-05-03  | 43027       |            |       |
        R1  |             |             | 2021-11-03 | 23027 | 43027
    """)
    assert_table(
        found.cohort,
        """
        episode | region | pathway | lower | upper | exit
        1       | 05     | primary | 6     | 6     | other_region
        2       | 03     | onward  | 0     | inf   |
    """,
    )


def test_another_region_is_no_exit_anywhere_en_region(cohort):
    found = cohort("""
        org | established | destination | exit       | to    | residence
        R1  | 2021-05-03  | 43027       |            |       |
        R1  |             |             | 2021-11-03 | 23027 | 43027
    """, scope="any_region")  # fmt: skip
    assert_table(
        found.cohort,
        """
        scope      | episode | region | lower | upper | exit
        any_region | 1       | 05     | 6     | inf   |
    """,
    )


def test_the_perimeter_decides_who_is_en_region(cohort):
    # Saint-Jérôme (75017) is in the RMR of 2021 and not in the CMM
    rows = """
        org | established | destination
        R1  | 2021-05-03  | 75017
    """
    assert cohort(rows).cohort.empty
    assert_table(cohort(rows, perimeter="CMM").cohort, """
        perimeter | region
        CMM       | 15
    """)  # fmt: skip


def test_zones_are_those_of_the_study_whatever_the_records_were_read_for():
    from tables_in import records_and_persons

    from trajectories import Study, build_cohort, build_spells

    records, persons = records_and_persons(
        """
        org | established | destination
        R1  | 2021-05-03  | 75017
    """,
        perimeter="RMR-2021",
    )
    found = build_spells(records, persons, study=Study(perimeter="CMM"))
    assert_table(found.spells, """
        municipality | zone
        75017        | region
    """)  # fmt: skip
    assert build_cohort(found, records, persons).cohort["perimeter"].tolist() == ["CMM"]
    with pytest.raises(ValueError, match="build the spells again"):
        build_cohort(found, records, persons, study=Study(perimeter="RMR-2021"))


def test_someone_first_seen_later_enters_late(cohort):
    found = cohort("""
        org | follow_up  | status  | residence | established | destination | service
        R1  | 2021-11-03 | present | 43027     |             |             |
        R1  | 2022-05-03 | present | 43027     |             |             |
        R1  |            |         | 43027     |             |             | 2021-05-03
    """)
    assert found.cohort["entry"].tolist() == [0.0]


def test_a_start_wider_than_three_months_is_kept_and_left_out(cohort):
    found = cohort("""
        person | org | established | destination
        a      | R1  | 2021        | 43027
        b      | R1  | 2021-05     | 43027
    """)
    assert_table(
        found.cohort,
        """
        person_id | excluded
        a         | start_wider_than_3_months
        b         |
    """,
    )


def test_no_later_contact_is_no_reason_to_leave_out(cohort):
    found = cohort("""
        org | established | destination
        R1  | 2021-05-03  | 43027
    """)
    assert_table(
        found.cohort,
        """
        entry | lower | upper | excluded | lost
        0     | 0     | inf   |          | silent
    """,
    )


def test_lost_by_contact_and_in_silence_are_two_classes(cohort):
    found = cohort("""
        person | org | established | destination | follow_up  | status      | residence
        a      | R1  | 2021-05-03  | 43027       |            |             |
        a      | R1  |             |             | 2021-08-03 | present     | 43027
        a      | R1  |             |             | 2021-11-03 | not_reached | 43027
        b      | R1  | 2021-05-03  | 43027       |            |             |
        b      | R1  |             |             | 2021-08-03 | present     | 43027
    """)
    assert_table(
        found.cohort,
        """
        person_id | lower | lost    | lost_month
        a         | 3     | contact | 6
        b         | 3     | silent  | 6
    """,
    )


def test_a_contact_that_is_not_yet_due_loses_nobody(cohort):
    found = cohort("""
        org | established | destination | follow_up  | status  | residence
        R1  | 2021-05-03  | 43027       |            |         |
        R1  |             |             | 2021-08-03 | present | 43027
    """, cutoff="2021-10-31")  # fmt: skip
    assert_table(
        found.cohort,
        """
        lower | upper | lost
        3     | inf   |
    """,
    )


def test_death_censors(cohort):
    found = cohort("""
        org | established | destination | exit       | exit_reason | residence
        R1  | 2021-05-03  | 43027       |            |             |
        R1  |             |             | 2022-02-03 | death       | 43027
    """)
    assert_table(
        found.cohort,
        """
        lower | upper | exit | lost
        9     | inf   |      |
    """,
    )


def test_coming_back_to_the_region_is_a_second_stay(cohort):
    found = cohort("""
        org | established | destination | exit       | to    | residence
        R1  | 2021-05-03  | 43027       |            |       |
        R1  |             |             | 2021-11-03 | 66023 | 43027
        R1  | 2022-05-03  | 43027       |            |       |
    """)
    assert_table(
        found.cohort,
        """
        episode | pathway     | lower | upper | exit
        1       | primary     | 6     | 6     | metropole
        2       | return_stay | 0     | inf   |
    """,
    )


def test_late_news_is_dated_by_the_day_it_was_filed(cohort):
    found = cohort("""
        org | established | destination | exit    | to    | residence | filed
        R1  | 2021-05-03  | 43027       |         |       |           |
        R2  |             |             | 2022-02 | 66023 | 43027     | 2022-08-03
    """)
    assert_table(
        found.contacts,
        """
        month | kind | organisation_id | cause     | departure_earliest | departure_latest
        15    | news | R2              | metropole | 8.94               | 9.89
    """,
    )


def test_a_departure_row_that_repeats_its_organisations_parti_is_no_news(cohort):
    found = cohort("""
        org | established | destination | exit    | to    | residence | follow_up  | status | filed
        R1  | 2021-05-03  | 43027       |         |       |           |            |        |
        R1  |             |             |         |       | 43027     | 2022-05-03 | left   | 2022-07-15
        R1  |             |             | 2022-02 | 66023 | 43027     |            |        | 2022-07-15
    """)
    assert_table(
        found.contacts,
        """
        month | kind
        12    | left
    """,
    )


def test_a_service_in_the_metropole_after_a_stay_is_news_of_the_return(cohort):
    found = cohort("""
        org | established | destination | service    | what       | residence | filed
        R1  | 2021-05-03  | 43027       |            |            |           |
        M1  |             |             | 2022-03-01 | job_search | 66023     | 2022-04-20
    """)
    assert_table(
        found.contacts,
        """
        kind | organisation_id | cause
        news | M1              | metropole
    """,
    )
    assert found.contacts["month"].tolist() == pytest.approx([11 + 17 / 30])


def test_covariates_are_those_known_at_establishment(cohort):
    # a job found after 31 days would be immortal time
    found = cohort("""
        person | org | established | destination | service    | residence | job_found
        a      | R1  | 2021-05-03  | 43027       |            |           |
        a      | R1  |             |             | 2021-05-20 | 43027     | yes
        b      | R1  | 2021-05-03  | 43027       |            |           |
        b      | R1  |             |             | 2021-09-20 | 43027     | yes
    """)
    assert_table(
        found.cohort,
        """
        person_id | job_found | period    | city_size
        a         | True      | 2020_2021 | 100k_plus
        b         |           | 2020_2021 | 100k_plus
    """,
    )
