"""The likelihood of each stay as a sum over cells: stretches of months in which its contacts say the same.

A failed contact at month a says « gone » (π₁) of exits in months up to ⌊a⌋, « still there » (π₀) of those after ⌈a⌉,
and in the month ⌈a⌉ itself, if a is no whole number, a mixture: there the cell is split in two, with weights γ and
1 − γ. So the probability of a cell is a coefficient (which no parameter touches) times powers of the four
probabilities of failure times the probability that an exit of these months was, or was not, heard of. Cells are few:
their number does not grow with the months. One sparse matrix, stays × kinds of cell, holds the coefficients; stays
with the same row are one pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.intervals.month_grid import UNKNOWN
from trajectories.survival.observation.ascertainment import FAILED, HINT, LEFT, PRESENT, Ascertained

# The probabilities of a failed contact: still there or gone, by whether the previous attempt failed.
STATES = ((0, 0), (0, 1), (1, 0), (1, 1))
N_STATES = len(STATES)
# Where some may never be reached, two more powers: of their share, and of one less it.
NEVER, NOT_NEVER = N_STATES, N_STATES + 1


@dataclass(frozen=True)
class Cells:
    """
    Kinds of cell, and the coefficients of each pattern of stays in them.

    A kind is an exit in the months `low` … `high`, told (or not) as row `told` says, or (`low` = 0) none up to month
    `high`; and a power of each probability of failure, row `powers` of `failures`.
    """

    told: Integers  # place of (by news?, month) in `telling`
    cause: Integers  # place of the cause, or the number of causes for any of them
    low: Integers
    high: Integers
    powers: Integers
    failures: Integers  # distinct powers × 4, or × 6 where some may never be reached
    telling: Integers  # distinct (by news?, month) × 2
    coefficients: sparse.csr_matrix  # patterns × kinds
    pattern: Integers  # of each stay; −1 where nothing that was said is possible
    survivor: NDArray[np.bool_]  # kinds that are no exit
    succeeded: Integers  # stays × 4 (5): attempts that reached somebody (and whether any did)

    @property
    def last_month(self) -> int:
        return int(self.high.max(initial=1))


def cells_of(known: Ascertained, by_month: bool = False, use_failures: bool = True, some_never: bool = False) -> Cells:
    """
    The cells of every stay.

    Parameters
    ----------
    known : Ascertained
        What was learnt.
    by_month : bool
        A cell a month, for what depends on the month itself (services); stays are then not merged.
    use_failures : bool
        Without it, what an attempt found counts and that it might have failed does not.
    some_never : bool
        A share of the stays may be out of reach of every contact, in the region or gone.
    """
    pieces = _stretches(known, by_month)
    pieces = _contact_factors(pieces, known)
    failed = known.contacts.where((known.contacts.kind == FAILED) & use_failures)
    out_of_reach = pieces
    pieces = _failure_powers(pieces, failed)
    succeeded = _succeeded(known, use_failures)
    if some_never:
        reached = succeeded.any(axis=1)
        tried = np.bincount(failed.stay, minlength=known.n) > 0
        pieces = _with_never(pieces, out_of_reach, tried & ~reached)
        succeeded = np.column_stack([succeeded, reached])
    return _assembled(pieces, known, succeeded, merge=not by_month)


def _stretches(known: Ascertained, by_month: bool) -> pd.DataFrame:
    """stay, low, high: months first … last cut where what the contacts say of an exit changes; and low = 0: no exit."""
    last = known.last
    if by_month:  # who left in the month that the cut-off is within was exposed to less than who stayed
        open_end = ~known.known & (last >= known.enter)
        last = np.where(open_end, np.maximum(last, np.ceil(known.cutoff).astype(np.int64)), last)
    stays = np.flatnonzero(known.first <= last)
    if by_month:
        length = (last - known.first + 1)[stays]
        stay = np.repeat(stays, length)
        low = known.first[stay] + np.arange(len(stay)) - np.repeat(np.cumsum(length) - length, length)
        high = low
    else:
        about = known.contacts
        cuts = [(stays, known.first[stays]), (stays, known.last[stays] + 1)]
        cuts += [(about.stay, np.floor(about.month).astype(np.int64) + 1),
                 (about.stay, np.ceil(about.month).astype(np.int64) + 1)]  # fmt: skip
        stay, at = (np.concatenate(parts) for parts in zip(*cuts, strict=True))
        inside = (known.first[stay] <= at) & (at <= known.last[stay] + 1)
        width = int(known.last.max(initial=1)) + 2
        stay, at = np.divmod(np.unique(stay[inside] * width + at[inside]), width)
        same = stay[1:] == stay[:-1]
        stay, low, high = stay[:-1][same], at[:-1][same], at[1:][same] - 1
    # somebody not known to have left may also be there still, if there are months at risk to be there in
    open_ = np.flatnonzero(~known.known & (known.last >= known.enter))
    return pd.DataFrame({
        "stay": np.concatenate([stay, open_]), "low": np.concatenate([low, np.zeros(len(open_), np.int64)]),
        "high": np.concatenate([high, last[open_]]), "coefficient": 1.0,
    })  # fmt: skip


def _pairs(pieces: pd.DataFrame, of_stay: Integers) -> tuple[Integers, Integers]:
    """Every piece with every contact of its stay, as positions (contacts are in order of stay)."""
    stay = pieces["stay"].to_numpy()
    begin, end = (np.searchsorted(of_stay, stay, "left"), np.searchsorted(of_stay, stay, "right"))
    length = end - begin
    piece = np.repeat(np.arange(len(pieces)), length)
    contact = np.arange(len(piece)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(begin, length)
    return piece, contact


def _gone_share(low: Integers, month: Floats) -> Floats:
    """γ: the share of the exits of a month that come before a contact (constant over a stretch); 0 for no exit."""
    return np.where(low == 0, 0.0, np.clip(month - low + 1, 0.0, 1.0))


def _contact_factors(pieces: pd.DataFrame, known: Ascertained) -> pd.DataFrame:
    """Presences leave 1 − γ of a month, a contact that finds somebody gone γ, a hint 1 − γ and its odds times γ."""
    spoke = known.contacts.where(np.isin(known.contacts.kind, (PRESENT, LEFT, HINT)))
    piece, contact = _pairs(pieces, spoke.stay)
    gone = _gone_share(pieces["low"].to_numpy()[piece], spoke.month[contact])
    share = np.where(spoke.kind[contact] == LEFT, gone, 1.0 - gone)
    share += np.where(spoke.kind[contact] == HINT, spoke.odds[contact] * gone, 0.0)
    coefficient = np.ones(len(pieces))
    np.multiply.at(coefficient, piece, share)
    pieces = pieces.assign(coefficient=coefficient)
    return pieces[coefficient > 0].reset_index(drop=True)


def _failure_powers(pieces: pd.DataFrame, failed) -> pd.DataFrame:
    """The powers of the probabilities of failure in each piece; split where a failure falls within a month of exit."""
    piece, contact = _pairs(pieces, failed.stay)
    gone = _gone_share(pieces["low"].to_numpy()[piece], failed.month[contact])
    state = failed.failed_before[contact].astype(np.int64)
    counts = np.zeros((len(pieces), N_STATES), dtype=np.int64)
    whole = (gone == 0) | (gone == 1)
    np.add.at(counts, (piece[whole], (2 * gone[whole] + state[whole]).astype(np.int64)), 1)
    names = [f"power_{s}" for s in range(N_STATES)]
    pieces = pieces.assign(**dict(zip(names, counts.T, strict=True)), piece=np.arange(len(pieces)))
    part, share, state = piece[~whole], gone[~whole], state[~whole]
    rank = pd.Series(part).groupby(part).cumcount().to_numpy()
    for k in range(int(rank.max(initial=-1)) + 1):
        chosen = rank == k
        split = pd.DataFrame({"piece": part[chosen], "share": share[chosen], "state": state[chosen]})
        joined = pieces.merge(split, on="piece", how="left")
        touched = joined["share"].notna().to_numpy()
        halves = [joined[~touched]]
        for gone_by_then in (1, 0):
            half = joined[touched].copy()
            weight = half["share"] if gone_by_then else 1.0 - half["share"]
            half["coefficient"] *= weight
            for s in (0, 1):
                half[names[2 * gone_by_then + s]] += half["state"].eq(s).astype(np.int64)
            halves.append(half)
        pieces = pd.concat(halves, ignore_index=True).drop(columns=["share", "state"])
        if k:  # several failures in one month: the same powers come about in several ways
            keys = ["piece", "stay", "low", "high", *names]
            pieces = pieces.groupby(keys, as_index=False, sort=False)["coefficient"].sum()
    return pieces


def _with_never(pieces: pd.DataFrame, without: pd.DataFrame, nobody: NDArray[np.bool_]) -> pd.DataFrame:
    """
    Stays that no attempt reached may be of those whom none ever does: then the failures say nothing.

    The contact factor is κ + (1 − κ) Π π where all attempts failed, and 1 − κ times the rest where one did not.
    """
    mine = nobody[pieces["stay"].to_numpy()]
    pieces = pieces.assign(**{f"power_{NEVER}": 0, f"power_{NOT_NEVER}": mine.astype(np.int64)})
    never = without[nobody[without["stay"].to_numpy()]].assign(**{f"power_{s}": 0 for s in range(NOT_NEVER + 1)})
    return pd.concat([pieces, never.assign(**{f"power_{NEVER}": 1})], ignore_index=True)


def _succeeded(known: Ascertained, use_failures: bool) -> Integers:
    """Attempts that reached somebody, of organisations that write their failures: stays × 4."""
    about = known.contacts
    reached = np.isin(about.kind, (PRESENT, LEFT)) & about.may_fail & use_failures
    state = 2 * (about.kind == LEFT) + about.failed_before
    found = np.bincount(about.stay[reached] * N_STATES + state[reached].astype(np.int64), minlength=known.n * N_STATES)
    return found.reshape(known.n, N_STATES)


def _assembled(pieces: pd.DataFrame, known: Ascertained, succeeded: Integers, merge: bool) -> Cells:
    names = sorted(name for name in pieces.columns if name.startswith("power_"))
    stay = pieces["stay"].to_numpy()
    survivor = pieces["low"].to_numpy() == 0
    powers, power = _distinct(*(pieces[name].to_numpy() for name in names))
    by_news = known.by_news[stay] & ~survivor
    month = np.where(survivor, 0, np.where(by_news, known.news_month[stay], known.quiet[stay]))
    telling, told = _distinct(by_news, month)
    cause = np.where(known.cause == UNKNOWN, len(known.names) if len(known.names) > 1 else 0, known.cause)[stay]
    cause[survivor] = 0
    kinds, kind = _distinct(told, cause, pieces["low"].to_numpy(), pieces["high"].to_numpy(), power)
    matrix = sparse.csr_matrix((pieces["coefficient"], (stay, kind)), shape=(known.n, len(kinds)))
    matrix.sort_indices()
    possible = np.diff(matrix.indptr) > 0
    pattern = np.full(known.n, -1)
    matrix = matrix[possible]
    chosen, pattern[possible] = _patterns(matrix) if merge else (np.arange(matrix.shape[0]),) * 2
    columns = kinds.T
    return Cells(
        columns[0], columns[1], columns[2], columns[3], columns[4], powers, telling, matrix[chosen].tocsr(), pattern,
        columns[2] == 0, succeeded,
    )  # fmt: skip


def _distinct(*columns: NDArray) -> tuple[Integers, Integers]:
    """The distinct rows of some columns of small whole numbers from 0 up, and the place of each row among them."""
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    key = np.zeros(len(columns[0]), np.int64)
    for column, size in zip(columns, sizes, strict=True):
        key = key * size + column
    rest, place = np.unique(key, return_inverse=True)
    found = []
    for size in reversed(sizes):
        rest, value = np.divmod(rest, size)
        found.append(value)
    return np.column_stack(found[::-1]).reshape(-1, len(columns)), place


def _patterns(matrix: sparse.csr_matrix) -> tuple[Integers, Integers]:
    """The first stay of each distinct row, and the pattern of each stay."""
    if not matrix.shape[0]:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    value = pd.util.hash_array(matrix.data)
    place = pd.util.hash_array(matrix.indices.astype(np.int64))
    mixed = pd.util.hash_array(value ^ (place * np.uint64(0x9E3779B97F4A7C15)))
    codes, _ = pd.factorize(np.add.reduceat(mixed, matrix.indptr[:-1]))
    first = np.zeros(int(codes.max()) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    if (matrix[first[codes]] != matrix).nnz:  # two rows of one hash: they are so unlikely that merging is given up
        return np.arange(len(codes)), np.arange(len(codes))
    return first, codes
