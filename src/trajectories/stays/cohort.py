"""Spells → one row per stay en région, with its covariates; types of households.

A stay is a maximal run of spells inside the scope's territory. With the establishment in [e₁, e₂] and the end in
[f₁, f₂]: lower = f₁ − e₂, upper = f₂ − e₁, entry = first contact − e₂, none below 0, in calendar months
(design.md, rule 1). A stay is in the sample because the person was still there when somebody first noted it: an
establishment noted five months late is at risk from its fifth month on. Nobody is left out for having no later
contact: that would condition on the future. Covariates are those known at most 31 days after the establishment:
later ones would be immortal time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .. import places
from ..display import as_html, plot, to_frame
from ..months import add_months, months_between
from ..study import Study
from ..tables import (
    COHORT,
    METROPOLE,
    OUTSIDE_QUEBEC,
    REGION,
    SET_ASIDE,
    UNKNOWN,
    WHOSE,
    conform,
    stack,
    without_categories,
)
from .contacts import build_contacts, last_deposits, lost_to_follow_up, of_stay, rows_of_persons
from .observations import READ, in_perimeter
from .spells import Residences

# A start known less precisely than this cannot say when a stay of three months ended (design.md, rule 1).
WIDEST_START = 3.0
# Covariates are taken at establishment, within the time that a first file takes to be filled in.
AT_ESTABLISHMENT = pd.Timedelta(days=31)
_KNOWN_LATER_IS_THE_SAME = ("immigration_category", "sex", "education", "household_size")
OF_AGE = 18
_OF_FIRST_SPELL = (
    "person_id",
    "household_id",
    "region",
    "municipality",
    "establishment_earliest",
    "establishment_latest",
)
_AT_START_ONLY = ("french",)
# The day of a row: the first of these that is known.
_DATES = ("service_date_earliest", "follow_up_date_earliest", "establishment_date_earliest")
# The columns of `records` that are read here and in observations.py; the others are dropped.
GIVEN = tuple(dict.fromkeys((
    *READ, *_KNOWN_LATER_IS_THE_SAME, *_AT_START_ONLY, "job_found", "job_date_earliest", "housing_found",
    "housing_date_earliest", "birth_date_earliest", "birth_date_latest", "arrival_date_earliest", "arrival_date_latest",
)))  # fmt: skip


@dataclass(frozen=True)
class Cohort:
    """
    The tables cohort (one row a stay), contacts (what is known of each stay's course) and set_aside.

    `set_aside` holds the contacts and news that do not enter, each with its reason (contacts.py).
    """

    cohort: pd.DataFrame
    contacts: pd.DataFrame
    set_aside: pd.DataFrame = field(default_factory=lambda: stack([], SET_ASIDE))

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame


def build_cohort(
    residences: Residences,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study | None = None,
    deposits: pd.Series | None = None,
) -> Cohort:
    """
    Draw the cohort of stays en région from reconstructed residences.

    Parameters
    ----------
    residences : Residences
        What `build_spells` returned.
    records, persons : DataFrame
        The tables `records` (the columns `GIVEN`) and `persons` (record_id, person_id, household_id).
    study : Study, optional
        Its scope and follow-up schedule are used. All pathways are kept: `retention` selects.
    deposits : Series, optional
        When each organisation stopped depositing (`last_deposits`); needed where the records are of some persons
        only, else computed from the records.

    Returns
    -------
    Cohort
        The tables `cohort`, `contacts` and `set_aside`. `cutoff` and `heard_until` count, as `entry` and `lower`,
        from the latest day of the establishment.

    Raises
    ------
    ValueError
        The study asks for another perimeter than that of the residences.

    Examples
    --------
    >>> from trajectories import build_spells
    >>> from trajectories.analysis.services.example import example_tables
    >>> _, records, persons = example_tables()
    >>> cohort = build_cohort(build_spells(records, persons), records, persons).cohort
    >>> cohort[["person_id", "cutoff", "heard_until"]].round(2).values.tolist()  # no organisation could report on b
    [['a', 0.97, 0.97], ['b', 0.97, 0.0]]
    """
    study = study or Study(perimeter=residences.perimeter)
    if study.perimeter != residences.perimeter:
        raise ValueError(
            f"the residences are those of perimeter {residences.perimeter}, the study asks for {study.perimeter}: "
            "build the spells again with this study."
        )
    deposits = last_deposits(records) if deposits is None else deposits
    persons, cutoff = persons[list(WHOSE)], residences.cutoff
    records = without_categories(records[[name for name in GIVEN if name in records]])
    records, observations = in_perimeter(records, study.perimeter), residences.observations
    stays = _stays(residences.spells, study.scope)
    rows = rows_of_persons(records, persons, observations, cutoff, deposits)
    stays = _first_contact(stays, observations, rows, study.scope, cutoff)
    stays = _months(stays, cutoff)
    stays = _heard_until(stays, rows, deposits, study.scope, cutoff)
    contacts, aside = build_contacts(stays, rows, observations, study.scope)
    attempts = pd.concat([contacts, aside[aside["episode"].notna()].astype({"episode": "int64"})])
    stays["lost"], stays["lost_month"] = lost_to_follow_up(stays, attempts, study.follow_up_months)
    stays = _covariates(stays, records.merge(persons, on="record_id"))
    stays["perimeter"], stays["scope"] = study.perimeter, study.scope
    return Cohort(conform(stays, COHORT)[list(COHORT.columns)].reset_index(drop=True), contacts, aside)


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
        first=("position", "first"), last=("position", "last"), last_confirmed=("last_confirmed", "max")
    )
    # the first spell's own values, missing ones too: an unbounded start must not be filled from the next spell
    start = spells.iloc[stays["first"].to_numpy()].set_axis(stays.index)
    start = start.rename(columns={"start_earliest": "establishment_earliest", "start_latest": "establishment_latest"})
    stays = stays.join(start[list(_OF_FIRST_SPELL)])
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
    has_moved = final["outcome"].eq("moved").to_numpy()
    zone = target["zone"].to_numpy()
    exits = np.select(
        [
            final["outcome"].eq("left").to_numpy() | (has_moved & (zone == UNKNOWN)),
            has_moved & (zone == METROPOLE),
            has_moved & (zone == REGION),
            has_moved & (zone == OUTSIDE_QUEBEC),
        ],
        ["unknown_destination", "metropole", "other_region", "outside_quebec"],
        "",
    )
    return np.where(exits == "", None, exits)  # type: ignore[call-overload]


def _pathways(stays: pd.DataFrame) -> np.ndarray:
    """How the person came to this stay; an earlier stay in the same territory makes it a return."""
    earlier = stays.groupby(["person_id", "region"]).cumcount() > 0
    return np.select(
        [earlier, stays["origin_zone"].eq(METROPOLE), stays["origin_zone"].eq(REGION)],
        ["return_stay", "secondary", "onward"],
        "primary",
    )


def _first_contact(
    stays: pd.DataFrame, observations: pd.DataFrame, rows: pd.DataFrame, scope: str, cutoff: pd.Timestamp
) -> pd.DataFrame:
    """
    The day each stay came under observation, and the organisation that saw it first.

    That is the day on which somebody noted that the person was there, not the one on which they had settled: of those
    who had settled and left again before anybody noted it, nothing would be known (delayed entry). An establishment
    noted before it happened, or without a day of its own in the quarter in which it happened, is observed from its
    start. What was noted of the person elsewhere says nothing of when this stay would have been heard of.
    """
    presences = observations[observations["kind"].isin(["service", "establishment", "follow_up"])]
    presences = presences[presences["zone"].eq(REGION) & presences["aside"].isna()].merge(
        rows[["record_id", "noted"]], on="record_id", how="left"
    )
    later = presences["kind"].eq("establishment") & (presences["noted"] > presences["earliest"])
    presences["first_contact"] = presences["earliest"].where(~later, presences["noted"]).clip(upper=cutoff)
    presences = presences.dropna(subset=["first_contact"]).sort_values(["first_contact", "record_id"], kind="stable")
    begun = stays["establishment_earliest"].fillna(stays["establishment_latest"])
    starts = stays.assign(begun=begun).reset_index(names="stay")
    by = ["person_id"] if scope == "any_region" else ["person_id", "place"]
    first = pd.merge_asof(
        starts.assign(place=starts["region"].fillna("")).sort_values("begun", kind="stable")[["stay", "begun", *by]],
        presences.assign(place=presences["region"].fillna(""))[["first_contact", "organisation_id", *by]],
        left_on="begun",
        right_on="first_contact",
        by=by,
        direction="forward",
    ).set_index("stay")[["first_contact", "organisation_id"]]
    return stays.assign(begun=begun).join(first)


def _months(stays: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """entry, lower, upper and cut-off in months, and why a stay is left out of retention."""
    e1, e2 = stays["establishment_earliest"], stays["establishment_latest"]
    exited = stays["exit"].notna()
    died = stays["outcome"].eq("deceased")
    confirmed = stays["end_earliest"].where(exited | died, stays["last_confirmed"]).fillna(stays["last_confirmed"])
    lower = np.maximum(np.nan_to_num(months_between(e2, confirmed)), 0)
    upper = np.where(exited, months_between(e1, stays["end_latest"]), np.inf)
    upper = np.maximum(np.where(np.isnan(upper), np.inf, upper), lower)
    entry = np.maximum(np.nan_to_num(months_between(e2, stays["first_contact"])), 0)
    # noted after the end: never at risk; noted within the end's interval: present until then
    entry = np.where(entry <= np.where(died, lower, upper), entry, lower)
    lower = np.maximum(lower, entry)
    width = months_between(e1, e2)
    excluded = np.select([np.isnan(width), width > WIDEST_START], ["start_unbounded", "start_wider_than_3_months"], "")
    to_cutoff = np.maximum(months_between(e2, np.full(len(e2), cutoff.to_datetime64())), 0)
    return stays.assign(
        entry=entry,
        lower=lower,
        upper=upper,
        cutoff=to_cutoff,
        excluded=np.where(excluded == "", None, excluded),  # type: ignore[call-overload]
        confirmed=confirmed,
    )


def _heard_until(
    stays: pd.DataFrame, rows: pd.DataFrame, deposits: pd.Series, scope: str, cutoff: pd.Timestamp
) -> pd.DataFrame:
    """
    Until when each stay could be heard of: the C of the observation model, as a day and in months.

    It is the cut-off, the death, or the last deposit of every organisation that could tell, whichever is first. An
    organisation that could tell is one outside the metropole with a row about this person during this stay, or one that
    held a scheduled contact: it has a file, and would record a departure. A departure row does not count: an
    organisation that reports an event would not have reported its absence. After the last deposit, silence means that
    nobody wrote, not that nothing happened: counted as no news, it would turn leavers into stayers. Organisations
    elsewhere report a return only of those who come to them: their later deposits do not show that they would have
    reported on this stay. Where nobody could tell, the stay is heard of until its entry and carries no information.
    A deposit counts to the end of its quarter, since later events are not in it.
    """
    tried = rows["follow_up_status"].notna()
    is_regional = ~rows["organisation_zone"].eq(METROPOLE) & ~rows["departs"]
    files = rows[~rows["away"] & (is_regional | tried)]
    until = files["organisation_id"].map(deposits).astype("datetime64[ns]").fillna(cutoff)
    last = until.groupby(of_stay(stays, files, scope)).max().reindex(stays.index)
    first_seen = stays["first_contact"].fillna(stays["establishment_latest"])
    day = last.where(~(last < first_seen), first_seen).fillna(first_seen).clip(upper=cutoff)
    died = stays["outcome"].eq("deceased") & (stays["end_earliest"] < day)
    day = day.where(~died, stays["end_earliest"])
    months = np.nan_to_num(months_between(stays["establishment_latest"], day))
    return stays.assign(heard_day=day, heard_until=np.minimum(np.maximum(months, stays["entry"]), stays["cutoff"]))


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a day of their own, `date`, in order of it."""
    of_service, of_follow_up, of_establishment = (rows[name] for name in _DATES)
    rows = rows.assign(date=of_service.fillna(of_follow_up).fillna(of_establishment))
    return rows.dropna(subset=["date"]).sort_values(["date", "record_id"], kind="stable")


def _members(rows: pd.DataFrame) -> pd.DataFrame:
    """household_id, person_id and birth of everyone in some dated rows."""
    members = rows[["household_id", "person_id"]].drop_duplicates()
    return members.assign(birth=members["person_id"].map(_midpoint(rows, "birth_date")))


def _covariates(stays: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """What was known at establishment (design.md: later flags would be immortal time)."""
    start = stays["establishment_latest"]
    rows = _dated(rows)
    keys = (
        stays[["person_id"]]
        .assign(limit=start + AT_ESTABLISHMENT, stay=np.arange(len(stays)))
        .sort_values("limit", kind="stable")
    )
    covariates = {}
    for column in (*_KNOWN_LATER_IS_THE_SAME, *_AT_START_ONLY):
        reported = rows.loc[rows[column].notna(), ["person_id", "date", column]]
        value = _as_of(keys, reported, column, "backward")
        if column in _KNOWN_LATER_IS_THE_SAME:
            value = value.where(value.notna(), _as_of(keys, reported, column, "forward"))
        covariates[column] = value
    for flag, date in (("job_found", "job_date"), ("housing_found", "housing_date")):
        covariates[flag] = _flag_at_start(stays, rows, flag, date)
    birth = _midpoint(rows, "birth_date")
    arrival = _midpoint(rows, "arrival_date")
    covariates["age"] = months_between(stays["person_id"].map(birth), start) / 12
    covariates["years_since_arrival"] = months_between(stays["person_id"].map(arrival), start) / 12
    year = stays["establishment_earliest"].fillna(start).dt.year
    covariates["period"] = np.select([year < 2020, year <= 2021], ["before_2020", "2020_2021"], "from_2022")
    covariates["role"] = _roles(stays, _members(rows), birth)
    covariates["city_size"] = np.asarray(places.city_sizes(stays["municipality"]), dtype=object)
    return stays.assign(**{name: np.asarray(value, dtype=object) for name, value in covariates.items()})


def _roles(stays: pd.DataFrame, members: pd.DataFrame, birth: pd.Series) -> np.ndarray:
    """
    The role in the household as far as it follows from ages: the deposits do not state how members are related.

    A person under 18 at the establishment is a child; the only member who may be of age is the principal applicant.
    With several adults it is unknown (null): choosing the one served first or most would use the future.
    """
    starts = stays[["household_id", "establishment_latest"]].reset_index(names="stay")
    pairs = starts.merge(members, on="household_id")
    of_age = ~(months_between(pairs["birth"], pairs["establishment_latest"]) < 12 * OF_AGE)
    adults = pd.Series(of_age).groupby(pairs["stay"]).sum().reindex(stays.index).to_numpy()
    months = months_between(stays["person_id"].map(birth), stays["establishment_latest"])
    return np.select([months < 12 * OF_AGE, (months >= 12 * OF_AGE) & (adults == 1)], ["child", "principal"], None)  # type: ignore[call-overload]


def _as_of(keys: pd.DataFrame, reported: pd.DataFrame, column: str, direction: str) -> pd.Series:
    values = pd.merge_asof(keys, reported, left_on="limit", right_on="date", by="person_id", direction=direction)
    return values.set_index("stay")[column].sort_index()


def _flag_at_start(stays: pd.DataFrame, rows: pd.DataFrame, flag: str, date: str) -> pd.Series:
    """True where a row dated at most 31 days after the establishment says so, False where one says no, else missing."""
    reported = rows.loc[rows[flag].notna(), ["person_id", "date", flag, f"{date}_earliest"]]
    pairs = (
        stays[["person_id", "establishment_latest"]].assign(stay=np.arange(len(stays))).merge(reported, on="person_id")
    )
    limit = pairs["establishment_latest"] + AT_ESTABLISHMENT
    pairs = pairs[(pairs["date"] <= limit) & ~(pairs[f"{date}_earliest"] > limit)]
    return pairs.groupby("stay")[flag].max().reindex(np.arange(len(stays)))


def _midpoint(rows: pd.DataFrame, name: str) -> pd.Series:
    """The midpoint of each person's narrowest interval `{name}_earliest` to `{name}_latest`."""
    known = rows.dropna(subset=[f"{name}_earliest", f"{name}_latest"])
    width = known[f"{name}_latest"] - known[f"{name}_earliest"]
    best = (
        known.assign(width=width).sort_values(["person_id", "width", f"{name}_earliest"]).drop_duplicates("person_id")
    )
    middle = best[f"{name}_earliest"] + best["width"] / 2
    return pd.Series(middle.to_numpy(), index=best["person_id"]).dt.floor("D")


# ----------------------------------------------------------------------------------------------------
# The type of household of each stay, as far as it follows from the ages of those who settled.
#
# The deposits say who shares a household and its size, never how members are related. So « with children » means that
# somebody under 18 settled with the household, « adults » that several adults did, « single » one adult alone.

HOUSEHOLD_TYPES = (SINGLE, ADULTS, WITH_CHILDREN, UNKNOWN_TYPE) = (
    "single",
    "adults_without_child",
    "with_children",
    "unknown",
)


def household_type(stays: pd.DataFrame) -> pd.Series:
    """
    Whether each stay is of a person alone, of adults without a child, or of a household with children.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`: person_id, household_id, establishment_latest, age (years, at that date) and
        household_size are read. It must hold all stays of a household: members without a row are not counted.

    Returns
    -------
    Series of str, in the order of `stays`, with its index
        `with_children`: a known member is under 18 at this establishment. `single`: the reported size is one, or none
        is reported and the only known member is an adult. `adults_without_child`: at least two members are known, all
        adults, and the reported size is no larger. `unknown`: an age is missing, or the reported size exceeds the
        members known.

    Notes
    -----
    Children born after the establishment do not count. Members who settled later, or elsewhere, do: a household
    keeps its id when its members part. A person alone who is under 18 is `with_children`.

    Examples
    --------
    >>> stays = pd.DataFrame({
    ...     "person_id": ["a", "b", "c", "d"], "household_id": ["1", "1", "2", "3"], "age": [34.0, 6.0, 28.0, 41.0],
    ...     "establishment_latest": pd.Timestamp("2022-05-01"), "household_size": pd.array([2, 2, 1, 2], "Int64"),
    ... })
    >>> household_type(stays).tolist()
    ['with_children', 'with_children', 'single', 'unknown']
    """
    start = stays["establishment_latest"]
    age = stays["age"].astype(float).to_numpy()
    # the age of each member at each establishment of the household, from a birth taken back from the first age known
    members = pd.DataFrame(
        {
            "household_id": stays["household_id"].to_numpy(),
            "person_id": stays["person_id"].to_numpy(),
            "born": add_months(start, -np.round(np.nan_to_num(age) * 12)),
            "aged": ~np.isnan(age),
        }
    )
    members["born"] = members["born"].astype("datetime64[ns]").where(members["aged"])
    members = members.sort_values(["person_id", "born"], kind="stable").drop_duplicates("person_id")
    households = pd.DataFrame({"household_id": stays["household_id"].to_numpy(), "start": start.to_numpy()})
    pairs = households.drop_duplicates().merge(members, on="household_id")
    months = months_between(pairs["born"], pairs["start"])
    pairs = pairs.assign(minor=months < 12 * OF_AGE, unaged=np.isnan(months))[~(months < 0)]
    counted = pairs.groupby(["household_id", "start"], dropna=False).agg(
        n=("person_id", "size"), minors=("minor", "sum"), unaged=("unaged", "sum")
    )
    reported_size = stays.groupby("household_id")["household_size"].max()
    by_stay = households.merge(counted.reset_index(), on=["household_id", "start"], how="left")
    n, minors, unaged = (by_stay[name].fillna(0).to_numpy(dtype=float) for name in ("n", "minors", "unaged"))
    size = households["household_id"].map(reported_size).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    complete = (unaged == 0) & ~(size > n) & (n > 0)
    types = np.select([minors > 0, complete & (n == 1), complete], [WITH_CHILDREN, SINGLE, ADULTS], UNKNOWN_TYPE)
    return pd.Series(types, index=stays.index, dtype="object")
