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

NEARLY_NEVER = 0.01  # a pair less probable than this is not drawn


@dataclass(frozen=True)
class Links:
    """
    Every pair of identities worth comparing, with its probabilities: who is who follows, for any threshold.

    Attributes
    ----------
    identities : Identities
        Who each organisation has a file on.
    pairs : DataFrame
        What `score` returns, and `decided` (True same person, False two persons, None not reviewed).
    blocks : Blocks
        How many pairs each rule proposed, and left out.
    weights : Weights
        What the pairs were weighed by.
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
    """Who is who at one threshold: the table `persons`, and the table `links` (what became of each pair)."""

    persons: pd.DataFrame
    links: pd.DataFrame


def link(records: pd.DataFrame, *, model: Model | None = None, scratch: Path | None = None) -> Links:
    """
    Compare the identities of the table `records`.

    Parameters
    ----------
    records : DataFrame
        The table `records`.
    model : Model, optional
        Where learning begins (model.py); by default the one that is shipped.
    scratch : Path, optional
        Where DuckDB may spill (design: data/derived/tmp); by default it may not.

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
    found = identify(records)
    with connected(scratch) as connection:
        connection.register("identities", found.lists)

        def compare_more(chosen: pd.DataFrame) -> pd.DataFrame:
            connection.register("chosen", chosen)
            return compare(connection, "chosen")

        budget = pair_budget(len(found.table))
        blocks = count_blocks(connection, budget)
        block(connection, blocks)
        pairs = compare(connection, "pairs")
        # in one order, so that sums are the same to the last bit
        pairs = pairs.sort_values(["left", "right"], ignore_index=True)
        weights = learn(pairs, found.table, start, compare_more)
        pairs = weigh(pairs, found.table, weights, compare_more)
    pairs["decided"] = pd.Series(None, index=pairs.index, dtype="object")
    return Links(found, pairs, blocks, weights, records["record_id"])


def train(records: pd.DataFrame, *, start: Model | None = None, version: str = "trained") -> Model:
    """
    The model that `link` learns from the table `records`, to begin with it elsewhere.

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
    A threshold for each pair, such that each is linked as often as it is probable: `resolve` then draws who is who.

    Identities that pairs hold together share one threshold: what is less probable is never linked where the more
    probable is not.

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
    drawn = np.random.default_rng([seed, 13]).random(len(together))
    return np.where(likely, drawn[together[left]], np.inf)


def resolve(links: Links, threshold: float | np.ndarray, key: Key | bytes) -> Resolved:
    """
    Persons and households at a threshold, or at one for each pair.

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
    of = links.identities.of_record
    persons = pd.DataFrame({
        "record_id": links.record_id, "person_id": person_id[of], "household_id": household_id[of],
        "match_probability": _certainty(person, pairs)[of], "identity_id": identity_ids(links, key)[of],
    })  # fmt: skip
    return Resolved(conform(persons, PERSONS), _links(pairs, identity_ids(links, key)))


def hashed_texts(identity: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is hashed for an identity: to name a person, a household, and the identity itself."""
    text = identity.to_numpy(dtype=object)
    return text, "household" + GAP + text, "identity" + GAP + text


def identity_ids(links: Links, key: Key | bytes) -> np.ndarray:
    """The pseudonym of each identity: it survives a file sent again, and says nothing of the person."""
    *_, text = hashed_texts(links.identities.table["key"])
    return np.asarray(pseudonymise(text, key, "F"), dtype=object)


def decide(links: Links, decisions: pd.DataFrame, key: Key | bytes) -> Links:
    """
    The links with what a reviewer decided of some pairs (columns left_id, right_id, same); see `waiting` for the rest.

    Examples
    --------
    >>> from trajectories.tables import RECORDS, conform
    >>> from trajectories.linkage import SAMPLE_KEY
    >>> day, ids = pd.Timestamp("1990-05-01"), {"record_id": ["1", "2"], "row": 1, "organisation_id": ["A", "B"]}
    >>> records = conform(pd.DataFrame({**ids, "given_name": "Zoé", "family_name": "Roy", "birth_date_earliest": day,
    ...                                 "birth_date_latest": day}), RECORDS)
    >>> links = link(records)
    >>> said = resolve(links, 0.95, SAMPLE_KEY).links[["left_id", "right_id"]].assign(same=False)  # a reviewer's word
    >>> resolve(decide(links, said, SAMPLE_KEY), 0.95, SAMPLE_KEY).persons["person_id"].nunique()
    2
    """
    if decisions.empty:
        return links
    ends, known = _ends(links, decisions, key)
    ends = np.sort(ends[known].astype(np.int64), axis=1)
    said = pd.DataFrame({"left": ends[:, 0], "right": ends[:, 1], "said": decisions["same"].to_numpy()[known]})
    said = said.drop_duplicates(["left", "right"], keep="last")
    pairs = links.pairs.merge(said, on=["left", "right"], how="outer", sort=True)
    pairs["decided"] = pairs.pop("said").astype("object").where(lambda s: s.notna(), None)
    # a pair that no rule proposed has no weight: the reviewer's word is all there is
    pairs = pairs.fillna({"same": 0.0, "relative": 0.0})
    return replace(links, pairs=pairs)


def waiting(links: Links, decisions: pd.DataFrame, key: Key | bytes) -> pd.DataFrame:
    """
    The decisions about a file that no accepted row is of today: without effect, until its deposit is sent again.

    Examples
    --------
    >>> from trajectories.tables import RECORDS, conform
    >>> from trajectories.linkage import SAMPLE_KEY
    >>> row = pd.DataFrame({"record_id": ["1"], "row": 1, "organisation_id": "A", "given_name": "Zoé"})
    >>> said = pd.DataFrame({"left_id": ["F1"], "right_id": ["F2"], "same": [True]})
    >>> len(waiting(link(conform(row, RECORDS)), said, SAMPLE_KEY))
    1
    """
    if decisions.empty:
        return decisions
    _, known = _ends(links, decisions, key)
    return decisions[~known].reset_index(drop=True)


def _ends(links: Links, decisions: pd.DataFrame, key: Key | bytes) -> tuple[np.ndarray, np.ndarray]:
    """The positions of each decision's two identities, and whether both are there."""
    position = pd.Series(np.arange(len(links.identities.table)), index=identity_ids(links, key), dtype=float)
    ends = np.column_stack([position.reindex(decisions[end]).to_numpy() for end in ("left_id", "right_id")])
    return ends, ~np.isnan(ends).any(axis=1)


def _ids(identity: np.ndarray, smallest: np.ndarray, key: Key | bytes, prefix: str) -> np.ndarray:
    kept, codes = np.unique(smallest, return_inverse=True)
    return np.asarray(pseudonymise(identity[kept], key, prefix), dtype=object)[codes]


def _certainty(person: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """How sure each identity belongs to its person: the probability of its strongest link there; 1 if it has none."""
    linked = pairs[pairs["decision"].eq(LINKED) & (person[pairs["left"]] == person[pairs["right"]])]
    found = np.full(len(person), -1.0)
    for end in ("left", "right"):
        np.maximum.at(found, linked[end].to_numpy(), linked["same"].to_numpy())
    return np.where(found < 0, 1.0, found)


def _links(pairs: pd.DataFrame, ids: np.ndarray) -> pd.DataFrame:
    named = pairs.assign(left_id=ids[pairs["left"]], right_id=ids[pairs["right"]])
    return conform(named.drop(columns=["left", "right", "decided"]), LINKS)
