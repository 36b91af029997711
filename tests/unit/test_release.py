"""What a release is made of: one version, said in one place, and archives that hold no data."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from trajectories import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HATCH = PROJECT["tool"]["hatch"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place_and_the_others_agree():
    assert "version" not in PROJECT["project"] and PROJECT["project"]["dynamic"] == ["version"]
    assert f'__version__ = "{__version__}"' in read(HATCH["version"]["path"])
    assert re.search(r"^version: (.*)$", read("CITATION.cff"), re.MULTILINE)[1] == __version__
    first = re.search(r"^## \[([^\]]+)\] - (Unreleased|\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.MULTILINE)
    assert first[1] == __version__


def test_the_citation_has_what_its_schema_asks_for():
    keys = dict(re.findall(r"^([a-z-]+):(.*)$", read("CITATION.cff"), re.MULTILINE))
    assert {"message", "title", "authors"} <= set(keys) and keys["cff-version"].strip() == "1.2.0"
    assert f"- name: {PROJECT['project']['authors'][0]['name']}" in read("CITATION.cff")
    assert keys["license"].strip() == PROJECT["project"]["license"]


def test_every_package_that_documents_carries_its_reason():
    block = re.search(r"^docs = \[\n(.*?)^\]", read("pyproject.toml"), flags=re.MULTILINE | re.DOTALL)[1]
    assert all("#" in line for line in block.strip().splitlines())


def test_a_source_archive_is_asked_for_by_name_and_of_what_there_is():
    asked = HATCH["build"]["targets"]["sdist"]["only-include"]
    assert [name for name in asked if not (ROOT / name).exists()] == []
    assert [name for name in asked if name.startswith(("data", "reports"))] == ["data/README.md", "reports/README.md"]


@pytest.mark.slow
def test_the_archives_hold_the_library_and_no_data(tmp_path):
    pytest.importorskip("build")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (source,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    assert f"-{__version__}" in source.name and f"-{__version__}-" in wheel.name
    with tarfile.open(source) as archive, zipfile.ZipFile(wheel) as other:
        inside = {name.partition("/")[2] for name in archive.getnames()} | set(other.namelist())
    held = {name for name in inside if re.search(r"^(?:data|reports)/|\.parquet$|\.xlsx$|__pycache__", name)}
    assert {name for name in held if not name.startswith("tests/")} == {"data/README.md", "reports/README.md"}
    assert {"study.toml", "src/trajectories/py.typed", "trajectories/report/notebooks/region_report.ipynb"} <= inside
