"""The same types, with the departures that nobody heard of: shares under draws from the observation model.

Sequences need one time a person, and the line gives one where a departure was heard of. For the others the main
estimator (observation-model.md) says how likely it is that they left unheard, when and where to: m draws of (month,
destination) from that fit complete their sequences, each draw is laid beside the centres of the types (which stay as
they are), and the shares are joined by Rubin's rules (1987). Who left for an unknown place takes the destination of
the draw, and needs no one to stand for them.

After a drawn departure the person stays where they went: what follows a move that nobody heard of is not known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..reported import CAUSES, reported, stays_that_enter
from ..study import Study
from ..tables import REGION, UNKNOWN
from .distances import Measure, between
from .observable import Observable
from .shares import COLUMNS, clustered_shares, groups_of, logit_limits


def drawn_shares(
    seen: Observable, cohort: pd.DataFrame, contacts: pd.DataFrame, centres: np.ndarray, measure: Measure,
    labels: tuple[str, ...], study: Study,
) -> pd.DataFrame:  # fmt: skip
    """
    The share of each type in each group, with drawn departures.

    Parameters
    ----------
    seen : Observable
    cohort, contacts : DataFrame
        The tables of those names.
    centres : ndarray of codes, types × months
        The representatives, in the order of the types.
    measure : Measure
        The distance of the typology.
    labels : tuple of str
        What the codes of `centres` stand for.
    study : Study
        Its draws and seed are used.

    Returns
    -------
    DataFrame
        As `shares_of`, without `name`; method `drawn`; se of Rubin's rules.
    """
    stays = stays_that_enter(cohort, study)
    # with replicates, each draw is made at the parameters of another: the model's own uncertainty is then in it
    fit = reported(stays, contacts).fit(study, replicates=min(study.replicates, study.draws))
    position = pd.Series(np.arange(len(stays)), index=stays["person_id"])[stays["episode"].eq(1).to_numpy()]
    at = position.reindex(seen.persons["person_id"])
    usable = at.notna().to_numpy()
    persons, states = seen.persons[usable], seen.sequences[usable].to_numpy(dtype=object)
    at = at[usable].to_numpy(dtype=np.int64)
    household = persons["household_id"]
    groups = {name: chosen for name, chosen in groups_of(persons["region"], study).items() if chosen.any()}
    draws = [
        _types(_completed(states, draw[at, 0], draw[at, 1]), centres, measure, labels)
        for draw in fit.draw(study.draws, study.seed)
    ]
    found = []
    for group, chosen in groups.items():
        each = [
            clustered_shares(kind[chosen][:, None] == np.arange(len(centres)), np.ones(chosen.sum()), household[chosen])
            for kind in draws
        ]
        estimates, within = np.stack([e for e, _ in each]), np.stack([se**2 for _, se in each])
        between_draws = estimates.var(axis=0, ddof=1) if len(draws) > 1 else np.zeros(len(centres))
        estimate = estimates.mean(axis=0)
        se = np.sqrt(within.mean(axis=0) + (1 + 1 / len(draws)) * between_draws)
        lower, upper = logit_limits(estimate, se)
        found.append(pd.DataFrame({
            "measure": "type_share", "group": group, "type": np.arange(1, len(centres) + 1), "method": "drawn",
            "estimate": estimate, "se": se, "lower": lower, "upper": upper, "n_start": int(chosen.sum()),
            "n_households": household[chosen].nunique(),
        }))  # fmt: skip
    return pd.concat(found, ignore_index=True)[[name for name in COLUMNS if name != "name"]]


def _completed(states: np.ndarray, month: np.ndarray, cause: np.ndarray) -> np.ndarray:
    """The sequences with the drawn departure of those not known to have left, and the drawn place of the others."""
    states = states.copy()
    target = np.array([UNKNOWN, *CAUSES], dtype=object)[cause]
    stayed = (states == REGION).all(axis=1)
    grid = np.arange(states.shape[1])
    leaves = stayed & (cause > 0)
    gone = leaves[:, None] & (grid >= np.where(leaves, month, np.inf)[:, None])
    placeless = (states == UNKNOWN) & (cause > 0)[:, None]
    return np.where(gone | placeless, target[:, None], states)


def _types(states: np.ndarray, centres: np.ndarray, measure: Measure, labels: tuple[str, ...]) -> np.ndarray:
    """The nearest centre of each sequence; a place that stays unknown is as the month before it."""
    frame = pd.DataFrame(states)
    unknown = frame.eq(UNKNOWN)
    frame = frame.mask(unknown).ffill(axis=1)
    flat, met = pd.factorize(frame.to_numpy(dtype=object).ravel())
    codes = pd.Index(labels).get_indexer(met).astype(np.uint8)[flat].reshape(states.shape)
    rows, which = np.unique(codes, axis=0, return_inverse=True)
    return np.argmin(between(centres, rows, measure), axis=0)[which]
