"""Random numbers: one generator a household or an organisation and a purpose, so that no draw disturbs another.

A setting that changes how things are reported therefore leaves the true histories untouched, and a larger
simulation begins with the same households as a smaller one. Only uniform draws are used, and multiplied: no
exponential or logarithm, whose last bit may differ from one machine to the next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

POPULATION, HISTORY, ORGANISATION, REPORTING, FILING, TYPING, LAYOUT, POSTAL = range(8)


def generator(seed: int, purpose: int, *key: int) -> np.random.Generator:
    """The generator of one purpose for one household or organisation."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, purpose, *key))))


class Choice:
    """A weighted choice that is drawn many times.

    >>> Choice(["a", "b"], [0, 1]).draw(generator(1, POPULATION))
    'b'
    """

    def __init__(self, values: Sequence[Any], weights: Sequence[float]) -> None:
        kept = [(v, float(w)) for v, w in zip(values, weights, strict=True) if w > 0]
        self.values = [v for v, _ in kept]
        self.cumulative = list(accumulate(w for _, w in kept))

    def draw(self, rng: np.random.Generator) -> Any:
        """One value."""
        return self.values[bisect_right(self.cumulative, rng.random() * self.cumulative[-1])]


def pick(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """One value, all equally likely."""
    return values[int(rng.random() * len(values))]


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))
