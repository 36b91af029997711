"""Ctrl-C is not lost: an interrupt that Python or a library drops is raised again at the next stage.

A scheduler stops a run by SIGTERM: it is taken for a Ctrl-C, so that the run ends in the same way.

A KeyboardInterrupt raised while a finalizer or a callback of a library runs goes nowhere (Python prints « Exception
ignored »), and the run would go on to its end as if nobody had asked it to stop.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_asked: list[int] = []


@contextmanager
def remembered() -> Iterator[None]:
    """Remembers each Ctrl-C and SIGTERM that comes within the block (in the main thread; elsewhere none arrives)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    own = os.getpid()

    def ask(number: int, _) -> None:
        if number == signal.SIGTERM and os.getpid() != own:
            # in a process forked from this one, which its pool ends: the default handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        _asked.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


@contextmanager
def held_back() -> Iterator[None]:
    """
    Ctrl-C waits until the block ends; processes begun in it ignore it. No effect where signals cannot be blocked.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_if_asked() -> None:
    """
    Raise the interrupt that was asked for, if any was.

    Raises
    ------
    KeyboardInterrupt
    """
    if _asked:
        raise KeyboardInterrupt
