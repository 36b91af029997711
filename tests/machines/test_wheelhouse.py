"""What `make wheelhouse` gathered is enough: an install that asks no server, and a run in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

WHEELHOUSE = Path(__file__).parents[2] / "build" / "wheelhouse"
BIN = "Scripts" if os.name == "nt" else "bin"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (WHEELHOUSE / "requirements.txt").exists(), reason="make wheelhouse first"),
]


def without_network(home):
    """No settings of pip's, nothing of this environment, and a dead end for whatever would ask a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "TRAJ"))}
    dead_end = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return {**kept, **dead_end, "PIP_CONFIG_FILE": os.devnull, "HOME": str(home)}


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_no_file_that_we_write_names_a_server():
    for path in WHEELHOUSE.glob("*.[tm][xd]*"):
        assert "://" not in path.read_text(encoding="utf-8"), path.name
    lines = (WHEELHOUSE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"\./\S+\.whl --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert len(lines) == len(list(WHEELHOUSE.glob("*.whl"))) > 100


def test_a_machine_without_network_installs_it_and_makes_reports(tmp_path):
    environment = without_network(tmp_path)
    run(sys.executable, "-m", "venv", tmp_path / "venv", env=environment)
    python = tmp_path / "venv" / BIN / "python"
    asked = ("install", "--quiet", "--no-index", "--no-deps", "--require-hashes", "-r", "requirements.txt")
    run(python, "-m", "pip", *asked, cwd=WHEELHOUSE, env=environment)
    run(python, "-m", "pip", "check", env=environment)
    trajectories = tmp_path / "venv" / BIN / "trajectories"
    here = {"cwd": tmp_path / "empty", "env": environment}
    here["cwd"].mkdir()
    assert run(trajectories, "--version", **here).startswith("trajectories ")
    installed = run(python, "-c", "import trajectories; print(trajectories.__file__)", **here)
    assert (tmp_path / "venv") in Path(installed.strip()).parents
    # the sample's folder, of fewer households: `run` finds it made
    run(trajectories, "simulate", "--out", "data/sample", "--households", 25, "--organisations", 4, **here)
    (here["cwd"] / "study.toml").write_text("replicates = 2\ndraws = 1\n")
    for asked in (["--region", "03", "--region", "province"], ["--region", "03", "--lang", "en"]):
        run(trajectories, "run", *asked, **here)
    pages = here["cwd"] / "reports" / "sample" / "shareable"
    assert "Capitale-Nationale" in (pages / "region-03.html").read_text(encoding="utf-8")
    assert (pages / "en" / "region-03.html").exists() and (pages / "methode.html").exists()
