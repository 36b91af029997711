"""The same work on a cluster: the same bytes, with a worker lost half-way, and a sentence for what can go wrong."""

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import pandas as pd
import psutil
import pytest

from commands import call
from trajectories import tables
from trajectories.exceptions import ClusterError, TableError, TrajectoriesError
from trajectories.retention import estimate
from trajectories.retention.main_fits import main_fits
from trajectories.stamps import PACKAGE
from trajectories.stays import partitions
from trajectories.study import Study

cluster = pytest.importorskip("trajectories.runs.cluster", exc_type=ImportError)
distributed = pytest.importorskip("distributed")
# what a worker is asked of itself travels as it is: it need not import this module, and all that this one imports
cloudpickle.register_pickle_by_value(sys.modules[__name__])
DOCS = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
WORKERS = 3
PORT = "18787"


@pytest.fixture(scope="module")
def met():
    """A scheduler of this machine and three workers, processes of their own, by its address; and a client."""
    more = {"threads_per_worker": 1, "processes": True, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(n_workers=WORKERS, **more) as started, distributed.Client(started) as client:
        yield started.scheduler_address, client


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Deposits of a few invented households, built here."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "study.toml").write_text("replicates = 2\ndraws = 1\n", encoding="utf-8")
    made = ("--households", 40, "--organisations", 6, "--defects", "heavy", "--seed", 3)
    assert call("simulate", "--out", folder / "data", *made) == 0
    assert call("build", "--study", folder / "study.toml") == 1  # some of the files cannot be read
    return folder


def files_of(folder, pattern="*"):
    found = (path for path in sorted(Path(folder).glob(pattern)) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@contextlib.contextmanager
def a_worker_lost(client, after):
    """Kills a worker with a task in its hands, once so many tasks are done."""
    pids, killed = client.run(os.getpid), []
    over = threading.Event()

    def done(dask_scheduler):
        return sum(1 for _, _, end, *_ in dask_scheduler.transition_log if end == "memory")

    before = client.run_on_scheduler(done)

    def watch():
        seen = set()
        while not (killed or over.is_set()):
            busy = {(worker, key) for worker, keys in client.processing().items() for key in keys}
            # at it for more than one look, so that it is not done before the signal comes
            if (still := sorted(busy & seen)) and client.run_on_scheduler(done) - before >= after:
                os.kill(pids[still[0][0]], signal.SIGKILL)
                killed.append(still[0][0])
            seen = busy
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()


def kept_files(dask_worker):
    """What a worker has on its disk."""
    return [path.name for path in Path(dask_worker.local_directory).rglob("*") if path.is_file()]


def done_again(dask_scheduler):
    """The tasks that were lost with their worker, and came to an end all the same."""
    log = list(dask_scheduler.transition_log)
    lost = {key for key, begin, end, _, why, _ in log if (begin, end) == ("processing", "released") and "worker" in why}
    return lost & {key for key, _, end, *_ in log if end == "memory"}


# ── the same bytes ────────────────────────────────────────────────────────────────────────────────────────
def test_tables_are_those_of_this_process_though_a_worker_is_lost(built, met, capsys, monkeypatch):
    address, client = met
    derived = built / "data" / "derived"
    here, review = files_of(derived, "*.parquet"), files_of(built / "reports" / "sensitive" / "review")
    assert len(here) == 16
    for path in derived.glob("*.parquet"):
        path.unlink()
    monkeypatch.setattr(partitions, "ROWS", 40)
    with a_worker_lost(client, after=8) as killed:
        assert call("build", "--study", built / "study.toml", "--force", "--scheduler", address) == 1
    assert killed and client.run_on_scheduler(done_again)
    there = files_of(derived, "*.parquet")
    assert there.keys() == here.keys()
    assert not [name for name in here if here[name] != there[name]]
    assert files_of(built / "reports" / "sensitive" / "review") == review
    assert "Traceback" not in capsys.readouterr().err


def test_nothing_of_the_run_is_left_nor_said(built, met):
    _, client = met
    assert not any(client.run(kept_files).values())
    records = tables.load(tables.RECORDS, built / "data" / "derived")
    names = {name for name in pd.unique(records[["family_name", "file_number"]].to_numpy().ravel()) if name}
    said = " ".join(line for lines in client.get_worker_logs().values() for _, line in lines)
    assert len(names) > 20 and not [name for name in names if len(name) > 4 and name in said]


def test_estimates_of_groups_are_those_of_this_process(built, met):
    derived = built / "data" / "derived"
    cohort, contacts = tables.load(tables.COHORT, derived), tables.load(tables.CONTACTS, derived)
    study, groups = Study(replicates=2, horizons=(12,)), ["province", cohort["region"].mode()[0]]

    def made(mapper):
        fits = main_fits(cohort, contacts, study=study, groups=groups, mapper=mapper)
        asked = {"study": study, "groups": groups, "fits": fits, "mapper": mapper, "companions": False}
        curves = pd.concat([fit.curve.table for fit in fits.values()])
        return vars(estimate(cohort, contacts, **asked)) | {"fit": curves}

    here = made(map)
    with cluster.executor_at(met[0], Study.read(built / "study.toml")) as executor:
        there = made(executor.map)
    assert here.keys() == there.keys() and len(here["retention"])
    for name, frame in here.items():
        pd.testing.assert_frame_equal(frame, there[name], check_exact=True)


# ── a whole run ───────────────────────────────────────────────────────────────────────────────────────────
def blocks_of_the_page():
    """The commands that docs/cluster.md shows: certificates, environment, scheduler and worker."""
    return re.findall(r"^```sh\n(.*?)^```", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@contextlib.contextmanager
def started(commands, folder, environment):
    """What the last block of the page starts, on this machine."""
    running = []
    for line, port in zip(commands.strip().splitlines(), ("--host 127.0.0.1", "--nanny-port 0"), strict=True):
        _, kind, *rest = f"{line} {port}".replace("machine", "127.0.0.1").replace("8786", PORT).split()
        rest = ["2" if word == "8" else word.replace("/scratch", str(folder)) for word in rest]
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *rest]
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
    try:
        yield
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_a_whole_run_over_tls_as_the_page_says_is_that_of_this_machine(tmp_path):
    certificates, environment, commands = blocks_of_the_page()
    subprocess.run(["sh", "-ec", certificates], cwd=tmp_path, check=True, capture_output=True)
    said = subprocess.run(["sh", "-ec", f"{environment} env -0"], cwd=tmp_path, check=True, capture_output=True)
    settings = dict(line.split("=", 1) for line in said.stdout.decode().split("\0") if "=" in line)
    paths = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    found = {}
    for where in ("here", "there"):
        folder = tmp_path / where
        folder.mkdir()
        (folder / "study.toml").write_text("replicates = 2\ndraws = 1\n", encoding="utf-8")
        call("simulate", "--out", folder / "data", "--households", 20, "--organisations", 4, "--seed", 2)
        command = [sys.executable, "-m", "trajectories", "run", "--region", "province", "--region", "03"]
        if where == "here":
            subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": paths})
        else:
            settings["PYTHONPATH"] = paths
            with started(commands, tmp_path, settings):
                more = ["--scheduler", f"tls://127.0.0.1:{PORT}"]
                subprocess.run([*command, *more], cwd=folder, check=True, env=settings)
        found[where] = {
            **files_of(folder / "data" / "derived", "*.parquet"),
            **files_of(folder / "reports" / "sensitive" / "tables", "*.parquet"),
            **files_of(folder / "reports" / "shareable", "**/*"),
        }
    assert found["here"].keys() == found["there"].keys() and len(found["here"]) > 70
    assert not [name for name, content in found["here"].items() if content != found["there"][name]]


# ── what can go wrong ─────────────────────────────────────────────────────────────────────────────────────
def refused(built, capsys, *more):
    """What `build` says when it refuses, before any work."""
    capsys.readouterr()
    assert call("build", "--study", built / "study.toml", "--force", *more) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("address", ["nowhere", "tcp://", "http://127.0.0.1:8786", "tls://machine", "tcp://[::1"])
def test_an_address_that_is_none_is_refused(built, capsys, address):
    assert "is no address: give `local`" in refused(built, capsys, "--scheduler", address)


def test_another_machine_is_not_spoken_to_in_the_clear(built, capsys, monkeypatch):
    assert "names and birth dates would travel in the clear" in refused(
        built, capsys, "--scheduler", "tcp://192.0.2.1:8786"
    )
    monkeypatch.setenv(cluster.PRIVATE_NETWORK, "yes")
    cluster.check_address("tcp://192.0.2.1:8786")


def test_a_scheduler_that_does_not_answer(built, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    assert "does not answer" in refused(built, capsys, "--scheduler", "tcp://127.0.0.1:9")
    said = refused(built, capsys, "--scheduler", "tls://127.0.0.1:9")
    assert "without this machine's certificates: name them in" in said


def test_a_scheduler_without_a_worker(built, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None, protocol="tcp://") as empty:
        said = refused(built, capsys, "--scheduler", empty.scheduler_address)
    assert "has no worker: start one with `dask worker tcp://127.0.0.1:" in said


def test_a_worker_of_another_version_is_refused_before_any_work(built, met, capsys, tmp_path):
    address, client = met
    shutil.copytree(PACKAGE, tmp_path / "trajectories", ignore=shutil.ignore_patterns("*.pyc"))
    with (tmp_path / "trajectories" / "months.py").open("a") as file:
        file.write("# changed\n")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
    place = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(tmp_path)}, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **place) as worker:
        try:
            client.wait_for_workers(WORKERS + 1, timeout=60)
            said = refused(built, capsys, "--scheduler", address)
        finally:
            worker.terminate()
    assert "the source of trajectories" in said and "its results could differ" in said
    with pytest.raises(ClusterError, match="its results could differ"):  # one that comes later
        cluster.Prepared({"trajectories": "another"}).setup(types.SimpleNamespace(address="w", local_directory="."))


def test_a_worker_that_differs_is_told_by_what():
    mine = {"trajectories": "1", "scipy": "2"}
    with pytest.raises(ClusterError, match=r"w has scipy 3 \(here: 2\): its results could differ"):
        cluster._refuse_another("w", {"trajectories": "1", "scipy": "3"}, mine)
    with pytest.raises(ClusterError, match="w has no trajectories, or another version"):
        cluster._refuse_another("w", ModuleNotFoundError("trajectories"), mine)


def test_what_ends_a_cluster_at_work_is_a_sentence():
    for error, said in ((distributed.KilledWorker("task", None, 3), "every worker that began it was lost"),
                        (CancelledError(), "was lost while it was at work")):  # fmt: skip
        with pytest.raises(ClusterError, match=said), cluster._in_sentences("tls://machine:8786"):
            raise error


def test_without_the_packages_the_extra_is_named(built, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "trajectories.runs.cluster", None)
    assert "pip install trajectories[cluster]" in refused(built, capsys, "--scheduler", "local")


def listening():
    """The addresses that a process takes calls at."""
    return [at.laddr.ip for at in psutil.Process().net_connections("inet") if at.status == psutil.CONN_LISTEN]


def heard_beyond_this_machine(client):
    """Where a scheduler and its workers listen, but for addresses of this machine alone."""
    found = [client.run_on_scheduler(listening), *client.run(listening).values()]
    return [address for addresses in found for address in addresses if address != "127.0.0.1"]


def test_local_workers_have_certificates_of_their_own(built, tmp_path):
    tmp_path = tmp_path / "Données à lire"
    study = Study().with_folders(derived=tmp_path / "derived", reports=tmp_path / "reports")
    with cluster.executor_at("local", study, workers=1) as executor:
        assert list(executor.map(divmod, [7], [2])) == [(3, 1)]
        client = executor._connect()._client
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        folder = tmp_path / "derived" / "tmp" / "dask-scratch-space"
        assert folder.is_dir() and (tmp_path / "derived" / "tmp").stat().st_mode & 0o077 == 0
        assert not heard_beyond_this_machine(client)


def fault(error):
    raise error


@pytest.mark.parametrize(("error", "kind", "said"), [
    (TableError("table spells: column zone."), TrajectoriesError, "table spells: column zone."),
    (OSError(errno.ENOSPC, "No space left", "x"), TrajectoriesError, "A worker could not go on: x: No space left"),
    (ValueError("told here only"), RuntimeError, "told here only"),
])  # fmt: skip
def test_what_went_wrong_in_a_task_is_raised_here_and_not_there(error, kind, said):
    with ThreadPoolExecutor(1) as pool:
        executor = cluster.ClusterExecutor(lambda: pool)
        assert executor.submit(fault, error).result()[0] is False
        with pytest.raises(kind, match=said):
            list(executor.map(fault, [error]))


def test_nobody_is_met_where_nothing_is_to_be_done(tmp_path):
    study = Study().with_folders(derived=tmp_path / "derived", reports=tmp_path / "reports")
    with cluster.executor_at("local", study):
        pass
    assert not (tmp_path / "derived").exists()
