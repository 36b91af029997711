"""The table `moves` of a build against the simulator's truth, and what the deposits could show of the true lives.

Nobody can find a residence that no row tells of. `shown_residences` are the true residences that some record places
without doubt, and the moves between them are those to be found.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION
from .scoring import known_rows, linked_rows, most_common, whole_and_pure
from .simulation import Truth

DAY = pd.Timedelta(days=1)
# A departure from the metropole is typed up to three days before the establishment that follows it.
BETWEEN_TWO_REPORTS = 3 * DAY
# Of `Truth.rows`: dates from which a day can be known, and places from which a municipality can.
_READABLE = ("day", "month", "quarter", "year")
_DETERMINABLE = ("exact", "variant", "slip", "alias", "qualified")


def shown_residences(truth: Truth, records: pd.DataFrame) -> pd.DataFrame:
    """
    The true residences that some record shows, in order of person and time.

    A residence is shown by a service or a « présent » there, an establishment there, the old address of an
    establishment row, or a departure for it: the date typed readably and the place in a way that leaves no doubt
    (`date_form` and the forms of `Truth.rows`). Of the others, such as one between two visits or a homonym, a
    reconstruction may be silent.

    Parameters
    ----------
    truth, records
        As for `scoring.known_rows`.

    Returns
    -------
    DataFrame
        The columns of `truth.residences`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import read_deposits
    >>> from trajectories.simulate import Settings, simulate
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=20, organisations=4, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> len(shown_residences(truth, records)) < len(truth.residences)
    True
    """
    rows = known_rows(truth, records)
    lived = truth.residences.sort_values(["true_person", "start"], ignore_index=True)
    lived["where"] = lived["municipality"].where(lived["zone"].ne(OUTSIDE_QUEBEC), OUTSIDE_QUEBEC)
    seen = pd.concat([_presences(rows), _departures(rows, lived)])
    pairs = lived.reset_index(names="residence").merge(seen, on=["true_person", "where"])
    there = (pairs["start"] <= pairs["day"]) & ~(pairs["end"] <= pairs["day"])
    shown = lived.index.isin(pairs.loc[there, "residence"])
    return lived[shown].drop(columns="where").reset_index(drop=True)


def true_moves(residences: pd.DataFrame) -> pd.DataFrame:
    """
    The moves from each residence to the person's next one elsewhere.

    Parameters
    ----------
    residences : DataFrame
        `truth.residences`, or those shown (one that is left out makes one move of two), in order of person and time.

    Returns
    -------
    DataFrame
        true_person, day, kind (the words of design.md; all of a true move is known, so none is undetermined).

    Examples
    --------
    >>> lived = pd.DataFrame({"true_person": [1, 1, 1], "start": pd.to_datetime(["2019-05-01"] * 3),
    ...                       "municipality": ["66023", "23027", "58227"], "region": ["06", "03", "16"],
    ...                       "zone": ["metropole", "region", "metropole"], "place": ["", "", ""]})
    >>> true_moves(lived)["kind"].tolist()
    ['secondary', 'return']
    """
    before = residences.shift()
    other = residences["municipality"].ne(before["municipality"]) | residences["place"].ne(before["place"])
    origin, target = before["zone"], residences["zone"]
    kind = np.select(
        [
            target.eq(OUTSIDE_QUEBEC),
            origin.eq(OUTSIDE_QUEBEC),
            origin.eq(METROPOLE) & target.eq(REGION),
            origin.eq(REGION) & target.eq(METROPOLE),
            origin.eq(REGION) & residences["region"].ne(before["region"]),
        ],
        ["out_of_quebec", "arrival", "secondary", "return", "onward"],
        "within",
    )
    moves = residences[["true_person", "start"]].rename(columns={"start": "day"}).assign(kind=kind)
    return moves[residences["true_person"].eq(before["true_person"]) & other].reset_index(drop=True)


def move_scores(
    moves: pd.DataFrame, persons: pd.DataFrame, truth: Truth, records: pd.DataFrame
) -> dict[str, float]:  # fmt: skip
    """
    The kinds of the moves found against those of the true moves.

    A found move and a true one agree if they are of one person and one kind and the true day lies in the interval of
    the found one (to `BETWEEN_TWO_REPORTS`); each agrees with one other at most, the nearest. Recall is the share
    found of the true moves that the deposits could show, those between consecutive `shown_residences`. Precision is
    the share of the found moves that agree with one of these, or with one of the whole true history: a homonym that
    is settled rightly is no error.

    Parameters
    ----------
    moves, persons : DataFrame
        The tables of those names.
    truth, records
        As for `scoring.known_rows`.

    Returns
    -------
    dict of str to float
        ``n_moves`` (those that could be shown), ``move_precision``, ``move_recall`` and their ``move_f1``, over all
        kinds together (micro); the same three with ``_of_linked``, of the persons rightly linked.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import build_spells, read_deposits
    >>> from trajectories.simulate import Settings, simulate, true_persons
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=5, organisations=2, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> persons = true_persons(truth, records)
    >>> move_scores(build_spells(records, persons).moves, persons, truth, records)["move_f1"]
    1.0
    """
    rows = linked_rows(persons, truth, records)
    pure = whole_and_pure(rows)
    found = moves.assign(true_person=moves["person_id"].map(most_common(rows, "person_id", "true_person")))
    shown = true_moves(shown_residences(truth, records))
    whole = true_moves(truth.residences.sort_values(["true_person", "start"], ignore_index=True))
    scores = {"n_moves": float(len(shown))}
    for suffix, chosen in (("", pure.index), ("_of_linked", pure.index[pure])):
        mine, told, lived = (
            frame[frame["true_person"].isin(chosen)].reset_index(drop=True) for frame in (found, shown, whole)
        )
        agreeing = _agreeing(mine, told)
        right = np.union1d(agreeing, _agreeing(mine, lived))
        precision, recall = len(right) / max(len(mine), 1), len(agreeing) / max(len(told), 1)
        scores[f"move_precision{suffix}"], scores[f"move_recall{suffix}"] = precision, recall
        scores[f"move_f1{suffix}"] = 2 * precision * recall / max(precision + recall, 1e-12)
    return scores


def _agreeing(found: pd.DataFrame, true: pd.DataFrame) -> np.ndarray:
    """Positions of the found moves that agree with a true one of their own."""
    pairs = true.reset_index(names="true").merge(found.reset_index(names="found"), on=["true_person", "kind"])
    too_early = pairs["latest"] < pairs["day"] - BETWEEN_TWO_REPORTS
    too_late = pairs["earliest"] > pairs["day"] + BETWEEN_TWO_REPORTS
    pairs = pairs[~too_early & ~too_late]
    pairs = pairs.assign(gap=(pairs["latest"] - pairs["day"]).abs()).sort_values(["gap", "true", "found"])
    return pairs.loc[~pairs["true"].duplicated() & ~pairs["found"].duplicated(), "found"].to_numpy()


def _presences(rows: pd.DataFrame) -> pd.DataFrame:
    """Where records show a person to have been: true_person, where, day."""
    rows = rows[rows["date_form"].isin(_READABLE)]
    settled = rows["kind"].eq("establishment")
    there = rows["kind"].eq("service") | rows["status"].eq("present")
    typed = rows["residence_form"].isin(_DETERMINABLE)
    parts = (
        (there & typed, "residence_code", 0 * DAY),
        (settled & typed, "residence_code", -DAY),  # the old address: the day before
        (settled & rows["destination_form"].isin(_DETERMINABLE), "destination_code", 0 * DAY),
    )
    found = [
        pd.DataFrame({"true_person": part["true_person"], "where": part[column], "day": part["event_date"] + shift})
        for part, column, shift in ((rows[chosen], column, shift) for chosen, column, shift in parts)
    ]
    return pd.concat(found)


def _departures(rows: pd.DataFrame, lived: pd.DataFrame) -> pd.DataFrame:
    """Where departures led, from the day they were for; one without a date is of any such departure of the person."""
    gone = rows[rows["kind"].eq("departure") | rows["status"].eq("left")]
    gone = gone[gone["destination_form"].isin([*_DETERMINABLE, "outside"])]
    abroad = gone["destination_form"].eq("outside")
    regions = lived.drop_duplicates("municipality").set_index("municipality")["region"]
    gone = gone.assign(
        where=gone["destination_code"].mask(abroad, OUTSIDE_QUEBEC), left=gone["residence_code"].map(regions)
    )
    begun = lived.assign(left=lived.groupby("true_person")["region"].shift(), day=lived["start"])
    pairs = gone.merge(begun[["true_person", "where", "left", "day"]], on=["true_person", "where", "left"])
    of_that_day = pairs["exit_date"].isna() | pairs["exit_date"].eq(pairs["day"])
    return pairs.loc[of_that_day, ["true_person", "where", "day"]]
