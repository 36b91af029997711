"""The files around the code say what the code does."""

import ast
import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# conda-forge's names where they differ from the Python index's
CONDA_NAMES = {"duckdb": "python-duckdb", "matplotlib": "matplotlib-base", "Babel": "babel", "Jinja2": "jinja2"}


def constraints(lines):
    found = {}
    for line in lines:
        name = re.match(r"[A-Za-z0-9_.-]+", line).group(0)
        found[CONDA_NAMES.get(name, name)] = line[len(name) :].strip()
    return found


def test_the_conda_environment_has_the_constraints_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    listed = constraints(re.findall(r"^  - (\S+)$", text.split("dependencies:")[1], flags=re.MULTILINE))
    assert listed.pop("python") == project["requires-python"]
    assert "pip" in listed
    asked = constraints(project["dependencies"])
    assert {name: listed.get(name) for name in asked} == asked


def test_every_dependency_carries_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, flags=re.MULTILINE | re.DOTALL).group(1)
    assert all("#" in line for line in block.strip().splitlines())


def test_the_lock_pins_hashes_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
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


def test_every_module_says_what_it_does_and_stands_on_a_map():
    package = ROOT / "src" / "trajectories"
    said = {path: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in package.rglob("*.py")}
    assert [path for path, text in said.items() if not text or text.split("\n\n")[0][-1] not in ".:?"] == []
    rooms = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("## Rooms")[1].split("## Tables")[0]
    for folder, map_ in ((package, rooms), (package / "report", said[package / "report" / "__init__.py"])):
        stems = {path.stem for path in folder.glob("*.py") if not path.stem.startswith(("__", "cli_"))}
        assert {stem for stem in stems if not re.search(rf"\b{stem}\b", map_)} == set(), folder


def test_importing_the_package_loads_nothing_heavy():
    import subprocess
    import sys

    heavy = ("pandera", "matplotlib", "papermill", "nbconvert", "lifelines", "scipy", "python_calamine", "babel")
    code = f"import sys, trajectories; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
