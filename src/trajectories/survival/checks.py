"""Reads the arrays a caller gives, once, for every estimator.

Each rule raises `ValueError` with the argument's name and how many values break it: a missing value, a negative
time, a time not after its entry, a label that does not exist. What passes here needs no check further down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PLAIN = tuple(np.dtype(x) for x in ("bool", "int8", "int16", "int32", "int64"))  # nothing missing, nothing to round
NORMAL_975 = 1.959963984540054  # the 97.5 % point of the normal law, for 95 % limits


@dataclass(frozen=True)
class Sample:
    """Checked arrays, one value a person; persons of weight 0 are left out."""

    time: Floats
    cause: Integers  # where only an event matters: 0 or 1
    entry: Floats | None
    weights: Floats
    whole_weights: bool  # all weights are whole numbers: frequencies, and the model's standard error holds
    group: Integers
    levels: NDArray[Any] | None  # the labels `group` counts; None where no group was given
    cluster: Integers | None
    unweighted: bool = False  # every person counts once: weights need not be read

    @cached_property
    def causes(self) -> Integers:
        """The causes seen, in order; 1 if none is (the curve of cause 1, at 0)."""
        largest = int(self.cause.max())
        if largest <= 1:
            return np.array([1])
        present = np.flatnonzero(np.bincount(self.cause)) if largest <= len(self.cause) + 255 else np.unique(self.cause)
        return present[present > 0]

    @cached_property
    def kinds(self) -> Integers:
        """What ended each person: 0 = censored, j = the j-th of `causes`."""
        if self.causes[-1] == len(self.causes):
            return self.cause
        return np.searchsorted(self.causes, self.cause, side="right")

    @property
    def robust(self) -> bool:
        """True where only the jackknife gives a valid standard error."""
        return self.cluster is not None or not self.whole_weights

    @property
    def n_groups(self) -> int:
        return 1 if self.levels is None else len(self.levels)


def refuse(name: str, bad: NDArray[np.bool_], fault: str) -> None:
    """Raises if anything is True in `bad`: « time: 3 of 40 values are negative »."""
    count = int(np.count_nonzero(bad))
    if count:
        raise ValueError(f"{name}: {count} of {bad.size} values {fault}")


def numbers(name: str, values: ArrayLike, like: int | None = None) -> Floats:
    """A 1-d float array without missing values; `like` is the length it must have."""
    shape = np.shape(values)
    if len(shape) != 1:
        raise ValueError(f"{name}: one dimension is expected, {len(shape)} given")
    if like is not None and shape[0] != like:
        raise ValueError(f"{name}: {shape[0]} values given, {like} expected")
    if like is None and not shape[0]:
        raise ValueError(f"{name}: 0 values given, at least 1 expected")
    if getattr(values, "dtype", None) == np.float64:
        array = np.ascontiguousarray(values)
    else:
        try:
            array = pd.Series(values).to_numpy(dtype=float, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: some of the {shape[0]} values are not numbers") from error
    if np.isnan(array.min(initial=0.0)):  # a minimum is missing where a value is
        refuse(name, np.isnan(array), "are missing")
    return array


def times(name: str, values: ArrayLike, like: int | None = None, infinite: bool = False) -> Floats:
    """Non-negative numbers, finite unless `infinite`."""
    array = numbers(name, values, like)
    if len(array) and array.min() < 0:
        refuse(name, array < 0, "are negative")
    if not infinite and len(array) and array.max() == np.inf:
        refuse(name, np.isinf(array), "are infinite")
    return array


def causes(name: str, values: ArrayLike, like: int) -> Integers:
    """0 = none, k ≥ 1 = cause k."""
    plain = getattr(values, "dtype", None) in PLAIN and np.shape(values) == (like,)
    array = np.asarray(values) if plain else numbers(name, values, like)
    if not plain or array.min(initial=0) < 0:
        refuse(name, (array < 0) | (array != np.floor(array)) | np.isinf(array), "are not whole numbers from 0 up")
    return array.astype(np.int64, copy=False)


def events(name: str, values: ArrayLike, like: int) -> Integers:
    """0 = none, 1 = the event: codes of several causes are refused, since they may have been meant for one of them."""
    array = causes(name, values, like)
    refuse(name, array > 1, "are above 1 (0 none, 1 the event): give `cause == 2` for one cause, `cause > 0` for any")
    return array


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
    kinds = events(cause_name, cause, n) if cause_name == "event" else causes(cause_name, cause, n)
    starts = None if entry is None else times("entry", entry, n)
    if starts is not None and not np.less(starts, ends).all():
        refuse("time", ends <= starts, "are not after their entry")
    mass = np.broadcast_to(1.0, n) if weights is None else weights_of(weights, n)
    codes, levels = (np.broadcast_to(0, n), None) if group is None else labels("group", group, n)
    clusters = None if cluster is None else labels("cluster", cluster, n)[0]
    whole_weights = weights is None or bool(np.all(mass == np.floor(mass)))
    if weights is not None and not mass.all():
        used = mass > 0
        ends, kinds, mass, codes = ends[used], kinds[used], mass[used], codes[used]
        starts = None if starts is None else starts[used]
        clusters = None if clusters is None else clusters[used]
    return Sample(ends, kinds, starts, mass, whole_weights, codes, levels, clusters, weights is None)


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
