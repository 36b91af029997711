"""The figures: each takes protected tables only, and writes its own alternative text from the same numbers.

They are read without a legend: labels stand on what they name, and a key only where none could. Fills differ in
lightness, so that a page printed in grey, or seen by someone who does not tell colours apart, says the same
(report/drawing.py, report/drawing.py). A figure of which nothing may be shown is None, and the page says why in words.

One module a figure: curve · exits (bars, areas) · regions (small multiples) · tiles (map) · origins · flows (matrix) ·
delay (from arrival to establishment) · stock (persons by month) · sequences (types of trajectories) · occupation (of
states) · funnel · forest (coefficients) and differences (groups, persons alike), both drawn by intervals · moved
(assumptions, settings) · process (the way to a region; first service) · weights (linkage) · hearing (a researcher's
figure, from a table that is not protected).
"""

from __future__ import annotations

from .counts import first_service, origins, process_figure, stock_ribbon
from .curves import delay_curve, retention_curve
from .estimates import differences, forest, forests, funnel
from .exits import DESTINATIONS, exits_by_destination, shares_by_destination
from .flows import flow_figure
from .linkage_weights import match_weights
from .maps import curves_of_regions, tile_map
from .sensitivity import rates_along_scale, rates_by_setting
from .states import paths_by_type, shares_of_states, states_by_month, states_by_type

__all__ = [
    "DESTINATIONS",
    "curves_of_regions",
    "delay_curve",
    "differences",
    "exits_by_destination",
    "first_service",
    "flow_figure",
    "forest",
    "forests",
    "funnel",
    "match_weights",
    "origins",
    "paths_by_type",
    "process_figure",
    "rates_along_scale",
    "rates_by_setting",
    "retention_curve",
    "shares_by_destination",
    "shares_of_states",
    "states_by_month",
    "states_by_type",
    "stock_ribbon",
    "tile_map",
]
