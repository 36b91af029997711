"""Stays of a study, and how many persons and households they are: pathway, origin, year, exits, lost, excluded."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..companions import observed_intervals
from ..study import Study
from ..tables import EXITS, LOST, OUTSIDE_QUEBEC, PATHWAYS, UNKNOWN, first_known
from .counting import counts_by_key

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
    study: Study | None = None,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Counts of stays by group: persons and households settled, pathway, origin, fiscal year, exits, lost, excluded.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables of those names.
    study : Study, optional
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
    >>> from trajectories.services.example import example_tables
    >>> from trajectories.tables import CONTACTS, stack
    >>> cohort, *_ = example_tables()
    >>> table = portrait(cohort, stack([], CONTACTS), groups=["05"]).query("persons > 0")
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
