"""Which pairs of identities are worth comparing: those that share a key of some rule.

Comparing everybody with everybody grows with the square; a block is what shares one key. Blocks are counted before
any pair is made: where the pairs would be more than the budget, the largest blocks (the commonest names, the dates
typed for want of better) are left out, for another rule to catch. What was left out is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd

# Pairs that are counted for each identity, at most; beyond 5 million in all, fewer, so that time grows as the deposits.
PAIRS_PER_IDENTITY, MANY_PAIRS, PAIRS_PER_IDENTITY_OF_MANY = 50, 5_000_000, 8
# Each rule stands for one way of being mistyped: what it needs is what is then still the same.
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
    """What the rules would compare: one row a rule (rule, blocks, pairs, pairs_left_out), and the largest block."""

    counts: pd.DataFrame
    largest: int


def pair_budget(identities: int) -> int:
    """
    How many pairs may be counted.

    Examples
    --------
    >>> pair_budget(10_000), pair_budget(100_000), pair_budget(1_000_000)
    (500000, 5000000, 8000000)
    """
    return min(PAIRS_PER_IDENTITY * identities, max(MANY_PAIRS, PAIRS_PER_IDENTITY_OF_MANY * identities))


def keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave the view `keys` (rule, identity, key) of the table `identities` on the connection."""
    every = " UNION ALL ".join(f"SELECT '{name}' AS rule, identity, key FROM ({rule})" for name, rule in RULES.items())  # noqa: S608
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW keys AS SELECT * FROM ({every}) WHERE key IS NOT NULL"  # noqa: S608 (our rules)
    )


def gather_blocks(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """
    Gather the identities that share a key of `keys`, and say how many blocks there are of each rule and size.

    Leaves the table `blocks` (rule, key, members as a list) on the connection, of blocks of at least two.
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
    The largest size of block with which all pairs fit the budget.

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
    """Count the pairs of each rule, and the size of the largest block that fits the budget; makes no pair."""
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
