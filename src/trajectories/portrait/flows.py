"""Flows: secondary moves from the metropole to a region, by where they start and where they lead.

One table (`flow`) crosses origin and destination area. Its margins are never counted apart but summed over the cells
that are displayed (`flow_matrix`): a margin of its own would tell cells that protection hides (of 38 small cells of the
synthetic sample, linear programming found 7). So a run may publish either `flow`, or the tables `origin` and `area`,
not all three. Nor is the province counted: most cells of areas are those of one region, so that protecting it beside
them would hide nearly everything. Flows are of secondary moves whatever pathway the study keeps.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..groups import REGIONS, regions_of, reported_groups
from ..study import Study
from ..tables import UNKNOWN, first_known
from .areas import AREAS, CITIES, ELSEWHERE, RING, RING_REGIONS, areas_of, destination_area
from .counting import SEPARATOR, counts_by_key

FLOW = "flow"
SECONDARY = "secondary"
# Montréal, Laval, and the parts of Lanaudière, Laurentides and Montérégie inside the perimeter.
ORIGINS = ("06", "13", "14", "15", "16", UNKNOWN)
KEYS = tuple(f"{origin}{SEPARATOR}{area}" for origin in ORIGINS for area in (*AREAS, UNKNOWN))


def flows(
    moves: pd.DataFrame, spells: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None
) -> pd.DataFrame:
    """
    Persons and households who moved from the metropole to each group, by origin and destination area.

    Parameters
    ----------
    moves, spells : DataFrame
        The tables of those names; the spells say who is of which household.
    study, groups
        As in `groups.members`; the regions and the groups of the study where not given.

    Returns
    -------
    DataFrame
        group, table (`flow`), key (« origin>area », of `ORIGINS` and `AREAS`), persons, households. Each person
        counts once a group, by the first secondary move into it.

    Examples
    --------
    >>> moves = pd.DataFrame({"person_id": ["a", "b"], "move": 1, "kind": "secondary", "origin_region": ["06", "16"],
    ...                       "destination_region": "05", "destination_municipality": ["43027", "44037"]})
    >>> spells = pd.DataFrame({"person_id": ["a", "b"], "household_id": ["1", "1"]})
    >>> found = flows(moves, spells, groups=["05"])
    >>> found.loc[found["persons"] > 0, ["key", "persons", "households"]].values.tolist()
    [['06>city_sherbrooke', 1, 1], ['16>elsewhere', 1, 1]]
    """
    asked = reported_groups(study)[1:] if groups is None else tuple(groups)
    made = moves[moves["kind"].eq(SECONDARY)].sort_values(["person_id", "move"], kind="stable")
    household = spells.drop_duplicates("person_id").set_index("person_id")["household_id"]
    area = destination_area(made, region="destination_region", municipality="destination_municipality")
    origin = first_known(made["origin_region"], UNKNOWN).where(lambda code: code.isin(ORIGINS), UNKNOWN)
    rows = made.assign(
        household_id=made["person_id"].map(household), region=made["destination_region"],
        **{FLOW: origin + SEPARATOR + area},
    )  # fmt: skip
    found = counts_by_key(rows, {FLOW: KEYS}, study=study, groups=asked)
    # a cell that nobody can be in is no cell; one that somebody might be in is a 0 (a missing row would tell it too)
    might = {group: AREAS if "=" in group else areas_of(regions_of(group, study)) for group in found["group"].unique()}
    pairs = zip(found["group"], found["key"].str.partition(SEPARATOR)[2], strict=True)
    possible = np.array([area in might[group] for group, area in pairs], dtype=bool)
    return found[found["persons"].gt(0) | possible].reset_index(drop=True)


def flow_matrix(
    counts: pd.DataFrame, *, by: str = "region", measure: str = "persons", table: str = FLOW
) -> pd.DataFrame:
    """
    The matrix of the figure: an origin a row, a destination a column.

    Parameters
    ----------
    counts : DataFrame
        What `flows` or `portrait` returned, or the frame of its protected form (then `measure` is `persons_rounded` …).
    by : {"region", "area"}
        Destinations: the regions (of `flow`: one column a region or a region's town), or the areas of all regions
        together (of `flow` only; a sum with a hidden cell is hidden).
    measure : str
        The column that is shown.
    table : {"flow", "origin"}
        Secondary moves, or stays of every pathway by the region they came from.

    Returns
    -------
    DataFrame
        Index `origin`, columns `destination`: region codes, with « :area » for a town or where the town is unknown;
        or `AREAS`. Origins and destinations with nobody at all are left out, unknown ones where nobody is displayed. A
        cell that nobody moved through is 0; a hidden one is missing.

    Raises
    ------
    ValueError
        `by` is neither region nor area, or is area of another table than `flow`.

    Examples
    --------
    >>> counts = pd.DataFrame({"group": ["05", "05", "01"], "table": "flow", "persons": [30, 12, 15],
    ...                        "key": ["06>city_sherbrooke", "06>elsewhere", "13>elsewhere"]})
    >>> flow_matrix(counts).to_dict("index")
    {'06': {'01': 0, '05': 12, '05:city_sherbrooke': 30}, '13': {'01': 15, '05': 0, '05:city_sherbrooke': 0}}
    """
    if by not in ("region", "area") or (by == "area" and table != FLOW):
        raise ValueError(f"by={by!r}: a flow matrix is by region or, of the table {FLOW}, by area.")
    cells = counts[counts["table"].eq(table) & counts["group"].isin(REGIONS)]
    parts = cells["key"].str.partition(SEPARATOR).reindex(columns=[0, 2])
    origin, area = parts[0], parts[2]
    town = area.where(area.isin([*CITIES.values(), UNKNOWN]))
    place = cells["group"].where(town.isna(), cells["group"] + ":" + town)
    number = cells[measure].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    wide = pd.Series(number, index=pd.MultiIndex.from_arrays([origin, place]))
    # a number that is not there at all is of nobody, unless its whole region is hidden; a missing one is hidden
    wide = wide.unstack(fill_value=0.0)
    secret = pd.Series(np.isnan(number)).groupby(cells["group"].to_numpy()).all()
    wide.loc[:, [bool(secret[name[:2]]) for name in wide.columns]] = np.nan
    if by == "area":
        wide = wide.T.groupby([_area(name) for name in wide.columns]).agg(lambda part: part.sum(skipna=False)).T
    matrix = wide.round().astype("Int64")
    rows = ORIGINS if table == FLOW else [*sorted(set(matrix.index) - {UNKNOWN}), UNKNOWN]
    columns = [*AREAS, UNKNOWN] if by == "area" else sorted(matrix.columns)
    matrix = matrix.reindex(index=list(rows), columns=columns, fill_value=0)
    shown, hidden = matrix.fillna(0).ne(0).to_numpy(dtype=bool), matrix.isna().to_numpy()
    places = shown.any(axis=0) | (hidden.any(axis=0) & ~matrix.columns.str.endswith(UNKNOWN))
    matrix = matrix.loc[shown.any(axis=1) | (hidden.any(axis=1) & (matrix.index != UNKNOWN)), places]
    return matrix.rename_axis(index="origin", columns="destination")


def _area(place: str) -> str:
    """The area of a column of the matrix: its town, else what its region is."""
    region, _, town = place.partition(":")
    return town or (RING if region in RING_REGIONS else ELSEWHERE)
