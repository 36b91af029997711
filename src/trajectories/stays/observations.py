"""Records → observations: what each row attests about where a person was, and when.

An observation is evidence that a person lived in a place on a date, the date being an interval. A row attests all that
it says (docs/rules.md, « Evidence »), each fact on its own date:

- a service: the residence, on the service's date (where that is before the arrival in Québec, in the row's quarter);
- an establishment: the destination, else a residence en région, from that date; another residence on the row may be
  the old address and attests only before (kind `residence`);
- a follow-up « présent »: the residence (where it is blank or old, addresses.py puts where the person last settled);
  without a date it is a contact in the row's quarter;
- a departure and « parti »: the place left is no presence; what they attest is the destination, from the date of
  departure (kind `departure`); a « non joint » attests nothing.

Nothing is imputed: a date known to the quarter stays the whole quarter, a departure without a date is known only to
lie before the day it was told (`earliest` is then NaT).
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

# An establishment is told so long before it happens, at most.
PLANNED = pd.Timedelta(days=31)

# What is read of a record: the other half of its columns is not carried along.
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

    Besides the declared columns: `told` (the day the row was filed, at most the cut-off), `organisation_zone`,
    `in_person_metropole`, `origin_region` and `origin_zone` (of a departure: the place left) and `died`. Whatever
    happened after the cut-off is left out.
    """
    rows = records[list(READ)].merge(persons[["record_id", "person_id"]], on="record_id", how="inner")
    # an organisation that prints its own town says the region, not the municipality
    rows["residence_code"] = rows["residence_code"].mask(rows["residence_own_town"].fillna(False).astype(bool), None)
    rows = _destination_as_residence(settled_at_residence(rows))
    told = filed(rows, cutoff)
    earliest, latest = contact_days(rows, told)
    rows = rows.assign(told=told, row_earliest=earliest, row_latest=latest)
    rows["file_region"] = _regions_of_files(rows)
    parts = [
        _establishments(rows),
        _old_addresses(rows),
        _services(rows[serves(rows)]),
        _presences(rows[rows["follow_up_status"].eq(PRESENT)]),
        _departures(rows[is_departure(rows)]),
        _metropole_departures(rows),
    ]
    found = stack(parts, OBSERVATIONS).reindex(columns=[*OBSERVATIONS.columns, *_MORE])
    for flag in ("in_person_metropole", "died"):
        found[flag] = found[flag].eq(True)
    for text in ("organisation_zone", "origin_region", "origin_zone"):
        found[text] = found[text].astype("object").where(found[text].notna(), None)
    found["told"] = found["told"].astype("datetime64[ns]")
    found = found[~(found["earliest"] > cutoff) & found["latest"].notna()]
    # of a day known only as a month, a quarter or a year: what a row tells had happened when it was filed, or was near
    planned = found["kind"].isin(["establishment", "residence"])
    until = found["told"].where(~planned, found["told"] + PLANNED)
    until = until.where(until >= found["earliest"], cutoff)
    found["latest"] = found["latest"].where(~(found["latest"] > until), until).clip(upper=cutoff)
    return found.sort_values(["person_id", "latest", "earliest", "kind", "record_id"], ignore_index=True)


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
    """A destination that several towns are called is the residence, where that is known and has this very name."""
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

    A place known neither by town nor by region keeps its zone; so does an organisation.
    """
    areas = region_zones(perimeter)
    found = {}
    for place in ("residence", "destination", "exit_destination"):
        code, region = records[f"{place}_code"], records[f"{place}_region"]
        zone = records[f"{place}_zone"].where(region.isna(), region.map(areas))
        found[f"{place}_zone"] = zone.where(code.isna(), pd.Series(zones(code, perimeter), index=records.index))
    return records.assign(**found)


def filed(rows: pd.DataFrame, cutoff: pd.Timestamp) -> pd.Series:
    """The day a row was filed: deposit date, else the quarter's end, else its last own date; at most the cut-off."""
    found = rows["deposit_date"].fillna(quarter_ends(rows)).fillna(_row_date(rows, "latest"))
    return found.fillna(rows["exit_date_latest"]).fillna(rows["establishment_date_latest"]).clip(upper=cutoff)


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
    known = ~(np.isnan(year) | np.isnan(quarter))
    months = np.where(known, (year - 1970) * 12 + 3 + quarter * 3, 0).astype("int64")
    following = months.astype("datetime64[M]").astype("datetime64[D]")
    ends = (following - np.timedelta64(1, "D")).astype("datetime64[ns]")
    return pd.Series(np.where(known, ends, np.datetime64("NaT", "ns")), index=rows.index)


def is_departure(rows: pd.DataFrame) -> pd.Series:
    """Rows that tell of a departure from the region: an exit date or destination or reason, or « parti »."""
    told = rows["exit_date_latest"].notna() | rows["exit_destination"].notna() | rows["exit_reason"].notna()
    return (told & ~rows["follow_up_status"].isin([PRESENT, NOT_REACHED])) | rows["follow_up_status"].eq(LEFT)


def _row_date(rows: pd.DataFrame, end: str) -> pd.Series:
    """A row's own date: the follow-up's, else the service's (the contract's default date of a row)."""
    return rows[f"follow_up_date_{end}"].fillna(rows[f"service_date_{end}"])


def contact_days(rows: pd.DataFrame, told: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The first and the last day that each row may be of: its own date, else its quarter, until it was told."""
    quarter = quarter_ends(rows)
    begins = quarter.dt.to_period("Q").dt.start_time
    latest = _row_date(rows, "latest")
    undated = latest.isna()
    until = quarter.where(~(quarter > told), told).fillna(told)
    begins = begins.where(~(begins > until), until)
    return _row_date(rows, "earliest").where(~undated, begins), latest.where(~undated, until)


def serves(rows: pd.DataFrame) -> pd.Series:
    """
    Rows that tell of a service on a date of its own.

    Beside a follow-up that finds nobody, or a departure, the date of a service is surely its own only where the other
    fact has one too, and not before it; beside « présent », also on the same day. A follow-up that is called a service
    as well is one fact.
    """
    status, given = rows["follow_up_status"], rows["service"].notna() & rows["service"].ne(FOLLOW_UP_SERVICE)
    departs, dated = is_departure(rows), rows["follow_up_date_latest"].notna()
    before = rows["service_date_latest"] <= rows["exit_date_earliest"]
    return (
        (status.isna() & ~departs)
        | (given & status.eq(PRESENT))
        | (given & dated & status.isin([LEFT, NOT_REACHED]))
        | (given & departs & before)
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
    # who left the metropole on a day cannot have settled before it
    left = rows["departure_date_earliest"]
    earliest = earliest.where(~((left > earliest) & (left <= latest)), left)
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
        own, other = rows[f"service_date_{end}"], rows[f"follow_up_date_{end}"]
        rows = rows.assign(**{f"service_date_{end}": own.where(~undated, other)})
    rows = rows[rows["service_date_latest"].notna() & stated(rows, "residence")]
    # the residence of an establishment row is a presence only where the person settled
    rows = rows[~_is_establishment(rows) | _same_place(rows)]
    before = _is_establishment(rows) & (rows["service_date_latest"] < rows["establishment_date_earliest"])
    rows = rows[~before]
    earliest, latest = _believable(rows)
    face_to_face = rows["service"].isin(IN_PERSON) & rows["organisation_zone"].eq(METROPOLE)
    return _observation(
        rows, "service", "residence", earliest, latest,
        in_person_metropole=face_to_face & rows["residence_zone"].eq(METROPOLE),
    )  # fmt: skip


def _believable(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """
    A service's date; where it alone is before the arrival in Québec, the row's quarter as far as it was told.

    Of an arrival that several dates of the person contradict, it is the arrival that is not believed.
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
    place = stated(rows, "residence")
    typed = _observation(rows[place], "follow_up", "residence", rows["row_earliest"][place], rows["row_latest"][place])
    rows = rows[~place]
    # « présent » without an address: where the row says the person settled, else filled by addresses.py
    settled = _observation(rows, "follow_up", "destination", rows["row_earliest"], rows["row_latest"])
    return pd.concat([typed, settled], ignore_index=True)


def _regions_of_files(rows: pd.DataFrame) -> pd.Series:
    """The region en région that each row names, else the last in which its organisation knew the person."""
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
        rows, "departure", "exit_destination", rows["exit_date_earliest"].where(dated), latest,
        # who leaves a region is told with the address of before as well
        origin_region=rows["file_region"],
        origin_zone=rows["file_region"].notna().map({True: REGION, False: None}).astype("object"),
        died=rows["exit_reason"].eq("death"),
    )  # fmt: skip


def _metropole_departures(rows: pd.DataFrame) -> pd.DataFrame:
    """A departure from the metropolitan territory of which no destination is told on the row."""
    rows = rows[rows["departure_date_latest"].notna() & ~_is_establishment(rows)]
    found = _observation(
        rows, "departure", "exit_destination", rows["departure_date_earliest"], rows["departure_date_latest"]
    )
    nowhere = {"municipality": None, "region": None, "zone": UNKNOWN}
    return found.assign(**nowhere, origin_zone=METROPOLE, origin_region=None, died=False)
