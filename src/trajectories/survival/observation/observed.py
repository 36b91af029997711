"""Retention as it is reported, corrected for how it is reported: the main estimator.

Stays en région end unseen; scheduled contacts fail more for those who left, and news comes late or never. The
observation model (docs/observation-model.md) puts each channel into one likelihood: cells.py says what a stay's
contacts leave possible, em.py fits, service_model.py adds services beside it. Here are the public function
and what is made of a fit: curves with household bootstrap limits, how departures become known, checks, draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.display import as_html, plot, to_frame
from trajectories.survival.checks import Floats, Integers, labels, normal_quantile, numbers, refuse, weights_of
from trajectories.survival.intervals.interval import at_or_after, bootstrap_limits
from trajectories.survival.observation.cells import (
    FAILED,
    HINT,
    LEFT,
    PRESENT,
    SOME_FALSE,
    SOME_NEVER,
    Ascertained,
    Cells,
    ascertain,
    cells_of,
)
from trajectories.survival.observation.em import (
    Expected,
    Fit,
    ObservationEM,
    QuadraticApproximation,
    Weights,
    fit,
    newton,
    on_bounds,
    weigh,
)
from trajectories.survival.observation.parameters import (
    N_STATES,
    STATES,
    Assumed,
    Parameters,
    Reporting,
    delay_class,
    joined,
)
from trajectories.survival.observation.service_model import ServiceEM

# ----------------------------------------------------------------------------------------------------
# One fit of the observation model: the estimate from several starts, bootstrap replicates, draws.

REPLICATE_TOLERANCE = 1e-4  # of a replicate that is fitted anew
STARTS = 3  # perturbed ones, beside the plain one
AT_ONCE = 100  # replicates side by side
# Borrowed probabilities stay off 0 and 1, at which the reports of other stays could be impossible.
LENT = (1e-4, 0.95)
RARE = 1e-6  # a false report


class ObservedFit:
    """Data, engine and fit of one call, for the methods of the curve."""

    def __init__(
        self,
        known: Ascertained,
        em: ObservationEM,
        mass: Floats,
        household: Integers,
        reporting: Reporting | None,
        tolerance: float,
    ):
        self.known, self.cells, self.em, self.mass, self.household = known, em.cells, em, mass, household
        self.reporting, self.tolerance = reporting, tolerance
        self.fit: Fit
        self.spread: Floats  # between starts, by month
        self.replicates: Parameters | None = None

    @property
    def parameters(self) -> Parameters:
        return self.fit.parameters

    @property
    def found(self) -> Reporting:
        """How departures become known: the estimate, then each replicate."""
        fitted = self.parameters if self.replicates is None else joined([self.parameters, self.replicates])
        leaves = fitted.hazards.sum(axis=1) > 0
        hearing = np.clip(fitted.hearing, *LENT)
        least = np.where(np.arange(len(fitted.failure)) < N_STATES, LENT[0], RARE)[:, None]
        failure = np.clip(fitted.failure, least, LENT[1])
        return Reporting(failure, np.where(leaves[:, None], hearing, np.nan), self.cells.further)

    def interior(self) -> Parameters:
        """The estimate moved a little off its bounds, which EM does not leave."""
        plain = self.em.start(self.weights)
        return self._borrowed(plain.like(0.9 * self.parameters.flat() + 0.1 * plain.flat()))

    def _borrowed(self, p: Parameters, which: Integers | int = 0) -> Parameters:
        return p if self.reporting is None else self.reporting.column(which, p)

    def estimate(self, seed: int, starts: int) -> None:
        """Fits from the plain start and from perturbed ones; the likeliest is kept, and their spread."""
        w = weigh(self.cells, self.known, self.mass[:, None])
        plain = self.em.start(w)
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        begin = joined([plain, *(self.em.perturbed(plain, rng) for _ in range(starts))])
        many = Weights(*(np.repeat(values, starts + 1, axis=-1) for values in vars(w).values()))
        begin = self.em.restrict(self._borrowed(begin), many)
        fits = fit(self.em, many, begin, tolerance=self.tolerance)
        best = int(np.argmax(fits.log_likelihood))
        if fits.log_likelihood[best] - fits.log_likelihood[0] < 1e-6:
            best = 0
        curves = self.em.curves(fits.parameters)
        self.spread = np.abs(curves - curves[..., best : best + 1]).max(axis=(0, 2))
        keep = np.array([best])
        parameters, path = fits.parameters.columns(keep), [x[keep] for x in fits.path]
        if self.em.many_at_once:
            parameters = on_bounds(self.em, newton(self.em, parameters, w), w)
            path.append(self.em.expect(parameters, w).log_likelihood)
        self.fit = Fit(parameters, path[-1], path, fits.iterations, fits.converged)
        self.weights = w

    def lent(self, p: Parameters, replicates: int) -> Parameters:
        """p in each replicate, with the borrowed parameters of the lender's replicates."""
        every = np.arange(replicates)
        return self._borrowed(p.columns(0 * every), 1 + every)

    def resample(self, replicates: int, seed: int, refit: bool) -> None:
        """Bootstrap replicates of whole households: near the estimate (`QuadraticApproximation`), or refitted."""
        if not replicates:
            return
        _, owner = np.unique(self.household, return_inverse=True)
        n = int(owner.max()) + 1
        lent = self.lent(self.interior() if refit else self.parameters, replicates)
        near = None if refit else QuadraticApproximation(self.em, self.parameters, self.weights)
        refits = []
        for begin in range(0, replicates, AT_ONCE):
            start = lent.columns(slice(begin, begin + AT_ONCE))
            household_counts = np.random.default_rng([seed, begin]).multinomial(n, np.full(n, 1 / n), size=start.wide).T
            w = weigh(self.cells, self.known, household_counts[owner] * self.mass[:, None])
            if near is None:
                refits.append(fit(self.em, w, self.em.restrict(start, w), tolerance=REPLICATE_TOLERANCE).parameters)
            else:
                refits.append(near.refitted(w, start, drawn_from=n))
        self.replicates = joined(refits)

    # ── draws ─────────────────────────────────────────────────────────────────────────────────────────────
    def draw(self, m: int, rng: np.random.Generator) -> NDArray[np.int64]:
        draws = np.zeros((m, self.known.n, 2), dtype=np.int64)
        draws[..., 0] = np.maximum(self.known.last, 0)
        for k, p in enumerate(self._in_turn(m)):
            month, cause = self.em.draw(p, self.cells.pattern, rng)
            used = self.cells.pattern >= 0
            draws[k, used, 0], draws[k, used, 1] = month[used], np.append(self.known.names, 0)[cause[used]]
        return draws

    def _in_turn(self, m: int) -> Iterator[Parameters]:
        for k in range(m):
            many = self.replicates
            yield self.parameters if many is None else many.columns(np.array([k % many.wide]))


# ----------------------------------------------------------------------------------------------------
# Counts of what a fit of the observation model rests on, and the notes that a reader needs.

# Periods since the start that the counts are given for: months up to and including.
PERIODS = (12, 24)
PERIOD_NAMES = ("0-12", "13-24", "25+")
AGREE = 1e-4  # starts that end farther apart than this have not found one maximum


def checks_of(
    known: Ascertained, em: ObservationEM, p: Parameters, expected: Expected, mass: Floats, fit: Fit
) -> pd.DataFrame:
    """
    The checks of a fit.

    Returns
    -------
    DataFrame
        check, cause (0: all, or unknown), period (months since the start, or None), value. By period:
        failures_followed_by_presence (what π₀ is learnt from), failures_before_known_exit (π₁); by cause and
        period: exits_found_by_contact (before any news: what η is learnt from) and exits_heard. Then once:
        stays, no_later_news (stays of which nothing is known after their entry), never_at_risk,
        without_likelihood, gone_fail_less (π₁ ≤ π₀), share_never_heard (of the mass of exits), contradictions
        and the other rows set aside, failures (recorded), never_reached (the share, where it is fitted),
        false_news and false_contact (a month's chance, where fitted) and taken_as_false (expected reports),
        service_shape (α; `service_shape_at_cap`), spread (between starts, largest on a curve), iterations,
        converged.
    """
    about = known.contacts
    rows: list[tuple[str, int, str | None, float]] = []

    def by_period(check: str, month: Floats, cause: int = 0) -> None:
        period = np.searchsorted(PERIODS, month, side="left")
        for k, n in enumerate(np.bincount(period, minlength=len(PERIOD_NAMES))):
            rows.append((check, cause, PERIOD_NAMES[k], float(n)))

    failed = about.kind == FAILED
    by_period("failures_followed_by_presence", about.month[failed & (about.month < known.confirmed[about.stay])])
    after = failed & (about.month > known.confirmed[about.stay]) & known.known[about.stay]
    by_period("failures_before_known_exit", about.month[after])
    found_at = np.zeros(known.n)
    is_left = about.kind == LEFT
    found_at[about.stay[is_left]] = about.month[is_left]
    used = em.cells.pattern >= 0
    for code, name in [(-1, 0), *enumerate(known.names)]:
        of_cause = used & (known.cause == code)
        by_period("exits_found_by_contact", found_at[of_cause & known.by_contact], int(name))
        by_period("exits_heard", known.news_month[of_cause & known.by_news].astype(float), int(name))

    contacted = np.isin(np.arange(known.n), about.stay[about.kind != HINT])
    # entered and ended in one month; who is known to have left in an earlier one cannot have come under observation
    never_at_risk = (known.last < known.enter) & ~(known.known & (known.last < known.enter - 1))
    # borrowed parameters may make what was reported of a stay impossible
    impossible = used & ~(np.append(em.likelihoods(p), 1.0)[em.cells.pattern] > 0)
    total = expected.exits.sum()
    known_mass = float(mass[used & known.known].sum())
    failure = np.where(_tried(expected, em) > 0, p.failure[:, 0], np.nan)[:N_STATES]
    once = {
        "stays": float(known.n),
        "no_later_news": float((used & ~known.known & ~contacted).sum()),
        "never_at_risk": float((~used & never_at_risk).sum()),
        "without_likelihood": float((~used & ~never_at_risk).sum() + impossible.sum()),
        "failures": float(failed.sum()),
        "presences": float((about.kind == PRESENT).sum()),
        "gone_fail_less": float(bool((failure[2:] <= failure[:2]).any())),
        "share_never_heard": float(max(total - known_mass, 0.0) / total) if total > 0 else 0.0,
        **{name: float(count) for name, count in known.counts.items()},
        "spread": np.nan,  # filled in where the supported months are known
        "iterations": float(fit.iterations),
        "converged": float(fit.converged),
    }
    once |= {name: float(p.failure[N_STATES + k, 0]) for k, name in enumerate(em.cells.further)}
    if known.doubted is not None:
        once["taken_as_false"] = float(expected.failed[N_STATES:].sum())
    shape = getattr(p, "shape", None)
    if shape is not None:
        once["service_shape"] = float(shape[0, 0])
        once["service_shape_at_cap"] = float(shape[0, 0] >= 0.999 * em.shape_cap)
    rows += [(name, 0, None, value) for name, value in once.items()]
    return pd.DataFrame(rows, columns=["check", "cause", "period", "value"])


def _tried(expected: Expected, em: ObservationEM) -> Integers:
    return expected.failed[:, 0] + em.cells.succeeded.sum(axis=0)


def notes_of(checks: pd.DataFrame, known: Ascertained, least: int, borrowed: bool) -> tuple[str, ...]:  # noqa: C901  # a case a sentence
    """A sentence for everything that a reader of the curve must know; none where there is nothing to say."""
    # sums of each check, of all causes or of one
    values = checks["value"].to_numpy(dtype=float)
    sums: dict[object, float] = defaultdict(float)
    for check, cause, value in zip(checks["check"], checks["cause"], np.nan_to_num(values), strict=True):
        sums[check] += value
        sums[check, cause] += value

    def n(*check: object) -> int:
        return int(sums[check if len(check) > 1 else check[0]])

    attempts = n("failures") + n("presences") + n("exits_found_by_contact")
    notes = []
    if attempts and not n("failures"):
        notes.append("No failed contact is recorded: contacts are taken to have reached whoever was still there.")
    if n("failures") and not n("presences") and not n("exits_found_by_contact"):
        notes.append("All scheduled contacts failed: they say nothing of who had left, and are not used.")
    if not attempts:
        notes.append("There is no scheduled contact: nothing says how many departures are never heard of.")
    exits = sums["exits_found_by_contact"] + sums["exits_heard"]
    with_cause = exits - sums["exits_found_by_contact", 0] - sums["exits_heard", 0]
    if not exits:
        notes.append("No exit is known." + ("" if borrowed else " Everybody is taken to have stayed."))
    elif not with_cause and len(known.names) > 1:
        notes.append("No destination is known: how exits are shared between causes is a convention.")
    for name in known.names:
        by_contact, heard = (n(check, int(name)) for check in ("exits_found_by_contact", "exits_heard"))
        if not borrowed and by_contact < least and by_contact + heard:
            notes.append(
                f"Cause {int(name)}: {by_contact} exits were found by a contact before any news, under {least}: how "
                "such exits are heard of is not learnt here."
            )
        if with_cause and not by_contact + heard:
            notes.append(f"Cause {int(name)}: no exit is known." + ("" if borrowed else " Its incidence is 0."))
    if sums["taken_as_false"]:
        notes.append(f"Presences contradict reports of departure: about {n('taken_as_false')} are taken to be false.")
    elif n("contradictions"):
        notes.append(f"{n('contradictions')} presences after a known departure contradict it and were set aside.")
    if n("after_cutoff"):
        notes.append(f"{n('after_cutoff')} rows after the cut-off of their stay were not used.")
    if n("without_likelihood"):
        notes.append(f"{n('without_likelihood')} stays are not possible as they were told and were left out.")
    if n("gone_fail_less"):
        notes.append("Contacts failed no more for those who left than for those who stayed: the model learnt little.")
    if sums["service_shape_at_cap"]:
        notes.append("Persons were served as if all alike: the shape of their differences is at its largest value.")
    if sums["spread"] > AGREE:
        notes.append(f"Fits from other starts differ by up to {sums['spread']:.1g}: the maximum is flat.")
    if not sums["converged"]:
        notes.append("The fit had not come to rest at the largest number of iterations.")
    return tuple(notes)


# ----------------------------------------------------------------------------------------------------
# How departures become known, as a fit found it: failures of contacts, and the share heard of, as tables.


def spread(replicates: Floats | None, conf_level: float, n: int) -> Floats:
    """se, lower, upper from replicates (values × replicates)."""
    if replicates is None or replicates.shape[1] < 2:
        return np.full((3, n), np.nan)
    tail = (1 - conf_level) / 2
    return np.vstack([replicates.std(axis=1, ddof=1), np.quantile(replicates, [tail, 1 - tail], axis=1)])


def contact_failure(
    p: Parameters, replicates: Parameters | None, failed: Floats, succeeded: Floats, conf_level: float
) -> pd.DataFrame:
    """`ObservedCurve.contact_failure`: by presence and the outcome before, with limits of the bootstrap."""
    of_contacts = None if replicates is None else replicates.failure[: len(STATES)]
    se, lower, upper = spread(of_contacts, conf_level, len(STATES))
    tried = failed + succeeded
    return pd.DataFrame(
        {
            "presence": ["gone" if gone else "there" for gone, _ in STATES],
            "previous_failed": [bool(previous) for _, previous in STATES],
            "probability": np.where(tried > 0, p.failure[: len(STATES), 0], np.nan),
            "se": se,
            "lower": lower,
            "upper": upper,
            "n_failed": failed,
            "n_attempts": tried,
        }
    )


def hearing_shares(model: ObservedFit, expected: Expected, conf_level: float) -> pd.DataFrame:
    """`ObservedCurve.hearing`: the share of the departures of each cause heard of by so many months after."""
    p, replicates, names = model.parameters, model.replicates, model.known.names
    months = np.arange(25)
    of = delay_class(months)
    # a delay that no exit was exposed to is not learnt: its hazard is what the fit started from
    exposed = (expected.heard + expected.unheard)[..., 0]
    ever = np.zeros((len(names), len(months)), dtype=bool)
    ever[:, : exposed.shape[1]] = np.cumsum(exposed[:, ::-1], axis=1)[:, ::-1][:, : len(months)] > 0
    first = np.searchsorted(of, np.arange(of.max() + 1))
    learnt = ever[:, first[of]]
    if model.em.assumed.hearing is not None:
        learnt |= model.em.assumed.hearing[:, None]

    def share(hearing: Floats) -> Floats:
        return 1 - (1 - hearing[of]).cumprod(axis=0)

    tables = []
    for c, name in enumerate(names):
        many = None if replicates is None else share(replicates.hearing[c])
        se, lower, upper = spread(many, conf_level, len(months))
        tables.append(
            pd.DataFrame(
                {
                    "cause": int(name),
                    "month": months,
                    "share": np.where(learnt[c], share(p.hearing[c])[:, 0], np.nan),
                    "se": np.where(learnt[c], se, np.nan),
                    "lower": np.where(learnt[c], lower, np.nan),
                    "upper": np.where(learnt[c], upper, np.nan),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


# ----------------------------------------------------------------------------------------------------

# Hazards are constant between these months: by month, a third of them would be 0, and S moves by 0.001 at most.
PIECES = (1, 3, 6, 9, 12, 18, 24, 36, 48, 60)
TOLERANCE = 1e-6  # no incidence moves by more in a step
LEARNT = 20  # exits found by a contact before any news, of a destination, for its hearing to be learnt
# The share of the exits for a cause that must be heard of within a year for hearsay to tell how many there are: with
# less, ten times as many as are heard of would have to be believed.
EARSHOT = 0.1
HEARSAY = 12  # months before a horizon in which exits must be known for hearsay to carry it


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
        check, cause, period, value: what the fit rests on.
    notes : tuple of str
        A sentence for everything that a reader of the curve must know.
    log_likelihood : float
        Given entry, at the estimate.
    reporting : Reporting
        For a smaller group to borrow.
    path : tuple of float
        The log-likelihood after each step of the EM.
    n_same_month : int
        Stays that enter and end in one month, and so are never at risk on the grid.
    model : ObservedFit
        Data, engine and parameters: what is made anew from the fit (other weights, draws) goes back to it.
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
    model: ObservedFit = field(repr=False)

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame

    @property
    def survival(self) -> pd.Series:
        """S by month, from month 1."""
        return self.table[self.table["cause"].eq(0)].set_index("month")["incidence"]

    @property
    def replicates(self) -> Floats:
        """
        S, then F of each cause, under every bootstrap replicate: array of shape (1 + causes, months, replicates).

        The second axis counts months from 0, where S is 1; without replicates the last axis is of length 0. What is
        made of whole curves (an area, a mixture of two) has the standard deviation of the same made of each replicate.
        """
        many = self.model.replicates
        if many is None:
            return np.zeros((1 + len(self.model.known.names), self.model.em.months, 0))
        left = self.model.em.curves(many)
        return np.clip(np.concatenate([1 - left.sum(axis=0, keepdims=True), left]), 0.0, 1.0)

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
        return self.model.draw(m, np.random.default_rng(seed))


def observed_incidence(  # noqa: PLR0913  # options by keyword, with defaults
    contacts: pd.DataFrame,
    cutoff: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    services: bool = False,
    role: ArrayLike | None = None,
    causes: Iterable[int] | None = None,
    pieces: Iterable[float] | None = None,
    replicates: int = 0,
    seed: int = 1,
    conf_level: float = 0.95,
    support: int = 20,
    reporting: Reporting | None = None,
    odds_gone: float = 1.0,
    odds_heard: ArrayLike | None = None,
    some_never: bool = False,
    some_false: bool | None = None,
    tolerance: float = TOLERANCE,
    starts: int = STARTS,
    refit: bool = False,
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
        Of the household bootstrap; with 0, se and limits are missing.
    support : int
        Fewest stays found present at a month or later for it to be `observed`; fewest exits known in the 12 months
        before for it to be carried by `hearsay`.
    reporting : Reporting, optional
        Borrowed from a larger group; replicate k uses its replicate k.
    odds_gone, odds_heard
        Sensitivity: the odds of having left are multiplied so at each failed contact; the odds of being heard of, so in
        each month since the start (from month 0; the last value goes on). What `reporting` does not give is held as the
        fit without them finds it. (Rows of kind `hint`, with a column `odds`, multiply the odds of having left by their
        month.)
    some_never : bool
        Sensitivity: a share of the stays, learnt too (check `never_reached`), is out of reach of every contact, in the
        region or gone: the failures of those whom no attempt reached then say less. Without it whoever is never reached
        is taken to have left early.
    some_false : bool, optional
        Reports of departure may be false: each month, news and reports of contacts with a probability each, which are
        learnt (checks `false_news`, `false_contact`) from the contacts that go on after a report. Without it the first
        report stands. By default where a presence contradicts a report, but not with services or some_never.
    tolerance : float
        The fit has come to rest when no incidence moves by more in a step, and no step promises a gain.
    starts : int
        Perturbed starts beside the plain one: their spread is a check.
    refit : bool
        Fit each replicate anew, instead of a few steps of Newton from the estimate; with services it is always so.

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
        interval of departure; the sentence names the argument and the count. `some_false` with `services` or with
        `some_never`; a reporting that does not give what the fit needs.

    Notes
    -----
    Observation model of the project (docs/observation-model.md), a composite likelihood of persons: limits come from
    resampling households only. No R function gives it; it reduces to the interval-censored, left-truncated,
    competing-risks NPMLE (`interval_incidence`), to Kaplan–Meier and Aalen–Johansen, as tests/golden shows.

    lower and upper are normal on the log-log scale with the bootstrap's se. In tests/recovery 95 % limits of
    S(12) and S(24) covered 96 and 94 % at 5,000 stays (140 runs; percentiles 92 and 94 %), 90 to 92 % at 60 stays.

    References
    ----------
    Turnbull 1976; Frydman 1994; Hudgens, Satten & Longini 2001; Pan & Chappell 1999; Kalbfleisch & Lawless 1989;
    Robins, Rotnitzky & Scharfstein 1999; Louis 1982; Nocedal 1980; Shao & Tu 1995.

    Examples
    --------
    >>> contacts = pd.DataFrame({"stay": [0, 0, 1, 2, 2], "month": [3, 6, 3, 3, 6],
    ...     "kind": ["present", "left", "present", "failed", "present"], "cause": [0, 1, 0, 0, 0]})
    >>> curve = observed_incidence(contacts, cutoff=[6, 3, 6], pieces=range(1, 7))
    >>> curve.table.query("cause == 0 and month == 6")["incidence"].round(3).tolist()
    [0.5]
    """
    if some_false is None and (services or some_never):
        some_false = False
    return incidence_of(
        ascertain(contacts, cutoff, entry, causes, some_false),
        weights=weights,
        cluster=cluster,
        services=services,
        role=role,
        pieces=pieces,
        replicates=replicates,
        seed=seed,
        conf_level=conf_level,
        support=support,
        reporting=reporting,
        odds_gone=odds_gone,
        odds_heard=odds_heard,
        some_never=some_never,
        tolerance=tolerance,
        starts=starts,
        refit=refit,
    )


def incidence_of(  # noqa: PLR0913  # options by keyword, with defaults
    known: Ascertained,
    *,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    services: bool = False,
    role: ArrayLike | None = None,
    pieces: Iterable[float] | None = None,
    replicates: int = 0,
    seed: int = 1,
    conf_level: float = 0.95,
    support: int = 20,
    reporting: Reporting | None = None,
    odds_gone: float = 1.0,
    odds_heard: ArrayLike | None = None,
    some_never: bool = False,
    tolerance: float = TOLERANCE,
    starts: int = STARTS,
    refit: bool = False,
    kept: dict[tuple[bool, ...], Cells] | None = None,
) -> ObservedCurve:
    """`observed_incidence` of what was ascertained of the stays once, for several fits of them; `kept`: their cells."""
    normal_quantile(conf_level)
    mass = weights_of(weights, known.n)
    household = np.arange(known.n) if cluster is None else labels("cluster", cluster, known.n)[0]
    roles = np.zeros(known.n, np.int64) if role is None else labels("role", role, known.n)[0]
    bounds = _pieces(pieces)
    borrowed = reporting or Reporting(None, None)
    some_false = known.doubted is not None
    if some_false and (services or some_never):
        raise ValueError("some_false: not with services or some_never")
    further = SOME_NEVER * some_never + SOME_FALSE * some_false
    borrowed = borrowed.among(len(known.names), further)
    gone = _odds("odds_gone", odds_gone)
    heard = _odds("odds_heard", 1.0 if odds_heard is None else odds_heard)
    cells_key = services, known.anybody_reached or borrowed.failure is not None, some_never, some_false
    cells = (kept or {}).get(cells_key) or cells_of(known, *cells_key)
    if kept is not None:
        kept[cells_key] = cells

    def fitted(lent: Reporting, gone_by: float = 1.0, heard_by: Floats | None = None) -> ObservedFit:
        assumed = Assumed(lent.failure is not None, lent.hears, gone_by, heard_by)
        em: ObservationEM
        if services:
            em = ServiceEM(cells, known, roles, bounds, assumed)
        else:
            em = ObservationEM(cells, len(known.names), bounds, assumed)
        model = ObservedFit(known, em, mass, household, lent, tolerance)
        model.estimate(seed, starts)
        model.resample(replicates, seed, refit or not em.many_at_once)
        return model

    if (gone == 1).all() and (heard == 1).all():
        return _curve(fitted(borrowed), conf_level, support)
    # a sensitivity moves what is learnt of reporting, and would be undone if it were learnt again
    if borrowed.failure is None or borrowed.hearing is None:
        own = fitted(borrowed).found
        borrowed = Reporting(
            own.failure if borrowed.failure is None else borrowed.failure,
            own.hearing if borrowed.hearing is None else borrowed.hearing,
        )
    return _curve(fitted(borrowed, gone[0], None if (heard == 1).all() else heard), conf_level, support)


def _pieces(pieces: Iterable[float] | None) -> Integers:
    """The last months of the pieces of constant hazard."""
    values = list(PIECES if pieces is None else pieces)
    bounds = numbers("pieces", values, len(values))
    refuse("pieces", (bounds < 1) | (bounds != np.floor(bounds)), "are not whole months from 1 up")
    if (np.diff(bounds) <= 0).any():
        raise ValueError(f"pieces: {len(values)} values given, not in rising order")
    return bounds.astype(np.int64)


def _odds(name: str, values: ArrayLike) -> Floats:
    odds = numbers(name, np.atleast_1d(values))
    refuse(name, (odds <= 0) | np.isinf(odds), "are not above 0")
    return odds


# ── what is made of a fit ─────────────────────────────────────────────────────────────────────────────────
def _curve(model: ObservedFit, conf_level: float, support: int) -> ObservedCurve:
    known, em, p = model.known, model.em, model.parameters
    w = model.weights
    expected = em.expect(p, w)
    incidence = em.curves(p)[..., 0]
    replicate_curves = None if model.replicates is None else em.curves(model.replicates)
    months = np.arange(1, em.months)
    used = model.cells.pattern >= 0
    reached = np.where(known.known, known.last, np.minimum(known.last, np.floor(known.cutoff).astype(np.int64)))[used]
    n_risk = at_or_after(reached, months) - at_or_after(known.enter[used], months + 1)
    n_confirmed = at_or_after(np.rint(known.confirmed[used]).astype(np.int64), months)
    checks = checks_of(known, em, p, expected, model.mass, model.fit)
    degree = _degrees(model, months, n_confirmed, checks, support)
    # months that nothing supports are not printed: starts need not agree there
    supported = degree != "insufficient"
    apart = model.spread[months][supported if supported.any() else slice(None)].max(initial=0.0)
    checks.loc[checks["check"].eq("spread"), "value"] = apart
    tables = []
    for c in range(len(known.names) + 1):
        values = np.clip((1 - incidence.sum(axis=0) if c == 0 else incidence[c - 1])[months], 0.0, 1.0)
        replicate = None
        if replicate_curves is not None:
            replicate = (1 - replicate_curves.sum(axis=0) if c == 0 else replicate_curves[c - 1])[months]
        se, lower, upper = bootstrap_limits(values, replicate, conf_level, is_survival=c == 0)
        percentile = spread(replicate, conf_level, len(months))[1:]
        tables.append(
            pd.DataFrame(
                {
                    "cause": 0 if c == 0 else int(known.names[c - 1]),
                    "month": months,
                    "n_risk": n_risk,
                    "n_confirmed": n_confirmed,
                    "incidence": values,
                    "se": se,
                    "lower": lower,
                    "upper": upper,
                    "known": degree,
                    "percentile_lower": percentile[0],
                    "percentile_upper": percentile[1],
                }
            )
        )
    return ObservedCurve(
        pd.concat(tables, ignore_index=True),
        contact_failure(
            p, model.replicates, expected.failed[: len(STATES), 0], w.succeeded[: len(STATES), 0], conf_level
        ),
        hearing_shares(model, expected, conf_level),
        checks,
        notes_of(checks, known, LEARNT, model.reporting is not None and model.reporting.hearing is not None),
        float(model.fit.log_likelihood[0]),
        model.found,
        tuple(float(value[0]) for value in model.fit.path),
        int((known.first > known.last).sum()),
        model,
    )


def _degrees(
    model: ObservedFit, months: Integers, n_confirmed: Integers, checks: pd.DataFrame, support: int
) -> NDArray:
    """How well each month is supported: by presences, by exits that were heard of, or not."""
    known, em = model.known, model.em
    known_weights = weigh(model.cells, known, known.known[:, None].astype(float))
    exits = em.expect(model.parameters, known_weights).exits.sum(axis=0)[:, 0]
    running = np.concatenate([[0.0], np.cumsum(exits)])
    recent = running[months + 1] - running[np.maximum(months + 1 - HEARSAY, 0)]
    heard = (recent >= support) & _within_earshot(model, checks)
    return np.where(n_confirmed >= support, "observed", np.where(heard, "hearsay", "insufficient"))


def _within_earshot(model: ObservedFit, checks: pd.DataFrame) -> bool:
    """Whether hearsay can tell how many left: each destination's hearing is learnt, and not next to nothing."""
    borrowed = model.reporting is not None and model.reporting.hearing is not None
    found_by_contact = checks[checks["check"].eq("exits_found_by_contact")].groupby("cause")["value"].sum()
    share = 1 - np.cumprod(1 - model.parameters.hearing[:, delay_class(np.arange(HEARSAY + 1)), 0], axis=1)[:, -1]
    leaving = model.em.curves(model.parameters)[:, -1, 0] > 0
    learnt = found_by_contact.reindex(model.known.names, fill_value=0).to_numpy() >= LEARNT
    return bool(leaving.any() and ((learnt | borrowed) & (share >= EARSHOT))[leaving].all())
