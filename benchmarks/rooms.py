"""Seconds and peak memory of each room on simulated deposits.

.venv/bin/python benchmarks/rooms.py [households]
"""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits
from trajectories.linkage import SAMPLE_KEY
from trajectories.retention import estimate
from trajectories.simulate import Settings, simulate


def main(households: int) -> None:
    done = []

    def timed(room, work):
        start = time.perf_counter()
        result = work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        done.append((room, time.perf_counter() - start, peak))
        return result

    with tempfile.TemporaryDirectory() as folder:
        timed("simulate", lambda: simulate(Path(folder), Settings(households=households)))
        study = replace(Study(), replicates=100)
        deposits = timed("deposits", lambda: read_deposits(Path(folder) / "raw", study=study))
        records = deposits.records
        persons = timed("persons", lambda: link_persons(records, key=SAMPLE_KEY))
        found = timed("spells", lambda: build_spells(records, persons, study=study))
        drawn = timed("cohort", lambda: build_cohort(found, records, persons, study=study))
        timed("retention", lambda: estimate(drawn.cohort, drawn.contacts, study=study))
    print(f"{households:,} households, {len(records):,} records, {len(drawn.cohort):,} stays")
    print(f"{'room':<12}{'seconds':>10}{'peak MiB':>10}")
    for room, seconds, peak in done:
        print(f"{room:<12}{seconds:>10.2f}{peak:>10.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500)
