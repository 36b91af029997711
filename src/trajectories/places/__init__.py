"""Typed place → municipality, region, zone.

A municipality decides the region and the zone; a region alone gives a zone only where all of it is on one side of the
perimeter (06 and 13 inside it, 14–16 on both sides). Nothing is guessed: a homonym or a regional word stays `ambiguous`
or `area_only`, and a typing slip that could be two names stays unresolved. The present-day table is used for all dates
(design.md, rule 3). `explain_place` gives the reason.
"""

from __future__ import annotations

from .explanation import PlaceExplanation, explain_place
from .matching import find_places
from .territory import city_sizes, municipalities, region_names, zones

__all__ = ["PlaceExplanation", "city_sizes", "explain_place", "find_places", "municipalities", "region_names", "zones"]
