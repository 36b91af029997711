"""Scheduled contacts that were not made, news that came late, and transfers that nobody met: what loses people.

All of it from the organisation's own rows, but for transfers: whether an organisation of the regions met a person whom
it announced, which is told as a number only.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..contacts import SLACK_MONTHS
from ..months import add_months, months_between
from ..observations import filed, is_departure, quarter_ends
from ..study import Study
from ..tables import LEFT, METROPOLE, NOT_REACHED, REGION
from .given import ADDRESS, Given
from .tidy import counted, where

# A quarter and the month in which its deposit is made, and as much again: later than this, nobody was only slow.
LATE_TOLD_MONTHS = 6.0
# Within this time an organisation of the regions meets whom it was sent (services/transfer.py, its longer horizon).
MET_WITHIN_DAYS = 90
DUE, UNREACHED, TOLD_LATE, LEFT_LATE, UNMET = (
    "contact_not_made", "not_reached", "establishment_told_late", "departure_told_late", "not_met",
)  # fmt: skip


def contacts(given: Given, study: Study) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """
    Contacts due after an establishment that an organisation of the regions told of, and those that it did not attempt.

    A contact is due at each of `follow_up_months` if a month later the organisation still reports, and if the person
    had not left by then as far as it says. It is made by any attempt from a month before it until a month before the
    next one: a late call is a call. One that was made counts as due.
    """
    records = given.records
    rows = records[records["organisation_zone"].eq(REGION)]
    settled = rows[rows["establishment_date_latest"].notna()].sort_values("establishment_date_latest", kind="stable")
    settled = settled.drop_duplicates("dossier")[["dossier", "organisation_id", "establishment_date_latest", *ADDRESS]]
    if settled.empty:
        return [], []
    last = quarter_ends(rows).groupby(rows["organisation_id"]).max().clip(upper=given.cutoff)
    until = settled["organisation_id"].map(last)
    gone = rows[is_departure(rows)]
    left = gone["exit_date_latest"].fillna(gone["follow_up_date_latest"]).fillna(filed(gone, given.cutoff))
    until = np.fmin(until, settled["dossier"].map(left.groupby(gone["dossier"]).min()))
    months = pd.Series(months_between(settled["establishment_date_latest"], until), index=settled.index)

    tried = rows.loc[rows["follow_up_status"].notna(), ["dossier", "follow_up_date_latest", "deposit_date"]]
    tried = tried.merge(settled[["dossier", "establishment_date_latest"]], on="dossier")
    day = tried["follow_up_date_latest"].fillna(tried["deposit_date"])
    at = months_between(tried["establishment_date_latest"], day)
    due_at = np.array(study.follow_up_months, dtype=float)
    slot = np.searchsorted(due_at - SLACK_MONTHS, at, side="right") - 1
    # one number for a dossier and a contact of it
    made = tried["dossier"].to_numpy() * len(due_at) + slot
    made = made[slot >= 0]
    parts = []
    for one, month in enumerate(due_at):
        done = np.isin(settled["dossier"].to_numpy() * len(due_at) + one, made)
        parts.append(settled.assign(missed=~done)[done | (months >= month + SLACK_MONTHS)])
    due = pd.concat(parts)
    return [counted(due["missed"], due["organisation_id"], DUE)], [
        where(due[due["missed"]].drop_duplicates("dossier"), DUE)
    ]


def unreached(given: Given) -> list[pd.DataFrame]:
    """Contacts that reached nobody, of those attempted."""
    rows = given.records[given.records["follow_up_status"].notna()]
    return [counted(rows["follow_up_status"].eq(NOT_REACHED), rows["organisation_id"], UNREACHED)]


def late_news(given: Given) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Establishments and departures since its first quarter that were first told more than `LATE_TOLD_MONTHS` after."""
    records = given.records
    begun = quarter_ends(records).groupby(records["organisation_id"]).min()
    begun = pd.Series(add_months(begun, np.full(len(begun), -3)), index=begun.index).astype("datetime64[ns]")
    measures, places = [], []
    for measure, chosen, date in (
        (TOLD_LATE, records["establishment_date_latest"].notna(), "establishment_date_latest"),
        (LEFT_LATE, is_departure(records) & records["exit_date_latest"].notna(), "exit_date_latest"),
    ):
        rows = records[chosen & (records[date] > records["organisation_id"].map(begun))]
        rows = rows.assign(told=filed(rows, given.cutoff)).sort_values("told", kind="stable")
        rows = rows.drop_duplicates("dossier")
        late = pd.Series(months_between(rows[date], rows["told"]) > LATE_TOLD_MONTHS, index=rows.index)
        measures.append(counted(late, rows["organisation_id"], measure))
        places.append(where(rows[late], measure))
    return measures, places


def transfers(given: Given) -> list[pd.DataFrame]:
    """
    Persons whose establishment an organisation of the metropole announced, and whom none of the regions ever met.

    Of those settled `MET_WITHIN_DAYS` or more before the cut-off. A failed call and a departure heard of are no
    meeting.
    """
    records = given.records
    if records["person_id"].isna().all():
        return []
    rows = records[records["organisation_zone"].eq(METROPOLE) & records["establishment_date_latest"].notna()]
    rows = rows[rows["establishment_date_latest"] <= given.cutoff - pd.Timedelta(days=MET_WITHIN_DAYS)]
    rows = rows.drop_duplicates(["organisation_id", "person_id"])
    there = records["organisation_zone"].eq(REGION) & ~records["follow_up_status"].isin([NOT_REACHED, LEFT])
    met = records.loc[there & ~is_departure(records), "person_id"]
    return [counted(~rows["person_id"].isin(met), rows["organisation_id"], UNMET)]
