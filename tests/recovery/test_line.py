"""The whole line against the simulator's truth: who, where, when, and how many stayed."""

import functools

import pandas as pd
import pytest

from trajectories import Study
from trajectories.retention import estimate
from trajectories.retention.bounds import observed_intervals

HOUSEHOLDS = 800
CERTAIN = {"defects": "none", "contacts_succeed": True, "households": HOUSEHOLDS}
# As many as hearsay needs to carry an estimate: enough exits to each destination that contacts found.
AS_USUAL = {"defects": "none"}
# Estimate less realised share: 0.02 with 1,500 households, which chance asks of so many.
NEAR = 0.02 * (1500 / HOUSEHOLDS) ** 0.5


@pytest.fixture(scope="module")
def province(line):
    """The estimates of the province, by method and horizon, and all that was found; the bounds only if asked for."""

    @functools.cache
    def of_line(horizons=(12, 24), bounds=False, **settings):
        made = line(**settings)
        study = Study.from_mapping({"replicates": 0, "horizons": list(horizons)})
        found = estimate(made.cohort, made.contacts, study=study, groups=["province"], companions=bounds)
        return found.retention.set_index(["method", "horizon"])["estimate"], found

    return of_line


def test_clean_deposits_give_each_person_one_id(line):
    run = line(**AS_USUAL)
    whole = run.person_of.value_counts()
    assert (whole == 1).mean() >= 0.999
    assert run.person_of.nunique() >= 0.999 * len(run.person_of)


def test_true_establishments_are_found_in_the_right_region(line):
    run = line(**AS_USUAL)
    found = run.cohort.assign(true_person=run.cohort["person_id"].map(run.person_of))
    pairs = run.established.merge(found, on=["true_person", "region"], suffixes=("", "_found"))
    slack = pd.Timedelta(days=1)
    right = (pairs["establishment_earliest"].fillna(pairs["establishment"]) - slack <= pairs["establishment"]) & (
        pairs["establishment"] <= pairs["establishment_latest"] + slack
    )
    share = len(pairs[right].drop_duplicates(["true_person", "episode"])) / len(run.established)
    print(f"true establishments found with the right region: {share:.4f}")
    assert share >= 0.99


def test_the_true_exit_lies_in_the_interval(line):
    run = line(**AS_USUAL)
    found = run.cohort[run.cohort["exit"].notna() & run.cohort["excluded"].isna()]
    found = found.assign(true_person=found["person_id"].map(run.person_of))
    pairs = run.established.merge(found, on=["true_person", "region"], suffixes=("", "_found"))
    pairs = pairs[(pairs["establishment"] - pairs["establishment_latest"]).abs() <= pd.Timedelta(days=1)]
    # who left and came back between two observations was not seen to leave: no interval can hold that exit
    stays = run.truth.stays.groupby(["true_person", "region"]).size()
    pairs = pairs[pairs.set_index(["true_person", "region"]).index.map(stays) == 1]
    inside = (pairs["lower"] - 0.1 <= pairs["months"]) & (pairs["months"] <= pairs["upper"] + 0.1)
    print(f"true exits inside (lower, upper]: {inside.mean():.4f} of {len(pairs)}")
    assert inside.mean() >= 0.98


@pytest.mark.parametrize("horizon", [12, 24])
def test_retention_is_right_when_every_scheduled_contact_succeeds(line, province, horizon):
    run = line(**CERTAIN)
    estimates, _ = province(**CERTAIN)
    print(f"S({horizon}) = {estimates['main', horizon]:.4f}, realised {run.realised(horizon):.4f}")
    assert abs(estimates["main", horizon] - run.realised(horizon)) <= NEAR


def test_exits_by_destination_are_right_and_sum_to_one(line, province):
    run = line(**CERTAIN)
    estimates, found = province(**CERTAIN)
    stays = run.truth.stays
    stays = stays[stays["establishment"] <= run.residences.cutoff]
    for horizon in (12, 24):
        left = found.exits[found.exits["horizon"].eq(horizon)].set_index("cause")["estimate"]
        assert left.sum() + estimates["main", horizon] == pytest.approx(1, abs=1e-9)
        for cause, share in left.items():
            true = ((stays["months"] <= horizon) & stays["exit_cause"].eq(cause)).mean()
            assert abs(share - true) <= NEAR, cause


@pytest.mark.parametrize("horizon", [12, 24])
@pytest.mark.parametrize("defects", ["none", "light"])
def test_the_bounds_hold_the_truth_when_contacts_fail_and_news_is_late(line, province, horizon, defects):
    settings = AS_USUAL if defects == "none" else {"defects": defects, "households": HOUSEHOLDS}
    run = line(**settings)
    estimates, _ = province(bounds=True, **settings)
    low, high = estimates["all_lost_left", horizon], estimates["all_lost_stayed", horizon]
    print(f"S({horizon}) in [{low:.3f}, {high:.3f}], realised {run.realised(horizon):.3f}")
    assert low <= run.realised(horizon) <= high


def test_a_horizon_beyond_the_last_scheduled_contact_is_carried_by_hearsay_or_refused(province):
    _, found = province(horizons=(12, 36), bounds=True, **AS_USUAL)
    main = found.retention[found.retention["method"].eq("main")].set_index("horizon")
    assert main.at[36, "known"] == "hearsay"
    assert main.at[36, "range_lower"] < main.at[36, "estimate"] < main.at[36, "range_upper"]
    _, found = province(horizons=(12, 36), **AS_USUAL, hearsay=False, perfect=True)
    main = found.retention[found.retention["method"].eq("main")].set_index("horizon")
    assert main.at[36, "known"] == "insufficient"
    assert pd.isna(main.at[36, "estimate"])


def test_the_companions_leave_late_news_apart(line):
    run = line(**AS_USUAL)
    known = observed_intervals(run.cohort, run.contacts)
    assert known["late_news"].sum() > 50
    bound = known.loc[known["late_news"], "all_lost_stayed_upper"]
    assert (bound == float("inf")).mean() > 0.5
    at_risk = known[known["plain_upper"] > known["entry"]]
    assert len(at_risk) > 0.99 * len(known)
    assert (at_risk["plain_lower"] >= at_risk["entry"]).all()
    assert (known["plain_upper"] > known["plain_lower"]).all()
