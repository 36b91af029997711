"""Service use and the transfer from Montréal: windows, households, competing exits, worked out by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from service_tables import DAY, ONE, cohort, day, gone, told
from trajectories.analysis.services import delay_to_first, number_of_services, process_funnel, reach, transfer
from trajectories.analysis.services.example import one_household
from trajectories.analysis.services.service_events import household_stays
from trajectories.study import Study

METROPOLE = {"organisation_zone": "metropole", "organisation_id": "M1"}


def reached(stays, rows, *, service="pairing", stream="all", study=ONE, groups=("05",), issues=None):
    table = reach(stays, *told(*rows), study=study, groups=list(groups), issues=issues)
    return table[table["service"].eq(service) & table["stream"].eq(stream)].set_index("when")


@pytest.mark.parametrize(
    ("days", "window"),
    [(-32, "before"), (-31, "around"), (0, "around"), (31, "around"), (32, "after"), (365, "after"), (366, None)],
)
def test_each_day_is_of_one_window(days, window):
    table = reached(cohort(("a", "A")), [("a", "A", days, {"service": "pairing"})])
    assert table["n_start"].tolist() == [1, 1, 1]
    assert table.index[table["households"].eq(1)].tolist() == ([window] if window else [])
    assert table["undetermined"].sum() == 0


def test_a_household_counts_once_and_its_persons_each():
    stays = cohort(("a", "A"), ("b", "A"), ("c", "C"))
    rows = [("a", "A", 5, {"service": "pairing"}), ("b", "A", 9, {"service": "pairing"})]
    found = reached(stays, rows).loc["around"]
    assert found[["households", "persons", "n_start"]].tolist() == [1, 2, 2]
    assert found["estimate"] == 0.5
    # Wilson by hand: (0.5 + z²/2n ± z √(.25/n + z²/4n²)) / (1 + z²/n) with n = 2
    assert found["lower"] == pytest.approx(0.09453, abs=1e-4)
    assert found["upper"] == pytest.approx(0.90547, abs=1e-4)


def test_who_had_left_before_a_window_is_not_in_it():
    stays = cohort(("a", "A", gone(0.5)), ("b", "B", gone(6.0)), ("c", "C"))
    table = reached(stays, [("b", "B", 200, {"service": "pairing"}), ("b", "B", 100, {"service": "pairing"})])
    assert table["n_start"].to_dict() == {"before": 3, "around": 3, "after": 2}
    # the service of day 100 counts, that of day 200 came after the departure
    assert table.loc["after", "households"] == 1
    later = reached(stays, [("b", "B", 200, {"service": "pairing"})])
    assert later.loc["after", "households"] == 0


def test_who_is_not_observed_to_the_end_of_a_window_is_not_in_it():
    filed = ("a", "A", 10, {"service": "pairing"})
    stays = cohort(
        ("a", "A", {"heard_until": 11.9}), ("b", "B", {"heard_until": 12.0}), ("c", "C", {"heard_until": 0.0})
    )
    table = reached(stays, [filed, ("b", "B", 10, {"service": "reception"})])
    # nobody has a file on C: that no service came is known to the cut-off
    assert table["n_start"].to_dict() == {"before": 3, "around": 3, "after": 2}
    short = reached(cohort(("a", "A"), cutoff=11.0, heard_until=11.0), [filed])
    assert short.loc["after", "note"] == "too_few_households"
    assert pd.isna(short.loc["after", "n_start"])


def test_before_needs_deposits_and_an_arrival_before():
    new = cohort(("a", "A", {"years_since_arrival": 0.05}), ("b", "B"))
    assert reached(new, [("b", "B", 3, {"service": "pairing"})])["n_start"].tolist() == [1, 2, 2]


def test_a_service_dated_to_the_quarter_is_told_apart_where_it_may_be_of_two_windows():
    wide = {"service": "pairing", "service_date_earliest": day(20), "service_date_latest": day(60)}
    table = reached(cohort(("a", "A")), [("a", "A", 20, wide)])
    assert table["households"].tolist() == [0, 0, 0]
    assert table["undetermined"].tolist() == [0, 1, 1]
    # another service that is surely in a window settles it
    table = reached(cohort(("a", "A")), [("a", "A", 20, wide), ("a", "A", 40, {"service": "pairing"})])
    assert table["households"].tolist() == [0, 0, 1]
    assert table["undetermined"].tolist() == [0, 1, 0]


def test_streams_are_told_apart_and_an_unknown_one_has_no_number():
    stays = cohort(("a", "A"), ("b", "B"), ("c", "C"))
    form = {"service": "pairing", "programme": "PASI", "fiscal_year": "2021-2022"}
    rows = [("a", "A", 3, {**form, "stream": "full_participation"}), ("b", "B", 3, {**form, "stream": "volet neuf"}),
            ("c", "C", 3, {"service": "pairing"})]  # fmt: skip
    table = reach(stays, *told(*rows), study=ONE, groups=["05"])
    table = table[table["service"].eq("pairing") & table["when"].eq("around")].set_index("stream")
    assert table["households"].drop("unknown_stream").to_dict() == {
        "all": 3, "PASI/full_participation": 1, "not_stated": 1,
    }  # fmt: skip
    odd = table.loc["unknown_stream"]
    assert odd["note"] == "unknown_stream"
    assert odd[["estimate", "lower", "n_start", "households", "persons"]].isna().all()


def test_a_volet_that_was_not_understood_is_known_from_the_issues():
    records, persons = told(("a", "A", 3, {"service": "pairing", "programme": "PASI"}))
    where = records.loc[1, ["file", "sheet", "row"]].to_dict()
    issues = pd.DataFrame([{**where, "reason": "unknown_stream"}])
    table = reach(cohort(("a", "A")), records, persons, study=ONE, groups=["05"], issues=issues)
    table = table[table["service"].eq("pairing") & table["when"].eq("around")]
    assert sorted(table["stream"]) == ["all", "unknown_stream"]


def test_a_service_dated_before_the_arrival_is_named_and_counts_nowhere():
    odd = {"service": "pairing", "arrival_date_earliest": day(-100), "arrival_date_latest": day(-100)}
    table = reached(cohort(("a", "A")), [("a", "A", -200, odd), ("a", "A", -101, odd), ("a", "A", 2, odd)])
    assert table["households"].drop("dated_before_arrival").tolist() == [0, 1, 0]
    row = table.loc["dated_before_arrival"]
    assert row["note"] == "dated_before_arrival"
    assert row[["estimate", "n_start", "households"]].isna().all()


def test_scheduled_contacts_are_no_services():
    row = {"service": "pairing", "follow_up_status": "present", "follow_up_date_latest": day(3)}
    assert reached(cohort(("a", "A")), [("a", "A", 3, row)])["households"].sum() == 0


def test_too_few_households_have_no_number():
    few = Study.from_mapping({"support": 3, "disclosure": {"households": 5}})
    homes = [(f"p{i}", f"H{i}") for i in range(4)]
    table = reach(cohort(*homes), *told(("p1", "H1", 3, {"service": "pairing"})), study=few, groups=["05", "province"])
    assert table["note"].eq("too_few_households").all()
    assert table[["estimate", "n_start", "households"]].isna().all(axis=None)
    five = reach(cohort(*homes, ("p4", "H4")), *told(), study=few, groups=["05"])
    assert five["note"].isna().all()
    assert five["n_start"].eq(5).all()


def test_groups_by_a_column_and_of_the_study():
    study = one_household(groups={"Sud": ("05", "16")})
    later = {"region": "16", "episode": 2, "establishment_earliest": day(900), "establishment_latest": day(900)}
    refugee = {"immigration_category": "refugee"}
    stays = cohort(("a", "A", refugee), ("b", "B", {"region": "16"}), ("a", "A", later))
    groups = ("05", "16", "Sud", "province", "immigration_category=refugee")
    table = reach(stays, *told(), study=study, groups=groups)
    n = table[table["service"].eq("any") & table["when"].eq("before")].set_index("group")["n_start"]
    # household A settled in both regions and is one household of the two together
    assert n.to_dict() == {"05": 1, "16": 2, "Sud": 2, "province": 2, "immigration_category=refugee": 1}


# ── how soon, how many ────────────────────────────────────────────────────────────────────────────────────
def test_the_delay_is_the_incidence_with_exits_competing():
    stays = cohort(("a", "A"), ("b", "B", gone(2.0)), ("c", "C"), ("d", "D"), ("e", "D"))
    rows = [("a", "A", 10, {"service": "pairing"}), ("c", "C", 75, {"service": "pairing"}),
            ("d", "D", 10, {"service": "pairing", **METROPOLE})]  # fmt: skip
    table = delay_to_first(stays, *told(*rows), study=ONE, groups=["05"])
    curve = table[table["service"].eq("pairing")].set_index("horizon")
    assert curve.index.tolist() == list(range(1, 25))
    # four households; 1/4 at month 1; an exit at 2; then 1 of 2 that are left of 1/2 at month 3
    assert curve["estimate"].loc[[1, 2, 3, 24]].tolist() == pytest.approx([0.25, 0.25, 0.5, 0.5])
    assert curve["n_at_risk"].loc[[1, 2, 3, 4]].tolist() == [4, 3, 2, 1]
    assert curve.loc[3, ["n_start", "served", "left_first"]].tolist() == [4, 2, 1]
    assert table[table["service"].eq("reception")]["estimate"].eq(0).all()


def test_a_household_is_there_as_long_as_one_of_its_members():
    stays = cohort(("a", "A", gone(2.0)), ("b", "A", gone(5.0)), ("c", "C", gone(2.0)), ("d", "C"))
    found = household_stays(stays, *told(), Study()).stays.set_index("household_id")
    assert found.loc["A", "ended"] == pd.Timestamp("2021-08-01")
    assert pd.isna(found.loc["C", "ended"])
    assert found["members"].tolist() == [2, 2]


def test_an_interval_censored_exit_competes_in_the_middle():
    stays = cohort(("a", "A", {**gone(2.0), "upper": 4.0}))
    assert household_stays(stays, *told(), Study()).stays["ended"].tolist() == [pd.Timestamp("2021-05-31")]


def test_those_settled_too_late_to_be_noted_are_left_out_of_delays():
    late = {"establishment_earliest": day(1000), "establishment_latest": day(1000), "cutoff": 3.0, "heard_until": 3.0}
    stays = cohort(*[(f"p{i}", f"H{i}", {"entry": 5.0, "lower": 5.0}) for i in range(9)], ("z", "Z", late))
    table = delay_to_first(stays, *told(), study=ONE, groups=["05"])
    assert table["n_start"].eq(9).all()


def test_months_to_which_few_are_followed_have_no_estimate():
    study = replace(one_household(), support=3)
    stays = cohort(*[(f"p{i}", f"H{i}", {"heard_until": float(i + 1)}) for i in range(4)])
    rows = [(f"p{i}", f"H{i}", 3, {"service": "pairing"}) for i in range(4)]
    curve = delay_to_first(stays, *told(*rows), study=study, groups=["05"]).query("service == 'any'")
    curve = curve.set_index("horizon")
    # everybody is served in the first month: nobody is left at risk, but three are followed to month 2
    assert curve["n_at_risk"].tolist()[:3] == [4, 0, 0]
    assert curve["n_followed"].tolist()[:3] == [4, 3, 2]
    assert curve["estimate"].notna().tolist()[:3] == [True, True, False]
    assert curve.loc[3, "note"] == "too_few_followed"


def test_services_are_counted_by_household_and_day():
    stays = cohort(("a", "A"), ("b", "A"), ("c", "C"))
    both = [(who, "A", 50, {"service": "pairing"}) for who in "ab"]
    rows = [*both, ("a", "A", 51, {"service": "pairing"}), ("a", "A", 60, {"service": "reception"}),
            ("a", "A", 10, {"service": "pairing"})]  # fmt: skip
    table = number_of_services(stays, *told(*rows), study=ONE, groups=["05"])
    mean = table[table["number"].eq("mean")].set_index("service")["estimate"]
    assert mean[["any", "pairing", "reception", "other"]].tolist() == [1.5, 1.0, 0.5, 0.0]
    classes = table[table["service"].eq("any")].set_index("number")["households"]
    assert classes[["0", "1", "2_3", "4_plus"]].tolist() == [1, 0, 1, 0]


# ── the transfer ──────────────────────────────────────────────────────────────────────────────────────────
def settling(who, home, days=-5, **more):
    """The row by which the metropole tells of an establishment that it prepared."""
    place = {"destination": "Sherbrooke", "destination_region": "05", "destination_zone": "region"}
    dates = {"establishment_date_earliest": DAY, "establishment_date_latest": DAY}
    return who, home, days, {"service": "personal_support", **METROPOLE, **place, **dates, **more}


def transferred(stays, rows, method="told_in_metropole", measure="transfer", study=ONE):
    table = transfer(stays, *told(*rows), study=study, groups=["05"])
    return table[table["method"].eq(method) & table["measure"].eq(measure) & table["period"].eq("all")]


def test_a_transfer_on_the_thirtieth_day_is_within_thirty_and_one_on_the_next_is_not():
    stays = cohort(("a", "A"), ("b", "B"), ("c", "C"), ("d", "D", gone(0.5)))
    rows = [settling(who, who.upper()) for who in "abcd"]
    rows += [("a", "A", 30, {"service": "reception"}), ("b", "B", 31, {"service": "reception"}),
             ("d", "D", 40, {"service": "reception"})]  # fmt: skip
    found = transferred(stays, rows).set_index("horizon")
    # an exit on day 15 leaves 3 of 4; 1 of them on day 30, and 1 of the other 2 on day 31
    assert found["estimate"].tolist() == pytest.approx([0.25, 0.5])
    assert found["households"].tolist() == [1, 2]
    assert found["left_first"].tolist() == [1, 1]
    assert found["n_at_risk"].tolist() == [3, 1]
    never = transferred(stays, rows, measure="transfer_never").iloc[0]
    assert never[["households", "n_start"]].tolist() == [1, 4]


def test_one_member_is_enough_and_failed_calls_and_departures_are_no_contact():
    stays = cohort(("a", "A"), ("b", "A"), ("c", "C"), ("d", "D"))
    rows = [settling("a", "A"), settling("c", "C"), settling("d", "D"), ("b", "A", 7),
            ("c", "C", 8, {"follow_up_status": "not_reached"}), ("d", "D", 9, {"exit_reason": "job"})]  # fmt: skip
    assert transferred(stays, rows)["households"].tolist() == [1, 1]


def test_contact_elsewhere_is_not_contact_in_the_region():
    quebec, montreal = ({"residence_region": code, "residence_zone": zone}
                        for code, zone in (("03", "region"), ("06", "metropole")))  # fmt: skip
    rows = [settling("a", "A"), ("a", "A", 7, quebec), settling("b", "B"), ("b", "B", 7, montreal)]
    assert transferred(cohort(("a", "A"), ("b", "B")), rows)["households"].tolist() == [1, 1]


def test_only_households_last_served_in_the_metropole_are_transfers():
    stays = cohort(("a", "A"), ("b", "B"), ("c", "C"))
    told_of = {"service": "information"}
    rows = [settling("a", "A"), settling("b", "B", -20), ("b", "B", -3, told_of),
            ("c", "C", -9, {**told_of, **METROPOLE}), ("c", "C", 3, told_of)]  # fmt: skip
    assert transferred(stays, rows)["n_start"].tolist() == [1, 1]
    # what the region gives on the day itself is the arrival
    arriving = transferred(cohort(("a", "A")), [settling("a", "A"), ("a", "A", 0, told_of)])
    assert arriving[["n_start", "households"]].to_numpy().tolist() == [[1, 1], [1, 1]]
    # C is known because it arrived: it counts in the companion only
    everyone = transferred(stays, rows, method="all_known")
    assert everyone["n_start"].tolist() == [2, 2]
    assert everyone["households"].tolist() == [1, 1]


def test_an_establishment_not_known_to_a_month_says_nothing_of_thirty_days():
    wide = {"establishment_earliest": day(-32), "establishment_latest": DAY}
    found = transferred(cohort(("a", "A", wide), ("b", "B")), [settling("a", "A"), settling("b", "B")])
    assert found[["n_start", "left_out"]].to_numpy().tolist() == [[1, 1], [1, 1]]


def test_the_cut_off_censors_a_transfer():
    stays = cohort(("a", "A", {"cutoff": 1.0}), ("b", "B", {"cutoff": 1.0}), heard_until=1.0)
    found = transferred(stays, [settling("a", "A"), settling("b", "B"), ("b", "B", 3)]).set_index("horizon")
    assert found.loc[30, "estimate"] == 0.5
    assert found.loc[90, "note"] == "too_few_followed"
    assert np.isnan(found.loc[90, "estimate"])


def test_periods_part_the_transfers():
    stays = cohort(("a", "A"), ("b", "B", {"period": "from_2022"}))
    table = transfer(stays, *told(settling("a", "A"), settling("b", "B")), study=ONE, groups=["05"])
    n = table[table["horizon"].eq(30) & table["method"].eq("told_in_metropole")].set_index("period")["n_start"]
    assert n.to_dict() == {"all": 2, "2020_2021": 1, "from_2022": 1}


def test_the_funnel_counts_each_step_and_parts_those_settled():
    montreal = {**METROPOLE, "service": "information", "residence_zone": "metropole"}
    stays = cohort(("a", "A", {"lower": 14.0}), ("b", "A"), ("c", "C", gone(5.0)), ("d", "D"), ("e", "E", {
        "establishment_earliest": day(900), "establishment_latest": day(900), "cutoff": 6.0, "heard_until": 6.0}),
        ("f", "F"))  # fmt: skip
    rows = [(who, who.upper(), -60, montreal) for who in "acde"]
    rows += [("g", "G", -60, montreal), ("g", "G", -50, {**montreal, "service": "exploratory_visit"}),
             settling("a", "A"), ("a", "A", 20, {"service": "reception"}), ("f", "F", 10, montreal)]  # fmt: skip
    table = process_funnel(stays, *told(*rows), study=ONE, groups=["province", "05"]).set_index(["group", "step"])
    whole = table.loc["province"]
    # met: a, c, d, e and g; F had settled before. G was prepared and settles nowhere
    assert whole["households"].tolist() == [5, 2, 4, 1, 1, 1, 1, 1]
    assert whole["persons"].tolist() == [5, 2, 5, 2, 2, 1, 1, 1]
    assert whole["households"].iloc[4:].sum() == whole.loc["settled", "households"]
    assert whole.loc["there_at_12_months", "estimate"] == 0.25
    there = table.loc["05"]
    assert there["note"].eq("region_not_known_yet").tolist() == [True] * 3 + [False] * 5
    assert there["households"].isna().tolist() == [True] * 2 + [False] * 6


# ── against the simulator ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.thorough
def test_reach_and_transfer_against_the_simulated_truth(tmp_path):
    from scoring.links import linked_rows, true_persons
    from trajectories import build_cohort, build_spells, read_deposits, simulate

    truth = simulate.simulate(tmp_path, simulate.Settings(households=120, organisations=10, defects="none", seed=3))
    study = one_household()
    records = read_deposits(tmp_path / "raw", study=study).records
    persons = true_persons(truth, records)
    residences = build_spells(records, persons, study=study)
    stays = build_cohort(residences, records, persons, study=study).cohort
    table = reach(stays, records, persons, study=study, groups=["province"]).set_index(["service", "stream", "when"])

    rows = truth.rows[truth.rows["fate"].eq("accepted") & truth.rows["kind"].isin(["service", "establishment"])]
    first = truth.stays.sort_values("establishment").drop_duplicates("true_household")
    first = first.set_index("true_household")["establishment"]
    linked = linked_rows(persons, truth, records)
    known = linked.merge(stays[["person_id"]].drop_duplicates(), on="person_id")["true_household"].unique()
    zone = truth.organisations.set_index("organisation_id")["zone"]
    rows = rows[rows["true_household"].isin(known)].assign(
        days=lambda f: (f["event_date"] - f["true_household"].map(first)).dt.days,
        metropole=lambda f: f["organisation_id"].map(zone).eq("metropole"),
    )
    # of an establishment the truth has the day settled, not that of its service
    for service in ("information", "exploratory_visit", "job_search", "francization", "pairing"):
        own = rows[rows["service"].eq(service) & rows["kind"].eq("service")]
        for when, chosen in (("before", own["days"] < -31), ("around", own["days"].abs() <= 31)):
            true = own.loc[chosen, "true_household"].nunique()
            seen = int(table.loc[(service, "all", when), "households"])
            print(service, when, "found", seen, "true", true)
            # a household may have a service in a window over which it is not observed to the end
            assert true - 2 <= seen <= true

    told_there = rows.loc[rows["metropole"] & rows["kind"].eq("establishment"), "true_household"].unique()
    arrived = rows.loc[~rows["metropole"] & (rows["days"] <= 30), "true_household"].unique()
    true = np.isin(told_there, arrived).sum()
    found = transfer(stays, records, persons, study=study, groups=["province"])
    found = found[found["method"].eq("told_in_metropole") & found["period"].eq("all") & found["horizon"].eq(30)].iloc[0]
    print("transfers within 30 days:", found["households"], "of", found["n_start"], "true", true, "of", len(told_there))
    assert abs(found["households"] - true) <= 1
    assert abs(found["n_start"] - len(told_there)) <= 1
