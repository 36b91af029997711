"""The tables that the figures take: each rule of their protection, and what a reader could make of what is left."""

import numpy as np
import pandas as pd
import pytest

import figure_tables as raw
from trajectories.disclosure import Protected, protect
from trajectories.exceptions import DisclosureError
from trajectories.study import Disclosure

RULES = Disclosure()
TABLES = {
    "flows": raw.flows, "types": raw.types, "states": raw.states, "paths": raw.sequences, "stock": raw.stock,
    "coefficients": raw.coefficients, "scale": raw.scale, "settings": raw.panel,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_out_without_raw_columns_and_cannot_pass_before(name):
    table = TABLES[name]()
    told = protect(table)
    assert isinstance(told, Protected) and told.frame["shown"].dtype == bool
    assert told.of(told.frame["group"].iloc[0]).kind == told.kind
    with pytest.raises(DisclosureError, match="not protected"):
        Protected(told.kind, table.assign(shown=True), RULES)
    with pytest.raises(DisclosureError):
        protect(told.frame)


@pytest.mark.parametrize("name", ["types", "states", "stock", "coefficients", "scale", "settings"])
def test_a_row_given_twice_is_refused(name):
    table = TABLES[name]()
    with pytest.raises(DisclosureError, match="twice"):
        protect(pd.concat([table, table.iloc[:1]]))


# ── types and states ──────────────────────────────────────────────────────────────────────────────────────


def test_a_type_of_few_hides_another_and_all_shares():
    told = protect(raw.types({"stays": 800, "onward": 60, "leaves_quebec": 1})).frame
    hidden = told.set_index("rule").loc[lambda t: ~t["shown"]]
    assert set(hidden.index) == {"onward", "leaves_quebec"}
    assert hidden[["persons_rounded", "households_rounded", "silhouette", "jaccard"]].isna().to_numpy().all()
    assert told["share_rounded"].isna().all()


def states_of(counts):
    """One type: a row a month, a column a state → the raw table."""
    rows = [("1", month, f"s{k}", count / sum(line), count)
            for month, line in enumerate(counts) for k, count in enumerate(line)]  # fmt: skip
    return pd.DataFrame(rows, columns=["type", "month", "state", "share", "n"])


def test_shares_are_those_of_middles_of_classes():
    told = protect(states_of([(80, 0, 0), (61, 19, 0), (60, 20, 0)])).frame
    shares = told.pivot(index="month", columns="state", values="share_rounded")
    # 75; 65 and 15; 55 and 15
    assert shares.to_numpy().tolist() == [[1.0, 0.0, 0.0], [0.81, 0.19, 0.0], [0.79, 0.21, 0.0]]


def test_a_type_of_too_few_has_no_month():
    assert protect(states_of([(20, 9)] * 3)).frame.empty


def test_states_that_do_not_part_their_persons_are_refused():
    broken = raw.states()
    broken.loc[0, "share"] = 0.5
    with pytest.raises(DisclosureError, match="do not part"):
        protect(broken)


def could_be(counts, shown, value, at, total_between):
    """Whether some number of persons, and counts in the classes shown, give the state `at` this value (brute force)."""
    t = RULES.threshold
    for n in range(total_between[0], total_between[1] + 1):
        fits = True
        for month in shown:
            classes = [(-(-c // t) * t - t + 1, -(-c // t) * t) if c else (0, 0) for c in counts[month]]
            if month == at[0]:
                classes[at[1]] = (value, value)
            fits &= sum(low for low, _ in classes) <= n <= sum(high for _, high in classes)
        if fits:
            return True
    return False


def test_no_small_state_can_be_told_from_the_classes_and_the_rounded_number():
    rng = np.random.default_rng(5)
    tried = hidden = 0
    for _ in range(80):
        n = int(rng.integers(30, 75))
        counts = [tuple(rng.multinomial(n, rng.dirichlet([2, 0.4, 0.4]))) for _ in range(4)]
        frame = protect(states_of(counts)).frame
        shown = sorted(frame["month"].unique())
        hidden += 4 - len(shown)
        near = (n + 2) // 5 * 5
        for month in shown:
            for k, count in enumerate(counts[month]):
                if 0 < count < RULES.threshold:
                    tried += 1
                    for value in (1, RULES.threshold - 1):
                        assert could_be(counts, shown, value, (month, k), (near - 2, near + 2)), (counts, month, k)
    print(f"{tried} small states open to all of 1 … 9; {hidden} of 320 months hidden for it")
    assert tried > 100 and hidden > 0


def test_without_its_rule_of_room_a_small_state_is_found(monkeypatch):
    from trajectories.disclosure import curves as states

    monkeypatch.setattr(states, "_months_with_room", lambda part, rules: part.index)
    counts = [(31, 1)]
    assert not protect(states_of(counts)).frame.empty
    # 32 is told as 30: 28 to 32 persons; of 31 to 40 and 1 to 10, only 31 and 1 fit
    assert not could_be(counts, [0], 9, (0, 1), (28, 32))


def test_a_path_is_told_by_its_order_and_half_years_where_enough_share_it():
    told = protect(raw.sequences()).frame
    assert set(told.columns) == {"group", "type", "rank", "stage", "state", "start", "end", "shown"}
    by_type = told.groupby("type")["rank"].max().to_dict()
    assert by_type == {"1": 1, "2": 1, "3": 2, "4": 1}  # those of 4 and of 9 persons are not told
    inner = told[told["start"] > 0]
    assert (inner["start"] % 6 == 0).all()
    assert (told["end"] > told["start"]).all()
    assert told[told["type"].eq("2")][["state", "start", "end"]].values.tolist() == [
        ["region", 0.0, 6.0], ["metropole", 6.0, 61.0],
    ]  # fmt: skip


# ── coefficients ──────────────────────────────────────────────────────────────────────────────────────────


def reasons(table):
    told = protect(table).frame
    assert told.loc[~told["shown"], ["hazard_ratio_rounded", "lower", "upper", "p_rounded"]].isna().to_numpy().all()
    return dict(zip(told["term"] + "." + told["level"], told["reason"], strict=True))


def test_a_ratio_needs_ground_on_both_sides():
    table = raw.coefficients()
    table = table[table["to_month"].eq(np.inf) & table["from_month"].eq(0)]
    found = reasons(table)
    assert found["immigration_category.other_permanent"] == "denominator"
    assert [name for name, why in found.items() if why] == ["immigration_category.other_permanent"]
    job = raw.coefficients().query("term == 'job_found' and from_month == 0")
    assert reasons(job) == {"job_found.true": None}
    # nearly everyone found a job: the few who did not stand behind the ratio
    assert reasons(job.assign(n_stays=3143 - 25, n_events=600)) == {"job_found.true": "denominator"}
    assert reasons(job.assign(n_stays=2000, n_events=702 - 9)) == {"job_found.true": "few_exits"}
    assert reasons(job.assign(n_households=4)) == {"job_found.true": "households"}
    assert reasons(job.drop(columns="n_model_stays")) == {"job_found.true": "denominator"}


def test_a_reference_of_few_hides_all_levels():
    size = raw.coefficients().query("term == 'city_size'")
    assert set(reasons(size.assign(n_model_stays=2200 + 29)).values()) == {"reference"}


def test_ratios_have_two_decimals_and_limits_go_outwards():
    told = protect(raw.coefficients()).frame
    row = told[told["level"].eq("refugee")].iloc[0]
    assert (row["hazard_ratio_rounded"], row["lower"], row["upper"]) == (1.05, 0.86, 1.28)
    assert told["p_rounded"].min() == 0.01
    assert told["n_model_stays_rounded"].dropna().unique().tolist() == [3145]


# ── moved ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_scale_is_hidden_where_it_is_flat_or_the_rate_is_not_told():
    told = protect(raw.scale()).frame
    assert len(told) == 20 and told["unmoved"].sum() == 4
    own = told[told["unmoved"]].drop_duplicates("horizon").set_index("horizon")["estimate"].to_dict()
    assert own == {12: 0.8, 24: 0.7}
    flat = raw.scale().assign(estimate=lambda t: np.where(t["horizon"].eq(12), 0.8, 0.7) + 0.001 * np.log2(t["value"]))
    assert protect(flat).frame.empty  # under ten persons from one end to the other: few are lost
    few = protect(raw.scale(n=40)).frame
    assert few["horizon"].unique().tolist() == [24]  # 8 of 40 had left at 12 months: only a range is told of them
    assert protect(raw.scale(n=25)).frame.empty


def test_the_share_heard_of_needs_departures():
    told = protect(raw.scale()).frame
    heard = told.loc[told["assumption"].eq("odds_heard") & told["horizon"].eq(24), "share_heard_rounded"]
    assert heard.tolist() == [0.4, 0.5, 0.6, 0.7, 0.8]
    fewer = protect(raw.scale(n=100)).frame
    assert fewer.loc[fewer["horizon"].eq(12), "share_heard_rounded"].isna().all()


def test_settings_move_by_whole_steps_of_ten_persons():
    table = raw.panel(n=400)
    told = protect(table).frame.set_index(["setting", "value"])
    assert told["step"].dropna().unique().tolist() == [0.03]  # ten of 398, upwards
    moved = {key: round(row["estimate"] - 0.8, 2) for key, row in told.iterrows()}
    assert moved[("perimeter", "RMR-2016")] == 0.0  # two persons: not told from none
    assert moved[("scope", "any_region")] == 0.06
    assert moved[("lost", "all_lost_left")] == -0.09
    assert all(abs(by / 0.03 - round(by / 0.03)) < 1e-9 for by in moved.values())
    assert told["n_start_rounded"].notna().sum() == 1


def test_bounds_that_nearly_meet_are_hidden_among_settings():
    table = raw.panel(n=400)
    near = table["setting"].eq("lost")
    table.loc[near, "estimate"] = [0.79, 0.81]
    told = protect(table).frame
    assert told.loc[told["setting"].eq("lost"), "reason"].tolist() == ["bounds", "bounds"]
    table.loc[0, "estimate"] = 0.99  # the study's own is not told exactly
    assert not protect(table).frame["shown"].any()


# ── funnel, contrasts, stock ──────────────────────────────────────────────────────────────────────────────


def funnel_of(n, start, estimate=0.8):
    n = np.asarray(n, dtype=float)
    half = 0.4 / np.sqrt(n)
    return pd.DataFrame({
        "group": [f"{k + 1:02d}" for k in range(len(n))], "horizon": 12, "estimate": estimate, "effective_n": n,
        "n_start": start, "n_at_risk": start, "lower_95": 0.8 - 1.96 * half, "upper_95": 0.8 + 1.96 * half,
        "lower_998": 0.8 - 3.09 * half, "upper_998": 0.8 + 3.09 * half, "outside": False,
    })  # fmt: skip


def test_limits_are_those_of_the_rounded_size():
    told = protect(funnel_of([101.3, 198.9, 432.0, 801.0], [120, 240, 500, 900])).frame
    assert told["effective_n_rounded"].tolist() == [100, 200, 430, 800]
    by_formula = 0.8 - 1.96 * 0.4 / np.sqrt([101.3, 200, 430, 800])  # no line goes beyond the smallest size given
    assert np.abs(told["lower_95"] - by_formula).max() < 0.001
    assert "estimate" not in told


def test_a_region_of_few_has_no_place_in_the_funnel():
    told = protect(funnel_of([25.0, 45.0, 300.0], [29, 48, 330], [0.8, 0.9, 0.8])).frame
    assert told["shown"].tolist() == [False, False, True]  # too few persons; fewer than ten who left
    assert told.loc[~told["shown"], ["lower_95", "upper_998", "effective_n_rounded"]].isna().to_numpy().all()


def contrasts_of(starts):
    """Rates of each group, and the difference of each from the first."""
    names = [f"immigration_category={name}" for name in "abcd"[: len(starts)]]
    rates = pd.DataFrame({"measure": "retention", "group": names, "reference": None, "estimate": 0.75})
    rates = rates.assign(p_value=np.nan, n_start=starts)
    other = rates.iloc[1:].assign(measure="difference", reference=names[0], estimate=-0.0444, p_value=0.0003)
    months = other.assign(measure="restricted_mean_difference", estimate=-0.678)
    table = pd.concat([rates, other, months], ignore_index=True)
    return table.assign(
        horizon=12, method="weighted", lower=table["estimate"] - 0.031, upper=table["estimate"] + 0.031,
        n_at_risk=table["n_start"] // 2, se=0.01, note=None, effective_n=1.0,
    )  # fmt: skip


def test_a_contrast_is_told_where_both_sides_may_be():
    told = protect(contrasts_of([400, 300, 200])).frame
    assert told["shown"].all() and len(told) == 4
    rate, month = (told[told["measure"].eq(name)].iloc[0] for name in ("difference", "restricted_mean_difference"))
    assert (rate["estimate"], rate["lower"], rate["upper"]) == (-0.04, -0.08, -0.01)
    assert (month["estimate"], month["lower"], month["upper"]) == (-0.7, -0.8, -0.6)
    assert told["p_rounded"].tolist() == [0.01] * 4
    assert protect(contrasts_of([32, 300, 200])).frame["reason"].tolist() == ["at_risk"] * 4


def test_one_hidden_level_takes_the_next_smallest_with_it():
    told = protect(contrasts_of([400, 300, 200, 38])).frame
    assert told.groupby("measure")["reason"].apply(list).to_dict() == {
        "difference": [None, "difference", "at_risk"], "restricted_mean_difference": [None, "difference", "at_risk"],
    }  # fmt: skip


def test_overlap_goes_down_to_the_twentieth():
    told = protect(contrasts_of([400, 300, 200]).assign(overlap=0.9499)).frame
    assert told["overlap_rounded"].tolist() == [0.9] * 4


def test_a_drawn_rate_stands_only_beside_an_exact_one():
    rates = pd.DataFrame({
        "group": ["01", "02", "03", "04"], "horizon": 12, "estimate": [0.804, 0.97, 0.75, 0.5],
        "lower": 0.4, "upper": 0.99, "n_start": [400, 100, 28, 300], "n_at_risk": [300, 80, 25, 12],
        "shrunken": 0.7966, "shrunken_lower": 0.7577, "shrunken_upper": 0.8311, "weight": 0.9,
    })  # fmt: skip
    told = protect(rates)
    assert told.kind == "drawn rates" and "weight" not in told.frame
    # the second has three leavers (a range), the third too few persons, the fourth too few at risk
    assert told.frame["shrunken"].notna().tolist() == [True, False, False, False]
    assert told.frame.loc[0, ["shrunken", "shrunken_lower", "shrunken_upper"]].tolist() == [0.8, 0.75, 0.84]


def test_a_stock_is_told_by_ends_of_classes():
    told = protect(raw.stock()).frame
    assert told[["at_least_rounded", "at_most_rounded"]].to_numpy().tolist() == [[0, 10], [0, 20], [30, 50], [30, 40]]
    assert ((told["at_most_rounded"] - told["at_least_rounded"]) >= RULES.threshold).all()
    with pytest.raises(DisclosureError, match="above the possible"):
        protect(raw.stock().assign(persons_upper=0))


def test_a_stock_of_groups_that_may_overlap_is_refused():
    with pytest.raises(DisclosureError, match=r"stock of the group\(s\) Est cannot be protected"):
        protect(raw.stock().assign(group="Est"))


def test_stocks_of_overlapping_groups_would_rule_out_some_of_a_small_region():
    """B = (AB + BC − AC) / 2: with 4 persons in B, the classes of the three sums leave no 5 to 9."""
    a, b, c = 26, 4, 26
    ends = [(-(-n // 10) * 10 - 9, -(-n // 10) * 10) for n in (a + b, b + c, a + c)]
    fits = {
        small
        for small in range(1, 10)
        for first in range(1, 80)
        for last in range(1, 80)
        if all(
            low <= n <= high for n, (low, high) in zip((first + small, small + last, first + last), ends, strict=True)
        )
    }
    print(f"open: {sorted(fits)}")
    assert fits == {1, 2, 3, 4}


def test_a_small_region_is_not_the_province_less_the_others():
    for small in range(1, RULES.threshold):
        for other in range(40, 60):
            rows = pd.DataFrame({"group": ["05", "province"], "month": 0, "persons_lower": [other, other + small]})
            rows["persons_upper"], rows["households_lower"] = rows["persons_lower"], 20
            told = protect(rows).frame.set_index("group")
            low, high = told["at_least_rounded"] + 1, told["at_most_rounded"]
            assert low["province"] - high["05"] <= 1
            assert high["province"] - low["05"] >= RULES.threshold - 1
