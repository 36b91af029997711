"""The share settled for good: a mixture cure model, only where a plateau was observed.

Exit times are drawn from the main fit, so that lost persons and late news enter as they do in the curve; each draw is
fitted and the draws are joined by Rubin's rules on the logit scale. A plateau that nobody observed is an extrapolation,
and the estimate is withheld unless, in the spirit of Maller & Zhou (1996),

1. the model holds a share in nearly every draw (`survival.mixture_cure`: over 0.025, likelier than none by 10.83);
2. by the fitted latency 95 % of those who will ever leave have left by a month at which at least `support` stays were
   still confirmed present by a contact (not by silence, nor by hearsay);
3. every distribution of the leaving times that fits as well says so too, and the shares agree.
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
        "horizon": horizon, "estimate": np.nan, "se": np.nan, "lower": np.nan, "upper": np.nan,
        "n_start": len(fit.reported), "n_at_risk": counts["n_at_risk"], "n_confirmed": counts["n_confirmed"],
        "known": "insufficient", "method": None, "left_by": np.nan,
    }  # fmt: skip
    drawn = fit.curve.draw(min(study.draws, DRAWS), study.seed)
    if not (drawn[..., 1] > 0).any(axis=1).all():
        return {**row, "note": NOTES["no_exit"]}
    joined = {name: _join(fit, drawn, name) for name in DISTRIBUTIONS}
    best = max(joined, key=lambda name: joined[name].log_likelihood)
    chosen = joined[best]
    row |= {"method": best, "left_by": chosen.left_by}
    why = _why_not(chosen, joined, horizon)
    if why:
        return {**row, "note": NOTES[why]}
    width = NORMAL_975 * np.sqrt(chosen.variance)
    lower, upper = (float(1 / (1 + np.exp(-(chosen.logit + side * width)))) for side in (-1, 1))
    found = {"estimate": chosen.share, "se": chosen.se, "lower": lower, "upper": upper, "known": "observed"}
    return {**row, **found, "note": NOTES[""]}


def _why_not(chosen: _Joined, joined: Mapping[str, _Joined], horizon: int) -> str:
    """The first rule of the module that fails; nothing where all hold."""
    if chosen.held < NEARLY_ALL:
        return "no_plateau"
    if not chosen.left_by <= horizon:
        return "short_follow_up"
    as_well = [one for one in joined.values() if chosen.log_likelihood - one.log_likelihood <= AS_WELL]
    apart = any(
        one.held < NEARLY_ALL or not one.left_by <= horizon or abs(one.share - chosen.share) > 2 * chosen.se
        for one in as_well
    )
    return "shape" if apart else ""


def _join(fit: MainFit, drawn: np.ndarray, distribution: str) -> _Joined:
    """Rubin's rules over the draws, for one distribution of the leaving times."""
    entry = ceil_month(fit.reported.entry)
    each = [
        one
        for one in (_fitted(entry, fit.reported.household, two[:, 0], two[:, 1], distribution) for two in drawn)
        if one
    ]
    held = [one for one in each if one.share > SMALLEST and one.evidence > EVIDENCE]
    likelihood = float(np.mean([one.log_likelihood for one in each])) if each else -np.inf
    if not held:
        return _Joined(-np.inf, np.nan, 0.0, np.nan, likelihood)
    share = np.array([one.share for one in held])
    logit = np.log(share / (1 - share))
    within = np.mean([(one.se / (p * (1 - p))) ** 2 for one, p in zip(held, share, strict=True)])
    between = logit.var(ddof=1) if len(held) > 1 else 0.0
    left_by = float(np.median([_left_by(one.location, one.scale, distribution) for one in held]))
    variance = float(within + (1 + 1 / len(held)) * between)
    return _Joined(float(logit.mean()), variance, len(held) / len(drawn), left_by, likelihood)


# As mixture_cure asks of a share that is supported.
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

    rest = 1 - MOST_LEFT
    z = {
        "weibull": np.log(-np.log(rest)),
        "lognormal": NormalDist().inv_cdf(MOST_LEFT),
        "loglogistic": np.log(MOST_LEFT / rest),
    }[distribution]
    return float(np.exp(location + scale * z))
