"""Beyond the retention curve: time in the region, moves, states occupied and the share settled for good.

Four measures, each with its counts and the months to which it is supported: `restricted_time` (restricted mean
months in the region, area under the main curve), `moves_per_person` (mean number of moves), `occupation` (in which
state persons are, month by month) and `settled_share` (for good, only where a plateau was observed). They use the
main fits of retention (`main_fits`) and so agree with the curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from ...study import Study
from ..main_fits import MainFit, main_fits
from .cure_fraction import settled_share
from .moves import moves_per_person
from .post_exit_states import occupation
from .restricted_mean import restricted_time

__all__ = [
    "Course",
    "MainFit",
    "course",
    "main_fits",
    "moves_per_person",
    "occupation",
    "restricted_time",
    "settled_share",
]


@dataclass(frozen=True)
class Course:
    """
    Tidy tables, each with measure, group, horizon (months), estimate, se, lower, upper, n_start, n_at_risk, known,
    method and note: `restricted_time` (also cause), `moves` (also kind), `occupation` (also state), `settled`.
    """

    restricted_time: pd.DataFrame
    moves: pd.DataFrame
    occupation: pd.DataFrame
    settled: pd.DataFrame


def course(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    spells: pd.DataFrame,
    moves: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    fits: Mapping[str, MainFit] | None = None,
) -> Course:
    """
    Time in the region, moves, occupation of states and share settled for good, by group.

    Parameters
    ----------
    cohort, contacts, spells, moves : DataFrame
        The tables `cohort`, `contacts`, `spells` and `moves`.
    study : Study
        Its horizons, support, pathway, replicates, draws and seed are used.
    groups : iterable of str, optional
        As for `retention`; not read where `fits` are given.
    fits : mapping of str to MainFit, optional
        The main fits, if already computed (`main_fits`).

    Returns
    -------
    Course

    Raises
    ------
    ValueError
        A group that is neither known nor of the form `column=value`.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> from trajectories.tables import MOVES, SPELLS, stack
    >>> cohort, contacts = told_stays(400, seed=1).tables()
    >>> cohort = cohort.assign(exit=None, establishment_earliest=pd.Timestamp("2020-01-01"),
    ...                        establishment_latest=pd.Timestamp("2020-01-01"))
    >>> study = Study(replicates=0, draws=2, horizons=(12,))
    >>> measures = course(cohort, contacts, stack([], SPELLS), stack([], MOVES), study=study, groups=["province"])
    >>> measures.settled["known"].tolist(), measures.occupation.shape[0]  # four states, month by month
    (['insufficient'], 52)
    """
    if fits is None:
        fits = main_fits(cohort, contacts, study=study, groups=groups)
    return Course(
        restricted_time(fits, study=study),
        moves_per_person(fits, spells, moves, study=study),
        occupation(fits, spells, study=study),
        settled_share(fits, study=study),
    )
