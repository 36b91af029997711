"""`python -m trajectories` is the command line, for systems without make."""

from __future__ import annotations

from .cli import main

main()
