"""The infinitesimal jackknife: standard errors from each person's, or each household's, influence on a curve.

The influence of person i on a curve, at row t, is here always a linear form Σ_j c_ij z_j(t) whose coefficients c_ij
are 0 before entry, one vector while at risk, and another one once ended. So the sum over clusters of squared influence
is z(t)ᵀ M(t) z(t), where M changes only when somebody enters or ends: O(n) instead of a matrix of persons × times.
Reference: Therneau & Grambsch (2000), ch. 2 and 7; Efron (1982), ch. 6. No small-sample factor, as in R's `survfit`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trajectories.survival.checks import Floats, Integers, Sample
from trajectories.survival.risk import RiskSets


def influence_variance(
    persons: Sample, counts: RiskSets, at_risk: Sequence[Floats], after: Sequence[Floats], basis: Sequence[Floats]
) -> Floats:
    """Σ over clusters of (Σ w_i influence_i(t))², at each row.

    Parameters
    ----------
    persons, counts : the sample and its risk sets
    at_risk, after : m arrays of shape (n,)
        Coefficients of each person's influence while at risk, and from the row where the person ends.
    basis : m arrays of shape (rows,)
        The functions of time that the coefficients multiply.
    """
    each_person = np.arange(len(persons.time))
    cluster = each_person if persons.cluster is None else persons.cluster
    # A household with members in two groups is a cluster of each curve.
    cluster = persons.group * (cluster.max() + 1) + cluster
    row = np.concatenate([counts.enters, counts.ends])
    order = np.lexsort((row, np.tile(cluster, 2)))
    row, owner = row[order], np.tile(cluster, 2)[order]
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    m = len(basis)

    later = np.empty((m, len(row)))
    for j in range(m):
        change = np.concatenate([persons.weights * at_risk[j], persons.weights * (after[j] - at_risk[j])])[order]
        later[j] = running(change, first)
    earlier = np.zeros_like(later)
    earlier[:, 1:] = later[:, :-1]
    earlier[:, first] = 0.0

    total = np.zeros(len(counts.time))
    for j in range(m):
        for k in range(j, m):
            change = later[j] * later[k] - earlier[j] * earlier[k]
            product = counts.along(np.cumsum, np.bincount(row, change, len(total)))
            total += (1 if j == k else 2) * product * basis[j] * basis[k]
    return np.maximum(total, 0.0)  # a variance of 0 may come out as −1e-20


def running(change: Floats, first: np.ndarray) -> Floats:
    """Cumulative sums that start again where `first` is True."""
    sums = np.cumsum(change)
    starts = np.flatnonzero(first)
    base = sums[starts] - change[starts]
    return sums - np.repeat(base, np.diff(np.append(starts, len(change))))


def cluster_sums(values: Floats, cluster: Integers | None) -> Floats:
    """Rows of `values` (n × k) added within clusters; as they are where there is none."""
    if cluster is None:
        return values
    size = cluster.max() + 1
    return np.column_stack([np.bincount(cluster, column, size) for column in values.T])
