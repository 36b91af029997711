"""Observations → residence spells → moves.

A spell is a maximal run of observations in one municipality. Its start and its end are intervals: the earliest and
the latest day that the evidence allows (design.md, rule 1). A move known only to lie between two observations stays
an interval; a reported date of establishment or departure narrows it to that date's own precision. Everything is
done on whole columns in order of person and date: there is no loop over persons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .conflicts import SAME_EVENT, conflict_rows, describe, settle
from .observations import build_observations, in_perimeter, quarter_ends
from .study import Study
from .tables import (
    CONFLICTS,
    METROPOLE,
    MOVES,
    OUTSIDE_QUEBEC,
    REGION,
    SPELLS,
    UNKNOWN,
    conform,
    first_known,
    stack,
)

_FAR = pd.Timestamp("2200-01-01")


@dataclass(frozen=True)
class Residences:
    """Where persons lived: observations, spells, moves and conflicts, for one perimeter, up to the cut-off."""

    observations: pd.DataFrame
    spells: pd.DataFrame
    moves: pd.DataFrame
    conflicts: pd.DataFrame
    perimeter: str
    cutoff: pd.Timestamp


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
    return last if pd.notna(last) else _FAR


def build_spells(records: pd.DataFrame, persons: pd.DataFrame, *, study: Study | None = None) -> Residences:
    """
    Reconstruct where each person lived.

    Parameters
    ----------
    records, persons : DataFrame
        The tables of those names.
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
    """
    study = study or Study()
    cutoff = cutoff_of(study, records)
    observations = build_observations(in_perimeter(records, study.perimeter), persons, cutoff)
    kept, conflicts = settle(observations, study.grace_days)
    claims = _runs(kept)
    spells, dated = _spells(claims, kept, _arrivals(records, persons))
    spells = _open_ends(spells, _failed_contacts(records, persons, cutoff))
    household = persons.drop_duplicates("person_id").set_index("person_id")["household_id"]
    spells["household_id"] = spells["person_id"].map(household)
    return Residences(
        observations,
        conform(spells, SPELLS),
        _moves(spells),
        stack([conflicts, *dated], CONFLICTS).sort_values(["person_id", "date", "rule", "said"], ignore_index=True),
        study.perimeter,
        cutoff,
    )


# ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────
def _runs(kept: pd.DataFrame) -> pd.DataFrame:
    """The observations that place a person, numbered by run (column `run`, over all persons)."""
    claims = kept[~kept["marker"]].copy()
    claims["municipality"] = _areas_within(claims)
    place = first_known(claims["municipality"], "area " + claims["region"], "zone " + claims["zone"])
    # a departure to an unknown place since the previous claim breaks the run, even back to the same town
    markers = np.cumsum(kept["marker"].to_numpy())[~kept["marker"].to_numpy()]
    same = (
        claims["person_id"].eq(claims["person_id"].shift())
        & place.eq(place.shift())
        & pd.Series(np.diff(markers, prepend=0) == 0, index=claims.index)
    )
    claims["run"] = (~same).cumsum() - 1
    return claims


def _areas_within(claims: pd.DataFrame) -> pd.Series:
    """
    A region named instead of a town is where the person is already known to be, if that is in the region.

    So is a town whose name several towns of the territory share: nothing says that it is another one.
    """
    municipality = claims["municipality"].copy()
    for step in (1, -1):
        near = claims.assign(municipality=municipality)
        known = municipality.notna()
        position = pd.Series(np.where(known, np.arange(len(claims)), np.nan), index=claims.index)
        fill = (position.ffill() if step == 1 else position.bfill()).fillna(-1).astype(int).to_numpy()
        of = near.iloc[np.maximum(fill, 0)]
        fits = (
            municipality.isna().to_numpy()
            & (fill >= 0)
            & (claims["person_id"].to_numpy() == of["person_id"].to_numpy())
            & ((claims["region"].to_numpy() == of["region"].to_numpy()) | claims["region"].isna().to_numpy())
            & ((claims["zone"].to_numpy() == of["zone"].to_numpy()) | claims["zone"].eq(UNKNOWN).to_numpy())
        )
        municipality = municipality.mask(fits, pd.Series(of["municipality"].to_numpy(), index=claims.index))
    return municipality


# ── spells ────────────────────────────────────────────────────────────────────────────────────────────────
def _spells(claims: pd.DataFrame, kept: pd.DataFrame, arrivals: pd.Series) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """One row a run, with the interval of its start and of its end, and the decisions on dates."""
    by_run = claims.groupby("run", sort=True)
    spells = by_run.agg(
        person_id=("person_id", "first"), municipality=("municipality", "first"), first_latest=("latest", "min"),
        n_observations=("record_id", "size"),
    )  # fmt: skip
    # the place of a claim that names a town wins over that of an area filled in
    exact = claims.assign(area=claims["zone"].eq(UNKNOWN) | claims["region"].isna())
    first = exact.sort_values(["run", "area"], kind="stable").groupby("run").first()
    spells["region"], spells["zone"] = first["region"], first["zone"]
    direct = claims["kind"].isin(["service", "follow_up", "establishment", "departure"])
    spells["last_confirmed"] = claims["earliest"].where(direct).groupby(claims["run"]).max()
    attested = claims["earliest"].groupby(claims["run"]).max()
    spells["last_confirmed"] = spells["last_confirmed"].fillna(attested)
    spells["first_presence"] = (
        claims["latest"].where(claims["kind"].isin(["service", "follow_up"])).groupby(claims["run"]).min()
    )

    establishment, decided = _establishment_dates(claims, spells)
    spells[["said_earliest", "said_latest"]] = establishment
    departure = claims[claims["kind"].eq("departure") & claims["earliest"].notna()].groupby("run").first()
    spells[["left_earliest", "left_latest"]] = departure[["earliest", "latest"]].reindex(spells.index)

    previous = spells["person_id"].eq(spells["person_id"].shift())
    following = spells["person_id"].eq(spells["person_id"].shift(-1))
    ends = _end_markers(kept, claims).reindex(spells.index)

    # the start: what was reported; else between the last presence before and the first one here
    gone_since = spells["last_confirmed"].where(~(ends["earliest"] > spells["last_confirmed"]), ends["earliest"])
    # a spell without a confirmed day is at least after the last day confirmed before it
    before = gone_since.groupby(spells["person_id"]).ffill().shift().where(previous)
    arrival = spells["person_id"].map(arrivals).where(~previous)
    floor = before.fillna(arrival)
    start_earliest = spells["said_earliest"].fillna(spells["left_earliest"].where(previous)).fillna(floor)
    start_latest = spells["said_latest"].fillna(spells["first_latest"])
    start_earliest = start_earliest.where(~(before > start_earliest), before)
    spells["start_latest"] = start_latest
    spells["start_earliest"] = start_earliest.where(~(start_earliest > start_latest), start_latest)
    # an arrival in Québec cannot be after the first presence: such a date is no bound
    unlikely = ~previous & spells["said_earliest"].isna() & (arrival > start_latest)
    spells.loc[unlikely, "start_earliest"] = pd.NaT

    # the end: the departure that was reported, else the reported start of the next spell, else between two presences
    next_said = spells[["said_earliest", "said_latest"]].shift(-1).where(following)
    next_left = spells[["left_earliest", "left_latest"]].shift(-1).where(following)
    next_first = spells["first_latest"].shift(-1).where(following)
    # one source gives both ends of the interval: mixing them would make one that nobody said
    told = ends["latest"].notna()
    end_earliest = next_said["said_earliest"].where(~told, ends["earliest"])
    end_latest = next_said["said_latest"].where(~told, ends["latest"]).fillna(next_first)
    dated = next_left["left_latest"].notna() & ~(told & (ends["latest"] < next_left["left_earliest"]))
    end_earliest = end_earliest.where(~dated, next_left["left_earliest"])
    end_latest = end_latest.where(~dated, next_left["left_latest"])
    end_latest = end_latest.where(~(next_first < end_latest), next_first)
    confirmed = spells["last_confirmed"]
    end_earliest = end_earliest.where(~(end_earliest < confirmed) & end_earliest.notna(), confirmed)
    spells["end_latest"] = end_latest.where(~(end_latest < end_earliest), end_earliest)
    spells["end_earliest"] = end_earliest

    spells["destination_zone"] = spells["zone"].shift(-1).where(following)
    returned = following & ends["latest"].notna() & spells["municipality"].eq(spells["municipality"].shift(-1))
    marked = (~following & ends["latest"].notna()) | returned
    died = marked & ends["died"].eq(True)
    spells["outcome"] = np.select([died, marked, following], ["deceased", "left", "moved"], "present")
    spells.loc[marked & ~died, "destination_zone"] = UNKNOWN
    spells.loc[died, "destination_zone"] = None
    spells["spell"] = spells.groupby("person_id").cumcount() + 1
    return spells.reset_index(drop=True), decided


def _end_markers(kept: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """The first departure to an unknown place after each run's last claim: its interval, and whether it is a death."""
    run = pd.Series(np.nan, index=kept.index)
    run.loc[claims.index] = claims["run"].to_numpy(dtype=float)
    markers = kept.assign(run=run.ffill())
    markers = markers[markers["marker"] & markers["run"].notna()]
    first = markers.groupby("run")[["earliest", "latest", "died"]].agg(
        earliest=("earliest", "first"), latest=("latest", "first"), died=("died", "max")
    )
    first.index = first.index.astype(int)
    return first


def _establishment_dates(claims: pd.DataFrame, spells: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """
    The reported start of each run: one interval from all establishment rows of the run (design.md, rule 1).

    Reports that overlap agree, and the narrowest common interval is kept. Reports that disagree by at most 31 days
    are one event told twice: the hull. Farther apart, the earlier report. Both disagreements are written down.
    """
    said = claims[claims["kind"].eq("establishment")].sort_values(["run", "earliest", "latest", "record_id"])
    first = said.groupby("run")[["earliest", "latest"]].first()
    said = said.join(first, on="run", rsuffix="_first")
    near = said["earliest"] - said["latest_first"] <= SAME_EVENT
    close = said[near]
    bounds = close.groupby("run").agg(
        low=("earliest", "min"), high=("latest", "max"), inner_low=("earliest", "max"), inner_high=("latest", "min")
    )
    agree = bounds["inner_low"] <= bounds["inner_high"]
    found = pd.DataFrame(
        {
            "earliest": bounds["inner_low"].where(agree, bounds["low"]),
            "latest": bounds["inner_high"].where(agree, bounds["high"]),
        }
    ).reindex(spells.index)
    disputed = said[~near | ~said["run"].map(agree).fillna(True).astype(bool)]
    disputed = disputed[
        (disputed["earliest"] != disputed["earliest_first"]) | (disputed["latest"] != disputed["latest_first"])
    ]
    decided = [conflict_rows(disputed, "establishment_dates", describe(disputed), _interval(found, disputed["run"]))]

    # someone seen at the destination before the date of establishment
    presence = spells["first_presence"]
    early = presence < found["earliest"]
    kept_report = found["earliest"] - presence <= SAME_EVENT
    seen = claims[claims["run"].isin(found.index[early]) & claims["kind"].isin(["service", "follow_up"])]
    seen = seen.groupby("run", as_index=False).first().set_index("run", drop=False)
    found.loc[early & ~kept_report, ["earliest", "latest"]] = pd.NaT
    kept = _interval(found, seen["run"]).where(kept_report.reindex(seen.index), "presence")
    decided.append(conflict_rows(seen, "presence_before_establishment", describe(seen), kept))
    return found, decided


def _interval(found: pd.DataFrame, run: pd.Series) -> pd.Series:
    of = found.reindex(run.to_numpy())
    text = of["earliest"].dt.strftime("%Y-%m-%d") + "/" + of["latest"].dt.strftime("%Y-%m-%d")
    return pd.Series(text.to_numpy(), index=run.index)


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
    date = failed["follow_up_date_latest"].fillna(failed["service_date_latest"])
    return date[date <= cutoff].groupby(failed["person_id"]).max()


def _open_ends(spells: pd.DataFrame, failed: pd.Series) -> pd.DataFrame:
    lost = spells["outcome"].eq("present") & (spells["person_id"].map(failed) > spells["last_confirmed"])
    return spells.assign(outcome=spells["outcome"].where(~lost, "lost"))


# ── moves ─────────────────────────────────────────────────────────────────────────────────────────────────
def _moves(spells: pd.DataFrame) -> pd.DataFrame:
    """From each spell to the next one of the same person, with its kind (design.md, « Words »)."""
    following = spells.shift(-1)
    moved = spells["outcome"].eq("moved") & spells["person_id"].eq(following["person_id"])
    origin, destination = spells[moved], following[moved]
    moves = pd.DataFrame(
        {
            "person_id": origin["person_id"],
            **{f"origin_{name}": origin[name] for name in ("municipality", "region", "zone")},
            **{f"destination_{name}": destination[name] for name in ("municipality", "region", "zone")},
            "earliest": origin["end_earliest"],
            "latest": origin["end_latest"],
        }
    )
    moves["kind"] = move_kinds(moves)
    moves["move"] = moves.groupby("person_id").cumcount() + 1
    return conform(moves.reset_index(drop=True), MOVES)


def move_kinds(moves: pd.DataFrame) -> np.ndarray:
    """
    The kind of each move, zones compared before regions (from Sorel-Tracy to Longueuil, both region 16, is a return).

    Examples
    --------
    >>> moves = pd.DataFrame({"origin_zone": ["metropole", "region"], "destination_zone": ["region", "metropole"],
    ...                       "origin_region": ["16", "16"], "destination_region": ["16", "16"]})
    >>> move_kinds(moves).tolist()
    ['secondary', 'return']
    """
    origin, destination = moves["origin_zone"], moves["destination_zone"]
    same_region = moves["origin_region"].eq(moves["destination_region"])
    unknown_region = moves["origin_region"].isna() | moves["destination_region"].isna()
    both_regional = origin.eq(REGION) & destination.eq(REGION)
    return np.select(
        [
            origin.eq(UNKNOWN) | destination.eq(UNKNOWN),
            destination.eq(OUTSIDE_QUEBEC),
            origin.eq(OUTSIDE_QUEBEC),
            origin.eq(METROPOLE) & destination.eq(REGION),
            origin.eq(REGION) & destination.eq(METROPOLE),
            both_regional & unknown_region,
            both_regional & ~same_region,
        ],
        ["undetermined", "out_of_quebec", "arrival", "secondary", "return", "undetermined", "onward"],
        "within",
    )
