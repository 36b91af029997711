"""Groups compared as if their persons were alike, and small regions drawn towards the province.

`compare` gives unadjusted, weighted and g-computed differences; `overlap` and `balance` say how far the groups can be
compared at all; `shrunken` and `funnel` read the table `retention`.
"""

from __future__ import annotations

from .shrinkage import funnel, shrunken
from .standardised import balance, compare, overlap

__all__ = ["balance", "compare", "funnel", "overlap", "shrunken"]
