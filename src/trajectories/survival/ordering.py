"""Sorts times together with the small number each of them carries (what happened then).

A double that is not negative never uses its sign, and once scaled by a power of two (exact) not its highest exponent
bits either. The number goes into these bits, so that one plain sort of whole numbers, which numpy does several times
faster than an indirect one, orders times and numbers together; where the bits do not suffice, the indirect sort does.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.threads import side_by_side

TIE = float(np.sqrt(np.finfo(float).eps))  # R's tolerance for « the same time »
SPARE_BITS = 7  # a range of 2³¹ between the smallest and the largest time remains
EXPONENT_BITS, BIAS = 11, 1023
SMALLEST = float(np.finfo(float).tiny)  # below it a double has fewer digits


def tie_width(values: Floats) -> float:
    """Times this close, or closer, are one: 1.5e-8, absolute or relative to the mean, whichever is larger."""
    return TIE * max(1.0, float(values.mean()))


def sorted_together(values: Floats, marks: NDArray[np.unsignedinteger], n_marks: int) -> tuple[Floats, NDArray]:
    """Values from 0 up in order, and their marks (0 … n_marks − 1) in the same order."""
    bits = max(n_marks - 1, 1).bit_length()
    scale = 2.0 ** min(2 ** (EXPONENT_BITS + 1 - bits) - BIAS - int(np.frexp(values.max())[1]), 0)
    smallest = values.min() or values.min(where=values > 0, initial=np.inf)
    if bits <= SPARE_BITS and smallest * scale >= SMALLEST:  # no time is rounded by scaling
        ordered = values * scale
        ordered += 0.0  # −0 becomes 0
        packed = ordered.view(np.uint64)
        packed <<= np.uint64(bits)
        packed |= marks
        packed.sort()
        marks_in_order = (packed & np.uint64(2**bits - 1)).astype(marks.dtype)
        packed >>= np.uint64(bits)
        ordered /= scale
        return ordered, marks_in_order
    order = np.argsort(values, kind="stable")
    return values[order], marks[order]


def starts_of_ties(ordered: Floats, width: float) -> NDArray[np.bool_]:
    """True where a value in order is not one with the value before."""
    new = np.empty(len(ordered), dtype=bool)
    new[:1] = True
    np.greater(ordered[1:] - ordered[:-1], width, out=new[1:])
    return new


def added_in_ties(flags: NDArray[np.bool_], new: NDArray[np.bool_], first: Integers) -> Integers:
    """How many of `flags` are True in each tie; `first` are the places where `new` is True."""
    if 8 * len(first) < 7 * len(flags):
        return np.add.reduceat(flags, first, dtype=np.int64)
    counts = flags[first].astype(np.int64) if len(first) < len(flags) else flags.astype(np.int64)
    if len(first) < len(flags):  # few ties: only they are added
        others = np.flatnonzero(~new)
        np.add.at(counts, np.searchsorted(first, others) - 1, flags[others])
    return counts


def in_order_of_groups(
    values: Floats, marks: NDArray[np.unsignedinteger], n_marks: int, group: Integers, n_groups: int
) -> tuple[Floats, NDArray, Integers]:
    """Groups one after the other, each as `sorted_together` has it; and where each begins and ends."""
    if n_groups == 1:
        return *sorted_together(values, marks, n_marks), np.array([0, len(values)])
    small = group.astype(np.min_scalar_type(n_groups - 1))  # numpy sorts 8 and 16 bits by counting
    order = np.argsort(small, kind="stable")
    values, marks = values[order], marks[order]
    cuts = np.append(0, np.cumsum(np.bincount(group, minlength=n_groups)))

    def one(part: tuple[int, int]) -> None:
        some = slice(*part)
        if part[1] > part[0]:
            values[some], marks[some] = sorted_together(values[some], marks[some], n_marks)

    side_by_side(one, pairwise(cuts), len(values))
    return values, marks, cuts
