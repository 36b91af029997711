"""Kaplan–Meier survival with delayed entry, weights and clusters, its quantiles, and the restricted mean.

S(t) = Π(1 − d/n) over the risk sets of `risk.py`. Compared with R survival 3.8.3 in tests/golden/test_km.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Sample, normal_quantile, sample, times
from trajectories.survival.jackknife import cluster_sums, influence_variance
from trajectories.survival.limits import survival_limits
from trajectories.survival.risk import TIE, Counts, RiskSets, risk_sets, with_groups


def divide(top: Counts, bottom: Counts) -> Floats:
    """top / bottom, 0 where the bottom is 0 (nobody is left whom the ratio would concern)."""
    if np.all(bottom):
        return top / bottom
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom != 0)


def survival_of(counts: RiskSets) -> Floats:
    """Π(1 − d/n) at each row."""
    return counts.along(np.cumprod, divide(counts.n_risk - counts.all_events, counts.n_risk))


def hazard_influence(persons: Sample, counts: RiskSets, denominator: Counts) -> Floats:
    """Jackknife variance of Σ d/left/n …: of −log S for left = n − d, of Nelson–Aalen's sum for left = n."""
    d, n = counts.all_events, counts.n_risk
    step = divide(d, n * denominator)
    total = counts.along(np.cumsum, step)
    at_entry = counts.before(total, 0.0)[counts.enters]
    own = np.where(persons.cause > 0, divide(np.ones_like(total), denominator)[counts.ends], 0.0)
    after = total[counts.ends] - at_entry - own
    ones, zeros = np.ones_like(own), np.zeros_like(own)
    return influence_variance(persons, counts, (-at_entry, ones), (after, zeros), (np.ones_like(total), total))


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    group: ArrayLike | None = None,
    conf_level: float = 0.95,
    conf_type: str = "log-log",
) -> pd.DataFrame:
    """Kaplan–Meier survival and Nelson–Aalen cumulative hazard.

    Parameters
    ----------
    time : array of shape (n,)
        When the person left or was censored, in months (or any unit), from 0 up.
    event : array of shape (n,)
        0 = censored at `time`, 1 = the event.
    entry : array of shape (n,), optional
        Delayed entry: at risk at t means entry < t ≤ time.
    weights : array of shape (n,), optional
        From 0 up. Whole numbers are frequencies (5 = five such persons).
    cluster : array of shape (n,), optional
        Labels of households: se by infinitesimal jackknife over clusters.
    group : array of shape (n,), optional
        Labels; a curve each, and a first column `group`.
    conf_level : float
        Of the two-sided limits.
    conf_type : {"log-log", "log", "plain", "logit"}
        The scale of the limits.

    Returns
    -------
    DataFrame
        A row at each time where anything ends: time, n_risk, n_event, n_censor, survival, se, lower, upper,
        cumulative_hazard, cumulative_hazard_se. survival and its limits are in 0–1, se on the scale of S.

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time not after its entry, an unknown `conf_type`.

    Notes
    -----
    S(t) = Π_{u≤t}(1 − d(u)/n(u)) (Kaplan & Meier 1958); Λ(t) = Σ d/n (Nelson 1972, Aalen 1978). Variance: Greenwood's
    (1926), S² Σ d/(n(n − d)), and Σ d/n² for Λ; with `cluster`, or weights that are not whole numbers, the
    infinitesimal jackknife Σ_c(Σ_{i∈c} w_i ∂S/∂w_i)², without small-sample factor. No event: S = 1, limits 1 and 1,
    se 0. At S = 0 Greenwood's se is 0·∞: se and limits are missing, as in R. One person, or a group of one, is a curve
    of one step. Where nobody is at risk for a while (delayed entry) the curve stays level; once everyone at risk has
    left it is 0, whoever enters later. Times closer than 1.5e-8 (absolute, or relative to the mean) are ties, as in R.

    R: ``survfit(Surv(entry, time, event) ~ group, weights = weights, cluster = cluster, conf.type = "log-log")``.
    Largest difference seen over tests/golden: 3e-12 (weighted counts), 4e-15 (the rest).

    Examples
    --------
    >>> kaplan_meier([6, 12, 12, 24], [1, 1, 0, 0])[["time", "n_risk", "survival"]].to_numpy().tolist()
    [[6.0, 4.0, 0.75], [12.0, 3.0, 0.5], [24.0, 1.0, 0.5]]
    """
    persons = sample(time, event, entry=entry, weights=weights, cluster=cluster, group=group, cause_name="event")
    counts = risk_sets(persons)
    d, n = counts.all_events.astype(float), counts.n_risk.astype(float)
    staying, hazard = n - d, divide(d, n)
    survival = counts.along(np.cumprod, divide(staying, n))
    cumulative = counts.along(np.cumsum, hazard)
    if persons.robust:
        se = survival * np.sqrt(hazard_influence(persons, counts, staying))
        hazard_se = np.sqrt(hazard_influence(persons, counts, n))
    else:
        greenwood, variance = (counts.along(np.cumsum, divide(hazard, x)) for x in (staying, n))
        se, hazard_se = (np.sqrt(x, out=x) for x in (greenwood, variance))
        se *= survival
        se[survival == 0] = np.nan
    lower, upper = survival_limits(survival, se, conf_level, conf_type)
    columns = {
        "time": counts.time,
        "n_risk": counts.n_risk,
        "n_event": counts.all_events,
        "n_censor": counts.n_censor,
        "survival": survival,
        "se": se,
        "lower": lower,
        "upper": upper,
        "cumulative_hazard": cumulative,
        "cumulative_hazard_se": hazard_se,
    }
    return with_groups(columns, persons, counts.group)


def quantiles(curve: pd.DataFrame, p: Sequence[float] = (0.25, 0.5, 0.75)) -> pd.DataFrame:
    """Times by which a share p has left, with limits.

    Parameters
    ----------
    curve : DataFrame
        What `kaplan_meier` returned, with or without groups.
    p : sequence of float
        Shares in 0–1: 0.5 asks for the median.

    Returns
    -------
    DataFrame
        p, quantile, lower, upper, in the unit of time (missing where the curve does not come down to 1 − p), with
        `group` first where the curve has it.

    Notes
    -----
    The first t with S(t) ≤ 1 − p; where S is flat exactly at 1 − p (to 1.5e-8), the mid-point of the step. The limits
    are the same, read on the limits of the curve (Brookmeyer & Crowley 1982). R: ``quantile(survfit(…), p)``; equal.

    Examples
    --------
    >>> quantiles(kaplan_meier([6, 12, 12, 24], [1, 1, 0, 0]), p=[0.25, 0.3])["quantile"].tolist()
    [9.0, 12.0]
    """
    shares = times("p", list(p))
    if (shares > 1).any():
        raise ValueError(f"p: {int((shares > 1).sum())} of {len(shares)} values are above 1")
    if "group" in curve:
        parts = curve.groupby("group", observed=True, sort=False)
        tables = [(label, quantiles(rows.drop(columns="group"), p)) for label, rows in parts]
        for label, table in tables:
            table.insert(0, "group", label)
        return pd.concat([table for _, table in tables], ignore_index=True)
    at = curve["time"].to_numpy(float)
    columns = {"quantile": "survival", "lower": "lower", "upper": "upper"}
    read = {name: crossing(at, 1 - curve[column].to_numpy(float), shares) for name, column in columns.items()}
    return pd.DataFrame({"p": shares, **read})


def crossing(time: Floats, share_left: Floats, p: Floats) -> Floats:
    """Where the share that has left reaches each p (R's rule)."""
    time, share_left = np.append(0.0, time), np.append(0.0, share_left)
    known = ~np.isnan(share_left)
    # Only the start of each flat step matters: its end is where the next one starts.
    start = known & np.append(True, share_left[1:] != share_left[:-1])
    at, level = time[start], share_left[start]
    # With delayed entry a limit may come back: the first crossing counts.
    level = np.maximum.accumulate(level)
    result = np.full(len(p), np.nan)
    for i, share in enumerate(p):
        if share == 0:
            result[i] = 0.0
            continue
        reached = np.flatnonzero(level + TIE >= share)
        passed = np.flatnonzero(level - TIE >= share)
        if not len(reached):
            continue
        if len(passed):
            result[i] = (at[reached[0]] + at[passed[0]]) / 2
        elif known[-1] and abs(share_left[-1] - share) < TIE:
            result[i] = (at[reached[0]] + time[-1]) / 2
    return result


# ----------------------------------------------------------------------------------------------------
# Restricted mean: months spent, on average, before the event within a horizon; and its contrast between two groups.
#
# μ(τ) = ∫₀^τ S(t) dt, from `kaplan_meier`'s curve, which stays flat after its last time. Compared with R's
# `summary(survfit, rmean = τ)` and survRM2 in tests/golden/test_rmst.py.


def means(persons: Sample, counts: RiskSets, horizon: float) -> tuple[Floats, Floats, Floats]:
    """Per group μ(τ) and its model variance; per person the weighted influence on μ of the person's group."""
    if not (np.isfinite(horizon) and horizon > 0):
        raise ValueError(f"horizon: 1 value, {horizon}, is not a positive number")
    time, n, d = np.minimum(counts.time, horizon), counts.n_risk, counts.n_event.sum(axis=0)
    survival = survival_of(counts)
    first, last = counts.bounds[:-1], counts.bounds[1:] - 1
    width = counts.before(time, 0.0)
    upto = counts.along(np.cumsum, (time - width) * counts.before(survival, 1.0))  # ∫₀^t S
    mean = upto[last] + survival[last] * (horizon - time[last])
    area = mean[counts.group] - upto  # A(t): ∫_t^τ S
    inside = counts.time <= horizon

    loss = np.where(inside, area * divide(np.ones_like(area), n - d), 0.0)
    share = loss * divide(d, n)
    variance = np.add.reduceat(np.where(inside, area**2 * divide(d, n * (n - d)), 0.0), first)
    total = counts.along(np.cumsum, share)
    spent = total[counts.ends] - counts.before(total, 0.0)[counts.enters]
    own = np.where(persons.cause > 0, loss[counts.ends], 0.0)
    return mean, variance, persons.weights * (spent - own)


def restricted_mean(
    time: ArrayLike,
    event: ArrayLike,
    horizon: float,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    group: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Mean time before the event, within a horizon.

    Parameters
    ----------
    time : array of shape (n,)
        When the person left or was censored, in months (or any unit), from 0 up.
    event : array of shape (n,)
        0 = censored, 1 = the event.
    horizon : float
        τ, in the unit of time. Beyond a group's last time the curve is taken as flat, as in R: see the numbers at risk.
    entry, weights, cluster, group : arrays of shape (n,), optional
        As in `kaplan_meier`.
    conf_level : float
        Of the limits, mean ± z se.

    Returns
    -------
    DataFrame
        One row (a group): horizon, mean, se, lower, upper, in the unit of time; `group` first where given.

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time not after its entry, a horizon that is not positive.

    Notes
    -----
    se² = Σ_{t≤τ} A(t)² d/(n(n − d)), A(t) = ∫_t^τ S (Klein & Moeschberger 2003, 4.5); with `cluster`, or weights that
    are not whole numbers, the infinitesimal jackknife. No event, or everyone censored: τ, se 0; one person who leaves:
    their time, se 0. After S = 0 nothing is added. R: ``summary(survfit(…), rmean = tau)``, ``survRM2::rmst2``.
    Largest difference seen over tests/golden: 8e-14 (the jackknife is not in them).

    Examples
    --------
    >>> restricted_mean([6, 12, 12, 24], [1, 1, 0, 0], 12)["mean"].tolist()
    [10.5]
    """
    persons = sample(time, event, entry=entry, weights=weights, cluster=cluster, group=group, cause_name="event")
    mean, variance, influence = means(persons, risk_sets(persons), horizon)
    if persons.robust:
        variance = np.zeros(persons.n_groups)
        for g in range(persons.n_groups):
            only = np.where(persons.group == g, influence, 0.0)[:, None]
            variance[g] = (cluster_sums(only, persons.cluster) ** 2).sum()
    se, z = np.sqrt(variance), normal_quantile(conf_level)
    columns = {"horizon": float(horizon), "mean": mean, "se": se, "lower": mean - z * se, "upper": mean + z * se}
    first = {} if persons.levels is None else {"group": persons.levels}
    return pd.DataFrame({**first, **columns})


def restricted_mean_difference(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    horizon: float,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Difference and ratio of two groups' restricted means: the second label, in sorted order, against the first.

    Parameters
    ----------
    time, event, horizon, entry, weights, cluster
        As in `restricted_mean`. A cluster may have members in both groups: the covariance is counted.
    group : array of shape (n,)
        Two labels.
    conf_level : float

    Returns
    -------
    DataFrame
        Rows `difference` and `ratio`: measure, estimate, se (of the ratio: of its logarithm), lower, upper, p_value
        (two-sided, of a difference of 0 or a ratio of 1).

    Raises
    ------
    ValueError
        As `restricted_mean`, and for a number of groups that is not 2.

    Notes
    -----
    Delta method on log for the ratio (Uno et al. 2014). R: ``survRM2::rmst2(time, event, arm, tau)``. Largest
    difference seen over tests/golden: 8e-15.

    Examples
    --------
    >>> table = restricted_mean_difference([6, 12, 3, 12], [1, 0, 1, 0], ["a", "a", "b", "b"], 12)
    >>> table["estimate"].round(4).tolist()
    [-1.5, 0.8333]
    """
    persons = sample(time, event, entry=entry, weights=weights, cluster=cluster, group=group, cause_name="event")
    if persons.n_groups != 2:
        raise ValueError(f"group: {persons.n_groups} labels, 2 expected")
    mean, variance, influence = means(persons, risk_sets(persons), horizon)
    z, rows = normal_quantile(conf_level), []
    for measure, estimate, slope in (
        ("difference", mean[1] - mean[0], np.array([-1.0, 1.0])),
        ("ratio", np.log(mean[1] / mean[0]), np.array([-1.0, 1.0]) / mean),
    ):
        if persons.robust:
            spread = (cluster_sums((influence * slope[persons.group])[:, None], persons.cluster) ** 2).sum()
        else:
            spread = (slope**2 * variance).sum()
        se = float(np.sqrt(spread))
        p = 2 * NormalDist().cdf(-abs(estimate) / se) if se > 0 else float(estimate == 0)
        values = (estimate, estimate - z * se, estimate + z * se)
        shown = values if measure == "difference" else tuple(np.exp(v) for v in values)
        rows.append((measure, shown[0], se, shown[1], shown[2], p))
    return pd.DataFrame(rows, columns=["measure", "estimate", "se", "lower", "upper", "p_value"])
