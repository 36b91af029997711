"""The examples of docs/batch.md: the one for Snakemake runs, the others say commands that there are."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import invented_estimates
from commands import call
from report_tables import write_tables

ROOT = Path(__file__).parents[2]
# It is no dependency: its own environment is as large as half of ours. SNAKEMAKE names another than that of the PATH.
SNAKEMAKE = os.environ.get("SNAKEMAKE") or shutil.which("snakemake")


def examples():
    """The blocks of code of the page, by language."""
    text = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def example(language):
    return next(text for name, text in examples() if name == language)


def said_commands():
    """What follows the program's name in each line that calls it, with what a scheduler fills in."""
    calls = r'(?:\{trajectories\}|"\$trajectories"|\\trajectories) ((?:build|run|report)[^>|;"\n]*)'
    filled = {"{params.which}": "--all", "{threads}": "4"}
    for language, text in examples():
        for asked in re.findall(calls, text):
            for name, value in filled.items():
                asked = asked.replace(name, value)
            yield language, asked.split()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with deposits of a few invented households, and a study that takes little time."""
    (tmp_path / "study.toml").write_text("replicates = 2\ndraws = 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    made = ("--out", "data", "--households", 20, "--organisations", 3, "--defects", "none")
    assert call("simulate", *made) == 0
    return tmp_path


@pytest.fixture
def program(tmp_path):
    """The command as a program of its own, whatever is installed; all but the estimates is real."""
    path = tmp_path / "bin" / "trajectories"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{invented_estimates.__file__}" "$@"\n')
    path.chmod(0o755)
    return path


def test_every_command_of_the_examples_is_one_of_ours(project, capsys):
    found = list(said_commands())
    assert sorted({language for language, _ in found}) == ["bat", "sh", "snakemake"]
    assert len(found) == 7
    for _, asked in found:
        assert call(*asked, "--dry-run") == 0, asked


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize(("statuses", "ended", "calls"), [
    ([0, 0], 0, 2), ([1, 0, 0], 0, 3), ([1, 1, 0], 1, 3), ([2], 2, 1), ([0, 1], 1, 2), ([130], 130, 1),
])  # fmt: skip
def test_the_script_for_cron_ends_with_the_status_of_what_it_did(tmp_path, statuses, ended, calls):
    script = tmp_path / "quarter.sh"
    script.write_text(example("sh"), encoding="utf-8")
    (tmp_path / "statuses").write_text("".join(f"{status}\n" for status in statuses))
    stub = tmp_path / "stub"
    # says what it was asked, and ends with the first status that is left
    stub.write_text('#!/bin/sh\necho "asked $*"\nread -r s <statuses\nsed -i.old 1d statuses\nexit "$s"\n')
    stub.chmod(0o755)
    done = subprocess.run(["sh", str(script)], env={**os.environ, "TRAJECTORIES": str(stub)}, capture_output=True)
    log = tmp_path / "reports" / "sensitive" / "batch.log"
    assert (done.returncode, done.stdout, done.stderr) == (ended, b"", b"")
    assert log.read_text().count("asked ") == calls
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(
    SNAKEMAKE is None and not os.environ.get("REQUIRE_SNAKEMAKE"), reason="no snakemake here (SNAKEMAKE names one)"
)
def test_the_example_for_snakemake_runs_and_runs_nothing_again(project, program):
    (project / "Snakefile").write_text(example("snakemake"), encoding="utf-8")
    paths = [str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))},
        "PYTHONPATH": os.pathsep.join(filter(None, paths)), "XDG_CACHE_HOME": str(project / "cache"),
        invented_estimates.VARIABLE: str(write_tables(project / "estimates")),
    }  # fmt: skip

    def snakemake(which):
        command = [SNAKEMAKE, "--cores", "2", "--config", f"trajectories={program}", f"which={which}"]
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)

    batch = project / "reports" / "sensitive" / "batch"
    (project / "data" / "raw" / "OBR99_2021-2022_T1_2021-07-15.xlsx").write_bytes(b"PK\x03\x04 cut off")
    # no such region: the second rule fails; the first, of which one deposit cannot be read, is not lost with it
    assert snakemake("--region 99").returncode == 1
    assert "'99' is no region" in (batch / "reports.log").read_text(encoding="utf-8")
    log = (batch / "build.log").read_text(encoding="utf-8")
    assert "OBR99_2021-2022_T1_2021-07-15.xlsx: " in log and "rows read = " in log
    built = (project / "data" / "derived" / "cohort.parquet").stat()
    done = snakemake("--region 03")
    assert done.returncode == 0, done.stderr
    page = project / "reports" / "shareable" / "region-03.html"
    assert "Capitale-Nationale" in page.read_text(encoding="utf-8")
    assert (project / "data" / "derived" / "cohort.parquet").stat().st_mtime_ns == built.st_mtime_ns
    assert "Nothing to be done" in snakemake("--region 03").stderr
