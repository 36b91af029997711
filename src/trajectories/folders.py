"""Folders that hold personal data, whole files, names that people chose, and one run at a time in a folder.

Personal data lives only in folders that their owner alone can open (0700); a file is written beside its place and
moved into it, so that a run that is killed leaves the old file or the new one, never half of one. What it was writing
keeps a name that says so, with the number of its process, and the next run sweeps it away.
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

# A spreadsheet takes a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCRATCH = re.compile(r"\..+\.(?P<process>\d+)\.[0-9a-z_]{8}\.tmp(\.ipynb)?")


def private_folder(path: Path | str) -> Path:
    """The folder, made if it is missing, closed to everyone but its owner (where the system knows of owners)."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def scratch_name(name: str) -> str:
    """A name of its own, of this process, for what will be `name`."""
    return f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"


@contextlib.contextmanager
def replaced(path: Path | str, within: Path | str | None = None) -> Iterator[Path]:
    """
    A scratch path beside `path`, moved into place when the block ends without an error.

    `within`: another folder of the same disk for the scratch file, where that of `path` may hold whole files only.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replaced(place) as scratch:
    ...     _ = scratch.write_text("whole")
    >>> place.read_text()
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
    Remove, at any depth, what processes that are gone were writing; nothing on a system that cannot tell.

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
        said = _SCRATCH.fullmatch(path.name)
        if said and not is_alive(int(said["process"])):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_alive(process: int) -> bool:
    """Whether a process of this machine runs; True where the system cannot tell."""
    if os.name == "nt":
        return True  # a signal would end it there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """
    The frame, no text of which a spreadsheet takes for a formula.

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
# Names that people chose: as parts of file names, and as they are told.

# Control characters, those that hide or turn the letters around them, and bytes that are no UTF-8 (as Python holds
# them); and the sign that writes them, so that no two names are told alike.
_UNSHOWN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def slug(name: str) -> str:
    """
    A name as part of a file name: lower-case letters without accents, digits and hyphens, and nothing else.

    Examples
    --------
    >>> slug("Côte-Nord / ../Gaspésie"), slug("北")
    ('cote-nord-gaspesie', '01bc01b3')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or hashlib.sha256(name.encode()).hexdigest()[:8]


def shown_name(name: str) -> str:
    r"""
    A file's name in letters that any table, page or console can hold: the others are written by their numbers.

    Examples
    --------
    >>> print(shown_name("dépôt\udce9.csv"), shown_name("a\nb.csv"))
    dépôt\xe9.csv a\nb.csv
    """
    return _UNSHOWN.sub(lambda found: _by_number(found[0]), name)


def _by_number(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


# ----------------------------------------------------------------------------------------------------
# One run at a time in a folder: the second is refused with a sentence that says who is at work there.
#
# The lock is the system's own, on an open file (`flock`; on Windows `msvcrt.locking`): it ends with the process,
# however that ends, so that a run that was killed bars nobody; the next sweeps away what it was writing. Both calls
# are in the standard library; a package such as filelock wraps the same two and knows neither who holds a lock nor
# since when, which is most of what stands here. The file says it, in a folder that its owner alone can open, and is
# emptied when the run ends.
#
# A folder on a share may be locked from another machine, and not every share carries locks from one to the other. So a
# file that names another machine is believed, and left to a person to remove.

FILE = ".lock"
# Of the file, the byte that Windows locks: beyond what is written, which others must be able to read.
_FAR = 1 << 30
# The share, or the system, has no locks: what the file says is all there is.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def alone(*folders: Path | str, reading: Iterable[Path | str] = ()) -> Iterator[None]:
    """
    Hold folders for as long as the block runs.

    Parameters
    ----------
    *folders : path
        Written to: made where they are missing, closed to everyone but their owner.
    reading : iterable of path
        Only read: nobody may write there meanwhile. One that is missing, or may not be written to, is not held.

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
    with contextlib.ExitStack() as held:
        # the same order for everyone
        for folder in sorted({Path(folder).resolve() for folder in folders}):
            held.enter_context(_lock(private_folder(folder)))
            sweep(folder)
        for folder in sorted({Path(folder).resolve() for folder in reading} - {Path(f).resolve() for f in folders}):
            if folder.is_dir():
                try:
                    held.enter_context(_lock(folder))
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
        locks = _taken(file, path)
        before = _said(file)
        # a run that was killed here left its name: whoever gets the system's lock knows that it is gone
        if before and (before["host"] != socket.gethostname() or (not locks and is_alive(before["pid"]))):
            raise LockedError(_refusal(folder, before))
        _say(file, {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()})
        try:
            yield
        finally:
            # emptied, not removed: a third run may have it open
            _say(file, None)
    finally:
        os.close(file)


def _taken(file: int, path: Path) -> bool:
    """Take the system's lock; False where there is none to take."""
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
            raise LockedError(_refusal(path.parent, _said(file))) from None
        raise
    return True


def _said(file: int) -> dict[str, Any] | None:
    """Who the file says holds it; None where it names nobody, or was cut off while it was written."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        said = json.loads(os.read(file, 4096))
        return {"pid": int(said["pid"]), "host": str(said["host"]), "since": str(said["since"])}
    except (ValueError, KeyError, TypeError):
        return None


def _say(file: int, content: dict[str, Any] | None) -> None:
    os.ftruncate(file, 0)
    if content is not None:
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, json.dumps(content).encode())


def _refusal(folder: Path, said: dict[str, Any] | None) -> str:
    if said is None:
        return f"{folder} is held by another run, which has just begun: try again when it is over."
    if said["host"] != socket.gethostname():
        return (
            f"{folder} is held by a run on another machine ({said['host']}, process {said['pid']}, since "
            f"{said['since']}): try again when it is over. If nothing runs there any more, remove {folder / FILE}."
        )
    return (
        f"{folder} is held by another run (process {said['pid']}, since {said['since']}): wait for its end, or stop "
        "it, and run the same command again; or name other folders (--derived, --reports)."
    )


def _now() -> str:
    return dt.datetime.now().astimezone().isoformat(" ", "seconds")
