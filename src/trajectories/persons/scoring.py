"""Pairs of identities → the probabilities that they are one person, relatives, or strangers.

DuckDB says on which level of each trait a pair stands (`compare`), whatever the model. The model then weighs the levels
under three hypotheses, rare names and countries more, and the odds beforehand are those of where the two files are: of
two organisations, of one, or of one household of one organisation. Last, the companions speak: whether other members of
the two households match too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from .comparisons import COMPANIONS, LIKENESSES, MACROS, TRAITS, Trait
from .model import Model

# Probabilities are compared with thresholds after rounding, so that the last bits of a sum decide nothing.
DECIMALS = 6
# Companions count as linked where the pair is this sure before any companion has spoken.
COMPANIONS_SURE = 0.99
# Linked companions multiply the odds of one person by 3,500, and those of relatives no more.
NEVER_SAME, NEVER_RELATIVES = 1e-6, 1e-2
# In a handful of files too a shared name proves nothing: the odds beforehand are those of at least so many.
FEWEST = 3_000
# Two files of one household of one organisation are of two members, or of one: never of strangers.
NO_STRANGERS = 30.0
# Members with whom a file shares its household, of an organisation that numbers households.
MEMBERS = 2.0
# Relatives whom one organisation gives two household numbers.
HOUSEHOLDS_APART = 0.05
_LINKED, _ALIKE, _UNKNOWN, _NOT_LINKED = range(4)
# What is told of a person alone, not of all the household; two members are alike from this weight on.
_OWN = ("name", "initials", "part_of_name", "birth", "birth_year", "sex")
ALIKE = 12.0


@dataclass(frozen=True)
class Weights:
    """
    What pairs are weighed by.

    Attributes
    ----------
    model : Model
        The weights of the levels.
    repeats : ndarray, shape (n_identities,)
        Expected number of other files that the organisation of each identity has of the same person.
    said : str
        Whether the weights were learnt from these deposits, or why not, as a sentence.
    learnt : bool
    """

    model: Model
    repeats: np.ndarray
    said: str = ""
    learnt: bool = False


def compare(connection: duckdb.DuckDBPyConnection, table: str) -> pd.DataFrame:
    """
    Each pair of a table (left, right) and the level it stands on of each trait (gamma_<trait>).

    Levels are numbered as in splink: the weakest is 0, −1 where one of the two does not state the trait.
    """
    connection.execute(MACROS)
    columns = [row[0] for row in connection.execute("DESCRIBE identities").fetchall() if row[0] != "identity"]
    sides = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in columns)
    likenesses = ", ".join(f"{sql} AS {name}" for name, sql in LIKENESSES.items())
    levels = ", ".join(f"{_level(trait)}::TINYINT AS gamma_{trait.name}" for trait in TRAITS)
    return connection.execute(
        f"SELECT first AS left, second AS right, {levels} FROM (SELECT *, {likenesses} FROM ("  # noqa: S608 (our own names)
        f"SELECT p.join_key_l AS first, p.join_key_r AS second, {sides} FROM {table} p "
        "JOIN identities l ON l.identity = p.join_key_l JOIN identities r ON r.identity = p.join_key_r))"
    ).df()


def _level(trait: Trait) -> str:
    top = len(trait.levels) - 1
    rungs = [f"WHEN {level.condition} THEN {top - i}" for i, level in enumerate(trait.levels) if level.condition]
    return f"CASE WHEN {trait.missing} THEN -1 {' '.join(rungs)} ELSE 0 END"


def no_pairs() -> pd.DataFrame:
    """What `compare` returns of none."""
    columns = {"left": "int64", "right": "int64", **{f"gamma_{t.name}": "int8" for t in TRAITS}}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def weigh(
    pairs: pd.DataFrame,
    identities: pd.DataFrame,
    weights: Weights,
    compare_more: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    """
    The pairs that may be one person or relatives, weighed, and those that their households suggest.

    Parameters
    ----------
    pairs : DataFrame
        What `compare` returns.
    identities : DataFrame
        `Identities.table`.
    weights : Weights
    compare_more : callable
        Compares pairs (join_key_l, join_key_r) that no rule had brought together.

    Returns
    -------
    DataFrame
        In order of (left, right): left, right, weight (log2, same person against strangers), relative_weight (log2,
        relatives against strangers), same, relative (probabilities, rounded to six decimals), companions (0 linked,
        1 alike, 2 unknown, 3 not linked), and gamma_<trait>.
    """
    pairs = _weighed(pairs, identities, weights)
    pairs = pairs[(pairs["same"] >= NEVER_SAME) | (pairs["relative"] >= NEVER_RELATIVES)]
    household = identities["household"].to_numpy()
    suggested = _suggested(pairs, household)
    if len(suggested):
        more = _weighed(compare_more(suggested), identities, weights)
        pairs = pd.concat([pairs, more], ignore_index=True)
    pairs = pairs.sort_values(["left", "right"], ignore_index=True)
    pairs["companions"] = _companions(pairs, household, weights.model)
    for column, hypothesis in (("weight", "same"), ("relative_weight", "relative")):
        pairs[column] += weights.model.weights(COMPANIONS, hypothesis)[pairs["companions"]]
    judged = _judged(pairs, identities, weights)
    return judged.round({name: DECIMALS for name in ("weight", "relative_weight", "same", "relative")})


def _weighed(pairs: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    model = weights.model
    found = pairs.assign(
        weight=level_weight(pairs, model, "same") + _rarity(pairs, identities, model),
        relative_weight=level_weight(pairs, model, "relative"),
    )
    return _judged(found, identities, weights)


def _judged(pairs: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    before = odds_before(pairs, identities, weights)
    same, relative = posterior(pairs["weight"].to_numpy() + before[0], pairs["relative_weight"].to_numpy() + before[1])
    return pairs.assign(same=same, relative=relative)


def level_weight(
    pairs: pd.DataFrame, model: Model, hypothesis: str, traits: Collection[str] | None = None
) -> np.ndarray:
    """log2 of how much likelier the levels of each pair (of some traits) are under a hypothesis than for strangers."""
    weight = np.zeros(len(pairs))
    for trait in (t for t in TRAITS if traits is None or t.name in traits):
        # levels are numbered from the weakest (0); −1, not stated, takes the last place: no evidence
        by_gamma = np.append(model.weights(trait, hypothesis)[::-1], 0.0)
        weight += by_gamma[pairs[f"gamma_{trait.name}"].to_numpy()]
    return weight


def _rarity(pairs: pd.DataFrame, identities: pd.DataFrame, model: Model) -> np.ndarray:
    """log2 of how much rarer the shared name or country of each pair is than one that two strangers usually share."""
    columns = {level.rare for trait in TRAITS for level in trait.levels if level.rare}
    codes, rarer = {}, {}
    for column in sorted(columns):
        code = codes[column] = pd.factorize(identities[column])[0]
        counts = np.bincount(code[code >= 0])
        # files of other persons with the same value: two of a person's own make no name common
        often = (counts - 1 - model.partners).clip(0) + 0.5
        rarer[column] = np.log2((counts * often).sum() / max(counts.sum(), 1) / often)
    found = np.zeros(len(pairs))
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    for trait in TRAITS:
        gamma = pairs[f"gamma_{trait.name}"].to_numpy()
        for number, level in enumerate(reversed(trait.levels)):
            if level.rare:
                code = codes[level.rare]
                shared = (gamma == number) & (code[left] == code[right]) & (code[left] >= 0)
                found[shared] += rarer[level.rare][code[left[shared]]]
    return found


def odds_before(pairs: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """log2 of the odds of one person and of relatives, against strangers, before anything is compared."""
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    organisation = pd.factorize(identities["organisation"])[0]
    household = identities["household"].to_numpy()
    n = len(identities)
    among = max(n, FEWEST)
    of_one = np.bincount(organisation, minlength=1)[organisation[left]] * among / max(n, 1)
    inside = organisation[left] == organisation[right]
    numbered = (household[left] >= 0) & (household[right] >= 0)
    together = inside & numbered & (household[left] == household[right])
    repeats = weights.repeats[left]
    relatives = np.where(numbered, HOUSEHOLDS_APART, weights.model.relatives)
    kinds = [together, inside]
    same = np.select(kinds, [NO_STRANGERS + np.log2(repeats / MEMBERS), np.log2(repeats / of_one)],
                     np.log2(weights.model.partners / among))  # fmt: skip
    relative = np.select(kinds, [np.full(len(left), NO_STRANGERS), np.log2(relatives / of_one)],
                         np.log2(weights.model.relatives / among))  # fmt: skip
    return same, relative


def posterior(same: np.ndarray, relative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of one person and of relatives, from the log2 odds against strangers (Bayes)."""
    top = np.maximum(np.maximum(same, relative), 0.0)
    total = np.exp2(same - top) + np.exp2(relative - top) + np.exp2(-top)
    return np.exp2(same - top) / total, np.exp2(relative - top) / total


# ── companions ────────────────────────────────────────────────────────────────────────────────────────────
def _sure(pairs: pd.DataFrame) -> np.ndarray:
    return pairs["same"].to_numpy().round(DECIMALS) >= COMPANIONS_SURE


def _suggested(pairs: pd.DataFrame, household: np.ndarray) -> pd.DataFrame:
    """The members of two households of which one pair is sure, wherever no rule has brought them together yet."""
    sure = pairs[_sure(pairs)]
    met = pd.DataFrame({"a": household[sure["left"]], "b": household[sure["right"]]})
    met = met[(met["a"] >= 0) & (met["b"] >= 0) & (met["a"] != met["b"])].drop_duplicates()
    members = pd.DataFrame({"household": household, "identity": np.arange(len(household))})
    found = met.merge(members, left_on="a", right_on="household").merge(members, left_on="b", right_on="household")
    ends = found[["identity_x", "identity_y"]].to_numpy()
    made = pd.DataFrame({"join_key_l": ends.min(axis=1), "join_key_r": ends.max(axis=1)}).drop_duplicates()
    known = pd.MultiIndex.from_frame(pairs[["left", "right"]])
    return made[~pd.MultiIndex.from_frame(made).isin(known)].sort_values(["join_key_l", "join_key_r"])


def _companions(pairs: pd.DataFrame, household: np.ndarray, model: Model) -> np.ndarray:
    """For each pair, whether another member of the one household matches another member of the other."""
    ends = pairs[["left", "right"]].to_numpy()
    # one household on one side, whichever end of the pair its member is
    left, right = np.take_along_axis(ends, household[ends].argsort(axis=1, kind="stable"), axis=1).T
    ours, theirs = household[left], household[right]
    both = (ours >= 0) & (theirs >= 0) & (ours != theirs)

    def others(flag: np.ndarray) -> np.ndarray:
        # flagged pairs between the two households, without those that share an end with this one
        return both & (_count(flag, ours, theirs) - _count(flag, left, theirs) - _count(flag, right, ours) + flag > 0)

    own, related = (level_weight(pairs, model, hypothesis, _OWN) for hypothesis in ("same", "relative"))
    linked = others(_sure(pairs) & both)
    alike = others((own >= ALIKE) & (own > related + 1) & both)
    size = np.bincount(household[household >= 0], minlength=1)
    several = both & (size[np.maximum(ours, 0)] > 1) & (size[np.maximum(theirs, 0)] > 1)
    return np.select([linked, alike, several], [_LINKED, _ALIKE, _NOT_LINKED], _UNKNOWN).astype(np.int8)


def _count(flag: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each row, how many flagged rows have the same (a, b)."""
    codes = pd.DataFrame({"a": a, "b": b}).groupby(["a", "b"], sort=False).ngroup().to_numpy()
    return np.bincount(codes, weights=flag, minlength=codes.max(initial=-1) + 1)[codes].astype(np.int64)
