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


def written(project):
    """
    Every file that the commands write in a project, by name; no clock and no process number is in any of them.

    The name of the project's own folder, which executed notebooks hold, is left out.
    """
    here = str(project).encode()
    return {
        path.relative_to(project).as_posix(): path.read_bytes().replace(here, b"")
        for place in ("data/derived", "reports") for path in sorted((project / place).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }  # fmt: skip
