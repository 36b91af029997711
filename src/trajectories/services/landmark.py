"""Landmark analyses: of those still there at a month, who had been served by then, and who leaves after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..models.services import first_months
from .answers import COLUMNS, adjusted_rows, answers, with_columns

LANDMARKS = (3, 6)


def landmark(completed: Sequence[pd.DataFrame], services: pd.DataFrame, *, month: int) -> pd.DataFrame:
    """
    Exits after a month by services received up to it, among the stays that were under way and followed at it.

    Parameters
    ----------
    completed : sequence of DataFrame
        What `completed_stays` returned.
    services : DataFrame
        person_id, episode, month (since the establishment), service.
    month : int
        The landmark.

    Returns
    -------
    DataFrame
        The columns of `associations`, method `landmark_<month>`. A service received after the landmark counts as not
        received: the ratio is nearer 1 than that of the time-varying exposure where many are served late.

    Raises
    ------
    ValueError
        No draw is given; a landmark that is no whole month from 1 on.

    Notes
    -----
    Anderson, Cain & Gelber (1983). Cox, stratified by region, households as clusters, on each draw; Rubin's rules. Who
    came under observation after the landmark does not enter: whether they were there was not known then.

    Examples
    --------
    >>> from trajectories.simulate.served_stays import served_stays
    >>> stays = served_stays(1500, seed=1, ratio=0.4)
    >>> table = landmark(stays.completed, stays.services, month=6)
    >>> table.loc[0, ["service", "method"]].tolist(), bool(table.loc[0, "hazard_ratio"] < 1)
    (['pairing', 'landmark_6'], True)
    """
    if not len(completed):
        raise ValueError("completed: no draw is given.")
    if month < 1 or month != int(month):
        raise ValueError(f"month is {month}: give a whole month from 1 on.")
    frames = [
        frame[frame["at_risk"] & (frame["start"] <= month) & (frame["time"] > month)].reset_index(drop=True)
        for frame in completed
    ]
    names = sorted(services["service"].dropna().unique())
    if not min(len(frame) for frame in frames):
        nothing = pd.DataFrame({"service": names, "method": f"landmark_{month}", "note": "nobody_at_landmark"})
        return nothing.reindex(columns=list(COLUMNS)).astype({"control": object, "adjusted_for": object})
    frames = [frame.assign(start=month) for frame in frames]
    draws, terms = adjusted_rows(frames, "cox")
    received = [first_months(frame, services).reindex(columns=names).to_numpy(dtype=float) <= month for frame in frames]
    rows = draws.changed(lambda k, each: with_columns(each, received[k]))
    return answers(f"landmark_{month}", "cox", rows, terms, names)


def naive_ever_received(completed: Sequence[pd.DataFrame], services: pd.DataFrame) -> pd.DataFrame:
    """
    What not to do: those who ever received a service against those who never did, from the establishment on.

    Who was served late had to stay until then; counted as exposed before, they make every service seem to keep people
    (immortal time; Suissa 2008). For notebooks and tests that show it; no report prints it.

    Parameters
    ----------
    completed, services
        As in `associations`.

    Returns
    -------
    DataFrame
        The columns of `associations`, method `naive_ever_received`.

    Examples
    --------
    >>> from trajectories.simulate.served_stays import served_stays
    >>> stays = served_stays(1500, seed=1)
    >>> table = naive_ever_received(stays.completed, stays.services)
    >>> bool(table.loc[0, "upper"] < 1)
    True
    """
    frames = [frame[frame["at_risk"]].reset_index(drop=True) for frame in completed]
    names = sorted(services["service"].dropna().unique())
    draws, terms = adjusted_rows(frames, "cox")
    received = []
    for frame in frames:
        first = first_months(frame, services).reindex(columns=names).to_numpy(dtype=float)
        received.append(first <= frame["time"].to_numpy()[:, None])
    rows = draws.changed(lambda k, each: with_columns(each, np.asarray(received[k])))
    return answers("naive_ever_received", "cox", rows, terms, names)
