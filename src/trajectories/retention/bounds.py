"""Companion estimates of the main one: the plain estimate, and bounds for the persons lost.

All are `interval_incidence` on whole months. A contact held near its due date is moved to the nearest whole month,
whatever its outcome: rounding « parti » up and « présent » down would empty the risk set of exactly the month in which
the departures are put.

- `plain`: every exit ever heard of, stayers censored at their last presence. Late news destroys it (design.md, rule 4).
- `no_news_present`: everyone not known to have left is taken to be present until the cut-off.
- `all_lost_left`, `all_lost_stayed`: on the outcomes of scheduled contacts, everybody lost left at the failed or
  missed contact, or stayed to the cut-off. A departure first heard of after the last scheduled contact of a stay is
  censored there: censoring stayers at their last contact while counting every exit ever heard of would be no bound.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..months import TOLERANCE, ceil_month, floor_month
from ..stays.contacts import until_report
from ..study import Study
from ..survival import interval_incidence
from .model_input import CAUSES

COMPANIONS = ("plain", "no_news_present", "all_lost_left", "all_lost_stayed")


def observed_intervals(stays: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """
    The observed interval of each stay for each companion estimate, in whole months.

    Returns
    -------
    DataFrame
        One row a stay, in the order of `stays`: entry, and for each method `<method>_lower`, `<method>_upper`,
        `<method>_cause` on whole months (upper inf: right-censored; cause 0 with a finite upper: destination
        unknown), and `late_news` (a departure first heard of after the last scheduled contact). A stay that ends in
        the month in which it came under observation has an upper (or, censored, a lower) that is not above its
        entry: it is never at risk.
    """
    keys = ["person_id", "episode"]
    index = pd.MultiIndex.from_frame(stays[keys])
    all_contacts, contacts = contacts, until_report(contacts)

    def of(kinds: tuple[str, ...], how: str) -> np.ndarray:
        months = contacts.loc[contacts["kind"].isin(kinds)].groupby(keys)["month"].agg(how)
        return months.reindex(index).to_numpy(dtype=float)

    entry = ceil_month(stays["entry"])
    has_exit = stays["exit"].notna().to_numpy()
    cause = np.where(
        has_exit, stays["exit"].map({name: k for k, name in enumerate(CAUSES, start=1)}).fillna(0), 0
    ).astype(int)
    found_by_contact = of(("left",), "min")
    last_contact = of(("present", "left", "failed"), "max")
    # a « présent » after the departure became known is a contradiction: set aside
    valid = contacts[contacts["kind"].eq("present")].merge(
        pd.DataFrame({**stays[keys], "end": np.where(has_exit, stays["upper"], np.inf)}), on=keys
    )
    present = valid[valid["month"] <= valid["end"] + TOLERANCE].groupby(keys)["month"].max()
    confirmed = np.maximum(np.nan_to_num(np.round(present.reindex(index).to_numpy(dtype=float))), entry)
    heard = np.fmin(found_by_contact, of(("news",), "min"))
    late = has_exit & ~(heard <= last_contact)
    last_present = all_contacts.loc[all_contacts["kind"].eq("present")].groupby(keys)["month"].max()
    seen_after = np.nan_to_num(np.round(last_present.reindex(index).to_numpy(dtype=float)))
    doubtful = has_exit & (seen_after > heard)
    failed = _first_after(contacts, keys, index, confirmed)

    lower, upper = _whole_months(stays, found_by_contact)
    lost = stays["lost"].notna().to_numpy()
    gone_by = np.maximum(np.round(stays["lost_month"].to_numpy(dtype=float)), confirmed + 1)
    to_cutoff = np.maximum(floor_month(stays["cutoff"]), confirmed)
    columns: dict[str, np.ndarray] = {"entry": entry, "late_news": late}

    def keep(method: str, exit_known: np.ndarray, low: np.ndarray, high: np.ndarray, censored: np.ndarray) -> None:
        # an exit by the month of entry keeps its month (never at risk): moved after entry it would count as an event
        low = np.where(high > entry, np.maximum(low, entry), low)
        columns[f"{method}_lower"] = np.where(exit_known, low, np.maximum(censored, entry))
        columns[f"{method}_upper"] = np.where(exit_known, np.maximum(high, low + 1), np.inf)
        columns[f"{method}_cause"] = np.where(exit_known, cause, 0)

    all_lower = np.maximum(np.round(stays["lower"].to_numpy(dtype=float)), entry)
    keep("plain", has_exit, lower, upper, all_lower)
    keep("no_news_present", has_exit, lower, upper, np.maximum(to_cutoff, all_lower))
    # late news of someone whose last contact had failed: known gone, and gone by that failure in the lower bound
    late_lost = late & ~np.isnan(failed)
    found_left = has_exit & (~late | late_lost)
    by_failure = np.where(late_lost, np.fmin(upper, np.round(failed)), upper)
    keep(
        "all_lost_left",
        found_left | lost,
        np.where(late_lost | lost, np.minimum(lower, confirmed), lower),
        np.where(lost & ~has_exit, gone_by, by_failure),
        confirmed,
    )
    # a report that a presence contradicts was false in the upper bound
    keep(
        "all_lost_stayed",
        found_left & ~doubtful,
        lower,
        upper,
        np.where(lost, to_cutoff, np.where(doubtful, np.maximum(seen_after, entry), confirmed)),
    )
    return pd.DataFrame(columns)


def _whole_months(stays: pd.DataFrame, found_by_contact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of each exit on whole months: dated days go up, the ends of intervals to the nearest month."""
    low, high = stays["lower"].to_numpy(dtype=float), stays["upper"].to_numpy(dtype=float)
    dated = high - low <= TOLERANCE
    upper = np.where(
        dated, ceil_month(high), np.where(np.isinf(high), high, np.maximum(np.round(high), ceil_month(low)))
    )
    # a contact's month closes the interval of the exit, as for those it found present
    upper = np.fmin(upper, np.maximum(np.round(found_by_contact), 1))
    upper = np.maximum(upper, 1)
    lower = np.where(dated, upper - 1, np.minimum(np.round(low), upper - 1))
    return np.maximum(lower, 0), upper


def _first_after(contacts: pd.DataFrame, keys: list[str], index: pd.MultiIndex, since: np.ndarray) -> np.ndarray:
    failed = contacts[contacts["kind"].eq("failed")].merge(
        pd.DataFrame({"since": since}, index=index).reset_index(), on=keys
    )
    return failed[failed["month"] > failed["since"]].groupby(keys)["month"].min().reindex(index).to_numpy(dtype=float)


def companion_estimate(intervals: pd.DataFrame, method: str, study: Study) -> pd.DataFrame | None:
    """The fitted table (`interval_incidence`) of one companion estimate; None where no stay is at risk."""
    columns = [f"{method}_lower", f"{method}_upper", f"{method}_cause"]
    lower, upper, cause = (intervals[name].to_numpy() for name in columns)
    entry = intervals["entry"].to_numpy(dtype=float)
    # a stay that ends as it comes under observation is never at risk (counted in n_start all the same)
    usable = np.where(np.isfinite(upper), upper, lower) > entry
    if not usable.any():
        return None
    return interval_incidence(
        lower[usable], upper[usable], cause[usable], entry=entry[usable], support=study.support
    ).table
