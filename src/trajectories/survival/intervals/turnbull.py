"""Turnbull's estimator: the distribution of exits known to lie in intervals, by maximum likelihood.

The reduced problem is in `turnbull_support.py`, the maximisation in `turnbull_fit.py`. Compared with a solution to
machine precision and with R's `survfit` in tests/golden/test_turnbull.py, with surpyval in test_second_reference.py.
With delayed entry or competing causes: `interval_incidence`, on whole months.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats
from trajectories.survival.intervals.turnbull_fit import Likelihood, Maximum, Point, maximise
from trajectories.survival.intervals.turnbull_support import Support, intervals, supports


def turnbull(
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> pd.DataFrame:
    """Non-parametric maximum likelihood estimate of a distribution known by intervals.

    Parameters
    ----------
    lower, upper : arrays of shape (n,)
        Months (or any unit), from 0 up. The person left in (lower, upper]; upper = inf: had not left at `lower`
        (right-censored); lower = upper: left then exactly.
    weights : array of shape (n,), optional
        From 0 up; a weight of 0 leaves the person out.
    group : array of shape (n,), optional
        Labels; a fit each, and a first column `group`.

    Returns
    -------
    DataFrame
        left, right, mass, survival_after: a row per interval (left, right] with mass, in order; left = right: the mass
        is at that time; right = inf: the share not known to leave. survival_after is S at `right` (0 at inf). Masses
        sum to 1 in a group. A group whose weights are all 0 has no row.

    Raises
    ------
    ValueError
        For a missing or negative value, an infinite `lower`, upper < lower, an infinite weight.
    ArithmeticError
        If the conditions below are not reached (not seen; more than 3,000 distinct exact times could).

    Notes
    -----
    Maximises Σ w log P(lower < T ≤ upper) over all distributions (Peto 1973; Turnbull 1976) by an active-set Newton
    method (Wang 2007, with exact quadratic steps), from 300 candidate intervals on started by EM–ICM, and EM–ICM alone
    (Wellner & Zhan 1997) where more than 500 are active. It ends at the Kuhn–Tucker conditions (Gentleman & Geyer
    1994): `kuhn_tucker_gap` is at most 1e-13, or 1e-11 where more than 500 are active; 1e-9 is promised. No variance:
    the usual one does not hold where intervals shrink; resample (`bootstrap`).

    Within an interval the data do not say where the mass is: S is determined outside the intervals only. The masses
    themselves are unique: the persons' probabilities are (the likelihood is strictly concave in them), and since every
    candidate interval ends where some person's does, S at each of these ends follows from S at earlier ones.

    Exits at 0 and persons censored at 0: exits come first, as for `kaplan_meier`, which exact and right-censored data
    give. Times closer than 1.5e-8 are one time (risk.py), so an interval shorter than that is exact. Everyone censored:
    one row, (last censoring, inf]. One person, or all the same: one row. Disjoint intervals share the weight. An exact
    time t lies in (l, t] and not in (t, r].

    R: ``survfit(Surv(lower, upper, type = "interval2") ~ group, weights = weights)``, whose EM stops early and prints
    the jump of an interval at one point inside it. Largest difference seen over tests/golden: 5e-15 on masses from a
    solution to machine precision, 1.1e-3 on S from `survfit`, 8e-12 on S from surpyval 0.25.

    Examples
    --------
    >>> turnbull([0, 2, 3, 5], [3, 4, 6, np.inf])[["left", "right", "mass"]].round(6).to_numpy().tolist()
    [[2.0, 3.0, 0.5], [5.0, 6.0, 0.5]]
    """
    given = intervals(lower, upper, weights, group)
    fits = [(one, maximise(one)) for one in supports(given)]
    parts = [rows(one, fit, given.time) for one, fit in fits]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if given.levels is None:
        return pd.DataFrame(columns)
    labels = np.repeat(given.levels, [len(part["mass"]) for part in parts])
    return pd.DataFrame({"group": labels, **columns})


def rows(one: Support, fit: Maximum, time: Floats) -> dict[str, Floats]:
    """The columns of one group."""
    on = fit.mass > 0
    mass, ends = fit.mass[on], np.append(time, np.inf)
    # Summed from the end: where S is nearly 0 it keeps its digits, and the last is 0.
    after = np.append(np.cumsum(mass[::-1])[::-1][1:], 0.0)[: len(mass)]
    return {"left": ends[one.left[on]], "right": ends[one.right[on]], "mass": mass, "survival_after": after}


def turnbull_log_likelihood(
    lower: ArrayLike,
    upper: ArrayLike,
    table: pd.DataFrame,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> float:
    """Σ w log P(lower < T ≤ upper) under a table that `turnbull` made, summed over groups.

    Parameters
    ----------
    lower, upper, weights, group : arrays of shape (n,)
        As given to `turnbull`.
    table : DataFrame
        What it returned; other masses on the same intervals may be tried. Groups must be in both or in neither.

    Returns
    -------
    float
        −inf where a person has probability 0.

    Raises
    ------
    ValueError
        As `turnbull`, and if a row of the table is no innermost interval of these data.

    Notes
    -----
    Largest difference seen over tests/golden, from R: 4e-12.

    Examples
    --------
    >>> lower, upper = [0, 2, 3, 5], [3, 4, 6, np.inf]
    >>> round(turnbull_log_likelihood(lower, upper, turnbull(lower, upper)), 6)
    -2.772589
    """
    return float(sum(weight * point.value for weight, point in points(lower, upper, table, weights, group)))


def kuhn_tucker_gap(
    lower: ArrayLike,
    upper: ArrayLike,
    table: pd.DataFrame,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> float:
    """How far a table is from the maximum: max_j D_j / Σw − 1, the largest over groups.

    Parameters
    ----------
    lower, upper, table, weights, group
        As for `turnbull_log_likelihood`.

    Returns
    -------
    float
        D_j = Σ w/P(lower < T ≤ upper) over the persons whose interval holds candidate interval j, zero mass or not. The
        log-likelihood is at most Σw times this below its maximum (Gentleman & Geyer 1994); inf where a person has
        probability 0.

    Raises
    ------
    ValueError
        As `turnbull_log_likelihood`.

    Examples
    --------
    >>> lower, upper = [0, 2, 3, 5], [3, 4, 6, np.inf]
    >>> kuhn_tucker_gap(lower, upper, turnbull(lower, upper)) < 1e-12
    True
    """
    return max(point.gap for _, point in points(lower, upper, table, weights, group))


def points(
    lower: ArrayLike, upper: ArrayLike, table: pd.DataFrame, weights: ArrayLike | None, group: ArrayLike | None
) -> list[tuple[float, Point]]:
    """Sum of weights and masses of each group, read back from a table."""
    given = intervals(lower, upper, weights, group)
    if ("group" in table) != (given.levels is not None):
        raise ValueError("group: given for the data or in the table, but not in both")
    ends, found, result = np.append(given.time, np.inf), 0, []
    for g, one in enumerate(supports(given)):
        if not len(one.left):
            continue
        part = table if given.levels is None else table[table["group"] == given.levels[g]]
        left, right, at = ends[one.left], ends[one.right], part["right"].to_numpy(float)
        place = np.minimum(np.searchsorted(right, at), len(right) - 1)  # right ends all differ
        known = (right[place] == at) & (left[place] == part["left"].to_numpy(float))
        found += int(known.sum())
        mass = np.zeros(len(right))
        mass[place[known]] = part["mass"].to_numpy(float)[known]
        result.append((float(one.weights.sum()), Likelihood(one).at(mass)))
    if found < len(table):
        raise ValueError(f"table: {len(table) - found} of {len(table)} rows are no innermost intervals of these data")
    return result
