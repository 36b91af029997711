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

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...months import add_months
from ...places.territory import region_zones, zones
from ...tables import METROPOLE, OUTSIDE_QUEBEC, REGION, UNKNOWN

# ----------------------------------------------------------------------------------------------------
# The alphabet of states, and sequences as codes: what the other modules of this room compute on.
#
# A sequence of labels is a row of small whole numbers, the positions of its labels in the alphabet. Many persons share
# one sequence (whoever stays does), so distances and trees are made on distinct rows with how many persons have each.

# Where a person is in a month, as the multi-state models say it: « region » is the region of establishment.
OTHER_REGION = "other_region"
STATES = (METROPOLE, REGION, OTHER_REGION, OUTSIDE_QUEBEC)


@dataclass(frozen=True)
class Coded:
    """Sequences as codes: codes (persons × months, uint8) are positions in `labels`, which are sorted."""

    codes: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Distinct:
    """Distinct rows in lexical order: `first` (a row that has each), `which` (of each row), `weight` (of each)."""

    first: np.ndarray
    which: np.ndarray
    weight: np.ndarray


def alphabet(labels) -> tuple[str, ...]:
    """
    The sorted labels that sequences may hold: the four states (and unknown) where nothing else is met, else those met.

    A state that nobody happens to be in is then still one of four: entropies of two regions can be compared.

    Examples
    --------
    >>> alphabet(["region", "metropole"])
    ('metropole', 'other_region', 'outside_quebec', 'region')
    >>> alphabet(["R", "M"])
    ('M', 'R')
    """
    met = set(labels)
    if met <= {*STATES, UNKNOWN}:
        met |= set(STATES)
    return tuple(sorted(met))


def coded(sequences: pd.DataFrame) -> Coded:
    """
    Sequences as codes.

    Raises
    ------
    ValueError
        There is no sequence or no month, a cell is missing, or there are more than 255 labels.
    """
    if sequences.shape[0] == 0 or sequences.shape[1] == 0:
        raise ValueError(
            f"sequences: {sequences.shape[0]} person(s) and {sequences.shape[1]} month(s), nothing to code."
        )
    cells = sequences.to_numpy(dtype=object)
    missing = int(pd.isna(cells).sum())
    if missing:
        raise ValueError(f"sequences: {missing} cell(s) are missing: keep the persons who have a state in each month.")
    flat, met = pd.factorize(cells.ravel())
    labels = alphabet(met)
    if len(labels) > np.iinfo(np.uint8).max:
        raise ValueError(f"sequences: {len(labels)} labels are more than the 255 that can be told apart.")
    code = pd.Index(labels).get_indexer(met).astype(np.uint8)
    return Coded(code[flat].reshape(cells.shape), labels)


def distinct(codes: np.ndarray, weights: np.ndarray | None = None) -> Distinct:
    """The distinct rows of codes, each with the weight of all rows that are equal to it."""
    rows = np.ascontiguousarray(codes)
    # one value a row: bytes compare as the codes do
    keys = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return Distinct(first, which, np.bincount(which, weights=weights).astype(float))


def check_weights(weights, n: int) -> np.ndarray:
    """One positive weight a row; all 1 where none are given."""
    if weights is None:
        return np.ones(n)
    checked = np.asarray(weights, dtype=float)
    if checked.shape != (n,):
        raise ValueError(f"weights: {checked.shape} given, one for each of {n} rows is needed.")
    wrong = int((~(checked > 0) | ~np.isfinite(checked)).sum())
    if wrong:
        raise ValueError(f"weights: {wrong} value(s) are not positive numbers.")
    return checked


def run_lengths(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    The runs of equal codes: row, first month (from 0) and length of each, in order.

    Examples
    --------
    >>> [part.tolist() for part in run_lengths(np.array([[1, 1, 0], [2, 2, 2]]))]
    [[0, 0, 1], [0, 2, 0], [2, 1, 3]]
    """
    starts = np.ones(codes.shape, dtype=bool)
    starts[:, 1:] = codes[:, 1:] != codes[:, :-1]
    row, begin = np.nonzero(starts)
    following = np.append(begin[1:], 0)
    last = np.append(row[1:] != row[:-1], True)
    return row, begin, np.where(last, codes.shape[1], following) - begin


# ----------------------------------------------------------------------------------------------------

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
        The table `spells`, in order of person and spell.
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
    is_kept = (person >= 0) & (np.arange(len(spells)) >= np.append(first["position"], 0)[person])
    spells, start, person = spells[is_kept], start[is_kept], person[is_kept]
    home = first["region"].to_numpy(dtype=object)[person]
    states = _states(spells["zone"].to_numpy(dtype=object), spells["region"].to_numpy(dtype=object), home)

    grid = anniversaries(first["start"], months)
    cells = np.full(grid.shape, _UNKNOWN)
    for at, state, persons in _changes(spells, start, states, person):
        reached = grid[persons] >= at[:, None]
        cells[persons] = np.where(reached, state[:, None], cells[persons])
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
        [
            zone == METROPOLE,
            (zone == REGION) & ~nowhere & (region == home),
            (zone == REGION) & ~nowhere,
            zone == OUTSIDE_QUEBEC,
        ],
        [_METROPOLE, _HERE, _OTHER, _OUTSIDE],
        _UNKNOWN,
    )


def first_stays(spells: pd.DataFrame, start: np.ndarray) -> pd.DataFrame:
    """The first spell en région of each person: person_id, region, start (day) and position among the spells."""
    inside = np.flatnonzero(spells["zone"].eq(REGION).to_numpy())
    inside = inside[~spells["person_id"].iloc[inside].duplicated().to_numpy()]
    inside = inside[~np.isnat(start[inside]) & spells["region"].iloc[inside].notna().to_numpy()]
    stays = spells.iloc[inside][["person_id", "region"]].reset_index(drop=True)
    return stays.assign(start=start[inside].astype("datetime64[ns]"), position=inside)


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
