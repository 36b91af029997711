"""The mean number of moves a person has made by so many months after settling.

Moves are known only from sightings elsewhere, so it is unknown when a person without a move would have been seen. The
number is bounded from both sides: `no_news_no_move` follows everyone to the cut-off (or death)
and puts a move at the last day on which it may have been; it is too low by the moves that nobody heard of.
`while_seen` follows each person to the last day on which they were seen anywhere, and puts a move at its first day; who
moved is seen because of it, and it is too high where few are seen without a move. Both miss moves that nobody saw in
between. A departure to an unknown place is a move (kind `left`), though the table of moves has no row of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...months import months_between
from ...study import Study
from ...tables import MOVE_KINDS
from ..main_fits import MainFit

COLUMNS = (
    "measure", "group", "kind", "horizon", "estimate", "se", "lower", "upper", "n_start", "n_at_risk", "n_moves",
    "known", "method", "note",
)  # fmt: skip
MEASURE, ALL, LEFT = "moves_per_person", "all", "left"
METHODS = {
    "no_news_no_move": "followed to the cut-off; too low by the moves that nobody heard of",
    "while_seen": "followed to the last day seen anywhere; too high, since a move makes a person seen",
}
# Of two moves known by the same day, the second comes an instant after; a day is at least 0.03 months.
_INSTANT = 1e-4


def moves_per_person(
    fits: Mapping[str, MainFit], spells: pd.DataFrame, moves: pd.DataFrame, *, study: Study
) -> pd.DataFrame:
    """
    Mean number of moves a person after the establishment (Lawless & Nadeau 1995), clustered on households.

    Parameters
    ----------
    fits : mapping of str to MainFit
        As `main_fits` returns them: for the stays of each group. A person counts once, from the first of them.
    spells, moves : DataFrame
        The tables `spells` (person_id, outcome, ends, last_confirmed) and `moves` (person_id, kind, earliest, latest).
    study : Study
        Its horizons and support are used.

    Returns
    -------
    DataFrame
        measure (`moves_per_person`), group, kind (`all`, one of `MOVE_KINDS`, or `left`: to an unknown place; the
        kinds add up to all), horizon (months), estimate, se, lower, upper (moves a person), n_start (persons),
        n_at_risk (persons observed at the horizon), n_moves (known by then), known, method (`no_news_no_move`,
        `while_seen`), note. With fewer at risk than the support, or where the curve itself is not supported
        (`while_seen`: not by presences), a horizon is `insufficient` and has no estimate.

    Examples
    --------
    >>> from trajectories.retention.course import main_fits
    >>> from trajectories.simulate import told_stays
    >>> from trajectories.tables import SPELLS, stack
    >>> cohort, contacts = told_stays(400, seed=1).tables()
    >>> cohort["establishment_latest"], study = pd.Timestamp("2020-01-01"), Study(replicates=0, horizons=(12,))
    >>> fits = main_fits(cohort, contacts, study=study, groups=["province"])
    >>> day = pd.to_datetime(["2020-06-01"])  # somebody went back to the metropole
    >>> moves = pd.DataFrame({"person_id": ["0"], "kind": "return", "earliest": day, "latest": day})
    >>> table = moves_per_person(fits, stack([], SPELLS), moves, study=study)
    >>> table.query("method == 'while_seen'")[["kind", "horizon", "n_moves"]].values.tolist()
    [['all', 12, 1], ['return', 12, 1]]
    """
    events = _events(spells, moves)
    last_seen = spells.groupby("person_id")["last_confirmed"].max()
    died = spells[spells["outcome"].eq("deceased")].groupby("person_id")["end_latest"].min()
    tables = [
        _of_group(group, fit, events, last_seen, died, method, study)
        for group, fit in fits.items()
        for method in METHODS
    ]
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)] if tables else pd.DataFrame(columns=list(COLUMNS))


def _events(spells: pd.DataFrame, moves: pd.DataFrame) -> pd.DataFrame:
    """Every move, and every departure to an unknown place: person_id, kind, earliest, latest."""
    departures = spells[spells["outcome"].eq("left")]
    departures = departures.rename(columns={"end_earliest": "earliest", "end_latest": "latest"}).assign(kind=LEFT)
    columns = ["person_id", "kind", "earliest", "latest"]
    return pd.concat([moves[columns], departures[columns]], ignore_index=True)


def _of_group(
    group: str, fit: MainFit, events: pd.DataFrame, last_seen: pd.Series, died: pd.Series, method: str, study: Study
) -> pd.DataFrame:
    first = fit.stays.sort_values(["person_id", "episode"]).drop_duplicates("person_id").reset_index(drop=True)
    rows = _at_risk(first, events, last_seen, died, method)
    kinds = [ALL, *(kind for kind in (*MOVE_KINDS, LEFT) if rows["kind"].eq(kind).any())]
    carried = fit.at(study.horizons)["known"]
    carried = carried.eq("observed") if method == "while_seen" else carried.ne("insufficient")
    table = pd.concat([_curve_at(rows, kind, carried.to_numpy(), study) for kind in kinds], ignore_index=True)
    return table.assign(measure=MEASURE, group=group, n_start=len(first), method=method, note=METHODS[method])


def _at_risk(
    first: pd.DataFrame, all_events: pd.DataFrame, last_seen: pd.Series, died: pd.Series, method: str
) -> pd.DataFrame:
    """Rows (start, stop] of persons in months since the establishment, each ended by a move or by nothing."""
    start = first["establishment_latest"]
    begun = first[["person_id", "household_id", "entry"]].assign(since=start, who=first.index)
    events = all_events.merge(begun, on="person_id")
    events = events[events["latest"] > events["since"]]
    until_death = months_between(start, first["person_id"].map(died).astype("datetime64[ns]"))
    end = np.fmin(first["cutoff"].to_numpy(dtype=float), until_death)
    day = events["latest"]
    if method == "while_seen":
        end = np.fmin(end, months_between(start, first["person_id"].map(last_seen).astype("datetime64[ns]")))
        day = events["earliest"].fillna(events["latest"])
    # a person enters the sample only if still there when first noted: no move before entry
    month = np.maximum(months_between(events["since"], day), events["entry"].to_numpy(dtype=float) + _INSTANT)
    events = events.assign(month=month).sort_values(["who", "month", "latest"], kind="stable", ignore_index=True)
    events["month"] += _INSTANT * events.groupby(["who", "month"]).cumcount()
    closing = begun.assign(month=np.where(np.isnan(end), begun["entry"], end), kind=None)
    last = events.groupby("who")["month"].max().reindex(closing["who"]).to_numpy()
    columns = ["who", "household_id", "entry", "month", "kind"]
    # a person with a move was observed until it
    parts = [events[columns], closing.loc[~(closing["month"].to_numpy() <= last), columns]]
    rows = pd.concat([part for part in parts if len(part)] or parts[1:], ignore_index=True)
    rows = rows.sort_values(["who", "month"], kind="stable", ignore_index=True)
    rows["start"] = rows.groupby("who")["month"].shift().fillna(rows["entry"])
    return rows[rows["month"] > rows["start"] + _INSTANT / 10].reset_index(drop=True)


def _curve_at(rows: pd.DataFrame, kind: str, carried: np.ndarray, study: Study) -> pd.DataFrame:
    from ...survival import mean_cumulative

    horizons = np.array(study.horizons, dtype=float)
    start, stop = (rows[name].to_numpy(dtype=float) for name in ("start", "month"))
    at_risk = np.array([int(((start < h) & (stop >= h)).sum()) for h in horizons])
    is_move = (rows["kind"].notna() if kind == ALL else rows["kind"].eq(kind)).to_numpy(dtype=bool)
    estimates = np.zeros((len(horizons), 5))
    if len(rows):
        curve = mean_cumulative(rows["who"], start, stop, is_move.astype(int), cluster=rows["household_id"])
        position = np.searchsorted(curve["time"].to_numpy(), horizons + 10 * _INSTANT, side="right") - 1
        values = np.column_stack([curve[["mean", "se", "lower", "upper"]], curve["n_event"].cumsum()])
        estimates = np.where(position[:, None] >= 0, values[np.maximum(position, 0)], 0.0)
    supported = (at_risk >= study.support) & carried
    shown = np.where(supported[:, None], estimates[:, :4], np.nan)
    return pd.DataFrame(
        {
            "kind": kind,
            "horizon": list(study.horizons),
            "estimate": shown[:, 0],
            "se": shown[:, 1],
            "lower": shown[:, 2],
            "upper": shown[:, 3],
            "n_at_risk": at_risk,
            "n_moves": estimates[:, 4].astype(int),
            "known": np.where(supported, "observed", "insufficient"),
        }
    )
