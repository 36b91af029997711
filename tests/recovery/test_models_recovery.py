"""Models on completed stays against the planted effects: a job ×.62, city sizes as planted, category nothing.

Exits become known by contacts that fail and news that comes late or never; the job of a third of the stays is not
known. The quick version runs a few replicates; 200 of them and the whole line from deposits are slow.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from stays_with_covariates import SIZE_RATIO, told
from trajectories import Study
from trajectories.analysis.imputation import completed_stays
from trajectories.analysis.models import fit_models
from trajectories.retention.model_input import model_input, stays_that_enter
from trajectories.simulate import settings as effects

JOB = np.log(effects.JOB_AT_ESTABLISHMENT)
SIZES = {level: np.log(ratio / SIZE_RATIO["100k_plus"]) for level, ratio in SIZE_RATIO.items()}
MODELS = ("cox", "complete_cases", "discrete")


def truths(table):
    """The planted log hazard ratio of each coefficient; 0 where nothing is planted."""
    planted = {("job_found", "true"): JOB} | {("city_size", level): value for level, value in SIZES.items()}
    return np.array([planted.get(key, 0.0) for key in zip(table["term"], table["level"], strict=True)])


def replicate(job):
    """Coefficients of one simulated set of stays, and that of a job where exits are drawn from one pooled fit."""
    seed, n, m, models = job
    given = told(n, seed)
    completed = completed_stays(given.cohort, given.contacts, m=m)
    table = fit_models(completed, only=models).coefficients.dropna(subset="estimate")
    table = table.assign(truth=truths(table), seed=seed)
    curve = model_input(stays_that_enter(given.cohort, Study()), given.contacts).fit(Study(), replicates=m)
    pooled = []
    for frame, drawn in zip(completed, curve.draw(m, seed), strict=True):
        time = np.maximum(drawn[:, 0], frame["start"])
        cause = np.where(time > frame["start"], drawn[:, 1], 0)
        pooled.append(frame.assign(time=time, cause=cause, at_risk=time > frame["start"]))
    one = fit_models(pooled, only=["cox"]).coefficients.query("term == 'job_found'").dropna(subset="estimate")
    return pd.concat([table, one.assign(model="cox_of_one_pooled_fit", truth=JOB, seed=seed)])


def replicates(seeds, n, m, models=MODELS):
    jobs = [(seed, n, m, models) for seed in seeds]
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        return pd.concat(pool.map(replicate, jobs), ignore_index=True)


def summary(table):
    """By model, term and level: mean error, its Monte-Carlo error, mean se beside the sd seen, coverage, rejections."""
    table = table[table["note"].isna()]
    log_lower, log_upper = np.log(table["lower"]), np.log(table["upper"])
    table = table.assign(
        error=table["estimate"] - table["truth"], covered=(log_lower <= table["truth"]) & (table["truth"] <= log_upper),
        rejected=table["p_value"] < 0.05,
    )  # fmt: skip
    by = table.groupby(["model", "term", "level"])
    found = by.agg(
        n=("error", "size"), truth=("truth", "first"), error=("error", "mean"), sd=("error", "std"), se=("se", "mean"),
        missing=("missing", "mean"), covered=("covered", "mean"), rejected=("rejected", "mean"),
    )  # fmt: skip
    return found.assign(error_of_mean=found["sd"] / np.sqrt(found["n"]))


def test_planted_effects_are_found_and_one_pooled_fit_attenuates_them():
    found = summary(replicates(range(6), 1200, 3, ["cox"]))
    print(found.round(3).to_string())
    job = found.loc["cox", "job_found", "true"]
    assert abs(job["error"]) < 3 * job["error_of_mean"] + 0.01
    assert job["covered"] >= 0.6
    for size in ("under_10k", "10k_50k"):
        row = found.loc["cox", "city_size", size]
        assert abs(row["error"]) < 3.5 * row["error_of_mean"] + 0.01
    nothing = found.loc["cox", "immigration_category"]
    assert np.average(nothing["rejected"], weights=nothing["n"]) < 0.25
    assert found.loc["cox_of_one_pooled_fit", "job_found", "true"]["error"] > 0.05


@pytest.mark.slow
def test_two_hundred_replicates():
    found = summary(replicates(range(1000, 1200), 1500, 10))
    print(found.round(3).to_string())
    for model in ("cox", "discrete"):
        planted = found.loc[model].loc[[("job_found", "true"), *(("city_size", s) for s in ("under_10k", "10k_50k"))]]
        assert (planted["error"].abs() < 0.03).all()
        assert planted["covered"].between(0.91, 0.995).all()
        nothing = found.loc[model, "immigration_category"]
        assert np.average(nothing["rejected"], weights=nothing["n"]) <= 0.08
    assert found.loc["cox_of_one_pooled_fit", "job_found", "true"]["error"] > 0.05


@pytest.mark.slow
def test_the_whole_line_from_deposits(line):
    """Read, linked and reconstructed: who is who and where is not perfect either."""
    made = line(households=2500, organisations=40, defects="light", seed=71)
    completed = completed_stays(made.cohort, made.contacts, m=10)
    models = fit_models(completed)
    table = models.coefficients.query("model == 'cox'").dropna(subset="estimate")
    table = table.assign(truth=truths(table))
    print(table[["term", "level", "truth", "estimate", "se", "missing", "note"]].round(3).to_string())
    print(models.tests.query("term == 'GLOBAL'").round(3).to_string())
    job = table[table["term"].eq("job_found")]
    assert (abs(job["estimate"] - JOB) < 3 * job["se"]).all()
    assert job["reading"].eq("stays_longer").all()
    category = table[table["term"].eq("immigration_category")]
    assert (category["estimate"].abs() < 3 * category["se"]).all()
    size = table[table["term"].eq("city_size")]
    assert (abs(size["estimate"] - size["truth"]) < 3 * size["se"]).all()
