"""The figures: each takes protected tables only, and writes its own alternative text from the same numbers.

They are read without a legend: labels stand on what they name, and a key only where none could. Fills differ in
lightness, so that a page printed in grey, or seen by someone who does not tell colours apart, says the same
(report/drawing.py). A figure of which nothing may be shown is None, and the page says why in words.
"""

from __future__ import annotations

from .curves import retention_curve
from .estimates import differences, forest, forests, funnel
from .exits import DESTINATIONS, exits_by_destination, shares_by_destination
from .flows import flow_figure
from .linkage_weights import match_weights
from .maps import curves_of_regions, tile_map
from .origins import origins
from .sensitivity import rates_along_scale, rates_by_setting
from .states import paths_by_type, states_by_type

__all__ = [
    "DESTINATIONS",
    "curves_of_regions",
    "differences",
    "exits_by_destination",
    "flow_figure",
    "forest",
    "forests",
    "funnel",
    "match_weights",
    "origins",
    "paths_by_type",
    "rates_along_scale",
    "rates_by_setting",
    "retention_curve",
    "shares_by_destination",
    "states_by_type",
    "tile_map",
]
