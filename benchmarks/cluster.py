"""What a task of the cluster costs: on Dask, and in each room; the numbers of docs/cluster.md.

    .venv/bin/python benchmarks/cluster.py          (2,000 and 10,000 households; other sizes as arguments)

The tasks are run one after the other in this process, on storage of its own, so that processor seconds and bytes are
those of each kind of task; what Dask adds to a task that does nothing is measured on two workers of this machine.
"""

from __future__ import annotations

import collections
import functools
import itertools
import pickle
import resource
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from pathlib import Path

from trajectories import pipeline
from trajectories.cluster import team_at
from trajectories.simulate import Settings, simulate
from trajectories.storage import Storage
from trajectories.study import Study
from trajectories.synthetic import mark_synthetic
from trajectories.team import Team

SIZES = (2_000, 10_000)
TASKS = 500


class Counted(Executor):
    """Runs what it is given at once, and notes by kind of task: how many, processor seconds, bytes in, out, back."""

    def __init__(self):
        self.kinds = collections.defaultdict(lambda: [0, 0.0, 0, 0, 0])
        self.working = None

    def submit(self, work, *given):
        inner = work.args[0] if isinstance(work, functools.partial) else given[0]
        self.working = getattr(inner, "func", inner).__name__
        begun, future = time.process_time(), Future()
        future.set_result(work(*given))
        row = self.kinds[self.working]
        row[0] += 1
        row[1] += time.process_time() - begun
        row[4] += len(pickle.dumps(future.result()))
        self.working = None
        return future

    def moved(self, name, size):
        self.kinds[self.working or "(this process)"][2 if name == "get" else 3] += size


def counting(executor: Counted) -> None:
    """Every file of the storage is counted, by who reads or writes it."""
    put, get = Storage.put, Storage.get

    def counted_put(self, name, content):
        executor.moved("put", len(content))
        put(self, name, content)

    def counted_get(self, name):
        content = get(self, name)
        executor.moved("get", len(content))
        return content

    Storage.put, Storage.get = counted_put, counted_get


def overhead(folder: Path) -> None:
    """Milliseconds of a task that does nothing, all given out at once."""
    study = Study().with_folders(derived=folder / "derived", reports=folder / "reports")
    begun = time.perf_counter()
    with team_at("local", study, workers=2) as team:
        list(team.each(abs, range(2)))
        print(f"two workers met in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        list(team.each(abs, range(TASKS)))
        print(f"a task that does nothing: {1000 * (time.perf_counter() - begun) / TASKS:.2f} ms")


def rooms(folder: Path, households: int) -> None:
    """What each kind of task costs in a build."""
    simulate(folder, Settings(households=households, organisations=30))
    mark_synthetic(folder)
    study = Study().with_folders(raw=folder / "raw", derived=folder / "derived", reports=folder / "reports")
    executor = Counted()
    counting(executor)
    storage = Storage.at(folder / "storage").make()
    begun, stages = time.process_time(), []

    def say(stage: str) -> None:
        stages.append((stage, time.process_time(), sum(row[1] for row in executor.kinds.values())))

    built = pipeline.build(study, team=Team(lambda: (executor, storage)), progress=say)
    whole = time.process_time() - begun
    say("end")
    rows, persons = len(built.deposits.records), built.persons["person_id"].nunique()
    print(f"\n{households:,} households: {rows:,} records of {persons:,} persons, {whole:.0f} s of processor")
    print(f"{'task':<18}{'tasks':>6}{'s':>8}{'µs/record':>11}{'MB read':>9}{'MB written':>12}{'kB back':>9}")
    for (stage, at, done), (_, end, then) in itertools.pairwise(stages):
        alone = end - at - (then - done)
        print(f"{'here: ' + stage:<24}{alone:>8.1f}{1e6 * alone / rows:>11.1f}")
    tasks = 0.0
    for kind, (n, seconds, got, put, back) in executor.kinds.items():
        tasks += seconds
        print(f"{kind:<18}{n:>6}{seconds:>8.1f}{1e6 * seconds / rows:>11.1f}{got / 1e6:>9.1f}{put / 1e6:>12.1f}"
              f"{back / 1e3:>9.1f}")  # fmt: skip
    wide = int(built.deposits.records.memory_usage(index=False).sum()) / rows
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"in tasks: {tasks / whole:.0%}; the table records {wide:.0f} bytes a row; at most {most:.1f} GB at once")


def main(sizes: tuple[int, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        overhead(Path(folder))
    for households in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rooms(Path(folder), households)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
