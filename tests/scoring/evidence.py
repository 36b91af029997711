"""What the rows show of the true lives to a careful reader (docs/habits.md): nobody can find what no row tells of.

A *run* is the time that a person spent without interruption in one area: a region, the metropole, or outside Québec.
Each row shows a run, or none: a service or a « présent » at an address that is no repetition, an establishment, the
address before it, a departure for somewhere. Places must be typed in a way that leaves no doubt, dates readably, and in
an order that can be known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from trajectories import places
from trajectories.stays.observations import IN_PERSON
from trajectories.tables import METROPOLE, OUTSIDE_QUEBEC, REGION

from .rows import DETERMINABLE

DAY = pd.Timedelta(days=1)
# A visit in the first two months after settling is no return.
VISITS = 61 * DAY
_PERIODS = {"month": "M", "quarter": "Q", "year": "Y", "missing": "Q"}  # a contact without a date: the row's quarter
READABLE = ("day", "month", "quarter", "year")
KEYS = ["unit", "area", "day", "earliest", "latest"]


def true_runs(truth, rows: pd.DataFrame) -> pd.DataFrame:
    """
    unit, true_person, area, start, end (NaT: open), died, shown: every unit's runs in order of time.

    `rows` are the records with their units (`links.linked_rows`).
    """
    lived = truth.residences.sort_values(["true_person", "start"], ignore_index=True)
    lived["area"] = lived["region"].where(lived["zone"].eq(REGION), lived["zone"])
    new = lived["area"].ne(lived["area"].shift()) | lived["true_person"].ne(lived["true_person"].shift())
    runs = lived.loc[new, ["true_person", "area", "start"]].reset_index(drop=True)
    runs["end"] = lived.loc[new.shift(-1, fill_value=True), "end"].reset_index(drop=True)
    died = truth.persons.set_index("true_person")["death_date"]
    runs["died"] = runs["end"].notna() & runs["end"].eq(runs["true_person"].map(died))
    units = rows[["unit", "true_person"]].drop_duplicates()
    runs = units.merge(runs, on="true_person").sort_values(["unit", "start"], ignore_index=True)
    return runs.assign(shown=runs.index.isin(_shown(runs, rows, truth)))


def open_to_doubt(rows: pd.DataFrame, truth) -> pd.Index:
    """Units of whom nobody can know: a departure is falsely told, or two establishments may be in either order."""
    settled = _settlements(placed(rows, truth))[KEYS].reset_index(names="told")
    pairs = settled.merge(settled, on="unit", suffixes=("", "_other"))
    either = (pairs["area"] != pairs["area_other"]) & (pairs["earliest"] <= pairs["latest_other"]) & (
        pairs["earliest_other"] <= pairs["latest"]
    )  # fmt: skip
    return pd.Index(
        pd.concat([rows.loc[rows["note"].eq("departure_false"), "unit"], pairs.loc[either, "unit"]]).unique()
    )


def departures(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that truly tell of a departure: `day` is `exit_date` where that is typed, else the day it was noted."""
    gone = rows[(rows["kind"].eq("departure") | rows["status"].eq("left")) & rows["note"].ne("departure_false")]
    told = gone["status"].eq("left") | ~gone["destination_form"].isin(["", "none"]) | gone["date_form"].ne("missing")
    gone = gone[told].assign(exit_date=gone["exit_date"].where(gone["exit_form"].isin(READABLE)))
    return gone.assign(day=gone["exit_date"].fillna(gone["noted_date"]))


def placed(rows: pd.DataFrame, truth) -> pd.DataFrame:
    """The rows with areas known for sure: typed (residence), target; by, around: the organisation's zone, region."""
    areas = places.municipalities("RMR-2021")
    area_of = areas["region"].where(areas["zone"].eq(REGION), areas["zone"])
    partners = truth.organisations.set_index("organisation_id")
    rows = rows.assign(
        typed=rows["residence_code"].where(rows["residence_form"].isin(DETERMINABLE)).map(area_of),
        target=rows["destination_code"].where(rows["destination_form"].isin(DETERMINABLE)).map(area_of),
        by=rows["organisation_id"].map(partners["zone"]),
        around=rows["organisation_id"].map(partners["region"]),
    )
    rows.loc[rows["destination_form"].eq("outside"), "target"] = OUTSIDE_QUEBEC
    return rows


def _shown(runs: pd.DataFrame, rows: pd.DataFrame, truth) -> np.ndarray:
    rows = placed(rows, truth)
    settled = _settlements(rows)
    there = _presences(rows, settled)
    old = rows[rows["kind"].eq("establishment") & rows["target"].notna() & rows["date_form"].isin(READABLE)]
    before = old.assign(area=old["typed"], day=old["event_date"] - DAY)
    numbered = runs.reset_index(names="run")
    seen = numbered.merge(pd.concat([settled[KEYS], there[KEYS], before[["unit", "area", "day"]]]), on=["unit", "area"])
    seen = seen[(seen["start"] <= seen["day"]) & ~(seen["end"] <= seen["day"])]
    gone = departures(rows)[["unit", "target", "exit_date", "day"]].rename(columns={"target": "area"})
    led = numbered.merge(gone, on=["unit", "area"])
    led = led[led["exit_date"].eq(led["start"]) | (led["exit_date"].isna() & (led["start"] <= led["day"]))]
    led = led.sort_values("start").drop_duplicates(["unit", "area", "day"], keep="last")
    return np.union1d(seen["run"], led["run"])


def printed_since(rows: pd.DataFrame) -> pd.Series:
    """Since when the address of a row was printed: the one beside an establishment elsewhere is of before it."""
    old = rows["kind"].eq("establishment") & rows["target"].notna() & rows["target"].ne(rows["typed"])
    return rows["noted_date"].where(~old, rows["event_date"] - DAY)


def span(day: pd.Series, form: pd.Series) -> dict[str, pd.Series]:
    """The first and the last day of dates as typed."""
    earliest, latest = day.copy(), day.copy()
    for name, period in _PERIODS.items():
        spans = day[form.eq(name)].dt.to_period(period)
        earliest.update(spans.dt.start_time)
        latest.update(spans.dt.end_time.dt.normalize())
    return {"day": day, "earliest": earliest, "latest": latest}


def _settlements(rows: pd.DataFrame) -> pd.DataFrame:
    """Establishments en région: at the destination, else at the residence."""
    told = rows[rows["kind"].eq("establishment") & rows["date_form"].isin(READABLE)]
    told = told.assign(area=told["target"].where(told["destination_code"].ne(""), told["typed"]),
                       **span(told["event_date"], told["date_form"]))  # fmt: skip
    return told[told["area"].notna() & ~told["area"].isin([METROPOLE, OUTSIDE_QUEBEC])]


def _presences(rows: pd.DataFrame, settled: pd.DataFrame) -> pd.DataFrame:
    """Services and « présent » that say something new: not an old address printed again (R3 of docs/habits.md)."""
    service = rows[rows["kind"].eq("service") & rows["date_form"].isin(READABLE)]
    service = service.assign(present=False, **span(service["event_date"], service["date_form"]))
    present = rows[rows["status"].eq("present") & rows["follow_up_form"].isin([*READABLE, "missing"])]
    present = present.assign(present=True, **span(present["follow_up_date"], present["follow_up_form"]))
    there = pd.concat([service, present]).assign(area=lambda t: t["typed"])
    there = there[there["area"].notna()].reset_index(drop=True).reset_index(names="presence")
    printed = rows[rows["typed"].notna()].assign(since=printed_since(rows))
    printed = printed.groupby(["unit", "residence_code"])["since"].min()
    since = settled[["unit", "area", "day", "latest"]].rename(
        columns={"area": "area_settled", "day": "since", "latest": "since_latest"}
    )
    pairs = there.merge(since, on="unit")
    pairs = pairs[(pairs["area"] != pairs["area_settled"]) & (pairs["since"] <= pairs["day"])]
    pairs = pairs.join(printed.rename("first_printed"), on=["unit", "residence_code"])
    gone = departures(rows)[["unit", "day", "typed", "around"]].rename(columns={"day": "left"})
    left = pairs.merge(gone, on="unit", suffixes=("", "_left"))
    of_it = left["typed_left"].eq(left["area_settled"]) | left["around_left"].eq(left["area_settled"])
    told_gone = left.loc[of_it & (left["since"] <= left["left"]) & (left["left"] <= left["day"]), "presence"]
    returned = pairs["by"].eq(METROPOLE) & pairs["service"].isin(IN_PERSON) & ~pairs["present"] & (
        pairs["day"] - pairs["since"] > VISITS
    )  # fmt: skip
    repeated = (pairs["first_printed"] <= pairs["since_latest"]) & ~returned & ~pairs["presence"].isin(told_gone)
    unordered = pairs["earliest"] <= pairs["since_latest"]
    return there[~there["presence"].isin(pairs.loc[repeated | unordered, "presence"])]
