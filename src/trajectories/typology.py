"""The promised door of the types of trajectories: `from trajectories.typology import …` (docs/project/stability.md)."""

from .analysis.typology import *  # noqa: F403
