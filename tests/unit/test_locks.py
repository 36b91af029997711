"""One run at a time in a folder: who is refused, who takes over, and what is left behind."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from trajectories import folders as locks
from trajectories.exceptions import LockedError
from trajectories.folders import FILE, alone

HOLDS = "import sys, time; from trajectories.folders import alone\nwith alone(sys.argv[1]):\n print(1, flush=True)\n {}"


def holder(folder, then="time.sleep(60)"):
    """Another process that holds a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS.format(then), folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "1\n"
    return process


def said(folder):
    return (folder / FILE).read_text()


def claim(folder, **facts):
    content = {"pid": 1, "host": locks.socket.gethostname(), "since": "2026-04-01 08:00:00-04:00", **facts}
    (folder / FILE).write_text(json.dumps(content))


def test_the_second_is_refused_with_a_sentence_and_a_killed_run_bars_nobody(tmp_path):
    process = holder(tmp_path)
    try:
        with pytest.raises(LockedError, match=rf"run \(process {process.pid}, since 20.*\): wait"), \
                alone(tmp_path):  # fmt: skip
            pass
        assert json.loads(said(tmp_path))["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # its name is still there
    assert json.loads(said(tmp_path))["pid"] == process.pid
    with alone(tmp_path):
        assert json.loads(said(tmp_path))["pid"] == os.getpid()
    assert said(tmp_path) == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, SystemExit])
def test_whatever_ends_a_run_frees_its_folders(tmp_path, error):
    for _ in range(2):
        with pytest.raises(error), alone(tmp_path / "a", tmp_path / "b"):
            raise error
    assert said(tmp_path / "a") == said(tmp_path / "b") == ""


def test_a_folder_that_could_not_be_had_frees_those_that_were(tmp_path):
    with alone(tmp_path / "b"):
        with pytest.raises(LockedError), alone(tmp_path / "a", tmp_path / "b"):
            pass
        with alone(tmp_path / "a"):
            pass
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_another_machine_is_named_and_nothing_is_stolen_from_it(tmp_path):
    claim(tmp_path, host="elsewhere", pid=77)
    before = said(tmp_path)
    with pytest.raises(LockedError, match=r"another machine \(elsewhere, process 77, since 2026.*remove .*\.lock"), \
            alone(tmp_path):  # fmt: skip
        pass
    assert said(tmp_path) == before
    (tmp_path / FILE).unlink()
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("text", ["{", "[]", '{"pid": null}', "\x00\xff"])
def test_a_damaged_lock_file_bars_nobody(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with alone(tmp_path):
        assert json.loads(said(tmp_path))["pid"] == os.getpid()


def test_a_share_without_locks_goes_by_what_the_file_says(tmp_path, monkeypatch):
    import fcntl

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    claim(tmp_path, pid=os.getppid())
    with pytest.raises(LockedError, match=f"process {os.getppid()}"), alone(tmp_path):
        pass
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    claim(tmp_path, pid=gone.pid)
    with alone(tmp_path):
        assert json.loads(said(tmp_path))["pid"] == os.getpid()


def test_what_is_only_read_is_held_where_it_can_be(tmp_path, monkeypatch):
    with alone(reading=[tmp_path / "nowhere"]):
        assert not (tmp_path / "nowhere").exists()
    (tmp_path / "tables").mkdir()
    with alone(reading=[tmp_path / "tables"]), pytest.raises(LockedError), alone(tmp_path / "tables"):
        pass

    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(locks.os, "open", refused)
    with alone(reading=[tmp_path / "tables"]):
        pass
    with pytest.raises(PermissionError), alone(tmp_path / "tables"):
        pass


def test_a_notebook_waits_for_the_sample_that_another_is_building(tmp_path, monkeypatch):
    import threading

    from trajectories import pipeline
    from trajectories.deposits.synthetic import sample_study
    from trajectories.exceptions import StaleTableError

    study = pipeline.nearest_study(tmp_path)
    built, held = threading.Event(), threading.Event()

    def another():
        with alone(sample_study(study).paths.derived):
            held.set()
            asked.wait(10)
            built.set()

    asked = threading.Event()

    def load(derived):
        asked.set()
        if not built.is_set():
            raise StaleTableError("not there yet")
        return "the tables"

    monkeypatch.setattr(pipeline, "load_tables", load)
    monkeypatch.setattr(pipeline, "build", lambda _: pytest.fail("two at once"))
    monkeypatch.setattr(pipeline.time, "sleep", lambda _: built.wait(10))
    thread = threading.Thread(target=another)
    thread.start()
    assert held.wait(10)
    assert pipeline.sample(study) == "the tables"
    thread.join()


def test_a_sample_that_never_comes_is_a_sentence(tmp_path, monkeypatch):
    from trajectories import pipeline
    from trajectories.deposits.synthetic import sample_study

    monkeypatch.setattr(pipeline, "PATIENCE", -1)
    study = pipeline.nearest_study(tmp_path)
    with alone(sample_study(study).paths.derived), pytest.raises(LockedError, match="is held by another run"):
        pipeline.sample(study)
