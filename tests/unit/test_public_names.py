"""The names that researchers' notebooks and outside checks call: they take what they took, and give the same columns.

More arguments, more columns and more functions are welcome (docs/project/stability.md); one that goes, moves or changes
its default is a break, and this file says so.
"""

import dataclasses
import inspect

import numpy as np
import pandas as pd
import pytest

import trajectories
from trajectories import survival, tables, typology

PROMISED = """
kaplan_meier(time, event, *, entry=None, weights=None, cluster=None, group=None, conf_level=0.95, conf_type="log-log")
quantiles(curve, p=(0.25, 0.5, 0.75))
turnbull(lower, upper, *, weights=None, group=None)
cumulative_incidence(time, cause, *, entry=None, weights=None, cluster=None, group=None, variance="greenwood", conf_level=0.95)
observed_incidence(contacts, cutoff, *, entry=None, weights=None, cluster=None, services=False, pieces=None, replicates=0, seed=1)
interval_incidence(lower, upper, cause, *, entry=None, weights=None, cluster=None, group=None, replicates=0, seed=1)
logrank_test(time, event, group, *, entry=None, strata=None, weights=None, cluster=None, rho=0.0)
gray_test(time, cause, group, *, strata=None, rho=0.0)
restricted_mean(time, event, horizon, *, entry=None, weights=None, cluster=None, group=None)
restricted_mean_difference(time, event, group, horizon, *, entry=None, weights=None, cluster=None)
cox(data, *, time, event, covariates, entry=None, strata=None, weights=None, cluster=None, ties="efron")
fine_gray(data, *, time, cause, cause_of_interest, covariates, entry=None, cluster=None)
transition_probabilities(person, start, stop, from_state, to_state, *, s=0.0, times=None, cluster=None, variance="greenwood")
state_occupation(person, start, stop, from_state, to_state, *, initial=None, times=None, cluster=None)
mean_cumulative(person, start, stop, event, *, group=None, cluster=None)
bootstrap(statistic, data, cluster, *, replicates=500, seed=1)
panel_markov(person, time, state, allowed, *, exact=None)
sequences(spells, months, perimeter=...)
distances(sequences, method="om", costs=..., indel=1.0)
indicators(sequences)
transition_rates(sequences)
state_distribution(sequences)
clusters(distances, k, method="ward")
read_deposits(folder)
find_places(values)
link_persons(records)
build_spells(records, persons)
build_cohort(residences, records, persons)
retention(cohort, contacts)
exits(cohort, contacts)
compare(cohort, by=...)
analyse(study)
improvement_leads(study)
protect(table)
sample()
"""  # noqa: E501
TIME = np.array([2.0, 3.0, 3.0, 5.0, 7.0, 8.0, 9.0, 12.0])
CAUSE = np.array([1, 0, 2, 1, 0, 2, 1, 0])
GROUP = np.array(list("aabbaabb"))


def room(name):
    return next(place for place in (survival, typology, trajectories) if name in place.__all__)


@pytest.mark.parametrize("promised", PROMISED.strip().splitlines(), ids=lambda line: line.partition("(")[0])
def test_a_function_takes_what_it_took(promised):
    name = promised.partition("(")[0]
    space = {}
    exec(f"def {promised}: ...", space)
    then = inspect.signature(space[name]).parameters
    now = inspect.signature(getattr(room(name), name)).parameters
    assert set(then) <= set(now)
    by_place = [p.name for p in now.values() if p.kind is not p.KEYWORD_ONLY]
    asked = [p.name for p in then.values() if p.kind is not p.KEYWORD_ONLY and p.default is p.empty]
    assert by_place[: len(asked)] == asked
    for given in then.values():
        if given.default not in (given.empty, ...):
            assert now[given.name].default == given.default, given.name
    # whatever came since may be left out
    assert [p.name for p in now.values() if p.name not in then and p.default is p.empty] == []


def test_curves_and_tests_give_their_columns():
    event = CAUSE > 0
    curve = survival.kaplan_meier(TIME, event)
    assert {"time", "n_risk", "n_event", "n_censor", "survival", "se", "lower", "upper", "cumulative_hazard",
            "cumulative_hazard_se"} <= set(curve)  # fmt: skip
    assert {"p", "quantile", "lower", "upper"} <= set(survival.quantiles(curve))
    assert next(iter(survival.kaplan_meier(TIME, event, group=GROUP))) == "group"
    assert {"left", "right", "mass", "survival_after"} <= set(survival.turnbull(TIME - 1, TIME))
    limits = {"se", "lower", "upper"}
    assert {"cause", "time", "n_risk", "n_event", "incidence"} | limits <= set(
        survival.cumulative_incidence(TIME, CAUSE)
    )
    test = survival.logrank_test(TIME, event, GROUP)
    assert {"group", "n", "observed", "expected"} <= set(test.table)
    assert (test.df, np.shape(test.covariance)) == (1, (2, 2)) and test.statistic >= 0 and 0 <= test.p_value <= 1
    assert {"cause", "statistic", "df", "p_value"} <= set(survival.gray_test(TIME, CAUSE, GROUP))
    assert {"horizon", "mean"} | limits <= set(survival.restricted_mean(TIME, event, 6))
    both = survival.restricted_mean_difference(TIME, event, GROUP, 6)
    assert both["measure"].tolist() == ["difference", "ratio"]
    assert {"estimate", "p_value"} | limits <= set(both)


def test_what_is_known_as_intervals_gives_its_columns():
    columns = {"cause", "month", "n_risk", "n_confirmed", "incidence", "se", "lower", "upper", "known"}
    known = survival.interval_incidence(np.floor(TIME) - 1, TIME, CAUSE)
    assert columns <= set(known.table) and known.log_likelihood < 0
    contacts = pd.DataFrame({
        "stay": [0, 0, 1, 2, 3, 3], "month": [3.0, 6.0, 3.0, 3.0, 3.0, 6.0], "cause": [0, 1, 0, 0, 0, 0],
        "kind": ["present", "left", "present", "failed", "present", "present"], "organisation": "A",
        "departure_earliest": np.nan, "departure_latest": np.nan,
    })  # fmt: skip
    seen = survival.observed_incidence(contacts, np.full(4, 8.0))
    assert columns <= set(seen.table) and {"contact_failure", "hearing", "checks", "log_likelihood"} <= set(vars(seen))
    assert seen.draw(2, 1).shape == (2, 4, 2)


def test_regressions_give_their_columns():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"time": rng.exponential(5, 60) + 0.1, "cause": rng.integers(0, 3, 60), "x": rng.normal(size=60)}
    )
    terms = {"term", "coef", "se", "robust_se", "z", "p_value", "hazard_ratio", "lower", "upper"}
    fit = survival.cox(data.assign(event=data["cause"] > 0), time="time", event="event", covariates=["x"])
    other = survival.fine_gray(data, time="time", cause="cause", cause_of_interest=1, covariates=["x"])
    for one in (fit, other):
        assert terms <= set(one.table) and {"stratum", "time", "cumulative_hazard"} <= set(one.baseline)
        assert np.shape(one.covariance) == (1, 1) and one.log_likelihood < 0
    assert 0 <= fit.concordance <= 1 and hasattr(fit, "robust_covariance")
    test = fit.test_proportional_hazards(transform="km")
    assert {"term", "statistic", "df", "p_value"} <= set(test) and test["term"].iloc[-1] == "GLOBAL"
    assert fit.predict_survival(data.head(2), [1.0, 2.0, 3.0]).shape == (2, 3)


def test_several_states_give_their_columns():
    rows = {
        "person": [1, 1, 2, 3], "start": [0.0, 2.0, 0.0, 0.0], "stop": [2.0, 5.0, 4.0, 3.0],
        "from_state": ["r", "m", "r", "r"], "to_state": ["m", "r", None, "m"],
    }  # fmt: skip
    limits = {"time", "probability", "se"}
    assert limits | {"from_state", "to_state", "lower", "upper"} <= set(survival.transition_probabilities(**rows))
    assert limits | {"state"} <= set(survival.state_occupation(**rows))
    moves = survival.mean_cumulative(rows["person"], rows["start"], rows["stop"], [1, 0, 0, 1])
    assert {"time", "n_event", "mean", "se"} <= set(moves)
    drawn = survival.bootstrap(lambda d: d["x"].mean(), pd.DataFrame({"x": TIME}), np.arange(8), replicates=9)
    assert {"estimate", "se", "lower", "upper"} <= set(drawn)
    panel = survival.panel_markov([1, 1, 1, 2, 2], [0, 1, 3, 0, 2], list("rrmrm"), {("r", "m"), ("m", "r")})
    named = ("intensity", "intensity_se", "log_likelihood", "probability", "sojourn", "sojourn_se", "at_boundary")
    assert [name for name in named if not hasattr(panel, name)] == []


def test_sequences_give_their_shapes():
    states = pd.DataFrame([["r", "r", "m"], ["r", "m", "m"], ["m", "m", "m"]], index=["a", "b", "c"])
    between = typology.distances(states)
    assert between.shape == (3, 3)
    assert {"entropy", "turbulence", "complexity", "n_transitions"} <= set(typology.indicators(states))
    assert len(typology.clusters(between, 2)) == 3
    for method in ("hamming", "dynamic_hamming", "lcs"):
        assert typology.distances(states, method=method).shape == (3, 3)


def test_tables_that_travel_together_have_their_names():
    promised = {
        "Deposits": ("records", "quarantine", "issues", "files", "superseded"),
        "Residences": ("observations", "spells", "moves", "conflicts"),
        "Cohort": ("cohort", "contacts"),
    }
    for name, fields in promised.items():
        assert [one.name for one in dataclasses.fields(getattr(trajectories, name))][: len(fields)] == list(fields)
    assert callable(trajectories.Study.read)


def test_the_table_of_rates_keeps_its_columns_and_its_words():
    assert list(tables.RETENTION.columns)[:15] == [
        "perimeter", "scope", "pathway", "group", "horizon", "method", "estimate", "se", "lower", "upper", "n_start",
        "n_at_risk", "n_confirmed", "known", "note",
    ]  # fmt: skip
    assert {"main", "with_services", "plain", "no_news_present", "all_lost_left", "all_lost_stayed"} <= set(
        tables.METHODS
    )
    assert {"observed", "hearsay", "insufficient"} <= set(tables.SUPPORTS)
