"""Where en région somebody settles: the near ring, one of five large towns, or elsewhere.

The Plan d'action warns that those who leave Montréal often stay near it or go to the large towns. So the parts of
Lanaudière, Laurentides and Montérégie outside the perimeter (the near ring) and the cities of Québec, Sherbrooke,
Gatineau, Trois-Rivières and Saguenay are told apart from the rest of the regions.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..tables import UNKNOWN

# Cut in two by every metropolitan perimeter (domain.md §0); what is outside it is near it.
RING_REGIONS = ("14", "15", "16")
RING, ELSEWHERE = "ring", "elsewhere"
# The municipality of each town (not its metropolitan area: Lévis is elsewhere), and its region.
CITIES = {
    "23027": "city_quebec", "43027": "city_sherbrooke", "81017": "city_gatineau", "37067": "city_trois_rivieres",
    "94068": "city_saguenay",
}  # fmt: skip
CITY_OF = {"02": "city_saguenay", "03": "city_quebec", "04": "city_trois_rivieres", "05": "city_sherbrooke",
           "07": "city_gatineau"}  # fmt: skip
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
    found = set()
    for region in regions:
        if region in RING_REGIONS:
            found.add(RING)
        else:
            found |= {CITY_OF[region], ELSEWHERE, UNKNOWN} if region in CITY_OF else {ELSEWHERE}
    return found


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
    found = np.select(
        [where.isin(RING_REGIONS), city.notna(), open_], [RING, city.to_numpy(dtype=object), UNKNOWN], ELSEWHERE
    )
    return pd.Series(found, index=stays.index, dtype="object")


def area_kind(area: pd.Series) -> pd.Series:
    """
    The near ring, a large town (whichever), or elsewhere.

    Examples
    --------
    >>> area_kind(pd.Series(["ring", "city_quebec", "unknown"])).tolist()
    ['ring', 'city', 'unknown']
    """
    return area.where(~area.isin(list(CITIES.values())), CITY)
