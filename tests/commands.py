"""Calls the command line as a user would, inside the test's process."""

import re
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


_ELSEWHERE = re.compile(rb"(?<=[\"'])/[^\"'\n]*?(?=/(?:data|reports)\b)")


def written(project):
    """
    Every file that the commands write in a project, by name; no clock and no process number is in any of them.

    The name of the folder that a notebook was executed in, which may be that of another project, is left out.
    """
    return {
        path.relative_to(project).as_posix(): _ELSEWHERE.sub(b"", path.read_bytes())
        if path.suffix == ".ipynb"
        else path.read_bytes()
        for place in ("data/derived", "reports") for path in sorted((project / place).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }  # fmt: skip
