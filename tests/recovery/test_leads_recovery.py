"""Leads against a known truth: none about associations where no service acts, and a planted gap comes first.

Provinces are simulated as tables (cohort, contacts, records), not as deposits. The quick versions take a few; 200
provinces without effect and 100 with a gap are slow.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from stays_with_covariates import told
from trajectories import Study
from trajectories.analysis.imputation import completed_stays
from trajectories.analysis.services import tables as whole
from trajectories.analysis.services.association import associations
from trajectories.analysis.services.leads import AGREE, ASSOCIATION, SOLID, TO_VERIFY, ranked_leads
from worlds.served_province import served_province

SERVICES = {"reception": 0.08, "job_search": 0.05, "housing_search": 0.04, "francization": 0.03, "pairing": 0.02}
STUDY = Study()


def upper_limit(hits, n):
    """The upper 95 % limit of a share (Clopper & Pearson 1934, two-sided)."""
    return float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0


def without_effect(seed, n=1500, m=8):
    """The leads of a province in which services depend on nothing but being there, its ends drawn as in an analysis."""
    given = told(n, seed)
    rng = np.random.default_rng([seed, 17])
    last = np.minimum(given.month, given.cohort["cutoff"]).to_numpy()
    keys = given.cohort[["person_id", "episode"]]
    parts = []
    for service, rate in SERVICES.items():
        month = rng.integers(0, 7) + rng.geometric(rate, n)
        parts.append(keys[month <= last].assign(month=month[month <= last].astype(float), service=service))
    services = pd.concat(parts, ignore_index=True)
    before = keys[rng.random(n) < 0.4].assign(month=-2.0, service="information")
    completed = completed_stays(given.cohort, given.contacts, m=m)
    table = associations(
        completed, services, before=before, only=[*AGREE, "before_departure", "permuted"], study=Study()
    )
    reach = services.groupby("service").size().rename("households").reset_index()
    reach = reach.assign(group="province", when="after", stream="all", n_start=n, estimate=reach["households"] / n)
    return ranked_leads({"associations": table, "service_reach": reach}).assign(seed=seed)


def false_leads(seeds, m=8):
    """How many provinces have a lead, solid or to verify, about an association."""
    found = pd.concat([without_effect(seed, m=m) for seed in seeds])
    told_ = found[found["kind"].eq(ASSOCIATION)]
    print(told_.groupby("evidence", observed=True)["seed"].nunique().to_dict())
    return told_.loc[told_["evidence"].isin([SOLID, TO_VERIFY]), "seed"].nunique()


def with_a_gap(seed, n, arrive):
    """The leads of a province where transfers to one region, of a tenth of its households, fail."""
    province = served_province(n, seed, failing="17", arrive=arrive)
    made = whole.describing_tables(province.cohort, province.contacts, province.records, province.persons, study=STUDY)
    return ranked_leads(made)


def rank_of_the_gap(found, *, compared=False):
    """The rank, from 1, of the lead about transfers, among all or those that compare; 99 where none counts."""
    found = found[found["group"].eq("17") & (found["line"].isna() | (not compared))]
    planted = found["rule"].eq("transfers_do_not_arrive") & found["evidence"].isin([SOLID, TO_VERIFY])
    return int(np.argmax(planted)) + 1 if planted.any() else 99


def test_where_no_service_acts_hardly_any_province_has_a_lead_about_one():
    assert false_leads(range(3), m=3) <= 1


@pytest.mark.slow
def test_over_200_provinces_without_effect():
    hits = false_leads(range(3000, 3200))
    print(hits, upper_limit(hits, 200))
    assert upper_limit(hits, 200) <= 0.08


def test_a_planted_gap_comes_first():
    assert rank_of_the_gap(with_a_gap(1, 800, 0.6)) == 1


@pytest.mark.slow
def test_over_100_provinces_a_planted_gap_comes_first():
    """
    A tenth of 800 households, of whom some 53 % are met instead of 88 %: first of what is compared in 98.

    Of all leads it is first in 57 and among three in 99: needs that stay unanswered past the line come before it.
    """
    found = [with_a_gap(seed, 800, 0.6) for seed in range(600, 700)]
    ranks = np.array([rank_of_the_gap(one) for one in found])
    compared = np.array([rank_of_the_gap(one, compared=True) for one in found])
    print(np.bincount(ranks), np.bincount(compared))
    assert (compared == 1).sum() >= 90
    assert (ranks <= 3).sum() >= 90
