"""The share settled for good: a mixture cure model, reported only where a plateau was observed.

Exit times are drawn from the main fit, so that lost persons and late news enter as they do in the curve; each draw is
fitted and the draws are joined by Rubin's rules on the logit scale. A plateau not observed is an extrapolation,
so the estimate is withheld unless, in the spirit of Maller & Zhou (1996),

1. the model holds a share in nearly every draw (`survival.mixture_cure`: over 0.025, likelier than none by 10.83);
2. by the fitted latency 95 % of those who will ever leave have left by a month at which at least `support` stays were
   still confirmed present by a contact (not by silence, nor by hearsay);
3. every distribution of the leaving times that fits as well meets both rules, and the shares agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...months import ceil_month
from ...study import Study
from ...survival.checks import NORMAL_975
from ..main_fits import MainFit

COLUMNS = (
    "measure", "group", "horizon", "estimate", "se", "lower", "upper", "n_start", "n_at_risk", "n_confirmed", "known",
    "method", "left_by", "note",
)  # fmt: skip
MEASURE = "settled_share"
DISTRIBUTIONS = ("weibull", "lognormal", "loglogistic")
# Of those who will ever leave, this share must have left by a month that was observed.
MOST_LEFT = 0.95
# The model must hold a share in this part of the draws.
NEARLY_ALL = 0.9
# Distributions within so much log-likelihood of the best fit as well.
AS_WELL = 2.0
# A fit is costly and draws differ little: at most so many of them.
DRAWS = 10
NOTES = {
    "": "share that never leaves, from a plateau that was observed",
    "no_plateau": "the exits go on: no share of stayers is likelier than none",
    "short_follow_up": "those who will leave had not nearly all left by the last month with enough stays confirmed",
    "shape": "distributions of the leaving times that fit as well give different shares",
    "no_exit": "nobody is known to have left",
}


@dataclass(frozen=True)
class _Joined:
    """One distribution over the draws: share and variance on the logit scale, and the month by which most had left."""

    logit: float
    variance: float
    held: float
    left_by: float
    log_likelihood: float

    @property
    def share(self) -> float:
        return float(1 / (1 + np.exp(-self.logit)))

    @property
    def se(self) -> float:
        return float(np.sqrt(self.variance) * self.share * (1 - self.share))


def settled_share(fits: Mapping[str, MainFit], *, study: Study) -> pd.DataFrame:
    """
    The share of the stays that will never end, where a plateau was observed.

    Parameters
    ----------
    fits : mapping of str to MainFit
        As `main_fits` returns them.
    study : Study
        Its support, draws and seed are used.

    Returns
    -------
    DataFrame
        One row a group: measure (`settled_share`), group, horizon (the last month at which enough stays were confirmed:
        until then a plateau could be seen), estimate, se, lower, upper (rates in 0–1), n_start, n_at_risk, n_confirmed
        (stays, at the horizon), known (`observed`; `insufficient`: no number), method (the distribution), left_by (the
        month by which 95 % of those who will leave have), note (the first rule that fails).

    Examples
    --------
    >>> from trajectories.retention.course import main_fits
    >>> from trajectories.simulate import told_stays
    >>> cohort, contacts = told_stays(400, seed=1).tables()
    >>> study = Study(replicates=0, draws=2)
    >>> fits = main_fits(cohort, contacts, study=study, groups=["province"])
    >>> settled_share(fits, study=study)[["estimate", "known", "note"]].values.tolist()
    [[nan, 'insufficient', 'the exits go on: no share of stayers is likelier than none']]
    """
    rows = [{"measure": MEASURE, "group": group, **_of_group(fit, study)} for group, fit in fits.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_group(fit: MainFit, study: Study) -> dict:
    table = fit.curve.table
    enough = table.loc[table["cause"].eq(0) & (table["n_confirmed"] >= study.support), "month"]
    horizon = int(enough.max()) if len(enough) else 0
    counts = fit.at([horizon]).iloc[0]
    row = {
        "horizon": horizon,
        "estimate": np.nan,
        "se": np.nan,
        "lower": np.nan,
        "upper": np.nan,
        "n_start": len(fit.model_input),
        "n_at_risk": counts["n_at_risk"],
        "n_confirmed": counts["n_confirmed"],
        "known": "insufficient",
        "method": None,
        "left_by": np.nan,
    }
    draws = fit.curve.draw(min(study.draws, DRAWS), study.seed)
    if not (draws[..., 1] > 0).any(axis=1).all():
        return {**row, "note": NOTES["no_exit"]}
    joined = {name: _join(fit, draws, name) for name in DISTRIBUTIONS}
    best = max(joined, key=lambda name: joined[name].log_likelihood)
    chosen = joined[best]
    row |= {"method": best, "left_by": chosen.left_by}
    why = _why_not(chosen, joined, horizon)
    if why:
        return {**row, "note": NOTES[why]}
    width = NORMAL_975 * np.sqrt(chosen.variance)
    lower, upper = (float(1 / (1 + np.exp(-(chosen.logit + side * width)))) for side in (-1, 1))
    numbers = {"estimate": chosen.share, "se": chosen.se, "lower": lower, "upper": upper, "known": "observed"}
    return {**row, **numbers, "note": NOTES[""]}


def _why_not(chosen: _Joined, joined: Mapping[str, _Joined], horizon: int) -> str:
    """The first rule of the module that fails; empty where all hold."""
    if chosen.held < NEARLY_ALL:
        return "no_plateau"
    if not chosen.left_by <= horizon:
        return "short_follow_up"
    as_well = [
        other_fit for other_fit in joined.values() if chosen.log_likelihood - other_fit.log_likelihood <= AS_WELL
    ]
    apart = any(
        other_fit.held < NEARLY_ALL
        or not other_fit.left_by <= horizon
        or abs(other_fit.share - chosen.share) > 2 * chosen.se
        for other_fit in as_well
    )
    return "shape" if apart else ""


def _join(fit: MainFit, draws: np.ndarray, distribution: str) -> _Joined:
    """Rubin's rules over the draws, for one distribution of the leaving times."""
    entry = ceil_month(fit.model_input.entry)
    fits = [
        fit_of_draw
        for fit_of_draw in (
            _fitted(entry, fit.model_input.household, draw[:, 0], draw[:, 1], distribution) for draw in draws
        )
        if fit_of_draw
    ]
    supported = [
        fit_of_draw for fit_of_draw in fits if fit_of_draw.share > SMALLEST and fit_of_draw.evidence > EVIDENCE
    ]
    likelihood = float(np.mean([fit_of_draw.log_likelihood for fit_of_draw in fits])) if fits else -np.inf
    if not supported:
        return _Joined(-np.inf, np.nan, 0.0, np.nan, likelihood)
    share = np.array([fit_of_draw.share for fit_of_draw in supported])
    logit = np.log(share / (1 - share))
    within = np.mean([(fit_of_draw.se / (p * (1 - p))) ** 2 for fit_of_draw, p in zip(supported, share, strict=True)])
    between = logit.var(ddof=1) if len(supported) > 1 else 0.0
    left_by = float(
        np.median([_left_by(fit_of_draw.location, fit_of_draw.scale, distribution) for fit_of_draw in supported])
    )
    variance = float(within + (1 + 1 / len(supported)) * between)
    return _Joined(float(logit.mean()), variance, len(supported) / len(draws), left_by, likelihood)


# The thresholds of `survival.mixture_cure` for a supported share.
SMALLEST, EVIDENCE = 0.025, 10.83


def _fitted(entry: np.ndarray, household: np.ndarray, month: np.ndarray, cause: np.ndarray, distribution: str):
    """The cure model of one draw; None where its likelihood has no maximum."""
    from ...survival import mixture_cure

    gone = cause > 0
    lower = np.where(gone, month - 1, month).astype(float)
    upper = np.where(gone, month, np.inf).astype(float)
    used = (upper > entry) & (lower >= entry) & (np.isfinite(upper) | (lower > 0))
    try:
        return mixture_cure(
            lower[used], upper[used], entry=entry[used], cluster=household[used], distribution=distribution
        )
    except ValueError:
        # exits that are all of one month, or nobody who stays
        return None


def _left_by(location: float, scale: float, distribution: str) -> float:
    """The month by which `MOST_LEFT` of those who will leave have left."""
    from statistics import NormalDist

    share_to_leave = 1 - MOST_LEFT
    z = {
        "weibull": np.log(-np.log(share_to_leave)),
        "lognormal": NormalDist().inv_cdf(MOST_LEFT),
        "loglogistic": np.log(MOST_LEFT / share_to_leave),
    }[distribution]
    return float(np.exp(location + scale * z))
