"""The linkage, step by step: identities → blocks → scored pairs → persons → households → the table `persons`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..exceptions import LinkageModelError
from ..tables import LINKS, PERSONS, conform
from .blocking import Blocks, block, count_blocks, pair_budget
from .clusters import LINKED, cluster, connected_components, households
from .identities import GAP, Identities, connected, identify
from .model import Model, Weights, compare, learn, weigh
from .pseudonyms import Key, pseudonymise

NEARLY_NEVER = 0.01  # a pair less probable than this is never drawn as linked


@dataclass(frozen=True)
class Links:
    """
    The compared pairs of identities with their probabilities; `resolve` gives the persons at a threshold.

    Attributes
    ----------
    identities : Identities
        The persons that each organisation has a file on.
    pairs : DataFrame
        What `weigh` returns, and `decided` (True same person, False two persons, None not reviewed).
    blocks : Blocks
        How many pairs each rule proposed, and left out.
    weights : Weights
        The weights of the pairs.
    record_id : Series
        The ids of the records, in their order.
    """

    identities: Identities
    pairs: pd.DataFrame
    blocks: Blocks
    weights: Weights
    record_id: pd.Series


@dataclass(frozen=True)
class Resolved:
    """The linkage at one threshold: the table `persons`, and the table `links` (the decision on each pair)."""

    persons: pd.DataFrame
    links: pd.DataFrame


def link(records: pd.DataFrame, *, model: Model | None = None, scratch: Path | None = None) -> Links:
    """
    Compare the identities of the table `records`.

    Parameters
    ----------
    records : DataFrame
        The columns that `link_persons` reads.
    model : Model, optional
        Starting values of the weights (model.py); by default the model that is shipped.
    scratch : Path, optional
        Folder for what DuckDB spills to disk (design: data/derived/tmp); by default nothing is spilled.

    Examples
    --------
    >>> from trajectories.tables import RECORDS, conform
    >>> day, ids = pd.Timestamp("1990-05-01"), {"record_id": ["1", "2"], "row": 1, "organisation_id": ["A", "B"]}
    >>> records = conform(pd.DataFrame({**ids, "given_name": "Zoé", "family_name": "Roy", "birth_date_earliest": day,
    ...                                 "birth_date_latest": day}), RECORDS)
    >>> pairs = link(records).pairs
    >>> len(pairs), bool(pairs["same"].item() > 0.95)
    (1, True)
    """
    start = model or Model.shipped()
    records = records.reset_index(drop=True)
    identities = identify(records)
    with connected(scratch) as connection:
        connection.register("identities", identities.lists)

        def compare_more(chosen: pd.DataFrame) -> pd.DataFrame:
            connection.register("chosen", chosen)
            return compare(connection, "chosen")

        budget = pair_budget(len(identities.table))
        blocks = count_blocks(connection, budget)
        block(connection, blocks)
        pairs = compare(connection, "pairs")
        # in a fixed order, so that sums are the same to the last bit
        pairs = pairs.sort_values(["left", "right"], ignore_index=True)
        weights = learn(pairs, identities.table, start, compare_more)
        pairs = weigh(pairs, identities.table, weights, compare_more)
    pairs["decided"] = pd.Series(None, index=pairs.index, dtype="object")
    return Links(identities, pairs, blocks, weights, records["record_id"])


def train(records: pd.DataFrame, *, start: Model | None = None, version: str = "trained") -> Model:
    """
    The model that `link` learns from the records, as starting values for other deposits.

    Raises
    ------
    LinkageModelError
        The deposits hold too little to learn from.
    """
    links = link(records, model=start)
    if not links.weights.learnt:
        raise LinkageModelError(links.weights.said)
    table = links.identities.table
    trained_on = f"{len(table)} identities of {table['organisation'].nunique()} organisations"
    return replace(links.weights.model, version=version, trained_on=trained_on)


def drawn_thresholds(links: Links, seed: int) -> np.ndarray:
    """
    A random threshold for each pair, such that it is linked with its probability: `resolve` then draws the persons.

    Identities that are connected by pairs share one threshold: a less probable pair is never linked where a more
    probable one is not.

    Parameters
    ----------
    links : Links
    seed : int

    Returns
    -------
    ndarray of float, shape (pairs,)
    """
    pairs = links.pairs
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    likely = (pairs["same"] > NEARLY_NEVER).to_numpy()
    together = connected_components(left[likely], right[likely], len(links.identities.table))
    uniforms = np.random.default_rng([seed, 13]).random(len(together))
    return np.where(likely, uniforms[together[left]], np.inf)


def resolve(links: Links, threshold: float | np.ndarray, key: Key | bytes) -> Resolved:
    """
    Persons and households at a threshold, or at one threshold per pair.

    A person's id is a keyed hash of the smallest identity of the cluster (organisation and file number, else the
    normalised name and birth date), a household's of the smallest identity in it: not of file names or rows, so that
    a deposit that is sent again keeps the ids.

    Examples
    --------
    >>> from trajectories.tables import RECORDS, conform
    >>> from trajectories.linkage import SAMPLE_KEY
    >>> day, ids = pd.Timestamp("1990-05-01"), {"record_id": ["1", "2"], "row": 1, "organisation_id": ["A", "B"]}
    >>> records = conform(pd.DataFrame({**ids, "given_name": "Zoé", "family_name": "Roy", "birth_date_earliest": day,
    ...                                 "birth_date_latest": day}), RECORDS)
    >>> links = link(records)
    >>> [resolve(links, threshold, SAMPLE_KEY).persons["person_id"].nunique() for threshold in (0.95, 1.0)]
    [1, 2]
    """
    table = links.identities.table
    person, pairs = cluster(links.pairs, table, links.weights.repeats, threshold)
    household = households(person, table, pairs)
    person_text, household_text, _ = hashed_texts(table["key"])
    # identities are in order of their keys: the smallest position in a cluster is the smallest key
    person_id = _ids(person_text, person, key, "P")
    household_id = _ids(household_text, household, key, "H")
    identity_of = links.identities.of_record
    persons = pd.DataFrame(
        {
            "record_id": links.record_id,
            "person_id": person_id[identity_of],
            "household_id": household_id[identity_of],
            "match_probability": _certainty(person, pairs)[identity_of],
            "identity_id": identity_ids(links, key)[identity_of],
        }
    )
    return Resolved(conform(persons, PERSONS), _links(pairs, identity_ids(links, key)))


def hashed_texts(identity: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The texts that are hashed into the ids of a person, of a household, and of the identity itself."""
    text = identity.to_numpy(dtype=object)
    return text, "household" + GAP + text, "identity" + GAP + text


def identity_ids(links: Links, key: Key | bytes) -> np.ndarray:
    """The pseudonym of each identity: it stays when a file is sent again, and reveals nothing of the person."""
    *_, text = hashed_texts(links.identities.table["key"])
    return np.asarray(pseudonymise(text, key, "F"), dtype=object)


def decide(links: Links, decisions: pd.DataFrame, key: Key | bytes) -> Links:
    """
    The links with a reviewer's decisions (columns left_id, right_id, same) on pairs that are there; others: `waiting`.

    Examples
    --------
    >>> from trajectories.tables import RECORDS, conform
    >>> from trajectories.linkage import SAMPLE_KEY
    >>> day, ids = pd.Timestamp("1990-05-01"), {"record_id": ["1", "2"], "row": 1, "organisation_id": ["A", "B"]}
    >>> records = conform(pd.DataFrame({**ids, "given_name": "Zoé", "family_name": "Roy", "birth_date_earliest": day,
    ...                                 "birth_date_latest": day}), RECORDS)
    >>> links = link(records)
    >>> decisions = resolve(links, 0.95, SAMPLE_KEY).links[["left_id", "right_id"]].assign(same=False)
    >>> resolve(decide(links, decisions, SAMPLE_KEY), 0.95, SAMPLE_KEY).persons["person_id"].nunique()
    2
    """
    if decisions.empty:
        return links
    ends, known = _ends(links, decisions, key)
    ends = np.sort(ends[known].astype(np.int64), axis=1)
    reviewed = pd.DataFrame({"left": ends[:, 0], "right": ends[:, 1], "answer": decisions["same"].to_numpy()[known]})
    reviewed = reviewed.drop_duplicates(["left", "right"], keep="last")
    pairs = links.pairs.merge(reviewed, on=["left", "right"], how="outer", sort=True)
    pairs["decided"] = pairs.pop("answer").astype("object").where(lambda s: s.notna(), None)
    # a pair that no rule proposed has no weight, only the reviewer's decision
    pairs = pairs.fillna({"same": 0.0, "relative": 0.0})
    return replace(links, pairs=pairs)


def waiting(links: Links, decisions: pd.DataFrame, key: Key | bytes) -> pd.DataFrame:
    """
    The decisions on a pair of which an identity has no accepted row today: no effect until its deposit is sent again.

    Examples
    --------
    >>> from trajectories.tables import RECORDS, conform
    >>> from trajectories.linkage import SAMPLE_KEY
    >>> row = pd.DataFrame({"record_id": ["1"], "row": 1, "organisation_id": "A", "given_name": "Zoé"})
    >>> decisions = pd.DataFrame({"left_id": ["F1"], "right_id": ["F2"], "same": [True]})
    >>> len(waiting(link(conform(row, RECORDS)), decisions, SAMPLE_KEY))
    1
    """
    if decisions.empty:
        return decisions
    _, known = _ends(links, decisions, key)
    return decisions[~known].reset_index(drop=True)


def _ends(links: Links, decisions: pd.DataFrame, key: Key | bytes) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the two identities of each decision, and whether both are in the records."""
    position = pd.Series(np.arange(len(links.identities.table)), index=identity_ids(links, key), dtype=float)
    ends = np.column_stack([position.reindex(decisions[end]).to_numpy() for end in ("left_id", "right_id")])
    return ends, ~np.isnan(ends).any(axis=1)


def _ids(identity: np.ndarray, smallest: np.ndarray, key: Key | bytes, prefix: str) -> np.ndarray:
    kept, codes = np.unique(smallest, return_inverse=True)
    return np.asarray(pseudonymise(identity[kept], key, prefix), dtype=object)[codes]


def _certainty(person: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """The probability of each identity's strongest link within its person; 1 if it has none."""
    linked = pairs[pairs["decision"].eq(LINKED) & (person[pairs["left"]] == person[pairs["right"]])]
    strongest = np.full(len(person), -1.0)
    for end in ("left", "right"):
        np.maximum.at(strongest, linked[end].to_numpy(), linked["same"].to_numpy())
    return np.where(strongest < 0, 1.0, strongest)


def _links(pairs: pd.DataFrame, ids: np.ndarray) -> pd.DataFrame:
    named = pairs.assign(left_id=ids[pairs["left"]], right_id=ids[pairs["right"]])
    return conform(named.drop(columns=["left", "right", "decided"]), LINKS)
