"""Retention as it is reported, corrected for how it is reported: the main estimator.

Stays en région end unseen; scheduled contacts fail more for those who left, and news comes late or never. The
observation model (docs/observation-model.md) puts each channel into one likelihood: cells.py says what a stay's
contacts leave possible, observation_em.py fits, service_model.py adds services beside it. Here are the public function
and what is made of a fit: curves with household bootstrap limits, how departures become known, checks, draws, profiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.survival.ascertainment import FAILED, LEFT, PRESENT, Ascertained, ascertain
from trajectories.survival.cells import STATES, cells_of
from trajectories.survival.checks import Floats, Integers, labels, normal_quantile, weights_of
from trajectories.survival.interval import at_or_after, bootstrap_limits
from trajectories.survival.observation_checks import checks_of, notes_of
from trajectories.survival.observation_em import (
    DELAYS,
    Assumed,
    Fit,
    ObservationEM,
    Parameters,
    Weights,
    delay_class,
    fit,
    joined,
    weigh,
)
from trajectories.survival.service_model import ServiceEM

# Hazards are constant between these months: by month, a third of them would be 0, and S moves by 0.001 at most.
PIECES = (1, 3, 6, 9, 12, 18, 24, 36, 48, 60)
TOLERANCE = 1e-6  # no incidence moves by more in a cycle of three EM steps
REPLICATE_TOLERANCE = 1e-5
REPLICATE_STEPS = 600
STARTS = 3  # perturbed ones, beside the plain one
AT_ONCE = 24  # replicates fitted side by side: their arrays stay in the processor's cache
WORKERS = 2
LEARNT = 20  # exits found by a contact before any news, of a destination, for its hearing to be learnt
HEARSAY = 12  # months before a horizon in which exits must be known for hearsay to carry it


@dataclass(frozen=True)
class Reporting:
    """
    How departures become known, as one fit found it: what a group too small to learn it borrows from a larger one.

    Attributes
    ----------
    failure : array of shape (4, 1 + replicates), or None to be learnt
        The probability of a failed contact: of someone still there after no failure and after one, of someone gone.
    hearing : array of shape (causes, 6, 1 + replicates), or None to be learnt
        The hazard of being first heard of 0, 1, 2–3, 4–6, 7–12, 13 and more months after the exit.
    """

    failure: Floats | None
    hearing: Floats | None

    @classmethod
    def certain(cls, causes: int) -> Reporting:
        """Everybody who leaves is heard of in the same month."""
        return cls(None, np.concatenate([np.ones((causes, 1, 1)), np.zeros((causes, len(DELAYS) - 1, 1))], axis=1))

    def column(self, which: int, p: Parameters) -> Parameters:
        """The parameters with these in the place of its own: column 0 the estimate, then the replicates in turn."""

        def take(mine: Floats | None, own: Floats) -> Floats:
            if mine is None:
                return own
            replicates = mine.shape[-1] - 1
            place = 0 if which == 0 or not replicates else 1 + (which - 1) % replicates
            return np.broadcast_to(mine[..., place : place + 1], own.shape)

        return replace(p, failure=take(self.failure, p.failure), hearing=take(self.hearing, p.hearing))


@dataclass(frozen=True)
class ObservedCurve:
    """
    What `observed_incidence` returns.

    Attributes
    ----------
    table : DataFrame
        cause, month, n_risk, n_confirmed, incidence, se, lower, upper, known, percentile_lower, percentile_upper.
    contact_failure : DataFrame
        presence (there, gone), previous_failed, probability, se, lower, upper, n_failed (expected), n_attempts.
    hearing : DataFrame
        cause, month (since the exit), share (heard of by then), se, lower, upper.
    checks : DataFrame
        check, cause, period, value: what the fit rests on (observation_checks.py).
    notes : tuple of str
        A sentence for everything that a reader of the curve must know.
    log_likelihood : float
        Given entry, at the estimate.
    reporting : Reporting
        For a smaller group to borrow.
    """

    table: pd.DataFrame
    contact_failure: pd.DataFrame
    hearing: pd.DataFrame
    checks: pd.DataFrame
    notes: tuple[str, ...]
    log_likelihood: float
    reporting: Reporting
    path: tuple[float, ...] = field(repr=False)
    n_same_month: int = field(repr=False)
    _model: _Model = field(repr=False)

    def draw(self, m: int = 20, seed: int = 1) -> NDArray[np.int64]:
        """
        Each stay's month and cause, drawn from their distribution given all that is known of it.

        Parameters
        ----------
        m : int
            Number of draws.
        seed : int
            Of the draws.

        Returns
        -------
        int array of shape (m, n, 2)
            m arrays of (month, cause) in the order of the stays. Cause 0: still there in that month, the last in which
            anything is known. Somebody lost may be drawn to have left. A stay that cannot be used keeps its last month.

        Notes
        -----
        Draw k is made at the parameters of bootstrap replicate k (of the estimate where there are none), so that
        estimates joined by `pool` (Rubin's rules) carry the uncertainty of the model too.
        """
        return self._model.draw(m, np.random.default_rng(seed))

    def profile(self, month: int, conf_level: float = 0.95, design_effect: float | None = None) -> pd.Series:
        """
        Limits of S(month) by profile likelihood, divided by the design effect.

        Parameters
        ----------
        month : int
            From 1 to the last month of the table.
        conf_level : float
        design_effect : float, optional
            By how much the household bootstrap's variance exceeds that of independent persons; by default the ratio of
            the bootstrap variance to that which the curvature of the profile gives (1 without replicates).

        Returns
        -------
        Series
            month, estimate, lower, upper, design_effect.
        """
        row = self.table[self.table["cause"].eq(0) & self.table["month"].eq(month)]
        if not len(row):
            raise ValueError(f"month: 1 value, {month}, is not a month of the table")
        return self._model.profile(month, float(row["se"].iloc[0]), conf_level, design_effect)


def observed_incidence(
    contacts: pd.DataFrame,
    cutoff: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    services: bool = False,
    role: ArrayLike | None = None,
    causes: ArrayLike | None = None,
    pieces: ArrayLike | None = None,
    replicates: int = 0,
    seed: int = 1,
    conf_level: float = 0.95,
    support: int = 20,
    reporting: Reporting | None = None,
    odds_gone: float = 1.0,
    odds_heard: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
) -> ObservedCurve:
    """
    Cumulative incidence of exits that become known by contacts that fail and news that comes late or never.

    Parameters
    ----------
    contacts : DataFrame
        stay (position in `cutoff`), month, kind (`present`, `left`, `failed`: a scheduled contact and its outcome;
        `service`; `news`: of the departure, at the month it was filed), and optionally organisation, cause (k ≥ 1;
        0 or missing: unknown), departure_earliest, departure_latest (months; missing where not dated).
    cutoff : array of shape (n,)
        The month until which each stay could be heard of: the study's cut-off, death, or the last deposit of every
        organisation that could tell. What is dated later does not enter.
    entry : array of shape (n,), optional
        Delayed entry: the stay is in the sample because it lasted longer. What is dated at or before it does not enter.
    weights, cluster : arrays of shape (n,), optional
        Weights from 0 up; labels of households, resampled whole.
    services : bool
        The companion: services of a stay, and their silence, speak of presence too (service_model.py).
    role : array of shape (n,), optional
        Labels with their own rate of services (principal, spouse, child).
    causes : array of int, optional
        All the causes; by default those that occur.
    pieces : array of int, optional
        Months up to and including which hazards are constant; by default 1, 3, 6, 9, 12, 18, 24, 36, 48, 60.
    replicates, seed, conf_level
        Of the household bootstrap, from the fitted start; with 0, se and limits are missing.
    support : int
        Fewest stays found present at a month or later for it to be `observed`; fewest exits known in the 12 months
        before for it to be carried by `hearsay`.
    reporting : Reporting, optional
        Borrowed from a larger group; replicate k uses its replicate k.
    odds_gone, odds_heard
        Sensitivity: the odds of having left are multiplied so at each failed contact; the odds of being heard of, so in
        each month since the start (from month 0; the last value goes on).
    tolerance : float
        The fit has come to rest when no incidence moves by more in a cycle of three EM steps.

    Returns
    -------
    ObservedCurve
        `.table`: rows of cause 0 hold S = 1 − ΣF. n_risk: stays that have entered and are not known to have left;
        n_confirmed: stays found present by a contact at that month (to the nearest) or later; known: `observed`,
        `hearsay` or `insufficient`.

    Raises
    ------
    ValueError
        A missing or negative value, a cut-off before the entry, a stay, kind or cause that does not exist, half an
        interval of departure; the sentence names the argument and the count.

    Notes
    -----
    Observation model of the project (docs/observation-model.md), a composite likelihood of persons: limits come from
    resampling households only. No R function gives it; it reduces to the interval-censored, left-truncated,
    competing-risks NPMLE (`interval_incidence`), to Kaplan–Meier and Aalen–Johansen, as tests/golden shows.

    References
    ----------
    Turnbull 1976; Frydman 1994; Hudgens, Satten & Longini 2001; Pan & Chappell 1999; Kalbfleisch & Lawless 1989;
    Robins, Rotnitzky & Scharfstein 1999; Varadhan & Roland 2008.

    Examples
    --------
    >>> contacts = pd.DataFrame({"stay": [0, 0, 1, 2, 2], "month": [3, 6, 3, 3, 6],
    ...     "kind": ["present", "left", "present", "failed", "present"], "cause": [0, 1, 0, 0, 0]})
    >>> curve = observed_incidence(contacts, cutoff=[6, 3, 6], pieces=range(1, 7))
    >>> curve.table.query("cause == 0 and month == 6")["incidence"].round(3).tolist()
    [0.5]
    """
    normal_quantile(conf_level)
    known = ascertain(contacts, cutoff, entry, causes)
    mass = weights_of(weights, known.n)
    household = np.arange(known.n) if cluster is None else labels("cluster", cluster, known.n)[0]
    roles = np.zeros(known.n, np.int64) if role is None else labels("role", role, known.n)[0]
    bounds = np.asarray(PIECES if pieces is None else list(pieces), dtype=np.int64)
    assumed = Assumed(
        reporting is not None and reporting.failure is not None,
        reporting is not None and reporting.hearing is not None,
        float(odds_gone),
        None if odds_heard is None else np.asarray(odds_heard, dtype=float),
    )
    # failures among contacts that never reached anybody say nothing of who had left
    reached = np.isin(known.contacts.kind, (PRESENT, LEFT)).any()
    cells = cells_of(known, by_month=services, use_failures=bool(reached) or assumed.failure)
    if services:
        em = ServiceEM(cells, known, roles, bounds, assumed)
    else:
        em = ObservationEM(cells, len(known.names), bounds, assumed)
    model = _Model(known, em, mass, household, reporting, tolerance)
    model.estimate(seed)
    model.resample(replicates, seed)
    return _curve(model, conf_level, support)


class _Model:
    """Data, engine and fit of one call; what the methods of the curve go back to."""

    def __init__(self, known: Ascertained, em: ObservationEM, mass: Floats, household: Integers,
                 reporting: Reporting | None, tolerance: float):  # fmt: skip
        self.known, self.cells, self.em, self.mass, self.household = known, em.cells, em, mass, household
        self.reporting, self.tolerance = reporting, tolerance
        self.fit: Fit
        self.spread = 0.0
        self.replicates: Parameters | None = None

    @property
    def parameters(self) -> Parameters:
        return self.fit.parameters

    def _borrowed(self, p: Parameters, which: int = 0) -> Parameters:
        return p if self.reporting is None else self.reporting.column(which, p)

    def estimate(self, seed: int) -> None:
        """Fits from the plain start and from perturbed ones; the likeliest is kept, and their spread."""
        w = weigh(self.cells, self.known, self.mass[:, None])
        plain = self.em.start(w)
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        starts = joined([plain, *(self.em.perturbed(plain, rng) for _ in range(STARTS))])
        many = Weights(*(np.repeat(values, STARTS + 1, axis=-1) for values in vars(w).values()))
        found = fit(self.em, many, self._borrowed(starts), tolerance=self.tolerance)
        best = int(np.argmax(found.log_likelihood))
        if found.log_likelihood[best] - found.log_likelihood[0] < 1e-6:
            best = 0
        curves = self.em.curves(found.parameters)
        self.spread = float(np.abs(curves - curves[..., best : best + 1]).max(initial=0.0))
        keep = np.array([best])
        self.fit = Fit(found.parameters.columns(keep), found.log_likelihood[keep], found.path, found.iterations,
                       found.converged)  # fmt: skip
        self.weights = w

    def resample(self, replicates: int, seed: int) -> None:
        """Refits with whole households drawn again, from the estimate moved a little off its bounds."""
        if not replicates:
            return
        _, owner = np.unique(self.household, return_inverse=True)
        n = int(owner.max()) + 1
        plain = self.em.start(self.weights)
        middle = plain.like(0.9 * self.parameters.flat() + 0.1 * plain.flat())

        def one(job: tuple[int, int, np.random.SeedSequence]) -> Parameters:
            done, size, child = job
            drawn = np.random.default_rng(child).multinomial(n, np.full(n, 1 / n), size=size)
            w = weigh(self.cells, self.known, drawn.T[owner] * self.mass[:, None])
            start = joined([self._borrowed(middle, 1 + done + k) for k in range(size)])
            return fit(self.em, w, start, tolerance=REPLICATE_TOLERANCE, max_steps=REPLICATE_STEPS).parameters

        begins = range(0, replicates, AT_ONCE)
        children = np.random.SeedSequence(seed).spawn(len(begins) + 1)[1:]
        jobs = [(begin, min(AT_ONCE, replicates - begin), child) for begin, child in zip(begins, children, strict=True)]
        with ThreadPoolExecutor(WORKERS) as executor:
            self.replicates = joined(list(executor.map(one, jobs)))

    # ── draws ─────────────────────────────────────────────────────────────────────────────────────────────
    def draw(self, m: int, rng: np.random.Generator) -> NDArray[np.int64]:
        found = np.zeros((m, self.known.n, 2), dtype=np.int64)
        found[..., 0] = np.maximum(self.known.last, 0)
        for k, p in enumerate(self._in_turn(m)):
            month, cause = self.em.draw(p, self.cells.pattern, rng)
            used = self.cells.pattern >= 0
            found[k, used, 0], found[k, used, 1] = month[used], np.append(self.known.names, 0)[cause[used]]
        return found

    def _in_turn(self, m: int) -> Iterator[Parameters]:
        for k in range(m):
            many = self.replicates
            yield self.parameters if many is None else many.columns(np.array([k % many.wide]))

    # ── profiles ──────────────────────────────────────────────────────────────────────────────────────────
    def profile(self, month: int, se: float, conf_level: float, design_effect: float | None) -> pd.Series:
        estimate = float(1 - self.em.curves(self.parameters)[:, month, 0].sum())
        best = float(self.fit.log_likelihood[0])
        z = normal_quantile(conf_level)

        def fall(survival: float) -> float:
            """Twice the fall of the log-likelihood."""
            return 2 * max(best - self.em.constrained(self.parameters, self.weights, month, survival), 0.0)

        if not 0 < estimate < 1:
            return pd.Series({"month": month, "estimate": estimate, "lower": np.nan, "upper": np.nan,
                              "design_effect": np.nan})  # fmt: skip
        scale = np.log(-np.log(estimate))  # limits are sought on the log-log scale, where the fall is a parabola

        def at(distance: float) -> float:
            return fall(float(np.exp(-np.exp(scale + distance))))

        if design_effect is None:
            width = se / (estimate * -np.log(estimate)) if np.isfinite(se) and se > 0 else np.nan
            small = 0.5 * width if np.isfinite(width) else 0.1
            curvature = (at(small) + at(-small)) / 2 / small**2
            design_effect = max(width**2 * curvature, 1e-6) if np.isfinite(width) else 1.0
        target = z**2 * design_effect
        limits = [_reached(at, sign, target) for sign in (1.0, -1.0)]
        lower, upper = (float(np.exp(-np.exp(scale + d))) for d in limits)
        return pd.Series({"month": month, "estimate": estimate, "lower": lower, "upper": upper,
                          "design_effect": design_effect})  # fmt: skip


def _reached(at, sign: float, target: float) -> float:
    """The distance at which the fall is `target`; doubled until it is passed, then by secants on its square root."""
    near, far = 0.0, 0.25
    while at(sign * far) < target:
        near, far = far, 2 * far
        if far > 8:
            return sign * far
    low, high = np.sqrt(at(sign * near)) if near else 0.0, np.sqrt(at(sign * far))
    goal = np.sqrt(target)
    for _ in range(12):
        middle = near + (goal - low) / max(high - low, 1e-12) * (far - near)
        value = np.sqrt(at(sign * middle))
        if abs(value - goal) < 1e-3:
            return sign * middle
        if value < goal:
            near, low = middle, value
        else:
            far, high = middle, value
    return sign * (near + far) / 2


# ── what is made of a fit ─────────────────────────────────────────────────────────────────────────────────
def _curve(model: _Model, conf_level: float, support: int) -> ObservedCurve:
    known, em, p = model.known, model.em, model.parameters
    w = model.weights
    expected = em.expect(p, w)
    incidence = em.curves(p)[..., 0]
    drawn = None if model.replicates is None else em.curves(model.replicates)
    months = np.arange(1, em.months)
    used = model.cells.pattern >= 0
    reached = np.where(known.known, known.last, np.minimum(known.last, np.floor(known.cutoff).astype(np.int64)))[used]
    n_risk = at_or_after(reached, months) - at_or_after(known.enter[used], months + 1)
    n_confirmed = at_or_after(np.rint(known.confirmed[used]).astype(np.int64), months)
    checks = checks_of(known, em, p, expected, model.mass, model.spread, model.fit)
    degree = _degrees(model, months, n_confirmed, checks, support)
    tables = []
    for c in range(len(known.names) + 1):
        values = np.clip((1 - incidence.sum(axis=0) if c == 0 else incidence[c - 1])[months], 0.0, 1.0)
        replicate = None
        if drawn is not None:
            replicate = (1 - drawn.sum(axis=0) if c == 0 else drawn[c - 1])[months]
        se, lower, upper = bootstrap_limits(values, replicate, conf_level, is_survival=c == 0)
        percentile = _percentiles(replicate, conf_level, len(months))
        tables.append(pd.DataFrame({
            "cause": 0 if c == 0 else int(known.names[c - 1]), "month": months, "n_risk": n_risk,
            "n_confirmed": n_confirmed, "incidence": values, "se": se, "lower": lower, "upper": upper, "known": degree,
            "percentile_lower": percentile[0], "percentile_upper": percentile[1],
        }))  # fmt: skip
    both = p if model.replicates is None else joined([p, model.replicates])
    return ObservedCurve(
        pd.concat(tables, ignore_index=True),
        _contact_failure(p, model.replicates, expected.failed[:, 0], w.succeeded[:, 0], conf_level),
        _hearing(p, model.replicates, known.names, conf_level),
        checks,
        notes_of(checks, known, LEARNT, model.reporting is not None and model.reporting.hearing is not None),
        float(model.fit.log_likelihood[0]),
        Reporting(both.failure, both.hearing),
        tuple(model.fit.path),
        int((known.first > known.last).sum()),
        model,
    )


def _percentiles(drawn: Floats | None, conf_level: float, n: int) -> Floats:
    if drawn is None or drawn.shape[1] < 2:
        return np.full((2, n), np.nan)
    tail = (1 - conf_level) / 2
    return np.quantile(drawn, [tail, 1 - tail], axis=1)


def _degrees(model: _Model, months: Integers, n_confirmed: Integers, checks: pd.DataFrame, support: int) -> NDArray:
    """How well each month is supported: by presences, by exits that were heard of, or not."""
    known, em = model.known, model.em
    told = weigh(model.cells, known, known.known[:, None].astype(float))
    exits = em.expect(model.parameters, told).exits.sum(axis=0)[:, 0]
    running = np.concatenate([[0.0], np.cumsum(exits)])
    recent = running[months + 1] - running[np.maximum(months + 1 - HEARSAY, 0)]
    found = checks.loc[checks["check"].eq("exits_found_by_contact"), "value"].sum()
    learnt = found >= LEARNT or (model.reporting is not None and model.reporting.hearing is not None)
    heard = (recent >= support) & learnt & (model.weights.pattern.sum() > 0)
    return np.where(n_confirmed >= support, "observed", np.where(heard, "hearsay", "insufficient"))


def _spread(drawn: Floats | None, conf_level: float, n: int) -> Floats:
    """se, lower, upper from replicates (values × replicates)."""
    if drawn is None or drawn.shape[1] < 2:
        return np.full((3, n), np.nan)
    return np.vstack([drawn.std(axis=1, ddof=1), _percentiles(drawn, conf_level, n)])


def _contact_failure(
    p: Parameters, drawn: Parameters | None, failed: Floats, succeeded: Floats, conf_level: float
) -> pd.DataFrame:
    se, lower, upper = _spread(None if drawn is None else drawn.failure, conf_level, len(STATES))
    tried = failed + succeeded
    return pd.DataFrame({
        "presence": ["gone" if gone else "there" for gone, _ in STATES],
        "previous_failed": [bool(previous) for _, previous in STATES],
        "probability": np.where(tried > 0, p.failure[:, 0], np.nan),
        "se": se, "lower": lower, "upper": upper, "n_failed": failed, "n_attempts": tried,
    })  # fmt: skip


def _hearing(p: Parameters, drawn: Parameters | None, names: NDArray, conf_level: float) -> pd.DataFrame:
    months = np.arange(25)
    of = delay_class(months)

    def share(hearing: Floats) -> Floats:
        return 1 - np.cumprod(1 - hearing[of], axis=0)

    tables = []
    for c, name in enumerate(names):
        many = None if drawn is None else share(drawn.hearing[c])
        se, lower, upper = _spread(many, conf_level, len(months))
        tables.append(pd.DataFrame({
            "cause": int(name), "month": months, "share": share(p.hearing[c])[:, 0], "se": se, "lower": lower,
            "upper": upper,
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


__all__ = ["FAILED", "ObservedCurve", "Reporting", "observed_incidence"]
