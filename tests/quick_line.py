"""The command line in processes that can be killed, many of them: what computes is remembered, what writes is real.

Run as a program, it imports the library once and then forks a process a request, which leads a group of its own and
calls the command line there; the workers of its pool are started as ever. `Line` is the other end, for a test.

Remembered, in a folder: the estimates (invented, report_tables.py) and the tables once protected; a page says what its
tables are, no notebook runs, and nothing is searched for names. Where `light` is asked, what the rooms of the build
compute is remembered too, and files of data are a few. All else is what a user runs, above all whatever writes a file.
"""

import contextlib
import hashlib
import importlib
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

REMEMBERED = Path(os.environ.get("QUICK_LINE", "."))
LIGHT = os.environ.get("QUICK_LINE_LIGHT") == "1"
PAGE = "<!doctype html>\n<html lang='fr-CA'><body><h1>{}</h1><p>{}</p>{}</body></html>\n"
# By the program, once, before it forks.
IMPORTED = (
    "babel.dates", "concurrent.futures.process", "duckdb", "pandera.backends.pandas.builtin_checks", "pandera.pandas",
    "pyarrow.parquet", "python_calamine", "threadpoolctl", "trajectories.built",
    "trajectories.report.organisations",
)  # fmt: skip
ASKED = tuple(part for region in ("03", "05", "09") for part in ("--region", region))
# A page is of some size, so that half of one can be met.
FILLING = "<p>trajectoire</p>\n" * 20_000


def _recalled(name, make):
    """A value of these inputs, from the folder; made and kept there the first time."""
    path = REMEMBERED / f"{name}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    value = make()
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_bytes(pickle.dumps(value))
    scratch.replace(path)
    return value


def _of_tables(folder):
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.parquet")))).hexdigest()


def _make(job):
    """Instead of `worker._make`: no notebook. `QUICK_LINE_DIES`, `QUICK_LINE_RAISES`: regions that come to grief."""
    if job.region in os.environ.get("QUICK_LINE_DIES", "").split():
        os.kill(os.getpid(), signal.SIGKILL)
    if job.region in os.environ.get("QUICK_LINE_RAISES", "").split():
        raise RuntimeError("panne voulue")
    job.executed.write_text(json.dumps({"cells": []}), encoding="utf-8")
    of = _of_tables(Path(job.parameters["tables"]))
    job.made.write_text(PAGE.format(job.region, of, FILLING), encoding="utf-8")


def _in_worker():
    from trajectories.report import worker

    worker._make = _make


def _in_line():
    import pandas as pd

    from trajectories import analysis, people, pipeline
    from trajectories.report import batch, exports, html, method_page, shown

    estimates = {path.stem: pd.read_parquet(path) for path in sorted((REMEMBERED / "estimates").glob("*.parquet"))}

    def of_study(study, *_):
        # other settings give other numbers
        frame = estimates["retention"]
        return estimates | {"retention": frame.assign(estimate=frame["estimate"] * (1 - study.seed / 1000))}

    analysis.estimates_of = of_study
    protect, write = shown.protect_tables, exports.exported

    def protected(tables, *about):
        return _recalled(f"protected-{_of_tables(tables)}", lambda: protect(tables, *about))

    shown.protect_tables = protected
    batch.check_notebook = _nothing
    batch.open_reports = lambda *_, **__: None
    html.index = lambda _, pages, **said: PAGE.format("index", sorted(pages.values()), sorted(said["files"]))
    batch.withhold_leaks = lambda *_, **__: {}
    batch.what_may_be_said = lambda *_: None
    if LIGHT:
        exports.exported = lambda tables, words, run: {
            name: f"{run.cutoff}\n{_told(tables)}".encode() * 8000 for name in ("a.csv", "b.csv", "trajectoires.xlsx")
        }
        method_page.method_page = lambda run, *_: PAGE.format("methode", run.cutoff, "")
        read = pipeline.read_deposits
        # deposits as read (deposits/remembered.py) are written by `make faults` only
        pipeline.read_deposits = lambda raw, memory, **about: _recalled(_names(raw), lambda: read(raw, **about))
        for room, name in ((pipeline, "link"), (people, "build_spells"), (people, "build_cohort")):
            setattr(room, name, _once(name, getattr(room, name)))
    else:
        exports.exported = lambda tables, words, run: _recalled(
            f"exports-{_told(tables)}", lambda: write(tables, words, run)
        )


def _once(name, function):
    """The study has two states, of which one lacks a deposit: what is computed of either is known by its rows."""

    def recalled(first, *others, **about):
        rows = len(getattr(first, "observations", first))
        return _recalled(f"{name}-{rows}", lambda: function(first, *others, **about))

    return recalled


def _told(tables):
    frame = tables["retention"].frame
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def _names(raw):
    names = sorted(path.name for path in Path(raw).rglob("*"))
    return f"deposits-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]}"


def _nothing(*_):
    """Stands in for the check of a notebook, which would import Jupyter."""


def _serve():
    """A request a line on standard input: begin a run, or wait for the end of one."""
    for name in IMPORTED:
        importlib.import_module(name)
    from trajectories import cli

    _in_line()
    _in_worker()
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        process = os.fork()
        if process == 0:
            _run(request, cli)
        print(process, flush=True)


def _run(request, cli):
    os.setsid()
    os.chdir(request["folder"])
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    if request["forks"]:
        _fork_workers()
    os.environ.update(request["environment"])
    if request["largest"]:
        # no file may grow beyond this: a write fails half-way, as on a disk without room
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"],) * 2)
    sys.argv = ["trajectories", *request["arguments"]]
    status = 1
    try:
        cli.main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # as at the end of a program: the threads of a pool are waited for
        import threading

        threading._shutdown()
        os._exit(status)


def _fork_workers():
    """Workers that import nothing again, where nobody is to be killed."""
    import multiprocessing

    from trajectories.report import batch

    contexts = SimpleNamespace(
        get_context=lambda _: multiprocessing.get_context("fork"), active_children=multiprocessing.active_children
    )
    batch.multiprocessing = contexts


def written(folder):
    """Every file that a run writes, by name; no clock and no process number is in any of them."""
    places = ("data/derived", "reports")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for place in places for path in sorted((folder / place).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }  # fmt: skip


class Run:
    """A run that has begun."""

    def __init__(self, line, pid, out, err, *, forks):
        self.line, self.pid, self.out, self.err = line, pid, out, err
        # how the command of a worker begins, or ends: of one that was forked, as that of the run
        self._mark = "quick_line.py" if forks else "--multiprocessing-fork"
        self.status = None

    def wait(self):
        """Its exit status; minus the signal that ended it."""
        if self.status is None:
            self.status = int(self.line.ask({"wait": self.pid}))
        return self.status

    @property
    def events(self):
        """The lines of `--json` that are there, whole."""
        lines = self.out.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def work(self):
        """Seconds that the busiest process of its pool has computed."""
        return max((_computed(one) for one in self.children()), default=0.0)

    def interrupt(self):
        """Ctrl-C, to the run alone."""
        os.kill(self.pid, signal.SIGINT)

    def interrupt_all(self):
        """Ctrl-C, to the run and its workers, as a terminal sends it."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self):
        os.killpg(self.pid, signal.SIGKILL)

    def children(self):
        """The processes of its pool, as they are now."""
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            return [one for one in psutil.Process(self.pid).children(recursive=True) if _is_worker(one, self._mark)]
        return []


def _computed(process):
    import psutil

    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


def _is_worker(process, mark):
    import psutil

    try:
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
    # there is also the tracker of semaphores
    return any(part.endswith(mark) for part in command)


class Line:
    """The program, warm: `begin` gives a run in a process of its own."""

    def __init__(self, remembered, *, light):
        self.light = light
        src = Path(__file__).parents[1] / "src"
        told = {
            "QUICK_LINE": str(remembered), "QUICK_LINE_LIGHT": str(int(light)), "PYTHONPATH": str(src),
            "TRAJECTORIES_KEY": "a key for the tests only",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **told},
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def begin(self, folder, *arguments, forks=False, largest=None, **environment):
        folder = Path(folder)
        out, err = folder / "out.txt", folder / "err.txt"
        for path in (out, err):
            path.unlink(missing_ok=True)
        request = {
            "folder": str(folder), "arguments": list(map(str, arguments)), "forks": forks, "largest": largest,
            "environment": environment,
        }  # fmt: skip
        pid = int(self.ask({**request, "out": str(out), "err": str(err)}))
        while not out.exists():
            time.sleep(0.001)
        return Run(self, pid, out, err, forks=forks)

    def run(self, folder, *arguments, forks=True, **about):
        """The exit status of a run that is left in peace."""
        return self.begin(folder, *arguments, forks=forks, **about).wait()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    _serve()
elif __name__ == "__mp_main__":
    _in_worker()
