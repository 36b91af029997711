"""Spells → the state of each person, month by month since the establishment.

Cell m is the state on the m-th monthly anniversary of the establishment: cell 0 is the day of establishment itself and
always « region ». A person who leaves 2.5 months after is still in the region in cell 2 and gone in cell 3 (an event
goes up, as everywhere in the library).

An uncertain date. A change of place known to lie in an interval [earliest, latest] is taken to be in its middle, and
so is the establishment; where nothing bounds it below, at its latest day. This is an imputation, made here only: a
sequence needs one time a person, retention does not. A month inside such an interval is thus of the state that is the
nearer in time. `typology` says, by type, how many changes of place are known less precisely than to three months, and,
where it is given the contacts, what draws from the observation model make of the same persons.

An open spell goes on. Who was not heard of leaving is where they were last known to be, until the cut-off: the state
is carried, never blanked at the last contact, since departures are heard of for ever and presences are not
(design.md, rule 4). Months after a departure to an unknown place are « unknown », and so are those after the cut-off.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..months import add_months
from ..places.territory import region_zones, zones
from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION, UNKNOWN
from .states import OTHER_REGION

_LABELS = np.array([METROPOLE, REGION, OTHER_REGION, OUTSIDE_QUEBEC, UNKNOWN], dtype=object)
_METROPOLE, _HERE, _OTHER, _OUTSIDE, _UNKNOWN = range(len(_LABELS))
_ENDS_NOWHERE = ("left", "deceased")


def sequences(
    spells: pd.DataFrame, months: int, perimeter: str | None = None, *, cutoff: pd.Timestamp | None = None
) -> pd.DataFrame:
    """
    The monthly states of everyone who ever settled en région, from their first establishment.

    Parameters
    ----------
    spells : DataFrame
        The table of that name, in order of person and spell.
    months : int
        Length of the window.
    perimeter : {"RMR-2021", "RMR-2016", "CMM"}, optional
        Zones are made anew for it, from municipalities (else regions); not given: the zones of `spells`.
    cutoff : Timestamp, optional
        Last day of observation; months after it are « unknown ». Not given: an open spell fills the window.

    Returns
    -------
    DataFrame
        Index person_id; columns 0 … months − 1; cells metropole, region (that of the establishment), other_region,
        outside_quebec, or unknown. Persons without a dated spell en région of a known region are not in it.

    Raises
    ------
    ValueError
        `months` is no positive whole number, or the perimeter is none.

    Examples
    --------
    >>> day = pd.to_datetime(["2020-01-15", "2021-01-15", "2021-06-15"])
    >>> spells = pd.DataFrame({"person_id": "p", "spell": [1, 2, 3], "municipality": ["66023", "43027", "66023"],
    ...     "region": ["06", "05", "06"], "zone": ["metropole", "region", "metropole"], "start_earliest": day,
    ...     "start_latest": day, "end_earliest": day, "end_latest": day, "outcome": ["moved", "moved", "present"]})
    >>> sequences(spells, 8).loc["p"].tolist()
    ['region', 'region', 'region', 'region', 'region', 'metropole', 'metropole', 'metropole']
    """
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or months < 1:
        raise ValueError(f"months is {months!r}: give a whole number of at least 1.")
    spells = in_zones(spells, perimeter).sort_values(["person_id", "spell"], kind="stable")
    start = middle(spells["start_earliest"], spells["start_latest"])
    first = first_stays(spells, start)
    person = pd.Index(first["person_id"]).get_indexer(spells["person_id"])
    kept = (person >= 0) & (np.arange(len(spells)) >= np.append(first["position"], 0)[person])
    spells, start, person = spells[kept], start[kept], person[kept]
    home = first["region"].to_numpy(dtype=object)[person]
    states = _states(spells["zone"].to_numpy(dtype=object), spells["region"].to_numpy(dtype=object), home)

    grid = anniversaries(first["start"], months)
    cells = np.full(grid.shape, _UNKNOWN)
    for at, state, who in _changes(spells, start, states, person):
        reached = grid[who] >= at[:, None]
        cells[who] = np.where(reached, state[:, None], cells[who])
    if cutoff is not None:
        cells[grid > np.datetime64(cutoff, "D")] = _UNKNOWN
    return pd.DataFrame(_LABELS[cells], index=pd.Index(first["person_id"], name="person_id"))


def _changes(spells: pd.DataFrame, start: np.ndarray, states: np.ndarray, person: np.ndarray):
    """The changes of state, as batches with at most one a person, in order: day, new state, person."""
    ends = spells["outcome"].isin(_ENDS_NOWHERE).to_numpy()
    gone = middle(spells["end_earliest"], spells["end_latest"])
    rank = pd.Series(person).groupby(person).cumcount().to_numpy()
    # a spell cannot begin before the one before it: where intervals cross, their middles may
    floor = pd.Series(start).groupby(person).cummax().to_numpy().astype("datetime64[D]")
    for number in range(rank.max(initial=-1) + 1):
        now = rank == number
        yield floor[now], states[now], person[now]
        out = now & ends & ~np.isnat(gone)
        yield np.maximum(gone[out], floor[out]), np.full(int(out.sum()), _UNKNOWN), person[out]


def _states(zone: np.ndarray, region: np.ndarray, home: np.ndarray) -> np.ndarray:
    nowhere = pd.isna(region)
    return np.select(
        [zone == METROPOLE, (zone == REGION) & ~nowhere & (region == home), (zone == REGION) & ~nowhere,
         zone == OUTSIDE_QUEBEC],
        [_METROPOLE, _HERE, _OTHER, _OUTSIDE], _UNKNOWN,
    )  # fmt: skip


def first_stays(spells: pd.DataFrame, start: np.ndarray) -> pd.DataFrame:
    """The first spell en région of each person: person_id, region, start (day) and position among the spells."""
    inside = np.flatnonzero(spells["zone"].eq(REGION).to_numpy())
    inside = inside[~spells["person_id"].iloc[inside].duplicated().to_numpy()]
    inside = inside[~np.isnat(start[inside]) & spells["region"].iloc[inside].notna().to_numpy()]
    found = spells.iloc[inside][["person_id", "region"]].reset_index(drop=True)
    return found.assign(start=start[inside].astype("datetime64[ns]"), position=inside)


def in_zones(spells: pd.DataFrame, perimeter: str | None) -> pd.DataFrame:
    """The spells with the zones of a perimeter, from their municipalities and regions."""
    if perimeter is None:
        return spells
    code, region = spells["municipality"], spells["region"]
    zone = spells["zone"].where(region.isna(), region.map(region_zones(perimeter)))
    return spells.assign(zone=zone.where(code.isna(), pd.Series(zones(code, perimeter), index=spells.index)))


def middle(earliest: pd.Series, latest: pd.Series) -> np.ndarray:
    """The day in the middle of each interval (datetime64[D]); its latest day where nothing bounds it below."""
    a, b = (dates.to_numpy().astype("datetime64[D]") for dates in (earliest, latest))
    a = np.where(np.isnat(a), b, a)
    return a + (b - a) // 2


def anniversaries(start, months: int) -> np.ndarray:
    """The monthly anniversaries of each day, itself first: persons × months, datetime64[D]."""
    days = np.asarray(start, dtype="datetime64[D]")
    return add_months(days[:, None], np.arange(months)[None, :]).astype("datetime64[D]")
