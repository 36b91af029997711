"""The table `cohort` of a build and its retention against the simulator's truth: who stayed where, and until when.

A person found stands for the true person of most of their records (`scoring.most_common`). « Rightly linked » are the
true persons who are whole and pure (`scoring.whole_and_pure`): what is wrong of them is no fault of the linkage; what
is wrong of everyone is the fault of the whole line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ..months import months_between
from ..study import SCOPES, Study
from ..tables import EXITS, PROVINCE
from .scoring import linked_rows, most_common, whole_and_pure
from .scoring_moves import DAY, shown_residences
from .simulation import Truth

# In months: what a day at either end can make of a duration.
SLACK = 0.05
STILL_THERE = "still_there"


def stay_scores(
    cohort: pd.DataFrame, persons: pd.DataFrame, truth: Truth, records: pd.DataFrame, *, cutoff: pd.Timestamp
) -> dict[str, float]:
    """
    True stays that were found, and found stays that nobody lived.

    A found stay and a true one are matched if they are of one person and one region and overlap: the true one began
    by the day on which the found one is last known to have lasted, and had not ended when the found one can have
    begun. Each is matched once, with the nearest in start: the other half of a stay cut in two is spurious.

    Parameters
    ----------
    cohort, persons : DataFrame
        The tables of those names.
    truth, records
        As for `scoring.known_rows`.
    cutoff : Timestamp
        The last day of observation (`Residences.cutoff`).

    Returns
    -------
    dict of str to float
        ``n_stays``, ``stays_found``: the true stays begun by the cut-off that some record tells of (`told_stays`), and
        the share found; ``stays_found_of_linked``: of the persons rightly linked; ``all_stays_found``: of all
        true stays begun by the cut-off, told or not. ``spurious_stays``: found stays without a match, for 100 persons
        with records, and ``spurious_stays_of_linked``; a stay in no known region is none if the person lived en
        région then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import build_cohort, build_spells, read_deposits
    >>> from trajectories.simulate import Settings, simulate, true_persons
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=5, organisations=2, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> persons = true_persons(truth, records)
    >>> residences = build_spells(records, persons)
    >>> cohort = build_cohort(residences, records, persons).cohort
    >>> stay_scores(cohort, persons, truth, records, cutoff=residences.cutoff)["stays_found"]
    1.0
    """
    rows = linked_rows(persons, truth, records)
    pure = whole_and_pure(rows)
    linked = pure.index[pure]
    true, found, pairs = match_stays(cohort, rows, truth, cutoff)
    told, of_linked = told_stays(true, truth, records), true["true_person"].isin(linked)
    was_found = true["true_stay"].isin(pairs["true_stay"])
    spurious = found[~found["stay"].isin(pairs["stay"]) & ~_somewhere(found, true)]
    return {
        "n_stays": float(told.sum()),
        "stays_found": float(was_found[told].mean()),
        "stays_found_of_linked": float(was_found[told & of_linked].mean()),
        "all_stays_found": float(was_found.mean()),
        "spurious_stays": 100 * len(spurious) / max(len(pure), 1),
        "spurious_stays_of_linked": 100 * int(spurious["true_person"].isin(linked).sum()) / max(len(linked), 1),
    }


def match_stays(
    cohort: pd.DataFrame, rows: pd.DataFrame, truth: Truth, cutoff: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """
    The true stays begun by the cut-off, the found ones, and those of both that are one (see `stay_scores`).

    Parameters
    ----------
    cohort, truth, cutoff
        As for `stay_scores`.
    rows : DataFrame
        true_person and person_id of each record (`scoring.linked_rows`).

    Returns
    -------
    true, found, pairs : DataFrame
        The true stays, with `true_stay` (their number) and `end` (exit or death); the cohort, with `stay` and
        `true_person`; both side by side, the columns of the cohort that have a namesake ending in `_found`.
    """
    true = truth.stays[truth.stays["establishment"] <= cutoff].reset_index(drop=True)
    deaths = truth.persons.set_index("true_person")["death_date"]
    true = true.assign(end=true["exit"].fillna(true["true_person"].map(deaths))).reset_index(names="true_stay")
    found = cohort.reset_index(drop=True).reset_index(names="stay")
    found["true_person"] = found["person_id"].map(most_common(rows, "person_id", "true_person"))
    pairs = true.merge(found, on=["true_person", "region"], suffixes=("", "_found"))
    pairs = pairs[_overlap(pairs)]
    gap = (pairs["establishment_latest"] - pairs["establishment"]).abs()
    pairs = pairs.assign(gap=gap).sort_values(["gap", "true_stay", "stay"])
    nearest = ~pairs["true_stay"].duplicated() & ~pairs["stay"].duplicated()
    return true, found, pairs[nearest].drop(columns="gap").sort_values("true_stay", ignore_index=True)


def told_stays(stays: pd.DataFrame, truth: Truth, records: pd.DataFrame) -> pd.Series:
    """
    Whether some record tells of each true stay: a residence of it is among `scoring_moves.shown_residences`.

    Parameters
    ----------
    stays : DataFrame
        True stays, as `match_stays` returns them.
    truth, records
        As for `scoring.known_rows`.

    Returns
    -------
    Series of bool
        In the order of the stays.
    """
    shown = shown_residences(truth, records)[["true_person", "region", "start"]]
    pairs = stays.merge(shown, on=["true_person", "region"])
    inside = (pairs["establishment"] <= pairs["start"]) & ~(pairs["end"] <= pairs["start"])
    return stays["true_stay"].isin(pairs.loc[inside, "true_stay"])


def exit_scores(
    cohort: pd.DataFrame, persons: pd.DataFrame, truth: Truth, records: pd.DataFrame, *, cutoff: pd.Timestamp
) -> dict[str, float]:
    """
    Whether the true end of a stay lies in the interval (lower, upper] of the one found.

    Of the persons rightly linked: the stays found that are used for retention (`excluded` is null) and are said to
    have ended. One that truly goes on, or ended by a death, lies outside.

    Parameters
    ----------
    cohort, persons, truth, records, cutoff
        As for `stay_scores`.

    Returns
    -------
    dict of str to float
        ``n_exits``; ``exits_inside``, the share inside; ``exit_causes_right``, of those with a known destination.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import build_cohort, build_spells, read_deposits
    >>> from trajectories.simulate import Settings, simulate, true_persons
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=40, organisations=4, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> persons = true_persons(truth, records)
    >>> residences = build_spells(records, persons)
    >>> cohort = build_cohort(residences, records, persons).cohort
    >>> exit_scores(cohort, persons, truth, records, cutoff=residences.cutoff)["exit_causes_right"]
    1.0
    """
    rows = linked_rows(persons, truth, records)
    pure = whole_and_pure(rows)
    _, _, pairs = match_stays(cohort, rows, truth, cutoff)
    said = pairs["exit_found"].notna() & pairs["excluded"].isna()
    pairs = pairs[said & pairs["true_person"].isin(pure.index[pure])]
    lasted = np.where(pairs["exit"].notna(), months_between(pairs["establishment"], pairs["exit"]), np.inf)
    inside = (pairs["lower"] - SLACK <= lasted) & (lasted <= pairs["upper"] + SLACK)
    known = pairs["exit_found"].isin(EXITS[:3])
    return {
        "n_exits": float(len(pairs)),
        "exits_inside": float(inside.mean()),
        "exit_causes_right": float(pairs["exit_found"].eq(pairs["exit_cause"])[known].mean()),
    }


def realised_retention(truth: Truth, cutoff: pd.Timestamp, horizon: float) -> float:
    """
    Share of the true stays begun by the cut-off that last beyond a horizon, known to anybody or not.

    Parameters
    ----------
    truth, cutoff
        As for `stay_scores`.
    horizon : float
        Months since the establishment. Those who die count by the length that their stay would have had.

    Returns
    -------
    float
        In 0–1.
    """
    stays = truth.stays
    return float((stays.loc[stays["establishment"] <= cutoff, "months"] > horizon).mean())


def realised(
    truth: Truth,
    months: Iterable[float],
    *,
    cutoff: pd.Timestamp,
    since: pd.Timestamp | None = None,
    scope: str = "region",
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """
    The truth that an estimate is held against: who is still there, and who has left for where, known to anybody or not.

    Parameters
    ----------
    truth : Truth
        Of a simulation.
    months : iterable of float
        Months since the establishment.
    cutoff, since : Timestamp
        The stays begun by the one (`Residences.cutoff`) and from the other on (default: all).
    scope : {"region", "any_region"}
        Retention in the region, or anywhere en région: a move from one region to another is then no exit.
    among : mapping of str to str, optional
        Only the stays with these values in these columns of `truth.stays`, such as ``{"region": "03"}``.

    Returns
    -------
    DataFrame
        cause (`STILL_THERE` or an exit), month, share (0–1; the shares of a month sum to 1; NaN of no stay). Death only
        censors: those who die count by the length their stay would have had, and an exit that the death forestalled
        is shared out over the destinations as the others' by that month.

    Raises
    ------
    ValueError
        The scope is none of the two.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories.simulate import Settings, simulate
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=40, organisations=2))
    >>> shares = realised(truth, [12], cutoff=pd.Timestamp("2025-12-31")).set_index("cause")["share"]
    >>> float(shares.sum().round(9)), bool(shares["still_there"] > 0.7)
    (1.0, True)
    """
    if scope not in SCOPES:
        raise ValueError(f"scope is {scope!r}: choose one of {', '.join(SCOPES)}.")
    stays = truth.stays if scope == "region" else _joined(truth.stays)
    chosen = stays["establishment"] <= cutoff
    if since is not None:
        chosen &= stays["establishment"] >= since
    for column, value in (among or {}).items():
        chosen &= stays[column].eq(value)
    lasted, cause = stays.loc[chosen, "months"], stays.loc[chosen, "exit_cause"]
    found = []
    for month in months:
        staying = float((lasted > month).mean())
        left = cause[lasted <= month].value_counts().reindex(EXITS[:3], fill_value=0)
        shares = (1 - staying) * left / max(int(left.sum()), 1)
        found += [(STILL_THERE, month, staying), *((exit_, month, float(share)) for exit_, share in shares.items())]
    return pd.DataFrame(found, columns=["cause", "month", "share"])


def _joined(stays: pd.DataFrame) -> pd.DataFrame:
    """Stays that follow each other from one region to the next as one, from the first's start to the last's end."""
    stays = stays.sort_values(["true_person", "episode"], ignore_index=True)
    before = stays.shift()
    goes_on = (
        stays["true_person"].eq(before["true_person"])
        & before["exit_cause"].eq("other_region")
        & stays["establishment"].eq(before["exit"])
    )
    first = stays[~goes_on].reset_index(drop=True)
    last = stays[~goes_on.shift(-1, fill_value=False)].reset_index(drop=True)
    until_last = months_between(first["establishment"], last["establishment"])
    exact = months_between(first["establishment"], last["exit"])
    return first.assign(
        exit=last["exit"], exit_cause=last["exit_cause"],
        months=np.where(last["exit"].notna(), exact, until_last + last["months"]),
    )  # fmt: skip


def retention_scores(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    truth: Truth,
    *,
    cutoff: pd.Timestamp,
    horizons: tuple[int, ...] = (12, 24),
) -> dict[str, float]:
    """
    The estimated retention of the province (the main method, by `survival.interval_incidence`) and its error.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables of those names.
    truth, cutoff
        As for `stay_scores`.
    horizons : tuple of int
        Months since the establishment.

    Returns
    -------
    dict of str to float
        For each horizon: ``s12`` (the estimate), ``s12_realised`` (`realised_retention`), ``s12_error`` (their
        difference).

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import build_cohort, build_spells, read_deposits
    >>> from trajectories.simulate import Settings, simulate, true_persons
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=40, organisations=4, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> persons = true_persons(truth, records)
    >>> residences = build_spells(records, persons)
    >>> drawn = build_cohort(residences, records, persons)
    >>> scores = retention_scores(drawn.cohort, drawn.contacts, truth, cutoff=residences.cutoff, horizons=(12,))
    >>> abs(scores["s12_error"]) < 0.2
    True
    """
    from ..retention import retention

    study = replace(Study(), replicates=0, horizons=tuple(horizons))
    table = retention(cohort, contacts, study=study, groups=[PROVINCE])
    estimates = table[table["method"].eq("main")].set_index("horizon")["estimate"]
    return errors({horizon: float(estimates[horizon]) for horizon in horizons}, truth, cutoff)


def errors(estimates: dict[int, float], truth: Truth, cutoff: pd.Timestamp) -> dict[str, float]:
    """
    Estimates of retention by horizon beside what was realised, as `retention_scores` returns them.

    Parameters
    ----------
    estimates : dict of int to float
        Horizon (months) to estimate.
    truth, cutoff
        As for `stay_scores`.

    Returns
    -------
    dict of str to float
        Three numbers a horizon.
    """
    found = {}
    for horizon, estimate in estimates.items():
        realised = realised_retention(truth, cutoff, horizon)
        found |= {
            f"s{horizon}": estimate, f"s{horizon}_realised": realised, f"s{horizon}_error": estimate - realised
        }  # fmt: skip
    return found


def _overlap(pairs: pd.DataFrame) -> pd.Series:
    """Whether a true stay and a found one can be one (see `stay_scores`)."""
    can_begin = pairs["establishment_earliest"].fillna(pairs["establishment_latest"])
    later = months_between(pairs["establishment_latest"], pairs["establishment"])
    return ~(pairs["end"] + DAY < can_begin) & (later <= pairs["lower"] + SLACK)


def _somewhere(found: pd.DataFrame, true: pd.DataFrame) -> pd.Series:
    """Stays of no known region that overlap a true one."""
    nowhere = found[found["region"].isna()].drop(columns="region")
    pairs = true.merge(nowhere, on="true_person", suffixes=("", "_found"))
    return found["stay"].isin(pairs.loc[_overlap(pairs), "stay"])
