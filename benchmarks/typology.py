"""The typology on 20,000 persons with 8,000 distinct sequences of 84 months: seconds, processor time and peak memory.

    .venv/bin/python benchmarks/typology.py         (20,000 persons; another number as the argument)

First each distance alone on the distinct sequences, then the tree with the silhouettes of every k, then the whole of
`typology` from spells to tables, by each distance; last the distances with costs from transition rates, on the 1,500
sequences that are at most clustered with them. Lives are drawn: three in ten never leave, the others move up to four
times between the four states.
"""

import resource
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from trajectories import Study
from trajectories.analysis.typology import STATES, choose_k, distances, typology
from trajectories.months import add_months

MONTHS, DISTINCT, PROGRAMME = 84, 8_000, 1_500
START = "2015-01-01"
REGIONS = {"metropole": "06", "region": "05", "other_region": "03", "outside_quebec": None}


def lives(persons: int, seed: int = 1) -> pd.DataFrame:
    """Monthly states of some persons, at most so many different."""
    rng = np.random.default_rng(seed)
    codes = np.ones((persons, MONTHS), dtype=int)  # the region
    days = np.sort(1 + (rng.random((persons, 4)) * (MONTHS - 1)).astype(int), axis=1)
    for day in days.T:
        at = np.where(rng.random(persons) < 0.6, day, MONTHS)
        later = np.arange(MONTHS) >= at[:, None]
        codes = np.where(later, rng.integers(0, len(STATES), persons)[:, None], codes)
    codes[rng.random(persons) < 0.3] = 1
    _, first, which = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    kept = np.sort(first)[:DISTINCT]
    there = np.isin(which, which[kept])
    # who has a sequence too many lives one of the others
    codes[~there] = codes[rng.choice(kept, int((~there).sum()))]
    index = pd.Index([f"P{n:06d}" for n in range(persons)], name="person_id")
    return pd.DataFrame(np.array(STATES, dtype=object)[codes], index=index)


def tables(lived: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spells with exact dates and the first stays of such lives, as far as the typology reads them."""
    cells = lived.to_numpy(dtype=object)
    begins = np.ones(cells.shape, dtype=bool)
    begins[:, 1:] = cells[:, 1:] != cells[:, :-1]
    row, month = np.nonzero(begins)
    day = pd.Series(add_months(np.full(len(row), START, dtype="datetime64[D]"), month).astype("datetime64[ns]"))
    last = np.append(row[1:] != row[:-1], True)
    end = day.shift(-1).where(~last)
    zone = np.where(cells[row, month] == "other_region", "region", cells[row, month])
    person, household = lived.index.to_numpy()[row], np.array([f"H{n // 2:06d}" for n in range(len(lived))])
    spells = pd.DataFrame({
        "person_id": person, "household_id": household[row], "spell": pd.Series(row).groupby(row).cumcount() + 1,
        "municipality": None, "region": [REGIONS[state] for state in cells[row, month]], "zone": zone,
        "start_earliest": day, "start_latest": day, "end_earliest": end, "end_latest": end,
        "last_confirmed": end.fillna(pd.Timestamp("2022-12-31")), "outcome": np.where(last, "present", "moved"),
    })  # fmt: skip
    start = pd.Timestamp(START)
    cohort = pd.DataFrame({
        "person_id": lived.index, "household_id": household, "episode": 1, "region": "05", "pathway": "secondary",
        "establishment_earliest": start, "establishment_latest": start, "cutoff": 96.0, "heard_until": 96.0,
        "excluded": None,
    })  # fmt: skip
    return spells, cohort


def timed(what: str, work):
    start, used = time.perf_counter(), time.process_time()
    result = work()
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<58}{seconds:>8.1f} s{used:>8.1f} s of processor{peak:>8.0f} MiB", flush=True)
    return result


def main(persons: int) -> None:
    lived = lives(persons)
    counted = lived.groupby(list(lived.columns), sort=True).size()
    weights = counted.to_numpy(dtype=float)
    rows = pd.DataFrame(list(counted.index))
    print(f"{persons:,} persons, {len(rows):,} distinct sequences × {MONTHS} months")
    for method in ("hamming", "lcs", "om", "dynamic_hamming"):
        apart = timed(f"distances, {method}", lambda method=method: distances(rows, method, weights=weights))
    apart = distances(rows, "om", weights=weights)
    timed("Ward and silhouettes of k = 2 … 8", lambda: choose_k(apart, weights=weights))
    spells, cohort = timed("(tables for the line)", lambda: tables(lived))
    study = replace(Study(), replicates=100)
    for method, costs in (("hamming", "constant"), ("lcs", "constant"), ("om", "constant")):
        found = timed(
            f"typology, {method} {costs}",
            lambda m=method, c=costs: typology(spells, cohort, study=study, months=MONTHS, method=m, costs=c),
        )
    print(found.types[["name", "n_persons", "share", "silhouette", "jaccard", "nearest"]].to_string())
    few = np.sort(np.argsort(-weights, kind="stable")[:PROGRAMME])
    timed(f"distances, om with trate, {len(few):,} distinct",
          lambda: distances(rows.iloc[few], "om", "trate", weights=weights[few]))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
