"""Models on completed stays: the terms they hold, the tests over draws, what is done where a test fails, services."""

import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stays_with_covariates import told
from trajectories import Study
from trajectories.analysis.models import (
    COEFFICIENTS,
    FEWEST,
    LEAST,
    PER_COEFFICIENT,
    TERMS,
    WORKERS,
    Draws,
    Rows,
    Term,
    cut,
    exposed_rows,
    first_months,
    fit_models,
    joined,
    joined_chi2,
    labelled,
    matrix_rows,
    over_draws,
    rows_of,
    scored,
    terms_of,
)
from trajectories.survival import cox, discrete_hazard, fine_gray, pool


def completed(n=1500, seed=1, draws=2, **options):
    """Draws that differ in nothing: the truth, with every covariate known."""
    frame = told(n, seed, missing=0.0, **options).true().assign(complete=True)
    frame["french"] = frame["true_french"]
    return [frame.copy() for _ in range(draws)]


@pytest.fixture(scope="module")
def draws():
    return completed()


# ── joining draws ────────────────────────────────────────────────────────────────────────────────────────
def test_coefficients_are_joined_as_pool_joins_them():
    rng = np.random.default_rng(1)
    estimates, variances = rng.normal(0.4, 0.1, (5, 2)), rng.uniform(0.01, 0.03, (5, 2))
    table = joined(estimates, variances, 200)
    for j in range(2):
        one = pool(estimates[:, j], variances[:, j], complete_df=200)
        assert table.loc[j, ["estimate", "se", "lower", "upper", "missing"]].tolist() == one.drop("df").tolist()
        # the p-value and the limits agree
        at_limit = stats.t.sf((one["estimate"] - one["lower"]) / one["se"], one["df"]) * 2
        assert at_limit == pytest.approx(0.05)
    assert np.isnan(joined(estimates[:1], variances[:1], 200)["lower"]).all()


@pytest.mark.thorough
def test_joined_tests_keep_their_level_whatever_share_is_not_known():
    """5 % of D₂ tests reject under the null; the median of the draws' p-values rejects too often."""
    rng = np.random.default_rng(2)
    for missing in (0.0, 0.3, 0.5):
        z = rng.normal(0, 1, (2000, 1)) + rng.normal(0, np.sqrt(missing), (2000, 20))
        statistics = z**2 / (1 - missing)  # a draw's own variance is that within draws
        rejected = np.mean([joined_chi2(row, 1)[1] < 0.05 for row in statistics])
        median = (np.median(stats.chi2.sf(statistics, 1), axis=1) < 0.05).mean()
        print(f"missing {missing}: D₂ rejects {rejected:.3f}, the median p-value {median:.3f}")
        assert 0.035 < rejected < 0.065
    assert median > 0.12
    assert joined_chi2(np.array([4.0, 4.0]), 1)[1] == pytest.approx(stats.chi2.sf(4, 1), abs=1e-3)
    assert np.isnan(joined_chi2(np.array([4.0, np.nan]), 1)[0])


# ── terms ────────────────────────────────────────────────────────────────────────────────────────────────
def test_levels_with_too_few_exits_are_joined_and_said(draws):
    frames = [frame[frame["at_risk"]].reset_index(drop=True) for frame in draws]
    left = [frame["cause"].to_numpy() > 0 for frame in frames]
    terms = terms_of(frames, left)
    matrix = terms.matrix(0)
    assert (matrix.sum(axis=0) * left[0].mean() >= LEAST).all()
    assert (matrix[left[0]].sum(axis=0) >= FEWEST).all()
    assert len(terms.columns) <= left[0].sum() / PER_COEFFICIENT
    assert {c.level for c in terms.columns if c.term == "job_found"} == {"true"}
    rare = terms.left[terms.left["term"].eq("immigration_category")]
    print(rare)
    counts = labelled(frames[0], ["immigration_category"])["immigration_category"].value_counts() * left[0].mean()
    assert set(rare["level"]) == set(counts[counts < LEAST].index)
    assert len(rare) > 0
    for term in {c.term for c in terms.columns}:
        chosen = [j for j, c in enumerate(terms.columns) if c.term == term]
        assert (matrix[:, chosen].sum(axis=1) <= 1).all()


def test_the_last_terms_give_way_and_category_never_stands_without_city_size(draws):
    frames = [frame[frame["at_risk"]].iloc[:230].reset_index(drop=True) for frame in draws]
    left = [frame["cause"].to_numpy() > 0 for frame in frames]
    kept = {c.term for c in terms_of(frames, left).columns}
    out = set(terms_of(frames, left).left.query("note == 'too_few_exits'")["term"])
    order = list(TERMS)
    print(kept, out)
    assert out and kept
    assert max(order.index(t) for t in kept) < min(order.index(t) for t in out)
    without = terms_of([f.drop(columns="city_size") for f in frames], left)
    assert "immigration_category" not in {c.term for c in without.columns}
    assert "no_city_size" in set(without.left["note"])


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_cutting_at_a_month_changes_neither_exits_nor_time_at_risk(draws):
    frame = draws[0][draws[0]["at_risk"]].reset_index(drop=True)
    left = frame["cause"].to_numpy() > 0
    rows = rows_of(frame, left, np.column_stack([frame["job_found"], frame["sex"].eq("M")]).astype(float))
    two = cut(rows, 12.0, np.array([True, False]))
    assert two.data["event"].sum() == left.sum()
    assert (two.data["time"] - two.data["start"]).sum() == (frame["time"] - frame["start"]).sum()
    assert (two.data["time"] > two.data["start"]).all()
    late = two.data["start"] >= 12
    assert (two.x[late, 1] == 0).all()
    assert (two.x[~late, 2] == 0).all()


def test_scored_is_the_discrete_hazard_of_the_kernel(draws):
    frames = [frame[frame["at_risk"]].reset_index(drop=True) for frame in draws[:1]]
    left = [frame["cause"].to_numpy() > 0 for frame in frames]
    terms = terms_of(frames, left, ["city_size", "job_found", "region"])
    (rows,) = matrix_rows(frames, left, terms)
    mine = scored(rows.data, rows.x)
    kernel = discrete_hazard(
        rows.frame(), start="start", stop="time", event="event", covariates=[f"x{j}" for j in range(rows.x.shape[1])],
        pieces=(3, 6, 12, 24, 36), cluster="household_id",
    )  # fmt: skip
    largest = (mine.table - kernel.table[["coef", "se", "robust_se"]]).abs().max().max()
    print(f"largest difference {largest:.1e}")
    assert largest < 1e-9
    with pytest.raises(ValueError, match="infinite"):
        scored(rows.data, rows.data["event"].to_numpy(dtype=float)[:, None])
    with pytest.raises(ValueError, match="no event"):
        scored(rows.data.assign(event=0), rows.x)


def test_the_rows_of_a_draw_are_made_when_it_is_fitted_and_not_kept(draws):
    frame = draws[0][draws[0]["at_risk"]].reset_index(drop=True)
    left = frame["cause"].to_numpy() > 0
    there, most = [0], []

    class Kept(np.ndarray):
        """A matrix that can be watched."""

    def gone():
        there[0] -= 1

    def make(_):
        x = np.column_stack([frame["job_found"], frame["sex"].eq("M")]).astype(float).view(Kept)
        weakref.finalize(x, gone)
        there[0] += 1
        most.append(there[0])
        return rows_of(frame, left, x)

    columns = (Term("job_found", "true"), Term("sex", "M"))
    found = over_draws("discrete", Draws(12, make), columns)
    assert found.fault is None and len(most) == 12
    assert max(most) <= WORKERS + 1


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_service_counts_from_the_month_after_it():
    frame = pd.DataFrame({
        "person_id": ["a", "b", "c", "d"], "episode": 1, "household_id": ["a", "b", "c", "d"], "region": "05",
        "start": [0, 0, 2, 0], "time": [10, 6, 9, 4], "cause": [1, 0, 1, 1],
    })  # fmt: skip
    services = pd.DataFrame({
        "person_id": ["a", "a", "b", "c", "d", "d", "x"], "episode": 1,
        "month": [3.2, 7.0, -1.0, 1.5, 3.4, 2.0, 1.0], "service": ["pairing"] * 5 + ["reception", "pairing"],
    })  # fmt: skip
    first = first_months(frame, services)
    rows = rows_of(frame, frame["cause"] > 0, np.zeros((4, 0)))
    cut_rows = exposed_rows(rows, first, ["pairing", "reception"])
    table = cut_rows.data[["start", "time", "event"]].assign(stay=cut_rows.stay, pairing=cut_rows.x[:, 0])
    table = table.groupby(["stay", "pairing"])[["start", "time"]].agg({"start": "min", "time": "max"})
    print(table)
    # a: exposed from month 5 on (received in month 4); b: before the establishment, never; c: on entry already;
    # d: received in the month of the exit, never; reception of d counts from month 3
    assert table.loc[(0, 0.0)].tolist() == [0, 4]
    assert table.loc[(0, 1.0)].tolist() == [4, 10]
    assert (1, 1.0) not in table.index
    assert table.loc[(2, 1.0)].tolist() == [2, 9]
    assert (3, 1.0) not in table.index
    assert cut_rows.data["event"].sum() == 3
    assert (cut_rows.data["time"] - cut_rows.data["start"]).sum() == (frame["time"] - frame["start"]).sum()


def test_a_service_that_does_nothing_is_seen_to_do_nothing():
    """Whoever stays longer is served more often: counted from the start, it would seem to keep people."""
    frames = completed(2500, seed=4)
    frame = frames[0]
    rng = np.random.default_rng(5)
    when = rng.exponential(20.0, len(frame)) + 0.01
    true_end = np.where(frame["cause"] > 0, frame["time"], np.inf)
    there = (when <= np.minimum(frame["time"], true_end)) & frame["at_risk"]
    services = frame.loc[there, ["person_id", "episode"]].assign(month=when[there], service="reception")
    models = fit_models(frames, services=services, only=["discrete"])
    row = models.coefficients.query("term == 'service'").iloc[0]
    hasty = frame[frame["at_risk"]].assign(served=there[frame["at_risk"]].astype(int), left=frame["cause"] > 0)
    ever = cox(hasty, time="time", event="left", entry="start", covariates=["served"]).table.iloc[0]
    print(f"time-varying {row['hazard_ratio']:.2f} [{row['lower']:.2f}, {row['upper']:.2f}]; "
          f"ever served {ever['hazard_ratio']:.2f}")  # fmt: skip
    assert ever["upper"] < 0.8
    assert row["lower"] < 1 < row["upper"]
    assert row["reading"] == "cannot_tell"
    assert row["reference"] == "not_received"


# ── all models ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def models(draws):
    return fit_models(draws)


def test_every_destination_has_both_models_and_every_number_its_reading(models):
    table = models.coefficients
    assert list(table.columns) == list(COEFFICIENTS)
    for destination in ("metropole", "other_region", "outside_quebec"):
        for kind in ("cause", "subdistribution"):
            assert table["model"].eq(f"{kind}_{destination}").any()
    known = table[table["estimate"].notna()]
    assert known["reading"].notna().all()
    assert table.loc[table["estimate"].isna(), "note"].notna().all()
    np.testing.assert_allclose(np.exp(known["estimate"]), known["hazard_ratio"])
    assert ((known["lower"] < known["hazard_ratio"]) & (known["hazard_ratio"] < known["upper"])).all()
    assert (table["term"] != "region").all()
    assert (known["missing"].abs() < 1e-9).all()  # the draws do not differ


def test_one_draw_many_times_is_the_kernel_itself(draws, models):
    frame = draws[0][draws[0]["at_risk"]].reset_index(drop=True)
    terms = terms_of([frame], [frame["cause"].to_numpy() == 1], [*TERMS, "region"])
    (rows,) = matrix_rows([frame], [frame["cause"].to_numpy()], terms)
    names = [f"x{j}" for j in range(rows.x.shape[1])]
    kernel = fine_gray(rows.frame(), time="time", cause="event", cause_of_interest=1, covariates=names, entry="start",
                       cluster="household_id").table  # fmt: skip
    mine = models.coefficients.query("model == 'subdistribution_metropole'").dropna(subset="estimate")
    shown = [c.term != "region" for c in terms.columns]
    np.testing.assert_allclose(mine["estimate"], kernel.loc[shown, "coef"])
    np.testing.assert_allclose(mine["se"], kernel.loc[shown, "robust_se"])


def test_too_few_exits_make_a_row_with_a_note(draws):
    frames = [frame.assign(cause=frame["cause"].replace({2: 1})) for frame in draws]
    models = fit_models(frames, only=["cause_other_region", "subdistribution_other_region"])
    assert models.coefficients["note"].tolist() == ["too_few_exits"] * 2
    assert models.coefficients["estimate"].isna().all()
    assert models.fits["note"].eq("too_few_exits").all()
    assert models.fits["detail"].str.contains("10 exits").all()
    names = fit_models(frames, study=replace(Study(), scope="any_region"), only=["cox"]).fits["model"]
    assert names.tolist() == ["cox"]
    with pytest.raises(ValueError, match="cause_other_region is no model"):
        fit_models(frames, study=replace(Study(), scope="any_region"), only=["cause_other_region"])
    with pytest.raises(ValueError, match="no draw"):
        fit_models([])


def test_nobody_at_risk_is_no_exception(draws):
    models = fit_models([frame.iloc[:0] for frame in draws])
    assert models.coefficients["note"].eq("too_few_exits").all()
    assert (models.fits["n_stays"] == 0).all()


def test_a_hazard_ratio_that_changes_is_split_at_12_months():
    """A job multiplies the hazard by .4 in the first year and by 1.6 later; sex does .3 early and 2 late."""
    rng = np.random.default_rng(7)
    frames = completed(4000, seed=8)
    frame = frames[0]
    early, late = np.where(frame["job_found"], 0.4, 1.0), np.where(frame["job_found"], 1.6, 1.0)
    man = frame["sex"].eq("M")
    early, late = early * np.where(man, 0.3, 1.0), late * np.where(man, 2.0, 1.0)
    goal = rng.exponential(1.0, len(frame))
    month = np.where(goal < early * 12 * 0.04, goal / (early * 0.04), 12 + (goal - early * 12 * 0.04) / (late * 0.03))
    time = np.ceil(month).astype(int)
    frame = frame.assign(start=0, time=np.minimum(time, 48), cause=np.where(time <= 48, 1, 0), at_risk=True)
    models = fit_models([frame, frame], only=["cox"])
    job = models.coefficients.query("term == 'job_found'").set_index("from_month")
    print(job[["to_month", "hazard_ratio", "lower", "upper", "note"]])
    assert job["note"].eq("split_at_12").all()
    assert job.loc[0.0, "lower"] < 0.4 < job.loc[0.0, "upper"]
    assert job.loc[12.0, "lower"] < 1.6 < job.loc[12.0, "upper"]
    sex = models.coefficients.query("term == 'sex'")
    assert sex["note"].tolist() == ["stratified"]
    assert sex["estimate"].isna().all()
    actions = models.tests.set_index("term")["action"]
    assert actions["job_found"] == "split_at_12"
    assert actions["sex"] == "stratified"


def test_a_draw_that_cannot_be_fitted_is_said(draws, monkeypatch):
    from trajectories.analysis import models as regressions

    def fails(*_):
        raise ValueError("x0: infinite")

    monkeypatch.setattr(regressions, "fit_rows", fails)
    models = fit_models(draws, only=["cox"])
    assert models.coefficients["note"].tolist() == ["not_estimable"]
    assert models.fits["detail"].str.startswith("city_size=").all()
    assert isinstance(rows_of(draws[0], draws[0]["cause"], np.zeros((len(draws[0]), 0))), Rows)
