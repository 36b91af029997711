"""Records → observations: what each row attests about where a person was, and when.

An observation is evidence that a person lived in a place on a date, the date being an interval. A row attests every
fact it states (docs/rules.md, « Evidence »), each on its own date:

- a service: the residence, on the service's date (where that is before the arrival in Québec, in the row's quarter);
- an establishment: the destination, else a residence en région, from that date; another residence on the row may be
  the old address and attests only before (kind `residence`);
- a follow-up « présent »: the residence (where it is blank or old, addresses.py puts where the person last settled);
  without a date it is a contact in the row's quarter;
- a departure and « parti »: the place left is no presence; what they attest is the destination, from the date of
  departure (kind `departure`); a « non joint » attests nothing.

Nothing is imputed: a date known to the quarter stays the whole quarter, a departure without a date is known only to
lie before the day it was filed (`earliest` is then NaT).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..places.spelling import key_of
from ..places.territory import region_zones, zones
from ..tables import (
    FOLLOW_UP_SERVICE,
    LEFT,
    METROPOLE,
    NOT_REACHED,
    OBSERVATIONS,
    PRESENT,
    REGION,
    UNKNOWN,
    first_known,
    stack,
)

# Services given face to face: in the metropole they show that the person is there (deposit-schema.md, « Decided »).
IN_PERSON = (
    "exploratory_visit", "job_search", "housing_search", "reception", "personal_support", "objectif_integration",
    "pairing", "francization", "family_support",
)  # fmt: skip

# An establishment is reported at most so long before it happens.
PLANNED = pd.Timedelta(days=31)

# The columns of `records` that are read here; the others are dropped.
_SPANS = ("service_date", "follow_up_date", "establishment_date", "departure_date", "exit_date", "arrival_date")
READ = (
    "record_id", "organisation_id", "organisation_zone", "fiscal_year", "quarter", "deposit_date", "service",
    "follow_up_status", "exit_reason", "residence_own_town",
    *(f"{name}_{end}" for name in _SPANS for end in ("earliest", "latest")),
    *(f"{place}{part}" for place in ("residence", "destination", "exit_destination")
      for part in ("", "_code", "_region", "_zone")),
)  # fmt: skip

_MORE = ("told", "organisation_zone", "in_person_metropole", "origin_region", "origin_zone", "died")


def build_observations(records: pd.DataFrame, persons: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """
    The table `observations` (in order of person and date), from the tables `records` and `persons`.

    Besides the declared columns: `filed_day` (the day the row was filed, at most the cut-off), `organisation_zone`,
    `in_person_metropole`, `origin_region` and `origin_zone` (of a departure: the place left) and `died`. Whatever
    happened after the cut-off is left out.
    """
    rows = records[list(READ)].merge(persons[["record_id", "person_id"]], on="record_id", how="inner")
    # an organisation that prints its own town says the region, not the municipality
    rows["residence_code"] = rows["residence_code"].mask(rows["residence_own_town"].fillna(False).astype(bool), None)
    rows = _destination_as_residence(settled_at_residence(rows))
    filed_day = filed(rows, cutoff)
    earliest, latest = contact_days(rows, filed_day)
    rows = rows.assign(told=filed_day, row_earliest=earliest, row_latest=latest)
    rows["file_region"] = _regions_of_files(rows)
    parts = [
        _establishments(rows),
        _old_addresses(rows),
        _services(rows[serves(rows)]),
        _presences(rows[rows["follow_up_status"].eq(PRESENT)]),
        _departures(rows[is_departure(rows)]),
        _metropole_departures(rows),
    ]
    observations = stack(parts, OBSERVATIONS).reindex(columns=[*OBSERVATIONS.columns, *_MORE])
    for flag in ("in_person_metropole", "died"):
        observations[flag] = observations[flag].eq(True)
    for text in ("organisation_zone", "origin_region", "origin_zone"):
        observations[text] = observations[text].astype("object").where(observations[text].notna(), None)
    observations["told"] = observations["told"].astype("datetime64[ns]")
    observations = observations[~(observations["earliest"] > cutoff) & observations["latest"].notna()]
    # an imprecise day ends when the row was filed: the fact had happened by then, or (establishments) was near
    planned = observations["kind"].isin(["establishment", "residence"])
    until = observations["told"].where(~planned, observations["told"] + PLANNED)
    until = until.where(until >= observations["earliest"], cutoff)
    observations["latest"] = observations["latest"].where(~(observations["latest"] > until), until).clip(upper=cutoff)
    return observations.sort_values(["person_id", "latest", "earliest", "kind", "record_id"], ignore_index=True)


def stated(rows: pd.DataFrame, place: str) -> pd.Series:
    """Whether each row says anything of a place: its name, or a code where the name is blank."""
    return rows[place].notna() | rows[f"{place}_code"].notna() | rows[f"{place}_region"].notna()


def settled_at_residence(rows: pd.DataFrame) -> pd.DataFrame:
    """An establishment without a destination is at the residence, where that is en région."""
    at = rows["establishment_date_latest"].notna() & ~stated(rows, "destination") & rows["residence_zone"].eq(REGION)
    parts = ("", "_code", "_region", "_zone")
    return rows.assign(
        **{f"destination{part}": rows[f"destination{part}"].where(~at, rows[f"residence{part}"]) for part in parts}
    )


def _destination_as_residence(rows: pd.DataFrame) -> pd.DataFrame:
    """A destination whose name several towns share is the residence, where that is known and has the same name."""
    parts = ("code", "region", "zone")
    open_ = rows["destination"].notna() & rows["destination_code"].isna() & rows["residence_code"].notna()
    named = rows.loc[open_, ["residence", "destination"]]
    # « Disraeli (Ville) » is one of the towns called Disraeli
    keys = {text: key_of(text.partition("(")[0]) for text in pd.unique(named.to_numpy().ravel()) if text is not None}
    alike = named["residence"].map(keys).eq(named["destination"].map(keys))
    at = alike.index[alike]
    rows = rows.copy()
    rows.loc[at, [f"destination_{part}" for part in parts]] = rows.loc[
        at, [f"residence_{part}" for part in parts]
    ].to_numpy()
    return rows


def in_perimeter(records: pd.DataFrame, perimeter: str) -> pd.DataFrame:
    """
    The records with the zones of a perimeter, from their municipalities and regions (never from the zones typed in).

    A place without town and region keeps its zone; so does an organisation.
    """
    areas = region_zones(perimeter)
    zone_columns = {}
    for place in ("residence", "destination", "exit_destination"):
        code, region = records[f"{place}_code"], records[f"{place}_region"]
        zone = records[f"{place}_zone"].where(region.isna(), region.map(areas))
        zone_columns[f"{place}_zone"] = zone.where(code.isna(), pd.Series(zones(code, perimeter), index=records.index))
    return records.assign(**zone_columns)


def filed(rows: pd.DataFrame, cutoff: pd.Timestamp) -> pd.Series:
    """The day a row was filed: deposit date, else the quarter's end, else its last own date; at most the cut-off."""
    filed_day = rows["deposit_date"].fillna(quarter_ends(rows)).fillna(_row_date(rows, "latest"))
    return filed_day.fillna(rows["exit_date_latest"]).fillna(rows["establishment_date_latest"]).clip(upper=cutoff)


def quarter_ends(rows: pd.DataFrame) -> pd.Series:
    """
    The last day of each row's fiscal quarter (the fiscal year starts on 1 April).

    Examples
    --------
    >>> rows = pd.DataFrame({"fiscal_year": ["2021-2022", None], "quarter": pd.array([4, 1], dtype="Int64")})
    >>> quarter_ends(rows).dt.strftime("%Y-%m-%d").tolist()
    ['2022-03-31', nan]
    """
    which, named = pd.factorize(rows["fiscal_year"])
    begins = pd.to_numeric(pd.Series(named, dtype="object").str.slice(0, 4), errors="coerce")
    year = np.append(begins.to_numpy(dtype=float), np.nan)[which]
    quarter = rows["quarter"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    is_dated = ~(np.isnan(year) | np.isnan(quarter))
    months = np.where(is_dated, (year - 1970) * 12 + 3 + quarter * 3, 0).astype("int64")
    following = months.astype("datetime64[M]").astype("datetime64[D]")
    ends = (following - np.timedelta64(1, "D")).astype("datetime64[ns]")
    return pd.Series(np.where(is_dated, ends, np.datetime64("NaT", "ns")), index=rows.index)


def is_departure(rows: pd.DataFrame) -> pd.Series:
    """Rows that tell of a departure from the region: an exit date or destination or reason, or « parti »."""
    has_exit = rows["exit_date_latest"].notna() | rows["exit_destination"].notna() | rows["exit_reason"].notna()
    return (has_exit & ~rows["follow_up_status"].isin([PRESENT, NOT_REACHED])) | rows["follow_up_status"].eq(LEFT)


def _row_date(rows: pd.DataFrame, end: str) -> pd.Series:
    """A row's own date: the follow-up's, else the service's (the contract's default date of a row)."""
    return rows[f"follow_up_date_{end}"].fillna(rows[f"service_date_{end}"])


def contact_days(rows: pd.DataFrame, filed_day: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The first and last possible day of each row: its own date, else its quarter, until the day it was filed."""
    quarter = quarter_ends(rows)
    begins = quarter.dt.to_period("Q").dt.start_time
    latest = _row_date(rows, "latest")
    undated = latest.isna()
    until = quarter.where(~(quarter > filed_day), filed_day).fillna(filed_day)
    begins = begins.where(~(begins > until), until)
    return _row_date(rows, "earliest").where(~undated, begins), latest.where(~undated, until)


def serves(rows: pd.DataFrame) -> pd.Series:
    """
    Rows that report a service on a date of its own.

    On a row with a failed follow-up or a departure, the service date is surely the service's own only where the other
    fact is dated too, and not before it; with « présent », also on the same day. A follow-up also coded as a service is
    one fact.
    """
    status, is_service = rows["follow_up_status"], rows["service"].notna() & rows["service"].ne(FOLLOW_UP_SERVICE)
    departs, dated = is_departure(rows), rows["follow_up_date_latest"].notna()
    before = rows["service_date_latest"] <= rows["exit_date_earliest"]
    return (
        (status.isna() & ~departs)
        | (is_service & status.eq(PRESENT))
        | (is_service & dated & status.isin([LEFT, NOT_REACHED]))
        | (is_service & departs & before)
    )


def _observation(
    rows: pd.DataFrame, kind: str, place: str, earliest: pd.Series, latest: pd.Series, **more: pd.Series
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person_id": rows["person_id"],
            "earliest": earliest,
            "latest": latest,
            "municipality": rows[f"{place}_code"],
            "region": rows[f"{place}_region"],
            "zone": first_known(rows[f"{place}_zone"], UNKNOWN),
            "kind": kind,
            "organisation_id": rows["organisation_id"],
            "organisation_zone": rows["organisation_zone"],
            "record_id": rows["record_id"],
            "told": rows["told"],
            **more,
        }
    )


def _is_establishment(rows: pd.DataFrame) -> pd.Series:
    return rows["establishment_date_latest"].notna() & stated(rows, "destination")


def _establishments(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[_is_establishment(rows)]
    earliest, latest = rows["establishment_date_earliest"], rows["establishment_date_latest"]
    # nobody settles before the day they left the metropole
    left_metropole = rows["departure_date_earliest"]
    earliest = earliest.where(~((left_metropole > earliest) & (left_metropole <= latest)), left_metropole)
    return _observation(rows, "establishment", "destination", earliest, latest)


def _old_addresses(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[_is_establishment(rows) & stated(rows, "residence")]
    rows = rows[~_same_place(rows)]
    latest = rows["establishment_date_latest"].where(
        ~(rows["departure_date_latest"] < rows["establishment_date_latest"]), rows["departure_date_latest"]
    )
    arrival = rows["arrival_date_earliest"]
    return _observation(rows, "residence", "residence", arrival.where(arrival <= latest), latest)


def _same_place(rows: pd.DataFrame) -> pd.Series:
    by_code = rows["residence_code"].eq(rows["destination_code"]) & rows["residence_code"].notna()
    area = rows["residence_code"].isna() | rows["destination_code"].isna()
    return by_code | (area & rows["residence_region"].eq(rows["destination_region"]) & rows["residence_region"].notna())


def _services(rows: pd.DataFrame) -> pd.DataFrame:
    # a service without a status may be dated as a follow-up is
    undated = rows["service_date_latest"].isna() & rows["follow_up_status"].isna() & rows["service"].notna()
    for end in ("earliest", "latest"):
        service_date, follow_up_date = rows[f"service_date_{end}"], rows[f"follow_up_date_{end}"]
        rows = rows.assign(**{f"service_date_{end}": service_date.where(~undated, follow_up_date)})
    rows = rows[rows["service_date_latest"].notna() & stated(rows, "residence")]
    # the residence of an establishment row is a presence only where the person settled
    rows = rows[~_is_establishment(rows) | _same_place(rows)]
    before = _is_establishment(rows) & (rows["service_date_latest"] < rows["establishment_date_earliest"])
    rows = rows[~before]
    earliest, latest = _believable(rows)
    face_to_face = rows["service"].isin(IN_PERSON) & rows["organisation_zone"].eq(METROPOLE)
    return _observation(
        rows,
        "service",
        "residence",
        earliest,
        latest,
        in_person_metropole=face_to_face & rows["residence_zone"].eq(METROPOLE),
    )


def _believable(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """
    A service's date; where it is the person's only one before the arrival in Québec, the row's quarter until filing.

    Where several dates of the person contradict the arrival, the arrival is taken to be wrong.
    """
    earliest, latest = rows["service_date_earliest"], rows["service_date_latest"]
    arrival = rows["arrival_date_earliest"]
    contradicted = latest < arrival
    days = latest.where(contradicted).groupby(rows["person_id"]).transform("nunique")
    contradicted &= days.eq(1) & ~(rows["establishment_date_latest"] < arrival)
    begins = quarter_ends(rows).dt.to_period("Q").dt.start_time.fillna(arrival)
    # the later of the two, then the earlier: `clip` stops where only some of its bounds are missing
    begins = begins.where(~(begins < arrival), arrival).where(~(rows["told"] < begins), rows["told"])
    return earliest.where(~contradicted, begins), latest.where(~contradicted, rows["told"])


def _presences(rows: pd.DataFrame) -> pd.DataFrame:
    has_residence = stated(rows, "residence")
    typed = _observation(
        rows[has_residence],
        "follow_up",
        "residence",
        rows["row_earliest"][has_residence],
        rows["row_latest"][has_residence],
    )
    rows = rows[~has_residence]
    # « présent » without an address: where the row says the person settled, else filled by addresses.py
    settled = _observation(rows, "follow_up", "destination", rows["row_earliest"], rows["row_latest"])
    return pd.concat([typed, settled], ignore_index=True)


def _regions_of_files(rows: pd.DataFrame) -> pd.Series:
    """The region outside the metropole that each row names, else the last one its organisation named for the person."""
    settles = _is_establishment(rows) & rows["destination_zone"].eq(REGION)
    named = rows["residence_region"].where(rows["residence_zone"].eq(REGION))
    named = named.where(~settles, rows["destination_region"])
    order = rows.sort_values(["person_id", "organisation_id", "row_latest", "record_id"]).index
    file = [rows[name].loc[order] for name in ("person_id", "organisation_id")]
    return named.where(named.notna(), named.loc[order].groupby(file).ffill())


def _departures(rows: pd.DataFrame) -> pd.DataFrame:
    dated = rows["exit_date_latest"].notna()
    latest = rows["exit_date_latest"].where(dated, rows["row_latest"].fillna(rows["told"]))
    return _observation(
        rows,
        "departure",
        "exit_destination",
        rows["exit_date_earliest"].where(dated),
        latest,
        # the address of a departure row is the one before the departure
        origin_region=rows["file_region"],
        origin_zone=rows["file_region"].notna().map({True: REGION, False: None}).astype("object"),
        died=rows["exit_reason"].eq("death"),
    )


def _metropole_departures(rows: pd.DataFrame) -> pd.DataFrame:
    """A departure from the metropolitan territory without a destination on the row."""
    rows = rows[rows["departure_date_latest"].notna() & ~_is_establishment(rows)]
    departures = _observation(
        rows, "departure", "exit_destination", rows["departure_date_earliest"], rows["departure_date_latest"]
    )
    nowhere = {"municipality": None, "region": None, "zone": UNKNOWN}
    return departures.assign(**nowhere, origin_zone=METROPOLE, origin_region=None, died=False)
