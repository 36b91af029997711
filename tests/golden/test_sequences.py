"""Distances, costs, indicators, runs and clusters of sequences against R TraMineR 2.2.12 and hclust.

Closed forms at 1e-9, row sums of 300 distances with costs from rates at 1e-8. The clusters compared are partitions:
their numbers are arbitrary. Distances have many ties, so a tree depends on the order of the rows; in the order of the
file ours, scipy's and R's agree in the four clusters and the three highest joins (data/README.md).
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from reference import DATA, Differences, results

from trajectories.analysis.typology import (
    adjusted_rand,
    clusters,
    distances,
    indicators,
    mean_time,
    runs,
    state_distribution,
    transition_rates,
)
from trajectories.analysis.typology.clusters import tree
from trajectories.analysis.typology.distances import substitution_costs
from trajectories.analysis.typology.sequences import coded

TRAMINER = "R TraMineR 2.2.12"
MEASURES = {
    "ham": ("hamming", "constant"),
    "om_constant": ("om", "constant"),
    "om_trate": ("om", "trate"),
    "dhd": ("dynamic_hamming", "constant"),
    "lcs": ("lcs", "constant"),
}
INDICATORS = ("entropy", "turbulence", "complexity", "n_transitions")


@cache
def golden() -> pd.DataFrame:
    return pd.read_csv(DATA / "sequences.csv", index_col="person_id")


@cache
def measured(name: str) -> np.ndarray:
    return distances(golden(), *MEASURES[name])


def distance(name):
    theirs, ours = results("sequences")[name], measured(name)
    gap = Differences(f"sequences {name}", 1e-9, "distances", f"{TRAMINER} seqdist")
    gap.add("first 40", ours[:40, :40], theirs["first_40"])
    gap.add("max", ours.max(), theirs["max"])
    gap.add("symmetry", ours, ours.T)
    if "costs" in theirs:
        order = results("sequences")["alphabet"]
        costs = substitution_costs(coded(golden()), "trate", 2.0, np.ones(len(golden())))
        labels = sorted(order)
        gap.add("costs", pd.DataFrame(costs, labels, labels).loc[order, order], theirs["costs"])
    return gap


def row_sums(name):
    theirs, ours = results("sequences")[name], measured(name)
    exact = name in ("ham", "om_constant", "lcs")
    gap = Differences(f"sequences {name}, sums", 1e-9 if exact else 1e-8, "distances", f"{TRAMINER} seqdist")
    gap.add("row sums", ours.sum(axis=1), theirs["row_sums"])
    # a sum of 90,000 terms that R gives to 15 digits
    gap.add("sum, relative", ours.sum(dtype=float) / theirs["sum"], 1.0)
    return gap


def each_indicator():
    theirs, ours = results("sequences")["indicators"], indicators(golden())
    gap = Differences("sequences indicators", 1e-9, "indicators", f"{TRAMINER} seqient, seqST, seqici, seqtransn")
    assert ours.index.tolist() == theirs["person_id"]
    for name in INDICATORS:
        gap.add(name, ours[name], theirs[name])
    return gap


def rates():
    order = results("sequences")["alphabet"]
    gap = Differences("sequences transition_rates", 1e-9, "transition_rates", f"{TRAMINER} seqtrate")
    theirs = results("sequences")["transition_rates"]["rows_from_columns_to"]
    gap.add("rate", transition_rates(golden()).loc[order, order], theirs)
    return gap


def distribution():
    theirs = results("sequences")["state_distribution"]
    ours = state_distribution(golden()).loc[theirs["states"]]
    gap = Differences("sequences state_distribution", 1e-9, "state_distribution", f"{TRAMINER} seqstatd")
    gap.add("share", ours, theirs["frequencies_state_by_month"])
    logs = np.log(ours.where(ours > 0, 1.0))
    gap.add("entropy", -(ours * logs).sum() / np.log(len(ours)), theirs["entropy"])
    return gap


def spent():
    theirs, ours = results("sequences")["mean_time"], mean_time(golden()).set_index("state")
    gap = Differences("sequences mean_time", 1e-9, "mean_time", f"{TRAMINER} seqmeant")
    gap.add("months", ours.loc[theirs["state"], "months"], theirs["months"])
    gap.add("se", ours.loc[theirs["state"], "se"], theirs["se"])
    return gap


def spells_of_states():
    theirs, ours = results("spells")["spells"], runs(golden())
    gap = Differences("sequences as spells", 0.0, "runs", f"{TRAMINER} seqformat")
    assert ours["person_id"].tolist() == theirs["person_id"]
    assert ours["state"].tolist() == theirs["state"]
    gap.add("begin", ours["begin"] + 1, theirs["begin"])
    gap.add("end", ours["end"] + 1, theirs["end"])
    return gap


def ward(name):
    theirs, apart = results("sequences")[f"ward_{name}"], measured(name)
    gap = Differences(f"sequences ward_{name}", 1e-9, "clusters", "R 4.5.0 hclust ward.D2")
    labels = clusters(apart, 4)
    gap.add("1 − adjusted Rand", 1 - adjusted_rand(labels, theirs["cluster"]), 0.0)
    gap.add("sizes", np.sort(np.bincount(labels)[1:]), np.sort(theirs["sizes"]))
    gap.add("last heights", tree(apart).height[-3:], theirs["last_3_heights"])
    return gap


COMPARISONS = {
    **{f"distance {name}": partial(distance, name) for name in MEASURES},
    **{f"row sums {name}": partial(row_sums, name) for name in MEASURES},
    "indicators": each_indicator,
    "transition rates": rates,
    "state distribution": distribution,
    "mean time": spent,
    "spells": spells_of_states,
    **{f"ward {name}": partial(ward, name) for name in ("om_constant", "om_trate")},
}


def test_every_result_is_compared():
    wards = {f"ward_{name}" for name in ("om_constant", "om_trate")}
    others = {"alphabet", "indicators", "transition_rates", "state_distribution", "mean_time"}
    assert set(results("sequences")) == set(MEASURES) | wards | others


@pytest.mark.parametrize("name", COMPARISONS)
def test_traminer(name):
    COMPARISONS[name]().check()
