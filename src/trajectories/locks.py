"""One run at a time in a folder: the second is refused with a sentence that says who is at work there.

The lock is the system's own, on an open file (`flock`; on Windows `msvcrt.locking`): it ends with the process, however
that ends, so that a run that was killed bars nobody; the next sweeps away what it was writing. Both calls are in the
standard library; a package such as filelock wraps the same two and knows neither who holds a lock nor since when, which
is most of what stands here. The file says it, in a folder that its owner alone can open, and is emptied when the run
ends.

A folder on a share may be locked from another machine, and not every share carries locks from one to the other. So a
file that names another machine is believed, and left to a person to remove.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .exceptions import LockedError
from .folders import is_alive, private_folder, sweep

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
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
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
