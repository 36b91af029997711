"""What the main estimate becomes when an assumption of the observation model is moved.

What the model takes to be so, nobody can see: that those whom a contact failed to reach had left as often as the
failures of the others say, that a departure is heard of as easily in the fourth year as in the first, that contacts
are made whoever is doing badly, that nobody is out of reach of every contact, that a report of departure which a
presence contradicts may have been false. Each is moved by a stated amount, with how departures become known held as it
was found (learnt again by the last three), and the curve is fitted again. The
lowest and the highest of these curves are the range that is printed beside the limits: limits say what chance may
have done, the range what the assumptions may have. `odds_curve` moves the first two of them over a whole range of odds
ratios, for a figure: how far would one have to go from the model for the rate to be another?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..stays.contacts import ATTEMPTS, SLACK_MONTHS
from ..study import Study
from .model_input import Reported

if TYPE_CHECKING:
    from ..survival import ObservedCurve, Reporting
    from .main_fits import MainFit

# Odds are halved and doubled: as far as a reader who knows the field would go.
STEP = 2.0
# Who is doing badly leaves within so many months; and at most so many of those due are called.
LEAD = 12
MOST = 0.98
_LAST = 240
# Odds ratios of a figure, about evenly spread on the scale of logarithms: four times less to four times more.
GRID = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
# The share of the departures that is heard of is told of so many months after them.
EAR = 24
ODDS_COLUMNS = (
    "measure", "group", "assumption", "value", "share_heard", "horizon", "estimate", "n_start", "n_at_risk",
    "n_confirmed", "known", "method", "note",
)  # fmt: skip
_ODDS_NOTES = {
    "odds_gone": "odds ratio of having left among failed contacts, against what the model found",
    "odds_heard": "odds ratio of being heard of in each month after leaving, against what the model found",
}


def moved_fits(
    stays: Reported, fit: ObservedCurve, study: Study, lent: tuple[Reporting, Reporting] | None = None
) -> dict[str, ObservedCurve]:
    """
    The fit under each assumption, by its name: `failed_contacts_left_less` … `some_never_reached`, as below;
    `first_reports_stand` where presences contradict some of them.

    Parameters
    ----------
    stays : Reported
        The stays of the group.
    fit : ObservedCurve
        The main fit of these stays.
    study : Study
    lent : pair of Reporting, optional
        What the fit borrowed, and what it would have where some are never reached.
    """
    last = last_contact(fit)
    month = np.arange(_LAST)
    told = stays.contacts.loc[stays.contacts["kind"].eq("news"), "month"]
    middle = float(told.median()) if len(told) else 0.0
    borrowed, borrowed_never = lent or (None, None)
    odds: dict[str, dict[str, Any]] = {
        "failed_contacts_left_less": {"odds_gone": 1 / STEP},
        "failed_contacts_left_more": {"odds_gone": STEP},
        "heard_less_after_contacts": {"odds_heard": np.where(month > last, 1 / STEP, 1.0)},
        "heard_more_after_contacts": {"odds_heard": np.where(month > last, STEP, 1.0)},
        # halved in a year, around the month in which the news that taught it came
        "hearing_fades": {"odds_heard": STEP ** (-(month - middle) / 12)},
    }
    found = {name: stays.fit(study, reporting=fit.reporting, **moved) for name, moved in odds.items()}
    found["contacts_follow_trouble"] = _with_hints(stays, fit, study).fit(study, reporting=borrowed)
    found["some_never_reached"] = stays.fit(study, reporting=borrowed_never, some_never=True)
    if stays.some_false:
        found["first_reports_stand"] = stays.fit(study, reporting=borrowed, some_false=False)
    return found


def moved_curves(
    stays: Reported, fit: ObservedCurve, study: Study, lent: tuple[Reporting, Reporting] | None = None
) -> dict[str, pd.Series]:
    """S by month under each assumption; arguments as for `moved_fits`."""
    return {name: one.survival for name, one in moved_fits(stays, fit, study, lent).items()}


def last_contact(fit: ObservedCurve) -> int:
    """The last month that enough stays were found present at: from there on hearsay alone carries the curve."""
    rows = fit.table[fit.table["cause"].eq(0) & fit.table["known"].eq("observed")]
    return int(rows["month"].max()) if len(rows) else 0


def _with_hints(stays: Reported, fit: ObservedCurve, study: Study) -> Reported:
    """
    The stays, with what each contact that was due says if `STEP` times as many are made to those doing badly.

    Doing badly is to have left, or to leave within `LEAD` months: whoever was not called was then less likely to.
    """
    rows, n = stays.contacts, len(stays)
    rows = rows[rows["kind"].ne("service")]  # they say nothing here, and are half of the rows
    held = rows[rows["kind"].isin(ATTEMPTS)]
    known = rows[rows["kind"].isin(["left", "news"])].groupby("stay")["month"].min()
    until = np.minimum(stays.heard_until, known.reindex(range(n)).fillna(np.inf).to_numpy())
    survival = fit.survival
    hints = []
    for due in study.follow_up_months:
        tried = np.isin(np.arange(n), held.loc[(held["month"] - due).abs() <= SLACK_MONTHS, "stay"].unique())
        expected = tried | ((until >= due) & (stays.entry < due))
        badly = 1 - float(survival.get(min(due + LEAD, survival.index.max()), 1.0))
        # the share called of those due is that of those doing badly, at most MOST, and that of the others
        called = tried.sum() / max(expected.sum(), 1)
        theirs = min(STEP * called / (1 + (STEP - 1) * badly), max(MOST, called))
        others = (called - badly * theirs) / max(1 - badly, 1e-9)
        odds = np.where(tried, theirs / others, (1 - theirs) / (1 - others)) if 0 < others < 1 else 1.0
        month = np.minimum(due + LEAD, stays.heard_until)
        hint = pd.DataFrame({"stay": np.arange(n, dtype=np.int32), "month": month, "odds": odds})
        hints.append(hint[expected & (month > stays.entry)])
    more = pd.concat(hints, ignore_index=True).assign(kind="hint", cause=0)
    joined = pd.concat([rows, more], ignore_index=True)
    return replace(stays, contacts=joined)


# ── a whole range of odds ────────────────────────────────────────────────────────────────────────────────
def odds_curve(
    fits: Mapping[str, MainFit], *, study: Study, horizons: Iterable[int] = (12, 24),
    gone: Iterable[float] = GRID, heard: Iterable[float] = GRID,
) -> pd.DataFrame:  # fmt: skip
    """
    Retention against the odds ratio of leaving among failed contacts, and against that of hearing of a departure.

    Parameters
    ----------
    fits : mapping of str to MainFit
        The main fits of the groups (`course.main_fits`).
    study : Study
        Its support and seed are used.
    horizons : iterable of int
        Months.
    gone, heard : iterable of float
        Odds ratios above 0; at 1 the curve passes through the estimate.

    Returns
    -------
    DataFrame
        measure (`retention`), group, assumption (`odds_gone`, `odds_heard`), value (the odds ratio), share_heard (of
        the departures, heard of within `EAR` months by other than a scheduled contact; missing where nobody left),
        horizon, estimate (0–1; none where the horizon is not supported), n_start, n_at_risk, n_confirmed (stays),
        known, method (`main`), note.

    Raises
    ------
    ValueError
        An odds ratio that is not above 0.

    Notes
    -----
    Failures not at random cannot be tested from the data; the odds ratio is the sensitivity parameter of a pattern
    mixture (Robins, Rotnitzky & Scharfstein 1999). What was learnt of reporting is held as the main fit found it.
    """
    study, horizons = study, list(horizons)
    wanted = {"odds_gone": list(gone), "odds_heard": list(heard)}
    for name, values in wanted.items():
        if any(not 0 < value < np.inf for value in values):
            raise ValueError(f"{name}: odds ratios must be above 0, got {', '.join(f'{v:g}' for v in values)}.")
    found = []
    for group, fit in fits.items():
        at = fit.at(horizons)
        supported = at["known"].ne("insufficient").to_numpy()
        for name, values in wanted.items():
            for value in values:
                moved = fit.curve
                if value != 1:
                    asked: dict[str, Any] = {name: value}
                    moved = fit.reported.fit(study, reporting=fit.curve.reporting, **asked)
                share = share_heard(fit.curve, value if name == "odds_heard" else 1.0)
                estimate = moved.survival.reindex(horizons).to_numpy(dtype=float)
                found.append(at.assign(
                    group=group, assumption=name, value=float(value), share_heard=share, n_start=len(fit.reported),
                    estimate=np.where(supported, estimate, np.nan), note=_ODDS_NOTES[name],
                ))  # fmt: skip
    if not found:
        return pd.DataFrame(columns=list(ODDS_COLUMNS))
    table = pd.concat(found, ignore_index=True).assign(measure="retention", method="main")
    return table[list(ODDS_COLUMNS)]


def share_heard(fit: ObservedCurve, odds: float = 1.0, months: int = EAR) -> float:
    """
    The share of the departures that is heard of within some months, if the odds in each month are multiplied so.

    Over destinations, by how many leave for each; NaN where nobody leaves, or nothing is known of their being heard of.
    """
    from ..survival.observation.parameters import delay_class

    hazard = fit.reporting.hearing[..., 0][:, delay_class(np.arange(months + 1))]
    hazard = odds * hazard / (1 - hazard + odds * hazard)
    rows = fit.table[fit.table["cause"].gt(0)]
    leave = rows.groupby("cause")["incidence"].max().to_numpy(dtype=float)
    told = (leave > 0) & ~np.isnan(hazard).any(axis=1)
    if not told.any():
        return np.nan
    return float(np.average(1 - np.prod(1 - hazard[told], axis=1), weights=leave[told]))
