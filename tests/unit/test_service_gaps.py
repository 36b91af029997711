"""Gaps in services: needs, reasons, follow-up, and observed against expected, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from service_tables import ONE, cohort, contacts, day, gone, told
from trajectories.analysis.services import (
    delay_to_first,
    follow_up_coverage,
    needs_without_service,
    number_of_services,
    observed_expected,
    process_funnel,
    reach,
    reasons_and_services,
    transfer,
)
from trajectories.analysis.services.example import one_household
from trajectories.analysis.services.expected import predicted_sum, ratio_limits
from trajectories.study import Study


def lacking(stays, rows, need="job", **more):
    table = needs_without_service(stays, *told(*rows), study=more.pop("study", ONE), groups=["05"], **more)
    return table.set_index("need").loc[need]


JOB = {"needs": "job"}
SEARCH = {"service": "job_search"}


@pytest.mark.parametrize(
    ("days", "without"), [(-32, 1), (-31, 0), (0, 0), (184, 0), (185, 1)],  # 1 March to 1 September: 184 days
)  # fmt: skip
def test_a_need_is_answered_from_a_month_before_to_six_months_after(days, without):
    found = lacking(cohort(("a", "A")), [("a", "A", 0, JOB), ("a", "A", days, SEARCH)])
    assert found[["households", "n_start"]].tolist() == [without, 1]


@pytest.mark.parametrize(("days", "counts"), [(-32, 0), (-31, 1), (365, 1), (366, 0)])
def test_a_need_counts_where_it_is_told_around_or_within_a_year(days, counts):
    study = one_household()
    found = lacking(cohort(("a", "A"), ("b", "B")), [("a", "A", days, JOB), ("b", "B", 0, JOB)], study=study)
    assert found["n_start"] == 1 + counts


def test_waiting_begins_with_the_establishment_and_whoever_is_served_serves_the_household():
    stays = cohort(("a", "A"), ("b", "A"), ("c", "C"))
    rows = [("a", "A", -20, {"needs": "housing;job"}), ("b", "A", 180, SEARCH), ("c", "C", -20, JOB)]
    found = lacking(stays, rows)
    assert found[["estimate", "households", "persons", "n_start"]].tolist() == [0.5, 1, 1, 2]
    assert lacking(stays, rows, "housing")[["households", "n_start"]].tolist() == [1, 1]


def test_a_job_found_answers_the_need():
    stays = cohort(("a", "A"), ("b", "B"), ("c", "C"))
    late = {"job_found": True, "job_date_earliest": day(300), "job_date_latest": day(300)}
    rows = [("a", "A", 5, {**JOB, "job_found": True}), ("b", "B", 5, {**JOB, "job_found": False}),
            ("c", "C", 5, JOB), ("c", "C", 301, late)]  # fmt: skip
    assert lacking(stays, rows)[["households", "n_start"]].tolist() == [2, 3]


def test_who_left_or_is_not_followed_so_long_is_not_without():
    stays = cohort(("a", "A", gone(3.0)), ("b", "B", {"heard_until": 5.0}), ("c", "C"))
    found = lacking(stays, [(who, who.upper(), 0, JOB) for who in "abc"])
    assert found[["households", "left_before", "n_start"]].tolist() == [1, 1, 2]


def test_a_need_that_no_service_answers_has_no_number():
    found = lacking(cohort(("a", "A")), [("a", "A", 0, {"needs": "health"})], "health")
    assert found["note"] == "no_such_service"
    assert found[["estimate", "n_start", "households"]].isna().all()


def test_few_households_with_a_need_have_no_number():
    found = lacking(cohort(("a", "A")), [("a", "A", 0, JOB)], study=Study())
    assert found["note"] == "too_few_households"
    assert found[["estimate", "n_start", "households"]].isna().all()


# ── reasons ───────────────────────────────────────────────────────────────────────────────────────────────
def test_reasons_stand_beside_the_services_received_before():
    stays = cohort(*[(who, who.upper(), gone(6.0)) for who in "abcd"], ("e", "E"))
    left = {"exit_date_earliest": day(184), "exit_date_latest": day(184)}
    rows = [(who, who.upper(), 190, {**left, "exit_reason": "job"}) for who in "abe"]
    rows += [("c", "C", 190, {**left, "exit_reason": "studies"}), ("d", "D", 190, {**left, "exit_reason": "death"}),
             ("a", "A", 50, SEARCH), ("b", "B", 188, SEARCH), ("b", "B", -50, SEARCH)]  # fmt: skip
    table = reasons_and_services(stays, *told(*rows), study=ONE, groups=["05"]).set_index("reason")
    # E is not known to have left; B was served before it came and after it had left
    assert table.loc["job", ["service", "estimate", "households", "n_start"]].tolist() == ["job_search", 0.5, 1, 2]
    assert table.loc["studies", ["note", "n_start"]].tolist() == ["no_such_service", 1]
    assert np.isnan(table.loc["studies", "estimate"])
    assert "death" not in table.index


# ── follow-up ─────────────────────────────────────────────────────────────────────────────────────────────
def test_contacts_due_and_held_by_type_of_organisation():
    study = one_household(follow_up_months=(3, 12))
    people = [(who, "AB" if who in "ab" else who.upper()) for who in "abcdefg"]
    stays = cohort(*people[:-2], ("f", "F", {"cutoff": 3.5}), ("g", "G"))
    rows = [(who, home, 4, {"service": "reception", "organisation_id": f"R{i % 3}"})
            for i, (who, home) in enumerate(people[:-1])]  # fmt: skip
    rows.append(("g", "G", -5, {"service": "information", "organisation_zone": "metropole", "organisation_id": "M1"}))
    said = contacts(("a", 3.0, "present"), ("b", 4.0, "failed"), ("c", 4.1, "present"), ("d", 2.0, "news"),
                    ("e", 2.5, "left"), ("e", 12.0, "failed"))  # fmt: skip
    table = follow_up_coverage(stays, said, *told(*rows), study=study, groups=["05"])
    table = table.set_index(["measure", "organisation_type", "horizon"])
    every = table.loc["follow_up_coverage", "all", 3.0]
    # due: a, b, c, e, g; D was known to have left, the cut-off came too early for F. Held: a, b, e
    assert every[["n_at_risk", "held", "n_start"]].tolist() == [5, 3, 4]
    assert every["estimate"] == pytest.approx(0.6)
    # households: AB 2 of 2, C 0 of 1, E 1 of 1, G 0 of 1; off by .8, −.6, .4, −.6; √(1.52·4/3)/5
    assert every["se"] == pytest.approx(np.sqrt(1.52 * 4 / 3) / 5)
    assert table.loc[("follow_up_reached", "all", 3.0), ["n_at_risk", "held"]].tolist() == [3, 2]
    # E left in month 2.5 and was called all the same: due and held, beside a, b, c, g
    assert table.loc[("follow_up_coverage", "all", 12.0), ["n_at_risk", "held"]].tolist() == [5, 1]
    assert table.loc[("follow_up_coverage", "region_smaller", 3.0), "n_at_risk"] == 4
    alone = table.loc["follow_up_coverage", "metropole_only", 3.0]
    assert alone["note"] == "too_few_organisations"
    assert alone[["estimate", "n_start", "n_at_risk", "held"]].isna().all()


@pytest.mark.parametrize(("of_one", "told_of"), [(18, False), (17, True)])
def test_contacts_nearly_all_of_one_organisation_are_as_good_as_named(of_one, told_of):
    study = one_household(follow_up_months=(3,))
    people = [(f"p{k}", f"H{k}") for k in range(20)]
    by = ["R0"] * of_one + ["R1", "R2"] + ["R1"] * (18 - of_one)
    rows = [(who, home, 4, {"service": "reception", "organisation_id": name})
            for (who, home), name in zip(people, by, strict=True)]  # fmt: skip
    said = contacts(*((who, 3.0, "present") for who, _ in people))
    table = follow_up_coverage(cohort(*people), said, *told(*rows), study=study, groups=["05"])
    every = table[table["measure"].eq("follow_up_coverage") & table["organisation_type"].eq("all")].iloc[0]
    assert (every["note"] is None) == told_of and pd.notna(every["estimate"]) == told_of


# ── observed and expected ─────────────────────────────────────────────────────────────────────────────────
def homes(region, category, reached, missed):
    """Households of one region and category: so many served on the tenth day, so many never."""
    names = [f"{region}{category}{i}" for i in range(reached + missed)]
    stays = [(f"p{name}", name, {"region": region, "immigration_category": category}) for name in names]
    return stays, [(f"p{name}", name, 10, {"service": "reception"}) for name in names[:reached]]


def compared(parts, **more):
    made = [homes(*part) for part in parts]
    stays, rows = ([line for pair in made for line in pair[i]] for i in (0, 1))
    return observed_expected(cohort(*stays), *told(*rows), **{"study": ONE, **more}).set_index("group")


def test_without_a_mix_expected_is_the_share_of_the_others():
    table = compared([("05", "economic", 8, 12), ("03", "economic", 30, 10)])
    here = table.loc["05"]
    assert here[["n_start", "observed"]].tolist() == [20, 12]
    # a quarter of the others were missed: 5 of 20
    assert here["expected"] == pytest.approx(5.0, abs=1e-5)
    assert here["estimate"] == pytest.approx(2.4, abs=1e-5)
    # the others' share of a quarter is known to √(.25 · .75 / 40): E to 20 times that
    spread = 20 * np.sqrt(0.25 * 0.75 / 40)
    assert here["se"] == pytest.approx(np.sqrt(12 / 25 + (2.4 * spread / 5) ** 2), abs=1e-4)
    alone = 2.4 * np.exp(-np.hypot(np.log(12 / 6.2006), 1.959964 * spread / 5))  # 6.2006: exact lower limit of 12
    assert here["lower"] == pytest.approx(alone, abs=1e-3)
    assert table.loc["03", "expected"] == pytest.approx(24.0, abs=1e-5)


def test_a_mix_that_is_missed_everywhere_is_no_gap_of_the_region():
    parts = [
        ("05", "refugee", 40, 160),
        ("05", "economic", 40, 10),
        ("03", "refugee", 10, 40),
        ("03", "economic", 160, 40),
    ]
    table = compared(parts)
    crude = (170 / 250) / (80 / 250)
    print("crude ratio", crude, "O/E", table["estimate"].round(3).to_dict())
    assert crude > 2
    assert table["estimate"].between(0.95, 1.05).all()
    assert "immigration_category" in table["adjusted_for"].iloc[0]


def test_a_planted_gap_is_seen_in_its_region_and_by_category():
    parts = [
        ("05", "economic", 20, 40),
        ("03", "economic", 60, 15),
        ("07", "economic", 60, 15),
        ("07", "refugee", 60, 15),
    ]
    table = compared(parts)
    assert table["estimate"].idxmax() == "05"
    assert table.loc["05", "lower"] > 1.5
    by = compared(parts, by="immigration_category")
    assert "region" in by["adjusted_for"].iloc[0]
    # economic households are missed where the gap is; refugees of 07 are as the others of 07
    assert by.loc["immigration_category=refugee", "lower"] < 1 < by.loc["immigration_category=refugee", "upper"]


def test_few_households_or_few_expected_say_so():
    few = Study.from_mapping({"support": 10, "disclosure": {"households": 5}})
    table = compared([("05", "economic", 2, 3), ("03", "economic", 38, 2), ("07", "economic", 20, 3)], study=few)
    assert table.loc["05", "note"] == "too_few_households"
    assert table.loc["05", ["estimate", "n_start", "observed", "expected"]].isna().all()
    assert table.loc["07", "note"] == "too_few_expected"
    assert np.isnan(table.loc["07", "estimate"])
    # few were to be expected, but many were missed: that is the plainest gap of all
    table = compared([("05", "economic", 10, 20), ("03", "economic", 190, 10)])
    assert table.loc["05", "expected"] == pytest.approx(1.5, abs=1e-4)
    assert table.loc["05", "lower"] > 5


def test_a_level_that_is_always_reached_leaves_the_logit_finite():
    x = np.column_stack([np.ones(200), np.repeat([0.0, 1.0], 100)])
    y = np.r_[np.repeat([True, False], 50), np.zeros(100, dtype=bool)]
    assert predicted_sum(x, y, np.array([[1.0, 0.0]]))[0] == pytest.approx(0.5, abs=0.02)
    assert 0 < predicted_sum(x, y, np.array([[1.0, 1.0]]))[0] < 0.02
    none = predicted_sum(x, np.zeros(200, dtype=bool), x[:10])
    assert none[0] == pytest.approx(10 * 0.5 / 200)


@pytest.mark.parametrize("observed", [1, 5, 20, 200])
def test_limits_are_the_exact_ones_of_poisson(observed):
    ratio, lower, upper = ratio_limits(observed, 10.0)
    assert ratio == observed / 10
    assert poisson.sf(observed - 1, lower * 10) == pytest.approx(0.025)
    assert poisson.cdf(observed, upper * 10) == pytest.approx(0.025)
    # Byar's formula
    byar = observed * (1 - 1 / (9 * observed) - 1.96 / (3 * np.sqrt(observed))) ** 3 / 10
    assert observed < 5 or lower == pytest.approx(byar, rel=0.03)


def test_late_and_early_households_are_left_out_of_the_comparison():
    stays, rows = homes("05", "economic", 10, 10)
    late = {"establishment_earliest": day(1040), "establishment_latest": day(1040), "cutoff": 1.9, "heard_until": 1.9}
    stays.append(("z", "Z", late))
    others, more = homes("03", "economic", 10, 10)
    table = observed_expected(cohort(*stays, *others), *told(*rows, *more), study=ONE).set_index("group")
    assert table.loc["05", "n_start"] == 20


@pytest.mark.thorough
def test_nobody_settled_gives_tables_without_numbers():
    nobody, (records, persons) = cohort(("a", "A")).iloc[:0], told()
    tables = [measure(nobody, records, persons, groups=["province", "05"], study=Study()) for measure in (
        reach, delay_to_first, number_of_services, transfer, process_funnel, needs_without_service,
        reasons_and_services)]  # fmt: skip
    tables.append(observed_expected(nobody, records, persons, study=Study()))
    tables.append(follow_up_coverage(nobody, contacts(), records, persons, groups=["province", "05"], study=Study()))
    for table in tables:
        assert list(table.columns[:2]) == ["measure", "group"]
        assert table["estimate"].isna().all()
        assert table["note"].notna().all()
