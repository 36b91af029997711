"""Who settled where: counts by key, the stock month by month, targets, types of trajectory by place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ...groups import members, regions_of
from ...retention.bounds import observed_intervals
from ...study import Study
from ...tables import EXITS, LOST, OUTSIDE_QUEBEC, PATHWAYS, REGION, UNKNOWN, first_known
from .counting import COLUMNS, MEASURES, counts_by_key, tidy_counts

# ----------------------------------------------------------------------------------------------------
# Stays of a study, and how many persons and households they are: pathway, origin, year, exits, lost, excluded.

# What each table counts, and the keys it always has (a key with nobody is a 0, not an absence).
_TABLES = {
    "stays": ("total",),
    "pathway": PATHWAYS,
    "origin": (),
    "fiscal_year": (),
    "exit": (*EXITS, "none_known"),
    "lost": (*LOST, "followed"),
    "late_news": ("late", "other"),
    "excluded": ("kept", "start_wider_than_3_months", "start_unbounded"),
}


def stays_of(cohort: pd.DataFrame, study: Study | None) -> pd.DataFrame:
    """The stays of the study's pathway in order of person and time, with the `row` of the cohort each is."""
    stays = cohort.assign(row=cohort.index)
    if study is not None and study.pathway is not None:
        stays = stays[stays["pathway"].eq(study.pathway)]
    return stays.sort_values(["person_id", "episode"], kind="stable", ignore_index=True)


def portrait(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Counts of stays by group: persons and households settled, pathway, origin, fiscal year, exits, lost, excluded.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts`.
    study : Study
        Its pathway and groups are used.
    groups : iterable of str, optional
        As in `groups.members`.

    Returns
    -------
    DataFrame
        group, table (stays, pathway, origin, fiscal_year, exit, lost, late_news, excluded), key, persons, households.
        A person with two stays in a group counts once per key.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> from trajectories.tables import CONTACTS, stack
    >>> cohort, *_ = example_tables()
    >>> table = portrait(cohort, stack([], CONTACTS), groups=["05"], study=Study()).query("persons > 0")
    >>> table[["table", "key", "persons"]].values.tolist()[:3]
    [['stays', 'total', 2], ['pathway', 'secondary', 2], ['origin', 'unknown', 2]]
    """
    stays = stays_of(cohort, study)
    keys = stays.assign(stays="total", **_keys(stays, contacts))
    return counts_by_key(keys, _TABLES, study=study, groups=groups, first=False)


def _keys(stays: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, pd.Series | np.ndarray]:
    zone = stays["origin_zone"]
    origin = first_known(stays["origin_region"].where(~zone.eq(OUTSIDE_QUEBEC), OUTSIDE_QUEBEC), UNKNOWN)
    return {
        "pathway": stays["pathway"],
        "origin": origin,
        "fiscal_year": fiscal_years(stays["establishment_latest"]),
        "exit": first_known(stays["exit"], "none_known"),
        "lost": first_known(stays["lost"], "followed"),
        "late_news": np.where(observed_intervals(stays, contacts)["late_news"], "late", "other"),
        "excluded": first_known(stays["excluded"], "kept"),
    }


def fiscal_years(dates: pd.Series) -> pd.Series:
    """
    The fiscal year (1 April to 31 March) of each date, as « 2021-2022 ».

    Examples
    --------
    >>> fiscal_years(pd.Series(pd.to_datetime(["2022-03-31", "2022-04-01"]))).tolist()
    ['2021-2022', '2022-2023']
    """
    start = dates.dt.year - (dates.dt.month < 4)
    years = {year: f"{int(year)}-{int(year) + 1}" for year in start.dropna().unique()}
    return start.map(years).fillna(UNKNOWN)


# ----------------------------------------------------------------------------------------------------
# The stock: how many persons and households live in each group at the end of each month, between two bounds.
#
# A stay is known as intervals: it began in [s₁, s₂], and ended in [e₁, e₂], e₁ being the last confirmed presence where
# the stay is open. On a day d the person is certainly there if s₂ ≤ d < e₁ (an open stay: until e₁, that day
# included), possibly there if s₁ ≤ d < e₂ (an open stay: until the cut-off). The lower bound counts who is certainly
# there, the upper bound who possibly is: nobody who is lost is taken to have stayed, nor to have left (design.md, rule
# 4), so the bounds part where follow-up ends. This is a stock of the persons known to PASI organisations, neither the
# population nor the « taux de présence ».

BOUNDS = {"certain": "lower", "possible": "upper"}
ONE_DAY = pd.Timedelta(days=1)


def stock(
    spells: pd.DataFrame,
    *,
    cutoff: pd.Timestamp,
    study: Study,
    groups: Iterable[str] | None = None,
    start: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """
    Persons and households certainly and possibly present in each group, on the last day of each month.

    Parameters
    ----------
    spells : DataFrame
        The table `spells`.
    cutoff : Timestamp
        The last day of observation; the months are those that end by then.
    study, groups
        As in `groups.members`.
    start : Timestamp, optional
        The first month; that of the first start of any stay where not given.

    Returns
    -------
    DataFrame
        group, month (its last day), persons_lower, persons_upper, households_lower, households_upper. Spells one
        after the other in the same group are one presence, the move between them included.

    Examples
    --------
    >>> spells = pd.DataFrame({"person_id": ["a"], "household_id": ["1"], "region": ["05"], "zone": ["region"],
    ...     "start_earliest": pd.Timestamp("2021-01-10"), "start_latest": pd.Timestamp("2021-02-10"),
    ...     "end_earliest": pd.Timestamp("2021-03-31"), "end_latest": pd.NaT, "outcome": ["present"]})
    >>> there = stock(spells, cutoff=pd.Timestamp("2021-05-31"), groups=["05"], study=Study())
    >>> there[["persons_lower", "persons_upper"]].T.values
    array([[0, 1, 1, 0, 0],
           [1, 1, 1, 1, 1]])
    """
    spells = spells.sort_values(["person_id", "spell"], kind="stable") if "spell" in spells else spells
    inside = spells["zone"].eq(REGION).to_numpy()
    begins = spells.loc[inside, ["start_earliest", "start_latest"]].min().min() if start is None else start
    days = (
        pd.date_range(begins, cutoff, freq="ME").normalize()
        if inside.any() or start is not None
        else pd.DatetimeIndex([])
    )
    spells, ends = spells.reset_index(drop=True), days.to_numpy(dtype="datetime64[ns]")
    tables = []
    for group, chosen in members(spells, study, groups).items():
        runs = _presences(spells, chosen & inside, cutoff)
        columns = {
            f"{measure}_{bound}": _present(runs, f"{measure[:-1]}_id", name, ends)
            for measure in MEASURES
            for name, bound in BOUNDS.items()
        }
        tables.append(pd.DataFrame({"group": group, "month": days, **columns}))
    return pd.concat(tables, ignore_index=True)


def _presences(spells: pd.DataFrame, inside: np.ndarray, cutoff: pd.Timestamp) -> pd.DataFrame:
    """One row a run of spells inside the group: the first and last day certain, the first and last day possible."""
    before = spells.shift()
    follows = spells["person_id"].eq(before["person_id"]) & before["outcome"].eq("moved")
    continued = inside & follows.to_numpy() & np.concatenate([[False], inside[:-1]])[: len(inside)]
    run = np.cumsum(~continued)[inside]
    part = spells[inside].groupby(run)
    # of a run the first spell's start and the last one's end, missing ones too
    first, last = part.head(1).reset_index(drop=True), part.tail(1).reset_index(drop=True)
    # a start that nothing bounds below is possible no earlier than it is certain
    possible = first["start_earliest"].fillna(first["start_latest"])
    open_ = last["end_latest"].isna()
    return pd.DataFrame(
        {
            "person_id": first["person_id"],
            "household_id": first["household_id"],
            # who left on a day lives elsewhere at its end; an open stay was confirmed on its last day
            "certain_from": first["start_latest"],
            "certain_to": (last["end_earliest"] - ONE_DAY).where(~open_, last["end_earliest"]),
            "possible_from": possible,
            "possible_to": (last["end_latest"] - ONE_DAY).where(~open_, cutoff),
        }
    )


def _present(runs: pd.DataFrame, unit: str, bound: str, days: np.ndarray) -> np.ndarray:
    """How many distinct units are there on each day: intervals of one unit are joined first."""
    bounded = runs[runs[f"{bound}_from"].notna() & runs[f"{bound}_to"].notna()]
    first = np.searchsorted(days, bounded[f"{bound}_from"].to_numpy())
    after = np.searchsorted(days, bounded[f"{bound}_to"].to_numpy(), side="right")
    codes = pd.factorize(bounded[unit])[0]
    order = np.lexsort((first, codes))
    order = order[after[order] > first[order]]
    first, after, codes = first[order], after[order], codes[order]
    # what an earlier span of the same unit has reached: on one axis on which the units follow one another
    size = len(days) + 1
    reached = np.maximum.accumulate(after + codes * size) - codes * size
    first = np.maximum(first, np.append(0, reached[:-1] - np.diff(codes) * size)[: len(first)])
    non_empty = after > first
    change = np.bincount(first[non_empty], minlength=size) - np.bincount(after[non_empty], minlength=size)
    return np.cumsum(change)[: len(days)]


def stock_counts(monthly: pd.DataFrame, *, month: int = 3) -> pd.DataFrame:
    """
    The stock once a year as counts, for `protect`: each day and bound a table of its own, with one key.

    Every month would tell, from one to the next, of the few who came or left; a year apart nobody is singled out.

    Parameters
    ----------
    monthly : DataFrame
        What `stock` returned.
    month : int
        The calendar month whose end is told: March, the end of the fiscal year.

    Returns
    -------
    DataFrame
        group, table (« stock_certain 2024-03-31 », « stock_possible 2024-03-31 »), key (`total`), persons,
        households.

    Examples
    --------
    >>> monthly = pd.DataFrame({"group": "05", "month": pd.to_datetime(["2024-02-29", "2024-03-31"]),
    ...     "persons_lower": [40, 41], "persons_upper": [50, 52], "households_lower": 20, "households_upper": 26})
    >>> stock_counts(monthly)[["table", "persons", "households"]].values.tolist()
    [['stock_certain 2024-03-31', 41, 20], ['stock_possible 2024-03-31', 52, 26]]
    """
    at = monthly[monthly["month"].dt.month.eq(month)]
    day = at["month"].dt.strftime("%Y-%m-%d")
    return tidy_counts(
        pd.DataFrame(
            {
                "group": at["group"],
                "table": f"stock_{name} " + day,
                "key": "total",
                "persons": at[f"persons_{bound}"],
                "households": at[f"households_{bound}"],
            }
        )[list(COLUMNS)]
        for name, bound in BOUNDS.items()
    )


# ----------------------------------------------------------------------------------------------------
# Households settled in each fiscal year, beside the target where the study gives one.

FISCAL_YEAR = "fiscal_year"


def targets(cohort: pd.DataFrame, *, study: Study, groups: Iterable[str] | None = None) -> pd.DataFrame:
    """
    Households settled a fiscal year, beside the target.

    Parameters
    ----------
    cohort : DataFrame
        The table `cohort`.
    study : Study
        Its targets, pathway and groups are used.
    groups : iterable of str, optional
        As in `groups.members`.

    Returns
    -------
    DataFrame
        group, fiscal_year (« 2021-2022 »), households, households_certain (whose establishment surely falls in the
        year: both ends of its interval do), persons, target (missing where there is none). Years with neither a
        household nor a target are left out. A household that settles in a group in two years counts in both, as in
        the table `fiscal_year` of the counts; several members in one year are one household.

    Notes
    -----
    Targets are given by region. That of several regions is the sum of theirs, where each of them has one that year (the
    province: all of them outside Montréal and Laval).

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, *_ = example_tables()
    >>> study = Study(targets={("05", "2021-2022"): 3})
    >>> targets(cohort, study=study, groups=["05"])[["fiscal_year", "households", "target"]].values.tolist()
    [['2021-2022', 2, 3]]
    """
    stays = stays_of(cohort, study)
    year = fiscal_years(stays["establishment_latest"])
    sure = fiscal_years(stays["establishment_earliest"]).eq(year) & stays["establishment_earliest"].notna()
    rows = stays.assign(fiscal_year=year, certain=stays["household_id"].where(sure))
    tables = []
    for group, chosen in members(rows, study, groups).items():
        counted = (
            rows[chosen]
            .groupby("fiscal_year")
            .agg(
                households=("household_id", "nunique"),
                households_certain=("certain", "nunique"),
                persons=("person_id", "nunique"),
            )
        )
        aimed = targets_of(group, study)
        all_years = counted.reindex(sorted({*counted.index, *aimed}), fill_value=0).rename_axis("fiscal_year")
        target = pd.array([aimed.get(year) for year in all_years.index], dtype="Int64")
        tables.append(all_years.assign(target=target, group=group).reset_index())
    table = pd.concat(tables, ignore_index=True)
    columns = ["group", "fiscal_year", "households", "households_certain", "persons", "target"]
    return table[columns].astype(dict.fromkeys(columns[2:5], "int64"))


def targets_of(group: str, study: Study) -> dict[str, int]:
    """The target of each fiscal year for which every region of the group has one."""
    if "=" in group:
        return {}
    announced = pd.Series(dict(study.targets), dtype="float64")
    if announced.empty:
        return {}
    by_region = announced.unstack().reindex(list(regions_of(group, study)))
    total = by_region.sum(axis=0, skipna=False).dropna()
    return total.astype(int).to_dict()


# ----------------------------------------------------------------------------------------------------
# How many persons of each region are of each type of trajectory, as a table of counts.

TYPE = "type"


def types_by_place(members: pd.DataFrame, *, study: Study) -> pd.DataFrame:
    """
    Persons and households of each type, of the province and of each region.

    Parameters
    ----------
    members : DataFrame
        The table `members` of `trajectories.analysis.typology.typology`: a row a person.
    study : Study
        Its groups are counted too.

    Returns
    -------
    DataFrame
        group, table (`type`), key (the name of the type), persons, households: of those followed long enough to have
        a type, who are fewer than those who settled.

    Examples
    --------
    >>> members = pd.DataFrame({"person_id": ["a", "b", "c"], "household_id": ["A", "A", "C"], "region": "05",
    ...                         "name": ["stays", "stays", "returns_early"]})
    >>> table = types_by_place(members, study=Study()).query("group == '05'")
    >>> table[["table", "key", "persons", "households"]].values.tolist()
    [['type', 'returns_early', 1, 1], ['type', 'stays', 2, 1]]
    """
    named = members[["person_id", "household_id", "region"]].assign(type=members["name"])
    return counts_by_key(named, {TYPE: sorted(named[TYPE].unique())}, study=study)
