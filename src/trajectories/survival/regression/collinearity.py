"""Terms that no fit can tell apart: constants, and combinations of other terms; refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trajectories.survival.checks import Floats

SAME = 1e-10  # share of a term's information below which nothing is left of it


def said(names: Sequence[str], which: np.ndarray) -> str:
    """« age has », « age, sex have »."""
    listed = [name for name, bad in zip(names, which, strict=True) if bad]
    return f"{', '.join(listed)} {'has' if len(listed) == 1 else 'have'}"


def check_independent(information: Floats, events: float, names: Sequence[str]) -> None:
    """Refuses a term whose information, given those before it, is 0."""
    own = np.diag(information)
    constant = own < SAME * events
    if constant.any():
        raise ValueError(
            f"covariates: {said(names, constant)} one value among those at risk at each event (by stratum)"
        )
    scale = 1 / np.sqrt(own)
    correlation = information * np.outer(scale, scale)
    for j in range(1, len(own)):
        share = np.linalg.solve(correlation[:j, :j], correlation[:j, j])
        if 1 - correlation[:j, j] @ share < SAME:
            others = ", ".join(name for name, c in zip(names, share, strict=False) if abs(c) > np.sqrt(SAME))
            raise ValueError(f"covariates: {names[j]} is a linear combination of {others}; leave one out")
