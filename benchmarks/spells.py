"""Observations → spells, moves and conflicts, as a ratio to polars and pandas sorting and grouping the same frame.

The peers do far less: they sort the frame by person and date and group it by person and municipality with five
aggregates (first, min, max, max, count): no rule, no interval, no move. They are given the dtypes that suit them best:
the codes of persons and municipalities as integers, dates as `Date` or `datetime64`. polars is timed twice: sorting
the whole frame, then grouping; and lazily, where it carries only the five columns that it needs. Ours is given the
table as `build_observations` has it, with categories for its text (record_id is text); pandas is timed on that very
frame too. Rows come in random order for all, then in the order of `build_observations`, where there is little left to
sort; then, in that order, all have the very same plain text instead of categories and integers.

The rows are those of a simulated deposit, repeated under new persons and shifted dates. Runs are interleaved; medians
and minima of wall-clock time are printed, and processor time (of all threads), which says how busy the machine was
with other work. Memory is the peak of a forked child beyond what it held before (Linux).

    .venv/bin/python benchmarks/spells.py [observations] [repeats]
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from trajectories import Study, build_spells, link_persons, read_deposits
from trajectories.linkage import SAMPLE_KEY
from trajectories.simulate import Settings, simulate
from trajectories.stays.spells import reconstruct

TEXT = (
    "municipality",
    "region",
    "zone",
    "kind",
    "organisation_id",
    "organisation_zone",
    "origin_region",
    "origin_zone",
)
DATES = ("earliest", "latest", "told")


def simulated(households: int) -> pd.DataFrame:
    """The observations of a simulated deposit."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), Settings(households=households))
        records = read_deposits(Path(folder) / "raw", study=Study()).records
    return build_spells(records, link_persons(records, key=SAMPLE_KEY)).observations


def make(number: int, households: int = 2000, seed: int = 1) -> pd.DataFrame:
    """So many observations in random order, text as categories: a simulated deposit, again and again."""
    rng = np.random.default_rng(seed)
    small = simulated(households)
    one = pd.factorize(small["person_id"])[0]
    times = -(-number // len(small))
    row = np.tile(np.arange(len(small)), times)
    repeat = np.repeat(np.arange(times), len(small))
    # persons and records are numbered at random, as pseudonyms and hashes are
    person = rng.permutation(times * (one.max() + 1)).astype(np.int32)[one[row] + repeat * (one.max() + 1)]
    chosen = rng.permutation(len(row))[:number]
    row, repeat, person = row[chosen], repeat[chosen], person[chosen]
    shift = pd.to_timedelta(rng.integers(-200, 200, times)[repeat], unit="D").to_numpy()
    found = {"person_id": pd.Categorical.from_codes(person, [f"P{i:015x}" for i in range(times * (one.max() + 1))])}
    for name in small.columns.drop(["person_id", "record_id"]):
        values = small[name].astype("category") if name in TEXT else small[name]
        found[name] = values.iloc[row].reset_index(drop=True)
        if name in DATES:
            found[name] = found[name] + shift
    found["record_id"] = pd.Series([f"{i:016x}" for i in rng.permutation(number)], dtype=object)
    return pd.DataFrame(found)[list(small.columns)]


def lean(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with integers for its categories, and no record_id: what suits the peers."""
    codes = {name: frame[name].cat.codes for name in ("person_id", *TEXT)}
    return frame.drop(columns="record_id").assign(**codes)


def pandas_groups(frame: pd.DataFrame) -> pd.DataFrame:
    ordered = frame.sort_values(["person_id", "latest"])
    return ordered.groupby(["person_id", "municipality"], sort=False, observed=True).agg(
        zone=("zone", "first"), first=("latest", "min"), last=("latest", "max"), confirmed=("earliest", "max"),
        n=("kind", "size"),
    )  # fmt: skip


def polars_groups(frame, lazily: bool):
    import polars as pl

    ordered = (frame.lazy() if lazily else frame).sort("person_id", "latest")
    found = ordered.group_by("person_id", "municipality").agg(
        pl.col("zone").first(), pl.col("latest").min().alias("first"), pl.col("latest").max().alias("last"),
        pl.col("earliest").max().alias("confirmed"), pl.len(),
    )  # fmt: skip
    return found.collect() if lazily else found


def memory(key: str) -> float:
    """A line of this process's /proc status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def peak(frame: pd.DataFrame, queue) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = memory("VmRSS")
    tables = reconstruct(frame)
    size = sum(table.memory_usage().sum() for table in tables) / 2**20
    queue.put((before, memory("VmHWM") - before, size))


def peak_of_child(frame: pd.DataFrame) -> tuple[float, float, float]:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=peak, args=(frame, queue))
    child.start()
    found = queue.get()
    child.join()
    return found


def seconds(work) -> tuple[float, float]:
    """Wall-clock and processor time."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def compare(frame: pd.DataFrame, few: pd.DataFrame, repeats: int) -> None:
    """Prints the times of each, interleaved, and ours as a ratio to them; the peers are given the second frame."""
    try:
        import polars as pl
    except ImportError:
        sys.exit("polars is not installed: `pip install polars` in the environment, for this benchmark only.")
    peer = pl.from_pandas(few).with_columns(pl.col(name).cast(pl.Date) for name in DATES)
    works = {
        "trajectories": lambda: reconstruct(frame),
        f"polars {pl.__version__}, {pl.thread_pool_size()} threads": lambda: polars_groups(peer, lazily=False),
        "polars, lazily": lambda: polars_groups(peer, lazily=True),
        f"pandas {pd.__version__}": lambda: pandas_groups(few),
        "pandas, our very frame": lambda: pandas_groups(frame),
    }
    if few is frame:
        del works["pandas, our very frame"]
    times = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work))
    ours = statistics.median(wall for wall, _ in times["trajectories"])
    least = min(wall for wall, _ in times["trajectories"])
    print(f"{'':<26}{'median s':>10}{'min s':>8}{'max s':>8}{'processor s':>13}{'ours/it':>9}{'of minima':>11}")
    for name, taken in times.items():
        wall, used = zip(*taken, strict=True)
        middle = statistics.median(wall)
        print(f"{name:<26}{middle:>10.2f}{min(wall):>8.2f}{max(wall):>8.2f}{statistics.median(used):>13.2f}"
              f"{ours / middle:>9.2f}{least / min(wall):>11.2f}")  # fmt: skip


def main(number: int = 10_000_000, repeats: int = 5) -> None:
    frame = make(number)
    spells, moves, conflicts = reconstruct(frame)
    print(f"{number:,} observations of {frame['person_id'].nunique():,} persons: {len(spells):,} spells, "
          f"{len(moves):,} moves, {len(conflicts):,} conflicts")  # fmt: skip
    del spells, moves, conflicts
    before, more, size = peak_of_child(frame)
    print(f"memory: input {before:,.0f} MiB (whole process); {more:,.0f} MiB more at the peak, of which the three "
          f"tables {size:,.0f} MiB (words are shared)")  # fmt: skip
    print("rows in random order; polars and pandas have integers")
    compare(frame, lean(frame), repeats)
    frame = frame.sort_values(["person_id", "latest", "earliest", "kind", "record_id"], ignore_index=True)
    print("rows in the order of build_observations; polars and pandas have integers")
    compare(frame, lean(frame), repeats)
    for name in ("person_id", *TEXT):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    print("rows as build_observations returns them: plain text for all")
    compare(frame, frame, repeats)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
