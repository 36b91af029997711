"""A build after a change: one new deposit costs the reading of that file (deposits/: it changes nothing else)."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from commands import call
from trajectories import pipeline
from trajectories.deposits import files as gathering
from trajectories.deposits import read_deposits
from trajectories.deposits.files import Memory
from trajectories.exceptions import UnusableInputError
from trajectories.pipeline import READ
from trajectories.simulate import Settings, simulate
from trajectories.study import Paths, Study

KEY = "a key for the tests only"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Dirty deposits of two years, the largest first."""
    folder = tmp_path_factory.mktemp("sources")
    two_years = Settings(
        households=25, organisations=3, defects="heavy", seed=5, start=dt.date(2021, 4, 1), end=dt.date(2023, 3, 31)
    )
    simulate(folder, two_years)
    paths = [path for path in (folder / "raw").rglob("*_20*") if path.is_file()]
    paths = sorted(paths, key=lambda path: (path.suffix in (".xls", ".xlsx"), -path.stat().st_size, path.name))
    return paths


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TRAJECTORIES_KEY", KEY)


@pytest.fixture
def read_now(monkeypatch):
    """The files that are read, as they are."""
    names = []

    class Counted(gathering.FileReader):
        def __call__(self, found):
            names.append(found[0])
            return super().__call__(found)

    monkeypatch.setattr(gathering, "FileReader", Counted)
    return names


def study_in(folder: Path) -> Study:
    return Study(paths=Paths(folder / "raw", folder / "derived", folder / "reports"))


@pytest.mark.thorough
def test_one_new_deposit_is_the_one_that_is_read(sources, tmp_path, monkeypatch, capsys, read_now):
    """Named on the command line; `--force` reads everything, and what is taken away leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text("")
    raw, kept = Path("data/raw"), Path("data/derived/read")
    raw.mkdir(parents=True)
    good = list({path.name: path for path in sources if path.suffix in (".csv", ".tsv", ".txt")}.values())[:6]
    for path in good[:5]:
        shutil.copy(path, raw)
    assert call("build") == 0
    assert "5 files (5 read anew), " in capsys.readouterr().out
    assert len(list(kept.iterdir())) == 5
    assert kept.stat().st_mode & 0o777 == Path("data/derived").stat().st_mode & 0o777 == 0o700

    shutil.copy(good[5], raw)
    read_now.clear()
    assert call("build") == 0
    assert "6 files (1 read anew), " in capsys.readouterr().out
    assert read_now == [good[5].name]

    assert call("build") == 0
    assert "6 files, " in capsys.readouterr().out  # nothing changed: nothing was asked

    (raw / good[0].name).unlink()
    assert call("build", "--force") == 0
    assert "5 files (5 read anew), " in capsys.readouterr().out
    assert len(list(kept.iterdir())) == 5


def test_the_last_deposit_taken_away_leaves_nothing_behind(sources, tmp_path, monkeypatch):
    """Also where there is nothing to build any more."""
    study = study_in(tmp_path)
    study.paths.raw.mkdir()
    shutil.copy(sources[0], study.paths.raw)
    kept = study.paths.derived / READ
    read_deposits(study.paths.raw, study=study, memory=Memory(kept, KEY.encode()))
    assert len(list(kept.iterdir())) == 1
    (study.paths.raw / sources[0].name).unlink()
    with pytest.raises(UnusableInputError):
        pipeline.build(study)
    assert list(kept.iterdir()) == []
