"""What may not be committed is refused: by place, by kind, by name, and by what a notebook holds."""

import json
import runpy
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOK = runpy.run_path(str(ROOT / "hooks" / "refuse_data.py"))
KEY = b"0123456789abcdef" * 4 + b"\n"


def notebook(**cell):
    return json.dumps({"cells": [{"cell_type": "code", "source": "1", **cell}], "metadata": {}}).encode()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data/raw/depot.txt", b"", "personal data"),
        ("data/exclusions.csv", b"", "personal data"),
        ("data/raw/README.md", b"", "personal data"),
        ("reports/shareable/region-05.html", b"", "personal data"),
        ("depot.XLSX", b"", "file of data"),
        ("notebooks/table.csv", b"", "file of data"),
        ("tests/unit/rows.parquet", b"", "file of data"),
        ("key", b"", "secret key"),
        ("docs/trajectories-key-0123456789ab", b"", "secret key"),
        ("notes.txt", KEY, "secret key"),
        ("notes.txt", KEY + b"ids 1\ntables\n00 00\n", "secret key"),
        ("a.ipynb", notebook(outputs=[{"output_type": "stream"}]), "outputs"),
        ("a.ipynb", notebook(outputs=[], execution_count=1), "outputs"),
        ("a.ipynb", notebook(attachments={"image.png": {}}), "picture"),
        ("a.ipynb", json.dumps({"cells": [], "metadata": {"widgets": {"state": 1}}}).encode(), "widgets"),
        ("a.ipynb", b"Zhang Wei", "no notebook"),
        ("a.ipynb", b'{"nbformat": 3, "worksheets": []}', "no notebook"),
    ],
)
def test_refused(name, content, said):
    (fault,) = HOOK["faults"](name, content)
    assert said in fault
    assert "Zhang" not in fault


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data/README.md", b""),
        ("reports/README.md", b""),
        ("docs/data.md", b""),
        ("tests/golden/data/cohort.csv", b""),
        ("src/trajectories/linkage/pseudonyms.py", b"import json\n"),
        ("requirements.lock", b"anyio==4.0 --hash=sha256:" + KEY),
        ("a.ipynb", notebook(outputs=[], execution_count=None)),
    ],
)
def test_let_through(name, content):
    assert list(HOOK["faults"](name, content)) == []


def test_nothing_of_the_repository_is_refused():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    names = HOOK["tracked"]()
    assert "data/README.md" in names
    assert HOOK["refused"](names) == []


def test_every_allowed_place_is_there():
    assert [place for place in HOOK["ALLOWED"] if not (ROOT / place).exists()] == []


def test_hooks_use_the_tools_of_the_environment_and_those_of_make_lint():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = {hook["id"]: hook for hook in config["repos"][0]["hooks"]}
    assert all(hook["language"] == "system" for hook in hooks.values())
    commands = [shlex.split(hook["entry"]) for hook in hooks.values()]
    assert all(command[0] == "hooks/tool" for command in commands)
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlint:")[1].split("\n\n")[0]
    for said in ("ruff check", "ruff format", "python hooks/refuse_data.py"):
        assert any(said in " ".join(command) for command in commands) and f"$(BIN)/{said}" in lint


def test_a_tool_of_the_environment_is_found(tmp_path):
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "tool").write_bytes((ROOT / "hooks" / "tool").read_bytes())
    tool = tmp_path / ".venv" / "bin" / "linter"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\necho "$1"\n')
    tool.chmod(0o755)
    done = subprocess.run(
        ["sh", "hooks/tool", "linter", "a b"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a b\n"
