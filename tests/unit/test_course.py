"""The course of those who settled: areas, moves, states and the share settled, on cases that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from trajectories import Study
from trajectories.retention import estimate
from trajectories.retention.course import (
    course,
    main_fits,
    moves_per_person,
    occupation,
    restricted_time,
    settled_share,
)
from trajectories.retention.course.cure_fraction import NOTES
from trajectories.retention.course.post_exit_states import (
    STATES,
    _carried_on,
    episodes_after,
    panel_may_be_used,
    rates_after,
)
from trajectories.retention.course.restricted_mean import area
from trajectories.retention.main_fits import OF_STAYS
from trajectories.simulate import told_stays
from trajectories.tables import MOVES, SPELLS, conform

STUDY = Study(replicates=6, horizons=(6, 12, 24, 60), support=20, draws=3)
NOBODY_KNOWS = conform(pd.DataFrame(index=pd.RangeIndex(0)), SPELLS), conform(pd.DataFrame(index=[]), MOVES)


@pytest.fixture(scope="module")
def told():
    cohort, contacts = told_stays(700, seed=3).tables()
    # a region of 60 stays, too few to learn how its departures become known
    cohort["region"] = np.where(np.arange(len(cohort)) < 60, "01", "05")
    days = pd.Timestamp("2019-01-01") + pd.to_timedelta(np.zeros(len(cohort)), unit="D")
    known = {"lower": cohort["entry"], "upper": np.inf, "exit": None, "lost": None, "lost_month": np.nan}
    return cohort.assign(establishment_earliest=days, establishment_latest=days, **known), contacts


@pytest.fixture(scope="module")
def fits(told):
    return main_fits(*told, study=STUDY, groups=["province", "01", "02"])


@pytest.fixture(scope="module")
def made(told, fits):
    return course(*told, *NOBODY_KNOWS, study=STUDY, fits=fits)


# ── the fits ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_fits_are_those_of_retention(told, fits):
    assert list(fits) == ["province", "01"]
    printed = estimate(*told, study=STUDY, groups=list(fits), companions=False).retention
    main = printed[printed["method"].eq("main")]
    for group, fit in fits.items():
        rows = main[main["group"].eq(group)].set_index("horizon")
        assert rows["reporting"].unique().tolist() == [fit.reporting]
        mine = fit.curve.table[fit.curve.table["cause"].eq(0)].set_index("month").reindex(rows.index)
        shown = rows["known"].ne("insufficient")
        pd.testing.assert_series_equal(mine.loc[shown, "incidence"], rows.loc[shown, "estimate"], check_names=False)
        pd.testing.assert_series_equal(mine.loc[shown, "se"], rows.loc[shown, "se"], check_names=False)
    assert fits["01"].reporting == "borrowed"
    # what is read of the cohort rows, and no more, is kept with a fit: every group holds its own
    assert all(set(fit.stays) <= set(OF_STAYS) and len(fit.stays) == len(fit.model_input) for fit in fits.values())
    given = estimate(*told, study=STUDY, groups=[*fits, "02"], companions=False, fits=fits).retention
    pd.testing.assert_frame_equal(given[given["group"].ne("02")].reset_index(drop=True), printed)
    assert given.loc[given["group"].eq("02"), "n_start"].eq(0).all()


def test_replicates_are_those_that_the_limits_come_from(fits):
    fit = fits["province"]
    curves, drawn = fit.curves()
    assert drawn.shape == (4, curves.shape[1], STUDY.replicates)
    np.testing.assert_allclose(drawn[0, 0], 1.0)
    np.testing.assert_allclose(drawn.sum(axis=0), 1.0)
    table = fit.curve.table.pivot(index="cause", columns="month", values="se").to_numpy()
    np.testing.assert_allclose(drawn[:, 1:].std(axis=2, ddof=1), table, atol=1e-12)


def test_without_replicates_there_are_none(told):
    fit = main_fits(*told, study=Study(replicates=0), groups=["province"])["province"]
    assert fit.curves()[1].shape[2] == 0
    rows = restricted_time({"province": fit}, study=STUDY)
    assert rows["se"].isna().all() and rows["estimate"].notna().any()


# ── restricted mean ───────────────────────────────────────────────────────────────────────────────────────
def test_the_restricted_mean_is_the_area_and_what_is_lost_is_the_rest(fits):
    rows = restricted_time(fits, study=STUDY)
    survival = fits["province"].curve.survival
    there = rows[rows["group"].eq("province") & rows["measure"].eq("restricted_months")].set_index("horizon")
    by_hand = np.trapezoid([1.0, *survival.loc[1:12]], dx=1.0)
    print(there["estimate"].round(3).to_dict(), by_hand)
    assert there.loc[12, "estimate"] == pytest.approx(by_hand)
    whole = rows[rows["known"].ne("insufficient")].groupby(["group", "horizon"])["estimate"].sum()
    np.testing.assert_allclose(whole, whole.index.get_level_values("horizon"))
    shown = there["estimate"].notna()
    assert (there.loc[shown, "lower"] < there.loc[shown, "estimate"]).all()
    assert (there.loc[shown, "upper"] <= there.index[shown]).all()


def test_no_area_beyond_what_is_supported(fits):
    rows = restricted_time(fits, study=STUDY)
    lacking = rows["known"].eq("insufficient")
    assert lacking.any() and rows.loc[lacking, ["estimate", "se", "lower", "upper"]].isna().all(axis=None)


def test_area_of_a_straight_line():
    assert area(np.linspace(1, 0, 11)[None], 10)[0] == pytest.approx(5.0)


# ── moves ─────────────────────────────────────────────────────────────────────────────────────────────────
def day(text):
    return pd.Timestamp(text)


def dated_spells(rows):
    columns = ["person_id", "household_id", "spell", "region", "zone", "start_earliest", "start_latest", "end_earliest",
               "end_latest", "last_confirmed", "outcome"]  # fmt: skip
    made = pd.DataFrame(rows, columns=columns)
    for name in ("start_earliest", "start_latest", "end_earliest", "end_latest", "last_confirmed"):
        made[name] = pd.to_datetime(made[name])
    return conform(made.assign(n_observations=1), SPELLS)


@pytest.fixture
def two_persons():
    """a: to Montréal in the 7th month, back in the 13th. b: to an unknown place in the 4th. Both until 24 months."""
    spells = dated_spells([
        ("a", "h1", 1, "05", "region", "2020-01-01", "2020-01-01", "2020-07-01", "2020-07-01", "2020-06-01", "moved"),
        ("a", "h1", 2, "06", "metropole", "2020-07-01", "2020-07-01", "2021-01-01", "2021-01-01", "2020-12-01",
         "moved"),
        ("a", "h1", 3, "05", "region", "2021-01-01", "2021-01-01", None, None, "2021-03-01", "present"),
        ("b", "h2", 1, "05", "region", "2020-01-01", "2020-01-01", "2020-04-01", "2020-05-01", "2020-03-01", "left"),
    ])  # fmt: skip
    moves = conform(pd.DataFrame({
        "person_id": ["a", "a"], "move": [1, 2], "kind": ["return", "secondary"],
        "earliest": [day("2020-07-01"), day("2021-01-01")], "latest": [day("2020-07-01"), day("2021-01-01")],
    }), MOVES)  # fmt: skip
    start = pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01"])
    stays = pd.DataFrame({
        "person_id": ["a", "a", "b"], "household_id": ["h1", "h1", "h2"], "episode": [1, 2, 1], "region": "05",
        "establishment_earliest": start, "establishment_latest": start, "entry": 0.0, "cutoff": [24.0, 12.0, 24.0],
        "exit": ["metropole", None, "unknown_destination"],
    })  # fmt: skip
    return stays, spells, moves


class _Carried:
    """A fit whose curve is supported everywhere."""

    def __init__(self, stays):
        self.stays = stays

    def at(self, months):
        return pd.DataFrame({"horizon": list(months), "known": "observed"})


def test_moves_are_counted_from_the_first_stay(two_persons):
    stays, spells, moves = two_persons
    study = Study(horizons=(3, 6, 12, 24), support=1)
    rows = moves_per_person({"province": _Carried(stays)}, spells, moves, study=study)
    lower = rows[rows["method"].eq("no_news_no_move")].set_index(["kind", "horizon"])["estimate"]
    print(rows[["method", "kind", "horizon", "estimate", "n_at_risk"]].to_string())
    # b left by the 5th of the month at the latest: at 4 months; a at 6 and 12
    assert [lower["all", h] for h in (3, 6, 12, 24)] == [0.0, 1.0, 1.5, 1.5]
    assert [lower["left", h] for h in (3, 24)] == [0.0, 0.5]
    assert [lower["return", 24], lower["secondary", 24]] == [0.5, 0.5]
    seen = rows[rows["method"].eq("while_seen") & rows["kind"].eq("all")].set_index("horizon")
    # b is followed to the first day on which the departure may have been; from then on a alone
    assert [seen.loc[h, "estimate"] for h in (3, 6, 12)] == [0.5, 1.5, 2.5]
    assert np.isnan(seen.loc[24, "estimate"]) and seen.loc[24, "n_at_risk"] == 0


def test_kinds_add_up_to_all_and_two_moves_of_a_day_are_two(two_persons):
    stays, spells, moves = two_persons
    same_day = moves.assign(earliest=day("2020-07-01"), latest=day("2020-07-01"))
    rows = moves_per_person({"province": _Carried(stays)}, spells, same_day, study=Study(horizons=(12,), support=1))
    rows = rows[rows["method"].eq("no_news_no_move")].set_index("kind")["estimate"]
    assert rows["all"] == pytest.approx(1.5)
    assert rows.drop("all").sum() == pytest.approx(rows["all"])


def test_moves_need_support(two_persons):
    stays, spells, moves = two_persons
    rows = moves_per_person({"province": _Carried(stays)}, spells, moves, study=Study(horizons=(12,), support=3))
    assert rows["known"].eq("insufficient").all() and rows["estimate"].isna().all()


# ── states ────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_comes_after_a_stay(two_persons):
    stays, spells, _ = two_persons
    rows = episodes_after(stays, spells, "region")
    # six months in the metropole, then back until the cut-off (24 months after the first establishment)
    assert rows[["state", "months", "goes_to"]].to_numpy().tolist() == [[1, 6.0, 0], [0, 12.0, -1]]
    rates = rates_after(stays, spells, 5, Study())
    assert rates.shape == (6, 4, 4)
    assert rates[0, 1, 0] == pytest.approx(1 / 6)
    np.testing.assert_allclose(rates.sum(axis=2), 0.0)


def test_another_region_is_this_region_anywhere_en_region(two_persons):
    stays, spells, _ = two_persons
    away = spells.assign(region=spells["region"].where(spells["spell"].ne(3), "12"))
    assert episodes_after(stays, away, "region")["state"].tolist() == [1, 2]
    assert episodes_after(stays, away, "any_region")["state"].tolist() == [1, 0]


def test_states_add_up_and_without_later_moves_they_are_the_curves(fits, made):
    rows = made.occupation[made.occupation["method"].eq("main") & made.occupation["group"].eq("province")]
    wide = rows.pivot(index="horizon", columns="state", values="estimate")[list(STATES)]
    shown = wide.notna().all(axis=1)
    assert shown.loc[24] and not shown.loc[60]
    np.testing.assert_allclose(wide[shown].sum(axis=1), 1.0)
    curves, _ = fits["province"].curves()
    np.testing.assert_allclose(wide[shown].to_numpy().T, curves[:, shown.index[shown]], atol=1e-12)


def test_those_gone_come_back_at_the_rate_that_is_known():
    # everybody leaves for the metropole in the first month and comes back at 0.1 a month
    curves = np.zeros((4, 13, 1))
    curves[0, 0], curves[1, 1:] = 1.0, 1.0
    rates = np.zeros((1, 4, 4))
    rates[0, 1, [0, 1]] = 0.1, -0.1
    found = _carried_on(curves, rates)[..., 0]
    np.testing.assert_allclose(found[1, 1:], np.exp(-0.1 * (np.arange(1, 13) - 0.5)))
    np.testing.assert_allclose(found.sum(axis=0), 1.0)


def test_the_panel_model_only_where_contacts_are_the_only_evidence(fits):
    may, why = panel_may_be_used(fits["province"], STUDY)
    assert not may and why == "departures are also heard of"
    study = Study(replicates=0, horizons=(12, 24))
    for gone, allowed in ((0.6, False), (0.12, True)):
        told = told_stays(1000, seed=2, hearing=None, failure_there=0.12, failure_gone=gone)
        cohort, contacts = told.tables()
        alone = main_fits(cohort, contacts, study=study, groups=["province"])
        fitted = alone["province"]
        assert panel_may_be_used(fitted, study) == (allowed, "" if allowed else "contacts fail more with those gone")
        start = pd.Timestamp("2019-01-01")
        for fit in alone.values():
            fit.stays["establishment_earliest"] = fit.stays["establishment_latest"] = start
            fit.stays["exit"] = None
        rows = occupation(alone, NOBODY_KNOWS[0], study=study)
        assert set(rows["method"]) == ({"main", "panel"} if allowed else {"main"})
        if allowed:
            at = rows[rows["horizon"].isin([12, 24])].pivot_table(
                index=["state", "horizon"], columns="method", values="estimate"
            )
            print(at.round(3))
            # rates that fall with time are taken as one rate: near, not the same
            assert (at["main"] - at["panel"]).abs().max() < 0.06
            panel = rows[rows["method"].eq("panel") & rows["horizon"].eq(12)]
            assert panel["estimate"].sum() == pytest.approx(1.0) and (panel["se"] > 0).all()


# ── settled for good ──────────────────────────────────────────────────────────────────────────────────────
def test_no_share_where_no_plateau_was_observed(made):
    rows = made.settled.set_index("group")
    print(rows[["horizon", "left_by", "note"]].to_string())
    assert rows["known"].eq("insufficient").all()
    assert rows[["estimate", "se", "lower", "upper"]].isna().all(axis=None)
    assert set(rows["note"]) <= set(NOTES.values()) - {NOTES[""]}


# ── all together ──────────────────────────────────────────────────────────────────────────────────────────
def test_tables_are_tidy(made):
    for table in vars(made).values():
        assert {"measure", "group", "horizon", "estimate", "se", "lower", "upper", "n_start", "known", "method",
                "note"} <= set(table)  # fmt: skip
        keys = [name for name in ("measure", "group", "cause", "kind", "state", "method", "horizon") if name in table]
        assert not table.duplicated(keys).any()
        assert table.loc[table["known"].eq("insufficient"), "estimate"].isna().all()


def test_nobody(told):
    cohort, contacts = told
    empty = course(cohort.iloc[:0], contacts.iloc[:0], *NOBODY_KNOWS, study=STUDY)
    assert all(table.empty and "estimate" in table for table in vars(empty).values())


def test_a_group_that_nobody_knows(told):
    with pytest.raises(ValueError, match="'Mars'"):
        course(*told, *NOBODY_KNOWS, study=STUDY, groups=["Mars"])


@pytest.mark.thorough
def test_settled_share_is_deterministic(fits):
    one, two = (settled_share(fits, study=STUDY) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
