"""Delays: right truncation undone, competing ends, and who enters."""

import numpy as np
import pandas as pd
import pytest

import portrait_tables
from trajectories import protect
from trajectories.analysis.portrait import contact_curve, delays, establishment_curve, since_arrival, since_contact
from trajectories.analysis.portrait.delays import distribution, incidence
from trajectories.study import Study

CUTOFF = pd.Timestamp("2021-12-31")


def law(rng, n):
    """Delays in whole months from 1 on: a rounded Weibull, longest 60."""
    return np.clip(np.ceil(rng.weibull(1.1, n) * 16), 1, 60)


def seen(n, rng, *, window=84):
    """Those who arrived evenly within a window and settled by its end."""
    delay, limit = law(rng, n), np.floor(rng.uniform(0, window, n))
    rows = pd.DataFrame({"household_id": np.arange(n), "delay": delay, "limit": limit})
    return rows[rows["delay"] <= rows["limit"]].reset_index(drop=True)


def test_truncation_is_undone_and_the_plain_distribution_is_not_the_law():
    rng = np.random.default_rng(1)
    everybody = law(rng, 400_000)
    rows = seen(20_000, rng)
    undone, plain = (distribution(rows, method, 60, 20).set_index("month") for method in ("truncation", "established"))
    truth = np.array([(everybody <= m).mean() for m in range(61)])
    apart = {name: np.abs(table["estimate"].to_numpy() - truth).max()
             for name, table in (("truncation", undone), ("established", plain))}  # fmt: skip
    print({name: round(float(value), 4) for name, value in apart.items()})
    assert apart["truncation"] < 0.02
    assert apart["established"] > 0.04


@pytest.mark.thorough
def test_the_limits_hold_the_law_as_often_as_they_claim():
    rng = np.random.default_rng(2)
    everybody = law(rng, 400_000)
    held = []
    for _ in range(120):
        table = distribution(seen(600, rng), "truncation", 60, 20).set_index("month")
        reach = int(table["estimate"].last_valid_index())
        truth = {m: (everybody <= m).mean() / (everybody <= reach).mean() for m in (6, 12, 24)}
        held.append([table.loc[m, "lower"] <= share <= table.loc[m, "upper"] for m, share in truth.items()])
    coverage = np.mean(held, axis=0)
    print("coverage of 95 % limits at 6, 12, 24 months:", coverage.round(3))
    # 120 samples: 0.95 less three standard errors
    assert (coverage >= 0.89).all()


def test_the_estimate_is_the_product_it_is_said_to_be():
    rows = seen(300, np.random.default_rng(3), window=50)
    table = distribution(rows, "truncation", 60, 20).set_index("month")
    reach = int(table["estimate"].last_valid_index())
    delay, limit = rows["delay"].to_numpy(), rows["limit"].to_numpy()
    at_risk = {y: ((delay <= y) & (limit >= y)).sum() for y in range(61)}
    for month in (0, 1, 5, 17, reach):
        product = np.prod([1 - (delay == y).sum() / at_risk[y] for y in range(month + 1, reach + 1)])
        assert table.loc[month, "estimate"] == pytest.approx(product, abs=1e-12)
        assert table.loc[month, "n_risk"] == at_risk[month]
    assert at_risk[reach] >= 20 > max(at_risk[y] for y in range(reach + 1, 61))
    assert table.loc[reach, ["estimate", "lower", "upper"]].eq(1).all()


def test_too_few_have_no_estimate():
    rows = seen(300, np.random.default_rng(4)).head(12)
    for method in ("truncation", "established"):
        table = distribution(rows, method, 24, 20)
        assert table["estimate"].isna().all()
        assert len(table) == 25
    assert distribution(rows.iloc[:0], "truncation", 24, 20)["n_risk"].eq(0).all()


def stays(**columns):
    whole = {"person_id": "a", "household_id": "H", "episode": 1, "region": "05", "pathway": "secondary",
             "excluded": None, "establishment_latest": pd.Timestamp("2021-06-01"), "cutoff": 7.0,
             "years_since_arrival": 1.0, "entry": 0.0}  # fmt: skip
    return pd.DataFrame([whole | columns])


RECORDS = pd.DataFrame({"fiscal_year": ["2018-2019"], "quarter": pd.array([1], dtype="Int64"),
                        "service_date_latest": [pd.Timestamp("2018-05-01")]})  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({}, None),
        ({"years_since_arrival": np.nan}, "arrival_unknown"),
        ({"years_since_arrival": -0.2}, "arrival_after_establishment"),
        ({"years_since_arrival": -0.05}, None),  # some days: a delay of 0
        ({"years_since_arrival": 3.2}, "arrived_before_deposits"),  # 1 April 2018 is 38 months before
        ({"excluded": "start_unbounded"}, "start_unbounded"),
    ],
)
def test_a_delay_is_left_out_for_a_reason(columns, why):
    found = since_arrival(stays(**columns), RECORDS)
    assert found["left_out"].tolist() == [why]


def test_the_delay_and_the_longest_one_that_could_be_seen_are_whole_months():
    found = since_arrival(stays(years_since_arrival=10.5 / 12), RECORDS)
    assert found[["delay", "limit"]].to_numpy().tolist() == [[11.0, 17.0]]
    assert since_arrival(stays(years_since_arrival=-0.05), RECORDS)["delay"].tolist() == [0.0]
    assert since_arrival(stays(pathway="primary"), RECORDS).empty


# ── since the first contact ───────────────────────────────────────────────────────────────────────────────
def course(*spells, service="2020-01-15", organisation="metropole", zone="metropole"):
    """The four tables of one person: spells as (zone, region, begins, ends, outcome), and one service."""
    rows = [
        {"zone": z, "region": region, "start_latest": begins, "end_earliest": ends, "last_confirmed": ends,
         "outcome": outcome}
        for z, region, begins, ends, outcome in spells
    ]  # fmt: skip
    told = pd.DataFrame(rows).assign(person_id="a", household_id="H", spell=range(1, len(rows) + 1))
    for name in ("start_latest", "end_earliest", "last_confirmed"):
        told[name] = pd.to_datetime(told[name])
    seen = pd.DataFrame({"person_id": ["a"], "kind": "service", "zone": zone, "latest": pd.Timestamp(service),
                         "record_id": "r"})  # fmt: skip
    records = RECORDS.assign(record_id="r", organisation_zone=organisation)
    return stays(), told, seen, records, CUTOFF


MONTREAL = ("metropole", "06", "2019-06-01", "2020-02-15", "moved")


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        # settled two months after the first service
        ([MONTREAL, ("region", "05", "2020-03-15", "2021-05-01", "lost")], (1, "05", 2.0, 2.0)),
        # what comes after the first establishment does not count
        ([MONTREAL, ("region", "05", "2020-03-15", "2020-06-01", "moved"),
          ("region", "01", "2020-06-01", "2021-05-01", "present")], (1, "05", 2.0, 2.0)),
        # nothing known: to the cut-off, or to the last evidence
        ([("metropole", "06", "2019-06-01", "2020-08-20", "lost")], (0, None, None, 7.0)),
        ([MONTREAL, ("outside_quebec", None, "2020-04-15", "2020-04-15", "present")], (3, None, 3.0, 3.0)),
        ([("metropole", "06", "2019-06-01", "2020-04-15", "deceased")], (3, None, 3.0, 3.0)),
        # came back after having left: the first thing that happened counts
        ([MONTREAL, ("outside_quebec", None, "2020-04-15", "2020-05-15", "moved"),
          ("region", "05", "2020-09-15", "2021-05-01", "lost")], (3, None, 3.0, 3.0)),
    ],
)  # fmt: skip
def test_what_followed_the_first_contact(spells, expected):
    (row,) = since_contact(*course(*spells)).to_dict("records")
    assert row["left_out"] is None
    month = None if np.isnan(row["month"]) else row["month"]
    assert (row["cause"], None if pd.isna(row["region"]) else row["region"], month, row["last_evidence"]) == expected
    assert row["to_cutoff"] == 23.0


def test_who_was_en_region_before_is_not_waiting_and_who_was_met_late_cannot_be_followed():
    before = [
        ("region", "05", "2019-06-01", "2019-12-01", "moved"),
        ("metropole", "06", "2019-12-01", "2020-02-15", "lost"),
    ]
    assert since_contact(*course(*before))["left_out"].tolist() == ["settled_before"]
    cohort, *rest = course(MONTREAL, service="2021-11-15")
    late = since_contact(cohort.assign(entry=3.0), *rest)
    assert late["left_out"].tolist() == ["met_too_late"]


def test_an_address_that_a_region_told_of_is_no_contact():
    settles = ("region", "05", "2020-03-15", "2021-05-01", "lost")
    assert since_contact(*course(MONTREAL, settles, organisation="region")).empty
    assert since_contact(*course(MONTREAL, settles, zone="region")).empty


def waiting(n, rng, *, silent):
    """Persons who settle at a constant monthly rate, in 05 or 01, or leave; others come until `silent` on average."""
    month = np.ceil(rng.exponential(14, n))
    cause = rng.choice([1, 1, 3], n)
    cutoff = np.floor(rng.uniform(3, 60, n))
    region = np.where(cause == 1, rng.choice(["05", "01"], n, p=[0.7, 0.3]), None)
    last = np.minimum(np.floor(rng.exponential(silent, n)), cutoff)
    happened = month <= cutoff
    return pd.DataFrame({
        "household_id": np.arange(n) // 2, "region": region, "cause": np.where(happened, cause, 0),
        "month": np.where(happened, month, np.nan), "to_cutoff": cutoff,
        "last_evidence": np.where(happened, month, np.minimum(last, month)), "left_out": None,
    })  # fmt: skip


def test_the_incidence_is_the_true_one_and_the_last_evidence_overstates():
    rng = np.random.default_rng(5)
    met = waiting(6000, rng, silent=8)
    here = met["region"].eq("05").to_numpy()
    for month in (6, 12, 24):
        truth = (1 - np.exp(-month / 14)) * 2 / 3 * 0.7
        methods = ("to_cutoff", "last_evidence")
        main, companion = (incidence(met, here, m, 60, 20).set_index("month").loc[month] for m in methods)
        print(month, round(truth, 3), round(main["estimate"], 3), round(companion["estimate"], 3))
        assert abs(main["estimate"] - truth) < 3.5 * main["se"] < 0.04
        assert companion["estimate"] > main["estimate"] + {6: 0.0, 12: 0.02, 24: 0.03}[month]


def test_regions_add_up_to_the_province_and_months_without_support_have_nothing():
    met = waiting(900, np.random.default_rng(6), silent=8)
    parts = [incidence(met, met["region"].eq(code).to_numpy(), "to_cutoff", 60, 20) for code in ("05", "01")]
    whole = incidence(met, np.ones(len(met), dtype=bool), "to_cutoff", 60, 20)
    np.testing.assert_allclose(parts[0]["estimate"] + parts[1]["estimate"], whole["estimate"], atol=1e-12)
    assert whole.loc[whole["n_risk"] < 20, "estimate"].isna().all()
    assert whole.loc[whole["n_risk"] >= 20, "estimate"].notna().all()
    nobody = incidence(met, np.zeros(len(met), dtype=bool), "to_cutoff", 12, 20)
    assert nobody["estimate"].eq(0).all()


# ── of whole tables, and protected ────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def made():
    return portrait_tables.make(400, seed=7)


def test_delays_have_a_row_a_month_group_and_method(made):
    study = Study(horizons=(12, 24), groups={"Est": ("01", "05")})
    found = delays(made.cohort, made.spells, made.observations, made.records, cutoff=portrait_tables.CUTOFF,
                   study=study)  # fmt: skip
    assert len(found) == 2 * 2 * 17 * 25
    assert not found.duplicated(["measure", "method", "group", "month"]).any()
    known = found.dropna(subset=["estimate"])
    assert known["estimate"].between(0, 1).all()
    assert (known["lower"] <= known["estimate"] + 1e-12).all()
    assert (known["upper"] >= known["estimate"] - 1e-12).all()
    grows = known.groupby(["measure", "method", "group"])["estimate"].diff().dropna()
    assert (grows >= -1e-12).all()
    of = found[found["measure"].eq("arrival_to_establishment") & found["month"].eq(0)].set_index(["method", "group"])
    settled = made.cohort[made.cohort["pathway"].eq("secondary")].groupby("region")["person_id"].nunique()
    counted = (of["n_start"] + of["n_left_out"]).loc["truncation"]
    assert counted[settled.index].eq(settled).all()


def test_curves_of_counts_are_of_everybody_and_can_be_protected(made):
    settled = since_arrival(made.cohort, made.records)
    raw = establishment_curve(settled, study=Study())
    sums = raw.groupby("group")[["n_entry", "n_censor", "n_exit_settled"]].sum()
    assert sums["n_entry"].eq(sums["n_censor"] + sums["n_exit_settled"]).all()
    kept = settled[settled["left_out"].isna()]
    assert sums.loc["province", "n_entry"] == kept["person_id"].nunique()
    told = protect(raw).frame
    assert "09" not in set(told["group"])  # under thirty persons
    for group, rows in (("province", kept), ("03", kept[kept["region"].eq("03")])):
        curve = distribution(rows.drop_duplicates("person_id"), "established", 60, 20).set_index("month")["estimate"]
        shown = told[told["group"].eq(group)].set_index("month")["incidence_settled"]
        apart = (shown - curve.reindex(shown.index)).abs().max()
        print(group, len(shown), "months shown, at most", round(apart, 3), "from the estimate")
        assert len(shown) > 12
        assert apart < 0.08  # counts in classes of ten persons, wider for the province

    met = since_contact(made.cohort, made.spells, made.observations, made.records, portrait_tables.CUTOFF)
    raw = contact_curve(met)
    assert raw["n_entry"].sum() == met["left_out"].isna().sum() > 500
    assert raw[["n_censor", "n_exit_settled", "n_exit_gone"]].sum().sum() == raw["n_entry"].sum()
    assert len(protect(raw).frame) > 12
