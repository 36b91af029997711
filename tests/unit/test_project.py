"""The files around the code say what the code does; a release is one version, said in one place, and holds no data."""

import ast
import json
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
# conda-forge's names where they differ from the Python index's
CONDA_NAMES = {"matplotlib": "matplotlib-base", "Babel": "babel", "Jinja2": "jinja2"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))
HATCH = PROJECT["tool"]["hatch"]


def constraints(lines):
    found = {}
    for line in lines:
        name = re.match(r"[A-Za-z0-9_.-]+", line).group(0)
        found[CONDA_NAMES.get(name, name)] = line[len(name) :].strip()
    return found


def test_the_conda_environment_has_the_constraints_of_the_project():
    project = PROJECT["project"]
    text = read("environment.yml")
    listed = constraints(re.findall(r"^ +- (\S+[^:\s])$", text.split("dependencies:")[1], flags=re.MULTILINE))
    assert listed.pop("python") == project["requires-python"]
    assert listed.pop("pip") == ""
    asked = constraints(project["dependencies"])
    tools = constraints(project["optional-dependencies"]["test"])
    wanted = ("pytest", "nbval", "hatchling", "editables")  # a researcher runs the tests of notebooks too
    asked |= {name: tools[name] for name in wanted}
    assert listed == asked


@pytest.mark.parametrize("listed", ["dependencies", "docs"])
def test_every_dependency_carries_its_reason(listed):
    block = re.search(rf"^{listed} = \[\n(.*?)^\]", read("pyproject.toml"), flags=re.MULTILINE | re.DOTALL).group(1)
    assert all("#" in line for line in block.strip().splitlines())


def test_the_lock_pins_hashes_and_names_no_index():
    lock = read("requirements.lock")
    assert "://" not in lock
    assert "index-url" not in lock
    name = r"[a-z0-9-]+(?:\[[a-z0-9,-]+\])?=="
    pinned = re.findall(rf"^{name}\S+", lock, flags=re.MULTILINE)
    blocks = re.split(rf"^(?={name})", lock, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned) > 50
    assert all("--hash=sha256:" in block for block in blocks)


def test_notebooks_hold_no_output_and_define_nothing():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code, path.name
        assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == [], path.name
        assert not re.search(r"^\s*(def|class) ", "\n".join("".join(cell["source"]) for cell in code), re.MULTILINE)


def test_every_public_name_exists():
    import trajectories

    for name in trajectories.__all__:
        assert getattr(trajectories, name) is not None
    # the function, whatever was imported before
    assert callable(trajectories.retention)


def test_every_module_says_what_it_does():
    package = ROOT / "src" / "trajectories"
    said = {path: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in package.rglob("*.py")}
    assert [path for path, text in said.items() if not text or text.split("\n\n")[0][-1] not in ".:?"] == []


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("pandera", "matplotlib", "papermill", "nbconvert", "lifelines", "scipy", "python_calamine", "babel")
    code = f"import sys, trajectories; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# ── a release ─────────────────────────────────────────────────────────────────────────────────────────────
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


def test_a_source_archive_is_asked_for_by_name_and_of_what_there_is():
    asked = HATCH["build"]["targets"]["sdist"]["only-include"]
    assert [name for name in asked if not (ROOT / name).exists()] == []
    assert [name for name in asked if name.startswith(("data", "reports"))] == ["data/README.md", "reports/README.md"]


@pytest.mark.slow
def test_the_archives_hold_the_library_and_no_data(tmp_path):
    pytest.importorskip("build.__main__")  # the folder build/ of the documents is a package too
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (source,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    assert f"-{__version__}" in source.name and f"-{__version__}-" in wheel.name
    with tarfile.open(source) as archive, zipfile.ZipFile(wheel) as other:
        inside = {name.partition("/")[2] for name in archive.getnames()} | set(other.namelist())
    held = {name for name in inside if re.search(r"^(?:data|reports)/|\.parquet$|\.xlsx$|__pycache__", name)}
    assert {name for name in held if not name.startswith("tests/")} == {"data/README.md", "reports/README.md"}
    assert {"study.toml", "src/trajectories/py.typed", "trajectories/report/notebooks/region_report.ipynb"} <= inside
