"""Cox regression: edges that are decided, and errors that name the column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_survival_cox import TERMS, persons

from trajectories.survival.regression.covariates import design
from trajectories.survival.regression.cox import cox


def test_a_stratum_of_one_and_one_without_events_say_nothing():
    d = persons(60, 29)
    fit = cox(d, time="time", event="event", covariates=TERMS, strata="region")
    alone = d.iloc[[0]].assign(region="alone", event=1)
    quiet = d.iloc[1:6].assign(region="quiet", event=0)
    more = cox(pd.concat([d, alone, quiet]), time="time", event="event", covariates=TERMS, strata="region")
    assert more.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-10)
    np.testing.assert_allclose(more.table["coef"], fit.table["coef"], atol=1e-12)
    assert (more.predict_survival(quiet, [3, 50]) == 1).all(axis=None)
    assert more.predict_survival_table(quiet, [3])["se"].eq(0).all()


def test_all_events_at_one_time():
    d = persons(30, 31).assign(time=5.0, event=1)
    breslow = cox(d, time="time", event="event", covariates=TERMS, ties="breslow")
    assert breslow.log_likelihood_null == pytest.approx(-30 * np.log(30))
    efron = cox(d, time="time", event="event", covariates=TERMS)
    assert efron.log_likelihood_null == pytest.approx(-np.log(np.arange(1, 31)).sum())


def test_a_gap_without_anybody_at_risk():
    early, late = persons(30, 37), persons(30, 41)
    late = late.assign(entry=late["entry"] + 1000, time=late["time"] + 1000)
    together = cox(pd.concat([early, late]), time="time", event="event", covariates=TERMS, entry="entry")
    apart = pd.concat([early.assign(when=0), late.assign(when=1)])
    fit = cox(apart, time="time", event="event", covariates=TERMS, entry="entry", strata="when")
    np.testing.assert_allclose(together.table["coef"], fit.table["coef"], atol=1e-10)
    assert together.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-9)


def test_one_event_time_cannot_show_a_change():
    d = persons(30, 45).assign(time=5.0, event=1)
    result = cox(d, time="time", event="event", covariates=TERMS).test_proportional_hazards("identity")
    assert result[["statistic", "p_value"]].isna().all(axis=None)
    d.loc[:14, "time"] = 9.0
    result = cox(d, time="time", event="event", covariates=TERMS).test_proportional_hazards("identity")
    assert (result["statistic"] >= 0).all()


def test_few_clusters():
    d = persons(60, 42).assign(two=np.arange(60) % 2, one=1)
    fit = cox(d, time="time", event="event", covariates=TERMS, cluster="two")
    assert fit.tests.set_index("test")["p_value"].isna().tolist() == [False, False, True, True]
    with pytest.raises(ValueError, match="cluster: 1 label"):
        cox(d, time="time", event="event", covariates=TERMS, cluster="one")


def test_far_away_covariates_predict_certainty():
    d = persons(60, 44)
    fit = cox(d, time="time", event="event", covariates=TERMS)
    sign = np.sign(fit.table["coef"][0])
    far = fit.predict_survival(pd.DataFrame({"age": [1e6 * sign, -1e6 * sign], "score": 0.0}), [50])
    assert far[50].tolist() == [0, 1]


def test_time_zero_is_allowed_without_entry():
    d = persons(40, 43)
    d.loc[:4, ["time", "event"]] = 0, 1
    fit = cox(d, time="time", event="event", covariates=TERMS)
    assert fit.baseline["time"][0] == 0
    assert fit.test_proportional_hazards("km")["statistic"].notna().all()
    with pytest.raises(ValueError, match="event times are 0"):
        fit.test_proportional_hazards("log")


def bad(**changes):
    return persons(40, 47).assign(**changes)


@pytest.mark.parametrize(
    ("data", "more", "message"),
    [
        (bad(event=0), {}, "no event to fit"),
        (bad(), {"covariates": ["age", "height"]}, "no column 'height'"),
        (bad(), {"time": "months"}, "time: no column 'months'"),
        (bad(), {"strata": "county"}, "strata: no column 'county'"),
        (bad(age=np.nan), {}, "age: 40 of 40 values are missing"),
        (bad(age=np.inf), {}, "age: 40 of 40 values are infinite"),
        (bad(), {"covariates": ["age", "sex"]}, "sex: some of the 40 values are not numbers"),
        (bad(age=3), {}, "covariates: age has the same value in all 40 rows"),
        (
            bad(twice=persons(40, 47)["age"] * 2 + 1),
            {"covariates": ["age", "score", "twice"]},
            "twice is a linear comb.* age",
        ),
        (bad(), {"covariates": []}, "at least 1 expected"),
        (bad(), {"covariates": ["age", "age"]}, "age is given twice"),
        (bad(), {"covariates": "age + "}, None),
        (bad(), {"covariates": "event ~ age"}, "left side"),
        (bad(), {"covariates": "age + (score"}, "cannot be read"),
        (bad(), {"covariates": "height + age"}, "no column 'height'"),
        (bad(sex=None), {"covariates": "age + sex"}, "sex: 40 of 40 values are missing"),
        (bad(exit=-1.0), {"time": "exit"}, r"exit \(time\): 40 of 40 values are negative"),
        (bad(start=100.0), {"entry": "start"}, r"time: 40 of 40 values are not after their entry"),
        (bad(died=0.5), {"event": "died"}, r"died \(event\): 40 of 40 values are not whole"),
        (bad(weight=np.inf), {"weights": "weight"}, r"weight \(weights\): 40 of 40 values are infinite"),
        (bad(weight=0.0), {"weights": "weight"}, r"weight \(weights\): all 40 values are 0"),
        (bad(region=None), {"strata": "region"}, "region: 40 of 40 values are missing"),
        (bad(household=np.nan), {"cluster": "household"}, r"household \(cluster\): 40 of 40 values are missing"),
        (bad(), {"ties": "exact"}, "ties: 1 unknown label"),
        (bad(), {"conf_level": 95}, "conf_level"),
        (bad(), {"strata": "age"}, "age has one value among those at risk"),
    ],
)
def test_errors_name_the_column(data, more, message):
    how = {"time": "time", "event": "event", "covariates": TERMS, **more}
    if message is None:
        cox(data, **how)
        return
    with pytest.raises(ValueError, match=message):
        cox(data, **how)


def test_an_infinite_coefficient_is_refused_by_name():
    d = persons(80, 53)
    d["never"] = ((d["event"] == 0) & (d.index % 2 == 0)).astype(int)
    with pytest.raises(ValueError, match="covariates: never has an infinite coefficient"):
        cox(d, time="time", event="event", covariates=[*TERMS, "never"])
    ordered = d.assign(age=-d["time"], event=1, score=d["score"])
    with pytest.raises(ValueError, match="age has an infinite coefficient"):
        cox(ordered, time="time", event="event", covariates=["age"], ties="breslow")


def test_rare_and_strong_effects_are_no_infinite_coefficients():
    rng = np.random.default_rng(59)
    rare = (rng.random(4000) < 0.004).astype(float)
    time = rng.exponential(10 * np.exp(2.5 * rare))
    d = pd.DataFrame({"rare": rare, "time": np.minimum(time, 30), "event": (time < 30).astype(int)})
    assert 0 < d.loc[d["rare"] == 1, "event"].sum() < 6
    fit = cox(d, time="time", event="event", covariates=["rare"])
    assert -4 < fit.table["coef"][0] < -1


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"region": "west"}, "region: 1 of 1 values are no stratum of the fit"),
        ({"sex": "X"}, "sex: 1 of 1 values are no level of the fit"),
        ({"age": None}, "age: 1 of 1 values are missing"),
    ],
)
def test_predictions_refuse_what_the_fit_does_not_know(new, message):
    d = persons(60, 61)
    fit = cox(d, time="time", event="event", covariates="age + sex", strata="region")
    with pytest.raises(ValueError, match=message):
        fit.predict_survival(d.iloc[[0]].assign(**new), [5])
    with pytest.raises(ValueError, match="no column 'region'"):
        fit.predict_survival(d.iloc[[0]].drop(columns="region"), [5])


def test_the_data_are_not_changed():
    d = persons(60, 67)
    before = d.copy(deep=True)
    cox(d, time="time", event="event", covariates="age * sex + C(region)", weights="weight", entry="entry")
    pd.testing.assert_frame_equal(d, before)


def test_a_factor_has_its_first_level_as_reference():
    d = persons(30, 71).assign(kind=pd.Categorical(["c", "a", "b"] * 10, ["c", "a", "b", "unused"]))
    formula, matrix = design(d, "kind + age:sex + bs(age, df=4)")
    assert formula.names[:2] == ("kind[a]", "kind[b]")
    assert "age:sex[F]" in formula.names
    assert formula.columns == ("age", "kind", "sex")
    np.testing.assert_allclose(formula.matrix(d.iloc[[7]])[:, 0], matrix[:, 7])
    assert design(d, "0 + kind")[0].names == design(d, "~ kind")[0].names == ("kind[a]", "kind[b]")
