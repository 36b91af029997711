"""`observed_incidence` against enumeration of its likelihood, and what must hold of any fit."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brute_observed import stay_weights
from reported_stays import FAILURE, HEARING, SURVIVAL, stays
from trajectories.simulate import told_stays
from trajectories.survival import Reporting, observed_incidence, pool
from trajectories.survival.observation import cells, service_model
from trajectories.survival.observation.cells import FAILED, ascertain
from trajectories.survival.observation.em import ObservationEM, weigh
from trajectories.survival.observation.observed import PIECES, incidence_of
from worlds.disturbed_stays import disturbed_stays

pytestmark = pytest.mark.filterwarnings("error")
ONE = {"month": 6.0, "kind": "present"}
NAMES = ("stay", "month", "kind", "organisation", "cause", "departure_earliest", "departure_latest")


def seeds(n, daily=4):
    """The first few every day: each draws thirty stays that say everything."""
    return [pytest.param(seed, marks=pytest.mark.thorough) if seed >= daily else seed for seed in range(n)]


def random_stays(seed, n=30, causes=2, services=False):
    """Stays that say everything the model can hear, in odd months too; some contradict themselves."""
    rng = np.random.default_rng(seed)
    cutoff = np.where(rng.random(n) < 0.5, rng.integers(4, 30, n), rng.uniform(4, 30, n))
    entry = np.where(rng.random(n) < 0.5, 0.0, rng.choice([0.7, 1.0, 2.0, 3.4], n))
    rows = []
    for i in range(n):
        left, cause = rng.exponential(14), rng.integers(1, causes + 1)

        def dates(left=left):
            if rng.random() < 0.6:
                return np.nan, np.nan
            return (max(left - rng.uniform(0, 2), 0), left) if rng.random() < 0.5 else (left, left)

        months = rng.choice([2.9, 3, 3.1, 5.6, 5.8, 6, 6, 11.5, 12, 12.3, 14.2, 24], rng.integers(0, 7))
        for a in months:
            gone = a > left if rng.random() < 0.97 else a < left
            found = rng.random() < (0.5 if gone else 0.7)
            kind = "failed" if not found else "left" if gone else "present"
            told = cause if rng.random() < 0.8 else 0
            rows.append((i, a, kind, "AB"[rng.integers(2)], told, *(dates() if kind == "left" else (np.nan,) * 2)))
        if rng.random() < 0.15:
            rows.append((i, rng.uniform(2, 10), "present", "never writes", 0, np.nan, np.nan))
        if rng.random() < 0.5:
            told = cause if rng.random() < 0.8 else 0
            filed = left + rng.exponential(6)
            rows.append((i, np.ceil(filed) if rng.random() < 0.5 else filed, "news", "A", told, *dates()))
        if services:
            for s in rng.uniform(0, min(left, cutoff[i]), rng.poisson(1.0)):
                rows.append((i, s, "service", "A", 0, np.nan, np.nan))
    return pd.DataFrame(rows, columns=list(NAMES)), cutoff, entry, rng.integers(0, 2, n)


def enumerated(curve, contacts, cutoff, entry, role=None, last=60, false=None):
    """The weights of every fate of every stay at the parameters of a fit."""
    p = curve.model.parameters
    month = np.arange(last + 1)
    of = np.minimum(np.searchsorted(PIECES, month), p.hazards.shape[1] - 1)
    failure = dict(zip([(0, 0), (0, 1), (1, 0), (1, 1)], p.failure[:4, 0], strict=True))
    parameters = {"hazard": p.hazards[:, of, 0], "failure": failure, "hearing": p.hearing[..., 0]}
    renamed = contacts.rename(columns={"departure_earliest": "earliest", "departure_latest": "latest"})
    writes = set(contacts.loc[contacts["kind"].eq("failed"), "organisation"])
    found = []
    for i in range(len(cutoff)):
        services = None
        if role is not None:
            rate = p.rate[role[i], :, 0]
            services = {"rate": lambda s, rate=rate: rate[min(np.searchsorted(PIECES, s), len(rate) - 1)],
                        "never": p.never[role[i], 0], "shape": p.shape[0, 0]}  # fmt: skip
        rows = renamed[renamed["stay"].eq(i)].to_dict("records")
        found.append(stay_weights(rows, entry[i], cutoff[i], parameters, last=last, writes=writes, services=services,
                                  false=false))  # fmt: skip
    return found


def survival(curve):
    return curve.table.query("cause == 0").set_index("month")["incidence"]


def value(curve, check):
    return curve.checks.loc[curve.checks["check"].eq(check), "value"].sum()


# ── the likelihood ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("services", [False, True])
@pytest.mark.parametrize("seed", seeds(12))
def test_likelihood_is_that_of_enumeration(seed, services):
    contacts, cutoff, entry, role = random_stays(seed, services=services)
    curve = observed_incidence(contacts, cutoff, entry=entry, causes=[1, 2], role=role, services=services,
                               some_false=False, tolerance=1e-2, starts=0)  # fmt: skip
    fates = enumerated(curve, contacts, cutoff, entry, role if services else None)
    total = np.array([sum(fate.values()) for fate in fates])
    used = curve.model.cells.pattern >= 0
    # what is left out is impossible, or was never at risk on the grid of months
    never_at_risk = np.ceil(entry) + 1 > curve.model.known.last
    assert ((total > 0) == (used | never_at_risk))[~never_at_risk].all()
    assert used.sum() > 20
    assert abs(np.log(total[used]).sum() - curve.log_likelihood) < 1e-8


@pytest.mark.parametrize("seed", seeds(8))
def test_likelihood_where_some_are_never_reached_is_that_of_enumeration(seed):
    contacts, cutoff, entry, _ = random_stays(seed)
    silent = contacts["stay"].mod(3).eq(0) & contacts["kind"].isin(["present", "left"])
    contacts = contacts.assign(kind=contacts["kind"].mask(silent, "failed"))
    given = Reporting(np.array([[0.1], [0.3], [0.5], [0.6], [0.3]]), None, ("never_reached",))
    curve = observed_incidence(contacts, cutoff, entry=entry, causes=[1, 2], reporting=given, tolerance=1e-2, starts=0,
                               some_never=True)  # fmt: skip
    known, p = curve.model.known, curve.model.parameters
    curve.model.fit = replace(curve.model.fit, parameters=replace(p, failure=p.failure[:4]))
    attempts = pd.DataFrame({"stay": known.contacts.stay, "failed": known.contacts.kind == FAILED,
                             "may_fail": known.contacts.may_fail})  # fmt: skip
    attempts = attempts[attempts["may_fail"]].groupby("stay")["failed"].agg(["all", "size"])
    tried, nobody = attempts.reindex(range(len(cutoff)))["size"].notna(), attempts["all"].reindex(range(len(cutoff)))
    usual = np.array([sum(fate.values()) for fate in enumerated(curve, contacts, cutoff, entry)])
    without = contacts[contacts["kind"].ne("failed")]
    spared = np.array([sum(fate.values()) for fate in enumerated(curve, without, cutoff, entry)])
    never = p.failure[4, 0]
    total = np.where(tried, (1 - never) * usual + np.where(nobody.eq(True), never * spared, 0.0), usual)
    used = curve.model.cells.pattern >= 0
    assert never == 0.3 and nobody.eq(True).sum() > 3
    assert abs(np.log(total[used]).sum() - curve.log_likelihood) < 1e-8


@pytest.mark.parametrize("seed", seeds(12))
def test_likelihood_where_reports_may_be_false_is_that_of_enumeration(seed):
    contacts, cutoff, entry, _ = random_stays(seed)
    contacts = contacts.drop_duplicates(["stay", "month", "kind"])
    curve = observed_incidence(contacts, cutoff, entry=entry, causes=[1, 2], tolerance=1e-2, starts=0, some_false=True)
    known, p = curve.model.known, curve.model.parameters
    p = replace(p, failure=np.concatenate([p.failure[:4], [[0.02], [0.03]]]))
    curve.model.fit = replace(curve.model.fit, parameters=p)
    fates = enumerated(curve, contacts, cutoff, entry, false=(0.02, 0.03))
    total = np.array([sum(fate.values()) for fate in fates])
    monthly = cells.cells_of(known, by_month=True, some_false=True)
    used = monthly.pattern >= 0
    assert used.sum() > 20 and known.known.sum() > 5
    # months side by side are one piece of a fit, of which the middle is exposed to false reports
    for em, near in ((ObservationEM(monthly, 2, np.array(PIECES)), 1e-9), (curve.model.em, 0.5)):
        each = weigh(em.cells, known, np.eye(len(cutoff)))
        found = em.expect(p.columns(np.zeros(len(cutoff), int)), each).log_likelihood
        np.testing.assert_allclose(found[used], np.log(total[used]), atol=near)


@pytest.mark.thorough
def test_households_out_of_reach_are_not_taken_for_leavers_where_there_may_be_some():
    told = told_stays(4000, 104, hard_to_reach=0.15, hard_to_reach_failure=1.0)
    usual, moved = (observed_incidence(**told.arguments(), some_never=never) for never in (False, True))
    assert survival(usual)[24] - told.survival[24] < -0.08
    assert abs(survival(moved)[24] - told.survival[24]) < 0.03
    assert value(moved, "never_reached") == pytest.approx(0.15, abs=0.02)
    assert moved.log_likelihood > usual.log_likelihood + 50
    nobody = told_stays(4000, 104)
    usual, moved = (observed_incidence(**nobody.arguments(), some_never=never) for never in (False, True))
    assert value(moved, "never_reached") < 0.02
    assert abs(survival(moved)[24] - survival(usual)[24]) < 0.005


def test_false_reports_are_told_from_true_ones_by_the_contacts_after_them():
    none, many = (disturbed_stays(4000, 105, false_news=share) for share in (0.0, 0.3))
    plain = observed_incidence(**none.arguments(), starts=0)
    learnt = observed_incidence(**none.arguments(), some_false=True, starts=0)
    assert value(learnt, "false_news") < 1e-3 and value(learnt, "false_contact") < 1e-3
    assert abs(survival(learnt)[24] - survival(plain)[24]) < 0.01
    stand, doubted = (observed_incidence(**many.arguments(), some_false=may, starts=0) for may in (False, None))
    assert value(doubted, "false_news") > 2e-3 and value(doubted, "false_contact") < 1e-3
    assert survival(stand)[24] - survival(plain)[24] < -0.04
    told = (many.contacts["kind"].eq("news") & many.contacts["organisation"].eq("D")).sum()
    assert value(doubted, "taken_as_false") == pytest.approx(told, rel=0.15)
    assert any("taken to be false" in note for note in doubted.notes)
    assert abs(survival(doubted)[24] - survival(plain)[24]) < 0.02
    # who was found present after a false report is drawn to have left later, or not at all
    drawn = doubted.draw(3, seed=1)
    seen, said = (
        many.contacts[many.contacts["kind"].eq(kind)].groupby("stay")["month"] for kind in ("present", "news")
    )
    after = seen.max()[seen.max() > said.min().reindex(seen.max().index)]
    assert len(after) > 100
    left = drawn[:, after.index, 1] > 0
    assert (drawn[:, after.index, 0] > after.to_numpy())[left].all()
    with pytest.raises(ValueError, match="some_false"):
        observed_incidence(**many.arguments(), some_false=True, some_never=True)


@pytest.mark.thorough
@pytest.mark.parametrize("services", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_draws_are_of_the_posterior(services):
    contacts, cutoff, entry, role = random_stays(3, n=12, services=services)
    curve = observed_incidence(contacts, cutoff, entry=entry, causes=[1, 2], role=role, services=services,
                               some_false=False, tolerance=1e-2, starts=0)  # fmt: skip
    fates = enumerated(curve, contacts, cutoff, entry, role if services else None)
    m = 5_000
    drawn = curve.draw(m, seed=5)
    assert drawn.shape == (m, 12, 2)
    known = curve.model.known
    # services tell the month that the cut-off is within from later ones
    last = np.where(known.known, known.last, np.maximum(known.last, np.ceil(cutoff) if services else 0))
    for i in np.flatnonzero(curve.model.cells.pattern >= 0):
        seen = pd.Series(list(map(tuple, drawn[:, i]))).value_counts() / m
        expected = {}
        for (month, place), weight in fates[i].items():
            beyond = (not known.known[i] and month > last[i]) or place < 0  # past what is known, it goes on
            fate = (last[i], 0) if beyond else (month, place + 1)
            expected[fate] = expected.get(fate, 0.0) + weight
        expected = pd.Series(expected) / sum(expected.values())
        expected = expected[expected > 0]
        assert set(seen.index) <= set(expected.index)
        gap = (expected - seen.reindex(expected.index).fillna(0)).abs()
        assert (gap < 5 * np.sqrt(expected * (1 - expected) / m) + 1e-3).all()


@pytest.mark.parametrize("services", [False, True])
def test_the_score_is_zero_or_points_out_of_bounds(services):
    n = 300
    if services:
        contacts, cutoff, entry, role = random_stays(1, n=n, services=True)
        given = {"contacts": contacts, "cutoff": cutoff, "entry": entry, "role": role, "causes": [1, 2]}
    else:
        given = stays(n, np.random.default_rng(2), whole=False).arguments()
    curve = observed_incidence(**given, services=services, tolerance=1e-10, starts=0)
    em, w, p = curve.model.em, curve.model.weights, curve.model.parameters
    flat, step = p.flat()[:, 0], 1e-5
    inside = boundary = 0
    for k, x in enumerate(flat):

        def at(moved, k=k):
            one = flat.copy()
            one[k] = moved
            return em.expect(p.like(one[:, None]), w).log_likelihood[0]

        if x < 1e-7 or x > 1 - 1e-7:
            inward = step if x < 0.5 else -step
            assert at(x + inward) <= at(x) + 1e-7, k
            boundary += 1
        else:
            width = min(step, x / 2, (1 - x) / 2)
            slope = (at(x + width) - at(x - width)) / (2 * width)
            assert abs(slope) * min(x, 1 - x) < 2e-3, (k, x, slope)
            inside += 1
    assert inside > 20


# ── any fit ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("services", [False, True])
def test_log_likelihood_never_falls_and_starts_agree(seed, services):
    if services:
        contacts, cutoff, entry, role = random_stays(seed, n=400, services=True)
        curve = observed_incidence(contacts, cutoff, entry=entry, services=True, role=role, causes=[1, 2])
    else:
        # the likelihood may have several maxima (at 1,500 stays about one time in two, mostly in the first months)
        curve = observed_incidence(**stays(1500, np.random.default_rng(seed)).arguments())
        said = any("other starts" in note for note in curve.notes)
        assert said == (value(curve, "spread") > 1e-4)
        assert said == (seed in (1, 3))
    assert np.diff(curve.path).min() > -1e-8 * abs(curve.log_likelihood)
    assert curve.path[-1] == pytest.approx(curve.log_likelihood)
    assert value(curve, "converged") == 1


@pytest.mark.parametrize("services", [False, True])
def test_how_many_are_worked_out_at_a_time_never_matters(monkeypatch, services):
    contacts, cutoff, entry, role = random_stays(6, n=40, services=services)
    given = {"entry": entry, "causes": [1, 2], "role": role, "services": services, "tolerance": 1e-2, "starts": 0}
    at_once = observed_incidence(contacts, cutoff, **given)
    monkeypatch.setattr(cells, "AT_ONCE", 7)
    monkeypatch.setattr(service_model, "AT_ONCE", 3)
    in_parts = observed_incidence(contacts, cutoff, **given)
    matrices = [curve.model.cells.coefficients for curve in (at_once, in_parts)]
    assert matrices[0].nnz > 50 and (matrices[0] != matrices[1]).nnz == 0
    np.testing.assert_allclose(in_parts.table["incidence"], at_once.table["incidence"], rtol=0, atol=1e-12)
    assert in_parts.log_likelihood == pytest.approx(at_once.log_likelihood, abs=1e-9)


def test_cells_that_are_kept_are_those_that_would_be_made():
    contacts, cutoff, entry, _ = random_stays(2, n=40)
    known, kept = ascertain(contacts, cutoff, entry, [1, 2]), {}
    given = Reporting(np.array([[0.1], [0.3], [0.5], [0.7]]), None)
    for reporting in (None, given):
        apart, beside = (
            incidence_of(known, reporting=reporting, starts=0, tolerance=1e-2, kept=k) for k in (None, kept)
        )
        pd.testing.assert_frame_equal(apart.table, beside.table)
    assert len(kept) == 1 and beside.model.cells is next(iter(kept.values()))
    # contacts that reached nobody say nothing, unless it is known how they fail
    nobody = ascertain(contacts[~contacts["kind"].isin(["present", "left"])], cutoff, entry, [1, 2])
    others = {}
    for reporting in (None, given):
        incidence_of(nobody, reporting=reporting, starts=0, tolerance=1e-2, kept=others)
    assert len(others) == 2


@pytest.mark.thorough
def test_order_of_rows_and_stays_never_matters():
    contacts, cutoff, entry, role = random_stays(7, n=80, services=True)
    rng = np.random.default_rng(0)
    household = rng.integers(0, 25, 80)
    for services in (False, True):
        given = {"services": services, "causes": [1, 2], "replicates": 3, "starts": 1, "some_false": False}
        one = observed_incidence(contacts, cutoff, entry=entry, role=role, cluster=household, **given)
        shuffled = contacts.sample(frac=1, random_state=1)
        two = observed_incidence(shuffled, cutoff, entry=entry, role=role, cluster=household, **given)
        pd.testing.assert_frame_equal(one.table, two.table, rtol=0, atol=1e-7)
        order = rng.permutation(80)
        moved = contacts.assign(stay=np.argsort(order)[contacts["stay"]])
        three = observed_incidence(
            moved, cutoff[order], entry=entry[order], role=role[order], cluster=household[order], **given
        )
        pd.testing.assert_frame_equal(one.table, three.table, rtol=0, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "options",
    [{"false_news": 0.3}, *(pytest.param(one, marks=pytest.mark.thorough) for one in ({}, {"hearing": None}))],
)
def test_the_climb_ends_where_em_comes_to_rest_and_no_lower(options):
    curve = observed_incidence(**disturbed_stays(600, 3, **options).arguments())
    em, w = curve.model.em, curve.model.weights
    p, before = em.restrict(em.start(w), w), -np.inf
    for _ in range(5000):
        expected = em.expect(p, w)
        if expected.log_likelihood[0] - before < 1e-10:
            break
        p, before = em.maximise(expected, p, w), expected.log_likelihood[0]
    else:
        raise AssertionError("EM has not come to rest")
    np.testing.assert_allclose(em.curves(curve.model.parameters), em.curves(p), atol=1e-4)
    assert curve.log_likelihood >= before - 1e-8


@pytest.mark.thorough
def test_replicates_near_the_estimate_are_what_fitting_anew_gives():
    given = stays(2000, np.random.default_rng(3)).arguments() | {"starts": 0, "replicates": 150}
    near, anew = (observed_incidence(**given, refit=refit) for refit in (False, True))
    for month in (12, 24, 36):
        one, other = (curve.replicates[0, month] for curve in (near, anew))
        assert np.corrcoef(one, other)[0, 1] > 0.9, "the same households are drawn"
        assert one.std() == pytest.approx(other.std(), rel=0.12)


def test_seed_alone_decides_and_the_global_generator_is_left_alone():
    given = stays(200, np.random.default_rng(1)).arguments() | {"replicates": 4}
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two, other = (observed_incidence(**given, seed=seed) for seed in (1, 1, 2))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    pd.testing.assert_frame_equal(one.table, two.table)
    assert not np.allclose(one.table["se"], other.table["se"])
    np.testing.assert_array_equal(one.draw(2, seed=3), two.draw(2, seed=3))


@pytest.mark.thorough
def test_whole_weights_are_repeated_rows():
    given = stays(150, np.random.default_rng(4)).arguments()
    times = np.random.default_rng(5).integers(0, 4, 150)
    rows = given["contacts"]
    copies = []
    for k in range(3):
        chosen = np.flatnonzero(times > k)
        place = np.full(150, -1)
        place[chosen] = np.arange(len(chosen)) + sum((times > j).sum() for j in range(k))
        copies.append(rows[times[rows["stay"]] > k].assign(stay=lambda d, place=place: place[d["stay"]]))
    repeated = np.concatenate([np.flatnonzero(times > k) for k in range(3)])
    for services in (False, True):
        one = observed_incidence(rows, given["cutoff"], entry=given["entry"], weights=times, tolerance=1e-9,
                                 causes=[1, 2, 3], services=services)  # fmt: skip
        two = observed_incidence(pd.concat(copies), given["cutoff"][repeated], entry=given["entry"][repeated],
                                 tolerance=1e-9, causes=[1, 2, 3], services=services)  # fmt: skip
        assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-6)
        months = survival(two).index[:36]
        np.testing.assert_allclose(survival(one)[months], survival(two)[months], atol=1e-4)


def test_draws_pooled_give_the_estimate_back():
    given = stays(1500, np.random.default_rng(6)).arguments()
    curve = observed_incidence(**given | {"entry": None})
    drawn = curve.draw(20)
    stayed = (drawn[..., 0] > 12) | ((drawn[..., 1] == 0) & (drawn[..., 0] >= 12))
    long = given["cutoff"] >= 12  # all of them
    assert long.all()
    share = stayed.mean(axis=1)
    together = pool(share, share * (1 - share) / 1500)
    assert abs(together["estimate"] - survival(curve)[12]) < 0.01
    assert together["missing"] > 0


def test_draws_of_replicates_are_of_their_parameters():
    given = stays(300, np.random.default_rng(6)).arguments()
    curve = observed_incidence(**given, replicates=5)
    own = [curve.model.replicates.columns(np.array([k])) for k in (0, 4)]
    rng = np.random.default_rng(9)
    month, cause = curve.model.em.draw(own[0], curve.model.cells.pattern, rng)
    first = curve.draw(1, seed=9)[0]
    np.testing.assert_array_equal(first[:, 0], month)
    np.testing.assert_array_equal(first[:, 1], np.append([1, 2, 3], 0)[cause])
    assert not np.allclose(own[0].hazards, own[1].hazards)


def test_pool_follows_rubin():
    # by hand: mean 2, within (1 + 2 + 3)/3 = 2, between (1 + 1/3) · 1, df = 2 (1 + 2/(4/3))² = 12.5
    found = pool([1, 2, 3], [1, 2, 3])
    assert found["estimate"] == 2
    assert found["se"] == pytest.approx(np.sqrt(2 + 4 / 3))
    assert found["df"] == pytest.approx(12.5)
    assert found["missing"] == pytest.approx(0.4)
    assert found["upper"] - found["estimate"] == pytest.approx(2.1692 * np.sqrt(10 / 3), rel=1e-4)
    # Barnard & Rubin: ν_obs = 11/13 · 10 · 0.6 = 66/13
    assert pool([1, 2, 3], [1, 2, 3], complete_df=10)["df"] == pytest.approx(1 / (1 / 12.5 + 13 / 66))
    same = pool([2, 2], [1, 1])
    assert same["missing"] == 0
    assert same["upper"] == pytest.approx(2 + 1.959964)
    for wrong, words in (([1], "at least 2"), ([1, np.nan], "missing"), ([1, 2, 3], "expected")):
        with pytest.raises(ValueError, match=words):
            pool(wrong, [1, 2] if len(wrong) != 1 else [1])
    with pytest.raises(ValueError, match="negative"):
        pool([1, 2], [1, -1])


# ── sensitivities and borrowing ───────────────────────────────────────────────────────────────────────────
@pytest.mark.thorough
def test_odds_move_the_curve_the_way_they_say():
    given = stays(500, np.random.default_rng(10)).arguments() | {"starts": 0}
    one = observed_incidence(**given)
    less, more = (survival(observed_incidence(**given, odds_gone=k))[24] for k in (0.5, 2))
    assert less - 0.005 > survival(one)[24] > more + 0.005
    less, more = (survival(observed_incidence(**given, odds_heard=k))[48] for k in (0.5, 2))
    assert less + 0.005 < survival(one)[48] < more - 0.005
    # around what the fit itself found, whether that is handed over or not; later odds leave early months alone
    for odds in ({"odds_gone": 2.0}, {"odds_heard": [0.5]}, {"odds_heard": [1.0] * 25 + [0.5]}):
        own, handed = observed_incidence(**given, **odds), observed_incidence(**given, **odds, reporting=one.reporting)
        np.testing.assert_allclose(own.table["incidence"], handed.table["incidence"], atol=1e-4)
        assert np.diff(own.path).min() > -1e-6
    assert abs(survival(own)[12] - survival(one)[12]) < 0.005
    ones = observed_incidence(**given, odds_heard=[1.0, 1.0], odds_gone=1.0)
    pd.testing.assert_frame_equal(ones.table, one.table)


def test_a_hint_moves_the_odds_of_having_left_by_its_month():
    given = stays(300, np.random.default_rng(15)).arguments() | {"starts": 0}
    rows = given["contacts"]
    dropped = rows["month"].eq(12) & rows["kind"].ne("news") & (rows["stay"] % 3 == 0)
    given["contacts"] = rows[~dropped]
    base = observed_incidence(**given)
    s = []
    for odds in (0.5, 1.0, 2.0):
        hints = rows.assign(kind=rows["kind"].mask(dropped, "hint"), odds=odds)
        s.append(survival(observed_incidence(**given | {"contacts": hints, "reporting": base.reporting}))[12])
    assert s[1] == pytest.approx(survival(base)[12], abs=1e-4)
    assert s[0] > s[1] > s[2]


def test_borrowed_reporting_is_held():
    province = observed_incidence(**stays(600, np.random.default_rng(11)).arguments(), replicates=3)
    assert province.reporting.failure.shape == (4, 4)
    given = stays(60, np.random.default_rng(12)).arguments()
    region = observed_incidence(**given, causes=[1, 2, 3], reporting=province.reporting, replicates=5)
    np.testing.assert_array_equal(region.model.parameters.failure[:, 0], province.reporting.failure[:, 0])
    for k in range(5):  # replicate k from replicate k, in turn
        of = 1 + k % 3
        np.testing.assert_array_equal(region.model.replicates.failure[:, k], province.reporting.failure[:, of])
        np.testing.assert_array_equal(region.model.replicates.hearing[..., k], province.reporting.hearing[..., of])
    with pytest.raises(ValueError, match="reporting: hearing of 3 causes, 2"):
        observed_incidence(pd.DataFrame([ONE | {"stay": 0}]), [12.0], causes=[1, 2], reporting=province.reporting)


def test_parameters_are_found():
    curve = observed_incidence(**stays(40_000, np.random.default_rng(13)).arguments(), starts=0)
    np.testing.assert_allclose(survival(curve)[[6, 12, 24]], SURVIVAL[[6, 12, 24]], atol=0.02)
    np.testing.assert_allclose(curve.contact_failure["probability"], FAILURE.ravel(), atol=0.03)
    heard = curve.hearing.query("month == 6")["share"].to_numpy()
    expected = 1 - np.prod(1 - HEARING[:, [0, 1, 2, 2, 3, 3, 3]], axis=1)
    np.testing.assert_allclose(heard, expected, atol=0.05)
    assert curve.table["known"].isin(["observed", "hearsay", "insufficient"]).all()


# ── small, empty and wrong ────────────────────────────────────────────────────────────────────────────────
def frame(*rows):
    return pd.DataFrame([dict(zip(("stay", "month", "kind", "organisation", "cause"), r, strict=False)) for r in rows],
                        columns=["stay", "month", "kind", "organisation", "cause"])  # fmt: skip


def test_nothing_said_and_no_exit_are_a_curve_of_ones():
    for contacts in (frame(), frame((0, 6, "present", "A")), frame((0, 3, "failed", "A"), (0, 6, "present", "A"))):
        curve = observed_incidence(contacts, [24.0, 12.0], causes=[1, 2], replicates=2)
        assert (survival(curve) == 1).all()
        assert (curve.table.query("cause > 0")["incidence"] == 0).all()
        assert any("No exit is known" in note for note in curve.notes)
        assert curve.draw(2).tolist() == [[[24, 0], [12, 0]]] * 2
        assert curve.hearing["share"].isna().all()
    one = observed_incidence(frame((0, 6, "left", "A", 1)), [12.0], pieces=range(1, 13))
    assert survival(one)[6] == pytest.approx(0, abs=1e-9)


@pytest.mark.thorough
def test_a_cause_that_never_occurs_takes_nothing():
    given = stays(800, np.random.default_rng(14)).arguments()
    three = observed_incidence(**given)
    four = observed_incidence(**given, causes=[1, 2, 3, 7])
    a, b = (t.query("cause < 4")["incidence"].to_numpy() for t in (three.table, four.table))
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert (four.table.query("cause == 7")["incidence"] == 0).all()
    assert any("Cause 7: no exit is known" in note for note in four.notes)
    # nor in what follows from its reporting
    moved = observed_incidence(**given, causes=[1, 2, 3, 7], reporting=four.reporting)
    np.testing.assert_allclose(moved.table["incidence"], four.table["incidence"], atol=1e-4)


def test_failures_none_or_all():
    none = observed_incidence(frame((0, 6, "present", "A"), (1, 6, "left", "A", 1)), [12.0, 12.0])
    assert none.contact_failure["probability"].isna().all()
    assert any("No failed contact" in note for note in none.notes)
    told = frame((1, 9, "news", "B", 1))
    failing = pd.concat([told, frame((0, 6, "failed", "A"), (1, 6, "failed", "A"))])
    without, all_failed = observed_incidence(told, [12.0, 12.0]), observed_incidence(failing, [12.0, 12.0])
    assert any("All scheduled contacts failed" in note for note in all_failed.notes)
    np.testing.assert_allclose(survival(without), survival(all_failed), atol=1e-9)


def test_rows_that_do_not_enter_are_counted_and_change_nothing():
    plain = frame((0, 3, "present", "A"), (0, 9, "left", "A", 1), (1, 6, "present", "A"), (1, 8, "failed", "A"))
    base = observed_incidence(plain, [12.0, 12.0])
    for extra, check, note in (
        ((1, 13, "left", "A", 1), "after_cutoff", "after the cut-off"),
        ((0, 10, "present", "B"), "contradictions", "contradict"),
        ((0, 9, "present", "B"), "contradictions", "contradict"),
        ((0, 11, "news", "B", 1), "after_departure", None),
    ):
        curve = observed_incidence(pd.concat([plain, frame(extra)]), [12.0, 12.0], some_false=False)
        assert value(curve, check) == 1
        np.testing.assert_array_equal(survival(base), survival(curve))
        assert note is None or any(note in sentence for sentence in curve.notes)
    dated = frame((0, 8, "present", "A"), (0, 9, "news", "B", 1))
    dated["departure_earliest"] = dated["departure_latest"] = [np.nan, 5.0]
    curve = observed_incidence(dated, [12.0])
    assert value(curve, "contradictions") == 1
    assert value(curve, "without_likelihood") == 0


def test_a_stay_that_is_impossible_is_left_out_and_said():
    told = frame((0, 9, "left", "A", 1), (1, 6, "present", "A"))
    told["departure_earliest"] = told["departure_latest"] = [2.0, np.nan]
    curve = observed_incidence(told, [12.0, 12.0], entry=[5.0, 0.0])  # left before it came under observation
    assert value(curve, "without_likelihood") == 1
    assert any("not possible" in note for note in curve.notes)
    assert curve.draw(2)[0, 0].tolist() == [2, 0]
    late = observed_incidence(frame((1, 6, "present", "A")), [5.0, 12.0], entry=[5.0, 0.0])
    assert value(late, "never_at_risk") == 1


def test_a_stay_that_what_is_borrowed_makes_impossible_is_said():
    told = frame((0, 5, "news", "B", 1), (1, 9, "news", "B", 1))
    told["departure_earliest"] = told["departure_latest"] = [np.nan, 3.0]  # heard of six months later
    curve = observed_incidence(told, [12.0, 12.0, 12.0], reporting=Reporting.certain(1))
    assert value(curve, "without_likelihood") == 1
    assert any("not possible" in note for note in curve.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"month": -1.0}, "contacts.month: 1 of 1 values are negative"),
        ({"month": np.nan}, "contacts.month: 1 of 1 values are missing"),
        ({"stay": 2}, "contacts.stay: 1 of 1 values are not a position"),
        ({"kind": "seen"}, "contacts.kind: 1 of 1 values are none of"),
        ({"kind": "left", "cause": 9}, "contacts.cause: 1 of 1 values are none of the causes"),
        ({"cause": -1}, "contacts.cause: 1 of 1"),
        ({"departure_latest": 3.0}, "contacts.departure_earliest: 1 of 1"),
        ({"departure_earliest": 5.0, "departure_latest": 3.0}, "contacts.departure_latest: 1 of 1"),
        ({"departure_earliest": 5.0, "departure_latest": np.inf}, "contacts.departure_latest: 1 of 1"),
        ({"departure_earliest": -5.0, "departure_latest": 1.0}, "contacts.departure_earliest: 1 of 1"),
    ],
)
def test_wrong_contacts_raise_a_sentence(change, words):
    row = {"stay": 0, "month": 6.0, "kind": "present", "cause": 0, "departure_earliest": np.nan,
           "departure_latest": np.nan}  # fmt: skip
    with pytest.raises(ValueError, match=words):
        observed_incidence(pd.DataFrame([row | change]), [12.0, 12.0], causes=[1, 2])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cutoff": [12.0, -1.0]}, "cutoff: 1 of 2 values are negative"),
        ({"cutoff": [12.0, np.nan]}, "cutoff: 1 of 2 values are missing"),
        ({"cutoff": []}, "cutoff: 0 values"),
        ({"entry": [13.0, 0.0]}, "cutoff: 1 of 2 values are before their entry"),
        ({"entry": [0.0]}, "entry: 1 values given, 2 expected"),
        ({"weights": [1.0, -1.0]}, "weights: 1 of 2"),
        ({"cluster": ["a", None]}, "cluster: 1 of 2 values are missing"),
        ({"role": ["a"]}, "role: 1 values given"),
        ({"causes": [0, 1]}, "causes: 1 of 2 values are below 1"),
        ({"pieces": [0, 3]}, "pieces: 1 of 2"),
        ({"pieces": [6, 3]}, "pieces: 2 values given, not in rising order"),
        ({"odds_gone": 0.0}, "odds_gone: 1 of 1 values are not above 0"),
        ({"odds_heard": [1.0, -1.0]}, "odds_heard: 1 of 2"),
        ({"conf_level": 1.5}, "conf_level"),
    ],
)
def test_wrong_arguments_raise_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        observed_incidence(**{"contacts": frame((0, 6, "present", "A")), "cutoff": [12.0, 12.0]} | change)


def test_columns_missing_raise_a_sentence():
    with pytest.raises(ValueError, match="contacts: 1 columns are missing: kind"):
        observed_incidence(pd.DataFrame({"stay": [0], "month": [1.0]}), [12.0])


def test_certain_hearing_leaves_no_silence():
    told = frame((0, 5, "news", "B", 1), (1, 9, "news", "B", 1))
    curve = observed_incidence(told, [12.0, 12.0, 12.0], reporting=Reporting.certain(1), pieces=range(1, 13))
    np.testing.assert_allclose(survival(curve)[[4, 5, 8, 9, 12]], [1, 2 / 3, 2 / 3, 1 / 3, 1 / 3], atol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert curve.draw(1)[0].tolist() == [[5, 1], [9, 1], [12, 0]]


def test_stays_of_which_none_can_be_used_have_a_curve_that_nothing_supports():
    nothing = pd.DataFrame({"stay": np.zeros(0, int), "month": np.zeros(0), "kind": np.zeros(0, object)})
    curve = observed_incidence(nothing, [3.0, 2.0], entry=[3.0, 2.0])
    assert set(curve.table["known"]) == {"insufficient"}
    assert any("No exit is known" in note for note in curve.notes)
