"""Observations → residence spells → moves.

A spell is a maximal run of observations in one municipality. Its start and its end are intervals: the earliest and
the latest day that the evidence allows (design.md, rule 1). A move known only to lie between two observations stays
an interval; a reported date of establishment or departure narrows it to that date's own precision.

The line is evidence.py (codes, in order) → departures.py and addresses.py (which observation counts) → sequence.py (in
which order) → start_dates.py (the reported starts) → spell_intervals.py (the two intervals of each spell) → here,
spells as a table → moves.py. All rules work on arrays in order of person and date, without a loop over
persons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..display import as_html, plot, to_frame
from ..study import Study
from ..tables import CONFLICTS, MOVE_KINDS, MOVES, NO_NEWS, OUTCOMES, SPELLS, ZONES, Table, without_categories
from .addresses import read_addresses
from .coding import MISSING, NO_DAY, Words, dates, days, decode
from .departures import date_anew, departure_before_presence, news_already_known
from .evidence import (
    DEPARTURE,
    FOLLOW_UP,
    NOWHERE_KNOWN,
    WORKERS,
    Aside,
    Decision,
    Evidence,
    Rows,
    encode_observations,
    in_words,
)
from .moves import moves_of, number_within
from .observations import READ, build_observations, contact_days, filed, in_perimeter, quarter_ends
from .sequence import Runs, Settled, find_runs, in_fewest_moves, left_by
from .spell_intervals import Span, ends, gone_after, in_turn, reported_departures, starts
from .start_dates import reported_starts

# Rows in a part that a thread works on, about: few enough that the allocator reuses the memory of the part before, many
# enough that the overhead of a part is small.
PART = 1 << 18
NO_DAY_TOLD = pd.Timestamp("2200-01-01")
_MOVED, _PRESENT, _LOST, _LEFT, _DECEASED = range(len(OUTCOMES))


@dataclass(frozen=True)
class Residences:
    """Where persons lived: observations, spells, moves and conflicts, for one perimeter, up to the cut-off."""

    observations: pd.DataFrame
    spells: pd.DataFrame
    moves: pd.DataFrame
    conflicts: pd.DataFrame
    perimeter: str
    cutoff: pd.Timestamp

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame


def cutoff_of(study: Study, records: pd.DataFrame) -> pd.Timestamp:
    """
    The last day of observation: the study's, else the end of the last quarter deposited.

    Never the machine's clock. Records that name no quarter count by the last date of service or follow-up.
    """
    if study.cutoff is not None:
        return pd.Timestamp(study.cutoff)
    last = quarter_ends(records).max()
    if pd.isna(last):
        last = records[["service_date_latest", "follow_up_date_latest", "deposit_date"]].max().max()
    return last if pd.notna(last) else NO_DAY_TOLD


def build_spells(records: pd.DataFrame, persons: pd.DataFrame, *, study: Study | None = None) -> Residences:
    """
    Reconstruct where each person lived.

    Parameters
    ----------
    records, persons : DataFrame
        The tables `records` (the columns `observations.READ`) and `persons` (record_id, person_id, household_id).
    study : Study, optional
        Its `perimeter`, `cutoff` and `grace_days` are used. Zones are those of this perimeter, whatever perimeter
        the records were read for.

    Returns
    -------
    Residences
        observations (all of them), spells, moves, conflicts, perimeter, cutoff.

    Notes
    -----
    `end_latest` is NaT while a spell is open; `end_earliest` is then the last confirmed presence. A spell that is
    open at the last news is `present`, or `lost` where a later contact failed.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> _, records, persons = example_tables()
    >>> residences = build_spells(records, persons)
    >>> residences.spells[["person_id", "region", "outcome"]].values.tolist()
    [['a', '05', 'present'], ['b', '05', 'present']]
    >>> str(residences.cutoff.date())  # the records name no quarter: the day of the last service
    '2022-03-31'
    """
    study = study or Study()
    cutoff = cutoff_of(study, records)
    records, record_persons = without_categories(records), persons[["record_id", "person_id"]]
    observations = build_observations(in_perimeter(records[list(READ)], study.perimeter), record_persons, cutoff)
    spells, moves, conflicts, changed = _reconstructed(
        observations,
        grace_days=study.grace_days,
        households=persons.drop_duplicates("person_id").set_index("person_id")["household_id"],
        arrivals=_arrivals(records, record_persons),
        failed=_failed_contacts(records, record_persons, cutoff),
    )
    return Residences(_as_read(observations, changed), spells, moves, conflicts, study.perimeter, cutoff)


def _as_read(observations: pd.DataFrame, changed: pd.DataFrame) -> pd.DataFrame:
    """The observations with the places filled in for « présent », and why an address does not count (`aside`)."""
    columns = {"aside": np.full(len(observations), None, dtype=object)}
    columns |= {
        name: observations[name].to_numpy(dtype=object, copy=True) for name in ("municipality", "region", "zone")
    }
    for name, values in columns.items():
        values[changed["row"]] = changed[name]
    return observations.assign(**columns)


def reconstruct(
    observations: pd.DataFrame,
    *,
    grace_days: int = Study.grace_days,
    households: pd.Series | None = None,
    arrivals: pd.Series | None = None,
    failed: pd.Series | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """
    Spells, moves and conflicts from observations.

    Parameters
    ----------
    observations : DataFrame
        As `build_observations` returns them, in any order; text columns may be categories, which is faster.
    grace_days : int
        How long after an explicit report a repeated old address is no news.
    households, arrivals, failed : Series indexed by person_id, optional
        The household (without it each person is one), the earliest day of arrival in Québec, and the last day on
        which a scheduled contact failed.

    Returns
    -------
    spells, moves, conflicts : DataFrame

    Examples
    --------
    >>> observations = pd.DataFrame({"person_id": "p", "earliest": pd.to_datetime(["2021-01-10", "2021-06-20"]),
    ...     "latest": pd.to_datetime(["2021-01-10", "2021-06-20"]), "municipality": ["66023", "43027"],
    ...     "region": ["06", "05"], "zone": ["metropole", "region"], "kind": "service", "organisation_id": "R1",
    ...     "record_id": ["r1", "r2"], "told": pd.Timestamp("2021-06-30"), "organisation_zone": "region",
    ...     "in_person_metropole": False, "origin_region": None, "origin_zone": None, "died": False})
    >>> spells, moves, conflicts = reconstruct(observations)
    >>> moves[["kind", "earliest", "latest"]].astype(str).values.tolist()
    [['secondary', '2021-01-10', '2021-06-20']]
    """
    return _reconstructed(observations, grace_days, households, arrivals, failed)[:3]


def _reconstructed(
    observations: pd.DataFrame,
    grace_days: int,
    households: pd.Series | None,
    arrivals: pd.Series | None,
    failed: pd.Series | None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What `reconstruct` returns, and the observations that a rule placed or set aside (row, place, aside)."""
    observed = encode_observations(observations)
    arrived, unreached = (_days_of(dates, observed.persons) for dates in (arrivals, failed))
    household = observed.persons if households is None else households.reindex(observed.persons).to_numpy(dtype=object)
    places: dict[str, Words] = {"municipality": observed.towns, "region": observed.regions, "zone": ZONES}
    words: dict[str, Words] = {
        "person_id": observed.persons,
        "household_id": household,
        **places,
        "outcome": OUTCOMES,
        "destination_zone": ZONES,
        "kind": MOVE_KINDS,
        **{f"{side}_{name}": those for side in ("origin", "destination") for name, those in places.items()},
    }

    with ThreadPoolExecutor(WORKERS) as executor:
        done = executor.map(lambda part: _reconstruct(part, grace_days, arrived, unreached), observed.parts(PART))
        spells, moves, decisions, changed = zip(*done, strict=True)
        conflicts = executor.submit(_conflicts, [decision for part_rows in decisions for decision in part_rows])
        changed_columns = {name: np.concatenate([part_rows[name] for part_rows in changed]) for name in changed[0]}
        changed_columns = {
            name: decode(changed_columns[name], {**places, "aside": NO_NEWS}[name])
            if name != "row"
            else changed_columns[name]
            for name in changed_columns
        }
        return (
            _table(SPELLS, spells, words, executor),
            _table(MOVES, moves, words, executor),
            conflicts.result(),
            pd.DataFrame(changed_columns),
        )


def _table(table: Table, parts: Sequence[Rows], words: dict[str, Words], executor: Executor) -> pd.DataFrame:
    """A table from the codes and day numbers of its parts, column by column."""

    def column(name: str) -> np.ndarray:
        values, column_type = np.concatenate([part[name] for part in parts]), table.columns[name].type
        return (
            decode(values, words[name]) if column_type == "text" else dates(values) if column_type == "date" else values
        )

    return pd.DataFrame(dict(zip(table.columns, executor.map(column, table.columns), strict=True)), copy=False)


def _conflicts(decisions: Sequence[Decision]) -> pd.DataFrame:
    return pd.DataFrame(in_words(decisions)).sort_values(list(CONFLICTS.columns), ignore_index=True)


def _reconstruct(
    part: Callable[[], Evidence], grace_days: int, arrivals: np.ndarray, failed: np.ndarray
) -> tuple[Rows, Rows, list[Decision], Rows]:
    """Apply the rules in turn to one part: its spells, moves, decisions and changed observations."""
    evidence = part()
    settled, decisions, asides, changed = settle(evidence, grace_days)
    runs = find_runs(settled)
    reported, decided = reported_starts(runs)
    spells = _spells(runs, settled, Span(*reported), arrivals, failed)
    moves = moves_of(spells, np.flatnonzero(spells["outcome"] == _MOVED))
    return spells, moves, [*decisions, *decided, *(aside.unless_inside(spells) for aside in asides)], changed


def settle(evidence: Evidence, grace_days: int) -> tuple[Settled, list[Decision], list[Aside], Rows]:
    """
    The observations that count, in the order of what happened, and what was decided against the others.

    Parameters
    ----------
    evidence : Evidence
        All observations of some persons; rows that a rule dates or places anew are changed in place.
    grace_days : int
        How long after the last report of somebody en région an address of the metropole is surely a repetition.

    Returns
    -------
    Settled, list of Decision, list of Aside, dict of arrays
        The asides become conflicts unless a spell contains them. The last holds the row numbers of the observations
        placed or set aside, with their place and the rule (`NO_NEWS`) as codes.
    """
    contradicted = departure_before_presence(evidence)
    placed = np.flatnonzero(~evidence.nowhere())
    at, by = left_by(evidence.take(placed))
    date_anew(evidence, placed[at], None, by)
    no_news, vague = read_addresses(evidence, grace_days)
    changed = _changed(evidence, no_news)
    departures = np.flatnonzero(evidence.of_kind(DEPARTURE))
    died = evidence.table_column("died", departures).to_numpy(dtype=bool)
    nowhere = evidence.nowhere()
    leaves = np.zeros(len(evidence), dtype=bool)
    leaves[departures] = nowhere[departures] | died
    counts = leaves | ~nowhere
    for aside in no_news:
        counts[aside.at] = False
    already_known, unplaced = news_already_known(evidence, counts, leaves, departures, died)
    counts[already_known.at] = False
    counts[unplaced] = False
    decisions = [contradicted, *(aside.decision() for aside in no_news)]
    return in_fewest_moves(evidence.take(counts), leaves[counts]), decisions, [already_known, vague], changed


def _changed(evidence: Evidence, no_news: list[Aside]) -> Rows:
    """The rows whose place a rule gave, or whose address does not count."""
    aside = np.full(len(evidence), MISSING, dtype=np.int8)
    for set_aside in no_news:
        aside[set_aside.at] = NO_NEWS.index(set_aside.rule)
    placed = np.flatnonzero((evidence.kind == FOLLOW_UP) | (aside >= 0))
    differs = aside[placed] >= 0
    for name in ("town", "region", "zone"):
        differs |= getattr(evidence, name)[placed] != evidence.observed.columns[name][evidence.row[placed]]
    rows = placed[differs]
    return {
        "row": evidence.row[rows],
        "municipality": evidence.town[rows],
        "region": evidence.region[rows],
        "zone": evidence.zone[rows],
        "aside": aside[rows],
    }


def _days_of(dates: pd.Series | None, persons: np.ndarray) -> np.ndarray:
    """A date a person as day numbers, in the order of the codes of persons."""
    return np.full(len(persons), NO_DAY) if dates is None else days(dates.reindex(persons))


# ── spells ────────────────────────────────────────────────────────────────────────────────────────────────
def _spells(runs: Runs, settled: Settled, reported: Span, arrivals: np.ndarray, failed: np.ndarray) -> Rows:
    """One spell a run, as codes and day numbers."""
    claims = runs.claims
    person = claims.person[runs.begins]
    following = np.append(person[1:] == person[:-1], False)[: len(runs)]
    previous = np.concatenate([[False], following[:-1]])[: len(runs)]
    town, region, zone = (values[runs.begins] for values in (claims.town, claims.region, claims.zone))
    first_seen = runs.first_seen()
    reported = reported.by(runs.first_met())
    confirmed = runs.last_confirmed()
    departures = reported_departures(runs, first_seen)
    gone, died = gone_after(runs, settled)

    arrival = np.where(previous, NO_DAY, arrivals[person])
    start = starts(reported, departures.where(previous), arrival, confirmed, gone, first_seen, person)
    next_seen = np.where(following, np.append(first_seen[1:], NO_DAY)[: len(runs)], NO_DAY)
    end = ends(gone, reported.next().where(following), departures.next().where(following), next_seen, confirmed, start)
    start, end = in_turn(start, end, person)

    # left for an unknown place and came back: the spell ended without a known move
    back = following & gone.known & (runs.place == np.append(runs.place[1:], 0)[: len(runs)])
    ended = (~following & gone.known) | back
    lost = (confirmed != NO_DAY) & (failed[person] > confirmed)
    outcome = np.select([ended & died, ended, following, lost], [_DECEASED, _LEFT, _MOVED, _LOST], _PRESENT)
    destination = np.where(following, np.append(zone[1:], -1)[: len(runs)], -1)
    destination = np.where(ended, np.where(died, -1, NOWHERE_KNOWN), destination)
    return {
        "person_id": person,
        "household_id": person,
        "spell": number_within(person),
        "municipality": town,
        "region": region,
        "zone": zone,
        "start_earliest": start.earliest,
        "start_latest": start.latest,
        "end_earliest": end.earliest,
        "end_latest": end.latest,
        "last_confirmed": confirmed,
        "outcome": outcome.astype(np.int8),
        "destination_zone": destination.astype(np.int8),
        "n_observations": runs.sizes(),
    }


# ── what records say of a person besides places ───────────────────────────────────────────────────────────
def _arrivals(records: pd.DataFrame, persons: pd.DataFrame) -> pd.Series:
    """The earliest day each person may have arrived in Québec, by the most often typed arrival date."""
    typed = records[["record_id", "arrival_date_earliest"]].merge(persons[["record_id", "person_id"]], on="record_id")
    typed = typed.dropna()
    counts = typed.groupby(["person_id", "arrival_date_earliest"]).size().rename("n").reset_index()
    counts = counts.sort_values(["person_id", "n", "arrival_date_earliest"], ascending=[True, False, True])
    return counts.drop_duplicates("person_id").set_index("person_id")["arrival_date_earliest"]


def _failed_contacts(records: pd.DataFrame, persons: pd.DataFrame, cutoff: pd.Timestamp) -> pd.Series:
    """The latest day on which a scheduled contact with each person failed."""
    failed = records[records["follow_up_status"].eq("not_reached")].merge(
        persons[["record_id", "person_id"]], on="record_id"
    )
    _, date = contact_days(failed, filed(failed, cutoff))
    return date[date <= cutoff].groupby(failed["person_id"]).max()
