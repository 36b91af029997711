"""What the main estimate becomes when an assumption of the observation model is moved.

What the model takes to be so, nobody can see: that those whom a contact failed to reach had left as often as the
failures of the others say, that a departure is heard of as easily in the fourth year as in the first, that contacts
are made whoever is doing badly. Each is moved by a stated amount, with how departures become known held as it was
found, and the curve is fitted again. The lowest and the highest of these curves are the range that is printed beside
the limits: limits say what chance may have done, the range what the assumptions may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .reported import Reported
from .study import Study

if TYPE_CHECKING:
    from .survival import ObservedCurve

# Odds are halved and doubled: as far as a reader who knows the field would go.
STEP = 2.0
ASSUMPTIONS = (
    "failed_contacts_left_less", "failed_contacts_left_more", "heard_less_after_contacts", "heard_more_after_contacts",
    "hearing_fades", "contacts_follow_trouble",
)  # fmt: skip
_LAST = 240


def moved_curves(stays: Reported, fit: ObservedCurve, study: Study) -> dict[str, pd.Series]:
    """
    S by month under each assumption of `ASSUMPTIONS`, with the reporting of `fit` held.

    Parameters
    ----------
    stays : Reported
        The stays of the group.
    fit : ObservedCurve
        The main fit of these stays.
    study : Study
    """
    last = last_contact(fit)
    month = np.arange(_LAST)
    told = stays.contacts.loc[stays.contacts["kind"].eq("news"), "month"]
    middle = float(told.median()) if len(told) else 0.0
    moved = {
        "failed_contacts_left_less": {"odds_gone": 1 / STEP},
        "failed_contacts_left_more": {"odds_gone": STEP},
        "heard_less_after_contacts": {"odds_heard": np.where(month > last, 1 / STEP, 1.0)},
        "heard_more_after_contacts": {"odds_heard": np.where(month > last, STEP, 1.0)},
        # halved in a year, around the month in which the news that taught it came
        "hearing_fades": {"odds_heard": STEP ** (-(month - middle) / 12)},
        "contacts_follow_trouble": {},
    }
    found = {}
    for name, odds in moved.items():
        about = _with_missed(stays, study) if name == "contacts_follow_trouble" else (stays, {})
        curve = about[0].fit(study, reporting=fit.reporting, **odds, **about[1])
        found[name] = curve.table[curve.table["cause"].eq(0)].set_index("month")["incidence"]
    return found


def last_contact(fit: ObservedCurve) -> int:
    """The last month that enough stays were found present at: from there on hearsay alone carries the curve."""
    rows = fit.table[fit.table["cause"].eq(0) & fit.table["known"].eq("observed")]
    return int(rows["month"].max()) if len(rows) else 0


def _with_missed(stays: Reported, study: Study) -> tuple[Reported, dict[str, float]]:
    """
    The stays with the contacts that were due and that nobody made, and what these say of who had left.

    Where the odds of being called are doubled for those who had left, those not called had left less often, and those
    called in vain more often.
    """
    rows = stays.contacts
    held = rows[rows["kind"].isin(["present", "left", "failed"])]
    known = rows[rows["kind"].isin(["left", "news"])].groupby("stay")["month"].min()
    until = np.minimum(stays.heard_until, known.reindex(range(len(stays))).fillna(np.inf).to_numpy())
    n = len(stays)
    missed, due_in_all = [], 0
    for due in study.follow_up_months:
        near = held.loc[(held["month"] - due).abs() <= _slack(due), "stay"].unique()
        tried = np.isin(np.arange(n), near)
        expected = (until >= due) & (stays.entry < due)
        due_in_all += int((tried | expected).sum())
        missed.append(pd.DataFrame({"stay": np.flatnonzero(expected & ~tried), "month": float(due), "kind": "missed"}))
    extra = pd.concat(missed, ignore_index=True) if missed else rows[:0]
    share = 1 - len(extra) / due_in_all if due_in_all else 1.0
    called = share + (1 - share) / STEP  # of those who had left, relative to the others
    odds = {"odds_missed": 1 / (STEP * share + 1 - share), "odds_gone": 1 / called}
    added = pd.concat([rows, extra.reindex(columns=rows.columns).assign(cause=0)], ignore_index=True)
    return Reported(added, stays.entry, stays.heard_until, stays.household, stays.role), odds


def _slack(due: float) -> float:
    """How far from its due month a contact may be held and still be that contact."""
    return max(1.0, due / 6)
