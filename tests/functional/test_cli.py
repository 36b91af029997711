"""The commands as a user meets them: what they make, what they say, and their exit status.

Estimates are invented where a page needs some (invented_estimates.py): test_main_job.py computes them.
"""

import errno
import io
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from commands import call
from invented_estimates import with_invented_estimates
from report_tables import write_tables

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deposits(tmp_path_factory):
    """Deposits of 24 invented households, marked as synthetic."""
    folder = tmp_path_factory.mktemp("deposits")
    assert call("simulate", "--out", folder, "--households", 24, "--organisations", 3, "--defects", "none") == 0
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty folder with the repository's study.toml."""
    shutil.copy(ROOT / "study.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the tests only")
    return tmp_path


@pytest.mark.thorough
def test_deposits_in_reports_out(project, deposits, capsys, monkeypatch):
    with_invented_estimates(monkeypatch, write_tables(project / "estimates"))
    shutil.copytree(deposits / "raw", project / "data" / "raw")
    assert call("run", "--region", "03") == 0
    out = capsys.readouterr().out
    page = project / "reports" / "shareable" / "region-03.html"
    assert page.exists()
    assert "Capitale-Nationale" in page.read_text(encoding="utf-8")
    # the accounting of rows is printed, and the last line is the index page
    assert "rows read = " in out
    assert out.splitlines()[-1] == str(project / "reports" / "shareable" / "index.html")
    # real deposits: no banner, and folders that nobody else can open
    assert "Données synthétiques" not in page.read_text(encoding="utf-8")
    for folder in ("data/derived", "reports/sensitive"):
        assert (project / folder).stat().st_mode & 0o777 == 0o700

    assert call("report", "--region", "03") == 0
    said = capsys.readouterr().err
    assert "03: skipped" in said and "estimates (unchanged)" in said


def test_a_report_without_deposits_goes_on_from_the_sample_that_was_made(project, deposits, capsys):
    assert call("report", "--region", "03", "--dry-run") == 0
    assert str(project / "reports" / "shareable") in capsys.readouterr().out
    shutil.copytree(deposits, project / "data" / "sample")
    assert call("report", "--region", "03", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "the synthetic sample is used" in out and str(project / "reports" / "sample" / "shareable") in out
    for research in (["cohort", "--dry-run"], ["train", "--dry-run"]):
        assert call(*research) == 0
        captured = capsys.readouterr()
        assert "the synthetic sample is used" in captured.err
        assert str(project / "data" / "sample" / "derived") in captured.out
    # folders that are named are those that are meant
    assert call("report", "--region", "03", "--reports", project / "mine", "--dry-run") == 0
    assert "sample" not in capsys.readouterr().out


def test_a_corrupted_deposit_is_named_and_the_others_are_read(project, deposits, capsys):
    shutil.copytree(deposits / "raw", project / "data" / "raw")
    broken = project / "data" / "raw" / "OBR99_2021-2022_T1_2021-07-15.xlsx"
    broken.write_bytes(b"PK\x03\x04 cut off")
    assert call("build", "--files") == 1
    captured = capsys.readouterr()
    assert "OBR99_2021-2022_T1_2021-07-15.xlsx (unreadable): 0 read = 0 accepted" in captured.out
    assert "OBR99_2021-2022_T1_2021-07-15.xlsx: " in captured.err
    assert "Traceback" not in captured.err
    assert "persons" in captured.out


def test_an_empty_folder_is_a_sentence(project, capsys):
    (project / "data" / "raw").mkdir(parents=True)
    assert call("build") == 2
    assert "holds no deposit" in capsys.readouterr().err


def test_a_folder_without_a_usable_row_is_a_sentence(project, capsys):
    (project / "data" / "raw").mkdir(parents=True)
    (project / "data" / "raw" / "notes.csv").write_text("", encoding="utf-8")
    assert call("build") == 2
    assert "holds a usable row" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "--region", "99"), "'99' is no region"),
        (("report", "--region", "6"), "'6' is no region"),
        (("report", "--region", "06"), "wholly in the metropole"),
        (("report", "--lang", "de"), "'de'"),
        (("report", "--region", "03"), "run `trajectories build` first"),
        (("build", "--study", "nowhere.toml"), "does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(project, capsys, arguments, said):
    assert call(*arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_an_unknown_perimeter_and_all_other_faults_are_told_at_once(project, capsys):
    (project / "study.toml").write_text('perimeter = "RMR"\nscope = "ville"\nsupport = "many"\n', encoding="utf-8")
    assert call("build") == 2
    said = capsys.readouterr().err
    assert "3 fault(s)" in said
    assert all(key in said for key in ("perimeter", "scope", "support"))


@pytest.mark.thorough
def test_tables_built_for_another_perimeter_are_refused(project, deposits, capsys):
    assert call("build", "--raw", deposits / "raw") == 0
    text = (project / "study.toml").read_text(encoding="utf-8")
    (project / "study.toml").write_text(text.replace('"RMR-2021"\n', '"CMM"\n', 1), encoding="utf-8")
    assert call("report", "--region", "03") == 2
    assert "rebuild" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["build", "report", "run"])
def test_a_dry_run_does_nothing(project, capsys, command):
    before = sorted(project.rglob("*"))
    assert call(command, "--dry-run") == 0
    assert capsys.readouterr().out.strip()
    assert sorted(project.rglob("*")) == before


def test_what_could_not_be_done_at_the_end_is_refused_at_once(project, deposits, capsys, monkeypatch):
    assert call("publish", "--to", project / "web", "--dry-run") == 2
    assert "holds no page" in capsys.readouterr().err
    monkeypatch.setattr("trajectories.runs.batch.NOTEBOOKS", ("absent.ipynb",))
    assert call("run", "--raw", deposits / "raw") == 2
    assert "No report notebook" in capsys.readouterr().err
    assert not (project / "data" / "derived").exists()


def test_a_folder_of_deposits_that_may_not_be_listed_is_no_folder_without_deposits(
    project, deposits, capsys, monkeypatch
):
    shutil.copytree(deposits / "raw", project / "data" / "raw")
    listed = os.scandir
    monkeypatch.setattr("os.scandir", lambda path=".": _refused(path, "2022-2023") or listed(path))
    for command in ("build", "run"):
        assert call(command) == 2
        captured = capsys.readouterr()
        assert "2022-2023: Permission denied. Ask for the right" in captured.err and "sample" not in captured.out


@pytest.mark.thorough
def test_a_deposit_that_may_not_be_read_is_named_and_the_others_go_on(project, deposits, capsys, monkeypatch):
    shutil.copytree(deposits / "raw", project / "data" / "raw")
    read, name = Path.read_bytes, next((deposits / "raw").rglob("*T2*")).name
    monkeypatch.setattr(Path, "read_bytes", lambda path: _refused(path, name) or read(path))
    for _ in range(2):
        assert call("build") == 1
        assert f"{name}: the file cannot be opened (Permission denied)" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(project)
    monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the tests only")
    assert call("build") == 0


def _refused(path, name):
    if Path(path).name == name:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_no_stream_ends_a_command(project, monkeypatch, closed):
    # a code page that lacks letters, as of Windows where what is said goes to a file; and a stream that nobody opened
    written = io.TextIOWrapper(io.BytesIO(), encoding="cp437")
    monkeypatch.setattr("sys.stdout", written)
    assert call("places", "Gaspe") == 0
    written.flush()
    assert "Gaspésie\\u2013" in written.buffer.getvalue().decode("cp437")
    monkeypatch.setattr(f"sys.{closed}", None)
    assert call("cohort", "--dry-run") == 0
    assert call("build") == 2
    getattr(sys, closed).close()


def test_the_simulator_never_writes_among_real_deposits(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "depot.csv").write_text("nom\n", encoding="utf-8")
    assert call("simulate", "--out", tmp_path) == 2
    assert "not synthetic" in capsys.readouterr().err


@pytest.mark.thorough
def test_persons_left_out_by_request_are_counted(project, deposits, capsys):
    from trajectories import read_deposits

    records = read_deposits(deposits / "raw").records
    one = records[records["file_number"].notna()].iloc[0]
    line = f"{one['organisation_id']};{one['file_number']}\n{one['organisation_id']};no-such-file\n"
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "exclusions.csv").write_text("code_organisme;no_dossier\n" + line, encoding="utf-8")
    assert call("build", "--raw", deposits / "raw") == 0
    out = capsys.readouterr().out
    assert "left out by request" in out
    assert "exclusions.csv, line 3: no accepted row" in out and "line 2" not in out
    assert one["file_number"] not in out and "no-such-file" not in out
    assert call("build", "--raw", deposits / "raw") == 0  # nothing has changed: said again, read from the stamp
    assert "exclusions.csv, line 3" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_a_sentence(project, deposits, capsys):
    (project / "occupied").write_text("a file", encoding="utf-8")
    assert call("build", "--raw", deposits / "raw", "--derived", project / "occupied") == 2
    said = capsys.readouterr().err
    assert "occupied" in said
    assert "Traceback" not in said


def test_a_typed_place_is_explained(project, capsys):
    assert call("places", "st jean s richelieu") == 0
    assert "Saint-Jean-sur-Richelieu (56083" in capsys.readouterr().out
    assert call("places", "Saint-Lambert", "--code", "87120", "--lang", "en") == 0
    assert "87120" in capsys.readouterr().out
    assert call("places", "Gaspé", "--lang", "de") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_ends_with_130(deposits, tmp_path, number):
    import subprocess

    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "trajectories",
        "build",
        "--study",
        tmp_path / "study.toml",
        "--raw",
        deposits / "raw",
    ]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert run.stderr.readline()  # the first stage has begun
    run.send_signal(number)
    _, said = run.communicate()
    assert run.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
