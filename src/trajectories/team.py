"""Other processes at work for this one: a `concurrent.futures.Executor`, and the storage that all of them see.

Everything per person is a map over parts of everyone, split by household; everything per region is a task. Rooms know
no more of it than is here: which executor it is, a pool of this machine or a cluster (cluster.py), changes no result.
A task reads and writes the storage, answers with little, and can be done twice: whoever does it may be lost.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import math
import secrets
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .exceptions import TrajectoriesError, told
from .storage import Storage

# A part is about so many rows: some seconds of work, against some milliseconds that a task costs.
ROWS_OF_A_PART = 200_000
# Parts even of little: a few processes share them, and one that is lost takes little with it.
LEAST_PARTS = 6


def _read_only(mapping: dict) -> MappingProxyType:
    return MappingProxyType(mapping)


# settings and crosswalks are read-only mappings, which pickle does not know
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))


@dataclass(frozen=True)
class Team:
    """
    Who works, and where what passes between them is put: met when there is first work for them.

    Attributes
    ----------
    meet : callable
        Gives the executor, and a folder of this run alone that every process sees.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(Team(lambda: (pool, Storage("memory://run"))).each(divmod, [7, 9], [2, 4]))
    [(3, 1), (2, 1)]
    """

    meet: Callable[[], tuple[Executor, Storage]]

    @functools.cached_property
    def _met(self) -> tuple[Executor, Storage]:
        return self.meet()

    @property
    def executor(self) -> Executor:
        """Who works."""
        return self._met[0]

    @property
    def storage(self) -> Storage:
        """What passes between them."""
        return self._met[1]

    @contextlib.contextmanager
    def folder(self) -> Iterator[Storage]:
        """A folder in the storage for one piece of work, taken away with what is in it when that is done."""
        made = self.storage.below(secrets.token_hex(4)).make()
        try:
            yield made
        finally:
            made.remove()

    def each(self, work: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        """As `map`, by the team: all tasks are given out at once, their answers come in order."""
        return map(_answered, self.executor.map(functools.partial(_answer, work), *map(list, items)))

    def begin(self, work: Callable[..., Any], *given: Any) -> Future:
        """One task; `finished` takes what comes of it."""
        return self.executor.submit(_answer, work, *given)


def parts_of(rows: int, size: int = ROWS_OF_A_PART) -> int:
    """
    How many parts so many rows are split into.

    Examples
    --------
    >>> parts_of(10), parts_of(100_000_000)
    (6, 500)
    """
    return max(LEAST_PARTS, math.ceil(rows / size))


def finished(future: Future) -> Any:
    """What a task that was begun has answered."""
    return _answered(future.result())


def _answer(work: Callable[..., Any], *given: Any) -> tuple[bool, Any]:
    """
    What comes of a task, or what went wrong, as a value.

    A task that raised would be written to the log of its worker, with all that it was given and the error's own words,
    which may hold what partners typed.
    """
    try:
        return True, work(*given)
    except TrajectoriesError as error:
        return False, (str(error), None)
    except OSError as error:
        return False, (f"A worker could not go on: {told(error)}", None)
    except Exception as error:
        return False, (type(error).__name__, traceback.format_exc())


def _answered(answer: tuple[bool, Any]) -> Any:
    done, said = answer
    if done:
        return said
    sentence, trace = said
    if trace is None:
        raise TrajectoriesError(sentence)
    raise RuntimeError(f"a task failed ({sentence}):\n{trace}")
