"""Simulated deposits of people who settle in a few regions only: as many groups to estimate, not seventeen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from trajectories.simulate import histories, population
from trajectories.simulate.geography import REGION_SHARES, geography
from trajectories.simulate.settings import Choice


@contextmanager
def few_regions(*codes: str) -> Iterator[None]:
    """While it is open, households settle in and move to these regions alone, in the proportions of all."""
    few = replace(geography(), regions=Choice(list(codes), [REGION_SHARES[code] for code in codes]))
    with patch.object(population, "geography", lambda: few), patch.object(histories, "geography", lambda: few):
        yield
