"""Blocking: only pairs of identities that share a key of some rule are compared.

The number of all pairs grows with the square; a block holds the identities that share one key. Blocks are counted
before any pair is made: where the pairs would exceed the budget, the largest blocks (the commonest names, placeholder
dates) are left out, for another rule to catch. How many pairs are left out is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd

# Most pairs per identity; beyond 5 million pairs in all, fewer per identity, so that time grows linearly.
PAIRS_PER_IDENTITY, MANY_PAIRS, PAIRS_PER_IDENTITY_OF_MANY = 50, 5_000_000, 8
# Each rule allows for one kind of typing error: its key holds only what that error leaves the same.
RULES = {
    "name": "SELECT identity, name AS key FROM identities",
    "all_sounds": "SELECT identity, array_to_string(name_sounds, ' ') AS key FROM identities",
    "birth_and_country": "SELECT identity, birth || '|' || country AS key FROM identities",
    "birth_and_sound": "SELECT identity, birth || '|' || unnest(name_sounds) AS key FROM identities",
    "birth_and_letter": "SELECT identity, birth || '|' || given[1] AS key FROM identities",
    "exchanged_and_sound": (
        "SELECT identity, unnest(name_sounds) || '|' || least(birth, birth_swapped) AS key FROM identities "
        "WHERE birth_swapped IS NOT NULL"
    ),
    "year_and_letter": (
        "SELECT identity, birth_year || '|' || given[1] || '|' || unnest(family_sounds) AS key FROM identities"
    ),
    "year_and_given": (
        "SELECT identity, birth_year || '|' || unnest(given_sounds) || '|' || family[1] AS key FROM identities"
    ),
    "year_and_sounds": (
        "SELECT identity, birth_year || '|' || unnest(given_sounds) || '|' || country AS key FROM identities"
    ),
    "year_and_family": (
        "SELECT identity, birth_year || '|' || unnest(family_sounds) || '|' || country AS key FROM identities"
    ),
    "number_and_year": "SELECT identity, number || '|' || birth_year AS key FROM identities",
    "year_in_household": (
        "SELECT identity, household || '|' || birth_year AS key FROM identities WHERE household >= 0"
    ),
    "arrival_and_birth_year": "SELECT identity, arrival || '|' || country || '|' || birth_year AS key FROM identities",
    "arrival_and_sound": "SELECT identity, arrival || '|' || unnest(name_sounds) AS key FROM identities",
    "arrival_and_town": "SELECT identity, arrival || '|' || country || '|' || unnest(towns) AS key FROM identities",
}


@dataclass(frozen=True)
class Blocks:
    """Counts per rule (rule, blocks, pairs, pairs_left_out), and the size of the largest block that is compared."""

    counts: pd.DataFrame
    largest: int


def pair_budget(identities: int) -> int:
    """
    The most pairs that are compared.

    Examples
    --------
    >>> pair_budget(10_000), pair_budget(100_000), pair_budget(1_000_000)
    (500000, 5000000, 8000000)
    """
    return min(PAIRS_PER_IDENTITY * identities, max(MANY_PAIRS, PAIRS_PER_IDENTITY_OF_MANY * identities))


def keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the view `keys` (rule, identity, key) of the table `identities` on the connection."""
    every = " UNION ALL ".join(f"SELECT '{name}' AS rule, identity, key FROM ({rule})" for name, rule in RULES.items())  # noqa: S608
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW keys AS SELECT * FROM ({every}) WHERE key IS NOT NULL"  # noqa: S608 (our rules)
    )


def gather_blocks(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """
    Group the identities that share a key of `keys`; returns the number of blocks by rule and size.

    Creates the table `blocks` (rule, key, members as a list) on the connection, of blocks of at least two.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE blocks AS "
        "SELECT rule, key, list(DISTINCT identity ORDER BY identity) AS members "
        "FROM keys GROUP BY rule, key HAVING count(DISTINCT identity) > 1"
    )
    return connection.execute(
        "SELECT rule, len(members) AS size, count(*) AS blocks FROM blocks GROUP BY ALL ORDER BY ALL"
    ).df()


def within_budget(sizes: pd.DataFrame, budget: int) -> Blocks:
    """
    The counts per rule, with the largest block size for which all pairs fit the budget.

    Examples
    --------
    >>> within_budget(pd.DataFrame({"rule": "name", "size": [2, 3, 50], "blocks": [10, 4, 1]}), 100).largest
    3
    """
    sizes = sizes.assign(pairs=sizes["size"] * (sizes["size"] - 1) // 2 * sizes["blocks"])
    up_to = sizes.groupby("size")["pairs"].sum().cumsum()
    largest = int(up_to.index[up_to <= budget].max()) if (up_to <= budget).any() else 1
    fits = sizes["size"] <= largest
    counted = sizes.assign(pairs_left_out=sizes["pairs"].where(~fits, 0), pairs=sizes["pairs"].where(fits, 0))
    counts = counted.groupby("rule")[["blocks", "pairs", "pairs_left_out"]].sum().reset_index()
    return Blocks(counts, largest)


def count_blocks(connection: duckdb.DuckDBPyConnection, budget: int) -> Blocks:
    """The counts of pairs per rule, and the size of the largest block that fits the budget; makes no pair."""
    keys(connection)
    return within_budget(gather_blocks(connection), budget)


def block(connection: duckdb.DuckDBPyConnection, blocks: Blocks) -> int:
    """Make the pairs of the counted blocks (table `pairs`: join_key_l < join_key_r, each once); returns how many."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE pairs AS
        WITH members AS (SELECT rule, key, unnest(members) AS identity FROM blocks WHERE len(members) <= ?)
        SELECT DISTINCT l.identity AS join_key_l, r.identity AS join_key_r
        FROM members l JOIN members r ON l.rule = r.rule AND l.key = r.key AND l.identity < r.identity
        """,
        [blocks.largest],
    )
    return connection.execute("SELECT count(*) FROM pairs").fetchall()[0][0]
