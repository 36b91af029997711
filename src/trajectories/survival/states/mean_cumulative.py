"""The mean number of moves by t, when a person may move more than once.

Compared with R's `survfit` of recurrent events in tests/golden/test_mean_cumulative.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import events, labels
from trajectories.survival.kaplan_meier import divide, hazard_influence
from trajectories.survival.limits import positive_limits
from trajectories.survival.risk import counted_by_rank, with_groups
from trajectories.survival.states.multistate import clusters_of, person_rows


def mean_cumulative(
    person: ArrayLike,
    start: ArrayLike,
    stop: ArrayLike,
    event: ArrayLike,
    *,
    group: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Mean number of events a person has had by t.

    Parameters
    ----------
    person : array of shape (n,)
        Labels. A person has one or more rows, which never overlap; gaps (unobserved time) are allowed.
    start, stop : arrays of shape (n,)
        The row is at risk at u if start < u ≤ stop, in months (or any unit), from 0 up.
    event : array of shape (n,)
        0 = none at `stop`, 1 = one event.
    group : array of shape (n,), optional
        Labels; a curve each, and a first column `group`. A person may have rows in several.
    cluster : array of shape (n,), optional
        Labels of households; the jackknife is over persons without it.
    conf_level : float
        Of the limits, on the scale of the logarithm.

    Returns
    -------
    DataFrame
        A row at each time with an event, or where somebody's observation stops (not where the person's next row of the
        group follows at once): time, n_risk, n_event, mean, se, lower, upper.

    Raises
    ------
    ValueError
        For a missing value, stop ≤ start, rows of a person that overlap, a person in two clusters.

    Notes
    -----
    μ(t) = Σ_{u≤t} d(u)/n(u), with d the events and n the rows at risk; se by infinitesimal jackknife over persons or
    clusters, without small-sample factor (Lawless & Nadeau 1995). Persons in a
    state they can no longer move from count in the mean only if they stay at risk: give their row up to the end of
    observation, event 0. No event: mean 0, se 0, limits 0 and 0.

    R: ``survfit(Surv(start, stop, event) ~ group, id = person, cluster = household)``: cumhaz, std.chaz. Largest
    difference seen over tests/golden: 5e-15.

    Examples
    --------
    >>> mean_cumulative([1, 1, 2], [0, 6, 0], [6, 12, 12], [1, 1, 0])[["time", "mean"]].to_numpy().tolist()
    [[6.0, 0.5], [12.0, 1.0]]
    """
    rows = person_rows(person, start, stop)
    n = len(rows.order)
    kinds = events("event", event, n)
    codes, levels = (np.zeros(n, np.int64), None) if group is None else labels("group", group, n)
    households = clusters_of(cluster, rows.person)
    row_sample = rows.sample(kinds, codes, levels, households)
    counts = counted_by_rank(row_sample, rows.heads, rows.stop, rows.start + 1)
    d = counts.n_event.sum(axis=0)
    mean = counts.along(np.cumsum, divide(d, counts.n_risk))
    se = np.sqrt(hazard_influence(row_sample, counts, counts.n_risk))
    lower, upper = positive_limits(mean, se, conf_level)
    stops = np.bincount(counts.ends, ~rows.continues(codes), len(d)) > 0
    listed = np.flatnonzero((d > 0) | stops)
    columns = {
        "time": counts.time,
        "n_risk": counts.n_risk,
        "n_event": d,
        "mean": mean,
        "se": se,
        "lower": lower,
        "upper": upper,
    }
    return with_groups({name: values[listed] for name, values in columns.items()}, row_sample, counts.group[listed])
