"""Groups compared as if their persons were alike, and small regions drawn towards the province.

`compare` gives unadjusted, weighted and g-computed differences; `overlap` and `balance` say how far the groups can be
compared at all; `household_types` tells households apart; `shrunken` and `funnel` read the table `retention`.
"""

from __future__ import annotations

from .covariates import household_types
from .shrinkage import funnel, shrunken
from .standardised import balance, compare, overlap

__all__ = ["balance", "compare", "funnel", "household_types", "overlap", "shrunken"]
