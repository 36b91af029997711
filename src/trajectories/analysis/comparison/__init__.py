"""Groups compared as if their persons were alike, and small regions drawn towards the province.

`compare` gives unadjusted, weighted and g-computed differences; `overlap` and `balance` say how far the groups can be
compared at all; `shrunken` and `funnel` read the table `retention`; `retention_by_period`
tells those who settled lately from those who settled before.
"""

from __future__ import annotations

from .periods import retention_by_period
from .shrinkage import funnel, shrunken
from .standardised import balance, compare, overlap

__all__ = ["balance", "compare", "funnel", "overlap", "retention_by_period", "shrunken"]
