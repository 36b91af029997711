"""Types of trajectory: monthly state sequences, how different they are, clusters of them, each with a name by rule.

spells → `sequences` → `distances` → `clusters`; `typology` does it all for a study. The room is made of sequences.py
(the alphabet), sequences.py (spells → states), distances.py and distances.py, naming.py, clusters.py and clusters.py,
naming.py, and of the typology of a study: assembling.py (who enters), assembling.py, assembling.py (how large),
assembling.py.

Terms are those of sequence analysis (Abbott 1995; Gabadinho et al. 2011); numbers are compared with R TraMineR 2.2.12
in tests/golden/test_sequences.py, and four planted types are found again in tests/recovery/test_typology_recovery.py.
"""

from __future__ import annotations

from .assembling import MONTHS, REASONS, Typology, typology
from .clusters import adjusted_rand, choose_k, clusters, representatives, silhouette, stability
from .distances import METHODS, distances, state_distribution, transition_rates
from .naming import INDICATORS, NAMES, indicators, mean_time, rules, runs
from .sequences import OTHER_REGION, STATES, sequences

__all__ = [
    "INDICATORS", "METHODS", "MONTHS", "NAMES", "OTHER_REGION", "REASONS", "STATES", "Typology", "adjusted_rand",
    "choose_k", "clusters", "distances", "indicators", "mean_time", "representatives", "rules", "runs", "sequences",
    "silhouette", "stability", "state_distribution", "transition_rates", "typology",
]  # fmt: skip
