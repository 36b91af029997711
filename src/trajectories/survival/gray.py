"""Gray's test: do k groups share one cumulative incidence of a cause?

Written from the formulas of Gray (1988) as R's cmprsk applies them to tied times. A test of the cause's
subdistribution hazard: whoever left for another cause stays in its risk set, there in proportion to R/S(t−) (the
persons at risk over the group's all-cause survival). Compared with `cuminc` in tests/golden/test_gray.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trajectories.survival.checks import Floats, Integers, labels, sample
from trajectories.survival.kaplan_meier import divide
from trajectories.survival.limits import chi2_tail
from trajectories.survival.logrank import quadratic_form
from trajectories.survival.risk import RiskSets, risk_sets

CELLS = 1 << 20  # groups × groups × times held at once: times are walked in blocks of so many cells


def gray_test(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    rho: float = 0.0,
) -> pd.DataFrame:
    """Tests, for each cause, that k groups have the same cumulative incidence.

    Parameters
    ----------
    time : array of shape (n,)
        When the person left or was censored, in months (or any unit), from 0 up. There is no delayed entry: the test
        needs everyone from time 0.
    cause : array of shape (n,)
        0 = censored, k ≥ 1 = left for cause k.
    group : array of shape (n,)
        Labels of the groups compared.
    strata : array of shape (n,), optional
        Labels: groups are compared within each stratum. A group may be absent from some.
    rho : float
        Weight (1 − F(t−))^ρ, F the pooled incidence of the stratum.

    Returns
    -------
    DataFrame
        A row per cause seen in the whole sample (1 if none was): cause, statistic, df, p_value. df is the rank of the
        covariance: the groups less one, fewer where a group adds nothing (censored before any event, or alone in
        its stratum).

    Raises
    ------
    ValueError
        For a missing value, a negative time, a cause that is no whole number from 0 up, a rho that is no number.

    Notes
    -----
    With h_i = R_i/S_i(t−), h = Σh_i, and dF = dN/h the pooled increment of incidence, the score of group i is
    Σ W (dN_i − dN h_i(1 − F_i(t−)) / Σ_r h_r(1 − F_r(t−))). Its covariance is Gray's (1988, p. 1147): increments
    of independent martingales of the cause and of the other causes in each group, with the variance of tied events
    reduced as cmprsk does. The statistic is xᵀ V⁻ x, chi-square if the null is true.

    With no competing cause the score is that of the log-rank test (rho 0); the variance is another estimate of the
    same limit. No event, or one group: statistic 0, p 1. A group contributes while it has persons at risk; one that
    runs empty early is compared until then. Two numbers of cmprsk that have no meaning in tiny groups are bounded: a
    factor of ties below 0 is taken as 0, and a pooled incidence above 1 (possible once groups have run empty) as 1.

    R: ``cuminc(time, cause, group, strata = strata, rho = rho, cencode = 0)$Tests``; it gives no p-value where the
    rank is not groups − 1. Largest difference seen over tests/golden: 2e-13 (statistic).

    Examples
    --------
    >>> table = gray_test([5, 8, 12, 3, 4, 6, 7, 9], [1, 2, 0, 1, 1, 1, 2, 0], list("aaaabbbb"))
    >>> table[["cause", "df"]].to_numpy().tolist(), table["statistic"].round(4).tolist()
    ([[1, 1], [2, 1]], [0.0296, 0.0084])
    """
    if not np.isfinite(rho):
        raise ValueError(f"rho: 1 value, {rho}, is not a finite number")
    persons = sample(time, cause, group=strata)
    codes, levels = labels("group", group, len(persons.time))
    counts = risk_sets(persons)
    tests = [CauseTest.of(len(levels), kind, rho) for kind in counts.causes]
    for stratum in range(persons.n_groups):
        members = np.flatnonzero(persons.group == stratum)
        first, last = counts.bounds[stratum], counts.bounds[stratum + 1]
        walk(tests, counts, first, last, counts.ends[members] - first, codes[members], persons.cause[members])
    rows = []
    for test in tests:
        statistic, df = quadratic_form(test.score, test.covariance)
        rows.append((int(test.kind), statistic, df, float(chi2_tail(statistic, df))))
    return pd.DataFrame(rows, columns=["cause", "statistic", "df", "p_value"])


@dataclass
class Block:
    """Successive event times of a stratum: groups × times, what all causes share."""

    events: Floats  # causes × groups × times
    left: Floats  # all causes: groups × times
    at_risk: Floats
    before: Floats  # the all-cause survival of each group at t−
    after: Floats  # and at t


def walk(
    tests: list[CauseTest],
    counts: RiskSets,
    first: int,
    last: int,
    row: Integers,
    codes: Integers,
    cause: Integers,
) -> None:
    """Adds one stratum to the tests of all causes. Its rows of `counts` are first:last, `row` counts from first."""
    k = tests[0].groups
    event_row = counts.n_event[:, first:last].sum(axis=0) > 0
    n_times = int(event_row.sum())
    upto = np.cumsum(event_row)[row]  # a person is at risk at the event times 0 … upto − 1
    order = np.argsort(upto, kind="stable")
    upto, codes, cause = upto[order], codes[order], cause[order]
    width = max(CELLS // k**2, 1)
    at_risk = np.bincount(codes, minlength=k).astype(float)
    survival = np.ones(k)
    for test in tests:
        test.begin()
    for start in range(0, n_times, width):
        size = min(width, n_times - start)
        # Whoever ends before the next event time: at `upto` = start … start + size − 1 the person is no longer at risk.
        a, b, c = np.searchsorted(upto, [start, start + size, start + size + 1])
        gone = np.bincount(codes[a:b] * size + upto[a:b] - start, minlength=k * size).reshape(k, size)
        # Events of the block's times have upto = start + 1 … start + size.
        a = np.searchsorted(upto, start + 1)
        g, u, kind = codes[a:c], upto[a:c] - start - 1, cause[a:c]
        at = [kind == test.kind for test in tests]
        events = np.stack([np.bincount(g[x] * size + u[x], minlength=k * size).reshape(k, size) for x in at])
        risk = at_risk[:, None] - np.cumsum(gone, axis=1)
        left = events.sum(axis=0).astype(float)
        after = survival[:, None] * np.cumprod(np.where(risk > 0, divide(risk - left, risk), 1.0), axis=1)
        before = np.column_stack([survival, after[:, :-1]])
        block = Block(events.astype(float), left, risk, before, after)
        for j, test in enumerate(tests):
            test.add(block, j)
        at_risk, survival = risk[:, -1], after[:, -1]
    for test in tests:
        test.end()


def tie_factor(events: Floats, at_risk: Floats) -> Floats:
    """1 − (d − 1)/(n − 1) for d ≥ 1, at least 0: how much less d tied events vary than d events of their own."""
    return np.maximum(1 - (events - 1) / np.maximum(at_risk - 1, 1e-300), 0.0)


@dataclass
class CauseTest:
    """Score and covariance of one cause, k groups, added over strata; and where the walk over times stands.

    The covariance of a stratum is Σ_t Σ_g w (x + c(τ)u)(x + c(τ)u)ᵀ over times t and groups g, where the vector
    c(τ), the value at the last time of a running sum, is known only at the end. So three sums are kept: of w x xᵀ, of
    w u x for each g, of w u² for each g.
    """

    kind: int
    groups: int
    rho: float
    score: Floats
    covariance: Floats

    @classmethod
    def of(cls, groups: int, kind: int, rho: float) -> CauseTest:
        return cls(kind, groups, rho, np.zeros(groups), np.zeros((groups, groups)))

    def begin(self) -> None:
        k = self.groups
        self.incidence = np.zeros(k)  # of each group
        self.pooled = 0.0
        self.running = np.zeros((k, k))  # c: row g is the vector of group g
        self.mixed = np.zeros((k, k))
        self.squares = np.zeros(k)

    def add(self, block: Block, j: int) -> None:
        """The event times of one block. Times at which others only leave change the survival, and add their part."""
        own, risk, before, after = block.events[j], block.at_risk, block.before, block.after
        n_own = own.sum(axis=0)
        h = divide(risk, before)
        total = h.sum(axis=0)
        later = self.incidence[:, None] + np.cumsum(before * divide(own, risk), axis=1)
        earlier = np.column_stack([self.incidence, later[:, :-1]])
        pooled = self.pooled + np.cumsum(divide(n_own, total))
        free = np.maximum(1 - np.append(self.pooled, pooled[:-1]), 0.0)  # 1 − F(t−)
        ahead = np.maximum(1 - pooled, 0.0)  # 1 − F(t)
        # Where the pooled incidence has reached 1 the weight is 0, also for a negative ρ.
        weight = np.where((free > 0) | (self.rho >= 0), free, np.inf) ** self.rho
        expected = h * (1 - earlier)
        self.score += (weight * (own - n_own * divide(expected, expected.sum(axis=0)))).sum(axis=1)

        when = np.flatnonzero(n_own)  # the times of this cause
        hw, d = h[:, when], n_own[when]
        share = hw / total[when]
        a = -(hw * weight[when])[:, :, None] * share.T[None, :, :]  # group g × time × group i
        diagonal = np.arange(self.groups)
        a[diagonal, :, diagonal] += hw * weight[when]
        c = self.running[:, None, :] + np.cumsum(a * divide(d, total[when] * free[when])[None, :, None], axis=1)
        scale = np.where(after[:, when] > 0, 1 - divide(ahead[when], after[:, when]), 1.0)
        ties = tie_factor(d, total[when] * before[:, when])
        w = ties * before[:, when] * divide(d, total[when] * risk[:, when])
        x = a - scale[:, :, None] * c
        self.gather(x, scale, w)

        # The other causes, where a group loses someone to them and is not emptied.
        other_causes = block.left - own
        g, t = np.nonzero((other_causes > 0) & (after > 0))
        c = np.concatenate([self.running[:, None, :], c], axis=1)
        reached = np.searchsorted(when, t, side="right")
        lost, n = other_causes[g, t], risk[g, t]
        w = tie_factor(lost, n) * before[g, t] ** 2 * lost / n**2
        scale = divide(ahead[t], after[g, t])
        x = -scale[:, None] * c[g, reached]
        self.covariance += (x * w[:, None]).T @ x
        self.squares += np.bincount(g, w * scale**2, self.groups)
        for i in range(self.groups):
            self.mixed[:, i] += np.bincount(g, w * scale * x[:, i], self.groups)

        self.running = c[:, -1]
        self.incidence, self.pooled = later[:, -1], float(pooled[-1])

    def gather(self, x: Floats, u: Floats, w: Floats) -> None:
        """Adds x (groups × times × groups), u and w (groups × times) to the three sums."""
        flat = (x * np.sqrt(w)[:, :, None]).reshape(-1, self.groups)
        self.covariance += flat.T @ flat
        self.mixed += np.einsum("gt,gti->gi", u * w, x)
        self.squares += (u**2 * w).sum(axis=1)

    def end(self) -> None:
        """Closes a stratum: c(τ) is known."""
        c, cross = self.running, self.running.T @ self.mixed
        self.covariance += cross + cross.T + (c * self.squares[:, None]).T @ c
