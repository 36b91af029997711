"""Several states, and moves that recur: transition probabilities, occupation, mean number of moves, panel data."""

from __future__ import annotations
