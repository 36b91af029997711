"""Folders that hold personal data, whole files, names that people chose, and one run at a time in a folder.

Personal data is only in folders that their owner alone can open (0700). A file is written under a scratch name and then
renamed, so that a run that is killed leaves the old file or the new one, never half of one. A scratch name holds the
number of its process, and the next run removes the scratch files of ended processes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .exceptions import LockedError

if TYPE_CHECKING:
    import pandas as pd

# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCRATCH = re.compile(r"\..+\.(?P<process>\d+)\.[0-9a-z_]{8}\.tmp(\.ipynb)?")


def private_folder(path: Path | str) -> Path:
    """The folder, made if it is missing, closed to everyone but its owner (where the system knows of owners)."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def scratch_name(name: str) -> str:
    """A unique scratch name, with the number of this process, for the future file `name`."""
    return f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"


@contextlib.contextmanager
def replaced(path: Path | str, within: Path | str | None = None) -> Iterator[Path]:
    """
    A scratch path beside `path`, renamed to `path` when the block ends without an error.

    `within`: another folder of the same disk for the scratch file, where that of `path` may hold finished files only.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replaced(path) as scratch:
    ...     _ = scratch.write_text("whole")
    >>> path.read_text()
    'whole'
    """
    path = Path(path)
    scratch = Path(within or path.parent) / scratch_name(path.name)
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def sweep(folder: Path | str) -> None:
    """
    Remove, at any depth, the scratch files of ended processes; nothing on a system that cannot tell.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / ".a.txt.999999999.0123abcd.tmp").write_text("ha")
    >>> sweep(folder)
    >>> list(folder.iterdir())
    []
    """
    for path in list(Path(folder).rglob(".*.tmp*")):
        scratch = _SCRATCH.fullmatch(path.name)
        if scratch and not is_alive(int(scratch["process"])):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_alive(process: int) -> bool:
    """Whether a process of this machine is running; True where the system cannot tell."""
    if os.name == "nt":
        return True  # there a signal would end the process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """
    The frame with its texts quoted where a spreadsheet would take them for a formula.

    Examples
    --------
    >>> import pandas as pd
    >>> harmless(pd.DataFrame({"a": ["=1+1", "x"], "b": [-1, 2]})).to_numpy().tolist()
    [["'=1+1", -1], ['x', 2]]
    """

    def quoted(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell

    text = frame.select_dtypes(["object", "string", "category"])
    return frame.assign(**{name: values.astype("object").map(quoted) for name, values in text.items()})


# ----------------------------------------------------------------------------------------------------
# Names chosen by people: as parts of file names, and as they are displayed.

# Control characters, those that hide letters or change their direction, bytes that are no UTF-8 (as surrogates); and
# the backslash that escapes them, so that two names are never displayed alike.
_UNSHOWN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def slug(name: str) -> str:
    """
    A name as part of a file name: only lower-case letters without accents, digits and hyphens.

    Examples
    --------
    >>> slug("Côte-Nord / ../Gaspésie"), slug("北")
    ('cote-nord-gaspesie', '01bc01b3')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or hashlib.sha256(name.encode()).hexdigest()[:8]


def shown_name(name: str) -> str:
    r"""
    A file's name with escapes for the characters that not every table, page or console can hold.

    Examples
    --------
    >>> print(shown_name("dépôt\udce9.csv"), shown_name("a\nb.csv"))
    dépôt\xe9.csv a\nb.csv
    """
    return _UNSHOWN.sub(lambda match: _by_number(match[0]), name)


def _by_number(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


# ----------------------------------------------------------------------------------------------------
# One run at a time in a folder: a second one is refused, with a message that says which run holds the folder.
#
# The lock is the system's, on an open file (`flock`; on Windows `msvcrt.locking`): it ends with the process, however
# that ends, so that a killed run blocks nobody. Both calls are in the standard library; a package such as filelock
# wraps the same two, but does not record who holds a lock since when, which is most of this code. The lock file records
# it, and is emptied when the run ends.
#
# A folder on a share may be locked from another machine, and not every share passes locks on. So a file that names
# another machine counts as locked, until a person removes it.

FILE = ".lock"
# The byte of the file that Windows locks: beyond the content, which others must be able to read.
_FAR = 1 << 30
# The share, or the system, has no locks: only the content of the file counts.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def alone(*folders: Path | str, reading: Iterable[Path | str] = ()) -> Iterator[None]:
    """
    Hold folders for as long as the block runs.

    Parameters
    ----------
    *folders : path
        Written to; created where they are missing, accessible to their owner only.
    reading : iterable of path
        Only read, while nobody may write there. One that is missing, or may not be written to, is not locked.

    Raises
    ------
    LockedError
        Another run holds one of them; those already taken are free again.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with alone(folder), alone(folder):
    ...     pass
    Traceback (most recent call last):
    ...
    trajectories.exceptions.LockedError: ... is held by another run (process ..., since ...): ...
    """
    with contextlib.ExitStack() as locks:
        # in one order for all runs, against deadlocks
        for folder in sorted({Path(folder).resolve() for folder in folders}):
            locks.enter_context(_lock(private_folder(folder)))
            sweep(folder)
        for folder in sorted({Path(folder).resolve() for folder in reading} - {Path(f).resolve() for f in folders}):
            if folder.is_dir():
                try:
                    locks.enter_context(_lock(folder))
                except OSError as error:
                    if error.errno not in _NO_WRITING:
                        raise
        yield


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold one folder."""
    path = folder / FILE
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        locks = _take_lock(file, path)
        holder = _holder(file)
        # where the system's lock was obtained, an entry of this machine is of a killed run
        if holder and (holder["host"] != socket.gethostname() or (not locks and is_alive(holder["pid"]))):
            raise LockedError(_refusal(folder, holder))
        _write_holder(file, {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()})
        try:
            yield
        finally:
            # emptied, not removed: a third run may have it open
            _write_holder(file, None)
    finally:
        os.close(file)


def _take_lock(file: int, path: Path) -> bool:
    """Take the system's lock; False where the system or the share has no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise LockedError(_refusal(path.parent, _holder(file))) from None
        raise
    return True


def _holder(file: int) -> dict[str, Any] | None:
    """The process, machine and start recorded in the lock file; None where it is empty or incomplete."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        content = json.loads(os.read(file, 4096))
        return {"pid": int(content["pid"]), "host": str(content["host"]), "since": str(content["since"])}
    except (ValueError, KeyError, TypeError):
        return None


def _write_holder(file: int, content: dict[str, Any] | None) -> None:
    os.ftruncate(file, 0)
    if content is not None:
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, json.dumps(content).encode())


def _refusal(folder: Path, holder: dict[str, Any] | None) -> str:
    if holder is None:
        return f"{folder} is held by another run, which has just begun: try again when it is over."
    if holder["host"] != socket.gethostname():
        return (
            f"{folder} is held by a run on another machine ({holder['host']}, process {holder['pid']}, since "
            f"{holder['since']}): try again when it is over. If nothing runs there any more, remove {folder / FILE}."
        )
    return (
        f"{folder} is held by another run (process {holder['pid']}, since {holder['since']}): wait for its end, or "
        "stop it, and run the same command again; or name other folders (--derived, --reports)."
    )


def _now() -> str:
    return dt.datetime.now().astimezone().isoformat(" ", "seconds")
