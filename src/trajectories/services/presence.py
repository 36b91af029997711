"""Draws of the exits in agreement with one service: who received it was there, and who did not may have been gone.

Completed stays (completed.py) know nothing of services. Some draws let a person leave before a service that they
received; there they are no exposed stay, and those who remain exposed are the ones whose contacts are the better: a
service seems to keep people though it does nothing. Here each stay's draws are taken again, each as often as it is
likely given when the stay first received the service, or that it never did (importance resampling; Smith &
Gelfand 1992):

- received in month s: draws that end before s are impossible;
- never received: e^{−Λ(T)}, Λ the cumulative rate of receiving it first among those still there.

The rate is that of everybody, by month in pieces, and is estimated with the draws' weights in turns. The first receipt
alone is used: later ones, and other services, would need a model of who is a client (the companion of the observation
model has one; of a service given once it takes the silence for absence). A stay all of whose draws are impossible keeps
them: its service counts in none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..models.person_months import PIECES

TURNS = 8


def in_agreement(frames: Sequence[pd.DataFrame], first: np.ndarray, seed: int) -> list[np.ndarray]:
    """
    Which draw each stay's exit is taken from, for each of as many draws.

    Parameters
    ----------
    frames : sequence of DataFrame
        The draws, with the same stays in the same order: start, time.
    first : array of float
        The month of the service, missing where never.
    seed : int

    Returns
    -------
    list of array of int
        Positions in `frames`, a value a stay.
    """
    time = np.array([frame["time"].to_numpy(dtype=float) for frame in frames]).T  # stays × draws
    start = frames[0]["start"].to_numpy(dtype=float)
    weight = weights_of(start, time, first)
    rng = np.random.default_rng([seed, 9])
    share = np.cumsum(weight, axis=1)
    # one number a stay for all draws, a step apart: as few draws are lost as can be (systematic resampling)
    m = time.shape[1]
    order = rng.permuted(np.tile(np.arange(m), (len(time), 1)), axis=1)
    at = (order + rng.random((len(time), 1))) / m
    chosen = (share[:, None, :] < at[:, :, None] * share[:, -1:, None]).sum(axis=2)
    return list(np.minimum(chosen, m - 1).T)


def taken(frames: Sequence[pd.DataFrame], which: np.ndarray) -> pd.DataFrame:
    """The stays, each with its exit and covariates of the draw chosen for it."""
    n = len(frames[0])
    columns = [name for name in frames[0] if any(not frame[name].equals(frames[0][name]) for frame in frames[1:])]
    changed = {
        name: pd.concat([frame[name] for frame in frames], ignore_index=True).iloc[which * n + np.arange(n)].to_numpy()
        for name in columns
    }
    return frames[0].reset_index(drop=True).assign(**changed)


def weights_of(start: np.ndarray, time: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How likely each stay's draws are, given its first receipt of a service: rows that add up to 1."""
    ends = np.array([*PIECES, np.inf])
    begins = np.append(0.0, ends[:-1])
    served = ~np.isnan(first)
    # received before the stay came under observation says nothing of its end
    counts = served & (first > start)
    until = np.where(served[:, None], np.minimum(time, np.where(served, first, 0)[:, None]), time)
    low = np.maximum(start[:, None, None], begins)
    exposed = np.clip(np.minimum(until[:, :, None], ends) - low, 0, None)  # stays × draws × pieces
    possible = np.where(counts[:, None], time >= np.where(counts, first, 0)[:, None], True)
    given = np.bincount(np.searchsorted(ends, first[counts]), minlength=len(ends))
    weight = np.full(time.shape, 1 / time.shape[1])
    for _ in range(TURNS):
        rate = given / np.maximum(np.einsum("ik,ikp->p", weight, exposed), 1.0)
        chance = np.where(served[:, None], possible, np.exp(-exposed @ rate))
        total = chance.sum(axis=1, keepdims=True)
        weight = np.where(total > 0, chance / np.where(total > 0, total, 1.0), 1 / time.shape[1])
    return weight
