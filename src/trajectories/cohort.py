"""Spells → one row per stay en région: when it began, when it ended, how, and what was known at its start.

A stay is a maximal run of spells inside the scope's territory. With the establishment in [e₁, e₂] and the end in
[f₁, f₂]: lower = f₁ − e₂, upper = f₂ − e₁, entry = first contact − e₂, none below 0, in calendar months
(design.md, rule 1). Nobody is left out for having no later contact: that would condition on the future. Covariates
are those known at most 31 days after the establishment: later ones would be immortal time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import places
from .contacts import build_contacts, lost_to_follow_up
from .months import months_between
from .observations import in_perimeter
from .spells import Residences
from .study import Study
from .tables import COHORT, METROPOLE, OUTSIDE_QUEBEC, REGION, UNKNOWN, conform

# A start known less precisely than this cannot say when a stay of three months ended (design.md, rule 1).
WIDEST_START = 3.0
# Covariates are taken at establishment, within the time that a first file takes to be filled in.
AT_ESTABLISHMENT = pd.Timedelta(days=31)
_KNOWN_LATER_IS_THE_SAME = ("immigration_category", "sex", "education", "household_size")
_AT_START_ONLY = ("french",)


@dataclass(frozen=True)
class Cohort:
    """The tables cohort (one row a stay) and contacts (what is known of each stay's course)."""

    cohort: pd.DataFrame
    contacts: pd.DataFrame


def build_cohort(
    residences: Residences, records: pd.DataFrame, persons: pd.DataFrame, *, study: Study | None = None
) -> Cohort:
    """
    Draw the cohort of stays en région from reconstructed residences.

    Parameters
    ----------
    residences : Residences
        What `build_spells` returned.
    records, persons : DataFrame
        The tables of those names.
    study : Study, optional
        Its scope and follow-up schedule are used. All pathways are kept: `retention` selects.

    Returns
    -------
    Cohort
        The tables `cohort` and `contacts`. Besides the declared columns the cohort has `lost_month` (the month of
        the first failed or missed contact of someone lost) and `origin_zone`.

    Raises
    ------
    ValueError
        The study asks for another perimeter than that of the residences.
    """
    study = study or Study(perimeter=residences.perimeter)
    if study.perimeter != residences.perimeter:
        raise ValueError(
            f"the residences are those of perimeter {residences.perimeter}, the study asks for {study.perimeter}: "
            "build the spells again with this study."
        )
    records = in_perimeter(records, study.perimeter)
    cutoff = residences.cutoff
    stays = _stays(residences.spells, study.scope)
    stays = _first_contact(stays, residences.observations)
    stays = _months(stays, cutoff)
    contacts = build_contacts(stays, residences, records, persons, study.scope)
    lost, month = lost_to_follow_up(stays, contacts, study.follow_up_months)
    stays["lost"], stays["lost_month"] = lost, month
    stays = _covariates(stays, records.merge(persons[["record_id", "person_id"]], on="record_id"))
    stays["perimeter"], stays["scope"] = study.perimeter, study.scope
    return Cohort(conform(stays, COHORT)[list(COHORT.columns)].reset_index(drop=True), contacts)


def _stays(spells: pd.DataFrame, scope: str) -> pd.DataFrame:
    """One row a stay: its first spell's start, its last spell's end, where it came from and led to."""
    spells = spells.reset_index(drop=True)
    inside = spells["zone"].eq(REGION)
    before = spells.shift()
    same_person = spells["person_id"].eq(before["person_id"])
    continued = inside & same_person & before["zone"].eq(REGION) & ~before["outcome"].eq("left")
    if scope == "region":
        continued &= spells["region"].eq(before["region"])
    number = (~continued).cumsum()
    part = spells[inside].assign(stay=number[inside], position=np.flatnonzero(inside))
    stays = part.groupby("stay").agg(
        person_id=("person_id", "first"), household_id=("household_id", "first"), region=("region", "first"),
        municipality=("municipality", "first"),
        establishment_earliest=("start_earliest", "first"), establishment_latest=("start_latest", "first"),
        first=("position", "first"), last=("position", "last"),
        last_confirmed=("last_confirmed", "max"),
    )  # fmt: skip
    final = spells.iloc[stays["last"].to_numpy()]
    stays["end_earliest"] = final["end_earliest"].to_numpy()
    stays["end_latest"] = final["end_latest"].to_numpy()
    stays["outcome"] = final["outcome"].to_numpy()
    first_position = stays["first"].to_numpy()
    origin = spells.iloc[np.maximum(first_position - 1, 0)].reset_index(drop=True)
    has_origin = same_person.to_numpy()[first_position]
    stays["origin_zone"] = origin["zone"].where(has_origin).to_numpy()
    stays["origin_region"] = origin["region"].where(has_origin).to_numpy()
    target = spells.shift(-1).iloc[stays["last"].to_numpy()]
    stays["exit"] = _exits(final, target)
    stays = stays.reset_index(drop=True)
    stays["episode"] = stays.groupby("person_id").cumcount() + 1
    stays["pathway"] = _pathways(stays)
    return stays


def _exits(final: pd.DataFrame, target: pd.DataFrame) -> np.ndarray:
    """How each stay ended; None where it is open or death censored it."""
    moved = final["outcome"].eq("moved").to_numpy()
    zone = target["zone"].to_numpy()
    found = np.select(
        [
            final["outcome"].eq("left").to_numpy() | (moved & (zone == UNKNOWN)),
            moved & (zone == METROPOLE),
            moved & (zone == REGION),
            moved & (zone == OUTSIDE_QUEBEC),
        ],
        ["unknown_destination", "metropole", "other_region", "outside_quebec"],
        "",
    )
    return np.where(found == "", None, found)


def _pathways(stays: pd.DataFrame) -> np.ndarray:
    """How the person came to this stay; an earlier stay in the same territory makes it a return."""
    earlier = stays.groupby(["person_id", "region"]).cumcount() > 0
    return np.select(
        [earlier, stays["origin_zone"].eq(METROPOLE), stays["origin_zone"].eq(REGION)],
        ["return_stay", "secondary", "onward"],
        "primary",
    )


def _first_contact(stays: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """
    The day each stay came under observation, and the organisation that saw it first.

    Someone whose establishment was reported came under observation at it; someone known before, in the metropole,
    was already followed. Of someone first seen later, nothing is known before that day (delayed entry).
    """
    seen = observations[observations["kind"].isin(["service", "establishment", "follow_up"])]
    seen = seen[seen["zone"].eq(REGION)].sort_values(["earliest", "record_id"], kind="stable")
    left = stays.reset_index().rename(columns={"index": "stay"})
    left = left.assign(since=left["establishment_earliest"].fillna(left["establishment_latest"]))
    first = pd.merge_asof(
        left.sort_values("since", kind="stable"),
        seen[["person_id", "earliest", "organisation_id"]].rename(columns={"earliest": "first_contact"}),
        left_on="since", right_on="first_contact", by="person_id", direction="forward",
    ).set_index("stay")  # fmt: skip
    return stays.assign(
        first_contact=first["first_contact"].reindex(stays.index),
        organisation_id=first["organisation_id"].reindex(stays.index),
    )


def _months(stays: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """entry, lower, upper and cut-off in months, and why a stay is left out of retention."""
    e1, e2 = stays["establishment_earliest"], stays["establishment_latest"]
    exited = stays["exit"].notna()
    died = stays["outcome"].eq("deceased")
    confirmed = stays["end_earliest"].where(exited | died, stays["last_confirmed"]).fillna(stays["last_confirmed"])
    lower = np.maximum(np.nan_to_num(months_between(e2, confirmed)), 0)
    upper = np.where(exited, months_between(e1, stays["end_latest"]), np.inf)
    upper = np.maximum(np.where(np.isnan(upper), np.inf, upper), lower)
    entry = np.clip(np.nan_to_num(months_between(e2, stays["first_contact"])), 0, lower)
    width = months_between(e1, e2)
    excluded = np.select([np.isnan(width), width > WIDEST_START], ["start_unbounded", "start_wider_than_3_months"], "")
    to_cutoff = np.maximum(months_between(e2, np.full(len(e2), cutoff.to_datetime64())), 0)
    return stays.assign(
        entry=entry, lower=lower, upper=upper, cutoff=to_cutoff, excluded=np.where(excluded == "", None, excluded)
    )


def _covariates(stays: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """What was known at establishment (design.md: later flags would be immortal time)."""
    start = stays["establishment_latest"]
    rows = rows.assign(
        date=rows["service_date_earliest"]
        .fillna(rows["follow_up_date_earliest"])
        .fillna(rows["establishment_date_earliest"])
    )
    rows = rows.dropna(subset=["date"]).sort_values(["date", "record_id"], kind="stable")
    keys = (
        stays[["person_id"]]
        .assign(limit=start + AT_ESTABLISHMENT, stay=np.arange(len(stays)))
        .sort_values("limit", kind="stable")
    )
    found = {}
    for column in (*_KNOWN_LATER_IS_THE_SAME, *_AT_START_ONLY):
        known = rows.loc[rows[column].notna(), ["person_id", "date", column]]
        value = _as_of(keys, known, column, "backward")
        if column in _KNOWN_LATER_IS_THE_SAME:
            value = value.where(value.notna(), _as_of(keys, known, column, "forward"))
        found[column] = value
    for flag, date in (("job_found", "job_date"), ("housing_found", "housing_date")):
        found[flag] = _flag_at_start(stays, rows, flag, date)
    birth = _midpoint(rows, "birth_date")
    arrival = _midpoint(rows, "arrival_date")
    found["age"] = months_between(stays["person_id"].map(birth), start) / 12
    found["years_since_arrival"] = months_between(stays["person_id"].map(arrival), start) / 12
    year = stays["establishment_earliest"].fillna(start).dt.year
    found["period"] = np.select([year < 2020, year <= 2021], ["before_2020", "2020_2021"], "from_2022")
    found["city_size"] = np.asarray(places.city_sizes(stays["municipality"]), dtype=object)
    return stays.assign(**{name: np.asarray(value, dtype=object) for name, value in found.items()})


def _as_of(keys: pd.DataFrame, known: pd.DataFrame, column: str, direction: str) -> pd.Series:
    found = pd.merge_asof(keys, known, left_on="limit", right_on="date", by="person_id", direction=direction)
    return found.set_index("stay")[column].sort_index()


def _flag_at_start(stays: pd.DataFrame, rows: pd.DataFrame, flag: str, date: str) -> pd.Series:
    """True where a row dated at most 31 days after the establishment says so, False where one says no, else missing."""
    known = rows.loc[rows[flag].notna(), ["person_id", "date", flag, f"{date}_earliest"]]
    pairs = stays[["person_id", "establishment_latest"]].assign(stay=np.arange(len(stays))).merge(known, on="person_id")
    limit = pairs["establishment_latest"] + AT_ESTABLISHMENT
    pairs = pairs[(pairs["date"] <= limit) & ~(pairs[f"{date}_earliest"] > limit)]
    return pairs.groupby("stay")[flag].max().reindex(np.arange(len(stays)))


def _midpoint(rows: pd.DataFrame, name: str) -> pd.Series:
    """The middle of each person's most precisely known date of that name."""
    known = rows.dropna(subset=[f"{name}_earliest", f"{name}_latest"])
    width = known[f"{name}_latest"] - known[f"{name}_earliest"]
    best = (
        known.assign(width=width).sort_values(["person_id", "width", f"{name}_earliest"]).drop_duplicates("person_id")
    )
    middle = best[f"{name}_earliest"] + best["width"] / 2
    return pd.Series(middle.to_numpy(), index=best["person_id"]).dt.floor("D")
