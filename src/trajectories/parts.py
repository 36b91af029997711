"""Everyone in parts of whole persons, in order of person: memory is then that of a part, not of everyone.

What the deposits say of a person's places and stays rests on nobody else's rows, but for the members of the household,
of whom the ages are known beforehand (cohort.py). Persons are therefore worked on a part at a time, and the parts, put
one under another, are what everyone at once would give, byte for byte: persons are in alphabetical order in both.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from .coding import encode

# Records of a part, about: below, everyone is one part.
PART = 1 << 16


def give_back() -> None:
    """
    Return to the system the memory that was let go of, where its allocator can: glibc would keep it for later.

    After the spells of a million persons that is 1.7 GB; what comes next could use it, but in other pieces.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


class Parts:
    """
    Which part each person is of.

    Parameters
    ----------
    persons : DataFrame
        The table of that name: a row a record.
    size : int, optional
        Records of a part, about; by default PART.

    Examples
    --------
    >>> persons = pd.DataFrame({"record_id": ["1", "2", "3"], "person_id": ["b", "a", "b"]})
    >>> [part["record_id"].tolist() for part in Parts(persons, 1).of(persons)]
    [['2'], ['1', '3']]
    """

    def __init__(self, persons: pd.DataFrame, size: int | None = None):
        size = PART if size is None else size
        code, self._who = encode(persons["person_id"])
        rows = np.bincount(code, minlength=len(self._who))
        self._part = (np.cumsum(rows) - rows) // size
        _, self._part = np.unique(self._part, return_inverse=True)
        self._of_row, self._record = self._part[code], persons["record_id"]

    @property
    def number(self) -> int:
        """How many parts there are."""
        return int(self._part.max(initial=0)) + 1

    def of(self, frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The rows of each part of a table with a `person_id`, in their order; those of nobody are left out."""
        if self.number == 1:
            return iter([frame])
        code, words = encode(frame["person_id"])
        place = pd.Index(self._who).get_indexer(words)
        part = np.append(np.where(place < 0, -1, self._part[place]), -1)[code]
        return _split(frame, part, self.number)

    def of_records(self, records: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The same of the table `records`, or of some of its columns."""
        if self.number == 1:
            return iter([_plain(records)])
        ids = records["record_id"].to_numpy(dtype=object)
        known = self._record.to_numpy(dtype=object)
        if len(ids) == len(known) and (ids == known).all():
            return map(_plain, _split(records, self._of_row, self.number))
        part = pd.Series(self._of_row, index=known).reindex(ids).fillna(-1).to_numpy(dtype=np.int64)
        return map(_plain, _split(records, part, self.number))


def _plain(records: pd.DataFrame) -> pd.DataFrame:
    """The table with text where it has categories."""
    held = records.select_dtypes("category")
    texts = {name: held[name].astype(object).where(held[name].notna(), None) for name in held}
    return records.assign(**texts) if texts else records


def _split(frame: pd.DataFrame, part: np.ndarray, number: int) -> Iterator[pd.DataFrame]:
    order = np.argsort(part, kind="stable")
    ends = np.searchsorted(part[order], np.arange(number + 1))
    for begin, end in pairwise(ends):
        yield frame.take(order[begin:end]).reset_index(drop=True)


def one_under_another(parts: Sequence[dict[str, pd.Series]]) -> pd.DataFrame:
    """The parts (`columns_of`) as one table; each column is let go of when it is joined."""
    if len(parts) == 1:
        return pd.DataFrame(parts[0], copy=False)
    names = list(parts[0])
    return pd.DataFrame(
        {name: pd.concat([part.pop(name) for part in parts], ignore_index=True) for name in names}, copy=False
    )


def columns_of(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns of a table apart, so that one can be let go of without the others."""
    return {name: frame[name].copy() for name in frame}
