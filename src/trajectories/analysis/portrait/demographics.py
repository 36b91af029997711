"""Who settled: category, age, household type, French, education, country group, city size, and how soon after arrival.

Each person is what was known of them at the first stay in the group (stays/cohort.py: within 31 days of the
establishment).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib import resources

import numpy as np
import pandas as pd

from ...months import TOLERANCE
from ...stays.cohort import HOUSEHOLD_TYPES, household_type
from ...study import Study
from ...tables import CATEGORIES, CITY_SIZES, EDUCATION_LEVELS, FRENCH_LEVELS, UNKNOWN
from .counting import AREA_KINDS, area_kind, counts_by_key, destination_area
from .settlement import stays_of

# The classes of the ministry's own portraits (domain.md §3.1), so that they can be laid side by side.
AGE_CLASSES = ("0_14", "15_24", "25_34", "35_44", "45_plus")
_AGES = (15, 25, 35, 45)
# From the arrival in Québec to the establishment, in months.
DELAY_CLASSES = ("under_3_months", "3_to_11_months", "12_to_23_months", "24_to_59_months", "60_months_or_more")
DELAY_BOUNDS = (3, 12, 24, 60)
COUNTRY_GROUPS = (
    "western_europe", "eastern_europe", "northern_africa", "sub_saharan_africa", "western_asia", "asia", "caribbean",
    "latin_america", "northern_america", "oceania",
)  # fmt: skip
# The tables of this room, and the keys each always has, beside `unknown`.
WHO = {
    "immigration_category": CATEGORIES,
    "age": AGE_CLASSES,
    "household_type": HOUSEHOLD_TYPES,
    "french": FRENCH_LEVELS,
    "education": EDUCATION_LEVELS,
    "country_group": COUNTRY_GROUPS,
    "city_size": CITY_SIZES,
    "area": AREA_KINDS,
    "delay": DELAY_CLASSES,
}


def demographics(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Persons and households settled, by what they are.

    Parameters
    ----------
    cohort, records, persons : DataFrame
        The tables `cohort`, `records` and `persons`; of the records only the birth country is used.
    study : Study
        Its pathway and groups are used.
    groups : iterable of str, optional
        As in `groups.members`.

    Returns
    -------
    DataFrame
        group, table (one of `WHO`), key (`unknown` where nothing was told), persons, households. Each person is in
        one key of each table.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, records, persons = example_tables()
    >>> records["birth_country"] = ["HTI", "FRA", "HTI"]
    >>> table = demographics(cohort, records, persons, groups=["05"], study=Study())
    >>> table.query("persons > 0 and table == 'country_group'")[["key", "persons"]].values.tolist()
    [['western_europe', 1], ['caribbean', 1]]
    """
    stays = stays_of(cohort, study)
    keys = {
        "immigration_category": stays["immigration_category"],
        "age": age_class(stays["age"]),
        "household_type": household_type(cohort).loc[stays["row"]].to_numpy(),
        "french": stays["french"],
        "education": stays["education"],
        "country_group": stays["person_id"].map(country_of_birth(records, persons)).map(country_groups()),
        "city_size": stays["city_size"],
        "area": area_kind(destination_area(stays)),
        "delay": _classes(stays["years_since_arrival"] * 12, DELAY_BOUNDS, DELAY_CLASSES),
    }
    always = {table: tuple(dict.fromkeys((*known, UNKNOWN))) for table, known in WHO.items()}
    return counts_by_key(stays.assign(**keys), always, study=study, groups=groups)


def age_class(age: pd.Series) -> pd.Series:
    """
    The class of each age in years; `unknown` where it is missing.

    Examples
    --------
    >>> age_class(pd.Series([14.9, 15.0, None])).tolist()
    ['0_14', '15_24', 'unknown']
    """
    return _classes(age, _AGES, AGE_CLASSES)


def _classes(values: pd.Series, bounds: tuple[int, ...], names: tuple[str, ...]) -> pd.Series:
    """Lower bounds are in the class; what is missing or clearly negative is unknown (an arrival after the stay)."""
    numbers = values.astype(float).to_numpy()
    class_index = np.searchsorted(bounds, np.nan_to_num(numbers) + TOLERANCE, side="right")
    labels = np.array(names, dtype=object)[class_index]
    return pd.Series(np.where(np.isnan(numbers) | (numbers <= -1), UNKNOWN, labels), index=values.index, dtype="object")


def country_of_birth(records: pd.DataFrame, persons: pd.DataFrame) -> pd.Series:
    """
    The country most often typed for each person (ISO alpha-3; the first by name of several), by person_id.

    Examples
    --------
    >>> records = pd.DataFrame({"record_id": ["1", "2", "3"], "birth_country": ["HTI", "FRA", "HTI"]})
    >>> country_of_birth(records, pd.DataFrame({"record_id": ["1", "2", "3"], "person_id": "a"})).to_dict()
    {'a': 'HTI'}
    """
    typed = records[["record_id", "birth_country"]].merge(persons[["record_id", "person_id"]], on="record_id")
    counted = typed.dropna(subset=["birth_country"]).groupby(["person_id", "birth_country"]).size().rename("n")
    ordered = counted.reset_index().sort_values(
        ["person_id", "n", "birth_country"], ascending=[True, False, True], kind="stable"
    )
    return ordered.drop_duplicates("person_id").set_index("person_id")["birth_country"]


@functools.cache
def _world() -> pd.DataFrame:
    source = resources.files(__package__).joinpath("world_regions.csv")
    with source.open(encoding="utf-8", newline="") as file:  # type: ignore[call-overload]
        return pd.read_csv(file, dtype=str, keep_default_na=False).set_index("alpha3")


def country_groups() -> dict[str, str]:
    """
    ISO 3166-1 alpha-3 → group of countries (`COUNTRY_GROUPS`).

    The groups join sub-regions of the UN's M49 standard (Northern, Southern and Western Europe; the four parts of
    sub-Saharan Africa; Central, Eastern, South-eastern and Southern Asia; Central and South America). The table
    `world_regions.csv` was typed from general knowledge; Kosovo stands with Southern Europe, Taiwan with Eastern Asia.

    Examples
    --------
    >>> groups = country_groups()
    >>> groups["FRA"], groups["DZA"], groups["HTI"]
    ('western_europe', 'northern_africa', 'caribbean')
    """
    return _world()["country_group"].to_dict()
