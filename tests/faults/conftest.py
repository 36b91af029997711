"""A small study, its undisturbed run, and the warm command line that both are made with."""

import shutil
from pathlib import Path

import pytest

from commands import call
from quick_line import Line
from report_tables import write_tables
from undisturbed_runs import undisturbed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """60 invented households; as it is, and as it was: another seed, and without one of the deposits."""
    place = tmp_path_factory.mktemp("study")
    text = (ROOT / "study.toml").read_text(encoding="utf-8").replace("replicates = 500", "replicates = 20")
    now, then = place / "now", place / "then"
    now.mkdir()
    assert call("simulate", "--out", now / "data", "--households", 60, "--organisations", 2, "--defects", "none") == 0
    (now / "study.toml").write_text(text, encoding="utf-8")
    shutil.copytree(now, then)
    (then / "study.toml").write_text(text.replace("\nseed = 1", "\nseed = 2"), encoding="utf-8")
    deposits = sorted(path for path in (then / "data" / "raw").rglob("*") if path.is_file())
    deposits[len(deposits) // 2].unlink()
    return place


@pytest.fixture(scope="session")
def remembered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remembered")
    write_tables(folder / "estimates")
    return folder


@pytest.fixture(scope="session")
def light(study, remembered):
    """The warm line for `make test`: reading and linking are remembered too."""
    line = Line(remembered, light=True)
    yield line
    line.end()


@pytest.fixture(scope="session")
def peaceful(light, study, tmp_path_factory):
    return undisturbed(light, shutil.copytree(study, tmp_path_factory.mktemp("peaceful") / "study"))


@pytest.fixture(scope="session")
def heavy(study, remembered):
    """The warm line for `make faults`."""
    line = Line(remembered, light=False)
    yield line
    line.end()
