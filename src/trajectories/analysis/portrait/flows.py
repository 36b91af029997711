"""Flows from the metropole to the regions, kinds of migration, services received before settling.

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

from ...groups import REGIONS, regions_of, reported_groups
from ...study import REGION_CODES, Study
from ...tables import METROPOLE, PROVINCE, SERVICES, UNKNOWN, first_known
from .counting import (
    AREAS,
    CITIES,
    ELSEWHERE,
    RING,
    RING_REGIONS,
    SEPARATOR,
    areas_of,
    counts_by_key,
    destination_area,
    first_of,
    tidy_counts,
)
from .settlement import stays_of

FLOW = "flow"
SECONDARY = "secondary"
# Montréal, Laval, and the parts of Lanaudière, Laurentides and Montérégie inside the perimeter.
ORIGINS = ("06", "13", "14", "15", "16", UNKNOWN)
KEYS = tuple(f"{origin}{SEPARATOR}{area}" for origin in ORIGINS for area in (*AREAS, UNKNOWN))


def flows(
    moves: pd.DataFrame, spells: pd.DataFrame, *, study: Study, groups: Iterable[str] | None = None
) -> pd.DataFrame:
    """
    Persons and households who moved from the metropole to each group, by origin and destination area.

    Parameters
    ----------
    moves, spells : DataFrame
        The tables `moves` and `spells`; the spells say who is of which household.
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
    >>> found = flows(moves, spells, groups=["05"], study=Study())
    >>> found.loc[found["persons"] > 0, ["key", "persons", "households"]].values.tolist()
    [['06>city_sherbrooke', 1, 1], ['16>elsewhere', 1, 1]]
    """
    chosen_groups = reported_groups(study)[1:] if groups is None else tuple(groups)
    secondary = moves[moves["kind"].eq(SECONDARY)].sort_values(["person_id", "move"], kind="stable")
    household = spells.drop_duplicates("person_id").set_index("person_id")["household_id"]
    area = destination_area(secondary, region="destination_region", municipality="destination_municipality")
    origin = first_known(secondary["origin_region"], UNKNOWN).where(lambda code: code.isin(ORIGINS), UNKNOWN)
    rows = secondary.assign(
        household_id=secondary["person_id"].map(household),
        region=secondary["destination_region"],
        **{FLOW: origin + SEPARATOR + area},
    )
    counts = counts_by_key(rows, {FLOW: KEYS}, study=study, groups=chosen_groups)
    # a cell that nobody can be in is no cell; one that somebody might be in is a 0 (a missing row would tell it too)
    might = {group: AREAS if "=" in group else areas_of(regions_of(group, study)) for group in counts["group"].unique()}
    pairs = zip(counts["group"], counts["key"].str.partition(SEPARATOR)[2], strict=True)
    possible = np.array([area in might[group] for group, area in pairs], dtype=bool)
    return counts[counts["persons"].gt(0) | possible].reset_index(drop=True)


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
    label = cells["group"].where(town.isna(), cells["group"] + ":" + town)
    number = cells[measure].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    wide = pd.Series(number, index=pd.MultiIndex.from_arrays([origin, label]))
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


def _area(label: str) -> str:
    """The area of a column of the matrix: its town, else what its region is."""
    region, _, town = label.partition(":")
    return town or (RING if region in RING_REGIONS else ELSEWHERE)


# ----------------------------------------------------------------------------------------------------
# The kind of migration that each person's course amounts to: primary, secondary, onward, return, circular.
#
# One kind a person and group, the first that fits:
#
# - `circular`: at least two secondary moves, so metropole → region → metropole → region, wherever the regions lie;
# - `return`: settled, then went back to the metropole, and (as far as is known) did not settle from it twice;
# - `onward`: went from one region to another, or came from one;
# - `secondary`: came from the metropole, and none of the above since;
# - `primary`: first known en région, and none of the above since.
#
# A move counts for a region if it starts or ends there: one who came to 05 from 01 is `onward` for both. Who left
# Québec is told by the exits, not here.

MIGRATION = "migration"
MIGRATIONS = ("primary", "secondary", "onward", "return", "circular")


def migrations(
    cohort: pd.DataFrame,
    moves: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Persons and households settled in each group, by the kind of migration their course amounts to.

    Parameters
    ----------
    cohort, moves : DataFrame
        The tables `cohort` and `moves`.
    study : Study
        Its pathway and groups are used.
    groups : iterable of str, optional
        `province`, region codes, groups of the study; `reported_groups(study)` where not given.

    Returns
    -------
    DataFrame
        group, table (`migration`), key (`MIGRATIONS`), persons, households; each person once a group.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, *_ = example_tables()
    >>> moves = pd.DataFrame({"person_id": ["a"], "kind": "return", "origin_region": "05", "destination_region": "06"})
    >>> migrations(cohort, moves, groups=["05"], study=Study()).query("persons > 0")[["key", "persons"]].values.tolist()
    [['secondary', 1], ['return', 1]]
    """
    stays = stays_of(cohort, study)
    person, labels = pd.factorize(stays["person_id"])
    moves_of_persons = moves[moves["person_id"].isin(labels)]
    of = pd.Index(labels).get_indexer(moves_of_persons["person_id"])
    kind = moves_of_persons["kind"].to_numpy(dtype=object)
    secondary = np.bincount(of[kind == "secondary"], minlength=len(labels))
    tables = []
    for group in reported_groups(study) if groups is None else groups:
        regions = REGION_CODES if group == PROVINCE else regions_of(group, study)
        leads = moves_of_persons["destination_region"].isin(regions).to_numpy() | (group == PROVINCE)
        starts = moves_of_persons["origin_region"].isin(regions).to_numpy() | (group == PROVINCE)

        def has(chosen: np.ndarray) -> np.ndarray:
            return np.bincount(of[chosen], minlength=len(labels)) > 0

        group_stays = stays if group == PROVINCE else stays[stays["region"].isin(regions)]
        first = first_of(group_stays)
        at = person[first.index]
        rules = [
            (has((kind == "secondary") & leads) & (secondary > 1))[at],
            has((kind == "return") & starts)[at],
            has((kind == "onward") & (leads | starts))[at] | first["pathway"].eq("onward").to_numpy(),
            ~first["pathway"].eq("primary").to_numpy(),
        ]
        key = np.select(rules, ["circular", "return", "onward", "secondary"], "primary")
        counted = first[["person_id", "household_id"]].groupby(key).nunique().reindex(MIGRATIONS, fill_value=0)
        counted = counted.set_axis(["persons", "households"], axis=1).rename_axis("key").reset_index()
        tables.append(counted.assign(group=group, table=MIGRATION))
    return tidy_counts(tables)


# ----------------------------------------------------------------------------------------------------
# How: the services that those who came from the metropole had received there before they settled.
#
# A person may have received several, so services do not part a population: each service is a table of its own, with
# the keys yes and no. What a person received from organisations of the regions, or after the establishment, does not
# count.

YES, NO = "yes", "no"
# Tables: any service at all, then one for each kind.
ANY_SERVICE = "service_any"
SERVICE_TABLES = (ANY_SERVICE, *(f"service_{name}" for name in SERVICES))


def services_before(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Persons and households who came from the metropole, by whether they had received each service there before.

    Parameters
    ----------
    cohort, records, persons : DataFrame
        The tables `cohort`, `records` and `persons`.
    study : Study
        Its groups are used; of the stays only the secondary ones are counted.
    groups : iterable of str, optional
        As in `groups.members`.

    Returns
    -------
    DataFrame
        group, table (`SERVICE_TABLES`), key (yes, no), persons, households; each person by the first secondary stay
        in the group. A service counts where an organisation of the metropole gave it, surely not after the
        establishment (its latest day is not after the latest day of the establishment).

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> table = services_before(*example_tables(), groups=["05"], study=Study())
    >>> table.query("key == 'yes' and persons > 0")[["table", "persons"]].values.tolist()
    [['service_any', 2], ['service_personal_support', 2]]
    """
    stays = stays_of(cohort, study)
    stays = stays[stays["pathway"].eq(SECONDARY)].reset_index(drop=True)
    rows = records[records["organisation_zone"].eq(METROPOLE) & records["service"].notna()]
    services = rows[["record_id", "service", "service_date_latest"]].merge(
        persons[["record_id", "person_id"]], on="record_id"
    )
    first = services.groupby(["person_id", "service"], observed=True)["service_date_latest"].min().unstack()
    first = first.reindex(index=stays["person_id"], columns=list(SERVICES)).to_numpy(dtype="datetime64[ns]")
    # of a missing date every comparison is False
    had = first <= stays["establishment_latest"].to_numpy(dtype="datetime64[ns]")[:, None]
    had_service = {ANY_SERVICE: had.any(axis=1), **{f"service_{name}": had[:, i] for i, name in enumerate(SERVICES)}}
    keys = {table: np.where(values, YES, NO).astype(object) for table, values in had_service.items()}
    return counts_by_key(stays.assign(**keys), dict.fromkeys(SERVICE_TABLES, (YES, NO)), study=study, groups=groups)
