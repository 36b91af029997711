"""Groups of stays: everyone, each region, and the groups of regions that the study names.

The ministry's directions cover several regions each: a study may name such groups (`[groups]` in study.toml), and they
get the same tables as a region. They may overlap, and their stays count in the regions too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .study import METROPOLITAN_REGIONS, REGION_CODES, Study
from .tables import PROVINCE

# Regions of establishment: all but Montréal and Laval.
REGIONS = tuple(code for code in REGION_CODES if code not in METROPOLITAN_REGIONS)


def reported_groups(study: Study) -> tuple[str, ...]:
    """
    The groups of a run: the province, the regions outside Montréal and Laval, then the groups of the study.

    Examples
    --------
    >>> reported_groups(Study(groups={"Est": ("01", "11")}))[-2:]
    ('17', 'Est')
    """
    return (PROVINCE, *REGIONS, *study.groups)


def regions_of(group: str, study: Study) -> tuple[str, ...]:
    """
    The regions of a group.

    Raises
    ------
    ValueError
        The group is neither the province, a region code, nor a group of the study.

    Examples
    --------
    >>> regions_of("Est", Study(groups={"Est": ("01", "11")}))
    ('01', '11')
    """
    if group == PROVINCE:
        return REGIONS
    if group in study.groups:
        return tuple(study.groups[group])
    if group in REGION_CODES:
        return (group,)
    raise ValueError(f"group {group!r} is neither {PROVINCE}, a region code, nor a group of the study.")


def members(stays: pd.DataFrame, study: Study, groups: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """
    The rows of each group.

    Parameters
    ----------
    stays : DataFrame
        The column `region`, and those named in `groups`; the province is all rows, including those without region.
    study : Study
        Its groups.
    groups : iterable of str, optional
        `province`, region codes, names of study.groups, or `column=value` (a column of the table);
        `reported_groups(study)` where not given.

    Returns
    -------
    dict of ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        A group that is neither known nor of the form `column=value`, or one text for all of them.

    Examples
    --------
    >>> stays = pd.DataFrame({"region": ["01", "05", None], "sex": ["F", "M", "F"]})
    >>> study = Study(groups={"Est": ("01", "11")})
    >>> [rows.tolist() for rows in members(stays, study, ["province", "Est", "sex=F"]).values()]
    [[True, True, True], [True, False, False], [True, False, True]]
    """
    if isinstance(groups, str):
        raise ValueError(f"groups is one text, {groups!r}: give a list, [{groups!r}].")
    rows_by_group = {}
    for group in reported_groups(study) if groups is None else groups:
        column, equals, value = group.partition("=")
        if group == PROVINCE:
            rows_by_group[group] = np.ones(len(stays), dtype=bool)
        elif group in study.groups or group in REGION_CODES:
            rows_by_group[group] = stays["region"].isin(regions_of(group, study)).to_numpy()
        elif equals and column in stays.columns:
            rows_by_group[group] = stays[column].astype(str).eq(value).to_numpy()
        else:
            raise ValueError(
                f"group {group!r} is neither {PROVINCE}, a region code ('05'), a group of the study, nor column=value"
                + (f": there is no column {column!r}." if equals else ".")
            )
    return rows_by_group
