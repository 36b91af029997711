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
    "birth_and_country": "SELECT identity, birth || '|' || country AS key FROM identities",
    "birth_and_sound": "SELECT identity, birth || '|' || unnest(given_sounds) AS key FROM identities",
    "exchanged_and_sound": (
        "SELECT identity, unnest(given_sounds) || '|' || least(birth, birth_swapped) AS key FROM identities "
        "WHERE birth_swapped IS NOT NULL"
    ),
    "arrival_and_birth_year": "SELECT identity, arrival || '|' || country || '|' || birth_year AS key FROM identities",
    "arrival_and_sound": (
        "SELECT identity, arrival || '|' || unnest(list_concat(given_sounds, family_sounds)) AS key FROM identities"
    ),
    "arrival_and_town": "SELECT identity, arrival || '|' || country || '|' || unnest(towns) AS key FROM identities",
    "sounds_and_birth_year": (
        "SELECT identity, birth_year || '|' || unnest(given_sounds) || '|' || family_sounds[1] AS key FROM identities"
    ),
    "sounds_and_birth_year_last": (
        "SELECT identity, birth_year || '|' || unnest(given_sounds) || '|' || family_sounds[-1] AS key FROM identities"
    ),
    "all_sounds": (
        "SELECT identity, array_to_string(list_sort(list_concat(given_sounds, family_sounds)), ' ') || '|' || country "
        "AS key FROM identities WHERE name IS NOT NULL"
    ),
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


def count_blocks(connection: duckdb.DuckDBPyConnection, budget: int) -> Blocks:
    """
    Count the pairs of each rule, and the size of the largest block that fits the budget; makes no pair.

    Leaves the table `blocks` (rule, key, identities as a list) on the connection, of blocks of at least two.
    """
    keys = " UNION ALL ".join(f"SELECT '{name}' AS rule, identity, key FROM ({rule})" for name, rule in RULES.items())  # noqa: S608
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE blocks AS "  # noqa: S608 (the rules are constants of this module)
        "SELECT rule, key, list(DISTINCT identity ORDER BY identity) AS members "
        f"FROM ({keys}) WHERE key IS NOT NULL GROUP BY rule, key HAVING count(DISTINCT identity) > 1"
    )
    sizes = connection.execute(
        "SELECT len(members) AS size, count(*) AS blocks FROM blocks GROUP BY size ORDER BY size"
    ).df()
    pairs = (sizes["size"] * (sizes["size"] - 1) // 2 * sizes["blocks"]).cumsum()
    fitting = sizes.loc[pairs <= budget, "size"]
    largest = int(fitting.max()) if len(fitting) else 1
    counts = (
        connection.execute(
            "SELECT rule, count(*) AS blocks, sum(n) FILTER (size <= ?) AS pairs, "
            "sum(n) FILTER (size > ?) AS pairs_left_out FROM "
            "(SELECT rule, len(members) AS size, len(members) * (len(members) - 1) // 2 AS n FROM blocks) "
            "GROUP BY rule ORDER BY rule",
            [largest, largest],
        )
        .df()
        .fillna(0)
    )
    return Blocks(counts, largest)


def block(connection: duckdb.DuckDBPyConnection, blocks: Blocks) -> int:
    """Make the pairs of the counted blocks (table `pairs`: join_key_l < join_key_r, each once); returns how many."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE pairs AS
        WITH members AS (SELECT rule, key, unnest(members) AS identity FROM blocks WHERE len(members) <= ?)
        SELECT DISTINCT l.identity AS join_key_l, r.identity AS join_key_r, '0' AS match_key
        FROM members l JOIN members r ON l.rule = r.rule AND l.key = r.key AND l.identity < r.identity
        """,
        [blocks.largest],
    )
    return connection.execute("SELECT count(*) FROM pairs").fetchall()[0][0]
