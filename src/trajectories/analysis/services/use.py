"""Service use: who was reached by which service around the establishment, how soon, and how often.

Unit: the household's stay in a region (service_events.py). Windows, in days d from the establishment: `before`
(d < −31), `around` (−31 ≤ d ≤ 31) and `after` (d > 31, to the anniversary at 12 months). A service counts where its
whole interval of days lies in the window, whichever day of its own the establishment was; one that only may lie
in it is told apart (`undetermined`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ...groups import members
from ...months import add_months, ceil_month, floor_month, months_between
from ...study import Study
from ...survival import cumulative_incidence
from ...survival.checks import NORMAL_975
from ...tables import SERVICES
from ..portrait.delays import deposits_begin, nothing, on_months
from .service_events import (
    ALL_STREAMS,
    ANY_SERVICE,
    BEFORE_ARRIVAL,
    NUMBERS,
    TOO_FEW_FOLLOWED,
    UNKNOWN_STREAM,
    HouseholdStays,
    Served,
    beside_stays,
    fewest,
    finished,
    service_events,
    share_limits,
    with_shares,
)

BEFORE, AROUND, AFTER = WINDOWS = ("before", "around", "after")
AROUND_DAYS, AFTER_MONTHS, DELAY_MONTHS = 31, 12, 24
REACH, DELAY, NUMBER = "reach", "delay_to_first", "number_of_services"
# How many services: classes told beside the mean.
CLASSES = ("0", "1", "2_3", "4_plus")
# The share of establishments noted within the time left out before the cut-off, in `delay_to_first`.
NOTED = 0.95


def reach(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    issues: pd.DataFrame | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Share of the households that got each service before, around and after their establishment.

    Parameters
    ----------
    cohort, records, persons : DataFrame
        The tables `cohort`, `records` and `persons`.
    study : Study
        Its pathway, groups, support and disclosure.households are used.
    groups : iterable of str, optional
        As in `groups.members`; a column is that of the household's principal.
    issues : DataFrame, optional
        As in `services_given`.
    ready : Served, optional
        What `service_events` returned of these tables, where several functions are called on them.

    Returns
    -------
    DataFrame
        measure (`reach`), group, service (`any`, or one of SERVICES), stream (`all`; or each seen), when (`before`,
        `around`, `after`; `dated_before_arrival`), horizon (12 of `after`, else missing), estimate (share of the
        households, 0–1), se, lower, upper (95 %, Wilson), n_start and n_at_risk (households observed over the window),
        households (with the service), persons (members with it), undetermined (households without a service that is
        surely in the window, but with one that may be), method (`whole_window`), note (`too_few_households`,
        `unknown_stream`, `dated_before_arrival`: the row has no number; else missing).

        Of each group a household counts once, by its first stay there. Observed over a window: deposits began, and the
        principal had arrived, before `before` ends; services would have been told of to the end of the window, the
        stay had not surely ended before it began, and nobody died out of it. Who left within the window is in it.

    Examples
    --------
    >>> import trajectories.tables as t
    >>> day = pd.Timestamp("2022-03-01")
    >>> cohort = t.conform(pd.DataFrame({
    ...     "person_id": ["a"], "household_id": "H", "episode": 1, "region": "05", "pathway": "secondary",
    ...     "establishment_earliest": day, "establishment_latest": day, "entry": 0.0, "lower": 3.0,
    ...     "upper": float("inf"), "cutoff": 20.0, "heard_until": 20.0}), t.COHORT)
    >>> records = t.conform(pd.DataFrame({
    ...     "record_id": ["1"], "row": 1, "service": "reception", "organisation_zone": "region",
    ...     "service_date_earliest": pd.Timestamp("2022-04-01"), "service_date_latest": pd.Timestamp("2022-04-01")}),
    ...     t.RECORDS)
    >>> persons = pd.DataFrame({"record_id": ["1"], "person_id": "a", "household_id": "H"})
    >>> from trajectories.analysis.services.example import one_household
    >>> one = one_household()
    >>> table = reach(cohort, records, persons, study=one, groups=["05"])
    >>> received = table.query("service == 'reception' and stream == 'all'")
    >>> received[["when", "households", "n_start"]].values.tolist()  # deposits begin after it: nothing known of before
    [['before', <NA>, <NA>], ['around', 1, 1], ['after', 0, 1]]
    >>> received["note"].tolist()
    ['too_few_households', None, None]
    """
    ready = ready or service_events(cohort, records, persons, study, issues)
    stays_of_households, services = ready.household_stays, ready.services
    rows = _in_windows(beside_stays(services, stays_of_households))
    is_observed = observed(stays_of_households, records)
    frames = []
    for group, chosen in first_stays(stays_of_households, study, groups).items():
        for when in WINDOWS:
            in_it = chosen & is_observed[when].to_numpy()
            frames.append(_reached(rows, in_it, when).assign(group=group, when=when))
        frames.append(_not_believed(rows, chosen).assign(group=group))
    horizon = {AFTER: float(AFTER_MONTHS)}
    frames = [f.assign(horizon=f["when"].map(horizon), measure=REACH, method="whole_window") for f in frames]
    return finished(
        frames, ("service", "stream", "when"), ("households", "persons", "undetermined"), least=fewest(study)
    )


def observed(stays_of_households: HouseholdStays, records: pd.DataFrame) -> pd.DataFrame:
    """Which stays are observed over each window (columns `before`, `around`, `after`), as `reach` says."""
    stays = stays_of_households.stays
    day = pd.Timedelta(days=1)
    opens = stays["begins_earliest"] - (AROUND_DAYS + 1) * day
    closes = stays["begins"] + AROUND_DAYS * day
    anniversary = pd.Series(add_months(stays["begins"], AFTER_MONTHS).astype("datetime64[ns]"), index=stays.index)
    arrived = ~(stays["years_since_arrival"].astype(float) * 365.25 <= AROUND_DAYS)
    begun = pd.Timestamp(deposits_begin(records))

    def followed(start: pd.Series, end: pd.Series) -> pd.Series:
        death = stays["died"] & (stays["ended"] <= end)
        return (stays["until"] >= end) & ~(stays["ended_by"] < start) & ~death

    return pd.DataFrame(
        {
            BEFORE: (opens >= begun) & arrived,
            AROUND: followed(stays["begins"], closes),
            AFTER: followed(closes + day, anniversary),
        }
    )


def first_stays(
    stays_of_households: HouseholdStays, study: Study, groups: Iterable[str] | None
) -> dict[str, np.ndarray]:
    """Which stays are of each group: of each household the first there."""
    stays = stays_of_households.stays
    chosen = members(stays, study, None if groups is None else tuple(groups))
    household = stays["household_id"].to_numpy()
    for group, rows in chosen.items():
        at = np.flatnonzero(rows)
        first = np.zeros(len(stays), dtype=bool)
        first[at[~pd.Series(household[at]).duplicated().to_numpy()]] = True
        chosen[group] = first
    return chosen


def _in_windows(rows: pd.DataFrame) -> pd.DataFrame:
    """The services beside stays, with a flag a window that each is surely in, and one that it may be in."""
    low = (rows["earliest"] - rows["begins"]).dt.days
    high = (rows["latest"] - rows["begins_earliest"]).dt.days
    year = pd.Series(add_months(rows["begins"], AFTER_MONTHS).astype("datetime64[ns]"), index=rows.index)
    # after an exit it is of no stay here
    in_stay, perhaps_in_stay = (
        rows["latest"] <= rows["ended_by"].fillna(year),
        rows["earliest"] <= rows["ended_by"].fillna(year),
    )
    d = AROUND_DAYS
    surely = {
        BEFORE: high < -d,
        AROUND: (low >= -d) & (high <= d) & in_stay,
        AFTER: (low > d) & (rows["latest"] <= year) & in_stay,
    }
    perhaps = {
        BEFORE: low < -d,
        AROUND: (low <= d) & (high >= -d) & perhaps_in_stay,
        AFTER: (high > d) & (rows["earliest"] <= year) & perhaps_in_stay,
    }
    flags = {
        f"{kind}_{when}": flag
        for kind, some in (("surely", surely), ("perhaps", perhaps))
        for when, flag in some.items()
    }
    return rows.assign(**flags)


def _reached(rows: pd.DataFrame, in_it: np.ndarray, when: str) -> pd.DataFrame:
    """Households and persons of some stays with each service and stream in a window."""
    keys, flags = ["service", "stream"], [f"{kind}_{when}" for kind in ("surely", "perhaps")]
    chosen = rows["fault"].isna() & in_it[rows["stay"].to_numpy(dtype=np.int64)] & rows[flags].any(axis=1)
    streams = _by_stream(rows.loc[chosen, ["stay", "person_id", *keys, *flags]])
    sure = streams[streams[f"surely_{when}"]]
    counted = sure.groupby(keys).agg(households=("stay", "nunique"), persons=("person_id", "nunique"))
    may = streams.loc[streams[f"perhaps_{when}"], [*keys, "stay"]].drop_duplicates()
    either = may.groupby(keys)["stay"].nunique()
    always = pd.MultiIndex.from_product([[ANY_SERVICE, *SERVICES], [ALL_STREAMS]], names=keys)
    index = always.append(counted.index.union(either.index).difference(always))
    table = counted.reindex(index, fill_value=0)
    # services surely in a window are also possibly in it
    table["undetermined"] = either.reindex(index, fill_value=0) - table["households"]
    n = int(in_it.sum())
    table = with_shares(table.reset_index().assign(n_start=n, n_at_risk=n), "households")
    return table.assign(note=np.where(table["stream"].eq(UNKNOWN_STREAM), UNKNOWN_STREAM, None))  # type: ignore[call-overload]


def _by_stream(rows: pd.DataFrame) -> pd.DataFrame:
    """Each service once for its stream, once for all streams, and both for any service."""
    with_all_streams = pd.concat([rows, rows.assign(stream=ALL_STREAMS)])
    return pd.concat([with_all_streams, with_all_streams.assign(service=ANY_SERVICE)], ignore_index=True)


def _not_believed(rows: pd.DataFrame, chosen: np.ndarray) -> pd.DataFrame:
    """A row, without number, for each service of which some are dated before the arrival."""
    odd = rows[rows["fault"].eq(BEFORE_ARRIVAL) & chosen[rows["stay"].to_numpy(dtype=np.int64)]]
    names = sorted(odd["service"].unique())
    return pd.DataFrame({"service": names, "stream": ALL_STREAMS, "when": BEFORE_ARRIVAL, "note": BEFORE_ARRIVAL})


# ── how soon ──────────────────────────────────────────────────────────────────────────────────────────────
def delay_to_first(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    issues: pd.DataFrame | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Incidence of the first service that an organisation of the regions gave, by month since the establishment.

    Parameters
    ----------
    cohort, records, persons, study, groups, issues, ready
        As in `reach`.

    Returns
    -------
    DataFrame
        measure (`delay_to_first`), group, service (`any`, or one of SERVICES), horizon (months 1 … 24), estimate (share
        of the households served by then, those who left in between being among the others), se, lower, upper (95 %,
        log-log; Wilson at 0 and 1), n_start (households), n_at_risk (neither served nor gone before the month),
        n_followed (that would have been followed to it had nothing happened), served (households, in all), left_first
        (households that left before), method (`aalen_johansen`), note (`too_few_followed`: too few for a number;
        `too_few_households`).

        An exit competes, on the middle of the days on which it may have
        been; a death censors, and so does the end of what would have been told (`until`). A service counts on the last
        day that it may have been; those before the first day of the establishment do not count.

    Notes
    -----
    A household is known because somebody noted it, often with that very service: of those settled last only those
    noted at once are known, and they would be served at once. So establishments within the time in which 95 % are
    noted, counted back from the cut-off, are left out. What remains is among the households that became known.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables, one_household
    >>> table = delay_to_first(*example_tables(), study=one_household(), groups=["05"])
    >>> table.query("service == 'any'")[["horizon", "estimate", "served"]].head(2).values.tolist()
    [[1.0, 0.5, 1], [2.0, 0.5, 1]]
    """
    ready = ready or service_events(cohort, records, persons, study, issues)
    stays_of_households, services = ready.household_stays, ready.services
    stays = stays_of_households.stays
    settled = settled_long_enough(stays_of_households, cohort)
    rows = beside_stays(services[services["fault"].isna() & ~services["metropole"]], stays_of_households)
    rows = rows[(rows["latest"] >= rows["begins_earliest"]) & ~(rows["earliest"] > rows["ended_by"])]
    rows = pd.concat([rows, rows.assign(service=ANY_SERVICE)])
    first = rows.groupby(["stay", "service"])["latest"].min().unstack()
    first = first.reindex(index=stays.index, columns=[ANY_SERVICE, *SERVICES]).astype("datetime64[ns]")
    times = {name: times_to(stays, first[name]) for name in first}
    followed = floor_month(np.nan_to_num(months_between(stays["begins"], stays["until"])))
    months = np.arange(DELAY_MONTHS + 1)
    least, frames = fewest(study), []
    for group, chosen in first_stays(stays_of_households, study, groups).items():
        at = chosen & settled
        for name, (time, cause) in times.items():
            curve = incidence_on(time[at], cause[at], followed[at], months, least).iloc[1:]
            counts = {"n_start": int(at.sum()), "served": (cause[at] == 1).sum(), "left_first": (cause[at] == 2).sum()}
            frames.append(curve.assign(measure=DELAY, group=group, service=name, method="aalen_johansen", **counts))
    return finished(frames, ("service",), ("n_followed", "served", "left_first"), least=least)


def settled_long_enough(stays_of_households: HouseholdStays, cohort: pd.DataFrame) -> np.ndarray:
    """Stays that began so long before the cut-off that 95 % of such stays are noted by then."""
    entry = cohort["entry"].dropna().to_numpy(dtype=float)
    lag = float(ceil_month(np.quantile(entry, NOTED))) if len(entry) else 0.0
    return months_between(stays_of_households.stays["begins"], stays_of_households.cutoff.to_datetime64()) >= lag


def times_to(stays: pd.DataFrame, first: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Whole months to the first service, exit or end of what is told, whichever comes first; cause 1, 2 or 0."""
    departed = stays["ended"].where(~stays["died"])
    until = stays["until"].where(~(stays["died"] & (stays["ended"] < stays["until"])), stays["ended"])
    # a service on the last day counts; an exit by then is an exit
    received = first.notna() & ~(first > until) & ~(first > departed)
    gone = ~received & departed.notna() & ~(departed > until)
    day = first.where(received, departed.where(gone, until))
    month = np.maximum(months_between(stays["begins"], day), 0.0)
    cause = np.select([received, gone], [1, 2], 0)
    return np.where(cause > 0, np.maximum(ceil_month(month), 1), floor_month(month)), cause


def incidence_on(time: np.ndarray, cause: np.ndarray, followed: np.ndarray, at: np.ndarray, least: int) -> pd.DataFrame:
    """
    The incidence of cause 1 at the times asked for: horizon, estimate, se, lower, upper, n_at_risk, n_followed, note.

    `followed`: for how long each household would have been followed had nothing happened. Where nearly all are served
    few are left at risk, and the share is well known all the same: so it is those followed that a number needs.
    """
    finite = np.isfinite(time)
    time, cause, followed = time[finite], cause[finite], followed[finite]
    n = np.array([(time >= t).sum() for t in at])
    long_enough = np.array([(followed >= t).sum() for t in at])
    if (cause == 1).any():
        curve = cumulative_incidence(time, cause)
        table = on_months(curve[curve["cause"].eq(1)], at, "incidence")
    else:
        table = nothing(at).fillna(0.0)
    # at 0 and 1 the curve has limits of no width, or none: those of a share of all who are followed
    edge = table["estimate"].isin([0.0, 1.0]).to_numpy()
    _, _, lower, upper = share_limits(table["estimate"] * long_enough, long_enough)
    table.loc[edge, ["lower", "upper"]] = np.column_stack([lower, upper])[edge]
    few = long_enough < least
    table.loc[few, list(NUMBERS)] = np.nan
    note = np.where(few, TOO_FEW_FOLLOWED, None)  # type: ignore[call-overload]
    return table.rename(columns={"month": "horizon"}).assign(n_at_risk=n, n_followed=long_enough, note=note)


def number_in(time: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How many had the event by each time."""
    return np.array([(event & (time <= t)).sum() for t in at])


# ── how many ──────────────────────────────────────────────────────────────────────────────────────────────
def number_of_services(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    issues: pd.DataFrame | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    How many services households got within the 12 months after the first 31 days.

    A service that several members got on the same days is one: it was given to the household.

    Parameters
    ----------
    cohort, records, persons, study, groups, issues, ready
        As in `reach`; households are those that it counts in `after`.

    Returns
    -------
    DataFrame
        measure (`number_of_services`), group, service (`any`, or one of SERVICES), number (`mean`; of `any` also `0`,
        `1`, `2_3`, `4_plus`), horizon (12), estimate (services a household, or share of the households), se, lower,
        upper (95 %: normal of the mean, not below 0; Wilson of the shares), n_start, n_at_risk (households), households
        (of the class; of the mean, those with any), method (`whole_window`), note.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables, one_household
    >>> cohort, records, persons = example_tables()
    >>> later = records["service_date_latest"] + pd.Timedelta(days=60)
    >>> records = records.assign(service_date_earliest=later, service_date_latest=later)
    >>> table = number_of_services(cohort, records, persons, study=one_household(), groups=["05"])
    >>> table.query("service == 'any'")[["number", "estimate"]].values.tolist()
    [['mean', 1.5], ['0', 0.0], ['1', 0.5], ['2_3', 0.5], ['4_plus', 0.0]]
    """
    ready = ready or service_events(cohort, records, persons, study, issues)
    stays_of_households, services = ready.household_stays, ready.services
    rows = _in_windows(beside_stays(services[services["fault"].isna()], stays_of_households))
    rows = rows[rows[f"surely_{AFTER}"]].drop_duplicates(["stay", "service", "earliest", "latest"])
    numbers = rows.groupby(["stay", "service"]).size().unstack(fill_value=0)
    numbers = numbers.reindex(index=stays_of_households.stays.index, columns=list(SERVICES), fill_value=0)
    numbers.insert(0, ANY_SERVICE, numbers.sum(axis=1))
    is_observed = observed(stays_of_households, records)[AFTER].to_numpy()
    frames = []
    for group, chosen in first_stays(stays_of_households, study, groups).items():
        numbers_of_group = numbers[chosen & is_observed].to_numpy(dtype=float)
        n = len(numbers_of_group)
        shape = {"group": group, "n_start": n, "n_at_risk": n}
        if n > 1:
            mean, se = numbers_of_group.mean(axis=0), numbers_of_group.std(axis=0, ddof=1) / np.sqrt(n)
        else:
            mean, se = np.full((2, numbers_of_group.shape[1]), np.nan)
        limits = {"lower": np.maximum(mean - NORMAL_975 * se, 0.0), "upper": mean + NORMAL_975 * se}
        frames.append(
            pd.DataFrame(
                {
                    "service": numbers.columns,
                    "number": "mean",
                    "estimate": mean,
                    "se": se,
                    **limits,
                    "households": (numbers_of_group > 0).sum(axis=0),
                    **shape,
                }
            )
        )
        codes = np.searchsorted([1, 2, 4], numbers_of_group[:, 0], side="right")
        counted = np.bincount(codes, minlength=len(CLASSES))
        classes = pd.DataFrame({"service": ANY_SERVICE, "number": CLASSES, "households": counted, **shape})
        frames.append(with_shares(classes, "households"))
    frames = [f.assign(measure=NUMBER, horizon=float(AFTER_MONTHS), method="whole_window") for f in frames]
    table = finished(frames, ("service", "number"), ("households",), least=fewest(study))
    return table.drop(columns=["n_whole", "k_whole"])  # of a share, and these are means too
