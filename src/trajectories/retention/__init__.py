"""Cohort → retention, exits by destination, companion estimates and assumptions, as tidy tables.

The main estimate is the observation model (docs/observation-model.md): scheduled contacts that fail, and news that
comes late or never, each in the likelihood. A group too small to learn how its departures become known borrows that
from the province; the estimate with its own reporting is given as a companion. Companion estimates and bounds are in
bounds.py, the estimate under changed assumptions in assumptions.py.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..groups import members
from ..study import Study
from ..tables import PROVINCE, RETENTION, stack
from .assumptions import moved_fits
from .bounds import COMPANIONS, companion_estimate, observed_intervals
from .main_fits import OF_REPORTING, MainFit, Mapper, main_fits
from .model_input import CAUSES, model_input, stays_that_enter

if TYPE_CHECKING:
    from ..survival import ObservedCurve, Reporting

# At most so many replicates for the estimate on the other reporting: its limits are only for comparison.
BESIDE = 100
BOUNDS = ("all_lost_left", "all_lost_stayed")
# The companion with services and the main estimate should agree within so many standard errors.
GAP = 2.0
# A larger rise of the log-likelihood shows that some are never reached (by chance: once in a thousand).
CLEAR = 5.0
_NOTES = {
    "own_reporting": "how departures become known learnt from the group alone",
    "borrowed_reporting": "how departures become known borrowed from the province",
    "with_services": "services, and their silence, taken as evidence too",
    "plain": "interval-censored estimate on every exit heard of",
    "no_news_present": "no news is taken as presence",
    "all_lost_left": "everyone lost is taken to have left",
    "all_lost_stayed": "everyone lost is taken to have stayed",
}


@dataclass(frozen=True)
class Estimates:
    """
    Tidy tables of one run.

    `retention`, `exits` (by destination), `curves` (month by month), `assumptions` (retention under each moved
    assumption: group, horizon, assumption, estimate), `contact_failure` and `hearing` (how departures become known)
    and `checks` (what each fit rests on), with the group in front.
    """

    retention: pd.DataFrame
    exits: pd.DataFrame
    curves: pd.DataFrame
    assumptions: pd.DataFrame
    contact_failure: pd.DataFrame
    hearing: pd.DataFrame
    checks: pd.DataFrame


def retention(
    cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None
) -> pd.DataFrame:
    """
    Estimated retention among the persons followed by PASI, at the study's horizons.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts` (columns as in `tables.COHORT` and `tables.CONTACTS`).
    study : Study, optional
        Its horizons, support, pathway, replicates, follow-up schedule and seed are used.
    groups : iterable of str, optional
        `province`, region codes, names of study.groups, or `column=value` (a column of the cohort); by default
        `groups.reported_groups(study)`: the province, every region outside Montréal and Laval, the study's groups.

    Returns
    -------
    DataFrame
        The table `retention`: perimeter, scope, pathway, group, horizon (months), method, estimate, se, lower,
        upper (rates in 0–1), n_start, n_at_risk, n_confirmed (stays), known, note, range_lower, range_upper,
        reporting. Methods: `main`, the same with the other `reporting` (`own_reporting` or `borrowed_reporting`),
        `with_services`, `plain`, `no_news_present`, `all_lost_left`, `all_lost_stayed`. Limits: household bootstrap.
        The range is that of the moved assumptions (assumptions.py). A horizon that is `insufficient` has no estimate,
        bounds only.

    Raises
    ------
    ValueError
        A group that is neither known nor of the form `column=value`; a cohort made for another perimeter or scope than
        the study's.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> cohort, contacts = told_stays(400, seed=1).tables()  # truly 0.75 after a year
    >>> cohort = cohort.assign(exit=None, lost=None, lost_month=np.nan, lower=0.0, upper=np.inf)
    >>> study = Study(replicates=0, horizons=(12,))
    >>> table = retention(cohort, contacts, study=study, groups=["province"])
    >>> main = table.set_index("method").loc["main", ["range_lower", "estimate", "range_upper"]]
    >>> main.astype(float).round(2).tolist()
    [0.74, 0.76, 0.78]
    """
    return estimate(cohort, contacts, study=study or Study(), groups=groups).retention


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

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> cohort, contacts = told_stays(400, seed=1).tables()
    >>> cohort = cohort.assign(exit=None, lost=None, lost_month=np.nan, lower=0.0, upper=np.inf)
    >>> table = exits(cohort, contacts, study=Study(replicates=0, horizons=(12,)), groups=["province"])
    >>> table["cause"].tolist(), float(table["estimate"].sum().round(1))
    (['metropole', 'other_region', 'outside_quebec'], 0.2)
    """
    return estimate(cohort, contacts, study=study or Study(), groups=groups, companions=False).exits


def estimate(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    companions: bool = True,
    fits: Mapping[str, MainFit] | None = None,
    mapper: Mapper = map,
) -> Estimates:
    """
    The tables of `Estimates`, from one fit for each group and method.

    Without `companions` only the main method is fitted, and no assumption is moved. `fits` are the main fits of the
    same groups (`main_fits`), if already computed; `mapper` as in `main_fits`.
    """
    stays = stays_that_enter(cohort, study)
    chosen_of = members(stays, study, groups)
    intervals = observed_intervals(stays, contacts)
    fits = main_fits(cohort, contacts, study=study, groups=groups, mapper=mapper) if fits is None else fits
    never = None
    if companions and len(stays):
        everybody = fits[PROVINCE].model_input if PROVINCE in fits else model_input(stays, contacts)
        never = everybody.fit(study, some_never=True).reporting
        del everybody
    del stays
    results = mapper(
        functools.partial(_tables_of_group, never, study, companions),
        chosen_of,
        (intervals[chosen] for chosen in chosen_of.values()),
        map(fits.get, chosen_of),
    )
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in Estimates.__dataclass_fields__}
    for group, group_tables in zip(chosen_of, results, strict=True):
        for name, frame in group_tables.items():
            tables[name].append(frame.assign(group=group) if "group" in frame else _first(frame, group))
    settings = {"perimeter": study.perimeter, "scope": study.scope, "pathway": study.pathway or "all"}
    joined = {name: pd.concat(frames, ignore_index=True) for name, frames in tables.items() if name != "retention"}
    for name, columns in OF_REPORTING.items():  # where no group has a stay, no fit gave these columns
        joined[name] = joined[name].reindex(columns=["group", *columns, "reporting"])
    rates = stack([frame.assign(**settings) for frame in tables["retention"]], RETENTION)[list(RETENTION.columns)]
    return Estimates(rates, **joined)


def _first(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    frame = frame.copy()
    frame.insert(0, "group", group)
    return frame


def _tables_of_group(
    never: Reporting | None, study: Study, companions: bool, group: str, intervals: pd.DataFrame, fit: MainFit | None
) -> dict[str, pd.DataFrame]:
    return _group_tables(_fits(group, intervals, fit, never, study), intervals, study, companions)


# ── the fits of one group ─────────────────────────────────────────────────────────────────────────────────
_OF_CURVE = ["incidence", "se", "lower", "upper"]


@dataclass(frozen=True)
class _Fits:
    """The main fit of a group, on whose reporting it rests, the fitted tables by method, and the moved fits."""

    main: ObservedCurve | None
    reporting: str
    tables: dict[str, pd.DataFrame]
    moved: dict[str, ObservedCurve]


def _fits(group: str, intervals: pd.DataFrame, fit: MainFit | None, never: Reporting | None, study: Study) -> _Fits:
    """The fits of one group; `never`: the province's where some are never reached, None for the main method only."""
    if fit is None:
        return _Fits(None, "own", {}, {})
    stays = fit.model_input
    is_own = fit.reporting == "own"
    tables = {"main": fit.curve.table}
    if never is None:
        return _Fits(fit.curve, fit.reporting, tables, {})
    lent = None if is_own else fit.province
    if group != PROVINCE:
        fewer = min(study.replicates, BESIDE)
        other_fit = stays.fit(study, replicates=fewer, reporting=fit.province if is_own else None)
        tables["borrowed_reporting" if is_own else "own_reporting"] = other_fit.table
    tables["with_services"] = stays.fit(study, services=True, reporting=lent).table
    for method in COMPANIONS:
        fitted = companion_estimate(intervals, method, study)
        if fitted is not None:
            tables[method] = fitted
    moved_assumptions = moved_fits(stays, fit.curve, study, None if is_own else (fit.province, never))
    return _Fits(fit.curve, fit.reporting, tables, moved_assumptions)


# ── tables of one group ───────────────────────────────────────────────────────────────────────────────────
def _group_tables(fits: _Fits, intervals: pd.DataFrame, study: Study, companions: bool) -> dict[str, pd.DataFrame]:
    last, n_start = max(study.horizons), len(intervals)
    methods = ["main", *(m for m in fits.tables if m != "main")] if fits.tables else ["main"]
    if companions:
        methods = list(dict.fromkeys([*methods, "with_services", *COMPANIONS]))
    months = {m: _on_months(fits.tables[m], last) if m in fits.tables else _nobody(last) for m in methods}
    main = months["main"]
    if all(bound in months for bound in BOUNDS):
        _follow_both(months, study)
    notes = _NOTES | {"main": _note(fits, months)}
    rates = [
        _at_horizons(table[table["cause"].eq(0)], study, n_start).assign(method=method, note=notes[method])
        for method, table in months.items()
    ]
    rates[0] = rates[0].assign(reporting=fits.reporting, **_range(fits, months, rates[0], study))
    exit_rates = [
        _at_horizons(main[main["cause"].eq(k)], study, n_start).assign(cause=name)
        for k, name in enumerate(CAUSES, start=1)
    ]
    return {
        "retention": _grouped(rates),
        "exits": _grouped(exit_rates),
        "curves": _curves(main, months, intervals, study),
        "assumptions": _assumptions(fits, rates[0], study),
        **{name: _of_fit(fits, name) for name in OF_REPORTING},
    }


def _grouped(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True).assign(group="")


def _of_fit(fits: _Fits, name: str) -> pd.DataFrame:
    """A reporting table of the main fit, with whose reporting it is (own or borrowed)."""
    if fits.main is None:
        return pd.DataFrame({"reporting": pd.Series(dtype="object")})
    return getattr(fits.main, name).assign(reporting=fits.reporting)


def _nobody(last: int) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([range(len(CAUSES) + 1), range(last + 1)], names=["cause", "month"])
    empty = pd.DataFrame(index=rows).reset_index()
    return empty.assign(
        n_risk=0, n_confirmed=0, incidence=np.nan, se=np.nan, lower=np.nan, upper=np.nan, known="insufficient"
    )


def _on_months(fitted: pd.DataFrame, last: int) -> pd.DataFrame:
    """The table on every month 0 … last and every cause: flat after its last row, with nobody at risk there."""
    months = np.arange(last + 1)
    causes = fitted["cause"].to_numpy()
    all_months = fitted[causes == 0].set_index("month").reindex(months)[["n_risk", "n_confirmed", "known"]]
    if 0 not in fitted["month"].to_numpy():
        # before the first month everyone is there
        all_months.loc[0] = all_months.loc[1]
    all_months[["n_risk", "n_confirmed"]] = all_months[["n_risk", "n_confirmed"]].fillna(0)
    all_months["known"] = all_months["known"].fillna("insufficient")
    numbers, month = fitted[_OF_CURVE].to_numpy(dtype=float), fitted["month"].to_numpy()
    rows = []
    for cause in range(len(CAUSES) + 1):
        of_cause = np.flatnonzero(causes == cause)
        # a cause without exits has no row: its incidence stays at the start, without error
        start = 1.0 if cause == 0 else 0.0
        values = np.vstack([[start, 0.0, start, start], numbers[of_cause]])
        rows.append(values[np.searchsorted(month[of_cause], months, side="right")])
    tables = [all_months.assign(cause=cause) for cause in range(len(rows))]
    table = pd.concat(tables).rename_axis("month").reset_index()
    table[_OF_CURVE] = np.concatenate(rows)
    return table


def _follow_both(months: dict[str, pd.DataFrame], study: Study) -> None:
    """Show both bounds or none: only where both have enough stays at risk, whether or not the estimate is shown."""
    fewest = np.minimum(*(months[bound]["n_risk"].to_numpy() for bound in BOUNDS))
    for bound in BOUNDS:
        enough = np.where(fewest >= study.support, "observed", "insufficient")
        months[bound] = months[bound].assign(known=enough)


def _at_horizons(part: pd.DataFrame, study: Study, n_start: int) -> pd.DataFrame:
    """The rows of a fit at the study's horizons, without estimate where `known` is `insufficient`."""
    rows = part.set_index("month").loc[list(study.horizons)].reset_index().rename(columns={"month": "horizon"})
    numbers = rows.assign(estimate=rows["incidence"], n_start=n_start)
    numbers[["n_at_risk", "n_confirmed"]] = rows[["n_risk", "n_confirmed"]].astype("int64")
    shown = ["estimate", "se", "lower", "upper"]
    numbers.loc[rows["known"].eq("insufficient"), shown] = np.nan
    return numbers[["horizon", *shown, "n_start", "n_at_risk", "n_confirmed", "known"]]


def _range(
    fits: _Fits, months: dict[str, pd.DataFrame], rates: pd.DataFrame, study: Study
) -> dict[str, np.ndarray | float]:
    """The lowest and highest retention under the moved assumptions and with services, where there is an estimate."""
    if not fits.moved:
        return {"range_lower": np.nan, "range_upper": np.nan}
    curves = [fit.survival for fit in fits.moved.values()]
    with_services = months["with_services"]
    curves.append(with_services[with_services["cause"].eq(0)].set_index("month")["incidence"])
    estimates = [rates.set_index("horizon")["estimate"], *(_at(curve, study) for curve in curves)]
    stacked = np.vstack([values.to_numpy(dtype=float) for values in estimates])
    shown = rates["estimate"].notna().to_numpy()
    return {
        "range_lower": np.where(shown, stacked.min(axis=0), np.nan),
        "range_upper": np.where(shown, stacked.max(axis=0), np.nan),
    }


def _at(curve: pd.Series, study: Study) -> pd.Series:
    """A curve at the horizons, flat after its last month."""
    return curve.reindex(range(max(study.horizons) + 1)).ffill().fillna(1.0).loc[list(study.horizons)]


def _assumptions(fits: _Fits, rates: pd.DataFrame, study: Study) -> pd.DataFrame:
    shown = rates["estimate"].notna().to_numpy()
    tables = [
        pd.DataFrame(
            {
                "horizon": list(study.horizons),
                "assumption": name,
                "estimate": np.where(shown, _at(fit.survival, study), np.nan),
            }
        )
        for name, fit in fits.moved.items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"assumption": pd.Series(dtype="object")})


def _note(fits: _Fits, months: dict[str, pd.DataFrame]) -> str | None:
    """What a reader of the main estimate must know: sentences, or nothing."""
    if fits.main is None:
        return None
    notes = list(fits.main.notes)
    if fits.reporting == "borrowed":
        notes.insert(0, "How departures become known is borrowed from the province: too few were found by a contact.")
    never = fits.moved.get("some_never_reached")
    usual = fits.moved.get("first_reports_stand", fits.main)
    if never is not None and fits.reporting == "own" and never.log_likelihood - usual.log_likelihood > CLEAR:
        share = never.checks.loc[never.checks["check"].eq("never_reached"), "value"].iloc[0]
        notes.append(f"Contacts seem never to reach {share:.0%} of the persons: the rate may be the range's other end.")
    if services_apart(months).any():
        notes.append("With services the estimate differs by over two standard errors.")
    return " ".join(notes) or None


def services_apart(months: dict[str, pd.DataFrame]) -> np.ndarray:
    """Where the companion with services is over two standard errors from the main estimate, by month."""
    if "with_services" not in months:
        return np.zeros(1, dtype=bool)
    main, with_services = (months[m][months[m]["cause"].eq(0)].set_index("month") for m in ("main", "with_services"))
    judged = main["known"].ne("insufficient") & (main["se"] > 0)
    return (((main["incidence"] - with_services["incidence"]).abs() > GAP * main["se"]) & judged).to_numpy()


def _bound(table: pd.DataFrame) -> np.ndarray:
    """S by month where both bounds are supported."""
    rows = table[table["cause"].eq(0)]
    return rows["incidence"].where(rows["known"].ne("insufficient")).to_numpy()


def _curves(main: pd.DataFrame, months: dict[str, pd.DataFrame], intervals: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The main curve month by month, the bounds beside it, and how many are known to have left by each month."""
    curve = main[main["cause"].eq(0)].rename(columns={"incidence": "survival"})
    bounds = {
        name: _bound(months[method]) if method in months else np.nan
        for name, method in (("lost_left", "all_lost_left"), ("lost_stayed", "all_lost_stayed"))
    }
    ends = np.sort(intervals["plain_upper"].to_numpy())
    by_month = np.searchsorted(ends, curve["month"].to_numpy(dtype=float), side="right")
    curve = curve.assign(group="", n_exits=by_month, horizon=curve["month"].isin(study.horizons), **bounds)
    columns = ["group", "month", "survival", "lower", "upper", "n_risk", "n_confirmed", "n_exits", *bounds, "known"]
    return curve[[*columns, "horizon"]].reset_index(drop=True)
