"""The main estimate under changed assumptions of the observation model.

The model makes assumptions that the data cannot test: persons whom a contact failed to reach had left as often as the
model of failures implies; a departure is heard of as easily in the fourth year as in the first; contacts do not depend
on how a person is doing; nobody is out of reach of every contact; a report of departure that a presence contradicts
may be false. Each is changed by a stated amount and the curve is fitted again, with the reporting parameters held as
estimated (estimated again for the last three). The lowest and highest of these curves are the range printed beside the
limits: limits give sampling error, the range gives sensitivity to assumptions. `odds_curve` varies the first two over
a grid of odds ratios, for a figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..stays.contacts import ATTEMPTS, SLACK_MONTHS
from ..study import Study
from .model_input import ModelInput

if TYPE_CHECKING:
    from ..survival import ObservedCurve, Reporting
    from .main_fits import MainFit

# Odds are halved and doubled: about as far as is plausible in the field.
STEP = 2.0
# A person doing badly leaves within so many months; at most this share of those due is called.
LEAD = 12
MOST = 0.98
_LAST = 240
# Odds ratios of a figure, about evenly spread on the scale of logarithms: four times less to four times more.
GRID = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
# The share of departures heard of is given at so many months after them.
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
    stays: ModelInput, fit: ObservedCurve, study: Study, lent: tuple[Reporting, Reporting] | None = None
) -> dict[str, ObservedCurve]:
    """
    The fit under each assumption, by its name: `failed_contacts_left_less` … `some_never_reached`, as below;
    `first_reports_stand` where presences contradict some of them.

    Parameters
    ----------
    stays : ModelInput
        The stays of the group.
    fit : ObservedCurve
        The main fit of these stays.
    study : Study
    lent : pair of Reporting, optional
        The reporting the fit borrowed, and the one for the model in which some are never reached.
    """
    last = last_contact(fit)
    month = np.arange(_LAST)
    news_months = stays.contacts.loc[stays.contacts["kind"].eq("news"), "month"]
    middle = float(news_months.median()) if len(news_months) else 0.0
    borrowed, borrowed_never = lent or (None, None)
    odds: dict[str, dict[str, Any]] = {
        "failed_contacts_left_less": {"odds_gone": 1 / STEP},
        "failed_contacts_left_more": {"odds_gone": STEP},
        "heard_less_after_contacts": {"odds_heard": np.where(month > last, 1 / STEP, 1.0)},
        "heard_more_after_contacts": {"odds_heard": np.where(month > last, STEP, 1.0)},
        # halved each year, from the median month of the news
        "hearing_fades": {"odds_heard": STEP ** (-(month - middle) / 12)},
    }
    fits = {name: stays.fit(study, reporting=fit.reporting, **moved) for name, moved in odds.items()}
    fits["contacts_follow_trouble"] = _with_hints(stays, fit, study).fit(study, reporting=borrowed)
    fits["some_never_reached"] = stays.fit(study, reporting=borrowed_never, some_never=True)
    if stays.some_false:
        fits["first_reports_stand"] = stays.fit(study, reporting=borrowed, some_false=False)
    return fits


def moved_curves(
    stays: ModelInput, fit: ObservedCurve, study: Study, lent: tuple[Reporting, Reporting] | None = None
) -> dict[str, pd.Series]:
    """S by month under each assumption; arguments as for `moved_fits`."""
    return {name: moved_fit.survival for name, moved_fit in moved_fits(stays, fit, study, lent).items()}


def last_contact(fit: ObservedCurve) -> int:
    """The last month with enough stays confirmed present; beyond it the curve rests on hearsay alone."""
    rows = fit.table[fit.table["cause"].eq(0) & fit.table["known"].eq("observed")]
    return int(rows["month"].max()) if len(rows) else 0


def _with_hints(stays: ModelInput, fit: ObservedCurve, study: Study) -> ModelInput:
    """
    The stays with a hint for each contact due, if those doing badly are called with `STEP` times the odds.

    Doing badly means having left, or leaving within `LEAD` months.
    """
    rows, n = stays.contacts, len(stays)
    rows = rows[rows["kind"].ne("service")]  # not used here, and half of the rows
    attempts = rows[rows["kind"].isin(ATTEMPTS)]
    first_report = rows[rows["kind"].isin(["left", "news"])].groupby("stay")["month"].min()
    until = np.minimum(stays.heard_until, first_report.reindex(range(n)).fillna(np.inf).to_numpy())
    survival = fit.survival
    hints = []
    for due in study.follow_up_months:
        tried = np.isin(np.arange(n), attempts.loc[(attempts["month"] - due).abs() <= SLACK_MONTHS, "stay"].unique())
        expected = tried | ((until >= due) & (stays.entry < due))
        badly = 1 - float(survival.get(min(due + LEAD, survival.index.max()), 1.0))
        # the share called of those due is a mean over those doing badly (at most MOST) and those doing well
        called = tried.sum() / max(expected.sum(), 1)
        called_if_badly = min(STEP * called / (1 + (STEP - 1) * badly), max(MOST, called))
        called_if_well = (called - badly * called_if_badly) / max(1 - badly, 1e-9)
        odds = (
            np.where(tried, called_if_badly / called_if_well, (1 - called_if_badly) / (1 - called_if_well))
            if 0 < called_if_well < 1
            else 1.0
        )
        month = np.minimum(due + LEAD, stays.heard_until)
        hint = pd.DataFrame({"stay": np.arange(n, dtype=np.int32), "month": month, "odds": odds})
        hints.append(hint[expected & (month > stays.entry)])
    more = pd.concat(hints, ignore_index=True).assign(kind="hint", cause=0)
    joined = pd.concat([rows, more], ignore_index=True)
    return replace(stays, contacts=joined)


# ── a whole range of odds ────────────────────────────────────────────────────────────────────────────────
def odds_curve(
    fits: Mapping[str, MainFit],
    *,
    study: Study,
    horizons: Iterable[int] = (12, 24),
    gone: Iterable[float] = GRID,
    heard: Iterable[float] = GRID,
) -> pd.DataFrame:
    """
    Retention against the odds ratio of leaving among failed contacts, and against that of hearing of a departure.

    Parameters
    ----------
    fits : mapping of str to MainFit
        The main fits of the groups (`main_fits`).
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
    mixture (Robins, Rotnitzky & Scharfstein 1999). The reporting parameters are held at the main fit's.
    """
    study, horizons = study, list(horizons)
    odds_ratios = {"odds_gone": list(gone), "odds_heard": list(heard)}
    for name, values in odds_ratios.items():
        if any(not 0 < value < np.inf for value in values):
            raise ValueError(f"{name}: odds ratios must be above 0, got {', '.join(f'{v:g}' for v in values)}.")
    tables = []
    for group, fit in fits.items():
        at = fit.at(horizons)
        supported = at["known"].ne("insufficient").to_numpy()
        for name, values in odds_ratios.items():
            for value in values:
                curve = fit.curve
                if value != 1:
                    change: dict[str, Any] = {name: value}
                    curve = fit.model_input.fit(study, reporting=fit.curve.reporting, **change)
                share = share_heard(fit.curve, value if name == "odds_heard" else 1.0)
                estimate = curve.survival.reindex(horizons).to_numpy(dtype=float)
                tables.append(
                    at.assign(
                        group=group,
                        assumption=name,
                        value=float(value),
                        share_heard=share,
                        n_start=len(fit.model_input),
                        estimate=np.where(supported, estimate, np.nan),
                        note=_ODDS_NOTES[name],
                    )
                )
    if not tables:
        return pd.DataFrame(columns=list(ODDS_COLUMNS))
    table = pd.concat(tables, ignore_index=True).assign(measure="retention", method="main")
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
    is_estimated = (leave > 0) & ~np.isnan(hazard).any(axis=1)
    if not is_estimated.any():
        return np.nan
    return float(np.average(1 - np.prod(1 - hazard[is_estimated], axis=1), weights=leave[is_estimated]))
