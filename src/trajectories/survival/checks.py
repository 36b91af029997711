"""Reads the arrays a caller gives, once, for every estimator.

Each rule raises `ValueError` with the argument's name and how many values break it: a missing value, a negative
time, a time not after its entry, a label that does not exist. What passes here needs no check further down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Checked arrays, one value a person; persons of weight 0 are left out."""

    time: Floats
    cause: Integers
    entry: Floats | None
    weights: Floats
    whole: bool  # all weights are whole numbers: frequencies, and the model's standard error holds
    group: Integers
    levels: NDArray[Any] | None  # the labels `group` counts; None where no group was given
    cluster: Integers | None

    @property
    def robust(self) -> bool:
        """True where only the jackknife gives a valid standard error."""
        return self.cluster is not None or not self.whole

    @property
    def n_groups(self) -> int:
        return 1 if self.levels is None else len(self.levels)


def refuse(name: str, bad: NDArray[np.bool_], what: str) -> None:
    """Raises if anything is True in `bad`: « time: 3 of 40 values are negative »."""
    count = int(np.count_nonzero(bad))
    if count:
        raise ValueError(f"{name}: {count} of {bad.size} values {what}")


def numbers(name: str, values: ArrayLike, like: int | None = None) -> Floats:
    """A 1-d float array without missing values; `like` is the length it must have."""
    series = pd.Series(values) if np.ndim(values) == 1 else None
    if series is None:
        raise ValueError(f"{name}: one dimension is expected, {np.ndim(values)} given")
    if like is not None and len(series) != like:
        raise ValueError(f"{name}: {len(series)} values given, {like} expected")
    if like is None and not len(series):
        raise ValueError(f"{name}: 0 values given, at least 1 expected")
    try:
        array = series.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: some of the {len(series)} values are not numbers") from error
    refuse(name, np.isnan(array), "are missing")
    return array


def times(name: str, values: ArrayLike, like: int | None = None, infinite: bool = False) -> Floats:
    """Non-negative numbers, finite unless `infinite`."""
    array = numbers(name, values, like)
    refuse(name, array < 0, "are negative")
    if not infinite:
        refuse(name, np.isinf(array), "are infinite")
    return array


def causes(name: str, values: ArrayLike, like: int) -> Integers:
    """0 = none, k ≥ 1 = cause k."""
    array = numbers(name, values, like)
    refuse(name, (array < 0) | (array != np.floor(array)) | np.isinf(array), "are not whole numbers from 0 up")
    return array.astype(np.int64)


def labels(name: str, values: ArrayLike, like: int) -> tuple[Integers, NDArray[Any]]:
    """Codes from 0 up and the sorted labels they stand for (an ordered categorical keeps its order)."""
    series = pd.Series(values)
    if len(series) != like:
        raise ValueError(f"{name}: {len(series)} values given, {like} expected")
    refuse(name, series.isna().to_numpy(), "are missing")
    codes, levels = pd.factorize(series, sort=True)
    return codes.astype(np.int64), np.asarray(levels)


def weights_of(values: ArrayLike | None, like: int) -> Floats:
    """Weights from 0 up, not all 0; 1 where none are given."""
    if values is None:
        return np.ones(like)
    array = times("weights", values, like)
    if not array.any():
        raise ValueError(f"weights: all {like} values are 0")
    return array


def sample(
    time: ArrayLike,
    cause: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    group: ArrayLike | None = None,
    cause_name: str = "cause",
) -> Sample:
    """Everything an estimator of exact times is given, checked."""
    ends = times("time", time)
    n = len(ends)
    kinds = causes(cause_name, cause, n)
    starts = None if entry is None else times("entry", entry, n)
    if starts is not None:
        refuse("time", ends <= starts, "are not after their entry")
    mass = weights_of(weights, n)
    codes, levels = (np.zeros(n, np.int64), None) if group is None else labels("group", group, n)
    clusters = None if cluster is None else labels("cluster", cluster, n)[0]
    whole = bool(np.all(mass == np.floor(mass)))
    if not mass.all():
        used = mass > 0
        ends, kinds, mass, codes = ends[used], kinds[used], mass[used], codes[used]
        starts = None if starts is None else starts[used]
        clusters = None if clusters is None else clusters[used]
    return Sample(ends, kinds, starts, mass, whole, codes, levels, clusters)


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """Raises if `value` is not an allowed label."""
    if value not in (choices := tuple(allowed)):
        raise ValueError(f"{name}: 1 unknown label, {value!r}; known: {', '.join(choices)}")
    return value


def normal_quantile(conf_level: float) -> float:
    """The z of a two-sided level: 1.96 for 0.95."""
    if not 0 < conf_level < 1:
        raise ValueError(f"conf_level: 1 value, {conf_level}, is not between 0 and 1")
    return NormalDist().inv_cdf(0.5 + conf_level / 2)
