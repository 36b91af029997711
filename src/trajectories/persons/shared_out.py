"""The pairs of a large linkage, made and compared by a team: blocks as tasks, one budget for all.

Identities are cut into ranges. Each range gives its blocking keys, dealt into bins by the hash of the key, so that a
bin holds its blocks whole whatever range their members are in; each bin counts its blocks, the budget is that of all,
and each bin gives its pairs, dealt by the two ranges that their ends are in. Two ranges are then all that is read to
compare the pairs between them. Names and dates pass through the storage; what comes back is the levels of each pair,
from which the weights are learnt and who is who is found.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from ..storage import Storage
from ..team import Team, parts_of
from .blocking import Blocks, block, gather_blocks, keys, within_budget
from .engine import connected
from .identities import Identities
from .scoring import compare, no_pairs

# Identities of a range: two of them are read for each task that compares pairs, and there is one for each two ranges.
OF_A_RANGE = 250_000
FEWEST_RANGES = 2
# Rows of keys that a bin is made for (an identity has about ten).
OF_A_BIN = 2_500_000
Cell = tuple[int, int]


@dataclass(frozen=True)
class _Shared:
    """What all tasks of a linkage are given: a folder, identities in all and of a range, and bins."""

    storage: Storage
    n: int
    width: int
    bins: int


def compared_by(team: Team, found: Identities, budget: int) -> tuple[Blocks, pd.DataFrame]:
    """
    The blocks, and what `compare` returns of their pairs.

    Parameters
    ----------
    team : Team
    found : Identities
    budget : int
        Of pairs, of all rules and bins together.
    """
    with team.folder() as storage:
        n = len(found.table)
        width = max(1, math.ceil(n / max(FEWEST_RANGES, math.ceil(n / OF_A_RANGE))))
        shared = _Shared(storage, n, width, parts_of(10 * n, OF_A_BIN))
        ranges = range(math.ceil(n / width))
        for number in ranges:
            storage.save(f"identities-{number}", found.lists.slice(number * width, width))
        of_bin = _gathered(team.each(functools.partial(_keys, shared), ranges))
        counted = list(team.each(functools.partial(_sizes, shared), of_bin.values()))
        sizes = pd.concat(counted) if counted else pd.DataFrame(columns=["rule", "size", "blocks"], dtype="int64")
        blocks = within_budget(sizes.groupby(["rule", "size"], as_index=False)["blocks"].sum(), budget)
        made = team.each(functools.partial(_pairs, shared, blocks), of_bin, of_bin.values())
        of_cell = _gathered(made)
        names = list(team.each(functools.partial(_compare, shared), of_cell, of_cell.values()))
        return blocks, storage.load(names).to_pandas() if names else no_pairs()


def _gathered(dealt: Iterable[dict]) -> dict:
    """To whom → the names of what was dealt to them, in order."""
    found: dict = {}
    for names in dealt:
        for to, name in names.items():
            found.setdefault(to, []).append(name)
    return dict(sorted(found.items()))


def _dealt(shared: _Shared, name: str, pairs: pd.DataFrame) -> dict[Cell, str]:
    """Pairs, written for each two ranges that their ends are in."""
    left, right = (pairs[end].to_numpy() // shared.width for end in ("join_key_l", "join_key_r"))
    found = {}
    for (i, j), rows in pairs.groupby([left, right]):
        found[int(i), int(j)] = shared.storage.save(f"{name}-{i}-{j}", rows)
    return found


# ── the tasks ─────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def _alone() -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine on one core, that spills where this process keeps what is for a moment."""
    with tempfile.TemporaryDirectory() as folder, connected(Path(folder), threads=1) as connection:
        yield connection


def _keys(shared: _Shared, number: int) -> dict[int, str]:
    """The blocking keys of one range of identities, dealt into bins."""
    with _alone() as connection:
        connection.register("identities", shared.storage.load([f"identities-{number}"]))
        keys(connection)
        found = connection.execute(f"SELECT *, hash(rule, key) % {shared.bins} AS bin FROM keys").df()  # noqa: S608
    return {
        int(to): shared.storage.save(f"keys-{number}-{to}", rows.drop(columns="bin"))
        for to, rows in found.groupby("bin")
    }


def _sizes(shared: _Shared, names: list[str]) -> pd.DataFrame:
    """How many blocks one bin has, of each rule and size."""
    with _alone() as connection:
        connection.register("keys", shared.storage.load(names))
        return gather_blocks(connection)


def _pairs(shared: _Shared, blocks: Blocks, number: int, names: list[str]) -> dict[Cell, str]:
    """The pairs of one bin, dealt by the ranges of their ends."""
    with _alone() as connection:
        connection.register("keys", shared.storage.load(names))
        gather_blocks(connection)
        block(connection, blocks)
        return _dealt(shared, f"pairs-{number}", connection.execute("SELECT * FROM pairs").df())


def _compare(shared: _Shared, cell: Cell, names: list[str]) -> str:
    """The pairs between two ranges, each once, compared."""
    storage = shared.storage
    with _alone() as connection:
        connection.register("identities", storage.load([f"identities-{number}" for number in sorted(set(cell))]))
        connection.register("dealt", storage.load(names))
        connection.execute("CREATE TEMP TABLE pairs AS SELECT DISTINCT * FROM dealt")
        return storage.save(f"compared-{cell[0]}-{cell[1]}", compare(connection, "pairs"))
