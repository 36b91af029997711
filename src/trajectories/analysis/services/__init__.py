"""Which services households get, how the way from the metropole to a region is served, and where there are gaps.

Tidy tables of raw numbers, one unit being the household's stay in a region; nothing here may be shown before `protect`.
Every table says `note` where it gives no number: too few households, a stream that no crosswalk knows, dates before the
arrival. `reach` to `follow_up_coverage` describe; `associations` says which services go with staying, which is never
that they make people stay.
"""

from __future__ import annotations

from .association import associations
from .expected import observed_expected, transfers_expected
from .gaps import follow_up_coverage, needs_without_service, reasons_and_services
from .tables import describing_tables
from .transfer import process_funnel, transfer
from .use import delay_to_first, number_of_services, reach

__all__ = [
    "associations",
    "delay_to_first",
    "describing_tables",
    "follow_up_coverage",
    "needs_without_service",
    "number_of_services",
    "observed_expected",
    "process_funnel",
    "reach",
    "reasons_and_services",
    "transfer",
    "transfers_expected",
]
