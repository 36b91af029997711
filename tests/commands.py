"""Calls the command line as a user would, inside the test's process."""

import sys

from trajectories import cli


def call(*arguments):
    """The exit status of a command; what it prints goes to the captured streams."""
    before, sys.argv = sys.argv, ["trajectories", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.argv = before
    return 0
