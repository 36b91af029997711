"""`python -m trajectories` is the command line, for systems without make."""

from .cli import main

main()
