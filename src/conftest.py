"""Examples that call `sample()` or read « study.toml » run in a copy of the sample of the tests (sample_project.py)."""

import shutil

import pytest

FILE = "study.toml"
READ = 'read("study.toml")'
# Examples that call one of these start from an analysis; to the others a build is enough, and is there much sooner.
OF_AN_ANALYSIS = ("analyse(", "improvement_leads(", "explore(")


@pytest.fixture(autouse=True)
def beside_the_example(request, monkeypatch, tmp_path):
    """An example may do in its copy what it likes."""
    text = getattr(getattr(request.node, "dtest", None), "docstring", None) or ""
    if READ in text or "sample()" in text:
        import sample_project

        made = sample_project.reported if any(name in text for name in OF_AN_ANALYSIS) else sample_project.built
        project = shutil.copytree(made(), tmp_path / "project")
        if READ in text:
            # the sample's folders are those of the study
            settings = (project / FILE).read_text(encoding="utf-8")
            settings = settings.replace('"data/', '"data/sample/').replace('"reports"', '"reports/sample"')
            (project / FILE).write_text(settings, encoding="utf-8")
        monkeypatch.chdir(project)
    if "secret_key()" in text:
        monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the examples only")
