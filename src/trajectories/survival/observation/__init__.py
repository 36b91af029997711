"""The main estimator: exits known through contacts that fail and through news that comes late or never."""

from __future__ import annotations
