"""The groups compared and the covariates adjusted for, as 0/1 columns.

What is held alike is what a person brought along at the establishment. A job or a dwelling found by then is not in it:
a region or a period may keep people because it has jobs, and holding jobs alike would take that away from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...stays.cohort import OF_AGE, SINGLE, UNKNOWN_TYPE, household_type
from ...study import METROPOLITAN_REGIONS, REGION_CODES, Study
from ...tables import PROVINCE

# Held alike unless others are asked for; each name has its `held_alike.<name>` in both catalogues.
PERSON = (
    "immigration_category",
    "age",
    "sex",
    "household_type",
    "education",
    "french",
    "years_since_arrival",
    "period",
)
CATEGORY, CITY_SIZE, REGION, GROUPS = "immigration_category", "city_size", "region", "groups"
HOUSEHOLD_TYPE = "household_type"
# A class holds its lower end: under 18, 18 to 29, …; a stay's first year since arrival, the second and third, later.
CLASSES = {"age": (18, 30, 45), "years_since_arrival": (1, 3)}
UNKNOWN, OTHER = "unknown", "other"
# A level of fewer stays is joined with other such levels: its coefficient would say nothing.
SMALLEST_LEVEL = 20
# The reference group of each comparison; by default the largest group.
REFERENCE = {"period": "before_2020", CATEGORY: "economic", HOUSEHOLD_TYPE: SINGLE, REGION: PROVINCE}


@dataclass(frozen=True)
class Partition:
    """
    One comparison: everyone is of one group.

    `code` is the place of each stay's group in `names`, and `len(names)` for those who are of none that is compared
    (too few, or not known): they count in the mix that all are standardised to. `labels` are the groups as tables name
    them; `reference` is one of them, or `province`. `too_small` holds the groups that are not compared with their
    number of stays. Without names nothing is compared: no two groups are large enough.
    """

    by: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    code: NDArray[np.int64]
    reference: str
    too_small: dict[str, int]
    adjusted_for: tuple[str, ...]


def with_household_type(cohort: pd.DataFrame) -> pd.DataFrame:
    """
    The cohort with a column `household_type` (stays/cohort.py), unless it has one.

    Excluded stays tell too who is in a household. Missing where not all members are known: they may be children.
    """
    if "household_type" in cohort:
        return cohort
    types = household_type(cohort)
    return cohort.assign(household_type=types.where(types.ne(UNKNOWN_TYPE), None))


def compared_among(stays: pd.DataFrame, by: str) -> NDArray[np.bool_]:
    """
    The stays that a comparison is made among, the groups and whom they are standardised to alike.

    Types of households among persons of age only: every child is of one type, and has no counterpart in the others.
    """
    return stays["age"].ge(OF_AGE).to_numpy() if by == HOUSEHOLD_TYPE else np.ones(len(stays), dtype=bool)


def partitions(stays: pd.DataFrame, by: str, adjust: Sequence[str] | None, study: Study) -> list[Partition]:
    """
    The comparison(s) that `by` asks for: one, or one for each of the study's groups of regions (`groups`).

    Raises
    ------
    ValueError
        A column that the cohort does not have.
    """
    if by != GROUPS and by not in stays:
        raise ValueError(f"by: {by!r} is no column of the cohort, nor 'groups'.")
    adjusted = _adjusted_for(stays, by, adjust)
    if by == GROUPS:
        return [_one_group(stays, name, regions, adjusted, study) for name, regions in study.groups.items()]
    values = stays[by].astype("object")
    values = values.where(values.notna(), None).map(lambda value: None if value is None else str(value))
    if by == REGION:
        # nobody settles « en région » in Montréal or Laval
        values = values.where(values.isin([c for c in REGION_CODES if c not in METROPOLITAN_REGIONS]), None)
    counts = values.value_counts()
    enough = counts[counts >= study.support]
    # a region is held against the province; elsewhere two are needed
    enough = enough if len(enough) >= (1 if by == REGION else 2) else enough[:0]
    names = tuple(sorted(enough.index))
    code = values.map({name: k for k, name in enumerate(names)}).fillna(len(names)).to_numpy(dtype=np.int64)
    preferred = REFERENCE.get(by)
    label = {name: name if by == REGION else f"{by}={name}" for name in counts.index}
    reference = preferred if preferred in (*names, PROVINCE) or not names else str(enough.idxmax())
    small = {label[name]: int(n) for name, n in counts.items() if name not in names}
    labels = tuple(label[name] for name in names)
    return [Partition(by, names, labels, code, label.get(reference, str(reference)), small, adjusted)]


def _one_group(stays: pd.DataFrame, name: str, regions: Sequence[str], adjusted: tuple[str, ...], study: Study):
    inside = stays["region"].isin(regions).to_numpy()
    if inside.sum() < study.support:
        return Partition(GROUPS, (), (), np.zeros(len(stays), np.int64), PROVINCE, {name: int(inside.sum())}, adjusted)
    return Partition(GROUPS, (name,), (name,), np.where(inside, 0, 1), PROVINCE, {}, adjusted)


def _adjusted_for(stays: pd.DataFrame, by: str, adjust: Sequence[str] | None) -> tuple[str, ...]:
    """What is held alike. Wherever category is spoken of, city size is; a region is not asked to have a large town."""
    columns = [name for name in (PERSON if adjust is None else tuple(adjust)) if name != by]
    places = by in (REGION, GROUPS)
    if CATEGORY in (by, *columns) and not places and by != CITY_SIZE and CITY_SIZE not in columns:
        columns.append(CITY_SIZE)
    unknown = [name for name in columns if name not in stays]
    if unknown:
        raise ValueError(f"adjust: {', '.join(unknown)}: no such column in the cohort.")
    return tuple(columns)


# ── covariates as columns of 0 and 1 ──────────────────────────────────────────────────────────────────────
def levels(values: pd.Series) -> pd.Series:
    """
    A covariate as text levels: numbers in classes, what is missing `unknown`, small levels joined as `other`.

    What is missing is a level of its own: who has it missing is compared with whoever has it missing too (Rosenbaum &
    Rubin 1984), and nothing is filled in.
    """
    number = pd.api.types.is_float_dtype(values) or (
        pd.api.types.is_integer_dtype(values) and not pd.api.types.is_bool_dtype(values)
    )
    if number:
        numeric = values.astype("float64")
        cuts = CLASSES.get(str(values.name))
        if cuts is None:
            present = numeric.dropna()
            few = present.nunique() <= 6
            cuts = np.unique(present)[1:] if few else np.unique(np.quantile(present, (0.2, 0.4, 0.6, 0.8)))
        text = pd.Series(np.searchsorted(cuts, numeric, side="right"), index=values.index).map(
            lambda k: _class(int(k), cuts)
        )
        text = text.where(numeric.notna(), UNKNOWN)
    else:
        text = values.astype("object").where(values.notna(), UNKNOWN).astype(str)
    counts = text.value_counts()
    small = counts.index[counts < SMALLEST_LEVEL]
    if len(small):
        # together they may be enough; else they go with the most frequent
        name = OTHER if counts[small].sum() >= SMALLEST_LEVEL else counts.index[0]
        text = text.where(~text.isin(small), name)
    return text


def _class(k: int, cuts: Sequence[float] | np.ndarray) -> str:
    if not len(cuts):
        return "any"
    if k == 0:
        return f"under_{cuts[0]:g}"
    return f"{cuts[k - 1]:g}_or_more" if k == len(cuts) else f"{cuts[k - 1]:g}_to_{cuts[k]:g}"


@dataclass(frozen=True)
class Design:
    """Columns of 0 and 1 (stays × terms): each level of each covariate but the most frequent."""

    matrix: NDArray[np.float64]
    terms: tuple[tuple[str, str], ...]  # (covariate, level) of each column
    every: dict[str, pd.Series]  # the level of each stay, by covariate


def design(stays: pd.DataFrame, columns: Sequence[str]) -> Design:
    """The covariates of a comparison."""
    parts, terms, every = [], [], {}
    for name in columns:
        text = every[name] = levels(stays[name]).reset_index(drop=True)
        counts = text.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        for level in sorted(counts.index[1:]):
            parts.append(text.eq(level).to_numpy(dtype=float))
            terms.append((name, level))
    matrix = np.column_stack(parts) if parts else np.zeros((len(stays), 0))
    return Design(matrix, tuple(terms), every)
