"""The key of the ids: copied, replaced with everyone's id kept, and refused before any work where it is another one."""

import datetime as dt
import os
import shutil
import stat
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from identities import ZOE, records
from trajectories import tables
from trajectories.exceptions import KeyFileError
from trajectories.linkage import MATCH_THRESHOLD, Key, key_rotation, link, pseudonyms, resolve
from trajectories.linkage import pseudonyms as key_mark
from trajectories.linkage.key_rotation import rotated
from trajectories.linkage.pseudonyms import ENVIRONMENT, key_path
from trajectories.simulate import Settings, simulate

OLD = Key(b"the key that everybody has seen")
MAX = {"given": "Max", "family": "Tremblay", "birth": "1971-12-30"}
IDS = ["person_id", "household_id", "identity_id"]
posix = pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")


LINKED = {}


def ids(rows, key):
    """What `link_persons` says; the same rows are compared once, whatever the key."""
    at = rows.to_json()
    if at not in LINKED:
        LINKED[at] = link(rows)
    return resolve(LINKED[at], MATCH_THRESHOLD, key).persons.set_index("record_id")[IDS]


def some(*more):
    pair = {"org": "A", "file": "1", "menage": "M1", **ZOE}, {"org": "B", "file": "9", "menage": "8", **ZOE}
    return records(*pair, {"org": "A", "file": "2", "menage": "M1", "given": "Léa", "family": "Roy"}, *more)


def test_everyone_keeps_their_ids_and_who_comes_later_gets_ids_of_the_new_key():
    new, n_identities = rotated(OLD, [some()])
    assert n_identities == 3
    pd.testing.assert_frame_equal(ids(some(), new), ids(some(), OLD))
    later = some({"org": "C", "file": "5", **MAX})
    before, after = ids(later, OLD), ids(later, new)
    pd.testing.assert_frame_equal(after.iloc[:3], before.iloc[:3])
    assert (after.iloc[3] != before.iloc[3]).all()
    assert after.iloc[3].tolist() == ids(later, Key(new.secret)).iloc[3].tolist()


def test_a_person_who_joins_others_later_is_named_as_without_a_rotation():
    # the smallest identity of the cluster decides: one that was alone at the rotation names those who join it later
    new, _ = rotated(OLD, [records({"org": "B", "file": "9", **ZOE})])
    joined = records({"org": "B", "file": "9", **ZOE}, {"org": "C", "file": "1", **ZOE})
    assert ids(joined, new)["person_id"].tolist() == ids(joined, OLD)["person_id"].tolist()


def test_a_second_rotation_keeps_what_the_first_kept_and_what_came_between():
    between = some({"org": "C", "file": "5", **MAX})
    first, _ = rotated(OLD, [some()])
    second, _ = rotated(first, [between])
    pd.testing.assert_frame_equal(ids(between, second), ids(between, first))
    assert len({OLD.secret, first.secret, second.secret}) == 3


@pytest.mark.thorough
def test_several_studies_of_one_key_are_kept_together():
    elsewhere = records({"org": "Z", "file": "1", **MAX})
    new, _ = rotated(OLD, [some(), elsewhere])
    for rows in (some(), elsewhere):
        pd.testing.assert_frame_equal(ids(rows, new), ids(rows, OLD))


def test_a_key_is_read_as_it_was_written_and_a_copy_cut_short_is_refused():
    made = rotated(OLD, [some()], covers=["ab12"])[0]
    text = made.to_text()
    again = Key.from_text(text, "a file")
    assert (again.secret, again.covers, again.kept.tolist()) == (made.secret, made.covers, made.kept.tolist())
    assert Key.from_text(OLD.to_text(), "a file").secret == OLD.secret
    lines = text.splitlines()
    assert len(lines) == 3 + 3 * 3
    for cut in (lines[:-1], lines[:2], [*lines[:4], lines[4][:-1], *lines[5:]], [*lines[:-1], "z" * 33]):
        with pytest.raises(KeyFileError, match="not whole"):
            Key.from_text("\n".join(cut), "a file")


def test_the_mark_tells_the_key_and_what_it_keeps(tmp_path):
    made = rotated(OLD, [some()])[0]
    key_mark.note_key(tmp_path, made)
    noted = key_mark.recorded(tmp_path)
    assert key_mark.fits(made, noted)
    # the key alone, without the ids it keeps, would change them
    assert not key_mark.fits(Key(made.secret), noted)
    assert not key_mark.fits(OLD, noted)
    assert made.secret.decode() not in (tmp_path / key_mark.MARK).read_text()
    written = (tmp_path / key_mark.MARK).read_text()
    key_mark.note_key(tmp_path, made)
    assert (tmp_path / key_mark.MARK).read_text() == written


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project of few real-looking deposits, built with a key in its file."""
    folder = tmp_path_factory.mktemp("keys")
    simulate(
        folder / "made", Settings(households=6, organisations=3, start=dt.date(2023, 4, 1), defects="none", seed=5)
    )
    project = folder / "project"
    shutil.copytree(folder / "made" / "raw", project / "data" / "raw")
    (project / "study.toml").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder / "home"))
        patch.delenv(ENVIRONMENT, raising=False)
        assert call("build", "--study", project / "study.toml") == 0
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """A copy of it to change."""
    for name in ("home", "project"):
        shutil.copytree(finished / name, tmp_path / name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def built(project):
    return tables.load(tables.PERSONS, project / "data" / "derived")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.thorough
@posix
def test_rotating_keeps_the_ids_of_a_build_and_copies_the_old_key(project, capsys):
    before, old = built(project), key_path().read_text()
    assert call("key", "rotate") == 0
    said = capsys.readouterr().out
    assert key_path().read_text().splitlines()[0] != old.strip()
    (copy,) = key_path().parent.glob("key-*")
    assert copy.read_text() == old
    assert str(copy) in said and old.strip() not in said
    assert {stat.S_IMODE(path.stat().st_mode) for path in (copy, key_path())} == {0o600}
    # the tables of before are good, and so are those made again
    assert call("person", before["person_id"][0]) == 0
    assert call("build") == 0
    pd.testing.assert_frame_equal(built(project), before)
    # once more, without a copy; what was copied before stays, what a killed rotation left does not
    (key_path().parent / ".key.1.ab.tmp").write_text(key_path().read_text())
    assert call("key", "rotate", "--forget-old") == 0
    assert sorted(key_path().parent.iterdir()) == [key_path(), copy]
    # and back: the key of the first build would change the ids of whoever came since
    key_path().write_text(old)
    assert call("build") == 2


@pytest.mark.parametrize("moment", [1, 2])
def test_a_rotation_that_is_interrupted_leaves_the_old_key(project, monkeypatch, capsys, moment):
    old, count = key_path().read_bytes(), []

    def killed(path, text, write=key_rotation.write_secret):
        count.append(path)
        if len(count) == moment:
            Path(path).write_text(text[:20])
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(key_rotation, "write_secret", killed)
    assert call("key", "rotate") == 130
    assert key_path().read_bytes() == old
    assert {path.read_bytes() for path in key_path().parent.iterdir()} == {old}
    monkeypatch.undo()


def test_a_lost_key_is_a_sentence_before_any_work_and_its_backup_mends_it(project, capsys):
    copy = project.parent / "vault" / "key"
    assert call("key", "backup", copy) == 0
    assert str(key_path()) in capsys.readouterr().out
    before = contents(project)
    key_path().unlink()
    for command in (["build"], ["run"], ["report"], ["cohort"], ["person", "P1"]):
        assert call(*command) == 2
        said = capsys.readouterr().err
        assert "key is lost" in said and "--new-key" in said and "Traceback" not in said
    assert not key_path().exists()
    assert contents(project) == before
    shutil.copy(copy, key_path())
    assert call("person", built(project)["person_id"][0]) == 0


@pytest.mark.thorough
def test_another_key_is_refused_before_any_work_unless_it_is_asked_for(project, monkeypatch, capsys):
    before = contents(project)
    persons = built(project)
    monkeypatch.setenv(ENVIRONMENT, "some other key, long enough")
    for command in (["build"], ["report"], ["cohort"], ["person", "P1"], ["key", "rotate"]):
        assert call(*command) == 2
        said = capsys.readouterr().err
        assert ENVIRONMENT in said and "some other key" not in said
    assert contents(project) == before
    assert call("build", "--new-key") == 0
    assert set(built(project)["person_id"]).isdisjoint(persons["person_id"])
    assert call("person", built(project)["person_id"][0]) == 0


@pytest.mark.thorough
def test_a_study_that_a_rotation_forgot_is_refused(project, capsys):
    other = project.parent / "other"
    shutil.copytree(project, other)
    # tables built apart carry a salt of their own
    (other / "data" / "derived" / key_mark.MARK).unlink()
    key_mark.note_key(other / "data" / "derived", pseudonyms.known_key())
    saved = key_path().read_text()
    assert call("key", "rotate") == 0
    assert call("cohort", "--study", other / "study.toml") == 2
    assert "not the one" in capsys.readouterr().err
    key_path().write_text(saved)
    assert call("key", "rotate", "--study", "study.toml", "--study", other / "study.toml") == 0
    for study in ("study.toml", other / "study.toml"):
        assert call("cohort", "--study", study) == 0


@pytest.mark.thorough
def test_a_rotation_refuses_what_it_could_not_keep(project, monkeypatch, capsys):
    key = key_path().read_bytes()
    assert call("key", "rotate", "--dry-run") == 0
    assert call("key", "rotate", "--raw", project / "nothing") == 2
    assert "holds no deposit" in capsys.readouterr().err
    (project / "data" / "SYNTHETIC").touch()
    assert call("key", "rotate") == 2
    assert "public key" in capsys.readouterr().err
    (project / "data" / "SYNTHETIC").unlink()
    raw = project / "data" / "raw"
    for folder, asked, sentence in ((raw, ["--forget-old"], "for good"), (project / "bad", [], "usable row")):
        folder.mkdir(exist_ok=True)
        (folder / "OBR99_2021-2022_T1_2021-07-15.xlsx").write_bytes(b"PK\x03\x04 cut off")
        assert call("key", "rotate", "--raw", folder, *asked) == 2
        assert sentence in capsys.readouterr().err
    monkeypatch.setenv(ENVIRONMENT, key.decode())
    assert call("key", "rotate") == 2
    assert f"unset {ENVIRONMENT}" in capsys.readouterr().err
    assert key_path().read_bytes() == key


@posix
def test_a_backup_is_whole_closed_and_never_where_it_is_shared_or_over_another(project, monkeypatch, capsys):
    vault = project.parent / "vault"
    vault.mkdir()
    assert call("key", "rotate") == 0
    assert call("key", "backup", vault) == 0
    (copy,) = vault.iterdir()
    assert copy.read_bytes() == key_path().read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    # the same key again is no harm; another one there is not overwritten
    assert call("key", "backup", copy) == 0
    copy.write_text("something else")
    assert call("key", "backup", copy) == 2
    assert copy.read_text() == "something else"
    (vault / "repository" / ".git").mkdir(parents=True)
    (vault / "link").symlink_to(project / "data")
    for place in ("data/key", "data/derived/key", "reports/x/key", vault / "repository/a/key", vault / "link/key"):
        assert call("key", "backup", place) == 2
        assert not Path(place).exists()
    assert call("key", "backup", key_path()) == 2
    assert "the key itself" in capsys.readouterr().err
    monkeypatch.setenv(ENVIRONMENT, "a key given by the environment")
    assert call("key", "backup", vault / "given") == 0
    assert (vault / "given").read_text() == "a key given by the environment\n"
    monkeypatch.delenv(ENVIRONMENT)
    key_path().unlink()
    assert call("key", "backup", vault / "none") == 2
    assert not key_path().exists()


@pytest.mark.thorough
def test_synthetic_tables_ask_for_no_key(project, monkeypatch):
    (project / "data" / "SYNTHETIC").touch()
    key_path().unlink()
    monkeypatch.setenv(ENVIRONMENT, "no key of these tables")
    assert call("build") == 0
    assert not (project / "data" / "derived" / key_mark.MARK).exists()
