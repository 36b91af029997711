"""The promised door of the types of trajectories: `from trajectories.typology import …` (docs/project/stability.md)."""

from .analysis import typology as _typology
from .analysis.typology import *  # noqa: F403

__all__ = _typology.__all__
