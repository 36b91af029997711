"""Stays of households: services are given to households, and targets count them.

A household's stay in a region is made of its members' first stays there. It begins when the first member settles and
lasts as long as one of them is there. Its traits are those of the principal (of the oldest where no role is told).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..households import household_type
from ..months import TOLERANCE, add_months
from ..observations import is_departure
from ..portrait.settled import stays_of
from ..study import Study
from ..tables import METROPOLE

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


def household_stays(
    cohort: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame, study: Study | None = None
) -> HouseholdStays:
    """
    The stays of households, from those of persons.

    Parameters
    ----------
    cohort : DataFrame
        The table of that name. Stays whose start is not known well enough (`excluded`) say nothing of when a service
        came, and are left out.
    records, persons : DataFrame
        The tables of those names.
    study : Study, optional
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
    >>> found = household_stays(cohort, t.conform(none, t.RECORDS), t.conform(none, t.PERSONS))
    >>> found.stays[["household_id", "begins", "ended", "members"]].values.tolist()
    [['H', Timestamp('2022-03-01 00:00:00'), NaT, 2]]
    >>> found.cutoff
    Timestamp('2023-03-01 00:00:00')
    """
    dead, filed = _told(records, persons)
    typed = cohort.assign(household_type=household_type(cohort) if len(cohort) else None)
    typed = typed.assign(cutoff_day=day_after(cohort["establishment_latest"], cohort["cutoff"]))
    cutoff = typed["cutoff_day"].max()
    kept = stays_of(typed[typed["excluded"].isna() & typed["establishment_latest"].notna()], study)
    kept = kept.drop_duplicates(["person_id", "region"]).reset_index(drop=True)
    start, earliest = kept["establishment_latest"], kept["establishment_earliest"]
    left_after, left_by = day_after(start, kept["lower"]), day_after(earliest, kept["upper"])
    left = kept["exit"].notna()
    heard = day_after(start, kept["heard_until"])
    died = ~left & kept["person_id"].isin(dead) & (kept["lower"] >= kept["heard_until"] - TOLERANCE)
    heard = heard.where(kept["person_id"].isin(filed) | died, cutoff)
    kept = kept.assign(
        left_day=(left_after + (left_by - left_after) / 2).dt.floor("D").where(left), left_by=left_by.where(left),
        confirmed=left_after, heard=heard, gone=left | died, died=died,
        _age=-kept["age"].fillna(-1), _role=~kept["role"].eq("principal"),
    )  # fmt: skip
    kept["left_day"] = kept["left_day"].fillna(kept["confirmed"].where(died))
    kept["left_by"] = kept["left_by"].fillna(kept["confirmed"].where(died))
    by = ["household_id", "region"]
    grouped = kept.groupby(by, dropna=False, sort=False)
    # ties of `left_day` are broken towards an exit: of two who end on one day it is the exit that is told
    last = kept.sort_values(["left_day", "died"], ascending=[True, False], kind="stable").groupby(
        by, dropna=False, sort=False
    )
    stays = grouped.agg(
        begins_earliest=("establishment_earliest", "min"), begins=("establishment_latest", "min"),
        ended=("left_day", "max"), ended_by=("left_by", "max"), confirmed=("confirmed", "max"), until=("heard", "max"),
        members=("person_id", "nunique"), all_gone=("gone", "all"),
    ).join(last.agg(died=("died", "last")))  # fmt: skip
    for name in ("ended", "ended_by"):
        stays[name] = stays[name].where(stays["all_gone"])
    stays["died"] &= stays["all_gone"]
    stays["precise"] = (stays["begins"] - stays["begins_earliest"]) <= WIDEST
    traits = kept.sort_values(["_role", "_age"], kind="stable").drop_duplicates(by)
    own = {
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
    stays = stays.reset_index().merge(traits.drop(columns=[c for c in own if c in traits]), on=by, how="left")
    stays = stays.sort_values(["begins", "household_id"], kind="stable", ignore_index=True)
    position = pd.Series(stays.index, index=pd.MultiIndex.from_frame(stays[by].fillna("")))
    at = position.reindex(pd.MultiIndex.from_frame(kept[by].fillna("")))
    return HouseholdStays(stays, kept[["person_id"]].assign(stay=at.to_numpy()), cutoff)


def _told(records: pd.DataFrame, persons: pd.DataFrame) -> tuple[set, set]:
    """Persons whose death is told, and persons on whom an organisation of the regions has a file."""
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
    known = np.isfinite(m)
    m = np.where(known, m, 0.0)
    whole = np.floor(m + TOLERANCE)
    reached, following = add_months(start, whole), add_months(start, whole + 1)
    part = np.round(np.maximum(m - whole, 0.0) * (following - reached).astype(float))
    part = np.where(np.isnat(reached), 0, part).astype("timedelta64[D]")
    found = pd.Series((reached + part).astype("datetime64[ns]"), index=start.index)
    return found.where(known)
