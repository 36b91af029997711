"""What each agreement says, learnt from the deposits at hand, without labels.

Every build learns, starting from the shipped model (or the study's): partners' ways of typing differ, and what a
shared initial or a year of birth proves depends on them. Nobody labels anything. Strangers are pairs drawn at random
(`u`); relatives are the members of one household in one organisation, whom its own numbers tell apart (`relative`); the
same persons are found by expectation-maximisation among the pairs compared (`m`), which also says how many files each
organisation has of one person: one, where it keeps a number for each, several, where numbers are new each year.

A level that is never seen keeps what the model in use says of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from .comparisons import COMPANIONS, TRAITS, Trait
from .model import Model
from .scoring import Weights, level_weight, odds_before, posterior

# Pairs drawn for the strangers, and the seed of the draw; files whose household is looked at, at most.
RANDOM_PAIRS, SEED, MOST_MEMBERS = 100_000, 1, 100_000
# What the model in use says of a level counts as so many pairs on it: one that is seldom seen keeps its probability.
PRIOR_PAIRS = 3
# … and of the number of files of a person, as so many files.
PRIOR_PARTNERS = 200
# Pairs of the same person that must be found to learn from.
FEWEST_FOUND = 100
ITERATIONS, TOLERANCE = 200, 1e-4
# Files that an organisation has of one person beyond the first, until its deposits say otherwise, and how much that
# counts: so many files.
REPEATS_NUMBERED, REPEATS_UNNUMBERED, PRIOR_FILES = 0.02, 0.5, 20
# What members of a household share, and their organisation types once: read from pairs of two organisations.
_SHARED = ("country", "country_of_namesakes", "arrival", "category", "size", "places", "postal_code", "file_number")
_COLUMNS = ["m", "relative", "u"]


def learn(
    pairs: pd.DataFrame, identities: pd.DataFrame, start: Model, compare_more: Callable[[pd.DataFrame], pd.DataFrame]
) -> Weights:
    """
    The weights learnt from compared pairs.

    Parameters
    ----------
    pairs : DataFrame
        What `compare` returns of the blocked pairs.
    identities : DataFrame
        `Identities.table`.
    start : Model
        Where EM begins, and what rare levels keep. What companions say is kept from it as well.
    compare_more : callable
        Compares pairs (join_key_l, join_key_r) that no rule had brought together.

    Returns
    -------
    Weights
        Those of `start` where there is too little to learn from, or where EM does not converge; `said` tells.
    """
    drawn = {"blocked": pairs, "random": compare_more(_drawn(len(identities))),
             "members": compare_more(_of_one_household(identities["household"].to_numpy()))}  # fmt: skip
    patterns = {name: _patterns(found, identities) for name, found in drawn.items()}
    weights = usual = Weights(start, _repeats(identities, np.zeros(len(identities))))
    moved, found = np.inf, 0.0
    for _ in range(ITERATIONS):
        after, found = _round(weights, patterns, identities, start)
        moved = np.abs(after.model.levels[_COLUMNS] - weights.model.levels[_COLUMNS]).to_numpy().max(initial=0)
        weights = after
        if moved < TOLERANCE:
            break
    if found < FEWEST_FOUND:
        why = f"too few pairs of files of one person were found to learn from: {found:.0f} of {FEWEST_FOUND}"
    elif moved >= TOLERANCE:
        why = f"those learnt from these deposits did not settle in {ITERATIONS} rounds"
    else:
        said = f"Who is who: weights learnt from these deposits ({found:.0f} pairs of files of one person)."
        return replace(weights, said=said, learnt=True)
    return replace(usual, said=f"Who is who: the weights of model {start.version}, since {why}.")


def _round(
    weights: Weights, patterns: dict[str, pd.DataFrame], identities: pd.DataFrame, start: Model
) -> tuple[Weights, float]:
    """The weights after one round of EM, and how many pairs of two organisations are of one person."""
    model = weights.model
    blocked, drawn, members = patterns["blocked"], patterns["random"], patterns["members"]
    same, relative = _expected(blocked, identities, weights)
    stranger = drawn["count"].to_numpy() - sum(_expected(drawn, identities, weights))
    _, member = _expected(members, identities, weights)
    inside = blocked["inside"].to_numpy()
    across = ~inside
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    for trait in TRAITS:
        # of two organisations: what one has of a person more than once is typed by one hand
        columns["m"].append(_shares(blocked, same * across, trait, start, "m"))
        of = (blocked, relative * across) if trait.name in _SHARED else (members, member)
        columns["relative"].append(_shares(*of, trait, start, "relative"))
        columns["u"].append(_shares(drawn, stranger, trait, start, "u"))
    levels = start.levels.copy()
    for name in _COLUMNS:
        # what companions say is kept
        levels[name] = np.concatenate([*columns[name], start.probabilities(COMPANIONS, name)])
    found = float((same * across).sum())
    n = len(identities)
    partners = (2 * found + PRIOR_PARTNERS * start.partners) / (n + PRIOR_PARTNERS)
    again = np.zeros(n)
    np.add.at(again, blocked["left"].to_numpy(), 2 * same * inside)
    return Weights(replace(model, levels=levels, partners=partners), _repeats(identities, again)), found


def _repeats(identities: pd.DataFrame, again: np.ndarray) -> np.ndarray:
    """Files of one person beyond the first that each identity's organisation has, of those joined and those `again`."""
    usual = np.where(identities["numbered"], REPEATS_NUMBERED, REPEATS_UNNUMBERED)
    more = pd.DataFrame({"more": 2 * (identities["files"].to_numpy() - 1).clip(0) + again, "usual": usual})
    of = more.groupby(identities["organisation"].to_numpy())
    total, n, mean = of["more"].transform("sum"), of["more"].transform("size"), of["usual"].transform("mean")
    return ((total + PRIOR_FILES * mean) / (n + PRIOR_FILES)).to_numpy()


def _patterns(pairs: pd.DataFrame, identities: pd.DataFrame) -> pd.DataFrame:
    """The pairs that stand on the same levels and have the same odds beforehand: one of them, and how many they are."""
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    organisation = pd.factorize(identities["organisation"], sort=True)[0]
    household = identities["household"].to_numpy()
    inside = organisation[left] == organisation[right]
    known = (household[left] >= 0) & (household[right] >= 0)
    code = np.where(inside, 1 + organisation[left], 0) * 4 + 2 * known + (known & (household[left] == household[right]))
    code = np.where(inside, code, 0)
    for trait in TRAITS:
        code = code * (len(trait.levels) + 1) + pairs[f"gamma_{trait.name}"].to_numpy() + 1
    _, first, count = np.unique(code, return_index=True, return_counts=True)
    return pairs.iloc[first].assign(count=count, inside=inside[first])


def _expected(patterns: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """How many pairs of each pattern are of one person, and of relatives."""
    before = odds_before(patterns, identities, weights)
    found = posterior(
        level_weight(patterns, weights.model, "same") + before[0],
        level_weight(patterns, weights.model, "relative") + before[1],
    )
    count = patterns["count"].to_numpy()
    return found[0] * count, found[1] * count


def _shares(patterns: pd.DataFrame, weights: np.ndarray, trait: Trait, start: Model, column: str) -> np.ndarray:
    """The share of each level among the pairs where the trait is stated, drawn towards the model's."""
    gamma = patterns[f"gamma_{trait.name}"].to_numpy()
    stated = gamma >= 0
    n = len(trait.levels)
    counts = np.bincount(n - 1 - gamma[stated], minlength=n, weights=weights[stated])
    usual = start.probabilities(trait, column)
    shares = (counts + PRIOR_PAIRS) / (counts.sum() + PRIOR_PAIRS / usual)
    return shares / shares.sum()


def changes(before: Model, after: Model) -> pd.DataFrame:
    """
    What was learnt: trait, level and, for m, relative and u, the probability before and after.

    Examples
    --------
    >>> changes(Model.shipped(), Model.shipped())["moved"].any().item()
    False
    """
    both = before.levels.merge(after.levels, on=["trait", "level"], suffixes=("_before", "_after"), sort=False)
    moved = np.zeros(len(both), dtype=bool)
    for name in _COLUMNS:
        moved |= ~np.isclose(both[f"{name}_before"], both[f"{name}_after"], rtol=0.01)
    return both.assign(moved=moved)


def _drawn(n: int) -> pd.DataFrame:
    """Pairs at random: nearly all of them strangers."""
    ends = np.sort(np.random.default_rng(SEED).integers(0, max(n, 1), (RANDOM_PAIRS, 2)), axis=1)
    return pd.DataFrame(ends[ends[:, 0] < ends[:, 1]], columns=["join_key_l", "join_key_r"]).drop_duplicates()


def _of_one_household(household: np.ndarray) -> pd.DataFrame:
    """Two files of one household in one organisation: relatives, where each member has a file."""
    members = pd.DataFrame({"household": household, "identity": np.arange(len(household))})
    members = members[members["household"] >= 0].head(MOST_MEMBERS)
    both = members.merge(members, on="household")
    both = both[both["identity_x"] < both["identity_y"]]
    return both[["identity_x", "identity_y"]].set_axis(["join_key_l", "join_key_r"], axis=1)
