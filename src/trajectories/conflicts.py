"""Where sources disagree: which observation counts, and one row for each decision against a source.

The rules are those of design.md (« Rules that decide correctness », 1 and 2). A decision is a row of the table
`conflicts` with a stable code:

- `old_address`: a Montréal organisation goes on printing the old address after an establishment or a follow-up en
  région; within the grace period, and unless the service was given in person in the metropole, it is no return;
- `departure_before_presence`: a departure is dated before a presence in the place left, and was told after it; the
  presence is kept, the departure is known only by the day it was told;
- `establishment_dates`: two establishment dates for one settling; the hull if they lie within 31 days, else the
  earlier;
- `presence_before_establishment`: someone is seen at the destination before the reported date of establishment;
  the report is kept if the gap is within 31 days, else the presence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .tables import CONFLICTS, METROPOLE, REGION, UNKNOWN, conform, first_known

# Two reports of one establishment this close are one event told twice (design.md, rule 1).
SAME_EVENT = pd.Timedelta(days=31)
EXPLICIT = ("establishment", "follow_up")
DIRECT = ("service", "follow_up")


def settle(observations: pd.DataFrame, grace_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The observations that count, in order of person and date, and the decisions taken.

    Parameters
    ----------
    observations : DataFrame
        As `build_observations` returns them.
    grace_days : int
        How long after an explicit report a repeated old address is no news.

    Returns
    -------
    kept : DataFrame
        The observations that count, with `marker` True for departures to an unknown place (they end a spell and
        begin none).
    conflicts : DataFrame
        The table `conflicts`.
    """
    found, contradicted = _departures_before_presence(observations)
    found = _in_order(found)
    found = _present_somewhere(found)
    found["marker"] = found["kind"].eq("departure") & (
        (found["zone"].eq(UNKNOWN) & found["region"].isna()) | found["died"]
    )
    found = found[found["marker"] | ~(found["zone"].eq(UNKNOWN) & found["region"].isna())]
    old, addresses = _old_addresses(found, grace_days)
    found = _news_already_known(found[~old])
    return found.reset_index(drop=True), pd.concat([contradicted, addresses], ignore_index=True)


def conflict_rows(rows: pd.DataFrame, rule: str, said: pd.Series, kept: pd.Series | str) -> pd.DataFrame:
    """Rows of the table `conflicts`, dated by the latest day of the observation set aside."""
    found = {"person_id": rows["person_id"], "date": rows["latest"], "rule": rule, "said": said, "kept": kept}
    return conform(pd.DataFrame(found), CONFLICTS)


def describe(rows: pd.DataFrame) -> pd.Series:
    """What an observation says, in codes: organisation, kind, place, interval (no personal value)."""
    place = first_known(rows["municipality"], rows["region"], rows["zone"])
    earliest = rows["earliest"].dt.strftime("%Y-%m-%d").fillna("?")
    latest = rows["latest"].dt.strftime("%Y-%m-%d")
    organisation = first_known(rows["organisation_id"], "?")
    return organisation + " " + rows["kind"] + " " + place + " " + earliest + "/" + latest


def _in_order(found: pd.DataFrame) -> pd.DataFrame:
    """By person and date; on one day the old address comes first and a departure last."""
    rank = found["kind"].map({"residence": 0, "service": 1, "follow_up": 1, "establishment": 2, "departure": 3})
    return (
        found.assign(_rank=rank)
        .sort_values(["person_id", "latest", "_rank", "earliest", "record_id"], ignore_index=True)
        .drop(columns="_rank")
    )


def _departures_before_presence(found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Departures dated before a presence in the region left, of which the teller could have known."""
    departure = found["kind"].eq("departure") & found["origin_region"].notna() & found["earliest"].notna()
    left = found.loc[departure, ["person_id", "told", "origin_region", "latest"]].rename(
        columns={"origin_region": "region"}
    )
    at_place = found["zone"].eq(REGION)
    seen = _last_known(left, found[at_place & found["kind"].isin(DIRECT)])
    # who settled there again after that departure may well be present: nothing is contradicted
    settled_again = _last_known(left, found[at_place & found["kind"].eq("establishment")]) > left["latest"]
    against = left.index[(seen > left["latest"]) & ~settled_again]
    if against.empty:
        return found, conflict_rows(found.iloc[:0], "departure_before_presence", found["kind"].iloc[:0], "")
    said = found.loc[against].sort_index()
    seen_on = seen.loc[said.index]
    found = found.copy()
    found.loc[said.index, "latest"] = found.loc[said.index, ["told"]].assign(seen=seen_on).max(axis=1)
    found.loc[said.index, "earliest"] = pd.NaT
    kept = "presence " + seen_on.dt.strftime("%Y-%m-%d")
    return found, conflict_rows(said, "departure_before_presence", describe(said), kept)


def _last_known(left: pd.DataFrame, seen: pd.DataFrame) -> pd.Series:
    """For each departure, the last day in the same region that lies before it was told."""
    days = seen[["person_id", "region", "earliest"]].dropna().sort_values("earliest", kind="stable")
    found = pd.merge_asof(
        left.reset_index().sort_values("told", kind="stable"), days,
        left_on="told", right_on="earliest", by=["person_id", "region"],
    )  # fmt: skip
    return found.set_index("index")["earliest"].reindex(left.index)


def _present_somewhere(found: pd.DataFrame) -> pd.DataFrame:
    """« Présent » without a known place: present where the person was last said to have settled or been."""
    blank = found["kind"].eq("follow_up") & found["zone"].eq(UNKNOWN) & found["region"].isna()
    if not blank.any():
        return found
    placed = found["kind"].isin(["establishment", "follow_up", "service"]) & ~found["zone"].eq(UNKNOWN)
    last = _last(found, placed)
    usable = blank & (last >= 0)
    found = found.copy()
    for column in ("municipality", "region", "zone"):
        values = found[column].to_numpy(dtype=object, copy=True)
        values[usable] = values[last[usable]]
        found[column] = values
    return found


def _last(found: pd.DataFrame, flag: pd.Series) -> np.ndarray:
    """For each row, the position of the last flagged row of the same person before it; −1 where there is none."""
    position = np.arange(len(found))
    last = np.maximum.accumulate(np.where(flag, position, -1)) if len(found) else position
    before = np.concatenate([[-1], last[:-1]])[: len(found)]
    return np.where(before >= first_positions(found["person_id"]), before, -1)


def first_positions(persons: pd.Series) -> np.ndarray:
    """For each row of a table in order of person, the position of the person's first row."""
    values = persons.to_numpy()
    new = np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
    return np.maximum.accumulate(np.where(new, np.arange(len(values)), 0)) if len(values) else np.arange(0)


def _old_addresses(found: pd.DataFrame, grace_days: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Rule 2: metropolitan addresses that are printed again after someone settled en région."""
    found = found.reset_index(drop=True)
    anchor = found["kind"].isin((*EXPLICIT, "departure")) | found["in_person_metropole"]
    last = _last(found, anchor)
    has = last >= 0
    of = found.iloc[np.where(has, last, 0)].reset_index(drop=True)
    settled = has & of["kind"].isin(EXPLICIT) & of["zone"].eq(REGION)
    metropole = found["zone"].eq(METROPOLE) & ~found["in_person_metropole"]
    stranger = found["organisation_id"].ne(of["organisation_id"]) | found["organisation_zone"].eq(METROPOLE)
    soon = found["earliest"] <= of["latest"] + pd.Timedelta(days=grace_days)
    repeated = settled & metropole & stranger & soon & found["kind"].eq("service")
    # the old address of an establishment row attests only before: told again later, it is no news and no conflict
    before = settled & found["kind"].eq("residence") & ~(found["earliest"] > of["latest"])
    said = found[repeated]
    decided = conflict_rows(said, "old_address", describe(said), describe(of)[repeated])
    return (repeated | before).to_numpy(), decided


def _news_already_known(found: pd.DataFrame) -> pd.DataFrame:
    """Departures told of someone who is already known to be elsewhere begin no new spell."""
    found = found.reset_index(drop=True)
    last = _last(found, ~found["marker"])
    has = last >= 0
    of = found.iloc[np.where(has, last, 0)].reset_index(drop=True)
    departure = found["kind"].eq("departure")
    other_zone = found["origin_zone"].notna() & found["origin_zone"].ne(UNKNOWN) & found["origin_zone"].ne(of["zone"])
    other_region = found["origin_region"].notna() & of["region"].notna() & found["origin_region"].ne(of["region"])
    elsewhere = departure & has & (other_zone | other_region)
    same = elsewhere & (found["marker"] | found["zone"].eq(of["zone"])) & ~found["died"]
    # an area of the zone where the person already is says nothing new; a departure before any presence has no spell
    return found[~(same | (found["marker"] & ~has))].reset_index(drop=True)
