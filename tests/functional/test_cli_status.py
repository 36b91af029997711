"""`run`, `report` and `status` as a scheduler meets them: events, exit status, locks, a disk that is full."""

import errno
import json
import resource
import shutil
from pathlib import Path

import pytest

from commands import call
from invented_estimates import with_invented_estimates
from report_tables import write_tables
from trajectories import folders, pipeline
from trajectories.folders import alone
from without_kernels import pages_without_kernels

ROOT = Path(__file__).parents[2]
KEYS = {"event", "region", "stage", "status", "seconds", "message", "persons"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of 24 invented households, reported once without kernels; copied for each test."""
    place = tmp_path_factory.mktemp("project")
    text = (ROOT / "study.toml").read_text(encoding="utf-8").replace("replicates = 500", "replicates = 20")
    (place / "study.toml").write_text(text.replace("draws = 20", "draws = 3"), encoding="utf-8")
    assert call("simulate", "--out", place / "data", "--households", 24, "--organisations", 3, "--defects", "none") == 0
    # the estimates are invented too: those of the households would take a minute
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        with_invented_estimates(patch, write_tables(place / "estimates"))
        pages_without_kernels(patch)
        assert call("run") == 0
    return place


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    place = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(place)
    return place


def events(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.thorough
def test_an_unchanged_run_builds_analyses_and_makes_nothing(project, capsys, monkeypatch):
    made = pages_without_kernels(monkeypatch)
    monkeypatch.setattr(pipeline, "build", None)
    assert call("status") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "20 fresh."
    assert call("run") == 0
    captured = capsys.readouterr()
    assert made == [] and "build: tables (unchanged)" in captured.err and "rows read = " in captured.out
    lines = captured.out.splitlines()
    assert ["region", "persons", "status", "seconds"] in [line.split() for line in lines]
    assert any(line.startswith("03 ") and line.endswith("skipped  0.0") for line in lines)


def test_events_are_one_object_a_line_with_the_same_keys(project, capsys, monkeypatch):
    pages_without_kernels(monkeypatch, fails=["03"])
    (project / "reports" / "shareable" / "region-03.html").unlink()
    assert call("run", "--json", "--region", "03", "--region", "05") == 1
    found = events(capsys.readouterr().out)
    assert all(set(one) == KEYS for one in found)
    assert [(one["event"], one["region"], one["status"]) for one in found if one["event"] in ("region", "summary")] == [
        ("region", "05", "skipped"), ("region", "03", "failed"), ("summary", "03", "failed"),
        ("summary", "05", "skipped"),
    ]  # fmt: skip
    stages = [(one["stage"], one["status"]) for one in found if one["event"] == "stage" and one["status"] != "step"]
    assert stages == [(name, how) for name in ("build", "analyse", "reports") for how in ("started", "done")]
    assert (found[-1]["event"], found[-1]["status"]) == ("end", "failed") and found[-1]["seconds"] > 0
    assert call("status", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    (failed,) = [thing for thing in said["things"] if thing["status"] == "failed"]
    assert failed["region"] == "03" and "panne voulue" in failed["why"][0] and said["counts"]["failed"] == 1


def test_what_changed_is_named_from_the_build_on(project, capsys):
    raw = project / "data" / "raw"
    one = next(path for path in sorted(raw.rglob("*")) if path.is_file())
    one.unlink()
    text = (project / "study.toml").read_text(encoding="utf-8").replace("\nseed = 1", "\nseed = 2")
    (project / "study.toml").write_text(text, encoding="utf-8")
    assert call("status") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"build: stale (deposits changed: {one.relative_to(raw)};") and "seed 1 → 2" in lines[0]
    assert lines[1].startswith("analysis: stale (") and "the build is stale" in lines[1]
    assert lines[2] == "page fr province: stale (the analysis is stale)"
    (project / "study.toml").write_text("perimeter = 3", encoding="utf-8")
    assert call("status") == 2


@pytest.mark.parametrize(
    ("folder", "command"),
    [("data/derived", ("build",)), ("data/derived", ("report",)), ("reports/sensitive", ("run", "--json")),
     ("data/derived", ("cohort",)), ("reports/sensitive", ("publish", "--to", "web"))],
)  # fmt: skip
def test_the_second_run_is_refused(project, capsys, folder, command):
    with alone(project / folder):
        assert call(*command) == 2
    captured = capsys.readouterr()
    assert "is held by another run (process" in captured.err and "Traceback" not in captured.err
    if "--json" in command:
        (end,) = events(captured.out)
        assert (end["event"], end["status"]) == ("end", "refused") and "another run" in end["message"]


def whole(place):
    """Every file that is not hidden, for a run that is refused must leave them all as they were."""
    return {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file() and path.name != ".lock"}


@pytest.mark.thorough
def test_a_disk_that_is_full_is_a_sentence_and_leaves_no_half_file(project, capsys):
    before = whole(project / "data" / "derived")
    del before[project / "data" / "derived" / "build.json"]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # no file may grow beyond this: a write fails half-way, as on a disk without room
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        assert call("build", "--force") == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert "Make room" in said and "Traceback" not in said
    after = whole(project / "data" / "derived")
    # a build that is made again is the same bytes, as far as it came; nothing half-written stands beside
    assert {path: after[path] for path in before} == before
    assert not [path for path in after if path.name.endswith(".tmp")]
    # of two builds, perhaps: not to be reported
    assert call("report", "--region", "03") == 2
    assert "the build was not finished: run `trajectories build` first." in capsys.readouterr().err


def test_a_folder_that_may_not_be_written_to_is_a_sentence(project, capsys, monkeypatch):
    def refused(path):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    before = whole(project)
    monkeypatch.setattr(folders, "private_folder", refused)
    monkeypatch.setattr("trajectories.folders.private_folder", refused)
    assert call("run") == 2
    said = capsys.readouterr().err
    assert "Read-only file system. Choose a folder that may be written to" in said and whole(project) == before


@pytest.mark.parametrize("stamp", ["data/derived/build.json", "reports/sensitive/tables/analysis.json"])
def test_a_damaged_stamp_is_no_stamp_and_status_says_so(project, capsys, stamp):
    (project / stamp).write_text('{"from"', encoding="utf-8")
    assert call("status") == 1
    assert "nothing says what it was made from" in capsys.readouterr().out
