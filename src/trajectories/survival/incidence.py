"""Cumulative incidence of competing causes (Aalen–Johansen), with delayed entry.

F_k(t) = Σ_{u≤t} S(u−) d_k(u)/n(u). Compared with R's etm, cmprsk and survival in tests/golden/test_aj.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.checks import Floats, Sample, one_of, sample
from trajectories.survival.jackknife import influence_variance
from trajectories.survival.kaplan_meier import divide, survival_of
from trajectories.survival.limits import incidence_limits
from trajectories.survival.risk import RiskSets, Steps, risk_sets, with_groups

ROUNDING = 1e-12
VARIANCES = ("greenwood", "aalen", "jackknife")


def cumulative_incidence(
    time: ArrayLike,
    cause: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    group: ArrayLike | None = None,
    variance: str = "greenwood",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Probability of having left for each cause by t.

    Parameters
    ----------
    time : array of shape (n,)
        When the person left or was censored, in months (or any unit), from 0 up.
    cause : array of shape (n,)
        0 = censored, k ≥ 1 = left for cause k.
    entry, weights, cluster, group : arrays of shape (n,), optional
        As in `kaplan_meier`.
    variance : {"greenwood", "aalen", "jackknife"}
        With `cluster`, or weights that are not whole numbers, the jackknife whatever is asked.
    conf_level : float
        Of the limits, log-log of 1 − F.

    Returns
    -------
    DataFrame
        A row per cause and time where anything ends: cause, time, n_risk, n_event (of the cause), incidence (0–1), se,
        lower, upper; `group` first where given. The causes are those seen in the whole sample (1 if none was).

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time not after its entry, an unknown `variance`.

    Notes
    -----
    Aalen & Johansen (1978). Variances: `greenwood`, multinomial increments (Andersen et al. 1993, IV.4; R's etm);
    `aalen`, independent causes with the tie correction d(n − d)/(n − 1) (Aalen 1978; R's cuminc); `jackknife`, the
    sum over persons or clusters of squared influence (R's survfit). At F = 0, se and limits are 0;
    at F = 1 the se is 0 and limits are missing. Once everyone at risk has left, nobody who enters later adds to F. No
    event: cause 1, at 0. One person, or a group of one, is a curve of one step.

    R: ``etmCIF(Surv(entry, time, cause != 0) ~ group, etype = cause)``, ``cuminc(time, cause, group)``,
    ``survfit(Surv(entry, time, factor(cause)) ~ group, id = person, cluster = household)``. Largest difference seen
    over tests/golden: 1e-15 (weighted numbers at risk 3e-12).

    Examples
    --------
    >>> table = cumulative_incidence([6, 12, 18, 24], [1, 2, 1, 0])
    >>> table.query("time == 24")["incidence"].tolist()
    [0.5, 0.25]
    """
    one_of("variance", variance, VARIANCES)
    persons = sample(time, cause, entry=entry, weights=weights, cluster=cluster, group=group)
    counts = risk_sets(persons)
    kind = "jackknife" if persons.robust else variance
    survival = survival_of(counts)
    before = counts.before(survival, 1.0)
    shape = (len(counts.causes), len(counts.time))
    columns = {name: np.empty(shape) for name in ("incidence", "se", "lower", "upper")}
    n, out = counts.n_risk, counts.all_events
    lost = divide(out, n * (n - out)) if kind == "greenwood" else None

    for i, d in enumerate(counts.n_event):
        steps = counts.steps(d > 0)  # between them neither the incidence nor its variance moves
        share = divide(d[steps.at].astype(float), n[steps.at])
        incidence = steps.along(np.cumsum, before[steps.at] * share)
        incidence[incidence > 1 - ROUNDING] = 1.0  # a sum of shares may be 1 − 1e-16
        if kind == "jackknife":
            everywhere = steps.carried(incidence)
            spread = jackknife_variance(persons, counts, int(counts.causes[i]), d, everywhere, before)[steps.at]
        elif lost is not None:
            spread = greenwood_variance(counts, steps, share, incidence, before, lost)
        else:
            spread = aalen_variance(counts, steps, d, incidence, survival, before)
        se = np.sqrt(np.maximum(spread, 0.0))
        se[(incidence == 0) | (incidence == 1)] = 0.0
        moving = (incidence, se, *incidence_limits(incidence, se, conf_level))
        for column, values in zip(columns.values(), moving, strict=True):
            steps.carried(values, out=column[i])
    fixed = {
        "cause": np.broadcast_to(counts.causes[:, None], shape),
        "time": np.broadcast_to(counts.time, shape),
        "n_risk": np.broadcast_to(counts.n_risk, shape),
        "n_event": counts.n_event,
    }
    return in_order(fixed | columns, persons, counts)


def in_order(columns: dict[str, NDArray], persons: Sample, counts: RiskSets) -> pd.DataFrame:
    """A table of causes × rows: group, then cause, then time."""
    group = np.broadcast_to(counts.group, (len(counts.causes), len(counts.time)))
    flat = {name: values.reshape(-1) for name, values in columns.items()}
    if persons.levels is None:
        return with_groups(flat, persons, group)
    order = np.argsort(group.reshape(-1), kind="stable")
    return with_groups({name: values[order] for name, values in flat.items()}, persons, group.reshape(-1)[order])


def moments(steps: Steps, level: Floats, a: Floats, b: Floats, c: Floats) -> Floats:
    """Σ_{u≤t} [a(u) − 2 b(u) D + c(u) D²] at each step t, with D = level(t) − level(u), by prefix sums.

    `a` and `b` are 0 but at the steps; `c`, of all rows, is added up from each step to the next, as D is one there.
    """
    c = np.add.reduceat(c, steps.at) if len(c) > len(level) else c

    def add(values: Floats) -> Floats:
        return steps.along(np.cumsum, values)

    weighted = c * level
    constant = add(a + level * (2 * b + weighted))
    slope = add(b + weighted)
    return constant + level * (level * add(c) - 2 * slope)


def greenwood_variance(
    counts: RiskSets, steps: Steps, share: Floats, incidence: Floats, before: Floats, lost: Floats
) -> Floats:
    """Σ_u gᵀ Cov(h) g with multinomial Cov, g_j = ∂F_k(t)/∂h_j(u) = 1{j=k} S(u−) − (F_k(t) − F_k(u))/(1 − h(u)).

    `lost` is d/(n(n − d)), d events of all causes.
    """
    level = before[steps.at]
    b = level * share / counts.n_risk[steps.at]
    return moments(steps, incidence, b * level * (1 - share), b, lost)


def aalen_variance(
    counts: RiskSets, steps: Steps, d: NDArray, incidence: Floats, survival: Floats, before: Floats
) -> Floats:
    """The same g, with causes independent and variance d(n − d)/(n − 1)/n² each (cuminc)."""
    n = counts.n_risk

    def spread(events: NDArray) -> Floats:
        # A single person at risk who leaves counts for 1, not for 0/0.
        return divide(events * np.where(n > 1, divide(n - events, n - 1), 1.0), n * n)

    ratio = divide(before, survival)  # 0 once S = 0: F moves no more
    a = before**2 * spread(d)
    b = before * ratio * spread(d)
    c = ratio**2 * (spread(d) + spread(counts.all_events - d))
    return moments(steps, incidence, a[steps.at], b[steps.at], c)


def jackknife_variance(
    persons: Sample, counts: RiskSets, cause: int, d: Floats, incidence: Floats, before: Floats
) -> Floats:
    """Σ over clusters of squared influence on F_k.

    With B(t) = Σ d/(n(n − d)), the influence on log S(u−) of somebody at risk since e is B(u−) − B(e), and a constant
    after the end; so that on F_k is a linear form in 1, F_k(t) and G(t) = Σ [B(u−) dF_k(u) − S(u−) d_k/n²].
    """
    n, out = counts.n_risk, counts.all_events
    total = counts.along(np.cumsum, divide(out, n * (n - out)))
    step = before * divide(d, n)
    total_before = counts.before(total, 0.0)
    drift = counts.along(np.cumsum, total_before * step - divide(step, n))

    b0 = total_before[counts.enters]
    f0 = counts.before(incidence, 0.0)[counts.enters]
    g0 = counts.before(drift, 0.0)[counts.enters]
    at_risk = (b0 * f0 - g0, -b0, np.ones_like(b0))

    f1, g1 = incidence[counts.ends], drift[counts.ends]
    own = np.where(persons.cause > 0, divide(np.ones_like(total), n - out)[counts.ends], 0.0)
    slope = total[counts.ends] - b0 - own
    hit = np.where(persons.cause == cause, divide(before, n)[counts.ends], 0.0)
    value = at_risk[0] - b0 * f1 + g1 + hit
    after = (value - slope * f1, slope, np.zeros_like(b0))
    return influence_variance(persons, counts, at_risk, after, (np.ones_like(total), incidence, drift))
