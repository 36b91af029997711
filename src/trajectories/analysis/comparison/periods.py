"""Each group's retention among those who settled lately, beside those who settled before.

A reader asks first whether things get better. The two parts are the last three fiscal years begun by the cut-off, and
all before them: the parts move once a year, so that two publications of one year tell of the same persons, and every
stay is in one of them, so that none is left that a subtraction would find (disclosure/rates.py).

Each part has the main estimate of its own stays, with the reporting of the group (how its departures become known is
learnt from all of its stays). Limits by household bootstrap. The difference is judged as that of two independent
estimates: a household that settled twice in the same region, in both parts, is rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...retention.main_fits import MainFit
from ...study import Study
from ...survival.checks import NORMAL_975
from ...tables import BEFORE, BY_PERIOD, RECENT

# Fiscal years in the later part: long enough for most of its stays to be followed for a year, and for a region's to be
# told; short enough to be of the present.
YEARS = 3
HORIZON = 12
# Replicates, at most: limits for a look beside the main ones, of some thirty fits.
REPLICATES = 100
UP, DOWN, UNCLEAR = "up", "down", "unclear"
COLUMNS = (
    "measure", "group", "part", "since", "horizon", "estimate", "se", "lower", "upper", "n_start", "n_at_risk",
    "n_households", "known", "change",
)  # fmt: skip


def retention_by_period(fits: Mapping[str, MainFit], *, cutoff: pd.Timestamp, study: Study) -> pd.DataFrame:
    """
    Retention at twelve months of those who settled in the last three fiscal years, and of those who settled before.

    Parameters
    ----------
    fits : mapping of str to MainFit
        As `main_fits` returns them.
    cutoff : Timestamp
        The last day of observation.
    study : Study
        Its replicates, seed and support are used; the horizon is its longest where that is under twelve months.

    Returns
    -------
    DataFrame
        measure (`retention_by_period`), group, part (`recent`, `before`), since (the first day of the recent part),
        horizon (months), estimate, se, lower, upper (rates in 0–1), n_start, n_at_risk (stays), n_households, known,
        change (`up`, `down` or `unclear`: of the recent part against the other, where both have an estimate: 95 %
        limits of the difference on one side of 0). Two rows a group.

    Examples
    --------
    >>> first_day_of_recent(pd.Timestamp("2025-12-31")), first_day_of_recent(pd.Timestamp("2026-03-31"))
    (Timestamp('2023-04-01 00:00:00'), Timestamp('2023-04-01 00:00:00'))
    """
    since = first_day_of_recent(cutoff)
    horizon = min(HORIZON, max(study.horizons))
    rows = []
    for group, fit in fits.items():
        recent = fit.stays["establishment_latest"].ge(since).to_numpy()
        parts = {RECENT: _part(fit, recent, horizon, study), BEFORE: _part(fit, ~recent, horizon, study)}
        change = _change(parts[RECENT], parts[BEFORE])
        rows += [
            {"group": group, "part": part, "since": since, "horizon": horizon, "change": change} | row
            for part, row in parts.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS).assign(measure=BY_PERIOD)


def first_day_of_recent(cutoff: pd.Timestamp) -> pd.Timestamp:
    """The first day of the last three fiscal years (from 1 April) begun by the cut-off."""
    begun = cutoff.year - (cutoff.month < 4)
    return pd.Timestamp(begun - YEARS + 1, 4, 1)


def _part(fit: MainFit, chosen: np.ndarray, horizon: int, study: Study) -> dict[str, Any]:
    """The main estimate of some of a group's stays, with the group's reporting."""
    stays = fit.stays[chosen]
    counts = {"n_start": len(stays), "n_at_risk": 0, "n_households": stays["household_id"].nunique()}
    nothing = {"estimate": np.nan, "se": np.nan, "lower": np.nan, "upper": np.nan, "known": "insufficient"}
    if not len(stays):
        return counts | nothing
    lent = fit.province if fit.reporting == "borrowed" else fit.curve.reporting
    curve = fit.model_input.of(chosen).fit(study, replicates=min(study.replicates, REPLICATES), reporting=lent)
    part_fit = MainFit(stays, fit.model_input, curve, fit.reporting, fit.province)
    at = part_fit.at([horizon]).iloc[0]
    counts |= {"n_at_risk": int(at["n_at_risk"])}
    if at["known"] == "insufficient":
        return counts | nothing
    table = curve.table[curve.table["cause"].eq(0) & curve.table["month"].le(horizon)].sort_values("month").iloc[-1]
    limits = {"estimate": table["incidence"], "se": table["se"], "lower": table["lower"], "upper": table["upper"]}
    return counts | limits | {"known": at["known"]}


def _change(recent: Mapping[str, float], before: Mapping[str, float]) -> str | None:
    """Which way the difference goes, where its 95 % limits exclude none."""
    difference = recent["estimate"] - before["estimate"]
    if np.isnan(difference):
        return None
    se = np.hypot(recent["se"], before["se"])
    if not np.abs(difference) > NORMAL_975 * se:  # a missing error is no proof
        return UNCLEAR
    return UP if difference > 0 else DOWN
