"""What is known of the course of each stay: scheduled contacts and their outcome, services in person, late news.

The observation model reads this table beside `cohort` (observation-model.md). A scheduled contact is one whose
failure would have been written: a row with a `statut_suivi`. Months count from the establishment: from its latest
day for « présent », from its earliest for « parti », from its middle for the others.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .months import months_between
from .observations import filed, is_departure
from .spells import Residences
from .tables import CONTACTS, LEFT, METROPOLE, NOT_REACHED, OUTSIDE_QUEBEC, PRESENT, REGION, conform, stack

# How far from its due month a scheduled contact may be held and still be that contact.
SLACK_MONTHS = 1.0
_KIND_OF_STATUS = {PRESENT: "present", LEFT: "left", NOT_REACHED: "failed"}


def build_contacts(
    stays: pd.DataFrame, residences: Residences, records: pd.DataFrame, persons: pd.DataFrame, scope: str
) -> pd.DataFrame:
    """
    The table `contacts` of the stays, in order of stay and month.

    Parameters
    ----------
    stays : DataFrame
        Stays with person_id, episode, region, exit, establishment and end intervals (cohort.py).
    residences, records, persons
        As given to `build_cohort`.
    scope : {"region", "any_region"}
        In one region only, a row is about the stay in the region that it names.
    """
    rows = records.merge(persons[["record_id", "person_id"]], on="record_id")
    rows = rows.assign(told=filed(rows, residences.cutoff))
    parts = [
        _scheduled(stays, rows, residences.cutoff, scope),
        _services(stays, residences.observations, scope),
        _departure_rows(stays, rows, scope),
        _seen_elsewhere(stays, residences.observations),
    ]
    found = stack(parts, CONTACTS)
    # the same thing said twice on the same day is one contact
    found = found.drop_duplicates(["person_id", "episode", "month", "kind", "organisation_id"])
    return found.sort_values(["person_id", "episode", "month", "kind"], ignore_index=True)


def _of_stay(stays: pd.DataFrame, events: pd.DataFrame, date: str, scope: str) -> pd.DataFrame:
    """
    Each event with the stay that it is about: the last one begun by its date, in the region that the row names.

    Someone who left for another region has begun another stay when the first region's organisation calls: what
    that call found is about the stay in its own region.
    """
    begun = stays.assign(begun=stays["establishment_earliest"].fillna(stays["establishment_latest"]))
    columns = [
        "person_id", "episode", "region", "exit", "begun",
        "establishment_earliest", "establishment_latest", "end_earliest", "end_latest",
    ]  # fmt: skip
    begun = begun[columns].add_prefix("stay_").rename(columns={"stay_person_id": "person_id"}).sort_values("stay_begun")
    events = events.dropna(subset=[date]).sort_values(date, kind="stable")
    named = events["residence_zone"].eq(REGION) & (scope == "region")
    by_person = pd.merge_asof(events[~named], begun, left_on=date, right_on="stay_begun", by="person_id")
    by_region = pd.merge_asof(
        events[named].assign(stay_region=events["residence_region"][named]), begun,
        left_on=date, right_on="stay_begun", by=["person_id", "stay_region"],
    )  # fmt: skip
    joined = pd.concat([by_person, by_region], ignore_index=True)
    return joined[joined["stay_episode"].notna()].reset_index(drop=True)


def _middle(found: pd.DataFrame) -> pd.Series:
    first = found["stay_establishment_earliest"].fillna(found["stay_establishment_latest"])
    return first + (found["stay_establishment_latest"] - first) / 2


def _contact(found: pd.DataFrame, kind, month: np.ndarray, cause=None, dated: pd.Series | None = None) -> pd.DataFrame:
    departure = {"departure_earliest": np.nan, "departure_latest": np.nan}
    if dated is not None:
        e1, e2 = found["stay_establishment_earliest"], found["stay_establishment_latest"]
        low = np.maximum(months_between(e2, found["exit_date_earliest"]), 0)
        high = np.maximum(months_between(e1, found["exit_date_latest"]), 0)
        departure = {
            "departure_earliest": np.where(dated, low, np.nan),
            "departure_latest": np.where(dated, high, np.nan),
        }
    return conform(
        pd.DataFrame(
            {
                "person_id": found["person_id"],
                "episode": found["stay_episode"].astype("Int64"),
                "month": np.maximum(np.nan_to_num(month), 0),
                "kind": kind,
                "organisation_id": found["organisation_id"],
                "cause": cause,
                **departure,
            }
        ).reset_index(drop=True),
        CONTACTS,
    )


def _scheduled(stays: pd.DataFrame, rows: pd.DataFrame, cutoff: pd.Timestamp, scope: str) -> pd.DataFrame:
    held = rows[rows["follow_up_status"].notna()].copy()
    held["date_earliest"] = held["follow_up_date_earliest"].fillna(held["service_date_earliest"])
    held["date_latest"] = held["follow_up_date_latest"].fillna(held["service_date_latest"]).fillna(held["told"])
    held["date"] = held["date_earliest"].fillna(held["date_latest"])
    found = _of_stay(stays, held[held["date"] <= cutoff], "date", scope)
    status = found["follow_up_status"]
    middle = found["date"] + (found["date_latest"] - found["date"]) / 2
    month = np.select(
        [status.eq(PRESENT), status.eq(LEFT)],
        [
            months_between(found["stay_establishment_latest"], found["date"]),
            months_between(found["stay_establishment_earliest"], found["date_latest"]),
        ],
        months_between(_middle(found), middle),
    )
    told = found["exit_date_latest"].notna() & status.eq(LEFT)
    return _contact(found, status.map(_KIND_OF_STATUS), month, _causes(found, status.eq(LEFT)), told)


def _services(stays: pd.DataFrame, observations: pd.DataFrame, scope: str) -> pd.DataFrame:
    given = observations[observations["kind"].eq("service") & observations["zone"].eq(REGION)]
    given = given[~given["organisation_zone"].eq(METROPOLE)]
    given = given.assign(residence_zone=given["zone"], residence_region=given["region"])
    found = _of_stay(stays, given, "earliest", scope)
    found = found[found["region"].eq(found["stay_region"]) | (scope == "any_region")]
    return _contact(found, "service", months_between(_middle(found), found["earliest"]))


def _departure_rows(stays: pd.DataFrame, rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """News by a departure row, at the month it was filed; one that repeats its organisation's « parti » is none."""
    gone = rows[is_departure(rows) & ~rows["follow_up_status"].eq(LEFT)].copy()
    gone["date"] = gone["exit_date_earliest"].fillna(gone["service_date_earliest"]).fillna(gone["told"])
    found = _of_stay(stays, gone, "date", scope)
    parti = rows[rows["follow_up_status"].eq(LEFT)]
    said_on = parti["follow_up_date_earliest"].fillna(parti["service_date_earliest"]).fillna(parti["told"])
    said = _of_stay(stays, parti.assign(date=said_on), "date", scope)
    keys = ["person_id", "stay_episode", "organisation_id"]
    known = found.merge(
        said.groupby(keys, as_index=False)["date"].min().rename(columns={"date": "parti"}), on=keys, how="left"
    )
    found = found[~(known["parti"] <= known["told"]).to_numpy()]
    leaves_region = ~(
        found["exit_destination_region"].eq(found["stay_region"]) & found["exit_destination_zone"].eq(REGION)
    )
    found = found[leaves_region & ~found["exit_reason"].eq("death")]
    return _contact(
        found,
        "news",
        months_between(_middle(found), found["told"]),
        _causes(found, True),
        found["exit_date_latest"].notna(),
    )


def _seen_elsewhere(stays: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """News by someone else: the first service, contact or establishment elsewhere, at the month it was filed."""
    ended = stays[stays["exit"].isin(["metropole", "other_region", "outside_quebec"])]
    seen = observations[observations["kind"].isin(["service", "follow_up", "establishment"])]
    pairs = ended.add_prefix("stay_").rename(columns={"stay_person_id": "person_id"}).merge(seen, on="person_id")
    elsewhere = ~(pairs["region"].eq(pairs["stay_region"]) & pairs["zone"].eq(REGION)) & pairs["zone"].ne("unknown")
    after = pairs["latest"] >= pairs["stay_end_earliest"]
    within = ~pairs["kind"].eq("service") | ~pairs["zone"].eq(METROPOLE) | (pairs["latest"] >= pairs["stay_end_latest"])
    pairs = pairs[elsewhere & after & within]
    cause = {METROPOLE: "metropole", OUTSIDE_QUEBEC: "outside_quebec", REGION: "other_region"}
    pairs = pairs[pairs["zone"].map(cause).eq(pairs["stay_exit"])]
    first = pairs.sort_values(["told", "record_id"]).drop_duplicates(["person_id", "stay_episode"])
    return _contact(first, "news", months_between(_middle(first), first["told"]), first["stay_exit"])


def _causes(found: pd.DataFrame, rows) -> np.ndarray:
    """Where the row says the person went; None where it does not say."""
    zone = found["exit_destination_zone"]
    cause = np.select(
        [
            zone.eq(METROPOLE),
            zone.eq(OUTSIDE_QUEBEC),
            zone.eq(REGION) & found["exit_destination_region"].ne(found["stay_region"]),
        ],
        ["metropole", "outside_quebec", "other_region"],
        "unknown_destination",
    )
    return np.where(rows, cause, None)


def lost_to_follow_up(
    stays: pd.DataFrame, contacts: pd.DataFrame, follow_up_months: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Who was lost, how, and since which month (design.md, rule 4).

    Returns
    -------
    lost : ndarray of object
        `contact` where an attempt failed after the last confirmed presence, `silent` where a contact was due by the
        schedule and nobody tried, else None.
    month : ndarray of float
        The month of the first such attempt or missed date; NaN where nobody is lost.
    """
    keys = ["person_id", "episode"]
    open_stay = stays["exit"].isna() & ~stays["outcome"].eq("deceased")
    failed = contacts[contacts["kind"].eq("failed")].merge(stays[[*keys, "lower"]], on=keys)
    failed = failed[failed["month"] > failed["lower"]].groupby(keys)["month"].min()
    failed_month = failed.reindex(pd.MultiIndex.from_frame(stays[keys])).to_numpy(dtype=float)
    tried = contacts[contacts["kind"].isin(["present", "left", "failed"])].groupby(keys)["month"].max()
    last = tried.reindex(pd.MultiIndex.from_frame(stays[keys])).to_numpy(dtype=float)
    known = np.fmax(last, stays["lower"].to_numpy())
    due = np.asarray(follow_up_months, dtype=float)
    missed = (due > known[:, None] + SLACK_MONTHS) & (due + SLACK_MONTHS <= stays["cutoff"].to_numpy()[:, None])
    missed_month = np.where(missed.any(axis=1), due[missed.argmax(axis=1)], np.nan)
    by_contact = open_stay.to_numpy() & ~np.isnan(failed_month)
    silent = open_stay.to_numpy() & ~by_contact & ~np.isnan(missed_month)
    lost = np.select([by_contact, silent], ["contact", "silent"], "")
    return np.where(lost == "", None, lost), np.select([by_contact, silent], [failed_month, missed_month], np.nan)
