"""Households settled in each fiscal year, beside the target where the study gives one."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..groups import members, regions_of
from ..study import Study
from .settled import fiscal_years, stays_of

FISCAL_YEAR = "fiscal_year"


def targets(cohort: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None) -> pd.DataFrame:
    """
    Households settled a fiscal year, beside the target.

    Parameters
    ----------
    cohort : DataFrame
        The table of that name.
    study : Study, optional
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
    >>> from trajectories.services.example import example_tables
    >>> cohort, *_ = example_tables()
    >>> study = Study(targets={("05", "2021-2022"): 3})
    >>> targets(cohort, study=study, groups=["05"])[["fiscal_year", "households", "target"]].values.tolist()
    [['2021-2022', 2, 3]]
    """
    stays = stays_of(cohort, study)
    year = fiscal_years(stays["establishment_latest"])
    sure = fiscal_years(stays["establishment_earliest"]).eq(year) & stays["establishment_earliest"].notna()
    rows = stays.assign(fiscal_year=year, certain=stays["household_id"].where(sure))
    found = []
    for group, chosen in members(rows, study, groups).items():
        counted = rows[chosen].groupby("fiscal_year").agg(
            households=("household_id", "nunique"), households_certain=("certain", "nunique"),
            persons=("person_id", "nunique"),
        )  # fmt: skip
        aimed = targets_of(group, study)
        whole = counted.reindex(sorted({*counted.index, *aimed}), fill_value=0).rename_axis("fiscal_year")
        target = pd.array([aimed.get(year) for year in whole.index], dtype="Int64")
        found.append(whole.assign(target=target, group=group).reset_index())
    table = pd.concat(found, ignore_index=True)
    columns = ["group", "fiscal_year", "households", "households_certain", "persons", "target"]
    return table[columns].astype(dict.fromkeys(columns[2:5], "int64"))


def targets_of(group: str, study: Study | None) -> dict[str, int]:
    """The target of each fiscal year for which every region of the group has one."""
    if study is None or "=" in group:
        return {}
    given = pd.Series(dict(study.targets), dtype="float64")
    if given.empty:
        return {}
    each = given.unstack().reindex(list(regions_of(group, study)))
    total = each.sum(axis=0, skipna=False).dropna()
    return total.astype(int).to_dict()
