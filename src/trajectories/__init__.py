"""Montréal-to-region trajectories from PASI reporting records, and the retention of the regions.

deposits → records → persons → spells → cohort → estimates → protected tables → regional reports: each arrow is one
room, and the public names below are the doors, in that order. Rooms are imported when they are first used, so
importing the package costs no more than pandas.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

# At once, not at first use: the function must stand in the package before anything loads the room of its name.
from .retention import exits, retention
from .version import __version__

# public name → the room it lives in, in the order the data walks
_ROOMS = {
    "Study": "study",
    "sample": "pipeline",
    "read_deposits": "deposits",
    "Deposits": "deposits",
    "find_places": "places",
    "explain_place": "places",
    "link_persons": "linkage",
    "build_spells": "stays.spells",
    "Residences": "stays.spells",
    "build_cohort": "stays.cohort",
    "Cohort": "stays.cohort",
    "whole_portrait": "analysis.portrait",
    "how_departures_become_known": "retention.reporting_delay",
    "compare": "analysis.comparison",
    "overlap": "analysis.comparison",
    "balance": "analysis.comparison",
    "shrunken": "analysis.comparison",
    "funnel": "analysis.comparison",
    "completed_stays": "analysis.imputation",
    "fit_models": "analysis.models",
    "protect": "disclosure",
    "build": "pipeline",
    "analyse": "analysis.analyse",
    "improvement_leads": "report.improvement_leads",
    "explore": "report.explorer",
    "plot": "display",
    "red_band": "display",
}

__all__ = ["__version__", "exits", "retention", "survival", "typology", *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in ("survival", "typology"):
        return importlib.import_module(f".{name}", __name__)
    if name in _ROOMS:
        value = getattr(importlib.import_module(f".{_ROOMS[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


# In a notebook what is not protected says so (display.py); a script has not imported IPython: nothing happens.
if "IPython" in sys.modules:
    from .display import red_band

    red_band()
