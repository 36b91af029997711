"""A build after a change: one new deposit costs the reading of that file, and the tables are those of a full build."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from commands import call
from trajectories import pipeline
from trajectories.deposits import gathering, read_deposits, reading
from trajectories.deposits.remembered import Memory
from trajectories.exceptions import UnusableInputError
from trajectories.pipeline import READ
from trajectories.simulate import Settings, simulate
from trajectories.study import Paths, Study

KEY = "a key for the tests only"
ALWAYS = 8  # deposits that stay, so that there is something to build


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Dirty deposits of two years, the largest first; some as parquet, one that cannot be read."""
    folder = tmp_path_factory.mktemp("sources")
    two_years = Settings(
        households=25, organisations=3, defects="heavy", seed=5, start=dt.date(2021, 4, 1), end=dt.date(2023, 3, 31)
    )
    simulate(folder, two_years)
    paths = [path for path in (folder / "raw").rglob("*_20*") if path.is_file()]
    paths = sorted(paths, key=lambda path: (path.suffix in (".xls", ".xlsx"), -path.stat().st_size, path.name))
    simulate(folder / "tidy", replace(two_years, defects="none"))
    for path in sorted((folder / "tidy").rglob("*_20*.csv"))[:4]:
        paths.append(path.with_suffix(".parquet"))
        pd.read_csv(path, sep=None, engine="python", dtype=str).to_parquet(paths[-1])
    paths.append(folder / "raw" / "ZZZ_2022-2023_T1.xlsx")
    paths[-1].write_bytes(b"PK\x03\x04 cut off")
    assert {".csv", ".xlsx", ".parquet"} <= {path.suffix for path in paths}
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


def tables_of(study: Study) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in study.paths.derived.glob("*.parquet")}


def built_whole(study: Study, folder: Path) -> dict[str, bytes]:
    """The tables of a first build elsewhere, of a copy of the deposits that the file system lists the other way."""
    other, listed = study_in(folder), reading.os.walk
    shutil.copytree(study.paths.raw, other.paths.raw)

    def walked(top, **options):
        for parent, folders, names in listed(top, **options):
            folders.reverse()
            yield parent, folders, names[::-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.os, "walk", walked)
        pipeline.build(other)
    return tables_of(other)


def change(raw: Path, sources: list[Path], random: Random) -> None:
    """One change of the deposits beside those that always stay: one more, another content, one less, another name."""
    there = [path for path in sorted(raw.rglob("*")) if path.is_file() and path.parent != raw]
    kind = random.choice(("add", "add", "replace", "remove", "rename")) if there else "add"
    if kind == "add":
        new = random.choice(sources)
        shutil.copy(new, raw / "b" / f"{random.randrange(3)}{new.name}")
    elif kind == "replace":
        shutil.copy(random.choice(sources), random.choice(there))
    elif kind == "remove":
        random.choice(there).unlink()
    else:
        path = random.choice(there)
        path.rename(raw / "é" / f"{random.randrange(3)}{path.name}")


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    """A folder with a build of the deposits that always stay."""
    folder = tmp_path_factory.mktemp("built")
    study = study_in(folder)
    for name in ("b", "é"):
        (study.paths.raw / name).mkdir(parents=True)
    for path in sources[:ALWAYS]:
        shutil.copy(path, study.paths.raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRAJECTORIES_KEY", KEY)
        pipeline.build(study)
    return folder


@settings(
    max_examples=2, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(seed=st.integers(0, 2**32))
def test_the_tables_after_any_changes_are_those_of_a_full_build(sources, built, tmp_path_factory, read_now, seed):
    folder, random = tmp_path_factory.mktemp("changes"), Random(seed)
    study = study_in(shutil.copytree(built, folder / "by_file"))
    memory = Memory(study.paths.derived / READ, KEY.encode())
    for _ in range(8):  # builds that were interrupted once all was read
        for _ in range(random.randint(1, 4)):
            change(study.paths.raw, sources, random)
        read_deposits(study.paths.raw, study=study, memory=memory)
    for _ in range(4):
        change(study.paths.raw, sources, random)
    read_now.clear()
    last = pipeline.build(study)
    assert last.deposits.n_anew == len(read_now) <= 4 + len(last.unreadable)
    assert not set(read_now) & {path.name for path in sources[:ALWAYS]}
    assert tables_of(study) == built_whole(study, folder / "whole")


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
