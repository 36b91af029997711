"""The errors a user meets: messages that say what is wrong, where, and what to do.

Every error that the command line shows without a traceback derives from `TrajectoriesError`.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from pathlib import Path


class TrajectoriesError(Exception):
    """Base of the errors that are sentences for a user."""


class StudyError(TrajectoriesError, ValueError):
    """study.toml holds faults: all of them at once, one sentence each."""

    def __init__(self, source: str, faults: Sequence[str]):
        self.source = source
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        super().__init__(f"{source}: {len(self.faults)} fault(s) to correct:\n{lines}")


class UnusableInputError(TrajectoriesError):
    """Nothing usable was found: no deposit, no row, no table."""


class TooFewError(TrajectoriesError, ValueError):
    """Too few persons for the estimate that was asked for."""


class StaleTableError(TrajectoriesError):
    """A stored table was written by another version of the library, or is missing."""


class TableError(TrajectoriesError, ValueError):
    """A table between two rooms breaks its schema (a defect of the library or of a caller)."""


class KeyFileError(TrajectoriesError):
    """The study's secret key cannot be used."""


class NotebookError(TrajectoriesError):
    """A report notebook cannot be run as asked (parameters, cells), or failed."""


class DisclosureError(TrajectoriesError):
    """An unprotected figure was about to be published."""


class LinkageModelError(TrajectoriesError, ValueError):
    """A linkage model that cannot be used (not readable, or made for other comparisons)."""


class LinkageError(TrajectoriesError):
    """The linkage failed; the engine's own message may hold values, and is not passed on."""

    def __init__(self, kind: str):
        super().__init__(
            f"The linkage stopped ({kind}): free memory, or room in the folder data/derived/tmp, and build again."
        )


class ClusterError(TrajectoriesError):
    """The workers of a cluster cannot be reached, are of another version than this process, or were lost."""


class LockedError(TrajectoriesError):
    """Another run holds the lock of a folder."""


def sentence_of(error: BaseException) -> str:
    """The message of any error for a user: its own, or the place where the library failed."""
    if isinstance(error, TrajectoriesError):
        return str(error)
    if isinstance(error, OSError):  # a full disk, a file in place of a folder, no permission to write
        return system_refusal(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory: free some, and run the same command again."
    return f"A fault of the library stopped it ({place_of(error)}): report these words. What was finished is kept."


def place_of(error: BaseException) -> str:
    """
    Of an unexpected error: its type, the lines of the library that led to it (the last first), the version.

    Without its own message, which may hold a value of the deposits.
    """
    from .version import __version__

    package = Path(__file__).parent
    frames = ((Path(step.filename), step.lineno) for step in traceback.extract_tb(error.__traceback__))
    own_lines = [f"{file.relative_to(package).as_posix()}:{line}" for file, line in frames if package in file.parents]
    return f"{type(error).__name__} at {' < '.join(reversed(own_lines[-4:])) or 'no line of it'}, version {__version__}"


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER = (errno.EEXIST, errno.ENOTDIR)
_NO_RIGHT = (errno.EACCES, errno.EPERM)


def system_refusal(error: OSError) -> str:
    """
    The message for an error of the operating system, with what to do.

    Examples
    --------
    >>> system_refusal(PermissionError(errno.EACCES, "Permission denied", "reports"))
    'reports: Permission denied. Ask for the right to it, or choose another place (--raw, --derived, --reports).'
    """
    fault = f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}."
    if error.errno in _NO_ROOM:
        return f"{fault} Make room on that disk and run the same command again: what was finished is kept."
    if error.errno == errno.EROFS:
        return f"{fault} Choose a folder that may be written to (--derived, --reports)."
    if error.errno in _NO_FOLDER:
        return f"{fault} A file stands where a folder is needed: name another place (--raw, --derived, --reports)."
    if error.errno in _NO_RIGHT:
        return f"{fault} Ask for the right to it, or choose another place (--raw, --derived, --reports)."
    return fault
