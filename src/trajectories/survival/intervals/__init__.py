"""Times known as intervals: Turnbull's estimator, and its competing, left-truncated form on the month grid."""

from __future__ import annotations
