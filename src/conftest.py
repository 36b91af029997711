"""Examples that call `sample()` or read « study.toml » run in a copy of the sample of the tests (sample_project.py)."""

import shutil

import pytest

FILE = "study.toml"


@pytest.fixture(autouse=True)
def beside_the_example(request, monkeypatch, tmp_path):
    """An example may do in its copy what it likes."""
    text = getattr(getattr(request.node, "dtest", None), "docstring", None) or ""
    if FILE in text or "sample()" in text:
        import sample_project

        project = shutil.copytree(sample_project.reported(), tmp_path / "project")
        if FILE in text:
            # the sample's folders are those of the study
            settings = (project / FILE).read_text(encoding="utf-8")
            settings = settings.replace('"data/', '"data/sample/').replace('"reports"', '"reports/sample"')
            (project / FILE).write_text(settings, encoding="utf-8")
        monkeypatch.chdir(project)
    if "secret_key()" in text:
        monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the examples only")
