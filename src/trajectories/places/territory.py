"""Municipalities, their regions, and on which side of a metropolitan perimeter they are.

The tables are those of `reference/` (see its README for sources and licences).
"""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
import pandas as pd

from ..study import PERIMETERS
from ..tables import CITY_SIZES, METROPOLE, REGION, UNKNOWN

_FLAGS = {"RMR-2021": "rmr_montreal_2021", "RMR-2016": "rmr_montreal_2016", "CMM": "cmm"}
# Lower bounds of the four classes of design.md: under 10,000 / 10,000–49,999 / 50,000–99,999 / 100,000 and over.
_SIZE_BOUNDS = (10_000, 50_000, 100_000)


def read_reference(name: str) -> pd.DataFrame:
    """One table of `reference/`, all columns as text, empty cells as empty text."""
    with resources.files(__package__).joinpath("reference", f"{name}.csv").open(encoding="utf-8", newline="") as file:  # type: ignore[call-overload]
        return pd.read_csv(file, dtype=str, keep_default_na=False)


@functools.cache
def reference_municipalities() -> pd.DataFrame:
    """The reference table with the columns of every perimeter, indexed by code. Not to be changed by callers."""
    return read_reference("municipalities").set_index("code").sort_index()


def check_perimeter(perimeter: str) -> str:
    """The perimeter, checked (raises ValueError where it is unknown)."""
    if perimeter not in _FLAGS:
        raise ValueError(f"perimeter {perimeter!r} is unknown: choose one of {', '.join(PERIMETERS)}.")
    return perimeter


@functools.cache
def _territory(perimeter: str) -> pd.DataFrame:
    table = reference_municipalities()
    inside = table[_FLAGS[check_perimeter(perimeter)]] == "1"
    return pd.DataFrame(
        {
            "name": table["name"],
            "mrc": table["mrc"],
            "region": table["region_code"],
            "region_name": table["region_name"],
            "zone": np.where(inside, METROPOLE, REGION),
            "population": pd.to_numeric(table["population"], errors="coerce").astype("Int64"),
        }
    )


def municipalities(perimeter: str) -> pd.DataFrame:
    """
    Every municipality of Québec, with its zone for a perimeter.

    Parameters
    ----------
    perimeter : {"RMR-2021", "RMR-2016", "CMM"}

    Returns
    -------
    DataFrame indexed by code (5 digits, text)
        name, mrc, region (2 digits), region_name, zone, population (persons, 2026; missing where the decree has none).

    Raises
    ------
    ValueError
        The perimeter is unknown.

    Examples
    --------
    >>> municipalities("CMM").loc["66023", ["name", "region", "zone"]].tolist()
    ['Montréal', '06', 'metropole']
    """
    return _territory(perimeter).copy()


@functools.cache
def _names() -> tuple[tuple[str, str], ...]:
    pairs = reference_municipalities()[["region_code", "region_name"]].drop_duplicates().sort_values("region_code")
    return tuple(pairs.itertuples(index=False, name=None))


def region_names() -> dict[str, str]:
    """
    Code → official name of the 17 administrative regions (with their en dashes).

    Examples
    --------
    >>> region_names()["02"]
    'Saguenay–Lac-Saint-Jean'
    """
    return dict(_names())


def zones(codes, perimeter: str) -> np.ndarray:
    """
    The zone of each municipality; `unknown` where the code is missing or is no municipality.

    Parameters
    ----------
    codes : array-like of str, shape (n,)
    perimeter : {"RMR-2021", "RMR-2016", "CMM"}

    Returns
    -------
    ndarray of object, shape (n,)

    Examples
    --------
    >>> zones(["66023", "23027", None], "RMR-2021").tolist()
    ['metropole', 'region', 'unknown']
    """
    check_perimeter(perimeter)
    return _look_up(codes, _territory(perimeter)["zone"], UNKNOWN)


@functools.cache
def _sides() -> dict[str, tuple[str, ...]]:
    table = reference_municipalities()
    return dict(zip(table.index, zip(*(table[flag] for flag in _FLAGS.values()), strict=True), strict=True))


def same_side(codes) -> bool:
    """Whether all municipalities are on the same side of each of the three perimeters."""
    return len({_sides()[code] for code in codes}) <= 1


@functools.cache
def _region_zones(perimeter: str) -> dict[str, str]:
    table = _territory(perimeter)
    sides = table.groupby("region")["zone"].agg(lambda zone: zone.iloc[0] if zone.nunique() == 1 else UNKNOWN)
    return sides.to_dict()


def region_zones(perimeter: str) -> dict[str, str]:
    """Region code → its zone, `unknown` where the perimeter cuts the region in two."""
    return dict(_region_zones(check_perimeter(perimeter)))


@functools.cache
def _sizes() -> pd.Series:
    population = _territory("CMM")["population"].dropna().astype(np.int64)
    return pd.Series(
        np.array(CITY_SIZES, dtype=object)[np.searchsorted(_SIZE_BOUNDS, population, side="right")],
        index=population.index,
    )


def city_sizes(codes) -> np.ndarray:
    """
    The size class of each municipality by population (`tables.CITY_SIZES`); None where it is not known.

    Examples
    --------
    >>> city_sizes(["66023", "14050", None]).tolist()
    ['100k_plus', 'under_10k', None]
    """
    return _look_up(codes, _sizes(), None)


def _look_up(codes, table: pd.Series, missing) -> np.ndarray:
    """Values of the table at the codes, as an object array with `missing` where there is none."""
    position = table.index.get_indexer(pd.Index(np.asarray(codes, dtype=object), dtype=object))
    values = np.append(table.to_numpy(dtype=object), [missing])
    return values[position]  # −1 (not found) takes the last element, `missing`
