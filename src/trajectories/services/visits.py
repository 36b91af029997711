"""Months weighted by the inverse of the chance of being seen: does what is found rest on who was seen?

A service prolongs follow-up and proves presence: of who receives services more is known, and their months are known to
be months of presence. Here each month at risk counts by the chance that somebody is seen (by a contact that finds them
present, or a service) in such a month since the establishment, divided by the chance given what was recorded before
(months since last seen, services received): in the weighted months, being seen does not depend on what went before
(inverse-intensity-of-visit weights, stabilised; Lin, Scharfstein & Rosenheck 2004; Bůžková & Lumley 2007). The weight
of a month knows nothing of that month or of later ones, so that without an effect the weighted hazard finds none.

All months at risk enter, seen or not: what happened in those not seen is drawn (completed.py), and where the draws are
wrong about those served, weights do not put it right. Being seen may also depend on what is not recorded.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..models.chained import indicators, logit_step
from ..models.person_months import PIECES
from ..models.regressions import Rows
from ..months import ceil_month

SEEN = ("present", "service")
# Months since last seen (or since the establishment) and numbers of services before, as classes.
GAPS, BEFORE = (1, 3, 6, 12), (0, 1, 3)
# A month counts at most ten times as much as another of its time, and at least a tenth: a few hardly ever seen would
# else decide alone.
MOST = 10.0
STEPS = 40
_KEYS = ["person_id", "episode"]


def months_seen(frame: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Position of the stay and month, from 1, of each row of person_id, episode, month that is of a stay of `frame`."""
    position = pd.Series(np.arange(len(frame)), index=pd.MultiIndex.from_frame(frame[_KEYS]))
    place = position.reindex(pd.MultiIndex.from_frame(rows[_KEYS])).to_numpy(dtype=float)
    month = ceil_month(rows["month"])
    known = ~np.isnan(place) & (month > 0)
    return np.column_stack([place[known], np.asarray(month)[known]]).astype(np.int64)


def weighted_rows(rows: Rows, first: np.ndarray, services: np.ndarray, contacts: np.ndarray) -> Rows:
    """
    Each stay cut where its weight or what it has received changes, with a column `weight`.

    Parameters
    ----------
    rows : Rows
        One row a stay, covariates only.
    first : array, stays × services
        The month of each service, missing where never.
    services, contacts : arrays of position of the stay and month
        All services; contacts at which somebody was seen.
    """
    start, time = (rows.data[name].to_numpy().astype(np.int64) for name in ("start", "time"))
    length = time - start
    stay = np.repeat(np.arange(len(start)), length)
    month = np.arange(len(stay)) - np.repeat(np.cumsum(length) - length, length) + start[stay] + 1
    weight = _weights(stay, month, services, contacts)
    span = int(time.max(initial=0)) + 2
    begins = np.isin(stay * span + month - 1, _keys(first, span))
    begins |= np.append(True, (stay[1:] != stay[:-1]) | (weight[1:] != weight[:-1]))
    at = np.flatnonzero(begins)
    last = np.append(at[1:], len(stay)) - 1
    of = stay[at]
    event = np.where(month[last] == time[of], rows.data["event"].to_numpy()[of], 0)
    data = rows.data.iloc[of].reset_index(drop=True)
    data = data.assign(start=month[at] - 1.0, time=month[last].astype(float), event=event, weight=weight[at])
    received = (first[of] < month[at][:, None]).astype(float)
    return Rows(data, np.hstack([rows.x[of], received]), of)


def _keys(first: np.ndarray, span: int) -> np.ndarray:
    stay, which = np.nonzero(first < span)
    return stay * span + first[stay, which].astype(np.int64)


def _weights(stay: np.ndarray, month: np.ndarray, services: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """The weight of each month at risk."""
    span = int(max(month.max(initial=0), services[:, 1].max(initial=0), contacts[:, 1].max(initial=0))) + 2
    served = np.sort(services @ np.array([span, 1]))
    seen = np.unique(np.concatenate([served, contacts @ np.array([span, 1])]))
    now = stay * span + month
    before = np.searchsorted(seen, now)  # how many were earlier, of this stay or those before it
    last = seen[np.maximum(before - 1, 0)] if len(seen) else np.zeros(len(now), np.int64)
    # who was not seen yet was seen at the establishment
    last = np.where((before > 0) & (last // span == stay), last % span, 0)
    gap = np.searchsorted(GAPS, month - last)
    received = np.searchsorted(BEFORE, np.searchsorted(served, now) - np.searchsorted(served, stay * span))
    piece = np.searchsorted(PIECES, month)
    cells = pd.DataFrame({"piece": piece, "gap": gap, "received": received, "seen": np.isin(now, seen)})
    by = cells.groupby(["piece", "gap", "received"], sort=True)["seen"]
    counted = by.agg(["size", "mean"]).reset_index()
    number, share = counted["size"].to_numpy(dtype=float), counted["mean"].to_numpy()
    sizes = {"piece": len(PIECES) + 1, "gap": len(GAPS) + 1, "received": len(BEFORE) + 1}
    x = np.hstack([np.ones((len(counted), 1)), *(indicators(counted[k].to_numpy(), n) for k, n in sizes.items())])
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        beta, _ = logit_step(beta, x, number, share, None)
    chance = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
    # the same model's chance in such a month whatever went before
    everybody = np.bincount(counted["piece"], number * chance) / np.maximum(np.bincount(counted["piece"], number), 1)
    weight = np.clip(everybody[counted["piece"]] / chance, 1 / MOST, MOST)
    return weight[by.ngroup().to_numpy()]
