"""Text columns as small whole numbers and dates as day numbers, and back.

Ten million observations are compared, sorted and grouped as arrays of codes; they are decoded only in the tables
returned. Codes follow the alphabetical order of their words, so that sorting codes is sorting words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

Words = Sequence[str] | np.ndarray  # what codes stand for
MISSING = -1
_NS_PER_DAY = 86_400_000_000_000
# The day number of a missing date: one day before the first `datetime64[ns]`. As the earliest end of an interval it
# means that nothing bounds it from below.
NO_DAY = np.int32(np.iinfo(np.int64).min // _NS_PER_DAY)
# Blocks of so many rows stay in the processor's cache between operations.
_BLOCK = 1 << 16


def blocks(n: int) -> Iterator[slice]:
    """
    Slices that cover so many rows, block by block.

    Examples
    --------
    >>> list(blocks(70_000))
    [slice(0, 65536, None), slice(65536, 131072, None)]
    """
    return (slice(begin, begin + _BLOCK) for begin in range(0, n, _BLOCK))


def encode(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """
    Each text as the rank of its word; `MISSING` where there is none.

    Parameters
    ----------
    texts : Series of text or of categories
        Categories are used as they are; text is hashed once, unless it is sorted already.

    Returns
    -------
    codes : ndarray of int, shape (n,)
    words : ndarray of object
        In alphabetical order.

    Examples
    --------
    >>> codes, words = encode(pd.Series(["b", None, "a", "b"]))
    >>> codes.tolist(), words.tolist()
    ([1, -1, 0, 1], ['a', 'b'])
    """
    if isinstance(texts.dtype, pd.CategoricalDtype):
        codes, words = texts.cat.codes.to_numpy(), texts.cat.categories
        if not words.is_monotonic_increasing:
            order = np.argsort(words.to_numpy(dtype=object))
            rank = np.empty(len(order) + 1, codes.dtype)
            rank[order], rank[MISSING] = np.arange(len(order)), MISSING
            codes, words = rank[codes], words[order]
        return codes, words.to_numpy(dtype=object)
    return _encode_text(np.ascontiguousarray(texts.to_numpy(dtype=object)))


def _encode_text(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Equal words are mostly the same object: memory addresses are compared and hashed much faster than strings, which
    # are compared only where the objects differ.
    address = np.ndarray(texts.shape, np.intp, buffer=texts)
    new = np.ones(len(texts), dtype=bool)
    np.not_equal(address[1:], address[:-1], out=new[1:])
    at = np.flatnonzero(new)
    # a column already in order, as person_id is in `observations`, needs no hashing; the first words mostly show it
    if pd.Index(texts[at[:1000]], dtype=object).is_monotonic_increasing:
        new[at[1:]] = texts[at[1:]] != texts[at[:-1]]
        words = pd.Index(texts[new], dtype=object)
        if not words.hasnans and words.is_monotonic_increasing and words.is_unique:
            return np.cumsum(new, dtype=np.int32) - np.int32(1), words.to_numpy()
    code, distinct = pd.factorize(address)
    example_row = np.empty(len(distinct), dtype=np.intp)
    example_row[code] = np.arange(len(code))
    rank, words = pd.factorize(texts[example_row])
    order = _alphabetical(words)
    code_of_rank = np.empty(len(words) + 1, np.min_scalar_type(-max(len(words), 1)))
    code_of_rank[order], code_of_rank[MISSING] = np.arange(len(words)), MISSING
    return code_of_rank[rank][code], words[order]


def _alphabetical(words: np.ndarray) -> np.ndarray:
    """The sort order of words; arrow sorts many times faster than Python compares strings."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.array_sort_indices(pa.array(words, type=pa.string())).to_numpy()


def encode_as(texts: pd.Series, words: Words) -> np.ndarray:
    """
    Each text as its position in a vocabulary; `MISSING` where it is missing or not in it.

    Examples
    --------
    >>> encode_as(pd.Series(["yes", None, "no"]), ["no", "yes"]).tolist()
    [1, -1, 0]
    """
    if isinstance(texts.dtype, pd.CategoricalDtype):
        positions = pd.Index(words).get_indexer(texts.cat.categories).astype(np.int16)
        return np.append(positions, np.int16(MISSING))[texts.cat.codes.to_numpy()]
    codes, distinct = encode(texts)
    return np.append(pd.Index(words).get_indexer(distinct), MISSING).astype(np.int16)[codes]


def decode(codes: np.ndarray, words: Words) -> np.ndarray:
    """
    The words of codes, as objects; None where missing.

    Examples
    --------
    >>> decode(np.array([1, -1]), ["no", "yes"]).tolist()
    ['yes', None]
    """
    words = np.asarray(words, dtype=object)
    if len(codes) and codes.min() >= 0:
        return words.take(codes)
    return np.append(words, None).take(codes, mode="wrap")  # type: ignore[call-overload]  # −1 is the last


def days(dates: pd.Series) -> np.ndarray:
    """
    Dates as days since 1970, `NO_DAY` where missing.

    Examples
    --------
    >>> days(pd.Series(pd.to_datetime(["1970-01-02", None]))).tolist() == [1, int(NO_DAY)]
    True
    """
    stamps = dates.to_numpy(dtype="datetime64[ns]").view(np.int64)
    numbers = np.empty(len(stamps), dtype=np.int32)
    for rows in blocks(len(stamps)):
        numbers[rows] = stamps[rows] // _NS_PER_DAY
    return numbers


def dates(numbers: np.ndarray) -> np.ndarray:
    """
    Day numbers as `datetime64[ns]`, NaT for `NO_DAY`.

    Examples
    --------
    >>> [str(day)[:10] for day in dates(np.array([1, NO_DAY], dtype=np.int32))]
    ['1970-01-02', 'NaT']
    """
    stamps = numbers.astype(np.int64)
    stamps *= _NS_PER_DAY
    np.putmask(stamps, numbers == NO_DAY, np.iinfo(np.int64).min)
    return stamps.view("datetime64[ns]")
