"""Independent pieces of array work side by side: numpy lets other threads run while it computes.

Each piece writes its own part, so results do not depend on how many threads there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")
ENOUGH = 200_000  # values: below that, starting threads costs more than they save
MOST = 4  # more wait for memory


def side_by_side(work: Callable[[Piece], Result], pieces: Iterable[Piece], size: int) -> list[Result]:
    """`work` of each piece, in order; in threads where the pieces hold `size` values, enough for it to pay."""
    count = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST)
    if size < ENOUGH or count == 1:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, pieces))
