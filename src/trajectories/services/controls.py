"""Negative controls: associations that cannot be effects, made by the same code as those that might be.

Where a control finds something, so might what is not measured or how things are recorded (Lipsitch, Tchetgen Tchetgen &
Cohen 2010).

`before_departure`: a service that an organisation of the metropole gave before the establishment and that cannot act on
staying (`CONTROLS`). Exploratory visits are none of them: who has seen the town may choose it better.

`permuted`: who received each service is drawn anew among the stays of the same organisation that were then under way
and had not received it. As many are served, in the same months, by the same organisations; only not the same persons.
Dates are not dealt out again among those served: who lives long is there to be served late, and given another's early
date would have stayed exposed all that time without being able to leave. That makes an effect where there is none
(tests/recovery/test_service_associations_recovery.py), in what is to be a control.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..models.regressions import REGION
from ..months import months_between
from ..tables import METROPOLE

CONTROLS = ("information",)
BEFORE, PERMUTED = "before_departure", "permuted"
_KEYS = ["person_id", "episode"]


def control_services(stays: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """
    Services of `CONTROLS` that those of each stay surely received in the metropole before its establishment.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`.
    records, persons : DataFrame
        The tables of those names.

    Returns
    -------
    DataFrame
        person_id, episode, month (since the latest day of the establishment, not above 0), service: the `before` of
        `associations`.
    """
    given = records.loc[
        records["organisation_zone"].eq(METROPOLE)
        & records["service"].isin(CONTROLS)
        & records["service_date_latest"].notna(),
        ["record_id", "service", "service_date_latest"],
    ].merge(persons[["record_id", "person_id"]], on="record_id")
    begun = stays[[*_KEYS, "establishment_earliest", "establishment_latest"]].dropna()
    found = given.merge(begun, on="person_id")
    found = found[found["service_date_latest"] < found["establishment_earliest"]]
    month = -months_between(found["service_date_latest"], found["establishment_latest"])
    columns = [*_KEYS, "month", "service"]
    return found.assign(month=month)[columns].sort_values(columns, ignore_index=True)


def permuted(first: pd.DataFrame, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """
    The months of `first` (stays × services) given to other stays of the same organisation.

    Parameters
    ----------
    first : DataFrame
        The month of each service, missing where never: a row a stay of `frame`.
    frame : DataFrame
        start, time; organisation_id (where absent, region; else all stays are of one).
    seed : int
        The same draws of a number a stay for every frame of as many stays: draws of the exits do not add to it.

    Returns
    -------
    DataFrame
        Of the shape of `first`. Months at which the stay was over are not in it, nor a late month at which all the
        organisation's stays then under way had already been given one.

    Examples
    --------
    >>> frame = pd.DataFrame({"start": 0, "time": [9, 9, 9, 2], "organisation_id": ["A", "A", "B", "A"]})
    >>> first = pd.DataFrame({"pairing": [5.0, np.nan, np.nan, np.nan]})
    >>> sorted(permuted(first, frame, 1)["pairing"].iloc[:2].dropna())
    [5.0]
    """
    group = next((name for name in ("organisation_id", REGION) if name in frame), None)
    code = np.zeros(len(frame), np.int64) if group is None else pd.factorize(frame[group].astype(object))[0]
    start, time = frame["start"].to_numpy(dtype=float), frame["time"].to_numpy(dtype=float)
    rng = np.random.default_rng([seed, 8])
    dealt = {}
    for name in first.columns:
        # received before the stay came under observation: it counts from then on
        since = np.maximum(first[name].to_numpy(dtype=float), start)
        counts = since < time
        order = rng.random(len(frame))
        given = np.full(len(frame), np.nan)
        for one in np.unique(code[counts]):
            members = np.flatnonzero(code == one)
            members = members[np.argsort(order[members])]
            begins, ends, new = start[members], time[members], given[members]
            months, numbers = np.unique(since[members][counts[members]], return_counts=True)
            for month, number in zip(months, numbers, strict=True):
                able = np.flatnonzero(np.isnan(new) & (begins <= month) & (ends > month))
                new[able[:number]] = month
            given[members] = new
        dealt[name] = given
    return pd.DataFrame(dealt, index=first.index)
