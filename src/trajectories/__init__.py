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
    "link_persons": "persons",
    "build_spells": "spells",
    "Residences": "spells",
    "build_cohort": "cohort",
    "Cohort": "cohort",
    "whole_portrait": "portrait",
    "how_departures_become_known": "hearing",
    "compare": "comparison",
    "overlap": "comparison",
    "balance": "comparison",
    "shrunken": "comparison",
    "funnel": "comparison",
    "completed_stays": "completed",
    "fit_models": "models",
    "protect": "disclosure",
    "build": "pipeline",
    "analyse": "analysis",
    "improvement_leads": "leads",
    "explore": "report.explorer",
    "plot": "notebook_objects",
    "red_band": "notebook_band",
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


# In a notebook what is not protected says so (notebook_band.py); a script has not imported IPython: nothing happens.
if "IPython" in sys.modules:
    from .notebook_band import red_band

    red_band()
