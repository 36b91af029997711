"""The whole line by number of persons: CPU seconds and peak memory of each room, how they grow, and scale.svg.

    .venv/bin/python benchmarks/scale.py                 (1,000 to 100,000 persons; from spells on to 1,000,000)
    .venv/bin/python benchmarks/scale.py --sizes 1e3 1e4 --rooms spells,cohort,retention --folder /somewhere

Each room is a process of its own, so that its peak memory is its own; between rooms tables are parquet, as in a run,
and a room's seconds hold the reading and the writing of its tables. CPU seconds (of the process and its children) are
told beside those of the clock, since other work on the machine slows only the clock. `--folder` keeps the tables: a
room asked for alone finds there what the rooms before it left.

Persons: up to 100,000 simulated deposits, read as a run reads them. Above that the records of the 100,000, again and
again as other persons: other ids, and each household up to 60 days earlier, so that hardly two stays have the same
months. Who is who is then taken from the first copy: the linkage is measured up to 100,000 persons.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from trajectories import pipeline, tables
from trajectories.analysis import analyse as analysis
from trajectories.analysis.portrait import accounting
from trajectories.deposits import read_deposits
from trajectories.deposits.synthetic import mark_synthetic
from trajectories.linkage import SAMPLE_KEY, resolve
from trajectories.linkage.review import review_table
from trajectories.simulate import Settings, simulate
from trajectories.stays.cohort import GIVEN
from trajectories.stays.partitions import build_stays
from trajectories.stays.subsample import subsample
from trajectories.study import Paths, Study

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
WHOLE_LINE = 100_000  # persons up to which deposits are simulated, read and linked
A_HOUSEHOLD = 2.317  # persons, in the simulation
EARLIER = 60  # days, at most, by which a household of a copy is earlier
COLOURS = ("#123f6d", "#b3541e", "#3b7d4f", "#6d4a8c", "#555555", "#a8324e", "#1f7a8c", "#7a6a1f")
FIGURE = Path(__file__).with_suffix(".svg")
BEFORE_SPELLS = ("deposits", "persons")
MOST_GIB = 8
FROM = 10_000  # persons from which exponents are told


# ── who is measured ───────────────────────────────────────────────────────────────────────────────────────
def study_of(folder: Path, persons: int, **asked: int) -> Study:
    """The default study but for what is asked, on the folders of one size."""
    base = folder / f"{persons}"
    paths = Paths(base / "raw", base / "derived", base / "reports")
    return replace(Study(), paths=paths, cutoff=Settings().end, **asked)


def prepare(folder: Path, persons: int) -> None:
    """The deposits of one size, or its records and who is who, where they are not there yet."""
    study = study_of(folder, persons)
    if persons <= WHOLE_LINE:
        if not study.paths.raw.exists():
            study.paths.raw.parent.mkdir(parents=True, exist_ok=True)
            simulate(study.paths.raw.parent, Settings(households=round(persons / A_HOUSEHOLD)))
            mark_synthetic(study.paths.raw.parent)
    elif not (study.paths.derived / "alternatives.parquet").exists():
        again(study_of(folder, WHOLE_LINE).paths.derived, study.paths.derived, round(persons / WHOLE_LINE))


def again(one: Path, many: Path, copies: int) -> None:
    """The tables of a build before its spells, so many times, each time of other persons."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    many.mkdir(parents=True, exist_ok=True)
    household = tables.load(tables.PERSONS, one).set_index("record_id")["household_id"]
    codes, _ = pd.factorize(household)
    for name in ("records", "persons", "alternatives", "links", "issues", "files"):
        table, writer = tables.TABLES[name], None
        kept = pq.read_schema(one / f"{name}.parquet").metadata
        for copy in range(copies if name not in ("issues", "files") else 1):
            frame = tables.load(table, one)
            if copy:
                for key in {"record_id", "person_id", "household_id", "identity_id", "file_number", "household_number",
                            "left_id", "right_id"} & set(frame):  # fmt: skip
                    frame[key] = f"{copy}-" + frame[key]
            if copy and name == "records":
                days = np.random.default_rng(copy).integers(-EARLIER, 1, codes.max() + 1)[codes]
                for date in [c for c, kind in table.columns.items() if kind.type == "date" and c != "deposit_date"]:
                    frame[date] = frame[date] + pd.to_timedelta(days, unit="D")
            content = pa.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pq.ParquetWriter(many / f"{name}.parquet", content.schema.with_metadata(kept))
            writer.write_table(content.cast(writer.schema))
        writer.close()
    (many / "accounting.parquet").write_bytes((one / "accounting.parquet").read_bytes())


# ── the rooms, as pipeline.build and analysis.estimates_of call them ──────────────────────────────────────
class Build(analysis._Build):
    """What the rooms before left: tables by name, and what more than one room needs."""

    def __init__(self, study: Study):
        super().__init__(study.paths.derived)
        self.study, self.derived = study, study.paths.derived
        self.beside = study.paths.derived.parent / "between"
        self.beside.mkdir(parents=True, exist_ok=True)

    def save(self, **frames: pd.DataFrame) -> None:
        for name, frame in frames.items():
            table = tables.TABLES[name]
            tables.save(tables.conform(frame, table, copy=False), table, self.derived)

    def keep(self, name: str, value) -> None:
        with (self.beside / f"{name}.pickle").open("wb") as file:
            pickle.dump(value, file, protocol=5)

    def kept(self, name: str):
        with (self.beside / f"{name}.pickle").open("rb") as file:
            return pickle.load(file)  # noqa: S301 (our own file)

    def made(self, **frames: pd.DataFrame) -> None:
        for name, frame in frames.items():
            frame.to_parquet(self.beside / f"{name}.parquet", index=False)


def deposits(b: Build) -> None:
    found = read_deposits(b.study.paths.raw, study=b.study)
    b.save(records=found.records, quarantine=found.quarantine, issues=found.issues, superseded=found.superseded,
           files=found.files)  # fmt: skip
    accounting(found, 0).to_parquet(b.derived / "accounting.parquet", index=False)


def persons(b: Build) -> None:
    records = tables.load(tables.RECORDS, b.derived)
    linked, kept = pipeline._linked(records, b.study, SAMPLE_KEY)
    found = resolve(linked, b.study.match_threshold, SAMPLE_KEY)
    others = pipeline._alternatives(linked, b.study, SAMPLE_KEY)
    review_table(linked, found, SAMPLE_KEY, without=pd.Series(dtype=object), kept=kept)
    b.save(persons=found.persons, links=found.links, alternatives=others)


def stays(b: Build) -> None:
    """Spells and cohort, which are one stage of a run (stays/partitions.py)."""
    records = tables.load(tables.RECORDS, b.derived, columns=GIVEN, categories=True)
    persons = tables.load(tables.PERSONS, b.derived, columns=tables.WHOSE)
    found, drawn = build_stays(records, persons, study=b.study)
    b.save(observations=found.observations, spells=found.spells, moves=found.moves, conflicts=found.conflicts,
           cohort=drawn.cohort, contacts=drawn.contacts, set_aside=drawn.set_aside)  # fmt: skip


def portrait(b: Build) -> None:
    b.made(**analysis._portrait(b, pd.Timestamp(b.study.cutoff), b.study))


def services(b: Build) -> None:
    b.made(**analysis._services(b, b.study))


def fits(b: Build) -> None:
    b.keep("fits", analysis.main_fits(*b.of("cohort", "contacts", read={}), study=b.study))


def retention(b: Build) -> None:
    found = analysis.estimate(*b.of("cohort", "contacts", read={}), study=b.study, fits=b.kept("fits"))
    b.made(**vars(found))


def course(b: Build) -> None:
    b.made(**analysis._course(b.kept("fits"), b, b.study, map))


def some(b: Build) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stays and contacts that comparisons and regressions rest on."""
    return subsample(*b.of("cohort", "contacts", read={}), seed=b.study.seed)


def comparison(b: Build) -> None:
    those, contacts = some(b)
    periods = analysis.retention_by_period(b.kept("fits"), cutoff=pd.Timestamp(b.study.cutoff), study=b.study)
    rates = pd.read_parquet(b.beside / "retention.parquet")
    b.made(periods=periods, **analysis._comparison(those, contacts, rates, b.study))


def completed(b: Build) -> None:
    b.keep("completed", analysis.completed_stays(*some(b), study=b.study))


def models(b: Build) -> None:
    given, _ = analysis._services_of_stays(some(b)[0], b)
    found = analysis.fit_models(b.kept("completed"), services=given, study=b.study)
    b.made(coefficients=found.coefficients, proportional_hazards=found.tests, fits_of_models=found.fits)


def associations(b: Build) -> None:
    those, contacts = some(b)
    given, before = analysis._services_of_stays(those, b)
    found = analysis.associations(b.kept("completed"), given, contacts=contacts, before=before, study=b.study)
    b.made(associations=found)


def typology(b: Build) -> None:
    b.made(**analysis._typology(*b.of("spells", "cohort", "contacts", read={}), b.study))


def sensitivity(b: Build) -> None:
    b.made(**analysis._sensitivity(b, pd.read_parquet(b.beside / "retention.parquet"), b.study, None))


ROOMS = {room.__name__: room for room in (
    deposits, persons, stays, portrait, services, fits, retention, course, comparison, completed, models,
    associations, typology, sensitivity,
)}  # fmt: skip


# ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────
def measure(room: str, study: Study) -> None:
    """One room at one size, in this process: prints seconds by the clock, CPU seconds, and the peak in GiB."""
    from threadpoolctl import threadpool_limits

    build = Build(study)
    whole = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    start, before = time.perf_counter(), [resource.getrusage(who) for who in whole]
    with threadpool_limits(1, user_api="blas"):  # as analysis.analyse does
        ROOMS[room](build)
    seconds, after = time.perf_counter() - start, [resource.getrusage(who) for who in whole]
    cpu = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))
    # of the children the largest is known, not how many ran at once: two, on two cores
    peak = after[0].ru_maxrss + 2 * (after[1].ru_maxrss - before[1].ru_maxrss)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak / 2**20}))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--sizes", nargs="+", type=lambda text: int(float(text)), default=list(SIZES))
    asked.add_argument("--rooms", default=",".join(ROOMS), help="names joined by commas")
    asked.add_argument("--folder", type=Path, help="where the tables are kept")
    asked.add_argument("--replicates", type=int, default=Study.replicates, help="fewer, for a quick look")
    asked.add_argument("--draws", type=int, default=Study.draws)
    asked.add_argument("--one", help=argparse.SUPPRESS)
    given = asked.parse_args()
    settings = {"replicates": given.replicates, "draws": given.draws}
    if given.one:
        measure(given.one, study_of(given.folder, given.sizes[0], **settings))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).resolve()
        for size in given.sizes:
            prepare(folder, size)
            for room in given.rooms.split(","):
                if size <= WHOLE_LINE or room not in BEFORE_SPELLS:
                    run(room, folder, size, settings)
        found = measured(folder)
        print(as_markdown(found))
        draw(found)


def run(room: str, folder: Path, size: int, settings: dict[str, int]) -> None:
    """One room in a process of its own; what it took is kept beside its tables."""
    command = [sys.executable, __file__, "--folder", str(folder), "--one", room, "--sizes", str(size)]
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)
    if done.returncode:
        print(f"{size:>9,} {room:<14} failed: {done.stderr[-2000:]}", flush=True)
        return
    one = json.loads(done.stdout.splitlines()[-1])
    print(f"{size:>9,} {room:<14}{one['seconds']:>10.1f} s{one['cpu']:>10.1f} CPU s{one['peak']:>8.2f} GiB", flush=True)
    (folder / f"{size}" / f"{room}.json").write_text(json.dumps(one | settings))


def measured(folder: Path) -> dict[str, dict[int, dict[str, float]]]:
    """Room → persons → what it took, as far as the folder holds it."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for room in ROOMS:
        kept = {int(path.parent.name): json.loads(path.read_text()) for path in folder.glob(f"*/{room}.json")}
        if kept:
            found[room] = dict(sorted(kept.items()))
    return found


# ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────
def exponent(taken: dict[int, dict[str, float]], what: str) -> float:
    """The slope of log on log, from FROM persons on where two sizes are: below, what does not grow hides what does."""
    sizes = [size for size in taken if size >= FROM]
    sizes = sizes if len(sizes) > 1 else list(taken)
    if len(sizes) < 2:
        return np.nan
    return float(np.polyfit(np.log(sizes), np.log([taken[size][what] for size in sizes]), 1)[0])


def as_markdown(found: dict[str, dict[int, dict[str, float]]]) -> str:
    """A row a room: CPU seconds and peak at each size, and the exponent of the seconds."""
    sizes = sorted({size for taken in found.values() for size in taken})
    rows = [["room", *(f"{size:,}" for size in sizes), "exponent"], ["---", *["---:"] * (len(sizes) + 1)]]
    for room, taken in found.items():
        cells = [
            f"{taken[size]['cpu']:,.0f} s, {taken[size]['peak']:.1f} GiB" if size in taken else "" for size in sizes
        ]
        slope = exponent(taken, "cpu")
        rows.append([room, *cells, "" if np.isnan(slope) else f"{slope:.2f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(found: dict[str, dict[int, dict[str, float]]]) -> None:
    """CPU seconds and peak memory by persons, log-log, a line a room, its name at its end."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "scale", "svg.fonttype": "path", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 6))
    for axis, (what, title) in zip(axes, (("cpu", "CPU seconds"), ("peak", "peak memory, GiB")), strict=True):
        ends = []
        for n, (room, taken) in enumerate(found.items()):
            line = [(size, one[what]) for size, one in taken.items()]
            look = {"color": COLOURS[n % len(COLOURS)], "marker": "os^Dv"[n % 5]}
            axis.plot(*zip(*line, strict=True), ms=4, lw=1.2, **look)
            ends.append((line[-1], room, look["color"]))
        axis.set(xscale="log", yscale="log", xlabel="persons", title=title)
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_formatter(lambda x, _: f"{x:,.0f}" if x >= 1 else f"{x:g}")
            ticks.set_minor_formatter("")
        if what == "peak":  # what a run is to hold in
            axis.axhline(MOST_GIB, color="#999999", lw=0.8)
            axis.set_yticks([0.25, 0.5, 1, 2, 4, MOST_GIB])
        reference(axis)
        named(axis, ends)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(FIGURE, metadata={"Date": None})


def reference(axis) -> None:
    """A line of slope 1 through the middle of what is drawn."""
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    middle = np.sqrt(left * right), np.sqrt(low * high)
    ends = np.array([left, right])
    axis.plot(ends, middle[1] * ends / middle[0], color="#999999", ls=":", lw=1.2, zorder=0)
    axis.set(xlim=(left, right * 4), ylim=(low, high))
    inside = min(right, middle[0] * high / middle[1]) / 1.4
    axis.annotate("slope 1", (inside, middle[1] * inside / middle[0]), color="#777777", fontsize=8, ha="right")


def named(axis, ends) -> None:
    """The rooms' names at the ends of their lines, none on another."""
    low, high = np.log(axis.get_ylim())
    least, places, below = (high - low) / 28, [], -np.inf
    ends = sorted(ends, key=lambda end: end[0][1])
    for (_, value), *_ in ends:
        below = max(np.log(value), below + least)
        places.append(below)
    above = high + least
    for k in reversed(range(len(places))):  # none above the frame
        above = places[k] = min(places[k], above - least)
    for ((size, value), room, colour), at in zip(ends, places, strict=True):
        axis.annotate(
            room, (size, value), (axis.get_xlim()[1] / 3.6, np.exp(at)), color=colour, fontsize=8, va="center",
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": colour},
        )  # fmt: skip


if __name__ == "__main__":
    main()
