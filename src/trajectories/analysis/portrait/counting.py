"""How the portrait counts: persons and households by group, table and key, as disclosure needs them.

The keys of one table of one group part its population. Where a person has several stays in a group, the first one
says what they are (`first_of`): each person is then in exactly one key. A household whose members stand in two keys is
counted in both, so households of a table may sum to more than there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ...groups import members
from ...study import Study
from ...tables import UNKNOWN, first_known

# ----------------------------------------------------------------------------------------------------
# Where en région somebody settles: the near ring, one of five large towns, or elsewhere.
#
# The Plan d'action warns that those who leave Montréal often stay near it or go to the large towns. So the parts of
# Lanaudière, Laurentides and Montérégie outside the perimeter (the near ring) and the cities of Québec, Sherbrooke,
# Gatineau, Trois-Rivières and Saguenay are told apart from the rest of the regions.

# Cut in two by every metropolitan perimeter (domain.md §0); what is outside it is near it.
RING_REGIONS = ("14", "15", "16")
RING, ELSEWHERE = "ring", "elsewhere"
# The municipality of each town (not its metropolitan area: Lévis is elsewhere), and its region.
CITIES = {
    "23027": "city_quebec",
    "43027": "city_sherbrooke",
    "81017": "city_gatineau",
    "37067": "city_trois_rivieres",
    "94068": "city_saguenay",
}
CITY_OF = {
    "02": "city_saguenay",
    "03": "city_quebec",
    "04": "city_trois_rivieres",
    "05": "city_sherbrooke",
    "07": "city_gatineau",
}
AREAS = (RING, *CITIES.values(), ELSEWHERE)
# The same with the five towns as one: keys that several regions have can be protected beside the province.
CITY = "city"
AREA_KINDS = (RING, CITY, ELSEWHERE)


def areas_of(regions: Iterable[str]) -> set[str]:
    """
    The areas that hold a part of these regions (`unknown` where a town may be meant).

    Examples
    --------
    >>> sorted(areas_of(["05"])), sorted(areas_of(["01", "14"]))
    (['city_sherbrooke', 'elsewhere', 'unknown'], ['elsewhere', 'ring'])
    """
    areas = set()
    for region in regions:
        if region in RING_REGIONS:
            areas.add(RING)
        else:
            areas |= {CITY_OF[region], ELSEWHERE, UNKNOWN} if region in CITY_OF else {ELSEWHERE}
    return areas


def destination_area(stays: pd.DataFrame, *, region: str = "region", municipality: str = "municipality") -> pd.Series:
    """
    The area en région of each row.

    Parameters
    ----------
    stays : DataFrame
        Rows en région (outside the study's perimeter), such as the table `cohort`.
    region, municipality : str
        The columns of `stays` that hold them.

    Returns
    -------
    Series of str, with the index of `stays`
        One of `AREAS`; `unknown` where only a region is known that holds one of the towns, or nothing is.

    Examples
    --------
    >>> stays = pd.DataFrame({"region": ["16", "03", "03", "01", "05"],
    ...                       "municipality": ["53052", "23027", "21045", None, None]})
    >>> destination_area(stays).tolist()
    ['ring', 'city_quebec', 'elsewhere', 'elsewhere', 'unknown']
    """
    where, town = stays[region], stays[municipality]
    open_ = where.isna() | (town.isna() & where.isin(list(CITY_OF)))
    city = town.map(CITIES)
    area = np.select(
        [where.isin(RING_REGIONS), city.notna(), open_], [RING, city.to_numpy(dtype=object), UNKNOWN], ELSEWHERE
    )
    return pd.Series(area, index=stays.index, dtype="object")


def area_kind(area: pd.Series) -> pd.Series:
    """
    The near ring, a large town (whichever), or elsewhere.

    Examples
    --------
    >>> area_kind(pd.Series(["ring", "city_quebec", "unknown"])).tolist()
    ['ring', 'city', 'unknown']
    """
    return area.where(~area.isin(list(CITIES.values())), CITY)


# ----------------------------------------------------------------------------------------------------

COLUMNS = ("group", "table", "key", "persons", "households")
# Between the two halves of a key that crosses two things.
SEPARATOR = ">"
MEASURES = ("persons", "households")


def first_of(rows: pd.DataFrame, by: str = "person_id") -> pd.DataFrame:
    """The first row of each person, in the order given."""
    return rows.drop_duplicates(by)


def counts_by_key(
    rows: pd.DataFrame,
    tables: Mapping[str, Iterable[str]],
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    first: bool = True,
) -> pd.DataFrame:
    """
    Persons and households of each group by the keys of each table.

    Parameters
    ----------
    rows : DataFrame
        person_id, household_id, region, and a column a table that holds its keys (missing: `unknown`); in order of
        time within a person.
    tables : mapping
        The name of each table, and the keys it always has (a key with nobody is a 0, not an absence).
    study, groups
        As in `groups.members`.
    first : bool
        Each person by the first of their rows in the group only.

    Returns
    -------
    DataFrame
        group, table, key, persons, households.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": list("aab"), "household_id": "H", "region": "05", "sex": ["F", "F", None]})
    >>> counts = counts_by_key(rows, {"sex": ("F", "M")}, groups=["05"], study=Study())
    >>> counts[["key", "persons", "households"]].values.tolist()
    [['F', 1, 1], ['M', 0, 0], ['unknown', 1, 1]]
    """
    rows = rows.reset_index(drop=True)
    coded = {
        table: pd.factorize(first_known(rows[table].astype("object"), UNKNOWN).astype(str), sort=True)
        for table in tables
    }
    units = {measure: pd.factorize(rows[f"{measure[:-1]}_id"])[0] for measure in MEASURES}
    frames = []
    for group, chosen in members(rows, study, groups).items():
        at = np.flatnonzero(chosen)
        if first:
            at = at[np.sort(np.unique(units["persons"][at], return_index=True)[1])]
        for table, always in tables.items():
            codes, names = coded[table]
            counted = pd.DataFrame(
                {measure: _distinct(codes[at], unit[at], len(names)) for measure, unit in units.items()}, index=names
            )
            non_empty = counted.index[counted["persons"] > 0]
            order = [*always, *(key for key in non_empty if key not in set(always))]
            counted = counted.reindex(order, fill_value=0).rename_axis("key").reset_index()
            frames.append(counted.assign(group=group, table=table))
    return tidy_counts(frames)


def _distinct(codes: np.ndarray, unit: np.ndarray, n: int) -> np.ndarray:
    """How many distinct units each code has."""
    width = int(unit.max(initial=0)) + 1
    return np.bincount(np.unique(codes * width + unit) // width, minlength=n)


def tidy_counts(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Frames of counts as one table with whole numbers."""
    all_rows = pd.concat([pd.DataFrame(columns=list(COLUMNS)).astype("object"), *frames], ignore_index=True)
    return all_rows[list(COLUMNS)].astype({"persons": "int64", "households": "int64"})
