"""Cohort → retention, exits by destination, bounds, as tidy tables.

The main estimate of this version is **provisional** (« estimation provisoire »): the interval-censored,
left-truncated, competing-risks NPMLE on the outcomes of scheduled contacts. A departure first heard of after the
last scheduled contact of a stay is censored there and counted apart: censoring stayers at their last contact while
counting every exit ever heard of would destroy the estimate (design.md, rule 4). Contacts that fail more often for
those who left still bias it upwards, so the bounds stand beside it; the observation model corrects for it and will
take its place behind the same functions.

A contact held near its due date is moved to the nearest whole month, whatever its outcome: rounding « parti » up and
« présent » down would empty the risk set of exactly the month in which the departures are put.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .months import TOLERANCE, ceil_month, floor_month
from .study import METROPOLITAN_REGIONS, REGION_CODES, Study
from .survival import interval_incidence
from .tables import EXITS, PROVINCE, RETENTION, stack

CAUSES = EXITS[:3]
# The methods of this version; the observation model adds `with_services`.
PROVISIONAL_METHODS = ("main", "plain", "no_news_present", "all_lost_left", "all_lost_stayed")
_NOTES = {
    "main": "provisional: scheduled contacts only, late news censored",
    "plain": "interval-censored estimate on every exit heard of",
    "no_news_present": "no news is taken as presence",
    "all_lost_left": "everyone lost is taken to have left",
    "all_lost_stayed": "everyone lost is taken to have stayed",
}


@dataclass(frozen=True)
class Estimates:
    """Tidy tables of one run: `retention`, `exits` (by destination) and `curves` (month by month)."""

    retention: pd.DataFrame
    exits: pd.DataFrame
    curves: pd.DataFrame


def retention(
    cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None
) -> pd.DataFrame:
    """
    Estimated retention among the persons followed by PASI, at the study's horizons.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables of those names.
    study : Study, optional
        Its horizons, support, pathway, replicates and seed are used.
    groups : iterable of str, optional
        `province`, region codes, names of study.groups, or `column=value` (a column of the cohort); by default the
        province and every region outside Montréal and Laval.

    Returns
    -------
    DataFrame
        The table `retention`: perimeter, scope, pathway, group, horizon (months), method, estimate, se, lower,
        upper (rates in 0–1), n_start, n_at_risk, n_confirmed (stays), known, note. Methods: `main`, `plain`,
        `no_news_present`, `all_lost_left`, `all_lost_stayed`. Limits: household bootstrap, of `main` only. A
        horizon that fewer than `support` stays are confirmed to have reached is `insufficient`, without estimate.

    Raises
    ------
    ValueError
        A group that is neither known nor of the form `column=value`.
    """
    return estimate(cohort, contacts, study=study, groups=groups).retention


def exits(
    cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None
) -> pd.DataFrame:
    """
    Where those who left went: cumulative incidence by destination, by the main method.

    Returns
    -------
    DataFrame
        group, horizon, cause (metropole, other_region, outside_quebec), estimate, se, lower, upper, n_start,
        n_at_risk, n_confirmed, known. With the retention of the same group and horizon the causes sum to 1: exits
        to an unknown destination are shared out as the known ones.
    """
    return estimate(cohort, contacts, study=study, groups=groups).exits


def estimate(
    cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None
) -> Estimates:
    """All that `retention` and `exits` return, and the curves, from one fit a group and method."""
    study = study or Study()
    stays = cohort[cohort["excluded"].isna()].reset_index(drop=True)
    if study.pathway is not None:
        stays = stays[stays["pathway"].eq(study.pathway)].reset_index(drop=True)
    known = observed_intervals(stays, contacts)
    tables = {"retention": [], "exits": [], "curves": []}
    for group, chosen in _members(stays, study, groups).items():
        for name, frame in _group_tables(stays[chosen], known[chosen], group, study).items():
            tables[name].append(frame)
    said = {"perimeter": study.perimeter, "scope": study.scope, "pathway": study.pathway or "all"}
    return Estimates(
        stack([frame.assign(**said) for frame in tables["retention"]], RETENTION)[list(RETENTION.columns)],
        pd.concat(tables["exits"], ignore_index=True),
        pd.concat(tables["curves"], ignore_index=True),
    )


def reported_groups() -> tuple[str, ...]:
    """The groups of a run: the province, and the regions outside Montréal and Laval."""
    return (PROVINCE, *(code for code in REGION_CODES if code not in METROPOLITAN_REGIONS))


def _members(stays: pd.DataFrame, study: Study, groups: Iterable[str] | None) -> Mapping[str, np.ndarray]:
    found = {}
    for group in reported_groups() if groups is None else groups:
        if group == PROVINCE:
            found[group] = np.ones(len(stays), dtype=bool)
        elif group in study.groups:
            found[group] = stays["region"].isin(study.groups[group]).to_numpy()
        elif group in REGION_CODES:
            found[group] = stays["region"].eq(group).to_numpy()
        elif "=" in group and group.split("=", 1)[0] in stays.columns:
            column, value = group.split("=", 1)
            found[group] = stays[column].astype(str).eq(value).to_numpy()
        else:
            raise ValueError(
                f"group {group!r} is neither province, a region code, a group of the study, nor column=value."
            )
    return found


# ── what is known of each stay, in whole months ───────────────────────────────────────────────────────────
def observed_intervals(stays: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """
    What each method takes as known of each stay.

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

    def of(kinds: tuple[str, ...], how: str) -> np.ndarray:
        months = contacts.loc[contacts["kind"].isin(kinds)].groupby(keys)["month"].agg(how)
        return months.reindex(index).to_numpy(dtype=float)

    entry = ceil_month(stays["entry"])
    left = stays["exit"].notna().to_numpy()
    cause = np.where(left, stays["exit"].map({name: k for k, name in enumerate(CAUSES, start=1)}).fillna(0), 0).astype(
        int
    )
    found_by_contact = of(("left",), "min")
    last_contact = of(("present", "left", "failed"), "max")
    # a « présent » after the departure became known is a contradiction: set aside
    valid = contacts[contacts["kind"].eq("present")].merge(
        pd.DataFrame({**stays[keys], "end": np.where(left, stays["upper"], np.inf)}), on=keys
    )
    present = valid[valid["month"] <= valid["end"] + TOLERANCE].groupby(keys)["month"].max()
    confirmed = np.maximum(np.nan_to_num(np.round(present.reindex(index).to_numpy(dtype=float))), entry)
    heard = np.fmin(found_by_contact, of(("news",), "min"))
    late = left & ~(heard <= last_contact)
    failed = _first_after(contacts, keys, index, confirmed)

    lower, upper = _whole_months(stays, found_by_contact)
    lost = stays["lost"].notna().to_numpy()
    gone_by = np.maximum(np.round(stays["lost_month"].to_numpy(dtype=float)), confirmed + 1)
    to_cutoff = np.maximum(floor_month(stays["cutoff"]), confirmed)
    found = {"entry": entry, "late_news": late}

    def keep(method: str, exit_known: np.ndarray, low: np.ndarray, high: np.ndarray, censored: np.ndarray) -> None:
        # an exit by the month of entry keeps its own month: put after it, it would be a death that nobody died
        low = np.where(high > entry, np.maximum(low, entry), low)
        found[f"{method}_lower"] = np.where(exit_known, low, np.maximum(censored, entry))
        found[f"{method}_upper"] = np.where(exit_known, np.maximum(high, low + 1), np.inf)
        found[f"{method}_cause"] = np.where(exit_known, cause, 0)

    keep("main", left & ~late, lower, upper, confirmed)
    all_lower = np.maximum(np.round(stays["lower"].to_numpy(dtype=float)), entry)
    keep("plain", left, lower, upper, all_lower)
    keep("no_news_present", left, lower, upper, np.maximum(to_cutoff, all_lower))
    # late news of someone whose last contact had failed: known gone, and gone by that failure in the lower bound
    late_lost = late & ~np.isnan(failed)
    found_left = left & (~late | late_lost)
    by_failure = np.where(late_lost, np.fmin(upper, np.round(failed)), upper)
    keep(
        "all_lost_left", found_left | lost, np.where(late_lost | lost, np.minimum(lower, confirmed), lower),
        np.where(lost & ~left, gone_by, by_failure), confirmed,
    )  # fmt: skip
    keep("all_lost_stayed", found_left, lower, upper, np.where(lost, to_cutoff, confirmed))
    return pd.DataFrame(found)


def _whole_months(stays: pd.DataFrame, found_by_contact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of each exit on whole months: dated days go up, the ends of intervals to the nearest month."""
    low, high = stays["lower"].to_numpy(dtype=float), stays["upper"].to_numpy(dtype=float)
    dated = high - low <= TOLERANCE
    upper = np.where(
        dated, ceil_month(high), np.where(np.isinf(high), high, np.maximum(np.round(high), ceil_month(low)))
    )
    # what a contact found is of a month that the contact closes, as for those it found present
    upper = np.fmin(upper, np.maximum(np.round(found_by_contact), 1))
    upper = np.maximum(upper, 1)
    lower = np.where(dated, upper - 1, np.minimum(np.round(low), upper - 1))
    return np.maximum(lower, 0), upper


def _first_after(contacts: pd.DataFrame, keys: list[str], index: pd.MultiIndex, since: np.ndarray) -> np.ndarray:
    failed = contacts[contacts["kind"].eq("failed")].merge(
        pd.DataFrame({"since": since}, index=index).reset_index(), on=keys
    )
    return failed[failed["month"] > failed["since"]].groupby(keys)["month"].min().reindex(index).to_numpy(dtype=float)


# ── tables of one group ───────────────────────────────────────────────────────────────────────────────────
def _group_tables(stays: pd.DataFrame, known: pd.DataFrame, group: str, study: Study) -> dict[str, pd.DataFrame]:
    last = max(study.horizons)
    fits = {
        method: _fit(stays, known, method, study, last, study.replicates if method == "main" else 0)
        for method in PROVISIONAL_METHODS
    }
    main = fits["main"]
    # a bound is about the same follow-up as the estimate: where that is thin, so is the bound
    followed = {method: main if method != "no_news_present" else fits[method] for method in fits}
    retained = [
        _at_horizons(fit[fit["cause"].eq(0)], study, len(stays), followed[method]).assign(
            group=group, method=method, note=_NOTES[method]
        )
        for method, fit in fits.items()
    ]
    left = [
        _at_horizons(main[main["cause"].eq(k)], study, len(stays), main).assign(group=group, cause=name)
        for k, name in enumerate(CAUSES, start=1)
    ]
    curve = main[main["cause"].eq(0)].rename(columns={"incidence": "survival"})
    bounds = {
        name: fits[method].loc[fits[method]["cause"].eq(0), "incidence"].to_numpy()
        for name, method in (("lost_left", "all_lost_left"), ("lost_stayed", "all_lost_stayed"))
    }
    curve = curve.assign(group=group, n_exits=_known_exits(known, curve["month"]), **bounds)
    curve["horizon"] = curve["month"].isin(study.horizons)
    columns = ["group", "month", "survival", "lower", "upper", "n_risk", "n_confirmed", "n_exits", *bounds, "known"]
    return {
        "retention": pd.concat(retained, ignore_index=True),
        "exits": pd.concat(left, ignore_index=True),
        "curves": curve[[*columns, "horizon"]].reset_index(drop=True),
    }


def _fit(
    stays: pd.DataFrame, known: pd.DataFrame, method: str, study: Study, last: int, replicates: int
) -> pd.DataFrame:
    """The fitted table of one method on months 0 … last; 1 for everyone where nobody can be followed."""
    columns = [f"{method}_lower", f"{method}_upper", f"{method}_cause"]
    lower, upper, cause = (known[name].to_numpy() for name in columns)
    entry = known["entry"].to_numpy(dtype=float)
    # a stay that ends as it comes under observation is never at risk (counted in n_start all the same)
    usable = np.where(np.isfinite(upper), upper, lower) > entry
    if not usable.any():
        return _nobody(last)
    fitted = interval_incidence(
        lower[usable], upper[usable], cause[usable], entry=entry[usable],
        cluster=stays["household_id"].to_numpy()[usable], replicates=replicates, seed=study.seed, support=study.support,
    ).table  # fmt: skip
    return _on_months(fitted, last)


def _nobody(last: int) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([range(len(CAUSES) + 1), range(last + 1)], names=["cause", "month"])
    empty = pd.DataFrame(index=rows).reset_index()
    return empty.assign(
        n_risk=0, n_confirmed=0, incidence=np.nan, se=np.nan, lower=np.nan, upper=np.nan, known="insufficient"
    )


def _on_months(fitted: pd.DataFrame, last: int) -> pd.DataFrame:
    """The table on every month 0 … last and every cause: flat after its last row, with nobody at risk there."""
    months = pd.RangeIndex(last + 1, name="month")
    whole = fitted[fitted["cause"].eq(0)].set_index("month").reindex(months)
    if 0 not in fitted["month"].to_numpy():
        # before the first month everyone is there
        whole.loc[0, ["n_risk", "n_confirmed", "known"]] = whole.loc[1, ["n_risk", "n_confirmed", "known"]]
    counts = whole[["n_risk", "n_confirmed"]].fillna(0).assign(known=whole["known"].fillna("insufficient"))
    found = []
    for cause in range(len(CAUSES) + 1):
        part = fitted[fitted["cause"].eq(cause)].set_index("month")[["incidence", "se", "lower", "upper"]]
        start = 1.0 if cause == 0 else 0.0
        # a cause that nobody left by has no row: it stays where it started
        if part.empty or 0 not in part.index:
            part.loc[0] = [start, 0.0, start, start]
        part = part.reindex(months).ffill()
        found.append(part.join(counts).reset_index().assign(cause=cause))
    return pd.concat(found, ignore_index=True)


def _at_horizons(part: pd.DataFrame, study: Study, n_start: int, followed: pd.DataFrame) -> pd.DataFrame:
    """The rows of a fit at the study's horizons, without estimate where too few are confirmed to have reached them."""
    rows = part.set_index("month").loc[list(study.horizons)].reset_index().rename(columns={"month": "horizon"})
    confirmed = followed[followed["cause"].eq(0)].set_index("month")["n_confirmed"].loc[list(study.horizons)]
    thin = confirmed.to_numpy() < study.support
    numbers = rows.assign(estimate=rows["incidence"], n_start=n_start, known=np.where(thin, "insufficient", "observed"))
    numbers[["n_at_risk", "n_confirmed"]] = rows[["n_risk", "n_confirmed"]].astype("int64")
    shown = ["estimate", "se", "lower", "upper"]
    numbers.loc[thin, shown] = np.nan
    return numbers[["horizon", *shown, "n_start", "n_at_risk", "n_confirmed", "known"]]


def _known_exits(known: pd.DataFrame, months: pd.Series) -> np.ndarray:
    """How many stays are known, by the main method, to have ended by each month."""
    ends = np.sort(known["main_upper"].to_numpy())
    return np.searchsorted(ends, months.to_numpy(dtype=float), side="right")
