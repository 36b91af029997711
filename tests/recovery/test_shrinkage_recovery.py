"""Small regions drawn towards the province are nearer the truth than their raw values, over 200 simulations.

Thirteen regions of the sample's sizes, in households of about two and a half; true values lie around the province's on
log(−log S). What is estimated is the share of stays that lasted, with its household-clustered standard error.
"""

import numpy as np
import pandas as pd
import pytest

from trajectories.analysis.comparison import funnel, shrunken

SIZES = {
    "03": 680, "05": 500, "07": 425, "12": 330, "04": 265, "17": 225, "16": 185, "02": 125, "15": 100, "01": 100,
    "14": 100, "08": 60, "11": 40,
}  # fmt: skip
SMALL = [group for group, n in SIZES.items() if n <= 125]
CENTRE, RUNS = 0.75, 200


def drawn(rng, spread, tied=0.0):
    """One simulated table `retention`, and the true values; `tied`: larger regions keep more (on the same scale)."""
    sizes = np.array(list(SIZES.values()))
    y = np.log(-np.log(CENTRE)) + rng.normal(0, spread, len(sizes))
    y -= tied * (np.log(sizes) - np.average(np.log(sizes), weights=sizes))
    truth = np.exp(-np.exp(y))
    rows, stayed, of = [], [], []
    for rate, n in zip(truth, sizes, strict=True):
        households = int(n / 2.5)
        members = rng.multinomial(n - households, np.full(households, 1 / households)) + 1
        # a household leaves together one time in two
        together, one = rng.random(households) < 0.5, rng.random(households) < rate
        each = np.where(together, one * members, rng.binomial(members, rate))
        stayed.append(each)
        of.append(members)
        rows.append(_share(each, members))
    rows.insert(0, _share(np.concatenate(stayed), np.concatenate(of)))
    table = pd.DataFrame(rows, columns=["estimate", "se"])
    table = table.assign(
        group=["province", *SIZES], horizon=24, method="main", lower=np.nan, upper=np.nan,
        n_start=[sizes.sum(), *sizes], n_at_risk=[sizes.sum(), *sizes],
    )  # fmt: skip
    return table, pd.Series(truth, index=list(SIZES))


def _share(stayed, members):
    rate = stayed.sum() / members.sum()
    return rate, np.sqrt(((stayed - rate * members) ** 2).sum()) / members.sum()


def study(spread, tied=0.0, seed=1, runs=RUNS):
    found = []
    for child in np.random.SeedSequence(seed).spawn(runs):
        table, truth = drawn(np.random.default_rng(child), spread, tied)
        one = shrunken(table).set_index("group")
        one["truth"] = truth
        one["outside"] = funnel(table).set_index("group")["outside"]
        found.append(one.reset_index())
    table = pd.concat(found, ignore_index=True)
    table["raw_error"], table["error"] = table["estimate"] - table["truth"], table["shrunken"] - table["truth"]
    table["raw_covered"] = table["raw_error"].abs() < 1.96 * table["se"]
    table["covered"] = table["truth"].between(table["shrunken_lower"], table["shrunken_upper"])
    return table


@pytest.mark.parametrize(("spread", "tied"), [(0.15, 0.0), (0.3, 0.0), (0.15, 0.1)])
def test_small_regions_are_nearer_the_truth(spread, tied):
    table = study(spread, tied)
    small = table[table["group"].isin(SMALL)]
    raw, mine = (small["raw_error"] ** 2).mean(), (small["error"] ** 2).mean()
    every = (table["raw_error"] ** 2).mean(), (table["error"] ** 2).mean()
    covered, raw_covered = small["covered"].mean(), small["raw_covered"].mean()
    print(
        f"spread {spread}, tied {tied}: mean squared error of small regions {raw:.5f} raw, {mine:.5f} drawn; "
        f"of all {every[0]:.5f}, {every[1]:.5f}; 95 % limits of small regions cover {covered:.3f} "
        f"(raw {raw_covered:.3f}); "
        f"τ {np.sqrt(table['tau2']).mean():.3f}"
    )
    assert mine < 0.85 * raw and every[1] < every[0]
    # standard errors of sixteen households are themselves uncertain: raw limits cover 91 to 92 %
    assert covered > raw_covered - 0.03


def test_the_funnel_names_hardly_any_region_where_there_is_no_difference():
    table = study(0.0, runs=80)
    share = table["outside"].mean()
    print(f"outside the 99.8 % limits with no difference at all: {share:.4f} of {len(table)}")
    # 0.2 % by design; standard errors of forty stays are themselves uncertain
    assert share < 0.015
    assert study(0.5, runs=80)["outside"].mean() > 0.2
