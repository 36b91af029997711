"""The tables of services: each rule of their protection, and what a reader could find without it."""

import importlib
import itertools

import numpy as np
import pandas as pd
import pytest

from service_tables import described
from trajectories.analysis.services.expected import OBSERVED_EXPECTED
from trajectories.disclosure import Protected, protect
from trajectories.disclosure import services as service_follow_up
from trajectories.disclosure import services as service_funnel
from trajectories.disclosure import services as service_shares
from trajectories.disclosure.beside_counts import services_beside_counts
from trajectories.disclosure.services import class_of
from trajectories.exceptions import DisclosureError
from trajectories.study import Disclosure

RULES = Disclosure()
WIDTH = 10
TABLES = described({"05": 320, "03": 105, "09": 6, "province": 431})
KINDS = {
    "service_reach": "service shares", "service_delay": "service shares", "service_transfer": "service shares",
    "service_needs": "service shares", "service_reasons": "service shares", "service_funnel": "service funnel",
    "service_follow_up": "follow-up",
}  # fmt: skip


def needs(*rows, **columns):
    """The table of needs, of rows (group, households with the need, those without an answer)."""
    table = pd.DataFrame(rows, columns=["group", "n_start", "households"])
    table = table.assign(n_whole=table["n_start"], k_whole=table["households"], n_at_risk=table["n_start"])
    told = {"measure": "need_without_service", "need": "job", "service": "job_search", "horizon": 6, "lower": 0.0}
    return table.assign(**{**told, "estimate": table["households"] / table["n_start"], "upper": 1.0, **columns})


def frame(table, **how):
    return protect(table, **how).frame


def shown(table, **how):
    told = frame(table, **how)
    return told[told["shown"]]


# ── which rule a table goes to ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", KINDS)
def test_each_table_goes_to_its_own_rule_and_comes_out_without_raw_columns(name):
    told = protect(TABLES[name])
    assert told.kind == KINDS[name] and told.frame["shown"].any() and not told.of("09").frame["shown"].any()
    numbers = [column for column in told.frame if column.startswith(("at_", "n_"))]
    assert numbers and told.frame.loc[~told.frame["shown"], numbers].isna().all(axis=None)
    with pytest.raises(DisclosureError, match="not protected"):
        Protected(told.kind, TABLES[name].assign(shown=True), RULES)
    with pytest.raises(DisclosureError, match="twice"):
        protect(pd.concat([TABLES[name], TABLES[name].iloc[:1]]))


def test_the_names_are_those_of_the_room_that_makes_the_tables():
    gaps, given, transfer, use = (
        importlib.import_module(f"trajectories.analysis.services.{name}")
        for name in ("gaps", "service_events", "transfer", "use")
    )
    assert (use.REACH, use.DELAY, transfer.TRANSFER, transfer.NEVER, gaps.NEED, gaps.REASON) == (
        service_shares.REACH, service_shares.DELAY, service_shares.TRANSFER, service_shares.NEVER, service_shares.NEED,
        service_shares.REASON,
    )  # fmt: skip
    assert use.WINDOWS == service_shares.WINDOWS and transfer.TOLD == service_shares.TOLD
    assert (given.ANY_SERVICE, given.ALL_STREAMS) == (service_shares.ANY, service_shares.ALL)
    assert transfer.FUNNEL == service_funnel.FUNNEL and set(service_funnel.STEPS) < set(transfer.STEPS)
    assert service_follow_up.COVERAGE == gaps.COVERAGE
    assert service_follow_up.FEW_ORGANISATIONS == gaps.TOO_FEW_ORGANISATIONS


def test_numbers_of_services_and_observed_against_expected_have_no_rule_and_stay_here():
    for measure in ("number_of_services", OBSERVED_EXPECTED):
        with pytest.raises(DisclosureError, match="no rule protects it"):
            protect(needs(("05", 300, 100), measure=measure))


# ── classes ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_classes_leave_every_small_difference_of_two_numbers_open():
    for inner, more in itertools.product(range(60), range(1, WIDTH)):
        (low, high), (least, most) = (class_of([n], WIDTH) for n in (inner + more, inner))
        assert low[0] - most[0] <= 1 and high[0] - least[0] >= WIDTH - 1


def test_a_share_says_no_more_than_the_classes_of_its_two_numbers():
    told = shown(needs(("05", 123, 27))).iloc[0]
    # 20 to 29 of 120 to 129
    assert told[["at_least", "at_most", "n_start_rounded"]].tolist() == [0.15, 0.25, 120]
    assert told["at_least"] <= 20 / 129 and told["at_most"] >= 29 / 120
    same = [shown(needs(("05", n, k))).iloc[0].tolist() for n, k in ((120, 20), (129, 29), (125, 20))]
    assert same == [told.tolist()] * 3
    nobody, few = (shown(needs(("05", 123, k))).iloc[0].tolist() for k in (0, 9))
    assert nobody == few


def test_too_few_households_or_a_class_that_is_too_wide_is_not_told():
    told = frame(needs(("05", 29, 12), ("03", 49, 20), ("02", 50, 20), ("01", 200, 50)))
    reasons = told.set_index("group")["reason"].to_dict()
    assert reasons == {"05": "denominator", "03": "resolution", "02": None, "01": None}
    strict = Disclosure(threshold=20, round=5, households=10)
    assert frame(needs(("02", 99, 40), ("01", 100, 40)), rules=strict)["shown"].tolist() == [False, True]


def test_a_row_without_an_estimate_tells_nothing_of_the_counts_that_it_holds():
    table = needs(("05", 300, 100), ("03", 7, 3)).assign(estimate=[np.nan, np.nan])
    told = frame(table)
    assert not told["shown"].any()
    assert (
        told.drop(columns=["group", "measure", "need", "service", "horizon", "shown", "reason"]).isna().all(axis=None)
    )


def test_groups_that_overlap_are_not_told():
    table = needs(("province", 300, 100), ("Est", 200, 50), ("immigration_category=economic", 200, 50))
    assert frame(table)["group"].tolist() == ["province"]


# ── regions and the province ─────────────────────────────────────────────────────────────────────────────────


def supposed(rows, told):
    """From where to where a reader finds what is small in a region, from the classes told (exactly, by hand)."""
    shown_at = told.set_index("group")["shown"]
    ends = {group: {"n": class_of([n], WIDTH), "k": class_of([k], WIDTH)} for group, n, k in rows}
    whole = ends["province"]
    found = {}
    for group, _, k in rows:
        if group == "province" or not 0 < k < WIDTH:
            continue
        others = [one for one in rows if one[0] not in ("province", group)]
        most = sum(ends[o]["k"][1][0] if shown_at[o] else class_of([m], WIDTH)[1][0] for o, m, _ in others)
        least = sum(ends[o]["k"][0][0] if shown_at[o] else 0 for o, _, _ in others)
        low, high = (whole["k"][end][0] for end in (0, 1))
        found[group] = (max(low - most, 0), high - least) if shown_at["province"] else (0, np.inf)
    return found


def test_the_province_less_its_regions_leaves_a_small_part_open():
    # 39 of 100 twice, and 4 of 12: the province's 80 to 89 less twice 30 to 39 leaves two at least
    rows = [("province", 212, 82), ("01", 100, 39), ("02", 100, 39), ("03", 12, 4)]
    told = frame(needs(*rows)).set_index("group")
    assert told["shown"].to_dict() == {"01": True, "02": True, "03": False, "province": False}
    assert told.loc["province", "reason"] == "difference"
    # told by its class, a small number is bounded in the same way
    rows = [("province", 252, 82), ("01", 100, 39), ("02", 100, 39), ("03", 52, 4)]
    assert frame(needs(*rows)).set_index("group")["shown"].to_dict() == {
        "01": True, "02": True, "03": True, "province": False,
    }  # fmt: skip


def test_what_another_hidden_region_may_hold_keeps_a_small_part_open_and_no_more_than_that():
    rows = [("01", 100, 39), ("02", 100, 39), ("03", 12, 4)]
    # a region of nobody holds nothing; one of nine may hold the two at least
    nobody, some = ([("province", 212 + n, 82), *rows, ("04", n, 0)] for n in (0, 9))
    assert "province" not in set(shown(needs(*nobody).fillna({"estimate": 0}))["group"])
    assert "province" in set(shown(needs(*some))["group"])


@pytest.mark.thorough
def test_of_many_provinces_none_that_is_told_bounds_a_small_part():
    rng = np.random.default_rng(5)
    shown_provinces = 0
    for _ in range(60):
        sizes = rng.integers(5, 160, rng.integers(2, 6))
        having = [int(rng.integers(0, n + 1)) if rng.random() < 0.6 else int(rng.integers(0, 10)) for n in sizes]
        having = [min(k, n) for k, n in zip(having, sizes, strict=True)]
        rows = [(f"{i + 1:02d}", int(n), k) for i, (n, k) in enumerate(zip(sizes, having, strict=True))]
        rows.append(("province", int(sizes.sum()), sum(having)))
        told = frame(needs(*rows))
        shown_provinces += int(told.set_index("group").loc["province", "shown"])
        for low, high in supposed(rows, told).values():
            assert low <= 1 and high >= WIDTH - 1, rows
    print(f"{shown_provinces} of 60 provinces are told")
    assert 6 <= shown_provinces < 60


def test_a_household_of_two_regions_does_not_silence_the_province():
    rows = [("province", 150, 60), ("01", 100, 45), ("02", 100, 45), ("03", 12, 4)]
    assert shown(needs(*rows))["group"].tolist() == ["province", "01", "02"]


# ── what is told of each table ───────────────────────────────────────────────────────────────────────────────


def test_streams_periods_months_and_methods_that_would_part_the_same_people_are_left_out():
    reached = TABLES["service_reach"]
    more = pd.concat(
        [reached, reached.assign(stream="PASI/full_participation"), reached.assign(when="dated_before_arrival")]
    )
    pd.testing.assert_frame_equal(frame(more), frame(reached))
    moved = TABLES["service_transfer"]
    others = [
        moved.assign(period="2020_2021"),
        moved.assign(method="all_known"),
        moved.assign(measure="transfer_never"),
    ]
    pd.testing.assert_frame_equal(frame(pd.concat([moved, *others])), frame(moved))
    assert set(frame(TABLES["service_delay"])["horizon"]) == {1, 3, 6, 12}
    one_by_one = TABLES["service_delay"].assign(service="pairing")
    pd.testing.assert_frame_equal(
        frame(pd.concat([TABLES["service_delay"], one_by_one])), frame(TABLES["service_delay"])
    )
    reasons = TABLES["service_reasons"]
    unanswered = reasons.assign(reason="studies", service=None, estimate=np.nan, note="no_such_service")
    pd.testing.assert_frame_equal(frame(pd.concat([reasons, unanswered])), frame(reasons))


def reached(n, **services):
    """Households of one group with each service after the establishment."""
    table = pd.DataFrame({"service": list(services), "households": list(services.values())})
    table = table.assign(
        measure="reach", group="05", stream="all", when="after", n_start=n, n_whole=n, n_at_risk=n, lower=0, upper=1
    )
    return table.assign(k_whole=table["households"], estimate=table["households"] / n)


def test_any_service_is_not_told_where_it_would_bound_a_small_one():
    # 80 to 89 got any, twice 30 to 39 got the others: pairing reached two at least
    table = reached(200, any=82, job_search=39, reception=39, pairing=4)
    assert set(shown(table)["service"]) == {"job_search", "reception", "pairing"}
    overlapping = reached(200, any=72, job_search=39, reception=39, pairing=4)
    assert set(shown(overlapping)["service"]) == {"any", "job_search", "reception", "pairing"}


def test_services_are_not_told_one_by_one_where_they_would_bound_how_few_got_none():
    # 120 to 129 households, the services reach 30 to 39 each: three at least got none
    table = reached(124, any=117, job_search=39, reception=39, pairing=39)
    assert set(shown(table)["service"]) == {"any"}
    more = reached(124, any=117, job_search=45, reception=39, pairing=39)
    assert len(shown(more)) == 4


# ── the way ──────────────────────────────────────────────────────────────────────────────────────────────────


def funnel(settled, there, recent, group="05", **more):
    steps = {"settled": settled, "there_at_12_months": there, "settled_too_recently": recent,
             "left_by_12_months": settled - there - recent, **more}  # fmt: skip
    return pd.DataFrame({
        "measure": "process_funnel", "group": group, "step": list(steps), "households": list(steps.values()),
        "n_start": settled, "n_at_risk": settled, "n_whole": settled, "estimate": 0.5, "lower": 0, "upper": 1,
    })  # fmt: skip


def test_the_steps_are_told_by_classes_and_who_left_or_was_lost_is_not():
    told = frame(funnel(84, 55, 21)).set_index("step")
    assert told.loc["settled", ["at_least_rounded", "at_most_rounded"]].tolist() == [80, 89]
    assert sorted(told.index) == ["settled", "settled_too_recently", "there_at_12_months"]
    assert not frame(funnel(29, 20, 0))["shown"].any()


def test_three_steps_do_not_bound_how_few_left():
    # 100 to 109 less 50 to 59 and 30 to 39: two at least left, and they are seven
    told = frame(funnel(105, 59, 39)).set_index("step")
    assert told["shown"].to_dict() == {"settled": True, "settled_too_recently": False, "there_at_12_months": True}
    assert frame(funnel(105, 59, 30))["shown"].all()  # 16 left
    assert frame(funnel(105, 62, 39))["shown"].all()  # four left, and the classes leave all open


def test_where_somebody_will_settle_is_not_known_before_in_a_region():
    told = frame(
        pd.concat([funnel(84, 50, 20, met_in_metropole=90), funnel(184, 99, 50, "province", met_in_metropole=300)])
    )
    assert told.loc[told["step"].eq("met_in_metropole"), "group"].tolist() == ["province"]


# ── follow-up ────────────────────────────────────────────────────────────────────────────────────────────────


def contacts(*rows, measure="follow_up_coverage"):
    """Contacts of rows (group, type, due, held, note); with a note no number is given."""
    table = pd.DataFrame(rows, columns=["group", "organisation_type", "n_whole", "held", "note"])
    table["estimate"] = (table["held"] / table["n_whole"]).where(table["note"].isna())
    return table.assign(
        measure=measure, horizon=3, k_whole=table["held"], n_at_risk=table["n_whole"], n_start=table["n_whole"],
        lower=0, upper=1,
        households=40, households_without=40,
    )  # fmt: skip


def test_persons_of_few_households_are_not_told():
    table = contacts(("05", "all", 100, 60, None))
    assert shown(table)[["at_least", "at_most"]].to_numpy().tolist() == [[0.55, 0.69]]
    assert frame(table.assign(households_without=4))["reason"].tolist() == ["households"]
    assert frame(contacts(("05", "all", 100, 95, None)).assign(households_without=2))["shown"].all()


def test_types_of_organisation_are_told_of_the_province_where_none_is_bounded():
    every = [("province", "all", 300, 200, None), ("province", "region_larger", 200, 130, None)]
    small = contacts(*every, ("province", "region_smaller", 100, 70, None), ("05", "region_larger", 200, 130, None))
    assert set(shown(small)["organisation_type"]) == {"all", "region_larger", "region_smaller"}
    assert set(frame(small)["group"]) == {"province"}
    one_out = contacts(*every, ("province", "region_smaller", 100, 70, "too_few_organisations"))
    assert shown(one_out)["organisation_type"].tolist() == ["all"]


def test_what_the_only_region_with_few_organisations_leaves_out_is_not_found_by_subtraction():
    regions = [("01", "all", 200, 120, None), ("02", "all", 200, 120, None)]
    left_out = ("03", "all", 200, 120, "too_few_organisations")
    whole = ("province", "all", 600, 360, None)
    assert "province" not in set(shown(contacts(whole, *regions, left_out))["group"])
    another = ("04", "all", 200, 120, "too_few_organisations")
    more = contacts(("province", "all", 800, 480, None), *regions, left_out, another)
    assert "province" in set(shown(more)["group"])


# ── beside the counts ────────────────────────────────────────────────────────────────────────────────────────


def settled(households, persons=None):
    """The protected number of all those settled."""
    persons = 2 * households if persons is None else persons
    row = {"group": "05", "table": "stays", "key": "total", "persons": persons, "households": households}
    return protect(pd.DataFrame([row]))


def left_out(frame, number):
    """From where to where a reader finds how many of all those settled a step leaves out."""
    row = frame.iloc[0]
    return number - 2 - row["at_most_rounded"], number + 2 - row["at_least_rounded"]


@pytest.mark.thorough
def test_the_number_of_all_those_settled_does_not_bound_how_few_are_left_out():
    steps = funnel(84, 55, 21).query("step == 'settled'")
    for all_of_them in range(84, 115):
        told = services_beside_counts(protect(steps), settled(all_of_them)).frame
        fewest, most = left_out(told, (all_of_them + 2) // 5 * 5)
        if all_of_them - 84 in range(1, WIDTH):
            assert fewest <= 1 and most >= WIDTH - 1, all_of_them
        assert told["at_least_rounded"].iloc[0] <= 84 <= told["at_most_rounded"].iloc[0]


def test_shares_are_widened_with_the_number_that_they_are_of():
    table = protect(needs(("05", 123, 27)))
    far = services_beside_counts(table, settled(200)).frame
    pd.testing.assert_frame_equal(far, table.frame)
    near = services_beside_counts(table, settled(125)).frame.iloc[0]
    # 125 is 123 to 127: 120 to 129 would leave at most seven; 110 to 129 of them
    assert near[["at_least", "at_most", "n_start_rounded"]].tolist() == [0.15, 0.28, 110]
    above = services_beside_counts(table, settled(135)).frame.iloc[0]
    # 133 to 137 less 120 to 129 would leave four at least; 120 to 139 of them
    assert above[["at_least", "at_most", "n_start_rounded"]].tolist() == [0.13, 0.25, 120]
    assert near["at_least"] <= 27 / 123 <= near["at_most"] and above["at_least"] <= 27 / 123 <= above["at_most"]


def test_contacts_stand_beside_the_number_of_persons():
    table = protect(contacts(("05", "all", 123, 60, None)))
    assert services_beside_counts(table, settled(60, 125)).frame["n_start_rounded"].tolist() == [110]
    assert services_beside_counts(table, settled(125, 200)).frame["n_start_rounded"].tolist() == [120]
