"""The line beside what is usually done with such reports, on the same simulated deposits and scored by the same truth.

The naive pipeline joins the rows by file number inside an organisation, and by exact name and birth date across them
(connected components); takes each row for where the person is at the end of its quarter, the last row of a quarter
winning; dates every event at the end of the quarter in which it is reported; and estimates retention by Kaplan–Meier,
censoring at the last report. It reads the same accepted records, places and dates: only the method differs.

    .venv/bin/python benchmarks/naive.py [households] [seed]
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits
from trajectories.linkage import SAMPLE_KEY
from trajectories.months import months_between
from trajectories.simulate import Settings, simulate
from trajectories.stays.observations import quarter_ends
from trajectories.survival import kaplan_meier

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # what scores is with the tests

from scoring.journeys import journey_scores
from scoring.links import link_scores, linked_rows
from scoring.realised import errors, retention_errors

STUDY = replace(Study(), replicates=0)
HORIZONS = (12, 24)
SETTINGS = {
    "no defects": {"defects": "none"},
    "all defects": {"defects": "heavy"},
    "and every contact made": {"defects": "heavy", "contacts_succeed": True},
}
SHOWN = {
    "cross_org_precision": "pairs of files across organisations: precision",
    "cross_org_recall": "… recall",
    "return_recall": "… recall of those that show a return",
    "whole_and_pure": "persons whole and pure",
    "household_f1": "households across organisations: F1",
    "spells_region_found": "true stays found, right region",
    "spurious": "stays nobody lived, for 100 persons",
    "exits_inside": "true exit in the interval told (naive: the quarter)",
    "s12_error": "S(12): error",
    "s24_error": "S(24): error",
}


def ours(records: pd.DataFrame, truth) -> dict[str, float]:
    persons = link_persons(records, key=SAMPLE_KEY)
    residences = build_spells(records, persons, study=STUDY)
    cohort = build_cohort(residences, records, persons, study=STUDY)
    found = SimpleNamespace(
        spells=residences.spells, moves=residences.moves, cohort=cohort.cohort, cutoff=residences.cutoff
    )
    return scores(found, persons, truth, records) | retention_errors(
        cohort.cohort, cohort.contacts, truth, cutoff=residences.cutoff, horizons=HORIZONS
    )


def naive(records: pd.DataFrame, truth) -> dict[str, float]:
    persons = join(records)
    stays = reported_stays(records, persons)
    cutoff = quarter_ends(records).max()
    begun = stays["establishment_latest"]
    found = SimpleNamespace(
        spells=stays.assign(spell=stays["episode"], start_earliest=begun, start_latest=begun),
        moves=pd.DataFrame({"person_id": [], "kind": [], "earliest": begun[:0], "latest": begun[:0]}),
        cohort=stays.assign(lower=(stays["lower"] - 3).clip(lower=0)),
        cutoff=cutoff,
    )
    curve = kaplan_meier(stays["lower"], stays["exit"].notna()).set_index("time")["survival"]
    estimates = {horizon: float(curve[curve.index <= horizon].iloc[-1]) for horizon in HORIZONS}
    return scores(found, persons, truth, records) | errors(estimates, truth, cutoff)


def scores(found, persons, truth, records) -> dict[str, float]:
    rows = linked_rows(persons, truth, records)
    return link_scores(persons, truth, records) | journey_scores(found, truth, rows)


def join(records: pd.DataFrame) -> pd.DataFrame:
    """Exact joins, then connected components: rows that share a file, or a name and birth date, are one person."""
    typed = ["given_name", "family_name", "birth_date_earliest", "birth_date_latest"]
    named = records[typed].notna().all(axis=1) & records["birth_date_earliest"].eq(records["birth_date_latest"])
    file = records["organisation_id"] + " " + records["file_number"]
    name = records[typed].astype(str).agg(" ".join, axis=1).where(named)
    household = records["organisation_id"] + " " + records["household_number"]
    person = components(file, name)
    return pd.DataFrame({
        "record_id": records["record_id"],
        "person_id": person,
        "household_id": components(pd.Series(person, index=records.index), household),
    }).astype(str)  # fmt: skip


def components(*labels: pd.Series) -> np.ndarray:
    """Rows that share a label, directly or by others."""
    rows, columns, width = [], [], len(labels[0])
    for column in labels:
        codes = pd.factorize(column)[0]
        rows.append(np.flatnonzero(codes >= 0))
        columns.append(codes[codes >= 0] + width)
        width += codes.max(initial=-1) + 1
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(width, width))
    return connected_components(graph, directed=False)[1][: len(labels[0])]


def reported_stays(records: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """Runs of quarters in one region, as a cohort of exact times: from the first quarter's end to that of the exit."""
    rows = records.merge(persons, on="record_id").assign(quarter_end=quarter_ends(records).to_numpy())
    rows = rows[~rows["follow_up_status"].eq("not_reached")]
    gone = rows["follow_up_status"].eq("left") | rows["exit_date_latest"].notna() | rows["exit_destination"].notna()
    settled = rows["establishment_date_latest"].notna() & rows["destination"].notna() & ~gone
    for part in ("zone", "region"):
        place = rows[f"residence_{part}"].mask(settled, rows[f"destination_{part}"])
        rows[part] = place.mask(gone, rows[f"exit_destination_{part}"])
    rows["zone"] = rows["zone"].astype("object").mask(rows["zone"].isna(), "unknown")
    rows = rows.sort_values(["person_id", "quarter_end", "file", "row"], kind="stable")
    rows = rows.drop_duplicates(["person_id", "quarter_end"], keep="last")
    place = rows["zone"] + rows["region"].fillna("").where(rows["zone"].eq("region"), "")
    new = place.ne(place.shift()) | rows["person_id"].ne(rows["person_id"].shift())
    runs = rows.groupby(new.cumsum()).agg(
        person_id=("person_id", "first"), zone=("zone", "first"), region=("region", "first"),
        start=("quarter_end", "first"), last=("quarter_end", "last"),
    )  # fmt: skip
    following = runs.shift(-1).where(runs["person_id"].eq(runs["person_id"].shift(-1)))
    elsewhere = following["zone"].map({"region": "other_region", "unknown": "unknown_destination"})
    exit_ = elsewhere.where(elsewhere.notna(), following["zone"])
    months = months_between(runs["start"], following["start"].fillna(runs["last"]))
    stays = runs.assign(
        establishment_earliest=runs["start"], establishment_latest=runs["start"], exit=exit_, excluded=None,
        lower=months, upper=np.where(exit_.notna(), months, np.inf), pathway=None, municipality=None,
    )  # fmt: skip
    stays = stays[stays["zone"].eq("region")].reset_index(drop=True)
    return stays.assign(episode=stays.groupby("person_id").cumcount() + 1, entry=0.0)


def main(households: int = 1500, seed: int = 4107) -> None:
    found = {}
    for title, settings in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            truth = simulate(folder, Settings(households=households, seed=seed, **settings))
            records = read_deposits(Path(folder) / "raw", study=STUDY).records
        for name, pipeline in (("ours", ours), ("naive", naive)):
            found[title, name] = pipeline(records, truth)
    table = pd.DataFrame(found).loc[list(SHOWN)].rename(index=SHOWN)
    print(f"{households:,} households, seed {seed}")
    print(table.to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
