"""The same study on two machines that have nothing in common but the library: the same bytes, and nothing of either.

Locale, time zone, hash seed, threads, user, home, folders, umask, dates and inodes of files, the order in which the
system lists them, processes side by side. The build, the pages and all around them are real; the estimates, which would
take minutes, are invented (invented_estimates.py; `make faults` has them computed).
"""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import invented_estimates
from commands import call, written
from report_tables import write_tables

ROOT = Path(__file__).parents[2]
CODE = """
import os, sys
if os.environ["STUDY_LISTS"] == "backwards":
    # ahead of every import: as another file system would list
    def backwards(function):
        return lambda *of, **how: Entries(list(function(*of, **how))[::-1])
    class Entries:
        def __init__(self, found): self.found = iter(found)
        def __iter__(self): return self
        def __next__(self): return next(self.found)
        def __enter__(self): return self
        def __exit__(self, *_): return None
        def close(self): return None
    os.listdir, os.scandir = backwards(os.listdir), backwards(os.scandir)
from unittest.mock import patch
import invented_estimates
from trajectories import cli
from trajectories.linkage import identities
# a name that has moved is an error
patch.object(identities, "THREADS", int(os.environ["OMP_NUM_THREADS"])).start()
if invented_estimates.VARIABLE in os.environ:
    tables = invented_estimates.invented(os.environ[invented_estimates.VARIABLE])
    patch.object(invented_estimates.analysis, "estimates_of", tables).start()
cli.main()
"""
ONE = {
    "LC_ALL": "C", "LANG": "C", "TZ": "UTC", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "STUDY_LISTS": "as ever",
    "PYTHONUTF8": "1",
}  # fmt: skip
OTHER = {
    "LC_ALL": "tr_TR.UTF-8", "LANG": "fr_CA.UTF-8", "LANGUAGE": "fr_CA", "TZ": "XYZ-13:45", "PYTHONHASHSEED": "4711",
    "OMP_NUM_THREADS": "3", "STUDY_LISTS": "backwards", "SOURCE_DATE_EPOCH": "86400", "COLUMNS": "40",
    "MPLBACKEND": "svg",
}  # fmt: skip


def made(place, deposits, estimates, environment, *, user, umask, jobs, away, regions, settings):
    """A study in a folder of its own; what it writes."""
    place.mkdir(parents=True)
    home = place.parent / f"home-{user}"
    home.mkdir()
    files = sorted(path for path in deposits.rglob("*") if path.is_file())
    for number, path in enumerate(files[::-1] if away else files):
        to = place / "data" / path.relative_to(deposits)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        os.utime(to, (10**9 + number * (77 if away else 1),) * 2)
    (place / "study.toml").write_text(settings, encoding="utf-8")
    told = {
        "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        "HOME": str(home), "USER": user, "LOGNAME": user,
        "TRAJECTORIES_KEY": "a key for the tests only", **environment,
    }  # fmt: skip
    if estimates:
        told[invented_estimates.VARIABLE] = str(estimates)
    asked = [part for region in regions for part in ("--region", region)]
    run = subprocess.run(
        [sys.executable, "-c", CODE, "run", "--study", place / "study.toml", "--jobs", str(jobs), *asked],
        cwd=home if away else place, env=told, umask=umask, capture_output=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    # the parameters of an executed notebook name the folder of the tables
    return {name: content for name, content in written(place).items() if not name.endswith(".ipynb")}


def compare(tmp_path, estimates, *, regions, settings, households):
    asked = ("--households", households, "--organisations", 2, "--defects", "light")
    assert call("simulate", "--out", tmp_path / "deposits", *asked) == 0
    about = {"regions": regions, "settings": settings, "deposits": tmp_path / "deposits", "estimates": estimates}
    here, there = tmp_path / "a", tmp_path / "un tout autre endroit, plus loin" / "é"
    with ThreadPoolExecutor(2) as at_once:
        one, other = (future.result() for future in [
            at_once.submit(made, here, environment=ONE, user="unetelle", umask=0o022, jobs=1, away=False, **about),
            at_once.submit(made, there, environment=OTHER, user="untelautre", umask=0o077, jobs=3, away=True, **about),
        ])  # fmt: skip
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []
    shared = {name: content for name, content in one.items() if "/shareable/" in name}
    assert {Path(name).suffix for name in shared} == {".html", ".csv", ".xlsx"}
    traces = [
        "unetelle",
        "untelautre",
        str(tmp_path),
        "/tmp/",
        "/home",
        time.strftime("%Y-%m-%d"),
        socket.gethostname(),
    ]
    for name, content in shared.items():
        texts = [content]
        if name.endswith(".xlsx"):
            book = zipfile.ZipFile(io.BytesIO(content))
            texts = [book.read(part) for part in book.namelist()]
            assert {part.date_time for part in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        for trace in traces:
            assert not any(trace.encode() in text for text in texts), (name, trace)


def test_two_environments_that_differ_in_all_give_the_same_bytes(tmp_path):
    estimates = write_tables(tmp_path / "estimates")
    settings = (ROOT / "study.toml").read_text(encoding="utf-8")
    compare(tmp_path, estimates, regions=("05",), settings=settings, households=60)


def test_a_python_without_letters_is_told_at_once():
    told = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(
        [sys.executable, "-m", "trajectories", "run"], env=told, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2 and run.stderr.count("\n") == 1 and "set PYTHONUTF8=1" in run.stderr


@pytest.mark.slow
def test_estimates_too_are_the_same_bytes_in_both(tmp_path):
    settings = (ROOT / "study.toml").read_text(encoding="utf-8").replace("replicates = 500", "replicates = 4")
    settings = settings.replace("draws = 20", "draws = 2")
    # every page, and with them those of organisations
    compare(tmp_path, None, regions=(), settings=settings, households=60)
