"""What the records say was given to households: services with their stream and day, and other dated contacts.

A stream is a programme and what its volet means, `PASI/full_participation`: a volet's number means other things from
one programme and exercice to the next, so reading has already put the meaning in its place (deposits.crosswalks).
Scheduled contacts and departure rows are no services: they are how one learns that somebody is there (design.md, 7).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..deposits import load_crosswalks
from ..observations import is_departure
from ..tables import METROPOLE, NOT_REACHED, UNKNOWN, WHOSE, first_known
from .household_stays import HouseholdStays
from .tidy import BEFORE_ARRIVAL, UNKNOWN_STREAM

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
        The tables of those names.
    issues : DataFrame, optional
        The table of that name: without it a volet that was not understood looks like one that was not stated.

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
    told = records[["record_id", "arrival_date_earliest"]].merge(persons[["record_id", "person_id"]], on="record_id")
    first_told = told.groupby("person_id")["arrival_date_earliest"].min()
    found = rows.merge(persons[list(WHOSE)], on="record_id")
    arrival = found["arrival_date_earliest"].fillna(found["person_id"].map(first_told).astype("datetime64[ns]"))
    fault = np.where(found["service_date_latest"] < arrival, BEFORE_ARRIVAL, None)
    return pd.DataFrame({
        "record_id": found["record_id"], "person_id": found["person_id"], "household_id": found["household_id"],
        "metropole": found["organisation_zone"].eq(METROPOLE), "service": found["service"], "stream": found["stream"],
        "earliest": found["service_date_earliest"].fillna(found["service_date_latest"]),
        "latest": found["service_date_latest"], "fault": pd.Series(fault, index=found.index, dtype="object"),
    })  # fmt: skip


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
    found = rows[keys].astype("object").merge(distinct.assign(named=named), on=keys, how="left")["named"]
    found = found.astype("object").set_axis(rows.index)
    if issues is not None and len(issues):
        told = issues.loc[issues["reason"].eq(UNKNOWN_STREAM), _KEYS]
        some = rows.loc[rows["file"].isin(told["file"]), _KEYS]
        odd = pd.MultiIndex.from_frame(some).isin(pd.MultiIndex.from_frame(told))
        found.loc[some.index[odd]] = UNKNOWN_STREAM
    return found


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
        metropole=records["organisation_zone"].eq(METROPOLE), region=first_known(region, UNKNOWN), zone=zone,
        earliest=records["follow_up_date_earliest"].fillna(records["service_date_earliest"]),
        latest=records["follow_up_date_latest"].fillna(records["service_date_latest"]),
    )  # fmt: skip
    rows = rows[~records["follow_up_status"].eq(NOT_REACHED) & ~is_departure(records)]
    rows = rows[rows["latest"].notna()]
    return rows.merge(persons[["record_id", "person_id"]], on="record_id")


def beside_stays(rows: pd.DataFrame, found: HouseholdStays) -> pd.DataFrame:
    """The rows of members beside each stay of their household: `stay`, its dates, household_id, region_of_stay."""
    pairs = rows.drop(columns="household_id", errors="ignore").merge(found.members, on="person_id")
    of = found.stays[["household_id", "region", "begins_earliest", "begins", "ended_by"]]
    of = of.rename(columns={"region": "region_of_stay"}).iloc[pairs["stay"].to_numpy(dtype=np.int64)]
    return pairs.join(of.set_axis(pairs.index))
