"""Groups compared with persons alike: each part against an independent computation, and the whole on told stays."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trajectories import Study
from trajectories.analysis.comparison import balance, compare, overlap
from trajectories.analysis.comparison import standardised as model
from trajectories.analysis.comparison.covariates import design, levels, partitions, with_household_type
from trajectories.analysis.comparison.standardised import (
    WEIGHT_RIDGE,
    effective_n,
    household_draws,
    propensity,
    propensity_again,
    refit,
    restricted_means,
    stabilised,
)
from trajectories.disclosure import protect
from trajectories.retention import estimate
from trajectories.simulate.stays import told_stays
from trajectories.survival import discrete_hazard, observed_incidence

STUDY = Study.from_mapping({"horizons": [6, 12, 24, 60], "support": 20, "replicates": 0})


def cohort_of(told, **columns):
    """Told stays as the tables cohort and contacts, one person a stay; other columns as given."""
    n = len(told)
    person = np.array([f"p{k}" for k in range(n)], dtype=object)
    cohort = pd.DataFrame({
        "person_id": person, "household_id": told.household, "episode": 1, "excluded": None, "pathway": "secondary",
        "region": "05", "entry": told.entry, "cutoff": told.cutoff, "heard_until": told.cutoff, "lower": told.entry,
        "upper": np.inf, "exit": None, "lost": None, "lost_month": np.nan, "role": None, "age": 30.0,
        "household_size": 1, "establishment_latest": pd.Timestamp("2022-05-01"), **columns,
    })  # fmt: skip
    rows = told.contacts
    names = np.array([None, "metropole", "other_region", "outside_quebec"], dtype=object)
    contacts = pd.DataFrame({
        "person_id": person[rows["stay"]], "episode": 1, "month": rows["month"], "kind": rows["kind"],
        "organisation_id": rows["organisation"], "cause": names[rows["cause"]],
        "departure_earliest": rows["departure_earliest"], "departure_latest": rows["departure_latest"],
    })  # fmt: skip
    return cohort, contacts


@pytest.fixture(scope="module")
def tables():
    """1,500 stays whose length nothing touches; the group `b` is mostly in small towns."""
    told, rng = told_stays(1500, seed=3), np.random.default_rng(5)
    small = rng.random(1500) < 0.5
    second = rng.random(1500) < np.where(small, 0.6, 0.15)
    return cohort_of(
        told, immigration_category=np.where(second, "refugee", "economic"),
        city_size=np.where(small, "under_10k", "100k_plus"), sex=np.where(rng.random(1500) < 0.5, "F", "M"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def fewer(tables):
    """600 of them, where what is held does not depend on how many there are."""
    return first(tables, 600)


def first(tables, n):
    return tuple(table[table["person_id"].isin(tables[0]["person_id"][:n])].reset_index(drop=True) for table in tables)


@pytest.fixture(scope="module")
def compared(fewer):
    return compare(*fewer, by="immigration_category", study=STUDY, adjust=["sex"], replicates=5)


# ── who is compared ───────────────────────────────────────────────────────────────────────────────────────
def test_levels_are_classes_of_numbers_with_the_missing_apart_and_small_ones_joined():
    age = pd.Series([*[10.0] * 25, *[20.0] * 25, *[50.0] * 25, *[np.nan] * 25], name="age")
    assert levels(age).value_counts().to_dict() == {
        "under_18": 25, "18_to_30": 25, "45_or_more": 25, "unknown": 25,
    }  # fmt: skip
    text = pd.Series([*["x"] * 40, *["y"] * 15, *["z"] * 9, *["w"] * 2], name="anything")
    assert levels(text).value_counts().to_dict() == {"x": 40, "other": 26}
    assert levels(text[:45]).unique().tolist() == ["x"]


def test_city_size_is_held_alike_wherever_category_is_spoken_of_but_not_between_regions(tables):
    stays = with_household_type(tables[0]).assign(period="from_2022")
    stays["region"] = np.where(np.arange(len(stays)) % 2, "05", "03")
    adjusted = {by: partitions(stays, by, ["sex"], STUDY)[0].adjusted_for for by in ("immigration_category", "region")}
    assert adjusted == {"immigration_category": ("sex", "city_size"), "region": ("sex",)}
    both = partitions(stays, "sex", ["immigration_category"], STUDY)[0]
    assert both.adjusted_for == ("immigration_category", "city_size")


def test_types_of_households_are_compared_among_persons_of_age(tables):
    cohort = tables[0].copy()
    k = np.arange(len(cohort))
    child = k % 5 == 0
    cohort["age"] = np.where(child, 9.0, 35.0)
    cohort["household_type"] = np.where(child | (k % 2 == 0), "with_children", "single")
    found = overlap(cohort, by=["household_type", "sex"], study=STUDY, adjust=["age"])
    n = found.groupby("by")["n"].sum()
    assert n["household_type"] == (~child).sum() and n["sex"] == len(cohort)
    # a child has no counterpart among persons alone, and would have made the overlap poor
    assert found["overlap"].min() == 1 and found["covered"].min() == 1


# ── weights ───────────────────────────────────────────────────────────────────────────────────────────────
def _three_groups(n=900, seed=2):
    rng = np.random.default_rng(seed)
    x = (rng.random((n, 3)) < (0.5, 0.3, 0.2)).astype(float)
    scores = np.column_stack([np.zeros(n), x @ (0.8, -0.5, 0.2), -1 + x @ (-0.4, 1.0, 0.6)])
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return x, (rng.random((n, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)


def test_chances_are_those_of_statsmodels_where_the_penalty_is_next_to_nothing(monkeypatch):
    from statsmodels.discrete.discrete_model import MNLogit

    monkeypatch.setattr("trajectories.analysis.comparison.standardised.WEIGHT_RIDGE", 1e-7)
    x, code = _three_groups()
    mine = propensity(x, code, 3).chances(x)
    theirs = MNLogit(code, np.column_stack([np.ones(len(x)), x])).fit(disp=0, maxiter=100).predict()
    print("largest difference from MNLogit:", np.abs(mine - theirs).max())
    assert np.abs(mine - theirs).max() < 1e-6


def test_a_level_that_a_group_never_has_leaves_every_chance_between_0_and_1():
    x, code = _three_groups()
    code = np.where((x[:, 2] == 1) & (code == 2), 0, code)
    fit = propensity(x, code, 3)
    chances = fit.chances(x)
    never = chances[x[:, 2] == 1, 2]
    print("expected members where there are none:", never.sum(), "of", len(never))
    assert np.allclose(chances.sum(axis=1), 1) and (never > 0).all() and never.mean() < 0.02
    # where the penalised likelihood is highest, expected less seen is the penalty's pull on the coefficient
    assert never.sum() == pytest.approx(-WEIGHT_RIDGE * fit.coefficients[2, 3], abs=1e-4)


def test_a_replicate_is_fitted_as_if_anew():
    x, code = _three_groups()
    draws = household_draws(np.arange(len(x)), 20, seed=4)
    fit = propensity(x, code, 3)
    worst = max(
        np.abs(
            propensity_again(fit, x, code, draws[:, k]).chances(x) - propensity(x, code, 3, draws[:, k]).chances(x)
        ).max()
        for k in range(1, 21)
    )
    print("largest difference of a chance:", worst)
    assert worst < 2e-3


def test_weights_give_every_group_the_mix_of_everyone(tables):
    x, code = _three_groups(6000)
    chances = propensity(x, code, 3).chances(x)
    weights = stabilised(chances, code)
    before, after = (
        [np.abs(np.average(x[code == k], weights=w[code == k], axis=0) - x.mean(axis=0)).max() for k in range(3)]
        for w in (np.ones(len(x)), weights)
    )
    print("largest gap before and after weighting:", np.round(before, 4), np.round(after, 4))
    assert np.max(after) < 0.1 * np.max(before)
    assert [abs(weights[code == k].mean() - 1) < 0.03 for k in range(3)] == [True] * 3
    shares = balance(tables[0], by="immigration_category", study=STUDY, adjust=["sex"])
    town = shares[shares["covariate"].eq("city_size")]
    print(town[["group", "level", "smd_before", "smd_after"]].round(3).to_string())
    assert (town["smd_before"].abs() > 0.2).all() and (town["smd_after"].abs() < 0.02).all()


def test_weights_beyond_the_percentiles_are_cut_and_cost_is_kishs():
    chances = np.full((1000, 2), 0.5)
    chances[0] = (1e-6, 1 - 1e-6)
    code = np.zeros(1000, dtype=int)
    assert stabilised(chances, code).max() == pytest.approx(2.0)
    assert effective_n(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)


def test_overlap_says_who_has_no_counterpart(tables):
    cohort = tables[0].copy()
    apart = cohort.assign(sex=np.where(cohort["immigration_category"].eq("refugee"), "F", "M"))
    good = overlap(cohort, by="immigration_category", study=STUDY, adjust=["sex"])
    bad = overlap(apart, by="immigration_category", study=STUDY, adjust=["sex"])
    print(pd.concat([good, bad]).round(3).to_string())
    assert (good["overlap"] == 1).all() and (good["covered"] == 1).all()
    assert (bad["overlap"] == 0).all() and (bad["covered"] == 0).all()
    assert (good["effective_n"] < good["n"]).all()


# ── the main estimator under weights ──────────────────────────────────────────────────────────────────────
@pytest.mark.thorough
def test_other_weights_give_what_the_estimator_gives_with_them():
    told, rng = told_stays(1200, seed=7), np.random.default_rng(1)
    weights = rng.uniform(0.3, 3, 1200)
    given = told.arguments()
    curve = observed_incidence(**given)
    again = refit(curve, np.column_stack([np.ones(1200), weights]))
    alone = observed_incidence(**given, weights=weights).survival.loc[[6, 12, 24]].to_numpy()
    gap = np.abs(again[[6, 12, 24], 1] - alone).max()
    print("largest difference:", gap)
    assert gap < 2e-3 and np.abs(alone - again[[6, 12, 24], 0]).max() > 5e-3
    assert np.array_equal(again[1:61, 0], curve.survival.loc[1:60].to_numpy())


def test_restricted_means_are_areas():
    months = np.arange(13)
    survival = np.exp(-0.05 * months)[:, None]
    exact = (1 - np.exp(-0.05 * 12)) / 0.05
    assert restricted_means(survival)[12, 0] == pytest.approx(exact, abs=0.005)


# ── the model of leaving ──────────────────────────────────────────────────────────────────────────────────
def _all_told(n=1500, seed=4):
    """Stays of which everything is known with its month: the model is a plain discrete-time regression."""
    rng = np.random.default_rng(seed)
    x, code = (rng.random((n, 2)) < 0.5).astype(float), rng.integers(0, 2, n)
    rate = 0.03 * np.exp(x @ (0.5, -0.3) + 0.4 * code)
    month, until = np.ceil(rng.exponential(1 / rate)), rng.integers(5, 48, n).astype(float)
    left = month <= until
    rows = pd.DataFrame({
        "stay": np.arange(n), "month": np.where(left, month, until), "kind": np.where(left, "left", "present"),
        "cause": left.astype(int), "departure_earliest": np.where(left, month, np.nan),
        "departure_latest": np.where(left, month, np.nan),
    })  # fmt: skip
    return x, code, rows, until, np.where(left, month, until), left


def _stays(x, code, rows, until):
    models = []
    for k in range(2):
        place = np.cumsum(code == k) - 1
        mine = rows[code[rows["stay"]] == k]
        told = mine.assign(stay=place[mine["stay"]])
        models.append(observed_incidence(told, until[code == k]).model)
    return model.stays_of(x, code, models)


def test_where_every_end_is_known_it_is_the_discrete_time_regression(monkeypatch):
    monkeypatch.setattr(model, "RIDGE", 1e-8)
    x, code, rows, until, month, left = _all_told()
    fit = model.fit_outcome(_stays(x, code, rows, until))
    early = code * (month <= model.EARLY)
    assert fit.converged and early.any()
    data = pd.DataFrame({"start": 0.0, "stop": month, "left": left.astype(int), "a": x[:, 0], "b": x[:, 1], "g": code})
    first = data.assign(stop=data["stop"].clip(upper=12), left=data["left"] * (data["stop"] <= 12))
    second = data[data["stop"] > 12].assign(start=12.0)
    both = pd.concat([first.assign(e=first["g"], l=0), second.assign(e=0, l=second["g"])])
    theirs = discrete_hazard(
        both, start="start", stop="stop", event="left", covariates=["a", "b", "e", "l"], pieces=model.PIECES[:-2]
    ).table.set_index("term")["coef"]
    pieces = model._pieces(fit.stays.months)
    _, (a, b), early, late = model._parts(fit.stays, fit.coefficients)
    mine = np.array([a, b, early[1] - early[0], late[1] - late[0]])
    print("largest difference of a coefficient:", np.abs(mine - theirs.to_numpy()).max(), "pieces", pieces)
    assert np.abs(mine - theirs.to_numpy()).max() < 1e-4


def test_its_information_is_the_slope_of_its_score():
    told, rng = told_stays(400, seed=9), np.random.default_rng(3)
    code, x = rng.integers(0, 2, 400), (rng.random((400, 2)) < 0.5).astype(float)
    stays = _stays(x, code, told.contacts, told.cutoff)
    fit = model.fit_outcome(stays)
    evidence, mass = stays.evidence(0), np.ones(400)

    def score(at):
        return model._score(stays, model._expected(stays, evidence, at), at, mass, fit.centre)

    assert fit.converged and np.abs(score(fit.coefficients)).max() < 1e-4
    information = model._observed_information(stays, evidence, fit.coefficients)
    for k, unit in enumerate(np.eye(len(fit.coefficients)) * 1e-4):
        slope = (score(fit.coefficients - unit) - score(fit.coefficients + unit)) / 2e-4
        assert slope == pytest.approx(information[k], abs=1e-5 * np.abs(information).max())


@pytest.mark.thorough
def test_stays_a_block_at_a_time_give_the_same_model(monkeypatch):
    told, rng = told_stays(150, seed=9), np.random.default_rng(3)
    code, x = rng.integers(0, 2, 150), (rng.random((150, 2)) < 0.5).astype(float)
    draws = household_draws(told.household, 3, seed=2)
    found = []
    for block in (150, 40):
        monkeypatch.setattr(model, "BLOCK", block)
        stays = _stays(x, code, told.contacts, told.cutoff)
        fit = model.fit_outcome(stays)
        assert [len(some.code) for some in stays.blocks] == ([150] if block == 150 else [40, 40, 40, 30])
        found.append((fit.coefficients, fit.inverse, model.g_computation(fit, draws, 24)))
    for whole, blocks in zip(*found, strict=True):
        assert blocks == pytest.approx(whole, abs=1e-8 * np.abs(whole).max())


def test_without_covariates_both_answers_are_the_main_estimate(tables):
    table = compare(*tables, by="sex", study=STUDY, adjust=[], horizons=[12, 24], replicates=0)
    rates = table[table["measure"].eq("retention")].pivot(
        index=["group", "horizon"], columns="method", values="estimate"
    )
    print(rates.round(4).to_string())
    assert (rates["weighted"] - rates["unadjusted"]).abs().max() < 1e-4
    assert (rates["g_computation"] - rates["unadjusted"]).abs().max() < 0.02


# ── the whole ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_comparison_has_every_measure_method_and_horizon_and_says_what_it_rests_on(compared):
    counted = compared.groupby(["measure", "method"]).size()
    assert counted["retention"].tolist() == [8, 8, 8] and counted["difference"].tolist() == [4, 4, 4]
    assert set(compared["measure"]) == {"retention", "restricted_mean", "difference", "restricted_mean_difference"}
    differences = compared[compared["measure"].eq("difference")]
    assert differences["reference"].eq("immigration_category=economic").all()
    assert differences.loc[differences["method"].eq("weighted"), "adjusted_for"].eq("sex, city_size").all()
    given = compared[compared["estimate"].notna()]
    assert (given["lower"] <= given["estimate"]).all() and (given["estimate"] <= given["upper"]).all()
    assert given.loc[given["measure"].str.endswith("difference"), "p_value"].between(0, 1).all()
    weighted = compared[compared["method"].eq("weighted")]
    assert (weighted["effective_n"] < weighted["n_start"]).all() and (weighted["largest_weight"] > 1).all()
    modelled = compared["method"].eq("g_computation")
    assert (compared.loc[modelled, "shown"] == compared.loc[modelled, "disagree"]).all()


def test_a_difference_is_the_difference_of_its_two_rates(compared):
    rates = compared[compared["measure"].eq("retention")].set_index(["method", "horizon", "group"])["estimate"]
    gaps = compared[compared["measure"].eq("difference")].set_index(["method", "horizon"])["estimate"]
    by_group = rates.unstack()
    expected = by_group["immigration_category=refugee"] - by_group["immigration_category=economic"]
    assert np.allclose(gaps.sort_index(), expected.sort_index(), equal_nan=True)


def test_where_nothing_differs_one_family_in_twenty_has_a_difference():
    """Of 30 differences with a common part, as those with one reference have, and 60 replicates of each."""
    rng = np.random.default_rng(1)
    either, joint = [], []
    for _ in range(300):
        noise = 0.7 * rng.normal(size=(1, 61)) + 0.7 * rng.normal(size=(30, 61))
        se = noise[:, 1:].std(axis=1, ddof=1)
        size = np.abs(noise[:, 0]) / se
        table = pd.DataFrame({
            "measure": "difference", "method": "weighted", "estimate": noise[:, 0], "se": se,
            "p_value": 2 * stats.t.sf(size, 59), "replicates": list(noise[:, 1:]),
        })  # fmt: skip
        found = model.with_simultaneous_limits(table, seed=1)
        outside = (found["simultaneous_lower"] > 0) | (found["simultaneous_upper"] < 0)
        assert ((found["adjusted_p"] < 0.05) == outside).mean() > 0.99
        assert (found["adjusted_p"] >= found["p_value"]).all()
        either.append(table["p_value"].lt(0.05).any())
        joint.append(outside.any())
    assert np.mean(either) > 0.4 and 0.02 <= np.mean(joint) <= 0.085


@pytest.mark.thorough
def test_the_unadjusted_answer_is_the_main_estimate_of_the_group(fewer, compared):
    groups = ["immigration_category=economic", "immigration_category=refugee"]
    main = estimate(*fewer, study=STUDY, groups=groups, companions=False).retention
    main = main.set_index(["group", "horizon"])["estimate"]
    mine = compared[compared["measure"].eq("retention") & compared["method"].eq("unadjusted")]
    mine = mine.set_index(["group", "horizon"])["estimate"].reindex(main.index)
    print("largest difference from retention():", (mine - main).abs().max())
    assert (mine - main).abs().max() < 1e-9 and mine.isna().equals(main.isna())


@pytest.mark.thorough
def test_a_horizon_that_nobody_is_followed_to_has_no_estimate(fewer):
    cohort, contacts = fewer
    short = cohort.assign(heard_until=np.minimum(cohort["heard_until"], np.maximum(10.0, cohort["entry"])))
    table = compare(short, contacts, by="sex", study=STUDY, adjust=[], replicates=0, horizons=[6, 24])
    at = table.set_index("horizon")["estimate"]
    assert at.loc[24].isna().all() and at.loc[6].notna().all()
    assert table.loc[table["horizon"].eq(24), "note"].str.contains("too short").all()


@pytest.mark.thorough
def test_groups_too_small_are_named_and_regions_stand_against_the_province(fewer):
    cohort, contacts = fewer
    place = np.arange(len(cohort))
    cohort = cohort.assign(region=np.where(place < 10, "10", np.where(place < 280, "01", "05")))
    study = Study.from_mapping({"horizons": [12], "replicates": 0, "groups": {"Est": ["01", "10"], "Sud": ["05"]}})
    table = compare(cohort, contacts, by=["region", "groups"], study=study, adjust=["sex"])
    small = table[table["group"].eq("10")]
    assert small["estimate"].isna().all() and small["note"].str.contains("fewer than 20").all() and len(small) == 1
    differences = table[table["measure"].eq("difference")]
    assert set(differences["group"]) == {"01", "05", "Est", "Sud"} and differences["reference"].eq("province").all()
    assert table.loc[table["method"].eq("weighted"), "adjusted_for"].eq("sex").all()
    province = table[table["group"].eq("province") & table["measure"].eq("retention") & table["by"].eq("region")]
    assert province["estimate"].max() - province["estimate"].min() < 0.02
    # the province stands in the comparison of each group: told twice, it could not be protected
    assert protect(table).frame["group"].nunique() == 4


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_table(tables):
    few = first(tables, 100)
    asked = {"by": "sex", "study": STUDY, "adjust": [], "horizons": [12], "replicates": 2}
    pd.testing.assert_frame_equal(compare(*few, **asked), compare(*few, **asked))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"by": "colour"}, "no column of the cohort"),
        ({"by": "sex", "adjust": ["shoe_size"]}, "no such column"),
        ({"by": "pathway", "adjust": []}, "no two groups"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(tables, asked, said):
    with pytest.raises(ValueError, match=said):
        compare(*tables, study=STUDY, **asked)


def test_a_cohort_without_contacts_is_refused(tables):
    with pytest.raises(ValueError, match="contacts"):
        compare(tables[0], by="sex", study=STUDY)


def test_covariates_are_columns_of_0_and_1_without_the_most_frequent_level(tables):
    found = design(tables[0], ["sex", "city_size"])
    frequent = {name: tables[0][name].value_counts().idxmax() for name in ("sex", "city_size")}
    assert {name for name, _ in found.terms} == {"sex", "city_size"} and found.matrix.shape[1] == 2
    assert all(level != frequent[name] for name, level in found.terms)
