"""Stays as arrays, and what is told of them: the truth stands whatever is told, and each option does what it says."""

import numpy as np
import pandas as pd
import pytest

from trajectories.simulate import SHORTCUTS, main_curve, shortcut_curve, told_stays
from trajectories.simulate.stays import HEARING, LAST, hearing_of_shares
from worlds.disturbed_stays import disturbed_stays

N = 6000


def failing(told, gone):
    """The share of attempts that fail, by whether the attempt before failed."""
    rows = told.contacts[told.contacts["kind"].isin(["present", "left", "failed"])].sort_values(["stay", "month"])
    before = rows["kind"].eq("failed").groupby(rows["stay"]).shift().eq(True)
    left = told.exit_month[rows["stay"]] <= rows["month"]
    return rows["kind"].eq("failed")[left == gone].groupby(before).mean().to_numpy()


def heard(told, months=24):
    """The share of the exits that are heard of within some months, of those that could be."""
    early = np.flatnonzero((told.exit_month + months <= told.cutoff) & (told.exit_month > told.entry))
    news = told.contacts[told.contacts["kind"].eq("news")].set_index("stay")["month"].reindex(early)
    return (news.to_numpy() - told.exit_month[early] <= months).mean()


def test_a_seed_gives_the_same_and_what_is_told_leaves_the_truth_alone():
    plain, again = told_stays(500, 7), told_stays(500, 7)
    pd.testing.assert_frame_equal(plain.contacts, again.contacts)
    other = told_stays(
        500, 7, schedule=(2, 30), hearing=0.9, hard_to_reach=0.5, failure_trait=0.5, contacts_follow_trouble=3.0,
        hearing_fades=0.5, services=True, dated=0.5,
    )  # fmt: skip
    for name in ("exit_month", "cause", "entry", "cutoff", "household"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(other, name))
    assert not np.array_equal(plain.exit_month, told_stays(500, 8).exit_month)


def test_the_stays_end_as_the_true_curve_says():
    told = told_stays(40_000, 3, households=False, late_registration=0.0, schedule=(), hearing=None)
    assert told.contacts.empty
    for month in (3, 12, 24, 60):
        assert (told.exit_month > month).mean() == pytest.approx(told.survival[month], abs=0.009)
        by_cause = [(told.exit_month[told.cause == k] <= month).sum() / len(told) for k in (1, 2, 3)]
        np.testing.assert_allclose(by_cause, told.incidence[:, month], atol=0.009)
    np.testing.assert_allclose(told.survival + told.incidence.sum(axis=0), 1.0)


def test_delayed_entry_is_given_that_the_stay_lasted():
    told = told_stays(N, 1, late_registration=1.0)
    assert (told.exit_month > told.entry).all()
    assert set(told.entry) == set(range(1, 9))
    rows = told.contacts.assign(entry=told.entry[told.contacts["stay"]], cutoff=told.cutoff[told.contacts["stay"]])
    assert (rows["month"] > rows["entry"]).all()
    assert (rows["month"] <= rows["cutoff"]).all()


def test_contacts_fail_as_asked():
    told = told_stays(30_000, 2, failure_there=(0.1, 0.4), failure_gone=(0.5, 0.8), hearing=None)
    np.testing.assert_allclose(failing(told, False), [0.1, 0.4], atol=0.02)
    np.testing.assert_allclose(failing(told, True), [0.5, 0.8], atol=0.04)
    kind, month = told.contacts["kind"], told.contacts["month"]
    gone = told.exit_month[told.contacts["stay"]] <= month
    assert gone[kind.eq("left")].all()
    assert not gone[kind.eq("present")].any()
    # a contact that finds somebody gone is the last
    last = told.contacts.groupby("stay")["month"].transform("max")
    assert month[kind.eq("left")].eq(last[kind.eq("left")]).all()


def test_the_hard_to_reach_are_whole_households_and_never_reached():
    told = told_stays(N, 1, hard_to_reach=0.3, hard_to_reach_failure=1.0)
    tried = told.contacts[told.contacts["kind"].isin(["present", "left", "failed"])]
    reached = tried["kind"].ne("failed").groupby(told.household[tried["stay"]]).any()
    assert (~reached).mean() == pytest.approx(0.3, abs=0.06)
    assert (
        not told_stays(N, 1, hard_to_reach=1.0, hard_to_reach_failure=1.0)
        .contacts["kind"]
        .isin(["present", "left"])
        .any()
    )
    seldom = told_stays(30_000, 1, hard_to_reach=1.0, hard_to_reach_failure=0.5, failure_there=0.2, hearing=None)
    np.testing.assert_allclose(failing(seldom, False), 0.6, atol=0.02)


def test_departures_are_heard_of_in_the_shares_asked():
    assert heard(told_stays(30_000, 1, hearing=0.9)) == pytest.approx(0.9, abs=0.02)
    told = told_stays(30_000, 1, hearing=(0.8, 0.5, 0.0))
    assert not told.contacts.loc[told.contacts["kind"].eq("news"), "cause"].eq(3).any()
    usual = told_stays(500, 1, hearing=HEARING)
    pd.testing.assert_frame_equal(usual.contacts, told_stays(500, 1).contacts)
    np.testing.assert_array_equal(hearing_of_shares(0.0), 0.0)
    news = told.contacts[told.contacts["kind"].eq("news")]
    assert (news["month"].to_numpy() >= told.exit_month[news["stay"]]).all()
    assert not news["stay"].duplicated().any()


def test_hearing_that_fades_is_of_the_later_exits():
    told = told_stays(30_000, 1, hearing=0.8, hearing_fades=0.5)
    plain = told_stays(30_000, 1, hearing=0.8)
    assert heard(told) < heard(plain) - 0.1
    early, late = (told.contacts["kind"].eq("news") & (told.exit_month[told.contacts["stay"]] > m) for m in (0, 24))
    again = plain.contacts["kind"].eq("news") & (plain.exit_month[plain.contacts["stay"]] > 24)
    assert late.sum() / again.sum() < early.sum() / plain.contacts["kind"].eq("news").sum()


def test_contacts_that_follow_trouble_are_tried_less_with_the_others():
    told = told_stays(N, 1, contacts_follow_trouble=2.0, schedule=(6,), hearing=None)
    due = (told.entry < 6) & (told.cutoff >= 6)
    tried = np.isin(np.arange(N), told.contacts["stay"])
    trouble = told.exit_month <= 18
    assert tried[due & trouble].all()
    assert tried[due & ~trouble].mean() == pytest.approx(0.5, abs=0.03)


def test_failures_tied_to_leaving_are_of_those_still_there():
    told = told_stays(30_000, 1, failure_trait=0.5, failure_there=0.1, failure_gone=0.5, schedule=(3,), hearing=None)
    rows = told.contacts
    gone = told.exit_month[rows["stay"]] <= rows["month"]
    later = (told.exit_month[rows["stay"]] <= told.cutoff[rows["stay"]]) & ~gone
    share = rows["kind"].eq("failed").groupby(np.select([gone, later], ["gone", "later"], "stays")).mean()
    np.testing.assert_allclose(share[["gone", "later", "stays"]], [0.5, 0.1 + 0.5 * 0.9, 0.1], atol=0.03)


def test_news_that_is_false_is_of_those_who_are_there():
    plain = told_stays(N, seed=3)
    for options, share in (({"false_news": 0.3}, 0.3), ({"visits": 0.02}, None)):
        told = disturbed_stays(N, seed=3, **options)
        more = told.contacts[told.contacts["organisation"].eq("D")]
        assert (more["month"] <= np.minimum(told.exit_month, told.cutoff)[more["stay"]]).all()
        assert (more["month"] > told.entry[more["stay"]]).all()
        if share is None:
            assert len(more) == 0.02 * N and more["cause"].eq(1).all()
        else:
            assert len(more) / told.contacts["kind"].eq("news").sum() == pytest.approx(share, abs=0.01)
        rest = told.contacts[told.contacts["organisation"].ne("D")].reset_index(drop=True)
        pd.testing.assert_frame_equal(rest, plain.contacts)


def test_organisations_close_and_rows_of_others_are_joined():
    plain, closed = told_stays(N, seed=3), disturbed_stays(N, seed=3, closures=0.4)
    assert (closed.cutoff < plain.cutoff).mean() == pytest.approx(0.4, abs=0.03)
    assert (closed.cutoff >= closed.entry).all()
    linked = disturbed_stays(N, seed=3, wrong_links=0.05).contacts
    wrong = linked["organisation"].str.endswith("'")
    assert linked.loc[wrong, "stay"].nunique() / N == pytest.approx(0.05, abs=0.02)
    pd.testing.assert_frame_equal(linked[~wrong], plain.contacts)


def test_some_are_harder_to_find_or_to_hear_of():
    def found(kind, of, **options):
        told = told_stays(N, seed=3, **options)
        rows = told.contacts[told.contacts["kind"].eq(kind)]
        size = np.bincount(told.household)[told.household]
        return rows.assign(size=size[rows["stay"]])[of].value_counts().sort_index()

    by_destination = found("left", "cause", failure_gone=((0.1, 0.1), (0.5, 0.5), (0.9, 0.9))) / found("left", "cause")
    assert by_destination[1] > by_destination[2] > by_destination[3]
    by_size = found("failed", "size", alone=4.0) / found("failed", "size")
    assert by_size[1] > 1.5 and by_size[2:].between(0.9, 1.1).all()
    assert heard(told_stays(N, seed=3, hearing_differs=4.0)) < heard(told_stays(N, seed=3)) - 0.05


def test_services_end_with_the_stay_and_dates_hold_the_exit():
    for whole in (True, False):
        told = told_stays(2000, 1, services=True, dated=0.5, whole=whole)
        rows = told.contacts[told.contacts["kind"].eq("service")]
        assert len(rows) > 1000
        assert (rows["month"] < told.exit_month[rows["stay"]]).all() or not whole
        assert (rows["month"] <= told.exit_month[rows["stay"]]).all()
        dated = told.contacts.dropna(subset=["departure_earliest"])
        assert 0.4 < len(dated) / told.contacts["kind"].isin(["left", "news"]).sum() < 0.6
        assert (dated["departure_earliest"] <= dated["departure_latest"]).all()
        assert (dated["departure_latest"] <= dated["month"]).all()


@pytest.mark.thorough
@pytest.mark.parametrize("whole", [True, False])
def test_the_main_estimate_finds_the_truth_and_the_shortcuts_do_not(whole):
    told = told_stays(20_000, 5, whole=whole)
    found = main_curve(told)
    assert found[0] == 1
    assert found[24] == pytest.approx(told.survival[24], abs=0.02)
    off = {name: shortcut_curve(told, name)[24] - told.survival[24] for name in SHORTCUTS}
    assert min(off["no_news_present"], off["drop_unreached"], off["last_contact"]) > 0.04


@pytest.mark.thorough
def test_a_shortcut_on_everything_certain_is_the_truth():
    told = told_stays(20_000, 5, failure_there=0.0, failure_gone=0.0, schedule=range(1, LAST), hearing=None)
    for name in SHORTCUTS:
        curve = shortcut_curve(told, name)
        np.testing.assert_allclose(curve[[0, 12, 24]], told.survival[[0, 12, 24]], atol=0.015)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hard_to_reach": 1.5}, "hard_to_reach"), ({"failure_gone": (0.5, 2.0)}, "failure_gone"), ({"n": 0}, "n is"),
        ({"hearing": 1.0}, "hearing"), ({"hearing": (0.1, 0.2)}, "hearing"), ({"schedule": (0, 3)}, "schedule"),
        ({"hearing": np.zeros((2, 6))}, "hearing"), ({"cutoff": (30, 20)}, "cutoff"),
        ({"contacts_follow_trouble": 0}, "contacts_follow_trouble"), ({"hearing_fades": -0.1}, "hearing_fades"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        told_stays(**options)


def test_a_shortcut_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="choose one of"):
        shortcut_curve(told_stays(50), "hope")
    with pytest.raises(ValueError, match="nobody is left"):
        shortcut_curve(told_stays(50, failure_there=1.0, failure_gone=1.0, late_registration=0), "drop_unreached")
