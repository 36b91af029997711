"""Pairs of identities → the probabilities that they are one person, relatives, or strangers.

splink compares each pair and weighs it (one person against strangers, with term frequencies); the weight of being
relatives is added from the levels that splink found. Then the companions speak: whether other members of the two
households match too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd

from ..exceptions import LinkageError
from .comparisons import COMPANIONS, MACROS, TRAITS
from .model import Model

if TYPE_CHECKING:
    import pyarrow as pa

# Probabilities are compared with thresholds after rounding, so that the last bits of a sum decide nothing.
DECIMALS = 6
# Companions count as linked where the pair is this sure before any companion has spoken.
COMPANIONS_SURE = 0.99
# Linked companions multiply the odds of one person by 3,500, and those of relatives no more.
NEVER_SAME, NEVER_RELATIVES = 1e-6, 1e-2
# In a handful of files too a shared name proves nothing: the odds beforehand are those of at least so many.
FEWEST = 10_000
# Pairs that splink is given at a time: what it holds of each pair is wide.
CHUNK = 1_000_000
# The columns whose rare values say more.
FREQUENCIES = {trait.frequency_of: trait for trait in TRAITS if trait.frequency_of}
_LINKED, _UNKNOWN, _NOT_LINKED = range(3)


def score(connection: duckdb.DuckDBPyConnection, model: Model, identities: pd.DataFrame) -> pd.DataFrame:
    """
    Weigh every pair of the table `pairs`, and those that their households suggest.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With the tables `identities` and `pairs` (blocking.py).
    model : Model
        The weights.
    identities : DataFrame
        `Identities.table`: the household of each identity is read.

    Returns
    -------
    DataFrame
        In order of (left, right): left, right, weight (log2, same person against strangers), relative_weight (log2,
        relatives against strangers), same, relative (probabilities, rounded to six decimals), companions (0 linked,
        1 unknown, 2 not linked), and gamma_<trait> (splink's level, −1 where the trait is not stated).
    """
    household = identities["household"].to_numpy()
    pairs = compare(connection, model, "pairs", lambda found: worth_keeping(found, model, len(household)))

    def compare_more(suggested: pd.DataFrame) -> pd.DataFrame:
        connection.register("suggested", suggested)
        found = compare(connection, model, "suggested")
        connection.unregister("suggested")
        return found

    return with_companions(pairs, household, model, compare_more)


def with_companions(
    pairs: pd.DataFrame, household: np.ndarray, model: Model, compare_more: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """What `score` returns, from the pairs worth keeping; `compare_more` weighs those that their households suggest."""
    more = _suggested(pairs, household, model)
    if len(more):
        pairs = pd.concat([pairs, compare_more(more.assign(match_key="0"))], ignore_index=True)
    pairs = pairs.sort_values(["left", "right"], ignore_index=True)
    pairs["companions"] = _companions(pairs, household, model)
    return _judged(pairs, model, len(household))


def compare(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    table: str,
    keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda found: found,
    frequencies: Mapping[str, pa.Table] | None = None,
) -> pd.DataFrame:
    """
    The levels (gamma_<trait>) and the weight of each pair of a table, by splink; `keep` takes some of each chunk.

    `frequencies` are those of everybody (`frequencies_of`), where the table `identities` holds some only.
    """
    from splink import DuckDBAPI, Linker
    from splink.internals.exceptions import SplinkException

    logging.getLogger("splink").setLevel(logging.ERROR)
    connection.execute(MACROS)
    api = DuckDBAPI(connection)
    linker = Linker(
        api.register("identities"), model.splink_settings(), log_level=logging.ERROR, validate_settings=False
    )
    for column, table_of in (frequencies or frequencies_of(connection, model)).items():
        connection.register(f"frequencies_{column}", table_of)
        linker.table_management.register_term_frequency_lookup(api.register(f"frequencies_{column}"), column)
    gammas = ", ".join(f"gamma_{trait.name}::TINYINT AS gamma_{trait.name}" for trait in TRAITS)
    total = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608 (our own name)
    found = []
    for start in range(0, total, CHUNK):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE chunk AS SELECT * FROM {table} LIMIT {CHUNK} OFFSET {start}"  # noqa: S608
        )
        linker.table_management.register_blocked_pairs_for_predict(api.register("chunk"))
        try:
            scored = linker.inference.predict(warning_mode="never")
        except SplinkException as error:
            raise LinkageError(type(error.__cause__ or error).__name__) from None
        chunk = connection.execute(
            f"SELECT identity_l AS left, identity_r AS right, match_weight AS weight, {gammas} "  # noqa: S608
            f"FROM {scored.physical_name}"
        ).df()
        found.append(keep(chunk))
        scored.drop_table_from_database_and_remove_from_cache()
    return pd.concat(found, ignore_index=True) if found else no_pairs()


def frequencies_of(connection: duckdb.DuckDBPyConnection, model: Model) -> dict[str, pa.Table]:
    """
    How common each value is, by column of the traits where a rare value says more.

    Shares are drawn towards the model's: among few identities, sharing a name would make it a common name.
    """
    found = {}
    for column, trait in FREQUENCIES.items():
        usual = float(model.of(trait)["u"].iloc[0])
        found[column] = connection.sql(
            f"SELECT {column}, count(*) / (sum(count(*)) OVER () + {1 / usual!r}) AS tf_{column} "  # noqa: S608
            f"FROM identities WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY {column}"
        ).to_arrow_table()
    return found


def worth_keeping(pairs: pd.DataFrame, model: Model, n: int) -> pd.DataFrame:
    """Without the pairs that no companion could make one person, nor surely relatives: most of a large linkage."""
    same, relative = posterior(pairs["weight"].to_numpy(), level_weight(pairs, model, "relative"), model, n)
    return pairs[(same >= NEVER_SAME) | (relative >= NEVER_RELATIVES)]


def no_pairs() -> pd.DataFrame:
    """What `compare` returns of none."""
    columns = {"left": "int64", "right": "int64", "weight": "float64", **{f"gamma_{t.name}": "int8" for t in TRAITS}}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def level_weight(pairs: pd.DataFrame, model: Model, hypothesis: str) -> np.ndarray:
    """log2 of how much likelier the levels of each pair are under a hypothesis than for strangers."""
    weight = np.zeros(len(pairs))
    for trait in TRAITS:
        # splink numbers the levels from the weakest (0); −1, not stated, takes the last place: no evidence
        by_gamma = np.append(model.weights(trait, hypothesis)[::-1], 0.0)
        weight += by_gamma[pairs[f"gamma_{trait.name}"].to_numpy()]
    return weight


def posterior(weight: np.ndarray, relative_weight: np.ndarray, model: Model, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of being one person and of being relatives (Bayes over the three hypotheses)."""
    among = max(n, FEWEST)
    same = weight + np.log2(model.partners / among)
    relative = relative_weight + np.log2(model.relatives / among)
    top = np.maximum(np.maximum(same, relative), 0.0)
    total = np.exp2(same - top) + np.exp2(relative - top) + np.exp2(-top)
    return np.exp2(same - top) / total, np.exp2(relative - top) / total


def _judged(pairs: pd.DataFrame, model: Model, n: int) -> pd.DataFrame:
    companions = pairs["companions"].to_numpy()
    weight = pairs["weight"].to_numpy() + model.weights(COMPANIONS, "same")[companions]
    relative_weight = level_weight(pairs, model, "relative") + model.weights(COMPANIONS, "relative")[companions]
    same, relative = posterior(weight, relative_weight, model, n)
    return pairs.assign(
        weight=weight.round(DECIMALS), relative_weight=relative_weight.round(DECIMALS),
        same=same.round(DECIMALS), relative=relative.round(DECIMALS),
    )  # fmt: skip


# ── companions ────────────────────────────────────────────────────────────────────────────────────────────
def _sure(pairs: pd.DataFrame, model: Model, n: int) -> np.ndarray:
    same, _ = posterior(pairs["weight"].to_numpy(), level_weight(pairs, model, "relative"), model, n)
    return same.round(DECIMALS) >= COMPANIONS_SURE


def _suggested(pairs: pd.DataFrame, household: np.ndarray, model: Model) -> pd.DataFrame:
    """The members of two households of which one pair is sure, wherever no rule has brought them together yet."""
    sure = pairs[_sure(pairs, model, len(household))]
    met = pd.DataFrame({"a": household[sure["left"]], "b": household[sure["right"]]})
    met = met[(met["a"] >= 0) & (met["b"] >= 0) & (met["a"] != met["b"])].drop_duplicates()
    members = pd.DataFrame({"household": household, "identity": np.arange(len(household))})
    found = met.merge(members, left_on="a", right_on="household").merge(members, left_on="b", right_on="household")
    ends = found[["identity_x", "identity_y"]].to_numpy()
    made = pd.DataFrame({"join_key_l": ends.min(axis=1), "join_key_r": ends.max(axis=1)}).drop_duplicates()
    known = pd.MultiIndex.from_frame(pairs[["left", "right"]])
    return made[~pd.MultiIndex.from_frame(made).isin(known)].sort_values(["join_key_l", "join_key_r"])


def _companions(pairs: pd.DataFrame, household: np.ndarray, model: Model) -> np.ndarray:
    """For each pair, whether another member of the one household surely matches another member of the other."""
    ends = pairs[["left", "right"]].to_numpy()
    # one household on one side, whichever end of the pair its member is
    left, right = np.take_along_axis(ends, household[ends].argsort(axis=1, kind="stable"), axis=1).T
    ours, theirs = household[left], household[right]
    both = (ours >= 0) & (theirs >= 0) & (ours != theirs)
    sure = _sure(pairs, model, len(household)) & both
    # sure pairs between the two households, without those that share an end with this one
    between = _count(sure, ours, theirs)
    of_left = _count(sure, left, theirs)
    of_right = _count(sure, right, ours)
    linked = both & (between - of_left - of_right + sure > 0)
    size = np.bincount(household[household >= 0], minlength=1)
    several = both & (size[np.maximum(ours, 0)] > 1) & (size[np.maximum(theirs, 0)] > 1)
    return np.select([linked, several], [_LINKED, _NOT_LINKED], _UNKNOWN).astype(np.int8)


def _count(flag: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each row, how many flagged rows have the same (a, b)."""
    codes = pd.DataFrame({"a": a, "b": b}).groupby(["a", "b"], sort=False).ngroup().to_numpy()
    return np.bincount(codes, weights=flag, minlength=codes.max(initial=-1) + 1)[codes].astype(np.int64)
