"""`observed_incidence` against what it must reduce to (docs/observation-model.md, last paragraphs), at 1e-8.

With hazards by month and whole months: the interval-censored, left-truncated, competing-risks NPMLE, right-censored at
the last presence, where no news comes and failed contacts say nothing (π₀ = π₁) or are not written; the NPMLE censored
at the cut-off where hearing is certain and at once; Kaplan–Meier and Aalen–Johansen where every month is known. The
cohort is that of the other golden tests. Inside an interval that no other observation splits nothing determines how the
mass is spread: curves are compared at the months that some observation ends in.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from reference import Differences, cohort, results

from trajectories.survival import Reporting, cumulative_incidence, interval_incidence, kaplan_meier, observed_incidence
from trajectories.survival.observation.cells import FAILED

# EM stops when no incidence moves by more in a cycle; the log-likelihood is then at its maximum to rounding error.
TIGHT = {"tolerance": 1e-12, "starts": 0}


def curves(table, months, causes):
    return table.set_index(["cause", "month"])["incidence"].loc[[(c, m) for c in causes for m in months]]


def monthly(last):
    return {"pieces": range(1, int(last) + 1)}


def as_contacts(lower, upper, cause, entry=None):
    """(lower, upper] as a person found present at the one and gone at the other."""
    stay = np.arange(len(lower))
    known, seen = np.isfinite(upper), lower > (0 if entry is None else entry)
    exact = known & (lower == upper)
    present = pd.DataFrame({"stay": stay, "month": lower, "kind": "present", "cause": 0})[seen & ~exact]
    left = pd.DataFrame({"stay": stay, "month": upper, "kind": "left", "cause": cause, "departure_earliest": lower,
                         "departure_latest": upper})[known]  # fmt: skip
    return pd.concat([present, left], ignore_index=True)


def compared(name):
    d = cohort()
    column = {"by_sex": "sex", "by_region": "region"}.get(name)
    gap = Differences(f"turnbull {name} by contacts", 1e-8, "observed_incidence", "npmle, solved in R")
    for label, reference in results("turnbull")[name]["curves"].items():
        rows = d if column is None else d[d[column] == label]
        lower, upper = (rows[end].to_numpy(dtype=float) for end in ("lower", "upper"))
        cutoff = np.where(np.isfinite(upper), upper, lower)
        weights = rows["weight"] if name == "weighted" else None
        curve = observed_incidence(
            as_contacts(lower, upper, 1), cutoff, weights=weights, **monthly(cutoff.max()), **TIGHT
        )
        s = curve.table.query("cause == 0").set_index("month")["incidence"]
        right = np.array(reference["npmle"]["intervals"]["right"], dtype=float)
        after = np.array(reference["npmle"]["intervals"]["surv_after"], dtype=float)
        finite = np.isfinite(right)
        gap.add("S", s.loc[right[finite].astype(int)], after[finite])
        gap.add("log-likelihood", curve.log_likelihood, reference["npmle"]["loglik"])
    return gap


COMPARISONS = {name: partial(compared, name) for name in ("overall", "by_sex", "by_region", "weighted")}


@pytest.mark.parametrize("name", COMPARISONS)
def test_turnbull(name):
    COMPARISONS[name]().check()


def competing():
    """The cohort's intervals, one destination in ten unknown, under observation before they begin."""
    d = cohort()
    lower, upper = (d[end].to_numpy(dtype=float) for end in ("lower", "upper"))
    entry = np.minimum(d["entry"].to_numpy(dtype=float), np.floor(lower))
    cause = np.where(np.isfinite(upper), np.maximum(d["cause"].to_numpy(), 1), 0)
    cause = np.where((np.arange(len(d)) % 10 == 3), 0, cause)
    return d, lower, upper, entry, cause


@pytest.mark.parametrize(
    ("failures", "weights"),
    [
        ("not written", None),
        ("equal", "weight"),
        pytest.param("not written", "weight", marks=pytest.mark.thorough),
        pytest.param("equal", None, marks=pytest.mark.thorough),
    ],
)
def test_interval_censored_left_truncated_competing_risks(failures, weights):
    d, lower, upper, entry, cause = competing()
    mass = None if weights is None else d[weights]
    reference = interval_incidence(lower, upper, cause, entry=entry, weights=mass)
    contacts = as_contacts(lower, upper, cause, entry)
    cutoff = np.where(np.isfinite(upper), upper, lower + 12)  # right-censored at the last presence all the same
    more, constant = {}, 0.0
    if failures == "equal":
        # everybody is sought in vain in months 5 and 17, and failing says nothing of having left
        sought = [pd.DataFrame({"stay": np.arange(len(d)), "month": month, "kind": "failed", "cause": 0})
                  for month in (5.0, 17.0)]  # fmt: skip
        contacts = pd.concat([contacts, *sought], ignore_index=True)
        more = {"reporting": Reporting(np.full((4, 1), 0.3), None)}
    last = int(cutoff.max())
    curve = observed_incidence(
        contacts, cutoff, entry=entry, weights=mass, causes=reference.table["cause"].unique()[1:], **more,
        **monthly(last), **TIGHT,
    )  # fmt: skip
    if failures == "equal":
        about, w = curve.model.known.contacts, curve.model.mass
        failed = about.kind == FAILED
        written = about.may_fail & ~failed
        constant = np.log(0.3) * w[about.stay[failed]].sum() + np.log(0.7) * w[about.stay[written]].sum()
    ends = np.unique(np.concatenate([lower, upper[np.isfinite(upper)]])).astype(int)
    ends = ends[(ends >= 1) & (ends < lower.max())]  # beyond the last presence destinations are not determined
    causes = reference.table["cause"].unique()
    gap = Differences(f"interval NPMLE, failures {failures}", 1e-8)
    gap.add("curves", curves(curve.table, ends, causes), curves(reference.table, ends, causes))
    gap.add("log-likelihood", curve.log_likelihood - constant, reference.log_likelihood)
    gap.check()


def test_hearing_certain_and_at_once_is_the_npmle_censored_at_the_cutoff():
    d = cohort()
    time, cause, entry = d["time"].to_numpy(dtype=float), d["cause"].to_numpy(), d["entry"].to_numpy(dtype=float)
    cutoff = np.where(cause > 0, time + 7, time)  # until then everybody else is taken to have stayed
    told = pd.DataFrame({"stay": np.arange(len(d)), "month": time, "kind": "news", "cause": cause})[cause > 0]
    names = np.unique(cause[cause > 0])
    curve = observed_incidence(told, cutoff, entry=entry, reporting=Reporting.certain(len(names)),
                               **monthly(cutoff.max()), **TIGHT)  # fmt: skip
    reference = interval_incidence(time, np.where(cause > 0, time, np.inf), cause, entry=entry)
    months = np.arange(1, int(time.max()) + 1)
    gap = Differences("certain hearing", 1e-8)
    gap.add("curves", curves(curve.table, months, (0, *names)), curves(reference.table, months, (0, *names)))
    gap.add("log-likelihood", curve.log_likelihood, reference.log_likelihood)
    gap.check()


@pytest.mark.parametrize("kind", ["left", "news"])
@pytest.mark.parametrize("entry", [None, "entry"])
@pytest.mark.parametrize("weights", [None, "weight"])
def test_known_months_give_kaplan_meier_and_aalen_johansen(kind, entry, weights):
    d = cohort()
    more = {name: None if column is None else d[column] for name, column in (("entry", entry), ("weights", weights))}
    time, cause = d["time"].to_numpy(dtype=float), d["cause"].to_numpy()
    gone, stay = cause > 0, np.arange(len(d))
    # gone: told a while later, with the day; still there: found present at the last month
    told = pd.DataFrame({"stay": stay, "month": time + 2, "kind": kind, "cause": cause, "departure_earliest": time,
                         "departure_latest": time})[gone]  # fmt: skip
    present = pd.DataFrame({"stay": stay, "month": time, "kind": "present"})[~gone]
    curve = observed_incidence(
        pd.concat([told, present], ignore_index=True), time + 2 * gone, **more, **monthly(time.max() + 2), **TIGHT
    )
    km, aj = kaplan_meier(time, cause > 0, **more), cumulative_incidence(time, cause, **more)
    ours = curve.table.set_index(["cause", "month"])["incidence"]
    gap = Differences("known months", 1e-8)
    gap.add("S", ours.loc[[(0, int(t)) for t in km["time"]]], km["survival"])
    gap.add("F", ours.loc[[(c, int(t)) for c, t in zip(aj["cause"], aj["time"], strict=True)]], aj["incidence"])
    gap.check()


def test_household_limits_agree_with_the_jackknife_where_months_are_known():
    d = cohort()
    time, cause = d["time"].to_numpy(dtype=float), d["cause"].to_numpy()
    told = pd.DataFrame({"stay": np.arange(len(d)), "month": time, "kind": np.where(cause > 0, "left", "present"),
                         "cause": cause, "departure_earliest": np.where(cause > 0, time, np.nan),
                         "departure_latest": np.where(cause > 0, time, np.nan)})  # fmt: skip
    curve = observed_incidence(told, time, entry=d["entry"], cluster=d["household_id"], replicates=400,
                               **monthly(time.max()), starts=0)  # fmt: skip
    jackknife = kaplan_meier(time, cause > 0, entry=d["entry"], cluster=d["household_id"]).set_index("time")
    ratio = curve.table.query("cause == 0").set_index("month")["se"] / jackknife["se"]
    print(f"bootstrap se / jackknife se: {ratio.loc[3:].min():.3f} to {ratio.loc[3:].max():.3f}")
    assert ratio.loc[3:].between(0.85, 1.15).all()  # Monte-Carlo error of 400 replicates: 3.5 % each
