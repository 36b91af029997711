"""Stays of households and the services given to them: the common input of the tables of this room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...deposits import load_crosswalks
from ...months import TOLERANCE, add_months
from ...stays.cohort import household_type
from ...stays.observations import is_departure
from ...study import Study
from ...survival.checks import normal_quantile
from ...tables import METROPOLE, NOT_REACHED, UNKNOWN, WHOSE, first_known
from ..portrait.settlement import stays_of

# ----------------------------------------------------------------------------------------------------
# Stays of households: services are given to households, and targets count them.
#
# A household's stay in a region is made of its members' first stays there. It begins when the first member settles and
# lasts as long as one of them is there. Its traits are those of the principal (of the oldest where no role is told).

# Windows are told in days: an establishment known less precisely than this has none.
WIDEST = pd.Timedelta(days=31)


@dataclass(frozen=True)
class HouseholdStays:
    """
    `stays`: a row per household and region, in the order of the establishments: household_id, region, begins_earliest,
    begins (latest day), ended (the middle of the interval in which the last member left; missing: not known to have
    left), ended_by (its last day), died (the last member died then), confirmed (last day on which a member was known to
    be there), until (the last day on which a service would have been told of), members (persons), precise (begins is
    known to `WIDEST`), and the covariates of `cohort`, with household_type.

    `members`: person_id → stay (position in `stays`).
    `cutoff`: the last day of observation.
    """

    stays: pd.DataFrame
    members: pd.DataFrame
    cutoff: pd.Timestamp


def household_stays(cohort: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame, study: Study) -> HouseholdStays:
    """
    The stays of households, from those of persons.

    Parameters
    ----------
    cohort : DataFrame
        The table `cohort`. Stays whose start is not known well enough (`excluded`) say nothing of when a service
        came, and are left out.
    records, persons : DataFrame
        The tables `records` and `persons`.
    study : Study
        Its pathway is used.

    Notes
    -----
    `until` is the cohort's `heard_until` (the last deposit of the organisations that have a file on the stay) only
    where an organisation of the regions has a file. Where none has, that no service came is known to the cut-off: to
    stop there at the first news (`heard_until` does) would leave out just those who were never served.

    Examples
    --------
    >>> import trajectories.tables as t
    >>> day = pd.Timestamp("2022-03-01")
    >>> cohort = t.conform(pd.DataFrame({
    ...     "person_id": ["a", "b"], "household_id": "H", "episode": 1, "region": "05", "pathway": "secondary",
    ...     "establishment_earliest": day, "establishment_latest": [day, pd.Timestamp("2022-05-01")], "entry": 0.0,
    ...     "lower": [4.0, 6.0], "upper": [4.0, float("inf")], "cutoff": [12.0, 10.0], "heard_until": [12.0, 10.0],
    ...     "exit": ["metropole", None]}), t.COHORT)
    >>> none = pd.DataFrame({"record_id": []})
    >>> found = household_stays(cohort, t.conform(none, t.RECORDS), t.conform(none, t.PERSONS), study=Study())
    >>> found.stays[["household_id", "begins", "ended", "members"]].values.tolist()
    [['H', Timestamp('2022-03-01 00:00:00'), NaT, 2]]
    >>> found.cutoff
    Timestamp('2023-03-01 00:00:00')
    """
    dead, filed = _told(records, persons)
    typed = cohort.assign(household_type=household_type(cohort) if len(cohort) else None)
    typed = typed.assign(cutoff_day=day_after(cohort["establishment_latest"], cohort["cutoff"]))
    cutoff = typed["cutoff_day"].max()
    typed_stays = stays_of(typed[typed["excluded"].isna() & typed["establishment_latest"].notna()], study)
    typed_stays = typed_stays.drop_duplicates(["person_id", "region"]).reset_index(drop=True)
    start, earliest = typed_stays["establishment_latest"], typed_stays["establishment_earliest"]
    left_after, left_by = day_after(start, typed_stays["lower"]), day_after(earliest, typed_stays["upper"])
    departed = typed_stays["exit"].notna()
    heard = day_after(start, typed_stays["heard_until"])
    died = (
        ~departed
        & typed_stays["person_id"].isin(dead)
        & (typed_stays["lower"] >= typed_stays["heard_until"] - TOLERANCE)
    )
    heard = heard.where(typed_stays["person_id"].isin(filed) | died, cutoff)
    typed_stays = typed_stays.assign(
        left_day=(left_after + (left_by - left_after) / 2).dt.floor("D").where(departed),
        left_by=left_by.where(departed),
        confirmed=left_after,
        heard=heard,
        gone=departed | died,
        died=died,
        _age=-typed_stays["age"].fillna(-1),
        _role=~typed_stays["role"].eq("principal"),
    )
    typed_stays["left_day"] = typed_stays["left_day"].fillna(typed_stays["confirmed"].where(died))
    typed_stays["left_by"] = typed_stays["left_by"].fillna(typed_stays["confirmed"].where(died))
    by = ["household_id", "region"]
    grouped = typed_stays.groupby(by, dropna=False, sort=False)
    # ties of `left_day` are broken towards an exit: of two who end on one day it is the exit that is told
    last = typed_stays.sort_values(["left_day", "died"], ascending=[True, False], kind="stable").groupby(
        by, dropna=False, sort=False
    )
    stays = grouped.agg(
        begins_earliest=("establishment_earliest", "min"),
        begins=("establishment_latest", "min"),
        ended=("left_day", "max"),
        ended_by=("left_by", "max"),
        confirmed=("confirmed", "max"),
        until=("heard", "max"),
        members=("person_id", "nunique"),
        all_gone=("gone", "all"),
    ).join(last.agg(died=("died", "last")))
    for name in ("ended", "ended_by"):
        stays[name] = stays[name].where(stays["all_gone"])
    stays["died"] &= stays["all_gone"]
    stays["precise"] = (stays["begins"] - stays["begins_earliest"]) <= WIDEST
    traits = typed_stays.sort_values(["_role", "_age"], kind="stable").drop_duplicates(by)
    columns = {
        *stays.columns,
        "person_id",
        "cutoff",
        "heard_until",
        "left_day",
        "left_by",
        "gone",
        "heard",
        "_age",
        "_role",
    }
    stays = stays.reset_index().merge(traits.drop(columns=[c for c in columns if c in traits]), on=by, how="left")
    stays = stays.sort_values(["begins", "household_id"], kind="stable", ignore_index=True)
    position = pd.Series(stays.index, index=pd.MultiIndex.from_frame(stays[by].fillna("")))
    at = position.reindex(pd.MultiIndex.from_frame(typed_stays[by].fillna("")))
    return HouseholdStays(stays, typed_stays[["person_id"]].assign(stay=at.to_numpy()), cutoff)


def _told(records: pd.DataFrame, persons: pd.DataFrame) -> tuple[set, set]:
    """Persons whose death is reported, and persons with a file at an organisation of the regions."""
    rows = records[["record_id", "organisation_zone", "exit_reason"]].assign(departs=is_departure(records))
    rows = rows.merge(persons[["record_id", "person_id"]], on="record_id")
    filed = ~rows["organisation_zone"].eq(METROPOLE) & ~rows["departs"]
    return set(rows.loc[rows["exit_reason"].eq("death"), "person_id"]), set(rows.loc[filed, "person_id"])


def day_after(start: pd.Series, months: pd.Series) -> pd.Series:
    """
    The day so many months after a date (`months_between` turned round); missing where either is, or never comes.

    Examples
    --------
    >>> day_after(pd.Series(pd.to_datetime(["2022-01-31", "2022-01-01"])), pd.Series([1.0, 0.5])).dt.day.tolist()
    [28, 17]
    """
    m = months.to_numpy(dtype=float)
    finite = np.isfinite(m)
    m = np.where(finite, m, 0.0)
    full_months = np.floor(m + TOLERANCE)
    reached, following = add_months(start, full_months), add_months(start, full_months + 1)
    part = np.round(np.maximum(m - full_months, 0.0) * (following - reached).astype(float))
    part = np.where(np.isnat(reached), 0, part).astype("timedelta64[D]")
    days = pd.Series((reached + part).astype("datetime64[ns]"), index=start.index)
    return days.where(finite)


# ----------------------------------------------------------------------------------------------------
# What the tables of this room have in common: their columns, limits of a share, and when no number is given.

NUMBERS = ("estimate", "se", "lower", "upper")
COUNTS = ("n_start", "n_at_risk")
# In the order of every table: what the row is of stands between `group` and `horizon`, its own counts at the end.
_WHOLE = ("n_whole", "k_whole")
_BEFORE, _AFTER = ("measure", "group"), ("horizon", *NUMBERS, *COUNTS)
TOO_FEW = "too_few_households"
TOO_FEW_FOLLOWED = "too_few_followed"
TOO_FEW_ORGANISATIONS = "too_few_organisations"
UNKNOWN_STREAM = "unknown_stream"
BEFORE_ARRIVAL = "dated_before_arrival"
# Notes of rows that have no number at all; others say what their missing numbers are.
_SILENT = (TOO_FEW, TOO_FEW_ORGANISATIONS, UNKNOWN_STREAM, BEFORE_ARRIVAL)


def fewest(study: Study) -> int:
    """Households that a number needs under it: the study's support, and never less than may be published."""
    return max(study.support, study.disclosure.households)


def share_limits(successes, of, conf_level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    A share with its standard error and limits (Wilson 1927: never outside 0–1, and some width at 0 and 1).

    Examples
    --------
    >>> [float(x.round(3)) for x in share_limits(5, 20)]
    [0.25, 0.097, 0.112, 0.469]
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(of, dtype=float))
    z = normal_quantile(conf_level)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / n
        middle, half = (p + z * z / (2 * n)), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        lower, upper = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
        return p, np.sqrt(p * (1 - p) / n), np.maximum(lower, 0.0), np.minimum(upper, 1.0)


def with_shares(table: pd.DataFrame, successes: str) -> pd.DataFrame:
    """The table with estimate, se, lower, upper of the share `successes` / `n_start`."""
    return table.assign(**dict(zip(NUMBERS, share_limits(table[successes], table["n_start"]), strict=True)))


def finished(
    frames: Iterable[pd.DataFrame], keys: Sequence[str], counts: Sequence[str], *, least: int, base: str = "n_start"
) -> pd.DataFrame:
    """
    Frames as one table, in the order of columns of this room; a row with a fault or too few households has no number.

    Parameters
    ----------
    frames : iterable of DataFrame
        Each with measure, group, the keys, horizon, the numbers and counts, method; `note` where there is one.
    keys, counts : sequence of str
        What a row is of; what it counts besides.
    least : int
        Households (`n_start`) that a number needs.
    base : str
        The count that the shares are of.

    Notes
    -----
    `n_whole` (that count) and `k_whole` (as many of it as the share says) stay where the others go: protection has to
    know what stands behind a number that is not given.
    """
    columns = [*_BEFORE, *keys, *_AFTER, *counts, *_WHOLE, "method", "note"]
    # as objects: some frames have a column all missing, of which no type is known
    frames = [frame.reindex(columns=columns).astype("object") for frame in frames]
    table = pd.concat([pd.DataFrame(columns=columns, dtype="object"), *frames], ignore_index=True)
    table["n_whole"] = table[base]
    table["k_whole"] = np.floor(table["estimate"].astype("float64") * table[base].astype("float64") + 0.5)
    count_columns = [*COUNTS, *counts]
    numbers = dict.fromkeys([*NUMBERS, "horizon", *count_columns, *_WHOLE], "float64")
    table = table.astype(numbers).astype(dict.fromkeys([*count_columns, *_WHOLE], "Int64"))
    small = ~table["n_start"].ge(least).fillna(False).astype(bool)
    few = small & (table["note"].isna() | table["note"].eq(TOO_FEW_FOLLOWED))
    table["note"] = table["note"].astype("object").where(~few, TOO_FEW)
    table["note"] = table["note"].where(table["note"].notna(), None)
    silent = table["note"].isin(_SILENT)
    table.loc[silent, list(NUMBERS)] = np.nan
    table.loc[silent, count_columns] = pd.NA
    return table


# ----------------------------------------------------------------------------------------------------
# What the records say was given to households: services with their stream and day, and other dated contacts.
#
# A stream is a programme and what its volet means, `PASI/full_participation`: a volet's number means other things from
# one programme and exercice to the next, so reading has already put the meaning in its place (deposits.crosswalks).
# Scheduled contacts and departure rows are no services: they are how one learns that somebody is there (design.md, 7).

NOT_STATED = "not_stated"
ALL_STREAMS, ANY_SERVICE = "all", "any"
_KEYS = ["file", "sheet", "row"]
# What is read of a service: the other columns are not carried along.
_OF_SERVICE = [
    "record_id", "organisation_zone", "service", "programme", "fiscal_year", "stream", "service_date_earliest",
    "service_date_latest", "arrival_date_earliest",
]  # fmt: skip


def services_given(records: pd.DataFrame, persons: pd.DataFrame, issues: pd.DataFrame | None = None) -> pd.DataFrame:
    """
    The services of persons, one row a record.

    Parameters
    ----------
    records, persons : DataFrame
        The tables `records` and `persons`.
    issues : DataFrame, optional
        The table `issues`: without it a volet that was not understood looks like one that was not stated.

    Returns
    -------
    DataFrame
        record_id, person_id, household_id, metropole (whether an organisation of the metropole gave it), service,
        stream (`programme/meaning`, `not_stated`, or `unknown_stream`: not in the crosswalks), earliest, latest,
        fault (`dated_before_arrival`: surely before the person came to Québec, so the date is not believed; else
        missing). Undated services are left out.

    Examples
    --------
    >>> import trajectories.tables as t
    >>> day = pd.Timestamp("2022-03-01")
    >>> records = t.conform(pd.DataFrame({
    ...     "record_id": ["1", "2"], "row": [1, 2], "service": "pairing", "programme": "PASI",
    ...     "fiscal_year": "2021-2022", "stream": ["full_participation", "live_in_caregivers"],
    ...     "organisation_zone": "region", "service_date_earliest": day, "service_date_latest": day}), t.RECORDS)
    >>> persons = pd.DataFrame({"record_id": ["1", "2"], "person_id": "a", "household_id": "H"})
    >>> services_given(records, persons)["stream"].tolist()
    ['PASI/full_participation', 'unknown_stream']
    """
    counts = records["service"].notna() & records["follow_up_status"].isna() & ~is_departure(records)
    counts &= records["service_date_latest"].notna()
    rows = records.loc[counts, [*_OF_SERVICE, *_KEYS]]
    rows = rows.assign(stream=_streams(rows, issues))
    arrivals = records[["record_id", "arrival_date_earliest"]].merge(
        persons[["record_id", "person_id"]], on="record_id"
    )
    first_told = arrivals.groupby("person_id")["arrival_date_earliest"].min()
    services = rows.merge(persons[list(WHOSE)], on="record_id")
    arrival = services["arrival_date_earliest"].fillna(services["person_id"].map(first_told).astype("datetime64[ns]"))
    fault = np.where(services["service_date_latest"] < arrival, BEFORE_ARRIVAL, None)  # type: ignore[call-overload]
    return pd.DataFrame(
        {
            "record_id": services["record_id"],
            "person_id": services["person_id"],
            "household_id": services["household_id"],
            "metropole": services["organisation_zone"].eq(METROPOLE),
            "service": services["service"],
            "stream": services["stream"],
            "earliest": services["service_date_earliest"].fillna(services["service_date_latest"]),
            "latest": services["service_date_latest"],
            "fault": pd.Series(fault, index=services.index, dtype="object"),
        }
    )


def _streams(rows: pd.DataFrame, issues: pd.DataFrame | None) -> pd.Series:
    """The stream of each row: known to a crosswalk for its programme and exercice, or said not to be."""
    keys = ["programme", "fiscal_year", "stream"]
    distinct = rows[keys].astype("object").drop_duplicates()
    tables = [streams for crosswalk in load_crosswalks().all for streams in crosswalk.streams]
    named = []
    for programme, year, meaning in distinct.itertuples(index=False):
        programme, year = (None if pd.isna(value) else value for value in (programme, year))
        if pd.isna(meaning):
            named.append(NOT_STATED)
        elif any(s.covers(programme, year) and meaning in s.meanings.values() for s in tables):
            named.append(f"{programme or UNKNOWN}/{meaning}")
        else:
            named.append(UNKNOWN_STREAM)
    named_streams = rows[keys].astype("object").merge(distinct.assign(named=named), on=keys, how="left")["named"]
    named_streams = named_streams.astype("object").set_axis(rows.index)
    if issues is not None and len(issues):
        unknown_streams = issues.loc[issues["reason"].eq(UNKNOWN_STREAM), _KEYS]
        candidates = rows.loc[rows["file"].isin(unknown_streams["file"]), _KEYS]
        odd = pd.MultiIndex.from_frame(candidates).isin(pd.MultiIndex.from_frame(unknown_streams))
        named_streams.loc[candidates.index[odd]] = UNKNOWN_STREAM
    return named_streams


def dated_rows(records: pd.DataFrame, persons: pd.DataFrame, *more: str) -> pd.DataFrame:
    """
    Every row with a day of its own on which somebody met the person: record_id, person_id, metropole, region and zone
    (of the destination of an establishment, else of the residence), earliest, latest, and `more` of its columns.

    A failed contact and a departure row are left out: nobody met anybody.
    """
    settles = records["establishment_date_latest"].notna() & records["destination_region"].notna()
    region, zone = (
        records[f"destination_{of}"].where(settles, records[f"residence_{of}"]) for of in ("region", "zone")
    )
    rows = records[["record_id", *more]].assign(
        metropole=records["organisation_zone"].eq(METROPOLE),
        region=first_known(region, UNKNOWN),
        zone=zone,
        earliest=records["follow_up_date_earliest"].fillna(records["service_date_earliest"]),
        latest=records["follow_up_date_latest"].fillna(records["service_date_latest"]),
    )
    rows = rows[~records["follow_up_status"].eq(NOT_REACHED) & ~is_departure(records)]
    rows = rows[rows["latest"].notna()]
    return rows.merge(persons[["record_id", "person_id"]], on="record_id")


def beside_stays(rows: pd.DataFrame, stays_of_households: HouseholdStays) -> pd.DataFrame:
    """The rows of members joined to each stay of their household: `stay`, its dates, household_id, region_of_stay."""
    pairs = rows.drop(columns="household_id", errors="ignore").merge(stays_of_households.members, on="person_id")
    of = stays_of_households.stays[["household_id", "region", "begins_earliest", "begins", "ended_by"]]
    of = of.rename(columns={"region": "region_of_stay"}).iloc[pairs["stay"].to_numpy(dtype=np.int64)]
    return pairs.join(of.set_axis(pairs.index))


# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """The results of `household_stays` and of `services_given` on the same tables."""

    household_stays: HouseholdStays
    services: pd.DataFrame


def service_events(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    study: Study,
    issues: pd.DataFrame | None = None,
) -> Served:
    """Household stays and services from the tables; `issues` as in `services_given`."""
    return Served(household_stays(cohort, records, persons, study), services_given(records, persons, issues))
