"""Making another model: explicitly, from one's own deposits, and saying what changed.

Nobody labels anything. Strangers are pairs drawn at random (`u`); relatives are the members of one household in one
organisation, whom its own numbers tell apart (`relative`); the same persons are found by EM among the blocked pairs
(`m`). splink compares; the EM is ours, since splink's knows two hypotheses only, and drives a level that is never
seen to m = 0, which it then refuses. Here such a level keeps what the model in use says of it.
"""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd

from ..exceptions import LinkageModelError
from .blocking import block, count_blocks, pair_budget
from .comparisons import COMPANIONS, MACROS, TRAITS
from .identities import identify
from .model import Model
from .scoring import compare, level_weight, posterior, score

# Pairs drawn for the strangers, and the seed of the draw.
RANDOM_PAIRS = 1_000_000
SEED = 1
# What the model in use knows counts as so many pairs: a level that is seldom seen keeps its probability.
PRIOR_PAIRS = 200
# Two files of one organisation share its own record of the address: that says nothing of two organisations.
_OF_THE_ORGANISATION = ("places", "postal_code")
ITERATIONS, TOLERANCE = 100, 1e-5


def train(records: pd.DataFrame, *, start: Model | None = None, version: str = "trained") -> Model:
    """
    A model learnt from deposits.

    Parameters
    ----------
    records : DataFrame
        The table `records`.
    start : Model, optional
        Where EM begins, and what rare levels keep; by default the shipped model. What companions say is kept from
        it as well.
    version : str, optional
        Name of the new model.

    Raises
    ------
    LinkageModelError
        The deposits hold too few households or identities to learn from.
    """
    start = start or Model.shipped()
    found = identify(records)
    n = len(found.table)
    household = found.table["household"].to_numpy()
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1; SET enable_progress_bar = false; SET temp_directory = ''")
        connection.execute(MACROS)
        connection.register("identities", found.lists)
        strangers = _levels(_drawn(n), connection, start)
        relatives = _levels(_same_household(household), connection, start)
        if len(relatives) < PRIOR_PAIRS or len(strangers) < PRIOR_PAIRS:
            raise LinkageModelError(
                f"The deposits hold {len(relatives)} pairs of relatives: at least {PRIOR_PAIRS} are needed to learn a "
                "model. The shipped one is made to be used as it is."
            )
        learnt = _shares(relatives, start, "relative")
        learnt = learnt.where(~start.levels["trait"].isin(_OF_THE_ORGANISATION), start.levels["relative"])
        started = _with(_with(start, "u", _shares(strangers, start, "u")), "relative", learnt)
        block(connection, count_blocks(connection, pair_budget(n)))
        pairs = score(connection, started, found.table)
    trained_on = f"{n} identities of {found.table['organisation'].nunique()} organisations"
    return replace(_expectation_maximisation(pairs, started, n), version=version, trained_on=trained_on)


def changes(before: Model, after: Model) -> pd.DataFrame:
    """
    What a training changed: trait, level and, for m, relative and u, the probability before and after.

    Examples
    --------
    >>> changes(Model.shipped(), Model.shipped())["moved"].any().item()
    False
    """
    both = before.levels.merge(after.levels, on=["trait", "level"], suffixes=("_before", "_after"), sort=False)
    moved = np.zeros(len(both), dtype=bool)
    for name in ("m", "relative", "u"):
        moved |= ~np.isclose(both[f"{name}_before"], both[f"{name}_after"], rtol=0.01)
    return both.assign(moved=moved)


def _expectation_maximisation(pairs: pd.DataFrame, model: Model, n: int) -> Model:
    """m by EM over three hypotheses; u, relatives and the term frequencies stay as they are."""
    companions = pairs["companions"].to_numpy()
    relative = level_weight(pairs, model, "relative") + model.weights(COMPANIONS, "relative")[companions]
    beyond_levels = pairs["weight"].to_numpy() - level_weight(pairs, model, "same")
    first = model
    for _ in range(ITERATIONS):
        same, _ = posterior(level_weight(pairs, model, "same") + beyond_levels, relative, model, n)
        after = _with(model, "m", _shares(pairs, first, "m", same))
        moved = np.abs(after.levels["m"] - model.levels["m"]).max()
        model = after
        if moved < TOLERANCE:
            break
    return model


def _shares(pairs: pd.DataFrame, prior: Model, column: str, weights: np.ndarray | None = None) -> pd.Series:
    """The share of each level among the pairs where its trait is stated, drawn towards the prior model's."""
    found = []
    for trait in TRAITS:
        gamma = pairs[f"gamma_{trait.name}"].to_numpy()
        stated = gamma >= 0
        counts = np.bincount(
            len(trait.levels) - 1 - gamma[stated], minlength=len(trait.levels),
            weights=None if weights is None else weights[stated],
        )  # fmt: skip
        usual = prior.of(trait)[column].to_numpy()
        found.append((counts + PRIOR_PAIRS * usual / usual.sum()) / (counts.sum() + PRIOR_PAIRS))
    found.append(prior.of(COMPANIONS)[column].to_numpy())
    return pd.Series(np.concatenate(found))


def _with(model: Model, column: str, shares: pd.Series) -> Model:
    return replace(model, levels=model.levels.assign(**{column: shares.to_numpy()}))


def _drawn(n: int) -> pd.DataFrame:
    """Pairs at random: nearly all of them strangers."""
    ends = np.sort(np.random.default_rng(SEED).integers(0, n, (RANDOM_PAIRS, 2)), axis=1)
    return pd.DataFrame(ends[ends[:, 0] < ends[:, 1]], columns=["join_key_l", "join_key_r"]).drop_duplicates()


def _same_household(household: np.ndarray) -> pd.DataFrame:
    """Two files of one household in one organisation: relatives, since each member has a file."""
    members = pd.DataFrame({"household": household, "identity": np.arange(len(household))})
    members = members[members["household"] >= 0]
    both = members.merge(members, on="household")
    both = both[both["identity_x"] < both["identity_y"]]
    return both[["identity_x", "identity_y"]].set_axis(["join_key_l", "join_key_r"], axis=1)


def _levels(pairs: pd.DataFrame, connection: duckdb.DuckDBPyConnection, model: Model) -> pd.DataFrame:
    connection.register("chosen", pairs.assign(match_key="0"))
    found = compare(connection, model, "chosen")
    connection.unregister("chosen")
    return found
