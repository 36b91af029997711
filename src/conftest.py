"""Examples that read « study.toml » run beside one: a small synthetic study that was built and analysed."""

import shutil
from pathlib import Path

import pytest

from made_once import made_once
from trajectories import Study, analyse, build
from trajectories.deposits.synthetic import SAMPLE_FOLDER, mark_synthetic
from trajectories.simulate import Settings, simulate

FILE = "study.toml"


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory):
    """The folder of the study, made by whichever process asks first."""

    def made():
        folder = tmp_path_factory.mktemp("example")
        (folder / FILE).write_text("replicates = 2\ndraws = 1\nhorizons = [12]\n", encoding="utf-8")
        simulate(folder / "data", Settings(households=60, organisations=6, defects="none"))
        mark_synthetic(folder / "data")
        study = Study.read(folder / FILE)
        build(study)
        analyse(study)
        return str(folder)

    return Path(made_once("example study", made))


@pytest.fixture(autouse=True)
def beside_the_example(request, monkeypatch, tmp_path):
    """An example that names the file, or `sample()`, works in a copy of the folder: it may do there what it likes."""
    text = getattr(getattr(request.node, "dtest", None), "docstring", None) or ""
    if FILE in text or "sample()" in text:
        folder = tmp_path / "example"
        shutil.copytree(request.getfixturevalue("example_folder"), folder)
        shutil.copytree(folder / "data", tmp_path / SAMPLE_FOLDER)
        (tmp_path / SAMPLE_FOLDER).rename(folder / "data" / SAMPLE_FOLDER)
        monkeypatch.chdir(folder)
    if "secret_key()" in text:
        monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the examples only")
