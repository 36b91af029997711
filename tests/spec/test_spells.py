"""How residences are reconstructed: rows of deposits in, spells, moves and conflicts out. One rule a test.

66023 Montréal and 65005 Laval are in the metropole; 43027 Sherbrooke and 45072 Magog are in Estrie (05); 23027 is
Québec (03); 53052 Sorel-Tracy and 58227 Longueuil are both in Montérégie (16), only the second in the metropole.
"""

from tables_in import assert_table


def test_a_move_between_two_observations_stays_an_interval(residences):
    found = residences("""
        org | service    | residence
        M1  | 2021-01-10 | 66023
        R1  | 2021-06-20 | 43027
    """)
    assert_table(found.spells, """
        spell | municipality | zone      | start_earliest | start_latest | end_earliest | end_latest | outcome | destination_zone
        1     | 66023        | metropole |                | 2021-01-10   | 2021-01-10   | 2021-06-20 | moved   | region
        2     | 43027        | region    | 2021-01-10     | 2021-06-20   | 2021-06-20   |            | present |
    """)  # fmt: skip
    assert_table(
        found.moves,
        """
        move | origin_municipality | destination_municipality | kind      | earliest   | latest
        1    | 66023               | 43027                    | secondary | 2021-01-10 | 2021-06-20
    """,
    )


def test_a_reported_establishment_narrows_the_move_to_its_own_precision(residences):
    found = residences("""
        org | service    | residence | established | destination
        M1  | 2021-01-10 | 66023     |             |
        R1  |            |           | 2021-05     | 43027
        R1  | 2021-06-20 | 43027     |             |
    """)
    assert_table(
        found.moves,
        """
        kind      | earliest   | latest
        secondary | 2021-05-01 | 2021-05-31
    """,
    )


def test_who_left_the_metropole_on_a_day_did_not_settle_before_it(residences):
    found = residences("""
        org | service    | residence | left_metropole | established | destination
        M1  | 2021-01-10 | 66023     |                |             |
        M1  |            | 66023     | 2021-05-20     | 2021-05     | 43027
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest
        66023        |                | 2021-01-10
        43027        | 2021-05-20     | 2021-05-31
    """,
    )


def test_the_start_of_someone_first_seen_en_region_is_bounded_by_the_arrival(residences):
    found = residences("""
        org | service    | residence | arrived
        R1  | 2021-06-20 | 43027     | 2021-04-02
    """)
    assert_table(
        found.spells,
        """
        start_earliest | start_latest | last_confirmed | outcome
        2021-04-02     | 2021-06-20   | 2021-06-20     | present
    """,
    )


def test_the_residence_of_an_establishment_row_attests_only_before(residences):
    found = residences("""
        org | residence | established | destination
        R1  | 66023     | 2021-05-03  | 43027
    """)
    assert_table(
        found.spells,
        """
        municipality | zone      | end_earliest | end_latest | outcome
        66023        | metropole | 2021-05-03   | 2021-05-03 | moved
        43027        | region    | 2021-05-03   |            | present
    """,
    )


def test_two_towns_of_one_region_are_two_spells_and_a_move_within(residences):
    found = residences("""
        org | service    | residence
        R1  | 2021-01-10 | 43027
        R1  | 2021-06-20 | 45072
    """)
    assert_table(
        found.moves,
        """
        kind   | origin_region | destination_region
        within | 05            | 05
    """,
    )


def test_zones_are_compared_before_regions(residences):
    found = residences("""
        org | service    | residence
        R1  | 2021-01-10 | 53052
        M1  | 2021-09-20 | 58227
    """)
    assert_table(
        found.moves,
        """
        kind   | origin_region | destination_region
        return | 16            | 16
    """,
    )


def test_boundaries_are_dated_people_do_not_move_when_lines_do(residences):
    # Granby (47017) was typed under Montérégie before 2021-07-28, and is in Estrie for all dates
    found = residences("""
        org | service    | residence
        R1  | 2020-01-10 | 47017
        R1  | 2022-06-20 | 47017
    """)
    assert_table(
        found.spells,
        """
        spell | municipality | region | n_observations
        1     | 47017        | 05     | 2
    """,
    )


def test_a_repeated_address_is_not_news_within_the_grace_period(residences):
    found = residences("""
        org | service    | what        | residence | established | destination
        M1  | 2021-01-10 | information | 66023     |             |
        R1  |            |             |           | 2021-05-03  | 43027
        M1  | 2021-08-15 | information | 66023     |             |
    """)
    assert_table(
        found.spells,
        """
        municipality | outcome
        66023        | moved
        43027        | present
    """,
    )
    assert_table(
        found.conflicts,
        """
        date       | rule
        2021-08-15 | old_address
    """,
    )


def test_beyond_the_grace_period_the_metropolitan_address_is_a_return(residences):
    found = residences("""
        org | service    | what        | residence | established | destination
        R1  |            |             |           | 2021-05-03  | 43027
        M1  | 2022-03-15 | information | 66023     |             |
    """)
    assert_table(
        found.moves,
        """
        kind   | earliest   | latest
        return | 2021-05-03 | 2022-03-15
    """,
    )
    assert found.conflicts.empty


def test_a_service_in_person_in_the_metropole_is_a_return_at_once(residences):
    found = residences("""
        org | service    | what       | residence | established | destination
        R1  |            |            |           | 2021-05-03  | 43027
        M1  | 2021-08-15 | job_search | 66023     |             |
    """)
    assert_table(
        found.moves,
        """
        kind   | earliest   | latest
        return | 2021-05-03 | 2021-08-15
    """,
    )


def test_two_reports_within_31_days_give_the_hull_and_a_conflict(residences):
    found = residences("""
        org | established | destination
        M1  | 2021-05-03  | 43027
        R1  | 2021-05-20  | 43027
    """)
    assert_table(
        found.spells,
        """
        start_earliest | start_latest
        2021-05-03     | 2021-05-20
    """,
    )
    assert_table(
        found.conflicts,
        """
        rule                | kept
        establishment_dates | 2021-05-03/2021-05-20
    """,
    )


def test_two_reports_farther_apart_give_the_earlier_and_a_conflict(residences):
    found = residences("""
        org | established | destination
        R1  | 2021-09-20  | 43027
        M1  | 2021-05-03  | 43027
    """)
    assert_table(
        found.spells,
        """
        start_earliest | start_latest
        2021-05-03     | 2021-05-03
    """,
    )
    assert_table(
        found.conflicts,
        """
        rule                | kept
        establishment_dates | 2021-05-03/2021-05-03
    """,
    )


def test_two_reports_that_overlap_agree(residences):
    found = residences("""
        org | established | destination
        M1  | 2021-05     | 43027
        R1  | 2021-05-20  | 43027
    """)
    assert_table(
        found.spells,
        """
        start_earliest | start_latest
        2021-05-20     | 2021-05-20
    """,
    )
    assert found.conflicts.empty


def test_a_departure_row_with_a_date_ends_the_spell_on_that_date(residences):
    found = residences("""
        org | established | destination | exit       | to    | residence
        R1  | 2021-05-03  | 43027       |            |       |
        R1  |             |             | 2022-02-10 | 23027 | 43027
    """)
    assert_table(
        found.spells,
        """
        municipality | end_earliest | end_latest | outcome
        43027        | 2022-02-10   | 2022-02-10 | moved
        23027        | 2022-02-10   |            | present
    """,
    )
    assert_table(
        found.moves,
        """
        kind   | earliest   | latest
        onward | 2022-02-10 | 2022-02-10
    """,
    )


def test_a_departure_to_an_unknown_place_ends_the_spell_without_a_move(residences):
    found = residences("""
        org | established | destination | follow_up  | status  | residence
        R1  | 2021-05-03  | 43027       |            |         |
        R1  |             |             | 2021-11-05 | present | 43027
        R1  |             |             | 2022-05-04 | left    | 43027
    """)
    assert_table(
        found.spells,
        """
        municipality | end_earliest | end_latest | outcome | destination_zone
        43027        | 2021-11-05   | 2022-05-04 | left    | unknown
    """,
    )
    assert found.moves.empty


def test_leaving_quebec_is_a_move_out_of_quebec(residences):
    found = residences("""
        org | established | destination | exit    | to      | residence
        R1  | 2021-05-03  | 43027       |         |         |
        R1  |             |             | 2022-02 | outside | 43027
    """)
    assert_table(
        found.moves,
        """
        kind          | destination_zone | earliest   | latest
        out_of_quebec | outside_quebec   | 2022-02-01 | 2022-02-28
    """,
    )


def test_a_destination_known_as_a_mixed_area_is_undetermined(residences):
    found = residences("""
        org | established | destination | exit       | to      | residence
        R1  | 2021-05-03  | 43027       |            |         |
        R1  |             |             | 2022-02-10 | area 16 | 43027
    """)
    assert_table(
        found.moves,
        """
        kind         | destination_region | destination_zone
        undetermined | 16                 | unknown
    """,
    )


def test_an_area_stays_where_the_person_is_already_known_to_be(residences):
    found = residences("""
        org | established | destination | service    | residence
        R1  | 2021-05-03  | 43027       |            |
        R1  |             |             | 2021-09-01 | area 05
    """)
    assert_table(
        found.spells,
        """
        municipality | last_confirmed | n_observations
        43027        | 2021-09-01     | 2
    """,
    )


def test_death_censors_and_is_no_move(residences):
    found = residences("""
        org | established | destination | exit       | exit_reason | residence
        R1  | 2021-05-03  | 43027       |            |             |
        R1  |             |             | 2022-02-10 | death       | 43027
    """)
    assert_table(
        found.spells,
        """
        end_earliest | end_latest | outcome
        2022-02-10   | 2022-02-10 | deceased
    """,
    )
    assert found.moves.empty


def test_a_failed_contact_after_the_last_presence_makes_the_spell_lost(residences):
    found = residences("""
        org | established | destination | follow_up  | status      | residence
        R1  | 2021-05-03  | 43027       |            |             |
        R1  |             |             | 2021-11-05 | present     | 43027
        R1  |             |             | 2022-05-04 | not_reached | 43027
    """)
    assert_table(
        found.spells,
        """
        last_confirmed | end_earliest | end_latest | outcome
        2021-11-05     | 2021-11-05   |            | lost
    """,
    )


def test_a_presence_without_an_address_is_where_the_person_settled(residences):
    found = residences("""
        org | established | destination | follow_up  | status
        R1  | 2021-05-03  | 43027       |            |
        R1  |             |             | 2022-05-04 | present
    """)
    assert_table(
        found.spells,
        """
        municipality | last_confirmed
        43027        | 2022-05-04
    """,
    )


def test_a_departure_dated_before_a_presence_and_told_after_it_is_known_by_the_day_it_was_told(residences):
    found = residences("""
        org | established | destination | follow_up  | status  | residence | exit       | to      | filed
        R1  | 2021-05-03  | 43027       |            |         |           |            |         |
        R1  |             |             | 2022-05-04 | present | 43027     |            |         |
        R2  |             |             |            |         | 43027     | 2022-03-01 | outside | 2022-07-15
    """)
    assert_table(
        found.spells,
        """
        municipality | end_earliest | end_latest | outcome
        43027        | 2022-05-04   | 2022-07-15 | moved
                     |              |            | present
    """,
    )
    assert_table(
        found.conflicts,
        """
        rule
        departure_before_presence
    """,
    )


def test_news_of_someone_already_known_elsewhere_begins_no_spell(residences):
    found = residences("""
        org | established | destination | service    | what       | residence | follow_up  | status
        R1  | 2021-05-03  | 43027       |            |            |           |            |
        M1  |             |             | 2021-12-15 | job_search | 65005     |            |
        R1  |             |             |            |            | 43027     | 2022-05-04 | left
    """)
    assert_table(
        found.spells,
        """
        municipality | outcome
        43027        | moved
        65005        | present
    """,
    )


def test_what_happened_after_the_cutoff_is_not_known(residences):
    found = residences("""
        org | established | destination | exit       | to    | residence
        R1  | 2021-05-03  | 43027       |            |       |
        R1  |             |             | 2024-02-10 | 23027 | 43027
    """)
    assert_table(
        found.spells,
        """
        municipality | outcome
        43027        | present
    """,
    )


def test_a_second_departure_to_an_unknown_place_does_not_date_the_first(residences):
    found = residences("""
        org | established | destination | exit    | to      | residence | filed
        R1  | 2021-05-03  | 43027       |         |         |           |
        R1  |             |             |         | unknown | 43027     | 2022-02-02
        R2  |             |             | 2022-04 | unknown | 43027     | 2022-06-30
    """)
    assert_table(
        found.spells,
        """
        municipality | end_earliest | end_latest | outcome
        43027        | 2021-05-03   | 2022-02-02 | left
    """,
    )


def test_a_departure_dated_after_a_presence_at_its_destination_is_not_the_start(residences):
    found = residences("""
        org | service    | what        | residence | exit       | to    | filed
        R1  | 2021-02-02 | information | 43027     |            |       |
        M1  | 2022-03-01 | job_search  | 66023     |            |       |
        M1  |            |             |           | 2022-05-05 | 66023 | 2022-06-30
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | end_earliest | end_latest
        43027        |                | 2021-02-02   | 2021-02-02   | 2022-03-01
        66023        | 2021-02-02     | 2022-03-01   | 2022-05-05   |
    """,
    )


def test_gone_from_one_area_and_seen_in_another_is_a_move(residences):
    found = residences("""
        org | service    | residence | follow_up  | status
        R1  | 2021-02-02 | area 05   |            |
        R1  |            |           | 2021-06-01 | left
        R2  | 2021-09-09 | area 03   |            |
    """)
    assert_table(
        found.moves,
        """
        kind   | origin_region | destination_region | earliest   | latest
        onward | 05            | 03                 | 2021-02-02 | 2021-06-01
    """,
    )


def test_a_spell_begins_after_every_day_known_before_it(residences):
    # the year 2021 of the second row does not undo the day of June on which the person was elsewhere
    found = residences("""
        org | service    | residence | established | destination
        M1  | 2021-06-10 | 66023     |             |
        R1  |            |           | 2021        | 43027
        R2  | 2022-03-01 | 23027     |             |
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | end_earliest | end_latest | last_confirmed
        66023        |                | 2021-06-10   | 2021-06-10   | 2021-12-31 | 2021-06-10
        43027        | 2021-06-10     | 2021-12-31   | 2021-06-10   | 2022-03-01 | 2021-01-01
        23027        | 2021-06-10     | 2022-03-01   | 2022-03-01   |            | 2022-03-01
    """,
    )


def test_a_dated_departure_bounds_the_next_start_even_after_an_undated_spell(residences):
    found = residences("""
        org | established | destination | exit       | to      | residence | filed      | service    | left_metropole
        R1  | 2020-05-03  | 43027       |            |         |           |            |            |
        R1  |             |             |            | 66023   | 43027     | 2021-03-01 |            |
        M1  |             |             |            |         |           |            |            | 2021-04-10
        R2  |             |             |            |         | 23027     |            | 2021-06-20 |
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | end_earliest | end_latest
        43027        | 2020-05-03     | 2020-05-03   | 2020-05-03   | 2021-03-01
        66023        | 2020-05-03     | 2021-03-01   | 2021-04-10   | 2021-04-10
        23027        | 2021-04-10     | 2021-06-20   | 2021-06-20   |
    """,
    )


def test_a_report_kept_against_a_presence_ends_the_spell_before_it_as_it_begins_the_next(residences):
    found = residences("""
        org | service    | residence | established | destination
        M1  | 2021-01-10 | 66023     |             |
        R1  | 2021-04-20 | 43027     |             |
        R1  |            |           | 2021-05     | 43027
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | end_earliest | end_latest
        66023        |                | 2021-01-10   | 2021-05-01   | 2021-05-31
        43027        | 2021-05-01     | 2021-05-31   | 2021-05-01   |
    """,
    )
    assert_table(
        found.conflicts,
        """
        rule                          | kept
        presence_before_establishment | 2021-05-01/2021-05-31
    """,
    )


def test_who_was_said_to_have_gone_there_long_before_did_not_settle_on_the_reported_date(residences):
    found = residences("""
        org | exit       | to    | residence | established | destination
        R1  | 2021-02-10 | 23027 | 43027     |             |
        R2  |            |       |           | 2022-05-03  | 23027
    """)
    assert_table(
        found.spells,
        """
        municipality | start_latest | last_confirmed
        23027        | 2021-02-10   | 2022-05-03
    """,
    )
    assert_table(
        found.conflicts,
        """
        rule                          | kept
        presence_before_establishment | presence
    """,
    )


def test_a_presence_where_a_move_within_the_region_led_contradicts_nothing(residences):
    found = residences("""
        org | established | destination | exit       | to    | residence | filed      | follow_up  | status
        R1  | 2021-05-03  | 43027       |            |       |           |            |            |
        R2  |             |             | 2022-03-01 | 45072 | 43027     | 2022-07-15 |            |
        R1  |             |             |            |       | 45072     |            | 2022-05-04 | present
    """)
    assert_table(
        found.moves,
        """
        kind   | destination_municipality | earliest   | latest
        within | 45072                    | 2022-03-01 | 2022-03-01
    """,
    )
    assert found.conflicts.empty


def test_an_old_address_printed_again_does_not_say_where_someone_is_present(residences):
    found = residences("""
        org | service    | what        | residence | established | destination | follow_up  | status
        M1  | 2021-02-01 | information | 66023     |             |             |            |
        R1  |            |             |           | 2021-05-03  | 43027       |            |
        M1  | 2021-08-15 | information | 66023     |             |             |            |
        R1  |            |             |           |             |             | 2021-09-01 | present
        M1  | 2022-01-20 | information | 66023     |             |             |            |
        R1  |            |             |           |             |             | 2022-03-01 | present
    """)
    assert_table(
        found.spells,
        """
        municipality | last_confirmed | outcome
        66023        | 2021-02-01     | moved
        43027        | 2022-03-01     | present
    """,
    )
    assert_table(
        found.conflicts,
        """
        date       | rule
        2021-08-15 | old_address
        2022-01-20 | old_address
    """,
    )


def test_a_departure_set_aside_that_names_another_place_is_a_conflict(residences):
    found = residences("""
        org | established | destination | service    | what       | residence | exit       | to
        R1  | 2021-05-03  | 43027       |            |            |           |            |
        M1  |             |             | 2021-12-15 | job_search | 65005     |            |
        R1  |             |             |            |            | 43027     | 2022-02-01 | 66023
    """)
    assert_table(
        found.spells,
        """
        municipality | outcome
        43027        | moved
        65005        | present
    """,
    )
    assert_table(
        found.conflicts,
        """
        rule                    | said                                           | kept
        departure_already_known | R1 departure 66023 2022-02-01/2022-02-01 | M1 service 65005 2021-12-15/2021-12-15
    """,
    )


def test_a_second_departure_to_the_very_town_is_one_more_report(residences):
    found = residences("""
        org | established | destination | exit    | to    | residence | filed
        R1  | 2021-05-03  | 43027       |         |       |           |
        R1  |             |             |         | 66023 | 43027     | 2022-02-20
        R1  |             |             | 2022-02 | 66023 | 43027     | 2022-04-15
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | n_observations
        43027        | 2021-05-03     | 2021-05-03   | 1
        66023        | 2022-02-01     | 2022-02-20   | 2
    """,
    )
    assert found.conflicts.empty


def test_an_old_address_told_only_after_the_settling_is_of_before_it(residences):
    found = residences("""
        org | established | destination | residence
        R1  | 2021-05-03  | 43027       |
        M1  | 2021-05-03  | 43027       | 66023
        M1  | 2021-05-20  | 43027       | 65005
    """)
    assert found.spells["zone"].tolist() == ["metropole", "metropole", "region"]


# ── which addresses are news, and in which order ──────────────────────────────────────────────────────────
def test_a_service_in_person_soon_after_settling_may_be_a_visit(residences):
    found = residences("""
        org | service    | what       | residence | established | destination
        M1  | 2021-02-01 | job_search | 66023     |             |
        R1  |            |            |           | 2021-05-03  | 43027
        M1  | 2021-06-20 | job_search | 66023     |             |
        R1  | 2021-09-01 | pairing    | 43027     |             |
    """)
    assert found.moves["kind"].tolist() == ["secondary"]
    assert_table(found.conflicts, """
        date       | rule
        2021-06-20 | possible_visit
    """)  # fmt: skip


def test_beyond_the_grace_period_an_old_address_leaves_open_whether_somebody_came_back(residences):
    found = residences("""
        org | service    | what        | residence | established | destination
        M1  | 2021-02-01 | information | 66023     |             |
        R1  |            |             |           | 2021-05-03  | 43027
        M1  | 2022-06-20 | information | 66023     |             |
    """)
    assert_table(found.spells, """
        municipality | last_confirmed | outcome
        66023        | 2021-02-01     | moved
        43027        | 2021-05-03     | present
    """)  # fmt: skip
    assert_table(found.conflicts, """
        date       | rule
        2022-06-20 | possible_return
    """)  # fmt: skip
    assert found.observations["aside"].tolist() == [None, None, "possible_return"]


def test_an_address_of_the_metropole_at_an_organisation_en_region_is_no_return(residences):
    found = residences("""
        org | service    | what       | residence | established | destination | follow_up  | status
        R1  |            |            | 66023     | 2021-05-03  | 43027       |            |
        R1  | 2021-12-01 | job_search | 66023     |             |             |            |
        R1  |            |            | 66023     |             |             | 2022-05-03 | present
    """)
    assert_table(found.spells, """
        municipality | last_confirmed | outcome
        66023        |                | moved
        43027        | 2022-05-03     | present
    """)  # fmt: skip


def test_after_a_known_departure_an_old_address_is_news_like_any_other(residences):
    found = residences("""
        org | service    | what        | residence | established | destination | exit
        M1  | 2021-02-01 | information | 66023     |             |             |
        R1  |            |             |           | 2021-05-03  | 43027       |
        R1  |            |             | 66023     |             |             | 2021-10-01
        M1  | 2021-11-20 | information | 66023     |             |             |
    """)
    assert_table(found.moves, """
        kind      | earliest   | latest
        secondary | 2021-05-03 | 2021-05-03
        return    | 2021-10-01 | 2021-10-01
    """)  # fmt: skip


def test_an_establishment_without_a_destination_is_at_a_residence_en_region(residences):
    found = residences("""
        org | service    | residence | established | destination
        M1  | 2021-02-01 | 66023     |             |
        R1  |            | 43027     | 2021-05-03  |
    """)
    assert_table(found.moves, """
        kind      | destination_municipality | earliest   | latest
        secondary | 43027                    | 2021-05-03 | 2021-05-03
    """)  # fmt: skip


def test_two_facts_on_a_row_are_two_observations(residences):
    found = residences("""
        org | service    | what    | residence | established | destination | follow_up  | status
        R1  | 2021-05-10 | pairing | 43027     | 2021-05-03  | 43027       | 2021-08-03 | present
    """)
    assert_table(found.observations, """
        kind          | earliest   | municipality
        establishment | 2021-05-03 | 43027
        service       | 2021-05-10 | 43027
        follow_up     | 2021-08-03 | 43027
    """)  # fmt: skip


def test_of_the_orders_that_a_year_allows_the_one_with_the_fewest_moves(residences):
    found = residences("""
        org | service | what       | residence | established | destination | filed
        M1  | 2021    | job_search | 66023     |             |             | 2022-02-01
        R1  |         |            |           | 2021        | 43027       | 2022-02-01
        R1  | 2021    | reception  | 43027     |             |             | 2022-02-01
        M1  | 2021    | job_search | 66023     |             |             | 2022-02-01
    """)
    assert found.moves["kind"].tolist() == ["secondary"]


def test_a_departure_comes_after_the_stay_that_it_ends(residences):
    found = residences("""
        org | service    | what      | residence | established | destination | exit | to    | filed
        M1  | 2021-02-01 | reception | 66023     |             |             |      |       | 2021-04-15
        R1  |            |           |           | 2021        | 43027       |      |       | 2022-02-01
        R1  |            |           | 43027     |             |             | 2021 | 66023 | 2022-02-01
    """)
    assert found.moves["kind"].tolist() == ["secondary", "return"]


def test_someone_known_only_in_a_mixed_area_is_not_known_to_be_elsewhere(residences):
    found = residences("""
        org | service    | residence | follow_up  | status
        R1  | 2021-01-10 | area 16   |            |
        R1  |            | 53052     | 2021-06-01 | left
    """)
    assert_table(
        found.spells,
        """
        region | zone    | end_earliest | end_latest | outcome
        16     | unknown | 2021-01-10   | 2021-06-01 | left
    """,
    )


def test_an_area_beyond_another_one_stays_an_area(residences):
    found = residences("""
        org | service    | residence
        M1  | 2021-01-10 | 58227
        R1  | 2021-03-10 | area 05
        R1  | 2021-06-01 | area 16
    """)
    assert_table(
        found.spells,
        """
        municipality | region | zone
        58227        | 16     | metropole
                     | 05     | region
                     | 16     | unknown
    """,
    )


def test_a_quarter_of_establishment_ends_where_the_person_is_seen_there(residences):
    # the quarter ends after the person had left again: put at its end, it would make a second stay
    found = residences("""
        org | service    | what      | residence | established | destination
        R1  |            |           |           | 2021Q1      | 43027
        R1  | 2021-01-12 |           | 43027     |             |
        M1  | 2021-03-09 | reception | 66023     |             |
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | end_earliest | end_latest
        43027        | 2021-01-01     | 2021-01-12   | 2021-01-12   | 2021-03-09
        66023        | 2021-01-12     | 2021-03-09   | 2021-03-09   |
    """,
    )


def test_an_old_address_is_no_later_than_the_settling_it_was_typed_with(residences):
    found = residences("""
        org | residence | established | destination
        M1  | 66023     | 2021-05     | 43027
        R1  |           | 2021-05-10  | 43027
    """)
    assert_table(
        found.moves,
        """
        kind      | origin_municipality | destination_municipality | earliest   | latest
        secondary | 66023               | 43027                    | 2021-05-10 | 2021-05-10
    """,
    )


def test_a_service_in_person_of_some_day_of_a_quarter_shows_no_return(residences):
    # the service may have been given before the person settled
    found = residences("""
        org | what             | service    | residence | established | destination
        M1  | personal_support | 2021-07-11 | 66023     |             |
        R1  |                  |            |           | 2022-01-27  | 43027
        R1  |                  | 2022-03-03 | 43027     |             |
        M1  | personal_support | 2022Q1     | 66023     |             |
        R1  |                  | 2022-07-20 | 43027     |             |
    """)
    assert_table(
        found.spells,
        """
        municipality | outcome
        66023        | moved
        43027        | present
    """,
    )


def test_a_service_before_the_arrival_is_of_its_quarter(residences):
    # its day cannot be right: the deposit's quarter can
    found = residences("""
        org | quarter      | service    | residence | arrived
        R1  | 2022-2023 T4 | 2022-12-16 | 43027     | 2023-01-05
        R1  | 2022-2023 T4 | 2023-02-10 | 43027     | 2023-01-05
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest | n_observations
        43027        | 2023-01-05     | 2023-02-10   | 2
    """,
    )


def test_a_name_that_several_towns_share_is_the_residence_of_that_very_name(residences):
    # no old address, and no stay before this one
    found = residences("""
        org | residence              | established | destination
        R1  | 31015 Disraeli (Ville) | 2021-05-10  | called DISRAELI
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | start_latest
        31015        | 2021-05-10     | 2021-05-10
    """,
    )


def test_a_departure_told_without_a_date_of_someone_long_gone_is_of_a_move_that_is_past(residences):
    # « parti » for Sherbrooke, told when the person had left Sherbrooke too
    found = residences("""
        org | service    | residence | established | destination | status | to    | filed
        R1  | 2021-01-10 | 23027     |             |             |        |       |
        R2  |            |           | 2021-03-01  | 43027       |        |       |
        R2  | 2021-04-05 | 43027     |             |             |        |       |
        M1  |            |           | 2021-09-01  | 66023       |        |       |
        R1  |            | 23027     |             |             | left   | 43027 | 2022-01-15
    """)
    assert_table(
        found.spells,
        """
        municipality | start_earliest | outcome
        23027        |                | moved
        43027        | 2021-03-01     | moved
        66023        | 2021-09-01     | present
    """,
    )


def test_a_region_where_nobody_is_seen_is_another_region_than_ones_own(residences):
    # left Estrie, says an organisation, of someone who is seen in Québec that very day
    found = residences("""
        org | follow_up  | status | service    | residence
        M1  | 2021-01-01 | left   |            | 43027
        M1  |            |        | 2021-01-01 | 23027
    """)
    assert_table(
        found.spells,
        """
        municipality | outcome
        23027        | present
    """,
    )
