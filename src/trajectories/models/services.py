"""Services received after the establishment as time-varying exposure: nobody is exposed before they were served.

A service counts from the month after the one in which it was received, to the end of the stay. Who was served late had
to stay until then: counted from the establishment, that would make every service seem to keep people (immortal time;
Suissa 2008). A service of the month in which the person left does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..months import ceil_month, months_between
from ..tables import METROPOLE
from .regressions import Rows
from .terms import FEWEST, LEAST, Term

SERVICE = "service"
_KEYS = ["person_id", "episode"]


def services_in_stays(stays: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """
    The services received in the region of a stay, after the day of the establishment.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`.
    records, persons : DataFrame
        The tables of those names.

    Returns
    -------
    DataFrame
        person_id, episode, month (since the latest day of the establishment), service. A service of an organisation
        of the metropole is none of the region; one after another stay began is of that stay.

    Examples
    --------
    >>> from trajectories.services.example import example_tables
    >>> services_in_stays(*example_tables()).round(2).values.tolist()  # those of the metropole are none of the region
    [['a', 1, 0.97, 'reception']]
    """
    given = records.loc[
        records["service"].notna()
        & records["service_date_earliest"].notna()
        & ~records["organisation_zone"].eq(METROPOLE),
        ["record_id", "service", "service_date_earliest"],
    ].merge(persons[["record_id", "person_id"]], on="record_id")
    begun = stays[[*_KEYS, "establishment_latest"]].dropna().sort_values("establishment_latest", kind="stable")
    found = pd.merge_asof(
        given.sort_values("service_date_earliest", kind="stable"), begun, by="person_id",
        left_on="service_date_earliest", right_on="establishment_latest",
    ).dropna(subset=["episode"])  # fmt: skip
    month = months_between(found["establishment_latest"], found["service_date_earliest"])
    found = found.assign(month=month, episode=found["episode"].astype("int64"))
    columns = [*_KEYS, "month", "service"]
    return found.loc[found["month"] > 0, columns].sort_values(columns, ignore_index=True)


def first_months(frame: pd.DataFrame, services: pd.DataFrame) -> pd.DataFrame:
    """
    The month in which each stay first received each service: stays × services, missing where never.

    Services up to the establishment (months ≤ 0) are none that were received in the region, and do not count.
    """
    given = services.dropna(subset=["month", "service"])
    given = given[given["month"] > 0]
    position = pd.Series(np.arange(len(frame)), index=pd.MultiIndex.from_frame(frame[_KEYS]))
    place = position.reindex(pd.MultiIndex.from_frame(given[_KEYS])).to_numpy(dtype=float)
    known = given[~np.isnan(place)].assign(stay=place[~np.isnan(place)].astype(np.int64))
    known = known.assign(month=ceil_month(known["month"]))
    first = known.groupby(["stay", "service"])["month"].min().unstack("service")
    return first.reindex(np.arange(len(frame)))


def exposed_rows(rows: Rows, first: pd.DataFrame, names: Sequence[str]) -> Rows:
    """Each stay cut where a service begins to count, with a column a service (1 once it was received)."""
    since = first[list(names)].to_numpy(dtype=float)
    start, time = rows.data["start"].to_numpy(), rows.data["time"].to_numpy()
    cuts = np.column_stack([start, np.where((since > start[:, None]) & (since < time[:, None]), since, np.nan)])
    stay, which = np.nonzero(~np.isnan(cuts))
    pairs = np.unique(np.column_stack([stay, cuts[stay, which]]), axis=0)
    stay, begin = pairs[:, 0].astype(np.int64), pairs[:, 1]
    last = np.append(stay[1:] != stay[:-1], True)
    end = np.where(last, time[stay], np.append(begin[1:], 0.0))
    data = rows.data.iloc[stay].reset_index(drop=True)
    data = data.assign(start=begin, time=end, event=np.where(last, data["event"], 0))
    received = (since[stay] <= begin[:, None]).astype(float)
    return Rows(data, np.hstack([rows.x[stay], received]), rows.stay[stay])


def enough(draws: Sequence[Rows], firsts: Sequence[pd.DataFrame]) -> tuple[list[str], list[str]]:
    """Services that enough stays received, and did not receive, to be terms (as levels: terms.py); and the others."""
    names = [str(name) for name in firsts[0].columns]
    fine = np.ones(len(names), dtype=bool)
    for rows, first in zip(draws, firsts, strict=True):
        left = rows.data["event"].to_numpy() > 0
        served = first.to_numpy(dtype=float) < rows.data["time"].to_numpy()[:, None]
        for side in (served, ~served):
            fine &= (side.sum(axis=0) * left.mean() >= LEAST) & ((side & left[:, None]).sum(axis=0) >= FEWEST)
    return [n for n, f in zip(names, fine, strict=True) if f], [n for n, f in zip(names, fine, strict=True) if not f]


def service_terms(names: Sequence[str]) -> tuple[Term, ...]:
    """A coefficient a service: from the month after it was received on."""
    return tuple(Term(SERVICE, name) for name in names)
