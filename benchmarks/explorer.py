"""The explorer at 100,000 stays: milliseconds from a choice to the new picture, by part, over every region and split.

    .venv/bin/python benchmarks/explorer.py [folder of tables] [stays]     (by default the synthetic sample, 100,000)

The stays of the sample are repeated, each copy's months moved by up to two, so that as many different things are known
as of so many stays. What a browser adds (a message to it and back) is measured by tests/browser/test_explorer.py.
Beside it, the main estimator of the whole cohort without replicates, which would be too slow to follow the hand.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import trajectories
from trajectories import tables
from trajectories.groups import reported_groups
from trajectories.quick_bounds import BOUNDS, SPLITS, counted, quick_bounds
from trajectories.report.explored import explored
from trajectories.report.words import words
from trajectories.reported import reported, stays_that_enter
from trajectories.study import Study

MOVED = 2.0  # months
MONTHS = ("entry", "lower", "upper", "cutoff", "heard_until", "lost_month")
KEYS = ["person_id", "episode"]


def repeated(cohort: pd.DataFrame, contacts: pd.DataFrame, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """So many stays, and their contacts."""
    rng = np.random.default_rng(1)
    stays, rows = [], []
    for copy in range(-(-n // len(cohort))):
        by = rng.uniform(-MOVED, MOVED, len(cohort)).round(2) if copy else np.zeros(len(cohort))
        moved = pd.Series(by, index=pd.MultiIndex.from_frame(cohort[KEYS]))
        months = cohort[list(MONTHS)].add(by, axis=0).clip(lower=0)
        ids = {name: cohort[name] + f"/{copy}" for name in ("person_id", "household_id")}
        stays.append(cohort.assign(**months, **ids))
        of_stay = moved.reindex(pd.MultiIndex.from_frame(contacts[KEYS])).fillna(0).to_numpy()
        month = (contacts["month"] + of_stay).clip(lower=0)
        rows.append(contacts.assign(month=month, person_id=contacts["person_id"] + f"/{copy}"))
    return pd.concat(stays, ignore_index=True).iloc[:n], pd.concat(rows, ignore_index=True)


def milliseconds(what, *given, **named) -> tuple[float, object]:
    started = time.perf_counter()
    made = what(*given, **named)
    return 1000 * (time.perf_counter() - started), made


def line(name: str, times: list[float]) -> None:
    middle, high, highest = np.percentile(times, [50, 90, 99])
    print(f"{name:<34}{len(times):>7}{middle:>9.0f}{high:>9.0f}{highest:>9.0f}{max(times):>9.0f}", flush=True)


def main(folder: Path | None, n: int) -> None:
    if folder is None:
        built = trajectories.sample()
        cohort, contacts = built.cohort, built.contacts
    else:
        cohort, contacts = (tables.load(table, folder) for table in (tables.COHORT, tables.CONTACTS))
    study, french = Study(replicates=0), words("fr")
    cohort, contacts = repeated(cohort, contacts, n)
    once, of = milliseconds(counted, cohort, contacts, study=study)
    known = " and ".join(f"{len(of.rows[bound]):,}" for bound in BOUNDS)
    print(f"{len(of.stays):,} stays, {known} different things known; counted once, in {once / 1000:.1f} s")
    print(f"{'milliseconds':<34}{'looks':>7}{'median':>9}{'90 %':>9}{'99 %':>9}{'most':>9}")
    quick_bounds(of, "05", study=study)  # imports scipy
    fits: dict[str, list[float]] = {}
    pictures, looks = [], []
    for by in (None, *SPLITS):
        for region in reported_groups(study):
            fit, bounds = milliseconds(quick_bounds, of, region, by, study=study)
            picture, _ = milliseconds(
                explored, bounds, region=region, by=by, horizon=12, study=study, synthetic=True, words=french
            )
            fits.setdefault(by or "whole", []).append(fit)
            pictures.append(picture)
            looks.append(fit + picture)
    for by, times in fits.items():
        line(f"bounds, {by}", times)
    line("picture and words (a new horizon)", pictures)
    line("a new region or split", looks)
    of_all = reported(stays_that_enter(cohort, study), contacts)
    print(f"the main estimator, whole cohort: {milliseconds(of_all.fit, study)[0]:,.0f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
